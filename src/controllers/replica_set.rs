//! The ReplicaSet controller, and the ReplicationController controller, which is the same one over
//! the older kind: keeps the number of pods at `spec.replicas`.

use std::rc::Rc;

use super::context::{Base, Context, OwnerIndex, resource};
use super::expectations::Expectations;
use super::ownership::{Claimer, Matcher};
use super::pods;
use crate::api::views::pod::State;
use crate::api::views::{Pod, ReplicaSet};
use crate::api::{Object, ObjectKey, Resource, Selector, Status};
use crate::obj;
use crate::value::Value;

/// At most so many creations or deletions in one pass.
const BURST: usize = 500;

/// What a set's status says of its active pods.
struct Counts<'a> {
    active: usize,
    /// The pods that have all labels of the template.
    fully_labeled: usize,
    template_labels: Matcher<'a>,
    /// The pods that are ready.
    ready: Vec<State>,
}

impl<'a> Counts<'a> {
    fn new(template_labels: &'a Selector) -> Counts<'a> {
        Counts {
            active: 0,
            fully_labeled: 0,
            template_labels: Matcher::new(template_labels),
            ready: Vec::new(),
        }
    }

    /// Counts an active pod.
    fn add(&mut self, labels: &Value, state: State) {
        self.active += 1;
        self.fully_labeled += usize::from(self.template_labels.fits(labels));
        self.ready.extend(state.ready.is_some().then_some(state));
    }
}

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    context: Context,
    control: pods::PodControl,
    pods: OwnerIndex,
    pod_resource: Rc<Resource>,
    expectations: Expectations,
    /// Siblings are counted for the ranks of deletion: sets of one owner.
    siblings: OwnerIndex,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller of ReplicaSets.
pub fn start_replica_sets(context: &Context) {
    start(
        context,
        Base::new(context, "replicaset-controller", "apps", "replicasets"),
    );
}

/// Starts the controller of ReplicationControllers.
pub fn start_replication_controllers(context: &Context) {
    let base = Base::new(context, "replication-controller", "", "replicationcontrollers");
    start(context, base);
}

fn start(context: &Context, base: Base) {
    let pod_resource = resource(context.api(), "", "pods");
    let informers = context.informers();
    let expectations = Expectations::new(context.sim());
    let controller = Controller(Rc::new(Inner {
        control: pods::PodControl::new(context, &base, &expectations),
        pods: informers.by_owner(&pod_resource),
        siblings: informers.by_owner(&base.resource),
        base,
        pod_resource,
        expectations,
        context: context.clone(),
    }));
    let inner = &controller.0;
    inner.expectations.follow(&inner.objects);
    inner.objects.feed(&inner.queue);
    let c = controller.clone();
    let pods = inner.pods.informer();
    pods.on_change(move |old, new| c.pod_changed(old, new));
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    inner.run(context, workers, &[pods], async move |key| c.sync(&key).await);
}

impl Controller {
    /// Wakes every set that could adopt a pod.
    fn orphan_changed(&self, pod: &Object) {
        self.0.objects.each(pod.namespace(), |set| {
            if ReplicaSet(set).selector().matches(pod.labels()) {
                self.0.queue.add(set.key());
            }
        });
    }

    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let queue = &self.0.queue;
        match (old, new) {
            (None, Some(pod)) if pod.is_deleting() => self.pod_deleted(pod),
            (None, Some(pod)) => {
                if let Some(set) = self.0.owner_of(pod) {
                    self.0.expectations.created(&set.key());
                    queue.add(set.key());
                } else if pod.controller().is_none() {
                    self.orphan_changed(pod);
                }
            }
            (Some(old), Some(pod)) => {
                let relabelled = old.labels() != pod.labels();
                if pod.is_deleting() {
                    self.pod_deleted(pod);
                    if relabelled {
                        self.pod_deleted(old);
                    }
                    return;
                }
                let moved = old.controller().map(|c| c.uid()) != pod.controller().map(|c| c.uid());
                if moved && let Some(set) = self.0.owner_of(old) {
                    queue.add(set.key());
                }
                if let Some(set) = self.0.owner_of(pod) {
                    queue.add(set.key());
                } else if pod.controller().is_none() && (relabelled || moved) {
                    self.orphan_changed(pod);
                }
            }
            (Some(pod), None) => self.pod_deleted(pod),
            (None, None) => {}
        }
    }

    fn pod_deleted(&self, pod: &Object) {
        if let Some(set) = self.0.owner_of(pod) {
            self.0.expectations.deleted(&set.key(), &pod.key());
            self.0.queue.add(set.key());
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(set) = inner.objects.get(key) else {
            inner.expectations.forget(key);
            return Ok(());
        };
        inner.context.busy_with(inner.pods.count(set.uid())).await;
        let satisfied = inner.expectations.satisfied(key);
        let view = ReplicaSet(&set);
        let selector = view.selector();
        let claimer = Claimer::new(&inner.client, &inner.resource, &set, &selector, &inner.pod_resource);
        let template_labels = Selector::from_map(view.template_labels());
        let mut counts = Counts::new(&template_labels);
        let (mut terminating, mut all_fit) = (0, true);
        inner.pods.each_owned(set.uid(), |pod| {
            let fits = claimer.selector.fits(&pod.labels);
            terminating += usize::from(pod.state.is_terminating() && fits);
            if pod.state.is_active() {
                counts.add(&pod.labels, pod.state);
                all_fit &= fits;
            }
        });
        let orphans = inner.pods.orphans(set.namespace());
        let orphans: Vec<Object> = orphans.into_iter().filter(pods::is_active).collect();
        let mut claimed = None;
        // Mostly the set controls already what it selects, and nothing else.
        if !(all_fit && orphans.is_empty()) {
            let candidates = self.active(&set).chain(orphans).collect();
            let pods = claimer.claim(candidates).await?;
            counts = Counts::new(&template_labels);
            pods.iter().for_each(|pod| counts.add(pod.labels(), Pod(pod).state()));
            claimed = Some(pods);
        }
        let mut managed = Ok(());
        // A set that would not select its own pods would make them without end. The API server
        // refuses such a set; one that came past it is left alone.
        let sane = !selector.is_everything() && selector.matches(view.template_labels());
        if satisfied && sane && !set.is_deleting() {
            managed = self.manage(&set, counts.active, claimed).await;
        }
        let now = inner.context.sim().now();
        let min_ready = view.min_ready_seconds();
        let next = counts.ready.iter().filter_map(|s| s.available_in(min_ready, now)).min();
        self.update_status(&set, &counts, terminating, &managed).await?;
        if let (Ok(()), Some(delay)) = (&managed, next) {
            inner.queue.add_after(key.clone(), delay);
        }
        managed.map_err(|(_, status)| status)
    }

    /// The active pods that a set controls.
    fn active(&self, set: &Object) -> impl Iterator<Item = Object> {
        self.0.pods.owned(set.uid()).into_iter().filter(pods::is_active)
    }

    /// Creates or deletes as many pods as differ, when so many are active: `claimed` if that was asked, else all that
    /// the set controls. The error carries the reason of the condition.
    async fn manage(
        &self,
        set: &Object,
        active: usize,
        claimed: Option<Vec<Object>>,
    ) -> Result<(), (&'static str, Status)> {
        let inner = &self.0;
        let view = ReplicaSet(set);
        let wanted = view.replicas();
        if active < wanted {
            let count = (wanted - active).min(BURST);
            let pod = pods::from_template(set, view.template());
            let (_, result) = inner.control.change(set, count, |_| pod.clone(), &[]).await;
            return result.map_err(|status| ("FailedCreate", status));
        }
        if active > wanted {
            let count = (active - wanted).min(BURST);
            let now = inner.context.sim().now();
            let pods = claimed.unwrap_or_else(|| self.active(set).collect());
            let gone = pods::to_delete(pods, &self.related(set), count, now);
            let result = inner.control.delete_all(set, &gone).await;
            return result.map_err(|status| {
                let message = format!("unable to delete pods: {}", status.message());
                ("FailedDelete", Status::failure(500, "InternalError", message))
            });
        }
        Ok(())
    }

    /// The pods of all sets that have the same owner.
    fn related(&self, set: &Object) -> Vec<Object> {
        let sets = match set.controller() {
            Some(owner) => self.0.siblings.owned(owner.uid()),
            None => vec![set.clone()],
        };
        sets.iter().flat_map(|s| self.0.pods.owned(s.uid())).collect()
    }

    async fn update_status(
        &self,
        set: &Object,
        counts: &Counts<'_>,
        terminating: usize,
        managed: &Result<(), (&'static str, Status)>,
    ) -> Result<(), Status> {
        let inner = &self.0;
        let now = inner.context.sim().now();
        let min_ready = ReplicaSet(set).min_ready_seconds();
        let available = counts.ready.iter().filter(|s| s.is_available(min_ready, now)).count();
        let mut status = set.status().clone();
        status.set(&["replicas"], counts.active);
        status.set_or_remove(&["fullyLabeledReplicas"], counts.fully_labeled);
        status.set_or_remove(&["readyReplicas"], counts.ready.len());
        status.set_or_remove(&["availableReplicas"], available);
        if !inner.resource.group.is_empty() {
            // The older kind has no such field.
            status.set(&["terminatingReplicas"], terminating);
        }
        let failed = status
            .get("conditions")
            .items()
            .iter()
            .any(|c| c.str_at(&["type"]) == "ReplicaFailure");
        match managed {
            Err((reason, failure)) if !failed => {
                let mut conditions = status.get("conditions").items().to_vec();
                conditions.push(obj! {
                    "lastTransitionTime": now,
                    "message": failure.message(),
                    "reason": *reason,
                    "status": "True",
                    "type": "ReplicaFailure",
                });
                status.set(&["conditions"], conditions);
            }
            Ok(()) if failed => {
                let mut conditions = status.get("conditions").items().to_vec();
                conditions.retain(|c| c.str_at(&["type"]) != "ReplicaFailure");
                status.set_or_remove(&["conditions"], conditions);
            }
            _ => {}
        }
        status.set(&["observedGeneration"], set.generation());
        match inner.write_status(set, status).await {
            // The set is newer than the informer says: its change will come.
            Err(failure) if failure.is_conflict() => {
                inner.queue.add_rate_limited(set.key());
                Ok(())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn set(replicas: i64) -> Value {
        obj! {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! {
                "replicas": replicas,
                "selector": obj! { "matchLabels": obj! { "app": "web" } },
                "template": obj! {
                    "metadata": obj! { "labels": obj! { "app": "web" } },
                    "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
                },
            },
        }
    }

    #[test]
    fn keeps_the_number_adopts_and_releases() {
        let world = World::new();
        world.start(start_replica_sets);
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": "stray", "namespace": "default", "labels": obj! { "app": "web" } },
            "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
        });
        world.create(set(3));
        world.run(1);
        let pods = world.list("", "pods");
        assert_eq!(pods.len(), 3);
        assert!(pods.iter().all(|p| p.controller().is_some_and(|c| c.name() == "web")));
        assert!(
            pods.iter()
                .all(|p| p.name() == "stray" || (p.name().len() == 9 && p.name().starts_with("web-")))
        );
        for pod in &pods {
            world.make_ready(pod);
        }
        world.run(1);
        let status = world.get("apps", "replicasets", "web").status().clone();
        let want = obj! {
            "availableReplicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": status.get("observedGeneration"),
            "readyReplicas": 3, "replicas": 3, "terminatingReplicas": 0,
        };
        assert_eq!(status, want);
        assert_eq!(
            world.messages("SuccessfulCreate").len(),
            2,
            "one of three was adopted, which is no event"
        );
        // A pod that loses its label is released and replaced.
        world.patch(
            "",
            "pods",
            "stray",
            obj! { "metadata": obj! { "labels": obj! { "app": "debug" } } },
        );
        world.run(1);
        assert!(world.get("", "pods", "stray").controller().is_none());
        assert_eq!(world.list("", "pods").len(), 4);
        // Back again: one too many, and the newest goes.
        world.patch(
            "",
            "pods",
            "stray",
            obj! { "metadata": obj! { "labels": obj! { "app": "web" } } },
        );
        world.run(1);
        assert_eq!(world.list("", "pods").iter().filter(|p| !p.is_deleting()).count(), 3);
        assert!(world.exists("", "pods", "stray"));
        world.patch("apps", "replicasets", "web", obj! { "spec": obj! { "replicas": 0 } });
        world.run(1);
        assert_eq!(world.list("", "pods").iter().filter(|p| !p.is_deleting()).count(), 0);
    }

    #[test]
    fn an_idle_set_costs_nothing() {
        let world = World::new();
        world.start(start_replica_sets);
        world.create(set(3));
        world.run(10);
        let before = world.sim().trace().last_seq();
        world.run(100_000);
        assert_eq!(world.sim().trace().last_seq(), before);
    }

    #[test]
    fn says_why_a_pod_cannot_be_deleted() {
        let world = World::new();
        world.start(start_replica_sets);
        world.create(set(1));
        world.run(1);
        let rule = obj! {
            "apiGroups": list![""], "apiVersions": list!["v1"], "operations": list!["DELETE"], "resources": list!["pods"],
        };
        let name = obj! { "name": "keep" };
        world.create(obj! {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": name.clone(),
            "spec": obj! {
                "matchConstraints": obj! { "resourceRules": list![rule] },
                "validations": list![obj! { "expression": "false", "message": "they stay" }],
            },
        });
        world.create(obj! {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": name, "spec": obj! { "policyName": "keep", "validationActions": list!["Deny"] },
        });
        world.run(1);
        world.patch("apps", "replicasets", "web", obj! { "spec": obj! { "replicas": 0 } });
        world.run(1);
        let set = world.get("apps", "replicasets", "web");
        let message = set.condition("ReplicaFailure").unwrap().str_at(&["message"]);
        assert!(message.starts_with("unable to delete pods: pods \"web-"), "{message}");
        assert!(message.ends_with(": they stay"), "{message}");
        assert!(world.messages("FailedDelete")[0].starts_with("Error deleting: pods \"web-"));
    }
}
