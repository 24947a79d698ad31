//! Builtins of directories, output and the shell's own names.

use std::rc::Rc;

use super::super::files;
use super::super::host::Dialect;
use super::super::state::{Run, State};
use super::super::tools;
use super::super::words::{self, Escapes};

pub(super) async fn accept(_: &mut State, _: &[String]) -> Run<i32> {
    Ok(0)
}

/// Changes the directory, and `$PWD` and `$OLDPWD` with it.
fn change(state: &mut State, path: String) {
    let old = std::mem::replace(&mut state.cwd, path.clone());
    let _ = state.set("OLDPWD", old);
    let _ = state.set("PWD", path);
    for name in ["PWD", "OLDPWD"] {
        if let Some(var) = state.vars.get_mut(name) {
            var.exported = true;
        }
    }
}

fn check_dir(state: &State, path: &str) -> Result<(), files::FileError> {
    match state.host.files().stat(path, true) {
        Ok(stat) if stat.kind == files::FileKind::Directory => Ok(()),
        Ok(_) => Err(files::FileError::NotDirectory),
        Err(error) => Err(error),
    }
}

pub(super) async fn cd(state: &mut State, args: &[String]) -> Run<i32> {
    let mut rest: Vec<&String> = args.iter().skip(1).collect();
    while rest
        .first()
        .is_some_and(|a| matches!(a.as_str(), "-L" | "-P" | "--" | "-e"))
    {
        rest.remove(0);
    }
    if rest.len() > 1 && state.dialect == Dialect::Bash {
        state.builtin_error(args, "too many arguments");
        return Ok(1);
    }
    let mut print = false;
    let target = match rest.first().map(|a| a.as_str()) {
        None => match state.get("HOME") {
            Some(home) => home,
            None => {
                state.builtin_error(args, "HOME not set");
                return Ok(1);
            }
        },
        Some("-") => match state.get("OLDPWD") {
            Some(old) => {
                print = true;
                old
            }
            None => {
                state.builtin_error(args, "OLDPWD not set");
                return Ok(1);
            }
        },
        Some(path) => path.to_owned(),
    };
    if target.is_empty() {
        return Ok(0);
    }
    let path = files::join(&state.cwd, &target);
    if let Err(error) = check_dir(state, &path) {
        match state.dialect {
            Dialect::Bash => state.builtin_error(args, format!("{target}: {error}")),
            Dialect::Dash => state.builtin_error(args, format!("can't cd to {target}")),
            Dialect::Busybox => {
                let line = match (state.interactive, state.from_c) {
                    (true, _) => String::new(),
                    (_, true) => "line 0: ".to_owned(),
                    _ => format!("line {}: ", state.line),
                };
                let text = format!("{}: cd: {line}can't cd to {target}: {error}", state.name);
                state.stderr.line(text);
            }
        }
        return Ok(if state.dialect == Dialect::Bash { 1 } else { 2 });
    }
    change(state, path.clone());
    if print {
        state.stdout.line(path);
    }
    Ok(0)
}

pub(super) async fn pwd(state: &mut State, args: &[String]) -> Run<i32> {
    let path = if args.iter().any(|a| a == "-P") {
        state
            .host
            .files()
            .real_path(&state.cwd)
            .unwrap_or_else(|_| state.cwd.clone())
    } else {
        state.cwd.clone()
    };
    state.stdout.line(path);
    Ok(0)
}

fn short(state: &State, path: &str) -> String {
    match state.get("HOME") {
        Some(home) if path == home => "~".to_owned(),
        Some(home) if path.starts_with(&format!("{home}/")) => {
            format!("~{}", path.get(home.len()..).unwrap_or_default())
        }
        _ => path.to_owned(),
    }
}

pub(super) async fn dirs(state: &mut State, args: &[String]) -> Run<i32> {
    match args.first().map_or("", String::as_str) {
        "pushd" => {
            let target = match args.get(1) {
                Some(path) => files::join(&state.cwd, path),
                None => match state.dirs.pop() {
                    Some(dir) => dir,
                    None => {
                        state.builtin_error(args, "no other directory");
                        return Ok(1);
                    }
                },
            };
            if let Err(error) = check_dir(state, &target) {
                let shown = args.get(1).cloned().unwrap_or(target);
                state.builtin_error(args, format!("{shown}: {error}"));
                return Ok(1);
            }
            if state.dirs.len() < crate::limits::SHELL_HISTORY {
                state.dirs.push(state.cwd.clone());
            }
            change(state, target);
        }
        "popd" => match state.dirs.pop() {
            Some(dir) => change(state, dir),
            None => {
                state.builtin_error(args, "directory stack empty");
                return Ok(1);
            }
        },
        _ => {}
    }
    let mut all = vec![short(state, &state.cwd)];
    all.extend(state.dirs.iter().rev().map(|d| short(state, d)));
    state.stdout.line(all.join(" "));
    Ok(0)
}

pub(super) async fn echo(state: &mut State, args: &[String]) -> Run<i32> {
    let escapes_on = state.dialect == Dialect::Dash;
    let options = state.dialect != Dialect::Dash;
    let bytes = echo_bytes(args.get(1..).unwrap_or_default(), escapes_on, options);
    write_or_fail(state, args, &bytes).await
}

/// Writes for a builtin: waits for room, and says when the descriptor is closed.
async fn write_or_fail(state: &State, args: &[String], bytes: &[u8]) -> Run<i32> {
    if state.stdout.is_closed() && !state.stdout.write(bytes) {
        if state.process.killed_by().is_none() {
            state.builtin_error(args, "write error: Bad file descriptor");
        }
        return Ok(1);
    }
    state.stdout.write(bytes);
    state.stdout.ready().await;
    Ok(0)
}

/// What `echo` prints for these arguments.
pub(in super::super) fn echo_bytes(args: &[String], mut escapes: bool, options: bool) -> Vec<u8> {
    let mut newline = true;
    let mut rest = args;
    while let Some(arg) = rest.first() {
        let Some(letters) = arg.strip_prefix('-') else { break };
        let known = if options { "neE" } else { "n" };
        if letters.is_empty() || !letters.chars().all(|c| known.contains(c)) {
            break;
        }
        for c in letters.chars() {
            match c {
                'n' => newline = false,
                'e' => escapes = true,
                _ => escapes = false,
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let text = rest.join(" ");
    if !escapes {
        let mut bytes = text.into_bytes();
        if newline {
            bytes.push(b'\n');
        }
        return bytes;
    }
    let (mut bytes, stopped) = words::unescape_until(&text, Escapes::Echo);
    if newline && !stopped {
        bytes.push(b'\n');
    }
    bytes
}

pub(super) async fn printf(state: &mut State, args: &[String]) -> Run<i32> {
    let mut rest = args.get(1..).unwrap_or_default();
    let mut variable = None;
    if rest.first().is_some_and(|a| a == "-v") {
        variable = rest.get(1).cloned();
        rest = rest.get(2..).unwrap_or_default();
    }
    if rest.first().is_some_and(|a| a == "--") {
        rest = rest.get(1..).unwrap_or_default();
    }
    let Some((format, values)) = rest.split_first() else {
        state.stderr.line("printf: usage: printf [-v var] format [arguments]");
        return Ok(2);
    };
    let now = state.sim.now();
    let (bytes, errors) = tools::printf::format(format, values, now);
    for error in &errors {
        state.builtin_error(args, error);
    }
    let code = i32::from(!errors.is_empty());
    if let Some(name) = variable {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let set = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
            Some((base, key)) => state.set_element(base, key, text),
            None => state.set(&name, text),
        };
        if let Err(message) = set {
            state.builtin_error(args, message);
            return Ok(1);
        }
        return Ok(code);
    }
    let written = write_or_fail(state, args, &bytes).await?;
    Ok(written.max(code))
}

pub(super) fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "if" | "then"
            | "else"
            | "elif"
            | "fi"
            | "for"
            | "while"
            | "until"
            | "do"
            | "done"
            | "case"
            | "esac"
            | "function"
            | "in"
            | "select"
            | "time"
            | "{"
            | "}"
            | "!"
            | "[["
            | "]]"
    )
}

/// What `type` says of a name.
pub(super) fn describe(state: &State, name: &str) -> Option<String> {
    if let Some(text) = state.aliases.get(name) {
        return Some(format!("{name} is aliased to `{text}'"));
    }
    if is_keyword(name) {
        return Some(format!("{name} is a shell keyword"));
    }
    if let Some(f) = state.functions.get(name) {
        return Some(format!("{name} is a function\n{}", f.text));
    }
    if super::find(name, state.dialect).is_some() {
        return Some(format!("{name} is a shell builtin"));
    }
    let path = state.host.find_path(name, &state.env(), &state.cwd).ok()?;
    Some(format!("{name} is {path}"))
}

pub(super) async fn type_of(state: &mut State, args: &[String]) -> Run<i32> {
    let mut code = 0;
    let mut mode = ' ';
    for arg in args.iter().skip(1) {
        match arg.as_str() {
            "-t" => mode = 't',
            "-p" | "-P" => mode = 'p',
            "-a" | "-f" | "--" => {}
            name if mode == 't' => {
                let kind = if state.aliases.contains_key(name) {
                    "alias"
                } else if is_keyword(name) {
                    "keyword"
                } else if state.functions.contains_key(name) {
                    "function"
                } else if super::find(name, state.dialect).is_some() {
                    "builtin"
                } else if state.host.find_path(name, &state.env(), &state.cwd).is_ok() {
                    "file"
                } else {
                    code = 1;
                    continue;
                };
                state.stdout.line(kind);
            }
            name if mode == 'p' => match state.host.find_path(name, &state.env(), &state.cwd) {
                Ok(path) => {
                    state.stdout.line(path);
                }
                Err(_) => code = 1,
            },
            name => match describe(state, name) {
                Some(line) => {
                    state.stdout.line(line);
                }
                None => {
                    match state.dialect {
                        Dialect::Bash => state.builtin_error(args, format!("{name}: not found")),
                        _ => {
                            state.stdout.line(format!("{name}: not found"));
                        }
                    }
                    code = if state.dialect == Dialect::Bash { 1 } else { 127 };
                }
            },
        }
    }
    Ok(code)
}

pub(super) async fn alias(state: &mut State, args: &[String]) -> Run<i32> {
    let mut code = 0;
    let prefix = if state.dialect == Dialect::Bash { "alias " } else { "" };
    let line = |name: &str, text: &str| format!("{prefix}{name}='{}'", text.replace('\'', "'\\''"));
    let names: Vec<&String> = args.iter().skip(1).filter(|a| *a != "-p").collect();
    if names.is_empty() {
        for (name, text) in state.aliases.iter() {
            state.stdout.line(line(name, text));
        }
        return Ok(0);
    }
    for arg in names {
        match arg.split_once('=') {
            Some((name, text)) if !name.is_empty() => {
                if state.aliases.len() >= crate::limits::SHELL_HISTORY {
                    state.builtin_error(args, "too many aliases");
                    return Ok(1);
                }
                Rc::make_mut(&mut state.aliases).insert(name.to_owned(), text.to_owned());
            }
            _ => match state.aliases.get(arg) {
                Some(text) => {
                    state.stdout.line(line(arg, text));
                }
                None => {
                    state.builtin_error(args, format!("{arg}: not found"));
                    code = 1;
                }
            },
        }
    }
    Ok(code)
}

pub(super) async fn unalias(state: &mut State, args: &[String]) -> Run<i32> {
    let mut code = 0;
    for arg in args.iter().skip(1) {
        if arg == "-a" {
            state.aliases = Rc::default();
        } else if Rc::make_mut(&mut state.aliases).remove(arg).is_none() {
            state.builtin_error(args, format!("{arg}: not found"));
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn history(state: &mut State, args: &[String]) -> Run<i32> {
    if args.get(1).is_some_and(|a| a == "-c") {
        state.history.borrow_mut().clear();
        return Ok(0);
    }
    let lines = state.history.borrow().clone();
    let count = match args.get(1) {
        None => lines.len(),
        Some(text) => match text.parse::<usize>() {
            Ok(n) => n,
            Err(_) => {
                state.builtin_error(args, format!("{text}: numeric argument required"));
                return Ok(1);
            }
        },
    };
    let skip = lines.len().saturating_sub(count);
    for (i, line) in lines.iter().enumerate().skip(skip) {
        state.stdout.line(format!("{:>5}  {line}", i + 1));
    }
    Ok(0)
}

pub(super) async fn umask(state: &mut State, args: &[String]) -> Run<i32> {
    let mut rest = args.get(1..).unwrap_or_default();
    let symbols = rest.first().is_some_and(|a| a == "-S");
    if symbols {
        rest = rest.get(1..).unwrap_or_default();
    }
    let Some(text) = rest.first() else {
        let mask = state.umask;
        state.stdout.line(if symbols {
            let bits = |shift: u32| -> String {
                let letters = [(4, 'r'), (2, 'w'), (1, 'x')].into_iter();
                letters
                    .filter(|(bit, _)| mask >> shift & bit == 0)
                    .map(|(_, c)| c)
                    .collect()
            };
            format!("u={},g={},o={}", bits(6), bits(3), bits(0))
        } else {
            format!("{mask:04o}")
        });
        return Ok(0);
    };
    // A mask of letters says which bits remain.
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let mask = if digits {
        u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o777)
    } else {
        super::super::tools::fs::new_mode(text, !state.umask & 0o777, false).map(|mode| !mode & 0o777)
    };
    match mask {
        Some(mask) => state.umask = mask,
        None => {
            let what = if digits {
                format!("{text}: octal number out of range")
            } else {
                format!(
                    "`{}': invalid symbolic mode operator",
                    text.chars().next().unwrap_or(' ')
                )
            };
            state.builtin_error(args, what);
            return Ok(1);
        }
    }
    Ok(0)
}

pub(super) async fn ulimit(state: &mut State, args: &[String]) -> Run<i32> {
    match args.get(1).map(String::as_str) {
        Some("-n") => state.stdout.line("1048576"),
        _ => state.stdout.line("unlimited"),
    };
    Ok(0)
}

pub(super) async fn times(state: &mut State, _: &[String]) -> Run<i32> {
    state.stdout.line("0m0.000s 0m0.000s\n0m0.000s 0m0.000s");
    Ok(0)
}

pub(super) async fn help(state: &mut State, _: &[String]) -> Run<i32> {
    state
        .stdout
        .line("This shell is kubetab's own; it follows bash. Its builtins:");
    for line in super::NAMES.chunks(10) {
        state.stdout.line(format!("  {}", line.join(" ")));
    }
    state.stdout.line("Programs:");
    let names = state.host.command_names();
    for line in names.chunks(10) {
        state.stdout.line(format!("  {}", line.join(" ")));
    }
    Ok(0)
}
