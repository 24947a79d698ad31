//! Options of a tool, as GNU's getopt reads them: bundled letters, values, long names, `--`.

use super::super::host::{Context, Dialect};

/// Options in their order, and the other arguments.
pub(crate) struct Options {
    pub flags: Vec<(char, String)>,
    pub rest: Vec<String>,
}

impl Options {
    /// Whether a letter was given.
    pub fn has(&self, letter: char) -> bool {
        self.flags.iter().any(|(c, _)| *c == letter)
    }

    /// The last value of a letter.
    pub fn value(&self, letter: char) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|(c, _)| *c == letter)
            .map(|(_, v)| v.as_str())
    }

    /// All values of a letter.
    pub fn values(&self, letter: char) -> Vec<String> {
        self.flags
            .iter()
            .filter(|(c, _)| *c == letter)
            .map(|(_, v)| v.clone())
            .collect()
    }
}

/// Reads options. `spec` lists letters, each with `:` when it takes a value and `?` when it takes
/// one only if it is attached. Behind a space stand letters that are accepted and change nothing, because they ask
/// for what is done anyway. `long` maps long names to letters; a letter that is not ASCII has no short form.
/// The error was printed.
pub(crate) fn parse(c: &Context, spec: &str, long: &[(&str, char)]) -> Result<Options, i32> {
    parse_until(c, spec, long, false)
}

/// [`parse`]; with `stop` the first other argument ends the options (`timeout`, `env`, `xargs`).
pub(crate) fn parse_until(c: &Context, spec: &str, long: &[(&str, char)], stop: bool) -> Result<Options, i32> {
    let mut options = Options {
        flags: Vec::new(),
        rest: Vec::new(),
    };
    let takes = |letter: char| {
        let mut chars = spec.chars().skip_while(|k| *k != letter);
        chars.next()?;
        Some(match chars.next() {
            Some(':') => ':',
            Some('?') => '?',
            _ => ' ',
        })
    };
    let mut args = c.rest().iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            options.rest.extend(args.cloned());
            break;
        }
        if let Some(name) = arg.strip_prefix("--") {
            let (name, value) = match name.split_once('=') {
                Some((n, v)) => (n, Some(v.to_owned())),
                None => (name, None),
            };
            let mut found: Vec<char> = long.iter().filter(|(l, _)| *l == name).map(|(_, l)| *l).collect();
            if found.is_empty() {
                found = long
                    .iter()
                    .filter(|(l, _)| l.starts_with(name))
                    .map(|(_, l)| *l)
                    .collect();
                found.dedup();
            }
            let [letter] = found.as_slice() else {
                return Err(usage(c, &format!("unrecognized option '{arg}'")));
            };
            let value = match (takes(*letter), value) {
                (Some(':'), None) => match args.next() {
                    Some(v) => v.clone(),
                    None => return Err(usage(c, &format!("option '{arg}' requires an argument"))),
                },
                (_, value) => value.unwrap_or_default(),
            };
            options.flags.push((*letter, value));
            continue;
        }
        let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
            options.rest.push(arg.clone());
            if stop {
                options.rest.extend(args.cloned());
                break;
            }
            continue;
        };
        for (i, letter) in letters.char_indices() {
            let rest = letters.get(i + letter.len_utf8()..).unwrap_or_default();
            match takes(letter).filter(|_| letter.is_ascii_alphanumeric()) {
                None => {
                    return Err(usage(c, &format!("invalid option -- '{letter}'")));
                }
                Some(':') => {
                    let value = if rest.is_empty() {
                        match args.next() {
                            Some(v) => v.clone(),
                            None => return Err(usage(c, &format!("option requires an argument -- '{letter}'"))),
                        }
                    } else {
                        rest.to_owned()
                    };
                    options.flags.push((letter, value));
                    break;
                }
                Some('?') => {
                    options.flags.push((letter, rest.to_owned()));
                    break;
                }
                Some(_) => options.flags.push((letter, String::new())),
            }
        }
    }
    Ok(options)
}

/// Prints a usage error as the tool's family does; its exit code.
pub(crate) fn usage(c: &Context, message: &str) -> i32 {
    c.error(message);
    let name = super::super::files::base_name(c.name());
    if c.host.dialect() != Dialect::Busybox {
        c.stderr.line(format!("Try '{name} --help' for more information."));
    }
    match name {
        "ls" | "grep" | "egrep" | "fgrep" | "sort" | "diff" => 2,
        "timeout" | "env" | "nohup" => 125,
        _ => 1,
    }
}
