//! The table of kubectl's commands, in the order in which kubectl lists them.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::help;

/// kubectl itself.
pub static ROOT: Verb = Verb {
    name: "kubectl",
    subs: &[
        &super::create::CREATE,
        &super::expose::EXPOSE,
        &super::run::RUN,
        &super::set::SET,
        &super::explain::EXPLAIN,
        &super::get::GET,
        &super::edit::EDIT,
        &super::delete::DELETE,
        &super::rollout::ROLLOUT,
        &super::scale::SCALE,
        &super::autoscale::AUTOSCALE,
        &super::certificate::CERTIFICATE,
        &super::info::CLUSTER_INFO,
        &super::top::TOP,
        &super::node::CORDON,
        &super::node::UNCORDON,
        &super::node::DRAIN,
        &super::node::TAINT,
        &super::describe::DESCRIBE,
        &super::logs::LOGS,
        &super::attach::ATTACH,
        &super::exec::EXEC,
        &super::port_forward::PORT_FORWARD,
        &super::proxy::PROXY,
        &super::cp::CP,
        &super::auth::AUTH,
        &super::debug::DEBUG,
        &super::events::EVENTS,
        &super::diff::DIFF,
        &super::apply::APPLY,
        &super::patch::PATCH,
        &super::replace::REPLACE,
        &super::wait::WAIT,
        &super::kustomize::KUSTOMIZE,
        &super::label::LABEL,
        &super::label::ANNOTATE,
        &super::complete::COMPLETION,
        &super::info::API_RESOURCES,
        &super::info::API_VERSIONS,
        &super::config::CONFIG,
        &super::kuberc::KUBERC,
        &super::plugin::PLUGIN,
        &super::info::VERSION,
        &ALPHA,
        &HELP,
        &OPTIONS,
        &super::complete::COMPLETE,
        &super::complete::COMPLETE_WORDS,
    ],
    ..VERB
};

static HELP: Verb = Verb {
    name: "help",
    short: "Help about any command",
    run: Some(|c| Box::pin(help(c))),
    ..VERB
};

/// What `kubectl alpha` says, with and without `--help`.
pub const NO_ALPHA: &str = "No alpha commands are available in this version of kubectl";

/// Is there, and is not listed.
static ALPHA: Verb = Verb {
    name: "alpha",
    run: Some(|c| Box::pin(alpha(c))),
    ..VERB
};

static OPTIONS: Verb = Verb {
    name: "options",
    short: "Print the list of flags inherited by all commands",
    run: Some(|c| Box::pin(options(c))),
    ..VERB
};

/// The help of a command whose subcommands do the work.
///
/// # Errors
/// None.
pub async fn own_help(cmd: &Cmd) -> Result<(), Error> {
    cmd.out(help::help(&cmd.client, &cmd.cx.stderr, cmd.verb, &cmd.path, cmd.verb.flags).await);
    Ok(())
}

async fn help(cmd: &Cmd) -> Result<(), Error> {
    let (verb, path, rest) = super::find(&cmd.args);
    // Words after a command are ignored.
    if !std::ptr::eq(verb, &ROOT) {
        cmd.out(help::help(&cmd.client, &cmd.cx.stderr, verb, &path, verb.flags).await);
        return Ok(());
    }
    let plugins = super::plugin::names(&cmd.cx);
    if rest.is_empty() {
        cmd.out(help::root(&plugins));
    } else {
        cmd.cx.stderr.write(help::unknown_topic(&cmd.args, &plugins));
    }
    Ok(())
}

/// There are none in this version.
async fn alpha(cmd: &Cmd) -> Result<(), Error> {
    cmd.err(NO_ALPHA);
    Ok(())
}

async fn options(cmd: &Cmd) -> Result<(), Error> {
    let texts = help::texts(&cmd.client, &cmd.cx.stderr).await;
    cmd.out(help::global_options(&texts));
    Ok(())
}
