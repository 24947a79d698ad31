//! The four kinds of patches: strategic merge, JSON merge, JSON patch, server-side apply.

pub mod diff;
pub mod json;
pub mod strategic;

use super::object::Object;
use super::request::PatchType;
use super::schema::Type;
use super::status::{FieldErrors, Status};
use crate::value::{Value, gofmt};

pub use diff::{create_merge, create_three_way, create_three_way_merge, create_two_way};

/// The patched tree.
///
/// # Errors
/// 400, 415 or 422 when the patch is none or does not fit.
pub fn apply(patch_type: PatchType, old: &Object, patch: &Value, ty: Option<&Type>) -> Result<Value, Status> {
    match patch_type {
        PatchType::Merge if patch.as_map().is_none() => {
            Err(Status::bad_request(format!("error decoding patch: {}", no_map(patch))))
        }
        PatchType::Merge => {
            let mut value = old.value().clone();
            merge(&mut value, patch);
            Ok(value)
        }
        PatchType::Json => json::apply(old.value(), patch),
        PatchType::Strategic => {
            // A custom resource has no merge keys.
            let Some(ty) = ty else {
                return Err(unsupported(true));
            };
            strategic::merge(old.value(), patch, ty).map_err(|why| match why {
                strategic::Error::Format(why) => Status::bad_request(why),
                // The server knows no reason for these.
                strategic::Error::Patch(why) => Status::failure(500, "", why),
                strategic::Error::NoMap => Status::bad_request(no_map(patch)),
            })
        }
        // It needs the managers of the object's fields.
        PatchType::Apply => Err(Status::unsupported_media_type(
            "server-side apply is not simulated for this subresource",
        )),
    }
}

/// The sentence of Go's decoder about a patch that is no object.
fn no_map(patch: &Value) -> String {
    let kind = strategic::json_kind(patch);
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

/// 415 for a patch of a type that is not taken. Custom resources take no strategic ones.
pub(super) fn unsupported(custom: bool) -> Status {
    let mut taken = vec![PatchType::Json.media_type(), PatchType::Merge.media_type()];
    if !custom {
        taken.push(PatchType::Strategic.media_type());
    }
    taken.push(PatchType::Apply.media_type());
    Status::unknown_media_type(&taken)
}

/// The failure of a patch whose outcome cannot be decoded, for the reason in `status`. The outcome is `shown`,
/// and of a strategic patch the patch.
pub(super) fn undecodable(shown: String, status: &Status) -> Status {
    // The sentence begins with what cannot be handled as what, which is left out here.
    let why = status.message();
    let why = why
        .split_once(" cannot be handled as a ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map_or(why, |(_, why)| why);
    let mut errors = FieldErrors::default();
    errors.invalid("patch", &Value::from(shown), why);
    Status::invalid("", "", "", &errors)
}

/// The failure of a strategic patch whose outcome is not of the kind's type.
pub(super) fn mismatch(patch: &Value, why: &str) -> Status {
    // `json: cannot unmarshal string into Go struct field X.y of type int32`: what was found, and
    // what was wanted.
    let found = why.split(' ').nth(3).unwrap_or("");
    let found = match found {
        "object" => "map",
        "array" => "slice",
        "number" => "int64",
        other => other,
    };
    let wanted = why.rsplit_once(" of type ").map_or("", |(_, t)| t);
    let sentence = match wanted {
        "" => why.to_owned(),
        "string" | "bool" | "int32" | "int64" | "float64" => format!("unrecognized type: {wanted}"),
        _ if wanted.starts_with("[]") => format!("cannot restore slice from {found}"),
        _ if wanted.starts_with("map[") => format!("cannot restore map from {found}"),
        _ => format!("cannot restore struct from: {found}"),
    };
    let mut errors = FieldErrors::default();
    errors.invalid("patch", &Value::from(gofmt::display(patch)), sentence);
    Status::invalid("", "", "", &errors)
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Map(fields) = patch else {
        *target = patch.clone();
        return;
    };
    // What is no map is replaced, by an empty patch too.
    target.map_mut();
    for (key, value) in fields.iter() {
        if value.is_null() {
            target.remove(&[key]);
        } else {
            merge(target.map_mut().entry(key), value);
        }
    }
}
