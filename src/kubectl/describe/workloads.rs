//! `describe` of the controllers of pods: ReplicationController, ReplicaSet, Deployment, DaemonSet,
//! StatefulSet, Job, CronJob.

use super::pod_parts::{claim_templates, conditions, controlled_by, flag, pods_status, template};
use super::writer::{Out, format_selector, int_or_text, number_or_unset, or, rfc1123, time};
use super::{Related, labels};
use crate::api::table::human_duration;
use crate::flat::Arrange;
use crate::kubectl::print_labels;
use crate::value::Value;

/// A whole number of the status or spec, 0 when it is left out.
fn number(value: &Value, field: &str) -> i64 {
    value.i64_at(&[field]).unwrap_or(0)
}

pub(super) async fn replication_controller(related: &Related<'_>, out: &mut Out, rc: &Value) {
    let selector = print_labels(rc.at(&["spec", "selector"]));
    out.name(rc);
    out.field(0, "Selector", &selector);
    out.metadata(rc);
    replicas(related, out, rc, selector).await;
}

pub(super) async fn replica_set(related: &Related<'_>, out: &mut Out, rs: &Value) {
    let selector = format_selector(rs.at(&["spec", "selector"]));
    out.name(rs);
    out.field(0, "Selector", &selector);
    out.metadata(rs);
    out.field_if(0, "Controlled By", &controlled_by(rs));
    replicas(related, out, rs, selector).await;
}

async fn replicas(related: &Related<'_>, out: &mut Out, object: &Value, selector: String) {
    let (current, desired) = (
        number(object.get("status"), "replicas"),
        number(object.get("spec"), "replicas"),
    );
    out.field(0, "Replicas", format!("{current} current / {desired} desired"));
    pods_status(out, &related.pods_of(object, &selector).await);
    template(out, object.at(&["spec", "template"]));
    conditions(out, object.at(&["status", "conditions"]));
    out.events(related.events(object).await);
}

pub(super) async fn deployment(related: &Related<'_>, out: &mut Out, deployment: &Value) {
    let (spec, status) = (deployment.get("spec"), deployment.get("status"));
    let selector = format_selector(spec.get("selector"));
    out.name(deployment);
    out.field(
        0,
        "CreationTimestamp",
        rfc1123(deployment.at(&["metadata", "creationTimestamp"])),
    );
    out.metadata(deployment);
    out.field(0, "Selector", &selector);
    out.field(
        0,
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            number(spec, "replicas"),
            number(status, "updatedReplicas"),
            number(status, "replicas"),
            number(status, "availableReplicas"),
            number(status, "unavailableReplicas")
        ),
    );
    out.field(0, "StrategyType", spec.str_at(&["strategy", "type"]));
    out.field(0, "MinReadySeconds", number(spec, "minReadySeconds"));
    let rolling = spec.at(&["strategy", "rollingUpdate"]);
    if !rolling.is_null() {
        let (unavailable, surge) = (
            int_or_text(rolling.get("maxUnavailable")),
            int_or_text(rolling.get("maxSurge")),
        );
        out.field(
            0,
            "RollingUpdateStrategy",
            format!("{unavailable} max unavailable, {surge} max surge"),
        );
    }
    template(out, spec.get("template"));
    conditions(out, status.get("conditions"));
    let events = related.events(deployment).await;
    let (old, new) = replica_sets(related, deployment, selector).await;
    if !old.is_empty() || !new.is_empty() {
        out.field(0, "OldReplicaSets", replica_set_list(&old));
        out.field(0, "NewReplicaSet", replica_set_list(&new));
    }
    out.events(events);
}

/// The old ReplicaSets of a Deployment, and the one of its template.
async fn replica_sets(related: &Related<'_>, deployment: &Value, selector: String) -> (Vec<Value>, Vec<Value>) {
    let namespace = deployment.str_at(&["metadata", "namespace"]);
    let uid = deployment.str_at(&["metadata", "uid"]);
    let mut sets = related
        .list(("apps", "v1", "replicasets"), namespace, labels(&selector))
        .await;
    sets.retain(|rs| {
        let owners = rs.at(&["metadata", "ownerReferences"]).items();
        owners
            .iter()
            .any(|o| o.bool_at(&["controller"]) && o.get("uid").str() == uid)
    });
    let created = |rs: &Value| {
        (
            rs.str_at(&["metadata", "creationTimestamp"]).to_owned(),
            rs.str_at(&["metadata", "name"]).to_owned(),
        )
    };
    sets.arrange_by_key(created);
    let bare = |template: &Value| {
        let mut template = template.clone();
        template.remove(&["metadata", "labels", "pod-template-hash"]);
        // An absent label map and an empty one are the same.
        if template.at(&["metadata", "labels"]).is_empty() {
            template.remove(&["metadata", "labels"]);
        }
        template
    };
    let wanted = bare(deployment.at(&["spec", "template"]));
    let new = sets.iter().position(|rs| bare(rs.at(&["spec", "template"])) == wanted);
    let new = new.map(|i| sets.remove(i));
    (sets, new.into_iter().collect())
}

fn replica_set_list(sets: &[Value]) -> String {
    let list: Vec<String> = sets
        .iter()
        .map(|rs| {
            let (current, desired) = (number(rs.get("status"), "replicas"), number(rs.get("spec"), "replicas"));
            format!(
                "{} ({current}/{desired} replicas created)",
                rs.str_at(&["metadata", "name"])
            )
        })
        .collect();
    or(&list.join(", "), "<none>").to_owned()
}

pub(super) async fn daemon_set(related: &Related<'_>, out: &mut Out, set: &Value) {
    let (spec, status) = (set.get("spec"), set.get("status"));
    let selector = format_selector(spec.get("selector"));
    out.name(set);
    out.field(0, "Selector", &selector);
    out.field(
        0,
        "Node-Selector",
        print_labels(spec.at(&["template", "spec", "nodeSelector"])),
    );
    out.metadata(set);
    for (label, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            "updatedNumberScheduled",
        ),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        out.line(0, format!("{label}: {}", number(status, field)));
    }
    pods_status(out, &related.pods_of(set, &selector).await);
    template(out, spec.get("template"));
    out.events(related.events(set).await);
}

pub(super) async fn stateful_set(related: &Related<'_>, out: &mut Out, set: &Value) {
    let (spec, status) = (set.get("spec"), set.get("status"));
    let selector = format_selector(spec.get("selector"));
    out.name(set);
    out.field(
        0,
        "CreationTimestamp",
        rfc1123(set.at(&["metadata", "creationTimestamp"])),
    );
    out.field(0, "Selector", &selector);
    out.metadata(set);
    let (desired, total) = (number(spec, "replicas"), number(status, "replicas"));
    out.field(0, "Replicas", format!("{desired} desired | {total} total"));
    out.field(0, "Update Strategy", spec.str_at(&["updateStrategy", "type"]));
    let rolling = spec.at(&["updateStrategy", "rollingUpdate"]);
    if let Some(partition) = rolling.i64_at(&["partition"]) {
        out.field(1, "Partition", partition);
        if rolling.has("maxUnavailable") {
            out.field(1, "MaxUnavailable", int_or_text(rolling.get("maxUnavailable")));
        }
    }
    pods_status(out, &related.pods_of(set, &selector).await);
    template(out, spec.get("template"));
    claim_templates(out, spec.get("volumeClaimTemplates"));
    out.events(related.events(set).await);
}

pub(super) async fn job(related: &Related<'_>, out: &mut Out, job: &Value) {
    let (spec, status) = (job.get("spec"), job.get("status"));
    out.name(job);
    out.field(0, "Selector", selector_text(spec.get("selector")));
    out.metadata(job);
    out.field_if(0, "Controlled By", &controlled_by(job));
    if let Some(parallelism) = spec.i64_at(&["parallelism"]) {
        out.field(0, "Parallelism", parallelism);
    }
    out.field(0, "Completions", number_or_unset(spec.get("completions")));
    out.field_if(0, "Completion Mode", spec.get("completionMode").str());
    if let Some(suspend) = spec.get("suspend").as_bool() {
        out.field(0, "Suspend", suspend);
    }
    for (label, field) in [
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ] {
        if let Some(n) = spec.i64_at(&[field]) {
            out.field(0, label, n);
        }
    }
    let (start, end) = (status.get("startTime"), status.get("completionTime"));
    if !start.is_null() {
        out.field(0, "Start Time", rfc1123(start));
    }
    if !end.is_null() {
        out.field(0, "Completed At", rfc1123(end));
    }
    if let (Some(start), Some(end)) = (time(start), time(end)) {
        out.field(0, "Duration", human_duration(end.since(start).as_secs() as i64));
    }
    if let Some(seconds) = spec.i64_at(&["activeDeadlineSeconds"]) {
        out.field(0, "Active Deadline Seconds", format!("{seconds}s"));
    }
    let ready = status
        .i64_at(&["ready"])
        .map_or_else(String::new, |n| format!(" ({n} Ready)"));
    out.field(
        0,
        "Pods Statuses",
        format!(
            "{} Active{ready} / {} Succeeded / {} Failed",
            number(status, "active"),
            number(status, "succeeded"),
            number(status, "failed")
        ),
    );
    if spec.get("completionMode").str() == "Indexed" {
        out.field(0, "Completed Indexes", capped(status.get("completedIndexes").str()));
    }
    template(out, spec.get("template"));
    out.events(related.events(job).await);
}

/// A list of indexes, cut at the first comma after 50 characters.
fn capped(indexes: &str) -> String {
    const MOST: usize = 50;
    if indexes.is_empty() {
        return "<none>".to_owned();
    }
    let comma = indexes.bytes().skip(MOST).position(|b| b == b',').map(|i| i + MOST);
    match comma.and_then(|comma| indexes.get(..=comma)) {
        Some(head) => format!("{head}..."),
        None => indexes.to_owned(),
    }
}

/// A selector in the words of its parts; one that selects all, or none, has no words.
fn selector_text(selector: &Value) -> String {
    match format_selector(selector).as_str() {
        "<none>" => String::new(),
        text => text.to_owned(),
    }
}

pub(super) async fn cron_job(related: &Related<'_>, out: &mut Out, cron: &Value) {
    let (spec, status) = (cron.get("spec"), cron.get("status"));
    let job = spec.at(&["jobTemplate", "spec"]);
    out.name(cron);
    out.metadata(cron);
    out.field(0, "Schedule", spec.get("schedule").str());
    out.field(0, "Concurrency Policy", spec.get("concurrencyPolicy").str());
    out.field(0, "Suspend", flag(spec.get("suspend")));
    out.field(0, "Time Zone", or(spec.get("timeZone").str(), "<unset>"));
    out.field(
        0,
        "Successful Job History Limit",
        number_or_unset(spec.get("successfulJobsHistoryLimit")),
    );
    out.field(
        0,
        "Failed Job History Limit",
        number_or_unset(spec.get("failedJobsHistoryLimit")),
    );
    let deadline = spec.i64_at(&["startingDeadlineSeconds"]);
    out.field(
        0,
        "Starting Deadline Seconds",
        deadline.map_or_else(|| "<unset>".to_owned(), |s| format!("{s}s")),
    );
    let selector = if job.has("selector") {
        selector_text(job.get("selector"))
    } else {
        "<unset>".to_owned()
    };
    out.field(0, "Selector", selector);
    out.field(0, "Parallelism", number_or_unset(job.get("parallelism")));
    out.field(0, "Completions", number_or_unset(job.get("completions")));
    if let Some(seconds) = job.i64_at(&["activeDeadlineSeconds"]) {
        out.field(0, "Active Deadline Seconds", format!("{seconds}s"));
    }
    template(out, job.get("template"));
    let last = status.get("lastScheduleTime");
    out.field(
        0,
        "Last Schedule Time",
        if last.is_null() {
            "<unset>".to_owned()
        } else {
            rfc1123(last)
        },
    );
    let active: Vec<&str> = status
        .get("active")
        .items()
        .iter()
        .map(|j| j.get("name").str())
        .collect();
    out.field(0, "Active Jobs", or(&active.join(", "), "<none>"));
    out.events(related.events(cron).await);
}
