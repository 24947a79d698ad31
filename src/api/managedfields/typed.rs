//! Objects by their types, as structured merges see them: what differs between two of them, which
//! fields one has, two merged into one, fields taken out.
//!
//! Lists are atomic, sets, or maps by keys; maps and structs are granular or atomic (`listType`,
//! `listMapKeys`, `mapType` of the schema). Where no type is known, maps are granular and lists
//! atomic, which is what the real server deduces.

use std::rc::Rc;

use super::set::{self, below, display_element, field_element, has_element, has_parts, leaf, node};
use crate::api::schema::{Expr, Field, Type};
use crate::flat::{FlatMap, FlatSet, Tally, WideMap};
use crate::value::{Key, Map, Value, gofmt, gojson};

/// How what stands at a place is merged.
enum Kind<'a> {
    /// A scalar, or an atomic list or map: one field.
    Leaf,
    Struct(Rc<Type>),
    Map(&'a Expr),
    Set,
    /// A list whose items are told apart by keys.
    Keyed(&'a Expr, &'a [Rc<str>]),
    /// Whatever its value says: nothing is known of its type.
    Any,
}

/// Where a value stands in its type.
#[derive(Clone, Copy)]
struct Place<'a> {
    expr: &'a Expr,
    /// The marks of the field that holds it; none for items of lists and maps.
    field: Option<&'a Field>,
}

const ANY: Place<'static> = Place {
    expr: &Expr::Any,
    field: None,
};

impl<'a> Place<'a> {
    fn of(field: &'a Field) -> Place<'a> {
        Place {
            expr: &field.expr,
            field: Some(field),
        }
    }

    fn item(expr: &'a Expr) -> Place<'a> {
        Place { expr, field: None }
    }

    fn kind(self) -> Kind<'a> {
        let mark = |of: fn(&Field) -> &Rc<str>| self.field.map_or("", |f| &**of(f));
        match self.expr {
            Expr::List(item) => match mark(|f| &f.list_type) {
                "set" => Kind::Set,
                "map" => Kind::Keyed(item, self.field.map_or(&[], |f| &f.list_map_keys)),
                _ => Kind::Leaf,
            },
            _ if mark(|f| &f.map_type) == "atomic" => Kind::Leaf,
            Expr::Map(item) => Kind::Map(item),
            Expr::Object | Expr::Any => Kind::Any,
            other => match other.resolve() {
                Some(ty) if &*ty.map_type == "atomic" => Kind::Leaf,
                Some(ty) => Kind::Struct(ty),
                None => Kind::Leaf,
            },
        }
    }
}

/// Runs `f` with the place of a struct's field; what the type does not have has no known type.
fn in_struct<T>(ty: &Type, name: &str, f: impl FnOnce(Place) -> T) -> T {
    f(ty.field(name).map_or(ANY, Place::of))
}

/// What differs between two objects, as sets.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The fields that only the new object has.
    pub added: Value,
    /// The fields that both have, with other values.
    pub modified: Value,
    /// The fields that only the old object has.
    pub removed: Value,
}

impl Comparison {
    fn is_none(&self) -> bool {
        self.added.is_null() && self.modified.is_null() && self.removed.is_null()
    }
}

/// Gathers the differences of a node's parts.
#[derive(Default)]
struct Gather {
    added: Vec<(Key, Value)>,
    modified: Vec<(Key, Value)>,
    removed: Vec<(Key, Value)>,
}

impl Gather {
    fn take(&mut self, key: impl FnOnce() -> Key, part: Comparison) {
        if part.is_none() {
            return;
        }
        let key = key();
        for (list, set) in [
            (&mut self.added, part.added),
            (&mut self.modified, part.modified),
            (&mut self.removed, part.removed),
        ] {
            if !set.is_null() {
                list.push((key.clone(), set));
            }
        }
    }

    /// The node of what was gathered, which itself came or went.
    fn finish(self, old: Option<&Value>, new: Option<&Value>) -> Comparison {
        Comparison {
            added: node(old.is_none() && new.is_some(), self.added),
            modified: node(false, self.modified),
            removed: node(new.is_none() && old.is_some(), self.removed),
        }
    }
}

/// The fields that Go's structs always have, since they are structs and no pointers: on the empty
/// object that a creation is compared with, they are there.
fn is_struct_value(ty: &Type, field: &str) -> bool {
    match field {
        "metadata"
        | "spec"
        | "status"
        | "strategy"
        | "updateStrategy"
        | "jobTemplate"
        | "scaleTargetRef"
        | "loadBalancer"
        | "roleRef"
        | "involvedObject"
        | "source"
        | "resources"
        | "daemonEndpoints"
        | "kubeletEndpoint"
        | "nodeInfo"
        | "podSelector"
        | "priorityLevelConfiguration"
        | "names"
        | "acceptedNames"
        | "target" => true,
        // A replication controller's template is a pointer.
        "template" => &*ty.name != "core.v1.ReplicationControllerSpec",
        _ => false,
    }
}

/// What differs between `old` and `new`, objects of this type. A creation has no old object: it is
/// compared with an empty one of its Go type where `built_in`, else with nothing.
pub fn compare(old: Option<&Value>, new: &Value, ty: Option<&Rc<Type>>, built_in: bool) -> Comparison {
    let empty = Value::map();
    let zero = old.is_none() && built_in;
    let old = Some(old.unwrap_or(&empty));
    match ty {
        Some(ty) => compare_structs(old, Some(new), ty, zero),
        None => compare_at(old, Some(new), ANY, false),
    }
}

fn is_void(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Map(m)) => m.is_empty(),
        Some(Value::List(l)) => l.is_empty(),
        Some(v) => v.is_null(),
        None => true,
    }
}

fn compare_leaves(old: Option<&Value>, new: Option<&Value>) -> Comparison {
    let mut result = Comparison::default();
    match (old, new) {
        (None, Some(_)) => result.added = leaf(),
        (Some(_), None) => result.removed = leaf(),
        (Some(a), Some(b)) if a != b => result.modified = leaf(),
        _ => {}
    }
    result
}

fn compare_at(old: Option<&Value>, new: Option<&Value>, place: Place, zero: bool) -> Comparison {
    match (old, new) {
        (None, None) => return Comparison::default(),
        (Some(a), Some(b)) if a.same(b) => return Comparison::default(),
        _ => {}
    }
    let kind = place.kind();
    if matches!(kind, Kind::Leaf) {
        return compare_leaves(old, new);
    }
    if is_void(old) && is_void(new) {
        return compare_leaves(old, new);
    }
    match kind {
        Kind::Struct(ty) => compare_structs(old, new, &ty, zero),
        Kind::Map(item) => compare_maps(old, new, Place::item(item)),
        Kind::Set => {
            let keys = |list: &Value| -> FlatSet<String> { list.items().iter().map(value_element).collect() };
            let (had, has) = (old.map(keys).unwrap_or_default(), new.map(keys).unwrap_or_default());
            let beyond = |a: &FlatSet<String>, b| a.difference(b).map(|k| (list_key(k), leaf())).collect();
            let parts = Gather {
                added: beyond(&has, &had),
                modified: Vec::new(),
                removed: beyond(&had, &has),
            };
            parts.finish(old, new)
        }
        Kind::Keyed(item, keys) => {
            let (a, b) = (old.map_or(&[][..], Value::items), new.map_or(&[][..], Value::items));
            compare_keyed(a, b, item, keys).finish(old, new)
        }
        Kind::Any | Kind::Leaf => {
            let map = |v: Option<&Value>| v.is_none_or(|v| v.is_null() || v.as_map().is_some());
            match (map(old), map(new)) {
                (true, true) => compare_maps(old, new, ANY),
                (false, false) => compare_leaves(old, new),
                // One became the other: its parts went or came, and it changed.
                (is_map, _) => {
                    let (old, new) = if is_map { (old, None) } else { (None, new) };
                    let mut parts = compare_maps(old, new, ANY);
                    parts.added = set::difference(&parts.added, &leaf());
                    parts.removed = set::difference(&parts.removed, &leaf());
                    parts.modified = leaf();
                    parts
                }
            }
        }
    }
}

fn compare_structs(old: Option<&Value>, new: Option<&Value>, ty: &Type, zero: bool) -> Comparison {
    let mut parts = Gather::default();
    for (key, value) in new.into_iter().flat_map(Value::entries) {
        let had = old.and_then(|o| o.as_map()).and_then(|m| m.get(key));
        if had.is_some_and(|h| h.same(value)) {
            continue;
        }
        let part = in_struct(ty, key, |place| {
            if !zero || had.is_some() {
                return compare_at(had, Some(value), place, false);
            }
            let required = place.field.is_some_and(|f| f.required) || key.as_str() == "rules";
            if is_struct_value(ty, key) {
                compare_at(Some(&Value::map()), Some(value), place, true)
            } else if required && (value.as_map().is_some() || value.as_list().is_some()) {
                compare_at(Some(&Value::Null), Some(value), place, false)
            } else if required && value.is_empty() {
                Comparison::default()
            } else {
                compare_at(None, Some(value), place, false)
            }
        });
        parts.take(|| field_element(key), part);
    }
    for (key, had) in old.into_iter().flat_map(Value::entries) {
        if !new.is_some_and(|n| n.has(key)) {
            let part = in_struct(ty, key, |place| compare_at(Some(had), None, place, false));
            parts.take(|| field_element(key), part);
        }
    }
    parts.finish(old, new)
}

fn compare_maps(old: Option<&Value>, new: Option<&Value>, item: Place) -> Comparison {
    let mut parts = Gather::default();
    for (key, value) in new.into_iter().flat_map(Value::entries) {
        let had = old.and_then(|o| o.as_map()).and_then(|m| m.get(key));
        parts.take(|| field_element(key), compare_at(had, Some(value), item, false));
    }
    for (key, value) in old.into_iter().flat_map(Value::entries) {
        if !new.is_some_and(|n| n.has(key)) {
            parts.take(|| field_element(key), compare_at(Some(value), None, item, false));
        }
    }
    parts.finish(old, new)
}

/// A path element of a list as a key of a set. It is data rather than a name, and so not interned.
fn list_key(element: &str) -> Key {
    Key::from(Rc::<str>::from(element))
}

fn value_element(value: &Value) -> String {
    format!("v:{}", gojson::compact(value, false))
}

/// The path element of an item of a list by keys; `None` when it has none of the keys.
fn key_element(item: &Value, expr: &Expr, keys: &[Rc<str>]) -> Option<String> {
    let mut found = Vec::with_capacity(keys.len());
    let mut ty = None;
    for key in keys {
        let value = match item.as_map().and_then(|m| m.get(key)) {
            Some(value) => value.clone(),
            None => {
                let ty = ty.get_or_insert_with(|| expr.resolve());
                match ty.as_ref().and_then(|t| t.field(key)).and_then(|f| f.default.clone()) {
                    Some(default) => default,
                    None => continue,
                }
            }
        };
        found.push((&**key, value));
    }
    (!found.is_empty()).then(|| format!("k:{}", gojson::compact(&found.into_iter().collect(), false)))
}

fn compare_keyed(old: &[Value], new: &[Value], item: &Expr, keys: &[Rc<str>]) -> Gather {
    let mut parts = Gather::default();
    let place = Place::item(item);
    let alike = |a: &Value, b: &Value| a.same(b) || keys.iter().all(|k| a.get(k) == b.get(k));
    if old.len() == new.len() && old.iter().zip(new).all(|(a, b)| alike(a, b)) {
        // The usual case: the same items in the same order.
        for (a, b) in old.iter().zip(new).filter(|(a, b)| !a.same(b)) {
            let part = compare_at(Some(a), Some(b), place, false);
            parts.take(
                || list_key(&key_element(b, item, keys).unwrap_or_else(|| "k:{}".into())),
                part,
            );
        }
        return parts;
    }
    let mut by_key: WideMap<String, (Vec<&Value>, Vec<&Value>)> = WideMap::default();
    let olds = old.iter().map(|value| (value, true));
    for (value, is_old) in olds.chain(new.iter().map(|value| (value, false))) {
        if let Some(key) = key_element(value, item, keys)
            && let Some((a, b)) = by_key.get_or_insert_with(&key, Default::default)
        {
            if is_old { a.push(value) } else { b.push(value) }
        }
    }
    for (key, (a, b)) in by_key.iter() {
        let part = match (a.as_slice(), b.as_slice()) {
            ([], [one]) => compare_at(None, Some(one), place, false),
            ([one], []) => compare_at(Some(one), None, place, false),
            ([x], [y]) => compare_at(Some(x), Some(y), place, false),
            // Duplicates are one field: they cannot be told apart.
            (a, b) => compare_duplicates(a, b),
        };
        parts.take(|| list_key(key), part);
    }
    parts
}

fn compare_duplicates(a: &[&Value], b: &[&Value]) -> Comparison {
    let mut part = Comparison::default();
    match (a, b) {
        ([], _) => part.added = leaf(),
        (_, []) => part.removed = leaf(),
        _ if a != b => part.modified = leaf(),
        _ => {}
    }
    part
}

/// The fields that an object names (`ToFieldSet`).
pub fn field_set(value: &Value, ty: Option<&Rc<Type>>) -> Value {
    let set = match ty {
        Some(ty) => fields_of_struct(value, ty),
        None => fields_at(value, ANY),
    };
    // The root is no field.
    set::difference(&set, &leaf())
}

fn fields_of_struct(value: &Value, ty: &Type) -> Value {
    let parts = value
        .entries()
        .filter_map(|(key, v)| {
            let declared = ty.field(key).is_some();
            let part = in_struct(ty, key, |place| fields_at(v, place));
            map_entry(key, v, part, declared)
        })
        .collect();
    node(false, parts)
}

/// An entry of a map or struct: it is a field itself when it is no declared field of a struct, or
/// when nothing is in it.
fn map_entry(key: &Key, value: &Value, part: Value, declared: bool) -> Option<(Key, Value)> {
    let itself = !declared || value.is_null() || value.as_map().is_some_and(Map::is_empty);
    let part = if itself { set::union(&part, &leaf()) } else { part };
    (!part.is_null()).then(|| (field_element(key), part))
}

fn fields_of_map(value: &Value, item: Place) -> Value {
    let parts = value
        .entries()
        .filter_map(|(key, v)| map_entry(key, v, fields_at(v, item), false))
        .collect();
    node(false, parts)
}

fn fields_at(value: &Value, place: Place) -> Value {
    match place.kind() {
        Kind::Leaf => leaf(),
        Kind::Struct(ty) => fields_of_struct(value, &ty),
        Kind::Map(item) => fields_of_map(value, Place::item(item)),
        Kind::Set => node(
            false,
            value
                .items()
                .iter()
                .map(|v| (list_key(&value_element(v)), leaf()))
                .collect(),
        ),
        Kind::Keyed(item, keys) => {
            let (mut parts, mut seen) = (Vec::new(), Tally::default());
            for v in value.items() {
                let Some(key) = key_element(v, item, keys) else {
                    continue;
                };
                let name = list_key(&key);
                // Of what stands twice the last counts, and it has no parts.
                let part = match seen.add(key) {
                    0 => set::union(&fields_at(v, Place::item(item)), &leaf()),
                    _ => leaf(),
                };
                parts.push((name, part));
            }
            node(false, parts)
        }
        Kind::Any => match value {
            Value::Map(_) => fields_of_map(value, ANY),
            Value::Null => Value::Null,
            _ => leaf(),
        },
    }
}

/// `live` with the fields of `config` in it.
pub fn merge(live: &Value, config: &Value, ty: Option<&Rc<Type>>) -> Value {
    match ty {
        Some(ty) => merge_structs(live, config, ty),
        None => merge_at(Some(live), Some(config), ANY).unwrap_or_default(),
    }
}

fn merge_structs(live: &Value, config: &Value, ty: &Type) -> Value {
    merge_entries(live, config, |key, a, b| {
        in_struct(ty, key, |place| merge_at(a, b, place))
    })
}

fn merge_entries(
    live: &Value,
    config: &Value,
    mut merge: impl FnMut(&str, Option<&Value>, Option<&Value>) -> Option<Value>,
) -> Value {
    let mut result = live.clone();
    for (key, wanted) in config.entries() {
        let had = live.as_map().and_then(|m| m.get(key));
        match merge(key, had, Some(wanted)) {
            Some(merged) if had.is_some_and(|h| h.same(&merged)) => {}
            Some(merged) => {
                result.map_mut().insert(key.clone(), merged);
            }
            None => {
                result.remove(&[key]);
            }
        }
    }
    result
}

fn merge_at(live: Option<&Value>, config: Option<&Value>, place: Place) -> Option<Value> {
    let Some(config) = config else { return live.cloned() };
    let Some(live) = live else { return Some(config.clone()) };
    if live.same(config) || live == config {
        return Some(live.clone());
    }
    let maps = live.as_map().is_some() && (config.as_map().is_some() || config.is_null());
    let lists = live.as_list().is_some() && (config.as_list().is_some() || config.is_null());
    Some(match place.kind() {
        Kind::Struct(ty) if maps => merge_structs(live, config, &ty),
        Kind::Map(item) if maps => merge_entries(live, config, |_, a, b| merge_at(a, b, Place::item(item))),
        Kind::Any if maps => merge_entries(live, config, |_, a, b| merge_at(a, b, ANY)),
        Kind::Set if lists => merge_lists(live.items(), config.items(), value_key, |_, b| b.clone()),
        Kind::Keyed(item, keys) if lists => merge_lists(
            live.items(),
            config.items(),
            |v| key_element(v, item, keys),
            |a, b| merge_at(Some(a), Some(b), Place::item(item)).unwrap_or_default(),
        ),
        _ => config.clone(),
    })
}

fn value_key(value: &Value) -> Option<String> {
    Some(value_element(value))
}

/// Merges lists whose items have keys: the applied items in the applied order, the others where they
/// stood among them.
fn merge_lists(
    live: &[Value],
    config: &[Value],
    key: impl Fn(&Value) -> Option<String>,
    merge: impl Fn(&Value, &Value) -> Value,
) -> Value {
    let ours: Vec<Option<String>> = live.iter().map(&key).collect();
    let theirs: Vec<Option<String>> = config.iter().map(&key).collect();
    // Where each stands first in the configuration, and the items of the live list.
    let places: FlatMap<&Option<String>, usize> = theirs.iter().enumerate().rev().map(|(i, k)| (k, i)).collect();
    let mut held: FlatMap<&Option<String>, Option<&Value>> = ours.iter().zip(live.iter().map(Some)).collect();
    if held.len() < live.len() {
        // An item that stands twice has no one to merge with.
        let mut seen = Tally::default();
        for key in &ours {
            if seen.add(key.clone().unwrap_or_default()) == 1 {
                held.insert(key, None);
            }
        }
    }
    let single = |k: &Option<String>| held.get(&k).copied().flatten();
    let mut out = Vec::with_capacity(live.len() + config.len());
    let mut shared = theirs.iter().filter(|k| held.contains_key(k)).peekable();
    let (mut l, mut r) = (0, 0);
    while l < live.len() || r < config.len() {
        if let (Some(o), Some(t)) = (ours.get(l), theirs.get(r)) {
            if o == t {
                out.extend(
                    config
                        .get(r)
                        .map(|b| single(t).map_or_else(|| b.clone(), |a| merge(a, b))),
                );
                l += 1;
                r += 1;
                shared.next();
                continue;
            }
            if places.contains_key(&o) && shared.peek().is_some_and(|next| *next != o) {
                // It is applied too, but another shared item comes first.
                l += 1;
                continue;
            }
        }
        if let Some(o) = ours.get(l) {
            match places.get(&o) {
                None => {
                    out.extend(live.get(l).cloned());
                    l += 1;
                    continue;
                }
                // It is merged already.
                Some(place) if *place < r => l += 1,
                Some(_) => {}
            }
        }
        if let (Some(t), Some(b)) = (theirs.get(r), config.get(r)) {
            out.push(single(t).map_or_else(|| b.clone(), |a| merge(a, b)));
            r += 1;
            if shared.peek().is_some_and(|next| *next == t) {
                shared.next();
            }
        } else if l < live.len() && ours.get(l).is_some_and(|o| places.contains_key(&o)) {
            l += 1;
        }
    }
    Value::list(out)
}

/// The object without the fields of a set. A map or a list of which nothing is left is null.
pub fn remove(value: &Value, gone: &Value, ty: Option<&Rc<Type>>) -> Value {
    match ty {
        Some(ty) => remove_entries(value, gone, |key, v, gone| {
            in_struct(ty, key, |place| remove_at(v, gone, place))
        }),
        None => remove_at(value, gone, ANY),
    }
}

fn remove_entries(value: &Value, gone: &Value, mut f: impl FnMut(&str, &Value, &Value) -> Value) -> Value {
    if gone.is_null() {
        return value.clone();
    }
    let mut kept = Vec::new();
    let mut changed = false;
    for (key, v) in value.entries() {
        let element = field_element(key);
        if has_element(gone, &element) {
            changed = true;
            continue;
        }
        let left = if has_parts(gone, &element) {
            f(key, v, below(gone, &element))
        } else {
            v.clone()
        };
        changed |= !left.same(v);
        kept.push((key.clone(), left));
    }
    match (changed, kept.is_empty()) {
        (false, _) => value.clone(),
        (true, true) => Value::Null,
        (true, false) => Value::from(Map::from_entries(kept)),
    }
}

fn remove_items(value: &Value, gone: &Value, key: impl Fn(&Value) -> Option<String>, item: Place) -> Value {
    let mut kept = Vec::new();
    for v in value.items() {
        match key(v) {
            Some(element) if has_element(gone, &element) => {}
            Some(element) if has_parts(gone, &element) => kept.push(remove_at(v, below(gone, &element), item)),
            _ => kept.push(v.clone()),
        }
    }
    if kept.is_empty() && !value.items().is_empty() {
        return Value::Null;
    }
    Value::list(kept)
}

fn remove_at(value: &Value, gone: &Value, place: Place) -> Value {
    match place.kind() {
        Kind::Struct(ty) if value.as_map().is_some() => remove_entries(value, gone, |key, v, gone| {
            in_struct(&ty, key, |place| remove_at(v, gone, place))
        }),
        Kind::Map(item) if value.as_map().is_some() => {
            remove_entries(value, gone, |_, v, gone| remove_at(v, gone, Place::item(item)))
        }
        Kind::Any if value.as_map().is_some() => remove_entries(value, gone, |_, v, gone| remove_at(v, gone, ANY)),
        Kind::Set if value.as_list().is_some() => remove_items(value, gone, value_key, ANY),
        Kind::Keyed(item, keys) if value.as_list().is_some() => {
            remove_items(value, gone, |v| key_element(v, item, keys), Place::item(item))
        }
        _ => value.clone(),
    }
}

/// The set, with each declared field of a struct that has parts in it
/// (`EnsureNamedFieldsAreMembers`).
pub fn with_named_fields(set: &Value, ty: Option<&Rc<Type>>) -> Value {
    match ty {
        Some(ty) => named_in_struct(set, ty),
        None => set.clone(),
    }
}

fn named_in_struct(set: &Value, ty: &Type) -> Value {
    rebuilt(set, |element, part| match element.strip_prefix("f:") {
        Some(name) => {
            let inner = in_struct(ty, name, |place| named_at(part, place));
            if ty.field(name).is_some() {
                set::union(&inner, &leaf())
            } else {
                inner
            }
        }
        None => part.clone(),
    })
}

fn named_at(set: &Value, place: Place) -> Value {
    match place.kind() {
        Kind::Struct(ty) => named_in_struct(set, &ty),
        Kind::Map(item) | Kind::Keyed(item, _) => rebuilt(set, |_, part| named_at(part, Place::item(item))),
        _ => set.clone(),
    }
}

/// The set as of the present type: of a list, map or struct that was granular when its parts were noted and is atomic
/// now, the whole stands in it instead (`ReconcileFieldSetWithSchema`). What became granular stays as it is.
pub fn reconciled(set: &Value, ty: Option<&Rc<Type>>) -> Value {
    match ty {
        Some(ty) => reconciled_struct(set, ty),
        None => set.clone(),
    }
}

fn reconciled_struct(set: &Value, ty: &Type) -> Value {
    changed(set, |element, part| match element.strip_prefix("f:") {
        Some(name) => in_struct(ty, name, |place| reconciled_at(part, place)),
        None => part.clone(),
    })
}

fn reconciled_at(set: &Value, place: Place) -> Value {
    match place.kind() {
        Kind::Struct(ty) => reconciled_struct(set, &ty),
        Kind::Map(item) | Kind::Keyed(item, _) => changed(set, |_, part| reconciled_at(part, Place::item(item))),
        // A scalar has no parts.
        Kind::Leaf if !set.is_empty() => leaf(),
        _ => set.clone(),
    }
}

/// As [`rebuilt`]; a set in which nothing changes stays the same node.
fn changed(set: &Value, f: impl Fn(&str, &Value) -> Value) -> Value {
    let new = rebuilt(set, f);
    if new == *set { set.clone() } else { new }
}

fn rebuilt(set: &Value, f: impl Fn(&str, &Value) -> Value) -> Value {
    if set.is_null() || set.is_empty() {
        return set.clone();
    }
    set.entries()
        .map(|(k, v)| (k.clone(), if k.as_str() == "." { v.clone() } else { f(k, v) }))
        .collect()
}

/// What is wrong with a configuration that is to be applied: fields that its type does not have,
/// values of another type, items that stand twice.
pub fn check(value: &Value, ty: Option<&Rc<Type>>) -> Vec<String> {
    let mut errors = Vec::new();
    if let Some(ty) = ty {
        check_struct(value, ty, "", &mut errors);
    }
    errors
}

/// The paths of what a configuration sets that is replaced as a whole. A list's items have their indexes.
pub fn atomics(value: &Value, ty: Option<&Rc<Type>>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(ty) = ty {
        for (key, v) in value.entries() {
            if let Some(field) = ty.field(key) {
                atomics_at(v, Place::of(field), &format!(".{key}"), &mut found);
            }
        }
    }
    found
}

fn atomics_at(value: &Value, place: Place, path: &str, found: &mut Vec<String>) {
    match (value, place.kind(), place.expr) {
        (Value::Map(_), Kind::Struct(ty), _) => {
            for (key, v) in value.entries() {
                if let Some(field) = ty.field(key) {
                    atomics_at(v, Place::of(field), &format!("{path}.{key}"), found);
                }
            }
        }
        (Value::Map(_), Kind::Leaf, _) => found.push(path.to_owned()),
        (Value::List(items), kind, Expr::List(item)) => {
            if matches!(kind, Kind::Leaf) {
                found.push(path.to_owned());
            }
            for (i, v) in items.iter().enumerate() {
                atomics_at(v, Place::item(item), &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

fn say(errors: &mut Vec<String>, path: &str, what: impl std::fmt::Display) {
    errors.push(if path.is_empty() {
        what.to_string()
    } else {
        format!("{path}: {what}")
    });
}

fn check_struct(value: &Value, ty: &Type, path: &str, errors: &mut Vec<String>) {
    if value.as_map().is_none() {
        if !value.is_null() {
            say(
                errors,
                path,
                format_args!("expected map, got &{{{}}}", gofmt::display(value)),
            );
        }
        return;
    }
    for (key, v) in value.entries() {
        let path = format!("{path}.{key}");
        match ty.field(key) {
            Some(field) => check_at(v, Place::of(field), &path, errors),
            None if ty.open => {}
            None => say(errors, &path, "field not declared in schema"),
        }
    }
}

fn check_at(value: &Value, place: Place, path: &str, errors: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    match place.expr {
        Expr::Any | Expr::Object => {}
        Expr::List(item) => {
            if value.as_list().is_none() {
                say(
                    errors,
                    path,
                    format_args!("expected list, got &{{{}}}", gofmt::display(value)),
                );
                return;
            }
            check_items(value.items(), item, place, path, errors);
        }
        Expr::Map(item) => {
            if value.as_map().is_none() {
                say(
                    errors,
                    path,
                    format_args!("expected map, got &{{{}}}", gofmt::display(value)),
                );
                return;
            }
            for (key, v) in value.entries() {
                check_at(v, Place::item(item), &format!("{path}.{key}"), errors);
            }
        }
        scalar => match scalar.resolve() {
            Some(ty) => check_struct(value, &ty, path, errors),
            None => check_scalar(value, scalar, path, errors),
        },
    }
}

fn check_items(items: &[Value], item: &Expr, place: Place, path: &str, errors: &mut Vec<String>) {
    let kind = place.kind();
    let mut seen = Tally::default();
    for (i, v) in items.iter().enumerate() {
        let element = match &kind {
            Kind::Set => Some(value_element(v)),
            Kind::Keyed(_, keys) => match key_element(v, item, keys) {
                Some(element) => Some(element),
                None => {
                    let keys: Vec<String> = keys.iter().map(|k| gofmt::quote(k)).collect();
                    say(
                        errors,
                        path,
                        format_args!(
                            "element {i}: associative list with keys has an element that omits all key fields [{}] \
                             (and doesn't have default values for any key fields)",
                            keys.join(" ")
                        ),
                    );
                    continue;
                }
            },
            _ => None,
        };
        let shown = match element {
            Some(element) => {
                let shown = display_element(&element);
                if seen.add(element) > 0 {
                    say(errors, path, format_args!("duplicate entries for key {shown}"));
                }
                shown
            }
            None => format!("[{i}]"),
        };
        check_at(v, Place::item(item), &format!("{path}{shown}"), errors);
    }
}

fn check_scalar(value: &Value, expr: &Expr, path: &str, errors: &mut Vec<String>) {
    let number = matches!(value, Value::Int(_) | Value::Float(_));
    let scalar = number || matches!(value, Value::Str(_) | Value::Bool(_));
    let go_type = match value {
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::Str(_) => "string",
        Value::List(_) => "[]interface {}",
        _ => "map[string]interface {}",
    };
    match expr {
        Expr::Str | Expr::Bytes if value.as_str().is_none() => say(
            errors,
            path,
            format_args!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                gofmt::go_syntax(value)
            ),
        ),
        Expr::Int32 | Expr::Int64 | Expr::Number if !number => {
            say(
                errors,
                path,
                format_args!("expected numeric (int or float), got {go_type}"),
            );
        }
        Expr::Bool if value.as_bool().is_none() => {
            say(
                errors,
                path,
                format_args!("expected boolean, got &{{{}}}", gofmt::display(value)),
            );
        }
        Expr::Quantity | Expr::IntOrString | Expr::Time | Expr::MicroTime if !scalar => {
            say(
                errors,
                path,
                format_args!("expected any scalar, got &{{{}}}", gofmt::display(value)),
            );
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn merged(live: &str, config: &str) -> String {
        let texts = |s: &str| -> Vec<Value> { s.split_whitespace().map(Value::from).collect() };
        // What comes before the colon is the key.
        let key = |v: &Value| v.str().split(':').next().map(str::to_owned);
        let both = |a: &Value, b: &Value| Value::from(format!("{}+{}", a.str(), b.str()));
        let all = merge_lists(&texts(live), &texts(config), key, both);
        all.items().iter().map(Value::str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_merge_in_the_applied_order() {
        let rows = [
            ("", "a b"),
            ("a b", ""),
            ("a:1 b:1 c:1", "b:2"),
            ("a:1 b:1 c:1", "c:2 a:2"),
            ("a:1 x b:1 y c:1", "c:2 z b:2"),
            ("a:1 a:2 b:1", "b:3 a:3"),
            ("x a:1 y", "a:2 a:3 z"),
            ("a b c d", "d c b a"),
        ];
        let table: String = rows
            .iter()
            .map(|(live, config)| format!("{live} | {config} → {}\n", merged(live, config)))
            .collect();
        expect![[r#"
             | a b → a b
            a b |  → a b
            a:1 b:1 c:1 | b:2 → a:1 b:1+b:2 c:1
            a:1 b:1 c:1 | c:2 a:2 → b:1 c:1+c:2 a:1+a:2
            a:1 x b:1 y c:1 | c:2 z b:2 → a:1 x y c:1+c:2 z b:1+b:2
            a:1 a:2 b:1 | b:3 a:3 → b:1+b:3 a:3
            x a:1 y | a:2 a:3 z → x a:1+a:2 y a:1+a:3 z
            a b c d | d c b a → d+d c+c b+b a+a
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn long_lists_are_told_apart_by_sorting() {
        const ITEMS: i64 = 40_000;
        let list = |from: i64| Value::list((from..from + ITEMS).map(Value::from).collect());
        let mut field = Field::new("l", Expr::List(Box::new(Expr::Any)));
        field.list_type = "set".into();
        let place = Place::of(&field);
        let (old, new) = (list(0), list(2));
        let found = compare_at(Some(&old), Some(&new), place, false);
        let keys = |set: &Value| set.entries().map(|(k, _)| k.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(
            (keys(&found.added), keys(&found.removed)),
            ("v:40000 v:40001".into(), "v:0 v:1".into())
        );
        assert_eq!(
            merge_at(Some(&old), Some(&new), place)
                .unwrap_or_default()
                .items()
                .len() as i64,
            ITEMS + 2
        );
        let mut errors = Vec::new();
        check_items(old.items(), &Expr::Any, place, "", &mut errors);
        assert_eq!(errors, [""; 0]);
    }
}
