//! The reviews: questions about authentication and authorization, asked by creating an object that
//! is answered and never stored.

use super::attributes::Attributes;
use super::token::{self, ISSUER};
use super::user::User;
use crate::api::request::{Body, Method, Payload, Request, Response};
use crate::api::server::{ApiServer, Target};
use crate::api::status::{FieldErrors, Status};
use crate::value::gofmt::aggregate;
use crate::value::{Value, intern};
use crate::{list, obj};

/// Answers a review; `None` for any other resource.
///
/// # Errors
/// What is wrong with the question.
pub fn serve(
    api: &ApiServer,
    request: &mut Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<Option<Response>, Status> {
    let group = &*target.resource.group;
    if !matches!(group, "authorization.k8s.io" | "authentication.k8s.io") {
        return Ok(None);
    }
    if request.method != Method::Post || !target.name.is_empty() {
        return Err(Status::method_not_allowed());
    }
    let mut value = match std::mem::take(&mut request.body) {
        Body::Typed(value) => value,
        Body::Value(value) => api.decode(&value, request, target, warnings)?,
        Body::None | Body::Bytes(_) => return Err(Status::bad_request("no body was sent")),
    };
    let kind = &*target.resource.kind;
    let spec = value.get("spec").clone();
    let mut errors = FieldErrors::default();
    match kind {
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            access_errors(kind, &value, &mut errors);
        }
        _ => {}
    }
    if !errors.is_empty() {
        return Err(Status::invalid(
            group,
            kind,
            value.str_at(&["metadata", "name"]),
            &errors,
        ));
    }
    let user = &request.user;
    let status = match kind {
        "SelfSubjectReview" => obj! { "userInfo": user.to_value() },
        "SelfSubjectAccessReview" => access(api, user, &spec, None),
        "SubjectAccessReview" => access(api, &user_of(&spec), &spec, None),
        "LocalSubjectAccessReview" => {
            let namespace = target.namespace.as_str();
            if spec.str_at(&["resourceAttributes", "namespace"]) != namespace {
                return Err(Status::bad_request(format!(
                    "spec.resourceAttributes.namespace must match namespace: {namespace}"
                )));
            }
            access(api, &user_of(&spec), &spec, Some(namespace))
        }
        "SelfSubjectRulesReview" => {
            let namespace = spec.get("namespace").str();
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            rules(api, user, namespace)
        }
        "TokenReview" => {
            if spec.get("token").is_empty() {
                return Err(Status::bad_request(
                    "token is required for TokenReview in authentication",
                ));
            }
            token_status(api, &spec)
        }
        _ => return Ok(None),
    };
    if !value.has("metadata") {
        value.set(&["metadata"], Value::map());
    }
    if kind == "SelfSubjectReview" {
        value.set(&["metadata", "creationTimestamp"], api.sim().now());
    }
    if target.resource.namespaced {
        value.set(&["metadata", "namespace"], intern(&target.namespace));
    }
    value.set(&["status"], status);
    Ok(Some(Response::new(201, Payload::Value(value))))
}

/// What is wrong with the `spec` of an access review.
fn access_errors(kind: &str, value: &Value, errors: &mut FieldErrors) {
    let spec = value.get("spec");
    let (resource, path) = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"));
    if !resource.is_null() && !path.is_null() {
        errors.invalid_as(
            "spec.nonResourceAttributes",
            path.to_json(),
            "cannot be specified in combination with resourceAttributes",
        );
    }
    if resource.is_null() && path.is_null() {
        errors.invalid_as(
            "spec.resourceAttributes",
            "null",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
    }
    if kind != "SelfSubjectAccessReview" && spec.get("user").is_empty() && spec.get("groups").is_empty() {
        errors.invalid(
            "spec.user",
            &"".into(),
            "at least one of user or group must be specified",
        );
    }
    if kind == "LocalSubjectAccessReview" && !path.is_null() {
        errors.invalid_as(
            "spec.nonResourceAttributes",
            path.to_json(),
            "disallowed on this kind of request",
        );
    }
}

/// Whom a `SubjectAccessReview` asks about.
fn user_of(spec: &Value) -> User {
    let mut user = User::new(
        spec.get("user").str(),
        spec.get("groups").items().iter().map(Value::str),
    );
    user.uid = spec.get("uid").str().into();
    user
}

fn access(api: &ApiServer, user: &User, spec: &Value, namespace: Option<&str>) -> Value {
    let (resource, path) = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"));
    let asked = if resource.is_null() {
        Attributes {
            verb: path.get("verb").str(),
            path: path.get("path").str(),
            ..Attributes::default()
        }
    } else {
        Attributes {
            verb: resource.get("verb").str(),
            group: resource.get("group").str(),
            version: resource.get("version").str(),
            resource: resource.get("resource").str(),
            subresource: resource.get("subresource").str(),
            namespace: namespace.unwrap_or(resource.get("namespace").str()),
            name: resource.get("name").str(),
            path: "",
        }
    };
    let decision = api.authorizer().decide(api, user, &asked);
    let mut status = obj! { "allowed": decision.allowed };
    status.set_or_remove(&["reason"], decision.reason);
    status
}

/// `SubjectRulesReviewStatus`: the rules of the user, those about resources and those about paths.
fn rules(api: &ApiServer, user: &User, namespace: &str) -> Value {
    let everything = |list: Vec<Value>, paths: Vec<Value>| obj! { "incomplete": false, "nonResourceRules": paths, "resourceRules": list };
    let all = list!["*"];
    let authorizer = api.authorizer();
    if authorizer.allows_everything(user) {
        return everything(
            vec![obj! { "apiGroups": all.clone(), "resources": all.clone(), "verbs": all.clone() }],
            vec![obj! { "nonResourceURLs": all.clone(), "verbs": all }],
        );
    }
    let (found, missing) = authorizer.rules(api, user, namespace);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in found {
        let mut kept = Value::map();
        let fields: &[&str] = if rule.get("nonResourceURLs").is_empty() {
            &["apiGroups", "resourceNames", "resources", "verbs"]
        } else {
            &["nonResourceURLs", "verbs"]
        };
        for field in fields {
            kept.set_or_remove(&[field], rule.get(field).clone());
        }
        if kept.has("nonResourceURLs") {
            paths.push(kept);
        } else {
            resources.push(kept);
        }
    }
    let mut status = everything(resources, paths);
    let mut errors = missing;
    if super::node::node_of(user).is_some() {
        errors.insert(0, "node authorizer does not support user rule resolution".into());
        status.set(&["incomplete"], true);
    }
    if let Some(why) = aggregate(&errors) {
        status.set(&["evaluationError"], why);
    }
    status
}

fn token_status(api: &ApiServer, spec: &Value) -> Value {
    let asked: Vec<&str> = spec.get("audiences").items().iter().map(Value::str).collect();
    let audiences = if asked.is_empty() { vec![ISSUER] } else { asked };
    match token::review(api, spec.get("token").str(), &audiences) {
        Ok((user, fit)) => obj! {
            "audiences": fit.iter().map(|a| Value::from(a.as_str())).collect::<Value>(),
            "authenticated": true,
            "user": user.to_value(),
        },
        Err(why) => obj! { "error": format!("[invalid bearer token, {why}]"), "user": Value::map() },
    }
}
