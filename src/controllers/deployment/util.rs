//! The formulas of Deployments (`deployment/util`). Pure functions.

use crate::api::Object;
use crate::api::well_known::{self, DEPLOYMENT_REVISION, DESIRED_REPLICAS, MAX_REPLICAS, REVISION_HISTORY};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// Annotations of a Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    well_known::LAST_APPLIED,
    DEPLOYMENT_REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// Whether its template may change without a rollout.
pub fn is_paused(deployment: &Object) -> bool {
    deployment.spec().bool_at(&["paused"])
}

/// Whether old pods go before new ones come, instead of step by step.
pub fn is_recreate(deployment: &Object) -> bool {
    deployment.spec().str_at(&["strategy", "type"]) == "Recreate"
}

/// `spec.replicas` of a Deployment or ReplicaSet.
pub fn replicas(object: &Object) -> i64 {
    object.spec().i64_at(&["replicas"]).unwrap_or(1)
}

fn status(object: &Object, field: &str) -> i64 {
    object.status().i64_at(&[field]).unwrap_or(0)
}

/// `status.availableReplicas` of a ReplicaSet.
pub fn available(set: &Object) -> i64 {
    status(set, "availableReplicas")
}

/// The sum of a number of all sets.
pub fn sum(sets: &[Object], field: impl Fn(&Object) -> i64) -> i64 {
    sets.iter().map(field).sum()
}

/// A number, or a percentage of `total` rounded up or down (`GetScaledValueFromIntOrPercent`).
pub fn int_or_percent(value: &Value, total: i64, round_up: bool) -> i64 {
    match value.as_i64() {
        Some(n) => n,
        None => {
            let percent = value.str().trim_end_matches('%').parse::<i64>().unwrap_or(0);
            let product = percent * total;
            if round_up {
                (product + 99).div_euclid(100)
            } else {
                product.div_euclid(100)
            }
        }
    }
}

/// maxSurge (rounded up) and maxUnavailable (rounded down) of `desired`; when both are 0, one may be
/// unavailable (`ResolveFenceposts`).
pub fn fenceposts(deployment: &Object, desired: i64) -> (i64, i64) {
    let rolling = deployment.spec().at(&["strategy", "rollingUpdate"]);
    let surge = int_or_percent(rolling.get("maxSurge"), desired, true);
    let unavailable = int_or_percent(rolling.get("maxUnavailable"), desired, false);
    if surge == 0 && unavailable == 0 {
        return (0, 1);
    }
    (surge, unavailable)
}

/// How many pods more than desired there may be.
pub fn max_surge(deployment: &Object) -> i64 {
    if is_recreate(deployment) {
        return 0;
    }
    fenceposts(deployment, replicas(deployment)).0
}

/// How many of the desired pods may be unavailable.
pub fn max_unavailable(deployment: &Object) -> i64 {
    let desired = replicas(deployment);
    if is_recreate(deployment) || desired == 0 {
        return 0;
    }
    fenceposts(deployment, desired).1.min(desired)
}

/// The number that the new ReplicaSet may be scaled to (`NewRSNewReplicas`).
pub fn new_replicas(deployment: &Object, all: i64, new: i64) -> i64 {
    let desired = replicas(deployment);
    if is_recreate(deployment) {
        return desired;
    }
    let most = desired + max_surge(deployment);
    if all >= most {
        return new;
    }
    new + (most - all).min(desired - new)
}

/// A number written in an annotation.
pub fn annotated(set: &Object, key: &str) -> Option<i64> {
    set.annotation(key)?.parse().ok()
}

/// The revision of a ReplicaSet; 0 when it has none.
pub fn revision(set: &Object) -> i64 {
    annotated(set, DEPLOYMENT_REVISION).unwrap_or(0)
}

/// The share of `to_add` that a ReplicaSet gets, of which `added` was given out already
/// (`GetReplicaSetProportion`).
pub fn proportion(set: &Object, deployment: &Object, to_add: i64, added: i64) -> i64 {
    if replicas(set) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(set, deployment);
    let allowed = to_add - added;
    if to_add > 0 {
        fraction.min(allowed)
    } else {
        fraction.max(allowed)
    }
}

/// How much a ReplicaSet must grow or shrink to keep its part of the whole.
fn fraction(set: &Object, deployment: &Object) -> i64 {
    let size = replicas(set);
    let desired = replicas(deployment);
    if desired == 0 {
        return -size;
    }
    let most = desired + max_surge(deployment);
    let before = match annotated(set, MAX_REPLICAS) {
        Some(n) if n > 0 => n,
        _ => status(deployment, "replicas"),
    };
    if before == 0 {
        return 0;
    }
    // Rounded half away from zero, as Go's math.Round.
    ((size * most) as f64 / before as f64).round() as i64 - size
}

/// The annotations of a ReplicaSet that carry the Deployment's size; `None` when they are right.
pub fn set_replicas_annotations(value: &mut Value, desired: i64, most: i64) -> bool {
    let mut changed = false;
    for (key, number) in [(DESIRED_REPLICAS, desired), (MAX_REPLICAS, most)] {
        let text = number.to_string();
        if value.str_at(&["metadata", "annotations", key]) != text {
            value.set(&["metadata", "annotations", key], text);
            changed = true;
        }
    }
    changed
}

/// Gives the new ReplicaSet its revision, history and the Deployment's annotations
/// (`SetNewReplicaSetAnnotations`). Returns whether anything changed.
pub fn set_new_annotations(value: &mut Value, deployment: &Object, new_revision: i64, exists: bool) -> bool {
    let mut changed = false;
    for (key, text) in deployment.annotations().entries() {
        if !NOT_COPIED.contains(&key.as_str()) && value.at(&["metadata", "annotations", key]) != text {
            value.set(&["metadata", "annotations", key], text.clone());
            changed = true;
        }
    }
    let old = value
        .str_at(&["metadata", "annotations", DEPLOYMENT_REVISION])
        .to_owned();
    let old_number = old.parse::<i64>().unwrap_or(0);
    if old_number < new_revision {
        value.set(
            &["metadata", "annotations", DEPLOYMENT_REVISION],
            new_revision.to_string(),
        );
        changed = true;
        if !old.is_empty() {
            let history = value.str_at(&["metadata", "annotations", REVISION_HISTORY]);
            let history = if history.is_empty() {
                old
            } else {
                format!("{history},{old}")
            };
            value.set(&["metadata", "annotations", REVISION_HISTORY], history);
        }
    }
    if !exists {
        let desired = replicas(deployment);
        changed |= set_replicas_annotations(value, desired, desired + max_surge(deployment));
    }
    changed
}

/// Whether a Deployment has a deadline for its progress.
pub fn has_deadline(deployment: &Object) -> bool {
    deployment
        .spec()
        .i64_at(&["progressDeadlineSeconds"])
        .is_some_and(|s| s != i64::from(i32::MAX))
}

/// The condition of a type in a status.
pub fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status
        .get("conditions")
        .items()
        .iter()
        .find(|c| c.str_at(&["type"]) == kind)
}

/// A condition that begins now.
pub fn new_condition(kind: &str, state: &str, reason: &str, message: String, now: Time) -> Value {
    obj! {
        "lastTransitionTime": now,
        "lastUpdateTime": now,
        "message": message,
        "reason": reason,
        "status": state,
        "type": kind,
    }
}

/// Takes a condition from a status, if it has it.
pub fn remove_condition(status: &mut Value, kind: &str) {
    if condition(status, kind).is_some() {
        let mut conditions = status.get("conditions").items().to_vec();
        conditions.retain(|c| c.str_at(&["type"]) != kind);
        status.set_or_remove(&["conditions"], conditions);
    }
}

/// Sets a condition, unless its status and reason are there already
/// (`SetDeploymentCondition`). One that changes goes to the end.
pub fn set_condition(status: &mut Value, mut new: Value) {
    let kind = new.str_at(&["type"]).to_owned();
    if let Some(present) = condition(status, &kind) {
        let same_status = present.str_at(&["status"]) == new.str_at(&["status"]);
        if same_status && present.str_at(&["reason"]) == new.str_at(&["reason"]) {
            return;
        }
        if same_status {
            new.set(&["lastTransitionTime"], present.get("lastTransitionTime").clone());
        }
    }
    let mut conditions = status.get("conditions").items().to_vec();
    conditions.retain(|c| c.str_at(&["type"]) != kind);
    conditions.push(new);
    status.set(&["conditions"], conditions);
}

/// Whether every pod is new, available and counted.
pub fn is_complete(deployment: &Object, status: &Value) -> bool {
    let desired = replicas(deployment);
    let of = |field: &str| status.i64_at(&[field]).unwrap_or(0);
    of("updatedReplicas") == desired
        && of("replicas") == desired
        && of("availableReplicas") == desired
        && of("observedGeneration") >= deployment.generation()
}

/// Whether more is done than the Deployment's status says.
pub fn is_progressing(deployment: &Object, new: &Value) -> bool {
    let old = deployment.status();
    let of = |status: &Value, field: &str| status.i64_at(&[field]).unwrap_or(0);
    let olds = |status: &Value| of(status, "replicas") - of(status, "updatedReplicas");
    of(new, "updatedReplicas") > of(old, "updatedReplicas")
        || olds(new) < olds(old)
        || of(new, "readyReplicas") > of(old, "readyReplicas")
        || of(new, "availableReplicas") > of(old, "availableReplicas")
}

/// Whether it made no progress for as long as its deadline allows.
pub fn timed_out(deployment: &Object, status: &Value, now: Time) -> bool {
    let Some(condition) = condition(status, "Progressing") else {
        return false;
    };
    match condition.str_at(&["reason"]) {
        "NewReplicaSetAvailable" => return false,
        "ProgressDeadlineExceeded" => return true,
        _ => {}
    }
    let Some(from) = Time::parse(condition.str_at(&["lastUpdateTime"])) else {
        return false;
    };
    let deadline = deployment.spec().i64_at(&["progressDeadlineSeconds"]).unwrap_or(600);
    from + crate::sim::seconds(deadline) < now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(desired: i64, surge: Value, unavailable: Value) -> Object {
        let rolling = obj! { "maxSurge": surge, "maxUnavailable": unavailable };
        Object::new(obj! {
            "spec": obj! {
                "replicas": desired,
                "strategy": obj! { "type": "RollingUpdate", "rollingUpdate": rolling },
            },
        })
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        let table = [
            (10, Value::from("25%"), Value::from("25%"), (3, 2)),
            (4, "25%".into(), "25%".into(), (1, 1)),
            (3, "25%".into(), "25%".into(), (1, 0)),
            (2, "25%".into(), "25%".into(), (1, 0)),
            (1, "25%".into(), "25%".into(), (1, 0)),
            (4, 2.into(), 1.into(), (2, 1)),
            (10, 0.into(), "5%".into(), (0, 1)),
            (10, "0%".into(), "0%".into(), (0, 1)),
            (10, "100%".into(), 0.into(), (10, 0)),
        ];
        for (desired, surge, unavailable, want) in table {
            let d = deployment(desired, surge.clone(), unavailable.clone());
            let got = (max_surge(&d), max_unavailable(&d));
            assert_eq!(got, want, "{desired} {surge:?} {unavailable:?}");
        }
    }

    #[test]
    fn the_new_set_grows_within_the_surge() {
        let d = deployment(10, "25%".into(), "25%".into());
        // All pods, the new set's, the new set's next size.
        for (all, new, want) in [(10, 0, 3), (13, 3, 3), (11, 3, 5), (8, 0, 5), (0, 0, 10), (10, 10, 10)] {
            assert_eq!(new_replicas(&d, all, new), want, "{all} {new}");
        }
    }

    #[test]
    fn proportions() {
        let d = deployment(15, 3.into(), 2.into());
        let set = |size: i64| {
            let annotations = obj! { "deployment.kubernetes.io/max-replicas": "13" };
            Object::new(obj! { "metadata": obj! { "annotations": annotations }, "spec": obj! { "replicas": size } })
        };
        // Scaled from 10 to 15 in the middle of a rollout of 8 and 5: 5 more are shared 3 to 2.
        assert_eq!(proportion(&set(8), &d, 5, 0), 3);
        assert_eq!(proportion(&set(5), &d, 5, 3), 2);
        assert_eq!(proportion(&set(0), &d, 5, 0), 0);
    }

    #[test]
    fn conditions_keep_their_times() {
        let mut status = obj! {};
        let at = |s: u64| Time::from_secs(1_800_000_000 + s);
        set_condition(
            &mut status,
            new_condition("Progressing", "True", "NewReplicaSetCreated", "a".into(), at(0)),
        );
        set_condition(&mut status, new_condition("Available", "False", "X", "b".into(), at(1)));
        set_condition(
            &mut status,
            new_condition("Progressing", "True", "ReplicaSetUpdated", "c".into(), at(2)),
        );
        let progressing = condition(&status, "Progressing").unwrap();
        assert_eq!(progressing.get("lastTransitionTime"), &Value::from(at(0)));
        assert_eq!(progressing.get("lastUpdateTime"), &Value::from(at(2)));
        assert_eq!(status.get("conditions").items()[1].str_at(&["type"]), "Progressing");
    }
}
