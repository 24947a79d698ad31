//! `kubectl diff`: what `apply` would change, shown by the host's `diff`.

use super::apply::{self, annotate, difference};
use super::builder::{self, Info, Select, Target};
use super::command::{Cmd, VERB, Verb, Write, scope};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{FILES, SELECTOR, field_manager};
use super::print::object::omit_managed_fields;
use crate::api::well_known::LAST_APPLIED;
use crate::api::{Body, Method, PatchType, Request, Resource};
use crate::value::{Value, quoted, yaml};

const FLAGS: &[Flag] = &[
    flag("concurrency", '\0', Kind::Int, "1").but("they are looked at one by one"),
    flag("force-conflicts", '\0', Kind::Bool, "false"),
    flag("prune", '\0', Kind::Bool, "false"),
    flag("prune-allowlist", '\0', Kind::Array, "[]"),
    flag("server-side", '\0', Kind::Bool, "false"),
    flag("show-secrets", '\0', Kind::Bool, "false"),
    flag("show-managed-fields", '\0', Kind::Bool, "false"),
];

pub static DIFF: Verb = Verb {
    name: "diff",
    group: "Advanced Commands:",
    short: "Diff the live version against a would-be applied version",
    flags: &[FLAGS, FILES, SELECTOR, &[field_manager("kubectl-client-side-apply")]],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let (code, error) = match differences(cmd).await {
        Ok(found) => (i32::from(found), None),
        Err(e) => (2, Some(e)),
    };
    if let Some(e) = error {
        let (text, _) = e.print(&cmd.path);
        return Err(Error::Code(text, code));
    }
    if code == 0 { Ok(()) } else { Err(Error::Exit(code)) }
}

async fn differences(cmd: &Cmd) -> Result<bool, Error> {
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    }
    if cmd.flags.bool("force-conflicts") && !cmd.flags.bool("server-side") {
        return Err(Error::plain("--force-conflicts only works with --server-side"));
    }
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let pruning = cmd.flags.bool("prune");
    let allowed = if pruning { apply::allowed(cmd)? } else { Vec::new() };
    let targets = builder::targets(cmd, &Select::of(cmd)).await?;
    Error::all(targets.errors)?;
    let number = || cmd.sim().random_below(4_000_000_000).to_string();
    let (live, merged) = (format!("/tmp/LIVE-{}", number()), format!("/tmp/MERGED-{}", number()));
    let files = &cmd.cx.files;
    let failed = |e: crate::shell::FileError| Error::plain(e.reason());
    files.make_dirs(&live).map_err(failed)?;
    files.make_dirs(&merged).map_err(failed)?;
    let mut outcome = Ok(());
    let (mut kept, mut namespaces) = (Vec::new(), Vec::new());
    for target in targets.list {
        let Target::Item(info) = target else { continue };
        if info.resource.namespaced && !namespaces.contains(&info.namespace) {
            namespaces.push(info.namespace.clone());
        }
        match versions(cmd, &info).await {
            Ok((now, then)) => {
                let name = file_name(&info);
                if !now.is_null() {
                    kept.push(now.str_at(&["metadata", "uid"]).to_owned());
                }
                for (dir, object) in [(&live, now), (&merged, then)] {
                    if !object.is_null() {
                        let text = yaml::to_yaml(&object);
                        files.write(&format!("{dir}/{name}"), text).map_err(failed)?;
                    }
                }
            }
            Err(e) => {
                outcome = Err(e);
                break;
            }
        }
    }
    if pruning {
        let kinds = if allowed.is_empty() { apply::usual(cmd) } else { allowed };
        let mut gone = Vec::new();
        let found = apply::prunable(cmd, &kinds, &kept, &namespaces, async |resource, object| {
            gone.push((resource.clone(), object));
            Ok(())
        });
        match found.await {
            Err(e) => cmd.log(
                'W',
                "diff.go:760",
                &format!("pruning failed and could not be evaluated err: {}", e.message()),
            ),
            // What would be pruned stands on the one side only, as it is.
            Ok(()) => {
                for (resource, object) in gone {
                    let text = |field: &str| object.str_at(&["metadata", field]).to_owned();
                    let name = named(&resource, &text("namespace"), &text("name"));
                    files
                        .write(&format!("{live}/{name}"), yaml::to_yaml(&object))
                        .map_err(failed)?;
                }
            }
        }
    }
    let mut found = false;
    if outcome.is_ok() {
        let tool = cmd.cx.env.get("KUBECTL_EXTERNAL_DIFF").filter(|t| !t.is_empty());
        let tool = tool.map_or("diff -u -N", String::as_str);
        outcome = compare(cmd, tool, [&live, &merged]).await.map(|code| found = code != 0);
    }
    for dir in [live, merged] {
        let _ = files.remove_all(&dir);
    }
    outcome.map(|()| found)
}

/// Runs `diff`, or what `$KUBECTL_EXTERNAL_DIFF` names, on both folders: its exit code, which is 1 for a difference.
/// Words that are not of letters, digits, `-` and `=` alone are left out, as the real one does.
async fn compare(cmd: &Cmd, tool: &str, folders: [&str; 2]) -> Result<i32, Error> {
    let mut words = tool.split(' ');
    let program = words.next().unwrap_or_default();
    let plain = |w: &&str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '='));
    let mut args = vec![program.to_owned()];
    args.extend(words.filter(plain).map(str::to_owned));
    args.extend(folders.map(str::to_owned));
    match cmd.cx.run(&args).await {
        None => Err(Error::plain(format!(
            "failed to run {program}: executable file not found in $PATH",
            program = quoted(&program)
        ))),
        Some(code @ 0..=1) => Ok(code),
        Some(code) => Err(Error::plain(format!("exit status {code}"))),
    }
}

/// `apps.v1.Deployment.default.web`.
fn file_name(info: &Info) -> String {
    named(&info.resource, &info.namespace, &info.name)
}

fn named(r: &Resource, namespace: &str, name: &str) -> String {
    let group = if r.group.is_empty() {
        String::new()
    } else {
        format!("{}.", r.group)
    };
    format!("{group}{}.{}.{namespace}.{name}", r.version, r.kind)
}

/// An object as it is and as it would be; null where it is not there.
async fn versions(cmd: &Cmd, info: &Info) -> Result<(Value, Value), Error> {
    let Info {
        resource,
        namespace,
        name,
        ..
    } = info;
    let live = match cmd.get(resource, namespace, name).await {
        Ok(live) => live,
        Err(e) if e.is_not_found() => Value::Null,
        Err(e) => return Err(e),
    };
    let server = cmd.flags.bool("server-side");
    let manager = if server { "kubectl" } else { "kubectl-client-side-apply" };
    let write = Write {
        dry_run: true,
        force: server && cmd.flags.bool("force-conflicts"),
        ..Write::of(cmd, manager)?
    };
    let merged = if server {
        let path = crate::api::client::item(resource, scope(resource, namespace), name);
        let mut request = Request::new(Method::Patch, path).body(Body::Value(info.object.clone()));
        request.content_type = PatchType::Apply.media_type().into();
        cmd.send(write.on(request)).await?.value()
    } else if live.is_null() {
        cmd.create(resource, scope(resource, namespace), &info.object, &write)
            .await?
    } else {
        let mut modified = info.object.clone();
        let last = live.at(&["metadata", "annotations"]).str_at(&[LAST_APPLIED]).to_owned();
        let original = Value::from_json(&last).unwrap_or_default();
        annotate(&mut modified);
        let (kind, mut change) = difference(resource, &original, &modified, &live)?;
        // The annotation is bookkeeping: a diff leaves it as it is.
        change.remove(&["metadata", "annotations", LAST_APPLIED]);
        for path in [&["metadata", "annotations"][..], &["metadata"]] {
            if change.at(path).is_empty() {
                change.remove(path);
            }
        }
        match change.is_empty() {
            true => live.clone(),
            false => cmd.patch(resource, namespace, name, "", kind, &change, &write).await?,
        }
    };
    let (mut live, mut merged) = (shown(cmd, &live), shown(cmd, &merged));
    if &*resource.kind == "Secret" && resource.group.is_empty() {
        hide(&mut live, &mut merged);
    }
    Ok((live, merged))
}

/// Hides the values of a secret: what changes is seen, but not what it is.
fn hide(live: &mut Value, merged: &mut Value) {
    let (before, after) = (live.get("data").clone(), merged.get("data").clone());
    let set = |object: &mut Value, own: &Value, other: &Value, word: &str| {
        for (key, value) in own.entries() {
            let there = other.has(key) && other.get(key) != value;
            let shown = if there {
                format!("*** ({word})")
            } else {
                "***".to_owned()
            };
            object.set(&["data", key], shown);
        }
    };
    set(live, &before, &after, "before");
    set(merged, &after, &before, "after");
}

/// An object as the diff shows it.
fn shown(cmd: &Cmd, object: &Value) -> Value {
    match cmd.flags.bool("show-managed-fields") {
        true => object.clone(),
        false => omit_managed_fields(object),
    }
}
