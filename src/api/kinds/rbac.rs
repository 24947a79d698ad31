//! Roles, ClusterRoles and their bindings.

use super::{age_cell, edit, edit_items, set_default, set_default_zero};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::Value;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of Roles and ClusterRoles.
pub struct RoleRules;

impl Strategy for RoleRules {
    fn defaults(&self, object: &mut Value) {
        // Go writes a list that is not there, and the store keeps no empty one.
        if object.get("rules").is_empty() {
            object.set(&["rules"], Value::Null);
        }
    }

    fn created_by_update(&self) -> bool {
        true
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let cluster = object.str_at(&["kind"]) == "ClusterRole";
        for (i, rule) in object.get("rules").items().iter().enumerate() {
            let at = format!("rules[{i}]");
            if rule.get("verbs").is_empty() {
                errors.required(format!("{at}.verbs"), "verbs must contain at least one value");
            }
            if !rule.get("nonResourceURLs").is_empty() {
                if !cluster {
                    errors.invalid(
                        format!("{at}.nonResourceURLs"),
                        rule.get("nonResourceURLs"),
                        "namespaced rules cannot apply to non-resource URLs",
                    );
                }
                if ["apiGroups", "resources", "resourceNames"]
                    .iter()
                    .any(|l| !rule.get(l).is_empty())
                {
                    let why = "rules cannot apply to both regular resources and non-resource URLs";
                    errors.invalid(format!("{at}.nonResourceURLs"), rule.get("nonResourceURLs"), why);
                }
                continue;
            }
            if rule.get("apiGroups").is_empty() {
                errors.required(
                    format!("{at}.apiGroups"),
                    "resource rules must supply at least one api group",
                );
            }
            if rule.get("resources").is_empty() {
                errors.required(
                    format!("{at}.resources"),
                    "resource rules must supply at least one resource",
                );
            }
        }
        let aggregation = object.get("aggregationRule");
        if aggregation.is_null() {
            return;
        }
        let field = "aggregationRule.clusterRoleSelectors";
        let selectors = aggregation.get("clusterRoleSelectors").items();
        if selectors.is_empty() {
            let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.required(field, why);
        }
        for (i, selector) in selectors.iter().enumerate() {
            super::workload::selector_rules(selector, &format!("{field}[{i}]"), errors);
        }
    }

    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::path_segment(name)
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        Some(vec![object.name().into(), object.created().to_string().into()])
    }
}

/// The rules of RoleBindings and ClusterRoleBindings.
pub struct RoleBindingRules;

impl Strategy for RoleBindingRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn defaults(&self, object: &mut Value) {
        set_default(object, "roleRef", Value::map());
        edit(object, "roleRef", |r| set_default_zero(r, "apiGroup", GROUP));
        edit_items(object, "subjects", |subject| {
            if matches!(subject.get("kind").str(), "User" | "Group") {
                set_default_zero(subject, "apiGroup", GROUP);
            } else if subject.get("apiGroup").as_str() == Some("") {
                subject.remove(&["apiGroup"]);
            }
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let reference = object.get("roleRef");
        if reference.get("apiGroup").str() != GROUP {
            errors.not_supported("roleRef.apiGroup", reference.get("apiGroup"), &[GROUP]);
        }
        let kinds: &[&str] = if object.str_at(&["kind"]) == "RoleBinding" {
            &["Role", "ClusterRole"]
        } else {
            &["ClusterRole"]
        };
        if !kinds.contains(&reference.get("kind").str()) {
            errors.not_supported("roleRef.kind", &reference.get("kind").str().into(), kinds);
        }
        if reference.get("name").is_empty() {
            errors.required("roleRef.name", "");
        } else if let Err(why) = names::path_segment(reference.get("name").str()) {
            errors.invalid("roleRef.name", reference.get("name"), why);
        }
        for (i, subject) in object.get("subjects").items().iter().enumerate() {
            let at = format!("subjects[{i}]");
            if subject.get("name").is_empty() {
                errors.required(format!("{at}.name"), "");
            }
            match subject.get("kind").str() {
                "ServiceAccount" => {
                    let name = subject.get("name");
                    errors.check_some(format!("{at}.name"), name, names::dns1123_subdomain);
                    if !subject.get("apiGroup").is_empty() {
                        errors.not_supported(format!("{at}.apiGroup"), subject.get("apiGroup"), &[""]);
                    }
                    // In a RoleBinding the account may be any of that name.
                    let cluster = object.str_at(&["kind"]) == "ClusterRoleBinding";
                    if cluster && subject.get("namespace").is_empty() {
                        errors.required(format!("{at}.namespace"), "");
                    }
                }
                "User" | "Group" => {
                    if subject.get("apiGroup").str() != GROUP {
                        errors.not_supported(format!("{at}.apiGroup"), subject.get("apiGroup"), &[GROUP]);
                    }
                }
                _ => errors.not_supported(
                    format!("{at}.kind"),
                    subject.get("kind"),
                    &["ServiceAccount", "User", "Group"],
                ),
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let reference = new.get("roleRef");
        if reference != old.value().get("roleRef") {
            let text = |field: &str| Value::from(reference.get(field).str()).to_json();
            errors.invalid_as(
                "roleRef",
                format!(
                    r#"{{"APIGroup":{},"Kind":{},"Name":{}}}"#,
                    text("apiGroup"),
                    text("kind"),
                    text("name")
                ),
                "cannot change roleRef",
            );
        }
    }

    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::path_segment(name)
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = object.value();
        let reference = value.get("roleRef");
        let subjects = |kind: &str| -> Value {
            let all: Vec<String> = value
                .get("subjects")
                .items()
                .iter()
                .filter(|s| s.get("kind").str() == kind)
                .map(|s| match (kind, s.get("namespace").str()) {
                    ("ServiceAccount", namespace) => format!("{namespace}/{}", s.get("name").str()),
                    _ => s.get("name").str().to_owned(),
                })
                .collect();
            all.join(", ").into()
        };
        Some(vec![
            object.name().into(),
            format!("{}/{}", reference.get("kind").str(), reference.get("name").str()).into(),
            age_cell(object, now),
            subjects("User"),
            subjects("Group"),
            subjects("ServiceAccount"),
        ])
    }
}
