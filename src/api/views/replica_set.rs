//! A view of ReplicaSets, and of ReplicationControllers, which say the same with an older selector.

use crate::api::{Object, Selector};
use crate::value::Value;

/// A ReplicaSet or a ReplicationController.
#[derive(Clone, Copy)]
pub struct ReplicaSet<'a>(pub &'a Object);

impl<'a> ReplicaSet<'a> {
    /// How many pods there are to be.
    pub fn replicas(self) -> usize {
        usize::try_from(self.0.spec().i64_at(&["replicas"]).unwrap_or(1)).unwrap_or(0)
    }

    /// For how many seconds a pod must be ready before it is available.
    pub fn min_ready_seconds(self) -> i64 {
        self.0.spec().i64_at(&["minReadySeconds"]).unwrap_or(0)
    }

    /// The template of the pods.
    pub fn template(self) -> &'a Value {
        self.0.spec().get("template")
    }

    /// The labels of the template.
    pub fn template_labels(self) -> &'a Value {
        self.template().at(&["metadata", "labels"])
    }

    /// Which pods it may adopt: a `LabelSelector`, or the map of a ReplicationController, for which the template's labels
    /// stand in when it is left out.
    pub fn selector(self) -> Selector {
        let selector = self.0.spec().get("selector");
        if self.0.kind() != "ReplicationController" {
            return Selector::from_label_selector(selector);
        }
        Selector::from_map(if selector.is_empty() {
            self.template_labels()
        } else {
            selector
        })
    }
}
