//! Numbers as jq 1.7 has them: doubles, and beside one its literal where that says more.

use std::rc::Rc;

/// A number. What was written in the input or in the program keeps its digits until something is computed with it.
#[derive(Clone, Debug)]
pub struct Number {
    /// What is computed with.
    pub value: f64,
    /// How it prints, where that is not how its value does.
    text: Option<Rc<str>>,
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number { value, text: None }
    }
}

impl Number {
    /// Reads a literal; `None` when it is none.
    pub fn parse(literal: &str) -> Option<Number> {
        if literal == "nan" || literal == "NaN" {
            return Some(f64::NAN.into());
        }
        let digits = literal.bytes().any(|b| b.is_ascii_digit());
        let plain = literal
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        if !digits || !plain {
            return None;
        }
        let value: f64 = literal.parse().ok()?;
        let text = canonical(literal).filter(|text| *text != of_double(value));
        let text = text.map(Rc::from);
        Some(Number { value, text })
    }

    /// How it prints.
    pub fn text(&self) -> String {
        match &self.text {
            Some(text) => text.to_string(),
            None if self.value.is_nan() => "null".to_owned(),
            None => of_double(self.value.clamp(-f64::MAX, f64::MAX)),
        }
    }
}

/// The greatest power of ten that the first digit of a literal may have, and the least that its last one may: jq's library
/// for decimal numbers has no others.
const GREATEST: i64 = 999_999_999;
const LEAST: i64 = -1_147_483_646;

/// A literal as decimal arithmetic prints it, by its digits and the power of ten that the last one has. `None` where it is
/// too large for that, and prints as its value does.
fn canonical(literal: &str) -> Option<String> {
    let (sign, rest) = match literal.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", literal.strip_prefix('+').unwrap_or(literal)),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let beyond = if exponent.starts_with('-') { LEAST } else { GREATEST } * 2;
    let exponent = exponent.parse().unwrap_or(beyond).clamp(LEAST * 2, GREATEST * 2);
    let exponent = exponent - i64::try_from(fraction.len()).ok()?;
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let (digits, exponent) = match digits {
        "0" => (digits, exponent.clamp(LEAST, GREATEST)),
        _ if exponent < LEAST => ("0", LEAST),
        _ => (digits, exponent),
    };
    let count = i64::try_from(digits.len()).ok()?;
    let leading = exponent + count - 1;
    if leading > GREATEST {
        return None;
    }
    let text = if exponent == 0 {
        digits.to_owned()
    } else if exponent < 0 && leading >= -6 {
        let point = count + exponent;
        match usize::try_from(point) {
            Ok(point) if point > 0 => {
                let (before, after) = digits.split_at_checked(point)?;
                format!("{before}.{after}")
            }
            _ => format!("0.{}{digits}", "0".repeat(usize::try_from(-point).ok()?)),
        }
    } else {
        let (first, more) = digits.split_at_checked(1)?;
        let point = if more.is_empty() { "" } else { "." };
        format!("{first}{point}{more}E{leading:+}")
    };
    Some(format!("{sign}{text}"))
}

/// The shortest text that gives the same double again, with an exponent where jq writes one.
fn of_double(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    // Most numbers are whole and small, and have no digits but those before the point.
    if value.abs() < 1e15 && value.trunc() == value {
        return (value as i64).to_string();
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i64 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    // Where the decimal point stands, counted from before the first digit.
    let point = exponent + 1;
    if point <= -4 || point > count + 15 {
        let (first, more) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        let dot = if more.is_empty() { "" } else { "." };
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{dot}{more}e{mark}{:02}", exponent.abs());
    }
    match usize::try_from(point) {
        Ok(point) if point > 0 => match digits.split_at_checked(point) {
            Some((before, "")) => format!("{sign}{before}"),
            Some((before, after)) => format!("{sign}{before}.{after}"),
            None => format!("{sign}{digits}{}", "0".repeat(point.saturating_sub(digits.len()))),
        },
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_keep_what_says_more() {
        for (literal, printed) in [
            ("1", "1"),
            ("1.50", "1.50"),
            ("0.00001", "0.00001"),
            ("1e2", "1E+2"),
            ("1e1000", "1E+1000"),
            ("100000000000000000001", "100000000000000000001"),
            ("1e999999999", "1E+999999999"),
            ("1.5e1000000000", "1.7976931348623157e+308"),
            ("-1e99999999999999999999", "-1.7976931348623157e+308"),
            ("1.5e-9223372036854775808", "0E-1147483646"),
            ("0.1e-9223372036854775807", "0E-1147483646"),
            ("10e9223372036854775807", "1.7976931348623157e+308"),
            ("nan", "null"),
        ] {
            let number = Number::parse(literal).map(|n| n.text());
            assert_eq!(number.as_deref(), Some(printed), "{literal}");
        }
        for literal in ["", "-", "e5", "1e", "1e+", "0x10", "1.2.3", "infinity"] {
            assert!(Number::parse(literal).is_none(), "{literal}");
        }
    }

    #[test]
    fn what_is_computed_prints_shortest() {
        for (value, printed) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (42.0, "42"),
            (-7.0, "-7"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1000000000000000"),
            (1e16, "1e+16"),
            (12_345_678_901_234_567_000.0, "12345678901234567000"),
            (1.23e30, "1.23e+30"),
            (f64::INFINITY, "1.7976931348623157e+308"),
        ] {
            assert_eq!(Number::from(value).text(), printed);
        }
    }
}
