//! A pod's worker: brings one pod to what its spec says, step by step, and writes its status.
//!
//! It is one task on virtual time that sleeps until something of its pod changes: the spec, a
//! container's end, a probe's answer, a time to try again. As the real kubelet does, it writes the
//! status at the beginning of a step, so that what a step finds is shown by the next.

mod backoff;
mod containers;
mod hooks;
mod images;
mod kill;
mod place;
mod start;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};

use self::backoff::Series;
pub(super) use self::containers::restarts;
use self::place::Place;
use super::container::Run;
use super::probes::Kind;
use super::resize::Resize;
use super::volumes::Volumes;
use super::{Node, status};
use crate::api::events::EventType;
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::views::{Container, Pod};
use crate::api::{Object, ObjectKey, Status};
use crate::flat::FlatMap;
use crate::net::{Network, Origin};
use crate::programs::Sandbox;
use crate::sim::{ContainerChange, Signal, Sim, TaskHandle, Time, TraceEvent};
use crate::value::{Value, duration, quoted};

/// Between two looks of the kubelet at its containers (PLEG).
const RELIST: Duration = Duration::from_secs(1);
/// Between two looks at whether an ended pod's volumes are gone (`podAttachAndMountRetryInterval`): the
/// first look always comes too early.
const UNMOUNT: Duration = Duration::from_millis(300);
/// Between two looks at what pods take of the node's disk (`monitoringInterval` of the eviction manager).
const MONITORING: Duration = Duration::from_secs(10);
/// Until a step that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

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
        let same = spec_same && old.deletion_timestamp() == pod.deletion_timestamp() && old.uid() == pod.uid();
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
        let mut reference = self.reference();
        reference.set(&["fieldPath"], self.path_of(container));
        // Versions of the pod come and go; the event is about the pod.
        self.node.recorder.about(reference, kind, reason, message);
    }

    pub(super) fn event(&self, kind: EventType, reason: &str, message: impl Into<String>) {
        self.node.recorder.about(self.reference(), kind, reason, message);
    }

    /// What events are about: a kubelet knows a static pod by the uid that it gave it, which its mirror has as an
    /// annotation.
    fn reference(&self) -> Value {
        let pod = self.pod.borrow();
        let mut reference = pod.reference();
        if let Some(hash) = pod.annotation(names::MIRROR) {
            reference.set(&["uid"], hash);
        }
        reference
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
                    "Failed to create pod sandbox: rpc error: code = Unknown desc = unable to get OCI runtime for sandbox {id}: no runtime for {handler} is configured",
                    id = quoted(&id),
                    handler = quoted(&handler)
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

/// The capabilities of Linux, each the bit of its place.
const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE \
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE \
    SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL \
    SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

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
