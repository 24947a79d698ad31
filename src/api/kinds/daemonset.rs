//! DaemonSets.

use super::{
    age_cell, container_cells, edit, format_labels, format_selector, int, pod_spec, set_default, set_default_zero,
    statuses, workload,
};
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of DaemonSets.
pub struct DaemonSetRules;

impl Strategy for DaemonSetRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "updateStrategy", Value::map());
            edit(spec, "updateStrategy", |strategy| {
                set_default_zero(strategy, "type", "RollingUpdate");
                if strategy.get("type").str() == "RollingUpdate" {
                    set_default(strategy, "rollingUpdate", Value::map());
                    edit(strategy, "rollingUpdate", |rolling| {
                        set_default(rolling, "maxUnavailable", 1);
                        set_default(rolling, "maxSurge", 0);
                    });
                }
            });
            set_default(spec, "revisionHistoryLimit", 10);
            pod_spec::template_defaults(spec, &["template"]);
        });
        // Its controller counts template generations here, from 1.
        let annotation = "deprecated.daemonset.template.generation";
        if object.at(&["metadata", "annotations", annotation]).is_null() {
            object.set(&["metadata", "annotations", annotation], "1");
        }
    }

    fn first_status(&self) -> Option<Value> {
        Some(obj! {
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        })
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        object.set(
            &["metadata", "annotations", "deprecated.daemonset.template.generation"],
            "1",
        );
        self.begin_status(object);
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        new.set(&["status"], old.status().clone());
        let path = ["metadata", "annotations", "deprecated.daemonset.template.generation"];
        let before: i64 = old.value().str_at(&path).parse().unwrap_or(0);
        let changed = new.at(&["spec", "template"]) != old.at(&["spec", "template"]);
        new.set(&path, (before + i64::from(changed)).to_string());
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        workload::validate_selector_and_template(object, errors, &["Always"]);
        workload::non_negative(object.at(&["spec", "minReadySeconds"]), "spec.minReadySeconds", errors);
        workload::validate_update_strategy(object, "updateStrategy", &["RollingUpdate", "OnDelete"], errors);
        let limit = object.at(&["spec", "revisionHistoryLimit"]);
        workload::non_negative(limit, "spec.revisionHistoryLimit", errors);
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        workload::immutable_selector(new, old, errors);
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let status = new.get("status");
        let counted = [
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ];
        statuses::counts(status, &counted, errors);
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
        let (containers, images) = container_cells(object.at(&["spec", "template", "spec"]));
        Some(vec![
            object.name().into(),
            int(status, &["desiredNumberScheduled"]),
            int(status, &["currentNumberScheduled"]),
            int(status, &["numberReady"]),
            int(status, &["updatedNumberScheduled"]),
            int(status, &["numberAvailable"]),
            format_labels(spec.at(&["template", "spec", "nodeSelector"])),
            age_cell(object, now),
            containers,
            images,
            format_selector(spec.get("selector")),
        ])
    }
}
