//! `kubectl create job` and `kubectl create cronjob`.

use super::{GENERATOR, generate, one_name};
use crate::kubectl::builder::{self, Select};
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::value::Value;
use crate::{list, obj};

const JOB_FLAGS: &[Flag] = &[flag("from", '\0', Kind::Str, ""), flag("image", '\0', Kind::Str, "")];

pub static JOB: Verb = Verb {
    name: "job",
    short: "Create a job with the specified name",
    flags: &[
        JOB_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(job(c))),
    ..VERB
};

fn container(cmd: &Cmd, name: &str) -> Value {
    let mut c = obj! { "image": cmd.flags.str("image"), "name": name, "resources": obj! {} };
    let words = cmd.args.get(1..).unwrap_or_default();
    c.set_or_remove(
        &["command"],
        words.iter().map(|w| Value::from(w.as_str())).collect::<Value>(),
    );
    c
}

async fn job(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let (image, from) = (cmd.flags.str("image"), cmd.flags.str("from"));
    if image.is_empty() == from.is_empty() {
        return Err(Error::plain("either --image or --from must be specified"));
    }
    if !from.is_empty() && cmd.args.len() > 1 {
        return Err(Error::plain("cannot specify --from and command"));
    }
    let object = if from.is_empty() {
        obj! {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": obj! { "name": name.as_str() },
            "spec": obj! {
                "template": obj! {
                    "metadata": obj! {},
                    "spec": obj! { "containers": list![container(cmd, &name)], "restartPolicy": "Never" },
                },
            },
            "status": obj! {},
        }
    } else {
        let select = Select {
            args: vec![from.to_owned()],
            ..Select::default()
        };
        let found = builder::find(cmd, &select, true).await?;
        Error::all(found.errors)?;
        let info = found
            .infos
            .into_iter()
            .next()
            .ok_or_else(|| Error::plain("from must be an existing cronjob"))?;
        crate::kubectl::builder::known_kind(cmd, &info.resource)?;
        if &*info.resource.kind != "CronJob" {
            return Err(Error::plain(format!(
                "unknown object type *{}.{}",
                info.resource.version, info.resource.kind
            )));
        }
        let template = info.object.at(&["spec", "jobTemplate"]);
        let mut annotations = template.at(&["metadata", "annotations"]).clone();
        annotations
            .map_mut()
            .insert("cronjob.kubernetes.io/instantiate", "manual".into());
        let mut object = obj! {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": obj! {
                "annotations": annotations,
                "name": name.as_str(),
                "ownerReferences": list![obj! {
                    "apiVersion": "batch/v1",
                    "controller": true,
                    "kind": "CronJob",
                    "name": info.name.as_str(),
                    "uid": info.object.at(&["metadata", "uid"]),
                }],
            },
            "spec": template.get("spec"),
            "status": obj! {},
        };
        object.set_or_remove(&["metadata", "labels"], template.at(&["metadata", "labels"]));
        object
    };
    generate(cmd, object, "failed to create job").await
}

const CRON_FLAGS: &[Flag] = &[
    flag("image", '\0', Kind::Str, ""),
    flag("restart", '\0', Kind::Str, ""),
    flag("schedule", '\0', Kind::Str, ""),
];

pub static CRON_JOB: Verb = Verb {
    name: "cronjob",
    aliases: &["cj"],
    short: "Create a cron job with the specified name",
    flags: &[
        CRON_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    required: &["image", "schedule"],
    run: Some(|c| Box::pin(cron_job(c))),
    ..VERB
};

async fn cron_job(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let restart = match cmd.flags.str("restart") {
        "" => "OnFailure",
        given => given,
    };
    let object = obj! {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": obj! { "name": name.as_str() },
        "spec": obj! {
            "jobTemplate": obj! {
                "metadata": obj! { "name": name.as_str() },
                "spec": obj! {
                    "template": obj! {
                        "metadata": obj! {},
                        "spec": obj! { "containers": list![container(cmd, &name)], "restartPolicy": restart },
                    },
                },
            },
            "schedule": cmd.flags.str("schedule"),
        },
        "status": obj! {},
    };
    generate(cmd, object, "failed to create cronjob").await
}
