//! The formats `@csv`, `@base64` and their like.

use jaq_core::{Error, ValR};

use crate::budget;
use crate::value::{Val, about};
use crate::write::Text;

/// Their names.
pub const NAMES: [&str; 9] = [
    "@text", "@json", "@csv", "@tsv", "@html", "@uri", "@sh", "@base64", "@base64d",
];

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes a value in the format of a name without its `@`.
pub fn format(name: &str, value: Val) -> ValR<Val> {
    Ok(match name {
        "text" => Val::Str(value.text()),
        "json" => Val::from(value.json()),
        "csv" => row(value, "csv", ",", |s| format!("\"{}\"", s.replace('"', "\"\"")))?,
        "tsv" => row(value, "tsv", "\t", |s| {
            let s = s.replace('\\', "\\\\").replace('\t', "\\t");
            s.replace('\r', "\\r").replace('\n', "\\n")
        })?,
        "html" => {
            let text = value
                .text()
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            Val::from(text.replace('\'', "&apos;").replace('"', "&quot;"))
        }
        "uri" => {
            let mut out = String::new();
            for byte in value.text().bytes() {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
            Val::from(out)
        }
        "sh" => {
            let quoted = |v: &Val| match v {
                Val::Str(s) => Ok(format!("'{}'", s.replace('\'', "'\\''"))),
                Val::Arr(_) | Val::Obj(_) => Err(about(v, "can not be escaped for shell")),
                other => Ok(other.json()),
            };
            let words = match &value {
                Val::Arr(a) => &a.items,
                one => std::slice::from_ref(one),
            };
            joined(words, " ", quoted)?
        }
        "base64" => Val::from(encode(value.text().as_bytes())),
        "base64d" => decode(Val::Str(value.text()))?,
        other => return Err(Error::str(format_args!("{other} is not a valid format"))),
    })
}

fn row(value: Val, name: &str, separator: &str, quoted: impl Fn(&str) -> String) -> ValR<Val> {
    let Some(cells) = value.as_arr() else {
        return Err(about(&value, &format!("cannot be {name}-formatted, only array")));
    };
    joined(cells, separator, |cell| match cell {
        Val::Null => Ok(String::new()),
        Val::Num(n) if n.value.is_nan() => Ok(String::new()),
        Val::Bool(_) | Val::Num(_) => Ok(cell.json()),
        Val::Str(s) => Ok(quoted(s)),
        other => Err(about(other, "is not valid in a csv row")),
    })
}

/// What each value is written as, with a separator between.
fn joined(values: &[Val], separator: &str, written: impl Fn(&Val) -> Result<String, Error<Val>>) -> ValR<Val> {
    let mut text = Text::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(separator);
        }
        text.push(&written(value)?);
        if text.is_full() || !budget::step() {
            break;
        }
    }
    Ok(Val::from(text.into_string()))
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let number = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS.get((number >> (18 - 6 * at)) as usize & 63);
            out.push(match letter {
                Some(letter) if at <= chunk.len() => char::from(*letter),
                _ => '=',
            });
        }
    }
    out
}

fn decode(text: Val) -> ValR<Val> {
    let bytes = text.as_str().map(|t| t.as_bytes()).unwrap_or_default();
    let mut out = Vec::new();
    let (mut number, mut held, mut read) = (0u32, 0u32, 0);
    for byte in bytes.iter().take_while(|b| **b != b'=') {
        let Some(letter) = LETTERS.iter().position(|l| l == byte) else {
            return Err(about(&text, "is not valid base64 data"));
        };
        number = number << 6 | letter as u32;
        held += 6;
        read += 1;
        if held >= 8 {
            held -= 8;
            out.push((number >> held) as u8);
            number &= (1 << held) - 1;
        }
    }
    if read % 4 == 1 {
        return Err(about(&text, "trailing base64 byte found"));
    }
    Ok(Val::from(String::from_utf8_lossy(&out).into_owned()))
}
