//! The scene: what there is in the cluster, as far as the trace has told it. It consumes trace events
//! in order; nothing else changes it. Pure.

use std::rc::Rc;

use kubetab::api::well_known::SERVICE_NAME;
use kubetab::flat::{FlatMap, FlatSet};
use kubetab::sim::{ContainerChange, Hop, TraceEvent, TraceRecord, Verdict, WriteKind};
use kubetab::value::Value;

use super::flight::Arrival;
use super::narration::Line;
use super::node::Node;
use super::pod::{Mood, Pod, Pull, is_system};
use super::service::Service;
use super::workload::Workload;

/// The kinds of objects that the picture shows, with the API group and version to list them by.
pub const KINDS: [(&str, &str); 11] = [
    ("v1", "Node"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
];

/// What there is. Every entry is shared, so that a reader sees at once which one changed.
#[derive(Clone, Default)]
pub struct Scene {
    pub nodes: FlatMap<Rc<str>, Rc<Node>>,
    /// By `namespace/name`; a pod that was deleted stays as `gone` until it is swept.
    pub pods: FlatMap<Rc<str>, Rc<Pod>>,
    pub services: FlatMap<Rc<str>, Rc<Service>>,
    /// By `kind/namespace/name`.
    pub workloads: FlatMap<Rc<str>, Rc<Workload>>,
    /// The scheduler's last decision.
    pub verdict: Option<Rc<Verdict>>,
    /// Counts up with every change.
    pub version: u64,
    /// Where flows are: which endpoint a rule chose for each.
    chosen: FlatMap<u64, (Rc<str>, Rc<str>)>,
    slices: FlatMap<Rc<str>, Rc<str>>,
    pulling: FlatSet<Rc<str>>,
}

impl Scene {
    /// The name of the control plane's node, where the student's terminal is.
    pub fn master(&self) -> Rc<str> {
        self.nodes
            .values()
            .find(|n| n.control_plane)
            .or_else(|| self.nodes.values().next())
            .map_or_else(|| "".into(), |n| n.name.clone())
    }

    /// Takes in an event. Returns the sentences to say about it; `hits` gets what arrives later, when
    /// the event's dot is there.
    pub fn apply(&mut self, record: &TraceRecord, say: &mut Vec<Line>) -> Arrival {
        let before = say.len();
        let mut arrival = Arrival::Nothing;
        match &record.event {
            TraceEvent::Write {
                client,
                kind,
                object_name,
                op,
                object,
                ..
            } => self.write(client, kind, object_name, *op, object, say),
            TraceEvent::Verdict(verdict) => {
                self.version += 1;
                self.verdict = Some(verdict.clone());
                self.change_pod(&verdict.pod, |pod| pod.verdict = Some(verdict.clone()));
                if verdict.chosen.is_none() {
                    say.push(
                        Line::new("unschedulable")
                            .pod(&verdict.pod)
                            .with("message", &verdict.message),
                    );
                }
            }
            TraceEvent::ImagePull {
                node,
                pod,
                image,
                received,
                total,
            } => {
                self.version += 1;
                let pull = Pull {
                    received: *received,
                    total: *total,
                };
                let done = received >= total;
                self.change_pod(pod, |p| p.pull = (!done).then_some(pull));
                if done {
                    self.pulling.remove(pod);
                } else if self.pulling.insert(pod.clone()) {
                    say.push(
                        Line::new("pulling")
                            .pod(pod)
                            .with("node", node)
                            .with("image", image)
                            .with("size", &bytes(*total)),
                    );
                }
            }
            TraceEvent::ImagePullFailed {
                node,
                pod,
                image,
                reason,
            } => {
                self.version += 1;
                self.pulling.remove(pod);
                self.change_pod(pod, |p| p.pull = None);
                say.push(
                    Line::new("pull-failed")
                        .pod(pod)
                        .with("node", node)
                        .with("image", image)
                        .with("message", reason),
                );
            }
            TraceEvent::Container {
                node,
                pod,
                container,
                change,
            } => {
                let key = match change {
                    ContainerChange::Started => "started",
                    ContainerChange::Stopping => "stopping",
                    ContainerChange::Exited(0) => "exited",
                    ContainerChange::Exited(_) => "failed",
                    ContainerChange::BackOff => "back-off",
                    ContainerChange::Created | ContainerChange::Ready | ContainerChange::Unready => return arrival,
                };
                let mut line = Line::new(key).pod(pod).with("container", container).with("node", node);
                if let ContainerChange::Exited(code) = change {
                    line = line.with("code", &code.to_string());
                }
                say.push(line);
            }
            TraceEvent::Packet { flow, hop, back, .. } if !back => match hop {
                Hop::Rule {
                    service,
                    endpoint,
                    chosen_by,
                    index,
                    of,
                    next,
                    ..
                } => {
                    self.chosen.insert(*flow, (service.clone(), endpoint.clone()));
                    self.change_service(service, |s| s.chose(endpoint, *index, *of, *next, chosen_by));
                    let pod = self.services.get(service).and_then(|s| {
                        let row = s.endpoints.iter().find(|e| e.address == *endpoint)?;
                        (!row.pod.is_empty()).then(|| row.pod.clone())
                    });
                    say.push(
                        Line::new(if *chosen_by == "rr" { "chose-rr" } else { "chose" })
                            .with("service", service)
                            .with("endpoint", pod.as_deref().unwrap_or(endpoint))
                            .with("index", &(index + 1).to_string())
                            .with("of", &of.to_string()),
                    );
                }
                Hop::Pod { .. } | Hop::Host { .. } => {
                    if let Some((service, endpoint)) = self.chosen.get(flow) {
                        arrival = Arrival::Hit {
                            service: service.clone(),
                            endpoint: endpoint.clone(),
                        };
                    }
                }
                Hop::Client { .. } | Hop::Node { .. } => {}
            },
            TraceEvent::FlowEnd { flow, what, outcome } => {
                if let Some((service, _)) = self.chosen.remove(flow) {
                    self.change_service(&service, |s| s.ended(*outcome));
                }
                say.push(Line::outcome(what, *outcome));
            }
            // What is not there yet is no refusal: `kubectl apply` asks for it first.
            TraceEvent::Response {
                client,
                code,
                path,
                verb,
                ..
            } if *code >= 400 && &**client == "kubectl" && !(*code == 404 && *verb == "GET") => {
                say.push(Line::new("refused").with("code", &code.to_string()).with("path", path));
            }
            _ => {}
        }
        for line in say.iter_mut().skip(before) {
            line.micros = record.micros;
        }
        arrival
    }

    /// What a dot brought.
    pub fn arrive(&mut self, arrival: &Arrival) {
        if let Arrival::Hit { service, endpoint } = arrival {
            self.change_service(service, |s| s.hit(endpoint));
        }
    }

    /// The service whose rule a flow passed, until the flow ends.
    pub fn service_of_flow(&self, flow: u64) -> Option<Rc<str>> {
        self.chosen.get(&flow).map(|(service, _)| service.clone())
    }

    /// Takes in an object that was there before the trace began.
    pub fn seed(&mut self, kind: &str, object: &Value) {
        let meta = object.get("metadata");
        let name = format!("{}/{}", meta.get("namespace").str(), meta.get("name").str());
        self.write("", kind, &name, WriteKind::Added, object, &mut Vec::new());
    }

    /// Forgets the pods that are gone.
    pub fn sweep(&mut self, done: impl Fn(&str) -> bool) {
        let before = self.pods.len();
        self.pods.retain(|key, pod| !pod.gone || !done(key));
        self.version += u64::from(self.pods.len() != before);
    }

    fn change_pod(&mut self, key: &str, f: impl FnOnce(&mut Pod)) {
        if let Some(pod) = self.pods.get_mut(key) {
            f(Rc::make_mut(pod));
        }
    }

    fn change_service(&mut self, key: &str, f: impl FnOnce(&mut Service)) {
        if let Some(service) = self.services.get_mut(key) {
            self.version += 1;
            f(Rc::make_mut(service));
        }
    }

    fn write(&mut self, client: &str, kind: &str, name: &str, op: WriteKind, object: &Value, say: &mut Vec<Line>) {
        let deleted = op == WriteKind::Deleted;
        let key: Rc<str> = name.into();
        let system = name.split('/').next().is_some_and(is_system);
        match kind {
            "Node" => {
                let node = Node::read(object);
                let was = self.nodes.get(&node.name).cloned();
                if deleted {
                    self.nodes.remove(&node.name);
                } else {
                    if let Some(was) = &was {
                        if was.ready != node.ready {
                            let key = if node.ready { "node-ready" } else { "node-down" };
                            say.push(Line::new(key).with("node", &node.name));
                        }
                        if was.cordoned != node.cordoned {
                            let key = if node.cordoned { "cordoned" } else { "uncordoned" };
                            say.push(Line::new(key).with("node", &node.name));
                        }
                    }
                    if was.as_deref() == Some(&node) {
                        return;
                    }
                    self.nodes.insert(node.name.clone(), Rc::new(node));
                }
            }
            "Pod" => {
                let was = self.pods.get(&key).cloned();
                if deleted {
                    self.change_pod(&key, |pod| pod.gone = true);
                    if !system {
                        say.push(Line::new("gone").pod(name));
                    }
                } else {
                    let pod = Pod::read(object, was.as_deref());
                    if !system {
                        say_of_pod(client, was.as_deref(), &pod, say);
                    }
                    if was.as_deref() == Some(&pod) {
                        return;
                    }
                    self.pods.insert(key, Rc::new(pod));
                }
            }
            "Service" => {
                if deleted {
                    self.services.remove(&key);
                } else {
                    let old = self.services.get(&key).cloned();
                    let service = Service::read(object, old.as_deref());
                    if old.is_none() && !client.is_empty() {
                        say.push(
                            Line::new("service")
                                .with("service", name)
                                .with("address", &service.cluster_ip),
                        );
                    }
                    self.services.insert(key, Rc::new(service));
                }
            }
            "EndpointSlice" => {
                let service = object.at(&["metadata", "labels", SERVICE_NAME]).str();
                let namespace = object.at(&["metadata", "namespace"]).str();
                let owner: Rc<str> = match self.slices.get(&key) {
                    Some(owner) => owner.clone(),
                    None => format!("{namespace}/{service}").into(),
                };
                if deleted {
                    self.slices.remove(&key);
                } else {
                    self.slices.insert(key, owner.clone());
                }
                let ready = |scene: &Scene| scene.services.get(&owner).map(|s| s.ready());
                let before = ready(self);
                self.change_service(&owner, |s| s.set_slice(name, (!deleted).then_some(object)));
                let now = ready(self);
                if now != before && !client.is_empty() && !system {
                    say.push(
                        Line::new("endpoints")
                            .with("service", &owner)
                            .with("count", &now.unwrap_or(0).to_string()),
                    );
                }
            }
            kind if Workload::KINDS.contains(&kind) => {
                let key: Rc<str> = format!("{kind}/{name}").into();
                if deleted {
                    if self.workloads.remove(&key).is_some() && !system {
                        say.push(Line::new("deleted").with("kind", kind).with("name", name));
                    }
                } else {
                    let was = self.workloads.get(&key).cloned();
                    match Workload::read(kind, object) {
                        Some(workload) => {
                            if was.as_deref() == Some(&workload) {
                                return;
                            }
                            match &was {
                                Some(was)
                                    if kind == "Job"
                                        && was.ready < was.desired
                                        && workload.ready >= workload.desired =>
                                {
                                    say.push(Line::new("job-done").with("name", name));
                                }
                                Some(was) if was.desired != workload.desired && kind != "DaemonSet" => say.push(
                                    Line::new("scaled")
                                        .with("kind", kind)
                                        .with("name", name)
                                        .with("count", &workload.desired.to_string()),
                                ),
                                Some(was) if was.image != workload.image => say.push(
                                    Line::new("image")
                                        .with("kind", kind)
                                        .with("name", name)
                                        .with("image", &workload.image),
                                ),
                                None if !client.is_empty() && kind == "CronJob" => say.push(
                                    Line::new("scheduled")
                                        .with("name", name)
                                        .with("schedule", &workload.schedule),
                                ),
                                None if !client.is_empty() => say.push(
                                    Line::new("wanted")
                                        .with("kind", kind)
                                        .with("name", name)
                                        .with("count", &workload.desired.to_string()),
                                ),
                                _ => {}
                            }
                            self.workloads.insert(key, Rc::new(workload));
                        }
                        None if op == WriteKind::Added && !client.is_empty() && kind == "Job" => {
                            say.push(Line::new("job").with("name", name));
                        }
                        None if op == WriteKind::Added && !client.is_empty() && kind == "ReplicaSet" => {
                            let desired = object.i64_at(&["spec", "replicas"]).unwrap_or(1);
                            say.push(
                                Line::new("replicaset")
                                    .with("name", name)
                                    .with("count", &desired.to_string()),
                            );
                        }
                        None => {}
                    }
                }
            }
            _ => return,
        }
        self.version += 1;
    }
}

fn say_of_pod(client: &str, was: Option<&Pod>, pod: &Pod, say: &mut Vec<Line>) {
    let key = pod.key();
    match was {
        None if !client.is_empty() => {
            let line = match &*pod.owner.0 {
                "" => Line::new("pod-created"),
                kind => Line::new("pod-created-by").with("kind", kind),
            };
            say.push(line.pod(&key));
        }
        Some(was) => {
            if was.node.is_empty() && !pod.node.is_empty() {
                say.push(Line::new("bound").pod(&key).with("node", &pod.node));
            }
            if was.mood != pod.mood {
                match pod.mood {
                    Mood::Ready => say.push(Line::new("ready").pod(&key)),
                    Mood::Terminating => say.push(Line::new("terminating").pod(&key)),
                    Mood::Failing => say.push(Line::new("failing").pod(&key).with("status", &pod.status)),
                    Mood::Done => say.push(Line::new("done").pod(&key)),
                    Mood::Waiting | Mood::Starting | Mood::Unready => {}
                }
            }
        }
        None => {}
    }
}

/// A size as people read it: `67.3 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}
