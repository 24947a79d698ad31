//! HorizontalPodAutoscalers and PodDisruptionBudgets.

use super::resources::{self, Holder};
use super::{age_cell, edit, int, set_default, set_default_zero, statuses, workload};
use crate::api::names;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::flat::Case;
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

/// The rules of HorizontalPodAutoscalers.
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

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "currentMetrics": Value::Null, "desiredReplicas": 0 })
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
        object_reference(spec.get("scaleTargetRef"), "spec.scaleTargetRef", errors);
        for (i, metric) in spec.get("metrics").items().iter().enumerate() {
            metric_rules(metric, &format!("spec.metrics[{i}]"), errors);
        }
        for name in ["scaleUp", "scaleDown"] {
            let rules = spec.at(&["behavior", name]);
            if !rules.is_null() {
                scaling_rules(rules, &format!("spec.behavior.{name}"), errors);
            }
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::counts(new.get("status"), &["currentReplicas", "desiredReplicas"], errors);
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

/// What is scaled, or what a metric belongs to.
fn object_reference(reference: &Value, at: &str, errors: &mut FieldErrors) {
    for part in ["kind", "name"] {
        errors.check_required(format!("{at}.{part}"), reference.get(part), names::path_segment);
    }
}

/// The types of metrics with the field of each, in the order in which they are checked.
const METRICS: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

fn metric_rules(metric: &Value, field: &str, errors: &mut FieldErrors) {
    let kind = Value::from(metric.get("type").str());
    let known = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    if kind.is_empty() {
        errors.required(format!("{field}.type"), "must specify a metric source type");
    }
    errors.enumerated(format!("{field}.type"), &kind, &known);
    let present: Vec<&str> = METRICS
        .iter()
        .map(|(_, source)| *source)
        .filter(|s| !metric.get(s).is_null())
        .collect();
    if let Some(first) = present.first() {
        metric_source(metric.get(first), first, &format!("{field}.{first}"), errors);
    }
    let expected = METRICS.iter().find(|(k, _)| *k == kind.str()).map(|(_, s)| *s);
    match expected {
        Some(source) if metric.get(source).is_null() => errors.required(
            format!("{field}.{source}"),
            "must populate information for the given metric source",
        ),
        Some(_) => {}
        None => errors.enumerated(format!("{field}.type"), &kind, &known),
    }
    if present.len() != 1 {
        for other in present.iter().filter(|s| Some(**s) != expected) {
            errors.forbidden(format!("{field}.{other}"), "must populate the given metric source only");
        }
    }
}

fn metric_source(source: &Value, kind: &str, field: &str, errors: &mut FieldErrors) {
    let target = source.get("target");
    let at = format!("{field}.target");
    if kind == "object" {
        object_reference(
            source.get("describedObject"),
            &format!("{field}.describedObject"),
            errors,
        );
    }
    if kind.ends_with("esource") {
        if source.get("name").is_empty() {
            errors.required(format!("{field}.name"), "must specify a resource name");
        } else if kind == "containerResource" {
            let name = source.get("name").str();
            resources::name(name, Holder::Container, &format!("{field}.name"), errors);
        }
    } else {
        let name = source.at(&["metric", "name"]);
        if name.is_empty() {
            errors.required(format!("{field}.metric.name"), "must specify a metric name");
        }
        errors.check_some(format!("{field}.metric.name"), name, names::path_segment);
    }
    if kind == "containerResource" {
        let container = source.get("container");
        if container.is_empty() {
            errors.required(format!("{field}.container"), "must specify a container");
        }
        errors.check_some(format!("{field}.container"), container, names::dns1123_label);
    }
    let how = target.get("type");
    if how.is_empty() {
        errors.required(format!("{at}.type"), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&how.str()) {
        let why = "must be either Utilization, Value, or AverageValue";
        errors.invalid(format!("{at}.type"), &how.str().into(), why);
    }
    for part in ["value", "averageValue"] {
        let amount = target.get(part);
        if !amount.is_null() && Quantity::parse_or_zero(amount.str()) <= Quantity::ZERO {
            errors.invalid(format!("{at}.{part}"), amount, "must be positive");
        }
    }
    let percent = target.get("averageUtilization");
    if percent.as_i64().is_some_and(|n| n < 1) {
        errors.invalid(format!("{at}.averageUtilization"), percent, "must be greater than 0");
    }
    let has = |part: &str| !target.get(part).is_null();
    match kind {
        "object" | "external" if !has("value") && !has("averageValue") => errors.required(
            format!("{at}.averageValue"),
            if kind == "object" {
                "must set either a target value or averageValue"
            } else {
                "must set either a target value for metric or a per-pod target"
            },
        ),
        "external" if has("value") && has("averageValue") => errors.forbidden(
            format!("{at}.value"),
            "may not set both a target value for metric and a per-pod target",
        ),
        "pods" if !has("averageValue") => errors.required(
            format!("{at}.averageValue"),
            "must specify a positive target averageValue",
        ),
        "resource" | "containerResource" if !has("averageUtilization") && !has("averageValue") => {
            errors.required(
                format!("{at}.averageUtilization"),
                "must set either a target raw value or a target utilization",
            );
        }
        "resource" | "containerResource" if has("averageUtilization") && has("averageValue") => {
            errors.forbidden(
                format!("{at}.averageValue"),
                "may not set both a target raw value and a target utilization",
            );
        }
        _ => {}
    }
}

fn scaling_rules(rules: &Value, at: &str, errors: &mut FieldErrors) {
    let window = rules.get("stabilizationWindowSeconds");
    let field = format!("{at}.stabilizationWindowSeconds");
    match window.as_i64() {
        Some(n) if n < 0 => errors.invalid(field, window, "must be greater than or equal to zero"),
        Some(n) if n > 3_600 => errors.invalid(field, window, "must be less than or equal to 3600"),
        _ => {}
    }
    let select = rules.get("selectPolicy");
    errors.enumerated(format!("{at}.selectPolicy"), select, &["Disabled", "Max", "Min"]);
    let policies = rules.get("policies").items();
    if policies.is_empty() {
        errors.required(format!("{at}.policies"), "must specify at least one Policy");
    }
    for (i, policy) in policies.iter().enumerate() {
        let at = format!("{at}.policies[{i}]");
        let kind = Value::from(policy.get("type").str());
        errors.enumerated(format!("{at}.type"), &kind, &["Percent", "Pods"]);
        for (part, most) in [("value", i64::MAX), ("periodSeconds", 1_800)] {
            let n = policy.i64_at(&[part]).unwrap_or(0);
            if n <= 0 {
                errors.invalid(format!("{at}.{part}"), &n.into(), "must be greater than zero");
            } else if n > most {
                let why = format!("must be less than or equal to {most}");
                errors.invalid(format!("{at}.{part}"), &n.into(), why);
            }
        }
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
            let source = kind.lower();
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

/// The rules of PodDisruptionBudgets.
pub struct PdbRules;

impl Strategy for PdbRules {
    fn first_status(&self) -> Option<Value> {
        let status = obj! { "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 };
        Some(status)
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

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        let status = new.get("status");
        statuses::conditions(status.get("conditions"), "status.conditions", errors);
        let counted = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
        statuses::counts(status, &counted, errors);
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
