//! `kubectl label` and `kubectl annotate`.

use super::builder::{self, Select};
use super::change::{CHANGE_CAUSE, command_line, merge_diff, pairs};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL, ALL_NAMESPACES, DRY_RUN, FIELD_SELECTOR, FILES, RECORD, SELECTOR, field_manager};
use super::output::{PRINT, Report};
use crate::api::{PatchType, names};
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("list", '\0', Kind::Bool, "false", "Show what the objects have."),
    flag(
        "local",
        '\0',
        Kind::Bool,
        "false",
        "Change what the files have, without the API server.",
    ),
    flag("overwrite", '\0', Kind::Bool, "false", "Allow a value to be replaced."),
    flag(
        "resource-version",
        '\0',
        Kind::Str,
        "",
        "Only change the object if it is still at this version.",
    ),
];

pub static LABEL: Verb = Verb {
    name: "label",
    group: "Settings Commands:",
    short: "Update the labels on a resource",
    long: "Sets labels with KEY=VALUE and removes them with KEY-.",
    examples: "  # Set\n  kubectl label pod web tier=front\n\n  # Replace\n  kubectl label --overwrite pod web tier=back\n\n  # Remove\n  kubectl label pod web tier-",
    usage: "kubectl label [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] [options]",
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
    long: "Sets annotations with KEY=VALUE and removes them with KEY-.",
    examples: "  # Set\n  kubectl annotate deployment web kubernetes.io/change-cause='first version'\n\n  # Remove\n  kubectl annotate deployment web kubernetes.io/change-cause-",
    usage: "kubectl annotate [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] [options]",
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

async fn run(cmd: &Cmd, sort: &'static Sort) -> Result<(), Error> {
    let labels = sort.one == "label";
    let (resources, changes) = pairs(&cmd.args, sort.one)?;
    let list = cmd.flags.bool("list");
    if list && cmd.flags.has("output") {
        return Err(Error::plain("--list and --output may not be specified together"));
    }
    let (mut set, mut remove): (Vec<(&str, &str)>, Vec<&str>) = (Vec::new(), Vec::new());
    for change in &changes {
        if let Some((k, v)) = change.split_once('=') {
            if labels {
                if v.contains('=') {
                    return Err(Error::plain(format!("invalid label spec: {change}")));
                }
                if let Err(why) = names::label_value(v) {
                    return Err(Error::plain(format!("invalid label value: {change:?}: {why}")));
                }
            }
            if k.is_empty() {
                return Err(Error::plain(format!("invalid {} spec: {change}", sort.one)));
            }
            set.push((k, v));
        } else {
            remove.push(change.trim_end_matches('-'));
        }
    }
    if remove.iter().any(|r| set.iter().any(|(k, _)| k == r)) {
        return Err(Error::plain(if labels {
            "can not both modify and remove a label in the same command"
        } else {
            "can not both modify and remove an annotation in the same command"
        }));
    }
    if set.is_empty() && remove.is_empty() && !list {
        return Err(Error::plain(format!("at least one {} update is required", sort.one)));
    }
    if resources.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let local = cmd.flags.bool("local");
    let dry = cmd.dry_run()?;
    let mut select = Select::of(cmd);
    select.args = resources;
    let found = builder::find(cmd, &select, !local).await?;
    let version = cmd.flags.str("resource-version");
    if !version.is_empty() && found.infos.len() > 1 {
        return Err(Error::plain(
            "--resource-version may only be used with a single resource",
        ));
    }
    let mut errors = found.errors;
    let many = found.infos.len() > 1;
    let write = Write::of(cmd, &format!("kubectl-{}", cmd.verb.name))?;
    for info in found.infos {
        let held = info.object.at(&["metadata", sort.field]).clone();
        if list {
            if many {
                cmd.say(format!("Listing {} for {}:", sort.field, listing(&info)));
            }
            for (k, v) in held.entries() {
                cmd.say(format!("{}{k}={}", if many { " " } else { "" }, v.str()));
            }
            continue;
        }
        if !cmd.flags.bool("overwrite") {
            let taken: Vec<String> = set
                .iter()
                .filter_map(|(k, v)| held.get(k).as_str().filter(|now| now != v).map(|now| (k, now)))
                .map(|(k, now)| match labels {
                    true => format!("'{k}' already has a value ({now}), and --overwrite is false"),
                    false => format!("'{k}' already has a value ({now})"),
                })
                .collect();
            if !taken.is_empty() {
                errors.push(Error::plain(if labels {
                    taken.join("\n")
                } else {
                    format!(
                        "--overwrite is false but found the following declared annotation(s): {}",
                        taken.join("; ")
                    )
                }));
                continue;
            }
        }
        let mut new = info.object.clone();
        for key in &remove {
            if new.remove(&["metadata", sort.field, key]).is_none() && labels {
                cmd.say(format!("label {key:?} not found."));
            }
        }
        for (k, v) in &set {
            new.set(&["metadata", sort.field, k], *v);
        }
        if !held.is_null() && new.at(&["metadata", sort.field]).is_empty() {
            new.remove(&["metadata", sort.field]);
        }
        if cmd.flags.bool("record") {
            new.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
        }
        let size = |o: &Value| o.to_json().len();
        let said = match (labels, new == info.object) {
            (false, _) => "annotated",
            (true, true) => "not labeled",
            (true, false) if !cmd.flags.bool("overwrite") && size(&new) < size(&info.object) => "unlabeled",
            (true, false) => "labeled",
        };
        let mut shown = new.clone();
        let mut patch = merge_diff(&info.object, &new);
        if !local && dry != DryRun::Client && (!patch.is_empty() || !version.is_empty()) {
            if !version.is_empty() {
                patch.set(&["metadata", "resourceVersion"], version);
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
                Ok(stored) => shown = stored,
                Err(e) => {
                    errors.push(e);
                    continue;
                }
            }
        }
        Report::new(cmd, said)?.print(cmd, &shown)?;
    }
    Error::all(errors)
}

fn listing(info: &builder::Info) -> String {
    let kind = info.resource.kind.to_lowercase();
    if info.resource.group.is_empty() {
        format!("{kind}/{}", info.name)
    } else {
        format!("{kind}.{}/{}", info.resource.group, info.name)
    }
}
