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

    /// What Go's `time.Parse` says of a text that is no time of RFC 3339: where it stopped, and at what.
    pub fn unparsed(text: &str) -> String {
        let head = format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse");
        let mut rest = text;
        for part in ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"] {
            let digits = part.starts_with(|c: char| c.is_ascii_digit());
            let found = rest.get(..part.len()).unwrap_or_default();
            let fits = match digits {
                true => !found.is_empty() && found.chars().all(|c| c.is_ascii_digit()),
                false => found == part,
            };
            if !fits {
                return format!("{head} {rest:?} as {part:?}");
            }
            rest = rest.get(part.len()..).unwrap_or_default();
        }
        format!("{head} {rest:?} as \"Z07:00\"")
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
        assert_eq!(
            Time::unparsed("2026-11-21"),
            r#"parsing time "2026-11-21" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#
        );
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
}
