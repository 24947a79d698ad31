//! Pods: defaults, the status they begin with, graceful deletion, their row.

use super::{age_cell, edit, edit_items, internal, or_none, pod_spec, pod_validation, set_default};
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Grace, Strategy};
use crate::api::table::age;
use crate::api::views::pod::{Container, ContainerStatus, Pod};
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

pub struct PodRules;

impl Strategy for PodRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            pod_spec::spec_defaults(spec);
            pod_spec::pod_defaults(spec);
        });
        // Go prints the zero time of a condition's probe as null.
        edit(object, "status", |status| {
            edit_items(status, "conditions", |c| {
                if !c.has("lastProbeTime") {
                    c.set(&["lastProbeTime"], Value::Null);
                }
            });
        });
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        let mut status = obj! { "phase": "Pending", "qosClass": pod_spec::qos_class(object.get("spec")) };
        if !object.at(&["spec", "schedulingGates"]).is_empty() {
            status.set(
                &["conditions"],
                list![obj! {
                    "lastProbeTime": Value::Null,
                    "lastTransitionTime": Value::Null,
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "reason": "SchedulingGated",
                    "status": "False",
                    "type": "PodScheduled",
                }],
            );
        }
        object.set(&["status"], status);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        pod_validation::spec(object.get("spec"), "spec", errors);
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        validate_update(new, old, errors);
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn grace(&self, object: &Object, asked: Option<i64>) -> Grace {
        let pod = Pod(object);
        // What never ran, or ended, need not end gracefully.
        if !pod.is_scheduled() || pod.is_terminal() {
            return Grace::Seconds(0);
        }
        let period = asked
            .or_else(|| object.spec().i64_at(&["terminationGracePeriodSeconds"]))
            .unwrap_or(0);
        Grace::Seconds(if period < 0 { 1 } else { period })
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        let text = |path: &[&str]| Some(object.value().str_at(path).to_owned());
        match field {
            "spec.nodeName" => text(&["spec", "nodeName"]),
            "spec.restartPolicy" => text(&["spec", "restartPolicy"]),
            "spec.schedulerName" => text(&["spec", "schedulerName"]),
            "spec.serviceAccountName" => text(&["spec", "serviceAccountName"]),
            "spec.hostNetwork" => Some(Pod(object).host_network().to_string()),
            "status.phase" => text(&["status", "phase"]),
            "status.podIP" => text(&["status", "podIP"]),
            "status.podIPs" => text(&["status", "podIP"]),
            "status.nominatedNodeName" => text(&["status", "nominatedNodeName"]),
            _ => None,
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let summary = summarize(object);
        let pod = Pod(object);
        let restarts = match summary.last_restart {
            Some(then) if summary.restarts != 0 => format!("{} ({} ago)", summary.restarts, age(then, now)),
            _ => summary.restarts.to_string(),
        };
        let gates = object.spec().get("readinessGates").items();
        let gates_cell = if gates.is_empty() {
            "<none>".to_owned()
        } else {
            let open = gates
                .iter()
                .filter(|g| pod.condition_is_true(g.get("conditionType").str()))
                .count();
            format!("{open}/{}", gates.len())
        };
        Some(vec![
            object.name().into(),
            format!("{}/{}", summary.ready, summary.containers).into(),
            summary.reason.into(),
            restarts.into(),
            age_cell(object, now),
            or_none(pod.ip()),
            or_none(pod.node_name()),
            or_none(object.status().get("nominatedNodeName").str()),
            gates_cell.into(),
        ])
    }
}

/// What the READY, STATUS and RESTARTS columns say of a pod.
pub struct PodSummary {
    pub ready: usize,
    pub containers: usize,
    pub reason: String,
    pub restarts: i64,
    pub last_restart: Option<Time>,
}

/// Counts a pod's containers and finds the one word for its state, as kubectl prints it (`printPod`).
pub fn summarize(object: &Object) -> PodSummary {
    let pod = Pod(object);
    let status = object.status();
    let mut reason = match status.get("reason").str() {
        "" => pod.phase().to_owned(),
        reason => reason.to_owned(),
    };
    if object
        .condition("PodScheduled")
        .is_some_and(|c| c.get("reason").str() == "SchedulingGated")
    {
        reason = "SchedulingGated".into();
    }
    let is_sidecar = |name: &str| pod.init_containers().any(|c| c.name() == name && c.is_sidecar());
    let sidecars = pod.init_containers().filter(|c: &Container| c.is_sidecar()).count();
    let mut result = PodSummary {
        ready: 0,
        containers: pod.containers().len() + sidecars,
        reason: String::new(),
        restarts: 0,
        last_restart: None,
    };
    let (mut sidecar_restarts, mut sidecar_last) = (0, None);
    let mut initializing = false;
    for (i, container) in pod.init_container_statuses().enumerate() {
        let sidecar = is_sidecar(container.name());
        result.restarts += container.restart_count();
        result.last_restart = result.last_restart.max(finished(container));
        if sidecar {
            sidecar_restarts += container.restart_count();
            sidecar_last = sidecar_last.max(finished(container));
        }
        let (ended, waiting) = (container.terminated(), container.waiting());
        if ended.i64_at(&["exitCode"]) == Some(0) {
            continue;
        }
        if sidecar && container.is_started() {
            result.ready += usize::from(container.is_ready());
            continue;
        }
        reason = if !ended.is_null() {
            format!("Init:{}", end_reason(ended))
        } else if !matches!(waiting.get("reason").str(), "" | "PodInitializing") {
            format!("Init:{}", waiting.get("reason").str())
        } else {
            format!("Init:{i}/{}", pod.init_containers().len())
        };
        initializing = true;
        break;
    }
    if !initializing || pod.condition_is_true("Initialized") {
        (result.restarts, result.last_restart) = (sidecar_restarts, sidecar_last);
        let mut has_running = false;
        for container in pod.container_statuses().rev() {
            result.restarts += container.restart_count();
            result.last_restart = result.last_restart.max(finished(container));
            let waiting = container.waiting().get("reason").str();
            if !waiting.is_empty() {
                reason = waiting.to_owned();
            } else if !container.terminated().is_null() {
                reason = end_reason(container.terminated());
            } else if container.is_ready() && !container.running().is_null() {
                has_running = true;
                result.ready += 1;
            }
        }
        if reason == "Completed" && has_running {
            reason = if pod.is_ready() { "Running" } else { "NotReady" }.into();
        }
    }
    if object.is_deleting() {
        if status.get("reason").str() == "NodeLost" {
            reason = "Unknown".into();
        } else if !pod.is_terminal() {
            reason = "Terminating".into();
        }
    }
    result.reason = reason;
    result
}

fn finished(container: ContainerStatus) -> Option<Time> {
    Time::parse(container.last_terminated().get("finishedAt").str())
}

fn end_reason(ended: &Value) -> String {
    let reason = ended.get("reason").str();
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match ended.i64_at(&["signal"]).unwrap_or(0) {
        0 => format!("ExitCode:{}", ended.i64_at(&["exitCode"]).unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

/// What of a pod's spec may change (`ValidatePodUpdate`).
fn validate_update(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let (spec, before) = (new.get("spec"), old.spec());
    if spec == before {
        return;
    }
    let count = |v: &Value, list: &str| v.get(list).items().len();
    for list in ["containers", "initContainers"] {
        if count(spec, list) != count(before, list) {
            errors.forbidden(format!("spec.{list}"), "pod updates may not add or remove containers");
            return;
        }
    }
    let (deadline, had) = (spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"));
    if !had.is_null() {
        match (deadline.as_i64(), had.as_i64()) {
            (None, _) => errors.invalid(
                "spec.activeDeadlineSeconds",
                deadline,
                "must not update from a positive integer to nil value",
            ),
            (Some(n), Some(o)) if n > o => errors.invalid(
                "spec.activeDeadlineSeconds",
                deadline,
                format!("must be less than or equal to previous value {o}"),
            ),
            _ => {}
        }
    }
    let kept = |t: &Value| spec.get("tolerations").items().iter().any(|n| same_toleration(n, t));
    if !before.get("tolerations").items().iter().all(kept) {
        errors.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    for (i, gate) in spec.get("schedulingGates").items().iter().enumerate() {
        if !before.get("schedulingGates").items().contains(gate) {
            errors.forbidden(
                format!("spec.schedulingGates[{i}].name"),
                format!(
                    "only deletion is allowed, but found new scheduling gate '{}'",
                    gate.get("name").str()
                ),
            );
        }
    }
    if !errors.is_empty() {
        return;
    }
    // With what may change put back, nothing may differ.
    let mut munged = spec.clone();
    for list in ["containers", "initContainers"] {
        let images: Vec<Value> = before
            .get(list)
            .items()
            .iter()
            .map(|c| c.get("image").clone())
            .collect();
        let mut images = images.into_iter();
        edit_items(&mut munged, list, |c| {
            if let Some(image) = images.next() {
                c.set(&["image"], image);
            }
        });
    }
    let gated = !before.get("schedulingGates").is_empty();
    let mut restored = vec!["activeDeadlineSeconds", "tolerations", "schedulingGates"];
    if gated {
        // A gated pod may narrow where it can go.
        restored.extend(["nodeSelector", "affinity"]);
    }
    if before.i64_at(&["terminationGracePeriodSeconds"]).is_some_and(|n| n < 0)
        && spec.i64_at(&["terminationGracePeriodSeconds"]) == Some(1)
    {
        restored.push("terminationGracePeriodSeconds");
    }
    for field in restored {
        match before.get(field) {
            Value::Null => {
                munged.remove(&[field]);
            }
            v => munged.set(&[field], v.clone()),
        }
    }
    if &munged != before {
        let lines = |spec: &Value| internal::pod_spec(spec).lines(" ");
        let diff = internal::unified_diff(&lines(before), &lines(&munged));
        let sentence = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.forbidden("spec", format!("{sentence}\n{diff}"));
    }
}

fn same_toleration(a: &Value, b: &Value) -> bool {
    ["key", "operator", "value", "effect"]
        .iter()
        .all(|f| a.get(f) == b.get(f))
}
