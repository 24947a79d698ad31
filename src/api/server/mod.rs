//! The API server: `serve(Request) -> Response` over the store, for every resource alike.
//!
//! What is special about a kind is its [`Strategy`]; what is special about a subresource is in
//! `subresource.rs`; discovery documents are in `discovery.rs`.

mod body;
mod delete;
mod read;
mod write;

use std::cell::RefCell;
use std::rc::Rc;

pub(super) use self::body::check_kind;
use self::body::{check_media_type, repeated_fields};
use self::read::watch_of_path;
use super::apply;
use super::auth::{self, Authorizer, User};
use super::docs::Docs;
use super::object::{Object, ObjectKey};
use super::openapi;
use super::request::{Body, Method, PatchType, Payload, Request, Response};
use super::resource::{self, Resource};
use super::status::Status;
use super::store::{ShelfName, Store};
use super::strategy::{Context, Strategy};
use super::{admission, custom, discovery, kinds, metrics, subresource, table};
use crate::flat::FlatMap;
use crate::limits;
use crate::pki::Authority;
use crate::sim::Sim;
use crate::value::{Value, intern};

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
    /// How often requests were answered.
    served: RefCell<FlatMap<Served, u64>>,
    /// Made when it is first asked for.
    authority: RefCell<Option<Rc<Authority>>>,
}

/// Requests that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// Of which resource; without names for paths that are none's.
    pub resource: Kept,
    /// Empty for the object itself.
    pub subresource: String,
    /// `resource`, `namespace`, `cluster` or nothing (`CleanScope` of the API server's metrics).
    pub scope: &'static str,
    /// `GET`, `LIST`, `WATCH`, `APPLY`, `CONNECT`, … (`CleanVerb`).
    pub verb: &'static str,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
    /// What was answered.
    pub code: u16,
}

/// The names of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// The plural.
    pub name: Rc<str>,
    /// Empty for the core group.
    pub group: Rc<str>,
    /// `v1`
    pub version: Rc<str>,
}

impl Served {
    fn of(request: &Request, target: Option<&Target>) -> Served {
        let mut served = Served {
            resource: Kept::default(),
            subresource: String::new(),
            scope: "",
            verb: request.method.name(),
            dry_run: request.dry_run(),
            code: 0,
        };
        let Some(target) = target else { return served };
        served.resource = Kept {
            name: target.resource.name.clone(),
            group: target.resource.group.clone(),
            version: target.resource.version.clone(),
        };
        // What stands behind `proxy` is the path of another server.
        let subresource = target.subresource.split('/').next().unwrap_or_default();
        served.subresource = subresource.to_owned();
        let named = !target.name.is_empty();
        served.scope = match (named || request.method == Method::Post, target.namespace.is_empty()) {
            (true, _) => "resource",
            (false, false) => "namespace",
            (false, true) => "cluster",
        };
        served.verb = match request.method {
            _ if matches!(subresource, "attach" | "exec" | "log" | "portforward" | "proxy") => "CONNECT",
            Method::Get if auth::verb(request, !named) == "watch" => "WATCH",
            Method::Get if !named => "LIST",
            Method::Patch if PatchType::from_media_type(&request.content_type) == Some(PatchType::Apply) => "APPLY",
            other => other.name(),
        };
        served
    }
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
            served: RefCell::default(),
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
    fn authenticate_der(&self, certificate: &[u8]) -> Option<User> {
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

    /// The built-in resource of a group and plural.
    ///
    /// Every component asks for resources that the server always has; an empty one, which no request can reach, stands
    /// for a plural that it lacks.
    pub fn built_in(&self, group: &str, name: &str) -> Rc<Resource> {
        let resources = self.resources();
        let found = resources.iter().find(|r| &*r.group == group && &*r.name == name);
        found.cloned().unwrap_or_else(|| {
            Rc::new(Resource {
                group: group.into(),
                version: "v1".into(),
                name: name.into(),
                singular: "".into(),
                kind: "".into(),
                namespaced: true,
                verbs: Vec::new(),
                short_names: Vec::new(),
                categories: Vec::new(),
                kind_group_version: None,
                storage_version_hash: "".into(),
                custom: None,
            })
        })
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

    /// How often requests were answered.
    pub fn served(&self) -> FlatMap<Served, u64> {
        self.0.served.borrow().clone()
    }

    /// Answers a request.
    pub fn serve(&self, mut request: Request) -> Response {
        let mut warnings = Vec::new();
        let mut served = None;
        let mut response = match self.handle(&mut request, &mut warnings, &mut served) {
            Ok(response) => response,
            Err(status) => Response::from(status),
        };
        if let Some(served) = served {
            let served = Served {
                code: response.code,
                ..served
            };
            let mut all = self.0.served.borrow_mut();
            if all.contains_key(&served) || all.len() < limits::SERVED {
                *all.entry(served).or_default() += 1;
            }
        }
        warnings.append(&mut response.warnings);
        response.warnings = warnings;
        response
    }

    fn handle(
        &self,
        request: &mut Request,
        warnings: &mut Vec<String>,
        served: &mut Option<Served>,
    ) -> Result<Response, Status> {
        watch_of_path(request);
        let target = self.target(&request.path);
        // Whoever only looks from outside sends no request that counts.
        if request.id > 0 {
            let target = target.as_ref().ok().and_then(Option::as_ref);
            *served = Some(Served::of(request, target));
        }
        auth::check(self, request)?;
        let Some(target) = target? else {
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
            if wanted.is_some() {
                check_media_type(&request.content_type, target.resource.custom.is_some())?;
            }
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
    use crate::obj;
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
