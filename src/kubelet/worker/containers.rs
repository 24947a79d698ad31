//! What a step does with containers: which are started, and which make room for their next run.

use std::rc::Rc;
use std::time::Duration;

use super::super::probes::Kind;
use super::backoff::Series;
use super::{RETRY, Worker, earliest, formatted};
use crate::api::Object;
use crate::api::events::EventType;
use crate::api::views::{Container, Pod};
use crate::sim::{ContainerChange, Time};
use crate::value::duration;

/// Why a running container is killed so that another takes its place.
enum Replaced {
    /// This probe failed.
    Unhealthy(Kind),
    /// The spec says another image.
    Changed,
    /// It must be started anew to have its new resources.
    Resized,
}

/// Whether a container is started again after it ended with this code.
pub(in crate::kubelet) fn restarts(pod: &Object, container: Container, code: i32) -> bool {
    let is_init = Pod(pod).init_containers().any(|c| c.name() == container.name());
    if Pod(pod).ephemeral_containers().any(|c| c.name() == container.name()) {
        return false;
    }
    let ruled = container.value().get("restartPolicyRules").items().iter().any(|rule| {
        let codes = rule.get("exitCodes");
        let listed = codes
            .get("values")
            .items()
            .iter()
            .any(|v| v.as_i64() == Some(code.into()));
        (codes.get("operator").str() == "In") == listed
    });
    if ruled {
        return true;
    }
    match policy(pod, container) {
        "Never" => false,
        "OnFailure" => code != 0,
        // An init container that did its work is done.
        _ if is_init && !container.is_sidecar() => code != 0,
        _ => true,
    }
}

/// A container's own restart policy, or its pod's.
pub(super) fn policy<'a>(pod: &'a Object, container: Container<'a>) -> &'a str {
    match container.value().get("restartPolicy").str() {
        "" => Pod(pod).restart_policy(),
        own => own,
    }
}

impl Worker {
    /// Whether every container ended for good while sidecars still run.
    pub(super) fn only_sidecars_left(&self, pod: &Object) -> bool {
        let slots = self.slots.borrow();
        Pod(pod).containers().all(|c| {
            slots.get(c.name()).is_some_and(|s| {
                s.run
                    .as_ref()
                    .is_some_and(|r| r.ended().is_some_and(|e| !restarts(pod, c, e.code)))
            })
        })
    }

    /// Brings the init containers along. Returns whether the containers may start.
    pub(super) async fn init(self: &Rc<Self>, pod: &Object, next: &mut Option<Time>) -> bool {
        // Once containers have run, only sidecars are kept running.
        let begun = {
            let slots = self.slots.borrow();
            Pod(pod)
                .containers()
                .any(|c| slots.get(c.name()).is_some_and(|s| s.run.is_some() || s.restarts > 0))
        };
        for container in Pod(pod).init_containers() {
            if container.is_sidecar() {
                self.run_container(pod, container, next).await;
                if !begun && !self.slots.borrow().get(container.name()).is_some_and(|s| s.was_started) {
                    return false;
                }
                continue;
            }
            if begun {
                continue;
            }
            let done = |worker: &Worker| {
                let slots = worker.slots.borrow();
                let run = slots.get(container.name()).and_then(|s| s.run.clone());
                run.and_then(|r| r.ended()).map(|e| e.code)
            };
            if done(self) != Some(0) {
                self.run_container(pod, container, next).await;
                return false;
            }
        }
        true
    }

    /// Kills what a probe condemned, and what runs another image than the spec now says.
    pub(super) async fn kill_marked(self: &Rc<Self>, pod: &Object) {
        let anew = self.actuate(pod);
        let mut marked: Vec<(String, Replaced)> = anew.into_iter().map(|name| (name, Replaced::Resized)).collect();
        {
            let mut slots = self.slots.borrow_mut();
            for container in Pod(pod).init_containers().chain(Pod(pod).containers()) {
                let Some(slot) = slots.get_mut(container.name()) else {
                    continue;
                };
                let running = slot.run.as_ref().filter(|r| r.is_running());
                let changed = running.is_some_and(|r| r.spec_image != container.image());
                let why = slot
                    .kill
                    .take()
                    .filter(|_| slot.run.as_ref().is_some_and(|r| r.is_running()));
                let why = why
                    .map(Replaced::Unhealthy)
                    .or_else(|| changed.then_some(Replaced::Changed));
                if let Some(why) = why
                    && !marked.iter().any(|(name, _)| name == container.name())
                {
                    marked.push((container.name().to_owned(), why));
                }
            }
        }
        for (name, why) in marked {
            let (mut grace, mut subject, mut tail) =
                (Pod(pod).termination_grace_period(), "Container", ", will be restarted");
            if let Some(container) = Pod(pod).container(&name) {
                if Pod(pod).init_containers().any(|c| c.name() == name) {
                    (subject, tail) = ("Init container", "");
                } else if policy(pod, container) == "Never" && matches!(why, Replaced::Unhealthy(_)) {
                    tail = "";
                }
                if let Replaced::Unhealthy(kind) = why {
                    let own = container.probe(kind.field());
                    grace = own
                        .and_then(|p| p.i64_at(&["terminationGracePeriodSeconds"]))
                        .unwrap_or(grace);
                }
            }
            let text = match why {
                Replaced::Unhealthy(kind) => {
                    format!(
                        "{subject} {name} failed {} probe{tail}",
                        kind.name().to_ascii_lowercase()
                    )
                }
                Replaced::Changed => format!("{subject} {name} definition changed{tail}"),
                Replaced::Resized => format!("Container {name} resize requires restart"),
            };
            self.kill(&name, Duration::from_secs(grace.max(0) as u64), &text).await;
            // A change of the image or of the size is no crash.
            if matches!(why, Replaced::Changed | Replaced::Resized)
                && let Some(slot) = self.slots.borrow_mut().get_mut(&name)
            {
                slot.restart_series = Series::default();
                slot.anew = true;
            }
        }
    }

    /// Starts a container that should run and does not.
    pub(super) async fn run_container(
        self: &Rc<Self>,
        pod: &Object,
        container: Container<'_>,
        next: &mut Option<Time>,
    ) {
        let name = container.name().to_owned();
        let now = self.sim().now();
        let (run, anew) = {
            let mut slots = self.slots.borrow_mut();
            let slot = slots.entry(name.clone()).or_default();
            (slot.run.clone(), slot.anew)
        };
        if let Some(run) = &run {
            let Some(ended) = run.ended() else { return };
            if !anew && !restarts(pod, container, ended.code) {
                return;
            }
            let series = self
                .slots
                .borrow()
                .get(&name)
                .map(|s| s.restart_series)
                .unwrap_or_default();
            if let Some(until) = series.until(ended.at, now) {
                earliest(next, until);
                let of = formatted(pod);
                let known = self
                    .cause(&name)
                    .is_some_and(|(reason, _)| reason == "CrashLoopBackOff");
                if !known {
                    self.set_cause(
                        &name,
                        "CrashLoopBackOff",
                        format!(
                            "back-off {} restarting failed container={name} pod={of}",
                            duration::text(series.delay)
                        ),
                    );
                    self.trace(&name, ContainerChange::BackOff);
                    self.relist();
                }
                self.container_event(
                    &name,
                    EventType::Warning,
                    "BackOff",
                    format!("Back-off restarting failed container {name} in pod {of}"),
                );
                return;
            }
        }
        let first_try = self.cause(&name).is_none();
        let started = self.start(pod, container).await;
        if let Some(slot) = self.slots.borrow_mut().get_mut(&name) {
            slot.anew = false;
        }
        match started {
            Ok(()) => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(&name) {
                    slot.cause = None;
                }
                self.relist();
            }
            Err((reason, message)) => {
                self.set_cause(&name, &reason, message);
                // What the pod's start found is shown by the step that the runtime's event asks for.
                if first_try && self.signal.generation() == self.step_began.get() {
                    self.relist();
                }
                let jitter = Duration::from_millis(self.sim().random_below(2_000));
                earliest(next, self.sim().now() + RETRY + jitter);
            }
        }
    }

    pub(super) fn cause(&self, name: &str) -> Option<(String, String)> {
        self.slots.borrow().get(name).and_then(|s| s.cause.clone())
    }

    fn set_cause(&self, name: &str, reason: &str, message: impl Into<String>) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(name) {
            slot.cause = Some((reason.to_owned(), message.into()));
        }
    }
}
