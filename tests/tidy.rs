//! Holds the project's rules of layering and its bans (ARCHITECTURE.md). Reads the sources as text, so it may
//! touch files. Each finding names the file and line, the rule, and why the rule exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The parts of the library, lowest first, and which others each may name. A part always may name itself.
///
/// The arrows keep the simulation one thing with one door: everything that happens goes through the API, and
/// a lower part can be tested, measured and replaced without the upper ones.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    // Maps, sets and sorting whose code is small.
    ("flat", &[]),
    ("value", &["limits", "flat"]),
    ("sim", &["limits", "flat", "value"]),
    // Certificates and keys, which know no Kubernetes.
    ("pki", &["limits", "flat", "value", "sim"]),
    ("api", &["limits", "flat", "value", "sim", "pki"]),
    // Knows no Kubernetes: containers and the student's terminal run the same interpreter.
    ("shell", &["limits", "flat", "value", "sim", "pki"]),
    // Reconcile from the API's state and write through it; none knows another.
    ("controllers", &["limits", "flat", "value", "sim", "pki", "api"]),
    ("scheduler", &["limits", "flat", "value", "sim", "api"]),
    ("net", &["limits", "flat", "value", "sim", "pki", "api", "shell"]),
    (
        "programs",
        &["limits", "flat", "value", "sim", "pki", "api", "shell", "net"],
    ),
    (
        "kubelet",
        &["limits", "flat", "value", "sim", "api", "shell", "net", "programs"],
    ),
    // A client of the API; it listens on its own machine's network (`port-forward`, `proxy`).
    (
        "kubectl",
        &["limits", "flat", "value", "sim", "pki", "api", "shell", "net"],
    ),
    ("world", &[BELOW]),
    ("wasm", &[BELOW]),
    ("app", &[BELOW]),
    ("main", &[BELOW]),
    ("bin", &[BELOW]),
    ("lib", &[BELOW]),
];

/// Stands for all parts that are listed before.
const BELOW: &str = "(all below)";

/// The parts that touch the outside: the browser, the terminal, files.
const OUTSIDE: [&str; 4] = ["wasm", "app", "main", "bin"];

/// Names that the library must not contain, and why.
const BANNED: &[(&[&str], &str)] = &[
    (
        &[
            "web_sys",
            "js_sys",
            "wasm_bindgen",
            "wasm_bindgen_futures",
            "gloo",
            "gloo_*",
            "yew",
        ],
        "the library builds native and wasm and knows no browser; only src/wasm.rs, src/app and src/main.rs do",
    ),
    (
        &["Instant", "SystemTime", "UNIX_EPOCH"],
        "all time is the simulation's virtual time: the same seed and inputs must give the same world",
    ),
    (
        &["std::thread"],
        "the simulation is one thread, so that the same inputs give the same order of events",
    ),
    (
        &[
            "std::fs",
            "std::process",
            "std::env",
            "File::open",
            "File::create",
            "stdin",
            "stdout",
            "stderr",
        ],
        "the library touches no files, processes or environment: what goes in and out is its caller's",
    ),
    (
        &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"],
        "the library opens no sockets: its network is simulated",
    ),
    (
        &["print!", "println!", "eprint!", "eprintln!", "dbg!"],
        "the library returns what it says: its caller prints",
    ),
    (
        &["HashMap", "HashSet", "RandomState"],
        "their order differs from run to run: use what src/flat has",
    ),
    (&["unsafe"], "the project promises safe code"),
];

/// What makes kilobytes of code for every type that it is used with, and the files that may use it.
const BIG: &[(&[&str], &[&str])] = &[
    (
        &["BTreeMap", "BTreeSet"],
        // A file of tests.
        &["src/api/properties.rs"],
    ),
    (
        &[
            ".sort()",
            ".sort_by(",
            ".sort_by_key(",
            ".sort_by_cached_key(",
            ".sort_unstable()",
            ".sort_unstable_by(",
            ".sort_unstable_by_key(",
        ],
        &["src/flat/arrange.rs"],
    ),
    // Tables of all letters; `flat::Case` has a rule.
    (&[".to_lowercase()", ".to_uppercase()"], &["src/flat/case.rs"]),
    // Tables of powers and of logarithms; `value::float` and `value::math` have none.
    (
        &[
            "parse::<f64>",
            ".powf(",
            ".exp()",
            ".exp2()",
            ".ln()",
            ".log2()",
            ".log10()",
            ".sin()",
            ".cos()",
            ".tan()",
            ".atan2(",
        ],
        &["src/value/float.rs", "src/value/math.rs"],
    ),
];

/// Words of `stdin`, `stdout` and `stderr` as names of a shell's streams are the simulation's own.
const ONLY_CALLED: [&str; 3] = ["stdin", "stdout", "stderr"];

#[test]
fn the_sources_keep_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut findings = Vec::new();
    for file in files(&root.join("src"), &["rs"]) {
        let name = relative(root, &file);
        findings.extend(check(&name, &read(&file)));
    }
    assert_none(findings);
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut machine = vec![root.display().to_string()];
    machine.extend(std::env::var("CARGO_HOME"));
    machine.extend(std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    machine.extend(std::env::var("HOME").map(|home| format!("{home}/.rustup")));
    // A short path such as `/app` may be a word of the simulation.
    machine.retain(|path| path.matches('/').count() > 1);
    let mut findings = Vec::new();
    let kinds = [
        "rs", "mjs", "js", "css", "html", "md", "toml", "json", "lock", "sh", "yml", "run", "ftl",
    ];
    for folder in ["src", "tests", "xtask", "npm", "www", ".ci", ".cargo", "."] {
        let found = if folder == "." {
            here(root, &kinds)
        } else {
            files(&root.join(folder), &kinds)
        };
        for file in found {
            findings.extend(check_text(&relative(root, &file), &read(&file), &machine));
        }
    }
    assert_none(findings);
}

#[test]
fn every_part_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known: BTreeSet<&str> = LAYERS.iter().map(|(part, _)| *part).collect();
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root.join("src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let part = name.trim_end_matches(".rs");
        if !known.contains(part) {
            findings.push(format!(
                "src/{name} is new: give it its place among the layers in tests/tidy.rs"
            ));
        }
    }
    assert_none(findings);
}

fn assert_none(findings: Vec<String>) {
    assert!(
        findings.is_empty(),
        "\n{} findings:\n{}\n",
        findings.len(),
        findings.join("\n")
    );
}

/// Checks one source file of `src` for its layer, its bans and its opening words.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(format!(
            "{name}:1: begins without `//!`: say what the file is and what it may touch"
        ));
    }
    let part = part_of(name);
    // A file of tests, or what follows the line that opens the tests of a file, may touch more.
    if name.ends_with("/tests.rs") || name.contains("/tests/") {
        return findings;
    }
    let code = without_tests(&code_only(text));
    for (offset, other) in named_parts(name, &code) {
        if part != other && !allowed(part).contains(&other.as_str()) {
            let line = line_at(&code, offset);
            findings.push(format!(
                "{name}:{line}: `{part}` names `{other}`, but may know only {}: a lower part must not lean on an upper \
                 one, and peers meet in the API (the layers are in tests/tidy.rs)",
                allowed(part).join(", ")
            ));
        }
    }
    if !OUTSIDE.contains(&part) {
        for (names, why) in BANNED {
            for banned in *names {
                for offset in occurrences(&code, banned) {
                    findings.push(format!(
                        "{name}:{}: `{banned}` is banned: {why}",
                        line_at(&code, offset)
                    ));
                }
            }
        }
    }
    if part != "bin" {
        for (names, free) in BIG {
            for big in names.iter().filter(|_| !free.contains(&name)) {
                for (offset, _) in code.match_indices(big) {
                    findings.push(format!(
                        "{name}:{}: `{big}` makes kilobytes of code for each type: use what src/flat has",
                        line_at(&code, offset)
                    ));
                }
            }
        }
    }
    if OUTSIDE.contains(&part) && part != "bin" {
        // The native command counts its allocations for `bench`, which takes an unsafe trait.
        for offset in occurrences(&code, "unsafe") {
            findings.push(format!(
                "{name}:{}: `unsafe` is banned: the project promises safe code",
                line_at(&code, offset)
            ));
        }
    }
    findings
}

/// Checks what holds for every text of the project.
fn check_text(name: &str, text: &str, machine: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    let later = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX:"),
        concat!("HA", "CK:"),
    ];
    // What a real cluster printed is quoted as it is.
    let is_quoted = name.starts_with("tests/transcripts/");
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        for word in later {
            if !is_quoted && has_word(line, word) {
                findings.push(format!(
                    "{name}:{number}: `{word}`: do it or describe it where people look for it"
                ));
            }
        }
        for path in machine {
            if line.contains(path.as_str()) {
                findings.push(format!(
                    "{name}:{number}: names a folder of this machine: nobody else has it"
                ));
            }
        }
        if name.ends_with("-lock.json") && line.contains("\"resolved\":") && line.contains("http") {
            findings.push(format!(
                "{name}:{number}: names the host of a registry: each machine has its own (.npmrc)"
            ));
        }
    }
    findings
}

/// `src/api/store.rs` is of `api`, `src/limits.rs` of `limits`.
fn part_of(name: &str) -> &str {
    let inside = name.strip_prefix("src/").unwrap_or(name);
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

fn allowed(part: &str) -> Vec<&'static str> {
    let Some(place) = LAYERS.iter().position(|(name, _)| *name == part) else {
        return Vec::new();
    };
    let named = LAYERS[place].1;
    if named == [BELOW] {
        LAYERS[..place].iter().map(|(name, _)| *name).collect()
    } else {
        named.to_vec()
    }
}

/// The parts that the code names by a path from the crate's root, each with its offset.
fn named_parts(name: &str, code: &str) -> Vec<(usize, String)> {
    let depth = depth_of(name);
    let mut found = Vec::new();
    for root in ["crate::", "kubetab::"] {
        for (offset, _) in code.match_indices(root) {
            if !is_inside_word(code, offset) {
                found.extend(heads(code, offset + root.len()));
            }
        }
    }
    for (offset, _) in code.match_indices("super::") {
        if is_inside_word(code, offset) || code[..offset].ends_with("super::") {
            continue;
        }
        let mut end = offset;
        let mut steps = 0;
        while code[end..].starts_with("super::") {
            end += "super::".len();
            steps += 1;
        }
        // As many steps up as the module is deep lead to the crate's root.
        if steps >= depth {
            found.extend(heads(code, end));
        }
    }
    found.retain(|(_, part)| LAYERS.iter().any(|(known, _)| known == part) && part != "lib");
    found
}

/// How many `super` lead from a file's module to the crate's root.
fn depth_of(name: &str) -> usize {
    let inside = name
        .strip_prefix("src/")
        .unwrap_or(name)
        .trim_end_matches(".rs")
        .trim_end_matches("/mod");
    inside.split('/').count()
}

/// The first names of a path, or of each path of a `{…}` group.
fn heads(code: &str, start: usize) -> Vec<(usize, String)> {
    let rest = &code[start..];
    if !rest.starts_with('{') {
        let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
        return vec![(start, word)];
    }
    let mut found = Vec::new();
    let (mut depth, mut at_start, mut word) = (0, true, String::new());
    for (index, c) in rest.char_indices() {
        if depth == 1 && at_start && is_word(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            found.push((start + index - word.len(), std::mem::take(&mut word)));
            at_start = false;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => at_start = true,
            _ => {}
        }
    }
    found
}

/// Where a banned name stands as a whole word (or path). `gloo_*` stands for all that begin so.
fn occurrences(code: &str, banned: &str) -> Vec<usize> {
    let (text, is_prefix) = banned.strip_suffix('*').map_or((banned, false), |text| (text, true));
    let mut found = Vec::new();
    for (offset, _) in code.match_indices(text) {
        let after = &code[offset + text.len()..];
        let ends = is_prefix || text.ends_with('!') || !after.starts_with(is_word);
        let called = !ONLY_CALLED.contains(&text) || (after.starts_with("()") && code[..offset].ends_with("io::"));
        if ends && called && !is_inside_word(code, offset) {
            found.push(offset);
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_inside_word(code: &str, offset: usize) -> bool {
    code[..offset].chars().next_back().is_some_and(is_word)
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(offset, _)| {
        !is_inside_word(line, offset)
            && !line[offset + word.len()..].starts_with(|c| is_word(c) && !word.ends_with(':'))
    })
}

fn line_at(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}

/// The code without the module of tests that stands at its end, and without the lines that name one in a file of
/// its own.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test)]")
            && let Some(module) = lines.next_if(|next| next.starts_with("mod "))
        {
            if !module.trim_end().ends_with(';') {
                break;
            }
            // The lines after them stay where they are.
            kept.push_str("\n\n");
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The source with comments and the insides of strings blanked; lines stay where they are.
fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let blank = |out: &mut String, part: &str| out.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
    while let Some(first) = rest.chars().next() {
        let boundary = !out.chars().next_back().is_some_and(is_word);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            string(rest)
        } else if boundary && raw_string(rest) > 0 {
            raw_string(rest)
        } else if first == '\'' && character(rest) > 0 {
            character(rest)
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        blank(&mut out, &rest[..length]);
        rest = &rest[length..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"` and so on, or 0.
fn raw_string(text: &str) -> usize {
    let marks = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix('r'))
        .unwrap_or_default();
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let Some(inside) = marks.get(hashes..).and_then(|rest| rest.strip_prefix('"')) else {
        return 0;
    };
    let close = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - inside.len();
    inside.find(&close).map_or(text.len(), |end| start + end + close.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text
            .char_indices()
            .skip(3)
            .find(|(_, c)| *c == '\'')
            .map_or(0, |(index, _)| index + 1),
        Some(_) => chars
            .next()
            .filter(|(_, c)| *c == '\'')
            .map_or(0, |(index, _)| index + 1),
        None => 0,
    }
}

/// Folders whose content others made.
const FOREIGN: [&str; 5] = [
    "node_modules",
    "vendor",
    "target",
    "transcripts-reference",
    "screenshots",
];

fn files(folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = here(folder, kinds);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if entry.path().is_dir() && !FOREIGN.iter().any(|foreign| name == *foreign) {
            found.extend(files(&entry.path(), kinds));
        }
    }
    found.sort();
    found
}

fn here(folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.is_file())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            kinds
                .iter()
                .any(|kind| name == *kind || name.ends_with(&format!(".{kind}")))
        })
        .collect();
    found.sort();
    found
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .to_string_lossy()
        .replace('\\', "/")
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()
}

mod checker {
    use super::*;

    #[test]
    fn findings_name_the_line_and_the_reason() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("src/sim/time.rs", "//! Time.\nuse crate::value::Value;\n", &[]),
            (
                "src/sim/time.rs",
                "//! Time.\nuse crate::api::Store;\n",
                &["src/sim/time.rs:2: `sim` names `api`"],
            ),
            (
                "src/shell/a.rs",
                "//! A.\nuse crate::{value::{self, api}, api::x};\n",
                &[":2: `shell` names `api`"],
            ),
            (
                "src/shell/a.rs",
                "//! A.\nuse crate::{\n    value::Value,\n    net::x,\n};\n",
                &[":4: `shell` names `net`"],
            ),
            (
                "src/shell/a.rs",
                "//! A.\nfn f() { crate::kubectl::run() }\n",
                &[":2: `shell` names `kubectl`"],
            ),
            (
                "src/sim/mod.rs",
                "//! A.\nuse super::api::x;\n",
                &[":2: `sim` names `api`"],
            ),
            (
                "src/sim/a.rs",
                "//! A.\nuse super::super::api::x;\n",
                &[":2: `sim` names `api`"],
            ),
            ("src/sim/a.rs", "//! A.\nuse super::api::x;\n", &[]),
            (
                "src/controllers/a.rs",
                "//! A.\nuse crate::scheduler::x;\n",
                &[":2: `controllers` names `scheduler`"],
            ),
            (
                "src/kubectl/get.rs",
                "//! A.\nuse crate::controllers::x;\n",
                &[":2: `kubectl` names `controllers`"],
            ),
            (
                "src/world.rs",
                "//! A.\nuse crate::kubectl::x;\nuse crate::wasm::x;\n",
                &[":3: `world` names `wasm`"],
            ),
            (
                "src/app/mod.rs",
                "//! A.\nuse kubetab::world::World;\nuse web_sys::Element;\n",
                &[],
            ),
            (
                "src/net/a.rs",
                "//! A.\nfn f(e: web_sys::Element) {}\n",
                &[":2: `web_sys` is banned: the library builds"],
            ),
            (
                "src/net/a.rs",
                "//! A.\nuse gloo_timers::x;\n",
                &[":2: `gloo_*` is banned"],
            ),
            ("src/net/a.rs", "//! A.\nuse std::net::Ipv4Addr;\n", &[]),
            (
                "src/net/a.rs",
                "//! A.\nuse std::net::{Ipv4Addr, TcpStream};\n",
                &[":2: `TcpStream` is banned"],
            ),
            (
                "src/sim/a.rs",
                "//! A.\nuse std::time::{Duration, Instant};\n",
                &[":2: `Instant` is banned: all time"],
            ),
            ("src/sim/a.rs", "//! A.\nstruct InstantNoodles;\n", &[]),
            (
                "src/sim/a.rs",
                "//! A.\n\nuse std::collections::HashMap;\n",
                &[":3: `HashMap` is banned: their order"],
            ),
            (
                "src/sim/a.rs",
                "//! A.\nfn f() { unsafe { g() } }\n",
                &[":2: `unsafe` is banned"],
            ),
            (
                "src/app/a.rs",
                "//! A.\nfn f() { unsafe { g() } }\n",
                &[":2: `unsafe` is banned"],
            ),
            (
                "src/sim/a.rs",
                "//! A.\nfn f() { println!(\"x\") }\n",
                &[":2: `println!` is banned"],
            ),
            (
                "src/shell/a.rs",
                "//! A.\nfn f(p: P) { p.stdout(); p.stdout.push(1) }\n",
                &[],
            ),
            (
                "src/shell/a.rs",
                "//! A.\nfn f() { std::io::stdout(); }\n",
                &[":2: `stdout` is banned"],
            ),
            (
                "src/bin/a.rs",
                "//! A.\nfn f() { println!(\"x\"); std::fs::read(p) }\n",
                &[],
            ),
            (
                "src/app/a.rs",
                "//! A.\nuse std::collections::BTreeMap;\nfn f(v: &mut [u8]) { v.sort_by(g) }\n",
                &[":2: `BTreeMap` makes", ":3: `.sort_by(` makes"],
            ),
            (
                "src/api/properties.rs",
                "//! A.\nuse std::collections::BTreeMap;\n",
                &[],
            ),
            ("src/sim/a.rs", "fn f() {}\n", &[":1: begins without `//!`"]),
        ];
        for (name, text, expected) in cases {
            let findings = check(name, text);
            assert_eq!(findings.len(), expected.len(), "{text}\n{findings:?}");
            for (finding, part) in findings.iter().zip(*expected) {
                assert!(finding.contains(part), "{finding}\nlacks {part}");
            }
        }
    }

    #[test]
    fn comments_strings_and_tests_are_free() {
        let text = "//! Why HashMap is banned.\n// HashMap\n/* unsafe /* HashMap */ */\nconst A: &str = \"HashMap \\\" unsafe\";\n\
                    const B: &str = r#\"unsafe \" HashMap\"#;\nconst C: char = '\"';\nfn f<'a>(x: &'a str) {}\n\
                    #[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
        assert_eq!(check("src/sim/a.rs", text), Vec::<String>::new());
        let elsewhere = "//! A.\n#[cfg(test)]\nmod tests;\nuse std::collections::HashMap;\n";
        let findings = check("src/sim/mod.rs", elsewhere);
        assert_eq!(findings.len(), 1, "what follows a module in another file is checked");
        assert!(findings[0].starts_with("src/sim/mod.rs:4: `HashMap`"), "{findings:?}");
        let after = "//! A.\nconst C: char = '\"'; use std::collections::HashMap; // \"\n";
        assert_eq!(check("src/sim/a.rs", after).len(), 1);
    }

    #[test]
    fn texts_name_no_machine_and_leave_nothing_for_later() {
        let machine = ["/folder/of/mine".to_string()];
        let later = concat!("// TO", "DO: more");
        assert!(check_text("a.rs", later, &machine)[0].starts_with("a.rs:1: "));
        assert!(check_text("a.md", "one\ncd /folder/of/mine/x", &machine)[0].starts_with("a.md:2: "));
        assert!(check_text("package-lock.json", "\"resolved\": \"https://r/x\"", &machine)[0].contains("registry"));
        assert_eq!(
            check_text("a.rs", concat!("let TO", "DOS = 1;"), &machine),
            Vec::<String>::new()
        );
    }
}

/// The tables of options that the tools of the shell read, as `(tool, letters, source of the tool)`: its function, and
/// the functions of the same file that it calls.
fn option_tables(text: &str) -> Vec<(String, String, String)> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = ["fn ", "async fn ", "pub", "impl ", "struct ", "enum "];
        if begins.iter().any(|b| line.starts_with(b)) || items.is_empty() {
            items.push(String::new());
        }
        if let Some(item) = items.last_mut() {
            item.push_str(line);
            item.push('\n');
        }
    }
    let names = |item: &str| -> Vec<String> {
        let found = item.split("fn ").skip(1);
        found
            .filter_map(|rest| rest.split(['(', '<']).next())
            .map(str::to_owned)
            .collect()
    };
    let mut tables = Vec::new();
    for item in &items {
        let Some((_, call)) = item.split_once("options::parse") else {
            continue;
        };
        let letters = call.split('"').nth(1).unwrap_or_default().to_owned();
        let mut source = item.clone();
        for other in items.iter().filter(|other| *other != item) {
            if names(other)
                .iter()
                .any(|name| has_word(item, name) && item.contains(&format!("{name}(")))
            {
                source.push_str(other);
            }
        }
        tables.push((names(item).first().cloned().unwrap_or_default(), letters, source));
    }
    tables
}

/// An option that is accepted and never looked at pretends. Letters behind the table's space ask for nothing.
#[test]
fn every_option_of_a_tool_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut findings, mut seen) = (Vec::new(), 0);
    for file in files(&root.join("src/shell/tools"), &["rs"]) {
        for (tool, letters, source) in option_tables(&without_tests(&read(&file))) {
            seen += 1;
            let (asked, idle) = letters.split_once(' ').unwrap_or((&letters, ""));
            // Entries of the table of long names, such as `("force", 'f')`, read nothing.
            let read = |letter: char| {
                let quoted = format!("'{letter}'");
                source.matches(&quoted).count() > source.matches(&format!("\", {quoted})")).count()
            };
            for letter in asked.chars().filter(|l| !":?".contains(*l) && !read(*l)) {
                findings.push(format!("{tool}: the option -{letter} is never read"));
            }
            for letter in idle.chars().filter(|l| source.contains(&format!("has('{l}')"))) {
                findings.push(format!(
                    "{tool}: the option -{letter} is read, but stands behind the space"
                ));
            }
        }
    }
    assert!(seen > 30, "{seen} tables");
    assert_none(findings);
}
