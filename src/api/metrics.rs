//! The API `metrics.k8s.io/v1beta1`: what metrics-server serves through the API server when its
//! add-on is installed. The numbers come from the kubelets ([`NodeConnections::usage`]); how they
//! come about is written in `programs/meter.rs`.
//!
//! The group is served while an APIService `v1beta1.metrics.k8s.io` exists, and answers while that
//! is available: the APIService controller sees to both.
//!
//! [`NodeConnections::usage`]: super::subresource::NodeConnections::usage

use std::rc::Rc;
use std::time::Duration;

use super::discovery;
use super::object::{Object, ObjectKey};
use super::request::{Method, Payload, Request, Response};
use super::resource::Resource;
use super::selector::{Selector, parse_fields};
use super::server::{ApiServer, Target};
use super::status::Status;
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

/// The API group of metrics.
pub const GROUP: &str = "metrics.k8s.io";
/// The version of it that is served.
pub const VERSION: &str = "v1beta1";

/// The APIService that brings the group.
pub const API_SERVICE: &str = "v1beta1.metrics.k8s.io";

/// How often metrics-server asks the kubelets (`--metric-resolution=15s` of its manifest), and what
/// its numbers are the mean of.
pub const WINDOW: Duration = Duration::from_secs(15);

/// The use of a container, or of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Billionths of a processor.
    pub cpu: u64,
    /// Bytes of its working set.
    pub memory: u64,
    /// Nanoseconds of processor time that it has spent altogether.
    pub spent: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.spent += other.spent;
    }
}

impl Usage {
    fn value(self) -> Value {
        let cpu = if self.cpu == 0 {
            "0".to_owned()
        } else {
            format!("{}n", self.cpu)
        };
        obj! { "cpu": cpu, "memory": format!("{}Ki", self.memory / 1024) }
    }
}

/// When metrics-server looked last.
pub fn last_look(now: Time) -> Time {
    Time::from_secs(now.as_secs() / WINDOW.as_secs() * WINDOW.as_secs())
}

/// The group's resources.
pub fn resources() -> Vec<Rc<Resource>> {
    let resource = |name: &str, kind: &str, namespaced: bool| {
        Rc::new(Resource {
            group: GROUP.into(),
            version: VERSION.into(),
            name: name.into(),
            singular: "".into(),
            kind: kind.into(),
            namespaced,
            verbs: vec!["get".into(), "list".into()],
            short_names: Vec::new(),
            categories: Vec::new(),
            kind_group_version: None,
            storage_version_hash: "".into(),
            custom: None,
        })
    };
    vec![
        resource("nodes", "NodeMetrics", false),
        resource("pods", "PodMetrics", true),
    ]
}

/// Whether an APIService is available.
pub fn is_available(service: &Object) -> bool {
    service
        .condition("Available")
        .is_some_and(|c| c.get("status").str() == "True")
}

/// The metrics of a pod as a `PodMetrics`; nothing when it was not measured.
pub fn pod_metrics(api: &ApiServer, pod: &Object) -> Option<Value> {
    if pod.status().get("phase").str() != "Running" {
        return None;
    }
    let (containers, at) = api.node_connections()?.usage(pod)?;
    let containers: Value = containers
        .into_iter()
        .map(|(name, usage)| obj! { "name": name, "usage": usage.value() })
        .collect();
    let mut metadata = own_metadata(api, pod);
    metadata.set(&["namespace"], pod.namespace());
    Some(obj! {
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "PodMetrics",
        "metadata": metadata,
        "timestamp": at,
        "window": window(),
        "containers": containers,
    })
}

/// The metrics of a node as a `NodeMetrics`; nothing when its kubelet does not answer.
pub fn node_metrics(api: &ApiServer, node: &Object) -> Option<Value> {
    let (usage, at) = api.node_connections()?.node_usage(node)?;
    Some(obj! {
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "NodeMetrics",
        "metadata": own_metadata(api, node),
        "timestamp": at,
        "window": window(),
        "usage": usage.value(),
    })
}

fn window() -> String {
    format!("{}s", WINDOW.as_secs())
}

fn own_metadata(api: &ApiServer, of: &Object) -> Value {
    let mut metadata = obj! { "name": of.name(), "creationTimestamp": api.sim().now() };
    metadata.set_or_remove(&["labels"], of.metadata().get("labels"));
    metadata
}

/// Serves a request to one of the group's resources.
///
/// # Errors
/// 503 while the add-on does not run, 404 for what was not measured.
pub fn serve(api: &ApiServer, request: &Request, target: &Target) -> Result<Response, Status> {
    let service = api
        .store()
        .get("apiservices.apiregistration.k8s.io", &ObjectKey::new("", API_SERVICE));
    if !service.is_some_and(|s| is_available(&s)) {
        return Err(discovery::unavailable(&target.resource.qualified()));
    }
    if request.method != Method::Get || request.flag("watch") {
        return Err(Status::method_not_allowed());
    }
    let pods = target.resource.namespaced;
    let metrics = |object: &Object| {
        if pods {
            pod_metrics(api, object)
        } else {
            node_metrics(api, object)
        }
    };
    let shelf = if pods { "pods" } else { "nodes" };
    let table = super::table::wanted(&request.accept);
    let answer = |items: Vec<Value>, whole: Value| {
        if table {
            Response::from(render(&items))
        } else {
            Response::new(200, Payload::Value(whole))
        }
    };
    if !target.name.is_empty() {
        let found = api.store().get(shelf, &target.key());
        let found = found.as_ref().and_then(metrics);
        let kind = if pods {
            format!("{}/{}", target.namespace, target.name)
        } else {
            target.name.clone()
        };
        let whole =
            found.ok_or_else(|| Status::not_found(GROUP, if pods { "podmetrics" } else { "nodemetrics" }, &kind))?;
        return Ok(answer(vec![whole.clone()], whole));
    }
    let labels = Selector::parse(request.param("labelSelector")).map_err(Status::bad_request)?;
    let fields = parse_fields(request.param("fieldSelector")).map_err(Status::bad_request)?;
    let strategy = super::kinds::strategy("", shelf);
    let mut items = Vec::new();
    api.store().each(shelf, &target.namespace, |object| {
        let fits = labels.matches(object.metadata().get("labels"))
            && fields.iter().all(|term| {
                super::watch::field_value(strategy, object, &term.field)
                    .is_some_and(|value| (value == term.value) == term.equal)
            });
        if fits {
            items.extend(metrics(object));
        }
    });
    let list = obj! {
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": format!("{}List", target.resource.kind),
        "metadata": Value::map(),
        "items": items.iter().cloned().collect::<Value>(),
    };
    Ok(answer(items, list))
}

/// The Table of metrics: a column for each resource.
fn render(items: &[Value]) -> Value {
    let column = |name: &str, format: &str| {
        obj! { "name": name, "type": "string", "format": format, "description": "", "priority": 0 }
    };
    let rows: Value = items
        .iter()
        .map(|item| {
            let sum = |resource: &str| -> u64 {
                let one = |usage: &Value| -> u64 {
                    let text = usage.get(resource).str();
                    text.trim_end_matches(['n', 'K', 'i']).parse().unwrap_or(0)
                };
                match item.get("containers").items() {
                    [] => one(item.get("usage")),
                    all => all.iter().map(|c| one(c.get("usage"))).sum(),
                }
            };
            let usage = Usage {
                cpu: sum("cpu"),
                memory: sum("memory") * 1024,
                spent: 0,
            }
            .value();
            let shown = obj! {
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadata",
                "metadata": item.get("metadata").clone(),
            };
            obj! {
                "cells": list![
                    item.str_at(&["metadata", "name"]),
                    usage.get("cpu").clone(),
                    usage.get("memory").clone(),
                    item.get("window").clone(),
                ],
                "object": shown,
            }
        })
        .collect();
    obj! {
        "apiVersion": "meta.k8s.io/v1",
        "columnDefinitions": list![
            column("Name", "name"), column("cpu", ""), column("memory", ""), column("Window", ""),
        ],
        "kind": "Table",
        "metadata": Value::map(),
        "rows": rows,
    }
}
