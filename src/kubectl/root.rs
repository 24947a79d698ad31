//! The table of kubectl's commands, in the order in which kubectl lists them.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;

/// kubectl itself.
pub static ROOT: Verb = Verb {
    name: "kubectl",
    subs: &[
        &super::create::CREATE,
        &super::get::GET,
        &super::delete::DELETE,
        &super::apply::APPLY,
        &HELP,
        &OPTIONS,
    ],
    ..VERB
};

static HELP: Verb = Verb {
    name: "help",
    short: "Help about any command",
    run: Some(|c| Box::pin(help(c))),
    ..VERB
};

static OPTIONS: Verb = Verb {
    name: "options",
    short: "Print the list of flags inherited by all commands",
    run: Some(|c| Box::pin(options(c))),
    ..VERB
};

async fn help(cmd: &Cmd) -> Result<(), Error> {
    let (verb, path, rest) = super::find(&cmd.args);
    if rest.is_empty() {
        cmd.out(super::help::help(verb, &path));
    } else {
        cmd.out(super::help::unknown_topic(&cmd.args));
    }
    Ok(())
}

async fn options(cmd: &Cmd) -> Result<(), Error> {
    cmd.out(super::help::global_options());
    Ok(())
}
