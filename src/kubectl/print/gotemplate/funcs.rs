//! The functions of templates: Go's own, and kubectl's `exists` and `base64decode`.

use std::rc::Rc;

use super::exec::{Val, type_name};
use super::printf;
use crate::kubectl::print::jsonpath::compare;
use crate::value::gofmt::query_escape;
use crate::value::{Value, base64, gofmt};

/// A function with how it takes its arguments.
pub(super) struct Function {
    pub fixed: usize,
    pub variadic: bool,
    /// The first argument has to be a text.
    pub text_first: bool,
    pub run: fn(Vec<Val>) -> Result<Val, String>,
}

pub(super) fn exists(name: &str) -> bool {
    find(name).is_some()
}

pub(super) fn find(name: &str) -> Option<Function> {
    let function = |fixed, variadic, run| Function {
        fixed,
        variadic,
        text_first: false,
        run,
    };
    Some(match name {
        "and" | "or" => function(1, true, |_| Ok(Val::default())),
        "base64decode" => Function {
            fixed: 1,
            variadic: false,
            text_first: true,
            run: base64decode,
        },
        "call" => function(1, true, call),
        "eq" => function(1, true, eq),
        "exists" => function(1, true, item_exists),
        "ge" => function(2, false, |a| compared(&a, |less, equal| !less || equal)),
        "gt" => function(2, false, |a| compared(&a, |less, equal| !less && !equal)),
        "html" => function(0, true, |a| Ok(Val::new(html(&joined(&a))))),
        "index" => function(1, true, index),
        "js" => function(0, true, |a| Ok(Val::new(js(&joined(&a))))),
        "le" => function(2, false, |a| compared(&a, |less, equal| less || equal)),
        "len" => function(1, false, len),
        "lt" => function(2, false, |a| compared(&a, |less, _| less)),
        "ne" => function(2, false, |a| {
            let equal = eq(a)?;
            Ok(Val::new(!equal.truth()))
        }),
        "not" => function(1, false, |a| Ok(Val::new(!a.first().is_some_and(Val::truth)))),
        "print" => function(0, true, |a| Ok(Val::new(printf::sprint(&a)))),
        "printf" => Function {
            fixed: 1,
            variadic: true,
            text_first: true,
            run: format,
        },
        "println" => function(0, true, |a| Ok(Val::new(printf::sprintln(&a)))),
        "slice" => function(1, true, slice),
        "urlquery" => function(0, true, |a| Ok(Val::new(query_escape(&joined(&a))))),
        _ => return None,
    })
}

/// The only text, or all arguments as `print` joins them.
fn joined(args: &[Val]) -> String {
    match args {
        [
            Val {
                value: Some(Value::Str(text)),
                ..
            },
        ] => text.to_string(),
        [Val { value: None, .. }] => "<no value>".to_owned(),
        _ => printf::sprint(args),
    }
}

fn format(args: Vec<Val>) -> Result<Val, String> {
    let mut args = args.into_iter();
    let template = args.next().and_then(|v| v.value).unwrap_or_default();
    let rest: Vec<Val> = args.collect();
    Ok(Val::new(printf::sprintf(template.str(), &rest)))
}

fn base64decode(args: Vec<Val>) -> Result<Val, String> {
    let text = args.into_iter().next().and_then(|v| v.value).unwrap_or_default();
    match base64::try_decode(text.str()) {
        Ok(bytes) => Ok(Val::new(String::from_utf8_lossy(&bytes).into_owned())),
        Err(at) => Err(format!("base64 decode failed: illegal base64 data at input byte {at}")),
    }
}

fn call(args: Vec<Val>) -> Result<Val, String> {
    match args.first() {
        Some(Val {
            value: Some(Value::Null) | None,
            ..
        })
        | None => Err("call of nil".to_owned()),
        Some(Val { value: Some(v), .. }) => Err(format!("non-function {} of type {}", gofmt::display(v), type_name(v))),
    }
}

fn eq(args: Vec<Val>) -> Result<Val, String> {
    let mut args = args.into_iter().map(|v| v.value.filter(|v| !v.is_null()));
    let first = args.next().flatten();
    let rest: Vec<Option<Value>> = args.collect();
    if rest.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in rest {
        let equal = match (&first, &other) {
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(a @ (Value::Map(_) | Value::List(_))), _) => {
                return Err(format!("non-comparable type {}: {}", gofmt::display(a), type_name(a)));
            }
            (Some(a), Some(b)) => compare::equal(a, b).map_err(|e| match b {
                Value::Map(_) | Value::List(_) => "incompatible types for comparison".to_owned(),
                _ => e.to_string(),
            })?,
        };
        if equal {
            return Ok(Val::new(true));
        }
    }
    Ok(Val::new(false))
}

fn compared(args: &[Val], decide: fn(bool, bool) -> bool) -> Result<Val, String> {
    let value = |i: usize| args.get(i).and_then(|v| v.value.clone()).unwrap_or_default();
    let (a, b) = (value(0), value(1));
    let less = compare::less(&a, &b).map_err(|e| e.to_string())?;
    let equal = compare::equal(&a, &b).map_err(|e| e.to_string())?;
    Ok(Val::new(decide(less, equal)))
}

fn len(args: Vec<Val>) -> Result<Val, String> {
    match args.into_iter().next().and_then(|v| v.value) {
        None => Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        Some(Value::Null) => Err("len of nil pointer".to_owned()),
        Some(Value::Str(s)) => Ok(Val::new(s.len())),
        Some(Value::List(l)) => Ok(Val::new(l.len())),
        Some(Value::Map(m)) => Ok(Val::new(m.len())),
        Some(other) => Err(format!("len of type {}", type_name(&other))),
    }
}

/// A place in a list of this length (`0..=most`).
fn place(index: &Val, most: usize) -> Result<usize, String> {
    match &index.value {
        Some(Value::Int(i)) => usize::try_from(*i)
            .ok()
            .filter(|i| *i <= most)
            .ok_or_else(|| format!("index out of range: {i}")),
        None | Some(Value::Null) => Err("cannot index slice/array with nil".to_owned()),
        Some(other) => Err(format!("cannot index slice/array with type {}", type_name(other))),
    }
}

fn index(args: Vec<Val>) -> Result<Val, String> {
    let mut args = args.into_iter();
    let mut item = args.next().unwrap_or_default();
    if item.value.as_ref().is_none_or(Value::is_null) {
        return Err("index of untyped nil".to_owned());
    }
    for at in args {
        item = match item.value {
            None | Some(Value::Null) => return Err("index of nil pointer".to_owned()),
            Some(Value::List(items)) => {
                let i = place(&at, items.len())?;
                match items.get(i) {
                    Some(found) => Val::element(found),
                    None => return Err(format!("index out of range: {i}")),
                }
            }
            Some(Value::Str(text)) => {
                let i = place(&at, text.len())?;
                match text.as_bytes().get(i) {
                    Some(byte) => Val::new(i64::from(*byte)),
                    None => return Err(format!("index out of range: {i}")),
                }
            }
            Some(Value::Map(map)) => match &at.value {
                Some(Value::Str(key)) => match map.get(key) {
                    Some(found) => Val::element(found),
                    None => Val {
                        value: Some(Value::Null),
                        interface: true,
                    },
                },
                None | Some(Value::Null) => return Err("value is nil; should be of type string".to_owned()),
                Some(other) => return Err(format!("value has type {}; should be string", type_name(other))),
            },
            Some(other) => return Err(format!("can't index item of type {}", type_name(&other))),
        };
    }
    Ok(item)
}

fn slice(args: Vec<Val>) -> Result<Val, String> {
    let mut args = args.into_iter();
    let item = args.next().and_then(|v| v.value);
    let places: Vec<Val> = args.collect();
    let length = match &item {
        None | Some(Value::Null) => return Err("slice of untyped nil".to_owned()),
        Some(Value::Str(text)) => {
            if places.len() == 3 {
                return Err("cannot 3-index slice a string".to_owned());
            }
            text.len()
        }
        Some(Value::List(items)) => items.len(),
        Some(other) => return Err(format!("can't slice item of type {}", type_name(other))),
    };
    if places.len() > 3 {
        return Err(format!("too many slice indexes: {}", places.len()));
    }
    let mut bounds = [0, length, length];
    for (bound, given) in bounds.iter_mut().zip(&places) {
        *bound = place(given, length)?;
    }
    let [from, to, most] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if places.len() == 3 && to > most {
        return Err(format!("invalid slice index: {to} > {most}"));
    }
    Ok(match item {
        Some(Value::List(items)) => Val::new(Value::List(Rc::new(items.get(from..to).unwrap_or_default().to_vec()))),
        Some(Value::Str(text)) => {
            let bytes = text.as_bytes().get(from..to).unwrap_or_default();
            Val::new(String::from_utf8_lossy(bytes).into_owned())
        }
        _ => Val::default(),
    })
}

fn item_exists(args: Vec<Val>) -> Result<Val, String> {
    let mut args = args.into_iter();
    let mut item = args.next().and_then(|v| v.value).unwrap_or_default();
    for at in args {
        let next = match (&item, &at.value) {
            (Value::List(items), Some(Value::Int(i))) => usize::try_from(*i).ok().and_then(|i| items.get(i)).cloned(),
            (Value::Str(text), Some(Value::Int(i))) => usize::try_from(*i)
                .ok()
                .and_then(|i| text.as_bytes().get(i))
                .map(|b| Value::from(i64::from(*b))),
            (Value::Map(map), Some(Value::Str(key))) => map.get(key).cloned(),
            _ => None,
        };
        item = match next {
            Some(next) => next,
            None => return Ok(Val::new(false)),
        };
    }
    Ok(Val::new(!item.is_null()))
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' => out.push_str("\\u003C"),
            '>' => out.push_str("\\u003E"),
            '&' => out.push_str("\\u0026"),
            '=' => out.push_str("\\u003D"),
            c if c < ' ' || !gofmt::printable(c) && (c as u32) < 0x10000 => {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out
}
