//! A shell's state: variables, options, functions, traps, jobs, descriptors. No execution here.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::arith::Variables;
use super::host::{Context, Dialect, Env, Fd, Host};
use super::io::{Input, Output};
use super::process::{Disposition, Process};
use super::syntax::{Chain, Command};
use crate::flat::{Case, FlatMap};
use crate::limits;
use crate::sim::{Sim, TaskHandle, Time};

/// Why a command list stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Break(usize),
    Continue(usize),
    Return(i32),
    Exit(i32),
    /// An error that drops the rest of the input line; a script ends, but bash's goes on behind a 1.
    Abort(i32),
    /// Too much was nested: the whole input ends, or a recursion with two branches would go on for ever.
    TooDeep,
}

/// The keys of the traps that are no signals: of failures, of every command, of a function's end.
pub(super) const TRAP_ERR: i32 = -1;
pub(super) const TRAP_DEBUG: i32 = -2;
pub(super) const TRAP_RETURN: i32 = -3;

pub(super) type Run<T> = Result<T, Flow>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Text(String),
    List(FlatMap<i64, String>),
    Map(FlatMap<String, String>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Var {
    pub content: Option<Content>,
    pub exported: bool,
    pub readonly: bool,
    pub integer: bool,
    /// `declare -n`: the text names the variable that is meant.
    pub reference: bool,
    /// `declare -l` and `declare -u`: what is assigned becomes lower or upper case.
    pub case: Option<char>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// `-e`
    pub errexit: bool,
    /// `-u`
    pub nounset: bool,
    /// `-x`
    pub xtrace: bool,
    /// `-f`
    pub noglob: bool,
    /// `-C`
    pub noclobber: bool,
    /// `-n`
    pub noexec: bool,
    /// `-a`
    pub allexport: bool,
    /// `-v`
    pub verbose: bool,
    /// `-E`
    pub errtrace: bool,
    pub pipefail: bool,
    /// `shopt -s nullglob`, `dotglob`, `expand_aliases`.
    pub nullglob: bool,
    pub dotglob: bool,
    pub globstar: bool,
    pub aliases: bool,
}

pub(super) struct Function {
    pub body: Rc<Command>,
    pub text: String,
}

/// Set when a job has ended.
#[derive(Default)]
pub(super) struct Done {
    code: Cell<Option<i32>>,
    wakers: RefCell<Vec<Waker>>,
}

impl Done {
    pub fn set(&self, code: i32) {
        self.code.set(Some(code));
        let wakers = std::mem::take(&mut *self.wakers.borrow_mut());
        for waker in wakers {
            waker.wake();
        }
    }

    pub fn get(&self) -> Option<i32> {
        self.code.get()
    }

    pub async fn wait(&self) -> i32 {
        poll_fn(|cx| match self.code.get() {
            Some(code) => Poll::Ready(code),
            None => {
                self.wakers.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// A task that ends when its owner does, unless it was let go.
pub(super) struct Guard(Option<TaskHandle>);

impl Guard {
    pub fn new(handle: TaskHandle) -> Guard {
        Guard(Some(handle))
    }

    /// Lets the task run on.
    pub fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

/// A background job.
pub(super) struct Job {
    pub id: usize,
    pub process: Process,
    pub text: String,
    pub done: Rc<Done>,
    pub guard: Guard,
}

/// Counts commands at one moment of virtual time, over a shell and its subshells.
#[derive(Default)]
pub(super) struct Pace {
    count: Cell<usize>,
    at: Cell<Time>,
    /// How often in a row it was made to wait, when last, and how long.
    streak: Cell<usize>,
    waited: Cell<(Time, Duration)>,
}

impl Pace {
    /// How long the shell must now wait, if it must: a millisecond, and longer once a loop has gone
    /// on for a second without ever waiting by itself. Nobody sees the difference, and such a loop
    /// would cost more than everything else in the world.
    fn step(&self, now: Time) -> Option<Duration> {
        if self.at.get() != now {
            self.at.set(now);
            self.count.set(0);
        }
        self.count.set(self.count.get() + 1);
        if self.count.get() < limits::SHELL_COMMANDS_PER_MOMENT {
            return None;
        }
        let (last, wait) = self.waited.get();
        let streak = if now.since(last) <= wait {
            self.streak.get() + 1
        } else {
            0
        };
        let wait = Duration::from_millis(match streak {
            0..1_000 => 1,
            1_000..1_500 => 20,
            _ => 100,
        });
        self.streak.set(streak);
        self.waited.set((now, wait));
        Some(wait)
    }
}

pub(super) struct Frame {
    /// Variables as they were before `local` hid them.
    pub saved: FlatMap<String, Option<Var>>,
}

pub(super) struct State {
    pub host: Host,
    pub sim: Sim,
    pub process: Process,
    pub dialect: Dialect,
    pub vars: FlatMap<String, Var>,
    pub functions: FlatMap<String, Rc<Function>>,
    pub aliases: Rc<FlatMap<String, String>>,
    /// Actions by signal; by [`TRAP_ERR`] and its like the shell's own.
    pub traps: FlatMap<i32, String>,
    /// How deep in functions the traps of ERR, DEBUG and RETURN were set.
    pub trap_frames: [usize; 3],
    pub options: Options,
    /// `$0`.
    pub name: String,
    /// `$1`, `$2`, ….
    pub args: Vec<String>,
    pub cwd: String,
    pub umask: u32,
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
    /// Descriptors from 3 up.
    pub fds: Rc<FlatMap<i32, Fd>>,
    pub substitutions: Vec<Guard>,
    pub last: i32,
    pub pipe_status: Vec<i32>,
    /// The status of the last `$(…)` of the present command.
    pub substituted: Option<i32>,
    pub last_background: Option<u32>,
    pub jobs: Vec<Job>,
    pub frames: Vec<Frame>,
    /// The functions and sourced files at work, as `FUNCNAME` lists them: the innermost last. Of a script `main` is the first.
    pub calls: Vec<String>,
    pub dirs: Vec<String>,
    pub interactive: bool,
    /// Whether the source came with `-c`, as bash's errors of syntax tell.
    pub from_c: bool,
    pub line: usize,
    /// The line number that the next source begins with.
    pub first_line: usize,
    pub depth: usize,
    pub loops: usize,
    /// Above 0 a failure does not end a shell with `-e`.
    pub conditions: usize,
    /// Sourced files being run, in which `return` may be used.
    pub sources: usize,
    pub in_trap: bool,
    /// The chain at work, for `BASH_COMMAND`.
    pub chain: Option<Rc<Chain>>,
    pub subshells: usize,
    /// How many `$(…)` this is in, as a trace shows.
    pub substituting: usize,
    pub started: Time,
    pub pace: Rc<Pace>,
    pub history: Rc<RefCell<Vec<String>>>,
    pub getopts: usize,
    /// `$_`: the last argument of the command before.
    pub last_argument: String,
    /// Whether `exec` has changed the descriptors for good: a redirection of it must stay.
    pub keep_redirects: bool,
    /// Whether a program that is run takes the shell's place.
    pub replaced: bool,
    /// Whether the shell has ended by `exit` or `exec`.
    pub exited: bool,
}

impl State {
    pub fn new(host: &Host, process: Process, name: &str) -> State {
        let sim = host.sim().clone();
        State {
            started: sim.now(),
            sim,
            dialect: host.dialect(),
            host: host.clone(),
            depth: process.depth(),
            process,
            vars: FlatMap::new(),
            functions: FlatMap::new(),
            aliases: Rc::default(),
            traps: FlatMap::new(),
            trap_frames: [0; 3],
            options: Options::default(),
            name: name.to_owned(),
            args: Vec::new(),
            cwd: "/".to_owned(),
            umask: host.files().umask(),
            stdin: Input::empty(),
            stdout: Output::null(),
            stderr: Output::null(),
            fds: Rc::default(),
            substitutions: Vec::new(),
            last: 0,
            pipe_status: vec![0],
            substituted: None,
            last_background: None,
            jobs: Vec::new(),
            frames: Vec::new(),
            calls: Vec::new(),
            dirs: Vec::new(),
            interactive: false,
            from_c: false,
            line: 1,
            first_line: 1,
            loops: 0,
            conditions: 0,
            sources: 0,
            in_trap: false,
            chain: None,
            subshells: 0,
            substituting: 0,
            pace: Rc::default(),
            history: Rc::default(),
            getopts: 1,
            last_argument: String::new(),
            keep_redirects: false,
            replaced: false,
            exited: false,
        }
    }

    /// A shell that is a program's process: bash speaks its own dialect on every machine.
    pub fn of(context: &Context, name: &str) -> State {
        let mut state = State::new(&context.host, context.process.clone(), name);
        state.umask = context.files.umask();
        if super::files::base_name(context.name()) == "bash" {
            state.dialect = Dialect::Bash;
        }
        state
    }

    /// A copy for a subshell, with a process of its own.
    pub fn subshell(&self) -> Box<State> {
        let process = self.host.start_process(&self.name, self.process.pid());
        // Ignored signals stay ignored in a child; traps do not.
        for (signal, action) in &self.traps {
            if action.is_empty() && *signal > 0 {
                process.set_disposition(*signal, Some(Disposition::Ignore));
            }
        }
        Box::new(State {
            host: self.host.clone(),
            sim: self.sim.clone(),
            dialect: self.dialect,
            vars: self.vars.clone(),
            functions: self.functions.clone(),
            aliases: self.aliases.clone(),
            traps: match self.traps.get(&TRAP_ERR).filter(|_| self.options.errtrace) {
                Some(action) => FlatMap::from([(TRAP_ERR, action.clone())]),
                None => FlatMap::new(),
            },
            trap_frames: [0; 3],
            options: self.options.clone(),
            name: self.name.clone(),
            args: self.args.clone(),
            cwd: self.cwd.clone(),
            umask: self.umask,
            stdin: self.stdin.clone(),
            stdout: self.stdout.for_process(&process),
            stderr: self.stderr.for_process(&process),
            fds: self.fds.clone(),
            substitutions: Vec::new(),
            last: self.last,
            pipe_status: self.pipe_status.clone(),
            substituted: None,
            last_background: self.last_background,
            jobs: Vec::new(),
            frames: self.frames.iter().map(|_| Frame { saved: FlatMap::new() }).collect(),
            calls: self.calls.clone(),
            dirs: self.dirs.clone(),
            interactive: self.interactive,
            from_c: self.from_c,
            line: self.line,
            first_line: 1,
            depth: self.depth + 1,
            loops: self.loops,
            conditions: self.conditions,
            sources: self.sources,
            in_trap: false,
            chain: None,
            subshells: self.subshells + 1,
            substituting: self.substituting,
            started: self.started,
            pace: self.pace.clone(),
            history: self.history.clone(),
            getopts: self.getopts,
            last_argument: self.last_argument.clone(),
            keep_redirects: false,
            replaced: false,
            exited: false,
            process,
        })
    }

    /// Counts a command; waits a little when too many ran at one moment.
    pub async fn pace(&self) {
        if let Some(time) = self.pace.step(self.sim.now()) {
            // A loop that never waits keeps a processor busy.
            self.sim.sleep(time).await;
            self.host.spend(time);
        }
    }

    // Messages.

    /// What stands before an error message.
    pub fn prefix(&self) -> String {
        match self.dialect {
            Dialect::Bash if self.interactive => format!("{}: ", self.name),
            Dialect::Bash => format!("{}: line {}: ", self.name, self.line),
            Dialect::Dash => format!("{}: {}: ", self.name, self.line),
            Dialect::Busybox if self.from_c || self.interactive => format!("{}: ", self.name),
            Dialect::Busybox => format!("{}: line {}: ", self.name, self.line),
        }
    }

    pub fn error(&self, message: impl std::fmt::Display) {
        self.stderr.line(format!("{}{message}", self.prefix()));
    }

    /// Prints an error, and stops the line.
    pub fn abort<T>(&self, message: impl std::fmt::Display) -> Run<T> {
        self.error(message);
        Err(Flow::Abort(1))
    }

    // Variables.

    /// The name that is meant: a reference's target, else the name itself.
    pub fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        let mut name = name;
        // References in a circle end somewhere in it.
        for _ in 0..8 {
            match self.vars.get(name) {
                Some(Var {
                    reference: true,
                    content: Some(Content::Text(target)),
                    ..
                }) => name = target,
                _ => break,
            }
        }
        name
    }

    /// What a name refers to, when it is a reference.
    fn target(&self, name: &str) -> Option<String> {
        let target = self.resolve(name);
        (target != name).then(|| target.to_owned())
    }

    /// Arrays that the shell computes.
    fn computed(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "BASH_VERSINFO" if self.dialect == Dialect::Bash => {
                let parts = ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"];
                Some(parts.map(str::to_owned).to_vec())
            }
            "PIPESTATUS" => Some(self.pipe_status.iter().map(i32::to_string).collect()),
            "FUNCNAME" if self.dialect == Dialect::Bash => {
                let all = self.calls.iter().rev().filter(|_| !self.frames.is_empty());
                Some(all.cloned().collect())
            }
            _ => None,
        }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let name = self.resolve(name);
        match self.vars.get(name) {
            Some(var) => match var.content.as_ref()? {
                Content::Text(text) => Some(text.clone()),
                Content::List(list) => list.get(&0).cloned(),
                Content::Map(map) => map.get("0").cloned(),
            },
            None => self.dynamic(name),
        }
    }

    /// Variables that the shell computes.
    fn dynamic(&self, name: &str) -> Option<String> {
        let known = match self.dialect {
            Dialect::Bash => true,
            Dialect::Dash => name == "PPID" || name == "LINENO",
            Dialect::Busybox => name == "PPID" || name == "LINENO" || name == "RANDOM",
        };
        if !known {
            return None;
        }
        if let Some(list) = self.computed(name) {
            return list.into_iter().next();
        }
        Some(match name {
            "RANDOM" => self.sim.random_below(32_768).to_string(),
            "SECONDS" => self.sim.now().since(self.started).as_secs().to_string(),
            "EPOCHSECONDS" => self.sim.now().as_secs().to_string(),
            "EPOCHREALTIME" => format!("{}.{:06}", self.sim.now().as_secs(), self.sim.now().0 % 1_000_000),
            "LINENO" => self.line.to_string(),
            "BASH_COMMAND" => self.chain.as_ref().map(|c| c.text.clone())?,
            "BASHPID" => self.process.pid().to_string(),
            "PPID" => self.process.parent().to_string(),
            "HOSTNAME" => self.host.name(),
            "UID" | "EUID" => "0".to_owned(),
            "BASH_VERSION" => "5.2.15(1)-release".to_owned(),
            "BASH" => "/usr/bin/bash".to_owned(),
            "OSTYPE" => "linux-gnu".to_owned(),
            "HOSTTYPE" => "x86_64".to_owned(),
            "MACHTYPE" => "x86_64-pc-linux-gnu".to_owned(),
            "SHLVL" => "1".to_owned(),
            "BASH_SUBSHELL" => self.subshells.to_string(),
            "IFS" => " \t\n".to_owned(),
            "OPTIND" => self.getopts.to_string(),
            "_" => self.last_argument.clone(),
            _ => return None,
        })
    }

    /// Sets a variable's text; keeps its other properties. The error is bash's sentence.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), String> {
        let value: String = value.into();
        let target = self.target(name);
        let name = target.as_deref().unwrap_or(name);
        if value.len() > limits::SHELL_WORD_BYTES {
            return Err(format!(
                "{name}: value is longer than {} bytes",
                limits::SHELL_WORD_BYTES
            ));
        }
        let integer = self.vars.get(name).is_some_and(|v| v.integer);
        let value = if integer {
            super::arith::evaluate(&value, self)?.to_string()
        } else {
            self.cased(name, value)
        };
        if name == "FUNCNAME" && self.dialect == Dialect::Bash {
            return Ok(());
        }
        if name == "OPTIND" {
            self.getopts = value.parse().unwrap_or(1);
            return Ok(());
        }
        if name == "SECONDS" && self.dialect == Dialect::Bash {
            let back = value.parse::<u64>().unwrap_or(0);
            self.started = Time(self.sim.now().0.saturating_sub(back.saturating_mul(1_000_000)));
            return Ok(());
        }
        let export = self.options.allexport;
        let var = self.slot(name)?;
        var.exported |= export;
        match &mut var.content {
            Some(Content::List(list)) => {
                list.insert(0, value);
            }
            Some(Content::Map(map)) => {
                map.insert("0".to_owned(), value);
            }
            slot => *slot = Some(Content::Text(value)),
        }
        Ok(())
    }

    /// A value in the case that `declare -l` or `-u` asks of a variable.
    fn cased(&self, name: &str, value: String) -> String {
        match self.vars.get(name).and_then(|v| v.case) {
            Some('l') => value.lower(),
            Some(_) => value.upper(),
            None => value,
        }
    }

    /// The variable to change; the error when it is read-only.
    pub fn var_mut(&mut self, name: &str) -> Result<&mut Var, String> {
        let target = self.target(name);
        self.slot(target.as_deref().unwrap_or(name))
    }

    fn slot(&mut self, name: &str) -> Result<&mut Var, String> {
        let dash = self.dialect == Dialect::Dash;
        let var = self.vars.entry(name.to_owned()).or_default();
        if var.readonly {
            return Err(if dash {
                format!("{name}: is read only")
            } else {
                format!("{name}: readonly variable")
            });
        }
        Ok(var)
    }

    /// Sets an element of an array.
    pub fn set_element(&mut self, name: &str, index: &str, value: String) -> Result<(), String> {
        let target = self.target(name);
        let name = target.as_deref().unwrap_or(name);
        let value = self.cased(name, value);
        if let Some(Content::Map(_)) = self.vars.get(name).and_then(|v| v.content.as_ref()) {
            if let Some(Content::Map(map)) = &mut self.slot(name)?.content {
                map.insert(index.to_owned(), value);
            }
            return Ok(());
        }
        let mut i = super::arith::evaluate(index, self)?;
        let var = self.slot(name)?;
        let mut list = match var.content.take() {
            Some(Content::List(list)) => list,
            Some(Content::Text(text)) => FlatMap::from([(0, text)]),
            _ => FlatMap::new(),
        };
        if i < 0 {
            i += list.last_key_value().map_or(0, |(k, _)| k + 1);
        }
        let result = if i < 0 {
            Err(format!("{name}[{index}]: bad array subscript"))
        } else if list.len() >= limits::SHELL_WORDS {
            Err(format!("{name}: more than {} elements", limits::SHELL_WORDS))
        } else {
            list.insert(i, value);
            Ok(())
        };
        var.content = Some(Content::List(list));
        result
    }

    /// An element of an array (of a plain variable: index 0).
    pub fn element(&self, name: &str, index: i64) -> Option<String> {
        let name = self.resolve(name);
        if let Some(list) = self.computed(name) {
            return usize::try_from(index).ok().and_then(|i| list.into_iter().nth(i));
        }
        match self.vars.get(name)?.content.as_ref()? {
            Content::Text(text) => (index == 0 || index == -1).then(|| text.clone()),
            Content::List(list) => {
                let index = if index < 0 {
                    list.last_key_value().map_or(0, |(k, _)| k + 1) + index
                } else {
                    index
                };
                list.get(&index).cloned()
            }
            Content::Map(map) => map.get(&index.to_string()).cloned(),
        }
    }

    /// All elements with their keys.
    pub fn elements(&self, name: &str) -> Vec<(String, String)> {
        let name = self.resolve(name);
        if let Some(list) = self.computed(name) {
            return list.into_iter().enumerate().map(|(i, t)| (i.to_string(), t)).collect();
        }
        match self.vars.get(name).and_then(|v| v.content.as_ref()) {
            None => self.get(name).map(|t| ("0".to_owned(), t)).into_iter().collect(),
            Some(Content::Text(text)) => vec![("0".to_owned(), text.clone())],
            Some(Content::List(list)) => list.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
            Some(Content::Map(map)) => map.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    pub fn is_map(&self, name: &str) -> bool {
        matches!(
            self.vars.get(self.resolve(name)).and_then(|v| v.content.as_ref()),
            Some(Content::Map(_))
        )
    }

    pub fn unset(&mut self, name: &str) -> Result<(), String> {
        let target = self.target(name);
        let name = target.as_deref().unwrap_or(name);
        if self.vars.get(name).is_some_and(|v| v.readonly) {
            return Err(format!("{name}: cannot unset: readonly variable"));
        }
        self.vars.remove(name);
        Ok(())
    }

    /// The exported variables.
    pub fn env(&self) -> Env {
        let mut env = Env::new();
        for (name, var) in &self.vars {
            if var.exported
                && let Some(Content::Text(text)) = &var.content
            {
                env.insert(name.clone(), text.clone());
            }
        }
        env
    }

    /// `$IFS`.
    pub fn ifs(&self) -> String {
        self.get("IFS").unwrap_or_else(|| " \t\n".to_owned())
    }

    /// Hides a variable until the function returns.
    pub fn make_local(&mut self, name: &str) -> bool {
        let old = self.vars.get(name).cloned();
        let Some(frame) = self.frames.last_mut() else {
            return false;
        };
        if !frame.saved.contains_key(name) {
            frame.saved.insert(name.to_owned(), old.clone());
            let fresh = Var {
                exported: old.is_some_and(|v| v.exported),
                ..Var::default()
            };
            self.vars.insert(name.to_owned(), fresh);
        }
        true
    }

    pub fn pop_frame(&mut self) {
        if let Some(frame) = self.frames.pop() {
            for (name, var) in frame.saved {
                match var {
                    Some(var) => self.vars.insert(name, var),
                    None => self.vars.remove(&name),
                };
            }
        }
    }

    /// `$-`.
    pub fn flags(&self) -> String {
        let o = &self.options;
        let mut flags = String::new();
        for (on, c) in [
            (o.allexport, 'a'),
            (o.errexit, 'e'),
            (o.errtrace, 'E'),
            (o.noglob, 'f'),
            (true, 'h'),
            (self.interactive, 'i'),
            (o.nounset, 'u'),
            (o.verbose, 'v'),
            (o.xtrace, 'x'),
            (true, 'B'),
            (o.noclobber, 'C'),
            (self.interactive, 'H'),
            (self.from_c, 'c'),
        ] {
            if on {
                flags.push(c);
            }
        }
        flags
    }

    // Descriptors.

    pub fn fd(&self, n: i32) -> Option<Fd> {
        match n {
            0 => Some(Fd::In(self.stdin.clone())),
            1 => Some(Fd::Out(self.stdout.clone())),
            2 => Some(Fd::Out(self.stderr.clone())),
            n => self.fds.get(&n).cloned(),
        }
    }

    pub fn set_fd(&mut self, n: i32, fd: Fd) {
        match (n, fd) {
            (0, Fd::In(input)) => self.stdin = input,
            (0, Fd::Out(_)) => self.stdin = Input::empty(),
            (1, Fd::Out(output)) => self.stdout = output,
            (2, Fd::Out(output)) => self.stderr = output,
            (1, Fd::In(_)) => self.stdout = Output::closed(),
            (2, Fd::In(_)) => self.stderr = Output::closed(),
            (n, fd) => {
                Rc::make_mut(&mut self.fds).insert(n, fd);
            }
        }
    }

    /// How many levels of functions, subshells and shells are at work.
    pub fn nesting(&self) -> usize {
        self.depth + self.frames.len()
    }

    /// The context of a child process that runs `args`.
    pub fn context(&self, args: Vec<String>, env: Env) -> Context {
        let process = self.host.start_process(&args.join(" "), self.process.pid());
        for (signal, action) in &self.traps {
            if action.is_empty() && *signal > 0 {
                process.set_disposition(*signal, Some(Disposition::Ignore));
            }
        }
        self.context_of(process, args, env)
    }

    fn context_of(&self, process: Process, args: Vec<String>, env: Env) -> Context {
        process.set_depth(self.nesting() + limits::PROGRAM_DEPTH);
        Context {
            sim: self.sim.clone(),
            host: self.host.clone(),
            args,
            env,
            cwd: self.cwd.clone(),
            files: self.host.files().with_umask(self.umask),
            stdin: self.stdin.clone(),
            stdout: self.stdout.for_process(&process),
            stderr: self.stderr.for_process(&process),
            process,
            fds: self.fds.clone(),
        }
    }

    /// The context of a program that takes the shell's place: in the same process, without the shell's traps.
    pub fn context_in_place(&mut self, args: Vec<String>, env: Env) -> Context {
        for signal in self.traps.keys() {
            if *signal > 0 && self.process.disposition(*signal) == Some(Disposition::Handle) {
                self.process.set_disposition(*signal, None);
            }
        }
        self.traps.clear();
        self.process.set_command(&args.join(" "));
        self.context_of(self.process.clone(), args, env)
    }

    /// Lets the background jobs outlive this shell.
    pub fn release_jobs(&mut self) {
        for job in &mut self.jobs {
            job.guard.release();
        }
        for guard in &mut self.substitutions {
            guard.release();
        }
    }
}

impl Variables for State {
    fn get(&mut self, name: &str, index: Option<&str>) -> Option<String> {
        match index {
            Some(key) if self.is_map(name) => match self.vars.get(self.resolve(name))?.content.as_ref()? {
                Content::Map(map) => map.get(key).cloned(),
                _ => None,
            },
            Some(i) => self.element(name, i.parse().ok()?),
            None => State::get(self, name),
        }
    }

    fn set(&mut self, name: &str, index: Option<&str>, value: i64) -> Result<(), String> {
        match index {
            Some(i) => self.set_element(name, i, value.to_string()),
            None => State::set(self, name, value.to_string()),
        }
    }

    fn is_map(&self, name: &str) -> bool {
        State::is_map(self, name)
    }

    fn unset_is_error(&self) -> bool {
        self.options.nounset
    }
}
