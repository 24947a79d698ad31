//! The rules of a version's other parts: names, columns, subresources, selectable fields, conversion.

use crate::api::names;
use crate::api::status::FieldErrors;
use crate::flat::{Case, FlatSet};
use crate::value::Value;

pub(super) fn label(value: &Value, field: String, errors: &mut FieldErrors) {
    if let Err(why) = names::dns1035_label(value.str()) {
        errors.invalid(field, value, why);
    }
}

pub(super) fn stored_versions(stored: &Value, versions: &[Value], errors: &mut FieldErrors) {
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

pub(super) fn deprecation(version: &Value, at: &str, errors: &mut FieldErrors) {
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

pub(super) fn validate_names(names: &Value, at: &str, errors: &mut FieldErrors) {
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

pub(super) fn columns(columns: &Value, at: &str, errors: &mut FieldErrors) {
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

pub(super) fn subresources(subresources: &Value, at: &str, errors: &mut FieldErrors) {
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

pub(super) fn selectable(fields: &Value, version: &Value, at: &str, errors: &mut FieldErrors) {
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
pub(super) fn field_at<'v>(path: &str, schema: &'v Value) -> Result<&'v Value, String> {
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

pub(super) fn conversion(conversion: &Value, errors: &mut FieldErrors) {
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
