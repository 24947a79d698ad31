//! Values and numbers as Go's `fmt` and `strconv` print them.

use std::fmt::{self, Display, Formatter, Write};

use super::Value;

/// Several errors in one text (apimachinery's `Aggregate`), each once: one alone as it is, more of them as `[a, b]`,
/// `None` for none.
pub fn aggregate(errors: &[String]) -> Option<String> {
    let mut each: Vec<&str> = Vec::new();
    for error in errors {
        if !each.contains(&error.as_str()) {
            each.push(error);
        }
    }
    match each[..] {
        [] => None,
        [one] => Some(one.to_owned()),
        _ => Some(format!("[{}]", each.join(", "))),
    }
}

/// Decimal digits of a finite number without leading zeros, and the place of the point: 0.DIGITS × 10^point.
fn shortest(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse::<i32>().unwrap_or(0) + 1)
}

fn general(scientific: &str) -> String {
    let negative = scientific.starts_with('-');
    let (digits, point) = shortest(scientific);
    let exponent = point - 1;
    let body = if !(-4..6).contains(&exponent) {
        exponential(&digits, exponent)
    } else {
        positional(&digits, point)
    };
    if negative { format!("-{body}") } else { body }
}

fn exponential(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(digits.len().min(1));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
}

fn positional(digits: &str, point: i32) -> String {
    let count = digits.len() as i32;
    if point <= 0 {
        return format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    }
    if point >= count {
        return format!("{digits}{}", "0".repeat((point - count) as usize));
    }
    let (whole, fraction) = digits.split_at(point as usize);
    format!("{whole}.{fraction}")
}

fn special(f: f64) -> Option<String> {
    if f.is_nan() {
        Some("NaN".to_owned())
    } else if f.is_infinite() {
        Some(if f > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else if f == 0.0 {
        Some(if f.is_sign_negative() { "-0" } else { "0" }.to_owned())
    } else {
        None
    }
}

/// A float with as many digits as it takes: `g` (`%v`: an exponent below -4 and from
/// 6 on: `1e+06`), `e` or `f`.
pub fn float(f: f64, verb: char) -> String {
    if let Some(text) = special(f) {
        return text;
    }
    match verb {
        'e' => {
            let text = format!("{f:e}");
            let (digits, point) = shortest(&text);
            let sign = if f < 0.0 { "-" } else { "" };
            format!("{sign}{}", exponential(&digits, point - 1))
        }
        'f' => format!("{f}"),
        _ => general(&format!("{f:e}")),
    }
}

/// As [`float`], for a 32-bit float.
pub fn float32(f: f32, verb: char) -> String {
    if let Some(text) = special(f64::from(f)) {
        return text;
    }
    match verb {
        'f' => format!("{f}"),
        _ => general(&format!("{f:e}")),
    }
}

/// A float as Go's `encoding/json` writes it: exponents only below 1e-6 and from 1e21.
pub fn json_float(f: f64) -> String {
    if f == 0.0 {
        return special(f).unwrap_or_default();
    }
    if f.abs() < 1e-6 || f.abs() >= 1e21 {
        // Go cleans e-09 up to e-9.
        return float(f, 'e').replace("e-0", "e-");
    }
    format!("{f}")
}

/// Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A text that prints in Go's double quotes, as `%q` and `strconv.Quote` write it.
pub struct Quoted<'a>(&'a str);

/// The text in Go's double quotes.
pub fn quoted<T: AsRef<str> + ?Sized>(text: &T) -> Quoted<'_> {
    Quoted(text.as_ref())
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                _ => escape(c, f)?,
            }
        }
        f.write_char('"')
    }
}

/// The text in Go's double quotes, written.
pub fn quote(text: &str) -> String {
    Quoted(text).to_string()
}

/// A character as Go escapes it inside quotes of either kind; the quotes are the caller's.
fn escape(c: char, out: &mut impl Write) -> fmt::Result {
    match c {
        '\\' => out.write_str("\\\\"),
        '\u{7}' => out.write_str("\\a"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{b}' => out.write_str("\\v"),
        c if c < ' ' || c == '\u{7f}' => write!(out, "\\x{:02x}", c as u32),
        c if (c as u32) < 0x10000 && !printable(c) => write!(out, "\\u{:04x}", c as u32),
        c if !printable(c) => write!(out, "\\U{:08x}", c as u32),
        c => out.write_char(c),
    }
}

/// A character in Go's single quotes, as `%q` of a rune writes it.
pub fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    // A String takes all that is written to it.
    let _ = match c {
        '\'' => out.write_str("\\'"),
        _ => escape(c, &mut out),
    };
    out.push('\'');
    out
}

/// Nearly Go's `unicode.IsPrint`: no controls, no space but the plain one, no private use and no format characters.
pub fn printable(c: char) -> bool {
    let format = matches!(c as u32,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e
        | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe000..=0xf8ff | 0xfff0..=0xfff8 | 0xe0000..=0xe00ff | 0xf0000..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || format)
}

/// A value as Go's `%v` prints an unstructured one: `map[a:1 b:[x y]]`, `<nil>`.
pub fn display(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&float(*f, 'g')),
        Value::Str(s) => out.push_str(s),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("map[");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write(item, out);
            }
            out.push(']');
        }
    }
}

/// A value as Go's `%#v` prints an unstructured one: `map[string]interface {}{"a":1}`.
pub fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Str(s) => quote(s),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", quote(k), go_syntax(v)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        other => display(other),
    }
}

/// Why Go's `strconv.ParseInt` takes no number from a text, in its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntError {
    #[error("invalid syntax")]
    Syntax,
    #[error("value out of range")]
    Range,
}

/// Reads a whole number of so many bits (at most 64) as Go's `strconv.ParseInt` does with base 0: `0x`, `0o` and `0b`
/// (or `0` alone, for octal) say the base, and underscores may stand between digits.
///
/// # Errors
/// When it is no number, or too big a one.
pub fn parse_int(text: &str, bits: u32) -> Result<i64, IntError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let after = |small: &str, big: &str| digits.strip_prefix(small).or_else(|| digits.strip_prefix(big));
    let (base, mut rest, mut after_digit) = match digits {
        "" => return Err(IntError::Syntax),
        "0" => return Ok(0),
        _ => match (after("0x", "0X"), after("0o", "0O"), after("0b", "0B")) {
            (Some(rest), _, _) => (16, rest, true),
            (_, Some(rest), _) => (8, rest, true),
            (_, _, Some(rest)) => (2, rest, true),
            _ => match digits.strip_prefix('0') {
                Some(rest) => (8, rest, true),
                None => (10, digits, false),
            },
        },
    };
    if rest.is_empty() || rest.ends_with('_') {
        return Err(IntError::Syntax);
    }
    let limit = 1i128 << bits.clamp(1, 64).saturating_sub(1);
    let mut number = 0i128;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = c.to_digit(base).ok_or(IntError::Syntax)?;
        after_digit = true;
        // What is too big stays so, and what follows may still be no digit.
        number = (number * i128::from(base) + i128::from(digit)).min(limit + 1);
    }
    let signed = if negative { -number } else { number };
    match signed {
        n if n >= -limit && n < limit => i64::try_from(n).map_err(|_| IntError::Range),
        _ => Err(IntError::Range),
    }
}

/// A name or a value of a URL's query (`url.QueryEscape`).
pub fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates() {
        for (errors, text) in [
            (&[][..], None),
            (&["a"], Some("a")),
            (&["a", "b"], Some("[a, b]")),
            (&["a", "a"], Some("a")),
            (&["b", "a", "b"], Some("[b, a]")),
        ] {
            let errors: Vec<String> = errors.iter().map(|&e| e.to_owned()).collect();
            assert_eq!(aggregate(&errors).as_deref(), text, "{errors:?}");
        }
    }

    #[test]
    fn floats() {
        for (f, text) in [
            (1.0, "1"),
            (1.5, "1.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e21, "1e+21"),
            (1e20, "1e+20"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (100_000.0, "100000"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(float(f, 'g'), text);
        }
        for (f, text) in [
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (0.000001, "0.000001"),
            (1e6, "1000000"),
        ] {
            assert_eq!(json_float(f), text);
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(quote("a\"b\\\n\u{1}é中\u{feff}'"), r#""a\"b\\\n\x01é中\ufeff'""#);
        assert_eq!(quote_char('\''), r"'\''");
    }

    #[test]
    fn display_and_syntax() {
        let v = crate::obj! { "a": crate::list![1, Value::Null, "x"], "b": true };
        assert_eq!(display(&v), "map[a:[1 <nil> x] b:true]");
        assert_eq!(
            go_syntax(&v),
            r#"map[string]interface {}{"a":[]interface {}{1, interface {}(nil), "x"}, "b":true}"#
        );
    }

    #[test]
    fn integers() {
        for (text, bits, want) in [
            ("0", 64, Ok(0)),
            ("-5", 64, Ok(-5)),
            ("+5", 64, Ok(5)),
            ("0x10", 64, Ok(16)),
            ("0X1_0", 64, Ok(16)),
            ("0b11", 64, Ok(3)),
            ("0o17", 64, Ok(15)),
            ("010_0", 64, Ok(64)),
            ("0_1", 64, Ok(1)),
            ("1_000", 64, Ok(1000)),
            ("09", 64, Err(IntError::Syntax)),
            ("0x", 64, Err(IntError::Syntax)),
            ("0b12", 64, Err(IntError::Syntax)),
            ("_1", 64, Err(IntError::Syntax)),
            ("1_", 64, Err(IntError::Syntax)),
            ("1__0", 64, Err(IntError::Syntax)),
            ("", 64, Err(IntError::Syntax)),
            ("-", 64, Err(IntError::Syntax)),
            ("+-5", 64, Err(IntError::Syntax)),
            ("3000000000", 64, Ok(3_000_000_000)),
            ("3000000000", 32, Err(IntError::Range)),
            ("-2147483648", 32, Ok(-2_147_483_648)),
            ("2147483648", 32, Err(IntError::Range)),
            ("9223372036854775807", 64, Ok(i64::MAX)),
            ("-9223372036854775808", 64, Ok(i64::MIN)),
            ("9223372036854775808", 64, Err(IntError::Range)),
        ] {
            assert_eq!(parse_int(text, bits), want, "{text}");
        }
    }
}
