//! `kubectl cluster-info dump`: what a namespace holds, with its pods' logs, as text or as files.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::options::ALL_NAMESPACES;
use super::output::{self, PRINT_JSON, Printer};
use super::{podpick, typed};
use crate::api::client::item;
use crate::api::{Payload, Request};
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("namespaces", '\0', Kind::Slice, "[]"),
    flag("output-directory", '\0', Kind::Str, ""),
    flag("pod-running-timeout", '\0', Kind::Duration, "20s").but(NOT_SIMULATED),
];

pub static DUMP: Verb = Verb {
    name: "dump",
    short: "Dump relevant information for debugging and diagnosis",
    flags: &[FLAGS, ALL_NAMESPACES, PRINT_JSON],
    run: Some(|c| Box::pin(dump(c))),
    ..VERB
};

/// What is dumped of a namespace: group, resource, kind, and the file's name.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("", "events", "EventList", "events"),
    (
        "",
        "replicationcontrollers",
        "ReplicationControllerList",
        "replication-controllers",
    ),
    ("", "services", "ServiceList", "services"),
    ("apps", "daemonsets", "DaemonSetList", "daemonsets"),
    ("apps", "deployments", "DeploymentList", "deployments"),
    ("apps", "replicasets", "ReplicaSetList", "replicasets"),
    ("", "pods", "PodList", "pods"),
];

async fn dump(cmd: &Cmd) -> Result<(), Error> {
    output::printer(cmd, output::FORMATS)?;
    let extension = match cmd.flags.str("output") {
        format @ ("json" | "yaml") => format,
        _ => "txt",
    };
    objects(cmd, "", ("", "nodes", "NodeList", "nodes"), extension).await?;
    let namespaces = if cmd.flags.bool("all-namespaces") {
        let all = cmd.client.resource("", "v1", "namespaces")?;
        let list = cmd.list(&all, "", "", "").await?;
        let names = list.get("items").items().iter();
        names.map(|n| n.str_at(&["metadata", "name"]).to_owned()).collect()
    } else if cmd.flags.has("namespaces") {
        cmd.flags.all("namespaces").to_vec()
    } else {
        vec!["kube-system".to_owned(), cmd.namespace()]
    };
    let resource = cmd.client.resource("", "v1", "pods")?;
    for namespace in &namespaces {
        let mut pods = Value::Null;
        for kind in KINDS {
            pods = objects(cmd, namespace, *kind, extension).await?;
        }
        for pod in pods.get("items").items() {
            let name = pod.str_at(&["metadata", "name"]);
            let mut text = Vec::new();
            for container in podpick::all_containers(pod) {
                let mark =
                    |what: &str| format!("==== {what} logs for container {container} of pod {namespace}/{name} ====\n");
                text.extend(mark("START").into_bytes());
                let path = format!("{}/log", item(&resource, namespace, name));
                match cmd.send(Request::get(path).with("container", container.as_str())).await {
                    Ok(response) => match response.payload {
                        Payload::Stream(stream) => {
                            while let Some(bytes) = stream.read().await {
                                text.extend(bytes);
                            }
                        }
                        Payload::Text(log) => text.extend(log.into_bytes()),
                        _ => {}
                    },
                    Err(e) => text.extend(format!("Request log error: {}\n", e.message()).into_bytes()),
                }
                text.extend(mark("END").into_bytes());
            }
            put(cmd, &format!("{namespace}/{name}/logs"), "txt", &text)?;
        }
    }
    match cmd.flags.str("output-directory") {
        "" | "-" => {}
        folder => cmd.say(format!("Cluster info dumped to {folder}")),
    }
    Ok(())
}

/// Dumps the objects of a kind, and returns their list.
async fn objects(
    cmd: &Cmd,
    namespace: &str,
    (group, name, kind, file): (&str, &str, &str, &str),
    extension: &str,
) -> Result<Value, Error> {
    let resource = cmd.client.resource(group, "v1", name)?;
    let mut list = cmd.list(&resource, namespace, "", "").await?;
    list.set(&["kind"], kind);
    // Items of a typed list do not repeat what they are.
    typed::strip_items(&mut list, |_| true);
    let mut text = String::new();
    if extension == "json" {
        Printer::TypedJson.write(cmd, &list, &mut |part| text.push_str(part))?;
    } else if let Some(mut printer) = output::printer(cmd, output::FORMATS)? {
        printer.write(cmd, &list, &mut |part| text.push_str(part))?;
    }
    let path = if namespace.is_empty() {
        file.to_owned()
    } else {
        format!("{namespace}/{file}")
    };
    put(cmd, &path, extension, text.as_bytes())?;
    Ok(list)
}

/// Prints a part, or writes its file.
fn put(cmd: &Cmd, name: &str, extension: &str, text: &[u8]) -> Result<(), Error> {
    let folder = cmd.flags.str("output-directory");
    if matches!(folder, "" | "-") {
        cmd.cx.stdout.write(text);
        return Ok(());
    }
    let shown = format!("{}/{name}.{extension}", folder.trim_end_matches('/'));
    let path = cmd.cx.path(&shown);
    let files = &cmd.cx.files;
    files
        .make_dirs(crate::shell::dir_name(&path))
        .and_then(|()| files.write(&path, text))
        .map_err(|e| Error::plain(e.opening(&shown)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;

    #[test]
    fn prints_and_writes_files() {
        let text = run("kubectl cluster-info dump --namespaces default | head -4");
        assert_eq!(
            text,
            "{\n    \"kind\": \"NodeList\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {\n"
        );
        let text = run(
            "kubectl cluster-info dump -o yaml --output-directory=d; ls d d/default; head -1 d/kube-system/etcd*/logs.txt",
        );
        assert_eq!(
            text,
            "Cluster info dumped to d\nd:\ndefault\nkube-system\nnodes.yaml\n\nd/default:\ndaemonsets.yaml\ndeployments.yaml\n\
             events.yaml\npods.yaml\nreplicasets.yaml\nreplication-controllers.yaml\nservices.yaml\n==== START logs for \
             container etcd of pod kube-system/etcd-k8s-master ====\n"
        );
    }
}
