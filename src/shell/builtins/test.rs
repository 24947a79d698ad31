//! `test` and `[`.

use super::super::files::{self, FileKind, Files};
use super::super::state::{Run, State};

pub(super) async fn run(state: &mut State, args: &[String]) -> Run<i32> {
    let name = args.first().map_or("test", String::as_str);
    let mut rest = args.get(1..).unwrap_or_default();
    if name == "[" {
        match rest.split_last() {
            Some((last, init)) if last == "]" => rest = init,
            _ => {
                state.builtin_error(args, "missing `]'");
                return Ok(2);
            }
        }
    }
    let world = World {
        files: state.host.files(),
        cwd: &state.cwd,
        terminals: [
            state.stdin.is_terminal(),
            state.stdout.is_terminal(),
            state.stderr.is_terminal(),
        ],
    };
    match evaluate(rest, &world) {
        Ok(truth) => Ok(i32::from(!truth)),
        Err(message) => {
            state.builtin_error(args, message);
            Ok(2)
        }
    }
}

/// What file tests look at.
pub(in super::super) struct World<'a> {
    pub files: &'a Files,
    pub cwd: &'a str,
    /// Whether descriptors 0, 1 and 2 are terminals.
    pub terminals: [bool; 3],
}

/// The truth of a `test` expression; the error is the shell's sentence.
pub(in super::super) fn evaluate(args: &[String], world: &World) -> Result<bool, String> {
    let mut parser = Parser {
        args,
        at: 0,
        world,
        depth: 0,
    };
    match args {
        [] => return Ok(false),
        [one] => return Ok(!one.is_empty()),
        [not, one] if not == "!" => return Ok(one.is_empty()),
        [op, one] => {
            if is_unary(op) {
                return Ok(unary_in(world, op, one));
            }
            return Err(format!("{op}: unary operator expected"));
        }
        [a, op, b] if is_binary(op) => return binary(world, a, op, b),
        [not, op, one] if not == "!" && is_unary(op) => return Ok(!unary_in(world, op, one)),
        [open, one, close] if open == "(" && close == ")" => return Ok(!one.is_empty()),
        [_, op, _] if op != "-a" && op != "-o" && args.first().is_none_or(|a| a != "!") => {
            return Err(format!("{op}: binary operator expected"));
        }
        [not, rest @ ..] if not == "!" && rest.len() == 3 => return evaluate(rest, world).map(|b| !b),
        _ => {}
    }
    let value = parser.or()?;
    if parser.at < args.len() {
        return Err("too many arguments".to_owned());
    }
    Ok(value)
}

fn is_unary(op: &str) -> bool {
    let mut chars = op.chars();
    op.len() == 2 && chars.next() == Some('-') && chars.next().is_some_and(|c| "abcdefghknprstuwxzGLNOSv".contains(c))
}

fn is_binary(op: &str) -> bool {
    matches!(
        op,
        "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef"
    )
}

struct Parser<'a> {
    args: &'a [String],
    at: usize,
    world: &'a World<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self, n: usize) -> Option<&str> {
        self.args.get(self.at + n).map(String::as_str)
    }

    fn or(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > crate::limits::SHELL_DEPTH {
            return Err("expression too deep".to_owned());
        }
        let mut value = self.and()?;
        while self.peek(0) == Some("-o") {
            self.at += 1;
            value |= self.and()?;
        }
        self.depth -= 1;
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.term()?;
        while self.peek(0) == Some("-a") {
            self.at += 1;
            value &= self.term()?;
        }
        Ok(value)
    }

    fn term(&mut self) -> Result<bool, String> {
        let mut negate = false;
        while self.peek(0) == Some("!") && self.at + 1 < self.args.len() {
            negate = !negate;
            self.at += 1;
        }
        Ok(self.primary()? != negate)
    }

    fn primary(&mut self) -> Result<bool, String> {
        let first = self.peek(0).ok_or("argument expected")?.to_owned();
        if let (Some(op), Some(right)) = (self.peek(1), self.peek(2))
            && is_binary(op)
        {
            let value = binary(self.world, &first, op, right)?;
            self.at += 3;
            return Ok(value);
        }
        if first == "(" {
            self.at += 1;
            let value = self.or()?;
            if self.peek(0) != Some(")") {
                return Err("`)' expected".to_owned());
            }
            self.at += 1;
            return Ok(value);
        }
        if is_unary(&first)
            && let Some(operand) = self.peek(1)
        {
            let value = unary_in(self.world, &first, operand);
            self.at += 2;
            return Ok(value);
        }
        self.at += 1;
        Ok(!first.is_empty())
    }
}

fn integer(text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{text}: integer expression expected"))
}

fn binary(world: &World, a: &str, op: &str, b: &str) -> Result<bool, String> {
    Ok(match op {
        "=" | "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "-nt" | "-ot" | "-ef" => files_compare(world.files, world.cwd, a, op, b),
        op => compare(integer(a)?, op, integer(b)?),
    })
}

/// A comparison of numbers.
pub(in super::super) fn compare(a: i64, op: &str, b: i64) -> bool {
    match op {
        "-eq" => a == b,
        "-ne" => a != b,
        "-lt" => a < b,
        "-le" => a <= b,
        "-gt" => a > b,
        _ => a >= b,
    }
}

fn files_compare(files: &Files, cwd: &str, a: &str, op: &str, b: &str) -> bool {
    let a = files.stat(&files::join(cwd, a), true);
    let b = files.stat(&files::join(cwd, b), true);
    match (op, a, b) {
        ("-ef", Ok(a), Ok(b)) => a.inode == b.inode,
        ("-nt", Ok(a), Ok(b)) => a.modified > b.modified,
        ("-nt", Ok(_), Err(_)) | ("-ot", Err(_), Ok(_)) => true,
        ("-ot", Ok(a), Ok(b)) => a.modified < b.modified,
        _ => false,
    }
}

pub(in super::super) fn binary_files(state: &State, a: &str, op: &str, b: &str) -> bool {
    files_compare(state.host.files(), &state.cwd, a, op, b)
}

/// A unary test as `[[` makes it.
pub(in super::super) fn unary(state: &State, op: &str, operand: &str) -> bool {
    let world = World {
        files: state.host.files(),
        cwd: &state.cwd,
        terminals: [
            state.stdin.is_terminal(),
            state.stdout.is_terminal(),
            state.stderr.is_terminal(),
        ],
    };
    unary_in(&world, op, operand)
}

fn unary_in(world: &World, op: &str, operand: &str) -> bool {
    match op {
        "-n" => return !operand.is_empty(),
        "-z" => return operand.is_empty(),
        "-t" => {
            return operand
                .parse::<usize>()
                .ok()
                .and_then(|n| world.terminals.get(n))
                .is_some_and(|t| *t);
        }
        _ => {}
    }
    if operand.is_empty() {
        return false;
    }
    let follow = !matches!(op, "-h" | "-L");
    let mut path = files::join(world.cwd, operand);
    if operand.ends_with('/') && path != "/" {
        path.push('/');
    }
    let Ok(stat) = world.files.stat(&path, follow) else {
        return false;
    };
    match op {
        "-f" => stat.kind == FileKind::File,
        "-d" => stat.kind == FileKind::Directory,
        "-h" | "-L" => stat.kind == FileKind::Symlink,
        "-c" => stat.kind == FileKind::Device,
        "-b" | "-p" | "-S" | "-g" | "-k" | "-u" => false,
        "-s" => stat.size > 0,
        "-x" => stat.mode & 0o111 != 0,
        // Everybody here is root.
        _ => true,
    }
}
