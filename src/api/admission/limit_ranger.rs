//! `LimitRanger`: the defaults and the bounds that a namespace's LimitRanges set.

use super::Attributes;
use crate::api::status::Status;
use crate::api::views::pod::{Amounts, Sum, amounts, total};
use crate::value::Value;
use crate::value::gofmt::aggregate;

/// All items of the namespace's LimitRanges.
fn limits(a: &Attributes) -> Vec<Value> {
    a.api
        .store()
        .list("limitranges", &a.target.namespace)
        .iter()
        .flat_map(|range| range.spec().get("limits").items().to_vec())
        .collect()
}

/// Sets default requests and limits of containers, and notes what it set.
pub(super) fn mutate(a: &Attributes, pod: &mut Value) {
    let mut notes = Vec::new();
    for limit in limits(a) {
        if limit.get("type").str() != "Container" {
            continue;
        }
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            if pod.at(&["spec", list]).is_empty() {
                continue;
            }
            for container in pod.at_mut(&["spec", list]).list_mut() {
                let name = container.get("name").str().to_owned();
                for (from, to, word) in [
                    ("defaultRequest", "requests", "request"),
                    ("default", "limits", "limit"),
                ] {
                    let mut set = Vec::new();
                    for (resource, amount) in limit.get(from).entries() {
                        if !container.at(&["resources", to]).has(resource) {
                            container.set(&["resources", to, resource], amount.clone());
                            set.push(resource.to_string());
                        }
                    }
                    if !set.is_empty() {
                        notes.push(format!("{} {word} for {what} {name}", set.join(", ")));
                    }
                }
            }
        }
    }
    if !notes.is_empty() {
        pod.set(
            &["metadata", "annotations", "kubernetes.io/limit-ranger"],
            format!("LimitRanger plugin set: {}", notes.join("; ")),
        );
    }
}

/// Checks a new pod's containers and sums, or a new claim's size, against the bounds.
pub(super) fn validate(a: &Attributes, value: &Value) -> Result<(), Status> {
    let mut errors = Vec::new();
    if a.creates("", "pods") || a.resizes() {
        for limit in limits(a) {
            let kind = limit.get("type").str();
            match kind {
                "Container" => {
                    for list in ["containers", "initContainers"] {
                        for container in value.at(&["spec", list]).items() {
                            let resources = container.get("resources");
                            check(
                                &limit,
                                kind,
                                &amounts(resources.get("requests")),
                                &amounts(resources.get("limits")),
                                &mut errors,
                            );
                        }
                    }
                }
                "Pod" => {
                    // The overhead is not the pod's own.
                    let sum = Sum {
                        actual: false,
                        overhead: false,
                    };
                    let (requests, limits) = (total(value, "requests", sum), total(value, "limits", sum));
                    check(&limit, kind, &requests, &limits, &mut errors);
                }
                _ => {}
            }
        }
    } else if a.is("", "persistentvolumeclaims") {
        for limit in limits(a) {
            if limit.get("type").str() == "PersistentVolumeClaim" {
                let requests = amounts(value.at(&["spec", "resources", "requests"]));
                check_claim(&limit, &requests, &mut errors);
            }
        }
    }
    match aggregate(&errors) {
        None => Ok(()),
        Some(why) => Err(a.forbidden(value, why)),
    }
}

fn check(limit: &Value, kind: &str, requests: &Amounts, limits: &Amounts, errors: &mut Vec<String>) {
    for (name, bound) in amounts(limit.get("min")) {
        let text = format!("minimum {name} usage per {kind} is {bound}");
        match (requests.get(&name), limits.get(&name)) {
            (None, _) => errors.push(format!("{text}.  No request is specified")),
            (Some(r), _) if *r < bound => errors.push(format!("{text}, but request is {r}")),
            (_, Some(l)) if *l < bound => errors.push(format!("{text}, but limit is {l}")),
            _ => {}
        }
    }
    for (name, bound) in amounts(limit.get("max")) {
        let text = format!("maximum {name} usage per {kind} is {bound}");
        match (requests.get(&name), limits.get(&name)) {
            (_, None) => errors.push(format!("{text}.  No limit is specified")),
            (_, Some(l)) if *l > bound => errors.push(format!("{text}, but limit is {l}")),
            (Some(r), _) if *r > bound => errors.push(format!("{text}, but request is {r}")),
            _ => {}
        }
    }
    for (name, bound) in amounts(limit.get("maxLimitRequestRatio")) {
        let text = format!("{name} max limit to request ratio per {kind} is {bound}");
        let given = |list: &Amounts| list.get(&name).copied().filter(|q| !q.is_zero());
        match (given(requests), given(limits)) {
            (None, _) => errors.push(format!("{text}, but no request is specified or request is 0")),
            (_, None) => errors.push(format!("{text}, but no limit is specified or limit is 0")),
            (Some(r), Some(l)) => {
                let ratio = l.as_f64() / r.as_f64();
                if ratio > bound.as_f64() {
                    errors.push(format!("{text}, but provided ratio is {ratio:.6}"));
                }
            }
        }
    }
}

fn check_claim(limit: &Value, requests: &Amounts, errors: &mut Vec<String>) {
    for (which, word) in [("min", "minimum"), ("max", "maximum")] {
        for (name, bound) in amounts(limit.get(which)) {
            let text = format!("{word} {name} usage per PersistentVolumeClaim is {bound}");
            match requests.get(&name) {
                None => errors.push(format!("{text}.  No request is specified")),
                Some(r) if (which == "min" && *r < bound) || (which == "max" && *r > bound) => {
                    errors.push(format!("{text}, but request is {r}"));
                }
                _ => {}
            }
        }
    }
}
