//! `kubectl expose`: a service for what an object selects.

use super::builder::{self, Select};
use super::change::pod_spec;
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DRY_RUN, FILES, RECORD, SAVE_CONFIG, field_manager};
use super::output::{PRINT, Report};
use super::run::parse_labels;
use crate::list;
use crate::obj;
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("cluster-ip", '\0', Kind::Str, ""),
    flag("external-ip", '\0', Kind::Str, ""),
    flag("labels", 'l', Kind::Str, ""),
    flag("load-balancer-ip", '\0', Kind::Str, ""),
    flag("name", '\0', Kind::Str, ""),
    flag("override-type", '\0', Kind::Str, "merge"),
    flag("overrides", '\0', Kind::Str, ""),
    flag("port", '\0', Kind::Str, ""),
    flag("protocol", '\0', Kind::Str, ""),
    flag("selector", '\0', Kind::Str, ""),
    flag("session-affinity", '\0', Kind::Str, ""),
    flag("target-port", '\0', Kind::Str, ""),
    flag("type", '\0', Kind::Str, ""),
];

pub static EXPOSE: Verb = Verb {
    name: "expose",
    group: "Basic Commands (Beginner):",
    short: "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        &[field_manager("kubectl-expose")],
        RECORD,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let select = Select {
        typed: true,
        args: cmd.args.clone(),
        files: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, true).await?;
    let mut errors = found.errors;
    let mut report = Report::new(cmd, "exposed")?.typed();
    // kubectl keeps the first selector for all objects of a run.
    let mut kept = None;
    for info in &found.infos {
        if let Err(e) = one(cmd, info, &mut report, &mut kept).await {
            errors.push(e);
        }
    }
    Error::all(errors)
}

async fn one(cmd: &Cmd, info: &builder::Info, report: &mut Report, kept: &mut Option<Value>) -> Result<(), Error> {
    let kind = &*info.resource.kind;
    let object = &info.object;
    let cannot = || Error::plain(format!("cannot expose a {}", info.resource.group_kind()));
    let own_selector = match kind {
        "Service" | "ReplicationController" => object.at(&["spec", "selector"]).clone(),
        "Pod" => object.at(&["metadata", "labels"]).clone(),
        "Deployment" | "ReplicaSet" => {
            if !object.at(&["spec", "selector", "matchExpressions"]).is_empty() {
                if let Some(kept) = kept {
                    kept.clone()
                } else {
                    let expressions = object.at(&["spec", "selector", "matchExpressions"]).items();
                    let shown = expressions.iter().map(|e| {
                        let values: Vec<&str> = e.get("values").items().iter().map(Value::str).collect();
                        let (key, operator) = (e.str_at(&["key"]), e.str_at(&["operator"]));
                        format!("{{Key:{key} Operator:{operator} Values:[{}]}}", values.join(" "))
                    });
                    let shown: Vec<String> = shown.collect();
                    return Err(Error::plain(format!(
                        "couldn't retrieve selectors via --selector flag or introspection: couldn't convert \
                         expressions - \"[{}]\" to map-based selector format",
                        shown.join(" ")
                    )));
                }
            } else {
                object.at(&["spec", "selector", "matchLabels"]).clone()
            }
        }
        _ => return Err(cannot()),
    };
    let mut name = cmd.flags.str("name").to_owned();
    if name.is_empty() {
        name = info.name.chars().take(63).collect();
    }
    let selector = match cmd.flags.str("selector") {
        "" if own_selector.is_empty() && kind == "Pod" => {
            return Err(Error::plain(
                "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed",
            ));
        }
        "" => kept.get_or_insert(own_selector).clone(),
        given => parse_labels(given)?,
    };
    let ports = ports(cmd, kind, object)?;
    let labels = match cmd.flags.str("labels") {
        "" => object.at(&["metadata", "labels"]).clone(),
        given => parse_labels(given)?,
    };
    let mut service = obj! {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": obj! { "name": name.as_str() },
        "spec": obj! { "ports": ports, "selector": selector },
        "status": obj! { "loadBalancer": obj! {} },
    };
    service.set_or_remove(&["metadata", "labels"], labels);
    let affinity = cmd.flags.str("session-affinity");
    if !matches!(affinity, "" | "None" | "ClientIP") {
        return Err(Error::plain(format!("unknown session affinity: {affinity}")));
    }
    for (flag, field) in [
        ("type", "type"),
        ("load-balancer-ip", "loadBalancerIP"),
        ("session-affinity", "sessionAffinity"),
    ] {
        service.set_or_remove(&["spec", field], cmd.flags.str(flag));
    }
    let ip = cmd.flags.str("cluster-ip");
    if ip == "None" {
        service.set(&["spec", "clusterIP"], "None");
    } else {
        service.set_or_remove(&["spec", "clusterIP"], ip);
    }
    let external = cmd.flags.str("external-ip");
    if !external.is_empty() {
        service.set(&["spec", "externalIPs"], list![external]);
    }
    let overrides = cmd.flags.str("overrides");
    if !overrides.is_empty() {
        let patch = Value::from_json(overrides).map_err(|_| Error::plain("Invalid JSON Patch"))?;
        service = match cmd.flags.str("override-type") {
            "merge" => super::apply::merge(&service, &patch),
            "strategic" => super::apply::strategic(&service, &patch)?,
            "json" => super::apply::json_patch(&service, &patch)?,
            other => return Err(Error::plain(format!("invalid override type: {other}"))),
        };
    }
    if cmd.namespace_given() && cmd.dry_run()? == DryRun::Client {
        service.set(&["metadata", "namespace"], cmd.namespace());
    }
    if cmd.flags.bool("save-config") {
        super::apply::annotate_typed(&mut service);
    }
    if cmd.dry_run()? != DryRun::Client {
        let resource = cmd.client.resource("", "v1", "services")?;
        let write = Write::of(cmd, "kubectl-expose")?;
        service = cmd.create(&resource, &info.namespace, &service, &write).await?;
    }
    report.print(cmd, &service)
}

/// The service's ports: those of the flags, or those that the object has.
fn ports(cmd: &Cmd, kind: &str, object: &Value) -> Result<Value, Error> {
    let mut own: Vec<(i64, String)> = Vec::new();
    if kind == "Service" {
        for p in object.at(&["spec", "ports"]).items() {
            own.push((p.i64_at(&["port"]).unwrap_or(0), p.str_at(&["protocol"]).to_owned()));
        }
    } else {
        let spec = pod_spec(kind).map_or(&Value::Null, |path| object.at(path));
        for c in spec.get("containers").items() {
            for p in c.get("ports").items() {
                let protocol = match p.str_at(&["protocol"]) {
                    "" => "TCP",
                    p => p,
                };
                own.push((p.i64_at(&["containerPort"]).unwrap_or(0), protocol.to_owned()));
            }
        }
    }
    let port = cmd.flags.str("port");
    let wanted: Vec<i64> = if port.is_empty() {
        own.iter().map(|(p, _)| *p).collect()
    } else {
        let mut list = Vec::new();
        for p in port.split(',') {
            let n = p.parse::<i64>();
            list.push(n.map_err(|_| Error::plain(format!("strconv.Atoi: parsing {p:?}: invalid syntax")))?);
        }
        list
    };
    if wanted.is_empty() {
        let headless = cmd.flags.str("cluster-ip") == "None";
        if headless {
            return Ok(Value::Null);
        }
        return Err(Error::plain("couldn't find port via --port flag or introspection"));
    }
    let many = wanted.len() > 1;
    let target = cmd.flags.str("target-port");
    let mut ports = Vec::new();
    for (i, number) in wanted.into_iter().enumerate() {
        let protocol = match cmd.flags.str("protocol") {
            "" => own
                .iter()
                .find(|(p, _)| *p == number)
                .map_or("TCP", |(_, protocol)| protocol.as_str())
                .to_owned(),
            given => given.to_owned(),
        };
        let mut entry = obj! { "port": number, "protocol": protocol };
        if many {
            entry.set(&["name"], format!("port-{}", i + 1));
        }
        match target.parse::<i64>() {
            Ok(n) => entry.set(&["targetPort"], n),
            Err(_) if target.is_empty() => entry.set(&["targetPort"], number),
            Err(_) => entry.set(&["targetPort"], target),
        }
        ports.push(entry);
    }
    Ok(Value::from(ports))
}
