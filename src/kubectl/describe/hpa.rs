//! `describe horizontalpodautoscaler`.

use super::Related;
use super::writer::{Out, number_or_unset, or, quantity, rfc1123};
use crate::value::{Value, gofmt};

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, hpa: &Value) {
    let (spec, status) = (hpa.get("spec"), hpa.get("status"));
    out.name(hpa);
    out.metadata(hpa);
    out.field(
        0,
        "CreationTimestamp",
        rfc1123(hpa.at(&["metadata", "creationTimestamp"])),
    );
    let target = spec.get("scaleTargetRef");
    let kind = target.get("kind").str();
    out.field(0, "Reference", format!("{kind}/{}", target.get("name").str()));
    out.field(0, "Metrics", "( current / target )");
    for (i, metric) in spec.get("metrics").items().iter().enumerate() {
        let current = status.get("currentMetrics").items().get(i).unwrap_or(&Value::Null);
        line(out, metric, current);
    }
    out.field(0, "Min replicas", number_or_unset(spec.get("minReplicas")));
    out.field(0, "Max replicas", spec.i64_at(&["maxReplicas"]).unwrap_or(0));
    let behavior = spec.get("behavior");
    if !behavior.is_null() {
        out.line(0, "Behavior:");
        direction(out, "Scale Up", behavior.get("scaleUp"));
        direction(out, "Scale Down", behavior.get("scaleDown"));
    }
    let number = |field: &str| status.i64_at(&[field]).unwrap_or(0);
    out.field(
        0,
        &format!("{kind} pods"),
        format!(
            "{} current / {} desired",
            number("currentReplicas"),
            number("desiredReplicas")
        ),
    );
    let conditions = status.get("conditions");
    if !conditions.is_empty() {
        out.line(0, "Conditions:");
        out.line(1, "Type\tStatus\tReason\tMessage");
        out.line(1, "----\t------\t------\t-------");
        for condition in conditions.items() {
            let text = |field: &str| condition.get(field).str();
            out.line(
                1,
                format!(
                    "{}\t{}\t{}\t{}",
                    text("type"),
                    text("status"),
                    text("reason"),
                    text("message")
                ),
            );
        }
    }
    out.events(related.events(hpa).await);
}

/// A quantity behind a pointer.
fn amount(value: &Value) -> String {
    if value.is_null() {
        "<nil>".to_owned()
    } else {
        quantity(value).to_string()
    }
}

fn line(out: &mut Out, metric: &Value, current: &Value) {
    let kind = metric.get("type").str();
    let field = match kind {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return out.line(1, format!("<unknown metric type {}>", gofmt::quote(kind))),
    };
    let source = metric.get(field);
    let target = source.get("target");
    // A current metric counts only when it is of the same type.
    let now = if current.has(field) {
        current.at(&[field, "current"])
    } else {
        &Value::Null
    };
    let name = gofmt::quote(source.str_at(&["metric", "name"]));
    let average = match kind {
        "Object" => target.get("type").str() == "AverageValue",
        "Pods" => true,
        _ => !target.get("averageValue").is_null(),
    };
    let (of, wanted) = if average {
        ("averageValue", "target average value")
    } else {
        ("value", "target value")
    };
    // An external metric's average may be missing where its value is known.
    let have = if now.is_null() || (kind == "External" && average && now.get(of).is_null()) {
        "<unknown>".to_owned()
    } else {
        amount(now.get(of))
    };
    let figures = format!("{have} / {}", amount(target.get(of)));
    let by_resource = |what: String| {
        if average {
            return format!("{what}:\t{figures}");
        }
        let unset = |v: &Value| v.as_i64().map(|n| format!("{n}%"));
        let wanted = unset(target.get("averageUtilization")).unwrap_or_else(|| "<auto>".to_owned());
        let have = unset(now.get("averageUtilization")).map_or_else(
            || "<unknown>".to_owned(),
            |n| format!("{n} ({})", amount(now.get("averageValue"))),
        );
        format!("{what}  (as a percentage of request):\t{have} / {wanted}")
    };
    let text = match kind {
        "External" => format!("{name} ({wanted}):\t{figures}"),
        "Pods" => format!("{name} on pods:\t{figures}"),
        "Object" => {
            let object = source.get("describedObject");
            format!(
                "{name} on {}/{} ({wanted}):\t{figures}",
                object.get("kind").str(),
                object.get("name").str()
            )
        }
        "Resource" => by_resource(format!("resource {} on pods", source.get("name").str())),
        _ => by_resource(format!(
            "resource {} of container {} on pods",
            source.get("name").str(),
            gofmt::quote(source.get("container").str())
        )),
    };
    out.line(1, text);
}

fn direction(out: &mut Out, label: &str, rules: &Value) {
    if rules.is_null() {
        return;
    }
    out.line(1, format!("{label}:"));
    if let Some(seconds) = rules.i64_at(&["stabilizationWindowSeconds"]) {
        out.line(2, format!("Stabilization Window: {seconds} seconds"));
    }
    let policies = rules.get("policies");
    if !policies.is_empty() {
        out.line(
            2,
            format!("Select Policy: {}", or(rules.get("selectPolicy").str(), "Max")),
        );
        out.line(2, "Policies:");
        for policy in policies.items() {
            let number = |field: &str| policy.i64_at(&[field]).unwrap_or(0);
            out.line(
                3,
                format!(
                    "- Type: {}\tValue: {}\tPeriod: {} seconds",
                    policy.get("type").str(),
                    number("value"),
                    number("periodSeconds")
                ),
            );
        }
    }
}
