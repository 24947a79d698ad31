//! The named formats of CEL's `format` library, and semantic versions.

use std::cmp::Ordering;

use crate::api::custom::openapi::has_format;
use crate::api::names::{self, Rule};
use crate::value::gofmt;

/// A format: the name that expressions use, and what checks a text.
#[derive(Debug)]
pub struct Format {
    name: &'static str,
    check: Check,
}

#[derive(Debug)]
enum Check {
    Name(Rule),
    /// A name that something is appended to: a dash may stand at its end.
    Prefix(Rule),
    /// A format of OpenAPI, and the sentence about what has it not.
    OpenApi(&'static str, &'static str),
    Uri,
}

/// `library.ConstantFormats`.
static FORMATS: [Format; 13] = [
    named_format("dns1123Label", Check::Name(names::dns1123_label)),
    named_format("dns1123Subdomain", Check::Name(names::dns1123_subdomain)),
    named_format("dns1035Label", Check::Name(names::dns1035_label)),
    named_format("qualifiedName", Check::Name(names::label_key)),
    named_format("dns1123LabelPrefix", Check::Prefix(names::dns1123_label)),
    named_format("dns1123SubdomainPrefix", Check::Prefix(names::dns1123_subdomain)),
    named_format("dns1035LabelPrefix", Check::Prefix(names::dns1035_label)),
    named_format("labelValue", Check::Name(names::label_value)),
    named_format("uri", Check::Uri),
    named_format("uuid", Check::OpenApi("uuid", "does not match the UUID format")),
    named_format("byte", Check::OpenApi("byte", "invalid base64")),
    named_format("date", Check::OpenApi("date", "invalid date")),
    named_format("datetime", Check::OpenApi("datetime", "invalid datetime")),
];

const fn named_format(name: &'static str, check: Check) -> Format {
    Format { name, check }
}

/// The format of a name.
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.name == name)
}

impl Format {
    /// The name by which `format.named` finds it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is wrong with a text.
    pub fn broken(&self, text: &str) -> Vec<String> {
        let of_rule = |rule: Rule, text: &str| rule(text).err().map_or(Vec::new(), |why| why.0);
        match self.check {
            Check::Name(rule) => of_rule(rule, text),
            Check::Prefix(rule) => of_rule(rule, &names::masked(text)),
            Check::OpenApi(format, sentence) => match has_format(text, format) {
                true => Vec::new(),
                false => vec![sentence.to_owned()],
            },
            Check::Uri => match super::eval::url_parts(text) {
                Some(_) => Vec::new(),
                None if text.is_empty() => vec!["parse \"\": empty url".to_owned()],
                None => vec![format!("parse {}: invalid URI for request", gofmt::quote(text))],
            },
        }
    }
}

/// A semantic version (semver.org 2.0.0), as the library blang/semver reads it.
#[derive(Clone, Debug)]
pub struct Semver {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    before: Vec<Part>,
}

/// A part of what makes a version one before a release; numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

fn number(part: &str, place: &str, value: fn(&str) -> Result<u64, String>) -> Result<u64, String> {
    let shown = gofmt::quote(part);
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {place} number {shown}"));
    }
    if part.len() > 1 && part.starts_with('0') {
        let (first, rest) = place.split_at(1);
        let upper = first.to_ascii_uppercase();
        return Err(format!("{upper}{rest} number must not contain leading zeroes {shown}"));
    }
    value(part)
}

fn parse_number(part: &str) -> Result<u64, String> {
    part.parse().map_err(|_| {
        let why = if part.is_empty() {
            "invalid syntax"
        } else {
            "value out of range"
        };
        format!("strconv.ParseUint: parsing {}: {why}", gofmt::quote(part))
    })
}

impl Semver {
    /// Reads a version.
    ///
    /// # Errors
    /// The library's sentence.
    pub fn parse(text: &str) -> Result<Semver, String> {
        Semver::read(text, parse_number)
    }

    /// Whether a text is a version by semver.org 2.0.0, which bounds no number.
    pub fn is_valid(text: &str) -> bool {
        let digits = |part: &str| match part {
            "" => Err(String::new()),
            _ => Ok(0),
        };
        Semver::read(text, digits).is_ok()
    }

    /// Reads a version. `value` gives what a part of digits is worth.
    fn read(text: &str, value: fn(&str) -> Result<u64, String>) -> Result<Semver, String> {
        if text.is_empty() {
            return Err("Version string empty".into());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts.as_slice() else {
            return Err("No Major.Minor.Patch elements found".into());
        };
        let (major, minor) = (number(major, "major", value)?, number(minor, "minor", value)?);
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (*rest, None),
        };
        let (patch, before) = match rest.split_once('-') {
            Some((patch, before)) => (patch, Some(before)),
            None => (rest, None),
        };
        let patch = number(patch, "patch", value)?;
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let mut parts = Vec::new();
        for part in before.into_iter().flat_map(|b| b.split('.')) {
            let shown = gofmt::quote(part);
            if part.is_empty() {
                return Err("Prerelease is empty".into());
            }
            parts.push(if part.bytes().all(|b| b.is_ascii_digit()) {
                if part.len() > 1 && part.starts_with('0') {
                    return Err(format!(
                        "Numeric PreRelease version must not contain leading zeroes {shown}"
                    ));
                }
                Part::Number(value(part)?)
            } else if plain(part) {
                Part::Word(part.to_owned())
            } else {
                return Err(format!("Invalid character(s) found in prerelease {shown}"));
            });
        }
        for part in build.into_iter().flat_map(|b| b.split('.')) {
            if part.is_empty() {
                return Err("Build meta data is empty".into());
            }
            if !plain(part) {
                let shown = gofmt::quote(part);
                return Err(format!("Invalid character(s) found in build meta data {shown}"));
            }
        }
        Ok(Semver {
            numbers: [major, minor, patch],
            before: parts,
        })
    }

    /// Reads a version that may begin with a `v`, leave out its last numbers, and have leading zeros.
    ///
    /// # Errors
    /// The library's sentence.
    pub fn normalized(text: &str) -> Result<Semver, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let rest = part.trim_start_matches('0');
                let digit = rest.starts_with(|c: char| c.is_ascii_digit());
                *part = if digit { rest.to_owned() } else { format!("0{rest}") };
            }
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|p| p.contains(['+', '-'])) {
                return Err("short version cannot contain PreRelease/Build meta data".into());
            }
            parts.resize(3, "0".to_owned());
        }
        Semver::parse(&parts.join("."))
    }

    /// The order of two versions by the rules of Semantic Versioning.
    pub fn compare(&self, other: &Semver) -> Ordering {
        let release = |v: &Semver| v.before.is_empty();
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| release(self).cmp(&release(other)))
            .then_with(|| self.before.cmp(&other.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_semver_org() {
        for good in [
            "0.0.4",
            "1.2.3",
            "1.1.2-prerelease+meta",
            "1.0.0-alpha.0valid",
            "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
            "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
            "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
            "1.0.0-0A.is.legal",
            "99999999999999999999999.999999999999999999.99999999999999999",
            "1.0.0-99999999999999999999999",
        ] {
            assert!(Semver::is_valid(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "01.1.1",
            "1.01.1",
            "1.1.01",
            "1.2.3-0123",
            "1.2.3-",
            "1.2.3+",
            "1.2.3-a..b",
            "1.2.3+a+b",
            "1.2.3-a_b",
            "+invalid",
            "-1.0.3",
            "1..3",
            ".1.2",
            "1.2.",
            "v1.2.3",
            "1.2.3 ",
            "1.2.\u{0663}",
        ] {
            assert!(!Semver::is_valid(bad), "{bad}");
        }
        // The library's numbers have 64 bits.
        assert_eq!(
            Semver::parse("99999999999999999999999.0.0").unwrap_err(),
            "strconv.ParseUint: parsing \"99999999999999999999999\": value out of range"
        );
    }
}
