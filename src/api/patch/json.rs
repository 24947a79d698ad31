//! JSON patch (RFC 6902), with the answers of the API server when it does not fit.

use super::strategic::json_kind;
use crate::api::status::Status;
use crate::limits;
use crate::value::{Value, gofmt, quoted};

/// How many operations a patch may have (`maxJSONPatchOperations`).
const OPERATIONS: usize = 10_000;

/// The sentence of a patch that is well formed and cannot be applied.
fn rejected() -> Status {
    Status::failure(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
    )
    .with_empty_details()
}

/// Applies a patch.
///
/// # Errors
/// 400 for what is no patch, 413 for too many operations, 422 for operations that do not fit or copy more than
/// [`limits::JSON_PATCH_COPY_BYTES`].
pub fn apply(old: &Value, patch: &Value) -> Result<Value, Status> {
    let Some(operations) = patch.as_list() else {
        return Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
            json_kind(patch)
        )));
    };
    if operations.len() > OPERATIONS {
        return Err(Status::failure(
            413,
            "RequestEntityTooLarge",
            format!(
                "The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
                operations.len()
            ),
        ));
    }
    let (mut value, mut copied) = (old.clone(), 0);
    for operation in operations {
        if operation.as_map().is_none() {
            return Err(Status::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type handlers.jsonPatchOp",
                json_kind(operation)
            )));
        }
        one(&mut value, operation, &mut copied).ok_or_else(rejected)?;
    }
    Ok(value)
}

/// Why one operation of a patch does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A `test` of this path.
    #[error("testing value {0} failed: test failed")]
    Test(String),
    #[error("{0}")]
    Other(String),
}

/// Applies the operations of a patch that a policy made, whose failures are told in the words of the library
/// (evanphx/json-patch).
///
/// # Errors
/// The first operation that does not fit.
pub fn apply_each(old: &Value, operations: &[Value]) -> Result<Value, Unfit> {
    let (mut value, mut copied) = (old.clone(), 0);
    for operation in operations {
        if one(&mut value, operation, &mut copied).is_none() {
            let limit = limits::JSON_PATCH_COPY_BYTES;
            return Err(if copied > limit {
                Unfit::Other(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the \
                     limit {limit}"
                ))
            } else {
                unfit(&value, operation)
            });
        }
    }
    Ok(value)
}

/// Why an operation does not fit.
fn unfit(value: &Value, operation: &Value) -> Unfit {
    let (op, path) = (operation.get("op").str(), operation.get("path").str());
    let parts = pointer(path);
    let holder = parts.as_deref().and_then(|p| match p {
        [parents @ .., _] => find(value, parents),
        [] => Some(value),
    });
    let key = parts.as_deref().and_then(<[String]>::last).map_or("", String::as_str);
    let index = |what: &str, key: &str| match key.parse::<i64>() {
        Ok(n) => format!("{what}Unable to access invalid index: {n}: invalid index referenced"),
        Err(_) => format!(
            "{what}value was not a proper array index: {}: strconv.Atoi: parsing {}: invalid syntax",
            gofmt::quote(key),
            gofmt::quote(key)
        ),
    };
    Unfit::Other(match (op, holder) {
        ("test", Some(_)) => return Unfit::Test(path.to_owned()),
        ("move" | "copy", _) => {
            let from = operation.get("from").str();
            let parts = pointer(from).unwrap_or_default();
            match parts.split_last().map(|(key, parents)| (key, find(value, parents))) {
                Some((key, Some(holder))) if find(value, &parts).is_none() => {
                    let what = match op {
                        "copy" => format!("error in copy for from: '{from}': "),
                        _ => format!("error in move for path: '{key}': "),
                    };
                    match holder {
                        Value::List(_) => index(&what, key),
                        _ => format!("{what}unable to get nonexistent key: {key}: missing value"),
                    }
                }
                Some((_, None)) => {
                    format!("{op} operation does not apply: doc is missing from path: {from}: missing value")
                }
                _ => format!("{op} operation does not apply: doc is missing destination path: {path}: missing value"),
            }
        }
        ("add" | "remove", None) => {
            format!(
                "{op} operation does not apply: doc is missing path: {path}: missing value",
                path = quoted(&path)
            )
        }
        ("replace", None) => format!("replace operation does not apply: doc is missing path: {path}: missing value"),
        ("test", None) => format!("test operation does not apply: is missing path: {path}: missing value"),
        ("add", Some(Value::List(_))) => index(&format!("error in add for path: '{path}': "), key),
        ("remove", Some(Value::List(_))) => index(&format!("error in remove for path: '{path}': "), key),
        ("remove", Some(_)) => {
            format!("error in remove for path: '{path}': unable to remove nonexistent key: {key}: missing value")
        }
        ("replace", Some(_)) => format!("replace operation does not apply: doc is missing key: {path}: missing value"),
        (op, _) => format!("Unexpected kind: {op}"),
    })
}

fn pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let rest = text.strip_prefix('/')?;
    Some(
        rest.split('/')
            .map(|p| p.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// Applies one operation. `copied` counts the bytes of JSON that were copied so far: a copy of the whole into a part
/// of itself doubles it.
fn one(value: &mut Value, operation: &Value, copied: &mut usize) -> Option<()> {
    let path = pointer(operation.get("path").as_str()?)?;
    match operation.get("op").str() {
        "add" => add(value, &path, operation.get("value").clone()),
        "remove" => remove(value, &path).map(|_| ()),
        "replace" => {
            if path.is_empty() {
                *value = operation.get("value").clone();
                return Some(());
            }
            *find_mut(value, &path)? = operation.get("value").clone();
            Some(())
        }
        "move" => {
            let from = pointer(operation.get("from").as_str()?)?;
            let moved = remove(value, &from)?;
            add(value, &path, moved)
        }
        "copy" => {
            let from = pointer(operation.get("from").as_str()?)?;
            let copy = find(value, &from)?.clone();
            *copied += copy.to_json().len();
            if *copied > limits::JSON_PATCH_COPY_BYTES {
                return None;
            }
            add(value, &path, copy)
        }
        "test" => {
            let wanted = operation.get("value");
            match find(value, &path) {
                Some(got) => (got == wanted).then_some(()),
                None => wanted.is_null().then_some(()),
            }
        }
        _ => None,
    }
}

/// The place of an index in a list; a negative one counts from the end, as the server's library does.
fn index(text: &str, len: usize) -> Option<usize> {
    if text.starts_with('+') || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    let n: i64 = text.parse().ok()?;
    let n = if n < 0 { n + i64::try_from(len).ok()? } else { n };
    usize::try_from(n).ok()
}

fn find<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, part| match v {
        Value::Map(map) => map.get(part),
        Value::List(list) => list.get(index(part, list.len())?),
        _ => None,
    })
}

fn find_mut<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    find(value, path)?;
    path.iter().try_fold(value, |v, part| match v {
        Value::Map(_) => v.map_mut().get_mut(part),
        Value::List(_) => {
            let list = v.list_mut();
            let i = index(part, list.len())?;
            list.get_mut(i)
        }
        _ => None,
    })
}

fn add(value: &mut Value, path: &[String], new: Value) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *value = new;
        return Some(());
    };
    let parent = find_mut(value, parents)?;
    match parent {
        Value::Map(_) => {
            parent.map_mut().insert(last.as_str(), new);
            Some(())
        }
        Value::List(_) => {
            let list = parent.list_mut();
            let i = if last == "-" {
                list.len()
            } else {
                index(last, list.len())?
            };
            if i > list.len() {
                return None;
            }
            list.insert(i, new);
            Some(())
        }
        _ => None,
    }
}

fn remove(value: &mut Value, path: &[String]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let parent = find_mut(value, parents)?;
    match parent {
        Value::Map(_) => parent.map_mut().remove(last),
        Value::List(_) => {
            let list = parent.list_mut();
            let i = index(last, list.len())?;
            (i < list.len()).then(|| list.remove(i))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_end_at_a_limit() {
        let doc = Value::from_json(r#"{"a":"0123456789"}"#).unwrap();
        let patch: Vec<String> = (0..40)
            .map(|i| format!(r#"{{"op":"copy","from":"","path":"/c{i}"}}"#))
            .collect();
        let patch = Value::from_json(&format!("[{}]", patch.join(","))).unwrap();
        assert_eq!(apply(&doc, &patch).unwrap_err().code(), 422);
        let why = apply_each(&doc, patch.items()).unwrap_err().to_string();
        let words = "Unable to complete the copy, the accumulated size increase of copy is ";
        assert!(
            why.starts_with(words) && why.ends_with(", exceeding the limit 3145728"),
            "{why}"
        );
        assert!(apply(&doc, &Value::list(patch.items().iter().take(10).cloned().collect())).is_ok());
    }

    #[test]
    fn operations() {
        let json = |s: &str| Value::from_json(s).unwrap();
        let doc = json(r#"{"a":{"b/c":1},"l":[1,2]}"#);
        for (patch, want) in [
            (
                r#"[{"op":"replace","path":"/a/b~1c","value":2}]"#,
                r#"{"a":{"b/c":2},"l":[1,2]}"#,
            ),
            (
                r#"[{"op":"add","path":"/l/-","value":3}]"#,
                r#"{"a":{"b/c":1},"l":[1,2,3]}"#,
            ),
            (
                r#"[{"op":"add","path":"/l/0","value":0}]"#,
                r#"{"a":{"b/c":1},"l":[0,1,2]}"#,
            ),
            (
                r#"[{"op":"move","from":"/l","path":"/m"}]"#,
                r#"{"a":{"b/c":1},"m":[1,2]}"#,
            ),
            (
                r#"[{"op":"copy","from":"/l/1","path":"/a/x"}]"#,
                r#"{"a":{"b/c":1,"x":2},"l":[1,2]}"#,
            ),
            (
                r#"[{"op":"test","path":"/l/1","value":2},{"op":"remove","path":"/l/0"}]"#,
                r#"{"a":{"b/c":1},"l":[2]}"#,
            ),
        ] {
            assert_eq!(apply(&doc, &json(patch)).unwrap().to_json(), want, "{patch}");
        }
        for bad in [
            r#"[{"op":"remove","path":"/x"}]"#,
            r#"[{"op":"replace","path":"/x/y","value":1}]"#,
            r#"[{"op":"add","path":"/l/9","value":1}]"#,
            r#"[{"op":"add","path":"l","value":1}]"#,
            r#"[{"op":"sing","path":"/l","value":1}]"#,
            r#"[{"op":"test","path":"/l/1","value":7}]"#,
        ] {
            assert_eq!(apply(&doc, &json(bad)).unwrap_err().code(), 422, "{bad}");
        }
        assert_eq!(
            apply(&doc, &json("{}")).unwrap_err().message(),
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        );
    }
}
