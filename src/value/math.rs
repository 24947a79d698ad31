//! Logarithms, powers and angles by their series: the same bits on every machine, and without the tables of the
//! standard library's, which are 10 KB of the page's wasm for a score of the scheduler and the functions of awk.
//! They are right to some 1e-14 of their values; large powers to 1e-12.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4, LN_2, PI};

/// LN_2 in two parts, so that a whole number times the first is exact (fdlibm's).
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// π/2 in three parts, for the same reason (fdlibm's).
const HALF_PI: [f64; 3] = [
    1.570_796_326_734_125_6,
    6.077_100_506_303_966e-11,
    2.022_266_248_795_950_6e-21,
];

/// A sum of terms of which each is the one before times what `next` says, until they change nothing.
fn series(first: f64, mut next: impl FnMut(f64) -> f64) -> f64 {
    let (mut sum, mut term) = (first, first);
    // Arguments are made small first, so that some 20 terms are enough.
    for n in 1..40 {
        term *= next(f64::from(n));
        let more = sum + term;
        if more == sum {
            break;
        }
        sum = more;
    }
    sum
}

/// A number as `m × 2^e` with m in [√½, √2).
fn split(x: f64) -> (f64, f64) {
    // Numbers below the normal ones have their exponent elsewhere.
    let (x, scaled) = if x < f64::MIN_POSITIVE {
        (x * 2f64.powi(54), -54.0)
    } else {
        (x, 0.0)
    };
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1022;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1022 << 52));
    if mantissa < FRAC_1_SQRT_2 {
        (mantissa * 2.0, (exponent - 1) as f64 + scaled)
    } else {
        (mantissa, exponent as f64 + scaled)
    }
}

/// ln m by 2·(s + s³/3 + s⁵/5 + …), where s = (m−1)/(m+1).
fn ln_near_one(m: f64) -> f64 {
    let s = (m - 1.0) / (m + 1.0);
    2.0 * s * series(1.0, |n| s * s * (2.0 * n - 1.0) / (2.0 * n + 1.0))
}

/// A logarithm of m × 2^e; `sum` makes it of ln m and of e.
fn logarithm(x: f64, sum: fn(f64, f64) -> f64) -> f64 {
    match x {
        _ if x.is_nan() || x < 0.0 => f64::NAN,
        0.0 => f64::NEG_INFINITY,
        f64::INFINITY => x,
        _ => {
            let (m, e) = split(x);
            sum(ln_near_one(m), e)
        }
    }
}

/// The natural logarithm.
pub fn ln(x: f64) -> f64 {
    logarithm(x, |near, e| e * LN_2_HIGH + (near + e * LN_2_LOW))
}

/// The logarithm to the base of 2, exact for powers of 2.
pub fn log2(x: f64) -> f64 {
    logarithm(x, |near, e| e + near / LN_2)
}

/// e to the power of x.
pub fn exp(x: f64) -> f64 {
    match x {
        _ if x.is_nan() => x,
        _ if x > 710.0 => f64::INFINITY,
        _ if x < -746.0 => 0.0,
        _ => {
            let k = (x / LN_2).round();
            let rest = (x - k * LN_2_HIGH) - k * LN_2_LOW;
            // In two steps, since 2^k alone may be beyond the doubles.
            let half = (k / 2.0).trunc();
            series(1.0, |n| rest / n) * 2f64.powi(half as i32) * 2f64.powi((k - half) as i32)
        }
    }
}

/// `a` to the power of `b`; whole powers by multiplying.
pub fn pow(a: f64, b: f64) -> f64 {
    if b.fract() == 0.0 && b.abs() < 1e9 {
        return a.powi(b as i32);
    }
    match a {
        1.0 => 1.0,
        0.0 if b > 0.0 => 0.0,
        0.0 if b < 0.0 => f64::INFINITY,
        _ if a < 0.0 && b.fract() == 0.0 => exp(b * ln(-a)) * if b % 2.0 == 0.0 { 1.0 } else { -1.0 },
        _ => exp(b * ln(a)),
    }
}

fn sine_series(x: f64) -> f64 {
    x * series(1.0, |n| -x * x / (2.0 * n * (2.0 * n + 1.0)))
}

fn cosine_series(x: f64) -> f64 {
    series(1.0, |n| -x * x / ((2.0 * n - 1.0) * 2.0 * n))
}

/// The sine of an angle and so many quarters of a turn.
fn wave(x: f64, ahead: i64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    // What is left of the angle when the quarters are taken from it lies in [−π/4, π/4].
    let quarters = (x / FRAC_PI_2).round();
    let rest = HALF_PI.iter().fold(x, |rest, part| rest - quarters * part);
    match (quarters as i64).saturating_add(ahead).rem_euclid(4) {
        0 => sine_series(rest),
        1 => cosine_series(rest),
        2 => -sine_series(rest),
        _ => -cosine_series(rest),
    }
}

/// The sine of an angle in radians. Beyond some thousands of millions it loses digits.
pub fn sin(x: f64) -> f64 {
    wave(x, 0)
}

/// The cosine of an angle in radians. Beyond some thousands of millions it loses digits.
pub fn cos(x: f64) -> f64 {
    wave(x, 1)
}

/// The angle whose tangent is x, of positive numbers.
fn atan(x: f64) -> f64 {
    if x > 1.0 {
        return FRAC_PI_2 - atan(1.0 / x);
    }
    // Halved twice, so that the series is short.
    let halved = |x: f64| x / (1.0 + (1.0 + x * x).sqrt());
    let small = halved(halved(x));
    4.0 * small * series(1.0, |n| -small * small * (2.0 * n - 1.0) / (2.0 * n + 1.0))
}

/// The angle of the point (x, y) in radians, from −π to π.
pub fn atan2(y: f64, x: f64) -> f64 {
    if y.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    let first = match (y.abs(), x.abs()) {
        (0.0, 0.0) => 0.0,
        (f64::INFINITY, f64::INFINITY) => FRAC_PI_4,
        (_, 0.0) => FRAC_PI_2,
        (y, x) => atan(y / x),
    };
    let half = if x.is_sign_negative() { PI - first } else { first };
    half.copysign(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn near(ours: f64, theirs: f64, scale: f64) {
        within(1e-14, ours, theirs, scale);
    }

    #[track_caller]
    fn within(part: f64, ours: f64, theirs: f64, scale: f64) {
        let fits = ours == theirs
            || ours.is_nan() && theirs.is_nan()
            || (ours - theirs).abs() <= part * theirs.abs().max(scale).max(1e-300);
        assert!(fits, "{ours:e} is not {theirs:e}");
    }

    #[test]
    fn what_must_be_exact() {
        for e in -1022..=1023 {
            assert_eq!(log2(f64::from_bits(((e + 1023) as u64) << 52)), e as f64, "2^{e}");
        }
        assert_eq!(log2(f64::from_bits(1)), -1074.0);
        assert_eq!(
            (ln(1.0), exp(0.0), pow(2.0, 10.0), pow(-3.0, 3.0)),
            (0.0, 1.0, 1024.0, -27.0)
        );
        assert_eq!((sin(0.0), cos(0.0), atan2(0.0, 1.0)), (0.0, 1.0, 0.0));
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            2.5,
            5e-324,
            1e308,
            -1e308,
        ];
        for a in odd {
            near(ln(a), a.ln(), 1.0);
            near(log2(a), a.log2(), 1.0);
            near(exp(a), a.exp(), 0.0);
            for b in odd {
                near(atan2(a, b), a.atan2(b), 0.0);
                if b.abs() < 1e300 && a.is_finite() {
                    within(1e-12, pow(a, b), a.powf(b), 0.0);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn near_the_standard_library(x in -700.0..700.0f64, y in -700.0..700.0f64, tiny in 1e-300..1e-3f64) {
            near(exp(x), x.exp(), 0.0);
            near(sin(x), x.sin(), 1.0);
            near(cos(x), x.cos(), 1.0);
            near(atan2(x, y), x.atan2(y), 0.0);
            near(ln(x.abs()), x.abs().ln(), 1.0);
            near(ln(tiny), tiny.ln(), 1.0);
            near(log2(x.abs()), x.abs().log2(), 1.0);
            within(1e-12, pow(x.abs(), y / 100.0), x.abs().powf(y / 100.0), 0.0);
        }
    }
}
