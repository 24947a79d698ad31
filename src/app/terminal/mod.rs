//! The terminal: xterm.js over the line editor and the shell of the student's host.

#[cfg(target_arch = "wasm32")]
mod glue;
mod hints;
#[cfg(target_arch = "wasm32")]
pub mod session;
#[cfg(target_arch = "wasm32")]
mod view;

#[cfg(target_arch = "wasm32")]
pub use glue::focus as focus_terminal;
#[cfg(target_arch = "wasm32")]
pub use view::{SessionRef, Terminal};
