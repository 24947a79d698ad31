//! Gathers the texts of `kubectl explain`, from a dependency's documentation, of help and of downloads for native
//! builds, which hold them. Builds for wasm fetch them when they are first needed: `cargo xtask docs` writes that file.

#[path = "xtask/src/docs.rs"]
mod docs;

use std::path::PathBuf;

fn main() {
    for input in [
        "build.rs",
        "xtask/src/docs.rs",
        "src/api/data/types.txt",
        docs::HELP,
        docs::DOWNLOADS,
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={input}");
    }
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        return;
    }
    let folder = |name: &str| PathBuf::from(std::env::var(name).unwrap_or_else(|_| ".".into()));
    let text = docs::generate(&folder("CARGO_MANIFEST_DIR")).unwrap_or_else(|why| {
        // Everything else works without them, and explain says that they are missing.
        println!("cargo::warning=kubectl's explain and help will have no texts, and there are no downloads: {why}");
        String::new()
    });
    if let Err(why) = std::fs::write(folder("OUT_DIR").join("docs.txt"), text) {
        println!("cargo::error=cannot write the texts of explain, help and downloads: {why}");
    }
}
