//! `find`: an expression becomes a list of steps with jumps, run for each entry as it is reached.

use super::super::accounts::Accounts;
use super::super::files::{self, FileError, FileKind, Stat};
use super::super::host::{Context, Dialect};
use super::super::regex::Regex;
use super::super::words::{self, Escapes, Glob};
use super::date;
use super::fs::mode_text;
use crate::flat::Case;
use crate::limits;
use crate::sim::Time;

enum Step {
    Name(Glob, bool),
    Path(Glob, bool),
    Regex(Regex),
    Kind(Vec<FileKind>),
    Empty,
    /// How a number compares (`-1` less, `0` equal, `1` more), and the number and unit of a size.
    Size(i8, u64, u64),
    /// The same of an age, in units of so many seconds.
    Age(i8, u64, u64),
    Newer(Time),
    /// Bits of a mode: exactly, all (`-`) or any (`/`).
    Mode(char, u32),
    Owner(bool, i64),
    Constant(bool),
    Prune,
    Quit,
    Print(&'static str),
    Printf(String),
    List,
    Delete,
    /// The command, whether it takes all files at once, and whether it runs in the file's directory.
    Exec(Vec<String>, bool, bool),
    /// Past this step when the last result was this.
    JumpIf(bool, usize),
    Not,
}

struct Parser<'a> {
    c: &'a Context,
    args: &'a [String],
    at: usize,
    steps: Vec<Step>,
    depth: usize,
    max: usize,
    min: usize,
    children_first: bool,
    follow: bool,
    acts: bool,
    extended: bool,
}

type Parsed = Result<(), String>;

/// `+3`, `-3`, `3`: how to compare, and the rest.
fn sign(text: &str) -> (i8, &str) {
    match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => (0, text),
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.args.get(self.at).map(String::as_str)
    }

    fn either(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > limits::SHELL_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        self.both()?;
        while let Some("-o" | "-or") = self.peek() {
            self.at += 1;
            self.joined(true, Self::both)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn both(&mut self) -> Parsed {
        self.one()?;
        loop {
            match self.peek() {
                None | Some(")" | "-o" | "-or") => return Ok(()),
                Some("-a" | "-and") => self.at += 1,
                Some(_) => {}
            }
            self.joined(false, Self::one)?;
        }
    }

    fn joined(&mut self, when: bool, part: fn(&mut Self) -> Parsed) -> Parsed {
        let jump = self.steps.len();
        self.steps.push(Step::JumpIf(when, 0));
        part(self)?;
        let end = self.steps.len();
        if let Some(Step::JumpIf(_, to)) = self.steps.get_mut(jump) {
            *to = end;
        }
        Ok(())
    }

    fn one(&mut self) -> Parsed {
        let Some(arg) = self.args.get(self.at).cloned() else {
            let last = self.args.get(self.at.wrapping_sub(1)).map_or("", |a| a);
            return Err(match last {
                "(" => "invalid expression; expected to find a ')' but didn't see one. Perhaps you need an extra \
                        predicate after '('"
                    .to_owned(),
                last => format!("expected an expression after '{last}'"),
            });
        };
        self.at += 1;
        let step = match arg.as_str() {
            "!" | "-not" => {
                self.depth += 1;
                if self.depth > limits::SHELL_DEPTH {
                    return Err("the expression is nested too deeply".to_owned());
                }
                self.one()?;
                self.depth -= 1;
                Step::Not
            }
            "(" => {
                self.either()?;
                if self.peek() != Some(")") {
                    return Err(
                        "invalid expression; I was expecting to find a ')' somewhere but did not see one.".to_owned(),
                    );
                }
                self.at += 1;
                return Ok(());
            }
            "-o" | "-or" | "-a" | "-and" => {
                return Err(format!(
                    "invalid expression; you have used a binary operator '{arg}' with nothing before it."
                ));
            }
            ")" => return Err("invalid expression; you have too many ')'".to_owned()),
            "-empty" => Step::Empty,
            "-true" | "-noleaf" | "-mount" | "-xdev" | "-daystart" => Step::Constant(true),
            "-false" => Step::Constant(false),
            "-prune" => Step::Prune,
            "-depth" | "-d" => {
                self.children_first = true;
                Step::Constant(true)
            }
            "-follow" => {
                self.follow = true;
                Step::Constant(true)
            }
            "-executable" => Step::Mode('/', 0o111),
            "-quit" | "-print" | "-print0" | "-delete" | "-ls" => {
                self.acts |= arg != "-quit";
                match arg.as_str() {
                    "-quit" => Step::Quit,
                    "-print" => Step::Print("\n"),
                    "-print0" => Step::Print("\0"),
                    "-ls" => Step::List,
                    _ => {
                        self.children_first = true;
                        Step::Delete
                    }
                }
            }
            "-exec" | "-execdir" => {
                let mut command: Vec<String> = Vec::new();
                let mut end = None;
                while end.is_none() {
                    let Some(word) = self.args.get(self.at) else {
                        return Err(format!("missing argument to `{arg}'"));
                    };
                    self.at += 1;
                    match word.as_str() {
                        ";" => end = Some(false),
                        "+" if command.last().is_some_and(|w| w == "{}") => end = Some(true),
                        _ => command.push(word.clone()),
                    }
                }
                self.acts = true;
                Step::Exec(command, end == Some(true), arg == "-execdir")
            }
            _ => self.with_value(&arg)?,
        };
        self.steps.push(step);
        Ok(())
    }

    fn with_value(&mut self, arg: &str) -> Result<Step, String> {
        const TAKE: &[&str] = &[
            "-name",
            "-iname",
            "-path",
            "-wholename",
            "-ipath",
            "-regex",
            "-iregex",
            "-regextype",
            "-type",
            "-size",
            "-mtime",
            "-atime",
            "-ctime",
            "-mmin",
            "-amin",
            "-cmin",
            "-newer",
            "-newermt",
            "-perm",
            "-user",
            "-uid",
            "-group",
            "-gid",
            "-maxdepth",
            "-mindepth",
            "-printf",
        ];
        if !arg.starts_with('-') {
            let names = ["-name", "-iname", "-path"];
            if let Some(last) = self
                .args
                .get(self.at.wrapping_sub(3))
                .filter(|a| names.contains(&a.as_str()))
            {
                self.c.error(format!("paths must precede expression: `{arg}'"));
                return Err(format!("possible unquoted pattern after predicate `{last}'?"));
            }
            return Err(format!("paths must precede expression: `{arg}'"));
        }
        if !TAKE.contains(&arg) {
            return Err(match self.c.host.dialect() {
                Dialect::Busybox => format!("unrecognized: {arg}"),
                _ => format!("unknown predicate `{arg}'"),
            });
        }
        let Some(value) = self.args.get(self.at).cloned() else {
            return Err(format!("missing argument to `{arg}'"));
        };
        self.at += 1;
        let invalid = || format!("invalid argument `{value}' to `{arg}'");
        let number = |text: &str| text.parse::<u64>().map_err(|_| invalid());
        Ok(match arg {
            "-name" => Step::Name(Glob::new(&value), false),
            "-iname" => Step::Name(Glob::new(&value.lower()), true),
            "-path" | "-wholename" => Step::Path(Glob::new(&value), false),
            "-ipath" => Step::Path(Glob::new(&value.lower()), true),
            "-regextype" => {
                self.extended = value != "emacs" && !value.ends_with("basic");
                Step::Constant(true)
            }
            "-regex" | "-iregex" => Step::Regex(Regex::new(&value, self.extended, arg == "-iregex")?),
            "-type" => {
                let mut kinds = Vec::new();
                for kind in value.split(',') {
                    kinds.push(match kind {
                        "f" => FileKind::File,
                        "d" => FileKind::Directory,
                        "l" => FileKind::Symlink,
                        "c" => FileKind::Device,
                        // There are none of these.
                        "b" | "p" | "s" => continue,
                        _ => return Err(format!("Unknown argument to -type: {kind}")),
                    });
                }
                Step::Kind(kinds)
            }
            "-size" => {
                let (how, rest) = sign(&value);
                let digits = rest.trim_end_matches(|ch: char| !ch.is_ascii_digit());
                let unit = match rest.get(digits.len()..).unwrap_or_default() {
                    "" | "b" => 512,
                    "c" => 1,
                    "w" => 2,
                    "k" => 1 << 10,
                    "M" => 1 << 20,
                    "G" => 1 << 30,
                    other => return Err(format!("invalid -size type `{other}'")),
                };
                Step::Size(how, number(digits)?, unit)
            }
            "-mtime" | "-atime" | "-ctime" | "-mmin" | "-amin" | "-cmin" => {
                let (how, rest) = sign(&value);
                Step::Age(how, number(rest)?, if arg.ends_with("min") { 60 } else { 86_400 })
            }
            "-newer" => match self.c.files.stat(&self.c.path(&value), true) {
                Ok(stat) => Step::Newer(stat.modified),
                Err(error) => return Err(format!("‘{value}’: {error}")),
            },
            "-newermt" => match date::parse(&value, self.c.sim.now()) {
                Some(time) => Step::Newer(time),
                None => {
                    return Err(format!(
                        "I cannot figure out how to interpret ‘{value}’ as a date or time"
                    ));
                }
            },
            "-perm" => {
                let how = value.chars().next().filter(|ch| matches!(ch, '-' | '/')).unwrap_or('=');
                let digits = value.trim_start_matches(['-', '/']);
                match u32::from_str_radix(digits, 8) {
                    Ok(mode) => Step::Mode(how, mode),
                    Err(_) => return Err(format!("invalid mode ‘{value}’")),
                }
            }
            "-user" | "-uid" | "-group" | "-gid" => {
                let user = !arg.starts_with("-g");
                let accounts = self.c.accounts();
                let id = if user {
                    accounts.uid(&value)
                } else {
                    accounts.gid(&value)
                };
                match id {
                    Some(id) => Step::Owner(user, id),
                    None if user => return Err(format!("‘{value}’ is not the name of a known user")),
                    None => return Err(format!("‘{value}’ is not the name of an existing group")),
                }
            }
            "-maxdepth" | "-mindepth" => {
                let n = number(&value)? as usize;
                if arg == "-maxdepth" {
                    self.max = n;
                } else {
                    self.min = n;
                }
                Step::Constant(true)
            }
            _ => {
                self.acts = true;
                Step::Printf(String::from_utf8_lossy(&words::unescape(&value, Escapes::Printf)).into_owned())
            }
        })
    }
}

struct Entry<'a> {
    path: &'a str,
    root: &'a str,
    depth: usize,
    stat: &'a Stat,
}

fn compare(how: i8, value: u64, with: u64) -> bool {
    match how {
        0 => value == with,
        1 => value > with,
        _ => value < with,
    }
}

/// What `-printf` prints of an entry.
fn printf(c: &Context, accounts: &Accounts, format: &str, e: &Entry<'_>) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            out.push(ch);
            continue;
        }
        // Widths are handed to the shell's `printf`.
        let mut spec = String::from("%");
        let mut kind = chars.next();
        while let Some(k) = kind.filter(|k| k.is_ascii_digit() || matches!(k, '-' | '.')) {
            spec.push(k);
            kind = chars.next();
        }
        let stat = e.stat;
        let text = match kind {
            Some('p') => e.path.to_owned(),
            Some('f') => files::base_name(e.path).to_owned(),
            Some('h') => match e.path.rsplit_once('/') {
                Some((directory, _)) => directory.to_owned(),
                None => ".".to_owned(),
            },
            Some('P') => e
                .path
                .strip_prefix(e.root)
                .unwrap_or(e.path)
                .trim_start_matches('/')
                .to_owned(),
            Some('H') => e.root.to_owned(),
            Some('s') => stat.size.to_string(),
            Some('k') => (stat.size.div_ceil(4096) * 4).to_string(),
            Some('b') => (stat.size.div_ceil(4096) * 8).to_string(),
            Some('m') => format!("{:o}", stat.mode & 0o7777),
            Some('M') => mode_text(stat),
            Some('u') => accounts.user_or_number(stat.owner.0),
            Some('g') => accounts.group_or_number(stat.owner.1),
            Some('U') => stat.owner.0.to_string(),
            Some('G') => stat.owner.1.to_string(),
            Some('y' | 'Y') => match stat.kind {
                FileKind::File => "f",
                FileKind::Directory => "d",
                FileKind::Symlink => "l",
                FileKind::Device => "c",
            }
            .to_owned(),
            Some('d') => e.depth.to_string(),
            Some('l') => stat.target.clone().unwrap_or_default(),
            Some('i') => stat.inode.to_string(),
            Some('n') => (1 + u64::from(stat.kind == FileKind::Directory)).to_string(),
            Some('t' | 'a' | 'c') => date::strftime("%a %b %e %H:%M:%S.0000000000 %Y", stat.modified),
            Some('T' | 'A' | 'C') => match chars.next() {
                Some('@') => date::strftime("%s.0000000000", stat.modified),
                Some('+') => date::strftime("%Y-%m-%d+%H:%M:%S.0000000000", stat.modified),
                Some('T') => date::strftime("%H:%M:%S.0000000000", stat.modified),
                Some('S') => date::strftime("%S.0000000000", stat.modified),
                Some(key) => date::strftime(&format!("%{key}"), stat.modified),
                None => String::new(),
            },
            Some('%') => "%".to_owned(),
            other => format!("%{}", other.map(String::from).unwrap_or_default()),
        };
        if spec == "%" {
            out.push_str(&text);
        } else {
            let (bytes, _) = super::printf::format(&(spec + "s"), &[text], c.sim.now());
            out.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    out
}

async fn execute(c: &Context, command: &[String], found: &[String], dir: Option<&str>) -> Option<i32> {
    let mut words: Vec<String> = Vec::new();
    for word in command {
        if word == "{}" {
            words.extend(found.iter().cloned());
        } else {
            words.push(word.replace("{}", found.first().map_or("", |f| f)));
        }
    }
    let mut child = c.clone();
    if let Some(dir) = dir {
        child.cwd = files::join(&c.cwd, dir);
    }
    let code = child.run(&words).await;
    if code.is_none() {
        let name = words.first().cloned().unwrap_or_default();
        c.error(format!("‘{name}’: {}", FileError::NotFound));
    }
    code
}

pub(super) async fn find(c: Context) -> i32 {
    let accounts = c.accounts();
    let mut args = c.rest();
    let mut follow = false;
    while let Some(option @ ("-L" | "-P" | "-H")) = args.first().map(String::as_str) {
        follow = option == "-L";
        args = args.get(1..).unwrap_or_default();
    }
    let count = args
        .iter()
        .take_while(|a| !(a.starts_with('-') || matches!(a.as_str(), "!" | "(" | ")")))
        .count();
    let (roots, args) = args.split_at(count);
    let mut roots = roots.to_vec();
    if roots.is_empty() {
        roots.push(".".to_owned());
    }
    let mut p = Parser {
        c: &c,
        args,
        at: 0,
        steps: Vec::new(),
        depth: 0,
        max: usize::MAX,
        min: 0,
        children_first: false,
        follow,
        acts: false,
        extended: false,
    };
    if !args.is_empty() {
        let parsed = match p.either() {
            Ok(()) if p.peek().is_some() => Err("invalid expression; you have too many ')'".to_owned()),
            parsed => parsed,
        };
        if let Err(message) = parsed {
            c.error(message);
            return 1;
        }
    }
    if !p.acts {
        if !p.steps.is_empty() {
            let end = p.steps.len() + 2;
            p.steps.push(Step::JumpIf(false, end));
        }
        p.steps.push(Step::Print("\n"));
    }
    let mut code = 0;
    // What each `-exec … +` has gathered, by its step.
    let mut gathered: Vec<(usize, Vec<String>)> = Vec::new();
    // Paths, with their roots and depths, and whether their children were already seen.
    let mut queue: Vec<(String, usize, usize, bool)> = (0..roots.len())
        .rev()
        .map(|i| (roots.get(i).cloned().unwrap_or_default(), i, 0, false))
        .collect();
    'entries: while let Some((path, root, depth, seen)) = queue.pop() {
        let full = files::join(&c.cwd, &path);
        let found = match c.files.stat(&full, p.follow) {
            Err(_) if p.follow => c.files.stat(&full, false),
            found => found,
        };
        let stat = match found {
            Ok(stat) => stat,
            Err(error) => {
                match c.host.dialect() {
                    Dialect::Busybox => c.error(format!("{path}: {error}")),
                    _ => c.error(format!("‘{path}’: {error}")),
                }
                code = 1;
                continue;
            }
        };
        let descends = stat.kind == FileKind::Directory && depth < p.max && depth < limits::SHELL_WORDS;
        let children = |queue: &mut Vec<(String, usize, usize, bool)>| {
            for (name, _) in c.files.list(&full).unwrap_or_default().into_iter().rev() {
                queue.push((format!("{}/{name}", path.trim_end_matches('/')), root, depth + 1, false));
            }
        };
        if p.children_first && descends && !seen {
            queue.push((path.clone(), root, depth, true));
            children(&mut queue);
            continue;
        }
        let entry = Entry {
            path: &path,
            root: roots.get(root).map_or("", |r| r),
            depth,
            stat: &stat,
        };
        let mut prune = false;
        let mut truth = true;
        let mut at = if depth >= p.min { 0 } else { p.steps.len() };
        while let Some(step) = p.steps.get(at) {
            at += 1;
            truth = match step {
                Step::JumpIf(when, to) => {
                    if truth == *when {
                        at = *to;
                    }
                    truth
                }
                Step::Not => !truth,
                Step::Constant(value) => *value,
                Step::Name(glob, false) => glob.matches(files::base_name(&path)),
                Step::Name(glob, true) => glob.matches(&files::base_name(&path).lower()),
                Step::Path(glob, false) => glob.matches(&path),
                Step::Path(glob, true) => glob.matches(&path.lower()),
                Step::Regex(regex) => regex.find_at(&path, 0) == Some((0, path.len())),
                Step::Kind(kinds) => kinds.contains(&stat.kind),
                Step::Empty => match stat.kind {
                    FileKind::Directory => c.files.list(&full).is_ok_and(|l| l.is_empty()),
                    FileKind::File => stat.size == 0,
                    _ => false,
                },
                Step::Size(how, n, unit) => compare(*how, stat.size.div_ceil(*unit), *n),
                Step::Age(how, n, unit) => {
                    let age = c.sim.now().since(stat.modified).as_secs();
                    match how {
                        1 if *unit == 60 => age > n.saturating_mul(60),
                        _ => compare(*how, age / unit, *n),
                    }
                }
                Step::Newer(time) => stat.modified > *time,
                Step::Mode(how, bits) => match how {
                    '-' => stat.mode & bits == *bits,
                    '/' => *bits == 0 || stat.mode & bits != 0,
                    _ => stat.mode & 0o7777 == *bits,
                },
                Step::Owner(user, id) => (if *user { stat.owner.0 } else { stat.owner.1 }) == *id,
                Step::Prune => {
                    prune = true;
                    true
                }
                Step::Quit => break 'entries,
                Step::Print(end) => {
                    c.stdout.write(format!("{path}{end}"));
                    true
                }
                Step::Printf(format) => {
                    c.stdout.write(printf(&c, &accounts, format, &entry));
                    true
                }
                Step::List => {
                    let line = printf(&c, &accounts, "%9i %6k %M %3n %-8u %-8g %8s %Tb %Te %TH:%TM %p", &entry);
                    c.stdout.write(line);
                    let target = stat.target.as_ref().map(|t| format!(" -> {t}"));
                    c.stdout.line(target.unwrap_or_default());
                    true
                }
                Step::Delete => {
                    let result = match stat.kind {
                        FileKind::Directory if path == "." => Ok(()),
                        FileKind::Directory => c.files.remove_dir(&full),
                        _ => c.files.remove_file(&full),
                    };
                    if let Err(error) = &result {
                        c.error(format!("cannot delete ‘{path}’: {error}"));
                        code = 1;
                    }
                    result.is_ok()
                }
                Step::Exec(_, true, _) => {
                    match gathered.iter_mut().find(|(step, _)| *step == at - 1) {
                        Some((_, paths)) => paths.push(path.clone()),
                        None => gathered.push((at - 1, vec![path.clone()])),
                    }
                    true
                }
                Step::Exec(command, false, in_dir) => {
                    let (given, dir) = match in_dir {
                        true => (
                            format!("./{}", files::base_name(&path)),
                            Some(path.rsplit_once('/').map_or(".", |(d, _)| d)),
                        ),
                        false => (path.clone(), None),
                    };
                    execute(&c, command, &[given], dir).await == Some(0)
                }
            };
        }
        if descends && !prune && !p.children_first {
            children(&mut queue);
        }
        if c.stdout.is_closed() {
            return code;
        }
        c.stdout.ready().await;
    }
    for (step, paths) in gathered {
        if let Some(Step::Exec(command, ..)) = p.steps.get(step)
            && execute(&c, command, &paths, None).await != Some(0)
        {
            code = 1;
        }
    }
    code
}
