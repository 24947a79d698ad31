//! Compares every command's own flags (name, letter, default) with those of the newest real kubectl
//! that is installed, as its help prints them. Says "skipped" where there is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubetab::kubectl::{Kind, ROOT, Verb};

/// Where ours differs from older kubectls, by the command (`*` for each) and flag, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "api-resources",
        "show-managed-fields",
        "came with -o json and yaml, after 1.33",
    ),
    ("apply", "subresource", "not here yet"),
    ("attach", "detach-keys", "came after 1.33"),
    ("autoscale", "cpu", "came after 1.33, for --cpu-percent"),
    (
        "autoscale",
        "cpu-percent",
        "deprecated after 1.33, so that help hides it",
    ),
    ("autoscale", "memory", "came after 1.33"),
    (
        "create clusterrole",
        "aggregation-rule",
        "a map prints its empty default without quotes",
    ),
    ("debug", "profile", "the default became general after 1.33"),
    ("kustomize", "enable-managedby-label", "kubectl's help hides it"),
    ("kustomize", "reorder", "kubectl's help hides it"),
    ("run", "filename", "takes no part in what run does"),
    ("run", "kustomize", "takes no part in what run does"),
    ("run", "recursive", "takes no part in what run does"),
    ("taint", "validate", "taints are patched, which is not validated so"),
    (
        "config view",
        "output",
        "ours shares the flag with the printers, which know the default",
    ),
    ("top node", "show-swap", "came after 1.33"),
    ("top pod", "show-swap", "came after 1.33"),
];

/// The newest real kubectl here.
fn kubectl() -> Option<PathBuf> {
    let folder = Path::new("/usr/lib/google-cloud-sdk/bin");
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|e| {
            let minor = e.file_name().to_str()?.strip_prefix("kubectl.1.")?.parse().ok()?;
            Some((minor, e.path()))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}

/// A command's help as the real one prints it, kept between runs.
fn help(kubectl: &Path, command: &str) -> String {
    let name = kubectl.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.txt", command.replace(' ', "-")));
    if let Ok(text) = std::fs::read_to_string(&cache) {
        return text;
    }
    let output = Command::new(kubectl)
        .args(command.split(' '))
        .arg("--help")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(&cache, &text).unwrap();
    text
}

/// Name to letter and default, of lines as `    -A, --all-namespaces=false:`.
fn flags_of(help: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    let options = help.split_once("\nOptions:\n").map_or("", |(_, rest)| rest);
    let options = options.split("\nUsage:\n").next().unwrap_or("");
    for line in options.lines() {
        let Some(line) = line.strip_prefix("    -").and_then(|l| l.strip_suffix(':')) else {
            continue;
        };
        let (letter, rest) = match line.strip_prefix('-') {
            Some(rest) => ("", rest),
            None => line.split_once(", --").unwrap_or(("", line)),
        };
        if let Some((name, default)) = rest.split_once('=') {
            found.insert(name.to_owned(), (letter.to_owned(), default.to_owned()));
        }
    }
    found
}

fn ours(verb: &Verb) -> BTreeMap<String, (String, String)> {
    let flags = verb.flags.iter().copied().flatten().filter(|f| f.deprecated.is_empty());
    let shown = flags.map(|f| {
        let letter = if f.short == '\0' {
            String::new()
        } else {
            f.short.to_string()
        };
        let default = match f.kind {
            Kind::Str => format!("'{}'", f.default),
            Kind::Array if f.default.is_empty() => "''".to_owned(),
            _ => f.default.to_owned(),
        };
        (f.name.to_owned(), (letter, default))
    });
    shown.collect()
}

#[test]
fn flags_are_those_of_a_real_kubectl() {
    let Some(kubectl) = kubectl() else {
        println!("skipped: no real kubectl is installed");
        return;
    };
    let mut wrong = Vec::new();
    let mut walk: Vec<(&Verb, String)> = vec![(&ROOT, String::new())];
    while let Some((verb, path)) = walk.pop() {
        for sub in verb.subs {
            walk.push((sub, format!("{path} {}", sub.name).trim().to_owned()));
        }
        // What is not simulated at all has no flags, and `kuberc` came after 1.33.
        let unlike = verb.missing.starts_with("the whole command") || verb.missing.starts_with("the dump");
        if unlike || ["", "help", "options"].contains(&path.as_str()) || path.starts_with("kuberc") {
            continue;
        }
        let (real, ours) = (flags_of(&help(&kubectl, &path)), ours(verb));
        for name in real.keys().chain(ours.keys().filter(|n| !real.contains_key(*n))) {
            let declared = DIFFERENCES.iter().any(|(p, f, _)| *p == path && f == name);
            if real.get(name) != ours.get(name) && !declared {
                wrong.push(format!(
                    "{path} --{name}: real {:?}, ours {:?}",
                    real.get(name),
                    ours.get(name)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", kubectl.display(), wrong.join("\n"));
}
