//! The simulation kernel: a virtual clock, an event queue, a seeded generator, an async executor on
//! virtual time, the trace and the journal. Knows nothing of Kubernetes but the trace's event types,
//! and nothing of the machine that it runs on: no wall clock, no threads, no files.
//!
//! One world is one [`Sim`]. Everything that happens in it is an async task polled in a fixed order,
//! so that the same seed and the same inputs give the same world, natively and in wasm.

mod executor;
mod join;
mod journal;
mod outside;
mod queue;
mod time;
mod trace;

pub use executor::{Sim, Sleep, TaskHandle, timeout, uuid_from};
pub use join::join_all;
pub use journal::{Entry, Journal};
pub use outside::{Outside, Source};
pub use queue::{Signal, WorkQueue};
pub use time::{Time, civil_from_days, seconds};
pub use trace::{
    ContainerChange, Hop, NodeVerdict, Outcome, RequestId, Trace, TraceEvent, TraceRecord, Verdict, WriteKind,
};
