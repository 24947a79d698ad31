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

/// Spam filter of one source, object and type of event: burst 25, one more each 300 s (client-go
/// `EventCorrelator`).
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);
/// From so many different messages within the window on, events are combined into one '(combined from
/// similar events)'.
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

/// What was written of a group, or would have been.
struct Seen {
    name: String,
    first: Time,
    count: i64,
}

/// What a recorder remembers of an object's events of one type.
struct Subject {
    /// How many more events it may have now.
    tokens: f64,
    /// When `tokens` was that.
    at: Time,
    /// By reason.
    groups: FlatMap<String, Group>,
}

/// The events of an object that are of one type and reason.
struct Group {
    /// The different messages within the window that do not make a similar event yet.
    messages: Vec<String>,
    at: Time,
    /// By field path and message; without one, what similar events were combined into.
    seen: FlatMap<Option<String>, Seen>,
}

/// Writes the events of one component. Clones share its memory.
#[derive(Clone)]
pub struct EventRecorder {
    client: Client,
    component: Rc<str>,
    host: Rc<str>,
    /// By the type of the events and the object, as events refer to it.
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
        // Events of one object are similar whatever its version and the part of it were.
        let mut subject = involved.clone();
        subject.remove(&["resourceVersion"]);
        subject.remove(&["fieldPath"]);
        let subject = format!("{} {}", kind.name(), subject.to_json());
        let mut memory = self.memory.borrow_mut();
        let subject = memory.get_or_insert_with(&subject, || Subject {
            tokens: BURST,
            at: now,
            groups: FlatMap::new(),
        });
        let Some(subject) = subject else { return };
        let group = subject.groups.entry(reason.to_owned()).or_insert_with(|| Group {
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
        // An event that others were combined into does not name its reporter.
        let (key, reporter, instance) = if group.messages.len() >= SIMILAR {
            // The real recorder forgets any one of them.
            group.messages.remove(0);
            message = format!("(combined from similar events): {message}");
            (None, "", "")
        } else {
            let field = involved.str_at(&["fieldPath"]);
            (Some(format!("{field}\n{message}")), &*self.component, &*self.host)
        };
        let seen = group.seen.entry(key).or_insert_with(|| Seen {
            name: self.client.event_name(involved.str_at(&["name"])),
            first: now,
            count: 0,
        });
        seen.count += 1;
        let refill = now.since(subject.at).as_secs_f64() / REFILL.as_secs_f64();
        subject.tokens = (subject.tokens + refill).min(BURST);
        subject.at = now;
        // What is not written counts all the same.
        if subject.tokens < 1.0 {
            return;
        }
        subject.tokens -= 1.0;
        let namespace = match involved.str_at(&["namespace"]) {
            "" => "default".to_owned(),
            ns => ns.to_owned(),
        };
        let patch = (seen.count > 1).then(|| {
            obj! { "count": seen.count, "lastTimestamp": now, "message": message.as_str() }
        });
        let name = seen.name.clone();
        let mut source = obj! { "component": &self.component };
        source.set_or_remove(&["host"], &self.host);
        let event = obj! {
            "apiVersion": "v1",
            "count": seen.count,
            "eventTime": Value::Null,
            "firstTimestamp": seen.first,
            "involvedObject": involved,
            "kind": "Event",
            "lastTimestamp": now,
            "message": message,
            "metadata": obj! { "name": name.as_str(), "namespace": namespace.as_str() },
            "reason": reason,
            "reportingComponent": reporter,
            "reportingInstance": instance,
            "source": source,
            "type": kind.name(),
        };
        let client = self.client.clone();
        let write = async move { client.write_event(&namespace, &name, event, patch).await };
        self.client.sim().spawn("event", write);
    }
}

impl Client {
    /// The name of an event about an object of this name: followed by a number that no other event has (nanoseconds,
    /// as real).
    pub(crate) fn event_name(&self, of: &str) -> String {
        let nanos = self.sim().now().0.wrapping_mul(1_000);
        format!("{of}.{:016x}", nanos.wrapping_add(self.sim().next_id() % 1_000))
    }

    /// Writes an event: what has changed of one that was written before, or all of it, where it is
    /// new or gone by now. A failure (the namespace ends) loses it, as it does in the real recorders.
    pub(crate) async fn write_event(&self, namespace: &str, name: &str, event: Value, patch: Option<Value>) {
        let Ok(events) = self.resource("", "v1", "events") else {
            return;
        };
        let options = WriteOptions::default();
        if let Some(patch) = patch {
            let patched = self
                .patch(&events, namespace, name, "", PatchType::Merge, patch, &options)
                .await;
            if !patched.is_err_and(|status| status.is_not_found()) {
                return;
            }
        }
        let _ = self.create(&events, namespace, Body::Typed(event), &options).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ApiServer, User};
    use super::*;
    use crate::sim::Sim;

    fn world() -> (Sim, ApiServer, EventRecorder) {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        let namespace = obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" } };
        api.restore(namespace).unwrap();
        let recorder = EventRecorder::new(&Client::new(&api, "t", User::admin()), "kubelet", "n1");
        (sim, api, recorder)
    }

    fn about(recorder: &EventRecorder, kind: EventType, reason: &str, message: String) {
        let pod = obj! { "apiVersion": "v1", "kind": "Pod", "name": "p", "namespace": "default", "uid": "u" };
        recorder.about(pod, kind, reason, message);
    }

    /// The events: seconds from the first to the last time, count, reporter and message.
    fn events(api: &ApiServer) -> Vec<String> {
        let mut found = Vec::new();
        api.store().each("events", "", |o| {
            let v = o.value();
            let at = |name: &str| Time::parse(v.str_at(&[name])).unwrap_or_default();
            let over = at("lastTimestamp").since(at("firstTimestamp")).as_secs();
            let count = v.i64_at(&["count"]).unwrap_or(0);
            let reporter = v.str_at(&["reportingComponent"]);
            found.push(format!("{over}s x{count} {reporter}: {}", v.str_at(&["message"])));
        });
        found
    }

    #[test]
    fn the_tenth_similar_event_is_combined() {
        let (sim, api, recorder) = world();
        let tell = |i: u32| {
            about(
                &recorder,
                EventType::Normal,
                "SuccessfulCreate",
                format!("Created pod: {i}"),
            );
            sim.run_for(Duration::from_secs(1));
        };
        for i in 1..=12 {
            tell(i);
        }
        // One of the nine that are remembered is counted as ever, another is combined again.
        tell(9);
        tell(2);
        let found = events(&api);
        assert_eq!(found.len(), 10);
        for want in [
            "0s x1 kubelet: Created pod: 8",
            "4s x2 kubelet: Created pod: 9",
            "4s x4 : (combined from similar events): Created pod: 2",
        ] {
            assert!(found.iter().any(|f| f == want), "{want}: {found:#?}");
        }
    }

    #[test]
    fn what_floods_is_counted_but_not_written() {
        let (sim, api, recorder) = world();
        let back_off = || about(&recorder, EventType::Warning, "BackOff", "Back-off".to_owned());
        for _ in 0..50 {
            back_off();
            sim.run_for(Duration::from_secs(6));
        }
        assert_eq!(events(&api), ["144s x25 kubelet: Back-off"]);
        // Other types have a bucket of their own.
        about(&recorder, EventType::Normal, "Pulled", "Pulled".to_owned());
        back_off();
        sim.run_for(Duration::from_secs(6));
        back_off();
        sim.run_for(Duration::from_secs(6));
        let mut found = events(&api);
        found.sort();
        assert_eq!(found, ["0s x1 kubelet: Pulled", "306s x52 kubelet: Back-off"]);
    }

    #[test]
    fn a_repeated_event_that_is_gone_comes_back() {
        let (sim, api, recorder) = world();
        for _ in 0..2 {
            about(
                &recorder,
                EventType::Normal,
                "ScalingReplicaSet",
                "Scaled up".to_owned(),
            );
            sim.run_for(Duration::from_secs(10));
            let mut keys = Vec::new();
            api.store().each("events", "", |o| keys.push(o.key()));
            assert_eq!(keys.len(), 1);
            for key in keys {
                api.store().remove("events", &key);
            }
        }
        about(
            &recorder,
            EventType::Normal,
            "ScalingReplicaSet",
            "Scaled up".to_owned(),
        );
        sim.run_for(Duration::from_secs(1));
        assert_eq!(events(&api), ["20s x3 kubelet: Scaled up"]);
    }
}
