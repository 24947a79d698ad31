//! Validation of values by an OpenAPI v3 schema, in the words of kube-openapi's `validation`, with the
//! ratcheting of apiextensions: what an update does not change is not complained of.

use std::net::{Ipv4Addr, Ipv6Addr};

use regex_lite::Regex;

use super::structural::INT_OR_STRING;
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::flat::{FlatMap, Tally};
use crate::sim::Time;
use crate::value::{Value, base64, duration, gofmt, quoted};

/// What the validation of one value by one schema found.
#[derive(Default)]
struct Found {
    errors: FieldErrors,
    /// How many checks passed: of several schemas that fail, the one that came farthest explains why.
    passed: usize,
}

impl Found {
    fn merge(&mut self, other: Found) {
        self.errors.0.extend(other.errors.0);
        self.passed += other.passed;
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Checks a value against a schema. `path` is where the value stands, empty for a whole object; `old`
/// is the value before, for updates.
pub fn validate(value: &Value, schema: &Value, path: &str, old: Option<&Value>, errors: &mut FieldErrors) {
    let found = check(value, schema, path, old);
    errors.0.extend(found.errors.0);
}

fn child(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// What JSON schema calls the type of a value.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn check(value: &Value, schema: &Value, path: &str, old: Option<&Value>) -> Found {
    let mut found = Found::default();
    if old == Some(value) {
        return found;
    }
    check_type(value, schema, path, &mut found);
    if !value.is_null() {
        check_junctors(value, schema, path, old, &mut found);
        match value {
            Value::Str(text) => check_text(text, value, schema, path, &mut found),
            Value::Int(_) | Value::Float(_) => check_number(value, schema, path, &mut found),
            Value::List(items) => check_list(items, schema, path, old, &mut found),
            _ => {}
        }
    }
    check_enum(value, schema, path, &mut found);
    if value.as_map().is_some() {
        check_object(value, schema, path, old, &mut found);
    }
    found
}

fn wrong_type(wanted: &str, got: &str, path: &str, found: &mut Found) {
    let detail = format!("{path} in body must be of type {wanted}: {got}", got = quoted(&got));
    found
        .errors
        .add(FieldErrorKind::TypeInvalid, path, gofmt::quote(got), detail);
}

/// The format of a schema, where it is one that counts for its type.
fn format_of(schema: &Value) -> &str {
    let format = schema.get("format").str();
    let counts = match schema.get("type").str() {
        "" | "string" => FORMATS.contains(&format) || format.starts_with("uuid"),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    };
    if counts { format } else { "" }
}

/// Whether a float stands for an integer: those from 2^53 on do not (`IsFloat64AJSONInteger`).
fn is_integer(f: f64) -> bool {
    const MOST: f64 = ((1_i64 << 53) - 1) as f64;
    f.fract() == 0.0 && f.abs() <= MOST
}

fn check_type(value: &Value, schema: &Value, path: &str, found: &mut Found) {
    let either = schema.bool_at(&[INT_OR_STRING]);
    let wanted = if either {
        "integer,string"
    } else {
        schema.get("type").str()
    };
    if wanted.is_empty() {
        return;
    }
    let fits = match value {
        Value::Int(_) | Value::Str(_) if either => true,
        Value::Float(f) if either => is_integer(*f),
        Value::Null => schema.bool_at(&["nullable"]),
        Value::Int(_) => matches!(wanted, "integer" | "number"),
        Value::Float(f) => wanted == "number" || (wanted == "integer" && is_integer(*f)),
        // A text with a format is left to the format's own check.
        Value::Str(_) => {
            wanted == "string" || (!matches!(wanted, "integer" | "number") && !schema.get("format").str().is_empty())
        }
        other => type_name(other) == wanted,
    };
    if fits {
        found.passed += 1;
    } else {
        // What has a format is told from it, but for texts and lists, and by the formats of Go's types.
        let format = if either { "" } else { format_of(schema) };
        let (wanted, got) = match value {
            _ if format.is_empty() => (wanted, type_name(value)),
            Value::Int(_) => (format, "int64"),
            Value::Float(_) => (format, "float64"),
            Value::Bool(_) | Value::Map(_) => (format, ""),
            _ => (wanted, type_name(value)),
        };
        wrong_type(wanted, got, path, found);
    }
}

/// A failure that has no field of its own.
fn composite(found: &mut Found, message: String) {
    found
        .errors
        .add(FieldErrorKind::Invalid, "<nil>", "\"\"".into(), message);
}

fn check_junctors(value: &Value, schema: &Value, path: &str, old: Option<&Value>, found: &mut Found) {
    let any = schema.get("anyOf").items();
    let results = |schemas: &[Value]| -> Vec<Found> { schemas.iter().map(|s| check(value, s, path, old)).collect() };
    // Of several that fail, the first of those that came farthest.
    let best = |results: Vec<Found>| {
        let most = results.iter().map(|r| r.passed).max();
        results.into_iter().find(|r| Some(r.passed) == most)
    };
    if !any.is_empty() {
        let all = results(any);
        if all.iter().any(Found::is_valid) {
            found.passed += 1;
        } else {
            composite(
                found,
                format!("{path} must validate at least one schema (anyOf)", path = quoted(&path)),
            );
            if let Some(best) = best(all) {
                found.merge(best);
            }
        }
    }
    let one = schema.get("oneOf").items();
    if !one.is_empty() {
        let all = results(one);
        match all.iter().filter(|r| r.is_valid()).count() {
            1 => found.passed += 1,
            0 => {
                composite(
                    found,
                    format!(
                        "{path} must validate one and only one schema (oneOf). Found none valid",
                        path = quoted(&path)
                    ),
                );
                if let Some(best) = best(all) {
                    found.merge(best);
                }
            }
            n => composite(
                found,
                format!(
                    "{path} must validate one and only one schema (oneOf). Found {n} valid alternatives",
                    path = quoted(&path)
                ),
            ),
        }
    }
    let every = schema.get("allOf").items();
    if !every.is_empty() {
        let all = results(every);
        let valid = all.iter().filter(|r| r.is_valid()).count();
        let count = all.len();
        for result in all {
            found.merge(result);
        }
        if valid != count {
            let none = if valid == 0 { ". None validated" } else { "" };
            composite(
                found,
                format!(
                    "{path} must validate all the schemas (allOf){none}",
                    path = quoted(&path)
                ),
            );
        }
    }
    let not = schema.get("not");
    if not.as_map().is_some() && check(value, not, path, old).is_valid() {
        composite(
            found,
            format!("{path} must not validate the schema (not)", path = quoted(&path)),
        );
    }
    found.passed += 1;
}

/// A pattern as Go's `regexp` compiles it, or why it does not.
pub fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|e| format!("error parsing regexp: {e}"))
}

fn check_text(text: &str, value: &Value, schema: &Value, path: &str, found: &mut Found) {
    let bound = |name: &str| schema.i64_at(&[name]).and_then(|n| usize::try_from(n).ok());
    let length = text.chars().count();
    if let Some(max) = bound("maxLength")
        && length > max
    {
        found.errors.too_long(path, max);
        return;
    }
    if let Some(min) = bound("minLength")
        && length < min
    {
        let why = format!("{path} in body should be at least {min} chars long");
        found.errors.invalid(path, value, why);
        return;
    }
    let wanted = schema.get("pattern").str();
    if !wanted.is_empty() && !pattern(wanted).is_ok_and(|r| r.is_match(text)) {
        let why = format!("{path} in body should match '{wanted}'");
        found.errors.invalid(path, value, why);
        return;
    }
    let format = schema.get("format").str();
    if !format.is_empty() && !has_format(text, format) {
        wrong_type(format, text, path, found);
        return;
    }
    found.passed += 2;
}

/// The formats that values of type string are checked for.
pub const FORMATS: [&str; 24] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "k8s-short-name",
    "k8s-long-name",
];

/// Whether a text fits a pattern of ours.
pub fn fits(text: &str, pattern: &str) -> bool {
    Regex::new(pattern).is_ok_and(|r| r.is_match(text))
}

/// Whether a text is of a format (`strfmt`). A format that is not known allows everything.
pub fn has_format(text: &str, format: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let hex = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = |p: &str| fits(text, p);
    match format {
        "bsonobjectid" => text.len() == 24 && hex(text),
        "byte" => base64::decode(text).is_some(),
        "cidr" => crate::api::names::parse_cidr(text).is_some() && text.rsplit('/').next().is_some_and(digits),
        "date" => text.len() == 10 && Time::parse(&format!("{text}T00:00:00Z")).is_some(),
        "date-time" | "datetime" => Time::parse(text).is_some(),
        "duration" => {
            duration::parse(text).is_ok()
                || fits(r"^[0-9]+ *(ns|us|µs|ms|s|m|h|d|w|[a-z]*second|minute|hour|day|week)s?$")
        }
        "email" => fits(r"^[^@\s<>]+@[^@\s<>]+$"),
        "hexcolor" => fits("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
        "rgbcolor" => fits(r"^rgb\(\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*\)$"),
        "hostname" => {
            text.len() <= 255
                && fits(
                    r"^([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*\.?$",
                )
        }
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "mac" => fits("^([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2})$|^([0-9a-fA-F]{4}\\.){2}[0-9a-fA-F]{4}$"),
        "ssn" => fits(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
        "creditcard" => fits(r"^[0-9 -]{13,23}$"),
        "isbn" | "isbn10" | "isbn13" => fits(r"^(97[89])?[- 0-9]{9,16}[0-9X]$"),
        "uri" => fits(r"^([a-zA-Z][a-zA-Z0-9+.-]*:\S+|/\S*)$"),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => {
            fits("^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")
        }
        "k8s-short-name" => crate::api::names::dns1123_label(text).is_ok(),
        "k8s-long-name" => crate::api::names::dns1123_subdomain(text).is_ok(),
        _ => true,
    }
}

/// Whether a number, of a value or of a bound, is one of the schema's type and format
/// (`IsValueValidAgainstRange`): every integer is an `int64` at most.
fn in_range(number: &Value, schema: &Value) -> bool {
    let format = format_of(schema);
    let integer = match number {
        Value::Int(i) => Some(*i),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < i64::MAX as f64 => Some(*f as i64),
        _ => None,
    };
    match schema.get("type").str() {
        "integer" => integer.is_some_and(|i| format != "int32" || i32::try_from(i).is_ok()),
        _ => format != "float" || number.as_f64().is_none_or(|f| f.abs() <= f64::from(f32::MAX)),
    }
}

fn check_number(value: &Value, schema: &Value, path: &str, found: &mut Found) {
    let Some(number) = value.as_f64() else { return };
    for (what, number) in [
        ("Checked", value),
        ("MultipleOf", schema.get("multipleOf")),
        ("Minimum boundary", schema.get("minimum")),
        ("Maximum boundary", schema.get("maximum")),
    ] {
        if !number.is_null() && !in_range(number, schema) {
            let format = match format_of(schema) {
                "" => "(default format)".to_owned(),
                format => format!("with format {format}"),
            };
            let kind = schema.get("type").str();
            composite(found, format!("{what} value must be of type {kind} {format} in {path}"));
        }
    }
    let shown = |bound: f64| match value {
        Value::Int(_) => (bound as i64).to_string(),
        _ => gofmt::float(bound, 'g'),
    };
    if let Some(factor) = schema.get("multipleOf").as_f64() {
        let fits = match value {
            Value::Int(i) if factor.fract() == 0.0 => i.checked_rem(factor as i64) == Some(0),
            _ => (number / factor).fract() == 0.0,
        };
        // A definition may ask for any factor; only values are refused for it.
        if factor <= 0.0 {
            let factor = shown(factor);
            let why = format!("factor MultipleOf declared for {path} must be positive: {factor}");
            found.errors.add(FieldErrorKind::Invalid, path, factor, why);
        } else if !fits {
            let why = format!("{path} in body should be a multiple of {}", shown(factor));
            found.errors.invalid(path, value, why);
        }
    }
    if let Some(max) = schema.get("maximum").as_f64() {
        let exclusive = schema.bool_at(&["exclusiveMaximum"]);
        if number > max || (exclusive && number >= max) {
            let words = if exclusive {
                "less than"
            } else {
                "less than or equal to"
            };
            let why = format!("{path} in body should be {words} {}", shown(max));
            found.errors.invalid(path, value, why);
        }
    }
    if let Some(min) = schema.get("minimum").as_f64() {
        let exclusive = schema.bool_at(&["exclusiveMinimum"]);
        if number < min || (exclusive && number <= min) {
            let words = if exclusive {
                "greater than"
            } else {
                "greater than or equal to"
            };
            let why = format!("{path} in body should be {words} {}", shown(min));
            found.errors.invalid(path, value, why);
        }
    }
    found.passed += 1;
}

fn check_list(items: &[Value], schema: &Value, path: &str, old: Option<&Value>, found: &mut Found) {
    let inner = schema.get("items");
    if inner.as_map().is_some() {
        for (i, item, before) in correlated(schema, items, old) {
            found.merge(check(item, inner, &format!("{path}[{i}]"), before));
        }
    }
    let bound = |name: &str| schema.i64_at(&[name]).and_then(|n| usize::try_from(n).ok());
    if let Some(max) = bound("maxItems")
        && items.len() > max
    {
        found.errors.too_many(path, items.len(), max);
    }
    if let Some(min) = bound("minItems")
        && items.len() < min
    {
        let why = format!("{path} in body should have at least {min} items");
        found.errors.invalid(path, &items.len().into(), why);
    }
    let mut seen = Tally::default();
    if schema.bool_at(&["uniqueItems"]) && items.iter().any(|item| seen.add(item.to_json()) > 0) {
        let why = format!("{path} in body shouldn't contain duplicates");
        found.errors.invalid(path, &"".into(), why);
    }
    found.passed += 1;
}

/// The items of a list, each with its index and the item of the old list, if there was one, that it follows by the
/// schema's keys: only in lists of type `map` do any.
pub fn correlated<'v>(
    schema: &'v Value,
    items: &'v [Value],
    old: Option<&'v Value>,
) -> impl Iterator<Item = (usize, &'v Value, Option<&'v Value>)> {
    let keys = schema.get("x-kubernetes-list-map-keys").items();
    let old = old.filter(|_| schema.get("x-kubernetes-list-type").str() == "map");
    // Of equal keys the first counts.
    let old = old.into_iter().flat_map(Value::items).rev();
    let old: FlatMap<String, &Value> = old.map(|item| (key_of(item, keys), item)).collect();
    items.iter().enumerate().map(move |(i, item)| {
        let known = !old.is_empty();
        let before = known.then(|| old.get(&key_of(item, keys)).copied());
        (i, item, before.flatten())
    })
}

/// The values of these keys as one text.
fn key_of(item: &Value, keys: &[Value]) -> String {
    Value::list(keys.iter().map(|k| item.get(k.str()).clone()).collect()).to_json()
}

fn check_enum(value: &Value, schema: &Value, path: &str, found: &mut Found) {
    let allowed = schema.get("enum").items();
    if allowed.is_empty() {
        return;
    }
    if allowed.contains(value) {
        found.passed += 1;
        return;
    }
    let texts: Vec<String> = allowed
        .iter()
        .map(|v| v.as_str().map_or_else(|| v.to_json(), str::to_owned))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    found.errors.not_supported(path, value, &texts);
}

fn check_object(value: &Value, schema: &Value, path: &str, old: Option<&Value>, found: &mut Found) {
    let count = value.entries().count();
    let bound = |name: &str| schema.i64_at(&[name]).and_then(|n| usize::try_from(n).ok());
    if let Some(min) = bound("minProperties")
        && count < min
    {
        let why = format!("{path} in body should have at least {min} properties");
        found.errors.invalid(path, &count.into(), why);
        return;
    }
    if let Some(max) = bound("maxProperties")
        && count > max
    {
        found.errors.too_many(path, count, max);
        return;
    }
    // The parts of an atomic map are not compared with those before.
    let old = old.filter(|_| schema.get("x-kubernetes-map-type").str() != "atomic");
    let before = |key: &str| old.filter(|o| o.has(key)).map(|o| o.get(key));
    let properties = schema.get("properties");
    let additional = schema.get("additionalProperties");
    for (key, item) in value.entries() {
        if properties.has(key) {
            continue;
        }
        match additional {
            Value::Map(_) => found.merge(check(item, additional, &child(path, key), before(key))),
            Value::Bool(false) => {
                let why = format!("{path}.{key} in body is a forbidden property");
                found
                    .errors
                    .add(FieldErrorKind::Invalid, path, gofmt::quote(key.as_str()), why);
            }
            _ => {}
        }
    }
    for (key, property) in properties.entries() {
        if value.has(key) {
            found.merge(check(value.get(key), property, &child(path, key), before(key)));
        }
    }
    for key in schema.get("required").items() {
        if !value.has(key.str()) {
            found.errors.required(child(path, key.str()), "");
        }
    }
    found.passed += 1;
}

/// Checks that the items of lists of type `set` are unique, and the keys of those of type `map`
/// (`listtype.ValidateListSetsAndMaps`).
pub fn validate_lists(value: &Value, schema: &Value, path: &str, old: Option<&Value>, errors: &mut FieldErrors) {
    if old == Some(value) {
        return;
    }
    match value {
        Value::Map(_) => {
            let additional = schema.get("additionalProperties");
            for (key, item) in value.entries() {
                let inner = match schema.at(&["properties", key]) {
                    Value::Null => additional,
                    property => property,
                };
                if inner.as_map().is_some() {
                    let before = old.filter(|o| o.has(key)).map(|o| o.get(key));
                    validate_lists(item, inner, &child(path, key), before, errors);
                }
            }
        }
        Value::List(items) => {
            let kind = schema.get("x-kubernetes-list-type").str();
            let keys = schema.get("x-kubernetes-list-map-keys").items();
            let identity = |item: &Value| -> Value {
                if kind == "set" {
                    return item.clone();
                }
                keys.iter()
                    .filter(|k| item.has(k.str()))
                    .map(|k| (k.str(), item.get(k.str()).clone()))
                    .fold(Value::map(), |mut all, (k, v)| {
                        all.set(&[k], v);
                        all
                    })
            };
            if matches!(kind, "set" | "map") {
                let mut seen = Tally::default();
                for (i, item) in items.iter().enumerate() {
                    let one = identity(item);
                    // A value is complained of once, where it stands for the second time.
                    if seen.add(one.to_json()) == 1 {
                        errors.duplicate(format!("{path}[{i}]"), &one);
                    }
                }
            }
            let inner = schema.get("items");
            if inner.as_map().is_some() {
                for (i, item, before) in correlated(schema, items, old) {
                    validate_lists(item, inner, &format!("{path}[{i}]"), before, errors);
                }
            }
        }
        _ => {}
    }
}
