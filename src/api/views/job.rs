//! A view of jobs.

use crate::api::Object;
use crate::sim::Time;
use crate::value::Value;

/// The finalizer by which a job's pods are kept until they are counted.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// The controller that `spec.managedBy` may name beside others'.
pub const BUILT_IN_MANAGER: &str = "kubernetes.io/job-controller";

/// A job.
#[derive(Clone, Copy)]
pub struct Job<'a>(pub &'a Object);

impl<'a> Job<'a> {
    /// `spec`.
    pub fn spec(self) -> &'a Value {
        self.0.spec()
    }

    /// `status`.
    pub fn status(self) -> &'a Value {
        self.0.status()
    }

    fn number(self, field: &str) -> Option<i64> {
        self.spec().i64_at(&[field])
    }

    /// How many pods may run at a time.
    pub fn parallelism(self) -> i64 {
        self.number("parallelism").unwrap_or(1)
    }

    /// How many must succeed; `None` for a work queue, where one does.
    pub fn completions(self) -> Option<i64> {
        self.number("completions")
    }

    /// Whether each completion has an index of its own (`completionMode: Indexed`).
    pub fn is_indexed(self) -> bool {
        self.spec().str_at(&["completionMode"]) == "Indexed"
    }

    /// Whether it holds its pods back.
    pub fn is_suspended(self) -> bool {
        self.spec().bool_at(&["suspend"])
    }

    /// After how many failures it gives up.
    pub fn backoff_limit(self) -> i64 {
        self.number("backoffLimit").unwrap_or(6)
    }

    /// How many failures of one index make it fail; `None` when they are counted together.
    pub fn backoff_limit_per_index(self) -> Option<i64> {
        self.number("backoffLimitPerIndex").filter(|_| self.is_indexed())
    }

    /// How many indexes may fail; `None` where there is no bound.
    pub fn max_failed_indexes(self) -> Option<i64> {
        self.number("maxFailedIndexes")
    }

    /// Seconds.
    pub fn active_deadline(self) -> Option<i64> {
        self.number("activeDeadlineSeconds")
    }

    /// Seconds.
    pub fn ttl_after_finished(self) -> Option<i64> {
        self.number("ttlSecondsAfterFinished")
    }

    /// When the controller first saw it run.
    pub fn start_time(self) -> Option<Time> {
        Time::parse(self.status().str_at(&["startTime"]))
    }

    /// Whether pods are replaced only when they have ended, and not already when they are to end.
    pub fn replaces_only_failed(self) -> bool {
        self.spec().str_at(&["podReplacementPolicy"]) == "Failed" || self.spec().has("podFailurePolicy")
    }

    /// Whether a controller other than the built-in one looks after it.
    pub fn is_managed_by_another(self) -> bool {
        let manager = self.spec().get("managedBy");
        !manager.is_null() && manager.str() != BUILT_IN_MANAGER
    }

    /// The condition `Complete` or `Failed` that is true.
    pub fn finished(self) -> Option<&'a Value> {
        let conditions = self.status().get("conditions").items().iter();
        conditions
            .filter(|c| matches!(c.str_at(&["type"]), "Complete" | "Failed"))
            .find(|c| c.str_at(&["status"]) == "True")
    }

    /// When it finished.
    pub fn finish_time(self) -> Option<Time> {
        Time::parse(self.finished()?.str_at(&["lastTransitionTime"]))
    }
}
