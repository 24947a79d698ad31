//! Deployments.

use super::{age_cell, container_cells, edit, int, pod_spec, set_default, set_default_zero, statuses, workload};
use crate::api::object::Object;
use crate::api::selector::Selector;
use crate::api::status::FieldErrors;
use crate::api::strategy::{self, Strategy};
use crate::sim::Time;
use crate::value::Value;

/// The rules of Deployments.
pub struct DeploymentRules;

impl Strategy for DeploymentRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "replicas", 1);
            set_default(spec, "strategy", Value::map());
            edit(spec, "strategy", |strategy| {
                set_default_zero(strategy, "type", "RollingUpdate");
                if strategy.get("type").str() == "RollingUpdate" {
                    set_default(strategy, "rollingUpdate", Value::map());
                    edit(strategy, "rollingUpdate", |rolling| {
                        set_default(rolling, "maxSurge", "25%");
                        set_default(rolling, "maxUnavailable", "25%");
                    });
                }
            });
            set_default(spec, "revisionHistoryLimit", 10);
            set_default(spec, "progressDeadlineSeconds", 600);
            pod_spec::template_defaults(spec, &["template"]);
        });
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        workload::non_negative(spec.get("replicas"), "spec.replicas", errors);
        workload::validate_selector_and_template(object, errors, &["Always"]);
        workload::validate_update_strategy(object, "strategy", &["Recreate", "RollingUpdate"], errors);
        for name in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
            workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
        }
        let (deadline, ready) = (spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds"));
        if deadline.as_i64().is_some_and(|d| d <= ready.as_i64().unwrap_or(0)) {
            errors.invalid(
                "spec.progressDeadlineSeconds",
                deadline,
                "must be greater than minReadySeconds",
            );
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        workload::immutable_selector(new, old, errors);
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let status = new.get("status");
        let counted = [
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ];
        statuses::counts(status, &counted, errors);
        let of_all = ["updatedReplicas", "readyReplicas", "availableReplicas"];
        statuses::at_most(status, &of_all, "readyReplicas", errors);
        statuses::collisions(status, old, errors);
    }

    fn prepare_status(&self, new: &mut Value, old: &Object) {
        strategy::keep_all_but_status(new, old);
        new.set_or_remove(&["metadata", "labels"], old.metadata().get("labels").clone());
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings(object)
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn annotations_count(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (spec, status) = (object.spec(), object.status());
        let (containers, images) = container_cells(object.at(&["spec", "template", "spec"]));
        let count = |v: &Value, field: &str| v.i64_at(&[field]).unwrap_or(0);
        Some(vec![
            object.name().into(),
            format!("{}/{}", count(status, "readyReplicas"), count(spec, "replicas")).into(),
            int(status, &["updatedReplicas"]),
            int(status, &["availableReplicas"]),
            age_cell(object, now),
            containers,
            images,
            Selector::from_label_selector(spec.get("selector")).to_string().into(),
        ])
    }
}
