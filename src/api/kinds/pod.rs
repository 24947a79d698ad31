//! Pods: defaults, the status they begin with, graceful deletion, their row.

use super::{edit, edit_items, internal, or_none, pod_spec, pod_validation, pod_warnings, set_default, statuses};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{self, Context, Grace, Strategy};
use crate::api::table::age;
use crate::api::views::pod::{Container, ContainerStatus, Pod, Row};
use crate::sim::Time;
use crate::value::{Value, intern};
use crate::{list, obj};

/// The rules of Pods.
pub struct PodRules;

impl Strategy for PodRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            pod_spec::spec_defaults(spec);
            pod_spec::pod_defaults(spec);
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
        merge_label_keys(object);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        pod_validation::pod(object, errors);
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        pod_validation::pod(object, errors);
        let spec = object.get("spec");
        if !spec.get("ephemeralContainers").is_empty() {
            errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
        if !spec.get("nodeName").is_empty() && !spec.get("schedulingGates").is_empty() {
            let why = "cannot be set until all schedulingGates have been cleared";
            errors.forbidden("spec.nodeName", why);
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        pod_validation::pod(new, errors);
        pod_validation::annotation_updates(new, old, errors);
        validate_update(new, old, errors);
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        statuses::pod(new, old, errors);
    }

    fn validate_metadata(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        pod_validation::annotation_updates(new, old, errors);
    }

    fn prepare_status(&self, new: &mut Value, old: &Object) {
        strategy::keep_all_but_status(new, old);
        // Old kubelets drop the class when they refuse a pod.
        if new.str_at(&["status", "qosClass"]).is_empty() {
            new.set_or_remove(&["status", "qosClass"], old.status().get("qosClass").clone());
        }
        // Of the one address and the list, the one has the last word.
        let ip = new.at(&["status", "podIP"]).clone();
        let first = new
            .at(&["status", "podIPs"])
            .items()
            .first()
            .map(|a| a.get("ip").clone());
        match first {
            Some(first) if ip.is_empty() => new.set(&["status", "podIP"], first),
            first if !ip.is_empty() && first.as_ref() != Some(&ip) => {
                new.set(&["status", "podIPs"], list![obj! { "ip": ip }]);
            }
            _ => {}
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let mut all = pod_warnings::of(object, None);
        all.extend(pod_warnings::name_of_pods(object, "the Pod's hostname"));
        all
    }

    /// Updates of pods come from controllers, which nobody reads warnings of.
    fn update_warnings(&self, _new: &Value, _old: &Object) -> Vec<String> {
        Vec::new()
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
            "spec.nodeName" | "spec.host" => text(&["spec", "nodeName"]),
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
        let cells = Pod(object).with_row(
            || row_of(object),
            |row| {
                let mut cells = row.cells.clone();
                if let Some(then) = row.last_restart
                    && let Some(cell) = cells.get_mut(RESTARTS)
                {
                    *cell = format!("{} ({} ago)", row.restarts, age(then, now)).into();
                }
                if let Some(cell) = cells.get_mut(AGE) {
                    *cell = shared(&age(row.created, now));
                }
                cells
            },
        );
        Some(cells)
    }
}

/// The places of the cells that change with time.
const RESTARTS: usize = 3;
const AGE: usize = 4;

/// A cell of which many pods have the same: it is one text in memory.
fn shared(text: &str) -> Value {
    intern(if text.is_empty() { "<none>" } else { text }).into()
}

/// A pod's row, but for its age.
fn row_of(object: &Object) -> Row {
    let summary = summarize(object);
    let pod = Pod(object);
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
    Row {
        cells: vec![
            object.metadata().get("name").clone(),
            shared(&format!("{}/{}", summary.ready, summary.containers)),
            shared(&summary.reason),
            shared(&summary.restarts.to_string()),
            Value::Null,
            or_none(pod.ip()),
            shared(pod.node_name()),
            shared(object.status().get("nominatedNodeName").str()),
            shared(&gates_cell),
        ],
        restarts: summary.restarts,
        last_restart: summary.last_restart.filter(|_| summary.restarts != 0),
        created: object.created(),
    }
}

/// What the READY, STATUS and RESTARTS columns say of a pod.
pub struct PodSummary {
    /// How many containers, sidecars among them, are ready.
    pub ready: usize,
    /// How many containers and sidecars there are.
    pub containers: usize,
    /// The one word of STATUS: `Running`, `CrashLoopBackOff`, `Init:0/1`.
    pub reason: String,
    /// How often its containers were started again.
    pub restarts: i64,
    /// When a container last ended and was started again.
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
    let field = "spec.activeDeadlineSeconds";
    if deadline.as_i64().is_some_and(|n| n < 0) {
        let why = format!("must be between 0 and {}, inclusive", i32::MAX);
        return errors.invalid(field, deadline, why);
    }
    if !had.is_null() && deadline.is_null() {
        let why = "must not update from a positive integer to nil value";
        errors.invalid(field, deadline, why);
    } else if !had.is_null() && deadline.as_i64() > had.as_i64() {
        return errors.invalid(field, deadline, "must be less than or equal to previous value");
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
        narrowed(spec, before, errors);
        restored.push("nodeSelector");
        match before.at(&["affinity", "nodeAffinity"]) {
            Value::Null => {
                munged.remove(&["affinity", "nodeAffinity"]);
                if before.get("affinity").is_null() && munged.get("affinity").is_empty() {
                    munged.remove(&["affinity"]);
                }
            }
            had => munged.set(&["affinity", "nodeAffinity"], had.clone()),
        }
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

/// What a gated pod may not do to where it can go: only narrow it.
fn narrowed(spec: &Value, before: &Value, errors: &mut FieldErrors) {
    let selector = spec.get("nodeSelector");
    let mut had = before.get("nodeSelector").entries();
    if !had.all(|(k, v)| selector.get(k) == v) {
        let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.invalid("spec.nodeSelector", selector, why);
    }
    let path = [
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ];
    let field = format!("spec.{}", path.join("."));
    let (new, old) = (spec.at(&path).items(), before.at(&path).items());
    if !old.is_empty() && old.len() != new.len() {
        let text: Vec<String> = new.iter().map(|t| internal::named(t, "NodeTerm").to_json()).collect();
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return errors.invalid_as(field, format!("[{}]", text.join(",")), why);
    }
    for (i, (was, term)) in old.iter().zip(new).enumerate() {
        let extends = |part: &str| term.get(part).items().starts_with(was.get(part).items());
        let empty = |t: &Value| t.get("matchExpressions").is_empty() && t.get("matchFields").is_empty();
        if (empty(was) && !empty(term)) || !extends("matchExpressions") || !extends("matchFields") {
            let why = "only additions are allowed (no mutations or deletions)";
            let text = internal::named(term, "NodeTerm").to_json();
            errors.invalid_as(format!("{field}[{i}]"), text, why);
        }
    }
}

/// Adds to the selectors of affinity and of spreading what `matchLabelKeys` and `mismatchLabelKeys` mean for this pod
/// (`applyMatchLabelKeysAndMismatchLabelKeys`). A term without a selector matches nothing and stays so.
fn merge_label_keys(pod: &mut Value) {
    let labels = pod.at(&["metadata", "labels"]).clone();
    let merge = |term: &mut Value| {
        if !term.has("labelSelector") {
            return;
        }
        let mut more = Vec::new();
        for (keys, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
            for key in term.get(keys).items() {
                if labels.has(key.str()) {
                    let values = list![labels.get(key.str()).clone()];
                    more.push(obj! { "key": key.clone(), "operator": operator, "values": values });
                }
            }
        }
        if !more.is_empty() {
            let path = ["labelSelector", "matchExpressions"];
            let mut all = term.at(&path).items().to_vec();
            all.extend(more);
            term.set(&path, all);
        }
    };
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    edit(pod, "spec", |spec| {
        edit_items(spec, "topologySpreadConstraints", merge);
        edit(spec, "affinity", |affinity| {
            for kind in ["podAffinity", "podAntiAffinity"] {
                edit(affinity, kind, |terms| {
                    edit_items(terms, required, merge);
                    edit_items(terms, preferred, |p| edit(p, "podAffinityTerm", merge));
                });
            }
        });
    });
}

/// What a change of a pod's resources through `/resize` may be (`ValidatePodResize`).
pub(crate) fn validate_resize(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let (spec, before) = (new.get("spec"), old.spec());
    if old.annotation(names::MIRROR).is_some() {
        *errors = FieldErrors::default();
        return errors.forbidden("[]", "static pods cannot be resized");
    }
    if before.str_at(&["os", "name"]) == "windows" {
        *errors = FieldErrors::default();
        return errors.forbidden("[]", "windows pods cannot be resized");
    }
    let class = old.status().get("qosClass");
    if class.str() != pod_spec::qos_class(spec) {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.invalid("spec", class, why);
    }
    for list in ["initContainers", "containers"] {
        for (i, (was, c)) in before.get(list).items().iter().zip(spec.get(list).items()).enumerate() {
            if list == "initContainers" && c.get("restartPolicy").str() != "Always" {
                if was != c {
                    let why = "resources for non-sidecar init containers are immutable";
                    errors.forbidden("spec", why);
                }
                continue;
            }
            for kind in ["requests", "limits"] {
                let amounts = c.at(&["resources", kind]);
                let mut had = was.at(&["resources", kind]).entries();
                if had.any(|(k, _)| !amounts.has(k)) {
                    let why = format!("resource {kind} cannot be removed");
                    errors.forbidden(format!("spec.{list}[{i}].resources.{kind}"), why);
                }
            }
            let others = |c: &Value| {
                let mut c = c.clone();
                for kind in ["requests", "limits"] {
                    for name in ["cpu", "memory"] {
                        c.remove(&["resources", kind, name]);
                    }
                    if c.at(&["resources", kind]).is_empty() {
                        c.remove(&["resources", kind]);
                    }
                }
                c
            };
            if others(c) != others(was) {
                let why = match list {
                    "containers" => "only cpu and memory resources are mutable",
                    _ => "only cpu and memory resources for sidecar containers are mutable",
                };
                errors.forbidden("spec", why);
            }
        }
    }
}

fn same_toleration(a: &Value, b: &Value) -> bool {
    ["key", "operator", "value", "effect"]
        .iter()
        .all(|f| a.get(f) == b.get(f))
}
