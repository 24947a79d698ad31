//! `kubectl edit`: writes the object into a file, opens the editor, and sends what changed.

use super::builder::{self, Info, Select, Target};
use super::change::{CHANGE_CAUSE, command_line, merge_diff};
use super::command::{Cmd, VERB, Verb, Write, item_path};
use super::error::Error;
use super::files::{self, Doc};
use super::flags::{Flag, Kind, flag};
use super::options::{FILES, RECORD, SAVE_CONFIG, SUBRESOURCE, VALIDATE, WINDOWS_LINES, field_manager};
use super::output::{PRINT, Report};
use crate::api::well_known::LAST_APPLIED;
use crate::api::{PatchType, Request, patch, schema};
use crate::flat::Case;
use crate::value::{Value, gofmt, gojson, quoted, yaml};

const FLAGS: &[Flag] = &[flag("output-patch", '\0', Kind::Bool, "false"), WINDOWS_LINES];

pub static EDIT: Verb = Verb {
    name: "edit",
    group: "Basic Commands (Intermediate):",
    short: "Edit a resource on the server",
    flags: &[
        FLAGS,
        FILES,
        PRINT,
        VALIDATE,
        &[field_manager("kubectl-edit")],
        SAVE_CONFIG,
        SUBRESOURCE,
        RECORD,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// What stands above the object in the file.
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
    let failed = |e: crate::shell::FileError| Error::plain(e.opening(&path));
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
        None if !editor.contains('/') => {
            return Err(Error::plain(format!(
                "unable to launch the editor {shown}",
                shown = quoted(&shown)
            )));
        }
        _ => {
            return Err(Error::plain(format!(
                "there was a problem with the editor {shown}",
                shown = quoted(&shown)
            )));
        }
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

/// What is to be edited is named before other flags are looked at; what is read from files is read once.
async fn check(cmd: &Cmd, select: &Select) -> Result<(), Error> {
    if !cmd.flags.has("filename") {
        builder::targets(cmd, select).await?;
    }
    Ok(())
}

/// The objects are edited in one of these formats only.
fn check_format(cmd: &Cmd) -> Result<(), Error> {
    let given = cmd.flags.str("output");
    match given.lower().as_str() {
        "" | "json" | "kyaml" | "yaml" => Ok(()),
        _ => Err(super::output::no_printer(given, "json,kyaml,yaml")),
    }
}

/// What an edit is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `kubectl edit`.
    Normal,
    /// `kubectl apply edit-last-applied`.
    LastApplied,
    /// `kubectl create --edit`.
    Create,
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let mut select = Select::of(cmd).bare_type();
    select.labels.clear();
    let subresource = cmd.flags.str("subresource");
    if cmd.flags.has("subresource") && builder::is_bulk(cmd) {
        return Err(Error::plain(
            "subresource cannot be used when bulk resources are specified",
        ));
    }
    check(cmd, &select).await?;
    cmd.validation()?;
    let mut found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    check_format(cmd)?;
    if found.infos.is_empty() {
        return Err(Error::plain("edit cancelled, no objects found"));
    }
    if !subresource.is_empty() {
        for info in &mut found.infos {
            let path = item_path(&info.resource, &info.namespace, &info.name)?;
            let request = Request::get(format!("{path}/{subresource}"));
            info.object = cmd.send(request).await?.value();
        }
    }
    session(cmd, Mode::Normal, &found.infos).await
}

/// `kubectl apply edit-last-applied`.
///
/// # Errors
/// The API server's failure, or an edit that is no object.
pub async fn last_applied(cmd: &Cmd) -> Result<(), Error> {
    let select = Select::of(cmd);
    check(cmd, &select).await?;
    let found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    check_format(cmd)?;
    let mut infos = Vec::new();
    for info in &found.infos {
        let text = info.object.at(&["metadata", "annotations"]).str_at(&[LAST_APPLIED]);
        if text.is_empty() {
            continue;
        }
        let value = Value::from_json(text).map_err(|e| Error::plain(e.to_string()))?;
        infos.push(parsed(cmd, value)?);
    }
    if infos.is_empty() {
        return Err(Error::plain(
            "no last-applied-configuration annotation found on resources, to create the annotation, use command \
             `kubectl apply set-last-applied --create-annotation`",
        ));
    }
    session(cmd, Mode::LastApplied, &infos).await
}

/// `kubectl create --edit`: each object by itself.
///
/// # Errors
/// Those of the objects.
pub async fn before_create(cmd: &Cmd) -> Result<(), Error> {
    check_format(cmd)?;
    let targets = builder::targets(cmd, &Select::of(cmd)).await?;
    let mut errors = Vec::new();
    for target in targets.list {
        if let Target::Item(info) = target
            && let Err(e) = session(cmd, Mode::Create, &[info]).await
        {
            errors.push(e);
        }
    }
    errors.extend(targets.errors);
    Error::all(errors)
}

/// An object of the edited file.
fn parsed(cmd: &Cmd, value: Value) -> Result<Info, Error> {
    let doc = Doc {
        source: "edited-file".to_owned(),
        value,
    };
    files::info(
        cmd,
        doc,
        &Select {
            local: true,
            ..Select::default()
        },
    )
}

/// Opens the editor on these objects, and again as long as what is saved is refused.
async fn session(cmd: &Cmd, mode: Mode, infos: &[Info]) -> Result<(), Error> {
    let [first, rest @ ..] = infos else { return Ok(()) };
    let original = if rest.is_empty() {
        show(cmd, &first.object)
    } else {
        let all = infos.iter().map(|i| i.object.clone()).collect();
        show(cmd, &super::print::object::list(all))
    };
    let ending = match cmd.flags.str("output") {
        "json" => "json",
        _ => "yaml",
    };
    let header = match (ending, mode) {
        // JSON has no comments.
        ("json", _) => "",
        (_, Mode::LastApplied) => LAST_HEADER,
        _ => HEADER,
    };
    let mut text = format!("{header}{original}");
    let before = without_comments(&original);
    // What was saved and refused the time before.
    let mut refused: Option<String> = None;
    loop {
        let (edited, path) = open(cmd, &text, ending).await?;
        let body = without_comments(&edited);
        // The file stays for another try.
        let keep = |e: Error| -> Result<(), Error> {
            cmd.err(format!(
                "A copy of your changes has been stored to {path}",
                path = quoted(&path)
            ));
            Err(e)
        };
        let drop_file = || {
            let _ = cmd.cx.files.remove_file(&path);
        };
        if refused.as_ref() == Some(&body) {
            return keep(Error::plain("Edit cancelled, no valid changes were saved."));
        }
        let decoded = yaml::decode(&body).map_err(|e| e.to_string());
        let wrong = match cmd.validation() {
            Ok("Ignore") => None,
            Ok(_) => decoded.as_ref().map_or_else(|e| Some(e.clone()), unset),
            Err(e) => return keep(e),
        };
        let reasons = if let Some(why) = wrong {
            cmd.err(said_invalid(first));
            let why = format!("<nil>: Invalid value: \"The edited file failed validation\": {why}");
            vec![(not_valid(first), vec![why])]
        } else if body == before {
            drop_file();
            cmd.err("Edit cancelled, no changes made.");
            return Ok(());
        } else if body.trim().is_empty() {
            drop_file();
            cmd.err("Edit cancelled, saved file was empty.");
            return Ok(());
        } else {
            match decoded.and_then(|value| objects(cmd, value)) {
                Err(why) => vec![(format!("The edited file had a syntax error: {why}"), Vec::new())],
                Ok(edited) => match save(cmd, mode, infos, edited).await {
                    Err(e) => return keep(e),
                    Ok(outcome) if outcome.retryable > 0 => {
                        cmd.err(format!(
                            "You can run `kubectl replace -f {path}` to try this update again."
                        ));
                        return Err(Error::Exit(1));
                    }
                    Ok(outcome) if outcome.gone > 0 => {
                        cmd.err(format!(
                            "The edits you made on deleted resources have been saved to {path}",
                            path = quoted(&path)
                        ));
                        return Err(Error::Exit(1));
                    }
                    Ok(outcome) if outcome.reasons.is_empty() => {
                        drop_file();
                        return Ok(());
                    }
                    Ok(outcome) => outcome.reasons,
                },
            }
        };
        drop_file();
        text = header.to_owned();
        for (head, others) in reasons.iter().filter(|_| !header.is_empty()) {
            let colon = if others.is_empty() { "" } else { ":" };
            text.push_str(&format!("# {}{colon}\n", commented(head)));
            for other in others {
                text.push_str(&format!("# * {}\n", commented(other)));
            }
            text.push_str("#\n");
        }
        text.push_str(&body);
        refused = Some(body);
    }
}

/// What an object lacks to be one.
fn unset(value: &Value) -> Option<String> {
    let lacks = |field: &str| value.str_at(&[field]).is_empty();
    let why = match (lacks("apiVersion"), lacks("kind")) {
        _ if value.as_map().is_none() => "invalid object to validate",
        (true, true) => "[apiVersion not set, kind not set]",
        (true, false) => "apiVersion not set",
        (false, true) => "kind not set",
        (false, false) => return None,
    };
    Some(why.to_owned())
}

/// The objects of an edited file, all of which must be of kinds that there are.
fn objects(cmd: &Cmd, value: Value) -> Result<Vec<Info>, String> {
    let all = match value.str_at(&["kind"]) {
        "List" => value.get("items").items().to_vec(),
        _ => vec![value],
    };
    let all = all.into_iter().map(|value| parsed(cmd, value).map_err(|e| e.message()));
    all.collect()
}

/// A sentence whose later lines are comments too.
fn commented(text: &str) -> String {
    text.trim_end().replace('\n', "\n# ")
}

/// `deployments.apps "web" is invalid`.
fn said_invalid(info: &Info) -> String {
    format!("error: {} {} is invalid", info.resource.qualified(), quoted(&info.name))
}

fn not_valid(info: &Info) -> String {
    format!("{} {} was not valid", info.resource.qualified(), quoted(&info.name))
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

/// Sends each object, or what changed of it.
async fn save(cmd: &Cmd, mode: Mode, originals: &[Info], mut edited: Vec<Info>) -> Result<Outcome, Error> {
    let operation = if mode == Mode::Create { "created" } else { "edited" };
    let mut report = Report::new(cmd, operation)?;
    let mut outcome = Outcome::default();
    let namespace = cmd.namespace();
    let manager = match mode {
        Mode::Normal => "kubectl-edit",
        Mode::Create => "kubectl-create",
        Mode::LastApplied => "kubectl-client-side-apply",
    };
    let write = Write::of(cmd, manager)?;
    for info in edited.iter_mut().filter(|i| i.resource.namespaced) {
        let own = info.object.str_at(&["metadata", "namespace"]).to_owned();
        if own.is_empty() {
            info.object.set(&["metadata", "namespace"], namespace.as_str());
        } else if own != namespace {
            return Err(Error::plain(format!(
                "the namespace from the provided object {} does not match the namespace {}. You must \
                 pass '--namespace={own}' to perform this operation.",
                quoted(&own),
                quoted(&namespace)
            )));
        }
        info.namespace.clone_from(&namespace);
    }
    for info in &mut edited {
        if cmd.flags.knows("save-config") && cmd.flags.bool("save-config") {
            super::apply::annotate(&mut info.object);
        }
        if cmd.flags.knows("record") && cmd.flags.bool("record") {
            info.object
                .set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
        }
    }
    for info in &edited {
        let (r, ns, name) = (&info.resource, &info.namespace, &info.name);
        if mode == Mode::Create {
            let made = cmd.create(r, ns, &info.object, &write).await?;
            report.print(cmd, &made)?;
            continue;
        }
        let uid = |o: &Value| o.str_at(&["metadata", "uid"]).to_owned();
        let Some(original) = originals.iter().find(|o| uid(&o.object) == uid(&info.object)) else {
            return Err(Error::plain(format!(
                "no original object found for &unstructured.Unstructured{{Object:{}}}",
                gofmt::go_syntax(&info.object)
            )));
        };
        let old = super::print::object::omit_managed_fields(&original.object);
        if old == info.object {
            report.print_as(cmd, &info.object, "skipped")?;
            continue;
        }
        if mode == Mode::LastApplied {
            let mut change = Value::map();
            change.set(
                &["metadata", "annotations", LAST_APPLIED],
                gojson::compact(&info.object, true) + "\n",
            );
            cmd.patch(r, ns, name, "", PatchType::Merge, &change, &write).await?;
            report.print(cmd, &info.object)?;
            continue;
        }
        let same = |path: &[&str]| old.at(path) == info.object.at(path);
        if !same(&["metadata", "name"]) || !same(&["kind"]) || !same(&["apiVersion"]) {
            return Err(Error::plain("At least one of apiVersion, kind and name was changed"));
        }
        let ty = schema::by_kind(&r.api_version(), &r.kind);
        let (kind, change) = match ty {
            Some(ty) => (PatchType::Strategic, patch::create_two_way(&old, &info.object, &ty)),
            None => (PatchType::Merge, merge_diff(&old, &info.object)),
        };
        if cmd.flags.bool("output-patch") {
            cmd.say(format!("Patch: {}", gojson::compact(&change, true)));
        }
        let subresource = cmd.flags.str("subresource");
        let what = || format!("error: {} {}", r.qualified(), quoted(&name));
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
