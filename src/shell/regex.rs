//! POSIX regular expressions, basic and extended with GNU's additions, on `regex-lite`; those that look around or
//! back on [`Backtrack`].
//!
//! Alternatives match as in Perl (the first that fits, not the longest).

use super::backtrack::Backtrack;
use crate::limits;

/// A compiled expression.
pub struct Regex(Engine);

enum Engine {
    Lite(regex_lite::Regex),
    Backtrack(Backtrack),
}

/// Matched groups: byte ranges of the text, group 0 first.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

impl Regex {
    /// Compiles a basic or extended expression. The error is a plain sentence.
    pub fn new(pattern: &str, extended: bool, ignore_case: bool) -> Result<Regex, String> {
        let translated = translate(pattern, extended)?;
        Regex::perl(&translated, ignore_case)
    }

    /// Compiles an expression in Perl's syntax (`grep -P`).
    pub fn perl(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
        let flags = if ignore_case { "(?si)" } else { "(?s)" };
        regex_lite::RegexBuilder::new(&format!("{flags}{pattern}"))
            .size_limit(1 << 20)
            .build()
            .ok()
            .map(Engine::Lite)
            .or_else(|| Backtrack::new(pattern, ignore_case).map(Engine::Backtrack))
            .map(Regex)
            .ok_or_else(|| "Invalid regular expression".to_owned())
    }

    pub fn is_match(&self, text: &str) -> bool {
        match &self.0 {
            Engine::Lite(regex) => regex.is_match(text),
            Engine::Backtrack(regex) => regex.groups_at(text, 0).is_some(),
        }
    }

    /// The first match at or after byte `from`, with its groups.
    pub fn groups_at(&self, text: &str, from: usize) -> Option<Groups> {
        if from > text.len() {
            return None;
        }
        let found = match &self.0 {
            Engine::Lite(regex) => regex.captures_at(text, from)?,
            Engine::Backtrack(regex) => return regex.groups_at(text, from),
        };
        Some(
            (0..found.len())
                .map(|i| found.get(i).map(|m| (m.start(), m.end())))
                .collect(),
        )
    }

    /// The groups of the first match as text.
    pub fn captures(&self, text: &str) -> Option<Vec<Option<String>>> {
        let groups = self.groups_at(text, 0)?;
        Some(
            groups
                .into_iter()
                .map(|g| g.and_then(|(a, b)| text.get(a..b)).map(str::to_owned))
                .collect(),
        )
    }

    /// The first match at or after byte `from`.
    pub fn find_at(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        if from > text.len() {
            return None;
        }
        match &self.0 {
            Engine::Lite(regex) => regex.find_at(text, from).map(|m| (m.start(), m.end())),
            Engine::Backtrack(regex) => regex.groups_at(text, from)?.first().copied().flatten(),
        }
    }

    /// The text after a replacement of its matches: `with` is given the groups of each, adds to the text so far what
    /// stands in its place, and says whether to go on. An empty match right after a match does not count.
    pub fn replace(&self, text: &str, with: &mut dyn FnMut(&[&str], &mut String) -> bool) -> String {
        let slice = |from, to| text.get(from..to).unwrap_or_default();
        let mut out = String::new();
        let mut at = 0;
        let mut last_end = None;
        while let Some(groups) = self.groups_at(text, at) {
            let Some((a, b)) = groups.first().copied().flatten() else {
                break;
            };
            out.push_str(slice(at, a));
            let found: Vec<&str> = groups.iter().map(|g| g.map_or("", |(a, b)| slice(a, b))).collect();
            let go_on = (a == b && last_end == Some(a)) || with(&found, &mut out);
            last_end = Some(b);
            at = b;
            if a == b {
                let next = slice(b, text.len()).chars().next();
                out.extend(next);
                at += next.map_or(1, char::len_utf8);
            }
            if !go_on || out.len() > limits::SHELL_WORD_BYTES {
                break;
            }
        }
        out.push_str(slice(at, text.len()));
        out
    }
}

/// The expression in Perl's syntax.
fn translate(pattern: &str, extended: bool) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::new();
    let mut i = 0;
    let mut open = 0usize;
    let mut groups = 0;
    // Whether an atom stands before, that a repetition may follow.
    let mut after_atom = false;
    let mut at_start = true;
    while let Some(c) = chars.get(i).copied() {
        i += 1;
        // Which operator this is, in both syntaxes.
        let (op, escaped) = match c {
            '\\' => match chars.get(i).copied() {
                None => return Err("Trailing backslash".to_owned()),
                Some(e) => {
                    i += 1;
                    (e, true)
                }
            },
            c => (c, false),
        };
        let is_op = escaped != extended && "(){}|+?".contains(op);
        if is_op {
            match op {
                '(' => {
                    out.push('(');
                    open += 1;
                    groups += 1;
                    after_atom = false;
                    at_start = true;
                    continue;
                }
                ')' => {
                    if open == 0 {
                        if extended {
                            out.push_str("\\)");
                            after_atom = true;
                            continue;
                        }
                        return Err("Unmatched ) or \\)".to_owned());
                    }
                    open -= 1;
                    out.push(')');
                    after_atom = true;
                }
                '|' => {
                    out.push('|');
                    after_atom = false;
                    at_start = true;
                    continue;
                }
                '{' => {
                    if !after_atom {
                        if extended {
                            out.push_str("\\{");
                            after_atom = true;
                            at_start = false;
                            continue;
                        }
                        return Err("Invalid preceding regular expression".to_owned());
                    }
                    match interval(&chars, i, extended) {
                        Some((text, next)) => {
                            out.push_str(&text?);
                            i = next;
                        }
                        None if extended => {
                            out.push_str("\\{");
                            after_atom = true;
                        }
                        None => return Err("Unmatched \\{".to_owned()),
                    }
                }
                '}' => {
                    out.push_str("\\}");
                    after_atom = true;
                }
                op => {
                    if after_atom {
                        repeat(&mut out, op);
                    } else if !extended {
                        out.push('\\');
                        out.push(op);
                        after_atom = true;
                    }
                }
            }
            at_start = false;
            continue;
        }
        if escaped {
            match op {
                'w' | 'W' | 's' | 'S' => {
                    out.push('\\');
                    out.push(op);
                    after_atom = true;
                }
                'b' | 'B' => {
                    out.push('\\');
                    out.push(op);
                }
                '<' => out.push_str("\\b{start}"),
                '>' => out.push_str("\\b{end}"),
                '`' => out.push_str("\\A"),
                '\'' => out.push_str("\\z"),
                'n' => {
                    out.push_str("\\n");
                    after_atom = true;
                }
                't' => {
                    out.push_str("\\t");
                    after_atom = true;
                }
                '1'..='9' if op.to_digit(10) > Some(groups) => return Err("Invalid back reference".to_owned()),
                '1'..='9' => {
                    out.push('\\');
                    out.push(op);
                    after_atom = true;
                }
                op => {
                    literal(&mut out, op);
                    after_atom = true;
                }
            }
            at_start = false;
            continue;
        }
        match op {
            '*' => {
                if after_atom {
                    repeat(&mut out, '*');
                } else if !extended || !at_start {
                    out.push_str("\\*");
                    after_atom = true;
                }
            }
            '^' => {
                if extended || at_start {
                    out.push('^');
                    // A star after an anchor is text.
                    after_atom = false;
                    continue;
                }
                out.push_str("\\^");
                after_atom = true;
            }
            '$' => {
                let ends = chars.get(i).is_none()
                    || (!extended && chars.get(i) == Some(&'\\') && matches!(chars.get(i + 1), Some(')' | '|')));
                if extended || ends {
                    out.push('$');
                    after_atom = false;
                } else {
                    out.push_str("\\$");
                    after_atom = true;
                }
            }
            '.' => {
                out.push('.');
                after_atom = true;
            }
            '[' => {
                let (text, next) = bracket(&chars, i)?;
                out.push_str(&text);
                i = next;
                after_atom = true;
            }
            c => {
                literal(&mut out, c);
                after_atom = true;
            }
        }
        at_start = false;
    }
    if open > 0 {
        return Err("Unmatched ( or \\(".to_owned());
    }
    Ok(out)
}

fn literal(out: &mut String, c: char) {
    if "\\.+*?()|[]{}^$#&-~/".contains(c) && c != '/' {
        out.push('\\');
    }
    out.push(c);
}

/// Adds a repetition; a second one in a row (`a**`) is folded, since it would mean "lazy" in Perl.
fn repeat(out: &mut String, op: char) {
    let folded = out.ends_with(['*', '+', '?', '}'])
        && !out.ends_with("\\*")
        && !out.ends_with("\\+")
        && !out.ends_with("\\?")
        && !out.ends_with("\\}");
    if folded {
        if let Some(atom) = out.pop()
            && atom == '}'
        {
            out.push('}');
        }
        out.push('*');
    } else {
        out.push(op);
    }
}

/// `{n,m}` after its opening brace: the text and where it ends; `None` when it is none.
#[allow(clippy::type_complexity)]
fn interval(chars: &[char], from: usize, extended: bool) -> Option<(Result<String, String>, usize)> {
    let mut i = from;
    let mut text = String::new();
    while chars.get(i).is_some_and(|c| c.is_ascii_digit() || *c == ',') {
        text.extend(chars.get(i));
        i += 1;
    }
    let closed = if extended {
        chars.get(i) == Some(&'}')
    } else {
        chars.get(i) == Some(&'\\') && chars.get(i + 1) == Some(&'}')
    };
    if !closed || text.is_empty() {
        return None;
    }
    i += if extended { 1 } else { 2 };
    let (low, high) = match text.split_once(',') {
        Some((low, high)) => (low, Some(high)),
        None => (text.as_str(), None),
    };
    let low_number = low.parse::<u32>().unwrap_or(0);
    let high_number = high.and_then(|h| h.parse::<u32>().ok());
    if low_number > 32_767 || high_number.is_some_and(|h| h > 32_767 || h < low_number) {
        return Some((Err("Invalid content of \\{\\}".to_owned()), i));
    }
    let out = match high {
        None => format!("{{{low_number}}}"),
        Some("") => format!("{{{low_number},}}"),
        Some(high) => format!("{{{low_number},{high}}}"),
    };
    Some((Ok(out), i))
}

/// A bracket expression after its `[`: the text and where it ends.
fn bracket(chars: &[char], from: usize) -> Result<(String, usize), String> {
    let unmatched = || "Unmatched [, [^, [:, [., or [=".to_owned();
    let mut i = from;
    let mut out = String::from("[");
    if chars.get(i) == Some(&'^') {
        out.push('^');
        i += 1;
    }
    let mut first = true;
    loop {
        let c = *chars.get(i).ok_or_else(unmatched)?;
        i += 1;
        match c {
            ']' if !first => {
                out.push(']');
                return Ok((out, i));
            }
            '[' if matches!(chars.get(i), Some(':' | '.' | '=')) => {
                let kind = chars.get(i).copied().unwrap_or(':');
                let mut name = String::new();
                let mut j = i + 1;
                loop {
                    match (chars.get(j), chars.get(j + 1)) {
                        (Some(k), Some(']')) if *k == kind => break,
                        (Some(k), _) => {
                            name.push(*k);
                            j += 1;
                        }
                        (None, _) => return Err(unmatched()),
                    }
                }
                i = j + 2;
                if kind == ':' {
                    let known = [
                        "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph",
                        "cntrl", "xdigit",
                    ];
                    if !known.contains(&name.as_str()) {
                        return Err("Invalid character class name".to_owned());
                    }
                    out.push_str(&format!("[:{name}:]"));
                } else {
                    for c in name.chars() {
                        set_member(&mut out, c);
                    }
                }
            }
            '-' => {
                // A dash between two members is a range; at an end it is a dash.
                let is_last = chars.get(i) == Some(&']');
                if first || is_last {
                    out.push_str("\\-");
                } else if chars.get(i) < chars.get(i.wrapping_sub(2)) && chars.get(i) != Some(&'[') {
                    return Err("Invalid range end".to_owned());
                } else {
                    out.push('-');
                }
            }
            c => set_member(&mut out, c),
        }
        first = false;
    }
}

fn set_member(out: &mut String, c: char) {
    if "\\[]^&~-#".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_syntaxes() {
        for (extended, pattern, text, want) in [
            (false, "a+b", "a+b", Some("a+b")),
            (true, "a+b", "xaab", Some("aab")),
            (false, "a\\+b", "aab", Some("aab")),
            (false, "\\(a\\|b\\)c", "xbc", Some("bc")),
            (false, "^*a", "*a", Some("*a")),
            (false, "a$b", "a$b", Some("a$b")),
            (true, "[0-9a-f]{4}", "x12af9", Some("12af")),
            (false, "[0-9]\\{2\\}", "a123", Some("12")),
            (true, "^(Name|IP):", "IP: x", Some("IP:")),
            (false, "[][]", "x]", Some("]")),
            (false, "[^]]", "]a", Some("a")),
            (true, "[[:space:]]+", "a \t b", Some(" \t ")),
            (false, "{\"a\"}", "{\"a\"}", Some("{\"a\"}")),
            (true, "a{x", "a{x", Some("a{x")),
            (false, "\\<web\\>", "a web b", Some("web")),
            (false, "[a\\]", "\\", Some("\\")),
            (true, "", "abc", Some("")),
            (true, "x*", "aaa", Some("")),
            (false, "'", "it's", Some("'")),
            (false, "\\.", "a.b", Some(".")),
            (true, "a|b|", "c", Some("")),
        ] {
            let regex = Regex::new(pattern, extended, false).unwrap();
            let found = regex.find_at(text, 0).map(|(a, b)| &text[a..b]);
            assert_eq!(found, want, "{pattern} on {text}");
        }
        assert!(Regex::new("[a", false, false).is_err());
        assert!(Regex::new("\\(a", false, false).is_err());
        assert!(Regex::new("^[a-Z]", false, false).is_err_and(|e| e == "Invalid range end"));
        assert!(Regex::new("(a)\\2", true, false).is_err_and(|e| e == "Invalid back reference"));
        assert!(Regex::new("\\(.\\)x\\1", false, false).is_ok_and(|r| r.is_match("bxb") && !r.is_match("bxc")));
        assert!(Regex::new("A", false, true).unwrap().is_match("a"));
    }
}
