//! `kubectl cordon`, `uncordon`, `drain` and `taint`.

use std::time::Duration;

use super::builder::{self, Info, Select};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::options::{ALL, CHUNK, DRY_RUN, PAGE_OBJECTS, SELECTOR, VALIDATE, field_manager};
use super::output::{PRINT, Report};
use crate::api::client::item;
use crate::api::{Body, Method, PatchType, Request, names};
use crate::flat::Case;
use crate::obj;
use crate::sim::timeout;
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};

const GROUP: &str = "Cluster Management Commands:";

pub static CORDON: Verb = Verb {
    name: "cordon",
    group: GROUP,
    short: "Mark node as unschedulable",
    flags: &[SELECTOR, DRY_RUN],
    run: Some(|c| Box::pin(cordon(c))),
    ..VERB
};

pub static UNCORDON: Verb = Verb {
    name: "uncordon",
    group: GROUP,
    short: "Mark node as schedulable",
    flags: &[SELECTOR, DRY_RUN],
    run: Some(|c| Box::pin(cordon(c))),
    ..VERB
};

const DRAIN_FLAGS: &[Flag] = &[
    flag("delete-emptydir-data", '\0', Kind::Bool, "false"),
    flag("disable-eviction", '\0', Kind::Bool, "false"),
    flag("force", '\0', Kind::Bool, "false"),
    flag("grace-period", '\0', Kind::Int, "-1"),
    flag("ignore-daemonsets", '\0', Kind::Bool, "false"),
    flag("pod-selector", '\0', Kind::Str, ""),
    flag("skip-wait-for-delete-timeout", '\0', Kind::Int, "0").but(NOT_SIMULATED),
    flag("timeout", '\0', Kind::Duration, "0s"),
];

pub static DRAIN: Verb = Verb {
    name: "drain",
    group: GROUP,
    short: "Drain node in preparation for maintenance",
    flags: &[DRAIN_FLAGS, CHUNK, SELECTOR, DRY_RUN],
    run: Some(|c| Box::pin(drain(c))),
    ..VERB
};

/// How many objects a page of a list has; of verbs without the flag as many as that has by default.
fn page(cmd: &Cmd) -> i64 {
    match cmd.flags.knows("chunk-size") {
        true => cmd.flags.int("chunk-size"),
        false => PAGE_OBJECTS,
    }
}

/// The nodes that the arguments or the selector name.
async fn nodes(cmd: &Cmd) -> Result<Vec<Info>, Error> {
    let selecting = !cmd.flags.str("selector").is_empty();
    let verb = cmd.verb.name;
    if cmd.args.is_empty() && !selecting {
        return Err(Error::usage(format!("USAGE: {verb} NODE [flags]")));
    }
    if !cmd.args.is_empty() && selecting {
        return Err(Error::usage("cannot specify both a node name and a --selector option"));
    }
    cmd.dry_run()?;
    let args = if cmd.args.iter().any(|a| a.contains('/')) {
        cmd.args.clone()
    } else {
        let mut args = vec!["nodes".to_owned()];
        args.extend(cmd.args.iter().cloned());
        args
    };
    let select = Select {
        args,
        labels: cmd.flags.str("selector").to_owned(),
        limit: page(cmd),
        single_type: true,
        typed: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, true).await?;
    // The first failure ends it.
    if let Some(first) = found.errors.into_iter().next() {
        return Err(first);
    }
    for info in &found.infos {
        let r = &info.resource;
        if &*r.kind != "Node" {
            let what = format!("{}, Resource={}", r.group_version(), r.name);
            return Err(Error::plain(format!(
                "expected resource of type node, got {what}",
                what = quoted(&what)
            )));
        }
    }
    Ok(found.infos)
}

/// Marks a node, and says so.
async fn mark(cmd: &Cmd, info: &Info, off: bool) -> Result<(), Error> {
    let word = if off { "cordoned" } else { "uncordoned" };
    if info.object.bool_at(&["spec", "unschedulable"]) == off {
        return Report::new(cmd, &format!("already {word}"))?.print(cmd, &info.object);
    }
    if cmd.dry_run()? != DryRun::Client {
        let value = if off { Value::Bool(true) } else { Value::Null };
        let patch = obj! { "spec": obj! { "unschedulable": value } };
        // It names no manager: the API server takes the program's name.
        let write = Write::of(cmd, "")?;
        cmd.patch(&info.resource, "", &info.name, "", PatchType::Strategic, &patch, &write)
            .await?;
    }
    Report::new(cmd, word)?.print(cmd, &info.object)
}

async fn cordon(cmd: &Cmd) -> Result<(), Error> {
    for info in nodes(cmd).await? {
        mark(cmd, &info, cmd.verb.name == "cordon").await?;
    }
    Ok(())
}

/// What becomes of a pod of a drained node.
enum Fate {
    Stay,
    StayBut(&'static str),
    Go,
    GoBut(&'static str),
    Refuse(&'static str),
}

fn fate(cmd: &Cmd, pod: &Value) -> Fate {
    let finished = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    let owners = pod.at(&["metadata", "ownerReferences"]).items();
    let controller = owners.iter().find(|o| o.bool_at(&["controller"]));
    if controller.is_some_and(|c| c.str_at(&["kind"]) == "DaemonSet") && !finished {
        return if cmd.flags.bool("ignore-daemonsets") {
            Fate::StayBut("ignoring DaemonSet-managed Pods")
        } else {
            Fate::Refuse("cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")
        };
    }
    if pod.at(&["metadata", "annotations"]).has(names::MIRROR) {
        return Fate::Stay;
    }
    let local = pod
        .at(&["spec", "volumes"])
        .items()
        .iter()
        .any(|v| !v.get("emptyDir").is_null());
    if local && !finished && !cmd.flags.bool("delete-emptydir-data") {
        return Fate::Refuse("cannot delete Pods with local storage (use --delete-emptydir-data to override)");
    }
    if controller.is_none() && !finished {
        return if cmd.flags.bool("force") {
            Fate::GoBut("deleting Pods that declare no controller")
        } else {
            Fate::Refuse("cannot delete Pods that declare no controller (use --force to override)")
        };
    }
    Fate::Go
}

/// `message: pod, pod` for each message, in the order in which they came up.
fn grouped(list: &[(&'static str, String)]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (message, pod) in list {
        match groups.iter_mut().find(|(m, _)| m == message) {
            Some((_, pods)) => pods.push(pod),
            None => groups.push((message, vec![pod])),
        }
    }
    groups
        .iter()
        .map(|(m, pods)| format!("{m}: {}", pods.join(", ")))
        .collect()
}

async fn drain(cmd: &Cmd) -> Result<(), Error> {
    let selector = cmd.flags.str("pod-selector");
    if (cmd.args.is_empty() || !cmd.flags.has("selector")) && crate::api::Selector::parse(selector).is_err() {
        return Err(Error::plain(
            "--pod-selector=<pod_selector> must be a valid label selector",
        ));
    }
    let nodes = nodes(cmd).await?;
    let pods = cmd.client.resource("", "v1", "pods")?;
    let dry = cmd.dry_run()?;
    for info in &nodes {
        mark(cmd, info, true).await?;
    }
    let mut failed: Vec<Error> = Vec::new();
    let mut pending: Vec<&str> = Vec::new();
    for info in &nodes {
        let fields = format!("spec.nodeName={}", info.name);
        let list = cmd.list_by(&pods, "", selector, &fields, page(cmd)).await?;
        let (mut go, mut refused, mut warned) = (Vec::new(), Vec::new(), Vec::new());
        for pod in list.get("items").items() {
            let name = format!(
                "{}/{}",
                pod.str_at(&["metadata", "namespace"]),
                pod.str_at(&["metadata", "name"])
            );
            look_for_owner(cmd, pod).await?;
            match fate(cmd, pod) {
                Fate::Stay => {}
                Fate::StayBut(why) => warned.push((why, name)),
                Fate::Go => go.push(pod.clone()),
                Fate::GoBut(why) => {
                    warned.push((why, name));
                    go.push(pod.clone());
                }
                Fate::Refuse(why) => refused.push((why, name)),
            }
        }
        let mut errors = grouped(&refused);
        if errors.is_empty() {
            let warnings = grouped(&warned);
            if !warnings.is_empty() {
                cmd.err(format!("Warning: {}", warnings.join("; ")));
            }
            if !go.is_empty() && dry != DryRun::Client && !cmd.flags.bool("disable-eviction") {
                // Whether the server knows evictions.
                cmd.send(Request::get("/api/v1")).await?;
            }
            errors = evict_all(cmd, &go, dry).await;
            if let Some(said) = aggregate(&errors) {
                cmd.err(format!(
                    "There are pending pods in node {} when an error occurred: {said}",
                    quoted(&info.name)
                ));
                for pod in &go {
                    cmd.err(format!("pod/{}", pod.str_at(&["metadata", "name"])));
                }
            }
        }
        let Some(said) = aggregate(&errors) else {
            Report::new(cmd, "drained")?.print(cmd, &info.object)?;
            continue;
        };
        cmd.err(format!(
            "error: unable to drain node {} due to error: {said}, continuing command...",
            quoted(&info.name)
        ));
        pending.push(&info.name);
        failed.extend(errors.into_iter().map(Error::Plain));
    }
    if failed.is_empty() {
        return Ok(());
    }
    cmd.err("There are pending nodes to be drained:");
    for name in pending {
        cmd.err(format!(" {name}"));
    }
    Err(Error::Many(failed))
}

/// Reads the DaemonSet of a pod that has one and has not ended, as what finds out about it does.
async fn look_for_owner(cmd: &Cmd, pod: &Value) -> Result<(), Error> {
    let owners = pod.at(&["metadata", "ownerReferences"]).items();
    let owner = owners.iter().find(|o| o.bool_at(&["controller"]));
    let ended = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    if let Some(owner) = owner.filter(|o| o.get("kind").str() == "DaemonSet" && !ended) {
        let resource = cmd.client.resource("apps", "v1", "daemonsets")?;
        let namespace = pod.str_at(&["metadata", "namespace"]);
        match cmd.get(&resource, namespace, owner.get("name").str()).await {
            Err(e) if !e.is_not_found() => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Evicts pods at the same time: what went wrong.
async fn evict_all(cmd: &Cmd, pods: &[Value], dry: DryRun) -> Vec<String> {
    let limit = cmd.flags.duration("timeout");
    let one = |pod: &Value| {
        let pod = pod.clone();
        async move {
            let name = pod.str_at(&["metadata", "name"]).to_owned();
            let namespace = pod.str_at(&["metadata", "namespace"]).to_owned();
            let work = evict(cmd, &pod, dry);
            let late = format!(
                "error when evicting pods/{name} -n {namespace}: global timeout reached: {}",
                cmd.flags.str("timeout"),
                name = quoted(&name),
                namespace = quoted(&namespace)
            );
            if limit.is_zero() {
                work.await.err()
            } else {
                timeout(cmd.sim(), limit, work).await.unwrap_or(Err(late)).err()
            }
        }
    };
    crate::sim::join_all(pods.iter().map(one))
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn evict(cmd: &Cmd, pod: &Value, dry: DryRun) -> Result<(), String> {
    let name = pod.str_at(&["metadata", "name"]);
    let namespace = pod.str_at(&["metadata", "namespace"]);
    let deleting = cmd.flags.bool("disable-eviction");
    let (doing, done) = if deleting {
        ("deleting", "deleted")
    } else {
        ("evicting", "evicted")
    };
    let suffix = match dry {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    let resource = cmd.client.resource("", "v1", "pods").map_err(|s| s.to_string())?;
    let mut options = obj! {};
    let grace = cmd.flags.int("grace-period");
    if grace >= 0 {
        options.set(&["gracePeriodSeconds"], grace);
    }
    if dry == DryRun::Server {
        options.set(&["dryRun"], crate::list!["All"]);
    }
    loop {
        cmd.say(format!("{doing} pod {namespace}/{name}{suffix}"));
        if dry == DryRun::Client {
            break;
        }
        let result = if deleting {
            cmd.remove(&resource, namespace, name, &options).await.map(|_| ())
        } else {
            let body = obj! {
                "apiVersion": "policy/v1",
                "deleteOptions": options.clone(),
                "kind": "Eviction",
                "metadata": obj! { "name": name, "namespace": namespace },
            };
            let path = format!("{}/eviction", item(&resource, namespace, name));
            let request = Request::new(Method::Post, path).body(Body::Value(body));
            cmd.send(request).await.map(|_| ())
        };
        match result {
            Ok(()) => break,
            Err(e) if e.is_not_found() => return Ok(()),
            Err(Error::Status(s)) if s.reason() == "TooManyRequests" => {
                cmd.err(format!(
                    "error when evicting pods/{name} -n {namespace} (will retry after 5s): {}",
                    s.message(),
                    name = quoted(&name),
                    namespace = quoted(&namespace)
                ));
                cmd.sim().sleep(Duration::from_secs(5)).await;
            }
            Err(e) => {
                return Err(format!(
                    "error when evicting pods/{name} -n {namespace}: {}",
                    e.message(),
                    name = quoted(&name),
                    namespace = quoted(&namespace)
                ));
            }
        }
    }
    if dry != DryRun::None {
        return Ok(());
    }
    // Its end is asked for each second.
    loop {
        match cmd.get(&resource, namespace, name).await {
            Ok(now) if now.at(&["metadata", "uid"]) == pod.at(&["metadata", "uid"]) => {
                cmd.sim().sleep(Duration::from_secs(1)).await;
            }
            Err(e) if !e.is_not_found() => {
                return Err(format!(
                    "error when waiting for pod {name} in namespace {namespace} to terminate: {}",
                    e.message(),
                    name = quoted(&name),
                    namespace = quoted(&namespace)
                ));
            }
            _ => break,
        }
    }
    cmd.say(format!("pod/{name} {done}"));
    Ok(())
}

const TAINT_FLAGS: &[Flag] = &[flag("overwrite", '\0', Kind::Bool, "false")];

pub static TAINT: Verb = Verb {
    name: "taint",
    group: GROUP,
    short: "Update the taints on one or more nodes",
    flags: &[
        TAINT_FLAGS,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        VALIDATE,
        &[field_manager("kubectl-taint")],
    ],
    run: Some(|c| Box::pin(taint(c))),
    ..VERB
};

/// A taint to set, or (with an effect or any) to remove.
struct Change {
    key: String,
    value: String,
    effect: String,
    remove: bool,
}

fn change(spec: &str) -> Result<Change, Error> {
    let (bare, remove) = match spec.strip_suffix('-') {
        Some(b) => (b, true),
        None => (spec, false),
    };
    let wrong = |why: &str| Error::usage(format!("invalid taint spec: {bare}{why}"));
    let (left, effect) = match bare.split_once(':') {
        Some((l, e)) if !e.contains(':') => (l, Some(e)),
        Some(_) => return Err(wrong("")),
        None => (bare, None),
    };
    if let Some(effect) = effect.filter(|e| !matches!(*e, "NoSchedule" | "PreferNoSchedule" | "NoExecute")) {
        return Err(Error::usage(format!(
            "invalid taint effect: {effect}, unsupported taint effect"
        )));
    }
    // Without an effect the whole text is taken for a key.
    let (key, value) = match effect {
        Some(_) => left.split_once('=').unwrap_or((left, "")),
        None => (left, ""),
    };
    if value.contains('=') {
        return Err(wrong(""));
    }
    if let Err(why) = names::label_value(value) {
        return Err(wrong(&format!(", {why}")));
    }
    if let Err(why) = names::label_key(key) {
        return Err(wrong(&format!(", {why}")));
    }
    let effect = effect.unwrap_or_default();
    if effect.is_empty() && !remove {
        return Err(Error::usage(format!("invalid taint spec: {spec}")));
    }
    Ok(Change {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
        remove,
    })
}

async fn taint(cmd: &Cmd) -> Result<(), Error> {
    cmd.dry_run()?;
    cmd.validation()?;
    let is_change = |a: &String| a.contains('=') || a.contains(':') || a.ends_with('-');
    let at = cmd.args.iter().position(is_change).unwrap_or(cmd.args.len());
    let (resources, specs) = cmd.args.split_at(at);
    if let Some(resource) = specs.iter().find(|a| !is_change(a)) {
        return Err(Error::plain(format!(
            "all resources must be specified before taint changes: {resource}"
        )));
    }
    let Some((kind, names)) = resources.split_first() else {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name>",
        ));
    };
    if specs.is_empty() {
        return Err(Error::plain("at least one taint update is required"));
    }
    let (mut add, mut remove): (Vec<Change>, Vec<Change>) = (Vec::new(), Vec::new());
    for spec in specs {
        let change = change(spec)?;
        if change.remove {
            remove.push(change);
        } else if add.iter().any(|a| a.key == change.key && a.effect == change.effect) {
            return Err(Error::usage(format!(
                "duplicated taints with the same key and effect: {{{} {} {} <nil>}}",
                change.key, change.value, change.effect
            )));
        } else {
            add.push(change);
        }
    }
    let word = kind.lower();
    if word.contains(',') {
        return Err(Error::plain("unrecognized character in action: U+002C ','"));
    }
    // Of `TYPE.GROUP/NAME` all after the first dot is taken for the group, of which a beginning is enough.
    let named = match word.split_once('/') {
        Some((named, _)) if named.contains('.') => named,
        _ => &word,
    };
    if named.contains('/') {
        return Err(Error::Text(format!(
            "the server doesn't have a resource type {named}",
            named = quoted(&named)
        )));
    }
    let resource = super::mapper::resource(cmd, named).map_err(|e| Error::Text(e.message()))?;
    if &*resource.kind != "Node" {
        return Err(Error::plain(format!(
            "invalid resource type {word}, only node types are supported"
        )));
    }
    let mut both: Vec<String> = Vec::new();
    for a in &add {
        let conflicts = remove
            .iter()
            .filter(|r| a.key == r.key && (r.effect.is_empty() || a.effect == r.effect));
        both.extend(conflicts.map(|r| format!("{}={}", r.key, r.effect)));
    }
    if !both.is_empty() {
        return Err(Error::plain(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            both.join(", ")
        )));
    }
    let all = cmd.flags.bool("all");
    let selecting = !cmd.flags.all("selector").is_empty();
    if all && selecting {
        return Err(Error::plain(
            "setting 'all' parameter with a non empty selector is prohibited",
        ));
    }
    if !all && !selecting && names.is_empty() {
        return Err(Error::plain(
            "at least one resource name must be specified since 'all' parameter is not set",
        ));
    }
    let mut select = Select::of(cmd);
    select.args = vec!["nodes".to_owned()];
    if !all && !selecting {
        select.args.extend(names.iter().cloned());
    }
    select.files = false;
    let found = builder::find(cmd, &select, true).await?;
    let mut errors = found.errors;
    for info in &found.infos {
        if let Err(e) = taint_one(cmd, info, &add, &remove).await {
            errors.extend(e);
        }
    }
    Error::all(errors)
}

/// Changes the taints of one node. The new ones stand first, as kubectl puts them.
async fn taint_one(cmd: &Cmd, info: &Info, add: &[Change], remove: &[Change]) -> Result<(), Vec<Error>> {
    let old = info.object.at(&["spec", "taints"]).items();
    let same = |t: &Value, c: &Change| {
        t.str_at(&["key"]) == c.key && (c.effect.is_empty() || t.str_at(&["effect"]) == c.effect)
    };
    let overwrite = cmd.flags.bool("overwrite");
    let taken = add.iter().filter(|c| old.iter().any(|t| same(t, c)));
    let taken: Vec<&str> = taken.map(|c| c.key.as_str()).collect();
    if !taken.is_empty() && !overwrite {
        return Err(vec![Error::plain(format!(
            "node {} already has {} taint(s) with same effect(s) and --overwrite is false",
            info.name,
            taken.join(",")
        ))]);
    }
    let mut taints: Vec<Value> = Vec::new();
    for c in add {
        let mut t = obj! { "effect": c.effect.as_str(), "key": c.key.as_str() };
        t.set_or_remove(&["value"], c.value.as_str());
        taints.push(t);
    }
    taints.extend(old.iter().filter(|t| !add.iter().any(|c| same(t, c))).cloned());
    let added = taints.len() != old.len();
    let (mut removed, mut missing) = (false, Vec::new());
    for c in remove {
        let before = taints.len();
        taints.retain(|t| !same(t, c));
        removed = taints.len() != before;
        if !removed {
            let shown = match c.effect.as_str() {
                "" => c.key.clone(),
                effect => format!("{}:{effect}", c.key),
            };
            missing.push(Error::plain(format!("taint {shown} not found", shown = quoted(&shown))));
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    let said = match (added, removed) {
        _ if overwrite => "modified",
        (true, true) => "modified",
        (true, false) => "tainted",
        _ => "untainted",
    };
    taint_store(cmd, info, taints, said).await.map_err(|e| vec![e])
}

async fn taint_store(cmd: &Cmd, info: &Info, taints: Vec<Value>, said: &str) -> Result<(), Error> {
    let list = if taints.is_empty() {
        Value::Null
    } else {
        Value::from(taints)
    };
    let patch = obj! { "spec": obj! { "taints": list } };
    let stored = if cmd.dry_run()? == DryRun::Client {
        super::apply::merge(&info.object, &patch)
    } else {
        let write = Write::of(cmd, "kubectl-taint")?;
        cmd.patch(&info.resource, "", &info.name, "", PatchType::Merge, &patch, &write)
            .await?
    };
    Report::bare(cmd, said)?.typed().print(cmd, &stored)
}
