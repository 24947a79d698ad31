//! JSON patches of kustomizations, with the sentences of the Go library that kustomize uses
//! (evanphx/json-patch v4). The API server's own words for the same are fewer.

use super::error::{Error, Result, fail};
use crate::value::{Value, quoted};

/// Whether a value has the form of a patch: a list of maps.
pub fn is_patch(value: &Value) -> bool {
    value.items().iter().all(|o| o.as_map().is_some()) && matches!(value, Value::List(_) | Value::Null)
}

/// Applies a patch.
///
/// # Errors
/// The library's sentence.
pub fn apply(object: &Value, patch: &Value) -> Result<Value> {
    let mut value = object.clone();
    for operation in patch.items() {
        one(&mut value, operation).map_err(Error::said)?;
    }
    Ok(value)
}

type Outcome<T> = std::result::Result<T, String>;

const MISSING: &str = "missing value";

fn parts(path: &str) -> Vec<String> {
    path.split('/')
        .map(|p| p.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn number(key: &str) -> Outcome<i64> {
    key.parse()
        .map_err(|_| format!("strconv.Atoi: parsing {key}: invalid syntax", key = quoted(&key)))
}

/// A place in a list of this length; a negative one counts from its end.
fn place(key: &str, length: usize) -> Outcome<usize> {
    let n = number(key)?;
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if n < 0 { n + length } else { n };
    if (0..length).contains(&at) {
        Ok(usize::try_from(at).unwrap_or(0))
    } else {
        Err(format!("Unable to access invalid index: {n}: invalid index referenced"))
    }
}

fn get<'a>(container: &'a Value, key: &str) -> Outcome<&'a Value> {
    match container {
        Value::List(items) => {
            let at = place(key, items.len())?;
            items.get(at).ok_or_else(|| MISSING.to_owned())
        }
        Value::Map(map) => map
            .get(key)
            .ok_or_else(|| format!("unable to get nonexistent key: {key}: {MISSING}")),
        _ => Err(MISSING.to_owned()),
    }
}

/// The container that a path's last part is in, and that part.
fn container<'a>(value: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let parts = parts(path);
    let (key, above) = parts.split_last()?;
    let mut at = value;
    // The first part is what stands before the first slash; without a slash there is no container.
    let (_, above) = above.split_first()?;
    for part in above {
        get(at, part).ok().filter(|v| !v.is_null())?;
        at = match at {
            Value::List(_) => {
                let list = at.list_mut();
                let i = place(part, list.len()).ok()?;
                list.get_mut(i)?
            }
            Value::Map(_) => at.map_mut().get_mut(part)?,
            _ => return None,
        };
    }
    matches!(at, Value::Map(_) | Value::List(_)).then(|| (at, key.clone()))
}

fn add(container: &mut Value, key: &str, new: Value) -> Outcome<()> {
    let Value::List(_) = container else {
        container.map_mut().insert(key, new);
        return Ok(());
    };
    let list = container.list_mut();
    if key == "-" {
        list.push(new);
        return Ok(());
    }
    number(key).map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
    let at = place(key, list.len() + 1)?;
    list.insert(at, new);
    Ok(())
}

fn remove(container: &mut Value, key: &str) -> Outcome<Value> {
    match container {
        Value::List(_) => {
            let list = container.list_mut();
            let at = place(key, list.len())?;
            Ok(list.remove(at))
        }
        _ => container
            .map_mut()
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}")),
    }
}

fn one(value: &mut Value, operation: &Value) -> Outcome<()> {
    let op = operation.get("op").as_str().unwrap_or("unknown");
    let text = |field: &str| {
        operation
            .get(field)
            .as_str()
            .ok_or_else(|| format!("{op} operation failed to decode {field}: {MISSING}"))
    };
    let new = || operation.get("value").clone();
    match op {
        "add" => {
            let path = text("path")?;
            let (at, key) = container(value, path).ok_or_else(|| {
                format!(
                    "add operation does not apply: doc is missing path: {path}: {MISSING}",
                    path = quoted(&path)
                )
            })?;
            add(at, &key, new()).map_err(|e| format!("error in add for path: '{path}': {e}"))
        }
        "remove" => {
            let path = text("path")?;
            let (at, key) = container(value, path).ok_or_else(|| {
                format!(
                    "remove operation does not apply: doc is missing path: {path}: {MISSING}",
                    path = quoted(&path)
                )
            })?;
            remove(at, &key)
                .map(|_| ())
                .map_err(|e| format!("error in remove for path: '{path}': {e}"))
        }
        "replace" => {
            let path = text("path")?;
            if path.is_empty() {
                *value = new();
                return Ok(());
            }
            let (at, key) = container(value, path)
                .ok_or_else(|| format!("replace operation does not apply: doc is missing path: {path}: {MISSING}"))?;
            if get(at, &key).is_err() {
                return Err(format!(
                    "replace operation does not apply: doc is missing key: {path}: {MISSING}"
                ));
            }
            match at {
                Value::List(_) => {
                    let list = at.list_mut();
                    let i = place(&key, list.len())?;
                    if let Some(slot) = list.get_mut(i) {
                        *slot = new();
                    }
                }
                _ => {
                    at.map_mut().insert(key.as_str(), new());
                }
            }
            Ok(())
        }
        "move" => {
            let from = text("from")?;
            let (at, key) = container(value, from)
                .ok_or_else(|| format!("move operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
            let moved = remove(at, &key).map_err(|e| format!("error in move for path: '{from}': {e}"))?;
            let path = text("path")?;
            let (at, key) = container(value, path).ok_or_else(|| {
                format!("move operation does not apply: doc is missing destination path: {path}: {MISSING}")
            })?;
            add(at, &key, moved).map_err(|e| format!("error in move for path: '{path}': {e}"))
        }
        "copy" => {
            let from = text("from")?;
            let (at, key) = container(value, from)
                .ok_or_else(|| format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
            let copied = get(at, &key)
                .cloned()
                .map_err(|e| format!("error in copy for from: '{from}': {e}"))?;
            let path = text("path")?;
            let (at, key) = container(value, path).ok_or_else(|| {
                format!("copy operation does not apply: doc is missing destination path: {path}: {MISSING}")
            })?;
            add(at, &key, copied).map_err(|e| format!("error while adding value during copy: {e}"))
        }
        "test" => {
            let path = text("path")?;
            let failed = || Err(format!("testing value {path} failed: test failed"));
            if path.is_empty() {
                return if *value == new() { Ok(()) } else { failed() };
            }
            let (at, key) = container(value, path)
                .ok_or_else(|| format!("test operation does not apply: is missing path: {path}: {MISSING}"))?;
            let there = get(at, &key).cloned().unwrap_or_default();
            if there == new() { Ok(()) } else { failed() }
        }
        other => Err(format!("Unexpected kind: {other}")),
    }
}

/// Reads a patch from a text: JSON, or YAML.
///
/// # Errors
/// When it is no list of operations.
pub fn parse(text: &str) -> Result<Value> {
    if text.is_empty() {
        return fail("empty json patch operations");
    }
    let value = crate::value::yaml::decode(text).map_err(|e| Error::said(e.to_string()))?;
    if is_patch(&value) {
        return Ok(value);
    }
    let is = match &value {
        Value::Map(_) => "object into Go value of type jsonpatch.Patch",
        Value::Str(_) => "string into Go value of type jsonpatch.Patch",
        Value::Bool(_) => "bool into Go value of type jsonpatch.Patch",
        Value::List(_) => "value into Go value of type jsonpatch.Operation",
        _ => "number into Go value of type jsonpatch.Patch",
    };
    fail(format!("json: cannot unmarshal {is}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        let object = Value::from_json(r#"{"a":{"b/c":1},"l":[1,2]}"#).unwrap();
        for (patch, want) in [
            (
                "[{op: replace, path: /a/b~1c, value: 2}]",
                r#"{"a":{"b/c":2},"l":[1,2]}"#,
            ),
            ("- {op: add, path: /l/-, value: 3}", r#"{"a":{"b/c":1},"l":[1,2,3]}"#),
            ("- {op: add, path: /l/0, value: 0}", r#"{"a":{"b/c":1},"l":[0,1,2]}"#),
            ("- {op: remove, path: /l/-1}", r#"{"a":{"b/c":1},"l":[1]}"#),
            ("- {op: move, from: /l, path: /m}", r#"{"a":{"b/c":1},"m":[1,2]}"#),
            (
                "- {op: remove, path: /l/7}",
                "error in remove for path: '/l/7': Unable to access invalid index: 7: invalid index referenced",
            ),
            (
                "- {op: remove, path: /x}",
                "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
            ),
            (
                "- {op: remove, path: /x/y}",
                "remove operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                "- {op: replace, path: /x, value: 1}",
                "replace operation does not apply: doc is missing key: /x: missing value",
            ),
            (
                "- {op: add, path: /l/x, value: 1}",
                "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": \
                 invalid syntax",
            ),
            (
                "- {op: add, path: /x/y, value: 1}",
                "add operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                "- {op: test, path: /l/0, value: 9}",
                "testing value /l/0 failed: test failed",
            ),
            ("- {op: sing, path: /l}", "Unexpected kind: sing"),
        ] {
            let got = match parse(patch).and_then(|p| apply(&object, &p)) {
                Ok(v) => v.to_json(),
                Err(e) => e.to_string(),
            };
            assert_eq!(got, want, "{patch}");
        }
    }
}
