//! The modules that the page and the npm package load when they first need them: `jq.wasm` and `kustomize.wasm`.

use crate::Result;
use crate::rust::{TARGET, WasmRust};
use crate::shell::{built, run, step};
use std::path::Path;

/// Where the page has them.
pub const FOLDER: &str = "www/vendor";

/// A module's file, and the package that it is built from.
pub const MODULES: [(&str, &str); 2] = [
    ("jq.wasm", "kubetab-jq-wasm"),
    ("kustomize.wasm", "kubetab-kustomize-wasm"),
];

/// Builds the modules into a folder. They are not shrunk yet (`www/shrink.mjs`).
pub fn build(to: &Path) -> Result<()> {
    let rust = WasmRust::ready()?;
    for (file, package) in MODULES {
        let what = format!("building {file}");
        step(&what, "one to three minutes the first time", || {
            // Each alone: what one asks of the library is not for the others.
            run(rust.command("cargo").args([
                "build",
                "--quiet",
                "--release",
                "--package",
                package,
                "--target",
                TARGET,
            ]))
        })?;
        let from = format!("{TARGET}/release/{}.wasm", package.replace('-', "_"));
        copy(&built().join(from), &to.join(file))?;
    }
    Ok(())
}

/// Copies a file. One that did not change keeps its time, so that nobody who watches it builds again.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let module = std::fs::read(from).map_err(|error| format!("Cannot read {}: {error}.", from.display()))?;
    if std::fs::read(to).is_ok_and(|old| old == module) {
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| std::fs::write(to, module))
        .map_err(|error| format!("Cannot write {}: {error}.", to.display()))
}
