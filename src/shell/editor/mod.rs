//! The terminal: its line editor, completion and the shell behind it. Knows no browser: characters
//! come in as an emulator such as xterm.js sends them, and escape sequences go out.

mod complete;
mod keys;
mod line;
mod terminal;
#[cfg(test)]
mod tests;

pub use complete::{Candidate, Completer, CompletionRequest, SharedCompleter};
pub use terminal::{Terminal, TerminalOwner};

use super::accounts::Accounts;
use super::files;
use super::shell::Shell;

/// The prompt when `$PS1` is not set: CentOS' own, in colour.
const PS1: &str = "\\[\\e[32m\\][\\u@\\h \\W]\\$\\[\\e[0m\\] ";

/// A prompt's text from a variable, its escapes replaced.
fn prompt(shell: &Shell, variable: &str, default: &str) -> String {
    let text = shell.get(variable).unwrap_or_else(|| default.to_owned());
    let cwd = shell.cwd();
    let home = shell.get("HOME").unwrap_or_default();
    let short = files::with_tilde(&cwd, &home);
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => out.push_str(&Accounts::of(shell.host().files()).user_or_number(shell.host().user().uid)),
            Some('h') => out.push_str(shell.host().name().split('.').next().unwrap_or_default()),
            Some('H') => out.push_str(&shell.host().name()),
            Some('w') => out.push_str(&short),
            Some('W') => out.push_str(if short == "~" { "~" } else { files::base_name(&cwd) }),
            Some('$') => out.push(shell.host().user().sign()),
            Some('n') => out.push('\n'),
            Some('e') => out.push('\x1b'),
            Some('t') => out.push_str(&super::tools::date::strftime("%H:%M:%S", shell.host().sim().now())),
            Some('A') => out.push_str(&super::tools::date::strftime("%H:%M", shell.host().sim().now())),
            Some('d') => out.push_str(&super::tools::date::strftime("%a %b %d", shell.host().sim().now())),
            Some('s') => out.push_str("bash"),
            Some('[' | ']') => {}
            Some('0') => {
                // `\033`
                out.push('\x1b');
                chars.next();
                chars.next();
            }
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

/// The cells of a prompt: escape sequences take none.
fn prompt_width(text: &str) -> usize {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            match chars.next() {
                Some('[') => {
                    for c in chars.by_ref() {
                        if c.is_ascii_alphabetic() || c == '~' {
                            break;
                        }
                    }
                }
                Some(']') => {
                    for c in chars.by_ref() {
                        if c == '\x07' {
                            break;
                        }
                    }
                }
                _ => {}
            }
            continue;
        }
        plain.push(c);
    }
    width(&plain)
}

/// How many cells a text takes: East-Asian characters take two.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Lays items out in columns, top to bottom, as `ls` and completion lists do. `widths` are the
/// items' cells (without their escape sequences).
pub(super) fn columns(items: &[String], widths: &[usize], columns: usize) -> Vec<String> {
    let count = items.len();
    let mut rows = 1;
    while rows < count {
        let total: usize = widths
            .chunks(rows)
            .map(|c| c.iter().max().copied().unwrap_or(0) + 2)
            .sum::<usize>()
            .saturating_sub(2);
        if total <= columns {
            break;
        }
        rows += 1;
    }
    let mut lines = vec![String::new(); rows.min(count)];
    let mut at = 0;
    for (chunk, names) in widths.chunks(rows).zip(items.chunks(rows)) {
        let wide = chunk.iter().max().copied().unwrap_or(0);
        let last = at + chunk.len() >= count;
        for (i, (name, w)) in names.iter().zip(chunk).enumerate() {
            if let Some(line) = lines.get_mut(i) {
                line.push_str(name);
                let next_exists = at + rows + i < count;
                if !last && next_exists {
                    line.push_str(&" ".repeat(wide - w + 2));
                }
            }
        }
        at += chunk.len();
    }
    lines
}
