//! Subresources other than `/status`: scale, binding, eviction, finalize, token, logs, exec and their
//! kin.

use super::apply::Ownership;
use super::custom;
use super::kinds;
use super::managedfields;
use super::metadata;
use super::metrics::Usage;
use super::object::Object;
use super::patch;
use super::request::{Body, Method, PatchType, Payload, Request, Response};
use super::resource::Resource;
use super::schema;
use super::selector::Selector;
use super::server::{ApiServer, Target};
use super::status::{FieldErrors, Status};
use super::table;
use super::views::pod::set_condition;
use crate::sim::{Time, seconds};
use crate::value::{Value, quoted};
use crate::{list, obj};

pub use super::stream::{ByteStream, Forward, Session};

/// What `kubectl logs` asks.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// The container's name.
    pub container: String,
    /// Whether what is written later comes too.
    pub follow: bool,
    /// Whether the log of the run before is asked for.
    pub previous: bool,
    /// Whether each line begins with its time.
    pub timestamps: bool,
    /// Only so many lines from the end.
    pub tail_lines: Option<usize>,
    /// Lines written before this moment are left out.
    pub since: Option<Time>,
    /// Only so many bytes from the beginning of what is left.
    pub limit_bytes: Option<usize>,
}

/// What `kubectl exec` and `kubectl attach` ask.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// The container's name.
    pub container: String,
    /// The program and its arguments; empty for `attach`.
    pub command: Vec<String>,
    /// Whether the client sends input.
    pub stdin: bool,
    /// Whether the client reads the output.
    pub stdout: bool,
    /// Whether the client reads the errors apart from the output.
    pub stderr: bool,
    /// Whether the program has a terminal.
    pub tty: bool,
}

/// How the API server reaches the kubelets of its nodes. The container is named and exists in the
/// pod's spec; the pod is on a node.
pub trait NodeConnections {
    /// A container's log, and with `follow` what it writes from now on.
    ///
    /// # Errors
    /// 400 as the kubelet answers for containers that have no log.
    fn logs(&self, pod: &Object, options: &LogOptions) -> Result<ByteStream, Status>;

    /// Runs a program in a container. The kubelet reads the session's `stdin`, writes its outputs
    /// and finishes it.
    ///
    /// # Errors
    /// As the kubelet answers for containers that do not run.
    fn exec(&self, _pod: &Object, _options: &ExecOptions) -> Result<Session, Status> {
        Err(Status::bad_request("exec is not simulated by this node"))
    }

    /// Connects to a container's own program.
    ///
    /// # Errors
    /// As the kubelet answers for containers that do not run.
    fn attach(&self, _pod: &Object, _options: &ExecOptions) -> Result<Session, Status> {
        Err(Status::bad_request("attach is not simulated by this node"))
    }

    /// The way to a pod's ports.
    ///
    /// # Errors
    /// As the kubelet answers for a pod that it does not run.
    fn forward(&self, _pod: &Object) -> Result<Forward, Status> {
        Err(Status::bad_request("port-forward is not simulated by this node"))
    }

    /// Sends the bytes of an HTTP request to a port of an address in the cluster, from the node of
    /// the API server. The session's `stdout` gets the response.
    fn reach(&self, _ip: &str, _port: u16, _request: Vec<u8>) -> Session {
        let session = Session::new();
        session.finish(Err(Status::internal("the network cannot be reached")));
        session
    }

    /// What each running container of a pod uses, by name, and when that was measured; nothing for
    /// a pod that was not measured yet.
    fn usage(&self, _pod: &Object) -> Option<(Vec<(String, Usage)>, Time)> {
        None
    }

    /// What a node uses, its pods included; nothing while its kubelet is down.
    fn node_usage(&self, _node: &Object) -> Option<(Usage, Time)> {
        None
    }
}

/// Serves a request to a subresource.
///
/// # Errors
/// The failure that the subresource answers.
pub fn serve(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    match (&*target.resource.name, target.subresource.as_str()) {
        (_, "scale") => scale(api, request, target, warnings),
        ("pods", "binding") => bind(api, request, target, warnings),
        ("pods", "eviction") => evict(api, request, target, warnings),
        ("pods", "log") => logs(api, request, target),
        ("pods", "exec") => connect(api, request, target, false, warnings),
        ("pods", "attach") => connect(api, request, target, true, warnings),
        ("pods", "portforward") => forward(api, request, target, warnings),
        ("pods", "ephemeralcontainers" | "resize") => part_of_pod(api, request, target, warnings),
        ("pods" | "services" | "nodes", proxied) if proxied == "proxy" || proxied.starts_with("proxy/") => {
            let kind = match &*target.resource.name {
                "pods" => "PodProxyOptions",
                "nodes" => "NodeProxyOptions",
                _ => "ServiceProxyOptions",
            };
            let mut options = obj! { "apiVersion": "v1", "kind": kind };
            let path = target.subresource.strip_prefix("proxy").unwrap_or("");
            options.set_or_remove(&["path"], path);
            super::admission::connect(api, request, target, &mut options, warnings)?;
            super::proxy::serve(api, request, target)
        }
        ("namespaces", "finalize") => finalize(api, request, target),
        ("serviceaccounts", "token") => {
            if let (Method::Post, Body::Value(value) | Body::Typed(value)) = (request.method, &request.body) {
                let mut asked = value.clone();
                if asked.at(&["spec", "expirationSeconds"]).is_null() {
                    asked.set(&["spec", "expirationSeconds"], 3_600);
                }
                asked.set(&["apiVersion"], "authentication.k8s.io/v1");
                asked.set(&["kind"], "TokenRequest");
                super::admission::posted(api, request, target, &mut asked, warnings)?;
            }
            super::auth::token::request(api, request, target)
        }
        (_, other) => Err(Status::failure(
            501,
            "",
            format!("the subresource {}/{other} is not simulated", target.resource.name),
        )),
    }
}

/// The body of a request that needs one.
fn body(request: &mut Request) -> Result<Value, Status> {
    match std::mem::take(&mut request.body) {
        Body::Value(v) | Body::Typed(v) => Ok(v),
        _ => Err(Status::bad_request("no body was sent")),
    }
}

fn created() -> Response {
    let value = obj! { "apiVersion": "v1", "code": 201, "kind": "Status", "metadata": obj! {}, "status": "Success" };
    Response::new(201, Payload::Value(value))
}

/// The target of the object itself.
fn whole(target: &Target) -> Target {
    Target {
        subresource: String::new(),
        ..target.clone()
    }
}

/// `autoscaling/v1.Scale` of an object.
fn scale_of(object: &Object) -> Value {
    let selector = match object.kind() {
        "ReplicationController" => Selector::from_map(object.spec().get("selector")),
        _ => Selector::from_label_selector(object.spec().get("selector")),
    };
    let count = |value: &Value| value.i64_at(&["replicas"]).unwrap_or(0);
    let status = obj! { "replicas": count(object.status()), "selector": selector.to_string() };
    scale_value(object, count(object.spec()), status)
}

/// `autoscaling/v1.Scale` of a custom resource, by the paths of its definition.
fn custom_scale(object: &Object, paths: &custom::Scale) -> Value {
    let count = |path: &[String]| custom::at(object.value(), path).as_i64().unwrap_or(0);
    let mut status = obj! { "replicas": count(&paths.status_replicas) };
    status.set_or_remove(&["selector"], custom::at(object.value(), &paths.selector).str());
    scale_value(object, count(&paths.spec_replicas), status)
}

/// `autoscaling/v1.Scale` of an object that asks for so many replicas.
fn scale_value(object: &Object, replicas: i64, status: Value) -> Value {
    let mut metadata = Value::map();
    for field in ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"] {
        metadata.set_or_remove(&[field], object.metadata().get(field).clone());
    }
    let mut spec = Value::map();
    spec.set_or_remove(&["replicas"], replicas);
    obj! { "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status }
}

/// The `Scale` of an object of a resource.
pub(super) fn shown_scale(resource: &Resource, object: &Object) -> Value {
    match resource.custom.as_ref().and_then(|c| c.scale.as_ref()) {
        Some(paths) => custom_scale(object, paths),
        None => scale_of(object),
    }
}

fn scale(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    let old = api.find(&whole(target))?;
    let resource = target.resource.clone();
    let paths = resource.custom.as_ref().and_then(|c| c.scale.as_ref());
    let show = |object: &Object| shown_scale(&resource, object);
    let path_of = |version: &str| api.replicas_path(&resource, version);
    let owners = old.metadata().get("managedFields");
    let mut present = show(&old);
    let asked = |paths: &custom::Scale| !custom::at(old.value(), &paths.spec_replicas).is_null();
    // A custom resource may ask for no replicas at all.
    let missing = paths
        .filter(|paths| !asked(paths))
        .map(|p| format!(".{}", p.spec_replicas.join(".")));
    if request.method == Method::Get {
        if let Some(path) = missing {
            return Err(Status::internal(format!(
                "the spec replicas field {path} does not exist",
                path = quoted(&path)
            )));
        }
        if table::wanted(&request.accept) {
            let now = api.sim().now();
            let include = request.param("includeObject");
            return Ok(Response::from(table::of_scale(&present, old.created(), now, include)));
        }
        return Ok(Response::from(present));
    }
    if missing.is_some() {
        present.remove(&["spec", "replicas"]);
    }
    present.set_or_remove(
        &["metadata", "managedFields"],
        managedfields::to_scale(owners, &path_of),
    );
    let mut applied = false;
    let mut wanted = match request.method {
        Method::Put => {
            let wanted = body(request)?;
            super::server::check_kind(&wanted, "Scale", managedfields::SCALE, false)?;
            wanted
        }
        Method::Patch => {
            let change = body(request)?;
            let mut wanted = present.clone();
            match PatchType::from_media_type(&request.content_type) {
                Some(PatchType::Json) => wanted = patch::json::apply(&present, &change)?,
                Some(PatchType::Merge) => patch::merge(&mut wanted, &change),
                Some(PatchType::Strategic) if paths.is_none() => patch::merge(&mut wanted, &change),
                Some(PatchType::Apply) => {
                    applied = true;
                    wanted = api.apply_scale(request, &present, &change)?;
                }
                _ => return Err(patch::unsupported(resource.custom.is_some())),
            }
            wanted
        }
        _ => return Err(Status::method_not_allowed()),
    };
    if let Some(path) = missing.filter(|_| wanted.at(&["spec", "replicas"]).is_null()) {
        return Err(Status::bad_request(format!(
            "the spec replicas field {path} cannot be empty",
            path = quoted(&path)
        )));
    }
    let replicas = wanted.at(&["spec", "replicas"]);
    let count = match replicas {
        Value::Null => 0,
        other => {
            let fits = other.as_i64().filter(|n| i32::try_from(*n).is_ok());
            fits.ok_or_else(|| {
                let shown = match other.as_i64() {
                    Some(n) => format!("number {n}"),
                    None => patch::strategic::json_kind(other).to_string(),
                };
                Status::bad_request(format!(
                    "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {shown} into Go struct \
                     field ScaleSpec.spec.replicas of type int32"
                ))
            })?
        }
    };
    metadata::check_name(&wanted, old.name())?;
    metadata::check_namespace(&wanted, old.namespace())?;
    let managed = match applied {
        true => wanted.at(&["metadata", "managedFields"]).clone(),
        false => api.scale_owned(request, &present, &wanted),
    };
    super::admission::mutate_scale(api, request, target, &mut wanted, &Object::new(present.clone()))?;
    let count = wanted.i64_at(&["spec", "replicas"]).unwrap_or(count);
    let mut errors = FieldErrors::default();
    metadata::plain(wanted.get("metadata"), &mut errors);
    // Of a custom resource the count is checked as a part of it.
    if count < 0 && paths.is_none() {
        errors.invalid("spec.replicas", &count.into(), "must be greater than or equal to 0");
    }
    if !errors.is_empty() {
        return Err(Status::invalid("autoscaling", "Scale", old.name(), &errors));
    }
    if let Err(why) = metadata::check_uid(&wanted, &old) {
        let resource = format!("{}/scale", target.resource.name);
        return Err(Status::conflict(&target.resource.group, &resource, old.name(), &why));
    }
    metadata::check_version(&wanted, &old, &target.resource)?;
    let mut value = old.value().clone();
    match paths {
        Some(paths) => {
            let path: Vec<&str> = paths.spec_replicas.iter().map(String::as_str).collect();
            value.set(&path, count);
        }
        None => value.set(&["spec", "replicas"], count),
    }
    let api_version = resource.api_version();
    let managed = managedfields::from_scale(owners, &managed, &api_version, &path_of);
    let object = api.update_owned(request, target, &old, value, Ownership::Applied(managed), warnings)?;
    Ok(Response::from(show(&object)))
}

/// Puts a pod on a node, as the scheduler decided.
fn bind(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    if request.method != Method::Post {
        return Err(Status::method_not_allowed());
    }
    let mut binding = body(request)?;
    binding.set(&["apiVersion"], "v1");
    binding.set(&["kind"], "Binding");
    super::admission::posted(api, request, target, &mut binding, warnings)?;
    let target = Target {
        resource: api.resource("", "v1", "pods").ok_or_else(Status::no_such_path)?,
        name: match target.name.as_str() {
            "" => binding.str_at(&["metadata", "name"]).to_owned(),
            name => name.to_owned(),
        },
        ..whole(target)
    };
    let node = binding.str_at(&["target", "name"]);
    if binding.str_at(&["metadata", "name"]) != target.name {
        let why = "name in URL does not match name in Binding object";
        return Err(Status::bad_request(why));
    }
    let pod = api.find(&target)?;
    let name = pod.name();
    let mut errors = FieldErrors::default();
    if !matches!(binding.str_at(&["target", "kind"]), "" | "Node") {
        errors.not_supported("target.kind", binding.at(&["target", "kind"]), &["Node", "<empty>"]);
    }
    if node.is_empty() {
        errors.required("target.name", "");
    }
    if !errors.is_empty() {
        // The real server answers with the bare errors.
        return Err(Status::failure(500, "", errors.sentence()));
    }
    let conflict = |why: String| Err(Status::conflict("", "pods/binding", name, &why));
    if let Err(why) = metadata::check_uid(&binding, &pod) {
        return conflict(why);
    }
    if pod.is_deleting() {
        return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let bound = pod.spec().get("nodeName").str();
    if !bound.is_empty() {
        return conflict(format!(
            "pod {name} is already assigned to node {bound}",
            bound = quoted(&bound)
        ));
    }
    if !pod.spec().get("schedulingGates").is_empty() {
        return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut value = pod.value().clone();
    value.set(&["spec", "nodeName"], node);
    for field in ["annotations", "labels"] {
        for (key, v) in binding.at(&["metadata", field]).entries() {
            value.set(&["metadata", field, key], v.clone());
        }
    }
    super::admission::pods::topology_labels(api, &mut value);
    // A node that preemption had promised is no news once the pod has one.
    value.remove(&["status", "nominatedNodeName"]);
    let condition = obj! { "status": "True", "type": "PodScheduled" };
    set_condition(&mut value, condition, api.sim().now());
    if !request.dry_run() {
        api.put(request, &target, value)?;
    }
    Ok(created())
}

/// Deletes a pod where its disruption budget allows that.
fn evict(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    if request.method != Method::Post {
        return Err(Status::method_not_allowed());
    }
    let mut eviction = body(request)?;
    eviction.set(&["apiVersion"], "policy/v1");
    eviction.set(&["kind"], "Eviction");
    super::admission::posted(api, request, target, &mut eviction, warnings)?;
    let target = whole(target);
    if eviction.str_at(&["metadata", "name"]) != target.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let pod = api.find(&target)?;
    let options = eviction.get("deleteOptions").clone();
    let dry_run = request.dry_run() || options.get("dryRun").items().iter().any(|v| v.str() == "All");
    // What does not run, or ends already, breaks no budget.
    let unprotected =
        matches!(pod.status().get("phase").str(), "Pending" | "Succeeded" | "Failed") || pod.is_deleting();
    if !unprotected {
        spend_budget(api, request, &pod, dry_run)?;
    }
    if dry_run {
        return Ok(created());
    }
    if !pod.is_deleting() {
        let mut value = pod.value().clone();
        let condition = obj! {
            "message": "Eviction API: evicting",
            "reason": "EvictionByEvictionAPI",
            "status": "True",
            "type": "DisruptionTarget",
        };
        set_condition(&mut value, condition, api.sim().now());
        let marked = api.put(request, &target, value)?;
        api.delete_admitted(request, &target, &marked, &options)?;
    }
    Ok(created())
}

/// Takes one disruption from the pod's budget, if it has one.
fn spend_budget(api: &ApiServer, request: &Request, pod: &Object, dry_run: bool) -> Result<(), Status> {
    let shelf = "poddisruptionbudgets.policy";
    let budgets: Vec<Object> = api
        .store()
        .list(shelf, pod.namespace())
        .into_iter()
        .filter(|b| Selector::from_label_selector(b.spec().get("selector")).matches(pod.labels()))
        .collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(()),
        [one] => one,
        _ => {
            return Err(Status::failure(
                500,
                "",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
    };
    let status = budget.status();
    let count = |field: &str| status.i64_at(&[field]).unwrap_or(0);
    let refuse = |message: String| {
        Err(Status::too_many_requests(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            list![obj! { "message": message, "reason": "DisruptionBudget" }],
        ))
    };
    // A pod that is not ready may go where the budget says so, or where enough others are healthy.
    let ready = pod.condition("Ready").is_some_and(|c| c.get("status").str() == "True");
    let always = budget.spec().get("unhealthyPodEvictionPolicy").str() == "AlwaysAllow";
    if !ready && (always || (count("currentHealthy") >= count("desiredHealthy") && count("desiredHealthy") > 0)) {
        return Ok(());
    }
    if status.i64_at(&["observedGeneration"]).unwrap_or(0) < budget.generation() {
        return refuse(format!(
            "The disruption budget {} is still being processed by the server.",
            budget.name()
        ));
    }
    if count("disruptionsAllowed") <= 0 {
        let (desired, current) = (count("desiredHealthy"), count("currentHealthy"));
        let told = budget
            .condition("DisruptionAllowed")
            .filter(|c| c.str_at(&["status"]) == "False" && !c.str_at(&["message"]).is_empty())
            .map(|c| (c.str_at(&["reason"]), c.str_at(&["message"])));
        let why = match told {
            // The numbers are from before.
            Some(("SyncFailed", why)) => {
                format!("does not allow evicting pods currently because it failed sync: {why}")
            }
            _ if current <= desired => format!("needs {desired} healthy pods and has {current} currently"),
            Some((reason, why)) => format!("does not allow evicting pods currently ({reason}): {why}"),
            None => "does not allow evicting pods currently".to_owned(),
        };
        return refuse(format!("The disruption budget {} {why}", budget.name()));
    }
    if dry_run {
        return Ok(());
    }
    let mut value = budget.value().clone();
    value.set(&["status", "disruptionsAllowed"], count("disruptionsAllowed") - 1);
    value.set(&["status", "disruptedPods", pod.name()], api.sim().now());
    if let Some(resource) = api.resource("policy", "v1", "poddisruptionbudgets") {
        let target = Target {
            resource,
            namespace: budget.namespace().to_owned(),
            name: budget.name().to_owned(),
            subresource: String::new(),
        };
        api.put(request, &target, value)?;
    }
    Ok(())
}

/// The container that a request to a pod means.
fn container_of(pod: &Object, asked: &str) -> Result<String, Status> {
    let names = |field: &str| -> Vec<String> {
        pod.spec()
            .get(field)
            .items()
            .iter()
            .map(|c| c.get("name").str().to_owned())
            .collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let ephemerals = names("ephemeralContainers");
    if !asked.is_empty() {
        if containers.iter().chain(&inits).chain(&ephemerals).any(|n| n == asked) {
            return Ok(asked.to_owned());
        }
        return Err(Status::bad_request(format!(
            "container {asked} is not valid for pod {}",
            pod.name()
        )));
    }
    match containers.as_slice() {
        [one] => Ok(one.clone()),
        many => {
            let mut why = format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                pod.name(),
                many.join(" ")
            );
            for (what, list) in [("init", &inits), ("ephemeral", &ephemerals)] {
                if !list.is_empty() {
                    why.push_str(&format!(" or one of the {what} containers: [{}]", list.join(" ")));
                }
            }
            Err(Status::bad_request(why))
        }
    }
}

fn logs(api: &ApiServer, request: &Request, target: &Target) -> Result<Response, Status> {
    if request.method != Method::Get {
        return Err(Status::method_not_allowed());
    }
    let pod = api.find(&whole(target))?;
    let mut errors = FieldErrors::default();
    let mut number = |name: &str, least: i64, rule: &str| {
        let n = request.param(name).parse::<i64>().ok();
        if let Some(n) = n.filter(|n| *n < least) {
            errors.invalid(name, &n.into(), rule);
        }
        n
    };
    let tail = number("tailLines", 0, "must be greater than or equal to 0");
    let limit = number("limitBytes", 1, "must be greater than 0");
    let since = number("sinceSeconds", 1, "must be greater than 0");
    // A text that is no time cannot even be decoded; an empty one and `null` are none.
    let since_time = match request.param("sinceTime") {
        "" | "null" => None,
        text => Some(Time::parse(text).ok_or_else(|| Status::bad_request(Time::unparsed(text)))?),
    };
    if since.is_some() && since_time.is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.forbidden("", why);
    }
    if !errors.is_empty() {
        return Err(Status::invalid("", "PodLogOptions", pod.name(), &errors));
    }
    let options = LogOptions {
        container: container_of(&pod, request.param("container"))?,
        follow: request.flag("follow"),
        previous: request.flag("previous"),
        timestamps: request.flag("timestamps"),
        tail_lines: tail.and_then(|n| usize::try_from(n).ok()),
        since: since.map(|n| api.sim().now() - seconds(n)).or(since_time),
        limit_bytes: limit.and_then(|n| usize::try_from(n).ok()),
    };
    if pod.spec().get("nodeName").is_empty() {
        return Ok(Response::new(200, Payload::Stream(ByteStream::finished(""))));
    }
    let nodes = api.node_connections().ok_or_else(|| no_kubelet(&pod))?;
    Ok(Response::new(200, Payload::Stream(nodes.logs(&pod, &options)?)))
}

fn no_kubelet(pod: &Object) -> Status {
    Status::internal(format!(
        "the kubelet of node {} cannot be reached",
        pod.spec().get("nodeName").str()
    ))
}

fn connect(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    attach: bool,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    let command: Vec<String> = request
        .query
        .iter()
        .filter(|(k, _)| k == "command")
        .map(|(_, v)| v.clone())
        .collect();
    let kind = if attach { "PodAttachOptions" } else { "PodExecOptions" };
    let mut asked = obj! { "apiVersion": "v1", "kind": kind };
    for stream in ["stdin", "stdout", "stderr", "tty"] {
        if request.flag(stream) {
            asked.set(&[stream], true);
        }
    }
    asked.set_or_remove(&["container"], request.param("container"));
    asked.set_or_remove(
        &["command"],
        command.iter().map(|c| Value::from(c.as_str())).collect::<Value>(),
    );
    super::admission::connect(api, request, target, &mut asked, warnings)?;
    let pod = api.find(&whole(target))?;
    let options = ExecOptions {
        container: container_of(&pod, request.param("container"))?,
        command,
        stdin: request.flag("stdin"),
        stdout: request.flag("stdout"),
        stderr: request.flag("stderr"),
        tty: request.flag("tty"),
    };
    if !attach && options.command.is_empty() {
        return Err(Status::bad_request(
            "you must specify at least 1 command for the container",
        ));
    }
    if pod.spec().get("nodeName").is_empty() {
        return Err(Status::bad_request(format!(
            "pod {} does not have a host assigned",
            pod.name()
        )));
    }
    let nodes = api.node_connections().ok_or_else(|| no_kubelet(&pod))?;
    let session = if attach {
        nodes.attach(&pod, &options)?
    } else {
        nodes.exec(&pod, &options)?
    };
    Ok(Response::new(101, Payload::Session(session)))
}

fn forward(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    let ports = request.query.iter().filter(|(k, _)| k == "ports");
    let ports: Value = ports
        .filter_map(|(_, v)| v.parse::<i64>().ok())
        .map(Value::from)
        .collect();
    let mut asked = obj! { "apiVersion": "v1", "kind": "PodPortForwardOptions" };
    asked.set_or_remove(&["ports"], ports);
    super::admission::connect(api, request, target, &mut asked, warnings)?;
    let pod = api.find(&whole(target))?;
    if pod.spec().get("nodeName").is_empty() {
        return Err(Status::bad_request(format!(
            "pod {} does not have a host assigned",
            pod.name()
        )));
    }
    let nodes = api.node_connections().ok_or_else(|| no_kubelet(&pod))?;
    Ok(Response::new(101, Payload::Forward(nodes.forward(&pod)?)))
}

/// `/ephemeralcontainers` and `/resize`: a pod's update that may change that one part.
fn part_of_pod(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Response, Status> {
    let part = target.subresource.clone();
    let target = whole(target);
    let old = api.find(&target)?;
    let wanted = match request.method {
        Method::Get => return Ok(api.represent(request, &target, old)),
        Method::Put => body(request)?,
        Method::Patch => {
            let change = body(request)?;
            let kind = PatchType::from_media_type(&request.content_type)
                .ok_or_else(|| Status::unsupported_media_type("the body of the request was in an unknown format"))?;
            let ty = schema::by_kind("v1", "Pod");
            patch::apply(kind, &old, &change, ty.as_deref())?
        }
        _ => return Err(Status::method_not_allowed()),
    };
    let mut wanted = api.decode(&wanted, request, &target, warnings)?;
    target.strategy().defaults(&mut wanted);
    let of_part = Target {
        subresource: part.clone(),
        ..target.clone()
    };
    super::admission::part(api, request, &of_part, &mut wanted, &old)?;
    super::metadata::check_precondition(&wanted, &old, &target.resource)?;
    let mut value = old.value().clone();
    let mut errors = FieldErrors::default();
    if part == "ephemeralcontainers" {
        let field = "spec.ephemeralContainers";
        let new = wanted.at(&["spec", "ephemeralContainers"]);
        for had in old.spec().get("ephemeralContainers").items() {
            let same = new.items().iter().find(|c| c.get("name") == had.get("name"));
            if same.is_none() {
                errors.forbidden(
                    field,
                    format!(
                        "existing ephemeral containers {} may not be removed\n",
                        quoted(&had.get("name").str())
                    ),
                );
            } else if same != Some(had) {
                errors.forbidden(
                    field,
                    format!(
                        "existing ephemeral containers {} may not be changed\n",
                        quoted(&had.get("name").str())
                    ),
                );
            }
        }
        value.set(&["spec", "ephemeralContainers"], new.clone());
    } else {
        let containers = wanted.at(&["spec", "containers"]).items().to_vec();
        for container in value.at_mut(&["spec", "containers"]).list_mut() {
            let same = containers.iter().find(|c| c.get("name") == container.get("name"));
            if let Some(wanted) = same {
                container.set(&["resources"], wanted.get("resources").clone());
            }
        }
        target.strategy().validate(&value, &mut errors);
        kinds::pod::validate_resize(&value, &old, &mut errors);
    }
    if value.get("spec") != old.spec() {
        value.set(&["metadata", "generation"], old.generation() + 1);
    }
    if part == "ephemeralcontainers" {
        let mut of_spec = FieldErrors::default();
        target.strategy().validate(&value, &mut of_spec);
        of_spec.0.append(&mut errors.0);
        errors = of_spec;
        if old.annotation(super::names::MIRROR).is_some() {
            errors = FieldErrors::default();
            errors.forbidden("[]", "static pods do not support ephemeral containers");
        }
    }
    if !errors.is_empty() {
        return Err(Status::invalid("", "Pod", old.name(), &errors));
    }
    let unchanged = value.share_with(old.value());
    if !unchanged {
        super::admission::validate(api, request, &of_part, &value, Some(&old), warnings)?;
        let managed = api.owned(request, &target, Some(&old), &value, &Value::Null, &part);
        value.set_or_remove(&["metadata", "managedFields"], managed);
    }
    if unchanged || request.dry_run() {
        return Ok(api.represent(request, &target, Object::new(value)));
    }
    let object = api.put(request, &target, value)?;
    Ok(api.represent(request, &target, object))
}

/// Sets a namespace's own finalizers; one that is being deleted goes with its last.
fn finalize(api: &ApiServer, request: &mut Request, target: &Target) -> Result<Response, Status> {
    if request.method != Method::Put {
        return Err(Status::method_not_allowed());
    }
    let wanted = body(request)?;
    let target = whole(target);
    super::metadata::check_name(&wanted, &target.name)?;
    let old = api.find(&target)?;
    super::metadata::check_precondition(&wanted, &old, &target.resource)?;
    let mut value = old.value().clone();
    let finalizers = wanted.at(&["spec", "finalizers"]).clone();
    let mut errors = FieldErrors::default();
    for (i, name) in finalizers.items().iter().enumerate() {
        super::kinds::namespace::finalizer_name(name, &format!("spec.finalizers[{i}]"), &mut errors);
    }
    if !errors.is_empty() {
        return Err(Status::invalid("", "Namespace", old.name(), &errors));
    }
    if finalizers.is_empty() {
        value.set(&["spec"], Value::map());
    } else {
        value.set(&["spec", "finalizers"], finalizers);
    }
    value.share_with(old.value());
    let managed = api.owned(request, &target, Some(&old), &value, &Value::Null, "finalize");
    value.set_or_remove(&["metadata", "managedFields"], managed);
    let object = match request.dry_run() {
        true => Object::new(value),
        false => api.put_or_finish(request, &target, value)?,
    };
    Ok(api.represent(request, &target, object))
}

/// Answers `bindings`, which bind by their body's name and are never stored. `None` for any other
/// resource.
///
/// # Errors
/// The failure of the binding.
pub fn binding(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Option<Response>, Status> {
    if request.method != Method::Post || !target.resource.group.is_empty() || &*target.resource.name != "bindings" {
        return Ok(None);
    }
    bind(api, request, target, warnings).map(Some)
}
