//! Flags as kubectl reads them: the tables of each verb, the parser with pflag's rules and errors.
//! Knows nothing of the API.

use crate::flat::FlatMap;
use crate::value::duration;
use crate::value::gofmt::{IntError, parse_bool, parse_int};
use crate::value::{gofmt, quoted};
use std::num::IntErrorKind;
use std::time::Duration;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Str,
    /// A whole number of 64 bits.
    Int,
    /// A whole number of 32 bits.
    Int32,
    Duration,
    /// A duration whose errors glog's own package words.
    OldDuration,
    /// Values separated by commas, given once or many times.
    Slice,
    /// Given once or many times; commas belong to the value.
    Array,
    /// `KEY=VALUE,KEY=VALUE`, whose empty default help prints without quotes.
    Map,
    /// How much klog logs: a decimal number of 32 bits.
    Level,
    /// `FILE=LEVEL,FILE=LEVEL`, klog's filter.
    Levels,
}

/// One flag of a verb.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    /// The single letter; `\0` for none.
    pub short: char,
    pub kind: Kind,
    /// As help prints it.
    pub default: &'static str,
    /// What a flag without a value means; empty when it needs one.
    pub no_opt: &'static str,
    /// Why it is deprecated; empty when it is not.
    pub deprecated: &'static str,
    /// What of it is not simulated; empty when all is.
    pub missing: &'static str,
    /// Whether help and completion leave it out.
    pub hidden: bool,
}

/// A flag of this name, letter, type and default. What it does is said in `data/help.txt`.
pub const fn flag(name: &'static str, short: char, kind: Kind, default: &'static str) -> Flag {
    Flag {
        name,
        short,
        kind,
        default,
        no_opt: match kind {
            Kind::Bool => "true",
            _ => "",
        },
        deprecated: "",
        missing: "",
        hidden: false,
    }
}

/// What the parts of the simulation that a flag would need are called in help and in the table.
pub const NOT_SIMULATED: &str = "not simulated";

impl Flag {
    /// What the flag means without a value.
    pub const fn or(mut self, no_opt: &'static str) -> Flag {
        self.no_opt = no_opt;
        self
    }

    /// Marks a flag as accepted without effect, or with less effect than the real one.
    pub const fn but(mut self, missing: &'static str) -> Flag {
        self.missing = missing;
        self
    }

    /// Marks a flag as left out of help.
    pub const fn hidden(mut self) -> Flag {
        self.hidden = true;
        self
    }

    /// Marks a flag as deprecated, in the words that kubectl prints.
    pub const fn gone(mut self, why: &'static str) -> Flag {
        self.deprecated = why;
        self
    }
}

/// The values that a command line gave.
#[derive(Clone, Debug, Default)]
pub struct Values {
    given: FlatMap<&'static str, Vec<String>>,
    defaults: FlatMap<&'static str, &'static str>,
}

impl Values {
    /// Whether the flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The last value given, or the default.
    pub fn str(&self, name: &str) -> &str {
        match self.given.get(name).and_then(|v| v.last()) {
            Some(v) => v,
            None => self.defaults.get(name).copied().unwrap_or(""),
        }
    }

    pub fn bool(&self, name: &str) -> bool {
        parse_bool(self.str(name)).unwrap_or(false)
    }

    pub fn int(&self, name: &str) -> i64 {
        parse_int(self.str(name), 64).unwrap_or(0)
    }

    pub fn duration(&self, name: &str) -> Duration {
        duration::parse(self.str(name)).map_or(Duration::ZERO, |nanos| Duration::from_nanos(nanos.unsigned_abs()))
    }

    /// Refuses a `--pod-running-timeout` of no time.
    ///
    /// # Errors
    /// The sentence of kubectl.
    pub fn pod_running_timeout(&self) -> Result<Duration, String> {
        const FLAG: &str = "pod-running-timeout";
        match self.duration(FLAG) {
            limit if self.negative(FLAG) || limit.is_zero() => Err(format!("--{FLAG} must be higher than zero")),
            limit => Ok(limit),
        }
    }

    /// Whether a duration is below zero (`--timeout=-1s` waits for long).
    pub fn negative(&self, name: &str) -> bool {
        self.str(name).starts_with('-')
    }

    /// All values given, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }

    /// Sets a value, as if it had been given.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.given.insert(name, vec![value.into()]);
    }

    /// The flags given, by name, with their last values.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given
            .iter()
            .map(|(k, v)| (*k, v.last().map_or("", String::as_str)))
    }

    /// Whether the verb has the flag at all.
    pub fn knows(&self, name: &str) -> bool {
        self.defaults.contains_key(name)
    }
}

/// What [`parse`] found.
#[derive(Debug, Default)]
pub struct Parsed {
    pub values: Values,
    pub args: Vec<String>,
    /// How many of `args` came before `--`, when there was one.
    pub dash: Option<usize>,
    /// `Flag --record has been deprecated, …`.
    pub notices: Vec<String>,
    pub help: bool,
}

/// The flag that every command has and no table lists.
const HELP: &[Flag] = &[flag("help", 'h', Kind::Bool, "false")];

/// Reads arguments by these tables.
///
/// # Errors
/// pflag's sentence.
pub fn parse(args: &[String], tables: &[&[Flag]]) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    for f in tables.iter().copied().flatten() {
        parsed.values.defaults.entry(f.name).or_insert(f.default);
    }
    let all = || tables.iter().copied().chain([HELP]).flatten();
    let by_name = |name: &str| all().find(|f| f.name == name);
    let by_short = |c: char| all().find(|f| f.short == c);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            parsed.dash = Some(parsed.args.len());
            parsed.args.extend(rest.by_ref().cloned());
            break;
        }
        if let Some(long) = arg.strip_prefix("--") {
            if long.starts_with('-') || long.starts_with('=') {
                return Err(format!("bad flag syntax: {arg}"));
            }
            let (name, value) = match long.split_once('=') {
                Some((n, v)) => (n, Some(v.to_owned())),
                None => (long, None),
            };
            let Some(f) = by_name(name) else {
                return Err(format!("unknown flag: --{name}"));
            };
            let value = match value {
                Some(v) => v,
                None if !f.no_opt.is_empty() => f.no_opt.to_owned(),
                None => match rest.next() {
                    Some(v) => v.clone(),
                    None => return Err(format!("flag needs an argument: --{name}")),
                },
            };
            parsed.take(f, value)?;
        } else if arg.len() > 1 && arg.starts_with('-') {
            let mut letters = arg.get(1..).unwrap_or_default();
            while let Some(c) = letters.chars().next() {
                let after = letters.get(c.len_utf8()..).unwrap_or_default();
                let Some(f) = by_short(c) else {
                    return Err(format!(
                        "unknown shorthand flag: {c} in -{letters}",
                        c = gofmt::quote_char(c)
                    ));
                };
                let value = if let Some(v) = after.strip_prefix('=') {
                    letters = "";
                    v.to_owned()
                } else if !f.no_opt.is_empty() {
                    letters = after;
                    f.no_opt.to_owned()
                } else if !after.is_empty() {
                    letters = "";
                    after.to_owned()
                } else {
                    let Some(v) = rest.next() else {
                        return Err(format!(
                            "flag needs an argument: {c} in -{letters}",
                            c = gofmt::quote_char(c)
                        ));
                    };
                    letters = "";
                    v.clone()
                };
                parsed.take(f, value)?;
            }
        } else {
            parsed.args.push(arg.clone());
        }
    }
    parsed.help = parsed.values.bool("help");
    Ok(parsed)
}

impl Parsed {
    fn take(&mut self, f: &Flag, value: String) -> Result<(), String> {
        if let Err(why) = check(f, &value) {
            let shown = if f.short == '\0' {
                format!("--{}", f.name)
            } else {
                format!("-{}, --{}", f.short, f.name)
            };
            return Err(format!(
                "invalid argument {value} for {shown} flag: {why}",
                value = quoted(&value),
                shown = quoted(&shown)
            ));
        }
        if !f.deprecated.is_empty() {
            let notice = format!("Flag --{} has been deprecated, {}", f.name, f.deprecated);
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
        let all = self.values.given.entry(f.name).or_default();
        match f.kind {
            Kind::Slice => all.extend(value.split(',').filter(|v| !v.is_empty()).map(str::to_owned)),
            Kind::Array => all.push(value),
            _ => *all = vec![value],
        }
        Ok(())
    }
}

fn no_int(value: &str, why: IntError) -> String {
    format!("strconv.ParseInt: parsing {value}: {why}", value = quoted(&value))
}

fn check(f: &Flag, value: &str) -> Result<(), String> {
    let int = |value: &str, bits: u32| parse_int(value, bits).map(|_| ()).map_err(|e| no_int(value, e));
    match f.kind {
        Kind::Bool => parse_bool(value).map(|_| ()).ok_or_else(|| {
            format!(
                "strconv.ParseBool: parsing {value}: invalid syntax",
                value = quoted(&value)
            )
        }),
        Kind::Int => int(value, 64),
        Kind::Int32 => int(value, 32),
        Kind::Level => match value.parse::<i32>().map_err(|e| *e.kind()) {
            Ok(_) => Ok(()),
            Err(IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => Err(no_int(value, IntError::Range)),
            Err(_) => Err(no_int(value, IntError::Syntax)),
        },
        Kind::OldDuration => duration::parse(value).map(|_| ()).map_err(|_| "parse error".to_owned()),
        Kind::Duration => duration::parse(value).map(|_| ()),
        Kind::Levels => {
            let level = |pair: &str| pair.split_once('=').is_some_and(|(_, n)| n.parse::<i32>().is_ok());
            match value.split(',').filter(|p| !p.is_empty()).all(level) {
                true => Ok(()),
                false => Err("syntax error: expect comma-separated list of filename=N".to_owned()),
            }
        }
        Kind::Str | Kind::Slice | Kind::Array | Kind::Map => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &[Flag] = &[
        flag("namespace", 'n', Kind::Str, ""),
        flag("all", 'A', Kind::Bool, "false"),
        flag("watch", 'w', Kind::Bool, "false"),
        flag("replicas", '\0', Kind::Int, "1"),
        flag("dry-run", '\0', Kind::Str, "none").or("unchanged"),
        flag("columns", 'L', Kind::Slice, ""),
        flag("timeout", '\0', Kind::Duration, "0s"),
        flag("max", '\0', Kind::Int32, "-1"),
        flag("v", 'v', Kind::Level, "0"),
        flag("flush", '\0', Kind::OldDuration, "5s"),
    ];

    fn run(line: &str) -> String {
        let args: Vec<String> = line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        match parse(&args, &[T]) {
            Ok(p) => format!("{:?} {:?} {:?}", p.values.given, p.args, p.dash),
            Err(e) => e,
        }
    }

    #[test]
    fn pflag() {
        for (line, want) in [
            ("a -n x b", r#"{"namespace": ["x"]} ["a", "b"] None"#),
            (
                "-nx -Aw",
                r#"{"all": ["true"], "namespace": ["x"], "watch": ["true"]} [] None"#,
            ),
            ("-An=x", r#"{"all": ["true"], "namespace": ["x"]} [] None"#),
            ("--dry-run --dry-run=client", r#"{"dry-run": ["client"]} [] None"#),
            ("-L a,b -L c", r#"{"columns": ["a", "b", "c"]} [] None"#),
            ("a -- b -c", r#"{} ["a", "b", "-c"] Some(1)"#),
            ("-z", "unknown shorthand flag: 'z' in -z"),
            ("--foo=1", "unknown flag: --foo"),
            ("-n", "flag needs an argument: 'n' in -n"),
            ("--replicas", "flag needs an argument: --replicas"),
            (
                "--replicas=x",
                r#"invalid argument "x" for "--replicas" flag: strconv.ParseInt: parsing "x": invalid syntax"#,
            ),
            ("--replicas=3000000000", r#"{"replicas": ["3000000000"]} [] None"#),
            ("--replicas=-0x1_0", r#"{"replicas": ["-0x1_0"]} [] None"#),
            (
                "--replicas=9223372036854775808",
                r#"invalid argument "9223372036854775808" for "--replicas" flag: strconv.ParseInt: parsing "9223372036854775808": value out of range"#,
            ),
            ("--max=0x10", r#"{"max": ["0x10"]} [] None"#),
            (
                "--max=3000000000",
                r#"invalid argument "3000000000" for "--max" flag: strconv.ParseInt: parsing "3000000000": value out of range"#,
            ),
            (
                "-v=0x10",
                r#"invalid argument "0x10" for "-v, --v" flag: strconv.ParseInt: parsing "0x10": invalid syntax"#,
            ),
            (
                "--v=3000000000",
                r#"invalid argument "3000000000" for "-v, --v" flag: strconv.ParseInt: parsing "3000000000": value out of range"#,
            ),
            ("--flush=x", r#"invalid argument "x" for "--flush" flag: parse error"#),
            ("-h=false a", r#"{"help": ["false"]} ["a"] None"#),
            ("-wh", r#"{"help": ["true"], "watch": ["true"]} [] None"#),
            (
                "-h=x",
                r#"invalid argument "x" for "-h, --help" flag: strconv.ParseBool: parsing "x": invalid syntax"#,
            ),
            ("--help --foo", "unknown flag: --foo"),
            (
                "--all=maybe",
                r#"invalid argument "maybe" for "-A, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
            ),
            (
                "--timeout=5",
                r#"invalid argument "5" for "--timeout" flag: time: missing unit in duration "5""#,
            ),
        ] {
            assert_eq!(run(line), want, "{line}");
        }
    }
}
