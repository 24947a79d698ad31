//! Reads values one after another from a text, with jq's own words for what is wrong and where.

use std::rc::Rc;

use crate::number::Number;
use crate::value::{Entries, Val};

/// The deepest nesting of a text's arrays and objects.
const DEEPEST: usize = 256;

/// What it costs to read a byte, in bytes that are copied.
pub const COST: usize = 16;

/// An array or object that is not closed yet, or an object's key that waits for its value.
enum Open {
    Array(Vec<Val>),
    Object(Entries),
    Key(Rc<str>),
}

/// Where the reader stands.
enum State {
    /// Nothing counts until the next RS (`--seq`).
    Abandoned,
    Between,
    InString,
    Escaped,
}

/// Reads the values of a text.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    column: usize,
    state: State,
    token: Vec<u8>,
    open: Vec<Open>,
    /// A value that is complete, but belongs to nothing yet.
    next: Option<Val>,
    ended: bool,
    /// Whether the byte RS stands before each value (`--seq`).
    sequence: bool,
}

type Failure = &'static str;

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8], sequence: bool) -> Reader<'a> {
        // A mark of the order of bytes belongs to no value.
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let state = if sequence { State::Abandoned } else { State::Between };
        Reader {
            bytes: text,
            at,
            line: 1,
            column: 0,
            state,
            token: Vec::new(),
            open: Vec::new(),
            next: None,
            ended: false,
            sequence,
        }
    }

    /// How many bytes were read.
    pub fn read(&self) -> usize {
        self.at
    }

    fn value(&mut self, value: Val) -> Result<(), Failure> {
        if self.next.is_some() {
            return Err("Expected separator between values");
        }
        self.next = Some(value);
        Ok(())
    }

    /// Ends a word: a number, `true`, `false`, `null`.
    fn word(&mut self) -> Result<(), Failure> {
        let word = std::mem::take(&mut self.token);
        let value = match word.as_slice() {
            [] => return Ok(()),
            b"true" => Val::Bool(true),
            b"false" => Val::Bool(false),
            b"null" => Val::Null,
            [b't' | b'f', ..] | [b'n', b'u', ..] => return Err("Invalid literal"),
            _ => {
                let number = std::str::from_utf8(&word).ok().and_then(Number::parse);
                Val::Num(number.ok_or("Invalid numeric literal")?)
            }
        };
        self.value(value)
    }

    fn string(&mut self) -> Result<(), Failure> {
        let raw = std::mem::take(&mut self.token);
        let text = unescaped(&raw)?;
        self.value(Val::from(text))
    }

    /// Puts the value that is complete into what is open around it.
    fn close_value(&mut self) -> Result<(), Failure> {
        let Some(value) = self.next.take() else {
            return Ok(());
        };
        match self.open.pop() {
            Some(Open::Array(mut items)) => {
                items.push(value);
                self.open.push(Open::Array(items));
                Ok(())
            }
            Some(Open::Key(key)) => {
                if let Some(Open::Object(entries)) = self.open.last_mut() {
                    entries.insert(key, value);
                }
                Ok(())
            }
            _ => Err("Objects must consist of key:value pairs"),
        }
    }

    fn mark(&mut self, mark: u8) -> Result<(), Failure> {
        match mark {
            b'[' | b'{' => {
                if self.open.len() >= DEEPEST * 2 || self.levels() >= DEEPEST {
                    return Err("Exceeds depth limit for parsing");
                }
                if self.next.is_some() {
                    return Err("Expected separator between values");
                }
                self.open.push(match mark {
                    b'[' => Open::Array(Vec::new()),
                    _ => Open::Object(Entries::default()),
                });
            }
            b':' => {
                if self.next.is_none() {
                    return Err("Expected string key before ':'");
                }
                if !matches!(self.open.last(), Some(Open::Object(_))) {
                    return Err("':' not as part of an object");
                }
                let Some(Val::Str(key)) = self.next.take() else {
                    return Err("Object keys must be strings");
                };
                self.open.push(Open::Key(key));
            }
            b',' => {
                if self.next.is_none() {
                    return Err("Expected value before ','");
                }
                if self.open.is_empty() {
                    return Err("',' not as part of an object or array");
                }
                self.close_value()?;
            }
            b']' => {
                if !matches!(self.open.last(), Some(Open::Array(_))) {
                    return Err("Unmatched ']'");
                }
                if self.next.is_some() {
                    self.close_value()?;
                } else if matches!(self.open.last(), Some(Open::Array(items)) if !items.is_empty()) {
                    return Err("Expected another array element");
                }
                if let Some(Open::Array(items)) = self.open.pop() {
                    self.next = Some(Val::arr(items));
                }
            }
            _ => {
                if self.open.is_empty() {
                    return Err("Unmatched '}'");
                }
                if self.next.is_some() {
                    if !matches!(self.open.last(), Some(Open::Key(_))) {
                        return Err("Objects must consist of key:value pairs");
                    }
                    self.close_value()?;
                } else {
                    match self.open.last() {
                        Some(Open::Object(entries)) if entries.is_empty() => {}
                        Some(Open::Object(_)) => return Err("Expected another key-value pair"),
                        _ => return Err("Unmatched '}'"),
                    }
                }
                if let Some(Open::Object(entries)) = self.open.pop() {
                    self.next = Some(Val::obj(entries));
                }
            }
        }
        Ok(())
    }

    fn levels(&self) -> usize {
        self.open.iter().filter(|o| !matches!(o, Open::Key(_))).count()
    }

    /// The value that stands by itself, if there is one.
    fn done(&mut self) -> Option<Val> {
        if self.open.is_empty() { self.next.take() } else { None }
    }

    /// Reads one byte. Gives a value when one is complete.
    fn byte(&mut self, byte: u8) -> Result<Option<Val>, Failure> {
        match self.state {
            State::Between => {}
            State::Abandoned => {
                if byte == 0x1e {
                    self.state = State::Between;
                }
                return Ok(None);
            }
            State::InString if byte == b'"' => {
                self.state = State::Between;
                self.string()?;
                return Ok(self.done());
            }
            State::InString | State::Escaped => {
                let escapes = byte == b'\\' && matches!(self.state, State::InString);
                self.state = if escapes { State::Escaped } else { State::InString };
                self.token.push(byte);
                return Ok(None);
            }
        }
        let mut complete = None;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.word()?;
                complete = self.done();
            }
            0x1e if self.sequence => {
                self.word()?;
                complete = self.done();
                self.open.clear();
            }
            b'"' => {
                self.word()?;
                complete = self.done();
                self.state = State::InString;
            }
            b'[' | b'{' | b':' | b',' | b']' | b'}' => {
                self.word()?;
                complete = self.done();
                self.mark(byte)?;
                if complete.is_none() {
                    complete = self.done();
                }
            }
            byte => self.token.push(byte),
        }
        Ok(complete)
    }

    fn fail(&mut self, why: Failure, place: &str) -> String {
        self.ended = true;
        format!("{why}{place} at line {}, column {}", self.line, self.column)
    }

    /// The next value, or what is wrong, after which nothing comes.
    pub fn next_value(&mut self) -> Option<Result<Val, String>> {
        while !self.ended {
            let Some(byte) = self.bytes.get(self.at).copied() else {
                self.ended = true;
                if matches!(self.state, State::Abandoned) && (self.line, self.column) != (1, 0) {
                    return Some(Err(self.fail("Unfinished abandoned text", " at EOF")));
                }
                if matches!(self.state, State::InString | State::Escaped) {
                    return Some(Err(self.fail("Unfinished string", " at EOF")));
                }
                if let Err(why) = self.word() {
                    return Some(Err(self.fail(why, " at EOF")));
                }
                if !self.open.is_empty() {
                    return Some(Err(self.fail("Unfinished JSON term", " at EOF")));
                }
                return self.next.take().map(Ok);
            };
            self.at += 1;
            self.column += 1;
            if byte == b'\n' {
                self.line += 1;
                self.column = 0;
            }
            match self.byte(byte) {
                Ok(None) => {}
                Ok(Some(value)) => return Some(Ok(value)),
                Err(why) => return Some(Err(self.fail(why, ""))),
            }
        }
        None
    }
}

/// The only value of a text.
pub fn one(text: &str) -> Result<Val, String> {
    let mut reader = Reader::new(text.as_bytes(), false);
    let read = match reader.next_value() {
        None => Err("Expected JSON value".to_owned()),
        Some(Err(why)) => Err(why),
        Some(Ok(value)) => match reader.next_value() {
            None => Ok(value),
            Some(Ok(_)) => Err("Unexpected extra JSON values".to_owned()),
            Some(Err(why)) => Err(why),
        },
    };
    read.map_err(|why| format!("{why} (while parsing '{text}')"))
}

/// All values of a text.
pub fn all(text: &[u8]) -> Result<Vec<Val>, String> {
    let mut reader = Reader::new(text, false);
    std::iter::from_fn(|| reader.next_value()).collect()
}

/// Four digits of an escape.
fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits.get(..4)?).ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

fn unescaped(raw: &[u8]) -> Result<String, Failure> {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte < b' ' {
            return Err("Invalid string: control characters from U+0000 through U+001F must be escaped");
        }
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let [escape, after @ ..] = rest else {
            return Err("Expected escape character at end of string");
        };
        rest = after;
        match escape {
            b'\\' | b'"' | b'/' => out.push(*escape),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'u' => {
                if rest.len() < 4 {
                    return Err("Invalid \\uXXXX escape");
                }
                let mut code = hex(rest).ok_or("Invalid characters in \\uXXXX escape")?;
                rest = rest.get(4..).unwrap_or_default();
                if (0xd800..0xdc00).contains(&code) {
                    const PAIR: &str = "Invalid \\uXXXX\\uXXXX surrogate pair escape";
                    let low = rest.strip_prefix(b"\\u").and_then(hex).ok_or(PAIR)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(PAIR);
                    }
                    rest = rest.get(6..).unwrap_or_default();
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err("Invalid escape"),
        }
    }
    Ok(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
