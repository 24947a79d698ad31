//! `kubectl replace`.

use super::builder::{self, Select, Target};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::delete::{Deletion, delete};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::get::{raw_request, raw_text};
use super::options::{DRY_RUN, FILES, SAVE_CONFIG, SUBRESOURCE, VALIDATE, field_manager};
use super::output::{PRINT, Report};
use crate::api::{Body, Method};
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag(
        "cascade",
        '\0',
        Kind::Str,
        "background",
        "As of kubectl delete, for --force.",
    )
    .or("background"),
    flag(
        "force",
        '\0',
        Kind::Bool,
        "false",
        "Delete the object and create it anew.",
    ),
    flag(
        "grace-period",
        '\0',
        Kind::Int,
        "-1",
        "As of kubectl delete, for --force.",
    ),
    flag("raw", '\0', Kind::Str, "", "Send the file in a PUT to this path."),
    flag(
        "timeout",
        '\0',
        Kind::Duration,
        "0s",
        "As of kubectl delete, for --force.",
    ),
    flag("wait", '\0', Kind::Bool, "false", "As of kubectl delete, for --force."),
];

pub static REPLACE: Verb = Verb {
    name: "replace",
    group: "Advanced Commands:",
    short: "Replace a resource by file name or stdin",
    long: "The file must hold the whole object.",
    examples: "# From a file\nkubectl replace -f web.yaml\n\n# Delete, and create anew\nkubectl replace --force -f web.yaml",
    usage: "kubectl replace -f FILENAME [options]",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        VALIDATE,
        &[field_manager("kubectl-replace")],
        SUBRESOURCE,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let force = cmd.flags.bool("force");
    if cmd.flags.int("grace-period") >= 0 && !force {
        return Err(Error::plain("--grace-period must have --force specified"));
    }
    if !cmd.flags.duration("timeout").is_zero() && !force {
        return Err(Error::plain("--timeout must have --force specified"));
    }
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let raw = cmd.flags.str("raw");
    if !raw.is_empty() {
        let docs = super::files::read(cmd).await?;
        Error::all(docs.errors)?;
        let body = docs.list.into_iter().next().map_or(Value::Null, |d| d.value);
        let request = raw_request(Method::Put, raw).body(Body::Value(body));
        cmd.out(raw_text(cmd.send(request).await?).await?);
        return Ok(());
    }
    let mut report = Report::new(cmd, "replaced")?;
    let write = Write::of(cmd, "kubectl-replace")?;
    let mut select = Select::of(cmd);
    select.validate = true;
    let targets = builder::targets(cmd, &select).await?;
    let mut errors = targets.errors;
    if targets.list.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to replace"));
    }
    let mut infos: Vec<_> = targets
        .list
        .into_iter()
        .filter_map(|t| match t {
            Target::Item(info) => Some(info),
            Target::List { .. } => None,
        })
        .collect();
    if force {
        if cmd.dry_run()? != DryRun::None {
            return Err(Error::plain("--dry-run can not be used when --force is set"));
        }
        let deletion = Deletion {
            grace: match cmd.flags.int("grace-period") {
                g if g >= 0 => g,
                _ => -1,
            },
            ignore_not_found: true,
            quiet: true,
            timeout: cmd.flags.duration("timeout"),
            ..Deletion::default()
        };
        delete(cmd, infos.clone(), Vec::new(), &deletion).await?;
    }
    for info in &mut infos {
        if cmd.flags.bool("save-config")
            || info
                .object
                .at(&["metadata", "annotations"])
                .has(super::apply::LAST_APPLIED)
        {
            super::apply::annotate(&mut info.object);
        }
        if cmd.dry_run()? == DryRun::Client {
            report.print(cmd, &info.object)?;
            continue;
        }
        let subresource = cmd.flags.str("subresource");
        let result = if force {
            cmd.create(&info.resource, &info.namespace, &info.object, &write).await
        } else {
            let (r, ns, name) = (&info.resource, &info.namespace, &info.name);
            cmd.replace(r, ns, name, subresource, &info.object, &write).await
        };
        match result {
            Ok(stored) => report.print(cmd, &stored)?,
            Err(e) => errors.push(e.when(&format!("error when replacing {:?}", info.source))),
        }
    }
    Error::all(errors)
}
