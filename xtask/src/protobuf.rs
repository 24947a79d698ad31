//! `cargo xtask protobuf DIR`: writes the field numbers of every API type from the sources of the
//! crate k8s-pb (its folder `src`), whose structs bear them as attributes of prost.
//!
//! The output has a line a type, `core.v1.Pod⇥metadata=1⇥spec=2…`, with the names of JSON. A field that
//! JSON shows inside its parent but protobuf keeps in a message of its own has the numbers on the way
//! to it: `nfs=2.7` of a Volume. `src/bin/kubetab/serve/protobuf.rs` reads it.
//!
//! The structs have their fields in the order of Go's, in which Go writes JSON: the table of types gets it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::go;

/// A struct's fields: their names in Rust, numbers, and the last word of their types.
type Message = Vec<(String, u32, String)>;

/// Reads the structs of a module.
fn messages(text: &str) -> BTreeMap<String, Message> {
    let mut all = BTreeMap::new();
    let mut current = String::new();
    let mut number = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            current = rest.trim_end_matches('{').trim().to_ascii_lowercase();
            all.insert(current.clone(), Message::new());
        } else if line.starts_with("#[prost(") {
            let digits = line.split_once("tag = \"").and_then(|(_, rest)| rest.split('"').next());
            number = digits.and_then(|d| d.parse().ok());
        } else if let (Some(rest), Some(n)) = (line.strip_prefix("pub "), number) {
            let Some((name, ty)) = rest.split_once(':') else {
                continue;
            };
            let name = name.trim().trim_start_matches("r#").to_owned();
            // `::core::option::Option<super::v1::VolumeSource>,` ends in the type's own name.
            let inner = ty.rsplit('<').next().unwrap_or(ty).trim_end_matches([',', '>', ' ']);
            let word = inner.rsplit("::").next().unwrap_or(inner).trim().to_ascii_lowercase();
            all.entry(current.clone()).or_default().push((name, n, word));
            number = None;
        }
    }
    all
}

/// A name without case and underscores: prost's `volume_id` is JSON's `volumeID`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Finds a JSON field in a message, or in those that it inlines: on the way to it the places of the fields in
/// their messages, and their numbers.
fn find(
    module: &BTreeMap<String, Message>,
    message: &Message,
    field: &str,
    own: &[&str],
    depth: usize,
) -> Option<Vec<(usize, u32)>> {
    let wanted = plain(field);
    let mut fields = message.iter().enumerate();
    if let Some((place, (_, number, _))) = fields.find(|(_, (name, ..))| plain(name) == wanted) {
        return Some(vec![(place, *number)]);
    }
    if depth == 0 {
        return None;
    }
    // Only what JSON does not show itself can be inlined.
    let inlined = message
        .iter()
        .enumerate()
        .filter(|(_, (name, ..))| !own.iter().any(|o| plain(o) == plain(name)));
    for (place, (_, number, word)) in inlined {
        if let Some(inner) = module.get(word)
            && let Some(mut rest) = find(module, inner, field, own, depth - 1)
        {
            rest.insert(0, (place, *number));
            return Some(rest);
        }
    }
    None
}

/// The module of a type's short name in the crate, whose folders are Go's in Rust's spelling, and its name there.
fn module(name: &str) -> Option<(String, &str)> {
    let (folder, bare) = go::folder(name)?;
    Some((format!("{}/mod.rs", folder.replace('-', "_")), bare))
}

/// The lines of a type's fields, which come in the order of their names, in that of Go's struct.
fn in_order<'t>(fields: &[&str], lines: &[&'t str], places: &BTreeMap<&str, Vec<usize>>) -> Vec<&'t str> {
    let mut sorted: Vec<usize> = (0..fields.len()).collect();
    // The messages lack `kind` and `apiVersion`, which come first, and what is newer than the crate, the last.
    sorted.sort_by_key(|i| match (places.get(fields[*i]), fields[*i]) {
        (Some(path), _) => (2, path.clone()),
        (None, "kind") => (0, Vec::new()),
        (None, "apiVersion") => (1, Vec::new()),
        (None, _) => (3, Vec::new()),
    });
    sorted.into_iter().map(|i| lines[i]).collect()
}

/// Reads the crate's sources and the types' table, and writes the table of numbers, and the other in their order.
///
/// # Errors
/// A sentence about the file that cannot be read or written.
pub fn run(from: &Path, table: &Path, into: &Path) -> Result<(), String> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()));
    let types = read(table)?;
    let mut ordered = String::new();
    let mut modules: BTreeMap<String, BTreeMap<String, Message>> = BTreeMap::new();
    let mut out = String::new();
    let (mut found, mut missing) = (0, Vec::new());
    let mut lines = types.lines().peekable();
    while let Some(header) = lines.next() {
        let name = header.split('\t').next().unwrap_or("");
        let field_of = |line: &'_ str| line.trim_start().split('\t').next().unwrap_or("").to_owned();
        let mut texts: Vec<&str> = std::iter::from_fn(|| lines.next_if(|l| l.starts_with('\t'))).collect();
        texts.sort_by_key(|line| field_of(line));
        let names: Vec<String> = texts.iter().map(|line| field_of(line)).collect();
        let fields: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut places = BTreeMap::new();
        let mut write_type = |places: &BTreeMap<&str, Vec<usize>>| {
            for line in std::iter::once(header).chain(in_order(&fields, &texts, places)) {
                let _ = writeln!(ordered, "{line}");
            }
        };
        let Some((file, bare)) = module(name) else {
            write_type(&places);
            continue;
        };
        if !modules.contains_key(&file) {
            let text = std::fs::read_to_string(from.join(&file)).unwrap_or_default();
            modules.insert(file.clone(), messages(&text));
        }
        let module = &modules[&file];
        let Some(message) = module.get(&bare.to_ascii_lowercase()) else {
            if !fields.is_empty() {
                missing.push(name.to_owned());
            }
            write_type(&places);
            continue;
        };
        let mut line = name.to_owned();
        for field in fields
            .iter()
            .filter(|f| !matches!(**f, "apiVersion" | "kind") || !header.contains('/'))
        {
            match find(module, message, field, &fields, 2) {
                Some(path) => {
                    places.insert(*field, path.iter().map(|(place, _)| *place).collect());
                    let path: Vec<String> = path.iter().map(|(_, number)| number.to_string()).collect();
                    let _ = write!(line, "\t{field}={}", path.join("."));
                    found += 1;
                }
                None => missing.push(format!("{name}.{field}")),
            }
        }
        out.push_str(&line);
        out.push('\n');
        write_type(&places);
    }
    std::fs::write(table, ordered).map_err(|e| format!("cannot write {}: {e}", table.display()))?;
    std::fs::write(into, out).map_err(|e| format!("cannot write {}: {e}", into.display()))?;
    println!("wrote {}: the numbers of {found} fields", into.display());
    if !missing.is_empty() {
        println!("without numbers: {}", missing.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_of_prost_are_read() {
        let module = messages(
            "pub struct Volume {\n/// words\n#[prost(string, optional, tag = \"1\")]\npub name: ::core::option::Option<::prost::alloc::string::String>,\n\
             #[prost(message, optional, tag = \"2\")]\npub volume_source: ::core::option::Option<VolumeSource>,\n}\n\
             pub struct VolumeSource {\n#[prost(message, optional, tag = \"7\")]\npub nfs: ::core::option::Option<NFSVolumeSource>,\n}\n",
        );
        let volume = &module["volume"];
        assert_eq!(find(&module, volume, "name", &["name", "nfs"], 2), Some(vec![(0, 1)]));
        assert_eq!(
            find(&module, volume, "nfs", &["name", "nfs"], 2),
            Some(vec![(1, 2), (0, 7)])
        );
        assert_eq!(find(&module, volume, "other", &["name", "nfs"], 2), None);
    }
}
