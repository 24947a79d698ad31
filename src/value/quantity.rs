//! Quantities of resources (`100m`, `64Mi`, `1e3`), as apimachinery's `resource.Quantity` reads,
//! computes and prints them.

use std::cmp::Ordering;
use std::fmt;

/// Parts of one in a whole: quantities go down to nano.
const NANO: i128 = 1_000_000_000;
/// The largest whole quantity; larger ones are capped.
const MOST: i128 = i64::MAX as i128 * NANO;

/// How a quantity was written, which is how it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `k`, `M`, `m`, …
    #[default]
    DecimalSi,
    /// `Ki`, `Mi`, …
    BinarySi,
    /// `e3`
    DecimalExponent,
}

/// An exact amount. Compares by its amount alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// Why a text is no quantity. Displays apimachinery's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Form,
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Factor and format of a suffix, as a fraction of nano units.
fn suffix_factor(suffix: &str) -> Option<(i128, i32, Format)> {
    let (base, power, format) = match suffix {
        "n" => (10, -9, Format::DecimalSi),
        "u" => (10, -6, Format::DecimalSi),
        "m" => (10, -3, Format::DecimalSi),
        "" => (10, 0, Format::DecimalSi),
        "k" => (10, 3, Format::DecimalSi),
        "M" => (10, 6, Format::DecimalSi),
        "G" => (10, 9, Format::DecimalSi),
        "T" => (10, 12, Format::DecimalSi),
        "P" => (10, 15, Format::DecimalSi),
        "E" => (10, 18, Format::DecimalSi),
        "Ki" => (2, 10, Format::BinarySi),
        "Mi" => (2, 20, Format::BinarySi),
        "Gi" => (2, 30, Format::BinarySi),
        "Ti" => (2, 40, Format::BinarySi),
        "Pi" => (2, 50, Format::BinarySi),
        "Ei" => (2, 60, Format::BinarySi),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let power: i32 = exponent.parse().ok().filter(|p: &i32| (-1000..=1000).contains(p))?;
            return Some((10, power, Format::DecimalExponent));
        }
    };
    Some((base, power, format))
}

impl Quantity {
    pub const ZERO: Quantity = Quantity {
        nano: 0,
        format: Format::DecimalSi,
    };

    /// Reads a quantity. What is smaller than nano is rounded up, what is larger than 2⁶³-1 capped.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Form);
        }
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        if number.is_empty() || number == "." || number.matches('.').count() > 1 {
            return Err(if number.matches('.').count() > 1 {
                QuantityError::Numeric
            } else {
                QuantityError::Form
            });
        }
        let letters = suffix.trim_end_matches(|c: char| c.is_ascii_digit());
        let letters = letters.strip_suffix(['+', '-']).unwrap_or(letters);
        if !letters.chars().all(|c| "eEinumkKMGTP".contains(c)) {
            return Err(QuantityError::Form);
        }
        let (base, power, format) = suffix_factor(suffix).ok_or(QuantityError::Suffix)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let nano = scaled(whole, fraction, base, power);
        Ok(Quantity {
            nano: if negative { -nano } else { nano },
            format,
        })
    }

    /// A whole amount.
    pub fn whole(amount: i64, format: Format) -> Quantity {
        Quantity {
            nano: i128::from(amount) * NANO,
            format,
        }
    }

    /// An amount in thousandths (`cpu`).
    pub fn milli(amount: i64) -> Quantity {
        Quantity {
            nano: i128::from(amount) * (NANO / 1000),
            format: Format::DecimalSi,
        }
    }

    /// The quantity of a field: a text, or a number as YAML gives it. Zero when there is none.
    pub fn of(value: &super::Value) -> Quantity {
        match value {
            super::Value::Str(text) => Quantity::parse(text).unwrap_or_default(),
            super::Value::Int(i) => Quantity::whole(*i, Format::DecimalSi),
            super::Value::Float(f) => Quantity::parse(&super::gofmt::json_float(*f)).unwrap_or_default(),
            _ => Quantity::ZERO,
        }
    }

    /// The amount in whole units, rounded up.
    pub fn value(self) -> i64 {
        ceil(self.nano, NANO)
    }

    /// The amount in thousandths, rounded up.
    pub fn milli_value(self) -> i64 {
        ceil(self.nano, NANO / 1000)
    }

    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// -1, 0 or 1.
    pub fn sign(self) -> i32 {
        self.nano.signum() as i32
    }

    /// The sum, in this quantity's format (the other's when this one is zero).
    pub fn plus(self, other: Quantity) -> Quantity {
        let format = if self.nano == 0 { other.format } else { self.format };
        Quantity {
            nano: (self.nano + other.nano).clamp(-MOST, MOST),
            format,
        }
    }

    /// The difference, in this quantity's format (the other's when this one is zero).
    pub fn minus(self, other: Quantity) -> Quantity {
        let format = if self.nano == 0 { other.format } else { self.format };
        Quantity {
            nano: (self.nano - other.nano).clamp(-MOST, MOST),
            format,
        }
    }
}

/// `whole.fraction × base^power` in nano units, rounded up and capped.
fn scaled(whole: &str, fraction: &str, base: i128, power: i32) -> i128 {
    // Digits as one number; more than 30 digits are beyond what a quantity holds.
    let fraction: String = fraction.chars().take(30).collect();
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    let point = fraction.len() as i32;
    if base == 10 {
        // digits × 10^(9 + power - point)
        let shift = 9 + power - point;
        let length = digits.len() as i32;
        if length + shift > 29 {
            return MOST;
        }
        if shift >= 0 {
            let amount: i128 = digits.parse().unwrap_or(MOST);
            return amount.saturating_mul(10_i128.saturating_pow(shift as u32)).min(MOST);
        }
        if length + shift < 0 {
            return 1;
        }
        let (kept, cut) = digits.split_at((length + shift) as usize);
        let amount: i128 = if kept.is_empty() {
            0
        } else {
            kept.parse().unwrap_or(MOST)
        };
        return (amount + i128::from(cut.bytes().any(|b| b != b'0'))).min(MOST);
    }
    // digits × 2^power × 10^9 / 10^point
    if digits.len() > 29 {
        return MOST;
    }
    let amount: i128 = digits.parse().unwrap_or(MOST);
    let factor = (1_i128 << power.clamp(0, 60)).saturating_mul(NANO);
    let divisor = 10_i128.saturating_pow(point as u32);
    match amount.checked_mul(factor) {
        Some(product) => (product / divisor + i128::from(product % divisor != 0)).min(MOST),
        // Only a long fraction or an amount beyond the cap gets here.
        None => (amount / divisor).saturating_mul(factor).clamp(1, MOST),
    }
}

fn ceil(nano: i128, unit: i128) -> i64 {
    let up = nano.div_euclid(unit) + i128::from(nano.rem_euclid(unit) != 0);
    // Negative amounts are rounded away from zero too.
    let up = if nano < 0 && nano % unit != 0 { up - 1 } else { up };
    i64::try_from(up).unwrap_or(if up < 0 { i64::MIN } else { i64::MAX })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.nano == other.nano
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
        self.nano.cmp(&other.nano)
    }
}

/// The canonical form: the largest suffix that leaves a whole number.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let binary = self.format == Format::BinarySi && self.nano.abs() >= 1024 * NANO && self.nano % NANO == 0;
        if binary {
            let mut amount = self.nano / NANO;
            let mut suffix = 0;
            const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            while amount % 1024 == 0 && suffix + 1 < SUFFIXES.len() {
                amount /= 1024;
                suffix += 1;
            }
            return write!(f, "{amount}{}", SUFFIXES.get(suffix).unwrap_or(&""));
        }
        let mut amount = self.nano;
        let mut power = -9;
        while amount % 1000 == 0 && power < 18 {
            amount /= 1000;
            power += 3;
        }
        if self.format == Format::DecimalExponent {
            return if power == 0 {
                write!(f, "{amount}")
            } else {
                write!(f, "{amount}e{power}")
            };
        }
        let suffix = match power {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        };
        write!(f, "{amount}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (text, printed) in [
            ("0", "0"),
            ("0Mi", "0"),
            ("1", "1"),
            ("100m", "100m"),
            ("0.1", "100m"),
            ("1000m", "1"),
            ("1.5", "1500m"),
            ("1500m", "1500m"),
            ("64Mi", "64Mi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Ki", "1000Ki"),
            ("512", "512"),
            ("1000", "1k"),
            ("12345", "12345"),
            ("2048", "2048"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("12e6", "12e6"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("-5", "-5"),
            ("+5", "5"),
            ("0.0000000001", "1n"),
            ("1n", "1n"),
            ("100u", "100u"),
            ("9223372036854775807", "9223372036854775807"),
            ("99999999999999999999", "9223372036854775807"),
            ("1.1Mi", "1153433600m"),
            (".5", "500m"),
            ("5.", "5"),
            ("3912924Ki", "3912924Ki"),
        ] {
            assert_eq!(
                Quantity::parse(text).map(|q| q.to_string()),
                Ok(printed.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn errors() {
        for (text, error) in [
            ("", QuantityError::Form),
            ("abc", QuantityError::Form),
            ("1x", QuantityError::Form),
            ("1mm", QuantityError::Suffix),
            ("1MiB", QuantityError::Form),
            ("1.2.3", QuantityError::Numeric),
            ("1 Gi", QuantityError::Form),
            ("名", QuantityError::Form),
            ("1K", QuantityError::Suffix),
            ("--1", QuantityError::Form),
        ] {
            assert_eq!(Quantity::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn sums() {
        let q = |t: &str| Quantity::parse(t).unwrap();
        assert_eq!(q("100m").plus(q("1")).to_string(), "1100m");
        assert_eq!(Quantity::ZERO.plus(q("64Mi")).to_string(), "64Mi");
        assert_eq!(q("1Gi").minus(q("512Mi")).to_string(), "512Mi");
        assert_eq!(
            (q("100m").value(), q("100m").milli_value(), q("1.5").value()),
            (1, 100, 2)
        );
        assert!(q("1Gi") > q("1G"));
        assert_eq!(q("1000m"), q("1"));
    }
}
