//! A `kubetab serve` in a process of its own, for the tests of real clients.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server, ended when it is dropped.
pub struct Server {
    process: Child,
    lines: BufReader<ChildStdout>,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command to test: `$KUBETAB`, or the one that this build's folder holds.
///
/// # Panics
/// When there is none.
pub fn kubetab() -> PathBuf {
    if let Some(path) = std::env::var_os("KUBETAB") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test knows where it is");
    let built = own.ancestors().nth(2).expect("target/debug/deps/test").join("kubetab");
    assert!(built.is_file(), "build it first: cargo build --bin kubetab");
    built
}

impl Server {
    /// Starts a server whose kubeconfig is written into `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path, flags: &[&str]) -> Server {
        let kubeconfig = folder.join("kubeconfig");
        let mut process = Command::new(kubetab())
            .args(["serve", "--port", "0", "--kubeconfig"])
            .arg(&kubeconfig)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubetab starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("kubetab says that it serves");
        assert!(line.contains("serves"), "{line}");
        Server {
            process,
            lines,
            kubeconfig,
        }
    }

    /// Moves a paused clock, by seconds or to a time, and returns the time that it then has.
    ///
    /// # Panics
    /// When the server has ended.
    pub fn step(&mut self, text: &str) -> String {
        let stdin = self.process.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{text}").expect("kubetab runs");
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("kubetab answers");
        line.trim().to_owned()
    }
}

/// A folder that is removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// # Panics
    /// When it cannot be made.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("kubetab-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder takes folders");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
