//! The StatefulSet controller: pods with names that stay, made and removed in order, each with the
//! claims of its own, updated from the last to the first; the templates' history as
//! ControllerRevisions.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::{Base, Context, OwnerIndex, resource};
use super::ownership::Claimer;
use super::{history, pods};
use crate::api::views::StatefulSet;
use crate::api::views::stateful_set::{POD_INDEX, POD_NAME};
use crate::api::well_known::CONTROLLER_REVISION_HASH;
use crate::api::{Informer, Object, ObjectKey, Resource, Status};
use crate::flat::{Arrange, FlatMap, FlatSet};
use crate::limits;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;
use crate::value::gofmt::aggregate;

const NAME: &str = "statefulset-controller";
/// The label of a revision with the hash of its data.
const HASH: &str = "controller.kubernetes.io/hash";

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    pods: OwnerIndex,
    claims: Informer,
    revisions: OwnerIndex,
    pod_resource: Rc<Resource>,
    claim_resource: Rc<Resource>,
    revision_resource: Rc<Resource>,
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
    let claim_resource = resource(api, "", "persistentvolumeclaims");
    let revision_resource = resource(api, "apps", "controllerrevisions");
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "apps", "statefulsets"),
        pods: informers.by_owner(&pod_resource),
        claims: informers.of(&claim_resource),
        revisions: informers.by_owner(&revision_resource),
        pod_resource,
        claim_resource,
        revision_resource,
    }));
    let inner = &controller.0;
    inner.objects.feed(&inner.queue);
    let c = controller.clone();
    let pods = inner.pods.informer();
    pods.on_change(move |old, new| c.pod_changed(old, new));
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    let others = [pods, &inner.claims, inner.revisions.informer()];
    inner.run(context, workers, &others, async move |key| c.sync(&key).await);
}

fn is_terminating(pod: &Object) -> bool {
    pod.is_deleting()
}

fn is_running_and_ready(pod: &Object) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod)
}

fn is_running_and_available(pod: &Object, min_ready: i64, now: Time) -> bool {
    pods::phase(pod) == "Running" && pods::is_available(pod, min_ready, now)
}

/// Whether nothing has to wait for it (not `isUnavailable`).
fn is_healthy(pod: &Object, min_ready: i64, now: Time) -> bool {
    is_running_and_available(pod, min_ready, now) && !is_terminating(pod)
}

fn revision_of(pod: &Object) -> &str {
    pod.label(CONTROLLER_REVISION_HASH).unwrap_or("")
}

/// One place of a set: its ordinal, and the pod that has it.
#[derive(Clone, Copy)]
struct Place<'a> {
    ordinal: i64,
    pod: Option<&'a Object>,
}

/// What one pass works with.
struct Pass {
    set: Object,
    /// The revision that the pods are updated from, and to.
    current: Object,
    update: Object,
    collisions: i64,
    /// The pods of the present number of replicas that are there, by their ordinals.
    present: FlatMap<i64, Object>,
    /// Pods beyond, the greatest ordinal first.
    condemned: Vec<Object>,
    /// The revisions of the pods that this pass created: they are not among the pods, and are counted all the same.
    created: RefCell<Vec<String>>,
}

impl Pass {
    fn set(&self) -> StatefulSet<'_> {
        StatefulSet(&self.set)
    }

    /// The revision that a new pod of an ordinal is of.
    fn revision_for(&self, ordinal: i64) -> &Object {
        let set = self.set();
        let current = self.set.status().i64_at(&["currentReplicas"]).unwrap_or(0);
        let kept = match set.partition() {
            _ if set.is_on_delete() => 0,
            None => current,
            Some(partition) => partition,
        };
        if ordinal < set.start() + kept {
            &self.current
        } else {
            &self.update
        }
    }

    /// The pod to create for an ordinal.
    fn new_pod(&self, ordinal: i64) -> Value {
        let set = self.set();
        let revision = self.revision_for(ordinal);
        let template = history::data_of(revision).at(&["spec", "template"]);
        let mut pod = pods::from_template(&self.set, template);
        let name = set.pod_name(ordinal);
        pod.remove(&["metadata", "generateName"]);
        pod.set(&["metadata", "name"], name.as_str());
        pod.set(&["metadata", "labels", CONTROLLER_REVISION_HASH], revision.name());
        identify(&mut pod, &name, ordinal);
        pod.set(&["spec", "hostname"], name);
        pod.set_or_remove(&["spec", "subdomain"], set.service_name());
        let templates = set.claim_templates();
        if !templates.is_empty() {
            let mut volumes: Vec<Value> = templates
                .iter()
                .map(|t| {
                    let claim = obj! { "claimName": set.claim_name(t, ordinal) };
                    obj! { "name": t.at(&["metadata", "name"]).clone(), "persistentVolumeClaim": claim }
                })
                .collect();
            let made = volumes.len();
            for volume in pod.at(&["spec", "volumes"]).items() {
                let name = volume.get("name");
                if volumes.iter().take(made).all(|v| v.get("name") != name) {
                    volumes.push(volume.clone());
                }
            }
            pod.set(&["spec", "volumes"], volumes);
        }
        pod
    }

    /// The claims of an ordinal's pod.
    fn claims(&self, ordinal: i64) -> Vec<Value> {
        let set = self.set();
        let claim = |template: &Value| {
            let mut claim = template.clone();
            claim.set(&["apiVersion"], "v1");
            claim.set(&["kind"], "PersistentVolumeClaim");
            claim.set(&["metadata", "name"], set.claim_name(template, ordinal));
            claim.set(&["metadata", "namespace"], self.set.namespace());
            for (key, value) in set.spec().at(&["selector", "matchLabels"]).entries() {
                claim.set(&["metadata", "labels", key], value.clone());
            }
            claim.remove(&["status"]);
            claim
        };
        set.claim_templates().iter().map(claim).collect()
    }

    /// The places of the replicas, in order. There may be two thousand million: whoever walks them stops at one that
    /// is missing, or soon after.
    fn places(&self) -> impl DoubleEndedIterator<Item = Place<'_>> {
        self.set().ordinals().map(|ordinal| Place {
            ordinal,
            pod: self.present.get(&ordinal),
        })
    }

    fn pods(&self) -> impl Iterator<Item = &Object> {
        self.present.values().chain(&self.condemned)
    }

    fn first_unhealthy(&self, now: Time) -> Option<i64> {
        let healthy = |pod: &Object| is_healthy(pod, self.set().min_ready_seconds(), now);
        let mut places = self.places();
        let among = places.find(|p| !p.pod.is_some_and(healthy)).map(|p| p.ordinal);
        let beyond = self.condemned.iter().rev().find(|p| !healthy(p));
        among.or_else(|| self.set().ordinal_of(beyond?))
    }

    /// How many pods of the current revision are deleted for an update is taken from the count.
    fn status(&self, updating: i64, now: Time) -> Value {
        let min_ready = self.set().min_ready_seconds();
        let created = self.created.borrow();
        let of = |revision: &Object| {
            let living = self.pods().filter(|p| !is_terminating(p));
            let new = created.iter().filter(|r| *r == revision.name());
            (living.filter(|p| revision_of(p) == revision.name()).count() + new.count()) as i64
        };
        let count = |fits: &dyn Fn(&Object) -> bool| self.pods().filter(|p| fits(p)).count() as i64;
        let replicas = self.pods().count() + created.len();
        let ready = count(&is_running_and_ready);
        let (mut current, updated) = (of(&self.current) - updating, of(&self.update));
        let mut current_revision = self.current.name();
        let all = |n: i64| n == replicas as i64;
        if !self.set().is_on_delete() && all(updated) && all(ready) {
            current = updated;
            current_revision = self.update.name();
        }
        let mut status = obj! {
            "availableReplicas": count(&|p| is_running_and_available(p, min_ready, now)),
            "collisionCount": self.collisions,
            "currentRevision": current_revision,
            "observedGeneration": self.set.generation(),
            "replicas": replicas,
            "updateRevision": self.update.name(),
        };
        status.set_or_remove(&["readyReplicas"], ready);
        status.set_or_remove(&["currentReplicas"], current);
        status.set_or_remove(&["updatedReplicas"], updated);
        status
    }
}

/// Gives a pod the labels of its place.
fn identify(pod: &mut Value, name: &str, ordinal: i64) {
    pod.set(&["metadata", "labels", POD_NAME], name);
    pod.set(&["metadata", "labels", POD_INDEX], ordinal.to_string());
}

/// Whether the pass goes on after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    On,
    Stop,
}

impl Controller {
    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        for pod in [old, new].into_iter().flatten() {
            if let Some(set) = self.0.owner_of(pod) {
                self.0.queue.add(set.key());
            } else if pod.controller().is_none() && new.is_some_and(|p| !p.is_deleting()) {
                self.0.objects.each(pod.namespace(), |set| {
                    let view = StatefulSet(set);
                    if view.ordinal_of(pod).is_some() && view.selector().matches(pod.labels()) {
                        self.0.queue.add(set.key());
                    }
                });
            }
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(set) = inner.objects.get(key) else {
            return Ok(());
        };
        let view = StatefulSet(&set);
        let selector = view.selector();
        if selector.is_everything() {
            return Ok(());
        }
        let mut revisions = inner.revisions.owned(set.uid());
        revisions.extend(inner.revisions.orphans(set.namespace()));
        let claimer = Claimer::new(
            &inner.client,
            &inner.resource,
            &set,
            &selector,
            &inner.revision_resource,
        );
        let mut revisions = claimer.claim(revisions).await?;
        let mut candidates = inner.pods.owned(set.uid());
        let orphans = inner.pods.orphans(set.namespace());
        candidates.extend(orphans.into_iter().filter(|p| view.ordinal_of(p).is_some()));
        let claimer = Claimer::new(&inner.client, &inner.resource, &set, &selector, &inner.pod_resource);
        let claimed = claimer.claim(candidates).await?;
        history::sort(&mut revisions);
        let mut pass = self.revise(&set, &revisions).await?;
        for pod in claimed {
            let Some(ordinal) = view.ordinal_of(&pod) else { continue };
            if view.has_ordinal(ordinal) {
                pass.present.insert(ordinal, pod);
            } else {
                pass.condemned.push(pod);
            }
        }
        pass.condemned.arrange_by_key(|p| std::cmp::Reverse(view.ordinal_of(p)));
        let (updating, managed) = if set.is_deleting() {
            (0, Ok(()))
        } else {
            self.manage(&pass).await
        };
        inner.write_status(&set, pass.status(updating, inner.sim.now())).await?;
        managed?;
        let now = inner.sim.now();
        if let Some(delay) = pods::next_available(pass.pods(), view.min_ready_seconds(), now) {
            inner.queue.add_after(key.clone(), delay);
        }
        self.clean_up(&pass, &revisions).await
    }

    /// Finds the revisions that the set is updated from and to; that of the present template is made
    /// or renumbered as needed.
    async fn revise(&self, set: &Object, revisions: &[Object]) -> Result<Pass, Status> {
        let inner = &self.0;
        let data = history::data(set);
        let mut collisions = set.status().i64_at(&["collisionCount"]).unwrap_or(0);
        let next = revisions.last().map_or(0, history::number) + 1;
        let equal = revisions.iter().rev().find(|r| history::data_of(r) == &data);
        let update = match equal {
            Some(revision) if history::number(revision) + 1 == next => revision.clone(),
            Some(revision) => {
                let mut value = revision.value().clone();
                value.set(&["revision"], next);
                inner.client.update(&inner.revision_resource, value).await?
            }
            None => self.create_revision(set, data, next, &mut collisions).await?,
        };
        let named = set.status().str_at(&["currentRevision"]);
        let current = revisions.iter().find(|r| r.name() == named).unwrap_or(&update).clone();
        Ok(Pass {
            set: set.clone(),
            current,
            update,
            collisions,
            present: FlatMap::new(),
            condemned: Vec::new(),
            created: RefCell::default(),
        })
    }

    async fn create_revision(
        &self,
        set: &Object,
        data: Value,
        number: i64,
        collisions: &mut i64,
    ) -> Result<Object, Status> {
        let inner = &self.0;
        loop {
            let hash = history::hash(&data, *collisions);
            let (resource, label) = (&inner.revision_resource, (HASH, hash.as_str()));
            match history::create(&inner.client, resource, set, &data, number, label).await {
                Err(status) if status.is_already_exists() => *collisions += 1,
                other => return other,
            }
        }
    }

    /// Brings the pods nearer to what they should be. Gives how many it deleted for an update.
    async fn manage(&self, pass: &Pass) -> (i64, Result<(), Status>) {
        let parallel = pass.set().is_parallel();
        let now = self.0.sim.now();
        let result = if parallel {
            let mut missing = 0;
            let places: Vec<Place> = pass
                .places()
                .take_while(|place| {
                    missing += usize::from(place.pod.is_none());
                    missing <= limits::STATEFUL_SET_BURST
                })
                .collect();
            let (_, result) = pods::slow_start(places.len(), |i| {
                let place = places.get(i).copied();
                async move {
                    match place {
                        Some(place) => self.tend(pass, place, now).await.map(|_| ()),
                        None => Ok(()),
                    }
                }
            })
            .await;
            result.map(|()| Step::On)
        } else {
            let mut step = Ok(Step::On);
            for place in pass.places() {
                step = self.tend(pass, place, now).await;
                if step != Ok(Step::On) {
                    break;
                }
            }
            step
        };
        if result != Ok(Step::On) {
            return (0, result.map(|_| ()));
        }
        for pod in &pass.condemned {
            if let Err(status) = self.own_claims(pass, pod).await {
                return (0, Err(status));
            }
        }
        match self.scale_down(pass, now).await {
            Ok(Step::On) if pass.set().is_on_delete() => (0, Ok(())),
            Ok(Step::On) => self.update_pods(pass, now).await,
            other => (0, other.map(|_| ())),
        }
    }

    /// Tends one place: creates its pod, waits for it, keeps its identity.
    async fn tend(&self, pass: &Pass, place: Place<'_>, now: Time) -> Result<Step, Status> {
        let set = pass.set();
        let ordered = !set.is_parallel();
        let Some(pod) = place.pod else {
            let waits = self.claims_are_stale(pass, place.ordinal);
            if !waits {
                self.create(pass, place.ordinal).await?;
                let revision = pass.revision_for(place.ordinal).name();
                pass.created.borrow_mut().push(revision.to_owned());
            }
            return Ok(if waits || ordered { Step::Stop } else { Step::On });
        };
        if pods::is_terminal(pod) {
            if !is_terminating(pod) {
                self.delete(pass, pod).await?;
            }
            return Ok(Step::Stop);
        }
        if pods::phase(pod) == "Pending" {
            self.make_claims(pass, place.ordinal).await?;
        }
        if ordered && !is_healthy(pod, set.min_ready_seconds(), now) {
            return Ok(Step::Stop);
        }
        let index = place.ordinal.to_string();
        if pod.label(POD_NAME) != Some(pod.name()) || pod.label(POD_INDEX) != Some(&index) {
            let mut value = pod.value().clone();
            identify(&mut value, pod.name(), place.ordinal);
            let updated = self.0.client.update(&self.0.pod_resource, value).await;
            self.tell(pass, "Update", pod.name(), updated.map(|_| ()))?;
        }
        self.own_claims(pass, pod).await?;
        Ok(Step::On)
    }

    /// Deletes pods beyond the number of replicas, the greatest ordinal first, in an ordered set one
    /// after the other.
    async fn scale_down(&self, pass: &Pass, now: Time) -> Result<Step, Status> {
        let set = pass.set();
        let ordered = !set.is_parallel();
        let unhealthy = pass.first_unhealthy(now);
        for pod in &pass.condemned {
            if is_terminating(pod) {
                if ordered {
                    return Ok(Step::Stop);
                }
                continue;
            }
            let available = is_running_and_available(pod, set.min_ready_seconds(), now);
            if !available && ordered && set.ordinal_of(pod) != unhealthy {
                return Ok(Step::Stop);
            }
            self.delete(pass, pod).await?;
            if ordered {
                return Ok(Step::Stop);
            }
        }
        Ok(Step::On)
    }

    /// Deletes pods of older revisions, so that they come back as new ones.
    async fn update_pods(&self, pass: &Pass, now: Time) -> (i64, Result<(), Status>) {
        let set = pass.set();
        let least = set.start() + set.partition().unwrap_or(0);
        let is_old = |pod: &Object| revision_of(pod) != pass.update.name() && !is_terminating(pod);
        for place in pass.places().rev().take_while(|p| p.ordinal >= least) {
            let Some(pod) = place.pod else { break };
            if is_old(pod) {
                return (1, self.delete(pass, pod).await);
            }
            // The one before waits until this one is available.
            if !is_healthy(pod, set.min_ready_seconds(), now) {
                break;
            }
        }
        (0, Ok(()))
    }

    /// Tells of something done to a pod in an event, and hands the result on.
    fn tell(&self, pass: &Pass, verb: &str, pod: &str, result: Result<(), Status>) -> Result<(), Status> {
        let text = format!("{verb} Pod {pod} in StatefulSet {}", pass.set.name());
        let message = match &result {
            Ok(()) => format!("{text} successful"),
            Err(status) => format!("{text} failed error: {}", status.message()),
        };
        pods::tell(&self.0.recorder, &pass.set, verb, result.is_ok(), message);
        result
    }

    async fn create(&self, pass: &Pass, ordinal: i64) -> Result<(), Status> {
        let name = pass.set().pod_name(ordinal);
        if let Err(status) = self.make_claims(pass, ordinal).await {
            return self.tell(pass, "Create", &name, Err(status));
        }
        let (resource, pod) = (&self.0.pod_resource, pass.new_pod(ordinal));
        let made = self.0.client.make(resource, pass.set.namespace(), pod).await;
        match made {
            // The informer is behind; the pod will show.
            Err(status) if status.is_already_exists() => Err(status),
            other => self.tell(pass, "Create", &name, other.map(|_| ())),
        }
    }

    async fn delete(&self, pass: &Pass, pod: &Object) -> Result<(), Status> {
        let deleted = self
            .0
            .client
            .delete(&self.0.pod_resource, pod.namespace(), pod.name(), Value::Null)
            .await;
        match deleted {
            Err(status) if status.is_not_found() => Ok(()),
            other => self.tell(pass, "Delete", pod.name(), other.map(|_| ())),
        }
    }

    /// Creates the claims of an ordinal that are missing.
    async fn make_claims(&self, pass: &Pass, ordinal: i64) -> Result<(), Status> {
        let inner = &self.0;
        let mut failures = Vec::new();
        for claim in pass.claims(ordinal) {
            let name = claim.str_at(&["metadata", "name"]).to_owned();
            match inner.claims.get(&ObjectKey::new(pass.set.namespace(), &name)) {
                Some(present) if present.is_deleting() => failures.push(format!("pvc {name} is being deleted")),
                Some(_) => {}
                None => {
                    let resource = &inner.claim_resource;
                    let made = inner.client.make(resource, pass.set.namespace(), claim).await;
                    let (pod, set) = (pass.set().pod_name(ordinal), pass.set.name());
                    match made {
                        Ok(_) => {
                            let message = format!("Create Claim {name} Pod {pod} in StatefulSet {set} success");
                            pods::tell(&inner.recorder, &pass.set, "Create", true, message);
                        }
                        Err(status) if status.is_already_exists() => {}
                        Err(status) => {
                            let why = status.message();
                            failures.push(format!("failed to create PVC {name}: {why}"));
                            let message =
                                format!("Create Claim {name} for Pod {pod} in StatefulSet {set} failed error: {why}");
                            pods::tell(&inner.recorder, &pass.set, "Create", false, message);
                        }
                    }
                }
            }
        }
        match aggregate(&failures) {
            None => Ok(()),
            Some(why) => Err(Status::internal(why)),
        }
    }

    /// Whether a claim of an ordinal belongs to a pod that is gone, and so will be deleted with it.
    fn claims_are_stale(&self, pass: &Pass, ordinal: i64) -> bool {
        let set = pass.set();
        set.deletes_claims().1
            && set.claim_templates().iter().any(|t| {
                let key = ObjectKey::new(pass.set.namespace(), &set.claim_name(t, ordinal));
                let claim = self.0.claims.get(&key);
                claim.is_some_and(|c| c.owner_references().iter().any(|o| o.str_at(&["kind"]) == "Pod"))
            })
    }

    /// Gives the claims of a pod the owner that the retention policy asks for, with which they are
    /// deleted: the set, the pod that is scaled away, or none.
    async fn own_claims(&self, pass: &Pass, pod: &Object) -> Result<(), Status> {
        let set = pass.set();
        let Some(ordinal) = set.ordinal_of(pod) else {
            return Ok(());
        };
        let (when_deleted, when_scaled) = set.deletes_claims();
        let beyond = !set.has_ordinal(ordinal);
        let owner = if when_scaled && beyond {
            let mut owner = pod.controller_reference();
            owner.set(&["apiVersion"], "v1");
            owner.set(&["kind"], "Pod");
            Some(owner)
        } else {
            when_deleted.then(|| pass.set.controller_reference())
        };
        for template in set.claim_templates() {
            let key = ObjectKey::new(pass.set.namespace(), &set.claim_name(template, ordinal));
            let Some(claim) = self.0.claims.get(&key) else { continue };
            let ours = |o: &Value| [pass.set.uid(), pod.uid()].contains(&o.str_at(&["uid"]));
            let (had, mut owners): (Vec<Value>, Vec<Value>) = claim.owner_references().iter().cloned().partition(ours);
            if had.len() == usize::from(owner.is_some())
                && had.first().map(|o| o.str_at(&["uid"])) == owner.as_ref().map(|o| o.str_at(&["uid"]))
            {
                continue;
            }
            owners.extend(owner.clone());
            let mut value = claim.value().clone();
            value.set_or_remove(&["metadata", "ownerReferences"], owners);
            self.0.client.update(&self.0.claim_resource, value).await?;
        }
        Ok(())
    }

    /// Deletes revisions beyond the limit that nothing is of, the oldest first.
    async fn clean_up(&self, pass: &Pass, revisions: &[Object]) -> Result<(), Status> {
        let mut live: FlatSet<&str> = pass.pods().map(revision_of).collect();
        live.extend([pass.current.name(), pass.update.name()]);
        let old: Vec<&Object> = revisions.iter().filter(|r| !live.contains(r.name())).collect();
        let limit = usize::try_from(pass.set().revision_history_limit()).unwrap_or(0);
        let excess = old.len().saturating_sub(limit);
        for revision in old.into_iter().take(excess) {
            let (namespace, name) = (revision.namespace(), revision.name());
            let resource = &self.0.revision_resource;
            Status::ignore_not_found(self.0.client.delete(resource, namespace, name, Value::Null).await)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn world() -> World {
        let world = World::new();
        world.start(start);
        world
    }

    fn set(world: &World, more: Value) {
        let containers = list![obj! { "name": "c", "image": "redis:7.0" }];
        let mut spec = obj! {
            "replicas": 3,
            "serviceName": "web",
            "selector": obj! { "matchLabels": obj! { "app": "web" } },
            "template": obj! {
                "metadata": obj! { "labels": obj! { "app": "web" } },
                "spec": obj! { "containers": containers },
            },
        };
        for (key, value) in more.entries() {
            spec.set(&[key], value.clone());
        }
        world.create(obj! {
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": spec,
        });
        world.run(1);
    }

    fn change(world: &World, patch: Value) {
        world.patch("apps", "statefulsets", "web", obj! { "spec": patch });
        world.run(1);
    }

    fn image(world: &World, image: &str) {
        let containers = list![obj! { "name": "c", "image": image }];
        change(
            world,
            obj! { "template": obj! { "spec": obj! { "containers": containers } } },
        );
    }

    /// Names of the pods that are there, with their images' tags; `!` marks those that are to end.
    fn pods_now(world: &World) -> String {
        let pods = world.list("", "pods");
        let show = |p: &Object| {
            let image = p.spec().get("containers").items()[0].str_at(&["image"]).to_owned();
            let mark = if p.is_deleting() { "!" } else { "" };
            format!("{}:{}{mark}", p.name(), image.trim_start_matches("redis:"))
        };
        pods.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    fn step(world: &World) {
        world.end_pods();
        world.all_ready();
        world.run(1);
    }

    fn settle(world: &World) {
        for _ in 0..20 {
            let before = world.sim().trace().last_seq();
            step(world);
            if world.sim().trace().last_seq() == before {
                return;
            }
        }
        panic!("it does not settle");
    }

    #[test]
    fn one_after_the_other_up_and_down() {
        let world = world();
        set(&world, obj! {});
        let mut seen = vec![pods_now(&world)];
        for _ in 0..3 {
            step(&world);
            seen.push(pods_now(&world));
        }
        assert_eq!(
            seen,
            [
                "web-0:7.0",
                "web-0:7.0 web-1:7.0",
                "web-0:7.0 web-1:7.0 web-2:7.0",
                "web-0:7.0 web-1:7.0 web-2:7.0"
            ]
        );
        let pod = world.get("", "pods", "web-1");
        assert_eq!(pod.spec().str_at(&["hostname"]), "web-1");
        assert_eq!(pod.spec().str_at(&["subdomain"]), "web");
        let labels = pod.labels().clone();
        assert_eq!(labels.str_at(&[POD_NAME]), "web-1");
        assert_eq!(labels.str_at(&[POD_INDEX]), "1");
        let status = world.get("apps", "statefulsets", "web").status().clone();
        assert_eq!(
            labels.str_at(&[CONTROLLER_REVISION_HASH]),
            status.str_at(&["currentRevision"])
        );
        let counts: Vec<i64> = [
            "replicas",
            "readyReplicas",
            "availableReplicas",
            "currentReplicas",
            "updatedReplicas",
        ]
        .iter()
        .map(|f| status.i64_at(&[f]).unwrap())
        .collect();
        assert_eq!(counts, [3; 5]);
        change(&world, obj! { "replicas": 1 });
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(pods_now(&world));
            step(&world);
        }
        // Pods that no node has go at once.
        assert_eq!(seen.last().unwrap(), "web-0:7.0");
        assert_eq!(
            world.messages("SuccessfulDelete"),
            [
                "Delete Pod web-2 in StatefulSet web successful",
                "Delete Pod web-1 in StatefulSet web successful"
            ]
        );
    }

    #[test]
    fn an_order_that_is_stuck_stays_so() {
        let world = world();
        set(&world, obj! {});
        world.run(100);
        assert_eq!(pods_now(&world), "web-0:7.0");
        let before = world.sim().trace().last_seq();
        world.run(10_000);
        assert_eq!(world.sim().trace().last_seq(), before, "waiting costs nothing");
    }

    #[test]
    fn rolls_from_the_last_to_the_partition() {
        let world = world();
        let strategy = obj! { "type": "RollingUpdate", "rollingUpdate": obj! { "partition": 1 } };
        set(
            &world,
            obj! { "podManagementPolicy": "Parallel", "updateStrategy": strategy },
        );
        assert_eq!(pods_now(&world), "web-0:7.0 web-1:7.0 web-2:7.0");
        settle(&world);
        image(&world, "redis:7.2");
        assert_eq!(pods_now(&world), "web-0:7.0 web-1:7.0 web-2:7.2");
        settle(&world);
        assert_eq!(pods_now(&world), "web-0:7.0 web-1:7.2 web-2:7.2");
        let status = world.get("apps", "statefulsets", "web").status().clone();
        assert_eq!(status.i64_at(&["currentReplicas"]), Some(1));
        assert_eq!(status.i64_at(&["updatedReplicas"]), Some(2));
        assert_ne!(status.get("currentRevision"), status.get("updateRevision"));
        let rolling = |n: i64| obj! { "updateStrategy": obj! { "rollingUpdate": obj! { "partition": n } } };
        change(&world, rolling(0));
        settle(&world);
        assert_eq!(pods_now(&world), "web-0:7.2 web-1:7.2 web-2:7.2");
        let status = world.get("apps", "statefulsets", "web").status().clone();
        assert_eq!(status.get("currentRevision"), status.get("updateRevision"));
        // Back: the old revision gets the next number.
        image(&world, "redis:7.0");
        settle(&world);
        let mut numbers: Vec<i64> = world
            .list("apps", "controllerrevisions")
            .iter()
            .map(history::number)
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3]);
    }

    #[test]
    fn no_max_unavailable_and_on_delete() {
        let world = world();
        let rolling = obj! { "maxUnavailable": 2, "partition": 0 };
        let strategy = obj! { "type": "RollingUpdate", "rollingUpdate": rolling };
        set(&world, obj! { "updateStrategy": strategy.clone() });
        change(&world, obj! { "updateStrategy": strategy });
        let path = ["spec", "updateStrategy", "rollingUpdate"];
        let rolling = world.get("apps", "statefulsets", "web").at(&path).to_json();
        assert_eq!(rolling, r#"{"partition":0}"#, "the field is behind a gate that is off");
        settle(&world);
        image(&world, "redis:7.2");
        assert_eq!(pods_now(&world), "web-0:7.0 web-1:7.0 web-2:7.2", "one after the other");
        settle(&world);
        assert_eq!(pods_now(&world), "web-0:7.2 web-1:7.2 web-2:7.2");
        change(
            &world,
            obj! { "updateStrategy": obj! { "type": "OnDelete", "rollingUpdate": Value::Null } },
        );
        image(&world, "redis:7.4");
        settle(&world);
        assert_eq!(pods_now(&world), "web-0:7.2 web-1:7.2 web-2:7.2");
        world.delete("", "pods", "web-1", Value::Null);
        settle(&world);
        assert_eq!(pods_now(&world), "web-0:7.2 web-1:7.4 web-2:7.2");
    }

    #[test]
    fn what_is_ready_but_not_available_is_waited_for() {
        let ordered = world();
        set(&ordered, obj! { "minReadySeconds": 10 });
        for _ in 0..2 {
            step(&ordered);
            ordered.run(10);
        }
        step(&ordered);
        assert_eq!(pods_now(&ordered), "web-0:7.0 web-1:7.0 web-2:7.0");
        // The last one is the first that is not available: nothing keeps it.
        change(&ordered, obj! { "replicas": 2 });
        assert_eq!(pods_now(&ordered), "web-0:7.0 web-1:7.0");

        let parallel = world();
        set(
            &parallel,
            obj! { "minReadySeconds": 10, "podManagementPolicy": "Parallel" },
        );
        step(&parallel);
        parallel.run(10);
        image(&parallel, "redis:7.2");
        step(&parallel);
        parallel.run(8);
        assert_eq!(pods_now(&parallel), "web-0:7.0 web-1:7.0 web-2:7.2");
        parallel.run(2);
        assert_eq!(pods_now(&parallel), "web-0:7.0 web-1:7.2 web-2:7.2");
    }

    fn claim_template() -> Value {
        obj! {
            "metadata": obj! { "name": "data" },
            "spec": obj! {
                "accessModes": list!["ReadWriteOnce"],
                "resources": obj! { "requests": obj! { "storage": "1Gi" } },
            },
        }
    }

    #[test]
    fn claims_follow_the_retention_policy() {
        let world = world();
        let policy = obj! { "whenDeleted": "Retain", "whenScaled": "Delete" };
        set(
            &world,
            obj! {
                "replicas": 2, "volumeClaimTemplates": list![claim_template()],
                "persistentVolumeClaimRetentionPolicy": policy, "ordinals": obj! { "start": 5 },
            },
        );
        settle(&world);
        assert_eq!(pods_now(&world), "web-5:7.0 web-6:7.0");
        let claim = world.get("", "persistentvolumeclaims", "data-web-6");
        assert_eq!(claim.label("app"), Some("web"));
        assert!(claim.owner_references().is_empty());
        let volume = world.get("", "pods", "web-6").spec().get("volumes").items()[0].to_json();
        assert_eq!(
            volume,
            r#"{"name":"data","persistentVolumeClaim":{"claimName":"data-web-6"}}"#
        );
        assert_eq!(
            world.messages("SuccessfulCreate")[0],
            "Create Claim data-web-5 Pod web-5 in StatefulSet web success"
        );
        change(&world, obj! { "replicas": 1 });
        let claim = world.get("", "persistentvolumeclaims", "data-web-6");
        assert_eq!(claim.owner_references()[0].str_at(&["name"]), "web-6");
        change(
            &world,
            obj! { "persistentVolumeClaimRetentionPolicy": obj! { "whenDeleted": "Delete" } },
        );
        let claim = world.get("", "persistentvolumeclaims", "data-web-5");
        assert_eq!(claim.owner_references()[0].str_at(&["kind"]), "StatefulSet");
    }

    #[test]
    fn any_number_of_replicas_costs_what_is_there() {
        let (ordered, parallel) = (world(), world());
        set(&ordered, obj! { "replicas": 2_000_000_000 });
        step(&ordered);
        image(&ordered, "redis:7.2");
        step(&ordered);
        assert_eq!(pods_now(&ordered), "web-0:7.0 web-1:7.0 web-2:7.2");
        change(&ordered, obj! { "replicas": 1 });
        settle(&ordered);
        assert_eq!(pods_now(&ordered), "web-0:7.2");
        set(
            &parallel,
            obj! { "replicas": limits::STATEFUL_SET_BURST + 3, "podManagementPolicy": "Parallel" },
        );
        let size = limits::STATEFUL_SET_BURST + 3;
        assert_eq!(parallel.list("", "pods").len(), size);
        let status = parallel.get("apps", "statefulsets", "web").status().clone();
        assert_eq!(status.i64_at(&["replicas"]), Some(size as i64));
    }

    #[test]
    fn a_pod_that_waits_for_its_old_claim_is_not_counted() {
        for policy in ["OrderedReady", "Parallel"] {
            let world = world();
            let retention = obj! { "whenDeleted": "Retain", "whenScaled": "Delete" };
            set(
                &world,
                obj! {
                    "replicas": 2, "volumeClaimTemplates": list![claim_template()], "podManagementPolicy": policy,
                    "persistentVolumeClaimRetentionPolicy": retention,
                },
            );
            settle(&world);
            change(&world, obj! { "replicas": 1 });
            settle(&world);
            // No garbage collector is there to delete the claim.
            change(&world, obj! { "replicas": 2 });
            assert_eq!(pods_now(&world), "web-0:7.0");
            let status = world.get("apps", "statefulsets", "web").status().clone();
            assert_eq!(status.i64_at(&["replicas"]), Some(1), "{policy}");
        }
    }
}
