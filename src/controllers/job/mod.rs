//! The Job controller: runs a job's pods to their completions, counts those that ended, and keeps
//! each by a finalizer until it is counted.

mod backoff;
mod indexes;
mod policy;
#[cfg(test)]
mod tests;

use crate::flat::{Arrange, FlatMap, FlatSet};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::sim::join_all;

use self::indexes::{INDEX, Intervals, index_of};
use self::policy::Verdict;
use super::context::{Base, Context, OwnerIndex, resource};
use super::expectations::Expectations;
use super::ownership::Claimer;
use super::pods;
use crate::api::events::EventType;
use crate::api::views::Job;
use crate::api::views::job::TRACKING_FINALIZER;
use crate::api::{Object, ObjectKey, PatchType, Resource, Selector, Status, WriteOptions};
use crate::sim::{Time, WorkQueue};
use crate::value::Value;
use crate::{list, obj};

const NAME: &str = "job-controller";

/// The failures of an index up to a pod, on that pod.
const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// Those of them that the pod failure policy ignored.
const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// At most so many creations or deletions in one pass (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;

/// At most so many pods are counted in one pass (`MaxUncountedPods`).
const MAX_UNCOUNTED: usize = 500;

/// Changes of pods wait so long, that several are worked on together (`SyncJobBatchPeriod`).
const BATCH: Duration = Duration::from_secs(1);

/// Between passes that fail: 1 s, doubling to 60 s (`DefaultJobApiBackOff`, `MaxJobApiBackOff`).
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    control: pods::PodControl,
    pods: OwnerIndex,
    pod_resource: Rc<Resource>,
    /// Pods that have the finalizer and no job.
    orphans: WorkQueue<ObjectKey>,
    expectations: Expectations,
    /// The uids of pods whose finalizer was removed, as long as the informer has not shown it.
    removed: RefCell<FlatMap<ObjectKey, FlatSet<String>>>,
    backoff: RefCell<FlatMap<ObjectKey, backoff::Record>>,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let pod_resource = resource(context.api(), "", "pods");
    let expectations = Expectations::new(context.sim());
    let mut base = Base::new(context, NAME, "batch", "jobs");
    base.queue = WorkQueue::with_rate(context.sim(), RETRY.0, RETRY.1);
    let controller = Controller(Rc::new(Inner {
        control: pods::PodControl::new(context, &base, &expectations),
        base,
        pods: context.informers().by_owner(&pod_resource),
        pod_resource,
        orphans: WorkQueue::with_rate(context.sim(), RETRY.0, RETRY.1),
        expectations,
        removed: RefCell::default(),
        backoff: RefCell::default(),
    }));
    let inner = &controller.0;
    let c = controller.clone();
    inner.objects.on_change(move |old, new| c.job_changed(old, new));
    let c = controller.clone();
    let pods = inner.pods.informer();
    pods.on_change(move |old, new| c.pod_changed(old, new));
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    inner.run(context, workers, &[pods], async move |key| c.sync(&key).await);
    let c = controller.clone();
    let synced = vec![inner.objects.clone(), pods.clone()];
    context.run(NAME, &inner.orphans, 1, synced, async move |key| {
        c.free_orphan(&key).await
    });
}

fn is_tracked(pod: &Object) -> bool {
    pod.finalizers().any(|f| f == TRACKING_FINALIZER)
}

fn selector(job: &Object) -> Selector {
    Selector::from_label_selector(job.spec().get("selector"))
}

/// Whether a pod counts as failed: one that is to end counts already then, unless the job replaces
/// only those that have ended.
fn is_failed(job: Job, pod: &Object) -> bool {
    match pods::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => pod.is_deleting() && !job.replaces_only_failed(),
    }
}

/// The failures of a pod's index before it: those that count, and those that were ignored.
fn index_failures(pod: &Object) -> (i64, i64) {
    let count = |key: &str| pod.annotation(key).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    (count(INDEX_FAILURES), count(INDEX_IGNORED))
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: Time) -> Value {
    obj! {
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "message": message,
        "reason": reason,
        "status": status,
        "type": kind,
    }
}

/// Sets a condition; an absent one is not added as false. Gives whether that changed anything.
fn ensure_condition(status: &mut Value, new: Value) -> bool {
    let mut conditions = status.get("conditions").items().to_vec();
    let kind = new.str_at(&["type"]).to_owned();
    match conditions.iter_mut().find(|c| c.str_at(&["type"]) == kind) {
        Some(old) => {
            if ["status", "reason", "message"].iter().all(|f| old.get(f) == new.get(f)) {
                return false;
            }
            *old = new;
        }
        None if new.str_at(&["status"]) == "False" => return false,
        None => conditions.push(new),
    }
    status.set(&["conditions"], conditions);
    true
}

/// How a job ends: the condition that announces it, and the one that says it.
#[derive(Clone, Debug)]
struct Ending {
    failed: bool,
    reason: String,
    message: String,
    /// The condition that announces it stands in the status already.
    announced: bool,
}

impl Ending {
    fn failed(reason: &str, message: &str) -> Ending {
        Ending {
            failed: true,
            reason: reason.into(),
            message: message.into(),
            announced: false,
        }
    }

    fn succeeded(reason: &str, message: &str) -> Ending {
        Ending {
            failed: false,
            ..Ending::failed(reason, message)
        }
    }

    /// The one that a condition of a job announces.
    fn announced(condition: &Value, failed: bool) -> Ending {
        Ending {
            failed,
            announced: true,
            ..Ending::failed(condition.str_at(&["reason"]), condition.str_at(&["message"]))
        }
    }

    fn announcement(&self, now: Time) -> Value {
        let kind = if self.failed {
            "FailureTarget"
        } else {
            "SuccessCriteriaMet"
        };
        condition(kind, "True", &self.reason, &self.message, now)
    }

    fn conclusion(&self, now: Time) -> Value {
        let kind = if self.failed { "Failed" } else { "Complete" };
        condition(kind, "True", &self.reason, &self.message, now)
    }
}

/// What one pass works with.
struct Pass {
    job: Object,
    /// The status as it is to be.
    status: Value,
    pods: Vec<Object>,
    active: Vec<Object>,
    ready: i64,
    terminating: i64,
    succeeded: i64,
    failed: i64,
    /// The uids that stand in the status as ended but not counted.
    uncounted_succeeded: FlatSet<String>,
    uncounted_failed: FlatSet<String>,
    /// The pods whose finalizer is gone though the informer still shows it.
    removed: FlatSet<String>,
    backoff: backoff::Record,
    ending: Option<Ending>,
    previous_indexes: Intervals,
    succeeded_indexes: Intervals,
    failed_indexes: Option<Intervals>,
    /// The last failed pod of each index that waits for its replacement, which takes its count over.
    delayed: FlatMap<i64, Object>,
}

fn uids(list: &Value) -> FlatSet<String> {
    list.items().iter().map(|u| u.str().to_owned()).collect()
}

impl Pass {
    fn job(&self) -> Job<'_> {
        Job(&self.job)
    }

    fn spec_policy(&self) -> &Value {
        self.job.spec().get("podFailurePolicy")
    }

    fn completions(&self) -> i64 {
        self.job().completions().unwrap_or(0)
    }

    /// The pod's index when it is one of this job's.
    fn valid_index(&self, pod: &Object) -> Option<i64> {
        index_of(pod).filter(|i| *i < self.completions())
    }

    /// The pods that ended as `filter` says and are in no count yet.
    fn new_finished(&self, uncounted: &FlatSet<String>, filter: impl Fn(&Object) -> bool) -> Vec<Object> {
        let known = |p: &Object| uncounted.contains(p.uid()) || self.removed.contains(p.uid());
        let valid = |p: &Object| !self.job().is_indexed() || self.valid_index(p).is_some();
        let found = self
            .pods
            .iter()
            .filter(|p| is_tracked(p) && !known(p) && valid(p) && filter(p));
        found.cloned().collect()
    }

    /// Whether a failed pod makes its index fail.
    fn fails_index(&self, pod: &Object, limit: i64) -> bool {
        if !is_failed(self.job(), pod) {
            return false;
        }
        match policy::failure(self.spec_policy(), pod) {
            Verdict::FailIndex => true,
            verdict => verdict.counts() && index_failures(pod).0 >= limit,
        }
    }

    /// Works out the indexes that succeeded and failed, and what follows from them.
    fn look_at_indexes(&mut self) {
        let completions = self.completions();
        let text = |field: &str| self.status.str_at(&[field]).to_owned();
        let previous = Intervals::parse(&text("completedIndexes"), completions);
        let new = |fits: &dyn Fn(&Object) -> bool| -> FlatSet<i64> {
            let tracked = self.pods.iter().filter(|p| is_tracked(p) && fits(p));
            tracked.filter_map(|p| self.valid_index(p)).collect()
        };
        let succeeded = previous.with(&new(&|p| pods::phase(p) == "Succeeded"));
        let failed = self.job().backoff_limit_per_index().map(|limit| {
            let before = Intervals::parse(&text("failedIndexes"), completions);
            before.with(&new(&|p| self.fails_index(p, limit)))
        });
        self.succeeded = succeeded.total();
        self.previous_indexes = previous;
        self.succeeded_indexes = succeeded;
        self.failed_indexes = failed;
        if let Some(failed) = &self.failed_indexes {
            let total = failed.total();
            if self.ending.is_some() {
            } else if self.job().max_failed_indexes().is_some_and(|most| total > most) {
                self.ending = Some(Ending::failed(
                    "MaxFailedIndexesExceeded",
                    "Job has exceeded the specified maximal number of failed indexes",
                ));
            } else if total > 0 && total + self.succeeded >= completions {
                self.ending = Some(Ending::failed("FailedIndexes", "Job has failed indexes"));
            }
            self.delayed = self.awaiting_replacement();
        }
        if self.ending.is_none() {
            let policy = self.job.spec().get("successPolicy");
            self.ending = policy::success(policy, completions, &self.succeeded_indexes)
                .map(|message| Ending::succeeded("SuccessPolicy", &message));
        }
    }

    fn awaiting_replacement(&self) -> FlatMap<i64, Object> {
        let active: FlatSet<i64> = self.active.iter().filter_map(index_of).collect();
        let failed_indexes = self.failed_indexes.clone().unwrap_or_default();
        let mut delayed: FlatMap<i64, Object> = FlatMap::new();
        for pod in self.new_finished(&FlatSet::new(), |p| is_failed(self.job(), p)) {
            let Some(index) = index_of(&pod) else { continue };
            if self.succeeded_indexes.has(index) || failed_indexes.has(index) || active.contains(&index) {
                continue;
            }
            let failures = |p: &Object| {
                let (counted, ignored) = index_failures(p);
                counted + ignored
            };
            if delayed.get(&index).is_none_or(|last| failures(last) <= failures(&pod)) {
                delayed.insert(index, pod);
            }
        }
        delayed
    }

    /// The active pods to remove when at least `least` must go: for an indexed job those whose
    /// index another has, or that have none, come first.
    fn to_remove(&self, least: usize, now: Time) -> Vec<Object> {
        let (mut remove, mut left) = (Vec::new(), Vec::new());
        if self.job().is_indexed() {
            let mut by_index: FlatMap<i64, Vec<Object>> = FlatMap::new();
            for pod in &self.active {
                match self.valid_index(pod) {
                    Some(index) => by_index.entry(index).or_default().push(pod.clone()),
                    None => remove.push(pod.clone()),
                }
            }
            for same in by_index.into_values() {
                let gone = pods::to_delete(same.clone(), &[], same.len() - 1, now);
                left.extend(same.into_iter().filter(|p| gone.iter().all(|g| g.uid() != p.uid())));
                remove.extend(gone);
            }
        } else {
            left = self.active.clone();
        }
        if remove.len() < least {
            let more = (least - remove.len()).min(left.len());
            remove.extend(pods::to_delete(left, &[], more, now));
        }
        remove
    }

    /// Moves the uids of pods that have no finalizer any more from the uncounted to the counts.
    fn count_those_without_finalizer(&mut self, with_finalizer: &FlatSet<String>) -> bool {
        let mut changed = false;
        for kind in ["succeeded", "failed"] {
            let path = ["uncountedTerminatedPods", kind];
            let mut list = self.status.at(&path).items().to_vec();
            let before = list.len();
            list.retain(|uid| with_finalizer.contains(uid.str()));
            let counted = before - list.len();
            if counted > 0 {
                changed = true;
                let total = self.status.i64_at(&[kind]).unwrap_or(0) + counted as i64;
                self.status.set(&[kind], total);
                self.status.set_or_remove(&path, list);
                if self.status.get("uncountedTerminatedPods").is_null() {
                    self.status.set(&["uncountedTerminatedPods"], Value::map());
                }
            }
        }
        changed
    }

    fn add_uncounted(&mut self, kind: &str, uid: &str) {
        let path = ["uncountedTerminatedPods", kind];
        let mut list = self.status.at(&path).items().to_vec();
        list.push(uid.into());
        self.status.set(&path, list);
    }

    fn uncounted(&self) -> usize {
        let all = self.status.get("uncountedTerminatedPods");
        all.get("succeeded").items().len() + all.get("failed").items().len()
    }

    /// The pod to create, with the index when it has one.
    fn new_pod(&self, index: Option<i64>) -> Value {
        let job = &self.job;
        let mut template = job.spec().get("template").clone();
        let mut finalizers = template.at(&["metadata", "finalizers"]).items().to_vec();
        if !finalizers.iter().any(|f| f.str() == TRACKING_FINALIZER) {
            finalizers.push(TRACKING_FINALIZER.into());
        }
        template.set(&["metadata", "finalizers"], finalizers);
        let Some(index) = index else {
            return pods::from_template(job, &template);
        };
        let text = index.to_string();
        for field in ["initContainers", "containers"] {
            let mut containers = template.at(&["spec", field]).items().to_vec();
            for container in &mut containers {
                let mut env = container.get("env").items().to_vec();
                if env.iter().any(|e| e.str_at(&["name"]) == "JOB_COMPLETION_INDEX") {
                    continue;
                }
                let path = format!("metadata.labels['{INDEX}']");
                let source = obj! { "fieldRef": obj! { "apiVersion": "v1", "fieldPath": path } };
                env.push(obj! { "name": "JOB_COMPLETION_INDEX", "valueFrom": source });
                container.set(&["env"], env);
            }
            template.set_or_remove(&["spec", field], containers);
        }
        template.set(&["metadata", "annotations", INDEX], text.as_str());
        template.set(&["metadata", "labels", INDEX], text.as_str());
        template.set(&["spec", "hostname"], format!("{}-{index}", job.name()));
        if self.job().backoff_limit_per_index().is_some() {
            let (mut failures, mut ignored) = (0, 0);
            if let Some(pod) = self.delayed.get(&index) {
                (failures, ignored) = index_failures(pod);
                if policy::failure(self.spec_policy(), pod).counts() {
                    failures += 1;
                } else {
                    ignored += 1;
                }
            }
            template.set(&["metadata", "annotations", INDEX_FAILURES], failures.to_string());
            if ignored > 0 {
                template.set(&["metadata", "annotations", INDEX_IGNORED], ignored.to_string());
            }
        }
        let mut pod = pods::from_template(job, &template);
        // A name that is too long loses of the job's name, not of the index.
        let suffix = format!("-{index}-");
        let mut prefix = job.name().to_owned();
        prefix.truncate(58 - suffix.len());
        pod.set(&["metadata", "generateName"], prefix + &suffix);
        pod
    }
}

impl Controller {
    fn job_of(&self, pod: &Object) -> Option<Object> {
        self.0.owner_of(pod).filter(|job| !Job(job).is_managed_by_another())
    }

    fn job_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let inner = &self.0;
        match (old, new) {
            (_, Some(job)) if Job(job).is_managed_by_another() => {}
            (Some(old), Some(job)) => {
                if old.generation() == job.generation() {
                    inner.queue.add_after(job.key(), BATCH);
                } else {
                    inner.queue.add(job.key());
                }
                if Job(job).finished().is_some() {
                    self.free_pods_of(job);
                }
            }
            (None, Some(job)) => inner.queue.add(job.key()),
            (Some(job), None) => {
                inner.queue.add(job.key());
                self.free_pods_of(job);
            }
            (None, None) => {}
        }
    }

    /// Pods that kept the finalizer though their job is gone or over.
    fn free_pods_of(&self, job: &Object) {
        for pod in self.0.pods.owned(job.uid()) {
            if is_tracked(&pod) {
                self.0.orphans.add(pod.key());
            }
        }
    }

    fn pod_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        let inner = &self.0;
        let gone = new.is_none_or(Object::is_deleting);
        if let (Some(old), Some(pod)) = (old, new)
            && old.controller().map(|c| c.uid()) != pod.controller().map(|c| c.uid())
            && let Some(job) = self.job_of(old)
        {
            self.saw_finalizer_go(&job, old);
            inner.queue.add_after(job.key(), BATCH);
        }
        let Some(pod) = new.or(old) else { return };
        if let Some(job) = self.job_of(pod) {
            let key = job.key();
            if gone {
                inner.expectations.deleted(&key, &pod.key());
            } else if old.is_none() {
                inner.expectations.created(&key);
            }
            if new.is_none() || !is_tracked(pod) {
                self.saw_finalizer_go(&job, pod);
            }
            inner.queue.add_after(key, BATCH);
            return;
        }
        let is_jobs = pod.controller().is_none_or(|o| o.kind() == "Job");
        if new.is_some() && is_jobs && is_tracked(pod) {
            inner.orphans.add(pod.key());
        }
        if pod.controller().is_none() && !gone {
            inner.objects.each(pod.namespace(), |job| {
                if selector(job).matches(pod.labels()) && !Job(job).is_managed_by_another() {
                    inner.queue.add_after(job.key(), BATCH);
                }
            });
        }
    }

    fn saw_finalizer_go(&self, job: &Object, pod: &Object) {
        let mut removed = self.0.removed.borrow_mut();
        if let Some(uids) = removed.get_mut(&job.key()) {
            uids.remove(pod.uid());
            if uids.is_empty() {
                removed.remove(&job.key());
            }
        }
    }

    /// Takes the finalizer from a pod that no job counts.
    async fn free_orphan(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(pod) = inner.pods.informer().get(key).filter(is_tracked) else {
            return Ok(());
        };
        if self.job_of(&pod).is_some_and(|job| Job(&job).finished().is_none()) {
            return Ok(());
        }
        // A selector that matches it makes it some job's soon.
        if pod.controller().is_none() {
            let mut wanted = false;
            inner.objects.each(pod.namespace(), |job| {
                wanted |= !job.is_deleting() && selector(job).matches(pod.labels());
            });
            if wanted {
                return Ok(());
            }
        }
        self.remove_finalizer(&pod).await
    }

    /// Takes the finalizer from a pod. One that is gone is a success.
    async fn remove_finalizer(&self, pod: &Object) -> Result<(), Status> {
        if !is_tracked(pod) {
            return Ok(());
        }
        let patch = obj! { "metadata": obj! { "$deleteFromPrimitiveList/finalizers": list![TRACKING_FINALIZER] } };
        let (namespace, name) = (pod.namespace(), pod.name());
        let options = WriteOptions::default();
        let patched = self
            .0
            .client
            .patch(
                &self.0.pod_resource,
                namespace,
                name,
                "",
                PatchType::Strategic,
                patch,
                &options,
            )
            .await;
        Status::ignore_not_found(patched)
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let job = inner.objects.get(key).filter(|j| Job(j).finished().is_none());
        let Some(job) = job.filter(|j| !Job(j).is_managed_by_another()) else {
            inner.expectations.forget(key);
            inner.removed.borrow_mut().remove(key);
            inner.backoff.borrow_mut().remove(key);
            return Ok(());
        };
        let now = inner.sim.now();
        let satisfied = inner.expectations.satisfied(key);
        let mut pass = self.look(&job).await?;
        let view = Job(&job);
        if pass.status.get("startTime").is_null() && !view.is_suspended() {
            pass.status.set(&["startTime"], now);
        }
        pass.ending = self.ending(&pass);
        if pass.ending.is_none() {
            // The deadline, when it is still to come.
            let start = Time::parse(pass.status.str_at(&["startTime"]));
            if let (Some(deadline), Some(start), false) = (view.active_deadline(), start, view.is_suspended()) {
                let left = (start + crate::sim::seconds(deadline)).since(now);
                inner.queue.add_after(key.clone(), left);
            }
        }
        if view.is_indexed() {
            pass.look_at_indexes();
        }
        let mut active = pass.active.len() as i64;
        let mut changed = false;
        let mut managed = Ok(());
        if pass.ending.is_some() {
            let results = join_all(pass.active.iter().map(|p| inner.control.delete(&job, p))).await;
            let deleted = results.iter().filter(|r| r.is_ok()).count() as i64;
            if deleted != active || !satisfied {
                // There may be pods that the informer does not show yet.
                pass.ending = None;
            }
            active -= deleted;
            pass.terminating += deleted;
            pass.ready = 0;
            managed = results.into_iter().collect::<Result<(), Status>>();
        } else {
            let manages = satisfied && !job.is_deleting();
            if manages {
                (active, managed) = self.manage(&mut pass).await;
            }
            let complete = match view.completions() {
                None => pass.succeeded > 0 && active == 0,
                Some(n) => pass.succeeded >= n && active == 0,
            };
            if complete {
                let message = "Reached expected number of succeeded pods";
                pass.ending = Some(Ending::succeeded("CompletionsReached", message));
            } else if manages {
                changed = self.note_suspension(&mut pass);
            }
        }
        let status = &mut pass.status;
        changed |= status.i64_at(&["active"]).unwrap_or(0) != active
            || status.i64_at(&["ready"]) != Some(pass.ready)
            || status.i64_at(&["terminating"]) != Some(pass.terminating);
        status.set_or_remove(&["active"], active);
        status.set(&["ready"], pass.ready);
        status.set(&["terminating"], pass.terminating);
        self.track(pass, changed).await?;
        managed
    }

    /// Sets the condition `Suspended`, with its events. Gives whether it changed.
    fn note_suspension(&self, pass: &mut Pass) -> bool {
        let now = self.0.sim.now();
        let suspended = pass.job().is_suspended();
        let (status, reason, message) = if suspended {
            ("True", "JobSuspended", "Job suspended")
        } else {
            ("False", "JobResumed", "Job resumed")
        };
        if !ensure_condition(&mut pass.status, condition("Suspended", status, reason, message, now)) {
            return false;
        }
        // The deadline counts from here, or from when the job is resumed.
        let start = if suspended { Value::Null } else { now.into() };
        pass.status.set_or_remove(&["startTime"], start);
        let event = if suspended { "Suspended" } else { "Resumed" };
        self.0.recorder.event(&pass.job, EventType::Normal, event, message);
        true
    }

    /// Claims the job's pods, and counts them.
    async fn look(&self, job: &Object) -> Result<Pass, Status> {
        let inner = &self.0;
        let key = job.key();
        let selector = selector(job);
        let mut candidates = inner.pods.owned(job.uid());
        candidates.extend(inner.pods.orphans(job.namespace()));
        let mut claimer = Claimer::new(&inner.client, &inner.resource, job, &selector, &inner.pod_resource);
        claimer.finalizer = TRACKING_FINALIZER;
        let pods = claimer.claim(candidates).await?;
        let active: Vec<Object> = pods.iter().filter(|p| pods::is_active(p)).cloned().collect();
        let mut status = job.status().clone();
        if status.get("uncountedTerminatedPods").is_null() {
            status.set(&["uncountedTerminatedPods"], Value::map());
        }
        let mut pass = Pass {
            ready: active.iter().filter(|p| pods::is_ready(p)).count() as i64,
            terminating: pods.iter().filter(|p| pods::is_terminating(p)).count() as i64,
            active,
            pods,
            succeeded: 0,
            failed: 0,
            uncounted_succeeded: uids(status.at(&["uncountedTerminatedPods", "succeeded"])),
            uncounted_failed: uids(status.at(&["uncountedTerminatedPods", "failed"])),
            removed: inner.removed.borrow().get(&key).cloned().unwrap_or_default(),
            backoff: inner.backoff.borrow().get(&key).cloned().unwrap_or_default(),
            ending: None,
            previous_indexes: Intervals::default(),
            succeeded_indexes: Intervals::default(),
            failed_indexes: None,
            delayed: FlatMap::new(),
            status,
            job: job.clone(),
        };
        let succeeded = pass.new_finished(&pass.uncounted_succeeded, |p| pods::phase(p) == "Succeeded");
        let failed = pass.new_finished(&pass.uncounted_failed, |p| is_failed(Job(job), p));
        let policy = pass.spec_policy();
        let counting = failed.iter().filter(|p| policy::failure(policy, p).counts()).count();
        let before = |field: &str| job.status().i64_at(&[field]).unwrap_or(0);
        pass.succeeded = before("succeeded") + (succeeded.len() + pass.uncounted_succeeded.len()) as i64;
        pass.failed = before("failed") + (counting + pass.uncounted_failed.len()) as i64;
        pass.backoff = pass.backoff.after(&succeeded, &failed);
        Ok(pass)
    }

    /// Whether the job ends for another reason than that all completions are there.
    fn ending(&self, pass: &Pass) -> Option<Ending> {
        let (job, view) = (&pass.job, pass.job());
        let is_true = |kind: &str| job.condition(kind).filter(|c| c.str_at(&["status"]) == "True");
        if let Some(met) = is_true("SuccessCriteriaMet") {
            return Some(Ending::announced(met, false));
        }
        if let Some(target) = is_true("FailureTarget") {
            return Some(Ending::announced(target, true));
        }
        let verdicts = pass.pods.iter().filter(|p| is_failed(view, p));
        for verdict in verdicts.map(|p| policy::failure(pass.spec_policy(), p)) {
            if let Verdict::FailJob(message) = verdict {
                return Some(Ending::failed("PodFailurePolicy", &message));
            }
        }
        if pass.failed > view.backoff_limit() || past_restarts(view, &pass.pods) {
            let message = "Job has reached the specified backoff limit";
            return Some(Ending::failed("BackoffLimitExceeded", message));
        }
        let running = view.start_time().map(|start| self.0.sim.now().since(start));
        let late = |limit: i64| running.is_some_and(|time| time >= crate::sim::seconds(limit));
        if !view.is_suspended() && view.active_deadline().is_some_and(late) {
            let message = "Job was active longer than specified deadline";
            return Some(Ending::failed("DeadlineExceeded", message));
        }
        None
    }

    /// Creates or deletes pods. Gives how many are active then.
    async fn manage(&self, pass: &mut Pass) -> (i64, Result<(), Status>) {
        let inner = &self.0;
        let now = inner.sim.now();
        let key = pass.job.key();
        let mut active = pass.active.len() as i64;
        let (suspended, parallelism) = (pass.job().is_suspended(), pass.job().parallelism());
        let wanted = match pass.job().completions() {
            _ if suspended => 0,
            None if pass.succeeded > 0 => active,
            None => parallelism,
            Some(n) => (n - pass.succeeded).min(parallelism).max(0),
        };
        let least = usize::try_from(active - wanted).unwrap_or(0);
        let mut gone = pass.to_remove(least, now);
        gone.truncate(BURST);
        if !gone.is_empty() || suspended {
            inner.expectations.expect(&key, 0, gone.iter().map(Object::key));
            let results = join_all(gone.iter().map(|p| self.remove(&pass.job, p))).await;
            let removed = results.iter().filter(|r| r.is_ok()).count() as i64;
            active -= removed;
            pass.terminating += removed;
            pass.ready -= gone.iter().filter(|p| pods::is_ready(p)).count() as i64;
            return (active, results.into_iter().collect());
        }
        let terminating = if pass.job().replaces_only_failed() {
            pass.terminating
        } else {
            0
        };
        let mut missing = usize::try_from(wanted - terminating - active).unwrap_or(0).min(BURST);
        if missing == 0 {
            return (active, Ok(()));
        }
        let per_index = pass.job().backoff_limit_per_index().is_some();
        let mut wait = if per_index {
            Duration::ZERO
        } else {
            pass.backoff.remaining(now)
        };
        let mut new_indexes = Vec::new();
        if wait.is_zero() && pass.job().is_indexed() {
            let present: FlatSet<i64> = pass.active.iter().filter_map(index_of).collect();
            let mut taken = pass.succeeded_indexes.with(&present);
            if let Some(failed) = &pass.failed_indexes {
                let all: FlatSet<i64> = (0..pass.completions()).filter(|i| failed.has(*i)).collect();
                taken = taken.with(&all);
            }
            new_indexes = taken.first_missing(missing, pass.completions());
            if per_index {
                let left = |index: &i64| match pass.delayed.get(index) {
                    None => Duration::ZERO,
                    Some(pod) => {
                        let (counted, ignored) = index_failures(pod);
                        let failures = u32::try_from(counted + ignored + 1).unwrap_or(u32::MAX);
                        backoff::remaining(failures, backoff::finished(pod), now)
                    }
                };
                wait = new_indexes.iter().map(left).min().unwrap_or_default();
                new_indexes.retain(|i| left(i).is_zero());
            }
            missing = new_indexes.len();
        }
        if !wait.is_zero() {
            inner.queue.add_after(key, wait);
            return (0, Ok(()));
        }
        let new = |i: usize| pass.new_pod(new_indexes.get(i).copied());
        let (created, result) = inner.control.change(&pass.job, missing, new, &[]).await;
        (active + created as i64, result)
    }

    /// Deletes a pod that is not to be counted.
    async fn remove(&self, job: &Object, pod: &Object) -> Result<(), Status> {
        if let Err(status) = self.remove_finalizer(pod).await {
            self.0.expectations.deleted(&job.key(), &pod.key());
            return Err(status);
        }
        self.0.control.delete(job, pod).await
    }

    async fn update_status(&self, pass: &mut Pass) -> Result<(), Status> {
        let mut value = pass.job.value().clone();
        value.set(&["status"], pass.status.clone());
        pass.job = self.0.client.update_status(&self.0.resource, value).await?;
        pass.status = pass.job.status().clone();
        Ok(())
    }

    /// Writes down which pods ended, then takes their finalizers, then counts them, then says
    /// whether the job is over: whatever is cut off in between, none is counted twice or not at all
    /// (`trackJobStatusAndRemoveFinalizers`).
    async fn track(&self, mut pass: Pass, mut changed: bool) -> Result<(), Status> {
        let inner = &self.0;
        let now = inner.sim.now();
        let key = pass.job.key();
        let indexed = pass.job().is_indexed();
        if indexed {
            pass.pods.arrange_by_key(|p| index_of(p).unwrap_or(-1));
        }
        let is_open = |pass: &Pass, p: &Object| is_tracked(p) && !pass.removed.contains(p.uid());
        let mut with_finalizer: FlatSet<String> = pass
            .pods
            .iter()
            .filter(|p| is_open(&pass, p))
            .map(|p| p.uid().to_owned())
            .collect();
        changed |= pass.count_those_without_finalizer(&with_finalizer);
        let mut to_free = Vec::new();
        let mut new_indexes = FlatSet::new();
        let mut all = true;
        for pod in pass.pods.clone() {
            if !is_open(&pass, &pod) {
                continue;
            }
            let failed = is_failed(pass.job(), &pod);
            let succeeded = pods::phase(&pod) == "Succeeded";
            let over = pass.job.is_deleting() || pass.ending.is_some() || succeeded;
            let waits = index_of(&pod).is_some_and(|i| pass.delayed.get(&i).is_some_and(|p| p.uid() == pod.uid()));
            if !over && (!failed || waits) {
                continue;
            }
            let index = pass.valid_index(&pod);
            let uid = pod.uid();
            if succeeded && !pass.uncounted_failed.contains(uid) {
                if indexed {
                    // The index says which were counted.
                    if let Some(index) = index.filter(|i| !pass.previous_indexes.has(*i)) {
                        new_indexes.insert(index);
                        changed = true;
                    }
                } else if !pass.uncounted_succeeded.contains(uid) {
                    pass.add_uncounted("succeeded", uid);
                    changed = true;
                }
            } else if failed || pass.ending.as_ref().is_some_and(|e| e.failed) {
                // All that runs when a job fails counts as failed.
                let valid = !indexed || index.is_some();
                let counts = policy::failure(pass.spec_policy(), &pod).counts();
                if valid && counts && !pass.uncounted_failed.contains(uid) {
                    pass.add_uncounted("failed", uid);
                    changed = true;
                }
            }
            to_free.push(pod);
            if new_indexes.len() + pass.uncounted() >= MAX_UNCOUNTED {
                all = false;
                break;
            }
        }
        if indexed {
            let done = pass.succeeded_indexes.with(&new_indexes);
            let text = done.to_string();
            changed |= pass.status.str_at(&["completedIndexes"]) != text;
            pass.status.set_or_remove(&["succeeded"], done.total());
            pass.status.set_or_remove(&["completedIndexes"], text);
            let failed = pass
                .failed_indexes
                .as_ref()
                .map_or(Value::Null, |f| f.to_string().into());
            changed |= pass.status.get("failedIndexes") != &failed;
            if !failed.is_null() {
                pass.status.set(&["failedIndexes"], failed);
            }
        }
        if let Some(ending) = pass.ending.clone().filter(|e| !e.announced) {
            changed |= ensure_condition(&mut pass.status, ending.announcement(now));
        }
        if changed {
            self.update_status(&mut pass).await?;
            inner.backoff.borrow_mut().insert(key.clone(), pass.backoff.clone());
            changed = false;
        }
        let freed = self.free(&key, &to_free, &mut with_finalizer).await;
        changed |= pass.count_those_without_finalizer(&with_finalizer);
        if freed.is_err() && changed {
            self.update_status(&mut pass).await?;
        }
        freed?;
        let ending = pass
            .ending
            .clone()
            .filter(|_| all && pass.uncounted() == 0 && pass.terminating == 0);
        if let Some(ending) = &ending {
            let now = inner.sim.now();
            changed = true;
            ensure_condition(&mut pass.status, ending.conclusion(now));
            if !ending.failed {
                pass.status.set(&["completionTime"], now);
            }
        }
        if changed {
            self.update_status(&mut pass).await?;
        }
        if let Some(ending) = ending {
            self.tell_ending(&pass, &ending);
        }
        Ok(())
    }

    fn tell_ending(&self, pass: &Pass, ending: &Ending) {
        let recorder = &self.0.recorder;
        if ending.failed {
            recorder.event(&pass.job, EventType::Warning, &ending.reason, ending.message.as_str());
            return;
        }
        let succeeded = pass.status.i64_at(&["succeeded"]).unwrap_or(0);
        if pass.job().completions().is_some_and(|n| succeeded > n) {
            let message = "Too many succeeded pods running after completion count reached";
            recorder.event(&pass.job, EventType::Warning, "TooManySucceededPods", message);
        }
        recorder.event(&pass.job, EventType::Normal, "Completed", "Job completed");
    }

    /// Takes the finalizers of pods that are written down as ended.
    async fn free(
        &self,
        key: &ObjectKey,
        to_free: &[Object],
        with_finalizer: &mut FlatSet<String>,
    ) -> Result<(), Status> {
        if to_free.is_empty() {
            return Ok(());
        }
        let expected = to_free.iter().map(|p| p.uid().to_owned());
        self.0
            .removed
            .borrow_mut()
            .entry(key.clone())
            .or_default()
            .extend(expected);
        let results = join_all(to_free.iter().map(|p| self.remove_finalizer(p))).await;
        let mut failure = Ok(());
        for (pod, result) in to_free.iter().zip(results) {
            match result {
                Ok(()) => {
                    with_finalizer.remove(pod.uid());
                }
                Err(status) => {
                    if let Some(uids) = self.0.removed.borrow_mut().get_mut(key) {
                        uids.remove(pod.uid());
                    }
                    failure = Err(status);
                }
            }
        }
        failure
    }
}

/// Whether the containers of pods that restart in place (`OnFailure`) restarted too often.
fn past_restarts(job: Job, pods: &[Object]) -> bool {
    if job.spec().str_at(&["template", "spec", "restartPolicy"]) != "OnFailure" {
        return false;
    }
    let running = pods.iter().filter(|p| matches!(pods::phase(p), "Running" | "Pending"));
    let statuses = running.flat_map(|p| {
        ["initContainerStatuses", "containerStatuses"]
            .into_iter()
            .flat_map(|field| p.status().get(field).items())
    });
    let restarts: i64 = statuses.filter_map(|s| s.i64_at(&["restartCount"])).sum();
    let limit = job.backoff_limit();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}
