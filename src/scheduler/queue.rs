//! The scheduling queue: pods to be scheduled now (active), pods that failed and wait for their
//! back-off to end, and pods that nothing has changed for since they did not fit.

use super::plugins::FILTERS;
use std::cmp::Reverse;
use std::time::Duration;

use crate::api::{Object, ObjectKey};
use crate::flat::{FlatSet, WideMap};
use crate::sim::Time;

/// The back-off of a pod's first failed attempt, and the longest.
const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// After this time an unschedulable pod is tried again though nothing happened.
pub const FLUSH: Duration = Duration::from_secs(300);

/// What happened in the cluster, as far as it can make a pod schedulable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    NodeAdded,
    NodeAllocatable,
    NodeLabels,
    NodeTaints,
    /// A pod on a node was deleted or ended.
    PodGone,
    /// A pod was bound to a node, or one there changed its labels.
    PodPlaced,
    Volumes,
    Namespaces,
}

/// Whether it can lift a refusal of a plugin.
fn helps(plugin: &str, what: Happening) -> bool {
    what == Happening::NodeAdded
        || FILTERS
            .iter()
            .any(|(name, _, by)| *name == plugin && by.contains(&what))
}

/// A pod in the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    pub pod: Object,
    pub attempts: u32,
    /// When it last came here.
    pub since: Time,
    /// The plugins that refused it at the last attempt.
    pub refused_by: FlatSet<&'static str>,
    /// Whether the last attempt failed by an error and not by the pod not fitting.
    pub failed: bool,
}

impl Queued {
    pub fn new(pod: &Object, now: Time) -> Queued {
        Queued {
            pod: pod.clone(),
            attempts: 0,
            since: now,
            refused_by: FlatSet::new(),
            failed: false,
        }
    }

    /// 1 s after the first attempt, doubling, to 10 s.
    fn backoff(&self) -> Duration {
        match self.attempts {
            0 => Duration::ZERO,
            n => (INITIAL_BACKOFF * 2u32.saturating_pow((n - 1).min(10))).min(MAX_BACKOFF),
        }
    }

    /// Whether it can lift what refused the pod.
    fn helped_by(&self, what: Happening) -> bool {
        self.refused_by.is_empty() || self.refused_by.iter().any(|plugin| helps(plugin, what))
    }

    /// Where an unschedulable pod goes that may fit now.
    fn awake(&self, now: Time) -> Place {
        if self.since + self.backoff() > now {
            Place::Backoff
        } else {
            Place::Active
        }
    }

    fn active_key(&self) -> (Reverse<i64>, Time, ObjectKey) {
        (Reverse(priority(&self.pod)), self.since, self.pod.key())
    }

    fn backoff_key(&self) -> (Time, ObjectKey) {
        (self.since + self.backoff(), self.pod.key())
    }

    fn unschedulable_key(&self) -> (Time, ObjectKey) {
        (self.since, self.pod.key())
    }
}

fn gated(pod: &Object) -> bool {
    !pod.spec().get("schedulingGates").is_empty()
}

fn priority(pod: &Object) -> i64 {
    pod.spec().i64_at(&["priority"]).unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Active,
    Backoff,
    Unschedulable,
    /// It is gated: only its own change moves it.
    Gated,
}

/// The queue. It keeps no clock: callers say what time it is.
#[derive(Default)]
pub struct Queue {
    pods: WideMap<ObjectKey, (Place, Queued)>,
    orders: Orders,
}

/// The pods of each place that has an order, in it.
#[derive(Default)]
struct Orders {
    active: FlatSet<(Reverse<i64>, Time, ObjectKey)>,
    /// By the end of their back-off.
    backoff: FlatSet<(Time, ObjectKey)>,
    /// By their last attempt.
    unschedulable: FlatSet<(Time, ObjectKey)>,
}

impl Orders {
    fn insert(&mut self, place: Place, queued: &Queued) {
        match place {
            Place::Active => self.active.insert(queued.active_key()),
            Place::Backoff => self.backoff.insert(queued.backoff_key()),
            Place::Unschedulable => self.unschedulable.insert(queued.unschedulable_key()),
            Place::Gated => false,
        };
    }

    /// Takes a pod out; `queued` is what it was put in with.
    fn remove(&mut self, place: Place, queued: &Queued) {
        match place {
            Place::Active => self.active.remove(&queued.active_key()),
            Place::Backoff => self.backoff.remove(&queued.backoff_key()),
            Place::Unschedulable => self.unschedulable.remove(&queued.unschedulable_key()),
            Place::Gated => false,
        };
    }
}

/// Takes out what has stood in a set for so long, in its order.
fn take_due(set: &mut FlatSet<(Time, ObjectKey)>, after: Duration, now: Time) -> Vec<ObjectKey> {
    // Most often nothing is, which the first one shows.
    let due = set.iter().take_while(|(when, _)| *when + after <= now).count();
    set.take_first(due).into_iter().map(|(_, key)| key).collect()
}

impl Queue {
    fn take(&mut self, key: &ObjectKey) -> Option<Queued> {
        let (place, queued) = self.pods.remove(key)?;
        self.orders.remove(place, &queued);
        Some(queued)
    }

    fn put(&mut self, place: Place, queued: Queued) {
        self.orders.insert(place, &queued);
        self.pods.insert(queued.pod.key(), (place, queued));
    }

    /// Gives pods that were taken out of their order the places that `place` says.
    fn move_to(&mut self, keys: Vec<ObjectKey>, place: impl Fn(&Queued) -> Place) {
        for key in keys {
            if let Some((held, queued)) = self.pods.get_mut(&key) {
                *held = place(queued);
                self.orders.insert(*held, queued);
            }
        }
    }

    /// Adds a pod that is to be scheduled, or its new version.
    pub fn update(&mut self, pod: &Object, now: Time) {
        let Some((held, queued)) = self.pods.get_mut(&pod.key()) else {
            let place = if gated(pod) { Place::Gated } else { Place::Active };
            self.put(place, Queued::new(pod, now));
            return;
        };
        let changed = queued.pod.spec() != pod.spec() || queued.pod.labels() != pod.labels();
        let place = match *held {
            _ if gated(pod) => Place::Gated,
            Place::Gated => Place::Active,
            Place::Unschedulable if changed => queued.awake(now),
            other => other,
        };
        let moves = place != *held || priority(pod) != priority(&queued.pod);
        if moves {
            self.orders.remove(*held, queued);
        }
        *held = place;
        queued.pod = pod.clone();
        if moves {
            self.orders.insert(place, queued);
        }
    }

    /// Puts a pod back whose attempt at `now` did not succeed.
    pub fn requeue(&mut self, mut queued: Queued, now: Time) {
        queued.since = now;
        let place = if queued.failed {
            Place::Backoff
        } else {
            Place::Unschedulable
        };
        self.take(&queued.pod.key());
        self.put(place, queued);
    }

    pub fn remove(&mut self, key: &ObjectKey) {
        self.take(key);
    }

    /// Moves the unschedulable pods that it can help.
    pub fn happened(&mut self, what: Happening, now: Time) {
        let mut helped = Vec::new();
        let pods = &self.pods;
        self.orders.unschedulable.retain(|(_, key)| {
            let stays = !pods.get(key).is_some_and(|(_, queued)| queued.helped_by(what));
            if !stays {
                helped.push(key.clone());
            }
            stays
        });
        self.move_to(helped, |queued| queued.awake(now));
    }

    /// Moves what is due at `now`.
    pub fn flush(&mut self, now: Time) {
        let mut due = take_due(&mut self.orders.backoff, Duration::ZERO, now);
        due.extend(take_due(&mut self.orders.unschedulable, FLUSH, now));
        self.move_to(due, |_| Place::Active);
    }

    /// When something is due that nobody will tell of.
    pub fn next_due(&self) -> Option<Time> {
        let backoff = self.orders.backoff.first().map(|(when, _)| *when);
        let flush = self.orders.unschedulable.first().map(|(since, _)| *since + FLUSH);
        backoff.into_iter().chain(flush).min()
    }

    /// The pod to be scheduled next: the active one of the highest priority that waits longest.
    /// When none is active, one that is backing off without an error is taken early.
    pub fn pop(&mut self, now: Time) -> Option<Queued> {
        self.flush(now);
        let key = match self.orders.active.first() {
            Some((_, _, key)) => key.clone(),
            None => self
                .orders
                .backoff
                .iter()
                .map(|(_, key)| key)
                .find(|key| self.pods.get(*key).is_some_and(|(_, q)| !q.failed))?
                .clone(),
        };
        let mut queued = self.take(&key)?;
        queued.attempts += 1;
        queued.failed = false;
        queued.refused_by.clear();
        Some(queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn pod(name: &str, priority: i64, gates: usize) -> Object {
        let gates: Vec<_> = (0..gates).map(|i| obj! { "name": format!("g{i}") }).collect();
        Object::new(obj! {
            "metadata": obj! { "name": name, "namespace": "default" },
            "spec": obj! { "priority": priority, "schedulingGates": gates },
        })
    }

    fn at(s: u64) -> Time {
        Time::from_secs(s)
    }

    #[test]
    fn priority_then_age() {
        let mut queue = Queue::default();
        queue.update(&pod("old", 0, 0), at(1));
        queue.update(&pod("new", 0, 0), at(2));
        queue.update(&pod("high", 10, 0), at(3));
        queue.update(&pod("gated", 99, 1), at(3));
        let order: Vec<String> = std::iter::from_fn(|| queue.pop(at(4)).map(|q| q.pod.name().to_owned())).collect();
        assert_eq!(order, ["high", "old", "new"]);
        queue.update(&pod("gated", 99, 0), at(5));
        assert_eq!(queue.pop(at(5)).unwrap().pod.name(), "gated");
    }

    #[test]
    fn unschedulable_pods_wait_for_what_helps() {
        let mut queue = Queue::default();
        queue.update(&pod("p", 0, 0), at(0));
        let mut queued = queue.pop(at(0)).unwrap();
        queued.refused_by.insert("NodeAffinity");
        queue.requeue(queued, at(0));
        queue.happened(Happening::PodGone, at(20));
        assert!(queue.pop(at(20)).is_none());
        assert_eq!(queue.next_due(), Some(at(300)));
        queue.happened(Happening::NodeLabels, at(20));
        let mut queued = queue.pop(at(20)).unwrap();
        assert_eq!(queued.attempts, 2);
        // Five minutes after its last attempt it is tried again.
        queued.refused_by.insert("NodeAffinity");
        queue.requeue(queued, at(20));
        assert!(queue.pop(at(319)).is_none());
        assert!(queue.pop(at(320)).is_some());
    }

    #[test]
    fn a_new_version_stands_where_it_belongs() {
        let mut queue = Queue::default();
        for (name, second) in [("a", 1), ("b", 2), ("c", 3)] {
            queue.update(&pod(name, 0, 0), at(second));
        }
        queue.update(&pod("a", 0, 0), at(9));
        queue.update(&pod("b", 0, 1), at(9));
        queue.update(&pod("c", 5, 0), at(9));
        let name = |queue: &mut Queue| queue.pop(at(10)).map(|q| q.pod.name().to_owned());
        assert_eq!(name(&mut queue).as_deref(), Some("c"));
        // It is still as old as its first version.
        queue.update(&pod("d", 0, 0), at(8));
        assert_eq!(name(&mut queue).as_deref(), Some("a"));
        queue.remove(&pod("d", 0, 0).key());
        assert_eq!(name(&mut queue), None);
        assert!(queue.pods.contains_key(&pod("b", 0, 0).key()) && !queue.pods.contains_key(&pod("d", 0, 0).key()));
    }

    #[test]
    fn what_happens_moves_only_what_it_helps() {
        let mut queue = Queue::default();
        for i in 0..6 {
            queue.update(&pod(&format!("p{i}"), 0, 0), at(i));
        }
        let mut second = 10;
        while let Some(mut queued) = queue.pop(at(10)) {
            let even = queued.pod.name().ends_with(['0', '2', '4']);
            queued
                .refused_by
                .insert(if even { "NodeAffinity" } else { "NodePorts" });
            queue.requeue(queued, at(second));
            second += 10;
        }
        // The last of those that it helps has not backed off yet, so it is taken after the others.
        queue.happened(Happening::NodeLabels, at(50));
        let names = |queue: &mut Queue, now: u64| -> Vec<String> {
            std::iter::from_fn(|| queue.pop(at(now)).map(|q| q.pod.name().to_owned())).collect()
        };
        assert_eq!(names(&mut queue, 50), ["p0", "p2", "p4"]);
        // A change of a pod itself helps it, one that is none does not.
        let mut changed = pod("p3", 0, 0).value().clone();
        queue.update(&pod("p1", 0, 0), at(100));
        changed.set(&["metadata", "labels", "a"], "b");
        queue.update(&Object::new(changed), at(100));
        assert_eq!(names(&mut queue, 100), ["p3"]);
        assert_eq!(queue.next_due(), Some(at(20) + FLUSH));
        assert_eq!(names(&mut queue, 400), ["p1", "p5"]);
    }

    #[test]
    fn filters_say_what_helps_them() {
        for (plugin, what) in [
            ("VolumeZone", Happening::Volumes),
            ("VolumeZone", Happening::NodeLabels),
            ("VolumeRestrictions", Happening::Volumes),
            ("VolumeRestrictions", Happening::PodGone),
        ] {
            assert!(helps(plugin, what), "{plugin} {what:?}");
        }
    }

    #[test]
    fn errors_back_off() {
        let mut queue = Queue::default();
        queue.update(&pod("p", 0, 0), at(0));
        let mut now = at(0);
        let mut delays = Vec::new();
        for _ in 0..6 {
            let mut queued = queue.pop(now).unwrap();
            queued.failed = true;
            queue.requeue(queued, now);
            let due = queue.next_due().unwrap();
            assert!(queue.pop(now).is_none());
            delays.push(due.since(now).as_secs());
            now = due;
        }
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
        let _ = list![];
    }
}
