//! The kubelets: one for each node, each with a worker for each of its pods, its images, its lease
//! and its node's status. They read and write through the API server, run programs as containers,
//! and answer the API server's `logs`, `exec` and `attach`.

#![warn(missing_docs)]

mod connections;
mod container;
mod env;
pub mod etc;
mod images;
mod log;
mod manifests;
mod probes;
mod proc;
mod resize;
mod status;
mod volumes;
mod worker;

use core::net::Ipv4Addr;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::api::events::EventRecorder;
use crate::api::names;
use crate::api::placement::{host_ports, node_affinity_fits, untolerated};
use crate::api::views::{Pod, Resources};
use crate::api::volumes::claim_name;
use crate::api::{ApiServer, Client, Informer, ListOptions, Object, ObjectKey, Resource, Status, User};
use crate::flat::{FlatMap, FlatSet};
use crate::limits;
use crate::net::Network;
use crate::obj;
use crate::shell::{CommandFn, Files};
use crate::sim::{Sim, TaskHandle, Time};
use crate::value::{Value, base64};

#[cfg(test)]
mod tests;

use env::Sources;
use images::Images;
use worker::Worker;

/// How often a kubelet renews its node's lease and writes a changed node status.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);
/// How often it reports an unchanged node status.
const STATUS_REPORT: Duration = Duration::from_secs(300);
/// How old the copy of a ConfigMap or Secret in a volume may become.
const VOLUME_REFRESH: Duration = Duration::from_secs(60);

/// The resources that kubelets use.
struct Kinds {
    pods: Rc<Resource>,
    nodes: Rc<Resource>,
    leases: Rc<Resource>,
    claims: Rc<Resource>,
    volumes: Rc<Resource>,
    runtimes: Rc<Resource>,
}

/// What all kubelets of a world read alike: one copy serves them.
struct Shared {
    services: Informer,
    config_maps: Informer,
    secrets: Informer,
    nodes: Informer,
    /// The content of persistent volumes that are no node's directories, by name.
    volumes: RefCell<FlatMap<String, Files>>,
    /// The kubectl of the images that bring it.
    kubectl: RefCell<Option<CommandFn>>,
    /// The hashes that the snapshot's mirrors have of their manifests, by those that are computed here.
    hashes: RefCell<FlatMap<String, String>>,
    /// Is told of the control plane's programs that start (`true`) and end, by their component.
    programs: RefCell<Option<ProgramWatch>>,
}

type ProgramWatch = Rc<dyn Fn(&str, bool)>;

/// The kubelets of a world. Clones are handles.
#[derive(Clone)]
pub struct Kubelets(Rc<Inner>);

struct Inner {
    sim: Sim,
    api: ApiServer,
    network: Network,
    kinds: Rc<Kinds>,
    shared: Rc<Shared>,
    nodes: RefCell<FlatMap<Rc<str>, Rc<Node>>>,
}

/// One kubelet.
struct Node {
    sim: Sim,
    name: Rc<str>,
    client: Client,
    kinds: Rc<Kinds>,
    shared: Rc<Shared>,
    network: Network,
    recorder: EventRecorder,
    images: Images,
    /// The node's own files, which hostPath volumes show.
    files: Files,
    pods: Informer,
    workers: RefCell<FlatMap<String, Rc<Worker>>>,
    /// When in a second it looks at its containers.
    relist_phase: Time,
    next_ip: Cell<u32>,
    /// Nanoseconds of processor time that containers spent which have ended.
    spent: Cell<u64>,
    used_ips: RefCell<FlatSet<Ipv4Addr>>,
    tasks: RefCell<Vec<TaskHandle>>,
    statics: RefCell<manifests::Statics>,
    /// The hashes of static pods whose manifests have gone.
    dropped: RefCell<FlatSet<String>>,
}

impl Kubelets {
    /// Prepares kubelets; none runs before [`Kubelets::start`].
    ///
    /// # Errors
    /// When the API server does not serve the resources that kubelets need.
    pub fn new(api: &ApiServer, network: &Network) -> Result<Kubelets, Status> {
        // One cache serves all kubelets here; each real one watches the objects of its pods alone.
        let client = Client::new(api, "kubelet", User::system("kubelets"));
        let resource = |group: &str, name: &str| client.resource(group, "v1", name);
        let informer = |name: &str| -> Result<Informer, Status> {
            Ok(Informer::start(&client, &resource("", name)?, ListOptions::default()))
        };
        let kubelets = Kubelets(Rc::new(Inner {
            sim: api.sim().clone(),
            api: api.clone(),
            network: network.clone(),
            kinds: Rc::new(Kinds {
                pods: resource("", "pods")?,
                nodes: resource("", "nodes")?,
                leases: resource("coordination.k8s.io", "leases")?,
                claims: resource("", "persistentvolumeclaims")?,
                volumes: resource("", "persistentvolumes")?,
                runtimes: resource("node.k8s.io", "runtimeclasses")?,
            }),
            shared: Rc::new(Shared {
                services: informer("services")?,
                config_maps: informer("configmaps")?,
                secrets: informer("secrets")?,
                nodes: informer("nodes")?,
                volumes: RefCell::default(),
                kubectl: RefCell::default(),
                hashes: RefCell::default(),
                programs: RefCell::default(),
            }),
            nodes: RefCell::default(),
        }));
        for (informer, kind) in [
            (&kubelets.0.shared.config_maps, "ConfigMap"),
            (&kubelets.0.shared.secrets, "Secret"),
        ] {
            let weak = Rc::downgrade(&kubelets.0);
            informer.on_change(move |old, new| {
                if let (Some(inner), Some(_), Some(object)) = (weak.upgrade(), old, new) {
                    inner.source_changed(kind, object);
                }
            });
        }
        let weak = Rc::downgrade(&kubelets.0);
        kubelets.0.shared.nodes.on_change(move |old, new| {
            let (Some(inner), Some(old), Some(new)) = (weak.upgrade(), old, new) else {
                return;
            };
            if old.status().get("allocatable") != new.status().get("allocatable")
                && let Some(node) = inner.nodes.borrow().get(new.name())
            {
                node.room_changed();
            }
        });
        api.set_node_connections(Rc::new(connections::Connections(Rc::downgrade(&kubelets.0))));
        Ok(kubelets)
    }

    /// Gives the images that bring kubectl theirs, which lies above this layer.
    pub fn set_kubectl(&self, kubectl: CommandFn) {
        self.0.shared.kubectl.replace(Some(kubectl));
    }

    /// Starts the kubelet of a node. Pods that the API shows as running on it are taken over as they
    /// are. `files` are the files of the node's host.
    pub fn start(&self, node: &str, files: &Files) {
        let inner = &self.0;
        let name: Rc<str> = node.into();
        if inner.nodes.borrow().contains_key(&name) {
            return;
        }
        let sim = &inner.sim;
        let client = Client::new(&inner.api, format!("kubelet/{node}"), User::node(node));
        let options = ListOptions::fields(format!("spec.nodeName={node}"));
        let pods = Informer::start(&client, &inner.kinds.pods, options);
        let kubelet = Rc::new(Node {
            sim: sim.clone(),
            name: name.clone(),
            recorder: EventRecorder::new(&client, "kubelet", node),
            client,
            kinds: inner.kinds.clone(),
            shared: inner.shared.clone(),
            network: inner.network.clone(),
            images: Images::new(sim, node),
            files: files.clone(),
            pods,
            workers: RefCell::default(),
            relist_phase: Time(sim.random_below(1_000_000)),
            next_ip: Cell::new(2),
            spent: Cell::new(0),
            used_ips: RefCell::default(),
            tasks: RefCell::default(),
            statics: RefCell::default(),
            dropped: RefCell::default(),
        });
        inner.nodes.borrow_mut().insert(name, kubelet.clone());
        let uses = Rc::downgrade(&kubelet);
        proc::node(files, move || {
            uses.upgrade().map_or((0, 0), |node| {
                let object = node.object();
                let total = object.status().str_at(&["capacity", "memory"]);
                (proc::kib(total), connections::used(&node).memory)
            })
        });
        let (run, lease) = (kubelet.clone(), kubelet.clone());
        let tasks = vec![
            sim.spawn("kubelet", async move { run.run().await }),
            sim.spawn("node lease", async move { lease.heartbeat().await }),
        ];
        *kubelet.tasks.borrow_mut() = tasks;
    }

    /// Calls `watch` whenever a program of a static pod starts (`true`) or ends, with what the pod's label `component`
    /// calls it.
    pub fn on_program(&self, watch: impl Fn(&str, bool) + 'static) {
        *self.0.shared.programs.borrow_mut() = Some(Rc::new(watch));
    }

    /// Ends the kubelet of a node and everything that runs there, as a power cut does. Nobody writes
    /// that into the API: the node's lease grows old.
    pub fn stop(&self, node: &str) {
        let gone = self.0.nodes.borrow_mut().remove(node);
        let Some(node) = gone else { return };
        node.pods.stop();
        node.tasks.borrow_mut().drain(..).for_each(|t| t.abort());
        let workers = std::mem::take(&mut *node.workers.borrow_mut());
        for worker in workers.values() {
            worker.discard();
        }
    }

    /// The nodes whose kubelets run.
    pub fn running(&self) -> Vec<Rc<str>> {
        self.0.nodes.borrow().keys().cloned().collect()
    }
}

impl Inner {
    fn source_changed(self: &Rc<Self>, kind: &'static str, object: &Object) {
        let mut workers = Vec::new();
        for node in self.nodes.borrow().values() {
            for worker in node.workers.borrow().values() {
                if *worker.key.namespace == *object.namespace() {
                    workers.push(Rc::downgrade(worker));
                }
            }
        }
        if workers.is_empty() {
            return;
        }
        // Each kubelet looks once a minute.
        let delay = Duration::from_micros(self.sim.random_below(VOLUME_REFRESH.as_micros() as u64));
        let (sim, name) = (self.sim.clone(), object.name().to_owned());
        self.sim.spawn("volume refresh", async move {
            sim.sleep(delay).await;
            for worker in workers.iter().filter_map(std::rc::Weak::upgrade) {
                worker.refresh_volumes(kind, &name);
            }
        });
    }
}

impl Node {
    async fn run(self: &Rc<Self>) {
        self.shared.nodes.synced().await;
        self.shared.services.synced().await;
        self.shared.config_maps.synced().await;
        self.shared.secrets.synced().await;
        self.pods.synced().await;
        // The node's images, by every name that its status lists.
        for image in self.object().status().get("images").items() {
            for name in image.get("names").items() {
                self.images.preload(name.str());
            }
        }
        self.images.take_dirty();
        let weak = Rc::downgrade(self);
        let beginning = Cell::new(true);
        let adopting = Rc::new(beginning);
        let first = adopting.clone();
        self.pods.on_change(move |old, new| {
            let Some(node) = weak.upgrade() else { return };
            match (old, new) {
                (_, Some(pod)) => node.pod_changed(pod, first.get()),
                (Some(pod), None) => node.pod_gone(pod),
                (None, None) => {}
            }
        });
        adopting.set(false);
        self.watch_manifests();
        self.read_manifests().await;
    }

    fn pod_changed(self: &Rc<Self>, pod: &Object, beginning: bool) {
        let known = self.workers.borrow().get(pod.uid()).cloned();
        if let Some(worker) = known {
            worker.update(pod);
            if Pod(pod).is_terminal() {
                self.room_changed();
            }
            return;
        }
        // A mirror that was made anew shows the static pod that runs already.
        if let Some(hash) = pod.annotation(names::MIRROR) {
            let same = self
                .workers
                .borrow()
                .iter()
                .find(|(_, w)| w.key == pod.key() && w.pod().annotation(names::MIRROR) == Some(hash))
                .map(|(uid, w)| (uid.clone(), w.clone()));
            if let Some((uid, worker)) = same {
                self.workers.borrow_mut().remove(&uid);
                self.workers.borrow_mut().insert(pod.uid().to_owned(), worker.clone());
                worker.update(pod);
                return;
            }
        }
        let worker = Worker::new(self, pod);
        self.workers.borrow_mut().insert(pod.uid().to_owned(), worker.clone());
        if beginning && !pod.status().get("containerStatuses").is_empty() {
            worker.adopt();
        }
        let task = self.sim.spawn("pod worker", worker.work());
        // Tasks of pods that are gone make room.
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() > 64 {
            tasks.retain(|t| !t.is_finished());
        }
        tasks.push(task);
    }

    fn pod_gone(self: &Rc<Self>, pod: &Object) {
        let worker = self.workers.borrow().get(pod.uid()).cloned();
        let Some(worker) = worker else { return };
        if worker.is_mirror() {
            let node = self.clone();
            let pod = pod.clone();
            self.sim
                .spawn("mirror pod", async move { node.make_mirror(&pod).await });
            return;
        }
        worker.remove();
    }

    /// Makes a static pod's mirror anew.
    async fn make_mirror(&self, pod: &Object) {
        let mut metadata = Value::map();
        for field in ["annotations", "labels", "name", "namespace", "ownerReferences"] {
            metadata.set_or_remove(&[field], pod.metadata().get(field));
        }
        let body = obj! { "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod.spec() };
        // The kubelet's next look at its static pods.
        self.sim.sleep(Duration::from_millis(200)).await;
        let made = self.client.make(&self.kinds.pods, pod.namespace(), body).await;
        if made.is_err() {
            self.sim.sleep(LEASE_RENEWAL).await;
        }
    }

    fn forget(&self, worker: &Rc<Worker>) {
        self.workers.borrow_mut().retain(|_, w| !Rc::ptr_eq(w, worker));
        self.room_changed();
    }

    /// Lets the pods look again whose resize waits for room: there may be some now.
    fn room_changed(&self) {
        for worker in self.workers.borrow().values().filter(|w| w.waits_for_room()) {
            worker.signal.notify();
        }
    }

    /// Removes a pod from the API: its end is complete.
    async fn delete(&self, pod: &Object) {
        let options = obj! {
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "kind": "DeleteOptions",
            "preconditions": obj! { "uid": pod.uid() },
        };
        // A pod that is gone already needs nothing.
        let _ = self
            .client
            .delete(&self.kinds.pods, pod.namespace(), pod.name(), options)
            .await;
    }

    /// The node's object; an empty one while there is none.
    fn object(&self) -> Object {
        let key = ObjectKey::new("", &self.name);
        self.shared.nodes.get(&key).unwrap_or_else(|| Object::new(Value::map()))
    }

    fn ip(&self) -> Ipv4Addr {
        let node = self.object();
        let addresses = node.status().get("addresses").items();
        addresses
            .iter()
            .find(|a| a.str_at(&["type"]) == "InternalIP")
            .and_then(|a| a.str_at(&["address"]).parse().ok())
            .unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// The first address of the node's range and how many there are.
    fn range(&self) -> (u32, u32) {
        let node = self.object();
        let cidr = node.spec().get("podCIDR").str();
        let (base, bits) = cidr.split_once('/').unwrap_or(("10.244.255.0", "24"));
        let base: u32 = base.parse::<Ipv4Addr>().unwrap_or(Ipv4Addr::UNSPECIFIED).into();
        let bits: u32 = bits.parse().unwrap_or(24).clamp(8, 30);
        (base, 1 << (32 - bits))
    }

    /// The node's own address in the range of its pods (the bridge's).
    fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.range().0 + 1)
    }

    /// The next free address, after the one given last.
    fn next_ip(&self) -> Ipv4Addr {
        let (base, size) = self.range();
        let mut used = self.used_ips.borrow_mut();
        for _ in 0..size {
            let n = self.next_ip.get();
            self.next_ip.set(if n + 2 >= size { 2 } else { n + 1 });
            let ip = Ipv4Addr::from(base + n);
            if used.insert(ip) {
                return ip;
            }
        }
        Ipv4Addr::from(base + 2)
    }

    fn take_ip(&self, ip: Ipv4Addr) {
        self.used_ips.borrow_mut().insert(ip);
        let n = u32::from(ip).saturating_sub(self.range().0);
        if n >= self.next_ip.get() {
            self.next_ip.set(n + 1);
        }
    }

    fn release_ip(&self, ip: Ipv4Addr) {
        self.used_ips.borrow_mut().remove(&ip);
    }

    /// Why the node does not take a pod that was bound to it: a reason and a sentence.
    fn refuses(&self, pod: &Object) -> Option<(String, String)> {
        let node = self.object();
        let allocatable = node.status().get("allocatable");
        let mut used = Resources::default();
        let mut pods = 0;
        let mut taken = Vec::new();
        for worker in self.workers.borrow().values() {
            let other = worker.pod();
            if other.uid() == pod.uid() || worker.started().is_none() || Pod(&other).is_terminal() {
                continue;
            }
            pods += 1;
            // What was granted counts, whatever the status still says of the resize before.
            Pod(&worker.granted(&other)).with_asked(|asked| used.add(asked));
            taken.extend(host_ports(Pod(&other)));
        }
        let most = allocatable.get("pods").str().parse().unwrap_or(limits::NODE_PODS);
        if pods >= most {
            return Some((
                "OutOfpods".into(),
                format!("Node didn't have enough resource: pods, requested: 1, used: {pods}, capacity: {most}"),
            ));
        }
        // A node whose object says nothing of its size refuses nothing.
        if allocatable.is_empty() {
            return None;
        }
        let capacity = Resources::read(allocatable);
        // An extended resource that the node does not name is the cluster's own affair.
        let is_known = |name: &str| !name.contains('/') || allocatable.has(name);
        let short = Pod(pod).with_requests(|requests| {
            requests.iter().find_map(|(name, asked)| {
                let (have, taken) = (capacity.get(name), used.get(name));
                (asked > have.saturating_sub(taken) && is_known(name)).then(|| {
                    (
                        format!("OutOf{name}"),
                        format!("Node didn't have enough resource: {name}, requested: {asked}, used: {taken}, capacity: {have}"),
                    )
                })
            })
        });
        if short.is_some() {
            return short;
        }
        // What the scheduler looks at too, for pods that name their node themselves.
        let taints = node.spec().get("taints").items();
        let is_static = pod.annotation(names::MIRROR).is_some();
        let wanted = host_ports(Pod(pod));
        let (predicate, why) = if !node_affinity_fits(pod.spec(), &node) {
            ("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
        } else if wanted.iter().any(|w| taken.iter().any(|t| w.conflicts(t))) {
            (
                "NodePorts",
                "node(s) didn't have free ports for the requested pod ports",
            )
        } else if !is_static && untolerated(taints, Pod(pod).tolerations(), &["NoExecute"]).is_some() {
            ("TaintToleration", "node(s) had taints that the pod didn't tolerate")
        } else {
            return None;
        };
        Some((predicate.into(), format!("Predicate {predicate} failed: {why}")))
    }

    fn sources(&self, namespace: &str) -> NodeSources {
        NodeSources {
            shared: self.shared.clone(),
            namespace: namespace.to_owned(),
        }
    }

    /// The files behind the claims and the NFS directories that a pod mounts, by the names that [`volumes::Origin::claim`]
    /// takes.
    async fn claims(&self, pod: &Object) -> FlatMap<String, volumes::Claimed> {
        let mut found = FlatMap::new();
        for volume in Pod(pod).volumes() {
            if volume.has("nfs") {
                found.insert(volumes::nfs_key(volume.get("nfs")), Ok(self.nfs(volume.get("nfs"))));
                continue;
            }
            let Some(name) = claim_name(pod, volume) else { continue };
            let claim = match self.client.get(&self.kinds.claims, pod.namespace(), &name).await {
                Ok(claim) => claim,
                Err(e) => {
                    found.insert(
                        name,
                        Err(format!("failed to fetch PVC from API server: {}", e.message())),
                    );
                    continue;
                }
            };
            let volume = claim.spec().get("volumeName").str();
            if volume.is_empty() {
                continue;
            }
            let Ok(volume) = self.client.get(&self.kinds.volumes, "", volume).await else {
                continue;
            };
            let path = ["hostPath", "local"]
                .iter()
                .map(|k| volume.spec().str_at(&[k, "path"]))
                .find(|p| !p.is_empty());
            let files = match path {
                Some(path) => {
                    let path = crate::shell::join("/", path);
                    let _ = self.files.make_dirs(&path);
                    (self.files.clone(), path)
                }
                None if volume.spec().has("nfs") => self.nfs(volume.spec().get("nfs")),
                None => {
                    let mut volumes = self.shared.volumes.borrow_mut();
                    let files = volumes.entry(volume.name().to_owned()).or_insert_with(|| {
                        // Provisioners let everybody write there.
                        let files = Files::new(&self.sim);
                        let _ = files.set_mode("/", 0o777);
                        files
                    });
                    (files.clone(), "/".to_owned())
                }
            };
            found.insert(name, Ok(files));
        }
        found
    }

    /// The directory of an NFS server, whose files all that mount from it share.
    fn nfs(&self, source: &Value) -> (Files, String) {
        let mut volumes = self.shared.volumes.borrow_mut();
        let files = volumes
            .entry(format!("nfs {}", source.get("server").str()))
            .or_insert_with(|| Files::new(&self.sim));
        let path = crate::shell::join("/", source.get("path").str());
        let _ = files.make_dirs(&path);
        (files.clone(), path)
    }

    /// Renews the lease, and reports the node's status.
    async fn heartbeat(self: &Rc<Self>) {
        self.shared.nodes.synced().await;
        let first = Duration::from_micros(self.sim.random_below(LEASE_RENEWAL.as_micros() as u64));
        self.sim.sleep(first).await;
        let mut lease: Option<Object> = None;
        let mut reported = self.sim.now();
        loop {
            lease = self.renew(lease).await;
            // Changes within a file are seen here.
            self.read_manifests().await;
            let node = self.object();
            let offers = offered(&node) != *node.status().get("allocatable");
            let dirty = self.images.take_dirty();
            if dirty || offers || self.sim.now().since(reported) >= STATUS_REPORT {
                reported = self.sim.now();
                self.report().await;
            }
            self.sim.sleep(LEASE_RENEWAL).await;
        }
    }

    async fn renew(&self, lease: Option<Object>) -> Option<Object> {
        const NAMESPACE: &str = "kube-node-lease";
        let lease = match lease {
            Some(lease) => lease,
            None => match self.client.get(&self.kinds.leases, NAMESPACE, &self.name).await {
                Ok(lease) => lease,
                Err(error) if error.is_not_found() => {
                    let node = self.object();
                    if node.uid().is_empty() {
                        return None;
                    }
                    let body = obj! {
                        "apiVersion": "coordination.k8s.io/v1",
                        "kind": "Lease",
                        "metadata": obj! {
                            "name": &self.name,
                            "namespace": NAMESPACE,
                            "ownerReferences": crate::list![obj! {
                                "apiVersion": "v1", "kind": "Node", "name": &self.name, "uid": node.uid(),
                            }],
                        },
                        "spec": obj! {
                            "holderIdentity": &self.name,
                            "leaseDurationSeconds": 40,
                            "renewTime": self.sim.now().micro(),
                        },
                    };
                    let made = self.client.make(&self.kinds.leases, NAMESPACE, body);
                    return made.await.ok();
                }
                Err(_) => return None,
            },
        };
        let mut value = lease.value().clone();
        value.set(&["spec", "renewTime"], self.sim.now().micro());
        self.client.update(&self.kinds.leases, value).await.ok()
    }

    /// Writes the node's status: that it is well, its images, and of what is advertised all as allocatable.
    async fn report(&self) {
        for _ in 0..3 {
            let Ok(node) = self.client.get(&self.kinds.nodes, "", &self.name).await else {
                return;
            };
            let now = self.sim.now();
            let mut value = node.value().clone();
            value.set(&["status", "images"], self.images.status());
            value.set(&["status", "allocatable"], offered(&node));
            let well = [
                (
                    "MemoryPressure",
                    "False",
                    "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available",
                ),
                (
                    "DiskPressure",
                    "False",
                    "KubeletHasNoDiskPressure",
                    "kubelet has no disk pressure",
                ),
                (
                    "PIDPressure",
                    "False",
                    "KubeletHasSufficientPID",
                    "kubelet has sufficient PID available",
                ),
                ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ];
            let mut conditions: Vec<Value> = node
                .status()
                .get("conditions")
                .items()
                .iter()
                .filter(|c| well.iter().all(|(kind, ..)| c.get("type").str() != *kind))
                .cloned()
                .collect();
            for (kind, status, reason, message) in well {
                let since = match node.condition(kind) {
                    Some(old) if old.get("status").str() == status => old.get("lastTransitionTime").clone(),
                    _ => now.into(),
                };
                conditions.push(obj! {
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": since,
                    "message": message,
                    "reason": reason,
                    "status": status,
                    "type": kind,
                });
            }
            value.set(&["status", "conditions"], conditions);
            match self.client.update_status(&self.kinds.nodes, value).await {
                Err(error) if error.is_conflict() => {}
                _ => return,
            }
        }
    }
}

/// What pods may take of a node: of extended resources all that its capacity says, since nothing is kept back of them.
/// Somebody may write those into a node's status by hand.
fn offered(node: &Object) -> Value {
    let extended = |name: &str| name.contains('/');
    let mut all = node.status().get("allocatable").clone();
    let capacity = node.status().get("capacity");
    for (name, _) in node.status().get("allocatable").entries() {
        if extended(name) && !capacity.has(name) {
            all.remove(&[name]);
        }
    }
    for (name, amount) in capacity.entries().filter(|(name, _)| extended(name)) {
        all.set(&[name], amount.clone());
    }
    all
}

/// ConfigMaps and Secrets as the kubelets' informers hold them.
struct NodeSources {
    shared: Rc<Shared>,
    namespace: String,
}

impl Sources for NodeSources {
    fn data(&self, secret: bool, name: &str) -> Option<FlatMap<String, Vec<u8>>> {
        let informer = if secret {
            &self.shared.secrets
        } else {
            &self.shared.config_maps
        };
        let object = informer.get(&ObjectKey::new(&self.namespace, name))?;
        let mut data = FlatMap::new();
        for (key, value) in object.value().get("data").entries() {
            let bytes = if secret {
                base64::decode(value.str()).unwrap_or_default()
            } else {
                value.str().as_bytes().to_vec()
            };
            data.insert(key.to_string(), bytes);
        }
        for (key, value) in object.value().get("binaryData").entries() {
            data.insert(key.to_string(), base64::decode(value.str()).unwrap_or_default());
        }
        Some(data)
    }
}
