//! The scheduling queue: pods to be scheduled now (active), pods that failed and wait for their
//! back-off to end, and pods that nothing has changed for since they did not fit.

use std::cmp::Reverse;
use std::time::Duration;

use crate::api::{Object, ObjectKey};
use crate::flat::{FlatMap, FlatSet};
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
    /// The pod itself changed.
    PodItself,
    Volumes,
    Namespaces,
}

/// Whether it can lift a refusal of a plugin.
fn helps(plugin: &str, what: Happening) -> bool {
    use Happening::*;
    match what {
        NodeAdded | PodItself => true,
        NodeAllocatable => plugin == "NodeResourcesFit",
        NodeLabels => matches!(
            plugin,
            "NodeAffinity" | "PodTopologySpread" | "InterPodAffinity" | "VolumeBinding"
        ),
        NodeTaints => matches!(plugin, "TaintToleration" | "NodeUnschedulable" | "PodTopologySpread"),
        PodGone => matches!(
            plugin,
            "NodeResourcesFit" | "NodePorts" | "PodTopologySpread" | "InterPodAffinity"
        ),
        PodPlaced => matches!(plugin, "PodTopologySpread" | "InterPodAffinity"),
        Volumes => plugin == "VolumeBinding",
        Namespaces => plugin == "InterPodAffinity",
    }
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

    fn gated(&self) -> bool {
        !self.pod.spec().get("schedulingGates").is_empty()
    }

    fn priority(&self) -> i64 {
        self.pod.spec().i64_at(&["priority"]).unwrap_or(0)
    }
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
    pods: FlatMap<ObjectKey, (Place, Queued)>,
    active: FlatSet<(Reverse<i64>, Time, ObjectKey)>,
    backoff: FlatSet<(Time, ObjectKey)>,
    unschedulable: FlatSet<(Time, ObjectKey)>,
}

impl Queue {
    fn take(&mut self, key: &ObjectKey) -> Option<(Place, Queued)> {
        let (place, queued) = self.pods.remove(key)?;
        self.active
            .remove(&(Reverse(queued.priority()), queued.since, key.clone()));
        self.backoff.remove(&(queued.since + queued.backoff(), key.clone()));
        self.unschedulable.remove(&(queued.since, key.clone()));
        Some((place, queued))
    }

    fn put(&mut self, place: Place, queued: Queued) {
        let key = queued.pod.key();
        match place {
            Place::Active => {
                self.active
                    .insert((Reverse(queued.priority()), queued.since, key.clone()));
            }
            Place::Backoff => {
                self.backoff.insert((queued.since + queued.backoff(), key.clone()));
            }
            Place::Unschedulable => {
                self.unschedulable.insert((queued.since, key.clone()));
            }
            Place::Gated => {}
        }
        self.pods.insert(key, (place, queued));
    }

    /// Adds a pod that is to be scheduled, or its new version.
    pub fn update(&mut self, pod: &Object, now: Time) {
        let key = pod.key();
        match self.take(&key) {
            None => {
                let queued = Queued::new(pod, now);
                let place = if queued.gated() { Place::Gated } else { Place::Active };
                self.put(place, queued);
            }
            Some((place, mut queued)) => {
                let changed = queued.pod.spec() != pod.spec() || queued.pod.labels() != pod.labels();
                queued.pod = pod.clone();
                let place = match place {
                    _ if queued.gated() => Place::Gated,
                    Place::Gated => Place::Active,
                    Place::Unschedulable if changed => self.awake(&queued, now),
                    other => other,
                };
                self.put(place, queued);
            }
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

    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.pods.contains_key(key)
    }

    fn awake(&self, queued: &Queued, now: Time) -> Place {
        if queued.since + queued.backoff() > now {
            Place::Backoff
        } else {
            Place::Active
        }
    }

    /// Moves the unschedulable pods that it can help.
    pub fn happened(&mut self, what: Happening, now: Time) {
        let keys: Vec<ObjectKey> = self.unschedulable.iter().map(|(_, k)| k.clone()).collect();
        for key in keys {
            let helped = self
                .pods
                .get(&key)
                .is_some_and(|(_, q)| q.refused_by.is_empty() || q.refused_by.iter().any(|p| helps(p, what)));
            if helped && let Some((_, queued)) = self.take(&key) {
                let place = self.awake(&queued, now);
                self.put(place, queued);
            }
        }
    }

    /// Moves what is due at `now`.
    pub fn flush(&mut self, now: Time) {
        while let Some((when, key)) = self.backoff.first().cloned() {
            if when > now {
                break;
            }
            if let Some((_, queued)) = self.take(&key) {
                self.put(Place::Active, queued);
            }
        }
        while let Some((since, key)) = self.unschedulable.first().cloned() {
            if since + FLUSH > now {
                break;
            }
            if let Some((_, queued)) = self.take(&key) {
                self.put(Place::Active, queued);
            }
        }
    }

    /// When something is due that nobody will tell of.
    pub fn next_due(&self) -> Option<Time> {
        let backoff = self.backoff.first().map(|(when, _)| *when);
        let flush = self.unschedulable.first().map(|(since, _)| *since + FLUSH);
        backoff.into_iter().chain(flush).min()
    }

    /// The pod to be scheduled next: the active one of the highest priority that waits longest.
    /// When none is active, one that is backing off without an error is taken early.
    pub fn pop(&mut self, now: Time) -> Option<Queued> {
        self.flush(now);
        let key = match self.active.first() {
            Some((_, _, key)) => key.clone(),
            None => self
                .backoff
                .iter()
                .map(|(_, key)| key)
                .find(|key| self.pods.get(*key).is_some_and(|(_, q)| !q.failed))?
                .clone(),
        };
        let (_, mut queued) = self.take(&key)?;
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
