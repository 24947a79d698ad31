//! Texts to resources, as kyaml's reader takes them apart.

use super::error::{Error, Result, fail};
use super::resource::{Resource, text};
use crate::limits;
use crate::value::{Value, gofmt, yaml};

/// The resources in a text; the items of lists stand for their list.
///
/// # Errors
/// When a document is no YAML, or lacks its kind or name.
pub fn resources(input: &str) -> Result<Vec<Resource>> {
    let mut pending: std::collections::VecDeque<Value> = read(input)?.into();
    let mut found = Vec::new();
    while let Some(value) = pending.pop_front() {
        if found.len() + pending.len() > limits::KUSTOMIZE_RESOURCES {
            return fail(too_many());
        }
        let kind = value.str_at(&["kind"]);
        if !kind.ends_with("List") {
            found.push(Resource::new(value));
            continue;
        }
        match value.get("items") {
            Value::Null => {}
            Value::List(items) => {
                for item in items.iter() {
                    if check(item)? {
                        pending.push_back(item.clone());
                    }
                }
            }
            other => {
                let is = match other {
                    Value::Map(_) => "map[string]interface {}",
                    Value::Str(_) => "string",
                    Value::Bool(_) => "bool",
                    Value::Float(_) => "float64",
                    _ => "int",
                };
                return fail(format!("expected array in {kind}/items, but found {is}"));
            }
        }
    }
    Ok(found)
}

/// The sentence of a build that is larger than what is built here.
pub fn too_many() -> String {
    format!(
        "this kustomization has more than {} resources, which is the most that is built here",
        limits::KUSTOMIZE_RESOURCES
    )
}

/// The documents of a text that hold something.
fn read(input: &str) -> Result<Vec<Value>> {
    if input.len() > limits::MANIFEST_BYTES {
        return fail(format!(
            "the file is larger than {} bytes, which is the most that is read here",
            limits::MANIFEST_BYTES
        ));
    }
    let input = input.replace("\r\n", "\n");
    let mut values = Vec::new();
    for document in split(&input)? {
        let value = yaml::decode_core(document).map_err(|e| Error::Malformed(format!("MalformedYAMLError: {e}")))?;
        if check(&value)? {
            values.push(value);
        }
    }
    Ok(values)
}

/// The documents between lines that begin with `---`.
fn split(input: &str) -> Result<Vec<&str>> {
    let mut documents = Vec::new();
    let (mut from, mut search) = (0, 0);
    while let Some(at) = input.get(search..).and_then(|s| s.find("\n---")).map(|i| i + search) {
        let Some(end) = input.get(at + 1..).and_then(|s| s.find('\n')).map(|i| i + at + 1) else {
            break;
        };
        let line = input.get(at + 1..end).unwrap_or_default();
        let after = line.get(3..).unwrap_or_default().trim();
        if !after.is_empty() && !after.starts_with('#') {
            return fail(format!("invalid document separator: {}", line.trim()));
        }
        // All but the last keep their last line break.
        documents.push(input.get(from..=at).unwrap_or_default());
        from = end + 1;
        // A separator's own line break does not begin the next one.
        search = from;
    }
    documents.push(input.get(from..).unwrap_or_default());
    Ok(documents)
}

/// Whether a document holds anything.
///
/// # Errors
/// When it does but is no resource.
fn check(value: &Value) -> Result<bool> {
    if value.is_null() || value.as_map().is_some_and(|m| m.is_empty()) {
        return Ok(false);
    }
    if value.as_map().is_none() {
        // Metadata is looked for in maps only.
        let is = match value {
            Value::List(_) => "SequenceNode",
            _ => "ScalarNode",
        };
        return fail(wrong_kind("MappingNode", is, value));
    }
    let kind = value.str_at(&["kind"]);
    if kind.is_empty() {
        return fail(format!("missing kind in object {}", meta(value)));
    }
    if !kind.ends_with("List") && value.at(&["metadata", "name"]).is_empty() {
        return fail(format!("missing metadata.name in object {}", meta(value)));
    }
    if let Some(path) = null_item(value, "") {
        return fail(format!("empty item at {path} in object {}", yaml::to_yaml(value)));
    }
    Ok(true)
}

/// kyaml's sentence for a node of another kind than the one wanted.
pub fn wrong_kind(wanted: &str, is: &str, value: &Value) -> String {
    format!(
        "wrong node kind: expected {wanted} but got {is}: node contents:\n{}",
        yaml::to_yaml(value)
    )
}

/// kyaml's name for what a value is.
pub fn node_kind(value: &Value) -> &'static str {
    match value {
        Value::Map(_) => "MappingNode",
        Value::List(_) => "SequenceNode",
        _ => "ScalarNode",
    }
}

/// Go's print of a resource's metadata.
fn meta(value: &Value) -> String {
    let texts = |field: &str| -> Value {
        value
            .at(&["metadata", field])
            .entries()
            .map(|(k, v)| (k.clone(), Value::from(text(v))))
            .collect()
    };
    format!(
        "{{{{{} {}}} {{{{{} {}}} {} {}}}}}",
        value.str_at(&["apiVersion"]),
        value.str_at(&["kind"]),
        value.str_at(&["metadata", "name"]),
        value.str_at(&["metadata", "namespace"]),
        gofmt::display(&texts("labels")),
        gofmt::display(&texts("annotations")),
    )
}

/// The path of a list that has an empty item.
fn null_item(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Map(map) => map.iter().find_map(|(k, v)| null_item(v, &format!("{path}/{k}"))),
        Value::List(items) => items.iter().enumerate().find_map(|(i, v)| {
            if v.is_null() {
                Some(path.to_owned())
            } else {
                null_item(v, &format!("{path}[{i}]"))
            }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        for (input, want) in [
            (
                "kind: A\nmetadata: {name: a}\n--- # next\nkind: B\nmetadata: {name: b}\n",
                "a b",
            ),
            ("---\nkind: A\nmetadata: {name: a}\n---\n# nothing\n---\n", "a"),
            (
                "kind: List\nitems:\n- kind: A\n  metadata: {name: a}\n- kind: AList\n  items: []\n",
                "a",
            ),
            ("{\"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}", "a"),
            ("kind: A\n---x\n", "invalid document separator: ---x"),
            (
                "kind: A\napiVersion: v1\n",
                "missing metadata.name in object {{v1 A} {{ } map[] map[]}}",
            ),
            (
                "apiVersion: v1\nmetadata: {name: a, labels: {x: 1}}\n",
                "missing kind in object {{v1 } {{a } map[x:1] map[]}}",
            ),
            (
                "kind: XList\nitems: 7\n",
                "expected array in XList/items, but found int",
            ),
            (
                "a: b: c",
                "MalformedYAMLError: yaml: mapping values are not allowed in this context",
            ),
            (
                "- 1\n",
                "wrong node kind: expected MappingNode but got SequenceNode: node contents:\n- 1\n",
            ),
        ] {
            let got = match resources(input) {
                Ok(all) => all.iter().map(Resource::name).collect::<Vec<_>>().join(" "),
                Err(e) => e.to_string(),
            };
            assert_eq!(got, want, "{input}");
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let all =
            resources("kind: A\nmetadata: {name: a}\na: yes\nb: 2020-01-02\nc: 010\nd: 1.10\ne: True\nf: ~\n").unwrap();
        assert_eq!(
            all[0].value.to_json(),
            r#"{"a":"yes","b":"2020-01-02T00:00:00Z","c":8,"d":1.1,"e":true,"f":null,"kind":"A","metadata":{"name":"a"}}"#
        );
    }
}
