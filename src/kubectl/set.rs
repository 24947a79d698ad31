//! `kubectl set`: image, env, resources, selector, serviceaccount, subject.

use super::builder::{self, Found, Info, Select};
use super::change::{self, pairs, parse_pairs, pod_spec};
use super::command::{Cmd, DryRun, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL, DRY_RUN, FILES, FILES_BELOW, RECORD, SELECTOR, field_manager};
use super::output::{PRINT, Report};
use crate::api::Selector;
use crate::api::quantity::Quantity;
use crate::flat::{Arrange, Case, FlatMap};
use crate::obj;
use crate::value::{Value, quoted};

pub static SET: Verb = Verb {
    name: "set",
    group: "Basic Commands (Beginner):",
    short: "Set specific features on objects",
    subs: &[&ENV, &IMAGE, &RESOURCES, &SELECTOR_VERB, &SERVICE_ACCOUNT, &SUBJECT],
    ..VERB
};

const LOCAL: &[Flag] = &[flag("local", '\0', Kind::Bool, "false")];

const CONTAINERS: &[Flag] = &[flag("containers", 'c', Kind::Str, "*")];

static IMAGE: Verb = Verb {
    name: "image",
    short: "Update the image of a pod template",
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

/// What `--local` says of arguments that name objects of the server.
const LOCAL_RESOURCE: &str = "error: you must specify resources by --filename when --local is set.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'";

/// What a subcommand is about: what these arguments name, or the files.
fn selection(cmd: &Cmd, args: Vec<String>) -> Select {
    Select {
        typed: true,
        local: cmd.flags.bool("local"),
        args,
        ..Select::of(cmd).all_of_bare_type()
    }
}

/// The objects that a subcommand changes. The first failure to read one ends it.
async fn find(cmd: &Cmd, args: Vec<String>) -> Result<Vec<Info>, Error> {
    let select = selection(cmd, args);
    if select.local && !select.args.is_empty() {
        return Err(Error::plain(LOCAL_RESOURCE));
    }
    let Found { infos, errors, .. } = builder::find(cmd, &select, !select.local).await?;
    Error::all(errors)?;
    Ok(infos)
}

/// What `--all` and `--local` do not go with.
fn check(cmd: &Cmd) -> Result<(), Error> {
    if cmd.flags.bool("local") && cmd.dry_run()? == DryRun::Server {
        return Err(Error::plain(
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
        ));
    }
    if cmd.flags.knows("selector") && cmd.flags.bool("all") && !cmd.flags.all("selector").is_empty() {
        return Err(Error::plain("cannot set --all and --selector at the same time"));
    }
    Ok(())
}

/// How a subcommand reports.
struct Words {
    /// `image updated`
    done: &'static str,
    /// What stands before the server's words when it refuses.
    refused: &'static str,
    /// Writes, and says so, even when nothing changes.
    always: bool,
}

/// Changes each object with `f`, which says whether it is to be written. As kubectl does it, all are changed
/// before the first is written.
async fn update(
    cmd: &Cmd,
    infos: &[Info],
    words: &Words,
    mut f: impl FnMut(&Info, &mut Value, &mut Vec<Error>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut errors = Vec::new();
    let mut changed = Vec::new();
    for info in infos {
        let mut new = info.object.clone();
        let done = f(info, &mut new, &mut errors);
        changed.push((info, new, done));
    }
    let mut report = Report::new(cmd, words.done)?.typed();
    for (info, new, done) in changed {
        match done {
            Ok(false) => {}
            Ok(true) => {
                let stored = change::store(cmd, info, &new, &mut report, "kubectl-set", words.always);
                if let Err(e) = stored.await {
                    errors.push(refused(&e, words.refused));
                }
            }
            Err(e) => {
                // The line break after the name of what was only read from a file is kubectl's own.
                let name = match (cmd.flags.bool("local"), info.resource.group.is_empty()) {
                    (false, _) => format!("{}/{}", info.resource.name, info.name),
                    (true, true) => info.display(),
                    (true, false) => info.display() + "\n",
                };
                errors.push(Error::plain(format!("error: {name} {}\n", e.message())));
            }
        }
    }
    Error::all(errors)
}

/// The pod spec of an object, to be changed.
fn spec_mut<'a>(object: &'a mut Value, info: &Info) -> Result<&'a mut Value, Error> {
    match pod_spec(&info.resource.kind) {
        Some(path) => Ok(object.at_mut(path)),
        None => Err(Error::plain(format!(
            "the object is not a pod or does not have a pod template: *{}.{}",
            info.resource.version, info.resource.kind
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
    cmd.complete()?;
    let (resources, args) = pairs(&cmd.args, "image")?;
    let (pairs, _) = parse_pairs(&args, "image", false)?;
    // Of two images of one container the last counts.
    let mut images: Vec<(String, String)> = Vec::new();
    for (name, image) in pairs {
        match images.iter_mut().find(|(n, _)| *n == name) {
            Some(pair) => pair.1 = image,
            None => images.push((name, image)),
        }
    }
    let unnamed = resources.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize");
    let infos = find(cmd, resources).await?;
    check(cmd)?;
    if unnamed {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    if images.is_empty() {
        return Err(Error::plain("at least one image update is required"));
    }
    if images.len() > 1 && images.iter().any(|(name, _)| name == "*") {
        return Err(Error::plain(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        ));
    }
    let words = Words {
        done: "image updated",
        refused: "failed to patch image update to pod template:",
        always: false,
    };
    update(cmd, &infos, &words, |info, object, errors| {
        let spec = spec_mut(object, info)?;
        for (name, image) in &images {
            let mut hit = false;
            each_container(spec, |c| {
                if name == "*" || c.str_at(&["name"]) == name {
                    hit = true;
                    c.set(&["image"], image.as_str());
                }
            });
            if !hit {
                errors.push(Error::plain(format!(
                    "error: unable to find container named {name}",
                    name = quoted(&name)
                )));
            }
        }
        Ok(true)
    })
    .await
}

const RESOURCE_FLAGS: &[Flag] = &[
    flag("limits", '\0', Kind::Str, ""),
    flag("requests", '\0', Kind::Str, ""),
];

static RESOURCES: Verb = Verb {
    name: "resources",
    short: "Update resource requests/limits on objects with pod templates",
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
    cmd.complete()?;
    let infos = find(cmd, cmd.args.clone()).await?;
    check(cmd)?;
    let (limits, requests) = (cmd.flags.str("limits"), cmd.flags.str("requests"));
    if limits.is_empty() && requests.is_empty() {
        return Err(Error::plain(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let (limits, requests) = (quantities(limits)?, quantities(requests)?);
    let pattern = cmd.flags.str("containers").to_owned();
    let words = Words {
        done: "resource requirements updated",
        refused: "failed to patch resources update to pod template",
        always: false,
    };
    update(cmd, &infos, &words, |info, object, errors| {
        let mut hit = false;
        each_container(spec_mut(object, info)?, |c| {
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
            errors.push(Error::plain(format!("error: unable to find container named {pattern}")));
        }
        Ok(hit)
    })
    .await
}

static SERVICE_ACCOUNT: Verb = Verb {
    name: "serviceaccount",
    aliases: &["sa"],
    short: "Update the service account of a resource",
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
    cmd.complete()?;
    check(cmd)?;
    let Some((account, resources)) = cmd.args.split_last() else {
        return Err(Error::plain("serviceaccount is required"));
    };
    let infos = find(cmd, resources.to_vec()).await?;
    let words = Words {
        done: "serviceaccount updated",
        refused: "failed to patch ServiceAccountName",
        always: true,
    };
    update(cmd, &infos, &words, |info, object, _| {
        let spec = spec_mut(object, info)?;
        spec.set(&["serviceAccountName"], account.as_str());
        // The old name of the field follows, as the API's conversion keeps them equal.
        if spec.has("serviceAccount") {
            spec.set(&["serviceAccount"], account.as_str());
        }
        Ok(true)
    })
    .await
}

const SELECTOR_FLAGS: &[Flag] = &[flag("resource-version", '\0', Kind::Str, "")];

static SELECTOR_VERB: Verb = Verb {
    name: "selector",
    short: "Set the selector on a resource",
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
    cmd.complete()?;
    let Some((text, resources)) = cmd.args.split_last() else {
        return Err(Error::plain("one selector is required"));
    };
    let (labels, expressions) = label_selector(text)?;
    let select = selection(cmd, resources.to_vec());
    let found = builder::find(cmd, &select, !select.local).await?;
    let mut errors = Vec::new();
    let mut report = Report::new(cmd, "selector updated")?.typed();
    for (i, info) in found.infos.iter().enumerate() {
        if &*info.resource.kind != "Service" {
            errors.push((i, Error::plain("setting a selector is only supported for Services")));
            continue;
        }
        if !expressions.is_empty() {
            let said = format!(
                "match expression [{}] not supported on this object",
                expressions.join(" ")
            );
            errors.push((i, Error::plain(said)));
            continue;
        }
        let mut object = info.object.clone();
        object.set(&["spec", "selector"], labels.clone());
        if let Err(e) = change::store(cmd, info, &object, &mut report, "kubectl-set", true).await {
            errors.push((i, e));
        }
    }
    Error::all(Found::told(found.errors, &found.places, errors))
}

/// The labels that a selector wants to be equal, and its other requirements as Go prints them.
///
/// # Errors
/// Operators that label selectors of objects do not have.
fn label_selector(text: &str) -> Result<(Value, Vec<String>), Error> {
    let selector = Selector::label_selector(text).map_err(Error::plain)?;
    let words = |values: &Value| values.items().iter().map(Value::str).collect::<Vec<_>>().join(" ");
    let expressions = selector.get("matchExpressions").items().iter().map(|e| {
        let (key, operator) = (e.str_at(&["key"]), e.str_at(&["operator"]));
        format!("{{{key} {operator} [{}]}}", words(e.get("values")))
    });
    let mut labels = Value::map();
    if selector.has("matchLabels") {
        labels = selector.get("matchLabels").clone();
    }
    Ok((labels, expressions.collect()))
}

const SUBJECT_FLAGS: &[Flag] = &[
    flag("group", '\0', Kind::Array, "[]"),
    flag("serviceaccount", '\0', Kind::Array, "[]"),
    flag("user", '\0', Kind::Array, "[]"),
];

static SUBJECT: Verb = Verb {
    name: "subject",
    short: "Update the user, group, or service account in a role binding or cluster role binding",
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
    cmd.complete()?;
    let infos = find(cmd, cmd.args.clone()).await?;
    check(cmd)?;
    let wanted = subjects(cmd)?;
    if wanted.is_empty() {
        return Err(Error::plain(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    let words = Words {
        done: "subjects updated",
        refused: "failed to patch subjects to rolebinding:",
        always: false,
    };
    update(cmd, &infos, &words, |info, object, _| {
        if !info.resource.kind.ends_with("RoleBinding") {
            return Err(Error::plain(
                "setting subjects is only supported for RoleBinding/ClusterRoleBinding",
            ));
        }
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
        Ok(true)
    })
    .await
}

const ENV_FLAGS: &[Flag] = &[
    flag("env", 'e', Kind::Array, "[]"),
    flag("from", '\0', Kind::Str, ""),
    flag("keys", '\0', Kind::Slice, "[]"),
    flag("list", '\0', Kind::Bool, "false"),
    flag("overwrite", '\0', Kind::Bool, "true"),
    flag("prefix", '\0', Kind::Str, ""),
    flag("resolve", '\0', Kind::Bool, "false"),
];

static ENV: Verb = Verb {
    name: "env",
    short: "Update environment variables on a pod template",
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

/// What a name of a variable must be for kubectl (the API server allows more).
pub const VARIABLE_NAME: &str = "a valid environment variable name must consist of alphabetic characters, digits, '_', \
    '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used \
    for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";

/// Whether a text can be a variable's name for kubectl.
pub fn is_variable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(plain)
}

/// The variables to set, and the names of those to remove.
async fn variables(cmd: &Cmd, changes: &[String]) -> Result<(Vec<Value>, Vec<String>), Error> {
    let (mut set, mut remove): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let mut named = Vec::new();
    for change in changes {
        if change == "-" {
            for line in cmd.cx.stdin.read_text().await.lines() {
                let line = line.split('#').next().unwrap_or_default();
                if let Some((name, value)) = line.split_once('=') {
                    set.push(obj! { "name": name, "value": value });
                }
            }
        } else if let Some((name, value)) = change.split_once('=') {
            let mut wrong = Vec::new();
            if !is_variable(name) {
                wrong.push(VARIABLE_NAME.to_owned());
            }
            match name {
                "." | ".." => wrong.push(format!("must not be '{name}'")),
                _ if name.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
                _ => {}
            }
            if !wrong.is_empty() {
                let wrong = wrong.join(";");
                return Err(Error::plain(format!(
                    "{name} is not a valid key name: {wrong}",
                    name = quoted(&name)
                )));
            }
            named.push(name);
            set.push(obj! { "name": name, "value": value });
        } else if let Some(name) = change.strip_suffix('-') {
            remove.push(name.to_owned());
        } else {
            return Err(Error::plain(format!("unknown environment variable: {change}")));
        }
    }
    if remove.iter().any(|name| named.contains(&name.as_str())) {
        return Err(Error::plain(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    Ok((set, remove))
}

async fn env(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    if cmd.flags.bool("all") && !cmd.flags.all("selector").is_empty() {
        return Err(Error::plain("cannot set --all and --selector at the same time"));
    }
    let change = |arg: &str| arg.split_once('=').is_some_and(|(name, _)| !name.is_empty()) || arg.ends_with('-');
    let first = cmd.args.iter().position(|arg| change(arg)).unwrap_or(cmd.args.len());
    let (resources, args) = cmd.args.split_at(first);
    if !args.iter().all(|arg| change(arg)) {
        return Err(Error::plain(format!(
            "all resources must be specified before environment changes: {}",
            cmd.args.join(" ")
        )));
    }
    check(cmd)?;
    if resources.is_empty() && !cmd.flags.has("filename") {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let list = cmd.flags.bool("list");
    let from = cmd.flags.str("from");
    if list && cmd.flags.has("output") {
        return Err(Error::plain("--list and --output may not be specified together"));
    }
    if cmd.flags.has("keys") && from.is_empty() {
        return Err(Error::plain(
            "when specifying --keys, a configmap or secret must be provided with --from",
        ));
    }
    let mut changes = cmd.flags.all("env").to_vec();
    changes.extend(args.iter().cloned());
    let (mut set, remove) = variables(cmd, &changes).await?;
    if !from.is_empty() {
        set.extend(from_source(cmd, from).await?);
    }
    let prefix = cmd.flags.str("prefix");
    for variable in &mut set {
        let name = format!("{prefix}{}", variable.str_at(&["name"]));
        variable.set(&["name"], name);
    }
    // Unlike its sisters it passes over what arguments name when it looks at files alone.
    let named = if cmd.flags.bool("local") { &[] } else { resources };
    let infos = find(cmd, named.to_vec()).await?;
    let pattern = cmd.flags.str("containers");
    if list {
        return show(cmd, &infos, &set, &remove).await;
    }
    let words = Words {
        done: "env updated",
        refused: "failed to patch env update to pod template:",
        always: false,
    };
    update(cmd, &infos, &words, |info, object, _| {
        let mut hit = false;
        let mut taken = None;
        each_container(spec_mut(object, info)?, |c| {
            if super::files::glob(pattern, c.str_at(&["name"])) {
                hit = true;
                let env = c.get("env").items();
                if !cmd.flags.bool("overwrite") && taken.is_none() {
                    taken = overwritten(env, &set);
                }
                let env = changed(env, &set, &remove);
                c.set_or_remove(&["env"], env);
            }
        });
        if let Some(why) = taken {
            return Err(Error::plain(why));
        }
        if !hit {
            unmatched(cmd, info, pattern);
        }
        Ok(hit)
    })
    .await
}

/// Says that `--containers` fits none of an object.
fn unmatched(cmd: &Cmd, info: &Info, pattern: &str) {
    cmd.err(format!(
        "Warning: {}/{} does not have any containers matching {pattern}",
        info.resource.kind,
        info.name,
        pattern = quoted(&pattern)
    ));
}

/// What `--overwrite=false` says of the first variable that has another value.
fn overwritten(env: &[Value], set: &[Value]) -> Option<String> {
    set.iter().find_map(|s| {
        let now = env.iter().find(|e| e.get("name") == s.get("name"))?;
        let (name, value) = (now.str_at(&["name"]), now.str_at(&["value"]));
        (value != s.str_at(&["value"]))
            .then(|| format!("'{name}' already has a value ({value}), and --overwrite is false"))
    })
}

/// A list of variables with others set in their places or at its end, and some removed.
fn changed(env: &[Value], set: &[Value], remove: &[String]) -> Vec<Value> {
    let mut covered: Vec<&str> = remove.iter().map(String::as_str).collect();
    let mut out = Vec::new();
    for e in env {
        let name = e.str_at(&["name"]);
        if covered.contains(&name) {
            continue;
        }
        match set.iter().find(|s| s.str_at(&["name"]) == name) {
            Some(new) => {
                covered.push(name);
                out.push(new.clone());
            }
            None => out.push(e.clone()),
        }
    }
    for s in set {
        let name = s.str_at(&["name"]);
        if !covered.contains(&name) {
            covered.push(name);
            out.push(s.clone());
        }
    }
    out
}

/// `--list`: the variables of each container as they would be.
async fn show(cmd: &Cmd, infos: &[Info], set: &[Value], remove: &[String]) -> Result<(), Error> {
    let pattern = cmd.flags.str("containers");
    for info in infos {
        let Some(path) = pod_spec(&info.resource.kind) else {
            continue;
        };
        let spec = info.object.at(path);
        let containers = ["containers", "initContainers"].map(|list| spec.get(list).items());
        let containers = containers.into_iter().flatten();
        let containers: Vec<&Value> = containers
            .filter(|c| super::files::glob(pattern, c.str_at(&["name"])))
            .collect();
        if containers.is_empty() {
            unmatched(cmd, info, pattern);
        }
        for container in containers {
            let name = container.str_at(&["name"]);
            cmd.say(format!("# {} {}, container {name}", info.resource.kind, info.name));
            // Variables by why they have no value.
            let mut failures: FlatMap<String, Vec<String>> = FlatMap::new();
            for variable in changed(container.get("env").items(), set, remove) {
                let from = variable.get("valueFrom");
                let name = variable.str_at(&["name"]);
                if from.is_null() {
                    cmd.say(format!("{name}={}", variable.str_at(&["value"])));
                    continue;
                }
                if cmd.flags.bool("resolve") {
                    match resolve(cmd, from, &info.object, container).await {
                        Ok(value) => {
                            cmd.say(format!("{name}={value}"));
                            continue;
                        }
                        Err(why) => failures.entry(why).or_default().push(name.to_owned()),
                    }
                }
                cmd.say(format!("# {name} from {}", source(from)));
            }
            let mut lines: Vec<String> = Vec::new();
            for (why, names) in failures.iter_mut() {
                names.arrange();
                lines.push(format!("error retrieving reference for {}: {why}", names.join(", ")));
            }
            lines.arrange();
            for line in lines {
                cmd.err(line);
            }
        }
    }
    Ok(())
}

/// Where a variable's value comes from, as `--list` says it.
fn source(from: &Value) -> String {
    for (field, word) in [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")] {
        let r = from.get(field);
        if !r.is_null() {
            return format!("{word} {}, key {}", r.str_at(&["name"]), r.str_at(&["key"]));
        }
    }
    let field = from.get("fieldRef");
    if !field.is_null() {
        return format!("field path {}", field.str_at(&["fieldPath"]));
    }
    let resource = from.get("resourceFieldRef");
    if !resource.is_null() {
        let container = match resource.str_at(&["containerName"]) {
            "" => String::new(),
            name => format!("{name}/"),
        };
        return format!("resource field {container}{}", resource.str_at(&["resource"]));
    }
    "invalid valueFrom".to_owned()
}

/// The value that a reference has now.
async fn resolve(cmd: &Cmd, from: &Value, object: &Value, container: &Value) -> Result<String, String> {
    for (field, plural, word) in [
        ("secretKeyRef", "secrets", "secret"),
        ("configMapKeyRef", "configmaps", "config map"),
    ] {
        let reference = from.get(field);
        if reference.is_null() {
            continue;
        }
        let (name, key) = (reference.str_at(&["name"]), reference.str_at(&["key"]));
        let resource = cmd
            .client
            .resource("", "v1", plural)
            .map_err(|e| e.message().to_owned())?;
        let held = cmd
            .get(&resource, &cmd.namespace(), name)
            .await
            .map_err(|e| e.message())?;
        let Some(value) = held.get("data").get(key).as_str() else {
            return Err(format!("key {key} not found in {word} {name}"));
        };
        if field == "configMapKeyRef" {
            return Ok(value.to_owned());
        }
        let bytes = crate::value::base64::decode(value).unwrap_or_default();
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    let field = from.get("fieldRef");
    if !field.is_null() {
        return own_field(object, field.str_at(&["fieldPath"]));
    }
    let reference = from.get("resourceFieldRef");
    let asked = reference.str_at(&["resource"]);
    let (list, name) = asked.split_once('.').unwrap_or_default();
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !matches!(list, "limits" | "requests") || !known {
        return Err(format!("Unsupported container resource : {asked}"));
    }
    let amount = |v: &Value| {
        let q = Quantity::parse_or_zero(&crate::value::gofmt::display(v));
        if name == "cpu" { q.milli_value() } else { q.value() }
    };
    let one = if name == "cpu" { 1000 } else { 1 };
    let divisor = match amount(reference.get("divisor")) {
        0 => one,
        n => n,
    };
    let held = container.at(&["resources", list, name]);
    let held = if held.is_null() { 0 } else { amount(held) };
    Ok((held as f64 / divisor as f64).ceil().to_string())
}

/// A field of the object's own that a variable can name.
fn own_field(object: &Value, path: &str) -> Result<String, String> {
    let metadata = object.get("metadata");
    let subscript = path.strip_suffix("']").and_then(|p| p.split_once("['"));
    if let Some((map, key)) = subscript.filter(|(map, _)| !map.is_empty()) {
        return match map {
            "metadata.annotations" => Ok(metadata.get("annotations").get(key).str().to_owned()),
            "metadata.labels" => Ok(metadata.get("labels").get(key).str().to_owned()),
            _ => Err(format!(
                "fieldPath {path} does not support subscript",
                path = quoted(&path)
            )),
        };
    }
    match path.strip_prefix("metadata.") {
        Some(field @ ("annotations" | "labels")) => {
            let pairs = metadata.get(field).entries();
            let lines: Vec<String> = pairs.map(|(k, v)| format!("{k}={}", quoted(&v.str()))).collect();
            Ok(lines.join("\n"))
        }
        Some(field @ ("name" | "namespace" | "uid")) => Ok(metadata.get(field).str().to_owned()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

/// The variables of `--from=configmap/NAME`.
async fn from_source(cmd: &Cmd, from: &str) -> Result<Vec<Value>, Error> {
    // Locally it is looked for in the files, as all that they hold.
    let local = cmd.flags.bool("local");
    let args = if local { Vec::new() } else { vec![from.to_owned()] };
    let select = Select {
        typed: true,
        files: true,
        local,
        args,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, !local).await?;
    Error::all(found.errors)?;
    let keys = cmd.flags.all("keys");
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
            let name: String = key
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            let name = name.upper();
            if name != key {
                cmd.err(format!("Warning: key {key} transferred to {name}"));
            }
            let mut v = obj! { "name": name };
            v.set(
                &["valueFrom", reference],
                obj! { "key": key, "name": info.name.as_str() },
            );
            list.push(v);
        }
    }
    Ok(list)
}
