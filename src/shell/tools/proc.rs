//! Tools about processes, time and the machine: `sleep`, `timeout`, `xargs`, `env`, `ps`, `watch`, ….

use std::iter::once;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};

use super::super::builtins;
use super::super::files;
use super::super::host::{Context, Dialect, NoProgram, User};
use super::super::io::{Input, Output};
use super::super::process::{SIGKILL, SIGTERM, signal_name, signal_number};
use super::date::strftime;
use super::options;
use crate::limits;
use crate::value::float;

/// `5`, `0.5s`, `2m`, `1h`, `1d`, `infinity`.
fn duration(text: &str) -> Option<Duration> {
    if text == "infinity" || text == "inf" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    let (number, factor) = match text.chars().last()? {
        's' => (text.strip_suffix('s')?, 1.0),
        'm' => (text.strip_suffix('m')?, 60.0),
        'h' => (text.strip_suffix('h')?, 3_600.0),
        'd' => (text.strip_suffix('d')?, 86_400.0),
        _ => (text, 1.0),
    };
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let secs = float::parse(number)? * factor;
    Duration::try_from_secs_f64(secs.min(1e10)).ok()
}

pub(super) async fn sleep(c: Context) -> i32 {
    if c.rest().is_empty() {
        return options::usage(&c, "missing operand");
    }
    let mut total = Duration::ZERO;
    for text in c.rest() {
        match duration(text) {
            Some(d) => total += d,
            None => {
                return match c.host.dialect() {
                    Dialect::Busybox => {
                        c.error(format!("invalid number '{text}'"));
                        1
                    }
                    _ => options::usage(&c, &format!("invalid time interval ‘{text}’")),
                };
            }
        }
    }
    c.sim.sleep(total).await;
    0
}

/// The message and exit code of a program that a tool cannot start.
async fn start(c: &Context, args: &[String], env: Option<super::super::host::Env>, stdin: Option<Input>) -> i32 {
    let name = args.first().cloned().unwrap_or_default();
    let env = env.unwrap_or_else(|| c.env.clone());
    match c.host.find(&name, &env, &c.cwd) {
        Ok(program) => {
            let mut child = c.child(args);
            child.env = env;
            if let Some(stdin) = stdin {
                child.stdin = stdin;
            }
            program.run(child).await
        }
        Err(error) => {
            let tool = files::base_name(c.name());
            let (text, code) = match error {
                NoProgram::NotFound => ("No such file or directory", 127),
                _ => ("Permission denied", 126),
            };
            match tool {
                "nohup" => c.error(format!("failed to run command '{name}': {text}")),
                "timeout" | "nice" => {
                    c.error(format!("failed to run command ‘{name}’: {text}"));
                }
                "env" => c.error(format!("‘{name}’: {text}")),
                _ => c.error(format!("{name}: {text}")),
            }
            code
        }
    }
}

pub(super) async fn timeout(c: Context) -> i32 {
    let long = [
        ("signal", 's'),
        ("kill-after", 'k'),
        ("preserve-status", 'p'),
        ("foreground", 'f'),
        ("verbose", 'v'),
    ];
    let mut c = c;
    if c.host.dialect() == Dialect::Busybox && c.args.get(1).is_some_and(|a| a == "-t") {
        c.args.remove(1);
    }
    let o = match options::parse_until(&c, "s:k:pv f", &long, true) {
        Ok(o) => o,
        Err(_) => return 125,
    };
    let Some((limit, command)) = o.rest.split_first() else {
        c.stderr.line("Try 'timeout --help' for more information.");
        return 125;
    };
    let Some(limit) = duration(limit) else {
        options::usage(&c, &format!("invalid time interval ‘{limit}’"));
        return 125;
    };
    if command.is_empty() {
        options::usage(&c, "missing operand");
        return 125;
    }
    let signal = match o.value('s').map(signal_number) {
        None => SIGTERM,
        Some(Some(signal)) => signal,
        Some(None) => {
            let name = o.value('s').unwrap_or_default();
            options::usage(&c, &format!("‘{name}’: invalid signal"));
            return 125;
        }
    };
    let name = command.first().cloned().unwrap_or_default();
    let program = match c.host.find(&name, &c.env, &c.cwd) {
        Ok(program) => program,
        Err(error) => {
            let (text, code) = match error {
                NoProgram::NotFound => ("No such file or directory", 127),
                _ => ("Permission denied", 126),
            };
            c.error(format!("failed to run command ‘{name}’: {text}"));
            return code;
        }
    };
    let child = c.child(command);
    let process = child.process.clone();
    let running = program.run(child);
    if limit.is_zero() {
        return running.await;
    }
    match select(running, Box::pin(c.sim.sleep(limit))).await {
        Either::Left((code, _)) => code,
        Either::Right((_, running)) => {
            let kill = |signal: i32| {
                if o.has('v') {
                    let text = signal_name(signal).map_or(signal.to_string(), str::to_owned);
                    c.error(format!("sending signal {text} to command ‘{name}’"));
                }
                process.signal(signal);
            };
            kill(signal);
            if signal == SIGKILL {
                running.await;
                return 137;
            }
            let code = match o.value('k').and_then(duration) {
                None => running.await,
                Some(grace) => match select(running, Box::pin(c.sim.sleep(grace))).await {
                    Either::Left((code, _)) => code,
                    Either::Right((_, running)) => {
                        kill(SIGKILL);
                        running.await;
                        return 137;
                    }
                },
            };
            if o.has('p') {
                code
            } else if c.host.dialect() == Dialect::Busybox {
                143
            } else {
                124
            }
        }
    }
}

pub(super) async fn xargs(c: Context) -> i32 {
    let long = [
        ("max-args", 'n'),
        ("replace", 'I'),
        ("null", '0'),
        ("no-run-if-empty", 'r'),
        ("delimiter", 'd'),
        ("max-procs", 'P'),
        ("verbose", 't'),
        ("max-lines", 'L'),
    ];
    let o = match options::parse_until(&c, "n:I:0rd:P:tL:", &long, true) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let text = c.stdin.read_text().await;
    let replace = o.value('I').map(str::to_owned);
    let mut items: Vec<String> = Vec::new();
    if o.has('0') {
        items.extend(text.split('\0').filter(|t| !t.is_empty()).map(str::to_owned));
    } else if let Some(d) = o.value('d') {
        let d = String::from_utf8_lossy(&super::super::words::unescape(d, super::super::words::Escapes::Printf))
            .into_owned();
        let body = text.strip_suffix(&d).unwrap_or(&text);
        items.extend(body.split(d.as_str()).map(str::to_owned));
    } else if replace.is_some() {
        items.extend(
            text.lines()
                .map(|l| l.trim_start().to_owned())
                .filter(|l| !l.is_empty()),
        );
    } else if o.has('L') {
        items.extend(text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned));
    } else {
        let mut word = String::new();
        let mut inside = false;
        let mut chars = text.chars();
        while let Some(ch) = chars.next() {
            match ch {
                '\'' | '"' => {
                    inside = true;
                    let mut closed = false;
                    for q in chars.by_ref() {
                        if q == ch {
                            closed = true;
                            break;
                        }
                        if q == '\n' {
                            break;
                        }
                        word.push(q);
                    }
                    if !closed {
                        let kind = if ch == '"' { "double" } else { "single" };
                        c.error(format!("unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"));
                        return 1;
                    }
                }
                '\\' => {
                    inside = true;
                    word.extend(chars.next());
                }
                ch if ch.is_whitespace() => {
                    if inside {
                        items.push(std::mem::take(&mut word));
                        inside = false;
                    }
                }
                ch => {
                    inside = true;
                    word.push(ch);
                }
            }
        }
        if inside {
            items.push(word);
        }
    }
    let command = if o.rest.is_empty() {
        vec!["echo".to_owned()]
    } else {
        o.rest.clone()
    };
    let mut batches: Vec<Vec<String>> = Vec::new();
    if let Some(mark) = &replace {
        for item in &items {
            batches.push(command.iter().map(|w| w.replace(mark.as_str(), item)).collect());
        }
    } else {
        let size = match o.value('n').or(o.value('L')).map(str::parse::<usize>) {
            None => usize::MAX,
            Some(Ok(n)) if n > 0 => n,
            _ => {
                c.error("value for -n option should be >= 1");
                return 1;
            }
        };
        if items.is_empty() {
            if o.has('r') {
                return 0;
            }
            batches.push(command.clone());
        }
        for chunk in items.chunks(size.min(items.len().max(1))) {
            let mut words = command.clone();
            if o.has('L') {
                words.extend(chunk.iter().flat_map(|l| l.split_whitespace()).map(str::to_owned));
            } else {
                words.extend(chunk.iter().cloned());
            }
            batches.push(words);
        }
    }
    let at_once = match o.value('P').map_or(Ok(1), str::parse::<usize>) {
        Ok(0) => limits::SHELL_JOBS,
        Ok(n) => n.min(limits::SHELL_JOBS),
        Err(_) => {
            c.error(format!(
                "invalid number \"{}\" for -P option",
                o.value('P').unwrap_or_default()
            ));
            return 1;
        }
    };
    let (runs, c) = (o.has('t'), &c);
    let runs = futures::stream::iter(batches).map(|words| async move {
        if runs {
            c.stderr.line(words.join(" "));
        }
        (start(c, &words, None, Some(Input::empty())).await, words)
    });
    let mut runs = std::pin::pin!(runs.buffer_unordered(at_once));
    let mut code = 0;
    while let Some((ended, words)) = runs.next().await {
        match ended {
            0 => {}
            255 => {
                let name = words.first().cloned().unwrap_or_default();
                c.error(format!("{name}: exited with status 255; aborting"));
                return 124;
            }
            n @ (126 | 127) => return n,
            n if n > 128 => {
                let name = words.first().cloned().unwrap_or_default();
                c.error(format!("{name}: terminated by signal {}", n - 128));
                return 125;
            }
            _ => code = 123,
        }
    }
    code
}

pub(super) async fn env(c: Context) -> i32 {
    let o = match options::parse_until(
        &c,
        "iu:0",
        &[("ignore-environment", 'i'), ("unset", 'u'), ("null", '0')],
        true,
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut env = if o.has('i') { Default::default() } else { c.env.clone() };
    for name in o.values('u') {
        env.remove(&name);
    }
    let mut rest = o.rest.as_slice();
    while let Some((name, value)) = rest.first().and_then(|a| a.split_once('=')) {
        env.insert(name.to_owned(), value.to_owned());
        rest = rest.get(1..).unwrap_or_default();
    }
    if rest.is_empty() {
        let end = if o.has('0') { '\0' } else { '\n' };
        c.stdout.write(c.host.env_text(&env, end));
        return 0;
    }
    start(&c, rest, Some(env), None).await
}

pub(super) async fn printenv(c: Context) -> i32 {
    let names: Vec<&String> = c.rest().iter().filter(|a| !a.starts_with('-')).collect();
    if names.is_empty() {
        c.stdout.write(c.host.env_text(&c.env, '\n'));
        return 0;
    }
    let mut code = 0;
    for name in names {
        match c.env.get(name.as_str()) {
            Some(value) => {
                c.stdout.line(value);
            }
            None => code = 1,
        }
    }
    code
}

/// `nohup`, `nice`, `setsid`, `stdbuf`, `sudo`: run the command that follows their options.
pub(super) async fn wrapper(c: Context) -> i32 {
    let tool = files::base_name(c.name()).to_owned();
    let mut rest = c.rest();
    while let Some(arg) = rest.first() {
        if !arg.starts_with('-') || arg.len() < 2 {
            break;
        }
        let takes_value = matches!(
            (tool.as_str(), arg.as_str()),
            ("nice", "-n") | ("sudo", "-u" | "-g" | "-h")
        );
        rest = rest.get(1 + usize::from(takes_value)..).unwrap_or_default();
    }
    if rest.is_empty() {
        return match tool.as_str() {
            "nice" => {
                c.stdout.line("0");
                0
            }
            "sudo" => {
                c.stderr.line("usage: sudo [-u user] command [arg ...]");
                1
            }
            _ => options::usage(&c, "missing operand"),
        };
    }
    start(&c, rest, None, None).await
}

pub(super) async fn kill(c: Context) -> i32 {
    let mut signal = SIGTERM;
    let mut code = 0;
    let mut args = c.rest().iter().peekable();
    if let Some(first) = args.peek()
        && let Some(name) = first.strip_prefix('-')
    {
        let name = match name {
            "s" | "-signal" => {
                args.next();
                args.peek().map(|s| s.to_string()).unwrap_or_default()
            }
            name => name.to_owned(),
        };
        match signal_number(&name) {
            Some(n) => signal = n,
            None => {
                c.error(format!("invalid signal name: {name}"));
                return 1;
            }
        }
        args.next();
    }
    for arg in args {
        match arg.parse::<u32>().ok().and_then(|pid| c.host.processes().get(pid)) {
            Some(process) => process.signal_from_inside(signal),
            None => {
                c.error(format!("({arg}): No such process"));
                code = 1;
            }
        }
    }
    code
}

/// `pkill` and `killall`: by name; `pgrep` and `pidof` only list.
pub(super) async fn by_name(c: Context) -> i32 {
    let tool = files::base_name(c.name()).to_owned();
    let mut signal = SIGTERM;
    let mut names = Vec::new();
    let mut full = false;
    for arg in c.rest() {
        match arg.strip_prefix('-') {
            Some("f") => full = true,
            Some("l" | "a" | "x" | "q") => {}
            Some(name) => match signal_number(name) {
                Some(n) => signal = n,
                None => return options::usage(&c, &format!("invalid option -- '{name}'")),
            },
            None => names.push(arg.clone()),
        }
    }
    let mut found = false;
    for process in c.host.processes().list() {
        if process.pid() == c.process.pid() {
            continue;
        }
        let command = process.command();
        let program = files::base_name(command.split_whitespace().next().unwrap_or_default()).to_owned();
        let hit = names.iter().any(|n| {
            if full {
                command.contains(n.as_str())
            } else if tool == "killall" || tool == "pidof" {
                program == *n
            } else {
                program.contains(n.as_str())
            }
        });
        if !hit {
            continue;
        }
        found = true;
        if tool == "pgrep" || tool == "pidof" {
            c.stdout.line(process.pid().to_string());
        } else {
            process.signal_from_inside(signal);
        }
    }
    if !found && tool == "killall" {
        for name in &names {
            c.stderr.line(format!("{name}: no process found"));
        }
    }
    i32::from(!found)
}

pub(super) async fn ps(c: Context) -> i32 {
    let full = c.rest().iter().any(|a| a.contains('f'));
    // BSD's letters stand without a dash; processors' and memory's use is not measured by process.
    let by_user = c.rest().first().is_some_and(|a| !a.starts_with('-') && a.contains('u'))
        || c.rest().contains(&"-aux".to_owned());
    let now = c.sim.now();
    let user = c.accounts().user_or_number(c.host.user().uid);
    if c.host.dialect() == Dialect::Busybox {
        c.stdout.line("PID   USER     TIME  COMMAND");
        for p in c.host.processes().list() {
            c.stdout.line(format!("{:>5} {user:<8}  0:00 {}", p.pid(), p.command()));
        }
        return 0;
    }
    let short = |p: &super::super::process::Process| {
        let command = p.command();
        files::base_name(command.split_whitespace().next().unwrap_or_default()).to_owned()
    };
    let started = |p: &super::super::process::Process| {
        let day = now.since(p.started()).as_secs() >= 86_400;
        strftime(if day { "%b%d" } else { "%H:%M" }, p.started())
    };
    if by_user {
        c.stdout
            .line("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND");
        for p in c.host.processes().list() {
            let state = if p.pid() == c.process.pid() { "R" } else { "Ss" };
            c.stdout.line(format!(
                "{user:<8} {:>7}  0.0  0.0   4624  3712 ?        {state:<4} {}   0:00 {}",
                p.pid(),
                started(&p),
                p.command()
            ));
        }
    } else if full {
        c.stdout.line("UID          PID    PPID  C STIME TTY          TIME CMD");
        for p in c.host.processes().list() {
            let started = started(&p);
            c.stdout.line(format!(
                "{user:<8} {:>7} {:>7}  0 {started} pts/0    00:00:00 {}",
                p.pid(),
                p.parent(),
                p.command()
            ));
        }
    } else {
        c.stdout.line("    PID TTY          TIME CMD");
        for p in c.host.processes().list() {
            c.stdout.line(format!("{:>7} pts/0    00:00:00 {}", p.pid(), short(&p)));
        }
    }
    0
}

pub(super) async fn which(c: Context) -> i32 {
    let mut code = 0;
    for name in c.rest().iter().filter(|a| !a.starts_with('-')) {
        match c.host.find_path(name, &c.env, &c.cwd) {
            Ok(path) => {
                c.stdout.line(path);
            }
            Err(_) => code = 1,
        }
    }
    code
}

pub(super) async fn seq(c: Context) -> i32 {
    let mut separator = "\n".to_owned();
    let mut equal = false;
    let mut format: Option<String> = None;
    let mut numbers: Vec<String> = Vec::new();
    let mut args = c.rest().iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-s" => separator = args.next().cloned().unwrap_or_default(),
            "-f" => format = args.next().cloned(),
            "-w" => equal = true,
            a if a.starts_with("-s") && a.len() > 2 => separator = a.get(2..).unwrap_or_default().to_owned(),
            a if a.starts_with('-') && !a.chars().nth(1).is_some_and(|c| c.is_ascii_digit() || c == '.') => {
                return options::usage(&c, &format!("invalid option -- '{}'", a.trim_start_matches('-')));
            }
            _ => numbers.push(arg.clone()),
        }
    }
    let separator = String::from_utf8_lossy(&super::super::words::unescape(
        &separator,
        super::super::words::Escapes::Printf,
    ))
    .into_owned();
    let mut parsed = Vec::new();
    for text in &numbers {
        match float::parse(text) {
            Some(n) if n.is_finite() => parsed.push(n),
            _ => return options::usage(&c, &format!("invalid floating point argument: ‘{text}’")),
        }
    }
    let (first, step, last) = match parsed.as_slice() {
        [last] => (1.0, 1.0, *last),
        [first, last] => (*first, 1.0, *last),
        [first, step, last] => (*first, *step, *last),
        [] => return options::usage(&c, "missing operand"),
        _ => return options::usage(&c, &format!("extra operand ‘{}’", numbers.get(3).map_or("", |n| n))),
    };
    if step == 0.0 {
        let shown = numbers.get(1).cloned().unwrap_or_default();
        return options::usage(&c, &format!("invalid Zero increment value: ‘{shown}’"));
    }
    let decimals = numbers
        .iter()
        .take(numbers.len().max(2) - 1)
        .map(|n| n.split_once('.').map_or(0, |(_, d)| d.len()))
        .max()
        .unwrap_or(0);
    let decimals = if numbers.len() == 1 { 0 } else { decimals };
    let width = if equal {
        [first, last]
            .iter()
            .map(|n| format!("{n:.decimals$}").len())
            .max()
            .unwrap_or(0)
    } else {
        0
    };
    let count = ((last - first) / step + 1e-9).floor();
    if count < 0.0 {
        return 0;
    }
    let mut i = 0.0;
    while i <= count {
        let n = first + i * step;
        let text = match &format {
            Some(f) => {
                let (bytes, _) = super::printf::format(f, &[n.to_string()], c.sim.now());
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => format!("{n:0width$.decimals$}"),
        };
        let end = if i + 1.0 > count { "\n" } else { &separator };
        if !c.stdout.write(text + end) {
            return 1;
        }
        c.stdout.ready().await;
        i += 1.0;
    }
    0
}

pub(super) async fn yes(c: Context) -> i32 {
    let line = if c.rest().is_empty() {
        "y".to_owned()
    } else {
        c.rest().join(" ")
    };
    let mut block = String::new();
    for _ in 0..50 {
        block.push_str(&line);
        block.push('\n');
    }
    while c.stdout.write(&block) {
        c.stdout.ready().await;
        // What it fills takes time, so that a reader that never reads does not stop the world.
        c.sim.sleep(Duration::from_millis(1)).await;
        c.host.spend(Duration::from_millis(1));
    }
    1
}

/// `clear`, `reset` and `tput clear`.
pub(super) async fn clear(c: Context) -> i32 {
    if files::base_name(c.name()) == "tput" {
        let size = c.stdout.terminal_size().unwrap_or_default();
        match c.arg(1) {
            Some("clear") => c.stdout.write("\x1b[H\x1b[2J"),
            Some("cols") => c.stdout.line(size.columns.to_string()),
            Some("lines") => c.stdout.line(size.rows.to_string()),
            Some("colors") => c.stdout.line("256"),
            Some("bold") => c.stdout.write("\x1b[1m"),
            Some("sgr0") => c.stdout.write("\x1b(B\x1b[m"),
            Some("setaf") => c.stdout.write(format!("\x1b[3{}m", c.arg(2).unwrap_or("7"))),
            _ => true,
        };
        return 0;
    }
    c.stdout.write("\x1b[H\x1b[2J\x1b[3J");
    0
}

/// Lines with the characters that differ from another text's marked.
fn differences(old: &str, lines: &[&str]) -> String {
    let mut out = String::new();
    let mut old = old.split('\n');
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let mut before = old.next().unwrap_or_default().chars();
        let mut marked = false;
        for ch in line.chars() {
            let differs = before.next().unwrap_or(' ') != ch;
            if differs != marked {
                out.push_str(if differs { "\x1b[7m" } else { "\x1b[27m" });
                marked = differs;
            }
            out.push(ch);
        }
        if marked {
            out.push_str("\x1b[27m");
        }
    }
    out
}

pub(super) async fn watch(c: Context) -> i32 {
    let long = [
        ("interval", 'n'),
        ("no-title", 't'),
        ("differences", 'd'),
        ("exec", 'x'),
        ("errexit", 'e'),
        ("chgexit", 'g'),
        ("color", 'c'),
        ("beep", 'b'),
    ];
    let o = match options::parse_until(&c, "n:td?xegb c", &long, true) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        c.stderr.line("Usage:\n watch [options] command");
        return 1;
    }
    let interval = match o.value('n') {
        None => 2.0,
        Some(text) => match float::parse(&text.replace(',', ".")) {
            Some(n) if n.is_finite() => n.clamp(0.1, 2_678_400.0),
            _ => {
                c.error(format!("failed to parse argument: '{text}'"));
                return 1;
            }
        },
    };
    let command = o.rest.join(" ");
    let mut before: Option<Vec<u8>> = None;
    let mut seen: Option<String> = None;
    loop {
        let (output, buffer) = Output::buffer();
        let mut child = c.clone();
        child.stdin = Input::empty();
        child.stdout = output.clone();
        child.stderr = output;
        let code = if o.has('x') {
            child.run(&o.rest).await.unwrap_or(127)
        } else {
            child.run_source("sh", &command).await
        };
        let bytes = std::mem::take(&mut *buffer.borrow_mut());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let size = c.stdout.terminal_size();
        let mut screen = String::new();
        if size.is_some() {
            screen.push_str("\x1b[H\x1b[2J");
        }
        let mut rows = size.map_or(usize::MAX, |s| usize::from(s.rows));
        if !o.has('t') {
            let right = format!("{}: {}", c.host.name(), strftime("%a %b %e %H:%M:%S %Y", c.sim.now()));
            let left = format!("Every {interval:.1}s: {command}");
            let width = size.map_or(80, |s| usize::from(s.columns));
            let room = width.saturating_sub(right.chars().count() + 1);
            let left: String = left.chars().take(room).collect();
            screen.push_str(&format!("{left:<room$} {right}\n\n"));
            rows = rows.saturating_sub(2);
        }
        let lines: Vec<&str> = text.lines().take(rows).collect();
        match seen.as_ref().filter(|_| o.has('d') && size.is_some()) {
            Some(seen) => screen.push_str(&differences(seen, &lines)),
            None => screen.push_str(&lines.join("\n")),
        }
        // `-d=cumulative` marks whatever has ever differed from the first time.
        if o.value('d').is_none_or(str::is_empty) || seen.is_none() {
            seen = Some(lines.join("\n"));
        }
        if o.has('b') && code != 0 {
            screen.push('\x07');
        }
        if size.is_none() {
            screen.push('\n');
        }
        c.stdout.write(screen);
        if o.has('e') && code != 0 {
            return 8;
        }
        if o.has('g') && before.as_ref().is_some_and(|b| *b != bytes) {
            return 0;
        }
        before = Some(bytes);
        c.sim.sleep(Duration::from_secs_f64(interval)).await;
    }
}

pub(super) async fn hostname(c: Context) -> i32 {
    let name = c.host.name();
    match c.arg(1) {
        Some("-s") => c.stdout.line(name.split('.').next().unwrap_or_default()),
        Some("-f") => {
            let hosts = c.files.read_text("/etc/hosts").unwrap_or_default();
            let full = hosts
                .lines()
                .map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>())
                .find(|names| names.contains(&name.as_str()))
                .and_then(|names| names.first().map(|n| (*n).to_owned()));
            c.stdout.line(full.unwrap_or(name))
        }
        Some("-i" | "-I") => {
            // The address stands in the machine's /etc/hosts.
            let hosts = c.files.read_text("/etc/hosts").unwrap_or_default();
            let address = hosts
                .lines()
                .find(|l| l.split_whitespace().skip(1).any(|n| n == name))
                .and_then(|l| l.split_whitespace().next())
                .unwrap_or("127.0.0.1")
                .to_owned();
            c.stdout.line(address)
        }
        Some(new) if !new.starts_with('-') => {
            c.error("you must be root to change the host name");
            return 1;
        }
        _ => c.stdout.line(name),
    };
    0
}

pub(super) async fn uname(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "asnrvmpio",
        &[("all", 'a'), ("kernel-release", 'r'), ("machine", 'm')],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let all = [
        ('s', "Linux".to_owned()),
        ('n', c.host.name()),
        ('r', "6.1.0-41-amd64".to_owned()),
        ('v', "#1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1 (2025-11-09)".to_owned()),
        ('m', "x86_64".to_owned()),
        ('p', "unknown".to_owned()),
        ('i', "unknown".to_owned()),
        ('o', "GNU/Linux".to_owned()),
    ];
    let wanted: Vec<&str> = all
        .iter()
        .filter(|(l, t)| o.has('a') && t != "unknown" || o.has(*l) || (o.flags.is_empty() && *l == 's'))
        .map(|(_, t)| t.as_str())
        .collect();
    c.stdout.line(wanted.join(" "));
    0
}

pub(super) async fn id(c: Context) -> i32 {
    let accounts = c.accounts();
    let mut user = c.host.user();
    if let Some(name) = c.rest().iter().find(|word| !word.starts_with('-')) {
        let Some((uid, gid)) = accounts.ids(name) else {
            c.error(match c.host.dialect() {
                Dialect::Busybox => format!("unknown user {name}"),
                _ => format!("‘{name}’: no such user"),
            });
            return 1;
        };
        let others = accounts.groups_with(name).filter(|other| *other != gid);
        user = User {
            uid,
            gid,
            groups: once(gid).chain(others).collect(),
            ..user
        };
    }
    let full = |id: i64, name: Option<&str>| match name {
        Some(name) => format!("{id}({name})"),
        None => id.to_string(),
    };
    let groups = user.all_groups();
    let joined = |each: &dyn Fn(i64) -> String, between: &str| {
        let all: Vec<String> = groups.iter().map(|id| each(*id)).collect();
        all.join(between)
    };
    let text = match c.arg(1) {
        Some("-u") => user.uid.to_string(),
        Some("-g") => user.gid.to_string(),
        Some("-un" | "-nu") => accounts.user_or_number(user.uid),
        Some("-gn" | "-ng") => accounts.group_or_number(user.gid),
        Some("-G") => joined(&|id| id.to_string(), " "),
        Some("-Gn" | "-nG") => accounts.names_of_groups(&groups),
        _ => {
            let groups = joined(&|id| full(id, accounts.group(id)), ",");
            let uid = full(user.uid, accounts.user(user.uid));
            let gid = full(user.gid, accounts.group(user.gid));
            format!("uid={uid} gid={gid} groups={groups}")
        }
    };
    c.stdout.line(text);
    0
}

pub(super) async fn whoami(c: Context) -> i32 {
    let uid = c.host.user().uid;
    if let Some(name) = c.accounts().user(uid) {
        c.stdout.line(name);
        return 0;
    }
    c.error(match c.host.dialect() {
        Dialect::Busybox => format!("unknown uid {uid}"),
        _ => format!("cannot find name for user ID {uid}"),
    });
    1
}

pub(super) async fn nproc(c: Context) -> i32 {
    c.stdout.line("2");
    0
}

pub(super) async fn uptime(c: Context) -> i32 {
    c.stdout.line(format!(
        " {} up 1 day,  0:00,  1 user,  load average: 0.00, 0.00, 0.00",
        strftime("%H:%M:%S", c.sim.now())
    ));
    0
}

pub(super) async fn echo(c: Context) -> i32 {
    c.stdout.write(builtins::echo_bytes(c.rest(), false, true));
    0
}

pub(super) async fn test(c: Context) -> i32 {
    let mut rest = c.rest();
    if files::base_name(c.name()) == "[" {
        match rest.split_last() {
            Some((last, init)) if last == "]" => rest = init,
            _ => {
                c.error("missing ']'");
                return 2;
            }
        }
    }
    let world = builtins::test::World {
        files: &c.files,
        cwd: &c.cwd,
        terminals: [c.stdin.is_terminal(), c.stdout.is_terminal(), c.stderr.is_terminal()],
    };
    match builtins::test::evaluate(rest, &world) {
        Ok(truth) => i32::from(!truth),
        Err(message) => {
            c.error(message);
            2
        }
    }
}

/// `expr`: arithmetic, comparisons, `:` and the string functions.
pub(super) async fn expr(c: Context) -> i32 {
    struct Parser<'a> {
        args: &'a [String],
        at: usize,
        depth: usize,
    }
    impl Parser<'_> {
        fn peek(&self) -> Option<&str> {
            self.args.get(self.at).map(String::as_str)
        }
        fn level(&mut self, n: usize) -> Result<String, String> {
            const LEVELS: &[&[&str]] = &[
                &["|"],
                &["&"],
                &["<", "<=", "=", "==", "!=", ">=", ">"],
                &["+", "-"],
                &["*", "/", "%"],
                &[":"],
            ];
            let Some(ops) = LEVELS.get(n) else {
                return self.primary();
            };
            let mut left = self.level(n + 1)?;
            while let Some(op) = self.peek().filter(|o| ops.contains(o)).map(str::to_owned) {
                self.at += 1;
                let right = self.level(n + 1)?;
                left = apply(&left, &op, &right)?;
            }
            Ok(left)
        }
        fn primary(&mut self) -> Result<String, String> {
            let Some(word) = self.peek().map(str::to_owned) else {
                let last = self.args.last().cloned().unwrap_or_default();
                return Err(format!("syntax error: missing argument after ‘{last}’"));
            };
            self.at += 1;
            self.depth += 1;
            if self.depth > limits::SHELL_DEPTH {
                return Err("expression too deep".to_owned());
            }
            let value = match word.as_str() {
                "(" => {
                    let value = self.level(0)?;
                    if self.peek() != Some(")") {
                        return Err("syntax error: expecting ')'".to_owned());
                    }
                    self.at += 1;
                    value
                }
                "length" => self.primary()?.chars().count().to_string(),
                "substr" => {
                    let (text, from, count) = (self.primary()?, self.primary()?, self.primary()?);
                    let from: usize = from.parse().unwrap_or(0);
                    let count: usize = count.parse().unwrap_or(0);
                    if from == 0 {
                        String::new()
                    } else {
                        text.chars().skip(from - 1).take(count).collect()
                    }
                }
                "index" => {
                    let (text, set) = (self.primary()?, self.primary()?);
                    text.chars()
                        .position(|ch| set.contains(ch))
                        .map_or(0, |i| i + 1)
                        .to_string()
                }
                _ => word,
            };
            self.depth -= 1;
            Ok(value)
        }
    }
    fn apply(a: &str, op: &str, b: &str) -> Result<String, String> {
        let null = |t: &str| t.is_empty() || t.parse::<i64>() == Ok(0);
        let number = |t: &str| t.parse::<i64>().map_err(|_| "non-integer argument".to_owned());
        let truth = |b: bool| if b { "1" } else { "0" }.to_owned();
        Ok(match op {
            "|" => {
                if !null(a) {
                    a.to_owned()
                } else if !null(b) {
                    b.to_owned()
                } else {
                    "0".to_owned()
                }
            }
            "&" => {
                if null(a) || null(b) {
                    "0".to_owned()
                } else {
                    a.to_owned()
                }
            }
            ":" => {
                let regex = super::super::regex::Regex::new(&format!("^\\({b}\\)"), false, false)?;
                match regex.groups_at(a, 0) {
                    None => {
                        if b.contains("\\(") {
                            String::new()
                        } else {
                            "0".to_owned()
                        }
                    }
                    Some(groups) => match groups.get(2) {
                        Some(group) => group.and_then(|(x, y)| a.get(x..y)).unwrap_or_default().to_owned(),
                        None => {
                            let (x, y) = groups.first().copied().flatten().unwrap_or((0, 0));
                            a.get(x..y).unwrap_or_default().chars().count().to_string()
                        }
                    },
                }
            }
            "+" | "-" | "*" | "/" | "%" => {
                let (x, y) = (number(a)?, number(b)?);
                if y == 0 && (op == "/" || op == "%") {
                    return Err("division by zero".to_owned());
                }
                match op {
                    "+" => x.wrapping_add(y),
                    "-" => x.wrapping_sub(y),
                    "*" => x.wrapping_mul(y),
                    "/" => x.wrapping_div(y),
                    _ => x.wrapping_rem(y),
                }
                .to_string()
            }
            op => {
                let order = match (a.parse::<i64>(), b.parse::<i64>()) {
                    (Ok(x), Ok(y)) => x.cmp(&y),
                    _ => a.cmp(b),
                };
                truth(match op {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    ">=" => order.is_ge(),
                    "!=" => order.is_ne(),
                    _ => order.is_eq(),
                })
            }
        })
    }
    if c.rest().is_empty() {
        return options::usage(&c, "missing operand").max(2);
    }
    let mut parser = Parser {
        args: c.rest(),
        at: 0,
        depth: 0,
    };
    let value = parser.level(0).and_then(|v| {
        if parser.at < parser.args.len() {
            Err(format!(
                "syntax error: unexpected argument ‘{}’",
                parser.peek().unwrap_or_default()
            ))
        } else {
            Ok(v)
        }
    });
    match value {
        Ok(value) => {
            let zero = value.is_empty() || value.parse::<i64>() == Ok(0);
            c.stdout.line(value);
            i32::from(zero)
        }
        Err(message) => {
            c.error(message);
            2
        }
    }
}

/// `vim`, `vi`, `nano`: open the terminal's editor on a file.
pub(super) async fn editor(c: Context) -> i32 {
    let name = files::base_name(c.name()).to_owned();
    let path = c.rest().iter().find(|a| !a.starts_with(['-', '+'])).cloned();
    let Some(editor) = c.host.editor() else {
        c.error("there is no editor at this terminal; write the file with cat > FILE <<EOF");
        return 1;
    };
    let Some(path) = path else {
        c.error(format!("name the file to edit: {name} FILE"));
        return 1;
    };
    let full = files::join(&c.cwd, &path);
    if c.files.is_dir(&full) {
        c.error(format!("{path}: Is a directory"));
        return 1;
    }
    editor(full).await
}
