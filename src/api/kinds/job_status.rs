//! How a Job's status may go on (`ValidateJobStatusUpdate`): whoever manages a Job keeps to what
//! others rely on.

use super::workload;
use crate::api::object::Object;
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::flat::FlatSet;
use crate::sim::Time;
use crate::value::{Value, quoted};

/// A Job's status with what is asked of it.
struct Job<'a> {
    spec: &'a Value,
    status: &'a Value,
}

impl Job<'_> {
    fn is(&self, kind: &str) -> bool {
        let all = self.status.get("conditions").items();
        all.iter()
            .any(|c| c.get("type").str() == kind && c.get("status").str() == "True")
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn count(&self, name: &str) -> i64 {
        self.status.i64_at(&[name]).unwrap_or(0)
    }

    fn time(&self, name: &str) -> Option<Time> {
        Time::parse(self.status.get(name).str())
    }

    fn is_indexed(&self) -> bool {
        self.spec.get("completionMode").str() == "Indexed"
    }
}

/// An error that shows no value (`field.OmitValueType`).
fn conditions(errors: &mut FieldErrors, why: impl Into<String>) {
    errors.add(FieldErrorKind::Invalid, "status.conditions", String::new(), why);
}

/// Checks the new version of an update through `/status`. Rules that came after Jobs had broken them
/// hold for what changes (`getStatusValidationOptions`).
pub(super) fn check(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let job = Job {
        spec: new.get("spec"),
        status: new.get("status"),
    };
    let was = Job {
        spec: old.spec(),
        status: old.status(),
    };
    let status = job.status;
    for name in ["active", "succeeded", "failed", "ready", "terminating"] {
        workload::non_negative(status.get(name), format_args!("status.{name}"), errors);
    }
    let mut seen = FlatSet::new();
    for list in ["succeeded", "failed"] {
        let uids = status.at(&["uncountedTerminatedPods", list]);
        for (i, uid) in uids.items().iter().enumerate() {
            let at = format!("status.uncountedTerminatedPods.{list}[{i}]");
            if uid.is_empty() {
                errors.invalid(at, uid, "must not be empty");
            } else if !seen.insert(uid.str()) {
                errors.duplicate(at, uid);
            }
        }
    }
    let changed = |name: &str| status.get(name) != was.status.get(name);
    let turned = |kind: &str| job.is(kind) != was.is(kind);
    let (complete, failed) = (job.is("Complete"), job.is("Failed"));
    let (target, success) = (job.is("FailureTarget"), job.is("SuccessCriteriaMet"));
    let finished = job.is_finished();
    let ended = finished != was.is_finished();
    let (start, completion) = (status.get("startTime"), status.get("completionTime"));
    if (turned("Complete") || turned("Failed")) && complete && failed {
        conditions(errors, "cannot set Complete=True and Failed=true conditions");
    }
    if (turned("Complete") || turned("FailureTarget")) && complete && target {
        conditions(errors, "cannot set Complete=True and FailureTarget=true conditions");
    }
    if turned("Complete") || changed("completionTime") {
        if !completion.is_null() && !complete {
            let why = "cannot set completionTime when there is no Complete=True condition";
            errors.invalid("status.completionTime", completion, why);
        }
        if completion.is_null() && complete {
            let why = "completionTime is required for Complete jobs";
            errors.required("status.completionTime", why);
        }
    }
    if (changed("startTime") || changed("completionTime"))
        && let (Some(start), Some(end)) = (job.time("startTime"), job.time("completionTime"))
        && end < start
    {
        let why = "completionTime cannot be set before startTime";
        errors.invalid("status.completionTime", completion, why);
    }
    if turned("Failed") && failed && !target {
        conditions(
            errors,
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
    }
    if turned("Complete") && complete && !success {
        let why = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        conditions(errors, why);
    }
    if (ended || changed("active")) && finished && job.count("active") > 0 {
        let why = "active>0 is invalid for finished job";
        errors.invalid("status.active", status.get("active"), why);
    }
    if (ended || changed("startTime")) && finished && start.is_null() {
        errors.required("status.startTime", "startTime is required for finished job");
    }
    let uncounted = status.get("uncountedTerminatedPods");
    let left = ["succeeded", "failed"].iter().any(|l| !uncounted.get(l).is_empty());
    if (ended || changed("uncountedTerminatedPods")) && finished && left {
        let list = |name: &str| match uncounted.get(name) {
            Value::Null => "null".to_owned(),
            other => other.to_json(),
        };
        let text = format!(r#"{{"Succeeded":{},"Failed":{}}}"#, list("succeeded"), list("failed"));
        let why = "uncountedTerminatedPods needs to be empty for finished job";
        errors.invalid_as("status.uncountedTerminatedPods", text, why);
    }
    indexes(&job, &was, errors);
    if (ended || changed("terminating")) && finished && job.count("terminating") > 0 {
        let why = "terminating>0 is invalid for finished job";
        errors.invalid("status.terminating", status.get("terminating"), why);
    }
    let ready = status.i64_at(&["ready"]);
    if (changed("ready") || changed("active")) && ready.is_some_and(|n| n > job.count("active")) {
        let why = "cannot set more ready pods than active";
        errors.invalid("status.ready", status.get("ready"), why);
    }
    if success && failed {
        conditions(errors, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
    }
    if success && target {
        let why = "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions";
        conditions(errors, why);
    }
    if !job.spec.get("successPolicy").is_null() && !success && complete {
        let why = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
        conditions(errors, why);
    }
    goes_on(&job, &was, errors);
}

/// What only grows, or stays once it is there.
fn goes_on(job: &Job, was: &Job, errors: &mut FieldErrors) {
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if was.is(kind) && !job.is(kind) {
            conditions(errors, format!("cannot disable the terminal {kind}=True condition"));
        }
    }
    let count = |name: &str| Value::from(job.count(name));
    if job.count("failed") < was.count("failed") {
        let why = "cannot decrease the failed counter";
        errors.invalid("status.failed", &count("failed"), why);
    }
    // An indexed Job that is scaled down forgets indexes that succeeded.
    let elastic = job.is_indexed() && job.spec.get("completions") == job.spec.get("parallelism");
    if !elastic && job.count("succeeded") < was.count("succeeded") {
        let why = "cannot decrease the succeeded counter";
        errors.invalid("status.succeeded", &count("succeeded"), why);
    }
    let (end, had) = (job.status.get("completionTime"), was.status.get("completionTime"));
    if !end.is_null() && !had.is_null() && end != had {
        errors.invalid("status.completionTime", end, "completionTime cannot be mutated");
    }
    let (start, had) = (job.status.get("startTime"), was.status.get("startTime"));
    if !had.is_null() && start != had && !job.spec.bool_at(&["suspend"]) {
        let why = "startTime cannot be removed for unsuspended job";
        errors.required("status.startTime", why);
    }
    let success = "SuccessCriteriaMet";
    if was.is(success) && !job.is(success) {
        conditions(errors, "cannot disable the SuccessCriteriaMet=True condition");
    }
    if was.is("Complete") && !was.is(success) && job.is(success) {
        let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        conditions(errors, why);
    }
}

/// The indexes that succeeded and failed.
fn indexes(job: &Job, was: &Job, errors: &mut FieldErrors) {
    let changed = |name: &str| job.status.get(name) != was.status.get(name);
    let completions = job.spec.i64_at(&["completions"]);
    let (done, failed) = (job.status.get("completedIndexes"), job.status.get("failedIndexes"));
    let (done_changed, failed_changed) = (changed("completedIndexes"), changed("failedIndexes"));
    let per_index = !job.spec.get("backoffLimitPerIndex").is_null();
    if let Some(completions) = completions {
        for (value, name, looked_at) in [
            (done, "completedIndexes", done_changed),
            (failed, "failedIndexes", failed_changed && per_index),
        ] {
            if looked_at && let Err(why) = intervals(value.str(), completions) {
                let why = format!("error parsing {name}: {why}");
                errors.invalid(format!("status.{name}"), value, why);
            }
        }
    }
    if done_changed && !done.is_empty() && !job.is_indexed() {
        let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.invalid("status.completedIndexes", done, why);
    }
    if failed_changed && !per_index && !failed.is_null() {
        let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        errors.invalid("status.failedIndexes", failed, why);
    }
    if (done_changed || failed_changed)
        && let Some(completions) = completions
    {
        let parse = |v: &Value| -> Vec<(i64, i64)> {
            let parts = v.str().split(',');
            parts.filter_map(|p| interval(p, completions).ok()).collect()
        };
        let (a, b) = (parse(done), parse(failed));
        let overlap = a
            .iter()
            .flat_map(|(x, y)| {
                b.iter()
                    .filter(move |(u, v)| x <= v && u <= y)
                    .map(move |(u, _)| (*x).max(*u))
            })
            .min();
        if let Some(index) = overlap {
            let why = format!("failedIndexes and completedIndexes overlap at index: {index}");
            errors.invalid("status.failedIndexes", failed, why);
        }
    }
}

/// Indexes as text: `1,3-5,7` (`validateIndexesFormat`). Gives how many there are.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn intervals(text: &str, completions: i64) -> Result<i64, String> {
    let mut last: Option<i64> = None;
    let mut total = 0i64;
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let (from, to) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= from) {
            return Err(format!("non-increasing order, previous: {last}, current: {from}"));
        }
        total = total.saturating_add(to - from + 1);
        last = Some(to);
    }
    Ok(total)
}

fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |text: &str| -> Result<i64, String> {
        let n: i64 = text.parse().map_err(|_| {
            format!(
                "cannot convert string to integer for index: {text}",
                text = quoted(&text)
            )
        })?;
        if n >= completions {
            return Err(format!("too large index: {text}", text = quoted(&text)));
        }
        Ok(n)
    };
    match parts.as_slice() {
        [one] => number(one).map(|n| (n, n)),
        [from, to] => {
            let (from, to) = (number(from)?, number(to)?);
            if from >= to {
                return Err(format!("non-increasing order, previous: {from}, current: {to}"));
            }
            Ok((from, to))
        }
        _ => Err(format!(
            "the fragment {text} violates the requirement that an index interval can have at most two parts separated by '-'",
            text = quoted(&text)
        )),
    }
}
