//! What controllers ask of pods: activity, readiness, availability, and the order in which a
//! controller that has too many deletes them; and what creates and deletes them, with their events.

use std::cmp::Ordering;
use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, resource};
use super::expectations::Expectations;
use crate::api::events::{EventRecorder, EventType};
use crate::api::views::Pod;
use crate::api::well_known;
use crate::api::{Client, Object, Resource, Status};
use crate::flat::FlatMap;
use crate::list;
use crate::sim::{Time, join_all};
use crate::value::Value;

/// The first batch of creations; each later one is twice as large, as long as all of a batch succeed
/// (`SlowStartInitialBatchSize`).
const SLOW_START: usize = 1;

/// `status.phase`; empty before the kubelet or the server has said one.
pub fn phase(pod: &Object) -> &str {
    Pod(pod).phase()
}

/// The node that the pod is bound to; empty for one that waits for the scheduler.
pub fn node_name(pod: &Object) -> &str {
    Pod(pod).node_name()
}

/// Whether it ended (`Succeeded` or `Failed`).
pub fn is_terminal(pod: &Object) -> bool {
    Pod(pod).state().ended
}

/// Neither ended nor being deleted (`controller.IsPodActive`).
pub fn is_active(pod: &Object) -> bool {
    Pod(pod).state().is_active()
}

/// Being deleted, and not ended yet (`controller.IsPodTerminating`).
pub fn is_terminating(pod: &Object) -> bool {
    Pod(pod).state().is_terminating()
}

/// Whether its condition `Ready` is true.
pub fn is_ready(pod: &Object) -> bool {
    Pod(pod).state().ready.is_some()
}

/// When it became ready; `None` when it is not.
pub fn ready_time(pod: &Object) -> Option<Time> {
    Pod(pod).state().ready.flatten()
}

/// Whether it has been ready for `min_ready_seconds`.
pub fn is_available(pod: &Object, min_ready_seconds: i64, now: Time) -> bool {
    Pod(pod).state().is_available(min_ready_seconds, now)
}

/// How long until the next of these ready pods is available; `None` when there is nothing to wait for.
pub fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Object>,
    min_ready_seconds: i64,
    now: Time,
) -> Option<Duration> {
    let waits = pods.into_iter().map(|pod| Pod(pod).state());
    waits
        .filter_map(|state| state.available_in(min_ready_seconds, now))
        .min()
}

fn statuses(pod: &Object) -> impl Iterator<Item = &Value> {
    pod.status().get("containerStatuses").items().iter()
}

/// The most restarts that one of its containers had.
pub fn restarts(pod: &Object) -> i64 {
    statuses(pod)
        .filter_map(|s| s.i64_at(&["restartCount"]))
        .max()
        .unwrap_or(0)
}

/// The annotation `controller.kubernetes.io/pod-deletion-cost`; 0 when there is none that is valid.
pub fn deletion_cost(pod: &Object) -> i64 {
    let text = pod.annotation(well_known::POD_DELETION_COST).unwrap_or("0");
    let plain = text == "0" || !text.trim_start_matches('-').starts_with(['0', '+']);
    if plain {
        text.parse::<i32>().map_or(0, i64::from)
    } else {
        0
    }
}

/// A place on a logarithmic scale of ages: ages within a factor of two are alike.
fn bucket(since: Time, now: Time) -> i64 {
    let nanos = now.since(since).as_nanos();
    if nanos == 0 { -1 } else { i64::from(nanos.ilog2()) }
}

/// By ages in logarithmic buckets, younger first; the uid decides between those alike.
fn younger_first(a: &Object, b: &Object, times: (Option<Time>, Option<Time>), now: Time) -> Ordering {
    match times {
        (a_time, b_time) if a_time == b_time => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a_time), Some(b_time)) => bucket(a_time, now)
            .cmp(&bucket(b_time, now))
            .then_with(|| a.uid().cmp(b.uid())),
        (None, None) => Ordering::Equal,
    }
}

/// Which of two pods is deleted first (`ActivePodsWithRanks`). The ranks say how many related pods
/// stand on each one's node.
fn compare(a: &Object, b: &Object, ranks: (usize, usize), now: Time) -> Ordering {
    let place = |p: &Object| match phase(p) {
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    };
    let assigned = |p: &Object| !node_name(p).is_empty();
    let ready_times = (ready_time(a), ready_time(b));
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| place(a).cmp(&place(b)))
        .then_with(|| is_ready(a).cmp(&is_ready(b)))
        .then_with(|| deletion_cost(a).cmp(&deletion_cost(b)))
        .then_with(|| ranks.1.cmp(&ranks.0))
        .then_with(|| {
            if is_ready(a) && is_ready(b) {
                younger_first(a, b, ready_times, now)
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| younger_first(a, b, (Some(a.created()), Some(b.created())), now))
}

/// A stable merge sort. Kubernetes' comparison is no total order (equal times go on to the next rule, alike ones do
/// not), which the standard library's sort answers with a panic.
fn merge_sorted(mut pods: Vec<Object>, compare: &dyn Fn(&Object, &Object) -> Ordering) -> Vec<Object> {
    if pods.len() < 2 {
        return pods;
    }
    let upper = pods.split_off(pods.len() / 2);
    let mut left = merge_sorted(pods, compare).into_iter().peekable();
    let mut right = merge_sorted(upper, compare).into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(a, b).is_le() {
            left.next()
        } else {
            right.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// The `count` pods that go first when there are too many. `related` are the active pods of all
/// ReplicaSets with the same owner: a pod whose node holds more of them goes earlier.
pub fn to_delete(mut pods: Vec<Object>, related: &[Object], count: usize, now: Time) -> Vec<Object> {
    if count < pods.len() {
        let mut on_node: FlatMap<&str, usize> = FlatMap::new();
        for pod in related.iter().filter(|p| is_active(p)) {
            *on_node.entry(node_name(pod)).or_default() += 1;
        }
        let rank = |p: &Object| on_node.get(node_name(p)).copied().unwrap_or(0);
        pods = merge_sorted(pods, &|a, b| compare(a, b, (rank(a), rank(b)), now));
        pods.truncate(count);
    }
    pods
}

/// A pod of a controller's template (`controller.GetPodFromTemplate`): named after its owner, with
/// the template's labels, annotations, finalizers and spec.
pub fn from_template(owner: &Object, template: &Value) -> Value {
    let prefix = format!("{}-", owner.name());
    let mut metadata = Value::map();
    metadata.set(&["generateName"], prefix);
    metadata.set(&["namespace"], owner.namespace());
    for field in ["labels", "annotations", "finalizers"] {
        metadata.set_or_remove(&[field], template.at(&["metadata", field]));
    }
    metadata.set(&["ownerReferences"], list![owner.controller_reference()]);
    let mut pod = Value::map();
    pod.set(&["apiVersion"], "v1");
    pod.set(&["kind"], "Pod");
    pod.set(&["metadata"], metadata);
    pod.set(&["spec"], template.get("spec").clone());
    pod
}

/// The error of a namespace that ends: nothing more can be created there, and nobody need be told.
pub fn namespace_ends(status: &Status) -> bool {
    status.code() == 403 && status.message().contains("because it is being terminated")
}

/// Tells in an event of `owner` that something was done for it, or could not be: `SuccessfulCreate`, `FailedDelete`.
pub fn tell(recorder: &EventRecorder, owner: &Object, verb: &str, done: bool, message: String) {
    let (kind, how) = if done {
        (EventType::Normal, "Successful")
    } else {
        (EventType::Warning, "Failed")
    };
    recorder.event(owner, kind, &format!("{how}{verb}"), message);
}

/// Creates and deletes the pods of a controller, with its events (`RealPodControl`). Clones share
/// everything.
#[derive(Clone)]
pub struct PodControl {
    client: Client,
    recorder: EventRecorder,
    pods: Rc<Resource>,
    expectations: Expectations,
}

impl PodControl {
    /// For the controller that has `base`. What it does not see happen is taken from `expectations`.
    pub fn new(context: &Context, base: &Base, expectations: &Expectations) -> PodControl {
        PodControl {
            client: base.client.clone(),
            recorder: base.recorder.clone(),
            pods: resource(context.api(), "", "pods"),
            expectations: expectations.clone(),
        }
    }

    /// Creates a pod of `owner`, and says so in an event.
    ///
    /// # Errors
    /// The API's failure; an event tells it unless the namespace ends.
    async fn create(&self, owner: &Object, pod: Value) -> Result<(), Status> {
        let made = self.client.make(&self.pods, owner.namespace(), pod).await;
        match made {
            Ok(pod) => {
                let message = format!("Created pod: {}", pod.name());
                tell(&self.recorder, owner, "Create", true, message);
                Ok(())
            }
            Err(status) => {
                if !namespace_ends(&status) {
                    let message = format!("Error creating: {}", status.message());
                    tell(&self.recorder, owner, "Create", false, message);
                }
                Err(status)
            }
        }
    }

    /// Creates `count` pods, the `i`th as `pod(i)` gives it, in batches of 1, 2, 4, …, each begun only when all of
    /// the batch before succeeded, and deletes those that are in excess. All of it is expected; creations that
    /// failed or were not tried no longer are. Gives how many were created, and the first failure, which the end
    /// of the namespace is not.
    pub async fn change(
        &self,
        owner: &Object,
        count: usize,
        pod: impl Fn(usize) -> Value,
        excess: &[Object],
    ) -> (usize, Result<(), Status>) {
        let key = owner.key();
        self.expectations.expect(&key, count, excess.iter().map(Object::key));
        let (created, result) = slow_start(count, |i| self.create(owner, pod(i))).await;
        for _ in created..count {
            self.expectations.created(&key);
        }
        let result = match result {
            Err(status) if namespace_ends(&status) => Ok(()),
            other => other,
        };
        (created, result.and(self.delete_expected(owner, excess).await))
    }

    /// Deletes the pods that are in excess, all of which is expected. Gives the first failure.
    ///
    /// # Errors
    /// The API's failure, which an event tells.
    pub async fn delete_all(&self, owner: &Object, excess: &[Object]) -> Result<(), Status> {
        let keys = excess.iter().map(Object::key);
        self.expectations.expect(&owner.key(), 0, keys);
        self.delete_expected(owner, excess).await
    }

    async fn delete_expected(&self, owner: &Object, excess: &[Object]) -> Result<(), Status> {
        let deleted = join_all(excess.iter().map(|pod| self.delete(owner, pod))).await;
        deleted.into_iter().collect()
    }

    /// Deletes a pod of `owner`, and says so in an event. One that is gone already is a success.
    ///
    /// # Errors
    /// The API's failure, which an event tells.
    pub async fn delete(&self, owner: &Object, pod: &Object) -> Result<(), Status> {
        match self.client.delete_exactly(&self.pods, pod, "").await {
            Ok(()) => {
                let message = format!("Deleted pod: {}", pod.name());
                tell(&self.recorder, owner, "Delete", true, message);
                Ok(())
            }
            Err(status) => {
                self.expectations.deleted(&owner.key(), &pod.key());
                if status.is_not_found() {
                    return Ok(());
                }
                let message = format!("Error deleting: {}", status.message());
                tell(&self.recorder, owner, "Delete", false, message);
                Err(status)
            }
        }
    }
}

/// Calls `f` `count` times, with 0, 1, 2, …, in batches of 1, 2, 4, …, each begun only when all of
/// the batch before succeeded. Returns how many succeeded, and the first failure.
pub async fn slow_start<F: Future<Output = Result<(), Status>>>(
    count: usize,
    f: impl Fn(usize) -> F,
) -> (usize, Result<(), Status>) {
    let (mut done, mut batch) = (0, SLOW_START.min(count));
    while batch > 0 {
        let results = join_all((done..done + batch).map(&f)).await;
        let mut failure = None;
        for result in results {
            match result {
                Ok(()) => done += 1,
                Err(status) => failure = failure.or(Some(status)),
            }
        }
        if let Some(status) = failure {
            return (done, Err(status));
        }
        batch = (batch * 2).min(count - done);
    }
    (done, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::obj;
    use crate::sim::Sim;

    /// How many calls slow start makes at each time, when each takes a second.
    fn batches(count: usize) -> Vec<usize> {
        let sizes: Rc<RefCell<FlatMap<u64, usize>>> = Rc::default();
        let sim = Sim::new(1, Time::default());
        let (s, z) = (sim.clone(), sizes.clone());
        let work = async move {
            slow_start(count, |_| {
                *z.borrow_mut().entry(s.now().0).or_default() += 1;
                let s = s.clone();
                async move {
                    s.sleep(Duration::from_secs(1)).await;
                    Ok(())
                }
            })
            .await
        };
        sim.run_future(work, Time::from_secs(1_000));
        sizes.borrow().values().copied().collect()
    }

    #[test]
    fn slow_start_doubles() {
        assert_eq!(batches(0), [0usize; 0]);
        assert_eq!(batches(1), [1]);
        assert_eq!(batches(10), [1, 2, 4, 3]);
        assert_eq!(batches(500), [1, 2, 4, 8, 16, 32, 64, 128, 245]);
    }

    fn pod(name: &str, node: &str, phase: &str, ready: Option<u64>, cost: &str, restarts: i64, created: u64) -> Object {
        let mut conditions = list![];
        if let Some(at) = ready {
            conditions = list![obj! { "type": "Ready", "status": "True", "lastTransitionTime": Time::from_secs(at) }];
        }
        Object::new(obj! {
            "metadata": obj! {
                "name": name, "namespace": "default", "uid": name,
                "creationTimestamp": Time::from_secs(created),
                "annotations": obj! { "controller.kubernetes.io/pod-deletion-cost": cost },
            },
            "spec": obj! { "nodeName": node },
            "status": obj! {
                "phase": phase, "conditions": conditions,
                "containerStatuses": list![obj! { "restartCount": restarts }],
            },
        })
    }

    #[test]
    fn who_is_deleted_first() {
        let now = Time::from_secs(100_000);
        let cases = [
            (
                "unassigned",
                pod("b", "", "Pending", None, "0", 0, 1),
                pod("a", "n", "Pending", None, "0", 0, 1),
            ),
            (
                "pending",
                pod("b", "n", "Pending", None, "0", 0, 1),
                pod("a", "n", "Running", None, "0", 0, 1),
            ),
            (
                "not ready",
                pod("b", "n", "Running", None, "9", 0, 1),
                pod("a", "n", "Running", Some(9), "0", 0, 1),
            ),
            (
                "cheaper",
                pod("b", "n", "Running", Some(9), "-5", 0, 1),
                pod("a", "n", "Running", Some(9), "0", 0, 1),
            ),
            (
                "ready later",
                pod("b", "n", "Running", Some(99_999), "0", 0, 1),
                pod("a", "n", "Running", Some(9), "0", 5, 1),
            ),
            (
                "more restarts",
                pod("b", "n", "Running", Some(9), "0", 3, 1),
                pod("a", "n", "Running", Some(9), "0", 0, 1),
            ),
            (
                "newer",
                pod("b", "n", "Running", None, "0", 0, 99_000),
                pod("a", "n", "Running", None, "0", 0, 1),
            ),
        ];
        for (why, first, second) in cases {
            let gone = to_delete(vec![second.clone(), first.clone()], &[], 1, now);
            assert_eq!(gone[0].name(), "b", "{why}");
        }
        // Two of three on one node: one of those goes.
        let a = pod("a", "n1", "Running", Some(9), "0", 0, 1);
        let b = pod("b", "n2", "Running", Some(9), "0", 0, 1);
        let c = pod("c", "n2", "Running", Some(9), "0", 0, 1);
        let all = vec![a, b, c];
        assert_eq!(to_delete(all.clone(), &all, 1, now)[0].name(), "b");
        // Ready 40,000 s and 50,000 s ago is alike: the uid decides.
        let x = pod("x", "n", "Running", Some(60_000), "0", 0, 1);
        let y = pod("y", "n", "Running", Some(50_000), "0", 0, 1);
        assert_eq!(to_delete(vec![y, x], &[], 1, now)[0].name(), "x");
    }

    #[test]
    fn availability() {
        let p = pod("a", "n", "Running", Some(100), "0", 0, 1);
        let at = Time::from_secs;
        assert!(is_available(&p, 0, at(100)));
        assert!(!is_available(&p, 10, at(109)));
        assert!(is_available(&p, 10, at(110)));
        assert_eq!(next_available([&p], 10, at(104)), Some(Duration::from_secs(6)));
        assert_eq!(next_available([&p], 10, at(110)), None);
        assert_eq!(deletion_cost(&pod("a", "n", "", None, "+5", 0, 1)), 0);
        assert_eq!(deletion_cost(&pod("a", "n", "", None, "-5", 0, 1)), -5);
    }
}
