//! Decoding: a request's tree against its type. Finds unknown fields, wrong types (in the words of
//! Go's `encoding/json`), drops what the type lacks, and sets the schema's defaults.

use super::quantity::{self, Quantity};
use super::schema::{self, Empty, Expr, Type, go_name};
use crate::sim::Time;
use crate::value::{Key, Map, Value, base64, intern};

/// What decoding found besides errors.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The object, of known fields alone.
    pub value: Value,
    /// `unknown field "spec.foo"`, in the order of the tree.
    pub unknown: Vec<String>,
}

/// Decodes `value` as `ty`. Unknown fields are left out and listed.
///
/// # Errors
/// The sentence of Go's JSON decoder: `json: cannot unmarshal string into Go struct field
/// PodSpec.spec.containers of type []v1.Container`.
pub fn decode(value: &Value, ty: &Type) -> Result<Decoded, String> {
    let mut decoder = Decoder { unknown: Vec::new() };
    let value = decoder.fields(value, ty, &mut Path::default())?;
    Ok(Decoded {
        value,
        unknown: decoder.unknown,
    })
}

struct Decoder {
    unknown: Vec<String>,
}

/// Where the decoder is.
#[derive(Default)]
struct Path {
    /// As strict decoding prints it, with indices and map keys: `spec.containers[0].image`.
    text: String,
    /// As Go's errors print it: the struct fields alone, `spec.containers.image`.
    fields: String,
    /// The Go struct that the last field is of.
    owner: String,
}

impl Path {
    /// Runs `f` at a map's key.
    fn key<T>(&mut self, name: &str, f: impl FnOnce(&mut Path) -> T) -> T {
        let length = join(&mut self.text, name);
        let result = f(self);
        self.text.truncate(length);
        result
    }

    /// Runs `f` at a struct's field.
    fn field<T>(&mut self, name: &str, f: impl FnOnce(&mut Path) -> T) -> T {
        let length = join(&mut self.fields, name);
        let result = self.key(name, f);
        self.fields.truncate(length);
        result
    }

    /// Runs `f` at a list's item.
    fn index<T>(&mut self, i: usize, f: impl FnOnce(&mut Path) -> T) -> T {
        let length = self.text.len();
        self.text.push_str(&format!("[{i}]"));
        let result = f(self);
        self.text.truncate(length);
        result
    }
}

/// Appends `.name` and returns the length before.
fn join(text: &mut String, name: &str) -> usize {
    let length = text.len();
    if length > 0 {
        text.push('.');
    }
    text.push_str(name);
    length
}

impl Decoder {
    fn fields(&mut self, value: &Value, ty: &Type, path: &mut Path) -> Result<Value, String> {
        let Value::Map(map) = value else {
            return Err(wrong(value, path, ty.go_name()));
        };
        let owner = std::mem::replace(&mut path.owner, ty.bare_name().to_owned());
        let mut entries: Vec<(Key, Value)> = Vec::with_capacity(map.len());
        let mut changed = false;
        for (key, item) in map.iter() {
            let Some(field) = ty.field(key) else {
                if ty.open {
                    entries.push((key.clone(), item.clone()));
                    continue;
                }
                let at = path.field(key, |p| p.text.clone());
                self.unknown.push(format!("unknown field \"{at}\""));
                changed = true;
                continue;
            };
            if item.is_null() {
                // A null is an absent field to Go, except where the type is `any`.
                changed = true;
                continue;
            }
            let decoded = path.field(key, |p| self.expr(item, &field.expr, p))?;
            if decoded.is_empty() && field.empty == Empty::LeftOut {
                changed = true;
                continue;
            }
            changed |= !decoded.same(item);
            entries.push((field.name.clone(), decoded));
        }
        for field in &ty.fields {
            if let Some(default) = &field.default
                && !entries.iter().any(|(k, _)| *k == field.name)
            {
                entries.push((field.name.clone(), default.clone()));
                changed = true;
            }
        }
        path.owner = owner;
        Ok(if changed {
            Value::from(Map::from_entries(entries))
        } else {
            value.clone()
        })
    }

    /// A schema in a schema, where Go's own decoding drops unknown fields without a word.
    fn schema(&mut self, value: &Value, path: &mut Path) -> Result<Value, String> {
        let known = self.unknown.len();
        let decoded = match schema::by_name(schema::JSON_SCHEMA) {
            Some(ty) => self.fields(value, &ty, path),
            None => Ok(value.clone()),
        };
        self.unknown.truncate(known);
        decoded
    }

    fn expr(&mut self, value: &Value, expr: &Expr, path: &mut Path) -> Result<Value, String> {
        match (expr, value) {
            (Expr::Any, _)
            | (Expr::Object, Value::Map(_))
            | (Expr::Str, Value::Str(_))
            | (Expr::Bool, Value::Bool(_))
            | (Expr::Int64, Value::Int(_))
            | (Expr::IntOrString, Value::Str(_))
            | (Expr::Number, Value::Int(_) | Value::Float(_)) => Ok(value.clone()),
            (Expr::Int32 | Expr::Int64 | Expr::IntOrString, Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => {
                Ok(Value::Int(*f as i64))
            }
            (Expr::Int32 | Expr::IntOrString, Value::Int(n)) if i32::try_from(*n).is_ok() => Ok(value.clone()),
            (Expr::Bytes, Value::Str(text)) => match base64::try_decode(text) {
                Ok(_) => Ok(value.clone()),
                Err(at) => Err(format!("illegal base64 data at input byte {at}")),
            },
            (Expr::Time | Expr::MicroTime, Value::Str(text)) if Time::parse(text).is_some() => Ok(value.clone()),
            (Expr::Time, Value::Str(text)) => Err(Time::unparsed(text)),
            (Expr::MicroTime, Value::Str(text)) => {
                Err(Time::unparsed(text).replacen(":05Z07:00", ":05.000000Z07:00", 1))
            }
            // A quantity may be written as a number, and is kept as its canonical text.
            (Expr::Quantity, Value::Str(text)) => canonical(text, value),
            (Expr::Quantity, Value::Int(_) | Value::Float(_)) => canonical(&value.to_json(), value),
            (Expr::List(item), Value::List(list)) => {
                let mut items = Vec::with_capacity(list.len());
                let mut changed = false;
                for (i, v) in list.iter().enumerate() {
                    let decoded = if v.is_null() {
                        empty_of(item)
                    } else {
                        path.index(i, |p| self.expr(v, item, p))?
                    };
                    changed |= !decoded.same(v);
                    items.push(decoded);
                }
                Ok(if changed { Value::list(items) } else { value.clone() })
            }
            (Expr::Map(item), Value::Map(map)) => {
                let mut entries = Vec::with_capacity(map.len());
                let mut changed = false;
                for (k, v) in map.iter() {
                    let decoded = if v.is_null() {
                        empty_of(item)
                    } else {
                        path.key(k, |p| self.expr(v, item, p))?
                    };
                    changed |= !decoded.same(v);
                    entries.push((k.clone(), decoded));
                }
                Ok(if changed {
                    Value::from(Map::from_entries(entries))
                } else {
                    value.clone()
                })
            }
            (Expr::SchemaOr, Value::Map(_)) => self.schema(value, path),
            (Expr::SchemaOr, Value::List(items)) => {
                let items = items.iter().map(|v| match v {
                    Value::Map(_) => self.schema(v, path),
                    other => Ok(other.clone()),
                });
                Ok(Value::list(items.collect::<Result<_, _>>()?))
            }
            (Expr::SchemaOr, _) => Ok(value.clone()),
            (Expr::Ref(_) | Expr::Inline(_), _) => match expr.resolve() {
                Some(ty) => self.fields(value, &ty, path),
                None => Ok(value.clone()),
            },
            (Expr::Quantity, Value::Bool(_) | Value::List(_) | Value::Map(_)) => Err(quantity::FORMAT_WRONG.into()),
            (Expr::IntOrString, _) => Err(wrong(value, path, "int32")),
            (Expr::Time | Expr::MicroTime, _) => Err(wrong(value, path, "string")),
            _ => Err(wrong(value, path, &go_type(expr))),
        }
    }
}

fn canonical(text: &str, value: &Value) -> Result<Value, String> {
    let canonical = Quantity::parse(text)?.to_string();
    Ok(if value.as_str() == Some(&canonical) {
        value.clone()
    } else {
        Value::from(intern(&canonical))
    })
}

/// Adds to an object, as [`decode`] gives it, what Go writes of fields though they are empty. What it shares with the
/// version that is stored has them already: most writes come from the cluster's own parts, and change little.
pub fn complete(value: &mut Value, ty: &Type, stored: &Value) {
    if let Some(whole) = completed(value, ty, stored) {
        *value = whole;
    }
}

/// The object with its empty fields, unless it has them all.
fn completed(value: &Value, ty: &Type, stored: &Value) -> Option<Value> {
    let map = value.as_map().filter(|_| !value.same(stored))?;
    let mut changed: Option<Vec<(Key, Value)>> = None;
    let all = || map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    for (i, (key, item)) in map.iter().enumerate() {
        if let Some(whole) = ty
            .field(key)
            .and_then(|field| completed_in(item, &field.expr, stored.get(key)))
            && let Some(entry) = changed.get_or_insert_with(all).get_mut(i)
        {
            entry.1 = whole;
        }
    }
    for field in &ty.fields {
        let written = matches!(field.empty, Empty::Written | Empty::Null);
        if !written || matches!(&*field.name, "kind" | "apiVersion") || map.iter().any(|(key, _)| *key == field.name) {
            continue;
        }
        let value = match field.empty {
            Empty::Written => written_empty(&field.expr),
            _ => Value::Null,
        };
        changed.get_or_insert_with(all).push((field.name.clone(), value));
    }
    changed.map(|entries| Value::from(Map::from_entries(entries)))
}

/// The same of what an expression holds.
fn completed_in(value: &Value, expr: &Expr, stored: &Value) -> Option<Value> {
    if value.same(stored) {
        return None;
    }
    match expr {
        Expr::Ref(_) => completed(value, &*expr.resolve()?, stored),
        Expr::List(item) => {
            let stored = stored.items();
            let pairs = value.as_list()?.iter().enumerate();
            let pairs = pairs.map(|(i, v)| (v, stored.get(i).unwrap_or(&Value::Null)));
            completed_each(pairs, item).map(Value::list)
        }
        Expr::Map(item) => {
            let map = value.as_map()?;
            let whole = completed_each(map.iter().map(|(k, v)| (v, stored.get(k))), item)?;
            let keys = map.iter().map(|(k, _)| k.clone());
            Some(Value::from(Map::from_entries(keys.zip(whole).collect())))
        }
        _ => None,
    }
}

/// The same of each of some values with what is stored of it, unless none lacks anything.
fn completed_each<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>, expr: &Expr) -> Option<Vec<Value>> {
    if !matches!(expr, Expr::Ref(_) | Expr::List(_) | Expr::Map(_)) {
        return None;
    }
    let mut changed = false;
    let whole = pairs
        .map(|(value, stored)| match completed_in(value, expr, stored) {
            Some(whole) => {
                changed = true;
                whole
            }
            None => value.clone(),
        })
        .collect();
    changed.then_some(whole)
}

/// What Go writes of an empty field that is no pointer.
fn written_empty(expr: &Expr) -> Value {
    match expr {
        Expr::IntOrString => Value::Int(0),
        Expr::Quantity => Value::from("0"),
        Expr::Ref(_) => {
            let empty = Value::map();
            completed_in(&empty, expr, &Value::Null).unwrap_or(empty)
        }
        Expr::Bytes | Expr::Object => Value::Null,
        _ => empty_of(expr),
    }
}

fn empty_of(expr: &Expr) -> Value {
    match expr {
        Expr::Str | Expr::Bytes => Value::from(""),
        Expr::Bool => Value::Bool(false),
        Expr::Int32 | Expr::Int64 | Expr::Number => Value::Int(0),
        Expr::Ref(_) | Expr::Inline(_) | Expr::Object => Value::map(),
        _ => Value::Null,
    }
}

fn go_type(expr: &Expr) -> String {
    match expr {
        Expr::Str => "string".into(),
        Expr::Int32 => "int32".into(),
        Expr::Int64 => "int64".into(),
        Expr::Bool => "bool".into(),
        Expr::Number => "float64".into(),
        Expr::Bytes => "[]uint8".into(),
        Expr::Quantity => "resource.Quantity".into(),
        Expr::IntOrString => "intstr.IntOrString".into(),
        Expr::Time => "v1.Time".into(),
        Expr::MicroTime => "v1.MicroTime".into(),
        Expr::Object | Expr::Any | Expr::SchemaOr => "map[string]interface {}".into(),
        Expr::List(item) => format!("[]{}", go_type(item)),
        Expr::Map(item) => format!("map[string]{}", go_type(item)),
        Expr::Ref(name) => go_name(name).to_owned(),
        Expr::Inline(ty) => ty.go_name().to_owned(),
    }
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn wrong(value: &Value, path: &Path, go_type: &str) -> String {
    let mut kind = json_kind(value).to_owned();
    // A number that is none of this type is named.
    if kind == "number" && go_type.starts_with("int") {
        kind.push_str(&format!(" {}", value.to_json()));
    }
    if path.fields.is_empty() {
        format!("json: cannot unmarshal {kind} into Go value of type {go_type}")
    } else {
        format!(
            "json: cannot unmarshal {kind} into Go struct field {}.{} of type {go_type}",
            path.owner, path.fields
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn check(api_version: &str, kind: &str, value: Value) -> String {
        match decode(&value, &schema::by_kind(api_version, kind).unwrap()) {
            Ok(d) if d.unknown.is_empty() => d.value.to_json(),
            Ok(d) => d.unknown.join(", "),
            Err(e) => e,
        }
    }

    #[test]
    fn errors_and_defaults() {
        let rows = [
            (
                check("v1", "Pod", obj! { "spec": obj! { "containers": obj! {} } }),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                check("v1", "ConfigMap", obj! { "data": obj! { "a": true } }),
                "json: cannot unmarshal bool into Go struct field ConfigMap.data of type string",
            ),
            (
                check("apps/v1", "Deployment", obj! { "spec": obj! { "replicas": "3" } }),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                check(
                    "v1",
                    "Pod",
                    obj! { "spec": obj! { "containers": list![obj! { "imagge": "x", "name": "c" }], "rest": 1 } },
                ),
                r#"unknown field "spec.containers[0].imagge", unknown field "spec.rest""#,
            ),
            (
                check(
                    "v1",
                    "Service",
                    obj! { "spec": obj! { "ports": list![obj! { "port": 80 }], "selector": Value::Null } },
                ),
                r#"{"spec":{"ports":[{"port":80,"protocol":"TCP"}]}}"#,
            ),
        ];
        for (got, want) in rows {
            assert_eq!(got, want);
        }
    }
}
