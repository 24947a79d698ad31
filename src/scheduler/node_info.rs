//! What the scheduler keeps parsed of pods and nodes, and its cache of them.

use std::rc::Rc;

use crate::api::placement::{HostPort, host_ports};
use crate::api::views::pod::{Pod, Resources};
use crate::api::{Object, ObjectKey, Selector};
use crate::flat::{FlatMap, FlatSet};
use crate::value::Value;

/// What a container that requests no cpu (in thousandths) or memory (in bytes) counts as, in scores.
const DEFAULT_MILLI_CPU: i64 = 100;
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// A term of pod affinity or anti-affinity.
#[derive(Clone, Debug)]
pub struct AffinityTerm {
    pub selector: Selector,
    pub topology_key: Rc<str>,
    pub namespaces: FlatSet<String>,
    /// Selects further namespaces by their labels.
    pub namespace_selector: Option<Selector>,
    /// Of a preferred term; 0 for a required one.
    pub weight: i64,
}

impl AffinityTerm {
    fn read(term: &Value, owner: &Object, weight: i64) -> AffinityTerm {
        let mut namespaces: FlatSet<String> = term
            .get("namespaces")
            .items()
            .iter()
            .map(|n| n.str().to_owned())
            .collect();
        let namespace_selector = term
            .has("namespaceSelector")
            .then(|| Selector::from_label_selector(term.get("namespaceSelector")));
        if namespaces.is_empty() && namespace_selector.is_none() {
            namespaces.insert(owner.namespace().to_owned());
        }
        AffinityTerm {
            selector: Selector::from_label_selector(term.get("labelSelector")),
            topology_key: term.str_at(&["topologyKey"]).into(),
            namespaces,
            namespace_selector,
            weight,
        }
    }

    /// Whether the term selects a pod. `namespace_labels` gives the labels of a namespace.
    pub fn matches(&self, pod: &Object, namespace_labels: &dyn Fn(&str) -> Value) -> bool {
        let namespace = pod.namespace();
        let here = self.namespaces.contains(namespace)
            || self
                .namespace_selector
                .as_ref()
                .is_some_and(|s| s.is_everything() || s.matches(&namespace_labels(namespace)));
        here && self.selector.matches(pod.labels())
    }
}

/// Required and preferred terms.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub required: Vec<AffinityTerm>,
    pub preferred: Vec<AffinityTerm>,
}

impl Terms {
    fn read(affinity: &Value, owner: &Object) -> Terms {
        Terms {
            required: affinity
                .get("requiredDuringSchedulingIgnoredDuringExecution")
                .items()
                .iter()
                .map(|t| AffinityTerm::read(t, owner, 0))
                .collect(),
            preferred: affinity
                .get("preferredDuringSchedulingIgnoredDuringExecution")
                .items()
                .iter()
                .map(|t| {
                    let weight = t.i64_at(&["weight"]).unwrap_or(0);
                    AffinityTerm::read(t.get("podAffinityTerm"), owner, weight)
                })
                .collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.preferred.is_empty()
    }
}

/// A pod, with what plugins ask of it.
#[derive(Clone, Debug)]
pub struct PodInfo {
    pub pod: Object,
    pub key: ObjectKey,
    pub priority: i64,
    pub requests: Resources,
    /// Requests of cpu (thousandths) and memory (bytes) where a missing one counts as the default.
    pub non_zero: (i64, i64),
    pub host_ports: Vec<HostPort>,
    pub affinity: Terms,
    pub anti_affinity: Terms,
}

impl PodInfo {
    pub fn new(object: &Object) -> PodInfo {
        let pod = Pod(object);
        let spec = object.spec();
        let requests = pod.requests();
        PodInfo {
            pod: object.clone(),
            key: object.key(),
            priority: pod.priority(),
            non_zero: non_zero(pod, &requests),
            requests,
            host_ports: host_ports(pod),
            affinity: Terms::read(spec.at(&["affinity", "podAffinity"]), object),
            anti_affinity: Terms::read(spec.at(&["affinity", "podAntiAffinity"]), object),
        }
    }
}

/// The requests of a pod for scores: each container that leaves one out counts as asking the default.
fn non_zero(pod: Pod, requests: &Resources) -> (i64, i64) {
    let (mut cpu, mut memory) = (requests.milli_cpu, requests.memory);
    let pod_level = pod.spec().at(&["resources", "requests"]);
    let all = pod.containers().chain(pod.init_containers().filter(|c| c.is_sidecar()));
    for container in all {
        let asked = container.value().at(&["resources", "requests"]);
        if !asked.has("cpu") && !pod_level.has("cpu") {
            cpu += DEFAULT_MILLI_CPU;
        }
        if !asked.has("memory") && !pod_level.has("memory") {
            memory += DEFAULT_MEMORY;
        }
    }
    (cpu, memory)
}

/// A node with the pods that stand on it, those included whose binding is under way.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    pub node: Object,
    pub name: Rc<str>,
    pub allocatable: Resources,
    pub allowed_pods: usize,
    pub requested: Resources,
    pub non_zero_requested: (i64, i64),
    pub pods: FlatMap<ObjectKey, Rc<PodInfo>>,
    /// Those of `pods` that have affinity or anti-affinity.
    pub with_affinity: FlatSet<ObjectKey>,
}

impl NodeInfo {
    pub fn new(node: &Object) -> NodeInfo {
        let mut info = NodeInfo {
            node: node.clone(),
            name: node.name().into(),
            allocatable: Resources::default(),
            allowed_pods: 0,
            requested: Resources::default(),
            non_zero_requested: (0, 0),
            pods: FlatMap::new(),
            with_affinity: FlatSet::new(),
        };
        info.set_node(node);
        info
    }

    pub fn set_node(&mut self, node: &Object) {
        self.node = node.clone();
        self.allocatable = Resources::read(node.status().get("allocatable"));
        self.allowed_pods = usize::try_from(self.allocatable.get("pods")).unwrap_or(0);
    }

    pub fn add(&mut self, pod: Rc<PodInfo>) {
        self.requested.add(&pod.requests);
        self.non_zero_requested.0 += pod.non_zero.0;
        self.non_zero_requested.1 += pod.non_zero.1;
        if !pod.affinity.is_empty() || !pod.anti_affinity.is_empty() {
            self.with_affinity.insert(pod.key.clone());
        }
        self.pods.insert(pod.key.clone(), pod);
    }

    pub fn remove(&mut self, key: &ObjectKey) {
        let Some(pod) = self.pods.remove(key) else { return };
        self.requested.subtract(&pod.requests);
        self.non_zero_requested.0 -= pod.non_zero.0;
        self.non_zero_requested.1 -= pod.non_zero.1;
        self.with_affinity.remove(key);
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.node.label(key)
    }

    pub fn taints(&self) -> &[Value] {
        self.node.spec().get("taints").items()
    }
}

/// Nodes by name.
pub type Nodes = FlatMap<Rc<str>, Rc<NodeInfo>>;

/// What the scheduler believes of the cluster: its informers' state and the pods it has placed.
#[derive(Default)]
pub struct Cache {
    /// Nodes that exist.
    nodes: Nodes,
    /// Pods on nodes that do not (yet) exist.
    stray: FlatMap<Rc<str>, FlatMap<ObjectKey, Rc<PodInfo>>>,
    /// Where each pod stands.
    place: FlatMap<ObjectKey, Rc<str>>,
    /// Placed by the scheduler, and not yet seen bound.
    assumed: FlatSet<ObjectKey>,
}

impl Cache {
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub fn set_node(&mut self, node: &Object) {
        let name: Rc<str> = node.name().into();
        match self.nodes.get_mut(&name) {
            Some(info) => Rc::make_mut(info).set_node(node),
            None => {
                let mut info = NodeInfo::new(node);
                for pod in self.stray.remove(&name).unwrap_or_default().into_values() {
                    info.add(pod);
                }
                self.nodes.insert(name, Rc::new(info));
            }
        }
    }

    pub fn remove_node(&mut self, name: &str) {
        if let Some(info) = self.nodes.remove(name) {
            self.stray.insert(name.into(), info.pods.clone());
        }
    }

    fn put(&mut self, node: &str, pod: Rc<PodInfo>) {
        if let Some(before) = self.place.insert(pod.key.clone(), node.into()) {
            self.drop_from(&before, &pod.key);
        }
        match self.nodes.get_mut(node) {
            Some(info) => Rc::make_mut(info).add(pod),
            None => {
                let stray = self.stray.entry(node.into()).or_default();
                stray.insert(pod.key.clone(), pod);
            }
        }
    }

    fn drop_pod(&mut self, key: &ObjectKey) {
        if let Some(node) = self.place.remove(key) {
            self.drop_from(&node, key);
        }
    }

    /// Takes a pod from the node that it stood on.
    fn drop_from(&mut self, node: &str, key: &ObjectKey) {
        if let Some(info) = self.nodes.get_mut(node) {
            Rc::make_mut(info).remove(key);
        }
        if let Some(stray) = self.stray.get_mut(node) {
            stray.remove(key);
            if stray.is_empty() {
                self.stray.remove(node);
            }
        }
    }

    /// A pod that the informer shows bound.
    pub fn set_pod(&mut self, node: &str, pod: Rc<PodInfo>) {
        self.assumed.remove(&pod.key);
        self.put(node, pod);
    }

    /// A pod that is gone, or has ended.
    pub fn remove_pod(&mut self, key: &ObjectKey) {
        self.assumed.remove(key);
        self.drop_pod(key);
    }

    /// Counts a pod on a node before its binding is done.
    pub fn assume(&mut self, node: &str, pod: Rc<PodInfo>) {
        self.assumed.insert(pod.key.clone());
        self.put(node, pod);
    }

    /// Takes an assumption back.
    pub fn forget(&mut self, key: &ObjectKey) {
        if self.assumed.remove(key) {
            self.drop_pod(key);
        }
    }

    pub fn is_assumed(&self, key: &ObjectKey) -> bool {
        self.assumed.contains(key)
    }

    /// Whether the pod stands on a node.
    pub fn holds(&self, key: &ObjectKey) -> bool {
        self.place.contains_key(key)
    }
}
