#![no_main]

#[path = "../entries.rs"]
#[allow(dead_code)]
mod entries;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Command lines so far: an input has many, and libFuzzer counts inputs.
static LINES: AtomicUsize = AtomicUsize::new(0);
/// After so many lines the figure is printed.
const REPORT: usize = 10_000;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    entries::command(data);
    let new = entries::command_lines(data).count();
    let before = LINES.fetch_add(new, Ordering::Relaxed);
    if before / REPORT != (before + new) / REPORT {
        eprintln!("{} command lines", before + new);
    }
});
