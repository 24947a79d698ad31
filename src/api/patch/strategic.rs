//! Strategic merge patch: lists of maps merge by their key, `$patch`, `$retainKeys`,
//! `$setElementOrder` and `$deleteFromPrimitiveList` direct it (apimachinery's `strategicpatch`).

use std::rc::Rc;

use crate::api::schema::{self, Expr, Field, Type};
use crate::flat::Arrange;
use crate::value::{Map, Value, gofmt};

pub(super) const PATCH: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder/";
pub(super) const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";

/// Why a patch cannot be merged.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The patch is no map.
    NoMap,
    /// A directive of the patch is malformed.
    Format(String),
    /// The patch does not fit the object or its type.
    Patch(String),
}

const BAD_RETAIN_KEYS: &str = "invalid patch format of retainKeys";

/// Merges a patch into an object of this type.
///
/// # Errors
/// What is wrong with the patch.
pub fn merge(original: &Value, patch: &Value, ty: &Type) -> Result<Value, Error> {
    if patch.as_map().is_none() {
        return Err(Error::NoMap);
    }
    let ty = schema::by_name(&ty.name);
    merge_map(original, patch, ty.as_ref(), Mode::APPLY).map_err(|why| {
        if why == BAD_RETAIN_KEYS {
            Error::Format(why)
        } else {
            Error::Patch(why)
        }
    })
}

/// The word of Go's JSON errors for what a value is.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

/// Whether a patch is applied to an object, or two patches are joined into one.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    /// Parallel lists (order, deletions) take effect rather than being carried on.
    merge_parallel: bool,
    /// A null that has nothing to delete is dropped rather than kept.
    drop_nulls: bool,
}

impl Mode {
    pub(super) const APPLY: Mode = Mode {
        merge_parallel: true,
        drop_nulls: true,
    };
    pub(super) const JOIN: Mode = Mode {
        merge_parallel: false,
        drop_nulls: false,
    };
}

/// The type of what a field holds: of its items, for lists and maps of structs.
pub(super) fn type_of(field: Option<&Field>) -> Option<Rc<Type>> {
    let mut expr = &field?.expr;
    while let Expr::List(inner) | Expr::Map(inner) = expr {
        expr = inner;
    }
    expr.resolve()
}

pub(super) fn has_strategy(field: Option<&Field>, strategy: &str) -> bool {
    field.is_some_and(|f| f.patch_strategy.split(',').any(|s| s == strategy))
}

pub(super) fn field_of<'a>(ty: Option<&'a Rc<Type>>, name: &str) -> Option<&'a Field> {
    ty.and_then(|t| t.field(name))
}

/// The type that a map's field leads to; a map of strings to structs leads to the struct.
fn child_type(ty: Option<&Rc<Type>>, name: &str) -> Option<Rc<Type>> {
    type_of(field_of(ty, name))
}

pub(super) fn merge_map(original: &Value, patch: &Value, ty: Option<&Rc<Type>>, mode: Mode) -> Result<Value, String> {
    let mut patch = patch.as_map().cloned().unwrap_or_default();
    if let Some(directive) = patch.remove(PATCH) {
        return match directive.str() {
            "replace" => Ok(Value::from(patch)),
            "delete" => Ok(Value::map()),
            _ => Err(format!(
                "unknown patch type: {} in map: {}",
                gofmt::display(&directive),
                gofmt::display(&Value::from(patch))
            )),
        };
    }
    let mut result = original.as_map().cloned().unwrap_or_default();
    if let Some(keys) = patch.remove(RETAIN_KEYS) {
        if mode.merge_parallel {
            retain_keys(&mut result, &patch, &keys)?;
        } else {
            result.insert(RETAIN_KEYS, keys);
        }
    }
    let ordered: Vec<String> = patch
        .keys()
        .filter(|k| k.starts_with(ELEMENT_ORDER))
        .map(str::to_owned)
        .collect();
    for key in ordered {
        let order = patch.remove(&key).unwrap_or_default();
        if !mode.merge_parallel {
            result.insert(key, order);
            continue;
        }
        let name = key.trim_start_matches(ELEMENT_ORDER).to_owned();
        set_order(&mut result, &mut patch, &name, &order, ty, mode)?;
    }
    for (key, value) in patch.iter() {
        if let Some(name) = key.strip_prefix(DELETE_PRIMITIVES)
            && mode.merge_parallel
        {
            if let Some(Value::List(list)) = result.get(name) {
                let kept = list.iter().filter(|v| !value.items().contains(v)).cloned().collect();
                result.insert(name, Value::list(kept));
            }
            continue;
        }
        if value.is_null() {
            if mode.drop_nulls {
                result.remove(key);
            } else {
                result.insert(key.clone(), Value::Null);
            }
            continue;
        }
        let field = field_of(ty, key);
        let merged = match (result.get(key), value) {
            (None, _) if mode.drop_nulls => without_directives(value),
            (Some(Value::Map(_)), Value::Map(_)) if has_strategy(field, "replace") => value.clone(),
            (Some(old @ Value::Map(_)), Value::Map(_)) => merge_map(old, value, child_type(ty, key).as_ref(), mode)?,
            (Some(Value::List(old)), Value::List(new)) if has_strategy(field, "merge") => {
                merge_list(old, new, field, mode)?
            }
            _ => value.clone(),
        };
        result.insert(key.clone(), merged);
    }
    Ok(Value::from(result))
}

fn retain_keys(result: &mut Map, patch: &Map, keys: &Value) -> Result<(), String> {
    let Some(keys) = keys.as_list() else {
        return Err(BAD_RETAIN_KEYS.into());
    };
    let named = |k: &str| keys.iter().any(|v| v.str() == k);
    if patch
        .iter()
        .any(|(k, v)| !v.is_null() && !k.starts_with('$') && !named(k))
    {
        return Err(BAD_RETAIN_KEYS.into());
    }
    result.retain(|k, _| named(k));
    Ok(())
}

/// The items of what must be a list where items are put into order.
fn listed(value: &Value) -> Result<&[Value], String> {
    value.as_list().ok_or_else(|| bad_type("[]interface {}", value))
}

/// `ErrBadArgType`.
fn bad_type(wanted: &str, found: &Value) -> String {
    // Nothing has no type that Go could print as a string.
    let found = match found {
        Value::Null => "%!s(<nil>)",
        other => crate::api::jsonpath::go_type(other),
    };
    format!("expected a {wanted}, but received a {found}")
}

/// `ErrNoMergeKey`.
fn no_merge_key(item: &Value, key: &str) -> String {
    format!(
        "map: {} does not contain declared merge key: {key}",
        gofmt::display(item)
    )
}

/// The merge key of an item that must have one.
fn keyed<'a>(item: &'a Value, key: &str) -> Result<&'a Value, String> {
    match item {
        _ if key.is_empty() => Ok(item),
        Value::Map(_) if item.has(key) => Ok(item.get(key)),
        Value::Map(_) => Err(no_merge_key(item, key)),
        _ => Err(bad_type("map[string]interface {}", item)),
    }
}

/// Refuses a list whose items, but for those that are deleted, are not all in the order's list, in its
/// order (`validatePatchWithSetOrderList`).
fn check_order(list: &[Value], order: &[Value], key: &str) -> Result<(), String> {
    let mut rest = order.iter();
    let directed = |item: &Value| !key.is_empty() && item.has(PATCH);
    if order.is_empty() {
        return Ok(());
    }
    for item in list.iter().filter(|item| !directed(item)) {
        loop {
            let Some(next) = rest.next() else {
                return Err(format!(
                    "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                    gofmt::display(&Value::list(list.to_vec())),
                    gofmt::display(&Value::list(order.to_vec())),
                ));
            };
            if keyed(item, key)? == keyed(next, key)? {
                break;
            }
        }
    }
    Ok(())
}

/// Merges the list `name` and puts its items into the order that the patch asks for.
fn set_order(
    result: &mut Map,
    patch: &mut Map,
    name: &str,
    order: &Value,
    ty: Option<&Rc<Type>>,
    mode: Mode,
) -> Result<(), String> {
    let field = field_of(ty, name);
    let key = field.map_or("", |f| &*f.patch_merge_key);
    let order = listed(order)?;
    let old = result.get(name).map(listed).transpose()?.map(<[Value]>::to_vec);
    let new = patch.get(name).map(listed).transpose()?.map(<[Value]>::to_vec);
    check_order(new.as_deref().unwrap_or(&[]), order, key)?;
    let merged = match (&old, &new) {
        (None, None) => return Ok(()),
        (Some(old), None) => old.clone(),
        (None, Some(new)) => without_directives(&Value::list(new.clone())).items().to_vec(),
        (Some(old), Some(new)) => merge_list(old, new, field, mode)?.items().to_vec(),
    };
    let sorted = order_items(merged, order, old.as_deref().unwrap_or(&[]), key);
    result.insert(name, Value::list(sorted));
    patch.remove(name);
    Ok(())
}

/// What identifies an item of a list: its merge key, or itself.
fn identity<'a>(item: &'a Value, key: &str) -> &'a Value {
    if key.is_empty() { item } else { item.get(key) }
}

fn position(list: &[Value], item: &Value, key: &str) -> Option<usize> {
    list.iter().position(|x| identity(x, key) == identity(item, key))
}

/// `normalizeElementOrder`: the items that the patch names in the patch's order, among the others in
/// the object's.
fn order_items(merged: Vec<Value>, patch_order: &[Value], server_order: &[Value], key: &str) -> Vec<Value> {
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = merged
        .into_iter()
        .partition(|item| position(patch_order, item, key).is_some());
    named.arrange_by_key(|i| position(patch_order, i, key));
    others.arrange_by_key(|i| position(server_order, i, key).unwrap_or(usize::MAX));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(o), Some(n)) => match (position(server_order, o, key), position(server_order, n, key)) {
                (Some(a), Some(b)) => a < b,
                _ => false,
            },
        };
        result.extend(if other_first { others.next() } else { named.next() });
    }
    result
}

fn merge_list(old: &[Value], new: &[Value], field: Option<&Field>, mode: Mode) -> Result<Value, String> {
    if old.is_empty() && new.is_empty() {
        return Ok(Value::list(Vec::new()));
    }
    let of_maps = old.iter().chain(new).all(|v| v.as_map().is_some());
    if !of_maps {
        let mut all: Vec<Value> = Vec::new();
        for item in old.iter().chain(new) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        return Ok(Value::list(order_items(all, new, old, "")));
    }
    let key = field.map_or("", |f| &*f.patch_merge_key);
    if key.is_empty() {
        return Err(format!(
            "cannot merge lists without merge key for {}",
            field.map_or("", |f| &*f.name)
        ));
    }
    let ty = type_of(field);
    let mut result = old.to_vec();
    let mut rest = Vec::new();
    let mut replace = false;
    for item in new {
        let directive = item.get(PATCH);
        match directive.as_str() {
            None if directive.is_null() => {
                keyed(item, key)?;
                rest.push(item.clone());
            }
            Some("delete") if !mode.merge_parallel => rest.push(item.clone()),
            Some("delete") => {
                let gone = keyed(item, key)?;
                result.retain(|old| old.get(key) != gone);
            }
            Some("replace") => replace = true,
            Some("merge") => return Err("merging lists cannot yet be specified in the patch".into()),
            _ => {
                return Err(format!(
                    "unknown patch type: {} in map: {}",
                    gofmt::display(directive),
                    gofmt::display(item)
                ));
            }
        }
    }
    if replace {
        return Ok(Value::list(rest));
    }
    for item in &rest {
        match position(&result, item, key) {
            Some(i) => {
                if let Some(place) = result.get_mut(i) {
                    *place = merge_map(place, item, ty.as_ref(), mode)?;
                }
            }
            None if mode.drop_nulls => result.push(without_directives(item)),
            None => result.push(item.clone()),
        }
    }
    Ok(Value::list(order_items(result, &rest, old, key)))
}

/// A patch's value where there is nothing to merge it with: without directives and nulls.
fn without_directives(value: &Value) -> Value {
    match value {
        Value::Map(map) => map
            .iter()
            .filter(|(k, v)| !v.is_null() && !is_directive(k))
            .map(|(k, v)| (k.clone(), without_directives(v)))
            .collect(),
        Value::List(list) => list
            .iter()
            .filter(|v| v.get(PATCH).is_null())
            .map(without_directives)
            .collect(),
        other => other.clone(),
    }
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(ELEMENT_ORDER) || key.starts_with(DELETE_PRIMITIVES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: (&str, &str), original: &str, patch: &str) -> String {
        let ty = schema::by_kind(kind.0, kind.1).unwrap();
        let json = |s: &str| Value::from_json(s).unwrap();
        match merge(&json(original), &json(patch), &ty) {
            Ok(v) => v.to_json(),
            Err(Error::Patch(why) | Error::Format(why)) => why,
            Err(Error::NoMap) => "no map".into(),
        }
    }

    #[test]
    fn merges() {
        let pod = ("v1", "Pod");
        let two = r#"{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}"#;
        let rows = [
            // An unknown name goes before what the server alone has.
            (
                r#"{"spec":{"containers":[{"name":"c","image":"z"}]}}"#,
                r#"{"spec":{"containers":[{"image":"z","name":"c"},{"image":"x","name":"a"},{"image":"y","name":"b"}]}}"#,
            ),
            (
                r#"{"spec":{"containers":[{"name":"b","image":"z"}]}}"#,
                r#"{"spec":{"containers":[{"image":"x","name":"a"},{"image":"z","name":"b"}]}}"#,
            ),
            (
                r#"{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}"#,
                r#"{"spec":{"containers":[{"image":"y","name":"b"}]}}"#,
            ),
            (
                r#"{"spec":{"containers":[{"$patch":"replace"},{"name":"q"}]}}"#,
                r#"{"spec":{"containers":[{"name":"q"}]}}"#,
            ),
            (
                r#"{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}}"#,
                r#"{"spec":{"containers":[{"image":"y","name":"b"},{"image":"x","name":"a"}]}}"#,
            ),
            (
                r#"{"spec":{"containers":[{"image":"q"}]}}"#,
                "map: map[image:q] does not contain declared merge key: name",
            ),
            (
                r#"{"spec":{"nodeName":null,"x":{"y":null,"z":1}}}"#,
                r#"{"spec":{"containers":[{"image":"x","name":"a"},{"image":"y","name":"b"}],"x":{"z":1}}}"#,
            ),
            (
                r#"{"spec":{"$setElementOrder/containers":[{"name":"b"}],"containers":[{"name":"c","image":"z"}]}}"#,
                "The order in patch list:\n[map[image:z name:c]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n",
            ),
            (
                r#"{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"b","$patch":"delete"}]}}"#,
                r#"{"spec":{"containers":[{"image":"x","name":"a"}]}}"#,
            ),
            (
                r#"{"spec":{"$setElementOrder/containers":"x"}}"#,
                "expected a []interface {}, but received a string",
            ),
            (
                r#"{"spec":{"$setElementOrder/containers":[{"image":"x"}],"containers":[{"name":"c"}]}}"#,
                "map: map[image:x] does not contain declared merge key: name",
            ),
            (r#"{"spec":{"$retainKeys":"a"}}"#, BAD_RETAIN_KEYS),
            (r#"{"spec":{"$retainKeys":["a"],"b":1}}"#, BAD_RETAIN_KEYS),
            (r#"{"spec":{"$patch":"replace","a":1}}"#, r#"{"spec":{"a":1}}"#),
        ];
        for (patch, want) in rows {
            assert_eq!(check(pod, two, patch), want, "{patch}");
        }
        assert_eq!(
            check(
                ("apps/v1", "Deployment"),
                r#"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}}"#,
                r#"{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}"#
            ),
            r#"{"spec":{"strategy":{"type":"Recreate"}}}"#
        );
        assert_eq!(
            check(
                pod,
                r#"{"metadata":{"finalizers":["a","b"]}}"#,
                r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]}}"#
            ),
            r#"{"metadata":{"finalizers":["c","b"]}}"#
        );
    }
}
