//! Custom resources: what a CustomResourceDefinition makes the server serve.

pub mod definition;
pub mod openapi;
mod rules;
pub mod structural;

use std::rc::Rc;

use super::jsonpath::JsonPath;
use super::kinds::versions;
use super::object::Object;
use super::resource::{Resource, join, split};
use super::schema::Type;
use super::status::{FieldErrorKind, FieldErrors};
use super::strategy::{Context, Strategy};
use super::{Status, names, table};
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::{Value, base64, gofmt, gojson, intern, quoted, sha256};
use rules::Rules;

/// The shelf of the definitions.
pub const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// A printer column.
#[derive(Debug)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    /// As in OpenAPI (`date-time`); empty for none.
    pub format: String,
    /// What the column shows.
    pub description: String,
    /// 0 for a column that is always shown; higher ones need `-o wide`.
    pub priority: i64,
    /// `.spec.source`, as the definition has it.
    pub path_text: String,
    /// `None` for a path that cannot be parsed, whose cells are empty.
    path: Option<JsonPath>,
}

/// `subresources.scale` of a version: paths of fields.
#[derive(Debug)]
pub struct Scale {
    /// Where the replicas that are asked for stand.
    pub spec_replicas: Vec<String>,
    /// Where the replicas that are there stand.
    pub status_replicas: Vec<String>,
    /// Empty when there is none.
    pub selector: Vec<String>,
}

/// One served version of a definition.
#[derive(Debug)]
pub struct CustomVersion {
    /// The definition that it is of.
    pub definition: Object,
    /// The version's entry in the definition's `spec.versions`.
    pub version: Value,
    /// Its `openAPIV3Schema`.
    pub schema: Value,
    /// The type of its objects.
    pub ty: Rc<Type>,
    /// Whether `/status` is served, so that it alone writes the status.
    pub status: bool,
    /// `None` where `/scale` is not served.
    pub scale: Option<Scale>,
    /// Its printer columns, in their order.
    pub columns: Vec<Column>,
    /// Its rules in CEL.
    rules: Option<Rules>,
    /// The fields that field selectors may name, as they name them (`spec.color`).
    selectable: Vec<String>,
}

#[cfg(test)]
mod tests;

impl PartialEq for CustomVersion {
    fn eq(&self, other: &CustomVersion) -> bool {
        std::ptr::eq(self, other)
    }
}

/// Whether a definition's condition is true.
pub fn condition(definition: &Object, kind: &str) -> bool {
    definition
        .condition(kind)
        .is_some_and(|c| c.get("status").str() == "True")
}

/// A simple path, `.spec.replicas`, as its fields.
fn fields(path: &str) -> Vec<String> {
    path.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// The value at a path of fields.
pub fn at<'v>(value: &'v Value, path: &[String]) -> &'v Value {
    path.iter().fold(value, |v, field| v.get(field))
}

impl CustomVersion {
    fn new(definition: &Object, version: &Value) -> CustomVersion {
        let schema = version.at(&["schema", "openAPIV3Schema"]).clone();
        let group = definition.spec().get("group").str();
        let kind = definition.at(&["status", "acceptedNames", "kind"]).str();
        let name = format!("{group}.{}.{kind}", version.get("name").str());
        let subresources = version.get("subresources");
        let scale = subresources.get("scale");
        let columns = version.get("additionalPrinterColumns");
        let column = |c: &Value| Column {
            name: c.get("name").str().to_owned(),
            kind: c.get("type").str().to_owned(),
            format: c.get("format").str().to_owned(),
            description: c.get("description").str().to_owned(),
            priority: c.i64_at(&["priority"]).unwrap_or(0),
            path_text: c.get("jsonPath").str().to_owned(),
            path: JsonPath::parse(&format!("{{{}}}", c.get("jsonPath").str()))
                .ok()
                .map(|p| p.allow_missing_keys(true)),
        };
        let mut columns: Vec<Column> = columns.items().iter().map(column).collect();
        if columns.is_empty() {
            columns.push(column(&crate::obj! {
                "name": "Age",
                "type": "date",
                "description": CREATED,
                "jsonPath": ".metadata.creationTimestamp",
            }));
        }
        CustomVersion {
            definition: definition.clone(),
            version: version.clone(),
            ty: structural::type_of(&schema, &name),
            rules: Rules::new(&schema, true),
            schema,
            status: subresources.has("status"),
            scale: scale.as_map().map(|_| Scale {
                spec_replicas: fields(scale.get("specReplicasPath").str()),
                status_replicas: fields(scale.get("statusReplicasPath").str()),
                selector: fields(scale.get("labelSelectorPath").str()),
            }),
            columns,
            selectable: version
                .get("selectableFields")
                .items()
                .iter()
                .map(|f| f.get("jsonPath").str().trim_start_matches('.').to_owned())
                .collect(),
        }
    }

    /// Whether the definition is being deleted, so that nothing new is created.
    pub fn terminating(&self) -> bool {
        condition(&self.definition, "Terminating")
    }

    /// The warning that is sent with every answer of a deprecated version.
    pub fn deprecation(&self) -> Option<String> {
        if !self.version.bool_at(&["deprecated"]) {
            return None;
        }
        let own = self.version.get("deprecationWarning");
        Some(match own.as_str() {
            Some(own) => own.to_owned(),
            None => format!(
                "{}/{} {} is deprecated",
                self.definition.spec().get("group").str(),
                self.version.get("name").str(),
                self.definition.at(&["spec", "names", "kind"]).str()
            ),
        })
    }

    /// The tree as this version has it: what the schema does not name is dropped (its paths go to
    /// `unknown`), what has a default is set.
    pub fn complete(&self, value: &mut Value, unknown: &mut Vec<String>) {
        structural::prune(value, &self.schema, unknown);
        structural::default(value, &self.schema);
    }

    /// Checks an object whose metadata was checked: by the schema, by the types of its lists, by its
    /// rules (`customResourceStrategy.Validate`).
    fn check(&self, value: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
        let first = errors.0.len();
        openapi::validate(value, &self.schema, "", old, errors);
        if let Some(scale) = &self.scale {
            for path in [&scale.spec_replicas, &scale.status_replicas] {
                check_replicas(value, path, errors);
            }
        }
        embedded(value, &self.schema, "", true, errors);
        openapi::validate_lists(value, &self.schema, "", old, errors);
        let Some(rules) = &self.rules else { return };
        let blocks = errors.0.iter().skip(first).any(|e| {
            matches!(
                e.kind,
                FieldErrorKind::NotSupported
                    | FieldErrorKind::Required
                    | FieldErrorKind::TooLong
                    | FieldErrorKind::TooMany
                    | FieldErrorKind::TypeInvalid
            )
        });
        if blocks {
            errors.invalid("<nil>", &Value::Null, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation");
        } else {
            rules.validate(value, &self.schema, "", old, errors);
        }
    }
}

/// A count of replicas fits a `Scale`.
fn check_replicas(value: &Value, path: &[String], errors: &mut FieldErrors) {
    let count = at(value, path);
    let field = format!(".{}", path.join("."));
    match count.as_i64() {
        Some(n) if n < 0 => errors.invalid(field, count, "should be a non-negative integer"),
        Some(n) if n > i64::from(i32::MAX) => {
            errors.invalid(field, count, format!("should be less than or equal to {}", i32::MAX))
        }
        _ => {}
    }
}

/// Checks the objects in an object (`schemaobjectmeta.Validate`).
fn embedded(value: &Value, schema: &Value, path: &str, root: bool, errors: &mut FieldErrors) {
    let inside = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Map(_) => {
            if !root && schema.bool_at(&[structural::EMBEDDED]) {
                for key in ["apiVersion", "kind"] {
                    match value.get(key) {
                        Value::Null => errors.required(inside(key), "must not be empty"),
                        Value::Str(s) if s.is_empty() => {
                            errors.invalid(inside(key), value.get(key), "must not be empty")
                        }
                        Value::Str(_) => {}
                        _ => errors.invalid(inside(key), value.get(key), "must be a string"),
                    }
                }
                let metadata = value.get("metadata");
                let name = metadata.get("name");
                if !name.is_empty()
                    && let Err(why) = names::dns1123_subdomain(name.str())
                {
                    errors.invalid(inside("metadata.name"), name, why);
                }
                super::metadata::labels(metadata.get("labels"), &inside("metadata.labels"), errors);
                super::metadata::annotations(metadata.get("annotations"), &inside("metadata.annotations"), errors);
            }
            for (key, item) in value.entries() {
                let inner = match schema.at(&["properties", key]) {
                    Value::Null => schema.get("additionalProperties"),
                    property => property,
                };
                if inner.as_map().is_some() {
                    embedded(item, inner, &inside(key), false, errors);
                }
            }
        }
        Value::List(items) => {
            let inner = schema.get("items");
            for (i, item) in items.iter().enumerate() {
                embedded(item, inner, &format!("{path}[{i}]"), false, errors);
            }
        }
        _ => {}
    }
}

/// The description of the columns `Name` and `Age` (of `metav1.ObjectMeta`'s documentation).
pub const NAMED: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

impl Strategy for CustomVersion {
    fn defaults(&self, object: &mut Value) {
        self.complete(object, &mut Vec::new());
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        if self.status {
            object.remove(&["status"]);
        }
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        if self.status {
            match old.value().get("status") {
                Value::Null => {
                    new.remove(&["status"]);
                }
                status => new.set(&["status"], status.clone()),
            }
        }
        Ok(())
    }

    fn prepare_status(&self, new: &mut Value, old: &Object) {
        let status = new.get("status").clone();
        *new = old.value().clone();
        if status.is_null() {
            new.remove(&["status"]);
        } else {
            new.set(&["status"], status);
        }
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        self.check(object, None, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.check(new, Some(old.value()), errors);
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.check(new, Some(old.value()), errors);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        finalizer_warnings(object, None)
    }

    fn update_warnings(&self, new: &Value, old: &Object) -> Vec<String> {
        finalizer_warnings(new, Some(old))
    }

    fn status_is_plain(&self) -> bool {
        !self.status
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        if !self.selectable.iter().any(|f| f == field) {
            return None;
        }
        Some(match at(object.value(), &fields(field)) {
            Value::Null => String::new(),
            value => gofmt::display(value),
        })
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let mut cells = vec![Value::from(object.name())];
        cells.extend(self.columns.iter().map(|c| c.cell(object.value(), now)));
        Some(cells)
    }
}

/// What is said of new finalizers without a domain (`generateWarningsFromObj`).
fn finalizer_warnings(new: &Value, old: Option<&Object>) -> Vec<String> {
    let names = new.at(&["metadata", "finalizers"]).items().iter().map(Value::str);
    let mut added: Vec<&str> = names
        .filter(|f| !names::is_finalizer(f) && !old.is_some_and(|o| o.finalizers().any(|had| had == *f)))
        .collect();
    added.arrange();
    let say = |name: &str| {
        let path = if name.contains('.') {
            " including a path (/)"
        } else {
            ""
        };
        format!(
            "metadata.finalizers: {}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers",
            quoted(name)
        )
    };
    added.into_iter().map(say).collect()
}

impl Column {
    /// `cellForJSONValue` of apiextensions' table convertor.
    fn cell(&self, object: &Value, now: Time) -> Value {
        let found = self.path.as_ref().and_then(|p| p.first(object).ok().flatten());
        let Some(found) = found else {
            return Value::Null;
        };
        match (self.kind.as_str(), &found) {
            ("string", Value::Map(_) | Value::List(_)) => gojson::compact(&found, true).into(),
            ("string", Value::Null) => "<no value>".into(),
            ("string", _) => gofmt::display(&found).into(),
            ("integer", Value::Int(_)) | ("number", Value::Float(_)) | ("boolean", Value::Bool(_)) => found,
            ("integer", Value::Float(f)) => Value::Int(*f as i64),
            ("number", Value::Int(i)) => Value::Float(*i as f64),
            ("date", Value::Str(text)) => match Time::parse(text) {
                // Two seconds may pass for a clock that goes wrong.
                Some(then) if then.since(now).as_secs() >= 2 => "<invalid>".into(),
                Some(then) => table::age(then, now).into(),
                None if text.is_empty() || &**text == "null" => "<unknown>".into(),
                None => "<invalid>".into(),
            },
            _ => Value::Null,
        }
    }
}

/// The resources that these definitions make the server serve, in the order of discovery. Those of
/// `present` whose definition did not change are kept as they are.
pub fn served(definitions: &[Object], present: &[Rc<Resource>]) -> Vec<Rc<Resource>> {
    let mut found: Vec<Rc<Resource>> = Vec::new();
    for definition in definitions.iter().filter(|d| condition(d, "Established")) {
        let kept: Vec<Rc<Resource>> = present
            .iter()
            .filter(|r| r.custom.as_ref().is_some_and(|c| same(&c.definition, definition)))
            .cloned()
            .collect();
        if kept.is_empty() {
            found.extend(resources(definition));
        } else {
            found.extend(kept);
        }
    }
    // The groups by name, in each the versions by what they promise, in each the resources by name.
    found.arrange_by(|a, b| {
        (&a.group, version_order(&a.version), &a.name).cmp(&(&b.group, version_order(&b.version), &b.name))
    });
    found
}

/// Whether two versions of a definition serve the same.
fn same(a: &Object, b: &Object) -> bool {
    a.uid() == b.uid()
        && a.spec() == b.spec()
        && a.at(&["status", "acceptedNames"]) == b.at(&["status", "acceptedNames"])
        && condition(a, "Terminating") == condition(b, "Terminating")
}

/// The key by which versions are sorted (`version.CompareKubeAwareVersionStrings`): general ones
/// first, then beta, then alpha, each from the newest on; others last, by name.
pub fn version_order(version: &str) -> (u8, std::cmp::Reverse<(u64, u64)>, String) {
    let other = (3, std::cmp::Reverse((0, 0)), version.to_owned());
    let Some(rest) = version.strip_prefix('v') else {
        return other;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, rest) = rest.split_at(digits);
    let Ok(major) = major.parse::<u64>() else {
        return other;
    };
    let (rank, minor) = match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
        _ if rest.is_empty() => (0, "0"),
        (Some(minor), _) => (1, minor),
        (_, Some(minor)) => (2, minor),
        _ => return other,
    };
    match minor.parse::<u64>() {
        Ok(minor) => (rank, std::cmp::Reverse((major, minor)), String::new()),
        Err(_) => other,
    }
}

/// `discovery.StorageVersionHash`.
fn storage_version_hash(group: &str, version: &str, kind: &str) -> Rc<str> {
    let hash = sha256::digest(format!("{group}/{version}, Kind={kind}").as_bytes());
    base64::encode(hash.get(..8).unwrap_or_default()).into()
}

fn resources(definition: &Object) -> Vec<Rc<Resource>> {
    let spec = definition.spec();
    let group = intern(spec.get("group").str());
    let names = definition.at(&["status", "acceptedNames"]);
    let plural = names.get("plural").str();
    let kind: Rc<str> = names.get("kind").str().into();
    let texts = |field: &str| -> Vec<Rc<str>> { names.get(field).items().iter().map(|s| s.str().into()).collect() };
    let verbs = |list: &[&str]| -> Vec<Rc<str>> { list.iter().map(|v| intern(v)).collect() };
    let versions = spec.get("versions").items();
    let storage = versions
        .iter()
        .find(|v| v.bool_at(&["storage"]))
        .map_or("", |v| v.get("name").str());
    let mut found = Vec::new();
    for version in versions.iter().filter(|v| v.bool_at(&["served"])) {
        let custom = Rc::new(CustomVersion::new(definition, version));
        let whole = Resource {
            group: group.clone(),
            version: intern(version.get("name").str()),
            name: plural.into(),
            singular: names.get("singular").str().into(),
            kind: kind.clone(),
            namespaced: spec.get("scope").str() == "Namespaced",
            verbs: if custom.terminating() {
                verbs(&["delete", "deletecollection", "get", "list", "watch"])
            } else {
                verbs(&[
                    "delete",
                    "deletecollection",
                    "get",
                    "list",
                    "patch",
                    "create",
                    "update",
                    "watch",
                ])
            },
            short_names: texts("shortNames"),
            categories: texts("categories"),
            kind_group_version: None,
            storage_version_hash: storage_version_hash(&group, storage, &kind),
            custom: Some(custom.clone()),
        };
        let part = |name: &str| Resource {
            name: format!("{plural}/{name}").into(),
            singular: "".into(),
            verbs: verbs(&["get", "patch", "update"]),
            short_names: Vec::new(),
            categories: Vec::new(),
            storage_version_hash: "".into(),
            ..whole.clone()
        };
        if custom.status {
            found.push(Rc::new(part("status")));
        }
        if custom.scale.is_some() {
            found.push(Rc::new(Resource {
                kind: "Scale".into(),
                kind_group_version: Some(("autoscaling".into(), "v1".into())),
                ..part("scale")
            }));
        }
        found.push(Rc::new(whole));
    }
    found
}

/// The object as one of its resource's versions shows it: with that version's name, and for a custom
/// resource without what its schema lacks and with its defaults.
pub fn in_version(object: Object, resource: &Resource) -> Object {
    let (group, version) = split(object.api_version());
    let other = version != &*resource.version || group != &*resource.group;
    if !other && resource.custom.is_none() {
        return object;
    }
    if let Some(versions) = versions::of(resource) {
        return Object::new(versions.shown(object.value(), resource));
    }
    let mut value = object.value().clone();
    if other {
        value.set(&["apiVersion"], join(&resource.group, &resource.version));
    }
    if let Some(custom) = &resource.custom {
        custom.complete(&mut value, &mut Vec::new());
    }
    if value.same(object.value()) {
        object
    } else {
        Object::new(value)
    }
}

/// The object as it is stored: in its definition's storage version.
pub fn to_storage(value: &mut Value, resource: &Resource) {
    let Some(custom) = &resource.custom else {
        return;
    };
    let versions = custom.definition.spec().get("versions").items();
    let Some(storage) = versions.iter().find(|v| v.bool_at(&["storage"])) else {
        return;
    };
    let name = storage.get("name").str();
    if name != &*resource.version {
        value.set(&["apiVersion"], join(&resource.group, name));
    }
}
