//! `kubectl logs`.

use std::time::Duration;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::SELECTOR;
use super::podpick;
use crate::api::client::item;
use crate::api::{Payload, Request};
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::{Value, quoted};

const FLAGS: &[Flag] = &[
    flag("all-containers", '\0', Kind::Bool, "false"),
    flag("all-pods", '\0', Kind::Bool, "false"),
    flag("container", 'c', Kind::Str, ""),
    flag("follow", 'f', Kind::Bool, "false"),
    flag("ignore-errors", '\0', Kind::Bool, "false"),
    flag("insecure-skip-tls-verify-backend", '\0', Kind::Bool, "false").but("there are none"),
    flag("limit-bytes", '\0', Kind::Int, "0"),
    flag("max-log-requests", '\0', Kind::Int, "5"),
    flag("pod-running-timeout", '\0', Kind::Duration, "20s"),
    flag("prefix", '\0', Kind::Bool, "false"),
    flag("previous", 'p', Kind::Bool, "false"),
    flag("since", '\0', Kind::Duration, "0s"),
    flag("since-time", '\0', Kind::Str, ""),
    flag("tail", '\0', Kind::Int, "-1"),
    flag("timestamps", '\0', Kind::Bool, "false"),
];

pub static LOGS: Verb = Verb {
    name: "logs",
    group: "Troubleshooting and Debugging Commands:",
    short: "Print the logs for a container in a pod",
    flags: &[FLAGS, SELECTOR],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// One log to show.
struct Source {
    namespace: String,
    pod: String,
    container: String,
    prefix: String,
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let selector = cmd.flags.str("selector").to_owned();
    let usage = || {
        Error::usage(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command",
        )
    };
    let mut container = cmd.flags.str("container").to_owned();
    match (cmd.args.len(), selector.is_empty()) {
        (0, true) => return Err(usage()),
        (1, false) => return Err(Error::usage("only a selector (-l) or a POD name is allowed")),
        (2, false) => return Err(Error::plain(super::builder::NO_SELECTORS)),
        (2, true) => container = cmd.arg(1).to_owned(),
        (3.., true) => return Err(usage()),
        _ => {}
    }
    let all = cmd.flags.bool("all-containers");
    cmd.flags.pod_running_timeout().map_err(Error::plain)?;
    let time = cmd.flags.str("since-time");
    if !time.is_empty() && Time::parse(time).is_none() {
        return Err(Error::plain(Time::unparsed(time)));
    }
    let prefix = cmd.flags.bool("prefix") || cmd.flags.bool("all-pods");
    let (mut pods, mut workload) = (Vec::new(), None);
    if selector.is_empty() {
        if cmd.arg(0).is_empty() {
            return Err(Error::plain(super::builder::MISSING));
        }
        let info = podpick::object(cmd, cmd.args.get(..1).unwrap_or_default())
            .await
            .map_err(|e| missing(cmd, e))?;
        match &*info.resource.kind {
            "Pod" => pods.push(info.object),
            _ => workload = Some(info),
        }
    } else {
        let resource = cmd.client.resource("", "v1", "pods")?;
        let select = super::builder::Select {
            labels: selector.clone(),
            ..super::builder::Select::default()
        };
        let list = cmd.list(&resource, &cmd.namespace(), &selector, "").await;
        let list = list.map_err(|e| super::builder::selector_error(e, &resource, &select))?;
        if list.get("items").is_empty() {
            cmd.err(format!("No resources found in {} namespace.", cmd.namespace()));
        }
        pods = list.get("items").items().to_vec();
    }
    if !time.is_empty() && !cmd.flags.duration("since").is_zero() {
        return Err(Error::plain(
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    if all && !container.is_empty() {
        return Err(Error::plain(format!(
            "--all-containers=true should not be specified with container name {container}"
        )));
    }
    if cmd.flags.has("container") && cmd.args.len() == 2 {
        return Err(Error::plain("only one of -c or an inline [CONTAINER] arg is allowed"));
    }
    if cmd.flags.int("limit-bytes") < 0 {
        return Err(Error::plain("--limit-bytes must be greater than 0"));
    }
    if cmd.flags.negative("since") && seconds(cmd) > 0 {
        return Err(Error::plain("--since must be greater than 0"));
    }
    if cmd.flags.int("tail") < -1 {
        return Err(Error::plain("--tail must be greater than or equal to -1"));
    }
    if let Some(info) = workload {
        pods = podpick::pods_of(cmd, &info, "get the logs from").await?;
        if cmd.flags.bool("all-pods") {
            // That there is one was the first question.
            pods = podpick::pods_of(cmd, &info, "get the logs from").await?;
        }
        if cmd.flags.bool("all-pods") {
            pods.arrange_by(|a, b| a.str_at(&["metadata", "name"]).cmp(b.str_at(&["metadata", "name"])));
        } else if let [first, _, ..] = pods.as_slice() {
            let name = first.str_at(&["metadata", "name"]);
            cmd.err(format!("Found {} pods, using pod/{name}", pods.len()));
            pods.truncate(1);
        }
    }
    let mut sources = Vec::new();
    for pod in &pods {
        let name = pod.str_at(&["metadata", "name"]);
        let containers = if all {
            podpick::all_containers(pod)
        } else {
            vec![podpick::container(cmd, pod, &container, cmd.flags.bool("all-pods"))?]
        };
        for c in containers {
            sources.push(Source {
                namespace: pod.str_at(&["metadata", "namespace"]).to_owned(),
                pod: name.to_owned(),
                prefix: if prefix {
                    format!("[pod/{name}/{c}] ")
                } else {
                    String::new()
                },
                container: c,
            });
        }
    }
    if cmd.flags.bool("follow") && sources.len() > 1 {
        let most = usize::try_from(cmd.flags.int("max-log-requests")).unwrap_or(0);
        if sources.len() > most {
            return Err(Error::plain(format!(
                "you are attempting to follow {} log streams, but maximum allowed concurrency is {most}, use --max-log-requests to increase the limit",
                sources.len()
            )));
        }
        // The first failure ends them all.
        let all = sources.iter().map(|s| patiently(cmd, s));
        return futures::future::try_join_all(all).await.map(|_| ());
    }
    for source in &sources {
        patiently(cmd, source).await?;
    }
    Ok(())
}

/// Shows one log; following, it asks each second for so long as `--pod-running-timeout` says until there is one.
async fn patiently(cmd: &Cmd, source: &Source) -> Result<(), Error> {
    let end = cmd.sim().now() + cmd.flags.duration("pod-running-timeout");
    loop {
        let Err(e) = one(cmd, source).await else {
            return Ok(());
        };
        if cmd.flags.bool("ignore-errors") {
            cmd.say(format!("error: {}", e.message()));
            return Ok(());
        }
        if !cmd.flags.bool("follow") {
            return Err(e);
        }
        cmd.err(e.message());
        if !matches!(e, Error::Status(_)) {
            return Err(e);
        }
        cmd.sim().sleep(Duration::from_secs(1)).await;
        if cmd.sim().now() >= end {
            return Err(Error::plain("context deadline exceeded"));
        }
    }
}

/// `--since` in whole seconds, the nearest ones.
fn seconds(cmd: &Cmd) -> u64 {
    (cmd.flags.duration("since") + Duration::from_millis(500)).as_secs()
}

/// kubectl words a pod that is not there in its own way here.
fn missing(cmd: &Cmd, e: Error) -> Error {
    match &e {
        Error::Status(s) if s.is_not_found() => Error::plain(format!(
            "error from server (NotFound): {} in namespace {}",
            s.message(),
            quoted(&cmd.namespace())
        )),
        _ => e,
    }
}

fn request(cmd: &Cmd, s: &Source) -> Result<Request, Error> {
    let pods = cmd.client.resource("", "v1", "pods")?;
    let flag = |name: &str| if cmd.flags.bool(name) { "true" } else { "" };
    let (mut since, mut since_time) = (String::new(), String::new());
    if !cmd.flags.duration("since").is_zero() {
        since = seconds(cmd).to_string();
    }
    if let Some(then) = Time::parse(cmd.flags.str("since-time")) {
        since_time = then.to_string();
    }
    let selecting = cmd.flags.has("selector");
    let tail = match cmd.flags.int("tail") {
        -1 if selecting && !cmd.flags.has("tail") => "10".to_owned(),
        -1 => String::new(),
        n => n.to_string(),
    };
    let limit = match cmd.flags.int("limit-bytes") {
        0 => String::new(),
        n => n.to_string(),
    };
    Ok(Request::get(format!("{}/log", item(&pods, &s.namespace, &s.pod)))
        .with("container", s.container.as_str())
        .with("follow", flag("follow"))
        .with("previous", flag("previous"))
        .with("timestamps", flag("timestamps"))
        .with("tailLines", tail)
        .with("sinceSeconds", since)
        .with("sinceTime", since_time)
        .with("limitBytes", limit))
}

/// Shows one log to its end.
async fn one(cmd: &Cmd, source: &Source) -> Result<(), Error> {
    let response = cmd.send(request(cmd, source)?).await?;
    let stream = match response.payload {
        Payload::Stream(stream) => stream,
        Payload::Text(text) => crate::api::subresource::ByteStream::finished(text),
        _ => return Err(Error::plain("the API server did not answer with a log")),
    };
    if source.prefix.is_empty() {
        while let Some(bytes) = stream.read().await {
            if !cmd.cx.stdout.write(&bytes) {
                return Ok(());
            }
        }
        return Ok(());
    }
    let mut rest: Vec<u8> = Vec::new();
    while let Some(bytes) = stream.read().await {
        rest.extend(bytes);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            cmd.out(&source.prefix);
            cmd.cx.stdout.write(&line);
        }
    }
    if !rest.is_empty() {
        cmd.out(&source.prefix);
        cmd.cx.stdout.write(&rest);
    }
    Ok(())
}

/// Shows a pod's log of a container without its first bytes, for attached runs that are over already; how long it is.
///
/// # Errors
/// The API server's failure.
pub async fn whole(cmd: &Cmd, pod: &Value, container: &str, skip: usize) -> Result<usize, Error> {
    let source = Source {
        namespace: pod.str_at(&["metadata", "namespace"]).to_owned(),
        pod: pod.str_at(&["metadata", "name"]).to_owned(),
        container: container.to_owned(),
        prefix: String::new(),
    };
    let pods = cmd.client.resource("", "v1", "pods")?;
    let request =
        Request::get(format!("{}/log", item(&pods, &source.namespace, &source.pod))).with("container", container);
    if let Payload::Stream(stream) = cmd.send(request).await?.payload {
        let bytes = stream.read_all().await;
        cmd.cx.stdout.write(bytes.get(skip..).unwrap_or_default());
        return Ok(bytes.len());
    }
    Ok(skip)
}
