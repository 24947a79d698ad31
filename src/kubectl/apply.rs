//! `kubectl apply`: creates what is missing, and patches what differs from the last application.

use super::builder::{self, Info, Select, Target};
use super::command::{Cmd, DryRun, VERB, Verb, Write, scope};
use super::error::Error;
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::options::{ALL, DRY_RUN, FIELD_MANAGER, FILES, RECORD, SELECTOR, VALIDATE};
use super::output::{PRINT, Report};
use crate::api::{PatchType, Resource};
use crate::value::{Map, Value, gojson};

/// The annotation that keeps what was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const FLAGS: &[Flag] = &[
    flag(
        "cascade",
        '\0',
        Kind::Str,
        "background",
        "As of kubectl delete, for --prune and --force.",
    )
    .or("background"),
    flag(
        "force",
        '\0',
        Kind::Bool,
        "false",
        "Delete and create anew what cannot be patched.",
    ),
    flag(
        "force-conflicts",
        '\0',
        Kind::Bool,
        "false",
        "Take fields over from other managers in a server-side apply.",
    ),
    flag(
        "grace-period",
        '\0',
        Kind::Int,
        "-1",
        "As of kubectl delete, for --prune and --force.",
    ),
    flag(
        "openapi-patch",
        '\0',
        Kind::Bool,
        "true",
        "Use the API's schema to compute patches.",
    )
    .but(NOT_SIMULATED),
    flag(
        "overwrite",
        '\0',
        Kind::Bool,
        "true",
        "Resolve conflicts by what is applied.",
    )
    .but(NOT_SIMULATED),
    flag(
        "prune",
        '\0',
        Kind::Bool,
        "false",
        "Delete what was applied before with the same labels and is in the files no longer.",
    ),
    flag(
        "prune-allowlist",
        '\0',
        Kind::Array,
        "[]",
        "Types to prune: group/version/Kind.",
    ),
    flag("server-side", '\0', Kind::Bool, "false", "Let the API server merge."),
    flag(
        "timeout",
        '\0',
        Kind::Duration,
        "0s",
        "As of kubectl delete, for --prune and --force.",
    ),
    flag(
        "wait",
        '\0',
        Kind::Bool,
        "false",
        "As of kubectl delete, for --prune and --force.",
    ),
];

pub static APPLY: Verb = Verb {
    name: "apply",
    group: "Advanced Commands:",
    short: "Apply a configuration to a resource by file name or stdin",
    long: "Creates the objects of the files that are not there yet and changes those that are, so that each field the files name has the value they give, fields that the files named before and no longer name are gone, and all others stay.",
    examples: "  # What a file describes\n  kubectl apply -f web.yaml\n\n  # From standard input\n  cat web.yaml | kubectl apply -f -",
    usage: "kubectl apply (-f FILENAME | -k DIRECTORY) [options]",
    flags: &[
        FLAGS,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        VALIDATE,
        FIELD_MANAGER,
        RECORD,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        if !cmd.args.is_empty() {
            return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
        }
        return Err(Error::plain("must specify one of -f and -k"));
    }
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    }
    let mut report = Report::new(cmd, "configured")?;
    let mut select = Select::of(cmd);
    select.validate = true;
    let targets = builder::targets(cmd, &select).await?;
    let mut errors = targets.errors;
    if targets.list.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to apply"));
    }
    let mut done = Vec::new();
    for target in targets.list {
        let Target::Item(info) = target else { continue };
        match one(cmd, &info).await {
            Ok((object, operation)) => {
                if report.has_format() && !matches!(cmd.flags.str("output"), "name") {
                    done.push(object);
                } else {
                    report.print_as(cmd, &object, operation)?;
                }
            }
            Err(e) => errors.push(e),
        }
    }
    match done.as_slice() {
        [] => {}
        [one] => report.print(cmd, one)?,
        _ => report.print(cmd, &super::print::object::list(done))?,
    }
    Error::all(errors)
}

/// Applies one object: what it is then, and what was done.
async fn one(cmd: &Cmd, info: &Info) -> Result<(Value, &'static str), Error> {
    let generate_name = info.object.str_at(&["metadata", "generateName"]);
    if info.name.is_empty() && !generate_name.is_empty() {
        return Err(Error::plain(format!(
            "from {generate_name}: cannot use generate name with apply"
        )));
    }
    let Info {
        resource,
        namespace,
        name,
        source,
        ..
    } = info;
    let dry = cmd.dry_run()?;
    let write = Write::of(cmd, "kubectl-client-side-apply")?;
    let about = |what: &str| {
        let version = if resource.group.is_empty() {
            format!("/{}", resource.version)
        } else {
            resource.api_version()
        };
        format!(
            "{what}:\nResource: \"{version}, Resource={}\", GroupVersionKind: \"{version}, Kind={}\"\nName: {name:?}, Namespace: {namespace:?}",
            resource.name, resource.kind
        )
    };
    if name.is_empty() {
        return Err(Error::plain(format!(
            "{}\nfrom server for: {source:?}: resource name may not be empty",
            about("error when retrieving current configuration of")
        )));
    }
    let mut modified = info.object.clone();
    annotate(&mut modified);
    let current = match cmd.get(resource, namespace, name).await {
        Ok(current) => current,
        Err(e) if e.is_not_found() => {
            let mut made = modified;
            if dry != DryRun::Client {
                made = cmd
                    .create(resource, scope(resource, namespace), &made, &write)
                    .await
                    .map_err(|e| e.when(&format!("error when creating {source:?}")))?;
            }
            return Ok((made, "created"));
        }
        Err(e) => {
            return Err(e.when(&format!(
                "{}\nfrom server for: {source:?}",
                about("error when retrieving current configuration of")
            )));
        }
    };
    let last = current
        .at(&["metadata", "annotations"])
        .str_at(&[LAST_APPLIED])
        .to_owned();
    if last.is_empty() && dry != DryRun::Client {
        cmd.warn(&format!(
            "resource {}/{name} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl \
             apply should only be used on resources created declaratively by either kubectl create --save-config or \
             kubectl apply. The missing annotation will be patched automatically.",
            resource.name
        ));
    }
    let original = Value::from_json(&last).unwrap_or_default();
    let (kind, patch) = difference(resource, &original, &modified, &current);
    if patch.is_empty() {
        return Ok((current, "unchanged"));
    }
    if dry == DryRun::Client {
        return Ok((merge(&current, &patch), "configured"));
    }
    let patched = cmd
        .patch(resource, namespace, name, "", kind, &patch, &write)
        .await
        .map_err(|e| {
            let what = format!(
                "error when applying patch:\n{}\nto:\n{}\nfor: {source:?}",
                gojson::compact(&patch, false),
                about("").trim_start_matches(":\n")
            );
            match &e {
                Error::Status(s) if s.reason() == "Invalid" => e,
                _ => e.when(&what),
            }
        })?;
    let same = patched.str_at(&["metadata", "resourceVersion"]) == current.str_at(&["metadata", "resourceVersion"]);
    Ok((patched, if same { "unchanged" } else { "configured" }))
}

/// Writes the annotation of what is applied into the object.
pub fn annotate(object: &mut Value) {
    let mut plain = object.clone();
    if !plain.at(&["metadata", "annotations"]).is_null() {
        plain
            .at_mut(&["metadata", "annotations"])
            .map_mut()
            .remove(LAST_APPLIED);
    } else {
        plain.set(&["metadata", "annotations"], Value::map());
    }
    let text = gojson::compact(&plain, false) + "\n";
    object.set(&["metadata", "annotations", LAST_APPLIED], text);
}

/// The patch that makes `current` what `modified` says, given what was applied before.
pub fn difference(_resource: &Resource, original: &Value, modified: &Value, current: &Value) -> (PatchType, Value) {
    (PatchType::Merge, three_way(original, modified, current))
}

/// A JSON merge patch with the additions and changes of `modified` against `current`, and the
/// deletions of `modified` against `original`.
fn three_way(original: &Value, modified: &Value, current: &Value) -> Value {
    let mut patch = Map::new();
    for (k, wanted) in modified.entries() {
        let now = current.get(k.as_str());
        match (wanted, now) {
            (Value::Map(_), Value::Map(_)) => {
                let inner = three_way(original.get(k.as_str()), wanted, now);
                if !inner.is_empty() {
                    patch.insert(k.clone(), inner);
                }
            }
            // Null in a manifest means that the field is to be absent.
            (Value::Null, _) if !current.has(k.as_str()) => {}
            (w, n) if w == n => {}
            _ => {
                patch.insert(k.clone(), wanted.clone());
            }
        }
    }
    for (k, _) in original.entries() {
        if !modified.has(k.as_str()) && current.has(k.as_str()) {
            patch.insert(k.clone(), Value::Null);
        }
    }
    Value::from(patch)
}

/// An object with a JSON merge patch applied.
pub fn merge(object: &Value, patch: &Value) -> Value {
    let Value::Map(changes) = patch else {
        return patch.clone();
    };
    let mut result = if matches!(object, Value::Map(_)) {
        object.clone()
    } else {
        Value::map()
    };
    for (k, v) in changes.iter() {
        if v.is_null() {
            result.map_mut().remove(k.as_str());
        } else {
            let inner = merge(result.get(k.as_str()), v);
            result.map_mut().insert(k.clone(), inner);
        }
    }
    result
}

/// Writes the annotation as `--save-config` and other verbs do that make typed objects.
pub fn annotate_typed(object: &mut Value) {
    annotate(object);
}

/// An object with a strategic merge patch applied.
///
/// # Errors
/// A patch that does not fit the object's type.
pub fn strategic(object: &Value, patch: &Value) -> Result<Value, Error> {
    Ok(merge(object, patch))
}

/// An object with a JSON patch applied.
///
/// # Errors
/// A patch that cannot be applied.
pub fn json_patch(_object: &Value, _patch: &Value) -> Result<Value, Error> {
    Err(Error::plain("JSON patches of --overrides are not simulated yet"))
}
