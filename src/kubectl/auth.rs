//! `kubectl auth`: can-i, whoami; reconcile is not simulated.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::mapper;
use super::output;
use super::print::TabWriter;
use crate::api::{Body, Method, Request};
use crate::obj;
use crate::value::Value;

pub static AUTH: Verb = Verb {
    name: "auth",
    group: "Troubleshooting and Debugging Commands:",
    short: "Inspect authorization",
    usage: "kubectl auth [flags] [options]",
    subs: &[&CAN_I, &RECONCILE, &WHOAMI],
    ..VERB
};

static RECONCILE: Verb = Verb {
    name: "reconcile",
    short: "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
    missing: "the whole command; use kubectl apply",
    run: Some(|c| Box::pin(super::info::not_simulated(c))),
    ..VERB
};

const CAN_FLAGS: &[Flag] = &[
    flag("all-namespaces", 'A', Kind::Bool, "false", "In every namespace."),
    flag("list", '\0', Kind::Bool, "false", "Show all that is allowed."),
    flag(
        "no-headers",
        '\0',
        Kind::Bool,
        "false",
        "Leave out the row of column names.",
    ),
    flag(
        "quiet",
        'q',
        Kind::Bool,
        "false",
        "Say nothing; only the exit code tells.",
    ),
    flag("subresource", '\0', Kind::Str, "", "Of this subresource, such as log."),
];

static CAN_I: Verb = Verb {
    name: "can-i",
    short: "Check whether an action is allowed",
    examples: "  # Create pods in this namespace\n  kubectl auth can-i create pods\n\n  # As somebody else\n  kubectl auth can-i list deployments.apps --as=system:serviceaccount:dev:foo -n prod",
    usage: "kubectl auth can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL] [options]",
    flags: &[CAN_FLAGS],
    run: Some(|c| Box::pin(can_i(c))),
    ..VERB
};

static WHOAMI: Verb = Verb {
    name: "whoami",
    short: "Experimental: Check self subject attributes",
    usage: "kubectl auth whoami [options]",
    flags: &[output::PRINT],
    run: Some(|c| Box::pin(whoami(c))),
    ..VERB
};

const VERBS: [&str; 15] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
];

async fn post(cmd: &Cmd, path: &str, body: Value) -> Result<Value, Error> {
    Ok(cmd
        .send(Request::new(Method::Post, path).body(Body::Value(body)))
        .await?
        .value())
}

async fn can_i(cmd: &Cmd) -> Result<(), Error> {
    if cmd.flags.bool("list") {
        return list(cmd).await;
    }
    let quiet = cmd.flags.bool("quiet");
    let [verb, target] = cmd.args.as_slice() else {
        // This sentence ends with a full stop, unlike all others.
        return Err(Error::Text(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples."
                .into(),
        ));
    };
    let mut spec = Value::map();
    if target.starts_with('/') {
        spec.set(
            &["nonResourceAttributes"],
            obj! { "path": target.as_str(), "verb": verb.as_str() },
        );
    } else {
        let (word, name) = target.split_once('/').unwrap_or((target, ""));
        if !VERBS.contains(&verb.as_str()) && !quiet {
            cmd.err(format!("Warning: verb '{verb}' is not a known verb\n"));
        }
        let (mut group, mut plural) = (String::new(), word.to_owned());
        let mut namespaced = true;
        if word == "*" {
            group = "*".into();
        } else {
            match mapper::find(&cmd.resources(), word) {
                Some(r) => {
                    group = r.group.to_string();
                    plural = r.name.to_string();
                    namespaced = r.namespaced;
                    if !namespaced && !cmd.flags.bool("all-namespaces") && !quiet {
                        let place = if r.group.is_empty() {
                            String::new()
                        } else {
                            format!(" in group '{}'", r.group)
                        };
                        cmd.err(format!(
                            "Warning: resource '{}' is not namespace scoped{place}\n",
                            r.name
                        ));
                    }
                }
                None => {
                    if !quiet {
                        cmd.err(format!("Warning: the server doesn't have a resource type '{word}'\n"));
                    }
                }
            }
        }
        let mut attributes = obj! { "group": group, "resource": plural, "verb": verb.as_str() };
        if namespaced && !cmd.flags.bool("all-namespaces") {
            attributes.set(&["namespace"], cmd.namespace());
        }
        attributes.set_or_remove(&["name"], name);
        attributes.set_or_remove(&["subresource"], cmd.flags.str("subresource"));
        spec.set(&["resourceAttributes"], attributes);
    }
    let body = obj! { "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec };
    let answer = post(cmd, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).await?;
    let allowed = answer.bool_at(&["status", "allowed"]);
    if !quiet {
        let mut said = if allowed { "yes" } else { "no" }.to_owned();
        let reason = answer.str_at(&["status", "reason"]);
        if !reason.is_empty() && !allowed {
            said = format!("{said} - {reason}");
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
    let words = |v: &Value| {
        let all: Vec<&str> = v.items().iter().map(Value::str).collect();
        format!("[{}]", all.join(" "))
    };
    // Wider permissions come first: kubectl breaks the rules down to one resource each and sorts.
    let mut rows: Vec<[String; 4]> = Vec::new();
    for rule in answer.at(&["status", "resourceRules"]).items() {
        let groups = rule.get("apiGroups").items();
        for group in groups {
            for resource in rule.get("resources").items() {
                let name = match group.str() {
                    "" => resource.str().to_owned(),
                    g => format!("{}.{g}", resource.str()),
                };
                rows.push([
                    name,
                    "[]".into(),
                    words(rule.get("resourceNames")),
                    words(rule.get("verbs")),
                ]);
            }
        }
    }
    let mut paths: Vec<[String; 4]> = Vec::new();
    for rule in answer.at(&["status", "nonResourceRules"]).items() {
        for url in rule.get("nonResourceURLs").items() {
            paths.push([
                String::new(),
                format!("[{}]", url.str()),
                "[]".into(),
                words(rule.get("verbs")),
            ]);
        }
    }
    paths.sort_by(|a, b| {
        let text = |r: &[String; 4]| {
            r.get(1)
                .map(|t| t.trim_end_matches(']').to_owned() + "\u{7f}")
                .unwrap_or_default()
        };
        text(a).cmp(&text(b))
    });
    rows.extend(paths);
    let mut writer = TabWriter::table();
    if !cmd.flags.bool("no-headers") {
        writer.row(&["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]);
    }
    for row in rows {
        writer.row(&row);
    }
    cmd.out(writer.flush());
    Ok(())
}

async fn whoami(cmd: &Cmd) -> Result<(), Error> {
    let body = obj! { "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" };
    let answer = post(cmd, "/apis/authentication.k8s.io/v1/selfsubjectreviews", body).await?;
    if let Some(mut p) = output::printer(cmd, output::FORMATS)? {
        return p.print(cmd, &answer);
    }
    let user = answer.at(&["status", "userInfo"]);
    let words = |v: &Value| {
        let all: Vec<&str> = v.items().iter().map(Value::str).collect();
        format!("[{}]", all.join(" "))
    };
    let mut writer = TabWriter::table();
    writer.row(&["ATTRIBUTE", "VALUE"]);
    for (name, field) in [("Username", "username"), ("UID", "uid")] {
        let text = user.str_at(&[field]);
        if !text.is_empty() {
            writer.row(&[name, text]);
        }
    }
    if !user.get("groups").is_empty() {
        writer.row(&["Groups", &words(user.get("groups"))]);
    }
    for (k, v) in user.get("extra").entries() {
        writer.row(&[format!("Extra: {k}"), words(v)]);
    }
    cmd.out(writer.flush());
    Ok(())
}
