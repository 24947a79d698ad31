//! What one run may use. The interpreter recurses and knows no limits of its own, so they are kept here: it asks for its
//! table of terms before each step ([`crate::engine`]), and values count what they hold when they are made.
//!
//! The counters belong to the thread, since arithmetic on values is given nothing but the values. A run begins them anew.

use std::cell::Cell;

use crate::{Limits, TOO_DEEP};

/// Why a run was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It took too many steps.
    Steps,
    /// It made too many bytes of values.
    Bytes,
    /// It called itself too deeply.
    Calls,
    /// It printed too much.
    Output,
    /// It made a value whose arrays and objects are nested too deeply.
    Nesting,
}

impl Trouble {
    /// What jq says of it.
    pub fn sentence(self) -> &'static str {
        match self {
            Trouble::Steps => "the program was ended: it takes more steps than the simulation gives to one jq",
            Trouble::Bytes => "the program was ended: it makes more values than the simulation gives room to one jq",
            Trouble::Calls => TOO_DEEP,
            Trouble::Output => "the program was ended: it prints more than the simulation takes from one jq",
            Trouble::Nesting => "the program was ended: it makes a value that is nested too deeply",
        }
    }
}

struct Counters {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    nesting: Cell<u32>,
    /// Where the stack was when the run began, and how far from there it may go.
    base: Cell<usize>,
    stack: Cell<usize>,
    trouble: Cell<Option<Trouble>>,
}

thread_local! {
    static COUNTERS: Counters = const {
        Counters {
            steps: Cell::new(0),
            bytes: Cell::new(0),
            nesting: Cell::new(0),
            base: Cell::new(0),
            stack: Cell::new(0),
            trouble: Cell::new(None),
        }
    };
}

/// Roughly where the stack ends now. Not inlined, so that it is a frame of its own and not one of a caller's.
#[inline(never)]
fn here() -> usize {
    let mark = 0u8;
    std::hint::black_box(std::ptr::from_ref(&mark)).addr()
}

/// Begins a run.
pub fn begin(limits: &Limits) {
    COUNTERS.with(|c| {
        c.steps.set(limits.steps);
        c.bytes.set(limits.bytes);
        c.nesting.set(limits.nesting);
        c.stack.set(limits.stack);
        c.base.set(here());
        c.trouble.set(None);
    });
}

/// Why the run has to end, if it has.
pub fn trouble() -> Option<Trouble> {
    COUNTERS.with(|c| c.trouble.get())
}

/// Ends the run.
pub fn fail(trouble: Trouble) {
    COUNTERS.with(|c| {
        if c.trouble.get().is_none() {
            c.trouble.set(Some(trouble));
        }
    });
}

/// Counts a step; whether the run may go on.
pub fn step() -> bool {
    COUNTERS.with(|c| {
        match c.steps.get().checked_sub(1) {
            Some(left) => c.steps.set(left),
            None => fail(Trouble::Steps),
        }
        if here().abs_diff(c.base.get()) > c.stack.get() {
            fail(Trouble::Calls);
        }
        c.trouble.get().is_none()
    })
}

/// Bytes that are copied or looked at in the time of a step.
const STEP: usize = 1024;

/// Counts the steps that it takes to go through so many bytes; whether the run may go on.
pub fn scan(bytes: usize) -> bool {
    steps(bytes / STEP)
}

/// Counts so many steps and one more; whether the run may go on.
pub fn steps(count: usize) -> bool {
    COUNTERS.with(|c| {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        c.steps.set(c.steps.get().saturating_sub(count));
    });
    step()
}

/// How many bytes values may still have.
pub fn left() -> usize {
    COUNTERS.with(|c| usize::try_from(c.bytes.get()).unwrap_or(usize::MAX))
}

/// Counts bytes of values; whether the run may go on.
pub fn take(bytes: usize) -> bool {
    COUNTERS.with(|c| {
        match c.bytes.get().checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX)) {
            Some(left) => c.bytes.set(left),
            None => fail(Trouble::Bytes),
        }
        c.trouble.get().is_none()
    })
}

/// Whether a value may be nested so deeply.
pub fn nest(depth: u32) -> bool {
    COUNTERS.with(|c| {
        if depth > c.nesting.get() {
            fail(Trouble::Nesting);
        }
        c.trouble.get().is_none()
    })
}
