//! `grep`, `egrep`, `fgrep`.

use std::collections::VecDeque;

use super::super::files::{self, FileError, FileKind};
use super::super::host::Context;
use super::super::io::Input;
use super::super::regex::Regex;
use super::super::words::Glob;
use super::options::{self, Options};

struct Search {
    patterns: Vec<Regex>,
    invert: bool,
    word: bool,
    line: bool,
    only: bool,
    count: bool,
    quiet: bool,
    names: Option<bool>,
    numbers: bool,
    bytes: bool,
    with_name: bool,
    max: usize,
    after: usize,
    before: usize,
    color: bool,
}

impl Search {
    /// The matches of a line; empty ones count for selection only.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for pattern in &self.patterns {
            let mut at = from;
            while let Some((a, b)) = pattern.find_at(text, at) {
                let fits = if self.line {
                    a == 0 && b == text.len()
                } else if self.word {
                    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    !is_word(text.get(..a).and_then(|t| t.chars().next_back()))
                        && !is_word(text.get(b..).and_then(|t| t.chars().next()))
                } else {
                    true
                };
                if fits {
                    let better = best.is_none_or(|(x, y)| a < x || (a == x && b > y));
                    if better {
                        best = Some((a, b));
                    }
                    break;
                }
                at = a + text.get(a..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
                if at > text.len() {
                    break;
                }
            }
        }
        best
    }
}

fn number(c: &Context, o: &Options, letter: char, what: &str) -> Result<Option<usize>, i32> {
    match o.value(letter) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            c.error(format!("{text}: invalid {what} argument"));
            2
        }),
    }
}

pub(super) async fn grep(c: Context) -> i32 {
    let long = [
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("basic-regexp", 'G'),
        ("perl-regexp", 'P'),
        ("regexp", 'e'),
        ("file", 'f'),
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("word-regexp", 'w'),
        ("line-regexp", 'x'),
        ("count", 'c'),
        ("color", 'κ'),
        ("colour", 'κ'),
        ("files-with-matches", 'l'),
        ("files-without-match", 'L'),
        ("max-count", 'm'),
        ("only-matching", 'o'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("no-messages", 's'),
        ("byte-offset", 'b'),
        ("line-number", 'n'),
        ("with-filename", 'H'),
        ("no-filename", 'h'),
        ("after-context", 'A'),
        ("before-context", 'B'),
        ("context", 'C'),
        ("recursive", 'r'),
        ("dereference-recursive", 'R'),
        ("include", 'ι'),
        ("exclude", 'ξ'),
        ("line-buffered", 'υ'),
        ("text", 'a'),
    ];
    let mut c = c;
    // `-2` is `-C 2`.
    for arg in c.args.iter_mut().skip(1) {
        if arg.len() > 1
            && let Some(n) = arg.strip_prefix('-')
            && n.chars().all(|c| c.is_ascii_digit())
        {
            *arg = format!("-C{n}");
        }
    }
    let o = match options::parse(&c, "EFGPe:f:ivywxcκ?lLm:oqsbnHhA:B:C:rRIι:ξ: aυ", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut rest = o.rest.clone();
    let mut sources: Vec<String> = Vec::new();
    for text in o.values('e') {
        sources.extend(text.split('\n').map(str::to_owned));
    }
    for path in o.values('f') {
        match c.read_file(&path).await {
            Ok(text) => sources.extend(text.lines().map(str::to_owned)),
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 2;
            }
        }
    }
    if !o.has('e') && !o.has('f') {
        if rest.is_empty() {
            c.stderr.line("Usage: grep [OPTION]... PATTERNS [FILE]...");
            c.stderr.line("Try 'grep --help' for more information.");
            return 2;
        }
        sources.extend(rest.remove(0).split('\n').map(str::to_owned));
    }
    let base = files::base_name(c.name()).to_owned();
    let kind = o
        .flags
        .iter()
        .rev()
        .map(|(l, _)| *l)
        .find(|l| "EFGP".contains(*l))
        .unwrap_or(match base.as_str() {
            "egrep" => 'E',
            "fgrep" => 'F',
            _ => 'G',
        });
    let ignore_case = o.has('i') || o.has('y');
    let mut patterns = Vec::new();
    for source in &sources {
        let compiled = match kind {
            'F' => {
                let mut text = String::new();
                for ch in source.chars() {
                    if "\\.+*?()|[]{}^$#&-~".contains(ch) {
                        text.push('\\');
                    }
                    text.push(ch);
                }
                Regex::perl(&text, ignore_case)
            }
            'P' => Regex::perl(source, ignore_case),
            kind => Regex::new(source, kind == 'E', ignore_case),
        };
        match compiled {
            Ok(regex) => patterns.push(regex),
            Err(message) => {
                c.error(message);
                return 2;
            }
        }
    }
    let context = match number(&c, &o, 'C', "context length") {
        Ok(n) => n.unwrap_or(0),
        Err(code) => return code,
    };
    let recursive = o.has('r') || o.has('R');
    let mut paths = rest;
    if paths.is_empty() {
        paths.push(if recursive { "." } else { "-" }.to_owned());
    }
    let many = paths.len() > 1 || recursive;
    let limits = [
        number(&c, &o, 'm', "max count"),
        number(&c, &o, 'A', "context length"),
        number(&c, &o, 'B', "context length"),
    ];
    let [Ok(max), Ok(after), Ok(before)] = limits else {
        return 2;
    };
    let color = match o.value('κ') {
        Some("always") => true,
        Some("never") | None => false,
        Some(_) => c.stdout.is_terminal(),
    };
    let search = Search {
        patterns,
        invert: o.has('v'),
        word: o.has('w'),
        line: o.has('x'),
        only: o.has('o'),
        count: o.has('c'),
        quiet: o.has('q'),
        names: if o.has('l') {
            Some(true)
        } else if o.has('L') {
            Some(false)
        } else {
            None
        },
        numbers: o.has('n'),
        bytes: o.has('b'),
        with_name: (many || o.has('H')) && !o.has('h'),
        max: max.unwrap_or(usize::MAX),
        after: after.unwrap_or(context),
        before: before.unwrap_or(context),
        color,
    };
    let (include, exclude) = (o.values('ι'), o.values('ξ'));
    let mut queue: VecDeque<String> = paths.into();
    let (mut selected, mut failed) = (false, false);
    while let Some(path) = queue.pop_front() {
        let full = c.path(&path);
        if path != "-" && c.files.is_dir(&full) {
            if recursive {
                let names = c.files.list(&full).unwrap_or_default();
                for (name, stat) in names.into_iter().rev() {
                    if stat.kind == FileKind::Symlink && !o.has('R') {
                        continue;
                    }
                    if stat.kind == FileKind::File {
                        let fits = |globs: &[String]| globs.iter().any(|g| Glob::new(g).matches(&name));
                        if (!include.is_empty() && !fits(&include)) || fits(&exclude) {
                            continue;
                        }
                    }
                    let base = path.trim_end_matches('/');
                    queue.push_front(if base == "." && o.rest.len() < 2 && !o.rest.iter().any(|r| r == ".") {
                        name
                    } else {
                        format!("{base}/{name}")
                    });
                }
            } else {
                c.error(format!("{path}: {}", FileError::IsDirectory));
                failed = true;
            }
            continue;
        }
        if o.has('I') && c.files.read(&full).is_ok_and(|bytes| bytes.contains(&0)) {
            continue;
        }
        match c.open(&path) {
            Ok(input) => {
                let name = if path == "-" { "(standard input)" } else { &path };
                if search_input(&c, &search, &input, name).await {
                    selected = true;
                    if search.quiet {
                        return 0;
                    }
                }
            }
            Err(error) => {
                if !o.has('s') {
                    c.error(format!("{path}: {error}"));
                }
                failed = true;
            }
        }
    }
    match (selected, failed) {
        (true, true) if search.quiet => 0,
        (_, true) => 2,
        (true, false) => 0,
        (false, false) => 1,
    }
}

async fn search_input(c: &Context, s: &Search, input: &Input, name: &str) -> bool {
    let mut matched = 0;
    let mut line_number = 0;
    let mut offset = 0;
    let mut held: VecDeque<(usize, usize, String)> = VecDeque::new();
    let mut trailing = 0;
    let mut last_shown = 0;
    let context = s.after > 0 || s.before > 0;
    let prefix = |separator: char, number: usize, offset: usize| {
        let mut text = String::new();
        let mark = |text: &str, color: &str| {
            if s.color {
                format!("\x1b[{color}m\x1b[K{text}\x1b[m\x1b[K")
            } else {
                text.to_owned()
            }
        };
        let separator = mark(&separator.to_string(), "36");
        if s.with_name {
            text.push_str(&mark(name, "35"));
            text.push_str(&separator);
        }
        if s.numbers {
            text.push_str(&mark(&number.to_string(), "32"));
            text.push_str(&separator);
        }
        if s.bytes {
            text.push_str(&mark(&offset.to_string(), "32"));
            text.push_str(&separator);
        }
        text
    };
    let show = |separator: char, number: usize, offset: usize, text: &str| {
        c.stdout.line(prefix(separator, number, offset) + text)
    };
    if s.max == 0 {
        return false;
    }
    while let Some(line) = input.read_line_bytes().await {
        line_number += 1;
        let start = offset;
        offset += line.len();
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
        let found = s.find(&text, 0);
        if found.is_some() != s.invert {
            matched += 1;
            if s.quiet {
                return true;
            }
            if let Some(wanted) = s.names {
                if wanted {
                    c.stdout.line(name);
                }
                return wanted;
            }
            if !s.count {
                if context && last_shown > 0 && line_number - held.len() > last_shown + 1 {
                    c.stdout.line("--");
                }
                for (number, offset, text) in held.drain(..) {
                    if !s.only {
                        show('-', number, offset, &text);
                    }
                }
                last_shown = line_number;
                if s.only {
                    let mut at = 0;
                    while !s.invert
                        && let Some((a, b)) = s.find(&text, at)
                    {
                        if b > a {
                            let piece = text.get(a..b).unwrap_or_default();
                            let shown = if s.color {
                                format!("\x1b[01;31m\x1b[K{piece}\x1b[m\x1b[K")
                            } else {
                                piece.to_owned()
                            };
                            c.stdout.line(prefix(':', line_number, start + a) + &shown);
                            at = b;
                        } else {
                            at = b + text.get(b..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
                        }
                        if at > text.len() {
                            break;
                        }
                    }
                } else if s.color && !s.invert {
                    let mut shown = String::new();
                    let mut at = 0;
                    while let Some((a, b)) = s.find(&text, at) {
                        if b <= a {
                            break;
                        }
                        shown.push_str(text.get(at..a).unwrap_or_default());
                        shown.push_str(&format!(
                            "\x1b[01;31m\x1b[K{}\x1b[m\x1b[K",
                            text.get(a..b).unwrap_or_default()
                        ));
                        at = b;
                    }
                    shown.push_str(text.get(at..).unwrap_or_default());
                    show(':', line_number, start, &shown);
                } else if !show(':', line_number, start, &text) {
                    return true;
                }
                trailing = s.after;
            }
            if matched >= s.max {
                break;
            }
        } else if !s.count && !s.quiet && s.names.is_none() {
            if trailing > 0 {
                trailing -= 1;
                last_shown = line_number;
                if !s.only {
                    show('-', line_number, start, &text);
                }
            } else if s.before > 0 {
                if held.len() >= s.before {
                    held.pop_front();
                }
                held.push_back((line_number, start, text));
            }
        }
        c.stdout.ready().await;
    }
    if s.names == Some(false) && matched == 0 {
        c.stdout.line(name);
        return true;
    }
    if s.count {
        let mark = if s.with_name { format!("{name}:") } else { String::new() };
        c.stdout.line(format!("{mark}{matched}"));
    }
    matched > 0
}
