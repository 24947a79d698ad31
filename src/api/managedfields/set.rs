//! Sets of fields in the form of `FieldsV1`: a tree of maps whose keys are path elements (`f:name`,
//! `k:{"name":"web"}`, `v:"a"`, `i:0`). An empty map is a field that is in the set and has no parts
//! in it; `.` marks one that is in the set together with parts of it.
//!
//! The sets are kept in the form in which objects hold them, so that reading and writing one costs
//! nothing, and an operation that changes nothing gives the same node again. The empty set is null.

use std::cmp::Ordering;

use crate::flat::Arrange;
use crate::value::{Key, Map, Value, gofmt};

thread_local! {
    static LEAF: Value = Value::map();
}

/// A field without parts. All of them are one node.
pub(super) fn leaf() -> Value {
    LEAF.with(Value::clone)
}

const SELF: &str = ".";

/// The path element of a map's key or a struct's field.
pub(super) fn field_element(name: &str) -> Key {
    Key::from(["f:", name].concat())
}

/// Whether the node itself is in the set, not only parts of it.
fn is_member(node: &Value) -> bool {
    node.as_map().is_some_and(|m| m.is_empty() || m.contains_key(SELF))
}

/// The parts of a node.
fn parts(node: &Value) -> impl Iterator<Item = (&Key, &Value)> {
    node.entries().filter(|(k, _)| k.as_str() != SELF)
}

/// A node of these parts; null when nothing is in it.
pub(super) fn node(member: bool, mut parts: Vec<(Key, Value)>) -> Value {
    if parts.is_empty() {
        return if member { leaf() } else { Value::Null };
    }
    if member {
        parts.push((Key::from(SELF), leaf()));
    }
    Value::from(Map::from_entries(parts))
}

/// What is in either set.
pub fn union(a: &Value, b: &Value) -> Value {
    if b.is_null() || a.same(b) {
        return a.clone();
    }
    if a.is_null() {
        return b.clone();
    }
    let (empty_a, empty_b) = (a.is_empty(), b.is_empty());
    if empty_b && is_member(a) {
        return a.clone();
    }
    if empty_a && is_member(b) {
        return b.clone();
    }
    let mut changed: Vec<(Key, Value)> = Vec::new();
    for (key, theirs) in b.entries() {
        let ours = a.get(key);
        let both = union(ours, theirs);
        if ours.is_null() || !both.same(ours) {
            changed.push((key.clone(), both));
        }
    }
    if empty_a || empty_b {
        changed.push((Key::from(SELF), leaf()));
    }
    if changed.is_empty() {
        return a.clone();
    }
    let mut all: Vec<(Key, Value)> = a.entries().map(|(k, v)| (k.clone(), v.clone())).collect();
    all.append(&mut changed);
    Value::from(Map::from_entries(all))
}

/// Keeps of `a`'s parts what `f` makes of them, given `b`'s node of the same name (null where there
/// is none), and itself if `member` says so.
fn filtered(a: &Value, b: &Value, member: bool, f: impl Fn(&Value, &Value) -> Value) -> Value {
    let mut kept = Vec::new();
    let mut changed = member != is_member(a);
    for (key, ours) in parts(a) {
        let left = f(ours, b.get(key));
        changed |= !left.same(ours);
        if !left.is_null() {
            kept.push((key.clone(), left));
        }
    }
    if changed { node(member, kept) } else { a.clone() }
}

/// What is in `a` and not in `b`. Parts of a field stay when only the field itself is in `b`.
pub fn difference(a: &Value, b: &Value) -> Value {
    if a.is_null() || b.is_null() {
        return a.clone();
    }
    filtered(a, b, is_member(a) && !is_member(b), difference)
}

/// What is in `a` and neither in `b` nor part of what is in `b`.
pub fn recursive_difference(a: &Value, b: &Value) -> Value {
    if a.is_null() || b.is_null() {
        return a.clone();
    }
    if is_member(b) {
        return Value::Null;
    }
    filtered(a, b, is_member(a), recursive_difference)
}

/// What is in both.
pub fn intersection(a: &Value, b: &Value) -> Value {
    if a.is_null() || b.is_null() {
        return Value::Null;
    }
    filtered(a, b, is_member(a) && is_member(b), intersection)
}

/// Whether the field at `path` (path elements) is in the set.
pub fn has(set: &Value, path: &[&str]) -> bool {
    is_member(set.at(path))
}

/// The node below a path element: what of that field is in the set.
pub(super) fn below<'a>(set: &'a Value, element: &str) -> &'a Value {
    set.get(element)
}

/// Whether the field of this path element is itself in the set.
pub(super) fn has_element(set: &Value, element: &str) -> bool {
    is_member(set.get(element))
}

/// Whether the set names parts of the field of this path element.
pub(super) fn has_parts(set: &Value, element: &str) -> bool {
    parts(set.get(element)).next().is_some()
}

/// The order of path elements (`PathElement.Compare`): fields, keys, values, indices; keys by their
/// fields' values, numbers as numbers.
fn compare_elements(a: &str, b: &str) -> Ordering {
    let rank = |e: &str| ["f:", "k:", "v:", "i:"].iter().position(|p| e.starts_with(p));
    rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
        Some(1 | 2) => compare_values(&json_of(a), &json_of(b)),
        _ => a.cmp(b),
    })
}

fn json_of(element: &str) -> Value {
    Value::from_json(element.get(2..).unwrap_or("")).unwrap_or_default()
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Map(x), Value::Map(y)) => {
            for ((k, v), (l, w)) in x.iter().zip(y.iter()) {
                let order = k.cmp(l).then_with(|| compare_values(v, w));
                if order.is_ne() {
                    return order;
                }
            }
            x.len().cmp(&y.len())
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => a.str().cmp(b.str()),
        },
    }
}

/// A path element as messages print it: `.name`, `[name="web"]`, `[="a"]`, `[0]`.
pub(super) fn display_element(element: &str) -> String {
    let (kind, rest) = element.split_at_checked(2).unwrap_or((element, ""));
    let shown = |v: &Value| match v {
        Value::Str(s) => gofmt::quote(s),
        other => other.to_json(),
    };
    match kind {
        "k:" => {
            let keys: Vec<String> = json_of(element)
                .entries()
                .map(|(k, v)| format!("{k}={}", shown(v)))
                .collect();
            format!("[{}]", keys.join(","))
        }
        "v:" => format!("[={}]", shown(&json_of(element))),
        "i:" => format!("[{rest}]"),
        _ => format!(".{rest}"),
    }
}

/// Every field of the set as messages print it, in their order.
pub fn display_paths(set: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(set, &mut String::new(), &mut found);
    found
}

fn collect(set: &Value, prefix: &mut String, found: &mut Vec<String>) {
    let mut all: Vec<(&Key, &Value)> = parts(set).collect();
    all.arrange_by(|a, b| compare_elements(a.0, b.0));
    for (key, part) in &all {
        if is_member(part) {
            found.push(format!("{prefix}{}", display_element(key)));
        }
    }
    for (key, part) in all {
        if parts(part).next().is_some() {
            let length = prefix.len();
            prefix.push_str(&display_element(key));
            collect(part, prefix, found);
            prefix.truncate(length);
        }
    }
}

/// Whether a tree from outside has the form of `FieldsV1`.
pub(super) fn is_well_formed(set: &Value) -> bool {
    set.as_map().is_some_and(|map| {
        map.iter().all(|(key, part)| {
            let known = match key.get(..2) {
                Some("f:") => true,
                Some("k:") => json_of(key).as_map().is_some_and(|m| !m.is_empty()),
                Some("v:") => Value::from_json(key.get(2..).unwrap_or("")).is_ok(),
                Some("i:") => key.get(2..).is_some_and(|i| i.parse::<i64>().is_ok()),
                _ => key.as_str() == SELF,
            };
            known && is_well_formed(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(s: &str) -> Value {
        Value::from_json(s).unwrap()
    }

    #[test]
    fn operations() {
        let a = json(r#"{"f:a":{},"f:b":{".":{},"f:c":{}},"f:d":{"f:e":{}}}"#);
        let b = json(r#"{"f:a":{"f:x":{}},"f:b":{},"f:d":{"f:e":{},"f:g":{}}}"#);
        for (got, want) in [
            (
                union(&a, &b),
                r#"{"f:a":{".":{},"f:x":{}},"f:b":{".":{},"f:c":{}},"f:d":{"f:e":{},"f:g":{}}}"#,
            ),
            (difference(&a, &b), r#"{"f:a":{},"f:b":{"f:c":{}}}"#),
            (difference(&b, &a), r#"{"f:a":{"f:x":{}},"f:d":{"f:g":{}}}"#),
            (recursive_difference(&a, &b), r#"{"f:a":{}}"#),
            (intersection(&a, &b), r#"{"f:b":{},"f:d":{"f:e":{}}}"#),
            (difference(&a, &a), "null"),
        ] {
            assert_eq!(got.to_json(), want);
        }
        // What changes nothing gives the node itself.
        assert!(union(&a, &json(r#"{"f:d":{"f:e":{}}}"#)).same(&a));
        assert!(difference(&a, &json(r#"{"f:z":{}}"#)).same(&a));
        assert!(has(&a, &["f:b"]) && has(&a, &["f:b", "f:c"]) && !has(&a, &["f:d"]));
    }

    #[test]
    fn paths_in_order() {
        let set = json(
            r#"{"f:spec":{"f:ports":{"k:{\"port\":443,\"protocol\":\"TCP\"}":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}}}},"f:metadata":{"f:finalizers":{"v:\"a/b\"":{}}},"f:z":{}}"#,
        );
        assert_eq!(
            display_paths(&set),
            [
                ".z",
                ".metadata.finalizers[=\"a/b\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=443,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
            ]
        );
    }
}
