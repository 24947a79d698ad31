//! A bash-like shell on virtual time: the interpreter, its files and pipes, the small tools, and the
//! line editor of the terminal. Knows `sim`, `value` and `limits` only: commands that need a network
//! or the API (`kubectl`, `curl`, `ping`) are registered by those who have one.
//!
//! The parts, from the outside:
//! - [`Host`]: a machine (the student's k8s-master, a container) with [`Files`], [`Commands`] and
//!   processes. `Commands::with_tools()` has `cat`, `grep`, `sh`, …; add others with `add`:
//!   `commands.add("kubectl", |context| async move { … 0 })`.
//! - [`Context`]: what one run of a command gets: arguments, environment, directory, files, [`Input`]
//!   and [`Output`]s, its [`Process`]. It returns its exit code; dropping its future ends it.
//! - [`Host::exec`]: runs a program by its arguments (a container's command, `kubectl exec`).
//! - [`Shell`]: the interpreter with its variables. `Shell::new(&host, ShellOptions { .. })`; its
//!   `run(source, stdin, stdout, stderr)` is a `'static` future of the exit code that may be dropped
//!   to end everything it runs (Ctrl-C).
//! - [`Terminal`]: a line editor in front of an interactive shell: `feed` it keys, `resize` it, and
//!   a [`TerminalOwner`] gets the screen's bytes. Completions of a command's arguments come from the
//!   [`Completer`] that was set with [`Host::set_completer`].

mod accounts;
mod arith;
mod backtrack;
mod builtins;
mod editor;
mod expand;
mod files;
mod host;
mod interp;
mod io;
mod parser;
mod process;
mod regex;
#[allow(clippy::module_inception)]
mod shell;
mod state;
mod syntax;
#[cfg(test)]
mod tests;
mod tools;
mod words;

pub use editor::{Candidate, Completer, CompletionRequest, SharedCompleter, Terminal, TerminalOwner, width};
pub use files::{Device, FileError, FileKind, Files, OpenFile, Stat, base_name, dir_name, join};
pub use host::{
    CommandFn, Commands, Context, Dialect, Download, Editor, Env, Fd, Host, NoProgram, PROCESS_TIME, Program, User,
};
pub use io::{Input, Output, TerminalSize, keyboard, pipe};
pub use process::{
    Disposition, Process, Processes, SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGNALS, SIGPIPE, SIGQUIT,
    SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ, signal_name, signal_number,
};
pub use regex::Regex;
pub use shell::{Names, Shell, ShellOptions, default_env};
pub use tools::jq;
pub(crate) use tools::options;
pub use tools::tar;
pub(crate) use words::{Glob, escape_glob};
