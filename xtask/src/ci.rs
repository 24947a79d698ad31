//! `cargo xtask ci`: formatting, clippy for native and wasm, then all tests.

use crate::Result;
use crate::rust::{TARGET, WasmRust};
use crate::shell::{self, run, step};
use crate::test;

/// `cargo xtask ci`. Formatting and lints end it at once; they are quick to mend.
pub fn command() -> Result<()> {
    step("rustfmt", "seconds", || {
        run(shell::command("cargo").args(["fmt", "--all", "--check"]))
    })
    .map_err(|_| "The formatting differs from rustfmt's: run `cargo fmt --all`.".to_string())?;
    step("clippy, native", "minutes the first time", || {
        run(shell::command("cargo").args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    })?;
    // The tests of real clients are a workspace of their own.
    step("rustfmt and clippy, clients", "a minute the first time", || {
        let clients = ["--manifest-path", "tests/clients/Cargo.toml"];
        run(shell::command("cargo").arg("fmt").args(clients).arg("--check"))?;
        run(shell::command("cargo")
            .args(["clippy", "--all-targets"])
            .args(clients)
            .args(["--", "--deny", "warnings"])
            .env("CARGO_TARGET_DIR", shell::built()))
    })?;
    let rust = WasmRust::ready()?;
    match rust.lacks_clippy() {
        Some(sentence) => println!("==> clippy, wasm: skipped. {sentence}"),
        None => step("clippy, wasm", "a minute or two the first time", || {
            run(rust
                .command("cargo")
                // What is built for wasm: the library, the page, the npm package, jq; not the native command.
                .args(["clippy", "--package", "kubetab", "--package", "kubetab-npm"])
                .args(["--package", "kubetab-jq-wasm"])
                .args(["--lib", "--bin", "kubetab-page", "--no-default-features"])
                .args(["--target", TARGET, "--", "--deny", "warnings"]))?;
            // Alone: it has the library without the JS API.
            run(rust
                .command("cargo")
                .args(["clippy", "--package", "kubetab-kustomize-wasm", "--target", TARGET])
                .args(["--", "--deny", "warnings"]))
        })?,
    }
    test::command(None)
}
