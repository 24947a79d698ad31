//! Plugins about classes and nodes: `DefaultStorageClass`, `DefaultIngressClass`, the one default
//! `PriorityClass`, and `TaintNodesByCondition`.

use super::Attributes;
use crate::api::kinds::DEFAULT_INGRESS_CLASS;
use crate::api::object::{Object, ObjectKey};
use crate::api::quantity::Quantity;
use crate::api::status::Status;
use crate::api::volumes;
use crate::api::well_known;
use crate::obj;
use crate::value::Value;

/// The default one of the classes on a shelf.
fn default_class(a: &Attributes, shelf: &str, marks: &[&str]) -> Option<Object> {
    volumes::default_class(a.api.store().list(shelf, ""), marks)
}

pub(super) fn mutate(a: &Attributes, value: &mut Value) {
    let chooses = a.api.admission().is_on(super::DEFAULT_STORAGE_CLASS);
    if chooses
        && a.creates("", "persistentvolumeclaims")
        && !value.get("spec").has("storageClassName")
        && let Some(class) = default_class(a, "storageclasses.storage.k8s.io", volumes::DEFAULT_CLASS)
    {
        value.set(&["spec", "storageClassName"], class.name());
    }
    let by_annotation = value.at(&["metadata", "annotations"]).has(well_known::INGRESS_CLASS);
    if a.creates("networking.k8s.io", "ingresses")
        && !value.get("spec").has("ingressClassName")
        && !by_annotation
        && let Some(class) = default_class(a, "ingressclasses.networking.k8s.io", &[DEFAULT_INGRESS_CLASS])
    {
        value.set(&["spec", "ingressClassName"], class.name());
    }
    if a.creates("", "nodes") {
        let key = well_known::NOT_READY;
        let taints = value.at_mut(&["spec", "taints"]).list_mut();
        if !taints.iter().any(|t| t.get("key").str() == key) {
            taints.push(obj! { "effect": "NoSchedule", "key": key });
        }
    }
}

/// `PersistentVolumeClaimResize`: a claim grows only when its class says that it may.
fn resize(a: &Attributes, value: &Value) -> Result<(), Status> {
    let Some(old) = a.old.filter(|_| a.is("", "persistentvolumeclaims")) else {
        return Ok(());
    };
    let size = |spec: &Value| Quantity::parse_or_zero(spec.str_at(&["resources", "requests", "storage"]));
    if size(value.get("spec")) <= size(old.spec()) {
        return Ok(());
    }
    let key = ObjectKey::new("", volumes::class_of(old));
    let class = a.api.store().get("storageclasses.storage.k8s.io", &key);
    if class.is_some_and(|c| c.value().bool_at(&["allowVolumeExpansion"])) {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(a.forbidden(value, why))
}

pub(super) fn validate(a: &Attributes, value: &Value) -> Result<(), Status> {
    resize(a, value)?;
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
