//! Time zones by their IANA names: the rules that hold now, read from a table of the POSIX form of
//! each. Past changes of rules are not known; a world's time is that of its own years.

use crate::sim::Time;

/// A line of the table: a POSIX rule, a tab, and the names that follow it.
const TABLE: &str = include_str!("data/zones.txt");

/// A zone's rules. Offsets are seconds east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    standard: i64,
    /// The offset in summer, and when it begins and ends.
    summer: Option<(i64, Change, Change)>,
}

/// `M3.5.0/2`: the last Sunday of March, two hours after midnight by the clock until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    month: u32,
    week: u32,
    weekday: i64,
    seconds: i64,
}

impl Zone {
    /// The zone of a world whose clock says nothing else.
    pub const UTC: Zone = Zone {
        standard: 0,
        summer: None,
    };

    /// The zone of a name. `UTC` and the empty name are UTC.
    ///
    /// # Errors
    /// Go's sentence, when there is none.
    pub fn load(name: &str) -> Result<Zone, String> {
        if name.is_empty() || name == "UTC" {
            return Ok(Zone::UTC);
        }
        let lines = TABLE.lines().filter(|l| !l.starts_with('#'));
        let mut known = lines.filter_map(|l| l.split_once('\t'));
        known
            .find(|(_, names)| names.split(' ').any(|n| n == name))
            .and_then(|(rule, _)| parse(rule))
            .ok_or_else(|| format!("unknown time zone {name}"))
    }

    /// Seconds east of UTC at a moment.
    pub fn offset(&self, at: Time) -> i64 {
        let Some((summer, begin, end)) = &self.summer else {
            return self.standard;
        };
        let year = at.civil().year;
        let now = at.as_secs() as i64;
        let (from, to) = (begin.at(year) - self.standard, end.at(year) - summer);
        // South of the equator summer goes over the new year.
        let is_summer = if from < to {
            (from..to).contains(&now)
        } else {
            !(to..from).contains(&now)
        };
        if is_summer { *summer } else { self.standard }
    }

    /// RFC 3339 by the zone's clock (`2026-03-29T03:30:00+02:00`).
    pub fn rfc3339(&self, at: Time) -> String {
        let offset = self.offset(at);
        let local = Time::from_secs(at.as_secs().saturating_add_signed(offset));
        let c = local.civil();
        let zone = if offset == 0 {
            "Z".to_owned()
        } else {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", offset.abs() / 3_600, offset.abs() % 3_600 / 60)
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }
}

impl Change {
    /// The moment in a year, by the local clock, as seconds since 1970 that know no zone.
    fn at(&self, year: i64) -> i64 {
        let first = Time::from_civil(year, self.month, 1, 0, 0, 0).unwrap_or_default();
        let to_first = (self.weekday - first.civil().weekday as i64).rem_euclid(7);
        let mut day = to_first + 7 * (i64::from(self.week) - 1);
        // The fifth week is the last that there is.
        while Time::from_civil(year, self.month, day as u32 + 1, 0, 0, 0).is_none() && day >= 7 {
            day -= 7;
        }
        first.as_secs() as i64 + day * 86_400 + self.seconds
    }
}

/// Reads `CET-1CEST,M3.5.0,M10.5.0/3`.
fn parse(text: &str) -> Option<Zone> {
    let mut parts = text.split(',');
    let names = parts.next()?;
    let (offset, rest) = name_and_offset(names)?;
    let standard = -offset?;
    if rest.is_empty() {
        return Some(Zone { standard, summer: None });
    }
    let (offset, _) = name_and_offset(rest)?;
    // Without its own, summer is an hour ahead.
    let summer = offset.map_or(standard + 3_600, |o| -o);
    let (begin, end) = (change(parts.next()?)?, change(parts.next()?)?);
    Some(Zone {
        standard,
        summer: Some((summer, begin, end)),
    })
}

/// Takes a name (`CET`, `<+0330>`) and an offset, if there is one, from the front.
fn name_and_offset(text: &str) -> Option<(Option<i64>, &str)> {
    let rest = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?.1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | ':')))
        .unwrap_or(rest.len());
    let (offset, rest) = rest.split_at_checked(end)?;
    if offset.is_empty() {
        return Some((None, rest));
    }
    Some((Some(clock(offset)?), rest))
}

/// `2`, `-3:30`, `26`: hours and minutes, as seconds.
fn clock(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim_start_matches('+')),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    Some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60))
}

fn change(text: &str) -> Option<Change> {
    let (day, time) = text.split_once('/').unwrap_or((text, "2"));
    let mut numbers = day.strip_prefix('M')?.split('.');
    let mut next = || numbers.next()?.parse::<u32>().ok();
    Some(Change {
        month: next()?,
        week: next()?,
        weekday: i64::from(next()?),
        seconds: clock(time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_table_is_read() {
        for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
            let (rule, names) = line.split_once('\t').unwrap();
            assert!(parse(rule).is_some(), "{rule} {names}");
        }
    }

    #[test]
    fn clocks() {
        for (zone, utc, want) in [
            ("", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
            ("Europe/Berlin", "2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00"),
            ("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"),
            ("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"),
            ("America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00"),
            ("Asia/Kolkata", "2026-11-01T06:00:00Z", "2026-11-01T11:30:00+05:30"),
            ("Australia/Sydney", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00+11:00"),
            ("Australia/Sydney", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00+10:00"),
            ("Europe/Dublin", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00+01:00"),
            ("Asia/Shanghai", "2026-07-01T00:00:00Z", "2026-07-01T08:00:00+08:00"),
        ] {
            let at = Time::parse(utc).unwrap();
            assert_eq!(Zone::load(zone).unwrap().rfc3339(at), want, "{zone}");
        }
        assert_eq!(Zone::load("Mars/Base").unwrap_err(), "unknown time zone Mars/Base");
    }
}
