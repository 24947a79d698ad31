//! The tree that every object is: immutable values with interned field names and shared subtrees.
//!
//! A clone is a reference count; an edit copies the nodes from the root to the edited one and shares
//! the rest. Two trees that share a subtree compare it by address. Knows nothing of Kubernetes.

pub mod base64;
pub mod duration;
pub mod float;
pub mod fnv;
pub mod gofmt;
pub mod gojson;
pub mod hex;
mod json;
mod key;
pub mod math;
mod pool;
pub mod sha256;
pub mod yaml;

pub use gofmt::quoted;
pub use json::JsonError;
pub use key::{Key, intern};
pub use pool::Pool;

use crate::flat::Arrange;
use std::fmt;
use std::rc::Rc;

use key::Shape;

/// A JSON-like value. Maps keep their keys sorted by bytes, as Kubernetes prints them.
#[derive(Clone, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    List(Rc<Vec<Value>>),
    Map(Rc<Map>),
}

/// What an absent field reads as: `Value` holds no interior mutability, so a reference to the
/// constant lives as long as the program.
const NULL: &Value = &Value::Null;

/// A map. Its keys are sorted, and shared with the other maps that have the same.
#[derive(Clone)]
pub struct Map {
    shape: Shape,
    /// In the order of the keys.
    values: Vec<Value>,
}

impl Default for Map {
    fn default() -> Map {
        Map {
            shape: key::shape(Vec::new()),
            values: Vec::new(),
        }
    }
}

impl Map {
    /// A map without entries.
    pub fn new() -> Map {
        Map::default()
    }

    /// A map of these entries. A later entry of the same key wins.
    pub fn from_entries(mut entries: Vec<(Key, Value)>) -> Map {
        entries.arrange_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        // `dedup_by` keeps the first of equals: swap, so that the later one's value stays.
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        let (keys, values) = entries.into_iter().unzip();
        Map {
            shape: key::shape(keys),
            values,
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        // Most maps are small: a scan that mostly compares lengths beats a binary search there.
        if self.shape.len() <= 8
            && let Some(i) = self.shape.iter().position(|k| k.as_str() == key)
        {
            return Ok(i);
        }
        self.shape.binary_search_by(|k| k.as_str().cmp(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).ok().and_then(|i| self.values.get(i))
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let i = self.find(key).ok()?;
        self.values.get_mut(i)
    }

    /// Whether the key is there, be it with null.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Adds a key that is not there, at its place.
    fn add(&mut self, at: usize, key: Key, value: Value) {
        let mut keys = Vec::with_capacity(self.shape.len() + 1);
        keys.extend_from_slice(&self.shape);
        keys.insert(at, key);
        self.shape = key::shape(keys);
        self.values.insert(at, value);
    }

    /// Sets a key, and returns what it held.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) -> Option<Value> {
        let key = key.into();
        match self.find(key.as_str()) {
            Ok(i) => self.values.get_mut(i).map(|v| std::mem::replace(v, value)),
            Err(i) => {
                self.add(i, key, value);
                None
            }
        }
    }

    /// Takes a key out, and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let i = self.find(key).ok()?;
        let mut keys = self.shape.to_vec();
        keys.remove(i);
        self.shape = key::shape(keys);
        Some(self.values.remove(i))
    }

    /// The value at `key`, set to null first where there is none.
    pub fn entry(&mut self, key: &str) -> &mut Value {
        let i = match self.find(key) {
            Ok(i) => i,
            Err(i) => {
                self.add(i, Key::from(key), Value::Null);
                i
            }
        };
        &mut self.values[i]
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Value) -> bool) {
        if self.iter().all(|(k, v)| keep(k, v)) {
            return;
        }
        let kept = self
            .iter()
            .filter(|(k, v)| keep(k, v))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        *self = Map::from_entries(kept);
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Value)> + ExactSizeIterator + Clone {
        self.shape.iter().zip(&self.values)
    }

    /// The entries in the same order, their values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Value)> {
        self.shape.iter().zip(&mut self.values)
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator + Clone {
        self.shape.iter().map(Key::as_str)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Gives back what the map holds for values to come.
    fn shrink(&mut self) {
        self.values.shrink_to_fit();
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Map) -> bool {
        (Rc::ptr_eq(&self.shape, &other.shape) || self.shape == other.shape) && self.values == other.values
    }
}

impl Value {
    /// An empty map.
    pub fn map() -> Value {
        Value::Map(Rc::default())
    }

    /// A map of these fields, for [`obj!`](crate::obj), which stands in so many places that each is a call.
    #[inline(never)]
    pub fn of_fields<const N: usize>(keys: &'static [&'static str; N], values: [Value; N]) -> Value {
        Value::of_parts(keys, values.into())
    }

    fn of_parts(keys: &'static [&'static str], values: Vec<Value>) -> Value {
        match key::shape_of(keys) {
            Some(shape) => Value::from(Map { shape, values }),
            None => {
                let keys = keys.iter().map(|key| Key::from(*key));
                Value::from(Map::from_entries(keys.zip(values).collect()))
            }
        }
    }

    /// A list of these values.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(items))
    }

    /// The field `key` of a map; null for an absent field and for anything that is no map.
    pub fn get(&self, key: &str) -> &Value {
        match self {
            Value::Map(map) => map.get(key).unwrap_or(NULL),
            _ => NULL,
        }
    }

    /// The value at a path of fields; null where the path ends early.
    pub fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(self, |v, key| v.get(key))
    }

    /// Whether a map has the field, even as null.
    pub fn has(&self, key: &str) -> bool {
        self.as_map().is_some_and(|m| m.contains_key(key))
    }

    /// Whether it is null, which stands for a missing field too.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same without the entries of maps that are null.
    pub fn without_nulls(&self) -> Value {
        match self {
            Value::Map(map) => map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), value.without_nulls()))
                .collect(),
            Value::List(list) => list.iter().map(Value::without_nulls).collect(),
            other => other.clone(),
        }
    }

    /// Null, `false`, 0, an empty text, list or map: what Go's `omitempty` leaves out.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Bool(b) => !b,
            Value::Int(i) => *i == 0,
            Value::Float(f) => *f == 0.0,
            Value::Str(s) => s.is_empty(),
            Value::List(l) => l.is_empty(),
            Value::Map(m) => m.is_empty(),
        }
    }

    /// The text; `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The text, or the empty text when this is none.
    pub fn str(&self) -> &str {
        self.as_str().unwrap_or("")
    }

    /// The shared text, when this is one.
    pub fn shared_str(&self) -> Option<&Rc<str>> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The text at a path; the empty text when there is none.
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).str()
    }

    /// An integer, or a float that is whole.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            Value::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Some(*f as i64),
            _ => None,
        }
    }

    /// The integer at a path.
    pub fn i64_at(&self, path: &[&str]) -> Option<i64> {
        self.at(path).as_i64()
    }

    /// The number, whole or not; `None` for anything else.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// The boolean; `None` for anything else.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Whether the value at a path is `true`.
    pub fn bool_at(&self, path: &[&str]) -> bool {
        self.at(path).as_bool().unwrap_or(false)
    }

    /// The items of a list; `None` for anything else.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(l) => Some(l),
            _ => None,
        }
    }

    /// The items of a list; nothing for anything else.
    pub fn items(&self) -> &[Value] {
        self.as_list().unwrap_or(&[])
    }

    /// The entries of a map; `None` for anything else.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The entries of a map; nothing for anything else.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&Key, &Value)> + Clone {
        self.as_map().into_iter().flat_map(Map::iter)
    }

    /// This value as a map to edit; anything that is no map is replaced by an empty one.
    pub fn map_mut(&mut self) -> &mut Map {
        if !matches!(self, Value::Map(_)) {
            *self = Value::map();
        }
        match self {
            Value::Map(m) => Rc::make_mut(m),
            // Assigned just above; a leaked empty map keeps this total without a panic.
            _ => Box::leak(Box::default()),
        }
    }

    /// This value as a list to edit; anything that is no list is replaced by an empty one.
    pub fn list_mut(&mut self) -> &mut Vec<Value> {
        if !matches!(self, Value::List(_)) {
            *self = Value::List(Rc::default());
        }
        match self {
            Value::List(l) => Rc::make_mut(l),
            _ => Box::leak(Box::default()),
        }
    }

    /// The value at a path of fields, to edit; maps are made where there are none.
    pub fn at_mut(&mut self, path: &[&str]) -> &mut Value {
        path.iter().fold(self, |v, key| v.map_mut().entry(key))
    }

    /// Sets the value at a path of fields; maps are made where there are none.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        *self.at_mut(path) = value.into();
    }

    /// Sets the value at a path unless it is `is_empty`, in which case the field is removed.
    pub fn set_or_remove(&mut self, path: &[&str], value: impl Into<Value>) {
        let value = value.into();
        if value.is_empty() {
            self.remove(path);
        } else {
            self.set(path, value);
        }
    }

    /// Removes the field at a path, and returns it. Copies nothing when there is none.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        if !self.at(parents).has(last) {
            return None;
        }
        self.at_mut(parents).map_mut().remove(last)
    }

    /// Whether two values are the same node or equal scalars: a cheap `true` that may miss equals.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
            (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b),
            (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b),
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            _ => false,
        }
    }

    /// Whether the value is of at most so many bytes, by its texts and a byte for each of its marks. It looks no
    /// further than those, since what a value shares with itself is counted each time.
    pub fn is_within(&self, bytes: usize) -> bool {
        self.weigh(bytes).is_some()
    }

    /// What is left of `bytes`; `None` when they do not suffice.
    fn weigh(&self, bytes: usize) -> Option<usize> {
        match self {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => bytes.checked_sub(4),
            Value::Str(text) => bytes.checked_sub(text.len() + 2),
            Value::List(items) => items
                .iter()
                .try_fold(bytes.checked_sub(2)?, |left, item| item.weigh(left)?.checked_sub(1)),
            Value::Map(_) => self.entries().try_fold(bytes.checked_sub(2)?, |left, (key, value)| {
                value.weigh(left)?.checked_sub(key.as_str().len() + 4)
            }),
        }
    }

    /// Replaces each subtree that equals its place in `old` by `old`'s node, so that versions of an
    /// object share what did not change. Returns whether the whole value was equal.
    pub fn share_with(&mut self, old: &Value) -> bool {
        if self.same(old) {
            return true;
        }
        let equal = match (&mut *self, old) {
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                let same_length = a.len() == b.len();
                let items = Rc::make_mut(a);
                let mut equal = same_length;
                for (x, y) in items.iter_mut().zip(b.iter()) {
                    equal &= x.share_with(y);
                }
                equal
            }
            (Value::Map(a), Value::Map(b)) => {
                let mut equal = a.len() == b.len();
                for (k, v) in Rc::make_mut(a).iter_mut() {
                    match b.get(k.as_str()) {
                        Some(other) => equal &= v.share_with(other),
                        None => equal = false,
                    }
                }
                equal
            }
            _ => false,
        };
        if equal {
            *self = old.clone();
        }
        equal
    }

    /// Depth of nesting: 0 for a scalar.
    pub fn depth(&self) -> usize {
        match self {
            Value::List(l) => 1 + l.iter().map(Value::depth).max().unwrap_or(0),
            Value::Map(m) => 1 + m.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
            (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b) || a == b,
            (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b) || a == b,
            (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

/// Shows the value as JSON.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl From<&str> for Value {
    // A call and not the code, as in the next: these stand in thousands of places.
    #[inline(never)]
    fn from(s: &str) -> Value {
        Value::Str(s.into())
    }
}
impl From<&&str> for Value {
    fn from(s: &&str) -> Value {
        Value::Str((*s).into())
    }
}
impl From<String> for Value {
    #[inline(never)]
    fn from(s: String) -> Value {
        Value::Str(s.into())
    }
}
impl From<&String> for Value {
    fn from(s: &String) -> Value {
        Value::Str(s.as_str().into())
    }
}
impl From<Rc<str>> for Value {
    fn from(s: Rc<str>) -> Value {
        Value::Str(s)
    }
}
impl From<&Rc<str>> for Value {
    fn from(s: &Rc<str>) -> Value {
        Value::Str(s.clone())
    }
}
impl From<&Key> for Value {
    fn from(k: &Key) -> Value {
        Value::Str(k.shared())
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(i: i64) -> Value {
        Value::Int(i)
    }
}
impl From<i32> for Value {
    fn from(i: i32) -> Value {
        Value::Int(i64::from(i))
    }
}
impl From<u16> for Value {
    fn from(i: u16) -> Value {
        Value::Int(i64::from(i))
    }
}
impl From<u32> for Value {
    fn from(i: u32) -> Value {
        Value::Int(i64::from(i))
    }
}
impl From<usize> for Value {
    fn from(i: usize) -> Value {
        Value::Int(i64::try_from(i).unwrap_or(i64::MAX))
    }
}
impl From<f64> for Value {
    fn from(f: f64) -> Value {
        Value::Float(f)
    }
}
impl From<Map> for Value {
    fn from(m: Map) -> Value {
        Value::Map(Rc::new(m))
    }
}
impl From<Vec<Value>> for Value {
    fn from(l: Vec<Value>) -> Value {
        Value::list(l)
    }
}
impl From<&Value> for Value {
    fn from(v: &Value) -> Value {
        v.clone()
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}
impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Value {
        Value::list(items.into_iter().collect())
    }
}
impl<K: Into<Key>> FromIterator<(K, Value)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Value {
        Value::from(Map::from_entries(
            entries.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        ))
    }
}

/// Builds a map: `obj! { "kind": "Pod", "metadata": obj! { "name": name } }`. Values are anything
/// that `Value: From` takes.
#[macro_export]
macro_rules! obj {
    () => { $crate::value::Value::map() };
    ($($key:literal : $value:expr),+ $(,)?) => {
        $crate::value::Value::of_fields(&[$($key),+], [$($crate::value::Value::from($value)),+])
    };
}

/// Builds a list: `list!["a", 1, obj! {}]`.
#[macro_export]
macro_rules! list {
    ($($value:expr),* $(,)?) => { $crate::value::Value::list(vec![$($crate::value::Value::from($value)),*]) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_copy_only_the_path() {
        let old = obj! { "metadata": obj! { "name": "web" }, "spec": obj! { "containers": list![obj! { "image": "nginx" }] } };
        let mut new = old.clone();
        new.set(&["metadata", "labels", "app"], "web");
        assert!(new.get("spec").same(old.get("spec")));
        assert_eq!(old.at(&["metadata", "labels"]), &Value::Null);
        assert_eq!(new.str_at(&["metadata", "labels", "app"]), "web");
        assert_eq!(new.remove(&["metadata", "labels", "nothing"]), None);
        new.remove(&["metadata", "labels"]);
        assert_eq!(new, old);
    }

    #[test]
    fn weighs_no_more_than_it_must() {
        let text = |n: usize| Value::from("x".repeat(n));
        for (value, bytes) in [
            (Value::Null, 4),
            (text(10), 12),
            (list![1, "ab"], 12),
            (obj! { "key": text(10), "l": list![] }, 28),
        ] {
            assert!(
                value.is_within(bytes) && !value.is_within(bytes - 1),
                "{}",
                value.to_json()
            );
        }
        let mut doubled = text(1);
        for _ in 0..100 {
            doubled = list![doubled.clone(), doubled];
        }
        assert!(!doubled.is_within(1_000_000));
    }

    #[test]
    fn share_with_shares_equal_subtrees() {
        let old = obj! { "a": obj! { "x": "text", "l": list![1, 2] }, "b": 1 };
        let mut new = obj! { "a": obj! { "x": "text", "l": list![1, 2] }, "b": 2 };
        assert!(!new.share_with(&old));
        assert!(new.get("a").same(old.get("a")));
        let mut equal = obj! { "a": obj! { "x": "text", "l": list![1, 2] }, "b": 1 };
        assert!(equal.share_with(&old));
        assert!(equal.same(&old));
    }

    #[test]
    fn keys_are_sorted_and_the_last_of_equals_wins() {
        let v = Value::from_iter([("b", Value::from(1)), ("a", Value::from(2)), ("b", Value::from(3))]);
        assert_eq!(v.to_json(), r#"{"a":2,"b":3}"#);
    }
}
