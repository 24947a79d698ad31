//! `kubectl edit`: writes the object into a file, opens the editor, and sends what changed.

use super::apply::LAST_APPLIED;
use super::builder::{self, Info, Select};
use super::change::merge_diff;
use super::command::{Cmd, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{FIELD_MANAGER, FILES, SAVE_CONFIG, SUBRESOURCE, VALIDATE};
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
    examples: "  # A service\n  kubectl edit svc/web\n\n  # With another editor\n  KUBE_EDITOR=nano kubectl edit svc/web",
    usage: "kubectl edit (RESOURCE/NAME | -f FILENAME) [options]",
    flags: &[FLAGS, FILES, PRINT, VALIDATE, FIELD_MANAGER, SAVE_CONFIG, SUBRESOURCE],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

const HEADER: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n";

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
    let code = cmd.cx.run_source("kubectl", &format!("{} '{path}'", editor(cmd))).await;
    if code != 0 {
        return Err(Error::plain(format!(
            "there was a problem with the editor {:?}",
            editor(cmd).split(' ').next().unwrap_or("")
        )));
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

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let mut select = Select::of(cmd).bare_type();
    select.labels.clear();
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
    let mut text = format!("{HEADER}{original}");
    let mut before = without_comments(&original);
    loop {
        let (edited, path) = open(cmd, &text, ending).await?;
        let body = without_comments(&edited);
        if body.trim().is_empty() {
            let _ = cmd.cx.files.remove_file(&path);
            cmd.err("Edit cancelled, saved file was empty.");
            return Ok(());
        }
        if body == before {
            let _ = cmd.cx.files.remove_file(&path);
            if text.starts_with(HEADER) && before == without_comments(&original) {
                cmd.err("Edit cancelled, no changes made.");
                return Ok(());
            }
            // Nothing was changed after a refusal: the file stays for another try.
            cmd.cx
                .files
                .write(&path, edited)
                .map_err(|e| Error::plain(e.to_string()))?;
            cmd.err(format!("A copy of your changes has been stored to {path:?}"));
            return Err(Error::plain("Edit cancelled, no valid changes were saved."));
        }
        let result = match yaml::decode(&body) {
            Err(e) => Err(Error::plain(format!("error parsing edited-file: {e}"))),
            Ok(value) => {
                let objects = if many {
                    value.get("items").items().to_vec()
                } else {
                    vec![value]
                };
                save(cmd, &found.infos, &objects).await
            }
        };
        match result {
            Ok(()) => {
                let _ = cmd.cx.files.remove_file(&path);
                return Ok(());
            }
            Err(e) => {
                let (said, _) = e.print("kubectl edit");
                cmd.out(&said);
                let reasons: String = said.lines().map(|l| format!("# {l}\n")).collect();
                text = format!("{HEADER}{reasons}#\n{body}");
                before = body;
                let _ = cmd.cx.files.remove_file(&path);
            }
        }
    }
}

/// Sends the changes of each object.
async fn save(cmd: &Cmd, infos: &[Info], objects: &[Value]) -> Result<(), Error> {
    let mut report = Report::new(cmd, "edited")?;
    let write = Write::of(cmd, "kubectl-edit")?;
    for (info, edited) in infos.iter().zip(objects) {
        let old = super::print::object::omit_managed_fields(&info.object);
        for field in ["name", "namespace"] {
            if old.str_at(&["metadata", field]) != edited.str_at(&["metadata", field]) {
                return Err(Error::plain("At least one of apiVersion, kind and name was changed"));
            }
        }
        if old.get("kind") != edited.get("kind") || old.get("apiVersion") != edited.get("apiVersion") {
            return Err(Error::plain("At least one of apiVersion, kind and name was changed"));
        }
        let ty = schema::by_kind(&info.resource.api_version(), &info.resource.kind);
        let (kind, change) = match ty {
            Some(ty) => (PatchType::Strategic, patch::create_two_way(&old, edited, &ty)),
            None => (PatchType::Merge, merge_diff(&old, edited)),
        };
        if cmd.flags.bool("output-patch") {
            cmd.say(format!("Patch: {}", gojson::compact(&change, false)));
        }
        if change.is_empty() {
            report.print_as(cmd, &info.object, "skipped")?;
            continue;
        }
        let subresource = cmd.flags.str("subresource");
        let stored = cmd
            .patch(
                &info.resource,
                &info.namespace,
                &info.name,
                subresource,
                kind,
                &change,
                &write,
            )
            .await?;
        report.print(cmd, &stored)?;
    }
    Ok(())
}

/// `kubectl apply edit-last-applied`.
///
/// # Errors
/// The API server's failure, or an edit that is no object.
pub async fn last_applied(cmd: &Cmd) -> Result<(), Error> {
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
        let (edited, path) = open(cmd, &format!("{HEADER}{shown}"), "yaml").await?;
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
            gojson::compact(&value, false) + "\n",
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
