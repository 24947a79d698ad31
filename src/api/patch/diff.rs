//! Making patches: what turns one tree into another, and the three-way patches of `kubectl apply`.

use std::rc::Rc;

use super::strategic::{
    DELETE_PRIMITIVES, ELEMENT_ORDER, Mode, PATCH, RETAIN_KEYS, field_of, has_strategy, merge_map, type_of,
};
use crate::api::schema::{self, Field, Type};
use crate::value::{Map, Value};

/// What a diff leaves out.
#[derive(Clone, Copy)]
struct Options {
    ignore_changes: bool,
    ignore_deletions: bool,
    element_order: bool,
    /// The map's strategy is `retainKeys`: the patch names the keys that stay.
    retain_keys: bool,
}

/// The strategic patch that turns `original` into `modified` (`CreateTwoWayMergePatch`).
pub fn create_two_way(original: &Value, modified: &Value, ty: &Type) -> Value {
    let ty = schema::by_name(&ty.name);
    let options = Options {
        ignore_changes: false,
        ignore_deletions: false,
        element_order: true,
        retain_keys: false,
    };
    diff_maps(original, modified, ty.as_ref(), options)
}

/// The strategic patch for `current` that makes what `modified` says, and deletes what `original`
/// (the configuration last applied) said and `modified` does not (`CreateThreeWayMergePatch`).
///
/// # Errors
/// When the trees cannot be merged by their keys.
pub fn create_three_way(original: &Value, modified: &Value, current: &Value, ty: &Type) -> Result<Value, String> {
    let ty = schema::by_name(&ty.name);
    let delta = Options {
        ignore_changes: false,
        ignore_deletions: true,
        element_order: true,
        retain_keys: false,
    };
    let deletions = Options {
        ignore_changes: true,
        ignore_deletions: false,
        ..delta
    };
    let delta = diff_maps(current, modified, ty.as_ref(), delta);
    let deletions = diff_maps(original, modified, ty.as_ref(), deletions);
    merge_map(&deletions, &delta, ty.as_ref(), Mode::JOIN)
}

/// The JSON merge patch that turns `original` into `modified`.
pub fn create_merge(original: &Value, modified: &Value) -> Value {
    let mut patch = Map::new();
    for (key, new) in modified.entries() {
        match (original.get(key), new) {
            _ if !original.has(key) => {
                patch.insert(key.clone(), new.clone());
            }
            (old @ Value::Map(_), Value::Map(_)) => {
                let inner = create_merge(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), inner);
                }
            }
            (old, new) if old != new => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    for (key, _) in original.entries().filter(|(k, _)| !modified.has(k)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::from(patch)
}

/// The three-way patch of kinds without a schema, as a JSON merge patch.
pub fn create_three_way_merge(original: &Value, modified: &Value, current: &Value) -> Value {
    let mut patch = keep(&create_merge(current, modified), false);
    join(&mut patch, &keep(&create_merge(original, modified), true));
    patch
}

/// The parts of a merge patch that delete, or those that do not.
fn keep(patch: &Value, deletions: bool) -> Value {
    patch
        .entries()
        .filter_map(|(k, v)| match v {
            Value::Null => deletions.then(|| (k.clone(), Value::Null)),
            Value::Map(_) => {
                let inner = keep(v, deletions);
                (!inner.is_empty() || (!deletions && v.is_empty())).then(|| (k.clone(), inner))
            }
            _ => (!deletions).then(|| (k.clone(), v.clone())),
        })
        .collect()
}

fn join(into: &mut Value, other: &Value) {
    for (key, value) in other.entries() {
        match (into.get(key), value) {
            (Value::Map(_), Value::Map(_)) => join(into.map_mut().entry(key), value),
            _ => into.set(&[key], value.clone()),
        }
    }
}

fn kind_of(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Str(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    }
}

fn diff_maps(original: &Value, modified: &Value, ty: Option<&Rc<Type>>, options: Options) -> Value {
    let mut patch = Map::new();
    let mut retained = Vec::new();
    for (key, new) in modified.entries() {
        if options.retain_keys && !new.is_null() {
            retained.push(Value::from(key));
        }
        let old = original.get(key);
        if !original.has(key) || kind_of(old) != kind_of(new) {
            if !options.ignore_changes {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        }
        if old.same(new) {
            continue;
        }
        let field = field_of(ty, key);
        let inner = Options {
            retain_keys: has_strategy(field, "retainKeys"),
            ..options
        };
        match (old, new) {
            (Value::Map(_), Value::Map(_)) if !has_strategy(field, "replace") => {
                let changed = diff_maps(old, new, type_of(field).as_ref(), inner);
                if !changed.is_empty() {
                    patch.insert(key.clone(), changed);
                }
            }
            (Value::List(a), Value::List(b)) if has_strategy(field, "merge") => {
                diff_lists(key, a, b, field, inner, &mut patch);
            }
            _ if old != new && !options.ignore_changes => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    if !options.ignore_deletions {
        for (key, _) in original.entries().filter(|(k, _)| !modified.has(k)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    let cleared = original.entries().any(|(k, _)| !modified.has(k));
    if !retained.is_empty() && (!patch.is_empty() || cleared) {
        patch.insert(RETAIN_KEYS, Value::list(retained));
    }
    Value::from(patch)
}

fn diff_lists(name: &str, old: &[Value], new: &[Value], field: Option<&Field>, options: Options, patch: &mut Map) {
    if old.is_empty() {
        if !new.is_empty() && !options.ignore_changes {
            patch.insert(name, Value::list(new.to_vec()));
        }
        return;
    }
    let key = field.map_or("", |f| &*f.patch_merge_key);
    let of_maps = !key.is_empty() && old.iter().chain(new).all(|v| v.as_map().is_some());
    let order_name = format!("{ELEMENT_ORDER}{name}");
    if !of_maps {
        let added: Vec<Value> = new.iter().filter(|v| !old.contains(v)).cloned().collect();
        let deleted: Vec<Value> = old.iter().filter(|v| !new.contains(v)).cloned().collect();
        let changes = !options.ignore_changes;
        let deletes = !options.ignore_deletions && !deleted.is_empty();
        if changes && !added.is_empty() {
            patch.insert(name, Value::list(added));
        }
        if options.element_order && (deletes || (changes && old != new)) {
            patch.insert(order_name, Value::list(new.to_vec()));
        }
        if deletes {
            patch.insert(format!("{DELETE_PRIMITIVES}{name}"), Value::list(deleted));
        }
        return;
    }
    let find = |list: &[Value], item: &Value| list.iter().find(|x| x.get(key) == item.get(key)).cloned();
    let ty = type_of(field);
    let mut items = Vec::new();
    for item in new {
        match find(old, item) {
            Some(before) => {
                let mut changed = diff_maps(&before, item, ty.as_ref(), options);
                if !changed.is_empty() {
                    changed.set(&[key], item.get(key).clone());
                    items.push(changed);
                }
            }
            None if !options.ignore_changes => items.push(item.clone()),
            None => {}
        }
    }
    if !options.ignore_deletions {
        for gone in old.iter().filter(|o| find(new, o).is_none()) {
            let mut entry = Value::map();
            entry.set(&[key], gone.get(key).clone());
            entry.set(&[PATCH], "delete");
            items.push(entry);
        }
    }
    let common = |a: &[Value], b: &[Value]| -> Vec<Value> {
        a.iter()
            .filter(|x| find(b, x).is_some())
            .map(|x| x.get(key).clone())
            .collect()
    };
    let reordered = common(old, new) != common(new, old) || old.len() != new.len();
    let ordered = options.element_order
        && ((!options.ignore_changes && (!items.is_empty() || reordered))
            || (!options.ignore_deletions && !items.is_empty()));
    if ordered {
        let order = new.iter().map(|item| {
            let mut entry = Value::map();
            entry.set(&[key], item.get(key).clone());
            entry
        });
        patch.insert(order_name, order.collect());
    }
    if !items.is_empty() {
        patch.insert(name, Value::list(items));
    }
}

#[cfg(test)]
mod tests {
    use super::super::strategic;
    use super::*;

    fn json(s: &str) -> Value {
        Value::from_json(s).unwrap()
    }

    #[test]
    fn three_ways() {
        let ty = schema::by_kind("apps/v1", "Deployment").unwrap();
        let last = json(
            r#"{"metadata":{"labels":{"a":"1","gone":"x"}},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"w","image":"i1","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}]}}}}"#,
        );
        let new = json(
            r#"{"metadata":{"labels":{"a":"2"}},"spec":{"template":{"spec":{"containers":[{"name":"w","image":"i2","env":[{"name":"A","value":"1"}]}]}}}}"#,
        );
        let mut live = last.clone();
        live.set(&["spec", "progressDeadlineSeconds"], 600);
        live.set(&["metadata", "labels", "other"], "kept");
        let patch = create_three_way(&last, &new, &live, &ty).unwrap();
        expect_test::expect![[r#"{"metadata":{"labels":{"a":"2","gone":null}},"spec":{"replicas":null,"template":{"spec":{"$setElementOrder/containers":[{"name":"w"}],"containers":[{"$setElementOrder/env":[{"name":"A"}],"env":[{"$patch":"delete","name":"B"}],"image":"i2","name":"w"}]}}}}"#]]
            .assert_eq(&patch.to_json());
        let result = strategic::merge(&live, &patch, &ty).unwrap();
        expect_test::expect![[r#"{"metadata":{"labels":{"a":"2","other":"kept"}},"spec":{"progressDeadlineSeconds":600,"template":{"spec":{"containers":[{"env":[{"name":"A","value":"1"}],"image":"i2","name":"w"}]}}}}"#]]
            .assert_eq(&result.to_json());
        let merge = create_three_way_merge(
            &json(r#"{"a":1,"b":1}"#),
            &json(r#"{"a":2}"#),
            &json(r#"{"a":1,"b":1,"c":3}"#),
        );
        assert_eq!(merge.to_json(), r#"{"a":2,"b":null}"#);
    }
}
