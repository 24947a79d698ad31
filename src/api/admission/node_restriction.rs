//! `NodeRestriction`: what a kubelet may write, beside what its authorizer lets it do: its own node
//! without taints and foreign labels, its own lease, its mirror pods, the status of its pods.

use super::{Attributes, Operation};
use crate::api::auth::node_of;
use crate::api::names::MIRROR;
use crate::api::object::{Object, ObjectKey};
use crate::api::status::Status;
use crate::api::well_known;
use crate::flat::FlatSet;
use crate::value::{Value, quoted};

/// The labels of Kubernetes' own that a kubelet may set (`kubeletLabels`).
const LABELS: [&str; 11] = [
    well_known::HOSTNAME,
    well_known::ZONE,
    well_known::REGION,
    well_known::BETA_ZONE,
    well_known::BETA_REGION,
    well_known::BETA_INSTANCE_TYPE,
    well_known::INSTANCE_TYPE,
    well_known::OS,
    well_known::ARCH,
    well_known::BETA_OS,
    well_known::BETA_ARCH,
];

/// Checks a request of a kubelet. `value` is the object as it will be, or was before its deletion.
///
/// # Errors
/// 403 with what the kubelet may not.
pub(super) fn check(a: &Attributes, value: &Value) -> Result<(), Status> {
    let Some(node) = node_of(&a.request.user) else {
        return Ok(());
    };
    let subresource = a.target.subresource.as_str();
    let why = if a.is("", "pods") {
        match subresource {
            "" => pod(a, node, value),
            "status" => status(a, node, value),
            "eviction" => eviction(a, node),
            other => Some(format!(
                "unexpected pod subresource {other}, only 'status' and 'eviction' are allowed",
                other = quoted(&other)
            )),
        }
    } else if a.is("", "nodes") {
        own_node(a, node, value)
    } else if a.is("coordination.k8s.io", "leases") {
        lease(a, node, value)
    } else if a.is("", "persistentvolumeclaims") {
        match subresource {
            "status" => claim_status(a, node, value),
            _ => Some("may only update PVC status".to_owned()),
        }
    } else {
        None
    };
    match why {
        None => Ok(()),
        Some(why) => Err(a.forbidden(value, why)),
    }
}

fn pod(a: &Attributes, node: &str, value: &Value) -> Option<String> {
    let on = value.str_at(&["spec", "nodeName"]);
    match a.operation {
        Operation::Create => mirror(a, node, on, value),
        Operation::Delete => (on != node).then(|| {
            format!(
                "node {node} can only delete pods with spec.nodeName set to itself",
                node = quoted(&node)
            )
        }),
        Operation::Update | Operation::Connect => Some(format!(
            "unexpected operation {}, node {node} can only create and delete mirror pods",
            quoted(&a.operation.name()),
            node = quoted(&node)
        )),
    }
}

fn eviction(a: &Attributes, node: &str) -> Option<String> {
    let pod = a.api.store().get("pods", &a.target.key())?;
    let own = pod.spec().get("nodeName").str() == node;
    (!own).then(|| format!("node {node} can only evict pods with spec.nodeName set to itself"))
}

fn mirror(a: &Attributes, node: &str, on: &str, value: &Value) -> Option<String> {
    let itself = "set to itself";
    if !value.at(&["metadata", "annotations"]).has(MIRROR) {
        return Some(format!(
            "pod does not have {MIRROR:?} annotation, node {node} can only create mirror pods",
            node = quoted(&node)
        ));
    }
    if on != node {
        return Some(format!(
            "node {node} can only create pods with spec.nodeName {itself}",
            node = quoted(&node)
        ));
    }
    let only = |what: &str| {
        Some(format!(
            "node {node} can only create pods with {what} owner reference {itself}",
            node = quoted(&node)
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
            "node {node} must not set blockOwnerDeletion on an owner reference",
            node = quoted(&node)
        ));
    }
    let uid = a.api.store().get("nodes", &ObjectKey::new("", node));
    let uid = uid.as_ref().map_or("", Object::uid);
    if owner.str_at(&["uid"]) != uid {
        let got = owner.str_at(&["uid"]);
        return Some(format!("node {node} UID mismatch: expected {uid} got {got}"));
    }
    let cannot = |what: &str| {
        Some(format!(
            "node {node} can not create pods that reference {what}",
            node = quoted(&node)
        ))
    };
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
            "node {node} can only update pod status for pods with spec.nodeName set to itself",
            node = quoted(&node)
        ));
    }
    let claims = |v: &Value| -> Vec<(Value, Value)> {
        let all = v.at(&["status", "resourceClaimStatuses"]).items().iter();
        all.map(|c| (c.get("name").clone(), c.get("resourceClaimName").clone()))
            .collect()
    };
    if value.at(&["metadata", "labels"]).entries().ne(old.labels().entries()) {
        Some(format!(
            "node {node} cannot update labels through pod status",
            node = quoted(&node)
        ))
    } else if claims(value) != claims(old.value()) {
        Some(format!(
            "node {node} cannot update resource claim statues",
            node = quoted(&node)
        ))
    } else {
        None
    }
}

/// Of a claim a kubelet writes what its growing changes. The real sentence goes on with the difference in the
/// form of a Go library, which says of itself that it is not stable.
fn claim_status(a: &Attributes, node: &str, value: &Value) -> Option<String> {
    let rest = |v: &Value| {
        let mut v = v.clone();
        for path in [
            ["metadata", "managedFields"],
            ["metadata", "resourceVersion"],
            ["status", "allocatedResourceStatuses"],
            ["status", "allocatedResources"],
            ["status", "capacity"],
            ["status", "conditions"],
        ] {
            v.remove(&path);
        }
        v
    };
    (rest(value) != rest(a.old?.value())).then(|| {
        format!(
            "node {node} is not allowed to update fields other than status.capacity and status.conditions",
            node = quoted(&node)
        )
    })
}

fn own_node(a: &Attributes, node: &str, value: &Value) -> Option<String> {
    let name = value.str_at(&["metadata", "name"]);
    if name != node {
        return Some(format!(
            "node {node} is not allowed to modify node {name}",
            node = quoted(&node),
            name = quoted(&name)
        ));
    }
    let none = Value::Null;
    let old = match a.operation {
        Operation::Create => &none,
        Operation::Update => a.old?.value(),
        Operation::Delete | Operation::Connect => return None,
    };
    if a.operation == Operation::Update {
        for (path, what) in [
            (["metadata", "ownerReferences"], "ownerReferences"),
            (["spec", "taints"], "taints"),
        ] {
            if value.at(&path).items() != old.at(&path).items() {
                return Some(format!(
                    "node {node} is not allowed to modify {what}",
                    node = quoted(&node)
                ));
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
    Some(match a.operation {
        Operation::Create => format!(
            "node {node} is not allowed to set the following labels: {names}",
            node = quoted(&node)
        ),
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

    /// Of parts a kubelet writes the status of its node and of its pods, and of claims what their growing changes.
    #[test]
    fn parts() {
        use crate::api::kinds::tests::{post, server};
        use crate::api::request::{Body, Method, Request};
        use crate::api::{PatchType, User};
        use crate::value::yaml;

        let api = server();
        let all = [
            ("/api/v1/nodes", "{metadata: {name: a}}"),
            ("/api/v1/nodes", "{metadata: {name: b}}"),
            (
                "/api/v1/namespaces/default/pods",
                "{metadata: {name: on-a}, spec: {nodeName: a, containers: [{name: c, image: x}], resourceClaims: [{name: gpu, resourceClaimName: gpu-1}]}}",
            ),
            (
                "/api/v1/namespaces/default/pods",
                "{metadata: {name: on-b}, spec: {nodeName: b, containers: [{name: c, image: x}]}}",
            ),
            (
                "/api/v1/namespaces/default/persistentvolumeclaims",
                "{metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
            ),
        ];
        for (path, text) in all {
            let made = post(&api, path, yaml::decode(text).unwrap());
            assert_eq!(made.code, 201, "{text}: {}", made.value().to_json());
        }
        let mut out = String::new();
        for (path, change) in [
            ("nodes/a/status", "{status: {phase: Running}}"),
            ("nodes/b/status", "{status: {phase: Running}}"),
            ("nodes/a/status", "{spec: {taints: [{key: k, effect: NoSchedule}]}}"),
            ("nodes/a/status", "{metadata: {labels: {example.com/a: b}}}"),
            (
                "nodes/a/status",
                "{metadata: {labels: {node-restriction.kubernetes.io/a: b}}}",
            ),
            ("namespaces/default/pods/on-a/status", "{status: {message: m}}"),
            ("namespaces/default/pods/on-b/status", "{status: {message: m}}"),
            ("namespaces/default/pods/on-a/status", "{metadata: {labels: {a: b}}}"),
            (
                "namespaces/default/pods/on-a/status",
                "{status: {resourceClaimStatuses: [{name: gpu, resourceClaimName: gpu-1}]}}",
            ),
            (
                "namespaces/default/pods/on-a/ephemeralcontainers",
                "{spec: {ephemeralContainers: [{name: e, image: x}]}}",
            ),
            (
                "namespaces/default/persistentvolumeclaims/c/status",
                "{status: {capacity: {storage: 1Gi}}}",
            ),
            (
                "namespaces/default/persistentvolumeclaims/c/status",
                "{status: {phase: Bound}}",
            ),
            (
                "namespaces/default/persistentvolumeclaims/c",
                "{metadata: {labels: {a: b}}}",
            ),
        ] {
            let mut answers = [User::node("a"), User::admin()].into_iter().map(|user| {
                let mut request = Request::new(Method::Patch, format!("/api/v1/{path}"))
                    .body(Body::Value(yaml::decode(change).unwrap()));
                request.content_type = PatchType::Merge.media_type().into();
                request.user = user;
                let response = api.serve(request);
                match response.code {
                    200 => "ok".to_owned(),
                    _ => response.value().str_at(&["message"]).to_owned(),
                }
            });
            out.push_str(&format!("{path} {change}\n=> {}\n", answers.next().unwrap()));
            assert_eq!(answers.next().unwrap(), "ok", "{path} {change}, of others");
        }
        expect_test::expect![[r#"
            nodes/a/status {status: {phase: Running}}
            => ok
            nodes/b/status {status: {phase: Running}}
            => nodes "b" is forbidden: node "a" is not allowed to modify node "b"
            nodes/a/status {spec: {taints: [{key: k, effect: NoSchedule}]}}
            => nodes "a" is forbidden: node "a" is not allowed to modify taints
            nodes/a/status {metadata: {labels: {example.com/a: b}}}
            => ok
            nodes/a/status {metadata: {labels: {node-restriction.kubernetes.io/a: b}}}
            => nodes "a" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/a
            namespaces/default/pods/on-a/status {status: {message: m}}
            => ok
            namespaces/default/pods/on-b/status {status: {message: m}}
            => pods "on-b" is forbidden: node "a" can only update pod status for pods with spec.nodeName set to itself
            namespaces/default/pods/on-a/status {metadata: {labels: {a: b}}}
            => pods "on-a" is forbidden: node "a" cannot update labels through pod status
            namespaces/default/pods/on-a/status {status: {resourceClaimStatuses: [{name: gpu, resourceClaimName: gpu-1}]}}
            => pods "on-a" is forbidden: node "a" cannot update resource claim statues
            namespaces/default/pods/on-a/ephemeralcontainers {spec: {ephemeralContainers: [{name: e, image: x}]}}
            => pods "on-a" is forbidden: unexpected pod subresource "ephemeralcontainers", only 'status' and 'eviction' are allowed
            namespaces/default/persistentvolumeclaims/c/status {status: {capacity: {storage: 1Gi}}}
            => ok
            namespaces/default/persistentvolumeclaims/c/status {status: {phase: Bound}}
            => persistentvolumeclaims "c" is forbidden: node "a" is not allowed to update fields other than status.capacity and status.conditions
            namespaces/default/persistentvolumeclaims/c {metadata: {labels: {a: b}}}
            => persistentvolumeclaims "c" is forbidden: may only update PVC status
        "#]].assert_eq(&out);
    }

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
