//! Compares kubectl's surface with a real kubectl 1.36, where one is installed: the layout of every
//! command's help, with each flag's name, letter and default; and what wrong command lines are told.
//! Says "skipped" where there is none. `KUBECTLS` (paths with colons between them) names others than
//! those on the path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use kubetab::kubectl::{Flag, Kind, ROOT, Verb};
use kubetab::world::{Input, Options, World};

/// A kubectl of our version.
fn kubectl() -> Option<PathBuf> {
    let named = std::env::var("KUBECTLS").unwrap_or_default();
    let on_path = std::env::var("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = named.split(':').filter(|p| !p.is_empty()).map(PathBuf::from).collect();
    for name in ["kubectl.1.36", "kubectl"] {
        candidates.extend(on_path.split(':').map(|dir| Path::new(dir).join(name)));
    }
    candidates.into_iter().find(|path| {
        let version = Command::new(path).args(["version", "--client"]).output();
        version.is_ok_and(|v| String::from_utf8_lossy(&v.stdout).contains("v1.36."))
    })
}

/// What a program printed, and its exit code.
type Printed = (String, String, i32);

/// What the real one answers to these lines, without a cluster. Answers are kept between runs.
fn real(kubectl: &Path, lines: &[String]) -> Vec<Printed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let modified = std::fs::metadata(kubectl).and_then(|m| m.modified()).unwrap();
    let stamp = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let cache = folder.join(format!("kubectl-surface-{stamp}.json"));
    let kept = std::fs::read_to_string(&cache).unwrap_or_default();
    let mut known: BTreeMap<String, Printed> = serde_json::from_str(&kept).unwrap_or_default();
    let nobody = folder.join("nobody.kubeconfig");
    std::fs::write(
        &nobody,
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n\
         clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: a, user: {}}]\n",
    )
    .unwrap();
    let asked: Vec<&String> = lines.iter().filter(|l| !known.contains_key(*l)).collect();
    let answers: Vec<(String, Printed)> = std::thread::scope(|scope| {
        let parts = asked.chunks(asked.len().div_ceil(4).max(1));
        let threads: Vec<_> = parts
            .map(|part| {
                let nobody = &nobody;
                scope.spawn(move || {
                    let answer = |line: &&String| {
                        let output = Command::new(kubectl)
                            .args(line.split(' ').skip(1))
                            .env("HOME", "/root")
                            .env("KUBECONFIG", nobody)
                            .current_dir(folder)
                            .stdin(Stdio::null())
                            .output()
                            .unwrap();
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        let printed = (
                            text(&output.stdout),
                            text(&output.stderr),
                            output.status.code().unwrap_or(-1),
                        );
                        ((*line).clone(), printed)
                    };
                    part.iter().map(answer).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    known.extend(answers);
    std::fs::write(&cache, serde_json::to_string(&known).unwrap()).unwrap();
    lines.iter().map(|l| known[l].clone()).collect()
}

/// What ours answers.
fn ours(world: &World, line: &str) -> Printed {
    let end = world.sim().now() + Duration::from_secs(600);
    let finished = world.input(Input::Exec(line.into()));
    let done = world.sim().run_future(finished, end).unwrap().unwrap();
    (done.stdout, done.stderr, done.code)
}

/// Every verb with its path, `kubectl` first.
fn verbs() -> Vec<(&'static Verb, String)> {
    let mut all = vec![(&ROOT, "kubectl".to_owned())];
    let mut i = 0;
    while let Some((verb, path)) = all.get(i).cloned() {
        all.extend(verb.subs.iter().map(|sub| (*sub, format!("{path} {}", sub.name))));
        i += 1;
    }
    all.retain(|(_, path)| path != "kubectl help" && !path.contains("__"));
    all
}

/// A help without its prose: the sections, commands, flags, usage and closing lines.
fn layout(help: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut section = "";
    for line in help.lines() {
        let head = line.ends_with(':') && line.starts_with(|c: char| c.is_ascii_uppercase());
        if head && (found.is_empty() || found.last() == Some(&"")) {
            section = line;
            found.push(line);
            continue;
        }
        let prose = match section {
            "" => !line.is_empty(),
            "Examples:" => true,
            "Options:" => line.starts_with('\t'),
            _ => false,
        };
        // Of prose only that there is some.
        if !prose && (section.is_empty() || section == "Examples:") {
            if found.last() != Some(&"") {
                found.push("");
            }
        } else if section == "Examples:" && line.is_empty() {
            found.push("");
        } else if prose && section == "Options:" {
            found.push("\t…");
        } else if !prose {
            found.push(line);
        } else if section.is_empty() && found.last() == Some(&"") && found.len() == 1 {
            found.clear();
        }
    }
    found.dedup_by(|a, b| a.is_empty() && b.is_empty());
    found
}

#[test]
fn help_has_the_layout_of_a_real_one() {
    let Some(kubectl) = kubectl() else {
        println!("skipped: no kubectl 1.36 is installed");
        return;
    };
    let world = World::new(&Options::default()).unwrap();
    let lines: Vec<String> = verbs().into_iter().map(|(_, path)| format!("{path} --help")).collect();
    let mut wrong = Vec::new();
    for (line, real) in lines.iter().zip(real(&kubectl, &lines)) {
        let (out, _, code) = ours(&world, line);
        let (wanted, got) = (layout(&real.0), layout(&out));
        if wanted != got || code != real.2 {
            let missing = wanted.iter().filter(|l| !got.contains(l));
            let extra = got.iter().filter(|l| !wanted.contains(l));
            let list: Vec<String> = missing
                .map(|l| format!("- {l}"))
                .chain(extra.map(|l| format!("+ {l}")))
                .collect();
            wrong.push(format!("{line}:\n{}", list.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", kubectl.display(), wrong.join("\n"));
}

/// Wrong lines of one verb.
fn wrong_lines(verb: &Verb, path: &str) -> Vec<String> {
    let mut lines = vec![format!("{path} --nosuchflag"), format!("{path} -Z")];
    let own: Vec<&Flag> = verb.flags.iter().copied().flatten().collect();
    for flag in own {
        let name = flag.name;
        match flag.kind {
            Kind::Bool => lines.push(format!("{path} --{name}=maybe")),
            Kind::Int => lines.extend(["x", "99999999999999999999"].map(|v| format!("{path} --{name}={v}"))),
            Kind::Duration => lines.extend(["5", "abc", "5d"].map(|v| format!("{path} --{name}={v}"))),
            _ if flag.no_opt.is_empty() => lines.push(format!("{path} --{name}")),
            _ => {}
        }
        if flag.short != '\0' && flag.no_opt.is_empty() {
            lines.push(format!("{path} -{}", flag.short));
        }
        if ["dry-run", "output", "validate", "cascade"].contains(&name) {
            lines.extend(["", " x", " x y"].map(|words| format!("{path}{words} --{name}=foo")));
        }
    }
    lines
}

#[test]
fn wrong_lines_are_refused_in_the_words_of_a_real_one() {
    let Some(kubectl) = kubectl() else {
        println!("skipped: no kubectl 1.36 is installed");
        return;
    };
    let world = World::new(&Options::default()).unwrap();
    let lines: Vec<String> = verbs()
        .iter()
        .flat_map(|(verb, path)| wrong_lines(verb, path))
        .collect();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (line, real) in lines.iter().zip(real(&kubectl, &lines)) {
        // Only what needs no cluster: to ask one, or to look up a type there, fails otherwise here.
        if real.2 == 0 || real.1.contains("127.0.0.1:1") || real.1.contains(env!("CARGO_TARGET_TMPDIR")) {
            continue;
        }
        compared += 1;
        let got = ours(&world, line);
        if got != real {
            wrong.push(format!("{line}\nreal {real:?}\nours {got:?}"));
        }
    }
    println!("{compared} lines compared");
    assert!(wrong.is_empty(), "{}:\n{}", kubectl.display(), wrong.join("\n"));
}
