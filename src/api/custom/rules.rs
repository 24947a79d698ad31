//! `x-kubernetes-validations`: the rules in CEL of a schema, checked when a definition is made and run
//! against each object.

use std::rc::Rc;

use super::openapi::correlated;
use super::structural::EMBEDDED;
use crate::api::cel::{self, Program, Type, Val};
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::flat::FlatMap;
use crate::value::{Value, gofmt, gojson};

/// A rule, compiled.
#[derive(Debug)]
struct Rule {
    /// `None` for one that does not compile, which a definition could not have been made with.
    program: Option<Program>,
    text: String,
    message: String,
    message_expression: Option<Program>,
    reason: String,
    /// `.spec.a`, below the schema that the rule stands at.
    field_path: String,
    uses_old: bool,
    /// Whether `oldSelf` is an optional value, so that the rule runs for new objects too.
    optional_old: bool,
}

/// The rules of a schema and of the schemas in it.
#[derive(Debug, Default)]
pub struct Rules {
    own: Vec<Rule>,
    /// Whether the schema is that of a whole object.
    whole: bool,
    properties: FlatMap<String, Rules>,
    additional: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
}

fn variables(schema: &Value, whole: bool, optional_old: bool) -> Vec<(&'static str, Type)> {
    let own = cel::schema_type(schema, whole).unwrap_or(Type::Dyn);
    let old = if optional_old {
        Type::Optional(Rc::new(own.clone()))
    } else {
        own.clone()
    };
    vec![("self", own), ("oldSelf", old)]
}

impl Rules {
    /// The rules of a schema; `None` where there are none.
    pub fn new(schema: &Value, whole: bool) -> Option<Rules> {
        let whole = whole || schema.bool_at(&[EMBEDDED]);
        let rules = Rules {
            own: schema
                .get("x-kubernetes-validations")
                .items()
                .iter()
                .map(|rule| compile(rule, schema, whole))
                .collect(),
            whole,
            properties: schema
                .get("properties")
                .entries()
                .filter_map(|(key, property)| Some((key.to_string(), Rules::new(property, false)?)))
                .collect(),
            additional: match schema.get("additionalProperties") {
                inner @ Value::Map(_) => Rules::new(inner, false).map(Box::new),
                _ => None,
            },
            items: match schema.get("items") {
                inner @ Value::Map(_) => Rules::new(inner, false).map(Box::new),
                _ => None,
            },
        };
        let empty =
            rules.own.is_empty() && rules.properties.is_empty() && rules.additional.is_none() && rules.items.is_none();
        (!empty).then_some(rules)
    }

    /// Runs the rules against a value at a path; `old` is the value before, for updates.
    pub fn validate(&self, value: &Value, schema: &Value, path: &str, old: Option<&Value>, errors: &mut FieldErrors) {
        // `nullable` values have no fields that rules could look at.
        if value.is_null() {
            return;
        }
        let unchanged = old == Some(value);
        for rule in &self.own {
            rule.validate(value, schema, self.whole, path, old, unchanged, errors);
        }
        match value {
            Value::Map(_) => {
                let old = old.filter(|_| schema.get("x-kubernetes-map-type").str() != "atomic");
                for (key, item) in value.entries() {
                    let (rules, inner) = match self.properties.get(key.as_str()) {
                        Some(rules) => (Some(rules), schema.at(&["properties", key])),
                        None if schema.get("properties").has(key) => (None, &Value::Null),
                        None => (self.additional.as_deref(), schema.get("additionalProperties")),
                    };
                    let Some(rules) = rules else { continue };
                    let before = old.filter(|o| o.has(key)).map(|o| o.get(key));
                    let at = if path.is_empty() {
                        key.to_string()
                    } else if self.properties.contains_key(key.as_str()) {
                        format!("{path}.{key}")
                    } else {
                        format!("{path}[{key}]")
                    };
                    rules.validate(item, inner, &at, before, errors);
                }
            }
            Value::List(items) => {
                let Some(rules) = &self.items else { return };
                for (i, item, before) in correlated(schema, items, old) {
                    rules.validate(item, schema.get("items"), &format!("{path}[{i}]"), before, errors);
                }
            }
            _ => {}
        }
    }
}

fn compile(rule: &Value, schema: &Value, whole: bool) -> Rule {
    let text = |field: &str| rule.get(field).str().trim().to_owned();
    let optional_old = rule.bool_at(&["optionalOldSelf"]);
    let variables = variables(schema, whole, optional_old);
    let program = cel::compile(rule.get("rule").str(), &variables).ok();
    let message = rule.get("messageExpression").str();
    Rule {
        uses_old: program.as_ref().is_some_and(|p| p.uses("oldSelf")),
        program,
        text: text("rule"),
        message: text("message"),
        message_expression: (!message.is_empty())
            .then(|| cel::compile(message, &variables).ok())
            .flatten(),
        reason: text("reason"),
        field_path: text("fieldPath"),
        optional_old,
    }
}

impl Rule {
    #[allow(clippy::too_many_arguments)]
    fn validate(
        &self,
        value: &Value,
        schema: &Value,
        whole: bool,
        path: &str,
        old: Option<&Value>,
        unchanged: bool,
        errors: &mut FieldErrors,
    ) {
        let Some(program) = &self.program else { return };
        if self.uses_old && old.is_none() && !self.optional_old {
            return;
        }
        // What an update does not change is not complained of again.
        if unchanged && !self.uses_old {
            return;
        }
        let mut values: FlatMap<&str, Val> = FlatMap::new();
        values.insert("self", Val::of(value, schema, whole));
        let before = old.map(|old| Val::of(old, schema, whole));
        if self.optional_old {
            values.insert("oldSelf", Val::Optional(before.map(Rc::new)));
        } else if let Some(before) = before {
            values.insert("oldSelf", before);
        }
        // Objects and lists are not printed, scalars are.
        let bad = match value {
            Value::Map(_) | Value::List(_) => String::new(),
            Value::Str(s) => gofmt::quote(s),
            other => other.to_json(),
        };
        let shown = if path.is_empty() { "<nil>" } else { path };
        let named = if self.message.is_empty() {
            &self.text
        } else {
            &self.message
        };
        match program.run(&values) {
            Ok(Val::Bool(true)) => {}
            Ok(_) => {
                let said = self.message_expression.as_ref().and_then(|m| m.run(&values).ok());
                let detail = match said {
                    // A message that is empty or has line breaks is none.
                    Some(Val::Str(s)) if !s.trim().is_empty() && !s.contains(['\n', '\r']) => s.trim().to_owned(),
                    _ if self.message.is_empty() => format!("failed rule: {}", self.text),
                    _ => self.message.clone(),
                };
                let at = match (path, self.field_path.as_str()) {
                    (_, "") => shown.to_owned(),
                    ("", below) => below.trim_start_matches('.').to_owned(),
                    (path, below) => format!("{path}{below}"),
                };
                match self.reason.as_str() {
                    "FieldValueRequired" => errors.required(at, detail),
                    "FieldValueForbidden" => errors.forbidden(at, detail),
                    "FieldValueDuplicate" => errors.add(FieldErrorKind::Duplicate, at, bad, ""),
                    _ => errors.add(FieldErrorKind::Invalid, at, bad, detail),
                }
            }
            Err(failure) => {
                let why = failure.to_string();
                let detail = if why.starts_with("no such overload") {
                    format!(
                        "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {named}"
                    )
                } else if why.starts_with("operation cancelled") {
                    format!(
                        "'{why}': no further validation rules will be run due to call cost exceeds limit for rule: {named}"
                    )
                } else {
                    format!("{why} evaluating rule: {named}")
                };
                errors.add(FieldErrorKind::Invalid, shown, bad, detail);
            }
        }
    }
}

/// A rule as Go prints its own form of it.
fn rule_text(rule: &Value) -> String {
    let text = |field: &str| gojson::compact(&Value::from(rule.get(field).str()), true);
    let or_null = |field: &str| rule.get(field).to_json();
    format!(
        r#"{{"Rule":{},"Message":{},"MessageExpression":{},"Reason":{},"FieldPath":{},"OptionalOldSelf":{}}}"#,
        text("rule"),
        text("message"),
        text("messageExpression"),
        or_null("reason"),
        text("fieldPath"),
        or_null("optionalOldSelf"),
    )
}

/// Checks the rules of a definition's schema, and what they cost. A schema that was there before (`unchanged`) may
/// have rules that are too expensive, if all together are not.
pub fn validate_rules(schema: &Value, at: &str, unchanged: bool, errors: &mut FieldErrors) {
    let mut walk = Walk {
        budget: cel::Budget::default(),
        unchanged,
        errors,
    };
    walk.rules_of(schema, at, true, None, Some(1));
    let Some((dearest, why)) = walk.budget.exceeded() else {
        return;
    };
    for path in dearest {
        let why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        errors.forbidden(path, why);
    }
    errors.forbidden(at, why);
}

/// How often more than the schema itself its parts can be in an object; `None` for no limit (`extractMaxElements`).
fn most_parts(schema: &Value) -> Option<u64> {
    let limit = |field: &str| schema.get(field).as_i64().map(|n| u64::try_from(n).unwrap_or(0));
    match schema.get("type").str() {
        "object" if !schema.get("additionalProperties").is_null() => limit("maxProperties"),
        "array" => limit("maxItems"),
        _ => Some(1),
    }
}

struct Walk<'a> {
    budget: cel::Budget,
    unchanged: bool,
    errors: &'a mut FieldErrors,
}

impl Walk<'_> {
    /// Counts an expression, and complains of one that alone is too expensive.
    fn spend(&mut self, path: String, what: &str, cost: u64) {
        if let Some(why) = self.budget.spend(&path, what, cost)
            && !self.unchanged
        {
            self.errors.forbidden(path, why);
        }
    }

    /// `uncorrelatable` is the path of the list or map above whose parts cannot be followed from one version
    /// of an object to the next; `times` how often the schema can be in an object, `None` where nothing limits it.
    fn rules_of(&mut self, schema: &Value, at: &str, whole: bool, uncorrelatable: Option<&str>, times: Option<u64>) {
        let whole = whole || schema.bool_at(&[EMBEDDED]);
        let inside = times.zip(most_parts(schema)).map(|(a, b)| a.saturating_mul(b));
        // The rules of the parts come first, as in the server.
        for (key, property) in schema.get("properties").entries() {
            let atomic = schema.get("x-kubernetes-map-type").str() == "atomic";
            let inner = uncorrelatable.or(atomic.then_some(at));
            self.rules_of(property, &format!("{at}.properties[{key}]"), false, inner, inside);
        }
        let additional = schema.get("additionalProperties");
        if additional.as_map().is_some() {
            self.rules_of(
                additional,
                &format!("{at}.additionalProperties"),
                false,
                uncorrelatable,
                inside,
            );
        }
        let items = schema.get("items");
        if items.as_map().is_some() {
            let followed = schema.get("x-kubernetes-list-type").str() == "map";
            let inner = uncorrelatable.or((!followed).then_some(at));
            self.rules_of(items, &format!("{at}.items"), false, inner, inside);
        }
        for (i, rule) in schema.get("x-kubernetes-validations").items().iter().enumerate() {
            let at = format!("{at}.x-kubernetes-validations[{i}]");
            let optional = rule.bool_at(&["optionalOldSelf"]);
            let variables = variables(schema, whole, optional);
            let invalid = |errors: &mut FieldErrors, field: &str, why: String| {
                errors.invalid_as(format!("{at}.{field}"), rule_text(rule), why);
            };
            let mut uses_old = false;
            let mut compiles = false;
            match cel::compile_costed(rule.get("rule").str(), &variables, schema, whole) {
                Err(report) => invalid(self.errors, "rule", format!("compilation failed: {report}")),
                Ok((program, _)) if !matches!(program.result, Type::Bool) => {
                    invalid(self.errors, "rule", "cel expression must evaluate to a bool".into());
                }
                Ok((program, cost)) => {
                    uses_old = program.uses("oldSelf");
                    compiles = true;
                    let times = times.unwrap_or_else(|| cel::most_often(schema));
                    self.spend(format!("{at}.rule"), "estimated rule cost", cost.saturating_mul(times));
                }
            }
            let message = rule.get("messageExpression").str();
            if compiles && !message.trim().is_empty() {
                match cel::compile_costed(message, &variables, schema, whole) {
                    Err(report) => invalid(
                        self.errors,
                        "messageExpression",
                        format!("messageExpression compilation failed: {report}"),
                    ),
                    Ok((program, _)) if !matches!(program.result, Type::Str) => invalid(
                        self.errors,
                        "messageExpression",
                        "messageExpression must evaluate to a string".into(),
                    ),
                    Ok((_, cost)) => {
                        let path = format!("{at}.messageExpression");
                        self.spend(path, "estimated messageExpression cost", cost);
                    }
                }
            }
            if uses_old {
                if let Some(path) = uncorrelatable {
                    self.errors.invalid(
                        format!("{at}.rule"),
                        rule.get("rule"),
                        format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {path}"),
                    );
                }
            } else if !rule.get("optionalOldSelf").is_null() {
                self.errors.invalid(
                    format!("{at}.optionalOldSelf"),
                    rule.get("optionalOldSelf"),
                    "may not be set if oldSelf is not used in rule",
                );
            }
        }
    }
}
