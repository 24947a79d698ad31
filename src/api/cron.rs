//! Cron schedules, as CronJobs have them (robfig/cron's standard parser): reading, with its error
//! sentences, and the next moment that fits.

use std::time::Duration;

use super::zone::Zone;
use crate::flat::Case;
use crate::sim::Time;
use crate::value::{duration, quoted};

/// A schedule: which minutes, hours, days and months fit, as bits.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    Fields {
        minute: u64,
        hour: u64,
        day: u64,
        month: u64,
        weekday: u64,
        /// Days of month and week join by *or* when both are restricted, by *and* when one is `*`.
        either_day: bool,
    },
    /// `@every 1h`.
    Every(Duration),
}

struct Bounds {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds {
    least: 0,
    most: 59,
    names: &[],
};
const HOURS: Bounds = Bounds {
    least: 0,
    most: 23,
    names: &[],
};
const DAYS: Bounds = Bounds {
    least: 1,
    most: 31,
    names: &[],
};
const MONTHS: Bounds = Bounds {
    least: 1,
    most: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAYS: Bounds = Bounds {
    least: 0,
    most: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// Reads a schedule.
///
/// # Errors
/// The sentence of the parser.
pub fn parse(text: &str) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".into());
    }
    if let Some(rest) = text.strip_prefix('@') {
        return descriptor(rest, text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    };
    let star = |f: &str| f.split(',').any(|p| p.starts_with('*') || p.starts_with('?'));
    Ok(Schedule::Fields {
        minute: field(minute, &MINUTES)?,
        hour: field(hour, &HOURS)?,
        day: field(day, &DAYS)?,
        month: field(month, &MONTHS)?,
        weekday: field(weekday, &WEEKDAYS)?,
        either_day: !star(day) && !star(weekday),
    })
}

fn descriptor(word: &str, text: &str) -> Result<Schedule, String> {
    let fields = match word {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        _ => {
            if let Some(span) = word.strip_prefix("every ") {
                // Whole seconds, and at least one.
                return match duration::parse(span) {
                    Ok(nanos) => Ok(Schedule::Every(Duration::from_secs(
                        (nanos / 1_000_000_000).max(1) as u64
                    ))),
                    Err(why) => Err(format!("failed to parse duration {text}: {why}")),
                };
            }
            return Err(format!("unrecognized descriptor: {text}"));
        }
    };
    parse(fields)
}

fn field(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= range(part, bounds)?;
    }
    Ok(bits)
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.lower();
    if let Some(i) = bounds.names.iter().position(|n| *n == lower) {
        return Ok(bounds.least + i as u32);
    }
    plain_number(text)
}

fn plain_number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(n) if n < 0 => Err(format!("negative number ({n}) not allowed: {text}")),
        Ok(n) => u32::try_from(n).map_err(|_| format!("failed to parse int from {text}: value out of range")),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {}: invalid syntax",
            quoted(text)
        )),
    }
}

fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts.first().map(|p| p.split('-').collect()).unwrap_or_default();
    let single = ends.len() == 1;
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?"] => (bounds.least, bounds.most),
        [one] => {
            let n = number(one, bounds)?;
            (n, n)
        }
        [from, to] => (number(from, bounds)?, number(to, bounds)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = plain_number(step)?;
            // `5/15` begins at 5 and goes on to the end.
            if single && !matches!(ends.first(), Some(&("*" | "?"))) {
                end = bounds.most;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < bounds.least {
        return Err(format!(
            "beginning of range ({start}) below minimum ({}): {text}",
            bounds.least
        ));
    }
    if end > bounds.most {
        return Err(format!("end of range ({end}) above maximum ({}): {text}", bounds.most));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {text}"
        ));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok((start..=end).step_by(step as usize).fold(0, |bits, n| bits | 1 << n))
}

/// How far ahead a fitting moment is looked for: the parser's own five years.
const DAYS_AHEAD: u64 = 5 * 366;

impl Schedule {
    /// The first moment after `after` (UTC) that fits; `None` when none does within five years.
    pub fn next(&self, after: Time) -> Option<Time> {
        let Schedule::Fields {
            minute,
            hour,
            day,
            month,
            weekday,
            either_day,
        } = self
        else {
            let Schedule::Every(span) = self else { return None };
            return Some(after.truncate_to_second() + *span);
        };
        let fits = |bits: &u64, n: u32| bits >> n & 1 == 1;
        let first = Time::from_secs((after.as_secs() / 60 + 1) * 60);
        let mut at = first;
        let end = first + Duration::from_secs(DAYS_AHEAD * 86_400);
        while at < end {
            let c = at.civil();
            let (d, w) = (fits(day, c.day), fits(weekday, c.weekday as u32));
            let right_day = if *either_day { d || w } else { d && w };
            if !fits(month, c.month) || !right_day {
                at = Time::from_secs((at.as_secs() / 86_400 + 1) * 86_400);
            } else if !fits(hour, c.hour) {
                at = Time::from_secs((at.as_secs() / 3_600 + 1) * 3_600);
            } else if !fits(minute, c.minute) {
                at = Time::from_secs(at.as_secs() + 60);
            } else {
                return Some(at);
            }
        }
        None
    }
}

impl Schedule {
    /// The first moment after `after` that fits by the clock of a zone. A time that the clock leaves
    /// out when summer begins does not come; one that it shows twice comes once.
    pub fn next_in(&self, zone: &Zone, after: Time) -> Option<Time> {
        if *zone == Zone::UTC || matches!(self, Schedule::Every(_)) {
            return self.next(after);
        }
        let shift = |t: Time, by: i64| Time::from_secs(t.as_secs().saturating_add_signed(by));
        let mut clock = shift(after, zone.offset(after));
        loop {
            clock = self.next(clock)?;
            let guess = zone.offset(shift(clock, -zone.offset(clock)));
            let found = [guess, zone.offset(clock), zone.offset(after)]
                .into_iter()
                .map(|offset| (offset, shift(clock, -offset)))
                .filter(|(offset, at)| zone.offset(*at) == *offset && *at > after)
                .map(|(_, at)| at)
                .min();
            if found.is_some() {
                return found;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_moments() {
        let at = |s: &str| Time::parse(s).unwrap();
        let start = at("2026-11-21T08:55:19Z");
        for (schedule, want) in [
            ("* * * * *", "2026-11-21T08:56:00Z"),
            ("*/15 * * * *", "2026-11-21T09:00:00Z"),
            ("0 0 1 1 *", "2027-01-01T00:00:00Z"),
            ("30 6 * * mon-fri", "2026-11-23T06:30:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 13 * 5", "2026-11-27T00:00:00Z"),
            ("@hourly", "2026-11-21T09:00:00Z"),
            ("@every 90s", "2026-11-21T08:56:49Z"),
        ] {
            assert_eq!(parse(schedule).unwrap().next(start), Some(at(want)), "{schedule}");
        }
        assert_eq!(parse("0 0 31 2 *").unwrap().next(start), None);
    }

    #[test]
    fn by_the_clock_of_a_zone() {
        let at = |s: &str| Time::parse(s).unwrap();
        for (zone, schedule, after, want) in [
            (
                "Europe/Berlin",
                "30 9 * * *",
                "2026-01-15T08:00:00Z",
                "2026-01-15T08:30:00Z",
            ),
            (
                "Europe/Berlin",
                "30 9 * * *",
                "2026-07-15T08:00:00Z",
                "2026-07-16T07:30:00Z",
            ),
            (
                "America/New_York",
                "0 0 * * *",
                "2026-07-15T08:00:00Z",
                "2026-07-16T04:00:00Z",
            ),
            // 02:30 of the 29th does not exist.
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2026-03-28T12:00:00Z",
                "2026-03-30T00:30:00Z",
            ),
            // 02:30 of the 25th comes first in summer time.
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2026-10-24T12:00:00Z",
                "2026-10-25T00:30:00Z",
            ),
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
            (
                "Asia/Kolkata",
                "*/15 * * * *",
                "2026-10-25T00:31:00Z",
                "2026-10-25T00:45:00Z",
            ),
        ] {
            let zone = Zone::load(zone).unwrap();
            let next = parse(schedule).unwrap().next_in(&zone, at(after));
            assert_eq!(next, Some(at(want)), "{schedule} after {after}");
        }
    }

    #[test]
    fn sentences() {
        for (schedule, want) in [
            ("every minute", "expected exactly 5 fields, found 2: [every minute]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("@often", "unrecognized descriptor: @often"),
        ] {
            assert_eq!(parse(schedule).unwrap_err(), want, "{schedule}");
        }
    }
}
