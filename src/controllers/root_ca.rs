//! The root CA publisher: every namespace has the ConfigMap `kube-root-ca.crt`, with which pods
//! check the API server's certificate.

use std::rc::Rc;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::{Informer, ObjectKey, Resource, Status};
use crate::obj;

const NAME: &str = "root-ca-cert-publisher";
const MAP: &str = "kube-root-ca.crt";
const KEY: &str = "ca.crt";
const DESCRIPTION: (&str, &str) = (
    "kubernetes.io/description",
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
);

struct Controller {
    base: Base,
    maps: Informer,
    map_resource: Rc<Resource>,
    /// Empty for a cluster that has its certificate in `kube-system`.
    configured: Rc<str>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let map_resource = resource(context.api(), "", "configmaps");
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "", "namespaces"),
        maps: context.informers().of(&map_resource),
        map_resource,
        configured: context.options().root_ca.clone(),
    });
    let (base, maps) = (&controller.base, &controller.maps);
    base.objects.feed_those(&base.queue, |_| true);
    let q = base.queue.clone();
    maps.on_change(move |old, new| {
        if let Some(map) = new.or(old).filter(|m| m.name() == MAP) {
            q.add(ObjectKey::new("", map.namespace()));
        }
    });
    let c = controller.clone();
    base.run(context, 1, &[maps], async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let Base { client, objects, .. } = &self.base;
        if objects.get(key).is_none_or(|n| n.is_deleting()) {
            return Ok(());
        }
        // A cluster that was booted from a snapshot has its certificate there.
        let published = || {
            let map = self.maps.get(&ObjectKey::new("kube-system", MAP))?;
            map.value().at(&["data", KEY]).shared_str().cloned()
        };
        let configured = self.configured.clone();
        let text = if configured.is_empty() {
            published().unwrap_or(configured)
        } else {
            configured
        };
        let data = obj! { "ca.crt": text };
        let present = self.maps.get(&ObjectKey::new(&key.name, MAP));
        let result = match present {
            Some(map) if map.value().get("data") == &data => return Ok(()),
            Some(map) => {
                let mut value = map.value().clone();
                value.set(&["data"], data);
                client.update(&self.map_resource, value).await
            }
            None => {
                let mut value = obj! {
                    "apiVersion": "v1",
                    "data": data,
                    "kind": "ConfigMap",
                    "metadata": obj! { "name": MAP, "namespace": &key.name },
                };
                value.set(&["metadata", "annotations", DESCRIPTION.0], DESCRIPTION.1);
                client.make(&self.map_resource, &key.name, value).await
            }
        };
        match result {
            Err(status) if !status.is_already_exists() && !pods::namespace_ends(&status) => Err(status),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::value::Value;

    #[test]
    fn each_namespace_has_one_and_an_edit_is_put_right() {
        let world = World::new();
        world.create(obj! {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": obj! { "name": MAP, "namespace": "kube-system" }, "data": obj! { "ca.crt": "CERTIFICATE" },
        });
        world.start(start);
        let text = |world: &World| {
            world
                .get("", "configmaps", MAP)
                .value()
                .str_at(&["data", KEY])
                .to_owned()
        };
        assert_eq!(text(&world), "CERTIFICATE");
        world.patch("", "configmaps", MAP, obj! { "data": obj! { "ca.crt": "x", "b": "y" } });
        world.run(1);
        assert_eq!(text(&world), "CERTIFICATE");
        assert_eq!(
            world.get("", "configmaps", MAP).value().at(&["data", "b"]),
            &Value::Null
        );
    }
}
