//! `kubectl patch`.

use super::builder::{self, Select};
use super::change::{CHANGE_CAUSE, command_line};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DRY_RUN, FILES, RECORD, SUBRESOURCE, field_manager};
use super::output::{PRINT, Report};
use crate::api::{PatchType, schema};
use crate::flat::Case;
use crate::value::{Value, yaml};

const FLAGS: &[Flag] = &[
    flag("local", '\0', Kind::Bool, "false"),
    flag("patch", 'p', Kind::Str, ""),
    flag("patch-file", '\0', Kind::Str, ""),
    flag("type", '\0', Kind::Str, "strategic"),
];

pub static PATCH: Verb = Verb {
    name: "patch",
    group: "Advanced Commands:",
    short: "Update fields of a resource",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-patch")],
        RECORD,
        SUBRESOURCE,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.dry_run()?;
    let text = match (cmd.flags.str("patch"), cmd.flags.str("patch-file")) {
        ("", "") => {
            return Err(Error::plain(
                "must specify --patch or --patch-file containing the contents of the patch",
            ));
        }
        (p, "") => p.to_owned(),
        ("", file) => cmd
            .cx
            .read_file(file)
            .await
            .map_err(|e| Error::plain(format!("unable to read patch file: {}", e.reading(file))))?,
        _ => {
            return Err(Error::plain("cannot specify --patch and --patch-file together"));
        }
    };
    let kind = match cmd.flags.str("type").lower().as_str() {
        "json" => PatchType::Json,
        "merge" => PatchType::Merge,
        "strategic" | "" => PatchType::Strategic,
        other => {
            return Err(Error::plain(format!(
                "--type must be one of [json merge strategic], not {other:?}"
            )));
        }
    };
    if cmd.flags.bool("local") && !cmd.args.is_empty() {
        return Err(Error::plain("cannot specify --local and server resources"));
    }
    let trimmed = text.trim_start();
    let json = trimmed.starts_with('{') || trimmed.starts_with('[');
    let patch = if json {
        Value::from_json(&text).map_err(|e| {
            let said = if e.is_eof() {
                "unexpected end of JSON input".to_owned()
            } else {
                e.to_string()
            };
            Error::Status(crate::api::Status::bad_request(said))
        })?
    } else {
        yaml::decode(&text).map_err(|e| Error::plain(format!("unable to parse {text:?}: {e}")))?
    };
    let subresource = cmd.flags.str("subresource");
    let local = cmd.flags.bool("local");
    let dry = cmd.dry_run()?;
    let select = Select {
        args: cmd.args.clone(),
        files: true,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, !local).await?;
    let mut errors = found.errors;
    if found.infos.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to patch"));
    }
    let write = Write::of(cmd, "kubectl-patch")?;
    for info in &found.infos {
        let said = |old: &Value, new: &Value| {
            if old == new { "patched (no change)" } else { "patched" }
        };
        if local || dry == DryRun::Client {
            let new = apply(kind, &info.object, &patch)?;
            Report::bare(cmd, said(&info.object, &new))?.print(cmd, &new)?;
            continue;
        }
        let stored = cmd.patch(
            &info.resource,
            &info.namespace,
            &info.name,
            subresource,
            kind,
            &patch,
            &write,
        );
        let stored = match stored.await {
            Ok(stored) => stored,
            Err(Error::Status(s)) if s.code() == 415 => {
                errors.push(Error::plain(format!(
                    "{} is not supported by {}, Kind={}: {}",
                    kind.media_type(),
                    info.resource.group_version(),
                    info.resource.kind,
                    s.message()
                )));
                continue;
            }
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        if cmd.flags.bool("record") {
            let mut cause = Value::map();
            cause.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
            cmd.patch(
                &info.resource,
                &info.namespace,
                &info.name,
                "",
                PatchType::Merge,
                &cause,
                &write,
            )
            .await?;
        }
        // What was done is said without whether the run is dry, as kubectl does.
        Report::bare(cmd, said(&info.object, &stored))?.print(cmd, &stored)?;
    }
    Error::all(errors)
}

/// An object with a patch applied by the client.
///
/// # Errors
/// A patch that does not fit.
pub fn apply(kind: PatchType, object: &Value, patch: &Value) -> Result<Value, Error> {
    match kind {
        PatchType::Json => Ok(crate::api::patch::json::apply(object, patch)?),
        PatchType::Strategic => {
            let ty = schema::by_kind(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
            match ty {
                Some(ty) => crate::api::patch::strategic::merge(object, patch, &ty)
                    .map_err(|_| Error::plain("the patch does not fit the object's type")),
                None => Ok(super::apply::merge(object, patch)),
            }
        }
        _ => Ok(super::apply::merge(object, patch)),
    }
}
