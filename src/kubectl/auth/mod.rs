//! `kubectl auth`: can-i, reconcile, whoami.

mod can_i;
mod reconcile;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::output;
use super::print::TabWriter;
use crate::api::{Body, Method, Request};
use crate::obj;
use crate::value::Value;

pub static AUTH: Verb = Verb {
    name: "auth",
    group: "Troubleshooting and Debugging Commands:",
    short: "Inspect authorization",
    subs: &[&can_i::CAN_I, &reconcile::RECONCILE, &WHOAMI],
    ..VERB
};

static WHOAMI: Verb = Verb {
    name: "whoami",
    short: "Experimental: Check self subject attributes",
    flags: &[output::PRINT],
    run: Some(|c| Box::pin(whoami(c))),
    ..VERB
};

/// Asks a question by creating it.
async fn post(cmd: &Cmd, path: &str, body: Value) -> Result<Value, Error> {
    Ok(cmd
        .send(Request::new(Method::Post, path).body(Body::Value(body)))
        .await?
        .value())
}

/// A list as Go's `%v` prints it.
fn words(list: &Value) -> String {
    let all: Vec<&str> = list.items().iter().map(Value::str).collect();
    format!("[{}]", all.join(" "))
}

async fn whoami(cmd: &Cmd) -> Result<(), Error> {
    let printer = output::printer(cmd, output::FORMATS)?.map(output::Printer::typed);
    let body = obj! { "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" };
    let answer = match post(cmd, "/apis/authentication.k8s.io/v1/selfsubjectreviews", body).await {
        Err(Error::Status(s)) if s.reason() == "Forbidden" => {
            return Err(Error::plain(
                "the selfsubjectreviews API is not enabled in the cluster or you do not have permission to call it",
            ));
        }
        other => other?,
    };
    if let Some(mut p) = printer {
        return p.print(cmd, &answer);
    }
    let user = answer.at(&["status", "userInfo"]);
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
