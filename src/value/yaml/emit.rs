//! [`Value`] to YAML, as go-yaml v2 emits it: block style, lists not indented under their key,
//! texts quoted where they would read as something else, lines folded after column 80.

use crate::value::{Value, gofmt};

/// Columns after which a text is folded at its next space, and columns of one indentation.
const WIDTH: usize = 80;
const INDENT: usize = 2;
/// Longer keys, and those of many lines, are written with `? `.
const SIMPLE_KEY: usize = 128;

/// The value as YAML, ending in a line break.
pub fn to_yaml(value: &Value) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
    };
    emitter.node(value, None, false);
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    emitter.out
}

struct Emitter {
    out: String,
    column: usize,
    /// The last written is a space or an indicator after which none is needed.
    whitespace: bool,
    /// Nothing but indentation and `- ` stands on this line.
    indention: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What libyaml calls printable: no tab, no carriage return, nothing beyond the basic plane.
fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Which styles a text can take.
struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

fn analyze(text: &str) -> Analysis {
    if text.is_empty() {
        return Analysis {
            multiline: false,
            plain: true,
            single: true,
            block: false,
        };
    }
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut line_breaks, mut special) = (false, false);
    let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut previous_space, mut previous_break) = (false, false);
    let mut preceded_by_whitespace = true;
    let mut chars = text.chars().enumerate().peekable();
    while let Some((i, c)) = chars.next() {
        let next = chars.peek().map(|(_, n)| *n);
        let followed_by_whitespace = next.is_none_or(|n| n == ' ' || n == '\t' || is_break(n));
        indicators |= match c {
            '#' if i > 0 => preceded_by_whitespace,
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => i == 0,
            '?' | '-' => i == 0 && followed_by_whitespace,
            ':' => followed_by_whitespace,
            _ => false,
        };
        special |= !printable(c);
        if c == ' ' {
            leading |= i == 0;
            trailing_space |= next.is_none();
            break_space |= previous_break;
            (previous_space, previous_break) = (true, false);
        } else if is_break(c) {
            line_breaks = true;
            leading |= i == 0;
            trailing_break |= next.is_none();
            space_break |= previous_space;
            (previous_space, previous_break) = (false, true);
        } else {
            (previous_space, previous_break) = (false, false);
        }
        preceded_by_whitespace = c == ' ' || c == '\t' || c == '\0' || is_break(c);
    }
    let edge = leading || trailing_space || trailing_break;
    let hard = space_break || special;
    Analysis {
        multiline: line_breaks,
        plain: !(edge || break_space || hard || line_breaks || indicators),
        single: !(break_space || hard),
        block: !(trailing_space || hard),
    }
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn write_indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, need_whitespace: bool, is_whitespace: bool, is_indention: bool) {
        if need_whitespace && !self.whitespace {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.whitespace = is_whitespace;
        self.indention &= is_indention;
    }

    /// Writes a node inside a block of this indentation (none: the root).
    fn node(&mut self, value: &Value, indent: Option<usize>, mapping: bool) {
        match value {
            Value::Map(map) if map.is_empty() => self.empty("{", "}"),
            Value::List(items) if items.is_empty() => self.empty("[", "]"),
            Value::Map(map) => {
                let inner = indent.map_or(0, |i| i + INDENT);
                let mut entries: Vec<(&str, &Value)> = map.iter().map(|(k, v)| (k.as_str(), v)).collect();
                sort(&mut entries);
                for (key, value) in entries {
                    self.write_indent(inner);
                    if analyze(key).multiline || key.len() > SIMPLE_KEY {
                        self.indicator("?", true, false, true);
                        self.scalar(key, false, inner + INDENT, false);
                        self.write_indent(inner);
                        self.indicator(":", true, false, true);
                    } else {
                        self.scalar(key, false, inner + INDENT, true);
                        self.indicator(":", false, false, false);
                    }
                    self.node(value, Some(inner), true);
                }
            }
            Value::List(items) => {
                let inner = match indent {
                    None => 0,
                    Some(i) if mapping && !self.indention => i,
                    Some(i) => i + INDENT,
                };
                for item in items.iter() {
                    self.write_indent(inner);
                    self.indicator("-", true, false, true);
                    self.node(item, Some(inner), false);
                }
            }
            Value::Str(text) => self.scalar(text, false, indent.map_or(INDENT, |i| i + INDENT), false),
            Value::Null => self.scalar("null", true, 0, false),
            Value::Bool(b) => self.scalar(if *b { "true" } else { "false" }, true, 0, false),
            Value::Int(i) => self.scalar(&i.to_string(), true, 0, false),
            Value::Float(f) => {
                // Through JSON and back: a whole number when JSON writes it as one.
                let json = gofmt::json_float(*f);
                let whole = json.bytes().all(|b| b.is_ascii_digit() || b == b'-') && json.len() < 20;
                self.scalar(&if whole { json } else { gofmt::float(*f, 'g') }, true, 0, false);
            }
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    /// Writes a scalar whose continuation lines have this indentation.
    fn scalar(&mut self, text: &str, typed: bool, indent: usize, simple_key: bool) {
        let analysis = analyze(text);
        let mut style = if typed {
            Style::Plain
        } else if text.contains('\n') {
            Style::Literal
        } else if super::plain_resolves_to_string(text) && text != "<<" {
            Style::Plain
        } else {
            Style::Double
        };
        if simple_key && analysis.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && !analysis.plain {
            style = Style::Single;
        }
        if style == Style::Single && !analysis.single {
            style = Style::Double;
        }
        if style == Style::Literal && (!analysis.block || simple_key) {
            style = Style::Double;
        }
        match style {
            Style::Plain => self.plain(text, indent, !simple_key),
            Style::Single => self.single(text, indent, !simple_key),
            Style::Double => self.double(text, indent, !simple_key),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, fold: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' {
                if fold && !spaces && self.column > WIDTH && chars.peek() != Some(&' ') {
                    self.write_indent(indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, n)| *n);
            if c == ' ' {
                if fold && !spaces && self.column > WIDTH && i > 0 && next.is_some_and(|n| n != ' ') {
                    self.write_indent(indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.out.push(c);
                self.column = 0;
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent(indent);
                }
                if c == '\'' {
                    self.put(c);
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn double(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, n)| *n);
            if !printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                let escape = match c {
                    '\0' => "\\0".to_owned(),
                    '\u{7}' => "\\a".to_owned(),
                    '\u{8}' => "\\b".to_owned(),
                    '\t' => "\\t".to_owned(),
                    '\n' => "\\n".to_owned(),
                    '\u{b}' => "\\v".to_owned(),
                    '\u{c}' => "\\f".to_owned(),
                    '\r' => "\\r".to_owned(),
                    '\u{1b}' => "\\e".to_owned(),
                    '"' => "\\\"".to_owned(),
                    '\\' => "\\\\".to_owned(),
                    '\u{85}' => "\\N".to_owned(),
                    '\u{2028}' => "\\L".to_owned(),
                    '\u{2029}' => "\\P".to_owned(),
                    c if (c as u32) <= 0xff => format!("\\x{:02X}", c as u32),
                    c if (c as u32) <= 0xffff => format!("\\u{:04X}", c as u32),
                    c => format!("\\U{:08X}", c as u32),
                };
                for e in escape.chars() {
                    self.put(e);
                }
                spaces = false;
            } else if c == ' ' {
                if fold && !spaces && self.column > WIDTH && i > 0 && next.is_some() {
                    self.write_indent(indent);
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                // What was written keeps a later fold from joining this line's indentation.
                self.indention = false;
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
            self.indention = false;
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut back = text.chars().rev();
        let (last, before) = (back.next(), back.next());
        if !last.is_some_and(is_break) {
            self.indicator("-", false, false, false);
        } else if before.is_none_or(is_break) {
            self.indicator("+", false, false, false);
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.out.push(c);
                self.column = 0;
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent(indent);
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// Sorts keys by go-yaml's order, which goes in circles for some keys, so that the library's sort might
/// refuse it: a merge sort does not mind.
fn sort(entries: &mut Vec<(&str, &Value)>) {
    if entries.len() < 2 {
        return;
    }
    let mut right = entries.split_off(entries.len() / 2);
    sort(entries);
    sort(&mut right);
    let left = std::mem::take(entries);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let from_right = match (left.peek(), right.peek()) {
            (Some(l), Some(r)) => natural(l.0, r.0).is_gt(),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => break,
        };
        entries.extend(if from_right { right.next() } else { left.next() });
    }
}

/// go-yaml's order of keys: digits by their number, other characters before letters.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    for (i, (&x, &y)) in a.iter().zip(&b).enumerate() {
        if x == y {
            continue;
        }
        match (x.is_alphabetic(), y.is_alphabetic()) {
            (true, true) => return x.cmp(&y),
            (true, false) => return std::cmp::Ordering::Greater,
            (false, true) => return std::cmp::Ordering::Less,
            (false, false) => {}
        }
        let mut start = 0u64;
        if x == '0' || y == '0' {
            // A digit other than 0 before makes zeros count.
            let before = a.iter().take(i).rev().take_while(|c| c.is_ascii_digit());
            start = u64::from(before.into_iter().any(|c| *c != '0'));
        }
        let run = |chars: &[char]| {
            let digits: Vec<u32> = chars.iter().skip(i).map_while(|c| c.to_digit(10)).collect();
            let number = digits
                .iter()
                .fold(start, |n, d| n.wrapping_mul(10).wrapping_add(u64::from(*d)));
            (number, digits.len())
        };
        return run(&a).cmp(&run(&b)).then(x.cmp(&y));
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml::decode;
    use crate::{list, obj};
    use proptest::prelude::*;

    #[track_caller]
    fn check(value: Value, text: &str) {
        assert_eq!(to_yaml(&value), text);
        assert_eq!(decode(text).unwrap(), value);
    }

    #[test]
    fn blocks() {
        check(obj! {}, "{}\n");
        check(Value::from("\u{f000}"), "\u{f000}\n");
        check(list![], "[]\n");
        check(Value::Null, "null\n");
        check(
            obj! { "a": list![1, list![2, list![]], obj! { "x": 1, "y": list!["z"] }, obj! {}], "b": obj! { "c": Value::Null, "d": list![] } },
            "a:\n- 1\n- - 2\n  - []\n- x: 1\n  \"y\":\n  - z\n- {}\nb:\n  c: null\n  d: []\n",
        );
        check(
            list![list![list!["a"]], obj! { "k": obj! { "l": "m" } }],
            "- - - a\n- k:\n    l: m\n",
        );
    }

    #[test]
    fn texts() {
        for (text, yaml) in [
            ("", "\"\""),
            ("plain text", "plain text"),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("y", "\"y\""),
            ("null", "\"null\""),
            ("~", "\"~\""),
            ("1", "\"1\""),
            ("1.5", "\"1.5\""),
            ("1e3", "\"1e3\""),
            ("010", "\"010\""),
            ("0x1F", "\"0x1F\""),
            ("1_000", "\"1_000\""),
            ("12:30:45", "\"12:30:45\""),
            ("2026-11-21T08:48:40Z", "\"2026-11-21T08:48:40Z\""),
            ("2026-11-21", "\"2026-11-21\""),
            ("2026-13-21", "2026-13-21"),
            (".inf", "\".inf\""),
            ("100m", "100m"),
            ("1.27", "\"1.27\""),
            ("v1.36.2", "v1.36.2"),
            ("10.244.0.0/16", "10.244.0.0/16"),
            ("*/5 * * * *", "'*/5 * * * *'"),
            ("{a}", "'{a}'"),
            ("a: b", "'a: b'"),
            ("a:b", "a:b"),
            ("a:", "'a:'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("#a", "'#a'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("-", "'-'"),
            ("---", "'---'"),
            ("it's", "it's"),
            ("'q'", "'''q'''"),
            ("@x", "'@x'"),
            ("%x", "'%x'"),
            (" a", "' a'"),
            ("a ", "'a '"),
            ("a\tb", "\"a\\tb\""),
            ("é中", "é中"),
            ("😀", "\"\\U0001F600\""),
            ("a\nb", "|-\n  a\n  b"),
            ("a\nb\n", "|\n  a\n  b"),
            ("a\n\n", "|+\n  a\n"),
            ("a \nb", "\"a \\nb\""),
            (" a\nb", "|2-\n   a\n  b"),
            ("=", "="),
            ("\u{f000}", "\u{f000}"),
        ] {
            let whole = format!("k: {yaml}\n");
            check(obj! { "k": text }, &whole);
        }
    }

    #[test]
    fn long_texts_are_folded() {
        let text = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the service IP";
        check(
            obj! { "a": obj! { "description": text } },
            "a:\n  description: Contains a CA bundle that can be used to verify the kube-apiserver\n    when using internal endpoints such as the service IP\n",
        );
    }

    #[test]
    fn keys_are_in_natural_order() {
        let v = Value::from_iter(["a10", "a2", "A", "_", "b", "1", "a-b", "a.b", "ab"].map(|k| (k, Value::from(1))));
        let keys: Vec<String> = to_yaml(&v)
            .lines()
            .map(|l| l.trim_end_matches(": 1").to_owned())
            .collect();
        assert_eq!(keys, ["_", "\"1\"", "A", "a-b", "a.b", "a2", "a10", "ab", "b"]);
    }

    #[test]
    fn an_order_that_goes_in_circles_is_no_failure() {
        let parts = ["0", "00", "07", "7", "77", "a", "+", "é", "9", "b0"];
        let keys = parts
            .iter()
            .flat_map(|a| parts.iter().flat_map(move |b| parts.map(|c| format!("{a}{b}{c}"))));
        let value = Value::from_iter(keys.map(|k| (k, Value::from(1))));
        assert_eq!(decode(&to_yaml(&value)).unwrap(), value);
    }

    #[test]
    fn numbers() {
        check(
            obj! { "a": 9_007_199_254_740_993_i64, "b": 0.5, "c": 1e30, "d": -1 },
            "a: 9007199254740993\nb: 0.5\nc: 1e+30\nd: -1\n",
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(Value::from),
            ".{0,30}".prop_map(Value::from),
            "[ a-c:#'\"\\-\n\t{},0-9.]{0,30}".prop_map(Value::from),
            "([a-z]{1,12}[ ]{1,2}){10,30}".prop_map(Value::from),
            "[\\PC \n\r\u{85}\u{2028}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("(.{0,6}|[a-z]{120,140}|[a-c\n ]{0,5})", inner), 0..6)
                    .prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn round_trip(v in any_value()) {
            let text = to_yaml(&v);
            match decode(&text) {
                Ok(back) => prop_assert_eq!(back, v, "{}", text),
                Err(e) => prop_assert!(false, "{}: {}", e, text),
            }
        }
    }
}
