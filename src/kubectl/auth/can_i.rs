//! `kubectl auth can-i`.

use super::post;
use crate::api::Request;
use crate::api::auth::rules;
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::create::{KNOWN_VERBS, PATH_VERBS};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::kubectl::mapper;
use crate::kubectl::options::NO_HEADERS;
use crate::kubectl::print::TabWriter;
use crate::obj;
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("all-namespaces", 'A', Kind::Bool, "false"),
    flag("list", '\0', Kind::Bool, "false"),
    NO_HEADERS,
    flag("quiet", 'q', Kind::Bool, "false"),
    flag("subresource", '\0', Kind::Str, ""),
];

pub static CAN_I: Verb = Verb {
    name: "can-i",
    short: "Check whether an action is allowed",
    flags: &[FLAGS],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// A warning with the empty line that can-i's have.
fn warn(cmd: &Cmd, text: &str) {
    cmd.err(format!("Warning: {text}\n"));
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let (quiet, everywhere) = (cmd.flags.bool("quiet"), cmd.flags.bool("all-namespaces"));
    let subresource = cmd.flags.str("subresource");
    if cmd.flags.bool("list") {
        if !cmd.args.is_empty() {
            return Err(Error::plain("list option must be specified with no arguments"));
        }
        if quiet || everywhere || !subresource.is_empty() {
            return Err(Error::plain(
                "list option can't be specified with neither quiet, all-namespaces nor subresource options",
            ));
        }
        return list(cmd).await;
    }
    let [verb, target] = cmd.args.as_slice() else {
        // This sentence ends with a full stop, unlike all others.
        return Err(Error::Text(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples."
                .into(),
        ));
    };
    let mut spec = Value::map();
    if target.starts_with('/') {
        if !subresource.is_empty() {
            return Err(Error::plain("--subresource can not be used with NonResourceURL"));
        }
        if !PATH_VERBS.contains(&verb.as_str()) {
            warn(cmd, &format!("verb '{verb}' is not a known verb"));
        }
        spec.set(
            &["nonResourceAttributes"],
            obj! { "path": target.as_str(), "verb": verb.as_str() },
        );
    } else {
        let (word, name) = target.split_once('/').unwrap_or((target, ""));
        let (mut group, mut plural) = (String::new(), word.to_owned());
        let (mut namespaced, mut found) = (true, None);
        if word != "*" {
            match mapper::find(&cmd.resources(), word) {
                Some(r) => {
                    group = r.group.to_string();
                    plural = r.name.to_string();
                    namespaced = r.namespaced;
                    found = Some(match group.is_empty() {
                        true => format!("/api/{}", r.version),
                        false => format!("/apis/{}", r.group_version()),
                    });
                }
                // What is only impersonated is no resource that can be discovered.
                None if matches!(word.to_ascii_lowercase().as_str(), "users" | "groups") => {}
                None => {
                    let lower = word.to_ascii_lowercase();
                    warn(
                        cmd,
                        &match lower.split_once('.') {
                            Some((name, group)) => {
                                format!("the server doesn't have a resource type '{name}' in group '{group}'")
                            }
                            None => format!("the server doesn't have a resource type '{lower}'"),
                        },
                    );
                }
            }
        }
        if !everywhere {
            // Whether it is namespaced is asked anew.
            if let Some(at) = found {
                let _ = cmd.send(Request::get(at)).await;
            }
            if !namespaced {
                let place = if group.is_empty() {
                    String::new()
                } else {
                    format!(" in group '{group}'")
                };
                warn(cmd, &format!("resource '{plural}' is not namespace scoped{place}"));
            }
            if !KNOWN_VERBS.contains(&verb.as_str()) {
                warn(cmd, &format!("verb '{verb}' is not a known verb"));
            }
        }
        let mut attributes = obj! { "resource": plural, "verb": verb.as_str() };
        if !everywhere {
            attributes.set(&["namespace"], cmd.namespace());
        }
        attributes.set_or_remove(&["group"], group);
        attributes.set_or_remove(&["name"], name);
        attributes.set_or_remove(&["subresource"], subresource);
        spec.set(&["resourceAttributes"], attributes);
    }
    if cmd.flags.bool("no-headers") {
        return Err(Error::plain("--no-headers cannot be set without --list specified"));
    }
    let body = obj! { "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec };
    let answer = post(cmd, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).await?;
    let status = answer.get("status");
    let allowed = status.bool_at(&["allowed"]);
    if !quiet {
        let mut said = if allowed { "yes" } else { "no" }.to_owned();
        for field in ["reason", "evaluationError"] {
            let text = status.str_at(&[field]);
            if !allowed && !text.is_empty() {
                said = format!("{said} - {text}");
            }
        }
        cmd.say(said);
    }
    if allowed { Ok(()) } else { Err(Error::Exit(1)) }
}

async fn list(cmd: &Cmd) -> Result<(), Error> {
    let body = obj! {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": obj! { "namespace": cmd.namespace() },
    };
    let answer = post(cmd, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body).await?;
    let status = answer.get("status");
    if status.bool_at(&["incomplete"]) {
        let why = status.str_at(&["evaluationError"]);
        cmd.err(format!("Warning: the list may be incomplete: {why}"));
    }
    let held = ["resourceRules", "nonResourceRules"].map(|field| status.get(field).items());
    let mut writer = TabWriter::table();
    if !cmd.flags.bool("no-headers") {
        writer.row(&["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]);
    }
    for row in rules::rows(held.into_iter().flatten()) {
        writer.row(&row);
    }
    cmd.out(writer.flush());
    Ok(())
}
