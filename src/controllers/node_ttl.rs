//! The TTL controller: tells each node by an annotation how long its kubelet may keep Secrets and
//! ConfigMaps without asking again, the longer the more nodes there are (`pkg/controller/ttl`).

use std::cell::Cell;
use std::rc::Rc;

use super::context::{Base, Context};
use crate::api::{Object, ObjectKey, PatchType, Status, WriteOptions};
use crate::obj;

const NAME: &str = "ttl-controller";
const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// Fewest and most nodes of a step, and its seconds. The steps overlap, so that a node that comes and goes
/// does not change them all.
const STEPS: [(usize, usize, u32); 5] = [
    (0, 100, 0),
    (90, 500, 15),
    (450, 1_000, 30),
    (900, 2_000, 60),
    (1_800, usize::MAX, 300),
];

/// The step for so many nodes, from the present one.
fn step(present: usize, nodes: usize) -> usize {
    match STEPS.get(present) {
        Some((_, most, _)) if nodes > *most => present + 1,
        Some((least, _, _)) if nodes < *least => present.saturating_sub(1),
        _ => present,
    }
}

struct Controller {
    base: Base,
    /// How many nodes there are, and the step that they are at.
    seen: Cell<(usize, usize)>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "", "nodes"),
        seen: Cell::default(),
    });
    let base = &controller.base;
    let c = controller.clone();
    base.objects.on_change(move |old, new| c.node_changed(old, new));
    let c = controller.clone();
    base.run(context, 1, &[], async move |key| c.sync(&key).await);
}

impl Controller {
    fn node_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let (count, at) = self.seen.get();
        let count = match (old, new) {
            (None, Some(_)) => count + 1,
            (Some(_), None) => count.saturating_sub(1),
            _ => count,
        };
        self.seen.set((count, step(at, count)));
        // Heartbeats do not matter: only the annotation is looked at.
        if let Some(node) = new
            && old.is_none_or(|o| o.annotations() != node.annotations())
        {
            self.base.queue.add(node.key());
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.base;
        let Some(node) = base.objects.get(key) else {
            return Ok(());
        };
        let seconds = STEPS.get(self.seen.get().1).map_or(0, |s| s.2).to_string();
        if node.annotation(ANNOTATION) == Some(&*seconds) {
            return Ok(());
        }
        let mut patch = obj! {};
        patch.set(&["metadata", "annotations", ANNOTATION], seconds);
        let none = WriteOptions::default();
        let done = base
            .client
            .patch(&base.resource, "", node.name(), "", PatchType::Strategic, patch, &none);
        Status::ignore_not_found(done.await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    #[test]
    fn steps_overlap() {
        let mut at = 0;
        let mut seen = Vec::new();
        for nodes in [1, 100, 101, 95, 89, 500, 501, 449, 10_000, 10_000, 10_000, 10_000] {
            at = step(at, nodes);
            seen.push(STEPS[at].2);
        }
        assert_eq!(seen, [0, 0, 15, 15, 0, 15, 30, 15, 30, 60, 300, 300]);
    }

    #[test]
    fn each_node_is_told() {
        let world = World::new();
        world.start(start);
        world.create(obj! { "apiVersion": "v1", "kind": "Node", "metadata": obj! { "name": "n" } });
        world.run(1);
        let node = world.get("", "nodes", "n");
        assert_eq!(node.metadata().at(&["annotations", ANNOTATION]).str(), "0");
    }
}
