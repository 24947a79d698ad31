//! `sh` and `bash` as programs: `-c`, a script's file, or the standard input.

use super::super::host::{Commands, Context, Dialect, Host};
use super::super::shell::run_in;

/// `chroot DIR [COMMAND…]`: a program with the tools of a node whose root is `DIR`.
pub(super) async fn chroot(c: Context) -> i32 {
    let Some(dir) = c.arg(1) else {
        c.error("missing operand");
        c.stderr.line("Try 'chroot --help' for more information.");
        return 125;
    };
    let Ok(files) = c.files.below(&c.path(dir)) else {
        c.error(format!(
            "cannot change root directory to '{dir}': No such file or directory"
        ));
        return 125;
    };
    let mut args = c.args.get(2..).unwrap_or_default().to_vec();
    if args.is_empty() {
        args = vec!["/bin/bash".to_owned(), "-i".to_owned()];
    }
    let host = Host::new(
        &c.sim,
        &c.host.name(),
        files.clone(),
        Commands::with_tools(),
        Dialect::Bash,
    );
    let name = args.first().cloned().unwrap_or_default();
    let inside = Context {
        host: host.clone(),
        args,
        cwd: "/".to_owned(),
        files,
        ..c.clone()
    };
    match host.exec(inside) {
        Ok(future) => future.await,
        Err(_) => {
            c.error(format!("failed to run command '{name}': No such file or directory"));
            127
        }
    }
}

pub(super) async fn run(c: Context) -> i32 {
    let name = c.name().to_owned();
    let mut rest = c.rest().to_vec();
    let mut source = None;
    let mut flags = String::new();
    let mut from_stdin = false;
    while let Some(arg) = rest.first().cloned() {
        if arg == "--" {
            rest.remove(0);
            break;
        }
        if arg == "--login" || arg == "--posix" || arg == "--norc" || arg == "--noprofile" {
            rest.remove(0);
            continue;
        }
        if arg == "--version" {
            c.stdout
                .line("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu), as kubetab simulates it");
            return 0;
        }
        let Some(letters) = arg.strip_prefix(['-', '+']).filter(|l| !l.is_empty()) else {
            break;
        };
        rest.remove(0);
        let mut wants_source = false;
        for letter in letters.chars() {
            match letter {
                'c' => wants_source = true,
                's' => from_stdin = true,
                'o' => {
                    if !rest.is_empty() {
                        let option = rest.remove(0);
                        flags.push_str(&format!("set -o {option}\n"));
                    }
                }
                'l' | 'i' => {}
                'e' | 'u' | 'x' | 'f' | 'n' | 'v' | 'a' | 'C' => {
                    let sign = if arg.starts_with('+') { '+' } else { '-' };
                    flags.push_str(&format!("set {sign}{letter}\n"));
                }
                other => {
                    c.stderr.line(format!("{name}: -{other}: invalid option"));
                    return 2;
                }
            }
        }
        if wants_source {
            // Options may still follow: `sh -c -e 'source'`.
            while let Some(next) = rest.first().cloned() {
                match next.as_str() {
                    "-e" | "-x" | "-u" => {
                        flags.push_str(&format!("set {next}\n"));
                        rest.remove(0);
                    }
                    _ => break,
                }
            }
            if rest.is_empty() {
                c.stderr.line(format!("{name}: -c: option requires an argument"));
                return 2;
            }
            source = Some(rest.remove(0));
        }
    }
    if let Some(source) = source {
        let zero = if rest.is_empty() { name } else { rest.remove(0) };
        return start(c, zero, rest, flags, &source, true).await;
    }
    if from_stdin || rest.is_empty() {
        // A shell that reads its commands from a pipe or a terminal, line by line.
        return from_input(c, name, rest, flags).await;
    }
    let path = rest.remove(0);
    let text = match c.open(&path) {
        Ok(input) => input.read_text().await,
        Err(error) => {
            let message = match c.host.dialect() {
                super::super::host::Dialect::Dash => format!("{name}: 0: cannot open {path}: No such file"),
                super::super::host::Dialect::Busybox => format!("{name}: can't open '{path}': {error}"),
                super::super::host::Dialect::Bash => format!("{name}: {path}: {error}"),
            };
            c.stderr.line(message);
            return if c.host.dialect() == super::super::host::Dialect::Bash {
                127
            } else {
                2
            };
        }
    };
    start(c, path, rest, flags, &text, false).await
}

async fn start(c: Context, name: String, args: Vec<String>, flags: String, source: &str, from_c: bool) -> i32 {
    // Options are set on the same line, so that line numbers stay.
    let flags = flags.replace('\n', ";");
    run_in(c, &name, args, &format!("{flags}{source}"), from_c).await
}

async fn from_input(c: Context, name: String, args: Vec<String>, flags: String) -> i32 {
    if !c.stdin.is_terminal() {
        return super::super::shell::run_input(c, &name, args, &flags.replace('\n', ";"), false).await;
    }
    super::super::shell::run_input(c, &name, args, &flags.replace('\n', ";"), true).await
}
