//! What may be written through `/status`: counts, conditions, addresses, and how a status may go on
//! from the one before (`Validate…StatusUpdate` of each group's validation).

use super::{pod_validation, resources, workload};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::flat::FlatSet;
use crate::value::Value;

/// The status of a ReplicaSet or ReplicationController.
pub(super) fn replica_set(status: &Value, errors: &mut FieldErrors) {
    let counted = [
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "terminatingReplicas",
        "observedGeneration",
    ];
    counts(status, &counted, errors);
    let of_all = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    at_most(status, &of_all, "readyReplicas", errors);
}

/// The types of conditions: each has one, and no two the same.
pub(super) fn kinds_of_conditions(status: &Value, errors: &mut FieldErrors) {
    let mut seen = FlatSet::new();
    for (i, condition) in status.get("conditions").items().iter().enumerate() {
        let (at, kind) = (format!("status.conditions[{i}].type"), condition.get("type"));
        if !seen.insert(kind.str()) {
            errors.duplicate(&at, kind);
        }
        if kind.is_empty() {
            errors.required(at, "must not be empty");
        }
    }
}

/// A count, 0 where there is none.
fn count(status: &Value, name: &str) -> i64 {
    status.i64_at(&[name]).unwrap_or(0)
}

/// Numbers that must not be negative.
pub(super) fn counts(status: &Value, names: &[&str], errors: &mut FieldErrors) {
    for name in names {
        workload::non_negative(status.get(name), format_args!("status.{name}"), errors);
    }
}

/// A count that must not be above another.
fn more_than(status: &Value, name: &str, other: &str, shown: &str, errors: &mut FieldErrors) {
    if count(status, name) > count(status, other) {
        let why = format!("cannot be greater than {shown}");
        errors.invalid(format!("status.{name}"), &count(status, name).into(), why);
    }
}

/// Counts of some of the replicas. Those that are available are also ready, which is said in the words `ready`.
pub(super) fn at_most(status: &Value, names: &[&str], ready: &str, errors: &mut FieldErrors) {
    for name in names {
        more_than(status, name, "replicas", "status.replicas", errors);
    }
    more_than(status, "availableReplicas", "readyReplicas", ready, errors);
}

/// The count of names that were taken only grows.
pub(super) fn collisions(status: &Value, old: &Object, errors: &mut FieldErrors) {
    let Some(before) = old.status().i64_at(&["collisionCount"]) else {
        return;
    };
    let now = status.i64_at(&["collisionCount"]);
    if now.is_none_or(|n| n < before) {
        let shown = Value::from(now.unwrap_or(0));
        errors.invalid("status.collisionCount", &shown, "cannot be decremented");
    }
}

/// The form of a condition's reason.
fn is_reason(text: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b',' | b':');
    let last = text.bytes().next_back();
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(known)
        && last.is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Checks `metav1.Condition`s (`ValidateConditions`).
pub(super) fn conditions(list: &Value, field: &str, errors: &mut FieldErrors) {
    const REASON: usize = 1 << 10;
    const MESSAGE: usize = 32 << 10;
    let mut seen = FlatSet::new();
    for (i, condition) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let kind = condition.get("type");
        if !seen.insert(kind.str()) {
            errors.duplicate(format!("{at}.type"), kind);
        }
        errors.check(format!("{at}.type"), kind, names::label_key);
        let value = Value::from(condition.get("status").str());
        errors.enumerated(format!("{at}.status"), &value, &["False", "True", "Unknown"]);
        let observed = condition.get("observedGeneration");
        if observed.as_i64().is_some_and(|n| n < 0) {
            let why = "must be greater than or equal to zero";
            errors.invalid(format!("{at}.observedGeneration"), observed, why);
        }
        if condition.get("lastTransitionTime").is_empty() {
            errors.required(format!("{at}.lastTransitionTime"), "");
        }
        let reason = condition.get("reason");
        if reason.is_empty() {
            errors.required(format!("{at}.reason"), "");
        } else if !is_reason(reason.str()) {
            let why = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
            errors.invalid(format!("{at}.reason"), reason, why);
        }
        for (part, most) in [("reason", REASON), ("message", MESSAGE)] {
            if condition.get(part).str().len() > most {
                errors.too_long(format!("{at}.{part}"), most);
            }
        }
    }
}

/// Where a load balancer takes what comes (`ValidateLoadBalancerStatus`).
pub(super) fn load_balancer(new: &Value, of_service: bool, balances: bool, errors: &mut FieldErrors) {
    let field = "status.loadBalancer.ingress";
    let list = new.at(&["status", "loadBalancer", "ingress"]).items();
    if !balances && !list.is_empty() {
        return errors.forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'");
    }
    for (i, ingress) in list.iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (ip, host, mode) = (ingress.get("ip"), ingress.get("hostname"), ingress.get("ipMode"));
        errors.check_some(format!("{at}.ip"), ip, names::ip);
        if of_service && ip.is_empty() && !mode.is_null() {
            let why = "may not be specified when `ip` is not set";
            errors.forbidden(format!("{at}.ipMode"), why);
        } else if of_service {
            errors.enumerated(format!("{at}.ipMode"), mode, &["Proxy", "VIP"]);
        }
        errors.check_some(format!("{at}.hostname"), host, names::dns1123_subdomain);
        if host.str().parse::<std::net::IpAddr>().is_ok() {
            errors.invalid(format!("{at}.hostname"), host, "must be a DNS name, not an IP address");
        }
    }
}

/// A node's addresses differ; what it has has amounts.
pub(super) fn node(status: &Value, errors: &mut FieldErrors) {
    node_resources(status, errors);
    let addresses = status.get("addresses").items();
    for (i, address) in addresses.iter().enumerate() {
        if addresses.iter().take(i).any(|a| a == address) {
            let text = format!(
                r#"{{"Type":{},"Address":{}}}"#,
                address.get("type").to_json(),
                address.get("address").to_json()
            );
            errors.duplicate_as(format!("status.addresses[{i}]"), text);
        }
    }
}

/// The amounts of what a node has and gives.
pub(super) fn node_resources(status: &Value, errors: &mut FieldErrors) {
    for list in ["capacity", "allocatable"] {
        for (name, amount) in status.get(list).entries() {
            resources::amount(name, amount, &format!("status.{list}.{}", &**name), errors);
        }
    }
}

/// `ValidatePodStatusUpdate`.
pub(super) fn pod(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let (status, before, spec) = (new.get("status"), old.status(), old.spec());
    pod_validation::annotation_updates(new, old, errors);
    for (i, condition) in status.get("conditions").items().iter().enumerate() {
        let kind = condition.get("type");
        if !matches!(kind.str(), "PodScheduled" | "Ready" | "Initialized") {
            // The real server says this of the metadata.
            errors.check(format_args!("metadata.conditions[{i}].Type"), kind, names::label_key);
        }
    }
    let nominated = status.get("nominatedNodeName");
    if nominated != before.get("nominatedNodeName") {
        errors.check_some("status.nominatedNodeName", nominated, names::dns1123_subdomain);
    }
    let class = status.get("qosClass").str();
    if class != before.get("qosClass").str() {
        errors.invalid("status.qosClass", &class.into(), "field is immutable");
    }
    for (list, of) in [
        ("containerStatuses", "containers"),
        ("initContainerStatuses", "initContainers"),
        ("ephemeralContainerStatuses", ""),
    ] {
        stays_terminated(status.get(list), before.get(list), spec, of, list, errors);
    }
    let claims = spec.get("resourceClaims").items();
    let mut seen = FlatSet::new();
    for (i, claim) in status.get("resourceClaimStatuses").items().iter().enumerate() {
        let (at, name) = (format!("status.resourceClaimStatuses[{i}].name"), claim.get("name"));
        if !claims.iter().any(|c| c.get("name") == name) {
            let why = "must match the name of an entry in `spec.resourceClaims`";
            errors.invalid(&at, name, why);
        }
        if !seen.insert(name.str()) {
            errors.duplicate(&at, name);
        }
        errors.check_some(at, claim.get("resourceClaimName"), names::dns1123_subdomain);
    }
    addresses(status, "podIPs", errors);
    addresses(status, "hostIPs", errors);
}

/// A container that ended and is not started again stays so (`ValidateContainerStateTransition`).
/// `of` names the containers in the spec; ephemeral ones never start again.
fn stays_terminated(new: &Value, old: &Value, spec: &Value, of: &str, list: &str, errors: &mut FieldErrors) {
    let policy = match of {
        "" => "Never",
        _ => spec.str_at(&["restartPolicy"]),
    };
    if policy == "Always" {
        return;
    }
    for (i, was) in old.items().iter().enumerate() {
        let ended = was.at(&["state", "terminated"]);
        if ended.is_null() {
            continue;
        }
        let name = was.get("name");
        let container = spec.get(of).items().iter().find(|c| c.get("name") == name);
        let own = container.map_or(&Value::Null, |c| c.get("restartPolicy"));
        let policy = if own.is_empty() { policy } else { own.str() };
        let by_rules = container.is_some_and(|c| !c.get("restartPolicyRules").is_empty());
        let failed = ended.i64_at(&["exitCode"]).unwrap_or(0) != 0;
        if policy == "Always" || by_rules || (policy == "OnFailure" && failed) {
            continue;
        }
        let now = new.items().iter().filter(|s| s.get("name") == name);
        for _ in now.filter(|s| s.at(&["state", "terminated"]).is_null()) {
            let why = "may not be transitioned to non-terminated state";
            errors.forbidden(format!("status.{list}[{i}].state"), why);
        }
    }
}

/// The addresses of a pod or of its host: one of each family.
fn addresses(status: &Value, list: &str, errors: &mut FieldErrors) {
    let field = format!("status.{list}");
    let all = status.get(list);
    let ip = |v: &Value| v.get("ip").clone();
    if list == "hostIPs"
        && let Some(first) = all.items().first()
        && ip(first).str() != status.get("hostIP").str()
    {
        errors.invalid(format!("{field}[0].ip"), &ip(first), "must be equal to `hostIP`");
    }
    for (i, address) in all.items().iter().enumerate() {
        errors.check(format!("{field}[{i}]"), &ip(address), names::ip);
    }
    if all.items().len() < 2 {
        return;
    }
    let six = all.items().iter().filter(|a| ip(a).str().contains(':')).count();
    let dump = |a: &Value| format!(r#"{{"IP":{}}}"#, ip(a).to_json());
    if all.items().len() > 2 || six != 1 {
        let text: Vec<String> = all.items().iter().map(dump).collect();
        let why = "may specify no more than one IP for each IP family";
        errors.invalid_as(&field, format!("[{}]", text.join(",")), why);
    }
    let mut seen = FlatSet::new();
    for (i, address) in all.items().iter().enumerate() {
        if !seen.insert(address.get("ip").str()) {
            errors.add(FieldErrorKind::Duplicate, format!("{field}[{i}]"), dump(address), "");
        }
    }
}
