//! A pod's worker: brings one pod to what its spec says, step by step, and writes its status.
//!
//! It is one task on virtual time that sleeps until something of its pod changes: the spec, a
//! container's end, a probe's answer, a time to try again. As the real kubelet does, it writes the
//! status at the beginning of a step, so that what a step finds is shown by the next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join_all, select};

use super::container::{Plan, Run};
use super::env::{Sources, Variables};
use super::images::{Local, Reference};
use super::probes::{self, Answer, Kind};
use super::resize::Resize;
use super::volumes::{self, Volumes};
use super::{Node, env, etc, proc, status};
use crate::api::events::EventType;
use crate::api::names;
use crate::api::placement::host_ports;
use crate::api::quantity::Quantity;
use crate::api::views::{Container, Pod, Resources};
use crate::api::{Object, ObjectKey, Status};
use crate::flat::{FlatMap, FlatSet};
use crate::net::{Attached, HostPort, Network, Origin, Protocol};
use crate::programs::{self, Meter, Sandbox};
use crate::shell::{Env, Files, Host, SIGKILL, SIGQUIT, SIGTERM};
use crate::sim::{ContainerChange, Signal, Sim, TaskHandle, Time, TraceEvent};
use crate::value::gofmt::quote;
use crate::value::{Value, duration};

/// The first delay of a restart and of a pull's repetition, and the longest.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MOST: Duration = Duration::from_secs(300);
/// A run of this length ends a series of back-offs.
const BACKOFF_RESET: Duration = Duration::from_secs(600);
/// Between two looks of the kubelet at its containers (PLEG).
const RELIST: Duration = Duration::from_secs(1);
/// Between two looks at whether an ended pod's volumes are gone (`podAttachAndMountRetryInterval`): the
/// first look always comes too early.
const UNMOUNT: Duration = Duration::from_millis(300);
/// Between two looks at what pods take of the node's disk (`monitoringInterval` of the eviction manager).
const MONITORING: Duration = Duration::from_secs(10);
/// Until a step that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// A delay that doubles, as client-go's `flowcontrol.Backoff`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Series {
    delay: Duration,
    last: Time,
}

impl Series {
    /// When the event at `event` may be tried again; `None` when at once.
    fn until(self, event: Time, now: Time) -> Option<Time> {
        if self.delay.is_zero() || event.since(self.last) > BACKOFF_RESET {
            return None;
        }
        let end = event + self.delay;
        (now < end).then_some(end)
    }

    /// Counts one more try.
    fn next(&mut self, event: Time, now: Time) {
        let fresh = self.delay.is_zero() || event.since(self.last) > BACKOFF_RESET;
        self.delay = if fresh {
            BACKOFF
        } else {
            (self.delay * 2).min(BACKOFF_MOST)
        };
        self.last = now;
    }
}

/// Why a running container is killed so that another takes its place.
enum Replaced {
    /// This probe failed.
    Unhealthy(Kind),
    /// The spec says another image.
    Changed,
    /// It must be started anew to have its new resources.
    Resized,
}

/// What the worker knows of one container.
#[derive(Default)]
pub struct Slot {
    pub run: Option<Rc<Run>>,
    /// The run before, for its log and last state.
    pub previous: Option<Rc<Run>>,
    pub restarts: i64,
    /// Why it waits, and what the status says of it.
    pub cause: Option<(String, String)>,
    /// The last state of a container that ran before this kubelet began.
    pub last_state: Value,
    /// The exit code of such a container.
    pub last_code: Option<i32>,
    pub started: bool,
    /// Whether any run of it was started: what later init containers wait for.
    pub was_started: bool,
    pub ready: bool,
    /// A probe failed, and it is to be killed.
    kill: Option<Kind>,
    /// It was killed for a change of its spec: the sync that did that starts it again, whatever its restart policy says.
    pub anew: bool,
    restart_series: Series,
    tasks: Vec<TaskHandle>,
}

struct Place {
    sandbox: Rc<Sandbox>,
    /// Detaches the pod from the network when it ends.
    _attached: Attached,
    host_network: bool,
}

/// The worker of one pod.
pub struct Worker {
    node: Rc<Node>,
    pub key: ObjectKey,
    name: Rc<str>,
    pod: RefCell<Object>,
    pub slots: RefCell<FlatMap<String, Slot>>,
    place: RefCell<Option<Place>>,
    ip: RefCell<Option<String>>,
    volumes: RefCell<Option<Rc<Volumes>>>,
    /// Resources that are not yet what the spec says.
    pub(super) resize: RefCell<Option<Box<Resize>>>,
    pub signal: Signal,
    started: Cell<Option<Time>>,
    failure: RefCell<Option<(String, String)>>,
    /// The node does not take the pod.
    refused: Cell<bool>,
    /// The images whose last pull failed, and what it said.
    failed_pulls: RefCell<FlatMap<String, (Series, String)>>,
    /// The volumes that show an image: why it is not there, as the containers that mount it wait for it.
    image_volumes: RefCell<FlatMap<String, Result<(), (String, String)>>>,
    /// The object is gone from the API.
    gone: Cell<bool>,
    /// Nothing is started any more.
    terminating: Cell<bool>,
    mount_tries: Cell<u32>,
    /// When it is looked again at what the pod takes of the node's disk.
    next_look: Cell<Time>,
    /// It took too much, and ends at once.
    evicted: Cell<bool>,
    relist_set: Cell<bool>,
    /// The signal's generation when the present step began.
    step_began: Cell<u64>,
    /// When the last step was done.
    last_step: Cell<Option<Time>>,
    /// Nothing is left of a pod that was deleted.
    over: Cell<bool>,
}

/// What a step wants next.
enum Next {
    /// To be called at a change, or at this time.
    Wait(Option<Time>),
    /// Nothing more: the pod ended by itself.
    Ended,
}

impl Worker {
    pub fn new(node: &Rc<Node>, pod: &Object) -> Rc<Worker> {
        Rc::new(Worker {
            node: node.clone(),
            key: pod.key(),
            name: pod.full_name(),
            pod: RefCell::new(pod.clone()),
            slots: RefCell::default(),
            place: RefCell::default(),
            ip: RefCell::default(),
            volumes: RefCell::default(),
            resize: RefCell::default(),
            signal: Signal::default(),
            started: Cell::new(None),
            failure: RefCell::default(),
            refused: Cell::new(false),
            failed_pulls: RefCell::default(),
            image_volumes: RefCell::default(),
            gone: Cell::new(false),
            terminating: Cell::new(false),
            mount_tries: Cell::new(0),
            next_look: Cell::default(),
            evicted: Cell::new(false),
            relist_set: Cell::new(false),
            step_began: Cell::new(0),
            last_step: Cell::new(None),
            over: Cell::new(false),
        })
    }

    pub fn sim(&self) -> &Sim {
        &self.node.sim
    }

    /// The pod as the API last showed it.
    pub fn pod(&self) -> Object {
        self.pod.borrow().clone()
    }

    /// Takes a newer version of the pod.
    pub fn update(self: &Rc<Self>, pod: &Object) {
        if pod.revision() < self.pod.borrow().revision() && pod.uid() == self.pod.borrow().uid() {
            return;
        }
        let old = self.pod.replace(pod.clone());
        self.note_resize(&old, pod);
        // Its own writes of the status need no answer; others' conditions (readiness gates) do.
        let spec_same =
            old.spec() == pod.spec() && old.metadata().get("generation") == pod.metadata().get("generation");
        let same = spec_same && old.is_deleting() == pod.is_deleting() && old.uid() == pod.uid();
        let gates = pod.spec().get("readinessGates").items();
        let gates_same = gates.iter().all(|g| {
            let kind = g.get("conditionType").str();
            old.condition(kind) == pod.condition(kind)
        });
        if !same || !gates_same {
            self.signal.notify();
        }
        // Each sync of the pod writes what volumes show of it; the volumes' own loop is a tenth of a second behind.
        let shown = |p: &Object| ["annotations", "labels"].map(|f| p.metadata().get(f).clone());
        if self.volumes.borrow().is_some() && shown(&old) != shown(pod) {
            let worker = Rc::downgrade(self);
            let sim = self.sim().clone();
            self.sim().spawn("downward volumes", async move {
                sim.sleep(Duration::from_millis(100)).await;
                if let Some(worker) = worker.upgrade() {
                    worker.refresh(&|source, _| source == "downwardAPI");
                }
            });
        }
    }

    /// Says that the object is gone from the API.
    pub fn remove(&self) {
        self.gone.set(true);
        self.signal.notify();
    }

    /// Whether nothing is left of a pod that was deleted, and only its last status is to be written.
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Whether the pod is the mirror of a static one that goes on running, whatever becomes of the mirror.
    pub fn is_mirror(&self) -> bool {
        let pod = self.pod.borrow();
        let hash = pod.annotation(names::MIRROR);
        hash.is_some_and(|hash| !self.node.has_dropped(hash))
    }

    pub fn started(&self) -> Option<Time> {
        self.started.get()
    }

    pub fn failure(&self) -> Option<(String, String)> {
        self.failure.borrow().clone()
    }

    pub fn node_ip(&self) -> String {
        self.node.ip().to_string()
    }

    pub fn pod_ip(&self) -> Option<String> {
        self.ip.borrow().clone()
    }

    pub fn has_sandbox(&self) -> bool {
        self.place.borrow().is_some()
    }

    pub fn sandbox(&self) -> Option<Rc<Sandbox>> {
        self.place.borrow().as_ref().map(|p| p.sandbox.clone())
    }

    /// The network, and where its node stands in it.
    pub fn place_of_node(&self) -> (&Network, Origin) {
        (&self.node.network, self.node.network.host(&self.node.name))
    }

    /// Where the node's own packets to its pods come from.
    pub fn gateway(&self) -> core::net::Ipv4Addr {
        self.node.gateway()
    }

    pub fn node_allocatable(&self) -> Value {
        self.node.object().status().get("allocatable").clone()
    }

    /// Lets the node's other pods look again whether there is room for them.
    pub fn room_changed(&self) {
        self.node.room_changed();
    }

    /// Why the node has no room for a pod: a reason and a message.
    pub fn refuses(&self, pod: &Object) -> Option<(String, String)> {
        self.node.refuses(pod)
    }

    /// 64 random hexadecimal digits: a container's id.
    pub fn random_id(&self) -> String {
        self.sim()
            .rng(|r| (0..4).map(|_| format!("{:016x}", r.u64(..))).collect())
    }

    /// The run of a container: the one now, or the one before it.
    pub fn run_of(&self, container: &str, previous: bool) -> Option<Rc<Run>> {
        let slots = self.slots.borrow();
        let slot = slots.get(container)?;
        if previous {
            slot.previous.clone()
        } else {
            slot.run.clone()
        }
    }

    // Events and the trace.

    fn path_of(&self, container: &str) -> String {
        let pod = self.pod();
        let list = if Pod(&pod).init_containers().any(|c| c.name() == container) {
            "initContainers"
        } else if Pod(&pod).ephemeral_containers().any(|c| c.name() == container) {
            "ephemeralContainers"
        } else {
            "containers"
        };
        format!("spec.{list}{{{container}}}")
    }

    /// Records an event about a container.
    pub fn container_event(&self, container: &str, kind: EventType, reason: &str, message: impl Into<String>) {
        let mut reference = self.pod.borrow().reference();
        reference.set(&["fieldPath"], self.path_of(container));
        // Versions of the pod come and go; the event is about the pod.
        self.node.recorder.about(reference, kind, reason, message);
    }

    pub(super) fn event(&self, kind: EventType, reason: &str, message: impl Into<String>) {
        let pod = self.pod();
        self.node.recorder.event(&pod, kind, reason, message);
    }

    fn trace(&self, container: &str, change: ContainerChange) {
        let runs = match change {
            ContainerChange::Started => Some(true),
            ContainerChange::Exited(_) => Some(false),
            _ => None,
        };
        let pod = self.pod();
        if let Some(runs) = runs.filter(|_| pod.annotation(names::MIRROR).is_some())
            && let Some(component) = pod.label("component")
        {
            let watch = self.node.shared.programs.borrow().clone();
            if let Some(watch) = watch {
                watch(component, runs);
            }
        }
        self.sim().emit(TraceEvent::Container {
            node: self.node.name.clone(),
            pod: self.name.clone(),
            container: container.into(),
            change,
        });
    }

    /// Looks again when the kubelet next relists its containers.
    pub(super) fn relist(self: &Rc<Self>) {
        if self.relist_set.replace(true) {
            return;
        }
        let next = self.relist_after(self.sim().now());
        let worker = self.clone();
        self.sim().spawn("relist", async move {
            worker.sim().clone().sleep_until(next).await;
            worker.relist_set.set(false);
            worker.signal.notify();
        });
    }

    /// When the kubelet next relists its containers after `time`.
    fn relist_after(&self, time: Time) -> Time {
        let step = RELIST.as_micros() as u64;
        let phase = self.node.relist_phase.0 % step;
        Time(time.0 + step - (time.0 + step - phase) % step)
    }

    /// Waits until the kubelet has relisted its containers since the last step: a real worker begins
    /// its next step only with a status that is newer than the one before.
    async fn until_relisted(&self) {
        if let Some(last) = self.last_step.get() {
            let next = self.relist_after(last);
            if next > self.sim().now() {
                self.sim().sleep_until(next).await;
            }
        }
    }

    // The task.

    /// Runs the pod until it is gone.
    pub async fn work(self: Rc<Self>) {
        let sim = self.sim().clone();
        // What ended before this kubelet began stays as it is told.
        let over = Pod(&self.pod()).is_terminal();
        let mut ended = over;
        loop {
            let generation = self.signal.generation();
            if self.is_mirror() && self.pod.borrow().is_deleting() {
                // A static pod does not end with its mirror: the mirror is removed, and made anew.
                self.node.delete(&self.pod()).await;
                self.signal.after(generation).await;
                continue;
            }
            if self.gone.get() || self.pod.borrow().is_deleting() {
                break;
            }
            let mut next = None;
            self.step_began.set(generation);
            if !ended {
                // A deletion ends a step wherever it waits (a pull, a hook).
                let step = std::pin::pin!(self.step());
                let leave = std::pin::pin!(self.until_leaving());
                let outcome = select(step, leave).await;
                self.last_step.set(Some(sim.now()));
                match outcome {
                    Either::Left((Next::Wait(when), _)) => next = when,
                    Either::Left((Next::Ended, _)) => ended = true,
                    Either::Right(_) => continue,
                }
            } else if !over {
                // Ended pods only keep their status (conditions of others may change).
                self.write_status(true).await;
            }
            match next {
                Some(when) => first_of(self.signal.after(generation), sim.sleep_until(when)).await,
                None => self.signal.after(generation).await,
            }
        }
        self.leave().await;
    }

    async fn until_leaving(&self) {
        loop {
            let generation = self.signal.generation();
            if self.gone.get() || self.pod.borrow().is_deleting() {
                return;
            }
            self.signal.after(generation).await;
        }
    }

    /// Ends everything of a pod that is being deleted, and removes it from the API.
    async fn leave(self: &Rc<Self>) {
        self.until_relisted().await;
        self.terminating.set(true);
        let was_running = self
            .slots
            .borrow()
            .values()
            .any(|s| s.run.as_ref().is_some_and(|r| r.is_running()));
        if !self.gone.get() && self.started.get().is_some() {
            self.write_status(false).await;
        }
        self.kill_all().await;
        if self.gone.get() {
            self.release();
            self.node.forget(self);
            return;
        }
        if self.started.get().is_some() {
            if was_running {
                self.write_status(true).await;
            }
            self.release();
            self.write_status(true).await;
            if self.last_step.replace(Some(self.sim().now())).is_some() {
                self.until_relisted().await;
                if !Pod(&self.pod()).volumes().is_empty() {
                    self.sim().sleep(UNMOUNT).await;
                }
            }
            self.over.set(true);
            self.write_status(true).await;
        }
        self.release();
        self.node.delete(&self.pod()).await;
        self.node.forget(self);
    }

    /// Gives back the pod's address and its place in the network.
    fn release(&self) {
        let place = self.place.borrow_mut().take();
        if let Some(place) = place
            && !place.host_network
        {
            self.node.release_ip(place.sandbox.ip());
        }
        for slot in self.slots.borrow_mut().values_mut() {
            slot.tasks.drain(..).for_each(|t| t.abort());
        }
    }

    // The status.

    async fn write_status(self: &Rc<Self>, terminal: bool) {
        for _ in 0..5 {
            let pod = self.pod();
            if self.gone.get() {
                return;
            }
            let status = match self.refused.get() {
                true => status::refused(self, &pod),
                false => status::make(self, &pod, terminal, self.sim().now()),
            };
            if &status == pod.status() {
                return;
            }
            let mut value = pod.value().clone();
            value.set(&["status"], status);
            match self.node.client.update_status(&self.node.kinds.pods, value).await {
                Ok(object) => {
                    let newer = object.revision() > self.pod.borrow().revision();
                    if newer && object.uid() == self.pod.borrow().uid() {
                        // Somebody may have written the spec meanwhile.
                        self.update(&object);
                    }
                    return;
                }
                Err(error) if error.is_conflict() => {
                    let got = self
                        .node
                        .client
                        .get(&self.node.kinds.pods, &self.key.namespace, &self.key.name)
                        .await;
                    match got {
                        Ok(object) if object.uid() == pod.uid() => self.update(&object),
                        _ => return,
                    }
                }
                // Gone, or refused: the next step tries again with what it then knows.
                Err(_) => return,
            }
        }
    }

    // A step.

    async fn step(self: &Rc<Self>) -> Next {
        let pod = self.pod();
        let now = self.sim().now();
        if self.started.get().is_none() {
            self.started.set(Some(now));
            if let Some((reason, message)) = unsupported(&pod).or_else(|| self.node.refuses(&pod)) {
                self.event(EventType::Warning, &reason, message.clone());
                *self.failure.borrow_mut() = Some((reason, format!("Pod was rejected: {message}")));
                self.refused.set(true);
                self.write_status(true).await;
                return Next::Ended;
            }
        }
        let deadline = pod
            .spec()
            .i64_at(&["activeDeadlineSeconds"])
            .and_then(|s| u64::try_from(s).ok())
            .and_then(|s| self.started.get().map(|t| t + Duration::from_secs(s)));
        if deadline.is_some_and(|d| now >= d) {
            let message = "Pod was active on the node longer than the specified deadline";
            self.event(EventType::Normal, "DeadlineExceeded", message);
            *self.failure.borrow_mut() = Some(("DeadlineExceeded".into(), message.into()));
            self.write_status(false).await;
            return self.end().await;
        }
        let mut looks = None;
        if self.has_disk_limits(&pod) {
            if now >= self.next_look.get() {
                self.next_look.set(now + MONITORING);
                if let Some(message) = self.takes_too_much(&pod) {
                    self.event(EventType::Warning, "Evicted", message.clone());
                    *self.failure.borrow_mut() = Some(("Evicted".into(), message));
                    self.evicted.set(true);
                    return self.end().await;
                }
            }
            looks = Some(self.next_look.get());
        }
        self.grant();
        // What follows sees the resources that were granted, which may not be those of the spec.
        let pod = self.granted(&self.pod());
        self.write_status(false).await;
        if self.volumes.borrow().is_none() {
            match self.make_volumes(&pod).await {
                Ok(volumes) => *self.volumes.borrow_mut() = Some(Rc::new(volumes)),
                Err(failures) => {
                    for sentence in failures.sentences {
                        self.event(EventType::Warning, "FailedMount", sentence);
                    }
                    // 500 ms, doubling, up to 2 min 2 s; a pod whose claims are at fault is looked at with the others.
                    let tries = self.mount_tries.get();
                    self.mount_tries.set(tries + 1);
                    let delay = match failures.of_claims {
                        true => Duration::from_millis(10_000 + self.sim().random_below(5_000)),
                        false => Duration::from_millis(500 << tries.min(8)).min(Duration::from_secs(122)),
                    };
                    return wait(Some(self.sim().now() + delay), deadline);
                }
            }
        }
        self.look_for_pull_secrets(&pod);
        if !self.has_sandbox() {
            if let Some(handler) = self.missing_runtime(&pod).await {
                let id = self.random_id();
                let why = format!(
                    "Failed to create pod sandbox: rpc error: code = Unknown desc = unable to get OCI runtime for sandbox {id:?}: no runtime for {handler:?} is configured"
                );
                self.event(EventType::Warning, "FailedCreatePodSandBox", why);
                let delay = Duration::from_secs(10) + Duration::from_millis(self.sim().random_below(5_000));
                return wait(Some(self.sim().now() + delay), deadline);
            }
            self.make_sandbox(&pod).await;
            self.write_status(false).await;
            // The runtime's first event of the pod asks for another step after this one.
            self.relist();
        }
        let mut next = deadline;
        if let Some(when) = looks {
            earliest(&mut next, when);
        }
        self.kill_marked(&pod).await;
        self.pull_volumes(&pod).await;
        if !self.init(&pod, &mut next).await {
            if status::phase(self, &pod, false) == "Failed" {
                return self.end().await;
            }
            return Next::Wait(next);
        }
        if !pod.spec().get("initContainers").is_empty() {
            // The last of them may have ended since: that is told before the containers' images are pulled.
            self.write_status(false).await;
        }
        for container in Pod(&pod).containers().chain(Pod(&pod).ephemeral_containers()) {
            self.run_container(&pod, container, &mut next).await;
        }
        if matches!(status::phase(self, &pod, false), "Succeeded" | "Failed") || self.only_sidecars_left(&pod) {
            return self.end().await;
        }
        Next::Wait(next)
    }

    fn has_disk_limits(&self, pod: &Object) -> bool {
        let limited = |c: Container| c.value().at(&["resources", "limits"]).has("ephemeral-storage");
        Pod(pod).containers().any(limited) || Pod(pod).volumes().iter().any(|v| v.get("emptyDir").has("sizeLimit"))
    }

    /// What a pod takes more of the node's disk than it may: the sentence of its eviction
    /// (`localStorageEviction`).
    fn takes_too_much(&self, pod: &Object) -> Option<String> {
        let over = |used: usize, limit: &str| {
            let limit = Quantity::parse_or_zero(limit);
            limit > Quantity::default() && Quantity::bytes(i64::try_from(used).unwrap_or(i64::MAX)) > limit
        };
        let volumes = self.volumes.borrow().clone().unwrap_or_default();
        let mut total = 0;
        for volume in Pod(pod).volumes().iter().filter(|v| v.has("emptyDir")) {
            let (name, source) = (volume.get("name").str(), volume.get("emptyDir"));
            let used = volumes.get(name).map_or(0, |(files, _)| files.usage().0);
            // A volume in memory cannot grow beyond its size.
            if source.get("medium").str() == "Memory" {
                continue;
            }
            let limit = source.get("sizeLimit").str();
            if over(used, limit) {
                return Some(format!(
                    "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
                ));
            }
            total += used;
        }
        let limit_of = |c: &Container| {
            c.value()
                .at(&["resources", "limits", "ephemeral-storage"])
                .str()
                .to_owned()
        };
        let used_by = |c: &Container| self.run_of(c.name(), false).map_or(0, |r| r.host.files().usage().0);
        let containers: Vec<Container> = Pod(pod).containers().collect();
        let limits = containers.iter().map(limit_of);
        let limits: Quantity = limits
            .map(|l| Quantity::parse_or_zero(&l))
            .fold(Quantity::default(), |sum, limit| sum + limit);
        total += containers.iter().map(used_by).sum::<usize>();
        let text = limits.to_string();
        if over(total, &text) {
            return Some(format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {text}. "
            ));
        }
        let one = containers.iter().find(|c| over(used_by(c), &limit_of(c)))?;
        Some(format!(
            "Container {} exceeded its local ephemeral storage limit \"{}\". ",
            one.name(),
            limit_of(one)
        ))
    }

    /// Says which of the secrets for pulling images are missing; images may be had without them.
    fn look_for_pull_secrets(&self, pod: &Object) {
        let secrets = pod.spec().get("imagePullSecrets").items();
        if secrets.is_empty() {
            return;
        }
        let sources = self.node.sources(pod.namespace());
        let missing: Vec<&str> = secrets
            .iter()
            .map(|s| s.get("name").str())
            .filter(|name| !name.is_empty() && sources.data(true, name).is_none())
            .collect();
        if !missing.is_empty() {
            let names = missing.join(", ");
            let message = format!(
                "Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            );
            self.event(EventType::Warning, "FailedToRetrieveImagePullSecret", message);
        }
    }

    /// Whether every container ended for good while sidecars still run.
    fn only_sidecars_left(&self, pod: &Object) -> bool {
        let slots = self.slots.borrow();
        Pod(pod).containers().all(|c| {
            slots.get(c.name()).is_some_and(|s| {
                s.run
                    .as_ref()
                    .is_some_and(|r| r.ended().is_some_and(|e| !restarts(pod, c, e.code)))
            })
        })
    }

    /// Ends what still runs of a pod that has done its work, and writes the phase that stays.
    async fn end(self: &Rc<Self>) -> Next {
        self.last_step.set(Some(self.sim().now()));
        self.until_relisted().await;
        self.terminating.set(true);
        self.kill_all().await;
        self.release();
        self.write_status(true).await;
        Next::Ended
    }

    /// Brings the init containers along. Returns whether the containers may start.
    async fn init(self: &Rc<Self>, pod: &Object, next: &mut Option<Time>) -> bool {
        // Once containers have run, only sidecars are kept running.
        let begun = {
            let slots = self.slots.borrow();
            Pod(pod)
                .containers()
                .any(|c| slots.get(c.name()).is_some_and(|s| s.run.is_some() || s.restarts > 0))
        };
        for container in Pod(pod).init_containers() {
            if container.is_sidecar() {
                self.run_container(pod, container, next).await;
                if !begun && !self.slots.borrow().get(container.name()).is_some_and(|s| s.was_started) {
                    return false;
                }
                continue;
            }
            if begun {
                continue;
            }
            let done = |worker: &Worker| {
                let slots = worker.slots.borrow();
                let run = slots.get(container.name()).and_then(|s| s.run.clone());
                run.and_then(|r| r.ended()).map(|e| e.code)
            };
            if done(self) != Some(0) {
                self.run_container(pod, container, next).await;
                return false;
            }
        }
        true
    }

    /// Kills what a probe condemned, and what runs another image than the spec now says.
    async fn kill_marked(self: &Rc<Self>, pod: &Object) {
        let anew = self.actuate(pod);
        let mut marked: Vec<(String, Replaced)> = anew.into_iter().map(|name| (name, Replaced::Resized)).collect();
        {
            let mut slots = self.slots.borrow_mut();
            for container in Pod(pod).init_containers().chain(Pod(pod).containers()) {
                let Some(slot) = slots.get_mut(container.name()) else {
                    continue;
                };
                let running = slot.run.as_ref().filter(|r| r.is_running());
                let changed = running.is_some_and(|r| r.spec_image != container.image());
                let why = slot
                    .kill
                    .take()
                    .filter(|_| slot.run.as_ref().is_some_and(|r| r.is_running()));
                let why = why
                    .map(Replaced::Unhealthy)
                    .or_else(|| changed.then_some(Replaced::Changed));
                if let Some(why) = why
                    && !marked.iter().any(|(name, _)| name == container.name())
                {
                    marked.push((container.name().to_owned(), why));
                }
            }
        }
        for (name, why) in marked {
            let (mut grace, mut subject, mut tail) =
                (Pod(pod).termination_grace_period(), "Container", ", will be restarted");
            if let Some(container) = Pod(pod).container(&name) {
                if Pod(pod).init_containers().any(|c| c.name() == name) {
                    (subject, tail) = ("Init container", "");
                } else if policy(pod, container) == "Never" && matches!(why, Replaced::Unhealthy(_)) {
                    tail = "";
                }
                if let Replaced::Unhealthy(kind) = why {
                    let own = container.probe(kind.field());
                    grace = own
                        .and_then(|p| p.i64_at(&["terminationGracePeriodSeconds"]))
                        .unwrap_or(grace);
                }
            }
            let text = match why {
                Replaced::Unhealthy(kind) => {
                    format!(
                        "{subject} {name} failed {} probe{tail}",
                        kind.name().to_ascii_lowercase()
                    )
                }
                Replaced::Changed => format!("{subject} {name} definition changed{tail}"),
                Replaced::Resized => format!("Container {name} resize requires restart"),
            };
            self.kill(&name, Duration::from_secs(grace.max(0) as u64), &text).await;
            // A change of the image or of the size is no crash.
            if matches!(why, Replaced::Changed | Replaced::Resized)
                && let Some(slot) = self.slots.borrow_mut().get_mut(&name)
            {
                slot.restart_series = Series::default();
                slot.anew = true;
            }
        }
    }

    /// Starts a container that should run and does not.
    async fn run_container(self: &Rc<Self>, pod: &Object, container: Container<'_>, next: &mut Option<Time>) {
        let name = container.name().to_owned();
        let now = self.sim().now();
        let (run, anew) = {
            let mut slots = self.slots.borrow_mut();
            let slot = slots.entry(name.clone()).or_default();
            (slot.run.clone(), slot.anew)
        };
        if let Some(run) = &run {
            let Some(ended) = run.ended() else { return };
            if !anew && !restarts(pod, container, ended.code) {
                return;
            }
            let series = self
                .slots
                .borrow()
                .get(&name)
                .map(|s| s.restart_series)
                .unwrap_or_default();
            if let Some(until) = series.until(ended.at, now) {
                earliest(next, until);
                let of = formatted(pod);
                let known = self
                    .cause(&name)
                    .is_some_and(|(reason, _)| reason == "CrashLoopBackOff");
                if !known {
                    self.set_cause(
                        &name,
                        "CrashLoopBackOff",
                        format!(
                            "back-off {} restarting failed container={name} pod={of}",
                            duration::text(series.delay)
                        ),
                    );
                    self.trace(&name, ContainerChange::BackOff);
                    self.relist();
                }
                self.container_event(
                    &name,
                    EventType::Warning,
                    "BackOff",
                    format!("Back-off restarting failed container {name} in pod {of}"),
                );
                return;
            }
        }
        let first_try = self.cause(&name).is_none();
        let started = self.start(pod, container).await;
        if let Some(slot) = self.slots.borrow_mut().get_mut(&name) {
            slot.anew = false;
        }
        match started {
            Ok(()) => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(&name) {
                    slot.cause = None;
                }
                self.relist();
            }
            Err((reason, message)) => {
                self.set_cause(&name, &reason, message);
                // What the pod's start found is shown by the step that the runtime's event asks for.
                if first_try && self.signal.generation() == self.step_began.get() {
                    self.relist();
                }
                let jitter = Duration::from_millis(self.sim().random_below(2_000));
                earliest(next, self.sim().now() + RETRY + jitter);
            }
        }
    }

    fn cause(&self, name: &str) -> Option<(String, String)> {
        self.slots.borrow().get(name).and_then(|s| s.cause.clone())
    }

    fn set_cause(&self, name: &str, reason: &str, message: impl Into<String>) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(name) {
            slot.cause = Some((reason.to_owned(), message.into()));
        }
    }

    /// Makes sure of a container's image. The error is a waiting reason and its message.
    async fn image(&self, pod: &Object, container: Container<'_>) -> Result<Local, (String, String)> {
        let name = container.name();
        let (image, policy) = (container.image().trim(), container.image_pull_policy());
        let found = self.ensure_image(pod, Some(name), image, policy).await;
        found.inspect_err(|(reason, _)| self.failed(name, reason))
    }

    /// Tells that a container could not be made.
    fn failed(&self, container: &str, why: &str) {
        self.container_event(container, EventType::Warning, "Failed", format!("Error: {why}"));
    }

    /// Pulls the images of the pod's volumes that are not there yet.
    async fn pull_volumes(&self, pod: &Object) {
        for volume in Pod(pod).volumes() {
            let (name, source) = (volume.get("name").str(), volume.get("image"));
            let is_there = matches!(self.image_volumes.borrow().get(name), Some(Ok(())));
            if source.is_null() || is_there {
                continue;
            }
            let (image, policy) = (source.get("reference").str(), source.get("pullPolicy").str());
            let found = self.ensure_image(pod, None, image.trim(), policy).await;
            match found {
                Ok(local) => self.show_image(name, &local),
                Err(why) => {
                    self.image_volumes.borrow_mut().insert(name.to_owned(), Err(why));
                }
            }
        }
    }

    /// Lets a volume show the files of an image, which nobody writes.
    fn show_image(&self, volume: &str, local: &Local) {
        let Some(sandbox) = self.sandbox() else { return };
        let (machine, _) = programs::machine(local.image, &local.tag, &sandbox);
        let files = machine.files().clone();
        // An image is no host.
        let _ = files.remove_file("/etc/hostname");
        files.set_read_only(true);
        self.image_volumes.borrow_mut().insert(volume.to_owned(), Ok(()));
        if let Some(volumes) = self.volumes.borrow_mut().as_mut() {
            Rc::make_mut(volumes).insert(volume.to_owned(), (files, "/".to_owned()));
        }
    }

    /// Makes sure of an image, for a container or for a volume of the pod. The error is a waiting reason and its
    /// message.
    async fn ensure_image(
        &self,
        pod: &Object,
        container: Option<&str>,
        image: &str,
        policy: &str,
    ) -> Result<Local, (String, String)> {
        let tell = |kind: EventType, reason: &str, message: String| match container {
            Some(name) => self.container_event(name, kind, reason, message),
            None => self.event(kind, reason, message),
        };
        let reference = match Reference::parse(image) {
            Ok(reference) => reference,
            Err(why) => {
                let message = format!(
                    "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {why}"
                );
                tell(EventType::Warning, "InspectFailed", message.clone());
                return Err(("InvalidImageName".into(), message));
            }
        };
        let local = self.node.images.get(&reference);
        match (policy, local) {
            ("Never", None) => {
                let message = format!("Container image \"{image}\" is not present with pull policy of Never");
                tell(EventType::Warning, "ErrImageNeverPull", message.clone());
                return Err(("ErrImageNeverPull".into(), message));
            }
            ("Never" | "IfNotPresent", Some(local)) => {
                let message =
                    format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
                tell(EventType::Normal, "Pulled", message);
                return Ok(local);
            }
            _ => {}
        }
        let now = self.sim().now();
        let failed = self.failed_pulls.borrow().get(image).cloned();
        if let Some((series, error)) = &failed
            && series.until(series.last, now).is_some()
        {
            let message = format!("Back-off pulling image \"{image}\"");
            tell(EventType::Normal, "BackOff", message.clone());
            return Err(("ImagePullBackOff".into(), format!("{message}: ErrImagePull: {error}")));
        }
        tell(EventType::Normal, "Pulling", format!("Pulling image \"{image}\""));
        match self.node.images.pull(&reference, &pod.full_name()).await {
            Ok(pulled) => {
                let message = format!(
                    "Successfully pulled image \"{image}\" in {} ({} including waiting). Image size: {} bytes.",
                    go_millis(pulled.took),
                    go_millis(pulled.with_waiting),
                    pulled.local.size
                );
                tell(EventType::Normal, "Pulled", message);
                self.failed_pulls.borrow_mut().remove(image);
                Ok(pulled.local)
            }
            Err(why) => {
                let message = format!("Failed to pull image \"{image}\": {why}");
                tell(EventType::Warning, "Failed", message);
                let now = self.sim().now();
                let mut series = failed.map(|(series, _)| series).unwrap_or_default();
                series.next(now, now);
                let known = (series, why.clone());
                self.failed_pulls.borrow_mut().insert(image.to_owned(), known);
                Err(("ErrImagePull".into(), why))
            }
        }
    }

    async fn start(self: &Rc<Self>, pod: &Object, container: Container<'_>) -> Result<(), (String, String)> {
        let name = container.name().to_owned();
        let mounts = container.value().get("volumeMounts").items();
        let mut missing = None;
        for mount in mounts {
            let found = self.image_volumes.borrow().get(mount.get("name").str()).cloned();
            if let Some(Err(why)) = found {
                self.failed(&name, &why.0);
                missing = Some(why);
            }
        }
        if let Some(why) = missing {
            return Err(why);
        }
        let image = self.image(pod, container).await?;
        let config = |message: String| {
            self.failed(&name, &message);
            ("CreateContainerConfigError".to_owned(), message)
        };
        let own = self.environment(pod, container).map_err(config)?;
        for mount in mounts {
            let missing = env::missing_in(mount.get("subPathExpr").str(), &own.env);
            if !missing.is_empty() {
                return Err(config(format!("missing value for {}", missing.join(", "))));
            }
        }
        if let Some(why) = breaks_non_root(pod, container, &image) {
            return Err(config(why));
        }
        let Some(sandbox) = self.sandbox() else {
            return Err(("ContainerCreating".into(), String::new()));
        };
        let (host, meter, mounted) = self.machine(pod, container, &image, &own.env, &sandbox);
        let barred = mounted.map_err(config)?;
        self.sim().sleep(Duration::from_millis(40)).await;
        let restart = self
            .slots
            .borrow()
            .get(&name)
            .is_some_and(|s| s.run.is_some() || s.restarts > 0);
        self.container_event(&name, EventType::Normal, "Created", "Container created");
        self.trace(&name, ContainerChange::Created);
        self.sim().sleep(Duration::from_millis(60)).await;
        let mut plan = self.plan(pod, container, &image, own, self.random_id(), meter);
        plan.barred = barred;
        let result = self.launch(container, host, plan, self.sim().now());
        if let Some(slot) = self.slots.borrow_mut().get_mut(&name)
            && restart
        {
            slot.restarts += 1;
            let now = self.sim().now();
            let event = slot.previous.as_ref().and_then(|p| p.ended()).map_or(now, |e| e.at);
            slot.restart_series.next(event, now);
        }
        if let Err(message) = result {
            self.failed(&name, &message);
            self.trace(&name, ContainerChange::Exited(128));
            return Err(("RunContainerError".into(), message));
        }
        self.container_event(&name, EventType::Normal, "Started", "Container started");
        self.post_start(pod, container).await
    }

    /// A container's machine, what measures it, and what [`volumes::mount`] says.
    fn machine(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        env: &Env,
        sandbox: &Sandbox,
    ) -> (Host, Rc<Meter>, Result<Option<String>, String>) {
        let (host, meter) = programs::machine(image.image, &image.tag, sandbox);
        self.furnish(pod, &host);
        if image.image.has_kubectl()
            && let Some(kubectl) = &*self.node.shared.kubectl.borrow()
        {
            let kubectl = kubectl.clone();
            host.add("/usr/local/bin/kubectl", move |context| kubectl(context));
        }
        if let Some(other) = self.process_namespace(pod, container) {
            host.share_processes(&other.host);
        } else if pod.spec().bool_at(&["shareProcessNamespace"]) {
            // Process 1 of a namespace that the pod's containers share is the sandbox's.
            host.join_processes();
        }
        let allocatable = proc::kib(self.node_allocatable().str_at(&["memory"]));
        proc::container(pod, container, host.files(), (&self.node.files, allocatable), &meter);
        let volumes = self.volumes.borrow().clone();
        let mounted = volumes.map_or(Ok(None), |v| {
            volumes::mount(pod, &v, container.value(), env, host.files())
        });
        confine(pod, container, image, &host);
        (host, meter, mounted)
    }

    /// Gives a container's machine the files that the pod's containers share.
    fn furnish(&self, pod: &Object, host: &Host) {
        let Some(sandbox) = self.sandbox() else { return };
        let spec = pod.spec();
        let ip = sandbox.ip().to_string();
        let short = match spec.get("hostnameOverride").str() {
            "" => sandbox.hostname.split('.').next().unwrap_or_default(),
            _ => sandbox.hostname.as_str(),
        };
        let name = etc::Name {
            ip: &ip,
            host: short,
            host_network: Pod(pod).host_network(),
            in_cluster: sandbox.origin.search.is_some(),
        };
        // A file system that is full lacks the files.
        let files = host.files();
        let _ = files.write("/etc/hosts", etc::hosts(pod, &name, &self.node.files));
        let _ = files.write("/etc/resolv.conf", etc::resolv(pod, &name, &self.node.files));
    }

    /// A running container whose processes this one sees: the target of an ephemeral container, or
    /// any of a pod that shares its process namespace.
    fn process_namespace(&self, pod: &Object, container: Container<'_>) -> Option<Rc<Run>> {
        let target = container.value().get("targetContainerName").str();
        if !target.is_empty() {
            return self.run_of(target, false).filter(|r| r.is_running());
        }
        if !pod.spec().bool_at(&["shareProcessNamespace"]) {
            return None;
        }
        let slots = self.slots.borrow();
        let mut runs = slots.values().filter_map(|s| s.run.clone());
        runs.find(|r| r.is_running())
    }

    /// What a container runs, with the environment that its spec says.
    fn plan(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        own: Variables,
        id: String,
        meter: Rc<Meter>,
    ) -> Plan {
        let value = container.value();
        let words = |field: &str| -> Vec<String> {
            value
                .get(field)
                .items()
                .iter()
                .map(|w| env::expand(w.str(), &own.env))
                .collect()
        };
        let strings = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (command, args) = (words("command"), words("args"));
        let mut argv = if command.is_empty() {
            strings(image.image.entrypoint)
        } else {
            command.clone()
        };
        if args.is_empty() && command.is_empty() {
            argv.extend(strings(image.image.cmd));
        } else {
            argv.extend(args);
        }
        let cwd = match value.get("workingDir").str() {
            "" => image.image.workdir,
            dir => dir,
        };
        let most = Resources::read(value.at(&["resources", "limits"]));
        let most = |resource: &str| u64::try_from(most.get(resource)).unwrap_or(0);
        let (env, variables) = self.whole_environment(pod, container, image, own);
        Plan {
            id,
            image: image.clone(),
            spec_image: container.image().to_owned(),
            args: argv,
            env,
            variables,
            cwd: cwd.to_owned(),
            stdin: value.bool_at(&["stdin"]),
            tty: value.bool_at(&["tty"]),
            message_path: value.get("terminationMessagePath").str().to_owned(),
            message_from_log: value.get("terminationMessagePolicy").str() == "FallbackToLogsOnError",
            meter,
            barred: None,
            limits: (most("cpu"), most("memory")),
        }
    }

    /// Starts a run and puts it into its slot, with its probes.
    fn launch(self: &Rc<Self>, container: Container, host: Host, plan: Plan, started: Time) -> Result<(), String> {
        let name = container.name().to_owned();
        let (weak, of) = (Rc::downgrade(self), name.clone());
        let (run, result) = Run::start(self.sim(), host, plan, started, move || {
            if let Some(worker) = weak.upgrade() {
                worker.ended(&of);
            }
        });
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(name.clone()).or_default();
        slot.tasks.drain(..).for_each(|t| t.abort());
        if slot.run.is_some() {
            slot.previous = slot.run.take();
        }
        slot.run = Some(run.clone());
        slot.kill = None;
        slot.started = container.probe("startupProbe").is_none();
        slot.was_started |= slot.started;
        slot.ready = container.probe("readinessProbe").is_none();
        if result.is_ok() {
            for kind in Kind::ALL {
                if let Some(probe) = container.probe(kind.field()) {
                    let future = probes::watch(self.clone(), name.clone(), run.clone(), kind, probe.clone());
                    slot.tasks.push(self.sim().spawn("probe", future));
                }
            }
        }
        let ready = slot.started && slot.ready && result.is_ok();
        drop(slots);
        if result.is_ok() {
            self.trace(&name, ContainerChange::Started);
            if ready {
                self.trace(&name, ContainerChange::Ready);
            }
        }
        result
    }

    /// A container ended.
    fn ended(self: &Rc<Self>, name: &str) {
        let code = self.run_of(name, false).and_then(|r| r.ended()).map_or(0, |e| e.code);
        let tasks: Vec<TaskHandle> = match self.slots.borrow_mut().get_mut(name) {
            Some(slot) => slot.tasks.drain(..).collect(),
            None => Vec::new(),
        };
        tasks.iter().for_each(TaskHandle::abort);
        self.trace(name, ContainerChange::Exited(code));
        self.relist();
    }

    /// Runs the hook that comes after the start. One that fails ends the container, and the pod waits with the hook's
    /// own message; the event keeps it to itself, since it may hold secrets.
    async fn post_start(self: &Rc<Self>, pod: &Object, container: Container<'_>) -> Result<(), (String, String)> {
        let hook = container.value().at(&["lifecycle", "postStart"]).clone();
        let name = container.name();
        let Some(run) = self.run_of(name, false).filter(|_| !hook.is_null()) else {
            return Ok(());
        };
        let Err(message) = self.hook(name, &run, &hook).await else {
            return Ok(());
        };
        self.container_event(name, EventType::Warning, "FailedPostStartHook", "PostStartHook failed");
        let grace = Pod(pod).termination_grace_period().max(0) as u64;
        self.kill(name, Duration::from_secs(grace), "FailedPostStartHook").await;
        Err(("PostStartHookError".into(), message))
    }

    /// Runs a hook. The error says what ran, and what went wrong.
    async fn hook(&self, name: &str, run: &Run, hook: &Value) -> Result<(), String> {
        let failed = |subject: String, why: String| {
            let of = formatted(&self.pod());
            Err(format!(
                "{subject} for Container \"{name}\" in Pod \"{of}\" failed - error: {why}"
            ))
        };
        if let Some(seconds) = hook.i64_at(&["sleep", "seconds"]) {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            self.sim().sleep(Duration::from_secs(seconds)).await;
            return Ok(());
        }
        if hook.has("exec") {
            let args: Vec<String> = hook
                .at(&["exec", "command"])
                .items()
                .iter()
                .map(|a| a.str().to_owned())
                .collect();
            // What the runtime needs to start a process beside the container's own, which is up by then.
            self.sim().sleep(Duration::from_millis(40)).await;
            let line = args.join(" ");
            let (why, output) = match probes::command(run, args).await {
                Ok((_, 0)) => return Ok(()),
                Ok((text, code)) => (format!("command '{line}' exited with {code}: {text}"), text),
                Err(why) => (why, String::new()),
            };
            return failed(
                format!("Exec lifecycle hook ([{line}])"),
                format!("{why}, message: {}", quote(&output)),
            );
        }
        let socket = hook.get("tcpSocket");
        if !socket.is_null() {
            // Go's print of the handler: kubelets have none for sockets.
            let port = match socket.get("port") {
                number if number.as_i64().is_some() => format!("{{0 {} }}", number.as_i64().unwrap_or(0)),
                name => format!("{{1 0 {}}}", name.str()),
            };
            return Err(format!(
                "Cannot run handler: invalid handler: &LifecycleHandler{{Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{{Port:{port},Host:{},}},Sleep:nil,}}",
                socket.get("host").str()
            ));
        }
        // Any response will do, whatever its status.
        let mut target = hook.get("httpGet").clone();
        let ask = async |target: &Value| probes::http(self, name, target, "kube-lifecycle/1.36", Duration::MAX).await;
        let mut answer = ask(&target).await;
        if let Err(Answer::Failure(why)) = &answer
            && why.ends_with("server gave HTTP response to HTTPS client")
        {
            let host = why.split('/').nth(2).unwrap_or_default().to_owned();
            target.set(&["scheme"], "HTTP");
            if let Ok(response) = ask(&target).await {
                let message =
                    format!("request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded");
                self.event(EventType::Warning, "LifecycleHTTPFallback", message);
                answer = Ok(response);
            }
        }
        match answer {
            Err(Answer::Failure(why) | Answer::Unknown(why)) => {
                failed(format!("HTTP lifecycle hook ({})", target.get("path").str()), why)
            }
            _ => Ok(()),
        }
    }

    /// What a container's process has: the runtime's variables, those of the image, and its own, each over the ones
    /// before; and their names as they come (containerd's `WithDefaultPathEnv` and `WithEnv`; `HOME` is runc's).
    fn whole_environment(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        own: Variables,
    ) -> (Env, Vec<String>) {
        let user = status::user(pod, container.value(), image.image);
        let hostname = self.sandbox().map(|s| s.hostname.clone()).unwrap_or_default();
        let mut first = vec![("PATH".to_owned(), String::new()), ("HOSTNAME".to_owned(), hostname)];
        first.extend(image.image.environment(&image.tag));
        if container.value().bool_at(&["tty"]) {
            first.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        // A terminal's and a home come last where nobody sets them.
        let last = ["TERM".to_owned(), "HOME".to_owned()];
        let (mut order, mut known) = (Vec::new(), FlatSet::new());
        for name in first.iter().map(|(name, _)| name).chain(&own.order).chain(&last) {
            if known.insert(name.clone()) {
                order.push(name.clone());
            }
        }
        let mut env: Env = first.into_iter().collect();
        env.extend(own.env);
        env.entry("HOME".into()).or_insert_with(|| home(user.uid, image));
        (env, order)
    }

    /// The environment that the kubelet gives a container: services' variables and what its spec sets. References
    /// see these alone.
    fn environment(&self, pod: &Object, container: Container) -> Result<Variables, String> {
        let links = pod.spec().get("enableServiceLinks").as_bool().unwrap_or(true);
        let env = env::services(pod.namespace(), links, |f| {
            self.node.shared.services.each("", |s| f(s));
        });
        let sources = self.node.sources(pod.namespace());
        // fieldRefs read the addresses that the status will show.
        let mut value = pod.value().clone();
        value.set(&["status", "hostIP"], self.node_ip());
        if let Some(ip) = self.pod_ip() {
            value.set(&["status", "podIP"], ip);
        }
        let shown = Object::new(value);
        env::of_spec(&shown, container, &self.node.object(), &sources, env)
    }

    /// Runs `make` with what the volumes of a pod are made from; `claim` gives those of claims.
    fn with_origin<R>(
        &self,
        pod: &Object,
        claim: &dyn Fn(&str) -> volumes::Claimed,
        make: impl FnOnce(&volumes::Origin) -> R,
    ) -> R {
        make(&volumes::Origin {
            api: self.node.client.api(),
            pod,
            node: &self.node.object(),
            sources: &self.node.sources(pod.namespace()),
            host: &self.node.files,
            claim,
        })
    }

    async fn make_volumes(&self, pod: &Object) -> Result<Volumes, volumes::Unmounted> {
        let claims = self.node.claims(pod).await;
        let claimed = |name: &str| {
            claims
                .get(name)
                .cloned()
                .unwrap_or_else(|| Err(volumes::NOT_BOUND.into()))
        };
        self.with_origin(pod, &claimed, volumes::make)
    }

    /// Writes the content of a ConfigMap or Secret anew into the volumes that show it.
    pub fn refresh_volumes(&self, kind: &str, name: &str) {
        self.refresh(&|source, of| match kind {
            "Secret" => source == "secret" && ["secretName", "name"].iter().any(|f| of.get(f).str() == name),
            _ => source == "configMap" && of.get("name").str() == name,
        });
    }

    /// Writes anew the content of the volumes with a source that is meant: its kind and what it says.
    fn refresh(&self, meant: &dyn Fn(&str, &Value) -> bool) {
        let pod = self.pod();
        let Some(volumes) = self.volumes.borrow().clone() else {
            return;
        };
        for volume in Pod(&pod).volumes() {
            let projected = volume.at(&["projected", "sources"]).items();
            let mut sources = std::iter::once(volume).chain(projected).flat_map(Value::entries);
            if sources.any(|(kind, of)| meant(kind, of))
                && let Some((files, _)) = volumes.get(volume.get("name").str())
            {
                // A volume whose source is gone keeps what it had.
                let _ = self.with_origin(&pod, &|_| Err(String::new()), |origin| {
                    volumes::refresh(origin, volume, files)
                });
            }
        }
    }

    /// The runtime that the pod's class asks for, when it is not the one that nodes here have.
    async fn missing_runtime(&self, pod: &Object) -> Option<String> {
        let class = pod.spec().get("runtimeClassName").str();
        if class.is_empty() {
            return None;
        }
        let class = self.node.client.get(&self.node.kinds.runtimes, "", class).await.ok()?;
        let handler = class.value().get("handler").str();
        (!handler.is_empty() && handler != "runc").then(|| handler.to_owned())
    }

    async fn make_sandbox(self: &Rc<Self>, pod: &Object) {
        let jitter = self.sim().random_below(60);
        self.sim().sleep(Duration::from_millis(120 + jitter)).await;
        self.place_sandbox(pod, None);
    }

    /// Gives the pod its address and its place in the network.
    fn place_sandbox(self: &Rc<Self>, pod: &Object, ip: Option<core::net::Ipv4Addr>) {
        let host_network = Pod(pod).host_network();
        let ip = match ip {
            _ if host_network => self.node.ip(),
            Some(ip) => {
                self.node.take_ip(ip);
                ip
            }
            None => self.node.next_ip(),
        };
        let spec = pod.spec();
        let own = match spec.get("hostname").str() {
            "" => etc::hostname(pod.name()),
            name => name.to_owned(),
        };
        let hostname = match (spec.get("hostnameOverride").str(), spec.get("subdomain").str()) {
            _ if host_network => self.node.name.to_string(),
            ("", "") => own,
            ("", subdomain) if spec.bool_at(&["setHostnameAsFQDN"]) => {
                format!("{own}.{subdomain}.{}.svc.cluster.local", pod.namespace())
            }
            ("", _) => own,
            (name, _) => etc::hostname(name),
        };
        let policy = pod.spec().get("dnsPolicy").str();
        let in_cluster = match policy {
            "ClusterFirstWithHostNet" => true,
            "Default" | "None" => false,
            _ => !host_network,
        };
        let aliases = spec.get("hostAliases").items().iter().flat_map(|alias| {
            let ip = alias.get("ip").str().parse();
            let names = alias.get("hostnames").items().iter();
            names.filter_map(move |name| Some((name.str().to_owned(), ip.clone().ok()?)))
        });
        let origin = Origin {
            node: self.node.name.clone(),
            pod: self.name.clone(),
            ip,
            search: in_cluster.then(|| pod.namespace().into()),
            aliases: [(hostname.clone(), ip)].into_iter().chain(aliases).collect(),
        };
        let ports = Rc::new(programs::Ports::default());
        let network = &self.node.network;
        let attached = network.attach(ip, &self.node.name, &self.name, ports.clone());
        if !host_network {
            // What the scheduler and the admission have reserved, no more.
            let published = host_ports(Pod(pod)).into_iter().filter_map(|p| {
                Some(HostPort {
                    protocol: Protocol::parse(&p.protocol),
                    ip: p.ip.parse().unwrap_or(core::net::Ipv4Addr::UNSPECIFIED),
                    port: u16::try_from(p.port).ok()?,
                    to: u16::try_from(p.to).ok()?,
                })
            });
            attached.publish(&self.node.name, published);
        }
        let sandbox = Rc::new(Sandbox {
            sim: self.sim().clone(),
            network: network.clone(),
            origin,
            node: self.node.name.clone(),
            namespace: pod.namespace().into(),
            pod: pod.name().into(),
            hostname,
            ports,
            meter: Meter::new(self.sim(), "pause"),
        });
        *self.ip.borrow_mut() = Some(ip.to_string());
        *self.place.borrow_mut() = Some(Place {
            sandbox,
            _attached: attached,
            host_network,
        });
    }

    // Killing.

    /// The time that a pod's end may take from now on.
    fn grace(&self) -> Duration {
        let pod = self.pod();
        let asked = pod.metadata().i64_at(&["deletionGracePeriodSeconds"]);
        let seconds = match asked {
            Some(s) => s,
            None if self.gone.get() || self.evicted.get() => 1,
            None => Pod(&pod).termination_grace_period(),
        };
        Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
    }

    /// Stops every container: first the ones that did the work, then sidecars from the last.
    async fn kill_all(self: &Rc<Self>) {
        let pod = self.pod();
        let begun = self.sim().now();
        let grace = self.grace();
        let left = |now: Time| (begun + grace).since(now);
        let message = |name: &str| format!("Stopping container {name}");
        let running = |name: &str| self.run_of(name, false).is_some_and(|r| r.is_running());
        let main: Vec<String> = Pod(&pod)
            .containers()
            .chain(Pod(&pod).ephemeral_containers())
            .chain(Pod(&pod).init_containers().filter(|c| !c.is_sidecar()))
            .map(|c| c.name().to_owned())
            .filter(|n| running(n))
            .collect();
        join_all(
            main.iter()
                .map(|name| async move { self.kill(name, grace, &message(name)).await }),
        )
        .await;
        let sidecars: Vec<String> = Pod(&pod)
            .init_containers()
            .rev()
            .filter(|c| c.is_sidecar())
            .map(|c| c.name().to_owned())
            .filter(|n| running(n))
            .collect();
        for name in sidecars {
            self.kill(
                &name,
                left(self.sim().now()).max(Duration::from_secs(1)),
                &message(&name),
            )
            .await;
        }
    }

    /// Stops a container: its hook, then a signal, and SIGKILL when the time is over.
    async fn kill(self: &Rc<Self>, name: &str, grace: Duration, message: &str) {
        let Some(run) = self.run_of(name, false).filter(|r| r.is_running()) else {
            return;
        };
        self.container_event(name, EventType::Normal, "Killing", message);
        self.trace(name, ContainerChange::Stopping);
        let sim = self.sim().clone();
        let deadline = sim.now() + grace;
        let pod = self.pod();
        let hook = Pod(&pod)
            .container(name)
            .map(|c| c.value().at(&["lifecycle", "preStop"]).clone())
            .unwrap_or_default();
        if !hook.is_null() && !grace.is_zero() {
            let asked = {
                let hook = std::pin::pin!(self.hook(name, &run, &hook));
                let over = std::pin::pin!(first_of(sim.sleep_until(deadline), run.wait()));
                match select(hook, over).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => Ok(()),
                }
            };
            if asked.is_err() {
                self.container_event(name, EventType::Warning, "FailedPreStopHook", "PreStopHook failed");
            }
        }
        // At least two seconds are left for the container itself.
        let least = if hook.is_null() {
            Duration::ZERO
        } else {
            Duration::from_secs(2)
        };
        let mut end = deadline.max(sim.now() + least);
        // nginx's and httpd's images name their own signals.
        let stop = match run.image.image.name() {
            "nginx" => SIGQUIT,
            _ => SIGTERM,
        };
        run.kill(stop);
        loop {
            if !run.is_running() {
                return;
            }
            // A second deletion may shorten the time.
            if let (true, Some(when)) = (self.terminating.get(), self.pod.borrow().deletion_timestamp())
                && when < end
            {
                end = when.max(sim.now());
            }
            if self.gone.get() || sim.now() >= end {
                break;
            }
            first_of(self.signal.wait(), first_of(sim.sleep_until(end), run.wait())).await;
        }
        run.kill(SIGKILL);
        run.wait().await;
    }

    // Probes.

    /// Waits until a run's startup probe has succeeded.
    pub async fn until_started(&self, name: &str, run: &Rc<Run>) {
        loop {
            let generation = self.signal.generation();
            let started = self.slots.borrow().get(name).is_some_and(|s| s.started);
            if started || !run.is_running() {
                return;
            }
            self.signal.after(generation).await;
        }
    }

    /// A probe's answer changed what is known of a container.
    pub fn probed(self: &Rc<Self>, name: &str, run: &Rc<Run>, kind: Kind, well: bool) {
        let change = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(name) else { return };
            if !slot.run.as_ref().is_some_and(|r| Rc::ptr_eq(r, run)) {
                return;
            }
            let was = slot.ready && slot.started;
            match (kind, well) {
                (Kind::Readiness, ready) => slot.ready = ready,
                (Kind::Startup, true) => {
                    slot.started = true;
                    slot.was_started = true;
                }
                (Kind::Liveness, true) => return,
                (Kind::Startup | Kind::Liveness, false) => slot.kill = Some(kind),
            }
            (was, slot.ready && slot.started)
        };
        match change {
            (false, true) => self.trace(name, ContainerChange::Ready),
            (true, false) => self.trace(name, ContainerChange::Unready),
            _ => {}
        }
        self.signal.notify();
    }

    // A cluster that was running when the kubelet began.

    /// Takes over a pod that ran before this kubelet began, from its status.
    pub fn adopt(self: &Rc<Self>) {
        let pod = self.pod();
        let view = Pod(&pod);
        if view.is_terminal() {
            return;
        }
        self.started.set(Time::parse(pod.status().get("startTime").str()));
        let volumes = self.with_origin(&pod, &|_| Err(String::new()), volumes::make);
        *self.volumes.borrow_mut() = Some(Rc::new(volumes.unwrap_or_default()));
        self.place_sandbox(&pod, view.ip().parse().ok());
        for volume in view.volumes() {
            let reference = Reference::parse(volume.str_at(&["image", "reference"]));
            if let Some(local) = reference.ok().and_then(|r| self.node.images.get(&r)) {
                self.show_image(volume.get("name").str(), &local);
            }
        }
        for container in view.init_containers().chain(view.containers()) {
            let Some(known) = view.container_status(container.name()) else {
                continue;
            };
            let Ok(reference) = Reference::parse(container.image()) else {
                continue;
            };
            let Some(image) = self.node.images.get(&reference) else {
                continue;
            };
            let Some(sandbox) = self.sandbox() else { continue };
            let id = known.container_id().trim_start_matches("containerd://").to_owned();
            let own = self.environment(&pod, container).unwrap_or_default();
            let ended = known.terminated();
            let started = |state: &Value| Time::parse(state.get("startedAt").str()).unwrap_or_default();
            if !ended.is_null() {
                let code = ended
                    .i64_at(&["exitCode"])
                    .and_then(|c| i32::try_from(c).ok())
                    .unwrap_or(0);
                let (host, meter) = programs::machine(image.image, &image.tag, &sandbox);
                let plan = self.plan(&pod, container, &image, own, id, meter);
                let at = Time::parse(ended.get("finishedAt").str()).unwrap_or_default();
                let run = Run::ended_before(host, plan, started(ended), at, code);
                let mut slots = self.slots.borrow_mut();
                let slot = slots.entry(container.name().to_owned()).or_default();
                slot.run = Some(run);
                slot.restarts = known.restart_count();
                slot.was_started = true;
                continue;
            }
            if known.running().is_null() {
                continue;
            }
            let (host, meter, _mounted) = self.machine(&pod, container, &image, &own.env, &sandbox);
            let plan = self.plan(&pod, container, &image, own, id, meter);
            // A program that cannot be started shows in the status like any other.
            let _ = self.launch(container, host, plan, started(known.running()));
            if let Some(slot) = self.slots.borrow_mut().get_mut(container.name()) {
                slot.restarts = known.restart_count();
                slot.last_state = known.last_terminated().clone();
                slot.started = known.is_started();
                slot.was_started = true;
                slot.ready = known.is_ready();
            }
        }
    }

    /// Ends everything without a word, as a power cut does.
    pub fn discard(&self) {
        for slot in self.slots.borrow_mut().values_mut() {
            slot.tasks.drain(..).for_each(|t| t.abort());
            for run in slot.run.iter().chain(&slot.previous) {
                run.discard();
            }
        }
        *self.place.borrow_mut() = None;
    }

    /// How the API's failure of a log reads for a container that has none.
    pub fn waiting_message(&self, pod: &Object, container: &str) -> Option<Status> {
        let status = Pod(pod).container_status(container)?;
        let waiting = status.waiting();
        let reason = match waiting.get("reason").str() {
            "" => return None,
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            other => other,
        };
        Some(Status::bad_request(format!(
            "container \"{container}\" in pod \"{}\" is waiting to start: {reason}",
            pod.name()
        )))
    }
}

/// A pod as the kubelet's messages name it (`format.Pod`).
fn formatted(pod: &Object) -> String {
    format!("{}_{}({})", pod.name(), pod.namespace(), pod.uid())
}

/// Why a container may not run as the user that it would have, when it is to run as none with root's rights
/// (`verifyRunAsNonRoot`).
fn breaks_non_root(pod: &Object, container: Container, image: &Local) -> Option<String> {
    let asked = |spec: &Value| spec.at(&["securityContext", "runAsNonRoot"]).as_bool();
    if asked(container.value()).or_else(|| asked(pod.spec())) != Some(true) {
        return None;
    }
    let image = image.image;
    let place = format!("(pod: \"{}\", container: {})", formatted(pod), container.name());
    match status::secured(pod, container.value(), "runAsUser") {
        Some(0) => Some(format!("container's runAsUser breaks non-root policy {place}")),
        Some(_) => None,
        None if !image.user.is_empty() => Some(format!(
            "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root {place}",
            image.user
        )),
        None if image.uid == 0 => Some(format!("container has runAsNonRoot and image will run as root {place}")),
        None => None,
    }
}

/// The home of a user, as the image's `/etc/passwd` names it.
fn home(uid: i64, image: &Local) -> String {
    match uid {
        0 => "/root",
        uid if uid == image.image.uid => image.image.home,
        _ => "/",
    }
    .to_owned()
}

/// The kernel's parameters that a pod may set on every node (`SafeSysctlAllowlist`).
const SYSCTLS: &str = "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies \
    net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports \
    net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes \
    net.ipv4.tcp_rmem net.ipv4.tcp_wmem";

/// What no node here gives a pod: a reason and a sentence.
fn unsupported(pod: &Object) -> Option<(String, String)> {
    let mut sysctls = pod.spec().at(&["securityContext", "sysctls"]).items().iter();
    let unsafe_one = sysctls.find(|s| {
        let name = s.get("name").str().replace('/', ".");
        !SYSCTLS.split_whitespace().any(|safe| safe == name)
    });
    if let Some(sysctl) = unsafe_one {
        let name = sysctl.get("name").str();
        return Some((
            "SysctlForbidden".into(),
            format!("forbidden sysctl: \"{name}\" not allowlisted"),
        ));
    }
    match pod.spec().str_at(&["os", "name"]) {
        "" | "linux" => None,
        _ => Some((
            "PodOSNotSupported".into(),
            "Failed to admit pod as the OS field doesn't match node OS".into(),
        )),
    }
}

/// Gives a container's machine its user, and takes the right to write from it where the container is to have none.
fn confine(pod: &Object, container: Container, image: &Local, host: &Host) {
    let spec = container.value();
    let user = status::user(pod, spec, image.image);
    let read_only = spec.bool_at(&["securityContext", "readOnlyRootFilesystem"]);
    if read_only || user.uid != 0 {
        // The file of the termination message lies elsewhere, and anybody may write it.
        let path = spec.get("terminationMessagePath").str();
        let message = Files::new(host.sim());
        let made = message.write("/log", "").and_then(|()| message.set_mode("/log", 0o666));
        if made.is_ok() && !path.is_empty() {
            let _ = host.files().mount(path, &message, "/log");
        }
    }
    let (uid, capabilities) = (user.uid, capabilities(spec));
    let status = move || {
        let held = if uid == 0 { capabilities } else { 0 };
        format!(
            "Name:\tinit\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
             CapInh:\t{:016x}\nCapPrm:\t{held:016x}\nCapEff:\t{held:016x}\nCapBnd:\t{capabilities:016x}\nCapAmb:\t{:016x}\n",
            0, 0
        )
        .into_bytes()
    };
    if host.files().generate("/proc/1/status", status).is_ok() {
        let _ = host.files().symlink("1", "/proc/self");
    }
    host.files().set_read_only(read_only);
    host.set_user(user);
}

/// The capabilities of Linux, each the bit of its place.
const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE \
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE \
    SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL \
    SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/// The capabilities that a container may have: containerd's usual ones, what its security context adds and drops.
fn capabilities(spec: &Value) -> u64 {
    const USUAL: u64 = 0xa804_25fb;
    const ALL: u64 = (1 << 41) - 1;
    let context = spec.get("securityContext");
    if context.bool_at(&["privileged"]) {
        return ALL;
    }
    let bits = |which: &str| {
        let names = context.at(&["capabilities", which]).items().iter();
        names.fold(0, |bits, name| {
            let name = name.str().trim_start_matches("CAP_");
            let place = CAPABILITIES.split_whitespace().position(|c| c == name);
            bits | if name == "ALL" {
                ALL
            } else {
                place.map_or(0, |p| 1 << p)
            }
        })
    };
    let (added, dropped) = (bits("add"), bits("drop"));
    match (added, dropped) {
        (ALL, dropped) => ALL & !dropped,
        (added, ALL) => added,
        (added, dropped) => (USUAL | added) & !dropped,
    }
}

/// Whether a container is started again after it ended with this code.
pub(super) fn restarts(pod: &Object, container: Container, code: i32) -> bool {
    let is_init = Pod(pod).init_containers().any(|c| c.name() == container.name());
    if Pod(pod).ephemeral_containers().any(|c| c.name() == container.name()) {
        return false;
    }
    let ruled = container.value().get("restartPolicyRules").items().iter().any(|rule| {
        let codes = rule.get("exitCodes");
        let listed = codes
            .get("values")
            .items()
            .iter()
            .any(|v| v.as_i64() == Some(code.into()));
        (codes.get("operator").str() == "In") == listed
    });
    if ruled {
        return true;
    }
    match policy(pod, container) {
        "Never" => false,
        "OnFailure" => code != 0,
        // An init container that did its work is done.
        _ if is_init && !container.is_sidecar() => code != 0,
        _ => true,
    }
}

/// A container's own restart policy, or its pod's.
fn policy<'a>(pod: &'a Object, container: Container<'a>) -> &'a str {
    match container.value().get("restartPolicy").str() {
        "" => Pod(pod).restart_policy(),
        own => own,
    }
}

/// Waits for the first of two.
async fn first_of(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    let (a, b) = (std::pin::pin!(a), std::pin::pin!(b));
    select(a, b).await;
}

fn earliest(next: &mut Option<Time>, when: Time) {
    *next = Some(next.map_or(when, |n| n.min(when)));
}

fn wait(a: Option<Time>, b: Option<Time>) -> Next {
    Next::Wait(match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// A duration in Go's notation, cut to milliseconds: `1.129s`, `964ms`.
fn go_millis(d: Duration) -> String {
    duration::text(Duration::from_millis(d.as_millis() as u64))
}
