//! The scheduler's event recorder: it writes through `events.k8s.io`, where repetitions of an event
//! are a series and times are microseconds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::events::EventType;
use crate::api::{Client, Object, PatchType, WriteOptions};
use crate::flat::WideMap;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// A series that nothing was added to for this time ends (`finishTime`).
const FINISH: Duration = Duration::from_secs(360);

struct Series {
    namespace: String,
    name: String,
    count: i64,
    last: Time,
}

/// Writes the scheduler's events. Clones share its memory.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    controller: Rc<str>,
    instance: Rc<str>,
    series: Rc<RefCell<AllSeries>>,
}

/// Series by what they repeat.
#[derive(Default)]
struct AllSeries {
    by_key: WideMap<String, Series>,
    /// When those that have ended were forgotten last.
    swept: Time,
}

impl AllSeries {
    /// The series of this key that goes on.
    fn present(&mut self, key: &str, now: Time) -> Option<&mut Series> {
        let ended = |s: &Series| now.since(s.last) > FINISH;
        // Not for each event: there are as many series as pods that do not fit.
        if now.since(self.swept) > FINISH {
            self.by_key.retain(|_, s| !ended(s));
            self.swept = now;
        }
        self.by_key.get_mut(key).filter(|s| !ended(s))
    }
}

fn micro(time: Time) -> Value {
    Value::from(time.micro())
}

impl Recorder {
    pub fn new(client: &Client, controller: &str, host: &str) -> Recorder {
        Recorder {
            client: client.clone(),
            controller: controller.into(),
            instance: format!("{controller}-{host}").into(),
            series: Rc::default(),
        }
    }

    /// Records an event about `object`; `related` is the other object that it is about, if any.
    pub fn event(
        &self,
        object: &Object,
        related: Option<&Object>,
        kind: EventType,
        reason: &str,
        action: &str,
        note: String,
    ) {
        let now = self.client.sim().now();
        let kind = kind.name();
        let related_uid = related.map_or("", |r| r.uid());
        let key = format!("{kind}/{action}/{reason}/{}/{related_uid}", object.uid());
        let again = {
            let mut series = self.series.borrow_mut();
            series.present(&key, now).map(|s| {
                s.count += 1;
                s.last = now;
                (s.count, s.namespace.clone(), s.name.clone())
            })
        };
        if let Some((count, namespace, name)) = again {
            // The first repetition is written at once, the later ones when the series ends.
            if count == 2 {
                self.write_series(namespace, name, count, now);
                self.finish(key);
            }
            return;
        }
        let namespace = match object.namespace() {
            "" => "default",
            ns => ns,
        };
        let nanos = now
            .0
            .wrapping_mul(1_000)
            .wrapping_add(self.client.sim().next_id() % 1_000);
        let name = format!("{}.{nanos:016x}", object.name());
        self.series.borrow_mut().by_key.insert(
            key,
            Series {
                namespace: namespace.to_owned(),
                name: name.clone(),
                count: 1,
                last: now,
            },
        );
        let mut event = obj! {
            "action": action,
            "apiVersion": "v1",
            "eventTime": micro(now),
            "firstTimestamp": Value::Null,
            "involvedObject": object.reference(),
            "kind": "Event",
            "lastTimestamp": Value::Null,
            "message": note,
            "metadata": obj! { "name": name, "namespace": namespace },
            "reason": reason,
            "reportingComponent": &self.controller,
            "reportingInstance": &self.instance,
            "source": obj! {},
            "type": kind,
        };
        if let Some(related) = related {
            event.set(&["related"], related.reference());
        }
        let (client, namespace) = (self.client.clone(), namespace.to_owned());
        self.client.sim().spawn("event", async move {
            if let Ok(events) = client.resource("", "v1", "events") {
                // A failure (the namespace ends) loses the event, as it does in the real recorder.
                let _ = client.make(&events, &namespace, event).await;
            }
        });
    }

    fn write_series(&self, namespace: String, name: String, count: i64, last: Time) {
        let client = self.client.clone();
        let patch = obj! { "series": obj! { "count": count, "lastObservedTime": micro(last) } };
        self.client.sim().spawn("event", async move {
            if let Ok(events) = client.resource("", "v1", "events") {
                let none = WriteOptions::default();
                let _ = client
                    .patch(&events, &namespace, &name, "", PatchType::Merge, patch, &none)
                    .await;
            }
        });
    }

    /// Waits for a series to end, and writes its last state.
    fn finish(&self, key: String) {
        let recorder = self.clone();
        let sim = self.client.sim().clone();
        self.client.sim().clone().spawn("event series", async move {
            loop {
                let Some(last) = recorder.series.borrow().by_key.get(&key).map(|s| s.last) else {
                    return;
                };
                if sim.now() >= last + FINISH {
                    break;
                }
                sim.sleep_until(last + FINISH).await;
            }
            let ended = recorder.series.borrow_mut().by_key.remove(&key);
            if let Some(s) = ended.filter(|s| s.count > 2) {
                recorder.write_series(s.namespace, s.name, s.count, s.last);
            }
        });
    }
}
