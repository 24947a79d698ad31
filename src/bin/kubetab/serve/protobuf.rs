//! Kubernetes' protobuf: envelopes and messages, read and written by the table of field numbers
//! (`data/protobuf.txt`, made by `cargo xtask protobuf`) and the library's table of types.
//!
//! A message is an envelope: the bytes `k8s\0`, then a `runtime.Unknown` with the object's
//! apiVersion, kind and bytes. Go's writer gives every field that is no pointer, zeros and empty texts
//! too, so an empty text or a zero of such a field means that it is absent.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kubetab::api::schema::{self, Expr, Type};
use kubetab::limits;
use kubetab::sim::Time;
use kubetab::value::{Value, base64};

const TABLE: &str = include_str!("data/protobuf.txt");

/// What every protobuf message of Kubernetes begins with.
const PREFIX: &[u8; 4] = b"k8s\0";

/// A field's name, and the numbers that lead to it.
type Fields = Vec<(&'static str, Vec<u32>)>;

fn table() -> &'static BTreeMap<&'static str, Fields> {
    static PARSED: OnceLock<BTreeMap<&'static str, Fields>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let fields = |words: std::str::Split<'static, char>| {
            words
                .filter_map(|word| word.split_once('='))
                .map(|(name, path)| (name, path.split('.').filter_map(|n| n.parse().ok()).collect()))
                .collect()
        };
        TABLE
            .lines()
            .filter_map(|line| {
                let mut words = line.split('\t');
                Some((words.next()?, fields(words)))
            })
            .collect()
    })
}

/// Reads protobuf's wire format.
struct Reader<'a>(&'a [u8]);

/// A field's value on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

const CUT_SHORT: &str = "unexpected EOF";

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(CUT_SHORT)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("proto: integer overflow".into())
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| "proto: illegal tag")?;
        let little = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(little(self.take(8)?)),
            5 => Wire::Number(little(self.take(4)?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT_SHORT)?;
                Wire::Bytes(self.take(length)?)
            }
            other => return Err(format!("proto: illegal wireType {other}")),
        };
        Ok(Some((number, wire)))
    }

    /// The bytes of the first field of this number.
    fn bytes_of(bytes: &'a [u8], wanted: u32) -> Result<&'a [u8], String> {
        let mut reader = Reader(bytes);
        while let Some((number, wire)) = reader.next()? {
            if let (true, Wire::Bytes(found)) = (number == wanted, wire) {
                return Ok(found);
            }
        }
        Ok(&[])
    }

    /// The number in the first field of this number.
    fn number_of(bytes: &[u8], wanted: u32) -> Result<i64, String> {
        let mut reader = Reader(bytes);
        while let Some((number, wire)) = reader.next()? {
            if let (true, Wire::Number(found)) = (number == wanted, wire) {
                return Ok(found as i64);
            }
        }
        Ok(0)
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "proto: invalid UTF-8".into())
}

/// The object in an envelope.
///
/// # Errors
/// A sentence about what is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    let Some(rest) = bytes.strip_prefix(PREFIX) else {
        return Err("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".into());
    };
    let meta = Reader::bytes_of(rest, 1)?;
    let raw = Reader::bytes_of(rest, 2)?;
    let api_version = text(Reader::bytes_of(meta, 1)?)?;
    let kind = text(Reader::bytes_of(meta, 2)?)?;
    let content_type = Reader::bytes_of(rest, 4)?;
    if content_type == b"application/json" {
        return Value::from_json(&text(raw)?).map_err(|e| e.to_string());
    }
    let ty = schema::by_kind(&api_version, &kind)
        .ok_or_else(|| format!("no kind \"{kind}\" is registered for version \"{api_version}\""))?;
    let mut value = Value::map();
    message(raw, &ty, &[], &mut value, 0)?;
    value.set(&["apiVersion"], api_version);
    value.set(&["kind"], kind);
    Ok(value)
}

/// Reads a message into `value`: the fields of `ty` below the numbers `prefix`.
fn message(bytes: &[u8], ty: &Type, prefix: &[u32], value: &mut Value, depth: usize) -> Result<(), String> {
    if depth > limits::VALUE_DEPTH {
        return Err("exceeded max depth".into());
    }
    let Some(fields) = table().get(&*ty.name) else {
        return Err(format!("protobuf of {} is not known", ty.go_name()));
    };
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.next()? {
        let mut path = prefix.to_vec();
        path.push(number);
        let exact = fields
            .iter()
            .find(|(_, p)| *p == path)
            .and_then(|(name, _)| ty.field(name));
        match (exact, wire) {
            (Some(field), wire) => {
                let special = choice(ty, &field.name);
                match (special, &wire) {
                    (Some(choice), Wire::Bytes(bytes)) => {
                        let read = choice.read(bytes, depth + 1)?;
                        value.set(&[&field.name], read);
                    }
                    _ => add(&field.expr, &wire, value, &field.name, depth + 1)?,
                }
            }
            // A message that JSON shows inside its parent.
            (None, Wire::Bytes(inner)) if fields.iter().any(|(_, p)| p.starts_with(&path)) => {
                message(inner, ty, &path, value, depth + 1)?;
            }
            // A field of another version.
            (None, _) => {}
        }
    }
    // Of metadata's numbers this one is no pointer.
    if &*ty.name == "m:apis.meta.v1.ObjectMeta" && value.i64_at(&["generation"]) == Some(0) {
        value.remove(&["generation"]);
    }
    Ok(())
}

/// Adds a field's value to its parent: appends to lists and maps, sets what is single.
fn add(expr: &Expr, wire: &Wire<'_>, parent: &mut Value, name: &str, depth: usize) -> Result<(), String> {
    match (expr, wire) {
        (Expr::List(item), Wire::Bytes(bytes)) if matches!(**item, Expr::Int32 | Expr::Int64 | Expr::Bool) => {
            let mut reader = Reader(bytes);
            while !reader.0.is_empty() {
                let number = Wire::Number(reader.varint()?);
                let one = single(item, &number, depth)?;
                parent.at_mut(&[name]).list_mut().push(one.unwrap_or_default());
            }
        }
        (Expr::List(item), wire) => {
            let one = single(item, wire, depth)?;
            parent
                .at_mut(&[name])
                .list_mut()
                .push(one.unwrap_or_else(|| empty(item)));
        }
        (Expr::Map(item), Wire::Bytes(entry)) => {
            let key = text(Reader::bytes_of(entry, 1)?)?;
            let held = Reader::bytes_of(entry, 2)?;
            let one = match &**item {
                // A map of lists has a message around each list.
                Expr::List(inner) => {
                    let mut holder = Value::map();
                    let mut reader = Reader(held);
                    while let Some((_, wire)) = reader.next()? {
                        add(&Expr::List(inner.clone()), &wire, &mut holder, "items", depth)?;
                    }
                    holder.get("items").clone()
                }
                inner => single(inner, &Wire::Bytes(held), depth)?.unwrap_or_else(|| empty(inner)),
            };
            parent.at_mut(&[name]).map_mut().insert(key.as_str(), one);
        }
        (expr, wire) => {
            if let Some(one) = single(expr, wire, depth)? {
                parent.set(&[name], one);
            }
        }
    }
    Ok(())
}

fn empty(expr: &Expr) -> Value {
    match expr {
        Expr::Ref(_) | Expr::Object | Expr::Map(_) => Value::map(),
        Expr::Quantity => "0".into(),
        Expr::Any | Expr::SchemaOr | Expr::Time | Expr::MicroTime => Value::Null,
        _ => "".into(),
    }
}

/// One value; `None` where it means an absent field.
fn single(expr: &Expr, wire: &Wire<'_>, depth: usize) -> Result<Option<Value>, String> {
    Ok(match (expr, wire) {
        (Expr::Str, Wire::Bytes(bytes)) => Some(text(bytes)?.into()),
        (Expr::Bytes, Wire::Bytes(bytes)) => Some(base64::encode(bytes).into()),
        (Expr::Int32 | Expr::Int64, Wire::Number(n)) => Some((*n as i64).into()),
        (Expr::Bool, Wire::Number(n)) => Some((*n != 0).into()),
        (Expr::Number, Wire::Number(n)) => Some(Value::Float(f64::from_bits(*n))),
        (Expr::Quantity, Wire::Bytes(bytes)) => {
            let text = text(Reader::bytes_of(bytes, 1)?)?;
            (!text.is_empty()).then(|| text.into())
        }
        (Expr::IntOrString, Wire::Bytes(bytes)) => Some(match Reader::number_of(bytes, 1)? {
            0 => Reader::number_of(bytes, 2)?.into(),
            _ => text(Reader::bytes_of(bytes, 3)?)?.into(),
        }),
        (Expr::Time | Expr::MicroTime, Wire::Bytes(bytes)) => {
            let seconds = Reader::number_of(bytes, 1)?;
            let nanos = u64::try_from(Reader::number_of(bytes, 2)?).unwrap_or(0);
            u64::try_from(seconds).ok().filter(|s| *s > 0).map(|seconds| {
                let time = Time::from_secs(seconds) + std::time::Duration::from_nanos(nanos);
                match expr {
                    Expr::MicroTime => time.micro().into(),
                    _ => Value::from(Time::from_secs(seconds).to_string()),
                }
            })
        }
        (Expr::Any | Expr::Object | Expr::SchemaOr, Wire::Bytes(bytes)) => {
            let raw = Reader::bytes_of(bytes, 1)?;
            if raw.starts_with(PREFIX) {
                Some(decode(raw)?)
            } else if raw.is_empty() {
                None
            } else {
                Some(Value::from_json(&text(raw)?).map_err(|e| e.to_string())?)
            }
        }
        (Expr::Ref(name), Wire::Bytes(bytes)) => {
            let ty = schema::by_name(name).ok_or_else(|| format!("protobuf of {name} is not known"))?;
            let mut value = Value::map();
            message(bytes, &ty, &[], &mut value, depth)?;
            Some(value)
        }
        _ => return Err("proto: wrong wireType".into()),
    })
}

/// The places where a schema's JSON is one of two things and protobuf has a message for each.
#[derive(Clone, Copy)]
enum Choice {
    /// A schema or a list of schemas.
    OrArray,
    /// A boolean or a schema.
    OrBool,
}

const SCHEMA: &str = "x:apis.apiextensions.v1.JSONSchemaProps";

fn choice(ty: &Type, field: &str) -> Option<Choice> {
    match field {
        _ if &*ty.name != SCHEMA => None,
        "items" => Some(Choice::OrArray),
        "additionalItems" | "additionalProperties" => Some(Choice::OrBool),
        _ => None,
    }
}

impl Choice {
    fn read(self, bytes: &[u8], depth: usize) -> Result<Value, String> {
        let ty = Expr::Ref(SCHEMA.into());
        let (one, other) = match self {
            Choice::OrArray => (1, 2),
            Choice::OrBool => (2, 1),
        };
        let mut many = Value::map();
        let mut reader = Reader(bytes);
        while let Some((number, wire)) = reader.next()? {
            if number == one {
                return Ok(single(&ty, &wire, depth)?.unwrap_or_default());
            }
            match self {
                Choice::OrArray if number == other => {
                    add(&Expr::List(Box::new(ty.clone())), &wire, &mut many, "x", depth)?
                }
                Choice::OrBool if number == other => {
                    many.set(&["x"], single(&Expr::Bool, &wire, depth)?.unwrap_or_default())
                }
                _ => {}
            }
        }
        Ok(many.get("x").clone())
    }

    fn write(self, value: &Value, depth: usize) -> Vec<u8> {
        let ty = Expr::Ref(SCHEMA.into());
        let mut out = Writer::default();
        match (self, value) {
            (Choice::OrArray, Value::List(items)) => {
                for item in items.iter() {
                    out.field(&ty, 2, item, depth);
                }
            }
            (Choice::OrArray, _) => out.field(&ty, 1, value, depth),
            (Choice::OrBool, Value::Bool(_)) => out.field(&Expr::Bool, 1, value, depth),
            (Choice::OrBool, _) => {
                out.field(&Expr::Bool, 1, &true.into(), depth);
                out.field(&ty, 2, value, depth);
            }
        }
        out.0
    }
}

/// Writes protobuf's wire format.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    pub fn number(&mut self, number: u32, value: u64) {
        self.varint(u64::from(number) << 3);
        self.varint(value);
    }

    pub fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.varint(u64::from(number) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A field of a message: each item of a list, each entry of a map.
    fn field(&mut self, expr: &Expr, number: u32, value: &Value, depth: usize) {
        if value.is_null() || depth > limits::VALUE_DEPTH {
            return;
        }
        match expr {
            Expr::List(item) => {
                for one in value.items() {
                    self.field(item, number, one, depth);
                }
            }
            Expr::Map(item) => {
                for (key, one) in value.entries() {
                    let mut entry = Writer::default();
                    entry.bytes(1, key.as_bytes());
                    match &**item {
                        Expr::List(inner) => {
                            let mut list = Writer::default();
                            list.field(&Expr::List(inner.clone()), 1, one, depth);
                            entry.bytes(2, &list.0);
                        }
                        inner => entry.field(inner, 2, one, depth),
                    }
                    self.bytes(number, &entry.0);
                }
            }
            Expr::Str => self.bytes(number, value.str().as_bytes()),
            Expr::Bytes => self.bytes(number, &base64::decode(value.str()).unwrap_or_default()),
            Expr::Int32 | Expr::Int64 => self.number(number, value.as_i64().unwrap_or(0) as u64),
            Expr::Bool => self.number(number, u64::from(value.as_bool().unwrap_or(false))),
            Expr::Number => {
                self.varint(u64::from(number) << 3 | 1);
                self.0.extend_from_slice(&value.as_f64().unwrap_or(0.0).to_le_bytes());
            }
            Expr::Quantity => {
                let mut inner = Writer::default();
                inner.bytes(1, value.str().as_bytes());
                self.bytes(number, &inner.0);
            }
            Expr::IntOrString => {
                let mut inner = Writer::default();
                match value.as_str() {
                    Some(text) => {
                        inner.number(1, 1);
                        inner.bytes(3, text.as_bytes());
                    }
                    None => inner.number(2, value.as_i64().unwrap_or(0) as u64),
                }
                self.bytes(number, &inner.0);
            }
            Expr::Time | Expr::MicroTime => {
                let Some(time) = Time::parse(value.str()) else { return };
                let mut inner = Writer::default();
                inner.number(1, time.as_secs());
                if *expr == Expr::MicroTime {
                    inner.number(2, u64::from(time.since(Time::from_secs(time.as_secs())).subsec_nanos()));
                }
                self.bytes(number, &inner.0);
            }
            Expr::Any | Expr::Object | Expr::SchemaOr => {
                let mut inner = Writer::default();
                inner.bytes(1, value.to_json().as_bytes());
                self.bytes(number, &inner.0);
            }
            Expr::Ref(name) => {
                let Some(ty) = schema::by_name(name) else { return };
                let mut inner = Writer::default();
                if inner.object(&ty, &[], value, depth + 1).is_some() {
                    self.bytes(number, &inner.0);
                }
            }
            // Types of custom resources, which have no protobuf.
            Expr::Inline(_) => {}
        }
    }

    /// The fields of a type below the numbers `prefix`, in the order of their numbers.
    fn object(&mut self, ty: &Type, prefix: &[u32], value: &Value, depth: usize) -> Option<()> {
        let fields = table().get(&*ty.name)?;
        let below = |path: &[u32]| path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        let mut present: Vec<_> = fields
            .iter()
            .filter(|(name, path)| below(path) && value.has(name))
            .map(|(name, path)| {
                (
                    path.get(prefix.len()).copied().unwrap_or(0),
                    path.len() == prefix.len() + 1,
                    *name,
                )
            })
            .collect();
        present.sort();
        let mut inlined = None;
        for (number, is_own, name) in present {
            if !is_own {
                if inlined.replace(number) == Some(number) {
                    continue;
                }
                let mut path = prefix.to_vec();
                path.push(number);
                let mut inner = Writer::default();
                inner.object(ty, &path, value, depth + 1)?;
                self.bytes(number, &inner.0);
                continue;
            }
            let Some(field) = ty.field(name) else { continue };
            match choice(ty, name) {
                Some(choice) => self.bytes(number, &choice.write(value.get(name), depth + 1)),
                None => self.field(&field.expr, number, value.get(name), depth),
            }
        }
        Some(())
    }
}

/// An object's envelope; `None` for a kind that has no protobuf (Tables, custom resources).
pub fn encode(value: &Value) -> Option<Vec<u8>> {
    let (api_version, kind) = (value.str_at(&["apiVersion"]), value.str_at(&["kind"]));
    let ty = schema::by_kind(api_version, kind)?;
    let mut raw = Writer::default();
    raw.object(&ty, &[], value, 0)?;
    let mut meta = Writer::default();
    meta.bytes(1, api_version.as_bytes());
    meta.bytes(2, kind.as_bytes());
    let mut unknown = Writer(PREFIX.to_vec());
    unknown.bytes(1, &meta.0);
    unknown.bytes(2, &raw.0);
    unknown.bytes(3, b"");
    unknown.bytes(4, b"");
    Some(unknown.0)
}

/// A watch's event, with its length before it.
pub fn encode_event(event: &Value) -> Option<Vec<u8>> {
    let object = encode(event.get("object"))?;
    let mut raw = Writer::default();
    raw.bytes(1, &object);
    let mut message = Writer::default();
    message.bytes(1, event.str_at(&["type"]).as_bytes());
    message.bytes(2, &raw.0);
    let mut frame = u32::try_from(message.0.len()).ok()?.to_be_bytes().to_vec();
    frame.extend(message.0);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubetab::{list, obj};

    fn there_and_back(value: Value) {
        let bytes = encode(&value).unwrap();
        assert_eq!(decode(&bytes).unwrap().to_json(), value.to_json());
    }

    #[test]
    fn objects_survive_the_way_there_and_back() {
        there_and_back(obj! {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": obj! { "creationTimestamp": "2026-01-01T08:00:00Z", "labels": obj! { "app": "web" }, "name": "web" },
            "spec": obj! {
                "replicas": 3,
                "strategy": obj! { "rollingUpdate": obj! { "maxSurge": "25%", "maxUnavailable": 1 } },
                "template": obj! { "spec": obj! {
                    "containers": list![obj! {
                        "args": list!["-a", ""],
                        "livenessProbe": obj! { "httpGet": obj! { "path": "/", "port": "http" }, "periodSeconds": 5 },
                        "name": "web",
                        "resources": obj! { "limits": obj! { "cpu": "500m" } },
                        "securityContext": obj! { "runAsUser": 0 },
                    }],
                    "volumes": list![obj! { "name": "v", "nfs": obj! { "path": "/x", "server": "s" } }],
                } },
            },
        });
        there_and_back(obj! { "apiVersion": "v1", "data": obj! { "k": "AP8=" }, "kind": "Secret" });
        there_and_back(obj! {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "spec": obj! { "renewTime": "2026-01-01T08:00:00.250000Z" },
        });
        there_and_back(obj! {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": obj! { "extra": obj! { "scopes": list!["a", "b"] }, "user": "jane" },
        });
        let schema = obj! {
            "properties": obj! {
                "any": obj! { "additionalProperties": true },
                "list": obj! { "items": obj! { "type": "string" } },
                "map": obj! { "additionalProperties": obj! { "type": "string" } },
            },
        };
        there_and_back(obj! {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "spec": obj! { "versions": list![obj! { "name": "v1", "schema": obj! { "openAPIV3Schema": schema } }] },
        });
    }

    #[test]
    fn every_numbered_field_is_a_field_of_its_type() {
        for (name, fields) in table() {
            let ty = schema::by_name(name).unwrap();
            for (field, path) in fields {
                assert!(ty.field(field).is_some(), "{name}.{field}");
                assert!(
                    !path.is_empty() && fields.iter().filter(|(_, p)| p == path).count() == 1,
                    "{name}.{field}"
                );
            }
        }
    }

    #[test]
    fn wrong_bytes_are_said() {
        assert!(decode(b"{}").unwrap_err().contains("expected prefix"));
        assert_eq!(decode(b"k8s\0\x0a\xff").unwrap_err(), "unexpected EOF");
        let unknown = encode(&obj! { "apiVersion": "v1", "kind": "Pod" }).unwrap();
        for cut in 4..unknown.len() {
            // Whatever the cut leaves is an answer, not a panic.
            let _ = decode(&unknown[..cut]);
        }
        assert_eq!(encode(&obj! { "apiVersion": "meta.k8s.io/v1", "kind": "Table" }), None);
    }
}
