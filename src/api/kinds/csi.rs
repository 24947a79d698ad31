//! What CSI drivers, their sidecars and the attach controller write: CSIDrivers, CSINodes,
//! CSIStorageCapacities, VolumeAttachments and VolumeAttributesClasses.

use super::{age_cell, edit, internal, set_default, storage, volume_validation, workload};
use crate::api::names;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::api::volumes;
use crate::flat::Case;
use crate::list;
use crate::sim::Time;
use crate::value::Value;

/// The rules of CSIDrivers.
pub struct CsiDriverRules;

impl Strategy for CsiDriverRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "attachRequired", true);
            for field in ["podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"] {
                set_default(spec, field, false);
            }
            set_default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
            if spec.get("volumeLifecycleModes").is_empty() {
                spec.set(&["volumeLifecycleModes"], list!["Persistent"]);
            }
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let known = ["File", "None", "ReadWriteOnceWithFSType"];
        errors.enumerated("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), &known);
        let requests = spec.get("tokenRequests").items();
        for (i, request) in requests.iter().enumerate() {
            let (at, audience) = (format!("spec.tokenRequests[{i}]"), request.get("audience"));
            if requests
                .iter()
                .take(i)
                .any(|r| r.get("audience").str() == audience.str())
            {
                errors.duplicate(format!("{at}.audience"), audience);
                continue;
            }
            let seconds = request.get("expirationSeconds");
            let why = match seconds.as_i64() {
                Some(..600) => "may not specify a duration less than 10 minutes",
                Some(4_294_967_297..) => "may not specify a duration larger than 2^32 seconds",
                _ => continue,
            };
            errors.invalid(format!("{at}.expirationSeconds"), seconds, why);
        }
        for mode in spec.get("volumeLifecycleModes").items() {
            errors.enumerated("spec.volumeLifecycleModes", mode, &["Persistent", "Ephemeral"]);
        }
        let period = spec.get("nodeAllocatableUpdatePeriodSeconds");
        if period.as_i64().is_some_and(|n| n < 10) {
            let why = "must be greater than or equal to 10 seconds";
            errors.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for (part, shown) in [
            ("attachRequired", "attachedRequired"),
            ("volumeLifecycleModes", "volumeLifecycleModes"),
        ] {
            let now = new.at(&["spec", part]);
            if now != old.spec().get(part) {
                errors.invalid(format!("spec.{shown}"), now, "field is immutable");
            }
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let is = |field: &str| Value::from(spec.get(field).as_bool() == Some(true));
        let join = |list: Vec<&str>, none: &str| {
            Value::from(if list.is_empty() {
                none.to_owned()
            } else {
                list.join(",")
            })
        };
        let audiences = spec.get("tokenRequests").items();
        let modes = spec.get("volumeLifecycleModes").items();
        Some(vec![
            object.name().into(),
            is("attachRequired"),
            is("podInfoOnMount"),
            is("storageCapacity"),
            join(audiences.iter().map(|t| t.str_at(&["audience"])).collect(), "<unset>"),
            is("requiresRepublish"),
            join(modes.iter().map(Value::str).collect(), "<none>"),
            age_cell(object, now),
        ])
    }
}

/// The name of a CSI driver: a subdomain, in any case, of at most 63 bytes (`ValidateCSIDriverName`).
pub(super) fn driver_name(name: &Value, field: &str, errors: &mut FieldErrors) {
    const MOST: usize = 63;
    if name.is_empty() {
        errors.required(field, "");
    }
    if name.str().len() > MOST {
        errors.too_long(field, MOST);
    }
    let lower = Value::from(name.str().lower());
    if let Err(why) = names::dns1123_subdomain(lower.str()) {
        errors.invalid(field, &Value::from(name.str()), why);
    }
}

/// The rules of CSINodes.
pub struct CsiNodeRules;

impl Strategy for CsiNodeRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        const MOST: usize = 192;
        let drivers = object.at(&["spec", "drivers"]).items();
        for (i, driver) in drivers.iter().enumerate() {
            let at = format!("spec.drivers[{i}]");
            let (name, node) = (driver.get("name"), driver.get("nodeID"));
            driver_name(name, &format!("{at}.name"), errors);
            if node.is_empty() {
                errors.required(format!("{at}.nodeID"), "");
            }
            if node.str().len() > MOST {
                let why = format!("must be {MOST} characters or less");
                errors.invalid(format!("{at}.nodeID"), node, why);
            }
            let count = driver.at(&["allocatable", "count"]);
            workload::non_negative(count, format!("{at}.allocatable.count"), errors);
            if drivers.iter().take(i).any(|d| d.get("name").str() == name.str()) {
                errors.duplicate(format!("{at}.name"), &name.str().into());
            }
            let keys = driver.get("topologyKeys").items();
            for (j, key) in keys.iter().enumerate() {
                if key.is_empty() {
                    errors.required(&at, "");
                }
                if keys.iter().take(j).any(|k| k == key) {
                    errors.duplicate(&at, key);
                }
                errors.check(&at, key, names::label_key);
            }
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate(new, errors);
        // How many volumes a node takes may change.
        let fixed = |driver: &Value| {
            let mut driver = driver.clone();
            driver.remove(&["allocatable"]);
            driver
        };
        for had in old.spec().get("drivers").items() {
            for driver in new.at(&["spec", "drivers"]).items() {
                if had.get("name") == driver.get("name") && fixed(had) != fixed(driver) {
                    let text = internal::named(&fixed(driver), "NodeDriver").to_json();
                    errors.invalid_as("spec.drivers", text, "field is immutable");
                }
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let drivers = object.spec().get("drivers").items().len();
        Some(vec![object.name().into(), drivers.into(), age_cell(object, now)])
    }
}

/// The rules of CSIStorageCapacities.
pub struct CsiStorageCapacityRules;

impl Strategy for CsiStorageCapacityRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        workload::selector_rules(object.get("nodeTopology"), "nodeTopology", errors);
        let class = object.get("storageClassName");
        errors.check("storageClassName", class, names::dns1123_subdomain);
        let capacity = object.get("capacity");
        if Quantity::parse_or_zero(capacity.str()) < Quantity::ZERO {
            errors.invalid("capacity", capacity, "must be greater than or equal to 0");
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for field in ["nodeTopology", "storageClassName"] {
            let now = new.get(field);
            if now != old.value().get(field) {
                errors.invalid(field, now, "field is immutable");
            }
        }
    }
}

/// The rules of VolumeAttachments.
pub struct VolumeAttachmentRules;

impl Strategy for VolumeAttachmentRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let (attacher, source) = (spec.get("attacher"), spec.get("source"));
        if attacher.is_empty() {
            errors.required("spec.attacher", "");
        }
        let (inline, name) = (source.get("inlineVolumeSpec"), source.get("persistentVolumeName"));
        let why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
        match (inline.is_null(), name.is_null()) {
            (true, true) => errors.required("spec.source", why),
            (false, false) => errors.forbidden("spec.source", why),
            (true, false) if name.is_empty() => errors.required(
                "spec.source.persistentVolumeName",
                "must specify non empty persistentVolumeName",
            ),
            (true, false) => {}
            (false, true) => {
                let field = "spec.source.inlineVolumeSpec";
                inline_volume(inline, field, errors);
                volume_validation::source(inline, None, field, errors);
            }
        }
        let node = Value::from(spec.get("nodeName").str());
        errors.check("spec.nodeName", &node, names::dns1123_subdomain);
        attachment_status(object.get("status"), errors);
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        self.validate(object, errors);
        let spec = object.get("spec");
        driver_name(spec.get("attacher"), "spec.attacher", errors);
        let name = spec.at(&["source", "persistentVolumeName"]);
        if !name.is_null() {
            let field = "spec.source.persistentVolumeName";
            errors.check(field, name, names::dns1123_subdomain);
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate(new, errors);
        workload::immutable_spec(new, old, "AttachmentSpec", errors);
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        attachment_status(new.get("status"), errors);
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        Some(vec![
            object.name().into(),
            spec.get("attacher").str().into(),
            spec.str_at(&["source", "persistentVolumeName"]).into(),
            spec.get("nodeName").str().into(),
            object.status().bool_at(&["attached"]).into(),
            age_cell(object, now),
        ])
    }
}

/// A volume that an attachment carries itself (a migrated one).
fn inline_volume(spec: &Value, field: &str, errors: &mut FieldErrors) {
    for name in ["claimRef", "capacity"] {
        if !spec.get(name).is_empty() {
            let why = "may not be specified in the context of inline volumes";
            errors.forbidden(format!("{field}.{name}"), why);
        }
    }
    if spec.get("csi").is_null() {
        let why = "has to be specified in the context of inline volumes";
        errors.required(format!("{field}.csi"), why);
    }
    storage::check_modes(spec, "", field, errors);
}

fn attachment_status(status: &Value, errors: &mut FieldErrors) {
    const METADATA: usize = 256 << 10;
    const MESSAGE: usize = 1 << 10;
    let metadata = status.get("attachmentMetadata").entries();
    if metadata.map(|(k, v)| k.len() + v.str().len()).sum::<usize>() > METADATA {
        errors.too_long("status.attachmentMetadata", METADATA);
    }
    for name in ["attachError", "detachError"] {
        let error = status.get(name);
        // The real server names the other limit.
        if error.get("message").str().len() > MESSAGE {
            errors.too_long(format!("status.{name}.message"), METADATA);
        }
        let code = error.get("errorCode");
        if code.as_i64().is_some_and(|n| n < 0) {
            let why = format!("must be between 0 and {}, inclusive", i32::MAX);
            errors.invalid(format!("status.{name}.errorCode"), code, why);
        }
    }
}

/// The rules of VolumeAttributesClasses.
pub struct VolumeAttributesClassRules;

impl Strategy for VolumeAttributesClassRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        storage::provisioner(object, "driverName", errors);
        let parameters = object.get("parameters");
        storage::parameters(parameters, errors);
        if parameters.is_empty() {
            errors.required("parameters", "must contain at least one key/value pair");
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for field in ["driverName", "parameters"] {
            if new.get(field) != old.value().get(field) {
                errors.forbidden(field, format!("updates to {field} are forbidden."));
            }
        }
        self.validate(new, errors);
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let default = volumes::is_default(
            object.value(),
            &["volumeattributesclass.alpha.kubernetes.io/is-default-class"],
        );
        Some(vec![
            format!("{}{}", object.name(), if default { " (default)" } else { "" }).into(),
            object.value().get("driverName").str().into(),
            age_cell(object, now),
        ])
    }
}
