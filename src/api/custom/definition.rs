//! CustomResourceDefinitions: defaults, validation (`apiextensions/validation`), what may change, how
//! a deletion begins.

use super::structural::{self, EMBEDDED, INT_OR_STRING, PRESERVE};
use super::{condition, openapi};
use crate::api::names;
use crate::api::object::{Object, set_condition};
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::{Arrange, Case, FlatSet};
use crate::obj;
use crate::sim::Time;
use crate::value::{Value, gojson};

/// The finalizer that keeps a definition until its objects are gone.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Where a definition of a protected group says that it was reviewed.
pub const APPROVAL: &str = "api-approved.kubernetes.io";

/// The rules of CustomResourceDefinitions.
pub struct DefinitionRules;

impl Strategy for DefinitionRules {
    fn defaults(&self, object: &mut Value) {
        let names = object.at(&["spec", "names"]);
        let kind = names.get("kind").str().to_owned();
        let (singular, list) = (names.get("singular").is_empty(), names.get("listKind").is_empty());
        if singular && !kind.is_empty() {
            object.set(&["spec", "names", "singular"], kind.lower());
        }
        if list && !kind.is_empty() {
            object.set(&["spec", "names", "listKind"], format!("{kind}List"));
        }
        if object.at(&["spec", "conversion"]).is_null() {
            object.set(&["spec", "conversion"], obj! { "strategy": "None" });
        }
        let webhook = ["spec", "conversion", "webhook", "clientConfig", "service"];
        if object.at(&webhook).as_map().is_some() && object.at(&webhook).get("port").is_null() {
            object.at_mut(&webhook).set(&["port"], 443);
        }
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        object.remove(&["status"]);
        let stored = storage_versions(object);
        // What the server writes of a status that nothing is known of yet.
        object.set(
            &["status"],
            obj! {
                "acceptedNames": obj! { "kind": "", "plural": "" },
                "conditions": Value::Null,
                "storedVersions": stored,
            },
        );
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        new.set(&["status"], old.status().clone());
        for version in storage_versions(new) {
            let stored = new.at_mut(&["status", "storedVersions"]).list_mut();
            if !stored.contains(&version) {
                stored.push(version);
            }
        }
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        validate(object, None, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let spec = |field: &str| (new.at(&["spec", field]), old.spec().get(field));
        validate(new, Some(old), errors);
        let mut immutable = |field: &str, (new, old): (&Value, &Value)| {
            if new != old {
                errors.invalid(format!("spec.{field}"), new, "field is immutable");
            }
        };
        let name = |field: &str| (new.at(&["spec", "names", field]), old.at(&["spec", "names", field]));
        if condition(old, "Established") {
            immutable("scope", spec("scope"));
            immutable("names.kind", name("kind"));
        }
        immutable("group", spec("group"));
        immutable("names.plural", name("plural"));
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn deletion_is_generation(&self) -> bool {
        false
    }

    fn deletion_finalizer(&self) -> Option<&'static str> {
        Some(CLEANUP)
    }

    fn mark_deleting(&self, object: &mut Value) {
        let now = object.at(&["metadata", "deletionTimestamp"]).clone();
        object.remove(&["metadata", "deletionGracePeriodSeconds"]);
        set_condition(
            object.at_mut(&["status"]),
            "Terminating",
            true,
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            now,
        );
    }

    fn check_name(&self, _name: &str) -> Result<(), names::Broken> {
        // It must be made of the spec's names, which `validate` checks.
        Ok(())
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        Some(vec![object.name().into(), object.created().to_string().into()])
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        told(object)
    }

    fn update_warnings(&self, new: &Value, old: &Object) -> Vec<String> {
        let before = told(old.value());
        let mut warnings = told(new);
        warnings.retain(|w| !before.contains(w));
        warnings
    }
}

/// What a definition's writer is warned of.
fn told(object: &Value) -> Vec<String> {
    let mut found = FlatSet::new();
    for version in object.at(&["spec", "versions"]).items() {
        each_schema(version.at(&["schema", "openAPIV3Schema"]), &mut |schema| {
            let format = schema.get("format").str();
            let known = openapi::FORMATS.contains(&format) || format.starts_with("uuid");
            if schema.get("type").str() == "string" && !format.is_empty() && !known {
                found.insert(format!("unrecognized format {format:?}"));
            }
        });
    }
    let mut warnings: Vec<String> = found.into_iter().collect();
    if object.at(&["spec", "conversion", "strategy"]).str() == "Webhook" {
        warnings.push(
            "conversion webhooks are not simulated: objects are shown in each version as strategy None does".into(),
        );
    }
    warnings
}

fn storage_versions(object: &Value) -> Vec<Value> {
    object
        .at(&["spec", "versions"])
        .items()
        .iter()
        .filter(|v| v.bool_at(&["storage"]))
        .map(|v| v.get("name").clone())
        .collect()
}

/// Whether a group is one of the project's own, whose definitions are reviewed.
pub fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == *own || group.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')))
}

/// What the approval annotation of a definition says: its reason and message, or `None` where the
/// group needs none. The first value is whether it is approved; `Err` says what is wrong.
pub fn approval(object: &Value) -> Option<Result<(bool, String), String>> {
    if !is_protected(object.at(&["spec", "group"]).str()) {
        return None;
    }
    const LINK: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    let said = object.at(&["metadata", "annotations", APPROVAL]);
    Some(match said.as_str() {
        None | Some("") => Err(format!(
            "protected groups must have approval annotation {APPROVAL:?}, {LINK}"
        )),
        Some(text) if text.starts_with("unapproved") => Ok((false, format!("not approved: {text:?}"))),
        Some(text)
            if text
                .split_once("://")
                .is_some_and(|(s, rest)| !s.is_empty() && !rest.is_empty()) =>
        {
            Ok((true, format!("approved in {text}")))
        }
        Some(_) => Err(format!(
            "protected groups must have approval annotation {APPROVAL:?} with either a URL or a reason starting with \"unapproved\", {LINK}"
        )),
    })
}

/// Calls `f` with a schema and every schema in it.
fn each_schema(schema: &Value, f: &mut dyn FnMut(&Value)) {
    if schema.as_map().is_none() {
        return;
    }
    f(schema);
    for field in ["items", "not", "additionalProperties"] {
        each_schema(schema.get(field), f);
    }
    for field in ["allOf", "anyOf", "oneOf"] {
        for inner in schema.get(field).items() {
            each_schema(inner, f);
        }
    }
    for (_, inner) in schema.get("properties").entries() {
        each_schema(inner, f);
    }
}

/// What all versions have alike stands once in the server's own form of a definition, and errors
/// name it there: `spec.validation` and not `spec.versions[0].schema`.
struct Hoisted<'v> {
    schema: Option<&'v Value>,
    subresources: Option<&'v Value>,
    columns: Option<&'v Value>,
    selectable: Option<&'v Value>,
}

fn hoist<'v>(versions: &'v [Value]) -> Hoisted<'v> {
    let common = |field: &str| -> Option<&'v Value> {
        let first = versions.first()?.get(field);
        versions.iter().all(|v| v.get(field) == first).then_some(first)
    };
    Hoisted {
        schema: common("schema"),
        subresources: common("subresources"),
        columns: common("additionalPrinterColumns"),
        selectable: common("selectableFields"),
    }
}

/// The versions as Go prints its own form of them.
fn versions_text(versions: &[Value], hoisted: &Hoisted) -> String {
    let or_null = |version: &Value, field: &str, hoisted: bool| {
        if hoisted || version.get(field).is_null() {
            "null".to_owned()
        } else {
            version.get(field).to_json()
        }
    };
    let text = |v: &Value| {
        format!(
            r#"{{"Name":{},"Served":{},"Storage":{},"Deprecated":{},"DeprecationWarning":{},"Schema":{},"Subresources":{},"AdditionalPrinterColumns":{},"SelectableFields":{}}}"#,
            gojson::compact(v.get("name"), false),
            v.bool_at(&["served"]),
            v.bool_at(&["storage"]),
            v.bool_at(&["deprecated"]),
            or_null(v, "deprecationWarning", false),
            or_null(v, "schema", hoisted.schema.is_some()),
            or_null(v, "subresources", hoisted.subresources.is_some()),
            or_null(v, "additionalPrinterColumns", hoisted.columns.is_some()),
            or_null(v, "selectableFields", hoisted.selectable.is_some()),
        )
    };
    let all: Vec<String> = versions.iter().map(text).collect();
    format!("[{}]", all.join(","))
}

fn label(value: &Value, field: String, errors: &mut FieldErrors) {
    if let Err(why) = names::dns1035_label(value.str()) {
        errors.invalid(field, value, why);
    }
}

fn validate(object: &Value, old: Option<&Object>, errors: &mut FieldErrors) {
    let spec = object.get("spec");
    let name = object.at(&["metadata", "name"]);
    let group = spec.get("group");
    let mut wrong = Vec::new();
    if let Err(why) = names::dns1123_subdomain(name.str()) {
        wrong.extend(why.0);
    }
    let wanted = format!("{}.{}", spec.at(&["names", "plural"]).str(), group.str());
    if name.str() != wanted {
        wrong.push("must be spec.names.plural+\".\"+spec.group".into());
    }
    if old.is_none() {
        for why in wrong {
            errors.invalid("metadata.name", name, why);
        }
    }
    if group.is_empty() {
        errors.required("spec.group", "");
    } else if let Err(why) = names::dns1123_subdomain(group.str()) {
        errors.invalid("spec.group", group, why);
    } else if !group.str().contains('.') {
        errors.invalid("spec.group", group, "should be a domain with at least one dot");
    }
    match spec.get("scope").str() {
        "" => errors.required("spec.scope", ""),
        "Cluster" | "Namespaced" => {}
        _ => errors.not_supported("spec.scope", spec.get("scope"), &["Cluster", "Namespaced"]),
    }
    let versions = spec.get("versions").items();
    let hoisted = hoist(versions);
    let schema_missing = |v: &Value| v.at(&["schema", "openAPIV3Schema"]).is_null();
    for (i, version) in versions.iter().enumerate() {
        if schema_missing(version) {
            errors.required(format!("spec.versions[{i}].schema.openAPIV3Schema"), "");
        }
    }
    // A version whose schema stands in the stored definition already.
    let before = old.map_or(&[][..], |o| o.spec().get("versions").items());
    let stored = |version: &Value| {
        let same = |v: &&Value| v.get("name") == version.get("name") && v.get("schema") == version.get("schema");
        before.iter().any(|v| same(&v))
    };
    let mut seen: FlatSet<&str> = FlatSet::new();
    let mut unique = true;
    for (i, version) in versions.iter().enumerate() {
        let at = format!("spec.versions[{i}]");
        unique &= seen.insert(version.get("name").str());
        label(version.get("name"), format!("{at}.name"), errors);
        deprecation(version, &at, errors);
        let status = version.get("subresources").has("status");
        if hoisted.schema.is_none() {
            validate_schema(
                version.at(&["schema", "openAPIV3Schema"]),
                status,
                stored(version),
                &format!("{at}.schema"),
                errors,
            );
        }
        if hoisted.subresources.is_none() {
            subresources(version.get("subresources"), &format!("{at}.subresources"), errors);
        }
        if hoisted.columns.is_none() {
            columns(version.get("additionalPrinterColumns"), &at, errors);
        }
        if hoisted.selectable.is_none() {
            selectable(version.get("selectableFields"), version, &at, errors);
        }
    }
    if !unique {
        errors.invalid_as(
            "spec.versions",
            versions_text(versions, &hoisted),
            "must contain unique version names",
        );
    }
    if versions.iter().filter(|v| v.bool_at(&["storage"])).count() != 1 {
        errors.invalid_as(
            "spec.versions",
            if versions.is_empty() {
                "null".into()
            } else {
                versions_text(versions, &hoisted)
            },
            "must have exactly one version marked as storage version",
        );
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        if spec.at(&["names", field]).is_empty() {
            errors.required(format!("spec.names.{field}"), "");
        }
    }
    validate_names(spec.get("names"), "spec.names", errors);
    if let Some(schema) = hoisted.schema {
        let status = versions.iter().any(|v| v.get("subresources").has("status"));
        let unchanged = versions.iter().all(&stored);
        validate_schema(
            schema.get("openAPIV3Schema"),
            status,
            unchanged,
            "spec.validation",
            errors,
        );
    }
    if let Some(common) = hoisted.subresources {
        subresources(common, "spec.subresources", errors);
    }
    if let Some(common) = hoisted.columns {
        columns(common, "spec", errors);
    }
    if let (Some(common), Some(first)) = (hoisted.selectable, versions.first()) {
        selectable(common, first, "spec", errors);
    }
    conversion(spec.get("conversion"), errors);
    let status = object.get("status");
    validate_names(status.get("acceptedNames"), "status.acceptedNames", errors);
    stored_versions(status.get("storedVersions"), versions, errors);
    if let Some(Err(why)) = approval(object) {
        let said = object.at(&["metadata", "annotations", APPROVAL]);
        let field = format!("metadata.annotations[{APPROVAL}]");
        // What was stored without it is let be.
        let before = old.is_some_and(|o| matches!(approval(o.value()), Some(Err(_))));
        match said {
            _ if before => {}
            Value::Null => errors.required(field, why),
            said => errors.invalid(field, said, why),
        }
    }
    if spec.bool_at(&["preserveUnknownFields"]) {
        errors.invalid(
            "spec.preserveUnknownFields",
            &true.into(),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        );
    }
}

fn stored_versions(stored: &Value, versions: &[Value], errors: &mut FieldErrors) {
    let field = "status.storedVersions";
    if stored.items().is_empty() {
        errors.invalid(field, &Value::Null, "must have at least one stored version");
        return;
    }
    for version in versions.iter().filter(|v| v.bool_at(&["storage"])) {
        let name = version.get("name");
        if !stored.items().contains(name) {
            errors.invalid(field, stored, format!("must have the storage version {}", name.str()));
        }
    }
    for (i, name) in stored.items().iter().enumerate() {
        if !versions.iter().any(|v| v.get("name") == name) {
            let n = name.str();
            errors.invalid(
                format!("{field}[{i}]"),
                name,
                format!("missing from spec.versions; {n} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {n} and removes {n} from status.storedVersions"),
            );
        }
    }
}

fn deprecation(version: &Value, at: &str, errors: &mut FieldErrors) {
    let warning = version.get("deprecationWarning");
    let Some(text) = warning.as_str() else { return };
    let field = format!("{at}.deprecationWarning");
    if !version.bool_at(&["deprecated"]) {
        errors.invalid(field, warning, "can only be set for deprecated versions");
        return;
    }
    if text.len() > 256 {
        errors.invalid(&field, warning, "must be <= 256 characters long");
    }
    if text.is_empty() {
        errors.invalid(&field, warning, "must not be an empty string");
    }
    if let Some((i, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        errors.invalid(
            &field,
            warning,
            format!("must only contain printable UTF-8 characters; non-printable character found at index {i}"),
        );
    }
}

fn validate_names(names: &Value, at: &str, errors: &mut FieldErrors) {
    for field in ["plural", "singular"] {
        if !names.get(field).is_empty() {
            label(names.get(field), format!("{at}.{field}"), errors);
        }
    }
    for field in ["kind", "listKind"] {
        let name = names.get(field);
        if !name.is_empty()
            && let Err(why) = names::dns1035_label(&name.str().lower())
        {
            errors.invalid(
                format!("{at}.{field}"),
                name,
                format!("may have mixed case, but should otherwise match: {why}"),
            );
        }
    }
    for (i, name) in names.get("shortNames").items().iter().enumerate() {
        label(name, format!("{at}.shortNames[{i}]"), errors);
    }
    let (kind, list) = (names.get("kind"), names.get("listKind"));
    if !kind.is_empty() && kind == list {
        errors.invalid(format!("{at}.listKind"), list, "kind and listKind may not be the same");
    }
    for (i, name) in names.get("categories").items().iter().enumerate() {
        label(name, format!("{at}.categories[{i}]"), errors);
    }
}

const COLUMN_TYPES: &str = "boolean,date,integer,number,string";
const COLUMN_FORMATS: &str = "byte,date,date-time,double,float,int32,int64,password";

fn columns(columns: &Value, at: &str, errors: &mut FieldErrors) {
    for (i, column) in columns.items().iter().enumerate() {
        let at = format!("{at}.additionalPrinterColumns[{i}]");
        if column.get("name").is_empty() {
            errors.required(format!("{at}.name"), "");
        }
        let one_of = |list: &str| format!("must be one of {list}");
        let kind = column.get("type");
        if kind.is_empty() {
            errors.required(format!("{at}.type"), one_of(COLUMN_TYPES));
        } else if !COLUMN_TYPES.split(',').any(|t| t == kind.str()) {
            errors.invalid(format!("{at}.type"), kind, one_of(COLUMN_TYPES));
        }
        let format = column.get("format");
        if !format.is_empty() && !COLUMN_FORMATS.split(',').any(|t| t == format.str()) {
            errors.invalid(format!("{at}.format"), format, one_of(COLUMN_FORMATS));
        }
        let path = column.get("jsonPath");
        if path.is_empty() {
            errors.required(format!("{at}.JSONPath"), "");
        } else {
            simple_path(path, &format!("{at}.JSONPath"), errors);
        }
    }
}

/// Whether a path is simple; says why not.
fn simple_path(path: &Value, at: &str, errors: &mut FieldErrors) -> bool {
    let good = path.str().starts_with('.');
    if !good {
        errors.invalid(at, path, "must be a simple json path starting with .");
    }
    good
}

fn subresources(subresources: &Value, at: &str, errors: &mut FieldErrors) {
    let scale = subresources.get("scale");
    if scale.as_map().is_none() {
        return;
    }
    for (name, root) in [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")] {
        let (path, field) = (scale.get(name), format!("{at}.scale.{name}"));
        if path.is_empty() {
            errors.required(field, "");
        } else if simple_path(path, &field, errors) && !path.str().starts_with(root) {
            let root = root.trim_end_matches('.');
            errors.invalid(field, path, format!("should be a json path under {root}"));
        }
    }
    let (path, field) = (scale.get("labelSelectorPath"), format!("{at}.scale.labelSelectorPath"));
    if !path.is_empty()
        && simple_path(path, &field, errors)
        && !path.str().starts_with(".spec.")
        && !path.str().starts_with(".status.")
    {
        errors.invalid(field, path, "should be a json path under either .spec or .status");
    }
}

fn selectable(fields: &Value, version: &Value, at: &str, errors: &mut FieldErrors) {
    let schema = version.at(&["schema", "openAPIV3Schema"]);
    let mut seen = FlatSet::new();
    for (i, field) in fields.items().iter().enumerate() {
        let at = format!("{at}.selectableFields[{i}].jsonPath");
        let path = field.get("jsonPath");
        if path.is_empty() {
            errors.required(at, "");
            continue;
        }
        let found = match field_at(path.str(), schema) {
            Ok(found) => found,
            Err(why) => {
                errors.invalid(at, path, format!("is an invalid path: {why}"));
                continue;
            }
        };
        if path.str().starts_with(".metadata") {
            errors.invalid(&at, path, "must not point to fields in metadata");
        }
        if !matches!(found.get("type").str(), "string" | "boolean" | "integer") {
            errors.invalid(
                &at,
                path,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
            );
        }
        if !seen.insert(path.str()) {
            errors.duplicate(&at, path);
        }
    }
    // `MaxSelectableFields`.
    if seen.len() > 8 {
        errors.too_many(format!("{at}.selectableFields"), seen.len(), 8);
    }
}

/// The schema that a path of fields (`.spec.color`, `.spec['a-b']`) leads to.
///
/// # Errors
/// What is wrong with the path.
pub fn field_at<'v>(path: &str, schema: &'v Value) -> Result<&'v Value, String> {
    let mut schema = schema;
    let mut rest = path;
    if !rest.starts_with('.') && !rest.starts_with('[') {
        return Err("path must start with '.' or '['".into());
    }
    let mut done = String::new();
    while !rest.is_empty() {
        let name;
        if let Some(after) = rest.strip_prefix("['") {
            let Some((key, tail)) = after.split_once("']") else {
                return Err("unexpected end of path".into());
            };
            (name, rest) = (key, tail);
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (name, rest) = after.split_at(end);
        } else {
            return Err(format!(
                "expected [ or . but got: {}",
                rest.chars().next().unwrap_or(' ')
            ));
        }
        if name.is_empty() {
            return Err("expected identifier".into());
        }
        done.push('.');
        done.push_str(name);
        let metadata = done == ".metadata" || done.starts_with(".metadata.");
        schema = match schema.at(&["properties", name]) {
            Value::Null => match schema.get("additionalProperties") {
                inner @ Value::Map(_) => inner,
                _ if metadata => &Value::Null,
                _ => return Err("does not refer to a valid field".into()),
            },
            property => property,
        };
    }
    Ok(schema)
}

fn conversion(conversion: &Value, errors: &mut FieldErrors) {
    let at = "spec.conversion";
    let (strategy, webhook) = (conversion.get("strategy"), conversion.get("webhook"));
    match strategy.str() {
        "" => errors.required(format!("{at}.strategy"), ""),
        "None" | "Webhook" => {}
        _ => errors.not_supported(format!("{at}.strategy"), strategy, &["None", "Webhook"]),
    }
    let client = webhook.get("clientConfig");
    let versions = webhook.get("conversionReviewVersions");
    if strategy.str() != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if !client.is_null() {
            errors.forbidden(format!("{at}.webhookClientConfig"), why);
        }
        if !versions.is_empty() {
            errors.forbidden(format!("{at}.conversionReviewVersions"), why);
        }
        return;
    }
    if client.is_null() {
        errors.required(
            format!("{at}.webhookClientConfig"),
            "required when strategy is set to Webhook",
        );
    } else if client.has("url") == client.has("service") {
        errors.required(
            format!("{at}.webhookClientConfig"),
            "exactly one of url or service is required",
        );
    }
    let field = format!("{at}.conversionReviewVersions");
    if versions.items().is_empty() {
        errors.required(field, "");
    } else if !versions.items().iter().any(|v| matches!(v.str(), "v1" | "v1beta1")) {
        errors.invalid(field, versions, "must include at least one of v1, v1beta1");
    }
}

/// `allowedFieldsAtRootSchema`, as the schema names them, and as the error does.
const AT_ROOT: [&str; 22] = [
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "example",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];
const AT_ROOT_TEXT: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";

/// Checks a version's schema; `at` is the path of what holds `openAPIV3Schema`. `unchanged` says that it is stored so.
fn validate_schema(schema: &Value, status: bool, unchanged: bool, at: &str, errors: &mut FieldErrors) {
    if schema.as_map().is_none() {
        return;
    }
    let root = format!("{at}.openAPIV3Schema");
    if status {
        if !matches!(schema.get("type").str(), "object" | "") {
            errors.invalid(
                format!("{root}.type"),
                schema.get("type"),
                r#"only "object" is allowed as the type at the root of the schema if the status subresource is enabled"#,
            );
        } else if schema.entries().any(|(k, _)| !AT_ROOT.contains(&k.as_str())) {
            errors.invalid(
                &root,
                schema,
                format!("only {AT_ROOT_TEXT} fields are allowed at the root of the schema if the status subresource is enabled"),
            );
        }
    }
    if schema.bool_at(&["nullable"]) {
        errors.forbidden(format!("{root}.nullable"), "nullable cannot be true at the root");
    }
    let mut structure = FieldErrors::default();
    invariants(schema, Level::Root, &root, &mut structure);
    completeness(schema, &root, &mut structure);
    structure.0.arrange_by_key(|e| e.to_string());
    let structural = structure.is_empty();
    errors.0.append(&mut structure.0);
    let mut sound = structural;
    if structural {
        let before = errors.0.len();
        defaults(schema, &root, true, errors);
        sound = errors.0.len() == before;
    }
    let before = errors.0.len();
    let place = Place {
        root: true,
        ..Place::default()
    };
    check(schema, &root, &place, errors);
    if sound && errors.0.len() == before {
        super::rules::validate_rules(schema, &root, unchanged, errors);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

fn is_int_or_string(any: &Value) -> bool {
    let types: Vec<String> = any.items().iter().map(Value::to_json).collect();
    types == [r#"{"type":"integer"}"#, r#"{"type":"string"}"#]
}

/// `validateStructuralInvariants`.
fn invariants(schema: &Value, level: Level, at: &str, errors: &mut FieldErrors) {
    let kind = schema.get("type");
    let flag = |name: &str| schema.bool_at(&[name]);
    let items = schema.get("items");
    if kind.str() == "array" && items.is_null() {
        errors.required(format!("{at}.items"), "must be specified");
    }
    if items.as_map().is_some() {
        invariants(items, Level::Item, &format!("{at}.items"), errors);
    }
    let properties = schema.get("properties");
    for (key, property) in properties.entries() {
        invariants(property, Level::Field, &format!("{at}.properties[{key}]"), errors);
    }
    let additional = schema.get("additionalProperties");
    if !additional.is_null() {
        if level == Level::Root {
            errors.forbidden(format!("{at}.additionalProperties"), "must not be used at the root");
        }
        if additional.as_map().is_some() {
            invariants(additional, Level::Field, &format!("{at}.additionalProperties"), errors);
        }
    }
    if flag(INT_OR_STRING) && flag(PRESERVE) {
        errors.invalid(
            format!("{at}.{PRESERVE}"),
            &true.into(),
            "must be false if x-kubernetes-int-or-string is true",
        );
    }
    if flag(INT_OR_STRING) && flag(EMBEDDED) {
        errors.invalid(
            format!("{at}.{EMBEDDED}"),
            &true.into(),
            "must be false if x-kubernetes-int-or-string is true",
        );
    }
    let skip_any = is_int_or_string(schema.get("anyOf"));
    let skip_first = schema
        .get("allOf")
        .items()
        .first()
        .is_some_and(|first| is_int_or_string(first.get("anyOf")));
    value_validation(schema, skip_any, skip_first, at, errors);
    let embedded = flag(EMBEDDED);
    let type_at = format!("{at}.type");
    if embedded && kind.str() != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        if kind.is_empty() {
            errors.required(type_at, why);
        } else {
            errors.invalid(type_at, kind, why);
        }
    } else if kind.is_empty() && !flag(INT_OR_STRING) && !flag(PRESERVE) {
        errors.required(
            type_at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        );
    }
    if embedded && !additional.is_null() {
        errors.forbidden(
            format!("{at}.additionalProperties"),
            "must not be used if x-kubernetes-embedded-resource is set",
        );
    }
    if level == Level::Root && !kind.is_empty() && kind.str() != "object" {
        errors.invalid(format!("{at}.type"), kind, "must be object at the root");
    }
    if level == Level::Root || embedded {
        for (name, wanted) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
            let property = properties.get(name);
            if !property.is_null() && property.get("type").str() != wanted {
                errors.invalid(
                    format!("{at}.properties[{name}].type"),
                    property.get("type"),
                    format!("must be {wanted}"),
                );
            }
        }
    }
    let metadata = properties.get("metadata");
    if level == Level::Root && !metadata.is_null() {
        let named = |k: &str| matches!(k, "name" | "generateName");
        let only_names = metadata.get("properties").entries().all(|(k, _)| named(k));
        let others = metadata.entries().any(|(k, _)| {
            matches!(
                k.as_str(),
                "description" | "title" | "nullable" | "additionalProperties" | "items"
            ) || k.as_str().starts_with("x-kubernetes")
        });
        if !only_names || others {
            errors.forbidden(
                format!("{at}.properties[metadata]"),
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            );
        }
    }
    if embedded && !flag(PRESERVE) && properties.is_empty() {
        errors.required(
            format!("{at}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        );
    }
}

fn value_validation(schema: &Value, skip_any: bool, skip_first_any: bool, at: &str, errors: &mut FieldErrors) {
    for field in ["anyOf", "allOf", "oneOf"] {
        if field == "anyOf" && skip_any {
            continue;
        }
        for (i, inner) in schema.get(field).items().iter().enumerate() {
            let skip = field == "allOf" && i == 0 && skip_first_any;
            nested(inner, skip, &format!("{at}.{field}[{i}]"), errors);
        }
    }
    if schema.get("not").as_map().is_some() {
        nested(schema.get("not"), false, &format!("{at}.not"), errors);
    }
    let pattern = schema.get("pattern");
    if !pattern.is_empty()
        && let Err(why) = openapi::pattern(pattern.str())
    {
        errors.invalid(
            format!("{at}.pattern"),
            pattern,
            format!("must be a valid regular expression, but isn't: {why}"),
        );
    }
}

/// `validateNestedValueValidation`: what stands under a junctor only restricts values.
fn nested(schema: &Value, skip_any: bool, at: &str, errors: &mut FieldErrors) {
    value_validation(schema, skip_any, false, at, errors);
    if schema.get("items").as_map().is_some() {
        nested(schema.get("items"), false, &format!("{at}.items"), errors);
    }
    for (key, property) in schema.get("properties").entries() {
        nested(property, false, &format!("{at}.properties[{key}]"), errors);
    }
    let rules = [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        (PRESERVE, "must be false to be structural"),
        (EMBEDDED, "must be false to be structural"),
        (INT_OR_STRING, "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ];
    for (field, why) in rules {
        if !matches!(schema.get(field), Value::Null | Value::Bool(false)) {
            errors.forbidden(format!("{at}.{field}"), why);
        }
    }
    if !schema.at(&["properties", "metadata"]).is_null() {
        errors.forbidden(
            format!("{at}.properties[metadata]"),
            "must not be specified in a nested context",
        );
    }
}

/// `validateStructuralCompleteness`: what a junctor restricts is specified outside of it.
fn completeness(schema: &Value, at: &str, errors: &mut FieldErrors) {
    fn complete(inner: &Value, outer: &Value, at: &str, outer_at: &str, errors: &mut FieldErrors) {
        for field in ["anyOf", "allOf", "oneOf"] {
            for (i, one) in inner.get(field).items().iter().enumerate() {
                complete(one, outer, &format!("{at}.{field}[{i}]"), outer_at, errors);
            }
        }
        if inner.get("not").as_map().is_some() {
            complete(inner.get("not"), outer, &format!("{at}.not"), outer_at, errors);
        }
        if inner.get("items").as_map().is_some() {
            match outer.get("items") {
                Value::Null => errors.required(
                    format!("{outer_at}.items"),
                    format!("because it is defined in {at}.items"),
                ),
                items => complete(
                    inner.get("items"),
                    items,
                    &format!("{at}.items"),
                    &format!("{outer_at}.items"),
                    errors,
                ),
            }
        }
        for (key, property) in inner.get("properties").entries() {
            let (at, outer_key) = (
                format!("{at}.properties[{key}]"),
                format!("{outer_at}.properties[{key}]"),
            );
            match (outer.at(&["properties", key]), outer.get("additionalProperties")) {
                (Value::Null, additional @ Value::Map(_)) => complete(
                    property,
                    additional,
                    &at,
                    &format!("{outer_at}.additionalProperties"),
                    errors,
                ),
                (Value::Null, _) => errors.required(outer_key, format!("because it is defined in {at}")),
                (found, _) => complete(property, found, &at, &outer_key, errors),
            }
        }
    }
    for field in ["anyOf", "allOf", "oneOf"] {
        for (i, one) in schema.get(field).items().iter().enumerate() {
            complete(one, schema, &format!("{at}.{field}[{i}]"), at, errors);
        }
    }
    if schema.get("not").as_map().is_some() {
        complete(schema.get("not"), schema, &format!("{at}.not"), at, errors);
    }
    for field in ["items", "additionalProperties"] {
        if schema.get(field).as_map().is_some() {
            completeness(schema.get(field), &format!("{at}.{field}"), errors);
        }
    }
    for (key, property) in schema.get("properties").entries() {
        completeness(property, &format!("{at}.properties[{key}]"), errors);
    }
}

/// `ValidateDefaults`: defaults fit their own schema.
fn defaults(schema: &Value, at: &str, whole: bool, errors: &mut FieldErrors) {
    let default = schema.get("default");
    if !default.is_null() {
        let field = format!("{at}.default");
        let mut pruned = default.clone();
        structural::prune_part(&mut pruned, schema);
        if pruned != *default {
            errors.invalid(&field, default, "must not have unknown fields");
        }
        openapi::validate(default, schema, &field, None, errors);
    }
    if schema.get("items").as_map().is_some() {
        defaults(schema.get("items"), &format!("{at}.items"), false, errors);
    }
    for (key, property) in schema.get("properties").entries() {
        if whole && matches!(key.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        defaults(property, &format!("{at}.properties[{key}]"), false, errors);
    }
}

/// Where a schema stands.
#[derive(Clone, Default)]
struct Place {
    root: bool,
    inside_meta: bool,
    /// Why no default may stand here.
    no_defaults: Option<String>,
}

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// `ValidateCustomResourceDefinitionOpenAPISchema`, without the rules in CEL.
fn check(schema: &Value, at: &str, place: &Place, errors: &mut FieldErrors) {
    if schema.as_map().is_none() {
        return;
    }
    let kind = schema.get("type");
    if !kind.is_empty() && !TYPES.contains(&kind.str()) {
        errors.not_supported(format!("{at}.type"), kind, &TYPES);
    }
    if !schema.get("default").is_null()
        && let Some(why) = &place.no_defaults
    {
        errors.forbidden(format!("{at}.default"), format!("must not be set {why}"));
    }
    for field in [
        "id",
        "additionalItems",
        "patternProperties",
        "definitions",
        "dependencies",
        "$ref",
    ] {
        if !schema.get(field).is_empty() {
            errors.forbidden(format!("{at}.{field}"), format!("{field} is not supported"));
        }
    }
    if kind.str() == "null" {
        errors.forbidden(
            format!("{at}.type"),
            "type cannot be set to null, use nullable as an alternative",
        );
    }
    if schema.get("items").as_list().is_some() {
        errors.forbidden(format!("{at}.items"), "items must be a schema object and not an array");
    }
    if place.inside_meta && schema.bool_at(&[EMBEDDED]) {
        errors.forbidden(format!("{at}.{EMBEDDED}"), "must not be used inside of resource meta");
    }
    if schema.bool_at(&["uniqueItems"]) {
        errors.forbidden(
            format!("{at}.uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        );
    }
    let additional = schema.get("additionalProperties");
    let properties = schema.get("properties");
    if !additional.is_null() {
        if !properties.is_empty() && additional != &Value::Bool(true) {
            errors.forbidden(
                format!("{at}.additionalProperties"),
                "additionalProperties and properties are mutual exclusive",
            );
        }
        let mut inner = Place {
            root: false,
            ..place.clone()
        };
        if place.inside_meta {
            inner.no_defaults = Some("inside additionalProperties applying to object metadata".into());
        }
        check(additional, &format!("{at}.additionalProperties"), &inner, errors);
    }
    for (key, property) in properties.entries() {
        let mut inner = Place {
            root: false,
            ..place.clone()
        };
        let meta = matches!(key.as_str(), "metadata" | "apiVersion" | "kind");
        if meta && (place.root || schema.bool_at(&[EMBEDDED])) {
            inner.inside_meta = true;
            if place.root {
                inner.no_defaults = Some(format!("in top-level {key}"));
            }
        }
        check(property, &format!("{at}.properties[{key}]"), &inner, errors);
    }
    let inner = Place {
        root: false,
        ..place.clone()
    };
    check(schema.get("not"), &format!("{at}.not"), &inner, errors);
    for field in ["allOf", "oneOf", "anyOf"] {
        for (i, one) in schema.get(field).items().iter().enumerate() {
            check(one, &format!("{at}.{field}[{i}]"), &inner, errors);
        }
    }
    check(schema.get("items"), &format!("{at}.items"), &inner, errors);
    if schema.get(PRESERVE) == &Value::Bool(false) {
        errors.invalid(format!("{at}.{PRESERVE}"), &false.into(), "must be true or undefined");
    }
    map_and_list_types(schema, at, errors);
    rule_texts(schema, at, errors);
}

fn map_and_list_types(schema: &Value, at: &str, errors: &mut FieldErrors) {
    let kind = schema.get("type");
    let (map_type, list_type) = (
        schema.get("x-kubernetes-map-type"),
        schema.get("x-kubernetes-list-type"),
    );
    let mut must_be = |wanted: &str, field: &str| {
        if kind.str() == wanted {
            return true;
        }
        let why = format!("must be {wanted} if {field} is specified");
        if kind.is_empty() {
            errors.required(format!("{at}.type"), why);
        } else {
            errors.invalid(format!("{at}.type"), kind, why);
        }
        false
    };
    if !map_type.is_null() {
        must_be("object", "x-kubernetes-map-type");
    }
    let is_list = list_type.is_null() || must_be("array", "x-kubernetes-list-type");
    if !map_type.is_null() && !matches!(map_type.str(), "atomic" | "granular") {
        errors.not_supported(format!("{at}.x-kubernetes-map-type"), map_type, &["atomic", "granular"]);
    }
    let items = schema.get("items");
    if is_list && list_type.str() == "set" {
        let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let inner = items.get("x-kubernetes-list-type");
        if items.get("type").str() == "array" && !matches!(inner.str(), "" | "atomic") {
            errors.invalid(format!("{at}.items.x-kubernetes-list-type"), inner, why);
        }
        if items.get("type").str() == "object" && items.get("x-kubernetes-map-type").str() != "atomic" {
            errors.invalid(format!("{at}.items.x-kubernetes-map-type"), inner, why);
        }
    }
    let list_at = format!("{at}.x-kubernetes-list-type");
    if !list_type.is_null() && !matches!(list_type.str(), "atomic" | "set" | "map") {
        errors.not_supported(&list_at, list_type, &["atomic", "set", "map"]);
    }
    let keys = schema.get("x-kubernetes-list-map-keys");
    let keys_at = format!("{at}.x-kubernetes-list-map-keys");
    if !keys.items().is_empty() && list_type.str() != "map" {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        if list_type.is_null() {
            errors.required(&list_at, why);
        } else {
            errors.invalid(&list_at, list_type, why);
        }
    }
    if list_type.str() == "map" {
        if keys.items().is_empty() {
            errors.required(&keys_at, "must not be empty if x-kubernetes-list-type is map");
        }
        if items.is_null() {
            errors.required(
                format!("{at}.items"),
                "must have a schema if x-kubernetes-list-type is map",
            );
        } else if items.get("type").str() != "object" {
            errors.invalid(
                format!("{at}.items.type"),
                &items.get("type").str().into(),
                "must be object if parent array's x-kubernetes-list-type is map",
            );
        } else {
            let mut seen = FlatSet::new();
            for key in keys.items() {
                match items.at(&["properties", key.str()]) {
                    Value::Null => errors.invalid(&keys_at, keys, "entries must all be names of item properties"),
                    property => {
                        if matches!(property.get("type").str(), "array" | "object") {
                            errors.invalid(
                                format!("{at}.items.properties[{}].type", key.str()),
                                items.get("type"),
                                "must be a scalar type if parent array's x-kubernetes-list-type is map",
                            );
                        }
                    }
                }
                if !seen.insert(key.str()) {
                    errors.invalid(&keys_at, keys, "must not contain duplicate entries");
                }
            }
        }
    }
    if !matches!(list_type.str(), "set" | "map") || items.as_map().is_none() {
        return;
    }
    if items.bool_at(&["nullable"]) {
        errors.forbidden(
            format!("{at}.items.nullable"),
            format!("cannot be nullable when x-kubernetes-list-type is {}", list_type.str()),
        );
    }
    if list_type.str() == "map" {
        for key in keys.items() {
            let property = items.at(&["properties", key.str()]);
            if property.is_null() {
                continue;
            }
            let field = format!("{at}.items.properties[{}]", key.str());
            if !items.get("required").items().contains(key) && property.get("default").is_null() {
                errors.required(
                    format!("{field}.default"),
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                );
            }
            if property.bool_at(&["nullable"]) {
                errors.forbidden(
                    format!("{field}.nullable"),
                    "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
                );
            }
        }
    }
}

/// What of `x-kubernetes-validations` is no CEL.
fn rule_texts(schema: &Value, at: &str, errors: &mut FieldErrors) {
    let broken = |text: &str| text.contains(['\n', '\r']);
    for (i, rule) in schema.get("x-kubernetes-validations").items().iter().enumerate() {
        let at = format!("{at}.x-kubernetes-validations[{i}]");
        let text = |field: &str| rule.get(field).str();
        let message = rule.get("message");
        if text("rule").trim().is_empty() {
            errors.required(format!("{at}.rule"), "rule is not specified");
        } else if !text("message").is_empty() && text("message").trim().is_empty() {
            errors.invalid(
                format!("{at}.message"),
                message,
                "message must be non-empty if specified",
            );
        } else if broken(text("message").trim()) {
            errors.invalid(format!("{at}.message"), message, "message must not contain line breaks");
        } else if broken(text("rule").trim()) && text("message").trim().is_empty() {
            errors.required(
                format!("{at}.message"),
                "message must be specified if rule contains line breaks",
            );
        }
        if !text("messageExpression").is_empty() && text("messageExpression").trim().is_empty() {
            errors.required(
                format!("{at}.messageExpression"),
                "messageExpression must be non-empty if specified",
            );
        }
        const REASONS: [&str; 4] = [
            "FieldValueDuplicate",
            "FieldValueForbidden",
            "FieldValueInvalid",
            "FieldValueRequired",
        ];
        if !rule.get("reason").is_null() && !REASONS.contains(&text("reason")) {
            errors.not_supported(format!("{at}.reason"), rule.get("reason"), &REASONS);
        }
        let path = rule.get("fieldPath");
        if path.is_empty() {
            continue;
        }
        let field = format!("{at}.fieldPath");
        if path.str().trim().is_empty() {
            errors.invalid(&field, path, "fieldPath must be non-empty if specified");
        }
        if broken(path.str()) {
            errors.invalid(&field, path, "fieldPath must not contain line breaks");
        }
        if field_at(path.str(), schema).is_err() {
            errors.invalid(&field, path, "fieldPath must be a valid path");
        }
    }
}
