//! `kubectl run`: one pod, and with `--expose` its service.

use std::rc::Rc;

use super::builder::{self, Info, Select, Target};
use super::change::{CHANGE_CAUSE, command_line};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::delete::{self, Deletion};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DELETION, DRY_RUN, FILES, RECORD, SAVE_CONFIG, field_manager, wait};
use super::output::{PRINT, Report};
use crate::api::decode::decode;
use crate::api::{Resource, names, schema};
use crate::value::{Value, quoted, yaml};
use crate::{list, obj};

const FLAGS: &[Flag] = &[
    flag("annotations", '\0', Kind::Array, "[]"),
    flag("attach", '\0', Kind::Bool, "false"),
    flag("command", '\0', Kind::Bool, "false"),
    flag("env", '\0', Kind::Array, "[]"),
    flag("expose", '\0', Kind::Bool, "false"),
    flag("image", '\0', Kind::Str, ""),
    flag("image-pull-policy", '\0', Kind::Str, ""),
    flag("labels", 'l', Kind::Str, ""),
    flag("leave-stdin-open", '\0', Kind::Bool, "false"),
    flag("override-type", '\0', Kind::Str, "merge"),
    flag("overrides", '\0', Kind::Str, ""),
    flag("pod-running-timeout", '\0', Kind::Duration, "1m0s"),
    flag("port", '\0', Kind::Str, ""),
    flag("privileged", '\0', Kind::Bool, "false"),
    flag("quiet", 'q', Kind::Bool, "false"),
    flag("restart", '\0', Kind::Str, "Always"),
    flag("rm", '\0', Kind::Bool, "false"),
    flag("stdin", 'i', Kind::Bool, "false"),
    flag("tty", 't', Kind::Bool, "false"),
    wait("false"),
];

pub static RUN: Verb = Verb {
    name: "run",
    group: "Basic Commands (Beginner):",
    short: "Run a particular image on the cluster",
    flags: &[
        FLAGS,
        DELETION,
        // The real one has these by accident, and does nothing with them.
        FILES,
        super::attach::DETACH_KEYS,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        &[field_manager("kubectl-run")],
        RECORD,
    ],
    required: &["image"],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// `KEY=VALUE,KEY=VALUE` as a map.
///
/// # Errors
/// `unexpected label spec: front`.
pub fn parse_labels(text: &str) -> Result<Value, Error> {
    let mut labels = Value::map();
    for spec in text.split(',') {
        match spec.split_once('=') {
            Some((k, v)) if !k.is_empty() && !v.contains('=') => labels.map_mut().insert(k, v.into()),
            Some(("", v)) if !v.contains('=') => return Err(Error::plain("unexpected empty label key")),
            _ => return Err(Error::plain(format!("unexpected label spec: {spec}"))),
        };
    }
    Ok(labels)
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let dry = cmd.dry_run()?;
    let (name, words) = match (cmd.args.split_first(), cmd.dash) {
        (Some((name, words)), dash) if dash != Some(0) => (name.as_str(), words),
        _ => return Err(Error::usage("NAME is required for run")),
    };
    let attach =
        cmd.flags.bool("attach") || ((cmd.flags.bool("stdin") || cmd.flags.bool("tty")) && !cmd.flags.has("attach"));
    let image = cmd.flags.str("image");
    if image.is_empty() {
        return Err(Error::plain("--image is required"));
    }
    if !names::is_image(image) {
        return Err(Error::plain(format!(
            "Invalid image name {image}: invalid reference format",
            image = quoted(&image)
        )));
    }
    if cmd.flags.bool("tty") && !cmd.flags.bool("stdin") {
        return Err(Error::usage("-i/--stdin is required for containers with -t/--tty=true"));
    }
    if cmd.flags.bool("expose") && cmd.flags.str("port").is_empty() {
        return Err(Error::usage("--port must be set when exposing a service"));
    }
    if cmd.flags.bool("rm") && !attach {
        return Err(Error::usage("--rm should only be used for attached containers"));
    }
    if attach && dry != DryRun::None {
        return Err(Error::usage(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
        ));
    }
    cmd.flags.pod_running_timeout().map_err(Error::usage)?;
    let restart = cmd.flags.str("restart");
    if !matches!(restart, "" | "Always" | "OnFailure" | "Never") {
        return Err(Error::usage(format!("invalid restart policy: {restart}")));
    }
    let policy = cmd.flags.str("image-pull-policy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        return Err(Error::usage(format!("invalid image pull policy: {policy}")));
    }
    let pod = pod(cmd, name, words)?;
    let pod = overridden(cmd, pod)?;
    let mut report = Report::new(cmd, "created")?.typed();
    let pod = send(cmd, pod).await?;
    let (mut made, mut failed) = (vec![pod.clone()], Ok(()));
    if cmd.flags.bool("expose") {
        let labels = labels(cmd, name)?;
        let port = cmd.flags.str("port").parse::<i64>().unwrap_or(0);
        let mut object = obj! {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": obj! { "name": name },
            "spec": obj! {
                "ports": list![obj! { "port": port, "protocol": "TCP", "targetPort": port }],
                "selector": labels.clone(),
            },
            "status": obj! { "loadBalancer": obj! {} },
        };
        if cmd.flags.has("labels") {
            object.set(&["metadata", "labels"], labels);
        }
        match send(cmd, object).await {
            Err(e) => failed = Err(e),
            Ok(service) => {
                report.print(cmd, &service)?;
                if cmd.flags.str("output") == "yaml" {
                    cmd.out("---\n");
                }
                made.push(service);
            }
        }
    }
    if attach {
        let result = super::attach::wait_and_attach(cmd, &pod).await;
        if cmd.flags.bool("rm") {
            for object in made {
                remove(cmd, object).await?;
            }
        }
        return result;
    }
    report.print(cmd, &pod)?;
    failed
}

/// Deletes what a run made; kubectl waits for no end here, and passes over its flags that say how.
async fn remove(cmd: &Cmd, object: Value) -> Result<(), Error> {
    let info = Info {
        resource: resource_of(cmd, &object)?,
        namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
        name: object.str_at(&["metadata", "name"]).to_owned(),
        source: String::new(),
        object,
    };
    let deletion = Deletion {
        cascade: delete::cascade(cmd)?,
        wait: false,
        ignore_not_found: true,
        silent: cmd.flags.bool("quiet"),
        ..Deletion::default()
    };
    let targets = vec![Target::Item(info)];
    delete::delete(cmd, targets, &Select::default(), Vec::new(), &deletion).await
}

fn resource_of(cmd: &Cmd, object: &Value) -> Result<Rc<Resource>, Error> {
    let (version, kind) = (object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
    super::mapper::of_kind(&cmd.resources(), version, kind)
        .ok_or_else(|| builder::unregistered(kind, version, builder::SCHEME))
}

/// Creates an object, unless the run is dry.
async fn send(cmd: &Cmd, mut object: Value) -> Result<Value, Error> {
    let resource = resource_of(cmd, &object)?;
    if cmd.flags.bool("record") {
        object.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
    }
    if cmd.namespace_given() && cmd.dry_run()? == DryRun::Client {
        object.set(&["metadata", "namespace"], cmd.namespace());
    }
    if cmd.dry_run()? == DryRun::Client {
        return Ok(object);
    }
    if cmd.flags.bool("save-config") {
        super::apply::annotate_typed(&mut object);
    }
    let write = Write::of(cmd, "kubectl-run")?;
    cmd.create(&resource, &cmd.namespace(), &object, &write).await
}

/// The labels of the pod, which its service selects by.
fn labels(cmd: &Cmd, name: &str) -> Result<Value, Error> {
    match cmd.flags.str("labels") {
        "" => Ok(obj! { "run": name }),
        given => parse_labels(given),
    }
}

fn pod(cmd: &Cmd, name: &str, words: &[String]) -> Result<Value, Error> {
    let mut container = obj! { "image": cmd.flags.str("image"), "name": name, "resources": obj! {} };
    let words: Value = words.iter().map(|w| Value::from(w.as_str())).collect();
    if !words.is_empty() {
        let field = if cmd.flags.bool("command") { "command" } else { "args" };
        container.set(&[field], words);
    }
    let env: Value = environment(cmd.flags.all("env"))?;
    container.set_or_remove(&["env"], env);
    let port = cmd.flags.str("port");
    if !port.is_empty() {
        let port = port.parse::<i64>().map_err(|_| {
            Error::plain(format!(
                "strconv.Atoi: parsing {port}: invalid syntax",
                port = quoted(&port)
            ))
        })?;
        container.set(&["ports"], list![obj! { "containerPort": port }]);
    }
    container.set_or_remove(&["imagePullPolicy"], cmd.flags.str("image-pull-policy"));
    if cmd.flags.bool("privileged") {
        container.set(&["securityContext", "privileged"], true);
    }
    if cmd.flags.bool("stdin") {
        container.set(&["stdin"], true);
        container.set(&["stdinOnce"], !cmd.flags.bool("leave-stdin-open"));
    }
    if cmd.flags.bool("tty") {
        container.set(&["tty"], true);
    }
    let labels = labels(cmd, name)?;
    let mut pod = obj! {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": obj! { "labels": labels, "name": name },
        "spec": obj! {
            "containers": list![container],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": match cmd.flags.str("restart") {
                "" => "Always",
                given => given,
            },
        },
        "status": obj! {},
    };
    let (annotations, _) = super::change::parse_pairs(cmd.flags.all("annotations"), "annotations", false)?;
    for (key, value) in annotations {
        pod.set(&["metadata", "annotations", &key], value);
    }
    Ok(pod)
}

/// `NAME=VALUE` as a container's `env`.
///
/// # Errors
/// `invalid env: COLOR`.
pub fn environment(given: &[String]) -> Result<Value, Error> {
    given
        .iter()
        .filter(|e| !e.is_empty())
        .map(|e| match e.split_once('=') {
            Some((k, v)) if !k.is_empty() => Ok(obj! { "name": k, "value": v }),
            _ => Err(Error::plain(format!("invalid env: {e}"))),
        })
        .collect::<Result<Vec<Value>, Error>>()
        .map(Value::from)
}

/// The object with `--overrides` merged into it.
fn overridden(cmd: &Cmd, object: Value) -> Result<Value, Error> {
    let text = cmd.flags.str("overrides");
    if text.is_empty() {
        return Ok(object);
    }
    let patch = Value::from_json(text)
        .ok()
        .or_else(|| {
            yaml::decode(text)
                .ok()
                .filter(|v| matches!(v, Value::Map(_) | Value::List(_)))
        })
        .ok_or_else(|| Error::plain("Invalid JSON Patch"))?;
    let object = match cmd.flags.str("override-type") {
        "merge" => super::apply::merge(&object, &patch),
        "strategic" => super::apply::strategic(&object, &patch)?,
        "json" => super::apply::json_patch(&object, &patch)?,
        other => return Err(Error::plain(format!("invalid override type: {other}"))),
    };
    // What comes of it is to be an object of its kind still.
    if let Some(ty) = schema::by_kind(object.str_at(&["apiVersion"]), object.str_at(&["kind"])) {
        decode(&object, &ty).map_err(Error::plain)?;
    }
    Ok(object)
}
