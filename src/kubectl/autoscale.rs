//! `kubectl autoscale`.

use super::builder::{self, Found, Select};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DRY_RUN, FILES, RECORD, SAVE_CONFIG, field_manager};
use super::output::{PRINT, Report};
use crate::api::Resource;
use crate::api::quantity::Quantity;
use crate::obj;
use crate::value::{Value, float};

const FLAGS: &[Flag] = &[
    flag("cpu", '\0', Kind::Str, ""),
    flag("cpu-percent", '\0', Kind::Int32, "-1").gone(
        "Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).",
    ),
    flag("max", '\0', Kind::Int32, "-1"),
    flag("memory", '\0', Kind::Str, ""),
    flag("min", '\0', Kind::Int32, "-1"),
    flag("name", '\0', Kind::Str, ""),
];

pub static AUTOSCALE: Verb = Verb {
    name: "autoscale",
    group: "Deploy Commands:",
    short: "Auto-scale a deployment, replica set, stateful set, or replication controller",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        &[field_manager("kubectl-autoscale")],
        RECORD,
    ],
    required: &["max"],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// What a metric is to reach: `70%` of what was asked for, or an amount, whose unit without one is the default.
fn metric(name: &str, text: &str) -> Result<Value, Error> {
    let text = text.trim();
    let target = match text.strip_suffix('%') {
        Some(p) => match p.parse::<i32>() {
            Ok(n) if n >= 0 => obj! { "averageUtilization": i64::from(n), "type": "Utilization" },
            _ => return Err(Error::plain(format!("invalid percentage value: {p}"))),
        },
        None => {
            let bare = float::parse(text).is_some();
            let unit = match (bare, name) {
                (false, _) => "",
                (true, "cpu") => "m",
                (true, _) => "Mi",
            };
            let q = Quantity::parse(&format!("{text}{unit}"))
                .map_err(|_| Error::plain(format!("invalid resource {name} value: {text}")))?;
            obj! { "averageValue": q.to_string(), "type": "AverageValue" }
        }
    };
    Ok(obj! { "resource": obj! { "name": name, "target": target }, "type": "Resource" })
}

/// Whether an object of this resource has a scale: the server's discovery lists one.
fn has_scale(cmd: &Cmd, of: &Resource) -> bool {
    let scale = format!("{}/scale", of.name);
    cmd.resources()
        .iter()
        .any(|r| r.group == of.group && r.version == of.version && *r.name == scale)
}

/// Whether the older API, which knows only a percentage of the CPU, could say the same.
fn fits_v1(cmd: &Cmd) -> Result<bool, Error> {
    let cpu = cmd.flags.str("cpu");
    if cpu.trim().is_empty() {
        return Err(Error::plain("empty input"));
    }
    metric("cpu", cpu)?;
    let percent = cmd.flags.has("cpu-percent") && cmd.flags.int("cpu-percent") >= 0;
    Ok(cmd.flags.str("memory").is_empty() && (percent || cpu.trim().ends_with('%')))
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let (min, max) = (cmd.flags.int("min"), cmd.flags.int("max"));
    if max < 1 {
        return Err(Error::plain(format!(
            "--max=MAXPODS is required and must be at least 1, max: {max}"
        )));
    }
    if max < min {
        return Err(Error::plain(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"
        )));
    }
    let percent = cmd.flags.int("cpu-percent");
    let percent = (cmd.flags.has("cpu-percent") && percent > 0).then(|| format!("{percent}%"));
    if percent.is_some() && cmd.flags.has("cpu") {
        return Err(Error::plain("--cpu-percent and --cpu are mutually exclusive"));
    }
    let mut metrics = Vec::new();
    if let Some(percent) = percent {
        metrics.push(metric("cpu", &percent)?);
    }
    for name in ["cpu", "memory"] {
        let text = cmd.flags.str(name);
        if !text.is_empty() {
            metrics.push(metric(name, text)?);
        }
    }
    let select = Select {
        args: cmd.args.clone(),
        files: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, false).await?;
    let mut errors = Vec::new();
    let dry = cmd.dry_run()?;
    let mut report = Report::new(cmd, if dry == DryRun::Client { "created" } else { "autoscaled" })?.typed();
    let mut count = 0;
    for (i, info) in found.infos.iter().enumerate() {
        let kind = &*info.resource.kind;
        if !has_scale(cmd, &info.resource) {
            let said = format!(
                "cannot autoscale a {kind}: could not find scale subresource for {}, Resource={} in discovery \
                 information",
                info.resource.group_version(),
                info.resource.name
            );
            errors.push((i, Error::plain(said)));
            continue;
        }
        let name = match cmd.flags.str("name") {
            "" => info.name.as_str(),
            given => given,
        };
        let mut hpa = obj! {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": obj! { "name": name },
            "spec": obj! {
                "maxReplicas": max,
                "scaleTargetRef": obj! {
                    "apiVersion": info.resource.api_version(), "kind": kind, "name": info.name.as_str(),
                },
            },
            "status": obj! { "currentMetrics": Value::Null, "desiredReplicas": 0 },
        };
        if min > 0 {
            hpa.set(&["spec", "minReplicas"], min);
        }
        hpa.set_or_remove(&["spec", "metrics"], metrics.clone());
        if cmd.namespace_given() {
            hpa.set(&["metadata", "namespace"], cmd.namespace());
        }
        count += 1;
        if dry == DryRun::Client {
            report.print(cmd, &hpa)?;
            continue;
        }
        if cmd.flags.bool("save-config") {
            super::apply::annotate_typed(&mut hpa);
        }
        let resource = cmd.client.resource("autoscaling", "v2", "horizontalpodautoscalers")?;
        let write = Write::of(cmd, "kubectl-autoscale")?;
        match cmd.create(&resource, &cmd.namespace(), &hpa, &write).await {
            Ok(stored) => report.print(cmd, &stored)?,
            // kubectl then tries the older API, whose answer is the same.
            Err(e) => {
                let e = match fits_v1(cmd) {
                    Ok(true) => e,
                    other => Error::plain(format!(
                        "failed to create autoscaling/v2 HPA and the configuration is incompatible with \
                         autoscaling/v1: {}",
                        other.map_or_else(|e| e.message(), |_| "%!w(<nil>)".to_owned())
                    )),
                };
                errors.push((i, e));
            }
        }
    }
    let errors = Found::told(found.errors, &found.places, errors);
    if count == 0 && errors.is_empty() {
        return Err(Error::plain("no objects passed to autoscale"));
    }
    Error::all(errors)
}
