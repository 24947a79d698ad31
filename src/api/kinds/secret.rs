//! Secrets: `stringData` becomes `data`; each type has keys that it needs.

use super::age_cell;
use super::configmap::{DATA_BYTES, frozen};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::api::well_known;
use crate::sim::Time;
use crate::value::{Value, base64, gojson};

/// The rules of Secrets.
pub struct SecretRules;

impl Strategy for SecretRules {
    fn defaults(&self, object: &mut Value) {
        super::set_default_zero(object, "type", "Opaque");
        if let Some(texts) = object.remove(&["stringData"]) {
            for (key, text) in texts.entries() {
                object.set(&["data", key], base64::encode(text.str()));
            }
        }
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let data = object.get("data");
        let mut total = 0;
        for (key, value) in data.entries() {
            if let Err(why) = names::config_map_key(key) {
                errors.invalid(format!("data[{}]", &**key), &key.into(), why);
            }
            total += base64::decode(value.str()).map_or(0, |b| b.len());
        }
        if total > DATA_BYTES {
            errors.too_long("data", DATA_BYTES);
        }
        let need = |key: &str, errors: &mut FieldErrors| {
            if !data.has(key) {
                errors.required(format!("data[{key}]"), "");
            }
        };
        match object.get("type").str() {
            well_known::TOKEN_SECRET => {
                let annotation = well_known::SERVICE_ACCOUNT_NAME;
                if object.at(&["metadata", "annotations", annotation]).is_empty() {
                    errors.required(format!("metadata.annotations[{annotation}]"), "");
                }
            }
            well_known::TLS_SECRET => {
                need("tls.crt", errors);
                need("tls.key", errors);
            }
            "kubernetes.io/ssh-auth" if data.get("ssh-privatekey").is_empty() => {
                errors.required("data[ssh-privatekey]", "");
            }
            "kubernetes.io/basic-auth" if !data.has("username") && !data.has("password") => {
                errors.required("data[username]", "");
                errors.required("data[password]", "");
            }
            kind @ ("kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson") => {
                let key = if kind.ends_with("json") {
                    ".dockerconfigjson"
                } else {
                    ".dockercfg"
                };
                match data.get(key).as_str() {
                    None => errors.required(format!("data[{key}]"), ""),
                    Some(text) => {
                        let bytes = base64::decode(text).unwrap_or_default();
                        if let Err(why) = gojson::parse(&String::from_utf8_lossy(&bytes)) {
                            errors.invalid(
                                format!("data[{key}]"),
                                &"<secret contents redacted>".into(),
                                why.to_string(),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn changes_come_first(&self) -> bool {
        true
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if new.get("type") != old.value().get("type") {
            errors.invalid("type", new.get("type"), "field is immutable");
        }
        frozen(new, old, &["data"], errors);
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "type").then(|| object.value().get("type").str().to_owned())
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            object.value().get("type").str().into(),
            object.value().get("data").entries().count().to_string().into(),
            age_cell(object, now),
        ])
    }
}
