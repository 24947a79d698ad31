//! The TTL-after-finished controller: deletes jobs `spec.ttlSecondsAfterFinished` after their end.

use std::rc::Rc;

use super::context::{Base, Context};
use crate::api::views::Job;
use crate::api::{Object, ObjectKey, Status};
use crate::sim::Time;

const NAME: &str = "ttl-after-finished-controller";

/// When a job's time is up; `None` for one that stays.
fn expiry(job: &Object) -> Option<Time> {
    if job.is_deleting() {
        return None;
    }
    let view = Job(job);
    Some(view.finish_time()? + crate::sim::seconds(view.ttl_after_finished()?))
}

struct Controller(Base);

/// Starts the controller.
pub fn start(context: &Context) {
    let controller = Rc::new(Controller(Base::new(context, NAME, "batch", "jobs")));
    let base = &controller.0;
    let c = controller.clone();
    base.objects.on_change(move |_, new| {
        if let Some(job) = new
            && let Some(when) = expiry(job)
        {
            c.0.queue.add_after(job.key(), when.since(c.0.sim.now()));
        }
    });
    let c = controller.clone();
    base.run(context, 5, &[], async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let Base {
            sim,
            client,
            resource: jobs,
            objects,
            queue,
            ..
        } = &self.0;
        if objects.get(key).as_ref().and_then(expiry).is_none() {
            return Ok(());
        }
        // The informer may be behind: the present job decides.
        let job = match client.get(jobs, &key.namespace, &key.name).await {
            Err(status) if status.is_not_found() => return Ok(()),
            other => other?,
        };
        let Some(when) = expiry(&job) else { return Ok(()) };
        if when > sim.now() {
            queue.add_after(key.clone(), when.since(sim.now()));
            return Ok(());
        }
        Status::ignore_not_found(client.delete_exactly(jobs, &job, "Foreground").await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::{list, obj};

    #[test]
    fn deletes_a_job_when_its_time_is_up() {
        let world = World::new();
        world.start(start);
        let containers = list![obj! { "name": "c", "image": "busybox" }];
        let template = obj! { "spec": obj! { "containers": containers, "restartPolicy": "Never" } };
        world.create(obj! {
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": obj! { "name": "once", "namespace": "default" },
            "spec": obj! { "ttlSecondsAfterFinished": 30, "template": template },
        });
        world.run(100);
        assert!(world.exists("batch", "jobs", "once"), "it is not over");
        let now = world.sim().now();
        let condition = |kind: &str| {
            obj! {
                "type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now,
            }
        };
        let status = obj! {
            "startTime": now, "completionTime": now, "succeeded": 1,
            "conditions": list![condition("SuccessCriteriaMet"), condition("Complete")],
        };
        world.patch_sub("batch", "jobs", "once", "status", obj! { "status": status });
        world.run(28);
        assert!(!world.get("batch", "jobs", "once").is_deleting());
        world.run(4);
        assert!(world.get("batch", "jobs", "once").is_deleting(), "in the foreground");
    }
}
