//! Plugins about classes and nodes: `DefaultStorageClass`, `DefaultIngressClass`, the one default
//! `PriorityClass`, and `TaintNodesByCondition`.

use super::Attributes;
use crate::api::object::Object;
use crate::api::status::Status;
use crate::obj;
use crate::value::Value;

/// The newest of the classes that are marked as the default one.
fn default_class(a: &Attributes, shelf: &str, annotations: &[&str]) -> Option<Object> {
    a.api
        .store()
        .list(shelf, "")
        .into_iter()
        .filter(|c| annotations.iter().any(|n| c.annotation(n) == Some("true")))
        .max_by(|x, y| x.created().cmp(&y.created()).then(y.name().cmp(x.name())))
}

pub(super) fn mutate(a: &Attributes, value: &mut Value) {
    if a.creates("", "persistentvolumeclaims") && !value.get("spec").has("storageClassName") {
        let annotations = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        if let Some(class) = default_class(a, "storageclasses.storage.k8s.io", &annotations) {
            value.set(&["spec", "storageClassName"], class.name());
        }
    }
    let by_annotation = value
        .at(&["metadata", "annotations"])
        .has("kubernetes.io/ingress.class");
    if a.creates("networking.k8s.io", "ingresses") && !value.get("spec").has("ingressClassName") && !by_annotation {
        let annotations = ["ingressclass.kubernetes.io/is-default-class"];
        if let Some(class) = default_class(a, "ingressclasses.networking.k8s.io", &annotations) {
            value.set(&["spec", "ingressClassName"], class.name());
        }
    }
    if a.creates("", "nodes") {
        let key = "node.kubernetes.io/not-ready";
        let taints = value.at_mut(&["spec", "taints"]).list_mut();
        if !taints.iter().any(|t| t.get("key").str() == key) {
            taints.push(obj! { "effect": "NoSchedule", "key": key });
        }
    }
}

pub(super) fn validate(a: &Attributes, value: &Value) -> Result<(), Status> {
    if !a.is("scheduling.k8s.io", "priorityclasses") || !value.bool_at(&["globalDefault"]) {
        return Ok(());
    }
    let name = value.str_at(&["metadata", "name"]);
    let other = a
        .api
        .store()
        .list("priorityclasses.scheduling.k8s.io", "")
        .into_iter()
        .find(|c| c.value().bool_at(&["globalDefault"]) && c.name() != name);
    match other {
        Some(other) => Err(a.forbidden(
            value,
            format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                other.name()
            ),
        )),
        None => Ok(()),
    }
}
