//! Server-side apply, and the ownership of fields that every write leaves: the API server's side of
//! `managedfields`.

use std::rc::Rc;

use super::custom;
use super::managedfields::{self, Kind, Writer};
use super::metadata;
use super::object::Object;
use super::request::{Method, PatchType, Request, Response};
use super::resource::{Resource, split};
use super::schema::{self, Type};
use super::server::{ApiServer, Target, shelf_name};
use super::status::{FieldErrors, Status};
use crate::limits;
use crate::value::{Value, gofmt};

/// How the fields of a write are owned.
#[derive(Clone, Debug)]
pub enum Ownership {
    /// The request's manager gets what it changes, through this subresource (empty for the object).
    Tracked(&'static str),
    /// As a server-side apply has worked it out: the new `managedFields`.
    Applied(Value),
}

impl ApiServer {
    /// The same resource in another version.
    fn in_api_version(&self, resource: &Rc<Resource>, api_version: &str) -> Option<Rc<Resource>> {
        let (group, version) = split(api_version);
        if group == &*resource.group && version == &*resource.version {
            return Some(resource.clone());
        }
        self.resource(group, version, &resource.name)
            .filter(|other| shelf_name(other) == shelf_name(resource))
    }

    /// Runs `f` with what is known of the target's kind and with who writes.
    fn with_writer<T>(
        &self,
        request: &Request,
        target: &Target,
        subresource: &str,
        reset: Value,
        f: impl FnOnce(&Writer, &Kind) -> T,
    ) -> T {
        let resource = &target.resource;
        let type_of =
            |version: &str| -> Option<Rc<Type>> { self.in_api_version(resource, version).and_then(|r| schema::of(&r)) };
        let convert = |value: &Value, version: &str| -> Option<Value> {
            if value.str_at(&["apiVersion"]) == version {
                return Some(value.clone());
            }
            let other = self.in_api_version(resource, version)?;
            Some(custom::in_version(Object::new(value.clone()), &other).value().clone())
        };
        let api_version = resource.api_version();
        let agent = if request.agent.is_empty() {
            &request.client
        } else {
            &request.agent
        };
        let writer = Writer {
            manager: managedfields::manager_of(request.param("fieldManager"), agent),
            api_version: &api_version,
            subresource,
            now: self.sim().now(),
        };
        let kind = Kind {
            type_of: &type_of,
            convert: &convert,
            built_in: resource.custom.is_none(),
            late: resource.group.is_empty() && &*resource.name == "nodes",
            reset,
        };
        f(&writer, &kind)
    }

    /// The `managedFields` after a write that makes `new` of `old`. `sent` is the list that the
    /// client's object carried.
    pub(super) fn owned(
        &self,
        request: &Request,
        target: &Target,
        old: Option<&Object>,
        new: &Value,
        sent: &Value,
        subresource: &str,
    ) -> Value {
        let resource = &target.resource;
        let status_moves = subresource.is_empty() && old.map(Object::status) != Some(new.get("status"));
        let has_status = subresource == "status"
            || (status_moves
                && self
                    .resource(&resource.group, &resource.version, &format!("{}/status", resource.name))
                    .is_some());
        let reset = managedfields::reset_fields(has_status, subresource);
        self.with_writer(request, target, subresource, reset, |writer, kind| {
            managedfields::update(old.map(Object::value), new, sent, writer, kind)
        })
    }

    /// Runs `f` with what is known of a `Scale` and with who writes it.
    fn with_scale_writer<T>(&self, request: &Request, f: impl FnOnce(&Writer, &Kind) -> T) -> T {
        let agent = if request.agent.is_empty() {
            &request.client
        } else {
            &request.agent
        };
        let type_of = |version: &str| schema::by_kind(version, "Scale");
        let convert = |value: &Value, version: &str| (version == managedfields::SCALE).then(|| value.clone());
        let writer = Writer {
            manager: managedfields::manager_of(request.param("fieldManager"), agent),
            api_version: managedfields::SCALE,
            subresource: "scale",
            now: self.sim().now(),
        };
        let kind = Kind {
            type_of: &type_of,
            convert: &convert,
            built_in: true,
            late: false,
            reset: Value::Null,
        };
        f(&writer, &kind)
    }

    /// The `managedFields` of a `Scale` after an update that makes `new` of `old`.
    pub(super) fn scale_owned(&self, request: &Request, old: &Value, new: &Value) -> Value {
        self.with_scale_writer(request, |writer, kind| {
            managedfields::update(Some(old), new, &Value::Null, writer, kind)
        })
    }

    /// A server-side apply to a `Scale`: what it makes of it, with its new `managedFields`.
    pub(super) fn apply_scale(&self, request: &Request, old: &Value, config: &Value) -> Result<Value, Status> {
        let force = request.flag("force");
        let applied = self.with_scale_writer(request, |writer, kind| {
            managedfields::apply(Some(old), config, writer, kind, "Scale", force)
        })?;
        let mut value = applied.value;
        value.set_or_remove(&["metadata", "managedFields"], applied.managed);
        Ok(value)
    }

    /// Where the versions of a resource have their replicas.
    pub(super) fn replicas_path(&self, resource: &Rc<Resource>, api_version: &str) -> Option<Vec<String>> {
        let version = self.in_api_version(resource, api_version)?;
        Some(match &version.custom {
            None => vec!["f:spec".to_owned(), "f:replicas".to_owned()],
            Some(custom) => custom.scale.as_ref().map_or_else(Vec::new, |scale| {
                scale.spec_replicas.iter().map(|field| format!("f:{field}")).collect()
            }),
        })
    }

    /// Serves a server-side apply, to an object or through its `/status`.
    pub(super) fn apply(
        &self,
        request: &Request,
        target: &Target,
        config: &Value,
        old: Option<&Object>,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let resource = &target.resource;
        if config.as_map().is_none() {
            return Err(Status::bad_request(format!(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go \
                 value of type map[string]interface {{}}",
                super::patch::strategic::json_kind(config)
            )));
        }
        if config.depth() > limits::VALUE_DEPTH {
            return Err(Status::bad_request("exceeded max depth"));
        }
        let uid = config.str_at(&["metadata", "uid"]);
        if old.is_none() && !uid.is_empty() {
            return Err(Status::conflict(
                &resource.group,
                &resource.name,
                &target.name,
                &format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found"),
            ));
        }
        let has_status = target.subresource == "status"
            || self
                .resource(&resource.group, &resource.version, &format!("{}/status", resource.name))
                .is_some();
        let reset = managedfields::reset_fields(has_status, &target.subresource);
        let force = request.flag("force");
        let applied = self.with_writer(request, target, &target.subresource, reset, |writer, kind| {
            let live = old.map(Object::value);
            managedfields::apply(live, config, writer, kind, &resource.kind, force)
        })?;
        let name = applied.value.str_at(&["metadata", "name"]);
        if name.is_empty() {
            return Err(Status::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                target.name
            )));
        }
        metadata::check_name(&applied.value, &target.name)?;
        let value = self.decode(&applied.value, request, target, warnings)?;
        let ownership = Ownership::Applied(applied.managed);
        let object = match old {
            Some(old) => self.update_owned(request, target, old, value, ownership, warnings)?,
            None => self.create_owned(request, target, value, ownership, warnings)?,
        };
        let mut response = self.represent(request, target, object);
        response.code = if old.is_some() { 200 } else { 201 };
        Ok(response)
    }
}

/// Checks the options of a write, as the query gives them.
///
/// # Errors
/// 422 naming each option that is wrong.
pub(super) fn check_options(request: &Request, patch_type: Option<PatchType>) -> Result<(), Status> {
    let kind = match request.method {
        Method::Post => "CreateOptions",
        Method::Put => "UpdateOptions",
        Method::Patch => "PatchOptions",
        Method::Get | Method::Delete => return Ok(()),
    };
    let mut errors = FieldErrors::default();
    let manager = request.param("fieldManager");
    if let Some(patch_type) = patch_type {
        if patch_type != PatchType::Apply && request.query.iter().any(|(k, _)| k == "force") {
            errors.forbidden("force", "may not be specified for non-apply patch");
        }
        if patch_type == PatchType::Apply && manager.is_empty() {
            errors.required("fieldManager", "is required for apply patch");
        }
    }
    if manager.len() > limits::FIELD_MANAGER_BYTES {
        errors.too_long("fieldManager", limits::FIELD_MANAGER_BYTES);
    }
    if let Some(i) = manager.chars().position(|c| !gofmt::printable(c)) {
        errors.invalid(
            "fieldManager",
            &manager.into(),
            format!("invalid character {} (at position {i})", code_point(manager, i)),
        );
    }
    for dry_run in request.query.iter().filter(|(k, _)| k == "dryRun") {
        if dry_run.1 != "All" {
            errors.not_supported("dryRun", &dry_run.1.as_str().into(), &["All"]);
        }
    }
    let validation = request.param("fieldValidation");
    if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
        errors.not_supported("fieldValidation", &validation.into(), &["", "Ignore", "Strict", "Warn"]);
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", kind, "", &errors))
}

/// A character as Go's `%#U` shows it: `U+000A`.
fn code_point(text: &str, at: usize) -> String {
    format!("U+{:04X}", text.chars().nth(at).map_or(0, u32::from))
}
