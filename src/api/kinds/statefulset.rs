//! StatefulSets and ControllerRevisions.

use super::{
    age_cell, container_cells, edit, edit_items, fresh_status, pod_spec, set_default, set_default_zero, workload,
};
use crate::api::object::Object;
use crate::api::resource::split;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

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

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "availableReplicas": 0, "replicas": 0 });
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
        let kind = spec.at(&["updateStrategy", "type"]);
        if !["RollingUpdate", "OnDelete"].contains(&kind.str()) {
            errors.invalid(
                "spec.updateStrategy",
                spec.get("updateStrategy"),
                "must be 'RollingUpdate' or 'OnDelete'",
            );
        }
        workload::non_negative(
            spec.at(&["updateStrategy", "rollingUpdate", "partition"]),
            "spec.updateStrategy.rollingUpdate.partition",
            errors,
        );
        for name in ["replicas", "minReadySeconds"] {
            workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
        }
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

pub struct ControllerRevisionRules;

impl Strategy for ControllerRevisionRules {
    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if new.get("data") != old.value().get("data") {
            errors.invalid("data", new.get("data"), "field is immutable");
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let owner = object.controller().map(|o| {
            let kind = o.kind().to_lowercase();
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
