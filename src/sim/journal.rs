//! The journal: every input that a world got from outside, with the place in its course at which it
//! came. A seed and a journal give the same world again, byte for byte.

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::limits;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<I> {
    /// [`Sim::steps`](super::Sim::steps) when it came.
    pub steps: u64,
    /// Virtual time when it came, in microseconds since the Unix epoch.
    pub micros: u64,
    pub input: I,
}

/// Every input of a world, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal<I> {
    pub seed: u64,
    /// The virtual time that the world began at, in microseconds since the Unix epoch.
    pub start: u64,
    pub entries: Vec<Entry<I>>,
    /// Inputs came after the journal was full: it no longer tells the whole course.
    pub truncated: bool,
}

impl<I> Journal<I> {
    pub fn new(seed: u64, start: Time) -> Journal<I> {
        Journal {
            seed,
            start: start.0,
            entries: Vec::new(),
            truncated: false,
        }
    }

    /// Notes an input. Past [`limits::JOURNAL_ENTRIES`] it only notes that something is missing.
    pub fn push(&mut self, steps: u64, time: Time, input: I) {
        if self.entries.len() >= limits::JOURNAL_ENTRIES {
            self.truncated = true;
            return;
        }
        self.entries.push(Entry {
            steps,
            micros: time.0,
            input,
        });
    }
}
