//! `date`, in UTC on the virtual clock.

use super::super::host::{Context, Dialect};
use super::options;
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

/// Where a word stands in a list, by its first three letters or more.
fn named(list: &[&str], word: &str) -> Option<u32> {
    let fits = |name: &&str| word.len() >= 3 && name.lower().starts_with(word);
    u32::try_from(list.iter().position(fits)?).ok()
}

/// A time as people write it, as GNU's `date -d` reads it: dates, times, names of months and days, and what is added
/// to them (`+1 day`, `2 hours ago`, `next monday`), in any order. Zones are all UTC.
pub(super) fn parse(text: &str, now: Time) -> Option<Time> {
    let text = text.trim().lower();
    if let Some(secs) = text.strip_prefix('@') {
        return secs.split('.').next()?.parse().ok().map(Time::from_secs);
    }
    // Digits with their sign, marks between digits, and letters are words of their own.
    let mut words: Vec<String> = Vec::new();
    for word in text.replace(',', " ").split_whitespace() {
        let whole = Time::parse(&word.upper()).is_some();
        let letters = word.find(|c: char| c.is_ascii_lowercase()).filter(|_| !whole);
        let (number, rest) = word.split_at_checked(letters.unwrap_or(0)).unwrap_or_default();
        match rest
            .strip_prefix('t')
            .filter(|time| time.starts_with(|c: char| c.is_ascii_digit()))
        {
            Some(time) => words.extend([number.to_owned(), time.trim_end_matches('z').to_owned()]),
            None => words.extend([number, rest].map(str::to_owned)),
        }
    }
    words.retain(|word| !word.is_empty());
    let c = now.civil();
    let (mut year, mut month, mut day) = (c.year, c.month, c.day);
    let mut clock = None;
    let mut dated = text.is_empty();
    // What is added: months, then seconds.
    let (mut months, mut seconds) = (0_i64, 0_i64);
    // What the last word added, which `ago` right after it turns round.
    let mut last = None::<(i64, i64)>;
    let (mut count, mut sign) = (None::<i64>, 1);
    let mut weekday = None;
    let number = |text: &str| text.parse::<u32>().ok();
    for word in &words {
        let before = last.take();
        if let Some(at) = Time::parse(&word.upper()) {
            let c = at.civil();
            (year, month, day, dated) = (c.year, c.month, c.day, true);
            clock = Some((c.hour, c.minute, c.second));
            continue;
        }
        let unit = word.strip_suffix('s').unwrap_or(word);
        let of_seconds = match unit {
            "second" | "sec" => 1,
            "minute" | "min" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            "week" => 604_800,
            "fortnight" => 1_209_600,
            _ => 0,
        };
        let digits = word.trim_start_matches(['+', '-']);
        match word.as_str() {
            _ if of_seconds > 0 => {
                let n = count.take().unwrap_or(1).checked_mul(of_seconds)?;
                seconds = seconds.checked_add(n)?;
                last = Some((0, n));
            }
            _ if unit == "month" || unit == "year" => {
                let n = count.take().unwrap_or(1) * if unit == "year" { 12 } else { 1 };
                months += n;
                last = Some((n, 0));
            }
            "ago" => {
                let (m, s) = before?;
                months -= 2 * m;
                seconds = seconds.checked_sub(s.checked_mul(2)?)?;
            }
            "next" => count = Some(1),
            "last" => count = Some(-1),
            "this" => count = Some(0),
            "+" => sign = 1,
            "-" => sign = -1,
            "now" | "today" | "utc" | "gmt" | "z" | "+0000" | "+00:00" => {}
            "yesterday" => seconds -= 86_400,
            "tomorrow" => seconds += 86_400,
            _ if word.contains(':') => {
                let mut parts = word.split('.').next()?.split(':').map(number);
                clock = Some((parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?));
            }
            _ if digits.contains(['-', '/']) => {
                let parts: Vec<u32> = digits.split(['-', '/']).map(number).collect::<Option<_>>()?;
                (year, month, day) = match parts.as_slice() {
                    [y, m, d] if *y > 31 => (i64::from(*y), *m, *d),
                    [m, d, y] if digits.contains('/') => (i64::from(*y), *m, *d),
                    [m, d] if digits.contains('/') => (year, *m, *d),
                    _ => return None,
                };
                dated = true;
            }
            _ if digits.starts_with(|c: char| c.is_ascii_digit()) => {
                let n = digits.parse::<i64>().ok().filter(|n| *n < 1_000_000_000_000)?;
                let signed = digits.len() < word.len() || sign < 0;
                match digits.len() {
                    8 if !signed => {
                        (year, month, day) = (n / 10_000, (n / 100 % 100) as u32, (n % 100) as u32);
                        dated = true;
                    }
                    4 if !signed && dated => year = n,
                    // The day beside a month's name, or how many of what follows.
                    _ if !signed && dated && n < 32 && day == 0 => day = n as u32,
                    _ => count = Some(if word.starts_with('-') { -n } else { n * sign }),
                }
                sign = 1;
            }
            _ => match (named(&MONTHS, word), named(&DAYS, word)) {
                (Some(m), _) => {
                    month = m + 1;
                    day = count.take().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                    dated = true;
                }
                (_, Some(d)) => weekday = Some((i64::from(d), count.take().unwrap_or(0))),
                _ => return None,
            },
        }
    }
    if count.is_some() {
        return None;
    }
    Time::from_civil(year, month, day.max(1), 0, 0, 0)?;
    if let Some((wanted, which)) = weekday.filter(|_| !dated) {
        let ahead = (wanted - c.weekday as i64).rem_euclid(7);
        let weeks = which - i64::from(which > 0 && ahead != 0);
        seconds += (ahead + 7 * weeks) * 86_400;
        dated = true;
    }
    let (hour, minute, second) = match clock {
        Some(clock) => clock,
        None if dated => (0, 0, 0),
        None => (c.hour, c.minute, c.second),
    };
    let all = year * 12 + i64::from(month) - 1 + months;
    let start = Time::from_civil(
        all.div_euclid(12),
        all.rem_euclid(12) as u32 + 1,
        1,
        hour,
        minute,
        second,
    )?;
    let seconds = seconds + (i64::from(day.max(1)) - 1) * 86_400;
    start.0.checked_add_signed(seconds.checked_mul(1_000_000)?).map(Time)
}

pub(super) async fn run(c: Context) -> i32 {
    let long = [
        ("date", 'd'),
        ("reference", 'r'),
        ("utc", 'u'),
        ("universal", 'u'),
        ("rfc-email", 'R'),
        ("iso-8601", 'I'),
        ("rfc-3339", '3'),
        ("set", 's'),
    ];
    let o = match options::parse(&c, "d:r:RI?3:s: u", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut format = "%a %b %e %H:%M:%S UTC %Y".to_owned();
    match o.rest.as_slice() {
        [] => {}
        [_, extra, ..] => return options::usage(&c, &format!("extra operand ‘{extra}’")),
        [one] => match one.strip_prefix('+') {
            Some(text) => format = text.to_owned(),
            None => {
                c.error(format!("invalid date ‘{one}’"));
                return 1;
            }
        },
    }
    let (mut when, mut code) = (c.sim.now(), 0);
    for (letter, value) in &o.flags {
        match letter {
            'R' => format = "%a, %d %b %Y %H:%M:%S %z".to_owned(),
            'I' | '3' => {
                format = match (value.as_str(), letter) {
                    ("seconds" | "second" | "s", 'I') => "%Y-%m-%dT%H:%M:%S%:z",
                    ("minutes", 'I') => "%Y-%m-%dT%H:%M%:z",
                    ("hours", 'I') => "%Y-%m-%dT%H%:z",
                    ("seconds", _) => "%Y-%m-%d %H:%M:%S%:z",
                    ("ns", _) => "%Y-%m-%d %H:%M:%S.%N%:z",
                    _ => "%Y-%m-%d",
                }
                .to_owned();
            }
            'r' => match c.files.stat(&c.path(value), true) {
                Ok(stat) => when = stat.modified,
                Err(error) => {
                    c.error(format!("{value}: {error}"));
                    return 1;
                }
            },
            'd' | 's' => match parse(value, c.sim.now()) {
                Some(t) => {
                    when = t;
                    if *letter == 's' {
                        let not = match c.host.dialect() {
                            Dialect::Busybox => "can't",
                            _ => "cannot",
                        };
                        c.error(format!("{not} set date: Operation not permitted"));
                        code = 1;
                    }
                }
                None => {
                    c.error(format!("invalid date ‘{value}’"));
                    return 1;
                }
            },
            _ => {}
        }
    }
    c.stdout.line(strftime(&format, when));
    code
}
