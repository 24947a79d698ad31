//! `kubectl debug`: a container beside those of a pod, a changed copy of a pod, or a pod on a node.

use super::attach;
use super::command::{Cmd, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::FILENAME;
use crate::api::client::item;
use crate::api::{Body, Method, PatchType, Request, names};
use crate::flat::FlatMap;
use crate::value::{Value, quoted, yaml};
use crate::{list, obj};

const FLAGS: &[Flag] = &[
    flag("arguments-only", '\0', Kind::Bool, "false"),
    flag("attach", '\0', Kind::Bool, "false"),
    flag("container", 'c', Kind::Str, ""),
    flag("copy-to", '\0', Kind::Str, ""),
    flag("custom", '\0', Kind::Str, ""),
    flag("env", '\0', Kind::Slice, "[]"),
    flag("image", '\0', Kind::Str, ""),
    flag("image-pull-policy", '\0', Kind::Str, ""),
    flag("keep-annotations", '\0', Kind::Bool, "false"),
    flag("keep-init-containers", '\0', Kind::Bool, "true"),
    flag("keep-labels", '\0', Kind::Bool, "false"),
    flag("keep-liveness", '\0', Kind::Bool, "false"),
    flag("keep-readiness", '\0', Kind::Bool, "false"),
    flag("keep-startup", '\0', Kind::Bool, "false"),
    flag("profile", '\0', Kind::Str, "general"),
    flag("quiet", 'q', Kind::Bool, "false"),
    flag("replace", '\0', Kind::Bool, "false"),
    flag("same-node", '\0', Kind::Bool, "false"),
    flag("set-image", '\0', Kind::Slice, "[]"),
    flag("share-processes", '\0', Kind::Bool, "true"),
    flag("stdin", 'i', Kind::Bool, "false"),
    flag("target", '\0', Kind::Str, ""),
    flag("tty", 't', Kind::Bool, "false"),
];

pub static DEBUG: Verb = Verb {
    name: "debug",
    group: "Troubleshooting and Debugging Commands:",
    short: "Create debugging sessions for troubleshooting workloads and nodes",
    flags: &[FLAGS, FILENAME],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// What a profile allows; `legacy` changes nothing in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Legacy,
    General,
    Baseline,
    Restricted,
    Netadmin,
    Sysadmin,
}

impl Profile {
    fn parse(name: &str) -> Result<Profile, Error> {
        Ok(match name {
            "legacy" => Profile::Legacy,
            "general" => Profile::General,
            "baseline" => Profile::Baseline,
            "restricted" => Profile::Restricted,
            "netadmin" => Profile::Netadmin,
            "sysadmin" => Profile::Sysadmin,
            other => return Err(Error::plain(format!("unknown profile: {other}"))),
        })
    }

    /// Sets the debugging container's security context.
    fn secure(self, container: &mut Value) {
        let mut capabilities: Vec<Value> = container
            .at(&["securityContext", "capabilities", "add"])
            .items()
            .to_vec();
        let add: &[&str] = match self {
            Profile::Legacy | Profile::Sysadmin | Profile::Restricted | Profile::Baseline => &[],
            Profile::General => &["SYS_PTRACE"],
            Profile::Netadmin => &["NET_ADMIN", "NET_RAW"],
        };
        match self {
            Profile::Baseline => {
                container.remove(&["securityContext"]);
                capabilities.clear();
            }
            Profile::Sysadmin => container.set(&["securityContext", "privileged"], true),
            Profile::Restricted => container.set(
                &["securityContext"],
                obj! {
                    "allowPrivilegeEscalation": false,
                    "capabilities": obj! { "drop": list!["ALL"] },
                    "runAsNonRoot": true,
                    "seccompProfile": obj! { "type": "RuntimeDefault" },
                },
            ),
            _ => {}
        }
        capabilities.extend(add.iter().map(|c| Value::from(*c)));
        if !add.is_empty() {
            container.set(&["securityContext", "capabilities", "add"], capabilities);
        }
    }

    /// Sets what a pod on a node sees of it.
    fn on_node(self, pod: &mut Value) {
        let sees_files = matches!(self, Profile::Legacy | Profile::General | Profile::Sysadmin);
        if sees_files {
            pod.set(
                &["spec", "volumes"],
                list![obj! { "hostPath": obj! { "path": "/" }, "name": "host-root" }],
            );
        }
        if sees_files || self == Profile::Netadmin {
            for field in ["hostNetwork", "hostPID", "hostIPC"] {
                pod.set(&["spec", field], true);
            }
        }
        for c in pod.at_mut(&["spec", "containers"]).list_mut() {
            if sees_files {
                c.set(
                    &["volumeMounts"],
                    list![obj! { "mountPath": "/host", "name": "host-root" }],
                );
            }
            match self {
                Profile::General | Profile::Baseline | Profile::Legacy => {}
                other => other.secure(c),
            }
        }
    }
}

/// `NAME=VALUE` pairs, as flags of Go's kind `stringToString` take them.
fn pairs(cmd: &Cmd, name: &str) -> Result<FlatMap<String, String>, Error> {
    let mut found = FlatMap::new();
    for text in cmd.flags.all(name) {
        let (k, v) = text.split_once('=').ok_or_else(|| {
            Error::Flag(format!(
                "invalid argument {} for \"--{name}\" flag: {text} must be formatted as key=value",
                quoted(text)
            ))
        })?;
        found.insert(k.to_owned(), v.to_owned());
    }
    Ok(found)
}

/// What the command line asks.
struct Wanted {
    args: Vec<String>,
    images: FlatMap<String, String>,
    env: Value,
    profile: Profile,
    custom: Value,
    attach: bool,
}

fn read(cmd: &Cmd) -> Result<Wanted, Error> {
    let env: Value = pairs(cmd, "env")?
        .into_iter()
        .map(|(k, v)| obj! { "name": k, "value": v })
        .collect();
    let custom = match cmd.flags.str("custom") {
        "" => Value::Null,
        file => {
            let text = cmd.cx.files.read_text(&cmd.cx.path(file)).map_err(|e| {
                Error::plain(format!(
                    "must pass a container spec json file for custom profile: {}",
                    e.reading(file)
                ))
            })?;
            yaml::decode(&text)
                .map_err(|e| Error::plain(format!("{file} does not contain a valid container spec: {e}")))?
        }
    };
    Ok(Wanted {
        args: cmd.dash.and_then(|d| cmd.args.get(d..)).unwrap_or_default().to_vec(),
        images: pairs(cmd, "set-image")?,
        env,
        profile: Profile::parse(cmd.flags.str("profile"))?,
        custom,
        attach: if cmd.flags.has("attach") {
            cmd.flags.bool("attach")
        } else {
            cmd.flags.bool("stdin")
        },
    })
}

/// The checks of kubectl, in its order.
fn validate(cmd: &Cmd, wanted: &Wanted, names: &[String]) -> Result<(), Error> {
    let (image, container) = (cmd.flags.str("image"), cmd.flags.str("container"));
    let fail = |why: &str| Err(Error::plain(why));
    if cmd.flags.has("attach") && wanted.attach && image.is_empty() && container.is_empty() {
        return fail("you must specify --container or create a new container using --image in order to attach.");
    }
    let bad = |image: &str| !names::is_image(image);
    if cmd.flags.str("copy-to").is_empty() {
        for (flag, given) in [
            ("--replace", cmd.flags.bool("replace")),
            ("--same-node", cmd.flags.bool("same-node")),
            ("--set-image", !wanted.images.is_empty()),
        ] {
            if given {
                return Err(Error::plain(format!("{flag} may only be used with --copy-to.")));
            }
        }
        if image.is_empty() {
            return fail("you must specify --image when not using --copy-to.");
        }
    } else {
        if image.is_empty() && wanted.images.is_empty() && wanted.args.is_empty() {
            return fail("you must specify --image, --set-image or command arguments.");
        }
        if !wanted.args.is_empty() && container.is_empty() && image.is_empty() {
            return fail("you must specify an existing container or a new image when specifying args.");
        }
    }
    if !image.is_empty() && bad(image) {
        return Err(Error::plain(format!(
            "invalid image name {image}: invalid reference format",
            image = quoted(&image)
        )));
    }
    if names.is_empty() && cmd.flags.all("filename").is_empty() {
        return fail("NAME or filename is required for debug");
    }
    let policy = cmd.flags.str("image-pull-policy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        return Err(Error::plain(format!("invalid image pull policy: {policy}")));
    }
    for (name, image) in &wanted.images {
        if bad(image) {
            return Err(Error::plain(format!(
                "invalid image name {image} for container {name}: invalid reference format",
                image = quoted(&image),
                name = quoted(&name)
            )));
        }
    }
    let target = cmd.flags.str("target");
    if !target.is_empty() {
        if !cmd.flags.str("copy-to").is_empty() {
            return fail("--target is incompatible with --copy-to. Use --share-processes instead.");
        }
        if !cmd.flags.bool("quiet") {
            cmd.say(format!(
                "Targeting container {target}. If you don't see processes from this container it may be because the container runtime doesn't support this feature.", target = quoted(&target)
            ));
        }
    }
    if cmd.flags.bool("tty") && !cmd.flags.bool("stdin") {
        return fail("-i/--stdin is required for containers with -t/--tty=true");
    }
    let fixed = ["name", "command", "image", "lifecycle", "volumeDevices"];
    if fixed.iter().any(|f| !wanted.custom.get(f).is_empty()) {
        return fail("name, command, image, lifecycle and volume devices are not modifiable via custom profile");
    }
    if wanted.profile == Profile::Legacy {
        cmd.err("--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other profile, for example \"--profile=general\".");
    }
    Ok(())
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let wanted = read(cmd)?;
    let names: Vec<String> = cmd
        .args
        .get(..cmd.dash.unwrap_or(cmd.args.len()))
        .unwrap_or_default()
        .to_vec();
    validate(cmd, &wanted, &names)?;
    let select = super::builder::Select {
        args: names,
        of: "pods".into(),
        files: true,
        ..super::builder::Select::default()
    };
    let found = super::builder::find(cmd, &select, true).await?;
    // The first failure ends it, and what comes before it is done.
    let until = found.places.first().copied().unwrap_or(usize::MAX);
    for info in found.infos.iter().take(until) {
        super::builder::known_kind(cmd, &info.resource)?;
        let (pod, container) = match &*info.resource.kind {
            "Node" => on_node(cmd, &wanted, &info.object).await?,
            "Pod" if cmd.flags.str("copy-to").is_empty() => beside(cmd, &wanted, &info.object).await?,
            "Pod" => copy(cmd, &wanted, &info.object).await?,
            kind => {
                let version = info.resource.group_version();
                return Err(Error::plain(format!(
                    "\"{version}, Kind={kind}\" not supported by debug"
                )));
            }
        };
        if wanted.attach && !container.is_empty() {
            attach::debugged(cmd, &pod, &container).await?;
        }
    }
    found.errors.into_iter().next().map_or(Ok(()), Err)
}

/// Every container's name of a pod.
fn taken(pod: &Value) -> Vec<String> {
    super::podpick::all_containers(pod)
}

fn new_name(cmd: &Cmd, pod: &Value) -> String {
    let given = cmd.flags.str("container");
    if !given.is_empty() {
        return given.to_owned();
    }
    let taken = taken(pod);
    let mut name = format!("debugger-{}", cmd.sim().random_suffix(5));
    while taken.contains(&name) {
        name = format!("debugger-{}", cmd.sim().random_suffix(5));
    }
    if !cmd.flags.bool("quiet") {
        cmd.say(format!("Defaulting debug container name to {name}."));
    }
    name
}

/// A new container as the flags describe it.
fn container(cmd: &Cmd, wanted: &Wanted, name: &str) -> Value {
    let mut c = obj! {
        "image": cmd.flags.str("image"),
        "name": name,
        "resources": obj! {},
        "terminationMessagePolicy": "File",
    };
    words(cmd, wanted, &mut c);
    c.set_or_remove(&["env"], wanted.env.clone());
    c.set_or_remove(&["imagePullPolicy"], cmd.flags.str("image-pull-policy"));
    streams(cmd, &mut c);
    c
}

fn streams(cmd: &Cmd, c: &mut Value) {
    for name in ["stdin", "tty"] {
        if cmd.flags.bool(name) {
            c.set(&[name], true);
        } else {
            c.remove(&[name]);
        }
    }
}

fn words(cmd: &Cmd, wanted: &Wanted, c: &mut Value) {
    if wanted.args.is_empty() {
        return;
    }
    let words: Value = wanted.args.iter().map(|w| Value::from(w.as_str())).collect();
    if cmd.flags.bool("arguments-only") {
        c.set(&["args"], words);
    } else {
        c.set(&["command"], words);
        c.remove(&["args"]);
    }
}

/// Puts the custom profile on top of a container.
fn customize(wanted: &Wanted, c: &mut Value) {
    for (field, value) in wanted.custom.entries() {
        let old = c.get(field).clone();
        let new = match (&old, value) {
            (Value::Map(_), Value::Map(_)) => {
                let mut merged = old.clone();
                for (k, v) in value.entries() {
                    merged.set(&[k], v.clone());
                }
                merged
            }
            (Value::List(_), Value::List(_)) => {
                // Lists of a container merge by their items' names.
                let key = if &**field == "volumeMounts" {
                    "mountPath"
                } else {
                    "name"
                };
                let mut items: Vec<Value> = value.items().to_vec();
                let kept = old
                    .items()
                    .iter()
                    .filter(|o| o.get(key).is_null() || value.items().iter().all(|n| n.get(key) != o.get(key)));
                items.extend(kept.cloned());
                Value::from(items)
            }
            _ => value.clone(),
        };
        c.set(&[field], new);
    }
}

/// A pod whose user is not root may not use what the profile grants.
fn warn_of_user(cmd: &Cmd, pod: &Value, c: &Value) {
    let root = |v: &Value| v.i64_at(&["securityContext", "runAsUser"]);
    let granted =
        c.bool_at(&["securityContext", "privileged"]) || !c.at(&["securityContext", "capabilities", "add"]).is_empty();
    if root(pod.get("spec")).is_some_and(|u| u != 0) && root(c) != Some(0) && granted {
        cmd.err("Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not work. Please consider using \"--custom\" with a custom profile that specifies \"securityContext.runAsUser: 0\".");
    }
}

/// Adds an ephemeral container to a pod.
async fn beside(cmd: &Cmd, wanted: &Wanted, pod: &Value) -> Result<(Value, String), Error> {
    let name = new_name(cmd, pod);
    let mut c = container(cmd, wanted, &name);
    c.set_or_remove(&["targetContainerName"], cmd.flags.str("target"));
    let present = pod.at(&["spec", "ephemeralContainers"]).items();
    // The profile is for every container of the name, one that is there too.
    for _ in present.iter().filter(|e| e.get("name").str() == name) {
        wanted.profile.secure(&mut c);
    }
    wanted.profile.secure(&mut c);
    customize(wanted, &mut c);
    warn_of_user(cmd, pod, &c);
    let pods = cmd.client.resource("", "v1", "pods")?;
    let path = item(
        &pods,
        pod.str_at(&["metadata", "namespace"]),
        pod.str_at(&["metadata", "name"]),
    );
    // The new one stands behind those that are there.
    let mut order: Vec<Value> = present.iter().map(|e| obj! { "name": e.get("name").clone() }).collect();
    order.push(obj! { "name": name.as_str() });
    let patch = obj! {
        "spec": obj! {
            "$setElementOrder/ephemeralContainers": order,
            "ephemeralContainers": list![c],
        },
    };
    let mut request = Request::new(Method::Patch, format!("{path}/ephemeralcontainers")).body(Body::Value(patch));
    request.content_type = PatchType::Strategic.media_type().into();
    let changed = cmd.send(request).await?.value();
    Ok((changed, name))
}

/// Makes a changed copy of a pod.
async fn copy(cmd: &Cmd, wanted: &Wanted, pod: &Value) -> Result<(Value, String), Error> {
    let image = cmd.flags.str("image");
    let mut metadata = obj! { "name": cmd.flags.str("copy-to") };
    metadata.set(&["namespace"], pod.str_at(&["metadata", "namespace"]));
    let mut name = cmd.flags.str("container").to_owned();
    let all = pod.at(&["spec", "containers"]).items();
    let present = all.iter().position(|c| c.get("name").str() == name);
    // A copy with other images alone gets no debugging container, and so nothing of the profile.
    let only_images = present.is_none() && image.is_empty() && !wanted.images.is_empty();
    let keeps = |flag: &str| only_images || cmd.flags.bool(flag);
    for (flag, field) in [("keep-labels", "labels"), ("keep-annotations", "annotations")] {
        if keeps(flag) {
            metadata.set_or_remove(&[field], pod.at(&["metadata", field]).clone());
        }
    }
    let mut spec = pod.get("spec").clone();
    spec.remove(&["ephemeralContainers"]);
    if cmd.flags.has("share-processes") {
        spec.set(&["shareProcessNamespace"], cmd.flags.bool("share-processes"));
    } else if wanted.profile != Profile::Legacy && !only_images {
        spec.set(&["shareProcessNamespace"], true);
    }
    if matches!(wanted.profile, Profile::Baseline | Profile::Restricted) && !only_images {
        spec.remove(&["securityContext"]);
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            spec.remove(&[field]);
        }
    }
    if !cmd.flags.bool("same-node") {
        spec.remove(&["nodeName"]);
    }
    if !keeps("keep-init-containers") {
        spec.remove(&["initContainers"]);
    }
    let mut containers: Vec<Value> = spec.get("containers").items().to_vec();
    for c in &mut containers {
        let other = wanted.images.get(c.get("name").str()).or(wanted.images.get("*"));
        if let Some(other) = other {
            c.set(&["image"], other.as_str());
        }
        for (flag, probe) in [
            ("keep-liveness", "livenessProbe"),
            ("keep-readiness", "readinessProbe"),
            ("keep-startup", "startupProbe"),
        ] {
            if !keeps(flag) {
                c.remove(&[probe]);
            }
        }
    }
    if only_images {
        name.clear();
    } else {
        let i = match present {
            Some(i) => i,
            None if image.is_empty() => {
                return Err(Error::plain("you must specify image when creating new container"));
            }
            None => {
                name = new_name(cmd, pod);
                containers
                    .push(obj! { "name": name.as_str(), "resources": obj! {}, "terminationMessagePolicy": "File" });
                containers.len() - 1
            }
        };
        if let Some(c) = containers.get_mut(i) {
            words(cmd, wanted, c);
            if !wanted.env.is_empty() {
                c.set(&["env"], wanted.env.clone());
            }
            if !image.is_empty() {
                c.set(&["image"], image);
            }
            if !cmd.flags.str("image-pull-policy").is_empty() {
                c.set(&["imagePullPolicy"], cmd.flags.str("image-pull-policy"));
            }
            streams(cmd, c);
            wanted.profile.secure(c);
            customize(wanted, c);
            warn_of_user(cmd, pod, c);
        }
    }
    spec.set(&["containers"], containers);
    let object = obj! { "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec };
    let pods = cmd.client.resource("", "v1", "pods")?;
    let namespace = pod.str_at(&["metadata", "namespace"]).to_owned();
    let write = Write::default();
    let made = cmd.create(&pods, &namespace, &object, &write).await?;
    if cmd.flags.bool("replace") {
        let now = obj! { "apiVersion": "v1", "gracePeriodSeconds": 0, "kind": "DeleteOptions" };
        cmd.remove(&pods, &namespace, pod.str_at(&["metadata", "name"]), &now)
            .await?;
    }
    Ok((made, name))
}

/// Starts a pod on a node.
async fn on_node(cmd: &Cmd, wanted: &Wanted, node: &Value) -> Result<(Value, String), Error> {
    let name = match cmd.flags.str("container") {
        "" => "debugger",
        given => given,
    };
    let node = node.str_at(&["metadata", "name"]);
    let pod = format!("node-debugger-{node}-{}", cmd.sim().random_suffix(5));
    if !cmd.flags.bool("quiet") {
        cmd.say(format!(
            "Creating debugging pod {pod} with container {name} on node {node}."
        ));
    }
    let mut object = obj! {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": obj! {
            "labels": obj! { "app.kubernetes.io/managed-by": "kubectl-debug" },
            "name": pod,
        },
        "spec": obj! {
            "containers": list![container(cmd, wanted, name)],
            "nodeName": node,
            "restartPolicy": "Never",
            "tolerations": list![obj! { "operator": "Exists" }],
        },
    };
    wanted.profile.on_node(&mut object);
    for c in object.at_mut(&["spec", "containers"]).list_mut() {
        customize(wanted, c);
    }
    let pods = cmd.client.resource("", "v1", "pods")?;
    let write = Write::default();
    let made = cmd.create(&pods, &cmd.namespace(), &object, &write).await?;
    Ok((made, name.to_owned()))
}
