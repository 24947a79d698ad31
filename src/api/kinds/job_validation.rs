//! Validation of a Job's spec (`pkg/apis/batch/validation`), of a Job or of what a CronJob makes.

use super::job_status::intervals;
use super::{internal, workload};
use crate::api::names;
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::value::Value;

/// The most pods at a time, and failed indexes, of which a status can tell.
const MOST_INDEXES: i64 = 100_000;
/// The same where each index has a back-off of its own and there are more completions than that.
const MOST_OF_MANY: i64 = 10_000;
/// Rules of a policy, and conditions of a rule.
const MOST_RULES: usize = 20;
const MOST_EXIT_CODES: usize = 255;
const MOST_BYTES_OF_MANAGER: usize = 63;
const MOST_BYTES_OF_INDEXES: usize = 64 << 10;

/// `validateJobSpec`.
pub(super) fn spec(spec: &Value, errors: &mut FieldErrors) {
    for name in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
    }
    if !spec.get("maxFailedIndexes").is_null() && spec.get("backoffLimitPerIndex").is_null() {
        errors.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified");
    }
    let manager = spec.get("managedBy");
    if !manager.is_null() {
        errors.check("spec.managedBy", manager, names::domain_prefixed_path);
        if manager.str().len() > MOST_BYTES_OF_MANAGER {
            errors.too_long("spec.managedBy", MOST_BYTES_OF_MANAGER);
        }
    }
    completion(spec, errors);
    failure_policy(spec, errors);
    success_policy(spec, errors);
    let has_policy = !spec.get("podFailurePolicy").is_null();
    let known: &[&str] = if has_policy {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    let replacement = spec.get("podReplacementPolicy");
    errors.enumerated("spec.podReplacementPolicy", replacement, known);
    let template = spec.get("template");
    let any = ["Always", "OnFailure", "Never"];
    workload::validate_template(template, "spec.template", errors, &any);
    let field = "spec.template.spec.restartPolicy";
    let policy = template.at(&["spec", "restartPolicy"]);
    match policy.str() {
        "Always" | "" => errors.required(field, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if has_policy => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.invalid(field, policy, why);
        }
        _ => errors.enumerated(field, policy, &["OnFailure", "Never"]),
    }
}

/// What goes together with the mode of completion.
fn completion(spec: &Value, errors: &mut FieldErrors) {
    let mode = spec.get("completionMode");
    errors.enumerated("spec.completionMode", mode, &["NonIndexed", "Indexed"]);
    let (completions, parallelism) = (spec.get("completions"), spec.get("parallelism"));
    let (per_index, most) = (spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes"));
    let above = |value: &Value, most: i64| value.as_i64().is_some_and(|n| n > most);
    if matches!(mode.str(), "NonIndexed" | "") {
        for (name, value) in [("backoffLimitPerIndex", per_index), ("maxFailedIndexes", most)] {
            if !value.is_null() {
                errors.invalid(format!("spec.{name}"), value, "requires indexed completion mode");
            }
        }
    }
    if mode.str() != "Indexed" {
        return;
    }
    if completions.is_null() {
        errors.required("spec.completions", "when completion mode is Indexed");
    }
    if above(parallelism, MOST_INDEXES) {
        let why = format!("must be less than or equal to {MOST_INDEXES} when completion mode is Indexed");
        errors.invalid("spec.parallelism", parallelism, why);
    }
    if completions.as_i64().is_some_and(|n| above(most, n)) {
        let why = "must be less than or equal to completions";
        errors.invalid("spec.maxFailedIndexes", most, why);
    }
    if above(most, MOST_INDEXES) {
        let why = format!("must be less than or equal to {MOST_INDEXES}");
        errors.invalid("spec.maxFailedIndexes", most, why);
    }
    if above(completions, MOST_INDEXES) && !per_index.is_null() {
        if most.is_null() {
            let why = format!("must be specified when completions is above {MOST_INDEXES}");
            errors.required("spec.maxFailedIndexes", why);
        }
        for (name, value) in [("parallelism", parallelism), ("maxFailedIndexes", most)] {
            if above(value, MOST_OF_MANY) {
                let why = format!(
                    "must be less than or equal to {MOST_OF_MANY} when completions are above {MOST_INDEXES} and used with backoff limit per index"
                );
                errors.invalid(format!("spec.{name}"), value, why);
            }
        }
    }
}

fn failure_policy(spec: &Value, errors: &mut FieldErrors) {
    let pod = spec.at(&["template", "spec"]);
    let containers = pod.get("containers").items().iter();
    let names: Vec<&str> = containers
        .chain(pod.get("initContainers").items())
        .map(|c| c.get("name").str())
        .collect();
    let rules = spec.at(&["podFailurePolicy", "rules"]).items();
    if rules.len() > MOST_RULES {
        errors.too_many("spec.podFailurePolicy.rules", rules.len(), MOST_RULES);
    }
    for (i, rule) in rules.iter().enumerate() {
        let field = format!("spec.podFailurePolicy.rules[{i}]");
        let action = rule.get("action");
        let known = ["Count", "FailIndex", "FailJob", "Ignore"];
        let at = format!("{field}.action");
        if action.is_empty() {
            let why = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
            errors.required(at, why);
        } else if action.str() == "FailIndex" && spec.get("backoffLimitPerIndex").is_null() {
            let why = "requires the backoffLimitPerIndex to be set";
            errors.invalid(at, action, why);
        } else {
            errors.enumerated(at, action, &known);
        }
        let codes = rule.get("onExitCodes");
        exit_codes(codes, &names, &format!("{field}.onExitCodes"), errors);
        let conditions = rule.get("onPodConditions").items();
        pod_conditions(conditions, &format!("{field}.onPodConditions"), errors);
        let why = match (codes.is_null(), conditions.is_empty()) {
            (false, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (true, true) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        errors.invalid_as(field, String::new(), why);
    }
}

fn pod_conditions(patterns: &[Value], field: &str, errors: &mut FieldErrors) {
    if patterns.len() > MOST_RULES {
        errors.too_many(field, patterns.len(), MOST_RULES);
    }
    for (i, pattern) in patterns.iter().enumerate() {
        let at = format!("{field}[{i}]");
        errors.check(format!("{at}.type"), pattern.get("type"), names::label_key);
        let (at, status) = (format!("{at}.status"), pattern.get("status"));
        if status.is_empty() {
            errors.required(at, "valid values: [\"False\" \"True\" \"Unknown\"]");
        } else {
            errors.enumerated(at, status, &["False", "True", "Unknown"]);
        }
    }
}

fn exit_codes(codes: &Value, names: &[&str], at: &str, errors: &mut FieldErrors) {
    if codes.is_null() {
        return;
    }
    let operator = codes.get("operator");
    if operator.is_empty() {
        errors.required(format!("{at}.operator"), "valid values: [\"In\" \"NotIn\"]");
    } else {
        errors.enumerated(format!("{at}.operator"), operator, &["In", "NotIn"]);
    }
    let container = codes.get("containerName");
    if !container.is_null() && !names.contains(&container.str()) {
        let why = "must be one of the container or initContainer names in the pod template";
        errors.invalid(format!("{at}.containerName"), container, why);
    }
    let (at, values) = (format!("{at}.values"), codes.get("values"));
    let items = values.items();
    if items.is_empty() {
        errors.invalid(&at, values, "at least one value is required");
    } else if items.len() > MOST_EXIT_CODES {
        errors.too_many(&at, items.len(), MOST_EXIT_CODES);
    }
    for (i, value) in items.iter().enumerate() {
        if value.as_i64() == Some(0) && operator.str() == "In" {
            let why = "must not be 0 for the In operator";
            errors.invalid(format!("{at}[{i}]"), value, why);
        }
        if items.iter().take(i).any(|v| v == value) {
            errors.duplicate(format!("{at}[{i}]"), value);
        }
    }
    if !items.is_sorted_by_key(Value::as_i64) {
        errors.invalid(at, values, "must be ordered");
    }
}

fn success_policy(spec: &Value, errors: &mut FieldErrors) {
    let policy = spec.get("successPolicy");
    if policy.is_null() {
        return;
    }
    if spec.get("completionMode").str() != "Indexed" {
        let text = internal::named(policy, "SuccessPolicy").to_json();
        let why = "requires indexed completion mode";
        return errors.invalid_as("spec.successPolicy", text, why);
    }
    let field = "spec.successPolicy.rules";
    let rules = policy.get("rules").items();
    if rules.is_empty() {
        let why = "at least one rule must be specified when the successPolicy is specified";
        errors.required(field, why);
    }
    if rules.len() > MOST_RULES {
        errors.too_many(field, rules.len(), MOST_RULES);
    }
    let completions = spec.i64_at(&["completions"]).unwrap_or(0);
    for (i, rule) in rules.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let (count, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
        if count.is_null() && indexes.is_null() {
            let why = "at least one of succeededCount or succeededIndexes must be specified";
            errors.required(&field, why);
        }
        let mut named = None;
        if !indexes.is_null() {
            let at = format!("{field}.succeededIndexes");
            if indexes.str().len() > MOST_BYTES_OF_INDEXES {
                errors.too_long(&at, MOST_BYTES_OF_INDEXES);
            }
            let parsed = intervals(indexes.str(), completions);
            named = Some(*parsed.as_ref().unwrap_or(&0));
            if let Err(why) = parsed {
                errors.invalid(at, indexes, format!("error parsing succeededIndexes: {why}"));
            }
        }
        let at = format!("{field}.succeededCount");
        workload::non_negative(count, &at, errors);
        let what = [
            (Some(completions), "the number of specified completions"),
            (named, "the number of indexes in the specified succeededIndexes field"),
        ];
        for (most, of) in what {
            if let Some(most) = most.filter(|most| count.as_i64() > Some(*most)) {
                let why = format!("must be less than or equal to {most} ({of})");
                errors.invalid(&at, count, why);
            }
        }
    }
}

/// The labels by which a Job knows its pods must be as the server makes them
/// (`validateGeneratedSelector`).
pub(super) fn generated_labels(template: &Value, own: &[(&str, Value)], errors: &mut FieldErrors) {
    let labels = template.at(&["metadata", "labels"]);
    // The names without a domain are the older ones, and come first.
    let (new, old): (Vec<_>, Vec<_>) = own.iter().partition(|(key, _)| key.contains('/'));
    for (key, value) in old.into_iter().chain(new) {
        let at = format!("spec.template.metadata.labels[{key}]");
        let why = format!("must be '{}'", value.str());
        if !labels.has(key) {
            errors.required(at, why);
        } else if labels.get(key) != value {
            errors.add(FieldErrorKind::Invalid, at, labels.to_json(), why);
        }
    }
}
