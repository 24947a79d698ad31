//! `kubectl set`: image, env, resources, selector, serviceaccount, subject.

use super::builder::{self, Found, Select};
use super::change::{self, pairs, pod_spec};
use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL, DRY_RUN, FILES, FILES_BELOW, RECORD, SELECTOR, field_manager};
use super::output::{PRINT, Report};
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::obj;
use crate::value::Value;

pub static SET: Verb = Verb {
    name: "set",
    group: "Basic Commands (Beginner):",
    short: "Set specific features on objects",
    long: "The commands below change one field each of objects that are there.",
    usage: "kubectl set SUBCOMMAND [options]",
    subs: &[&ENV, &IMAGE, &RESOURCES, &SELECTOR_VERB, &SERVICE_ACCOUNT, &SUBJECT],
    ..VERB
};

const LOCAL: &[Flag] = &[flag(
    "local",
    '\0',
    Kind::Bool,
    "false",
    "Change what the files have, without the API server.",
)];

const CONTAINERS: &[Flag] = &[flag(
    "containers",
    'c',
    Kind::Str,
    "*",
    "The containers to change, by name or with * for any text.",
)];

static IMAGE: Verb = Verb {
    name: "image",
    short: "Update the image of a pod template",
    examples: "  # One container\n  kubectl set image deployment/web nginx=nginx:1.27\n\n  # All of them\n  kubectl set image deployment web *=nginx:1.27",
    usage: "kubectl set image (-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N [options]",
    flags: &[
        LOCAL,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
        RECORD,
    ],
    run: Some(|c| Box::pin(image(c))),
    ..VERB
};

/// The objects that a subcommand changes.
async fn find(cmd: &Cmd, args: Vec<String>) -> Result<Found, Error> {
    let mut select = Select::of(cmd);
    select.typed = true;
    select.args = args;
    builder::find(cmd, &select, !cmd.flags.bool("local")).await
}

/// The pod spec of an object, to be changed.
fn spec_mut<'a>(object: &'a mut Value, kind: &str) -> Result<&'a mut Value, Error> {
    match pod_spec(kind) {
        Some(path) => Ok(object.at_mut(path)),
        None => Err(Error::plain(format!(
            "the object is not a pod or does not have a pod template: *v1.{kind}"
        ))),
    }
}

/// Calls `f` for each container, ordinary ones first.
fn each_container(spec: &mut Value, mut f: impl FnMut(&mut Value)) {
    for list in ["containers", "initContainers"] {
        if spec.get(list).is_null() {
            continue;
        }
        for c in spec.at_mut(&[list]).list_mut() {
            f(c);
        }
    }
}

/// What a refused patch is reported as: with the words of the verb, and as kubectl's own error.
fn refused(error: &Error, what: &str) -> Error {
    match error {
        Error::Status(status) => Error::plain(format!("{what} {}", status.message())),
        other => other.clone(),
    }
}

async fn image(cmd: &Cmd) -> Result<(), Error> {
    let (resources, images) = pairs(&cmd.args, "image")?;
    let found = find(cmd, resources).await?;
    let mut errors = found.errors;
    if !errors.is_empty() {
        return Error::all(errors);
    }
    if images.is_empty() {
        return Err(Error::plain("at least one image update is required"));
    }
    if images.len() > 1 && images.iter().any(|i| i.starts_with("*=")) {
        return Err(Error::plain(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        ));
    }
    let mut report = Report::new(cmd, "image updated")?;
    for info in &found.infos {
        let mut object = info.object.clone();
        let spec = match spec_mut(&mut object, &info.resource.kind) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        let mut unknown = false;
        for pair in &images {
            let Some((name, image)) = pair.split_once('=') else {
                return Err(Error::plain("at least one image update is required"));
            };
            let mut hit = name == "*";
            each_container(spec, |c| {
                if name == "*" || c.str_at(&["name"]) == name {
                    hit = true;
                    c.set(&["image"], image);
                }
            });
            if !hit {
                unknown = true;
                errors.push(Error::plain(format!("unable to find container named {name:?}")));
            }
        }
        if unknown {
            continue;
        }
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(refused(&e, "failed to patch image update to pod template:"));
        }
    }
    Error::all(errors)
}

const RESOURCE_FLAGS: &[Flag] = &[
    flag("limits", '\0', Kind::Str, "", "Limits, such as cpu=100m,memory=256Mi."),
    flag(
        "requests",
        '\0',
        Kind::Str,
        "",
        "Requests, such as cpu=100m,memory=256Mi.",
    ),
];

static RESOURCES: Verb = Verb {
    name: "resources",
    short: "Update resource requests/limits on objects with pod templates",
    examples: "  # Limits and requests\n  kubectl set resources deployment web --limits=cpu=200m,memory=512Mi --requests=cpu=100m,memory=256Mi",
    usage: "kubectl set resources (-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS] [options]",
    flags: &[
        LOCAL,
        CONTAINERS,
        RESOURCE_FLAGS,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
        RECORD,
    ],
    run: Some(|c| Box::pin(resources(c))),
    ..VERB
};

/// `cpu=100m,memory=256Mi` as a map of quantities.
///
/// # Errors
/// What kubectl says of a text that is no such list.
pub fn quantities(text: &str) -> Result<Value, Error> {
    let mut map = Value::map();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let Some((name, amount)) = part.split_once('=').filter(|(_, a)| !a.contains('=')) else {
            return Err(Error::plain(format!(
                "Invalid argument syntax {part}, expected <resource>=<value>"
            )));
        };
        let Ok(q) = Quantity::parse(amount) else {
            return Err(Error::plain(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ));
        };
        map.map_mut().insert(name, q.to_string().into());
    }
    Ok(map)
}

async fn resources(cmd: &Cmd) -> Result<(), Error> {
    let found = find(cmd, cmd.args.clone()).await?;
    let mut errors = found.errors;
    if !errors.is_empty() {
        return Error::all(errors);
    }
    let (limits, requests) = (cmd.flags.str("limits"), cmd.flags.str("requests"));
    if limits.is_empty() && requests.is_empty() {
        return Err(Error::plain(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let (limits, requests) = (quantities(limits)?, quantities(requests)?);
    let pattern = cmd.flags.str("containers").to_owned();
    let mut report = Report::new(cmd, "resource requirements updated")?;
    for info in &found.infos {
        let mut object = info.object.clone();
        let spec = match spec_mut(&mut object, &info.resource.kind) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        let mut hit = false;
        each_container(spec, |c| {
            if !super::files::glob(&pattern, c.str_at(&["name"])) {
                return;
            }
            hit = true;
            for (field, values) in [("limits", &limits), ("requests", &requests)] {
                for (k, v) in values.entries() {
                    c.set(&["resources", field, k.as_str()], v.clone());
                }
            }
        });
        if !hit {
            errors.push(Error::plain(format!("unable to find container named {pattern}")));
            continue;
        }
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(refused(&e, "failed to patch resources update to pod template"));
        }
    }
    Error::all(errors)
}

static SERVICE_ACCOUNT: Verb = Verb {
    name: "serviceaccount",
    aliases: &["sa"],
    short: "Update the service account of a resource",
    examples: "  # Of a deployment\n  kubectl set serviceaccount deployment web robot",
    usage: "kubectl set serviceaccount (-f FILENAME | TYPE NAME) SERVICE_ACCOUNT [options]",
    flags: &[
        LOCAL,
        FILES,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
        RECORD,
    ],
    run: Some(|c| Box::pin(service_account(c))),
    ..VERB
};

async fn service_account(cmd: &Cmd) -> Result<(), Error> {
    let Some((account, resources)) = cmd.args.split_last() else {
        return Err(Error::plain("serviceaccount is required"));
    };
    let found = find(cmd, resources.to_vec()).await?;
    let mut errors = found.errors;
    let mut report = Report::new(cmd, "serviceaccount updated")?;
    for info in &found.infos {
        let mut object = info.object.clone();
        match spec_mut(&mut object, &info.resource.kind) {
            Ok(spec) => {
                spec.set(&["serviceAccountName"], account.as_str());
                // The old name of the field follows, as the API's conversion keeps them equal.
                if spec.has("serviceAccount") {
                    spec.set(&["serviceAccount"], account.as_str());
                }
            }
            Err(e) => {
                errors.push(e);
                continue;
            }
        }
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(refused(&e, "failed to patch ServiceAccountUpdate"));
        }
    }
    Error::all(errors)
}

const SELECTOR_FLAGS: &[Flag] = &[flag(
    "resource-version",
    '\0',
    Kind::Str,
    "",
    "Only change the object if it is still at this version.",
)];

static SELECTOR_VERB: Verb = Verb {
    name: "selector",
    short: "Set the selector on a resource",
    long: "Only services can be changed so.",
    examples: "  # Of a service\n  kubectl set selector service web app=shop",
    usage: "kubectl set selector (-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version] [options]",
    flags: &[
        LOCAL,
        SELECTOR_FLAGS,
        FILES_BELOW,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
        RECORD,
    ],
    run: Some(|c| Box::pin(selector(c))),
    ..VERB
};

async fn selector(cmd: &Cmd) -> Result<(), Error> {
    let (resources, changes) = pairs(&cmd.args, "selector")?;
    if changes.is_empty() {
        return Err(Error::plain("a selector is required"));
    }
    let mut labels = Value::map();
    for part in changes.iter().flat_map(|c| c.split(',')) {
        let Some((k, v)) = part.split_once('=') else {
            return Err(Error::plain(format!("invalid selector: {part}")));
        };
        if let Err(why) = names::label_value(v) {
            return Err(Error::plain(format!("invalid label value: {part:?}: {why}")));
        }
        labels.map_mut().insert(k, v.into());
    }
    let found = find(cmd, resources).await?;
    let mut errors = found.errors;
    let mut report = Report::new(cmd, "selector updated")?;
    for info in &found.infos {
        if &*info.resource.kind != "Service" {
            errors.push(Error::plain("setting a selector is only supported for Services"));
            continue;
        }
        let mut object = info.object.clone();
        object.set(&["spec", "selector"], labels.clone());
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(e);
        }
    }
    Error::all(errors)
}

const SUBJECT_FLAGS: &[Flag] = &[
    flag("group", '\0', Kind::Slice, "[]", "Groups to add."),
    flag(
        "serviceaccount",
        '\0',
        Kind::Slice,
        "[]",
        "Service accounts to add: NAMESPACE:NAME.",
    ),
    flag("user", '\0', Kind::Slice, "[]", "Users to add."),
];

static SUBJECT: Verb = Verb {
    name: "subject",
    short: "Update the user, group, or service account in a role binding or cluster role binding",
    examples: "  # Two users more\n  kubectl set subject rolebinding view --user=anna --user=ben",
    usage: "kubectl set subject (-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none] [options]",
    flags: &[
        LOCAL,
        SUBJECT_FLAGS,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
    ],
    run: Some(|c| Box::pin(subject(c))),
    ..VERB
};

/// The subjects that `--user`, `--group` and `--serviceaccount` name.
///
/// # Errors
/// A service account without namespace.
pub fn subjects(cmd: &Cmd) -> Result<Vec<Value>, Error> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let mut list = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in cmd.flags.all(flag) {
            list.push(obj! { "apiGroup": GROUP, "kind": kind, "name": name.as_str() });
        }
    }
    for name in cmd.flags.all("serviceaccount") {
        match name.split_once(':') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains(':') => {
                list.push(obj! { "kind": "ServiceAccount", "name": name, "namespace": namespace });
            }
            _ => {
                return Err(Error::plain("serviceaccount must be <namespace>:<name>"));
            }
        }
    }
    Ok(list)
}

async fn subject(cmd: &Cmd) -> Result<(), Error> {
    let wanted = subjects(cmd)?;
    if wanted.is_empty() {
        return Err(Error::plain(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    let found = find(cmd, cmd.args.clone()).await?;
    let mut errors = found.errors;
    let mut report = Report::new(cmd, "subjects updated")?;
    for info in &found.infos {
        if !info.resource.kind.ends_with("RoleBinding") {
            errors.push(Error::plain(
                "setting subjects is only supported for RoleBinding/ClusterRoleBinding",
            ));
            continue;
        }
        let mut object = info.object.clone();
        let mut list = object.get("subjects").items().to_vec();
        for w in &wanted {
            let same = |s: &Value| {
                ["kind", "name", "namespace"]
                    .iter()
                    .all(|f| s.str_at(&[f]) == w.str_at(&[f]))
            };
            if !list.iter().any(same) {
                list.push(w.clone());
            }
        }
        object.set(&["subjects"], list);
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(refused(&e, "failed to patch subjects to rolebinding:"));
        }
    }
    Error::all(errors)
}

const ENV_FLAGS: &[Flag] = &[
    flag("env", 'e', Kind::Array, "[]", "Variables to set, as NAME=VALUE."),
    flag(
        "from",
        '\0',
        Kind::Str,
        "",
        "Take the variables from configmap/NAME or secret/NAME.",
    ),
    flag("keys", '\0', Kind::Slice, "[]", "Only these keys of --from."),
    flag("list", '\0', Kind::Bool, "false", "Show the variables."),
    flag("overwrite", '\0', Kind::Bool, "true", "Allow a value to be replaced."),
    flag("prefix", '\0', Kind::Str, "", "What stands before the names of --from."),
    flag(
        "resolve",
        '\0',
        Kind::Bool,
        "false",
        "Show the values that references have.",
    ),
];

static ENV: Verb = Verb {
    name: "env",
    short: "Update environment variables on a pod template",
    examples: "  # Set one and remove another\n  kubectl set env deployment/web COLOR=blue SIZE-\n\n  # Show them\n  kubectl set env deployment/web --list\n\n  # From a config map\n  kubectl set env deployment/web --from=configmap/conf --prefix=APP_",
    usage: "kubectl set env RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N [options]",
    flags: &[
        LOCAL,
        CONTAINERS,
        ENV_FLAGS,
        FILES,
        SELECTOR,
        ALL,
        PRINT,
        DRY_RUN,
        &[field_manager("kubectl-set")],
    ],
    run: Some(|c| Box::pin(env(c))),
    ..VERB
};

/// `level` as a variable's name.
fn variable(key: &str) -> String {
    key.to_uppercase().replace(['-', '.', '/'], "_")
}

async fn env(cmd: &Cmd) -> Result<(), Error> {
    let (resources, mut changes) = pairs(&cmd.args, "environment")?;
    changes.extend(cmd.flags.all("env").iter().cloned());
    if resources.is_empty() && !cmd.flags.has("filename") {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let list = cmd.flags.bool("list");
    let from = cmd.flags.str("from");
    if list && cmd.flags.has("output") {
        return Err(Error::usage("--list and --output may not be specified together"));
    }
    if changes.is_empty() && from.is_empty() && !list {
        return Err(Error::plain("at least one environment variable must be provided"));
    }
    let (mut set, mut remove): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for change in &changes {
        match change.split_once('=') {
            Some((k, v)) if !k.is_empty() => set.push(obj! { "name": k, "value": v }),
            Some(_) => {
                return Err(Error::plain(format!(
                    "environment variables must be of the form key=value: {change}"
                )));
            }
            None => remove.push(change.trim_end_matches('-').to_owned()),
        }
    }
    if !from.is_empty() {
        set.extend(from_source(cmd, from).await?);
    }
    let pattern = cmd.flags.str("containers").to_owned();
    let found = find(cmd, resources).await?;
    let mut errors = found.errors;
    let mut report = Report::new(cmd, "env updated")?;
    for info in &found.infos {
        let mut object = info.object.clone();
        let spec = match spec_mut(&mut object, &info.resource.kind) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        let mut hit = false;
        let mut taken = String::new();
        let mut shown = String::new();
        each_container(spec, |c| {
            if !super::files::glob(&pattern, c.str_at(&["name"])) {
                return;
            }
            hit = true;
            let mut env = c.get("env").items().to_vec();
            if list {
                shown.push_str(&format!(
                    "# {} {}, container {}\n",
                    info.resource.kind,
                    info.name,
                    c.str_at(&["name"])
                ));
                for e in &env {
                    shown.push_str(&describe(e));
                }
                return;
            }
            for s in &set {
                match env.iter_mut().find(|e| e.get("name") == s.get("name")) {
                    Some(e) => {
                        if !cmd.flags.bool("overwrite") && taken.is_empty() {
                            taken = s.str_at(&["name"]).to_owned();
                        }
                        *e = s.clone();
                    }
                    None => env.push(s.clone()),
                }
            }
            env.retain(|e| !remove.iter().any(|r| r == e.str_at(&["name"])));
            c.set_or_remove(&["env"], env);
        });
        cmd.out(shown);
        if !taken.is_empty() {
            errors.push(Error::plain(format!(
                "'{taken}' already has a value, and --overwrite is false"
            )));
            continue;
        }
        if !hit {
            cmd.err(format!(
                "warning: {} does not have any containers matching {pattern:?}",
                info.display()
            ));
            continue;
        }
        if list {
            continue;
        }
        if let Err(e) = change::store(cmd, info, object, &mut report, "kubectl-set").await {
            errors.push(refused(&e, "failed to patch env update to pod template:"));
        }
    }
    Error::all(errors)
}

/// A variable as `--list` shows it.
fn describe(e: &Value) -> String {
    let name = e.str_at(&["name"]);
    let from = e.get("valueFrom");
    for (field, word) in [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")] {
        let r = from.get(field);
        if !r.is_null() {
            return format!(
                "# {name} from {word} {}, key {}\n",
                r.str_at(&["name"]),
                r.str_at(&["key"])
            );
        }
    }
    let field = from.get("fieldRef");
    if !field.is_null() {
        return format!("# {name} from field path {}\n", field.str_at(&["fieldPath"]));
    }
    let resource = from.get("resourceFieldRef");
    if !resource.is_null() {
        return format!("# {name} from resource field {}\n", resource.str_at(&["resource"]));
    }
    format!("{name}={}\n", e.str_at(&["value"]))
}

/// The variables of `--from=configmap/NAME`.
async fn from_source(cmd: &Cmd, from: &str) -> Result<Vec<Value>, Error> {
    let select = Select {
        typed: true,
        args: vec![from.to_owned()],
        ..Select::default()
    };
    let found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    let (keys, prefix) = (cmd.flags.all("keys"), cmd.flags.str("prefix"));
    let mut list = Vec::new();
    for info in found.infos {
        let reference = match &*info.resource.kind {
            "ConfigMap" => "configMapKeyRef",
            "Secret" => "secretKeyRef",
            _ => return Err(Error::plain("unsupported resource specified in --from")),
        };
        for (key, _) in info.object.get("data").entries() {
            let key = key.as_str();
            if !keys.is_empty() && !keys.iter().any(|k| k == key) {
                continue;
            }
            let name = variable(key);
            if name != key {
                cmd.err(format!("Warning: key {key} transferred to {name}"));
            }
            let mut v = obj! { "name": format!("{prefix}{name}") };
            v.set(
                &["valueFrom", reference],
                obj! { "key": key, "name": info.name.as_str() },
            );
            list.push(v);
        }
    }
    Ok(list)
}
