//! perl: only what the Job tutorial runs, `perl -Mbignum=bpi -wle 'print bpi(2000)'`.

use std::rc::Rc;
use std::time::Duration;

use super::{Image, Sandbox, program};
use crate::shell::{Commands, Context, Files};

/// Digits of π that are computed at most; the time grows with their square.
const DIGITS: usize = 5_000;

pub(super) fn install(_image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    program(commands, "/usr/local/bin/perl", sandbox, run);
}

async fn run(context: Context, _sandbox: Rc<Sandbox>) -> i32 {
    if context.arg(1) == Some("-v") {
        context
            .stdout
            .line("\nThis is perl 5, version 42, subversion 0 (v5.42.0) built for x86_64-linux-gnu\n");
        return 0;
    }
    let code = context.rest().iter().find_map(|a| {
        let inner = a.trim().strip_prefix("print bpi(")?;
        inner
            .trim_end_matches(';')
            .trim_end()
            .strip_suffix(')')?
            .trim()
            .parse::<usize>()
            .ok()
    });
    match code {
        Some(digits) if (1..=DIGITS).contains(&digits) => {
            // bignum takes some seconds for 2,000 digits.
            context.sim.sleep(Duration::from_millis(100 + digits as u64)).await;
            context.stdout.line(pi(digits));
            0
        }
        Some(_) => {
            context.error(format!("more than {DIGITS} digits are not simulated"));
            1
        }
        None => {
            context.error("only `print bpi(N)` is simulated");
            1
        }
    }
}

/// π with so many significant digits, rounded, by Machin's formula: 16·arctan(1/5) − 4·arctan(1/239).
fn pi(digits: usize) -> String {
    // Base 10^9, most significant first, ten guard digits.
    const BASE: u64 = 1_000_000_000;
    let limbs = (digits + 10) / 9 + 3;
    let divide = |n: &mut [u64], d: u64| {
        let mut rest = 0;
        for limb in n.iter_mut() {
            let current = rest * BASE + *limb;
            *limb = current / d;
            rest = current % d;
        }
    };
    let add = |a: &mut [u64], b: &[u64], minus: bool| {
        let mut carry = 0i64;
        for (x, y) in a.iter_mut().zip(b).rev() {
            let y = *y as i64;
            let mut sum = *x as i64 + carry + if minus { -y } else { y };
            carry = sum.div_euclid(BASE as i64);
            sum = sum.rem_euclid(BASE as i64);
            *x = sum as u64;
        }
    };
    let arctan = |factor: u64, x: u64| -> Vec<u64> {
        let mut power = vec![0u64; limbs];
        if let Some(first) = power.first_mut() {
            *first = factor;
        }
        divide(&mut power, x);
        let mut total = power.clone();
        let mut n = 1;
        while power.iter().any(|l| *l != 0) {
            divide(&mut power, x * x);
            n += 2;
            let mut term = power.clone();
            divide(&mut term, n);
            add(&mut total, &term, n % 4 == 3);
        }
        total
    };
    let mut value = arctan(16, 5);
    add(&mut value, &arctan(4, 239), true);
    let mut text = String::new();
    for limb in value.iter().skip(1) {
        text.push_str(&format!("{limb:09}"));
    }
    // "3" and the decimals: round at the last digit asked.
    let mut all: Vec<u8> = std::iter::once(3).chain(text.bytes().map(|b| b - b'0')).collect();
    let up = all.get(digits).is_some_and(|d| *d >= 5);
    all.truncate(digits);
    if up {
        for d in all.iter_mut().rev() {
            if *d == 9 {
                *d = 0;
            } else {
                *d += 1;
                break;
            }
        }
    }
    let mut out = String::new();
    for (i, d) in all.iter().enumerate() {
        if i == 1 {
            out.push('.');
        }
        out.push(char::from(b'0' + d));
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_of_pi() {
        assert_eq!(super::pi(1), "3");
        assert_eq!(super::pi(5), "3.1416");
        assert_eq!(
            super::pi(60),
            "3.14159265358979323846264338327950288419716939937510582097494"
        );
        assert!(super::pi(2000).ends_with("3904780275901"));
    }
}
