//! The disruption controller: says in each PodDisruptionBudget's status how many of its pods may be
//! evicted now.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::deployment::util::int_or_percent;
use super::pods;
use crate::api::events::EventType;
use crate::api::selector::go_text;
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

/// What a budget's pods should come to.
#[derive(Default)]
struct Expected {
    pods: i64,
    /// How many of them must stay healthy.
    healthy: i64,
    /// Whether some of those that are there belong to no controller, and are not counted.
    unmanaged: bool,
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
        match self.try_sync(&budget).await {
            // A budget that changed meanwhile is looked at again.
            Err(why) if !why.is_conflict() => self.fail_safe(&budget, why.message()).await,
            done => done,
        }
    }

    async fn try_sync(&self, budget: &Object) -> Result<(), Status> {
        let inner = &self.0;
        let selector = selector(budget);
        let mut covered = inner.pods.list(budget.namespace());
        covered.retain(|p| selector.matches(p.labels()) && !pods::is_terminal(p));
        if covered.is_empty() {
            let message = "No matching pods found";
            inner.recorder.event(budget, EventType::Normal, "NoPods", message);
        }
        let expected = match self.expected(budget, &covered).await {
            Ok(expected) => expected,
            Err(why) => {
                let message = format!("Failed to calculate the number of expected pods: {why}");
                inner
                    .recorder
                    .event(budget, EventType::Warning, "CalculateExpectedPodCountFailed", message);
                return Err(Status::failure(500, "", why));
            }
        };
        if expected.unmanaged {
            let message = format!(
                "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the \
                 status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account \
                 for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
                go_text(budget.spec().get("selector"))
            );
            inner
                .recorder
                .event(budget, EventType::Warning, "UnmanagedPods", message);
        }
        let now = inner.sim.now();
        let disrupted = self.disrupted(budget, &covered, now);
        let healthy = covered
            .iter()
            .filter(|p| !p.is_deleting() && !disrupted.contains_key(p.name()) && pods::is_ready(p))
            .count() as i64;
        self.write(budget, &expected, healthy, &disrupted).await?;
        if let Some(first) = disrupted.values().min() {
            inner.queue.add_after(budget.key(), (*first + EVICTION).since(now));
        }
        Ok(())
    }

    /// Evictions that were granted, and whose pods are still to go.
    fn disrupted(&self, budget: &Object, covered: &[Object], now: Time) -> FlatMap<String, Time> {
        let granted = budget.status().get("disruptedPods");
        let mut waits = FlatMap::new();
        for pod in covered.iter().filter(|p| !p.is_deleting()) {
            match Time::parse(granted.str_at(&[pod.name()])) {
                Some(at) if at + EVICTION > now => {
                    waits.insert(pod.name().to_owned(), at);
                }
                Some(_) => {
                    // The namespace stands where the budget's name should: the controller's own words.
                    let message = format!(
                        "Pod was expected by PDB {0}/{0} to be deleted but it wasn't",
                        budget.namespace()
                    );
                    self.0.recorder.event(pod, EventType::Warning, "NotDeleted", message);
                }
                None => {}
            }
        }
        waits
    }

    /// How many pods there should be, and how many of them must stay healthy (`getExpectedPodCount`).
    async fn expected(&self, budget: &Object, covered: &[Object]) -> Result<Expected, String> {
        let spec = budget.spec();
        let (most, least) = (spec.get("maxUnavailable"), spec.get("minAvailable"));
        if most.is_null() && least.is_null() {
            return Ok(Expected::default());
        }
        if let (true, Some(healthy)) = (most.is_null(), least.as_i64()) {
            return Ok(Expected {
                pods: covered.len() as i64,
                healthy,
                ..Expected::default()
            });
        }
        let (pods, unmanaged) = self.scale(covered).await?;
        let healthy = match most.is_null() {
            true => int_or_percent(least, pods, true),
            false => (pods - int_or_percent(most, pods, true)).max(0),
        };
        Ok(Expected {
            pods,
            healthy,
            unmanaged,
        })
    }

    /// The sum of `spec.replicas` of the controllers that the pods belong to in the end, and whether some belong
    /// to none.
    async fn scale(&self, covered: &[Object]) -> Result<(i64, bool), String> {
        let inner = &self.0;
        let mut counted: FlatMap<String, i64> = FlatMap::new();
        let mut unmanaged = false;
        for pod in covered {
            if pod.controller().is_none() {
                unmanaged = true;
                continue;
            }
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
        Ok((counted.values().sum(), unmanaged))
    }

    /// Lets nothing go while nobody knows what may (`failSafe`).
    async fn fail_safe(&self, budget: &Object, why: &str) -> Result<(), Status> {
        let mut status = budget.status().clone();
        let condition = self.condition(
            budget,
            ("False", "SyncFailed", why),
            budget.status().get("observedGeneration"),
        );
        status.set(&["conditions"], crate::list![condition]);
        status.set(&["disruptionsAllowed"], 0);
        self.write_status(budget, status).await
    }

    /// The condition `DisruptionAllowed`, of a status, a reason and a message.
    fn condition(&self, budget: &Object, (state, reason, message): (&str, &str, &str), generation: &Value) -> Value {
        let present = budget.condition("DisruptionAllowed");
        let since = match present.filter(|c| c.str_at(&["status"]) == state) {
            Some(c) => c.get("lastTransitionTime").clone(),
            None => Value::from(self.0.sim.now()),
        };
        let mut condition = obj! {
            "lastTransitionTime": since,
            "message": message,
            "reason": reason,
            "status": state,
            "type": "DisruptionAllowed",
        };
        condition.set_or_remove(&["observedGeneration"], generation.clone());
        condition
    }

    async fn write_status(&self, budget: &Object, status: Value) -> Result<(), Status> {
        if &status == budget.status() {
            return Ok(());
        }
        let mut value = budget.value().clone();
        value.set(&["status"], status);
        Status::ignore_not_found(self.0.client.update_status(&self.0.resource, value).await)
    }

    async fn write(
        &self,
        budget: &Object,
        expected: &Expected,
        healthy: i64,
        disrupted: &FlatMap<String, Time>,
    ) -> Result<(), Status> {
        // A budget whose first pods are still to come allows nothing.
        let allowed = if expected.pods > 0 {
            (healthy - expected.healthy).max(0)
        } else {
            0
        };
        let mut status = Value::map();
        let (state, reason) = if allowed > 0 {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        let condition = self.condition(budget, (state, reason, ""), budget.metadata().get("generation"));
        status.set(&["conditions"], crate::list![condition]);
        status.set(&["currentHealthy"], healthy);
        status.set(&["desiredHealthy"], expected.healthy);
        status.set(&["disruptionsAllowed"], allowed);
        status.set(&["expectedPods"], expected.pods);
        status.set_or_remove(&["observedGeneration"], budget.generation());
        if !disrupted.is_empty() {
            let map: Value = disrupted.iter().map(|(k, t)| (k.as_str(), Value::from(*t))).collect();
            status.set(&["disruptedPods"], map);
        }
        self.write_status(budget, status).await
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

    /// What allows evictions cannot be written: then none are allowed. An eviction that never happens is told of.
    #[test]
    fn fails_safe() {
        let world = World::new();
        world.start(start);
        let (group, kind) = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy");
        world.create(obj! {
            "apiVersion": group, "kind": kind, "metadata": obj! { "name": "none" },
            "spec": obj! {
                "matchConstraints": obj! { "resourceRules": list![obj! {
                    "apiGroups": list!["policy"], "apiVersions": list!["v1"], "operations": list!["UPDATE"],
                    "resources": list!["poddisruptionbudgets/status"],
                }] },
                "validations": list![obj! { "expression": "object.status.disruptionsAllowed == 0", "message": "none" }],
            },
        });
        world.create(obj! {
            "apiVersion": group, "kind": format!("{kind}Binding"), "metadata": obj! { "name": "none" },
            "spec": obj! { "policyName": "none", "validationActions": list!["Deny"] },
        });
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": "a", "namespace": "default", "labels": obj! { "app": "web" } },
            "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
        });
        world.create(obj! {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! { "minAvailable": 0, "selector": obj! { "matchLabels": obj! { "app": "web" } } },
        });
        world.all_ready();
        world.run(1);
        let status = || world.get("policy", "poddisruptionbudgets", "web").status().to_json();
        expect_test::expect![[r#"{"conditions":[{"lastTransitionTime":"2027-01-15T08:00:01Z","message":"poddisruptionbudgets.policy \"web\" is forbidden: ValidatingAdmissionPolicy 'none' with binding 'none' denied request: none","observedGeneration":1,"reason":"SyncFailed","status":"False","type":"DisruptionAllowed"}],"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":1,"observedGeneration":1}"#]].assert_eq(&status());
        world.delete(
            "admissionregistration.k8s.io",
            "validatingadmissionpolicybindings",
            "none",
            Value::Null,
        );
        let granted = obj! { "status": obj! { "disruptedPods": obj! { "a": world.sim().now() } } };
        world.patch_sub("policy", "poddisruptionbudgets", "web", "status", granted);
        world.run(100);
        expect_test::expect![[r#"{"conditions":[{"lastTransitionTime":"2027-01-15T08:00:01Z","message":"","observedGeneration":1,"reason":"InsufficientPods","status":"False","type":"DisruptionAllowed"}],"currentHealthy":0,"desiredHealthy":0,"disruptedPods":{"a":"2027-01-15T08:00:02Z"},"disruptionsAllowed":0,"expectedPods":1,"observedGeneration":1}"#]].assert_eq(&status());
        assert!(world.messages("NotDeleted").is_empty());
        world.run(30);
        expect_test::expect![[r#"{"conditions":[{"lastTransitionTime":"2027-01-15T08:02:02Z","message":"","observedGeneration":1,"reason":"SufficientPods","status":"True","type":"DisruptionAllowed"}],"currentHealthy":1,"desiredHealthy":0,"disruptionsAllowed":1,"expectedPods":1,"observedGeneration":1}"#]].assert_eq(&status());
        assert_eq!(
            world.messages("NotDeleted"),
            ["Pod was expected by PDB default/default to be deleted but it wasn't"]
        );
    }

    /// Pods without a controller are told of and not counted; what cannot be worked out lets nothing go.
    #[test]
    fn counts_what_controllers_want() {
        let pod = |name: &str, owner: &str| {
            let mut pod = obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default", "labels": obj! { "app": "web" } },
                "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
            };
            if !owner.is_empty() {
                let reference = obj! {
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": format!("uid-{owner}"),
                    "controller": true,
                };
                pod.set(&["metadata", "ownerReferences"], list![reference]);
            }
            pod
        };
        let mut out = String::new();
        for (spec, owners) in [
            (obj! { "maxUnavailable": 1 }, &["", "web"][..]),
            (obj! { "minAvailable": "50%" }, &["", "web"]),
            (obj! { "maxUnavailable": 1 }, &["", ""]),
            (obj! { "maxUnavailable": "100%" }, &[]),
            (obj! { "maxUnavailable": 1 }, &["web", "gone"]),
            (obj! { "minAvailable": 1 }, &["", "gone"]),
        ] {
            let world = World::new();
            world.start(start);
            world
                .api()
                .restore(obj! {
                    "apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": obj! { "name": "web", "namespace": "default", "uid": "uid-web" },
                    "spec": obj! { "replicas": 3 },
                })
                .unwrap();
            for (i, owner) in owners.iter().enumerate() {
                world.create(pod(&format!("p{i}"), owner));
            }
            world.all_ready();
            let mut budget = obj! {
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": obj! { "name": "web", "namespace": "default" },
                "spec": spec.clone(),
            };
            budget.set(&["spec", "selector", "matchLabels", "app"], "web");
            world.create(budget);
            world.run(1);
            let budget = world.get("policy", "poddisruptionbudgets", "web");
            let condition = budget.condition("DisruptionAllowed").cloned().unwrap_or_default();
            let mut status = budget.status().clone();
            status.remove(&["conditions"]);
            out.push_str(&format!(
                "{} {owners:?}\n  {}\n  {} {}\n",
                spec.to_json(),
                status.to_json(),
                condition.str_at(&["reason"]),
                condition.str_at(&["message"])
            ));
            for reason in ["UnmanagedPods", "CalculateExpectedPodCountFailed"] {
                for message in world.messages(reason) {
                    out.push_str(&format!("  {reason}: {message}\n"));
                }
            }
        }
        expect_test::expect![[r#"
            {"maxUnavailable":1} ["", "web"]
              {"currentHealthy":2,"desiredHealthy":2,"disruptionsAllowed":0,"expectedPods":3,"observedGeneration":1}
              InsufficientPods 
              UnmanagedPods: Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.
            {"minAvailable":"50%"} ["", "web"]
              {"currentHealthy":2,"desiredHealthy":2,"disruptionsAllowed":0,"expectedPods":3,"observedGeneration":1}
              InsufficientPods 
              UnmanagedPods: Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.
            {"maxUnavailable":1} ["", ""]
              {"currentHealthy":2,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0,"observedGeneration":1}
              InsufficientPods 
              UnmanagedPods: Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.
            {"maxUnavailable":"100%"} []
              {"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0,"observedGeneration":1}
              InsufficientPods 
            {"maxUnavailable":1} ["web", "gone"]
              {"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}
              SyncFailed found no controllers for pod "p1"
              CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: found no controllers for pod "p1"
            {"minAvailable":1} ["", "gone"]
              {"currentHealthy":2,"desiredHealthy":1,"disruptionsAllowed":1,"expectedPods":2,"observedGeneration":1}
              SufficientPods 
        "#]].assert_eq(&out);
    }
}
