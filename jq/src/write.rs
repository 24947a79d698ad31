//! Values as text.

use std::rc::Rc;

use crate::budget::{self, Trouble};
use crate::value::Val;

/// How a value is written.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// What one level is indented by; `None` writes all on one line.
    pub indent: Option<String>,
    pub sorted: bool,
    pub ascii: bool,
    /// Colours of null, false, true, numbers, strings, arrays, objects and keys.
    pub colours: Option<[String; 8]>,
}

/// jq 1.7.1's colours.
pub const COLOURS: [&str; 8] = ["0;90", "0;39", "0;39", "0;39", "0;32", "1;39", "1;39", "1;34"];

const RESET: &str = "\u{1b}[0m";

/// The deepest level that jq writes.
const DEEPEST: usize = 256;

/// Colours as `JQ_COLORS` names them; `None` when it names something else.
pub fn colours(spec: &str) -> Option<[String; 8]> {
    let mut all = COLOURS.map(|code| format!("\u{1b}[{code}m"));
    if spec.is_empty() {
        return Some(all);
    }
    for (colour, code) in all.iter_mut().zip(spec.split(':')) {
        if code.len() > 12 || !code.bytes().all(|b| b.is_ascii_digit() || b == b';') {
            return None;
        }
        *colour = format!("\u{1b}[{code}m");
    }
    Some(all)
}

/// A text that is put together from pieces, and takes no more of them when it is full: what is written may be shared, so
/// that a small value has a text without end.
pub struct Text {
    text: String,
    room: usize,
    full: bool,
}

impl Text {
    /// One with room for so many bytes.
    pub fn within(room: usize) -> Text {
        Text {
            text: String::new(),
            room,
            full: false,
        }
    }

    /// One that becomes a value.
    pub fn new() -> Text {
        Text::within(budget::left())
    }

    /// Takes a piece, or what there is room for of it.
    pub fn push(&mut self, piece: &str) {
        if self.full {
            return;
        }
        let left = self.room - self.text.len();
        self.full = piece.len() > left;
        let fits = piece.floor_char_boundary(left);
        self.text.push_str(piece.get(..fits).unwrap_or_default());
    }

    /// Whether something was left out.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The text as far as it came.
    pub fn into_cut(self) -> String {
        self.text
    }

    /// The text. The run ends where it had too many bytes.
    pub fn into_string(self) -> String {
        if self.full {
            budget::fail(Trouble::Bytes);
        }
        self.text
    }

    /// Writes a string with its quotes.
    pub fn string(&mut self, text: &str, ascii: bool) {
        self.push("\"");
        let mut rest = text;
        let special = |c: char| matches!(c, '"' | '\\' | '\u{7f}') || c < ' ' || (ascii && !c.is_ascii());
        while let Some(at) = rest.find(special) {
            let (plain, after) = rest.split_at(at);
            let mut chars = after.chars();
            let c = chars.next().unwrap_or_default();
            rest = chars.as_str();
            self.push(plain);
            match c {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '\t' => self.push("\\t"),
                '\r' => self.push("\\r"),
                '\u{8}' => self.push("\\b"),
                '\u{c}' => self.push("\\f"),
                c => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        self.push(&format!("\\u{unit:04x}"));
                    }
                }
            }
            if self.full {
                return;
            }
        }
        self.push(rest);
        self.push("\"");
    }

    /// Writes a value.
    pub fn value(&mut self, value: &Val, style: &Style) {
        self.level(value, style, 0);
    }

    fn new_line(&mut self, style: &Style, level: usize) {
        if let Some(indent) = &style.indent {
            self.push("\n");
            (0..level).for_each(|_| self.push(indent));
        }
    }

    /// Writes the entries of an array or object between its brackets, each with `write`. What had to end is left open.
    fn entries<T>(
        &mut self,
        [open, close]: [&str; 2],
        colour: &str,
        style: &Style,
        level: usize,
        entries: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Text, T),
    ) {
        self.push(open);
        for (at, entry) in entries.into_iter().enumerate() {
            if at > 0 {
                self.push(",");
            }
            self.new_line(style, level + 1);
            write(self, entry);
            self.push(colour);
            if self.full || budget::trouble().is_some() {
                return;
            }
        }
        self.new_line(style, level);
        self.push(colour);
        self.push(close);
    }

    /// Writes a value that stands `level` levels deep. Each takes a step, since one that is small may be there many times.
    fn level(&mut self, value: &Val, style: &Style, level: usize) {
        if self.full || !budget::step() {
            return;
        }
        let colour = style
            .colours
            .as_ref()
            .and_then(|all| all.get(usize::from(value.rank())))
            .map_or("", String::as_str);
        let key_colour = style.colours.as_ref().map_or("", |[.., key]| key.as_str());
        let reset = if style.colours.is_some() { RESET } else { "" };
        self.push(colour);
        match value {
            _ if level > DEEPEST => self.push("<skipped: too deep>"),
            Val::Null => self.push("null"),
            Val::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Val::Num(number) => self.push(&number.text()),
            Val::Str(text) => self.string(text, style.ascii),
            Val::Arr(a) if a.items.is_empty() => self.push("[]"),
            Val::Arr(a) => self.entries(["[", "]"], colour, style, level, &a.items, |text, item| {
                text.level(item, style, level + 1);
            }),
            Val::Obj(o) if o.items.is_empty() => self.push("{}"),
            Val::Obj(o) => {
                let keys: Vec<&Rc<str>> = if style.sorted {
                    Val::sorted_keys(&o.items)
                } else {
                    o.items.keys().collect()
                };
                self.entries(["{", "}"], colour, style, level, keys, |text, key| {
                    text.push(reset);
                    text.push(key_colour);
                    text.string(key, style.ascii);
                    text.push(reset);
                    text.push(colour);
                    text.push(if style.indent.is_some() { ": " } else { ":" });
                    text.push(reset);
                    text.level(o.items.get(key).unwrap_or(&Val::Null), style, level + 1);
                });
            }
        }
        self.push(reset);
    }
}
