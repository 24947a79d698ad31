//! Scripts that would never end, or would fill a machine: each ends with a plain error, and the host goes on.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kubetab::shell::{Commands, Dialect, Files, Host, Input, Output, Shell, ShellOptions};
use kubetab::sim::{Sim, Time};

/// What a script may take: virtual time, and steps of the executor.
const LONGEST: Duration = Duration::from_secs(120);

fn host() -> Host {
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    let files = Files::with_base(&sim);
    Host::new(&sim, "host", files, Commands::with_tools(), Dialect::Bash)
}

/// Runs a script in a shell of its own: how it ended, the bytes of its output, and its last line of errors, cut.
fn run(host: &Host, script: &str) -> String {
    let shell = Shell::new(host, ShellOptions::default());
    let (stdout, out) = Output::buffer();
    let (stderr, err) = Output::buffer();
    let code: Rc<RefCell<Option<i32>>> = Rc::default();
    let (slot, source) = (code.clone(), script.to_owned());
    let end = host.sim().now() + LONGEST;
    host.sim().run_future(
        async move {
            let code = shell.run(&source, Input::empty(), stdout, stderr).await;
            *slot.borrow_mut() = Some(code);
        },
        end,
    );
    let ended = code
        .borrow()
        .map_or("still runs".to_owned(), |code| format!("exit {code}"));
    let errors = String::from_utf8_lossy(&err.borrow()).into_owned();
    let last: String = errors.lines().last().unwrap_or("").chars().take(120).collect();
    format!("{ended}, {} bytes: {last}", out.borrow().len())
}

#[test]
fn what_never_ends_is_ended() {
    let cases: &[(&str, Expect)] = &[
        // Loops take virtual time, so a limit on time ends them.
        (
            "timeout 2 bash -c 'while :; do :; done'",
            expect!["exit 124, 0 bytes: "],
        ),
        (
            "timeout 2 bash -c 'until false; do x=$((x+1)); done'",
            expect!["exit 124, 0 bytes: "],
        ),
        ("timeout 2 yes >/dev/null", expect!["exit 124, 0 bytes: "]),
        (
            "timeout 2 awk 'BEGIN { while (1) x++ }'",
            expect!["exit 2, 0 bytes: awk: the program ran too long on one record"],
        ),
        // Recursion.
        (
            "f() { f; }; f",
            expect!["exit 1, 0 bytes: bash: line 1: f: maximum function nesting level exceeded (60)"],
        ),
        (
            "timeout 0.05 bash -c 'f() { f | f; }; f' 2>/dev/null",
            expect!["exit 124, 0 bytes: "],
        ),
        (
            "f() { echo $(f); }; f",
            expect!["exit 0, 1 bytes: bash: line 1: f: maximum function nesting level exceeded (60)"],
        ),
        (
            "timeout 0.05 bash -c ':(){ :|:& };:' 2>/dev/null",
            expect!["exit 0, 0 bytes: "],
        ),
        (
            "echo 'source /tmp/self' >/tmp/self; source /tmp/self",
            expect!["exit 1, 0 bytes: /tmp/self: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            "echo '. /tmp/again & . /tmp/again' >/tmp/again; timeout 0.05 bash -c '. /tmp/again' 2>/dev/null",
            expect!["exit 1, 0 bytes: "],
        ),
        (
            "eval 'e=\"eval \\$e\"'; eval $e",
            expect!["exit 1, 0 bytes: bash: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            "bash_self() { bash -c \"$(declare -f bash_self); bash_self\"; }; bash_self",
            expect!["exit 1, 0 bytes: bash: line 1: bash_self: maximum function nesting level exceeded (60)"],
        ),
        (
            "alias a=b b=a; a",
            expect!["exit 127, 0 bytes: bash: line 1: a: command not found"],
        ),
        (
            "a=b; b=a; echo $((a))",
            expect![[r#"exit 1, 0 bytes: bash: line 1: b: expression recursion level exceeded (error token is "b")"#]],
        ),
        // Output and values.
        ("yes", expect!["exit 153, 8388608 bytes: "]),
        ("x=$(yes)", expect!["exit 153, 0 bytes: "]),
        ("timeout 1 yes | cat >/dev/null", expect!["exit 0, 0 bytes: "]),
        ("timeout 1 yes > /tmp/full", expect!["exit 124, 0 bytes: "]),
        (
            "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done",
            expect!["exit 1, 0 bytes: bash: line 1: x: value is longer than 8388608 bytes"],
        ),
        (
            "a=(1 2 3 4); while :; do a+=(\"${a[@]}\"); done",
            expect!["exit 1, 0 bytes: bash: line 1: a: more than 200000 elements"],
        ),
        ("echo {1..99999999}", expect!["exit 0, 14 bytes: "]),
        (
            "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
            expect!["exit 1, 0 bytes: bash: line 1: brace expansion gives more than 200000 words"],
        ),
        ("printf '%999999999d' 1", expect!["exit 0, 65536 bytes: "]),
        (
            "i=0; { while :; do i=$((i+1)); echo x >/tmp/f$i || break; done; } 2>&1 | grep -c 'No space left on device'",
            expect!["exit 0, 2 bytes: "],
        ),
        (
            "while mkdir d 2>/dev/null && cd d; do :; done; mkdir d",
            expect!["exit 0, 0 bytes: bash: line 1: cd: d: File name too long"],
        ),
        (
            "while :; do sleep 1000 & done",
            expect!["exit 1, 0 bytes: bash: line 1: more than 100 background jobs"],
        ),
        (
            "awk 'function f(n) { return f(n+1) } BEGIN { f(0) }'",
            expect!["exit 2, 0 bytes: awk: f: functions are nested deeper than 60"],
        ),
        (
            "awk 'BEGIN { s = \"a\"; while (1) s = s s }'",
            expect!["exit 2, 0 bytes: awk: a text is too long"],
        ),
    ];
    for (script, expected) in cases {
        // What a fork bomb left in the background goes on, as on a real host: each has one of its own.
        let host = host();
        expected.assert_eq(&run(&host, script));
        assert_eq!(run(&host, "echo $((6*7))"), "exit 0, 3 bytes: ", "after: {script}");
    }
}

#[test]
fn deep_syntax_is_refused() {
    let deep = |open: &str, close: &str| format!("{}:{}", open.repeat(5_000), close.repeat(5_000));
    let host = host();
    for (script, expected) in [
        (
            deep("(", ")"),
            expect![
                "exit 1, 0 bytes: bash: line 1: ((: (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
            ],
        ),
        (
            deep("{ ", ";}"),
            expect!["exit 2, 0 bytes: bash: -c: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            deep("$(", ")"),
            expect!["exit 2, 0 bytes: bash: -c: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            deep("if ", ";then :;fi"),
            expect!["exit 2, 0 bytes: bash: -c: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            format!("echo $(({}1{}))", "(".repeat(5_000), ")".repeat(5_000)),
            expect![
                "exit 1, 0 bytes: bash: line 1: (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
            ],
        ),
        (
            format!("[[ {} a {} ]]", "( ".repeat(5_000), ") ".repeat(5_000)),
            expect!["exit 2, 0 bytes: bash: -c: line 1: commands are nested more than 60 levels deep"],
        ),
        (
            format!("echo {}x{}", "${x:-".repeat(5_000), "}".repeat(5_000)),
            expect!["exit 2, 0 bytes: bash: -c: line 1: commands are nested more than 60 levels deep"],
        ),
        (format!("echo {}", "! ".repeat(5_000)), expect!["exit 0, 10000 bytes: "]),
        (
            format!("find / {} -name x {}", "\\( ".repeat(5_000), "\\) ".repeat(5_000)),
            expect!["exit 1, 0 bytes: find: the expression is nested too deeply"],
        ),
        (
            format!("awk 'BEGIN {{ print {}1{} }}'", "(".repeat(5_000), ")".repeat(5_000)),
            expect!["exit 2, 0 bytes: awk: the program is nested too deeply"],
        ),
        (
            format!("echo x | grep -E '{}x{}'", "(".repeat(5_000), ")".repeat(5_000)),
            expect!["exit 2, 0 bytes: grep: Invalid regular expression"],
        ),
        (
            format!("echo x | sed '{}p{}'", "{".repeat(5_000), "}".repeat(5_000)),
            expect!["exit 0, 4 bytes: "],
        ),
    ] {
        expected.assert_eq(&run(&host, &script));
        assert_eq!(run(&host, "echo $((6*7))"), "exit 0, 3 bytes: ");
    }
}
