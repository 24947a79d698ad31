//! APIServices, FlowSchemas, PriorityLevelConfigurations and RuntimeClasses: their defaults, rules and rows.

use super::resources::{self, Holder};
use super::{age_cell, edit, edit_at, flow, pod_validation, pod_warnings, set_default, set_default_zero, statuses};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::{Value, base64, quoted};

/// The rules of APIServices.
pub struct ApiServiceRules;

impl Strategy for ApiServiceRules {
    fn defaults(&self, object: &mut Value) {
        edit_at(object, &["spec", "service"], &mut |s| set_default(s, "port", 443));
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    /// The rules of the name need the spec: they stand in `validate`.
    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::path_segment(name)
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let (name, spec) = (object.at(&["metadata", "name"]), object.get("spec"));
        let (group, version) = (spec.get("group"), spec.get("version"));
        let wanted = format!("{}.{}", version.str(), group.str());
        if names::path_segment(name.str()).is_ok() && name.str() != wanted {
            let why = format!(
                "must be `spec.version+\".\"+spec.group`: {wanted}",
                wanted = quoted(&wanted)
            );
            errors.invalid("metadata.name", name, why);
        }
        if group.is_empty() && version.str() != "v1" {
            let why = "only v1 may have an empty group and it better be legacy kube";
            errors.required("spec.group", why);
        }
        errors.check_some("spec.group", group, names::dns1123_subdomain);
        errors.check("spec.version", version, names::dns1035_label);
        for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
            let n = spec.i64_at(&[field]).unwrap_or(0);
            if !(1..=most).contains(&n) {
                let why = format!("must be positive and less than {most}");
                errors.invalid(format!("spec.{field}"), &n.into(), why);
            }
        }
        let (service, bundle) = (spec.get("service"), spec.get("caBundle"));
        let insecure = spec.get("insecureSkipTLSVerify");
        if service.is_null() {
            if !bundle.is_empty() {
                let bytes = base64::decode(bundle.str()).map_or(0, |b| b.len());
                let why = "local APIServices may not have a caBundle";
                errors.invalid("spec.caBundle", &format!("{bytes} bytes").into(), why);
            }
            if insecure.as_bool() == Some(true) {
                let why = "local APIServices may not have insecureSkipTLSVerify";
                errors.invalid("spec.insecureSkipTLSVerify", insecure, why);
            }
            return;
        }
        for field in ["namespace", "name"] {
            if service.get(field).is_empty() {
                errors.required(format!("spec.service.{field}"), "");
            }
        }
        let port = service.get("port");
        if port.as_i64().is_some_and(|n| !(1..=65_535).contains(&n)) {
            let why = "port is not valid: must be between 1 and 65535, inclusive";
            errors.invalid("spec.service.port", port, why);
        }
        if insecure.as_bool() == Some(true) && !bundle.is_empty() {
            let why = "may not be true if caBundle is present";
            errors.invalid("spec.insecureSkipTLSVerify", insecure, why);
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        for (i, condition) in new.at(&["status", "conditions"]).items().iter().enumerate() {
            let value = Value::from(condition.get("status").str());
            let known = ["True", "False", "Unknown"];
            errors.enumerated(format!("status.conditions[{i}].status"), &value, &known);
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let service = object.spec().get("service");
        let service = if service.is_null() {
            "Local".to_owned()
        } else {
            format!("{}/{}", service.get("namespace").str(), service.get("name").str())
        };
        let available = match object.condition("Available") {
            None => "Unknown".to_owned(),
            Some(c) if c.get("status").str() == "True" => "True".to_owned(),
            Some(c) => format!("{} ({})", c.get("status").str(), c.get("reason").str()),
        };
        Some(vec![
            object.name().into(),
            service.into(),
            available.into(),
            age_cell(object, now),
        ])
    }
}

/// The rules of FlowSchemas.
pub struct FlowSchemaRules;

impl Strategy for FlowSchemaRules {
    fn defaults(&self, object: &mut Value) {
        edit(object, "spec", |s| set_default_zero(s, "matchingPrecedence", 1_000));
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        flow::schema(object, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        flow::schema(new, errors);
        flow::fixed(new, old, "FlowSpec", errors);
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::kinds_of_conditions(new.get("status"), errors);
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row_order(&self, object: &Object) -> i64 {
        object.spec().i64_at(&["matchingPrecedence"]).unwrap_or(0)
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let method = match spec.at(&["distinguisherMethod", "type"]).str() {
            "" => "<none>",
            text => text,
        };
        let missing = object
            .condition("Dangling")
            .map(|c| c.get("status").str())
            .unwrap_or("?");
        Some(vec![
            object.name().into(),
            spec.at(&["priorityLevelConfiguration", "name"]).str().into(),
            spec.i64_at(&["matchingPrecedence"]).unwrap_or(0).to_string().into(),
            method.into(),
            age_cell(object, now),
            missing.into(),
        ])
    }
}

/// The rules of PriorityLevelConfigurations.
pub struct PriorityLevelRules;

impl Strategy for PriorityLevelRules {
    fn defaults(&self, object: &mut Value) {
        edit(object, "spec", |spec| {
            for (kind, shares) in [("exempt", 0), ("limited", 30)] {
                edit(spec, kind, |level| {
                    set_default(level, "nominalConcurrencyShares", shares);
                    set_default(level, "lendablePercent", 0);
                });
            }
            edit_at(spec, &["limited", "limitResponse", "queuing"], &mut |queuing| {
                for (field, default) in [("handSize", 8), ("queueLengthLimit", 50), ("queues", 64)] {
                    set_default_zero(queuing, field, default);
                }
            });
        });
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        flow::level(object, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        flow::level(new, errors);
        flow::fixed(new, old, "LevelSpec", errors);
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::kinds_of_conditions(new.get("status"), errors);
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let number = |path: &[&str]| -> Value {
            spec.i64_at(path)
                .map_or_else(|| "<none>".to_owned(), |n| n.to_string())
                .into()
        };
        Some(vec![
            object.name().into(),
            spec.get("type").str().into(),
            number(&["limited", "nominalConcurrencyShares"]),
            number(&["limited", "limitResponse", "queuing", "queues"]),
            number(&["limited", "limitResponse", "queuing", "handSize"]),
            number(&["limited", "limitResponse", "queuing", "queueLengthLimit"]),
            age_cell(object, now),
        ])
    }
}

/// The rules of RuntimeClasses.
pub struct RuntimeClassRules;

impl Strategy for RuntimeClassRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let handler = Value::from(object.get("handler").str());
        errors.check("handler", &handler, names::dns1123_label);
        let fixed = object.at(&["overhead", "podFixed"]);
        if !fixed.is_null() {
            let limits = crate::obj! { "limits": fixed.clone() };
            resources::requirements(&limits, Holder::Container, &[], "overhead", errors);
        }
        let scheduling = object.get("scheduling");
        let selector = scheduling.get("nodeSelector");
        crate::api::metadata::labels(selector, "scheduling.nodeSelector", errors);
        // The real server names the list twice.
        let list = scheduling.get("tolerations");
        pod_validation::tolerations(list, "scheduling.tolerations.tolerations", errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if new.get("handler") != old.value().get("handler") {
            errors.invalid("handler", new.get("handler"), "field is immutable");
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let mut all = Vec::new();
        let selector = object.at(&["scheduling", "nodeSelector"]);
        pod_warnings::node_labels(selector, "scheduling.nodeSelector", &mut all);
        all
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            object.value().get("handler").str().into(),
            age_cell(object, now),
        ])
    }
}
