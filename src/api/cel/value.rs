//! CEL's values, and how the values of a schema become them.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;

use super::authority::{Check, Decision, Stage};
use super::check::{AUTHORIZER, RESOURCE_CHECK};
use super::formats::{Format, Semver};
use super::types::{Type, of_schema};
use crate::api::quantity::Quantity;
use crate::sim::Time;
use crate::value::{Value, base64, duration, gofmt, quoted};

/// A value.
#[derive(Clone, Debug)]
pub enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    /// Nanoseconds since 1970.
    Timestamp(i128),
    /// Nanoseconds.
    Duration(i128),
    List(Rc<List>),
    Map(Rc<Vec<(Val, Val)>>),
    /// An object with its schema; the flag as in [`Type::Object`].
    Object(Value, Value, bool),
    Optional(Option<Rc<Val>>),
    Quantity(Quantity),
    Ip(IpAddr),
    Cidr(IpAddr, u8),
    Url(Rc<str>),
    Type(Rc<str>),
    Semver(Rc<Semver>),
    Format(&'static Format),
    Check(Rc<Check>),
    Decision(Rc<Decision>),
    /// An object that an expression made, by the name of its type.
    Message(Rc<str>, Rc<Fields>),
}

/// The fields of an object that an expression made.
pub type Fields = Vec<(Rc<str>, Val)>;

/// A list, and how its items are told apart.
#[derive(Debug, Default)]
pub struct List {
    /// The items in their order.
    pub items: Vec<Val>,
    /// How its items are told apart.
    pub kind: ListKind,
}

/// `x-kubernetes-list-type`: sets and maps compare without order, and their sums have no doubles.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ListKind {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

impl Val {
    /// A list like any other.
    pub fn list(items: Vec<Val>) -> Val {
        Val::List(Rc::new(List {
            items,
            kind: ListKind::Atomic,
        }))
    }

    /// The value of a schema as rules see it.
    pub fn of(value: &Value, schema: &Value, whole: bool) -> Val {
        match (of_schema(schema, whole), value) {
            (_, Value::Null) => Val::Null,
            (Some(Type::Timestamp), Value::Str(text)) => {
                let long = if text.len() == 10 {
                    format!("{text}T00:00:00Z")
                } else {
                    text.to_string()
                };
                timestamp(&long).map_or(Val::Str(text.clone()), Val::Timestamp)
            }
            (Some(Type::Duration), Value::Str(text)) => {
                duration::parse(text).map_or(Val::Str(text.clone()), |nanos| Val::Duration(nanos.into()))
            }
            (Some(Type::Bytes), Value::Str(text)) => {
                base64::decode(text).map_or(Val::Str(text.clone()), |b| Val::Bytes(b.into()))
            }
            (Some(Type::Double), Value::Int(i)) => Val::Double(*i as f64),
            (_, Value::Bool(b)) => Val::Bool(*b),
            (_, Value::Int(i)) => Val::Int(*i),
            (Some(Type::Int), Value::Float(f)) if f.fract() == 0.0 => Val::Int(*f as i64),
            (_, Value::Float(f)) => Val::Double(*f),
            (_, Value::Str(text)) => Val::Str(text.clone()),
            (_, Value::List(items)) => {
                let inner = schema.get("items");
                let keys = schema.get("x-kubernetes-list-map-keys").items();
                let kind = match schema.get("x-kubernetes-list-type").str() {
                    "set" => ListKind::Set,
                    "map" => ListKind::Map(keys.iter().map(|k| k.str().to_owned()).collect()),
                    _ => ListKind::Atomic,
                };
                Val::List(Rc::new(List {
                    items: items.iter().map(|v| Val::of(v, inner, false)).collect(),
                    kind,
                }))
            }
            (Some(Type::Map(..)), Value::Map(_)) => {
                let inner = schema.get("additionalProperties");
                let entries = value
                    .entries()
                    .map(|(k, v)| (Val::Str(k.as_str().into()), Val::of(v, inner, false)));
                Val::Map(Rc::new(entries.collect()))
            }
            (Some(Type::Object(schema, whole)), Value::Map(_)) => Val::Object(value.clone(), schema, whole),
            (_, Value::Map(_)) => {
                let entries = value
                    .entries()
                    .map(|(k, v)| (Val::Str(k.as_str().into()), Val::of(v, &Value::Null, false)));
                Val::Map(Rc::new(entries.collect()))
            }
        }
    }

    /// The type as CEL's `type()` names it.
    pub fn type_name(&self) -> &str {
        match self {
            Val::Null => "null_type",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint",
            Val::Double(_) => "double",
            Val::Str(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::Timestamp(_) => "google.protobuf.Timestamp",
            Val::Duration(_) => "google.protobuf.Duration",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Object(..) => "object",
            Val::Optional(_) => "optional_type",
            Val::Quantity(_) => "kubernetes.Quantity",
            Val::Ip(_) => "net.IP",
            Val::Cidr(..) => "net.CIDR",
            Val::Url(_) => "kubernetes.URL",
            Val::Type(_) => "type",
            Val::Semver(_) => "kubernetes.Semver",
            Val::Format(_) => "kubernetes.NamedFormat",
            Val::Check(check) => match check.stage {
                Stage::Start => AUTHORIZER,
                Stage::Path => "kubernetes.authorization.PathCheck",
                Stage::Group => "kubernetes.authorization.GroupCheck",
                Stage::Resource => RESOURCE_CHECK,
            },
            Val::Decision(_) => "kubernetes.authorization.Decision",
            Val::Message(name, _) => name,
        }
    }

    /// The tree of a value, which a patch holds.
    ///
    /// # Errors
    /// What has no form in JSON.
    pub fn to_value(&self) -> Result<Value, String> {
        let no = || Err(format!("type conversion error from '{}' to JSON", self.type_name()));
        Ok(match self {
            Val::Null => Value::Null,
            Val::Bool(b) => (*b).into(),
            Val::Int(i) => (*i).into(),
            Val::Uint(u) => match i64::try_from(*u) {
                Ok(i) => i.into(),
                Err(_) => Value::Float(*u as f64),
            },
            Val::Double(d) if d.fract() == 0.0 && d.abs() < 9e15 => (*d as i64).into(),
            Val::Double(d) => Value::Float(*d),
            Val::Str(s) => Value::Str(s.clone()),
            Val::Bytes(b) => base64::encode(b).into(),
            Val::Timestamp(_) | Val::Duration(_) => self.text().map_or(Value::Null, Value::from),
            Val::List(list) => {
                let items: Result<Vec<Value>, String> = list.items.iter().map(Val::to_value).collect();
                Value::list(items?)
            }
            Val::Map(entries) => {
                let mut map = Value::map();
                for (key, value) in entries.iter() {
                    let Val::Str(key) = key else {
                        let shown = key.text().unwrap_or_default();
                        return Err(format!(
                            "map key {shown} is of type {}, not string",
                            key.type_name(),
                            shown = quoted(&shown)
                        ));
                    };
                    map.map_mut().insert(&**key, value.to_value()?);
                }
                map
            }
            Val::Object(value, ..) => value.clone(),
            Val::Message(_, fields) => {
                let mut map = Value::map();
                for (name, value) in fields.iter() {
                    let value = value
                        .to_value()
                        .map_err(|why| format!("fail to convert field {name}: {why}", name = quoted(&name)))?;
                    map.map_mut().insert(&**name, value);
                }
                map
            }
            _ => return no(),
        })
    }

    /// What is wrong with the names of the types in an object that an expression made: each must be the path
    /// of the field that it stands at. Lists and maps between do not count.
    pub fn misnamed(&self, path: &str, wrong: &mut Vec<String>) {
        match self {
            Val::Message(name, fields) => {
                if **name != *path {
                    wrong.push(format!(
                        "unexpected type name {}, expected {}, which matches field name path from root Object type",
                        gofmt::quote(name),
                        gofmt::quote(path)
                    ));
                }
                for (field, value) in fields.iter() {
                    value.misnamed(&format!("{path}.{field}"), wrong);
                }
            }
            Val::List(list) => list.items.iter().for_each(|v| v.misnamed(path, wrong)),
            Val::Map(entries) => entries.iter().for_each(|(_, v)| v.misnamed(path, wrong)),
            _ => {}
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Val::Int(i) => Some(*i as f64),
            Val::Uint(u) => Some(*u as f64),
            Val::Double(d) => Some(*d),
            _ => None,
        }
    }

    /// Equality; numbers of different kinds compare by what they are.
    pub fn equal(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Int(a), Val::Int(b)) => a == b,
            (Val::Str(a), Val::Str(b)) | (Val::Type(a), Val::Type(b)) | (Val::Url(a), Val::Url(b)) => a == b,
            (Val::Bytes(a), Val::Bytes(b)) => a == b,
            (Val::Timestamp(a), Val::Timestamp(b)) | (Val::Duration(a), Val::Duration(b)) => a == b,
            (Val::Quantity(a), Val::Quantity(b)) => a == b,
            (Val::Ip(a), Val::Ip(b)) => a == b,
            (Val::Cidr(a, n), Val::Cidr(b, m)) => a == b && n == m,
            (Val::Object(a, ..), Val::Object(b, ..)) => a == b,
            (Val::Semver(a), Val::Semver(b)) => a.compare(b) == Ordering::Equal,
            (Val::Format(a), Val::Format(b)) => a.name() == b.name(),
            (Val::Message(a, x), Val::Message(b, y)) => {
                let same = |(k, v): &(Rc<str>, Val)| y.iter().any(|(l, w)| k == l && v.equal(w));
                a == b && x.len() == y.len() && x.iter().all(same)
            }
            (Val::Optional(a), Val::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equal(b),
                (None, None) => true,
                _ => false,
            },
            (Val::List(a), Val::List(b)) => {
                a.items.len() == b.items.len()
                    && if a.kind == ListKind::Atomic {
                        a.items.iter().zip(&b.items).all(|(x, y)| x.equal(y))
                    } else {
                        a.items.iter().all(|x| b.items.iter().any(|y| x.equal(y)))
                    }
            }
            (Val::Map(a), Val::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(l, w)| k.equal(l) && v.equal(w)))
            }
            (a, b) => matches!((a.number(), b.number()), (Some(x), Some(y)) if x == y),
        }
    }

    /// Order; `None` for what has none.
    pub fn compare(&self, other: &Val) -> Option<Ordering> {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
            (Val::Uint(a), Val::Uint(b)) => Some(a.cmp(b)),
            (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
            (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
            (Val::Timestamp(a), Val::Timestamp(b)) | (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
            (Val::Quantity(a), Val::Quantity(b)) => Some(a.cmp(b)),
            (a, b) => a.number()?.partial_cmp(&b.number()?),
        }
    }

    /// The text of `string(…)`; `None` for what has none.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Val::Bool(b) => b.to_string(),
            Val::Int(i) => i.to_string(),
            Val::Uint(u) => u.to_string(),
            Val::Double(d) => gofmt::float(*d, 'g'),
            Val::Str(s) | Val::Url(s) | Val::Type(s) => s.to_string(),
            Val::Bytes(b) => String::from_utf8(b.to_vec()).ok()?,
            Val::Timestamp(t) => timestamp_text(*t),
            Val::Duration(d) => {
                let seconds = *d as f64 / 1e9;
                format!("{}s", gofmt::float(seconds, 'f'))
            }
            Val::Quantity(q) => q.to_string(),
            Val::Ip(ip) => ip.to_string(),
            Val::Cidr(ip, bits) => format!("{ip}/{bits}"),
            _ => return None,
        })
    }
}

/// RFC 3339, in nanoseconds since 1970.
pub fn timestamp(text: &str) -> Option<i128> {
    let time = Time::parse(text)?;
    Some(i128::from(time.as_secs()) * 1_000_000_000)
}

fn timestamp_text(nanos: i128) -> String {
    let seconds = u64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(0);
    Time::from_secs(seconds).to_string()
}
