//! What monitoring reads: the metrics of the API server and of the kubelets in Prometheus' form, and a kubelet's
//! `stats/summary`. They tell what the simulation counts, and leave out all else.

use super::metrics::Usage;
use super::object::Object;
use super::request::Payload;
use super::server::ApiServer;
use super::status::Status;
use crate::flat::Case;
use crate::obj;
use crate::sim::Time;
use crate::value::gofmt::float;
use crate::value::{Value, gojson};

/// Metrics as text, family by family.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0
            .push_str(&format!("# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let labels = match labels {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        self.0.push_str(&format!("{name}{labels} {}\n", float(value, 'g')));
    }
}

/// The metrics of the API server.
pub fn of_server(api: &ApiServer) -> String {
    let mut page = Page(String::new());
    let name = "apiserver_request_total";
    page.family(
        name,
        "counter",
        "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, \
         component, and HTTP response code.",
    );
    for (served, count) in api.served().iter() {
        let verb = match served.verb {
            "create" => "POST".to_owned(),
            "update" => "PUT".to_owned(),
            verb => verb.upper(),
        };
        let labels = format!(
            r#"code="{}",component="apiserver",dry_run="{}",group="{}",resource="{}",scope="{}",subresource="{}",verb="{verb}",version="{}""#,
            served.code,
            if served.dry_run { "All" } else { "" },
            served.resource.group,
            served.resource.name,
            served.scope,
            served.subresource,
            served.resource.version
        );
        page.sample(name, &labels, *count as f64);
    }
    let name = "apiserver_storage_objects";
    page.family(
        name,
        "gauge",
        "Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will \
         be -1.",
    );
    for shelf in api.store().shelves() {
        let mut count = 0;
        api.store().each(&shelf, "", |_| count += 1);
        page.sample(name, &format!("resource={shelf:?}"), f64::from(count));
    }
    page.0
}

/// What a container, a pod or a node uses.
struct Measured {
    namespace: String,
    pod: String,
    uid: String,
    container: String,
    started: String,
    usage: Usage,
}

/// The answer of a node's kubelet at a path of its own.
///
/// # Errors
/// 503 while it does not run, 404 for what is not simulated.
pub fn of_kubelet(api: &ApiServer, node: &Object, path: &str) -> Result<Payload, Status> {
    let name = node.name();
    let unreachable = || Status::failure(503, "ServiceUnavailable", "error trying to reach service: EOF");
    let nodes = api.node_connections().ok_or_else(unreachable)?;
    let (whole, at) = nodes.node_usage(name).ok_or_else(unreachable)?;
    let mut pods = Vec::new();
    api.store().each("pods", "", |pod| {
        if pod.spec().str_at(&["nodeName"]) == name {
            pods.push(pod.clone());
        }
    });
    let mut containers = Vec::new();
    for pod in &pods {
        let statuses = pod.status().get("containerStatuses").items();
        for (container, usage) in nodes.usage(pod).map(|(all, _)| all).unwrap_or_default() {
            let status = statuses.iter().find(|s| s.str_at(&["name"]) == container);
            let started = status.map_or("", |s| s.str_at(&["state", "running", "startedAt"]));
            containers.push(Measured {
                namespace: pod.namespace().to_owned(),
                pod: pod.name().to_owned(),
                uid: pod.uid().to_owned(),
                started: started.to_owned(),
                container,
                usage,
            });
        }
    }
    // What the system has spent since the node is there.
    let of_pods: Usage = sum(containers.iter());
    let born = Time::parse(node.metadata().str_at(&["creationTimestamp"])).unwrap_or_default();
    let whole = Usage {
        spent: of_pods.spent + (whole.cpu.saturating_sub(of_pods.cpu)) * api.sim().now().since(born).as_secs(),
        ..whole
    };
    Ok(match path.trim_end_matches('/') {
        "/healthz" => Payload::Text("ok".into()),
        "/pods" | "/runningpods" => {
            let items: Value = pods.iter().map(|p| p.value().clone()).collect();
            Payload::Value(obj! { "kind": "PodList", "apiVersion": "v1", "metadata": obj! {}, "items": items })
        }
        "/stats/summary" => Payload::Text(gojson::indented(&summary(node, whole, at, &containers), " ", true)),
        "/metrics/resource" | "/metrics/cadvisor" => Payload::Text(resources(whole, &containers)),
        "/metrics" => {
            let mut page = Page(String::new());
            page.family(
                "kubelet_running_containers",
                "gauge",
                "Number of containers currently running",
            );
            let running = r#"container_state="running""#;
            page.sample("kubelet_running_containers", running, containers.len() as f64);
            page.family(
                "kubelet_running_pods",
                "gauge",
                "Number of pods that have a running pod sandbox",
            );
            let ended = |p: &&Object| !matches!(p.status().str_at(&["phase"]), "Succeeded" | "Failed");
            page.sample("kubelet_running_pods", "", pods.iter().filter(ended).count() as f64);
            Payload::Text(page.0)
        }
        other => {
            return Err(Status::failure(
                404,
                "NotFound",
                format!("the kubelet's {other} is not simulated"),
            ));
        }
    })
}

fn sum<'m>(all: impl Iterator<Item = &'m Measured>) -> Usage {
    let mut sum = Usage::default();
    all.for_each(|m| sum += m.usage);
    sum
}

/// The containers of each pod.
fn by_pod(containers: &[Measured]) -> impl Iterator<Item = (&Measured, &[Measured])> {
    let pods = containers.chunk_by(|a, b| a.uid == b.uid);
    pods.filter_map(|of| Some((of.first()?, of)))
}

fn summary(node: &Object, whole: Usage, at: Time, containers: &[Measured]) -> Value {
    let parts = |usage: Usage| {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let cpu = obj! {
            "time": at, "usageNanoCores": number(usage.cpu), "usageCoreNanoSeconds": number(usage.spent),
        };
        let memory = obj! {
            "time": at, "usageBytes": number(usage.memory), "workingSetBytes": number(usage.memory),
        };
        (cpu, memory)
    };
    let mut pods = Vec::new();
    for (pod, of) in by_pod(containers) {
        let mut all = Vec::new();
        for c in of {
            let (cpu, memory) = parts(c.usage);
            all.push(obj! {
                "name": c.container.as_str(), "startTime": c.started.as_str(), "cpu": cpu, "memory": memory,
            });
        }
        let (cpu, memory) = parts(sum(of.iter()));
        pods.push(obj! {
            "podRef": obj! { "name": pod.pod.as_str(), "namespace": pod.namespace.as_str(), "uid": pod.uid.as_str() },
            "startTime": pod.started.as_str(),
            "containers": Value::from(all),
            "cpu": cpu,
            "memory": memory,
        });
    }
    let (cpu, memory) = parts(whole);
    obj! {
        "node": obj! {
            "nodeName": node.name(),
            "startTime": node.metadata().str_at(&["creationTimestamp"]),
            "cpu": cpu,
            "memory": memory,
        },
        "pods": Value::from(pods),
    }
}

fn resources(whole: Usage, containers: &[Measured]) -> String {
    let mut page = Page(String::new());
    let seconds = |usage: Usage| usage.spent as f64 / 1e9;
    let of_pod = |m: &Measured| format!("namespace={:?},pod={:?}", m.namespace, m.pod);
    let of_container = |m: &Measured| format!("container={:?},{}", m.container, of_pod(m));
    let cpu = |what: &str| format!("Cumulative cpu time consumed by the {what} in core-seconds");
    let memory = |what: &str| format!("Current working set of the {what} in bytes");
    let pods: Vec<(String, Usage)> = by_pod(containers)
        .map(|(pod, of)| (of_pod(pod), sum(of.iter())))
        .collect();
    let each: Vec<(String, Usage)> = containers.iter().map(|m| (of_container(m), m.usage)).collect();
    let node = [(String::new(), whole)];
    for (what, all) in [("container", &*each), ("node", &node), ("pod", &*pods)] {
        let name = format!("{what}_cpu_usage_seconds_total");
        page.family(&name, "counter", &cpu(what));
        all.iter()
            .for_each(|(labels, usage)| page.sample(&name, labels, seconds(*usage)));
        let name = format!("{what}_memory_working_set_bytes");
        page.family(&name, "gauge", &memory(what));
        all.iter()
            .for_each(|(labels, usage)| page.sample(&name, labels, usage.memory as f64));
    }
    let name = "container_start_time_seconds";
    page.family(name, "gauge", "Start time of the container since unix epoch in seconds");
    for m in containers {
        let started = Time::parse(&m.started).unwrap_or_default();
        page.sample(name, &of_container(m), started.as_secs() as f64);
    }
    page.0
}
