//! `kubectl edit`: writes the object into a file, opens the editor, and sends what changed.

use super::apply::LAST_APPLIED;
use super::builder::{self, Info, Select};
use super::change::merge_diff;
use super::command::{Cmd, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{FILES, SAVE_CONFIG, SUBRESOURCE, VALIDATE, field_manager};
use super::output::{PRINT, Report};
use crate::api::{PatchType, patch, schema};
use crate::value::{Value, gojson, yaml};

const FLAGS: &[Flag] = &[
    flag(
        "output-patch",
        '\0',
        Kind::Bool,
        "false",
        "Show the patch that is sent.",
    ),
    flag(
        "windows-line-endings",
        '\0',
        Kind::Bool,
        "false",
        "Line endings of the file.",
    )
    .but("nothing here has another line ending"),
];

pub static EDIT: Verb = Verb {
    name: "edit",
    group: "Basic Commands (Intermediate):",
    short: "Edit a resource on the server",
    long: "Opens the editor that KUBE_EDITOR or EDITOR names, or vi, on the object as YAML. What is saved is sent; what the server refuses is opened again with the reason on top.",
    examples: "# A service\nkubectl edit svc/web\n\n# With another editor\nKUBE_EDITOR=nano kubectl edit svc/web",
    usage: "kubectl edit (RESOURCE/NAME | -f FILENAME) [options]",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        VALIDATE,
        &[field_manager("kubectl-edit")],
        SAVE_CONFIG,
        SUBRESOURCE,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

const HEADER: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n";

/// The header of `kubectl apply edit-last-applied`.
const LAST_HEADER: &str = "# Please edit the 'last-applied-configuration' annotations below.\n# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.\n#\n";

/// The editor's command line.
fn editor(cmd: &Cmd) -> String {
    ["KUBE_EDITOR", "EDITOR"]
        .iter()
        .find_map(|name| cmd.cx.env.get(*name).filter(|v| !v.is_empty()))
        .cloned()
        .unwrap_or_else(|| "vi".to_owned())
}

/// Opens a text in the editor: what it holds afterwards, and the file's path.
async fn open(cmd: &Cmd, text: &str, ending: &str) -> Result<(String, String), Error> {
    let number = cmd.sim().random_below(4_000_000_000);
    let path = format!("/tmp/kubectl-edit-{number}.{ending}");
    let failed = |e: crate::shell::FileError| Error::plain(format!("open {path}: {}", e.to_string().to_lowercase()));
    cmd.cx.files.write(&path, text).map_err(failed)?;
    let editor = editor(cmd);
    // Only a command line with quotes is left to a shell.
    let shell = editor.contains(['"', '\'', '\\']);
    let (shown, code) = if shell {
        let code = cmd.cx.run_source("kubectl", &format!("{editor} '{path}'")).await;
        (format!("/bin/bash -c {editor}"), Some(code))
    } else {
        let mut args: Vec<String> = editor.split(' ').map(str::to_owned).collect();
        args.push(path.clone());
        (editor.clone(), cmd.cx.run(&args).await)
    };
    match code {
        Some(0) => {}
        None if !editor.contains('/') => return Err(Error::plain(format!("unable to launch the editor {shown:?}"))),
        _ => return Err(Error::plain(format!("there was a problem with the editor {shown:?}"))),
    }
    let edited = cmd.cx.files.read_text(&path).map_err(failed)?;
    Ok((edited, path))
}

/// A text without the comment lines.
fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect()
}

/// What is written into the file.
fn show(cmd: &Cmd, object: &Value) -> String {
    let object = super::print::object::omit_managed_fields(object);
    match cmd.flags.str("output") {
        "json" => gojson::indented(&object, "    ", true) + "\n",
        _ => yaml::to_yaml(&object),
    }
}

/// The objects are edited in one of these formats only.
fn check_format(cmd: &Cmd) -> Result<(), Error> {
    let given = cmd.flags.str("output");
    match given.to_lowercase().as_str() {
        "" | "json" | "kyaml" | "yaml" => Ok(()),
        _ => Err(Error::plain(format!(
            "unable to match a printer suitable for the output format {given:?}, allowed formats are: json,kyaml,yaml"
        ))),
    }
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    check_format(cmd)?;
    let mut select = Select::of(cmd).bare_type();
    select.labels.clear();
    if cmd.flags.has("subresource") && builder::is_bulk(cmd) {
        return Err(Error::plain(
            "subresource cannot be used when bulk resources are specified",
        ));
    }
    let found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    if found.infos.is_empty() {
        cmd.err("edit cancelled, no objects found");
        return Ok(());
    }
    let (original, many) = match found.infos.as_slice() {
        [one] => (show(cmd, &one.object), false),
        all => (
            show(
                cmd,
                &super::print::object::list(all.iter().map(|i| i.object.clone()).collect()),
            ),
            true,
        ),
    };
    let ending = if cmd.flags.str("output") == "json" {
        "json"
    } else {
        "yaml"
    };
    // JSON has no comments.
    let mut text = match ending {
        "json" => original.clone(),
        _ => format!("{HEADER}{original}"),
    };
    let before = without_comments(&original);
    // What was saved and refused the time before.
    let mut refused: Option<String> = None;
    loop {
        let (edited, path) = open(cmd, &text, ending).await?;
        let body = without_comments(&edited);
        // The file stays for another try.
        let keep = |e: Error| -> Result<(), Error> {
            cmd.err(format!("A copy of your changes has been stored to {path:?}"));
            Err(e)
        };
        if refused.as_ref() == Some(&body) {
            return keep(Error::plain("Edit cancelled, no valid changes were saved."));
        }
        if body == before {
            let _ = cmd.cx.files.remove_file(&path);
            cmd.err("Edit cancelled, no changes made.");
            return Ok(());
        }
        if body.trim().is_empty() {
            let _ = cmd.cx.files.remove_file(&path);
            cmd.err("Edit cancelled, saved file was empty.");
            return Ok(());
        }
        let mut reasons = Vec::new();
        match yaml::decode(&body) {
            Err(e) => reasons.push((format!("The edited file had a syntax error: {e}"), Vec::new())),
            Ok(value) if value.get("kind").is_empty() || value.get("apiVersion").is_empty() => {
                let what = if value.get("kind").is_empty() {
                    "kind"
                } else {
                    "apiVersion"
                };
                if let Some(info) = found.infos.first() {
                    cmd.err(said_invalid(info));
                    let why = format!("<nil>: Invalid value: \"The edited file failed validation\": {what} not set");
                    reasons.push((not_valid(info), vec![why]));
                }
            }
            Ok(value) => {
                let objects = if many {
                    value.get("items").items().to_vec()
                } else {
                    vec![value]
                };
                match save(cmd, &found.infos, &objects).await {
                    Err(e) => return keep(e),
                    Ok(outcome) if outcome.retryable > 0 => {
                        cmd.err(format!(
                            "You can run `kubectl replace -f {path}` to try this update again."
                        ));
                        return Err(Error::Exit(1));
                    }
                    Ok(outcome) if outcome.gone > 0 => {
                        cmd.err(format!(
                            "The edits you made on deleted resources have been saved to {path:?}"
                        ));
                        return Err(Error::Exit(1));
                    }
                    Ok(outcome) if outcome.reasons.is_empty() => {
                        let _ = cmd.cx.files.remove_file(&path);
                        return Ok(());
                    }
                    Ok(outcome) => reasons = outcome.reasons,
                }
            }
        }
        let _ = cmd.cx.files.remove_file(&path);
        text = HEADER.to_owned();
        for (head, others) in reasons {
            let colon = if others.is_empty() { "" } else { ":" };
            text.push_str(&format!("# {}{colon}\n", commented(&head)));
            for other in others {
                text.push_str(&format!("# * {}\n", commented(&other)));
            }
            text.push_str("#\n");
        }
        text.push_str(&body);
        refused = Some(body);
    }
}

/// A sentence whose later lines are comments too.
fn commented(text: &str) -> String {
    text.trim_end().replace('\n', "\n# ")
}

/// `deployments.apps "web" is invalid`.
fn said_invalid(info: &Info) -> String {
    format!("error: {} {:?} is invalid", info.resource.qualified(), info.name)
}

fn not_valid(info: &Info) -> String {
    format!("{} {:?} was not valid", info.resource.qualified(), info.name)
}

/// What became of the objects of an edit.
#[derive(Default)]
struct Outcome {
    /// Failures that another try may not meet.
    retryable: usize,
    /// Objects that are there no longer.
    gone: usize,
    /// Why others are opened again: a sentence, and its particulars.
    reasons: Vec<(String, Vec<String>)>,
}

/// Sends the changes of each object.
async fn save(cmd: &Cmd, infos: &[Info], objects: &[Value]) -> Result<Outcome, Error> {
    let mut report = Report::new(cmd, "edited")?;
    let mut outcome = Outcome::default();
    let write = Write::of(cmd, "kubectl-edit")?;
    for (info, edited) in infos.iter().zip(objects) {
        let old = super::print::object::omit_managed_fields(&info.object);
        let same = |path: &[&str]| old.str_at(path) == edited.str_at(path);
        if !same(&["metadata", "namespace"]) && !info.namespace.is_empty() {
            return Err(Error::plain(format!(
                "the namespace from the provided object {:?} does not match the namespace {:?}. You must pass \
                 '--namespace={}' to perform this operation.",
                edited.str_at(&["metadata", "namespace"]),
                info.namespace,
                edited.str_at(&["metadata", "namespace"]),
            )));
        }
        if !same(&["metadata", "name"]) || !same(&["kind"]) || !same(&["apiVersion"]) {
            return Err(Error::plain("At least one of apiVersion, kind and name was changed"));
        }
        let ty = schema::by_kind(&info.resource.api_version(), &info.resource.kind);
        let (kind, change) = match ty {
            Some(ty) => (PatchType::Strategic, patch::create_two_way(&old, edited, &ty)),
            None => (PatchType::Merge, merge_diff(&old, edited)),
        };
        if cmd.flags.bool("output-patch") {
            cmd.say(format!("Patch: {}", gojson::compact(&change, true)));
        }
        if change.is_empty() {
            report.print_as(cmd, &info.object, "skipped")?;
            continue;
        }
        let subresource = cmd.flags.str("subresource");
        let (r, ns, name) = (&info.resource, &info.namespace, &info.name);
        let what = || format!("error: {} {:?}", r.qualified(), name);
        match cmd.patch(r, ns, name, subresource, kind, &change, &write).await {
            Ok(stored) => report.print(cmd, &stored)?,
            Err(Error::Status(s)) if s.reason() == "Invalid" => {
                cmd.err(said_invalid(info));
                let causes = s.to_value().at(&["details", "causes"]).clone();
                let others = causes
                    .items()
                    .iter()
                    .map(|c| format!("{}: {}", c.str_at(&["field"]), c.str_at(&["message"])))
                    .collect();
                outcome.reasons.push((not_valid(info), others));
            }
            Err(e) if e.is_not_found() => {
                outcome.gone += 1;
                cmd.err(format!("{} could not be found on the server", what()));
            }
            Err(e) => {
                outcome.retryable += 1;
                cmd.err(format!("{} could not be patched: {}", what(), e.message()));
            }
        }
    }
    Ok(outcome)
}

/// `kubectl apply edit-last-applied`.
///
/// # Errors
/// The API server's failure, or an edit that is no object.
pub async fn last_applied(cmd: &Cmd) -> Result<(), Error> {
    check_format(cmd)?;
    let found = builder::find(cmd, &Select::of(cmd), true).await?;
    Error::all(found.errors)?;
    let mut report = Report::new(cmd, "edited")?;
    for info in &found.infos {
        let text = info.object.at(&["metadata", "annotations"]).str_at(&[LAST_APPLIED]);
        if text.is_empty() {
            return Err(Error::plain(format!(
                "no last-applied-configuration annotation found on resource: {}",
                info.name
            )));
        }
        let value = Value::from_json(text).map_err(|e| Error::plain(e.to_string()))?;
        let shown = yaml::to_yaml(&value);
        let (edited, path) = open(cmd, &format!("{LAST_HEADER}{shown}"), "yaml").await?;
        let _ = cmd.cx.files.remove_file(&path);
        let body = without_comments(&edited);
        if body == shown {
            cmd.err("Edit cancelled, no changes made.");
            continue;
        }
        let value = yaml::decode(&body).map_err(|e| Error::plain(e.to_string()))?;
        let mut change = Value::map();
        change.set(
            &["metadata", "annotations", LAST_APPLIED],
            gojson::compact(&value, true) + "\n",
        );
        let write = Write::of(cmd, "kubectl-edit")?;
        let stored = cmd
            .patch(
                &info.resource,
                &info.namespace,
                &info.name,
                "",
                PatchType::Merge,
                &change,
                &write,
            )
            .await?;
        report.print(cmd, &stored)?;
    }
    Ok(())
}
