//! The EndpointSlice controller: the addresses of each service's pods, at most 100 to a slice, with
//! whether they are ready, serving and terminating.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::{Context, OwnerIndex, resource};
use super::node_lifecycle::is_ready;
use super::pods;
use super::service_pods::{self, HEADLESS, SLICE_MANAGED_BY, ServiceBase};
use super::topology_hints::{self, Slice};
use crate::api::events::EventType;
use crate::api::views::Pod;
use crate::api::well_known::{SERVICE_NAME, ZONE};
use crate::api::{Informer, Object, ObjectKey, Resource, Status};
use crate::flat::FlatMap;
use crate::value::Value;
use crate::value::gofmt::aggregate;
use crate::{list, obj};

/// Endpoints of one slice (`--max-endpoints-per-slice`).
const MAX_ENDPOINTS: usize = 100;

const NAME: &str = "endpoint-slice-controller";
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// What is told when endpoints get hints by zone.
const HINTS_ENABLED: &str = "Topology Aware Hints has been enabled";

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: ServiceBase,
    pods: Informer,
    nodes: Informer,
    slices: OwnerIndex,
    slice_resource: Rc<Resource>,
    /// Services that ask for hints by zone.
    hinted: RefCell<FlatMap<ObjectKey, Hinted>>,
}

/// What was last seen of a service that asks for hints by zone.
#[derive(Clone, Copy, Default, PartialEq)]
struct Hinted {
    /// Whether its endpoints have them.
    on: bool,
    /// The sum of its version and its pods', which tells what woke the controller from what it wrote.
    versions: u64,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let slice_resource = resource(api, "discovery.k8s.io", "endpointslices");
    let controller = Controller(Rc::new(Inner {
        base: ServiceBase::new(context, NAME),
        pods: informers.of(&resource(api, "", "pods")),
        nodes: informers.of(&resource(api, "", "nodes")),
        slices: informers.by_owner(&slice_resource),
        slice_resource,
        hinted: RefCell::default(),
    }));
    let c = controller.clone();
    controller.0.nodes.on_change(move |old, new| {
        // What hints follow from; heartbeats change nothing of it.
        let read = |node: &Object| {
            let cpu = node.status().at(&["allocatable", "cpu"]).clone();
            (is_ready(node), node.labels().clone(), cpu)
        };
        if old.map(read) == new.map(read) {
            return;
        }
        for (key, _) in c.0.hinted.borrow().iter().filter(|(_, hinted)| hinted.on) {
            c.0.base.queue.add(key.clone());
        }
    });
    controller.0.base.follow(&controller.0.pods);
    let c = controller.clone();
    controller.0.slices.informer().on_change(move |old, new| {
        // Somebody else's edit or deletion of a slice is put right.
        if let Some(slice) = new.or(old).filter(|s| s.label(SLICE_MANAGED_BY) == Some(MANAGER))
            && let Some(service) = slice.label(SERVICE_NAME)
        {
            c.0.base.queue.add(ObjectKey::new(slice.namespace(), service));
        }
    });
    let c = controller.clone();
    let inner = &controller.0;
    let others = [&inner.pods, &inner.nodes, inner.slices.informer()];
    let workers = context.options().concurrent_syncs;
    inner
        .base
        .run(context, workers, &others, async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(service) = inner.base.objects.get(key) else {
            inner.base.triggers.forget(key);
            inner.hinted.borrow_mut().remove(key);
            return Ok(());
        };
        if service.spec().str_at(&["type"]) == "ExternalName" || !service_pods::has_selector(&service) {
            return Ok(());
        }
        if service.is_deleting() {
            return Ok(());
        }
        let mut found = service_pods::of_service(&inner.pods, &service, true);
        let mut skipped: Vec<String> = Vec::new();
        if !service_pods::publishes_not_ready(&service) {
            // A pod whose node is gone waits for the garbage collector of pods.
            found.retain(|pod| {
                let node = pods::node_name(pod);
                let there = inner.nodes.get(&ObjectKey::new("", node)).is_some();
                if !there {
                    skipped.push(format!(
                        "skipping Pod {} for Service {}/{}: Node {node} Not Found",
                        pod.name(),
                        key.namespace,
                        key.name
                    ));
                }
                there
            });
        }
        let trigger = inner.base.triggers.since_last(&service, &found);
        let mut existing: Vec<Object> = inner.slices.owned(service.uid());
        existing.retain(|s| s.label(SLICE_MANAGED_BY) == Some(MANAGER) && !s.is_deleting());
        // Pods whose ports have the same numbers share slices.
        let mut groups: FlatMap<String, (Vec<Value>, Vec<Value>)> = FlatMap::new();
        for pod in &found {
            let ports = service_pods::ports_on(pod, &service);
            let id = Value::list(ports.clone()).to_json();
            let group = groups.entry(id).or_insert_with(|| (ports, Vec::new()));
            group.1.push(self.endpoint(&service, pod));
        }
        let family = match service.spec().get("ipFamilies").items().first().map(Value::str) {
            Some("IPv6") => "IPv6",
            _ => "IPv4",
        };
        let mut plan = Plan::default();
        let mut unused: Vec<Object> = Vec::new();
        let mut by_ports: FlatMap<String, Vec<Object>> = FlatMap::new();
        for slice in existing {
            let id = slice.value().get("ports").to_json();
            if groups.contains_key(&id) {
                by_ports.entry(id).or_default().push(slice);
            } else {
                unused.push(slice);
            }
        }
        for (id, (ports, endpoints)) in groups {
            let slices = by_ports.remove(&id).unwrap_or_default();
            fill(&mut plan, &mut unused, slices, ports, endpoints);
        }
        if found.is_empty() {
            // One slice stays, to show that the service is known and has none.
            match unused.pop() {
                Some(slice) => plan.keep.push((slice, Value::Null, Vec::new())),
                None => plan.create.push((Value::Null, Vec::new())),
            }
        }
        plan.delete.extend(unused);
        let told = self.hint(&service, &found, &mut plan);
        self.carry_out(&service, family, plan, trigger.as_deref()).await?;
        if let Some(message) = told {
            let (kind, reason) = match message.as_str() {
                HINTS_ENABLED => (EventType::Normal, "TopologyAwareHintsEnabled"),
                _ => (EventType::Warning, "TopologyAwareHintsDisabled"),
            };
            let message = format!("{message}, addressType: {family}");
            inner.base.recorder.event(&service, kind, reason, message);
        }
        let Some(why) = aggregate(&skipped) else {
            return Ok(());
        };
        let message = format!(
            "Error updating Endpoint Slices for Service {}/{}: {why}",
            key.namespace, key.name
        );
        let recorder = &inner.base.recorder;
        recorder.event(&service, EventType::Warning, "FailedToUpdateEndpointSlices", message);
        // The service is looked at again.
        Err(Status::internal(why))
    }

    /// Gives the endpoints hints by zone, where the service asks for them. What is to be told of it.
    fn hint(&self, service: &Object, found: &[Object], plan: &mut Plan) -> Option<String> {
        let mut hinted = self.0.hinted.borrow_mut();
        if !topology_hints::is_auto(service) {
            let before = hinted.remove(&service.key())?;
            return before.on.then(|| "Topology Aware Hints has been disabled".to_owned());
        }
        let mut slices: Vec<Slice> = Vec::new();
        for (_, wanted) in &mut plan.create {
            slices.push(Slice { wanted, present: &[] });
        }
        for (slice, _, wanted) in &mut plan.keep {
            let present = slice.value().get("endpoints").items();
            slices.push(Slice { wanted, present });
        }
        let done = topology_hints::assign(slices, &topology_hints::shares(&self.0.nodes.list("")));
        let now = Hinted {
            on: done.is_ok(),
            versions: service.revision() + found.iter().map(Object::revision).sum::<u64>(),
        };
        let before = hinted.insert(service.key(), now).unwrap_or_default();
        match done {
            Ok(()) => (!before.on).then(|| HINTS_ENABLED.to_owned()),
            Err(why) => {
                let kept = plan.keep.iter_mut().flat_map(|(_, _, wanted)| wanted);
                for endpoint in kept.chain(plan.create.iter_mut().flat_map(|(_, wanted)| wanted)) {
                    endpoint.remove(&["hints"]);
                }
                (before != now).then_some(why)
            }
        }
    }

    fn endpoint(&self, service: &Object, pod: &Object) -> Value {
        let serving = pods::is_ready(pod);
        let terminating = pod.is_deleting();
        let ready = service_pods::publishes_not_ready(service) || (serving && !terminating);
        let mut endpoint = obj! {
            "addresses": list![Pod(pod).ip()],
            "conditions": obj! { "ready": ready, "serving": serving, "terminating": terminating },
            "targetRef": service_pods::target_ref(pod),
        };
        let node = pods::node_name(pod);
        endpoint.set_or_remove(&["nodeName"], node);
        endpoint.set_or_remove(&["hostname"], service_pods::hostname(pod, service));
        let node = self.0.nodes.get(&ObjectKey::new("", node));
        if let Some(zone) = node.as_ref().and_then(|n| n.label(ZONE)) {
            endpoint.set(&["zone"], zone);
        }
        let preferred = service.spec().get("trafficDistribution").str();
        if ready && !preferred.is_empty() && !topology_hints::is_auto(service) {
            let named = |name: &Value| list![obj! { "name": name.clone() }];
            if preferred == "PreferSameNode" && endpoint.has("nodeName") {
                let node = named(endpoint.get("nodeName"));
                endpoint.set(&["hints", "forNodes"], node);
            }
            if endpoint.has("zone") {
                let zone = named(endpoint.get("zone"));
                endpoint.set(&["hints", "forZones"], zone);
            }
        }
        endpoint
    }

    async fn carry_out(&self, service: &Object, family: &str, plan: Plan, trigger: Option<&str>) -> Result<(), Status> {
        let inner = &self.0;
        let labels = slice_labels(service);
        for (slice, ports, endpoints) in plan.keep {
            let mut value = slice.value().clone();
            value.set(&["metadata", "labels"], labels.clone());
            set_content(&mut value, ports, endpoints);
            if &value == slice.value() {
                continue;
            }
            service_pods::annotate(&mut value, trigger);
            inner.base.client.update(&inner.slice_resource, value).await?;
        }
        for (ports, endpoints) in plan.create {
            let mut value = obj! {
                "addressType": family,
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": obj! {
                    "generateName": format!("{}-", service.name()),
                    "labels": labels.clone(),
                    "namespace": service.namespace(),
                    "ownerReferences": list![service.controller_reference()],
                },
            };
            set_content(&mut value, ports, endpoints);
            service_pods::annotate(&mut value, trigger);
            let made = inner
                .base
                .client
                .make(&inner.slice_resource, service.namespace(), value)
                .await;
            match made {
                Err(status) if pods::namespace_ends(&status) => return Ok(()),
                other => other.map(|_| ())?,
            }
        }
        for slice in plan.delete {
            let deleted = inner.base.client.delete_exactly(&inner.slice_resource, &slice, "");
            Status::ignore_not_found(deleted.await)?;
        }
        Ok(())
    }
}

/// What is to become of the slices of one service: ports and endpoints each.
#[derive(Default)]
struct Plan {
    keep: Vec<(Object, Value, Vec<Value>)>,
    create: Vec<(Value, Vec<Value>)>,
    delete: Vec<Object>,
}

/// Distributes endpoints over the slices of their ports: what is there stays where it is, what is
/// new fills up slices that change anyway, then a slice with room, then new ones.
fn fill(plan: &mut Plan, unused: &mut Vec<Object>, slices: Vec<Object>, ports: Vec<Value>, endpoints: Vec<Value>) {
    let id = |e: &Value| e.str_at(&["targetRef", "uid"]).to_owned();
    let mut wanted: FlatMap<String, Value> = endpoints.iter().map(|e| (id(e), e.clone())).collect();
    let ports = Value::list(ports);
    let mut kept: Vec<(Object, Vec<Value>)> = Vec::new();
    for slice in slices {
        let present = slice.value().get("endpoints").items();
        let stays: Vec<Value> = present.iter().filter_map(|e| wanted.remove(&id(e))).collect();
        kept.push((slice, stays));
    }
    let mut new: Vec<Value> = endpoints.into_iter().filter(|e| wanted.contains_key(&id(e))).collect();
    for pass in 0..2 {
        for (slice, list) in &mut kept {
            let changes = slice.value().get("endpoints").items() != list.as_slice();
            if pass == 0 && !changes {
                continue;
            }
            let room = MAX_ENDPOINTS.saturating_sub(list.len()).min(new.len());
            list.extend(new.drain(..room));
        }
    }
    for (slice, list) in kept {
        if list.is_empty() {
            unused.push(slice);
        } else {
            plan.keep.push((slice, ports.clone(), list));
        }
    }
    while !new.is_empty() {
        let batch: Vec<Value> = new.drain(..new.len().min(MAX_ENDPOINTS)).collect();
        // An empty slice that nobody needs is turned into one of these ports.
        match unused.pop() {
            Some(slice) => plan.keep.push((slice, ports.clone(), batch)),
            None => plan.create.push((ports.clone(), batch)),
        }
    }
}

fn set_content(value: &mut Value, ports: Value, endpoints: Vec<Value>) {
    value.set(&["ports"], ports);
    let endpoints = if endpoints.is_empty() {
        Value::Null
    } else {
        Value::list(endpoints)
    };
    value.set(&["endpoints"], endpoints);
}

/// The service's labels and those that mark the slice.
fn slice_labels(service: &Object) -> Value {
    let mut labels = Value::map();
    for (key, value) in service.labels().entries() {
        if key.as_str() != HEADLESS {
            labels.set(&[key], value.clone());
        }
    }
    labels.set(&[SERVICE_NAME], service.name());
    labels.set(&[SLICE_MANAGED_BY], MANAGER);
    if service_pods::is_headless(service) {
        labels.set(&[HEADLESS], "");
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    fn pod(name: &str, port: i64) -> Value {
        let ports = list![obj! { "name": "web", "containerPort": port }];
        obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": name, "namespace": "default", "labels": obj! { "app": "web" } },
            "spec": obj! {
                "containers": list![obj! { "name": "c", "image": "nginx", "ports": ports }],
                "nodeName": "n1",
            },
        }
    }

    fn service(target: Value) -> Value {
        obj! {
            "apiVersion": "v1", "kind": "Service",
            "metadata": obj! { "name": "web", "namespace": "default", "labels": obj! { "tier": "front" } },
            "spec": obj! { "selector": obj! { "app": "web" }, "ports": list![obj! { "port": 80, "targetPort": target }] },
        }
    }

    #[test]
    fn follows_pods_and_their_readiness() {
        let world = World::new();
        world.node("n1", "2", "4Gi");
        world.start(start);
        world.create(service("web".into()));
        world.run(1);
        let slices = world.list("discovery.k8s.io", "endpointslices");
        assert_eq!(slices.len(), 1);
        assert!(slices[0].value().get("endpoints").is_null());
        assert!(slices[0].name().starts_with("web-"));
        assert_eq!(slices[0].label("tier"), Some("front"));
        world.create(pod("p1", 80));
        world.create(pod("p2", 8080));
        world.all_ready();
        world.run(1);
        let slices = world.list("discovery.k8s.io", "endpointslices");
        let mut ports: Vec<String> = slices
            .iter()
            .map(|s| s.value().get("ports").to_json().to_string())
            .collect();
        ports.sort();
        assert_eq!(
            ports,
            [
                r#"[{"name":"","port":80,"protocol":"TCP"}]"#,
                r#"[{"name":"","port":8080,"protocol":"TCP"}]"#
            ]
        );
        let conditions = slices[0].value().get("endpoints").items()[0]
            .get("conditions")
            .to_json();
        assert_eq!(conditions, r#"{"ready":true,"serving":true,"terminating":false}"#);
        assert!(slices[0].annotation(service_pods::LAST_CHANGE).is_some());
        world.patch(
            "",
            "pods",
            "p1",
            obj! { "metadata": obj! { "labels": obj! { "app": Value::Null } } },
        );
        world.run(1);
        assert_eq!(world.list("discovery.k8s.io", "endpointslices").len(), 1);
    }

    #[test]
    fn hints_by_zone() {
        let world = World::new();
        world.start(start);
        for name in ["n1", "n2"] {
            world.node(name, "2", "4Gi");
        }
        let mode = |mode: Value| {
            let annotations = obj! { "service.kubernetes.io/topology-mode": mode };
            world.patch(
                "",
                "services",
                "web",
                obj! { "metadata": obj! { "annotations": annotations } },
            );
            world.run(1);
        };
        let hints = || {
            let slices = world.list("discovery.k8s.io", "endpointslices");
            let endpoints = slices[0].value().get("endpoints").items();
            let zones = endpoints.iter().map(|e| e.at(&["hints", "forZones"]).items());
            zones
                .flatten()
                .map(|z| z.str_at(&["name"]).to_owned())
                .collect::<Vec<_>>()
        };
        world.create(service(80.into()));
        for (name, node) in [("p1", "n1"), ("p2", "n2")] {
            let mut pod = pod(name, 80);
            pod.set(&["spec", "nodeName"], node);
            world.create(pod);
        }
        world.all_ready();
        mode("Auto".into());
        assert!(hints().is_empty());
        for (node, zone) in [("n1", "a"), ("n2", "b")] {
            world.patch(
                "",
                "nodes",
                node,
                obj! { "metadata": obj! { "labels": obj! { "topology.kubernetes.io/zone": zone } } },
            );
        }
        mode("auto".into());
        assert_eq!(hints(), ["a", "b"]);
        world.patch(
            "",
            "nodes",
            "n2",
            obj! { "metadata": obj! { "labels": obj! { "topology.kubernetes.io/zone": Value::Null } } },
        );
        world.run(1);
        assert!(hints().is_empty());
        world.patch(
            "",
            "nodes",
            "n2",
            obj! { "metadata": obj! { "labels": obj! { "topology.kubernetes.io/zone": "b" } } },
        );
        mode("Auto".into());
        mode(Value::Null);
        assert!(hints().is_empty());
        let mut told: Vec<String> = Vec::new();
        for event in world.list("", "events") {
            let v = event.value();
            told.push(format!(
                "x{} {} {}",
                v.i64_at(&["count"]).unwrap(),
                v.str_at(&["reason"]),
                v.str_at(&["message"])
            ));
        }
        told.sort();
        assert_eq!(
            told,
            [
                "x1 TopologyAwareHintsDisabled Topology Aware Hints has been disabled, addressType: IPv4",
                "x2 TopologyAwareHintsDisabled Insufficient Node information: allocatable CPU or zone not specified on one or more nodes, addressType: IPv4",
                "x2 TopologyAwareHintsEnabled Topology Aware Hints has been enabled, addressType: IPv4",
            ]
        );
    }

    #[test]
    fn pods_of_a_node_that_is_gone_are_left_out_and_told_of() {
        let world = World::new();
        world.create(service(80.into()));
        world.create(pod("p1", 80));
        world.all_ready();
        world.start(start);
        world.run(1);
        let endpoints = || {
            let slices = world.list("discovery.k8s.io", "endpointslices");
            slices[0].value().get("endpoints").items().len()
        };
        assert_eq!(endpoints(), 0);
        let events = world.list("", "events");
        assert_eq!(
            events[0].value().get("message").str(),
            "Error updating Endpoint Slices for Service default/web: \
             skipping Pod p1 for Service default/web: Node n1 Not Found"
        );
        world.node("n1", "2", "4Gi");
        world.run(60);
        assert_eq!(endpoints(), 1);
    }

    #[test]
    fn a_hundred_to_a_slice() {
        let world = World::new();
        world.node("n1", "2", "4Gi");
        world.create(service(80.into()));
        for i in 0..250 {
            world.create(pod(&format!("p{i}"), 80));
        }
        world.all_ready();
        world.start(start);
        let mut counts: Vec<usize> = world
            .list("discovery.k8s.io", "endpointslices")
            .iter()
            .map(|s| s.value().get("endpoints").items().len())
            .collect();
        counts.sort_unstable();
        assert_eq!(counts, [50, 100, 100]);
    }
}
