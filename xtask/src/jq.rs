//! The module of `jq`: `jq/wasm`, which the page and the npm package load when `jq` is first used.

use crate::Result;
use crate::rust::{TARGET, WasmRust};
use crate::shell::{built, run, step};
use std::path::Path;

/// Where the page has it.
pub const MODULE: &str = "www/vendor/jq.wasm";

/// Builds the module and puts it at `to`. It is not shrunk yet (`www/shrink.mjs`).
pub fn build(to: &Path) -> Result<()> {
    let rust = WasmRust::ready()?;
    step("building the module of jq", "a minute the first time", || {
        run(rust.command("cargo").args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "kubetab-jq-wasm",
            "--target",
            TARGET,
        ]))
    })?;
    let from = built().join(TARGET).join("release/kubetab_jq_wasm.wasm");
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("Cannot read {}: {error}.", path.display()));
    let module = read(&from)?;
    // A file that did not change keeps its time, so that nobody who watches it builds again.
    if std::fs::read(to).is_ok_and(|old| old == module) {
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| std::fs::write(to, module))
        .map_err(|error| format!("Cannot write {}: {error}.", to.display()))
}
