//! `cargo xtask docs [FILE]`: the texts that `kubectl explain` and kubectl's help print, and the manifests
//! that can be downloaded. Those of help are our own (`src/kubectl/data/help.txt`), so are the manifests
//! (`src/world/data/downloads.txt`), the others are taken at build time from the documentation of a
//! dependency: the JSON schemas of the crate `k8s-openapi`, of the Kubernetes
//! version that is simulated or the nearest one that the crate has. What each value of an
//! enumeration means was published for Kubernetes 1.23 only, so that is read from an older version
//! of the crate.
//!
//! `build.rs` includes this file too, so that native builds have the texts without a step of their
//! own. `src/api/docs.rs` reads the result and describes its form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The minor version of Kubernetes that is simulated.
const MINOR: u32 = 36;

/// The version of the crate whose texts say what the values of enumerations mean.
const OF_VALUES: &str = "0.14.";

/// The words of kubectl's help: a command a line, and below it with a tab before them what its texts are called, each
/// with its text behind a tab, or below it in lines with two tabs.
pub const HELP: &str = "src/kubectl/data/help.txt";

/// The manifests that can be downloaded: groups of lines with an empty line between them. A group has addresses, then
/// the text, a tab before each of its lines. Addresses stand there without a scheme, or from `/` on when they lie under
/// `k8s.io/examples`; `{version}` in them stands for any release, also in the text, and what follows behind a space is
/// the release of an address that names none. A group without a text names what exists in the Internet but not here.
/// Lines that begin with `#` are comments.
pub const DOWNLOADS: &str = "src/world/data/downloads.txt";

/// A type and a field, or a command and the name of one of its texts.
type Key = (String, String);

/// Texts by type (its short name, as in `src/api/data/types.txt`) and field; a type's own text has
/// an empty field, and that of a field's value is at `field=value`.
type Texts = BTreeMap<Key, String>;

/// Writes the texts into a file, unless they stand there already.
///
/// # Errors
/// A sentence for the person at the terminal.
#[allow(dead_code, reason = "build.rs writes its own file")]
pub fn run(root: &Path, into: &Path) -> Result<(), String> {
    let text = generate(root)?;
    if std::fs::read_to_string(into).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = into.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("Cannot make {}: {e}.", folder.display()))?;
    }
    std::fs::write(into, text).map_err(|e| format!("Cannot write {}: {e}.", into.display()))
}

/// The whole file.
///
/// # Errors
/// A sentence that says what is missing.
pub fn generate(root: &Path) -> Result<String, String> {
    let crates = find_crates(root)?;
    let mut texts = Texts::new();
    for (version, folder) in &crates {
        let read = if version.starts_with(OF_VALUES) {
            read_values
        } else {
            read_schema
        };
        read_folder(&nearest(folder)?, read, &mut texts)?;
    }
    let read = |path: &str| {
        let path = root.join(path);
        std::fs::read_to_string(&path).map_err(|e| format!("Cannot read {}: {e}.", path.display()))
    };
    let table = read("src/api/data/types.txt")?;
    let mut wanted = wanted(&table);
    let own = [read_help(&read(HELP)?), read_downloads(&read(DOWNLOADS)?)];
    for (key, text) in own.into_iter().flatten() {
        wanted.push(key.clone());
        texts.insert(key, text);
    }
    Ok(file(&wanted, &texts))
}

/// The versions of the crate and the folders of their sources, as cargo knows them.
fn find_crates(root: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = |more: &[&str]| -> Option<String> {
        let output = Command::new(&cargo)
            .args(["metadata", "--format-version", "1"])
            .args(more)
            .current_dir(root)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let said = metadata(&["--offline"])
        .or_else(|| metadata(&[]))
        .ok_or("`cargo metadata` failed, so that k8s-openapi could not be found.")?;
    let crates: Vec<(String, PathBuf)> = said
        .split(r#""name":"k8s-openapi","version":""#)
        .skip(1)
        .filter_map(|rest| {
            let (version, rest) = rest.split_once('"')?;
            let (_, rest) = rest.split_once(r#""manifest_path":""#)?;
            let manifest = PathBuf::from(rest.split_once('"')?.0.replace("\\\\", "\\"));
            Some((version.to_owned(), manifest.parent()?.to_path_buf()))
        })
        .collect();
    if crates.is_empty() {
        return Err("k8s-openapi is not among the dependencies.".into());
    }
    Ok(crates)
}

/// The crate's folder for the Kubernetes version that is simulated, or the nearest one.
fn nearest(krate: &Path) -> Result<PathBuf, String> {
    let source = krate.join("src");
    let entries = std::fs::read_dir(&source).map_err(|e| format!("Cannot read {}: {e}.", source.display()))?;
    entries
        .flatten()
        .filter_map(|entry| {
            let minor: u32 = entry.file_name().to_str()?.strip_prefix("v1_")?.parse().ok()?;
            Some((minor.abs_diff(MINOR), minor, entry.path()))
        })
        .min()
        .map(|(_, _, path)| path)
        .ok_or_else(|| format!("{} has no version of Kubernetes.", source.display()))
}

fn read_folder(folder: &Path, read: fn(&str, &mut Texts), texts: &mut Texts) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("Cannot read {}: {e}.", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_folder(&path, read, texts)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let code = std::fs::read_to_string(&path).map_err(|e| format!("Cannot read {}: {e}.", path.display()))?;
            read(&code, texts);
        }
    }
    Ok(())
}

/// Takes away what Rust's literals escape beyond the file's own form: quotes.
fn unquoted(literal: &str) -> String {
    literal.replace("\\\"", "\"")
}

/// Reads the JSON schema that a file gives its type: lines whose indentation says whether they are
/// the type's own or a field's.
fn read_schema(code: &str, texts: &mut Texts) {
    let Some((_, code)) = code.split_once("impl crate::schemars::JsonSchema for ") else {
        return;
    };
    let mut name = String::new();
    let mut field = String::new();
    for line in code.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if name.is_empty() {
            if let Some(full) = text.strip_prefix('"').and_then(|t| t.strip_suffix("\".into()")) {
                name = short(full);
            }
            continue;
        }
        let described = text
            .strip_prefix(r#""description": ""#)
            .and_then(|t| t.strip_suffix("\","))
            .or_else(|| {
                text.strip_prefix(r#"schema_obj.ensure_object().insert("description".into(), ""#)
                    .and_then(|t| t.strip_suffix("\".into());"))
            });
        match (indent, described) {
            (12, Some(words)) => {
                texts.insert((name.clone(), String::new()), unquoted(words));
            }
            (20, Some(words)) => {
                texts.insert((name.clone(), field.clone()), unquoted(words));
            }
            (16, None) => {
                if let Some((key, _)) = text.strip_prefix('"').and_then(|t| t.split_once("\": ")) {
                    field = key.to_owned();
                }
            }
            _ => {}
        }
    }
}

/// Reads what the values of enumerations mean from a file of the older version, whose schemas are
/// expressions: a line `"field".to_owned(),` and some lines later its description, which ends with
/// the list of values.
fn read_values(code: &str, texts: &mut Texts) {
    let Some((_, code)) = code.split_once("fn schema_name() -> String {") else {
        return;
    };
    let Some((_, rest)) = code.split_once('"') else {
        return;
    };
    let Some((full, rest)) = rest.split_once('"') else {
        return;
    };
    let name = short(full);
    let mut field = "";
    for line in rest.lines().map(str::trim_start) {
        if let Some(key) = line.strip_prefix('"').and_then(|t| t.strip_suffix("\".to_owned(),")) {
            field = key;
        }
        let Some((_, values)) = line
            .strip_prefix("description: Some(\"")
            .and_then(|t| t.strip_suffix("\".to_owned()),"))
            .and_then(|t| t.split_once(r"\n\nPossible enum values:\n - "))
        else {
            continue;
        };
        for entry in values.split(r"\n - ") {
            if let Some((value, meaning)) = entry.strip_prefix(r#"`\""#).and_then(|t| t.split_once(r#"\"`"#)) {
                let meaning = meaning.trim();
                if !meaning.is_empty() {
                    texts.insert((name.clone(), format!("{field}={value}")), unquoted(meaning));
                }
            }
        }
    }
}

/// The name of a type in the project's own tables.
fn short(full: &str) -> String {
    for (prefix, mark) in [
        ("io.k8s.api.", ""),
        ("io.k8s.apimachinery.pkg.", "m:"),
        ("io.k8s.kube-aggregator.pkg.", "a:"),
        ("io.k8s.apiextensions-apiserver.pkg.", "x:"),
    ] {
        if let Some(rest) = full.strip_prefix(prefix) {
            return format!("{mark}{rest}");
        }
    }
    full.to_owned()
}

/// Reads the words of kubectl's help.
fn read_help(help: &str) -> Vec<(Key, String)> {
    let mut texts: Vec<(Key, String)> = Vec::new();
    let mut command = "";
    for line in help.lines() {
        let Some(row) = line.strip_prefix('\t') else {
            command = line;
            continue;
        };
        match (row.strip_prefix('\t'), row.split_once('\t')) {
            (Some(more), _) => {
                if let Some((_, text)) = texts.last_mut() {
                    if !text.is_empty() {
                        text.push_str(r"\n");
                    }
                    text.push_str(&escaped(more));
                }
            }
            (None, split) => {
                let (name, text) = split.unwrap_or((row, ""));
                texts.push(((command.to_owned(), name.to_owned()), escaped(text)));
            }
        }
    }
    texts
}

/// As in Rust's literals, which the other texts come from.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('\t', r"\t")
}

/// Reads what can be downloaded.
fn read_downloads(file: &str) -> Vec<(Key, String)> {
    let mut texts = Vec::new();
    for group in file.split("\n\n") {
        let text: String = group
            .lines()
            .filter_map(|line| line.strip_prefix('\t'))
            .flat_map(|line| [escaped(line), r"\n".to_owned()])
            .collect();
        // No text can be empty.
        let text = if text.is_empty() { "-".to_owned() } else { text };
        let addresses = group
            .lines()
            .filter(|line| !line.starts_with(['\t', '#']) && !line.is_empty());
        for address in addresses {
            let (address, text) = match address.split_once(' ') {
                Some((address, version)) => (address, text.replace("{version}", version)),
                None => (address, text.clone()),
            };
            let host = if address.starts_with('/') {
                "k8s.io/examples"
            } else {
                ""
            };
            texts.push((("downloads".to_owned(), format!("{host}{address}")), text));
        }
    }
    texts
}

/// What the file holds of the API: its types, their fields, and the values of enumerations.
fn wanted(table: &str) -> Vec<Key> {
    let mut wanted = Vec::new();
    let mut name = "";
    for line in table.lines() {
        let Some(row) = line.strip_prefix('\t') else {
            name = line.split('\t').next().unwrap_or("");
            wanted.push((name.to_owned(), String::new()));
            continue;
        };
        let mut columns = row.split('\t');
        let field = columns.next().unwrap_or("");
        wanted.push((name.to_owned(), field.to_owned()));
        let values = columns
            .filter_map(|c| c.strip_prefix("e="))
            .flat_map(|values| values.split(','));
        wanted.extend(values.map(|value| (name.to_owned(), format!("{field}={value}"))));
    }
    wanted
}

/// The file: each text once, then which type and field has which.
fn file(wanted: &[Key], texts: &Texts) -> String {
    let text_of = |key: &Key| texts.get(key).map(String::as_str);
    let unique: BTreeSet<&str> = wanted.iter().filter_map(text_of).collect();
    let numbers: BTreeMap<&str, usize> = unique.iter().enumerate().map(|(i, t)| (*t, i)).collect();
    let mut out = String::from(
        "Texts of the Kubernetes API's documentation, from the crate k8s-openapi (Apache License 2.0), of help and of downloads\n",
    );
    for text in &unique {
        let _ = writeln!(out, "{text}");
    }
    out.push('\n');
    let mut last = "";
    for key @ (name, field) in wanted {
        let Some(number) = text_of(key).and_then(|t| numbers.get(t)) else {
            continue;
        };
        if name != last {
            let _ = writeln!(out, "{name}");
            last = name;
        }
        let _ = writeln!(out, "\t{field}\t{number}");
    }
    out
}
