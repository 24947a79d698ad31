//! The ephemeral-volume controller: makes the claims of pods' `ephemeral` volumes, which go with
//! their pods.

use std::rc::Rc;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::events::EventType;
use crate::api::{Object, ObjectKey, Resource, Status};
use crate::list;
use crate::value::Value;

const NAME: &str = "ephemeral-volume-controller";
/// Whom its events are by.
const COMPONENT: &str = "ephemeral_volume";

struct Controller {
    base: Base,
    claim_resource: Rc<Resource>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let mut base = Base::new(context, NAME, "", "pods");
    base.recorder = context.recorder(&base.client, COMPONENT);
    let controller = Rc::new(Controller {
        base,
        claim_resource: resource(context.api(), "", "persistentvolumeclaims"),
    });
    let c = controller.clone();
    controller.base.objects.on_change(move |old, new| {
        if old.is_none()
            && let Some(pod) = new
            && pods::is_active(pod)
            && pod.spec().get("volumes").items().iter().any(|v| v.has("ephemeral"))
        {
            c.base.queue.add(pod.key());
        }
    });
    let c = controller.clone();
    controller
        .base
        .run(context, 1, &[], async move |key| c.sync(&key).await);
}

/// The claims that a pod's ephemeral volumes ask for.
fn claims(pod: &Object) -> Vec<Value> {
    let volumes = pod.spec().get("volumes").items().iter();
    let ephemeral = volumes.filter(|v| v.has("ephemeral"));
    ephemeral
        .map(|volume| {
            let mut claim = volume.at(&["ephemeral", "volumeClaimTemplate"]).clone();
            claim.set(&["apiVersion"], "v1");
            claim.set(&["kind"], "PersistentVolumeClaim");
            let name = format!("{}-{}", pod.name(), volume.str_at(&["name"]));
            claim.set(&["metadata", "name"], name);
            claim.set(&["metadata", "namespace"], pod.namespace());
            claim.set(&["metadata", "ownerReferences"], list![pod.controller_reference()]);
            claim
        })
        .collect()
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let Base {
            client,
            recorder,
            objects,
            ..
        } = &self.base;
        let Some(pod) = objects.get(key).filter(pods::is_active) else {
            return Ok(());
        };
        for claim in claims(&pod) {
            let name = claim.str_at(&["metadata", "name"]).to_owned();
            let made = client.make(&self.claim_resource, pod.namespace(), claim).await;
            let failure = match made {
                Ok(_) => continue,
                Err(status) if status.is_already_exists() => {
                    let present = client.get(&self.claim_resource, pod.namespace(), &name).await?;
                    if present.is_controlled_by(pod.uid()) {
                        continue;
                    }
                    Status::internal(format!(
                        "PVC {}/{name} was not created for pod {}/{} (pod is not owner)",
                        pod.namespace(),
                        pod.namespace(),
                        pod.name()
                    ))
                }
                Err(status) => status,
            };
            let message = format!("ephemeral volume: {}", failure.message());
            recorder.event(&pod, EventType::Warning, "FailedEphemeralVolumeCreation", message);
            return Err(failure);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::obj;

    #[test]
    fn a_claim_for_each_ephemeral_volume() {
        let world = World::new();
        world.start(start);
        let spec = obj! {
            "accessModes": list!["ReadWriteOnce"],
            "resources": obj! { "requests": obj! { "storage": "1Gi" } },
        };
        let template = obj! { "metadata": obj! { "labels": obj! { "a": "b" } }, "spec": spec };
        let volume = obj! { "name": "scratch", "ephemeral": obj! { "volumeClaimTemplate": template } };
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": "p", "namespace": "default" },
            "spec": obj! {
                "containers": list![obj! { "name": "c", "image": "nginx" }], "volumes": list![volume],
            },
        });
        world.run(1);
        let claim = world.get("", "persistentvolumeclaims", "p-scratch");
        assert_eq!(claim.label("a"), Some("b"));
        assert!(claim.controller().is_some_and(|o| o.kind() == "Pod" && o.name() == "p"));
    }
}
