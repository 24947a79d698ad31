//! `comm`, `join`, `shuf`, `split`, `truncate`, `od`, `expand`, `envsubst` and the smallest ones.

use super::super::host::Context;
use super::dd::amount;
use super::lines::inputs;
use super::options;
use crate::flat::Case;
use crate::limits;

/// A file's lines; the error was printed.
async fn lines_of(c: &Context, path: &str) -> Result<Vec<String>, i32> {
    match c.read_file(path).await {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) => {
            c.error(format!("{path}: {error}"));
            Err(1)
        }
    }
}

/// The two files of `comm` and `join`.
async fn two(c: &Context, rest: &[String]) -> Result<[Vec<String>; 2], i32> {
    match rest {
        [] => Err(options::usage(c, "missing operand")),
        [one] => Err(options::usage(c, &format!("missing operand after ‘{one}’"))),
        [a, b] => Ok([lines_of(c, a).await?, lines_of(c, b).await?]),
        [_, _, third, ..] => Err(options::usage(c, &format!("extra operand ‘{third}’"))),
    }
}

pub(super) async fn comm(c: Context) -> i32 {
    let long = [
        ("output-delimiter", 'ο'),
        ("nocheck-order", 'ν'),
        ("check-order", 'κ'),
        ("total", 'τ'),
    ];
    let o = match options::parse(&c, "123ο:ντ κ", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let [a, b] = match two(&c, &o.rest).await {
        Ok(both) => both,
        Err(code) => return code,
    };
    let between = o.value('ο').unwrap_or("\t");
    let mut counts = [0usize; 3];
    let mut warned = [false; 2];
    let (mut i, mut j) = (0, 0);
    loop {
        // The column of the next line, 0 to 2.
        let (line, column) = match (a.get(i), b.get(j)) {
            (None, None) => break,
            (Some(x), Some(y)) if x == y => (x, 2),
            (Some(x), y) if y.is_none_or(|y| x < y) => (x, 0),
            (_, Some(y)) => (y, 1),
            (Some(x), None) => (x, 0),
        };
        for (side, (list, at)) in [(&a, i), (&b, j)].into_iter().enumerate() {
            let disorder = at > 0
                && list
                    .get(at)
                    .is_some_and(|now| list.get(at - 1).is_some_and(|l| l > now));
            if let Some(seen) = warned.get_mut(side).filter(|seen| disorder && !**seen && !o.has('ν')) {
                *seen = true;
                c.error(format!("file {} is not in sorted order", side + 1));
            }
        }
        i += usize::from(column != 1);
        j += usize::from(column != 0);
        if let Some(count) = counts.get_mut(column) {
            *count += 1;
        }
        let shown = ['1', '2', '3'].map(|l| !o.has(l));
        if shown.get(column) == Some(&true) {
            let before = shown.iter().take(column).filter(|s| **s).count();
            c.stdout.line(between.repeat(before) + line);
        }
    }
    if o.has('τ') {
        let [x, y, both] = counts;
        c.stdout.line(format!("{x}{between}{y}{between}{both}{between}total"));
    }
    if warned.contains(&true) {
        c.error("input is not in sorted order");
        return 1;
    }
    0
}

pub(super) async fn join(c: Context) -> i32 {
    let o = match options::parse(&c, "1:2:j:t:a:v:o:e:i", &[("ignore-case", 'i')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let [a, b] = match two(&c, &o.rest).await {
        Ok(both) => both,
        Err(code) => return code,
    };
    let key = |letter: char| {
        o.value(letter)
            .or(o.value('j'))
            .map_or(Some(1), |n| n.parse().ok().filter(|n| *n > 0))
    };
    let (Some(key_a), Some(key_b)) = (key('1'), key('2')) else {
        c.error("invalid field number");
        return 1;
    };
    let split = |lines: &[String]| -> Vec<Vec<String>> {
        let fields = |line: &String| match o.value('t') {
            Some(t) => line.split(t).map(str::to_owned).collect(),
            None => line.split_whitespace().map(str::to_owned).collect(),
        };
        lines.iter().map(fields).collect()
    };
    let (a, b) = (split(&a), split(&b));
    let field = |row: &[String], n: usize| row.get(n - 1).cloned().unwrap_or_default();
    let empty = o.value('e').unwrap_or_default();
    let between = o.value('t').unwrap_or(" ");
    let no_row = Vec::new();
    let put = |x: Option<&Vec<String>>, y: Option<&Vec<String>>| {
        let row = x.map_or_else(|| y.map_or(String::new(), |y| field(y, key_b)), |x| field(x, key_a));
        let (x, y) = (x.unwrap_or(&no_row), y.unwrap_or(&no_row));
        let out: Vec<String> = match o.value('o') {
            Some(list) => list
                .split([',', ' '])
                .map(|item| {
                    let text = match item.split_once('.') {
                        Some((file, n)) => {
                            let n = n.parse().unwrap_or(1).max(1);
                            field(if file == "1" { x } else { y }, n)
                        }
                        None => row.clone(),
                    };
                    if text.is_empty() { empty.to_owned() } else { text }
                })
                .collect(),
            None => {
                let rest = |row: &[String], key: usize| -> Vec<String> {
                    let others = row.iter().enumerate().filter(|(i, _)| *i + 1 != key);
                    others.map(|(_, f)| f.clone()).collect()
                };
                [vec![row], rest(x, key_a), rest(y, key_b)].concat()
            }
        };
        c.stdout.line(out.join(between))
    };
    let alone = |file: &str| ['a', 'v'].iter().any(|l| o.values(*l).iter().any(|v| v == file));
    let (mut i, mut j) = (0, 0);
    loop {
        let (x, y) = (a.get(i), b.get(j));
        let order = match (x, y) {
            (None, None) => return 0,
            (Some(x), Some(y)) if o.has('i') => field(x, key_a).lower().cmp(&field(y, key_b).lower()),
            (Some(x), Some(y)) => field(x, key_a).cmp(&field(y, key_b)),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Less => {
                if alone("1") {
                    put(x, None);
                }
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                if alone("2") {
                    put(None, y);
                }
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                let same = |rows: &[Vec<String>], from: usize, key: usize| {
                    let first = rows.get(from).map(|r| field(r, key));
                    let group = rows.iter().skip(from).take_while(|r| Some(field(r, key)) == first);
                    group.count().max(1)
                };
                let (n, m) = (same(&a, i, key_a), same(&b, j, key_b));
                for x in a.iter().skip(i).take(n) {
                    for y in b.iter().skip(j).take(m) {
                        if !o.has('v') && !put(Some(x), Some(y)) {
                            return 0;
                        }
                    }
                }
                i += n;
                j += m;
            }
        }
        c.stdout.ready().await;
    }
}

pub(super) async fn shuf(c: Context) -> i32 {
    let long = [
        ("head-count", 'n'),
        ("echo", 'e'),
        ("input-range", 'i'),
        ("repeat", 'r'),
    ];
    let o = match options::parse(&c, "n:ei:r", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut lines = if o.has('e') {
        o.rest.clone()
    } else if let Some(range) = o.value('i') {
        let ends = range
            .split_once('-')
            .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let Some((a, b)) = ends.filter(|(a, b): &(u64, u64)| a <= b) else {
            c.error(format!("invalid input range: ‘{range}’"));
            return 1;
        };
        (a..=b).take(limits::SHELL_WORDS).map(|n| n.to_string()).collect()
    } else {
        match lines_of(&c, o.rest.first().map_or("-", |p| p)).await {
            Ok(lines) => lines,
            Err(code) => return code,
        }
    };
    let all = if o.has('r') { limits::SHELL_WORDS } else { lines.len() };
    let count = match o.value('n').map(str::parse::<usize>) {
        None => all,
        Some(Ok(n)) => n.min(all),
        Some(Err(_)) => {
            c.error(format!("invalid line count: ‘{}’", o.value('n').unwrap_or_default()));
            return 1;
        }
    };
    for _ in 0..count.min(if lines.is_empty() { 0 } else { count }) {
        let at = c.sim.random_below(lines.len().max(1) as u64) as usize;
        let line = match o.has('r') {
            true => lines.get(at).cloned().unwrap_or_default(),
            false => lines.swap_remove(at),
        };
        if !c.stdout.line(line) {
            break;
        }
        c.stdout.ready().await;
    }
    0
}

pub(super) async fn split(c: Context) -> i32 {
    let long = [
        ("lines", 'l'),
        ("bytes", 'b'),
        ("numeric-suffixes", 'd'),
        ("suffix-length", 'a'),
        ("additional-suffix", 'σ'),
    ];
    let o = match options::parse(&c, "l:b:da:σ:", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let path = o.rest.first().map_or("-", |p| p);
    let bytes = match c.open(path) {
        Ok(input) => input.read_all().await,
        Err(error) => {
            c.error(format!("cannot open '{path}' for reading: {error}"));
            return 1;
        }
    };
    let (letter, text) = match o.value('b') {
        Some(text) => ("bytes", text),
        None => ("lines", o.value('l').unwrap_or("1000")),
    };
    let Some(size) = amount(text).filter(|n| *n > 0) else {
        c.error(format!("invalid number of {letter}: ‘{text}’"));
        return 1;
    };
    let pieces: Vec<Vec<u8>> = if letter == "bytes" {
        bytes.chunks(size as usize).map(<[u8]>::to_vec).collect()
    } else {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        lines.chunks(size as usize).map(<[&[u8]]>::concat).collect()
    };
    let length = o.value('a').and_then(|n| n.parse().ok()).unwrap_or(2usize).clamp(1, 8);
    let base = if o.has('d') { 10 } else { 26 };
    for (i, piece) in pieces.into_iter().enumerate() {
        let mut suffix = Vec::new();
        let mut n = i;
        for _ in 0..length {
            suffix.push((if o.has('d') { b'0' } else { b'a' } + (n % base) as u8) as char);
            n /= base;
        }
        if n > 0 {
            c.error("output file suffixes exhausted");
            return 1;
        }
        let suffix: String = suffix.iter().rev().collect();
        let name = format!(
            "{}{suffix}{}",
            o.rest.get(1).map_or("x", |p| p),
            o.value('σ').unwrap_or_default()
        );
        if let Err(error) = c.files.write(&c.path(&name), piece) {
            c.error(format!("{name}: {error}"));
            return 1;
        }
    }
    0
}

pub(super) async fn truncate(c: Context) -> i32 {
    let o = match options::parse(&c, "s:c", &[("size", 's'), ("no-create", 'c')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let Some(text) = o.value('s') else {
        return options::usage(&c, "you must specify either ‘--size’ or ‘--reference’");
    };
    let Some(size) = amount(text.trim_start_matches(['+', '-'])) else {
        c.error(format!("Invalid number: ‘{text}’"));
        return 1;
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing file operand");
    }
    for path in &o.rest {
        let full = c.path(path);
        if o.has('c') && !c.files.exists(&full) {
            continue;
        }
        let mut bytes = c.files.read(&full).map(|b| b.to_vec()).unwrap_or_default();
        let old = bytes.len() as u64;
        let size = match text.chars().next() {
            Some('+') => old.saturating_add(size),
            Some('-') => old.saturating_sub(size),
            _ => size,
        };
        let result = if size > limits::FILE_SYSTEM_BYTES as u64 {
            c.error(format!("failed to truncate '{path}' at {size} bytes: File too large"));
            return 1;
        } else {
            bytes.resize(size as usize, 0);
            c.files.write(&full, bytes)
        };
        if let Err(error) = result {
            c.error(format!("cannot open '{path}' for writing: {error}"));
            return 1;
        }
    }
    0
}

pub(super) async fn od(c: Context) -> i32 {
    let long = [
        ("address-radix", 'A'),
        ("format", 't'),
        ("read-bytes", 'N'),
        ("skip-bytes", 'j'),
        ("output-duplicates", 'v'),
        ("width", 'w'),
    ];
    let o = match options::parse(&c, "A:t:N:j:vw?cxbdo", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    // The form and how many bytes each item has.
    let mut forms: Vec<(char, usize)> = Vec::new();
    for (letter, value) in &o.flags {
        match letter {
            'c' => forms.push(('c', 1)),
            'x' => forms.push(('x', 2)),
            'b' => forms.push(('o', 1)),
            'd' => forms.push(('u', 2)),
            'o' => forms.push(('o', 2)),
            't' => {
                let mut chars = value.chars().peekable();
                while let Some(form) = chars.next() {
                    let size = match chars.next_if(|d| d.is_ascii_digit() || matches!(d, 'C' | 'S' | 'I' | 'L')) {
                        None if form == 'c' => 1,
                        None | Some('4' | 'I') => 4,
                        Some('1' | 'C') => 1,
                        Some('2' | 'S') => 2,
                        Some('8' | 'L') => 8,
                        _ => 0,
                    };
                    if !matches!(form, 'c' | 'x' | 'o' | 'u' | 'd') || size == 0 {
                        c.error(format!("invalid type string ‘{value}’"));
                        return 1;
                    }
                    forms.push((form, size));
                }
            }
            _ => {}
        }
    }
    if forms.is_empty() {
        forms.push(('o', 2));
    }
    let number = |letter: char| o.value(letter).and_then(amount);
    let take = number('N').map_or(limits::SHELL_WORD_BYTES, |n| {
        n.min(limits::SHELL_WORD_BYTES as u64) as usize
    });
    let skip = number('j').unwrap_or(0) as usize;
    let mut bytes = Vec::new();
    for path in inputs(&o) {
        match c.open(&path) {
            Ok(input) => {
                let wanted = skip.saturating_add(take);
                while bytes.len() < wanted {
                    let more = input.read(wanted - bytes.len()).await;
                    if more.is_empty() {
                        break;
                    }
                    bytes.extend(more);
                }
            }
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        }
    }
    let bytes = bytes.get(skip..).unwrap_or_default();
    let bytes = bytes.get(..take.min(bytes.len())).unwrap_or_default();
    let address = |at: usize| match o.value('A') {
        Some("n") => String::new(),
        Some("x") => format!("{at:06x}"),
        Some("d") => format!("{at:07}"),
        _ => format!("{at:07o}"),
    };
    let width = |form: char, size: usize| match (form, size) {
        ('c', _) | ('u' | 'o', 1) => 3,
        ('x', n) => 2 * n,
        ('o', 2) | ('d', 2) => 6,
        ('u', 2) => 5,
        ('o', 4) | ('d', 4) => 11,
        ('u', 4) => 10,
        ('o', _) => 22,
        ('d', 1) => 4,
        _ => 20,
    };
    let per_line = o.value('w').map_or(16, |w| w.parse().unwrap_or(32)).clamp(1, 4096);
    // Items of several forms stand below each other: all have the room of the widest in a block of the largest.
    let block = forms.iter().map(|(_, size)| *size).max().unwrap_or(1);
    let widths = forms
        .iter()
        .map(|(form, size)| block / size * (width(*form, *size) + 1));
    let room = widths.max().unwrap_or(1);
    let mut last: Option<&[u8]> = None;
    let mut starred = false;
    for (n, line) in bytes.chunks(per_line).enumerate() {
        if last == Some(line) && line.len() == per_line && !o.has('v') {
            if !starred {
                c.stdout.line("*");
            }
            starred = true;
            continue;
        }
        starred = false;
        last = Some(line);
        for (i, (form, size)) in forms.iter().enumerate() {
            let mut text = match i {
                0 => address(skip + n * per_line),
                _ => " ".repeat(address(0).len()),
            };
            for item in line.chunks(*size) {
                let value = item.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
                let shown = match form {
                    'x' => format!("{value:0w$x}", w = width(*form, *size)),
                    'o' => format!("{value:0w$o}", w = width(*form, *size)),
                    'u' => value.to_string(),
                    'd' => {
                        let shift = 64 - 8 * *size as u32;
                        ((value << shift) as i64 >> shift).to_string()
                    }
                    _ => match value as u8 {
                        0 => "\\0".to_owned(),
                        7 => "\\a".to_owned(),
                        8 => "\\b".to_owned(),
                        9 => "\\t".to_owned(),
                        10 => "\\n".to_owned(),
                        11 => "\\v".to_owned(),
                        12 => "\\f".to_owned(),
                        13 => "\\r".to_owned(),
                        b @ 0x20..=0x7e => char::from(b).to_string(),
                        b => format!("{b:03o}"),
                    },
                };
                text.push_str(&format!("{shown:>w$}", w = room * size / block));
            }
            if !c.stdout.line(text) {
                return 0;
            }
        }
        c.stdout.ready().await;
    }
    let end = address(skip + bytes.len());
    if !end.is_empty() {
        c.stdout.line(end);
    }
    0
}

/// `expand` and `unexpand -a` are rare; `expand` turns tabs into blanks.
pub(super) async fn expand(c: Context) -> i32 {
    let o = match options::parse(&c, "t:", &[("tabs", 't')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let stop = o
        .value('t')
        .and_then(|t| t.parse().ok())
        .unwrap_or(8usize)
        .clamp(1, 1_000);
    for path in inputs(&o) {
        let lines = match lines_of(&c, &path).await {
            Ok(lines) => lines,
            Err(code) => return code,
        };
        for line in lines {
            let mut out = String::new();
            let mut column = 0;
            for ch in line.chars() {
                let room = if ch == '\t' { stop - column % stop } else { 1 };
                column += room;
                match ch {
                    '\t' => out.push_str(&" ".repeat(room)),
                    ch => out.push(ch),
                }
            }
            c.stdout.line(out);
        }
    }
    0
}

/// `envsubst`: `$NAME` and `${NAME}` become the environment's values; with an argument only the names in it.
pub(super) async fn envsubst(c: Context) -> i32 {
    let text = c.stdin.read_text().await;
    let only = c.arg(1).map(|list| {
        let mut names = Vec::new();
        replace(list, |name| {
            names.push(name.to_owned());
            None
        });
        names
    });
    let out = replace(&text, |name| match &only {
        Some(names) if !names.iter().any(|n| n == name) => None,
        _ => Some(c.env.get(name).cloned().unwrap_or_default()),
    });
    c.stdout.write(out);
    0
}

/// A text with its references replaced; `None` leaves one as it is.
fn replace(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (open, inner) = match after.strip_prefix('{') {
            Some(inner) => (true, inner),
            None => (false, after),
        };
        let length = inner
            .find(|ch: char| !(ch == '_' || ch.is_ascii_alphanumeric()))
            .unwrap_or(inner.len());
        let (name, tail) = inner.split_at(length);
        let tail = if open { tail.strip_prefix('}') } else { Some(tail) };
        let new = tail.filter(|_| name.starts_with(|ch: char| ch == '_' || ch.is_ascii_alphabetic()));
        match new.and_then(|tail| Some((tail, value(name)?))) {
            Some((tail, new)) => {
                out.push_str(&new);
                rest = tail;
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
        if out.len() > limits::SHELL_OUTPUT_BYTES {
            return out;
        }
    }
    out + rest
}

/// `arch`, `groups`, `logname`, `sync`, `tty`.
pub(super) async fn small(c: Context) -> i32 {
    match super::super::files::base_name(c.name()) {
        "arch" => c.stdout.line("x86_64"),
        "sync" => true,
        "tty" if !c.stdin.is_terminal() => {
            c.stdout.line("not a tty");
            return 1;
        }
        "tty" => c.stdout.line("/dev/pts/0"),
        "groups" => c.stdout.line(c.accounts().names_of_groups(&c.host.user().all_groups())),
        // `logname`.
        _ => c.stdout.line(c.accounts().user_or_number(c.host.user().uid)),
    };
    0
}
