//! `printf`: the builtin and the program.

use super::super::host::Context;
use super::super::words::{self, Escapes};
use crate::flat::Case;
use crate::limits;
use crate::sim::Time;
use crate::value::float;

pub(super) async fn run(c: Context) -> i32 {
    let Some((format, values)) = c.rest().split_first() else {
        c.error("missing operand");
        c.stderr.line("Try 'printf --help' for more information.");
        return 1;
    };
    let (bytes, errors) = self::format(format, values, c.sim.now());
    c.stdout.write(bytes);
    for error in &errors {
        c.error(error);
    }
    i32::from(!errors.is_empty())
}

/// A conversion: flags, width, precision, letter.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    /// Pads a text that has no sign.
    fn pad(&self, text: &str) -> String {
        let n = text.chars().count();
        if n >= self.width {
            return text.to_owned();
        }
        let fill = " ".repeat(self.width - n);
        if self.left {
            format!("{text}{fill}")
        } else {
            format!("{fill}{text}")
        }
    }

    /// Pads a number: zeros go after its sign.
    fn pad_number(&self, sign: &str, digits: &str, zeros: bool) -> String {
        let n = sign.len() + digits.chars().count();
        if n >= self.width {
            return format!("{sign}{digits}");
        }
        let missing = self.width - n;
        if self.left {
            format!("{sign}{digits}{}", " ".repeat(missing))
        } else if self.zero && zeros {
            format!("{sign}{}{digits}", "0".repeat(missing))
        } else {
            format!("{}{sign}{digits}", " ".repeat(missing))
        }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }
}

/// What `printf format values…` prints, and its error messages.
pub(in super::super) fn format(format: &str, values: &[String], now: Time) -> (Vec<u8>, Vec<String>) {
    let mut out = Vec::new();
    let mut errors = Vec::new();
    let mut rest = values.iter();
    let chars: Vec<char> = format.chars().collect();
    loop {
        let before = rest.len();
        if !pass(&chars, &mut rest, &mut out, &mut errors, now) {
            break;
        }
        // The format is used again while there are values that it takes.
        if rest.len() == 0 || rest.len() == before || out.len() > limits::SHELL_WORD_BYTES {
            break;
        }
    }
    (out, errors)
}

fn number_value(text: &str, errors: &mut Vec<String>) -> i64 {
    let trimmed = text.trim_start();
    if let Some(c) = trimmed.strip_prefix(['\'', '"']) {
        return c.chars().next().map_or(0, |c| i64::from(c as u32));
    }
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, hex)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits.get(1..).unwrap_or_default())
    } else {
        (10, digits)
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let value = i64::from_str_radix(digits.get(..end).unwrap_or_default(), radix).unwrap_or(if end == 0 {
        0
    } else {
        i64::MAX
    });
    if end < digits.len() || (digits.is_empty() && !text.is_empty()) {
        errors.push(format!("{text}: invalid number"));
    }
    if negative { value.wrapping_neg() } else { value }
}

fn float_value(text: &str, errors: &mut Vec<String>) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    if let Some(c) = text.strip_prefix(['\'', '"']) {
        return c.chars().next().map_or(0.0, |c| f64::from(c as u32));
    }
    match float::parse(text.trim()) {
        Some(v) => v,
        None => {
            errors.push(format!("{text}: invalid number"));
            leading_number(text)
        }
    }
}

/// One use of the format; `false` when `\c` or an error ends the output.
fn pass(
    chars: &[char],
    values: &mut std::slice::Iter<'_, String>,
    out: &mut Vec<u8>,
    errors: &mut Vec<String>,
    now: Time,
) -> bool {
    let mut i = 0;
    let mut literal = String::new();
    macro_rules! flush {
        () => {
            if !literal.is_empty() {
                out.extend_from_slice(&words::unescape(&literal, Escapes::Printf));
                literal.clear();
            }
        };
    }
    while let Some(c) = chars.get(i).copied() {
        i += 1;
        if c == '\\' {
            if chars.get(i) == Some(&'c') {
                flush!();
                return false;
            }
            literal.push('\\');
            literal.extend(chars.get(i));
            i += 1;
            continue;
        }
        if c != '%' {
            literal.push(c);
            continue;
        }
        if chars.get(i) == Some(&'%') {
            literal.push('%');
            i += 1;
            continue;
        }
        flush!();
        let start = i;
        let mut spec = Spec::default();
        while let Some(flag) = chars.get(i) {
            match flag {
                '-' => spec.left = true,
                '0' => spec.zero = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '#' => spec.alternate = true,
                _ => break,
            }
            i += 1;
        }
        let mut number = |i: &mut usize, errors: &mut Vec<String>| -> Option<i64> {
            if chars.get(*i) == Some(&'*') {
                *i += 1;
                return Some(values.next().map_or(0, |v| number_value(v, errors)));
            }
            let from = *i;
            while chars.get(*i).is_some_and(char::is_ascii_digit) {
                *i += 1;
            }
            chars
                .get(from..*i)
                .unwrap_or_default()
                .iter()
                .collect::<String>()
                .parse()
                .ok()
        };
        if let Some(width) = number(&mut i, errors) {
            if width < 0 {
                spec.left = true;
            }
            // A width beyond any screen is only a way to fill memory.
            spec.width = width.unsigned_abs().min(1 << 16) as usize;
        }
        if chars.get(i) == Some(&'.') {
            i += 1;
            spec.precision = Some(number(&mut i, errors).unwrap_or(0).clamp(0, 1 << 16) as usize);
        }
        while matches!(chars.get(i), Some('l' | 'h' | 'q' | 'L' | 'j' | 'z' | 't'))
            && chars.get(i + 1).is_some_and(char::is_ascii_alphabetic)
        {
            i += 1;
        }
        let Some(letter) = chars.get(i).copied() else {
            let text: String = chars.get(start..).unwrap_or_default().iter().collect();
            errors.push(format!("`%{text}': missing format character"));
            return false;
        };
        i += 1;
        if letter == '(' {
            // `%(format)T`: a time; no value or -1 is now.
            let rest: String = chars.get(i..).unwrap_or_default().iter().collect();
            let Some(end) = rest.find(")T") else {
                errors.push("`(': invalid format character".to_owned());
                return false;
            };
            let pattern = rest.get(..end).unwrap_or_default();
            i += pattern.chars().count() + 2;
            let when = match values.next().map(|v| number_value(v, errors)) {
                None | Some(-1 | -2) => now,
                Some(secs) => Time::from_secs(u64::try_from(secs).unwrap_or(0)),
            };
            let text = super::date::strftime(if pattern.is_empty() { "%X" } else { pattern }, when);
            out.extend_from_slice(spec.pad(&text).as_bytes());
            continue;
        }
        let value = values.next();
        let text = value.map_or("", String::as_str);
        let done = match letter {
            's' => {
                let shown: String = match spec.precision {
                    Some(p) => text.chars().take(p).collect(),
                    None => text.to_owned(),
                };
                spec.pad(&shown)
            }
            'q' => spec.pad(&words::quote_backslash(text)),
            'b' => {
                let (bytes, stop) = words::unescape_until(text, Escapes::PrintfB);
                if spec.width > 0 || spec.precision.is_some() {
                    let shown = String::from_utf8_lossy(&bytes).into_owned();
                    let shown: String = shown.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
                    out.extend_from_slice(spec.pad(&shown).as_bytes());
                } else {
                    out.extend_from_slice(&bytes);
                }
                if stop {
                    return false;
                }
                continue;
            }
            'c' => spec.pad(&text.chars().take(1).collect::<String>()),
            'd' | 'i' => {
                let n = if value.is_none() { 0 } else { number_value(text, errors) };
                let mut digits = n.unsigned_abs().to_string();
                if let Some(p) = spec.precision {
                    digits = format!("{digits:0>p$}");
                }
                spec.pad_number(spec.sign(n < 0), &digits, spec.precision.is_none())
            }
            'u' | 'x' | 'X' | 'o' => {
                let n = if value.is_none() { 0 } else { number_value(text, errors) } as u64;
                let mut digits = match letter {
                    'u' => n.to_string(),
                    'x' => format!("{n:x}"),
                    'X' => format!("{n:X}"),
                    _ => format!("{n:o}"),
                };
                if let Some(p) = spec.precision {
                    digits = format!("{digits:0>p$}");
                }
                let prefix = match letter {
                    'x' if spec.alternate && n != 0 => "0x",
                    'X' if spec.alternate && n != 0 => "0X",
                    'o' if spec.alternate && n != 0 => "0",
                    _ => "",
                };
                spec.pad_number(prefix, &digits, spec.precision.is_none())
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let n = float_value(text, errors);
                let digits = float_text(n.abs(), letter, spec.precision, spec.alternate);
                spec.pad_number(spec.sign(n.is_sign_negative() && !n.is_nan()), &digits, n.is_finite())
            }
            other => {
                errors.push(format!("`{other}': invalid format character"));
                return false;
            }
        };
        out.extend_from_slice(done.as_bytes());
    }
    flush!();
    true
}

/// A non-negative number as C's `%f`, `%e` and `%g` write it.
pub(super) fn float_text(n: f64, letter: char, precision: Option<usize>, alternate: bool) -> String {
    if n.is_nan() {
        return "nan".to_owned();
    }
    if n.is_infinite() {
        return "inf".to_owned();
    }
    let p = precision.unwrap_or(6);
    let text = match letter.to_ascii_lowercase() {
        'f' => format!("{n:.p$}"),
        'e' => exponent(n, p),
        _ => {
            let p = p.max(1);
            let scientific = exponent(n, p - 1);
            let exp: i32 = scientific
                .split_once('e')
                .and_then(|(_, e)| e.parse().ok())
                .unwrap_or(0);
            let mut text = if exp < -4 || exp >= p as i32 {
                scientific
            } else {
                let decimals = (p as i32 - 1 - exp).max(0) as usize;
                format!("{n:.decimals$}")
            };
            if !alternate {
                let (mantissa, tail) = match text.split_once('e') {
                    Some((m, e)) => (m.to_owned(), format!("e{e}")),
                    None => (text.clone(), String::new()),
                };
                if mantissa.contains('.') {
                    let short = mantissa.trim_end_matches('0').trim_end_matches('.');
                    text = format!("{short}{tail}");
                }
            }
            text
        }
    };
    if letter.is_ascii_uppercase() {
        text.upper()
    } else {
        text
    }
}

fn exponent(n: f64, p: usize) -> String {
    let text = format!("{n:.p$e}");
    let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs())
}

/// The number that a text begins with; 0 for none.
pub(super) fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let start = end;
    while digit(end) {
        end += 1;
    }
    if bytes.get(end) == Some(&b'.') && (digit(end + 1) || end > start) {
        end += 1;
        while digit(end) {
            end += 1;
        }
    }
    if end == start {
        return 0.0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digit(end + 1 + sign) {
            end += 1 + sign;
            while digit(end) {
                end += 1;
            }
        }
    }
    text.get(..end)
        .and_then(|t| float::parse(t.trim_end_matches('.')))
        .unwrap_or(0.0)
}
