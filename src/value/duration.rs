//! Durations as Go's `time` reads and writes them.

use std::time::Duration;

/// The units, each with its nanoseconds. The micro sign and the letter mu are both known.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Digits of a fraction that are looked at: one more and a nanosecond of an hour is far away.
const PLACES: usize = 18;

/// A text in the quotes of `time`'s errors, which show what is no ASCII by its bytes.
fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', byte.into()]),
            b' '..=0x7f => out.push(byte.into()),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Nanoseconds of a text like `1h30m`, `-90s`, `.5ms` (`time.ParseDuration`).
///
/// # Errors
/// Go's sentence.
pub fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit());
        let (unit, next) = after.split_at(end.unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let (unit, text) = (quote(unit), quote(text));
            return Err(format!("time: unknown unit {unit} in duration {text}"));
        };
        let whole = match whole {
            "" => Some(0),
            digits => digits.parse::<u64>().ok(),
        };
        // A fraction is of one unit, and so below 2^42.
        let fraction = fraction.get(..PLACES).unwrap_or(fraction);
        let parts = fraction.parse::<u128>().unwrap_or(0) * u128::from(*size);
        let part = parts / 10u128.pow(fraction.len() as u32);
        total = whole
            .and_then(|n| n.checked_mul(*size))
            .and_then(|n| n.checked_add(part as u64))
            .and_then(|n| n.checked_add(total))
            .ok_or_else(invalid)?;
        rest = next;
    }
    let nanos = if negative {
        0i64.checked_sub_unsigned(total)
    } else {
        0i64.checked_add_unsigned(total)
    };
    nanos.ok_or_else(invalid)
}

/// A duration as Go prints it, to the microsecond: `1m30s`, `500ms`, `2h0m0.25s`.
pub fn text(d: Duration) -> String {
    let micros = d.as_micros();
    match micros {
        0 => return "0s".into(),
        1..1_000 => return format!("{micros}µs"),
        _ => {}
    }
    let decimal = |whole: u128, part: u128, digits: usize| {
        let text = format!("{whole}.{part:0digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if micros < 1_000_000 {
        return decimal(micros / 1_000, micros % 1_000, 3) + "ms";
    }
    let seconds = micros / 1_000_000;
    let last = decimal(seconds % 60, micros % 1_000_000, 6) + "s";
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => last,
        (0, m) => format!("{m}m{last}"),
        (h, m) => format!("{h}h{m}m{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_go_does() {
        for (given, want) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1h2m3.5s", Ok(3_723_500_000_000)),
            ("-1.5h", Ok(-5_400_000_000_000)),
            ("+5m", Ok(300_000_000_000)),
            (".5µs", Ok(500)),
            ("1.μs", Ok(1_000)),
            ("0.100000000000000000000h", Ok(360_000_000_000)),
            ("0.830103483285477580700h", Ok(2_988_372_539_827)),
            ("9223372036854775807ns", Ok(i64::MAX)),
            ("-9223372036854775808ns", Ok(i64::MIN)),
            ("", Err(r#"time: invalid duration """#)),
            ("-", Err(r#"time: invalid duration "-""#)),
            (".s", Err(r#"time: invalid duration ".s""#)),
            ("x", Err(r#"time: invalid duration "x""#)),
            (
                "9223372036854775808ns",
                Err(r#"time: invalid duration "9223372036854775808ns""#),
            ),
            ("3000000h", Err(r#"time: invalid duration "3000000h""#)),
            ("5", Err(r#"time: missing unit in duration "5""#)),
            ("1m5", Err(r#"time: missing unit in duration "1m5""#)),
            ("5d", Err(r#"time: unknown unit "d" in duration "5d""#)),
            (
                "1é\"",
                Err(r#"time: unknown unit "\xc3\xa9\"" in duration "1\xc3\xa9\"""#),
            ),
        ] {
            assert_eq!(parse(given), want.map_err(str::to_owned), "{given}");
        }
    }

    #[test]
    fn prints_as_go_does() {
        for (micros, want) in [
            (0, "0s"),
            (7, "7µs"),
            (500_000, "500ms"),
            (1_129_000, "1.129s"),
            (90_000_000, "1m30s"),
            (300_000_000, "5m0s"),
            (7_200_250_000, "2h0m0.25s"),
        ] {
            assert_eq!(text(Duration::from_micros(micros)), want);
        }
    }
}
