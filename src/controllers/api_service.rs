//! The availability of APIServices, which in a real cluster the API server's aggregator looks
//! after: those that name a Service are available while it has endpoints whose pods serve their
//! group. The one group that a pod can serve here is metrics-server's.

use std::rc::Rc;

use super::context::{Base, Context, resource};
use crate::api::object::set_condition;
use crate::api::{ApiServer, Informer, Object, ObjectKey, Status, metrics, well_known};
use crate::value::{Value, quoted};

const NAME: &str = "apiservice-availability";

struct Controller {
    base: Base,
    api: ApiServer,
    // What an APIService's availability depends on.
    services: Informer,
    slices: Informer,
    pods: Informer,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let of = |group: &str, name: &str| context.informers().of(&resource(api, group, name));
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "apiregistration.k8s.io", "apiservices"),
        api: api.clone(),
        services: of("", "services"),
        slices: of("discovery.k8s.io", "endpointslices"),
        pods: of("", "pods"),
    });
    let c = controller.clone();
    controller.base.objects.on_change(move |old, new| {
        if let Some(service) = new.or(old)
            && (!service.spec().get("service").is_null() || new.is_none())
        {
            c.base.queue.add(service.key());
        }
    });
    for informer in [&controller.services, &controller.slices] {
        let c = controller.clone();
        informer.on_change(move |old, new| {
            if let Some(changed) = new.or(old) {
                c.target_changed(changed);
            }
        });
    }
    let others = [&controller.services, &controller.slices, &controller.pods];
    let c = controller.clone();
    controller
        .base
        .run(context, 1, &others, async move |key| c.sync(&key).await);
}

impl Controller {
    /// A change of a Service or a slice concerns all that name a service of its namespace.
    fn target_changed(&self, changed: &Object) {
        self.base.objects.each("", |service| {
            let named = service.spec().get("service");
            if named.get("namespace").str() == changed.namespace() && !named.is_null() {
                self.base.queue.add(service.key());
            }
        });
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.base;
        let service = base.objects.get(key);
        if key.name.as_ref() == metrics::API_SERVICE {
            let remote = service.as_ref().is_some_and(|s| !s.spec().get("service").is_null());
            self.api.set_metrics_served(remote);
        }
        let Some(service) = service.filter(|s| !s.spec().get("service").is_null()) else {
            return Ok(());
        };
        let verdict = self.verdict(&service);
        let available = verdict.is_ok();
        let (reason, message) = match verdict {
            Ok(()) => ("Passed", "all checks passed".to_owned()),
            Err(why) => why,
        };
        let mut value = service.value().clone();
        let now = base.sim.now();
        set_condition(value.at_mut(&["status"]), "Available", available, reason, &message, now);
        if value == *service.value() {
            return Ok(());
        }
        base.client.update_status(&base.resource, value).await.map(|_| ())
    }

    /// Whether what an APIService names answers; the reason and the message when not.
    fn verdict(&self, api_service: &Object) -> Result<(), (&'static str, String)> {
        let named = api_service.spec().get("service");
        let (namespace, name) = (named.get("namespace").str(), named.get("name").str());
        let port = named.i64_at(&["port"]).unwrap_or(443);
        let what = format!("service/{name} in {namespace}", namespace = quoted(&namespace));
        let Some(service) = self.services.get(&ObjectKey::new(namespace, name)) else {
            return Err(("ServiceNotFound", format!("{what} is not present")));
        };
        let ports = service.spec().get("ports").items();
        let Some(chosen) = ports.iter().find(|p| p.i64_at(&["port"]) == Some(port)) else {
            return Err(("ServicePortError", format!("{what} is not listening on port {port}")));
        };
        let port_name = chosen.get("name").str();
        let mut slices = Vec::new();
        self.slices.each(namespace, |slice| {
            if slice.label(well_known::SERVICE_NAME) == Some(name) {
                slices.push(slice.clone());
            }
        });
        if slices.is_empty() {
            return Err(("EndpointsNotFound", format!("cannot find endpointslices for {what}")));
        }
        let serves = |endpoint: &Value| {
            let pod = endpoint.at(&["targetRef", "name"]).str();
            let pod = self.pods.get(&ObjectKey::new(namespace, pod));
            pod.is_some_and(|pod| {
                let containers = pod.spec().get("containers");
                containers
                    .items()
                    .iter()
                    .any(|c| c.get("image").str().contains("metrics-server"))
            })
        };
        let ready: Vec<&Value> = slices
            .iter()
            .filter(|s| {
                let ports = s.value().get("ports").items();
                ports.iter().any(|p| p.get("name").str() == port_name)
            })
            .flat_map(|s| s.value().get("endpoints").items())
            .filter(|e| e.at(&["conditions", "ready"]).as_bool().unwrap_or(true))
            .collect();
        if ready.is_empty() {
            return Err((
                "MissingEndpoints",
                format!(
                    "endpointslices for {what} have no addresses with port name {port_name}",
                    port_name = quoted(&port_name)
                ),
            ));
        }
        let group = api_service.spec().get("group").str();
        let version = api_service.spec().get("version").str();
        if (group, version) != (metrics::GROUP, metrics::VERSION) || !ready.iter().any(|e| serves(e)) {
            let ip = service.spec().get("clusterIP").str();
            let url = format!("https://{ip}:{port}/apis/{group}/{version}");
            return Err((
                "FailedDiscoveryCheck",
                format!("failing or missing response from {url}: bad status from {url}: 404"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::{list, obj};

    fn available(world: &World) -> String {
        let service = world.get("apiregistration.k8s.io", "apiservices", metrics::API_SERVICE);
        let condition = service.condition("Available").cloned().unwrap_or_default();
        format!("{}: {}", condition.get("reason").str(), condition.get("message").str())
    }

    #[test]
    fn from_no_service_to_served() {
        let world = World::new();
        world.start(start);
        let served = || world.api().resource(metrics::GROUP, metrics::VERSION, "pods").is_some();
        world.create(obj! {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": obj! { "name": metrics::API_SERVICE },
            "spec": obj! {
                "group": metrics::GROUP, "version": metrics::VERSION,
                "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
                "service": obj! { "name": "metrics-server", "namespace": "kube-system" },
            },
        });
        world.run(1);
        assert!(served());
        assert_eq!(
            available(&world),
            "ServiceNotFound: service/metrics-server in \"kube-system\" is not present"
        );
        world.create(obj! {
            "apiVersion": "v1", "kind": "Service",
            "metadata": obj! { "name": "metrics-server", "namespace": "kube-system" },
            "spec": obj! { "ports": list![obj! { "name": "https", "port": 443 }] },
        });
        world.run(1);
        assert_eq!(
            available(&world),
            "EndpointsNotFound: cannot find endpointslices for service/metrics-server in \"kube-system\""
        );
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": "ms", "namespace": "kube-system" },
            "spec": obj! { "containers": list![
                obj! { "name": "c", "image": "registry.k8s.io/metrics-server/metrics-server:v0.8.0" },
            ] },
        });
        world.create(obj! {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": obj! {
                "name": "metrics-server-1", "namespace": "kube-system",
                "labels": obj! { "kubernetes.io/service-name": "metrics-server" },
            },
            "ports": list![obj! { "name": "https", "port": 10250 }],
            "endpoints": list![obj! {
                "addresses": list!["10.244.1.2"],
                "conditions": obj! { "ready": true },
                "targetRef": obj! { "kind": "Pod", "name": "ms", "namespace": "kube-system" },
            }],
        });
        world.run(1);
        assert_eq!(available(&world), "Passed: all checks passed");
        world.delete(
            "apiregistration.k8s.io",
            "apiservices",
            metrics::API_SERVICE,
            Value::Null,
        );
        world.run(1);
        assert!(!served());
    }
}
