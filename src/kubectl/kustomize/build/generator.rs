//! Generators of ConfigMaps and Secrets, and the hash behind their names.

use super::error::{Result, fail};
use super::loader::Loader;
use super::resource::{Behavior, Resource};
use crate::kubectl::kustomize::short_hash;
use crate::obj;
use crate::shell::base_name;
use crate::value::{Map, Value, base64, quoted};

/// Columns of base64 in a Secret before the line is broken.
const LINE: usize = 70;

/// What a generator reads: `kind` is `ConfigMap` or `Secret`, `args` its entry in the kustomization with
/// the global options merged in.
///
/// # Errors
/// When the name is missing, a source cannot be read, or a key is there twice.
pub fn generate(loader: &Loader, kind: &str, args: &Value) -> Result<Resource> {
    let name = args.str_at(&["name"]);
    if name.is_empty() {
        return fail("a configmap must have a name");
    }
    let mut object = obj! { "apiVersion": "v1", "kind": kind, "metadata": obj! { "name": name } };
    object.set_or_remove(&["metadata", "namespace"], args.str_at(&["namespace"]));
    let secret = kind == "Secret";
    if secret {
        let ty = match args.str_at(&["type"]) {
            "" => "Opaque",
            given => given,
        };
        object.set(&["type"], ty);
    }
    let mut data: Vec<(String, Vec<u8>)> = Vec::new();
    for (key, value) in pairs(loader, args).map_err(|e| e.within("loading KV pairs"))? {
        if data.iter().any(|(k, _)| *k == key) {
            return fail(format!("configmap {name} illegally repeats the key `{key}`"));
        }
        data.push((key, value));
    }
    for (key, value) in data {
        match String::from_utf8(value) {
            Ok(text) if !secret => object.set(&["data", &key], text),
            Ok(text) => object.set(&["data", &key], encode(text.as_bytes())),
            Err(e) => {
                let field = if secret { "data" } else { "binaryData" };
                object.set(&[field, &key], encode(e.as_bytes()));
            }
        }
    }
    let options = args.get("options");
    for field in ["labels", "annotations"] {
        object.set_or_remove(&["metadata", field], options.get(field));
    }
    if options.bool_at(&["immutable"]) {
        object.set(&["immutable"], true);
    }
    let mut made = Resource::new(object);
    made.needs_hash = !options.bool_at(&["disableNameSuffixHash"]);
    made.behavior = Behavior::parse(args.str_at(&["behavior"]));
    Ok(made)
}

/// Base64, broken into lines when it is long.
fn encode(bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % LINE == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out + "\n"
}

/// A generator's own options with the kustomization's `generatorOptions`, which do not override them.
pub fn with_global_options(args: &Value, global: &Value) -> Value {
    let mut args = args.clone();
    if global.is_null() {
        return args;
    }
    for field in ["labels", "annotations"] {
        let mut merged = global.get(field).clone();
        for (k, v) in args.at(&["options", field]).clone().entries() {
            merged.map_mut().insert(k.clone(), v.clone());
        }
        if !merged.is_empty() {
            args.set(&["options", field], merged);
        }
    }
    for flag in ["disableNameSuffixHash", "immutable"] {
        if global.bool_at(&[flag]) {
            args.set(&["options", flag], true);
        }
    }
    args
}

type Pairs = Vec<(String, Vec<u8>)>;

fn pairs(loader: &Loader, args: &Value) -> Result<Pairs> {
    let list = |name: &str| -> Vec<&str> { args.get(name).items().iter().map(Value::str).collect() };
    let shown = |list: &[&str]| format!("[{}]", list.join(" "));
    let mut all = Vec::new();
    let envs = list("envs");
    for path in &envs {
        let found = loader.load(path).and_then(|bytes| lines(&bytes));
        all.extend(found.map_err(|e| e.within(format!("env source files: {}", shown(&envs))))?);
    }
    let literals = list("literals");
    for text in &literals {
        let found = literal(text);
        all.push(found.map_err(|e| e.within(format!("literal sources {}", shown(&literals))))?);
    }
    let files = list("files");
    for source in &files {
        let found = file(source).and_then(|(key, path)| Ok((key, loader.load(&path)?)));
        all.push(found.map_err(|e| e.within(format!("file sources: {}", shown(&files))))?);
    }
    Ok(all)
}

/// The lines of an environment file.
fn lines(bytes: &[u8]) -> Result<Pairs> {
    let mut all = Vec::new();
    for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            return fail(format!(
                "line {line:?} has invalid utf8 bytes : {}",
                String::from_utf8_lossy(line)
            ));
        };
        let line = if i == 0 {
            line.trim_start_matches('\u{feff}')
        } else {
            line
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            all.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(all)
}

fn literal(source: &str) -> Result<(String, Vec<u8>)> {
    match source.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let unquoted = ['"', '\'']
                .into_iter()
                .find_map(|q| value.strip_prefix(q)?.strip_suffix(q))
                .unwrap_or(value);
            Ok((key.to_owned(), unquoted.as_bytes().to_vec()))
        }
        _ => fail(format!("invalid literal source {source}, expected key=value")),
    }
}

fn file(source: &str) -> Result<(String, String)> {
    let Some((key, path)) = source.split_once('=') else {
        return Ok((base_name(source).to_owned(), source.to_owned()));
    };
    if key.is_empty() {
        return fail(format!(
            "missing key name for file path {path} in source {source}",
            path = quoted(&path),
            source = quoted(&source)
        ));
    }
    if path.is_empty() {
        return fail(format!(
            "missing file path for key name {key} in source {source}",
            key = quoted(&key),
            source = quoted(&source)
        ));
    }
    if path.contains('=') {
        return fail(format!(
            "source {source} key name or file path contains '='",
            source = quoted(&source)
        ));
    }
    Ok((key.to_owned(), path.to_owned()))
}

/// The ten characters that stand for a resource's content (kustomize's `hasher`): of a ConfigMap or
/// Secret its data and type, of anything else all of it.
pub fn hash(object: &Value) -> String {
    let or_empty = |field: &str| match object.get(field) {
        Value::Null => Value::from(""),
        other => other.clone(),
    };
    let kind = object.str_at(&["kind"]);
    let mut hashed = Map::new();
    match kind {
        "ConfigMap" | "Secret" => {
            // The name is looked up in a way that never finds it.
            hashed.insert("name", Value::from(""));
            hashed.insert("kind", Value::from(kind));
            hashed.insert("data", or_empty("data"));
            let (more, ty) = if kind == "Secret" {
                ("stringData", Some(or_empty("type")))
            } else {
                ("binaryData", None)
            };
            if object.get(more).as_map().is_some() {
                hashed.insert(more, object.get(more).clone());
            }
            if let Some(ty) = ty {
                hashed.insert("type", ty);
            }
        }
        _ => {
            hashed = object.as_map().cloned().unwrap_or_default();
        }
    }
    short_hash(&Value::from(hashed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml;

    #[test]
    fn hashes_are_those_of_the_real_one() {
        // Recorded from kubectl 1.36.
        for (object, want) in [
            (
                "kind: ConfigMap\ndata: {app.properties: \"color=blue\\nsize=large\\n\", second.ini: \"HOST=db\\nPORT=5432\\n\"}",
                "766bhdmt4k",
            ),
            (
                "kind: ConfigMap\ndata: {HOST: db, MODE: dev, PORT: \"5432\"}",
                "27f9gm225t",
            ),
            (
                "kind: ConfigMap\ndata: {HOST: db, MODE: test, PORT: \"5432\"}",
                "t4g2m9kftk",
            ),
            (
                "kind: Secret\ntype: kubernetes.io/basic-auth\ndata: {password: czNjcmV0, username: YWRtaW4=}",
                "f52dtfcdc2",
            ),
        ] {
            assert_eq!(hash(&yaml::decode(object).unwrap()), want);
        }
    }

    #[test]
    fn sources() {
        assert_eq!(literal("a='b c'").unwrap(), ("a".into(), b"b c".to_vec()));
        assert_eq!(literal("a=\"b").unwrap().1, b"\"b");
        assert_eq!(literal("a=b=c").unwrap().1, b"b=c");
        assert!(literal("=b").is_err());
        assert_eq!(file("dir/x.txt").unwrap(), ("x.txt".into(), "dir/x.txt".into()));
        assert_eq!(
            file("k=").unwrap_err().to_string(),
            "missing file path for key name \"k\" in source \"k=\""
        );
        let found = lines("\u{feff}A=1\n# no\n  B=2=3\nC\n\n".as_bytes()).unwrap();
        assert_eq!(
            found,
            [
                ("A".into(), b"1".to_vec()),
                ("B".into(), b"2=3".to_vec()),
                ("C".into(), vec![])
            ]
        );
        assert_eq!(
            encode(&[b'x'; 60]),
            format!("{}\n{}\n", "eHh4".repeat(18)[..70].to_owned(), &"eHh4".repeat(20)[70..])
        );
    }
}
