//! Reading floating point numbers, exactly as `str::parse` does, with arithmetic of big integers in the place of its
//! tables: those are 10 KB that no compression makes smaller, a hundredth of the page's wasm.

use num_bigint::BigUint;

/// The significant digits that can decide how a double is rounded: of all midpoints between doubles none has more than
/// 767. What follows only tells whether the number is above them.
const DIGITS: usize = 770;

/// A double's bits of mantissa, with the first that is not stored.
const MANTISSA: i64 = 53;

/// The exponent of the smallest normal double.
const SMALLEST: i64 = -1022;

/// The double nearest to a decimal text, of two the even one: a sign or none, digits with a point or without, an exponent
/// or none; or `inf`, `infinity`, `nan` in any case. `None` where it is something else, as where `str::parse` fails.
pub fn parse(text: &str) -> Option<f64> {
    let (negative, unsigned) = sign(text);
    let magnitude = match () {
        () if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") => f64::INFINITY,
        () if unsigned.eq_ignore_ascii_case("nan") => f64::NAN,
        () => Decimal::read(unsigned)?.nearest(),
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `digits` × 10^`exponent`.
struct Decimal {
    /// ASCII, without zeros in front.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, power(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let has_digits = !whole.is_empty() || !fraction.is_empty();
        let all = || whole.bytes().chain(fraction.bytes());
        if !has_digits || !all().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut digits: Vec<u8> = Vec::new();
        let (mut dropped, mut more) = (0, false);
        for digit in all().skip_while(|b| *b == b'0') {
            if digits.len() < DIGITS {
                digits.push(digit);
            } else {
                dropped += 1;
                more |= digit != b'0';
            }
        }
        let mut exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(dropped);
        if more {
            digits.push(b'1');
            exponent = exponent.saturating_sub(1);
        }
        Some(Decimal { digits, exponent })
    }

    fn nearest(&self) -> f64 {
        // The largest double has 309 digits before its point, and the half of the smallest 324 zeros behind it.
        let place = self.exponent.saturating_add(self.digits.len() as i64);
        if self.digits.is_empty() || place < -324 {
            return 0.0;
        }
        if place > 310 {
            return f64::INFINITY;
        }
        let mut above = BigUint::default();
        for digit in &self.digits {
            above = above * 10u32 + u32::from(digit - b'0');
        }
        let mut below = BigUint::from(1u32);
        let scaled = if self.exponent < 0 { &mut below } else { &mut above };
        for _ in 0..self.exponent.unsigned_abs() {
            *scaled *= 10u32;
        }
        // The quotient gets more bits than a mantissa has; the remainder says whether there are still more.
        let shift = 66 - (above.bits() as i64 - below.bits() as i64);
        match shift {
            0.. => above <<= shift,
            _ => below <<= -shift,
        }
        let quotient = &above / &below;
        let exact = &quotient * &below == above;
        let bits = quotient.bits() as i64;
        // The exponent of the first bit; below the normal ones a double has fewer bits.
        let first = bits - 1 - shift;
        let kept = MANTISSA.min(MANTISSA + first - SMALLEST);
        if kept < 0 {
            return 0.0;
        }
        let cut = bits - kept;
        let value = quotient
            .iter_u64_digits()
            .rev()
            .fold(0u128, |v, digit| v << 64 | u128::from(digit));
        let (mut mantissa, rest, half) = (value >> cut, value & ((1 << cut) - 1), 1 << (cut - 1));
        if rest > half || rest == half && (!exact || mantissa & 1 == 1) {
            mantissa += 1;
        }
        // A mantissa that was rounded up to one bit more carries into the exponent by the addition, up to infinity.
        let exponent = (first.max(SMALLEST) - SMALLEST) as u64;
        let stored = if first < SMALLEST {
            mantissa as u64
        } else {
            (exponent << 52) + mantissa as u64
        };
        f64::from_bits(stored.min(f64::INFINITY.to_bits()))
    }
}

/// Whether a minus stands before a number, and what follows the sign.
fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The number behind an `e`. One of more than 18 digits is as good as endless.
fn power(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let size = match digits.len() {
        0 => 0,
        1..=18 => digits.parse().ok()?,
        _ => i64::MAX / 2,
    };
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn same(text: &str) {
        let theirs = text.parse::<f64>().ok().map(f64::to_bits);
        assert_eq!(parse(text).map(f64::to_bits), theirs, "{text}");
    }

    #[test]
    fn as_the_standard_library_reads() {
        for text in [
            "",
            "-",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "0x10",
            " 1",
            "1 ",
            "1_0",
            "--1",
            "é",
            "-é",
            "1e5é",
            "0",
            "-0",
            "00",
            "0e999999999999999999999",
            "1",
            ".5",
            "5.",
            "+.5e+1",
            "1e5",
            "1E-5",
            "inf",
            "-INF",
            "Infinity",
            "NaN",
            "infinit",
            "0.1",
            "123456789012345678901234567890",
            "9007199254740993",
            "9007199254740992.999999999999999999",
            "9007199254740993.00000000000000000000000000000000001",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "-1e400",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "2.225073858507201e-308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.5e-324",
            "1e-325",
            "1e-400",
            "8.98846567431158e307",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "3.14159",
            "100e-2",
        ] {
            same(text);
        }
        let halfway = format!("1.{}5e0", "0".repeat(900));
        same(&halfway);
        same(&format!("9007199254740993.{}1", "0".repeat(2000)));
        same(&format!("0.{}1e1000", "0".repeat(999)));
        same(&format!("{}e-1000", "9".repeat(1200)));
    }

    proptest! {
        #[test]
        fn any_double_reads_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            same(&number.to_string());
            same(&format!("{number:e}"));
        }

        #[test]
        fn any_decimal(mantissa in "[0-9]{1,30}", fraction in "[0-9]{0,30}", exponent in -345i32..330) {
            same(&format!("{mantissa}.{fraction}e{exponent}"));
        }

        #[test]
        fn halves_between_doubles(bits in 0u64..0x7fe0_0000_0000_0000) {
            // Twice the mantissa and one: the exact middle, written with all of its digits.
            let (low, high) = (f64::from_bits(bits), f64::from_bits(bits + 1));
            same(&format!("{low:.1100}"));
            same(&format!("{high:.1100}5"));
        }

        #[test]
        fn any_text(text in "[-+0-9.eEinf ]{0,12}") {
            same(&text);
        }
    }
}
