//! Tests of the shell as containers and scenarios use it: signals, limits, other dialects, dropping.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;

use super::{
    Commands, Context, Dialect, Files, Host, Input, NoProgram, Output, SIGKILL, SIGTERM, Shell, ShellOptions,
    default_env,
};
use crate::sim::{Sim, Time};

struct Machine {
    sim: Sim,
    host: Host,
}

fn machine(dialect: Dialect) -> Machine {
    let sim = Sim::new(1, Time::from_secs(1_000));
    let files = Files::with_base(&sim);
    let host = Host::new(&sim, "box", files, Commands::with_tools(), dialect);
    Machine { sim, host }
}

type Text = Rc<std::cell::RefCell<Vec<u8>>>;

fn text(buffer: &Text) -> String {
    String::from_utf8_lossy(&buffer.borrow()).into_owned()
}

impl Machine {
    fn context(&self, args: &[&str]) -> (Context, Text) {
        let (output, buffer) = Output::buffer();
        let args = args.iter().map(|a| a.to_string()).collect();
        let context = self
            .host
            .context(args, default_env(), "/", Input::empty(), output.clone(), output);
        (context, buffer)
    }

    /// Runs a program to its end: its output and exit code.
    fn exec(&self, args: &[&str]) -> (String, Option<i32>) {
        let (context, buffer) = self.context(args);
        let run = self.host.exec(context).expect("the program is there");
        let end = self.sim.now() + Duration::from_secs(100_000);
        let code = self.sim.run_future(run, end);
        (text(&buffer), code)
    }

    fn sh(&self, source: &str) -> (String, Option<i32>) {
        self.exec(&["sh", "-c", source])
    }
}

#[test]
fn a_container_s_shell_handles_its_signals() {
    let m = machine(Dialect::Busybox);
    for (source, signal, after, code) in [
        ("trap exit TERM; while true; do sleep 1; done", SIGTERM, 1, Some(143)),
        (
            "trap 'echo bye; exit 0' TERM; while true; do sleep 1; done",
            SIGTERM,
            1,
            Some(0),
        ),
        // Process 1 without a handler does not hear SIGTERM.
        ("sleep 3600", SIGTERM, 100, None),
        ("sleep 3600", SIGKILL, 1, Some(137)),
        // A trap waits for the foreground command, but not for a background one.
        ("trap 'exit 5' TERM; sleep 3600", SIGTERM, 100, None),
        ("trap 'exit 5' TERM; sleep 3600 & wait", SIGTERM, 1, Some(5)),
    ] {
        let (context, buffer) = m.context(&["sh", "-c", source]);
        let process = context.process.clone();
        process.set_first();
        let done = Rc::new(std::cell::Cell::new(None));
        let (run, slot) = (m.host.exec(context).unwrap(), done.clone());
        let task = m.sim.spawn("container", async move { slot.set(Some(run.await)) });
        m.sim.run_for(Duration::from_millis(2_500));
        process.signal(signal);
        m.sim.run_for(Duration::from_secs(after));
        let expected = if source.contains("trap exit TERM") {
            done.get().map(|_| done.get().unwrap())
        } else {
            code
        };
        assert_eq!(done.get(), expected, "{source}: {}", text(&buffer));
        assert_eq!(done.get().is_some(), code.is_some(), "{source}");
        task.abort();
        m.sim.run_ready(100);
        assert!(m.sim.task_names().is_empty(), "{source}: {:?}", m.sim.task_names());
    }
}

#[test]
fn only_a_program_that_is_the_whole_source_takes_the_shell_s_place() {
    let script = "trap 'echo bye' EXIT; (sleep 1; echo job) & sleep 0; echo on; sleep 2";
    for args in [
        ["sh", "-c", ". /x.sh", "sh", ""],
        ["sh", "-c", "eval \"$1\"", "sh", script],
    ] {
        let m = machine(Dialect::Busybox);
        m.host.files().write("/x.sh", script).unwrap();
        let (context, buffer) = m.context(&args);
        context.process.set_first();
        let run = m.host.exec(context).unwrap();
        m.sim.run_future(run, m.sim.now() + Duration::from_secs(10));
        assert_eq!(text(&buffer), "on\njob\nbye\n", "{args:?}");
    }
    for (source, processes) in [
        ("sleep 9", 1),
        ("A='a;b' sleep \"$(echo 9)\"\n", 1),
        ("sleep 9; true", 2),
        ("sleep 9\ntrue", 2),
        ("sleep 9 && true", 2),
        ("! sleep 9", 2),
        ("sleep 9 > /dev/null", 2),
        ("eval sleep 9", 2),
    ] {
        let m = machine(Dialect::Busybox);
        let (context, _) = m.context(&["sh", "-c", source]);
        let task = m.sim.spawn("container", m.host.exec(context).unwrap().map(|_code| ()));
        m.sim.run_for(Duration::from_secs(1));
        assert_eq!(m.host.processes().list().len(), processes, "{source}");
        task.abort();
    }
}

#[test]
fn dialects_word_their_errors() {
    for (dialect, source, expected) in [
        (Dialect::Busybox, "foo", "sh: foo: not found\n"),
        (Dialect::Dash, "foo", "sh: 1: foo: not found\n"),
        (Dialect::Bash, "foo", "sh: line 1: foo: command not found\n"),
        (Dialect::Dash, "cat <x", "sh: 1: cannot open x: No such file\n"),
        (Dialect::Busybox, "cat <x", "sh: can't open x: no such file\n"),
        (
            Dialect::Busybox,
            "cd /x",
            "sh: cd: line 0: can't cd to /x: No such file or directory\n",
        ),
        (Dialect::Dash, "if", "sh: 2: Syntax error: end of file unexpected\n"),
        (
            Dialect::Busybox,
            "rm x",
            "rm: can't remove 'x': No such file or directory\n",
        ),
        (
            Dialect::Busybox,
            "echo -e 'a\\tb'; [ 1 = 1 ] && echo {1,2}",
            "a\tb\n{1,2}\n",
        ),
        (Dialect::Dash, "echo 'a\\tb'", "a\tb\n"),
    ] {
        assert_eq!(machine(dialect).sh(source).0, expected, "{dialect:?} {source}");
    }
    let m = machine(Dialect::Busybox);
    let (context, _) = m.context(&["nosuch"]);
    assert_eq!(m.host.exec(context).err(), Some(NoProgram::NotFound));
}

#[test]
fn dd_copies_blocks_and_takes_time() {
    for (script, expected) in [
        (
            "printf 0123456789 > a; dd if=a of=b ibs=3 obs=5 skip=1 2>&1 | head -2; cat b",
            "2+1 records in\n1+1 records out\n3456789",
        ),
        ("printf 0123456789 | dd bs=4 skip=1 count=1 status=none", "4567"),
        (
            "printf abcdef > b; printf XY | dd of=b bs=1 seek=2 status=none; cat b; printf Z | dd of=b bs=1 seek=1 conv=notrunc status=none; cat b",
            "abXYaZXY",
        ),
        (
            "dd if=/dev/zero of=/dev/null bs=1M count=5000 2>&1 | tail -1",
            "5242880000 bytes (5.2 GB, 4.9 GiB) copied, 5.247880 s, 999 MB/s\n",
        ),
        (
            "dd if=a cbs=8; dd conv=ucase; dd if=a seek=1; echo $?",
            "dd: cbs=8 is not simulated\ndd: conv=ucase is not simulated\ndd: seek without of is not simulated\n1\n",
        ),
        (
            "dd if=/dev/zero bs=1k 2>/dev/null | head -c 2 | wc -c; timeout 2 dd if=/dev/zero of=/dev/null; echo $?",
            "2\n124\n",
        ),
    ] {
        assert_eq!(machine(Dialect::Bash).sh(script).0, expected, "{script}");
    }
    let m = machine(Dialect::Bash);
    let spent = Rc::new(std::cell::Cell::new(Duration::ZERO));
    let meter = spent.clone();
    m.host.set_meter(move |time| meter.set(meter.get() + time));
    let before = m.sim.now();
    assert_eq!(m.sh("timeout 3 dd if=/dev/zero of=/dev/null").1, Some(124));
    assert!(m.sim.now().since(before) < Duration::from_secs(4));
    assert!(spent.get() > Duration::from_millis(2_900), "{:?}", spent.get());
}

#[test]
fn loops_take_virtual_time() {
    let m = machine(Dialect::Bash);
    let before = m.sim.now();
    let (out, code) = m.sh("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo $i");
    assert_eq!((out.as_str(), code), ("2000\n", Some(0)));
    let took = m.sim.now().since(before);
    assert!(
        took > Duration::from_millis(10) && took < Duration::from_secs(1),
        "{took:?}"
    );

    // One that never ends lets the world go on.
    let (context, _) = m.context(&["sh", "-c", "while :; do :; done"]);
    let task = m.sim.spawn("endless", m.host.exec(context).unwrap().map(|_code| ()));
    m.sim.run_for(Duration::from_millis(50));
    assert!(!task.is_finished());
    task.abort();
}

#[test]
fn dropping_a_run_ends_everything_of_it() {
    let m = machine(Dialect::Bash);
    let shell = Shell::new(&m.host, ShellOptions::default());
    let run = shell.run(
        "f() { local x=1; cat <(sleep 100) | (sleep 50; echo no > /tmp/late); }; x=0; f",
        Input::empty(),
        Output::null(),
        Output::null(),
    );
    let task = m.sim.spawn("run", run.map(|_code| ()));
    m.sim.run_for(Duration::from_secs(1));
    assert!(shell.is_busy());
    task.abort();
    shell.interrupted();
    m.sim.run_for(Duration::from_secs(200));
    assert!(!m.host.files().exists("/tmp/late"));
    assert_eq!(m.sim.next_timer(), None, "no timer is left");
    assert_eq!((shell.get("x").as_deref(), shell.last_code()), (Some("0"), 130));
    assert_eq!(m.host.processes().list().len(), 1, "only the shell itself");
}

#[test]
fn an_editor_opens_or_is_missed_plainly() {
    let m = machine(Dialect::Bash);
    let (out, code) = m.sh("vim a.yaml");
    assert!(out.contains("there is no editor at this terminal"), "{out}");
    assert_eq!(code, Some(1));
    let opened: Rc<std::cell::RefCell<Vec<String>>> = Rc::default();
    let seen = opened.clone();
    m.host.set_editor(Some(Rc::new(move |path| {
        seen.borrow_mut().push(path);
        Box::pin(async { 0 })
    })));
    assert_eq!(m.sh("cd /tmp; vi +3 a.yaml").1, Some(0));
    assert_eq!(*opened.borrow(), ["/tmp/a.yaml"]);
}

#[test]
fn random_sources_do_no_harm() {
    let m = machine(Dialect::Bash);
    let pieces = [
        "echo", " ", "a", "'", "\"", "$", "${", "}", "$(", ")", "((", "))", "|", "&&", "||", ";", "&", "<", ">", "<<E",
        "\n", "E", "if", "then", "fi", "for", "in", "do", "done", "case", "esac", "{", "[[", "]]", "=", "x=", "(", "`",
        "\\", "*", "[", "]", "!", "#", "while", "1", "+", "-", ":", "%", "/", "~", "{1..3}", "f()", "é", "@",
        "sed s/a", "awk {", "grep [", "printf %", "test", "read x", "trap", "set -", "local", "export",
    ];
    for _ in 0..3_000 {
        let mut source = String::new();
        for _ in 0..m.sim.random_below(12) {
            let i = m.sim.random_below(pieces.len() as u64) as usize;
            source.push_str(pieces[i]);
            if m.sim.random_below(2) == 0 {
                source.push(' ');
            }
        }
        let (context, _) = m.context(&["bash", "-c", &source]);
        let run = m.host.exec(context).unwrap();
        let end = m.sim.now() + Duration::from_secs(5);
        m.sim.run_future(run, end);
    }
}

#[test]
fn openssl_says_what_it_does_not_do() {
    let m = machine(Dialect::Bash);
    for (source, expected) in [
        ("openssl genrsa -3 512", "genrsa: -3 is not simulated\n"),
        ("openssl x509 -inform DER -in a", "x509: -inform DER is not simulated\n"),
        ("openssl rsa -in a -outform DER", "rsa: -outform DER is not simulated\n"),
        ("openssl pkey -passin pass:a", "pkey: -passin is not simulated\n"),
        (
            "openssl verify -CAfile a -untrusted b c",
            "verify: -untrusted is not simulated\n",
        ),
        ("openssl x509 -ocspid", "x509: -ocspid is not simulated\n"),
        (
            "openssl ecparam -name prime256v1 -param_enc explicit",
            "ecparam: -param_enc explicit is not simulated\n",
        ),
        (
            "openssl x509 -what",
            "x509: Unknown option: -what\nx509: Use -help for summary.\n",
        ),
    ] {
        assert_eq!(m.sh(source), (expected.to_owned(), Some(1)), "{source}");
    }
}

#[test]
fn openssl_checks_keys_and_sets_serial_numbers() {
    let m = machine(Dialect::Bash);
    let (out, code) = m.sh("
        openssl ecparam -name prime256v1 -genkey -noout -out ec.key
        openssl genrsa -out rsa.key 512
        openssl pkey -in rsa.key -noout -check; openssl pkey -in ec.key -noout -check
        openssl rsa -in rsa.key -noout -check; openssl ec -in ec.key -noout -check
        openssl rsa -in rsa.key -pubout -out rsa.pub; openssl rsa -in rsa.pub -pubin -noout -check
        openssl pkey -in rsa.pub -pubin -noout -check
        openssl pkey -in rsa.pub -pubin -noout -text | head -1
        openssl pkey -in rsa.key -noout -text | head -1
        for n in 7 0x80 0x10000000000000000 -1 0x100000000000000000000000000000000; do
            openssl req -new -x509 -key ec.key -subj /CN=a -set_serial $n | openssl x509 -noout -serial 2> /dev/null
        done
        openssl req -new -key ec.key -subj /CN=b | openssl x509 -req -signkey ec.key -set_serial 255 -text | grep -A1 -e Serial -e Signature.A
    ");
    expect_test::expect![[r#"
        Key is valid
        Key is valid
        RSA key ok
        read EC key
        EC Key valid.
        writing RSA key
        Only private keys can be checked
        Key is invalid
        Public-Key: (512 bit)
        Private-Key: (512 bit)
        serial=07
        serial=80
        serial=010000000000000000
        req: Use -help for summary.
        serial numbers of more than 16 bytes are not simulated for -set_serial
        Certificate request self-signature ok
        subject=CN = b
                Serial Number: 255 (0xff)
                Signature Algorithm: ecdsa-with-SHA256
                Issuer: CN = b
        --
            Signature Algorithm: ecdsa-with-SHA256
            Signature Value:
    "#]]
    .assert_eq(&out);
    assert_eq!(code, Some(0));
}
