//! `kubectl apply`: creates what is missing, and patches what differs from the last application.

use std::rc::Rc;

use super::applyset::ApplySet;
use super::builder::{self, Info, Select, Target};
use super::change::{CHANGE_CAUSE, command_line};
use super::command::{Cmd, DryRun, VERB, Verb, Write, scope};
use super::delete::{self, Deletion};
use super::error::Error;
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::options::{
    ALL, DELETION, DRY_RUN, FILENAME, FILES, RECORD, SELECTOR, SUBRESOURCE, VALIDATE, WINDOWS_LINES, field_manager,
    wait,
};
use super::output::{PRINT, Report};
use crate::api::well_known::LAST_APPLIED;
use crate::api::{PatchType, Resource, managedfields, patch, schema};
use crate::flat::Arrange;
use crate::value::{Value, gojson, quoted, yaml};

const FLAGS: &[Flag] = &[
    flag("force-conflicts", '\0', Kind::Bool, "false"),
    flag("openapi-patch", '\0', Kind::Bool, "true").but(NOT_SIMULATED),
    flag("overwrite", '\0', Kind::Bool, "true").but(NOT_SIMULATED),
    flag("prune", '\0', Kind::Bool, "false"),
    flag("prune-allowlist", '\0', Kind::Array, "[]"),
    flag("server-side", '\0', Kind::Bool, "false"),
    wait("false"),
];

pub static APPLY: Verb = Verb {
    name: "apply",
    group: "Advanced Commands:",
    short: "Apply a configuration to a resource by file name or stdin",
    flags: &[
        FLAGS,
        DELETION,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        VALIDATE,
        SUBRESOURCE,
        &[field_manager("kubectl-client-side-apply")],
        RECORD,
    ],
    subs: &[&EDIT_LAST, &SET_LAST, &VIEW],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

static EDIT_LAST: Verb = Verb {
    name: "edit-last-applied",
    short: "Edit latest last-applied-configuration annotations of a resource/object",
    flags: &[
        FILES,
        PRINT,
        VALIDATE,
        &[field_manager("kubectl-client-side-apply"), WINDOWS_LINES],
    ],
    run: Some(|c| Box::pin(super::edit::last_applied(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    }
    cmd.dry_run()?;
    let cascade = super::delete::cascade(cmd)?;
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let server = cmd.flags.bool("server-side");
    let pruning = cmd.flags.bool("prune");
    cmd.validation()?;
    let mut set = ApplySet::of(cmd)?;
    let allowed = if pruning { allowed(cmd)? } else { Vec::new() };
    check(cmd, set.as_ref(), !allowed.is_empty()).await?;
    // Objects in another format than that of names are printed when all are applied, and only then it is looked at.
    let mut told = match cmd.flags.str("output") {
        "" | "name" => Some(Report::new(cmd, "configured")?),
        _ => None,
    };
    let mut select = Select::of(cmd);
    select.all = false;
    select.validate = true;
    let mut targets = builder::targets(cmd, &select).await?;
    let mut errors = targets.errors;
    if targets.list.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to apply"));
    }
    if let Some(set) = &mut set {
        for target in &mut targets.list {
            let Target::Item(info) = target else { continue };
            if let Err(e) = set.label(&mut info.object) {
                // Nothing is applied then.
                errors = vec![e];
                targets.list.clear();
                break;
            }
        }
        let items: Vec<&Info> = targets
            .list
            .iter()
            .filter_map(|t| if let Target::Item(info) = t { Some(info) } else { None })
            .collect();
        set.begin(cmd, &items).await?;
    }
    let mut done = Vec::new();
    let (mut kept, mut namespaces) = (Vec::new(), Vec::new());
    for target in targets.list {
        let Target::Item(info) = target else { continue };
        if info.resource.namespaced && !namespaces.contains(&info.namespace) {
            namespaces.push(info.namespace.clone());
        }
        let result = if server {
            server_side(cmd, &info).await
        } else {
            one(cmd, &info).await
        };
        match result {
            Ok((object, operation)) => {
                kept.push(object.str_at(&["metadata", "uid"]).to_owned());
                match &mut told {
                    Some(report) => report.print_as(cmd, &object, operation)?,
                    None => done.push(object),
                }
            }
            Err(e) => errors.push(e),
        }
    }
    // A failure leaves nothing to print.
    Error::all(errors)?;
    if !done.is_empty() {
        let mut report = Report::new(cmd, "configured")?;
        match done.as_slice() {
            [one] => report.print(cmd, one)?,
            _ => report.print_list(cmd, done)?,
        }
    }
    match (pruning, set) {
        (true, Some(set)) => set.prune(cmd, cascade, &kept).await,
        (true, None) => prune(cmd, allowed, cascade, &kept, &namespaces).await,
        (false, _) => Ok(()),
    }
}

/// Whether the flags fit together, in the order in which kubectl looks at them.
async fn check(cmd: &Cmd, set: Option<&ApplySet>, allowed: bool) -> Result<(), Error> {
    let flag = |name: &str| cmd.flags.bool(name);
    let given = |name: &str| !cmd.flags.str(name).is_empty();
    let (server, dry) = (flag("server-side"), cmd.dry_run()?);
    let refuse = |wrong: bool, why: &str| if wrong { Err(Error::plain(why)) } else { Ok(()) };
    refuse(
        flag("force-conflicts") && !server,
        "--force-conflicts only works with --server-side",
    )?;
    refuse(
        server && dry == DryRun::Client,
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
    )?;
    refuse(flag("force") && server, "--force cannot be used with --server-side")?;
    refuse(
        flag("force") && dry == DryRun::Server,
        "--dry-run=server cannot be used with --force",
    )?;
    refuse(
        flag("all") && given("selector"),
        "cannot set --all and --selector at the same time",
    )?;
    if let Some(set) = set {
        refuse(!flag("prune"), "--applyset requires --prune")?;
        set.validate(cmd).await?;
    }
    if flag("prune") {
        refuse(flag("force"), "--force cannot be used with --prune")?;
        if set.is_some() {
            refuse(flag("all"), "--all is incompatible with --applyset")?;
            refuse(given("selector"), "--selector is incompatible with --applyset")?;
            refuse(allowed, "--prune-allowlist is incompatible with --applyset")?;
        } else {
            refuse(
                !flag("all") && !given("selector"),
                "all resources selected for prune without explicitly passing --all. To prune all resources, pass the \
                 --all flag. If you did not mean to prune all resources, specify a label selector",
            )?;
            refuse(
                server,
                "--prune is in alpha and doesn't currently work on objects created by server-side apply",
            )?;
        }
    }
    refuse(
        given("subresource") && !server,
        "--subresource can only be specified for --server-side",
    )
}

/// Refuses an object whose name is to be made.
fn nameless(info: &Info) -> Result<(), Error> {
    let prefix = info.object.str_at(&["metadata", "generateName"]);
    if info.name.is_empty() && !prefix.is_empty() {
        return Err(Error::plain(format!(
            "from {prefix}: cannot use generate name with apply"
        )));
    }
    Ok(())
}

/// Applies one object: what it is then, and what was done.
async fn one(cmd: &Cmd, info: &Info) -> Result<(Value, &'static str), Error> {
    nameless(info)?;
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
        let version = resource.group_version();
        format!(
            "{what}:\nResource: \"{version}, Resource={}\", GroupVersionKind: \"{version}, Kind={}\"\nName: {name}, Namespace: {namespace}",
            resource.name,
            resource.kind,
            name = quoted(&name),
            namespace = quoted(&namespace)
        )
    };
    if name.is_empty() {
        return Err(Error::plain(format!(
            "{}\nfrom server for: {source}: resource name may not be empty",
            about("error when retrieving current configuration of"),
            source = quoted(&source)
        )));
    }
    let mut modified = info.object.clone();
    if cmd.flags.bool("record") {
        modified.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
    }
    annotate(&mut modified);
    let current = match cmd.get(resource, namespace, name).await {
        Ok(current) => current,
        Err(e) if e.is_not_found() => {
            // A new object has no use for what nulls would take away.
            let mut made = modified.without_nulls();
            if dry != DryRun::Client {
                made = cmd
                    .create(resource, scope(resource, namespace), &made, &write)
                    .await
                    .map_err(|e| e.when(&format!("error when creating {source}", source = quoted(&source))))?;
            }
            return Ok((made, "created"));
        }
        Err(e) => {
            return Err(e.when(&format!(
                "{}\nfrom server for: {source}",
                about("error when retrieving current configuration of"),
                source = quoted(&source)
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
    let (kind, change) = difference(resource, &original, &modified, &current)?;
    if change.is_empty() {
        warn_if_deleting(cmd, &current);
        return Ok((current, "unchanged"));
    }
    if dry == DryRun::Client {
        return Ok((super::patch::apply(kind, &current, &change)?, "configured"));
    }
    let sent = cmd.patch(resource, namespace, name, "", kind, &change, &write).await;
    let (sent, body) = match sent {
        Err(e) if cmd.flags.bool("force") && refused(&e) => {
            let made = anew(cmd, info, &current, &modified, &write).await;
            (made, gojson::compact(&modified, true) + "\n")
        }
        sent => (
            sent.map_err(|e| e.when(&format!("error when patching {source}", source = quoted(&source)))),
            gojson::compact(&change, true),
        ),
    };
    let patched = sent.map_err(|e| match &e {
        Error::Status(s) if s.reason() == "Invalid" => e,
        _ => e.when(&format!(
            "error when applying patch:\n{body}\nto:\n{}\nfor: {source}",
            about("").trim_start_matches(":\n"),
            source = quoted(&source)
        )),
    })?;
    warn_if_deleting(cmd, &patched);
    Ok((patched, "configured"))
}

/// `--force`: deletes an object, waits for its end, and creates the new one. If that fails, the old one is made again.
/// kubectl takes its `--timeout` at its word here: without one it looks once.
async fn anew(cmd: &Cmd, info: &Info, current: &Value, modified: &Value, write: &Write) -> Result<Value, Error> {
    let (resource, namespace) = (&info.resource, scope(&info.resource, &info.namespace));
    let deletion = Deletion {
        cascade: delete::cascade(cmd)?,
        grace: cmd.flags.int("grace-period"),
        ..Deletion::default()
    };
    cmd.remove(resource, namespace, &info.name, &deletion.options()).await?;
    delete::gone(cmd, info, cmd.flags.duration("timeout")).await?;
    let failed = match cmd.create(resource, namespace, modified, write).await {
        Err(e) => e,
        made => return made,
    };
    match cmd.create(resource, namespace, current, write).await {
        Ok(_) => Err(failed),
        Err(again) => Err(Error::plain(format!(
            "An error occurred force-replacing the existing object with the newly provided one:\n\n{}.\n\nAdditionally, \
             an error occurred attempting to restore the original object:\n\n{}",
            failed.message(),
            again.message()
        ))),
    }
}

/// Whether `--force` makes up for a refusal by deleting the object.
fn refused(e: &Error) -> bool {
    matches!(e, Error::Status(s) if s.is_conflict() || s.reason() == "Invalid")
}

/// The conflicts of a server-side apply, with what can be done about them.
const ADVICE: &str = "Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// Says that an object is going already.
fn warn_if_deleting(cmd: &Cmd, object: &Value) {
    if object.get("metadata").has("deletionTimestamp") {
        cmd.err(format!(
            "Warning: Detected changes to resource {} which is currently being deleted.",
            object.str_at(&["metadata", "name"])
        ));
    }
}

/// `--server-side`: the API server merges.
async fn server_side(cmd: &Cmd, info: &Info) -> Result<(Value, &'static str), Error> {
    nameless(info)?;
    let mut write = Write::of(cmd, "kubectl")?;
    if cmd.flags.has("field-manager") {
        // Without a name the server refuses.
        write.manager = cmd.flags.str("field-manager").to_owned();
    }
    write.force = cmd.flags.bool("force-conflicts");
    let mut object = match send_apply(cmd, info, &info.object, &write).await {
        Err(Error::Status(s)) if s.is_conflict() => {
            return Err(Error::plain(format!("{}\n{ADVICE}", s.message())));
        }
        other => other?,
    };
    // What was applied client-side before goes over to the server-side manager.
    match keep_last_applied(cmd, info, &object, &write).await {
        Err(e) => cmd.err(format!(
            "Warning: failed to migrate {LAST_APPLIED} for Server-Side Apply. This is non-fatal and will be retried \
             next time you apply. Error: {}",
            e.message()
        )),
        Ok(kept) => {
            object = kept.unwrap_or(object);
            match migrate(cmd, info, &mut object, &write).await {
                Err(e) => cmd.err(format!(
                    "Warning: server rejected managed fields migration to Server-Side Apply. This is non-fatal and \
                     will be retried next time you apply. Error: {}",
                    e.message()
                )),
                Ok(false) => {}
                // Fields that the configuration dropped can go now.
                Ok(true) => match send_apply(cmd, info, &info.object, &write).await {
                    Ok(applied) => object = applied,
                    Err(e) => cmd.err(format!(
                        "Warning: failed to re-apply configuration after performing Server-Side Apply migration. This \
                         is non-fatal and will be retried next time you apply. Error: {}",
                        e.message()
                    )),
                },
            }
        }
    }
    warn_if_deleting(cmd, &object);
    Ok((object, "serverside-applied"))
}

async fn send_apply(cmd: &Cmd, info: &Info, object: &Value, write: &Write) -> Result<Value, Error> {
    let kind = PatchType::Apply;
    let subresource = cmd.flags.str("subresource");
    cmd.patch(
        &info.resource,
        &info.namespace,
        &info.name,
        subresource,
        kind,
        object,
        write,
    )
    .await
}

/// The annotation's place in `managedFields`.
const ANNOTATION_PATH: &[&str] = &[
    "f:metadata",
    "f:annotations",
    "f:kubectl.kubernetes.io/last-applied-configuration",
];

/// Gives the annotation of the last client-side apply a manager of its own, so that the server-side
/// one does not drop it. `None` when there is nothing to do.
async fn keep_last_applied(cmd: &Cmd, info: &Info, object: &Value, write: &Write) -> Result<Option<Value>, Error> {
    let metadata = object.get("metadata");
    let text = metadata.at(&["annotations", LAST_APPLIED]);
    let owned = managedfields::owners_of(metadata.get("managedFields"), "Apply", ANNOTATION_PATH)
        .next()
        .is_some();
    if write.manager != "kubectl" || text.is_null() || owned {
        return Ok(None);
    }
    let mut alone = crate::obj! {
        "apiVersion": info.resource.api_version(),
        "kind": info.resource.kind.clone(),
        "metadata": crate::obj! { "name": metadata.get("name").clone() },
    };
    alone.set_or_remove(&["metadata", "namespace"], metadata.get("namespace").clone());
    alone.set(&["metadata", "annotations", LAST_APPLIED], text.clone());
    let write = Write {
        manager: "kubectl-last-applied".into(),
        force: false,
        ..write.clone()
    };
    send_apply(cmd, info, &alone, &write).await.map(Some)
}

/// How often a migration is tried when the object changes meanwhile.
const MIGRATIONS: usize = 5;

/// Makes the fields of client-side managers the server-side manager's. Gives whether there were any.
async fn migrate(cmd: &Cmd, info: &Info, object: &mut Value, write: &Write) -> Result<bool, Error> {
    let list = object.at(&["metadata", "managedFields"]).clone();
    let mut managers: Vec<String> = managedfields::owners_of(&list, "Update", ANNOTATION_PATH)
        .map(|e| e.str_at(&["manager"]).to_owned())
        .collect();
    managers.arrange();
    managers.dedup();
    let plain = Write {
        force: false,
        ..write.clone()
    };
    let mut tries = 0;
    loop {
        let list = object.at(&["metadata", "managedFields"]).clone();
        let mut upgraded = list.clone();
        for manager in &managers {
            upgraded = upgrade(&upgraded, manager, &write.manager);
        }
        if upgraded == list {
            return Ok(false);
        }
        let patch = crate::list![
            crate::obj! { "op": "replace", "path": "/metadata/managedFields", "value": upgraded },
            crate::obj! {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": object.at(&["metadata", "resourceVersion"]).clone(),
            },
        ];
        let kind = PatchType::Json;
        match cmd
            .patch(&info.resource, &info.namespace, &info.name, "", kind, &patch, &plain)
            .await
        {
            Ok(patched) => {
                *object = patched;
                return Ok(true);
            }
            Err(Error::Status(s)) if s.is_conflict() && tries < MIGRATIONS => {
                tries += 1;
                *object = cmd.get(&info.resource, &info.namespace, &info.name).await?;
            }
            Err(e) => return Err(e),
        }
    }
}

/// `managedFields` with the fields of a client-side manager joined to the server-side one's
/// (client-go's `csaupgrade`).
fn upgrade(list: &Value, from: &str, to: &str) -> Value {
    let is = |e: &Value, manager: &str, operation: &str| {
        e.str_at(&["manager"]) == manager && e.str_at(&["operation"]) == operation && e.get("subresource").is_empty()
    };
    let mut entries = list.items().to_vec();
    let place = entries.iter().position(|e| is(e, to, "Apply"));
    let Some(place) = place.or_else(|| entries.iter().position(|e| is(e, from, "Update"))) else {
        return list.clone();
    };
    let Some(kept) = entries.get(place).cloned() else {
        return list.clone();
    };
    let mut joined = kept.clone();
    let of_version = |e: &&Value| is(e, from, "Update") && e.get("apiVersion") == kept.get("apiVersion");
    if let Some(other) = list.items().iter().find(of_version) {
        let both = managedfields::union(kept.get("fieldsV1"), other.get("fieldsV1"));
        joined.set(&["fieldsV1"], both);
    }
    joined.set(&["manager"], to);
    joined.set(&["operation"], "Apply");
    if let Some(entry) = entries.get_mut(place) {
        *entry = joined;
    }
    entries.retain(|e| !is(e, from, "Update"));
    Value::list(entries)
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
    let text = gojson::compact(&plain, true) + "\n";
    object.set(&["metadata", "annotations", LAST_APPLIED], text);
}

/// The patch that makes `current` what `modified` says, given what was applied before.
///
/// # Errors
/// When the trees cannot be merged by their keys.
pub fn difference(
    resource: &Resource,
    original: &Value,
    modified: &Value,
    current: &Value,
) -> Result<(PatchType, Value), Error> {
    match schema::by_kind(&resource.api_version(), &resource.kind) {
        Some(ty) => patch::create_three_way(original, modified, current, &ty)
            .map(|p| (PatchType::Strategic, p))
            .map_err(Error::plain),
        None => Ok((
            PatchType::Merge,
            patch::create_three_way_merge(original, modified, current),
        )),
    }
}

/// An object with a JSON merge patch applied.
pub fn merge(object: &Value, change: &Value) -> Value {
    let mut result = object.clone();
    patch::merge(&mut result, change);
    result
}

/// Writes the annotation as `--save-config` and other verbs do that make typed objects: without the
/// empty map of annotations that `apply` adds.
pub fn annotate_typed(object: &mut Value) {
    let mut plain = object.clone();
    plain.remove(&["metadata", "annotations", LAST_APPLIED]);
    let text = super::typed::compact(&plain) + "\n";
    object.set(&["metadata", "annotations", LAST_APPLIED], text);
}

/// An object with a strategic merge patch applied.
///
/// # Errors
/// A patch that does not fit the object's type.
pub fn strategic(object: &Value, change: &Value) -> Result<Value, Error> {
    super::patch::apply(PatchType::Strategic, object, change)
}

/// An object with a JSON patch applied.
///
/// # Errors
/// A patch that cannot be applied.
pub fn json_patch(object: &Value, change: &Value) -> Result<Value, Error> {
    super::patch::apply(PatchType::Json, object, change)
}

/// What `--prune` may delete by default.
const PRUNED: &[(&str, &str)] = &[
    ("v1", "ConfigMap"),
    ("v1", "Endpoints"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolume"),
];

/// What kubectl says where no types are named.
const PRUNES_ALL: &str = "Deprecated: kubectl apply will no longer prune non-namespaced resources by default when used with the --namespace flag in a future release. To preserve the current behaviour, list the resources you want to target explicitly in the --prune-allowlist flag.";

/// The types that `--prune-allowlist` names.
///
/// # Errors
/// A type that is none.
pub fn allowed(cmd: &Cmd) -> Result<Vec<(String, String)>, Error> {
    let mut kinds: Vec<(String, String)> = Vec::new();
    for a in cmd.flags.all("prune-allowlist") {
        let parts: Vec<&str> = a.split('/').collect();
        let [group, version, kind] = parts.as_slice() else {
            return Err(Error::plain(format!(
                "invalid GroupVersionKind format: {a}, please follow <group/version/kind>"
            )));
        };
        let group = if *group == "core" { "" } else { group };
        let api_version = crate::api::resource::join(group, version);
        if super::mapper::of_kind(&cmd.resources(), &api_version, kind).is_none() {
            return Err(Error::plain(format!(
                "no matches for kind {kind} in version {api_version}",
                kind = quoted(&kind),
                api_version = quoted(&api_version)
            )));
        }
        kinds.push((api_version, (*kind).to_owned()));
    }
    Ok(kinds)
}

/// Deletes what was applied before with the same labels and is in the files no longer: of these kinds, or of the
/// usual ones when there are none, with this propagation policy.
async fn prune(
    cmd: &Cmd,
    mut kinds: Vec<(String, String)>,
    cascade: &'static str,
    kept: &[String],
    namespaces: &[String],
) -> Result<(), Error> {
    if kinds.is_empty() {
        kinds = usual(cmd);
    }
    let mut report = Report::new(cmd, "pruned")?;
    prunable(cmd, &kinds, kept, namespaces, async |resource, object| {
        let (name, place) = (
            object.str_at(&["metadata", "name"]),
            object.str_at(&["metadata", "namespace"]),
        );
        remove_pruned(cmd, resource, place, name, cascade).await?;
        report.print(cmd, &object)
    })
    .await
}

/// Deletes an object that is pruned, unless the run is dry on the client's side.
///
/// # Errors
/// The API server's failure.
pub async fn remove_pruned(
    cmd: &Cmd,
    resource: &Resource,
    place: &str,
    name: &str,
    cascade: &'static str,
) -> Result<(), Error> {
    let dry = cmd.dry_run()?;
    if dry == DryRun::Client {
        return Ok(());
    }
    let deletion = Deletion {
        cascade,
        grace: cmd.flags.int("grace-period"),
        dry_run: dry,
        ..Deletion::default()
    };
    cmd.remove(resource, place, name, &deletion.options()).await.map(|_| ())
}

/// The types to prune of, when none are named: the usual ones, and a warning that these may become fewer.
pub fn usual(cmd: &Cmd) -> Vec<(String, String)> {
    cmd.log('W', "prune.go:71", PRUNES_ALL);
    PRUNED.iter().map(|(v, k)| ((*v).to_owned(), (*k).to_owned())).collect()
}

/// Calls `each` with the objects of these kinds that were applied once, with the labels of `-l`, and are not among
/// those of the uids `kept`: first what is in these namespaces, then the rest.
///
/// # Errors
/// The API server's failure, and what `each` fails with.
pub async fn prunable(
    cmd: &Cmd,
    kinds: &[(String, String)],
    kept: &[String],
    namespaces: &[String],
    mut each: impl AsyncFnMut(&Rc<Resource>, Value) -> Result<(), Error>,
) -> Result<(), Error> {
    let labels = cmd.flags.str("selector");
    let all = cmd.resources();
    let resources: Vec<_> = kinds
        .iter()
        .filter_map(|(v, k)| super::mapper::of_kind(&all, v, k))
        .collect();
    for namespaced in [true, false] {
        let places: &[String] = if namespaced { namespaces } else { &[String::new()] };
        for place in places {
            for resource in resources.iter().filter(|r| r.namespaced == namespaced) {
                let list = cmd.list(resource, place, labels, "").await?;
                for object in list.get("items").items() {
                    let applied = !object
                        .at(&["metadata", "annotations"])
                        .str_at(&[LAST_APPLIED])
                        .is_empty();
                    let uid = object.str_at(&["metadata", "uid"]);
                    if !applied || kept.iter().any(|k| k == uid) {
                        continue;
                    }
                    let mut object = object.clone();
                    object.set(&["apiVersion"], resource.api_version());
                    object.set(&["kind"], resource.kind.clone());
                    each(resource, object).await?;
                }
            }
        }
    }
    Ok(())
}

const LAST_FLAGS: &[Flag] = &[flag("output", 'o', Kind::Str, "yaml")];

static VIEW: Verb = Verb {
    name: "view-last-applied",
    short: "View the latest last-applied-configuration annotations of a resource/object",
    flags: &[LAST_FLAGS, FILES, SELECTOR, ALL],
    run: Some(|c| Box::pin(view(c))),
    ..VERB
};

async fn view(cmd: &Cmd) -> Result<(), Error> {
    let output = cmd.flags.str("output");
    let select = Select::of(cmd);
    let found = builder::find(cmd, &select, true).await?;
    if !matches!(output, "yaml" | "json") {
        return Err(Error::usage(format!(
            "Unexpected -o output mode: {output}, the flag 'output' must be one of yaml|json"
        )));
    }
    // The first failure ends it, before anything is shown.
    if let Some(e) = found.errors.into_iter().next() {
        return Err(e);
    }
    let text = |info: &Info| {
        info.object
            .at(&["metadata", "annotations"])
            .str_at(&[LAST_APPLIED])
            .to_owned()
    };
    if let Some(info) = found.infos.iter().find(|i| !i.source.is_empty() && text(i).is_empty()) {
        return Err(Error::plain(format!(
            "error when no last-applied-configuration annotation found on resource: {}\n {}: <nil>",
            info.name,
            quoted(&info.source)
        )));
    }
    for info in &found.infos {
        let text = text(info);
        if text.is_empty() {
            continue;
        }
        let value = Value::from_json(&text).map_err(|e| Error::plain(e.to_string()))?;
        match output {
            "json" => cmd.out(gojson::indented(&value, "  ", true) + "\n"),
            _ => cmd.out(yaml::to_yaml(&value)),
        }
    }
    Ok(())
}

const SET_FLAGS: &[Flag] = &[flag("create-annotation", '\0', Kind::Bool, "false")];

static SET_LAST: Verb = Verb {
    name: "set-last-applied",
    short: "Set the last-applied-configuration annotation on a live object to match the contents of a file",
    flags: &[SET_FLAGS, FILENAME, PRINT, DRY_RUN],
    run: Some(|c| Box::pin(set_last(c))),
    ..VERB
};

async fn set_last(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let mut select = Select::of(cmd);
    // It takes files alone.
    select.args.clear();
    let found = builder::find(cmd, &select, false).await?;
    Error::all(found.errors)?;
    let mut report = Report::new(cmd, "configured")?;
    let write = Write::of(cmd, "kubectl-last-applied")?;
    for info in &found.infos {
        let current = cmd.get(&info.resource, &info.namespace, &info.name).await?;
        let missing = current
            .at(&["metadata", "annotations"])
            .str_at(&[LAST_APPLIED])
            .is_empty();
        if missing && !cmd.flags.bool("create-annotation") {
            return Err(Error::plain(format!(
                "no last-applied-configuration annotation found on resource: {}, to create the annotation, run the \
                 command with --create-annotation",
                info.name
            )));
        }
        let mut object = info.object.clone();
        object.remove(&["metadata", "annotations", LAST_APPLIED]);
        let text = gojson::compact(&object, true) + "\n";
        if current.at(&["metadata", "annotations"]).str_at(&[LAST_APPLIED]) == text {
            cmd.say(format!("set-last-applied {}: no changes required.", info.name));
            continue;
        }
        let mut change = Value::map();
        change.set(&["metadata", "annotations", LAST_APPLIED], text);
        let stored = if cmd.dry_run()? == DryRun::Client {
            merge(&current, &change)
        } else {
            let kind = PatchType::Merge;
            cmd.patch(&info.resource, &info.namespace, &info.name, "", kind, &change, &write)
                .await?
        };
        report.print(cmd, &stored)?;
    }
    Ok(())
}
