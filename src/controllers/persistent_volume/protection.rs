//! The protection of claims and volumes: each has a finalizer that goes only when no scheduled pod
//! mounts the claim, or the volume is bound to none.

use std::rc::Rc;

use crate::api::volumes::claim_names;
use crate::api::well_known::{CLAIM_PROTECTION, VOLUME_PROTECTION};
use crate::api::{Informer, Object, ObjectKey, Status};
use crate::controllers::context::{Base, Context, resource};
use crate::controllers::pods;
use crate::value::Value;

fn has(object: &Object, finalizer: &str) -> bool {
    object.finalizers().any(|f| f == finalizer)
}

/// Takes the finalizer from an object.
async fn free(base: &Base, object: &Object, finalizer: &str) -> Result<(), Status> {
    let left: Vec<Value> = object
        .finalizers()
        .filter(|f| *f != finalizer)
        .map(Value::from)
        .collect();
    let mut value = object.value().clone();
    value.set_or_remove(&["metadata", "finalizers"], left);
    Status::ignore_not_found(base.client.update(&base.resource, value).await)
}

fn is_leaving_claim(claim: &Object) -> bool {
    claim.is_deleting() && has(claim, CLAIM_PROTECTION)
}

fn is_free_volume(volume: &Object) -> bool {
    volume.is_deleting() && has(volume, VOLUME_PROTECTION) && volume.status().str_at(&["phase"]) != "Bound"
}

/// Whether a scheduled pod mounts a claim. One that has ended counts until it is deleted.
fn is_used(all: &Informer, claim: &Object) -> bool {
    let mut used = false;
    all.each(claim.namespace(), |pod| {
        used |= !pods::node_name(pod).is_empty() && claim_names(pod).iter().any(|n| n == claim.name());
    });
    used
}

/// Starts the controller that protects claims.
pub fn start_claims(context: &Context) {
    const NAME: &str = "persistentvolumeclaim-protection-controller";
    let base = Rc::new(Base::new(context, NAME, "", "persistentvolumeclaims"));
    let pods = context.informers().of(&resource(context.api(), "", "pods"));
    base.objects.feed_those(&base.queue, is_leaving_claim);
    let q = base.queue.clone();
    pods.on_change(move |old, new| {
        if let (Some(pod), None) = (old, new) {
            for name in claim_names(pod) {
                q.add(ObjectKey::new(pod.namespace(), &name));
            }
        }
    });
    let (b, p) = (base.clone(), pods.clone());
    base.run(context, 1, &[&pods], async move |key| {
        let claim = b.objects.get(&key).filter(is_leaving_claim);
        match claim.filter(|c| !is_used(&p, c)) {
            Some(claim) => free(&b, &claim, CLAIM_PROTECTION).await,
            None => Ok(()),
        }
    });
}

/// Starts the controller that protects volumes.
pub fn start_volumes(context: &Context) {
    const NAME: &str = "persistentvolume-protection-controller";
    let base = Rc::new(Base::new(context, NAME, "", "persistentvolumes"));
    base.objects.feed_those(&base.queue, is_free_volume);
    let b = base.clone();
    base.run(context, 1, &[], async move |key| {
        match b.objects.get(&key).filter(is_free_volume) {
            Some(volume) => free(&b, &volume, VOLUME_PROTECTION).await,
            None => Ok(()),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing::World;
    use crate::{list, obj};

    #[test]
    fn a_claim_stays_while_a_pod_mounts_it_and_a_volume_while_it_is_bound() {
        let world = World::new();
        world.start(start_claims);
        world.start(start_volumes);
        world.node("n1", "2", "4Gi");
        let size = obj! { "storage": "1Gi" };
        world.create(obj! {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": obj! { "name": "c", "namespace": "default" },
            "spec": obj! {
                "accessModes": list!["ReadWriteOnce"], "resources": obj! { "requests": size.clone() },
            },
        });
        let volumes = list![obj! { "name": "v", "persistentVolumeClaim": obj! { "claimName": "c" } }];
        let containers = list![obj! { "name": "c", "image": "nginx" }];
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": "p", "namespace": "default" },
            "spec": obj! { "containers": containers, "volumes": volumes, "nodeName": "n1" },
        });
        world.create(obj! {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": obj! { "name": "v" },
            "spec": obj! {
                "capacity": size, "accessModes": list!["ReadWriteOnce"], "hostPath": obj! { "path": "/x" },
            },
        });
        world.patch_sub(
            "",
            "persistentvolumes",
            "v",
            "status",
            obj! { "status": obj! { "phase": "Bound" } },
        );
        world.delete("", "persistentvolumeclaims", "c", Value::Null);
        world.delete("", "persistentvolumes", "v", Value::Null);
        world.run(5);
        assert!(world.get("", "persistentvolumeclaims", "c").is_deleting());
        assert!(world.get("", "persistentvolumes", "v").is_deleting());
        world.delete("", "pods", "p", obj! { "gracePeriodSeconds": 0 });
        world.patch_sub(
            "",
            "persistentvolumes",
            "v",
            "status",
            obj! { "status": obj! { "phase": "Released" } },
        );
        world.run(1);
        assert!(!world.exists("", "persistentvolumeclaims", "c"));
        assert!(!world.exists("", "persistentvolumes", "v"));
    }
}
