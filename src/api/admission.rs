//! Authorization and the admission plugins, in the order of a real API server.

use super::object::{Object, ObjectKey};
use super::request::{Method, Request};
use super::server::{ApiServer, Target};
use super::status::Status;
use crate::value::Value;

/// Whether the user may do what the request asks.
///
/// # Errors
/// 403 Forbidden.
pub fn authorize(_api: &ApiServer, _request: &Request, _target: &Target) -> Result<(), Status> {
    Ok(())
}

/// The mutating plugins. `old` is the present version, for updates.
///
/// # Errors
/// What a plugin refuses.
pub fn mutate(
    api: &ApiServer,
    request: &Request,
    target: &Target,
    _value: &mut Value,
    _old: Option<&Object>,
) -> Result<(), Status> {
    namespace_lifecycle(api, request, target)
}

/// The validating plugins.
///
/// # Errors
/// What a plugin refuses.
pub fn validate(
    _api: &ApiServer,
    _request: &Request,
    _target: &Target,
    _value: &Value,
    _old: Option<&Object>,
) -> Result<(), Status> {
    Ok(())
}

/// The plugins that see deletions.
///
/// # Errors
/// What a plugin refuses: the namespaces that must exist.
pub fn delete(_api: &ApiServer, _request: &Request, target: &Target, object: &Object) -> Result<(), Status> {
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
    Ok(())
}

/// `NamespaceLifecycle`: nothing is created in a namespace that is absent or ends.
fn namespace_lifecycle(api: &ApiServer, request: &Request, target: &Target) -> Result<(), Status> {
    if request.method != Method::Post || !target.resource.namespaced {
        return Ok(());
    }
    let key = ObjectKey::new("", &target.namespace);
    let Some(namespace) = api.store().get("namespaces", &key) else {
        return Err(Status::not_found("", "namespaces", &target.namespace));
    };
    if namespace.is_deleting() {
        let why = format!(
            "unable to create new content in namespace {} because it is being terminated",
            target.namespace
        );
        return Err(Status::forbidden(
            &target.resource.group,
            &target.resource.name,
            &target.name,
            why,
        ));
    }
    Ok(())
}
