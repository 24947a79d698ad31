//! Replacements: a field's value copied into fields of other resources.

use super::error::{Error, Result, fail};
use super::nodes::node_kind;
use super::path;
use super::resource::{ResMap, text};
use super::transform::{Selector, id_of};
use crate::value::{Value, gofmt, gojson, yaml};

const DEFAULT_PATH: &str = "metadata.name";

/// Makes all of a list of replacements.
///
/// # Errors
/// kustomize's sentence, when a source is not one field of one resource, or a target's field is missing.
pub fn apply(map: &mut ResMap, all: &[Value]) -> Result<()> {
    for r in all {
        if (!r.has("source") && !r.has("sourceValue")) || !r.has("targets") {
            return fail("replacements must specify a source and at least one target");
        }
        let value = source(map, r)?;
        for target in r.get("targets").items() {
            into(map, &value, target)?;
        }
    }
    Ok(())
}

/// A selector as kustomize prints it.
fn shown(source: &Value) -> String {
    let mut parts = vec![id_of(source).to_string()];
    if !source.str_at(&["fieldPath"]).is_empty() {
        parts.push(source.str_at(&["fieldPath"]).to_owned());
    }
    let options = source.get("options");
    let (delimiter, create) = (options.str_at(&["delimiter"]), options.bool_at(&["create"]));
    if !delimiter.is_empty() || create {
        let index = options.i64_at(&["index"]).unwrap_or(0);
        parts.push(format!("{delimiter}({index}), create={create}"));
    }
    parts.join(":")
}

fn source(map: &ResMap, r: &Value) -> Result<Value> {
    if r.has("source") && r.has("sourceValue") {
        return fail("value and resource selectors are mutually exclusive");
    }
    if r.has("sourceValue") {
        return Ok(r.get("sourceValue").clone());
    }
    let source = r.get("source");
    let wanted = id_of(source);
    let found = map.find(|id| id.is_selected_by(&wanted));
    let resource = match found.as_slice() {
        [one] => map.list.get(*one),
        [] => return fail(format!("nothing selected by {}", shown(source))),
        _ => return fail(format!("multiple matches for selector {}", shown(source))),
    };
    let field = match source.str_at(&["fieldPath"]) {
        "" => DEFAULT_PATH,
        given => given,
    };
    let object = resource.map(|r| &r.value).cloned().unwrap_or_default();
    let value = path::lookup(&object, &path::split(field))
        .map_err(|e| e.within("error looking up replacement source"))?
        .filter(|v| {
            !v.is_null() && !matches!(v, Value::Map(m) if m.is_empty()) && !matches!(v, Value::List(l) if l.is_empty())
        })
        .filter(|v| v.as_str() != Some(""));
    let Some(value) = value else {
        return fail(format!(
            "fieldPath `{field}` is missing for replacement source {wanted}"
        ));
    };
    let options = source.get("options");
    let delimiter = options.str_at(&["delimiter"]);
    if delimiter.is_empty() {
        return Ok(value.clone());
    }
    let whole = scalar(value)?;
    let index = options.i64_at(&["index"]).unwrap_or(0);
    let part = usize::try_from(index).ok().and_then(|i| whole.split(delimiter).nth(i));
    match part {
        Some(part) => Ok(Value::from(part)),
        None => fail(format!("options.index {index} is out of bounds for value {whole}")),
    }
}

fn scalar(value: &Value) -> Result<String> {
    if node_kind(value) == "ScalarNode" {
        Ok(text(value))
    } else {
        fail("delimiter option can only be used with scalar nodes")
    }
}

fn into(map: &mut ResMap, value: &Value, target: &Value) -> Result<()> {
    if !target.has("select") {
        return fail("target must specify resources to select");
    }
    let compile = |v: &Value| Selector::new(v).map_err(|e| e.within("error creating target selector"));
    let select = compile(target.get("select"))?;
    let rejects: Vec<Selector> = target
        .get("reject")
        .items()
        .iter()
        .map(compile)
        .collect::<Result<_>>()?;
    for r in &mut map.list {
        if !r.fits("labels", &select.labels)? || !r.fits("annotations", &select.annotations)? {
            continue;
        }
        let mut rejected = false;
        for reject in &rejects {
            if reject.labels.is_empty() && reject.annotations.is_empty() {
                continue;
            }
            rejected |= r.fits("labels", &reject.labels)? && r.fits("annotations", &reject.annotations)?;
        }
        let ids = r.all_ids();
        let named = |s: &Selector, strict: bool| {
            let given = s.id != Default::default();
            (given || !strict)
                && ids.iter().any(|id| {
                    s.fits_gvk(&id.gvk) && s.name.fits(&id.name) && s.namespace.fits(id.effective_namespace())
                })
        };
        if rejected || rejects.iter().any(|s| named(s, true)) || !named(&select, false) {
            continue;
        }
        let options = target.get("options");
        let paths: Vec<&str> = match target.get("fieldPaths").items() {
            [] => vec![DEFAULT_PATH],
            given => given.iter().map(Value::str).collect(),
        };
        for field in paths {
            set(&mut r.value, field, value, options)?;
        }
    }
    Ok(())
}

fn set(object: &mut Value, field: &str, value: &Value, options: &Value) -> Result<()> {
    let parts = path::split(field);
    let create = options.bool_at(&["create"]);
    if inside_text(object, &parts, value, create) {
        return Ok(());
    }
    let missing = || {
        let or = if create { "find or create" } else { "find" };
        format!("unable to {or} field {} in replacement target", gofmt::quote(field))
    };
    let mut failed: Option<Error> = None;
    let count = path::each(object, &parts, create.then_some(value), &mut |place| {
        if let Err(e) = put(place, value, options) {
            failed = Some(e);
        }
        Ok(())
    })
    .map_err(|e| e.within(missing()))?;
    if let Some(e) = failed {
        return Err(e);
    }
    if count == 0 { fail(missing()) } else { Ok(()) }
}

/// Puts a value into a field: a scalar there keeps its type.
fn put(place: &mut Value, value: &Value, options: &Value) -> Result<()> {
    let delimiter = options.str_at(&["delimiter"]);
    let mut new = value.clone();
    if !delimiter.is_empty() {
        let old = scalar(place)?;
        let mut parts: Vec<String> = old.split(delimiter).map(str::to_owned).collect();
        let index = options.i64_at(&["index"]).unwrap_or(0);
        match usize::try_from(index) {
            Err(_) => parts.insert(0, text(value)),
            Ok(i) => match parts.get_mut(i) {
                Some(part) => *part = text(value),
                None => parts.push(text(value)),
            },
        }
        new = Value::from(parts.join(delimiter));
    }
    let to_scalar = node_kind(place) == "ScalarNode" && !place.is_null();
    if to_scalar && node_kind(&new) == "ScalarNode" {
        *place = match place {
            Value::Str(_) => Value::from(text(&new)),
            // A number or boolean reads the text as one, if it is one.
            _ => yaml::decode_core(&text(&new)).unwrap_or(new),
        };
    } else {
        *place = new;
    }
    Ok(())
}

/// A path that leads into a text which is JSON or YAML itself changes that text. Whether it did.
fn inside_text(object: &mut Value, parts: &[String], value: &Value, create: bool) -> bool {
    for i in 1..parts.len() {
        let (outer, inner) = parts.split_at(i);
        let Ok(Some(Value::Str(held))) = path::lookup(object, outer) else {
            continue;
        };
        let held = held.clone();
        let Ok(mut data) = yaml::decode_core(&held) else {
            return false;
        };
        if data.as_map().is_none() && data.as_list().is_none() {
            return false;
        }
        let set = path::each(&mut data, inner, create.then_some(value), &mut |place| {
            put(place, value, &Value::Null)
        });
        if !matches!(set, Ok(n) if n > 0) {
            return false;
        }
        let trimmed = held.trim();
        let new = if !trimmed.starts_with(['{', '[']) {
            yaml::to_yaml(&data).trim().to_owned()
        } else if held.contains('\n') && held.contains("  ") {
            gojson::indented(&data, "  ", true)
        } else {
            gojson::compact(&data, true)
        };
        let done = path::each(object, outer, None, &mut |place| {
            *place = Value::from(new.as_str());
            Ok(())
        });
        return matches!(done, Ok(n) if n > 0);
    }
    false
}
