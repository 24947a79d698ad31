//! `kubectl rollout`: status, history, undo, pause, resume, restart.

use super::builder::{self, Info, Select};
use super::change::CHANGE_CAUSE;
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::follow::Following;
use super::options::{DRY_RUN, FILES, SELECTOR, field_manager};
use super::output::{self, PRINT, Printer, Report};
use super::print::TabWriter;
use crate::api::well_known::{self, DEPLOYMENT_REVISION};
use crate::api::{PatchType, Selector};
use crate::flat::{Arrange, Case};
use crate::obj;
use crate::sim::timeout;
use crate::value::{Value, quoted};

pub static ROLLOUT: Verb = Verb {
    name: "rollout",
    group: "Deploy Commands:",
    short: "Manage the rollout of a resource",
    subs: &[&HISTORY, &PAUSE, &RESUME, &UNDO, &STATUS, &RESTART],
    ..VERB
};

const REVISION: &[Flag] = &[flag("revision", '\0', Kind::Int, "0")];
const STATUS_FLAGS: &[Flag] = &[
    flag("timeout", '\0', Kind::Duration, "0s"),
    flag("watch", 'w', Kind::Bool, "true"),
];
const UNDO_FLAGS: &[Flag] = &[flag("to-revision", '\0', Kind::Int, "0")];

static HISTORY: Verb = Verb {
    name: "history",
    short: "View rollout history",
    flags: &[REVISION, FILES, SELECTOR, PRINT],
    run: Some(|c| Box::pin(history(c))),
    ..VERB
};
static PAUSE: Verb = Verb {
    name: "pause",
    short: "Mark the provided resource as paused",
    flags: &[FILES, SELECTOR, PRINT, &[field_manager("kubectl-rollout")]],
    run: Some(|c| Box::pin(pause(c))),
    ..VERB
};
static RESUME: Verb = Verb {
    name: "resume",
    short: "Resume a paused resource",
    flags: &[FILES, SELECTOR, PRINT, &[field_manager("kubectl-rollout")]],
    run: Some(|c| Box::pin(pause(c))),
    ..VERB
};
static UNDO: Verb = Verb {
    name: "undo",
    short: "Undo a previous rollout",
    flags: &[UNDO_FLAGS, FILES, SELECTOR, PRINT, DRY_RUN],
    run: Some(|c| Box::pin(undo(c))),
    ..VERB
};
static STATUS: Verb = Verb {
    name: "status",
    short: "Show the status of the rollout",
    flags: &[STATUS_FLAGS, REVISION, FILES, SELECTOR],
    run: Some(|c| Box::pin(status(c))),
    ..VERB
};
static RESTART: Verb = Verb {
    name: "restart",
    short: "Restart a resource",
    flags: &[FILES, SELECTOR, PRINT, &[field_manager("kubectl-rollout")]],
    run: Some(|c| Box::pin(restart(c))),
    ..VERB
};

const NO_RESOURCE: &str = "required resource not specified";

/// The workloads that the arguments name.
async fn find(cmd: &Cmd) -> Result<builder::Found, Error> {
    if cmd.args.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain(NO_RESOURCE));
    }
    let mut select = Select::of(cmd).bare_type();
    select.typed = true;
    builder::find(cmd, &select, true).await
}

/// A deployment's or another workload's state in a sentence, and whether it is done.
fn progress(info: &Info, object: &Value, revision: i64) -> Result<(String, bool), Error> {
    let name = info.name.as_str();
    let n = |path: &[&str]| object.i64_at(path).unwrap_or(0);
    let observed = n(&["metadata", "generation"]) <= n(&["status", "observedGeneration"]);
    let replicas = object.i64_at(&["spec", "replicas"]);
    match &*info.resource.kind {
        "Deployment" => {
            if revision > 0 {
                let at: i64 = object
                    .at(&["metadata", "annotations"])
                    .str_at(&[well_known::DEPLOYMENT_REVISION])
                    .parse()
                    .unwrap_or(0);
                if at != revision {
                    return Err(Error::plain(format!(
                        "desired revision ({revision}) is different from the running revision ({at})"
                    )));
                }
            }
            if !observed {
                return Ok(("Waiting for deployment spec update to be observed...\n".into(), false));
            }
            let conditions = object.at(&["status", "conditions"]).items();
            let late = conditions
                .iter()
                .any(|c| c.str_at(&["type"]) == "Progressing" && c.str_at(&["reason"]) == "ProgressDeadlineExceeded");
            if late {
                return Err(Error::plain(format!(
                    "deployment {name} exceeded its progress deadline",
                    name = quoted(&name)
                )));
            }
            let (updated, all, available) = (
                n(&["status", "updatedReplicas"]),
                n(&["status", "replicas"]),
                n(&["status", "availableReplicas"]),
            );
            let waiting = format!(
                "Waiting for deployment {name} rollout to finish: ",
                name = quoted(&name)
            );
            if let Some(wanted) = replicas.filter(|r| updated < *r) {
                return Ok((
                    format!("{waiting}{updated} out of {wanted} new replicas have been updated...\n"),
                    false,
                ));
            }
            if all > updated {
                return Ok((
                    format!("{waiting}{} old replicas are pending termination...\n", all - updated),
                    false,
                ));
            }
            if available < updated {
                return Ok((
                    format!("{waiting}{available} of {updated} updated replicas are available...\n"),
                    false,
                ));
            }
            Ok((
                format!("deployment {name} successfully rolled out\n", name = quoted(&name)),
                true,
            ))
        }
        "DaemonSet" => {
            if object.str_at(&["spec", "updateStrategy", "type"]) != "RollingUpdate" {
                return Err(Error::plain(
                    "rollout status is only available for RollingUpdate strategy type",
                ));
            }
            if !observed {
                return Ok(("Waiting for daemon set spec update to be observed...\n".into(), false));
            }
            let (updated, wanted, available) = (
                n(&["status", "updatedNumberScheduled"]),
                n(&["status", "desiredNumberScheduled"]),
                n(&["status", "numberAvailable"]),
            );
            let waiting = format!(
                "Waiting for daemon set {name} rollout to finish: ",
                name = quoted(&name)
            );
            if updated < wanted {
                return Ok((
                    format!("{waiting}{updated} out of {wanted} new pods have been updated...\n"),
                    false,
                ));
            }
            if available < wanted {
                return Ok((
                    format!("{waiting}{available} of {wanted} updated pods are available...\n"),
                    false,
                ));
            }
            Ok((
                format!("daemon set {name} successfully rolled out\n", name = quoted(&name)),
                true,
            ))
        }
        "StatefulSet" => {
            if object.str_at(&["spec", "updateStrategy", "type"]) != "RollingUpdate" {
                return Err(Error::plain(
                    "rollout status is only available for RollingUpdate strategy type",
                ));
            }
            if n(&["status", "observedGeneration"]) == 0 || !observed {
                return Ok(("Waiting for statefulset spec update to be observed...\n".into(), false));
            }
            let ready = n(&["status", "readyReplicas"]);
            if let Some(wanted) = replicas.filter(|r| ready < *r) {
                return Ok((format!("Waiting for {} pods to be ready...\n", wanted - ready), false));
            }
            let updated = n(&["status", "updatedReplicas"]);
            if let Some(partition) = object.i64_at(&["spec", "updateStrategy", "rollingUpdate", "partition"])
                && partition > 0
            {
                let wanted = replicas.unwrap_or(1) - partition;
                if updated < wanted {
                    return Ok((
                        format!(
                            "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated...\n"
                        ),
                        false,
                    ));
                }
                return Ok((
                    format!("partitioned roll out complete: {updated} new pods have been updated...\n"),
                    true,
                ));
            }
            let (update, current) = (
                object.str_at(&["status", "updateRevision"]),
                object.str_at(&["status", "currentRevision"]),
            );
            if update != current {
                return Ok((
                    format!(
                        "waiting for statefulset rolling update to complete {updated} pods at revision {update}...\n"
                    ),
                    false,
                ));
            }
            Ok((
                format!(
                    "statefulset rolling update complete {} pods at revision {current}...\n",
                    n(&["status", "currentReplicas"])
                ),
                true,
            ))
        }
        _ => Err(Error::plain(format!(
            "no status viewer has been implemented for {}",
            info.resource.group_kind()
        ))),
    }
}

/// What is said of a kind that has no histories: one that kubectl knows as a workload, or any other.
fn without(info: &Info, part: &str, does: &str) -> Error {
    let (kind, group) = (&*info.resource.kind, &*info.resource.group);
    let name = info.resource.group_kind();
    let workload = matches!(
        (group, kind),
        ("", "Pod" | "ReplicationController")
            | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job" | "CronJob")
    );
    Error::plain(match workload {
        true => format!("no {does} has been implemented for {name}", name = quoted(&name)),
        false => format!(
            "error retrieving {part} for {name}, no visitor method exists for {{{group} {kind}}}",
            name = quoted(&name)
        ),
    })
}

/// `--revision`.
fn revision(cmd: &Cmd) -> Result<i64, Error> {
    match cmd.flags.int("revision") {
        n if n < 0 => Err(Error::plain(format!("revision must be a positive integer: {n}"))),
        n => Ok(n),
    }
}

async fn status(cmd: &Cmd) -> Result<(), Error> {
    let revision = revision(cmd)?;
    let found = find(cmd).await?;
    none_found(cmd, &found);
    found.each(async |info| status_of(cmd, info, revision).await).await
}

async fn status_of(cmd: &Cmd, info: &Info, revision: i64) -> Result<(), Error> {
    progress(info, &info.object, revision)?;
    let limit = cmd.flags.duration("timeout");
    let wait = follow(cmd, info, revision);
    if limit.is_zero() {
        return wait.await;
    }
    timeout(cmd.sim(), limit, wait)
        .await
        .unwrap_or_else(|| Err(Error::plain("timed out waiting for the condition")))
}

/// Prints the state, and at each change again until the rollout is done.
async fn follow(cmd: &Cmd, info: &Info, revision: i64) -> Result<(), Error> {
    let mut following = Following::begin(cmd, info).await?;
    loop {
        match following.next().await? {
            Some(o) => {
                let (text, done) = progress(info, o.value(), revision)?;
                cmd.out(text);
                if done || !cmd.flags.bool("watch") {
                    return Ok(());
                }
            }
            None => return Err(Error::plain("object has been deleted")),
        }
    }
}

/// One version of a workload: its number, why it came to be.
struct Version {
    number: i64,
    cause: String,
    /// What `history -o yaml` prints: a deployment's replica set, or the workload as it was.
    object: Value,
}

impl Version {
    fn template(&self) -> &Value {
        self.object.at(&["spec", "template"])
    }
}

/// The versions that are kept of a workload, oldest first.
async fn versions(cmd: &Cmd, info: &Info) -> Result<Vec<Version>, Error> {
    if !matches!(&*info.resource.kind, "Deployment" | "DaemonSet" | "StatefulSet") {
        return Err(without(info, "history", "history viewer"));
    }
    // What looks for versions reads the workload by itself, and lists what fits its selector.
    let object = cmd.get(&info.resource, &info.namespace, &info.name).await?;
    let selector = Selector::from_label_selector(object.at(&["spec", "selector"])).to_string();
    let uid = info.object.str_at(&["metadata", "uid"]);
    let owned = |o: &Value| {
        o.at(&["metadata", "ownerReferences"])
            .items()
            .iter()
            .any(|r| r.bool_at(&["controller"]) && r.str_at(&["uid"]) == uid)
    };
    let mut list = Vec::new();
    match &*info.resource.kind {
        "Deployment" => {
            let resource = cmd.client.resource("apps", "v1", "replicasets")?;
            let sets = cmd.list(&resource, &info.namespace, &selector, "").await.map_err(|e| {
                Error::plain(format!(
                    "failed to retrieve replica sets from deployment {}: {}",
                    info.name,
                    e.message()
                ))
            })?;
            for rs in sets.get("items").items().iter().filter(|o| owned(o)) {
                let annotations = rs.at(&["metadata", "annotations"]);
                let Ok(number) = annotations.str_at(&[DEPLOYMENT_REVISION]).parse() else {
                    continue;
                };
                list.push(Version {
                    number,
                    object: rs.clone(),
                    cause: annotations.str_at(&[CHANGE_CAUSE]).to_owned(),
                });
            }
        }
        _ => {
            let resource = cmd.client.resource("apps", "v1", "controllerrevisions")?;
            let revisions = cmd.list(&resource, &info.namespace, &selector, "").await?;
            for r in revisions.get("items").items().iter().filter(|o| owned(o)) {
                // The workload as it was: a revision holds the parts that are its own.
                let mut object = info.object.clone();
                object.set(&["spec", "template"], r.at(&["data", "spec", "template"]).clone());
                // There it is a patch.
                object.remove(&["spec", "template", "$patch"]);
                list.push(Version {
                    object,
                    number: r.i64_at(&["revision"]).unwrap_or(0),
                    cause: r.at(&["metadata", "annotations"]).str_at(&[CHANGE_CAUSE]).to_owned(),
                });
            }
        }
    }
    list.arrange_by_key(|v| v.number);
    Ok(list)
}

async fn history(cmd: &Cmd) -> Result<(), Error> {
    let revision = revision(cmd)?;
    let found = find(cmd).await?;
    let mut printer = output::printer(cmd, output::FORMATS)?.map(Printer::typed);
    found
        .each(async |info| history_of(cmd, info, revision, printer.as_mut()).await)
        .await
}

async fn history_of(cmd: &Cmd, info: &Info, revision: i64, printer: Option<&mut Printer>) -> Result<(), Error> {
    let versions = versions(cmd, info).await?;
    if let Some(printer) = printer {
        let mut shown = versions
            .iter()
            .filter(|v| revision == 0 || v.number == revision)
            .peekable();
        if shown.peek().is_none() && revision > 0 {
            return Err(Error::plain("unable to find the specified revision"));
        }
        for version in shown {
            printer.print(cmd, &version.object)?;
        }
        return Ok(());
    }
    if revision > 0 {
        let Some(version) = versions.iter().find(|v| v.number == revision) else {
            return Err(Error::plain("unable to find the specified revision"));
        };
        let mut template = version.template().clone();
        if !version.cause.is_empty() {
            template.set(&["metadata", "annotations", CHANGE_CAUSE], version.cause.as_str());
        }
        cmd.say(format!("{} with revision #{revision}", info.display()));
        cmd.out(super::describe::pod_template(&template, cmd.sim().now()));
        cmd.out("\n");
        return Ok(());
    }
    cmd.say(format!("{} ", info.display()));
    if versions.is_empty() {
        cmd.say("No rollout history found.");
        return Ok(());
    }
    let mut writer = TabWriter::describe();
    writer.row(&["REVISION", "CHANGE-CAUSE"]);
    for v in &versions {
        let cause = if v.cause.is_empty() { "<none>" } else { &v.cause };
        writer.row(&[v.number.to_string().as_str(), cause]);
    }
    cmd.out(writer.flush());
    cmd.out("\n");
    Ok(())
}

async fn undo(cmd: &Cmd) -> Result<(), Error> {
    cmd.dry_run()?;
    let to = cmd.flags.int("to-revision");
    let found = find(cmd).await?;
    found.each(async |info| undo_one(cmd, info, to).await).await
}

async fn undo_one(cmd: &Cmd, info: &Info, to: i64) -> Result<(), Error> {
    let kind = info.resource.kind.lower();
    let object = &info.object;
    if object.at(&["metadata", "annotations"]).has(well_known::LAST_APPLIED) {
        cmd.warn(&format!(
            "resource {}/{} was previously managed with 'kubectl apply'. Rolling back will not update the {} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.",
            info.resource.name,
            info.name,
            well_known::LAST_APPLIED
        ));
    }
    if !matches!(kind.as_str(), "deployment" | "daemonset" | "statefulset") {
        return Err(without(info, "rollbacker", "rollbacker"));
    }
    let versions = versions(cmd, info).await?;
    let version = if to == 0 {
        let before = versions.len().checked_sub(2).and_then(|i| versions.get(i));
        before.ok_or_else(|| {
            Error::plain(match kind.as_str() {
                "deployment" => format!("no rollout history found for deployment {}", quoted(&info.name)),
                _ => "no last revision to roll back to".into(),
            })
        })?
    } else {
        versions
            .iter()
            .find(|v| v.number == to)
            .ok_or_else(|| Error::plain(format!("unable to find specified revision {to} in history")))?
    };
    let mut template = version.template().clone();
    if cmd.dry_run()? == DryRun::Client {
        let shown = super::describe::pod_template(&template, cmd.sim().now());
        let shown = match kind.as_str() {
            "deployment" => shown,
            _ => format!("will roll back to {shown}"),
        };
        return print(cmd, &shown, object);
    }
    template.remove(&["metadata", "labels", "pod-template-hash"]);
    if object.bool_at(&["spec", "paused"]) {
        return Err(Error::plain(format!(
            "you cannot rollback a paused {kind}; resume it first with 'kubectl rollout resume' and try again"
        )));
    }
    let mut now = object.at(&["spec", "template"]).clone();
    now.remove(&["metadata", "labels", "pod-template-hash"]);
    let mut plain = template.clone();
    plain.remove(&["metadata", "creationTimestamp"]);
    now.remove(&["metadata", "creationTimestamp"]);
    if now == plain {
        let said = format!("skipped rollback (current template already matches revision {to})");
        return print(cmd, &said, object);
    }
    // A deployment takes over the version's annotations, but for those that are the cluster's own.
    let mut patch = vec![obj! { "op": "replace", "path": "/spec/template", "value": template }];
    if kind == "deployment" {
        const KEPT: [&str; 6] = [
            well_known::LAST_APPLIED,
            DEPLOYMENT_REVISION,
            well_known::REVISION_HISTORY,
            well_known::DESIRED_REPLICAS,
            well_known::MAX_REPLICAS,
            "deprecated.deployment.rollback.to",
        ];
        let mut annotations = Value::map();
        for k in KEPT {
            if let Some(v) = object.at(&["metadata", "annotations"]).get(k).as_str() {
                annotations.map_mut().insert(k, v.into());
            }
        }
        for (k, v) in version.object.at(&["metadata", "annotations"]).entries() {
            if !KEPT.contains(&k.as_str()) {
                annotations.map_mut().insert(k.clone(), v.clone());
            }
        }
        patch.push(obj! { "op": "replace", "path": "/metadata/annotations", "value": annotations });
    }
    // It names no manager: the API server takes the program's name.
    let write = Write::of(cmd, "")?;
    let stored = cmd
        .patch(
            &info.resource,
            &info.namespace,
            &info.name,
            "",
            PatchType::Json,
            &Value::from(patch),
            &write,
        )
        .await?;
    print(cmd, "rolled back", &stored)
}

async fn pause(cmd: &Cmd) -> Result<(), Error> {
    let pausing = cmd.verb.name == "pause";
    let found = find(cmd).await?;
    none_found(cmd, &found);
    let mut errors = found.errors;
    let write = Write::of(cmd, "kubectl-rollout")?;
    for info in &found.infos {
        if &*info.resource.kind != "Deployment" {
            errors.push(Error::plain(format!(
                "error: {} {} {} is not supported",
                info.resource.qualified(),
                quoted(&info.name),
                if pausing { "pausing" } else { "resuming" }
            )));
            continue;
        }
        if info.object.bool_at(&["spec", "paused"]) == pausing {
            errors.push(Error::plain(format!(
                "error: {} {} is {} paused",
                info.resource.qualified(),
                quoted(&info.name),
                if pausing { "already" } else { "not" }
            )));
            continue;
        }
        let patch = obj! { "spec": obj! { "paused": if pausing { Value::Bool(true) } else { Value::Null } } };
        let stored = cmd.patch(
            &info.resource,
            &info.namespace,
            &info.name,
            "",
            PatchType::Merge,
            &patch,
            &write,
        );
        let done = if pausing { "paused" } else { "resumed" };
        let stored = stored.await.map_err(not_patched);
        errors.extend(stored.and_then(|stored| print(cmd, done, &stored)).err());
    }
    Error::all(errors)
}

/// Prints what was done to an object.
fn print(cmd: &Cmd, done: &str, object: &Value) -> Result<(), Error> {
    Report::new(cmd, done)?.typed().print(cmd, object)
}

/// What is said of a patch that the API server refused.
fn not_patched(e: Error) -> Error {
    Error::plain(format!("failed to patch: {}", e.message()))
}

/// Says it when a selector selects nothing.
fn none_found(cmd: &Cmd, found: &builder::Found) {
    if found.infos.is_empty() && found.errors.is_empty() {
        cmd.err(format!("No resources found in {} namespace.", cmd.namespace()));
    }
}

async fn restart(cmd: &Cmd) -> Result<(), Error> {
    let found = find(cmd).await?;
    none_found(cmd, &found);
    let mut errors = found.errors;
    let write = Write::of(cmd, "kubectl-rollout")?;
    for info in &found.infos {
        let what = format!("error: {} {}", info.resource.qualified(), quoted(&info.name));
        if !matches!(&*info.resource.kind, "Deployment" | "DaemonSet" | "StatefulSet") {
            errors.push(Error::plain(format!("{what} restarting is not supported")));
            continue;
        }
        if info.object.bool_at(&["spec", "paused"]) {
            errors.push(Error::plain(format!(
                "{what} can't restart paused deployment (run rollout resume first)"
            )));
            continue;
        }
        let mut patch = obj! {};
        let path = [
            "spec",
            "template",
            "metadata",
            "annotations",
            "kubectl.kubernetes.io/restartedAt",
        ];
        let now = cmd.sim().now().to_string();
        if info.object.at(&path).str() == now {
            errors.push(Error::plain(format!(
                "failed to create patch for {}: if restart has already been triggered within the past second, please \
                 wait before attempting to trigger another",
                info.name
            )));
            continue;
        }
        patch.set(&path, now);
        let stored = cmd.patch(
            &info.resource,
            &info.namespace,
            &info.name,
            "",
            PatchType::Merge,
            &patch,
            &write,
        );
        let stored = stored.await.map_err(not_patched);
        errors.extend(stored.and_then(|stored| print(cmd, "restarted", &stored)).err());
    }
    Error::all(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_progress() {
        let resource = crate::api::resource::built_in()
            .iter()
            .find(|r| &*r.name == "deployments")
            .unwrap()
            .clone();
        let info = Info {
            resource,
            namespace: "default".into(),
            name: "web".into(),
            source: String::new(),
            object: Value::Null,
        };
        let state = |updated: i64, all: i64, available: i64| {
            obj! {
                "metadata": obj! { "generation": 2 },
                "spec": obj! { "replicas": 3 },
                "status": obj! {
                    "observedGeneration": 2, "updatedReplicas": updated, "replicas": all, "availableReplicas": available,
                },
            }
        };
        for (state, said) in [
            (
                state(1, 4, 3),
                "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...\n",
            ),
            (
                state(3, 4, 3),
                "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...\n",
            ),
            (
                state(3, 3, 2),
                "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available...\n",
            ),
            (state(3, 3, 3), "deployment \"web\" successfully rolled out\n"),
        ] {
            assert_eq!(progress(&info, &state, 0).unwrap().0, said);
        }
    }
}
