//! StatefulSets and ControllerRevisions.

use super::{
    age_cell, container_cells, edit, edit_items, internal, pod_spec, set_default, set_default_zero, statuses, storage,
    workload,
};
use crate::api::names;
use crate::api::object::Object;
use crate::api::resource::split;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy, keep_status};
use crate::flat::Case;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of StatefulSets.
pub struct StatefulSetRules;

/// What of a StatefulSet's spec may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// A field of the gate `MaxUnavailableStatefulSet`, which is off in v1.36: what a client sends there is dropped.
const MAX_UNAVAILABLE: [&str; 4] = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];

impl Strategy for StatefulSetRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default_zero(spec, "podManagementPolicy", "OrderedReady");
            set_default(spec, "updateStrategy", Value::map());
            edit(spec, "updateStrategy", |strategy| {
                set_default_zero(strategy, "type", "RollingUpdate");
                if strategy.get("type").str() == "RollingUpdate" {
                    set_default(strategy, "rollingUpdate", Value::map());
                    edit(strategy, "rollingUpdate", |r| set_default(r, "partition", 0));
                }
            });
            set_default(spec, "persistentVolumeClaimRetentionPolicy", Value::map());
            edit(spec, "persistentVolumeClaimRetentionPolicy", |policy| {
                set_default_zero(policy, "whenDeleted", "Retain");
                set_default_zero(policy, "whenScaled", "Retain");
            });
            set_default(spec, "replicas", 1);
            set_default(spec, "revisionHistoryLimit", 10);
            set_default(spec, "serviceName", "");
            pod_spec::template_defaults(spec, &["template"]);
            edit_items(spec, "volumeClaimTemplates", |claim| {
                set_default_zero(claim, "apiVersion", "v1");
                set_default_zero(claim, "kind", "PersistentVolumeClaim");
                set_default(claim, "spec", Value::map());
                edit(claim, "spec", |s| set_default_zero(s, "volumeMode", "Filesystem"));
                set_default(claim, "status", Value::map());
                edit(claim, "status", |s| set_default_zero(s, "phase", "Pending"));
            });
        });
    }

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "availableReplicas": 0, "replicas": 0 })
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        object.remove(&MAX_UNAVAILABLE);
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        keep_status(new, old);
        new.remove(&MAX_UNAVAILABLE);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let policy = spec.get("podManagementPolicy");
        if !["OrderedReady", "Parallel"].contains(&policy.str()) {
            errors.invalid(
                "spec.podManagementPolicy",
                policy,
                "must be 'OrderedReady' or 'Parallel'",
            );
        }
        let strategy = spec.get("updateStrategy");
        let rolling = strategy.get("rollingUpdate");
        match strategy.get("type").str() {
            "" => errors.required("spec.updateStrategy", ""),
            "OnDelete" if !rolling.is_null() => {
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                let text = internal::named(rolling, "StatefulRolling").to_json();
                errors.invalid_as("spec.updateStrategy.rollingUpdate", text, why);
            }
            "OnDelete" => {}
            "RollingUpdate" => {
                let field = "spec.updateStrategy.rollingUpdate";
                workload::non_negative(rolling.get("partition"), format!("{field}.partition"), errors);
            }
            _ => {
                let text = internal::named(strategy, "StatefulStrategy").to_json();
                errors.invalid_as("spec.updateStrategy", text, "must be 'RollingUpdate' or 'OnDelete'");
            }
        }
        for name in ["whenDeleted", "whenScaled"] {
            let policy = spec.at(&["persistentVolumeClaimRetentionPolicy", name]);
            let field = format!("spec.persistentVolumeClaimRetentionPolicy.{name}");
            errors.enumerated(field, policy, &["Retain", "Delete"]);
        }
        for name in ["replicas", "minReadySeconds"] {
            workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
        }
        workload::non_negative(spec.at(&["ordinals", "start"]), "spec.ordinals.start", errors);
        workload::non_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", errors);
        errors.check_some("spec.serviceName", spec.get("serviceName"), names::dns1123_label);
        // Mounts may name the volumes that the claims' templates make.
        let mut whole = object.clone();
        let names: Vec<Value> = spec
            .get("volumeClaimTemplates")
            .items()
            .iter()
            .map(|c| obj! { "name": c.at(&["metadata", "name"]).clone(), "emptyDir": obj! {} })
            .collect();
        let volumes = whole.at_mut(&["spec", "template", "spec", "volumes"]).list_mut();
        for volume in names {
            if !volumes.iter().any(|v| v.get("name") == volume.get("name")) {
                volumes.push(volume);
            }
        }
        workload::validate_selector_and_template(&whole, errors, &["Always"]);
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        self.validate(object, errors);
        let claims = object.at(&["spec", "volumeClaimTemplates"]).items();
        for (i, claim) in claims.iter().enumerate() {
            storage::claim_spec(
                claim.get("spec"),
                &format!("spec.volumeClaimTemplates[{i}].spec"),
                errors,
            );
        }
    }

    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::dns1123_label(name)
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let strip = |spec: &Value| {
            let mut spec = spec.clone();
            for field in MUTABLE {
                spec.remove(&[field]);
            }
            spec
        };
        if strip(new.get("spec")) != strip(old.spec()) {
            errors.forbidden(
                "spec",
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
            );
        }
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let status = new.get("status");
        let of_all = [
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
        ];
        statuses::counts(status, &["replicas"], errors);
        statuses::counts(status, &of_all, errors);
        statuses::counts(status, &["observedGeneration", "collisionCount"], errors);
        statuses::at_most(status, &of_all, "status.readyReplicas", errors);
        statuses::collisions(status, old, errors);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings(object)
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (spec, status) = (object.spec(), object.status());
        let (containers, images) = container_cells(spec.at(&["template", "spec"]));
        let ready = status.i64_at(&["readyReplicas"]).unwrap_or(0);
        let wanted = spec.i64_at(&["replicas"]).unwrap_or(0);
        Some(vec![
            object.name().into(),
            format!("{ready}/{wanted}").into(),
            age_cell(object, now),
            containers,
            images,
        ])
    }
}

/// The rules of ControllerRevisions.
pub struct ControllerRevisionRules;

impl Strategy for ControllerRevisionRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        if object.get("data").is_null() {
            errors.required("data", "data is mandatory");
        }
        workload::non_negative(object.get("revision"), "revision", errors);
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if new.get("data") != old.value().get("data") {
            errors.invalid("data", new.get("data"), "field is immutable");
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let owner = object.controller().map(|o| {
            let kind = o.kind().lower();
            match split(o.api_version()).0 {
                "" => format!("{kind}/{}", o.name()),
                group => format!("{kind}.{group}/{}", o.name()),
            }
        });
        Some(vec![
            object.name().into(),
            owner.unwrap_or_else(|| "<none>".into()).into(),
            object.value().i64_at(&["revision"]).unwrap_or(0).to_string().into(),
            age_cell(object, now),
        ])
    }
}
