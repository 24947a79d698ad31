//! Transformers: what a kustomization's fields do to all of its resources.

use regex_lite::Regex;

use super::config::Config;
use super::error::{Error, Result, fail};
use super::fieldspec::{self, Create, FieldSpec, gvk_of};
use super::json6902;
use super::kustomization;
use super::loader::Loader;
use super::nodes;
use super::replacement;
use super::resid::{Gvk, ResId};
use super::resource::{ResMap, Resource, text};
use crate::kubectl::regexp;
use crate::value::{Value, gofmt, quoted, yaml};

/// A regular expression that has to fit a whole text; empty fits any.
pub struct Pattern(Option<Regex>);

impl Pattern {
    /// # Errors
    /// Go's sentence for what is no regular expression.
    pub fn new(pattern: &str) -> Result<Pattern> {
        if pattern.is_empty() {
            return Ok(Pattern(None));
        }
        let anchored = format!("^(?:{pattern})$");
        match Regex::new(&anchored) {
            Ok(regex) => Ok(Pattern(Some(regex))),
            Err(e) => fail(regexp::failure(&e, &anchored)),
        }
    }

    pub fn fits(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|r| r.is_match(text))
    }
}

/// Which resources a patch or a replacement is for.
pub struct Selector {
    pub group: Pattern,
    pub version: Pattern,
    pub kind: Pattern,
    pub name: Pattern,
    pub namespace: Pattern,
    pub labels: String,
    pub annotations: String,
    /// As the user wrote it.
    pub id: ResId,
}

impl Selector {
    /// # Errors
    /// When one of its fields is no regular expression.
    pub fn new(value: &Value) -> Result<Selector> {
        let pattern = |field: &str| Pattern::new(value.str_at(&[field]));
        Ok(Selector {
            group: pattern("group")?,
            version: pattern("version")?,
            kind: pattern("kind")?,
            name: pattern("name")?,
            namespace: pattern("namespace")?,
            labels: value.str_at(&["labelSelector"]).to_owned(),
            annotations: value.str_at(&["annotationSelector"]).to_owned(),
            id: id_of(value),
        })
    }

    pub fn fits_gvk(&self, gvk: &Gvk) -> bool {
        self.group.fits(&gvk.group) && self.version.fits(&gvk.version) && self.kind.fits(&gvk.kind)
    }

    /// The places of the resources that it selects, by what they were and by what they are.
    ///
    /// # Errors
    /// When a label selector is none.
    pub fn select(&self, map: &ResMap) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for (i, r) in map.list.iter().enumerate() {
            let (now, was) = (r.id(), r.original_id());
            let fits = (self.namespace.fits(was.effective_namespace())
                || self.namespace.fits(now.effective_namespace()))
                && (self.name.fits(&was.name) || self.name.fits(&now.name))
                && self.fits_gvk(&now.gvk);
            if fits && r.fits("labels", &self.labels)? && r.fits("annotations", &self.annotations)? {
                found.push(i);
            }
        }
        Ok(found)
    }
}

/// The identity that a selector's fields spell.
pub fn id_of(value: &Value) -> ResId {
    ResId {
        gvk: gvk_of(value),
        name: value.str_at(&["name"]).to_owned(),
        namespace: value.str_at(&["namespace"]).to_owned(),
    }
}

/// One transformer, ready to run.
pub enum Transformer {
    Namespace {
        namespace: String,
        specs: Vec<FieldSpec>,
        unset_only: bool,
        /// Which subjects of role bindings it is set on.
        subjects: String,
    },
    Prefix(String, Vec<FieldSpec>),
    Suffix(String, Vec<FieldSpec>),
    /// Labels or annotations.
    Pairs(Value, Vec<FieldSpec>),
    Replicas(Value, Vec<FieldSpec>),
    Image(Value, Vec<FieldSpec>),
    /// Strategic merge patches, each of them for the resource that it names.
    Merge {
        patches: Vec<Resource>,
        /// Whether the old sentences are said.
        old: bool,
    },
    /// A strategic merge patch for those that a selector selects.
    MergeInto {
        patch: Box<Resource>,
        target: Box<Selector>,
    },
    Json {
        patch: Value,
        target: Option<Box<Selector>>,
        source: String,
        /// Whether it is an error that there is no target.
        strict: bool,
    },
    Replacements(Vec<Value>),
}

fn given(value: &Value) -> Option<Result<Box<Selector>>> {
    value.as_map().map(|_| Selector::new(value).map(Box::new))
}

/// A transformer of this kind from its configuration, in a kustomization's terms.
///
/// # Errors
/// kustomize's sentence, with the configuration.
pub fn configure(loader: &Loader, kind: &str, config: &Value, tables: &Config) -> Result<Transformer> {
    let made = match kind {
        "PatchTransformer" => patch(loader, config),
        "PatchStrategicMergeTransformer" => merge_paths(loader, config),
        "PatchJson6902Transformer" => json(loader, config),
        "ReplacementTransformer" => replacements(loader, config),
        _ => simple(kind, config, tables),
    };
    made.map_err(|e| {
        let shown = yaml::to_yaml(config);
        e.within(format!("trouble configuring builtin {kind} with config: `\n{shown}`"))
    })
}

fn simple(kind: &str, config: &Value, tables: &Config) -> Result<Transformer> {
    let specs = |standard: &[FieldSpec]| match config.get("fieldSpecs").items() {
        [] => standard.to_vec(),
        own => own.iter().map(FieldSpec::from_value).collect(),
    };
    let string = |field: &str| config.str_at(&[field]).to_owned();
    Ok(match kind {
        "NamespaceTransformer" => {
            let subjects = string("setRoleBindingSubjects");
            if !matches!(subjects.as_str(), "" | "defaultOnly" | "allServiceAccounts" | "none") {
                return fail(format!(
                    "invalid value {subjects} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                     \"allServiceAccounts\"",
                    subjects = quoted(&subjects)
                ));
            }
            Transformer::Namespace {
                namespace: match config.str_at(&["metadata", "namespace"]) {
                    "" => string("namespace"),
                    namespace => namespace.to_owned(),
                },
                specs: specs(&tables.namespace),
                unset_only: config.bool_at(&["unsetOnly"]),
                subjects,
            }
        }
        "PrefixTransformer" => Transformer::Prefix(string("prefix"), specs(&tables.name_prefix)),
        "SuffixTransformer" => Transformer::Suffix(string("suffix"), specs(&tables.name_suffix)),
        "LabelTransformer" => Transformer::Pairs(config.get("labels").clone(), specs(&tables.common_labels)),
        "AnnotationsTransformer" => {
            Transformer::Pairs(config.get("annotations").clone(), specs(&tables.common_annotations))
        }
        "ReplicaCountTransformer" => Transformer::Replicas(config.get("replica").clone(), specs(&tables.replicas)),
        "ImageTagTransformer" => Transformer::Image(config.get("imageTag").clone(), specs(&tables.images)),
        other => return fail(format!("unable to load builtin {other}")),
    })
}

fn patch(loader: &Loader, config: &Value) -> Result<Transformer> {
    let (inline, path) = (config.str_at(&["patch"]).trim(), config.str_at(&["path"]));
    let (text, source) = match (inline, path) {
        ("", "") => {
            return fail(format!(
                "must specify one of patch and path in\n{}",
                yaml::to_yaml(config)
            ));
        }
        (inline, "") => (inline.to_owned(), format!("[patch: {}]", gofmt::quote(inline))),
        ("", path) => {
            let loaded = loader
                .load_text(path)
                .map_err(|e| e.within(format!("failed to get the patch file from path({path})")))?;
            (loaded, format!("[path: {}]", gofmt::quote(path)))
        }
        _ => {
            return fail(format!(
                "patch and path can't be set at the same time\n{}",
                yaml::to_yaml(config)
            ));
        }
    };
    let target = given(config.get("target")).transpose()?;
    match (nodes::resources(&text), json6902::parse(&text)) {
        (Ok(merges), Ok(json)) if !merges.is_empty() && !json.items().is_empty() => {
            fail(format!("illegally qualifies as both an SM and JSON patch: {source}"))
        }
        (Err(_), Err(_)) => fail(format!("unable to parse SM or JSON patch from {source}")),
        (Ok(mut merges), _) if !merges.is_empty() => {
            for m in &mut merges {
                m.may_rename = config.bool_at(&["options", "allowNameChange"]);
                m.may_change_kind = config.bool_at(&["options", "allowKindChange"]);
            }
            match target {
                Some(_) if merges.len() > 1 => fail(format!(
                    "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: \
                     {source}"
                )),
                Some(target) => Ok(Transformer::MergeInto {
                    patch: Box::new(merges.remove(0)),
                    target,
                }),
                None => Ok(Transformer::Merge {
                    patches: merges,
                    old: false,
                }),
            }
        }
        (_, json) => Ok(Transformer::Json {
            patch: json.unwrap_or_default(),
            target,
            source,
            strict: false,
        }),
    }
}

fn merge_paths(loader: &Loader, config: &Value) -> Result<Transformer> {
    let mut patches = Vec::new();
    let paths = config.get("paths").items();
    let inline = config.str_at(&["patches"]);
    for path in paths
        .iter()
        .map(Value::str)
        .chain(Some(inline).filter(|i| !i.is_empty()))
    {
        // For old times' sake a path may be the patch itself.
        match nodes::resources(path) {
            Ok(found) => patches.extend(found),
            Err(_) => {
                let text = loader.load_text(path)?;
                patches.extend(nodes::resources(&text).map_err(|e| in_file(e, path))?);
            }
        }
    }
    if patches.is_empty() {
        let shown: Vec<&str> = paths.iter().map(Value::str).collect();
        return fail(format!(
            "patch appears to be empty; files=[{}], Patch={inline}",
            shown.join(" ")
        ));
    }
    Ok(Transformer::Merge { patches, old: true })
}

/// A failure to read YAML names its file.
pub fn in_file(error: Error, path: &str) -> Error {
    match error {
        Error::Malformed(m) => Error::Malformed(format!("{m} in File: {path}")),
        other => other,
    }
}

fn json(loader: &Loader, config: &Value) -> Result<Transformer> {
    let target = Selector::new(config.get("target"))?;
    if target.id.name.is_empty() {
        return fail("must specify the target name");
    }
    let (path, mut op) = (config.str_at(&["path"]), config.str_at(&["jsonOp"]).to_owned());
    match (path, op.as_str()) {
        ("", "") => return fail("empty file path and empty jsonOp"),
        ("", _) => {}
        (_, "") => {
            op = loader.load_text(path)?;
            if op.is_empty() {
                return fail(format!("patch file '{path}' empty seems to be empty"));
            }
        }
        _ => return fail("must specify a file path or jsonOp, not both"),
    }
    let patch = json6902::parse(&op).map_err(|e| e.within(format!("decoding {op}")))?;
    if patch.items().is_empty() {
        return fail(format!("patch appears to be empty; file={path}, JsonOp={op}"));
    }
    Ok(Transformer::Json {
        patch,
        target: Some(Box::new(target)),
        source: op,
        strict: true,
    })
}

fn replacements(loader: &Loader, config: &Value) -> Result<Transformer> {
    let mut all = Vec::new();
    for r in config.get("replacements").items() {
        let path = r.str_at(&["path"]);
        if path.is_empty() {
            all.push(r.clone());
        } else if r.has("source") || !r.get("targets").items().is_empty() {
            return fail("cannot specify both path and inline replacement");
        } else {
            all.extend(kustomization::replacements(&loader.load_text(path)?)?);
        }
    }
    Ok(Transformer::Replacements(all))
}

impl Transformer {
    /// Changes the resources.
    ///
    /// # Errors
    /// kustomize's sentence.
    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        let done = match self {
            Transformer::Namespace {
                namespace,
                specs,
                unset_only,
                subjects,
            } => set_namespace(map, namespace, specs, *unset_only, subjects),
            Transformer::Prefix(prefix, specs) => rename(map, prefix, specs, true),
            Transformer::Suffix(suffix, specs) => rename(map, suffix, specs, false),
            Transformer::Pairs(pairs, specs) => set_pairs(map, pairs, specs),
            Transformer::Replicas(replica, specs) => set_replicas(map, replica, specs),
            Transformer::Image(image, specs) => set_image(map, image, specs),
            Transformer::Merge { patches, old } => patches.iter().try_for_each(|p| {
                let id = p.original_id();
                let at = map.target_of(&id).map_err(|e| match old {
                    true => e,
                    false => e.within(format!(
                        "no resource matches strategic merge patch {}",
                        gofmt::quote(&id.to_string())
                    )),
                })?;
                map.list.get_mut(at).map_or(Ok(()), |r| merge_one(r, p))
            }),
            Transformer::MergeInto { patch, target } => merge_into(map, patch, target),
            Transformer::Json {
                patch,
                target,
                source,
                strict,
            } => patch_json(map, patch, target.as_deref(), source, *strict),
            Transformer::Replacements(all) => replacement::apply(map, all),
        };
        map.drop_gone();
        done
    }
}

fn set_namespace(
    map: &mut ResMap,
    namespace: &str,
    specs: &[FieldSpec],
    unset_only: bool,
    subjects: &str,
) -> Result<()> {
    if namespace.is_empty() {
        return Ok(());
    }
    for i in 0..map.list.len() {
        let Some(r) = map.list.get_mut(i) else { break };
        r.remember();
        let gvk = r.gvk();
        let set = |value: &mut Value| {
            if unset_only && !value.is_empty() {
                return Ok(());
            }
            fieldspec::set_text(value, namespace)
        };
        if !gvk.is_cluster_scoped() {
            let own = FieldSpec::any("metadata/namespace", true);
            fieldspec::apply(&mut r.value, &own, Create::Scalar, &mut { set })?;
        }
        let binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding && subjects != "none" && r.value.get("subjects").as_list().is_some() {
            for subject in r.value.at_mut(&["subjects"]).list_mut() {
                let chosen = match subjects {
                    "allServiceAccounts" => subject.str_at(&["kind"]) == "ServiceAccount",
                    _ => subject.str_at(&["name"]) == "default",
                };
                if chosen {
                    set(subject.at_mut(&["namespace"]))?;
                }
            }
        }
        for spec in specs {
            let handled = spec.path == "metadata/namespace"
                || (binding && spec.path == "subjects/namespace")
                || (spec.path == "metadata/name" && gvk.api_version() != "v1");
            if !handled {
                fieldspec::apply(&mut r.value, spec, Create::Scalar, &mut { set })
                    .map_err(|e| e.within("namespace transformation failed"))?;
            }
        }
        let id = r.id();
        let same: Vec<String> = map
            .list
            .iter()
            .filter(|o| o.id().equals(&id))
            .map(|o| o.value.to_json())
            .collect();
        if same.len() > 1 {
            return fail(format!(
                "namespace transformation produces ID conflict: [{}]",
                same.join(" ")
            ));
        }
    }
    Ok(())
}

fn rename(map: &mut ResMap, affix: &str, specs: &[FieldSpec], before: bool) -> Result<()> {
    if affix.is_empty() {
        return Ok(());
    }
    for r in &mut map.list {
        let original = r.original_id();
        let kept = match original.gvk.kind.as_str() {
            "CustomResourceDefinition" | "Namespace" => true,
            "APIService" => original.gvk.group == "apiregistration.k8s.io",
            _ => false,
        };
        if kept {
            continue;
        }
        for spec in specs.iter().filter(|s| original.gvk.is_selected(&s.gvk)) {
            if spec.path == "metadata/name" {
                let list = if before { &mut r.prefixes } else { &mut r.suffixes };
                list.push(affix.to_owned());
                r.remember();
            }
            fieldspec::apply(&mut r.value, spec, Create::Nothing, &mut |value| {
                let old = text(value);
                let new = if before {
                    format!("{affix}{old}")
                } else {
                    format!("{old}{affix}")
                };
                fieldspec::set_text(value, &new)
            })?;
        }
    }
    Ok(())
}

fn set_pairs(map: &mut ResMap, pairs: &Value, specs: &[FieldSpec]) -> Result<()> {
    for r in &mut map.list {
        for (key, value) in pairs.entries() {
            fieldspec::apply_all(&mut r.value, specs, Create::Map, &mut |map| {
                fieldspec::set_entry(map, key, &text(value))
            })?;
        }
    }
    Ok(())
}

fn set_replicas(map: &mut ResMap, replica: &Value, specs: &[FieldSpec]) -> Result<()> {
    let name = replica.str_at(&["name"]);
    let count = replica.i64_at(&["count"]).unwrap_or(0);
    let mut found = false;
    for spec in specs {
        for i in map.find(|id| id.name == name && id.gvk.is_selected(&spec.gvk)) {
            found = true;
            if let Some(r) = map.list.get_mut(i) {
                fieldspec::apply(&mut r.value, spec, Create::Scalar, &mut |value| {
                    fieldspec::set_text(value, "")?;
                    *value = Value::Int(count);
                    Ok(())
                })?;
            }
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|s| s.gvk.to_string()).collect();
    fail(format!(
        "resource with name {name} does not match a config with the following GVK [{}]",
        kinds.join(" ")
    ))
}

/// Name, tag and digest of an image.
fn image_parts(image: &str) -> (&str, &str, &str) {
    let host = image.find('/').filter(|i| *i > 0).unwrap_or(0);
    let rest = image.get(host..).unwrap_or_default();
    let at = |c: char| rest.find(c).map(|i| i + host);
    let (colon, digest) = (at(':'), at('@'));
    let cut = |i: usize| (image.get(..i).unwrap_or(image), image.get(i + 1..).unwrap_or_default());
    match (colon, digest) {
        (None, None) => (image, "", ""),
        (Some(c), Some(d)) if c < d => {
            let (name, rest) = cut(c);
            let (tag, digest) = rest.split_once('@').unwrap_or((rest, ""));
            (name, tag, digest)
        }
        (_, Some(d)) => {
            let (name, digest) = cut(d);
            (name, "", digest)
        }
        (Some(c), None) => {
            let (name, tag) = cut(c);
            (name, tag, "")
        }
    }
}

/// What an image becomes.
fn new_image(image: &str, change: &Value) -> String {
    let (name, tag, digest) = image_parts(image);
    let word = |field: &str| change.str_at(&[field]);
    let name = match word("newName") {
        "" => name,
        new => new,
    };
    let (tag, digest) = match (word("newTag"), word("digest"), word("tagSuffix")) {
        ("", "", "") => (tag.to_owned(), digest),
        ("", "", suffix) => (format!("{tag}{suffix}"), ""),
        ("", new, _) => (String::new(), new),
        (new, digest, _) => (new.to_owned(), digest),
    };
    let mut image = name.to_owned();
    if !tag.is_empty() {
        image = format!("{image}:{tag}");
    }
    if !digest.is_empty() {
        image = format!("{image}@{digest}");
    }
    image
}

fn set_image(map: &mut ResMap, change: &Value, specs: &[FieldSpec]) -> Result<()> {
    let pattern = format!(
        "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$",
        change.str_at(&["name"])
    );
    // What is no regular expression names no image.
    let Ok(regex) = Regex::new(&pattern) else { return Ok(()) };
    let update = |value: &mut Value| {
        let old = text(value);
        if value.as_map().is_none() && value.as_list().is_none() && regex.is_match(&old) {
            *value = Value::from(new_image(&old, change));
        }
    };
    for r in &mut map.list {
        let before = r.value.clone();
        // Containers are found wherever they are: in custom resources too.
        if r.kind() != "CustomResourceDefinition" {
            in_containers(&mut r.value, &update);
        }
        // A suffix would come twice.
        if before != r.value && !change.str_at(&["tagSuffix"]).is_empty() {
            continue;
        }
        fieldspec::apply_all(&mut r.value, specs, Create::Nothing, &mut |value| {
            if value.as_map().is_some() || value.as_list().is_some() {
                return fieldspec::set_text(value, "");
            }
            update(value);
            Ok(())
        })?;
    }
    Ok(())
}

fn in_containers(value: &mut Value, update: &dyn Fn(&mut Value)) {
    match value {
        Value::Map(_) => {
            for (key, inner) in value.map_mut().iter_mut() {
                in_containers(inner, update);
                if matches!(key.as_str(), "containers" | "initContainers") && inner.as_list().is_some() {
                    for container in inner.list_mut() {
                        if container.has("image") {
                            update(container.at_mut(&["image"]));
                        }
                    }
                }
            }
        }
        Value::List(_) => value.list_mut().iter_mut().for_each(|i| in_containers(i, update)),
        _ => {}
    }
}

/// Merges a patch into a resource, which keeps its name, kind and namespace unless the patch may change
/// them.
fn merge_one(r: &mut Resource, patch: &Resource) -> Result<()> {
    let (name, namespace, kind) = (r.name().to_owned(), r.namespace().to_owned(), r.kind().to_owned());
    if patch.may_rename || patch.may_change_kind {
        r.remember();
    }
    let merged = super::merge::merge(&r.value, &patch.value)?.unwrap_or_default();
    r.value = merged;
    if r.is_gone() {
        r.value = Value::Null;
        return Ok(());
    }
    if !patch.may_change_kind {
        r.value.set(&["kind"], kind);
    }
    if !patch.may_rename {
        r.value.set(&["metadata", "name"], name);
    }
    r.value.set_or_remove(&["metadata", "namespace"], namespace);
    Ok(())
}

fn merge_into(map: &mut ResMap, patch: &Resource, target: &Selector) -> Result<()> {
    let found = target.select(map)?;
    for i in found {
        if let Some(r) = map.list.get_mut(i) {
            let mut own = patch.clone();
            own.value.set(&["apiVersion"], r.value.str_at(&["apiVersion"]));
            merge_one(r, &own)?;
        }
    }
    let mut list = ResMap::default();
    for r in map.list.drain(..).filter(|r| !r.is_gone()) {
        list.append(r)?;
    }
    *map = list;
    Ok(())
}

fn patch_json(map: &mut ResMap, patch: &Value, target: Option<&Selector>, source: &str, strict: bool) -> Result<()> {
    let Some(target) = target else {
        return fail(format!("must specify a target for JSON patch {source}"));
    };
    let found = target.select(map)?;
    if found.is_empty() && strict {
        return fail(format!("patchesJson6902 target not found for {}", target.id));
    }
    for i in found {
        if let Some(r) = map.list.get_mut(i) {
            if !strict {
                r.remember();
            }
            r.value = json6902::apply(&r.value, patch)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obj;

    #[test]
    fn images() {
        for (image, change, want) in [
            ("nginx", obj! { "newTag": "2" }, "nginx:2"),
            ("nginx:1@sha256:ab", obj! { "newTag": "2" }, "nginx:2"),
            ("nginx:1", obj! { "digest": "sha256:cd" }, "nginx@sha256:cd"),
            (
                "nginx:1",
                obj! { "newTag": "2", "digest": "sha256:cd" },
                "nginx:2@sha256:cd",
            ),
            ("host:5000/a/nginx:1", obj! { "newName": "b" }, "b:1"),
            ("host:5000/nginx", obj! { "newTag": "9" }, "host:5000/nginx:9"),
            ("nginx:1", obj! { "tagSuffix": "-x" }, "nginx:1-x"),
            ("nginx@sha256:ab", obj! { "newName": "b" }, "b@sha256:ab"),
        ] {
            assert_eq!(new_image(image, &change), want, "{image} {change:?}");
        }
    }
}
