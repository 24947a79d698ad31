//! ReplicationControllers and PodTemplates.

use super::batch::labels_from_template;
use super::{container_cells, edit, format_labels, pod_spec, pod_warnings, set_default, statuses, workload};
use crate::api::object::Object;
use crate::api::selector::Selector;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of ReplicationControllers.
pub struct ReplicationControllerRules;

impl Strategy for ReplicationControllerRules {
    fn default_propagation(&self) -> &'static str {
        "Orphan"
    }

    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        let labels = object.at(&["spec", "template", "metadata", "labels"]).clone();
        if !labels.is_empty() && object.at(&["spec", "selector"]).is_empty() {
            object.set(&["spec", "selector"], labels);
        }
        labels_from_template(object);
        edit(object, "spec", |spec| {
            set_default(spec, "replicas", 1);
            pod_spec::optional_template_defaults(spec, &["template"]);
            // A number without `omitempty` that 0 leaves out.
            if spec.i64_at(&["minReadySeconds"]) == Some(0) {
                spec.remove(&["minReadySeconds"]);
            }
        });
    }

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "replicas": 0 })
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        workload::non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errors);
        let selector = spec.get("selector");
        if selector.is_empty() {
            errors.required("spec.selector", "");
        }
        workload::non_negative(spec.get("replicas"), "spec.replicas", errors);
        let template = spec.get("template");
        if template.is_null() {
            errors.required("spec.template", "");
            return;
        }
        let labels = template.at(&["metadata", "labels"]);
        if !selector.is_empty() && !Selector::from_map(selector).matches(labels) {
            errors.invalid(
                "spec.template.metadata.labels",
                labels,
                "`selector` does not match template `labels`",
            );
        }
        workload::validate_template(template, "spec.template", errors, &["Always"]);
        workload::no_deadline(template, "ReplicationController", errors);
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
            format_labels(object.spec().get("selector")),
            now,
        ))
    }
}

/// The rules of PodTemplates.
pub struct PodTemplateRules;

impl Strategy for PodTemplateRules {
    fn defaults(&self, object: &mut Value) {
        pod_spec::template_defaults(object, &["template"]);
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let policies = ["Always", "OnFailure", "Never"];
        workload::validate_template(object.get("template"), "template", errors, &policies);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        pod_warnings::of(object.get("template"), Some("template"))
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        let (containers, images) = container_cells(object.at(&["template", "spec"]));
        Some(vec![
            object.name().into(),
            containers,
            images,
            format_labels(object.at(&["template", "metadata", "labels"])),
        ])
    }
}
