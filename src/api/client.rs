//! The client that every part of the cluster and kubectl use: requests on virtual time, each with
//! its way to the API server and back in the trace.

use std::rc::Rc;
use std::time::Duration;

use super::auth::{self, Impersonation, User};
use super::object::Object;
use super::request::{Body, List, Method, PatchType, Payload, Request, Response};
use super::resource::Resource;
use super::server::ApiServer;
use super::status::Status;
use super::watch::Watch;
use crate::obj;
use crate::sim::{Sim, TraceEvent};
use crate::value::Value;

/// From a client to the API server, one way: a hop inside one machine room.
pub const NETWORK: Duration = Duration::from_micros(500);

/// From the API server on to a kubelet, until its runtime has prepared a container's streams.
const STREAMS: Duration = Duration::from_millis(2);

/// Committing a write to etcd: a fast disk's fsync.
pub const ETCD_COMMIT: Duration = Duration::from_millis(2);

/// What a list or watch selects.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Empty for all objects.
    pub label_selector: String,
    /// Empty for all objects.
    pub field_selector: String,
    /// At most so many items a page; 0 for all.
    pub limit: usize,
    /// Where the page begins, as the page before said; empty for the first.
    pub continue_token: String,
}

impl ListOptions {
    /// Of what a label selector takes; empty for all.
    pub fn labels(selector: impl Into<String>) -> ListOptions {
        ListOptions {
            label_selector: selector.into(),
            ..ListOptions::default()
        }
    }

    /// Of what a field selector takes; empty for all.
    pub fn fields(selector: impl Into<String>) -> ListOptions {
        ListOptions {
            field_selector: selector.into(),
            ..ListOptions::default()
        }
    }

    fn on(&self, request: Request) -> Request {
        request
            .with("labelSelector", self.label_selector.as_str())
            .with("fieldSelector", self.field_selector.as_str())
            .with(
                "limit",
                if self.limit > 0 {
                    self.limit.to_string()
                } else {
                    String::new()
                },
            )
            .with("continue", self.continue_token.as_str())
    }
}

/// How a write is made.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who is to own the fields; empty for the program's name.
    pub field_manager: String,
    /// `Strict`, `Warn` or `Ignore`; empty for the server's default.
    pub field_validation: String,
    /// Server-side apply takes over fields of other managers.
    pub force: bool,
}

impl WriteOptions {
    fn on(&self, request: Request) -> Request {
        request
            .with("dryRun", if self.dry_run { "All" } else { "" })
            .with("fieldManager", self.field_manager.as_str())
            .with("fieldValidation", self.field_validation.as_str())
            .with("force", if self.force { "true" } else { "" })
    }
}

/// A client of the API server. Clones share nothing but the server.
#[derive(Clone)]
pub struct Client {
    api: ApiServer,
    name: Rc<str>,
    /// The program that this client is a part of; empty when it is one of its own.
    agent: Rc<str>,
    user: User,
    /// Whom it acts as.
    impersonate: Option<Impersonation>,
    /// Sends credentials that nobody knows.
    unknown: bool,
    /// Reads from outside the simulation: see [`Client::observer`].
    observer: bool,
}

impl Client {
    /// A client named as its user agent (`kubelet/k8s-node-01`), acting as `user`.
    pub fn new(api: &ApiServer, name: impl Into<Rc<str>>, user: User) -> Client {
        Client {
            api: api.clone(),
            name: name.into(),
            agent: "".into(),
            user,
            impersonate: None,
            unknown: false,
            observer: false,
        }
    }

    /// A client that reads as the administrator from outside the simulation: its requests take no
    /// time and leave no trace, so that looking at a world does not change its course. What it
    /// would write is refused.
    pub fn observer(api: &ApiServer) -> Client {
        Client {
            observer: true,
            ..Client::new(api, "observer", User::system("observer"))
        }
    }

    /// The name that requests carry.
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Whom its requests come from.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The same client as a part of a program, which is what the API server sees of it.
    pub fn part_of(&self, agent: &str) -> Client {
        Client {
            agent: agent.into(),
            ..self.clone()
        }
    }

    /// The same client acting as another user.
    pub fn acting_as(&self, user: User) -> Client {
        Client { user, ..self.clone() }
    }

    /// The same client acting as another user, if the API server lets it (`--as`).
    pub fn impersonating(&self, wanted: Impersonation) -> Client {
        Client {
            impersonate: Some(wanted),
            ..self.clone()
        }
    }

    /// The same client with credentials that the API server does not know: each of its requests is
    /// answered with 401 Unauthorized.
    pub fn with_unknown_credentials(&self) -> Client {
        Client {
            unknown: true,
            ..self.clone()
        }
    }

    /// The server that it asks.
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The simulation that it waits in.
    pub fn sim(&self) -> &Sim {
        self.api.sim()
    }

    /// The built-in or custom resource of this group, version and plural.
    ///
    /// # Errors
    /// 404 when it is not served.
    pub fn resource(&self, group: &str, version: &str, name: &str) -> Result<Rc<Resource>, Status> {
        self.api.resource(group, version, name).ok_or_else(Status::no_such_path)
    }

    /// Sends a request. It travels, is served, and its answer travels back; each shows in the trace.
    pub async fn send(&self, mut request: Request) -> Response {
        let sim = self.sim().clone();
        if self.observer {
            if request.method != Method::Get {
                return Response::from(Status::internal("an observer does not write"));
            }
            request.user = self.user.clone();
            request.impersonate.clone_from(&self.impersonate);
            request.client = self.name.clone();
            return self.api.serve(request);
        }
        request.id = sim.next_id();
        request.user = self.user.clone();
        request.impersonate.clone_from(&self.impersonate);
        request.client = self.name.clone();
        request.agent = self.agent.clone();
        let (id, client, path): (_, _, Rc<str>) = (request.id, self.name.clone(), request.path.as_str().into());
        let verb = match request.method {
            Method::Get if request.flag("watch") => "WATCH",
            method => method.name(),
        };
        sim.emit(TraceEvent::Request {
            id,
            client: client.clone(),
            verb,
            path: path.clone(),
        });
        let behind = match request.method {
            _ if auth::CONNECTING.iter().any(|c| path.ends_with(c)) => STREAMS,
            Method::Get => Duration::ZERO,
            _ => ETCD_COMMIT,
        };
        sim.sleep(NETWORK + behind).await;
        let response = if self.unknown {
            Response::from(Status::unauthorized())
        } else {
            self.api.serve(request)
        };
        sim.emit(TraceEvent::Response {
            id,
            client,
            verb,
            path,
            code: response.code,
        });
        sim.sleep(NETWORK).await;
        response
    }

    async fn object(&self, request: Request) -> Result<Object, Status> {
        Ok(match self.send(request).await.ok()?.payload {
            Payload::Object(object) => object,
            Payload::Value(value) => Object::new(value),
            _ => return Err(Status::internal("the API server did not answer with an object")),
        })
    }

    /// One object.
    ///
    /// # Errors
    /// The API's failure, as of all methods here.
    pub async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Object, Status> {
        self.object(Request::get(item(resource, namespace, name))).await
    }

    /// The objects of a namespace (of all, when it is empty).
    ///
    /// # Errors
    /// The API's failure.
    pub async fn list(&self, resource: &Resource, namespace: &str, options: &ListOptions) -> Result<List, Status> {
        match self
            .send(options.on(Request::get(resource.path(namespace))))
            .await
            .ok()?
            .payload
        {
            Payload::List(list) => Ok(list),
            _ => Err(Status::internal("the API server did not answer with a list")),
        }
    }

    /// Changes after `revision`; from the present objects on, when it is 0.
    ///
    /// # Errors
    /// The API's failure: 410 when the revision is too old.
    pub async fn watch(
        &self,
        resource: &Resource,
        namespace: &str,
        options: &ListOptions,
        revision: u64,
    ) -> Result<Watch, Status> {
        let request = options
            .on(Request::get(resource.path(namespace)))
            .with("watch", "true")
            .with(
                "resourceVersion",
                if revision > 0 {
                    revision.to_string()
                } else {
                    String::new()
                },
            );
        match self.send(request).await.ok()?.payload {
            Payload::Watch(watch) => Ok(*watch),
            _ => Err(Status::internal("the API server did not answer with a watch")),
        }
    }

    /// Creates an object. A [`Body::Value`] is decoded and checked as text from outside is.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        body: Body,
        options: &WriteOptions,
    ) -> Result<Object, Status> {
        let request = Request::new(Method::Post, resource.path(namespace)).body(body);
        self.object(options.on(request)).await
    }

    /// Creates an object of a tree with the fields of its type, as components do.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn make(&self, resource: &Resource, namespace: &str, value: Value) -> Result<Object, Status> {
        self.create(resource, namespace, Body::Typed(value), &WriteOptions::default())
            .await
    }

    /// Replaces an object by a tree that was made from its present version.
    ///
    /// # Errors
    /// The API's failure: 409 when it has changed meanwhile.
    pub async fn update(&self, resource: &Resource, value: Value) -> Result<Object, Status> {
        let path = item(
            resource,
            value.str_at(&["metadata", "namespace"]),
            value.str_at(&["metadata", "name"]),
        );
        self.object(Request::new(Method::Put, path).body(Body::Typed(value)))
            .await
    }

    /// Replaces an object's status.
    ///
    /// # Errors
    /// The API's failure: 409 when it has changed meanwhile.
    pub async fn update_status(&self, resource: &Resource, value: Value) -> Result<Object, Status> {
        self.update_part(resource, "status", value).await
    }

    /// Replaces a part of an object that is a subresource, such as `scale` or `finalize`: `value` is what the
    /// subresource takes, and names the object.
    ///
    /// # Errors
    /// The API's failure: 409 when it has changed meanwhile.
    pub async fn update_part(&self, resource: &Resource, part: &str, value: Value) -> Result<Object, Status> {
        let path = item(
            resource,
            value.str_at(&["metadata", "namespace"]),
            value.str_at(&["metadata", "name"]),
        );
        self.object(Request::new(Method::Put, format!("{path}/{part}")).body(Body::Typed(value)))
            .await
    }

    /// Patches an object, or one of its subresources.
    ///
    /// # Errors
    /// The API's failure.
    #[allow(clippy::too_many_arguments)]
    pub async fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        subresource: &str,
        patch_type: PatchType,
        patch: Value,
        options: &WriteOptions,
    ) -> Result<Object, Status> {
        let mut path = item(resource, namespace, name);
        if !subresource.is_empty() {
            path = format!("{path}/{subresource}");
        }
        let mut request = Request::new(Method::Patch, path).body(Body::Value(patch));
        request.content_type = patch_type.media_type().into();
        self.object(options.on(request)).await
    }

    /// Merges a patch into an object, or into one of its subresources.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn merge(
        &self,
        resource: &Resource,
        object: &Object,
        subresource: &str,
        patch: Value,
    ) -> Result<Object, Status> {
        let (kind, none) = (PatchType::Merge, WriteOptions::default());
        self.patch(
            resource,
            object.namespace(),
            object.name(),
            subresource,
            kind,
            patch,
            &none,
        )
        .await
    }

    /// Deletes an object, with `DeleteOptions` (null for none). Gives the object while it stays
    /// (finalizers, a graceful end), else the `Status` of the success.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: Value,
    ) -> Result<Value, Status> {
        let body = if options.is_null() {
            Body::None
        } else {
            Body::Value(options)
        };
        let request = Request::new(Method::Delete, item(resource, namespace, name)).body(body);
        Ok(self.send(request).await.ok()?.value())
    }

    /// Deletes this object and no later one of its name, by a propagation policy (empty for the kind's), as
    /// controllers delete.
    ///
    /// # Errors
    /// The API's failure: 409 when another object has the name.
    pub async fn delete_exactly(&self, resource: &Resource, object: &Object, policy: &str) -> Result<(), Status> {
        let mut options = obj! {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": obj! { "uid": object.uid() },
        };
        options.set_or_remove(&["propagationPolicy"], policy);
        let deleted = self.delete(resource, object.namespace(), object.name(), options);
        deleted.await.map(|_| ())
    }

    /// Deletes what the options select.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn delete_collection(
        &self,
        resource: &Resource,
        namespace: &str,
        list: &ListOptions,
        options: Value,
    ) -> Result<Value, Status> {
        let body = if options.is_null() {
            Body::None
        } else {
            Body::Value(options)
        };
        let request = list
            .on(Request::new(Method::Delete, resource.path(namespace)))
            .body(body);
        Ok(self.send(request).await.ok()?.value())
    }

    /// Posts to a subresource (`binding`, `eviction`).
    ///
    /// # Errors
    /// The API's failure.
    pub async fn post(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let path = format!("{}/{subresource}", item(resource, namespace, name));
        Ok(self
            .send(Request::new(Method::Post, path).body(Body::Value(body)))
            .await
            .ok()?
            .value())
    }
}

/// The path of one object.
pub fn item(resource: &Resource, namespace: &str, name: &str) -> String {
    format!("{}/{name}", resource.path(namespace))
}
