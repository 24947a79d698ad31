//! The status that a kubelet writes of a pod: phase, conditions, and each container's state.

use std::rc::Rc;

use super::container::Run;
use super::images::Local;
use super::worker::{Slot, Worker, restarts};
use crate::api::Object;
use crate::api::views::pod::{Resources, Sum, total};
use crate::api::views::{Container, Pod};
use crate::flat::Arrange;
use crate::obj;
use crate::shell::User;
use crate::sim::Time;
use crate::value::Value;

/// The conditions that the kubelet owns, in the order in which it writes them.
const OWNED: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// The conditions of a resize that is not done.
const RESIZES: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// What a container does now, as far as phases care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It never ran.
    Waiting,
    Running,
    /// It ended, or waits for its restart, after this exit code.
    Ended(i32),
}

fn state(slot: Option<&Slot>) -> State {
    let Some(slot) = slot else { return State::Waiting };
    match &slot.run {
        Some(run) => match run.ended() {
            Some(ended) => State::Ended(ended.code),
            None => State::Running,
        },
        None => match slot.last_code {
            Some(code) => State::Ended(code),
            None => State::Waiting,
        },
    }
}

/// A pod's phase. `terminal` says that nothing of it will be started again.
pub fn phase(worker: &Worker, pod: &Object, terminal: bool) -> &'static str {
    if worker.failure().is_some() {
        return "Failed";
    }
    let slots = worker.slots.borrow();
    let policy = Pod(pod).restart_policy();
    let mut sidecar_runs = false;
    let mut pending = false;
    for container in Pod(pod).init_containers() {
        let slot = slots.get(container.name());
        let state = state(slot);
        if container.is_sidecar() {
            sidecar_runs |= state == State::Running;
            pending |= !slot.is_some_and(|s| s.was_started);
            continue;
        }
        match state {
            State::Ended(0) => {}
            State::Ended(_) if policy == "Never" => return "Failed",
            _ => pending = true,
        }
    }
    let states: Vec<State> = Pod(pod).containers().map(|c| state(slots.get(c.name()))).collect();
    let begun = states.iter().any(|s| *s != State::Waiting);
    if pending && !begun {
        return if terminal { "Failed" } else { "Pending" };
    }
    let waiting = states.contains(&State::Waiting);
    let running = states.contains(&State::Running);
    let all_well = states.iter().all(|s| *s == State::Ended(0));
    if waiting {
        return if terminal { "Failed" } else { "Pending" };
    }
    if running || (sidecar_runs && !terminal) {
        return "Running";
    }
    if terminal {
        return if all_well { "Succeeded" } else { "Failed" };
    }
    let again = Pod(pod).containers().zip(&states).any(|(c, state)| match state {
        State::Ended(code) => slots.get(c.name()).is_some_and(|s| s.anew) || restarts(pod, c, *code),
        _ => false,
    });
    match again {
        true => "Running",
        false if all_well => "Succeeded",
        false => "Failed",
    }
}

/// Whether every init container did what the containers wait for.
fn incomplete(worker: &Worker, pod: &Object) -> Vec<String> {
    let slots = worker.slots.borrow();
    Pod(pod)
        .init_containers()
        .filter(|c| {
            let slot = slots.get(c.name());
            if c.is_sidecar() {
                !slot.is_some_and(|s| s.was_started)
            } else {
                state(slot) != State::Ended(0)
            }
        })
        .map(|c| c.name().to_owned())
        .collect()
}

/// The status of a pod that the node does not take: nothing of what the kubelet owns but its refusal.
pub fn refused(worker: &Worker, pod: &Object) -> Value {
    let (reason, message) = worker.failure().unwrap_or_default();
    let mut status = obj! { "message": message, "phase": "Failed", "reason": reason };
    status.set_or_remove(&["qosClass"], pod.status().get("qosClass"));
    if let Some(started) = worker.started() {
        status.set(&["startTime"], started);
    }
    if pod.generation() > 0 {
        status.set(&["observedGeneration"], pod.generation());
    }
    status.set_or_remove(&["conditions"], conditions_of_others(pod));
    status
}

/// The conditions that the kubelet does not own.
fn conditions_of_others(pod: &Object) -> Vec<Value> {
    let conditions = pod.status().get("conditions").items().iter();
    let owned = |kind: &str| OWNED.contains(&kind) || RESIZES.contains(&kind);
    conditions.filter(|c| !owned(c.get("type").str())).cloned().collect()
}

/// The status as it is now, made from what the API shows and what runs.
pub fn make(worker: &Worker, pod: &Object, terminal: bool, now: Time) -> Value {
    let mut status = pod.status().clone();
    let generation = if worker.is_mirror() { 0 } else { pod.generation() };
    let phase = phase(worker, pod, terminal);
    let ended = matches!(phase, "Succeeded" | "Failed");
    // The phase that a pod ends with is shown when nothing of it can run any more.
    let held = ended && !terminal;
    if !held {
        status.set(&["phase"], phase);
    }
    if generation > 0 {
        status.set(&["observedGeneration"], generation);
    }
    if let Some((reason, message)) = worker.failure().filter(|_| !held) {
        status.set(&["reason"], reason);
        status.set_or_remove(&["message"], message);
    }
    if let Some(started) = worker.started() {
        status.set(&["startTime"], started);
    }
    status.set(&["hostIP"], worker.node_ip());
    status.set(&["hostIPs"], crate::list![obj! { "ip": worker.node_ip() }]);
    // A pod on its node's network has the node's address before it has a sandbox.
    let of_node = || Pod(pod).host_network().then(|| worker.node_ip());
    if let Some(ip) = worker.pod_ip().or_else(of_node) {
        status.set(&["podIP"], ip.as_str());
        status.set(&["podIPs"], crate::list![obj! { "ip": ip.as_str() }]);
    }
    let granted = worker.granted(pod);
    let total = |which: &str| amounts(&granted, which);
    let (requests, limits) = (total("requests"), total("limits"));
    let mut resources = Value::map();
    resources.set_or_remove(&["requests"], in_groups(&requests));
    resources.set_or_remove(&["limits"], in_groups(&limits));
    status.set(&["resources"], resources);
    status.set_or_remove(&["allocatedResources"], requests);
    let has_init = !pod.spec().get("initContainers").is_empty();
    let mut statuses: Vec<Value> = Pod(&granted)
        .containers()
        .map(|c| {
            let waiting = if has_init {
                "PodInitializing"
            } else {
                "ContainerCreating"
            };
            container_status(worker, pod, c, waiting, ended)
        })
        .collect();
    // Init containers stay in the order in which they run, the others are sorted.
    statuses.arrange_by_key(|s| s.get("name").str().to_owned());
    status.set(&["containerStatuses"], statuses);
    if has_init {
        let statuses: Vec<Value> = Pod(&granted)
            .init_containers()
            .map(|c| container_status(worker, pod, c, "PodInitializing", ended))
            .collect();
        status.set(&["initContainerStatuses"], statuses);
    }
    let mut ephemeral: Vec<Value> = Pod(pod)
        .ephemeral_containers()
        .map(|c| {
            // Nobody asks whether an ephemeral container has started or is ready.
            let mut status = container_status(worker, pod, c, "ContainerCreating", ended);
            status.set(&["ready"], false);
            status.remove(&["started"]);
            status
        })
        .collect();
    ephemeral.arrange_by_key(|s| s.get("name").str().to_owned());
    status.set_or_remove(&["ephemeralContainerStatuses"], ephemeral);
    let conditions = conditions(worker, pod, phase, ended, generation, now);
    status.set(&["conditions"], conditions);
    status
}

/// Of some amounts, what control groups hold.
fn in_groups(amounts: &Value) -> Value {
    let held = amounts
        .entries()
        .filter(|(name, _)| matches!(&***name, "cpu" | "memory") || name.starts_with("hugepages-"));
    held.map(|(name, amount)| (name.clone(), amount.clone())).collect()
}

/// The sum of the containers' `requests` or `limits`, in the texts that the spec has where one
/// container alone sets them.
fn amounts(pod: &Object, which: &str) -> Value {
    let total = Resources::of(&total(pod.value(), which, Sum::asked()));
    total
        .iter()
        .map(|(name, amount)| {
            let of = |c: Container| c.value().at(&["resources", which, name]).str().to_owned();
            let texts: Vec<String> = Pod(pod)
                .containers()
                .chain(Pod(pod).init_containers())
                .map(of)
                .filter(|t| !t.is_empty())
                .collect();
            let text = match texts.as_slice() {
                [only] => only.clone(),
                _ if name == "cpu" => crate::api::quantity::Quantity::milli(amount).to_string(),
                _ => crate::api::quantity::Quantity::bytes(amount).to_string(),
            };
            (name, Value::from(text))
        })
        .collect()
}

fn terminated(run: &Run) -> Value {
    let Some(ended) = run.ended() else { return Value::Null };
    let mut value = obj! {
        "containerID": format!("containerd://{}", run.id),
        "exitCode": ended.code,
        "finishedAt": ended.at,
        "reason": ended.reason,
        // The kubelet gives the epoch as the start of what never started.
        "startedAt": if ended.reason == "StartError" { Time::default() } else { run.started },
    };
    value.set_or_remove(&["message"], ended.message);
    value
}

fn container_status(worker: &Worker, pod: &Object, container: Container, waiting: &str, over: bool) -> Value {
    let slots = worker.slots.borrow();
    let slot = slots.get(container.name());
    let is_init = Pod(pod).init_containers().any(|c| c.name() == container.name());
    let mut value = obj! {
        "image": container.image(),
        "imageID": "",
        "lastState": Value::map(),
        "name": container.name(),
        "ready": false,
        "restartCount": slot.map_or(0, |s| s.restarts),
        "started": false,
    };
    let run = slot.and_then(|s| s.run.as_ref());
    // Of what never ran nothing is known when the pod has gone, except that it did not run well.
    let lost = worker.is_over() && run.is_none() && !is_init && incomplete(worker, pod).is_empty();
    // What ended for good waits for nothing any more.
    let again = |run: &Rc<Run>| match run.ended() {
        Some(ended) => !over && restarts(pod, container, ended.code),
        None => !over,
    };
    let cause = slot.and_then(|s| s.cause.as_ref()).filter(|_| run.is_none_or(again));
    let last = slot
        .and_then(|s| s.previous.as_ref())
        .map_or(Value::Null, |p| terminated(p));
    let last = if last.is_null() {
        slot.map_or(Value::Null, |s| s.last_state.clone())
    } else {
        last
    };
    match run {
        None if lost => {
            let state = obj! {
                "exitCode": 137,
                "finishedAt": Value::Null,
                "message": "The container could not be located when the pod was terminated",
                "reason": "ContainerStatusUnknown",
                "startedAt": Value::Null,
            };
            value.set(&["state", "terminated"], state);
            if !last.is_null() {
                value.set(&["lastState", "terminated"], last);
            }
        }
        None => {
            let (reason, message) = match cause {
                Some((reason, message)) => (reason.as_str(), message.as_str()),
                None => (waiting, ""),
            };
            let mut state = obj! { "reason": reason };
            state.set_or_remove(&["message"], message);
            value.set(&["state", "waiting"], state);
            if !last.is_null() {
                value.set(&["lastState", "terminated"], last);
            }
        }
        Some(run) => {
            value.set(&["containerID"], format!("containerd://{}", run.id));
            value.set(&["image"], run.image.name.as_str());
            value.set(&["imageID"], run.image.id.as_str());
            if run.is_running() {
                value.set(&["state"], obj! { "running": obj! { "startedAt": run.started } });
                if !last.is_null() {
                    value.set(&["lastState", "terminated"], last);
                }
                let started = slot.is_some_and(|s| s.started);
                value.set(&["started"], started);
                let sidecar_or_main = !is_init || container.is_sidecar();
                value.set(&["ready"], sidecar_or_main && started && slot.is_some_and(|s| s.ready));
            } else {
                let ended = terminated(run);
                if is_init && !container.is_sidecar() {
                    value.set(&["ready"], ended.i64_at(&["exitCode"]) == Some(0));
                }
                match cause {
                    Some((reason, message)) => {
                        let mut state = obj! { "reason": reason.as_str() };
                        state.set_or_remove(&["message"], message.as_str());
                        value.set(&["state", "waiting"], state);
                        value.set(&["lastState", "terminated"], ended);
                    }
                    None => {
                        value.set(&["state", "terminated"], ended);
                        if !last.is_null() {
                            value.set(&["lastState", "terminated"], last);
                        }
                    }
                }
            }
            let spec = container.value();
            let resources = worker.running_resources(container);
            value.set(
                &["resources"],
                if resources.is_null() { Value::map() } else { resources },
            );
            value.set_or_remove(&["allocatedResources"], spec.at(&["resources", "requests"]).clone());
            let user = user(pod, spec, &run.image);
            let groups: Value = user.groups.into_iter().map(Value::from).collect();
            value.set(
                &["user", "linux"],
                obj! { "gid": user.gid, "supplementalGroups": groups, "uid": user.uid },
            );
        }
    }
    let mounts: Vec<Value> = container
        .value()
        .get("volumeMounts")
        .items()
        .iter()
        .map(|m| {
            let mut mount = obj! { "mountPath": m.get("mountPath"), "name": m.get("name") };
            if m.bool_at(&["readOnly"]) {
                mount.set(&["readOnly"], true);
                mount.set(&["recursiveReadOnly"], "Disabled");
            }
            mount
        })
        .collect();
    value.set_or_remove(&["volumeMounts"], mounts);
    value
}

/// A number of a container's security context, else of its pod's.
pub fn secured(pod: &Object, container: &Value, field: &str) -> Option<i64> {
    let of = |spec: &Value| spec.i64_at(&["securityContext", field]);
    of(container).or_else(|| of(pod.spec()))
}

/// The user that the container's first process runs as, as its status tells it. The groups that [`groups_of_image`] adds
/// are not in it: the runtime of the recorded cluster did not report them.
pub fn user(pod: &Object, container: &Value, image: &Local) -> User {
    let set = |field: &str| secured(pod, container, field);
    let uid = set("runAsUser").unwrap_or(image.image.uid);
    let gid = set("runAsGroup").unwrap_or_else(|| image.image.group_of(uid, &image.tag));
    let mut groups = vec![gid];
    groups.extend(pod.spec().i64_at(&["securityContext", "fsGroup"]));
    for group in pod.spec().at(&["securityContext", "supplementalGroups"]).items() {
        groups.extend(group.as_i64());
    }
    groups.arrange();
    groups.dedup();
    User {
        uid,
        gid,
        groups,
        ..User::default()
    }
}

/// The groups that the image's `/etc/group` gives a user besides, unless the pod wants none of them:
/// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#supplementalgroupspolicy
pub fn groups_of_image(pod: &Object, uid: i64, image: &Local) -> &'static [i64] {
    match pod.spec().str_at(&["securityContext", "supplementalGroupsPolicy"]) {
        "Strict" => &[],
        _ => image.image.groups_of(uid, &image.tag),
    }
}

struct Finding {
    holds: bool,
    reason: String,
    message: String,
}

impl Finding {
    fn yes() -> Finding {
        Finding {
            holds: true,
            reason: String::new(),
            message: String::new(),
        }
    }
    fn no(reason: &str, message: impl Into<String>) -> Finding {
        Finding {
            holds: false,
            reason: reason.into(),
            message: message.into(),
        }
    }
}

fn conditions(worker: &Worker, pod: &Object, phase: &str, ended: bool, generation: i64, now: Time) -> Value {
    let list = |names: &[String]| format!("[{}]", names.join(" "));
    let missing = incomplete(worker, pod);
    let initialized = if phase == "Succeeded" {
        Finding {
            reason: "PodCompleted".into(),
            ..Finding::yes()
        }
    } else if missing.is_empty() {
        Finding::yes()
    } else {
        Finding::no(
            "ContainersNotInitialized",
            format!("containers with incomplete status: {}", list(&missing)),
        )
    };
    let unready: Vec<String> = {
        let slots = worker.slots.borrow();
        Pod(pod)
            .init_containers()
            .filter(|c| c.is_sidecar())
            .chain(Pod(pod).containers())
            .filter(|c| {
                !slots
                    .get(c.name())
                    .is_some_and(|s| s.started && s.ready && s.run.as_ref().is_some_and(|r| r.is_running()))
            })
            .map(|c| c.name().to_owned())
            .collect()
    };
    let containers = || match phase {
        "Succeeded" => Finding::no("PodCompleted", ""),
        "Failed" => Finding::no("PodFailed", ""),
        _ if unready.is_empty() => Finding::yes(),
        _ => Finding::no(
            "ContainersNotReady",
            format!("containers with unready status: {}", list(&unready)),
        ),
    };
    let mut ready = containers();
    if ready.holds {
        let mut problems = Vec::new();
        for gate in pod.spec().get("readinessGates").items() {
            let kind = gate.get("conditionType").str();
            match pod.condition(kind) {
                None => problems.push(format!(
                    "corresponding condition of pod readiness gate \"{kind}\" does not exist."
                )),
                Some(c) if c.get("status").str() != "True" => problems.push(format!(
                    "the status of pod readiness gate \"{kind}\" is not \"True\", but {}",
                    c.get("status").str()
                )),
                Some(_) => {}
            }
        }
        if !problems.is_empty() {
            ready = Finding::no("ReadinessGatesNotReady", problems.join(", "));
        }
    }
    let sandbox = Finding {
        holds: worker.has_sandbox() && !ended,
        ..Finding::yes()
    };
    let mut conditions = conditions_of_others(pod);
    conditions.extend(worker.resize_conditions());
    for (kind, finding) in OWNED
        .iter()
        .zip([sandbox, initialized, ready, containers(), Finding::yes()])
    {
        let old = pod.condition(kind);
        let status = if finding.holds { "True" } else { "False" };
        let since = match old {
            Some(old) if old.get("status").str() == status => old.get("lastTransitionTime").clone(),
            _ => now.into(),
        };
        let mut condition = obj! {
            "lastProbeTime": Value::Null,
            "lastTransitionTime": since,
            "status": status,
            "type": *kind,
        };
        condition.set_or_remove(&["reason"], finding.reason);
        condition.set_or_remove(&["message"], finding.message);
        if generation > 0 {
            condition.set(&["observedGeneration"], generation);
        }
        conditions.push(condition);
    }
    Value::from(conditions)
}
