//! The node lifecycle controller: notices nodes that fall silent, says so in their conditions, and
//! keeps the taints that follow from conditions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::events::EventType;
use crate::api::well_known::{self, NOT_READY, UNREACHABLE};
use crate::api::{Informer, Object, ObjectKey, Resource, Status};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::{Signal, Time};
use crate::value::Value;

const NAME: &str = "node-lifecycle-controller";
const COMPONENT: &str = "node-controller";
const LEASES: &str = "kube-node-lease";

/// Between two nodes whose pods are to leave (`--node-eviction-rate` 0.1 a second).
const EVICTION: Duration = Duration::from_secs(10);

/// From so many nodes in a hundred on that are not ready a zone is disrupted (`--unhealthy-zone-threshold` 0.55).
const UNHEALTHY: usize = 55;

/// A disrupted zone of more nodes still loses one now and then, a tenth as often
/// (`--large-cluster-size-threshold`, `--secondary-node-eviction-rate` 0.01 a second).
const LARGE: usize = 50;

/// The labels that make a zone.
const ZONE: [&str; 2] = [well_known::REGION, well_known::ZONE];

/// Conditions that become unknown with a silent node.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    /// Of nodes.
    base: Base,
    leases: Informer,
    pods: Informer,
    pod_resource: Rc<Resource>,
    /// When each node was last heard of, as its lease and status show here.
    heard: RefCell<FlatMap<Rc<str>, Time>>,
    changed: Signal,
    grace: Duration,
    period: Duration,
    /// When the next node may get a taint that makes its pods leave.
    next_eviction: Cell<Time>,
    begun: Time,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let pod_resource = resource(api, "", "pods");
    let mut base = Base::new(context, NAME, "", "nodes");
    base.recorder = context.recorder(&base.client, COMPONENT);
    let controller = Controller(Rc::new(Inner {
        base,
        leases: informers.of(&resource(api, "coordination.k8s.io", "leases")),
        pods: informers.of(&pod_resource),
        pod_resource,
        heard: RefCell::default(),
        changed: Signal::default(),
        grace: context.options().node_monitor_grace_period,
        period: context.options().node_monitor_period,
        next_eviction: Cell::new(context.sim().now()),
        begun: context.sim().now(),
    }));
    let inner = &controller.0;
    let c = controller.clone();
    inner.objects.on_change(move |old, new| c.node_changed(old, new));
    let c = controller.clone();
    inner.leases.on_change(move |old, new| c.lease_changed(old, new));
    let c = controller.clone();
    inner.run(context, 8, &[&inner.leases], async move |key| c.taint(&key).await);
    let c = controller;
    context.spawn("node monitor", async move { c.monitor().await });
}

impl Controller {
    fn lease_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let Some(lease) = new.filter(|l| l.namespace() == LEASES) else {
            return;
        };
        let renewed = |l: &Object| l.spec().get("renewTime").clone();
        if old.is_none_or(|o| renewed(o) != renewed(lease)) {
            self.hear(lease.name());
        }
    }

    fn hear(&self, node: &str) {
        let now = self.0.sim.now();
        let before = self.0.heard.borrow_mut().insert(node.into(), now);
        // A deadline that only moves later needs no new look: the monitor finds out when it wakes.
        if before.is_none() {
            self.0.changed.notify();
        }
    }

    fn node_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let inner = &self.0;
        match (old, new) {
            (None, Some(node)) => {
                self.hear(node.name());
                inner.queue.add(node.key());
                // Nodes of the first list are known from before the controller began.
                let first_list = inner.sim.now().since(inner.begun) < Duration::from_millis(100);
                if !first_list {
                    let message = format!("Node {0} event: Registered Node {0} in Controller", node.name());
                    inner
                        .recorder
                        .about(reference(node), EventType::Normal, "RegisteredNode", message);
                }
            }
            (Some(old), Some(node)) => {
                let beats = |n: &Object| n.condition("Ready").map(|c| c.get("lastHeartbeatTime").clone());
                if beats(old) != beats(node) {
                    self.hear(node.name());
                }
                let state = |n: &Object| {
                    let conditions = n.status().get("conditions").items().iter();
                    let states: Vec<String> = conditions
                        .map(|c| format!("{}={}", c.str_at(&["type"]), c.str_at(&["status"])))
                        .collect();
                    states
                };
                if is_ready(old) != is_ready(node) {
                    // How many of a zone are ready decides on the others too, at the next look.
                    inner.queue.add_after(ObjectKey::new("", ""), inner.period);
                }
                if state(old) != state(node)
                    || old.spec().get("taints") != node.spec().get("taints")
                    || old.spec().get("unschedulable") != node.spec().get("unschedulable")
                {
                    inner.queue.add(node.key());
                }
            }
            (Some(node), None) => {
                inner.heard.borrow_mut().remove(node.name());
                let message = format!("Node {0} event: Removing Node {0} from Controller", node.name());
                inner
                    .recorder
                    .about(reference(node), EventType::Normal, "RemovingNode", message);
            }
            (None, None) => {}
        }
    }

    /// Wakes when the first node can have been silent for too long. The real controller looks every
    /// five seconds; a node is found silent at the same ticks here.
    async fn monitor(&self) {
        let inner = &self.0;
        inner.objects.synced().await;
        inner.leases.synced().await;
        loop {
            let generation = inner.changed.generation();
            let now = inner.sim.now();
            let mut next: Option<Time> = None;
            let mut silent: Vec<Rc<str>> = Vec::new();
            {
                let heard = inner.heard.borrow();
                for (name, last) in heard.iter() {
                    let Some(node) = inner.objects.get(&ObjectKey::new("", name)) else {
                        continue;
                    };
                    let unknown = node
                        .condition("Ready")
                        .is_some_and(|c| c.str_at(&["status"]) == "Unknown");
                    if unknown {
                        // Only its kubelet can change that.
                        continue;
                    }
                    let due = self.tick_after(*last + inner.grace);
                    if due <= now {
                        silent.push(name.clone());
                    } else {
                        next = Some(next.map_or(due, |n| n.min(due)));
                    }
                }
            }
            for name in silent {
                if self.mark_unknown(&name).await.is_err() {
                    // It changed meanwhile: the next tick looks again.
                    let retry = inner.sim.now() + inner.period;
                    next = Some(next.map_or(retry, |n| n.min(retry)));
                }
            }
            let changed = inner.changed.after(generation);
            match next {
                Some(when) => {
                    let left = when.since(inner.sim.now());
                    crate::sim::timeout(&inner.sim, left, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// The first tick of the monitor that is not before a time.
    fn tick_after(&self, time: Time) -> Time {
        let period = self.0.period.as_micros().max(1);
        let since = time.since(self.0.begun).as_micros();
        let ticks = since.div_ceil(period);
        self.0.begun + Duration::from_micros(u64::try_from(ticks * period).unwrap_or(u64::MAX))
    }

    async fn mark_unknown(&self, name: &str) -> Result<(), Status> {
        let inner = &self.0;
        let Some(node) = inner.objects.get(&ObjectKey::new("", name)) else {
            return Ok(());
        };
        let was_ready = is_ready(&node);
        let now = inner.sim.now();
        let mut conditions: Vec<Value> = node.status().get("conditions").items().to_vec();
        for kind in CONDITIONS {
            match conditions.iter_mut().find(|c| c.str_at(&["type"]) == kind) {
                Some(condition) => {
                    condition.set(&["status"], "Unknown");
                    condition.set(&["reason"], "NodeStatusUnknown");
                    condition.set(&["message"], "Kubelet stopped posting node status.");
                    condition.set(&["lastTransitionTime"], now);
                }
                None => conditions.push(obj! {
                    "lastHeartbeatTime": node.created(), "lastTransitionTime": now,
                    "message": "Kubelet never posted node status.", "reason": "NodeStatusNeverUpdated",
                    "status": "Unknown", "type": kind,
                }),
            }
        }
        let mut value = node.value().clone();
        value.set(&["status", "conditions"], conditions);
        inner.client.update_status(&inner.resource, value).await?;
        if was_ready {
            let message = format!("Node {name} status is now: NodeNotReady");
            inner
                .recorder
                .about(reference(&node), EventType::Normal, "NodeNotReady", message);
            self.mark_pods(name).await;
        }
        Ok(())
    }

    /// Says of a node's pods that they are not ready.
    async fn mark_pods(&self, node: &str) {
        let inner = &self.0;
        let on_node: Vec<Object> = inner
            .pods
            .list("")
            .into_iter()
            .filter(|p| pods::node_name(p) == node && pods::is_ready(p))
            .collect();
        for pod in on_node {
            let mut value = pod.value().clone();
            let now = inner.sim.now();
            for condition in value.at_mut(&["status", "conditions"]).list_mut() {
                if condition.str_at(&["type"]) == "Ready" {
                    condition.set(&["status"], "False");
                    condition.set(&["lastTransitionTime"], now);
                }
            }
            inner
                .recorder
                .event(&pod, EventType::Warning, "NodeNotReady", "Node is not ready");
            // One that changed meanwhile is reported by its kubelet again.
            let _ = inner.client.update_status(&inner.pod_resource, value).await;
        }
    }

    /// Sets the taints that a node's conditions and its cordon call for, and removes the others of
    /// their kind. With no name, has that done for all nodes that are not ready.
    async fn taint(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        if key.name.is_empty() {
            inner.objects.each("", |n| {
                if !is_ready(n) {
                    inner.queue.add(n.key());
                }
            });
            return Ok(());
        }
        let Some(node) = inner.objects.get(key) else {
            return Ok(());
        };
        let state = |kind: &str| node.condition(kind).map_or("", |c| c.str_at(&["status"])).to_owned();
        let ready = state("Ready");
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        match ready.as_str() {
            "False" => wanted.push((NOT_READY, "NoSchedule")),
            "Unknown" => wanted.push((UNREACHABLE, "NoSchedule")),
            _ => {}
        }
        for (kind, taint) in [
            ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
            ("DiskPressure", "node.kubernetes.io/disk-pressure"),
            ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
            ("PIDPressure", "node.kubernetes.io/pid-pressure"),
        ] {
            if state(kind) == "True" {
                wanted.push((taint, "NoSchedule"));
            }
        }
        if node.spec().bool_at(&["unschedulable"]) {
            wanted.push((well_known::UNSCHEDULABLE, "NoSchedule"));
        }
        let leave = match ready.as_str() {
            "False" => Some(NOT_READY),
            "Unknown" => Some(UNREACHABLE),
            _ => None,
        };
        let has = |taint: &(&str, &str)| {
            let taints = node.spec().get("taints").items().iter();
            taints
                .clone()
                .any(|t| t.str_at(&["key"]) == taint.0 && t.str_at(&["effect"]) == taint.1)
        };
        if let Some(taint) = leave.filter(|_| !self.all_silent()) {
            let evict = (taint, "NoExecute");
            let now = inner.sim.now();
            if [NOT_READY, UNREACHABLE].iter().any(|key| has(&(key, "NoExecute"))) {
                wanted.push(evict);
            } else if let Some(pace) = self.pace(&node) {
                if inner.next_eviction.get() <= now {
                    inner.next_eviction.set(now + pace);
                    wanted.push(evict);
                } else {
                    inner.queue.add_after(key.clone(), inner.next_eviction.get().since(now));
                }
            }
        }
        let ours = |t: &Value| {
            let key = t.str_at(&["key"]);
            let managed = [
                NOT_READY,
                UNREACHABLE,
                "node.kubernetes.io/memory-pressure",
                "node.kubernetes.io/disk-pressure",
                "node.kubernetes.io/network-unavailable",
                "node.kubernetes.io/pid-pressure",
                well_known::UNSCHEDULABLE,
            ];
            let schedule = t.str_at(&["effect"]) == "NoSchedule" && managed.contains(&key);
            schedule || (t.str_at(&["effect"]) == "NoExecute" && [NOT_READY, UNREACHABLE].contains(&key))
        };
        let present = node.spec().get("taints").items();
        let mut taints: Vec<Value> = present
            .iter()
            .filter(|t| {
                let same = |w: &(&str, &str)| w.0 == t.str_at(&["key"]) && w.1 == t.str_at(&["effect"]);
                !ours(t) || wanted.iter().any(same)
            })
            .cloned()
            .collect();
        for taint in wanted.iter().filter(|t| !has(t)) {
            let mut new = obj! { "effect": taint.1, "key": taint.0 };
            new.set(&["timeAdded"], inner.sim.now());
            taints.push(new);
        }
        if taints == present {
            return Ok(());
        }
        let mut value = node.value().clone();
        value.set_or_remove(&["spec", "taints"], taints);
        Status::ignore_not_found(inner.client.update(&inner.resource, value).await)
    }

    /// Whether no node at all is ready: then the fault is nearer, and nobody is to leave.
    fn all_silent(&self) -> bool {
        let mut any = false;
        self.0.objects.each("", |n| any |= is_ready(n));
        !any
    }

    /// The time between two nodes whose pods are to leave: longer, or for ever, while many of the zone are not
    /// ready but some are (`ComputeZoneState`, `ReducedQPSFunc`).
    fn pace(&self, node: &Object) -> Option<Duration> {
        let zone = |n: &Object| ZONE.map(|label| n.label(label).map(str::to_owned));
        let here = zone(node);
        let (mut all, mut lost) = (0, 0);
        self.0.objects.each("", |n| {
            if zone(n) == here {
                all += 1;
                lost += usize::from(!is_ready(n));
            }
        });
        if lost <= 2 || lost == all || lost * 100 < all * UNHEALTHY {
            return Some(EVICTION);
        }
        (all > LARGE).then_some(EVICTION * 10)
    }
}

/// Whether the condition `Ready` is true; a silent node's is unknown.
pub fn is_ready(node: &Object) -> bool {
    node.condition("Ready").is_some_and(|c| c.str_at(&["status"]) == "True")
}

/// A node as its controller's events name it.
fn reference(node: &Object) -> Value {
    obj! { "apiVersion": "v1", "kind": "Node", "name": node.name(), "uid": node.uid() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn lease(world: &World, name: &str) -> Value {
        obj! {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": obj! { "name": name, "namespace": LEASES, "uid": format!("lease-{name}") },
            "spec": obj! { "holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": world.sim().now().micro() },
        }
    }

    fn taints(world: &World, node: &str) -> Vec<String> {
        let node = world.get("", "nodes", node);
        let taints = node.spec().get("taints").items().iter();
        let texts: Vec<String> = taints
            .map(|t| format!("{}:{}", t.str_at(&["key"]), t.str_at(&["effect"])))
            .collect();
        texts
    }

    #[test]
    fn a_silent_node_becomes_unknown_and_a_cordon_is_a_taint() {
        let world = World::new();
        for name in ["n1", "n2"] {
            world.node(name, "2", "4Gi");
            world.api().restore(lease(&world, name)).unwrap();
        }
        world.start(start);
        let ready = |name: &str| {
            let node = world.get("", "nodes", name);
            node.condition("Ready").unwrap().str_at(&["status"]).to_owned()
        };
        for _ in 0..7 {
            world.run(10);
            // Only the second is still heard of.
            world.api().restore(lease(&world, "n2")).unwrap();
        }
        assert_eq!((ready("n1").as_str(), ready("n2").as_str()), ("Unknown", "True"));
        assert_eq!(
            taints(&world, "n1"),
            [
                "node.kubernetes.io/unreachable:NoSchedule",
                "node.kubernetes.io/unreachable:NoExecute"
            ]
        );
        let conditions = list![obj! { "type": "Ready", "status": "True", "lastHeartbeatTime": world.sim().now() }];
        world.patch_sub(
            "",
            "nodes",
            "n1",
            "status",
            obj! { "status": obj! { "conditions": conditions } },
        );
        world.run(1);
        assert!(taints(&world, "n1").is_empty());
        world.patch("", "nodes", "n1", obj! { "spec": obj! { "unschedulable": true } });
        world.run(1);
        assert_eq!(taints(&world, "n1"), ["node.kubernetes.io/unschedulable:NoSchedule"]);
    }

    #[test]
    fn pods_stay_while_many_nodes_are_lost() {
        let world = World::new();
        let names = ["n1", "n2", "n3", "n4", "n5"];
        for name in names {
            world.node(name, "2", "4Gi");
            world.api().restore(lease(&world, name)).unwrap();
        }
        world.start(start);
        let set = |name: &str, ready: &str| {
            let conditions = list![obj! { "type": "Ready", "status": ready, "lastHeartbeatTime": world.sim().now() }];
            let status = obj! { "status": obj! { "conditions": conditions } };
            world.patch_sub("", "nodes", name, "status", status);
        };
        let leaving = || names.map(|n| taints(&world, n).iter().filter(|t| t.ends_with("NoExecute")).count());
        set("n1", "False");
        set("n2", "False");
        world.run(12);
        set("n3", "False");
        world.run(11);
        assert_eq!(
            leaving(),
            [1, 1, 0, 0, 0],
            "two of five are few, three are many: no more go"
        );
        set("n2", "True");
        world.run(7);
        assert_eq!(leaving(), [1, 0, 1, 0, 0]);
        for name in ["n2", "n4", "n5"] {
            set(name, "False");
        }
        world.run(7);
        assert_eq!(leaving(), [0; 5], "it is not the nodes");
        set("n1", "True");
        set("n2", "True");
        set("n4", "True");
        world.run(25);
        assert_eq!(leaving(), [0, 0, 1, 0, 1]);
    }
}
