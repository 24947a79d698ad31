//! The rules of a schema: that it is structural, complete, and says only what it may where it may.

use super::super::openapi;
use super::super::structural::{self, EMBEDDED, INT_OR_STRING, PRESERVE};
use super::parts::field_at;
use crate::api::status::FieldErrors;
use crate::flat::{Arrange, FlatSet};
use crate::value::Value;

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
pub(super) fn validate_schema(schema: &Value, status: bool, unchanged: bool, at: &str, errors: &mut FieldErrors) {
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
        super::super::rules::validate_rules(schema, &root, unchanged, errors);
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
pub(super) fn defaults(schema: &Value, at: &str, whole: bool, errors: &mut FieldErrors) {
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
