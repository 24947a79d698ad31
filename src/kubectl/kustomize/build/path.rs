//! Field paths of replacements: `spec.containers.[name=web].image`, `data.*`, `list.0`.

use super::error::{Error, Result, fail};
use super::nodes::{node_kind, wrong_kind};
use super::resource::text;
use crate::value::Value;

/// A path's parts: a part in brackets may hold dots.
pub fn split(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for part in super::fieldspec::split(path, '.') {
        let part = match open.take() {
            Some(before) => format!("{before}.{part}"),
            None => part,
        };
        if part.starts_with('[') && !part.ends_with(']') {
            open = Some(part);
        } else {
            parts.push(unbracket(part));
        }
    }
    parts.extend(open);
    parts
}

/// Brackets around what is no `key=value` only keep its dots together.
fn unbracket(part: String) -> String {
    match part.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
        Some(inner) if !inner.contains('=') => inner.to_owned(),
        _ => part,
    }
}

/// Key and value of `[key=value]`.
fn entry(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn expect(value: &Value, wanted: &str) -> Result<()> {
    if node_kind(value) == wanted {
        return Ok(());
    }
    Err(Error::said(wrong_kind(wanted, node_kind(value), value)))
}

/// The value at a path, if there is one.
///
/// # Errors
/// When the path leads through something of another shape.
pub fn lookup<'a>(value: &'a Value, path: &[String]) -> Result<Option<&'a Value>> {
    let mut at = value;
    for part in path {
        if at.is_null() {
            return Ok(None);
        }
        let next = if let Some((key, wanted)) = entry(part) {
            expect(at, "SequenceNode")?;
            at.items().iter().find(|i| matches(i, key, wanted))
        } else if part == "-" {
            expect(at, "SequenceNode")?;
            at.items().last()
        } else if let (Value::List(items), Ok(i)) = (at, part.parse::<usize>()) {
            items.get(i)
        } else {
            expect(at, "MappingNode")?;
            at.as_map().and_then(|m| m.get(part))
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn matches(item: &Value, key: &str, wanted: &str) -> bool {
    if key.is_empty() {
        return text(item) == wanted;
    }
    item.has(key) && text(item.get(key)) == wanted
}

/// Calls `set` with every value that a path leads to, making what is missing when `create` gives what
/// to make at the end. Returns how many there were.
///
/// # Errors
/// When the path leads through something of another shape, or `set` fails.
pub fn each(
    value: &mut Value,
    path: &[String],
    create: Option<&Value>,
    set: &mut dyn FnMut(&mut Value) -> Result<()>,
) -> Result<usize> {
    let Some((part, rest)) = path.split_first() else {
        set(value)?;
        return Ok(1);
    };
    if part == "*" {
        let mut count = 0;
        match value {
            Value::List(_) => {
                for item in value.list_mut() {
                    count += each(item, rest, create, set)?;
                }
            }
            Value::Map(_) => {
                for (_, item) in value.map_mut().iter_mut() {
                    count += each(item, rest, create, set)?;
                }
            }
            _ => {
                return fail(format!(
                    "wrong node kind: expected MappingNode or SequenceNode but got {}",
                    node_kind(value)
                ));
            }
        }
        return Ok(count);
    }
    // What a new field begins as: a list for a list's item, and so on.
    let empty = |rest: &[String]| match rest.first() {
        None => match create {
            Some(Value::Map(_)) => Value::map(),
            Some(Value::List(_)) => Value::list(Vec::new()),
            _ => Value::from(""),
        },
        Some(next) if entry(next).is_some() || next.parse::<usize>().is_ok() => Value::list(Vec::new()),
        Some(_) => Value::map(),
    };
    if let Some((key, wanted)) = entry(part) {
        if value.is_null() && create.is_some() {
            *value = Value::list(Vec::new());
        }
        expect(value, "SequenceNode")?;
        let there = value.items().iter().any(|i| matches(i, key, wanted));
        if !there {
            if create.is_none() {
                return Ok(0);
            }
            let mut made = empty(rest);
            if key.is_empty() {
                made = Value::from(wanted);
            } else {
                made.map_mut().insert(key, Value::from(wanted));
            }
            value.list_mut().push(made);
        }
        let mut count = 0;
        for item in value.list_mut().iter_mut().filter(|i| matches(i, key, wanted)) {
            count += each(item, rest, create, set)?;
        }
        return Ok(count);
    }
    if let (Value::List(items), Ok(i)) = (&*value, part.parse::<usize>()) {
        if i > items.len() || (i == items.len() && create.is_none()) {
            return fail(format!("index {i} specified but only {} elements found", items.len()));
        }
        let list = value.list_mut();
        if i == list.len() {
            list.push(empty(rest));
        }
        return match list.get_mut(i) {
            Some(item) => each(item, rest, create, set),
            None => Ok(0),
        };
    }
    expect(value, "MappingNode")?;
    let there = !value.get(part).is_null();
    if !there && create.is_none() {
        // A field that is there and null can be set, but not walked through.
        if !value.has(part) || !rest.is_empty() {
            return Ok(0);
        }
    }
    let field = value.map_mut().entry(part);
    if !there && create.is_some() {
        *field = empty(rest);
    }
    each(field, rest, create, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml;

    #[test]
    fn parts() {
        for (path, want) in [
            ("a.b", "a|b"),
            ("metadata.annotations.[a.b/c]", "metadata|annotations|a.b/c"),
            ("metadata.annotations.a\\.b/c", "metadata|annotations|a.b/c"),
            ("c.[name=x.y].image", "c|[name=x.y]|image"),
        ] {
            assert_eq!(split(path).join("|"), want);
        }
    }

    #[test]
    fn setting() {
        for (object, path, create, want) in [
            ("a: {b: 1}", "a.b", false, "a:\n  b: X\n"),
            ("a: {b: 1}", "a.c", false, "none"),
            ("a: {b: 1}", "a.c.d", true, "a:\n  b: 1\n  c:\n    d: X\n"),
            ("l: [{k: a}, {k: b}]", "l.[k=b].i", true, "l:\n- k: a\n- i: X\n  k: b\n"),
            ("l: [{k: a}]", "l.[k=c].i", true, "l:\n- k: a\n- i: X\n  k: c\n"),
            ("l: [1, 2]", "l.*", false, "l:\n- X\n- X\n"),
            ("l: [1, 2]", "l.1", false, "l:\n- 1\n- X\n"),
            ("l: [1, 2]", "l.5", false, "index 5 specified but only 2 elements found"),
            (
                "l: [1]",
                "l.a",
                false,
                "wrong node kind: expected MappingNode but got SequenceNode: node contents:\n- 1\n",
            ),
        ] {
            let mut value = yaml::decode(object).unwrap();
            let made = Value::from("");
            let got = match each(&mut value, &split(path), create.then_some(&made), &mut |v| {
                *v = Value::from("X");
                Ok(())
            }) {
                Ok(0) => "none".into(),
                Ok(_) => yaml::to_yaml(&value),
                Err(e) => e.to_string(),
            };
            assert_eq!(got, want, "{object} {path}");
        }
    }
}
