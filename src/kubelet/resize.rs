//! In-place resize: the resources that a kubelet has granted a pod's containers, and those that they run with. Both
//! are what the spec says until somebody writes a pod's `/resize` (kubernetes.io, "Resize CPU and Memory Resources
//! assigned to Containers").

use std::rc::Rc;

use super::worker::Worker;
use crate::api::Object;
use crate::api::events::EventType;
use crate::api::views::{Container, Pod, Resources};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;
use crate::value::gofmt::quote;

/// The resources of each container, by its name.
type Sizes = FlatMap<String, Value>;

/// A resize that was asked for and is not done.
pub struct Resize {
    granted: Sizes,
    running: Sizes,
    /// The condition `PodResizePending`: what was asked for last cannot be had (now).
    pending: Option<Value>,
    /// The condition `PodResizeInProgress`: what was granted does not run yet.
    progress: Option<Value>,
}

fn containers<'a>(pod: Pod<'a>) -> impl Iterator<Item = Container<'a>> {
    pod.init_containers().chain(pod.containers())
}

fn sizes(pod: &Object) -> Sizes {
    containers(Pod(pod))
        .map(|c| (c.name().to_owned(), c.value().get("resources").clone()))
        .collect()
}

/// A pod with other resources than its spec says.
fn sized(pod: &Object, sizes: &Sizes) -> Object {
    let mut value = pod.value().clone();
    for list in ["initContainers", "containers"] {
        let items = pod.spec().get(list).items();
        let items: Vec<Value> = items
            .iter()
            .map(|c| {
                let mut c = c.clone();
                if let Some(resources) = sizes.get(c.get("name").str()) {
                    c.set(&["resources"], resources.clone());
                }
                c
            })
            .collect();
        if !items.is_empty() {
            value.set(&["spec", list], items);
        }
    }
    Object::new(value)
}

/// What the events say of a resize.
fn summary(pod: &Object, generation: i64, error: &str) -> String {
    let list = |name: &str, all: &mut dyn Iterator<Item = Container>| {
        let texts: Vec<String> = all
            .map(|c| {
                let resources = match c.value().get("resources") {
                    Value::Null => "{}".to_owned(),
                    resources => resources.to_json(),
                };
                format!("{{\"name\":{},\"resources\":{resources}}}", quote(c.name()))
            })
            .collect();
        match texts.is_empty() {
            true => String::new(),
            false => format!("\"{name}\":[{}],", texts.join(",")),
        }
    };
    let sidecars = list(
        "initContainers",
        &mut Pod(pod).init_containers().filter(|c| c.is_sidecar()),
    );
    let others = list("containers", &mut Pod(pod).containers());
    let error = match error {
        "" => String::new(),
        error => format!(",\"error\":{}", quote(error)),
    };
    format!("{{{sidecars}{others}\"generation\":{generation}{error}}}")
}

fn condition(kind: &str, reason: &str, message: &str, generation: i64, now: Time) -> Value {
    let mut condition = obj! {
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "observedGeneration": generation,
        "status": "True",
        "type": kind,
    };
    condition.set_or_remove(&["reason"], reason);
    condition.set_or_remove(&["message"], message);
    condition
}

/// Whether a container must be started anew to run with these resources.
fn needs_restart(container: Container, from: &Value, to: &Value) -> bool {
    ["cpu", "memory"].iter().any(|name| {
        let differs = ["requests", "limits"]
            .iter()
            // A memory request changes nothing that runs.
            .filter(|which| **which == "limits" || *name == "cpu")
            .any(|which| from.at(&[which, name]) != to.at(&[which, name]));
        let policies = container.value().get("resizePolicy").items();
        differs
            && policies
                .iter()
                .any(|p| p.get("resourceName").str() == *name && p.get("restartPolicy").str() == "RestartContainer")
    })
}

impl Worker {
    /// Notes that a newer version of the pod asks for other resources than the one before.
    pub(super) fn note_resize(&self, old: &Object, new: &Object) {
        if old.uid() != new.uid() || old.spec() == new.spec() {
            return;
        }
        let had = sizes(old);
        let mut resize = self.resize.borrow_mut();
        if resize.is_none() && had != sizes(new) {
            *resize = Some(Box::new(Resize {
                granted: had.clone(),
                running: had,
                pending: None,
                progress: None,
            }));
        }
    }

    /// The pod with the resources that it was granted.
    pub fn granted(&self, pod: &Object) -> Object {
        match &*self.resize.borrow() {
            Some(resize) => sized(pod, &resize.granted),
            None => pod.clone(),
        }
    }

    /// The resources that a container runs with.
    pub fn running_resources(&self, container: Container) -> Value {
        let resize = self.resize.borrow();
        let known = resize.as_ref().and_then(|r| r.running.get(container.name()));
        known.unwrap_or(container.value().get("resources")).clone()
    }

    /// The conditions of a resize that is not done.
    pub fn resize_conditions(&self) -> Vec<Value> {
        let resize = self.resize.borrow();
        let both = resize.iter().flat_map(|r| [&r.pending, &r.progress]);
        both.flatten().cloned().collect()
    }

    /// Whether a resize waits for room on the node.
    pub fn waits_for_room(&self) -> bool {
        self.resize.borrow().as_ref().is_some_and(|r| r.pending.is_some())
    }

    /// Ends a resize that is done, and grants what is asked for, when the node has it.
    pub(super) fn grant(self: &Rc<Self>) {
        let pod = self.pod();
        let now = self.sim().now();
        let mut events = Vec::new();
        {
            let mut slot = self.resize.borrow_mut();
            let Some(resize) = slot.as_mut() else { return };
            if resize.running == resize.granted
                && let Some(done) = resize.progress.take()
            {
                let generation = done.i64_at(&["observedGeneration"]).unwrap_or(0);
                let text = summary(&sized(&pod, &resize.granted), generation, "");
                events.push((
                    EventType::Normal,
                    "ResizeCompleted",
                    format!("Pod resize completed: {text}"),
                ));
            }
            let wanted = sizes(&pod);
            if wanted == resize.granted {
                resize.pending = None;
                if resize.running == resize.granted {
                    *slot = None;
                }
            } else if let Some((reason, message)) = self.refused(&pod) {
                let generation = pod.generation();
                let mut pending = condition("PodResizePending", reason, &message, generation, now);
                let known = resize.pending.as_ref();
                let since = known.filter(|k| k.get("reason").str() == reason);
                if let Some(since) = since {
                    pending.set(&["lastTransitionTime"], since.get("lastTransitionTime").clone());
                }
                let same = known.is_some_and(|k| {
                    ["reason", "message", "observedGeneration"]
                        .iter()
                        .all(|f| k.get(f) == pending.get(f))
                });
                if !same {
                    let text = summary(&pod, generation, &message);
                    let kind = if reason == "Infeasible" {
                        "ResizeInfeasible"
                    } else {
                        "ResizeDeferred"
                    };
                    events.push((EventType::Warning, kind, format!("Pod resize {reason}: {text}")));
                    resize.pending = Some(pending);
                }
            } else {
                let generation = pod.generation();
                resize.granted = wanted;
                resize.pending = None;
                resize.progress = Some(condition("PodResizeInProgress", "", "", generation, now));
                let text = summary(&pod, generation, "");
                events.push((
                    EventType::Normal,
                    "ResizeStarted",
                    format!("Pod resize started: {text}"),
                ));
            }
        }
        for (kind, reason, message) in events {
            self.event(kind, reason, message);
        }
    }

    /// Why the node cannot give what a pod asks for: for good, or now.
    fn refused(&self, pod: &Object) -> Option<(&'static str, String)> {
        let allocatable = self.node_allocatable();
        let capacity = Resources::read(&allocatable);
        // What the status says of an earlier resize counts no more.
        let mut value = pod.value().clone();
        value.remove(&["status"]);
        let pod = Object::new(value);
        let beyond = Pod(&pod).with_requests(|asked| {
            ["memory", "cpu"].into_iter().find_map(|name| {
                let (asked, have) = (asked.get(name), capacity.get(name));
                (asked > have)
                    .then(|| format!("Node didn't have enough capacity: {name}, requested: {asked}, capacity: {have}"))
            })
        });
        match beyond {
            Some(message) if !allocatable.is_empty() => Some(("Infeasible", message)),
            _ => self.refuses(&pod).map(|(_, message)| ("Deferred", message)),
        }
    }

    /// Lets running containers have what was granted. Gives the names of those that must be started anew for it.
    pub(super) fn actuate(self: &Rc<Self>, pod: &Object) -> Vec<String> {
        let mut anew = Vec::new();
        let mut changed = false;
        if let Some(resize) = self.resize.borrow_mut().as_mut() {
            for container in containers(Pod(pod)) {
                let name = container.name();
                let (Some(from), Some(to)) = (resize.running.get(name), resize.granted.get(name)) else {
                    continue;
                };
                if from == to {
                    continue;
                }
                changed = true;
                if let Some(run) = self.run_of(name, false).filter(|r| r.is_running()) {
                    if needs_restart(container, from, to) {
                        anew.push(name.to_owned());
                    } else {
                        let most = Resources::read(to.get("limits"));
                        let most = |resource: &str| u64::try_from(most.get(resource)).unwrap_or(0);
                        run.resize(most("cpu"), most("memory"));
                    }
                }
                let to = to.clone();
                resize.running.insert(name.to_owned(), to);
            }
        }
        if changed {
            self.relist();
            // A pod that gave something back makes room for others.
            self.room_changed();
        }
        anew
    }
}
