//! Nobody gives away what they have not: who writes a role must hold its rules or may `escalate`,
//! who binds a role must hold its rules or may `bind`.

use super::attributes::Attributes;
use super::rbac::{CLUSTER_ROLES, GROUP, ROLES};
use super::rules::{PolicyRule, compact, uncovered};
use super::user::User;
use crate::api::object::{Object, ObjectKey};
use crate::api::server::{ApiServer, Target};
use crate::api::status::Status;
use crate::flat::Arrange;
use crate::value::{Value, gofmt, quoted};

/// Checks a role or binding that is to be written. `old` is its present version.
///
/// # Errors
/// 403 when the user would gain by it, 404 when it binds a role that is not there.
pub fn check(api: &ApiServer, user: &User, target: &Target, value: &Value, old: Option<&Object>) -> Result<(), Status> {
    if &*target.resource.group != GROUP || api.authorizer().allows_everything(user) {
        return Ok(());
    }
    let old = old.map(Object::value);
    let same = |field: &str| old.is_some_and(|old| old.get(field) == value.get(field));
    let resource = &*target.resource.name;
    let name = value.str_at(&["metadata", "name"]);
    let allowed = |verb: &str, resource: &str, name: &str| {
        let asked = Attributes {
            verb,
            group: GROUP,
            version: "v1",
            resource,
            namespace: &target.namespace,
            name,
            ..Attributes::default()
        };
        api.authorizer().decide(api, user, &asked).allowed
    };
    let forbidden = |why: String| Err(Status::forbidden(GROUP, resource, name, why));
    match resource {
        "roles" | "clusterroles" => {
            let joins = value.get("aggregationRule");
            if (same("rules") && same("aggregationRule")) || allowed("escalate", resource, name) {
                return Ok(());
            }
            if let Err(why) = confirm(api, user, &target.namespace, &rules_of(value)) {
                return forbidden(why);
            }
            // What is joined can be anything.
            if !joins.is_empty()
                && !same("aggregationRule")
                && confirm(api, user, &target.namespace, &everything()).is_err()
            {
                return forbidden("must have cluster-admin privileges to use the aggregationRule".into());
            }
            Ok(())
        }
        "rolebindings" | "clusterrolebindings" => {
            if same("roleRef") && same("subjects") {
                return Ok(());
            }
            let reference = value.get("roleRef");
            let (shelf, plural, key) = match reference.get("kind").str() {
                "ClusterRole" => (
                    CLUSTER_ROLES,
                    "clusterroles",
                    ObjectKey::new("", reference.get("name").str()),
                ),
                "Role" => (
                    ROLES,
                    "roles",
                    ObjectKey::new(&target.namespace, reference.get("name").str()),
                ),
                // Validation says what is wrong with it.
                _ => return Ok(()),
            };
            if allowed("bind", plural, &key.name) {
                return Ok(());
            }
            let Some(role) = api.store().get(shelf, &key) else {
                return Err(Status::not_found(GROUP, plural, &key.name));
            };
            match confirm(api, user, &target.namespace, &rules_of(role.value())) {
                Ok(()) => Ok(()),
                Err(why) => forbidden(why),
            }
        }
        _ => Ok(()),
    }
}

fn rules_of(role: &Value) -> Vec<PolicyRule> {
    role.get("rules").items().iter().map(PolicyRule::from_value).collect()
}

fn everything() -> Vec<PolicyRule> {
    let all = || vec!["*".to_owned()];
    vec![
        PolicyRule {
            verbs: all(),
            groups: all(),
            resources: all(),
            ..PolicyRule::default()
        },
        PolicyRule {
            verbs: all(),
            urls: all(),
            ..PolicyRule::default()
        },
    ]
}

/// Whether the user holds these rules in the namespace.
///
/// # Errors
/// The sentence about what is missing.
fn confirm(api: &ApiServer, user: &User, namespace: &str, wanted: &[PolicyRule]) -> Result<(), String> {
    let (held, unresolved) = api.authorizer().rules(api, user, namespace);
    let held: Vec<PolicyRule> = held.iter().map(PolicyRule::from_value).collect();
    let missing = uncovered(&held, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = compact(missing).iter().map(PolicyRule::compact_text).collect();
    lines.arrange();
    lines.dedup();
    let groups: Vec<String> = user.groups.iter().map(|g| gofmt::quote(g)).collect();
    let mut why = format!(
        "user {} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(&user.name),
        groups.join(" "),
        lines.join("\n")
    );
    if !unresolved.is_empty() {
        why.push_str(&format!("; resolution errors: [{}]", unresolved.join(" ")));
    }
    Err(why)
}
