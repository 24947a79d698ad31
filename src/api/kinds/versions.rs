//! Kinds that are kept in one version and served in others of another shape.

use super::{event, hpa_versions};
use crate::api::resource::Resource;
use crate::value::Value;

/// A kind's versions.
pub struct Versions {
    /// The version that it is kept in, as its objects name it.
    kept: &'static str,
    /// The object in another version; as it is when it has that version already.
    convert: fn(&Value, &str) -> Value,
}

/// The versions of a resource's objects; `None` when all have one shape.
pub fn of(resource: &Resource) -> Option<&'static Versions> {
    match (&*resource.group, &*resource.name) {
        ("autoscaling", "horizontalpodautoscalers") => Some(&Versions {
            kept: hpa_versions::V2,
            convert: hpa_versions::convert,
        }),
        ("" | "events.k8s.io", "events") => Some(&Versions {
            kept: event::CORE,
            convert: event::convert,
        }),
        _ => None,
    }
}

impl Versions {
    /// The object as it is kept.
    pub fn kept(&self, value: &Value) -> Value {
        (self.convert)(value, self.kept)
    }

    /// The object as a resource shows it.
    pub fn shown(&self, value: &Value, resource: &Resource) -> Value {
        (self.convert)(value, &resource.api_version())
    }
}
