//! Jobs and CronJobs.

use super::{
    age_cell, container_cells, edit, edit_items, format_selector, fresh_status, or_none, pod_spec, set_default,
    set_default_zero, workload,
};
use crate::api::cron;
use crate::api::object::Object;
use crate::api::selector::Selector;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::table::{age, human_duration};
use crate::api::zone::Zone;
use crate::sim::Time;
use crate::value::Value;

pub struct JobRules;

fn is_true(object: &Object, kind: &str) -> bool {
    object.condition(kind).is_some_and(|c| c.get("status").str() == "True")
}

fn job_defaults(spec: &mut Value) {
    if spec.get("completions").is_null() && spec.get("parallelism").is_null() {
        spec.set(&["completions"], 1);
    }
    set_default(spec, "parallelism", 1);
    let per_index = !spec.get("backoffLimitPerIndex").is_null();
    set_default(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    set_default_zero(spec, "completionMode", "NonIndexed");
    set_default(spec, "suspend", false);
    set_default(spec, "manualSelector", false);
    edit(spec, "podFailurePolicy", |policy| {
        edit_items(policy, "rules", |rule| {
            edit_items(rule, "onPodConditions", |c| set_default_zero(c, "status", "True"));
        });
    });
    let replacement = if spec.get("podFailurePolicy").is_null() {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    set_default_zero(spec, "podReplacementPolicy", replacement);
}

/// The labels by which a Job knows its pods.
fn own_labels(job: &Value) -> [(&'static str, Value); 4] {
    let (uid, name) = (job.at(&["metadata", "uid"]), job.at(&["metadata", "name"]));
    [
        ("batch.kubernetes.io/controller-uid", uid.clone()),
        ("batch.kubernetes.io/job-name", name.clone()),
        ("controller-uid", uid.clone()),
        ("job-name", name.clone()),
    ]
}

impl Strategy for JobRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            job_defaults(spec);
            pod_spec::template_defaults(spec, &["template"]);
        });
        labels_from_template(object);
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, Value::map());
        if !object.bool_at(&["spec", "manualSelector"]) {
            for (key, value) in own_labels(object) {
                object.set(&["spec", "template", "metadata", "labels", key], value);
            }
            if object.at(&["spec", "selector"]).is_null() {
                let uid = object.at(&["metadata", "uid"]).clone();
                object.set(
                    &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"],
                    uid,
                );
            }
        }
        labels_from_template(object);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let (spec, selector) = (object.get("spec"), object.at(&["spec", "selector"]));
        let own: Value = own_labels(object).into_iter().collect();
        let generated = Selector::from_label_selector(selector);
        let manual = spec.bool_at(&["manualSelector"]);
        if !manual && !selector.is_null() && !generated.matches(&own) {
            errors.invalid("spec.selector", selector, "`selector` not auto-generated");
        }
        job_spec(spec, errors);
        if selector.is_null() {
            errors.required("spec.selector", "");
        }
        workload::selector_rules(selector, "spec.selector", errors);
        let labels = spec.at(&["template", "metadata", "labels"]);
        if !generated.matches(labels) {
            let why = "`selector` does not match template `labels`";
            errors.invalid("spec.template.metadata.labels", labels, why);
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings(object)
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let (spec, had) = (new.get("spec"), old.spec());
        // An indexed job may grow or shrink with its parallelism.
        let elastic =
            spec.get("completionMode").str() == "Indexed" && spec.get("completions") == spec.get("parallelism");
        if spec.get("completions") != had.get("completions") && !elastic {
            errors.invalid("spec.completions", spec.get("completions"), "field is immutable");
        }
        for name in [
            "selector",
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
            "managedBy",
            "successPolicy",
        ] {
            if spec.get(name) != had.get(name) {
                errors.invalid(format!("spec.{name}"), spec.get(name), "field is immutable");
            }
        }
        let suspended = had.bool_at(&["suspend"]) && old.status().get("startTime").is_null();
        if spec.get("template") != had.get("template") && !suspended {
            errors.invalid_as(
                "spec.template",
                super::internal::template(spec.get("template")).to_json(),
                "field is immutable",
            );
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "status.successful").then(|| object.status().i64_at(&["succeeded"]).unwrap_or(0).to_string())
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (spec, status) = (object.spec(), object.status());
        let done = status.i64_at(&["succeeded"]).unwrap_or(0);
        let completions = match (spec.i64_at(&["completions"]), spec.i64_at(&["parallelism"])) {
            (Some(n), _) => format!("{done}/{n}"),
            (None, Some(p)) if p > 1 => format!("{done}/1 of {p}"),
            _ => format!("{done}/1"),
        };
        let time = |field: &str| Time::parse(status.get(field).str());
        let duration = match time("startTime") {
            None => String::new(),
            Some(start) => human_duration(time("completionTime").unwrap_or(now).since(start).as_secs() as i64),
        };
        let (containers, images) = container_cells(spec.at(&["template", "spec"]));
        Some(vec![
            object.name().into(),
            job_status(object).into(),
            completions.into(),
            duration.into(),
            age_cell(object, now),
            containers,
            images,
            format_selector(spec.get("selector")),
        ])
    }
}

/// `validateJobSpec`, of a Job or of what a CronJob makes.
fn job_spec(spec: &Value, errors: &mut FieldErrors) {
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
    indexed_rules(spec, errors);
    failure_policy_rules(spec, errors);
    success_policy_rules(spec, errors);
    let replacement = spec.get("podReplacementPolicy");
    let known: &[&str] = if spec.get("podFailurePolicy").is_null() {
        &["Failed", "TerminatingOrFailed"]
    } else {
        &["Failed"]
    };
    if !known.contains(&replacement.str()) {
        errors.not_supported("spec.podReplacementPolicy", replacement, known);
    }
    if spec.has("podFailurePolicy") {
        let policy = spec.at(&["template", "spec", "restartPolicy"]);
        if policy.str() != "Never" {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.invalid("spec.template.spec.restartPolicy", policy, why);
        }
    }
    workload::validate_template(
        spec.get("template"),
        "spec.template",
        errors,
        &["Always", "OnFailure", "Never"],
    );
    restart_policy(spec.get("template"), "spec.template", errors);
}

/// What goes together with indexed completion.
fn indexed_rules(spec: &Value, errors: &mut FieldErrors) {
    let mode = spec.get("completionMode");
    if !["NonIndexed", "Indexed"].contains(&mode.str()) {
        errors.not_supported("spec.completionMode", mode, &["NonIndexed", "Indexed"]);
        return;
    }
    let (completions, parallelism) = (spec.get("completions"), spec.get("parallelism"));
    let (per_index, most) = (spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes"));
    if mode.str() == "Indexed" {
        if completions.is_null() {
            errors.required("spec.completions", "when completion mode is Indexed");
        }
        // More could not be written into a status.
        if parallelism.as_i64().is_some_and(|n| n > 100_000) {
            let why = "must be less than or equal to 100000 when completion mode is Indexed";
            errors.invalid("spec.parallelism", parallelism, why);
        }
        if most.as_i64() > completions.as_i64() && !completions.is_null() {
            errors.invalid(
                "spec.maxFailedIndexes",
                most,
                "must be less than or equal to completions",
            );
        }
    } else {
        for (name, value) in [("backoffLimitPerIndex", per_index), ("maxFailedIndexes", most)] {
            if !value.is_null() {
                errors.invalid(format!("spec.{name}"), value, "requires indexed completion mode");
            }
        }
    }
    if !most.is_null() && per_index.is_null() {
        errors.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified");
    }
}

fn failure_policy_rules(spec: &Value, errors: &mut FieldErrors) {
    let pod = spec.at(&["template", "spec"]);
    let containers = pod.get("containers").items().iter();
    let names: Vec<&str> = containers
        .chain(pod.get("initContainers").items())
        .map(|c| c.get("name").str())
        .collect();
    for (i, rule) in spec.at(&["podFailurePolicy", "rules"]).items().iter().enumerate() {
        let field = format!("spec.podFailurePolicy.rules[{i}]");
        let action = rule.get("action");
        let known = ["Count", "FailIndex", "FailJob", "Ignore"];
        if action.is_empty() {
            let why = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
            errors.required(format!("{field}.action"), why);
        } else if !known.contains(&action.str()) {
            errors.not_supported(format!("{field}.action"), action, &known);
        }
        let codes = rule.get("onExitCodes");
        let by_condition = !rule.get("onPodConditions").is_empty();
        match (!codes.is_null(), by_condition) {
            (true, true) => {
                let why = "specifying both OnExitCodes and OnPodConditions is not supported";
                errors.invalid_as(field.as_str(), String::new(), why);
            }
            (false, false) => {
                let why = "specifying one of OnExitCodes and OnPodConditions is required";
                errors.invalid_as(field.as_str(), String::new(), why);
            }
            _ => {}
        }
        if codes.is_null() {
            continue;
        }
        let at = format!("{field}.onExitCodes");
        let operator = codes.get("operator");
        if operator.is_empty() {
            errors.required(format!("{at}.operator"), "valid values: [\"In\" \"NotIn\"]");
        } else if !["In", "NotIn"].contains(&operator.str()) {
            errors.not_supported(format!("{at}.operator"), operator, &["In", "NotIn"]);
        }
        let container = codes.get("containerName");
        if !container.is_null() && !names.contains(&container.str()) {
            let why = "must be one of the container or initContainer names in the pod template";
            errors.invalid(format!("{at}.containerName"), container, why);
        }
        let values = codes.get("values");
        if values.is_empty() {
            errors.invalid(format!("{at}.values"), values, "at least one value is required");
        }
        let mut before: Option<i64> = None;
        for (k, value) in values.items().iter().enumerate() {
            let number = value.as_i64();
            if number == Some(0) && operator.str() == "In" {
                errors.invalid(format!("{at}.values[{k}]"), value, "must not be 0 for the In operator");
            }
            if before > number {
                errors.invalid(format!("{at}.values"), values, "must be ordered");
            }
            before = number;
        }
    }
}

fn success_policy_rules(spec: &Value, errors: &mut FieldErrors) {
    let policy = spec.get("successPolicy");
    if policy.is_null() {
        return;
    }
    if spec.get("completionMode").str() != "Indexed" {
        errors.invalid_as(
            "spec.successPolicy",
            super::internal::named(policy, "SuccessPolicy").to_json(),
            "requires indexed completion mode",
        );
        return;
    }
    let rules = policy.get("rules").items();
    if rules.is_empty() {
        errors.required(
            "spec.successPolicy.rules",
            "at least one rule must be specified when the successPolicy is specified",
        );
    }
    for (i, rule) in rules.iter().enumerate() {
        let field = format!("spec.successPolicy.rules[{i}]");
        let (count, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
        if count.is_null() && indexes.is_null() {
            errors.required(
                field,
                "at least one of succeededCount or succeededIndexes must be specified",
            );
            continue;
        }
        if count.as_i64() > spec.i64_at(&["completions"]) {
            let why = format!(
                "must be less than or equal to {} (the number of specified completions)",
                spec.i64_at(&["completions"]).unwrap_or(0)
            );
            errors.invalid(format!("{field}.succeededCount"), count, why);
        }
    }
}

fn job_status(job: &Object) -> &'static str {
    match () {
        () if is_true(job, "Complete") => "Complete",
        () if is_true(job, "Failed") => "Failed",
        () if job.is_deleting() => "Terminating",
        () if is_true(job, "Suspended") => "Suspended",
        () if is_true(job, "FailureTarget") => "FailureTarget",
        () if is_true(job, "SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn restart_policy(template: &Value, field: &str, errors: &mut FieldErrors) {
    let policy = template.at(&["spec", "restartPolicy"]);
    let at = format!("{field}.spec.restartPolicy");
    if policy.str() == "Always" {
        errors.required(at, "valid values: \"OnFailure\", \"Never\"");
    } else {
        errors.enumerated(at, policy, &["OnFailure", "Never"]);
    }
}

/// A Job or ReplicationController without labels gets its template's.
pub(super) fn labels_from_template(object: &mut Value) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]);
    if !labels.is_empty() && object.at(&["metadata", "labels"]).is_empty() {
        let labels = labels.clone();
        object.set(&["metadata", "labels"], labels);
    }
}

pub struct CronJobRules;

impl Strategy for CronJobRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default_zero(spec, "concurrencyPolicy", "Allow");
            set_default(spec, "suspend", false);
            set_default(spec, "successfulJobsHistoryLimit", 3);
            set_default(spec, "failedJobsHistoryLimit", 1);
            set_default(spec, "jobTemplate", Value::map());
            edit(spec, "jobTemplate", |template| {
                set_default(template, "metadata", Value::map());
                set_default(template, "spec", Value::map());
                edit(template, "spec", |job| pod_spec::template_defaults(job, &["template"]));
            });
        });
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, Value::map());
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let schedule = spec.get("schedule");
        if schedule.is_empty() {
            errors.required("spec.schedule", "");
        } else if schedule.str().contains("TZ") {
            errors.invalid(
                "spec.schedule",
                schedule,
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            );
        } else if let Err(why) = cron::parse(schedule.str()) {
            errors.invalid("spec.schedule", schedule, why);
        }
        let zone = spec.get("timeZone");
        if let Some(name) = zone.as_str() {
            let wrong = if name.is_empty() {
                Some("timeZone must be nil or non-empty string".to_owned())
            } else if name.eq_ignore_ascii_case("local") {
                let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
                Some(why.to_owned())
            } else {
                Zone::load(name).err()
            };
            if let Some(why) = wrong {
                errors.invalid("spec.timeZone", zone, why);
            }
        }
        for name in [
            "startingDeadlineSeconds",
            "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit",
        ] {
            workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
        }
        let policy = spec.get("concurrencyPolicy");
        let known = ["Allow", "Forbid", "Replace"];
        if !known.contains(&policy.str()) {
            errors.not_supported("spec.concurrencyPolicy", policy, &known);
        }
        let job = spec.at(&["jobTemplate", "spec"]);
        if !job.get("selector").is_null() {
            let why = "`selector` will be auto-generated";
            errors.invalid("spec.jobTemplate.spec.selector", job.get("selector"), why);
        }
        if job.bool_at(&["manualSelector"]) {
            let field = "spec.jobTemplate.spec.manualSelector";
            errors.not_supported(field, job.get("manualSelector"), &["nil", "false"]);
        }
        // A Job's own rules, at another place.
        let mut of_job = FieldErrors::default();
        let mut whole = job.clone();
        job_defaults(&mut whole);
        job_spec(&whole, &mut of_job);
        for mut error in of_job.0 {
            error.field = format!("spec.jobTemplate.{}", error.field);
            errors.0.push(error);
        }
        let name = object.at(&["metadata", "name"]);
        if name.str().len() > 52 {
            errors.invalid("metadata.name", name, "must be no more than 52 characters");
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings_at(object, &["spec", "jobTemplate", "spec", "template"])
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (spec, status) = (object.spec(), object.status());
        let job = spec.at(&["jobTemplate", "spec"]);
        let (containers, images) = container_cells(job.at(&["template", "spec"]));
        let last = Time::parse(status.get("lastScheduleTime").str());
        let suspended = if spec.bool_at(&["suspend"]) { "True" } else { "False" };
        Some(vec![
            object.name().into(),
            spec.get("schedule").str().into(),
            or_none(spec.get("timeZone").str()),
            suspended.into(),
            status.get("active").items().len().into(),
            last.map_or_else(|| "<none>".to_owned(), |t| age(t, now)).into(),
            age_cell(object, now),
            containers,
            images,
            format_selector(job.get("selector")),
        ])
    }
}
