//! Requests to the API's resources: from HTTP to [`kubetab::api::Request`], and the answers back.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use futures::StreamExt;
use futures::stream;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use kubetab::api::auth::Impersonation;
use kubetab::api::negotiate::{self, Format, View};
use kubetab::api::request::is_set;
use kubetab::api::server::Target;
use kubetab::api::watch;
use kubetab::api::{Body, Client, Method, Object, Payload, Request, Response, Status, User, Watch, WatchEvent, table};
use kubetab::kubectl::typed;
use kubetab::obj;
use kubetab::value::{Value, yaml};

use super::Server;
use super::answer::{self, Answer, Style};
use super::body::Content;
use super::{openapi, protobuf};

/// A watch without a timeout of its own ends after this long (the server's `--min-request-timeout`
/// is half an hour; it adds up to as much again at random).
const WATCH_SECONDS: &str = "2700";

/// An HTTP request, read and authenticated.
pub struct Incoming {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub content_type: String,
    pub body: Bytes,
    pub user: User,
    pub impersonate: Option<Impersonation>,
    /// The program that asks: the user agent's first word.
    pub client: Rc<str>,
    pub style: Style,
    pub accept: String,
    /// The hash of the document that the client has.
    pub if_none_match: String,
}

impl Incoming {
    pub fn param(&self, key: &str) -> &str {
        self.query.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }

    /// Whether a boolean query parameter is set.
    pub fn flag(&self, key: &str) -> bool {
        is_set(&self.query, key)
    }
}

/// Sends a request into the world, as its user, and waits for the answer.
pub async fn send(server: &Server, incoming: &Incoming, request: Request) -> Response {
    let mut client = Client::new(server.world.api(), incoming.client.clone(), incoming.user.clone());
    if let Some(wanted) = &incoming.impersonate {
        client = client.impersonating(wanted.clone());
    }
    server.clock.wait_for(client.send(request)).await
}

fn request_of(incoming: &mut Incoming) -> Result<Request, Status> {
    let mut request = Request::new(incoming.method, incoming.path.clone());
    request.query = incoming.query.clone();
    if request.flag("watch") && request.param("timeoutSeconds").is_empty() {
        request.query.push(("timeoutSeconds".into(), WATCH_SECONDS.into()));
    }
    if request.flag("watch") && request.flag("sendInitialEvents") {
        // The present objects come first, then what changes from their revision on.
        request.query.retain(|(k, _)| k != "resourceVersion");
    }
    request.accept = negotiate::inside(&incoming.accept, incoming.style.wanted).into();
    request.content_type = incoming.content_type.clone();
    let bytes = std::mem::take(&mut incoming.body);
    request.body = if bytes.is_empty() {
        Body::None
    } else {
        let media_type = incoming.content_type.split(';').next().unwrap_or("").trim();
        match media_type {
            "application/vnd.kubernetes.protobuf" => {
                request.content_type = "application/json".into();
                Body::Value(protobuf::decode(&bytes).map_err(Status::bad_request)?)
            }
            // Any media type stands for the first one. Which others are taken the API server says.
            "*/*" if incoming.method != Method::Patch => {
                request.content_type.clear();
                Body::Bytes(bytes.to_vec())
            }
            _ => Body::Bytes(bytes.to_vec()),
        }
    };
    Ok(request)
}

/// Answers a request.
pub async fn serve(server: &Rc<Server>, mut incoming: Incoming) -> Answer {
    let request = match request_of(&mut incoming) {
        Ok(request) => request,
        Err(status) => return answer::failure(&status, &incoming.style),
    };
    let mut response = send(server, &incoming, request).await;
    let warnings = std::mem::take(&mut response.warnings);
    let mut answer = give(server, &incoming, response);
    answer::warn(&mut answer, &warnings);
    answer
}

fn give(server: &Rc<Server>, incoming: &Incoming, response: Response) -> Answer {
    let style = &incoming.style;
    let code = response.code;
    let metadata_only = style.wanted.view == View::Metadata;
    match response.payload {
        Payload::Object(object) if metadata_only => answer::tree(code, &negotiate::metadata_of(&object), style),
        Payload::List(list) if metadata_only => answer::tree(code, &negotiate::metadata_list_of(&list), style),
        Payload::Object(object) => answer::tree(code, object.value(), style),
        Payload::List(list) => answer::tree(code, &list.to_value(), style),
        Payload::Value(value) if code == 404 && outside(server, incoming, &value) => answer::page_not_found(),
        Payload::Value(value) if code == 503 && Status::from_value(&value).is_of_page() => {
            answer::text(503, "service unavailable\n")
        }
        Payload::Value(value) if incoming.path.starts_with("/openapi/") && code == 200 => {
            openapi_document(incoming, &value)
        }
        Payload::Value(value) => answer::tree(code, &value, style),
        Payload::Text(text) => document(incoming, code, text),
        Payload::Watch(watch) => watch_answer(server, incoming, *watch),
        Payload::Stream(bytes) => {
            let clock = server.clock.clone();
            let waiter = clock.stream();
            let stream = stream::unfold((bytes, waiter, clock), |(bytes, waiter, clock)| async move {
                let chunk = clock.run(bytes.read()).await?;
                waiter.gave();
                Some((Bytes::from(chunk), (bytes, waiter, clock)))
            });
            answer::stream("text/plain", Content::stream(stream))
        }
        Payload::Session(session) => {
            // Only a connection that changes its protocol can hold a session.
            session.hang_up();
            server.clock.kick();
            answer::failure(&Status::bad_request("Upgrade request required"), style)
        }
        Payload::Forward(_) => answer::failure(&Status::bad_request("Upgrade request required"), style),
    }
}

/// Whether nothing is served at the path's root: then the answer is a page, not a `Status`.
fn outside(server: &Server, incoming: &Incoming, status: &Value) -> bool {
    if status.str_at(&["kind"]) != "Status" || !status.at(&["details"]).is_empty() {
        return false;
    }
    let parts: Vec<&str> = incoming.path.split('/').filter(|p| !p.is_empty()).collect();
    let (group, version) = match parts.as_slice() {
        ["api", version, ..] => ("", *version),
        ["apis", group, version, ..] => (*group, *version),
        _ => return true,
    };
    let all = server.world.api().resources();
    !all.iter().any(|r| &*r.group == group && &*r.version == version)
}

/// A document that the library has written as text: discovery, health, a version.
fn document(incoming: &Incoming, code: u16, text: String) -> Answer {
    let style = &incoming.style;
    let aggregated = matches!(incoming.path.trim_end_matches('/'), "/api" | "/apis")
        && negotiate::aggregated_discovery(&incoming.accept);
    if aggregated {
        let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        return answer::bytes(code, content_type, text.into_bytes(), style.gzip);
    }
    if !text.starts_with('{') {
        return answer::text(code, text);
    }
    let keys = incoming.path.starts_with("/openid/");
    if keys || incoming.path.starts_with("/.well-known/") {
        let content_type = if keys {
            "application/jwk-set+json"
        } else {
            "application/json"
        };
        let mut answer = answer::bytes(code, content_type, text.into_bytes(), false);
        let kept = HeaderValue::from_static("public, max-age=3600");
        answer.headers_mut().insert(CACHE_CONTROL, kept);
        return answer;
    }
    if style.wanted.format == Format::Json && !style.pretty {
        return answer::bytes(code, "application/json", text.into_bytes(), style.gzip);
    }
    match Value::from_json(&text) {
        Ok(value) => answer::tree(code, &value, style),
        Err(_) => answer::bytes(code, "application/json", text.into_bytes(), style.gzip),
    }
}

/// An OpenAPI document. Clients keep it and ask whether it still has the same hash.
fn openapi_document(incoming: &Incoming, document: &Value) -> Answer {
    let text = document.to_json();
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let etag = format!("\"{:016X}\"", hasher.finish());
    let is_protobuf = incoming.path.starts_with("/openapi/v2") && incoming.accept.contains(openapi::ACCEPT);
    let mut answer = if incoming.if_none_match == etag {
        answer::bytes(304, "application/json", Vec::new(), false)
    } else if is_protobuf {
        let bytes = openapi::document(document);
        answer::bytes(200, openapi::CONTENT_TYPE, bytes, incoming.style.gzip)
    } else {
        answer::bytes(200, "application/json", text.into_bytes(), incoming.style.gzip)
    };
    answer::set(&mut answer, "etag", &etag);
    answer::set(&mut answer, "vary", "Accept-Encoding, Accept");
    answer
}

/// The events of a watch, one JSON object a line.
struct Events {
    server: Rc<Server>,
    target: Option<Target>,
    style: Style,
    include: String,
    /// Objects that come before the bookmark which ends the initial ones; `None` when none is asked for.
    initial: Option<usize>,
    /// Whether a Table with the columns' definitions was sent.
    columns: bool,
}

impl Events {
    fn shown(&mut self, object: &Object) -> Value {
        match (self.style.wanted.view, &self.target) {
            (View::Table, Some(target)) => {
                let api = self.server.world.api();
                let mut table = table::render(api, &target.resource, std::slice::from_ref(object), None, &self.include);
                if std::mem::replace(&mut self.columns, true) {
                    table.set(&["columnDefinitions"], Value::Null);
                }
                table
            }
            (View::Metadata, _) => negotiate::metadata_of(object),
            _ => object.value().clone(),
        }
    }

    fn bookmark(&mut self, revision: u64, ends_initial: bool) -> Value {
        let mut object = self
            .target
            .as_ref()
            .map_or_else(Value::map, |t| watch::bookmark(&t.resource, revision));
        if ends_initial {
            object.set(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        let shown = self.shown(&Object::new(object));
        obj! { "object": shown, "type": "BOOKMARK" }
    }

    fn line(&mut self, event: &WatchEvent) -> Vec<u8> {
        let value = match event {
            WatchEvent::Bookmark(revision) => self.bookmark(*revision, false),
            WatchEvent::Error(status) => obj! { "object": status.to_value(), "type": event.name() },
            _ => {
                let shown = event.object().map(|o| self.shown(o)).unwrap_or_default();
                obj! { "object": shown, "type": event.name() }
            }
        };
        self.frame(&value)
    }

    fn frame(&self, event: &Value) -> Vec<u8> {
        match self.style.wanted.format {
            Format::Protobuf => protobuf::encode_event(event).unwrap_or_default(),
            Format::Yaml => format!("---\n{}", yaml::to_yaml(event)).into_bytes(),
            Format::Json => typed::wire_event(event.str_at(&["type"]), event.get("object")).into_bytes(),
        }
    }
}

fn watch_answer(server: &Rc<Server>, incoming: &Incoming, watch: Watch) -> Answer {
    let mut events = Events {
        server: server.clone(),
        target: server.world.api().target(&incoming.path).ok().flatten(),
        style: incoming.style.clone(),
        include: incoming.param("includeObject").to_owned(),
        initial: incoming.flag("sendInitialEvents").then(|| watch.pending()),
        columns: false,
    };
    let content_type = match events.style.wanted.format {
        Format::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        other => other.media_type(),
    };
    let clock = server.clock.clone();
    let waiter = clock.stream();
    // What is there already goes out with the headers.
    let begin = stream::unfold((watch, events_first(&mut events)), move |(mut watch, first)| {
        let clock = clock.clone();
        async move {
            if let Some(first) = first {
                return Some(((first, None), (watch, None)));
            }
            let event = clock.run(watch.next()).await?;
            let revision = watch.revision();
            Some(((Vec::new(), Some((event, revision))), (watch, None)))
        }
    });
    let lines = begin.map(move |(first, event)| {
        let mut bytes = first;
        if let Some((event, revision)) = event {
            // Bookmarks are no news that a paused clock would stop for.
            if !matches!(event, WatchEvent::Bookmark(_)) {
                waiter.gave();
            }
            bytes.extend(events.line(&event));
            if let Some(left) = events.initial.as_mut() {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    events.initial = None;
                    let mark = events.bookmark(revision, true);
                    bytes.extend(events.frame(&mark));
                }
            }
        }
        Bytes::from(bytes)
    });
    answer::stream(content_type, Content::stream(lines))
}

/// The bookmark that ends initial events where there is no object at all.
fn events_first(events: &mut Events) -> Option<Vec<u8>> {
    if events.initial != Some(0) {
        return None;
    }
    events.initial = None;
    let revision = events.server.world.api().store().revision();
    let mark = events.bookmark(revision, true);
    Some(events.frame(&mark))
}
