//! jq for kubetab's shell: one pure function from a program, its arguments, texts, an environment and a time to what is
//! printed. It reads no clock, no environment and no files.
//!
//! jaq's interpreter (jaq-core) runs the programs. Values, the reading and writing of JSON, and what jq has built in are
//! here, since a student is to see jq's numbers, orders and sentences ([`engine`]).
//!
//! The messages that go to it and come back are texts of bytes ([`Request::to_bytes`]), so that the interpreter may be a
//! module of its own, which the page loads when it first needs it. Without the feature `engine` only they are here.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented,
    clippy::dbg_macro
)]

#[cfg(feature = "engine")]
mod budget;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod formats;
mod message;
#[cfg(feature = "engine")]
mod natives;
#[cfg(feature = "engine")]
mod number;
#[cfg(feature = "engine")]
mod program;
#[cfg(feature = "engine")]
mod read;
#[cfg(feature = "engine")]
mod regex;
#[cfg(feature = "engine")]
mod rewrite;
#[cfg(feature = "engine")]
mod time;
#[cfg(feature = "engine")]
mod value;
#[cfg(feature = "engine")]
mod write;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use engine::run_apart;
#[cfg(feature = "engine")]
pub use engine::{run, run_message};
pub use message::{Argument, Chunk, Input, Limits, Options, Request, Response, TOO_DEEP, USAGE};
