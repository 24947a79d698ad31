//! `cargo xtask test cmd`: Kubernetes' own `test/cmd` suite, from a checkout of Kubernetes, against
//! `kubetab serve`. Nothing of the suite stands in this project: `tests/clients/cmd.sh` sources the
//! checkout's scripts.

use crate::Result;
use crate::shell::{self, root, run_and_read};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// The functions that fail, and why.
const FAILURES: &str = "tests/clients/cmd_failures.txt";

/// Which functions passed and which failed.
#[derive(Debug, Default)]
struct Outcome {
    passed: Vec<String>,
    failed: Vec<String>,
}

impl Outcome {
    /// Takes a line that tells of a function: `passed`, its name and its seconds.
    fn read(&mut self, line: &str) {
        let mut words = line.split(' ');
        let list = match words.next() {
            Some("passed") => &mut self.passed,
            Some("failed") => &mut self.failed,
            _ => return,
        };
        list.extend(words.next().map(str::to_owned));
    }

    /// What is not as the list of failures says. What each function printed is in the folder `logs`.
    fn check(&self, known: &BTreeSet<&str>, logs: &Path) -> Result<()> {
        for name in self.passed.iter().filter(|name| known.contains(name.as_str())) {
            println!("{name} passes here; {FAILURES} lists it.");
        }
        let new = self.failed.iter().filter(|name| !known.contains(name.as_str()));
        let new: Vec<&str> = new.map(String::as_str).collect();
        if new.is_empty() {
            return Ok(());
        }
        Err(format!(
            "These functions fail and {FAILURES} does not list them: {}. What each printed is in {}.",
            new.join(", "),
            logs.display()
        ))
    }
}

/// The names of a list with `name: reason` a line; the reasons are for its readers.
fn failures(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect()
}

/// The server, which ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts a server as hack/make-rules/test-cmd.sh starts a control plane; gives its port.
fn serve(checkout: &Path, files: &Path) -> Result<(Server, String)> {
    let data = checkout.join("hack/testdata");
    let mut command = shell::command(shell::built().join("debug/kubetab"));
    command
        .args(["serve", "--port=0", "--no-kubelet", "--no-scheduler"])
        .arg("--authorization-mode=RBAC,AlwaysAllow")
        .arg("--token-auth-file")
        .arg(data.join("auth-tokens.csv"))
        .arg("--client-ca-file")
        .arg(data.join("ca.crt"))
        .arg("--cert-dir")
        .arg(files)
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("Cannot start kubetab serve: {error}."))?;
    let stdout = child.stdout.take();
    let server = Server(child);
    let mut line = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut line).ok();
    }
    let port = line.trim().rsplit_once(':').map(|(_, port)| port.to_owned());
    let port = port.ok_or("kubetab serve did not start; what it says stands above.")?;
    Ok((server, port))
}

/// The checkout that the environment names.
pub fn checkout() -> Option<PathBuf> {
    std::env::var_os("KUBERNETES").map(PathBuf::from)
}

/// Runs the suite of a checkout; `counts` gets how many functions passed and failed.
///
/// # Errors
/// What keeps it from running, and the functions that fail and are not listed.
pub fn run(checkout: &Path, mut counts: impl FnMut(u64, u64)) -> Result<()> {
    if !checkout.join("test/cmd/legacy-script.sh").is_file() {
        return Err(format!("{} is no checkout of Kubernetes.", checkout.display()));
    }
    let checkout = checkout
        .canonicalize()
        .map_err(|error| format!("Cannot read {}: {error}.", checkout.display()))?;
    let kubectl = std::env::var_os("KUBECTL").map_or_else(|| PathBuf::from("kubectl"), PathBuf::from);
    // As a shell finds it: a name without a slash is one on the PATH.
    let kubectl = match kubectl.components().count() {
        1 => shell::which(&kubectl),
        _ => Some(kubectl),
    };
    let kubectl = kubectl
        .and_then(|path| path.canonicalize().ok())
        .ok_or("No kubectl: install one, or name one in KUBECTL.")?;
    shell::run(shell::command("cargo").args(["build", "--bin", "kubetab"]))?;
    let logs = shell::built().join("cmd");
    // The suite's scripts look for the server's certificate where temporary files are.
    let files = logs.join("tmp");
    std::fs::create_dir_all(&files).map_err(|error| format!("Cannot make {}: {error}.", files.display()))?;
    let (server, port) = serve(&checkout, &files)?;
    let mut outcome = Outcome::default();
    let mut suite = shell::command("bash");
    suite
        .arg(root().join("tests/clients/cmd.sh"))
        .current_dir(&checkout)
        .env("KUBECTL", kubectl)
        .env("SECURE_API_PORT", port)
        .env("LOGS", &logs)
        .env("TMPDIR", &files)
        .stdin(Stdio::null());
    let ended = run_and_read(&mut suite, |line| outcome.read(line));
    drop(server);
    counts(outcome.passed.len() as u64, outcome.failed.len() as u64);
    ended?;
    let text = std::fs::read_to_string(root().join(FAILURES)).unwrap_or_default();
    outcome.check(&failures(&text), &logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_that_are_not_listed_count() {
        let known = failures("# why: this\nrun_a_tests: not simulated: really\n");
        assert_eq!(known, BTreeSet::from(["run_a_tests"]));
        let logs = Path::new("there/cmd");
        let mut outcome = Outcome::default();
        for line in ["passed run_b_tests 3", "failed run_a_tests 1", "other words"] {
            outcome.read(line);
        }
        assert_eq!((outcome.passed.len(), outcome.failed.len()), (1, 1));
        assert!(outcome.check(&known, logs).is_ok());
        outcome.read("failed run_c_tests 0");
        let said = outcome.check(&known, logs).unwrap_err();
        assert!(
            said.ends_with(": run_c_tests. What each printed is in there/cmd."),
            "{said}"
        );
    }
}
