//! Go's `fmt.Sprint`, `Sprintln` and `Sprintf` over template values.

use super::exec::{Val, type_name};
use crate::flat::Case;
use crate::value::{Value, gofmt, hex};

/// Widths and precisions beyond this are refused, as Go does.
const MOST: usize = 1_000_000;

fn shown(value: &Val) -> String {
    value.value.as_ref().map_or_else(|| "<nil>".to_owned(), gofmt::display)
}

fn is_text(value: &Val) -> bool {
    matches!(value.value, Some(Value::Str(_)))
}

/// Operands side by side, with a space between two that are no texts.
pub(super) fn sprint(args: &[Val]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| args.get(i));
        if before.is_some_and(|b| !is_text(b)) && !is_text(arg) {
            out.push(' ');
        }
        out.push_str(&shown(arg));
    }
    out
}

/// Operands with spaces between and a line break.
pub(super) fn sprintln(args: &[Val]) -> String {
    let texts: Vec<String> = args.iter().map(shown).collect();
    format!("{}\n", texts.join(" "))
}

#[derive(Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

impl Flags {
    fn pad(&self, text: &str, zeros: bool) -> String {
        let length = text.chars().count();
        let Some(fill) = self.width.and_then(|w| w.checked_sub(length)) else {
            return text.to_owned();
        };
        if self.minus {
            return format!("{text}{}", " ".repeat(fill));
        }
        if zeros && self.zero {
            let sign = text.len() - text.trim_start_matches(['+', '-', ' ']).len();
            let (sign, digits) = text.split_at(sign);
            return format!("{sign}{}{digits}", "0".repeat(fill));
        }
        format!("{}{text}", " ".repeat(fill))
    }

    fn signed(&self, text: String) -> String {
        match (text.starts_with('-'), self.plus, self.space) {
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
            _ => text,
        }
    }
}

/// A formatted text. What does not fit is said in the text, as Go does.
pub(super) fn sprintf(format: &str, args: &[Val]) -> String {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = format.chars().peekable();
    let mut reordered = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(c) = chars.peek() {
            match c {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => break,
            }
            chars.next();
        }
        flags.zero &= !flags.minus;
        let mut index = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, next: &mut usize| {
            // An explicit argument: %[2]d
            if chars.peek() == Some(&'[') {
                let written: String = chars.clone().skip(1).take_while(|c| *c != ']').collect();
                if let Some(i) = written.parse::<usize>().ok().and_then(|n| n.checked_sub(1)) {
                    for _ in 0..written.len() + 2 {
                        chars.next();
                    }
                    *next = i;
                    reordered = true;
                }
            }
        };
        index(&mut chars, &mut next);
        let star = |next: &mut usize, out: &mut String, what: &str| -> Option<i64> {
            let value = args.get(*next).and_then(|v| v.value.as_ref());
            *next += 1;
            match value {
                Some(Value::Int(i)) if i.unsigned_abs() <= MOST as u64 => Some(*i),
                _ => {
                    out.push_str(what);
                    None
                }
            }
        };
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut n: Option<usize> = None;
            while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
                n = Some((n.unwrap_or(0) * 10 + d as usize).min(MOST + 1));
                chars.next();
            }
            n.filter(|n| *n <= MOST)
        };
        if chars.peek() == Some(&'*') {
            chars.next();
            if let Some(width) = star(&mut next, &mut out, "%!(BADWIDTH)") {
                flags.minus |= width < 0;
                flags.width = Some(width.unsigned_abs() as usize);
            }
        } else {
            flags.width = number(&mut chars);
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            index(&mut chars, &mut next);
            if chars.peek() == Some(&'*') {
                chars.next();
                flags.precision = star(&mut next, &mut out, "%!(BADPREC)").and_then(|p| usize::try_from(p).ok());
            } else {
                flags.precision = Some(number(&mut chars).unwrap_or(0));
            }
        }
        index(&mut chars, &mut next);
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = args.get(next) else {
            if reordered {
                out.push_str(&format!("%!{verb}(BADINDEX)"));
            } else if verb == '!' {
                out.push_str("%!!(NOVERB)");
            } else {
                out.push_str(&format!("%!{verb}(MISSING)"));
            }
            continue;
        };
        next += 1;
        let value = arg.value.as_ref().unwrap_or(&Value::Null);
        one(verb, &flags, value, arg.interface, &mut out);
    }
    if !reordered && next < args.len() {
        let extra: Vec<String> = args
            .iter()
            .skip(next)
            .map(|v| match &v.value {
                None | Some(Value::Null) => "<nil>".to_owned(),
                Some(value) => format!("{}={}", type_of(value, v.interface), gofmt::display(value)),
            })
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

/// The name of a value's type: whole numbers of the data are of another than a template's own.
fn type_of(value: &Value, data: bool) -> &'static str {
    match value {
        Value::Int(_) if data => "int64",
        _ => type_name(value),
    }
}

fn bad(verb: char, flags: &Flags, value: &Value, data: bool, out: &mut String) {
    if value.is_null() {
        out.push_str(&format!("%!{verb}(<nil>)"));
        return;
    }
    out.push_str(&format!("%!{verb}({}=", type_of(value, data)));
    one('v', flags, value, data, out);
    out.push(')');
}

/// Writes one value, which is of the `data` or of the template itself.
fn one(verb: char, flags: &Flags, value: &Value, data: bool, out: &mut String) {
    let text = match (verb, value) {
        ('T', _) => Some(flags.pad(type_of(value, data), false)),
        ('v', Value::Null) => Some(flags.pad("<nil>", false)),
        ('v', Value::Map(_) | Value::List(_)) if flags.sharp => Some(gofmt::go_syntax(value)),
        ('v', Value::Str(s)) if flags.sharp => Some(flags.pad(&gofmt::quote(s), false)),
        (_, Value::List(items)) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                one(verb, flags, item, true, out);
            }
            Some("]".to_owned())
        }
        (_, Value::Map(map)) => {
            out.push_str("map[");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                one(verb, flags, &Value::from(key), true, out);
                out.push(':');
                one(verb, flags, item, true, out);
            }
            Some("]".to_owned())
        }
        ('v' | 't', Value::Bool(b)) => Some(flags.pad(if *b { "true" } else { "false" }, false)),
        (_, Value::Int(i)) => integer(verb, flags, *i),
        (_, Value::Float(f)) => float(verb, flags, *f),
        (_, Value::Str(text)) => string(verb, flags, text),
        _ => None,
    };
    match text {
        Some(text) => out.push_str(&text),
        None => bad(verb, flags, value, data, out),
    }
}

fn integer(verb: char, flags: &Flags, i: i64) -> Option<String> {
    let size = i.unsigned_abs();
    let prefix = |text: &'static str| if flags.sharp { text } else { "" };
    let body = match verb {
        'v' | 'd' => size.to_string(),
        'b' => format!("{}{size:b}", prefix("0b")),
        'o' => format!("{}{size:o}", prefix("0")),
        'O' => format!("0o{size:o}"),
        'x' => format!("{}{size:x}", prefix("0x")),
        'X' => format!("{}{size:X}", prefix("0X")),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(i).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            let text = match verb {
                'c' => c.to_string(),
                'q' => gofmt::quote_char(c),
                _ if flags.sharp => format!("U+{:04X} '{c}'", c as u32),
                _ => format!("U+{:04X}", c as u32),
            };
            return Some(flags.pad(&text, false));
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 's' | 't' => return None,
        _ => return None,
    };
    let body = match flags.precision {
        Some(precision) => format!("{body:0>precision$}"),
        None => body,
    };
    let signed = if i < 0 { format!("-{body}") } else { flags.signed(body) };
    Some(flags.pad(&signed, flags.precision.is_none()))
}

fn float(verb: char, flags: &Flags, f: f64) -> Option<String> {
    let exponent = |text: String| {
        // Rust writes 1e6, Go 1e+06.
        match text.split_once('e') {
            Some((mantissa, exponent)) => {
                let (sign, digits) = match exponent.strip_prefix('-') {
                    Some(digits) => ('-', digits),
                    None => ('+', exponent),
                };
                format!("{mantissa}e{sign}{digits:0>2}")
            }
            None => text,
        }
    };
    let text = if f.is_finite() {
        match (verb, flags.precision) {
            ('v' | 'g' | 'G', None) => gofmt::float(f, 'g'),
            ('v' | 'g' | 'G', Some(precision)) => general(f, precision.clamp(1, 300), exponent),
            ('f' | 'F', precision) => format!("{f:.*}", precision.unwrap_or(6).min(1000)),
            ('e' | 'E', precision) => exponent(format!("{f:.*e}", precision.unwrap_or(6).min(1000))),
            _ => return None,
        }
    } else if matches!(verb, 'v' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E') {
        gofmt::float(f, 'g')
    } else {
        return None;
    };
    let text = if matches!(verb, 'E' | 'G') { text.upper() } else { text };
    Some(flags.pad(&flags.signed(text), f.is_finite()))
}

/// `%.3g`: this many significant digits, without trailing zeros.
fn general(f: f64, precision: usize, exponent: impl Fn(String) -> String) -> String {
    let scientific = format!("{f:.*e}", precision - 1);
    let power: i32 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let trim = |text: String| match text.split_once('e') {
        Some((mantissa, e)) if mantissa.contains('.') => {
            format!("{}e{e}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        None if text.contains('.') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => text,
    };
    if power < -4 || power >= precision as i32 {
        exponent(trim(scientific))
    } else {
        let decimals = (precision as i32 - 1 - power).max(0) as usize;
        trim(format!("{f:.decimals$}"))
    }
}

fn string(verb: char, flags: &Flags, text: &str) -> Option<String> {
    let cut: String = match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let hex = |upper: bool| hex::digits(cut.as_bytes(), if flags.space { " " } else { "" }, upper);
    let body = match verb {
        'v' | 's' => cut,
        'q' if flags.sharp && !cut.contains('`') && !cut.chars().any(|c| c.is_control() && c != '\t') => {
            format!("`{cut}`")
        }
        'q' => gofmt::quote(&cut),
        'x' => hex(false),
        'X' => hex(true),
        _ => return None,
    };
    Some(flags.pad(&body, true))
}
