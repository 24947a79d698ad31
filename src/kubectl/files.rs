//! Manifests from `-f`: files, directories, standard input; their documents and lists.

use super::builder::{Info, Select};
use super::command::Cmd;
use super::error::Error;
use super::mapper;
use crate::api::decode::decode;
use crate::api::{Status, schema};
use crate::flat::Arrange;
use crate::limits;
use crate::obj;
use crate::shell::Download;
use crate::value::{Value, gojson, quoted, yaml};

/// One object of a file.
#[derive(Clone, Debug)]
pub struct Doc {
    /// As errors name it: the path, or `STDIN`.
    pub source: String,
    pub value: Value,
}

/// What the files hold.
#[derive(Debug, Default)]
pub struct Docs {
    pub list: Vec<Doc>,
    pub errors: Vec<Error>,
    /// Whether it was one file.
    pub single: bool,
}

/// Reads what `-f` names.
///
/// # Errors
/// When a path is not there, or a directory holds no manifest.
pub async fn read(cmd: &Cmd) -> Result<Docs, Error> {
    let mut docs = Docs::default();
    let paths = cmd.flags.all("filename");
    if !cmd.flags.str("kustomize").is_empty() {
        if !paths.is_empty() {
            return Err(Error::plain("only one of -f or -k can be specified"));
        }
        if cmd.flags.bool("recursive") {
            return Err(Error::plain("the -k flag can't be used with -f or -R"));
        }
        return super::kustomize::read(cmd).await;
    }
    let recursive = cmd.flags.bool("recursive");
    let mut sources: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        if path == "-" || is_url(path) || cmd.cx.is_descriptor(path) {
            sources.push(path.clone());
        } else {
            match expand(cmd, path, recursive) {
                Ok(found) => sources.extend(found),
                Err(e) => errors.push(e),
            }
        }
    }
    Error::all(errors)?;
    docs.single = match (paths, sources.as_slice()) {
        ([path], [source]) => path == source && source != "-",
        _ => false,
    };
    for source in sources {
        let (name, text) = if source == "-" {
            ("STDIN".to_owned(), cmd.cx.stdin.read_text().await)
        } else if is_url(&source) {
            let why = match cmd.cx.host.download(&source).await {
                Download::Text(text) => {
                    documents(&source, &text, &mut docs);
                    continue;
                }
                Download::Missing => ", server reported 404 Not Found, status code=404".to_owned(),
                Download::Absent(why) => format!(": {why}; save the file here and name it instead"),
                Download::Unreachable => {
                    ": this cluster has no way out to the Internet; save the file here and name it instead".to_owned()
                }
            };
            docs.errors.push(Error::plain(format!(
                "unable to read URL {source}{why}",
                source = quoted(&source)
            )));
            continue;
        } else {
            let read = match cmd.cx.is_descriptor(&source) {
                true => cmd.cx.read_file(&source).await,
                false => cmd.cx.files.read_text(&cmd.cx.path(&source)),
            };
            match read {
                Ok(text) => (source, text),
                Err(e) => {
                    docs.errors.push(Error::plain(e.reading(&source)));
                    continue;
                }
            }
        };
        documents(&name, &text, &mut docs);
    }
    Ok(docs)
}

fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// The files that a path means.
fn expand(cmd: &Cmd, path: &str, recursive: bool) -> Result<Vec<String>, Error> {
    let files = &cmd.cx.files;
    let absolute = cmd.cx.path(path);
    if files.is_dir(&absolute) {
        let mut found = Vec::new();
        walk(cmd, path.trim_end_matches('/'), recursive, &mut found);
        if found.is_empty() {
            return Err(Error::plain(format!(
                "error reading [{path}]: recognized file extensions are [.json .yaml .yml]"
            )));
        }
        return Ok(found);
    }
    if files.exists(&absolute) {
        return Ok(vec![path.to_owned()]);
    }
    if path.contains(['*', '?', '[']) {
        let (dir, pattern) = path.rsplit_once('/').unwrap_or((".", path));
        let mut found: Vec<String> = files
            .list(&cmd.cx.path(dir))
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, _)| glob(pattern, name))
            .map(|(name, _)| if dir == "." { name } else { format!("{dir}/{name}") })
            .collect();
        found.arrange();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(Error::plain(format!(
        "the path {path} does not exist",
        path = quoted(&path)
    )))
}

fn walk(cmd: &Cmd, dir: &str, recursive: bool, found: &mut Vec<String>) {
    let mut entries = cmd.cx.files.list(&cmd.cx.path(dir)).unwrap_or_default();
    entries.arrange_by(|a, b| a.0.cmp(&b.0));
    for (name, _) in entries {
        // `.` is cleaned away, as Go's filepath.Walk joins.
        let path = if dir == "." || dir.is_empty() {
            name.clone()
        } else {
            format!("{}/{name}", dir.trim_start_matches("./"))
        };
        if cmd.cx.files.is_dir(&cmd.cx.path(&path)) {
            if recursive && found.len() < limits::FILES {
                walk(cmd, &path, recursive, found);
            }
        } else if [".json", ".yaml", ".yml"].iter().any(|e| name.ends_with(e)) {
            found.push(path);
        }
    }
}

/// Go's `filepath.Match` of `*` and `?`.
pub fn glob(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let mut reach = vec![false; n.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for c in p {
        let mut next = vec![false; n.len() + 1];
        for i in 0..=n.len() {
            let here = reach.get(i).copied().unwrap_or(false);
            let before = i > 0 && reach.get(i - 1).copied().unwrap_or(false);
            let value = match c {
                '*' => here || (i > 0 && next.get(i - 1).copied().unwrap_or(false)),
                '?' => before,
                c => before && n.get(i.wrapping_sub(1)) == Some(&c),
            };
            if let Some(slot) = next.get_mut(i) {
                *slot = value;
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

/// Takes a text's documents, and the items of its lists.
pub fn documents(source: &str, text: &str, docs: &mut Docs) {
    if text.len() > limits::MANIFEST_BYTES {
        docs.errors.push(Error::plain(format!(
            "error parsing {source}: the manifest is larger than {} bytes, which is the most that is read here",
            limits::MANIFEST_BYTES
        )));
        return;
    }
    for document in yaml::documents(text) {
        let value = match document.and_then(|d| d.value()) {
            Ok(value) => value,
            Err(e) => {
                docs.errors.push(Error::plain(format!("error parsing {source}: {e}")));
                return;
            }
        };
        if value.is_null() {
            continue;
        }
        let is_list = value.get("kind").str().ends_with("List") && value.get("items").as_list().is_some();
        if is_list {
            let (api_version, kind) = (value.str_at(&["apiVersion"]), value.str_at(&["kind"]));
            let of = kind.strip_suffix("List").unwrap_or_default();
            for item in value.get("items").items() {
                let mut item = item.clone();
                // The items of a ConfigMapList need not say what they are.
                if !of.is_empty() && item.str_at(&["kind"]).is_empty() && item.str_at(&["apiVersion"]).is_empty() {
                    item.set(&["kind"], of);
                    item.set(&["apiVersion"], api_version);
                }
                docs.list.push(Doc {
                    source: source.to_owned(),
                    value: item,
                });
            }
        } else {
            docs.list.push(Doc {
                source: source.to_owned(),
                value,
            });
        }
    }
}

/// What comes of an object of no version where only the kind is asked for: a request to a path that there is not.
fn nowhere(cmd: &Cmd, object: &Value, select: &Select, source: &str) -> Option<Error> {
    if select.typed || select.local {
        return None;
    }
    let kind = object.str_at(&["kind"]);
    let resource = cmd.find_resource(|all| mapper::of_kind(all, "v1", kind))?;
    let name = format!("{} {}", resource.name, object.str_at(&["metadata", "name"]));
    let (begin, asked) = match cmd.verb.name {
        "delete" => (
            format!("error when deleting {source}: ", source = quoted(&source)),
            format!("delete {name}"),
        ),
        "debug" => return None,
        "diff" => (String::new(), format!("post {}", resource.name)),
        _ => (String::new(), format!("get {name}")),
    };
    let status = Status::no_such_path();
    let said = format!("{begin}{} ({asked})", status.message());
    Some(Error::Status(status.saying(said)))
}

/// Finds the resource of a document's object, and its namespace.
///
/// # Errors
/// kubectl's sentences for an object without kind, of an unknown kind, or of another namespace than
/// the one asked for.
pub fn info(cmd: &Cmd, doc: Doc, select: &Select) -> Result<Info, Error> {
    let Doc {
        source,
        value: mut object,
    } = doc;
    let (api_version, kind) = (
        object.str_at(&["apiVersion"]).to_owned(),
        object.str_at(&["kind"]).to_owned(),
    );
    let unset = if object.as_map().is_none() {
        "invalid object to validate"
    } else if kind.is_empty() && api_version.is_empty() {
        "[apiVersion not set, kind not set]"
    } else if kind.is_empty() {
        "kind not set"
    } else if api_version.is_empty() {
        "apiVersion not set"
    } else {
        ""
    };
    if !unset.is_empty() {
        let checks = select.validate && cmd.flags.knows("validate") && cmd.validation()? != "Ignore";
        if checks {
            return Err(Error::plain(format!(
                "error validating {source}: error validating data: {unset}; if you choose to ignore these errors, \
                 turn validation off with --validate=false",
                source = quoted(&source)
            )));
        }
        if let Some(e) = nowhere(cmd, &object, select, &source).filter(|_| unset == "apiVersion not set") {
            return Err(e);
        }
        let json = gojson::compact(&object, false);
        return Err(Error::plain(match unset {
            "apiVersion not set" => format!(
                "unable to decode {source}: Object 'apiVersion' is missing in '{json}'",
                source = quoted(&source)
            ),
            _ if object.as_map().is_none() => format!(
                "unable to decode {source}: json: cannot unmarshal {} into Go value of type unstructured.detector",
                match object {
                    Value::List(_) => "array",
                    Value::Str(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                },
                source = quoted(&source)
            ),
            _ => format!(
                "unable to decode {source}: Object 'Kind' is missing in '{json}'",
                source = quoted(&source)
            ),
        }));
    }
    // The metadata is read as what it is, whatever the kind.
    if let Some(ty) = schema::by_kind("v1", "ConfigMap").filter(|_| object.has("metadata"))
        && let Err(e) = decode(&obj! { "metadata": object.get("metadata") }, &ty)
    {
        return Err(Error::plain(format!(
            "unable to decode {source}: {e}",
            source = quoted(&source)
        )));
    }
    let name = object.str_at(&["metadata", "name"]).to_owned();
    let mut namespace = object.str_at(&["metadata", "namespace"]).to_owned();
    let Some(resource) = cmd.find_resource(|all| mapper::of_kind(all, &api_version, &kind)) else {
        return Err(Error::plain(format!(
            "resource mapping not found for name: {name} namespace: {namespace} from {source}: no matches for \
             kind {kind} in version {api_version}\nensure CRDs are installed first",
            name = quoted(&name),
            namespace = quoted(&namespace),
            source = quoted(&source),
            kind = quoted(&kind),
            api_version = quoted(&api_version)
        )));
    };
    if select.local {
        // Nothing knows yet whether the kind has namespaces.
    } else if resource.namespaced {
        let asked = cmd.namespace();
        if namespace.is_empty() {
            object.set(&["metadata", "namespace"], asked.as_str());
            namespace = asked;
        } else if cmd.namespace_given() && namespace != asked {
            return Err(Error::plain(format!(
                "the namespace from the provided object {} does not match the namespace {}. You must \
                 pass '--namespace={namespace}' to perform this operation.",
                quoted(&namespace),
                quoted(&asked)
            )));
        }
    } else {
        namespace = String::new();
    }
    Ok(Info {
        resource,
        namespace,
        name,
        source,
        object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, fits) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a?c", "abc", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b", "axxbc", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }
}
