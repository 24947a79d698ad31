//! Vars, the older way to copy a field's value: `$(NAME)` in some fields.

use super::error::{Result, fail};
use super::fieldspec::{self, Create, FieldSpec};
use super::path;
use super::resid::{Gvk, ResId};
use super::resource::{ResMap, text};
use crate::value::Value;

/// A var's target.
fn target(var: &Value) -> ResId {
    let of = var.get("objref");
    let api_version = match of.str_at(&["apiVersion"]) {
        "" => match (of.str_at(&["group"]), of.str_at(&["version"])) {
            ("", version) => version.to_owned(),
            (group, version) => format!("{group}/{version}"),
        },
        given => given.to_owned(),
    };
    ResId {
        gvk: Gvk::new(&api_version, of.str_at(&["kind"])),
        name: of.str_at(&["name"]).to_owned(),
        namespace: of.str_at(&["namespace"]).to_owned(),
    }
}

/// Notes in which resources the vars of a kustomization have their values.
///
/// # Errors
/// When several resources could be meant, or a name is there already.
pub fn collect(map: &mut ResMap, known: &mut Vec<Value>, vars: &[Value]) -> Result<()> {
    for var in vars {
        let wanted = target(var);
        let anywhere = wanted.namespace.is_empty() && !wanted.gvk.is_cluster_scoped();
        let fits =
            |id: &ResId| id.gvk == wanted.gvk && id.name == wanted.name && (anywhere || id.same_namespace(&wanted));
        let found: Vec<usize> = (0..map.list.len())
            .filter(|i| map.list.get(*i).is_some_and(|r| fits(&r.original_id())))
            .collect();
        match found.as_slice() {
            [] => {}
            [one] => {
                if let Some(r) = map.list.get_mut(*one) {
                    r.vars.push(var.str_at(&["name"]).to_owned());
                }
            }
            many => {
                return fail(format!(
                    "found {} resId matches for var {} (unable to disambiguate)",
                    many.len(),
                    var.to_json()
                ));
            }
        }
    }
    merge(known, vars)
}

/// Joins lists of vars.
///
/// # Errors
/// When both have one of a name.
pub fn merge(known: &mut Vec<Value>, more: &[Value]) -> Result<()> {
    for var in more {
        let name = var.str_at(&["name"]);
        if known.iter().any(|k| k.str_at(&["name"]) == name) {
            return fail(format!("var '{name}' already encountered"));
        }
        known.push(var.clone());
    }
    Ok(())
}

/// Replaces `$(NAME)` everywhere that `specs` lead to.
///
/// # Errors
/// When a var has no value.
pub fn resolve(map: &mut ResMap, vars: &[Value], specs: &[FieldSpec]) -> Result<()> {
    let mut values: Vec<(String, Value)> = Vec::new();
    for var in vars {
        let name = var.str_at(&["name"]);
        let Some(r) = map.list.iter().find(|r| r.vars.iter().any(|v| v == name)) else {
            return fail(format!(
                "var '{}' cannot be mapped to a field in the set of known resources",
                var.to_json()
            ));
        };
        let field = match var.str_at(&["fieldref", "fieldPath"]) {
            "" => "metadata.name",
            given => given,
        };
        let parts = path::split(&field.replace('[', ".").replace(']', ""));
        match path::lookup(&r.value, &parts) {
            Ok(Some(value)) => values.push((name.to_owned(), value.clone())),
            _ => {
                return fail(format!(
                    "field specified in var '{}' not found in corresponding resource",
                    var.to_json()
                ));
            }
        }
    }
    if values.is_empty() {
        return Ok(());
    }
    let put = |value: &mut Value| {
        if let Value::Str(old) = value {
            *value = expand(old, &values);
        }
    };
    for r in &mut map.list {
        fieldspec::apply_all(&mut r.value, specs, Create::Nothing, &mut |value| {
            match value {
                Value::Map(_) => value.map_mut().iter_mut().for_each(|(_, v)| put(v)),
                Value::List(_) => {
                    for item in value.list_mut() {
                        if item.as_str().is_none() {
                            return fail("invalid value type expect a string");
                        }
                        put(item);
                    }
                }
                _ => put(value),
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// A text with its vars replaced; a text that is one var has that one's type. `$$` is a dollar.
fn expand(input: &str, values: &[(String, Value)]) -> Value {
    let find = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    if let Some(value) = input
        .strip_prefix("$(")
        .and_then(|i| i.strip_suffix(')'))
        .and_then(find)
        && value.as_map().is_none()
        && value.as_list().is_none()
    {
        return value.clone();
    }
    let mut out = String::new();
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            match find(name) {
                Some(value) => out.push_str(&text(value)),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Value::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansion() {
        let values = [("A".to_owned(), Value::from(8)), ("B".to_owned(), Value::from("x"))];
        for (input, want) in [
            ("$(A)", Value::from(8)),
            ("p$(A):$(B)", Value::from("p8:x")),
            ("$$(A) $(C) $", Value::from("$(A) $(C) $")),
            ("$(A", Value::from("$(A")),
        ] {
            assert_eq!(expand(input, &values), want, "{input}");
        }
    }
}
