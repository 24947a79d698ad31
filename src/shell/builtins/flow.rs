//! Builtins of control: `exit`, `return`, `break`, `eval`, `exec`, `source`, `trap`, `command`.

use super::super::files;
use super::super::process::{Disposition, SIGNALS, signal_name, signal_number};
use super::super::state::{Flow, Run, State, TRAP_DEBUG, TRAP_ERR, TRAP_RETURN};

pub(super) async fn ok(_: &mut State, _: &[String]) -> Run<i32> {
    Ok(0)
}

pub(super) async fn fails(_: &mut State, _: &[String]) -> Run<i32> {
    Ok(1)
}

fn code_arg(state: &State, args: &[String]) -> Result<i32, i32> {
    match args.get(1) {
        None => Ok(state.last),
        Some(text) => match text.trim().parse::<i64>() {
            Ok(n) => Ok((n & 0xff) as i32),
            Err(_) => {
                state.builtin_error(args, format!("{text}: numeric argument required"));
                Err(2)
            }
        },
    }
}

pub(super) async fn exit(state: &mut State, args: &[String]) -> Run<i32> {
    let code = match code_arg(state, args) {
        Ok(code) | Err(code) => code,
    };
    if args.len() > 2 {
        state.builtin_error(args, "too many arguments");
        return Ok(1);
    }
    state.exited = true;
    Err(Flow::Exit(code))
}

pub(super) async fn leave_function(state: &mut State, args: &[String]) -> Run<i32> {
    if state.frames.is_empty() && state.sources == 0 {
        state.builtin_error(args, "can only `return' from a function or sourced script");
        return Ok(2);
    }
    let code = match code_arg(state, args) {
        Ok(code) | Err(code) => code,
    };
    Err(Flow::Return(code))
}

pub(super) async fn leave_loop(state: &mut State, args: &[String]) -> Run<i32> {
    let name = args.first().map_or("", String::as_str);
    if state.loops == 0 {
        state.builtin_error(args, "only meaningful in a `for', `while', or `until' loop");
        return Ok(0);
    }
    let n = match args.get(1) {
        None => 1,
        Some(text) => match text.parse::<usize>() {
            Ok(0) => {
                state.builtin_error(args, "0: loop count out of range");
                return Err(Flow::Break(state.loops.max(1)));
            }
            Ok(n) => n.min(state.loops),
            Err(_) => {
                state.builtin_error(args, format!("{text}: numeric argument required"));
                return Err(Flow::Exit(128));
            }
        },
    };
    Err(if name == "break" {
        Flow::Break(n)
    } else {
        Flow::Continue(n)
    })
}

pub(super) async fn eval(state: &mut State, args: &[String]) -> Run<i32> {
    let source = args.get(1..).unwrap_or_default().join(" ");
    state.check_depth()?;
    state.depth += 1;
    let result = state.run_source(&source).await;
    state.depth -= 1;
    match result {
        // An error of syntax ends only the `eval`.
        Err(Flow::Abort(2)) => Ok(2),
        other => other,
    }
}

pub(super) async fn source(state: &mut State, args: &[String]) -> Run<i32> {
    let Some(path) = args.get(1) else {
        state.builtin_error(args, "filename argument required");
        state.stderr.line(format!(
            "{}: usage: {} filename [arguments]",
            args.first().map_or(".", |a| a),
            args.first().map_or(".", |a| a)
        ));
        return Ok(2);
    };
    let text = match state.open_input(path) {
        Ok(input) => input.read_text().await,
        Err(_) if !path.contains('/') && state.host.find_path(path, &state.env(), &state.cwd).is_ok() => {
            let found = state.host.find_path(path, &state.env(), &state.cwd).unwrap_or_default();
            state.host.files().read_text(&found).unwrap_or_default()
        }
        Err(error) => {
            if files::FileError::IsDirectory == error {
                state.builtin_error(args, format!("{path}: is a directory"));
            } else {
                state.error(format!("{path}: {error}"));
            }
            return Ok(1);
        }
    };
    state.check_depth()?;
    state.depth += 1;
    state.sources += 1;
    let saved_args =
        (args.len() > 2).then(|| std::mem::replace(&mut state.args, args.get(2..).unwrap_or_default().to_vec()));
    let name = std::mem::replace(&mut state.name, path.clone());
    let (from_c, interactive) = (state.from_c, state.interactive);
    state.from_c = false;
    let aliases = state.options.aliases;
    state.options.aliases |= interactive;
    state.interactive = false;
    state.calls.push("source".to_owned());
    let result = state.run_source(&text).await;
    state.calls.pop();
    state.interactive = interactive;
    state.options.aliases = aliases;
    state.name = name;
    state.from_c = from_c;
    if let Some(saved) = saved_args {
        state.args = saved;
    }
    state.sources -= 1;
    state.depth -= 1;
    match result {
        Err(Flow::Return(code)) => Ok(code),
        other => other,
    }
}

pub(super) async fn exec(state: &mut State, args: &[String]) -> Run<i32> {
    let mut rest = args.get(1..).unwrap_or_default();
    while let Some(option) = rest.first() {
        match option.as_str() {
            "-a" => rest = rest.get(2..).unwrap_or_default(),
            "-c" | "-l" | "--" => rest = rest.get(1..).unwrap_or_default(),
            _ => break,
        }
    }
    let Some(name) = rest.first() else {
        // Its redirections stay.
        state.keep_redirects = true;
        return Ok(0);
    };
    let env = state.env();
    match state.host.find(name, &env, &state.cwd) {
        Ok(program) => {
            let context = state.context_in_place(rest.to_vec(), env);
            let code = program.run(context).await;
            state.exited = true;
            Err(Flow::Exit(code))
        }
        Err(error) => {
            let (message, code) = state.no_program(name, error);
            // `exec` words a missing command differently.
            let message = message.replace(": command not found", ": not found");
            state.builtin_error(args, message);
            if state.interactive {
                Ok(code)
            } else {
                Err(Flow::Exit(code))
            }
        }
    }
}

pub(super) async fn builtin(state: &mut State, args: &[String]) -> Run<i32> {
    let rest = args.get(1..).unwrap_or_default();
    let Some(name) = rest.first() else { return Ok(0) };
    match super::find(name, state.dialect) {
        Some(run) => run(state, rest.to_vec()).await,
        None => {
            state.builtin_error(args, format!("{name}: not a shell builtin"));
            Ok(1)
        }
    }
}

pub(super) async fn command(state: &mut State, args: &[String]) -> Run<i32> {
    let mut describe = None;
    let mut rest = args.get(1..).unwrap_or_default();
    while let Some(option) = rest.first() {
        match option.as_str() {
            "-v" | "-V" => describe = Some(option == "-V"),
            "-p" => {}
            "--" => {
                rest = rest.get(1..).unwrap_or_default();
                break;
            }
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    if let Some(verbose) = describe {
        let mut code = 1;
        for name in rest {
            if verbose {
                let line = super::misc::describe(state, name);
                match line {
                    Some(line) => {
                        state.stdout.line(line);
                        code = 0;
                    }
                    None => state.builtin_error(args, format!("{name}: not found")),
                }
                continue;
            }
            if let Some(text) = state.aliases.get(name) {
                state.stdout.line(format!("alias {name}='{text}'"));
                code = 0;
            } else if super::misc::is_keyword(name)
                || state.functions.contains_key(name)
                || super::find(name, state.dialect).is_some()
            {
                state.stdout.line(name);
                code = 0;
            } else if let Ok(path) = state.host.find_path(name, &state.env(), &state.cwd) {
                state.stdout.line(path);
                code = 0;
            } else if state.dialect != super::Dialect::Bash {
                code = 127;
            }
        }
        return Ok(code);
    }
    let Some(name) = rest.first() else { return Ok(0) };
    match super::find(name, state.dialect) {
        Some(run) => run(state, rest.to_vec()).await,
        None => {
            let env = state.env();
            Ok(state.run_external(rest.to_vec(), env).await)
        }
    }
}

pub(super) async fn trap(state: &mut State, args: &[String]) -> Run<i32> {
    let mut rest = args.get(1..).unwrap_or_default();
    let mut code = 0;
    match rest.first().map(String::as_str) {
        Some("-l") => {
            super::jobs::list_signals(state);
            return Ok(0);
        }
        Some("--") => rest = rest.get(1..).unwrap_or_default(),
        Some("-p") | None => {
            let only: Vec<i32> = rest
                .get(1..)
                .unwrap_or_default()
                .iter()
                .filter_map(|s| signal_of(s))
                .collect();
            for (signal, action) in &state.traps {
                if only.is_empty() || only.contains(signal) {
                    let name = match signal {
                        0 => "EXIT".to_owned(),
                        &TRAP_ERR => "ERR".to_owned(),
                        &TRAP_DEBUG => "DEBUG".to_owned(),
                        &TRAP_RETURN => "RETURN".to_owned(),
                        n => format!("SIG{}", signal_name(*n).unwrap_or("?")),
                    };
                    state
                        .stdout
                        .line(format!("trap -- '{}' {name}", action.replace('\'', "'\\''")));
                }
            }
            return Ok(0);
        }
        _ => {}
    }
    let (action, signals) = match rest {
        [only] => (None, std::slice::from_ref(only)),
        [action, signals @ ..] if action == "-" => (None, signals),
        [action, signals @ ..] if !signals.is_empty() && action.parse::<u32>().is_err() => {
            (Some(action.clone()), signals)
        }
        signals => (None, signals),
    };
    for name in signals {
        let Some(signal) = signal_of(name).filter(|s| *s >= 0 || state.dialect == super::Dialect::Bash) else {
            state.builtin_error(args, format!("{name}: invalid signal specification"));
            code = 1;
            continue;
        };
        if let Some(depth) = state.trap_frames.get_mut(!signal as usize) {
            *depth = state.frames.len();
        }
        match &action {
            None => {
                state.traps.remove(&signal);
                if signal > 0 {
                    state.process.set_disposition(signal, None);
                }
            }
            Some(text) => {
                state.traps.insert(signal, text.clone());
                if signal > 0 {
                    let disposition = if text.is_empty() {
                        Disposition::Ignore
                    } else {
                        Disposition::Handle
                    };
                    state.process.set_disposition(signal, Some(disposition));
                }
            }
        }
    }
    Ok(code)
}

fn signal_of(name: &str) -> Option<i32> {
    match name.to_ascii_uppercase().as_str() {
        "EXIT" | "0" => Some(0),
        "ERR" => Some(TRAP_ERR),
        "DEBUG" => Some(TRAP_DEBUG),
        "RETURN" => Some(TRAP_RETURN),
        upper => signal_number(upper).filter(|n| SIGNALS.iter().any(|(_, s)| s == n)),
    }
}
