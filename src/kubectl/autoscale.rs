//! `kubectl autoscale`.

use super::builder::{self, Select};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DRY_RUN, FILES, RECORD, SAVE_CONFIG, field_manager};
use super::output::{PRINT, Report};
use crate::api::quantity::Quantity;
use crate::obj;
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag(
        "cpu",
        '\0',
        Kind::Str,
        "",
        "The CPU to aim for: a percentage of the requests, or an amount.",
    ),
    flag(
        "cpu-percent",
        '\0',
        Kind::Int,
        "-1",
        "The CPU to aim for, in percent of the requests.",
    )
    .gone(
        "Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).",
    ),
    flag("max", '\0', Kind::Int, "-1", "The most pods."),
    flag(
        "memory",
        '\0',
        Kind::Str,
        "",
        "The memory to aim for: a percentage of the requests, or an amount.",
    ),
    flag("min", '\0', Kind::Int, "-1", "The least pods."),
    flag(
        "name",
        '\0',
        Kind::Str,
        "",
        "The autoscaler's name; the object's own by default.",
    ),
];

pub static AUTOSCALE: Verb = Verb {
    name: "autoscale",
    group: "Deploy Commands:",
    short: "Auto-scale a deployment, replica set, stateful set, or replication controller",
    examples: "  # Between two and five pods, at 80% of the requested CPU\n  kubectl autoscale deployment web --min=2 --max=5 --cpu=80%",
    usage: "kubectl autoscale (-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY] [options]",
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

fn metric(name: &str, text: &str) -> Result<Value, Error> {
    let target = match text.strip_suffix('%') {
        Some(p) => {
            let n = p
                .parse::<i64>()
                .map_err(|_| Error::plain(format!("invalid {name} percentage: {text}")))?;
            obj! { "averageUtilization": n, "type": "Utilization" }
        }
        None => {
            let q = Quantity::parse(text).map_err(|why| Error::plain(format!("invalid {name} quantity: {why}")))?;
            obj! { "averageValue": q.to_string(), "type": "AverageValue" }
        }
    };
    Ok(obj! { "resource": obj! { "name": name, "target": target }, "type": "Resource" })
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
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
    let select = Select {
        args: cmd.args.clone(),
        files: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    let mut report = Report::new(cmd, "autoscaled")?.typed(cmd);
    for info in &found.infos {
        let kind = &*info.resource.kind;
        if !matches!(
            kind,
            "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController"
        ) {
            return Err(Error::plain(format!(
                "cannot autoscale a {kind}: the server could not find the requested resource"
            )));
        }
        let mut metrics = Vec::new();
        if cmd.flags.has("cpu-percent") && cmd.flags.int("cpu-percent") >= 0 {
            metrics.push(metric("cpu", &format!("{}%", cmd.flags.int("cpu-percent")))?);
        }
        for name in ["cpu", "memory"] {
            let text = cmd.flags.str(name);
            if !text.is_empty() {
                metrics.push(metric(name, text)?);
            }
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
        if min >= 0 {
            hpa.set(&["spec", "minReplicas"], min);
        }
        let nothing = metrics.is_empty();
        hpa.set_or_remove(&["spec", "metrics"], metrics);
        if cmd.flags.bool("save-config") {
            super::apply::annotate_typed(&mut hpa);
        }
        if cmd.dry_run()? == DryRun::Client {
            if cmd.namespace_given() {
                hpa.set(&["metadata", "namespace"], cmd.namespace());
            }
            report.print(cmd, &hpa)?;
            continue;
        }
        if nothing {
            return Err(Error::plain(
                "failed to create autoscaling/v2 HPA and the configuration is incompatible with autoscaling/v1: empty input",
            ));
        }
        let resource = cmd.client.resource("autoscaling", "v2", "horizontalpodautoscalers")?;
        let write = Write::of(cmd, "kubectl-autoscale")?;
        let stored = cmd.create(&resource, &info.namespace, &hpa, &write).await?;
        report.print(cmd, &stored)?;
    }
    Ok(())
}
