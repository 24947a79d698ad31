//! Help in our own words, the suggestions for misspelt commands, and the table of what is simulated.
//!
//! The words are in `data/help.txt` and come with those of `explain` (`api::docs`): the page loads them when somebody
//! first asks. There a command has a `title` (its first line, when that is not the short description), more words
//! (`long`), `examples`, `usage` (what follows `Usage:`) and its flags; a flag that it does not have there is described at `kubectl`.

use std::rc::Rc;

use super::command::Verb;
use super::flags::{Flag, Kind};
use super::options::GLOBAL;
use super::root::ROOT;
use crate::api::Client;
use crate::api::docs::Texts;
use crate::flat::{Arrange, Case};
use crate::shell::Output;
use crate::value::quoted;

/// Stands in the list although no command of kubectl's own is in it.
const PLUGINS: &str = "Subcommands provided by plugins:";

/// The groups of commands, as the root's help lists them.
const GROUPS: &[&str] = &[
    "Basic Commands (Beginner):",
    "Basic Commands (Intermediate):",
    "Deploy Commands:",
    "Cluster Management Commands:",
    "Troubleshooting and Debugging Commands:",
    "Advanced Commands:",
    "Settings Commands:",
    PLUGINS,
    "Other Commands:",
];

/// `error: unknown command "gt" for "kubectl"`, with what may have been meant.
pub fn unknown(word: &str) -> String {
    let mut text = format!("error: unknown command {word} for \"kubectl\"\n", word = quoted(&word));
    let lower = word.lower();
    let meant: Vec<&str> = ROOT
        .subs
        .iter()
        .filter(|v| v.name != "alpha")
        .filter(|v| {
            distance(&lower, v.name) <= 2
                || v.name.starts_with(&lower)
                || v.suggest_for.iter().any(|s| s.eq_ignore_ascii_case(word))
        })
        .map(|v| v.name)
        .collect();
    if !meant.is_empty() {
        text.push_str("\nDid you mean this?\n");
        for m in meant {
            text.push_str(&format!("\t{m}\n"));
        }
    }
    text
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let old = row.get(j + 1).copied().unwrap_or(0);
            let left = row.get(j).copied().unwrap_or(0);
            let best = (before + usize::from(x != *y)).min(old + 1).min(left + 1);
            before = old;
            if let Some(slot) = row.get_mut(j + 1) {
                *slot = best;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Lines of names and short descriptions, the names padded to one width.
fn commands(list: &[&Verb], least: usize) -> String {
    let width = list.iter().map(|v| v.name.len()).max().unwrap_or(0).max(least) + 2;
    let mut text = String::new();
    for v in list {
        text.push_str(&format!("  {:width$} {}\n", v.name, v.short));
    }
    text
}

/// The words of help, once they are here. Says so when they cannot be had; help has only names then.
pub async fn texts(client: &Client, stderr: &Output) -> Rc<Texts> {
    let docs = client.api().docs();
    docs.ready().await;
    if let Some(why) = docs.failure() {
        stderr.line(format!(
            "warning: the texts of help could not be loaded ({why}): only names are shown"
        ));
    }
    docs.texts().unwrap_or_default()
}

/// What a flag of a command does.
pub fn of_flag<'a>(texts: &'a Texts, path: &str, name: &str) -> &'a str {
    let field = format!("--{name}");
    match texts.text(path, &field) {
        "" => texts.text("kubectl", &field),
        own => own,
    }
}

/// The help of a command that has these flags. kubectl's own is [`root`].
pub async fn help(client: &Client, stderr: &Output, verb: &Verb, path: &str, flags: &[&'static [Flag]]) -> String {
    let texts = &*texts(client, stderr).await;
    let mut text = match texts.text(path, "title") {
        "" => format!("{}.\n", verb.short.trim_end_matches('.')),
        title => format!("{title}\n"),
    };
    let long = texts.text(path, "long");
    if !long.is_empty() {
        text.push_str(&format!("\n {long}\n"));
    }
    if !verb.missing.is_empty() {
        text.push_str(&format!("\nNot simulated: {}.\n", verb.missing));
    }
    if !verb.aliases.is_empty() {
        text.push_str(&format!("\nAliases:\n{}, {}\n", verb.name, verb.aliases.join(", ")));
    }
    let examples = texts.text(path, "examples");
    if !examples.is_empty() {
        text.push_str("\nExamples:\n");
        for line in examples.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if !verb.subs.is_empty() {
        let mut subs: Vec<&Verb> = verb.subs.to_vec();
        subs.arrange_by_key(|v| v.name);
        text.push_str(&format!("\nAvailable Commands:\n{}", commands(&subs, 11)));
    }
    let own: Vec<&Flag> = own_flags(flags);
    if !own.is_empty() {
        text.push_str("\nOptions:\n");
        let shown: Vec<String> = own.iter().map(|f| option(f, of_flag(texts, path, f.name))).collect();
        text.push_str(&shown.join("\n"));
    }
    let usage = match (texts.text(path, "usage"), verb.subs.is_empty()) {
        ("", false) => format!("{path} SUBCOMMAND [options]"),
        ("", true) => format!("{path} [options]"),
        (usage, _) => usage.to_owned(),
    };
    text.push_str(&format!("\nUsage:\n  {usage}\n\n"));
    if !verb.subs.is_empty() {
        text.push_str(&format!(
            "Use \"{path} <command> --help\" for more information about a given command.\n"
        ));
    }
    text.push_str("Use \"kubectl options\" for a list of global command-line options (applies to all commands).\n");
    text
}

/// The flags of these tables that are shown, sorted by name.
fn own_flags(tables: &[&'static [Flag]]) -> Vec<&'static Flag> {
    let mut own: Vec<&'static Flag> = tables.iter().copied().flatten().collect();
    own.arrange_by_key(|f| f.name);
    own.dedup_by_key(|f| f.name);
    own.retain(|f| f.deprecated.is_empty() && !f.hidden);
    own
}

fn option(f: &Flag, what: &str) -> String {
    let default = match f.kind {
        Kind::Str => format!("'{}'", f.default),
        _ => f.default.to_owned(),
    };
    let name = if f.short == '\0' {
        format!("    --{}={default}", f.name)
    } else {
        format!("    -{}, --{}={default}", f.short, f.name)
    };
    let missing = if f.missing.is_empty() {
        String::new()
    } else {
        format!(" ({})", f.missing)
    };
    format!("{name}:\n\t{what}{missing}\n")
}

/// The list of global flags, as `kubectl options` prints it.
pub fn global_options(texts: &Texts) -> String {
    let shown = GLOBAL.iter().map(|f| option(f, of_flag(texts, "kubectl", f.name)));
    let shown: Vec<String> = shown.collect();
    format!(
        "The following options can be passed to any command:\n\n{}",
        shown.join("\n")
    )
}

/// The help of kubectl itself, where there are these plugins.
pub fn root(plugins: &[String]) -> String {
    let mut text = "kubectl controls the Kubernetes cluster manager.\n\n Find more information at: https://kubernetes.io/docs/reference/kubectl/\n".to_owned();
    text.push_str(&groups(plugins));
    text.push_str("\nUsage:\n  kubectl [flags] [options]\n\nUse \"kubectl <command> --help\" for more information about a given command.\nUse \"kubectl options\" for a list of global command-line options (applies to all commands).\n");
    text
}

fn groups(plugins: &[String]) -> String {
    let mut text = String::new();
    for group in GROUPS {
        let list: Vec<&Verb> = ROOT.subs.iter().copied().filter(|v| v.group == *group).collect();
        if !list.is_empty() || *group == PLUGINS {
            text.push_str(&format!("\n{group}\n{}", commands(&list, 13)));
        }
        if *group == PLUGINS {
            for name in plugins {
                text.push_str(&format!(
                    "  {name:13} The command {name} is a plugin installed by the user\n"
                ));
            }
        }
    }
    text
}

/// What `kubectl help WORDS` says of words that are no command.
pub fn unknown_topic(words: &[String], plugins: &[String]) -> String {
    format!(
        "Unknown help topic [{}]\n\n{}\nUsage:\n  kubectl [flags] [options]\n\nUse \"kubectl <command> --help\" for more information about a given command.\nUse \"kubectl options\" for a list of global command-line options (applies to all commands).\n",
        words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" "),
        groups(plugins)
    )
}

/// Every verb and flag, with what of it is not simulated, as a Markdown table.
pub fn markdown() -> String {
    let mut text = "| Command | Flags | Not simulated |\n|---|---|---|\n".to_owned();
    let mut walk: Vec<(&Verb, String)> = ROOT
        .subs
        .iter()
        .rev()
        .filter(|v| !v.name.starts_with("__") && v.name != "alpha")
        .map(|v| (*v, format!("kubectl {}", v.name)))
        .collect();
    while let Some((verb, path)) = walk.pop() {
        for sub in verb.subs.iter().rev() {
            walk.push((sub, format!("{path} {}", sub.name)));
        }
        let own: Vec<&Flag> = own_flags(verb.flags);
        let flags: Vec<String> = own.iter().map(|f| format!("`--{}`", f.name)).collect();
        let mut missing: Vec<String> = Vec::new();
        if !verb.missing.is_empty() {
            missing.push(verb.missing.to_owned());
        }
        for f in own.iter().filter(|f| !f.missing.is_empty()) {
            missing.push(format!("`--{}`: {}", f.name, f.missing));
        }
        let cell = |list: Vec<String>, by: &str| list.join(by).replace('|', "\\|");
        text.push_str(&format!(
            "| `{path}` | {} | {} |\n",
            cell(flags, " "),
            cell(missing, "; ")
        ));
    }
    text.push_str("\nFlags of every command:\n\n| Flag | Not simulated |\n|---|---|\n");
    for f in GLOBAL {
        text.push_str(&format!("| `--{}` | {} |\n", f.name, f.missing));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::applyset;
    use super::*;
    use crate::flat::FlatSet;

    /// All commands with their paths.
    fn commands() -> Vec<(&'static Verb, String)> {
        let mut all: Vec<(&'static Verb, String)> = vec![(&ROOT, "kubectl".into())];
        let mut at = 0;
        while let Some((verb, path)) = all.get(at).cloned() {
            all.extend(verb.subs.iter().map(|sub| (*sub, format!("{path} {}", sub.name))));
            at += 1;
        }
        all
    }

    #[test]
    fn every_flag_is_described_and_every_description_is_of_something() {
        const FILE: &str = include_str!("data/help.txt");
        let texts = crate::api::docs::included().unwrap();
        let mut known: FlatSet<String> = FlatSet::new();
        known.insert("kubectl --help".into());
        for (verb, path) in commands() {
            known.extend(["title", "long", "examples", "usage"].map(|name| format!("{path} {name}")));
            if path == "kubectl completion" {
                known.extend(super::super::complete::SHELLS.map(|shell| format!("{path} {shell}")));
            }
            let mut tables = verb.flags.to_vec();
            match path.as_str() {
                "kubectl" => tables = vec![GLOBAL],
                "kubectl apply" => tables.push(applyset::FLAGS),
                _ => {}
            }
            for flag in own_flags(&tables) {
                assert_ne!(of_flag(&texts, &path, flag.name), "", "{path} --{}", flag.name);
                known.insert(format!("{path} --{}", flag.name));
                known.insert(format!("kubectl --{}", flag.name));
            }
        }
        let mut command = "";
        for line in FILE.lines() {
            match line.strip_prefix('\t') {
                None => command = line,
                Some(row) if row.starts_with('\t') => {}
                Some(row) => {
                    let name = format!("{command} {}", row.split('\t').next().unwrap_or(""));
                    assert!(known.contains(&name), "{name} is nothing");
                }
            }
        }
    }

    #[test]
    fn texts_of_help_come_as_they_stand_in_the_file() {
        let texts = crate::api::docs::included().unwrap();
        assert_eq!(
            texts.text("kubectl scale", "examples"),
            "# Three pods\nkubectl scale --replicas=3 deployment/web\n\n\
             # If there are two now\nkubectl scale --current-replicas=2 --replicas=3 deployment/web"
        );
        assert_eq!(
            of_flag(&texts, "kubectl get", "request-timeout"),
            of_flag(&texts, "kubectl", "request-timeout")
        );
    }
}
