//! The show: takes the trace's records in order and puts them on the stage. At teaching pace a record
//! waits until the dots that it follows from have arrived, so that cause is seen before effect; at
//! any other pace it is taken in at once. Pure.

use std::collections::VecDeque;
use std::rc::Rc;

use kubetab::flat::FlatMap;
use kubetab::sim::{Hop, Outcome, RequestId, TraceEvent, TraceRecord};

use super::flight::{Arrival, DotKind, Fate, Flights};
use super::model::Scene;
use super::narration::Line;
use super::place::Place;

/// How much a record matters to what is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing is drawn.
    Silent,
    /// It is drawn, but nobody waits for it.
    Ambient,
    /// Part of the story: time slows down for it.
    Story,
}

/// Kinds whose changes tell the story; others (leases, events) are upkeep.
const STORY_KINDS: [&str; 12] = [
    "Pod",
    "Deployment",
    "ReplicaSet",
    "DaemonSet",
    "StatefulSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "Service",
    "Namespace",
    "ConfigMap",
    "Secret",
];

/// Milliseconds on the screen for a request's way to the API server.
const REQUEST_MS: f64 = 340.0;
/// From the API server to etcd, and back.
const STORE_MS: f64 = 170.0;
/// A watch's delivery.
const WATCH_MS: f64 = 320.0;
/// How long the scheduler's verdict stands before the pod is bound.
const VERDICT_MS: f64 = 700.0;
/// A packet's hop, per millisecond of virtual latency, with its bounds.
const HOP_PER_MS: f64 = 500.0;
const HOP_LEAST: f64 = 220.0;
const HOP_MOST: f64 = 650.0;

/// Milliseconds that a deleted pod takes to fade.
pub const FADE_MS: f64 = 700.0;

/// What a request is about, kept until it is answered.
struct Asked {
    weight: Weight,
    wrote: bool,
}

/// The stage.
#[derive(Default)]
pub struct Show {
    pub scene: Scene,
    pub flights: Flights,
    backlog: VecDeque<Rc<TraceRecord>>,
    requests: FlatMap<RequestId, Asked>,
    /// Until when (stage time) what hangs on this key must wait.
    busy: FlatMap<Key, f64>,
    /// Stage time: real milliseconds that the stage was not paused.
    clock: f64,
    fading: FlatMap<Rc<str>, f64>,
    /// How quickly what waits is shown until nothing waits any more.
    haste: Haste,
    /// How many of a sort came in quick succession, and when the last one came.
    streaks: FlatMap<Sort, (u32, f64)>,
    /// Draw dots at all.
    pub dots: bool,
}

/// How quickly the backlog is worked off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Haste {
    #[default]
    None,
    /// Someone typed the next command: the rest of the last one's story goes quickly.
    Brisk,
    /// Nothing waits.
    Rush,
}

/// What is shown ever quicker when much of it comes in succession.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Request,
    Verdict,
    Watch,
    Flow,
}

/// Milliseconds of the stage after which the next of a sort is at full length again.
const STREAK_MS: f64 = 2_500.0;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Track(RequestId),
    Client(Rc<str>),
    Etcd,
}

impl Show {
    pub fn new() -> Show {
        Show {
            dots: true,
            ..Show::default()
        }
    }

    /// How much a record matters, on its face.
    pub fn weight(&self, event: &TraceEvent) -> Weight {
        match event {
            TraceEvent::Request { client, verb, path, .. } => request_weight(client, verb, path),
            TraceEvent::Response { id, .. } => self.requests.get(id).map_or(Weight::Silent, |a| a.weight),
            TraceEvent::Write { request, kind, .. } => match self.requests.get(request) {
                Some(asked) if STORY_KINDS.contains(&&**kind) => asked.weight,
                Some(asked) => asked.weight.min(Weight::Ambient),
                None => Weight::Ambient,
            },
            TraceEvent::Watch { client, kind, .. } => match Place::of_client(client) {
                _ if !STORY_KINDS.contains(&&**kind) && &**kind != "EndpointSlice" => Weight::Silent,
                Place::Student => Weight::Story,
                _ => Weight::Ambient,
            },
            TraceEvent::Verdict(_) | TraceEvent::FlowEnd { .. } => Weight::Story,
            TraceEvent::Packet { .. } => Weight::Story,
            TraceEvent::Command { .. } | TraceEvent::CommandEnd { .. } => Weight::Ambient,
            TraceEvent::ImagePull { .. } | TraceEvent::ImagePullFailed { .. } | TraceEvent::Container { .. } => {
                Weight::Ambient
            }
        }
    }

    /// Puts a record into the queue.
    pub fn take(&mut self, record: &TraceRecord) {
        self.backlog.push_back(Rc::new(record.clone()));
    }

    /// Records that wait to be shown.
    pub fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Someone did the next thing: the rest of the story so far goes quickly.
    pub fn hurry(&mut self) {
        if self.haste == Haste::None && !self.backlog.is_empty() {
            self.haste = Haste::Brisk;
        }
    }

    /// Shows all that waits without further waiting.
    pub fn rush(&mut self) {
        self.haste = Haste::Rush;
    }

    /// Moves the stage by `ms` of screen time and takes in what is due; with `gates`, effects wait for
    /// their causes. Returns what is to be said.
    pub fn frame(&mut self, ms: f64, gates: bool) -> Vec<Line> {
        self.clock += ms;
        let mut said = Vec::new();
        for arrival in self.flights.advance(ms) {
            self.scene.arrive(&arrival);
        }
        let gates = gates && self.haste != Haste::Rush;
        while let Some(record) = self.backlog.front().cloned() {
            if gates && self.must_wait(&record.event) {
                break;
            }
            self.backlog.pop_front();
            self.show(&record, &mut said);
        }
        if self.backlog.is_empty() {
            self.haste = Haste::None;
        }
        self.sweep();
        said
    }

    /// Takes in records up to and with the next one of the story.
    pub fn step(&mut self) -> Vec<Line> {
        let mut said = Vec::new();
        while let Some(record) = self.backlog.pop_front() {
            let story = self.weight(&record.event) == Weight::Story;
            self.show(&record, &mut said);
            if story {
                break;
            }
        }
        said
    }

    fn sweep(&mut self) {
        let now = self.clock;
        self.busy.retain(|_, until| *until > now);
        for (key, pod) in &self.scene.pods {
            if pod.gone && !self.fading.contains_key(key) {
                self.fading.insert(key.clone(), now + FADE_MS);
            }
        }
        if !self.fading.is_empty() {
            let fading = &self.fading;
            self.scene
                .sweep(|key| fading.get(key).is_some_and(|until| *until <= now));
            let scene = &self.scene;
            self.fading
                .retain(|key, _| scene.pods.get(key).is_some_and(|pod| pod.gone));
        }
    }

    fn is_busy(&self, key: &Key) -> bool {
        self.busy.get(key).is_some_and(|until| *until > self.clock)
    }

    fn must_wait(&self, event: &TraceEvent) -> bool {
        match event {
            TraceEvent::Request { client, .. } => {
                self.weight(event) == Weight::Story && self.is_busy(&Key::Client(client.clone()))
            }
            TraceEvent::Write { request, .. } => self.is_busy(&Key::Track(*request)),
            TraceEvent::Response { id, .. } => self.is_busy(&Key::Track(*id)),
            TraceEvent::Watch { .. } => self.weight(event) != Weight::Silent && self.is_busy(&Key::Etcd),
            TraceEvent::Verdict(_) => self.is_busy(&Key::Client("kube-scheduler".into())),
            TraceEvent::Packet { flow, .. } | TraceEvent::FlowEnd { flow, .. } => self.is_busy(&Key::Track(*flow)),
            _ => false,
        }
    }

    /// By how much the screen time of this one of its sort shrinks: the first few are shown at
    /// length, the twentieth pod or request quickly; and all are when much waits.
    fn pace(&mut self, sort: Sort) -> f64 {
        let clock = self.clock;
        let (count, last) = self.streaks.entry(sort).or_insert((0, clock));
        if clock - *last > STREAK_MS {
            *count = 0;
        }
        *count += 1;
        *last = clock;
        let streak = 0.86f64.powi(count.saturating_sub(4).min(40) as i32).max(0.1);
        let backlog = match self.backlog.len() {
            0..=80 => 1.0,
            81..=300 => 0.6,
            _ => 0.25,
        };
        let haste = if self.haste == Haste::Brisk { 0.25 } else { 1.0 };
        streak * backlog * haste
    }

    /// The pace of the last one of a sort.
    fn last_pace(&self, sort: Sort) -> f64 {
        let count = self.streaks.get(&sort).map_or(0, |(count, _)| *count);
        let haste = if self.haste == Haste::Brisk { 0.25 } else { 1.0 };
        0.86f64.powi(count.saturating_sub(4).min(40) as i32).max(0.1) * haste
    }

    fn hold(&mut self, key: Key, ms: f64) {
        let until = self.clock + ms;
        let entry = self.busy.entry(key).or_insert(until);
        *entry = entry.max(until);
    }

    fn show(&mut self, record: &TraceRecord, said: &mut Vec<Line>) {
        let weight = self.weight(&record.event);
        let arrival = self.scene.apply(record, said);
        let mut arrival = Some(arrival);
        match &record.event {
            TraceEvent::Request { id, client, verb, .. } if weight > Weight::Silent => {
                let asked = Asked { weight, wrote: false };
                self.requests.insert(*id, asked);
                let story = weight == Weight::Story || matches!(Place::of_client(client), Place::Student);
                let pace = if story { self.pace(Sort::Request) } else { 1.0 };
                let kind = if is_read(verb) { DotKind::Read } else { DotKind::Write };
                if self.dots && self.flights.begin(*id, kind, story, Place::of_client(client)).is_some() {
                    self.flights
                        .go(*id, Place::ApiServer, REQUEST_MS * pace, Arrival::Nothing);
                    if story {
                        self.hold(Key::Track(*id), REQUEST_MS * pace);
                    }
                }
            }
            TraceEvent::Write { request, .. } => {
                let pace = self.last_pace(Sort::Request);
                if let Some(asked) = self.requests.get_mut(request) {
                    asked.wrote = true;
                    let story = asked.weight == Weight::Story;
                    self.flights
                        .go(*request, Place::Etcd, STORE_MS * pace, Arrival::Nothing);
                    if story {
                        self.hold(Key::Track(*request), STORE_MS * pace);
                        self.hold(Key::Etcd, STORE_MS * pace);
                    }
                }
            }
            TraceEvent::Response { id, client, code, .. } => {
                let pace = self.last_pace(Sort::Request);
                if let Some(asked) = self.requests.remove(id) {
                    if asked.wrote {
                        self.flights
                            .go(*id, Place::ApiServer, STORE_MS * pace, Arrival::Nothing);
                    }
                    let fate = if *code < 400 { Fate::Good } else { Fate::Bad };
                    self.flights.colour(*id, fate);
                    self.flights
                        .go(*id, Place::of_client(client), REQUEST_MS * pace, Arrival::Nothing);
                    self.flights.close(*id);
                }
            }
            TraceEvent::Watch { client, .. } if weight > Weight::Silent && self.dots => {
                let to = Place::of_client(client);
                let pace = self.pace(Sort::Watch);
                if let Some(dot) = self.flights.begin(record.seq, DotKind::Watch, true, Place::ApiServer) {
                    self.flights.go_and_end(dot, to, WATCH_MS * pace);
                    self.hold(Key::Client(client.clone()), WATCH_MS * pace);
                }
            }
            TraceEvent::Verdict(_) => {
                let pace = self.pace(Sort::Verdict);
                self.hold(Key::Client("kube-scheduler".into()), VERDICT_MS * pace);
            }
            TraceEvent::Packet {
                flow,
                hop,
                back,
                latency,
            } => {
                let place = Place::of_hop(hop, &self.scene.master());
                if matches!(hop, Hop::Client { .. }) && !back {
                    self.pace(Sort::Flow);
                    if self.dots {
                        self.flights.begin(*flow, DotKind::Packet, true, place);
                    }
                } else if self.flights.end_of(*flow).is_some_and(|at| at != place) {
                    let span = (latency.as_secs_f64() * 1e3 * HOP_PER_MS).clamp(HOP_LEAST, HOP_MOST)
                        * self.last_pace(Sort::Flow);
                    if *back {
                        self.flights.colour(*flow, self.fate_ahead(*flow));
                        // The answer passes the rule that the request passed: its address is put back.
                        if let (Hop::Client { .. }, Some(service)) = (hop, self.scene.service_of_flow(*flow)) {
                            self.flights.go(*flow, Place::Service(service), span, Arrival::Nothing);
                        }
                    }
                    arrival = self
                        .flights
                        .go(*flow, place, span, arrival.take().unwrap_or(Arrival::Nothing));
                    self.hold(Key::Track(*flow), span);
                }
            }
            TraceEvent::FlowEnd { flow, outcome, .. } => {
                self.flights.colour(*flow, fate(*outcome));
                self.flights.close(*flow);
            }
            _ => {}
        }
        // What has no dot to wait for happens at once.
        if let Some(arrival) = arrival {
            self.scene.arrive(&arrival);
        }
    }

    /// How a flow will end, when that is known already; an answer on its way back is good so far.
    fn fate_ahead(&self, track: RequestId) -> Fate {
        self.backlog
            .iter()
            .find_map(|r| match &r.event {
                TraceEvent::FlowEnd { flow, outcome, .. } if *flow == track => Some(fate(*outcome)),
                _ => None,
            })
            .unwrap_or(Fate::Good)
    }
}

fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Status(code) if code >= 400 => Fate::Bad,
        Outcome::Status(_) | Outcome::Answered => Fate::Good,
        _ => Fate::Bad,
    }
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch" | "GET" | "HEAD" | "WATCH")
}

fn request_weight(client: &str, verb: &str, path: &str) -> Weight {
    let upkeep = ["/leases", "/events", "/subjectaccessreviews", "/tokenreviews"]
        .iter()
        .any(|part| path.contains(part));
    match Place::of_client(client) {
        // What kubectl asks about the server itself is not the student's request.
        Place::Student if is_read(verb) && is_discovery(path) => Weight::Silent,
        // An answer must not wait for its picture: reading is quick.
        Place::Student if is_read(verb) => Weight::Ambient,
        Place::Student => Weight::Story,
        // The kubelets' heartbeats.
        Place::Kubelet(_) if path.contains("/leases/") && !is_read(verb) => Weight::Ambient,
        _ if upkeep || is_read(verb) => Weight::Silent,
        _ if path.ends_with("/status") => Weight::Ambient,
        _ => Weight::Story,
    }
}

fn is_discovery(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    matches!(path, "/api" | "/apis" | "/version") || path.starts_with("/openapi") || {
        let depth = path.matches('/').count();
        (path.starts_with("/api/") && depth == 2) || (path.starts_with("/apis/") && depth <= 3)
    }
}
