//! Running other programs: looking them up, waiting for them, and saying plainly what failed.

use crate::Result;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The project's root: the folder above this package.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Where cargo, which we run in the root, puts what it builds of this project, so that other workspaces build
/// into it too.
pub fn built() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A command in the project's root, without what `cargo run` put into our environment: another
/// cargo or rustc (the distribution's, for wasm) must not be led to this one's libraries.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let from_cargo = name == "CARGO"
            || name == "LD_LIBRARY_PATH"
            || name == "OUT_DIR"
            || name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name.starts_with("CARGO_BIN_");
        if from_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Where `program` is on the PATH.
pub fn which(program: impl AsRef<Path>) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&program))
        .find(|path| path.is_file())
}

/// Runs to the end with our own input and output.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| format!("Cannot start {}: {error}.", words(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status}).", words(command)))
    }
}

/// Runs to the end and shows what it printed only when it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .map_err(|error| format!("Cannot start {}: {error}.", words(command)))?;
    if output.status.success() {
        return Ok(());
    }
    // The end tells what went wrong; what came before it is progress.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(30)..)
        .unwrap_or_default()
        .join("\n");
    Err(format!(
        "{} failed ({}). Its last lines:\n{end}",
        words(command),
        output.status
    ))
}

/// What the command prints to its standard output, or None when it cannot run or fails.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end, showing its output as it comes, and hands each line of it to `line` as well.
pub fn run_and_read(command: &mut Command, mut line: impl FnMut(&str)) -> Result<()> {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("Cannot start {}: {error}.", words(command)))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while reader
            .by_ref()
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|count| count > 0)
        {
            std::io::stdout()
                .write_all(&bytes)
                .and_then(|()| std::io::stdout().flush())
                .ok();
            line(String::from_utf8_lossy(&bytes).trim_end());
            bytes.clear();
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("Lost {}: {error}.", words(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status}).", words(command)))
    }
}

/// The command as one would type it, for messages.
pub fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    format!("`{text}`")
}

/// Says what is being done and roughly how long it takes, does it, and says how long it took.
pub fn step<T>(what: &str, estimate: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {what} ({estimate})");
    let started = Instant::now();
    let result = work();
    let outcome = if result.is_ok() { "done" } else { "FAILED" };
    println!("    {outcome}: {what}, {}", seconds(started.elapsed()));
    result
}

/// `4.2 s`, or `3 min 20 s`.
pub fn seconds(time: Duration) -> String {
    let total = time.as_secs();
    if total < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {} s", total / 60, total % 60)
    }
}
