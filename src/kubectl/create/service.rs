//! `kubectl create service`.

use super::{GENERATOR, generate, one_name};
use crate::api::names;
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::obj;
use crate::value::{Value, quoted};

pub static SERVICE: Verb = Verb {
    name: "service",
    aliases: &["svc"],
    short: "Create a service using a specified subcommand",
    subs: &[&CLUSTER_IP, &NODE_PORT, &LOAD_BALANCER, &EXTERNAL_NAME],
    ..VERB
};

const TCP: &[Flag] = &[flag("tcp", '\0', Kind::Slice, "[]")];

static CLUSTER_IP: Verb = Verb {
    name: "clusterip",
    short: "Create a ClusterIP service",
    flags: &[
        TCP,
        &[flag("clusterip", '\0', Kind::Str, "")],
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

static NODE_PORT: Verb = Verb {
    name: "nodeport",
    short: "Create a NodePort service",
    flags: &[
        TCP,
        &[flag("node-port", '\0', Kind::Int, "0")],
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

static LOAD_BALANCER: Verb = Verb {
    name: "loadbalancer",
    short: "Create a LoadBalancer service",
    flags: &[
        TCP,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

static EXTERNAL_NAME: Verb = Verb {
    name: "externalname",
    short: "Create an ExternalName service",
    flags: &[
        TCP,
        &[flag("external-name", '\0', Kind::Str, "")],
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    required: &["external-name"],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let kind = match cmd.verb.name {
        "clusterip" => "ClusterIP",
        "nodeport" => "NodePort",
        "loadbalancer" => "LoadBalancer",
        _ => "ExternalName",
    };
    let given = cmd.flags.all("tcp");
    let headless = kind == "ClusterIP" && cmd.flags.str("clusterip") == "None";
    if given.is_empty() && !headless && kind != "ExternalName" {
        return Err(Error::plain("at least one tcp port specifier must be provided"));
    }
    let mut ports = Vec::new();
    for spec in given {
        // A third part is passed over.
        let mut parts = spec.split(':');
        let port = parts.next().unwrap_or_default();
        let target = parts.next().unwrap_or(port);
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let n = port.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| {
            let why = if digits { "value out of range" } else { "invalid syntax" };
            Error::plain(format!(
                "strconv.ParseUint: parsing {port}: {why}",
                port = quoted(&port)
            ))
        })?;
        let own = spec.contains(':');
        let target: Value = match target.parse::<i64>() {
            // What the port itself comes to is left to the server.
            Ok(n) if own && !(1..=65_535).contains(&n) => {
                return Err(Error::plain("must be between 1 and 65535, inclusive"));
            }
            Ok(n) => n.into(),
            Err(_) => {
                names::port_name(target).map_err(|e| Error::plain(e.0.join(",")))?;
                target.into()
            }
        };
        let mut entry = obj! {
            "name": spec.replace(':', "-"), "port": i64::from(n), "protocol": "TCP", "targetPort": target,
        };
        if kind == "NodePort" {
            entry.set_or_remove(&["nodePort"], cmd.flags.int("node-port"));
        }
        ports.push(entry);
    }
    let labels = obj! { "app": name.as_str() };
    let mut object = obj! {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": obj! { "labels": &labels, "name": name },
        "spec": obj! { "selector": labels, "type": kind },
        "status": obj! { "loadBalancer": obj! {} },
    };
    object.set_or_remove(&["spec", "ports"], ports);
    if kind == "ClusterIP" {
        object.set_or_remove(&["spec", "clusterIP"], cmd.flags.str("clusterip"));
    }
    if kind == "ExternalName" {
        let external = cmd.flags.str("external-name");
        if crate::api::names::dns1123_subdomain(external).is_err() {
            return Err(Error::plain(format!("invalid service external name {external}")));
        }
        object.set_or_remove(&["spec", "externalName"], cmd.flags.str("external-name"));
    }
    generate(cmd, object, &format!("failed to create {kind} service")).await
}
