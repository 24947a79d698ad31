//! `NodeRestriction`: what a kubelet may write, beside what its authorizer lets it do: its own node
//! without taints and foreign labels, its own lease, its mirror pods, the status of its pods.

use super::Attributes;
use crate::api::auth::node_of;
use crate::api::object::{Object, ObjectKey};
use crate::api::status::Status;
use crate::flat::FlatSet;
use crate::value::Value;

/// Whether the request creates, changes or deletes an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
}

/// The labels of Kubernetes' own that a kubelet may set (`kubeletLabels`).
const LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

/// Checks a request of a kubelet. `value` is the object as it will be, or was before its deletion.
///
/// # Errors
/// 403 with what the kubelet may not.
pub(super) fn check(a: &Attributes, operation: Operation, value: &Value) -> Result<(), Status> {
    let Some(node) = node_of(&a.request.user) else {
        return Ok(());
    };
    let subresource = a.target.subresource.as_str();
    let why = if a.is("", "pods") {
        match subresource {
            "" => pod(a, node, operation, value),
            "status" => status(a, node, value),
            _ => None,
        }
    } else if a.is("", "nodes") {
        own_node(a, node, operation, value)
    } else if a.is("coordination.k8s.io", "leases") {
        lease(a, node, value)
    } else if a.is("", "persistentvolumeclaims") && subresource != "status" {
        Some("may only update PVC status".to_owned())
    } else {
        None
    };
    match why {
        None => Ok(()),
        Some(why) => Err(a.forbidden(value, why)),
    }
}

fn pod(a: &Attributes, node: &str, operation: Operation, value: &Value) -> Option<String> {
    let on = value.str_at(&["spec", "nodeName"]);
    match operation {
        Operation::Create => mirror(a, node, on, value),
        Operation::Delete => {
            (on != node).then(|| format!("node {node:?} can only delete pods with spec.nodeName set to itself"))
        }
        Operation::Update => Some(format!(
            "unexpected operation \"UPDATE\", node {node:?} can only create and delete mirror pods"
        )),
    }
}

fn mirror(a: &Attributes, node: &str, on: &str, value: &Value) -> Option<String> {
    const MIRROR: &str = "kubernetes.io/config.mirror";
    let itself = "set to itself";
    if !value.at(&["metadata", "annotations"]).has(MIRROR) {
        return Some(format!(
            "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
        ));
    }
    if on != node {
        return Some(format!(
            "node {node:?} can only create pods with spec.nodeName {itself}"
        ));
    }
    let only = |what: &str| {
        Some(format!(
            "node {node:?} can only create pods with {what} owner reference {itself}"
        ))
    };
    let [owner] = value.at(&["metadata", "ownerReferences"]).items() else {
        let many = value.at(&["metadata", "ownerReferences"]).items().len() > 1;
        return only(if many { "a single" } else { "an" });
    };
    if (
        owner.str_at(&["apiVersion"]),
        owner.str_at(&["kind"]),
        owner.str_at(&["name"]),
    ) != ("v1", "Node", node)
    {
        return only("an");
    }
    if owner.get("controller").as_bool() != Some(true) {
        return only("a controller");
    }
    if owner.get("blockOwnerDeletion").as_bool() == Some(true) {
        return Some(format!(
            "node {node:?} must not set blockOwnerDeletion on an owner reference"
        ));
    }
    let uid = a.api.store().get("nodes", &ObjectKey::new("", node));
    let uid = uid.as_ref().map_or("", Object::uid);
    if owner.str_at(&["uid"]) != uid {
        let got = owner.str_at(&["uid"]);
        return Some(format!("node {node} UID mismatch: expected {uid} got {got}"));
    }
    let cannot = |what: &str| Some(format!("node {node:?} can not create pods that reference {what}"));
    if !value.at(&["spec", "serviceAccountName"]).is_empty() {
        return cannot("a service account");
    }
    let volumes = value.at(&["spec", "volumes"]).items();
    [
        ("secret", "secrets"),
        ("configMap", "configmaps"),
        ("persistentVolumeClaim", "persistentvolumeclaims"),
    ]
    .into_iter()
    .find(|(source, _)| volumes.iter().any(|v| !v.get(source).is_null()))
    .and_then(|(_, what)| cannot(what))
}

fn status(a: &Attributes, node: &str, value: &Value) -> Option<String> {
    let old = a.old?;
    if old.spec().str_at(&["nodeName"]) != node {
        return Some(format!(
            "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
        ));
    }
    (value.at(&["metadata", "labels"]) != old.labels())
        .then(|| format!("node {node:?} cannot update labels through pod status"))
}

fn own_node(a: &Attributes, node: &str, operation: Operation, value: &Value) -> Option<String> {
    let name = value.str_at(&["metadata", "name"]);
    if name != node {
        return Some(format!("node {node:?} is not allowed to modify node {name:?}"));
    }
    let none = Value::Null;
    let old = match operation {
        Operation::Create => &none,
        Operation::Update => a.old?.value(),
        Operation::Delete => return None,
    };
    let list = |v: &Value, path: &[&str]| v.at(path).items().to_vec();
    if operation == Operation::Update {
        for (path, what) in [
            (["metadata", "ownerReferences"], "ownerReferences"),
            (["spec", "taints"], "taints"),
        ] {
            if list(value, &path) != list(old, &path) {
                return Some(format!("node {node:?} is not allowed to modify {what}"));
            }
        }
    }
    let (new, old) = (value.at(&["metadata", "labels"]), old.at(&["metadata", "labels"]));
    let changed: FlatSet<&str> = new
        .entries()
        .chain(old.entries())
        .map(|(key, _)| &**key)
        .filter(|key| new.get(key) != old.get(key) && is_foreign(key))
        .collect();
    if changed.is_empty() {
        return None;
    }
    let names: Vec<&str> = changed.into_iter().collect();
    let names = names.join(", ");
    Some(match operation {
        Operation::Create => format!("node {node:?} is not allowed to set the following labels: {names}"),
        _ => format!("is not allowed to modify labels: {names}"),
    })
}

/// Whether a label is not a kubelet's to set.
fn is_foreign(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let within = |parent: &str| domain == parent || domain.strip_suffix(parent).is_some_and(|d| d.ends_with('.'));
    let own = LABELS.contains(&label) || within("kubelet.kubernetes.io") || within("node.kubernetes.io");
    within("node-restriction.kubernetes.io") || ((within("kubernetes.io") || within("k8s.io")) && !own)
}

fn lease(a: &Attributes, node: &str, value: &Value) -> Option<String> {
    if a.target.namespace != "kube-node-lease" {
        return Some("can only access leases in the \"kube-node-lease\" system namespace".to_owned());
    }
    (value.str_at(&["metadata", "name"]) != node)
        .then(|| "can only access node lease with the same name as the requesting node".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_others() {
        for (label, foreign) in [
            ("a", false),
            ("example.com/a", false),
            ("kubernetes.io/hostname", false),
            ("kubernetes.io/other", true),
            ("node-role.kubernetes.io/worker", true),
            ("node.kubernetes.io/a", false),
            ("x.node.kubernetes.io/a", false),
            ("node-restriction.kubernetes.io/a", true),
            ("acme.node-restriction.kubernetes.io/a", true),
            ("notkubernetes.io/a", false),
        ] {
            assert_eq!(is_foreign(label), foreign, "{label}");
        }
    }
}
