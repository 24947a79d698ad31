//! The parts of the control plane that run as long as their static pods do: without kube-scheduler.yaml nothing is
//! scheduled, without kube-controller-manager.yaml nothing is reconciled.
//!
//! The API server and etcd answer whatever becomes of their pods.

use std::cell::RefCell;

use crate::api::ApiServer;
use crate::{controllers, scheduler};

/// Ends a program.
type Stop = Box<dyn FnOnce()>;

struct Program {
    /// The label `component` of its pod.
    component: &'static str,
    start: fn(&ApiServer) -> Stop,
    /// Of what runs now.
    stop: RefCell<Option<Stop>>,
}

/// The programs of a world.
pub(super) struct ControlPlane {
    api: ApiServer,
    programs: Vec<Program>,
}

impl ControlPlane {
    /// Starts those that are asked for.
    pub(super) fn start(api: &ApiServer, with_controllers: bool, with_scheduler: bool) -> ControlPlane {
        let mut programs = Vec::new();
        let mut add = |component, start: fn(&ApiServer) -> Stop| {
            programs.push(Program {
                component,
                start,
                stop: RefCell::new(Some(start(api))),
            });
        };
        if with_controllers {
            add("kube-controller-manager", |api| {
                let running = controllers::start(api, controllers::Options::default());
                Box::new(move || running.stop())
            });
        }
        if with_scheduler {
            add("kube-scheduler", |api| {
                let running = scheduler::start(api, scheduler::Options::default());
                Box::new(move || running.stop())
            });
        }
        ControlPlane {
            api: api.clone(),
            programs,
        }
    }

    /// Starts or ends a program with the container that it runs in. One that starts knows nothing of what was before,
    /// as a real one.
    pub(super) fn switch(&self, component: &str, runs: bool) {
        let Some(program) = self.programs.iter().find(|p| p.component == component) else {
            return;
        };
        let mut stop = program.stop.borrow_mut();
        match (runs, stop.take()) {
            (true, None) => *stop = Some((program.start)(&self.api)),
            (true, running) => *stop = running,
            (false, Some(running)) => running(),
            (false, None) => {}
        }
    }
}
