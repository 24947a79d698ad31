//! JSON syntax with the sentences of Go's `encoding/json`, and Go's indented form of it.

use super::yaml::Position;
use super::{Value, gofmt};
use crate::limits;

/// Why a text is not JSON. Displays as Go's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Go's sentence.
    pub message: String,
    /// Bytes read before the error, the offending one included.
    pub offset: usize,
    /// The same place as line and column.
    pub at: Position,
    eof: bool,
}

impl SyntaxError {
    /// Whether the text ended too early.
    pub fn is_eof(&self) -> bool {
        self.eof
    }
}

/// Reads one JSON value that is the whole text.
pub fn parse(text: &str) -> Result<Value, SyntaxError> {
    let length = value_length(text)?;
    let after = text.get(length..).unwrap_or_default();
    if let Some(c) = after.trim_start_matches(BLANK).chars().next() {
        let offset = text.len() - after.trim_start_matches(BLANK).len();
        let scanner = Scanner::new(text, offset);
        return Err(scanner.invalid(c, "after top-level value"));
    }
    Value::from_json(text.get(..length).unwrap_or_default()).map_err(|e| SyntaxError {
        message: e.to_string(),
        offset: length,
        at: Position {
            line: e.line(),
            column: e.column(),
        },
        eof: false,
    })
}

/// The length in bytes of the JSON value that a text begins with, blanks before it included.
pub fn value_length(text: &str) -> Result<usize, SyntaxError> {
    let mut scanner = Scanner::new(text, 0);
    scanner.value(0)?;
    Ok(scanner.at)
}

/// The paths of the fields that a JSON text has more than once, in their order and each once.
pub fn duplicates(text: &str) -> Vec<String> {
    let mut scanner = Scanner::new(text, 0);
    scanner.repeated = Some(Vec::new());
    // What is no JSON is found where it is read.
    let _ = scanner.value(0);
    scanner.repeated.unwrap_or_default()
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Where the present value stands; kept while repeated fields are looked for.
    path: String,
    repeated: Option<Vec<String>>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, at: usize) -> Scanner<'t> {
        Scanner {
            text,
            at,
            path: String::new(),
            repeated: None,
        }
    }

    /// Steps into a field of an object, whose key begins at `start` and which has had the keys `seen`.
    fn enter(&mut self, start: usize, seen: &mut Vec<Value>) {
        let Some(repeated) = &mut self.repeated else {
            return;
        };
        let key = Value::from_json(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key.str());
        match seen.contains(&key) {
            false => seen.push(key),
            true if !repeated.contains(&self.path) => repeated.push(self.path.clone()),
            true => {}
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn position(&self) -> Position {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |l| l.chars().count()) + 1,
        }
    }

    fn invalid(&self, c: char, context: &str) -> SyntaxError {
        // Go scans bytes: of a longer character it names the first byte as a Latin-1 character.
        let mut bytes = [0; 4];
        let first = c.encode_utf8(&mut bytes).as_bytes().first().copied().unwrap_or(0);
        let quoted = match c {
            '\'' => r"'\''".to_owned(),
            '"' => "'\"'".to_owned(),
            _ => gofmt::quote_char(char::from(first)),
        };
        SyntaxError {
            message: format!("invalid character {quoted} {context}"),
            offset: self.at + 1,
            at: self.position(),
            eof: false,
        }
    }

    fn fail<T>(&self, context: &str) -> Result<T, SyntaxError> {
        match self.text.get(self.at..).and_then(|t| t.chars().next()) {
            Some(c) => Err(self.invalid(c, context)),
            None => Err(SyntaxError {
                message: "unexpected end of JSON input".to_owned(),
                offset: self.at,
                at: self.position(),
                eof: true,
            }),
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), SyntaxError> {
        if depth > limits::VALUE_DEPTH {
            return Err(SyntaxError {
                message: "exceeded max depth".to_owned(),
                offset: self.at,
                at: self.position(),
                eof: false,
            });
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.fail("looking for beginning of value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let (outer, mut seen) = (self.path.len(), Vec::new());
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return self.fail("looking for beginning of object key string");
            }
            let start = self.at;
            self.string()?;
            self.enter(start, &mut seen);
            self.blanks();
            if self.peek() != Some(b':') {
                return self.fail("after object key");
            }
            self.at += 1;
            self.value(depth + 1)?;
            self.path.truncate(outer);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("after object key:value pair"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let outer = self.path.len();
        for index in 0_usize.. {
            if self.repeated.is_some() {
                self.path += &format!("[{index}]");
            }
            self.value(depth + 1)?;
            self.path.truncate(outer);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("after array element"),
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                                    return self.fail("in \\u hexadecimal character escape");
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.fail("in string escape code"),
                    }
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return self.fail("in string literal"),
            }
        }
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if !self.digits() {
            return self.fail("in numeric literal");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                return self.fail("after decimal point in numeric literal");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.digits() {
                return self.fail("in exponent of numeric literal");
            }
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), SyntaxError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return self.fail(&format!("in literal {word} (expecting '{expected}')"));
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// A value as Go's `json.Marshal` writes it: compact, with `<`, `>`, `&` escaped when `html`.
pub fn compact(value: &Value, html: bool) -> String {
    let mut out = String::new();
    write(value, None, 0, html, &mut out);
    out
}

/// A value as Go's indenting encoder writes it, without a final line break.
pub fn indented(value: &Value, indent: &str, html: bool) -> String {
    let mut out = String::new();
    write(value, Some(indent), 0, html, &mut out);
    out
}

fn line(indent: Option<&str>, depth: usize, out: &mut String) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write(value: &Value, indent: Option<&str>, depth: usize, html: bool, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&gofmt::json_float(*f)),
        Value::Str(text) => string(text, html, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(indent, depth + 1, out);
                write(item, indent, depth + 1, html, out);
            }
            line(indent, depth, out);
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(indent, depth + 1, out);
                string(key, html, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(item, indent, depth + 1, html, out);
            }
            line(indent, depth, out);
            out.push('}');
        }
    }
}

fn string(text: &str, html: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if html => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c < ' ' || matches!(c, '\u{2028}' | '\u{2029}') => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// JSON on one line over several lines, its keys in the order that they have (Go's `json.Indent`).
pub fn reindent(text: &str, indent: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut inside, mut escaped) = (0usize, false, false);
    let mut chars = text.trim_end().chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(indent));
    };
    while let Some(c) = chars.next() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' if matches!(chars.peek(), Some('}' | ']')) => {
                out.push(c);
                out.extend(chars.next());
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                inside = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_order() {
        let text = r#"{"z":[],"a":{"b":"{,:\"}","c":[1,{"d":{}}]}}"#;
        let shown = "{\n  \"z\": [],\n  \"a\": {\n    \"b\": \"{,:\\\"}\",\n    \"c\": [\n      1,\n      {\n        \"d\": {}\n      }\n    ]\n  }\n}";
        assert_eq!(reindent(text, "  "), shown);
    }

    #[test]
    fn sentences() {
        for (text, message) in [
            ("{\"a\": ", "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
            (
                "{a: 1}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\": 1 \"b\"}", "invalid character '\"' after object key:value pair"),
            (
                "{\"a\": 1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{\"a\": tru}", "invalid character '}' in literal true (expecting 'e')"),
            ("{\"a\": \"x\ny\"}", "invalid character '\\n' in string literal"),
            ("{\"a\": \"\\x\"}", "invalid character 'x' in string escape code"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("-", "unexpected end of JSON input"),
            ("[-a]", "invalid character 'a' in numeric literal"),
            ("['a']", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn printing() {
        let v =
            crate::obj! { "b": crate::list![1, 2.5], "a": "<x>\u{2028}\n", "e": crate::obj! {}, "l": crate::list![] };
        assert_eq!(
            compact(&v, true),
            r#"{"a":"\u003cx\u003e\u2028\n","b":[1,2.5],"e":{},"l":[]}"#
        );
        assert_eq!(
            indented(&v, "    ", false),
            "{\n    \"a\": \"<x>\\u2028\\n\",\n    \"b\": [\n        1,\n        2.5\n    ],\n    \"e\": {},\n    \"l\": []\n}"
        );
    }

    #[test]
    fn fields_that_are_there_twice() {
        for (text, twice) in [
            (r#"{"a":{"x":1,"y":{"x":2}},"b":[{"x":1},{"x":1}]}"#, ""),
            (r#"{"m":{"n":"a","n":"b","n":"c"},"d":{},"d":{"k":1}}"#, "m.n d"),
            (
                r#"[{"a":[[],[{"q":1,"q":1}]]},{"\u0061":1,"a":2}]"#,
                "[0].a[1][0].q [1].a",
            ),
            (r#"{"a":1,"a":"#, "a"),
        ] {
            assert_eq!(duplicates(text).join(" "), twice, "{text}");
        }
    }
}
