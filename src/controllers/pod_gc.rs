//! The pod garbage collector: removes pods of nodes that no longer exist, deleted pods of nodes that are out of
//! service, pods that were deleted before they had a node, and the oldest ended pods beyond a limit.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Context, resource};
use super::{node_lifecycle, pods};
use crate::api::views::Pod;
use crate::api::{Client, Informer, Object, ObjectKey, Resource};
use crate::flat::{Arrange, FlatSet};
use crate::obj;
use crate::sim::Sim;
use crate::value::Value;

const NAME: &str = "pod-garbage-collector";

/// How often it looks (`gcCheckPeriod`). Here only after something happened that can concern it.
const PERIOD: Duration = Duration::from_secs(20);

/// How long a node must be gone before its pods are (`quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);

struct Collector {
    sim: Sim,
    client: Client,
    pods: Informer,
    nodes: Informer,
    resource: Rc<Resource>,
    threshold: usize,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let resource_of_pods = resource(api, "", "pods");
    let collector = Rc::new(Collector {
        sim: context.sim().clone(),
        client: context.client(NAME),
        pods: context.informers().of(&resource_of_pods),
        nodes: context.informers().of(&resource(api, "", "nodes")),
        resource: resource_of_pods,
        threshold: context.options().terminated_pod_threshold,
    });
    let wake = crate::sim::Signal::default();
    let (c, w) = (collector.clone(), wake.clone());
    collector.pods.on_change(move |_, new| {
        if new.is_some_and(|p| c.concerns(p)) {
            w.notify();
        }
    });
    let w = wake.clone();
    collector.nodes.on_change(move |_, new| {
        if new.is_none_or(is_out_of_service) {
            w.notify();
        }
    });
    let c = collector;
    context.spawn(NAME, async move {
        c.nodes.synced().await;
        c.pods.synced().await;
        let mut seen = 0;
        loop {
            wake.after(seen).await;
            seen = wake.generation();
            c.sim.sleep(PERIOD).await;
            let again = c.collect().await;
            if again {
                // A node's absence must last: look once more.
                let w = wake.clone();
                let sim = c.sim.clone();
                c.sim.spawn("pod gc quarantine", async move {
                    sim.sleep(QUARANTINE).await;
                    w.notify();
                });
            }
        }
    });
}

/// Whether somebody has said of a node that is not ready that it will not come back as it was.
fn is_out_of_service(node: &Object) -> bool {
    let taints = node.spec().get("taints").items();
    let told = |t: &Value| t.str_at(&["key"]) == "node.kubernetes.io/out-of-service";
    taints.iter().any(told) && !node_lifecycle::is_ready(node)
}

impl Collector {
    fn node_of(&self, pod: &Object) -> Option<Object> {
        self.nodes.get(&ObjectKey::new("", pods::node_name(pod)))
    }

    fn has_node(&self, pod: &Object) -> bool {
        self.node_of(pod).is_some()
    }

    /// Whether it waits for a kubelet that will not end it.
    fn is_stranded(&self, pod: &Object) -> bool {
        pod.is_deleting() && self.node_of(pod).as_ref().is_some_and(is_out_of_service)
    }

    fn concerns(&self, pod: &Object) -> bool {
        let assigned = !pods::node_name(pod).is_empty();
        let homeless = assigned && !self.has_node(pod);
        pods::is_terminal(pod) || homeless || (!assigned && pod.is_deleting()) || self.is_stranded(pod)
    }

    /// Removes what is to go. Returns whether a node's absence is to be confirmed.
    async fn collect(&self) -> bool {
        let all = self.pods.list("");
        let mut ended: Vec<&Object> = all
            .iter()
            .filter(|p| pods::is_terminal(p) && !p.is_deleting())
            .collect();
        if self.threshold > 0 && ended.len() > self.threshold {
            ended.arrange_by_key(|p| (p.created(), p.key()));
            let excess = ended.len() - self.threshold;
            for pod in ended.into_iter().take(excess) {
                self.remove(pod, None).await;
            }
        }
        for pod in all.iter().filter(|p| self.is_stranded(p)) {
            self.remove(pod, None).await;
        }
        let homeless: Vec<&Object> = all
            .iter()
            .filter(|p| !pods::node_name(p).is_empty() && !self.has_node(p))
            .collect();
        let mut again = false;
        if !homeless.is_empty() {
            let missing: FlatSet<&str> = homeless.iter().map(|p| pods::node_name(p)).collect();
            let missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
            self.sim.sleep(QUARANTINE).await;
            for pod in &homeless {
                let node = pods::node_name(pod).to_owned();
                if missing.contains(&node) && !self.has_node(pod) {
                    let message = "PodGC: node no longer exists";
                    self.remove(pod, Some(("DeletionByPodGC", message))).await;
                } else {
                    again = true;
                }
            }
        }
        for pod in all.iter().filter(|p| pods::node_name(p).is_empty() && p.is_deleting()) {
            self.remove(pod, None).await;
        }
        again
    }

    /// Marks a pod failed, and removes it with no grace.
    async fn remove(&self, pod: &Object, why: Option<(&str, &str)>) {
        if !pods::is_terminal(pod) {
            let mut status = obj! { "phase": "Failed" };
            if let Some((reason, message)) = why {
                let conditions = Pod(pod).disrupted(reason, message, self.sim.now());
                status.set(&["conditions"], conditions);
            }
            let patch = obj! { "status": status };
            let _ = self.client.merge(&self.resource, pod, "status", patch).await;
        }
        let options = obj! { "gracePeriodSeconds": 0, "preconditions": obj! { "uid": pod.uid() } };
        // One that cannot be deleted now is met again at the next look.
        let _ = self
            .client
            .delete(&self.resource, pod.namespace(), pod.name(), options)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    #[test]
    fn pods_of_a_node_that_is_gone() {
        let world = World::new();
        world.node("n1", "2", "4Gi");
        world.start(start);
        for (name, node) in [("a", "n1"), ("b", "nowhere")] {
            world.create(obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default" },
                "spec": obj! { "nodeName": node, "containers": list![obj! { "name": "c", "image": "nginx" }] },
            });
        }
        world.run(30);
        assert!(world.exists("", "pods", "b"), "its node may yet come");
        world.run(40);
        assert!(!world.exists("", "pods", "b"));
        assert!(world.exists("", "pods", "a"));
    }

    #[test]
    fn deleted_pods_of_a_node_that_is_out_of_service() {
        let world = World::new();
        for name in ["n1", "n2"] {
            world.node(name, "2", "4Gi");
            let silent = list![obj! { "type": "Ready", "status": "Unknown" }];
            world.patch_sub(
                "",
                "nodes",
                name,
                "status",
                obj! { "status": obj! { "conditions": silent } },
            );
        }
        world.start(start);
        for (name, node, finalizers) in [
            ("a", "n1", list![]),
            ("held", "n1", list!["example.com/hold"]),
            ("b", "n2", list![]),
        ] {
            world.create(obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default", "finalizers": finalizers },
                "spec": obj! { "nodeName": node, "containers": list![obj! { "name": "c", "image": "nginx" }] },
            });
            world.delete("", "pods", name, Value::Null);
        }
        world.run(60);
        assert!(world.exists("", "pods", "a"), "its kubelet may yet end it");
        let taints = list![obj! { "key": "node.kubernetes.io/out-of-service", "effect": "NoExecute" }];
        world.patch("", "nodes", "n1", obj! { "spec": obj! { "taints": taints } });
        world.run(25);
        assert!(!world.exists("", "pods", "a"));
        assert!(world.exists("", "pods", "b"));
        assert_eq!(pods::phase(&world.get("", "pods", "held")), "Failed");
    }
}
