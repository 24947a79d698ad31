//! `sed`.

use std::rc::Rc;

use super::super::files::FileError;
use super::super::host::Context;
use super::super::io::Output;
use super::super::regex::Regex;
use super::options;
use crate::flat::Case;
use crate::limits;

enum Address {
    Line(usize),
    Last,
    Match(Rc<Regex>),
    /// The regular expression used last.
    Again,
    /// `first~step`
    Step(usize, usize),
}

enum Until {
    Address(Address),
    /// `+N`
    More(usize),
    /// `~N`
    Multiple(usize),
}

struct Substitution {
    regex: Option<Rc<Regex>>,
    with: Vec<Piece>,
    global: bool,
    print: bool,
    nth: usize,
    file: Option<String>,
}

enum Piece {
    Text(String),
    Group(usize),
    /// `\U`, `\L`, `\u`, `\l`, `\E`
    Case(char),
}

enum Action {
    Begin(usize),
    End,
    Substitute(Box<Substitution>),
    Translate(Vec<char>, Vec<char>),
    Append(String),
    Insert(String),
    Change(String),
    Branch(char, Option<String>),
    Label,
    Quit(bool, i32),
    Read(String),
    Write(String),
    Simple(char),
}

struct Command {
    first: Option<Address>,
    last: Option<Until>,
    negate: bool,
    action: Action,
    /// While a range is open: where it ends at the latest (`None`: by its address).
    open: Option<Option<usize>>,
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    extended: bool,
    commands: Vec<Command>,
    blocks: Vec<usize>,
    labels: Vec<(String, usize)>,
    zero: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let text: String = self.chars.get(start..self.at)?.iter().collect();
        text.parse().ok()
    }

    /// Text up to an unescaped delimiter, which is consumed; brackets of an expression hide it.
    fn delimited(&mut self, delimiter: char, regex: bool) -> Option<String> {
        let mut out = String::new();
        let mut bracket = false;
        loop {
            let c = self.next()?;
            if c == '\\' {
                let e = self.next()?;
                if e == delimiter {
                    // `s,a\,b,x,`: the delimiter itself. One that means something stays guarded.
                    if regex && "|.*+?()[]{}^$".contains(e) && e != '/' {
                        out.push('\\');
                    }
                    out.push(e);
                } else if e == 'n' && regex {
                    out.push('\n');
                } else {
                    out.push('\\');
                    out.push(e);
                }
                continue;
            }
            if regex && c == '[' && !bracket {
                bracket = true;
                out.push(c);
                if self.peek() == Some('^') {
                    out.extend(self.next());
                }
                if self.peek() == Some(']') {
                    out.extend(self.next());
                }
                continue;
            }
            if regex && c == ']' {
                bracket = false;
            }
            if c == delimiter && !bracket {
                return Some(out);
            }
            if c == '\n' && regex {
                return None;
            }
            out.push(c);
        }
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        Ok(match self.peek() {
            Some(c) if c.is_ascii_digit() => {
                let n = self.number().unwrap_or(0);
                if self.peek() == Some('~') {
                    self.at += 1;
                    Some(Address::Step(n, self.number().unwrap_or(0)))
                } else {
                    Some(Address::Line(n))
                }
            }
            Some('$') => {
                self.at += 1;
                Some(Address::Last)
            }
            Some('/' | '\\') => {
                let delimiter = match self.next() {
                    Some('\\') => self.next().unwrap_or('/'),
                    _ => '/',
                };
                let text = self.delimited(delimiter, true).ok_or("unterminated address regex")?;
                let mut ignore = false;
                while let Some('I' | 'M') = self.peek() {
                    ignore |= self.next() == Some('I');
                }
                if text.is_empty() {
                    Some(Address::Again)
                } else {
                    Some(Address::Match(Rc::new(Regex::new(&text, self.extended, ignore)?)))
                }
            }
            _ => None,
        })
    }

    fn script(&mut self) -> Result<(), String> {
        loop {
            while self.peek().is_some_and(|c| c.is_whitespace() || c == ';') {
                self.at += 1;
            }
            if self.peek().is_none() {
                break;
            }
            if self.peek() == Some('#') {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                continue;
            }
            self.command()?;
        }
        if !self.blocks.is_empty() {
            return Err("unmatched `{'".to_owned());
        }
        Ok(())
    }

    fn command(&mut self) -> Result<(), String> {
        let first = self.address()?;
        self.blank();
        let mut last = None;
        if first.is_some() && self.peek() == Some(',') {
            self.at += 1;
            self.blank();
            last = Some(match self.peek() {
                Some('+') => {
                    self.at += 1;
                    Until::More(self.number().ok_or("expected a number after +")?)
                }
                Some('~') => {
                    self.at += 1;
                    Until::Multiple(self.number().ok_or("expected a number after ~")?)
                }
                _ => Until::Address(self.address()?.ok_or("unexpected `,'")?),
            });
        }
        self.blank();
        let mut negate = false;
        while self.peek() == Some('!') {
            negate = true;
            self.at += 1;
            self.blank();
        }
        let Some(letter) = self.next() else {
            return Err("missing command".to_owned());
        };
        let until_match = matches!(last, Some(Until::Address(Address::Match(_) | Address::Again)));
        if matches!(first, Some(Address::Line(0))) && !until_match {
            return Err("invalid usage of line address 0".to_owned());
        }
        let action = match letter {
            '{' => {
                self.blocks.push(self.commands.len());
                Action::Begin(0)
            }
            '}' => {
                if first.is_some() {
                    return Err("} doesn't want any addresses".to_owned());
                }
                let open = self.blocks.pop().ok_or("unexpected `}'")?;
                let here = self.commands.len();
                if let Some(command) = self.commands.get_mut(open) {
                    command.action = Action::Begin(here);
                }
                Action::End
            }
            's' => self.substitution()?,
            'y' => {
                let delimiter = self.next().ok_or("unterminated `y' command")?;
                let from = self.delimited(delimiter, false).ok_or("unterminated `y' command")?;
                let to = self.delimited(delimiter, false).ok_or("unterminated `y' command")?;
                let unescape =
                    |t: String| -> Vec<char> { t.replace("\\n", "\n").replace("\\\\", "\\").chars().collect() };
                let (from, to) = (unescape(from), unescape(to));
                if from.len() != to.len() {
                    return Err("strings for `y' command are different lengths".to_owned());
                }
                Action::Translate(from, to)
            }
            'a' | 'i' | 'c' => {
                let text = self.text()?;
                match letter {
                    'a' => Action::Append(text),
                    'i' => Action::Insert(text),
                    _ => Action::Change(text),
                }
            }
            ':' => {
                self.blank();
                let mut name = String::new();
                while self.peek().is_some_and(|c| c != '\n' && c != ';') {
                    name.extend(self.next());
                }
                let name = name.trim().to_owned();
                if name.is_empty() {
                    return Err("\":\" lacks a label".to_owned());
                }
                self.labels.push((name.clone(), self.commands.len()));
                Action::Label
            }
            'b' | 't' | 'T' => {
                self.blank();
                let mut name = String::new();
                while self.peek().is_some_and(|c| !matches!(c, '\n' | ';' | '}')) {
                    name.extend(self.next());
                }
                let name = name.trim().to_owned();
                Action::Branch(letter, (!name.is_empty()).then_some(name))
            }
            'q' | 'Q' => {
                self.blank();
                let code = self.number().unwrap_or(0);
                Action::Quit(letter == 'q', (code & 0xff) as i32)
            }
            'r' | 'w' => {
                self.blank();
                let mut name = String::new();
                while self.peek().is_some_and(|c| c != '\n') {
                    name.extend(self.next());
                }
                if name.is_empty() {
                    return Err("missing filename in r/R/w/W commands".to_owned());
                }
                if letter == 'r' {
                    Action::Read(name)
                } else {
                    Action::Write(name)
                }
            }
            'd' | 'D' | 'p' | 'P' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' | 'l' | 'z' => Action::Simple(letter),
            other => return Err(format!("unknown command: `{other}'")),
        };
        let takes_rest = matches!(
            action,
            Action::Append(_)
                | Action::Insert(_)
                | Action::Change(_)
                | Action::Read(_)
                | Action::Write(_)
                | Action::Begin(_)
        );
        if !takes_rest {
            self.blank();
            match self.peek() {
                None | Some('\n' | ';' | '#') => {}
                Some('}') => {}
                Some(_) if letter == 's' => return Err("unknown option to `s'".to_owned()),
                Some(_) => return Err("extra characters after command".to_owned()),
            }
        }
        self.commands.push(Command {
            first,
            last,
            negate,
            action,
            open: None,
        });
        Ok(())
    }

    /// The text of `a`, `i` and `c`: on the same line (GNU) or after a backslash and a line feed.
    fn text(&mut self) -> Result<String, String> {
        self.blank();
        if self.peek() == Some('\\') {
            // Blanks behind it are the text's, unless nothing but them is on the line.
            self.at += 1;
            let start = self.at;
            self.blank();
            match self.peek() {
                Some('\n') => self.at += 1,
                _ => self.at = start,
            }
        }
        if self.peek().is_none() {
            return Err("expected \\ after `a', `c' or `i'".to_owned());
        }
        let mut out = String::new();
        while let Some(c) = self.next() {
            match c {
                '\\' => match self.next() {
                    Some('t') => out.push('\t'),
                    Some(c) => out.push(c),
                    None => {}
                },
                '\n' => break,
                c => out.push(c),
            }
        }
        out.push('\n');
        Ok(out)
    }

    fn substitution(&mut self) -> Result<Action, String> {
        let unterminated = || "unterminated `s' command".to_owned();
        let delimiter = self.next().ok_or_else(unterminated)?;
        if delimiter == '\n' || delimiter == '\\' {
            return Err(unterminated());
        }
        let pattern = self.delimited(delimiter, true).ok_or_else(unterminated)?;
        let with = self.delimited(delimiter, false).ok_or_else(unterminated)?;
        let mut s = Substitution {
            regex: None,
            with: replacement(&with),
            global: false,
            print: false,
            nth: 0,
            file: None,
        };
        let mut ignore = false;
        loop {
            match self.peek() {
                Some('g') if s.global => {
                    self.at += 1;
                    return Err("multiple `g' options to `s' command".to_owned());
                }
                Some('g') => s.global = true,
                Some('p') => s.print = true,
                Some('i' | 'I') => ignore = true,
                Some('m' | 'M') => {}
                Some('e') => return Err("the `e' flag of `s' is not simulated".to_owned()),
                Some('0') if s.nth == 0 => return Err("number option to `s' command may not be zero".to_owned()),
                Some(c) if c.is_ascii_digit() => {
                    s.nth = self.number().unwrap_or(1);
                    continue;
                }
                Some('w') => {
                    self.at += 1;
                    self.blank();
                    let mut name = String::new();
                    while self.peek().is_some_and(|c| c != '\n') {
                        name.extend(self.next());
                    }
                    s.file = Some(name);
                    break;
                }
                _ => break,
            }
            self.at += 1;
        }
        if !pattern.is_empty() {
            s.regex = Some(Rc::new(Regex::new(&pattern, self.extended, ignore)?));
        }
        let groups = {
            let chars: Vec<char> = pattern.chars().collect();
            let mut n = 0;
            let mut i = 0;
            while let Some(c) = chars.get(i) {
                if *c == '\\' {
                    if !self.extended && chars.get(i + 1) == Some(&'(') {
                        n += 1;
                    }
                    i += 1;
                } else if *c == '(' && self.extended {
                    n += 1;
                }
                i += 1;
            }
            n
        };
        for piece in &s.with {
            if let Piece::Group(n) = piece
                && *n > groups
                && s.regex.is_some()
            {
                return Err(format!("invalid reference \\{n} on `s' command's RHS"));
            }
        }
        Ok(Action::Substitute(Box::new(s)))
    }
}

/// The character of an escape such as `\t`.
fn control(letter: char) -> char {
    match letter {
        't' => '\t',
        'r' => '\r',
        'f' => '\x0c',
        'v' => '\x0b',
        'a' => '\x07',
        c => c,
    }
}

/// The character of `\xHH` behind its `x`.
fn hex(chars: &mut std::str::Chars) -> char {
    let digits: String = chars
        .as_str()
        .chars()
        .take(2)
        .take_while(char::is_ascii_hexdigit)
        .collect();
    for _ in digits.chars() {
        chars.next();
    }
    match u8::from_str_radix(&digits, 16) {
        Ok(n) => n.into(),
        Err(_) => 'x',
    }
}

fn replacement(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let piece = match c {
            '&' => Some(Piece::Group(0)),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => Some(Piece::Group(d as usize - '0' as usize)),
                Some(k @ ('U' | 'L' | 'u' | 'l' | 'E')) => Some(Piece::Case(k)),
                Some('n') => {
                    literal.push('\n');
                    None
                }
                Some(k @ ('t' | 'r' | 'f' | 'v' | 'a')) => {
                    literal.push(control(k));
                    None
                }
                Some('x') => {
                    literal.push(hex(&mut chars));
                    None
                }
                Some(c) => {
                    literal.push(c);
                    None
                }
                None => None,
            },
            c => {
                literal.push(c);
                None
            }
        };
        if let Some(piece) = piece {
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

fn push_cased(out: &mut String, text: &str, all: char, once: &mut char) {
    for c in text.chars() {
        match std::mem::replace(once, ' ') {
            'u' => out.push(c.upper()),
            'l' => out.push(c.lower()),
            _ => match all {
                'U' => out.push(c.upper()),
                'L' => out.push(c.lower()),
                _ => out.push(c),
            },
        }
    }
}

impl Substitution {
    /// The text after the substitution; `None` when nothing matched.
    fn apply(&self, regex: &Regex, text: &str) -> Option<String> {
        let mut seen = 0;
        let mut changed = false;
        let out = regex.replace(text, &mut |groups, out| {
            seen += 1;
            if !(self.nth == 0 || seen == self.nth || (self.global && seen > self.nth)) {
                out.extend(groups.first().copied());
                return true;
            }
            changed = true;
            let (mut all, mut once) = (' ', ' ');
            for piece in &self.with {
                match piece {
                    Piece::Text(t) => push_cased(out, t, all, &mut once),
                    Piece::Group(n) => push_cased(out, groups.get(*n).unwrap_or(&""), all, &mut once),
                    Piece::Case(k @ ('u' | 'l')) => once = *k,
                    Piece::Case('E') => all = ' ',
                    Piece::Case(k) => all = *k,
                }
            }
            self.global
        });
        changed.then_some(out)
    }
}

/// The lines of the input, with one line read ahead to know the last.
struct Source<'a> {
    c: &'a Context,
    paths: std::collections::VecDeque<String>,
    input: Option<super::super::io::Input>,
    ahead: Option<Vec<u8>>,
    line: usize,
    code: i32,
    started: bool,
    /// Lines end with NUL (`-z`).
    zero: bool,
    pending: std::collections::VecDeque<Vec<u8>>,
    /// The regular expression used last, which an empty one means.
    used: Option<Rc<Regex>>,
}

impl Source<'_> {
    async fn fetch(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if let Some(input) = &self.input {
                let mut all = Vec::new();
                while let Some(line) = input.read_line_bytes().await {
                    if !self.zero {
                        return Some(line);
                    }
                    all.extend(line);
                    if all.len() > limits::SHELL_WORD_BYTES {
                        break;
                    }
                }
                self.pending
                    .extend(all.split_inclusive(|b| *b == 0).map(<[u8]>::to_vec));
                self.input = None;
                continue;
            }
            let path = self.paths.pop_front()?;
            let is_dir = path != "-" && self.c.files.is_dir(&self.c.path(&path));
            match self.c.open(&path) {
                Ok(input) if !is_dir => self.input = Some(input),
                Ok(_) | Err(FileError::IsDirectory) => {
                    self.c.error(
                        format!("couldn't read {path}: Is a directory").replace("couldn't read", "read error on"),
                    );
                    self.code = 2;
                }
                Err(error) => {
                    self.c.error(format!("can't read {path}: {error}"));
                    self.code = 2;
                }
            }
        }
    }

    /// The next line, and whether it had a line feed.
    async fn next(&mut self) -> Option<(String, bool)> {
        let line = if self.started {
            self.ahead.take()
        } else {
            self.fetch().await
        };
        let line = match line {
            Some(line) => line,
            None if !self.started => {
                self.started = true;
                return None;
            }
            None => self.fetch().await?,
        };
        self.started = true;
        self.line += 1;
        let end: &[u8] = if self.zero { b"\0" } else { b"\n" };
        let ended = line.ends_with(end);
        let text = line.strip_suffix(end).unwrap_or(&line);
        Some((String::from_utf8_lossy(text).into_owned(), ended))
    }

    async fn is_last(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.fetch().await;
        }
        self.ahead.is_none()
    }
}

pub(super) async fn sed(c: Context) -> i32 {
    let long = [
        ("expression", 'e'),
        ("file", 'f'),
        ("quiet", 'n'),
        ("silent", 'n'),
        ("in-place", 'i'),
        ("regexp-extended", 'E'),
        ("unbuffered", 'u'),
        ("separate", 's'),
        ("null-data", 'z'),
    ];
    let o = match options::parse(&c, "e:f:ni?Ersz u", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut rest = o.rest.clone();
    let mut script = String::new();
    for (letter, value) in &o.flags {
        match letter {
            'e' => {
                script.push_str(value);
                script.push('\n');
            }
            'f' => match c.read_file(value).await {
                Ok(text) => {
                    script.push_str(&text);
                    script.push('\n');
                }
                Err(error) => {
                    c.error(format!("couldn't open file {value}: {error}"));
                    return 1;
                }
            },
            _ => {}
        }
    }
    let explicit = o.has('e') || o.has('f');
    if !explicit {
        if rest.is_empty() {
            c.stderr
                .line("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...");
            return 1;
        }
        script = rest.remove(0);
    }
    let extended = o.has('E') || o.has('r');
    let compile = || -> Result<Parser, (usize, String)> {
        let mut parser = Parser {
            chars: script.chars().collect(),
            at: 0,
            extended,
            commands: Vec::new(),
            blocks: Vec::new(),
            labels: Vec::new(),
            zero: o.has('z'),
        };
        match parser.script() {
            Ok(()) => Ok(parser),
            Err(message) => Err((parser.at, message)),
        }
    };
    let mut parser = match compile() {
        Ok(parser) => parser,
        Err((at, message)) => {
            c.error(format!("-e expression #1, char {at}: {message}"));
            return 1;
        }
    };
    let quiet = o.has('n') || script.starts_with("#n\n");
    if !o.has('i') {
        let paths = if rest.is_empty() { vec!["-".to_owned()] } else { rest };
        let output = c.stdout.clone();
        if o.has('s') {
            let mut code = 0;
            for path in paths {
                let Ok(mut parser) = compile() else { return 1 };
                code = code.max(run(&c, &mut parser, vec![path], quiet, &output).await);
            }
            return code;
        }
        return run(&c, &mut parser, paths, quiet, &output).await;
    }
    if rest.is_empty() {
        c.error("no input files");
        return 1;
    }
    let mut code = 0;
    let suffix = o.value('i').unwrap_or_default().to_owned();
    for path in rest {
        let full = c.path(&path);
        let Ok(stat) = c.files.stat(&full, true) else {
            c.error(format!("can't read {path}: {}", FileError::NotFound));
            code = 2;
            continue;
        };
        if c.files.is_dir(&full) {
            c.error(format!("couldn't edit {path}: not a regular file"));
            code = 4;
            continue;
        }
        let Ok(mut parser) = compile() else { return 1 };
        let (output, buffer) = Output::buffer();
        code = code.max(run(&c, &mut parser, vec![path.clone()], quiet, &output).await);
        if !suffix.is_empty()
            && let Ok(old) = c.files.read(&full)
        {
            let backup = format!("{full}{suffix}");
            if let Err(error) = c.files.write(&backup, old.as_ref().clone()) {
                c.error(format!("cannot rename {full}: {error}"));
                return 4;
            }
        }
        let bytes = std::mem::take(&mut *buffer.borrow_mut());
        if let Err(error) = c.files.write(&full, bytes) {
            c.error(format!("couldn't open temporary file {path}: {error}"));
            return 4;
        }
        let _ = c.files.set_mode(&full, stat.mode);
    }
    code
}

async fn matches(address: &Address, source: &mut Source<'_>, text: &str) -> bool {
    match address {
        Address::Line(n) => source.line == *n,
        Address::Last => source.is_last().await,
        Address::Match(regex) => {
            source.used = Some(regex.clone());
            regex.is_match(text)
        }
        Address::Again => source.used.as_ref().is_some_and(|r| r.is_match(text)),
        Address::Step(first, 0) => source.line == *first,
        Address::Step(first, step) => source.line >= *first && (source.line - first).is_multiple_of(*step),
    }
}

/// Whether a command's addresses select the present line; opens and closes its range.
async fn selected(command: &mut Command, source: &mut Source<'_>, text: &str) -> bool {
    let Some(first) = &command.first else { return true };
    let Some(last) = &command.last else {
        return matches(first, source, text).await;
    };
    let line = source.line;
    if let Some(end) = command.open {
        let ends = match (end, last) {
            (Some(end), _) => {
                if line > end {
                    // A range whose end has passed closes without this line.
                    command.open = None;
                    return false;
                }
                line >= end
            }
            (None, Until::Address(address)) => matches(address, source, text).await,
            (None, _) => true,
        };
        if ends {
            command.open = None;
        }
        return true;
    }
    let zero = matches!(first, Address::Line(0)) && line == 1;
    let starts = zero || matches(first, source, text).await;
    if !starts {
        return false;
    }
    match last {
        Until::Address(Address::Line(n)) => {
            if *n > line {
                command.open = Some(Some(*n));
            }
        }
        Until::Address(address) => {
            let at_once = zero && matches(address, source, text).await;
            if !(at_once || matches!(address, Address::Last) && source.is_last().await) {
                command.open = Some(None);
            }
        }
        Until::More(n) => {
            if *n > 0 {
                command.open = Some(Some(line + n));
            }
        }
        Until::Multiple(n) => {
            let end = if *n == 0 { line } else { line.div_ceil(*n) * n };
            if end > line {
                command.open = Some(Some(end));
            }
        }
    }
    true
}

async fn run(c: &Context, parser: &mut Parser, paths: Vec<String>, quiet: bool, output: &Output) -> i32 {
    let mut source = Source {
        c,
        paths: paths.into(),
        input: None,
        ahead: None,
        line: 0,
        code: 0,
        started: false,
        zero: parser.zero,
        pending: Default::default(),
        used: None,
    };
    let (zero, mut hold) = (parser.zero, String::new());
    let labels = std::mem::take(&mut parser.labels);
    let commands = &mut parser.commands;
    let mut kept: Option<String> = None;
    let mut ended = true;
    let mut written: Vec<String> = Vec::new();
    'lines: loop {
        let mut pattern = match kept.take() {
            Some(text) => text,
            None => match source.next().await {
                Some((text, newline)) => {
                    ended = newline;
                    text
                }
                None => break,
            },
        };
        let mut appended: Vec<Result<String, String>> = Vec::new();
        let mut substituted = false;
        let mut at = 0;
        let mut steps = 0;
        let mut quit: Option<i32> = None;
        let mut delete = false;
        while at < commands.len() {
            steps += 1;
            if steps > limits::SHELL_WORDS {
                c.error("the script loops without end on one line");
                return 4;
            }
            let Some(command) = commands.get_mut(at) else { break };
            let chosen = selected(command, &mut source, &pattern).await != command.negate;
            at += 1;
            if !chosen {
                if let Action::Begin(end) = command.action {
                    at = end + 1;
                }
                continue;
            }
            match &command.action {
                Action::Begin(_) | Action::End | Action::Label => {}
                Action::Substitute(s) => {
                    if s.regex.is_some() {
                        source.used.clone_from(&s.regex);
                    }
                    let changed = match &source.used {
                        Some(regex) => s.apply(regex, &pattern),
                        None => {
                            c.error("no previous regular expression");
                            return 1;
                        }
                    };
                    if let Some(text) = changed {
                        pattern = text;
                        substituted = true;
                        if s.print {
                            print(output, &pattern, true, zero);
                        }
                        if let Some(path) = &s.file {
                            write_file(c, path, &pattern, &mut written);
                        }
                    }
                }
                Action::Translate(from, to) => {
                    pattern = pattern
                        .chars()
                        .map(|ch| {
                            from.iter()
                                .position(|f| *f == ch)
                                .and_then(|i| to.get(i).copied())
                                .unwrap_or(ch)
                        })
                        .collect();
                }
                Action::Append(text) => appended.push(Ok(text.clone())),
                Action::Read(path) => appended.push(Err(path.clone())),
                Action::Insert(text) => {
                    output.write(text);
                }
                Action::Change(text) => {
                    // A range is changed as one, at its end.
                    if command.last.is_none() || command.negate || command.open.is_none() {
                        output.write(text);
                    }
                    delete = true;
                    break;
                }
                Action::Write(path) => write_file(c, path, &pattern, &mut written),
                Action::Quit(print, code) => {
                    quit = Some(*code);
                    delete = !print;
                    break;
                }
                Action::Branch(kind, label) => {
                    let go = match kind {
                        'b' => true,
                        't' => std::mem::take(&mut substituted),
                        _ => !std::mem::take(&mut substituted),
                    };
                    if go {
                        match label {
                            None => break,
                            Some(label) => match labels.iter().find(|(l, _)| l == label) {
                                Some((_, target)) => at = *target,
                                None => {
                                    c.error(format!(
                                        "-e expression #1, char 0: can't find label for jump to `{label}'"
                                    ));
                                    return 1;
                                }
                            },
                        }
                    }
                }
                Action::Simple(letter) => match letter {
                    'd' => {
                        delete = true;
                        break;
                    }
                    'D' => match pattern.split_once('\n') {
                        None => {
                            delete = true;
                            break;
                        }
                        Some((_, rest)) => {
                            kept = Some(rest.to_owned());
                            delete = true;
                            break;
                        }
                    },
                    'p' => {
                        print(output, &pattern, true, zero);
                    }
                    'P' => {
                        output.line(pattern.split('\n').next().unwrap_or_default());
                    }
                    'n' => {
                        if source.is_last().await {
                            if !quiet {
                                print(output, &pattern, ended, zero);
                            }
                            flush(c, output, &mut appended).await;
                            break 'lines;
                        }
                        if !quiet {
                            print(output, &pattern, true, zero);
                        }
                        flush(c, output, &mut appended).await;
                        if let Some((text, newline)) = source.next().await {
                            pattern = text;
                            ended = newline;
                        }
                    }
                    'N' => {
                        if source.is_last().await {
                            // GNU prints what it has.
                            break;
                        }
                        flush(c, output, &mut appended).await;
                        if let Some((text, newline)) = source.next().await {
                            if pattern.len() + text.len() > limits::SHELL_WORD_BYTES {
                                c.error("the pattern space is full");
                                return 4;
                            }
                            pattern.push('\n');
                            pattern.push_str(&text);
                            ended = newline;
                        }
                    }
                    'g' => pattern = hold.clone(),
                    'G' | 'H' => {
                        if pattern.len() + hold.len() > limits::SHELL_WORD_BYTES {
                            c.error("the hold space is full");
                            return 4;
                        }
                        if *letter == 'G' {
                            pattern.push('\n');
                            pattern.push_str(&hold);
                        } else {
                            hold.push('\n');
                            hold.push_str(&pattern);
                        }
                    }
                    'h' => hold = pattern.clone(),
                    'x' => std::mem::swap(&mut hold, &mut pattern),
                    '=' => {
                        output.line(source.line.to_string());
                    }
                    'z' => pattern.clear(),
                    'l' => {
                        let mut shown = String::new();
                        for ch in pattern.chars() {
                            match ch {
                                '\n' => shown.push_str("\\n"),
                                '\t' => shown.push_str("\\t"),
                                '\\' => shown.push_str("\\\\"),
                                ch if ch.is_ascii() && !ch.is_control() => shown.push(ch),
                                ch => {
                                    let mut buffer = [0; 4];
                                    for b in ch.encode_utf8(&mut buffer).bytes() {
                                        shown.push_str(&format!("\\{b:03o}"));
                                    }
                                }
                            }
                        }
                        output.line(shown + "$");
                    }
                    _ => {}
                },
            }
        }
        if !delete && !quiet {
            print(output, &pattern, ended, zero);
        }
        flush(c, output, &mut appended).await;
        if let Some(code) = quit {
            return code;
        }
        if output.is_closed() {
            break;
        }
        output.ready().await;
    }
    source.code
}

fn print(output: &Output, text: &str, ended: bool, zero: bool) {
    if ended && zero {
        output.write(text);
        output.write("\0");
    } else if ended {
        output.line(text);
    } else {
        output.write(text);
    }
}

async fn flush(c: &Context, output: &Output, appended: &mut Vec<Result<String, String>>) {
    for text in appended.drain(..) {
        match text {
            Ok(text) => {
                output.write(text);
            }
            Err(path) => {
                if let Ok(text) = c.read_file(&path).await {
                    output.write(text);
                }
            }
        }
    }
}

fn write_file(c: &Context, path: &str, text: &str, written: &mut Vec<String>) {
    let append = written.iter().any(|w| w == path);
    match c.create(path, append) {
        Ok(output) => {
            output.line(text);
            if !append {
                written.push(path.to_owned());
            }
        }
        Err(error) => c.error(format!("couldn't open file {path}: {error}")),
    }
}
