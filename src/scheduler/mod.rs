//! kube-scheduler: takes unbound pods from its queue one at a time, decides from its informers'
//! state where each goes, and binds it. Every decision leaves its verdict in the trace.

#![warn(missing_docs)]

mod cycle;
mod events;
mod framework;
mod node_info;
mod plugins;
mod queue;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cycle::{Decision, Nominated, decide};
use events::Recorder;
use framework::{Listers, View};
use node_info::{Cache, PodInfo};
use plugins::default_preemption::{PREEMPTED, Preemption};
use plugins::volume_binding;
use queue::{Happening, Queue, Queued};

use crate::api::auth::AUTHENTICATED;
use crate::api::events::EventType;
use crate::api::views::pod::Pod;
use crate::api::{ApiServer, Client, Informer, ListOptions, Object, ObjectKey, Resource, User};
use crate::sim::{Signal, Sim, TaskHandle, TraceEvent};
use crate::value::{Value, quoted};
use crate::{list, obj};

/// How long a pod waits for its claims to be bound (`bindTimeoutSeconds`).
const BIND_TIMEOUT: Duration = Duration::from_secs(600);

/// What one decision takes in a small cluster.
const DECISION: Duration = Duration::from_millis(1);

/// How kube-scheduler is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name that pods ask for in `spec.schedulerName`.
    pub name: Rc<str>,
    /// The host that it runs on.
    pub host: Rc<str>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            name: "default-scheduler".into(),
            host: "k8s-master".into(),
        }
    }
}

/// The running scheduler. Clones are handles.
#[derive(Clone)]
pub struct Scheduler(Rc<Inner>);

struct Inner {
    sim: Sim,
    client: Client,
    options: Options,
    recorder: Recorder,
    pods_resource: Rc<Resource>,
    pods: Informer,
    nodes: Informer,
    listers: Listers,
    state: RefCell<State>,
    changed: Signal,
    tasks: RefCell<Vec<TaskHandle>>,
}

#[derive(Default)]
struct State {
    cache: Cache,
    queue: Queue,
    nominated: Nominated,
    /// Where among the nodes the next search begins.
    start: usize,
}

/// Starts a scheduler.
pub fn start(api: &ApiServer, options: Options) -> Scheduler {
    let user = User::new("system:kube-scheduler", [AUTHENTICATED]);
    let client = Client::new(api, "kube-scheduler", user);
    let find = |group: &str, name: &str| -> Rc<Resource> { api.built_in(group, name) };
    let inform = |group: &str, name: &str| Informer::start(&client, &find(group, name), ListOptions::default());
    let pods_resource = find("", "pods");
    let scheduler = Scheduler(Rc::new(Inner {
        sim: api.sim().clone(),
        recorder: Recorder::new(&client, &options.name, &options.host),
        pods: Informer::start(&client, &pods_resource, ListOptions::default()),
        nodes: inform("", "nodes"),
        listers: Listers {
            namespaces: inform("", "namespaces"),
            services: inform("", "services"),
            replica_sets: inform("apps", "replicasets"),
            replication_controllers: inform("", "replicationcontrollers"),
            stateful_sets: inform("apps", "statefulsets"),
            claims: inform("", "persistentvolumeclaims"),
            volumes: inform("", "persistentvolumes"),
            storage_classes: inform("storage.k8s.io", "storageclasses"),
            disruption_budgets: inform("policy", "poddisruptionbudgets"),
        },
        pods_resource,
        client,
        options,
        state: RefCell::default(),
        changed: Signal::default(),
        tasks: RefCell::default(),
    }));
    scheduler.watch();
    let s = scheduler.clone();
    let task = api.sim().spawn("kube-scheduler", async move { s.run().await });
    scheduler.0.tasks.borrow_mut().push(task);
    scheduler
}

impl Scheduler {
    /// Ends the scheduler.
    pub fn stop(&self) {
        for task in self.0.tasks.borrow_mut().drain(..) {
            task.abort();
        }
        let l = &self.0.listers;
        for informer in [
            &self.0.pods,
            &self.0.nodes,
            &l.namespaces,
            &l.services,
            &l.replica_sets,
            &l.replication_controllers,
            &l.stateful_sets,
            &l.claims,
            &l.volumes,
            &l.storage_classes,
            &l.disruption_budgets,
        ] {
            informer.stop();
        }
    }

    fn happened(&self, what: Happening) {
        let now = self.0.sim.now();
        self.0.state.borrow_mut().queue.happened(what, now);
        self.0.changed.notify();
    }

    fn watch(&self) {
        let s = self.clone();
        self.0.pods.on_change(move |old, new| s.pod_changed(old, new));
        let s = self.clone();
        self.0.nodes.on_change(move |old, new| s.node_changed(old, new));
        let l = &self.0.listers;
        for informer in [&l.claims, &l.volumes, &l.storage_classes] {
            let s = self.clone();
            informer.on_change(move |_, _| s.happened(Happening::Volumes));
        }
        let s = self.clone();
        l.namespaces.on_change(move |_, _| s.happened(Happening::Namespaces));
    }

    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let now = self.0.sim.now();
        let bound = |p: &Object| !Pod(p).node_name().is_empty();
        let mut happening = None;
        {
            let mut state = self.0.state.borrow_mut();
            match new {
                None => {
                    if let Some(old) = old {
                        let key = old.key();
                        state.queue.remove(&key);
                        state.nominated.remove(&key);
                        if state.cache.holds(&key) {
                            happening = Some(Happening::PodGone);
                        }
                        state.cache.remove_pod(&key);
                    }
                }
                Some(pod) if bound(pod) => {
                    let key = pod.key();
                    state.queue.remove(&key);
                    state.nominated.remove(&key);
                    if Pod(pod).is_terminal() {
                        if state.cache.holds(&key) {
                            happening = Some(Happening::PodGone);
                        }
                        state.cache.remove_pod(&key);
                    } else {
                        let was_bound = old.is_some_and(bound);
                        let relabelled = old.is_none_or(|o| o.labels() != pod.labels());
                        // A version that differs only in its status changes nothing here.
                        let same = old.is_some_and(|o| {
                            o.spec().same(pod.spec()) && !relabelled && o.is_deleting() == pod.is_deleting()
                        });
                        if !(was_bound && same && state.cache.holds(&key)) {
                            state.cache.set_pod(Pod(pod).node_name(), Rc::new(PodInfo::new(pod)));
                        }
                        if !was_bound || relabelled {
                            happening = Some(Happening::PodPlaced);
                        }
                    }
                }
                Some(pod) => {
                    let key = pod.key();
                    let ours = Pod(pod).scheduler_name() == &*self.0.options.name;
                    if Pod(pod).is_terminal() || !ours {
                        state.queue.remove(&key);
                    } else if !state.cache.is_assumed(&key) {
                        if pod.is_deleting() {
                            state.queue.remove(&key);
                        } else {
                            state.queue.update(pod, now);
                        }
                        self.0.changed.notify();
                    }
                }
            }
        }
        if let Some(what) = happening {
            self.happened(what);
        }
    }

    fn node_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        match (old, new) {
            (_, None) => {
                if let Some(old) = old {
                    self.0.state.borrow_mut().cache.remove_node(old.name());
                }
            }
            (None, Some(node)) => {
                self.0.state.borrow_mut().cache.set_node(node);
                self.happened(Happening::NodeAdded);
            }
            (Some(old), Some(node)) => {
                self.0.state.borrow_mut().cache.set_node(node);
                if old.status().get("allocatable") != node.status().get("allocatable") {
                    self.happened(Happening::NodeAllocatable);
                }
                if old.labels() != node.labels() {
                    self.happened(Happening::NodeLabels);
                }
                let fenced = |n: &Object| n.spec().bool_at(&["unschedulable"]);
                if old.spec().get("taints") != node.spec().get("taints") || fenced(old) != fenced(node) {
                    self.happened(Happening::NodeTaints);
                }
            }
        }
    }

    async fn run(&self) {
        let inner = &self.0;
        inner.nodes.synced().await;
        inner.pods.synced().await;
        let l = &inner.listers;
        for informer in [&l.services, &l.replica_sets, &l.claims, &l.volumes, &l.storage_classes] {
            informer.synced().await;
        }
        loop {
            let generation = inner.changed.generation();
            let next = inner.state.borrow_mut().queue.pop(inner.sim.now());
            if let Some(queued) = next {
                inner.sim.sleep(DECISION).await;
                self.schedule(queued);
                continue;
            }
            let due = inner.state.borrow().queue.next_due();
            let changed = inner.changed.after(generation);
            match due {
                Some(when) => {
                    let left = when.since(inner.sim.now());
                    crate::sim::timeout(&inner.sim, left, changed).await;
                }
                None => changed.await,
            }
        }
    }

    fn schedule(&self, mut queued: Queued) {
        let inner = &self.0;
        let key = queued.pod.key();
        // A change while it was decided on brought it to the queue again (`skipPodSchedule`).
        if inner.state.borrow().cache.is_assumed(&key) {
            return;
        }
        // It may have changed or gone while the decision before was made.
        match inner.pods.get(&key) {
            Some(pod) if pod.uid() == queued.pod.uid() && !pod.is_deleting() && Pod(&pod).node_name().is_empty() => {
                queued.pod = pod;
            }
            _ => return,
        }
        let pod = Rc::new(PodInfo::new(&queued.pod));
        let decision = {
            let mut state = inner.state.borrow_mut();
            let state = &mut *state;
            let view = View::new(state.cache.nodes());
            decide(
                &inner.sim,
                &pod,
                view,
                &inner.listers,
                &state.nominated,
                &mut state.start,
            )
        };
        let Decision {
            verdict,
            refused_by,
            preemption,
        } = decision;
        let verdict = Rc::new(verdict);
        inner.sim.emit(TraceEvent::Verdict(verdict.clone()));
        if let Some(node) = &verdict.chosen {
            {
                let mut state = inner.state.borrow_mut();
                state.nominated.remove(&key);
                state.cache.assume(node, pod);
            }
            let (scheduler, node, message) = (self.clone(), node.clone(), verdict.message.clone());
            inner.sim.spawn("bind", async move {
                scheduler.bind(queued, &node, &message).await;
            });
            return;
        }
        queued.refused_by = refused_by;
        inner.recorder.event(
            &queued.pod,
            None,
            EventType::Warning,
            "FailedScheduling",
            "Scheduling",
            verdict.message.to_string(),
        );
        let promised = queued.pod.status().str_at(&["nominatedNodeName"]);
        let nominated: Rc<str> = match preemption {
            Some(Preemption::Candidate { node, victims }) => {
                // Where all victims go already, the real one leaves the others' promises alone.
                let evicts = victims.iter().any(|victim| !victim.pod.is_deleting());
                for other in self.nominate(&pod, &node, evicts) {
                    let patch = obj! { "nominatedNodeName": Value::Null };
                    self.patch_status("preempt", other.pod.clone(), patch);
                }
                for victim in victims {
                    self.evict(&queued.pod, &victim.pod, &node);
                }
                node
            }
            Some(Preemption::Nothing(_)) => {
                inner.state.borrow_mut().nominated.remove(&key);
                "".into()
            }
            _ => promised.into(),
        };
        self.report(&queued.pod, &verdict.message, &nominated);
        let now = inner.sim.now();
        inner.state.borrow_mut().queue.requeue(queued, now);
        inner.changed.notify();
    }

    /// Promises a node to a pod. With `evicts`, those of lower priority that it was promised to, and
    /// that are returned, are not promised it any longer.
    fn nominate(&self, pod: &Rc<PodInfo>, node: &Rc<str>, evicts: bool) -> Vec<Rc<PodInfo>> {
        let mut lower = Vec::new();
        let mut state = self.0.state.borrow_mut();
        state.nominated.retain(|_, (name, other)| {
            let is_lower = evicts && name == node && other.priority < pod.priority;
            if is_lower {
                lower.push(other.clone());
            }
            !is_lower
        });
        state.nominated.insert(pod.key.clone(), (node.clone(), pod.clone()));
        lower
    }

    /// Binds a pod through the API. A failure takes the assumption back and tries again later.
    async fn bind(&self, mut queued: Queued, node: &str, message: &str) {
        let inner = &self.0;
        let pod = queued.pod.clone();
        if let Err(why) = self.bind_volumes(&pod, node).await {
            self.bind_failed(queued, format!("running PreBind plugin \"VolumeBinding\": {why}"));
            return;
        }
        let binding = obj! {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": obj! { "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid() },
            "target": obj! { "kind": "Node", "name": node },
        };
        let bound = inner
            .client
            .post(&inner.pods_resource, pod.namespace(), pod.name(), "binding", binding)
            .await;
        match bound {
            Ok(_) => inner.recorder.event(
                &pod,
                None,
                EventType::Normal,
                "Scheduled",
                "Binding",
                message.to_owned(),
            ),
            Err(status) => {
                if status.is_not_found() {
                    inner.state.borrow_mut().cache.forget(&pod.key());
                    self.happened(Happening::PodGone);
                    return;
                }
                queued.pod = pod;
                let why = status.message();
                self.bind_failed(
                    queued,
                    format!("binding rejected: running Bind plugin \"DefaultBinder\": {why}"),
                );
            }
        }
    }

    /// Takes the assumption of a pod back, tells why, and tries again later.
    fn bind_failed(&self, mut queued: Queued, why: String) {
        let inner = &self.0;
        let now = inner.sim.now();
        let pod = queued.pod.clone();
        inner.state.borrow_mut().cache.forget(&pod.key());
        self.happened(Happening::PodGone);
        inner
            .recorder
            .event(&pod, None, EventType::Warning, "FailedScheduling", "Scheduling", why);
        queued.failed = true;
        inner.state.borrow_mut().queue.requeue(queued, now);
        inner.changed.notify();
    }

    /// Promises volumes to the claims of a pod that waited for it, or asks for such volumes, and
    /// waits until the claims are bound.
    ///
    /// # Errors
    /// Why they are not.
    async fn bind_volumes(&self, pod: &Object, node: &str) -> Result<(), String> {
        let inner = &self.0;
        if volume_binding::all_bound(pod, &inner.listers) {
            return Ok(());
        }
        let Some(node) = inner.nodes.get(&ObjectKey::new("", node)) else {
            return Err(format!("node {node} not found", node = quoted(&node)));
        };
        let plan = volume_binding::plan(pod, &node, &inner.listers).map_err(|r| r.reasons.join(", "))?;
        for (resource, values) in [
            ("persistentvolumes", plan.volumes),
            ("persistentvolumeclaims", plan.claims),
        ] {
            let resource = inner.client.api().built_in("", resource);
            for value in values {
                let written = inner.client.update(&resource, value).await;
                written.map_err(|status| status.message().to_owned())?;
            }
        }
        let deadline = inner.sim.now() + BIND_TIMEOUT;
        loop {
            let claims = inner.listers.claims.changed();
            let generation = claims.generation();
            if volume_binding::all_bound(pod, &inner.listers) {
                return Ok(());
            }
            if inner.pods.get(&pod.key()).is_none_or(|p| p.is_deleting()) {
                return Err(format!("pod {} not found", quoted(&pod.name())));
            }
            let left = deadline.since(inner.sim.now());
            if left.is_zero() {
                return Err("binding volumes: context deadline exceeded".into());
            }
            crate::sim::timeout(&inner.sim, left, claims.after(generation)).await;
        }
    }

    /// Says in a pod's status why it is not scheduled, and which node preemption promises it, if any.
    fn report(&self, pod: &Object, message: &Rc<str>, node: &str) {
        let present = pod.condition("PodScheduled");
        let same = present.is_some_and(|c| {
            c.str_at(&["status"]) == "False"
                && c.str_at(&["reason"]) == "Unschedulable"
                && c.str_at(&["message"]) == &**message
        });
        let promised = pod.status().str_at(&["nominatedNodeName"]);
        if same && node == promised {
            return;
        }
        let was_false = present.is_some_and(|c| c.str_at(&["status"]) == "False");
        let since = match present.filter(|_| was_false) {
            Some(c) => c.get("lastTransitionTime").clone(),
            None => Value::from(self.0.sim.now()),
        };
        let condition = obj! {
            "lastProbeTime": Value::Null,
            "lastTransitionTime": since,
            "message": message,
            "observedGeneration": pod.generation(),
            "reason": "Unschedulable",
            "status": "False",
            "type": "PodScheduled",
        };
        let mut status = obj! { "conditions": list![condition.clone()] };
        let others = pod.status().get("conditions").items().iter();
        let mut conditions: Vec<Value> = others
            .filter(|c| c.str_at(&["type"]) != "PodScheduled")
            .cloned()
            .collect();
        conditions.push(condition);
        status.set(&["conditions"], conditions);
        if node != promised {
            status.set(
                &["nominatedNodeName"],
                if node.is_empty() { Value::Null } else { node.into() },
            );
        }
        self.patch_status("scheduler status", pod.clone(), status);
    }

    fn patch_status(&self, task: &'static str, pod: Object, status: Value) {
        let patch = obj! { "metadata": obj! { "uid": pod.uid() }, "status": status };
        let scheduler = self.clone();
        self.0.sim.spawn(task, async move {
            let inner = &scheduler.0;
            // When it fails, the next attempt says it again.
            let _ = inner.client.merge(&inner.pods_resource, &pod, "status", patch).await;
        });
    }

    /// Deletes a pod to make room for one of higher priority.
    fn evict(&self, preemptor: &Object, victim: &Object, node: &str) {
        let inner = &self.0;
        if victim.is_deleting() {
            return;
        }
        let note = format!("Preempted by pod {} on node {node}", preemptor.uid());
        let now = inner.sim.now();
        let message = format!(
            "{}: preempting to accommodate a higher priority pod",
            inner.options.name
        );
        let conditions = Pod(victim).disrupted(PREEMPTED, &message, now);
        let patch = obj! { "status": obj! { "conditions": conditions } };
        let (scheduler, victim, preemptor) = (self.clone(), victim.clone(), preemptor.clone());
        inner.sim.spawn("preempt", async move {
            let inner = &scheduler.0;
            let pods = &inner.pods_resource;
            let _ = inner.client.merge(pods, &victim, "status", patch).await;
            if inner.client.delete_exactly(pods, &victim, "").await.is_ok() {
                inner.recorder.event(
                    &victim,
                    Some(&preemptor),
                    EventType::Normal,
                    "Preempted",
                    "Preempting",
                    note,
                );
            }
        });
    }
}

#[cfg(test)]
mod tests;
