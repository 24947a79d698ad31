//! Which pod and which container: what `logs`, `exec`, `attach`, `cp` and `debug` share.

use super::builder::{self, Info, Select};
use super::command::Cmd;
use super::error::Error;
use crate::api::watch::WatchEvent;
use crate::api::{Request, Selector};
use crate::flat::Arrange;
use crate::sim::timeout;
use crate::value::{Value, quoted};

/// The annotation that names the container to choose by default.
const DEFAULT: &str = "kubectl.kubernetes.io/default-container";

/// The one object that `pod`, `TYPE/NAME` or `TYPE NAME` names.
///
/// # Errors
/// The API server's failure.
pub async fn object(cmd: &Cmd, words: &[String]) -> Result<Info, Error> {
    let (of, args) = match words {
        [of, name] => (of.clone(), vec![name.clone()]),
        all => ("pods".to_owned(), all.to_vec()),
    };
    let select = Select {
        args,
        of,
        ..Select::default()
    };
    let found = builder::find(cmd, &select, true).await?;
    Error::all(found.errors)?;
    let info = found
        .infos
        .into_iter()
        .next()
        .ok_or_else(|| Error::plain("no resource was found"))?;
    builder::known_kind(cmd, &info.resource)?;
    Ok(info)
}

/// The selector of the pods of a workload or service.
///
/// # Errors
/// Of a kind that has no pods.
pub fn selector(info: &Info) -> Result<Selector, Error> {
    let spec = info.object.get("spec");
    match &*info.resource.kind {
        "Service" if spec.get("selector").is_empty() => Err(Error::plain(format!(
            "invalid service '{}': Service is defined without a selector",
            info.name
        ))),
        "Service" | "ReplicationController" => Ok(Selector::from_map(spec.get("selector"))),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" => {
            Ok(Selector::from_label_selector(spec.get("selector")))
        }
        kind => Err(Error::plain(format!("selector for *v1.{kind} not implemented"))),
    }
}

/// The pods of a workload, the one to prefer first: running, ready, older ready ones first. Where there is none, the
/// first one is waited for as long as `--pod-running-timeout` says. `what` is done to the pods: `attach to`.
///
/// # Errors
/// Of a kind that has no pods, the API server's failure, or when no pod came.
pub async fn pods_of(cmd: &Cmd, info: &Info, what: &str) -> Result<Vec<Value>, Error> {
    let selector = selector(info)
        .map_err(|e| Error::plain(format!("cannot {what} *v1.{}: {}", info.resource.kind, e.message())))?
        .to_string();
    let resource = cmd.client.resource("", "v1", "pods")?;
    let list = cmd.list(&resource, &info.namespace, &selector, "").await?;
    let mut pods: Vec<Value> = list.get("items").items().to_vec();
    if pods.is_empty() {
        let request = Request::get(resource.path(&info.namespace))
            .with("labelSelector", selector)
            .with("resourceVersion", list.str_at(&["metadata", "resourceVersion"]));
        let mut watch = cmd.watch(request).await?;
        let first = async {
            loop {
                match watch.next().await? {
                    WatchEvent::Added(pod) | WatchEvent::Modified(pod) => return Some(pod.value().clone()),
                    _ => {}
                }
            }
        };
        return match timeout(cmd.sim(), cmd.flags.duration("pod-running-timeout"), first).await {
            Some(Some(pod)) => Ok(vec![pod]),
            Some(None) => Err(Error::plain("watch closed before UntilWithoutRetry timeout")),
            None => Err(Error::plain("timed out waiting for the condition")),
        };
    }
    let rank = |p: &Value| {
        let phase = match p.str_at(&["status", "phase"]) {
            "Running" => 0,
            "Unknown" => 1,
            "Pending" => 2,
            _ => 3,
        };
        let conditions = p.at(&["status", "conditions"]).items();
        let ready = conditions
            .iter()
            .find(|c| c.str_at(&["type"]) == "Ready" && c.str_at(&["status"]) == "True");
        let since = ready.map_or("", |c| c.str_at(&["lastTransitionTime"])).to_owned();
        let assigned = p.str_at(&["spec", "nodeName"]).is_empty();
        (assigned, phase, ready.is_none(), std::cmp::Reverse(since))
    };
    pods.arrange_by_key(rank);
    Ok(pods)
}

/// The object itself where it is a pod, or the first pod of a workload.
///
/// # Errors
/// The API server's failure, or a workload without pods.
pub async fn pod(cmd: &Cmd, info: Info) -> Result<Value, Error> {
    if &*info.resource.kind == "Pod" {
        return Ok(info.object);
    }
    let pods = pods_of(cmd, &info, "attach to").await?;
    let first = pods.into_iter().next();
    first.ok_or_else(|| Error::plain("timed out waiting for the condition"))
}

/// The names of a pod's containers with what kind they are, as messages list them.
pub fn container_names(pod: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (list, kind) in [
        ("containers", ""),
        ("initContainers", " (init)"),
        ("ephemeralContainers", " (ephem)"),
    ] {
        for c in pod.at(&["spec", list]).items() {
            names.push(format!("{}{kind}", c.str_at(&["name"])));
        }
    }
    names
}

/// Every container of a pod, in the order in which they run.
pub fn all_containers(pod: &Value) -> Vec<String> {
    ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .flat_map(|list| pod.at(&["spec", list]).items())
        .map(|c| c.str_at(&["name"]).to_owned())
        .collect()
}

/// The container that was asked for, or the default one, which is said on stderr unless `quiet`.
///
/// # Errors
/// `container x is not valid for pod y out of: …`.
pub fn container(cmd: &Cmd, pod: &Value, asked: &str, quiet: bool) -> Result<String, Error> {
    let name = pod.str_at(&["metadata", "name"]);
    let names = container_names(pod);
    let there = |c: &str| all_containers(pod).iter().any(|n| n == c);
    if !asked.is_empty() {
        if there(asked) {
            return Ok(asked.to_owned());
        }
        return Err(Error::plain(format!(
            "container {asked} is not valid for pod {name} out of: {}",
            names.join(", ")
        )));
    }
    let annotated = pod.at(&["metadata", "annotations"]).str_at(&[DEFAULT]);
    if !annotated.is_empty() {
        if there(annotated) {
            return Ok(annotated.to_owned());
        }
        cmd.err(format!(
            "Default container name {annotated} not found in pod {name}",
            annotated = quoted(&annotated)
        ));
    }
    let first = pod
        .at(&["spec", "containers"])
        .items()
        .first()
        .map_or("", |c| c.str_at(&["name"]));
    if names.len() > 1 && !quiet {
        cmd.err(format!(
            "Defaulted container {first} out of: {}",
            names.join(", "),
            first = quoted(&first)
        ));
    }
    Ok(first.to_owned())
}
