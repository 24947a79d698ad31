//! Words: escapes, glob patterns, brace expansion and quoting. Pure functions over text.

use super::parser::is_name;
use super::syntax::Part;
use crate::limits;

/// Whose backslash escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `$'…'`
    Dollar,
    /// `echo -e`
    Echo,
    /// A `printf` format, and the argument of `%b` (which also knows `\0nnn`).
    Printf,
    PrintfB,
}

/// Text with its backslash escapes replaced. With `echo -e` and `%b`, `\c` ends the text; the caller
/// sees that by [`ends_output`].
pub(super) fn unescape(text: &str, kind: Escapes) -> Vec<u8> {
    unescape_until(text, kind).0
}

/// [`unescape`], and whether a `\c` ended all further output.
pub(super) fn unescape_until(text: &str, kind: Escapes) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(text.len());
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    let push = |out: &mut Vec<u8>, c: char| {
        let mut buffer = [0; 4];
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    };
    let digits = |from: usize, max: usize, radix: u32| {
        let mut value = 0u32;
        let mut n = 0;
        while n < max {
            let Some(d) = chars.get(from + n).and_then(|c| c.to_digit(radix)) else {
                break;
            };
            value = value.wrapping_mul(radix).wrapping_add(d);
            n += 1;
        }
        (value, n)
    };
    while let Some(c) = chars.get(i).copied() {
        i += 1;
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        let Some(e) = chars.get(i).copied() else {
            out.push(b'\\');
            break;
        };
        i += 1;
        match e {
            'a' => out.push(7),
            'b' => out.push(8),
            'e' | 'E' => out.push(27),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' => out.push(b'\\'),
            '\'' | '"' | '?' if matches!(kind, Escapes::Dollar | Escapes::Printf) => push(&mut out, e),
            'c' if kind == Escapes::Dollar => {
                if let Some(k) = chars.get(i) {
                    out.push((*k as u32 as u8) & 0x1f);
                    i += 1;
                }
            }
            'c' if kind != Escapes::Printf => return (out, true),
            'x' => {
                let (value, n) = digits(i, 2, 16);
                if n == 0 {
                    out.extend_from_slice(b"\\x");
                } else {
                    out.push(value as u8);
                    i += n;
                }
            }
            'u' | 'U' => {
                let (value, n) = digits(i, if e == 'u' { 4 } else { 8 }, 16);
                match char::from_u32(value) {
                    Some(c) if n > 0 => {
                        push(&mut out, c);
                        i += n;
                    }
                    _ => {
                        out.push(b'\\');
                        push(&mut out, e);
                    }
                }
            }
            '0' if matches!(kind, Escapes::Echo | Escapes::PrintfB) => {
                let (value, n) = digits(i, 3, 8);
                out.push(value as u8);
                i += n;
            }
            '0'..='7' if kind != Escapes::Echo => {
                let (value, n) = digits(i - 1, 3, 8);
                out.push(value as u8);
                i += n - 1;
            }
            _ => {
                out.push(b'\\');
                push(&mut out, e);
            }
        }
    }
    (out, false)
}

/// A compiled glob pattern. A backslash guards the next character.
pub(crate) struct Glob(Vec<Atom>);

enum Atom {
    Char(char),
    Any,
    Star,
    /// A bracket expression: negated, and its ranges and classes.
    Set(bool, Vec<Range>),
}

enum Range {
    Chars(char, char),
    Class(String),
}

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        let chars: Vec<char> = pattern.chars().collect();
        let mut atoms = Vec::new();
        let mut i = 0;
        while let Some(c) = chars.get(i).copied() {
            i += 1;
            match c {
                '\\' => match chars.get(i) {
                    Some(c) => {
                        atoms.push(Atom::Char(*c));
                        i += 1;
                    }
                    None => atoms.push(Atom::Char('\\')),
                },
                '?' => atoms.push(Atom::Any),
                '*' => {
                    if !matches!(atoms.last(), Some(Atom::Star)) {
                        atoms.push(Atom::Star);
                    }
                }
                '[' => match bracket(&chars, i) {
                    Some((atom, next)) => {
                        atoms.push(atom);
                        i = next;
                    }
                    None => atoms.push(Atom::Char('[')),
                },
                c => atoms.push(Atom::Char(c)),
            }
        }
        Glob(atoms)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        self.matches_chars(&chars)
    }

    /// Whether the whole text matches. Takes at most pattern × text steps.
    pub fn matches_chars(&self, text: &[char]) -> bool {
        let (mut p, mut t) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        loop {
            let step = match (self.0.get(p), text.get(t)) {
                (Some(Atom::Star), _) => {
                    back = Some((p, t));
                    p += 1;
                    continue;
                }
                (Some(atom), Some(c)) => atom.matches(*c),
                (None, None) => return true,
                _ => false,
            };
            if step {
                p += 1;
                t += 1;
            } else if let Some((star, from)) = back {
                if from >= text.len() {
                    return false;
                }
                p = star + 1;
                t = from + 1;
                back = Some((star, t));
            } else {
                return false;
            }
        }
    }
}

impl Atom {
    fn matches(&self, c: char) -> bool {
        match self {
            Atom::Char(k) => *k == c,
            Atom::Any | Atom::Star => true,
            Atom::Set(negated, ranges) => {
                let inside = ranges.iter().any(|r| match r {
                    Range::Chars(a, b) => *a <= c && c <= *b,
                    Range::Class(name) => in_class(name, c),
                });
                inside != *negated
            }
        }
    }
}

/// Whether a character belongs to a POSIX class.
pub(super) fn in_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "print" => !c.is_control(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        "cntrl" => c.is_control(),
        "xdigit" => c.is_ascii_hexdigit(),
        "word" => c == '_' || c.is_alphanumeric(),
        _ => false,
    }
}

fn bracket(chars: &[char], mut i: usize) -> Option<(Atom, usize)> {
    let negated = matches!(chars.get(i), Some('!' | '^'));
    if negated {
        i += 1;
    }
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        let c = *chars.get(i)?;
        if c == ']' && !first {
            return Some((Atom::Set(negated, ranges), i + 1));
        }
        first = false;
        if c == '[' && chars.get(i + 1) == Some(&':') {
            let rest = chars.get(i + 2..)?;
            if let Some(end) = rest.windows(2).position(|w| w == [':', ']']) {
                ranges.push(Range::Class(rest.get(..end)?.iter().collect()));
                i += end + 4;
                continue;
            }
        }
        let (low, next) = member(chars, i)?;
        i = next;
        if chars.get(i) == Some(&'-') && chars.get(i + 1).is_some_and(|c| *c != ']') {
            let (high, next) = member(chars, i + 1)?;
            ranges.push(Range::Chars(low, high));
            i = next;
        } else {
            ranges.push(Range::Chars(low, low));
        }
    }
}

fn member(chars: &[char], i: usize) -> Option<(char, usize)> {
    match chars.get(i)? {
        '\\' => chars.get(i + 1).map(|c| (*c, i + 2)),
        c => Some((*c, i + 1)),
    }
}

/// Whether text has an unguarded glob character.
pub(super) fn has_glob(pattern: &str) -> bool {
    let mut guarded = false;
    let mut open = false;
    for c in pattern.chars() {
        match c {
            _ if guarded => guarded = false,
            '\\' => guarded = true,
            '*' | '?' => return true,
            '[' => open = true,
            ']' if open => return true,
            _ => {}
        }
    }
    false
}

/// Text in which no character means anything to a glob.
pub(crate) fn escape_glob(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\*?[]!^-".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A glob pattern without its backslashes.
pub(super) fn unescape_glob(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

/// Text quoted so that the shell reads it as one word, as `set -x` and `declare -p` print words.
pub(super) fn quote(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    if text.chars().any(|c| c.is_control()) {
        return quote_dollar(text);
    }
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `$'…'`.
pub(super) fn quote_dollar(text: &str) -> String {
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\E"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\{:03o}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `printf %q`: backslashes before what is special.
pub(super) fn quote_backslash(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    if text.chars().any(char::is_control) {
        return quote_dollar(text);
    }
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        let special = " \t!\"$&'()*,;<>?[\\]^`{|}".contains(c) || (i == 0 && (c == '~' || c == '#'));
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A piece of a word while its braces are expanded.
#[derive(Clone)]
enum Bit {
    Char(char),
    Part(Part),
}

/// The words that a word's braces give: itself when it has none. `None` when they are too many.
pub(super) fn expand_braces(parts: &[Part]) -> Option<Vec<Vec<Part>>> {
    let alive = parts.iter().any(|p| matches!(p, Part::Literal(t) if t.contains('{')));
    if !alive {
        return Some(vec![parts.to_vec()]);
    }
    let mut bits = Vec::new();
    for part in parts {
        match part {
            Part::Literal(text) => bits.extend(text.chars().map(Bit::Char)),
            part => bits.push(Bit::Part(part.clone())),
        }
    }
    let mut budget = limits::SHELL_WORDS;
    let words = brace_bits(&bits, &mut budget, 0)?;
    Some(words.into_iter().map(join_bits).collect())
}

fn join_bits(bits: Vec<Bit>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    for bit in bits {
        match bit {
            Bit::Char(c) => literal.push(c),
            Bit::Part(part) => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts
}

fn is_char(bit: Option<&Bit>, c: char) -> bool {
    matches!(bit, Some(Bit::Char(k)) if *k == c)
}

fn brace_bits(bits: &[Bit], budget: &mut usize, depth: usize) -> Option<Vec<Vec<Bit>>> {
    if depth > limits::SHELL_DEPTH {
        return None;
    }
    for open in 0..bits.len() {
        if !is_char(bits.get(open), '{') {
            continue;
        }
        // The brace that closes this one, and the commas directly inside it.
        let mut level = 0;
        let mut commas = Vec::new();
        let mut close = None;
        for (i, bit) in bits.iter().enumerate().skip(open) {
            match bit {
                Bit::Char('{') => level += 1,
                Bit::Char('}') => {
                    level -= 1;
                    if level == 0 {
                        close = Some(i);
                        break;
                    }
                }
                Bit::Char(',') if level == 1 => commas.push(i),
                _ => {}
            }
        }
        let Some(close) = close else { continue };
        let inside = bits.get(open + 1..close)?;
        let mut choices: Vec<Vec<Bit>> = Vec::new();
        if commas.is_empty() {
            match sequence(inside, *budget) {
                Some(words) => choices.extend(words.into_iter().map(|w| w.chars().map(Bit::Char).collect())),
                None => continue,
            }
        } else {
            let mut from = open + 1;
            for comma in commas.iter().copied().chain([close]) {
                choices.extend(brace_bits(bits.get(from..comma)?, budget, depth + 1)?);
                from = comma + 1;
            }
        }
        let tails = brace_bits(bits.get(close + 1..)?, budget, depth + 1)?;
        *budget = budget.checked_sub(choices.len().checked_mul(tails.len())?)?;
        let head = bits.get(..open)?;
        let mut words = Vec::new();
        for choice in &choices {
            for tail in &tails {
                words.push(head.iter().chain(choice).chain(tail).cloned().collect());
            }
        }
        return Some(words);
    }
    Some(vec![bits.to_vec()])
}

/// `1..5`, `a..e`, `01..10..2`.
fn sequence(bits: &[Bit], budget: usize) -> Option<Vec<String>> {
    let mut text = String::new();
    for bit in bits {
        match bit {
            Bit::Char(c) => text.push(*c),
            Bit::Part(_) => return None,
        }
    }
    let pieces: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match pieces.as_slice() {
        [a, b] => (*a, *b, 1),
        [a, b, s] => (*a, *b, s.parse::<i64>().ok()?),
        _ => return None,
    };
    let walk = |a: i64, b: i64| -> Option<Vec<i64>> {
        let step = step.unsigned_abs().max(1);
        let count = a.abs_diff(b) / step + 1;
        if count > budget as u64 {
            return None;
        }
        Some(
            (0..count)
                .map(|i| {
                    let offset = (i * step) as i64;
                    if a <= b { a + offset } else { a - offset }
                })
                .collect(),
        )
    };
    if let (Ok(a), Ok(b)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let padded = |t: &str| {
            let digits = t.trim_start_matches('-');
            digits.len() > 1 && digits.starts_with('0')
        };
        let width = if padded(from) || padded(to) {
            from.len().max(to.len())
        } else {
            0
        };
        return Some(walk(a, b)?.into_iter().map(|n| format!("{n:0width$}")).collect());
    }
    let letter = |t: &str| {
        let mut chars = t.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii_alphabetic() => Some(i64::from(c as u32)),
            _ => None,
        }
    };
    let (a, b) = (letter(from)?, letter(to)?);
    Some(
        walk(a, b)?
            .into_iter()
            .filter_map(|n| u32::try_from(n).ok().and_then(char::from_u32))
            .map(String::from)
            .collect(),
    )
}

/// `name=value` of an assignment argument.
pub(super) fn split_assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    is_name(name).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("*.yaml", "web.yaml", true),
            ("*.yaml", "web.yml", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[[:digit:]]*", "5a", true),
            ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xaxbxcx", false),
            ("", "", true),
            ("[", "[", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), want, "{pattern} {text}");
        }
        // A pattern that makes naive matchers take exponential time.
        assert!(!Glob::new(&("*a".repeat(50) + "c")).matches(&"a".repeat(2_000)));
    }

    #[test]
    fn braces() {
        let expand = |t: &str| -> Vec<String> {
            expand_braces(&[Part::Literal(t.into())])
                .unwrap()
                .into_iter()
                .map(|parts| match parts.as_slice() {
                    [Part::Literal(t)] => t.clone(),
                    _ => String::new(),
                })
                .collect()
        };
        assert_eq!(expand("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(expand("{1..3}"), ["1", "2", "3"]);
        assert_eq!(expand("{08..10}"), ["08", "09", "10"]);
        assert_eq!(expand("{c..a}"), ["c", "b", "a"]);
        assert_eq!(expand("{a,b{1,2}}"), ["a", "b1", "b2"]);
        assert_eq!(expand("{x}{y,z}"), ["{x}y", "{x}z"]);
        assert_eq!(expand("{a"), ["{a"]);
        assert!(expand_braces(&[Part::Literal("{1..999999999}".into())]).is_some_and(|w| w.len() == 1));
        assert!(expand_braces(&[Part::Literal("{1..1000}{1..1000}".into())]).is_none());
    }
}
