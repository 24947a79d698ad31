//! Tools that work on characters and columns: `cut`, `tr`, `paste`, `column`, `fold`.

use super::super::host::Context;
use super::super::words::{self, Escapes};
use super::lines::inputs;
use super::options;
use crate::flat::FlatSet;
use crate::limits;

/// `1,3-5,7-`: ranges from 1.
fn ranges(text: &str) -> Option<Vec<(usize, usize)>> {
    let mut out = Vec::new();
    for piece in text.split(',') {
        let (a, b) = match piece.split_once('-') {
            Some(("", "")) => return None,
            Some((a, b)) => (
                if a.is_empty() { 1 } else { a.parse().ok()? },
                if b.is_empty() { usize::MAX } else { b.parse().ok()? },
            ),
            None => {
                let n = piece.parse().ok()?;
                (n, n)
            }
        };
        if a == 0 || b < a {
            return None;
        }
        out.push((a, b));
    }
    Some(out)
}

pub(super) async fn cut(c: Context) -> i32 {
    let long = [
        ("delimiter", 'd'),
        ("fields", 'f'),
        ("characters", 'c'),
        ("bytes", 'b'),
        ("only-delimited", 's'),
        ("output-delimiter", 'ο'),
        ("complement", 'γ'),
    ];
    let o = match options::parse(&c, "d:f:c:b:sο:γ n", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let by_field = o.has('f');
    let list = o.value('f').or(o.value('c')).or(o.value('b'));
    let Some(list) = list else {
        return options::usage(&c, "you must specify a list of bytes, characters, or fields");
    };
    let Some(ranges) = ranges(list) else {
        let what = if by_field { "field" } else { "byte/character position" };
        let message = if list.split([',', '-']).any(|n| n == "0") {
            if by_field {
                "fields are numbered from 1".to_owned()
            } else {
                "byte/character positions are numbered from 1".to_owned()
            }
        } else {
            format!("invalid {what} value '{list}'")
        };
        return options::usage(&c, &message);
    };
    let delimiter = o.value('d').unwrap_or("\t").to_owned();
    if delimiter.chars().count() > 1 {
        return options::usage(&c, "the delimiter must be a single character");
    }
    let joiner = o.value('ο').map_or_else(|| delimiter.clone(), str::to_owned);
    let complement = o.has('γ');
    let wanted = |n: usize| ranges.iter().any(|(a, b)| (*a..=*b).contains(&n)) != complement;
    let mut code = 0;
    for path in inputs(&o) {
        let input = match c.open(&path) {
            Ok(input) => input,
            Err(error) => {
                c.error(format!("{path}: {error}"));
                code = 1;
                continue;
            }
        };
        while let Some(line) = input.read_line().await {
            let text = if by_field {
                if !line.contains(&delimiter) {
                    if o.has('s') {
                        continue;
                    }
                    line
                } else {
                    let parts: Vec<&str> = line
                        .split(&delimiter)
                        .enumerate()
                        .filter(|(i, _)| wanted(i + 1))
                        .map(|(_, p)| p)
                        .collect();
                    parts.join(&joiner)
                }
            } else {
                line.chars()
                    .enumerate()
                    .filter(|(i, _)| wanted(i + 1))
                    .map(|(_, ch)| ch)
                    .collect()
            };
            if !c.stdout.line(text) {
                return code;
            }
            c.stdout.ready().await;
        }
    }
    code
}

/// A set of `tr`: escapes, ranges, classes and repeats resolved.
fn set(text: &str) -> Result<Vec<char>, String> {
    let raw: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    let one = |i: &mut usize| -> Option<char> {
        let c = *raw.get(*i)?;
        *i += 1;
        if c != '\\' {
            return Some(c);
        }
        let mut escape = String::from("\\");
        let next = *raw.get(*i)?;
        escape.push(next);
        *i += 1;
        if next.is_digit(8) {
            while escape.len() < 4 && raw.get(*i).is_some_and(|c| c.is_digit(8)) {
                escape.extend(raw.get(*i));
                *i += 1;
            }
        }
        let bytes = words::unescape(&escape, Escapes::Printf);
        match bytes.as_slice() {
            [b] => Some(char::from(*b)),
            // An unknown escape is the character itself.
            _ => Some(next),
        }
    };
    while i < raw.len() {
        if raw.get(i) == Some(&'[') && raw.get(i + 1) == Some(&':') {
            let rest: String = raw.get(i + 2..).unwrap_or_default().iter().collect();
            if let Some(end) = rest.find(":]") {
                let name = rest.get(..end).unwrap_or_default();
                let members: Vec<char> = (0u8..=127)
                    .map(char::from)
                    .filter(|c| words::in_class(name, *c))
                    .collect();
                if members.is_empty() {
                    return Err(format!("invalid character class '{name}'"));
                }
                out.extend(members);
                i += name.chars().count() + 4;
                continue;
            }
        }
        let Some(first) = one(&mut i) else {
            out.push('\\');
            break;
        };
        if raw.get(i) == Some(&'-') && i + 1 < raw.len() {
            let mut j = i + 1;
            let Some(last) = one(&mut j) else { break };
            if last < first {
                return Err(format!(
                    "range-endpoints of '{first}-{last}' are in reverse collating sequence order"
                ));
            }
            out.extend((first..=last).take(limits::SHELL_WORDS));
            i = j;
        } else {
            out.push(first);
        }
    }
    Ok(out)
}

pub(super) async fn tr(c: Context) -> i32 {
    let long = [
        ("delete", 'd'),
        ("squeeze-repeats", 's'),
        ("complement", 'c'),
        ("truncate-set1", 't'),
    ];
    let o = match options::parse(&c, "dscCt", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let (delete, squeeze, complement) = (o.has('d'), o.has('s'), o.has('c') || o.has('C'));
    let Some(first) = o.rest.first() else {
        return options::usage(&c, "missing operand");
    };
    let second = o.rest.get(1);
    if second.is_none() && !delete && !squeeze {
        c.error(format!("missing operand after '{first}'"));
        c.stderr.line("Two strings must be given when translating.");
        c.stderr.line("Try 'tr --help' for more information.");
        return 1;
    }
    if delete && !squeeze && second.is_some() {
        c.error(format!("extra operand '{}'", second.map_or("", |s| s)));
        c.stderr
            .line("Only one string may be given when deleting without squeezing repeats.");
        c.stderr.line("Try 'tr --help' for more information.");
        return 1;
    }
    let sets = set(first).and_then(|a| Ok((a, second.map(|s| set(s)).transpose()?)));
    let (from, to) = match sets {
        Ok(sets) => sets,
        Err(message) => {
            c.error(message);
            return 1;
        }
    };
    let truncates = o.has('t') && !delete;
    let mut from = from;
    if let Some(to) = to.as_ref().filter(|_| truncates) {
        from.truncate(to.len());
    }
    if !delete && !truncates && to.as_ref().is_some_and(Vec::is_empty) {
        c.error("when not truncating set1, string2 must be non-empty");
        return 1;
    }
    let members: FlatSet<char> = from.iter().copied().collect();
    let in_first = |ch: char| members.contains(&ch) != complement;
    let last_of_second = to.as_ref().and_then(|t| t.last().copied());
    let map: crate::flat::FlatMap<char, char> = match &to {
        Some(to) if !delete && !complement => from
            .iter()
            .enumerate()
            .filter_map(|(i, ch)| Some((*ch, to.get(i).copied().or(last_of_second)?)))
            .collect(),
        _ => Default::default(),
    };
    let squeezed: FlatSet<char> = match &to {
        Some(to) => to.iter().copied().collect(),
        None => FlatSet::new(),
    };
    let mut previous: Option<char> = None;
    loop {
        let Some(bytes) = c.stdin.read_line_bytes().await else {
            return 0;
        };
        let mut out = String::with_capacity(bytes.len());
        for ch in String::from_utf8_lossy(&bytes).chars() {
            if delete && in_first(ch) {
                continue;
            }
            let mapped = if delete || to.is_none() {
                ch
            } else if complement {
                if in_first(ch) { last_of_second.unwrap_or(ch) } else { ch }
            } else {
                map.get(&ch).copied().unwrap_or(ch)
            };
            if squeeze {
                let squeezes = match &to {
                    Some(_) => squeezed.contains(&mapped),
                    None => in_first(mapped),
                };
                if squeezes && previous == Some(mapped) {
                    continue;
                }
            }
            previous = Some(mapped);
            out.push(mapped);
        }
        if !c.stdout.write(out) {
            return 0;
        }
        c.stdout.ready().await;
    }
}

pub(super) async fn paste(c: Context) -> i32 {
    let o = match options::parse(&c, "d:s", &[("delimiters", 'd'), ("serial", 's')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let delimiters =
        String::from_utf8_lossy(&words::unescape(o.value('d').unwrap_or("\t"), Escapes::Printf)).into_owned();
    let delimiters: Vec<char> = delimiters.chars().collect();
    let delimiter = |i: usize| match delimiters.len() {
        0 => String::new(),
        n => delimiters.get(i % n).map(char::to_string).unwrap_or_default(),
    };
    let mut columns = Vec::new();
    for path in inputs(&o) {
        match c.open(&path) {
            Ok(input) => columns.push(input),
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        }
    }
    if o.has('s') {
        for input in columns {
            let mut line = String::new();
            let mut i = 0;
            while let Some(text) = input.read_line().await {
                if i > 0 {
                    line.push_str(&delimiter(i - 1));
                }
                line.push_str(&text);
                i += 1;
            }
            c.stdout.line(line);
        }
        return 0;
    }
    loop {
        let mut line = String::new();
        let mut any = false;
        for (i, input) in columns.iter().enumerate() {
            if i > 0 {
                line.push_str(&delimiter(i - 1));
            }
            if let Some(text) = input.read_line().await {
                any = true;
                line.push_str(&text);
            }
        }
        if !any || !c.stdout.line(line) {
            return 0;
        }
    }
}

pub(super) async fn column(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "ts:o:",
        &[("table", 't'), ("separator", 's'), ("output-separator", 'o')],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for path in inputs(&o) {
        match c.open(&path) {
            Ok(input) => {
                while let Some(line) = input.read_line().await {
                    if line.trim().is_empty() {
                        continue;
                    }
                    rows.push(match o.value('s') {
                        Some(s) => line.split(|ch| s.contains(ch)).map(str::to_owned).collect(),
                        None => line.split_whitespace().map(str::to_owned).collect(),
                    });
                }
            }
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        }
    }
    if !o.has('t') {
        for row in rows {
            c.stdout.line(row.join(" "));
        }
        return 0;
    }
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|i| {
            rows.iter()
                .filter_map(|r| r.get(i))
                .map(|t| t.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let gap = o.value('o').unwrap_or("  ").to_owned();
    for row in rows {
        let last = row.len().saturating_sub(1);
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let width = widths.get(i).copied().unwrap_or(0);
                if i == last {
                    text.clone()
                } else {
                    format!("{text:<width$}")
                }
            })
            .collect();
        c.stdout.line(cells.join(&gap));
    }
    0
}

pub(super) async fn fold(c: Context) -> i32 {
    let o = match options::parse(&c, "w:s", &[("width", 'w'), ("spaces", 's')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let width = o.value('w').and_then(|w| w.parse().ok()).unwrap_or(80usize).max(1);
    for path in inputs(&o) {
        let input = match c.open(&path) {
            Ok(input) => input,
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        };
        while let Some(line) = input.read_line().await {
            let mut rest: Vec<char> = line.chars().collect();
            while rest.len() > width {
                let at = if o.has('s') {
                    rest.get(..width)
                        .and_then(|head| head.iter().rposition(|c| *c == ' '))
                        .map_or(width, |i| i + 1)
                } else {
                    width
                };
                let tail = rest.split_off(at);
                c.stdout.line(rest.iter().collect::<String>());
                rest = tail;
            }
            c.stdout.line(rest.iter().collect::<String>());
        }
    }
    0
}
