//! PersistentVolumes, PersistentVolumeClaims and StorageClasses.

use super::{
    age_cell, edit, internal, pod_validation, pod_warnings, set_default, set_default_zero, volume_validation, workload,
};
use crate::api::admission;
use crate::api::names;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy, keep_status};
use crate::api::volumes;
use crate::api::well_known;
use crate::flat::Case;
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

/// Checks the access modes of a volume or a claim; `why` is what is said where there are none.
pub(super) fn check_modes(spec: &Value, why: &str, field: &str, errors: &mut FieldErrors) {
    let list = spec.get("accessModes").items();
    let at = format!("{field}.accessModes");
    if list.is_empty() {
        errors.required(&at, why);
    }
    for mode in list {
        errors.enumerated(&at, mode, &MODES);
    }
    let alone = |m: &&Value| m.str() == "ReadWriteOncePod";
    let others = list.iter().any(|m| !alone(&m) && MODES.contains(&m.str()));
    if list.iter().any(|m| alone(&m)) && others {
        errors.forbidden(at, "may not use ReadWriteOncePod with other access modes");
    }
}

fn positive(size: &Value, field: &str, errors: &mut FieldErrors) {
    if Quantity::parse_or_zero(size.str()) <= Quantity::ZERO {
        errors.invalid(field, size, "must be greater than zero");
    }
}

/// The mode of a volume or a claim. What was stored before there were modes is a filesystem.
fn volume_mode(spec: &Value) -> &str {
    match spec.str_at(&["volumeMode"]) {
        "" => "Filesystem",
        mode => mode,
    }
}

const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

/// Checks the source that a claim is filled from.
fn data_source(source: &Value, field: &str, errors: &mut FieldErrors) {
    if source.is_null() {
        return;
    }
    for part in ["name", "kind"] {
        if source.get(part).is_empty() {
            errors.required(format!("{field}.{part}"), "");
        }
    }
    let (group, kind) = (source.get("apiGroup"), source.get("kind"));
    if group.is_empty() && kind.str() != "PersistentVolumeClaim" {
        let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.invalid(field, &kind.str().into(), why);
    }
    errors.check_some(format!("{field}.apiGroup"), group, names::dns1123_subdomain);
    let namespace = source.get("namespace");
    errors.check_some(format!("{field}.namespace"), namespace, names::dns1123_label);
}

/// `ValidatePersistentVolumeClaimSpec`.
pub(super) fn claim_spec(spec: &Value, field: &str, errors: &mut FieldErrors) {
    check_modes(spec, "at least 1 access mode is required", field, errors);
    workload::selector_rules(spec.get("selector"), &format!("{field}.selector"), errors);
    let size = spec.at(&["resources", "requests", "storage"]);
    let at = format!("{field}.resources[storage]");
    if size.is_null() {
        errors.required(at, "");
    } else {
        positive(size, &at, errors);
    }
    let class: names::Rule = names::dns1123_subdomain;
    errors.check_some(format!("{field}.storageClassName"), spec.get("storageClassName"), class);
    errors.enumerated(format!("{field}.volumeMode"), spec.get("volumeMode"), &VOLUME_MODES);
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    data_source(source, &format!("{field}.dataSource"), errors);
    data_source(reference, &format!("{field}.dataSourceRef"), errors);
    if !source.is_null() && !reference.is_null() {
        let differs = ["apiGroup", "kind", "name"]
            .iter()
            .any(|p| source.get(p) != reference.get(p));
        let why = if !reference.get("namespace").is_empty() {
            Some("may not be specified when dataSourceRef.namespace is specified")
        } else {
            differs.then_some("must match dataSourceRef")
        };
        if let Some(why) = why {
            // The value is Go's path of the field, which has no outer form.
            errors.invalid_as(field, "{}", why);
        }
    }
    let attributes = "volumeAttributesClassName";
    errors.check_some(format!("{field}.{attributes}"), spec.get(attributes), class);
}

/// The rules of PersistentVolumes.
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

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "phase": "Pending" })
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        object.set(&["status", "lastPhaseTransitionTime"], cx.now);
        if cx.api.admission().is_on(admission::STORAGE_OBJECT_IN_USE_PROTECTION) {
            volumes::protect(object, well_known::VOLUME_PROTECTION);
        }
        Ok(())
    }

    fn prepare_part(&self, _part: &str, new: &mut Value, old: &Object, cx: &Context) {
        self.prepare_status(new, old);
        // Whoever moves a volume to another phase need not say when.
        let (status, had) = (new.get("status"), old.status());
        let time = "lastPhaseTransitionTime";
        let untold = status.get(time).is_null() || status.get(time) == had.get(time);
        if status.get("phase") != had.get("phase") && untold {
            new.set(&["status", time], cx.now);
        }
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        check_modes(spec, "", "spec", errors);
        let capacity = spec.get("capacity");
        if capacity.is_empty() {
            errors.required("spec.capacity", "");
        }
        if !capacity.has("storage") || capacity.entries().count() > 1 {
            errors.not_supported("spec.capacity", capacity, &["storage"]);
        }
        for (name, size) in capacity.entries() {
            positive(size, &format!("spec.capacity[{}]", &**name), errors);
        }
        let policy = spec.get("persistentVolumeReclaimPolicy");
        errors.enumerated(
            "spec.persistentVolumeReclaimPolicy",
            policy,
            &["Delete", "Recycle", "Retain"],
        );
        let affinity = spec.get("nodeAffinity");
        if !affinity.is_null() && affinity.get("required").is_null() {
            let why = "must specify required node constraints";
            errors.required("spec.nodeAffinity.required", why);
        } else if !affinity.is_null() {
            pod_validation::node_selector(affinity.get("required"), "spec.nodeAffinity.required", errors);
        }
        volume_validation::source(spec, None, "spec", errors);
        if !spec.get("local").is_null() && affinity.is_null() {
            // The real server says that of a field below the volume's own.
            errors.required("spec.local.nodeAffinity", "Local volume requires node affinity");
        }
        if policy.str() == "Recycle" && spec.str_at(&["hostPath", "path"]) == "/" {
            let why = "may not be 'recycle' for a hostPath mount of '/'";
            errors.forbidden("spec.persistentVolumeReclaimPolicy", why);
        }
        let class = spec.get("storageClassName");
        errors.check_some("spec.storageClassName", class, names::dns1123_subdomain);
        errors.enumerated("spec.volumeMode", spec.get("volumeMode"), &VOLUME_MODES);
        let attributes = spec.get("volumeAttributesClassName");
        if !attributes.is_null() {
            let field = "spec.volumeAttributesClassName";
            if attributes.is_empty() {
                errors.required(field, "an empty string is disallowed");
            }
            errors.check_some(field, attributes, names::dns1123_subdomain);
            if spec.get("csi").is_null() {
                errors.required("spec.csi", "has to be specified when using volumeAttributesClassName");
            }
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let mut all = Vec::new();
        let beta = well_known::BETA_STORAGE_CLASS;
        if object.at(&["metadata", "annotations"]).has(beta) {
            all.push(format!(
                "metadata.annotations[{beta}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
            ));
        }
        if object.str_at(&["spec", "persistentVolumeReclaimPolicy"]) == "Recycle" {
            all.push("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.".into());
        }
        let terms = object.at(&["spec", "nodeAffinity", "required", "nodeSelectorTerms"]);
        let field = "spec.nodeAffinity.required.nodeSelectorTerms";
        pod_warnings::node_terms(terms, field, &mut all);
        let size = object.at(&["spec", "capacity", "storage"]);
        let field = || "spec.capacity[storage]".to_owned();
        all.extend(pod_warnings::fractional(size, field));
        all
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate(new, errors);
        let (spec, had) = (new.get("spec"), old.spec());
        let sources = |spec: &Value| -> Value {
            let of_csi = |k: &str, v: &Value| {
                // This may be set once.
                let mut v = v.clone();
                if k == "csi" && had.at(&["csi", "controllerExpandSecretRef"]).is_null() {
                    v.remove(&["controllerExpandSecretRef"]);
                }
                v
            };
            let all = spec.entries().filter(|(k, _)| volume_validation::is_source(k));
            all.map(|(k, v)| (k.clone(), of_csi(k, v))).collect()
        };
        let (a, b) = (sources(had), sources(spec));
        if a != b {
            let lines = |v: &Value| internal::named(v, "PersistentVolumeSource").lines(" ");
            let difference = internal::unified_diff(&lines(&a), &lines(&b));
            let why = format!("spec.persistentvolumesource is immutable after creation\n{difference}");
            errors.forbidden("spec.persistentvolumesource", why);
        }
        if volume_mode(spec) != volume_mode(had) {
            errors.invalid("volumeMode", spec.get("volumeMode"), "field is immutable");
        }
        let affinity = spec.get("nodeAffinity");
        if !had.get("nodeAffinity").is_null() && affinity != had.get("nodeAffinity") {
            let text = match affinity {
                Value::Null => "null".to_owned(),
                _ => format!(
                    r#"{{"Required":{}}}"#,
                    internal::named(affinity.get("required"), "*NodeSelector").to_json()
                ),
            };
            let why = "field is immutable, except for updating from beta label to GA";
            errors.invalid_as("nodeAffinity", text, why);
        }
        let attributes = "volumeAttributesClassName";
        if !had.get(attributes).is_null() && spec.get(attributes).is_null() {
            let why = "update from non-nil value to nil is forbidden";
            errors.forbidden(format!("spec.{attributes}"), why);
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
            volumes::class_of(object).into(),
            unset(spec.get("volumeAttributesClassName")),
            object.status().get("reason").str().into(),
            age_cell(object, now),
            unset(spec.get("volumeMode")),
        ])
    }
}

/// Brings the two fields together that name what a claim is filled from, as the API server does with
/// what clients of either write. A source of another namespace is an alpha feature.
fn join_sources(spec: &mut Value, old: Option<&Value>) {
    const SOURCE: &str = "dataSource";
    const REFERENCE: &str = "dataSourceRef";
    let had = |field: &str| old.is_some_and(|old| !old.get(field).is_null());
    if !spec.at(&[REFERENCE, "namespace"]).is_empty() && !had(REFERENCE) {
        spec.remove(&[REFERENCE]);
    }
    let source = spec.get(SOURCE);
    let known = matches!(
        (source.str_at(&["apiGroup"]), source.str_at(&["kind"])),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    );
    // What no volume could be filled from was always dropped in the older field.
    if !known && spec.get(REFERENCE).is_null() && !had(SOURCE) && !had(REFERENCE) {
        spec.remove(&[SOURCE]);
    }
    for (from, to) in [(SOURCE, REFERENCE), (REFERENCE, SOURCE)] {
        let found = spec.get(from);
        if !found.is_null() && spec.get(to).is_null() && found.get("namespace").is_empty() {
            let found = found.clone();
            spec.set(&[to], found);
        }
    }
}

/// The rules of PersistentVolumeClaims.
pub struct PersistentVolumeClaimRules;

impl Strategy for PersistentVolumeClaimRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default_zero(spec, "volumeMode", "Filesystem");
        });
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        keep_status(new, old);
        // Clients that know the older field alone do not send the other.
        edit(new, "spec", |spec| join_sources(spec, Some(old.spec())));
        Ok(())
    }

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "phase": "Pending" })
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        edit(object, "spec", |spec| join_sources(spec, None));
        if cx.api.admission().is_on(admission::STORAGE_OBJECT_IN_USE_PROTECTION) {
            volumes::protect(object, well_known::CLAIM_PROTECTION);
        }
        Ok(())
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let size = object.at(&["spec", "resources", "requests", "storage"]);
        let field = || "spec.resources.requests[storage]".to_owned();
        pod_warnings::fractional(size, field).into_iter().collect()
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        claim_spec(object.get("spec"), "spec", errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate(new, errors);
        self.validate_update(new, old, errors);
        let (spec, had) = (new.get("spec"), old.spec());
        if volume_mode(spec) != volume_mode(had) {
            errors.invalid("volumeMode", spec.get("volumeMode"), "field is immutable");
        }
        let name = "volumeAttributesClassName";
        if !had.get(name).is_null() && spec.get(name).is_empty() {
            let what = if spec.get(name).is_null() {
                "nil"
            } else {
                "an empty string"
            };
            let why = format!("update from non-nil value to {what} is forbidden");
            errors.forbidden(format!("spec.{name}"), why);
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
        let given = Quantity::parse_or_zero(old.status().str_at(&["capacity", "storage"]));
        // Down to what the volume has, after a growth that failed.
        if size(new.get("spec")) < size(old.spec()) && size(new.get("spec")) <= given {
            errors.forbidden(
                "spec.resources.requests.storage",
                "field can not be less than status.capacity",
            );
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        for list in ["capacity", "allocatedResources"] {
            for (name, size) in new.at(&["status", list]).entries() {
                let amount = Quantity::parse_or_zero(size.str());
                if amount < Quantity::ZERO {
                    let field = format!("status.{list}[{}]", &**name);
                    let bytes = amount.value();
                    errors.invalid_as(field, bytes.to_string(), "must be a valid resource quantity");
                }
            }
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
                // A quantity that is missing is one of nothing.
                Value::from(status.at(&["capacity", "storage"]).as_str().unwrap_or("0"))
            } else {
                "".into()
            },
            if bound {
                modes(status.get("accessModes")).into()
            } else {
                "".into()
            },
            volumes::class_of(object).into(),
            unset(spec.get("volumeAttributesClassName")),
            age_cell(object, now),
            unset(spec.get("volumeMode")),
        ])
    }
}

/// The name of who makes volumes: a qualified name in lower case.
pub(super) fn provisioner(object: &Value, field: &str, errors: &mut FieldErrors) {
    let name = object.get(field);
    if name.is_empty() {
        errors.required(field, "");
    } else if let Err(why) = names::label_key(&name.str().lower()) {
        errors.invalid(field, name, why);
    }
}

/// What a class tells who makes volumes (`validateParameters`).
pub(super) fn parameters(parameters: &Value, errors: &mut FieldErrors) {
    const MOST: usize = 512;
    const MOST_BYTES: usize = 256 << 10;
    if parameters.entries().count() > MOST {
        return errors.too_long("parameters", MOST);
    }
    if parameters.has("") {
        errors.invalid("parameters", &"".into(), "field can not be empty.");
    }
    let bytes: usize = parameters.entries().map(|(k, v)| k.len() + v.str().len()).sum();
    if bytes > MOST_BYTES {
        errors.too_long("parameters", MOST_BYTES);
    }
}

/// The rules of StorageClasses.
pub struct StorageClassRules;

impl Strategy for StorageClassRules {
    fn defaults(&self, object: &mut Value) {
        set_default_zero(object, "reclaimPolicy", "Delete");
        set_default_zero(object, "volumeBindingMode", "Immediate");
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        provisioner(object, "provisioner", errors);
        parameters(object.get("parameters"), errors);
        errors.enumerated("reclaimPolicy", object.get("reclaimPolicy"), &["Delete", "Retain"]);
        let mode = object.get("volumeBindingMode");
        errors.enumerated("volumeBindingMode", mode, &["Immediate", "WaitForFirstConsumer"]);
        for (i, term) in object.get("allowedTopologies").items().iter().enumerate() {
            let mut keys = Vec::new();
            for (j, e) in term.get("matchLabelExpressions").items().iter().enumerate() {
                let at = format!("allowedTopologies[{i}].matchLabelExpressions[{j}]");
                let values = e.get("values").items();
                if values.is_empty() {
                    errors.required(format!("{at}.values"), "");
                }
                for (k, value) in values.iter().enumerate() {
                    if values.iter().take(k).any(|v| v == value) {
                        errors.duplicate(format!("{at}.values[{k}]"), value);
                    }
                }
                errors.check(format!("{at}.key"), e.get("key"), names::label_key);
                if keys.contains(&e.get("key")) {
                    errors.duplicate(format!("{at}.key"), e.get("key"));
                }
                keys.push(e.get("key"));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for field in ["parameters", "provisioner"] {
            if new.get(field) != old.value().get(field) {
                errors.forbidden(field, format!("updates to {field} are forbidden."));
            }
        }
        if new.get("reclaimPolicy") != old.value().get("reclaimPolicy") {
            errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.");
        }
        if new.get("volumeBindingMode") != old.value().get("volumeBindingMode") {
            let why = "field is immutable";
            errors.invalid("volumeBindingMode", new.get("volumeBindingMode"), why);
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        // What does not change needs no second look.
        self.validate_update(new, old, errors);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let mut all = Vec::new();
        pod_warnings::topologies(object.get("allowedTopologies"), &mut all);
        all
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = object.value();
        let default = volumes::is_default(object.value(), volumes::DEFAULT_CLASS);
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
