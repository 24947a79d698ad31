//! `kubectl create ingress`.

use super::{GENERATOR, generate, one_name};
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::value::Value;
use crate::{list, obj};

const FLAGS: &[Flag] = &[
    flag("annotation", '\0', Kind::Array, "[]"),
    flag("class", '\0', Kind::Str, ""),
    flag("default-backend", '\0', Kind::Str, ""),
    flag("rule", '\0', Kind::Array, "[]"),
];

pub static INGRESS: Verb = Verb {
    name: "ingress",
    aliases: &["ing"],
    short: "Create an ingress with the specified name",
    flags: &[
        FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// `SERVICE:PORT`.
fn backend(text: &str) -> Option<Value> {
    let (service, port) = text.split_once(':')?;
    if service.is_empty() || port.is_empty() || port.contains(':') {
        return None;
    }
    let port = match port.parse::<i64>() {
        Ok(n) => obj! { "number": n },
        Err(_) => obj! { "name": port },
    };
    Some(obj! { "service": obj! { "name": service, "port": port } })
}

struct Rule {
    host: String,
    path: Value,
    /// The secret of TLS; empty for the ingress controller's own.
    tls: Option<String>,
}

fn rule(text: &str) -> Option<Rule> {
    let (target, tls) = match text.split_once(',') {
        Some((t, "tls")) => (t, Some(String::new())),
        // What comes after the comma and is no TLS is passed over.
        Some((t, rest)) => (t, rest.strip_prefix("tls=").map(str::to_owned)),
        None => (text, None),
    };
    let (address, service) = target.rsplit_once('=')?;
    let (host, path) = address.split_once('/')?;
    let backend = backend(service)?;
    let (path, kind) = match path.strip_suffix('*') {
        Some(p) => (p, "Prefix"),
        None => (path, "Exact"),
    };
    Some(Rule {
        host: host.to_owned(),
        path: obj! { "backend": backend, "path": format!("/{path}"), "pathType": kind },
        tls,
    })
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let (default, rules) = (cmd.flags.str("default-backend"), cmd.flags.all("rule"));
    if default.is_empty() && rules.is_empty() {
        return Err(Error::plain(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ));
    }
    let mut object = obj! {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": obj! { "name": name },
        "spec": obj! {},
        "status": obj! { "loadBalancer": obj! {} },
    };
    for a in cmd.flags.all("annotation") {
        match a.split_once('=') {
            Some((k, v)) if !k.is_empty() => object.set(&["metadata", "annotations", k], v),
            _ => {
                return Err(Error::plain(format!(
                    "annotation {a} is invalid and should be in format key=[value]"
                )));
            }
        }
    }
    object.set_or_remove(&["spec", "ingressClassName"], cmd.flags.str("class"));
    if !default.is_empty() {
        let b = backend(default)
            .ok_or_else(|| Error::plain("default-backend should be in format servicename:serviceport"))?;
        object.set(&["spec", "defaultBackend"], b);
    }
    let mut list: Vec<Value> = Vec::new();
    let mut tls: Vec<(String, Vec<Value>)> = Vec::new();
    for text in rules {
        let Some(r) = rule(text) else {
            return Err(Error::plain(format!(
                "rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            )));
        };
        match list.iter_mut().find(|v| v.str_at(&["host"]) == r.host) {
            Some(v) => v.at_mut(&["http", "paths"]).list_mut().push(r.path),
            None => {
                let mut v = obj! { "http": obj! { "paths": list![r.path] } };
                v.set_or_remove(&["host"], r.host.as_str());
                list.push(v);
            }
        }
        if let Some(secret) = r.tls {
            let host = Value::from(r.host.as_str());
            match tls.iter_mut().find(|(s, _)| *s == secret) {
                Some((_, hosts)) => {
                    if !hosts.contains(&host) {
                        hosts.push(host);
                    }
                }
                None => tls.push((secret, vec![host])),
            }
        }
    }
    object.set_or_remove(&["spec", "rules"], list);
    let tls: Value = tls
        .into_iter()
        .map(|(secret, hosts)| {
            let hosts: Vec<Value> = hosts.into_iter().filter(|h| !h.str().is_empty()).collect();
            let mut t = Value::map();
            t.set_or_remove(&["hosts"], hosts);
            t.set_or_remove(&["secretName"], secret);
            t
        })
        .collect();
    object.set_or_remove(&["spec", "tls"], tls);
    generate(cmd, object, "failed to create ingress").await
}
