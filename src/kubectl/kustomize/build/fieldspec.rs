//! Field specs: which field of which kinds a transformer changes, and how it is found.

use super::error::{Error, Result, fail};
use super::nodes::{node_kind, wrong_kind};
use super::resid::{Gvk, ResId};
use crate::value::Value;

/// A field of some kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSpec {
    /// Empty parts match any.
    pub gvk: Gvk,
    /// Names with `/` between them (`\/` for one in a name); `[]` behind a list's.
    pub path: String,
    /// Whether the field is made where there is none.
    pub create: bool,
}

/// What a missing field is made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// It is not made.
    Nothing,
    Scalar,
    Map,
}

impl FieldSpec {
    /// A spec of any kind.
    pub fn any(path: &str, create: bool) -> FieldSpec {
        FieldSpec {
            path: path.to_owned(),
            create,
            ..FieldSpec::default()
        }
    }

    /// A spec as users write it: `{group, version, kind, path, create}`.
    pub fn from_value(value: &Value) -> FieldSpec {
        FieldSpec {
            gvk: gvk_of(value),
            path: value.str_at(&["path"]).to_owned(),
            create: value.bool_at(&["create"]),
        }
    }

    /// Adds specs that are not there yet.
    pub fn merge(list: &mut Vec<FieldSpec>, more: &[FieldSpec]) {
        for spec in more {
            if !list.iter().any(|s| s.gvk == spec.gvk && s.path == spec.path) {
                list.push(spec.clone());
            }
        }
    }
}

/// Group, version and kind of a selector.
pub fn gvk_of(value: &Value) -> Gvk {
    let part = |name: &str| value.str_at(&[name]).to_owned();
    Gvk {
        group: part("group"),
        version: part("version"),
        kind: part("kind"),
    }
}

/// What changes the value at the end of a path.
pub type Setter<'a> = &'a mut dyn FnMut(&mut Value) -> Result<()>;

/// Calls `set` with every value of an object that a spec leads to.
///
/// # Errors
/// When the path leads through a scalar, or `set` fails.
pub fn apply(object: &mut Value, spec: &FieldSpec, create: Create, set: Setter<'_>) -> Result<()> {
    let gvk = Gvk::new(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
    if !gvk.is_selected(&spec.gvk) {
        return Ok(());
    }
    let create = if spec.create { create } else { Create::Nothing };
    let parts = split(&spec.path, '/');
    walk(object, &parts, create, set).map_err(|e| {
        let id = ResId {
            gvk,
            name: object.str_at(&["metadata", "name"]).to_owned(),
            namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
        };
        e.within(format!("considering field '{}' of object {id}", spec.path))
    })
}

/// As [`apply`], for all specs in turn.
///
/// # Errors
/// As [`apply`].
pub fn apply_all(object: &mut Value, specs: &[FieldSpec], create: Create, set: Setter<'_>) -> Result<()> {
    specs.iter().try_for_each(|s| apply(object, s, create, set))
}

fn walk(value: &mut Value, path: &[String], create: Create, set: Setter<'_>) -> Result<()> {
    let Some((first, rest)) = path.split_first() else {
        return set(value);
    };
    match value {
        Value::Null => Ok(()),
        Value::List(_) => value
            .list_mut()
            .iter_mut()
            .try_for_each(|item| walk(item, path, create, set))
            .map_err(|e| e.within(format!("visit traversal on path: [{}]", path.join(" ")))),
        Value::Map(map) => {
            let name = first.strip_suffix("[]").unwrap_or(first);
            // A list is not made.
            let make = create != Create::Nothing && name == first;
            let there = map.get(name);
            if !make && there.is_none_or(Value::is_null) {
                return Ok(());
            }
            let made = if rest.is_empty() && create == Create::Scalar {
                Value::from("")
            } else {
                Value::map()
            };
            let missing = there.is_none_or(Value::is_null);
            let field = value.map_mut().entry(name);
            if missing {
                *field = made;
            }
            walk(field, rest, create, set)
        }
        _ => fail("expected sequence or mapping node"),
    }
}

/// Sets a value to a text.
///
/// # Errors
/// When it is no scalar.
pub fn set_text(value: &mut Value, text: &str) -> Result<()> {
    match value {
        Value::Map(_) | Value::List(_) => Err(Error::said(wrong_kind("ScalarNode", node_kind(value), value))),
        _ => {
            *value = Value::from(text);
            Ok(())
        }
    }
}

/// Sets a field of a map to a text.
///
/// # Errors
/// When the value is no map.
pub fn set_entry(value: &mut Value, key: &str, text: &str) -> Result<()> {
    match value {
        Value::Map(_) => {
            value.map_mut().insert(key, Value::from(text));
            Ok(())
        }
        _ => Err(Error::said(wrong_kind("MappingNode", node_kind(value), value))),
    }
}

/// A path's parts; a backslash before the delimiter keeps it in the part.
pub fn split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split(delimiter) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml;

    #[test]
    fn paths() {
        for (object, path, create, want) in [
            ("a: {b: 1}", "a/b", Create::Nothing, "a:\n  b: x\n"),
            ("a: {}", "a/b", Create::Scalar, "a:\n  b: x\n"),
            ("a: {}", "a/b/c", Create::Scalar, "a:\n  b:\n    c: x\n"),
            ("a: {}", "a/b", Create::Nothing, "a: {}\n"),
            (
                "a: [{b: 1}, {c: 1}]",
                "a[]/b",
                Create::Scalar,
                "a:\n- b: x\n- b: x\n  c: 1\n",
            ),
            ("a: [{b: 1}]", "a/b", Create::Nothing, "a:\n- b: x\n"),
            ("b: 1", "a[]/b", Create::Scalar, "b: 1\n"),
            ("a: null", "a/b", Create::Scalar, "a:\n  b: x\n"),
            ("a: null", "a/b", Create::Nothing, "a: null\n"),
            ("a: {x/y: 1}", "a/x\\/y", Create::Nothing, "a:\n  x/y: x\n"),
            (
                "a: 1",
                "a/b",
                Create::Scalar,
                "considering field 'a/b' of object [noKind].[noVer].[noGrp]/[noName].[noNs]: expected sequence or mapping node",
            ),
            (
                "a: {b: {c: 1}}",
                "a/b",
                Create::Scalar,
                "considering field 'a/b' of object [noKind].[noVer].[noGrp]/[noName].[noNs]: wrong node kind: expected \
                 ScalarNode but got MappingNode: node contents:\nc: 1\n",
            ),
        ] {
            let mut value = yaml::decode(object).unwrap();
            let spec = FieldSpec::any(path, true);
            let got = match apply(&mut value, &spec, create, &mut |v| set_text(v, "x")) {
                Ok(()) => yaml::to_yaml(&value),
                Err(e) => e.to_string(),
            };
            assert_eq!(got, want, "{object} {path}");
        }
    }
}
