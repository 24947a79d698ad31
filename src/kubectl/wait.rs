//! `kubectl wait`.

use super::builder::{self, Found, Info, Select};
use super::command::{Cmd, VERB, Verb};
use super::delete::wait_gone;
use super::error::Error;
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::follow::Following;
use super::options::{ALL, ALL_NAMESPACES, FIELD_SELECTOR, FILES_BELOW, SELECTOR};
use super::output::{PRINT, Report};
use super::print::jsonpath::{JsonPath, relaxed};
use crate::api::Status;
use crate::flat::Case;
use crate::sim::timeout;
use crate::value::{Value, gofmt, quoted};
use std::time::Duration;

const FLAGS: &[Flag] = &[
    flag("for", '\0', Kind::Array, "[]"),
    flag("local", '\0', Kind::Bool, "false").but(NOT_SIMULATED),
    flag("timeout", '\0', Kind::Duration, "30s"),
];

pub static WAIT: Verb = Verb {
    name: "wait",
    group: "Advanced Commands:",
    short: "Wait for a specific condition on one or many resources",
    flags: &[FLAGS, FILES_BELOW, SELECTOR, FIELD_SELECTOR, ALL, ALL_NAMESPACES, PRINT],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// What is waited for.
enum Goal {
    Create,
    Delete,
    Condition(String, String),
    /// A path, and the value that it is to have; without one any will do.
    Field(JsonPath, Option<String>),
}

fn goal(text: &str) -> Result<Goal, Error> {
    let lower = text.lower();
    if lower == "delete" {
        return Ok(Goal::Delete);
    }
    if lower == "create" {
        return Ok(Goal::Create);
    }
    if let Some(rest) = text.strip_prefix("condition=") {
        let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
        return Ok(Goal::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("jsonpath=") {
        let parts = split(rest);
        let (path, value) = match parts.as_slice() {
            [path] => (path, None),
            [path, value] => (path, Some(value.trim_matches(['\'', '"']))),
            _ => {
                return Err(Error::plain(
                    "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or \
                     --for=jsonpath='{.status.readyReplicas}'",
                ));
            }
        };
        let path = match path.as_str() {
            "" => String::new(),
            path => relaxed(path).map_err(|e| Error::plain(e.0))?,
        };
        if value == Some("") {
            return Err(Error::plain(
                "jsonpath wait has to have a value after equal sign, like \
                 --for=jsonpath='{.status.readyReplicas}'=3",
            ));
        }
        if path.is_empty() {
            return Err(Error::plain("jsonpath expression cannot be empty"));
        }
        let path = JsonPath::parse(&path).map_err(|e| Error::plain(e.0))?;
        return Ok(Goal::Field(path.allow_missing_keys(true), value.map(str::to_owned)));
    }
    Err(Error::plain(format!(
        "unrecognized condition: {text}",
        text = quoted(&text)
    )))
}

/// Splits a path from its value at single `=`; two of them belong to a filter.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '=' if rest.next_if_eq(&'=').is_some() => part.push_str("=="),
            '=' => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

impl Goal {
    fn met(&self, object: &Value) -> Result<bool, Error> {
        Ok(match self {
            Goal::Create => true,
            Goal::Delete => false,
            Goal::Condition(name, value) => {
                let condition = object
                    .at(&["status", "conditions"])
                    .items()
                    .iter()
                    .find(|c| c.str_at(&["type"]).eq_ignore_ascii_case(name));
                condition.is_some_and(|c| {
                    let generation = object.i64_at(&["metadata", "generation"]);
                    let observed = c
                        .i64_at(&["observedGeneration"])
                        .or_else(|| object.i64_at(&["status", "observedGeneration"]));
                    let stale = matches!((observed, generation), (Some(o), Some(g)) if o < g);
                    !stale && c.str_at(&["status"]).eq_ignore_ascii_case(value)
                })
            }
            Goal::Field(path, value) => {
                let results = path.find(object).map_err(|e| Error::plain(e.0))?;
                let Some(first) = results.first().filter(|first| !first.is_empty()) else {
                    return Ok(false);
                };
                if results.len() > 1 {
                    return Err(Error::plain("given jsonpath expression matches more than one list"));
                }
                match (first.as_slice(), value) {
                    ([_], None) => true,
                    ([Value::Map(_) | Value::List(_)], Some(_)) => {
                        return Err(Error::plain(
                            "jsonpath leads to a nested object or list which is not supported",
                        ));
                    }
                    ([one], Some(wanted)) => gofmt::display(one).trim() == wanted.trim(),
                    _ => return Err(Error::plain("given jsonpath expression matches more than one value")),
                }
            }
        })
    }
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let wanted = cmd.flags.all("for");
    if wanted.is_empty() {
        return Err(Error::plain("unrecognized condition: []"));
    }
    let mut goals = Vec::new();
    for w in wanted {
        goals.push(goal(w)?);
    }
    let limit = if cmd.flags.negative("timeout") {
        Duration::from_secs(7 * 86_400)
    } else {
        cmd.flags.duration("timeout")
    };
    let end = cmd.sim().now() + limit;
    let mut select = Select::of(cmd).all_of_bare_type();
    select.limit = 0;
    let of_files = cmd.flags.has("filename") || cmd.flags.has("kustomize");
    let mut creating = goals.iter().any(|g| matches!(g, Goal::Create));
    let deleting = goals.iter().any(|g| matches!(g, Goal::Delete));
    let found = loop {
        let found = builder::find(cmd, &select, true).await?;
        if !creating {
            break found;
        }
        // What is not there yet is waited for; several such failures at once are not told apart from others.
        match found.errors.as_slice() {
            [] if found.infos.is_empty() => {}
            [one] if one.is_not_found() && !of_files => {}
            // Then all is looked for once more, for which standard input has nothing left.
            [] => {
                creating = false;
                continue;
            }
            _ => return Error::all(found.errors),
        }
        if cmd.sim().now() >= end {
            return Err(Error::plain("timed out waiting for the condition"));
        }
        cmd.sim().sleep(Duration::from_millis(500)).await;
    };
    let mut infos = found.infos;
    let unread = found.places.into_iter().zip(found.errors);
    let (places, unread): (Vec<usize>, Vec<Error>) = unread.filter(|(_, e)| !(deleting && e.is_not_found())).unzip();
    if infos.is_empty() && unread.is_empty() {
        if deleting {
            return Ok(());
        }
        return Err(Error::plain("no matching resources found"));
    }
    let mut report = Report::new(cmd, "condition met")?;
    let mut errors = Vec::new();
    for (i, info) in infos.iter_mut().enumerate() {
        for goal in &goals {
            // One time limit for all: once it has passed, the others are not looked at.
            let left = end.since(cmd.sim().now());
            let waited = match left.is_zero() && !limit.is_zero() {
                true => None,
                false => {
                    timeout(
                        cmd.sim(),
                        left.max(Duration::from_millis(5)),
                        one(cmd, info, goal, limit.is_zero()),
                    )
                    .await
                }
            };
            match waited {
                Some(Ok(object)) => info.object = object,
                Some(Err(e)) => {
                    errors.push((i, e));
                    break;
                }
                None => {
                    let why = match limit.is_zero() {
                        true => "condition not met for",
                        false => "timed out waiting for the condition on",
                    };
                    let why = format!("{why} {}/{}", info.resource.name, info.name);
                    errors.push((i, Error::plain(why)));
                    break;
                }
            }
            report.print(cmd, &info.object)?;
        }
    }
    Error::all(Found::told(unread, &places, errors))
}

/// Waits until one object fits: its state then. Without any time it is looked at `once`.
async fn one(cmd: &Cmd, info: &Info, goal: &Goal, once: bool) -> Result<Value, Error> {
    if info.name.is_empty() {
        return Err(Error::plain("resource name must be provided"));
    }
    if let Goal::Delete = goal {
        wait_gone(cmd, info, info.object.str_at(&["metadata", "uid"])).await?;
        return Ok(info.object.clone());
    }
    if let Goal::Create = goal {
        return Ok(info.object.clone());
    }
    if once {
        let object = cmd.get(&info.resource, &info.namespace, &info.name).await?;
        return match goal.met(&object)? {
            true => Ok(object),
            false => Err(Error::plain(format!(
                "condition not met for {}/{}",
                info.resource.name, info.name
            ))),
        };
    }
    let mut following = Following::begin(cmd, info).await?;
    if !following.knows_more() {
        return Err(Error::Status(Status::not_found(
            &info.resource.group,
            &info.resource.name,
            &info.name,
        )));
    }
    loop {
        // One that was deleted may come again.
        if let Some(o) = following.next().await?
            && goal.met(o.value())?
        {
            return Ok(o.value().clone());
        }
    }
}
