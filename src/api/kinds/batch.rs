//! Jobs and CronJobs.

use super::{
    age_cell, container_cells, edit, edit_items, format_selector, job_status, job_validation, or_none, pod_spec,
    set_default, set_default_zero, workload,
};
use crate::api::cron;
use crate::api::names;
use crate::api::object::Object;
use crate::api::selector::Selector;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::table::{age, human_duration};
use crate::api::zone::Zone;
use crate::sim::Time;
use crate::value::Value;

/// The rules of Jobs.
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
    fn default_propagation(&self) -> &'static str {
        "Orphan"
    }

    fn orphaning_warning(&self) -> Option<&'static str> {
        Some(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove \
             them or set propagationPolicy=Orphan to suppress this warning",
        )
    }

    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            job_defaults(spec);
            pod_spec::template_defaults(spec, &["template"]);
        });
        labels_from_template(object);
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        if !object.bool_at(&["spec", "manualSelector"]) {
            // What a client has set stays, and is refused where it is wrong.
            for (key, value) in own_labels(object) {
                let path = ["spec", "template", "metadata", "labels", key];
                if object.at(&path).is_null() {
                    object.set(&path, value);
                }
            }
            let path = ["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"];
            if object.at(&path).is_null() {
                let uid = object.at(&["metadata", "uid"]).clone();
                object.set(&path, uid);
            }
        }
        labels_from_template(object);
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let (spec, selector) = (object.get("spec"), object.at(&["spec", "selector"]));
        job_validation::spec(spec, errors);
        if selector.is_null() {
            errors.required("spec.selector", "");
        }
        workload::selector_rules(selector, "spec.selector", errors);
        let labels = spec.at(&["template", "metadata", "labels"]);
        if !Selector::from_label_selector(selector).matches(labels) {
            let why = "`selector` does not match template `labels`";
            errors.invalid("spec.template.metadata.labels", labels, why);
        }
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        let (spec, selector) = (object.get("spec"), object.at(&["spec", "selector"]));
        if !spec.bool_at(&["manualSelector"]) && !selector.is_null() {
            let own = own_labels(object);
            job_validation::generated_labels(spec.get("template"), &own, errors);
            let own: Value = own.into_iter().collect();
            if !Selector::from_label_selector(selector).matches(&own) {
                errors.invalid("spec.selector", selector, "`selector` not auto-generated");
            }
        }
        self.validate(object, errors);
        // The last index ends its pod's hostname.
        let name = object.at(&["metadata", "name"]);
        if spec.get("completionMode").str() == "Indexed"
            && let Some(completions) = spec.i64_at(&["completions"]).filter(|n| *n > 0)
        {
            let hostname = format!("{}-{}", name.str(), completions - 1);
            if names::dns1123_label(&hostname).is_err() {
                let why = format!("will not able to create pod with invalid DNS label: {hostname}");
                errors.invalid("metadata.name", name, why);
            }
        }
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        workload::warnings(object)
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let (spec, had) = (new.get("spec"), old.spec());
        let (completions, had_completions) = (spec.get("completions"), had.get("completions"));
        if completions != had_completions {
            let indexed = spec.get("completionMode").str() == "Indexed";
            // An indexed job may grow or shrink with its parallelism.
            if !indexed {
                errors.invalid("spec.completions", completions, "field is immutable");
            } else if !completions.is_null() && completions != spec.get("parallelism") {
                let why = "can only be modified in tandem with spec.parallelism";
                errors.invalid("spec.completions", completions, why);
            }
        }
        let fixed = |name: &str, errors: &mut FieldErrors| {
            if spec.get(name) != had.get(name) {
                errors.invalid(format!("spec.{name}"), spec.get(name), "field is immutable");
            }
        };
        fixed("selector", errors);
        let template = spec.get("template");
        let mut allowed = had.get("template").clone();
        let status = old.status();
        let stopped = status.get("startTime").is_null() || is_true(old, "Suspended");
        if had.bool_at(&["suspend"]) && stopped && status.i64_at(&["active"]).unwrap_or(0) == 0 {
            allowed = with_scheduling(allowed, template);
        }
        if template != &allowed {
            errors.invalid_as(
                "spec.template",
                super::internal::template(template).to_json(),
                "field is immutable",
            );
        }
        for name in [
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
            "managedBy",
            "successPolicy",
        ] {
            fixed(name, errors);
        }
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        job_status::check(new, old, errors);
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

/// A template with what of another one may change while a Job is suspended: where its pods go, and
/// what they ask for.
fn with_scheduling(mut template: Value, other: &Value) -> Value {
    for path in [
        &["spec", "affinity", "nodeAffinity"][..],
        &["spec", "nodeSelector"],
        &["spec", "tolerations"],
        &["spec", "schedulingGates"],
        &["metadata", "annotations"],
        &["metadata", "labels"],
    ] {
        template.set_or_remove(path, other.at(path).clone());
    }
    if other.at(&["spec", "affinity"]).is_null() && template.at(&["spec", "affinity"]).is_empty() {
        template.remove(&["spec", "affinity"]);
    }
    for list in ["containers", "initContainers"] {
        let mut others = other.at(&["spec", list]).items().iter();
        edit(&mut template, "spec", |spec| {
            edit_items(spec, list, |c| {
                if let Some(resources) = others.next().map(|o| o.get("resources").clone()) {
                    c.set(&["resources"], resources);
                }
            });
        });
    }
    template
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

/// A Job or ReplicationController without labels gets its template's.
pub(super) fn labels_from_template(object: &mut Value) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]);
    if !labels.is_empty() && object.at(&["metadata", "labels"]).is_empty() {
        let labels = labels.clone();
        object.set(&["metadata", "labels"], labels);
    }
}

/// `validateTimeZone`.
fn time_zone(zone: &Value, errors: &mut FieldErrors) {
    let Some(name) = zone.as_str() else { return };
    const MOST: usize = 14;
    let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'+');
    let is_part = |p: &str| !matches!(p, "" | "." | "..") && !p.starts_with('-') && p.len() <= MOST;
    let mut refuse = |why: &str| errors.invalid("spec.timeZone", zone, why);
    if name.is_empty() {
        return refuse("timeZone must be nil or non-empty string");
    }
    if !name.split('/').all(|p| is_part(p) && p.bytes().all(known)) {
        return refuse(&format!("unknown time zone {name}"));
    }
    if name.eq_ignore_ascii_case("local") {
        refuse("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    }
    // Go knows a `Local` of its own.
    if name != "Local"
        && let Err(why) = Zone::load(name)
    {
        refuse(&why);
    }
}

/// The rules of CronJobs.
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

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let schedule = spec.get("schedule");
        if schedule.is_empty() {
            errors.required("spec.schedule", "");
        } else {
            let zoned = ["TZ=", "CRON_TZ="].iter().any(|p| schedule.str().starts_with(p));
            let bare = match schedule.str().split_once(' ') {
                Some((_, rest)) if zoned => rest,
                _ => schedule.str(),
            };
            if let Err(why) = cron::parse(bare) {
                errors.invalid("spec.schedule", schedule, why);
            }
            if schedule.str().contains("TZ") {
                let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
                errors.invalid("spec.schedule", schedule, why);
            }
        }
        let deadline = spec.get("startingDeadlineSeconds");
        workload::non_negative(deadline, "spec.startingDeadlineSeconds", errors);
        time_zone(spec.get("timeZone"), errors);
        let policy = spec.get("concurrencyPolicy");
        let known = ["Allow", "Forbid", "Replace"];
        if !known.contains(&policy.str()) {
            errors.not_supported("spec.concurrencyPolicy", policy, &known);
        }
        let job = spec.at(&["jobTemplate", "spec"]);
        // A Job's own rules, at another place.
        let mut of_job = FieldErrors::default();
        job_validation::spec(job, &mut of_job);
        for mut error in of_job.0 {
            error.field = format!("spec.jobTemplate.{}", error.field);
            errors.0.push(error);
        }
        if !job.get("selector").is_null() {
            let why = "`selector` will be auto-generated";
            errors.invalid("spec.jobTemplate.spec.selector", job.get("selector"), why);
        }
        if job.bool_at(&["manualSelector"]) {
            let field = "spec.jobTemplate.spec.manualSelector";
            errors.not_supported(field, job.get("manualSelector"), &["nil", "false"]);
        }
        for name in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            workload::non_negative(spec.get(name), format!("spec.{name}"), errors);
        }
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        self.validate(object, errors);
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
