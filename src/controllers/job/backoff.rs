//! How long a job waits before it replaces failed pods: 10 s, doubling with each failure since the
//! last success, to 10 minutes.

use std::time::Duration;

use crate::api::Object;
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::Value;

/// `DefaultJobPodFailureBackOff`.
const FIRST: Duration = Duration::from_secs(10);
/// `MaxJobPodFailureBackOff`.
const LONGEST: Duration = Duration::from_secs(600);

/// The failures of a job since its last success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    failures: u32,
    last: Option<Time>,
}

impl Record {
    /// The record after these pods ended.
    pub fn after(&self, succeeded: &[Object], failed: &[Object]) -> Record {
        let mut failures: Vec<Time> = failed.iter().map(finished).collect();
        failures.arrange();
        let mut record = self.clone();
        if let Some(success) = succeeded.iter().map(finished).max() {
            record = Record::default();
            failures.retain(|f| *f > success);
        }
        record.failures += failures.len() as u32;
        record.last = failures.last().copied().or(record.last);
        record
    }

    /// How long pods must not be replaced yet.
    pub fn remaining(&self, now: Time) -> Duration {
        self.last
            .map_or(Duration::ZERO, |last| remaining(self.failures, last, now))
    }
}

/// How long to wait after the `failures`th failure, which was at `last`.
pub fn remaining(failures: u32, last: Time, now: Time) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let delay = FIRST.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST);
    delay.saturating_sub(now.since(last))
}

/// When a pod ended: when its last container did, else when it stopped being ready, else when its
/// deletion was asked for, else when it was created (`getFinishedTime`).
pub fn finished(pod: &Object) -> Time {
    from_containers(pod)
        .or_else(|| {
            let ready = pod.condition("Ready").filter(|c| c.str_at(&["status"]) == "False")?;
            Time::parse(ready.str_at(&["lastTransitionTime"]))
        })
        .or_else(|| {
            let grace = pod
                .metadata()
                .i64_at(&["deletionGracePeriodSeconds"])
                .unwrap_or(0)
                .unsigned_abs();
            let asked = pod.deletion_timestamp()?.as_secs().saturating_sub(grace);
            Some(Time::from_secs(asked))
        })
        .unwrap_or_else(|| pod.created())
}

fn from_containers(pod: &Object) -> Option<Time> {
    let is_sidecar = |status: &Value| {
        let inits = pod.spec().get("initContainers").items().iter();
        inits
            .filter(|c| c.str_at(&["restartPolicy"]) == "Always")
            .any(|c| c.str_at(&["name"]) == status.str_at(&["name"]))
    };
    let sidecars = pod.status().get("initContainerStatuses").items().iter();
    let all = pod.status().get("containerStatuses").items().iter();
    let mut latest = None;
    for status in all.chain(sidecars.filter(|s| is_sidecar(s))) {
        latest = latest.max(Some(Time::parse(status.str_at(&[
            "state",
            "terminated",
            "finishedAt",
        ]))?));
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn ended(at: u64) -> Object {
        let state = obj! { "terminated": obj! { "finishedAt": Time::from_secs(at) } };
        Object::new(obj! { "status": obj! { "containerStatuses": list![obj! { "name": "c", "state": state }] } })
    }

    #[test]
    fn doubles_and_forgets_after_a_success() {
        let at = Time::from_secs;
        let mut record = Record::default();
        assert_eq!(record.remaining(at(100)), Duration::ZERO);
        let mut delays = Vec::new();
        for _ in 0..8 {
            record = record.after(&[], &[ended(100)]);
            delays.push(record.remaining(at(100)).as_secs());
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(record.remaining(at(700)), Duration::ZERO);
        let after = record.after(&[ended(200)], &[ended(150), ended(210)]);
        assert_eq!(after.remaining(at(210)).as_secs(), 10);
        assert_eq!(after.after(&[ended(300)], &[]), Record::default());
    }

    #[test]
    fn when_a_pod_ended() {
        let mut value = ended(9).value().clone();
        value.set(&["metadata", "creationTimestamp"], Time::from_secs(1));
        assert_eq!(finished(&Object::new(value.clone())), Time::from_secs(9));
        value.set(
            &["status", "containerStatuses"],
            list![obj! { "state": obj! { "running": obj! {} } }],
        );
        assert_eq!(finished(&Object::new(value.clone())), Time::from_secs(1));
        value.set(&["metadata", "deletionTimestamp"], Time::from_secs(40));
        value.set(&["metadata", "deletionGracePeriodSeconds"], 30);
        assert_eq!(finished(&Object::new(value)), Time::from_secs(10));
    }
}
