//! Requests and responses, as the API server takes and gives them: HTTP's parts without the wire.

use std::rc::Rc;

use super::auth::{Impersonation, User};
use super::object::Object;
use super::status::Status;
use super::stream::{ByteStream, Forward, Session};
use super::watch::Watch;
use crate::obj;
use crate::sim::RequestId;
use crate::value::Value;

/// What a request does, as HTTP says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method in HTTP's letters.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The kinds of patches, by their media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    Json,
    Merge,
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchType {
    /// The `Content-Type` of such a patch.
    pub fn media_type(self) -> &'static str {
        match self {
            PatchType::Json => "application/json-patch+json",
            PatchType::Merge => "application/merge-patch+json",
            PatchType::Strategic => "application/strategic-merge-patch+json",
            PatchType::Apply => "application/apply-patch+yaml",
        }
    }

    /// The kind of a patch by its `Content-Type`, parameters left aside; `None` for any other.
    pub fn from_media_type(media_type: &str) -> Option<PatchType> {
        let bare = media_type.split(';').next().unwrap_or("").trim();
        match bare {
            "application/apply-patch+json" => Some(PatchType::Apply),
            _ => [
                PatchType::Json,
                PatchType::Merge,
                PatchType::Strategic,
                PatchType::Apply,
            ]
            .into_iter()
            .find(|t| t.media_type() == bare),
        }
    }
}

/// What a request carries.
#[derive(Clone, Debug, Default)]
pub enum Body {
    #[default]
    None,
    /// A tree from outside: it is decoded against its type.
    Value(Value),
    /// A tree that a component of the cluster made from typed parts: decoded already.
    Typed(Value),
    /// Text as it came over the wire, in the request's `content_type`.
    Bytes(Vec<u8>),
}

/// A request to the API server.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request's number in the trace; 0 before it is sent.
    pub id: RequestId,
    /// What is to be done.
    pub method: Method,
    /// The path without the query: `/api/v1/namespaces/default/pods/web`.
    pub path: String,
    /// Decoded query parameters, in their order.
    pub query: Vec<(String, String)>,
    /// The `Accept` header; empty for plain JSON.
    pub accept: String,
    /// The `Content-Type` header; empty for JSON.
    pub content_type: String,
    /// All headers as they came over the wire, for what a `proxy` path passes on; empty where there was none.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Body,
    /// What field validation says of fields that the body's text has more than once.
    pub repeated: Vec<String>,
    /// Who asks, as authentication found it.
    pub user: User,
    /// Whom the user asks to act as. The server checks that it may.
    pub impersonate: Option<Impersonation>,
    /// The component or program that asks: `kubectl`, `kube-scheduler`, `kubelet/k8s-node-01`.
    pub client: Rc<str>,
    /// The program that asks, as its `User-Agent` begins, where `client` is one of its parts (a
    /// controller of the `kube-controller-manager`); empty where it is the program.
    pub agent: Rc<str>,
}

impl Request {
    /// A request of the cluster's administrator, without a query or a body.
    pub fn new(method: Method, path: impl Into<String>) -> Request {
        Request {
            id: 0,
            method,
            path: path.into(),
            query: Vec::new(),
            accept: String::new(),
            content_type: String::new(),
            headers: Vec::new(),
            body: Body::None,
            repeated: Vec::new(),
            user: User::admin(),
            impersonate: None,
            client: "".into(),
            agent: "".into(),
        }
    }

    /// A request to read a path.
    pub fn get(path: impl Into<String>) -> Request {
        Request::new(Method::Get, path)
    }

    /// Adds a query parameter, unless its value is empty.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Request {
        let value = value.into();
        if !value.is_empty() {
            self.query.push((key.to_owned(), value));
        }
        self
    }

    /// Gives it a body.
    pub fn body(mut self, body: Body) -> Request {
        self.body = body;
        self
    }

    /// Asks for a server-side Table, as kubectl's `get` does.
    pub fn as_table(mut self) -> Request {
        self.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
            .into();
        self
    }

    /// The value of a query parameter; empty when it is absent.
    pub fn param(&self, key: &str) -> &str {
        self.query.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }

    /// Whether a query parameter is set.
    pub fn flag(&self, key: &str) -> bool {
        is_set(&self.query, key)
    }

    /// Whether nothing is to be stored (`dryRun=All`).
    pub fn dry_run(&self) -> bool {
        self.param("dryRun") == "All"
    }
}

/// Whether a boolean query parameter is set: with any value but `false` and `0`, in any letters, and
/// without a value too (Go's `Convert_Slice_string_To_bool`; Python's client says `True`).
pub fn is_set(query: &[(String, String)], key: &str) -> bool {
    query
        .iter()
        .find(|(k, _)| k == key)
        .is_some_and(|(_, value)| value != "0" && !value.eq_ignore_ascii_case("false"))
}

/// A list's objects, before anyone needs them as one tree.
#[derive(Clone, Debug)]
pub struct List {
    /// `v1` and `PodList`.
    pub api_version: String,
    /// The kind of the list.
    pub kind: String,
    /// The objects of this page.
    pub items: Vec<Object>,
    /// The revision that the list is of.
    pub revision: u64,
    /// Where the next page begins; empty on the last one.
    pub continue_token: String,
    /// How many items the later pages hold.
    pub remaining: usize,
}

impl List {
    /// The list as one object.
    pub fn to_value(&self) -> Value {
        let mut metadata = obj! { "resourceVersion": self.revision.to_string() };
        metadata.set_or_remove(&["continue"], self.continue_token.as_str());
        if !self.continue_token.is_empty() && self.remaining > 0 {
            metadata.set(&["remainingItemCount"], self.remaining);
        }
        obj! {
            "apiVersion": self.api_version.as_str(),
            "items": self.items.iter().map(|o| o.value().clone()).collect::<Value>(),
            "kind": self.kind.as_str(),
            "metadata": metadata,
        }
    }
}

/// What a response carries.
#[derive(Debug)]
pub enum Payload {
    Object(Object),
    List(List),
    /// Any other tree: a Table, a discovery document, a `Status`.
    Value(Value),
    /// Plain text (`/healthz`, logs).
    Text(String),
    Watch(Box<Watch>),
    /// A log.
    Stream(ByteStream),
    /// A program in a container (`exec`, `attach`); of a `proxy` path the HTTP response, whose
    /// bytes are the session's `stdout`.
    Session(Session),
    /// The way to a pod's ports (`port-forward`).
    Forward(Forward),
}

/// A response of the API server.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status code.
    pub code: u16,
    /// What it carries.
    pub payload: Payload,
    /// Sentences of `Warning:` headers.
    pub warnings: Vec<String>,
}

impl Response {
    /// A response without warnings.
    pub fn new(code: u16, payload: Payload) -> Response {
        Response {
            code,
            payload,
            warnings: Vec::new(),
        }
    }

    /// The payload as a tree; null for a watch.
    pub fn value(&self) -> Value {
        match &self.payload {
            Payload::Object(o) => o.value().clone(),
            Payload::List(l) => l.to_value(),
            Payload::Value(v) => v.clone(),
            Payload::Text(t) => Value::from(t.as_str()),
            Payload::Watch(_) | Payload::Stream(_) | Payload::Session(_) | Payload::Forward(_) => Value::Null,
        }
    }

    /// The response, or the `Status` that it failed with.
    ///
    /// # Errors
    /// The failure that a code of 400 and above carries.
    pub fn ok(self) -> Result<Response, Status> {
        if self.code >= 400 {
            Err(Status::from_value(&self.value()))
        } else {
            Ok(self)
        }
    }
}

impl From<Status> for Response {
    fn from(status: Status) -> Response {
        Response::new(status.code(), Payload::Value(status.to_value()))
    }
}

impl From<Value> for Response {
    fn from(value: Value) -> Response {
        Response::new(200, Payload::Value(value))
    }
}

/// The `Status` of a success, as deletions answer it.
pub fn success(name: &str, group: &str, resource: &str, uid: &str) -> Value {
    let mut details = obj! { "kind": resource, "name": name, "uid": uid };
    details.set_or_remove(&["group"], group);
    obj! { "apiVersion": "v1", "details": details, "kind": "Status", "metadata": obj! {}, "status": "Success" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_set_by_all_but_false_and_zero() {
        let query = |value: &str| [("watch".to_owned(), value.to_owned())];
        for value in ["true", "True", "1", "t", "yes", ""] {
            assert!(is_set(&query(value), "watch"), "{value}");
        }
        for value in ["false", "False", "FALSE", "0"] {
            assert!(!is_set(&query(value), "watch"), "{value}");
        }
        assert!(!is_set(&query("true"), "follow"));
    }
}
