//! The scheduler's event recorder: it writes through `events.k8s.io`, where repetitions of an event
//! are a series and times are microseconds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::events::EventType;
use crate::api::{Client, Object};
use crate::flat::WideMap;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// How often series that have ended are looked for, and after how long without a repetition one
/// has (`finishTime`).
const FINISH: Duration = Duration::from_secs(360);
/// Each so many of those looks, all series are written, so that their events live on (`refreshTime`).
const REFRESH: u64 = 5;

/// An event, and how often it was repeated since.
struct Series {
    namespace: String,
    event: Value,
    count: i64,
    last: Time,
}

/// Writes the scheduler's events. Clones share its memory.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    controller: Rc<str>,
    instance: Rc<str>,
    started: Time,
    /// By what they repeat.
    series: Rc<RefCell<WideMap<String, Series>>>,
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
            started: client.sim().now(),
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
        // The versions count: what is said of a new one is an event of its own.
        let of = |o: &Object| format!("{}@{}", o.uid(), o.revision());
        let key = format!(
            "{kind}/{action}/{reason}/{}/{}",
            of(object),
            related.map_or_else(String::new, of)
        );
        if let Some(series) = self.series.borrow_mut().get_mut(&key) {
            series.count += 1;
            series.last = now;
            // The first repetition is written at once, the later ones now and then.
            if series.count == 2 {
                self.write(series);
            }
            return;
        }
        let namespace = match object.namespace() {
            "" => "default",
            ns => ns,
        };
        let name = self.client.event_name(object.name());
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
        let series = Series {
            namespace: namespace.to_owned(),
            event,
            count: 1,
            last: now,
        };
        self.write(&series);
        let mut all = self.series.borrow_mut();
        let is_first = all.is_empty();
        all.insert(key, series);
        if is_first {
            let recorder = self.clone();
            self.client
                .sim()
                .spawn("event series", async move { recorder.tend().await });
        }
    }

    /// Writes an event, or its series once there is one.
    fn write(&self, series: &Series) {
        let mut event = series.event.clone();
        let patch = (series.count > 1).then(|| {
            let series = obj! { "count": series.count, "lastObservedTime": micro(series.last) };
            event.set(&["series"], series.clone());
            obj! { "series": series }
        });
        let (client, namespace) = (self.client.clone(), series.namespace.clone());
        let name = event.str_at(&["metadata", "name"]).to_owned();
        let write = async move { client.write_event(&namespace, &name, event, patch).await };
        self.client.sim().spawn("event", write);
    }

    /// Writes and ends the series, as long as there are some.
    async fn tend(&self) {
        let sim = self.client.sim();
        loop {
            let look = sim.now().since(self.started).as_secs() / FINISH.as_secs() + 1;
            sim.sleep_until(self.started + Duration::from_secs(look * FINISH.as_secs()))
                .await;
            let now = sim.now();
            let mut all = self.series.borrow_mut();
            all.retain(|_, series| {
                let ended = now.since(series.last) > FINISH;
                if series.count > 1 && (ended || look.is_multiple_of(REFRESH)) {
                    self.write(series);
                }
                !ended
            });
            if all.is_empty() {
                return;
            }
        }
    }
}
