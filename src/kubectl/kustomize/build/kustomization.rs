//! The kustomization file: its fields, decoded with the sentences of Go's JSON, and what became of
//! older field names.

use super::error::{Error, Result, fail};
use super::loader::Loader;
use crate::value::{Value, gofmt, yaml};

/// Names that a kustomization file may have.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
pub const COMPONENT: &str = "Component";

/// What a field holds.
enum Ty {
    Str,
    /// A text with a name of its own.
    Text(&'static str),
    Bool,
    Int(&'static str),
    Any,
    List(&'static Ty),
    /// A list of pointers: only its name differs.
    Pointers(&'static Ty),
    Map(&'static Ty),
    Struct(&'static str, &'static [(&'static str, &'static Ty)]),
}

const S: &Ty = &Ty::Str;
const B: &Ty = &Ty::Bool;
const ANY: &Ty = &Ty::Any;
const TEXTS: &Ty = &Ty::List(S);
const TEXT_MAP: &Ty = &Ty::Map(S);
const ANY_MAP: &Ty = &Ty::Map(ANY);
const FLAGS: &Ty = &Ty::Map(B);

const SELECTOR: &Ty = &Ty::Struct(
    "Selector",
    &[
        ("group", S),
        ("version", S),
        ("kind", S),
        ("name", S),
        ("namespace", S),
        ("annotationSelector", S),
        ("labelSelector", S),
    ],
);
const FIELD_SPEC: &Ty = &Ty::Struct(
    "FieldSpec",
    &[("group", S), ("version", S), ("kind", S), ("path", S), ("create", B)],
);
const LABEL: &Ty = &Ty::Struct(
    "Label",
    &[
        ("pairs", TEXT_MAP),
        ("includeSelectors", B),
        ("includeTemplates", B),
        ("fields", &Ty::List(FIELD_SPEC)),
    ],
);
const PATCH: &Ty = &Ty::Struct(
    "Patch",
    &[("path", S), ("patch", S), ("target", SELECTOR), ("options", FLAGS)],
);
const IMAGE: &Ty = &Ty::Struct(
    "Image",
    &[
        ("name", S),
        ("newName", S),
        ("tagSuffix", S),
        ("newTag", S),
        ("digest", S),
    ],
);
const REPLICA: &Ty = &Ty::Struct("Replica", &[("name", S), ("count", &Ty::Int("int64"))]);
const FIELD_OPTIONS: &Ty = &Ty::Struct(
    "FieldOptions",
    &[
        ("delimiter", S),
        ("index", &Ty::Int("int")),
        ("encoding", S),
        ("create", B),
    ],
);
const SOURCE: &Ty = &Ty::Struct(
    "SourceSelector",
    &[
        ("group", S),
        ("version", S),
        ("kind", S),
        ("name", S),
        ("namespace", S),
        ("fieldPath", S),
        ("options", FIELD_OPTIONS),
    ],
);
const TARGET: &Ty = &Ty::Struct(
    "TargetSelector",
    &[
        ("select", SELECTOR),
        ("reject", &Ty::Pointers(SELECTOR)),
        ("fieldPaths", TEXTS),
        ("options", FIELD_OPTIONS),
    ],
);
const REPLACEMENT: &Ty = &Ty::Struct(
    "ReplacementField",
    &[
        ("source", SOURCE),
        ("targets", &Ty::Pointers(TARGET)),
        ("sourceValue", S),
        ("path", S),
    ],
);
const VAR: &Ty = &Ty::Struct(
    "Var",
    &[
        ("name", S),
        (
            "objref",
            &Ty::Struct(
                "Target",
                &[
                    ("apiVersion", S),
                    ("group", S),
                    ("version", S),
                    ("kind", S),
                    ("name", S),
                    ("namespace", S),
                ],
            ),
        ),
        ("fieldref", &Ty::Struct("FieldSelector", &[("fieldPath", S)])),
    ],
);
const OPTIONS: &Ty = &Ty::Struct(
    "GeneratorOptions",
    &[
        ("labels", TEXT_MAP),
        ("annotations", TEXT_MAP),
        ("disableNameSuffixHash", B),
        ("immutable", B),
    ],
);
const CONFIG_MAP: &Ty = &Ty::Struct(
    "ConfigMapArgs",
    &[
        ("namespace", S),
        ("name", S),
        ("behavior", S),
        ("literals", TEXTS),
        ("files", TEXTS),
        ("envs", TEXTS),
        ("env", S),
        ("options", OPTIONS),
    ],
);
const SECRET: &Ty = &Ty::Struct(
    "SecretArgs",
    &[
        ("namespace", S),
        ("name", S),
        ("behavior", S),
        ("literals", TEXTS),
        ("files", TEXTS),
        ("envs", TEXTS),
        ("env", S),
        ("options", OPTIONS),
        ("type", S),
    ],
);
const CHART: &Ty = &Ty::Struct(
    "HelmChart",
    &[
        ("name", S),
        ("version", S),
        ("repo", S),
        ("releaseName", S),
        ("namespace", S),
        ("additionalValuesFiles", TEXTS),
        ("valuesFile", S),
        ("valuesInline", ANY_MAP),
        ("valuesMerge", S),
        ("includeCRDs", B),
        ("skipHooks", B),
        ("apiVersions", TEXTS),
        ("kubeVersion", S),
        ("nameTemplate", S),
        ("skipTests", B),
        ("debug", B),
        ("devel", B),
    ],
);

const KUSTOMIZATION: &Ty = &Ty::Struct(
    "Kustomization",
    &[
        ("kind", S),
        ("apiVersion", S),
        (
            "metadata",
            &Ty::Struct(
                "ObjectMeta",
                &[
                    ("name", S),
                    ("namespace", S),
                    ("labels", TEXT_MAP),
                    ("annotations", TEXT_MAP),
                ],
            ),
        ),
        ("openapi", TEXT_MAP),
        ("namePrefix", S),
        ("nameSuffix", S),
        ("namespace", S),
        ("commonLabels", TEXT_MAP),
        ("labels", &Ty::List(LABEL)),
        ("commonAnnotations", TEXT_MAP),
        ("patchesStrategicMerge", &Ty::List(&Ty::Text("PatchStrategicMerge"))),
        ("patchesJson6902", &Ty::List(PATCH)),
        ("patches", &Ty::List(PATCH)),
        ("images", &Ty::List(IMAGE)),
        ("imageTags", &Ty::List(IMAGE)),
        ("replacements", &Ty::List(REPLACEMENT)),
        ("replicas", &Ty::List(REPLICA)),
        ("vars", &Ty::List(VAR)),
        (
            "sortOptions",
            &Ty::Struct(
                "SortOptions",
                &[
                    ("order", S),
                    (
                        "legacySortOptions",
                        &Ty::Struct("LegacySortOptions", &[("orderFirst", TEXTS), ("orderLast", TEXTS)]),
                    ),
                ],
            ),
        ),
        ("resources", TEXTS),
        ("components", TEXTS),
        ("crds", TEXTS),
        ("bases", TEXTS),
        ("configMapGenerator", &Ty::List(CONFIG_MAP)),
        ("secretGenerator", &Ty::List(SECRET)),
        (
            "helmGlobals",
            &Ty::Struct("HelmGlobals", &[("chartHome", S), ("configHome", S)]),
        ),
        ("helmCharts", &Ty::List(CHART)),
        ("helmChartInflationGenerator", &Ty::List(ANY)),
        ("generatorOptions", OPTIONS),
        ("configurations", TEXTS),
        ("generators", TEXTS),
        ("transformers", TEXTS),
        ("validators", TEXTS),
        ("buildMetadata", TEXTS),
    ],
);

impl Ty {
    fn name(&self) -> String {
        match self {
            Ty::Str => "string".into(),
            Ty::Bool => "bool".into(),
            Ty::Int(name) => (*name).into(),
            Ty::Any => "interface {}".into(),
            Ty::List(inner) => format!("[]{}", inner.name()),
            Ty::Pointers(inner) => format!("[]*{}", inner.name()),
            Ty::Map(inner) => format!("map[string]{}", inner.name()),
            Ty::Struct(name, _) | Ty::Text(name) => format!("types.{name}"),
        }
    }

    /// The value with the fields' own names; `of` is the struct that it is in, `path` the fields to it.
    fn decode(&self, value: &Value, of: &str, path: &str) -> std::result::Result<Value, String> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let mismatch = |is: String| {
            let place = if path.is_empty() {
                "value".to_owned()
            } else {
                format!("struct field {of}.{path}")
            };
            Err(format!(
                "json: cannot unmarshal {is} into Go {place} of type {}",
                self.name()
            ))
        };
        let is = match value {
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Float(_) => "number",
            Value::Str(_) => "string",
            Value::List(_) => "array",
            _ => "object",
        };
        match (self, value) {
            (Ty::Any, _) | (Ty::Str | Ty::Text(_), Value::Str(_)) | (Ty::Bool, Value::Bool(_)) => Ok(value.clone()),
            (Ty::Int(_), Value::Int(_)) => Ok(value.clone()),
            (Ty::Int(_), Value::Float(f)) => mismatch(format!("number {}", gofmt::json_float(*f))),
            (Ty::List(inner) | Ty::Pointers(inner), Value::List(items)) => {
                let all: std::result::Result<Vec<Value>, String> =
                    items.iter().map(|v| inner.decode(v, of, path)).collect();
                Ok(Value::list(all?))
            }
            (Ty::Map(inner), Value::Map(map)) => {
                let mut all = Value::map();
                for (k, v) in map.iter() {
                    let decoded = match inner.decode(v, of, path)? {
                        // A null leaves what a new entry begins with.
                        Value::Null if matches!(inner, Ty::Str) => Value::from(""),
                        other => other,
                    };
                    all.map_mut().insert(k.clone(), decoded);
                }
                Ok(all)
            }
            (Ty::Struct(name, fields), Value::Map(map)) => {
                let mut all = Value::map();
                for (key, v) in map.iter() {
                    let field = fields
                        .iter()
                        .find(|(n, _)| n == &key.as_str())
                        .or_else(|| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(key)));
                    let Some((field, ty)) = field else {
                        return Err(format!("json: unknown field {}", gofmt::quote(key)));
                    };
                    let path = if path.is_empty() {
                        (*field).to_owned()
                    } else {
                        format!("{path}.{field}")
                    };
                    let decoded = ty.decode(v, name, &path)?;
                    if !decoded.is_null() {
                        all.map_mut().insert(*field, decoded);
                    }
                }
                Ok(all)
            }
            _ => mismatch(is.to_owned()),
        }
    }
}

/// A kustomization's fields, old names replaced.
#[derive(Clone, Debug)]
pub struct Kustomization {
    pub value: Value,
    /// The file that it was read from.
    pub file: &'static str,
}

/// Fields that have another name now, in the order in which they are warned of.
const OLD_FIELDS: [(&str, &str, &str); 6] = [
    ("bases", "resources", ""),
    ("commonLabels", "labels", ""),
    ("imageTags", "images", ""),
    ("patchesJson6902", "patches", ""),
    ("patchesStrategicMerge", "patches", ""),
    ("vars", "replacements", "[EXPERIMENTAL] "),
];

impl Kustomization {
    /// Reads a loader's kustomization file; `warn` is told of old fields.
    ///
    /// # Errors
    /// When there is none, or several, or it cannot be decoded.
    pub fn load(loader: &Loader, warn: &mut Vec<String>) -> Result<Kustomization> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for name in FILE_NAMES {
            if let Ok(text) = loader.load_text(name) {
                found.push((name, text));
            }
        }
        let (file, text) = match found.as_slice() {
            [] => {
                return fail(format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                    loader.root
                ));
            }
            [(file, text)] => (*file, text),
            _ => return fail(format!("Found multiple kustomization files under: {}\n", loader.root)),
        };
        let value = parse(text).map_err(|e| Error::said(format!("invalid Kustomization: {e}")))?;
        for (old, new, experimental) in OLD_FIELDS {
            if value.has(old) {
                warn.push(format!(
                    "# Warning: '{old}' is deprecated. Please use '{new}' instead. {experimental}Run 'kustomize edit \
                     fix' to update your Kustomization automatically."
                ));
            }
        }
        let mut k = Kustomization { value, file };
        k.fix();
        let meta = ["kind", "apiVersion"];
        if !k.value.entries().any(|(key, _)| !meta.contains(&key.as_str())) {
            return fail("kustomization.yaml is empty");
        }
        let mut errors = Vec::new();
        let kind = k.str("kind");
        if kind != "Kustomization" && kind != COMPONENT {
            errors.push("kind should be Kustomization or Component".to_owned());
        }
        let wanted = if kind == COMPONENT { COMPONENT_VERSION } else { VERSION };
        if k.str("apiVersion") != wanted {
            errors.push(format!("apiVersion for {kind} should be {wanted}"));
        }
        if errors.is_empty() {
            Ok(k)
        } else {
            fail(format!(
                "Failed to read kustomization file under {}:\n{}",
                loader.root,
                errors.join("\n")
            ))
        }
    }

    pub fn str(&self, field: &str) -> &str {
        self.value.str_at(&[field])
    }

    /// A list of texts.
    pub fn texts(&self, field: &str) -> Vec<&str> {
        self.value.get(field).items().iter().map(Value::str).collect()
    }

    pub fn items(&self, field: &str) -> &[Value] {
        self.value.get(field).items()
    }

    fn fix(&mut self) {
        let value = &mut self.value;
        if value.str_at(&["kind"]).is_empty() {
            value.set(&["kind"], "Kustomization");
        }
        if value.str_at(&["apiVersion"]).is_empty() {
            let component = value.str_at(&["kind"]) == COMPONENT;
            value.set(&["apiVersion"], if component { COMPONENT_VERSION } else { VERSION });
        }
        for (old, new) in [("bases", "resources"), ("imageTags", "images")] {
            if let Some(Value::List(more)) = value.remove(&[old]) {
                value.at_mut(&[new]).list_mut().extend(more.iter().cloned());
            }
        }
        for generator in ["configMapGenerator", "secretGenerator"] {
            if !value.has(generator) {
                continue;
            }
            for args in value.at_mut(&[generator]).list_mut() {
                let env = args.str_at(&["env"]).to_owned();
                if !env.is_empty() {
                    args.at_mut(&["envs"]).list_mut().push(Value::from(env));
                    args.remove(&["env"]);
                }
            }
        }
    }
}

fn parse(text: &str) -> std::result::Result<Value, String> {
    let value = yaml::decode(text).map_err(|e| e.to_string())?;
    match KUSTOMIZATION.decode(&value, "", "")? {
        Value::Null => Ok(Value::map()),
        value => Ok(value),
    }
}

/// A list of replacements in a file of its own, or a single one.
///
/// # Errors
/// When it is no YAML or has other fields.
pub fn replacements(text: &str) -> Result<Vec<Value>> {
    let value = yaml::decode(text).map_err(|e| Error::said(format!("error converting YAML to JSON: {e}")))?;
    let decode = |v: &Value| {
        REPLACEMENT
            .decode(v, "", "")
            .map_err(|e| Error::said(format!("error unmarshaling JSON: while decoding JSON: {e}")))
    };
    match &value {
        Value::List(items) => items.iter().map(decode).collect(),
        Value::Map(_) => Ok(vec![decode(&value)?]),
        other => fail(format!(
            "unsupported replacement type encountered within replacement path: {}",
            match other {
                Value::Str(_) => "string",
                Value::Bool(_) => "bool",
                Value::Null => "invalid",
                _ => "float64",
            }
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_go() {
        for (text, want) in [
            ("namePrefix: x", "{\"namePrefix\":\"x\"}"),
            ("NamePrefix: x", "{\"namePrefix\":\"x\"}"),
            ("resource: [a]", "json: unknown field \"resource\""),
            (
                "images: [{name: a, newTag: 1.27}]",
                "json: cannot unmarshal number into Go struct field Image.images.newTag of type string",
            ),
            (
                "resources: a.yaml",
                "json: cannot unmarshal string into Go struct field Kustomization.resources of type []string",
            ),
            (
                "replicas: [{name: a, count: 1.5}]",
                "json: cannot unmarshal number 1.5 into Go struct field Replica.replicas.count of type int64",
            ),
            (
                "labels: {a: b}",
                "json: cannot unmarshal object into Go struct field Kustomization.labels of type []types.Label",
            ),
            (
                "commonLabels: {a: true}",
                "json: cannot unmarshal bool into Go struct field Kustomization.commonLabels of type string",
            ),
            (
                "- a",
                "json: cannot unmarshal array into Go value of type types.Kustomization",
            ),
            ("a: b: c", "yaml: mapping values are not allowed in this context"),
            ("", "{}"),
            ("resources:", "{}"),
        ] {
            let got = match parse(text) {
                Ok(v) => v.to_json(),
                Err(e) => e,
            };
            assert_eq!(got, want, "{text}");
        }
    }
}
