//! ResourceQuotas, LimitRanges and PriorityClasses.

use super::{age_cell, edit_items, fresh_status, set_default_zero};
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::Value;

pub struct ResourceQuotaRules;

impl Strategy for ResourceQuotaRules {
    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, Value::map());
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        for (name, amount) in object.at(&["spec", "hard"]).entries() {
            let field = format!("spec.hard[{}]", &**name);
            if Quantity::parse_or_zero(amount.str()).is_negative() {
                errors.invalid(&field, amount, "must be greater than or equal to 0");
            }
            let known = name.contains('/')
                || name.contains('.')
                || matches!(
                    &**name,
                    "cpu"
                        | "memory"
                        | "ephemeral-storage"
                        | "pods"
                        | "services"
                        | "replicationcontrollers"
                        | "resourcequotas"
                        | "secrets"
                        | "configmaps"
                        | "persistentvolumeclaims"
                )
                || name.starts_with("hugepages-");
            if !known {
                errors.invalid(&field, &name.into(), "must be a standard resource for quota");
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        let status = object.status();
        for (name, hard) in status.get("hard").entries() {
            let used = match status.at(&["used", name]).str() {
                "" => "0",
                used => used,
            };
            let text = format!("{}: {used}/{}", &**name, hard.str());
            if name.starts_with("limits") {
                limits.push(text);
            } else {
                requests.push(text);
            }
        }
        Some(vec![
            object.name().into(),
            requests.join(", ").into(),
            limits.join(", ").into(),
            age_cell(object, now),
        ])
    }
}

pub struct LimitRangeRules;

impl Strategy for LimitRangeRules {
    fn defaults(&self, object: &mut Value) {
        let Some(spec) = object.map_mut().get_mut("spec") else {
            return;
        };
        edit_items(spec, "limits", |limit| {
            if limit.get("type").str() != "Container" {
                return;
            }
            // A bound that has no default is the default.
            for (from, to) in [
                ("max", "default"),
                ("default", "defaultRequest"),
                ("min", "defaultRequest"),
            ] {
                for (name, amount) in limit.get(from).clone().entries() {
                    if !limit.get(to).has(name) {
                        limit.set(&[to, name], amount.clone());
                    }
                }
            }
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        for (i, limit) in object.at(&["spec", "limits"]).items().iter().enumerate() {
            let at = format!("spec.limits[{i}]");
            let amount = |list: &str, name: &str| limit.at(&[list, name]).as_str().map(Quantity::parse_or_zero);
            let mut names: Vec<&str> = ["max", "min", "default", "defaultRequest"]
                .iter()
                .flat_map(|l| limit.get(l).entries().map(|(k, _)| &**k))
                .collect();
            names.arrange();
            names.dedup();
            for name in names {
                let over = |a: Option<Quantity>, b: Option<Quantity>| match (a, b) {
                    (Some(a), Some(b)) => (a > b).then_some((a, b)),
                    _ => None,
                };
                for (low, high, words) in [
                    ("min", "max", ("min value", "max value")),
                    ("min", "default", ("min value", "default value")),
                    ("default", "max", ("default value", "max value")),
                    ("min", "defaultRequest", ("min value", "default request value")),
                    ("defaultRequest", "max", ("default request value", "max value")),
                    (
                        "defaultRequest",
                        "default",
                        ("default request value", "default limit value"),
                    ),
                ] {
                    if let Some((a, b)) = over(amount(low, name), amount(high, name)) {
                        let field = format!("{at}.{low}[{name}]");
                        let (l, h) = words;
                        let why = format!("{l} {a} is greater than {h} {b}");
                        errors.invalid(field, &a.to_string().into(), why);
                    }
                }
            }
        }
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        Some(vec![object.name().into(), object.created().to_string().into()])
    }
}

pub struct PriorityClassRules;

/// The greatest value of a class that is not the system's own.
const MOST: i64 = 1_000_000_000;

impl Strategy for PriorityClassRules {
    fn defaults(&self, object: &mut Value) {
        set_default_zero(object, "preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let name = object.at(&["metadata", "name"]);
        let value = object.i64_at(&["value"]).unwrap_or(0);
        let known = [
            ("system-cluster-critical", 2_000_000_000),
            ("system-node-critical", 2_000_001_000),
        ];
        if name.str().starts_with("system-") {
            if !known.contains(&(name.str(), value)) {
                errors.forbidden(
                    "metadata.name",
                    "priority class names with 'system-' prefix are reserved for system use only. error: unknown system priority class",
                );
            }
        } else if value > MOST {
            errors.forbidden(
                "value",
                format!("maximum allowed value of a user defined priority is {MOST}"),
            );
        }
        let policy = object.get("preemptionPolicy");
        let known = ["Never", "PreemptLowerPriority"];
        if !known.contains(&policy.str()) {
            errors.not_supported("preemptionPolicy", policy, &known);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for field in ["value", "preemptionPolicy"] {
            if new.get(field) != old.value().get(field) {
                if field == "value" {
                    errors.forbidden(field, "may not be changed in an update.");
                } else {
                    errors.invalid(field, new.get(field), "field is immutable");
                }
            }
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = object.value();
        Some(vec![
            object.name().into(),
            value.i64_at(&["value"]).unwrap_or(0).into(),
            value.bool_at(&["globalDefault"]).into(),
            age_cell(object, now),
            value.get("preemptionPolicy").str().into(),
        ])
    }
}
