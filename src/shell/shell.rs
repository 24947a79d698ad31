//! [`Shell`]: the interpreter's handle, for terminals, scenarios and containers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::accounts::Accounts;
use super::files;
use super::host::{Context, Env, Host};
use super::io::{Input, Output};
use super::process::Process;
use super::state::{Content, Flow, State, Var};

/// How a shell begins.
#[derive(Clone, Debug)]
pub struct ShellOptions {
    /// `$0`, which stands before error messages: `bash`, `-bash`, `sh`.
    pub name: String,
    /// `$1`, `$2`, ….
    pub args: Vec<String>,
    /// The environment: exported variables.
    pub env: Env,
    /// The working directory.
    pub cwd: String,
    /// Whether a person types at it: aliases are expanded, messages have no line numbers, jobs are
    /// announced.
    pub interactive: bool,
    /// Whether its sources come as with `-c`, which errors of syntax tell.
    pub from_c: bool,
}

impl Default for ShellOptions {
    fn default() -> ShellOptions {
        ShellOptions {
            name: "bash".to_owned(),
            args: Vec::new(),
            env: default_env(),
            cwd: "/root".to_owned(),
            interactive: false,
            from_c: true,
        }
    }
}

/// The environment of root at a host's console.
pub fn default_env() -> Env {
    [
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("LOGNAME", "root"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("SHELL", "/bin/bash"),
        ("TERM", "xterm-256color"),
        ("USER", "root"),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .collect()
}

type Slot = Rc<RefCell<Option<Box<State>>>>;

/// A shell. Clones are handles to the same one.
#[derive(Clone)]
pub struct Shell {
    state: Slot,
    host: Host,
    process: Process,
    exited: Rc<Cell<Option<i32>>>,
}

/// The state while a source runs; put back when the run ends or is dropped.
struct Taken {
    state: Option<Box<State>>,
    slot: Slot,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take() {
            // What a dropped run had changed for a while.
            state.frames_unwind();
            state.stdin = Input::empty();
            state.stdout = Output::null();
            state.stderr = Output::null();
            state.fds = Rc::default();
            *self.slot.borrow_mut() = Some(state);
        }
    }
}

impl State {
    fn frames_unwind(&mut self) {
        while !self.frames.is_empty() {
            self.pop_frame();
        }
        self.loops = 0;
        self.conditions = 0;
        self.sources = 0;
        self.in_trap = false;
        self.substitutions.clear();
    }

    fn begin(&mut self, options: &ShellOptions) {
        for (name, value) in &options.env {
            let var = Var {
                content: Some(Content::Text(value.clone())),
                exported: true,
                ..Var::default()
            };
            self.vars.insert(name.clone(), var);
        }
        self.args = options.args.clone();
        self.cwd = options.cwd.clone();
        self.interactive = options.interactive;
        self.options.aliases = options.interactive;
        self.from_c = options.from_c;
        let _ = self.set("PWD", options.cwd.clone());
        if let Some(var) = self.vars.get_mut("PWD") {
            var.exported = true;
        }
    }
}

impl Shell {
    /// A shell on a host.
    pub fn new(host: &Host, options: ShellOptions) -> Shell {
        let process = host.start_process(&options.name, 0);
        let mut state = State::new(host, process.clone(), &options.name);
        state.begin(&options);
        Shell {
            state: Rc::new(RefCell::new(Some(Box::new(state)))),
            host: host.clone(),
            process,
            exited: Rc::default(),
        }
    }

    /// Runs a source. The future is the exit code; dropping it ends everything that it runs, as
    /// Ctrl-C does ([`Shell::interrupted`] then sets `$?`). Only one source runs at a time.
    pub fn run(&self, source: &str, stdin: Input, stdout: Output, stderr: Output) -> LocalBoxFuture<'static, i32> {
        let shell = self.clone();
        let source = source.to_owned();
        async move {
            let state = shell.state.borrow_mut().take();
            let Some(mut state) = state else {
                stderr.line("bash: this shell is still running another command");
                return 1;
            };
            state.stdin = stdin;
            state.stdout = stdout.for_process(&shell.process);
            state.stderr = stderr.for_process(&shell.process);
            let mut taken = Taken {
                state: Some(state),
                slot: shell.state.clone(),
            };
            let Some(state) = taken.state.as_mut() else { return 1 };
            let result = state.run_source(&source).await;
            let code = match result {
                Ok(code) => code,
                Err(Flow::Exit(code)) => {
                    shell.exited.set(Some(code));
                    code
                }
                Err(Flow::Abort(code) | Flow::Return(code)) => code,
                Err(Flow::TooDeep) => 1,
                Err(Flow::Break(_) | Flow::Continue(_)) => state.last,
            };
            state.last = code;
            code
        }
        .boxed_local()
    }

    /// Runs the EXIT trap and gives the final exit code: the end of a script's shell.
    pub fn finish(&self, stdout: Output, stderr: Output) -> LocalBoxFuture<'static, i32> {
        let action = self.with(|s| s.traps.remove(&0)).flatten().unwrap_or_default();
        let code = self.last_code();
        let run = self.run(&action, Input::empty(), stdout, stderr);
        let shell = self.clone();
        async move {
            if !action.is_empty() {
                shell.exited.set(None);
                run.await;
            }
            shell.exited.get().unwrap_or(code)
        }
        .boxed_local()
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> Option<T> {
        self.state.borrow_mut().as_mut().map(|s| f(s))
    }

    /// The machine it runs on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its process, to signal it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Whether a source runs now.
    pub fn is_busy(&self) -> bool {
        self.state.borrow().is_none()
    }

    /// The code of `exit`, when one ended the shell.
    pub fn exited(&self) -> Option<i32> {
        self.exited.get()
    }

    /// Forgets that `exit` was called.
    pub fn reopen(&self) {
        self.exited.set(None);
    }

    /// `$?`.
    pub fn last_code(&self) -> i32 {
        self.with(|s| s.last).unwrap_or(0)
    }

    /// Sets `$?` as Ctrl-C does, after a run was dropped.
    pub fn interrupted(&self) {
        self.with(|s| s.last = 130);
    }

    /// The working directory.
    pub fn cwd(&self) -> String {
        self.with(|s| s.cwd.clone()).unwrap_or_else(|| "/".to_owned())
    }

    /// Changes the working directory; `false` when there is no such directory.
    pub fn set_cwd(&self, path: &str) -> bool {
        let path = files::join(&self.cwd(), path);
        self.host.files().is_dir(&path)
            && self
                .with(|s| {
                    let _ = s.set("PWD", path.clone());
                    s.cwd = path;
                })
                .is_some()
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.with(|s| s.get(name)).flatten()
    }

    /// Sets and exports a variable.
    pub fn export(&self, name: &str, value: &str) {
        self.with(|s| {
            if s.set(name, value).is_ok()
                && let Some(var) = s.vars.get_mut(name)
            {
                var.exported = true;
            }
        });
    }

    /// The names of the variables, functions, aliases and builtins: for completion.
    pub fn names(&self) -> Names {
        self.with(|s| Names {
            variables: s.vars.keys().cloned().collect(),
            functions: s.functions.keys().cloned().collect(),
            aliases: s.aliases.keys().cloned().collect(),
        })
        .unwrap_or_default()
    }

    /// The exported variables.
    pub fn env(&self) -> Env {
        self.with(|s| s.env()).unwrap_or_default()
    }

    /// An alias's text.
    pub fn alias(&self, name: &str) -> Option<String> {
        self.with(|s| s.aliases.get(name).cloned()).flatten()
    }

    /// The history that `history` prints and the line editor walks.
    pub fn history(&self) -> Rc<RefCell<Vec<String>>> {
        self.with(|s| s.history.clone()).unwrap_or_default()
    }

    /// Waits until every background job has ended.
    pub async fn wait_for_jobs(&self) {
        let jobs: Vec<_> = self
            .with(|s| s.jobs.iter().map(|j| j.done.clone()).collect())
            .unwrap_or_default();
        for done in jobs {
            done.wait().await;
        }
    }

    /// Lines about background jobs that have ended since the last call, as bash prints them before
    /// the next prompt. Ended jobs are forgotten.
    pub fn take_job_reports(&self) -> Vec<String> {
        self.with(super::builtins::jobs::take_reports).unwrap_or_default()
    }
}

/// Names that a shell knows.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub variables: Vec<String>,
    pub functions: Vec<String>,
    pub aliases: Vec<String>,
}

/// Runs a source as the process of `context`: `sh -c`, a script.
pub(super) async fn run_in(context: Context, name: &str, args: Vec<String>, source: &str, from_c: bool) -> i32 {
    let mut state = State::of(&context, name);
    if !from_c {
        state.calls.push("main".to_owned());
    }
    state.begin(&ShellOptions {
        name: name.to_owned(),
        args,
        env: context.env.clone(),
        cwd: context.cwd.clone(),
        interactive: false,
        from_c,
    });
    state.stdin = context.stdin.clone();
    state.stdout = context.stdout.clone();
    state.stderr = context.stderr.clone();
    state.fds = context.fds.clone();
    drop(context);
    state.run_source_to_end(source).await
}

/// Runs a source in a child shell of `context`'s command.
pub(super) async fn run_source_as(context: &Context, name: &str, source: &str) -> i32 {
    let child = context.child(&[name.to_owned()]);
    let process = child.process.clone();
    process.run(run_in(child, name, Vec::new(), source, true)).await
}

/// Runs a script's file as `context`'s process.
pub(super) async fn run_script(mut context: Context, path: String) -> i32 {
    let bytes = match context.files.read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            context.error(format!("{path}: {error}"));
            return 126;
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if let Some(rest) = text.strip_prefix("#!") {
        let line = rest.lines().next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let mut interpreter = words.next().unwrap_or_default().to_owned();
        let mut option = words.next().map(str::to_owned);
        if files::base_name(&interpreter) == "env" {
            interpreter = option.take().unwrap_or_default();
        }
        let base = files::base_name(&interpreter);
        if !matches!(base, "sh" | "bash" | "dash" | "ash") {
            // Another program of this machine (`#!/usr/bin/awk -f`).
            let mut args = vec![interpreter.clone()];
            args.extend(option);
            args.push(path.clone());
            args.extend(context.rest().iter().cloned());
            return match context.run(&args).await {
                Some(code) => code,
                None => {
                    context.stderr.line(format!(
                        "bash: {path}: {interpreter}: bad interpreter: No such file or directory"
                    ));
                    126
                }
            };
        }
    }
    let args = context.rest().to_vec();
    let bash = text
        .lines()
        .next()
        .is_some_and(|l| l.starts_with("#!") && l.contains("bash"));
    // bash names a script as it was called.
    let name = if context.name().contains('/') {
        context.name().to_owned()
    } else {
        path.clone()
    };
    if bash {
        context.args = vec!["bash".to_owned()];
    }
    run_in(context, &name, args, &text, false).await
}

/// Runs commands from `context`'s standard input as they come, as a shell without arguments does.
/// At a terminal it prints prompts.
pub(super) async fn run_input(context: Context, name: &str, args: Vec<String>, flags: &str, interactive: bool) -> i32 {
    let mut state = State::of(&context, name);
    state.begin(&ShellOptions {
        name: name.to_owned(),
        args,
        env: context.env.clone(),
        cwd: context.cwd.clone(),
        interactive,
        from_c: false,
    });
    state.stdin = context.stdin.clone();
    state.stdout = context.stdout.clone();
    state.stderr = context.stderr.clone();
    let input = context.stdin.clone();
    drop(context);
    let mut source = flags.to_owned();
    let mut result = Ok(0);
    let mut line_number = 0;
    loop {
        if interactive {
            let user = state.host.user();
            let sign = user.sign();
            let home = state.get("HOME").filter(|home| home.len() > 1);
            let cwd = files::with_tilde(&state.cwd, &home.unwrap_or_default());
            let prompt = match (source.is_empty(), state.dialect) {
                (false, _) => "> ".to_owned(),
                (true, super::host::Dialect::Busybox) => format!("{cwd} {sign} "),
                (true, super::host::Dialect::Dash) => format!("{sign} "),
                (true, super::host::Dialect::Bash) => {
                    let accounts = Accounts::of(state.host.files());
                    let name = accounts.user(user.uid).unwrap_or("I have no name!");
                    format!("{name}@{}:{cwd}{sign} ", state.host.name())
                }
            };
            state.stderr.write(prompt);
        }
        let Some(line) = input.read_line_bytes().await else {
            break;
        };
        line_number += 1;
        source.push_str(&String::from_utf8_lossy(&line));
        let text = source.strip_suffix('\n').unwrap_or(&source);
        if super::parser::is_incomplete(text) && source.len() < crate::limits::SHELL_SOURCE_BYTES {
            continue;
        }
        let source = std::mem::take(&mut source);
        state.first_line = line_number + 1 - source.lines().count().max(1);
        result = state.run_source(&source).await;
        match result {
            Ok(_) => {}
            Err(Flow::Abort(_) | Flow::TooDeep) if interactive => result = Ok(state.last),
            Err(_) => break,
        }
    }
    if !source.is_empty() && result.is_ok() {
        result = state.run_source(&source).await;
    }
    state.finish_with(result).await
}
