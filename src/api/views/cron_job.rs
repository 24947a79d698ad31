//! A view of cron jobs.

use crate::api::Object;
use crate::sim::Time;
use crate::value::Value;

/// A cron job.
#[derive(Clone, Copy)]
pub struct CronJob<'a>(pub &'a Object);

impl<'a> CronJob<'a> {
    /// `spec`.
    pub fn spec(self) -> &'a Value {
        self.0.spec()
    }

    /// Its schedule in cron's format.
    pub fn schedule(self) -> &'a str {
        self.spec().str_at(&["schedule"])
    }

    /// Empty for that of the controller, which is UTC.
    pub fn time_zone(self) -> &'a str {
        self.spec().str_at(&["timeZone"])
    }

    /// Whether it makes no Jobs for now.
    pub fn is_suspended(self) -> bool {
        self.spec().bool_at(&["suspend"])
    }

    /// `Allow`, `Forbid` or `Replace`.
    pub fn concurrency_policy(self) -> &'a str {
        self.spec().str_at(&["concurrencyPolicy"])
    }

    /// Seconds; `None` for no end.
    pub fn starting_deadline(self) -> Option<i64> {
        self.spec().i64_at(&["startingDeadlineSeconds"])
    }

    /// How many jobs that succeeded, and that failed, are kept; `None` for all.
    pub fn history_limits(self) -> (Option<i64>, Option<i64>) {
        (
            self.spec().i64_at(&["successfulJobsHistoryLimit"]),
            self.spec().i64_at(&["failedJobsHistoryLimit"]),
        )
    }

    /// The time of the last run that was due and was made.
    pub fn last_schedule(self) -> Option<Time> {
        Time::parse(self.0.status().str_at(&["lastScheduleTime"]))
    }
}
