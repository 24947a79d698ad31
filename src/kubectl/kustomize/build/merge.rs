//! Strategic merge as kyaml does it (`merge2`): unlike the API server's, it puts new items of a keyed
//! list first and knows of the directives only `$patch`.

use std::rc::Rc;

use super::error::{Error, Result, fail};
use super::nodes::{node_kind, wrong_kind};
use super::resource::text;
use crate::api::schema::{self, Expr, Field, Type};
use crate::limits;
use crate::value::Value;

/// What is known of a value's structure.
#[derive(Clone, Default)]
enum Schema {
    #[default]
    Unknown,
    /// A map of this type.
    Of(Rc<Type>),
    /// What a field holds, and how its list merges.
    Field(Rc<Type>, Rc<str>),
    /// A list's or map's items.
    Inner(Expr),
}

impl Schema {
    fn known(&self) -> bool {
        !matches!(self, Schema::Unknown)
    }

    fn declared(&self) -> Option<&Field> {
        match self {
            Schema::Field(ty, name) => ty.field(name),
            _ => None,
        }
    }

    fn expr(&self) -> Option<&Expr> {
        match self {
            Schema::Inner(expr) => Some(expr),
            other => other.declared().map(|f| &f.expr),
        }
    }

    fn ty(&self) -> Option<Rc<Type>> {
        match self {
            Schema::Of(ty) => Some(ty.clone()),
            other => match other.expr()? {
                Expr::Ref(name) => schema::by_name(name),
                _ => None,
            },
        }
    }

    fn field(&self, name: &str) -> Schema {
        if let Some(Expr::Map(inner)) = self.expr() {
            return Schema::Inner((**inner).clone());
        }
        match self.ty() {
            Some(ty) if ty.field(name).is_some() => Schema::Field(ty, name.into()),
            _ => Schema::Unknown,
        }
    }

    fn items(&self) -> Schema {
        match self.expr() {
            Some(Expr::List(inner)) => Schema::Inner((**inner).clone()),
            _ => Schema::Unknown,
        }
    }

    /// Whether a list merges item by item, and by which fields: none for a list of scalars.
    fn keys(&self) -> Option<Vec<Rc<str>>> {
        let field = self.declared()?;
        if !field.patch_strategy.split(',').any(|s| s == "merge") {
            return None;
        }
        Some(match (field.list_map_keys.as_slice(), &*field.patch_merge_key) {
            ([], "") => Vec::new(),
            ([], key) => vec![key.into()],
            (keys, _) => keys.to_vec(),
        })
    }
}

/// The object with a patch merged into it; nothing when the patch deletes it.
///
/// # Errors
/// When a field of the patch has another shape than the object's.
pub fn merge(object: &Value, patch: &Value) -> Result<Option<Value>> {
    walk(Some(object), Some(patch), &Schema::Unknown, 0)
}

fn missing(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

fn walk(dest: Option<&Value>, patch: Option<&Value>, schema: &Schema, depth: usize) -> Result<Option<Value>> {
    if depth > limits::VALUE_DEPTH {
        return fail(format!("exceeded max depth of {}", limits::VALUE_DEPTH));
    }
    let mut found = Schema::Unknown;
    let mut schema = schema;
    if !schema.known() {
        // An object inside an object has a type of its own.
        for source in [dest, patch].into_iter().flatten() {
            let (version, kind) = (source.str_at(&["apiVersion"]), source.str_at(&["kind"]));
            if let Some(ty) = schema::by_kind(version, kind).filter(|_| !version.is_empty() && !kind.is_empty()) {
                found = Schema::Of(ty);
                break;
            }
        }
        schema = &found;
    }
    let Some(first) = [dest, patch].into_iter().flatten().find(|v| !v.is_null()) else {
        return Ok(None);
    };
    let kind = node_kind(first);
    for source in [dest, patch].into_iter().flatten() {
        if !source.is_null() && node_kind(source) != kind {
            return Err(Error::said(wrong_kind(kind, node_kind(source), source)));
        }
    }
    match first {
        Value::Map(_) => maps(dest, patch, schema, depth),
        Value::List(_) => match schema.keys() {
            Some(keys) => lists(dest, patch, &keys, schema, depth),
            None => Ok(patch.or(dest).filter(|v| !v.is_null()).cloned()),
        },
        _ => Ok(patch.or(dest).filter(|v| !v.is_null()).cloned()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(word: &Value) -> Result<Directive> {
    match word.str() {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        _ => fail(format!("unknown patch strategy '{}'", text(word))),
    }
}

/// The directive of a map, and the map without it.
fn of_map(patch: &Value) -> Result<(Directive, Value)> {
    match patch.get("$patch") {
        Value::Null => Ok((Directive::Merge, patch.clone())),
        word => {
            let mut rest = patch.clone();
            rest.remove(&["$patch"]);
            Ok((directive(word)?, rest))
        }
    }
}

/// The directive of a list, which is an item of its own, and the list without it.
fn of_list(patch: &Value) -> Result<(Directive, Value)> {
    let Some(item) = patch.items().iter().find(|i| i.has("$patch")) else {
        return Ok((Directive::Merge, patch.clone()));
    };
    let word = item.get("$patch");
    if item.as_map().is_some_and(|m| m.len() > 1) || word.is_null() {
        return Ok((Directive::Merge, patch.clone()));
    }
    let rest = patch
        .items()
        .iter()
        .filter(|i| i.get("$patch") != word)
        .cloned()
        .collect();
    Ok((directive(word)?, rest))
}

fn maps(dest: Option<&Value>, patch: Option<&Value>, schema: &Schema, depth: usize) -> Result<Option<Value>> {
    if patch.is_some_and(Value::is_null) && !missing(dest) {
        return Ok(None);
    }
    let (directive, patch) = match patch {
        Some(p) => {
            let (d, p) = of_map(p)?;
            (d, Some(p))
        }
        None => (Directive::Merge, None),
    };
    let dest = match (directive, dest) {
        (Directive::Delete, _) => return Ok(None),
        (Directive::Merge, Some(dest)) if !dest.is_null() => dest,
        // What is new, or replaces, is walked as if it were there already.
        _ => match &patch {
            Some(patch) => patch,
            None => return Ok(None),
        },
    };
    let mut merged = dest.clone();
    let names: crate::flat::FlatSet<&str> = dest
        .entries()
        .chain(patch.iter().flat_map(|p| p.entries()))
        .map(|(k, _)| k.as_str())
        .collect();
    for name in names {
        let theirs = patch.as_ref().and_then(|p| p.as_map()).and_then(|m| m.get(name));
        let mine = dest.as_map().and_then(|m| m.get(name));
        match walk(mine, theirs, &schema.field(name), depth + 1)? {
            Some(value) if !value.is_null() => {
                merged.map_mut().insert(name, value);
            }
            _ => {
                merged.remove(&[name]);
            }
        }
    }
    Ok(Some(merged))
}

/// The values of an item's keys, as texts; empty for one that is not there.
fn values(item: &Value, keys: &[Rc<str>]) -> Vec<String> {
    let one = |key: &Rc<str>| match item.get(key) {
        v if v.is_null() => String::new(),
        v => text(v),
    };
    keys.iter().map(one).collect()
}

/// Whether an item has these values of those keys that have one at all.
fn is(item: &Value, keys: &[Rc<str>], wanted: &[String]) -> bool {
    let all = keys.iter().zip(wanted);
    let mut given = all.filter(|(_, w)| !w.is_empty()).peekable();
    given.peek().is_some() && given.all(|(k, w)| item.has(k) && text(item.get(k)) == **w)
}

fn lists(
    dest: Option<&Value>,
    patch: Option<&Value>,
    keys: &[Rc<str>],
    schema: &Schema,
    depth: usize,
) -> Result<Option<Value>> {
    if patch.is_some_and(Value::is_null) && !missing(dest) {
        return Ok(None);
    }
    let absent = missing(dest);
    let (directive, patch) = match patch {
        Some(p) if !absent => {
            let (d, p) = of_list(p)?;
            (d, Some(p))
        }
        other => (Directive::Merge, other.cloned()),
    };
    let dest = match (directive, dest) {
        (Directive::Delete, _) => return Ok(None),
        (Directive::Merge, Some(dest)) if !dest.is_null() => dest,
        _ => match &patch {
            Some(patch) => patch,
            None => return Ok(None),
        },
    };
    let theirs = patch.as_ref().map(Value::items).unwrap_or_default();
    if keys.is_empty() {
        let mut all: Vec<Value> = Vec::new();
        for item in theirs.iter().chain(dest.items()) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        return Ok(Some(Value::list(all)));
    }
    // Items in the order of the patch, then in the object's.
    let mut seen: Vec<Vec<String>> = Vec::new();
    for item in theirs.iter().chain(dest.items()) {
        let v = values(item, keys);
        if !seen.contains(&v) {
            seen.push(v);
        }
    }
    let mut mine: Vec<Value> = dest.items().to_vec();
    let mut merged: Vec<Value> = Vec::new();
    for wanted in &seen {
        let at = mine.iter().position(|i| is(i, keys, wanted));
        let one = at.and_then(|i| mine.get(i)).cloned();
        let other = theirs.iter().find(|i| is(i, keys, wanted));
        if one.is_none() && other.is_none() {
            continue;
        }
        let replaced = other.is_some_and(|o| o.get("$patch").str() == "replace");
        let item = walk(one.as_ref(), other, &schema.items(), depth + 1)?;
        let Some(item) = item.filter(|i| !i.is_empty()) else {
            mine.retain(|i| !is(i, keys, wanted));
            continue;
        };
        // An item that replaces another is put back to the old one: so kyaml does it.
        let item = match one {
            Some(old) if replaced && keys.len() == 1 => old,
            _ => item,
        };
        if let Some(slot) = at.and_then(|i| mine.get_mut(i)) {
            *slot = item.clone();
        }
        match merged.iter_mut().find(|i| is(i, keys, wanted)) {
            Some(slot) => *slot = item,
            None => merged.push(item),
        }
    }
    // Items without a key stay at the end.
    if keys.len() == 1 {
        let keyless = |i: &&Value| values(i, keys).iter().all(String::is_empty);
        merged.extend(mine.iter().filter(keyless).filter(|i| !i.is_empty()).cloned());
    }
    Ok(Some(Value::list(merged)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml;

    fn check(object: &str, patch: &str) -> String {
        let head = "apiVersion: apps/v1\nkind: Deployment\n";
        let parse = |t: &str| yaml::decode_core(&format!("{head}{t}")).unwrap();
        match merge(&parse(object), &parse(patch)) {
            Ok(Some(v)) => yaml::to_yaml(&v).strip_prefix(head).unwrap_or("?").to_owned(),
            Ok(None) => "deleted".into(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn merges() {
        let two = "spec: {template: {spec: {containers: [{name: a, image: x, args: [q]}, {name: b, image: z9}]}}}";
        let pod = |list: &str| format!("spec: {{template: {{spec: {{containers: {list}}}}}}}");
        let got = |body: &str| {
            let lines: Vec<String> = body.lines().map(|l| format!("      {l}\n")).collect();
            format!("spec:\n  template:\n    spec:\n      containers:\n{}", lines.concat())
        };
        for (patch, want) in [
            // New items come first.
            (
                pod("[{name: c, image: z}]"),
                got("- image: z\n  name: c\n- args:\n  - q\n  image: x\n  name: a\n- image: z9\n  name: b"),
            ),
            // The patch's order wins.
            (
                pod("[{name: b, image: w}]"),
                got("- image: w\n  name: b\n- args:\n  - q\n  image: x\n  name: a"),
            ),
            (pod("[{name: a, $patch: delete}]"), got("- image: z9\n  name: b")),
            (pod("[{$patch: replace}, {name: nn}]"), got("- name: nn")),
            (
                pod("[{name: a, args: [r, s]}, {name: b, image: null}]"),
                got("- args:\n  - r\n  - s\n  image: x\n  name: a\n- name: b"),
            ),
            (pod("null"), "spec:\n  template:\n    spec: {}\n".into()),
            ("spec: {template: {$patch: delete}}".into(), "spec: {}\n".into()),
            (
                "spec: {$patch: replace, replicas: 2}".into(),
                "spec:\n  replicas: 2\n".into(),
            ),
            ("$patch: delete".into(), "deleted".into()),
            (
                "spec: 7".into(),
                "wrong node kind: expected MappingNode but got ScalarNode: node contents:\n7\n".into(),
            ),
            ("spec: {$patch: sing}".into(), "unknown patch strategy 'sing'".into()),
        ] {
            assert_eq!(check(two, &patch), want, "{patch}");
        }
    }

    #[test]
    fn ports_have_two_keys_and_finalizers_none() {
        let head = |kind: &str, t: &str| yaml::decode_core(&format!("apiVersion: v1\nkind: {kind}\n{t}")).unwrap();
        let service = head(
            "Service",
            "spec: {ports: [{port: 80, name: web}, {port: 53, protocol: UDP}]}",
        );
        for (patch, want) in [
            (
                "spec: {ports: [{port: 80, targetPort: 8080}]}",
                r#"[{"name":"web","port":80,"targetPort":8080},{"port":53,"protocol":"UDP"}]"#,
            ),
            (
                "spec: {ports: [{port: 80, protocol: TCP, targetPort: 8080}]}",
                r#"[{"name":"web","port":80,"protocol":"TCP","targetPort":8080},{"port":53,"protocol":"UDP"}]"#,
            ),
            (
                "spec: {ports: [{port: 53, protocol: TCP}]}",
                r#"[{"port":53,"protocol":"TCP"},{"name":"web","port":80},{"port":53,"protocol":"UDP"}]"#,
            ),
        ] {
            let merged = merge(&service, &head("Service", patch)).unwrap().unwrap();
            assert_eq!(merged.at(&["spec", "ports"]).to_json(), want, "{patch}");
        }
        let old = head("ConfigMap", "metadata: {finalizers: [a, b]}");
        let merged = merge(&old, &head("ConfigMap", "metadata: {finalizers: [c, a]}"))
            .unwrap()
            .unwrap();
        assert_eq!(merged.at(&["metadata", "finalizers"]).to_json(), r#"["c","a","b"]"#);
        // Of a kind that nobody knows, lists are replaced.
        let mine = yaml::decode_core("apiVersion: x/v1\nkind: My\nl: [{name: a}]\n").unwrap();
        let merged = merge(&mine, &yaml::decode_core("l: [{name: b}]").unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(merged.get("l").to_json(), r#"[{"name":"b"}]"#);
    }
}
