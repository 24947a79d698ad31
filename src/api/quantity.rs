//! `resource.Quantity`: amounts such as `100m`, `1.5Gi`, `2e3`, read, compared and written as
//! apimachinery's `pkg/api/resource` does. Touches nothing else.

use std::cmp::Ordering;
use std::fmt;

/// The sentence for a text that is no quantity (`ErrFormatWrong`).
pub const FORMAT_WRONG: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
/// The sentence for a number that cannot be read (`ErrNumeric`).
pub const NUMERIC: &str = "unable to parse numeric part of quantity";
/// The sentence for an unknown suffix (`ErrSuffix`).
pub const SUFFIX: &str = "unable to parse quantity's suffix";

/// How an amount is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `500m`, `2k`.
    #[default]
    Decimal,
    /// `64Mi`.
    Binary,
    /// `2e3`.
    Exponent,
}

/// An amount with its way of writing. Kept in billionths: the finest that Kubernetes keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    /// How the amount is written.
    pub format: Format,
}

const NANO: i128 = 1_000_000_000;
/// Larger amounts are cut down to this (2^63 − 1).
const MOST: i128 = i64::MAX as i128 * NANO;

/// Decimal suffixes with their exponents of ten.
pub const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

fn pow10(n: u32) -> Option<i128> {
    10i128.checked_pow(n)
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity {
        nanos: 0,
        format: Format::Decimal,
    };

    /// A whole amount.
    pub fn whole(amount: i64, format: Format) -> Quantity {
        Quantity {
            nanos: i128::from(amount) * NANO,
            format,
        }
    }

    /// An amount in thousandths: millicores.
    pub fn milli(amount: i64) -> Quantity {
        Quantity {
            nanos: i128::from(amount) * 1_000_000,
            format: Format::Decimal,
        }
    }

    /// Bytes, written as `64Mi`.
    pub fn bytes(amount: i64) -> Quantity {
        Quantity::whole(amount, Format::Binary)
    }

    /// Reads a quantity. What is finer than a billionth is rounded up.
    ///
    /// # Errors
    /// One of the three sentences of `ParseQuantity`.
    pub fn parse(text: &str) -> Result<Quantity, &'static str> {
        let bytes = text.as_bytes();
        let (negative, start) = match bytes.first() {
            None => return Err(FORMAT_WRONG),
            Some(b'-') => (true, 1),
            Some(b'+') => (false, 1),
            Some(_) => (false, 0),
        };
        let digits = |from: usize| {
            bytes
                .get(from..)
                .unwrap_or(&[])
                .iter()
                .take_while(|c| c.is_ascii_digit())
                .count()
        };
        let whole_len = digits(start);
        let mut at = start + whole_len;
        let mut fraction = "";
        if bytes.get(at) == Some(&b'.') {
            let n = digits(at + 1);
            fraction = text.get(at + 1..at + 1 + n).unwrap_or("");
            at += 1 + n;
        }
        let whole = text.get(start..start + whole_len).unwrap_or("");
        let suffix = text.get(at..).unwrap_or("");
        if whole.is_empty() && fraction.is_empty() {
            return Err(if suffix.is_empty() && at > start {
                NUMERIC
            } else {
                FORMAT_WRONG
            });
        }
        if !suffix_shape(suffix) {
            return Err(FORMAT_WRONG);
        }
        let (base2, exponent, format) = read_suffix(suffix).ok_or(SUFFIX)?;
        // Beyond 30 digits the amount is over the greatest, or its tail under the finest.
        let whole = whole.trim_start_matches('0');
        if whole.len() > 30 {
            return Ok(Quantity::signed(MOST, negative, format));
        }
        let kept = fraction.get(..fraction.len().min(20)).unwrap_or("");
        let dropped = fraction.len() > kept.len() && fraction.bytes().skip(20).any(|c| c != b'0');
        let mantissa: i128 = format!("0{whole}{kept}").parse().map_err(|_| NUMERIC)?;
        // amount = mantissa · 10^-kept · (10^exponent or 2^exponent); in nanos: · 10^9.
        let scale10 = 9 - kept.len() as i32 + if base2 { 0 } else { exponent };
        let mut nanos = Some(mantissa);
        if base2 {
            nanos = nanos.and_then(|n| n.checked_mul(1i128 << exponent.clamp(0, 60)));
        }
        let mut inexact = dropped;
        if scale10 >= 0 {
            nanos = if mantissa == 0 {
                Some(0)
            } else {
                nanos.and_then(|n| pow10(scale10 as u32).and_then(|p| n.checked_mul(p)))
            };
        } else {
            nanos = nanos.map(|n| match pow10(scale10.unsigned_abs()) {
                Some(p) => {
                    inexact |= n % p != 0;
                    n / p
                }
                None => {
                    inexact |= n != 0;
                    0
                }
            });
        }
        let nanos = nanos.unwrap_or(MOST).saturating_add(i128::from(inexact)).min(MOST);
        Ok(Quantity::signed(nanos, negative, format))
    }

    fn signed(nanos: i128, negative: bool, format: Format) -> Quantity {
        Quantity {
            nanos: if negative { -nanos } else { nanos },
            format,
        }
    }

    /// Reads a quantity; what is none counts as nothing.
    pub fn parse_or_zero(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_default()
    }

    /// Whether it is nothing, however it is written.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is below nothing.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// The amount in whole units, rounded up (`Value`).
    pub fn value(self) -> i64 {
        ceil(self.nanos, NANO)
    }

    /// The amount in thousandths, rounded up (`MilliValue`).
    pub fn milli_value(self) -> i64 {
        ceil(self.nanos, 1_000_000)
    }

    /// The amount as a number, to the precision of a double.
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANO as f64
    }

    /// The sum, written as this one (as the other one when this is nothing).
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity {
            nanos: self.nanos.saturating_add(other.nanos),
            format: if self.is_zero() { other.format } else { self.format },
        }
    }

    /// The difference, which may be negative, written as this one (as the other one when this is nothing).
    pub fn minus(self, other: Quantity) -> Quantity {
        Quantity {
            nanos: self.nanos.saturating_sub(other.nanos),
            format: if self.is_zero() { other.format } else { self.format },
        }
    }
}

fn ceil(nanos: i128, unit: i128) -> i64 {
    let up = nanos.div_euclid(unit) + i128::from(nanos.rem_euclid(unit) != 0);
    i64::try_from(up).unwrap_or(if up < 0 { i64::MIN } else { i64::MAX })
}

/// Whether a suffix is letters and then an optional number, as the regular expression says.
fn suffix_shape(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|c| c.is_ascii_digit())
}

/// Whether the base is 2, the exponent, and the format.
fn read_suffix(suffix: &str) -> Option<(bool, i32, Format)> {
    if let Some((_, e)) = DECIMAL.iter().find(|(s, _)| *s == suffix) {
        return Some((false, *e, Format::Decimal));
    }
    if let Some(i) = BINARY.iter().position(|s| *s == suffix) {
        return Some((true, i as i32 * 10, Format::Binary));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let e: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    Some((false, e.clamp(-100, 100), Format::Exponent))
}

impl PartialEq for Quantity {
    /// Equal amounts are equal, however they are written.
    fn eq(&self, other: &Quantity) -> bool {
        self.nanos == other.nanos
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}
impl std::ops::Add for Quantity {
    type Output = Quantity;
    fn add(self, other: Quantity) -> Quantity {
        self.plus(other)
    }
}
impl std::ops::AddAssign for Quantity {
    fn add_assign(&mut self, other: Quantity) {
        *self = self.plus(other);
    }
}
impl std::ops::Sub for Quantity {
    type Output = Quantity;
    fn sub(self, other: Quantity) -> Quantity {
        self.minus(other)
    }
}

/// The canonical form: the largest suffix that leaves a whole number (`CanonicalizeBytes`).
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        if self.format == Format::Binary && whole && (self.nanos / NANO).abs() >= 1024 {
            let mut n = self.nanos / NANO;
            let mut i = 0;
            while n % 1024 == 0 && i + 1 < BINARY.len() {
                n /= 1024;
                i += 1;
            }
            return write!(f, "{n}{}", BINARY.get(i).unwrap_or(&""));
        }
        let mut n = self.nanos;
        let mut exponent = -9;
        while n % 1000 == 0 && exponent < 18 {
            n /= 1000;
            exponent += 3;
        }
        match self.format {
            Format::Exponent if exponent == 0 => write!(f, "{n}"),
            Format::Exponent => write!(f, "{n}e{exponent}"),
            _ => {
                let suffix = DECIMAL.iter().find(|(_, e)| *e == exponent).map_or("", |(s, _)| s);
                write!(f, "{n}{suffix}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        let rows = [
            ("0", "0"),
            ("1000m", "1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.1Gi", "107374182400m"),
            ("1000Mi", "1000Mi"),
            ("100Ki", "100Ki"),
            ("512", "512"),
            ("0.5Ki", "512"),
            ("5000k", "5M"),
            ("2e3", "2e3"),
            ("20e2", "2e3"),
            ("1E", "1E"),
            ("-1", "-1"),
            ("+2", "2"),
            ("0.0000000001", "1n"),
            ("170Mi", "170Mi"),
            ("9999999999999999999999", "9223372036854775807"),
        ];
        for (text, want) in rows {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), want, "{text}");
        }
        for (text, want) in [
            ("", FORMAT_WRONG),
            ("abc", FORMAT_WRONG),
            ("1K", SUFFIX),
            ("1gb", FORMAT_WRONG),
            ("1Mib", FORMAT_WRONG),
            ("1ii", SUFFIX),
            ("1 Gi", FORMAT_WRONG),
            ("１", FORMAT_WRONG),
        ] {
            assert_eq!(Quantity::parse(text).unwrap_err(), want, "{text}");
        }
    }

    #[test]
    fn arithmetic() {
        let q = |s| Quantity::parse(s).unwrap();
        assert_eq!((q("100m") + q("0.9")).to_string(), "1");
        assert_eq!((q("1Gi") - q("512Mi")).to_string(), "512Mi");
        assert_eq!(q("1Gi").value(), 1 << 30);
        assert_eq!(q("1u").milli_value(), 1);
        assert_eq!(q("-1500m").value(), -1);
        assert!(q("1Gi") > q("1G"));
        assert_eq!(q("1"), q("1000m"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_is_stable(text in "[-+]?[0-9]{0,25}(\\.[0-9]{0,25})?([numkKMGTPE]?i?|[eE][-+]?[0-9]{0,12})") {
            if let Ok(q) = Quantity::parse(&text) {
                let canonical = q.to_string();
                proptest::prop_assert_eq!(Quantity::parse(&canonical).unwrap().to_string(), canonical);
            }
        }
    }
}
