//! The ephemeral-volume controller: makes the claims of pods' `ephemeral` volumes, which go with
//! their pods.

use super::context::{Context, resource};
use super::pods;
use crate::api::{Object, ObjectKey, Status};
use crate::list;
use crate::sim::WorkQueue;
use crate::value::Value;

const NAME: &str = "ephemeral-volume-controller";

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

/// Starts the controller.
pub fn start(context: &Context) {
    let client = context.client(NAME);
    let recorder = context.recorder(&client, "ephemeral_volume");
    let claim_resource = resource(context.api(), "", "persistentvolumeclaims");
    let informer = context.informers().of(&resource(context.api(), "", "pods"));
    let queue: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let q = queue.clone();
    informer.on_change(move |old, new| {
        if old.is_none()
            && let Some(pod) = new
            && pods::is_active(pod)
            && pod.spec().get("volumes").items().iter().any(|v| v.has("ephemeral"))
        {
            q.add(pod.key());
        }
    });
    let synced = vec![informer.clone()];
    context.run(NAME, &queue, 1, synced, async move |key| {
        let Some(pod) = informer.get(&key).filter(pods::is_active) else {
            return Ok(());
        };
        for claim in claims(&pod) {
            let name = claim.str_at(&["metadata", "name"]).to_owned();
            let made = client.make(&claim_resource, pod.namespace(), claim).await;
            let failure = match made {
                Ok(_) => continue,
                Err(status) if status.is_already_exists() => {
                    let present = client.get(&claim_resource, pod.namespace(), &name).await?;
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
            recorder.event(
                &pod,
                crate::api::events::EventType::Warning,
                "FailedEphemeralVolumeCreation",
                message,
            );
            return Err(failure);
        }
        Ok(())
    });
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
