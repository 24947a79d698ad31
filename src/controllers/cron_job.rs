//! The CronJob controller: makes a job at each moment of a schedule, and deletes the oldest of those
//! that are over.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context, OwnerIndex, resource};
use super::pods;
use crate::api::cron::{self, Schedule};
use crate::api::events::EventType;
use crate::api::views::{CronJob, Job};
use crate::api::zone::Zone;
use crate::api::{Object, ObjectKey, Resource, Status};
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::{Value, quoted};
use crate::{list, obj};

const NAME: &str = "cronjob-controller";

/// The time of the schedule, on a job.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A moment of the schedule is looked at so much later (`nextScheduleDelta`).
const DELTA: Duration = Duration::from_millis(100);

/// From so many missed moments on a warning tells of them.
const MANY: u64 = 100;

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    jobs: OwnerIndex,
    job_resource: Rc<Resource>,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let job_resource = resource(context.api(), "batch", "jobs");
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "batch", "cronjobs"),
        jobs: context.informers().by_owner(&job_resource),
        job_resource,
    }));
    let inner = &controller.0;
    let c = controller.clone();
    inner.objects.on_change(move |_, new| {
        if let Some(cron) = new {
            c.0.queue.add(cron.key());
        }
    });
    let c = controller.clone();
    let jobs = inner.jobs.informer();
    jobs.on_change(move |old, new| {
        for job in [old, new].into_iter().flatten() {
            if let Some(owner) = job.controller().filter(|o| o.kind() == "CronJob") {
                c.0.queue.add(ObjectKey::new(job.namespace(), owner.name()));
            }
        }
    });
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    inner.run(context, workers, &[jobs], async move |key| c.sync(&key).await);
}

/// A schedule in its zone.
struct Clock {
    schedule: Schedule,
    zone: Zone,
}

impl Clock {
    fn next(&self, after: Time) -> Option<Time> {
        self.schedule.next_in(&self.zone, after)
    }
}

/// What the schedule says of the past.
#[derive(Debug, Default, PartialEq, Eq)]
struct Missed {
    /// The last moment that has come; `None` when none has.
    last: Option<Time>,
    /// Whether there are too many to be an accident.
    many: bool,
}

/// Looks for the moments of a schedule after `earliest` that have come at `now`.
///
/// # Errors
/// When the schedule never comes twice.
fn missed(next: impl Fn(Time) -> Option<Time>, earliest: Time, now: Time) -> Result<Missed, &'static str> {
    let invalid = "time difference between two schedules is less than 1 second";
    let first = next(earliest).ok_or(invalid)?;
    if now < first {
        return Ok(Missed::default());
    }
    let second = next(first).ok_or(invalid)?;
    let mut last = first;
    if now < second {
        return Ok(Missed {
            last: Some(last),
            many: false,
        });
    }
    let between = second.since(first).as_secs().max(1);
    let count = now.since(first).as_secs() / between + 1;
    // Not every moment since is looked at, only those near the end.
    let mut at = first + Duration::from_secs(count.saturating_sub(2).saturating_mul(between));
    while let Some(then) = next(at).filter(|t| *t <= now) {
        last = then;
        at = then;
    }
    Ok(Missed {
        last: Some(last),
        many: count > MANY,
    })
}

/// Whether a reference in `status.active` is to the job of this uid.
fn is_active(status: &Value, uid: &str) -> bool {
    status.get("active").items().iter().any(|r| r.str_at(&["uid"]) == uid)
}

fn remove_active(status: &mut Value, uid: &str) {
    let mut active = status.get("active").items().to_vec();
    active.retain(|r| r.str_at(&["uid"]) != uid);
    status.set_or_remove(&["active"], active);
}

impl Controller {
    fn event(&self, cron: &Object, kind: EventType, reason: &str, message: impl Into<String>) {
        self.0.recorder.event(cron, kind, reason, message);
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(mut cron) = inner.objects.get(key) else {
            return Ok(());
        };
        let jobs = inner.jobs.owned(cron.uid());
        // The informer may not have the status yet that names a job, which only the API tells.
        let unknown = |cron: &Object, job: &Object| !is_active(cron.status(), job.uid());
        if jobs
            .iter()
            .any(|job| Job(job).finished().is_none() && unknown(&cron, job))
        {
            cron = match inner.client.get(&inner.resource, cron.namespace(), cron.name()).await {
                Err(failure) if failure.is_not_found() => return Ok(()),
                other => other?,
            };
        }
        let mut status = cron.status().clone();
        let result = self.look(&cron, &jobs, &mut status).await;
        self.clean_up(&cron, &jobs, &mut status).await;
        if &status != cron.status() {
            let mut value = cron.value().clone();
            value.set(&["status"], status);
            match inner.client.update_status(&inner.resource, value).await {
                Err(failure) if failure.is_not_found() => return Ok(()),
                other => other.map(|_| ())?,
            }
        }
        if let Some(when) = result? {
            inner.queue.add_after(key.clone(), when.since(inner.sim.now()));
        }
        Ok(())
    }

    /// Looks at the jobs that are there, and makes the one whose time has come. Gives when to look
    /// again.
    async fn look(&self, cron: &Object, jobs: &[Object], status: &mut Value) -> Result<Option<Time>, Status> {
        let inner = &self.0;
        let view = CronJob(cron);
        for job in jobs {
            let finished = Job(job).finished();
            let kind = finished.map_or("", |c| c.str_at(&["type"]));
            match (is_active(status, job.uid()), finished.is_some()) {
                (false, false) => {
                    let message = format!("Saw a job that the controller did not create or forgot: {}", job.name());
                    self.event(cron, EventType::Warning, "UnexpectedJob", message);
                }
                (true, true) => {
                    remove_active(status, job.uid());
                    let message = format!("Saw completed job: {}, condition: {kind}", job.name());
                    self.event(cron, EventType::Normal, "SawCompletedJob", message);
                }
                _ => {}
            }
            if kind == "Complete" {
                let done = job.status().get("completionTime");
                let last = status.get("lastSuccessfulTime");
                if Time::parse(done.str()) > Time::parse(last.str()) {
                    status.set(&["lastSuccessfulTime"], done.clone());
                }
            }
        }
        for reference in status.get("active").items().to_vec() {
            let (name, uid) = (reference.str_at(&["name"]), reference.str_at(&["uid"]));
            if jobs.iter().any(|j| j.uid() == uid) {
                continue;
            }
            match inner.client.get(&inner.job_resource, cron.namespace(), name).await {
                Err(failure) if failure.is_not_found() => {
                    let message = format!("Active job went missing: {name}");
                    self.event(cron, EventType::Normal, "MissingJob", message);
                    remove_active(status, uid);
                }
                other => other.map(|_| ())?,
            }
        }
        if cron.is_deleting() {
            return Ok(None);
        }
        let zone = match Zone::load(view.time_zone()) {
            Ok(zone) => zone,
            Err(why) => {
                let message = format!("invalid timeZone: {}: {why}", quoted(&view.time_zone()));
                self.event(cron, EventType::Warning, "UnknownTimeZone", message);
                return Ok(None);
            }
        };
        if view.is_suspended() {
            return Ok(None);
        }
        let schedule = match cron::parse(view.schedule()) {
            Ok(schedule) => schedule,
            Err(why) => {
                let message = format!("unparseable schedule: {} : {why}", quoted(&view.schedule()));
                self.event(cron, EventType::Warning, "UnparseableSchedule", message);
                return Ok(None);
            }
        };
        self.make_job(cron, status, &Clock { schedule, zone }).await
    }

    async fn make_job(&self, cron: &Object, status: &mut Value, clock: &Clock) -> Result<Option<Time>, Status> {
        let inner = &self.0;
        let view = CronJob(cron);
        let now = inner.sim.now();
        let since = view.last_schedule().unwrap_or_else(|| cron.created());
        let mut earliest = since;
        if let Some(deadline) = view.starting_deadline() {
            let least = now.as_secs().saturating_sub(deadline.unsigned_abs());
            earliest = earliest.max(Time::from_secs(least));
        }
        let missed = match missed(|t| clock.next(t), earliest, now) {
            Ok(missed) => missed,
            Err(why) => {
                let message = format!("invalid schedule: {} : {why}", view.schedule());
                self.event(cron, EventType::Warning, "InvalidSchedule", message);
                return Ok(None);
            }
        };
        if missed.many {
            let message =
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.event(cron, EventType::Warning, "TooManyMissedTimes", message);
        }
        let next = clock.next(missed.last.unwrap_or(earliest)).map(|t| t + DELTA);
        let Some(time) = missed.last else {
            return Ok(next);
        };
        let late = |deadline: i64| time + crate::sim::seconds(deadline) < now;
        if view.starting_deadline().is_some_and(late) {
            let message = format!("Missed scheduled time to start a job: {}", time.rfc1123());
            self.event(cron, EventType::Warning, "MissSchedule", message);
            return Ok(next);
        }
        let name = format!("{}-{}", cron.name(), time.as_secs() / 60);
        let active = status.get("active").items().to_vec();
        if active.iter().any(|r| r.str_at(&["name"]) == name) || view.last_schedule() == Some(time) {
            return Ok(next);
        }
        match view.concurrency_policy() {
            "Forbid" if !active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.event(cron, EventType::Normal, "JobAlreadyActive", message);
                return Ok(next);
            }
            "Replace" => {
                for reference in &active {
                    let name = reference.str_at(&["name"]);
                    let job = inner.client.get(&inner.job_resource, cron.namespace(), name).await;
                    let job = job.inspect_err(|failure| {
                        let message = format!("Get job: {}", failure.message());
                        self.event(cron, EventType::Warning, "FailedGet", message);
                    })?;
                    self.delete_job(cron, &job, status).await?;
                }
            }
            _ => {}
        }
        let job = job_of(cron, &name, clock.zone.rfc3339(time));
        let made = inner.client.make(&inner.job_resource, cron.namespace(), job).await;
        let job = match made {
            Ok(job) => {
                let message = format!("Created job {}", job.name());
                self.event(cron, EventType::Normal, "SuccessfulCreate", message);
                job
            }
            Err(failure) if failure.is_already_exists() => {
                // Made before, and not written down; or somebody else's.
                let job = inner.client.get(&inner.job_resource, cron.namespace(), &name).await?;
                if !job.is_controlled_by(cron.uid()) || is_active(status, job.uid()) {
                    return Ok(None);
                }
                job
            }
            Err(failure) => {
                if !pods::namespace_ends(&failure) {
                    let message = format!("Error creating job: {}", failure.message());
                    self.event(cron, EventType::Warning, "FailedCreate", message);
                }
                return Err(failure);
            }
        };
        let mut active = status.get("active").items().to_vec();
        active.push(job.reference());
        status.set(&["active"], active);
        status.set(&["lastScheduleTime"], time);
        Ok(next)
    }

    async fn delete_job(&self, cron: &Object, job: &Object, status: &mut Value) -> Result<(), Status> {
        let inner = &self.0;
        let options = obj! { "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" };
        let deleted = inner
            .client
            .delete(&inner.job_resource, job.namespace(), job.name(), options)
            .await;
        if let Err(failure) = deleted {
            let message = format!("Deleted job: {}", failure.message());
            self.event(cron, EventType::Warning, "FailedDelete", message);
            return Err(failure);
        }
        remove_active(status, job.uid());
        let message = format!("Deleted job {}", job.name());
        self.event(cron, EventType::Normal, "SuccessfulDelete", message);
        Ok(())
    }

    /// Deletes the oldest of the finished jobs beyond the limits.
    async fn clean_up(&self, cron: &Object, jobs: &[Object], status: &mut Value) {
        let (succeeded, failed) = CronJob(cron).history_limits();
        for (kind, limit) in [("Complete", succeeded), ("Failed", failed)] {
            let Some(limit) = limit.and_then(|n| usize::try_from(n).ok()) else {
                continue;
            };
            let is_kind = |j: &&Object| Job(j).finished().is_some_and(|c| c.str_at(&["type"]) == kind);
            let mut over: Vec<&Object> = jobs.iter().filter(is_kind).collect();
            over.arrange_by_key(|j| (Job(j).start_time(), j.key()));
            let excess = over.len().saturating_sub(limit);
            for job in over.into_iter().take(excess).filter(|j| !j.is_deleting()) {
                // What fails is tried again with the next change; an event tells of it.
                let _ = self.delete_job(cron, job, status).await;
            }
        }
    }
}

/// The job of a moment.
fn job_of(cron: &Object, name: &str, time: String) -> Value {
    let template = cron.spec().get("jobTemplate");
    let mut metadata = obj! {
        "name": name,
        "namespace": cron.namespace(),
        "ownerReferences": list![cron.controller_reference()],
    };
    metadata.set_or_remove(&["labels"], template.at(&["metadata", "labels"]));
    metadata.set_or_remove(&["annotations"], template.at(&["metadata", "annotations"]));
    metadata.set(&["annotations", SCHEDULED], time);
    obj! {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": template.get("spec").clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    #[test]
    fn what_was_missed() {
        let schedule = cron::parse("*/10 * * * *").unwrap();
        let at = |s: &str| Time::parse(&format!("2026-11-21T{s}Z")).unwrap();
        let look = |earliest: &str, now: &str| {
            let found = missed(|t| schedule.next(t), at(earliest), at(now)).unwrap();
            (found.last.map(|t| t.rfc1123()[17..25].to_owned()), found.many)
        };
        for (earliest, now, last, many) in [
            ("08:01:00", "08:09:59", None, false),
            ("08:01:00", "08:10:00", Some("08:10:00"), false),
            ("08:01:00", "08:25:00", Some("08:20:00"), false),
            ("08:01:00", "11:05:00", Some("11:00:00"), false),
            ("00:01:00", "23:05:00", Some("23:00:00"), true),
        ] {
            assert_eq!(look(earliest, now), (last.map(str::to_owned), many), "{earliest} {now}");
        }
        let never = cron::parse("0 0 31 2 *").unwrap();
        assert!(missed(|t| never.next(t), at("00:00:00"), at("01:00:00")).is_err());
    }

    fn cron(world: &World, more: Value) {
        let containers = list![obj! { "name": "c", "image": "busybox" }];
        let pod = obj! { "containers": containers, "restartPolicy": "Never" };
        let mut spec = obj! {
            "schedule": "*/5 * * * *",
            "jobTemplate": obj! {
                "metadata": obj! { "labels": obj! { "app": "tick" } },
                "spec": obj! { "template": obj! { "spec": pod } },
            },
        };
        for (key, value) in more.entries() {
            spec.set(&[key], value.clone());
        }
        world.create(obj! {
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": obj! { "name": "tick", "namespace": "default" }, "spec": spec,
        });
    }

    fn world() -> World {
        // The world begins at a full five minutes.
        let world = World::new();
        world.start(start);
        world
    }

    fn finish(world: &World, job: &Object, kind: &str) {
        let now = world.sim().now();
        let condition = |kind: &str| {
            obj! { "type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now }
        };
        let first = if kind == "Complete" {
            "SuccessCriteriaMet"
        } else {
            "FailureTarget"
        };
        let mut status = obj! { "startTime": now, "conditions": list![condition(first), condition(kind)] };
        if kind == "Complete" {
            status.set(&["completionTime"], now);
        }
        world.patch_sub("batch", "jobs", job.name(), "status", obj! { "status": status });
    }

    fn names(world: &World) -> Vec<String> {
        let jobs = world.list("batch", "jobs");
        jobs.iter().map(|j| j.name().to_owned()).collect()
    }

    #[test]
    fn a_job_at_each_moment_and_only_so_many_are_kept() {
        let world = world();
        cron(&world, obj! { "successfulJobsHistoryLimit": 2 });
        for _ in 0..4 {
            world.run(300);
            for job in world.list("batch", "jobs") {
                if Job(&job).finished().is_none() {
                    finish(&world, &job, "Complete");
                }
            }
            world.run(1);
        }
        // 1,800,000,000 s are 30,000,000 minutes.
        assert_eq!(names(&world), ["tick-30000015", "tick-30000020"]);
        let job = world.get("batch", "jobs", "tick-30000020");
        assert_eq!(job.label("app"), Some("tick"));
        assert_eq!(job.annotation(SCHEDULED), Some("2027-01-15T08:20:00Z"));
        assert!(job.controller().is_some_and(|c| c.name() == "tick"));
        let status = world.get("batch", "cronjobs", "tick").status().clone();
        assert!(status.get("active").is_null());
        assert_eq!(status.str_at(&["lastScheduleTime"]), "2027-01-15T08:20:00Z");
        assert!(status.str_at(&["lastSuccessfulTime"]) > "2027-01-15T08:20:00Z");
        assert_eq!(world.messages("SuccessfulCreate").len(), 4);
        assert_eq!(
            world.messages("SawCompletedJob")[0],
            "Saw completed job: tick-30000005, condition: Complete"
        );
        assert_eq!(world.messages("SuccessfulDelete")[0], "Deleted job tick-30000005");
    }

    #[test]
    fn concurrency() {
        for (policy, want) in [
            ("Allow", &["tick-30000005", "tick-30000010"][..]),
            ("Forbid", &["tick-30000005"][..]),
            ("Replace", &["tick-30000010"][..]),
        ] {
            let world = world();
            cron(&world, obj! { "concurrencyPolicy": policy });
            world.run(601);
            assert_eq!(names(&world), want, "{policy}");
            let active = world
                .get("batch", "cronjobs", "tick")
                .status()
                .get("active")
                .items()
                .len();
            assert_eq!(active, want.len(), "{policy}");
        }
    }

    #[test]
    fn suspended_zoned_and_late() {
        let world = world();
        cron(&world, obj! { "suspend": true, "startingDeadlineSeconds": 60 });
        world.run(700);
        assert!(names(&world).is_empty());
        // 08:11:40: the moment of 08:10 is too long ago.
        world.patch("batch", "cronjobs", "tick", obj! { "spec": obj! { "suspend": false } });
        world.run(1);
        assert!(names(&world).is_empty());
        world.patch(
            "batch",
            "cronjobs",
            "tick",
            obj! { "spec": obj! { "schedule": "30 9 * * *", "timeZone": "Europe/Berlin" } },
        );
        world.run(1_200);
        assert_eq!(names(&world), ["tick-30000030"], "08:30 UTC");
        let job = world.get("batch", "jobs", "tick-30000030");
        assert_eq!(job.annotation(SCHEDULED), Some("2027-01-15T09:30:00+01:00"));
    }

    #[test]
    fn a_job_that_it_did_not_make() {
        let world = world();
        cron(&world, obj! {});
        let owner = world.get("batch", "cronjobs", "tick").controller_reference();
        let containers = list![obj! { "name": "c", "image": "busybox" }];
        let pod = obj! { "containers": containers, "restartPolicy": "Never" };
        world.create(obj! {
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": obj! { "name": "manual", "namespace": "default", "ownerReferences": list![owner] },
            "spec": obj! { "template": obj! { "spec": pod } },
        });
        world.run(1);
        assert_eq!(
            world.messages("UnexpectedJob"),
            ["Saw a job that the controller did not create or forgot: manual"]
        );
        assert!(world.get("batch", "cronjobs", "tick").status().is_empty());
    }
}
