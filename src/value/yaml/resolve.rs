//! What type a plain scalar has: YAML 1.1 as go-yaml v2 reads it (booleans `yes`/`on`/`y`, octal
//! `010`, `0x`/`0b`, underscores, `.inf`; timestamps stay texts). Base 60 is not read.

use crate::value::float;

/// A scalar with its type. `Big` is a whole number beyond 64 bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Big(f64),
    Float(f64),
    Text(String),
}

pub(super) const STR: &str = "tag:yaml.org,2002:str";
pub(super) const BINARY: &str = "tag:yaml.org,2002:binary";
pub(super) const MERGE: &str = "tag:yaml.org,2002:merge";
const BOOL: &str = "tag:yaml.org,2002:bool";
const INT: &str = "tag:yaml.org,2002:int";
const FLOAT: &str = "tag:yaml.org,2002:float";
const NULL: &str = "tag:yaml.org,2002:null";
const TIMESTAMP: &str = "tag:yaml.org,2002:timestamp";

fn short(tag: &str) -> String {
    tag.strip_prefix("tag:yaml.org,2002:")
        .map_or_else(|| tag.to_owned(), |t| format!("!!{t}"))
}

/// The words that have a type of their own.
fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// Sign, digits and base of a whole number, by Go's prefixes.
fn whole_parts(text: &str) -> Option<(bool, &str, u32)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (digits, base) = match lower.as_deref() {
        Some("0x") => (digits.get(2..)?, 16),
        Some("0o") => (digits.get(2..)?, 8),
        Some("0b") => (digits.get(2..)?, 2),
        _ if digits.len() > 1 && digits.starts_with('0') => (digits.get(1..)?, 8),
        _ => (digits, 10),
    };
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(base))).then_some((negative, digits, base))
}

fn whole(text: &str) -> Option<Scalar> {
    let (negative, digits, base) = whole_parts(text)?;
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    if let Ok(i) = i64::from_str_radix(&signed, base) {
        return Some(Scalar::Int(i));
    }
    if !negative
        && !text.starts_with('+')
        && let Ok(u) = u64::from_str_radix(digits, base)
    {
        return Some(Scalar::Uint(u));
    }
    let size = digits
        .chars()
        .filter_map(|c| c.to_digit(base))
        .fold(0.0, |n, d| n * f64::from(base) + f64::from(d));
    size.is_finite()
        .then_some(Scalar::Big(if negative { -size } else { size }))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let well = digits(whole)
        && digits(fraction)
        && (!whole.is_empty() || !fraction.is_empty() && mantissa.contains('.'))
        && exponent.is_none_or(|e| !e.is_empty() && digits(e));
    let number = well.then(|| float::parse(text))??;
    number.is_finite().then_some(number)
}

/// The type of a plain scalar without a tag.
pub(super) fn plain(text: &str) -> Scalar {
    let Some(&first) = text.as_bytes().first() else {
        return Scalar::Null;
    };
    let found = match first {
        b'.' => word(text).or_else(|| float::parse(text).filter(|f| f.is_finite()).map(Scalar::Float)),
        b'+' | b'-' | b'0'..=b'9' => word(text).or_else(|| {
            if timestamp(text) {
                return None;
            }
            let bare = text.replace('_', "");
            match whole(&bare) {
                // A decimal number of more than 64 bits also has the form of a float, which is tried first.
                Some(Scalar::Big(big)) => Some(float(&bare).map_or(Scalar::Big(big), Scalar::Float)),
                Some(number) => Some(number),
                None => float(&bare).map(Scalar::Float),
            }
        }),
        _ => word(text),
    };
    found.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// The type of a plain scalar as go-yaml v3 finds it.
pub(super) fn plain_core(text: &str) -> Scalar {
    match plain(text) {
        Scalar::Bool(_) if !matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
            Scalar::Text(text.to_owned())
        }
        Scalar::Text(t) => Scalar::Text(written_out(&t).unwrap_or(t)),
        other => other,
    }
}

/// A timestamp in RFC 3339, as Go's JSON writes one.
fn written_out(text: &str) -> Option<String> {
    if !timestamp(text) {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(i) => (text.get(..i)?, text.get(i + 1..)?),
        None => (text, ""),
    };
    let mut day = date.splitn(3, '-');
    let (year, month, day) = (day.next()?, day.next()?, day.next()?);
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(i) => (time.get(..i)?, time.get(i..)?),
        None => (time, "Z"),
    };
    let zone = if matches!(zone, "+00:00" | "-00:00") { "Z" } else { zone };
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    // Go keeps nanoseconds.
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let mut parts = clock.split(':').chain(["0"; 3]).filter(|p| !p.is_empty());
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!(
        "{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}{dot}{fraction}{zone}"
    ))
}

fn tag_of(scalar: &Scalar, text: &str) -> &'static str {
    match scalar {
        Scalar::Null => NULL,
        Scalar::Bool(_) => BOOL,
        Scalar::Int(_) | Scalar::Uint(_) | Scalar::Big(_) => INT,
        Scalar::Float(_) => FLOAT,
        Scalar::Text(_) if timestamp(text) => TIMESTAMP,
        Scalar::Text(_) => STR,
    }
}

/// The type of a scalar with a tag. The error is go-yaml's sentence.
pub(super) fn tagged(tag: &str, text: &str) -> Result<Scalar, String> {
    match tag {
        STR => Ok(Scalar::Text(text.to_owned())),
        BINARY => match super::super::base64::decode(text) {
            Some(bytes) => Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned())),
            None => Err("!!binary value contains invalid base64 data".to_owned()),
        },
        BOOL | INT | FLOAT | NULL | TIMESTAMP => {
            let scalar = plain(text);
            let found = tag_of(&scalar, text);
            match scalar {
                Scalar::Int(i) if tag == FLOAT => Ok(Scalar::Float(i as f64)),
                scalar if found == tag => Ok(scalar),
                _ => Err(format!("cannot decode {} `{text}` as a {}", short(found), short(tag))),
            }
        }
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

fn number(text: &str, most_digits: usize, range: std::ops::RangeInclusive<u32>) -> Option<(u32, &str)> {
    let digits = text.bytes().take(most_digits).take_while(u8::is_ascii_digit).count();
    let value = text.get(..digits)?.parse().ok()?;
    range.contains(&value).then_some((value, text.get(digits..)?))
}

/// Whether go-yaml takes a text for a timestamp: `2006-1-2`, with `T15:4:5Z`, `t…` or ` 15:4:5`.
fn timestamp(text: &str) -> bool {
    fn read(text: &str) -> Option<bool> {
        let year: u32 = text
            .get(..4)
            .filter(|y| y.bytes().all(|b| b.is_ascii_digit()))?
            .parse()
            .ok()?;
        let (month, rest) = number(text.get(4..)?.strip_prefix('-')?, 2, 1..=12)?;
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 31,
        };
        let (_, rest) = number(rest.strip_prefix('-')?, 2, 1..=days)?;
        if rest.is_empty() {
            return Some(true);
        }
        let zoned = !rest.starts_with(' ');
        let (_, rest) = number(rest.strip_prefix(['T', 't', ' '])?, 2, 0..=23)?;
        let (_, rest) = number(rest.strip_prefix(':')?, 2, 0..=59)?;
        let (_, mut rest) = number(rest.strip_prefix(':')?, 2, 0..=59)?;
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            rest = fraction.get(digits..)?;
        }
        if !zoned {
            return Some(rest.is_empty());
        }
        if rest == "Z" {
            return Some(true);
        }
        let zone = rest.strip_prefix(['+', '-'])?;
        let (hours, minutes) = zone.split_once(':')?;
        let two = |s: &str, most: u32| s.len() == 2 && number(s, 2, 0..=most).is_some_and(|(_, r)| r.is_empty());
        Some(two(hours, 24) && two(minutes, 60))
    }
    read(text).unwrap_or(false)
}

/// `190:20:30`: read by other YAML parsers as a number, so go-yaml quotes it.
fn base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let Some(first) = parts.next() else { return false };
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return false;
    }
    let parts: Vec<&str> = parts.collect();
    let minute = |p: &str| match p.as_bytes() {
        [a] => a.is_ascii_digit(),
        [a, b] => (b'0'..=b'5').contains(a) && b.is_ascii_digit(),
        _ => false,
    };
    match parts.split_last() {
        Some((last, others)) => {
            let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
            others.iter().all(|p| minute(p))
                && minute(last)
                && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        }
        None => false,
    }
}

/// Whether a text, written plain, reads back as that text.
pub(crate) fn plain_resolves_to_string(text: &str) -> bool {
    matches!(plain(text), Scalar::Text(_)) && !timestamp(text) && !base_60(text)
}
