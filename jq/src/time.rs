//! Dates: seconds since 1970, their parts, and texts of them. The time zone is UTC.

use jaq_core::{Error, ValR};
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::budget;
use crate::value::Val;

/// What it costs to write a letter of a format, in bytes that are copied.
const COST: usize = 32;

/// The parts of a moment: year, month from 0, day, hours, minutes, seconds, day of the week, day of the year from 0.
fn parts(date: DateTime, seconds: f64) -> Val {
    let number = |n: i64| Val::from(n as f64);
    [
        number(date.year().into()),
        number(i64::from(date.month()) - 1),
        number(date.day().into()),
        number(date.hour().into()),
        number(date.minute().into()),
        Val::from(seconds),
        number(date.weekday().to_sunday_zero_offset().into()),
        number(i64::from(date.day_of_year()) - 1),
    ]
    .into_iter()
    .collect()
}

/// The parts of a number of seconds since 1970.
pub fn gmtime(seconds: &Val, name: &str) -> ValR<Val> {
    let Some(seconds) = seconds.as_num() else {
        return Err(Error::str(format_args!("{name}() requires numeric inputs")));
    };
    let fail = |_| Error::str("error converting number of seconds since epoch to datetime");
    let moment = Timestamp::from_second(seconds as i64).map_err(fail)?;
    let date = Offset::UTC.to_datetime(moment);
    Ok(parts(date, f64::from(date.second()) + (seconds - seconds.floor())))
}

/// The moment whose parts these are; numbers that are too large go over into the next part.
fn moment(parts: &Val) -> Option<Zoned> {
    let parts = parts.as_arr()?;
    let part = |at: usize| parts.get(at).and_then(Val::as_num).map(|n| n as i64);
    let (year, month) = (part(0)?, part(1)?);
    let months = year.checked_mul(12)?.checked_add(month)?;
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let first = Date::new(year, i8::try_from(months.rem_euclid(12) + 1).ok()?, 1).ok()?;
    let start = first.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    let days = part(2)?.checked_sub(1)?;
    let clock = part(3)?.checked_mul(3600)?.checked_add(part(4)?.checked_mul(60)?)?;
    let seconds = start.checked_add(days.checked_mul(86_400)?)?.checked_add(clock)?;
    let moment = Timestamp::from_second(seconds.checked_add(part(5)?)?).ok()?;
    Some(moment.to_zoned(TimeZone::UTC))
}

/// The seconds since 1970 of a moment's parts.
pub fn mktime(value: &Val) -> ValR<Val> {
    let Some(list) = value.as_arr() else {
        return Err(Error::str("mktime requires array inputs"));
    };
    let numbers = list.len() >= 6 && list.iter().take(6).all(|part| part.as_num().is_some());
    if !numbers {
        return Err(Error::str("mktime requires parsed datetime inputs"));
    }
    let moment = moment(value).ok_or_else(|| Error::str("invalid gmtime representation"))?;
    Ok(Val::from(moment.timestamp().as_second() as f64))
}

/// A moment as a text.
pub fn strftime(value: &Val, format: &Val, name: &str) -> ValR<Val> {
    let value = match value {
        Val::Num(_) => gmtime(value, "gmtime")?,
        Val::Arr(_) => value.clone(),
        _ => return Err(Error::str(format_args!("{name}/1 requires parsed datetime inputs"))),
    };
    let Val::Str(format) = format else {
        return Err(Error::str(format_args!("{name}/1 requires a string format")));
    };
    let fail = || Error::str(format_args!("{name}/1 requires parsed datetime inputs"));
    let moment = moment(&value).ok_or_else(fail)?;
    budget::scan(format.len().saturating_mul(COST));
    let format = directives(format);
    let text = strtime::format(&format, &moment);
    text.map(Val::from)
        .map_err(|why| Error::str(format_args!("{name}/1: {why}")))
}

/// A format with what C's library prints for each directive: a date and time as C's locale has them, and what is no
/// directive as it stands.
fn directives(format: &str) -> String {
    const KNOWN: &str = "aAbBCdDeFgGhHIjklmMnpPrRsStTuUVwWyYzZ%";
    let mut text = String::new();
    let mut rest = format;
    while let Some((plain, after)) = rest.split_once('%') {
        text.push_str(plain);
        // Flags and the width, which stay, and the marks of a locale's other digits, of which C's has none.
        let bare = after.trim_start_matches(|c: char| "_-^0#".contains(c));
        let bare = bare.trim_start_matches(|c: char| c.is_ascii_digit());
        let flags = after.strip_suffix(bare).unwrap_or_default();
        let bare = bare.strip_prefix(['E', 'O']).unwrap_or(bare);
        let mut chars = bare.chars();
        match chars.next() {
            Some('c') => text.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => text.push_str("%m/%d/%y"),
            Some('X') => text.push_str("%H:%M:%S"),
            Some(c) if KNOWN.contains(c) => {
                text.push_str(&format!("%{flags}{c}"));
            }
            _ => {
                text.push_str("%%");
                rest = after;
                continue;
            }
        }
        rest = chars.as_str();
    }
    text + rest
}

/// The parts of the moment that a text names.
pub fn strptime(text: &Val, format: &Val) -> ValR<Val> {
    let (Val::Str(text), Val::Str(format)) = (text, format) else {
        return Err(Error::str("strptime/1 requires string inputs and arguments"));
    };
    let fail = || Error::str(format_args!("date \"{text}\" does not match format \"{format}\""));
    // `%Z` takes any letters: the zone's name is read and not used.
    let (read, _) = BrokenDownTime::parse_prefix(format.replace("%Z", "%Q").as_str(), text.as_bytes())
        .or_else(|_| {
            let bare = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            BrokenDownTime::parse_prefix(format.trim_end_matches("%Z"), bare)
        })
        .map_err(|_| fail())?;
    if let Some(stamp) = read.timestamp() {
        return gmtime(&Val::from(stamp.as_second() as f64), "gmtime");
    }
    let date = match read.to_date() {
        Ok(date) => date,
        Err(_) => return Err(fail()),
    };
    let number = |n: Option<i8>| i64::from(n.unwrap_or(0));
    let time = jiff::civil::Time::new(
        number(read.hour()) as i8,
        number(read.minute()) as i8,
        number(read.second()) as i8,
        0,
    );
    let time = time.map_err(|_| fail())?;
    let date = date.to_datetime(time);
    Ok(parts(date, f64::from(date.second())))
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn formats_are_as_the_c_library_reads_them() {
        for (format, expected) in [
            ("%Y-%m-%d", "%Y-%m-%d"),
            ("%c", "%a %b %e %H:%M:%S %Y"),
            ("%%c and %x", "%%c and %m/%d/%y"),
            ("%%%X", "%%%H:%M:%S"),
            ("%-d %05Y", "%-d %05Y"),
            ("%Ed %OH", "%d %H"),
            ("%Q 100%", "%%Q 100%%"),
        ] {
            assert_eq!(directives(format), expected, "{format}");
        }
    }
}
