//! Rules that the kinds with a pod template share.

use super::{age_cell, container_cells, int, internal, pod_validation, pod_warnings};
use crate::api::metadata;
use crate::api::names;
use crate::api::object::Object;
use crate::api::selector::Selector;
use crate::api::status::FieldErrors;
use crate::sim::Time;
use crate::value::Value;

/// Checks `spec.selector` and `spec.template`, and that the one selects the other.
/// `restart_policies` are those that the template may have.
pub(crate) fn validate_selector_and_template(object: &Value, errors: &mut FieldErrors, restart_policies: &[&str]) {
    let selector = object.at(&["spec", "selector"]);
    let empty = selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty();
    let template = object.at(&["spec", "template"]);
    if selector.is_null() {
        errors.required("spec.selector", "");
    } else {
        selector_rules(selector, "spec.selector", errors);
        if empty {
            let kind = match object.str_at(&["kind"]) {
                "DaemonSet" => "daemonset",
                "StatefulSet" => "statefulset",
                _ => "deployment",
            };
            errors.invalid(
                "spec.selector",
                selector,
                format!("empty selector is invalid for {kind}"),
            );
        }
    }
    let labels = template.at(&["metadata", "labels"]);
    // A null selector selects nothing.
    if !Selector::from_label_selector(selector).matches(labels) {
        errors.invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        );
    }
    validate_template(template, "spec.template", errors, restart_policies);
    no_deadline(template, object.str_at(&["kind"]), errors);
}

/// Pods that run for ever have no deadline.
pub(crate) fn no_deadline(template: &Value, kind: &str, errors: &mut FieldErrors) {
    if template.at(&["spec", "activeDeadlineSeconds"]).is_null() {
        return;
    }
    // A Deployment's template is checked as that of its ReplicaSet.
    let kind = if kind == "Deployment" { "ReplicaSet" } else { kind };
    let why = format!("activeDeadlineSeconds in {kind} is not Supported");
    errors.forbidden("spec.template.spec.activeDeadlineSeconds", why);
}

/// Checks a pod template.
pub(crate) fn validate_template(template: &Value, field: &str, errors: &mut FieldErrors, restart_policies: &[&str]) {
    metadata::labels(template.at(&["metadata", "labels"]), &format!("{field}.labels"), errors);
    metadata::annotations(
        template.at(&["metadata", "annotations"]),
        &format!("{field}.annotations"),
        errors,
    );
    pod_validation::template(template, field, errors);
    let policy = template.at(&["spec", "restartPolicy"]);
    if !restart_policies.contains(&policy.str()) {
        errors.not_supported(
            format!("{field}.spec.restartPolicy"),
            &policy.str().into(),
            restart_policies,
        );
    }
}

/// What a workload's template is warned of, and its name, which its pods get.
pub(crate) fn warnings(object: &Value) -> Vec<String> {
    warnings_at(object, &["spec", "template"])
}

/// The same of one whose template is at another path.
pub(crate) fn warnings_at(object: &Value, path: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    if !matches!(object.str_at(&["kind"]), "DaemonSet" | "StatefulSet") {
        all.extend(pod_warnings::name_of_pods(object, "Pod names and hostnames"));
    }
    all.extend(pod_warnings::of(object.at(path), Some(&path.join("."))));
    all
}

/// Checks a `metav1.LabelSelector`.
pub(crate) fn selector_rules(selector: &Value, field: &str, errors: &mut FieldErrors) {
    if selector.is_null() {
        return;
    }
    metadata::labels(selector.get("matchLabels"), &format!("{field}.matchLabels"), errors);
    for (i, e) in selector.get("matchExpressions").items().iter().enumerate() {
        let field = format!("{field}.matchExpressions[{i}]");
        let values = e.get("values");
        match e.get("operator").str() {
            "In" | "NotIn" if values.is_empty() => {
                errors.required(
                    format!("{field}.values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                errors.forbidden(
                    format!("{field}.values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Exists" | "DoesNotExist" => {}
            other => errors.invalid(
                format!("{field}.operator"),
                &other.into(),
                "not a valid selector operator",
            ),
        }
        errors.check(format!("{field}.key"), e.get("key"), names::label_key);
        for (j, value) in values.items().iter().enumerate() {
            errors.check(format!("{field}.values[{j}]"), value, names::label_value);
        }
    }
}

/// `spec.selector` never changes.
pub(crate) fn immutable_selector(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let selector = new.at(&["spec", "selector"]);
    if selector != old.at(&["spec", "selector"]) {
        errors.invalid("spec.selector", selector, "field is immutable");
    }
}

/// A number that must not be negative.
pub(crate) fn non_negative(value: &Value, field: impl std::fmt::Display, errors: &mut FieldErrors) {
    if value.as_i64().is_some_and(|n| n < 0) {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
}

/// Refuses another spec, which it shows as the struct of this name, or as JSON without one.
pub(super) fn immutable_spec(new: &Value, old: &Object, ty: &str, errors: &mut FieldErrors) {
    let spec = new.get("spec");
    if spec != old.spec() {
        let text = match ty {
            "" => spec.to_json(),
            ty => internal::named(spec, ty).to_json(),
        };
        errors.invalid_as("spec", text, "field is immutable");
    }
}

/// A number or a percentage: the number, or the percentage's number.
pub(crate) fn int_or_percent(value: &Value) -> Option<(i64, bool)> {
    match value {
        Value::Str(s) => s.strip_suffix('%')?.parse().ok().map(|n| (n, true)),
        other => other.as_i64().map(|n| (n, false)),
    }
}

/// Checks a number or percentage (`ValidatePositiveIntOrPercent`).
pub(crate) fn positive_int_or_percent(value: &Value, field: &str, errors: &mut FieldErrors) {
    match value {
        Value::Null => {}
        Value::Str(s) => {
            let digits = s.strip_suffix('%').unwrap_or("");
            if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
                errors.invalid(
                    field,
                    value,
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
                );
            }
        }
        _ => non_negative(value, field, errors),
    }
}

/// A percentage of at most 100 (`IsNotMoreThan100Percent`).
pub(crate) fn at_most_100_percent(value: &Value, field: &str, errors: &mut FieldErrors) {
    if let Some((n, true)) = int_or_percent(value)
        && n > 100
    {
        errors.invalid(field, value, "must not be greater than 100%");
    }
}

/// Checks the type of a strategy, and the parts of a rolling update.
pub(crate) fn validate_update_strategy(object: &Value, name: &str, types: &[&str], errors: &mut FieldErrors) {
    let strategy = object.at(&["spec", name]);
    let kind = strategy.get("type");
    let field = format!("spec.{name}");
    if !types.contains(&kind.str()) {
        let text = internal::named(strategy, "Strategy").to_json();
        errors.not_supported_as(&field, text, types);
        return;
    }
    let rolling = strategy.get("rollingUpdate");
    if kind.str() != "RollingUpdate" {
        if !rolling.is_null() && kind.str() == "Recreate" {
            errors.forbidden(
                format!("{field}.rollingUpdate"),
                "may not be specified when strategy `type` is 'Recreate'",
            );
        }
        return;
    }
    for part in ["maxUnavailable", "maxSurge"] {
        let at = format!("{field}.rollingUpdate.{part}");
        positive_int_or_percent(rolling.get(part), &at, errors);
    }
    let zero = |part: &str| int_or_percent(rolling.get(part)).is_some_and(|(n, _)| n == 0);
    if object.str_at(&["kind"]) == "DaemonSet" {
        let set = |part: &str| int_or_percent(rolling.get(part)).is_some_and(|(n, _)| n != 0);
        if set("maxUnavailable") && set("maxSurge") {
            errors.invalid(
                format!("{field}.rollingUpdate.maxSurge"),
                rolling.get("maxSurge"),
                "may not be set when maxUnavailable is non-zero",
            );
        } else if zero("maxUnavailable") && zero("maxSurge") {
            errors.required(
                format!("{field}.rollingUpdate.maxUnavailable"),
                "cannot be 0 when maxSurge is 0",
            );
        }
    } else if zero("maxUnavailable") && zero("maxSurge") {
        errors.invalid(
            format!("{field}.rollingUpdate.maxUnavailable"),
            rolling.get("maxUnavailable"),
            "may not be 0 when `maxSurge` is 0",
        );
    }
    at_most_100_percent(
        rolling.get("maxUnavailable"),
        &format!("{field}.rollingUpdate.maxUnavailable"),
        errors,
    );
}

/// The field of ReplicaSets and ReplicationControllers that a field selector may ask for.
pub(crate) fn replicas_field(object: &Object, field: &str) -> Option<String> {
    (field == "status.replicas").then(|| object.status().i64_at(&["replicas"]).unwrap_or(0).to_string())
}

/// The row of a ReplicaSet or a ReplicationController, whose selectors are written differently.
pub(crate) fn replicas_row(object: &Object, selector: Value, now: Time) -> Vec<Value> {
    let (containers, images) = container_cells(object.spec().at(&["template", "spec"]));
    vec![
        object.name().into(),
        int(object.spec(), &["replicas"]),
        int(object.status(), &["replicas"]),
        int(object.status(), &["readyReplicas"]),
        age_cell(object, now),
        containers,
        images,
        selector,
    ]
}
