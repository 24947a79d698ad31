//! The taint eviction controller: deletes pods from nodes with `NoExecute` taints, at once or when
//! their tolerations' seconds are over.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::events::EventType;
use crate::api::placement::toleration_fits;
use crate::api::views::Pod;
use crate::api::{Informer, Object, ObjectKey, Status};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const NAME: &str = "taint-eviction-controller";

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    nodes: Informer,
    /// Pods that are to go, since when that is known, and when they go.
    due: RefCell<FlatMap<ObjectKey, (Time, Time)>>,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "", "pods"),
        nodes: context.informers().of(&resource(context.api(), "", "nodes")),
        due: RefCell::default(),
    }));
    let inner = &controller.0;
    let c = controller.clone();
    inner.objects.on_change(move |old, new| c.pod_changed(old, new));
    let c = controller.clone();
    inner.nodes.on_change(move |old, new| c.node_changed(old, new));
    let c = controller.clone();
    inner.run(context, 8, &[&inner.nodes], async move |key| c.sync(&key).await);
}

/// The taints of a node that make pods leave.
fn evicting(node: &Object) -> Vec<&Value> {
    let taints = node.spec().get("taints").items();
    taints.iter().filter(|t| t.str_at(&["effect"]) == "NoExecute").collect()
}

/// How long a pod may stay with these taints: `None` for ever, zero when one is not tolerated.
fn stay(pod: &Object, taints: &[&Value]) -> Option<Duration> {
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let fitting = Pod(pod).tolerations().iter().filter(|t| toleration_fits(t, taint));
        let fitting: Vec<&Value> = fitting.collect();
        if fitting.is_empty() {
            return Some(Duration::ZERO);
        }
        let seconds = fitting.iter().filter_map(|t| t.i64_at(&["tolerationSeconds"]));
        for n in seconds {
            shortest = Some(shortest.map_or(n, |s| s.min(n)));
        }
    }
    shortest.map(crate::sim::seconds)
}

impl Controller {
    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let inner = &self.0;
        if let Some(pod) = new {
            let same = |o: &Object| {
                pods::node_name(o) == pods::node_name(pod)
                    && o.spec().get("tolerations") == pod.spec().get("tolerations")
            };
            let known = inner.due.borrow().contains_key(&pod.key());
            if old.is_none_or(|o| !same(o)) || (known && pod.is_deleting()) {
                inner.queue.add(pod.key());
            }
        } else if let Some(pod) = old {
            inner.due.borrow_mut().remove(&pod.key());
        }
    }

    fn node_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let Some(node) = new else { return };
        let changed = old.map_or(!evicting(node).is_empty(), |o| {
            o.spec().get("taints") != node.spec().get("taints")
        });
        if changed {
            self.0.objects.each("", |pod| {
                if pods::node_name(pod) == node.name() {
                    self.0.queue.add(pod.key());
                }
            });
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let forget = || inner.due.borrow_mut().remove(key);
        let Some(pod) = inner.objects.get(key).filter(|p| !p.is_deleting()) else {
            forget();
            return Ok(());
        };
        let node = inner.nodes.get(&ObjectKey::new("", pods::node_name(&pod)));
        let taints = node.as_ref().map_or_else(Vec::new, evicting);
        let now = inner.sim.now();
        let left = if taints.is_empty() { None } else { stay(&pod, &taints) };
        let Some(delay) = left else {
            if forget().is_some() {
                self.tell(key, "Cancelling deletion of");
            }
            return Ok(());
        };
        // The time counts from when the pod was first to go.
        let (since, _) = inner.due.borrow().get(key).copied().unwrap_or((now, now));
        let when = since + delay;
        if when > now {
            inner.due.borrow_mut().insert(key.clone(), (since, when));
            inner.queue.add_after(key.clone(), when.since(now));
            return Ok(());
        }
        forget();
        self.tell(key, "Marking for deletion");
        self.evict(&pod).await
    }

    /// Says what is done with a pod. The event names it without its uid, so `describe` leaves it out.
    fn tell(&self, key: &ObjectKey, what: &str) {
        let involved = obj! {
            "apiVersion": "v1", "kind": "Pod", "name": &*key.name, "namespace": &*key.namespace,
        };
        let message = format!("{what} Pod {key}");
        let recorder = &self.0.recorder;
        recorder.about(involved, EventType::Normal, "TaintManagerEviction", message);
    }

    async fn evict(&self, pod: &Object) -> Result<(), Status> {
        let inner = &self.0;
        let message = "Taint manager: deleting due to NoExecute taint";
        let conditions = Pod(pod).disrupted("DeletionByTaintManager", message, inner.sim.now());
        let patch = obj! { "status": obj! { "conditions": conditions } };
        let marked = inner.client.merge(&inner.resource, pod, "status", patch).await;
        if let Err(status) = marked {
            return if status.is_not_found() { Ok(()) } else { Err(status) };
        }
        Status::ignore_not_found_or_conflict(inner.client.delete_exactly(&inner.resource, pod, "").await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    #[test]
    fn at_once_after_a_while_or_never() {
        let world = World::new();
        world.node("n1", "2", "4Gi");
        world.start(start);
        let while_8 =
            obj! { "key": "maintenance", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 8 };
        let ever = obj! { "key": "maintenance", "operator": "Exists", "effect": "NoExecute" };
        for (name, tolerations) in [
            ("plain", list![]),
            ("for-a-while", list![while_8]),
            ("tolerant", list![ever]),
        ] {
            world.create(obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default" },
                "spec": obj! {
                    "nodeName": "n1", "tolerations": tolerations, "terminationGracePeriodSeconds": 0,
                    "containers": list![obj! { "name": "c", "image": "nginx" }],
                },
            });
        }
        let taints = list![obj! { "key": "maintenance", "value": "true", "effect": "NoExecute" }];
        world.patch("", "nodes", "n1", obj! { "spec": obj! { "taints": taints } });
        let left = |world: &World| {
            let mut names: Vec<String> = world
                .list("", "pods")
                .iter()
                .filter(|p| !p.is_deleting())
                .map(|p| p.name().to_owned())
                .collect();
            names.sort();
            names
        };
        world.run(4);
        assert_eq!(left(&world), ["for-a-while", "tolerant"]);
        world.run(7);
        assert_eq!(left(&world), ["tolerant"]);
        assert_eq!(
            world.messages("TaintManagerEviction"),
            [
                "Marking for deletion Pod default/plain",
                "Marking for deletion Pod default/for-a-while"
            ]
        );
        let involved = world.list("", "events")[0].at(&["involvedObject"]).to_json();
        assert_eq!(
            involved,
            r#"{"apiVersion":"v1","kind":"Pod","name":"for-a-while","namespace":"default"}"#
        );
    }
}
