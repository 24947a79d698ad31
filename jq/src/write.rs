//! Values as text.

use std::rc::Rc;

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

/// Writes on one line.
pub fn compact(out: &mut String, value: &Val) {
    write(out, value, &Style::default(), 0);
}

/// Writes a string with its quotes.
pub fn string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || c == '\u{7f}' || (ascii && !c.is_ascii()) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Writes a value that stands `level` levels deep.
pub fn write(out: &mut String, value: &Val, style: &Style, level: usize) {
    let kind = match value {
        Val::Null => 0,
        Val::Bool(false) => 1,
        Val::Bool(true) => 2,
        Val::Num(_) => 3,
        Val::Str(_) => 4,
        Val::Arr(_) => 5,
        Val::Obj(_) => 6,
    };
    let colour = style
        .colours
        .as_ref()
        .and_then(|all| all.get(kind))
        .map_or("", String::as_str);
    let key_colour = style.colours.as_ref().map_or("", |[.., key]| key.as_str());
    let reset = if style.colours.is_some() { RESET } else { "" };
    let new_line = |out: &mut String, level: usize| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            (0..level).for_each(|_| out.push_str(indent));
        }
    };
    out.push_str(colour);
    match value {
        _ if level > DEEPEST => out.push_str("<skipped: too deep>"),
        Val::Null => out.push_str("null"),
        Val::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Val::Num(number) => out.push_str(&number.text()),
        Val::Str(text) => string(out, text, style.ascii),
        Val::Arr(a) if a.items.is_empty() => out.push_str("[]"),
        Val::Arr(a) => {
            out.push('[');
            for (at, item) in a.items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                new_line(out, level + 1);
                write(out, item, style, level + 1);
                out.push_str(colour);
            }
            new_line(out, level);
            out.push_str(colour);
            out.push(']');
        }
        Val::Obj(o) if o.items.is_empty() => out.push_str("{}"),
        Val::Obj(o) => {
            out.push('{');
            let keys: Vec<&Rc<str>> = if style.sorted {
                Val::sorted_keys(&o.items)
            } else {
                o.items.keys().collect()
            };
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                new_line(out, level + 1);
                out.push_str(reset);
                out.push_str(key_colour);
                string(out, key, style.ascii);
                out.push_str(reset);
                out.push_str(colour);
                out.push_str(if style.indent.is_some() { ": " } else { ":" });
                out.push_str(reset);
                write(out, o.items.get(key).unwrap_or(&Val::Null), style, level + 1);
                out.push_str(colour);
            }
            new_line(out, level);
            out.push_str(colour);
            out.push('}');
        }
    }
    out.push_str(reset);
}
