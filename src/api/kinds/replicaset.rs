//! ReplicaSets.

use super::{
    age_cell, container_cells, edit, format_selector, fresh_status, int, pod_spec, set_default, statuses, workload,
};
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of ReplicaSets.
pub struct ReplicaSetRules;

impl Strategy for ReplicaSetRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "replicas", 1);
            pod_spec::template_defaults(spec, &["template"]);
        });
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "replicas": 0 });
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        workload::non_negative(object.at(&["spec", "replicas"]), "spec.replicas", errors);
        workload::non_negative(object.at(&["spec", "minReadySeconds"]), "spec.minReadySeconds", errors);
        workload::validate_selector_and_template(object, errors, &["Always"]);
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        workload::immutable_selector(new, old, errors);
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::replica_set(new.get("status"), errors);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings(object)
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "status.replicas").then(|| object.status().i64_at(&["replicas"]).unwrap_or(0).to_string())
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (containers, images) = container_cells(object.at(&["spec", "template", "spec"]));
        Some(vec![
            object.name().into(),
            int(object.spec(), &["replicas"]),
            int(object.status(), &["replicas"]),
            int(object.status(), &["readyReplicas"]),
            age_cell(object, now),
            containers,
            images,
            format_selector(object.spec().get("selector")),
        ])
    }
}
