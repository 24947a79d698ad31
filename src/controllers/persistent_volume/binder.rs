//! The PersistentVolume binder (`persistentvolume-binder-controller`): finds for each claim a volume
//! that fits, binds the two to each other, and releases, keeps or deletes volumes whose claims are
//! gone. What fails or finds nothing is tried again at the next of its periodic passes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::events::{EventRecorder, EventType};
use crate::api::quantity::Quantity;
use crate::api::volumes::{
    self, BETA_PROVISIONER, BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONED_BY, PROVISIONER, SELECTED_NODE, class_of,
};
use crate::api::{Client, Informer, Object, ObjectKey, Resource, Status};
use crate::controllers::context::{Context, resource};
use crate::flat::{FlatMap, FlatSet};
use crate::sim::{Sim, Time, WorkQueue};
use crate::value::{Value, quoted};

const NAME: &str = "persistentvolume-binder-controller";
const COMPONENT: &str = "persistentvolume-controller";

/// Everything is looked at anew so often (`--pvclaimbinder-sync-period`).
const RESYNC: Duration = Duration::from_secs(15);

/// When the first of these passes is, after the controller's start: a world begins with a cluster
/// that has been running, somewhere within a period.
const FIRST_RESYNC: Duration = Duration::from_secs(1);

/// A new volume becomes available only some time after it was stored; a claim that is stored
/// together with it (in one file) is looked at before, and finds nothing until the next pass. On a
/// real cluster this is a race that the claim mostly wins.
const VOLUME_DELAY: Duration = Duration::from_millis(10);

/// In-tree plugins whose work a CSI driver does now, by the driver's name.
const MIGRATED: [(&str, &str); 7] = [
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    ("kubernetes.io/azure-file", "file.csi.azure.com"),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
];

#[derive(Clone)]
pub(super) struct Controller(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) sim: Sim,
    start: Time,
    pub(super) client: Client,
    pub(super) recorder: EventRecorder,
    /// What the controller that lets volumes grow says.
    expander: EventRecorder,
    claims: Informer,
    volumes: Informer,
    classes: Informer,
    pods: Informer,
    claim_resource: Rc<Resource>,
    volume_resource: Rc<Resource>,
    /// Claims and volumes, which are told apart by their namespaces: a volume has none.
    queue: WorkQueue<ObjectKey>,
    /// What was written and the informers do not show yet.
    written: RefCell<FlatMap<ObjectKey, Object>>,
    pub(super) pod_resource: Rc<Resource>,
    pub(super) event_resource: Rc<Resource>,
    /// The volumes that are being emptied.
    pub(super) recycling: RefCell<FlatSet<String>>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let client = context.client(NAME);
    let informers = context.informers();
    let claim_resource = resource(api, "", "persistentvolumeclaims");
    let volume_resource = resource(api, "", "persistentvolumes");
    let pod_resource = resource(api, "", "pods");
    let controller = Controller(Rc::new(Inner {
        sim: context.sim().clone(),
        start: context.sim().now(),
        recorder: context.recorder(&client, COMPONENT),
        expander: context.recorder(&client, "volume_expand"),
        client,
        claims: informers.of(&claim_resource),
        volumes: informers.of(&volume_resource),
        classes: informers.of(&resource(api, "storage.k8s.io", "storageclasses")),
        pods: informers.of(&pod_resource),
        pod_resource,
        event_resource: resource(api, "", "events"),
        recycling: RefCell::default(),
        claim_resource,
        volume_resource,
        queue: WorkQueue::new(context.sim()),
        written: RefCell::default(),
    }));
    let c = controller.clone();
    controller.0.claims.on_change(move |old, new| {
        if let (Some(old), Some(new)) = (old, new) {
            c.tell_growth(old, new);
        }
        if let Some(claim) = new.or(old) {
            c.saw(claim.key(), new);
            c.0.queue.add(claim.key());
            let volume = claim.spec().str_at(&["volumeName"]);
            if new.is_none() && !volume.is_empty() {
                // Its volume is to be released.
                c.0.queue.add(ObjectKey::new("", volume));
            }
        }
    });
    let c = controller.clone();
    controller.0.volumes.on_change(move |old, new| {
        if let Some(volume) = new.or(old) {
            let key = volume.key();
            c.saw(key.clone(), new);
            match (old, new) {
                (None, Some(_)) => c.0.queue.add_after(key, VOLUME_DELAY),
                (Some(_), Some(_)) => c.0.queue.add(key),
                (_, None) => {
                    if let Some(claim) = claim_of(volume) {
                        c.0.queue.add(claim);
                    }
                }
            }
        }
    });
    let synced = vec![
        controller.0.claims.clone(),
        controller.0.volumes.clone(),
        controller.0.classes.clone(),
        controller.0.pods.clone(),
    ];
    let c = controller.clone();
    context.run(NAME, &controller.0.queue, 1, synced, async move |key| {
        if is_volume(&key) {
            c.sync_volume(&key).await;
        } else {
            c.sync_claim(&key).await;
        }
        Ok(())
    });
}

/// Whether a provisioner is none of the cluster's own.
fn is_external(provisioner: &str) -> bool {
    !provisioner.starts_with("kubernetes.io/")
}

/// Claims and volumes share one type of key: a claim always has a namespace.
fn is_volume(key: &ObjectKey) -> bool {
    key.namespace.is_empty()
}

/// The claim that a volume is for. A reference is what a user wrote: one without a namespace or a name means no
/// claim that there could be, and least of all the volume of that name.
fn claim_of(volume: &Object) -> Option<ObjectKey> {
    let reference = volume.spec().get("claimRef");
    let (namespace, name) = (reference.str_at(&["namespace"]), reference.str_at(&["name"]));
    (!namespace.is_empty() && !name.is_empty()).then(|| ObjectKey::new(namespace, name))
}

impl Controller {
    /// A claim or volume as its informer shows it.
    fn shown(&self, key: &ObjectKey) -> Option<Object> {
        if is_volume(key) {
            self.0.volumes.get(key)
        } else {
            self.0.claims.get(key)
        }
    }

    /// Says of a bound claim that asks for more now that none of the cluster's own plugins makes its volume grow.
    fn tell_growth(&self, old: &Object, new: &Object) {
        let has = Quantity::parse_or_zero(new.status().str_at(&["capacity", "storage"]));
        let (before, asked) = (volumes::requested(old), volumes::requested(new));
        if asked > before && asked > has && new.status().str_at(&["phase"]) == "Bound" {
            let message = "waiting for an external controller to expand this PVC";
            let recorder = &self.0.expander;
            recorder.event(new, EventType::Normal, "ExternalExpanding", message);
        }
    }

    /// Forgets what was written when an informer shows it, or something newer.
    fn saw(&self, key: ObjectKey, new: Option<&Object>) {
        let mut written = self.0.written.borrow_mut();
        let shown = new.map_or(u64::MAX, Object::revision);
        if written.get(&key).is_some_and(|o| o.revision() <= shown) {
            written.remove(&key);
        }
    }

    pub(super) fn latest(&self, key: ObjectKey) -> Option<Object> {
        if let Some(object) = self.0.written.borrow().get(&key) {
            return Some(object.clone());
        }
        self.shown(&key)
    }

    fn volume(&self, name: &str) -> Option<Object> {
        self.latest(ObjectKey::new("", name))
    }

    fn class(&self, claim: &Object) -> Option<Object> {
        self.0.classes.get(&ObjectKey::new("", class_of(claim)))
    }

    fn warn(&self, object: &Object, reason: &str, message: impl Into<String>) {
        self.0.recorder.event(object, EventType::Warning, reason, message);
    }

    /// Looks at a key again in the next periodic pass.
    pub(super) fn again(&self, key: ObjectKey) {
        let since = self.0.sim.now().since(self.0.start);
        let mut next = FIRST_RESYNC;
        if since >= next {
            let passed = (since - FIRST_RESYNC).as_micros() / RESYNC.as_micros();
            next += RESYNC * (u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1));
        }
        self.0.queue.add_after(key, next.saturating_sub(since));
    }

    async fn write(&self, resource: &Rc<Resource>, value: Value, status: bool) -> Result<Object, Status> {
        let client = &self.0.client;
        let stored = if status {
            client.update_status(resource, value).await?
        } else {
            client.update(resource, value).await?
        };
        self.keep(stored.key(), &stored);
        Ok(stored)
    }

    fn keep(&self, key: ObjectKey, stored: &Object) {
        let shown = self.shown(&key);
        if shown.is_none_or(|o| o.revision() < stored.revision()) {
            self.0.written.borrow_mut().insert(key, stored.clone());
        }
    }

    async fn sync_claim(&self, key: &ObjectKey) {
        let Some(claim) = self.latest(key.clone()) else {
            return;
        };
        let result = if claim.annotation(BIND_COMPLETED).is_some() {
            self.sync_bound(&claim).await
        } else {
            self.sync_unbound(&claim).await
        };
        let settled = self
            .latest(key.clone())
            .is_none_or(|c| volumes::is_bound(&c) && c.status().str_at(&["phase"]) != "Pending");
        if result.is_err() || !settled {
            self.again(key.clone());
        }
    }

    async fn sync_unbound(&self, claim: &Object) -> Result<(), Status> {
        let named = claim.spec().str_at(&["volumeName"]);
        if named.is_empty() {
            return self.find_volume(claim).await;
        }
        let Some(volume) = self.volume(named) else {
            return self.set_claim_phase(claim, "Pending", None).await.map(|_| ());
        };
        if volume.spec().get("claimRef").is_null() {
            return match volumes::satisfies(&volume, claim) {
                Ok(()) => self.bind(&volume, claim).await,
                Err(why) => {
                    let message = format!("Cannot bind to requested volume {named}: {why}", named = quoted(&named));
                    self.warn(claim, "VolumeMismatch", message);
                    self.set_claim_phase(claim, "Pending", None).await.map(|_| ())
                }
            };
        }
        if volumes::is_volume_of(&volume, claim) {
            return self.bind(&volume, claim).await;
        }
        let message = format!(
            "volume {named} already bound to a different claim.",
            named = quoted(&named)
        );
        self.warn(claim, "FailedBinding", message);
        self.set_claim_phase(claim, "Pending", None).await.map(|_| ())
    }

    /// Binds a claim to the volume that fits best, or has one made.
    async fn find_volume(&self, claim: &Object) -> Result<(), Status> {
        let waits = self.class(claim).as_ref().is_some_and(volumes::waits_for_consumer);
        let all: Vec<Object> = self
            .0
            .volumes
            .list("")
            .into_iter()
            .filter_map(|v| self.volume(v.name()))
            .collect();
        if let Some(volume) = volumes::best_match(claim, &all, None, waits) {
            return self.bind(&volume, claim).await;
        }
        if claim.spec().get("storageClassName").is_null()
            && let Some(class) = self.default_class()
        {
            let mut value = claim.value().clone();
            value.set(&["spec", "storageClassName"], class.name());
            return self.write(&self.0.claim_resource, value, false).await.map(|_| ());
        }
        if waits && claim.annotation(SELECTED_NODE).is_none() {
            let (reason, message) = self.waits_for(claim);
            self.0.recorder.event(claim, EventType::Normal, reason, message);
        } else if !class_of(claim).is_empty() {
            return self.provision(claim).await;
        } else {
            let message = "no persistent volumes available for this claim and no storage class is set";
            self.0
                .recorder
                .event(claim, EventType::Normal, "FailedBinding", message);
        }
        self.set_claim_phase(claim, "Pending", None).await.map(|_| ())
    }

    /// The newest class that is marked as the default one.
    fn default_class(&self) -> Option<Object> {
        volumes::default_class(self.0.classes.list(""), volumes::DEFAULT_CLASS)
    }

    /// Reason and message of a claim that waits for its first pod.
    fn waits_for(&self, claim: &Object) -> (&'static str, String) {
        let mut names = Vec::new();
        self.0.pods.each(claim.namespace(), |pod| {
            let unscheduled = pod.spec().str_at(&["nodeName"]).is_empty();
            if unscheduled && volumes::claim_names(pod).iter().any(|n| n == claim.name()) {
                names.push(pod.name().to_owned());
            }
        });
        match names.as_slice() {
            [] => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".into(),
            ),
            [name] => ("WaitForPodScheduled", format!("waiting for pod {name} to be scheduled")),
            names => (
                "WaitForPodScheduled",
                format!("waiting for pods {} to be scheduled", names.join(",")),
            ),
        }
    }

    /// Says who is to make a volume for a claim, and that it waits for that.
    async fn provision(&self, claim: &Object) -> Result<(), Status> {
        let fail = |message: String| {
            self.warn(claim, "ProvisioningFailed", message.as_str());
            Err(Status::internal(message))
        };
        let Some(class) = self.class(claim) else {
            return fail(format!(
                "storageclass.storage.k8s.io {} not found",
                quoted(&class_of(claim))
            ));
        };
        let named = class.value().str_at(&["provisioner"]);
        let migrated = MIGRATED.iter().find(|(old, _)| *old == named).map(|(_, new)| *new);
        if !is_external(named) && migrated.is_none() {
            return fail(format!("no volume plugin matched name: {named}"));
        }
        let provisioner = migrated.unwrap_or(named);
        if claim.annotation(PROVISIONER) != Some(provisioner) {
            let mut value = claim.value().clone();
            for annotation in [BETA_PROVISIONER, PROVISIONER] {
                value.set(&["metadata", "annotations", annotation], provisioner);
            }
            self.write(&self.0.claim_resource, value, false).await?;
        }
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        self.0
            .recorder
            .event(claim, EventType::Normal, "ExternalProvisioning", message);
        Ok(())
    }

    async fn sync_bound(&self, claim: &Object) -> Result<(), Status> {
        let named = claim.spec().str_at(&["volumeName"]);
        if named.is_empty() {
            let message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, "ClaimLost", message).await;
        }
        let Some(volume) = self.volume(named) else {
            let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            return self.lose(claim, "ClaimLost", message).await;
        };
        let reference = volume.spec().get("claimRef");
        if reference.is_null() || reference.str_at(&["uid"]) == claim.uid() {
            return self.bind(&volume, claim).await;
        }
        let message = "Two claims are bound to the same volume, this one is bound incorrectly";
        self.lose(claim, "ClaimMisbound", message).await
    }

    async fn lose(&self, claim: &Object, reason: &str, message: &str) -> Result<(), Status> {
        if claim.status().str_at(&["phase"]) != "Lost" {
            let claim = self.set_claim_phase(claim, "Lost", None).await?;
            self.warn(&claim, reason, message);
        }
        Ok(())
    }

    /// Binds a volume and a claim to each other, in four steps of which each is right by itself.
    async fn bind(&self, volume: &Object, claim: &Object) -> Result<(), Status> {
        let mut volume = volume.clone();
        if let Some(value) = volumes::bind_volume(&volume, claim) {
            volume = self.write(&self.0.volume_resource, value, false).await?;
        }
        let volume = self.set_volume_phase(&volume, "Bound", "").await?;
        let mut claim = claim.clone();
        let mut value = claim.value().clone();
        if claim.spec().str_at(&["volumeName"]) != volume.name() {
            value.set(&["spec", "volumeName"], volume.name());
            value.set(&["metadata", "annotations", BOUND_BY_CONTROLLER], "yes");
        }
        value.set(&["metadata", "annotations", BIND_COMPLETED], "yes");
        if &value != claim.value() {
            claim = self.write(&self.0.claim_resource, value, false).await?;
        }
        self.set_claim_phase(&claim, "Bound", Some(&volume)).await.map(|_| ())
    }

    async fn set_claim_phase(&self, claim: &Object, phase: &str, volume: Option<&Object>) -> Result<Object, Status> {
        let mut status = claim.status().clone();
        let was = status.str_at(&["phase"]).to_owned();
        status.set(&["phase"], phase);
        match volume {
            None => {
                status.remove(&["accessModes"]);
                status.remove(&["capacity"]);
            }
            Some(volume) => {
                status.set(&["accessModes"], volume.spec().get("accessModes").clone());
                if was != phase {
                    status.set(&["capacity"], volume.spec().get("capacity").clone());
                }
            }
        }
        if &status == claim.status() {
            return Ok(claim.clone());
        }
        let mut value = claim.value().clone();
        value.set(&["status"], status);
        self.write(&self.0.claim_resource, value, true).await
    }

    async fn set_volume_phase(&self, volume: &Object, phase: &str, message: &str) -> Result<Object, Status> {
        if volume.status().str_at(&["phase"]) == phase {
            return Ok(volume.clone());
        }
        let mut value = volume.value().clone();
        value.set(&["status", "phase"], phase);
        value.set_or_remove(&["status", "message"], message);
        value.set(&["status", "lastPhaseTransitionTime"], self.0.sim.now());
        self.write(&self.0.volume_resource, value, true).await
    }

    async fn sync_volume(&self, key: &ObjectKey) {
        let key = key.clone();
        let Some(volume) = self.latest(key.clone()) else { return };
        if self.settle_volume(&volume).await.is_err() {
            self.again(key);
        }
    }

    async fn settle_volume(&self, volume: &Object) -> Result<(), Status> {
        let reference = volume.spec().get("claimRef");
        let uid = reference.str_at(&["uid"]);
        let key = claim_of(volume);
        if reference.is_null() || uid.is_empty() {
            self.set_volume_phase(volume, "Available", "").await?;
            if let Some(key) = key {
                self.0.queue.add(key);
            }
            return Ok(());
        }
        let mut claim = key.clone().and_then(|key| self.latest(key));
        let gone = matches!(volume.status().str_at(&["phase"]), "Released" | "Failed");
        if let (None, false, Some(key)) = (&claim, gone, &key) {
            // The informer may be behind; a volume must not be reclaimed by mistake.
            let resource = &self.0.claim_resource;
            claim = match self.0.client.get(resource, &key.namespace, &key.name).await {
                Err(status) if status.is_not_found() => None,
                other => Some(other?),
            };
        }
        let Some(claim) = claim.filter(|c| c.uid() == uid) else {
            let volume = if gone {
                volume.clone()
            } else {
                self.set_volume_phase(volume, "Released", "").await?
            };
            return self.reclaim(&volume).await;
        };
        let named = claim.spec().str_at(&["volumeName"]);
        if named.is_empty() {
            self.0.queue.add(claim.key());
            return Ok(());
        }
        if named == volume.name() {
            return self.set_volume_phase(volume, "Bound", "").await.map(|_| ());
        }
        let made = volume.annotation(PROVISIONED_BY).is_some();
        if made && volume.spec().str_at(&["persistentVolumeReclaimPolicy"]) == "Delete" {
            let volume = self.set_volume_phase(volume, "Released", "").await?;
            return self.reclaim(&volume).await;
        }
        self.unbind(volume).await
    }

    /// Frees a volume whose claim is bound to another.
    pub(super) async fn unbind(&self, volume: &Object) -> Result<(), Status> {
        let mut value = volume.value().clone();
        if volume.annotation(BOUND_BY_CONTROLLER).is_some() {
            value.remove(&["spec", "claimRef"]);
            let mut annotations = volume.annotations().clone();
            annotations.remove(&[BOUND_BY_CONTROLLER]);
            value.set_or_remove(&["metadata", "annotations"], annotations);
        } else {
            // The user's promise stays.
            value.remove(&["spec", "claimRef", "uid"]);
        }
        let volume = self.write(&self.0.volume_resource, value, false).await?;
        self.set_volume_phase(&volume, "Available", "").await.map(|_| ())
    }

    pub(super) async fn fail_volume(&self, volume: &Object, reason: &str, message: &str) -> Result<(), Status> {
        if volume.status().str_at(&["phase"]) != "Failed" {
            let volume = self.set_volume_phase(volume, "Failed", message).await?;
            self.warn(&volume, reason, message);
        }
        self.again(volume.key());
        Ok(())
    }

    /// Does with a released volume what its policy says.
    async fn reclaim(&self, volume: &Object) -> Result<(), Status> {
        match volume.spec().str_at(&["persistentVolumeReclaimPolicy"]) {
            "Delete" => self.delete_volume(volume).await,
            "Recycle" => self.recycle(volume).await,
            _ => Ok(()),
        }
    }

    async fn delete_volume(&self, volume: &Object) -> Result<(), Status> {
        if volume.annotation(PROVISIONED_BY).is_some_and(is_external) {
            // Who made it deletes it.
            return Ok(());
        }
        let spec = volume.spec();
        let path = spec.str_at(&["hostPath", "path"]);
        if spec.has("hostPath") {
            if !path.contains("/tmp/") || path.ends_with("/tmp/") {
                let message = format!("host_path deleter only supports /tmp/.+ but received provided {path}");
                return self.fail_volume(volume, "VolumeFailedDelete", &message).await;
            }
            let deleted = self
                .0
                .client
                .delete(&self.0.volume_resource, "", volume.name(), Value::Null)
                .await;
            return Status::ignore_not_found(deleted);
        }
        if spec.has("csi") {
            // Its driver deletes it.
            return Ok(());
        }
        let message = format!(
            "error getting deleter volume plugin for volume {}: no deletable volume plugin matched",
            quoted(&volume.name())
        );
        self.fail_volume(volume, "VolumeFailedDelete", &message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing::World;
    use crate::{list, obj};

    fn world() -> World {
        let world = World::new();
        world.start(start);
        world
    }

    fn volume(world: &World, name: &str, size: &str, more: Value) {
        let mut spec = obj! {
            "capacity": obj! { "storage": size }, "accessModes": list!["ReadWriteOnce"],
            "storageClassName": "manual", "hostPath": obj! { "path": "/mnt/x" },
        };
        for (key, value) in more.entries() {
            spec.set(&[key], value.clone());
        }
        world.create(obj! {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": obj! { "name": name }, "spec": spec,
        });
    }

    fn claim(world: &World, name: &str, size: &str, class: Value) {
        let mut spec = obj! {
            "accessModes": list!["ReadWriteOnce"],
            "resources": obj! { "requests": obj! { "storage": size } },
        };
        spec.set_or_remove(&["storageClassName"], class);
        world.create(obj! {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": obj! { "name": name, "namespace": "default" }, "spec": spec,
        });
    }

    /// Phase and other side of a claim and of a volume.
    fn state(world: &World, claim: &str, volume: &str) -> String {
        let mut parts = Vec::new();
        for (kind, name, other) in [
            ("persistentvolumeclaims", claim, ["volumeName", ""]),
            ("persistentvolumes", volume, ["claimRef", "name"]),
        ] {
            let object = world.exists("", kind, name).then(|| world.get("", kind, name));
            let show = |o: Object| {
                let other: Vec<&str> = other.iter().copied().filter(|s| !s.is_empty()).collect();
                format!("{} {}", o.status().str_at(&["phase"]), o.spec().str_at(&other))
            };
            parts.push(object.map_or("-".to_owned(), show).trim().to_owned());
        }
        parts.join(" / ")
    }

    #[test]
    fn binds_releases_and_binds_again() {
        let world = world();
        volume(&world, "v", "1Gi", obj! {});
        world.run(1);
        assert_eq!(state(&world, "c", "v"), "- / Available");
        claim(&world, "c", "500Mi", "manual".into());
        world.run(1);
        assert_eq!(state(&world, "c", "v"), "Bound v / Bound c");
        let bound = world.get("", "persistentvolumeclaims", "c");
        assert_eq!(bound.status().str_at(&["capacity", "storage"]), "1Gi");
        assert_eq!(bound.annotation(BIND_COMPLETED), Some("yes"));
        world.patch(
            "",
            "persistentvolumeclaims",
            "c",
            obj! { "metadata": obj! { "finalizers": Value::Null } },
        );
        world.delete("", "persistentvolumeclaims", "c", Value::Null);
        world.run(1);
        assert_eq!(state(&world, "c", "v"), "- / Released c");
        world.patch(
            "",
            "persistentvolumes",
            "v",
            obj! { "spec": obj! { "claimRef": Value::Null } },
        );
        world.run(1);
        assert_eq!(state(&world, "c", "v"), "- / Available");
    }

    #[test]
    fn what_finds_nothing_waits_for_the_next_pass() {
        let world = world();
        claim(&world, "c", "2Gi", "manual".into());
        claim(&world, "plain", "2Gi", Value::Null);
        volume(&world, "small", "1Gi", obj! {});
        world.run(3);
        assert_eq!(state(&world, "c", "small"), "Pending / Available");
        assert!(
            world
                .messages("ProvisioningFailed")
                .contains(&"storageclass.storage.k8s.io \"manual\" not found".to_owned())
        );
        assert_eq!(
            world.messages("FailedBinding"),
            ["no persistent volumes available for this claim and no storage class is set"]
        );
        volume(&world, "large", "2Gi", obj! {});
        world.run(16);
        assert_eq!(state(&world, "c", "large"), "Bound large / Bound c");
    }

    #[test]
    fn classes() {
        let world = world();
        let class = |name: &str, provisioner: &str, mode: &str| {
            world.create(obj! {
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": obj! { "name": name },
                "provisioner": provisioner, "volumeBindingMode": mode,
            });
        };
        class("none", "kubernetes.io/no-provisioner", "Immediate");
        class("later", "kubernetes.io/no-provisioner", "WaitForFirstConsumer");
        class("nfs", "example.com/nfs", "Immediate");
        for name in ["none", "later", "nfs"] {
            claim(&world, name, "1Gi", name.into());
        }
        world.run(1);
        assert_eq!(
            world.messages("ProvisioningFailed"),
            ["no volume plugin matched name: kubernetes.io/no-provisioner"]
        );
        assert_eq!(
            world.messages("WaitForFirstConsumer"),
            ["waiting for first consumer to be created before binding"]
        );
        let waiting = world.messages("ExternalProvisioning");
        assert!(waiting[0].starts_with(
            "Waiting for a volume to be created either by the external provisioner 'example.com/nfs' or manually"
        ));
        let claim = world.get("", "persistentvolumeclaims", "nfs");
        assert_eq!(claim.annotation(PROVISIONER), Some("example.com/nfs"));
    }

    #[test]
    fn a_reference_without_a_namespace_means_no_claim() {
        let volume = |reference: Value| Object::new(obj! { "spec": obj! { "claimRef": reference } });
        for (reference, want) in [
            (Value::Null, None),
            (obj! { "name": "v", "uid": "u" }, None),
            (obj! { "name": "v", "namespace": "" }, None),
            (obj! { "namespace": "default" }, None),
            (
                obj! { "name": "c", "namespace": "default" },
                Some(ObjectKey::new("default", "c")),
            ),
        ] {
            assert_eq!(claim_of(&volume(reference)), want);
        }
    }

    #[test]
    fn reclaim_policies() {
        let world = world();
        for (name, path, more) in [
            ("tmp", "/tmp/x", "Delete"),
            ("mnt", "/mnt/x", "Delete"),
            ("kept", "/mnt/y", "Retain"),
        ] {
            let reference = obj! { "name": "gone", "namespace": "default", "uid": "u" };
            let host = obj! { "path": path };
            let more = obj! { "persistentVolumeReclaimPolicy": more, "claimRef": reference, "hostPath": host };
            volume(&world, name, "1Gi", more);
            world.patch(
                "",
                "persistentvolumes",
                name,
                obj! { "metadata": obj! { "finalizers": Value::Null } },
            );
        }
        world.run(1);
        assert_eq!(state(&world, "gone", "tmp"), "- / -");
        assert_eq!(state(&world, "gone", "mnt"), "- / Failed gone");
        assert_eq!(state(&world, "gone", "kept"), "- / Released gone");
        let message = "host_path deleter only supports /tmp/.+ but received provided /mnt/x";
        assert_eq!(world.messages("VolumeFailedDelete"), [message]);
        assert_eq!(
            world.get("", "persistentvolumes", "mnt").status().str_at(&["message"]),
            message
        );
    }
}
