//! Every YAML object that kubectl printed in the transcripts is emitted byte for byte after decoding.

use std::path::Path;

use kubetab::value::yaml::{documents, to_yaml};

/// The outputs of commands with `-o yaml` and without a pipe.
fn outputs(transcript: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        if !command.contains("-o yaml") || command.contains(['|', ';', '<', '&']) {
            continue;
        }
        let mut output = String::new();
        while let Some(line) = lines.next_if(|l| !["$ ", "@", "[exit "].iter().any(|p| l.starts_with(p))) {
            output.push_str(line);
            output.push('\n');
        }
        if output.starts_with("apiVersion: ") && !output.contains("\nError") && !output.contains("\nWarning") {
            found.push((command.to_owned(), output));
        }
    }
    found
}

#[test]
fn transcripts_reemit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".txt") || name.ends_with(".norm.txt") {
            continue;
        }
        for (command, output) in outputs(&std::fs::read_to_string(&path).unwrap()) {
            let mut again = String::new();
            for document in documents(&output) {
                again.push_str(&to_yaml(&document.unwrap().value().unwrap()));
            }
            // Some commands print the separator of documents twice.
            assert_eq!(again, output.replace("---\n", ""), "{name}: {command}");
            count += 1;
        }
    }
    eprintln!("{count} objects");
}
