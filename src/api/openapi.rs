//! The OpenAPI documents: `/openapi/v3` (the index), `/openapi/v3/<group-version>` and `/openapi/v2`,
//! made from the schema table, from what is served, and from the definitions of custom resources.
//!
//! A document is built when it is first asked for and kept by the hash that the index gives it; the
//! hash follows from what the document depends on.

use std::cell::RefCell;
use std::rc::Rc;

use super::custom::structural::{EMBEDDED, PRESERVE};
use super::docs::Texts;
use super::resource::{self, Resource};
use super::schema::{self, Expr, Field, Type};
use super::server::ApiServer;
use crate::flat::{Case, FlatMap, FlatSet};
use crate::limits;
use crate::value::{Key, Map, Value, quoted};
use crate::{list, obj};

/// Documents that were built, by their paths, with their hashes.
#[derive(Default)]
pub struct Cache(RefCell<FlatMap<String, (String, Value)>>);

/// The two forms of the documents.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

impl Form {
    fn reference(self, name: &str) -> Value {
        let place = match self {
            Form::V2 => "#/definitions/",
            Form::V3 => "#/components/schemas/",
        };
        obj! { "$ref": format!("{place}{name}") }
    }
}

/// The paths of the group-versions that are served: `api/v1`, `apis/apps/v1`.
fn group_versions(api: &ApiServer) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for r in api.resources().iter() {
        let pair = (r.group.to_string(), r.version.to_string());
        if !all.contains(&pair) {
            all.push(pair);
        }
    }
    all
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// The index: each document's path with its hash.
pub fn index(api: &ApiServer) -> Value {
    let mut paths = Map::new();
    for (group, version) in group_versions(api) {
        let path = path_of(&group, &version);
        let url = format!("/openapi/v3/{path}?hash={}", hash(api, &group, &version));
        paths.insert(Key::from(path), obj! { "serverRelativeURL": url });
    }
    obj! { "paths": Value::from(paths) }
}

/// 128 hexadecimal digits (the form of the real one's SHA-512) that change when the document does.
fn hash(api: &ApiServer, group: &str, version: &str) -> String {
    let mut depends = format!("{group}/{version} {}", api.docs().texts().is_some());
    for r in api.resources().iter().filter(|r| fits(r, group, version)) {
        depends.push_str(&format!(" {}", r.name));
        if let Some(custom) = &r.custom {
            let metadata = custom.definition.value().get("metadata");
            let of = (metadata.str_at(&["uid"]), metadata.i64_at(&["generation"]));
            depends.push_str(&format!(" {of:?}"));
        }
    }
    // FNV-1a with eight beginnings: clients compare it and nothing else.
    (1..=8u64)
        .map(|i| {
            let mut h = 0xcbf2_9ce4_8422_2325 ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for byte in depends.bytes() {
                h = (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            format!("{h:016X}")
        })
        .collect()
}

fn fits(r: &Resource, group: &str, version: &str) -> bool {
    &*r.group == group && &*r.version == version
}

/// The document of a group and version; `None` when it is not served.
pub fn v3(api: &ApiServer, group: &str, version: &str) -> Option<Value> {
    if !api.resources().iter().any(|r| fits(r, group, version)) {
        return None;
    }
    let path = path_of(group, version);
    let hash = hash(api, group, version);
    Some(cached(api, path, hash, || {
        let mut writer = Writer::new(api, Form::V3);
        let paths = writer.paths(group, version);
        let schemas = writer.schemas();
        obj! {
            "openapi": "3.0.0",
            "info": info(),
            "paths": paths,
            "components": obj! {
                "schemas": schemas,
                "securitySchemes": obj! { "BearerToken": security() },
            },
        }
    }))
}

/// The document of everything, in the older form.
pub fn v2(api: &ApiServer) -> Value {
    let versions = group_versions(api);
    let hash: String = versions.iter().map(|(g, v)| hash(api, g, v)).collect();
    cached(api, "v2".into(), hash, || {
        let mut writer = Writer::new(api, Form::V2);
        let mut paths = Map::new();
        for (group, version) in versions {
            for (path, item) in writer.paths(&group, &version).entries() {
                paths.insert(path, item.clone());
            }
        }
        for name in schema::names() {
            writer.wanted.push(name.into());
        }
        let definitions = writer.schemas();
        obj! {
            "swagger": "2.0",
            "info": info(),
            "paths": Value::from(paths),
            "definitions": definitions,
            "securityDefinitions": obj! { "BearerToken": security() },
            "security": list![obj! { "BearerToken": list![] }],
        }
    })
}

fn cached(api: &ApiServer, path: String, hash: String, build: impl FnOnce() -> Value) -> Value {
    let cache = &api.openapi().0;
    if let Some((of, document)) = cache.borrow().get(&path)
        && *of == hash
    {
        return document.clone();
    }
    let document = build();
    let mut cache = cache.borrow_mut();
    if cache.len() >= limits::OPENAPI_DOCUMENTS {
        cache.pop_first();
    }
    cache.insert(path, (hash, document.clone()));
    document
}

fn info() -> Value {
    obj! { "title": "Kubernetes", "version": super::discovery::GIT_VERSION }
}

fn security() -> Value {
    obj! {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}

/// The media types of one object; of lists and watches there are more.
const MEDIA: [&str; 4] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/cbor",
];
const STREAMS: [&str; 3] = [
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/cbor-seq",
];
const PATCHES: [&str; 5] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
];

const DELETE_OPTIONS: &str = "m:apis.meta.v1.DeleteOptions";
const PATCH: &str = "m:apis.meta.v1.Patch";
const STATUS: &str = "m:apis.meta.v1.Status";

/// Query parameters: name, type, what it does.
type Parameter = (&'static str, &'static str, &'static str);

const LIST_PARAMETERS: &[Parameter] = &[
    (
        "allowWatchBookmarks",
        "boolean",
        "Whether a watch gets BOOKMARK events, which carry a resource version and no change.",
    ),
    (
        "continue",
        "string",
        "The token of an earlier page, to get the one after it.",
    ),
    (
        "fieldSelector",
        "string",
        "A selector to restrict the list of returned objects by their fields. Defaults to everything.",
    ),
    (
        "labelSelector",
        "string",
        "A selector to restrict the list of returned objects by their labels. Defaults to everything.",
    ),
    (
        "limit",
        "integer",
        "The most objects that one page holds; the rest comes with `continue`.",
    ),
    (
        "resourceVersion",
        "string",
        "The resource version that the answer must be of, or newer than.",
    ),
    (
        "resourceVersionMatch",
        "string",
        "How `resourceVersion` is understood by a list: NotOlderThan or Exact.",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "Whether a watch begins with the objects that exist, then a BOOKMARK.",
    ),
    (
        "shardSelector",
        "string",
        "Only objects of this shard; all when it is empty.",
    ),
    (
        "timeoutSeconds",
        "integer",
        "After how many seconds the call ends, whatever happens.",
    ),
    (
        "watch",
        "boolean",
        "Watch for changes to the described resources and return them as a stream of add, update, and remove \
         notifications. Specify resourceVersion.",
    ),
];
const WRITE_PARAMETERS: &[Parameter] = &[
    (
        "dryRun",
        "string",
        "With All nothing is stored: the answer is what would have been.",
    ),
    (
        "fieldManager",
        "string",
        "Who owns the fields that the request sets, in at most 128 printable characters.",
    ),
    (
        "fieldValidation",
        "string",
        "What happens to unknown and duplicate fields: Ignore, Warn or Strict.",
    ),
];
const FORCE: Parameter = (
    "force",
    "boolean",
    "Whether an apply takes over fields that others own.",
);
const DELETE_PARAMETERS: &[Parameter] = &[
    (
        "dryRun",
        "string",
        "With All nothing is deleted: the answer is what would have been.",
    ),
    (
        "gracePeriodSeconds",
        "integer",
        "The seconds until the object is removed; 0 removes it at once.",
    ),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "Whether an object is deleted that the store can no longer read.",
    ),
    (
        "orphanDependents",
        "boolean",
        "Older form of propagationPolicy: whether dependents stay.",
    ),
    (
        "propagationPolicy",
        "string",
        "What becomes of dependents: Orphan, Background or Foreground.",
    ),
];
const PRETTY: Parameter = ("pretty", "string", "With true the answer is indented.");

struct Writer<'a> {
    api: &'a ApiServer,
    form: Form,
    texts: Option<Rc<Texts>>,
    /// Types that something refers to, by short names.
    wanted: Vec<Rc<str>>,
    /// Types of custom resources, by full names.
    custom: FlatMap<String, Value>,
    /// Parts that many operations share.
    parameters: FlatMap<&'static str, Value>,
}

impl<'a> Writer<'a> {
    fn new(api: &'a ApiServer, form: Form) -> Writer<'a> {
        Writer {
            api,
            form,
            texts: api.docs().texts(),
            wanted: Vec::new(),
            custom: FlatMap::new(),
            parameters: FlatMap::new(),
        }
    }

    fn text(&self, name: &str, field: &str) -> String {
        self.texts.as_ref().map_or("", |t| t.text(name, field)).to_owned()
    }

    /// A reference to a type by its short name.
    fn refer(&mut self, name: &str) -> Value {
        self.wanted.push(name.into());
        self.form.reference(&schema::full_name(name))
    }

    /// The schemas of every type that was referred to, and of those that these refer to.
    fn schemas(&mut self) -> Value {
        let mut done: FlatSet<Rc<str>> = FlatSet::new();
        let mut all: Vec<(Key, Value)> = Vec::new();
        while let Some(name) = self.wanted.pop() {
            if !done.insert(name.clone()) {
                continue;
            }
            if let Some(ty) = schema::by_name(&name) {
                all.push((Key::from(schema::full_name(&name)), self.of_type(&ty)));
            }
        }
        all.extend(
            std::mem::take(&mut self.custom)
                .into_iter()
                .map(|(k, v)| (Key::from(k), v)),
        );
        Value::from(Map::from_entries(all))
    }

    /// The schema of a type.
    fn of_type(&mut self, ty: &Type) -> Value {
        let mut v = match &ty.special {
            Some(special) => self.of_special(special),
            None => obj! { "type": "object" },
        };
        v.set_or_remove(&["description"], self.text(&ty.name, ""));
        if !ty.fields.is_empty() {
            let fields: Vec<(Key, Value)> = ty
                .fields
                .iter()
                .map(|f| (f.name.clone(), self.of_field(ty, f)))
                .collect();
            v.set(&["properties"], Value::from(Map::from_entries(fields)));
            let required: Vec<Value> = ty
                .fields
                .iter()
                .filter(|f| f.required)
                .map(|f| (&f.name).into())
                .collect();
            if !required.is_empty() {
                v.set(&["required"], required);
            }
        }
        let kinds: Vec<Value> = ty.kinds.iter().filter_map(|k| kind_value(k)).collect();
        if !kinds.is_empty() {
            v.set(&["x-kubernetes-group-version-kind"], kinds);
        }
        v.set_or_remove(&["x-kubernetes-map-type"], ty.map_type.clone());
        v
    }

    /// What a type without fields is.
    fn of_special(&self, special: &Expr) -> Value {
        let either = |a: &str, b: &str| list![obj! { "type": a }, obj! { "type": b }];
        match (special, self.form) {
            (Expr::Quantity, Form::V3) => obj! { "oneOf": either("string", "number") },
            (Expr::IntOrString, Form::V3) => {
                obj! { "format": "int-or-string", "oneOf": either("integer", "string") }
            }
            (Expr::IntOrString, Form::V2) => obj! { "type": "string", "format": "int-or-string" },
            (Expr::Time | Expr::MicroTime, _) => obj! { "type": "string", "format": "date-time" },
            (Expr::Any, _) => obj! {},
            (Expr::Object, _) => obj! { "type": "object" },
            _ => obj! { "type": "string" },
        }
    }

    /// An expression; `named` is the type's name inside it.
    fn of_expr(&mut self, expr: &Expr, named: &str) -> Value {
        match expr {
            Expr::Str => obj! { "type": "string" },
            Expr::Int32 => obj! { "type": "integer", "format": "int32" },
            Expr::Int64 => obj! { "type": "integer", "format": "int64" },
            Expr::Bool => obj! { "type": "boolean" },
            Expr::Number => obj! { "type": "number", "format": "double" },
            Expr::Bytes => obj! { "type": "string", "format": "byte" },
            Expr::List(inner) => obj! { "type": "array", "items": self.of_item(inner, named) },
            Expr::Map(inner) => obj! { "type": "object", "additionalProperties": self.of_item(inner, named) },
            Expr::Ref(name) => self.refer(name),
            special if named.is_empty() => self.of_special(special),
            _ => self.refer(named),
        }
    }

    /// What a list or a map holds. In the newer form it has Go's zero value as its default.
    fn of_item(&mut self, expr: &Expr, named: &str) -> Value {
        let mut v = self.of_expr(expr, named);
        if self.form == Form::V2 {
            return v;
        }
        let zero = match expr {
            Expr::Str => Value::from(""),
            Expr::Int32 | Expr::Int64 | Expr::Number => Value::from(0),
            Expr::Bool => Value::from(false),
            Expr::Ref(_) => {
                v = obj! { "allOf": list![v] };
                obj! {}
            }
            _ => return v,
        };
        v.set(&["default"], zero);
        v
    }

    fn of_field(&mut self, ty: &Type, field: &Field) -> Value {
        let mut v = self.of_expr(&field.expr, &field.named);
        let mut text = self.text(&ty.name, &field.name);
        if text.is_empty()
            && &*field.name == "items"
            && let Some(of) = self.listed(ty)
        {
            text = format!("List of {of}");
        }
        if !field.allowed.is_empty() {
            let meaning = |value: &str| self.text(&ty.name, &format!("{}={value}", field.name));
            text.push_str(&possible_values(&field.allowed, meaning));
        }
        // Beside a reference nothing may stand in the newer form.
        if v.has("$ref") && self.form == Form::V3 && !(text.is_empty() && field.default.is_none()) {
            v = obj! { "allOf": list![v] };
            if matches!(&*field.name, "metadata" | "spec" | "status") && !ty.kinds.is_empty() {
                v.set(&["default"], obj! {});
            }
        }
        v.set_or_remove(&["description"], text);
        if let Some(default) = &field.default {
            v.set(&["default"], default.clone());
        }
        if !field.allowed.is_empty() {
            v.set(&["enum"], field.allowed.iter().map(Value::from).collect::<Value>());
        }
        for (key, value) in [
            ("x-kubernetes-list-type", &field.list_type),
            ("x-kubernetes-map-type", &field.map_type),
            ("x-kubernetes-patch-merge-key", &field.patch_merge_key),
            ("x-kubernetes-patch-strategy", &field.patch_strategy),
        ] {
            v.set_or_remove(&[key], value.clone());
        }
        if !field.list_map_keys.is_empty() {
            let keys: Value = field.list_map_keys.iter().map(Value::from).collect();
            v.set(&["x-kubernetes-list-map-keys"], keys);
        }
        v
    }

    /// The plural of what a list's type holds. The texts say nothing of lists.
    fn listed(&self, ty: &Type) -> Option<String> {
        let (group, version, kind) = ty.kinds.first().and_then(|k| kind_parts(k))?;
        let kind = kind.strip_suffix("List")?;
        let all = self.api.resources();
        let of = |r: &&Rc<Resource>| fits(r, group, version) && &*r.kind == kind && !r.name.contains('/');
        all.iter().find(of).map(|r| r.name.to_string())
    }

    /// The reference to a kind's type, or to a custom resource's; `None` for what has no type.
    fn refer_kind(&mut self, api_version: &str, kind: &str) -> Option<Value> {
        if let Some(ty) = schema::by_kind(api_version, kind) {
            return Some(self.refer(&ty.name));
        }
        let name = custom_name(api_version, kind);
        self.custom.contains_key(&name).then(|| self.form.reference(&name))
    }

    /// The types of a custom resource and of its list.
    fn add_custom(&mut self, r: &Resource) {
        let Some(custom) = r.custom.as_ref().filter(|_| !r.name.contains('/')) else {
            return;
        };
        let definition = custom.definition.value();
        let name = custom_name(&r.api_version(), &r.kind);
        let mut schema = custom.schema.clone();
        let open = self.form == Form::V2 && schema.bool_at(&[PRESERVE]);
        if open {
            // Clients would refuse what is not named, so nothing is.
            schema = obj! { "type": "object" };
        } else if self.form == Form::V2 {
            narrow(&mut schema);
        }
        if !schema.has("type") {
            schema.set(&["type"], "object");
        }
        let metadata = self.refer("m:apis.meta.v1.ObjectMeta");
        let meta = self.meta_fields(metadata, "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata");
        self.embed(&mut schema, meta.get("metadata"));
        for (field, value) in meta.entries().filter(|_| !open) {
            schema.set(&["properties", field], value.clone());
        }
        schema.set(
            &["x-kubernetes-group-version-kind"],
            list![gvk(&r.group, &r.version, &r.kind)],
        );
        let list_kind = match definition.str_at(&["spec", "names", "listKind"]) {
            "" => format!("{}List", r.kind),
            given => given.to_owned(),
        };
        let metadata = self.refer("m:apis.meta.v1.ListMeta");
        let mut properties = self.meta_fields(metadata, "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds");
        properties.set(
            &["items"],
            obj! {
                "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", r.name),
                "type": "array",
                "items": self.form.reference(&name),
            },
        );
        let list = obj! {
            "description": format!("{list_kind} is a list of {}", r.kind),
            "type": "object",
            "required": list!["items"],
            "properties": properties,
            "x-kubernetes-group-version-kind": list![gvk(&r.group, &r.version, &list_kind)],
        };
        self.custom.insert(name, schema);
        self.custom.insert(custom_name(&r.api_version(), &list_kind), list);
    }

    /// Gives the objects within a custom resource (`x-kubernetes-embedded-resource`) the fields that every
    /// object has (`addEmbeddedProperties`).
    fn embed(&self, schema: &mut Value, metadata: &Value) {
        for field in ["items", "additionalProperties"] {
            if schema.get(field).as_map().is_some() {
                self.embed(schema.at_mut(&[field]), metadata);
            }
        }
        let properties = schema.get("properties").clone();
        for (key, inner) in properties.entries().filter(|(_, v)| v.as_map().is_some()) {
            let mut made = inner.clone();
            self.embed(&mut made, metadata);
            if !made.same(inner) {
                schema.set(&["properties", key], made);
            }
        }
        let closed = self.form == Form::V2 && schema.bool_at(&[PRESERVE]);
        if closed || !schema.bool_at(&[EMBEDDED]) {
            return;
        }
        const VERSION: &str = "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
        const KIND: &str = "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
        for (field, text) in [("apiVersion", VERSION), ("kind", KIND)] {
            let property = obj! { "type": "string", "description": text };
            schema.set(&["properties", field], property);
        }
        schema.set(&["properties", "metadata"], metadata.clone());
        for field in ["kind", "apiVersion"] {
            if !schema.get("required").items().iter().any(|r| r.str() == field) {
                let mut required = schema.get("required").items().to_vec();
                required.push(field.into());
                schema.set(&["required"], required);
            }
        }
    }

    /// `apiVersion`, `kind` and `metadata`, which every kind has.
    fn meta_fields(&self, metadata: Value, text: &str) -> Value {
        let mut meta = match self.form {
            Form::V3 => obj! { "allOf": list![metadata] },
            Form::V2 => metadata,
        };
        meta.set(&["description"], text);
        let simple = |field: &str| {
            let mut v = obj! { "type": "string" };
            v.set_or_remove(&["description"], self.text("core.v1.Pod", field));
            v
        };
        obj! { "apiVersion": simple("apiVersion"), "kind": simple("kind"), "metadata": meta }
    }

    /// The paths of a group and version, with their operations.
    fn paths(&mut self, group: &str, version: &str) -> Value {
        let all = self.api.resources();
        let mut paths: Vec<(Key, Value)> = Vec::new();
        let root = format!("/{}/", path_of(group, version));
        let tag = tag(group, version);
        let resources: Vec<&Rc<Resource>> = all.iter().filter(|r| fits(r, group, version)).collect();
        for r in &resources {
            self.add_custom(r);
        }
        let reply = self.refer("m:apis.meta.v1.APIResourceList");
        let reply = self.response(Some(reply), &MEDIA);
        paths.push((
            Key::from(root.as_str()),
            obj! { "get": obj! {
                "tags": list![tag.as_str()], "description": "get available resources",
                "operationId": format!("get{}APIResources", camel(group, version)),
                "responses": obj! { "200": reply, "401": obj! { "description": "Unauthorized" } },
            } },
        ));
        for r in resources {
            let (name, sub) = r.name.split_once('/').unwrap_or((&r.name, ""));
            let scope = if r.namespaced { "namespaces/{namespace}/" } else { "" };
            let collection = format!("{root}{scope}{name}");
            let operation = Operation { r, sub, tag: &tag };
            if sub.is_empty() {
                let verbs = [("list", "get"), ("create", "post"), ("deletecollection", "delete")];
                self.item(&mut paths, &collection, r.namespaced, false, &operation, &verbs);
                if r.namespaced {
                    let whole = format!("{root}{name}");
                    self.item(&mut paths, &whole, false, false, &operation, &[("list", "get")]);
                }
                let verbs = [
                    ("get", "get"),
                    ("update", "put"),
                    ("patch", "patch"),
                    ("delete", "delete"),
                ];
                self.item(
                    &mut paths,
                    &format!("{collection}/{{name}}"),
                    r.namespaced,
                    true,
                    &operation,
                    &verbs,
                );
            } else {
                let path = format!("{collection}/{{name}}/{sub}");
                let verbs = [
                    ("get", "get"),
                    ("create", "post"),
                    ("update", "put"),
                    ("patch", "patch"),
                    ("delete", "delete"),
                ];
                self.item(&mut paths, &path, r.namespaced, true, &operation, &verbs);
            }
        }
        Value::from(Map::from_entries(paths))
    }

    /// One path with those of the operations that the resource has.
    fn item(
        &mut self,
        paths: &mut Vec<(Key, Value)>,
        path: &str,
        namespaced: bool,
        named: bool,
        operation: &Operation,
        verbs: &[(&str, &str)],
    ) {
        let mut item = Map::new();
        for (verb, method) in verbs.iter().filter(|(v, _)| operation.r.can(v)) {
            let value = self.operation(operation, verb, namespaced);
            item.insert(Key::from(*method), value);
        }
        if item.is_empty() {
            return;
        }
        let mut parameters = Vec::new();
        if named {
            parameters.push(self.path_parameter("name", &format!("name of the {}", operation.r.kind)));
        }
        if namespaced {
            parameters.push(self.path_parameter(
                "namespace",
                "object name and auth scope, such as for teams and projects",
            ));
        }
        parameters.push(self.parameter(&PRETTY));
        item.insert(Key::from("parameters"), Value::list(parameters));
        paths.push((Key::from(path), Value::from(item)));
    }

    fn path_parameter(&self, name: &str, text: &str) -> Value {
        let mut v = obj! { "name": name, "in": "path", "description": text, "required": true };
        self.typed(&mut v, "string");
        v.set(&["uniqueItems"], true);
        if self.form == Form::V3 {
            v.remove(&["uniqueItems"]);
            v.set(&["schema", "uniqueItems"], true);
        }
        v
    }

    fn typed(&self, parameter: &mut Value, ty: &str) {
        match self.form {
            Form::V2 => parameter.set(&["type"], ty),
            Form::V3 => parameter.set(&["schema"], obj! { "type": ty }),
        }
    }

    fn parameter(&mut self, (name, ty, text): &Parameter) -> Value {
        // `dryRun` of a deletion has a text of its own.
        if let Some(v) = self.parameters.get(text) {
            return v.clone();
        }
        let mut v = obj! { "name": *name, "in": "query", "description": *text };
        self.typed(&mut v, ty);
        let unique = match self.form {
            Form::V2 => ["uniqueItems"].as_slice(),
            Form::V3 => &["schema", "uniqueItems"],
        };
        v.set(unique, true);
        self.parameters.insert(text, v.clone());
        v
    }

    fn response(&self, schema: Option<Value>, media: &[&str]) -> Value {
        let mut v = obj! { "description": "OK" };
        let Some(schema) = schema else { return v };
        match self.form {
            Form::V2 => v.set(&["schema"], schema),
            Form::V3 => v.set(&["content"], content(&schema, media)),
        }
        v
    }

    fn operation(&mut self, operation: &Operation, verb: &str, namespaced: bool) -> Value {
        let r = operation.r;
        let (kind_group, kind_version) = match &r.kind_group_version {
            Some((g, v)) => (g.to_string(), v.to_string()),
            None => (r.group.to_string(), r.version.to_string()),
        };
        let connects = ["exec", "attach", "portforward", "proxy"].contains(&operation.sub);
        let action = match verb {
            _ if connects => "connect",
            "create" => "post",
            "update" => "put",
            other => other,
        };
        let api_version = resource::join(&kind_group, &kind_version);
        let object = self.refer_kind(&api_version, &r.kind);
        let answer = match verb {
            _ if connects => Some(obj! { "type": "string" }),
            _ if operation.sub == "log" => Some(obj! { "type": "string" }),
            "list" => self.refer_kind(&api_version, &format!("{}List", r.kind)),
            "delete" | "deletecollection" => Some(self.refer(STATUS)),
            _ => object.clone(),
        };
        let what = if operation.sub.is_empty() {
            String::new()
        } else {
            format!("{} of ", operation.sub)
        };
        let description = match action {
            "list" => format!("list or watch objects of kind {}", r.kind),
            "get" => format!("read {what}the specified {}", r.kind),
            "post" => format!("create {what}a {}", r.kind),
            "put" => format!("replace {what}the specified {}", r.kind),
            "patch" => format!("partially update {what}the specified {}", r.kind),
            "delete" => format!("delete {what}a {}", r.kind),
            "deletecollection" => format!("delete collection of {}", r.kind),
            _ => format!("connect to {}", operation.sub),
        };
        let mut parameters: Vec<Value> = Vec::new();
        let wanted: &[Parameter] = match verb {
            "list" => LIST_PARAMETERS,
            "create" | "update" | "patch" if !connects => WRITE_PARAMETERS,
            "delete" if !connects => DELETE_PARAMETERS,
            _ => &[],
        };
        for p in wanted {
            parameters.push(self.parameter(p));
        }
        if verb == "patch" {
            parameters.push(self.parameter(&FORCE));
        }
        if verb == "deletecollection" {
            for p in LIST_PARAMETERS.iter().chain(DELETE_PARAMETERS) {
                if p.0 != "watch" && p.0 != "allowWatchBookmarks" {
                    parameters.push(self.parameter(p));
                }
            }
        }
        let body = match verb {
            _ if connects => None,
            "create" | "update" => object,
            "patch" => Some(self.refer(PATCH)),
            "delete" | "deletecollection" => Some(self.refer(DELETE_OPTIONS)),
            _ => None,
        };
        let media: Vec<&str> = match verb {
            _ if connects => vec!["*/*"],
            "list" => MEDIA.iter().chain(&STREAMS).copied().collect(),
            _ => MEDIA.to_vec(),
        };
        let reply = self.response(answer, &media);
        let mut responses = obj! { "200": reply.clone(), "401": obj! { "description": "Unauthorized" } };
        if matches!(verb, "create" | "update" | "patch") && !connects {
            let mut created = reply.clone();
            created.set(&["description"], "Created");
            responses.set(&["201"], created);
        }
        if matches!(verb, "create" | "delete") && !connects {
            let mut accepted = reply;
            accepted.set(&["description"], "Accepted");
            responses.set(&["202"], accepted);
        }
        let mut v = obj! {
            "tags": list![operation.tag],
            "description": description,
            "operationId": operation_id(operation, verb, namespaced),
            "responses": responses,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk(&kind_group, &kind_version, &r.kind),
        };
        // Custom resources have no strategic merge patch; clients choose theirs by what is said here.
        let strategic = |patch: &&str| r.custom.is_none() || !patch.contains("strategic");
        let sent: Vec<&str> = match verb {
            "patch" => PATCHES.into_iter().filter(strategic).collect(),
            _ => vec!["*/*"],
        };
        if let Some(body) = body {
            match self.form {
                Form::V3 => v.set(
                    &["requestBody"],
                    obj! { "content": content(&body, &sent), "required": true },
                ),
                Form::V2 => {
                    parameters.insert(
                        0,
                        obj! { "name": "body", "in": "body", "required": true, "schema": body },
                    );
                }
            }
        }
        if self.form == Form::V2 {
            let words = |list: &[&str]| list.iter().map(Value::from).collect::<Value>();
            v.set(&["consumes"], words(&sent));
            v.set(&["produces"], words(&media));
            v.set(&["schemes"], list!["https"]);
        }
        if !parameters.is_empty() {
            v.set(&["parameters"], Value::list(parameters));
        }
        v
    }
}

/// A resource or subresource whose operations are written.
struct Operation<'a> {
    r: &'a Resource,
    sub: &'a str,
    tag: &'a str,
}

fn content(schema: &Value, media: &[&str]) -> Value {
    let entry = obj! { "schema": schema.clone() };
    media.iter().map(|m| (Key::from(*m), entry.clone())).collect()
}

/// `\n\nPossible enum values:` with the values and what each means, where that is known.
fn possible_values(allowed: &[Rc<str>], meaning: impl Fn(&str) -> String) -> String {
    let mut text = "\n\nPossible enum values:".to_owned();
    for value in allowed {
        text.push_str(&format!("\n - `{value}`", value = quoted(&value)));
        let meaning = meaning(value);
        if !meaning.is_empty() {
            text.push(' ');
            text.push_str(&meaning);
        }
    }
    text
}

fn gvk(group: &str, version: &str, kind: &str) -> Value {
    obj! { "group": group, "kind": kind, "version": version }
}

/// Group, version and kind of `apps/v1/Deployment` or `v1/Pod`.
fn kind_parts(text: &str) -> Option<(&str, &str, &str)> {
    let (api_version, kind) = text.rsplit_once('/')?;
    let (group, version) = resource::split(api_version);
    Some((group, version, kind))
}

/// The same as a tree.
fn kind_value(text: &str) -> Option<Value> {
    kind_parts(text).map(|(group, version, kind)| gvk(group, version, kind))
}

/// Makes a custom resource's schema one of the older form: without what that lacks (`allOf`, `anyOf`,
/// `oneOf`, `not`, `nullable`), and without types where any field or null may stand, since kubectl
/// would refuse them (apiextensions-apiserver's conversion of structural schemas).
fn narrow(schema: &mut Value) {
    let open = schema.bool_at(&[PRESERVE]);
    let nullable = schema.bool_at(&["nullable"]);
    for key in ["allOf", "anyOf", "oneOf", "not", "nullable"] {
        schema.remove(&[key]);
    }
    if open || nullable {
        schema.remove(&["items"]);
        schema.remove(&["properties"]);
    }
    let kind = schema.str_at(&["type"]);
    if nullable || (kind == "array" && !schema.has("items")) || (kind == "object" && open) {
        schema.remove(&["type"]);
    }
    let null = |v: &Value| v.bool_at(&["nullable"]);
    let nullable: Vec<Key> = schema
        .get("properties")
        .entries()
        .filter(|(_, v)| null(v))
        .map(|(k, _)| k.clone())
        .collect();
    if !nullable.is_empty() {
        let left: Value = (schema.get("required").items().iter())
            .filter(|r| !nullable.iter().any(|n| **n == *r.str()))
            .cloned()
            .collect();
        schema.set_or_remove(&["required"], left);
    }
    for key in ["items", "additionalProperties"] {
        if schema.get(key).as_map().is_some() {
            narrow(schema.at_mut(&[key]));
        }
    }
    if let Some(properties) = schema.map_mut().get_mut("properties") {
        let narrowed = properties.entries().map(|(key, value)| {
            let mut value = value.clone();
            narrow(&mut value);
            (key.clone(), value)
        });
        *properties = narrowed.collect();
    }
}

/// `io.acme.storage.v1.Backup`: the type's name of a custom resource.
fn custom_name(api_version: &str, kind: &str) -> String {
    let (group, version) = resource::split(api_version);
    let mut parts: Vec<&str> = group.split('.').rev().collect();
    parts.extend([version, kind]);
    parts.join(".")
}

/// The group's name in tags and operations: `core`, `apps`, `rbacAuthorization`, `storageAcmeIo`.
fn group_words(group: &str) -> String {
    let bare = group.strip_suffix(".k8s.io").unwrap_or(group);
    let bare = if bare.is_empty() { "core" } else { bare };
    let mut text = String::new();
    for (i, part) in bare.split(['.', '-']).enumerate() {
        text.push_str(&if i == 0 { part.to_owned() } else { upper(part) });
    }
    text
}

fn tag(group: &str, version: &str) -> String {
    format!("{}_{version}", group_words(group))
}

fn camel(group: &str, version: &str) -> String {
    format!("{}{}", upper(&group_words(group)), upper(version))
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => std::iter::once(first.upper()).chain(chars).collect(),
        None => String::new(),
    }
}

fn operation_id(operation: &Operation, verb: &str, namespaced: bool) -> String {
    let r = operation.r;
    let start = match verb {
        "get" => "read",
        "update" => "replace",
        "deletecollection" => "deleteCollection",
        other => other,
    };
    let scope = match (r.namespaced, namespaced) {
        (true, true) => "Namespaced",
        _ => "",
    };
    let after = if r.namespaced && !namespaced {
        "ForAllNamespaces"
    } else {
        ""
    };
    let kind = match operation.sub {
        "" => r.kind.to_string(),
        // A subresource's operations are named after what it belongs to.
        _ => format!("{}{}", owner(r), upper(operation.sub)),
    };
    format!("{start}{}{scope}{kind}{after}", camel(&r.group, &r.version))
}

/// The kind that a subresource belongs to.
fn owner(sub: &Resource) -> String {
    let name = sub.name.split('/').next().unwrap_or("");
    let all = resource::built_in();
    let found = all.iter().find(|r| &*r.name == name && r.group == sub.group);
    found.map_or_else(|| sub.kind.to_string(), |r| r.kind.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Payload, Request};
    use crate::sim::{Sim, Time};

    fn server() -> ApiServer {
        ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)))
    }

    fn get(api: &ApiServer, path: &str) -> Value {
        let response = api.serve(Request::get(path));
        assert_eq!(response.code, 200, "{path}");
        match response.payload {
            Payload::Value(v) => v,
            other => panic!("{other:?}"),
        }
    }

    /// Every reference of a document leads somewhere.
    fn check(document: &Value, root: &str, names: &Value) {
        let mut walk = vec![document.clone()];
        while let Some(v) = walk.pop() {
            if let Some(name) = v.get("$ref").as_str() {
                let name = name.strip_prefix(root).unwrap();
                assert!(names.has(name), "{name}");
            }
            walk.extend(v.entries().map(|(_, x)| x.clone()));
            walk.extend(v.items().iter().cloned());
        }
    }

    #[test]
    fn documents() {
        let api = server();
        let index = get(&api, "/openapi/v3");
        let mut ids = FlatSet::new();
        for (path, entry) in index.get("paths").entries() {
            let url = entry.str_at(&["serverRelativeURL"]);
            let (bare, hash) = url.split_once("?hash=").unwrap();
            assert_eq!(bare, format!("/openapi/v3/{path}"));
            assert_eq!(hash.len(), 128);
            let document = get(&api, bare);
            check(
                &document,
                "#/components/schemas/",
                document.at(&["components", "schemas"]),
            );
            for (_, item) in document.get("paths").entries() {
                for (method, operation) in item.entries().filter(|(m, _)| m.as_str() != "parameters") {
                    let id = operation.str_at(&["operationId"]).to_owned();
                    assert!(!id.is_empty(), "{method}");
                    // Both methods of a connection have their own names.
                    assert!(ids.insert(id.clone()), "{id} twice");
                }
            }
        }
        let apps = get(&api, "/openapi/v3/apis/apps/v1");
        let strategy = "io.k8s.api.apps.v1.DeploymentStrategy";
        let ty = apps.at(&["components", "schemas", strategy, "properties", "type"]);
        assert_eq!(ty.get("enum"), &list!["Recreate", "RollingUpdate"]);
        assert!(ty.str_at(&["description"]).contains(
            "\n - `\"Recreate\"` Kill all existing pods before creating new ones.\n - `\"RollingUpdate\"` Replace"
        ));
        let patch = apps.at(&[
            "paths",
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
            "patch",
        ]);
        assert_eq!(patch.str_at(&["x-kubernetes-action"]), "patch");
        assert_eq!(
            patch.get("x-kubernetes-group-version-kind"),
            &gvk("apps", "v1", "Deployment")
        );
        let names: Vec<&str> = patch
            .get("parameters")
            .items()
            .iter()
            .map(|p| p.str_at(&["name"]))
            .collect();
        assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
        let v2 = get(&api, "/openapi/v2");
        check(&v2, "#/definitions/", v2.get("definitions"));
        assert_eq!(api.serve(Request::get("/openapi/v3/apis/nosuch/v1")).code, 404);
        // Asked again it is the very same tree.
        assert!(get(&api, "/openapi/v3/apis/apps/v1").same(&apps));
    }

    #[test]
    fn names() {
        assert_eq!(custom_name("storage.acme.io/v1", "Backup"), "io.acme.storage.v1.Backup");
        assert_eq!(tag("", "v1"), "core_v1");
        assert_eq!(tag("rbac.authorization.k8s.io", "v1"), "rbacAuthorization_v1");
        assert_eq!(camel("storage.acme.io", "v1beta1"), "StorageAcmeIoV1beta1");
    }

    #[test]
    fn schemas_for_the_older_form() {
        let mut schema = obj! {
            "type": "object",
            "required": list!["a", "b"],
            "anyOf": list![obj! { "required": list!["c"] }],
            "properties": obj! {
                "a": obj! { "type": "string", "nullable": true },
                "b": obj! { "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": obj! { "x": obj! { "type": "string" } } },
                "c": obj! { "type": "array", "items": obj! { "type": "integer", "nullable": true } },
            },
        };
        narrow(&mut schema);
        assert_eq!(
            schema,
            obj! {
                "type": "object",
                "required": list!["b"],
                "properties": obj! {
                    "a": obj! {},
                    "b": obj! { "x-kubernetes-preserve-unknown-fields": true },
                    "c": obj! { "type": "array", "items": obj! {} },
                },
            }
        );
    }
}
