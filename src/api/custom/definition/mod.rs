//! CustomResourceDefinitions: defaults, validation (`apiextensions/validation`), what may change, how
//! a deletion begins.

mod parts;
mod structure;

use self::parts::{columns, conversion, deprecation, label, selectable, stored_versions, subresources, validate_names};
use self::structure::validate_schema;
use super::{condition, openapi};
use crate::api::names;
use crate::api::object::{Object, set_condition};
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::{Case, FlatSet};
use crate::obj;
use crate::sim::Time;
use crate::value::{Value, gojson, quoted};

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
                found.insert(format!("unrecognized format {format}", format = quoted(&format)));
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
        Some(text) if text.starts_with("unapproved") => {
            Ok((false, format!("not approved: {text}", text = quoted(&text))))
        }
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
