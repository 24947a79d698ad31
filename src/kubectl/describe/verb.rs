//! `kubectl describe`, the verb: from its arguments to the objects to describe.

use std::rc::Rc;

use super::describe_for;
use crate::api::{Object, Resource};
use crate::kubectl::builder::{self, Found, Info, Select};
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::kubectl::mapper;
use crate::kubectl::options::{ALL_NAMESPACES, CHUNK, FILES, SELECTOR};

const FLAGS: &[Flag] = &[flag("show-events", '\0', Kind::Bool, "true")];

pub static DESCRIBE: Verb = Verb {
    name: "describe",
    group: "Troubleshooting and Debugging Commands:",
    short: "Show details of a specific resource or group of resources",
    flags: &[FLAGS, FILES, SELECTOR, ALL_NAMESPACES, CHUNK],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if cmd.args.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of supported resources.",
        ));
    }
    let select = Select::of(cmd).bare_type();
    let Found { infos, mut errors, .. } = builder::find(cmd, &select, false).await?;
    if let [kind, prefix] = cmd.args.as_slice()
        && errors.first().is_some_and(Error::is_not_found)
    {
        return matching(cmd, kind, prefix, errors).await;
    }
    // Events of several objects are shown only where they are asked for.
    let several = infos.len() > 1 || !errors.is_empty();
    let events = cmd.flags.bool("show-events") && (!several || cmd.flags.has("show-events"));
    let mut first = true;
    for info in &infos {
        match text(cmd, info, events).await {
            Ok(text) => {
                let space = if std::mem::take(&mut first) { "" } else { "\n\n" };
                cmd.out(format!("{space}{text}"));
            }
            Err(e) => errors.push(e),
        }
    }
    if infos.is_empty() && errors.is_empty() {
        if cmd.flags.bool("all-namespaces") {
            cmd.err("No resources found");
        } else {
            cmd.err(format!("No resources found in {} namespace.", cmd.namespace()));
        }
    }
    Error::all(errors)
}

async fn text(cmd: &Cmd, info: &Info, events: bool) -> Result<String, Error> {
    // A describer reads by itself what it is to describe, whether a list has it already or not.
    let object = cmd.get(&info.resource, &info.namespace, &info.name).await?;
    Ok(describe_for(cmd, &Object::new(object), events).await?)
}

/// Describes the objects whose names begin with a prefix; without their events, unless asked for.
async fn matching(cmd: &Cmd, kind: &str, prefix: &str, errors: Vec<Error>) -> Result<(), Error> {
    let resource: Rc<Resource> = mapper::resource(cmd, kind)?;
    let namespace = if cmd.flags.bool("all-namespaces") {
        String::new()
    } else {
        cmd.namespace()
    };
    let limit = cmd.flags.int("chunk-size");
    let list = cmd.list_by(&resource, &namespace, "", "", limit).await?;
    let events = cmd.flags.bool("show-events") && cmd.flags.has("show-events");
    let mut found = false;
    for info in builder::items(&resource, &list)
        .iter()
        .filter(|i| i.name.starts_with(prefix))
    {
        found = true;
        cmd.say(text(cmd, info, events).await?);
    }
    if found { Ok(()) } else { Error::all(errors) }
}
