//! `cargo xtask test`: native tests, clients of the server, real kubectls, wasm tests in headless Chromium, and
//! the built page in Chromium. All parts run even when one fails, and a summary closes. Kubernetes' own test/cmd
//! suite runs by its name only.

use crate::Result;
use crate::shell::{self, root, run_and_read, seconds, step};
use crate::tools::{self, Browser};
use crate::{cmd, page, serve};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

struct Part {
    name: &'static str,
    passed: u64,
    failed: u64,
    time: Duration,
    result: Result<()>,
}

/// `cargo xtask test`: all parts but `cmd`, or the one that is named.
pub fn command(only: Option<&str>) -> Result<()> {
    if only == Some("cmd") && cmd::checkout().is_none() {
        println!("Skipped: KUBERNETES names no checkout of Kubernetes, whose test/cmd would run.");
        return Ok(());
    }
    let mut parts = Vec::new();
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("native") {
        parts.push(part("native", "minutes the first time", native));
    }
    if wanted("clients") {
        parts.push(part("clients of kubetab serve", "seconds, and a build", clients));
    }
    if wanted("kubectl") {
        parts.push(part(
            "kube-rs and real kubectls",
            "minutes where a kubectl is installed",
            kubectl,
        ));
    }
    if only == Some("cmd")
        && let Some(checkout) = cmd::checkout()
    {
        parts.push(part("Kubernetes' own test/cmd", "minutes", |counts| {
            cmd::run(&checkout, |passed, failed| {
                counts.passed += passed;
                counts.failed += failed;
            })
        }));
    }
    if wanted("wasm") {
        parts.push(part("wasm in headless Chromium", "minutes the first time", |counts| {
            let rust = tools::for_npm()?;
            let browser = tools::browser()?;
            wasm(&mut rust.command("wasm-pack"), &browser, counts)
        }));
    }
    if wanted("page") {
        parts.push(part(
            "the page in Chromium",
            "a minute, and the page's build",
            |counts| {
                let browser = tools::browser()?;
                page::ready()?;
                end_to_end(&browser, counts)
            },
        ));
    }
    summary(&parts)
}

fn part(name: &'static str, estimate: &str, work: impl FnOnce(&mut Counts) -> Result<()>) -> Part {
    let started = Instant::now();
    let mut counts = Counts::default();
    let mut result = step(&format!("tests: {name}"), estimate, || work(&mut counts));
    if let Err(sentence) = &result {
        eprintln!("{sentence}");
    } else if counts.passed == 0 {
        result = Err("No test ran.".to_string());
    }
    Part {
        name,
        passed: counts.passed,
        failed: counts.failed,
        time: started.elapsed(),
        result,
    }
}

fn summary(parts: &[Part]) -> Result<()> {
    println!("\n{:<28} {:>8} {:>8}  time", "tests", "passed", "failed");
    for part in parts {
        let outcome = if part.result.is_ok() { "" } else { "  FAILED" };
        println!(
            "{:<28} {:>8} {:>8}  {}{outcome}",
            part.name,
            part.passed,
            part.failed,
            seconds(part.time)
        );
    }
    let broken: Vec<&str> = parts
        .iter()
        .filter(|part| part.result.is_err())
        .map(|part| part.name)
        .collect();
    if broken.is_empty() {
        println!("All tests pass.");
        Ok(())
    } else {
        Err(format!("Tests fail: {}.", broken.join(", ")))
    }
}

/// Tests that ran, read from the closing lines of cargo's, wasm-bindgen's and node's test runners.
#[derive(Default, PartialEq, Eq, Debug)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    fn read(&mut self, line: &str) {
        if let Some((_, rest)) = line.split_once("test result: ") {
            for part in rest.split([';', '.']) {
                let mut words = part.split_whitespace();
                match (words.next().and_then(|word| word.parse::<u64>().ok()), words.next()) {
                    (Some(count), Some("passed")) => self.passed += count,
                    (Some(count), Some("failed")) => self.failed += count,
                    _ => {}
                }
            }
        }
        let mut words = line.split_whitespace();
        if let (Some("#" | "ℹ"), Some(what), Some(count), None) = (
            words.next(),
            words.next(),
            words.next().and_then(|word| word.parse::<u64>().ok()),
            words.next(),
        ) {
            match what {
                "pass" => self.passed += count,
                "fail" => self.failed += count,
                _ => {}
            }
        }
    }
}

fn native(counts: &mut Counts) -> Result<()> {
    // `--no-fail-fast`, so that one run shows all that is broken.
    run_and_read(
        shell::command("cargo").args(["test", "--workspace", "--no-fail-fast"]),
        |line| counts.read(line),
    )
}

/// Real clients against `kubetab serve`: @kubernetes/client-node.
fn clients(counts: &mut Counts) -> Result<()> {
    tools::npm_packages()?;
    shell::run(shell::command("cargo").args(["build", "--bin", "kubetab"]))?;
    let tests = tests_in("tests/clients")?;
    let mut node = shell::command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(&tests);
    if std::env::var_os("KUBETAB").is_none() {
        node.env("KUBETAB", shell::built().join("debug/kubetab"));
    }
    run_and_read(&mut node, |line| counts.read(line))
}

/// The crate kube against `kubetab serve`, and real kubectls, where there are some, compared with our own: a
/// package and a workspace of its own.
fn kubectl(counts: &mut Counts) -> Result<()> {
    shell::run(shell::command("cargo").args(["build", "--bin", "kubetab"]))?;
    run_and_read(
        shell::command("cargo")
            .args(["test", "--locked", "--manifest-path", "tests/clients/Cargo.toml"])
            .args(["--", "--nocapture"])
            .env("CARGO_TARGET_DIR", shell::built()),
        |line| counts.read(line),
    )
}

fn wasm(wasm_pack: &mut Command, browser: &Browser, counts: &mut Counts) -> Result<()> {
    // What a world came to natively, for wasm to compare itself with.
    let mut fingerprint = None;
    run_and_read(
        shell::command("cargo").args(["test", "--quiet", "--test", "determinism", "--", "--nocapture"]),
        |line| {
            if let Some(found) = line.split_once("fingerprint of seed 7: ") {
                fingerprint = Some(found.1.to_string());
            }
        },
    )?;
    let fingerprint = fingerprint.ok_or("tests/determinism.rs printed no fingerprint.")?;
    wasm_pack
        .args([
            "test",
            "--headless",
            "--chrome",
            "--mode",
            "no-install",
            "--chromedriver",
        ])
        .arg(&browser.driver)
        .arg("npm")
        .env("KUBETAB_FINGERPRINT", fingerprint)
        // The default of 20 s is short for a browser's first start on a busy machine.
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120");
    run_and_read(wasm_pack, |line| counts.read(line))
}

/// The test files of node in a folder.
fn tests_in(folder: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root().join(folder)).map_err(|error| format!("Cannot read {folder}: {error}."))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
}

fn end_to_end(browser: &Browser, counts: &mut Counts) -> Result<()> {
    let files = tests_in("tests/e2e")?;
    let url = serve::in_background()?;
    let mut node = shell::command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(&files)
        .env("KUBETAB_URL", url)
        .env("CHROMIUM", &browser.chromium);
    run_and_read(&mut node, |line| counts.read(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "ℹ pass 4",
            "# fail 2",
            "# pass through this gate",
        ] {
            counts.read(line);
        }
        assert_eq!(counts, Counts { passed: 18, failed: 3 });
    }
}
