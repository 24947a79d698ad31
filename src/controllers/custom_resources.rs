//! The controllers of custom resources, which run inside the API server: names are accepted and
//! definitions established, the objects of a definition that goes are deleted, and each served
//! version has its APIService.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Context, resource};
use crate::api::custom::definition::{self, CLEANUP};
use crate::api::custom::{self, condition};
use crate::api::object::set_condition;
use crate::api::{ApiServer, Client, Informer, ListOptions, Object, ObjectKey, Resource, Status};
use crate::flat::{FlatMap, FlatSet};
use crate::sim::{Sim, WorkQueue};
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};
use crate::{list, obj};

/// Between two looks at whether all objects of a definition are gone, and how long it is waited.
const POLL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

const GROUP: &str = "apiextensions.k8s.io";
const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    sim: Sim,
    api: ApiServer,
    client: Client,
    definitions: Informer,
    resource: Rc<Resource>,
}

/// Starts the controllers.
pub fn start(context: &Context) {
    let crds = resource(context.api(), GROUP, "customresourcedefinitions");
    let controller = Controller(Rc::new(Inner {
        sim: context.sim().clone(),
        api: context.api().clone(),
        client: context.client("kube-apiserver"),
        definitions: context.informers().of(&crds),
        resource: crds,
    }));
    let synced = vec![controller.0.definitions.clone()];

    // One worker reserves names, so that no two definitions get the same.
    let naming: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let (c, q) = (controller.clone(), naming.clone());
    controller.0.definitions.on_change(move |old, new| {
        let Some(definition) = new.or(old) else { return };
        q.add(definition.key());
        if new.is_none() {
            // Its names are free for others of the group.
            for other in c.others(definition) {
                q.add(other.key());
            }
        }
    });
    let c = controller.clone();
    let q = naming.clone();
    context.run("crd-naming", &naming, 1, synced.clone(), async move |key| {
        c.name(&key, &q).await
    });

    let finalizing: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let q = finalizing.clone();
    controller.0.definitions.on_change(move |old, new| {
        let Some(definition) = new.filter(|d| d.is_deleting() && d.finalizers().any(|f| f == CLEANUP)) else {
            return;
        };
        // Its own reports on how the deletion goes are no news.
        let apart = |d: &Object| {
            let mut value = d.value().clone();
            value.remove(&["metadata", "resourceVersion"]);
            value
                .at_mut(&["status", "conditions"])
                .list_mut()
                .retain(|c| c.get("type").str() != "Terminating");
            value
        };
        if old.is_none_or(|old| apart(old) != apart(definition)) {
            q.add(definition.key());
        }
    });
    let c = controller.clone();
    context.run("crd-finalizer", &finalizing, 5, synced.clone(), async move |key| {
        c.finalize(&key).await
    });

    // Whatever changes, all are looked through: one key is enough.
    let services: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let all = || ObjectKey::new("", "");
    let q = services.clone();
    controller.0.definitions.on_change(move |_, _| q.add(all()));
    let apiservices = resource(context.api(), "apiregistration.k8s.io", "apiservices");
    let informer = context.informers().of(&apiservices);
    let q = services.clone();
    informer.on_change(move |_, _| q.add(all()));
    let mut both = synced;
    both.push(informer.clone());
    let (c, a, i) = (controller.clone(), apiservices.clone(), informer.clone());
    context.run("crd-autoregister", &services, 1, both, async move |_| {
        c.register(&a, &i).await
    });

    let available: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let q = available.clone();
    informer.on_change(move |_, new| {
        if let Some(service) = new {
            q.add(service.key());
        }
    });
    let c = controller.clone();
    context.run(
        "local-apiservice-availability",
        &available,
        5,
        vec![informer.clone()],
        async move |key| c.availability(&apiservices, &informer, &key).await,
    );
}

/// The names of a group that are taken: of resources and of kinds.
#[derive(Default)]
struct Taken {
    resources: FlatSet<String>,
    kinds: FlatSet<String>,
}

/// Whether a name may be had.
fn fresh(wanted: &str, own: &str, taken: &FlatSet<String>) -> Result<(), String> {
    if wanted == own || !taken.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{wanted} is already in use", wanted = quoted(&wanted)))
    }
}

/// What names a definition gets, and why not all that it asks for: reason and message.
fn accept(definition: &Object, taken: &Taken) -> (Value, Option<(&'static str, String)>) {
    let wanted = definition.at(&["spec", "names"]);
    let own = definition.at(&["status", "acceptedNames"]);
    let mut names = own.clone();
    let mut conflict = None;
    for (field, reason, used) in [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ] {
        match fresh(wanted.get(field).str(), own.get(field).str(), used) {
            Ok(()) => names.set_or_remove(&[field], wanted.get(field).clone()),
            Err(why) => conflict = Some((reason, why)),
        }
        if field == "singular" {
            let had = own.get("shortNames").items();
            let wrong: Vec<String> = wanted
                .get("shortNames")
                .items()
                .iter()
                .filter(|s| !had.contains(s) && *s != own.get("plural") && *s != own.get("singular"))
                .filter_map(|s| fresh(s.str(), "", &taken.resources).err())
                .collect();
            match aggregate(&wrong) {
                None => names.set_or_remove(&["shortNames"], wanted.get("shortNames").clone()),
                Some(why) => conflict = Some(("ShortNamesConflict", why)),
            }
        }
    }
    names.set_or_remove(&["categories"], wanted.get("categories").clone());
    (names, conflict)
}

impl Controller {
    /// The other definitions of a definition's group.
    fn others(&self, definition: &Object) -> Vec<Object> {
        let mut found = self.0.definitions.list("");
        found.retain(|d| d.name() != definition.name() && d.spec().get("group") == definition.spec().get("group"));
        found
    }

    /// Accepts a definition's names and establishes it.
    async fn name(&self, key: &ObjectKey, queue: &WorkQueue<ObjectKey>) -> Result<(), Status> {
        let inner = &self.0;
        let definition = match inner.client.get(&inner.resource, "", &key.name).await {
            Ok(definition) => definition,
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status),
        };
        let mut taken = Taken::default();
        // The server's own state, since what this controller wrote last may not have come back yet.
        inner.api.store().each(custom::DEFINITIONS, "", |other| {
            if other.spec().get("group") != definition.spec().get("group") {
                return;
            }
            let names = other.at(&["status", "acceptedNames"]);
            let texts = names.get("shortNames").items().iter().map(Value::str);
            taken.resources.extend(
                texts
                    .chain([names.get("plural").str(), names.get("singular").str()])
                    .map(str::to_owned),
            );
            taken
                .kinds
                .extend([names.get("kind").str(), names.get("listKind").str()].map(str::to_owned));
        });
        let now = inner.sim.now();
        let (names, conflict) = accept(&definition, &taken);
        let mut value = definition.value().clone();
        value.set(&["status", "acceptedNames"], names);
        match &conflict {
            None => set_condition(
                value.at_mut(&["status"]),
                "NamesAccepted",
                true,
                "NoConflicts",
                "no conflicts found",
                now,
            ),
            Some((reason, why)) => set_condition(value.at_mut(&["status"]), "NamesAccepted", false, reason, why, now),
        }
        let established = condition(&definition, "Established");
        if !established && conflict.is_none() {
            let message = "the initial names have been accepted";
            set_condition(
                value.at_mut(&["status"]),
                "Established",
                false,
                "Installing",
                message,
                now,
            );
        } else if definition.condition("Established").is_none() {
            let message = "not all names are accepted";
            set_condition(
                value.at_mut(&["status"]),
                "Established",
                false,
                "NotAccepted",
                message,
                now,
            );
        }
        match definition::approval(definition.value()) {
            Some(Ok((true, why))) => set_condition(
                value.at_mut(&["status"]),
                "KubernetesAPIApprovalPolicyConformant",
                true,
                "ApprovedAnnotation",
                &why,
                now,
            ),
            Some(Ok((false, why))) => set_condition(
                value.at_mut(&["status"]),
                "KubernetesAPIApprovalPolicyConformant",
                false,
                "UnapprovedAnnotation",
                &why,
                now,
            ),
            _ => {}
        }
        let mut present = definition.clone();
        if value != *definition.value() {
            match inner.client.update_status(&inner.resource, value).await {
                Ok(updated) => present = updated,
                // Changed or gone meanwhile: the change calls again.
                Err(status) if status.is_not_found() || status.is_conflict() => return Ok(()),
                Err(status) => return Err(status),
            }
            if present.at(&["status", "acceptedNames"]) != definition.at(&["status", "acceptedNames"]) {
                // A name may have been given up.
                for other in self.others(&definition) {
                    queue.add(other.key());
                }
            }
        }
        if condition(&present, "NamesAccepted") && !condition(&present, "Established") {
            let mut value = present.value().clone();
            let message = "the initial names have been accepted";
            set_condition(
                value.at_mut(&["status"]),
                "Established",
                true,
                "InitialNamesAccepted",
                message,
                inner.sim.now(),
            );
            Status::ignore_not_found_or_conflict(inner.client.update_status(&inner.resource, value).await)?;
        }
        Ok(())
    }

    /// Writes a definition's `Terminating` condition, and takes its finalizer when `done`.
    async fn report(
        &self,
        name: &str,
        going: bool,
        reason: &str,
        message: &str,
        done: bool,
    ) -> Result<Option<Object>, Status> {
        let inner = &self.0;
        let definition = match inner.client.get(&inner.resource, "", name).await {
            Ok(definition) => definition,
            Err(status) if status.is_not_found() => return Ok(None),
            Err(status) => return Err(status),
        };
        let mut value = definition.value().clone();
        set_condition(
            value.at_mut(&["status"]),
            "Terminating",
            going,
            reason,
            message,
            inner.sim.now(),
        );
        if done {
            let kept: Vec<Value> = definition
                .metadata()
                .get("finalizers")
                .items()
                .iter()
                .filter(|f| f.str() != CLEANUP)
                .cloned()
                .collect();
            value.set_or_remove(&["metadata", "finalizers"], kept);
        }
        match inner.client.update_status(&inner.resource, value).await {
            Ok(definition) => Ok(Some(definition)),
            Err(status) if status.is_not_found() || status.is_conflict() => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Deletes the objects of a definition that is being deleted, and lets it go.
    async fn finalize(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(definition) = inner.definitions.get(key).filter(Object::is_deleting) else {
            return Ok(());
        };
        let name = definition.name();
        let message = "CustomResource deletion is in progress";
        let Some(definition) = self
            .report(name, true, "InstanceDeletionInProgress", message, false)
            .await?
        else {
            return Ok(());
        };
        if !condition(&definition, "Established") {
            self.report(name, false, "NeverEstablished", "resource was never established", true)
                .await?;
            return Ok(());
        }
        let served = inner.api.resources();
        let of_it =
            |r: &&Rc<Resource>| !r.name.contains('/') && r.custom.as_ref().is_some_and(|c| c.definition.name() == name);
        if let Some(resource) = served.iter().find(of_it) {
            let all = ListOptions::default();
            let namespaces: FlatSet<String> = inner
                .client
                .list(resource, "", &all)
                .await?
                .items
                .iter()
                .map(|o| o.namespace().to_owned())
                .collect();
            for namespace in namespaces {
                inner
                    .client
                    .delete_collection(resource, &namespace, &all, Value::Null)
                    .await?;
            }
            let end = inner.sim.now() + PATIENCE;
            while !inner.client.list(resource, "", &all).await?.items.is_empty() {
                if inner.sim.now() >= end {
                    let why = "could not confirm zero CustomResources remaining: timed out waiting for the condition";
                    self.report(name, true, "InstanceDeletionCheck", why, false).await?;
                    return Err(Status::internal(why));
                }
                inner.sim.sleep(POLL).await;
            }
        }
        self.report(name, false, "InstanceDeletionCompleted", "removed all instances", true)
            .await?;
        Ok(())
    }

    /// Makes the APIServices of custom resources, and removes those that nothing stands behind.
    async fn register(&self, resource: &Rc<Resource>, services: &Informer) -> Result<(), Status> {
        let inner = &self.0;
        let mut wanted: FlatMap<String, (String, String)> = FlatMap::new();
        inner.definitions.each("", |definition| {
            let group = definition.spec().get("group").str();
            let served = definition.spec().get("versions").items().iter();
            if condition(definition, "Established") {
                for version in served.filter(|v| v.bool_at(&["served"])) {
                    let version = version.get("name").str();
                    wanted.insert(format!("{version}.{group}"), (group.to_owned(), version.to_owned()));
                }
            }
        });
        let present = services.list("");
        for (name, (group, version)) in &wanted {
            if present.iter().any(|s| s.name() == name) {
                continue;
            }
            let mut labels = Value::map();
            labels.set(&[AUTOMANAGED], "true");
            let value = obj! {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": obj! { "labels": labels, "name": name.as_str() },
                "spec": obj! {
                    "group": group.as_str(),
                    "groupPriorityMinimum": 1000,
                    "version": version.as_str(),
                    "versionPriority": 100,
                },
            };
            match inner.client.make(resource, "", value).await {
                Err(status) if !status.is_already_exists() => return Err(status),
                _ => {}
            }
        }
        for service in present {
            let own = service.label(AUTOMANAGED) == Some("true");
            if own && !wanted.contains_key(service.name()) {
                Status::ignore_not_found(inner.client.delete(resource, "", service.name(), Value::Null).await)?;
            }
        }
        Ok(())
    }

    /// Writes that an APIService of the server itself is available. Those that name a Service are
    /// looked after by `api_service`.
    async fn availability(&self, resource: &Rc<Resource>, services: &Informer, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let local = |s: &Object| s.spec().get("service").is_null() && s.condition("Available").is_none();
        let Some(service) = services.get(key).filter(local) else {
            return Ok(());
        };
        let (reason, message) = ("Local", "Local APIServices are always available");
        let mut value = service.value().clone();
        if value.at(&["status", "conditions"]).is_null() {
            value.set(&["status", "conditions"], list![]);
        }
        set_condition(
            value.at_mut(&["status"]),
            "Available",
            true,
            reason,
            message,
            inner.sim.now(),
        );
        Status::ignore_not_found_or_conflict(inner.client.update_status(resource, value).await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    fn definition(plural: &str, kind: &str, short: &str) -> Value {
        obj! {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": obj! { "name": format!("{plural}.a.io") },
            "spec": obj! {
                "group": "a.io",
                "scope": "Namespaced",
                "names": obj! { "plural": plural, "kind": kind, "shortNames": list![short] },
                "versions": list![obj! {
                    "name": "v1", "served": true, "storage": true,
                    "schema": obj! { "openAPIV3Schema": obj! { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
                }],
            },
        }
    }

    fn conditions(world: &World, name: &str) -> String {
        let definition = world.get(GROUP, "customresourcedefinitions", name);
        let all: Vec<String> = definition
            .status()
            .get("conditions")
            .items()
            .iter()
            .map(|c| {
                format!(
                    "{}={} {} {}",
                    c.get("type").str(),
                    c.get("status").str(),
                    c.get("reason").str(),
                    c.get("message").str()
                )
            })
            .collect();
        all.join("\n")
    }

    #[test]
    fn names_conflict_and_are_freed_and_objects_go_with_their_definition() {
        let world = World::new();
        world.start(start);
        world.create(definition("as", "A", "x"));
        world.run(1);
        expect_test::expect![[r#"
            NamesAccepted=True NoConflicts no conflicts found
            Established=True InitialNamesAccepted the initial names have been accepted"#]]
        .assert_eq(&conditions(&world, "as.a.io"));
        world.create(definition("bs", "A", "x"));
        world.run(1);
        expect_test::expect![[r#"
            NamesAccepted=False ListKindConflict "AList" is already in use
            Established=False NotAccepted not all names are accepted"#]]
        .assert_eq(&conditions(&world, "bs.a.io"));
        assert!(world.exists("apiregistration.k8s.io", "apiservices", "v1.a.io"));
        let service = world.get("apiregistration.k8s.io", "apiservices", "v1.a.io");
        assert_eq!(service.condition("Available").unwrap().get("reason").str(), "Local");
        world.create(
            obj! { "apiVersion": "a.io/v1", "kind": "A", "metadata": obj! { "name": "one", "namespace": "default" } },
        );
        world.delete(GROUP, "customresourcedefinitions", "as.a.io", Value::Null);
        world.run(10);
        assert!(!world.exists(GROUP, "customresourcedefinitions", "as.a.io"));
        assert!(world.api().store().list("as.a.io", "").is_empty());
        expect_test::expect![[r#"
            NamesAccepted=True NoConflicts no conflicts found
            Established=True InitialNamesAccepted the initial names have been accepted"#]]
        .assert_eq(&conditions(&world, "bs.a.io"));
        assert_eq!(
            world.api().resource_of_kind("a.io/v1", "A").map(|r| r.name.to_string()),
            Some("bs".into())
        );
    }
}
