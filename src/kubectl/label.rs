//! `kubectl label` and `kubectl annotate`.

use super::builder::{self, Select};
use super::change::{CHANGE_CAUSE, command_line, merge_diff, pairs, parse_pairs};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL, ALL_NAMESPACES, DRY_RUN, FIELD_SELECTOR, FILES, RECORD, SELECTOR, field_manager};
use super::output::{PRINT, Report};
use crate::api::{PatchType, names};
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};

const FLAGS: &[Flag] = &[
    flag("list", '\0', Kind::Bool, "false"),
    flag("local", '\0', Kind::Bool, "false"),
    flag("overwrite", '\0', Kind::Bool, "false"),
    flag("resource-version", '\0', Kind::Str, ""),
];

pub static LABEL: Verb = Verb {
    name: "label",
    group: "Settings Commands:",
    short: "Update the labels on a resource",
    flags: &[
        FLAGS,
        PRINT,
        FILES,
        SELECTOR,
        FIELD_SELECTOR,
        ALL,
        ALL_NAMESPACES,
        DRY_RUN,
        &[field_manager("kubectl-label")],
        RECORD,
    ],
    run: Some(|c| Box::pin(run(c, &LABELS))),
    ..VERB
};

pub static ANNOTATE: Verb = Verb {
    name: "annotate",
    group: "Settings Commands:",
    short: "Update the annotations on a resource",
    flags: &[
        FLAGS,
        PRINT,
        FILES,
        SELECTOR,
        FIELD_SELECTOR,
        ALL,
        ALL_NAMESPACES,
        DRY_RUN,
        &[field_manager("kubectl-annotate")],
        RECORD,
    ],
    run: Some(|c| Box::pin(run(c, &ANNOTATIONS))),
    ..VERB
};

/// What differs between the two verbs.
struct Sort {
    field: &'static str,
    one: &'static str,
}

static LABELS: Sort = Sort {
    field: "labels",
    one: "label",
};
static ANNOTATIONS: Sort = Sort {
    field: "annotations",
    one: "annotation",
};

/// The pairs of `kubectl label`: each with one `=`, and a value that a label may have.
fn labels_of(args: &[String]) -> Result<(Vec<(String, String)>, Vec<String>), Error> {
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for arg in args {
        if let Some((key, value)) = arg.split_once('=') {
            if value.contains('=') {
                return Err(Error::plain(format!("invalid label spec: {arg}")));
            }
            if let Err(why) = names::label_value(value) {
                return Err(Error::plain(format!(
                    "invalid label value: {arg}: {why}",
                    arg = quoted(&arg)
                )));
            }
            set.push((key.to_owned(), value.to_owned()));
        } else {
            remove.push(arg.trim_end_matches('-').to_owned());
        }
    }
    if remove.iter().any(|r| set.iter().any(|(k, _)| k == r)) {
        return Err(Error::plain(
            "can not both modify and remove a label in the same command",
        ));
    }
    Ok((set, remove))
}

async fn run(cmd: &Cmd, sort: &'static Sort) -> Result<(), Error> {
    let labels = sort.one == "label";
    if labels {
        cmd.dry_run()?;
    } else {
        cmd.complete()?;
    }
    let (resources, args) = pairs(&cmd.args, sort.one)?;
    let (set, remove) = match labels {
        true => labels_of(&args)?,
        false => parse_pairs(&args, sort.one, true)?,
    };
    let list = cmd.flags.bool("list");
    if labels && list && cmd.flags.has("output") {
        return Err(Error::plain("--list and --output may not be specified together"));
    }
    let local = cmd.flags.bool("local");
    let dry = cmd.dry_run()?;
    for flag in ["selector", "field-selector"] {
        if cmd.flags.bool("all") && cmd.flags.has(flag) {
            return Err(Error::plain(format!("cannot set --all and --{flag} at the same time")));
        }
    }
    let files = cmd.flags.has("filename") || cmd.flags.has("kustomize");
    if local {
        let what = if labels { "pod" } else { "rsrc" };
        let wrong = if dry == DryRun::Server {
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?".to_owned()
        } else if !resources.is_empty() {
            format!("can only use local files by -f {what}.yaml or --filename={what}.json when --local=true is set")
        } else if !files {
            format!("one or more files must be specified as -f {what}.yaml or --filename={what}.json")
        } else {
            String::new()
        };
        if !wrong.is_empty() {
            return Err(Error::plain(wrong));
        }
    } else if resources.is_empty() && !files {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    if set.is_empty() && remove.is_empty() && !list {
        return Err(Error::plain(format!("at least one {} update is required", sort.one)));
    }
    let both = remove.iter().filter(|r| set.iter().any(|(k, _)| k == *r));
    let both: Vec<&str> = both.map(String::as_str).collect();
    if !both.is_empty() {
        return Err(Error::plain(format!(
            "can not both modify and remove the following annotation(s) in the same command: {}",
            both.join(", ")
        )));
    }
    let mut select = Select::of(cmd).all_of_bare_type();
    select.local = local;
    select.args = resources;
    // Each object is read when its turn comes.
    select.lazy = true;
    let found = builder::find(cmd, &select, false).await?;
    let single = found.single;
    let version = cmd.flags.str("resource-version");
    if !version.is_empty() && !single {
        return Err(Error::plain(
            "--resource-version may only be used with a single resource",
        ));
    }
    let mut errors: Vec<(usize, Error)> = Vec::new();
    let write = Write::of(cmd, &format!("kubectl-{}", cmd.verb.name))?;
    for (i, mut info) in found.infos.into_iter().enumerate() {
        if !local
            && (info.object.is_null() || !info.source.is_empty())
            && let Err(e) = info.fetch(cmd).await
        {
            errors.push((i, e));
            continue;
        }
        if !info.fits(&found.selector) {
            continue;
        }
        let held = info.object.at(&["metadata", sort.field]).clone();
        if !cmd.flags.bool("overwrite")
            && let Some(why) = overwritten(&held, &set, labels)
        {
            errors.push((i, Error::plain(why)));
            continue;
        }
        let mut new = info.object.clone();
        let (mut added, mut removed) = (false, false);
        for (k, v) in &set {
            added |= new.at(&["metadata", sort.field, k]).as_str() != Some(v);
            new.set(&["metadata", sort.field, k], v.as_str());
        }
        for key in &remove {
            match new.remove(&["metadata", sort.field, key]) {
                Some(_) => removed = true,
                None if labels && !local && !list && dry != DryRun::Client => {
                    cmd.say(format!("label {key} not found.", key = quoted(&key)));
                }
                None => {}
            }
        }
        if !held.is_null() && new.at(&["metadata", sort.field]).is_empty() {
            new.remove(&["metadata", sort.field]);
        }
        if list {
            if !single {
                let (kind, group) = (&info.resource.kind, &info.resource.group);
                cmd.say(format!("Listing {} for {kind}.{group}/{}:", sort.field, info.name));
            }
            for (k, v) in new.at(&["metadata", sort.field]).entries() {
                cmd.say(format!("{}{k}={}", if single { "" } else { " " }, v.str()));
            }
            continue;
        }
        if cmd.flags.bool("record") {
            new.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
        }
        let said = match (labels, added, removed) {
            (false, ..) => "annotated",
            (true, false, false) => "not labeled",
            (true, true, true) => "modified",
            (true, true, false) => "labeled",
            (true, false, true) => "unlabeled",
        };
        // What `label -o yaml` prints is the object as it was read, with the change in it.
        let mut shown = new.clone();
        let mut patch = merge_diff(&info.object, &new);
        if !local && dry != DryRun::Client && (!labels || added || removed) {
            if !version.is_empty() {
                patch.set(&["metadata", "resourceVersion"], version);
                shown.set(&["metadata", "resourceVersion"], version);
            }
            let stored = cmd.patch(
                &info.resource,
                &info.namespace,
                &info.name,
                "",
                PatchType::Merge,
                &patch,
                &write,
            );
            match stored.await {
                Ok(stored) if !labels => shown = stored,
                Ok(_) => {}
                Err(e) => {
                    errors.push((i, e));
                    continue;
                }
            }
        }
        if let Err(e) = Report::new(cmd, said).and_then(|mut report| report.print(cmd, &shown)) {
            errors.push((i, e));
        }
    }
    Error::all(builder::Found::told(found.errors, &found.places, errors))
}

/// What is said where a value would be replaced, and that was not asked for.
fn overwritten(held: &Value, set: &[(String, String)], labels: bool) -> Option<String> {
    let taken: Vec<String> = set
        .iter()
        .filter(|(k, _)| labels || k != CHANGE_CAUSE)
        .filter_map(|(k, v)| held.get(k).as_str().filter(|now| now != v).map(|now| (k, now)))
        .map(|(k, now)| match labels {
            true => format!("'{k}' already has a value ({now}), and --overwrite is false"),
            false => format!("'{k}' already has a value ({now})"),
        })
        .collect();
    if labels || taken.is_empty() {
        return aggregate(&taken);
    }
    let all = taken.join("; ");
    Some(format!(
        "--overwrite is false but found the following declared annotation(s): {all}"
    ))
}
