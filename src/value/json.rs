//! JSON in and out of [`Value`], through serde.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use super::key::intern;
use super::{Key, Map, Value};
use crate::limits;

/// Why a text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[from] serde_json::Error);

impl JsonError {
    /// Whether the text ended too early.
    pub fn is_eof(&self) -> bool {
        self.0.is_eof()
    }
    /// Line of the error, from 1.
    pub fn line(&self) -> usize {
        self.0.line()
    }
    /// Column of the error, from 1.
    pub fn column(&self) -> usize {
        self.0.column()
    }
}

impl Value {
    /// Reads one JSON value. Of duplicate keys the last wins.
    pub fn from_json(text: &str) -> Result<Value, JsonError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Compact JSON, as Go's `json.Marshal` writes it but without its escapes for HTML.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => s.serialize_unit(),
            Value::Bool(b) => s.serialize_bool(*b),
            Value::Int(i) => s.serialize_i64(*i),
            // Go writes a whole float64 without a fraction.
            Value::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => s.serialize_i64(*f as i64),
            Value::Float(f) => s.serialize_f64(*f),
            Value::Str(t) => s.serialize_str(t),
            Value::List(l) => {
                let mut seq = s.serialize_seq(Some(l.len()))?;
                for item in l.iter() {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Value::Map(m) => {
                let mut map = s.serialize_map(Some(m.len()))?;
                for (k, v) in m.iter() {
                    map.serialize_entry(k.as_str(), v)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Value, D::Error> {
        Seed { depth: 0 }.deserialize(d)
    }
}

#[derive(Clone, Copy)]
struct Seed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        if self.depth > limits::VALUE_DEPTH {
            return Err(de::Error::custom("exceeded max depth"));
        }
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }
    fn visit_u64<E>(self, i: u64) -> Result<Value, E> {
        Ok(i64::try_from(i).map_or(Value::Float(i as f64), Value::Int))
    }
    fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
        Ok(Value::Float(f))
    }
    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::Str(intern_short(s)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed { depth: self.depth + 1 })? {
            items.push(item);
        }
        Ok(Value::list(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Key, Value)> = Vec::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let value = map.next_value_seed(Seed { depth: self.depth + 1 })?;
            entries.push((Key::from(&*key), value));
        }
        Ok(Value::from(Map::from_entries(entries)))
    }
}

/// Texts of at most this length are interned when read: `True`, `TCP`, `IfNotPresent`, ….
const INTERN: usize = 16;

fn intern_short(s: &str) -> std::rc::Rc<str> {
    if s.len() <= INTERN { intern(s) } else { s.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_depth() {
        let v = Value::from_json(r#"{"a":1,"b":1.5,"c":2.0,"d":18446744073709551615,"e":"x"}"#).unwrap();
        assert_eq!(
            v.to_json(),
            r#"{"a":1,"b":1.5,"c":2,"d":1.8446744073709552e+19,"e":"x"}"#
        );
        let deep = "[".repeat(limits::VALUE_DEPTH + 10) + &"]".repeat(limits::VALUE_DEPTH + 10);
        assert!(Value::from_json(&deep).is_err());
        assert!(Value::from_json(r#"{"a": "#).unwrap_err().is_eof());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn round_trip(v in any_value()) {
            prop_assert_eq!(Value::from_json(&v.to_json()).unwrap(), v);
        }
    }
}
