//! The EndpointSlice mirroring controller: Endpoints that somebody writes for a service without
//! selector are copied into slices, which is what kube-proxy reads.

use std::rc::Rc;

use super::context::{Context, OwnerIndex, resource};
use super::pods;
use super::service_pods::{self, LAST_CHANGE, SLICE_MANAGED_BY, ServiceBase};
use crate::api::well_known::{LAST_APPLIED, SERVICE_NAME};
use crate::api::{Informer, Object, ObjectKey, Resource, Status};
use crate::value::Value;
use crate::{list, obj};

const NAME: &str = "endpoint-slice-mirroring-controller";
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";

/// Addresses of a subset that are mirrored (`--mirroring-max-endpoints-per-subset`).
const MAX_ENDPOINTS: usize = 1000;

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: ServiceBase,
    endpoints: Informer,
    slices: OwnerIndex,
    slice_resource: Rc<Resource>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let slice_resource = resource(api, "discovery.k8s.io", "endpointslices");
    let controller = Controller(Rc::new(Inner {
        base: ServiceBase::new(context, NAME),
        endpoints: informers.of(&resource(api, "", "endpoints")),
        slices: informers.by_owner(&slice_resource),
        slice_resource,
    }));
    controller.0.endpoints.feed(&controller.0.base.queue);
    let c = controller.clone();
    let inner = &controller.0;
    let others = [&inner.endpoints, inner.slices.informer()];
    let workers = context.options().concurrent_syncs;
    inner
        .base
        .run(context, workers, &others, async move |key| c.sync(&key).await);
}

/// Whether Endpoints are to be mirrored at all.
fn mirrored(endpoints: &Object) -> bool {
    endpoints.label("endpointslice.kubernetes.io/skip-mirror") != Some("true")
        && endpoints
            .annotation("control-plane.alpha.kubernetes.io/leader")
            .is_none()
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(endpoints) = inner.endpoints.get(key).filter(mirrored) else {
            // The slices of Endpoints that are gone go with their owner.
            inner.base.triggers.forget(key);
            return Ok(());
        };
        let service = inner.base.objects.get(key).filter(|s| !service_pods::has_selector(s));
        let mut existing = inner.slices.owned(endpoints.uid());
        existing.retain(|s| s.label(SLICE_MANAGED_BY) == Some(MANAGER));
        let mut wanted: Vec<Value> = Vec::new();
        if service.is_some() {
            for subset in endpoints.value().get("subsets").items() {
                wanted.extend(self.slices_of(&endpoints, subset));
            }
        }
        for mut value in wanted {
            let same_ports = |s: &Object| {
                s.value().get("ports") == value.get("ports") && s.value().get("addressType") == value.get("addressType")
            };
            match existing.iter().position(same_ports) {
                Some(at) => {
                    let slice = existing.remove(at);
                    let unchanged = slice.value().get("endpoints") == value.get("endpoints")
                        && slice.labels() == value.at(&["metadata", "labels"]);
                    if unchanged {
                        continue;
                    }
                    let mut new = slice.value().clone();
                    new.set(&["endpoints"], value.get("endpoints").clone());
                    new.set(&["metadata", "labels"], value.at(&["metadata", "labels"]).clone());
                    new.set(
                        &["metadata", "annotations"],
                        value.at(&["metadata", "annotations"]).clone(),
                    );
                    inner.base.client.update(&inner.slice_resource, new).await?;
                }
                None => {
                    value.set(&["metadata", "generateName"], format!("{}-", endpoints.name()));
                    let made = inner
                        .base
                        .client
                        .make(&inner.slice_resource, endpoints.namespace(), value)
                        .await;
                    match made {
                        Err(status) if pods::namespace_ends(&status) => return Ok(()),
                        other => other.map(|_| ())?,
                    }
                }
            }
        }
        for slice in existing {
            let deleted = inner.base.client.delete_exactly(&inner.slice_resource, &slice, "");
            Status::ignore_not_found(deleted.await)?;
        }
        Ok(())
    }

    /// The slices of one subset: one for each family of addresses.
    fn slices_of(&self, endpoints: &Object, subset: &Value) -> Vec<Value> {
        let mut families: Vec<(&str, Vec<Value>)> = vec![("IPv4", Vec::new()), ("IPv6", Vec::new())];
        let lists = [("addresses", true), ("notReadyAddresses", false)];
        let mut count = 0;
        for (field, ready) in lists {
            for address in subset.get(field).items() {
                if count >= MAX_ENDPOINTS {
                    break;
                }
                count += 1;
                let ip = address.str_at(&["ip"]);
                let mut endpoint = obj! { "addresses": list![ip], "conditions": obj! { "ready": ready } };
                for copied in ["hostname", "nodeName", "targetRef"] {
                    endpoint.set_or_remove(&[copied], address.get(copied));
                }
                let family = usize::from(ip.contains(':'));
                if let Some((_, list)) = families.get_mut(family) {
                    list.push(endpoint);
                }
            }
        }
        let ports: Vec<Value> = subset
            .get("ports")
            .items()
            .iter()
            .map(|p| {
                let mut port = p.clone();
                if !port.has("name") {
                    port.set(&["name"], "");
                }
                if port.str_at(&["protocol"]).is_empty() {
                    port.set(&["protocol"], "TCP");
                }
                port
            })
            .collect();
        families.retain(|(_, list)| !list.is_empty());
        families
            .into_iter()
            .map(|(family, list)| {
                let mut labels = endpoints.labels().clone();
                labels.set(&[SERVICE_NAME], endpoints.name());
                labels.set(&[SLICE_MANAGED_BY], MANAGER);
                let mut annotations = Value::map();
                for (key, text) in endpoints.annotations().entries() {
                    let private = [LAST_CHANGE, LAST_APPLIED];
                    if !private.contains(&key.as_str()) {
                        annotations.set(&[key], text.clone());
                    }
                }
                annotations.set(&[LAST_CHANGE], endpoints.created());
                obj! {
                    "addressType": family,
                    "apiVersion": "discovery.k8s.io/v1",
                    "endpoints": list,
                    "kind": "EndpointSlice",
                    "metadata": obj! {
                        "annotations": annotations,
                        "labels": labels,
                        "namespace": endpoints.namespace(),
                        "ownerReferences": list![endpoints.controller_reference()],
                    },
                    "ports": ports.clone(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    #[test]
    fn mirrors_what_is_written_by_hand() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "v1", "kind": "Service",
            "metadata": obj! { "name": "db", "namespace": "default" },
            "spec": obj! { "ports": list![obj! { "name": "mysql", "port": 3306 }] },
        });
        let subset = obj! {
            "addresses": list![obj! { "ip": "192.0.2.10" }, obj! { "ip": "192.0.2.11", "hostname": "replica" }],
            "notReadyAddresses": list![obj! { "ip": "192.0.2.12" }],
            "ports": list![obj! { "name": "mysql", "port": 3306 }],
        };
        world.create(obj! {
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": obj! { "name": "db", "namespace": "default" },
            "subsets": list![subset],
        });
        world.run(1);
        let slices = world.list("discovery.k8s.io", "endpointslices");
        assert_eq!(slices.len(), 1);
        let ready: Vec<bool> = slices[0]
            .value()
            .get("endpoints")
            .items()
            .iter()
            .map(|e| e.bool_at(&["conditions", "ready"]))
            .collect();
        assert_eq!(ready, [true, true, false]);
        assert_eq!(slices[0].label(SLICE_MANAGED_BY), Some(MANAGER));
        assert_eq!(
            slices[0].controller().map(|c| c.kind().to_owned()),
            Some("Endpoints".into())
        );
    }
}
