//! Real kubectls against `kubetab serve`, and our own kubectl in an equal world, must print the same
//! and end with the same code: every command of the scenarios `tests/transcripts/kubectl-*.scn`, which a
//! real cluster was recorded with too, and of `scenarios/*.scn` beside this package, which reach further.
//! The clock is paused, and both sides move alike. The latter find the files of `scenarios/files`, and
//! run with a kubectl of kubetab's own version only: older ones differ there by their age in too much.
//!
//! Commands that differ stand in `differences.txt` beside this package, one a line: the version, the
//! scenario, the command's number and its first line. The test fails when another one differs, and when
//! one of the list is equal, unless the line ends with `sometimes`; `UPDATE_DIFFERENCES=1` writes the
//! lines of the versions that ran anew.
//!
//! The newest kubectl runs that the list has and this machine holds, looked for in `$PATH` and the usual
//! folders; `KUBECTLS` names others (paths with colons between them). `DIFFERENTIAL=NAME` runs the
//! scenarios whose names begin so and prints their differences; `DIFFERENCES=FILE` keeps all of them in
//! a file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fancy_regex::Regex;
use kubetab::sim::Time;
use kubetab::world::{Input, Options, Scenario, Step, World};
use kubetab_clients::{Folder, Server};

/// A kubectl and its minor version.
struct Kubectl {
    minor: u32,
    path: PathBuf,
}

/// The minor version that kubetab's own kubectl is.
const OWN: u32 = 36;

/// The list of commands that differ.
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/differences.txt");

/// Ends a line of the list whose command differs in some runs only: kubectl prints a map of Go's in any
/// order, or the two sides race.
const SOMETIMES: &str = "\tsometimes";

/// The kubectls to test: those that `$KUBECTLS` names, else the newest one here that the list has.
fn kubectls(listed: &BTreeSet<u32>) -> Vec<Kubectl> {
    let named = std::env::var_os("KUBECTLS");
    let chosen = named.is_some();
    let paths: Vec<PathBuf> = match named {
        Some(list) => std::env::split_paths(&list).collect(),
        None => {
            let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default();
            let usual = [
                "/usr/local/bin",
                "/usr/bin",
                "/snap/bin",
                "/opt/homebrew/bin",
                "/usr/lib/google-cloud-sdk/bin",
            ];
            folders.extend(usual.map(PathBuf::from));
            let files = folders
                .iter()
                .filter_map(|f| std::fs::read_dir(f).ok())
                .flatten()
                .flatten();
            let mut found: Vec<PathBuf> = files
                .map(|entry| entry.path())
                .filter(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    name == "kubectl"
                        || name
                            .strip_prefix("kubectl.1.")
                            .is_some_and(|v| v.parse::<u32>().is_ok())
                })
                .collect();
            found.sort();
            found.dedup();
            found
        }
    };
    let mut all: BTreeMap<u32, PathBuf> = BTreeMap::new();
    for path in paths {
        let output = Command::new(&path).args(["version", "--client"]).output();
        let text = output
            .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
            .unwrap_or_default();
        let minor = text
            .split_once("v1.")
            .and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
        // A dispatcher stands for whichever version the server has.
        let minor = minor.filter(|_| !text.contains("dispatcher"));
        assert!(
            minor.is_some() || !chosen,
            "KUBECTLS names {}, which is no kubectl that runs and tells its version",
            path.display()
        );
        if let Some(minor) = minor {
            all.entry(minor).or_insert(path);
        }
    }
    let all = all.into_iter().rev().map(|(minor, path)| Kubectl { minor, path });
    match chosen {
        true => all.collect(),
        false => all.filter(|k| listed.contains(&k.minor)).take(1).collect(),
    }
}

/// The minor version that a line of the list is about.
fn version(line: &str) -> Option<u32> {
    line.strip_prefix("1.")?.split('\t').next()?.parse().ok()
}

/// What varies between two equal worlds: random names, numbers of versions, times and ages.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let places = [
        (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<UID>"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)", "<TIME>"),
        (r"\w{3}, \d\d \w{3} \d{4} [0-9:]+ [+-]\d{4}", "<TIME>"),
        (r"\d{4}-\d\d-\d\d [0-9:.]+ [+-]\d{4}( \w+)?", "<TIME>"),
        (r"resourceVersion: \\?.\d+.", "resourceVersion: <RV>"),
        (r"Resource Version: +\d+", "Resource Version: <RV>"),
        (
            r"\x22resourceVersion\x22: ?\x22\d+\x22",
            "\x22resourceVersion\x22: <RV>",
        ),
        (r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+\]", "<KLOG>"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-<RAND>"),
        (r"\b[0-9a-f]{64}\b", "<ID>"),
        // The name of an event has the time in nanoseconds.
        (r"\.[0-9a-f]{16}\b", ".<TIME>"),
        (r"\b10\.(?:9[6-9]|10\d|11[01])\.\d+\.\d+\b", "<CLUSTER-IP>"),
        (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<TOKEN>"),
        (r"v1\.36\.\d+", "v1.36.N"),
        // How a kubectl's source was laid out when it was built.
        (r"k8s\.io/kubectl/pkg/scheme/scheme\.go", "pkg/scheme/scheme.go"),
        // klog's time and process.
        (r"(?m)^F\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "F<KLOG> "),
        // A server's authority is its own.
        (
            r"(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----",
            "<CERTIFICATE>",
        ),
        (r"https?://(?:127\.0\.0\.1|192\.168\.110\.21):\d+", "<SERVER>"),
        (r"/tmp/[\w./-]+", "<PATH>"),
        (r"/root\b[\w./-]*", "<PATH>"),
        (r"\b(?:\d+(?:y|d|h|m|s)){1,2}\b", "<AGE>"),
        (r"<invalid>|<unknown>", "<AGE>"),
        // The widths of columns; spaces that begin a line are YAML's nesting and stay.
        (r"(?<=\S) {2,}", "  "),
    ];
    places
        .map(|(pattern, place)| (Regex::new(pattern).unwrap(), place))
        .into()
});

/// What v1.34 put into the sentence of `kubectl delete`; hundreds of lines of the list would say only this.
static DELETED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)( (?:force )?deleted) from \S+ namespace\b").unwrap());

/// A text with places for what varies.
fn normal(text: &str, minor: u32) -> String {
    let mut text = text.replace(&format!("v1.{minor}."), "v1.36.");
    if minor < 34 {
        text = DELETED.replace_all(&text, "$1").into_owned();
    }
    for (pattern, place) in VARYING.iter() {
        text = pattern.replace_all(&text, *place).into_owned();
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[derive(Debug, PartialEq, Eq)]
struct Printed {
    stdout: String,
    stderr: String,
    code: i32,
}

/// How often a running command is looked after.
const BEAT: Duration = Duration::from_millis(20);

/// A command that runs for longer waits for something. Those that only ask take a fraction of it on a busy machine.
const LONG: Duration = Duration::from_secs(6);

/// How far the paused clock moves with each beat of a command that waits: ten seconds in one, so that what a pod's
/// end takes passes long before the command is ended.
const BESIDE: Duration = Duration::from_millis(200);

/// How long our own command may take, by the clock of its world: as long as anything that the scenarios wait for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads an output to its end beside everything else, so that the command never waits for its reader.
fn all_of(output: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut output) = output {
            let _ = output.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The two sides of a comparison.
struct Pair {
    server: Server,
    world: World,
    home: PathBuf,
}

impl Pair {
    fn new(kubectl: &Kubectl, folder: &Path) -> Pair {
        let (home, bin) = (folder.join("root"), folder.join("bin"));
        for path in [&home, &bin] {
            std::fs::create_dir_all(path).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(&kubectl.path, bin.join("kubectl")).unwrap();
        let server = Server::start(folder, &["--paused"]);
        std::fs::create_dir_all(home.join(".kube")).unwrap();
        // Without the bearer token, which the file in our own world has not: the certificate says who asks.
        let config = std::fs::read_to_string(&server.kubeconfig).unwrap();
        let lines = config.lines().filter(|line| !line.trim_start().starts_with("token: "));
        let config: String = lines.map(|line| format!("{line}\n")).collect();
        std::fs::write(home.join(".kube/config"), config).unwrap();
        let world = World::new(&Options::default()).unwrap();
        Pair { server, world, home }
    }

    /// Puts both clocks at the later of the two.
    fn synchronize(&mut self) {
        let theirs = Time::parse(&self.server.step("0")).unwrap();
        let ours = self.world.sim().now();
        // Half a second more, so that what a command set off ends on both sides alike.
        let next = theirs.max(ours) + Duration::from_millis(500);
        self.world.sim().run_until(next);
        self.server.step(&next.micro());
    }

    fn ours(&self, command: &str) -> Printed {
        let receiver = self.world.input(Input::Exec(command.to_owned()));
        let end = self.world.sim().now() + PATIENCE;
        match self.world.sim().run_future(receiver, end) {
            Some(Ok(done)) => Printed {
                stdout: done.stdout,
                stderr: done.stderr,
                code: done.code,
            },
            _ => Printed {
                stdout: String::new(),
                stderr: "(did not end)".into(),
                code: 124,
            },
        }
    }

    /// Runs the real command. One that takes long asks again and again by its own clock, which the paused one
    /// would never follow: so that one is moved beside it, and faster, since nobody wants to wait for real.
    fn theirs(&mut self, command: &str) -> Printed {
        let folder = self.home.parent().unwrap();
        let path = format!(
            "{}:{}",
            folder.join("bin").display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut child = Command::new("timeout")
            .args(["30", "bash", "-c", command])
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("PATH", path)
            .env("TZ", "UTC")
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (all_of(child.stdout.take()), all_of(child.stderr.take()));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(BEAT);
            if began.elapsed() > LONG {
                self.server.step(&BESIDE.as_secs_f64().to_string());
            }
        };
        Printed {
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
            code: status.code().unwrap_or(-1),
        }
    }

    /// Runs a step on both sides; the two outputs of a command.
    fn run(&mut self, step: &Step) -> Option<(Printed, Printed)> {
        match step {
            Step::Comment(_) => None,
            Step::File(name, content) => {
                // The file is there at once; nothing has to be waited for.
                drop(self.world.input(Input::File(name.clone(), content.clone())));
                let path = self.home.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
                None
            }
            Step::Settle => {
                let world = self.world.clone();
                let end = self.world.sim().now() + Duration::from_secs(600);
                self.world.sim().run_future(async move { world.settle().await }, end);
                self.synchronize();
                None
            }
            Step::Wait(seconds) => {
                self.world.sim().run_for(Duration::from_secs_f64(*seconds));
                self.synchronize();
                None
            }
            Step::Command(command) => {
                let printed = (self.ours(command), self.theirs(command));
                self.synchronize();
                Some(printed)
            }
        }
    }
}

/// What came of all comparisons.
#[derive(Default)]
struct Report {
    /// How many commands are equal and how many differ, by version.
    counts: BTreeMap<u32, (usize, usize)>,
    /// Both outputs of a command that differs, by its line in the list.
    different: BTreeMap<String, String>,
}

fn compare(kubectl: &Kubectl, name: &str, scenario: &Scenario, report: &Mutex<Report>) {
    let folder = Folder::new(&format!("differential-{}-{name}", kubectl.minor));
    let mut pair = Pair::new(kubectl, &folder.0);
    let mut number = 0;
    for step in &scenario.steps {
        let Some((ours, theirs)) = pair.run(step) else { continue };
        let Step::Command(command) = step else { continue };
        number += 1;
        let normal = |p: &Printed| Printed {
            stdout: normal(&p.stdout, kubectl.minor),
            stderr: normal(&p.stderr, kubectl.minor),
            code: p.code,
        };
        let (a, b) = (normal(&ours), normal(&theirs));
        let mut report = report.lock().unwrap();
        let (equal, different) = report.counts.entry(kubectl.minor).or_default();
        if a == b {
            *equal += 1;
            continue;
        }
        *different += 1;
        let first = command.lines().next().unwrap_or("");
        report.different.insert(
            format!("1.{}\t{name}\t{number}\t{first}", kubectl.minor),
            format!(
                "$ {command}\n--- ours [{}]\n{}\n{}\n--- theirs [{}]\n{}\n{}\n",
                a.code, a.stdout, a.stderr, b.code, b.stdout, b.stderr
            ),
        );
    }
}

/// The files of a folder, by their names.
fn files_in(folder: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect()
}

/// A scenario, and whether it is one of this package.
struct Course {
    scenario: Scenario,
    further: bool,
}

/// The scenarios of kubectl, by their names.
fn scenarios() -> BTreeMap<String, Course> {
    let shared: Vec<Step> = files_in("scenarios/files")
        .into_iter()
        .map(|(name, path)| Step::File(name, std::fs::read_to_string(path).unwrap()))
        .collect();
    let recorded = files_in("../transcripts")
        .into_iter()
        .filter(|(name, _)| name.starts_with("kubectl-"));
    let further = files_in("scenarios").into_iter();
    let all = recorded
        .map(|file| (file, false))
        .chain(further.map(|file| (file, true)));
    all.filter_map(|((name, path), further)| {
        let name = name.strip_suffix(".scn")?.to_owned();
        let mut scenario = Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        if further {
            scenario.steps.splice(0..0, shared.iter().cloned());
        }
        Some((name, Course { scenario, further }))
    })
    .collect()
}

#[test]
fn real_kubectls_print_what_ours_prints() {
    let list = std::fs::read_to_string(LIST).unwrap();
    let kubectls = kubectls(&list.lines().filter_map(version).collect());
    if kubectls.is_empty() {
        println!(
            "skipped: no kubectl of a version that differences.txt has is here; KUBECTLS=PATH[:PATH...] names others"
        );
        return;
    }
    let only = std::env::var("DIFFERENTIAL").ok();
    let scenarios = scenarios();
    let wanted = |(kubectl, name, course): &(&Kubectl, &String, &Course)| {
        only.as_ref().is_none_or(|only| name.starts_with(only.as_str())) && (!course.further || kubectl.minor == OWN)
    };
    let jobs: Vec<_> = kubectls
        .iter()
        .flat_map(|k| scenarios.iter().map(move |(name, course)| (k, name, course)))
        .filter(wanted)
        .collect();
    assert!(!jobs.is_empty(), "no scenario has this name");
    let report = compare_all(jobs.clone());
    for (minor, (equal, different)) in &report.counts {
        println!("kubectl 1.{minor}: {equal} commands are equal, {different} differ");
    }
    let all = || {
        report
            .different
            .iter()
            .map(|(line, texts)| format!("{line}\n{texts}\n"))
    };
    if let Some(path) = std::env::var_os("DIFFERENCES") {
        std::fs::write(path, all().collect::<String>()).unwrap();
    }
    if only.is_some() {
        print!("{}", all().collect::<String>());
        return;
    }
    let ran = |line: &&str| version(line).is_some_and(|minor| kubectls.iter().any(|k| k.minor == minor));
    let sometimes: BTreeSet<&str> = list.lines().filter_map(|line| line.strip_suffix(SOMETIMES)).collect();
    if std::env::var_os("UPDATE_DIFFERENCES").is_some() {
        let (comments, lines): (Vec<&str>, Vec<&str>) = list.lines().partition(|line| line.starts_with('#'));
        let kept = lines.into_iter().filter(|line| !ran(line) || line.ends_with(SOMETIMES));
        let fresh = report.different.keys().map(String::as_str);
        let lines: BTreeSet<&str> = kept.chain(fresh.filter(|line| !sometimes.contains(line))).collect();
        let text: String = comments
            .into_iter()
            .chain(lines)
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(LIST, text).unwrap();
        return;
    }
    let always = list.lines().filter(|line| ran(line) && !line.ends_with(SOMETIMES));
    let known: BTreeSet<&str> = always.collect();
    let unknown = |report: &Report| -> BTreeMap<String, String> {
        let different = report.different.iter();
        let unknown = different.filter(|(l, _)| !known.contains(l.as_str()) && !sometimes.contains(l.as_str()));
        unknown.map(|(line, texts)| (line.clone(), texts.clone())).collect()
    };
    let mut fresh = unknown(&report);
    let mut gone: BTreeSet<&str> = known
        .iter()
        .copied()
        .filter(|line| !report.different.contains_key(*line))
        .collect();
    if !fresh.is_empty() || !gone.is_empty() {
        // A busy machine makes races of requests that a quiet one does not have: what is new counts when a
        // second run of its scenario says so too.
        let of = |line: &str| line.split('\t').take(2).map(str::to_owned).collect::<Vec<_>>();
        let doubtful: BTreeSet<Vec<String>> = fresh.keys().map(|l| of(l)).chain(gone.iter().map(|l| of(l))).collect();
        let again = |(k, name, _): &(&Kubectl, &String, &Course)| {
            doubtful.contains(&vec![format!("1.{}", k.minor), name.to_string()])
        };
        let second = compare_all(jobs.into_iter().filter(again).collect());
        let still = unknown(&second);
        fresh.retain(|line, _| still.contains_key(line));
        gone.retain(|line| !second.different.contains_key(*line));
    }
    let fresh: String = fresh.iter().map(|(line, texts)| format!("{line}\n{texts}\n")).collect();
    assert!(fresh.is_empty(), "these commands differ and are not known to:\n{fresh}");
    assert!(
        gone.is_empty(),
        "these are equal now; take them off differences.txt:\n{gone:#?}"
    );
}

/// Runs scenarios, as many at a time as there are processors.
fn compare_all(jobs: Vec<(&Kubectl, &String, &Course)>) -> Report {
    let (jobs, report) = (Mutex::new(jobs), Mutex::new(Report::default()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap().pop();
                    let Some((kubectl, name, course)) = job else { return };
                    compare(kubectl, name, &course.scenario, &report);
                }
            });
        }
    });
    report.into_inner().unwrap()
}

#[test]
fn what_varies_is_all_that_the_comparison_forgives() {
    let same = |a: &str, b: &str| normal(a, 33) == normal(b, 33);
    assert!(same(
        "web-5d59-x7k2p   1/1  Running  5s",
        "web-5d59-bcdfg  1/1  Running  12m"
    ));
    assert!(same("Client Version: v1.33.2", "Client Version: v1.36.2"));
    assert!(!same(
        "web-5d59-x7k2p  1/1  Running  5s",
        "web-5d59-x7k2p  0/1  Running  5s"
    ));
    assert!(same("NAME   READY\nweb    1/1", "NAME  READY\nweb   1/1"));
    assert!(!same("spec:\n    a: 1", "spec:\n  a: 1"), "another nesting");
    assert!(!same("configmap/a created", "configmap/a unchanged"));
    let deleted = "pod \"a\" deleted from default namespace";
    assert!(same(deleted, "pod \"a\" deleted"));
    assert_ne!(normal(deleted, 34), normal("pod \"a\" deleted", 34));
}
