//! Runs the cases of tests/shell/*.cases through the machine's bash and through ours, and compares
//! stdout, stderr and exit code. Cases are separated by lines `%%`. Skipped where there is no bash.

use std::process::{Command, Stdio};
use std::time::Duration;

use kubetab::shell::{Commands, Dialect, Files, Host, Input, Output, Shell, ShellOptions};
use kubetab::sim::{Sim, Time};

type Result3 = (String, String, i32);

fn ours(source: &str, dir: &str) -> Result3 {
    let sim = Sim::new(7, Time::from_secs(1_795_251_319));
    let files = Files::with_base(&sim);
    files.make_dirs(dir).unwrap();
    let host = Host::new(&sim, "k8s-master", files, Commands::with_tools(), Dialect::Bash);
    let options = ShellOptions {
        cwd: dir.to_owned(),
        ..ShellOptions::default()
    };
    let shell = Shell::new(&host, options);
    let (stdout, out) = Output::buffer();
    let (stderr, err) = Output::buffer();
    let run = {
        let shell = shell.clone();
        let source = source.to_owned();
        async move {
            shell.run(&source, Input::empty(), stdout.clone(), stderr.clone()).await;
            let code = shell.finish(stdout, stderr).await;
            shell.wait_for_jobs().await;
            code
        }
    };
    let end = sim.now() + Duration::from_secs(3_600);
    let code = sim.run_future(run, end).unwrap_or(-1);
    let text = |b: &std::cell::RefCell<Vec<u8>>| String::from_utf8_lossy(&b.borrow()).into_owned();
    (text(&out), text(&err), code)
}

fn theirs(source: &str, dir: &str) -> Result3 {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).unwrap();
    let output = Command::new("timeout")
        .args(["-k", "1", "20", "bash", "-c", source])
        .current_dir(dir)
        .env_clear()
        .envs([
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
            ("LOGNAME", "root"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("SHELL", "/bin/bash"),
            ("TERM", "xterm-256color"),
            ("USER", "root"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
        output.status.code().unwrap_or(-1),
    )
}

/// The prefix of `bash: line N:` may be worded alike in all but the number in nested sources.
fn compare(file: &str) {
    let has_bash = Command::new("bash")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !has_bash {
        println!("skipped: this machine has no bash to compare with");
        return;
    }
    let text = std::fs::read_to_string(file).unwrap();
    let only = std::env::var("CASE").ok();
    let mut failed = String::new();
    let (mut total, mut bad) = (0, 0);
    let name = std::path::Path::new(file)
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    for case in text.split("\n%%\n") {
        let case = case.trim_matches('\n');
        if case.is_empty() || only.as_ref().is_some_and(|o| !case.contains(o.as_str())) {
            continue;
        }
        total += 1;
        let dir = std::env::temp_dir().join(format!("kubetab-shell-{}-{name}", std::process::id()));
        let dir = dir.to_string_lossy().into_owned();
        let want = theirs(case, &dir);
        let got = ours(case, &dir);
        let _ = std::fs::remove_dir_all(&dir);
        if want != got {
            bad += 1;
            failed.push_str(&format!("\n=== {case}\n"));
            for (what, w, g) in [("stdout", &want.0, &got.0), ("stderr", &want.1, &got.1)] {
                if w != g {
                    failed.push_str(&format!("--- {what} of bash\n{w}\n--- {what} of ours\n{g}\n"));
                }
            }
            if want.2 != got.2 {
                failed.push_str(&format!("--- exit code {} of bash, {} of ours\n", want.2, got.2));
            }
        }
    }
    assert!(bad == 0, "{bad} of {total} cases differ:{failed}");
    println!("{total} cases agree with bash");
}

#[test]
fn syntax_agrees_with_bash() {
    compare("tests/shell/syntax.cases");
}

#[test]
fn tools_agree_with_coreutils() {
    compare("tests/shell/tools.cases");
}

/// The commands of a scenario, each with its here-documents.
fn scenario_commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    let mut in_file = false;
    for line in text.lines() {
        if in_file {
            in_file = line != "@end";
        } else if line.starts_with("@file") {
            in_file = true;
            open = false;
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
            open = true;
        } else if line.starts_with('@') || line.starts_with('#') && !open {
            open = false;
        } else if open && let Some(last) = commands.last_mut() {
            last.push('\n');
            last.push_str(line);
        }
    }
    commands
}

#[test]
fn every_transcript_s_commands_parse() {
    let Ok(dir) = std::fs::read_dir("tests/transcripts") else {
        println!("skipped: there are no transcripts here");
        return;
    };
    let mut paths: Vec<_> = dir.map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut bad = String::new();
    let mut count = 0;
    for path in paths {
        if path.extension().is_none_or(|e| e != "scn") {
            continue;
        }
        for command in scenario_commands(&std::fs::read_to_string(&path).unwrap()) {
            count += 1;
            let (out, err, code) = ours(&format!("set -n\n{command}"), "/root/scenario");
            if code != 0 || !err.is_empty() {
                bad.push_str(&format!("{}: {command}\n{out}{err}\n", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad}");
    println!("{count} commands parse");
}
