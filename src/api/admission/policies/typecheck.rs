//! What of a policy's expressions does not fit the types of the objects that it looks at
//! (`plugin/policy/validating/typechecking.go`).

use std::rc::Rc;

use super::expressions::{self, Known};
use crate::api::cel::{self, Type};
use crate::api::resource::Resource;
use crate::api::schema;
use crate::api::server::ApiServer;
use crate::flat::Arrange;
use crate::obj;
use crate::value::Value;

/// A policy is checked against so many types (`maxTypesToCheck`).
const MOST_TYPES: usize = 10;

/// The warnings for the spec of a ValidatingAdmissionPolicy, as its status has them.
pub(crate) fn warnings(api: &ApiServer, spec: &Value) -> Value {
    let kind = spec.get("paramKind");
    let params = (!kind.is_null()).then(|| {
        let (version, kind) = (kind.str_at(&["apiVersion"]), kind.str_at(&["kind"]));
        let resource = api.resource_of_kind(version, kind);
        resource.map_or(Type::Dyn, |r| type_of(&r).unwrap_or(Type::Dyn))
    });
    let mut checked: Vec<(String, Known)> = Vec::new();
    for resource in types(api, spec.at(&["matchConstraints", "resourceRules"])) {
        if let Some(object) = type_of(&resource) {
            let name = format!("{}, Kind={}", resource.api_version(), resource.kind);
            checked.push((name, known(spec, object, params.as_ref())));
        }
    }
    let mut warnings = Vec::new();
    for (i, validation) in spec.get("validations").items().iter().enumerate() {
        for field in ["expression", "messageExpression"] {
            let text = validation.get(field).str();
            if text.is_empty() {
                continue;
            }
            let wrong: Vec<String> = checked
                .iter()
                .filter_map(|(name, known)| Some(format!("{name}: {}\n", cel::compile(text, known).err()?)))
                .collect();
            if !wrong.is_empty() {
                warnings.push(obj! {
                    "fieldRef": format!("spec.validations[{i}].{field}"),
                    "warning": wrong.join("\n"),
                });
            }
        }
    }
    warnings.into()
}

fn type_of(resource: &Resource) -> Option<Type> {
    schema::of(resource).map(cel::of_api)
}

/// What the expressions may name, with the types of the object and of the parameters.
fn known(spec: &Value, object: Type, params: Option<&Type>) -> Known {
    let mut known = expressions::known(params.is_some(), true);
    // Of the permissions the checker knows the first alone.
    known.retain(|(name, _)| *name != expressions::REQUEST_RESOURCE);
    for (name, t) in &mut known {
        match *name {
            "object" | "oldObject" => *t = object.clone(),
            "params" => *t = params.cloned().unwrap_or(Type::Dyn),
            _ => {}
        }
    }
    expressions::compose(&mut known, spec);
    known
}

/// The resources that rules name without wildcards and as a whole, in the order of group, version and kind.
fn types(api: &ApiServer, rules: &Value) -> Vec<Rc<Resource>> {
    let mut found: Vec<Rc<Resource>> = Vec::new();
    for rule in rules.items() {
        let texts = |list: &str| -> Vec<String> {
            let mut all: Vec<String> = rule.get(list).items().iter().map(|v| v.str().to_owned()).collect();
            all.arrange();
            all
        };
        let (groups, versions) = (texts("apiGroups"), texts("apiVersions"));
        if groups.iter().chain(&versions).any(|v| v.contains('*')) {
            continue;
        }
        let named = texts("resources");
        let plain: Vec<&String> = named.iter().filter(|r| !r.contains(['*', '/'])).collect();
        let mut count = 0;
        for group in &groups {
            for version in &versions {
                for name in &plain {
                    let Some(resource) = api.resource(group, version, name) else {
                        continue;
                    };
                    count += 1;
                    if !found.iter().any(|r| Rc::ptr_eq(r, &resource)) {
                        found.push(resource);
                    }
                    if count == MOST_TYPES {
                        return in_order(found);
                    }
                }
            }
        }
    }
    in_order(found)
}

fn in_order(mut found: Vec<Rc<Resource>>) -> Vec<Rc<Resource>> {
    found.arrange_by(|a, b| (&a.group, &a.version, &a.kind).cmp(&(&b.group, &b.version, &b.kind)));
    found
}
