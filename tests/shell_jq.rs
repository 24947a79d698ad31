//! Runs the commands of tests/shell/jq.txt in our shell and compares with what jq 1.7.1 printed; the file says how it is
//! written. What differs is listed there with its reason, and fails when it no longer does.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kubetab::shell::{Commands, Dialect, Files, Host, Input, Output, Shell, ShellOptions, jq};
use kubetab::sim::{Sim, Time};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shell/jq.txt");

#[derive(Default)]
struct Case {
    /// Why ours differs.
    differs: Option<String>,
    command: String,
    expected: String,
}

#[derive(Default)]
struct Table {
    head: String,
    files: Vec<(String, String)>,
    cases: Vec<Case>,
}

fn read(text: &str) -> Table {
    let mut table = Table::default();
    let mut lines = text.lines();
    let mut differs = None;
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("@file ") {
            let content: String = lines
                .by_ref()
                .take_while(|l| *l != "@end")
                .map(|l| format!("{l}\n"))
                .collect();
            table.files.push((name.to_owned(), content));
        } else if let Some(reason) = line.strip_prefix("~ ") {
            differs = Some(reason.to_owned());
        } else if let Some(command) = line.strip_prefix("$ ") {
            table.cases.push(Case {
                differs: differs.take(),
                command: command.to_owned(),
                expected: String::new(),
            });
        } else if let Some(case) = table.cases.last_mut() {
            match line.strip_prefix("> ") {
                Some(more) if case.expected.is_empty() => case.command += &format!("\n{more}"),
                _ => case.expected += &format!("{line}\n"),
            }
        } else {
            table.head += &format!("{line}\n");
        }
    }
    table
}

/// What a command printed, as the table has it. A line that looks like something of the table's own gets a backslash.
fn shown(out: &[u8], err: &[u8], code: i32) -> String {
    let mut text = String::new();
    let out = String::from_utf8_lossy(out).into_owned();
    for line in out.split_inclusive('\n') {
        let own = ["$ ", "> ", "~ ", "! ", "@file ", "[exit", "\\"]
            .iter()
            .any(|s| line.starts_with(s));
        let _ = write!(text, "{}{line}", if own { "\\" } else { "" });
    }
    if !out.is_empty() && !out.ends_with('\n') {
        text += "\\no line's end\n";
    }
    for line in String::from_utf8_lossy(err).lines() {
        let _ = writeln!(text, "! {line}");
    }
    if code != 0 {
        let _ = writeln!(text, "[exit {code}]");
    }
    text
}

fn ours(table: &Table, command: &str) -> String {
    run(table, command, jq::engine)
}

/// What a command prints here, with an interpreter that comes from somewhere.
fn run(table: &Table, command: &str, engine: impl Fn(&Sim) -> jq::Engine) -> String {
    let sim = Sim::new(7, Time::from_secs(1_795_774_530));
    let files = Files::with_base(&sim);
    files.make_dirs("/tmp/jq").unwrap();
    for (name, text) in &table.files {
        files.put(&format!("/tmp/jq/{name}"), text.as_str()).unwrap();
    }
    let mut commands = Commands::with_tools();
    let engine = engine(&sim);
    commands.add("jq", move |context| jq::jq(context, engine.clone()));
    let host = Host::new(&sim, "k8s-master", files, commands, Dialect::Bash);
    let options = ShellOptions {
        cwd: "/tmp/jq".to_owned(),
        ..ShellOptions::default()
    };
    let shell = Shell::new(&host, options);
    let (stdout, out) = Output::buffer();
    let (stderr, err) = Output::buffer();
    let source = command.to_owned();
    let run = async move {
        shell.run(&source, Input::empty(), stdout.clone(), stderr.clone()).await;
        shell.finish(stdout, stderr).await
    };
    let end = sim.now() + Duration::from_secs(3_600);
    let code = sim.run_future(run, end).unwrap_or(-1);
    let (out, err) = (out.borrow(), err.borrow());
    shown(&out, &err, code)
}

/// A folder that is removed when nobody needs it any more, also when a test fails.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kubetab-jq-{}-{number}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a real jq prints, which is found as `jq` in a folder of its own.
fn theirs(table: &Table, jq: &str, command: &str) -> String {
    let folder = Folder::new();
    let bin = folder.0.join("bin");
    let work = folder.0.join("work");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&work).unwrap();
    std::fs::copy(jq, bin.join("jq")).unwrap();
    for (name, text) in &table.files {
        std::fs::write(work.join(name), text).unwrap();
    }
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(&work)
        .env_clear()
        .env("HOME", "/root")
        .env("USER", "root")
        .env("LANG", "C.UTF-8")
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    shown(&output.stdout, &output.stderr, output.status.code().unwrap_or(-1))
}

#[test]
fn as_the_real_one() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let mut table = read(&text);
    if let Ok(jq) = std::env::var("JQ") {
        let mut new = table.head.clone();
        for (name, text) in &table.files {
            let _ = write!(new, "@file {name}\n{text}@end\n");
        }
        for case in &table.cases {
            if let Some(reason) = &case.differs {
                let _ = writeln!(new, "~ {reason}");
            }
            let _ = writeln!(new, "$ {}", case.command.replace('\n', "\n> "));
            new += &theirs(&table, &jq, &case.command);
        }
        std::fs::write(FILE, &new).unwrap();
        table = read(&new);
    }
    let (mut wrong, mut count) = (String::new(), 0);
    for case in &table.cases {
        let got = ours(&table, &case.command);
        let differs = got != case.expected;
        if differs != case.differs.is_some() {
            count += 1;
            let why = if differs {
                "differs"
            } else {
                "is listed as differing, and does not"
            };
            let _ = write!(
                wrong,
                "$ {}\n  {why}\n--- expected\n{}--- got\n{got}",
                case.command, case.expected
            );
        }
    }
    assert!(table.cases.len() >= 400, "only {} commands", table.cases.len());
    assert!(count == 0, "{count} of {} are wrong:\n{wrong}", table.cases.len());
}

/// A program that does not end, that grows, or that calls itself is ended, and says so.
#[test]
fn what_does_not_end_is_ended() {
    let table = Table::default();
    for (program, why) in [
        ("def f: f; f", "more steps"),
        ("last(repeat(1))", "more steps"),
        ("last(range(1e15))", "more steps"),
        ("[limit(100; repeat(1))] | until(false; .)", "more steps"),
        ("label $out | foreach repeat(1) as $x (0; . + 1; empty)", "more steps"),
        ("def f: try f catch f; try f catch 1", "more deeply"),
        ("def f: 1 + f; f", "more deeply"),
        ("def f: [f]; f", "more deeply"),
        ("def f: f | f; f", "more deeply"),
        ("[range(1e9)]", "more values"),
        ("reduce range(60) as $i ([1]; . + .)", "more values"),
        ("\"x\" * 1e9", "more values"),
        ("[.[1e8] = 1]", "more values"),
        ("reduce range(1e6) as $i (null; [.])", "nested too deeply"),
        ("reduce range(1e6) as $i (null; {a: .})", "nested too deeply"),
        ("repeat(\"some text that is not short\" * 1000)", "prints more"),
        // A value that is small, for its parts are shared, and has a text without end.
        ("reduce range(40) as $i (1; [., .])", "prints more"),
        ("reduce range(40) as $i (1; [., .]) | error", "prints more"),
        ("reduce range(40) as $i (1; [., .]) | tojson", "more steps"),
        ("reduce range(40) as $i (1; [., .]) | debug", "prints more"),
        (
            "reduce range(40) as $i (1; [., .]) | . == (reduce range(40) as $i (1; [., .]))",
            "more steps",
        ),
        ("reduce range(40) as $i (1; {a: ., b: .}) | . * .", "more values"),
        // What goes through much in one step of the program.
        ("[range(9999) | [.]] | contains([range(9999) | [.]])", "more steps"),
        (
            "(\"x\" * 1e6) as $s | [range(1e5) | $s | contains(\"y\")]",
            "more steps",
        ),
        ("(\"x\" * 1e6) as $s | [range(1e5) | $s | index(\"y\")]", "more steps"),
        ("(\"x\" * 1e6) as $s | [range(1e5) | $s | length]", "more steps"),
        ("(\"x\" * 1e5) as $s | [range(1e5) | $s | test(\"y\")]", "more steps"),
        ("(\"a\" * 20000) | gsub(\"(a*b)|a\"; \"c\")", "more steps"),
        ("(\"ab\" * 100000) | test(\".{10000}c\")", "more steps"),
        ("(\"x\" * 1e6) as $s | [range(1000) | $s] | add", "more values"),
        ("(\"x\" * 1e6) as $s | [range(1000) | $s] | join(\"\")", "more values"),
        ("(\"x\" * 1e6) as $s | [range(1000) | $s] | @csv", "more values"),
        (
            "reduce range(1e6) as $i (\"\"; . + \"some text that is not short\")",
            "more steps",
        ),
        ("setpath([range(1e5) | \"a\"]; 1)", "nested too deeply"),
        ("getpath([range(1e5) | \"a\"]) |= 1", "nested too deeply"),
    ] {
        let got = ours(&table, &format!("jq -n '{program}'"));
        let said = got.lines().rev().nth(1).unwrap_or_default();
        assert!(
            said.starts_with("! jq: error") && said.contains(why),
            "{program}: {said}"
        );
        assert!(got.ends_with("[exit 5]\n"), "{program}");
    }
}

/// Programs that would be too deep for the parser are refused, or parsed.
#[test]
fn long_programs() {
    let table = Table::default();
    for (open, close) in [
        ("[", "]"),
        ("(1,", ")"),
        ("-", ""),
        ("if 1 then ", " end"),
        ("try ", ""),
        ("1|", ""),
        ("1+", ""),
    ] {
        for count in [100, 3_000, 40_000] {
            let program = format!("{}1{}", open.repeat(count), close.repeat(count));
            let got = ours(&table, &format!("jq -n '{program}' | tail -c 300"));
            assert!(!got.is_empty(), "{count} times {open}");
        }
    }
}

/// What many programs do with lists is done with long ones.
#[test]
fn long_values() {
    let table = Table::default();
    let items = r#"[range(10000) | {metadata: {name: "x\(.)", managedFields: [1, 2]}, status: {}}]"#;
    let keys = r#"[range(10000) | {key: "k\(.)", value: .}] | from_entries"#;
    for (program, expected) in [
        (
            format!("{items} | del(.[].metadata.managedFields, .[].status) | map(length, (.metadata | length)) | add"),
            "20000",
        ),
        (
            format!("{items} | .[].metadata.name |= . + \"y\" | .[9999].metadata.name"),
            "\"x9999y\"",
        ),
        (
            format!("{items} | .[].status.phase = \"Running\" | map(select(.status.phase)) | length"),
            "10000",
        ),
        (
            format!("{items} | del(.[] | select(.metadata.name | test(\"9$\"))) | length"),
            "9000",
        ),
        (format!("{items} | map_values(empty) | length"), "0"),
        (
            "[range(10000)] | del(.[] | select(. % 2 == 0)) | length, .[4999]".to_owned(),
            "5000\n9999",
        ),
        ("[range(10000)] | del(.[10:9990]) | length".to_owned(), "20"),
        (format!("{keys} | del(.[] | select(. % 2 == 0)) | length"), "5000"),
        (format!("{keys} | map_values(. + 1) | add"), "50005000"),
        ("[range(20000)] - [range(1; 20000)]".to_owned(), "[0]"),
        ("[range(20000)] | [.[19990:] | indices(19995)[]]".to_owned(), "[5]"),
        (
            "\"line of a log\\n\" * 20000 | gsub(\"\\n\"; \" \") | length".to_owned(),
            "280000",
        ),
    ] {
        let got = ours(&table, &format!("jq -nc '{program}'"));
        assert_eq!(got.trim_end(), expected, "{program}");
    }
    // Many values on one line, which is counted once.
    let got = ours(
        &table,
        "seq 1 60000 | tr '\\n' ' ' | jq -c '[., input_line_number]' | tail -n 1",
    );
    assert_eq!(got, "[60000,0]\n");
}

/// Where the interpreter cannot be had, that is said, and the next run tries anew.
#[test]
fn without_an_interpreter() {
    let table = Table::default();
    let command = "jq -n 1; echo $?; jq --version; jq -n 2; echo $?";
    let got = run(&table, command, |sim| {
        let engine = jq::Engine::new(sim);
        let (tries, included) = (Rc::new(std::cell::Cell::new(0)), jq::engine(sim));
        engine.set_source(Rc::new(move |engine: &jq::Engine| {
            tries.set(tries.get() + 1);
            engine.arrive(match included.here() {
                Some(run) if tries.get() > 1 => Ok(run),
                _ => Err("the network failed".to_owned()),
            });
        }));
        engine
    });
    let expected = "2\njq-1.7.1\n2\n0\n\
                    ! jq: the interpreter could not be loaded (the network failed), and nothing runs without it\n";
    assert_eq!(got, expected);
    assert!(run(&table, "jq .", jq::Engine::new).ends_with("[exit 2]\n"));
}
