//! The living picture: draws what the trace says and nothing else.

pub mod flight;
pub mod layout;
pub mod model;
pub mod narration;
pub mod node;
pub mod place;
pub mod pod;
pub mod service;
pub mod show;
#[cfg(test)]
mod story;
#[cfg(target_arch = "wasm32")]
pub mod view;
pub mod workload;
