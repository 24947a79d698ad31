//! `date`, in UTC on the virtual clock.

use super::super::host::Context;
use crate::flat::Case;
use crate::sim::Time;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The first three letters of a month, from 1.
pub(super) fn short_month(month: u32) -> &'static str {
    MONTHS
        .get((month as usize).wrapping_sub(1))
        .and_then(|m| m.get(..3))
        .unwrap_or("???")
}

/// A time by `strftime`'s format.
pub(in super::super) fn strftime(format: &str, when: Time) -> String {
    let c = when.civil();
    let day = DAYS.get(c.weekday).copied().unwrap_or("");
    let month = MONTHS.get((c.month as usize).wrapping_sub(1)).copied().unwrap_or("");
    let yday = Time::from_civil(c.year, 1, 1, 0, 0, 0).map_or(0, |start| when.since(start).as_secs() / 86_400);
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            out.push(ch);
            continue;
        }
        let mut pad = None;
        while let Some(flag @ ('-' | '_' | '0' | '^' | ':')) = chars.peek().copied() {
            pad = Some(flag);
            chars.next();
        }
        let mut width = String::new();
        while let Some(d) = chars.peek().filter(|c| c.is_ascii_digit()) {
            width.push(*d);
            chars.next();
        }
        let number = |n: u64, digits: usize, fill: char| match pad {
            Some('-') => n.to_string(),
            Some('_') => format!("{n:>digits$}"),
            Some('0') => format!("{n:0digits$}"),
            _ if fill == ' ' => format!("{n:>digits$}"),
            _ => format!("{n:0digits$}"),
        };
        let hour12 = match c.hour % 12 {
            0 => 12,
            h => h,
        };
        let text = match chars.next() {
            None => "%".to_owned(),
            Some(letter) => match letter {
                'Y' => c.year.to_string(),
                'C' => (c.year / 100).to_string(),
                'y' => number((c.year % 100) as u64, 2, '0'),
                'm' => number(u64::from(c.month), 2, '0'),
                'd' => number(u64::from(c.day), 2, '0'),
                'e' => number(u64::from(c.day), 2, ' '),
                'H' => number(u64::from(c.hour), 2, '0'),
                'k' => number(u64::from(c.hour), 2, ' '),
                'I' => number(u64::from(hour12), 2, '0'),
                'l' => number(u64::from(hour12), 2, ' '),
                'M' => number(u64::from(c.minute), 2, '0'),
                'S' => number(u64::from(c.second), 2, '0'),
                'N' => {
                    let nanos = format!("{:09}", when.0 % 1_000_000 * 1_000);
                    let n = width.parse::<usize>().unwrap_or(9).min(9);
                    nanos.get(..n).unwrap_or_default().to_owned()
                }
                's' => when.as_secs().to_string(),
                'j' => number(yday + 1, 3, '0'),
                'p' => if c.hour < 12 { "AM" } else { "PM" }.to_owned(),
                'P' => if c.hour < 12 { "am" } else { "pm" }.to_owned(),
                'a' => day.get(..3).unwrap_or_default().to_owned(),
                'A' => day.to_owned(),
                'b' | 'h' => month.get(..3).unwrap_or_default().to_owned(),
                'B' => month.to_owned(),
                'u' => (if c.weekday == 0 { 7 } else { c.weekday }).to_string(),
                'w' => c.weekday.to_string(),
                'F' => strftime("%Y-%m-%d", when),
                'T' | 'X' => strftime("%H:%M:%S", when),
                'R' => strftime("%H:%M", when),
                'r' => strftime("%I:%M:%S %p", when),
                'D' | 'x' => strftime("%m/%d/%y", when),
                'c' => strftime("%a %b %e %H:%M:%S %Y", when),
                'Z' => "UTC".to_owned(),
                'z' => if pad == Some(':') { "+00:00" } else { "+0000" }.to_owned(),
                'n' => "\n".to_owned(),
                't' => "\t".to_owned(),
                '%' => "%".to_owned(),
                other => format!("%{other}"),
            },
        };
        if pad == Some('^') {
            out.push_str(&text.upper());
        } else {
            out.push_str(&text);
        }
    }
    out
}

/// A time as people write it: RFC 3339, `2026-11-21 08:55:19`, `@seconds`, `now`, `1 hour ago`.
pub(super) fn parse(text: &str, now: Time) -> Option<Time> {
    let text = text.trim();
    if let Some(secs) = text.strip_prefix('@') {
        return secs.split('.').next()?.parse().ok().map(Time::from_secs);
    }
    match text {
        "now" | "" => return Some(now),
        "today" => return Some(now),
        "yesterday" => return Some(Time(now.0.checked_sub(86_400_000_000)?)),
        "tomorrow" => return Some(Time(now.0.checked_add(86_400_000_000)?)),
        _ => {}
    }
    if let Some(t) = Time::parse(text) {
        return Some(t);
    }
    let joined = text.replacen(' ', "T", 1);
    if let Some(t) = Time::parse(&format!("{joined}Z")) {
        return Some(t);
    }
    if let Some(t) = Time::parse(&format!("{joined}:00Z")) {
        return Some(t);
    }
    if let Some(t) = Time::parse(&format!("{text}T00:00:00Z")) {
        return Some(t);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (n, unit, ago) = match words.as_slice() {
        [n, unit, "ago"] => (n.parse::<i64>().ok()?, *unit, true),
        [n, unit] => (n.parse::<i64>().ok()?, *unit, false),
        _ => return None,
    };
    let secs = match unit.trim_end_matches('s') {
        "second" | "sec" => 1,
        "minute" | "min" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    let delta = n.checked_mul(secs)?.checked_mul(1_000_000)?;
    let delta = if ago { -delta } else { delta };
    now.0.checked_add_signed(delta).map(Time)
}

pub(super) async fn run(c: Context) -> i32 {
    let mut when = c.sim.now();
    let mut format: Option<String> = None;
    let mut args = c.rest().iter();
    while let Some(arg) = args.next() {
        if let Some(f) = arg.strip_prefix('+') {
            format = Some(f.to_owned());
            continue;
        }
        let given = match arg.as_str() {
            "-u" | "--utc" | "--universal" => continue,
            "-R" | "--rfc-email" => {
                format = Some("%a, %d %b %Y %H:%M:%S %z".to_owned());
                continue;
            }
            "-d" | "--date" => args.next().cloned().unwrap_or_default(),
            "-r" => {
                let path = args.next().cloned().unwrap_or_default();
                match c.files.stat(&c.path(&path), true) {
                    Ok(stat) => when = stat.modified,
                    Err(error) => {
                        c.error(format!("{path}: {error}"));
                        return 1;
                    }
                }
                continue;
            }
            other => {
                if let Some(text) = other.strip_prefix("--date=").or_else(|| other.strip_prefix("-d")) {
                    text.to_owned()
                } else if let Some(spec) = other.strip_prefix("--iso-8601").or_else(|| other.strip_prefix("-I")) {
                    format = Some(
                        match spec.trim_start_matches('=') {
                            "seconds" | "second" | "s" => "%Y-%m-%dT%H:%M:%S%:z",
                            "minutes" => "%Y-%m-%dT%H:%M%:z",
                            "hours" => "%Y-%m-%dT%H%:z",
                            _ => "%Y-%m-%d",
                        }
                        .to_owned(),
                    );
                    continue;
                } else if other.starts_with("--rfc-3339") {
                    format = Some("%Y-%m-%d %H:%M:%S%:z".to_owned());
                    continue;
                } else {
                    c.error(format!("invalid date ‘{other}’"));
                    return 1;
                }
            }
        };
        match parse(&given, c.sim.now()) {
            Some(t) => when = t,
            None => {
                c.error(format!("invalid date ‘{given}’"));
                return 1;
            }
        }
    }
    let format = format.unwrap_or_else(|| "%a %b %e %H:%M:%S UTC %Y".to_owned());
    c.stdout.line(strftime(&format, when));
    0
}
