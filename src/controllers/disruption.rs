//! The disruption controller: says in each PodDisruptionBudget's status how many of its pods may be
//! evicted now.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::deployment::util::int_or_percent;
use super::pods;
use crate::api::events::EventType;
use crate::api::object::Owner;
use crate::api::selector::go_text;
use crate::api::views::pod::set_condition;
use crate::api::{ApiServer, Informer, Object, ObjectKey, Resource, Selector, Status};
use crate::flat::{FlatMap, FlatSet};
use crate::obj;
use crate::sim::{Time, WorkQueue};
use crate::value::{Value, quoted};

const NAME: &str = "disruption-controller";
const COMPONENT: &str = "controllermanager";

/// An eviction that was granted counts as long as its pod is not seen to go, at most this long
/// (`DeletionTimeout`); as long stands what was said of a pod that is to go (`stalePodDisruptionTimeout`).
const EVICTION: Duration = Duration::from_secs(120);

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    api: ApiServer,
    pods: Informer,
    pod_resource: Rc<Resource>,
    /// Pods of which it was said that they are to go.
    stale: WorkQueue<ObjectKey>,
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
    let pod_resource = resource(api, "", "pods");
    let controller = Controller(Rc::new(Inner {
        base,
        api: api.clone(),
        pods: context.informers().of(&pod_resource),
        pod_resource,
        stale: WorkQueue::new(context.sim()),
    }));
    let c = controller.clone();
    controller.0.objects.on_change(move |_, new| {
        if let Some(budget) = new {
            c.0.queue.add(budget.key());
        }
    });
    let c = controller.clone();
    controller.0.pods.on_change(move |old, new| {
        let Some(pod) = new.or(old) else { return };
        let mut covering = Vec::new();
        c.0.objects.each(pod.namespace(), |budget| {
            let selector = selector(budget);
            let covers = selector.matches(pod.labels());
            if covers {
                covering.push(budget.name().to_owned());
            }
            if covers || old.is_some_and(|old| selector.matches(old.labels())) {
                c.0.queue.add(budget.key());
            }
        });
        c.warn_of_many(pod, &covering);
        if let Some(pod) = new
            && let Some(left) = stale_in(pod, c.0.sim.now())
        {
            c.0.stale.add_after(pod.key(), left);
        }
    });
    let c = controller.clone();
    let inner = &controller.0;
    let pods = vec![inner.pods.clone()];
    context.run("stale pod disruptions", &inner.stale, 1, pods, async move |key| {
        c.clear(&key).await
    });
    let c = controller.clone();
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

/// How long until what was said of a pod that is to go (`DisruptionTarget`) is wrong, as it is still there. Nothing when
/// it does go, when it has ended, and when its kubelet ends it, which may take any time.
fn stale_in(pod: &Object, now: Time) -> Option<Duration> {
    let condition = pod.condition("DisruptionTarget")?;
    let told = condition.str_at(&["status"]) == "True" && condition.str_at(&["reason"]) != "TerminationByKubelet";
    if !told || pod.is_deleting() || pods::is_terminal(pod) {
        return None;
    }
    let since = Time::parse(condition.str_at(&["lastTransitionTime"]))?;
    Some((since + EVICTION).since(now))
}

impl Controller {
    /// Tells of a pod that more than one budget selects.
    fn warn_of_many(&self, pod: &Object, budgets: &[String]) {
        if let [first, _, ..] = budgets {
            let message = format!(
                "Pod {}/{} matches multiple PodDisruptionBudgets.  Chose {first} arbitrarily.",
                quoted(&pod.namespace()),
                quoted(&pod.name()),
                first = quoted(&first)
            );
            let recorder = &self.0.recorder;
            recorder.event(pod, EventType::Warning, "MultiplePodDisruptionBudgets", message);
        }
    }

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
        covered.retain(|p| selector.matches(p.labels()));
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
        let mut seen = FlatSet::new();
        let mut unmanaged = false;
        for pod in covered {
            let Some(owner) = pod.controller() else {
                unmanaged = true;
                continue;
            };
            if !seen.insert(owner.uid()) {
                continue;
            }
            // A pod's ReplicaSet may belong to a Deployment, whose size counts.
            let mut size = None;
            if owner.kind() == "ReplicaSet"
                && let Some(resource) = inner.api.resource_of_kind(owner.api_version(), owner.kind())
                && let Ok(set) = inner.client.get(&resource, pod.namespace(), owner.name()).await
                && let Some(deployment) = set.controller().filter(|o| o.kind() == "Deployment")
                && set.uid() == owner.uid()
            {
                size = self.size(pod.namespace(), deployment).await?;
            }
            if size.is_none() {
                size = self.size(pod.namespace(), owner).await?;
            }
            let Some((uid, replicas)) = size else {
                return Err(format!("found no controllers for pod {}", quoted(&pod.name())));
            };
            counted.insert(uid, replicas);
        }
        Ok((counted.values().sum(), unmanaged))
    }

    /// The uid of a controller and the size that it is to have; nothing when it is gone.
    async fn size(&self, namespace: &str, owner: Owner<'_>) -> Result<Option<(String, i64)>, String> {
        let inner = &self.0;
        let (version, kind) = (owner.api_version(), owner.kind());
        let Some(resource) = inner.api.resource_of_kind(version, kind) else {
            return Err(format!(
                "no matches for kind {kind} in version {version}",
                kind = quoted(&kind),
                version = quoted(&version)
            ));
        };
        let scale = format!("{}/scale", resource.name);
        if inner.api.resource(&resource.group, &resource.version, &scale).is_none() {
            return Err(format!(
                "{} does not implement the scale subresource",
                resource.qualified()
            ));
        }
        let scale = format!("{}/scale", owner.name());
        match inner.client.get(&resource, namespace, &scale).await {
            Ok(scale) if scale.uid() == owner.uid() => {
                let replicas = scale.spec().i64_at(&["replicas"]).unwrap_or(0);
                Ok(Some((scale.uid().to_owned(), replicas)))
            }
            Err(status) if !status.is_not_found() => Err(status.message().to_owned()),
            _ => Ok(None),
        }
    }

    /// Takes back what was said of a pod that was to go and did not.
    async fn clear(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let now = inner.sim.now();
        let Some(pod) = inner.pods.get(key) else {
            return Ok(());
        };
        let Some(left) = stale_in(&pod, now) else {
            return Ok(());
        };
        if !left.is_zero() {
            inner.stale.add_after(key.clone(), left);
            return Ok(());
        }
        let mut value = pod.value().clone();
        let condition = obj! { "status": "False", "type": "DisruptionTarget" };
        set_condition(&mut value, condition, now);
        Status::ignore_not_found(inner.client.update_status(&inner.pod_resource, value).await)
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
        self.0.write_status(budget, status).await
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
        self.0.write_status(budget, status).await
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

    /// A pod of the label `app: web` that the object of a kind controls.
    fn owned(name: &str, api_version: &str, kind: &str, owner: &str) -> Value {
        let reference = obj! {
            "apiVersion": api_version, "kind": kind, "name": owner, "uid": format!("uid-{owner}"), "controller": true,
        };
        obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! {
                "name": name, "namespace": "default", "labels": obj! { "app": "web" },
                "ownerReferences": list![reference],
            },
            "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
        }
    }

    fn budget(name: &str, spec: Value) -> Value {
        let mut budget = obj! {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": obj! { "name": name, "namespace": "default" },
            "spec": spec,
        };
        budget.set(&["spec", "selector", "matchLabels", "app"], "web");
        budget
    }

    #[test]
    fn only_what_can_be_scaled_has_a_size() {
        let mut out = Vec::new();
        for (api_version, kind) in [
            ("batch/v1", "Job"),
            ("apps/v1", "DaemonSet"),
            ("v1", "Node"),
            ("apps/v1", "StatefulSet"),
            ("example.com/v1", "Frob"),
        ] {
            let world = World::new();
            world.start(start);
            world.create(owned("a", api_version, kind, "x"));
            world.create(budget("web", obj! { "maxUnavailable": 1 }));
            world.run(1);
            out.extend(world.messages("CalculateExpectedPodCountFailed"));
        }
        let why = out
            .iter()
            .map(|m| m.trim_start_matches("Failed to calculate the number of expected pods: "));
        assert_eq!(
            why.collect::<Vec<_>>(),
            [
                "jobs.batch does not implement the scale subresource",
                "daemonsets.apps does not implement the scale subresource",
                "nodes does not implement the scale subresource",
                "found no controllers for pod \"a\"",
                "no matches for kind \"Frob\" in version \"example.com/v1\"",
            ]
        );
    }

    #[test]
    fn counts_ended_pods_warns_of_two_budgets_and_takes_back_what_is_stale() {
        let world = World::new();
        world.start(start);
        world.create(owned("a", "apps/v1", "ReplicaSet", "web"));
        world.patch_sub(
            "",
            "pods",
            "a",
            "status",
            obj! { "status": obj! { "phase": "Succeeded" } },
        );
        world.create(budget("x", obj! { "minAvailable": 1 }));
        world.run(1);
        let status = world.get("policy", "poddisruptionbudgets", "x").status().clone();
        assert_eq!(status.i64_at(&["expectedPods"]), Some(1));
        assert!(world.messages("NoPods").is_empty());
        world.create(budget("y", obj! { "minAvailable": 1 }));
        world.create(owned("b", "apps/v1", "ReplicaSet", "web"));
        world.run(1);
        assert_eq!(
            world.messages("MultiplePodDisruptionBudgets"),
            ["Pod \"default\"/\"b\" matches multiple PodDisruptionBudgets.  Chose \"x\" arbitrarily."]
        );
        let conditions = list![obj! {
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "lastTransitionTime": world.sim().now(),
        }];
        world.patch_sub(
            "",
            "pods",
            "b",
            "status",
            obj! { "status": obj! { "conditions": conditions } },
        );
        let state = || {
            let pod = world.get("", "pods", "b");
            let condition = pod.condition("DisruptionTarget").unwrap();
            format!("{} {}", condition.str_at(&["status"]), condition.str_at(&["reason"]))
        };
        world.run(115);
        assert_eq!(state(), "True EvictionByEvictionAPI");
        world.run(10);
        assert_eq!(state(), "False ");
    }
}
