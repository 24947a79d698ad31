//! HorizontalPodAutoscalers in their two versions. They are kept as `autoscaling/v2`; what
//! `autoscaling/v1` has no field for stands in annotations there.

use crate::flat::Arrange;
use crate::obj;
use crate::value::{Value, gojson};

/// The version that knows of the CPU alone.
pub const V1: &str = "autoscaling/v1";
/// The version that HorizontalPodAutoscalers are kept in.
pub const V2: &str = "autoscaling/v2";

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// The object in another version; as it is when it has that version already.
pub fn convert(value: &Value, version: &str) -> Value {
    match (value.str_at(&["apiVersion"]), version) {
        (V2, V1) => to_v1(value),
        (V1, V2) => to_v2(value),
        _ => value.clone(),
    }
}

/// The utilization of cpu that a metric aims at, or was measured at.
fn cpu_utilization<'a>(metric: &'a Value, side: &str) -> &'a Value {
    let cpu = metric.str_at(&["type"]) == "Resource" && metric.str_at(&["resource", "name"]) == "cpu";
    let found = metric.at(&["resource", side, "averageUtilization"]);
    if cpu { found } else { metric.at(&["none"]) }
}

/// The names of a metric's fields in v2, and in the annotations of v1.
const TARGETS: &[(&str, &str, &str)] = &[
    ("target", "averageUtilization", "targetAverageUtilization"),
    ("target", "averageValue", "targetAverageValue"),
    ("target", "value", "targetValue"),
    ("current", "averageUtilization", "currentAverageUtilization"),
    ("current", "averageValue", "currentAverageValue"),
    ("current", "value", "currentValue"),
];

/// The kinds of metrics, by the field that holds each.
const SOURCES: &[&str] = &["object", "pods", "resource", "containerResource", "external"];

fn metric_to_v1(metric: &Value) -> Value {
    let mut old = obj! { "type": metric.get("type").clone() };
    for source in SOURCES {
        let from = metric.get(source);
        if from.is_null() {
            continue;
        }
        let mut to = from.clone();
        for (side, new, name) in TARGETS {
            to.set_or_remove(&[name], from.at(&[side, new]).clone());
        }
        to.remove(&["current"]);
        to.remove(&["target"]);
        if let Some(id) = to.remove(&["metric"]) {
            to.set(&["metricName"], id.get("name").clone());
            let selector = if *source == "external" {
                "metricSelector"
            } else {
                "selector"
            };
            to.set_or_remove(&[selector], id.get("selector").clone());
        }
        if let Some(described) = to.remove(&["describedObject"]) {
            to.set(&["target"], described);
        }
        old.set(&[source], to);
    }
    old
}

fn metric_to_v2(metric: &Value) -> Value {
    let mut new = obj! { "type": metric.get("type").clone() };
    for source in SOURCES {
        let from = metric.get(source);
        if from.is_null() {
            continue;
        }
        let mut to = from.clone();
        if *source == "object"
            && let Some(described) = to.remove(&["target"])
        {
            to.set(&["describedObject"], described);
        }
        for (side, field, name) in TARGETS {
            let Some(value) = to.remove(&[name]) else { continue };
            to.set(&[side, field], value);
            if *side == "target" {
                let kind = match *field {
                    "averageUtilization" => "Utilization",
                    "averageValue" => "AverageValue",
                    _ => "Value",
                };
                to.set(&["target", "type"], kind);
            }
        }
        if let Some(name) = to.remove(&["metricName"]) {
            to.set(&["metric", "name"], name);
        }
        for selector in ["selector", "metricSelector"] {
            if let Some(selector) = to.remove(&[selector]) {
                to.set(&["metric", "selector"], selector);
            }
        }
        new.set(&[source], to);
    }
    new
}

/// JSON with the fields of Go's structs in their order, where they are of these.
fn ordered(value: &Value) -> String {
    const ORDER: &[&str] = &["type", "status", "lastTransitionTime", "name", "reason", "message"];
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(ordered).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let place = |k: &str| ORDER.iter().position(|o| *o == k).unwrap_or(ORDER.len());
            let mut entries: Vec<_> = map.iter().collect();
            entries.arrange_by_key(|(k, _)| place(k));
            let fields: Vec<String> = entries.iter().map(|(k, v)| format!("\"{k}\":{}", ordered(v))).collect();
            format!("{{{}}}", fields.join(","))
        }
        other => gojson::compact(other, true),
    }
}

fn to_v1(value: &Value) -> Value {
    let mut v1 = value.clone();
    v1.set(&["apiVersion"], V1);
    let (spec, status) = (value.get("spec"), value.get("status"));
    let mut others = Vec::new();
    for metric in spec.get("metrics").items() {
        match cpu_utilization(metric, "target") {
            Value::Null => others.push(metric_to_v1(metric)),
            percent => v1.set(&["spec", "targetCPUUtilizationPercentage"], percent.clone()),
        }
    }
    let current: Vec<Value> = status.get("currentMetrics").items().iter().map(metric_to_v1).collect();
    for metric in status.get("currentMetrics").items() {
        let percent = cpu_utilization(metric, "current");
        if !percent.is_null() {
            v1.set(&["status", "currentCPUUtilizationPercentage"], percent.clone());
        }
    }
    for (annotation, kept) in [
        (METRICS, Value::list(others)),
        (CURRENT_METRICS, Value::list(current)),
        (CONDITIONS, status.get("conditions").clone()),
        (BEHAVIOR, spec.get("behavior").clone()),
    ] {
        if !kept.is_empty() {
            v1.set(&["metadata", "annotations", annotation], ordered(&kept));
        }
    }
    for path in [
        ["spec", "metrics"],
        ["spec", "behavior"],
        ["status", "currentMetrics"],
        ["status", "conditions"],
    ] {
        v1.remove(&path);
    }
    v1
}

fn to_v2(value: &Value) -> Value {
    let mut v2 = value.clone();
    v2.set(&["apiVersion"], V2);
    let kept = |annotation: &str| {
        Value::from_json(value.at(&["metadata", "annotations"]).str_at(&[annotation])).unwrap_or_default()
    };
    let mut metrics: Vec<Value> = kept(METRICS).items().iter().map(metric_to_v2).collect();
    if let Some(percent) = v2.remove(&["spec", "targetCPUUtilizationPercentage"]) {
        let target = obj! { "averageUtilization": percent, "type": "Utilization" };
        let cpu = obj! { "resource": obj! { "name": "cpu", "target": target }, "type": "Resource" };
        metrics.insert(0, cpu);
    }
    let current: Value = kept(CURRENT_METRICS).items().iter().map(metric_to_v2).collect();
    v2.remove(&["status", "currentCPUUtilizationPercentage"]);
    if v2.get("spec").as_map().is_some() {
        v2.set_or_remove(&["spec", "metrics"], metrics);
        v2.set_or_remove(&["spec", "behavior"], kept(BEHAVIOR));
    }
    if v2.get("status").as_map().is_some() {
        v2.set_or_remove(&["status", "currentMetrics"], current);
        v2.set_or_remove(&["status", "conditions"], kept(CONDITIONS));
    }
    for annotation in [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR] {
        v2.remove(&["metadata", "annotations", annotation]);
    }
    if v2.get("metadata").has("annotations") && v2.at(&["metadata", "annotations"]).is_empty() {
        v2.remove(&["metadata", "annotations"]);
    }
    v2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list;

    #[test]
    fn there_and_back() {
        let cpu = obj! {
            "type": "Resource",
            "resource": obj! { "name": "cpu", "target": obj! { "type": "Utilization", "averageUtilization": 50 } },
        };
        let memory = obj! {
            "type": "Resource",
            "resource": obj! { "name": "memory", "target": obj! { "type": "AverageValue", "averageValue": "1Gi" } },
        };
        let condition = obj! { "type": "AbleToScale", "status": "True", "reason": "Ready", "message": "m" };
        let v2 = obj! {
            "apiVersion": V2,
            "kind": "HorizontalPodAutoscaler",
            "metadata": obj! { "name": "web" },
            "spec": obj! { "maxReplicas": 3, "metrics": list![cpu, memory] },
            "status": obj! { "conditions": list![condition], "desiredReplicas": 1 },
        };
        let v1 = convert(&v2, V1);
        expect_test::expect![[r#"{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"annotations":{"autoscaling.alpha.kubernetes.io/conditions":"[{\"type\":\"AbleToScale\",\"status\":\"True\",\"reason\":\"Ready\",\"message\":\"m\"}]","autoscaling.alpha.kubernetes.io/metrics":"[{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"targetAverageValue\":\"1Gi\"}}]"},"name":"web"},"spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":50},"status":{"desiredReplicas":1}}"#]]
            .assert_eq(&v1.to_json());
        assert_eq!(convert(&v1, V2), v2);
    }
}
