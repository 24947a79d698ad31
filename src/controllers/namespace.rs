//! The Namespace controller: empties namespaces that are being deleted, pods first, and then lets
//! them go.

use std::rc::Rc;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::{ApiServer, Informer, ListOptions, Object, ObjectKey, Resource, Status};
use crate::flat::{Arrange, FlatMap};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const NAME: &str = "namespace-controller";
const FINALIZER: &str = "kubernetes";

/// How long content with finalizers is given before it is looked at again, in seconds.
const FINALIZER_ESTIMATE: i64 = 15;

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    api: ApiServer,
    api_services: Informer,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api_services = resource(context.api(), "apiregistration.k8s.io", "apiservices");
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "", "namespaces"),
        api: context.api().clone(),
        api_services: context.informers().of(&api_services),
    }));
    let c = controller.clone();
    controller.0.objects.on_change(move |_, new| {
        if let Some(namespace) = new.filter(|n| n.is_deleting()) {
            c.0.queue.add(namespace.key());
        }
    });
    let c = controller.clone();
    let others = [&controller.0.api_services];
    controller
        .0
        .run(context, 10, &others, async move |key| c.sync(&key).await);
}

/// What is left in a namespace.
#[derive(Default)]
struct Remaining {
    /// Instances by resource, `pods.`, `configmaps.`, `deployments.apps`.
    resources: FlatMap<String, usize>,
    finalizers: FlatMap<String, usize>,
    /// Seconds after which to look again.
    estimate: i64,
    failures: Vec<String>,
    /// Groups and versions whose resources nobody can name now, each with the reason.
    undiscovered: Vec<String>,
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let namespace = match inner.client.get(&inner.resource, "", &key.name).await {
            Ok(namespace) => namespace,
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status),
        };
        if !namespace.is_deleting() || namespace.spec().get("finalizers").is_empty() {
            return Ok(());
        }
        let mut namespace = namespace;
        if namespace.status().str_at(&["phase"]) != "Terminating" {
            let mut value = namespace.value().clone();
            value.set(&["status", "phase"], "Terminating");
            namespace = inner.client.update_status(&inner.resource, value).await?;
        }
        let mut remaining = self.empty(&key.name).await;
        remaining.undiscovered = self.undiscovered();
        let namespace = self.report(&namespace, &remaining).await?;
        if !remaining.failures.is_empty() || !remaining.undiscovered.is_empty() {
            return Err(Status::internal(remaining.failures.join("; ")));
        }
        if !remaining.resources.is_empty() {
            let delay = crate::sim::seconds(remaining.estimate / 2 + 1);
            inner.queue.add_after(key.clone(), delay);
            return Ok(());
        }
        let kept: Vec<Value> = namespace
            .spec()
            .get("finalizers")
            .items()
            .iter()
            .filter(|f| f.str() != FINALIZER)
            .cloned()
            .collect();
        let mut value = namespace.value().clone();
        value.set(&["spec", "finalizers"], kept);
        Status::ignore_not_found(inner.client.update_part(&inner.resource, "finalize", value).await)
    }

    /// What discovery says of the groups and versions of APIServices that are not available.
    fn undiscovered(&self) -> Vec<String> {
        let mut failing = Vec::new();
        self.0.api_services.each("", |service| {
            if service
                .condition("Available")
                .is_some_and(|c| c.str_at(&["status"]) == "False")
            {
                let of = |field: &str| service.spec().str_at(&[field]).to_owned();
                let version = format!("{}/{}", of("group"), of("version"));
                failing.push(format!("{version}: stale GroupVersion discovery: {version}"));
            }
        });
        failing.arrange();
        failing
    }

    /// Deletes what can be deleted now: pods alone as long as there are some.
    async fn empty(&self, namespace: &str) -> Remaining {
        let mut remaining = Remaining::default();
        let resources = self.0.api.resources();
        let deletable =
            |r: &&Rc<Resource>| r.namespaced && !r.name.contains('/') && ["list", "delete"].iter().all(|v| r.can(v));
        let (first, others): (Vec<Rc<Resource>>, Vec<Rc<Resource>>) = resources
            .iter()
            .filter(deletable)
            .filter(|r| &*r.group != "events.k8s.io")
            .cloned()
            .partition(|r| r.group.is_empty() && &*r.name == "pods");
        for resource in first {
            self.empty_of(namespace, &resource, &mut remaining).await;
        }
        if !remaining.resources.is_empty() {
            return remaining;
        }
        for resource in others {
            self.empty_of(namespace, &resource, &mut remaining).await;
        }
        remaining
    }

    async fn empty_of(&self, namespace: &str, resource: &Rc<Resource>, remaining: &mut Remaining) {
        let client = &self.0.client;
        let all = ListOptions::default();
        let present = match client.list(resource, namespace, &all).await {
            Ok(list) => list.items,
            Err(status) => {
                if !status.is_not_found() {
                    remaining.failures.push(status.message().to_owned());
                }
                return;
            }
        };
        if present.is_empty() {
            return;
        }
        if &*resource.name == "pods" {
            let grace = present
                .iter()
                .filter(|p| !pods::is_terminal(p))
                .filter_map(|p| p.spec().i64_at(&["terminationGracePeriodSeconds"]))
                .max();
            remaining.estimate = remaining.estimate.max(grace.unwrap_or(0));
        }
        let mut failure = None;
        if resource.can("deletecollection") {
            let options = obj! { "propagationPolicy": "Background" };
            failure = client.delete_collection(resource, namespace, &all, options).await.err();
        } else {
            for object in &present {
                let options = obj! { "propagationPolicy": "Background" };
                if let Err(status) = client.delete(resource, namespace, object.name(), options).await
                    && !status.is_not_found()
                {
                    failure = Some(status);
                }
            }
        }
        if let Some(status) = failure {
            remaining.failures.push(status.message().to_owned());
        }
        let Ok(left) = client.list(resource, namespace, &all).await else {
            return;
        };
        if left.items.is_empty() {
            return;
        }
        let name = format!("{}.{}", resource.name, resource.group);
        remaining.resources.insert(name, left.items.len());
        for finalizer in left.items.iter().flat_map(Object::finalizers) {
            *remaining.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            remaining.estimate = remaining.estimate.max(FINALIZER_ESTIMATE);
        }
    }

    /// Says in the namespace's conditions what is left.
    async fn report(&self, namespace: &Object, remaining: &Remaining) -> Result<Object, Status> {
        let inner = &self.0;
        let counted = |map: &FlatMap<String, usize>, word: &str| {
            let parts: Vec<String> = map
                .iter()
                .map(|(k, n)| format!("{k} {word} {n} resource instances"))
                .collect();
            parts.join(", ")
        };
        let failed = !remaining.failures.is_empty();
        let left = !remaining.resources.is_empty();
        let held = !remaining.finalizers.is_empty();
        let pick = |yes: bool, a: (&'static str, String), b: (&'static str, &str)| {
            if yes {
                (true, a.0, a.1)
            } else {
                (false, b.0, b.1.to_owned())
            }
        };
        let wanted = [
            (
                "NamespaceDeletionDiscoveryFailure",
                pick(
                    !remaining.undiscovered.is_empty(),
                    (
                        "DiscoveryFailed",
                        format!(
                            "Discovery failed for some groups, {} failing: unable to retrieve the complete list of server APIs: {}",
                            remaining.undiscovered.len(),
                            remaining.undiscovered.join(", ")
                        ),
                    ),
                    ("ResourcesDiscovered", "All resources successfully discovered"),
                ),
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                (
                    false,
                    "ParsedGroupVersions",
                    "All legacy kube types successfully parsed".to_owned(),
                ),
            ),
            (
                "NamespaceDeletionContentFailure",
                pick(
                    failed,
                    (
                        "ContentDeletionFailed",
                        format!(
                            "Failed to delete all resource types, {} remaining: {}",
                            remaining.failures.len(),
                            remaining.failures.join(", ")
                        ),
                    ),
                    (
                        "ContentDeleted",
                        "All content successfully deleted, may be waiting on finalization",
                    ),
                ),
            ),
            (
                "NamespaceContentRemaining",
                pick(
                    left,
                    (
                        "SomeResourcesRemain",
                        format!("Some resources are remaining: {}", counted(&remaining.resources, "has")),
                    ),
                    ("ContentRemoved", "All content successfully removed"),
                ),
            ),
            (
                "NamespaceFinalizersRemaining",
                pick(
                    held,
                    (
                        "SomeFinalizersRemain",
                        format!(
                            "Some content in the namespace has finalizers remaining: {}",
                            counted(&remaining.finalizers, "in")
                        ),
                    ),
                    ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
                ),
            ),
        ];
        let mut conditions = namespace.status().get("conditions").items().to_vec();
        for (kind, (state, reason, message)) in wanted {
            set(&mut conditions, kind, state, reason, &message, inner.sim.now());
        }
        if conditions == namespace.status().get("conditions").items() {
            return Ok(namespace.clone());
        }
        let mut value = namespace.value().clone();
        value.set(&["status", "conditions"], conditions);
        inner.client.update_status(&inner.resource, value).await
    }
}

fn set(conditions: &mut Vec<Value>, kind: &str, state: bool, reason: &str, message: &str, now: Time) {
    let status = if state { "True" } else { "False" };
    let new = obj! {
        "lastTransitionTime": now, "message": message, "reason": reason, "status": status, "type": kind,
    };
    match conditions.iter_mut().find(|c| c.str_at(&["type"]) == kind) {
        None => conditions.push(new),
        Some(present) => {
            if present.str_at(&["status"]) != status {
                *present = new;
            } else if present.str_at(&["reason"]) != reason || present.str_at(&["message"]) != message {
                present.set(&["reason"], reason);
                present.set(&["message"], message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    #[test]
    fn empties_and_waits_for_finalizers() {
        let world = World::new();
        world.start(start);
        world.create(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "stuck" } });
        for (name, finalizers) in [("plain", list![]), ("held", list!["example.com/hold"])] {
            world.create(obj! {
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": obj! { "name": name, "namespace": "stuck", "finalizers": finalizers },
            });
        }
        world.delete("", "namespaces", "stuck", Value::Null);
        world.run(10);
        let namespace = world.get("", "namespaces", "stuck");
        let conditions: Vec<String> = namespace
            .status()
            .get("conditions")
            .items()
            .iter()
            .map(|c| {
                format!(
                    "{}={} {}",
                    c.str_at(&["type"]),
                    c.str_at(&["status"]),
                    c.str_at(&["reason"])
                )
            })
            .collect();
        expect_test::expect![[r#"
            NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered
            NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions
            NamespaceDeletionContentFailure=False ContentDeleted
            NamespaceContentRemaining=True SomeResourcesRemain
            NamespaceFinalizersRemaining=True SomeFinalizersRemain
        "#]]
        .assert_eq(&(conditions.join("\n") + "\n"));
        assert_eq!(
            namespace
                .condition("NamespaceContentRemaining")
                .unwrap()
                .str_at(&["message"]),
            "Some resources are remaining: configmaps. has 1 resource instances"
        );
        let held = world.list("", "configmaps");
        assert_eq!(held.len(), 1);
        let mut value = held[0].value().clone();
        value.remove(&["metadata", "finalizers"]);
        let client = world.client().clone();
        let cms = client.resource("", "v1", "configmaps").unwrap();
        world.wait(async move { client.update(&cms, value).await.unwrap() });
        world.run(20);
        assert!(!world.exists("", "namespaces", "stuck"));
    }

    #[test]
    fn a_group_that_nobody_serves_keeps_the_namespace() {
        let world = World::new();
        world.start(start);
        let name = "v1beta1.metrics.k8s.io";
        world.create(obj! {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": obj! { "name": name },
            "spec": obj! {
                "group": "metrics.k8s.io", "version": "v1beta1", "insecureSkipTLSVerify": true,
                "groupPriorityMinimum": 100, "versionPriority": 100,
                "service": obj! { "name": "metrics-server", "namespace": "kube-system" },
            },
        });
        let available = |state: &str| {
            let conditions = list![obj! { "type": "Available", "status": state }];
            let status = obj! { "status": obj! { "conditions": conditions } };
            world.patch_sub("apiregistration.k8s.io", "apiservices", name, "status", status);
        };
        available("False");
        world.create(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "stuck" } });
        world.delete("", "namespaces", "stuck", Value::Null);
        world.run(10);
        let failure = world
            .get("", "namespaces", "stuck")
            .condition("NamespaceDeletionDiscoveryFailure")
            .unwrap()
            .clone();
        assert_eq!(failure.str_at(&["reason"]), "DiscoveryFailed");
        assert_eq!(
            failure.str_at(&["message"]),
            "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1"
        );
        available("True");
        world.run(60);
        assert!(!world.exists("", "namespaces", "stuck"));
    }
}
