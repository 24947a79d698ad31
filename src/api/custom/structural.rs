//! A definition's structural schema as the server uses it: the type of its objects, pruning,
//! defaults. The schema is read as the definition has it, a tree of `JSONSchemaProps`.

use std::rc::Rc;

use crate::api::decode::decode;
use crate::api::schema::{self, Expr, Field, Type};
use crate::flat::Arrange;
use crate::value::{Key, Map, Value};

/// The short name of `ObjectMeta`.
pub const OBJECT_META: &str = "m:apis.meta.v1.ObjectMeta";

/// The type of the objects of a schema, for server-side apply. `name` is what errors call it.
pub fn type_of(schema: &Value, name: &str) -> Rc<Type> {
    Rc::new(object_type(schema, name, true))
}

fn object_type(schema: &Value, name: &str, whole: bool) -> Type {
    let mut fields: Vec<Field> = Vec::new();
    if whole {
        fields.push(Field::new("apiVersion", Expr::Str));
        fields.push(Field::new("kind", Expr::Str));
        fields.push(Field::new("metadata", Expr::Ref(OBJECT_META.into())));
    }
    let required = schema.get("required");
    for (key, property) in schema.get("properties").entries() {
        if whole && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        let text = |field: &str| -> Rc<str> { property.get(field).str().into() };
        let texts = |field: &str| -> Vec<Rc<str>> {
            let items = property.get(field).items().iter();
            items.filter_map(Value::as_str).map(Rc::from).collect()
        };
        let mut field = Field::new(key, expr_of(property));
        field.required = required.items().iter().any(|r| r.str() == key.as_str());
        field.default = property.has("default").then(|| property.get("default").clone());
        field.allowed = texts("enum");
        field.list_type = text("x-kubernetes-list-type");
        field.list_map_keys = texts("x-kubernetes-list-map-keys");
        field.map_type = text("x-kubernetes-map-type");
        fields.push(field);
    }
    fields.arrange_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    Type {
        name: name.into(),
        kinds: Vec::new(),
        fields,
        special: None,
        map_type: schema.get("x-kubernetes-map-type").str().into(),
        order: Vec::new(),
        open: schema.bool_at(&[PRESERVE]),
    }
}

fn expr_of(schema: &Value) -> Expr {
    if schema.bool_at(&[INT_OR_STRING]) {
        return Expr::IntOrString;
    }
    match schema.get("type").str() {
        "string" => Expr::Str,
        "integer" => Expr::Int64,
        "number" => Expr::Number,
        "boolean" => Expr::Bool,
        "array" => Expr::List(Box::new(match schema.get("items") {
            Value::Null => Expr::Any,
            items => expr_of(items),
        })),
        "object" => {
            let embedded = schema.bool_at(&[EMBEDDED]);
            match schema.get("additionalProperties") {
                values @ Value::Map(_) => Expr::Map(Box::new(expr_of(values))),
                Value::Bool(true) => Expr::Object,
                _ if embedded || !schema.get("properties").is_empty() => {
                    Expr::Inline(Rc::new(object_type(schema, "", embedded)))
                }
                _ if schema.bool_at(&[PRESERVE]) => Expr::Object,
                _ => Expr::Inline(Rc::new(object_type(schema, "", false))),
            }
        }
        _ => Expr::Any,
    }
}

/// The extension by which unknown fields are kept.
pub const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
pub(super) const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
/// The extension of a field that holds a whole object.
pub const EMBEDDED: &str = "x-kubernetes-embedded-resource";

/// Fields that every object and every embedded one has, whatever the schema says.
fn is_type_meta(key: &str) -> bool {
    matches!(key, "apiVersion" | "kind" | "metadata")
}

/// Drops what the schema does not name (`pruning.PruneWithOptions`). The paths of what was dropped
/// go to `unknown`, as strict decoding prints them.
pub fn prune(value: &mut Value, schema: &Value, unknown: &mut Vec<String>) {
    prune_at(value, schema, true, false, "", unknown);
}

/// Drops what a part of a schema does not name, as from a default.
pub fn prune_part(value: &mut Value, schema: &Value) {
    prune_at(value, schema, schema.bool_at(&[EMBEDDED]), false, "", &mut Vec::new());
}

/// `keeps` says that unknown fields stay here, by this schema or by one above that nothing ended.
fn prune_at(value: &mut Value, schema: &Value, whole: bool, keeps: bool, path: &str, unknown: &mut Vec<String>) {
    let keeps = keeps || schema.bool_at(&[PRESERVE]);
    match value {
        Value::Map(map) => {
            let properties = schema.get("properties");
            let additional = schema.get("additionalProperties");
            let mut entries: Vec<(Key, Value)> = Vec::with_capacity(map.len());
            let mut changed = false;
            for (key, item) in map.iter() {
                let at = if path.is_empty() {
                    key.to_string()
                } else {
                    format!("{path}.{key}")
                };
                let meta = whole && is_type_meta(key);
                let inner = match properties.get(key) {
                    Value::Null if meta => {
                        entries.push((key.clone(), item.clone()));
                        continue;
                    }
                    Value::Null => additional,
                    property => property,
                };
                if inner.is_null() && !keeps {
                    unknown.push(format!("unknown field \"{at}\""));
                    changed = true;
                    continue;
                }
                if meta || matches!(inner, Value::Bool(_) | Value::Null) {
                    entries.push((key.clone(), item.clone()));
                    continue;
                }
                let mut item = item.clone();
                prune_at(&mut item, inner, inner.bool_at(&[EMBEDDED]), false, &at, unknown);
                changed |= !map.get(key).is_some_and(|old| old.same(&item));
                entries.push((key.clone(), item));
            }
            if changed {
                *value = Value::from(Map::from_entries(entries));
            }
        }
        Value::List(list) => {
            let items = schema.get("items");
            if items.is_null() {
                return;
            }
            let mut new = Vec::with_capacity(list.len());
            let mut changed = false;
            for (i, item) in list.iter().enumerate() {
                let mut item = item.clone();
                prune_at(
                    &mut item,
                    items,
                    items.bool_at(&[EMBEDDED]),
                    false,
                    &format!("{path}[{i}]"),
                    unknown,
                );
                changed |= !list.get(i).is_some_and(|old| old.same(&item));
                new.push(item);
            }
            if changed {
                *value = Value::list(new);
            }
        }
        _ => {}
    }
}

/// Reads the metadata of the objects within an object as metadata is read, and drops what is none
/// (`objectmeta.CoerceWithOptions`). The paths of what was dropped go to `unknown`.
pub fn embedded_metadata(value: &mut Value, schema: &Value, whole: bool, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Map(map) => {
            let fields: Vec<(Key, Value)> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            for (key, mut item) in fields {
                let at = if path.is_empty() {
                    key.to_string()
                } else {
                    format!("{path}.{key}")
                };
                let before = item.clone();
                if !whole && key.as_str() == "metadata" && schema.bool_at(&[EMBEDDED]) {
                    let read = schema::by_name(OBJECT_META).and_then(|ty| decode(&item, &ty).ok());
                    let Some(read) = read else { continue };
                    item = read.value;
                    let named = |u: &String| u.replacen("unknown field \"", &format!("unknown field \"{at}."), 1);
                    unknown.extend(read.unknown.iter().map(named));
                } else {
                    let inner = match schema.at(&["properties", key.as_str()]) {
                        Value::Null => schema.get("additionalProperties"),
                        property => property,
                    };
                    if inner.as_map().is_some() {
                        embedded_metadata(&mut item, inner, false, &at, unknown);
                    }
                }
                if !item.same(&before) {
                    value.set(&[key.as_str()], item);
                }
            }
        }
        Value::List(list) => {
            let items = schema.get("items");
            if items.is_null() {
                return;
            }
            let mut made: Vec<Value> = list.iter().cloned().collect();
            let mut changed = false;
            for (i, item) in made.iter_mut().enumerate() {
                let before = item.clone();
                embedded_metadata(item, items, false, &format!("{path}[{i}]"), unknown);
                changed |= !item.same(&before);
            }
            if changed {
                *value = Value::list(made);
            }
        }
        _ => {}
    }
}

/// Sets the defaults of absent fields, and of nulls that the schema does not allow
/// (`defaulting.Default` and `PruneNonNullableNullsWithoutDefaults`).
pub fn default(value: &mut Value, schema: &Value) {
    match value {
        Value::Map(map) => {
            let properties = schema.get("properties");
            let additional = schema.get("additionalProperties");
            let mut entries: Vec<(Key, Value)> = Vec::with_capacity(map.len());
            let mut changed = false;
            for (key, item) in map.iter() {
                let inner = match properties.get(key) {
                    Value::Null => additional,
                    property => property,
                };
                let mut item = item.clone();
                if item.is_null() && inner.as_map().is_some() && !inner.bool_at(&["nullable"]) {
                    changed = true;
                    match inner.get("default") {
                        Value::Null => continue,
                        default => item = default.clone(),
                    }
                }
                default_inner(&mut item, inner);
                changed |= !map.get(key).is_some_and(|old| old.same(&item));
                entries.push((key.clone(), item));
            }
            for (key, property) in properties.entries() {
                let default = property.get("default");
                if default.is_null() || map.contains_key(key) {
                    continue;
                }
                let mut item = default.clone();
                default_inner(&mut item, property);
                entries.push((key.clone(), item));
                changed = true;
            }
            if changed {
                *value = Value::from(Map::from_entries(entries));
            }
        }
        Value::List(list) => {
            let items = schema.get("items");
            if items.as_map().is_none() {
                return;
            }
            let mut new = Vec::with_capacity(list.len());
            let mut changed = false;
            for item in list.iter() {
                let mut one = item.clone();
                if one.is_null() && !items.bool_at(&["nullable"]) && !items.get("default").is_null() {
                    one = items.get("default").clone();
                }
                default_inner(&mut one, items);
                changed |= !one.same(item);
                new.push(one);
            }
            if changed {
                *value = Value::list(new);
            }
        }
        _ => {}
    }
}

fn default_inner(value: &mut Value, schema: &Value) {
    if schema.as_map().is_some() {
        default(value, schema);
    }
}
