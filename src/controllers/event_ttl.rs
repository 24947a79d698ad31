//! Events end an hour after they were last written. In a real cluster etcd's leases see to that and
//! no request shows; so here the store is told directly, at the moment that the first is due.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::context::{Context, resource};
use crate::api::server::shelf_name;
use crate::api::{Object, ObjectKey};
use crate::sim::{Signal, Time};

/// `--event-ttl`.
const TTL: Duration = Duration::from_secs(3600);

/// When each version of an event is due, in the order of its writing.
type Due = Rc<RefCell<VecDeque<(Time, u64, ObjectKey)>>>;

/// Starts the expiry of events.
pub fn start(context: &Context) {
    let events = resource(context.api(), "", "events");
    let informer = context.informers().of(&events);
    let (due, signal): (Due, Signal) = Default::default();
    let (d, s, sim) = (due.clone(), signal.clone(), context.sim().clone());
    informer.on_change(move |_, new| {
        if let Some(event) = new {
            let was_idle = d.borrow().is_empty();
            d.borrow_mut()
                .push_back((sim.now() + TTL, event.revision(), event.key()));
            if was_idle {
                s.notify();
            }
        }
    });
    let (api, sim, shelf) = (context.api().clone(), context.sim().clone(), shelf_name(&events));
    context.spawn("event ttl", async move {
        loop {
            let generation = signal.generation();
            let first = due.borrow().front().cloned();
            let Some((when, revision, key)) = first else {
                signal.after(generation).await;
                continue;
            };
            sim.sleep_until(when).await;
            due.borrow_mut().pop_front();
            // A newer version has a later time of its own.
            let same = |o: &Object| o.revision() == revision;
            if api.store().get(&shelf, &key).is_some_and(|o| same(&o)) {
                api.store().remove(&shelf, &key);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::obj;

    #[test]
    fn an_hour_after_the_last_write() {
        let world = World::new();
        world.start(start);
        let event = |name: &str| {
            obj! {
                "apiVersion": "v1", "kind": "Event",
                "metadata": obj! { "name": name, "namespace": "default" },
                "involvedObject": obj! { "kind": "Pod", "name": "p", "namespace": "default" },
                "reason": "Test", "message": "m", "type": "Normal",
            }
        };
        world.create(event("a"));
        world.create(event("b"));
        world.run(1800);
        world.patch("", "events", "b", obj! { "count": 2 });
        world.run(1801);
        assert!(!world.exists("", "events", "a"));
        assert!(world.exists("", "events", "b"));
        world.run(1801);
        assert!(!world.exists("", "events", "b"));
    }
}
