//! Building the page (Trunk, into dist/) and the npm package (wasm-pack, into pkg/).

use crate::Result;
use crate::rust::{WasmRust, write};
use crate::shell::{root, run, step};
use crate::tools;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// What the page is made of. When none of it changed, dist/ is what a build would give.
const INPUTS: [&str; 14] = [
    "src",
    // Modules that are loaded later.
    "jq",
    "kustomize",
    "www",
    "build.rs",
    "docs/simulated.md",
    // Makes the texts of `kubectl explain`, of help and of downloads.
    "xtask/src/docs.rs",
    "xtask/src/modules.rs",
    "Cargo.toml",
    "Cargo.lock",
    "Trunk.toml",
    "rust-toolchain.toml",
    "package-lock.json",
    ".cargo",
];

/// The texts of `kubectl explain`, of help and of downloads, which the page and the npm package load when they are first needed.
pub const TEXTS: &str = "www/vendor/explain.txt";

/// The hash of the inputs that dist/ was built from.
const STAMP: &str = "dist/.inputs";

/// `cargo xtask build`.
pub fn command() -> Result<()> {
    let rust = tools::for_npm()?;
    build_page(rust)?;
    build_npm(rust)?;
    crate::report::sizes();
    Ok(())
}

/// The page in dist/, built unless it stands there already.
pub fn ready() -> Result<()> {
    let inputs = fingerprint();
    if std::fs::read_to_string(root().join(STAMP)).is_ok_and(|stamp| stamp == inputs) {
        println!("The page in dist/ is up to date.");
        return Ok(());
    }
    build_page(tools::for_page()?)
}

fn build_page(rust: WasmRust) -> Result<()> {
    let inputs = fingerprint();
    step(
        "building the page (Trunk, release)",
        "3 to 6 minutes the first time on two cores",
        || {
            run(rust
                .command("trunk")
                .args(["build", "--release"])
                .env_remove("NO_COLOR"))
        },
    )?;
    write(&root().join(STAMP), &inputs)
}

fn build_npm(rust: WasmRust) -> Result<()> {
    step(
        "building the npm package (wasm-pack)",
        "3 to 6 minutes the first time on two cores",
        || {
            run(rust.command("wasm-pack").args([
                "build",
                "npm",
                "--release",
                "--mode",
                "no-install",
                "--target",
                "web",
                "--out-dir",
                "../pkg",
                "--out-name",
                "kubetab",
            ]))
        },
    )?;
    // The crate cannot bear the name of the package beside it; the npm package can.
    let manifest = root().join("pkg/package.json");
    let text = std::fs::read_to_string(&manifest).map_err(|error| format!("Cannot read pkg/package.json: {error}."))?;
    // The texts of `kubectl explain`, of help and of downloads lie beside the module, which loads them when they are first needed.
    crate::docs::run(&root(), &root().join("pkg/explain.txt"))?;
    crate::modules::build(&root().join("pkg"))?;
    let modules = crate::modules::MODULES.map(|(file, _)| file);
    let beside: String = ["explain.txt"]
        .iter()
        .chain(&modules)
        .map(|file| format!("\"{file}\",\n    "))
        .collect();
    let text = text.replacen("\"kubetab-npm\"", "\"kubetab\"", 1).replacen(
        "\"kubetab_bg.wasm\",",
        &format!("{beside}\"kubetab_bg.wasm\","),
        1,
    );
    write(&manifest, &text)?;
    std::fs::copy(root().join("README.md"), root().join("pkg/README.md")).ok();
    step("wasm-opt", "half a minute", || {
        run(rust
            .command("node")
            .args(["www/shrink.mjs", "pkg/kubetab_bg.wasm"])
            .args(modules.map(|file| format!("pkg/{file}"))))
    })
}

/// A hash over names and contents of all inputs, in a fixed order.
fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    for input in INPUTS {
        add(&root().join(input), &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn add(path: &Path, hasher: &mut DefaultHasher) {
    if path.is_dir() {
        // Bundles are made from package-lock.json and www/bundle, which count themselves.
        if path.ends_with("www/vendor") {
            return;
        }
        let mut entries: Vec<_> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        entries.sort();
        for entry in entries {
            add(&entry, hasher);
        }
    } else if let Ok(bytes) = std::fs::read(path) {
        path.strip_prefix(root()).unwrap_or(path).hash(hasher);
        bytes.hash(hasher);
    }
}
