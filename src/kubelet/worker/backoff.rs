//! The delays of restarts and pulls, which double.

use std::time::Duration;

use crate::sim::Time;

/// The first delay of a restart and of a pull's repetition, and the longest.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MOST: Duration = Duration::from_secs(300);

/// A run of this length ends a series of back-offs.
const BACKOFF_RESET: Duration = Duration::from_secs(600);

/// A delay that doubles, as client-go's `flowcontrol.Backoff`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Series {
    pub(super) delay: Duration,
    pub(super) last: Time,
}

impl Series {
    /// When the event at `event` may be tried again; `None` when at once.
    pub(super) fn until(self, event: Time, now: Time) -> Option<Time> {
        if self.delay.is_zero() || event.since(self.last) > BACKOFF_RESET {
            return None;
        }
        let end = event + self.delay;
        (now < end).then_some(end)
    }

    /// Counts one more try.
    pub(super) fn next(&mut self, event: Time, now: Time) {
        let fresh = self.delay.is_zero() || event.since(self.last) > BACKOFF_RESET;
        self.delay = if fresh {
            BACKOFF
        } else {
            (self.delay * 2).min(BACKOFF_MOST)
        };
        self.last = now;
    }
}
