//! `kubectl cp`: files from and to containers, by the `tar` that the container has.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::exec::{Streams, connect};
use super::flags::{Flag, Kind, flag};
use super::podpick;
use crate::api::{Session, Status};
use crate::shell::tar::{self, Content};
use crate::shell::{FileError, Output, base_name, dir_name};
use crate::value::{Value, quoted};

const FLAGS: &[Flag] = &[
    flag("container", 'c', Kind::Str, ""),
    flag("no-preserve", '\0', Kind::Bool, "false"),
    flag("retries", '\0', Kind::Int, "0").but("copies do not break off"),
];

pub static CP: Verb = Verb {
    name: "cp",
    group: "Troubleshooting and Debugging Commands:",
    short: "Copy files and directories to and from containers",
    flags: &[FLAGS],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// `[[NAMESPACE/]POD:]FILE`.
struct Spec {
    namespace: String,
    /// Empty for a file of this machine.
    pod: String,
    file: String,
}

fn spec(text: &str) -> Result<Spec, Error> {
    const FORM: &str = "filespec must match the canonical format: [[namespace/]pod:]file/path";
    let Some((pod, file)) = text.split_once(':') else {
        return Ok(Spec {
            namespace: String::new(),
            pod: String::new(),
            file: text.to_owned(),
        });
    };
    let parts: Vec<&str> = pod.split('/').collect();
    let (namespace, pod) = match parts.as_slice() {
        [pod] if !pod.is_empty() => ("", *pod),
        [namespace, pod] => (*namespace, *pod),
        _ => return Err(Error::plain(FORM)),
    };
    Ok(Spec {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        file: file.to_owned(),
    })
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if cmd.args.len() != 2 {
        return Err(Error::plain("source and destination are required"));
    }
    let (from, to) = (spec(cmd.arg(0))?, spec(cmd.arg(1))?);
    if !from.pod.is_empty() && !to.pod.is_empty() {
        return Err(Error::plain("one of src or dest must be a local file specification"));
    }
    if from.file.is_empty() || to.file.is_empty() {
        return Err(Error::plain("filepath can not be empty"));
    }
    if !from.pod.is_empty() {
        return download(cmd, &from, &to.file).await;
    }
    if !to.pod.is_empty() {
        return upload(cmd, &from.file, &to).await;
    }
    Err(Error::plain("one of src or dest must be a remote file specification"))
}

async fn pod_of(cmd: &Cmd, spec: &Spec) -> Result<Value, Error> {
    let namespace = if spec.namespace.is_empty() {
        cmd.namespace()
    } else {
        spec.namespace.clone()
    };
    let pods = cmd.client.resource("", "v1", "pods")?;
    let pod = cmd.get(&pods, &namespace, &spec.pod).await?;
    super::exec::completed(&pod, "exec into")?;
    Ok(pod)
}

/// Starts a program in the container.
async fn start(cmd: &Cmd, pod: &Value, container: &str, words: &[&str], stdin: bool) -> Result<Session, Error> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    let streams = Streams { stdin, tty: false };
    connect(cmd, pod, container, Some(&words), streams).await
}

/// What an exit code of the program in the container means for kubectl.
fn ended(result: Result<i32, Status>) -> Result<(), Error> {
    match result {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::Code(format!("command terminated with exit code {code}"), code)),
        Err(status) => Err(Error::plain(status.message())),
    }
}

/// Reads both outputs of a program until it ends: what it printed to stdout; its stderr is shown on a stream of this
/// command.
async fn outputs(session: &Session, shown: &Output) -> (Vec<u8>, Result<i32, Status>) {
    let (out, ()) = futures::join!(session.stdout.read_all(), async {
        while let Some(bytes) = session.stderr.read().await {
            shown.write(&bytes);
        }
    });
    (out, session.exit().await)
}

async fn upload(cmd: &Cmd, from: &str, to: &Spec) -> Result<(), Error> {
    let files = &cmd.cx.files;
    let path = cmd.cx.path(from.trim_end_matches('/'));
    if !files.exists(&path) {
        return Err(Error::plain(format!("{from} doesn't exist in local filesystem")));
    }
    let pod = pod_of(cmd, to).await?;
    let container = podpick::container(cmd, &pod, cmd.flags.str("container"), false)?;
    let mut target = to.file.clone();
    if target.len() > 1 {
        target.truncate(target.trim_end_matches('/').len().max(1));
    }
    let test = start(cmd, &pod, &container, &["test", "-d", &target], false).await?;
    test.stdout.read_all().await;
    if let Ok(0) = test.exit().await {
        target = format!("{}/{}", target.trim_end_matches('/'), base_name(&path));
    }
    let mut members = Vec::new();
    tar::collect(files, &path, base_name(&target), &mut members)
        .map_err(|_| Error::plain(format!("open {from}: no such file or directory")))?;
    let dir = if target.contains('/') {
        dir_name(&target).to_owned()
    } else {
        String::new()
    };
    let mut words = vec!["tar"];
    if cmd.flags.bool("no-preserve") {
        words.extend(["--no-same-permissions", "--no-same-owner"]);
    }
    words.extend(["-xmf", "-"]);
    if !dir.is_empty() && dir != "." {
        words.extend(["-C", dir.as_str()]);
    }
    let session = start(cmd, &pod, &container, &words, true).await?;
    let feed = async {
        for piece in tar::write(&members).chunks(64 * 1024) {
            while !session.stdin.write(piece) {
                if session.stdin.is_closed() || session.stdout.is_closed() {
                    return;
                }
                cmd.sim().sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        session.stdin.close();
    };
    let ((), (out, result)) = futures::join!(feed, outputs(&session, &cmd.cx.stderr));
    cmd.cx.stdout.write(&out);
    ended(result)
}

/// Leaves out what leads above the first directory: `../../a` is `a`.
fn without_shortcuts(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

async fn download(cmd: &Cmd, from: &Spec, to: &str) -> Result<(), Error> {
    let pod = pod_of(cmd, from).await?;
    let container = podpick::container(cmd, &pod, cmd.flags.str("container"), false)?;
    let session = start(cmd, &pod, &container, &["tar", "cf", "-", &from.file], false).await?;
    // Of a download the real one shows the program's errors on its own stdout.
    let (bytes, result) = outputs(&session, &cmd.cx.stdout).await;
    let members = match tar::read(&bytes) {
        Ok(members) => members,
        Err(_) => {
            ended(result)?;
            return Err(Error::plain("unexpected EOF"));
        }
    };
    let prefix = without_shortcuts(&from.file);
    let mut warned = false;
    for m in members {
        let name = m.name.trim_end_matches('/');
        let Some(rest) = name.trim_start_matches("./").strip_prefix(&prefix) else {
            return Err(Error::plain("tar contents corrupted"));
        };
        let rest = rest.trim_matches('/');
        let shown = if rest.is_empty() {
            to.to_owned()
        } else {
            format!("{}/{rest}", to.trim_end_matches('/'))
        };
        if rest.split('/').any(|p| p == "..") {
            cmd.err(format!(
                "warning: file {shown} is outside target destination, skipping",
                shown = quoted(&shown)
            ));
            continue;
        }
        let path = cmd.cx.path(&shown);
        let failed = |error: FileError| Error::plain(error.opening(&shown));
        match &m.content {
            Content::Directory => cmd.cx.files.make_dirs(&path).map_err(failed)?,
            Content::File(content) => {
                cmd.cx.files.make_dirs(dir_name(&path)).map_err(failed)?;
                cmd.cx.files.write(&path, content.clone()).map_err(failed)?;
                if !cmd.flags.bool("no-preserve") {
                    cmd.cx.files.set_mode(&path, m.mode).map_err(failed)?;
                }
            }
            Content::Link(target) => {
                if !warned {
                    warned = true;
                    let namespace = pod.str_at(&["metadata", "namespace"]);
                    cmd.err(format!(
                        "warning: skipping symlink: {} -> {target} (consider using \"kubectl exec -n {namespace} {} -- tar cf - {} | tar xf -\")",
                        quoted(&shown), quoted(&from.pod), quoted(&from.file), target = quoted(&target), namespace = quoted(&namespace)
                    ));
                }
            }
        }
    }
    ended(result)
}
