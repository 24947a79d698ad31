//! The end of containers: with a hook, a signal, and after their grace period by force.

use std::rc::Rc;
use std::time::Duration;

use crate::sim::join_all;
use futures::future::{Either, select};

use super::{Worker, first_of};
use crate::api::events::EventType;
use crate::api::views::Pod;
use crate::shell::{SIGKILL, SIGQUIT, SIGTERM};
use crate::sim::{ContainerChange, Time};

impl Worker {
    /// The time that a pod's end may take from now on.
    pub(super) fn grace(&self) -> Duration {
        let pod = self.pod();
        let asked = pod.metadata().i64_at(&["deletionGracePeriodSeconds"]);
        let seconds = match asked {
            Some(s) => s,
            None if self.gone.get() || self.evicted.get() => 1,
            None => Pod(&pod).termination_grace_period(),
        };
        Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
    }

    /// Stops every container: first the ones that did the work, then sidecars from the last.
    pub(super) async fn kill_all(self: &Rc<Self>) {
        let pod = self.pod();
        let begun = self.sim().now();
        let grace = self.grace();
        let left = |now: Time| (begun + grace).since(now);
        let message = |name: &str| format!("Stopping container {name}");
        let running = |name: &str| self.run_of(name, false).is_some_and(|r| r.is_running());
        let main: Vec<String> = Pod(&pod)
            .containers()
            .chain(Pod(&pod).ephemeral_containers())
            .chain(Pod(&pod).init_containers().filter(|c| !c.is_sidecar()))
            .map(|c| c.name().to_owned())
            .filter(|n| running(n))
            .collect();
        join_all(
            main.iter()
                .map(|name| async move { self.kill(name, grace, &message(name)).await }),
        )
        .await;
        let sidecars: Vec<String> = Pod(&pod)
            .init_containers()
            .rev()
            .filter(|c| c.is_sidecar())
            .map(|c| c.name().to_owned())
            .filter(|n| running(n))
            .collect();
        for name in sidecars {
            self.kill(
                &name,
                left(self.sim().now()).max(Duration::from_secs(1)),
                &message(&name),
            )
            .await;
        }
    }

    /// Stops a container: its hook, then a signal, and SIGKILL when the time is over.
    pub(super) async fn kill(self: &Rc<Self>, name: &str, grace: Duration, message: &str) {
        let Some(run) = self.run_of(name, false).filter(|r| r.is_running()) else {
            return;
        };
        self.container_event(name, EventType::Normal, "Killing", message);
        self.trace(name, ContainerChange::Stopping);
        let sim = self.sim().clone();
        let deadline = sim.now() + grace;
        let pod = self.pod();
        let hook = Pod(&pod)
            .container(name)
            .map(|c| c.value().at(&["lifecycle", "preStop"]).clone())
            .unwrap_or_default();
        if !hook.is_null() && !grace.is_zero() {
            let asked = {
                let hook = std::pin::pin!(self.hook(name, &run, &hook));
                let over = std::pin::pin!(first_of(sim.sleep_until(deadline), run.wait()));
                match select(hook, over).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => Ok(()),
                }
            };
            if asked.is_err() {
                self.container_event(name, EventType::Warning, "FailedPreStopHook", "PreStopHook failed");
            }
        }
        // At least two seconds are left for the container itself.
        let least = if hook.is_null() {
            Duration::ZERO
        } else {
            Duration::from_secs(2)
        };
        let mut end = deadline.max(sim.now() + least);
        let mut deleted = pod.deletion_timestamp();
        // nginx's image names a signal of its own.
        let stop = match run.image.image.name() {
            "nginx" => SIGQUIT,
            _ => SIGTERM,
        };
        run.kill(stop);
        loop {
            if !run.is_running() {
                return;
            }
            // A second deletion may shorten the time, which begins anew then (`wasGracePeriodShortened`).
            let asked = self.pod.borrow().deletion_timestamp();
            if self.terminating.get() && asked != deleted {
                deleted = asked;
                end = end.min(sim.now() + self.grace());
            }
            if self.gone.get() || sim.now() >= end {
                break;
            }
            first_of(self.signal.wait(), first_of(sim.sleep_until(end), run.wait())).await;
        }
        run.kill(SIGKILL);
        run.wait().await;
    }
}
