//! ReplicaSets.

use super::{edit, format_selector, pod_spec, set_default, statuses, workload};
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
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

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "replicas": 0 })
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
        workload::replicas_field(object, field)
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(workload::replicas_row(
            object,
            format_selector(object.spec().get("selector")),
            now,
        ))
    }
}
