//! What monitoring reads: the metrics of the API server and of the kubelets in Prometheus' form, and a kubelet's
//! `stats/summary`. They tell what the simulation counts, and leave out all else.

use super::metrics::Usage;
use super::object::Object;
use super::request::Payload;
use super::server::ApiServer;
use super::status::Status;
use super::subresource::NodeConnections;
use crate::obj;
use crate::sim::Time;
use crate::value::gofmt::float;
use crate::value::{Value, gojson, quoted};

/// Metrics as text, family by family.
struct Page(String);

impl Page {
    /// A family whose name and form are promised to stay.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.begin(name, kind, &format!("[STABLE] {help}"));
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.0
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
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
        let verb = served.verb;
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
        "[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects at the time of last \
         check split by kind. In case of a fetching error, the value will be -1.",
    );
    for (shelf, count) in api.store().shelves() {
        page.sample(name, &format!("resource={shelf}", shelf = quoted(&shelf)), count as f64);
    }
    let name = "kubernetes_build_info";
    let help = "[BETA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree \
                state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it \
                is running.";
    page.begin(name, "gauge", help);
    let labels = format!(
        r#"git_version={},major="1",minor="36""#,
        quoted(&super::discovery::GIT_VERSION)
    );
    page.sample(name, &labels, 1.0);
    page.0
}

/// What a container uses.
struct Measured {
    pod: Object,
    container: String,
    started: String,
    usage: Usage,
}

/// The answer of a node's kubelet at a path of its own.
///
/// # Errors
/// 503 while it does not run, 404 for what is not simulated.
pub fn of_kubelet(api: &ApiServer, node: &Object, path: &str) -> Result<Payload, Status> {
    let unreachable = || Status::failure(503, "ServiceUnavailable", "error trying to reach service: EOF");
    let nodes = api.node_connections().ok_or_else(unreachable)?;
    let (whole, at) = nodes.node_usage(node).ok_or_else(unreachable)?;
    let mut pods = Vec::new();
    api.store().each("pods", "", |pod| {
        if pod.spec().str_at(&["nodeName"]) == node.name() {
            pods.push(pod.clone());
        }
    });
    let containers = || measured(&*nodes, &pods);
    Ok(match path.trim_end_matches('/') {
        "/healthz" => Payload::Text("ok".into()),
        "/pods" | "/runningpods" => {
            let items: Value = pods.iter().map(|p| p.value().clone()).collect();
            Payload::Value(obj! { "kind": "PodList", "apiVersion": "v1", "metadata": obj! {}, "items": items })
        }
        "/stats/summary" => Payload::Text(gojson::indented(&summary(node, whole, at, &containers()), " ", true)),
        "/metrics/resource" => Payload::Text(resources(whole, &containers())),
        "/metrics" => {
            let mut page = Page(String::new());
            let (name, what) = ("kubelet_running_containers", "Number of containers currently running");
            page.begin(name, "gauge", &format!("[ALPHA] {what}"));
            page.sample(name, r#"container_state="running""#, containers().len() as f64);
            let (name, what) = ("kubelet_running_pods", "Number of pods that have a running pod sandbox");
            page.begin(name, "gauge", &format!("[ALPHA] {what}"));
            let runs = |p: &&Object| !matches!(p.status().str_at(&["phase"]), "Succeeded" | "Failed");
            page.sample(name, "", pods.iter().filter(runs).count() as f64);
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

/// The use of the containers of these pods that run.
fn measured(nodes: &dyn NodeConnections, pods: &[Object]) -> Vec<Measured> {
    let mut containers = Vec::new();
    for pod in pods {
        let statuses = ["containerStatuses", "initContainerStatuses"].map(|list| pod.status().get(list).items());
        for (container, usage) in nodes.usage(pod).map(|(all, _)| all).unwrap_or_default() {
            let status = statuses
                .iter()
                .copied()
                .flatten()
                .find(|s| s.str_at(&["name"]) == container);
            let started = status.map_or("", |s| s.str_at(&["state", "running", "startedAt"]));
            containers.push(Measured {
                pod: pod.clone(),
                started: started.to_owned(),
                container,
                usage,
            });
        }
    }
    containers
}

fn sum<'m>(all: impl Iterator<Item = &'m Measured>) -> Usage {
    let mut sum = Usage::default();
    all.for_each(|m| sum += m.usage);
    sum
}

/// The containers of each pod.
fn by_pod(containers: &[Measured]) -> impl Iterator<Item = (&Object, &[Measured])> {
    let pods = containers.chunk_by(|a, b| a.pod.uid() == b.pod.uid());
    pods.filter_map(|of| Some((&of.first()?.pod, of)))
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
            "podRef": obj! { "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid() },
            "startTime": pod.status().str_at(&["startTime"]),
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
    let of_pod = |pod: &Object| format!("namespace={},pod={}", quoted(&pod.namespace()), quoted(&pod.name()));
    let of_container = |m: &Measured| format!("container={},{}", quoted(&m.container), of_pod(&m.pod));
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
