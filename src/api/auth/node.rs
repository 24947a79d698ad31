//! The `Node` authorizer: what a kubelet may do, beside what roles give it. It sees the secrets,
//! ConfigMaps and claims of its own pods only.

use super::attributes::Attributes;
use super::rbac::{CLUSTER_ROLES, rule_allows};
use super::user::User;
use crate::api::object::{Object, ObjectKey};
use crate::api::server::ApiServer;
use crate::api::volumes::claim_name;
use crate::value::{Value, quoted};

/// The node that a user is the kubelet of.
pub fn node_of(user: &User) -> Option<&str> {
    let name = user.name.strip_prefix("system:node:")?;
    user.is_in("system:nodes").then_some(name)
}

/// What the authorizer says about a kubelet. The rules that have no exception are those of the
/// cluster role `system:node`. `true` says that the kubelet may do so in every namespace and under
/// every name.
///
/// # Errors
/// Why the kubelet may not; empty where the authorizer gives no reason.
pub fn decide(api: &ApiServer, node: &str, asked: &Attributes) -> Result<bool, String> {
    if !asked.is_resource() {
        return Err(String::new());
    }
    match (asked.group, asked.resource, asked.subresource) {
        ("", "configmaps" | "secrets", "") => related(api, node, asked, &["get", "list", "watch"]),
        ("", "persistentvolumeclaims" | "persistentvolumes", "") => related(api, node, asked, &["get"]),
        ("", "serviceaccounts", "token") => related(api, node, asked, &["create"]),
        ("coordination.k8s.io", "leases", "") => {
            let verbs = ["get", "create", "update", "patch", "delete"];
            if !verbs.contains(&asked.verb) {
                Err("can only get, create, update, patch, or delete a node lease".into())
            } else if asked.namespace != LEASES {
                Err(format!("can only access leases in the {LEASES:?} system namespace"))
            } else if asked.verb != "create" && asked.name != node {
                // One is created under a name that the path does not have yet.
                Err("can only access node lease with the same name as the requesting node".into())
            } else {
                Ok(false)
            }
        }
        _ => {
            let role = api.store().get(CLUSTER_ROLES, &ObjectKey::new("", "system:node"));
            let rules = role.as_ref().map_or(&[][..], |r| r.value().get("rules").items());
            if rules.iter().any(|rule| rule_allows(rule, asked)) {
                Ok(true)
            } else {
                Err(String::new())
            }
        }
    }
}

/// The namespace of the nodes' leases.
const LEASES: &str = "kube-node-lease";

/// Whether a pod on the node refers to the one object that is asked for.
fn related(api: &ApiServer, node: &str, asked: &Attributes, verbs: &[&str]) -> Result<bool, String> {
    if !verbs.contains(&asked.verb) {
        return Err(match verbs {
            ["create"] => "can only create tokens for individual service accounts".into(),
            ["get"] => "can only get individual resources of this type".into(),
            _ => "can only read resources of this type".into(),
        });
    }
    if asked.name.is_empty() {
        return Err("No Object name found".into());
    }
    let mut found = false;
    // Pods come in the order of their namespaces, so that only those of one are walked.
    api.store().each("pods", asked.namespace, |pod| {
        found = found || (pod.spec().get("nodeName").str() == node && refers(api, pod, asked));
    });
    if found {
        Ok(false)
    } else {
        Err(format!(
            "no relationship found between node {node} and this object",
            node = quoted(&node)
        ))
    }
}

/// Whether a pod refers to an object by its volumes, its environment, its account or its pulls.
fn refers(api: &ApiServer, pod: &Object, asked: &Attributes) -> bool {
    let (spec, name) = (pod.spec(), asked.name);
    let named = |v: &Value, path: &[&str]| v.str_at(path) == name;
    let volumes = spec.get("volumes").items();
    match asked.resource {
        "serviceaccounts" => named(spec, &["serviceAccountName"]),
        "persistentvolumeclaims" => volumes.iter().any(|v| claim_name(pod, v).as_deref() == Some(name)),
        "persistentvolumes" => volumes.iter().filter_map(|v| claim_name(pod, v)).any(|claim| {
            let key = ObjectKey::new(pod.namespace(), &claim);
            let claim = api.store().get("persistentvolumeclaims", &key);
            claim.is_some_and(|c| named(c.spec(), &["volumeName"]))
        }),
        kind => {
            let (volume, field, in_env, env) = if kind == "secrets" {
                ("secret", "secretName", "secretKeyRef", "secretRef")
            } else {
                ("configMap", "name", "configMapKeyRef", "configMapRef")
            };
            let by_volume = volumes.iter().any(|v| {
                named(v, &[volume, field])
                    || v.at(&["projected", "sources"])
                        .items()
                        .iter()
                        .any(|s| named(s, &[volume, "name"]))
            });
            let pulls = spec.get("imagePullSecrets").items();
            by_volume
                || (kind == "secrets" && pulls.iter().any(|s| named(s, &["name"])))
                || ["initContainers", "containers", "ephemeralContainers"]
                    .iter()
                    .flat_map(|list| spec.get(list).items())
                    .any(|c| {
                        let env_from = c.get("envFrom").items().iter().any(|e| named(e, &[env, "name"]));
                        let of_env = |e: &Value| named(e, &["valueFrom", in_env, "name"]);
                        env_from || c.get("env").items().iter().any(of_env)
                    })
        }
    }
}
