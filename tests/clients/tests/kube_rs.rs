//! The crate kube against `kubetab serve`: what programs in Rust do with a cluster, over HTTP with TLS and
//! WebSockets, on a clock that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, AttachParams, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, Error};
use kubetab_clients::{Folder, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test with a server of its own, and a client of it.
fn with_client<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Client) -> F) {
    let folder = Folder::new(&format!("kube-rs-{name}"));
    let server = Server::start(&folder.0, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let kubeconfig = Kubeconfig::read_from(&server.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        tokio::time::timeout(PATIENCE, test(client))
            .await
            .expect("the test ends");
    });
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "labels": { "set": "demo" } },
        "data": { "key": value },
    }))
    .unwrap()
}

/// A pod that runs, of one container of busybox.
async fn running(client: &Client, name: &str, script: &str) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "containers": [{ "name": "c", "image": "busybox", "command": ["sh", "-c", script] }] },
    }));
    pods.create(&PostParams::default(), &pod.unwrap()).await.unwrap();
    let fields = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let states = watcher(pods.clone(), fields).applied_objects();
    let mut ready = std::pin::pin!(states.try_filter(|pod| {
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        std::future::ready(phase == Some("Running"))
    }));
    ready.next().await.expect("the watch goes on").unwrap();
    pods
}

#[test]
fn objects_are_made_listed_watched_and_deleted() {
    with_client("objects", async |client| {
        assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        let made = maps
            .create(&PostParams::default(), &config_map("one", "1"))
            .await
            .unwrap();
        let version = made.metadata.resource_version.expect("it has a version");
        let taken = maps.create(&PostParams::default(), &config_map("one", "1")).await;
        assert!(matches!(taken, Err(Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists"));
        for name in ["two", "three"] {
            maps.create(&PostParams::default(), &config_map(name, "1"))
                .await
                .unwrap();
        }
        let mut names = Vec::new();
        let mut params = ListParams::default().labels("set=demo").limit(2);
        loop {
            let page = maps.list(&params).await.unwrap();
            names.extend(page.items.iter().filter_map(|m| m.metadata.name.clone()));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        assert_eq!(names, ["one", "three", "two"]);
        let mut seen =
            std::pin::pin!(watcher(maps.clone(), watcher::Config::default().labels("set=demo")).applied_objects());
        for _ in 0..3 {
            seen.next().await.unwrap().unwrap();
        }
        let mut old = config_map("one", "2");
        old.metadata.resource_version = Some(version);
        maps.replace("one", &PostParams::default(), &old).await.unwrap();
        let changed = seen.next().await.unwrap().unwrap();
        assert_eq!(changed.data.unwrap()["key"], "2");
        let stale = maps.replace("one", &PostParams::default(), &old).await;
        assert!(matches!(stale, Err(Error::Api(status)) if status.reason == "Conflict"));
        maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("set=demo"))
            .await
            .unwrap();
        assert!(maps.get_opt("one").await.unwrap().is_none());
    });
}

#[test]
fn patches_of_each_kind() {
    with_client("patches", async |client| {
        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        maps.create(&PostParams::default(), &config_map("one", "1"))
            .await
            .unwrap();
        let params = PatchParams::default();
        let change = Patch::Merge(json!({ "data": { "more": "x", "key": null } }));
        let merged = maps.patch("one", &params, &change).await.unwrap();
        let expected = BTreeMap::from([("more".to_owned(), "x".to_owned())]);
        assert_eq!(merged.data, Some(expected));
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        let manifest = |replicas: i32| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "name": "web" },
                "spec": {
                    "replicas": replicas,
                    "selector": { "matchLabels": { "app": "web" } },
                    "template": {
                        "metadata": { "labels": { "app": "web" } },
                        "spec": { "containers": [{ "name": "web", "image": "nginx" }] },
                    },
                },
            })
        };
        let ours = PatchParams::apply("ours");
        let applied = deployments
            .patch("web", &ours, &Patch::Apply(manifest(2)))
            .await
            .unwrap();
        assert_eq!(applied.spec.replicas, Some(2));
        let theirs = PatchParams::apply("theirs");
        let conflict = deployments.patch("web", &theirs, &Patch::Apply(manifest(3))).await;
        assert!(
            matches!(conflict, Err(Error::Api(status)) if status.code == 409),
            "two owners of one field"
        );
        let (force, wanted) = (theirs.force(), Patch::Apply(manifest(3)));
        let forced = deployments.patch("web", &force, &wanted).await.unwrap();
        assert_eq!(forced.spec.replicas, Some(3));
        // A strategic patch finds the container by its name and keeps the others.
        let side =
            json!({ "spec": { "template": { "spec": { "containers": [{ "name": "side", "image": "busybox" }] } } } });
        let both = deployments
            .patch("web", &params, &Patch::Strategic(side))
            .await
            .unwrap();
        let containers = both.spec.template.spec.unwrap().containers;
        let mut names: Vec<String> = containers.into_iter().map(|c| c.name).collect();
        names.sort();
        assert_eq!(names, ["side", "web"]);
        let one = Patch::Merge(json!({ "spec": { "replicas": 1 } }));
        let scale = deployments.patch_scale("web", &params, &one).await.unwrap();
        assert_eq!(scale.spec.unwrap().replicas, Some(1));
    });
}

#[test]
fn commands_and_logs_of_a_pod() {
    with_client("pods", async |client| {
        let pods = running(&client, "talker", "echo first; echo second; sleep 1000").await;
        let last = LogParams {
            tail_lines: Some(1),
            ..LogParams::default()
        };
        assert_eq!(pods.logs("talker", &last).await.unwrap(), "second\n");
        let follow = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let mut lines = pods.log_stream("talker", &follow).await.unwrap().lines();
        assert_eq!(lines.try_next().await.unwrap().as_deref(), Some("first"));
        let params = AttachParams::default().stdin(true).stderr(false);
        let mut process = pods
            .exec("talker", ["sh", "-c", "read line; echo got $line; exit 3"], &params)
            .await
            .unwrap();
        let mut input = process.stdin().unwrap();
        input.write_all(b"hello\n").await.unwrap();
        let mut output = String::new();
        process.stdout().unwrap().read_to_string(&mut output).await.unwrap();
        assert_eq!(output, "got hello\n");
        let status = process.take_status().unwrap().await.expect("the command's end is told");
        assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    });
}

#[test]
fn ports_of_a_pod() {
    with_client("ports", async |client| {
        let pods: Api<Pod> = running(&client, "sleeper", "sleep 1000").await;
        let nginx = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web" },
            "spec": { "containers": [{ "name": "web", "image": "nginx" }] },
        });
        pods.create(&PostParams::default(), &serde_json::from_value(nginx).unwrap())
            .await
            .unwrap();
        let ready = watcher(pods.clone(), watcher::Config::default().fields("metadata.name=web")).applied_objects();
        let mut ready = std::pin::pin!(ready.try_filter(|pod| {
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            std::future::ready(phase == Some("Running"))
        }));
        ready.next().await.unwrap().unwrap();
        let mut forward = pods.portforward("web", &[80]).await.unwrap();
        let mut stream = forward.take_stream(80).unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // The protocol has no end of one port's data: the page's own end is looked for.
        while !answer.ends_with(b"</html>\n") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the page ends early");
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("Welcome to nginx!"), "{answer}");
    });
}
