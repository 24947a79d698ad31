//! The four kinds of patches.

use super::object::Object;
use super::request::{PatchType, Request};
use super::schema::Type;
use super::server::Target;
use super::status::Status;
use crate::value::Value;

/// The patched tree.
///
/// # Errors
/// 400 or 422 when the patch is none or does not fit.
pub fn apply(
    patch_type: PatchType,
    old: &Object,
    patch: &Value,
    _ty: Option<&Type>,
    _request: &Request,
    _target: &Target,
) -> Result<Value, Status> {
    match patch_type {
        PatchType::Merge => {
            let mut value = old.value().clone();
            merge(&mut value, patch);
            Ok(value)
        }
        _ => Err(Status::unsupported_media_type("this kind of patch is not served yet")),
    }
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Map(fields) = patch else {
        *target = patch.clone();
        return;
    };
    for (key, value) in fields.iter() {
        if value.is_null() {
            target.remove(&[key]);
        } else {
            merge(target.map_mut().entry(key), value);
        }
    }
}
