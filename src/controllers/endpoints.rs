//! The Endpoints controller: the older form of what the EndpointSlice controller keeps, one object
//! for each service that has a selector.

use std::rc::Rc;

use super::context::{Context, resource};
use super::pods;
use super::service_pods::{self, HEADLESS, ServiceBase};
use crate::api::views::Pod;
use crate::api::{Informer, Object, ObjectKey, Resource, Status};
use crate::flat::{Arrange, FlatMap};
use crate::obj;
use crate::value::Value;

const NAME: &str = "endpoint-controller";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// Addresses of one object; the rest are left out, and an annotation says so.
const MAX_ADDRESSES: usize = 1000;

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: ServiceBase,
    pods: Informer,
    endpoints: Informer,
    resource: Rc<Resource>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let endpoints = resource(api, "", "endpoints");
    let controller = Controller(Rc::new(Inner {
        base: ServiceBase::new(context, NAME),
        pods: informers.of(&resource(api, "", "pods")),
        endpoints: informers.of(&endpoints),
        resource: endpoints,
    }));
    controller.0.base.follow(&controller.0.pods);
    let c = controller.clone();
    controller.0.endpoints.on_change(move |old, new| {
        if let (Some(endpoints), None) = (old, new) {
            c.0.base.queue.add(endpoints.key());
        }
    });
    let c = controller.clone();
    let inner = &controller.0;
    let others = [&inner.pods, &inner.endpoints];
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
            // The service is gone, and its endpoints, which have no owner, go with it.
            if inner.endpoints.get(key).is_some() {
                let deleted = inner
                    .base
                    .client
                    .delete(&inner.resource, &key.namespace, &key.name, Value::Null)
                    .await;
                return Status::ignore_not_found(deleted);
            }
            return Ok(());
        };
        if service.spec().str_at(&["type"]) == "ExternalName" || !service_pods::has_selector(&service) {
            return Ok(());
        }
        let not_ready_too = service_pods::publishes_not_ready(&service);
        let found = service_pods::of_service(&inner.pods, &service, not_ready_too);
        let trigger = inner.base.triggers.since_last(&service, &found);
        let (subsets, over) = subsets(&service, &found);
        let present = inner.endpoints.get(key);
        let mut value = match &present {
            Some(endpoints) => endpoints.value().clone(),
            None => obj! {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": obj! { "name": service.name(), "namespace": service.namespace() },
            },
        };
        value.set(&["metadata", "labels"], labels(&service));
        value.set_or_remove(&["subsets"], subsets);
        if over {
            value.set(&["metadata", "annotations", OVER_CAPACITY], "truncated");
        } else {
            value.remove(&["metadata", "annotations", OVER_CAPACITY]);
        }
        if present.as_ref().is_some_and(|p| p.value() == &value) {
            return Ok(());
        }
        service_pods::annotate(&mut value, trigger.as_deref());
        if present.is_some() {
            return inner.base.client.update(&inner.resource, value).await.map(|_| ());
        }
        let made = inner
            .base
            .client
            .make(&inner.resource, service.namespace(), value)
            .await;
        match made {
            Err(status) if pods::namespace_ends(&status) => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

fn labels(service: &Object) -> Value {
    let mut labels = Value::map();
    for (key, value) in service.labels().entries() {
        if key.as_str() != HEADLESS {
            labels.set(&[key], value.clone());
        }
    }
    labels.set(&[MANAGED_BY], NAME);
    if service_pods::is_headless(service) {
        labels.set(&[HEADLESS], "");
    }
    labels
}

fn address(service: &Object, pod: &Object) -> Value {
    let mut address = obj! { "ip": Pod(pod).ip(), "targetRef": service_pods::target_ref(pod) };
    address.set_or_remove(&["nodeName"], pods::node_name(pod));
    address.set_or_remove(&["hostname"], service_pods::hostname(pod, service));
    address
}

/// Addresses by their ports, those that are ready apart from the others.
fn subsets(service: &Object, found: &[Object]) -> (Vec<Value>, bool) {
    let mut groups: FlatMap<String, (Vec<Value>, Vec<Value>, Vec<Value>)> = FlatMap::new();
    let over = found.len() > MAX_ADDRESSES;
    for pod in found.iter().take(MAX_ADDRESSES) {
        let mut ports = service_pods::ports_on(pod, service);
        if ports.is_empty() && !service.spec().get("ports").is_empty() {
            // None of the service's ports is on this pod.
            continue;
        }
        for port in &mut ports {
            if port.str_at(&["name"]).is_empty() {
                port.remove(&["name"]);
            }
        }
        let id = Value::list(ports.clone()).to_json();
        let group = groups.entry(id).or_insert_with(|| (ports, Vec::new(), Vec::new()));
        if service_pods::publishes_not_ready(service) || pods::is_ready(pod) {
            group.1.push(address(service, pod));
        } else {
            group.2.push(address(service, pod));
        }
    }
    let mut subsets = Vec::new();
    // The real order is that of a hash of the ports; this one is as good.
    for (ports, mut ready, mut not_ready) in groups.into_values().rev() {
        let by_ip = |a: &Value, b: &Value| a.str_at(&["ip"]).cmp(b.str_at(&["ip"]));
        ready.arrange_by(by_ip);
        not_ready.arrange_by(by_ip);
        let mut subset = Value::map();
        subset.set_or_remove(&["addresses"], ready);
        subset.set_or_remove(&["notReadyAddresses"], not_ready);
        subset.set_or_remove(&["ports"], ports);
        subsets.push(subset);
    }
    (subsets, over)
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    #[test]
    fn ready_and_not_ready_and_gone() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "v1", "kind": "Service",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! {
                "clusterIP": "None", "selector": obj! { "app": "web" }, "ports": list![obj! { "port": 80 }],
            },
        });
        world.run(1);
        let endpoints = world.get("", "endpoints", "web");
        assert_eq!(
            endpoints.labels().to_json(),
            r#"{"endpoints.kubernetes.io/managed-by":"endpoint-controller","service.kubernetes.io/headless":""}"#
        );
        assert!(endpoints.value().get("subsets").is_null());
        for name in ["a", "b"] {
            let pod = world.create(obj! {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": obj! { "name": name, "namespace": "default", "labels": obj! { "app": "web" } },
                "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
            });
            world.make_ready(&pod);
        }
        let conditions = list![obj! { "type": "Ready", "status": "False" }];
        world.patch_sub(
            "",
            "pods",
            "b",
            "status",
            obj! { "status": obj! { "conditions": conditions } },
        );
        world.run(1);
        let endpoints = world.get("", "endpoints", "web");
        let subset = &endpoints.value().get("subsets").items()[0];
        assert_eq!(subset.get("addresses").items()[0].str_at(&["targetRef", "name"]), "a");
        assert_eq!(
            subset.get("notReadyAddresses").items()[0].str_at(&["targetRef", "name"]),
            "b"
        );
        assert_eq!(subset.get("ports").to_json(), r#"[{"port":80,"protocol":"TCP"}]"#);
        world.delete("", "services", "web", Value::Null);
        world.run(1);
        assert!(!world.exists("", "endpoints", "web"));
    }
}
