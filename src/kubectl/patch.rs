//! `kubectl patch`.

use super::builder::{self, Select};
use super::change::{CHANGE_CAUSE, command_line};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DRY_RUN, FILES, RECORD, SUBRESOURCE, field_manager};
use super::output::{PRINT, Report};
use crate::api::patch::strategic::{self, json_kind};
use crate::api::{PatchType, Status, schema};
use crate::flat::Case;
use crate::value::{Value, quoted, yaml};

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
    let dry = cmd.dry_run()?;
    let local = cmd.flags.bool("local");
    let (inline, file) = (cmd.flags.str("patch"), cmd.flags.str("patch-file"));
    let refused = match (inline, file) {
        ("", "") => "must specify --patch or --patch-file containing the contents of the patch",
        _ if !inline.is_empty() && !file.is_empty() => "cannot specify --patch and --patch-file together",
        _ if local && !cmd.args.is_empty() => "cannot specify --local and server resources",
        _ if local && dry == DryRun::Server => {
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?"
        }
        _ => "",
    };
    if !refused.is_empty() {
        return Err(Error::plain(refused));
    }
    let kind = match cmd.flags.str("type").lower().as_str() {
        "json" => PatchType::Json,
        "merge" => PatchType::Merge,
        "strategic" | "" => PatchType::Strategic,
        other => {
            return Err(Error::plain(format!(
                "--type must be one of [json merge strategic], not {other}",
                other = quoted(&other)
            )));
        }
    };
    let text = match file {
        "" => inline.to_owned(),
        file => cmd
            .cx
            .read_file(file)
            .await
            .map_err(|e| Error::plain(format!("unable to read patch file: {}", e.reading(file))))?,
    };
    // What looks like an object of JSON is sent as it is.
    let patch = match Value::from_json(&text) {
        Ok(patch) => Ok(patch),
        Err(e) if text.trim_start().starts_with('{') => Err(match e.is_eof() {
            true => "unexpected end of JSON input".to_owned(),
            false => e.to_string(),
        }),
        Err(_) => Ok(yaml::decode(&text)
            .map_err(|e| Error::plain(format!("unable to parse {text}: {e}", text = quoted(&text))))?),
    };
    let subresource = cmd.flags.str("subresource");
    let select = Select {
        args: cmd.args.clone(),
        files: true,
        local,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, false).await?;
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
            let patch = patch.as_ref().map_err(|why| {
                Error::plain(match kind {
                    PatchType::Json => why,
                    PatchType::Merge => NO_MERGE_PATCH,
                    _ => NO_STRATEGIC_PATCH,
                })
            })?;
            let new = apply(kind, &info.object, patch)?;
            if new.str_at(&["kind"]).is_empty() {
                return Err(Error::plain(format!("Object 'Kind' is missing in '{}'", new.to_json())));
            }
            Report::bare(cmd, said(&info.object, &new))?.print(cmd, &new)?;
            continue;
        }
        let patch = patch
            .as_ref()
            .map_err(|why| Error::Status(Status::bad_request(why.as_str())))?;
        let stored = cmd.patch(
            &info.resource,
            &info.namespace,
            &info.name,
            subresource,
            kind,
            patch,
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

/// What the library for JSON merge patches (evanphx/json-patch) calls what is none.
const NO_MERGE_PATCH: &str = "Invalid JSON Patch";
/// What `strategicpatch` calls what is none.
const NO_STRATEGIC_PATCH: &str = "invalid JSON document";

/// An object with a patch applied by the client.
///
/// # Errors
/// A patch that does not fit, in the words of the libraries that kubectl is made of.
pub fn apply(kind: PatchType, object: &Value, patch: &Value) -> Result<Value, Error> {
    let version = object.str_at(&["apiVersion"]);
    match (kind, patch) {
        (PatchType::Json, Value::List(operations)) => json(object, operations),
        (PatchType::Json | PatchType::Strategic, Value::Null) => Ok(object.clone()),
        (PatchType::Json, other) => Err(Error::plain(format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            json_kind(other)
        ))),
        (PatchType::Strategic, _) => match schema::by_kind(version, object.str_at(&["kind"])) {
            Some(ty) => strategic::merge(object, patch, &ty).map_err(|e| match e {
                strategic::Error::Patch(why) | strategic::Error::Format(why) => Error::plain(why),
                strategic::Error::NoMap => Error::plain(NO_STRATEGIC_PATCH),
            }),
            None => Err(Error::plain(format!(
                "strategic merge patch is not supported for {}{version}, Kind={} locally, try --type merge",
                if version.contains('/') { "" } else { "/" },
                object.str_at(&["kind"])
            ))),
        },
        (_, Value::Map(_)) => Ok(super::apply::merge(object, patch)),
        (_, Value::List(_)) => Err(Error::plain(
            "json: cannot unmarshal array into Go value of type unstructured.detector",
        )),
        _ => Err(Error::plain(NO_MERGE_PATCH)),
    }
}

fn json(object: &Value, operations: &[Value]) -> Result<Value, Error> {
    for (i, operation) in operations.iter().enumerate() {
        if operation.as_map().is_none() {
            return Err(Error::plain(format!(
                "json: cannot unmarshal {} into Patch.{i} of type jsonpatch.Operation",
                json_kind(operation)
            )));
        }
        if !matches!(
            operation.get("op").str(),
            "add" | "remove" | "replace" | "move" | "test" | "copy"
        ) {
            return Err(Error::plain(format!(
                "invalid operation {}: unsupported operation",
                operation.to_json()
            )));
        }
    }
    crate::api::patch::json::apply_each(object, operations).map_err(|unfit| {
        let why = unfit.to_string();
        Error::plain(match why.split_once("doc is missing key: ") {
            Some((_, key)) => format!("Object to be patched is missing field ({key})"),
            None => why,
        })
    })
}
