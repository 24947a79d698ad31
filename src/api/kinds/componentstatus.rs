//! ComponentStatuses: asked of the components, never stored.

use crate::api::object::Object;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

/// The rules of ComponentStatuses.
pub struct ComponentStatusRules;

/// Whether the resource is asked of the components rather than stored.
pub fn is(resource: &crate::api::resource::Resource) -> bool {
    resource.group.is_empty() && &*resource.name == "componentstatuses"
}

/// The components of the control plane. All of them live as long as the world.
pub fn all() -> Vec<Object> {
    ["controller-manager", "etcd-0", "scheduler"]
        .into_iter()
        .map(|name| {
            Object::new(obj! {
                "apiVersion": "v1",
                "conditions": list![obj! { "message": "ok", "status": "True", "type": "Healthy" }],
                "kind": "ComponentStatus",
                "metadata": obj! { "name": name },
            })
        })
        .collect()
}

impl Strategy for ComponentStatusRules {
    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        let healthy = object.value().get("conditions").items().first();
        let of = |field: &str| healthy.map_or("", |c| c.get(field).str());
        let word = match of("status") {
            "True" => "Healthy",
            "False" => "Unhealthy",
            _ => "Unknown",
        };
        Some(vec![
            object.name().into(),
            word.into(),
            of("message").into(),
            of("error").into(),
        ])
    }
}
