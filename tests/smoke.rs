//! A few thousand generated inputs through the entries of the fuzz targets (`fuzz/`), the same on every
//! run: what would end a tab with a panic, or hang it, fails here first.

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::Path;

/// Inputs of each entry. Those that need a world cost most.
const INPUTS: [(&str, usize); 10] = [
    ("command", 1_500),
    ("manifest", 500),
    ("kustomization", 400),
    ("jsonpath", 3_000),
    ("gotemplate", 3_000),
    ("yaml", 3_000),
    ("shell", 400),
    ("jq", 1_500),
    ("selector", 3_000),
    ("patch", 2_000),
];

/// What is put into seeds: characters and words that mean something to one of the languages.
const PIECES: &[&str] = &[
    "\n",
    "\n---\n",
    " ",
    ":",
    "-",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "'",
    "\\",
    "#",
    "&a",
    "*a",
    "!",
    "|",
    ">",
    "%",
    "@",
    ",",
    ".",
    "..",
    "*",
    "$",
    "$(",
    "${",
    "`",
    "<<",
    "~",
    "null",
    "true",
    "0",
    "-1",
    "99999999999999999999",
    "1e999",
    "a",
    "name",
    "\u{0}",
    "\u{e9}",
    "\u{1F600}",
    "{{",
    "}}",
    "end",
    "range",
    "apiVersion: v1",
    "kind: Pod",
    "metadata",
    "spec",
    "$patch: delete",
    "/",
    "=",
    "!=",
    " in ",
    "?",
    "@.",
    "\t",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read(f).unwrap()).collect()
}

/// A seed with some of it taken out, doubled, replaced or put elsewhere.
fn mutate(rng: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=data.len());
        let to = (at + rng.usize(..20)).min(data.len());
        match rng.u8(..6) {
            0 => drop(data.drain(at..to)),
            1 => {
                let span = data[at..to].to_vec();
                data.splice(at..at, span);
            }
            2 if at < to => data[at] = rng.u8(..),
            3 => {
                let other = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=other.len());
                let end = (from + rng.usize(..40)).min(other.len());
                data.splice(at..at, other[from..end].to_vec());
            }
            _ => {
                let piece = PIECES[rng.usize(..PIECES.len())];
                data.splice(at..at, piece.bytes());
            }
        }
    }
    data
}

#[test]
fn generated_inputs_neither_panic_nor_hang() {
    for (name, entry) in entries::ENTRIES {
        let count = INPUTS.iter().find(|(n, _)| *n == name).map_or(0, |(_, c)| *c);
        assert!(count > 0, "{name} has no inputs");
        let seeds = seeds(name);
        let mut rng = fastrand::Rng::with_seed(36);
        let began = std::time::Instant::now();
        for i in 0..count {
            let data = if name == "command" {
                (0..rng.usize(2..40)).map(|_| rng.u8(..)).collect()
            } else {
                mutate(&mut rng, &seeds)
            };
            let outcome = std::panic::catch_unwind(|| entry(&data));
            assert!(
                outcome.is_ok(),
                "{name}, input {i}: {:?}",
                String::from_utf8_lossy(&data)
            );
        }
        println!("{name}: {count} inputs in {:.1} s", began.elapsed().as_secs_f64());
    }
}
