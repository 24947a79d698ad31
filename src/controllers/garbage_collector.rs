//! The garbage collector: follows owner references over all resources. What loses its last owner is
//! deleted; a foreground deletion waits for its dependents; an orphaning one frees them.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::Context;
use crate::api::events::{EventRecorder, EventType};
use crate::api::names::{FOREGROUND, ORPHAN};
use crate::api::object::Owner;
use crate::api::{ApiServer, Client, Object, ObjectKey, Resource, Status};
use crate::flat::{FlatMap, FlatSet, WideMap};
use crate::obj;
use crate::sim::WorkQueue;
use crate::value::{Value, quoted};

const NAME: &str = "generic-garbage-collector";
/// Whom its events are by.
const RECORDER: &str = "garbage-collector-controller";

/// Objects that are looked at at the same time (`--concurrent-gc-syncs`).
const WORKERS: usize = 20;

type Uid = Rc<str>;

struct Node {
    resource: Rc<Resource>,
    key: ObjectKey,
    owners: Vec<Uid>,
    /// Being deleted, and waiting for its dependents.
    foreground: bool,
    deleting: bool,
    /// Owners whose foreground deletion this object blocks.
    blocks: FlatSet<Uid>,
}

impl Node {
    /// Whether a dependent in this namespace may be owned by this object: one of its own namespace, or one of none.
    fn reaches(&self, namespace: &str) -> bool {
        self.key.namespace.is_empty() || &*self.key.namespace == namespace
    }

    /// Whether it is what a reference of its uid says (`ownerReferenceMatchesCoordinates`).
    fn is(&self, owner: Owner<'_>) -> bool {
        &*self.key.name == owner.name()
            && &*self.resource.kind == owner.kind()
            && self.resource.api_version() == owner.api_version()
    }
}

#[derive(Default)]
struct Graph {
    nodes: WideMap<Uid, Node>,
    dependents: FlatMap<Uid, FlatSet<Uid>>,
}

impl Graph {
    /// A dependent is an owner's no longer.
    fn part(&mut self, owner: &Uid, dependent: &Uid) {
        if let Some(set) = self.dependents.get_mut(owner) {
            set.remove(dependent);
            if set.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }
}

/// An object's key in the queues.
fn by_uid(uid: &Uid) -> ObjectKey {
    ObjectKey::new("", uid)
}

#[derive(Clone)]
struct Collector(Rc<Inner>);

struct Inner {
    api: ApiServer,
    client: Client,
    recorder: EventRecorder,
    graph: RefCell<Graph>,
    /// Whom to try to delete, by uid in the place of the name.
    deletions: WorkQueue<ObjectKey>,
    /// Whose dependents to set free, likewise.
    orphans: WorkQueue<ObjectKey>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let client = context.client(NAME);
    let collector = Collector(Rc::new(Inner {
        api: context.api().clone(),
        recorder: context.recorder(&client, RECORDER),
        client,
        graph: RefCell::default(),
        deletions: WorkQueue::new(context.sim()),
        orphans: WorkQueue::new(context.sim()),
    }));
    let (c, informers) = (collector.clone(), context.informers().clone());
    context.each_resource(move |resource| {
        let (c, r) = (c.clone(), resource.clone());
        informers
            .of(resource)
            .on_change(move |old, new| c.changed(&r, old, new));
    });
    let c = collector.clone();
    context.run(NAME, &collector.0.deletions, WORKERS, Vec::new(), async move |key| {
        c.attempt_to_delete(&key.name).await
    });
    let c = collector;
    context.run(NAME, &c.0.orphans.clone(), WORKERS, Vec::new(), async move |key| {
        c.attempt_to_orphan(&key.name).await
    });
}

impl Collector {
    fn changed(&self, resource: &Rc<Resource>, old: Option<&Object>, new: Option<&Object>) {
        let Some(object) = new else {
            if let Some(old) = old {
                self.gone(old);
            }
            return;
        };
        // A version that changed neither of these is no news here.
        let same = |o: &Object| {
            o.metadata().get("ownerReferences") == object.metadata().get("ownerReferences")
                && o.metadata().get("finalizers") == object.metadata().get("finalizers")
                && o.is_deleting() == object.is_deleting()
        };
        if old.is_some_and(same) {
            return;
        }
        let uid: Uid = object.uid().into();
        let owners: Vec<Uid> = object
            .owner_references()
            .iter()
            .map(|o| o.str_at(&["uid"]).into())
            .collect();
        let blocks = object
            .owner_references()
            .iter()
            .filter(|o| o.bool_at(&["blockOwnerDeletion"]))
            .map(|o| o.str_at(&["uid"]).into())
            .collect();
        let has = |finalizer: &str| object.finalizers().any(|f| f == finalizer);
        let foreground = object.is_deleting() && has(FOREGROUND);
        let mut work: Vec<Uid> = Vec::new();
        {
            let mut graph = self.0.graph.borrow_mut();
            let before: Vec<Uid> = graph.nodes.get(&uid).map_or_else(Vec::new, |n| n.owners.clone());
            for owner in before.iter().filter(|o| !owners.contains(o)) {
                graph.part(owner, &uid);
            }
            let mut lost = false;
            for reference in object.owner_references() {
                let owner: Uid = Owner(reference).uid().into();
                lost |= match graph.nodes.get(&owner) {
                    None => true,
                    Some(node) if !node.reaches(object.namespace()) => {
                        if !before.contains(&owner) {
                            self.tell_of_namespace(resource, object, Owner(reference));
                        }
                        true
                    }
                    Some(node) => !node.is(Owner(reference)),
                };
                graph.dependents.entry(owner).or_default().insert(uid.clone());
            }
            // An owner that waits may wait no longer, now that its dependent changed.
            for owner in owners.iter().chain(&before) {
                if graph.nodes.get(owner).is_some_and(|n| n.foreground) {
                    work.push(owner.clone());
                    work.push(uid.clone());
                }
            }
            if lost {
                work.push(uid.clone());
            }
            if object.is_deleting() && has(ORPHAN) {
                self.0.orphans.add(by_uid(&uid));
            }
            if foreground {
                work.push(uid.clone());
                let dependents = graph.dependents.get(&uid).into_iter().flatten();
                work.extend(dependents.cloned());
            }
            graph.nodes.insert(
                uid,
                Node {
                    resource: resource.clone(),
                    key: object.key(),
                    owners,
                    foreground,
                    deleting: object.is_deleting(),
                    blocks,
                },
            );
        }
        for uid in &work {
            self.0.deletions.add(by_uid(uid));
        }
    }

    /// Warns of an owner that is in another namespace than its dependent.
    fn tell_of_namespace(&self, resource: &Resource, object: &Object, owner: Owner<'_>) {
        let mut involved = object.reference();
        involved.set(&["apiVersion"], resource.api_version());
        involved.set(&["kind"], &resource.kind);
        involved.remove(&["resourceVersion"]);
        let namespace = object.namespace();
        let owner = format!(
            "[{}/{}, namespace: {namespace}, name: {}, uid: {}]",
            owner.api_version(),
            owner.kind(),
            owner.name(),
            owner.uid()
        );
        let message = format!(
            "ownerRef {owner} does not exist in namespace {namespace}",
            namespace = quoted(&namespace)
        );
        let recorder = &self.0.recorder;
        recorder.about(involved, EventType::Warning, "OwnerRefInvalidNamespace", message);
    }

    fn gone(&self, object: &Object) {
        let uid: Uid = object.uid().into();
        let mut work = Vec::new();
        {
            let mut graph = self.0.graph.borrow_mut();
            if let Some(node) = graph.nodes.remove(&uid) {
                for owner in node.owners {
                    graph.part(&owner, &uid);
                    if graph.nodes.get(&owner).is_some_and(|n| n.foreground) {
                        work.push(owner);
                    }
                }
            }
            let dependents = graph.dependents.get(&uid).into_iter().flatten();
            work.extend(dependents.cloned());
        }
        for uid in &work {
            self.0.deletions.add(by_uid(uid));
        }
    }

    /// The object as the API server has it now; `None` when it is gone or another has its name.
    async fn live(&self, uid: &Uid) -> Result<Option<(Rc<Resource>, Object)>, Status> {
        let found = {
            let graph = self.0.graph.borrow();
            graph.nodes.get(uid).map(|n| (n.resource.clone(), n.key.clone()))
        };
        let Some((resource, key)) = found else { return Ok(None) };
        match self.0.client.get(&resource, &key.namespace, &key.name).await {
            Ok(object) if object.uid() == &**uid => Ok(Some((resource, object))),
            Ok(_) => Ok(None),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status),
        }
    }

    async fn attempt_to_delete(&self, uid: &Uid) -> Result<(), Status> {
        let (deleting, foreground, owned) = {
            let graph = self.0.graph.borrow();
            match graph.nodes.get(uid) {
                None => return Ok(()),
                Some(n) => (n.deleting, n.foreground, !n.owners.is_empty()),
            }
        };
        if foreground {
            return self.finish_foreground(uid).await;
        }
        if deleting || !owned {
            return Ok(());
        }
        let Some((resource, object)) = self.live(uid).await? else {
            return Ok(());
        };
        if object.is_deleting() {
            return Ok(());
        }
        let (mut solid, mut dangling, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for owner in object.owner_references() {
            let owner = Owner(owner);
            let known = {
                let graph = self.0.graph.borrow();
                let node = graph.nodes.get(owner.uid());
                node.filter(|n| n.reaches(object.namespace()) && n.is(owner))
                    .map(|n| n.foreground)
            };
            match known {
                Some(true) => waiting.push(owner.uid().to_owned()),
                Some(false) => solid.push(owner.uid().to_owned()),
                None => match self.exists(owner, &object).await? {
                    // It stays as it is, and trying again would not help.
                    None => return Ok(()),
                    Some(true) => solid.push(owner.uid().to_owned()),
                    Some(false) => dangling.push(owner.uid().to_owned()),
                },
            }
        }
        if !solid.is_empty() {
            if dangling.is_empty() && waiting.is_empty() {
                return Ok(());
            }
            dangling.append(&mut waiting);
            return self.drop_owners(&resource, &object, &dangling).await;
        }
        if dangling.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        let has = |finalizer: &str| object.finalizers().any(|f| f == finalizer);
        let dependents = self.0.graph.borrow().dependents.contains_key(uid);
        let policy = if !waiting.is_empty() && dependents {
            "Foreground"
        } else if has(ORPHAN) {
            "Orphan"
        } else if has(FOREGROUND) {
            "Foreground"
        } else {
            "Background"
        };
        Status::ignore_not_found_or_conflict(self.0.client.delete_exactly(&resource, &object, policy).await)
    }

    /// Whether an owner that the graph does not know, or knows as another, exists after all. `None` where nobody can
    /// say: a cluster-scoped object cannot have an owner in a namespace.
    async fn exists(&self, owner: Owner<'_>, dependent: &Object) -> Result<Option<bool>, Status> {
        let Some(resource) = self.0.api.resource_of_kind(owner.api_version(), owner.kind()) else {
            // A kind that is not served cannot be asked for: it may be served again later.
            return Ok(Some(true));
        };
        let namespace = if resource.namespaced { dependent.namespace() } else { "" };
        if resource.namespaced && namespace.is_empty() {
            return Ok(None);
        }
        match self.0.client.get(&resource, namespace, owner.name()).await {
            Ok(found) => Ok(Some(found.uid() == owner.uid())),
            Err(status) if status.is_not_found() => Ok(Some(false)),
            Err(status) => Err(status),
        }
    }

    /// Lets a foreground deletion end once nothing blocks it.
    async fn finish_foreground(&self, uid: &Uid) -> Result<(), Status> {
        let blocking: Vec<Uid> = {
            let graph = self.0.graph.borrow();
            let dependents = graph.dependents.get(uid).into_iter().flatten();
            dependents
                .filter(|d| graph.nodes.get(*d).is_some_and(|n| n.blocks.contains(uid)))
                .cloned()
                .collect()
        };
        if blocking.is_empty() {
            return self.remove_finalizer(uid, FOREGROUND).await;
        }
        for dependent in blocking {
            let asked = self.0.graph.borrow().nodes.get(&dependent).is_some_and(|n| n.deleting);
            if !asked {
                self.0.deletions.add(by_uid(&dependent));
            }
        }
        Ok(())
    }

    async fn attempt_to_orphan(&self, uid: &Uid) -> Result<(), Status> {
        let dependents: Vec<Uid> = {
            let graph = self.0.graph.borrow();
            graph.dependents.get(uid).into_iter().flatten().cloned().collect()
        };
        for dependent in dependents {
            if let Some((resource, object)) = self.live(&dependent).await? {
                self.drop_owners(&resource, &object, &[uid.to_string()]).await?;
            }
        }
        self.remove_finalizer(uid, ORPHAN).await
    }

    async fn drop_owners(&self, resource: &Rc<Resource>, object: &Object, owners: &[String]) -> Result<(), Status> {
        let kept: Vec<Value> = object
            .owner_references()
            .iter()
            .filter(|o| !owners.iter().any(|uid| uid == o.str_at(&["uid"])))
            .cloned()
            .collect();
        let kept = if kept.is_empty() {
            Value::Null
        } else {
            Value::list(kept)
        };
        self.patch(resource, object, obj! { "ownerReferences": kept }).await
    }

    async fn remove_finalizer(&self, uid: &Uid, finalizer: &str) -> Result<(), Status> {
        let Some((resource, object)) = self.live(uid).await? else {
            return Ok(());
        };
        let kept: Vec<Value> = object
            .metadata()
            .get("finalizers")
            .items()
            .iter()
            .filter(|f| f.str() != finalizer)
            .cloned()
            .collect();
        if kept.len() == object.metadata().get("finalizers").items().len() {
            return Ok(());
        }
        let kept = if kept.is_empty() {
            Value::Null
        } else {
            Value::list(kept)
        };
        self.patch(&resource, &object, obj! { "finalizers": kept }).await
    }

    /// Patches an object's metadata, provided that it is still this version.
    async fn patch(&self, resource: &Rc<Resource>, object: &Object, mut metadata: Value) -> Result<(), Status> {
        metadata.set(&["uid"], object.uid());
        metadata.set(&["resourceVersion"], object.revision().to_string());
        let patch = obj! { "metadata": metadata };
        Status::ignore_not_found(self.0.client.merge(resource, object, "", patch).await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn config_map(name: &str, owner: Option<&Object>, blocking: bool) -> Value {
        let mut value = obj! {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": obj! { "name": name, "namespace": "default" },
        };
        if let Some(owner) = owner {
            let mut reference = owner.controller_reference();
            reference.set(&["blockOwnerDeletion"], blocking);
            value.set(&["metadata", "ownerReferences"], list![reference]);
        }
        value
    }

    fn world() -> (World, Object, Object) {
        let world = World::new();
        world.start(start);
        let parent = world.create(config_map("parent", None, false));
        let child = world.create(config_map("child", Some(&parent), true));
        world.create(config_map("grandchild", Some(&child), true));
        world.run(1);
        (world, parent, child)
    }

    #[test]
    fn background_takes_dependents_later() {
        let (world, _, _) = world();
        world.delete("", "configmaps", "parent", Value::Null);
        assert!(!world.exists("", "configmaps", "parent"));
        world.run(2);
        assert!(!world.exists("", "configmaps", "child"));
        assert!(!world.exists("", "configmaps", "grandchild"));
    }

    #[test]
    fn foreground_waits_for_dependents() {
        let (world, _, _) = world();
        let hold = obj! { "metadata": obj! { "finalizers": list!["example.com/hold"] } };
        world.patch("", "configmaps", "grandchild", hold);
        world.delete("", "configmaps", "parent", obj! { "propagationPolicy": "Foreground" });
        world.run(2);
        for name in ["parent", "child", "grandchild"] {
            assert!(world.get("", "configmaps", name).is_deleting(), "{name}");
        }
        let free = obj! { "metadata": obj! { "finalizers": Value::Null } };
        world.patch("", "configmaps", "grandchild", free);
        world.run(2);
        assert!(!world.exists("", "configmaps", "parent"));
        assert!(!world.exists("", "configmaps", "child"));
    }

    #[test]
    fn orphans_lose_their_owner() {
        let (world, _, _) = world();
        world.delete("", "configmaps", "parent", obj! { "propagationPolicy": "Orphan" });
        world.run(2);
        assert!(!world.exists("", "configmaps", "parent"));
        assert!(world.get("", "configmaps", "child").owner_references().is_empty());
    }

    #[test]
    fn an_owner_that_never_was_is_no_owner() {
        let (world, parent, _) = world();
        let mut ghost = parent.value().clone();
        ghost.set(&["metadata", "uid"], "00000000-0000-4000-8000-000000000001");
        ghost.set(&["metadata", "name"], "never-was");
        world.create(config_map("ghost-child", Some(&Object::new(ghost)), false));
        world.run(2);
        assert!(!world.exists("", "configmaps", "ghost-child"));
    }

    #[test]
    fn an_owner_in_another_namespace_is_none() {
        let (world, parent, _) = world();
        let mut stray = config_map("stray", Some(&parent), false);
        stray.set(&["metadata", "namespace"], "kube-system");
        world.create(stray);
        let mut reference = parent.controller_reference();
        reference.set(&["name"], "another");
        let mut misnamed = config_map("misnamed", None, false);
        misnamed.set(&["metadata", "ownerReferences"], list![reference]);
        world.create(misnamed);
        let mut role = obj! { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": list![] };
        role.set(&["metadata"], obj! { "name": "wide" });
        role.set(&["metadata", "ownerReferences"], list![parent.controller_reference()]);
        world.create(role);
        world.run(2);
        let stays = |name: &str| {
            world
                .api()
                .store()
                .get("configmaps", &ObjectKey::new("kube-system", name))
        };
        assert!(stays("stray").is_none());
        assert!(!world.exists("", "configmaps", "misnamed"));
        assert!(world.exists("", "configmaps", "child"));
        // What nobody can look up stays.
        assert!(world.exists("rbac.authorization.k8s.io", "clusterroles", "wide"));
        let uid = parent.uid();
        let told = |namespace: &str| {
            format!(
                "ownerRef [v1/ConfigMap, namespace: {namespace}, name: parent, uid: {uid}] does not exist in namespace {namespace:?}"
            )
        };
        assert_eq!(
            world.messages("OwnerRefInvalidNamespace"),
            [told("kube-system"), told("")]
        );
    }
}
