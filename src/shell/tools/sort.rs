//! `sort` and `uniq`.

use crate::flat::{Arrange, Case};
use std::cmp::Ordering;

use super::super::files::FileError;
use super::super::host::Context;
use super::lines::inputs;
use super::options;
use super::printf::leading_number;

#[derive(Clone, Copy, Default)]
struct How {
    numeric: bool,
    general: bool,
    human: bool,
    version: bool,
    month: bool,
    fold: bool,
    dictionary: bool,
    blanks: bool,
    reverse: bool,
}

impl How {
    fn set(&mut self, letter: char) -> bool {
        match letter {
            'n' => self.numeric = true,
            'g' => self.general = true,
            'h' => self.human = true,
            'V' => self.version = true,
            'M' => self.month = true,
            'f' => self.fold = true,
            'd' => self.dictionary = true,
            'b' => self.blanks = true,
            'r' => self.reverse = true,
            _ => return false,
        }
        true
    }

    fn is_plain(&self) -> bool {
        !(self.numeric
            || self.general
            || self.human
            || self.version
            || self.month
            || self.fold
            || self.dictionary
            || self.blanks
            || self.reverse)
    }
}

/// A key: from a field and character to a field and character.
struct Key {
    from: (usize, usize),
    to: Option<(usize, usize)>,
    how: How,
}

fn key(text: &str, global: How) -> Option<Key> {
    let (from, to) = match text.split_once(',') {
        Some((a, b)) => (a, Some(b)),
        None => (text, None),
    };
    let mut how = How::default();
    let mut place = |text: &str| -> Option<(usize, usize)> {
        let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        for letter in text.get(end..)?.chars() {
            if !how.set(letter) {
                return None;
            }
        }
        let digits = text.get(..end)?;
        match digits.split_once('.') {
            Some((f, c)) => Some((f.parse().ok()?, c.parse().ok()?)),
            None => Some((digits.parse().ok()?, 0)),
        }
    };
    let from = place(from)?;
    let to = match to {
        Some(t) => Some(place(t)?),
        None => None,
    };
    if from.0 == 0 {
        return None;
    }
    if how.is_plain() {
        how = global;
    }
    Some(Key { from, to, how })
}

/// Byte ranges of a line's fields: with a separator between them, or each with the blanks before it.
fn fields(line: &str, separator: Option<char>) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    match separator {
        Some(s) => {
            let mut start = 0;
            for (i, c) in line.char_indices() {
                if c == s {
                    out.push((start, i));
                    start = i + c.len_utf8();
                }
            }
            out.push((start, line.len()));
        }
        None => {
            let mut start = 0;
            let mut in_word = false;
            for (i, c) in line.char_indices() {
                let blank = c == ' ' || c == '\t';
                if blank && in_word {
                    out.push((start, i));
                    start = i;
                }
                in_word = !blank;
            }
            out.push((start, line.len()));
        }
    }
    out
}

fn extract<'a>(line: &'a str, key: &Key, separator: Option<char>) -> &'a str {
    let fields = fields(line, separator);
    let Some((start, _)) = fields.get(key.from.0 - 1).copied() else {
        return "";
    };
    let skip_blanks = |from: usize, on: bool| {
        if !on {
            return from;
        }
        let rest = line.get(from..).unwrap_or_default();
        from + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
    };
    let advance = |from: usize, chars: usize| {
        line.get(from..)
            .unwrap_or_default()
            .char_indices()
            .nth(chars)
            .map_or(line.len(), |(i, _)| from + i)
    };
    let begin = advance(skip_blanks(start, key.how.blanks), key.from.1.saturating_sub(1));
    let end = match key.to {
        None => line.len(),
        Some((field, 0)) => fields.get(field.wrapping_sub(1)).map_or(line.len(), |(_, e)| *e),
        Some((field, chars)) => match fields.get(field.wrapping_sub(1)) {
            Some((s, _)) => advance(skip_blanks(*s, key.how.blanks), chars),
            None => line.len(),
        },
    };
    line.get(begin..end.max(begin)).unwrap_or_default()
}

fn human(text: &str) -> f64 {
    let n = leading_number(text);
    let unit = text
        .trim()
        .trim_start_matches(['-', '+'])
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let power = match unit.chars().next() {
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        _ => 0,
    };
    n * 1024f64.powi(power)
}

fn version(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.is_empty(), b.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
        let split = |t: &str, digits: bool| t.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(t.len());
        let (i, j) = (split(a, false), split(b, false));
        let order = a.get(..i).cmp(&b.get(..j));
        if order != Ordering::Equal {
            return order;
        }
        a = a.get(i..).unwrap_or_default();
        b = b.get(j..).unwrap_or_default();
        let (i, j) = (split(a, true), split(b, true));
        let number = |t: &str, n: usize| {
            let digits = t.get(..n).unwrap_or_default().trim_start_matches('0').to_owned();
            (digits.len(), digits)
        };
        let order = number(a, i).cmp(&number(b, j));
        if order != Ordering::Equal {
            return order;
        }
        a = a.get(i..).unwrap_or_default();
        b = b.get(j..).unwrap_or_default();
    }
}

fn compare(a: &str, b: &str, how: How) -> Ordering {
    let float = |x: f64, y: f64| x.partial_cmp(&y).unwrap_or(Ordering::Equal);
    let order = if how.numeric {
        // `sort -n` knows no exponents.
        let plain = |t: &str| leading_number(t.trim_start().split(['e', 'E']).next().unwrap_or(""));
        float(plain(a), plain(b))
    } else if how.general {
        float(leading_number(a), leading_number(b))
    } else if how.human {
        float(human(a), human(b))
    } else if how.version {
        version(a, b)
    } else if how.month {
        let month = |t: &str| {
            let t = t.trim_start().get(..3).unwrap_or("").to_ascii_uppercase();
            [
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ]
            .iter()
            .position(|m| *m == t)
            .map_or(0, |i| i + 1)
        };
        month(a).cmp(&month(b))
    } else {
        let prepare = |t: &str| {
            let t = if how.blanks {
                t.trim_start_matches([' ', '\t'])
            } else {
                t
            };
            let mut t = t.to_owned();
            if how.dictionary {
                t.retain(|c| c.is_alphanumeric() || c == ' ' || c == '\t');
            }
            if how.fold { t.upper() } else { t }
        };
        if how.fold || how.dictionary || how.blanks {
            prepare(a).cmp(&prepare(b))
        } else {
            a.cmp(b)
        }
    };
    if how.reverse { order.reverse() } else { order }
}

pub(super) async fn sort(c: Context) -> i32 {
    let long = [
        ("reverse", 'r'),
        ("numeric-sort", 'n'),
        ("unique", 'u'),
        ("key", 'k'),
        ("field-separator", 't'),
        ("ignore-case", 'f'),
        ("human-numeric-sort", 'h'),
        ("version-sort", 'V'),
        ("output", 'o'),
        ("check", 'c'),
        ("stable", 's'),
        ("zero-terminated", 'z'),
    ];
    let o = match options::parse(&c, "rnufhVgMdbsck:t:o:z m", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut global = How::default();
    for (letter, _) in &o.flags {
        global.set(*letter);
    }
    let mut keys = Vec::new();
    for text in o.values('k') {
        match key(&text, global) {
            Some(k) => keys.push(k),
            None => {
                c.error(format!(
                    "invalid number at field start: invalid count at start of '{text}'"
                ));
                return 2;
            }
        }
    }
    let separator = match o.value('t') {
        Some("\\0") => Some('\0'),
        Some(t) if t.chars().count() == 1 => t.chars().next(),
        Some("\\t") => {
            c.error("multi-character tab '\\\\t'");
            return 2;
        }
        Some("") => {
            c.error("empty tab");
            return 2;
        }
        Some(t) => {
            c.error(format!("multi-character tab '{t}'"));
            return 2;
        }
        None => None,
    };
    let end = if o.has('z') { '\0' } else { '\n' };
    let mut lines: Vec<String> = Vec::new();
    for path in inputs(&o) {
        match c.open(&path) {
            Ok(input) => {
                let text = input.read_text().await;
                if !text.is_empty() {
                    let text = text.strip_suffix(end).unwrap_or(&text);
                    lines.extend(text.split(end).map(str::to_owned));
                }
            }
            Err(FileError::IsDirectory) => {
                c.error(format!("read failed: {path}: Is a directory"));
                return 2;
            }
            Err(error) => {
                c.error(format!("cannot read: {path}: {error}"));
                return 2;
            }
        }
    }
    let by_keys = |a: &String, b: &String| {
        if keys.is_empty() {
            return compare(a, b, global);
        }
        for k in &keys {
            let order = compare(extract(a, k, separator), extract(b, k, separator), k.how);
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    };
    let whole = |a: &String, b: &String| {
        let order = by_keys(a, b);
        if order != Ordering::Equal || o.has('s') || o.has('u') {
            return order;
        }
        // The last resort: bytes.
        if global.reverse { b.cmp(a) } else { a.cmp(b) }
    };
    if o.has('c') {
        for (i, pair) in lines.windows(2).enumerate() {
            if let [a, b] = pair
                && by_keys(a, b) == Ordering::Greater
            {
                c.error(format!("-:{}: disorder: {b}", i + 2));
                return 1;
            }
        }
        return 0;
    }
    lines.arrange_by(whole);
    if o.has('u') {
        lines.dedup_by(|a, b| by_keys(a, b) == Ordering::Equal);
    }
    let text: String = lines.into_iter().flat_map(|l| [l, end.to_string()]).collect();
    match o.value('o') {
        Some(path) => match c.create(path, false) {
            Ok(output) => {
                output.write(text);
            }
            Err(error) => {
                c.error(format!("open failed: {path}: {error}"));
                return 2;
            }
        },
        None => {
            c.stdout.write(text);
        }
    }
    0
}

pub(super) async fn uniq(c: Context) -> i32 {
    let long = [
        ("count", 'c'),
        ("repeated", 'd'),
        ("unique", 'u'),
        ("ignore-case", 'i'),
        ("skip-fields", 'f'),
        ("skip-chars", 's'),
        ("check-chars", 'w'),
    ];
    let o = match options::parse(&c, "cduif:s:w:", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let path = o.rest.first().cloned().unwrap_or_else(|| "-".to_owned());
    let input = match c.open(&path) {
        Ok(input) => input,
        Err(error) => {
            c.error(format!("{path}: {error}"));
            return 1;
        }
    };
    let output = match o.rest.get(1) {
        Some(path) => match c.create(path, false) {
            Ok(output) => output,
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        },
        None => c.stdout.clone(),
    };
    let number = |letter| o.value(letter).and_then(|v| v.parse::<usize>().ok());
    let (skip_fields, skip_chars, width) = (number('f').unwrap_or(0), number('s').unwrap_or(0), number('w'));
    let part = |line: &str| {
        let mut rest = line;
        for _ in 0..skip_fields {
            rest = rest.trim_start_matches([' ', '\t']);
            rest = rest
                .get(rest.find([' ', '\t']).unwrap_or(rest.len())..)
                .unwrap_or_default();
        }
        let text: String = rest
            .chars()
            .skip(skip_chars)
            .take(width.unwrap_or(usize::MAX))
            .collect();
        if o.has('i') { text.lower() } else { text }
    };
    let show = |line: &str, count: usize| {
        if (o.has('d') && count < 2) || (o.has('u') && count > 1) {
            return;
        }
        if o.has('c') {
            output.line(format!("{count:>7} {line}"));
        } else {
            output.line(line);
        }
    };
    let mut last: Option<(String, usize)> = None;
    while let Some(line) = input.read_line().await {
        match &mut last {
            Some((text, count)) if part(text) == part(&line) => *count += 1,
            _ => {
                if let Some((text, count)) = last.take() {
                    show(&text, count);
                }
                last = Some((line, 1));
            }
        }
    }
    if let Some((text, count)) = last {
        show(&text, count);
    }
    0
}
