//! The DaemonSet controller: one pod on each node that fits, rolled when the template changes, with
//! the templates' history as ControllerRevisions.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, OwnerIndex, resource};
use super::deployment::util::int_or_percent;
use super::expectations::Expectations;
use super::history::{self, number};
use super::ownership::Claimer;
use super::{hash, pods};
use crate::api::events::EventType;
use crate::api::placement::{node_affinity_fits, untolerated};
use crate::api::well_known::CONTROLLER_REVISION_HASH;
use crate::api::{Informer, Object, ObjectKey, Resource, Selector, Status};
use crate::flat::{Arrange, FlatMap};
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

const NAME: &str = "daemonset-controller";
const GENERATION_LABEL: &str = "pod-template-generation";
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// At most so many creations or deletions in one pass.
const BURST: usize = 250;

/// How long the next failed pod on a node is left alone after the first was replaced; it doubles with each.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest time that a failed pod is left alone. Twice as long without a failure, and it begins anew.
const BACKOFF_MOST: Duration = Duration::from_secs(15 * 60);

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    control: pods::PodControl,
    nodes: Informer,
    pods: OwnerIndex,
    revisions: OwnerIndex,
    pod_resource: Rc<Resource>,
    revision_resource: Rc<Resource>,
    expectations: Expectations,
    /// How long failed pods are left alone and since when, by set, its generation and the node.
    backoff: RefCell<FlatMap<String, (Duration, Time)>>,
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
    let revision_resource = resource(api, "apps", "controllerrevisions");
    let expectations = Expectations::new(context.sim());
    let base = Base::new(context, NAME, "apps", "daemonsets");
    let controller = Controller(Rc::new(Inner {
        control: pods::PodControl::new(context, &base, &expectations),
        base,
        nodes: informers.of(&resource(api, "", "nodes")),
        pods: informers.by_owner(&pod_resource),
        revisions: informers.by_owner(&revision_resource),
        pod_resource,
        revision_resource,
        expectations,
        backoff: RefCell::default(),
    }));
    let inner = &controller.0;
    inner.expectations.follow(&inner.objects);
    inner.objects.feed(&inner.queue);
    let c = controller.clone();
    controller.0.nodes.on_change(move |old, new| {
        let same =
            |a: &Object, b: &Object| a.labels() == b.labels() && a.spec().get("taints") == b.spec().get("taints");
        match (old, new) {
            (Some(old), Some(new)) if same(old, new) => {}
            (Some(_), Some(node)) => c.0.objects.each("", |set| {
                // Only a pod that is missing, or one that may not stay, is work. A taint that lets
                // pods stay leaves even the status as it is.
                let (run, stay) = should_run(set, node);
                let owned = c.0.pods.owned(set.uid());
                let scheduled = owned.iter().any(|p| target_node(p) == node.name());
                if (run && !scheduled) || (!stay && scheduled) {
                    c.0.queue.add(set.key());
                }
            }),
            _ => c.0.objects.each("", |set| c.0.queue.add(set.key())),
        }
    });
    let c = controller.clone();
    let pods = inner.pods.informer();
    pods.on_change(move |old, new| c.pod_changed(old, new));
    let c = controller.clone();
    let revisions = inner.revisions.informer();
    revisions.on_change(move |old, new| {
        for revision in [old, new].into_iter().flatten() {
            if let Some(set) = c.0.owner_of(revision) {
                c.0.queue.add(set.key());
            }
        }
    });
    let c = controller.clone();
    let others = [&inner.nodes, pods, revisions];
    inner.run(context, 2, &others, async move |key| c.sync(&key).await);
}

/// The node that a pod of a DaemonSet is for: its own, or the one that its affinity names.
fn target_node(pod: &Object) -> &str {
    let node = pods::node_name(pod);
    if !node.is_empty() {
        return node;
    }
    crate::api::placement::named_nodes(pod.spec())
        .and_then(|names| names.first().copied())
        .unwrap_or("")
}

/// Whether a pod should be started on a node, and whether one that runs there may stay.
fn should_run(set: &Object, node: &Object) -> (bool, bool) {
    let spec = set.spec().at(&["template", "spec"]);
    let named = spec.str_at(&["nodeName"]);
    if !(named.is_empty() || named == node.name()) || !node_affinity_fits(spec, node) {
        return (false, false);
    }
    let tolerations = tolerations(spec);
    let taints = node.spec().get("taints").items();
    if untolerated(taints, &tolerations, &["NoSchedule", "NoExecute"]).is_some() {
        return (false, untolerated(taints, &tolerations, &["NoExecute"]).is_none());
    }
    (true, true)
}

/// The template's tolerations and those that every pod of a DaemonSet has.
fn tolerations(spec: &Value) -> Vec<Value> {
    let mut all = spec.get("tolerations").items().to_vec();
    let mut added = vec![
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ];
    if spec.bool_at(&["hostNetwork"]) {
        added.push(("network-unavailable", "NoSchedule"));
    }
    for (key, effect) in added {
        let new = obj! { "effect": effect, "key": format!("node.kubernetes.io/{key}"), "operator": "Exists" };
        // An equal key, effect, operator and value is replaced.
        let same = |t: &Value| {
            ["effect", "key", "operator", "value"]
                .iter()
                .all(|f| t.get(f).str() == new.get(f).str())
        };
        match all.iter_mut().find(|t| same(t)) {
            Some(present) => *present = new,
            None => all.push(new),
        }
    }
    all
}

/// What one pass works with.
struct Pass {
    set: Object,
    /// The hash of the present template.
    hash: String,
    by_node: FlatMap<String, Vec<Object>>,
    nodes: Vec<Object>,
}

impl Pass {
    /// Whether a pod is of the present template.
    fn is_updated(&self, pod: &Object) -> bool {
        let generation = self.set.annotation(GENERATION);
        let same_generation = generation.is_some() && pod.label(GENERATION_LABEL) == generation;
        same_generation || pod.label(CONTROLLER_REVISION_HASH) == Some(&self.hash)
    }

    fn pods_on(&self, node: &str) -> &[Object] {
        self.by_node.get(node).map_or(&[], Vec::as_slice)
    }

    fn min_ready(&self) -> i64 {
        self.set.spec().i64_at(&["minReadySeconds"]).unwrap_or(0)
    }

    /// The pod of the present template on a node and the one of an older; `None` when there is more
    /// than one of either.
    fn on_node(&self, node: &str) -> Option<(Option<&Object>, Option<&Object>)> {
        let (mut new, mut old) = (None, None);
        for pod in self.pods_on(node).iter().filter(|p| !p.is_deleting()) {
            let slot = if self.is_updated(pod) { &mut new } else { &mut old };
            if slot.is_some() {
                return None;
            }
            *slot = Some(pod);
        }
        Some((new, old))
    }

    /// maxSurge and maxUnavailable of the nodes that should run a pod.
    fn limits(&self) -> (i64, i64) {
        let desired = self.nodes.iter().filter(|n| should_run(&self.set, n).0).count() as i64;
        let rolling = self.set.spec().at(&["updateStrategy", "rollingUpdate"]);
        let surge = int_or_percent(rolling.get("maxSurge"), desired, true);
        let unavailable = match rolling.get("maxUnavailable") {
            Value::Null => 1,
            v => int_or_percent(v, desired, true),
        };
        if surge == 0 && unavailable == 0 {
            return (0, 1);
        }
        (surge, unavailable)
    }
}

impl Controller {
    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let expectations = &self.0.expectations;
        let gone = new.is_none_or(Object::is_deleting);
        for pod in [old, new].into_iter().flatten() {
            if let Some(set) = self.0.owner_of(pod) {
                if gone {
                    expectations.deleted(&set.key(), &pod.key());
                } else if old.is_none() {
                    expectations.created(&set.key());
                }
                self.0.queue.add(set.key());
            } else if pod.controller().is_none() && !gone {
                self.0.objects.each(pod.namespace(), |set| {
                    if selector(set).matches(pod.labels()) {
                        self.0.queue.add(set.key());
                    }
                });
            }
        }
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(set) = inner.objects.get(key) else {
            inner.expectations.forget(key);
            return Ok(());
        };
        let selector = selector(&set);
        if selector.is_everything() {
            let message = "This daemon set is selecting all pods. A non-empty selector is required.";
            inner.recorder.event(&set, EventType::Warning, "SelectingAll", message);
            return Ok(());
        }
        if set.is_deleting() {
            return Ok(());
        }
        let (hash, old_revisions) = self.history(&set).await?;
        let satisfied = inner.expectations.satisfied(key);
        let mut pass = self.look(&set, &selector, hash).await?;
        if satisfied {
            self.manage(&pass).await?;
            if inner.expectations.satisfied(key) && set.spec().str_at(&["updateStrategy", "type"]) != "OnDelete" {
                pass = self.look(&set, &selector, pass.hash).await?;
                self.roll(&pass).await?;
            }
            self.clean_up(&pass, old_revisions).await?;
        }
        self.update_status(&pass).await
    }

    /// Claims the set's pods, and sorts them by their nodes.
    async fn look(&self, set: &Object, selector: &Selector, hash: String) -> Result<Pass, Status> {
        let inner = &self.0;
        let mut candidates = inner.pods.owned(set.uid());
        candidates.extend(inner.pods.orphans(set.namespace()));
        let claimer = Claimer::new(&inner.client, &inner.resource, set, selector, &inner.pod_resource);
        let claimed = claimer.claim(candidates).await?;
        let mut by_node: FlatMap<String, Vec<Object>> = FlatMap::new();
        for pod in claimed {
            by_node.entry(target_node(&pod).to_owned()).or_default().push(pod);
        }
        for list in by_node.values_mut() {
            list.arrange_by_key(|p| (pods::node_name(p).is_empty(), p.created(), p.key()));
        }
        Ok(Pass {
            set: set.clone(),
            hash,
            by_node,
            nodes: inner.nodes.list(""),
        })
    }

    /// The hash of the present template's revision, which is made or renumbered as needed, and the
    /// other revisions.
    async fn history(&self, set: &Object) -> Result<(String, Vec<Object>), Status> {
        let inner = &self.0;
        let mut old = inner.revisions.owned(set.uid());
        let data = history::data(set);
        let latest = old.iter().map(number).max().unwrap_or(0);
        let current = old.iter().position(|r| r.value().get("data") == &data);
        if let Some(at) = current {
            let revision = old.remove(at);
            if number(&revision) < latest {
                let mut value = revision.value().clone();
                value.set(&["revision"], latest + 1);
                inner.client.update(&inner.revision_resource, value).await?;
            }
            return Ok((revision.label(CONTROLLER_REVISION_HASH).unwrap_or("").to_owned(), old));
        }
        let hash = hash::compute(set.spec().get("template"), set.status().i64_at(&["collisionCount"]));
        let (resource, label) = (&inner.revision_resource, (CONTROLLER_REVISION_HASH, hash.as_str()));
        match history::create(&inner.client, resource, set, &data, latest + 1, label).await {
            Ok(_) => Ok((hash, old)),
            Err(status) if status.is_already_exists() => {
                let mut value = set.value().clone();
                let count = set.status().i64_at(&["collisionCount"]).unwrap_or(0);
                value.set(&["status", "collisionCount"], count + 1);
                inner.client.update_status(&inner.resource, value).await?;
                Err(status)
            }
            Err(status) => Err(status),
        }
    }

    /// Starts pods where they are missing, and deletes those that should not be.
    async fn manage(&self, pass: &Pass) -> Result<(), Status> {
        let mut missing: Vec<String> = Vec::new();
        let mut excess: Vec<Object> = Vec::new();
        let known: Vec<&str> = pass.nodes.iter().map(Object::name).collect();
        for node in &pass.nodes {
            let (run, stay) = should_run(&pass.set, node);
            let present = pass.pods_on(node.name());
            if run && present.is_empty() {
                missing.push(node.name().to_owned());
            } else if stay {
                let mut running: Vec<&Object> = Vec::new();
                for pod in present.iter().filter(|p| !p.is_deleting()) {
                    let (kind, reason, word) = match pods::phase(pod) {
                        "Failed" if self.backs_off(&pass.set, node.name()) => continue,
                        "Failed" => (EventType::Warning, "FailedDaemonPod", ("failed", "kill")),
                        "Succeeded" => (EventType::Normal, "SucceededDaemonPod", ("succeeded", "delete")),
                        _ => {
                            running.push(pod);
                            continue;
                        }
                    };
                    let message = format!(
                        "Found {} daemon pod {} on node {}, will try to {} it",
                        word.0,
                        pod.key(),
                        node.name(),
                        word.1
                    );
                    self.0.recorder.event(&pass.set, kind, reason, message);
                    excess.push(pod.clone());
                }
                // The one that has its node, and the oldest of those, stays; with a surge, one of each template,
                // until the new one is available or the old one no use.
                let surges = pass.limits().0 > 0;
                let (mut new, mut old) = (None, None);
                for pod in running {
                    let slot = if surges && pass.is_updated(pod) {
                        &mut new
                    } else {
                        &mut old
                    };
                    match slot {
                        None => *slot = Some(pod),
                        Some(_) => excess.push(pod.clone()),
                    }
                }
                if let (Some(new), Some(old)) = (new, old)
                    && (!pods::is_ready(old) || pods::is_available(new, pass.min_ready(), self.0.sim.now()))
                {
                    excess.push(old.clone());
                }
            } else {
                excess.extend(present.iter().filter(|p| !p.is_deleting()).cloned());
            }
        }
        // Pods that wait for a node which does not exist any more.
        for (node, list) in &pass.by_node {
            if !known.contains(&node.as_str()) {
                let waiting = list
                    .iter()
                    .filter(|p| !p.is_deleting() && pods::node_name(p).is_empty());
                excess.extend(waiting.cloned());
            }
        }
        self.change(pass, missing, excess).await
    }

    /// Whether the failed pod of a set on a node is left alone for now: a kubelet that refuses the pod would refuse
    /// the next one too. When it is not, the next one waits longer.
    fn backs_off(&self, set: &Object, node: &str) -> bool {
        let now = self.0.sim.now();
        let generation = set.status().i64_at(&["observedGeneration"]).unwrap_or(0);
        let key = format!("{}/{generation}/{node}", set.uid());
        let mut all = self.0.backoff.borrow_mut();
        all.retain(|_, (_, since)| now.since(*since) <= BACKOFF_MOST * 2);
        let (delay, since) = all.get(&key).copied().unwrap_or((Duration::ZERO, now));
        if now.since(since) < delay {
            self.0.queue.add_after(set.key(), delay);
            return true;
        }
        all.insert(key, ((delay * 2).clamp(BACKOFF, BACKOFF_MOST), now));
        false
    }

    /// Replaces pods of older templates within maxUnavailable, or beside them within maxSurge.
    async fn roll(&self, pass: &Pass) -> Result<(), Status> {
        let (surge, most_unavailable) = pass.limits();
        let now = self.0.sim.now();
        let available = |p: &Object| pods::is_available(p, pass.min_ready(), now);
        if surge == 0 {
            let mut unavailable = 0;
            let (mut must, mut may) = (Vec::new(), Vec::new());
            for node in pass.nodes.iter().filter(|n| should_run(&pass.set, n).0) {
                match pass.on_node(node.name()) {
                    Some((Some(new), None)) => unavailable += i64::from(!available(new)),
                    Some((None, Some(old))) if !available(old) => {
                        must.push(old.clone());
                        unavailable += 1;
                    }
                    Some((None, Some(old))) => may.push(old.clone()),
                    _ => unavailable += 1,
                }
            }
            let room = usize::try_from(most_unavailable - unavailable).unwrap_or(0);
            must.extend(may.into_iter().take(room));
            return self.change(pass, Vec::new(), must).await;
        }
        let (mut surging, mut gone) = (0, Vec::new());
        let (mut must, mut may) = (Vec::new(), Vec::new());
        for node in pass.nodes.iter().filter(|n| should_run(&pass.set, n).0) {
            match pass.on_node(node.name()) {
                Some((None, Some(old))) if !available(old) => {
                    surging += 1;
                    must.push(node.name().to_owned());
                }
                Some((None, Some(_))) => may.push(node.name().to_owned()),
                Some((Some(new), Some(old))) => {
                    if available(new) {
                        gone.push(old.clone());
                    } else {
                        surging += 1;
                    }
                }
                _ => {}
            }
        }
        let room = usize::try_from(surge - surging).unwrap_or(0);
        must.extend(may.into_iter().take(room));
        self.change(pass, must, gone).await
    }

    async fn change(&self, pass: &Pass, mut missing: Vec<String>, mut excess: Vec<Object>) -> Result<(), Status> {
        let inner = &self.0;
        missing.truncate(BURST);
        excess.truncate(BURST);
        if missing.is_empty() && excess.is_empty() {
            return Ok(());
        }
        let new = |i: usize| pod(pass, missing.get(i).map_or("", |n| n));
        let (_, result) = inner.control.change(&pass.set, missing.len(), new, &excess).await;
        result
    }

    /// Deletes revisions beyond the limit that no pod is of, the oldest first.
    async fn clean_up(&self, pass: &Pass, mut old: Vec<Object>) -> Result<(), Status> {
        let limit = pass.set.spec().i64_at(&["revisionHistoryLimit"]).unwrap_or(10);
        let mut excess = old.len() as i64 - limit;
        if excess <= 0 {
            return Ok(());
        }
        let live: Vec<&str> = pass
            .by_node
            .values()
            .flatten()
            .filter_map(|p| p.label(CONTROLLER_REVISION_HASH))
            .collect();
        old.arrange_by_key(number);
        for revision in old {
            if excess <= 0 {
                break;
            }
            if revision
                .label(CONTROLLER_REVISION_HASH)
                .is_some_and(|h| live.contains(&h))
            {
                continue;
            }
            excess -= 1;
            let deleted = self.0.client.delete_exactly(&self.0.revision_resource, &revision, "");
            Status::ignore_not_found(deleted.await)?;
        }
        Ok(())
    }

    async fn update_status(&self, pass: &Pass) -> Result<(), Status> {
        let inner = &self.0;
        let now = inner.sim.now();
        let (mut desired, mut current, mut misscheduled, mut ready, mut updated, mut available) = (0, 0, 0, 0, 0, 0);
        for node in &pass.nodes {
            let present = pass.pods_on(node.name());
            if !should_run(&pass.set, node).0 {
                misscheduled += i64::from(!present.is_empty());
                continue;
            }
            desired += 1;
            let Some(pod) = present.first() else { continue };
            current += 1;
            ready += i64::from(pods::is_ready(pod));
            available += i64::from(pods::is_available(pod, pass.min_ready(), now));
            updated += i64::from(pass.is_updated(pod));
        }
        let mut status = pass.set.status().clone();
        status.set(&["currentNumberScheduled"], current);
        status.set(&["desiredNumberScheduled"], desired);
        status.set(&["numberMisscheduled"], misscheduled);
        status.set(&["numberReady"], ready);
        status.set_or_remove(&["numberAvailable"], available);
        status.set_or_remove(&["numberUnavailable"], desired - available);
        status.set_or_remove(&["updatedNumberScheduled"], updated);
        status.set(&["observedGeneration"], pass.set.generation());
        inner.write_status(&pass.set, status).await?;
        let all = pass.by_node.values().flatten();
        if let Some(delay) = pods::next_available(all, pass.min_ready(), now) {
            inner.queue.add_after(pass.set.key(), delay);
        }
        Ok(())
    }
}

/// The pod of the present template for a node.
fn pod(pass: &Pass, node: &str) -> Value {
    let set = &pass.set;
    let mut template = set.spec().get("template").clone();
    template.set(&["metadata", "labels", CONTROLLER_REVISION_HASH], pass.hash.as_str());
    if let Some(generation) = set.annotation(GENERATION) {
        template.set(&["metadata", "labels", GENERATION_LABEL], generation);
    }
    template.set(&["spec", "tolerations"], tolerations(template.get("spec")));
    let field = obj! { "key": "metadata.name", "operator": "In", "values": list![node] };
    template.set(
        &[
            "spec",
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ],
        obj! { "nodeSelectorTerms": list![obj! { "matchFields": list![field] }] },
    );
    pods::from_template(set, &template)
}

fn selector(set: &Object) -> Selector {
    Selector::from_label_selector(set.spec().get("selector"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    fn set(image: &str) -> Value {
        let container = obj! { "name": "agent", "image": image };
        obj! {
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": obj! { "name": "agent", "namespace": "default" },
            "spec": obj! {
                "selector": obj! { "matchLabels": obj! { "app": "agent" } },
                "template": obj! {
                    "metadata": obj! { "labels": obj! { "app": "agent" } },
                    "spec": obj! { "containers": list![container], "terminationGracePeriodSeconds": 0 },
                },
            },
        }
    }

    /// Lets pods become ready on the nodes that they are for, until nothing changes.
    fn settle(world: &World) {
        for _ in 0..40 {
            world.run(1);
            let before = world.sim().trace().last_seq();
            world.all_ready();
            world.end_pods();
            if world.sim().trace().last_seq() == before {
                return;
            }
        }
        panic!("it does not settle");
    }

    fn nodes_of(world: &World) -> Vec<String> {
        let mut names: Vec<String> = world
            .list("", "pods")
            .iter()
            .map(|p| target_node(p).to_owned())
            .collect();
        names.sort();
        names
    }

    fn world() -> World {
        let world = World::new();
        for name in ["n1", "n2", "n3"] {
            world.node(name, "2", "4Gi");
        }
        world.start(start);
        world
    }

    #[test]
    fn one_on_each_node_that_fits() {
        let world = world();
        world.create(set("redis:7.0"));
        settle(&world);
        assert_eq!(nodes_of(&world), ["n1", "n2", "n3"]);
        let pod = &world.list("", "pods")[0];
        assert_eq!(pod.label(GENERATION_LABEL), Some("1"));
        assert_eq!(pod.spec().get("tolerations").items().len(), 6);
        let taints = list![obj! { "key": "maintenance", "effect": "NoExecute" }];
        world.patch("", "nodes", "n1", obj! { "spec": obj! { "taints": taints } });
        settle(&world);
        assert_eq!(nodes_of(&world), ["n2", "n3"]);
        let status = world.get("apps", "daemonsets", "agent").status().to_json();
        expect_test::expect![[r#"{"currentNumberScheduled":2,"desiredNumberScheduled":2,"numberAvailable":2,"numberMisscheduled":0,"numberReady":2,"observedGeneration":1,"updatedNumberScheduled":2}"#]].assert_eq(&status);
        world.patch("", "nodes", "n1", obj! { "spec": obj! { "taints": Value::Null } });
        settle(&world);
        assert_eq!(nodes_of(&world), ["n1", "n2", "n3"]);
        world.delete("", "pods", world.list("", "pods")[0].name(), Value::Null);
        settle(&world);
        assert_eq!(nodes_of(&world), ["n1", "n2", "n3"]);
    }

    #[test]
    fn rolls_and_keeps_revisions() {
        let world = world();
        world.create(set("redis:7.0"));
        settle(&world);
        let change = |image: &str| {
            let containers = list![obj! { "name": "agent", "image": image }];
            obj! { "spec": obj! { "template": obj! { "spec": obj! { "containers": containers } } } }
        };
        world.patch("apps", "daemonsets", "agent", change("redis:7.2"));
        settle(&world);
        let images: Vec<String> = world
            .list("", "pods")
            .iter()
            .map(|p| p.spec().get("containers").items()[0].str_at(&["image"]).to_owned())
            .collect();
        assert_eq!(images, ["redis:7.2"; 3]);
        let numbers = |world: &World| {
            let mut n: Vec<i64> = world.list("apps", "controllerrevisions").iter().map(number).collect();
            n.sort_unstable();
            n
        };
        assert_eq!(numbers(&world), [1, 2]);
        // Back: the old revision gets the next number.
        world.patch("apps", "daemonsets", "agent", change("redis:7.0"));
        settle(&world);
        assert_eq!(numbers(&world), [2, 3]);
    }

    /// Sets the status of the pod of a node, and gives how many pods are there a second later.
    fn tell(world: &World, node: &str, status: Value) -> usize {
        let on_node = |world: &World| {
            let mut pods = world.list("", "pods");
            pods.retain(|p| target_node(p) == node);
            pods
        };
        let name = on_node(world)[0].name().to_owned();
        world.patch_sub("", "pods", &name, "status", obj! { "status": status });
        world.run(1);
        let pods = on_node(world);
        pods.iter().filter(|p| pods::phase(p) == "Pending").count()
    }

    #[test]
    fn pods_that_end_are_replaced_those_that_fail_ever_later() {
        let world = world();
        world.create(set("redis:7.0"));
        world.run(1);
        let ended = |world: &World, phase: &str| tell(world, "n1", obj! { "phase": phase });
        assert_eq!(ended(&world, "Succeeded"), 1);
        let message = &world.messages("SucceededDaemonPod")[0];
        assert!(message.starts_with("Found succeeded daemon pod default/agent-"));
        assert!(message.ends_with(" on node n1, will try to delete it"), "{message}");
        assert_eq!(ended(&world, "Failed"), 1);
        assert!(world.messages("FailedDaemonPod")[0].ends_with(" on node n1, will try to kill it"));
        world.run(2);
        assert_eq!(ended(&world, "Failed"), 1, "the second after one second");
        assert_eq!(ended(&world, "Failed"), 0, "the third after two");
        assert_eq!(world.messages("FailedDaemonPod").len(), 2);
        world.run(3);
        assert_eq!(world.messages("FailedDaemonPod").len(), 3);
    }

    #[test]
    fn an_old_pod_that_is_not_ready_makes_way_for_the_new_one() {
        let world = world();
        let mut value = set("redis:7.0");
        let rolling = obj! { "maxSurge": 3, "maxUnavailable": 0 };
        value.set(&["spec", "updateStrategy", "rollingUpdate"], rolling);
        world.create(value);
        settle(&world);
        let containers = list![obj! { "name": "agent", "image": "redis:7.2" }];
        let template = obj! { "spec": obj! { "containers": containers } };
        world.patch(
            "apps",
            "daemonsets",
            "agent",
            obj! { "spec": obj! { "template": template } },
        );
        world.run(1);
        assert_eq!(nodes_of(&world), ["n1", "n1", "n2", "n2", "n3", "n3"]);
        let broken = list![obj! { "type": "Ready", "status": "False" }];
        let mut old = world.list("", "pods");
        old.retain(|p| target_node(p) == "n2" && pods::is_ready(p));
        world.patch_sub(
            "",
            "pods",
            old[0].name(),
            "status",
            obj! { "status": obj! { "conditions": broken } },
        );
        world.run(1);
        assert_eq!(nodes_of(&world), ["n1", "n1", "n2", "n3", "n3"]);
        settle(&world);
        assert_eq!(nodes_of(&world), ["n1", "n2", "n3"]);
    }
}
