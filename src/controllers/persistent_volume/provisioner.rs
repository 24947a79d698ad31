//! The provisioners that are simulated: local-path-provisioner, minikube's storage-provisioner and
//! nfs-subdir-external-provisioner. As on a real cluster each works only while a pod of its image
//! runs; without one, claims wait. The volume is a directory on the node of the pod that asks
//! (local-path), on any node (minikube), or on the NFS server that all nodes share.

use std::rc::Rc;

use crate::api::events::{EventRecorder, EventType};
use crate::api::volumes::{self, PROVISIONED_BY, PROVISIONER, SELECTED_NODE, class_of};
use crate::api::{Client, Informer, Object, ObjectKey, Resource, Status};
use crate::controllers::context::{Context, resource};
use crate::controllers::pods;
use crate::obj;
use crate::sim::WorkQueue;
use crate::value::Value;

const NAME: &str = "provisioner";

/// Where a provisioner's volumes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A directory on the disk of the node that is selected.
    Node,
    /// A directory on whatever node mounts it.
    Host,
    /// A directory of the server that the provisioner's pod is told of.
    Nfs,
}

/// A provisioner.
struct Kind {
    /// Its name, unless its pod is told another in `PROVISIONER_NAME`.
    name: &'static str,
    /// Part of the name of its image.
    image: &'static str,
    /// Where its directories are.
    base: &'static str,
    place: Place,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "rancher.io/local-path",
        image: "rancher/local-path-provisioner",
        base: "/opt/local-path-provisioner",
        place: Place::Node,
    },
    Kind {
        name: "k8s.io/minikube-hostpath",
        image: "k8s-minikube/storage-provisioner",
        base: "/tmp/hostpath-provisioner",
        place: Place::Host,
    },
    Kind {
        name: "k8s-sigs.io/nfs-subdir-external-provisioner",
        image: "nfs-subdir-external-provisioner",
        base: "/",
        place: Place::Nfs,
    },
];

/// The provisioner that a pod is, with its container.
fn provisioner_of(pod: &Object) -> Option<(&'static Kind, &Value)> {
    let containers = pod.spec().get("containers").items().iter();
    containers
        .filter_map(|c| {
            let image = c.str_at(&["image"]);
            Some((KINDS.iter().find(|k| image.contains(k.image))?, c))
        })
        .next()
}

/// A variable of a container.
fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let env = container.get("env").items().iter();
    env.filter(|e| e.str_at(&["name"]) == name)
        .find_map(|e| e.get("value").as_str())
}

/// The name that a provisioner's pod answers to.
fn name_of<'a>(kind: &'a Kind, container: &'a Value) -> &'a str {
    variable(container, "PROVISIONER_NAME").unwrap_or(kind.name)
}

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    client: Client,
    recorder: EventRecorder,
    claims: Informer,
    volumes: Informer,
    classes: Informer,
    pods: Informer,
    volume_resource: Rc<Resource>,
    queue: WorkQueue<ObjectKey>,
}

/// Starts what the provisioners' pods do.
pub fn start(context: &Context) {
    let api = context.api();
    let client = context.client(NAME);
    let informers = context.informers();
    let volume_resource = resource(api, "", "persistentvolumes");
    let controller = Controller(Rc::new(Inner {
        recorder: context.recorder(&client, NAME),
        client,
        claims: informers.of(&resource(api, "", "persistentvolumeclaims")),
        volumes: informers.of(&volume_resource),
        classes: informers.of(&resource(api, "storage.k8s.io", "storageclasses")),
        pods: informers.of(&resource(api, "", "pods")),
        volume_resource,
        queue: WorkQueue::new(context.sim()),
    }));
    let c = controller.clone();
    controller.0.claims.on_change(move |_, new| {
        if let Some(claim) = new
            && claim.annotation(PROVISIONER).is_some()
        {
            c.0.queue.add(claim.key());
        }
    });
    let c = controller.clone();
    controller.0.pods.on_change(move |old, new| {
        let ready = |p: Option<&Object>| p.is_some_and(pods::is_ready);
        if !ready(old) && ready(new) && new.and_then(provisioner_of).is_some() {
            c.0.claims.each("", |claim| {
                if claim.annotation(PROVISIONER).is_some() {
                    c.0.queue.add(claim.key());
                }
            });
        }
    });
    let c = controller.clone();
    controller.0.volumes.on_change(move |_, new| {
        if let Some(volume) = new
            && volume.status().str_at(&["phase"]) == "Released"
            && volume.annotation(PROVISIONED_BY).is_some()
        {
            c.0.queue.add(volume.key());
        }
    });
    let inner = &controller.0;
    let synced = vec![
        inner.claims.clone(),
        inner.volumes.clone(),
        inner.classes.clone(),
        inner.pods.clone(),
    ];
    let c = controller.clone();
    context.run(NAME, &controller.0.queue, 1, synced, async move |key| {
        if key.namespace.is_empty() {
            c.delete(&key).await
        } else {
            c.provision(&key).await
        }
    });
}

impl Controller {
    /// The ready pod that answers to the name of a provisioner.
    fn pod_of(&self, name: &str) -> Option<Object> {
        let mut found = None;
        self.0.pods.each("", |pod| {
            let answers = || provisioner_of(pod).is_some_and(|(kind, container)| name_of(kind, container) == name);
            if pods::is_ready(pod) && pods::is_active(pod) && answers() {
                found.get_or_insert_with(|| pod.clone());
            }
        });
        found
    }

    async fn provision(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(claim) = inner.claims.get(key).filter(|c| !volumes::is_bound(c)) else {
            return Ok(());
        };
        let (Some(provisioner), Some(class)) = (
            claim.annotation(PROVISIONER),
            inner.classes.get(&ObjectKey::new("", class_of(&claim))),
        ) else {
            return Ok(());
        };
        let node = claim.annotation(SELECTED_NODE);
        let waits = volumes::waits_for_consumer(&class) && node.is_none();
        let (Some(pod), false) = (self.pod_of(provisioner), waits || claim.is_deleting()) else {
            return Ok(());
        };
        let Some((kind, container)) = provisioner_of(&pod) else {
            return Ok(());
        };
        let name = format!("pvc-{}", claim.uid());
        if inner.volumes.get(&ObjectKey::new("", &name)).is_some() {
            return Ok(());
        }
        let event = |reason: &str, message: String| {
            inner.recorder.event(&claim, EventType::Normal, reason, message);
        };
        event(
            "Provisioning",
            format!(
                "External provisioner is provisioning volume for claim \"{}/{}\"",
                claim.namespace(),
                claim.name()
            ),
        );
        let mut reference = claim.reference();
        reference.set(&["apiVersion"], "v1");
        reference.set(&["kind"], "PersistentVolumeClaim");
        let mut spec = obj! {
            "accessModes": claim.spec().get("accessModes").clone(),
            "capacity": obj! { "storage": claim.spec().at(&["resources", "requests", "storage"]).clone() },
            "claimRef": reference,
            "persistentVolumeReclaimPolicy": class.value().get("reclaimPolicy").clone(),
            "storageClassName": class.name(),
            "volumeMode": claim.spec().get("volumeMode").clone(),
        };
        let directory = format!("{name}_{}_{}", claim.namespace(), claim.name());
        if kind.place == Place::Nfs {
            let server = variable(container, "NFS_SERVER").unwrap_or("");
            let path = variable(container, "NFS_PATH")
                .unwrap_or(kind.base)
                .trim_end_matches('/');
            let path = format!("{path}/{}-{}-{name}", claim.namespace(), claim.name());
            spec.set(&["nfs"], obj! { "path": path, "server": server });
        } else {
            let path = format!("{}/{directory}", kind.base);
            spec.set(&["hostPath"], obj! { "path": path, "type": "DirectoryOrCreate" });
        }
        if kind.place == Place::Node {
            let node = node.unwrap_or_else(|| pods::node_name(&pod));
            spec.set(&["nodeAffinity"], volumes::on_node(node));
        }
        let mut volume = obj! {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": obj! { "name": name.as_str() },
            "spec": spec,
        };
        volume.set(&["metadata", "annotations", PROVISIONED_BY], provisioner);
        let made = inner.client.make(&inner.volume_resource, "", volume).await;
        match made {
            Err(status) if !status.is_already_exists() => return Err(status),
            _ => event(
                "ProvisioningSucceeded",
                format!("Successfully provisioned volume {name}"),
            ),
        }
        Ok(())
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(volume) = inner.volumes.get(key) else {
            return Ok(());
        };
        let policy = volume.spec().str_at(&["persistentVolumeReclaimPolicy"]);
        let by = volume.annotation(PROVISIONED_BY);
        if policy != "Delete" || by.and_then(|name| self.pod_of(name)).is_none() {
            return Ok(());
        }
        let deleted = inner
            .client
            .delete(&inner.volume_resource, "", volume.name(), Value::Null)
            .await;
        Status::ignore_not_found(deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::persistent_volume::binder;
    use crate::controllers::testing::World;
    use crate::list;

    #[test]
    fn makes_and_deletes_volumes_while_its_pod_runs() {
        let world = World::new();
        world.node("n1", "2", "4Gi");
        world.start(binder::start);
        world.start(super::super::protection::start_claims);
        world.start(super::super::protection::start_volumes);
        world.start(start);
        world.create(obj! {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": obj! { "name": "local" },
            "provisioner": "rancher.io/local-path",
        });
        world.create(obj! {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": obj! { "name": "c", "namespace": "default" },
            "spec": obj! {
                "accessModes": list!["ReadWriteOnce"], "storageClassName": "local",
                "resources": obj! { "requests": obj! { "storage": "1Gi" } },
            },
        });
        world.run(60);
        assert!(
            world.list("", "persistentvolumes").is_empty(),
            "nobody runs that would make one"
        );
        let containers = list![obj! { "name": "p", "image": "docker.io/rancher/local-path-provisioner:v0.0.31" }];
        let pod = world.create(obj! {
            "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": "p", "namespace": "default" },
            "spec": obj! { "containers": containers, "nodeName": "n1" },
        });
        world.make_ready(&pod);
        world.run(2);
        let claim = world.get("", "persistentvolumeclaims", "c");
        assert!(volumes::is_bound(&claim));
        let volume = world.list("", "persistentvolumes").remove(0);
        assert_eq!(volume.name(), format!("pvc-{}", claim.uid()));
        assert_eq!(volume.status().str_at(&["phase"]), "Bound");
        world.delete("", "persistentvolumeclaims", "c", Value::Null);
        world.run(2);
        assert!(world.list("", "persistentvolumes").is_empty());
    }
}
