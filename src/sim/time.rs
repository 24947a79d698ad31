//! Virtual time: microseconds since the Unix epoch, and its Kubernetes text forms.

use crate::value::Value;
use std::fmt;
use std::time::Duration;

/// A moment of virtual time, in microseconds since the Unix epoch (UTC).
///
/// `Display` gives RFC 3339 with seconds (`2026-11-21T08:55:19Z`), as `metav1.Time` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// The year, month and day (UTC) that so many days after the first of 1970 are.
///
/// Howard Hinnant's `civil_from_days`: shifts the year to begin in March, so that the leap day is the last of the year
/// and every 400-year era has the same length.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl Time {
    /// The moment `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Time {
        Time(secs * 1_000_000)
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since `earlier`: fewer than none when that is still to come.
    pub fn seconds_since(self, earlier: Time) -> i64 {
        (self.0 as i64 - earlier.0 as i64) / 1_000_000
    }

    /// This moment with its parts of a second cut off, as `metav1.Time` keeps it.
    pub const fn truncate_to_second(self) -> Time {
        Time(self.0 / 1_000_000 * 1_000_000)
    }

    /// RFC 3339 with six fractional digits, as `metav1.MicroTime` is written.
    pub fn micro(self) -> String {
        let c = self.civil();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            self.0 % 1_000_000
        )
    }

    /// RFC 1123 with a numeric zone (`Sat, 21 Nov 2026 08:55:19 +0000`), as `describe` prints times.
    pub fn rfc1123(self) -> String {
        let c = self.civil();
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
            WEEKDAYS[c.weekday],
            c.day,
            MONTHS[c.month as usize - 1],
            c.year,
            c.hour,
            c.minute,
            c.second
        )
    }

    /// The civil date and time (UTC) of this moment.
    pub fn civil(self) -> Civil {
        let secs = self.as_secs();
        let days = (secs / 86_400) as i64;
        let rest = secs % 86_400;
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: (rest / 3_600) as u32,
            minute: (rest % 3_600 / 60) as u32,
            second: (rest % 60) as u32,
            weekday: (days + 4).rem_euclid(7) as usize,
        }
    }

    /// The moment of a civil UTC date and time; `None` for a date that does not exist or is before 1970.
    pub fn from_civil(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<Time> {
        if !(1970..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || day == 0
            || hour > 23
            || minute > 59
            || second > 60
        {
            return None;
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day > length {
            return None;
        }
        // The inverse of `civil`, by the same author.
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let mp = (i64::from(month) + 9) % 12;
        let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        let days = era * 146_097 + doe - 719_468;
        let secs = days as u64 * 86_400 + u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second);
        Some(Time::from_secs(secs))
    }

    /// Reads RFC 3339 (`2026-11-21T08:55:19Z`, with optional fraction and numeric zone).
    pub fn parse(text: &str) -> Option<Time> {
        let b = text.as_bytes();
        let num = |from: usize, to: usize| -> Option<u32> {
            let s = text.get(from..to)?;
            s.bytes().all(|c| c.is_ascii_digit()).then(|| s.parse().ok()).flatten()
        };
        // Go reads hours of one digit too.
        if let (Some(hour), Some(b':')) = (b.get(11), b.get(12))
            && hour.is_ascii_digit()
        {
            let (date, time) = (text.get(..11)?, text.get(11..)?);
            return Time::parse(&format!("{date}0{time}"));
        }
        if b.len() < 20
            || b[4] != b'-'
            || b[7] != b'-'
            || !matches!(b[10], b'T' | b't')
            || b[13] != b':'
            || b[16] != b':'
        {
            return None;
        }
        let base = Time::from_civil(
            i64::from(num(0, 4)?),
            num(5, 7)?,
            num(8, 10)?,
            num(11, 13)?,
            num(14, 16)?,
            num(17, 19)?,
        )?;
        let mut rest = text.get(19..)?;
        let mut micros = 0u64;
        if let Some(fraction) = rest.strip_prefix('.') {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            for (i, d) in fraction.bytes().take(digits.min(6)).enumerate() {
                micros += u64::from(d - b'0') * 10u64.pow(5 - i as u32);
            }
            rest = fraction.get(digits..)?;
        }
        let offset: i64 = match rest {
            "Z" | "z" => 0,
            _ => {
                let (sign, zone) = match rest.as_bytes().first()? {
                    b'+' => (1, rest.get(1..)?),
                    b'-' => (-1, rest.get(1..)?),
                    _ => return None,
                };
                let (h, m) = zone.split_once(':')?;
                if h.len() != 2 || m.len() != 2 {
                    return None;
                }
                sign * (h.parse::<u32>().ok()? * 3_600 + m.parse::<u32>().ok()? * 60) as i64
            }
        };
        let utc = base.0 as i64 - offset * 1_000_000;
        Some(Time(u64::try_from(utc).ok()? + micros))
    }

    /// What Go's `time.Parse` says of a text that is no time of RFC 3339: where it stopped and at what, or what is out of
    /// range.
    pub fn unparsed(time: &str) -> String {
        let out_of = |why: &str| format!("parsing time {time:?}: {why}");
        let stopped = |rest: &str, part: &str| {
            format!("parsing time {time:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {rest:?} as {part:?}")
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let mut rest = time;
        let (mut year, mut month, mut day) = (0u32, 0u32, 0u32);
        for part in ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"] {
            let mut found = rest.get(..part.len()).unwrap_or_default();
            // Hours alone may have one digit.
            if part == "15" && !is_digits(found) {
                found = rest.get(..1).unwrap_or_default();
            }
            let fits = if is_digits(part) {
                is_digits(found)
            } else {
                found == part
            };
            if !fits {
                return stopped(rest, part);
            }
            rest = rest.get(found.len()..).unwrap_or_default();
            let number = found.parse().unwrap_or(0);
            match part {
                "2006" => year = number,
                "01" if !(1..=12).contains(&number) => return out_of("month out of range"),
                "01" => month = number,
                "02" => day = number,
                "15" if number > 23 => return out_of("hour out of range"),
                "04" if number > 59 => return out_of("minute out of range"),
                "05" if number > 59 => return out_of("second out of range"),
                _ => {}
            }
        }
        if let Some(fraction) = rest.strip_prefix(['.', ','])
            && fraction.starts_with(|c: char| c.is_ascii_digit())
        {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        match rest.strip_prefix('Z') {
            Some(after) => rest = after,
            None => {
                let part = |from: usize, to: usize| rest.get(from..to).unwrap_or_default();
                let is_zone = matches!(part(0, 1), "+" | "-") && part(3, 4) == ":";
                if !is_zone || !is_digits(part(1, 3)) || !is_digits(part(4, 6)) || part(4, 6).len() < 2 {
                    return stopped(rest, "Z07:00");
                }
                let number = |text: &str| text.parse::<u32>().unwrap_or(0);
                if number(part(1, 3)) > 24 {
                    return out_of("time zone offset hour out of range");
                }
                if number(part(4, 6)) > 60 {
                    return out_of("time zone offset minute out of range");
                }
                rest = rest.get(6..).unwrap_or_default();
            }
        }
        if !rest.is_empty() {
            return out_of(&format!("extra text: {rest:?}"));
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if !(1..=days).contains(&day) {
            return out_of("day out of range");
        }
        out_of("what is not of the years from 1970 on is not simulated")
    }
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A civil date and time, UTC. `weekday` counts from Sunday = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub weekday: usize,
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A duration of an API field's seconds; a negative one is none.
pub fn seconds(n: i64) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or(0))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }
}

impl From<Time> for Value {
    /// The text that `metav1.Time` is written as.
    fn from(t: Time) -> Value {
        Value::from(t.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        let t = Time::from_civil(2026, 11, 21, 8, 55, 19).unwrap();
        assert_eq!(t.to_string(), "2026-11-21T08:55:19Z");
        assert_eq!(t.rfc1123(), "Sat, 21 Nov 2026 08:55:19 +0000");
        assert_eq!(Time(t.0 + 42).micro(), "2026-11-21T08:55:19.000042Z");
        assert_eq!(Time::parse("2026-11-21T08:55:19Z"), Some(t));
        assert_eq!(Time::parse("2026-11-21T8:55:19Z"), Some(t));
        assert_eq!(Time::parse("2026-11-21T10:55:19.000042+02:00"), Some(Time(t.0 + 42)));
        for bad in [
            "",
            "2026-11-21",
            "2026-13-21T08:55:19Z",
            "2026-02-29T08:55:19Z",
            "2026-11-21T08:55:19",
            "２026-11-21T08:55:19Z",
        ] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn seconds_of_fields() {
        for (given, want) in [(0, 0), (5, 5), (-5, 0), (i64::MAX, i64::MAX as u64), (i64::MIN, 0)] {
            assert_eq!(seconds(given), Duration::from_secs(want), "{given}");
        }
    }

    #[test]
    fn civil_round_trip() {
        for day in 0..40_000u64 {
            let t = Time::from_secs(day * 86_400 + 3_661);
            let c = t.civil();
            assert_eq!(
                Time::from_civil(c.year, c.month, c.day, c.hour, c.minute, c.second),
                Some(t)
            );
        }
    }

    #[test]
    fn what_is_no_time() {
        for (time, want) in [
            ("2024-13-01T00:00:00Z", "month out of range"),
            ("2024-00-01T00:00:00Z", "month out of range"),
            ("2024-01-00T00:00:00Z", "day out of range"),
            ("2024-02-30T00:00:00Z", "day out of range"),
            ("2023-02-29T00:00:00Z", "day out of range"),
            ("2024-02-30T24:00:00Z", "hour out of range"),
            ("2024-01-01T00:60:00Z", "minute out of range"),
            ("2024-01-01T00:00:60Z", "second out of range"),
            ("2024-01-01T00:00:00Zx", r#"extra text: "x""#),
            ("2024-01-01T00:00:00.5Zx", r#"extra text: "x""#),
            ("2024-01-01T00:00:00+25:00", "time zone offset hour out of range"),
        ] {
            assert_eq!(Time::unparsed(time), format!("parsing time {time:?}: {want}"));
        }
        for (time, rest, part) in [
            ("x", "x", "2006"),
            ("2024-01-01", "", "T"),
            ("2024-1-01T00:00:00Z", "1-01T00:00:00Z", "01"),
            ("2024-01-01T1x:00:00Z", "x:00:00Z", ":"),
            ("2024-01-01T00:0:00Z", "0:00Z", "04"),
            ("2024-01-01T00:00:00.Z", ".Z", "Z07:00"),
            ("2024-01-01T00:00:00.5", "", "Z07:00"),
            ("2024-01-01T00:00:00+0100", "+0100", "Z07:00"),
            ("2024-01-01T00:00:00+1:00", "+1:00", "Z07:00"),
        ] {
            let want =
                format!("parsing time {time:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {rest:?} as {part:?}");
            assert_eq!(Time::unparsed(time), want);
        }
    }
}
