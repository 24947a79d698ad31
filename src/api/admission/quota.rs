//! `ResourceQuota`: what a namespace may hold, counted when something is created. The quota
//! controller counts with the same rules.

use super::Attributes;
use crate::api::kinds::pod_spec;
use crate::api::object::Object;
use crate::api::quantity::{Format, Quantity};
use crate::api::request::Request;
use crate::api::server::{ApiServer, Target};
use crate::api::status::Status;
use crate::api::views::pod::{Amounts, Sum, total};
use crate::flat::FlatSet;
use crate::sim::{Time, seconds};
use crate::value::Value;

fn one() -> Quantity {
    Quantity::whole(1, Format::Decimal)
}

/// What an object of this resource counts as now, by the names that quotas have (`requests.cpu`, `pods`,
/// `count/configmaps`).
fn usage(group: &str, resource: &str, value: &Value, now: Time) -> Amounts {
    let mut used = Amounts::new();
    let counted = if group.is_empty() {
        format!("count/{resource}")
    } else {
        format!("count/{resource}.{group}")
    };
    used.insert(counted, one());
    match (group, resource) {
        ("", "pods") if counts(value, now) => pod_usage(value, &mut used),
        // What ended holds nothing but its place in etcd.
        ("", "pods") => {}
        ("", "services") => {
            used.insert("services".into(), one());
            let spec = value.get("spec");
            let ports = spec.get("ports").items();
            let kind = spec.get("type").str();
            let none = spec.get("allocateLoadBalancerNodePorts").as_bool() == Some(false);
            let node_ports = match kind {
                "NodePort" => ports.len(),
                "LoadBalancer" if none => ports.iter().filter(|p| !p.get("nodePort").is_empty()).count(),
                "LoadBalancer" => ports.len(),
                _ => 0,
            };
            used.insert(
                "services.nodeports".into(),
                Quantity::whole(node_ports as i64, Format::Decimal),
            );
            let balancers = i64::from(kind == "LoadBalancer");
            used.insert(
                "services.loadbalancers".into(),
                Quantity::whole(balancers, Format::Decimal),
            );
        }
        ("", "persistentvolumeclaims") => {
            used.insert("persistentvolumeclaims".into(), one());
            let size = Quantity::parse_or_zero(value.str_at(&["spec", "resources", "requests", "storage"]));
            used.insert("requests.storage".into(), size);
            let class = value.str_at(&["spec", "storageClassName"]);
            if !class.is_empty() {
                used.insert(format!("{class}.storageclass.storage.k8s.io/requests.storage"), size);
                used.insert(
                    format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"),
                    one(),
                );
            }
        }
        ("", "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas") => {
            used.insert(resource.to_owned(), one());
        }
        _ => {}
    }
    used
}

/// From when on a pod that is being deleted and does not go holds nothing any more: its grace period is added to
/// the end that it was given already.
pub fn stuck_from(pod: &Value) -> Option<Time> {
    let metadata = pod.get("metadata");
    let grace = metadata.i64_at(&["deletionGracePeriodSeconds"])?;
    Some(Time::parse(metadata.str_at(&["deletionTimestamp"]))? + seconds(grace))
}

/// Whether a pod holds more than its place in etcd: it has not ended, and is not stuck in its end (`QuotaV1Pod`).
pub fn counts(pod: &Value, now: Time) -> bool {
    !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed") && stuck_from(pod).is_none_or(|end| now <= end)
}

fn pod_usage(pod: &Value, used: &mut Amounts) {
    used.insert("pods".into(), one());
    let standard = |name: &str| matches!(name, "cpu" | "memory" | "ephemeral-storage");
    for (name, amount) in total(pod, "requests", Sum::actual()) {
        used.insert(format!("requests.{name}"), amount);
        if standard(&name) || name.starts_with("hugepages-") {
            used.insert(name, amount);
        }
    }
    for (name, amount) in total(pod, "limits", Sum::actual()) {
        if standard(&name) {
            used.insert(format!("limits.{name}"), amount);
        }
    }
}

/// Whether a quota's scopes fit a pod. A quota with scopes counts pods only.
fn in_scope(quota: &Object, group: &str, resource: &str, value: &Value) -> bool {
    let spec = quota.spec();
    let mut scopes: Vec<(String, String, Vec<String>)> = spec
        .get("scopes")
        .items()
        .iter()
        .map(|s| (s.str().to_owned(), "Exists".to_owned(), Vec::new()))
        .collect();
    for e in spec.at(&["scopeSelector", "matchExpressions"]).items() {
        scopes.push((
            e.get("scopeName").str().to_owned(),
            e.get("operator").str().to_owned(),
            e.get("values").items().iter().map(|v| v.str().to_owned()).collect(),
        ));
    }
    if scopes.is_empty() {
        return true;
    }
    if (group, resource) != ("", "pods") {
        return false;
    }
    let pod = value.get("spec");
    scopes.iter().all(|(scope, operator, values)| match scope.as_str() {
        "BestEffort" => pod_spec::qos_class(pod) == "BestEffort",
        "NotBestEffort" => pod_spec::qos_class(pod) != "BestEffort",
        "Terminating" => pod.i64_at(&["activeDeadlineSeconds"]).is_some_and(|n| n >= 0),
        "NotTerminating" => pod.i64_at(&["activeDeadlineSeconds"]).is_none(),
        "PriorityClass" => {
            let class = pod.get("priorityClassName").str();
            match operator.as_str() {
                "In" => values.iter().any(|v| v == class),
                "NotIn" => !values.iter().any(|v| v == class),
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        _ => false,
    })
}

/// What a namespace uses of what a quota bounds: counted over the stored objects.
pub fn count(api: &ApiServer, quota: &Object) -> Amounts {
    let (hard, now) = (quota.spec().get("hard"), api.sim().now());
    let mut used: Amounts = hard.entries().map(|(k, _)| (k.to_string(), Quantity::ZERO)).collect();
    // A resource of several versions is counted once.
    let mut walked = FlatSet::new();
    for resource in api.resources().iter() {
        if !resource.namespaced || resource.name.contains('/') || !resource.can("create") {
            continue;
        }
        if !walked.insert((resource.group.clone(), resource.name.clone())) {
            continue;
        }
        let shelf = crate::api::server::shelf_name(resource);
        // Only what the quota could count is walked.
        let names = usage(&resource.group, &resource.name, &Value::Null, now);
        let pods = resource.group.is_empty() && &*resource.name == "pods";
        if !pods
            && !used
                .keys()
                .any(|k| names.contains_key(k) || k.contains(".storageclass."))
        {
            continue;
        }
        api.store().each(&shelf, quota.namespace(), |object| {
            if !in_scope(quota, &resource.group, &resource.name, object.value()) {
                return;
            }
            for (name, amount) in usage(&resource.group, &resource.name, object.value(), now) {
                if let Some(total) = used.get_mut(&name) {
                    *total += amount;
                }
            }
        });
    }
    used
}

fn print(amounts: &[(&String, Quantity)]) -> String {
    let all: Vec<String> = amounts.iter().map(|(k, q)| format!("{k}={q}")).collect();
    all.join(",")
}

/// Refuses what would exceed a quota, and notes in the quotas' status what is used from now on.
pub(super) fn validate(a: &Attributes, value: &Value) -> Result<(), Status> {
    // Of what is there already, these may come to use more.
    let may_grow = a.resizes() || a.is("", "services") || a.is("", "persistentvolumeclaims");
    if (a.old.is_some() && !may_grow) || !a.target.resource.namespaced {
        return Ok(());
    }
    let (group, resource) = (&*a.target.resource.group, &*a.target.resource.name);
    let quotas = a.api.store().list("resourcequotas", &a.target.namespace);
    let quotas: Vec<&Object> = quotas.iter().filter(|q| in_scope(q, group, resource, value)).collect();
    if quotas.is_empty() {
        return Ok(());
    }
    let now = a.api.sim().now();
    let mut delta = usage(group, resource, value, now);
    if let Some(old) = a.old {
        for (name, amount) in usage(group, resource, old.value(), now) {
            let more = delta.get(&name).copied().unwrap_or_default() - amount;
            delta.insert(name, more);
        }
        delta.retain(|_, amount| !amount.is_zero());
        if delta.is_empty() {
            return Ok(());
        }
    }
    let mut writes = Vec::new();
    for quota in quotas {
        let hard = quota.spec().get("hard");
        if (group, resource) == ("", "pods") && a.old.is_none() {
            must_specify(a, quota, value)?;
        }
        let touched: Vec<(&String, Quantity)> = delta
            .iter()
            .filter(|(k, q)| hard.has(k) && !q.is_zero())
            .map(|(k, q)| (k, *q))
            .collect();
        if touched.is_empty() {
            continue;
        }
        let used = count(a.api, quota);
        let of = |k: &String| used.get(k).copied().unwrap_or_default();
        let bound = |k: &String| Quantity::parse_or_zero(hard.get(k).str());
        let zero = Quantity::default();
        let exceeded: Vec<&(&String, Quantity)> = touched
            .iter()
            .filter(|(k, q)| *q > zero && of(k) + *q > bound(k))
            .collect();
        if !exceeded.is_empty() {
            let each = |f: &dyn Fn(&String, Quantity) -> Quantity| -> String {
                let list: Vec<(&String, Quantity)> = exceeded.iter().map(|(k, q)| (*k, f(k, *q))).collect();
                print(&list)
            };
            let why = format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                quota.name(),
                each(&|_, q| q),
                each(&|k, _| of(k)),
                each(&|k, _| bound(k)),
            );
            return Err(a.forbidden(value, why));
        }
        let mut new = quota.value().clone();
        for (name, amount) in &used {
            let more = delta.get(name).copied().unwrap_or_default();
            new.set(&["status", "used", name], (*amount + more).to_string());
        }
        new.set(&["status", "hard"], hard.clone());
        writes.push((quota.name().to_owned(), new));
    }
    if a.request.dry_run() {
        return Ok(());
    }
    for (name, new) in writes {
        write_status(a.api, a.request, &a.target.namespace, &name, new)?;
    }
    Ok(())
}

fn write_status(api: &ApiServer, request: &Request, namespace: &str, name: &str, value: Value) -> Result<(), Status> {
    let Some(resource) = api.resource("", "v1", "resourcequotas") else {
        return Ok(());
    };
    let target = Target {
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
    };
    api.put(request, &target, value)?;
    Ok(())
}

/// A quota on what containers ask makes them ask.
fn must_specify(a: &Attributes, quota: &Object, pod: &Value) -> Result<(), Status> {
    let mut missing = Vec::new();
    for (name, _) in quota.spec().get("hard").entries() {
        let (which, resource) = match name.split_once('.') {
            Some(("requests", r)) => ("requests", r),
            Some(("limits", r)) => ("limits", r),
            None if matches!(&**name, "cpu" | "memory" | "ephemeral-storage") => ("requests", &**name),
            _ => continue,
        };
        if !matches!(resource, "cpu" | "memory" | "ephemeral-storage") {
            continue;
        }
        let spec = pod.get("spec");
        let lacking: Vec<&str> = spec
            .get("containers")
            .items()
            .iter()
            .chain(spec.get("initContainers").items())
            .filter(|c| !c.at(&["resources", which]).has(resource))
            .map(|c| c.get("name").str())
            .collect();
        if !lacking.is_empty() {
            missing.push(format!("{} for: {}", &**name, lacking.join(",")));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(a.forbidden(
        pod,
        format!("failed quota: {}: must specify {}", quota.name(), missing.join("; ")),
    ))
}
