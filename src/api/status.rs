//! `metav1.Status`: the API's errors, with the sentences of apimachinery's `api/errors`.

use std::fmt;

use super::names::{Broken, Rule};
use crate::value::gofmt::{self, aggregate};
use crate::value::{Value, gojson};
use crate::{list, obj};

/// An error of the API, as Kubernetes answers it. Boxed inside, since most results are `Ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    code: u16,
    /// `NotFound`, `AlreadyExists`, …; empty for an unknown reason.
    reason: &'static str,
    message: String,
    details: Value,
    /// `metadata` of the answer: a `continue` token.
    metadata: Value,
}

impl Status {
    /// A failure with this HTTP code, reason and message.
    pub fn failure(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status(Box::new(Inner {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            metadata: Value::map(),
        }))
    }

    /// Adds `details`: the object that the failure is about. `kind` is the resource's plural for
    /// most reasons, the kind for `Invalid`.
    fn with_details(mut self, name: &str, group: &str, kind: &str) -> Status {
        let mut details = obj! { "kind": kind };
        details.set_or_remove(&["name"], name);
        details.set_or_remove(&["group"], group);
        self.0.details = details;
        self
    }

    /// 404: `pods "x" not found`.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Status {
        Status::failure(
            404,
            "NotFound",
            format!("{} {} not found", qualified(group, resource), gofmt::quote(name)),
        )
        .with_details(name, group, resource)
    }

    /// 404 for a path that no resource has.
    pub fn no_such_path() -> Status {
        let mut status = Status::failure(404, "NotFound", "the server could not find the requested resource");
        status.0.details = Value::map();
        status
    }

    /// 409: the name is taken.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Status {
        Status::failure(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", qualified(group, resource)),
        )
        .with_details(name, group, resource)
    }

    /// 409: the write was made against an old version, or is not possible now.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Status {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            qualified(group, resource)
        );
        Status::failure(409, "Conflict", message).with_details(name, group, resource)
    }

    /// 409 of optimistic concurrency.
    pub fn modified(group: &str, resource: &str, name: &str) -> Status {
        Status::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409 of a server-side apply: fields have other managers.
    pub fn apply_conflict(message: impl Into<String>, causes: Value) -> Status {
        let mut status = Status::failure(409, "Conflict", message);
        status.0.details = obj! { "causes": causes };
        status
    }

    /// 403.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: impl fmt::Display) -> Status {
        let what = qualified(group, resource);
        let message = if name.is_empty() {
            format!("{what} is forbidden: {why}")
        } else {
            format!("{what} \"{name}\" is forbidden: {why}")
        };
        Status::failure(403, "Forbidden", message).with_details(name, group, resource)
    }

    /// The same sentence with another code and reason, and with causes.
    pub fn for_reason(mut self, code: u16, reason: &'static str, causes: Value) -> Status {
        self.0.code = code;
        self.0.reason = reason;
        self.0.details.set(&["causes"], causes);
        self
    }

    /// The same failure with another sentence.
    pub fn saying(mut self, message: impl Into<String>) -> Status {
        self.0.message = message.into();
        self
    }

    /// 401: no credentials, or none that are known.
    pub fn unauthorized() -> Status {
        Status::failure(401, "Unauthorized", "Unauthorized")
    }

    /// The same failure with `details: {}`, where Go writes the empty struct.
    pub fn with_empty_details(mut self) -> Status {
        self.0.details = Value::map();
        self
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::failure(400, "BadRequest", message)
    }

    /// 405.
    pub fn method_not_allowed() -> Status {
        let mut status = Status::failure(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        status.0.details = Value::map();
        status
    }

    /// 410: a watch or a list from a version that is no longer kept.
    pub fn too_old(asked: u64, oldest: u64) -> Status {
        Status::failure(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 410 of a list whose pages are too old, with the token that goes on regardless.
    pub fn expired_list(message: impl Into<String>, continue_token: &str) -> Status {
        let mut status = Status::failure(410, "Expired", message);
        status.0.metadata = obj! { "continue": continue_token };
        status
    }

    /// 409: every generated name was taken.
    pub fn no_unique_name(group: &str, resource: &str, name: &str) -> Status {
        let mut status = Status::failure(
            409,
            "AlreadyExists",
            format!(
                "{} \"{name}\" already exists, the server was not able to generate a unique name for the object",
                qualified(group, resource)
            ),
        )
        .with_details(name, group, resource);
        status.0.details.set(&["retryAfterSeconds"], 1);
        status
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Status {
        Status::failure(415, "UnsupportedMediaType", message)
    }

    /// 415: a body is in none of the forms that are taken.
    pub fn unknown_media_type(taken: &[&str]) -> Status {
        Status::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            taken.join(", ")
        ))
    }

    /// 422: validation found these errors.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &FieldErrors) -> Status {
        let what = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let message = format!("{what} {} is invalid: {}", gofmt::quote(name), errors.sentence());
        let mut status = Status::failure(422, "Invalid", message).with_details(name, group, kind);
        let causes: Value = errors
            .0
            .iter()
            .map(|e| obj! { "reason": e.kind.reason(), "message": e.body(), "field": e.field.as_str() })
            .collect();
        if !causes.is_empty() {
            status.0.details.set(&["causes"], causes);
        }
        status
    }

    /// 500.
    pub fn internal(message: impl fmt::Display) -> Status {
        let mut status = Status::failure(500, "InternalError", format!("Internal error occurred: {message}"));
        status.0.details = obj! { "causes": list![obj! { "message": message.to_string() }] };
        status
    }

    /// 504: the request ended before its work did.
    pub fn timeout(message: impl Into<String>) -> Status {
        Status::failure(504, "Timeout", message)
    }

    /// The same failure with its causes, and after how many seconds it is worth another try.
    pub fn to_be_tried_again(mut self, seconds: i64, causes: Value) -> Status {
        self.0.details = obj! { "causes": causes, "retryAfterSeconds": seconds };
        self
    }

    /// The same failure with its causes.
    pub fn because(mut self, causes: Value) -> Status {
        self.0.details = obj! { "causes": causes };
        self
    }

    /// Whether it is what a client makes of a page of plain text (`UnexpectedServerResponse`).
    pub fn is_of_page(&self) -> bool {
        let causes = self.0.details.get("causes").items();
        causes
            .iter()
            .any(|c| c.str_at(&["reason"]) == "UnexpectedServerResponse")
    }

    /// 429, as an eviction that a budget forbids.
    pub fn too_many_requests(message: impl Into<String>, causes: Value) -> Status {
        let mut status = Status::failure(429, "TooManyRequests", message);
        status.0.details.set_or_remove(&["causes"], causes);
        status
    }

    /// Reads a `Status` object, as a client gets it.
    pub fn from_value(value: &Value) -> Status {
        let reason = REASONS
            .iter()
            .find(|r| **r == value.str_at(&["reason"]))
            .copied()
            .unwrap_or("");
        Status(Box::new(Inner {
            code: value
                .i64_at(&["code"])
                .and_then(|c| u16::try_from(c).ok())
                .unwrap_or(500),
            reason,
            message: value.str_at(&["message"]).to_owned(),
            details: value.get("details").clone(),
            metadata: value.get("metadata").clone(),
        }))
    }

    /// The object that is sent to clients.
    pub fn to_value(&self) -> Value {
        let mut value = obj! {
            "apiVersion": "v1",
            "code": self.0.code,
            "kind": "Status",
            "message": self.0.message.as_str(),
            "metadata": self.0.metadata.clone(),
            "status": "Failure",
        };
        value.set_or_remove(&["reason"], self.0.reason);
        if !self.0.details.is_null() {
            value.set(&["details"], self.0.details.clone());
        }
        value
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// `NotFound`, `Invalid`; empty where there is none.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// `details` of the object, null where there are none.
    pub fn details(&self) -> &Value {
        &self.0.details
    }

    /// The outcome of a write that has nothing left to do when its object is gone.
    ///
    /// # Errors
    /// Every failure but 404 Not Found.
    pub fn ignore_not_found<T>(outcome: Result<T, Status>) -> Result<(), Status> {
        match outcome {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }

    /// The outcome of a write that has nothing left to do when its object is gone or another version.
    ///
    /// # Errors
    /// Every failure but 404 Not Found and 409 Conflict.
    pub fn ignore_not_found_or_conflict<T>(outcome: Result<T, Status>) -> Result<(), Status> {
        match outcome {
            Err(status) if !status.is_conflict() => Status::ignore_not_found(Err::<T, _>(status)),
            _ => Ok(()),
        }
    }

    /// Whether there is no such object or path.
    pub fn is_not_found(&self) -> bool {
        self.0.reason == "NotFound"
    }

    /// Whether the name is taken.
    pub fn is_already_exists(&self) -> bool {
        self.0.reason == "AlreadyExists"
    }

    /// Whether a version or a uid is no longer the present one, or a field has another manager.
    pub fn is_conflict(&self) -> bool {
        self.0.reason == "Conflict"
    }
}

const REASONS: [&str; 17] = [
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Forbidden",
    "BadRequest",
    "MethodNotAllowed",
    "Expired",
    "Gone",
    "UnsupportedMediaType",
    "Invalid",
    "InternalError",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "NotAcceptable",
    "ServiceUnavailable",
    "RequestEntityTooLarge",
];

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Status {}

fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

/// Kinds of validation errors (`field.ErrorType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    NotFound,
    Required,
    Duplicate,
    Invalid,
    NotSupported,
    Forbidden,
    TooLong,
    TooMany,
    TypeInvalid,
    Internal,
}

impl FieldErrorKind {
    fn reason(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "FieldValueNotFound",
            FieldErrorKind::Required => "FieldValueRequired",
            FieldErrorKind::Duplicate => "FieldValueDuplicate",
            FieldErrorKind::Invalid => "FieldValueInvalid",
            FieldErrorKind::NotSupported => "FieldValueNotSupported",
            FieldErrorKind::Forbidden => "FieldValueForbidden",
            FieldErrorKind::TooLong => "FieldValueTooLong",
            FieldErrorKind::TooMany => "FieldValueTooMany",
            FieldErrorKind::TypeInvalid => "FieldValueTypeInvalid",
            FieldErrorKind::Internal => "InternalError",
        }
    }

    fn words(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "Not found",
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::Invalid | FieldErrorKind::TypeInvalid => "Invalid value",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::TooLong => "Too long",
            FieldErrorKind::TooMany => "Too many",
            FieldErrorKind::Internal => "Internal error",
        }
    }
}

/// One error of validation (`field.Error`).
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// What sort of error it is.
    pub kind: FieldErrorKind,
    /// `spec.containers[0].name`.
    pub field: String,
    /// The value as Go's `%q`, `%v` or JSON prints it; empty for kinds that show none.
    pub bad: String,
    /// The sentence after the value; may be empty.
    pub detail: String,
}

impl FieldError {
    /// The message without the field.
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        let shows = !matches!(
            self.kind,
            FieldErrorKind::Required | FieldErrorKind::Forbidden | FieldErrorKind::TooLong | FieldErrorKind::Internal
        );
        if shows && !self.bad.is_empty() {
            text = format!("{text}: {}", self.bad);
        }
        if !self.detail.is_empty() {
            text = format!("{text}: {}", self.detail);
        }
        text
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// One or more sentences that say what is wrong.
pub trait Sentences {
    fn sentences(self) -> Vec<String>;
}

impl Sentences for &str {
    fn sentences(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Sentences for String {
    fn sentences(self) -> Vec<String> {
        vec![self]
    }
}

impl Sentences for Broken {
    fn sentences(self) -> Vec<String> {
        self.0
    }
}

/// The errors that validation collects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an error whose value is printed as `bad` is; an empty one is left out.
    pub fn add(&mut self, kind: FieldErrorKind, field: impl fmt::Display, bad: String, detail: impl Into<String>) {
        self.0.push(FieldError {
            kind,
            field: field.to_string(),
            bad,
            detail: detail.into(),
        });
    }

    /// `Required value`: the field must be set.
    pub fn required(&mut self, field: impl fmt::Display, detail: impl Into<String>) {
        self.add(FieldErrorKind::Required, field, String::new(), detail);
    }

    /// Adds an error for each sentence of `detail`.
    pub fn invalid(&mut self, field: impl fmt::Display, bad: &Value, detail: impl Sentences) {
        for sentence in detail.sentences() {
            self.add(FieldErrorKind::Invalid, &field, show(bad), sentence);
        }
    }

    /// Like [`FieldErrors::invalid`] with a value whose Go text differs from its JSON.
    pub fn invalid_as(&mut self, field: impl fmt::Display, bad: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Invalid, field, bad.into(), detail);
    }

    /// `Duplicate value`: the list has had such an item.
    pub fn duplicate(&mut self, field: impl fmt::Display, bad: &Value) {
        self.add(FieldErrorKind::Duplicate, field, show(bad), "");
    }

    /// Like [`FieldErrors::duplicate`] with a value whose Go text differs from its JSON.
    pub fn duplicate_as(&mut self, field: impl fmt::Display, bad: impl Into<String>) {
        self.add(FieldErrorKind::Duplicate, field, bad.into(), "");
    }

    /// `Not found`: what the field names is not there.
    pub fn not_found(&mut self, field: impl fmt::Display, bad: &Value) {
        self.add(FieldErrorKind::NotFound, field, show(bad), "");
    }

    /// Adds an error for each rule that a text breaks.
    pub fn check(&mut self, field: impl fmt::Display, text: &Value, rule: Rule) {
        if let Err(why) = rule(text.str()) {
            self.invalid(field, &text.str().into(), why);
        }
    }

    /// Adds an error for each rule that a text breaks, if there is one.
    pub fn check_some(&mut self, field: impl fmt::Display, text: &Value, rule: Rule) {
        if !text.is_empty() {
            self.check(field, text, rule);
        }
    }

    /// Adds an error for each rule that a text breaks, or that it is required.
    pub fn check_required(&mut self, field: impl fmt::Display, text: &Value, rule: Rule) {
        if text.is_empty() {
            self.required(field, "");
        } else {
            self.check(field, text, rule);
        }
    }

    /// A text that must be one of these, or may be absent.
    pub fn enumerated(&mut self, field: impl fmt::Display, text: &Value, supported: &[&str]) {
        if !text.is_null() && !supported.contains(&text.str()) {
            self.not_supported(field, text, supported);
        }
    }

    /// `Forbidden`: the field may not be set, or not be changed.
    pub fn forbidden(&mut self, field: impl fmt::Display, detail: impl Into<String>) {
        self.add(FieldErrorKind::Forbidden, field, String::new(), detail);
    }

    /// `supported` is printed quoted, in the order given.
    pub fn not_supported(&mut self, field: impl fmt::Display, bad: &Value, supported: &[&str]) {
        self.not_supported_as(field, show(bad), supported);
    }

    /// As [`FieldErrors::not_supported`], for a value that is already written as the Status shows it.
    pub fn not_supported_as(&mut self, field: impl fmt::Display, shown: String, supported: &[&str]) {
        let quoted: Vec<String> = supported.iter().map(|s| gofmt::quote(s)).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        self.add(FieldErrorKind::NotSupported, field, shown, detail);
    }

    /// `Too long`: a text of more than `max` bytes.
    pub fn too_long(&mut self, field: impl fmt::Display, max: usize) {
        self.add(
            FieldErrorKind::TooLong,
            field,
            String::new(),
            format!("may not be more than {max} bytes"),
        );
    }

    /// `Too many`: a list of more than `max` items.
    pub fn too_many(&mut self, field: impl fmt::Display, actual: usize, max: usize) {
        self.add(
            FieldErrorKind::TooMany,
            field,
            actual.to_string(),
            format!("must have at most {max} items"),
        );
    }

    /// All of them in one text, each once (`ToAggregate`).
    pub fn sentence(&self) -> String {
        let list: Vec<String> = self.0.iter().map(|e| e.to_string()).collect();
        aggregate(&list).unwrap_or_default()
    }
}

/// How `field.Error` prints a value: text quoted as Go's `%q`, `null`, else JSON.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Str(s) => gofmt::quote(s),
        other => gojson::compact(other, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn messages() {
        let mut errors = FieldErrors::default();
        errors.invalid("metadata.name", &"Web_1".into(), "must be lower case");
        expect![[r#"Pod "Web_1" is invalid: metadata.name: Invalid value: "Web_1": must be lower case"#]]
            .assert_eq(Status::invalid("", "Pod", "Web_1", &errors).message());
        errors.required("spec.containers", "");
        expect![[r#"Deployment.apps "x" is invalid: [metadata.name: Invalid value: "Web_1": must be lower case, spec.containers: Required value]"#]]
            .assert_eq(Status::invalid("apps", "Deployment", "x", &errors).message());
        let s = Status::not_found("apps", "deployments", "web");
        expect![[r#"{"apiVersion":"v1","code":404,"details":{"group":"apps","kind":"deployments","name":"web"},"kind":"Status","message":"deployments.apps \"web\" not found","metadata":{},"reason":"NotFound","status":"Failure"}"#]]
            .assert_eq(&s.to_value().to_json());
        assert_eq!(Status::from_value(&s.to_value()), s);
    }
}
