//! ControllerRevisions: the history of a DaemonSet's or StatefulSet's templates.

use std::rc::Rc;

use super::hash;
use crate::api::{Client, Object, Resource, Status};
use crate::flat::Arrange;
use crate::value::{Value, gojson};
use crate::{list, obj};

/// The template as a ControllerRevision keeps it: a patch that replaces the one of the set.
pub fn data(set: &Object) -> Value {
    let mut template = set.spec().get("template").clone();
    template.set(&["$patch"], "replace");
    obj! { "spec": obj! { "template": template } }
}

/// The number of a revision.
pub fn number(revision: &Object) -> i64 {
    revision.value().i64_at(&["revision"]).unwrap_or(0)
}

/// The data of a revision.
pub fn data_of(revision: &Object) -> &Value {
    revision.value().get("data")
}

/// Creates a revision of a set, named after the set and the hash, which its `label` carries too. One that is there with
/// the same data will do.
///
/// # Errors
/// That the name is taken, when the one that is there has other data: the hashes collide. Any other failure of the API.
pub async fn create(
    client: &Client,
    resource: &Rc<Resource>,
    set: &Object,
    data: &Value,
    number: i64,
    (label, hash): (&str, &str),
) -> Result<Object, Status> {
    let mut labels = set.spec().at(&["template", "metadata", "labels"]).clone();
    labels.set(&[label], hash);
    let name = format!("{}-{hash}", set.name());
    let mut value = obj! {
        "apiVersion": "apps/v1",
        "data": data.clone(),
        "kind": "ControllerRevision",
        "metadata": obj! {
            "labels": labels,
            "name": name.as_str(),
            "namespace": set.namespace(),
            "ownerReferences": list![set.controller_reference()],
        },
        "revision": number,
    };
    value.set_or_remove(&["metadata", "annotations"], set.annotations());
    match client.make(resource, set.namespace(), value).await {
        Err(taken) if taken.is_already_exists() => {
            let present = client.get(resource, set.namespace(), &name).await?;
            if data_of(&present) == data {
                Ok(present)
            } else {
                Err(taken)
            }
        }
        other => other,
    }
}

/// Orders revisions by their numbers, then by their ages and names.
pub fn sort(revisions: &mut [Object]) {
    revisions.arrange_by_key(|r| (number(r), r.created(), r.key()));
}

/// The hash of a revision's data with the count of collisions met so far (`HashControllerRevision`):
/// FNV-1 over Go's JSON of the patch and the decimal count.
pub fn hash(data: &Value, collisions: i64) -> String {
    let text = format!("{}{collisions}", gojson::compact(data, true));
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |h, byte| h.wrapping_mul(0x0100_0193) ^ u32::from(byte));
    hash::safe_encode(&hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_real_cluster() {
        let container = obj! {
            "image": "redis:7", "imagePullPolicy": "IfNotPresent", "name": "redis", "resources": obj! {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        };
        let spec = obj! {
            "containers": list![container], "dnsPolicy": "ClusterFirst",
            "nodeSelector": obj! { "kubernetes.io/hostname": "k8s-node-01" }, "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": obj! {}, "terminationGracePeriodSeconds": 30,
        };
        let template = obj! { "metadata": obj! { "labels": obj! { "app": "db" } }, "spec": spec };
        let set = Object::new(obj! { "spec": obj! { "template": template } });
        // Its pods carry `controller-revision-hash=db-776f777474`.
        assert_eq!(hash(&data(&set), 0), "776f777474");
        assert_ne!(hash(&data(&set), 1), "776f777474");
    }
}
