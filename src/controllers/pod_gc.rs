//! The pod garbage collector: removes pods of nodes that no longer exist, pods that were deleted
//! before they had a node, and the oldest ended pods beyond a limit.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Context, resource};
use super::pods;
use crate::api::views::Pod;
use crate::api::{Client, Informer, Object, ObjectKey, Resource};
use crate::flat::{Arrange, FlatSet};
use crate::obj;
use crate::sim::Sim;

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
        if new.is_none() {
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

impl Collector {
    fn has_node(&self, pod: &Object) -> bool {
        self.nodes.get(&ObjectKey::new("", pods::node_name(pod))).is_some()
    }

    fn concerns(&self, pod: &Object) -> bool {
        let assigned = !pods::node_name(pod).is_empty();
        pods::is_terminal(pod) || (assigned && !self.has_node(pod)) || (!assigned && pod.is_deleting())
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
        if let Some((reason, message)) = why
            && !pods::is_terminal(pod)
        {
            let conditions = Pod(pod).disrupted(reason, message, self.sim.now());
            let patch = obj! { "status": obj! { "phase": "Failed", "conditions": conditions } };
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
}
