//! ConfigMaps.

use super::age_cell;
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::{Value, base64};

/// The rules of ConfigMaps.
pub struct ConfigMapRules;

/// Bytes of a ConfigMap's or Secret's data (`MaxSecretSize`).
pub(crate) const DATA_BYTES: usize = 1024 * 1024;

impl Strategy for ConfigMapRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let mut total = 0;
        for (key, value) in object.get("data").entries() {
            if let Err(why) = names::config_map_key(key) {
                errors.invalid(format!("data[{}]", &**key), &key.into(), why);
            }
            if object.get("binaryData").has(key) {
                errors.invalid(
                    format!("data[{}]", &**key),
                    &key.into(),
                    "duplicate of key present in binaryData",
                );
            }
            total += value.str().len();
        }
        for (key, value) in object.get("binaryData").entries() {
            if let Err(why) = names::config_map_key(key) {
                errors.invalid(format!("binaryData[{}]", &**key), &key.into(), why);
            }
            total += base64::decode(value.str()).map_or(0, |b| b.len());
        }
        if total > DATA_BYTES {
            errors.too_long("[]", DATA_BYTES);
        }
    }

    fn changes_come_first(&self) -> bool {
        true
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        frozen(new, old, &["data", "binaryData"], errors);
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let count = |field: &str| object.value().get(field).entries().count();
        Some(vec![
            object.name().into(),
            (count("data") + count("binaryData")).to_string().into(),
            age_cell(object, now),
        ])
    }
}

/// What is marked `immutable` stays so, and keeps its data.
pub(crate) fn frozen(new: &Value, old: &Object, fields: &[&str], errors: &mut FieldErrors) {
    if !old.value().bool_at(&["immutable"]) {
        return;
    }
    let why = "field is immutable when `immutable` is set";
    if !new.bool_at(&["immutable"]) {
        errors.forbidden("immutable", why);
    }
    for field in fields {
        if new.get(field) != old.value().get(field) {
            errors.forbidden(field, why);
        }
    }
}
