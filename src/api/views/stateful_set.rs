//! A view of stateful sets.

use crate::api::Object;
use crate::api::selector::Selector;
use crate::value::Value;

/// The label with the name of a stateful set's pod.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// The label with the ordinal of a stateful set's pod.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// A stateful set.
#[derive(Clone, Copy)]
pub struct StatefulSet<'a>(pub &'a Object);

impl<'a> StatefulSet<'a> {
    /// `spec`.
    pub fn spec(self) -> &'a Value {
        self.0.spec()
    }

    /// How many pods are asked for.
    pub fn replicas(self) -> i64 {
        self.spec().i64_at(&["replicas"]).unwrap_or(1).max(0)
    }

    /// The ordinal of the first pod.
    pub fn start(self) -> i64 {
        self.spec().i64_at(&["ordinals", "start"]).unwrap_or(0)
    }

    /// The ordinals of the present number of replicas.
    pub fn ordinals(self) -> std::ops::Range<i64> {
        self.start()..self.start().saturating_add(self.replicas())
    }

    /// Whether a pod of this ordinal belongs to the present number of replicas.
    pub fn has_ordinal(self, ordinal: i64) -> bool {
        self.ordinals().contains(&ordinal)
    }

    /// Pods are made and removed at once, and not one after the other.
    pub fn is_parallel(self) -> bool {
        self.spec().str_at(&["podManagementPolicy"]) == "Parallel"
    }

    /// Whether pods take a new template only when somebody deletes them (`OnDelete`).
    pub fn is_on_delete(self) -> bool {
        self.spec().str_at(&["updateStrategy", "type"]) == "OnDelete"
    }

    /// The least ordinal that is updated; `None` when the strategy has no such fields.
    pub fn partition(self) -> Option<i64> {
        let rolling = self.spec().at(&["updateStrategy", "rollingUpdate"]);
        (!rolling.is_null()).then(|| rolling.i64_at(&["partition"]).unwrap_or(0))
    }

    /// For how many seconds a pod must be ready until it counts as available.
    pub fn min_ready_seconds(self) -> i64 {
        self.spec().i64_at(&["minReadySeconds"]).unwrap_or(0)
    }

    /// How many old revisions are kept.
    pub fn revision_history_limit(self) -> i64 {
        self.spec().i64_at(&["revisionHistoryLimit"]).unwrap_or(10)
    }

    /// The selector of its pods.
    pub fn selector(self) -> Selector {
        Selector::from_label_selector(self.spec().get("selector"))
    }

    /// The Service that gives its pods their names in DNS.
    pub fn service_name(self) -> &'a str {
        self.spec().str_at(&["serviceName"])
    }

    /// `spec.template`.
    pub fn template(self) -> &'a Value {
        self.spec().get("template")
    }

    /// `spec.volumeClaimTemplates`, whole PersistentVolumeClaims.
    pub fn claim_templates(self) -> &'a [Value] {
        self.spec().get("volumeClaimTemplates").items()
    }

    /// What becomes of claims: when the set is deleted, and when it is scaled down. `true` deletes.
    pub fn deletes_claims(self) -> (bool, bool) {
        let policy = self.spec().get("persistentVolumeClaimRetentionPolicy");
        let deletes = |field: &str| policy.str_at(&[field]) == "Delete";
        (deletes("whenDeleted"), deletes("whenScaled"))
    }

    /// The name of the pod of an ordinal.
    pub fn pod_name(self, ordinal: i64) -> String {
        format!("{}-{ordinal}", self.0.name())
    }

    /// The name of the claim that a template makes for an ordinal.
    pub fn claim_name(self, template: &Value, ordinal: i64) -> String {
        format!("{}-{}-{ordinal}", template.str_at(&["metadata", "name"]), self.0.name())
    }

    /// The ordinal of a pod by its name; `None` when the name is none of this set's.
    pub fn ordinal_of(self, pod: &Object) -> Option<i64> {
        let (parent, ordinal) = pod.name().rsplit_once('-')?;
        let plain = !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit());
        (parent == self.0.name() && plain).then(|| ordinal.parse().ok())?
    }
}
