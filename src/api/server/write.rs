//! Creations, updates and patches, from the request to the store.

use std::rc::Rc;

use super::super::apply::Ownership;
use super::super::auth;
use super::super::decode::{complete, decode};
use super::super::object::{Object, ObjectKey};
use super::super::request::{Body, Method, PatchType, Request, Response};
use super::super::resource::Resource;
use super::super::status::{FieldErrors, Status};
use super::super::{admission, custom, kinds, managedfields, metadata, patch, schema};
use super::{ApiServer, Target};
use crate::limits;
use crate::obj;
use crate::sim::{RequestId, TraceEvent, WriteKind};
use crate::value::{Value, gofmt, gojson, hex};

/// The beginning of a body that is no JSON, as errors show it: text of an object, else in hexadecimal digits.
pub(super) fn summary(bytes: &[u8]) -> String {
    let start = bytes.get(..30).unwrap_or(bytes);
    let text = match start.first() {
        None => return "<empty>".into(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => hex::lower(start),
    };
    if start.len() < bytes.len() { text + " ..." } else { text }
}

/// Whether anything but metadata and status differs.
fn spec_changed(new: &Value, old: &Value) -> bool {
    let relevant = |k: &str| !matches!(k, "metadata" | "status" | "apiVersion" | "kind");
    let keys = new
        .entries()
        .chain(old.entries())
        .map(|(k, _)| k)
        .filter(|k| relevant(k));
    keys.into_iter().any(|k| new.get(k) != old.get(k))
}

impl ApiServer {
    pub(super) fn create(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let value = self.body(request, target, warnings)?;
        self.created(request, target, value, warnings)
    }

    /// Creates an object of a decoded tree, and answers with it.
    fn created(
        &self,
        request: &Request,
        target: &Target,
        value: Value,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let object = self.create_owned(request, target, value, Ownership::Tracked(""), warnings)?;
        let mut response = self.represent(request, target, object);
        response.code = 201;
        Ok(response)
    }

    /// Creates an object whose fields are owned so.
    pub(in crate::api) fn create_owned(
        &self,
        request: &Request,
        target: &Target,
        value: Value,
        ownership: Ownership,
        warnings: &mut Vec<String>,
    ) -> Result<Object, Status> {
        let resource = &target.resource;
        let strategy = target.strategy();
        let dry_run = request.dry_run();
        let mut value = kinds::to_hub(value, resource);
        if metadata::version_asked(&value).is_some() {
            return Err(Status::failure(
                500,
                "",
                "resourceVersion should not be set on objects to be created",
            ));
        }
        metadata::set_namespace(&mut value, target)?;
        let namespace = value.str_at(&["metadata", "namespace"]).to_owned();
        let cx = self.context(&namespace, request);
        strategy.defaults(&mut value);
        self.complete(&mut value, resource, &Value::Null);
        let sent = value.at(&["metadata", "managedFields"]).clone();
        metadata::prepare_create(&mut value, &cx);
        self.make_name(target, &mut value)?;
        // Fields that admission and allocation set belong to no one.
        let managed = match ownership {
            Ownership::Applied(managed) => managed,
            Ownership::Tracked(subresource) => self.owned(request, target, None, &value, &sent, subresource),
        };
        admission::mutate(self, request, target, &mut value, None)?;
        strategy.prepare_create(&mut value, &cx)?;
        if strategy.has_generation() {
            value.set(&["metadata", "generation"], 1);
        }
        let mut errors = FieldErrors::default();
        metadata::validate(&value, target, strategy, &mut errors);
        strategy.validate_create(&value, &mut errors);
        let name = value.str_at(&["metadata", "name"]).to_owned();
        if !errors.is_empty() {
            return Err(Status::invalid(&resource.group, &resource.kind, &name, &errors));
        }
        warnings.extend(strategy.warnings(&value));
        if request.method != Method::Post {
            auth::check_creation(self, request)?;
        }
        admission::validate(self, request, target, &value, None, warnings)?;
        // That the name is taken shows when the object would be stored, after all that may refuse it.
        let key = ObjectKey::new(&namespace, &name);
        if let Some(present) = self.store().get(&target.shelf(), &key) {
            let taken = Status::already_exists(&resource.group, &resource.name, &name);
            return Err(match present.is_deleting() {
                true => {
                    let message = format!("object is being deleted: {}", taken.message());
                    taken.saying(message)
                }
                false => taken,
            });
        }
        value.set_or_remove(&["metadata", "managedFields"], managed);
        if dry_run {
            return Ok(custom::in_version(Object::new(value), resource));
        }
        self.put(request, target, value)
    }

    /// Adds what Go writes of empty fields. A custom resource is as it was sent.
    fn complete(&self, value: &mut Value, resource: &Resource, stored: &Value) {
        if resource.custom.is_some() {
            return;
        }
        let ty = schema::by_kind(value.get("apiVersion").str(), &resource.kind);
        if let Some(ty) = ty {
            complete(value, &ty, stored);
        }
    }

    /// Makes the name of an object that has only a `generateName`: at most 63 characters, five of them
    /// random (`names.SimpleNameGenerator`); another one while it is taken (`maxNameGenerationCreateAttempts`).
    fn make_name(&self, target: &Target, value: &mut Value) -> Result<(), Status> {
        const ATTEMPTS: usize = 8;
        let prefix = value.str_at(&["metadata", "generateName"]);
        if !value.str_at(&["metadata", "name"]).is_empty() || prefix.is_empty() {
            return Ok(());
        }
        let kept: String = prefix.chars().take(58).collect();
        let namespace = value.str_at(&["metadata", "namespace"]).to_owned();
        let mut name = String::new();
        for _ in 0..ATTEMPTS {
            name = format!("{kept}{}", self.sim().random_suffix(5));
            if self
                .store()
                .get(&target.shelf(), &ObjectKey::new(&namespace, &name))
                .is_none()
            {
                value.set(&["metadata", "name"], name);
                return Ok(());
            }
        }
        Err(Status::no_unique_name(
            &target.resource.group,
            &target.resource.name,
            &name,
        ))
    }

    /// Stores a version of an object that has passed every rule.
    ///
    /// # Errors
    /// 500 for one of more than [`limits::OBJECT_BYTES`], in etcd's words; 507 when the store is full.
    pub(in crate::api) fn put(&self, request: &Request, target: &Target, mut value: Value) -> Result<Object, Status> {
        custom::to_storage(&mut value, &target.resource);
        if !value.is_within(limits::OBJECT_BYTES) {
            return Err(Status::failure(500, "", "etcdserver: request is too large"));
        }
        let shelf = target.shelf();
        let (object, op) = self.store().put(&shelf, value)?;
        self.changed(&shelf);
        self.wrote(request.id, &request.client, &target.resource, &object, op);
        Ok(custom::in_version(object, &target.resource))
    }

    pub(super) fn wrote(&self, id: RequestId, client: &Rc<str>, resource: &Resource, object: &Object, op: WriteKind) {
        self.sim().emit(TraceEvent::Write {
            request: id,
            client: client.clone(),
            kind: resource.kind.clone(),
            object_name: object.full_name(),
            op,
            revision: object.revision(),
            object: object.value().clone(),
        });
    }

    pub(super) fn replace(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let value = self.body(request, target, warnings)?;
        let old = match self.find(target) {
            Err(status)
                if status.is_not_found() && target.subresource.is_empty() && target.strategy().created_by_update() =>
            {
                return self.create_by_update(request, target, value, warnings);
            }
            found => found?,
        };
        metadata::check_unconditional(&value, &old, &target.resource)?;
        let object = self.update_object(request, target, &old, value, warnings)?;
        Ok(self.represent(request, target, object))
    }

    /// Creates what an update found missing (`AllowCreateOnUpdate`). The version that the body names is not
    /// looked at, its uid is that of an object that is gone.
    fn create_by_update(
        &self,
        request: &Request,
        target: &Target,
        mut value: Value,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        metadata::check_name(&value, &target.name)?;
        value.remove(&["metadata", "resourceVersion"]);
        let missing = Object::new(obj! {
            "metadata": obj! { "name": target.name.as_str(), "namespace": target.namespace.as_str() },
        });
        metadata::check_precondition(&value, &missing, &target.resource)?;
        value.set(&["metadata", "name"], target.name.as_str());
        self.created(request, target, value, warnings)
    }

    /// Updates `old` to a decoded tree, through the object itself or its `/status`.
    fn update_object(
        &self,
        request: &Request,
        target: &Target,
        old: &Object,
        value: Value,
        warnings: &mut Vec<String>,
    ) -> Result<Object, Status> {
        let ownership = Ownership::Tracked(match target.subresource.as_str() {
            "status" => "status",
            "approval" => "approval",
            _ => "",
        });
        self.update_owned(request, target, old, value, ownership, warnings)
    }

    /// Updates `old` to a decoded tree whose fields are owned so.
    pub(in crate::api) fn update_owned(
        &self,
        request: &Request,
        target: &Target,
        old: &Object,
        value: Value,
        ownership: Ownership,
        warnings: &mut Vec<String>,
    ) -> Result<Object, Status> {
        let resource = &target.resource;
        let strategy = target.strategy();
        let mut value = kinds::to_hub(value, resource);
        // Nearly every kind is kept as it is shown.
        let hub = kinds::versions::of(resource).map(|v| Object::new(v.kept(old.value())));
        let old = hub.as_ref().unwrap_or(old);
        metadata::set_namespace(&mut value, target)?;
        metadata::check_name(&value, old.name())?;
        let cx = self.context(&target.namespace, request);
        match request.method {
            // A patch has no preconditions: its uid is a field like others, which is fixed.
            Method::Patch => {
                if metadata::check_uid(&value, old).is_err() {
                    let mut errors = FieldErrors::default();
                    errors.invalid("metadata.uid", value.at(&["metadata", "uid"]), "field is immutable");
                    return Err(Status::invalid(&resource.group, &resource.kind, old.name(), &errors));
                }
                metadata::check_version(&value, old, resource)?;
            }
            _ => metadata::check_precondition(&value, old, resource)?,
        }
        strategy.defaults(&mut value);
        self.complete(&mut value, resource, old.value());
        let sent = value.at(&["metadata", "managedFields"]).clone();
        metadata::prepare_update(&mut value, old);
        let is_status = target.is_part();
        if is_status {
            admission::part(self, request, target, &mut value, old)?;
            strategy.prepare_part(&target.subresource, &mut value, old, &cx);
        }
        // Fields that admission and allocation set belong to no one.
        let managed = match ownership {
            Ownership::Applied(managed) => managed,
            Ownership::Tracked(subresource) => {
                value.share_with(old.value());
                self.owned(request, target, Some(old), &value, &sent, subresource)
            }
        };
        if !is_status {
            admission::mutate(self, request, target, &mut value, Some(old))?;
            strategy.prepare_update(&mut value, old, &cx)?;
        }
        let plain_status = strategy.status_is_plain() && value.get("status") != old.status();
        let changed = !is_status && (plain_status || spec_changed(&value, old.value()));
        if strategy.has_generation() {
            let annotations = |v: &Value| v.at(&["metadata", "annotations"]).clone();
            let annotated = strategy.annotations_count() && annotations(&value) != annotations(old.value());
            let counts = changed || (annotated && !is_status);
            let deleting = value.at(&["metadata"]).has("deletionTimestamp") && !old.is_deleting();
            value.set(
                &["metadata", "generation"],
                old.generation() + i64::from(counts || deleting),
            );
        }
        // New times alone are no change.
        let same_owners = managedfields::same_but_times(old.metadata().get("managedFields"), &managed);
        if value.share_with(old.value()) && same_owners {
            return Ok(custom::in_version(old.clone(), resource));
        }
        value.set_or_remove(&["metadata", "managedFields"], managed);
        let mut errors = FieldErrors::default();
        metadata::validate_new_version(&value, old, target, &mut errors);
        if is_status {
            strategy.validate_part(&target.subresource, &value, old, &mut errors);
        } else if changed {
            // What did not change was valid when it was stored.
            strategy.validate_changed(&value, old, &mut errors);
        } else {
            strategy.validate_metadata(&value, old, &mut errors);
        }
        if !errors.is_empty() {
            return Err(Status::invalid(&resource.group, &resource.kind, old.name(), &errors));
        }
        if !is_status {
            warnings.extend(strategy.update_warnings(&value, old));
        }
        admission::validate(self, request, target, &value, Some(old), warnings)?;
        if request.dry_run() {
            return Ok(custom::in_version(Object::new(value), resource));
        }
        match old.at(&["metadata", "finalizers"]).is_empty() {
            true => self.put(request, target, value),
            false => self.put_or_finish(request, target, value),
        }
    }

    pub(super) fn patch(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let known = PatchType::from_media_type(&request.content_type);
        // What merges by keys is not known of custom resources.
        let custom = target.resource.custom.is_some();
        let Some(patch_type) = known.filter(|t| !custom || *t != PatchType::Strategic) else {
            return Err(patch::unsupported(custom));
        };
        let patch = match std::mem::take(&mut request.body) {
            Body::Value(v) | Body::Typed(v) => v,
            _ => return Err(Status::bad_request("no patch was sent")),
        };
        if patch_type == PatchType::Apply && !request.repeated.is_empty() {
            let found = std::mem::take(&mut request.repeated)
                .into_iter()
                .map(|why| format!("error converting YAML to JSON: {why}"));
            match request.param("fieldValidation") {
                "Strict" => {
                    let why = found.collect::<String>();
                    return Err(Status::bad_request(format!("error strict decoding YAML: {why}")));
                }
                _ => warnings.extend(found),
            }
        }
        let old = match self.find(target) {
            Ok(old) => old,
            Err(status) if status.is_not_found() && patch_type == PatchType::Apply && target.subresource.is_empty() => {
                return self.apply(request, target, &patch, None, warnings);
            }
            Err(status) => return Err(status),
        };
        if patch_type == PatchType::Apply {
            return self.apply(request, target, &patch, Some(&old), warnings);
        }
        // What merges by keys is said of built-in kinds alone.
        let ty = schema::of(&target.resource).filter(|_| target.resource.custom.is_none());
        let patched = patch::apply(patch_type, &old, &patch, ty.as_deref())?;
        let value = match self.decode(&patched, request, target, warnings) {
            // What these two give is decoded as a whole, and shown as a whole where that fails.
            Err(status) if matches!(patch_type, PatchType::Json | PatchType::Merge) && status.code() == 400 => {
                return Err(patch::undecodable(gojson::compact(&patched, false), &status));
            }
            // A strategic patch is turned into the kind's type by another way, with its own words.
            Err(status) if patch_type == PatchType::Strategic => {
                let why = ty.as_deref().and_then(|ty| decode(&patched, ty).err());
                return Err(match why {
                    Some(why) => patch::mismatch(&patch, &why),
                    None if status.code() == 400 => patch::undecodable(gofmt::display(&patch), &status),
                    None => status,
                });
            }
            other => other?,
        };
        let object = self.update_object(request, target, &old, value, warnings)?;
        Ok(self.represent(request, target, object))
    }
}
