//! The event recorder of every component: writes `v1` Events, counts repetitions, and drops floods.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::client::{Client, WriteOptions};
use super::object::Object;
use super::request::{Body, PatchType};
use crate::flat::{FlatMap, WideMap};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// Spam filter of one source and object: burst 25, one more each 300 s (client-go `EventCorrelator`).
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);
/// More than so many similar events within the window become one '(combined from similar events)'.
const SIMILAR: usize = 10;
const WINDOW: Duration = Duration::from_secs(600);

/// Whether an event is about the ordinary or about trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Normal,
    Warning,
}

impl EventType {
    /// The type that an event says.
    pub fn of(name: &str) -> EventType {
        match name {
            "Warning" => EventType::Warning,
            _ => EventType::Normal,
        }
    }

    /// As an event says it.
    pub fn name(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

struct Seen {
    name: String,
    namespace: String,
    count: i64,
}

/// What a recorder remembers of an object.
struct Subject {
    /// How many more events it may have now.
    tokens: f64,
    /// When `tokens` was that.
    at: Time,
    /// By `type/reason`.
    groups: FlatMap<String, Group>,
}

/// The events of an object that are of one type and reason.
struct Group {
    /// The different messages within the window.
    messages: Vec<String>,
    at: Time,
    /// What was written, by its message; without one, what similar events were combined into.
    seen: FlatMap<Option<String>, Seen>,
}

/// Writes the events of one component. Clones share its memory.
#[derive(Clone)]
pub struct EventRecorder {
    client: Client,
    component: Rc<str>,
    host: Rc<str>,
    /// By the object, as events refer to it.
    memory: Rc<RefCell<WideMap<String, Subject>>>,
}

impl EventRecorder {
    /// A recorder for `component`, on `host` when it is a kubelet.
    pub fn new(client: &Client, component: &str, host: &str) -> EventRecorder {
        EventRecorder {
            client: client.clone(),
            component: component.into(),
            host: host.into(),
            memory: Rc::default(),
        }
    }

    /// Records an event about `object`.
    pub fn event(&self, object: &Object, kind: EventType, reason: &str, message: impl Into<String>) {
        self.about(object.reference(), kind, reason, message);
    }

    /// Records an event about what an object reference names (`fieldPath` included).
    pub fn about(&self, involved: Value, kind: EventType, reason: &str, message: impl Into<String>) {
        let mut message = message.into();
        let now = self.client.sim().now();
        // Events of one object are the same whatever its version was.
        let mut subject = involved.clone();
        subject.remove(&["resourceVersion"]);
        let mut memory = self.memory.borrow_mut();
        let subject = memory.get_or_insert_with(&subject.to_json(), || Subject {
            tokens: BURST,
            at: now,
            groups: FlatMap::new(),
        });
        let Some(subject) = subject else { return };
        let refill = now.since(subject.at).as_secs_f64() / REFILL.as_secs_f64();
        subject.tokens = (subject.tokens + refill).min(BURST);
        subject.at = now;
        if subject.tokens < 1.0 {
            return;
        }
        subject.tokens -= 1.0;
        let group = subject.groups.entry(format!("{}/{reason}", kind.name()));
        let group = group.or_insert_with(|| Group {
            messages: Vec::new(),
            at: now,
            seen: FlatMap::new(),
        });
        if now.since(group.at) > WINDOW {
            group.messages.clear();
        }
        group.at = now;
        if !group.messages.contains(&message) {
            group.messages.push(message.clone());
        }
        let key = if group.messages.len() > SIMILAR {
            group.messages.truncate(SIMILAR + 1);
            message = format!("(combined from similar events): {message}");
            None
        } else {
            Some(message.clone())
        };
        if let Some(seen) = group.seen.get_mut(&key) {
            seen.count += 1;
            let patch = obj! { "count": seen.count, "lastTimestamp": now, "message": message };
            self.send_patch(seen.namespace.clone(), seen.name.clone(), patch);
            return;
        }
        let namespace = match involved.str_at(&["namespace"]) {
            "" => "default".to_owned(),
            ns => ns.to_owned(),
        };
        // The event's name: the object's, and a number that no other event has (nanoseconds, as real).
        let nanos = now
            .0
            .wrapping_mul(1_000)
            .wrapping_add(self.client.sim().next_id() % 1_000);
        let name = format!("{}.{nanos:016x}", involved.str_at(&["name"]));
        group.seen.insert(
            key,
            Seen {
                name: name.clone(),
                namespace: namespace.clone(),
                count: 1,
            },
        );
        let mut source = obj! { "component": &self.component };
        source.set_or_remove(&["host"], &self.host);
        let event = obj! {
            "apiVersion": "v1",
            "count": 1,
            "eventTime": Value::Null,
            "firstTimestamp": now,
            "involvedObject": involved,
            "kind": "Event",
            "lastTimestamp": now,
            "message": message,
            "metadata": obj! { "name": name, "namespace": namespace.as_str() },
            "reason": reason,
            "reportingComponent": &self.component,
            "reportingInstance": &self.host,
            "source": source,
            "type": kind.name(),
        };
        let client = self.client.clone();
        self.client.sim().spawn("event", async move {
            if let Ok(events) = client.resource("", "v1", "events") {
                // A failure (the namespace ends) loses the event, as it does in the real recorder.
                let _ = client
                    .create(&events, &namespace, Body::Typed(event), &WriteOptions::default())
                    .await;
            }
        });
    }

    fn send_patch(&self, namespace: String, name: String, patch: Value) {
        let client = self.client.clone();
        self.client.sim().spawn("event", async move {
            if let Ok(events) = client.resource("", "v1", "events") {
                let _ = client
                    .patch(
                        &events,
                        &namespace,
                        &name,
                        "",
                        PatchType::Merge,
                        patch,
                        &WriteOptions::default(),
                    )
                    .await;
            }
        });
    }
}
