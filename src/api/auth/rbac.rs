//! The authorizers of a kubeadm cluster (`--authorization-mode=Node,RBAC`): the group of the
//! masters, the kubelets' own rules, and roles with their bindings.
//!
//! What a user may do is put together from the bindings once, and kept until a role or a binding
//! changes. A decision walks the user's own rules only.

use std::cell::RefCell;
use std::rc::Rc;

use super::attributes::Attributes;
use super::node;
use super::user::{MASTERS, User};
use crate::api::object::{Object, ObjectKey};
use crate::api::server::ApiServer;
use crate::api::status::Status;
use crate::flat::FlatMap;
use crate::limits;
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";
/// The shelf of Roles.
pub const ROLES: &str = "roles.rbac.authorization.k8s.io";
/// The shelf of ClusterRoles.
pub const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
/// The shelf of RoleBindings.
pub const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";
/// The shelf of ClusterRoleBindings.
pub const CLUSTER_ROLE_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";

/// How requests are authorized (`--authorization-mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everybody may do anything: an API server's own default.
    #[default]
    AlwaysAllow,
    /// As kubeadm starts it.
    NodeRbac,
}

/// What the authorizers say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether one of them allows it.
    pub allowed: bool,
    /// Why, as a `SubjectAccessReview` shows it; mostly empty for refusals.
    pub reason: String,
}

impl Decision {
    fn allow(reason: impl Into<String>) -> Decision {
        Decision {
            allowed: true,
            reason: reason.into(),
        }
    }
}

/// One rule that applies to a user.
#[derive(Clone, Debug)]
struct Grant {
    /// The `PolicyRule`.
    rule: Value,
    /// The binding that gives it: `ClusterRoleBinding "a" of ClusterRole "b" to User "c"`.
    by: Rc<str>,
}

/// What a user's bindings give.
#[derive(Default)]
struct Grants {
    everywhere: Vec<Grant>,
    /// Roles that cluster-wide bindings name and that are not there.
    missing: Vec<String>,
    /// By namespace, with what is missing there.
    within: FlatMap<Rc<str>, (Vec<Grant>, Vec<String>)>,
    /// What was found to be allowed everywhere and under every name: most users ask for few things,
    /// again and again.
    known: RefCell<Vec<Known>>,
}

/// A verb and a resource, with subresource and group.
struct Known([Box<str>; 4]);

impl Known {
    fn parts<'a>(asked: &Attributes<'a>) -> [&'a str; 4] {
        [asked.resource, asked.verb, asked.subresource, asked.group]
    }

    fn is(&self, asked: &Attributes) -> bool {
        self.0
            .iter()
            .zip(Known::parts(asked))
            .all(|(mine, theirs)| **mine == *theirs)
    }
}

impl Grants {
    fn remember(&self, asked: &Attributes) {
        let mut known = self.known.borrow_mut();
        if asked.is_resource() && known.len() < KNOWN {
            known.push(Known(Known::parts(asked).map(Box::from)));
        }
    }
}

/// How many of them are kept for a user: a controller asks for some ten.
const KNOWN: usize = 32;

#[derive(Default)]
struct Cache {
    /// [`crate::api::store::Store::policy_revision`] that the grants are of.
    revision: u64,
    users: FlatMap<Identity, Rc<Grants>>,
}

/// A user, as far as bindings can tell users apart.
type Identity = (Rc<str>, Rc<[Rc<str>]>);

/// The authorizers of one API server.
#[derive(Default)]
pub struct Authorizer {
    mode: std::cell::Cell<Mode>,
    cache: RefCell<Cache>,
}

impl Authorizer {
    /// Says how it decides from now on.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.set(mode);
    }

    /// How it decides.
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// Refuses what the user may not do.
    ///
    /// # Errors
    /// 403 Forbidden.
    pub fn require(&self, api: &ApiServer, user: &User, asked: &Attributes) -> Result<(), Status> {
        if self.allows_everything(user) {
            return Ok(());
        }
        let grants = self.grants(api, user);
        if asked.is_resource() && grants.known.borrow().iter().any(|k| k.is(asked)) {
            return Ok(());
        }
        let decision = decide(api, user, asked, &grants);
        if decision.allowed {
            return Ok(());
        }
        let mut why = asked.refusal(&user.name);
        if !decision.reason.is_empty() {
            why = format!("{why}: {}", decision.reason);
        }
        Err(if asked.is_resource() {
            Status::forbidden(asked.group, asked.resource, asked.name, why)
        } else {
            Status::failure(403, "Forbidden", format!("forbidden: {why}")).with_empty_details()
        })
    }

    /// Whether nothing is asked about this user.
    pub fn allows_everything(&self, user: &User) -> bool {
        self.mode.get() == Mode::AlwaysAllow || user.is_in(MASTERS)
    }

    /// Whether the user may do what is asked.
    pub fn decide(&self, api: &ApiServer, user: &User, asked: &Attributes) -> Decision {
        if self.allows_everything(user) {
            return Decision::allow("");
        }
        decide(api, user, asked, &self.grants(api, user))
    }

    /// The rules that apply to the user in a namespace (cluster-wide ones alone, when it is empty),
    /// and what could not be resolved.
    pub fn rules(&self, api: &ApiServer, user: &User, namespace: &str) -> (Vec<Value>, Vec<String>) {
        let grants = self.grants(api, user);
        let within = grants.within.get(namespace);
        let rules = grants.everywhere.iter().chain(within.iter().flat_map(|(g, _)| g));
        let missing = grants.missing.iter().chain(within.iter().flat_map(|(_, m)| m));
        (rules.map(|g| g.rule.clone()).collect(), missing.cloned().collect())
    }

    fn grants(&self, api: &ApiServer, user: &User) -> Rc<Grants> {
        let revision = api.store().policy_revision();
        let mut cache = self.cache.borrow_mut();
        if cache.revision != revision || cache.users.len() >= limits::AUTHORIZED_USERS {
            cache.users.clear();
            cache.revision = revision;
        }
        let identity = (user.name.clone(), user.groups.clone());
        cache
            .users
            .entry(identity)
            .or_insert_with(|| Rc::new(collect(api, user)))
            .clone()
    }
}

/// Asks one authorizer after the other.
fn decide(api: &ApiServer, user: &User, asked: &Attributes, grants: &Grants) -> Decision {
    let kubelet = node::node_of(user).map(|node| node::decide(api, node, asked));
    if let Some(Ok(everywhere)) = kubelet {
        if everywhere {
            grants.remember(asked);
        }
        return Decision::allow("");
    }
    let within = grants.within.get(asked.namespace);
    let mut all = grants.everywhere.iter().chain(within.iter().flat_map(|(g, _)| g));
    if let Some(grant) = all.find(|g| rule_allows(&g.rule, asked)) {
        let cluster = grants.everywhere.iter().any(|g| std::ptr::eq(g, grant));
        if cluster && grant.rule.get("resourceNames").is_empty() {
            grants.remember(asked);
        }
        return Decision::allow(format!("RBAC: allowed by {}", grant.by));
    }
    let mut reasons: Vec<String> = Vec::new();
    if let Some(Err(why)) = kubelet
        && !why.is_empty()
    {
        reasons.push(why);
    }
    let missing = grants.missing.iter().chain(within.iter().flat_map(|(_, m)| m));
    let missing: Vec<String> = missing.cloned().collect();
    reasons.extend(aggregate(&missing).map(|why| format!("RBAC: {why}")));
    Decision {
        allowed: false,
        reason: reasons.join("\n"),
    }
}

/// Walks all bindings, as the rule resolver does: the cluster's first, then the namespaces'.
fn collect(api: &ApiServer, user: &User) -> Grants {
    let mut grants = Grants::default();
    let store = api.store();
    for binding in store.list(CLUSTER_ROLE_BINDINGS, "") {
        let Some(subject) = applies(&binding, user) else {
            continue;
        };
        match role_rules(api, &binding) {
            Ok(rules) => {
                let by = describe(&binding, subject);
                let made = rules.into_iter().map(|rule| Grant { rule, by: by.clone() });
                grants.everywhere.extend(made);
            }
            Err(missing) => grants.missing.push(missing),
        }
    }
    for binding in store.list(ROLE_BINDINGS, "") {
        let Some(subject) = applies(&binding, user) else {
            continue;
        };
        let place = grants.within.entry(binding.namespace().into()).or_default();
        match role_rules(api, &binding) {
            Ok(rules) => {
                let by = describe(&binding, subject);
                place
                    .0
                    .extend(rules.into_iter().map(|rule| Grant { rule, by: by.clone() }));
            }
            Err(missing) => place.1.push(missing),
        }
    }
    grants
}

/// The first subject of a binding that the user is.
fn applies<'a>(binding: &'a Object, user: &User) -> Option<&'a Value> {
    binding.value().get("subjects").items().iter().find(|subject| {
        let name = subject.get("name").str();
        match subject.get("kind").str() {
            "User" => name == &*user.name,
            "Group" => user.is_in(name),
            "ServiceAccount" => {
                let namespace = match subject.get("namespace").str() {
                    "" => binding.namespace(),
                    given => given,
                };
                !namespace.is_empty() && user.as_service_account() == Some((namespace, name))
            }
            _ => false,
        }
    })
}

/// The rules of the role that a binding refers to.
///
/// # Errors
/// The sentence about a role that is not there.
pub fn role_rules(api: &ApiServer, binding: &Object) -> Result<Vec<Value>, String> {
    let reference = binding.value().get("roleRef");
    referenced_rules(api, reference, binding.namespace())
}

/// The rules of the role that a `roleRef` names, for a binding in `namespace`.
///
/// # Errors
/// The sentence about a role that is not there.
pub fn referenced_rules(api: &ApiServer, reference: &Value, namespace: &str) -> Result<Vec<Value>, String> {
    let name = reference.get("name").str();
    let (shelf, key, singular) = match reference.get("kind").str() {
        "Role" => (ROLES, ObjectKey::new(namespace, name), "role"),
        "ClusterRole" => (CLUSTER_ROLES, ObjectKey::new("", name), "clusterrole"),
        other => {
            return Err(format!(
                "unsupported role reference kind: {other}",
                other = quoted(&other)
            ));
        }
    };
    match api.store().get(shelf, &key) {
        Some(role) => Ok(role.value().get("rules").items().to_vec()),
        None => Err(format!("{singular}.{GROUP} {name} not found", name = quoted(&name))),
    }
}

fn describe(binding: &Object, subject: &Value) -> Rc<str> {
    let reference = binding.value().get("roleRef");
    let (kind, name) = (reference.get("kind").str(), reference.get("name").str());
    let who = match subject.get("kind").str() {
        "ServiceAccount" => {
            let namespace = match subject.get("namespace").str() {
                "" => binding.namespace(),
                given => given,
            };
            format!(
                "ServiceAccount {}",
                quoted(&format!("{}/{namespace}", subject.get("name").str()))
            )
        }
        other => format!("{other} {}", quoted(&subject.get("name").str())),
    };
    let text = if binding.namespace().is_empty() {
        format!(
            "ClusterRoleBinding {} of {kind} {name} to {who}",
            quoted(&binding.name()),
            name = quoted(&name)
        )
    } else {
        let full = format!("{}/{}", binding.name(), binding.namespace());
        format!(
            "RoleBinding {full} of {kind} {name} to {who}",
            full = quoted(&full),
            name = quoted(&name)
        )
    };
    text.into()
}

fn has(list: &Value, word: &str) -> bool {
    list.items().iter().any(|v| v.str() == word || v.str() == "*")
}

/// Whether a `PolicyRule` allows a request.
pub fn rule_allows(rule: &Value, asked: &Attributes) -> bool {
    if !has(rule.get("verbs"), asked.verb) {
        return false;
    }
    if !asked.is_resource() {
        return rule.get("nonResourceURLs").items().iter().any(|url| {
            let url = url.str();
            url == "*" || url == asked.path || url.strip_suffix('*').is_some_and(|p| asked.path.starts_with(p))
        });
    }
    let names = rule.get("resourceNames").items();
    has(rule.get("apiGroups"), asked.group)
        && rule
            .get("resources")
            .items()
            .iter()
            .any(|r| resource_matches(r.str(), asked.resource, asked.subresource))
        && (names.is_empty() || names.iter().any(|n| n.str() == asked.name))
}

/// Whether a rule's resource (`pods`, `pods/log`, `*/scale`, `*`) covers one.
fn resource_matches(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == "*" {
        return true;
    }
    if subresource.is_empty() {
        return rule == resource;
    }
    rule.strip_suffix(subresource)
        .and_then(|r| r.strip_suffix('/'))
        .is_some_and(|r| r == resource || r == "*")
}
