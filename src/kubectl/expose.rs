//! `kubectl expose`: a service for what an object selects.

use super::builder::{self, Info, Select};
use super::change::pod_spec;
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::label_pairs;
use super::options::{DRY_RUN, FILES, RECORD, SAVE_CONFIG, field_manager};
use super::output::{PRINT, Report};
use super::run::parse_labels;
use crate::flat::Case;
use crate::value::{Value, quoted};
use crate::{list, obj};

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

/// What the flags say, and where they say nothing, what the first object said that had it: kubectl keeps that for the
/// other objects of a run.
#[derive(Default)]
struct Kept {
    selector: String,
    /// A single port.
    port: String,
    /// Several ports of an object; they go before `port`.
    ports: String,
    /// The protocols of each port.
    protocols: Vec<(i64, Vec<String>)>,
    labels: String,
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let select = Select {
        typed: true,
        args: cmd.args.clone(),
        files: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, false).await?;
    let mut report = Report::new(cmd, "exposed")?.typed();
    let mut kept = Kept {
        selector: cmd.flags.str("selector").to_owned(),
        port: cmd.flags.str("port").to_owned(),
        labels: cmd.flags.str("labels").to_owned(),
        ..Kept::default()
    };
    found
        .each(async |info| one(cmd, info, &mut report, &mut kept).await)
        .await
}

/// The selector of an object that can be exposed, as kubectl writes it.
fn own_selector(info: &Info) -> Result<String, String> {
    let object = &info.object;
    match &*info.resource.kind {
        "ReplicationController" => Ok(label_pairs(object.at(&["spec", "selector"]))),
        "Pod" => match object.at(&["metadata", "labels"]) {
            labels if labels.is_empty() => Err("the pod has no labels and cannot be exposed".to_owned()),
            labels => Ok(label_pairs(labels)),
        },
        "Service" => match object.at(&["spec", "selector"]) {
            Value::Null => Err("the service has no pod selector set".to_owned()),
            selector => Ok(label_pairs(selector)),
        },
        kind => {
            let labels = object.at(&["spec", "selector", "matchLabels"]);
            if labels.is_empty() {
                let kind = kind.lower();
                return Err(format!("invalid {kind}: no selectors, therefore cannot be exposed"));
            }
            let expressions = object.at(&["spec", "selector", "matchExpressions"]).items();
            if expressions.is_empty() {
                return Ok(label_pairs(labels));
            }
            let shown = expressions.iter().map(|e| {
                let values: Vec<&str> = e.get("values").items().iter().map(Value::str).collect();
                let (key, operator) = (e.str_at(&["key"]), e.str_at(&["operator"]));
                format!("{{Key:{key} Operator:{operator} Values:[{}]}}", values.join(" "))
            });
            let shown: Vec<String> = shown.collect();
            Err(format!(
                "couldn't convert expressions - \"[{}]\" to map-based selector format",
                shown.join(" ")
            ))
        }
    }
}

/// An object's ports, each with its protocols.
fn own_ports(info: &Info) -> Vec<(i64, Vec<String>)> {
    let kind = &*info.resource.kind;
    let object = &info.object;
    let mut own: Vec<(i64, Vec<String>)> = Vec::new();
    let mut add = |ports: &Value, field: &str| {
        for p in ports.items() {
            let number = p.i64_at(&[field]).unwrap_or(0);
            let protocol = match p.str_at(&["protocol"]) {
                "" => "TCP",
                given => given,
            };
            match own.iter_mut().find(|(n, _)| *n == number) {
                Some((_, protocols)) => protocols.push(protocol.to_owned()),
                None => own.push((number, vec![protocol.to_owned()])),
            }
        }
    };
    if kind == "Service" {
        add(object.at(&["spec", "ports"]), "port");
    } else {
        let spec = pod_spec(kind).map_or(&Value::Null, |path| object.at(path));
        for container in spec.get("containers").items() {
            add(container.get("ports"), "containerPort");
        }
    }
    own
}

async fn one(cmd: &Cmd, info: &Info, report: &mut Report, kept: &mut Kept) -> Result<(), Error> {
    let kind = &*info.resource.kind;
    let exposable = ["ReplicationController", "Service", "Pod", "Deployment", "ReplicaSet"];
    if !exposable.contains(&kind) {
        return Err(Error::plain(format!("cannot expose a {}", info.resource.group_kind())));
    }
    if kept.selector.is_empty() {
        let own = own_selector(info);
        kept.selector = own.map_err(|why| {
            Error::plain(format!(
                "couldn't retrieve selectors via --selector flag or introspection: {why}"
            ))
        })?;
    }
    let own = own_ports(info);
    if kept.port.is_empty() {
        let numbers: Vec<String> = own.iter().map(|(number, _)| number.to_string()).collect();
        match numbers.as_slice() {
            [] if cmd.flags.str("cluster-ip") != "None" => {
                return Err(Error::plain("couldn't find port via --port flag or introspection"));
            }
            [] => {}
            [one] => kept.port.clone_from(one),
            many => kept.ports = many.join(","),
        }
    }
    if !own.is_empty() {
        kept.protocols = own;
    }
    if kept.labels.is_empty() {
        kept.labels = label_pairs(info.object.at(&["metadata", "labels"]));
    }
    let mut service = service(cmd, info, kept)?;
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
        service = cmd.create(&resource, &cmd.namespace(), &service, &write).await?;
    }
    report.print(cmd, &service)
}

/// The service of the flags and of what was kept.
fn service(cmd: &Cmd, info: &Info, kept: &Kept) -> Result<Value, Error> {
    if kept.selector.is_empty() {
        return Err(Error::plain("selector must be specified"));
    }
    let selector = parse_labels(&kept.selector)?;
    let labels = match kept.labels.is_empty() {
        true => Value::Null,
        false => parse_labels(&kept.labels)?,
    };
    let name = match cmd.flags.str("name") {
        "" => info.name.chars().take(63).collect(),
        given => given.to_owned(),
    };
    if name.is_empty() {
        return Err(Error::plain("name must be specified"));
    }
    let mut service = obj! {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": obj! { "name": name },
        "spec": obj! { "ports": ports(cmd, kept)?, "selector": selector },
        "status": obj! { "loadBalancer": obj! {} },
    };
    service.set_or_remove(&["metadata", "labels"], labels);
    let external = cmd.flags.str("external-ip");
    if !external.is_empty() {
        service.set(&["spec", "externalIPs"], list![external]);
    }
    let kind = cmd.flags.str("type");
    service.set_or_remove(&["spec", "type"], kind);
    if kind == "LoadBalancer" {
        service.set_or_remove(&["spec", "loadBalancerIP"], cmd.flags.str("load-balancer-ip"));
    }
    let affinity = cmd.flags.str("session-affinity");
    if !matches!(affinity, "" | "None" | "ClientIP") {
        return Err(Error::plain(format!("unknown session affinity: {affinity}")));
    }
    service.set_or_remove(&["spec", "sessionAffinity"], affinity);
    service.set_or_remove(&["spec", "clusterIP"], cmd.flags.str("cluster-ip"));
    Ok(service)
}

/// The service's ports: those of the flags, or those that an object had. A port of several protocols is as many ports.
fn ports(cmd: &Cmd, kept: &Kept) -> Result<Value, Error> {
    let text = match kept.ports.is_empty() {
        true => &kept.port,
        false => &kept.ports,
    };
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let target = cmd.flags.str("target-port");
    let given = cmd.flags.str("protocol");
    let words: Vec<&str> = text.split(',').collect();
    let mut ports = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let number: i64 = word.parse().map_err(|_| {
            Error::plain(format!(
                "strconv.Atoi: parsing {word}: invalid syntax",
                word = quoted(&word)
            ))
        })?;
        let mut add = |name: String, protocol: &str| {
            let mut port = obj! { "port": number, "protocol": protocol };
            port.set_or_remove(&["name"], name);
            match target.parse::<i64>() {
                Ok(n) => port.set(&["targetPort"], n),
                Err(_) if target.is_empty() => port.set(&["targetPort"], number),
                Err(_) => port.set(&["targetPort"], target),
            }
            ports.push(port);
        };
        let name = match words.len() {
            1 => String::new(),
            _ => format!("port-{}", i + 1),
        };
        let own = kept.protocols.iter().find(|(n, _)| *n == number);
        match own.map(|(_, protocols)| protocols.as_slice()) {
            _ if !given.is_empty() => add(name, given),
            None | Some([]) => add(name, "TCP"),
            Some([one]) => add(name, one),
            Some(many) => {
                for protocol in many {
                    add(format!("port-{}-{}", i + 1, protocol.lower()), protocol);
                }
            }
        }
    }
    Ok(Value::from(ports))
}
