//! The Deployment controller: rolls pods from old ReplicaSets to the one of the present template.
//!
//! `sync.rs` finds and makes ReplicaSets, scales them in proportion, cleans up and writes the
//! status; `rolling.rs` and `recreate.rs` are the two strategies; `util.rs` holds the formulas.

mod recreate;
mod rolling;
mod sync;
pub mod util;

use std::rc::Rc;

use super::context::{Base, Context, OwnerIndex, resource};
use super::ownership::Claimer;
use super::pods;
use crate::api::events::EventType;
use crate::api::well_known;
use crate::api::{Object, ObjectKey, Resource, Selector, Status};
use crate::value::Value;

/// The controller. Clones are handles.
#[derive(Clone)]
pub(super) struct Controller(Rc<Inner>);

pub(super) struct Inner {
    base: Base,
    sets: OwnerIndex,
    pods: OwnerIndex,
    set_resource: Rc<Resource>,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

impl std::ops::Deref for Controller {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

const NAME: &str = "deployment-controller";

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let sets = resource(api, "apps", "replicasets");
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "apps", "deployments"),
        sets: informers.by_owner(&sets),
        pods: informers.by_owner(&resource(api, "", "pods")),
        set_resource: sets,
    }));
    controller.objects.feed(&controller.queue);
    let c = controller.clone();
    controller
        .sets
        .informer()
        .on_change(move |old, new| c.set_changed(old, new));
    let c = controller.clone();
    controller.pods.informer().on_change(move |old, new| {
        if let (Some(pod), None) = (old, new) {
            c.pod_gone(pod);
        }
    });
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    let others = [controller.sets.informer(), controller.pods.informer()];
    controller.run(context, workers, &others, async move |key| c.sync(&key).await);
}

impl Controller {
    fn set_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        for set in [old, new].into_iter().flatten() {
            if let Some(deployment) = self.owner_of(set) {
                self.queue.add(deployment.key());
            }
        }
        let Some(set) = new.filter(|s| s.controller().is_none()) else {
            return;
        };
        let orphaned = old.is_none_or(|o| o.controller().is_some() || o.labels() != set.labels());
        if orphaned {
            self.objects.each(set.namespace(), |deployment| {
                if selector(deployment).matches(set.labels()) {
                    self.queue.add(deployment.key());
                }
            });
        }
    }

    /// The `Recreate` strategy waits for the last old pod.
    fn pod_gone(&self, pod: &Object) {
        let Some(owner) = pod.controller().filter(|o| o.kind() == "ReplicaSet") else {
            return;
        };
        let key = ObjectKey::new(pod.namespace(), owner.name());
        let Some(deployment) = self.sets.informer().get(&key).and_then(|s| self.owner_of(&s)) else {
            return;
        };
        if util::is_recreate(&deployment) {
            self.queue.add(deployment.key());
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let Some(deployment) = self.objects.get(key) else {
            return Ok(());
        };
        let selector = selector(&deployment);
        if selector.is_everything() {
            let message = "This deployment is selecting all pods. A non-empty selector is required.";
            self.recorder
                .event(&deployment, EventType::Warning, "SelectingAll", message);
            return Ok(());
        }
        let mut candidates = self.sets.owned(deployment.uid());
        candidates.extend(self.sets.orphans(deployment.namespace()));
        let claimer = Claimer::new(&self.client, &self.resource, &deployment, &selector, &self.set_resource);
        let sets = claimer.claim(candidates).await?;
        let mut rollout = Rollout {
            deployment: deployment.clone(),
            sets,
            new: None,
            old: Vec::new(),
        };
        if deployment.is_deleting() {
            return self.sync_status_only(&mut rollout).await;
        }
        self.check_paused(&mut rollout).await?;
        if util::is_paused(&rollout.deployment) {
            return self.sync_scale(&mut rollout).await;
        }
        if self.is_scaling(&mut rollout).await? {
            return self.sync_scale(&mut rollout).await;
        }
        if util::is_recreate(&rollout.deployment) {
            self.recreate(&mut rollout).await
        } else {
            self.rolling(&mut rollout).await
        }
    }
}

/// A Deployment with its ReplicaSets, as one pass sees them. Its objects are replaced by what the
/// API server answers, so that later steps of the pass build on earlier ones.
pub(super) struct Rollout {
    deployment: Object,
    /// All that it controls.
    sets: Vec<Object>,
    /// The one of the present template.
    new: Option<Object>,
    /// The others.
    old: Vec<Object>,
}

impl Rollout {
    /// Old and new together.
    fn all(&self) -> Vec<Object> {
        self.old.iter().chain(&self.new).cloned().collect()
    }

    /// Puts the answer to a write in place of the version that it replaced.
    fn replace(&mut self, set: Object) {
        for slot in self.old.iter_mut().chain(&mut self.new).chain(&mut self.sets) {
            if slot.uid() == set.uid() {
                *slot = set.clone();
            }
        }
    }
}

fn selector(deployment: &Object) -> Selector {
    Selector::from_label_selector(deployment.spec().get("selector"))
}

/// Whether pods of old sets are still there (`oldPodsRunning`).
fn old_pods_running(controller: &Controller, rollout: &Rollout) -> bool {
    rollout
        .old
        .iter()
        .flat_map(|set| controller.pods.owned(set.uid()))
        .any(|pod| !pods::is_terminal(&pod))
}

/// A template without the hash that the controller adds (`EqualIgnoreHash` compares these).
fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    template.remove(&["metadata", "labels", well_known::POD_TEMPLATE_HASH]);
    if template.at(&["metadata", "labels"]).is_empty() {
        template.remove(&["metadata", "labels"]);
    }
    template.remove(&["metadata", "creationTimestamp"]);
    if template.get("metadata").is_empty() {
        template.remove(&["metadata"]);
    }
    template
}

#[cfg(test)]
mod tests;
