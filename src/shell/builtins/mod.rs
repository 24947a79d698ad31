//! Commands that the shell runs itself, because they change its state.

mod declare;
mod flow;
pub(super) mod jobs;
mod misc;
mod read;
pub(super) mod test;

pub(super) use misc::echo_bytes;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::host::Dialect;
use super::state::{Run, State};

/// A builtin: its arguments begin with its name.
pub(super) type Builtin = for<'a> fn(&'a mut State, Vec<String>) -> LocalBoxFuture<'a, Run<i32>>;

macro_rules! builtins {
    ($($names:pat => $function:path),* $(,)?) => {
        fn lookup(name: &str) -> Option<Builtin> {
            match name {
                $($names => {
                    fn run(state: &mut State, args: Vec<String>) -> LocalBoxFuture<'_, Run<i32>> {
                        async move { $function(state, &args).await }.boxed_local()
                    }
                    Some(run)
                })*
                _ => None,
            }
        }
    };
}

builtins! {
    ":" | "true" => flow::ok,
    "false" => flow::fails,
    "break" | "continue" => flow::leave_loop,
    "return" => flow::leave_function,
    "exit" | "logout" => flow::exit,
    "eval" => flow::eval,
    "." | "source" => flow::source,
    "exec" => flow::exec,
    "command" => flow::command,
    "builtin" => flow::builtin,
    "trap" => flow::trap,
    "cd" => misc::cd,
    "pwd" => misc::pwd,
    "pushd" | "popd" | "dirs" => misc::dirs,
    "echo" => misc::echo,
    "printf" => misc::printf,
    "type" => misc::type_of,
    "alias" => misc::alias,
    "unalias" => misc::unalias,
    "history" => misc::history,
    "umask" => misc::umask,
    "ulimit" => misc::ulimit,
    "hash" | "enable" | "complete" | "compopt" | "bind" | "stty" => misc::accept,
    "compgen" => misc::accept,
    "times" => misc::times,
    "help" => misc::help,
    "shift" => declare::shift,
    "set" => declare::set,
    "shopt" => declare::shopt,
    "unset" => declare::unset,
    "export" => declare::export,
    "readonly" => declare::export,
    "declare" | "typeset" => declare::declare,
    "local" => declare::local,
    "let" => declare::let_,
    "getopts" => declare::getopts,
    "read" => read::read,
    "mapfile" | "readarray" => read::mapfile,
    "test" | "[" => test::run,
    "jobs" => jobs::jobs,
    "wait" => jobs::wait,
    "kill" => jobs::kill,
    "fg" => jobs::foreground,
    "bg" => jobs::background,
    "disown" => jobs::disown,
}

/// Builtins that only bash has.
const BASH_ONLY: &[&str] = &[
    "source",
    "builtin",
    "pushd",
    "popd",
    "dirs",
    "shopt",
    "declare",
    "typeset",
    "let",
    "mapfile",
    "readarray",
    "disown",
    "complete",
    "compgen",
    "compopt",
    "enable",
    "bind",
    "help",
    "logout",
    "history",
];

/// The builtin of this name.
pub(super) fn find(name: &str, dialect: Dialect) -> Option<Builtin> {
    if name == "stty" {
        return None;
    }
    let busybox_has = matches!(name, "source" | "let" | "history" | "help");
    if dialect != Dialect::Bash && BASH_ONLY.contains(&name) && !(dialect == Dialect::Busybox && busybox_has) {
        return None;
    }
    lookup(name)
}

/// The names of bash's builtins, for completion.
pub(super) const NAMES: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "dirs", "disown", "echo",
    "eval", "exec", "exit", "export", "false", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let",
    "local", "logout", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readonly", "return", "set", "shift",
    "shopt", "source", "test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset",
    "wait",
];

impl State {
    /// Prints `prefix builtin: message`.
    pub(super) fn builtin_error(&self, args: &[String], message: impl std::fmt::Display) {
        let name = args.first().map_or("", String::as_str);
        self.error(format!("{name}: {message}"));
    }
}
