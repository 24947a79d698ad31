//! `cargo xtask schema DIR`: writes the project's compact tables of the Kubernetes API from a folder
//! that holds schema.json (the types), discovery.json (the resources) and tables.json (the columns).
//!
//! The output is lines of tab-separated words, which the library reads at start faster than JSON and
//! which compress as well. `src/api/schema.rs`, `src/api/resource.rs` and `src/api/columns.rs`
//! describe the forms that they read.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// Shortens a type's full name. The library's `schema::full_name` is the inverse.
fn short(name: &str) -> String {
    for (prefix, mark) in [
        ("io.k8s.api.", ""),
        ("io.k8s.apimachinery.pkg.", "m:"),
        ("io.k8s.kube-aggregator.pkg.", "a:"),
        ("io.k8s.apiextensions-apiserver.pkg.", "x:"),
    ] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return format!("{mark}{rest}");
        }
    }
    format!("={name}")
}

/// A type expression: `s`tring, `i`nt32, `l`ong, `b`ool, `n`umber, b`y`tes, `*` anything,
/// `[x]` a list, `{x}` a map, `@name` another type.
fn expression(t: &Value) -> String {
    if let Some(name) = t.as_str() {
        return match name {
            "boolean" => "b",
            "integer" => "l",
            _ => "s",
        }
        .into();
    }
    if let Some(name) = t["ref"].as_str() {
        return format!("@{}", short(name));
    }
    if !t["list"].is_null() {
        return format!("[{}]", expression(&t["list"]));
    }
    if !t["map"].is_null() {
        return format!("{{{}}}", expression(&t["map"]));
    }
    match (
        t["type"].as_str().unwrap_or("string"),
        t["format"].as_str().unwrap_or(""),
    ) {
        ("integer", "int32") => "i",
        ("integer", _) => "l",
        ("number", _) => "n",
        ("boolean", _) => "b",
        ("string", "byte") => "y",
        _ => "s",
    }
    .into()
}

fn words(list: &Value) -> String {
    let words: Vec<&str> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    words.join(",")
}

fn types(schema: &Value) -> String {
    let mut out = String::new();
    for (name, t) in schema.as_object().into_iter().flatten() {
        let is = match &t["is"] {
            Value::String(s) if s == "string|number" => "quantity",
            Value::String(s) => s.as_str(),
            Value::Object(o) if o.get("format").is_some_and(|f| f == "int-or-string") => "intorstring",
            Value::Object(_) if name.ends_with("MicroTime") => "microtime",
            Value::Object(_) => "time",
            _ => "",
        };
        let name = short(name);
        // A kind that is named as the type is left out.
        let bare = format!("/{}", name.rsplit('.').next().unwrap_or(""));
        let kinds: Vec<String> = words(&t["gvk"])
            .split(',')
            .map(|kind| {
                kind.strip_suffix(&bare)
                    .map_or(kind.to_owned(), |group| format!("{group}/"))
            })
            .collect();
        let map_type = t["mapType"].as_str().unwrap_or("");
        let line = format!("{name}\t{}\t{is}\t{map_type}", kinds.join(","));
        let _ = writeln!(out, "{}", line.trim_end());
        let required: Vec<&str> = t["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (field, f) in t["fields"].as_object().into_iter().flatten() {
            let _ = write!(out, "\t{field}\t{}", expression(f));
            if required.contains(&field.as_str()) {
                out.push_str("\tr");
            }
            if let Some(default) = f.get("default") {
                let _ = write!(out, "\td={default}");
            }
            for (mark, key) in [("e", "enum"), ("k", "listMapKeys")] {
                if f[key].is_array() {
                    let _ = write!(out, "\t{mark}={}", words(&f[key]));
                }
            }
            for (mark, key) in [
                ("p", "patchStrategy"),
                ("m", "patchMergeKey"),
                ("t", "listType"),
                ("a", "mapType"),
            ] {
                if let Some(v) = f[key].as_str() {
                    let _ = write!(out, "\t{mark}={v}");
                }
            }
            out.push('\n');
        }
    }
    out
}

fn resources(discovery: &Value) -> String {
    let mut out = String::new();
    for (path, list) in discovery.as_object().into_iter().flatten() {
        let _ = writeln!(out, "{path}");
        for r in list["resources"].as_array().into_iter().flatten() {
            let gvk = match (r["group"].as_str(), r["version"].as_str()) {
                (None, None) => String::new(),
                (g, v) => format!("{}/{}", g.unwrap_or(""), v.unwrap_or("")),
            };
            let _ = writeln!(
                out,
                "\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                r["name"].as_str().unwrap_or(""),
                r["singularName"].as_str().unwrap_or(""),
                if r["namespaced"] == true { "n" } else { "c" },
                r["kind"].as_str().unwrap_or(""),
                words(&r["verbs"]),
                words(&r["shortNames"]),
                words(&r["categories"]),
                gvk,
                r["storageVersionHash"].as_str().unwrap_or(""),
            );
        }
    }
    out
}

fn columns(tables: &Value) -> String {
    let mut out = String::new();
    for (path, list) in tables.as_object().into_iter().flatten() {
        let _ = writeln!(out, "{path}");
        for c in list.as_array().into_iter().flatten() {
            let _ = writeln!(
                out,
                "\t{}\t{}\t{}\t{}",
                c["name"].as_str().unwrap_or(""),
                c["type"].as_str().unwrap_or(""),
                c["format"].as_str().unwrap_or(""),
                c["priority"]
            );
        }
    }
    out
}

/// Reads the three files of `from` and writes the three tables into `into`.
///
/// # Errors
/// A sentence that names the file that could not be read, understood or written.
pub fn run(from: &Path, into: &Path) -> Result<(), String> {
    let read = |name: &str| -> Result<Value, String> {
        let path = from.join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{} is not JSON: {e}", path.display()))
    };
    for (name, text) in [
        ("types.txt", types(&read("schema.json")?)),
        ("resources.txt", resources(&read("discovery.json")?)),
        ("columns.txt", columns(&read("tables.json")?)),
    ] {
        let path = into.join(name);
        std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
