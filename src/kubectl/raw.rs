//! `--raw`: a request of a path that the user typed, and its answer as it comes over the wire.

use super::command::Cmd;
use super::error::Error;
use super::typed::{wire, wire_event};
use crate::api::watch;
use crate::api::{Body, Method, Payload, Request, Response, Session, Status, Watch, WatchEvent};
use crate::net::{HttpResponse, Parsed};
use crate::value::{gojson, quoted};

/// A request of a path that a user typed, with its query.
pub fn request(method: Method, raw: &str) -> Request {
    let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
    let mut request = Request::new(method, path);
    for part in query.split('&').filter(|p| !p.is_empty()) {
        let (k, v) = part.split_once('=').unwrap_or((part, "true"));
        request.query.push((decode(k), decode(v)));
    }
    request
}

/// What the API server says to a plain request of a path that only a connection of another protocol can use.
pub const NO_UPGRADE: &str = "Upgrade request required";

/// Whether it is such a path.
pub fn upgrades(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    matches!(
        parts.as_slice(),
        [
            "api",
            "v1",
            "namespaces",
            _,
            "pods",
            _,
            "exec" | "attach" | "portforward"
        ]
    )
}

/// Percent-decoding of a query.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                match u8::from_str_radix(&hex, 16) {
                    Ok(b) => bytes.push(b),
                    Err(_) => bytes.extend(format!("%{hex}").bytes()),
                }
            }
            b => bytes.push(b),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `--raw` of a verb that sends a file: its bytes as they are.
///
/// # Errors
/// When it is not one file, or the API server refuses it.
pub async fn send_file(cmd: &Cmd, method: Method, path: &str) -> Result<(), Error> {
    let [file] = cmd.flags.all("filename") else {
        return Err(Error::plain("--raw can only use a single local file or stdin"));
    };
    if file.starts_with("http://") || file.starts_with("https://") {
        return Err(Error::plain("--raw cannot read from a url"));
    }
    let exclusive = [
        ("recursive", "--recursive"),
        ("selector", "--selector (-l)"),
        ("output", "--output"),
    ];
    for (flag, name) in exclusive {
        if cmd.flags.knows(flag) && !matches!(cmd.flags.str(flag), "" | "false") {
            return Err(Error::plain(format!("--raw and {name} are mutually exclusive")));
        }
    }
    if !path.starts_with('/') {
        return Err(Error::plain(format!(
            "--raw must be a valid URL path: parse {path}: invalid URI for request",
            path = quoted(&path)
        )));
    }
    let bytes = if file == "-" {
        cmd.cx.stdin.read_text().await.into_bytes()
    } else {
        let at = cmd.cx.path(file);
        if cmd.cx.files.is_dir(&at) {
            return Err(Error::Text(format!(
                "Unable to connect to the server: read {file}: is a directory"
            )));
        }
        cmd.cx
            .files
            .read(&at)
            .map_err(|e| Error::plain(e.reading(file)))?
            .to_vec()
    };
    let mut request = request(method, path).body(Body::Bytes(bytes));
    request.content_type = "application/json".into();
    send(cmd, request).await
}

/// Sends a request and writes the answer as it comes: of a watch each event, of a log each piece.
///
/// # Errors
/// The API server's failure, or why what a `proxy` path leads to did not answer.
pub async fn send(cmd: &Cmd, request: Request) -> Result<(), Error> {
    let is_upgraded = upgrades(&request.path);
    let answer = cmd.send(request).await.map_err(|e| match e {
        // Nobody knows the resource that a path names.
        Error::Status(status) if status.is_of_page() => {
            let said = status.message().split(" (").next().unwrap_or("").to_owned();
            Error::Status(status.saying(said))
        }
        other => other,
    })?;
    match answer.payload {
        Payload::Watch(watch) => events(cmd, *watch).await?,
        Payload::Stream(stream) => {
            while let Some(bytes) = stream.read().await {
                if !cmd.cx.stdout.write(&bytes) {
                    break;
                }
            }
        }
        Payload::Session(session) if is_upgraded => {
            session.hang_up();
            return Err(Error::Status(Status::bad_request(NO_UPGRADE)));
        }
        Payload::Session(session) => cmd.out(proxied(session).await?),
        Payload::Text(text) => cmd.out(text),
        // A document that is of no kind, such as the version's.
        Payload::Value(value) if !value.has("kind") => cmd.say(gojson::compact(&value, true)),
        payload => cmd.say(wire(&Response::new(200, payload).value(), false)),
    }
    Ok(())
}

async fn events(cmd: &Cmd, mut watch: Watch) -> Result<(), Error> {
    while let Some(event) = watch.next().await {
        if !cmd.cx.stdout.write(line(&watch, &event).as_bytes()) {
            break;
        }
    }
    Ok(())
}

/// An event of a watch as it stands on the wire, with the end of its line.
pub fn line(watch: &Watch, event: &WatchEvent) -> String {
    let object = match event {
        WatchEvent::Bookmark(revision) => watch::bookmark(watch.resource(), *revision),
        WatchEvent::Error(status) => status.to_value(),
        other => other.object().map(|o| o.value().clone()).unwrap_or_default(),
    };
    wire_event(event.name(), &object)
}

/// The body of an HTTP answer from what a `proxy` path leads to.
async fn proxied(session: Session) -> Result<String, Error> {
    let bytes = session.stdout.read_all().await;
    session.exit().await?;
    let Parsed::Whole(answer, _) = HttpResponse::parse(&bytes) else {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    };
    if answer.status < 400 {
        return Ok(answer.text());
    }
    let (reason, said) = match answer.status {
        404 => ("NotFound", "the server could not find the requested resource"),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        500 => ("InternalError", UNKNOWN),
        _ => ("", UNKNOWN),
    };
    Err(Error::Status(Status::failure(answer.status, reason, said)))
}

/// What is said of an HTTP status that means nothing more.
const UNKNOWN: &str = "an error on the server has prevented the request from succeeding";

#[cfg(test)]
mod tests {
    use super::super::testing::run_in;
    use crate::world::{Options, World};
    use expect_test::expect;
    use std::time::Duration;

    #[test]
    fn watches_and_logs_come_as_they_are_written() {
        let world = World::new(&Options::default()).unwrap();
        let run = |line: &str| run_in(&world, line).0;
        run("kubectl create cm a; kubectl run talk --image=busybox -- sh -c 'echo one; sleep 3; echo two; sleep 60'");
        run("kubectl wait pod talk --for=condition=Ready");
        let shown = run("(sleep 1; kubectl label cm a x=y; kubectl delete cm a) >/dev/null & \
             kubectl get --raw '/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=4&allowWatchBookmarks=true&fieldSelector=metadata.name=a' \
             | sed -E 's/(uid|creationTimestamp|resourceVersion|time)\":\"[^\"]*/\\1\":\"…/g; s/\"managedFields.*/…/'");
        expect![[r#"
            {"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…"}}}
            {"type":"MODIFIED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…","labels":{"x":"y"}}}}
            {"type":"DELETED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…","labels":{"x":"y"}}}}
            {"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"…"}}}
        "#]].assert_eq(&shown);
        expect![[r#"
            one
            two
        "#]]
        .assert_eq(&run(
            "timeout 2 kubectl get --raw '/api/v1/namespaces/default/pods/talk/log?follow=true'",
        ));
    }

    #[test]
    fn what_is_measured_can_be_read() {
        let world = World::new(&Options::default()).unwrap();
        world.sim().run_for(Duration::from_secs(60));
        let mut told = String::new();
        for line in [
            "kubectl get --raw /metrics | grep -e 'nodes\".*\"LIST' -e '\"namespaces\"'",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/stats/summary | grep -o -e podRef -e 'nodeName.*01'",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics/resource | grep -e ^node -e container=.kube-proxy",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/healthz",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/logs/",
            "kubectl get --raw /api/v1/nodes/nosuch/proxy/metrics",
            "kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics --as=anna",
        ] {
            let (text, _) = run_in(&world, line);
            told.push_str(&format!("$ {line}\n{}\n", text.trim_end()));
        }
        expect![[r#"
            $ kubectl get --raw /metrics | grep -e 'nodes".*"LIST' -e '"namespaces"'
            apiserver_request_total{code="200",component="apiserver",dry_run="",group="storage.k8s.io",resource="csinodes",scope="cluster",subresource="",verb="LIST",version="v1"} 1
            apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="namespaces",scope="cluster",subresource="",verb="LIST",version="v1"} 2
            apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="namespaces",scope="cluster",subresource="",verb="WATCH",version="v1"} 2
            apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="nodes",scope="cluster",subresource="",verb="LIST",version="v1"} 4
            apiserver_storage_objects{resource="namespaces"} 5
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/stats/summary | grep -o -e podRef -e 'nodeName.*01'
            nodeName": "k8s-node-01
            podRef
            podRef
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics/resource | grep -e ^node -e container=.kube-proxy
            container_cpu_usage_seconds_total{container="kube-proxy",namespace="kube-system",pod="kube-proxy-47l45"} 0.0552124
            container_memory_working_set_bytes{container="kube-proxy",namespace="kube-system",pod="kube-proxy-47l45"} 1.67936e+07
            node_cpu_usage_seconds_total 5.343534
            node_memory_working_set_bytes 6.71424512e+08
            container_start_time_seconds{container="kube-proxy",namespace="kube-system",pod="kube-proxy-47l45"} 1.767254372e+09
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics
            # HELP kubelet_running_containers [ALPHA] Number of containers currently running
            # TYPE kubelet_running_containers gauge
            kubelet_running_containers{container_state="running"} 2
            # HELP kubelet_running_pods [ALPHA] Number of pods that have a running pod sandbox
            # TYPE kubelet_running_pods gauge
            kubelet_running_pods 2
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/healthz
            ok
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/logs/
            Error from server (NotFound): the kubelet's /logs is not simulated
            $ kubectl get --raw /api/v1/nodes/nosuch/proxy/metrics
            Error from server (NotFound): nodes "nosuch" not found
            $ kubectl get --raw /api/v1/nodes/k8s-node-01/proxy/metrics --as=anna
            Error from server (Forbidden): nodes "k8s-node-01" is forbidden: User "anna" cannot get resource "nodes/proxy" in API group "" at the cluster scope
        "#]].assert_eq(&told);
    }
}
