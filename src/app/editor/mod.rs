//! The YAML pane: an editor with samples, Apply, and errors at their places.

pub mod answers;
#[cfg(target_arch = "wasm32")]
mod glue;
pub mod problems;
pub mod samples;
#[cfg(target_arch = "wasm32")]
mod view;

#[cfg(target_arch = "wasm32")]
pub use view::{Editor, Report, Sheet};
