//! A build: a kustomization's resources, those of its bases and components, what its generators make
//! and its transformers change; and at the end hashes, references, vars and the order.

use super::super::message::Options;
use super::config::Config;
use super::error::{Error, Result, fail};
use super::fieldspec::FieldSpec;
use super::generator;
use super::kustomization::{COMPONENT, Kustomization};
use super::loader::{Loader, is_remote};
use super::nameref;
use super::nodes;
use super::resource::{ResMap, Resource};
use super::transform::{Transformer, configure, in_file};
use super::vars;
use crate::flat::Arrange;
use crate::limits;
use crate::obj;
use crate::shell::Files;
use crate::value::{Value, gofmt, quoted, yaml};

/// The version that the label of `buildMetadata: [managedByLabel]` names.
pub const VERSION: &str = "v5.8.1";

const ORIGIN: &str = "config.kubernetes.io/origin";
const LOCAL: &str = "config.kubernetes.io/local-config";

/// Kinds that come first in the old order, and those that come last.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// What has been gathered so far.
#[derive(Default)]
struct Accumulated {
    map: ResMap,
    config: Config,
    vars: Vec<Value>,
}

impl Accumulated {
    fn absorb(&mut self, other: Accumulated) -> Result<()> {
        self.map.append_all(other.map)?;
        self.config.merge(&other.config);
        vars::merge(&mut self.vars, &other.vars)
    }
}

struct Build<'a> {
    options: Options,
    warnings: &'a mut Vec<String>,
    /// `buildMetadata` of the kustomization that was asked for.
    metadata: Vec<String>,
    loaded: usize,
}

/// Builds the kustomization in a directory. Warnings are told even when it fails.
///
/// # Errors
/// kustomize's sentence.
pub fn build(files: &Files, cwd: &str, path: &str, options: Options, warnings: &mut Vec<String>) -> Result<ResMap> {
    let loader = Loader::new(files, cwd, path, options.free)?;
    let k = Kustomization::load(&loader, warnings)?;
    let metadata: Vec<String> = k.texts("buildMetadata").into_iter().map(str::to_owned).collect();
    let mut build = Build {
        options,
        warnings,
        metadata,
        loaded: 0,
    };
    let all = build.accumulate(&loader, &k, Accumulated::default(), "")?;
    let Accumulated { mut map, config, vars } = all;
    for r in map.list.iter_mut().filter(|r| r.needs_hash) {
        let name = format!("{}-{}", r.name(), generator::hash(&r.value));
        r.remember();
        r.value.set(&["metadata", "name"], name);
    }
    nameref::update(&mut map, &config.name_references)?;
    vars::resolve(&mut map, &vars, &config.var_references)?;
    map.list.retain(|r| {
        let annotations = r.value.at(&["metadata", "annotations"]);
        !annotations.has(LOCAL) || annotations.str_at(&[LOCAL]) == "false"
    });
    sort(&mut map, &k, options)?;
    let wants = |what: &str| build.metadata.iter().any(|m| m == what);
    for r in &mut map.list {
        if options.managed_by || wants("managedByLabel") {
            r.value.set(
                &["metadata", "labels", "app.kubernetes.io/managed-by"],
                format!("kustomize-{VERSION}"),
            );
        }
        r.value.remove(&["metadata", "annotations", ORIGIN]);
        if let Some(origin) = r.origin.as_ref().filter(|_| wants("originAnnotations")) {
            r.value.set(&["metadata", "annotations", ORIGIN], origin_text(origin));
        }
        r.normalize_annotations();
    }
    Ok(map)
}

fn sort(map: &mut ResMap, k: &Kustomization, options: Options) -> Result<()> {
    let asked = k.value.get("sortOptions");
    let legacy = asked.get("legacySortOptions");
    let order = match asked.str_at(&["order"]) {
        _ if asked.is_null() && options.unsorted => "fifo",
        _ if asked.is_null() => "legacy",
        order => order,
    };
    match order {
        "fifo" if legacy.is_null() => return Ok(()),
        "fifo" => {
            return fail(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'",
            );
        }
        "legacy" => {}
        _ => return fail("the field 'sortOptions.order' must be one of [fifo, legacy]"),
    }
    let (mut first, mut last): (Vec<&str>, Vec<&str>) = (FIRST.to_vec(), LAST.to_vec());
    if !legacy.is_null() {
        first = legacy.get("orderFirst").items().iter().map(Value::str).collect();
        last = legacy.get("orderLast").items().iter().map(Value::str).collect();
    }
    let rank = |kind: &str| -> i64 {
        let at = |list: &[&str]| {
            list.iter()
                .rposition(|k| *k == kind)
                .and_then(|i| i64::try_from(i).ok())
        };
        match (at(&last), at(&first)) {
            (Some(i), _) => 1 + i,
            (None, Some(i)) => i - i64::try_from(first.len()).unwrap_or(0),
            (None, None) => 0,
        }
    };
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    map.list.arrange_by_key(|r| {
        let id = r.id();
        (
            rank(&id.gvk.kind),
            format!(
                "{}_{}_{}",
                or(&id.gvk.group, "~G"),
                or(&id.gvk.version, "~V"),
                or(&id.gvk.kind, "~K")
            ),
            format!("{}|{}|{}", id.gvk, or(&id.namespace, "~X"), or(&id.name, "~N")),
        )
    });
    Ok(())
}

/// An origin as kustomize writes it: the fields of its struct in their order.
fn origin_text(origin: &Value) -> String {
    let fields = ["path", "repo", "ref", "configuredIn", "configuredBy"].into_iter();
    let there = fields.filter(|f| origin.has(f));
    there
        .map(|f| {
            let mut one = Value::map();
            one.set(&[f], origin.get(f).clone());
            yaml::to_yaml(&one)
        })
        .collect()
}

/// `path` as seen from the build's directory: Go's `filepath.Join`.
fn origin_path(prefix: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Build<'_> {
    fn keeps_origin(&self) -> bool {
        !self.metadata.is_empty()
    }

    /// Adds what a kustomization gives to what is there. `origin` is its directory as seen from the
    /// build's.
    fn accumulate(
        &mut self,
        loader: &Loader,
        k: &Kustomization,
        all: Accumulated,
        origin: &str,
    ) -> Result<Accumulated> {
        self.loaded += 1;
        if self.loaded > limits::KUSTOMIZATIONS {
            return fail(format!(
                "this build loads more than {} kustomizations, which is the most that is built here",
                limits::KUSTOMIZATIONS
            ));
        }
        for (field, what) in [
            ("openapi", "schemas of one's own"),
            ("crds", "OpenAPI definitions of custom resources"),
        ] {
            if !k.value.get(field).is_empty() {
                return fail(format!("the field '{field}' ({what}) is not simulated here"));
            }
        }
        if self.metadata.iter().any(|m| m == "transformerAnnotations") {
            return fail("'transformerAnnotations' of 'buildMetadata' is not simulated here");
        }
        let mut all = all;
        self.resources(loader, &k.texts("resources"), &mut all, origin)
            .map_err(|e| e.within("accumulating resources"))?;
        if all.map.list.len() > limits::KUSTOMIZE_RESOURCES {
            return fail(nodes::too_many());
        }
        let mut config = Config::standard();
        for path in k.texts("configurations") {
            let text = loader.load_text(path)?;
            let value = yaml::decode(&text).map_err(|e| Error::said(format!("error converting YAML to JSON: {e}")))?;
            config.merge(&Config::from_value(&value));
        }
        all.config.merge(&config);
        self.generate(loader, k, &mut all, origin)?;
        for path in k.texts("components") {
            self.component(loader, path, &mut all, origin)
                .map_err(|e| e.within("accumulating components"))?;
        }
        for transformer in self.transformers(loader, k, &all.config)? {
            transformer.apply(&mut all.map)?;
        }
        if let Some(first) = k.texts("validators").first() {
            return fail(format!(
                "the field 'validators' ({first}) is not simulated here: no plugins can run"
            ));
        }
        vars::collect(&mut all.map, &mut all.vars, k.items("vars")).map_err(|e| e.within("merging vars"))?;
        Ok(all)
    }

    fn resources(&mut self, loader: &Loader, paths: &[&str], all: &mut Accumulated, origin: &str) -> Result<()> {
        for path in paths {
            let Err(as_file) = self.file(loader, path, all, origin) else {
                continue;
            };
            let chain = |e: Error| e.within(format!("accumulation err='{as_file}'"));
            if matches!(as_file, Error::Remote(_)) {
                return Err(as_file);
            }
            let inner = match loader.enter(path) {
                Ok(inner) => inner,
                // A file that is no YAML is no directory: the second failure would only confuse.
                Err(_) if matches!(as_file, Error::Malformed(_)) => return Err(as_file),
                Err(e) => return Err(chain(e)),
            };
            let below = self
                .directory(&inner, None, &origin_path(origin, path))
                .map_err(chain)?;
            let merged = all.absorb(below);
            merged.map_err(|e| chain(e.within(format!("recursed merging from path '{}'", inner.root))))?;
        }
        Ok(())
    }

    fn file(&mut self, loader: &Loader, path: &str, all: &mut Accumulated, origin: &str) -> Result<()> {
        let found = loader
            .load_text(path)
            .and_then(|text| nodes::resources(&text).map_err(|e| in_file(e, path)))
            .map_err(|e| e.within(format!("accumulating resources from '{path}'")))?;
        let from = self.keeps_origin().then(|| obj! { "path": origin_path(origin, path) });
        for mut r in found {
            r.origin = from.clone();
            all.map
                .append(r)
                .map_err(|e| e.within(format!("merging resources from '{path}'")))?;
        }
        Ok(())
    }

    /// What another directory's kustomization gives; a component works on what is there.
    fn directory(&mut self, loader: &Loader, component: Option<Accumulated>, origin: &str) -> Result<Accumulated> {
        let k = Kustomization::load(loader, self.warnings)
            .map_err(|e| e.within(format!("couldn't make target for path '{}'", loader.root)))?;
        let is_component = k.str("kind") == COMPONENT;
        match (&component, is_component) {
            (Some(_), false) => {
                return fail(format!(
                    "expected kind '{COMPONENT}' for path '{}' but got '{}'",
                    loader.root,
                    k.str("kind")
                ));
            }
            (None, true) => {
                return fail(format!("expected kind != '{COMPONENT}' for path '{}'", loader.root));
            }
            _ => {}
        }
        self.accumulate(loader, &k, component.unwrap_or_default(), origin)
            .map_err(|e| e.within(format!("recursed accumulation of path '{}'", loader.root)))
    }

    fn component(&mut self, loader: &Loader, path: &str, all: &mut Accumulated, origin: &str) -> Result<()> {
        let quoted = |e: &Error| gofmt::quote(&e.to_string());
        let inner = loader
            .enter(path)
            .map_err(|e| Error::said(format!("loader.New {}", quoted(&e))))?;
        let given = std::mem::take(all);
        *all = self
            .directory(&inner, Some(given), &origin_path(origin, path))
            .map_err(|e| Error::said(format!("accumulateDirectory: {}", quoted(&e))))?;
        Ok(())
    }

    fn generate(&mut self, loader: &Loader, k: &Kustomization, all: &mut Accumulated, origin: &str) -> Result<()> {
        if let Some(chart) = k
            .items("helmCharts")
            .first()
            .or(k.items("helmChartInflationGenerator").first())
        {
            let why = if self.options.helm {
                "unable to run: 'helm version --short' with env=[] (is 'helm' installed?): exec: \"helm\": executable file \
                 not found in $PATH"
            } else {
                "must specify --enable-helm"
            };
            return fail(format!(
                "trouble configuring builtin HelmChartInflationGenerator with config: `\n{}`: {why}",
                yaml::to_yaml(chart)
            ));
        }
        let global = k.value.get("generatorOptions");
        for (kind, field) in [("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")] {
            for args in k.items(field) {
                let args = generator::with_global_options(args, global);
                self.one_generator(loader, kind, &args, all, &origin_path(origin, k.file))?;
            }
        }
        for plugin in self.plugins(loader, k, "generators", origin)? {
            let kind = match plugin.kind() {
                "ConfigMapGenerator" => "ConfigMap",
                "SecretGenerator" => "Secret",
                other => return fail(format!("loading generator plugins: unable to load builtin {other}")),
            };
            let mut args = plugin.value.clone();
            for field in ["name", "namespace"] {
                let value = args.at(&["metadata", field]).clone();
                args.set_or_remove(&[field], value);
            }
            self.one_generator(loader, kind, &args, all, &origin_path(origin, k.file))?;
        }
        Ok(())
    }

    fn one_generator(
        &mut self,
        loader: &Loader,
        kind: &str,
        args: &Value,
        all: &mut Accumulated,
        file: &str,
    ) -> Result<()> {
        let mut made = generator::generate(loader, kind, args)?;
        if self.keeps_origin() {
            made.origin = Some(obj! {
                "configuredIn": file,
                "configuredBy": obj! { "apiVersion": "builtin", "kind": format!("{kind}Generator") },
            });
        }
        all.map
            .absorb(made)
            // Go prints the generator by its address.
            .map_err(|e| e.within("merging from generator &{0xc000a8c000 <nil>}"))
    }

    /// The built-in plugins that `generators` or `transformers` name, inline or in files.
    fn plugins(&mut self, loader: &Loader, k: &Kustomization, field: &str, origin: &str) -> Result<Vec<Resource>> {
        let mut found = Accumulated::default();
        for text in k.texts(field) {
            // A path is a scalar, which is no resource.
            match nodes::resources(text) {
                Ok(inline) if !inline.is_empty() => {
                    for r in inline {
                        found.map.append(r)?;
                    }
                }
                _ if is_remote(text) => return fail(format!("unable to reach {text}", text = quoted(&text))),
                _ => self.resources(loader, &[text], &mut found, origin)?,
            }
        }
        for r in &found.map.list {
            if r.value.str_at(&["apiVersion"]) != "builtin" {
                return fail(format!(
                    "external plugins disabled; unable to load external plugin '{}'",
                    r.kind()
                ));
            }
        }
        Ok(found.map.list)
    }

    fn transformers(&mut self, loader: &Loader, k: &Kustomization, config: &Config) -> Result<Vec<Transformer>> {
        let mut list = Vec::new();
        if let Some(paths) = k.value.get("patchesStrategicMerge").as_list().filter(|l| !l.is_empty()) {
            let shown = obj! { "paths": Value::list(paths.to_vec()) };
            list.push(configure(loader, "PatchStrategicMergeTransformer", &shown, config)?);
        }
        for patch in k.items("patches") {
            list.push(configure(loader, "PatchTransformer", patch, config)?);
        }
        list.push(Transformer::Namespace {
            namespace: k.str("namespace").to_owned(),
            specs: config.namespace.clone(),
            unset_only: false,
            subjects: String::new(),
        });
        list.push(Transformer::Prefix(
            k.str("namePrefix").to_owned(),
            config.name_prefix.clone(),
        ));
        list.push(Transformer::Suffix(
            k.str("nameSuffix").to_owned(),
            config.name_suffix.clone(),
        ));
        for label in k.items("labels") {
            let mut specs: Vec<FieldSpec> = label.get("fields").items().iter().map(FieldSpec::from_value).collect();
            if label.bool_at(&["includeSelectors"]) {
                FieldSpec::merge(&mut specs, &config.common_labels);
            } else {
                if label.bool_at(&["includeTemplates"]) {
                    FieldSpec::merge(&mut specs, &config.template_labels);
                }
                FieldSpec::merge(&mut specs, &[FieldSpec::any("metadata/labels", true)]);
            }
            list.push(Transformer::Pairs(label.get("pairs").clone(), specs));
        }
        list.push(Transformer::Pairs(
            k.value.get("commonLabels").clone(),
            config.common_labels.clone(),
        ));
        list.push(Transformer::Pairs(
            k.value.get("commonAnnotations").clone(),
            config.common_annotations.clone(),
        ));
        for patch in k.items("patchesJson6902") {
            let mut shown = obj! { "target": patch.get("target") };
            shown.set_or_remove(&["path"], patch.get("path"));
            shown.set_or_remove(&["jsonOp"], patch.get("patch"));
            list.push(configure(loader, "PatchJson6902Transformer", &shown, config)?);
        }
        for replica in k.items("replicas") {
            list.push(Transformer::Replicas(replica.clone(), config.replicas.clone()));
        }
        for image in k.items("images") {
            list.push(Transformer::Image(image.clone(), config.images.clone()));
        }
        if !k.items("replacements").is_empty() {
            let shown = obj! { "replacements": k.value.get("replacements") };
            list.push(configure(loader, "ReplacementTransformer", &shown, config)?);
        }
        for plugin in self.plugins(loader, k, "transformers", "")? {
            list.push(configure(loader, plugin.kind(), &plugin.value, config)?);
        }
        Ok(list)
    }
}
