//! The admission plugins, in the order of a real API server.

pub mod certificates;
pub mod classes;
pub mod limit_ranger;
mod node_restriction;
mod pod_security;
pub mod pods;
pub(crate) mod policies;
pub mod quota;

use std::cell::RefCell;

use super::auth;
use super::object::{Object, ObjectKey};
use super::request::Request;
use super::server::{ApiServer, Target};
use super::status::Status;
use super::subresource;
use crate::flat::FlatSet;
use crate::value::Value;
use crate::{list, obj};

/// Gives pods their service account, and a volume with its token.
pub const SERVICE_ACCOUNT: &str = "ServiceAccount";
/// Gives pods the tolerations of their nodes' failures.
pub const DEFAULT_TOLERATION_SECONDS: &str = "DefaultTolerationSeconds";
/// Gives claims the class that is the default.
pub const DEFAULT_STORAGE_CLASS: &str = "DefaultStorageClass";
/// Gives claims and volumes the finalizers that hold them while they are in use.
pub const STORAGE_OBJECT_IN_USE_PROTECTION: &str = "StorageObjectInUseProtection";

/// Every plugin that has a switch.
pub const SWITCHES: [&str; 4] = [
    SERVICE_ACCOUNT,
    DEFAULT_TOLERATION_SECONDS,
    DEFAULT_STORAGE_CLASS,
    STORAGE_OBJECT_IN_USE_PROTECTION,
];

/// Which plugins are switched off; an API server begins with all of them on.
#[derive(Debug, Default)]
pub struct Plugins(RefCell<FlatSet<&'static str>>);

impl Plugins {
    /// Whether a plugin looks at requests.
    pub fn is_on(&self, name: &str) -> bool {
        !self.0.borrow().contains(name)
    }

    /// Switches a plugin on or off. False for one that has no switch.
    pub fn switch(&self, name: &str, on: bool) -> bool {
        let Some(name) = SWITCHES.into_iter().find(|n| *n == name) else {
            return false;
        };
        match on {
            true => self.0.borrow_mut().remove(name),
            false => self.0.borrow_mut().insert(name),
        };
        true
    }
}

/// What becomes of an object. The request's method does not tell it: an eviction is posted and deletes a pod, a
/// patch of server-side apply may create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    /// `exec`, `attach`, `portforward` and `proxy`.
    Connect,
}

impl Operation {
    /// What makes an object of the present version: of none, its creation.
    fn of(old: Option<&Object>) -> Operation {
        match old {
            None => Operation::Create,
            Some(_) => Operation::Update,
        }
    }

    /// The word in rules of policies and webhooks.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

/// What a plugin looks at.
pub struct Attributes<'a> {
    /// The server that answers.
    pub api: &'a ApiServer,
    /// What is asked.
    pub request: &'a Request,
    /// What the path names.
    pub target: &'a Target,
    /// What becomes of the object.
    pub operation: Operation,
    /// The present version, for updates and deletions.
    pub old: Option<&'a Object>,
    /// Whether the object is of a kind of its own and not of the resource's: a `Scale`, an `Eviction`.
    pub apart: bool,
}

impl Attributes<'_> {
    /// Whether an object of this resource is being created.
    pub fn creates(&self, group: &str, resource: &str) -> bool {
        self.operation == Operation::Create && self.is(group, resource)
    }

    /// Whether the request is about this resource.
    pub fn is(&self, group: &str, resource: &str) -> bool {
        &*self.target.resource.group == group && &*self.target.resource.name == resource
    }

    /// Whether a pod's resources change through `/resize`.
    pub fn resizes(&self) -> bool {
        self.is("", "pods") && self.target.subresource == "resize"
    }

    /// 403 about the object of the request.
    pub fn forbidden(&self, value: &Value, why: impl std::fmt::Display) -> Status {
        let name = match value.str_at(&["metadata", "name"]) {
            "" => self.target.name.as_str(),
            name => name,
        };
        Status::forbidden(&self.target.resource.group, &self.target.resource.name, name, why)
    }
}

/// The mutating plugins. `old` is the present version, for updates.
///
/// # Errors
/// What a plugin refuses.
pub fn mutate(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    value: &mut Value,
    old: Option<&Object>,
) -> Result<(), Status> {
    if target.subresource == SCALE {
        // What mutates has seen the `Scale`.
        return Ok(());
    }
    let a = Attributes {
        api,
        request,
        target,
        operation: Operation::of(old),
        old,
        apart: false,
    };
    twice(&a, value, chain)?;
    auth::escalation::check(api, &request.user, target, value, old)
}

/// Runs mutating plugins, and once more where a policy changed the object and others ask for it.
fn twice(
    a: &Attributes,
    value: &mut Value,
    plugins: impl Fn(&Attributes, &mut Value, &mut policies::Reinvocation) -> Result<(), Status>,
) -> Result<(), Status> {
    let mut memory = policies::Reinvocation::default();
    plugins(a, value, &mut memory)?;
    if memory.wanted {
        memory.second = true;
        plugins(a, value, &mut memory)?;
    }
    Ok(())
}

/// All mutating plugins once.
fn chain(a: &Attributes, value: &mut Value, memory: &mut policies::Reinvocation) -> Result<(), Status> {
    namespace_lifecycle(a, value)?;
    node_restriction::check(a, value)?;
    let plugins = a.api.admission();
    if a.creates("", "pods") {
        pods::topology_labels(a.api, value);
        limit_ranger::mutate(a, value);
        if plugins.is_on(SERVICE_ACCOUNT) {
            pods::service_account(a, value)?;
        }
        pods::priority(a, value)?;
    } else if a.is("", "pods") {
        pods::keep_priority(value, a.old);
    }
    if a.is("", "pods") && plugins.is_on(DEFAULT_TOLERATION_SECONDS) {
        pods::default_tolerations(value);
    }
    if a.creates("", "pods") {
        pods::runtime_class(a, value)?;
    }
    classes::mutate(a, value);
    policies::mutate(a, value, memory)
}

/// The mutating plugins for a write of a part (`/status`, `/approval`, of pods `/ephemeralcontainers` and `/resize`):
/// of those that are simulated `NodeRestriction` and the policies alone look at parts. `value` is the object as the client sent it, before the
/// kind's rules put back what the part may not change.
///
/// # Errors
/// What a kubelet may not write, what a policy fails at.
pub fn part(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    value: &mut Value,
    old: &Object,
) -> Result<(), Status> {
    let a = Attributes {
        api,
        request,
        target,
        operation: Operation::Update,
        old: Some(old),
        apart: false,
    };
    twice(&a, value, |a, value, memory| {
        node_restriction::check(a, value)?;
        policies::mutate(a, value, memory)
    })
}

/// The validating plugins.
///
/// # Errors
/// What a plugin refuses.
pub fn validate(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    value: &Value,
    old: Option<&Object>,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    if let (SCALE, Some(old)) = (target.subresource.as_str(), old) {
        let shown = |value: &Object| subresource::shown_scale(&target.resource, value);
        let (new, old) = (shown(&Object::new(value.clone())), Object::new(shown(old)));
        return policies::validate(&apart(api, request, target, Some(&old)), &new, warnings);
    }
    let a = Attributes {
        api,
        request,
        target,
        operation: Operation::of(old),
        old,
        apart: false,
    };
    pod_security::validate(&a, value, warnings)?;
    certificates::validate(&a, value)?;
    policies::validate(&a, value, warnings)?;
    if target.subresource.is_empty() || a.resizes() {
        limit_ranger::validate(&a, value)?;
        classes::validate(&a, value)?;
        if a.creates("", "pods") {
            pods::overhead(&a, value)?;
        }
        quota::validate(&a, value)?;
    }
    Ok(())
}

/// The subresource whose object is the `Scale` of the one that is stored.
const SCALE: &str = "scale";

/// What goes through a subresource with an object of its own kind: an update of `old`, else a creation.
fn apart<'a>(api: &'a ApiServer, request: &'a Request, target: &'a Target, old: Option<&'a Object>) -> Attributes<'a> {
    Attributes {
        api,
        request,
        target,
        operation: Operation::of(old),
        old,
        apart: true,
    }
}

/// The mutating plugins for the `Scale` of an object.
///
/// # Errors
/// What a policy fails at.
pub fn mutate_scale(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    scale: &mut Value,
    old: &Object,
) -> Result<(), Status> {
    twice(&apart(api, request, target, Some(old)), scale, policies::mutate)
}

/// All plugins for what is posted to a subresource (a `Binding`, an `Eviction`, a `TokenRequest`): of those that are
/// simulated `NamespaceLifecycle`, `NodeRestriction` and the policies alone look at it.
///
/// # Errors
/// What a plugin refuses.
pub fn posted(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    object: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let a = apart(api, request, target, None);
    twice(&a, object, |a, object, memory| {
        namespace_lifecycle(a, object)?;
        node_restriction::check(a, object)?;
        policies::mutate(a, object, memory)
    })?;
    policies::validate(&a, object, warnings)
}

/// The policies for a connection. `options` are what it asks for (`PodExecOptions`).
///
/// # Errors
/// What a policy denies.
pub fn connect(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    options: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let a = Attributes {
        operation: Operation::Connect,
        ..apart(api, request, target, None)
    };
    twice(&a, options, policies::mutate)?;
    policies::validate(&a, options, warnings)
}

/// The plugins that see deletions.
///
/// # Errors
/// What a plugin refuses: the namespaces that must exist.
pub fn delete(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    object: &Object,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let resource = &target.resource;
    let immortal = ["default", "kube-system", "kube-public"];
    if resource.group.is_empty() && &*resource.name == "namespaces" && immortal.contains(&object.name()) {
        return Err(Status::forbidden(
            "",
            "namespaces",
            object.name(),
            "this namespace may not be deleted",
        ));
    }
    let a = Attributes {
        api,
        request,
        target,
        operation: Operation::Delete,
        old: Some(object),
        apart: false,
    };
    node_restriction::check(&a, object.value())?;
    policies::validate(&a, object.value(), warnings)
}

/// `NamespaceLifecycle`: nothing is created in a namespace that is absent or ends. Of a custom resource whose
/// definition ends nothing is created either (`forbidCreateAdmission`).
fn namespace_lifecycle(a: &Attributes, value: &Value) -> Result<(), Status> {
    let resource = &a.target.resource;
    if a.operation != Operation::Create {
        return Ok(());
    }
    if resource.custom.as_ref().is_some_and(|c| c.terminating()) {
        let why = "create not allowed while custom resource definition is terminating";
        return Err(a.forbidden(value, why));
    }
    if !resource.namespaced {
        return Ok(());
    }
    let name = a.target.namespace.as_str();
    let Some(namespace) = a.api.store().get("namespaces", &ObjectKey::new("", name)) else {
        return Err(Status::not_found("", "namespaces", name));
    };
    if namespace.is_deleting() {
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        let cause = obj! {
            "field": "metadata.namespace",
            "message": format!("namespace {name} is being terminated"),
            "reason": "NamespaceTerminating",
        };
        return Err(a.forbidden(value, why).for_reason(403, "Forbidden", list![cause]));
    }
    Ok(())
}
