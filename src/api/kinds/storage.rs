//! PersistentVolumes, PersistentVolumeClaims and StorageClasses.

use super::{age_cell, edit, fresh_status, internal, set_default, set_default_zero};
use crate::api::admission;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::volumes;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// `RWO,ROX`: access modes in short.
fn modes(list: &Value) -> String {
    let has = |mode: &str| list.items().iter().any(|m| m.str() == mode);
    let short: Vec<&str> = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .into_iter()
    .filter(|(mode, _)| has(mode))
    .map(|(_, short)| short)
    .collect();
    short.join(",")
}

fn unset(value: &Value) -> Value {
    if value.is_empty() {
        "<unset>".into()
    } else {
        value.clone()
    }
}

fn phase(object: &Object) -> Value {
    if object.is_deleting() {
        "Terminating".into()
    } else {
        object.status().get("phase").str().into()
    }
}

fn check_modes(spec: &Value, errors: &mut FieldErrors) {
    let list = spec.get("accessModes");
    if list.is_empty() {
        errors.required("spec.accessModes", "at least 1 access mode is required");
    }
    for mode in list.items() {
        if !MODES.contains(&mode.str()) {
            errors.not_supported("spec.accessModes", mode, &MODES);
        }
    }
}

fn check_storage(list: &Value, field: &str, errors: &mut FieldErrors) {
    let size = list.get("storage");
    if size.is_null() {
        errors.required(field, "");
    } else if Quantity::parse_or_zero(size.str()) <= Quantity::ZERO {
        errors.invalid(field, size, "must be greater than zero");
    }
}

pub struct PersistentVolumeRules;

impl Strategy for PersistentVolumeRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default_zero(spec, "persistentVolumeReclaimPolicy", "Retain");
            set_default_zero(spec, "volumeMode", "Filesystem");
            edit(spec, "hostPath", |h| set_default(h, "type", ""));
        });
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "lastPhaseTransitionTime": cx.now, "phase": "Pending" });
        if cx.api.admission().is_on(admission::STORAGE_OBJECT_IN_USE_PROTECTION) {
            volumes::protect(object, "kubernetes.io/pv-protection");
        }
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        check_modes(spec, errors);
        if spec.get("capacity").is_empty() {
            errors.required("spec.capacity", "");
        } else {
            check_storage(spec.get("capacity"), "spec.capacity[storage]", errors);
        }
        let policy = spec.get("persistentVolumeReclaimPolicy");
        let known = ["Delete", "Recycle", "Retain"];
        if !known.contains(&policy.str()) {
            errors.not_supported("spec.persistentVolumeReclaimPolicy", policy, &known);
        }
        let sources = [
            "hostPath",
            "local",
            "nfs",
            "csi",
            "iscsi",
            "fc",
            "awsElasticBlockStore",
            "gcePersistentDisk",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "flexVolume",
            "flocker",
            "glusterfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        ];
        let mut set = sources.into_iter().filter(|s| !spec.get(s).is_null());
        if set.next().is_none() {
            errors.required("spec", "must specify a volume type");
        }
        for more in set {
            errors.forbidden(format!("spec.{more}"), "may not specify more than 1 volume type");
        }
        if !spec.get("hostPath").is_null() && spec.at(&["hostPath", "path"]).is_empty() {
            errors.required("spec.hostPath.path", "");
        }
        if !spec.get("local").is_null() && spec.get("nodeAffinity").is_null() {
            errors.required("spec.nodeAffinity", "Local volume requires node affinity");
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let claim = spec.get("claimRef");
        let claim = if claim.is_null() {
            String::new()
        } else {
            format!("{}/{}", claim.get("namespace").str(), claim.get("name").str())
        };
        Some(vec![
            object.name().into(),
            spec.at(&["capacity", "storage"]).str().into(),
            modes(spec.get("accessModes")).into(),
            spec.get("persistentVolumeReclaimPolicy").str().into(),
            phase(object),
            claim.into(),
            spec.get("storageClassName").str().into(),
            unset(spec.get("volumeAttributesClassName")),
            object.status().get("reason").str().into(),
            age_cell(object, now),
            unset(spec.get("volumeMode")),
        ])
    }
}

pub struct PersistentVolumeClaimRules;

impl Strategy for PersistentVolumeClaimRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default_zero(spec, "volumeMode", "Filesystem");
        });
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "phase": "Pending" });
        if cx.api.admission().is_on(admission::STORAGE_OBJECT_IN_USE_PROTECTION) {
            volumes::protect(object, "kubernetes.io/pvc-protection");
        }
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        check_modes(spec, errors);
        check_storage(spec.at(&["resources", "requests"]), "spec.resources[storage]", errors);
        let class = spec.get("storageClassName");
        if !class.is_empty()
            && let Err(why) = crate::api::names::dns1123_subdomain(class.str())
        {
            errors.invalid("spec.storageClassName", class, why);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let bound = old.status().get("phase").str() == "Bound";
        let strip = |spec: &Value| {
            let mut spec = spec.clone();
            // The binder sets these once.
            if old.spec().get("volumeName").is_empty() {
                spec.remove(&["volumeName"]);
            }
            if bound {
                spec.remove(&["resources", "requests"]);
                spec.remove(&["volumeAttributesClassName"]);
            }
            if old.spec().get("storageClassName").is_null() {
                spec.remove(&["storageClassName"]);
            }
            spec
        };
        let (a, b) = (strip(new.get("spec")), strip(old.spec()));
        if a != b {
            let difference = internal::unified_diff(
                &internal::claim_spec(&b).lines(" "),
                &internal::claim_spec(&a).lines(" "),
            );
            errors.forbidden(
                "spec",
                format!("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{difference}"),
            );
        }
        let size = |spec: &Value| Quantity::parse_or_zero(spec.str_at(&["resources", "requests", "storage"]));
        if bound && size(new.get("spec")) < size(old.spec()) {
            errors.forbidden(
                "spec.resources.requests.storage",
                "field can not be less than status.capacity",
            );
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (spec, status) = (object.spec(), object.status());
        let bound = !spec.get("volumeName").is_empty();
        Some(vec![
            object.name().into(),
            phase(object),
            spec.get("volumeName").str().into(),
            if bound {
                status.at(&["capacity", "storage"]).str().into()
            } else {
                "".into()
            },
            if bound {
                modes(status.get("accessModes")).into()
            } else {
                "".into()
            },
            spec.get("storageClassName").str().into(),
            unset(spec.get("volumeAttributesClassName")),
            age_cell(object, now),
            unset(spec.get("volumeMode")),
        ])
    }
}

pub struct StorageClassRules;

impl Strategy for StorageClassRules {
    fn defaults(&self, object: &mut Value) {
        set_default_zero(object, "reclaimPolicy", "Delete");
        set_default_zero(object, "volumeBindingMode", "Immediate");
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        if object.get("provisioner").is_empty() {
            errors.required("provisioner", "");
        }
        let mode = object.get("volumeBindingMode");
        let known = ["Immediate", "WaitForFirstConsumer"];
        if !known.contains(&mode.str()) {
            errors.not_supported("volumeBindingMode", mode, &known);
        }
        let policy = object.get("reclaimPolicy");
        let known = ["Delete", "Retain"];
        if !known.contains(&policy.str()) {
            errors.not_supported("reclaimPolicy", policy, &known);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for (field, what) in [("parameters", "parameters"), ("provisioner", "provisioner")] {
            if new.get(field) != old.value().get(field) {
                errors.forbidden(field, format!("updates to {what} are forbidden."));
            }
        }
        for field in ["reclaimPolicy", "volumeBindingMode"] {
            if new.get(field) != old.value().get(field) {
                errors.invalid(field, new.get(field), "field is immutable");
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = object.value();
        let default = object.annotation("storageclass.kubernetes.io/is-default-class") == Some("true")
            || object.annotation("storageclass.beta.kubernetes.io/is-default-class") == Some("true");
        let name = if default {
            format!("{} (default)", object.name())
        } else {
            object.name().to_owned()
        };
        Some(vec![
            name.into(),
            value.get("provisioner").str().into(),
            value.get("reclaimPolicy").str().into(),
            value.get("volumeBindingMode").str().into(),
            value.bool_at(&["allowVolumeExpansion"]).to_string().into(),
            age_cell(object, now),
        ])
    }
}
