//! What the picture shows of a workload: what is wanted and what there is of it. Pure.

use std::rc::Rc;

use kubetab::value::Value;

/// A Deployment, DaemonSet, or a ReplicaSet that belongs to no Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub kind: Rc<str>,
    pub namespace: Rc<str>,
    pub name: Rc<str>,
    pub desired: i64,
    pub ready: i64,
    /// Pods of the newest revision; of a ReplicaSet all.
    pub updated: i64,
    pub image: Rc<str>,
}

impl Workload {
    /// The kinds that are shown as workloads.
    pub const KINDS: [&str; 4] = ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"];

    /// Reads one; `None` for a ReplicaSet that a Deployment owns.
    pub fn read(kind: &str, object: &Value) -> Option<Workload> {
        let meta = object.get("metadata");
        let owned = meta
            .get("ownerReferences")
            .items()
            .iter()
            .any(|o| o.bool_at(&["controller"]));
        if owned && kind == "ReplicaSet" {
            return None;
        }
        let status = object.get("status");
        let n = |name: &str| status.i64_at(&[name]).unwrap_or(0);
        let (desired, ready, updated) = match kind {
            "DaemonSet" => (
                n("desiredNumberScheduled"),
                n("numberReady"),
                n("updatedNumberScheduled"),
            ),
            "ReplicaSet" => (
                object.i64_at(&["spec", "replicas"]).unwrap_or(1),
                n("readyReplicas"),
                n("replicas"),
            ),
            _ => (
                object.i64_at(&["spec", "replicas"]).unwrap_or(1),
                n("readyReplicas"),
                n("updatedReplicas"),
            ),
        };
        Some(Workload {
            kind: kind.into(),
            namespace: meta.get("namespace").str().into(),
            name: meta.get("name").str().into(),
            desired,
            ready,
            updated,
            image: object
                .at(&["spec", "template", "spec", "containers"])
                .items()
                .first()
                .map_or("", |c| c.get("image").str())
                .into(),
        })
    }
}
