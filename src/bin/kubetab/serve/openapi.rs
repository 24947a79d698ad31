//! The OpenAPI v2 document as protobuf (`gnostic`'s `openapi.v2.Document`), which every kubectl asks
//! for where it needs that version: to check manifests up to 1.27, to explain by `plaintext-openapiv2`.
//!
//! The numbers are those of gnostic's `OpenAPIv2.proto`. What no client of Kubernetes reads (contacts,
//! licences, examples) is left out.

use super::protobuf::Writer;
use kubetab::value::Value;

/// What `Accept` says for it.
pub const ACCEPT: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// What `Content-Type` says of it.
pub const CONTENT_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

impl Writer {
    fn text(&mut self, number: u32, value: &Value) {
        if let Some(text) = value.as_str().filter(|t| !t.is_empty()) {
            self.bytes(number, text.as_bytes());
        }
    }

    fn texts(&mut self, number: u32, values: &Value) {
        for value in values.items() {
            self.text(number, value);
        }
    }

    fn flag(&mut self, number: u32, value: &Value) {
        if value.as_bool() == Some(true) {
            self.number(number, 1);
        }
    }

    fn double(&mut self, number: u32, value: &Value) {
        if let Some(value) = value.as_f64() {
            self.varint(u64::from(number) << 3 | 1);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn integer(&mut self, number: u32, value: &Value) {
        if let Some(value) = value.as_i64() {
            self.number(number, value as u64);
        }
    }

    fn message(&mut self, number: u32, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(number, &inner.0);
    }

    /// `Any`: the value as YAML, which JSON is.
    fn any(&mut self, number: u32, value: &Value) {
        if !value.is_null() {
            self.message(number, |w| w.bytes(2, value.to_json().as_bytes()));
        }
    }

    /// The `x-…` of an object.
    fn extensions(&mut self, number: u32, value: &Value) {
        for (name, extension) in value.entries().filter(|(name, _)| name.starts_with("x-")) {
            self.message(number, |w| {
                w.bytes(1, name.as_bytes());
                w.any(2, extension);
            });
        }
    }

    /// A map's entries, each a message of its name and its value's message.
    fn named(&mut self, number: u32, map: &Value, write: fn(&mut Writer, &Value)) {
        for (name, value) in map.entries() {
            self.message(number, |w| {
                w.bytes(1, name.as_bytes());
                w.message(2, |w| write(w, value));
            });
        }
    }
}

fn schema(w: &mut Writer, value: &Value) {
    w.text(1, value.get("$ref"));
    w.text(2, value.get("format"));
    w.text(3, value.get("title"));
    w.text(4, value.get("description"));
    w.any(5, value.get("default"));
    w.double(7, value.get("maximum"));
    w.double(9, value.get("minimum"));
    w.integer(11, value.get("maxLength"));
    w.integer(12, value.get("minLength"));
    w.text(13, value.get("pattern"));
    w.integer(14, value.get("maxItems"));
    w.integer(15, value.get("minItems"));
    w.flag(16, value.get("uniqueItems"));
    w.texts(19, value.get("required"));
    for one in value.get("enum").items() {
        w.any(20, one);
    }
    match value.get("additionalProperties") {
        Value::Null => {}
        Value::Bool(allowed) => w.message(21, |w| w.number(2, u64::from(*allowed))),
        other => w.message(21, |w| w.message(1, |w| schema(w, other))),
    }
    match value.get("type") {
        Value::Null => {}
        list @ Value::List(_) => w.message(22, |w| w.texts(1, list)),
        one => w.message(22, |w| w.text(1, one)),
    }
    let items = value.get("items");
    if !items.is_null() {
        w.message(23, |w| w.message(1, |w| schema(w, items)));
    }
    for one in value.get("allOf").items() {
        w.message(24, |w| schema(w, one));
    }
    let properties = value.get("properties");
    if !properties.is_empty() {
        w.message(25, |w| w.named(1, properties, schema));
    }
    w.extensions(31, value);
}

fn parameter(w: &mut Writer, value: &Value) {
    let common = |w: &mut Writer| {
        w.flag(1, value.get("required"));
        w.text(2, value.get("in"));
        w.text(3, value.get("description"));
        w.text(4, value.get("name"));
    };
    match value.str_at(&["in"]) {
        "body" => w.message(1, |w| {
            w.text(1, value.get("description"));
            w.text(2, value.get("name"));
            w.text(3, value.get("in"));
            w.flag(4, value.get("required"));
            w.message(5, |w| schema(w, value.get("schema")));
        }),
        "query" => w.message(2, |w| {
            w.message(3, |w| {
                common(w);
                w.text(6, value.get("type"));
            });
        }),
        _ => w.message(2, |w| {
            w.message(4, |w| {
                common(w);
                w.text(5, value.get("type"));
            });
        }),
    }
}

fn parameters(w: &mut Writer, number: u32, list: &Value) {
    for one in list.items() {
        w.message(number, |w| w.message(1, |w| parameter(w, one)));
    }
}

fn response(w: &mut Writer, value: &Value) {
    w.message(1, |w| {
        w.text(1, value.get("description"));
        let held = value.get("schema");
        if !held.is_null() {
            w.message(2, |w| w.message(1, |w| schema(w, held)));
        }
    });
}

fn operation(w: &mut Writer, value: &Value) {
    w.texts(1, value.get("tags"));
    w.text(3, value.get("description"));
    w.text(5, value.get("operationId"));
    w.texts(6, value.get("produces"));
    w.texts(7, value.get("consumes"));
    parameters(w, 8, value.get("parameters"));
    let responses = value.get("responses");
    if !responses.is_empty() {
        w.message(9, |w| w.named(1, responses, response));
    }
    w.texts(10, value.get("schemes"));
    w.extensions(13, value);
}

fn path(w: &mut Writer, value: &Value) {
    let operations = ["get", "put", "post", "delete", "options", "head", "patch"];
    for (number, name) in (2..).zip(operations) {
        let one = value.get(name);
        if !one.is_null() {
            w.message(number, |w| operation(w, one));
        }
    }
    parameters(w, 9, value.get("parameters"));
    w.extensions(10, value);
}

/// The bytes of a document.
pub fn document(value: &Value) -> Vec<u8> {
    let mut w = Writer::default();
    w.text(1, value.get("swagger"));
    w.message(2, |w| {
        w.text(1, value.at(&["info", "title"]));
        w.text(2, value.at(&["info", "version"]));
    });
    w.message(8, |w| w.named(2, value.get("paths"), path));
    w.message(9, |w| w.named(1, value.get("definitions"), schema));
    w.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubetab::{list, obj};

    #[test]
    fn a_schema_on_the_wire() {
        let value = obj! {
            "properties": obj! { "a": obj! { "type": "string" } },
            "required": list!["a"],
            "x-kubernetes-map-type": "atomic",
        };
        let mut w = Writer::default();
        schema(&mut w, &value);
        let expected = b"\x9a\x01\x01a";
        // Field 19 is `required`, 25 `properties`, 31 the extensions.
        assert!(w.0.starts_with(expected));
        assert!(w.0.windows(2).any(|b| b == [0xca, 0x01]) && w.0.windows(2).any(|b| b == [0xfa, 0x01]));
        assert!(document(&obj! { "swagger": "2.0" }).starts_with(b"\x0a\x032.0"));
    }
}
