//! Runs every scenario of `tests/transcripts` in a fresh world and compares what it prints with what
//! a real cluster printed (the `.norm.txt` beside it, whose placeholders stand for what varies).
//!
//! Commands that differ stand in `tests/known_failures.txt`, one a line with the reason. The test fails when a
//! command that is not listed differs, and when a listed one is equal: then take it off the list,
//! or let `UPDATE_KNOWN_FAILURES=1 cargo test --test transcripts` write the list anew, which keeps the reasons
//! and leaves that of a new one open.
//! `TRANSCRIPT=name` runs one scenario and shows its differences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fancy_regex::{Captures, Regex};
use kubetab::sim::TraceEvent;
use kubetab::world::{Options, Scenario, World};

const KNOWN: &str = "tests/known_failures.txt";

/// What stands in the list until somebody has found the reason.
const OPEN: &str = "reason?";

/// What each placeholder matches.
const PLACES: &[(&str, &str)] = &[
    ("AGE", r"(?:\d+(?:y|d|h|m|s)(?:\d+(?:d|h|m|s))*|<unknown>|<invalid>)"),
    ("UID", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("RV", r"\d+"),
    (
        "TIME",
        r"(?:\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)|\w{3}, \d\d \w{3} \d{4} [0-9:]+ [+-]\d{4}|\w{3} \w{3} [ \d]\d [0-9:]+ UTC \d{4}|\d{4}-\d\d-\d\d [0-9:.]+ [+-]\d{4})",
    ),
    ("NUM", r"\d+"),
    ("KLOG", r"\d{4} \d\d:\d\d:\d\d\.\d+ +\d+"),
    ("RAND", r"[bcdfghjklmnpqrstvwxz2456789]{5}"),
    ("HASH", r"[bcdfghjklmnpqrstvwxz2456789]{1,10}"),
    ("PODIP", r"10\.244\.\d+\.\d+"),
    ("CLUSTERIP", r"10\.(?:9[6-9]|10\d|11[01])\.\d+\.\d+"),
    ("NODEPORT", r"3[0-2]\d{3}"),
    ("DUR", r"[0-9.]+(?:ms|µs|us|ns|s|m|h)(?:[0-9.]+(?:ms|s|m))*"),
    ("CID", r"[0-9a-f]{64}"),
    ("DIGEST", r"[0-9a-f]{64}"),
    ("EVID", r"[0-9a-f]{16}"),
    ("MINUTE", r"2\d{7}"),
];

fn place(name: &str) -> &'static str {
    PLACES.iter().find(|(n, _)| *n == name).map_or("", |(_, p)| p)
}

/// The commands of a transcript with their outputs.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let heredoc = Regex::new(r#"<<-?\s*(['"]?)(\w+)\1"#).unwrap();
    let directive = Regex::new(r"^@(settle|wait \S+)$").unwrap();
    let spaces = Regex::new(r"(?<=\S) {2,}").unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out: Vec<Option<(String, Vec<String>)>> = Vec::new();
    let (mut i, mut in_file) = (0, false);
    while i < lines.len() {
        let line = lines[i];
        if in_file {
            in_file = line != "@end";
        } else if line.starts_with("@file ") {
            in_file = true;
        } else if let Some(first) = line.strip_prefix("$ ") {
            let mut command = vec![first.to_owned()];
            while command.last().unwrap().ends_with('\\') && i + 1 < lines.len() {
                i += 1;
                command.push(lines[i].to_owned());
            }
            let end = heredoc.captures(&command.join("\n")).unwrap().map(|c| c[2].to_owned());
            if let Some(end) = end {
                while i + 1 < lines.len() {
                    i += 1;
                    command.push(lines[i].to_owned());
                    if lines[i].trim() == end {
                        break;
                    }
                }
            }
            out.push(Some((command.join("\n"), Vec::new())));
        } else if directive.is_match(line).unwrap() || line.starts_with("# ") {
            if matches!(out.last(), Some(Some(_))) {
                out.push(None);
            }
        } else if let Some(Some((_, output))) = out.last_mut() {
            output.push(line.to_owned());
        }
        i += 1;
    }
    out.into_iter()
        .flatten()
        .map(|(command, mut output)| {
            while output.last().is_some_and(String::is_empty) {
                output.pop();
            }
            let output = output
                .iter()
                .map(|l| spaces.replace_all(l, "  ").trim_end().to_owned())
                .collect();
            (command, output)
        })
        .collect()
}

/// Remembers what each numbered placeholder stands for.
#[derive(Clone)]
struct Matcher {
    bound: BTreeMap<String, String>,
    owner: BTreeMap<String, String>,
    /// The scenario names no worker, so the two may stand for each other.
    free_nodes: bool,
    token: Arc<Regex>,
    loose: Arc<Regex>,
    age: Arc<Regex>,
}

impl Matcher {
    fn new(source: &str) -> Matcher {
        let names: Vec<&str> = PLACES.iter().map(|(n, _)| *n).collect();
        Matcher {
            bound: BTreeMap::new(),
            owner: BTreeMap::new(),
            free_nodes: !source.contains("k8s-node-0"),
            token: Arc::new(Regex::new(&format!("<({})(\\d*)>", names.join("|"))).unwrap()),
            loose: Arc::new(Regex::new(r"<(RAND|HASH)\d*>").unwrap()),
            age: Arc::new(Regex::new(r"(?<=  )\d+[smhd](?:\d+[smhd])?(?=  |$)").unwrap()),
        }
    }

    fn pattern(&self, line: &str) -> (Regex, Vec<String>) {
        let line = self.age.replace_all(line, "<AGE>");
        let mut pattern = String::from("^(?:");
        let mut names: Vec<String> = Vec::new();
        let mut at = 0;
        for c in self.token.captures_iter(&line) {
            let c: Captures = c.unwrap();
            let whole = c.get(0).unwrap();
            pattern += &fancy_regex::escape(&line[at..whole.start()]);
            at = whole.end();
            let (name, number) = (&c[1], &c[2]);
            let key = format!("{name}{number}");
            if number.is_empty() {
                pattern += place(name);
            } else if let Some(bound) = self.bound.get(&key) {
                pattern += &fancy_regex::escape(bound);
            } else if names.contains(&key) {
                pattern += &format!("(?P={key})");
            } else {
                pattern += &format!("(?P<{key}>{})", place(name));
                names.push(key);
            }
        }
        pattern += &fancy_regex::escape(&line[at..]);
        if self.free_nodes {
            for (from, to) in [
                (r"k8s\-node\-01", r"k8s-node-0[12]"),
                (r"k8s\-node\-02", r"k8s-node-0[12]"),
                (r"k8s-node-01", r"k8s-node-0[12]"),
                (r"k8s-node-02", r"k8s-node-0[12]"),
                (r"192\.168\.110\.22", r"192\.168\.110\.2[23]"),
                (r"192\.168\.110\.23", r"192\.168\.110\.2[23]"),
            ] {
                pattern = pattern.replace(from, to);
            }
        }
        let counts = Regex::new(r"\\\(x\d+ over").unwrap();
        let pattern = counts.replace_all(&pattern, r"\(x\d+ over").into_owned() + r")\z";
        (Regex::new(&pattern).unwrap(), names)
    }

    fn try_line(&mut self, expected: &str, actual: &str, commit: bool) -> bool {
        let (regex, names) = self.pattern(expected);
        let Ok(Some(found)) = regex.captures(actual) else {
            return false;
        };
        let got: Vec<(String, String)> = names
            .into_iter()
            .filter_map(|n| found.name(&n).map(|m| (n.clone(), m.as_str().to_owned())))
            .collect();
        if got.iter().any(|(k, v)| self.owner.get(v).is_some_and(|o| o != k)) {
            return false;
        }
        if commit {
            for (k, v) in got {
                self.bound.insert(k.clone(), v.clone());
                self.owner.insert(v, k);
            }
        }
        true
    }

    fn output(&mut self, expected: &[String], actual: &[String]) -> bool {
        if expected.len() != actual.len() {
            return false;
        }
        let saved = self.clone();
        if expected.iter().zip(actual).all(|(e, a)| self.try_line(e, a, true)) {
            return true;
        }
        *self = saved;
        // Lines with generated names (or, where the nodes are free, node names) may be permuted.
        let is_loose =
            |m: &Matcher, s: &str| m.loose.is_match(s).unwrap() || (m.free_nodes && s.contains("k8s-node-0"));
        let fixed: Vec<&String> = expected.iter().filter(|e| !is_loose(self, e)).collect();
        let (mut rest, mut k) = (Vec::new(), 0);
        for line in actual {
            if k < fixed.len() && self.try_line(fixed[k], line, false) {
                k += 1;
            } else {
                rest.push(line.clone());
            }
        }
        if k < fixed.len() {
            return false;
        }
        let todo: Vec<String> = expected.iter().filter(|e| is_loose(self, e)).cloned().collect();
        todo.len() == rest.len() && self.assign(&todo, &rest, 0)
    }

    fn assign(&mut self, todo: &[String], rest: &[String], depth: usize) -> bool {
        let Some((first, later)) = todo.split_first() else {
            return true;
        };
        for i in 0..rest.len() {
            let saved = self.clone();
            if self.try_line(first, &rest[i], true) {
                let mut others = rest.to_vec();
                others.remove(i);
                if self.assign(later, &others, depth + 1) {
                    return true;
                }
            }
            *self = saved;
            if depth > 60 {
                return false;
            }
        }
        false
    }
}

/// What one scenario's run gave: for each command its line and, when it differs, how.
struct Report {
    name: String,
    commands: Vec<(String, Option<String>)>,
}

fn compare(name: &str, expected: &str, actual: &str) -> Report {
    let (wanted, got) = (blocks(expected), blocks(actual));
    let files: String = Regex::new(r"(?ms)^@file .*?^@end")
        .unwrap()
        .find_iter(expected)
        .map(|m| m.unwrap().as_str().to_owned())
        .collect();
    let source = wanted.iter().map(|(c, _)| c.as_str()).collect::<Vec<_>>().join("\n") + &files;
    let mut matcher = Matcher::new(&source);
    let commands = wanted
        .iter()
        .enumerate()
        .map(|(i, (command, output))| {
            let ours = got.get(i).filter(|(c, _)| c == command).map(|(_, o)| o);
            let equal = ours.is_some_and(|o| matcher.output(output, o));
            let difference = (!equal).then(|| {
                let indent = |lines: &[String]| lines.iter().map(|l| format!("    {l}\n")).collect::<String>();
                let ours = ours.map_or("    (no such command)\n".to_owned(), |o| indent(o));
                format!("  wanted:\n{}  got:\n{ours}", indent(output))
            });
            (command.clone(), difference)
        })
        .collect();
    Report {
        name: name.to_owned(),
        commands,
    }
}

fn run(name: &str, folder: &Path) -> Report {
    let read = |ending: &str| std::fs::read_to_string(folder.join(format!("{name}.{ending}"))).unwrap();
    let scenario = Scenario::parse(&read("scn")).unwrap();
    let world = World::new(&Options::default()).unwrap();
    let sim = world.sim().clone();
    let end = sim.now() + Duration::from_secs(366 * 86_400);
    let text: std::rc::Rc<std::cell::RefCell<String>> = Default::default();
    let sink = text.clone();
    let kernel = world.sim().clone();
    sim.run_future(
        async move { scenario.run(&world, move |t| sink.borrow_mut().push_str(t)).await },
        end,
    );
    let mut report = compare(name, &read("norm.txt"), &text.borrow());
    // The parts of the cluster act as users of their own, and hold all that they need.
    kernel.trace().since(0, |record| {
        if let TraceEvent::Response {
            client,
            verb,
            path,
            code: 401 | 403,
            ..
        } = &record.event
            && !client.starts_with("kubectl")
            // Quotas and ending namespaces refuse what is new.
            && *verb != "POST"
        {
            let why = format!("  {client} was refused {verb} {path}\n");
            report.commands.push((format!("(the part {client})"), Some(why)));
        }
    });
    report
}

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let only = std::env::var("TRANSCRIPT").ok();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix(".scn").map(str::to_owned))
        .filter(|n| only.as_ref().is_none_or(|o| n.contains(o.as_str())))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no scenario was found");
    let todo = Mutex::new(names.clone().into_iter().rev().collect::<Vec<_>>());
    let reports = Mutex::new(Vec::new());
    // A world belongs to one thread; two threads run two at a time.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, || {
                    loop {
                        let Some(name) = todo.lock().unwrap().pop() else { break };
                        let report = std::panic::catch_unwind(|| run(&name, &folder)).unwrap_or_else(|_| Report {
                            name: name.clone(),
                            commands: vec![("(the whole scenario)".into(), Some("  it panicked\n".into()))],
                        });
                        reports.lock().unwrap().push(report);
                    }
                })
                .unwrap();
        }
    });
    let mut reports = reports.into_inner().unwrap();
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut equal, mut total) = (0, 0);
    let mut failing = BTreeSet::new();
    for report in &reports {
        let good = report.commands.iter().filter(|(_, d)| d.is_none()).count();
        println!("{}: {good} of {} commands equal", report.name, report.commands.len());
        equal += good;
        total += report.commands.len();
        for (i, (command, difference)) in report.commands.iter().enumerate() {
            if let Some(difference) = difference {
                failing.insert(format!(
                    "{}\t{}\t{}",
                    report.name,
                    i + 1,
                    command.lines().next().unwrap_or("")
                ));
                if only.is_some() {
                    println!("$ {command}\n{difference}");
                }
            }
        }
    }
    println!("transcripts: {equal} of {total} commands equal");
    if only.is_some() {
        return;
    }
    // The last column of a line is why.
    let listed = std::fs::read_to_string(KNOWN).unwrap();
    let reasons: BTreeMap<&str, &str> = listed.lines().filter_map(|l| l.rsplit_once('\t')).collect();
    if std::env::var("UPDATE_KNOWN_FAILURES").is_ok() {
        let line = |l: &String| format!("{l}\t{}\n", reasons.get(l.as_str()).unwrap_or(&OPEN));
        std::fs::write(KNOWN, failing.iter().map(line).collect::<String>()).unwrap();
        return;
    }
    let open: Vec<&&str> = reasons
        .iter()
        .filter(|(_, why)| **why == OPEN)
        .map(|(l, _)| l)
        .collect();
    assert!(open.is_empty(), "say why in {KNOWN}:\n{open:#?}");
    let known: BTreeSet<String> = reasons.keys().map(|l| (*l).to_owned()).collect();
    let fresh: Vec<&String> = failing.difference(&known).collect();
    let fixed: Vec<&String> = known.difference(&failing).collect();
    assert!(
        fresh.is_empty(),
        "these commands differ and are not known to:\n{fresh:#?}"
    );
    assert!(
        fixed.is_empty(),
        "these are equal now; take them off {KNOWN}:\n{fixed:#?}"
    );
}

#[test]
fn the_comparison_can_fail() {
    let expected = "$ a\nname <RAND1>  <AGE>\n$ b\n<RAND1>\n";
    let count = |actual: &str| {
        compare("x", expected, actual)
            .commands
            .iter()
            .filter(|(_, d)| d.is_none())
            .count()
    };
    assert_eq!(count("$ a\nname bcdfg   5s\n$ b\nbcdfg\n"), 2);
    assert_eq!(
        count("$ a\nname bcdfg   5s\n$ b\nbcdfh\n"),
        1,
        "the same placeholder is the same text"
    );
    assert_eq!(
        count("$ a\nname abcde   5s\n$ b\nbcdfh\n"),
        1,
        "vowels are in no generated name"
    );
    assert_eq!(count("$ a\nname bcdfg   5s\nmore\n$ b\nbcdfg\n"), 1);
}
