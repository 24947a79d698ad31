//! Completion: what may stand at the cursor. The shell completes commands, variables and files;
//! commands bring their own completers ([`Host::set_completer`](super::super::Host::set_completer)).

use crate::flat::Arrange;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::super::builtins;
use super::super::files::{self, FileKind};
use super::super::host::{Env, Host};
use super::super::shell::Shell;

/// A question to a completer.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// The words of the command up to the cursor, without their quotes; the first is the command's
    /// name (aliases replaced), the last is the one to complete and may be empty.
    pub words: Vec<String>,
    /// The exported variables and the working directory.
    pub env: Env,
    pub cwd: String,
    pub host: Host,
}

impl CompletionRequest {
    /// The word to complete.
    pub fn word(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// The files that the word may mean: what a completer offers where a file is wanted.
    pub fn files(&self) -> Vec<Candidate> {
        complete_files(
            &self.host,
            &self.cwd,
            self.env.get("HOME").map(String::as_str),
            self.word(),
            false,
        )
    }
}

/// A word that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, unquoted.
    pub text: String,
    /// How a list shows it (a file without its directory).
    pub display: String,
    /// Whether a blank follows when it is the only one. A directory or `--output=` wants none.
    pub space: bool,
}

impl Candidate {
    /// A candidate that a blank follows.
    pub fn new(text: impl Into<String>) -> Candidate {
        let text = text.into();
        Candidate {
            display: text.clone(),
            text,
            space: true,
        }
    }

    /// A candidate that more is to be typed to (`--output=`).
    pub fn open(text: impl Into<String>) -> Candidate {
        Candidate {
            space: false,
            ..Candidate::new(text)
        }
    }
}

/// Completes a command's arguments. Candidates that do not begin with the word are dropped. May ask
/// the API and so takes virtual time.
pub trait Completer {
    fn complete(&self, request: CompletionRequest) -> LocalBoxFuture<'static, Vec<Candidate>>;
}

/// A completer shared by a host's terminals.
pub type SharedCompleter = Rc<dyn Completer>;

/// What stands before the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The words of the command that the cursor is in, unquoted.
    pub words: Vec<String>,
    /// Where the last word begins in the line, in bytes.
    pub start: usize,
    /// The quote that is open at the cursor.
    pub quote: Option<char>,
    /// Whether the word follows a redirection: a file.
    pub redirect: bool,
}

/// Reads a line up to the cursor: loosely, since it is unfinished.
pub(super) fn context(line: &str) -> Context {
    let mut c = Context::default();
    let mut word = String::new();
    let mut in_word = false;
    let mut chars = line.char_indices().peekable();
    while let Some((i, ch)) = chars.next() {
        match c.quote {
            Some('\'') => {
                if ch == '\'' {
                    c.quote = None;
                } else {
                    word.push(ch);
                }
                continue;
            }
            Some(_) => {
                match ch {
                    '"' => c.quote = None,
                    '\\' => {
                        if let Some((_, next)) = chars.next() {
                            if !"$`\"\\".contains(next) {
                                word.push('\\');
                            }
                            word.push(next);
                        }
                    }
                    _ => word.push(ch),
                }
                continue;
            }
            None => {}
        }
        let begin = |c: &mut Context, in_word: &mut bool| {
            if !*in_word {
                *in_word = true;
                c.start = i;
            }
        };
        match ch {
            ' ' | '\t' => {
                if in_word {
                    c.words.push(std::mem::take(&mut word));
                    in_word = false;
                    c.redirect = false;
                }
            }
            '|' | '&' | ';' | '(' | '\n' | '`' => {
                c.words.clear();
                word.clear();
                in_word = false;
                c.redirect = false;
            }
            '<' | '>' => {
                if in_word && !word.chars().all(|c| c.is_ascii_digit()) {
                    c.words.push(std::mem::take(&mut word));
                }
                word.clear();
                in_word = false;
                c.redirect = true;
            }
            '{' | '}' | '!' if !in_word && c.words.is_empty() => {}
            '\'' | '"' => {
                begin(&mut c, &mut in_word);
                c.quote = Some(ch);
            }
            '\\' => {
                begin(&mut c, &mut in_word);
                if let Some((_, next)) = chars.next() {
                    word.push(next);
                }
            }
            _ => {
                begin(&mut c, &mut in_word);
                word.push(ch);
            }
        }
        let starter = matches!(
            word.as_str(),
            "do" | "then" | "else" | "if" | "while" | "until" | "sudo" | "time"
        );
        if starter && c.words.is_empty() && chars.peek().is_some_and(|(_, c)| *c == ' ') {
            word.clear();
            in_word = false;
        }
    }
    if !in_word {
        c.start = line.len();
    }
    c.words.push(word);
    // Assignments before a command are not words of it.
    while c.words.len() > 1
        && c.words
            .first()
            .is_some_and(|w| super::super::words::split_assignment(w).is_some())
    {
        c.words.remove(0);
    }
    c
}

/// The files that begin with `word`.
fn complete_files(host: &Host, cwd: &str, home: Option<&str>, word: &str, only_dirs: bool) -> Vec<Candidate> {
    let (dir, prefix) = match word.rfind('/') {
        Some(i) => word.split_at(i + 1),
        None => ("", word),
    };
    let real = match (dir.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => dir.to_owned(),
    };
    let path = files::join(cwd, &real);
    let mut out = Vec::new();
    for (name, stat) in host.files().list(&path).unwrap_or_default() {
        if !name.starts_with(prefix) || (name.starts_with('.') && !prefix.starts_with('.')) {
            continue;
        }
        let is_dir = stat.kind == FileKind::Directory || host.files().is_dir(&files::join(&path, &name));
        if only_dirs && !is_dir {
            continue;
        }
        let slash = if is_dir { "/" } else { "" };
        out.push(Candidate {
            text: format!("{dir}{name}{slash}"),
            display: format!("{name}{slash}"),
            space: !is_dir,
        });
    }
    out
}

/// Everything that may stand at the end of `line`, and where its last word begins.
pub(super) async fn candidates(shell: &Shell, line: &str) -> (Context, Vec<Candidate>) {
    let mut c = context(line);
    let word = c.words.last().cloned().unwrap_or_default();
    let host = shell.host().clone();
    let env = shell.env();
    let cwd = shell.cwd();
    let home = env.get("HOME").map(String::as_str);
    let names = shell.names();
    let mut found: Vec<Candidate> = Vec::new();
    if let Some(dollar) = word.rfind('$')
        && c.quote != Some('\'')
        && word.get(dollar + 1..).is_some_and(|n| {
            n.trim_start_matches('{')
                .chars()
                .all(|c| c == '_' || c.is_ascii_alphanumeric())
        })
    {
        let (head, name) = word.split_at(dollar + 1);
        let (brace, name) = match name.strip_prefix('{') {
            Some(name) => ("{", name),
            None => ("", name),
        };
        let close = if brace.is_empty() { "" } else { "}" };
        found = names
            .variables
            .iter()
            .filter(|v| v.starts_with(name) && !name.is_empty() || name.is_empty() && !v.starts_with('_'))
            .map(|v| Candidate {
                text: format!("{head}{brace}{v}{close}"),
                display: v.clone(),
                space: true,
            })
            .collect();
    } else if c.redirect {
        found = complete_files(&host, &cwd, home, &word, false);
    } else if c.words.len() <= 1 {
        if word.contains('/') {
            found = complete_files(&host, &cwd, home, &word, false);
        } else {
            let commands = host.command_names();
            found = commands
                .iter()
                .map(String::as_str)
                .chain(builtins::NAMES.iter().copied())
                .chain(names.functions.iter().map(String::as_str))
                .chain(names.aliases.iter().map(String::as_str))
                .filter(|n| !word.is_empty() && n.starts_with(&word))
                .map(Candidate::new)
                .collect();
        }
    } else {
        let mut words = c.words.clone();
        // An alias stands for its words.
        if let Some(text) = words.first().and_then(|n| shell.alias(n)) {
            let expanded: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.splice(0..1, expanded);
        }
        let name = words.first().cloned().unwrap_or_default();
        match host.completer(files::base_name(&name)) {
            Some(completer) => {
                let request = CompletionRequest {
                    words,
                    env: env.clone(),
                    cwd: cwd.clone(),
                    host: host.clone(),
                };
                found = completer.complete(request).await;
            }
            None => {
                let only_dirs = matches!(name.as_str(), "cd" | "rmdir" | "pushd");
                if matches!(
                    name.as_str(),
                    "which" | "type" | "man" | "command" | "watch" | "xargs" | "timeout"
                ) && !word.contains('/')
                {
                    found.extend(
                        host.command_names()
                            .into_iter()
                            .filter(|n| !word.is_empty() && n.starts_with(&word))
                            .map(Candidate::new),
                    );
                }
                if matches!(name.as_str(), "export" | "unset" | "echo") && !word.is_empty() && name != "echo" {
                    found.extend(
                        names
                            .variables
                            .iter()
                            .filter(|n| n.starts_with(&word))
                            .map(Candidate::new),
                    );
                }
                if found.is_empty() {
                    found = complete_files(&host, &cwd, home, &word, only_dirs);
                }
            }
        }
    }
    found.retain(|f| f.text.starts_with(&word));
    found.arrange_by(|a, b| a.text.cmp(&b.text));
    found.dedup_by(|a, b| a.text == b.text);
    c.words.truncate(c.words.len());
    (c, found)
}

/// A word as it is put into the line: its special characters guarded.
pub(super) fn guard(text: &str, quote: Option<char>) -> String {
    if quote == Some('\'') {
        return text.replace('\'', "'\\''");
    }
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        let special = match quote {
            Some(_) => "\"`\\".contains(c),
            None => " \t'\"\\&;|<>()`*?[]!#".contains(c) && !(c == '#' && i > 0),
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// [`guard`], but a `$` that names a variable and a leading `~` stay alive.
pub(super) fn guard_word(text: &str, quote: Option<char>) -> String {
    guard(text, quote)
}

/// What all texts begin with.
pub(super) fn common_prefix(candidates: &[Candidate]) -> String {
    let Some(first) = candidates.first() else {
        return String::new();
    };
    let mut prefix = first.text.as_str();
    for other in candidates {
        let same = prefix
            .char_indices()
            .zip(other.text.chars())
            .find(|((_, a), b)| a != b)
            .map(|((i, _), _)| i);
        let limit = same.unwrap_or_else(|| prefix.len().min(other.text.len()));
        prefix = prefix.get(..limit).unwrap_or_default();
    }
    prefix.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_before_the_cursor() {
        for (line, words, start, redirect) in [
            ("kubectl get po", vec!["kubectl", "get", "po"], 12, false),
            ("kubectl get ", vec!["kubectl", "get", ""], 12, false),
            ("ls; cat a", vec!["cat", "a"], 8, false),
            ("a | b 'c d", vec!["b", "c d"], 6, false),
            ("X=1 kubectl g", vec!["kubectl", "g"], 12, false),
            ("cat < fi", vec!["cat", "fi"], 6, true),
            ("for i in a; do kub", vec!["kub"], 15, false),
            ("echo $(kubectl ge", vec!["kubectl", "ge"], 15, false),
            ("cat a\\ b", vec!["cat", "a b"], 4, false),
        ] {
            let c = context(line);
            assert_eq!(
                (c.words, c.start, c.redirect),
                (words.iter().map(|w| w.to_string()).collect(), start, redirect),
                "{line}"
            );
        }
        assert_eq!(guard("a b", None), "a\\ b");
        let list = ["web-1", "web-2", "web-30"].map(Candidate::new);
        assert_eq!(common_prefix(&list), "web-");
    }
}
