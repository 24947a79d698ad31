//! The API server: `serve(Request) -> Response` over the store, for every resource alike.
//!
//! What is special about a kind is its [`Strategy`]; what is special about a subresource is in
//! `subresource.rs`; discovery documents are in `discovery.rs`.

use std::cell::RefCell;
use std::rc::Rc;

use super::apply::{self, Ownership};
use super::auth::{self, Authorizer, User};
use super::custom::{CustomVersion, structural};
use super::decode::decode;
use super::docs::Docs;
use super::names;
use super::object::{Object, ObjectKey};
use super::openapi;
use super::request::{Body, Method, PatchType, Payload, Request, Response, success};
use super::resource::{self, Resource};
use super::selector::{Selector, parse_fields};
use super::status::{FieldErrors, Status};
use super::store::{ShelfName, Store};
use super::strategy::{Context, Grace, Strategy};
use super::watch::{Filter, Watch, field_value};
use super::{
    admission, custom, discovery, kinds, listing, managedfields, metadata, metrics, patch, schema, subresource, table,
};
use crate::limits;
use crate::obj;
use crate::pki::Authority;
use crate::sim::{RequestId, Sim, TraceEvent, WriteKind, seconds};
use crate::value::{Value, gofmt, gojson, hex, intern, yaml};

/// The kinds whose deletion is answered with their last version (`ReturnDeletedObject`); others give
/// a `Status`.
const SHOWN_WHEN_DELETED: &[&str] = &[
    "csidrivers",
    "csinodes",
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "storageclasses",
    "volumeattachments",
];

/// What a request to delete an object came to.
pub enum Deletion {
    /// The object stays for now: for finalizers, or for its graceful end.
    Begun(Object),
    /// It is gone; this was its last version.
    Done(Object),
}

/// The API server of one world. Clones are handles.
#[derive(Clone)]
pub struct ApiServer(Rc<Inner>);

struct Inner {
    sim: Sim,
    store: Store,
    /// Resources of custom kinds, and the ones built in.
    resources: RefCell<Rc<Vec<Rc<Resource>>>>,
    nodes: RefCell<Option<Rc<dyn subresource::NodeConnections>>>,
    authorizer: Authorizer,
    admission: admission::Plugins,
    docs: Docs,
    openapi: openapi::Cache,
    /// Made when it is first asked for.
    authority: RefCell<Option<Rc<Authority>>>,
}

/// What a path names.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource, in the version that the path names.
    pub resource: Rc<Resource>,
    /// Empty for all namespaces or none.
    pub namespace: String,
    /// Empty for the collection.
    pub name: String,
    /// Empty for the object itself.
    pub subresource: String,
}

impl Target {
    /// Where the store keeps the objects.
    pub fn shelf(&self) -> ShelfName {
        shelf_name(&self.resource)
    }

    /// The rules of the kind.
    pub fn strategy(&self) -> &dyn Strategy {
        self.resource.strategy()
    }

    /// The key of the object that is named.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.namespace, &self.name)
    }

    /// Whether the subresource is a part of the object that is written as the object is: its status, or the
    /// approval of a CertificateSigningRequest.
    pub fn is_part(&self) -> bool {
        matches!(self.subresource.as_str(), "status" | "approval")
    }

    /// 404 for the object that is named.
    pub fn not_found(&self) -> Status {
        Status::not_found(&self.resource.group, &self.resource.name, &self.name)
    }
}

/// The shelf of a resource. All versions of it share one, and events are in two groups.
pub fn shelf_name(resource: &Resource) -> ShelfName {
    if matches!(&*resource.group, "" | "events.k8s.io") {
        resource.name.clone()
    } else {
        intern(&resource.qualified())
    }
}

/// The beginning of a body that is no JSON, as errors show it: text of an object, else in hexadecimal digits.
fn summary(bytes: &[u8]) -> String {
    let start = bytes.get(..30).unwrap_or(bytes);
    let text = match start.first() {
        None => return "<empty>".into(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => hex::lower(start),
    };
    if start.len() < bytes.len() { text + " ..." } else { text }
}

impl ApiServer {
    /// A server with an empty store, which serves the built-in kinds.
    pub fn new(sim: &Sim) -> ApiServer {
        ApiServer(Rc::new(Inner {
            sim: sim.clone(),
            store: Store::default(),
            resources: RefCell::new(resource::built_in()),
            nodes: RefCell::new(None),
            authorizer: Authorizer::default(),
            admission: admission::Plugins::default(),
            docs: Docs::new(sim),
            openapi: openapi::Cache::default(),
            authority: RefCell::default(),
        }))
    }

    /// The simulation that it lives in.
    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    /// What it keeps. Only the server's own parts write to it.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The texts of the API's documentation.
    pub fn docs(&self) -> &Docs {
        &self.0.docs
    }

    pub(super) fn openapi(&self) -> &openapi::Cache {
        &self.0.openapi
    }

    /// How `exec`, `logs`, `attach` and `port-forward` reach the kubelets.
    pub fn set_node_connections(&self, connections: Rc<dyn subresource::NodeConnections>) {
        *self.0.nodes.borrow_mut() = Some(connections);
    }

    /// The way to the kubelets; `None` in a world without nodes.
    pub fn node_connections(&self) -> Option<Rc<dyn subresource::NodeConnections>> {
        self.0.nodes.borrow().clone()
    }

    /// Who may do what. An API server begins with everybody allowed everything.
    pub fn authorizer(&self) -> &Authorizer {
        &self.0.authorizer
    }

    /// Which admission plugins look at requests.
    pub fn admission(&self) -> &admission::Plugins {
        &self.0.admission
    }

    /// The user of a bearer token; `None` when it is none of this world's, or no longer.
    pub fn authenticate(&self, token: &str) -> Option<User> {
        let (user, _) = auth::token::review(self, token, &[auth::token::ISSUER]).ok()?;
        Some(user)
    }

    /// The user of a client certificate in PEM; `None` when this cluster has not issued it, or not for
    /// this, or when its time is over.
    pub fn authenticate_certificate(&self, pem: &str) -> Option<User> {
        self.authenticate_der(&crate::pki::pem::first(pem, "CERTIFICATE")?)
    }

    /// The user of a client certificate in DER.
    pub fn authenticate_der(&self, certificate: &[u8]) -> Option<User> {
        auth::certificate::authenticate(self.authority()?.certificate(), certificate, self.sim().now()).ok()
    }

    /// The cluster's authority, which signs the certificates of clients and kubelets; `None` only when its
    /// files are damaged.
    pub fn authority(&self) -> Option<Rc<Authority>> {
        let mut kept = self.0.authority.borrow_mut();
        if kept.is_none() {
            *kept = auth::certificate::standard().map(Rc::new);
        }
        kept.clone()
    }

    /// Gives the cluster another authority, before anything was signed by the one before.
    pub fn set_authority(&self, authority: Authority) {
        *self.0.authority.borrow_mut() = Some(Rc::new(authority));
    }

    /// Every resource that is served now, in the order of discovery.
    pub fn resources(&self) -> Rc<Vec<Rc<Resource>>> {
        self.0.resources.borrow().clone()
    }

    /// Serves what the stored definitions say, after one of them was written.
    fn refresh_custom_resources(&self) {
        let mut all = resource::built_in().as_ref().clone();
        let present = self.resources();
        let definitions = self.store().list(custom::DEFINITIONS, "");
        all.extend(custom::served(&definitions, &present));
        all.extend(present.iter().filter(|r| &*r.group == metrics::GROUP).cloned());
        *self.0.resources.borrow_mut() = Rc::new(all);
    }

    /// Serves the metrics API among the others, or no longer: the APIService controller says when.
    pub fn set_metrics_served(&self, served: bool) {
        let mut all = self.resources().as_ref().clone();
        all.retain(|r| &*r.group != metrics::GROUP);
        if served {
            all.extend(metrics::resources());
        }
        *self.0.resources.borrow_mut() = Rc::new(all);
    }

    /// What must follow a change of a resource's objects at once.
    fn changed(&self, shelf: &str) {
        if shelf == custom::DEFINITIONS {
            self.refresh_custom_resources();
        }
    }

    /// The resource of a group, version and plural.
    pub fn resource(&self, group: &str, version: &str, name: &str) -> Option<Rc<Resource>> {
        self.resources()
            .iter()
            .find(|r| &*r.name == name && &*r.group == group && &*r.version == version)
            .cloned()
    }

    /// The resource of a kind.
    pub fn resource_of_kind(&self, api_version: &str, kind: &str) -> Option<Rc<Resource>> {
        let (group, version) = resource::split(api_version);
        self.resources()
            .iter()
            .find(|r| &*r.kind == kind && &*r.group == group && &*r.version == version && !r.name.contains('/'))
            .cloned()
    }

    pub(super) fn context<'a>(&'a self, namespace: &'a str, request: &'a Request) -> Context<'a> {
        Context {
            api: self,
            now: self.sim().now(),
            namespace,
            user: &request.user,
            dry_run: request.dry_run(),
        }
    }

    /// Answers a request.
    pub fn serve(&self, mut request: Request) -> Response {
        let mut warnings = Vec::new();
        let mut response = match self.handle(&mut request, &mut warnings) {
            Ok(response) => response,
            Err(status) => Response::from(status),
        };
        warnings.append(&mut response.warnings);
        response.warnings = warnings;
        response
    }

    fn handle(&self, request: &mut Request, warnings: &mut Vec<String>) -> Result<Response, Status> {
        watch_of_path(request);
        auth::check(self, request)?;
        let Some(target) = self.target(&request.path)? else {
            return discovery::serve(self, request);
        };
        // What goes through a proxy is no object.
        let passes = target.subresource.split('/').next() == Some("proxy");
        if let Body::Bytes(bytes) = &request.body
            && !passes
        {
            let wanted = match request.method {
                Method::Patch => None,
                Method::Delete => Some("DeleteOptions"),
                _ => Some(&*target.resource.kind),
            };
            let value = self.parse_body(bytes, &request.content_type, wanted)?;
            if request.param("fieldValidation") != "Ignore" {
                request.repeated = repeated_fields(bytes, &request.content_type);
            }
            request.body = Body::Value(value);
        }
        warnings.extend(deprecation(&target));
        if &*target.resource.group == metrics::GROUP {
            return metrics::serve(self, request, &target);
        }
        apply::check_options(
            request,
            PatchType::from_media_type(&request.content_type).filter(|_| request.method == Method::Patch),
        )?;
        if !target.subresource.is_empty() && !target.is_part() {
            return subresource::serve(self, request, &target, warnings);
        }
        if let Some(answer) = subresource::binding(self, request, &target, warnings)? {
            return Ok(answer);
        }
        if let Some(answer) = auth::review::serve(self, request, &target, warnings)? {
            return Ok(answer);
        }
        let verb = auth::verb(request, target.name.is_empty());
        // A custom resource whose definition ends keeps what discovery does not name any more.
        if target.resource.custom.is_none() && !target.resource.can(verb) {
            return Err(Status::method_not_allowed());
        }
        // All namespaces at once can be read, and no more.
        if target.resource.namespaced && target.namespace.is_empty() && !matches!(verb, "list" | "watch") {
            return Err(match target.resource.custom {
                Some(_) => Status::no_such_path(),
                None => Status::method_not_allowed(),
            });
        }
        match (verb, target.name.is_empty()) {
            ("get", _) => {
                let object = self.find(&target)?;
                Ok(self.represent(request, &target, object))
            }
            ("watch", _) => self.watch(request, &target),
            ("list", _) => self.list(request, &target),
            ("create", true) => self.create(request, &target, warnings),
            ("update", false) => self.replace(request, &target, warnings),
            ("patch", false) => self.patch(request, &target, warnings),
            ("delete", _) => self.delete(request, &target, warnings),
            ("deletecollection", _) => self.delete_collection(request, &target, warnings),
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// The object of a body. `wanted` is its kind; a patch has none.
    fn parse_body(&self, bytes: &[u8], content_type: &str, wanted: Option<&str>) -> Result<Value, Status> {
        if bytes.len() > limits::REQUEST_BYTES {
            return Err(Status::failure(
                413,
                "RequestEntityTooLarge",
                format!("Request entity too large: limit is {}", limits::REQUEST_BYTES),
            ));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|e| Status::bad_request(format!("the body is not UTF-8: {e}")))?;
        if content_type.contains("protobuf") {
            return Err(Status::unsupported_media_type(
                "protobuf bodies are not understood by this API server",
            ));
        }
        if content_type.contains("yaml") {
            let decoded =
                yaml::decode(text).map_err(|e| Status::bad_request(format!("error converting YAML to JSON: {e}")))?;
            return Ok(decoded);
        }
        gojson::parse(text).map_err(|e| {
            Status::bad_request(match wanted {
                None => e.to_string(),
                Some(kind) => format!(
                    "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
                     json parse error: {e} ({})",
                    summary(bytes)
                ),
            })
        })
    }

    /// What a path names; `None` for paths outside the resources (discovery, `/version`, `/healthz`).
    ///
    /// # Errors
    /// 404 where nothing of that kind is served.
    pub fn target(&self, path: &str) -> Result<Option<Target>, Status> {
        let mut parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let (group, version) = match parts.as_slice() {
            ["api", version, _, ..] => ("", *version),
            ["apis", group, version, _, ..] => (*group, *version),
            _ => return Ok(None),
        };
        parts.drain(..if group.is_empty() { 2 } else { 3 });
        let (namespace, rest) = match parts.as_slice() {
            // A namespace's own subresources look like resources of the namespace.
            ["namespaces", _, "status" | "finalize"] => ("", parts.as_slice()),
            ["namespaces", ns, rest @ ..] if !rest.is_empty() => (*ns, rest),
            all => ("", all),
        };
        let (name, object, sub) = match rest {
            [r] => (*r, "", String::new()),
            [r, name] => (*r, *name, String::new()),
            [r, name, sub @ ..] => (*r, *name, sub.join("/")),
            [] => return Err(Status::no_such_path()),
        };
        let missing = || {
            let is_stale = |(g, v): &discovery::GroupVersion| &**g == group && &**v == version;
            match discovery::stale(self).iter().any(is_stale) {
                true => discovery::unavailable(&resource::join(name, group)),
                false => Status::no_such_path(),
            }
        };
        let resource = self.resource(group, version, name).ok_or_else(missing)?;
        if resource.namespaced && namespace.is_empty() && !object.is_empty() {
            return Err(Status::no_such_path());
        }
        if !resource.namespaced && !namespace.is_empty() {
            return Err(Status::no_such_path());
        }
        if !sub.is_empty() {
            let bare = sub.split('/').next().unwrap_or("");
            if self.resource(group, version, &format!("{name}/{bare}")).is_none() {
                if resource.custom.is_some() {
                    return Err(Status::not_found(group, name, object));
                }
                return Err(Status::no_such_path());
            }
        }
        Ok(Some(Target {
            resource,
            namespace: namespace.to_owned(),
            name: object.to_owned(),
            subresource: sub,
        }))
    }

    /// The object that a target names.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn find(&self, target: &Target) -> Result<Object, Status> {
        if kinds::componentstatus::is(&target.resource) {
            let mut all = kinds::componentstatus::all().into_iter();
            return all.find(|o| o.name() == target.name).ok_or_else(|| target.not_found());
        }
        let object = self
            .store()
            .get(&target.shelf(), &target.key())
            .ok_or_else(|| target.not_found())?;
        Ok(custom::in_version(object, &target.resource))
    }

    pub(super) fn represent(&self, request: &Request, target: &Target, object: Object) -> Response {
        if table::wanted(&request.accept) {
            let value = table::render(self, &target.resource, &[object], None, request.param("includeObject"));
            return Response::from(value);
        }
        Response::new(200, Payload::Object(object))
    }

    fn filter(&self, request: &Request, target: &Target) -> Result<Filter, Status> {
        let text = request.param("labelSelector");
        let labels = Selector::parse(text).map_err(Status::bad_request)?;
        let strategy = target.strategy();
        let mut fields = parse_fields(request.param("fieldSelector")).map_err(Status::bad_request)?;
        if !fields.is_empty() {
            // Whether a kind knows a field is asked of an object that has none.
            let empty = Object::new(Value::map());
            for term in &fields {
                if field_value(strategy, &empty, &term.field).is_none() {
                    return Err(Status::bad_request(super::watch::unknown_field(
                        &target.resource,
                        &term.field,
                    )));
                }
            }
        }
        if !target.name.is_empty() {
            fields.push(super::selector::FieldTerm {
                field: "metadata.name".into(),
                value: target.name.clone(),
                equal: true,
            });
        }
        Ok(Filter {
            namespace: intern(&target.namespace),
            labels,
            fields,
            resource: target.resource.clone(),
        })
    }

    fn list(&self, request: &Request, target: &Target) -> Result<Response, Status> {
        let filter = self.filter(request, target)?;
        let list = self.list_for(request, target, &filter)?;
        if table::wanted(&request.accept) {
            let value = table::render(
                self,
                &target.resource,
                &list.items,
                Some(&list),
                request.param("includeObject"),
            );
            return Ok(Response::from(value));
        }
        Ok(Response::new(200, Payload::List(list)))
    }

    fn watch(&self, request: &Request, target: &Target) -> Result<Response, Status> {
        let filter = self.filter(request, target)?;
        listing::check_list_options(request)?;
        let shelf = target.shelf();
        let mut initial = Vec::new();
        let asked = match request.param("resourceVersion") {
            "" => 0,
            text => listing::revision_of(text, target)?,
        };
        let revision = match asked {
            revision if revision > 0 => {
                // Asks once, so that a version too old fails at once.
                self.store().changes(&shelf, revision, 1)?;
                revision
            }
            _ => {
                self.store().each(&shelf, &target.namespace, |o| {
                    if filter.matches(o) {
                        initial.push(custom::in_version(o.clone(), &target.resource));
                    }
                });
                self.store().revision()
            }
        };
        let seconds = u64::try_from(listing::number(request, "timeoutSeconds")?).unwrap_or(0);
        let deadline = (seconds > 0).then(|| self.sim().now() + std::time::Duration::from_secs(seconds));
        let mut watch = Watch::new(
            self,
            shelf,
            filter,
            revision,
            initial,
            deadline,
            request.flag("allowWatchBookmarks"),
        );
        watch.accept = request.accept.clone();
        Ok(Response::new(200, Payload::Watch(Box::new(watch))))
    }

    /// The body as an object of the target's kind, decoded, with the schema's defaults.
    fn body(&self, request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Value, Status> {
        match std::mem::take(&mut request.body) {
            Body::Typed(value) => Ok(value),
            Body::Value(value) => self.decode(&value, request, target, warnings),
            Body::None | Body::Bytes(_) => Err(Status::bad_request("no body was sent")),
        }
    }

    /// Decodes a tree as the target's kind, by the request's field validation.
    pub fn decode(
        &self,
        value: &Value,
        request: &Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        let resource = &target.resource;
        let api_version = resource.api_version();
        check_kind(value, &resource.kind, &api_version, resource.custom.is_some())?;
        if value.depth() > limits::VALUE_DEPTH {
            return Err(Status::bad_request("exceeded max depth"));
        }
        if let Some(custom) = &resource.custom {
            return self.decode_custom(value, custom, request, target, warnings);
        }
        let Some(ty) = schema::of(resource) else {
            return Ok(value.clone());
        };
        let sent = value;
        let decoded = decode(value, &ty).map_err(|why| cannot_be_handled(resource, &why))?;
        answer_unknown(&decoded.unknown, resource, request, warnings)?;
        let mut value = decoded.value;
        if sent
            .at(&["metadata", "managedFields"])
            .as_list()
            .is_some_and(<[Value]>::is_empty)
        {
            // An empty list asks to forget the owners, and would be left out: one empty entry asks too.
            value.set(&["metadata", "managedFields"], Value::list(vec![Value::map()]));
        }
        value.set(&["apiVersion"], api_version);
        value.set(&["kind"], resource.kind.clone());
        Ok(value)
    }

    /// Decodes a tree as a custom resource.
    fn decode_custom(
        &self,
        value: &Value,
        custom: &CustomVersion,
        request: &Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        let resource = &target.resource;
        let mut value = value.clone();
        if value.as_map().is_none() || value.get("kind").str().is_empty() {
            return Err(Status::bad_request(format!(
                "Object 'Kind' is missing in '{}'",
                gojson::compact(&value, false)
            )));
        }
        let mut unknown = Vec::new();
        let metadata = value.get("metadata");
        if !metadata.is_null()
            && let Some(ty) = schema::by_name(structural::OBJECT_META)
        {
            let decoded = decode(metadata, &ty).map_err(|why| cannot_be_handled(resource, &why))?;
            value.set(&["metadata"], decoded.value);
            unknown.extend(
                decoded
                    .unknown
                    .iter()
                    .map(|u| u.replacen("unknown field \"", "unknown field \"metadata.", 1)),
            );
        }
        custom.complete(&mut value, &mut unknown);
        structural::embedded_metadata(&mut value, &custom.schema, true, "", &mut unknown);
        answer_unknown(&unknown, resource, request, warnings)?;
        Ok(value)
    }

    fn create(&self, request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Response, Status> {
        let value = self.body(request, target, warnings)?;
        let object = self.create_object(request, target, value, warnings)?;
        let mut response = self.represent(request, target, object);
        response.code = 201;
        Ok(response)
    }

    /// Creates an object of a decoded tree.
    pub fn create_object(
        &self,
        request: &Request,
        target: &Target,
        value: Value,
        warnings: &mut Vec<String>,
    ) -> Result<Object, Status> {
        self.create_owned(request, target, value, Ownership::Tracked(""), warnings)
    }

    /// Creates an object whose fields are owned so.
    pub(super) fn create_owned(
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
    pub(super) fn put(&self, request: &Request, target: &Target, mut value: Value) -> Result<Object, Status> {
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

    fn wrote(&self, id: RequestId, client: &Rc<str>, resource: &Resource, object: &Object, op: WriteKind) {
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

    fn replace(&self, request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Response, Status> {
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
        let object = self.create_object(request, target, value, warnings)?;
        let mut response = self.represent(request, target, object);
        response.code = 201;
        Ok(response)
    }

    /// Updates `old` to a decoded tree, through the object itself or its `/status`.
    pub fn update_object(
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
    pub(super) fn update_owned(
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

    /// Stores an update, unless what held an object that is being deleted went with it: then the update is its
    /// deletion (`deleteWithoutFinalizers`). Nothing is stored of it, and watches tell of the version before.
    pub(super) fn put_or_finish(&self, request: &Request, target: &Target, value: Value) -> Result<Object, Status> {
        let finished = value.get("metadata").has("deletionTimestamp")
            && value.at(&["metadata", "finalizers"]).is_empty()
            && value.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) == 0
            && !target.strategy().holds(&value);
        if !finished {
            return self.put(request, target, value);
        }
        self.remove(request, target).ok_or_else(|| target.not_found())?;
        Ok(custom::in_version(Object::new(value), &target.resource))
    }

    pub(super) fn remove(&self, request: &Request, target: &Target) -> Option<Object> {
        let object = self.store().remove(&target.shelf(), &target.key())?;
        self.changed(&target.shelf());
        self.wrote(
            request.id,
            &request.client,
            &target.resource,
            &object,
            WriteKind::Deleted,
        );
        Some(object)
    }

    fn patch(&self, request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Response, Status> {
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

    fn delete(&self, request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Response, Status> {
        let options = delete_options(request)?;
        warn_of_orphans(target, &options, warnings);
        let object = self.find(target)?;
        Ok(
            match self.delete_object(request, target, &object, &options, warnings)? {
                Deletion::Begun(object) => Response::new(200, Payload::Object(object)),
                Deletion::Done(object)
                    if target.resource.custom.is_none() && SHOWN_WHEN_DELETED.contains(&&*target.resource.name) =>
                {
                    Response::new(200, Payload::Object(object))
                }
                Deletion::Done(object) => Response::from(success(
                    object.name(),
                    &target.resource.group,
                    &target.resource.name,
                    object.uid(),
                )),
            },
        )
    }

    /// Deletes an object, or begins its deletion where it stays for now (finalizers, a graceful end).
    pub fn delete_object(
        &self,
        request: &Request,
        target: &Target,
        object: &Object,
        options: &Value,
        warnings: &mut Vec<String>,
    ) -> Result<Deletion, Status> {
        let resource = &target.resource;
        for (field, got, why) in [
            ("uid", object.uid().to_owned(), "deleted and then recreated"),
            ("resourceVersion", object.revision().to_string(), "modified"),
        ] {
            let want = options.str_at(&["preconditions", field]);
            if !want.is_empty() && want != got {
                let what = if field == "uid" { "UID" } else { "ResourceVersion" };
                return Err(Status::conflict(
                    &resource.group,
                    &resource.kind,
                    object.name(),
                    &format!(
                        "the {what} in the precondition ({want}) does not match the {what} in record ({got}). The \
                         object might have been {why}"
                    ),
                ));
            }
        }
        admission::delete(self, request, target, object, warnings)?;
        self.delete_admitted(request, target, object, options)
    }

    /// Deletes an object that admission has let go: of an eviction it does not see the deletion.
    pub(super) fn delete_admitted(
        &self,
        request: &Request,
        target: &Target,
        object: &Object,
        options: &Value,
    ) -> Result<Deletion, Status> {
        if request.dry_run() || options.get("dryRun").items().iter().any(|v| v.str() == "All") {
            return Ok(Deletion::Done(object.clone()));
        }
        let mut value = object.value().clone();
        let asked = options
            .i64_at(&["gracePeriodSeconds"])
            .map(|s| if s < 0 { 1 } else { s });
        let earlier = object.metadata().i64_at(&["deletionGracePeriodSeconds"]);
        let graceful = match target.strategy().grace(object, asked) {
            Grace::None => None,
            Grace::Seconds(_) if object.is_deleting() => match (earlier, asked) {
                (None | Some(0), _) => None,
                // What is under way can only be hastened.
                (Some(earlier), Some(asked)) if asked < earlier => {
                    let begun = object.deletion_timestamp().unwrap_or_default() - seconds(earlier);
                    let (end, now) = (begun + seconds(asked), self.sim().now());
                    // A graceful end that would be over leaves its last word to whoever ends it.
                    let over = end < now;
                    Some((end.max(now), if over && asked > 0 { 1 } else { asked }))
                }
                _ => return Ok(Deletion::Begun(object.clone())),
            },
            Grace::Seconds(grace) => Some((self.sim().now() + seconds(grace), grace)),
        };
        let mut finalizers: Vec<Value> = object.at(&["metadata", "finalizers"]).items().to_vec();
        let present = |list: &[Value], name: &str| list.iter().any(|f| f.str() == name);
        let collected = collector_finalizer(target.strategy(), object, options);
        finalizers.retain(|f| !names::COLLECTOR_FINALIZERS.contains(&f.str()) || f.str() == collected);
        if !collected.is_empty() && !present(&finalizers, collected) {
            finalizers.push(collected.into());
        }
        if let Some(name) = target.strategy().deletion_finalizer()
            && !object.is_deleting()
            && !present(&finalizers, name)
        {
            finalizers.push(name.into());
        }
        let held = target.strategy().holds(&value);
        if graceful.is_none() && finalizers.is_empty() && !held {
            return Ok(Deletion::Done(
                self.remove(request, target).unwrap_or_else(|| object.clone()),
            ));
        }
        match graceful {
            Some((end, grace)) => {
                value.set(&["metadata", "deletionTimestamp"], end);
                value.set(&["metadata", "deletionGracePeriodSeconds"], grace);
            }
            None if object.is_deleting() => {}
            None => {
                value.set(&["metadata", "deletionTimestamp"], self.sim().now());
                if !held {
                    value.set(&["metadata", "deletionGracePeriodSeconds"], 0);
                }
            }
        }
        if !object.is_deleting() {
            target.strategy().mark_deleting(&mut value);
            if target.strategy().has_generation() && target.strategy().deletion_is_generation() {
                value.set(&["metadata", "generation"], object.generation() + 1);
            }
        }
        let done = finalizers.is_empty() && !held && graceful.is_some_and(|(_, grace)| grace == 0);
        value.set_or_remove(&["metadata", "finalizers"], finalizers);
        let object = match value.share_with(object.value()) {
            true => object.clone(),
            false => self.put(request, target, value)?,
        };
        if done {
            // The mark stands in the history before the end, as two writes.
            return Ok(Deletion::Done(self.remove(request, target).unwrap_or(object)));
        }
        Ok(Deletion::Begun(object))
    }

    fn delete_collection(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let options = delete_options(request)?;
        warn_of_orphans(target, &options, warnings);
        let filter = self.filter(request, target)?;
        let list = self.page(target, &filter, 0, "", 0)?;
        for object in &list.items {
            let one = Target {
                name: object.name().to_owned(),
                namespace: object.namespace().to_owned(),
                ..target.clone()
            };
            match self.delete_object(request, &one, object, &options, warnings) {
                Err(status) if !status.is_not_found() => return Err(status),
                _ => {}
            }
        }
        Ok(Response::new(200, Payload::List(list)))
    }

    /// Stores an object as it is, without any rule: for the snapshot that a world begins from.
    ///
    /// # Errors
    /// When the object's kind is not served, or the store is full.
    pub fn restore(&self, value: Value) -> Result<Object, Status> {
        let (api_version, kind) = (value.str_at(&["apiVersion"]), value.str_at(&["kind"]));
        let resource = self
            .resource_of_kind(api_version, kind)
            .ok_or_else(Status::no_such_path)?;
        let shelf = shelf_name(&resource);
        let object = self.store().put(&shelf, value)?.0;
        self.changed(&shelf);
        Ok(object)
    }
}

/// Makes a watch of a request for one of the old paths, `/api/v1/watch/pods`.
fn watch_of_path(request: &mut Request) {
    // Nearly every request ends here.
    if request.method != Method::Get || !request.path.contains("/watch/") {
        return;
    }
    let mut parts: Vec<&str> = request.path.split('/').filter(|p| !p.is_empty()).collect();
    let at = if parts.first() == Some(&"apis") { 3 } else { 2 };
    if matches!(parts.first(), Some(&("api" | "apis"))) && parts.get(at) == Some(&"watch") && parts.len() > at + 1 {
        parts.remove(at);
        request.path = format!("/{}", parts.join("/"));
        request.query.retain(|(k, _)| k != "watch");
        request.query.push(("watch".into(), "true".into()));
    }
}

/// Refuses a tree that says that it is of another kind or version than `wanted` and `expected`.
pub(super) fn check_kind(value: &Value, wanted: &str, expected: &str, custom: bool) -> Result<(), Status> {
    let said = |field: &str, default: &str| match value.get(field).str() {
        "" => default.to_owned(),
        given => given.to_owned(),
    };
    let (version, kind) = (said("apiVersion", expected), said("kind", wanted));
    if kind == wanted && version == expected {
        return Ok(());
    }
    let cannot = |why: String| {
        let (_, bare) = resource::split(&version);
        Status::bad_request(format!(
            "{kind} in version {bare:?} cannot be handled as a {wanted}: {why}"
        ))
    };
    let other = schema::by_kind(&version, &kind);
    if other.is_none() && !custom {
        return Err(cannot(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        )));
    }
    if kind != wanted && !custom {
        let group = match resource::split(expected).0.split('.').next() {
            None | Some("") => "core",
            Some(group) => group,
        };
        let go_name = other.map_or_else(|| kind.clone(), |ty| ty.go_name().to_owned());
        return Err(cannot(format!(
            "converting ({go_name}) to ({group}.{wanted}): unknown conversion"
        )));
    }
    Err(Status::bad_request(format!(
        "the API version in the data ({version}) does not match the expected API version ({expected})"
    )))
}

/// The refusal of a tree that is no object of the resource's kind.
fn cannot_be_handled(resource: &Resource, why: &str) -> Status {
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        resource.kind, resource.version, resource.kind
    ))
}

/// What field validation says of the fields that a body's text has more than once.
fn repeated_fields(bytes: &[u8], content_type: &str) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if content_type.contains("yaml") {
        return yaml::decode_strict(text).err().iter().map(|e| e.to_string()).collect();
    }
    let patch = match PatchType::from_media_type(content_type) {
        Some(PatchType::Json) => "json patch ",
        _ => "",
    };
    let fields = gojson::duplicates(text).into_iter();
    fields.map(|path| format!("{patch}duplicate field {path:?}")).collect()
}

/// What the request's field validation does with unknown and repeated fields. Inside of a field that is not
/// known nobody looks.
fn answer_unknown(
    unknown: &[String],
    resource: &Resource,
    request: &Request,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let inside = |text: &str| {
        let path = text.strip_prefix("duplicate ").and_then(|t| t.strip_suffix('"'));
        path.is_some_and(|path| {
            unknown.iter().any(|u| {
                let outer = u.strip_prefix("unknown ").unwrap_or(u).trim_end_matches('"');
                path.strip_prefix(outer)
                    .is_some_and(|rest| matches!(rest.chars().next(), None | Some('.' | '[')))
            })
        })
    };
    let repeated = request.repeated.iter().filter(|text| !inside(text));
    let found: Vec<String> = repeated.chain(unknown).cloned().collect();
    match request.param("fieldValidation") {
        _ if found.is_empty() => {}
        "Ignore" => {}
        "Strict" => {
            let why = format!("strict decoding error: {}", found.join(", "));
            return Err(cannot_be_handled(resource, &why));
        }
        _ => warnings.extend(found),
    }
    Ok(())
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

/// The `DeleteOptions` of a request: its body's, or the query's where it has none.
fn delete_options(request: &mut Request) -> Result<Value, Status> {
    let sent = match std::mem::take(&mut request.body) {
        Body::Value(v) | Body::Typed(v) => v,
        _ => Value::Null,
    };
    let mut options = if sent.is_empty() {
        let mut options = Value::map();
        if let Ok(seconds) = request.param("gracePeriodSeconds").parse::<i64>() {
            options.set(&["gracePeriodSeconds"], seconds);
        }
        options.set_or_remove(&["propagationPolicy"], request.param("propagationPolicy"));
        if request.query.iter().any(|(k, _)| k == "orphanDependents") {
            options.set(&["orphanDependents"], request.flag("orphanDependents"));
        }
        let dry_run = request.query.iter().filter(|(k, _)| k == "dryRun");
        let dry_run: Value = dry_run.map(|(_, v)| Value::from(v)).collect();
        options.set_or_remove(&["dryRun"], dry_run);
        options
    } else {
        sent
    };
    let kind = options.get("kind").str();
    if !matches!(kind, "" | "DeleteOptions") {
        let version = match options.get("apiVersion").str() {
            "" => "v1",
            version => version,
        };
        return Err(Status::bad_request(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \
             \"pkg/apis/meta/internalversion/scheme/register.go:27\""
        )));
    }
    let mut errors = FieldErrors::default();
    let policy = options.get("propagationPolicy");
    if !policy.is_null() && !options.get("orphanDependents").is_null() {
        errors.invalid(
            "propagationPolicy",
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        );
    }
    if !policy.is_null() && !matches!(policy.str(), "Foreground" | "Background" | "Orphan") {
        errors.not_supported("propagationPolicy", policy, &["Background", "Foreground", "Orphan"]);
    }
    for dry_run in options.get("dryRun").items() {
        if dry_run.str() != "All" {
            errors.not_supported("dryRun", dry_run, &["All"]);
        }
    }
    if !errors.is_empty() {
        return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors));
    }
    if options.i64_at(&["gracePeriodSeconds"]).is_some_and(|s| s < 0) {
        options.set(&["gracePeriodSeconds"], 1);
    }
    Ok(options)
}

/// Which of them an object that is to be deleted has from now on; empty for none. What the options say comes
/// first, then what an earlier deletion has asked for, then the kind's default (`shouldOrphanDependents`,
/// `shouldDeleteDependents`).
fn collector_finalizer(strategy: &dyn Strategy, object: &Object, options: &Value) -> &'static str {
    let default = strategy.default_propagation();
    if default.is_empty() {
        return "";
    }
    let policy = match (
        options.get("orphanDependents").as_bool(),
        options.str_at(&["propagationPolicy"]),
    ) {
        (Some(true), _) => "Orphan",
        (Some(false), _) => "Background",
        (None, "") => match object.finalizers().find(|f| names::COLLECTOR_FINALIZERS.contains(f)) {
            None => default,
            Some(names::ORPHAN) => "Orphan",
            Some(_) => "Foreground",
        },
        (None, policy) => policy,
    };
    match policy {
        "Orphan" => names::ORPHAN,
        "Foreground" => names::FOREGROUND,
        _ => "",
    }
}

/// The warning that a kind has for deletions that do not say what becomes of dependents.
fn warn_of_orphans(target: &Target, options: &Value, warnings: &mut Vec<String>) {
    let said = ["orphanDependents", "propagationPolicy"];
    if said.iter().all(|field| options.get(field).is_null()) {
        warnings.extend(target.strategy().orphaning_warning().map(str::to_owned));
    }
}

/// The warning that the server sends with every answer of a deprecated resource.
fn deprecation(target: &Target) -> Option<String> {
    if let Some(custom) = &target.resource.custom {
        return custom.deprecation();
    }
    match (&*target.resource.group, &*target.resource.name) {
        ("", "componentstatuses") => Some("v1 ComponentStatus is deprecated in v1.19+".into()),
        ("", "endpoints") => Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::{Client, Informer, ListOptions, User, WatchEvent, WriteOptions};
    use crate::sim::Time;

    fn world() -> (Sim, Client) {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        api.restore(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" } })
            .unwrap();
        (sim.clone(), Client::new(&api, "test", User::admin()))
    }

    fn config_map(name: &str, value: &str) -> Value {
        obj! {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": obj! { "name": name, "namespace": "default", "labels": obj! { "v": value } },
            "data": obj! { "k": value },
        }
    }

    fn run<T: 'static>(sim: &Sim, future: impl Future<Output = T> + 'static) -> T {
        sim.run_future(future, sim.now() + Duration::from_secs(100))
            .expect("the future ends")
    }

    #[test]
    fn an_object_that_etcd_would_not_take_is_refused() {
        let (sim, client) = world();
        run(&sim, async move {
            let revisions = client.resource("apps", "v1", "controllerrevisions").unwrap();
            let made = |name: &str, bytes: usize| {
                let value = obj! {
                    "metadata": obj! { "name": name, "namespace": "default" },
                    "revision": 1, "data": obj! { "text": "x".repeat(bytes) },
                };
                let (client, revisions) = (client.clone(), revisions.clone());
                async move { client.make(&revisions, "default", value).await.map(|_| ()) }
            };
            assert_eq!(made("fits", 1_500_000).await, Ok(()));
            let refused = made("large", 1_600_000).await.unwrap_err();
            assert_eq!(
                (refused.code(), refused.reason(), refused.message()),
                (500, "", "etcdserver: request is too large")
            );
        });
    }

    #[test]
    fn create_update_conflict_delete() {
        let (sim, client) = world();
        run(&sim, async move {
            let cms = client.resource("", "v1", "configmaps").unwrap();
            let none = WriteOptions::default();
            let made = client
                .create(&cms, "default", Body::Value(config_map("a", "1")), &none)
                .await
                .unwrap();
            assert!(!made.uid().is_empty());
            let again = client
                .create(&cms, "default", Body::Value(config_map("a", "1")), &none)
                .await
                .unwrap_err();
            assert_eq!(again.message(), "configmaps \"a\" already exists");
            let mut value = made.value().clone();
            value.set(&["data", "k"], "2");
            let newer = client.update(&cms, value.clone()).await.unwrap();
            assert!(newer.revision() > made.revision());
            let stale = client.update(&cms, value).await.unwrap_err();
            assert_eq!(stale.code(), 409);
            // An update that changes nothing writes nothing.
            let same = client.update(&cms, newer.value().clone()).await.unwrap();
            assert_eq!(same.revision(), newer.revision());
            client.delete(&cms, "default", "a", Value::Null).await.unwrap();
            assert!(client.get(&cms, "default", "a").await.unwrap_err().is_not_found());
            let missing = client
                .create(
                    &cms,
                    "nowhere",
                    Body::Value(obj! { "metadata": obj! { "name": "x" } }),
                    &none,
                )
                .await;
            assert_eq!(missing.unwrap_err().message(), "namespaces \"nowhere\" not found");
        });
    }

    #[test]
    fn finalizers_hold_a_deletion() {
        let (sim, client) = world();
        run(&sim, async move {
            let cms = client.resource("", "v1", "configmaps").unwrap();
            let mut value = config_map("a", "1");
            value.set(&["metadata", "finalizers"], crate::list!["example.com/hold"]);
            client
                .create(&cms, "default", Body::Value(value), &WriteOptions::default())
                .await
                .unwrap();
            client.delete(&cms, "default", "a", Value::Null).await.unwrap();
            let held = client.get(&cms, "default", "a").await.unwrap();
            assert!(held.is_deleting());
            let patch = obj! { "metadata": obj! { "finalizers": Value::Null } };
            client
                .patch(
                    &cms,
                    "default",
                    "a",
                    "",
                    PatchType::Merge,
                    patch,
                    &WriteOptions::default(),
                )
                .await
                .unwrap();
            assert!(client.get(&cms, "default", "a").await.is_err());
        });
    }

    #[test]
    fn watches_follow_selectors_and_informers_follow_all() {
        let (sim, client) = world();
        run(&sim, async move {
            let cms = client.resource("", "v1", "configmaps").unwrap();
            let informer = Informer::start(&client, &cms, ListOptions::default());
            informer.synced().await;
            let none = WriteOptions::default();
            let mut watch = client
                .watch(&cms, "default", &ListOptions::labels("v=1"), 0)
                .await
                .unwrap();
            let made = client
                .create(&cms, "default", Body::Value(config_map("a", "1")), &none)
                .await
                .unwrap();
            assert!(matches!(watch.next().await, Some(WatchEvent::Added(_))));
            let mut value = made.value().clone();
            value.set(&["metadata", "labels", "v"], "2");
            client.update(&cms, value).await.unwrap();
            assert!(
                matches!(watch.next().await, Some(WatchEvent::Deleted(_))),
                "it no longer fits"
            );
            client.sim().sleep(Duration::from_millis(5)).await;
            assert_eq!(informer.list("default").len(), 1);
            assert_eq!(informer.list("default")[0].label("v"), Some("2"));
            client.api().store().compact();
            client
                .create(&cms, "default", Body::Value(config_map("b", "1")), &none)
                .await
                .unwrap();
            let old = client
                .watch(&cms, "default", &ListOptions::default(), 1)
                .await
                .unwrap_err();
            assert_eq!((old.code(), old.reason()), (410, "Expired"));
        });
    }

    #[test]
    fn bodies_that_are_not_what_they_should_be() {
        let (_, client) = world();
        let path = "/api/v1/namespaces/default/configmaps";
        let send = |method: Method, path: &str, kind: &str, validation: &str, body: &str| {
            let mut request = Request::new(method, path).with("fieldValidation", validation);
            if kind.contains("yaml") {
                request = request.with("fieldManager", "m");
            }
            request.content_type = kind.into();
            let response = client.api().serve(request.body(Body::Bytes(body.into())));
            let warnings = response.warnings.clone();
            let message = response.value().str_at(&["message"]).to_owned();
            (response.code, warnings.join("; ") + &message)
        };
        let twice = r#"{"metadata":{"name":"x","name":"x"},"foo":{"a":1,"a":2}}"#;
        let found = r#"duplicate field "metadata.name""#;
        let (json, merge) = ("application/json", "application/merge-patch+json");
        let one = format!("{path}/x");
        for (method, path, kind, validation, body, code, said) in [
            (Method::Post, path, json, "Strict", twice, 400, format!("ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: {found}, unknown field \"foo\"")),
            (Method::Post, path, json, "Ignore", twice, 201, String::new()),
            (Method::Patch, &one, merge, "", r#"{"data":{"a":"1","a":"2"}}"#, 200, "duplicate field \"data.a\"".into()),
            (Method::Patch, &one, "application/apply-patch+yaml", "Strict", "data:\n  a: b\n  a: c\n", 400, "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 3: key \"a\" already set in map".into()),
            (Method::Delete, &one, json, "", r#"{"kind":"Foo"}"#, 400, "no kind \"Foo\" is registered for version \"v1\" in scheme \"pkg/apis/meta/internalversion/scheme/register.go:27\"".into()),
            (Method::Delete, &one, json, "", r#"{"kind":"DeleteOptions","apiVersion":"v1"}"#, 200, String::new()),
        ] {
            assert_eq!(send(method, path, kind, validation, body), (code, said), "{body}");
        }
        let watch = client
            .api()
            .serve(Request::get("/api/v1/watch/namespaces/default/configmaps"));
        assert!(matches!(watch.payload, Payload::Watch(_)));
    }
}
