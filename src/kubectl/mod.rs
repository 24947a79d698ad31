//! kubectl: a client of the API that runs as a command of the shell. One file per verb; `print` and
//! `describe` turn objects into text.
//!
//! `command(client)` gives the shell's command. A verb is a [`Verb`] in a table: name, flags, help
//! and an async function of a [`Cmd`]. Everything that it does goes through the API's `Client`.

mod apply;
mod applyset;
mod attach;
mod auth;
mod autoscale;
mod builder;
mod certificate;
mod change;
mod command;
mod complete;
mod config;
mod connection;
mod cp;
mod create;
mod credentials;
mod debug;
mod delete;
pub mod describe;
mod diff;
mod discovery;
mod dump;
mod edit;
mod error;
mod events;
mod exec;
mod explain;
mod expose;
mod files;
mod flags;
mod follow;
mod get;
mod help;
mod info;
mod kubeconfig;
mod kuberc;
pub mod kustomize;
mod label;
mod logs;
mod mapper;
mod node;
mod options;
mod output;
mod patch;
mod plugin;
mod podpick;
mod port_forward;
pub mod print;
mod proxy;
mod raw;
mod regexp;
mod replace;
mod rollout;
mod root;
mod run;
mod scale;
mod set;
mod template;
mod top;
pub mod typed;
mod verbosity;
mod wait;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;

use crate::api::Client;
use crate::net::Network;
use crate::shell::{CommandFn, Context};
use crate::value::{Value, gofmt, quoted};

pub use command::{Cmd, Verb};
pub use complete::KubectlCompleter;
use discovery::Discovery;
pub use error::Error;
pub use flags::{Flag, Kind};
pub use help::markdown;
pub use kubeconfig::admin_text as admin_kubeconfig;
pub use proxy::ask as api_over_http;
pub use root::ROOT;

/// How long a kubectl process takes until its first request: it starts, reads its configuration and
/// its cache of discovery, and connects. About what one takes on an idle machine. What happens in the
/// cluster meanwhile is what users of the real one see.
const STARTUP: Duration = Duration::from_millis(75);

/// The network of the machine that kubectl runs on: where `port-forward` and `proxy` listen.
#[derive(Clone)]
pub struct Local {
    pub network: Network,
    /// The node that the machine is.
    pub node: Rc<str>,
}

/// kubectl as a command of a host, for a client of the API server; on a machine without a network
/// it cannot listen.
pub fn command(client: Client, local: Option<Local>, kustomize: &kustomize::Engine) -> CommandFn {
    let discovery = Rc::new(Discovery::default());
    let kustomize = kustomize.clone();
    Rc::new(move |cx| {
        let (client, local, discovery) = (client.clone(), local.clone(), discovery.clone());
        let kustomize = kustomize.clone();
        async move {
            client.sim().sleep(STARTUP).await;
            run(cx, client, local, discovery, kustomize).await
        }
        .boxed_local()
    })
}

/// Finds the verb of a command line: the verb, its path, and the arguments without the words of
/// the path. Flags before the verb are skipped by the tables of where they stand.
fn find(args: &[String]) -> (&'static Verb, String, Vec<String>) {
    let mut verb: &'static Verb = &ROOT;
    let mut path = "kubectl".to_owned();
    let mut rest: Vec<String> = args.to_vec();
    while let Some(i) = first_word(verb, &rest) {
        let word = rest.get(i).cloned().unwrap_or_default();
        let Some(sub) = verb
            .subs
            .iter()
            .find(|s| s.name == word || s.aliases.contains(&word.as_str()))
        else {
            break;
        };
        verb = sub;
        path = format!("{path} {}", sub.name);
        rest.remove(i);
    }
    (verb, path, rest)
}

/// Where the first argument stands that is neither a flag nor a flag's value.
fn first_word(verb: &Verb, args: &[String]) -> Option<usize> {
    let flags = || verb.flags.iter().copied().chain([options::GLOBAL]).flatten();
    let mut i = 0;
    while let Some(arg) = args.get(i) {
        if arg == "--" {
            return None;
        }
        let takes_next = if let Some(long) = arg.strip_prefix("--") {
            !long.contains('=') && !flags().any(|f| f.name == long && !f.no_opt.is_empty()) && long != "help"
        } else if arg.starts_with('-') && arg.len() == 2 {
            let c = arg.chars().nth(1).unwrap_or('-');
            !flags().any(|f| f.short == c && !f.no_opt.is_empty()) && c != 'h'
        } else if arg.starts_with('-') {
            false
        } else {
            return Some(i);
        };
        i += if takes_next { 2 } else { 1 };
    }
    None
}

/// Runs kubectl.
async fn run(
    cx: Context,
    client: Client,
    local: Option<Local>,
    discovery: Rc<Discovery>,
    kustomize: kustomize::Engine,
) -> i32 {
    let (out, err) = (cx.stdout.clone(), cx.stderr.clone());
    let line = match kuberc::apply(&cx, cx.rest()) {
        Ok(line) => line,
        Err(e) => {
            err.line(format!("error occurred while applying preferences {}", e.message()));
            return 1;
        }
    };
    let (verb, path, rest) = find(&line);
    let fail = |e: &Error, path: &str| {
        let (text, code) = e.print(path);
        err.write(text);
        code
    };
    if std::ptr::eq(verb, &ROOT)
        && let Some(i) = first_word(verb, &rest)
    {
        let word = rest.get(i).cloned().unwrap_or_default();
        match plugin::run(&cx, &rest, 1).await {
            Ok(Some(code)) => return code,
            Ok(None) => err.write(help::unknown(&word)),
            Err(why) => err.line(format!("Error: {why}")),
        };
        return 1;
    }
    // Plugins may add to `create`, and to no other command.
    if std::ptr::eq(verb, &create::CREATE) && rest.first().is_some_and(|word| !word.starts_with('-')) {
        match plugin::run(&cx, &line, line.len() + 1 - rest.len()).await {
            Ok(Some(code)) => return code,
            Ok(None) => {}
            Err(why) => {
                err.line(format!("Error: {why}"));
                return 1;
            }
        }
    }
    let mut tables: Vec<&[Flag]> = verb.flags.to_vec();
    if verb.name == "apply" {
        tables.push(applyset::flags(&cx));
    }
    let own = tables.clone();
    tables.push(options::GLOBAL);
    let asked = if verb.name.starts_with("__") {
        // The words to complete are no flags of this run.
        Ok(flags::Parsed {
            args: rest.clone(),
            ..flags::Parsed::default()
        })
    } else {
        flags::parse(&rest, &tables)
    };
    let parsed = match asked {
        Ok(parsed) => parsed,
        // Of `diff` an exit code of 1 would say that there is a difference.
        Err(why) if verb.name == "diff" => {
            let (text, _) = Error::usage(why).print(&path);
            return fail(&Error::Code(text, 2), &path);
        }
        Err(why) if verb.name == "options" => {
            err.write(format!("error: {why}\nRun 'kubectl options' without flags.\n"));
            return 1;
        }
        Err(why) => return fail(&Error::Flag(why), &path),
    };
    if parsed.help {
        // The two commands without a help.
        if verb.name == "options" {
            return 0;
        }
        if verb.name == "alpha" {
            err.line(root::NO_ALPHA);
            return 0;
        }
        out.write(if std::ptr::eq(verb, &ROOT) {
            help::root(&plugin::names(&cx))
        } else {
            help::help(&client, &err, verb, &path, &own).await
        });
        return 0;
    }
    for notice in &parsed.notices {
        err.line(notice);
    }
    let missing: Vec<String> = verb
        .required
        .iter()
        .filter(|r| !parsed.values.has(r))
        .map(|r| gofmt::quote(r))
        .collect();
    if !missing.is_empty() {
        return fail(
            &Error::plain(format!("required flag(s) {} not set", missing.join(", "))),
            &path,
        );
    }
    let Some(action) = verb.run else {
        if std::ptr::eq(verb, &ROOT) {
            out.write(help::root(&[]));
            return 0;
        }
        if parsed.args.is_empty() {
            // `rollout` prints its help, the others complain with it.
            let stream = if verb.name == "rollout" { &out } else { &err };
            stream.write(help::help(&client, &err, verb, &path, verb.flags).await);
            return 1;
        }
        let words = parsed.args.join(" ");
        return fail(
            &Error::usage(format!("unknown command {words}", words = quoted(&words))),
            &path,
        );
    };
    let config = match kubeconfig::Kubeconfig::load(&cx, parsed.values.str("kubeconfig")) {
        Ok(config) => config,
        Err(e) => return fail(&e, &path),
    };
    if let Err(e) = connection::check_profile(verb, &parsed.values) {
        return fail(&e, &path);
    }
    let away = is_local(&path, &parsed);
    if config.absent && !away {
        let missing = format!("stat {}: no such file or directory", config.name);
        return fail(&Error::plain(missing), &path);
    }
    let config = if away { config } else { config.or_of_pod(&cx) };
    let nobody = if away {
        None
    } else {
        match connection::check(&cx, local.as_ref(), client.api(), &config, verb, &path, &parsed.values) {
            Ok(nobody) => nobody.filter(|_| connection::needs_server(verb, &path, &parsed.values)),
            Err(e) => return fail(&e, &path),
        }
    };
    // Who asks nobody needs no credentials.
    let (client, who) = match away {
        true => (client, credentials::Who::Known),
        false => match credentials::of(&cx, &client, &config, verb, &parsed.values) {
            Ok(found) => found,
            Err(e) => return fail(&e, &path),
        },
    };
    let strict = parsed.values.bool("warnings-as-errors");
    let cmd = Cmd {
        cx,
        client,
        local,
        verb,
        path,
        flags: parsed.values,
        args: parsed.args,
        dash: parsed.dash,
        config,
        warned: RefCell::default(),
        met_nobody: Cell::new(false),
        noted: Cell::new(false),
        discovery,
        kustomize,
        who: RefCell::new(who),
        nobody,
    };
    if !away {
        verbosity::begin(&cmd);
    }
    let outcome = match connection::looks_first(&cmd) {
        true => {
            let mut running = action(&cmd);
            // Where nobody answers, the run is over with its first question.
            std::future::poll_fn(|cx| match running.as_mut().poll(cx) {
                _ if cmd.met_nobody.get() => Poll::Ready(None),
                polled => polled.map(Some),
            })
            .await
        }
        false => None,
    };
    if let (Some(nobody), None) = (&cmd.nobody, &outcome) {
        cmd.met_nobody.set(false);
        let (text, code) = connection::unanswered(&cmd, nobody).await.print(&cmd.path);
        err.write(text);
        return code;
    }
    match outcome.unwrap_or(Ok(())) {
        Ok(()) => {
            let warnings = cmd.warned.borrow().len();
            if strict && warnings > 0 {
                err.line(format!(
                    "error: {warnings} warning{} received",
                    if warnings == 1 { "" } else { "s" }
                ));
                return 1;
            }
            0
        }
        Err(e) => fail(&e, &cmd.path),
    }
}

/// Whether a command has nothing to do with a server, and so does not look where one is.
fn is_local(path: &str, parsed: &flags::Parsed) -> bool {
    let first = path.split(' ').nth(1).unwrap_or_default();
    let local = [
        "alpha",
        "completion",
        "config",
        "help",
        "kuberc",
        "kustomize",
        "options",
        "plugin",
    ];
    let client_only = first == "version" && parsed.values.bool("client");
    local.contains(&first) || first.starts_with("__") || client_only
}

/// `a=b,c=d`, as the LABELS column and `describe` print it; `<none>` of no labels.
fn print_labels(labels: &Value) -> String {
    match labels.is_empty() {
        true => "<none>".to_owned(),
        false => label_pairs(labels),
    }
}

/// `a=b,c=d`; nothing of no labels.
fn label_pairs(labels: &Value) -> String {
    let pairs = labels.entries().map(|(k, v)| format!("{k}={}", v.str()));
    pairs.collect::<Vec<_>>().join(",")
}

/// Running command lines in a fresh world, for tests.
#[cfg(test)]
mod testing {
    use std::time::Duration;

    use crate::world::{Input, Options, World};

    /// What a command line prints on k8s-master, standard output before standard error.
    pub fn run(line: &str) -> String {
        let world = World::new(&Options::default()).unwrap();
        run_in(&world, line).0
    }

    /// What a command line prints in a world, and its exit code.
    pub fn run_in(world: &World, line: &str) -> (String, i32) {
        let end = world.sim().now() + Duration::from_secs(600);
        let finished = world.input(Input::Exec(line.into()));
        let done = world.sim().run_future(finished, end).unwrap().unwrap();
        (done.stdout + &done.stderr, done.code)
    }
}
