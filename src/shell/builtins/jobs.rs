//! Background jobs: `jobs`, `wait`, `kill`, `fg`.

use futures::future::{Either, select};

use super::super::process::{SIGNALS, SIGTERM, signal_name, signal_number};
use super::super::state::{Run, State};

/// How a job stands, as `jobs` words it.
fn status_text(code: Option<i32>) -> String {
    match code {
        None => "Running".to_owned(),
        Some(0) => "Done".to_owned(),
        Some(code) if code > 128 => match code - 128 {
            2 => "Interrupt".to_owned(),
            9 => "Killed".to_owned(),
            13 => "Broken pipe".to_owned(),
            15 => "Terminated".to_owned(),
            n if signal_name(n).is_some() => format!("SIG{}", signal_name(n).unwrap_or("")),
            _ => format!("Exit {code}"),
        },
        Some(code) => format!("Exit {code}"),
    }
}

fn mark(index: usize, count: usize) -> char {
    match count - index {
        1 => '+',
        2 => '-',
        _ => ' ',
    }
}

fn lines(state: &State, running: bool, ended: bool) -> Vec<String> {
    let count = state.jobs.len();
    state
        .jobs
        .iter()
        .enumerate()
        .filter(|(_, j)| if j.done.get().is_some() { ended } else { running })
        .map(|(i, job)| {
            let and = if job.done.get().is_none() { " &" } else { "" };
            format!(
                "[{}]{}  {:<24}{}{and}",
                job.id,
                mark(i, count),
                status_text(job.done.get()),
                job.text
            )
        })
        .collect()
}

/// Lines about jobs that have ended; they are forgotten.
pub(in super::super) fn take_reports(state: &mut State) -> Vec<String> {
    let reports = lines(state, false, true);
    state.jobs.retain(|j| j.done.get().is_none());
    reports
}

pub(super) async fn jobs(state: &mut State, args: &[String]) -> Run<i32> {
    if args.iter().any(|a| a == "-p") {
        for job in &state.jobs {
            state.stdout.line(job.process.pid().to_string());
        }
        return Ok(0);
    }
    for line in lines(state, true, true) {
        state.stdout.line(line);
    }
    state.jobs.retain(|j| j.done.get().is_none());
    Ok(0)
}

/// The index of the job that `%1`, `%+` or a process number means.
fn find_job(state: &State, spec: &str) -> Option<usize> {
    if let Some(spec) = spec.strip_prefix('%') {
        return match spec {
            "" | "+" | "%" => state.jobs.len().checked_sub(1),
            "-" => state.jobs.len().checked_sub(2),
            spec => match spec.parse::<usize>() {
                Ok(id) => state.jobs.iter().position(|j| j.id == id),
                Err(_) => state.jobs.iter().position(|j| j.text.starts_with(spec)),
            },
        };
    }
    let pid: u32 = spec.parse().ok()?;
    state.jobs.iter().position(|j| j.process.pid() == pid)
}

pub(super) async fn wait(state: &mut State, args: &[String]) -> Run<i32> {
    let specs: Vec<String> = args.iter().skip(1).filter(|a| !a.starts_with('-')).cloned().collect();
    let any = args.iter().any(|a| a == "-n");
    let mut indexes = Vec::new();
    let mut code = 0;
    if specs.is_empty() {
        indexes = (0..state.jobs.len()).collect();
    }
    for spec in &specs {
        match find_job(state, spec) {
            Some(index) => indexes.push(index),
            None => {
                if spec.starts_with('%') {
                    state.builtin_error(args, format!("{spec}: no such job"));
                } else if spec.parse::<u32>().is_ok() {
                    state.builtin_error(args, format!("pid {spec} is not a child of this shell"));
                } else {
                    state.builtin_error(args, format!("`{spec}': not a pid or valid job spec"));
                }
                code = 127;
            }
        }
    }
    let waited: Vec<_> = indexes
        .iter()
        .filter_map(|i| state.jobs.get(*i))
        .map(|j| (j.id, j.done.clone()))
        .collect();
    if any {
        if waited.is_empty() {
            return Ok(127);
        }
        let all = waited.iter().map(|(_, d)| Box::pin(d.wait()));
        let (code, index, _) = futures::future::select_all(all).await;
        let id = waited.get(index).map(|(id, _)| *id);
        state.jobs.retain(|j| Some(j.id) != id);
        return Ok(code);
    }
    for (id, done) in waited {
        let process = state.process.clone();
        let ended = {
            let interrupted = Box::pin(process.wait_signal());
            match select(Box::pin(done.wait()), interrupted).await {
                Either::Left((job, _)) => Some(job),
                Either::Right(_) => None,
            }
        };
        match ended {
            Some(job) => {
                if !specs.is_empty() {
                    code = job;
                }
                state
                    .jobs
                    .retain(|j| j.id != id || (state.interactive && specs.is_empty()));
            }
            None => {
                // A trapped signal ends the waiting; its trap runs at once.
                let signal = process.disposition(SIGTERM).map_or(0, |_| SIGTERM);
                state.run_traps().await?;
                return Ok(128 + signal);
            }
        }
    }
    Ok(code)
}

pub(super) fn list_signals(state: &State) {
    let mut line = String::new();
    for (i, (name, number)) in SIGNALS.iter().enumerate() {
        line.push_str(&format!("{number:>2}) SIG{name}"));
        if i % 5 == 4 {
            state.stdout.line(std::mem::take(&mut line));
        } else {
            line.push('\t');
        }
    }
    if !line.is_empty() {
        state.stdout.line(line.trim_end());
    }
}

pub(super) async fn kill(state: &mut State, args: &[String]) -> Run<i32> {
    let mut signal = SIGTERM;
    let mut rest = args.get(1..).unwrap_or_default();
    let usage = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]";
    match rest.first().map(String::as_str) {
        None => {
            state.stderr.line(usage);
            return Ok(2);
        }
        Some("-l" | "-L") => {
            match rest.get(1) {
                None => list_signals(state),
                Some(name) => match name.parse::<i32>() {
                    Ok(n) => {
                        let n = if n > 128 { n - 128 } else { n };
                        match signal_name(n) {
                            Some(name) => {
                                state.stdout.line(name);
                            }
                            None => {
                                state.builtin_error(args, format!("{name}: invalid signal specification"));
                                return Ok(1);
                            }
                        }
                    }
                    Err(_) => match signal_number(name) {
                        Some(n) => {
                            state.stdout.line(n.to_string());
                        }
                        None => {
                            state.builtin_error(args, format!("{name}: invalid signal specification"));
                            return Ok(1);
                        }
                    },
                },
            }
            return Ok(0);
        }
        Some("-s" | "-n") => {
            let name = rest.get(1).cloned().unwrap_or_default();
            match signal_number(&name) {
                Some(n) => signal = n,
                None => {
                    state.builtin_error(args, format!("{name}: invalid signal specification"));
                    return Ok(1);
                }
            }
            rest = rest.get(2..).unwrap_or_default();
        }
        Some("--") => rest = rest.get(1..).unwrap_or_default(),
        Some(option) if option.starts_with('-') && option.len() > 1 => {
            let name = option.get(1..).unwrap_or_default();
            match signal_number(name) {
                Some(n) => signal = n,
                None => {
                    state.builtin_error(args, format!("{name}: invalid signal specification"));
                    return Ok(1);
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        Some(_) => {}
    }
    if rest.is_empty() {
        state.stderr.line(usage);
        return Ok(2);
    }
    let mut code = 0;
    for spec in rest {
        let process = if spec.starts_with('%') {
            match find_job(state, spec).and_then(|i| state.jobs.get(i)) {
                Some(job) => Some(job.process.clone()),
                None => {
                    state.builtin_error(args, format!("{spec}: no such job"));
                    code = 1;
                    continue;
                }
            }
        } else {
            match spec.parse::<i64>() {
                Ok(pid) => u32::try_from(pid.unsigned_abs())
                    .ok()
                    .and_then(|p| state.host.processes().get(p)),
                Err(_) => {
                    state.builtin_error(args, format!("{spec}: arguments must be process or job IDs"));
                    code = 1;
                    continue;
                }
            }
        };
        let Some(process) = process else {
            state.builtin_error(args, format!("({spec}) - No such process"));
            code = 1;
            continue;
        };
        process.signal_from_inside(signal);
    }
    if state.process.has_signal() {
        state.run_traps().await?;
    }
    Ok(code)
}

pub(super) async fn foreground(state: &mut State, args: &[String]) -> Run<i32> {
    let spec = args.get(1).map_or("%+", String::as_str).to_owned();
    let spec = if spec.starts_with('%') {
        spec
    } else {
        format!("%{spec}")
    };
    let Some(job) = find_job(state, &spec).and_then(|i| state.jobs.get(i)) else {
        let shown = if args.len() > 1 {
            spec.trim_start_matches('%').to_owned()
        } else {
            "current".to_owned()
        };
        let none = if state.interactive {
            format!("{shown}: no such job")
        } else {
            "no job control".to_owned()
        };
        state.builtin_error(args, none);
        return Ok(1);
    };
    state.stdout.line(&job.text);
    let (id, done, process) = (job.id, job.done.clone(), job.process.clone());
    // Ctrl-C while it is in the foreground ends it.
    struct Interrupt(Option<super::super::process::Process>);
    impl Drop for Interrupt {
        fn drop(&mut self) {
            if let Some(process) = &self.0 {
                process.signal(super::super::process::SIGINT);
            }
        }
    }
    let mut interrupt = Interrupt(Some(process));
    let code = done.wait().await;
    interrupt.0 = None;
    state.jobs.retain(|j| j.id != id);
    Ok(code)
}

pub(super) async fn background(state: &mut State, args: &[String]) -> Run<i32> {
    let spec = args.get(1).map_or("%+", String::as_str);
    match find_job(state, spec).and_then(|i| state.jobs.get(i)) {
        Some(job) => {
            state.builtin_error(args, format!("job {} already in background", job.id));
            Ok(0)
        }
        None => {
            state.builtin_error(args, "current: no such job");
            Ok(1)
        }
    }
}

pub(super) async fn disown(state: &mut State, args: &[String]) -> Run<i32> {
    let all = args.iter().any(|a| a == "-a");
    let index = match args.iter().skip(1).find(|a| !a.starts_with('-')) {
        Some(spec) => find_job(state, spec),
        None => state.jobs.len().checked_sub(1),
    };
    if all {
        for mut job in state.jobs.drain(..) {
            job.guard.release();
        }
        return Ok(0);
    }
    match index {
        Some(index) if index < state.jobs.len() => {
            let mut job = state.jobs.remove(index);
            job.guard.release();
            Ok(0)
        }
        _ => {
            state.builtin_error(args, "current: no such job");
            Ok(1)
        }
    }
}
