//! `kubectl attach`, and the attached runs of `kubectl run`.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::exec::{completed, open, talk};
use super::flags::{Flag, Kind, NOT_SIMULATED, flag};
use super::podpick;
use crate::api::Request;
use crate::api::subresource::Session;
use crate::sim::timeout;
use crate::value::{Value, quoted};

/// What a container's streams are asked for with, here and by `exec`.
pub const STREAMS: &[Flag] = &[
    flag("container", 'c', Kind::Str, ""),
    flag("pod-running-timeout", '\0', Kind::Duration, "1m0s"),
    flag("quiet", 'q', Kind::Bool, "false"),
    flag("stdin", 'i', Kind::Bool, "false"),
    flag("tty", 't', Kind::Bool, "false"),
];

/// The keys that end an attachment.
pub const DETACH_KEYS: &[Flag] = &[flag("detach-keys", '\0', Kind::Str, "ctrl-p,ctrl-q").but(NOT_SIMULATED)];

pub static ATTACH: Verb = Verb {
    name: "attach",
    group: "Troubleshooting and Debugging Commands:",
    short: "Attach to a running container",
    flags: &[STREAMS, DETACH_KEYS],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

const PROMPT: &str = "If you don't see a command prompt, try pressing enter.";
const RECORDED: &str = "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.";

async fn run(cmd: &Cmd) -> Result<(), Error> {
    match cmd.args.len() {
        0 => return Err(Error::plain("at least 1 argument is required for attach")),
        1 | 2 => {}
        n => {
            return Err(Error::plain(format!(
                "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {n}: [{}]",
                cmd.args.join(" ")
            )));
        }
    }
    cmd.flags.pod_running_timeout().map_err(Error::usage)?;
    let pod = podpick::pod(cmd, podpick::object(cmd, &cmd.args).await?).await?;
    completed(&pod, "attach")?;
    let container = podpick::container(cmd, &pod, cmd.flags.str("container"), cmd.flags.bool("quiet"))
        .map_err(|e| Error::plain(format!("cannot attach to the container: {}", e.message())))?;
    session(cmd, open(cmd, &pod, &container, None).await).await
}

/// Talks with a container, if it could be attached to.
async fn session(cmd: &Cmd, opened: Result<Session, Error>) -> Result<(), Error> {
    if !cmd.flags.bool("quiet") {
        cmd.err(RECORDED);
        cmd.err(PROMPT);
    }
    talk(cmd, &opened?).await.map_err(|s| Error::plain(s.message()))?;
    Ok(())
}

/// Waits until the pod fits.
async fn wait_for(cmd: &Cmd, pod: &Value, fits: impl Fn(&Value) -> bool) -> Result<Value, Error> {
    let pods = cmd.client.resource("", "v1", "pods")?;
    let request = Request::get(pods.path(pod.str_at(&["metadata", "namespace"]))).with(
        "fieldSelector",
        format!("metadata.name={}", pod.str_at(&["metadata", "name"])),
    );
    let mut watch = cmd.watch(request).await?;
    while let Some(event) = watch.next().await {
        if event.name() == "DELETED" {
            return Err(Error::plain(format!(
                "pods {} not found",
                quoted(&pod.str_at(&["metadata", "name"]))
            )));
        }
        if let Some(o) = event.object().filter(|o| fits(o.value())) {
            return Ok(o.value().clone());
        }
    }
    Err(Error::plain("timed out waiting for the condition"))
}

/// Waits until a debugging container runs, and attaches to it; shows the log of one that has ended.
///
/// # Errors
/// Why there is no session.
pub async fn debugged(cmd: &Cmd, pod: &Value, container: &str) -> Result<(), Error> {
    let state = |p: &Value, path: &[&str]| {
        let lists = [
            "containerStatuses",
            "initContainerStatuses",
            "ephemeralContainerStatuses",
        ];
        let mut all = lists.iter().flat_map(|l| p.at(&["status", l]).items());
        let found = all.find(|c| c.str_at(&["name"]) == container);
        found.map_or(Value::Null, |c| c.get("state").at(path).clone())
    };
    let there = |p: &Value, which: &str| !state(p, &[which]).is_null();
    let fits = |p: &Value| {
        let why = state(p, &["waiting", "message"]);
        if !why.is_empty() && !cmd.flags.bool("quiet") {
            cmd.err(format!("Warning: container {container}: {}", why.str()));
        }
        there(p, "running") || there(p, "terminated")
    };
    let pod = wait_for(cmd, pod, fits).await?;
    if there(&pod, "terminated") {
        super::logs::whole(cmd, &pod, container, 0).await?;
        return Ok(());
    }
    attach_or_log(cmd, &pod, container, open(cmd, &pod, container, None).await).await
}

/// Talks with a container, or shows its log where it could not be attached to.
async fn attach_or_log(cmd: &Cmd, pod: &Value, container: &str, opened: Result<Session, Error>) -> Result<(), Error> {
    let Err(e) = session(cmd, opened).await else {
        return Ok(());
    };
    cmd.err(format!(
        "warning: couldn't attach to pod/{}, falling back to streaming logs: {}",
        pod.str_at(&["metadata", "name"]),
        e.message()
    ));
    super::logs::whole(cmd, pod, container, 0).await?;
    Ok(())
}

/// Waits until a new pod runs, shows what it prints, and ends as it ends.
///
/// # Errors
/// The exit code of the pod's container, or why it never ran.
pub async fn wait_and_attach(cmd: &Cmd, pod: &Value) -> Result<(), Error> {
    let phase = |p: &Value| p.str_at(&["status", "phase"]).to_owned();
    let over = |p: &Value| matches!(phase(p).as_str(), "Succeeded" | "Failed");
    let started = |p: &Value| {
        over(p)
            || (phase(p) == "Running"
                && p.at(&["status", "conditions"])
                    .items()
                    .iter()
                    .any(|c| c.str_at(&["type"]) == "Ready" && c.str_at(&["status"]) == "True"))
    };
    let limit = cmd.flags.duration("pod-running-timeout");
    let in_time = async |pod: &Value, fits: &dyn Fn(&Value) -> bool| {
        timeout(cmd.sim(), limit, wait_for(cmd, pod, fits))
            .await
            .unwrap_or_else(|| Err(Error::plain("timed out waiting for the condition")))
    };
    let pod = in_time(pod, &started).await?;
    let container = podpick::container(cmd, &pod, "", true)?;
    // What was printed before the attachment is shown as well.
    let shown = super::logs::whole(cmd, &pod, &container, 0).await?;
    if !over(&pod) {
        match open(cmd, &pod, &container, None).await {
            // A short container may have ended since: its log has the rest of what it printed.
            Err(e) if e.message().contains("container not found") => {
                super::logs::whole(cmd, &pod, &container, shown).await?;
            }
            opened => attach_or_log(cmd, &pod, &container, opened).await?,
        }
    }
    let restart = cmd.flags.str("restart");
    if cmd.flags.bool("leave-stdin-open") || !matches!(restart, "Never" | "OnFailure") {
        return Ok(());
    }
    // A container that is started again after a failure has an end only when it succeeds.
    let ended = |p: &Value| over(p) && (restart == "Never" || phase(p) == "Succeeded");
    let pod = in_time(&pod, &ended).await?;
    if phase(&pod) == "Succeeded" {
        return Ok(());
    }
    let name = format!(
        "{}/{}",
        pod.str_at(&["metadata", "namespace"]),
        pod.str_at(&["metadata", "name"])
    );
    let first = pod.at(&["status", "containerStatuses"]).items().first();
    let ended = first
        .map(|c| c.at(&["state", "terminated"]))
        .cloned()
        .unwrap_or_default();
    match ended.i64_at(&["exitCode"]).and_then(|c| i32::try_from(c).ok()) {
        None | Some(0) => Err(Error::plain(format!("pod {name} failed with unknown exit code"))),
        Some(code) => Err(Error::Code(
            format!(
                "pod {name} terminated ({})\n{}",
                ended.str_at(&["reason"]),
                ended.str_at(&["message"])
            ),
            code,
        )),
    }
}
