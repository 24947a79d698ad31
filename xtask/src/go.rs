//! `cargo xtask go DIR`: marks in the table of types what Go writes of a field that is empty, from the sources of
//! Kubernetes' modules (the folder `k8s.io` that has `api`, `apimachinery`, `apiextensions-apiserver` and
//! `kube-aggregator`). A type whose module is not there keeps its marks. `src/api/schema.rs` says what they mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A field of a Go struct.
#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// Its type begins with `*`.
    pointer: bool,
    omit_empty: bool,
    omit_zero: bool,
}

/// A Go struct: its fields by their names in JSON, and the types that it inlines.
#[derive(Default)]
struct Struct {
    fields: BTreeMap<String, Field>,
    inlined: Vec<String>,
}

/// The words that are marks.
const MARKS: [&str; 4] = ["z", "n", "*", "o"];

/// Adds the structs of a file.
fn read_structs(text: &str, into: &mut BTreeMap<String, Struct>) {
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("type ").and_then(|l| l.strip_suffix(" struct {")) {
            current = Some(name.to_owned());
            into.insert(name.to_owned(), Struct::default());
        } else if line == "}" {
            current = None;
        } else if let Some(name) = &current
            && let Some((before, tag)) = line.split_once("`json:\"")
            && let Some(tag) = tag.split('"').next()
            && let Some(structure) = into.get_mut(name)
        {
            let ty = before.split_whitespace().last().unwrap_or("");
            let mut options = tag.split(',');
            let field = options.next().unwrap_or("");
            let options: Vec<&str> = options.collect();
            if field.is_empty() && options.contains(&"inline") {
                structure.inlined.push(ty.trim_start_matches('*').to_owned());
            } else {
                let parsed = Field {
                    pointer: ty.starts_with('*'),
                    omit_empty: options.contains(&"omitempty"),
                    omit_zero: options.contains(&"omitzero"),
                };
                structure.fields.insert(field.to_owned(), parsed);
            }
        }
    }
}

/// The folder of a type's short name (`core.v1.Pod` is in `api/core/v1`), and its name there.
pub fn folder(name: &str) -> Option<(String, &str)> {
    let (root, rest) = match name.split_once(':') {
        Some(("m", rest)) => ("apimachinery/pkg", rest),
        Some(("a", rest)) => ("kube-aggregator/pkg", rest),
        Some(("x", rest)) => ("apiextensions-apiserver/pkg", rest),
        Some(_) => return None,
        None => ("api", name),
    };
    let (package, bare) = rest.rsplit_once('.')?;
    Some((format!("{root}/{}", package.replace('.', "/")), bare))
}

/// The packages that were read.
struct Packages<'d> {
    from: &'d Path,
    read: BTreeMap<String, BTreeMap<String, Struct>>,
}

impl Packages<'_> {
    fn package(&mut self, folder: &str) -> &BTreeMap<String, Struct> {
        let from: PathBuf = self.from.join(folder);
        self.read.entry(folder.to_owned()).or_insert_with(|| {
            let mut all = BTreeMap::new();
            let files = std::fs::read_dir(from).into_iter().flatten().flatten();
            let mut paths: Vec<PathBuf> = files.map(|f| f.path()).collect();
            paths.sort();
            for path in paths {
                let name = path
                    .file_name()
                    .map(|n| n.to_string_lossy().into_owned())
                    .unwrap_or_default();
                if name.ends_with(".go") && !name.ends_with("_test.go") {
                    read_structs(&std::fs::read_to_string(path).unwrap_or_default(), &mut all);
                }
            }
            all
        })
    }

    /// The fields of a struct, with those of what it inlines; `None` where the sources lack it.
    fn fields(&mut self, folder: &str, name: &str) -> Option<BTreeMap<String, Field>> {
        let structure = self.package(folder).get(name)?;
        let mut all = structure.fields.clone();
        for inlined in structure.inlined.clone() {
            let (package, bare) = match inlined.split_once('.') {
                Some(("metav1", bare)) => ("apimachinery/pkg/apis/meta/v1".to_owned(), bare),
                Some(("v1" | "corev1", bare)) => ("api/core/v1".to_owned(), bare),
                Some((_, bare)) => (folder.to_owned(), bare),
                None => (folder.to_owned(), inlined.as_str()),
            };
            all.extend(self.fields(&package, bare).unwrap_or_default());
        }
        Some(all)
    }
}

/// The mark of a field, where what Go writes of it is not what the table's form says anyhow. `special` is what the type
/// is that the expression names, where it is no struct.
fn mark(field: &Field, expression: &str, required: bool, special: &str) -> Option<&'static str> {
    let names_a_struct = expression.starts_with('@') && special != "any";
    let written = if names_a_struct {
        // `omitempty` never leaves out a struct.
        !field.omit_zero && special != "object"
    } else {
        !field.omit_empty
    };
    let truth = match (field.pointer, written) {
        (true, _) if field.omit_empty => "*",
        (true, _) => "n",
        (false, true) => "z",
        (false, false) if special == "object" && names_a_struct => "n",
        (false, false) if names_a_struct => "*",
        (false, false) => "o",
    };
    let anyhow = match (required, names_a_struct) {
        (true, _) => "z",
        (false, true) => "*",
        (false, false) => "o",
    };
    (truth != anyhow).then_some(truth)
}

/// Marks the fields in the types' table.
///
/// # Errors
/// A sentence about the file that cannot be read or written.
pub fn run(from: &Path, table: &Path) -> Result<(), String> {
    let types = std::fs::read_to_string(table).map_err(|e| format!("cannot read {}: {e}", table.display()))?;
    let header = |line: &str, word: usize| line.split('\t').nth(word).unwrap_or("").to_owned();
    let headers = types.lines().filter(|line| !line.starts_with('\t'));
    let special: BTreeMap<String, String> = headers.map(|line| (header(line, 0), header(line, 2))).collect();
    let mut packages = Packages {
        from,
        read: BTreeMap::new(),
    };
    let (mut out, mut found, mut missing) = (String::new(), None, Vec::new());
    for line in types.lines() {
        let Some(words) = line.strip_prefix('\t') else {
            let name = header(line, 0);
            found = folder(&name).and_then(|(folder, bare)| packages.fields(&folder, bare));
            if found.is_none() {
                missing.push(name);
            }
            let _ = writeln!(out, "{line}");
            continue;
        };
        let mut words: Vec<&str> = words.split('\t').collect();
        if let Some(fields) = &found
            && let Some(field) = fields.get(words[0])
            && !matches!(words[0], "kind" | "apiVersion")
        {
            // `n` is a mark behind the expression, and a number as one.
            let marks = words.split_off(words.len().min(2));
            words.extend(marks.into_iter().filter(|word| !MARKS.contains(word)));
            let expression = words.get(1).copied().unwrap_or("");
            let of = special
                .get(expression.trim_start_matches('@'))
                .map_or("", String::as_str);
            words.extend(mark(field, expression, words.contains(&"r"), of));
        }
        let _ = writeln!(out, "\t{}", words.join("\t"));
    }
    std::fs::write(table, out).map_err(|e| format!("cannot write {}: {e}", table.display()))?;
    println!("marked {}; without sources: {}", table.display(), missing.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_of_go_are_read_and_marked() {
        let mut all = BTreeMap::new();
        read_structs(
            "// Words.\ntype Event struct {\n\tmetav1.TypeMeta `json:\",inline\"`\n\t// Words.\n\tCount int32 `json:\"count,omitempty\" protobuf:\"x\"`\n\
             \tTime metav1.MicroTime `json:\"eventTime,omitempty\"`\n\tScope *string `json:\"scope,omitempty\"`\n\tGroup *string `json:\"apiGroup\"`\n\
             \tReporting string `json:\"reportingComponent\"`\n}\n",
            &mut all,
        );
        let event = &all["Event"];
        assert_eq!(event.inlined, ["metav1.TypeMeta"]);
        let mark = |name: &str, expression, special| mark(&event.fields[name], expression, false, special);
        assert_eq!(mark("count", "i", ""), None);
        assert_eq!(mark("eventTime", "@m:apis.meta.v1.MicroTime", "microtime"), Some("z"));
        assert_eq!(mark("scope", "s", ""), Some("*"));
        assert_eq!(mark("apiGroup", "s", ""), Some("n"));
        assert_eq!(mark("reportingComponent", "s", ""), Some("z"));
    }
}
