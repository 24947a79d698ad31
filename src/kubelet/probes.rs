//! Probes and hooks: what the kubelet asks of containers, and the tasks that ask again and again.

use core::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use super::container::{Run, start_error};
use super::worker::Worker;
use crate::api::events::EventType;
use crate::api::views::Pod;
use crate::net::http::{HttpRequest, HttpResponse, Url};
use crate::net::{Listener, NetError, Network, Origin, Protocol, Tls};
use crate::programs::Sandbox;
use crate::shell::{Input, Output};
use crate::sim::timeout;
use crate::value::{Value, quoted};

/// A probe's or hook's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Success,
    /// Well answered, but for what the event says after `Readiness probe warning: `.
    Warning(String),
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

/// Asks a container once: `exec`, `httpGet`, `tcpSocket` or `grpc`. What has not answered within the limit has failed.
pub async fn ask(worker: &Worker, container: &str, run: &Run, what: &Value, limit: Duration) -> Answer {
    let sim = worker.sim();
    if what.has("exec") {
        let args: Vec<String> = what
            .at(&["exec", "command"])
            .items()
            .iter()
            .map(|a| a.str().to_owned())
            .collect();
        return match timeout(sim, limit, command(run, args)).await {
            Some(Ok((_, 0))) => Answer::Success,
            Some(Ok((text, _))) => Answer::Failure(text),
            Some(Err(why)) => Answer::Unknown(format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"{}\": OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown",
                worker.random_id()
            )),
            None => {
                let words: Vec<&str> = what.at(&["exec", "command"]).items().iter().map(Value::str).collect();
                Answer::Failure(format!(
                    "command timed out: \"{}\" timed out after {}s",
                    words.join(" "),
                    limit.as_secs()
                ))
            }
        };
    }
    let (kind, target) = match ["httpGet", "tcpSocket", "grpc"].iter().find(|k| what.has(k)) {
        Some(kind) => (*kind, what.get(kind)),
        // A probe that asks nothing (a handler that is not simulated) is taken as well answered.
        None => return Answer::Success,
    };
    if kind == "httpGet" {
        return match http(worker, container, target, "kube-probe/1.36", limit).await {
            Ok(response) if (300..400).contains(&response.status) => Answer::Warning(format!(
                "Probe terminated redirects, Response body: {}",
                response.text()
            )),
            Ok(response) if (200..300).contains(&response.status) => Answer::Success,
            Ok(response) => Answer::Failure(format!("HTTP probe failed with statuscode: {}", response.status)),
            Err(answer) => answer,
        };
    }
    let (host, port) = match place(worker, container, target) {
        Ok(place) => place,
        Err(answer) => return answer,
    };
    let address = dialled(&host, port);
    let is_grpc = kind == "grpc";
    match timeout(sim, limit, connect(worker, &host, port, is_grpc)).await {
        Some(Ok(())) => Answer::Success,
        _ if is_grpc => Answer::Failure(format!(
            "timeout: failed to connect service \"{address}\" within {}s: context deadline exceeded",
            limit.as_secs()
        )),
        Some(Err(why)) => Answer::Failure(why.of_go(&address)),
        None => Answer::Failure(NetError::TimedOut.of_go(&address)),
    }
}

/// The host and port that a probe or a hook names.
fn place(worker: &Worker, container: &str, target: &Value) -> Result<(String, u16), Answer> {
    let Some(ip) = worker.sandbox().map(|sandbox| sandbox.ip()) else {
        return Err(Answer::Unknown("the pod has no sandbox".into()));
    };
    let Some(port) = port_number(worker, container, target.get("port")) else {
        let why = format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            quoted(&target.get("port").str())
        );
        return Err(Answer::Unknown(why));
    };
    let host = match target.get("host").str() {
        "" => ip.to_string(),
        host => host.to_owned(),
    };
    Ok((host, port))
}

/// Asks as a probe's or a hook's `httpGet` (`target`) says, in the name of `agent`. The error is why there was no
/// response within the limit.
pub async fn http(
    worker: &Worker,
    container: &str,
    target: &Value,
    agent: &str,
    limit: Duration,
) -> Result<HttpResponse, Answer> {
    let (host, port) = place(worker, container, target)?;
    let scheme = if target.get("scheme").str() == "HTTPS" {
        "https"
    } else {
        "http"
    };
    let url = Url {
        scheme: scheme.into(),
        host,
        port,
        path: target.get("path").str().to_owned(),
    };
    match timeout(worker.sim(), limit, get(worker, target, agent, url.clone())).await {
        Some(response) => response.map_err(Answer::Failure),
        None => Err(Answer::Failure(format!(
            "Get \"{}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            shown(&url)
        ))),
    }
}

/// Sends a probe's or a hook's GET, and follows where it is sent to as long as that is of the same host name.
///
/// # Errors
/// What Go's HTTP client says.
async fn get(worker: &Worker, target: &Value, agent: &str, mut url: Url) -> Result<HttpResponse, String> {
    let mut last = String::new();
    for _ in 0..REDIRECTS {
        let mut request = HttpRequest::get(match url.path.as_str() {
            "" => "/",
            path => path,
        });
        request.host = format!("{}:{}", url.host, url.port);
        let headers = target.get("httpHeaders").items();
        let given = headers.iter().map(|h| (h.get("name").str(), h.get("value").str()));
        // Its own two are sent unless others are given; empty ones take them away.
        for own in [("User-Agent", agent), ("Accept", "*/*")] {
            if !given.clone().any(|(name, _)| name.eq_ignore_ascii_case(own.0)) {
                request.headers.push((own.0.into(), own.1.into()));
            }
        }
        let given = given.filter(|(name, value)| {
            let is_own = ["User-Agent", "Accept"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own));
            !(is_own && value.is_empty())
        });
        request
            .headers
            .extend(given.map(|(name, value)| (name.into(), value.into())));
        if url.scheme == "https" {
            // Probes do not verify whom they ask.
            request.tls = Some(Tls::unverified());
        }
        let response = match door(worker, &url.host, url.port).await {
            Ok(Door::Own(sandbox)) => {
                request.client = Some(worker.gateway());
                request.local = Some((sandbox.ip(), url.port));
                crate::net::answer(&*sandbox.ports, url.port, request).await
            }
            Ok(Door::Network(network, origin, ip)) => network.http_to(&origin, ip, url.port, request).await,
            Err(why) => Err(why),
        };
        let response =
            response.map_err(|why| format!("Get \"{}\": {}", shown(&url), why.of_go(&dialled(&url.host, url.port))))?;
        let to = match response.status {
            301 | 302 | 303 | 307 | 308 => response.header("Location").unwrap_or_default(),
            _ => "",
        };
        match url.follow(to) {
            Some(next) if !to.is_empty() && next.host == url.host => {
                last = to.to_owned();
                url = next;
            }
            _ => return Ok(response),
        }
    }
    Err(format!(
        "Get {last}: stopped after {REDIRECTS} redirects",
        last = quoted(&last)
    ))
}

/// How many requests Go's HTTP client sends before it stops to follow redirects.
const REDIRECTS: usize = 10;

/// From the node's kubelet into a pod beside it.
const HALF_WAY: Duration = Duration::from_micros(300);

/// Where a probe goes in.
enum Door {
    /// The pod itself.
    Own(Rc<Sandbox>),
    /// What another address names, asked from the node.
    Network(Network, Origin, Ipv4Addr),
}

/// Where a port of a host is: behind the pod's own door only when something listens there.
async fn door(worker: &Worker, host: &str, port: u16) -> Result<Door, NetError> {
    let sandbox = worker.sandbox().ok_or(NetError::NoRoute)?;
    let (network, origin) = worker.place_of_node();
    let ip: Option<Ipv4Addr> = host.parse().ok();
    let is_open = || sandbox.ports.accepts(Protocol::Tcp, port);
    // The loopback of the node's network, when the pod shares it.
    let is_shared = ip.is_some_and(|ip| ip.is_loopback()) && sandbox.ip() == origin.ip;
    if ip == Some(sandbox.ip()) || is_shared && is_open() {
        worker.sim().sleep(HALF_WAY).await;
        return match is_open() {
            true => Ok(Door::Own(sandbox)),
            false => Err(NetError::Refused),
        };
    }
    let found = network.resolve(&origin, host).await?;
    let ip = found.first().copied();
    let ip = ip.ok_or_else(|| NetError::NoSuchHost(host.to_owned()))?;
    Ok(Door::Network(network.clone(), origin, ip))
}

/// Opens a connection and closes it. One `of_grpc` is never established with what answers in HTTP/1.
async fn connect(worker: &Worker, host: &str, port: u16, of_grpc: bool) -> Result<(), NetError> {
    match door(worker, host, port).await? {
        Door::Own(sandbox) => {
            let mut preface = HttpRequest::get("*");
            preface.method = "PRI".into();
            preface.client = Some(worker.gateway());
            if of_grpc && sandbox.ports.http(port, preface).await.is_ok() {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
        Door::Network(network, origin, ip) => network.probe(&origin, ip, port).await,
    }
}

/// The address that is asked first, as Go's errors name it.
fn dialled(host: &str, port: u16) -> String {
    match host {
        "localhost" => format!("[::1]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// A URL as Go prints it, with its port.
fn shown(url: &Url) -> String {
    let slash = if url.path.starts_with('/') { "" } else { "/" };
    format!("{}://{}:{}{slash}{}", url.scheme, url.host, url.port, url.path)
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

    pub fn name(self) -> &'static str {
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
        let answer = ask(&worker, &container, &run, &probe, limit).await;
        if !run.is_running() {
            return;
        }
        if let Answer::Warning(text) = &answer {
            worker.container_event(
                &container,
                EventType::Warning,
                "ProbeWarning",
                format!("{} probe warning: {text}", kind.name()),
            );
        }
        match answer {
            Answer::Success | Answer::Warning(_) => {
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
