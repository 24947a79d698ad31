//! What the picture shows of a workload: what is wanted and what there is of it. Pure.

use std::rc::Rc;

use kubetab::value::Value;

/// What someone asked for: a Deployment, DaemonSet, StatefulSet, ReplicationController, CronJob, or a
/// ReplicaSet or Job that no other of them made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub kind: Rc<str>,
    pub namespace: Rc<str>,
    pub name: Rc<str>,
    /// Pods; of a Job completions.
    pub desired: i64,
    /// Ready pods; of a Job those that have succeeded.
    pub ready: i64,
    /// When a CronJob runs; empty for the others.
    pub schedule: Rc<str>,
    pub image: Rc<str>,
}

impl Workload {
    /// The kinds that are shown as workloads.
    pub const KINDS: [&str; 7] = [
        "CronJob",
        "DaemonSet",
        "Deployment",
        "Job",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    ];

    /// Reads one; `None` for one that another workload made.
    pub fn read(kind: &str, object: &Value) -> Option<Workload> {
        let meta = object.get("metadata");
        let owned = meta
            .get("ownerReferences")
            .items()
            .iter()
            .any(|o| o.bool_at(&["controller"]) && Self::KINDS.contains(&o.str_at(&["kind"])));
        // What an operator's own kinds make is nowhere else to be seen.
        if owned && matches!(kind, "ReplicaSet" | "Job") {
            return None;
        }
        let spec = object.get("spec");
        let wanted = |name: &str| spec.i64_at(&[name]);
        let status = object.get("status");
        let n = |name: &str| status.i64_at(&[name]).unwrap_or(0);
        let (desired, ready) = match kind {
            "DaemonSet" => (n("desiredNumberScheduled"), n("numberReady")),
            "Job" => {
                let desired = wanted("completions").or(wanted("parallelism"));
                (desired.unwrap_or(1), n("succeeded"))
            }
            "CronJob" => (0, 0),
            _ => (wanted("replicas").unwrap_or(1), n("readyReplicas")),
        };
        let template = if kind == "CronJob" {
            spec.at(&["jobTemplate", "spec", "template"])
        } else {
            spec.get("template")
        };
        Some(Workload {
            kind: kind.into(),
            namespace: meta.get("namespace").str().into(),
            name: meta.get("name").str().into(),
            desired,
            ready,
            schedule: spec.get("schedule").str().into(),
            image: template
                .at(&["spec", "containers"])
                .items()
                .first()
                .map_or("", |c| c.get("image").str())
                .into(),
        })
    }
}
