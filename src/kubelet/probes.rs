//! Probes and hooks: what the kubelet asks of containers, and the tasks that ask again and again.

use std::rc::Rc;
use std::time::Duration;

use super::container::{Run, start_error};
use super::worker::Worker;
use crate::api::events::EventType;
use crate::api::views::Pod;
use crate::net::http::HttpRequest;
use crate::net::{Listener, NoAnswer, Protocol, Tls};
use crate::shell::{Input, Output};
use crate::sim::timeout;
use crate::value::Value;

/// A probe's or hook's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Success,
    /// With what the event says after `Readiness probe failed: `.
    Failure(String),
    /// The question itself failed (`Readiness probe errored: `).
    Unknown(String),
}

/// Runs a command in a container: its output and exit code.
///
/// # Errors
/// Why it could not be started.
pub async fn command(run: &Run, args: Vec<String>) -> Result<(String, i32), String> {
    let (output, bytes) = Output::buffer();
    let name = args.first().cloned().unwrap_or_default();
    let context = run.context(args, Input::empty(), output.clone(), output);
    let future = run.host.exec(context).map_err(|why| start_error(&name, why))?;
    let code = future.await;
    let text = String::from_utf8_lossy(&bytes.borrow()).into_owned();
    // The kubelet keeps the first 10 KiB.
    let cut = (0..=text.len().min(10 * 1024))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0);
    Ok((text.get(..cut).unwrap_or("").to_owned(), code))
}

/// The number of a port that a probe names by number or name.
fn port_number(worker: &Worker, container: &str, port: &Value) -> Option<u16> {
    if let Some(n) = port.as_i64() {
        return u16::try_from(n).ok();
    }
    let pod = worker.pod();
    let ports = Pod(&pod).container(container)?.ports();
    let named = ports.iter().find(|p| p.get("name").str() == port.str());
    match named {
        Some(p) => p.i64_at(&["containerPort"]).and_then(|n| u16::try_from(n).ok()),
        None => port.str().parse().ok(),
    }
}

/// Asks a container once: `exec`, `httpGet`, `tcpSocket` or `grpc`.
pub async fn ask(worker: &Worker, container: &str, run: &Run, what: &Value) -> Answer {
    let sim = worker.sim().clone();
    if what.has("exec") {
        let args = what
            .at(&["exec", "command"])
            .items()
            .iter()
            .map(|a| a.str().to_owned())
            .collect();
        return match command(run, args).await {
            Ok((_, 0)) => Answer::Success,
            Ok((text, _)) => Answer::Failure(text),
            Err(why) => Answer::Unknown(format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"{}\": OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown",
                worker.random_id()
            )),
        };
    }
    let Some(sandbox) = worker.sandbox() else {
        return Answer::Unknown("the pod has no sandbox".into());
    };
    let (kind, target) = match ["httpGet", "tcpSocket", "grpc"].iter().find(|k| what.has(k)) {
        Some(kind) => (*kind, what.get(kind)),
        // A probe that asks nothing (a handler that is not simulated) is taken as well answered.
        None => return Answer::Success,
    };
    let Some(port) = port_number(worker, container, target.get("port")) else {
        return Answer::Unknown(format!(
            "strconv.Atoi: parsing {:?}: invalid syntax",
            target.get("port").str()
        ));
    };
    let host = match target.get("host").str() {
        "" => sandbox.ip().to_string(),
        host => host.to_owned(),
    };
    sim.sleep(Duration::from_micros(300)).await;
    let refused = format!("dial tcp {host}:{port}: connect: connection refused");
    if !sandbox.ports.accepts(Protocol::Tcp, port) {
        return Answer::Failure(match kind {
            "httpGet" => {
                let url = url(target, &host, port);
                format!("Get \"{url}\": {refused}")
            }
            "grpc" => {
                format!("timeout: failed to connect service \"{host}:{port}\" within 1s: context deadline exceeded")
            }
            _ => refused,
        });
    }
    if kind != "httpGet" {
        return Answer::Success;
    }
    let path = match target.get("path").str() {
        "" => "/",
        path => path,
    };
    let mut request = HttpRequest::get(path);
    request.host = format!("{host}:{port}");
    request.headers = vec![
        ("User-Agent".into(), "kube-probe/1.36".into()),
        ("Accept".into(), "*/*".into()),
    ];
    for header in target.get("httpHeaders").items() {
        request
            .headers
            .push((header.get("name").str().into(), header.get("value").str().into()));
    }
    if target.get("scheme").str() == "HTTPS" {
        // Probes do not verify whom they ask.
        request.tls = Some(Tls::unverified());
    }
    request.client = Some(worker.gateway());
    request.local = Some((sandbox.ip(), port));
    match sandbox.ports.http(port, request).await {
        Ok(response) if (200..400).contains(&response.status) => Answer::Success,
        Ok(response) => Answer::Failure(format!("HTTP probe failed with statuscode: {}", response.status)),
        Err(why) => {
            let why = match why {
                NoAnswer::NotHttp => malformed(&format!("{host}:{port}")),
                NoAnswer::Closed => "EOF".to_owned(),
                NoAnswer::Untrusted(why) => why,
            };
            Answer::Failure(format!("Get \"{}\": {why}", url(target, &host, port)))
        }
    }
}

/// What Go's HTTP client says of a port that speaks no HTTP.
pub fn malformed(address: &str) -> String {
    format!("net/http: HTTP/1.x transport connection broken: malformed HTTP response from {address}")
}

fn url(target: &Value, host: &str, port: u16) -> String {
    let scheme = match target.get("scheme").str() {
        "HTTPS" => "https",
        _ => "http",
    };
    let path = target.get("path").str();
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}:{port}{slash}{path}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Startup, Kind::Liveness, Kind::Readiness];

    pub fn field(self) -> &'static str {
        match self {
            Kind::Startup => "startupProbe",
            Kind::Liveness => "livenessProbe",
            Kind::Readiness => "readinessProbe",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Startup => "Startup",
            Kind::Liveness => "Liveness",
            Kind::Readiness => "Readiness",
        }
    }
}

/// Asks a probe of a run until the run ends, and tells the worker what it found.
pub async fn watch(worker: Rc<Worker>, container: String, run: Rc<Run>, kind: Kind, probe: Value) {
    let sim = worker.sim().clone();
    let seconds = |field: &str, default: i64| probe.i64_at(&[field]).unwrap_or(default).max(0) as u64;
    let period = Duration::from_secs(seconds("periodSeconds", 10).max(1));
    let limit = Duration::from_secs(seconds("timeoutSeconds", 1).max(1));
    let (needed, allowed) = (
        seconds("successThreshold", 1).max(1),
        seconds("failureThreshold", 3).max(1),
    );
    let first = run.started + Duration::from_secs(seconds("initialDelaySeconds", 0));
    sim.sleep_until(first).await;
    if kind != Kind::Startup {
        // Nothing else is asked before the startup probe has succeeded.
        worker.until_started(&container, &run).await;
    }
    let (mut successes, mut failures) = (0u64, 0u64);
    while run.is_running() {
        let answer = match timeout(&sim, limit, ask(&worker, &container, &run, &probe)).await {
            Some(answer) => answer,
            None => Answer::Failure(if probe.has("exec") {
                let args: Vec<&str> = probe.at(&["exec", "command"]).items().iter().map(Value::str).collect();
                format!(
                    "command timed out: \"{}\" timed out after {}s",
                    args.join(" "),
                    limit.as_secs()
                )
            } else {
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned()
            }),
        };
        if !run.is_running() {
            return;
        }
        match answer {
            Answer::Success => {
                successes += 1;
                failures = 0;
                if successes == needed {
                    worker.probed(&container, &run, kind, true);
                }
                if kind == Kind::Startup && successes >= needed {
                    return;
                }
                // Its answer can change with the run only, and asking leaves no mark.
                if run.image.image.steady && successes >= needed {
                    return;
                }
            }
            Answer::Failure(text) => {
                successes = 0;
                failures += 1;
                worker.container_event(
                    &container,
                    EventType::Warning,
                    "Unhealthy",
                    format!("{} probe failed: {text}", kind.name()),
                );
                if failures == allowed {
                    worker.probed(&container, &run, kind, false);
                }
                if failures >= allowed && kind != Kind::Readiness {
                    // The container is killed; its next run has its own probes.
                    return;
                }
            }
            Answer::Unknown(text) => worker.container_event(
                &container,
                EventType::Warning,
                "Unhealthy",
                format!("{} probe errored and resulted in unknown state: {text}", kind.name()),
            ),
        }
        sim.sleep(period).await;
    }
}
