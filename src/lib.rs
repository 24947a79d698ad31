//! kubetab: a Kubernetes cluster simulated in one deterministic world.
//!
//! ARCHITECTURE.md is the map. Layers, each of which knows only those below it: `wasm` (the JS API; the page's
//! `app` uses the same library) → `world` → `kubectl`, `kubelet`, `programs`, `net`, `controllers`, `scheduler`
//! → `api`, `shell` → `pki` → `sim` → `value` → `flat`, `limits`. `tests/tidy.rs` holds them exactly.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo
    )
)]

pub mod api;
pub mod controllers;
pub mod flat;
pub mod kubectl;
pub mod kubelet;
pub mod limits;
pub mod net;
pub mod pki;
pub mod programs;
pub mod scheduler;
pub mod shell;
pub mod sim;
pub mod value;
#[cfg(all(target_arch = "wasm32", not(feature = "module")))]
pub mod wasm;
pub mod world;
