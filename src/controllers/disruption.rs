//! The disruption controller: says in each PodDisruptionBudget's status how many of its pods may be
//! evicted now.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::deployment::util::int_or_percent;
use super::pods;
use crate::api::events::EventType;
use crate::api::{ApiServer, Informer, Object, ObjectKey, Selector, Status};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const NAME: &str = "disruption-controller";
const COMPONENT: &str = "controllermanager";

/// An eviction that was granted counts as long as its pod is not seen to go, at most this long
/// (`DeletionTimeout`).
const EVICTION: Duration = Duration::from_secs(120);

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    api: ApiServer,
    pods: Informer,
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
    let mut base = Base::new(context, NAME, "policy", "poddisruptionbudgets");
    base.recorder = context.recorder(&base.client, COMPONENT);
    let controller = Controller(Rc::new(Inner {
        base,
        api: api.clone(),
        pods: context.informers().of(&resource(api, "", "pods")),
    }));
    let c = controller.clone();
    controller.0.objects.on_change(move |_, new| {
        if let Some(budget) = new {
            c.0.queue.add(budget.key());
        }
    });
    let c = controller.clone();
    controller.0.pods.on_change(move |old, new| {
        for pod in [old, new].into_iter().flatten() {
            c.0.objects.each(pod.namespace(), |budget| {
                if selector(budget).matches(pod.labels()) {
                    c.0.queue.add(budget.key());
                }
            });
        }
    });
    let c = controller.clone();
    let inner = &controller.0;
    inner.run(context, 1, &[&inner.pods], async move |key| c.sync(&key).await);
}

fn selector(budget: &Object) -> Selector {
    Selector::from_label_selector(budget.spec().get("selector"))
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(budget) = inner.objects.get(key) else {
            return Ok(());
        };
        let selector = selector(&budget);
        let mut covered = inner.pods.list(budget.namespace());
        covered.retain(|p| selector.matches(p.labels()) && !pods::is_terminal(p));
        if covered.is_empty() {
            let message = "No matching pods found";
            inner.recorder.event(&budget, EventType::Normal, "NoPods", message);
        }
        let (expected, desired) = match self.expected(&budget, &covered).await {
            Ok(numbers) => numbers,
            Err(why) => {
                let message = format!("Failed to calculate the number of expected pods: {why}");
                inner
                    .recorder
                    .event(&budget, EventType::Warning, "CalculateExpectedPodCountFailed", message);
                return Ok(());
            }
        };
        let now = inner.sim.now();
        let disrupted = self.disrupted(&budget, &covered, now);
        let healthy = covered
            .iter()
            .filter(|p| !p.is_deleting() && !disrupted.contains_key(p.name()) && pods::is_ready(p))
            .count() as i64;
        let allowed = (healthy - desired).max(0);
        self.write(&budget, expected, desired, healthy, allowed, &disrupted, now)
            .await?;
        if let Some(first) = disrupted.values().min() {
            inner.queue.add_after(key.clone(), (*first + EVICTION).since(now));
        }
        Ok(())
    }

    /// Evictions that were granted, and whose pods are still to go.
    fn disrupted(&self, budget: &Object, covered: &[Object], now: Time) -> FlatMap<String, Time> {
        let granted = budget.status().get("disruptedPods").entries();
        granted
            .filter_map(|(name, at)| {
                let at = Time::parse(at.str())?;
                let waits = covered.iter().any(|p| p.name() == name.as_str() && !p.is_deleting());
                (waits && at + EVICTION > now).then(|| (name.to_string(), at))
            })
            .collect()
    }

    /// How many pods there should be, and how many of them must stay healthy.
    async fn expected(&self, budget: &Object, covered: &[Object]) -> Result<(i64, i64), String> {
        let spec = budget.spec();
        let most = spec.get("maxUnavailable");
        if !most.is_null() {
            let expected = self.scale(covered).await?;
            return Ok((expected, (expected - int_or_percent(most, expected, true)).max(0)));
        }
        let least = spec.get("minAvailable");
        match least.as_i64() {
            Some(n) => Ok((covered.len() as i64, n)),
            None if least.is_null() => Ok((covered.len() as i64, 0)),
            None => {
                let expected = self.scale(covered).await?;
                Ok((expected, int_or_percent(least, expected, true)))
            }
        }
    }

    /// The sum of `spec.replicas` of the controllers that the pods belong to in the end.
    async fn scale(&self, covered: &[Object]) -> Result<i64, String> {
        let inner = &self.0;
        let mut counted: FlatMap<String, i64> = FlatMap::new();
        for pod in covered {
            let mut owned = pod.clone();
            let mut found = None;
            // A pod's ReplicaSet may belong to a Deployment, whose size counts.
            for _ in 0..2 {
                let Some(owner) = owned.controller() else { break };
                let Some(resource) = inner.api.resource_of_kind(owner.api_version(), owner.kind()) else {
                    break;
                };
                let got = inner.client.get(&resource, pod.namespace(), owner.name()).await;
                match got {
                    Ok(object) if object.uid() == owner.uid() => {
                        found = Some(object.clone());
                        owned = object;
                    }
                    _ => break,
                }
            }
            let Some(owner) = found else {
                return Err(format!("found no controllers for pod {:?}", pod.name()));
            };
            let Some(replicas) = owner.spec().i64_at(&["replicas"]) else {
                return Err(format!("{} does not implement the scale subresource", owner.kind()));
            };
            counted.insert(owner.uid().to_owned(), replicas);
        }
        Ok(counted.values().sum())
    }

    #[allow(clippy::too_many_arguments)]
    async fn write(
        &self,
        budget: &Object,
        expected: i64,
        desired: i64,
        healthy: i64,
        allowed: i64,
        disrupted: &FlatMap<String, Time>,
        now: Time,
    ) -> Result<(), Status> {
        let mut status = Value::map();
        let (state, reason) = if allowed > 0 {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        let present = budget.condition("DisruptionAllowed");
        let since = match present.filter(|c| c.str_at(&["status"]) == state) {
            Some(c) => c.get("lastTransitionTime").clone(),
            None => Value::from(now),
        };
        let condition = obj! {
            "lastTransitionTime": since,
            "message": "",
            "observedGeneration": budget.generation(),
            "reason": reason,
            "status": state,
            "type": "DisruptionAllowed",
        };
        status.set(&["conditions"], crate::list![condition]);
        status.set(&["currentHealthy"], healthy);
        status.set(&["desiredHealthy"], desired);
        status.set(&["disruptionsAllowed"], allowed);
        status.set(&["expectedPods"], expected);
        status.set_or_remove(&["observedGeneration"], budget.generation());
        if !disrupted.is_empty() {
            let map: Value = disrupted.iter().map(|(k, t)| (k.as_str(), Value::from(*t))).collect();
            status.set(&["disruptedPods"], map);
        }
        if &status == budget.status() {
            return Ok(());
        }
        let mut value = budget.value().clone();
        value.set(&["status"], status);
        Status::ignore_not_found(self.0.client.update_status(&self.0.resource, value).await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    #[test]
    fn says_how_many_may_go() {
        let world = World::new();
        world.start(start);
        for name in ["a", "b", "c"] {
            world.create(obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default", "labels": obj! { "app": "web" } },
                "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
            });
        }
        world.create(obj! {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! { "minAvailable": 2, "selector": obj! { "matchLabels": obj! { "app": "web" } } },
        });
        world.run(1);
        let allowed = |world: &World| {
            let budget = world.get("policy", "poddisruptionbudgets", "web");
            budget.status().i64_at(&["disruptionsAllowed"])
        };
        assert_eq!(allowed(&world), Some(0));
        world.all_ready();
        world.run(1);
        assert_eq!(allowed(&world), Some(1));
    }
}
