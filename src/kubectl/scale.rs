//! `kubectl scale`.

use super::builder::{self, Select};
use super::change::{CHANGE_CAUSE, command_line};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL, DRY_RUN, FILES, RECORD, SELECTOR};
use super::output::{PRINT, Report};
use crate::api::PatchType;
use crate::obj;
use crate::value::quoted;
use std::time::Duration;

const FLAGS: &[Flag] = &[
    flag("current-replicas", '\0', Kind::Int, "-1"),
    flag("replicas", '\0', Kind::Int, "0"),
    flag("resource-version", '\0', Kind::Str, ""),
    flag("timeout", '\0', Kind::Duration, "0s"),
];

pub static SCALE: Verb = Verb {
    name: "scale",
    group: "Deploy Commands:",
    short: "Set a new size for a deployment, replica set, or replication controller",
    flags: &[FLAGS, FILES, SELECTOR, ALL, PRINT, DRY_RUN, RECORD],
    required: &["replicas"],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let replicas = cmd.flags.int("replicas");
    if replicas < 0 {
        return Err(Error::plain(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    let expected = cmd.flags.int("current-replicas");
    if cmd.flags.has("current-replicas") && expected < -1 {
        return Err(Error::plain(
            "The --current-replicas must specify an integer of -1 or greater",
        ));
    }
    let found = builder::find(cmd, &Select::of(cmd).all_of_bare_type(), false).await?;
    let version = cmd.flags.str("resource-version");
    if !version.is_empty() && found.infos.len() > 1 {
        return Err(Error::plain("cannot use --resource-version with multiple resources"));
    }
    if found.infos.is_empty() {
        Error::all(found.errors)?;
        return Err(Error::plain("no objects passed to scale"));
    }
    let mut report = Report::new(cmd, "scaled")?;
    // It names no manager: the API server takes the program's name.
    let write = Write::of(cmd, "")?;
    for info in &found.infos {
        if cmd.dry_run()? != DryRun::Client {
            one(cmd, info, replicas, expected, version, &write).await?;
        }
        // What is printed is the object as it was read, with the new number where its kind keeps it.
        let mut shown = info.object.clone();
        if matches!(&*info.resource.group, "" | "apps") {
            shown.set(&["spec", "replicas"], replicas);
        }
        report.print(cmd, &shown)?;
    }
    Error::all(found.errors)
}

async fn one(
    cmd: &Cmd,
    info: &builder::Info,
    replicas: i64,
    expected: i64,
    version: &str,
    write: &Write,
) -> Result<(), Error> {
    let path = format!(
        "{}/scale",
        crate::api::client::item(&info.resource, &info.namespace, &info.name)
    );
    if cmd.flags.has("current-replicas") && expected >= 0 || !version.is_empty() {
        let scale = cmd.send(crate::api::Request::get(path.as_str())).await?.value();
        let now = scale.i64_at(&["spec", "replicas"]).unwrap_or(0);
        if expected >= 0 && now != expected {
            return Err(Error::plain(format!("Expected replicas to be {expected}, was {now}")));
        }
        let at = scale.str_at(&["metadata", "resourceVersion"]);
        if !version.is_empty() && at != version {
            return Err(Error::plain(format!(
                "Expected resource version to be {version}, was {at}"
            )));
        }
    }
    let patch = obj! { "spec": obj! { "replicas": replicas } };
    cmd.patch(
        &info.resource,
        &info.namespace,
        &info.name,
        "scale",
        PatchType::Merge,
        &patch,
        write,
    )
    .await?;
    if cmd.flags.bool("record") {
        let mut cause = obj! {};
        cause.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
        cmd.patch(
            &info.resource,
            &info.namespace,
            &info.name,
            "",
            PatchType::Merge,
            &cause,
            write,
        )
        .await?;
    }
    let limit = cmd.flags.duration("timeout");
    if !limit.is_zero() && !write.dry_run {
        let end = cmd.sim().now() + limit;
        loop {
            // Who asks for another number meanwhile ends it as well.
            let scale = cmd.send(crate::api::Request::get(path.as_str())).await?.value();
            let number = |part: &str| scale.i64_at(&[part, "replicas"]).unwrap_or(0);
            if number("spec") != replicas || number("status") == replicas {
                break;
            }
            if cmd.sim().now() >= end {
                return Err(Error::plain(format!(
                    "timed out waiting for {} to be synced",
                    quoted(&info.name)
                )));
            }
            cmd.sim()
                .sleep(Duration::from_secs(1).min(end.since(cmd.sim().now())))
                .await;
        }
    }
    Ok(())
}
