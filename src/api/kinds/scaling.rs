//! HorizontalPodAutoscalers and PodDisruptionBudgets.

use super::{age_cell, edit, fresh_status, int, set_default, set_default_zero, workload};
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

pub struct HpaRules;

impl Strategy for HpaRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "minReplicas", 1);
            // `autoscaling/v1` names a percentage of cpu alone.
            if let Some(percent) = spec.remove(&["targetCPUUtilizationPercentage"]) {
                spec.set(&["metrics"], list![cpu_metric(percent)]);
            }
            if spec.get("metrics").is_empty() {
                spec.set(&["metrics"], list![cpu_metric(80.into())]);
            }
            edit(spec, "behavior", |behavior| {
                for (name, window, policies) in [
                    ("scaleUp", 0, list![rule("Pods", 4, 15), rule("Percent", 100, 15)]),
                    ("scaleDown", -1, list![rule("Percent", 100, 15)]),
                ] {
                    set_default(behavior, name, Value::map());
                    edit(behavior, name, |rules| {
                        if window >= 0 {
                            set_default(rules, "stabilizationWindowSeconds", window);
                        }
                        set_default_zero(rules, "selectPolicy", "Max");
                        set_default_zero(rules, "policies", policies);
                    });
                }
            });
        });
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "currentMetrics": Value::Null, "desiredReplicas": 0 });
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let (least, most) = (spec.get("minReplicas"), spec.get("maxReplicas"));
        if least.as_i64().is_some_and(|n| n < 1) {
            errors.invalid("spec.minReplicas", least, "must be greater than or equal to 1");
        }
        if most.as_i64().unwrap_or(0) < 1 {
            errors.required("spec.maxReplicas", "must be set and greater than 0");
        }
        if least.as_i64().is_some_and(|n| most.as_i64().unwrap_or(0) < n) {
            errors.invalid(
                "spec.maxReplicas",
                most,
                "must be greater than or equal to `minReplicas`",
            );
        }
        for part in ["kind", "name"] {
            if spec.at(&["scaleTargetRef", part]).is_empty() {
                errors.required(format!("spec.scaleTargetRef.{part}"), "");
            }
        }
        for (i, metric) in spec.get("metrics").items().iter().enumerate() {
            let field = format!("spec.metrics[{i}]");
            let kind = metric.get("type").str();
            let (source, name) = match kind {
                "Resource" => ("resource", "name"),
                "ContainerResource" => ("containerResource", "name"),
                "Pods" => ("pods", "metric"),
                "Object" => ("object", "metric"),
                "External" => ("external", "metric"),
                "" => {
                    errors.required(format!("{field}.type"), "must specify a metric source type");
                    continue;
                }
                _ => {
                    errors.not_supported(
                        format!("{field}.type"),
                        metric.get("type"),
                        &["ContainerResource", "External", "Object", "Pods", "Resource"],
                    );
                    continue;
                }
            };
            let body = metric.get(source);
            if body.is_null() {
                errors.required(
                    format!("{field}.{source}"),
                    "must populate information for the given metric source",
                );
                continue;
            }
            if body.get(name).is_empty() {
                errors.required(format!("{field}.{source}.{name}"), "must specify a name");
            }
            let target = body.get("target");
            let at = format!("{field}.{source}.target");
            let percent = target.get("averageUtilization");
            if percent.as_i64().is_some_and(|n| n < 1) {
                errors.invalid(format!("{at}.averageUtilization"), percent, "must be greater than 0");
            }
            for part in ["value", "averageValue"] {
                let amount = target.get(part);
                if !amount.is_null() && Quantity::parse_or_zero(amount.str()) <= Quantity::ZERO {
                    errors.invalid(format!("{at}.{part}"), amount, "must be positive");
                }
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let target = spec.get("scaleTargetRef");
        let least = spec
            .i64_at(&["minReplicas"])
            .map_or_else(|| "<unset>".to_owned(), |n| n.to_string());
        Some(vec![
            object.name().into(),
            format!("{}/{}", target.get("kind").str(), target.get("name").str()).into(),
            targets(object).into(),
            least.into(),
            int(spec, &["maxReplicas"]),
            int(object.status(), &["currentReplicas"]),
            age_cell(object, now),
        ])
    }
}

fn cpu_metric(percent: Value) -> Value {
    obj! {
        "resource": obj! {
            "name": "cpu",
            "target": obj! { "averageUtilization": percent, "type": "Utilization" },
        },
        "type": "Resource",
    }
}

fn rule(kind: &str, value: i64, period: i64) -> Value {
    obj! { "periodSeconds": period, "type": kind, "value": value }
}

/// The TARGETS column: at most two metrics, and how many more.
fn targets(hpa: &Object) -> String {
    const MOST: usize = 2;
    let metrics = hpa.spec().get("metrics").items();
    let current = hpa.status().get("currentMetrics").items();
    let all: Vec<String> = metrics
        .iter()
        .enumerate()
        .map(|(i, metric)| one_target(metric, current.get(i).unwrap_or(&Value::Null)))
        .collect();
    match all.len() {
        0 => "<none>".into(),
        n if n > MOST => format!("{} + {} more...", all.get(..MOST).unwrap_or(&[]).join(", "), n - MOST),
        _ => all.join(", "),
    }
}

fn one_target(metric: &Value, current: &Value) -> String {
    let known = |v: &Value| match v.str() {
        "" => "<unknown>".to_owned(),
        text => text.to_owned(),
    };
    match metric.get("type").str() {
        kind @ ("Resource" | "ContainerResource") => {
            let source = if kind == "Resource" {
                "resource"
            } else {
                "containerResource"
            };
            let body = metric.get(source);
            let now = current.at(&[source, "current"]);
            let name = body.get("name").str();
            let average = body.at(&["target", "averageValue"]);
            if average.is_null() {
                let wanted = body
                    .i64_at(&["target", "averageUtilization"])
                    .map_or_else(|| "<auto>".to_owned(), |n| format!("{n}%"));
                let got = now
                    .i64_at(&["averageUtilization"])
                    .map_or_else(|| "<unknown>".to_owned(), |n| format!("{n}%"));
                return format!("{name}: {got}/{wanted}");
            }
            format!("{name}: {}/{}", known(now.get("averageValue")), average.str())
        }
        "Pods" => {
            let wanted = metric.at(&["pods", "target", "averageValue"]).str();
            format!("{}/{wanted}", known(current.at(&["pods", "current", "averageValue"])))
        }
        kind @ ("Object" | "External") => {
            let source = kind.to_lowercase();
            let target = metric.at(&[&source, "target"]);
            let now = current.at(&[&source, "current"]);
            if target.get("averageValue").is_null() {
                format!("{}/{}", known(now.get("value")), target.get("value").str())
            } else {
                format!(
                    "{}/{} (avg)",
                    known(now.get("averageValue")),
                    target.get("averageValue").str()
                )
            }
        }
        _ => "<unknown type>".into(),
    }
}

pub struct PdbRules;

impl Strategy for PdbRules {
    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        let status = obj! { "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 };
        fresh_status(object, status);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let (least, most) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
        if !least.is_null() && !most.is_null() {
            // Go prints the struct by its own names.
            let text = format!(
                r#"{{"MinAvailable":{},"Selector":{},"MaxUnavailable":{},"UnhealthyPodEvictionPolicy":{}}}"#,
                least.to_json(),
                spec.get("selector").to_json(),
                most.to_json(),
                spec.get("unhealthyPodEvictionPolicy").to_json()
            );
            errors.invalid_as("spec", text, "minAvailable and maxUnavailable cannot be both set");
        }
        for (value, name) in [(least, "minAvailable"), (most, "maxUnavailable")] {
            let field = format!("spec.{name}");
            workload::positive_int_or_percent(value, &field, errors);
            workload::at_most_100_percent(value, &field, errors);
        }
        if !spec.get("selector").is_null() {
            workload::selector_rules(spec.get("selector"), "spec.selector", errors);
        }
        let policy = spec.get("unhealthyPodEvictionPolicy");
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        if !policy.is_empty() && !known.contains(&policy.str()) {
            errors.not_supported("spec.unhealthyPodEvictionPolicy", policy, &known);
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let shown = |v: &Value| match v {
            Value::Null => "N/A".to_owned(),
            Value::Str(s) => s.to_string(),
            other => other.to_json(),
        };
        Some(vec![
            object.name().into(),
            shown(object.spec().get("minAvailable")).into(),
            shown(object.spec().get("maxUnavailable")).into(),
            int(object.status(), &["disruptionsAllowed"]),
            age_cell(object, now),
        ])
    }
}
