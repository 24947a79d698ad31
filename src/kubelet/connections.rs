//! What the API server asks of kubelets for its users: logs, `exec` and `attach`.

use core::net::Ipv4Addr;
use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::Inner;
use super::container::{Run, start_error};
use super::worker::Worker;
use crate::api::metrics::Usage;
use crate::api::subresource::{ByteStream, ExecOptions, Forward, LogOptions, NodeConnections, Session};
use crate::api::views::Pod;
use crate::api::well_known;
use crate::api::{Object, Status};
use crate::limits;
use crate::net::http::chunk;
use crate::net::{HttpRequest, HttpResponse, Listener, NoAnswer, Parsed, Protocol};
use crate::shell::{Input, Output, SIGKILL, TerminalSize};
use crate::sim::Time;

/// The way from the API server to the kubelets.
pub struct Connections(pub(super) Weak<Inner>);

impl Connections {
    fn worker(&self, pod: &Object) -> Result<Rc<Worker>, Status> {
        let node = Pod(pod).node_name();
        let kubelet = self
            .0
            .upgrade()
            .and_then(|inner| inner.nodes.borrow().get(node).cloned());
        let Some(kubelet) = kubelet else {
            let ip = pod.status().get("hostIP").str();
            return Err(Status::internal(format!(
                "Get \"https://{ip}:10250/\": dial tcp {ip}:10250: connect: no route to host"
            )));
        };
        let worker = kubelet.workers.borrow().get(pod.uid()).cloned();
        worker.ok_or_else(|| Status::not_found("", "pods", pod.name()))
    }

    fn running(&self, pod: &Object, container: &str) -> Result<Rc<Run>, Status> {
        let run = self.worker(pod)?.run_of(container, false);
        run.filter(|r| r.is_running())
            .ok_or_else(|| Status::bad_request(format!("container not found (\"{container}\")")))
    }
}

impl NodeConnections for Connections {
    fn logs(&self, pod: &Object, options: &LogOptions) -> Result<ByteStream, Status> {
        let worker = self.worker(pod)?;
        let name = &options.container;
        let run = worker.run_of(name, options.previous);
        let Some(run) = run else {
            if options.previous {
                return Err(Status::bad_request(format!(
                    "previous terminated container \"{name}\" in pod \"{}\" not found",
                    pod.name()
                )));
            }
            return match worker.waiting_message(pod, name) {
                Some(status) => Err(status),
                None => Err(Status::bad_request(format!(
                    "container \"{name}\" in pod \"{}\" is waiting to start: ContainerCreating",
                    pod.name()
                ))),
            };
        };
        let sim = worker.sim().clone();
        let bytes = run.log.read(options);
        if !options.follow || run.log.is_closed() {
            return Ok(ByteStream::finished(bytes));
        }
        let stream = ByteStream::new();
        let mut left = options.limit_bytes.map(|l| l.saturating_sub(bytes.len()));
        stream.write(&bytes);
        let (out, timestamps) = (stream.clone(), options.timestamps);
        let mut position = run.log.position();
        sim.spawn("log follower", async move {
            loop {
                let generation = run.log.changed().generation();
                let mut more = run.log.after(position, timestamps);
                position = run.log.position();
                if let Some(left) = &mut left {
                    more.truncate(*left);
                    *left -= more.len();
                }
                if !more.is_empty() {
                    out.write(&more);
                }
                if run.log.is_closed() || out.is_closed() || left == Some(0) {
                    break;
                }
                run.log.changed().after(generation).await;
            }
            out.close();
        });
        Ok(stream)
    }

    fn exec(&self, pod: &Object, options: &ExecOptions) -> Result<Session, Status> {
        let worker = self.worker(pod)?;
        let run = self.running(pod, &options.container)?;
        let session = Session::new();
        let (stdin, feed) = input(options.stdin, options.tty);
        let (stdout, stderr) = outputs(&session, options.tty);
        let context = run.context(options.command.clone(), stdin, stdout, stderr);
        let process = context.process.clone();
        let name = options.command.first().cloned().unwrap_or_default();
        let sim = worker.sim().clone();
        match run.host.exec(context) {
            Err(why) => {
                let message = format!(
                    "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"{}\": OCI runtime exec failed: exec failed: unable to start container process: {}",
                    worker.random_id(),
                    start_error(&name, why)
                );
                session.finish(Err(Status::internal(message)));
            }
            Ok(future) => {
                let (done, of) = (session.clone(), run.clone());
                sim.spawn("exec", async move {
                    let ended = std::pin::pin!(of.wait());
                    match futures::future::select(future, ended).await {
                        futures::future::Either::Left((code, _)) => done.finish(Ok(code)),
                        // The container's end takes every process of it along.
                        futures::future::Either::Right(_) => done.finish(Ok(137)),
                    }
                });
                if let Some(feed) = feed {
                    pump(&sim, &session, feed);
                }
                let gone = session.clone();
                sim.spawn("exec hang-up", async move {
                    let hung_up = std::pin::pin!(gone.hung_up());
                    let ended = std::pin::pin!(gone.exit());
                    if let futures::future::Either::Left(_) = futures::future::select(hung_up, ended).await {
                        process.signal(SIGKILL);
                    }
                });
            }
        }
        Ok(session)
    }

    fn attach(&self, pod: &Object, options: &ExecOptions) -> Result<Session, Status> {
        let worker = self.worker(pod)?;
        let run = self.running(pod, &options.container)?;
        let session = Session::new();
        let (stdout, stderr) = outputs(&session, false);
        run.attach([stdout, stderr]);
        let sim = worker.sim().clone();
        if options.stdin
            && let Some(feed) = run.keyboard()
        {
            let (from, of) = (session.clone(), run.clone());
            let once = Pod(pod)
                .container(&options.container)
                .is_some_and(|c| c.value().bool_at(&["stdinOnce"]));
            sim.spawn("attach input", async move {
                while let Some(bytes) = from.stdin.read().await {
                    if !feed.write(bytes) {
                        break;
                    }
                }
                if once {
                    of.close_stdin();
                }
            });
        }
        let done = session.clone();
        sim.spawn("attach", async move {
            let ended = std::pin::pin!(run.wait());
            let gone = std::pin::pin!(done.hung_up());
            futures::future::select(ended, gone).await;
            done.finish(Ok(0));
        });
        Ok(session)
    }

    fn forward(&self, pod: &Object) -> Result<Forward, Status> {
        let worker = Rc::downgrade(&self.worker(pod)?);
        Ok(Forward::new(move |port| forward(&worker, port)))
    }

    fn reach(&self, ip: &str, port: u16, request: Vec<u8>) -> Session {
        let session = Session::new();
        let (Some(inner), Ok(address)) = (self.0.upgrade(), ip.parse::<Ipv4Addr>()) else {
            session.finish(Err(Status::internal("the network cannot be reached")));
            return session;
        };
        let control_plane = inner.shared.nodes.list("").into_iter();
        let node = control_plane
            .filter(|n| n.label(well_known::CONTROL_PLANE).is_some())
            .map(|n| n.name().to_owned())
            .next()
            .unwrap_or_default();
        let (network, sim) = (inner.network.clone(), inner.sim.clone());
        let (done, ip) = (session.clone(), ip.to_owned());
        sim.spawn("API proxy", async move {
            let Parsed::Whole(request, _) = HttpRequest::parse(&request) else {
                done.finish(Err(Status::bad_request("the request is no HTTP")));
                return;
            };
            let answer = network.http_to(&network.host(&node), address, port, request).await;
            let why = match answer {
                Ok(response) => match response.whole().await {
                    Ok(response) => {
                        done.stdout.write(&response.to_bytes());
                        done.finish(Ok(0));
                        return;
                    }
                    Err(why) => why.to_string(),
                },
                Err(why) => why.of_go(&format!("{ip}:{port}")),
            };
            done.finish(Err(Status::failure(
                503,
                "ServiceUnavailable",
                format!("error trying to reach service: {why}"),
            )));
        });
        session
    }

    fn usage(&self, pod: &Object) -> Option<(Vec<(String, Usage)>, Time)> {
        usage_of(&*self.worker(pod).ok()?)
    }

    fn node_usage(&self, node: &Object) -> Option<(Usage, Time)> {
        let kubelet = self.0.upgrade()?.nodes.borrow().get(node.name()).cloned()?;
        let now = kubelet.sim.now();
        let mut usage = used(&kubelet);
        usage.spent += SYSTEM.cpu * now.since(node.created()).as_secs();
        Some((usage, crate::api::metrics::last_look(now)))
    }
}

/// Connects to a port of a pod, in its own network namespace.
fn forward(worker: &Weak<Worker>, port: u16) -> Session {
    let session = Session::new();
    let place = worker.upgrade().and_then(|w| Some((w.sim().clone(), w.sandbox()?)));
    let failed = |why: String| {
        let why = format!("error forwarding port {port} to pod: {why}");
        session.finish(Err(Status::internal(why)));
        session.clone()
    };
    let Some((sim, sandbox)) = place else {
        return failed("the network namespace of its sandbox is closed".into());
    };
    if !sandbox.ports.accepts(Protocol::Tcp, port) {
        return failed(format!(
            "failed to execute portforward in network namespace \"/var/run/netns/cni\": failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused IPv6 dial tcp6 [::1]:{port}: connect: connection refused "
        ));
    }
    let ports = sandbox.ports.clone();
    let answered = session.clone();
    sim.spawn("port-forward", async move {
        let session = answered;
        let mut bytes = Vec::new();
        'stream: while let Some(more) = session.stdin.read().await {
            bytes.extend(more);
            loop {
                let answer = match HttpRequest::parse(&bytes) {
                    _ if bytes.is_empty() => continue 'stream,
                    // No request is so long: what listens there closes the connection.
                    Parsed::More if bytes.len() > limits::HTTP_BODY_BYTES => break 'stream,
                    Parsed::More => continue 'stream,
                    Parsed::Whole(mut request, n) => {
                        bytes.drain(..n);
                        request.client = Some(Ipv4Addr::LOCALHOST);
                        request.local = Some((Ipv4Addr::LOCALHOST, port));
                        match ports.http(port, request).await {
                            Ok(response) if response.more.is_some() => {
                                if !pump_response(&session, &response).await {
                                    break 'stream;
                                }
                                continue;
                            }
                            Ok(response) => Some(response.to_bytes()),
                            Err(NoAnswer::NotHttp(said)) => said,
                            Err(_) => None,
                        }
                    }
                    Parsed::Other => ports.exchange(port, std::mem::take(&mut bytes)).await,
                };
                match answer {
                    Some(answer) => session.stdout.write(&answer),
                    // What listens there closes a connection that it does not understand.
                    None => break 'stream,
                };
            }
        }
        session.finish(Ok(0));
    });
    session
}

/// Passes a response on piece by piece. Gives whether the client is still there.
async fn pump_response(session: &Session, response: &HttpResponse) -> bool {
    if !session.stdout.write(&response.begin()) {
        return false;
    }
    loop {
        // A client that goes closes what it sends.
        let piece = {
            let read = std::pin::pin!(response.more.read());
            let gone = std::pin::pin!(session.hung_up());
            match futures::future::select(read, gone).await {
                futures::future::Either::Left((piece, _)) => piece,
                futures::future::Either::Right(_) => return false,
            }
        };
        let Some(piece) = piece else {
            return session.stdout.write(&chunk(b""));
        };
        if !session.stdout.write(&chunk(&piece)) {
            return false;
        }
    }
}

/// What the system of a node uses besides its pods: the kubelet, containerd and the kernel.
const SYSTEM: Usage = Usage {
    cpu: 55_000_000,
    memory: 612 << 20,
    spent: 0,
};

/// What a node's pods and its system use, and what its pods have spent.
pub(super) fn used(kubelet: &super::Node) -> Usage {
    let mut total = SYSTEM;
    total.spent = kubelet.spent.get();
    for worker in kubelet.workers.borrow().values() {
        for (_, usage) in usage_of(worker).map(|(all, _)| all).unwrap_or_default() {
            total += usage;
        }
    }
    total
}

/// What the running containers of a pod use, and when that was measured.
fn usage_of(worker: &Worker) -> Option<(Vec<(String, Usage)>, Time)> {
    let mut at = None;
    let mut all = Vec::new();
    for (name, slot) in worker.slots.borrow().iter() {
        if let Some(run) = slot.run.as_ref().filter(|r| r.is_running())
            && let Some((usage, time)) = run.meter.usage()
        {
            at = Some(time);
            all.push((name.clone(), usage));
        }
    }
    // metrics-server leaves out a pod of which a container was not measured yet.
    let pod = worker.pod();
    let whole = Pod(&pod).containers().all(|c| all.iter().any(|(n, _)| n == c.name()));
    at.filter(|_| whole).map(|at| (all, at))
}

/// A command's standard input, and where its bytes are put.
fn input(stdin: bool, tty: bool) -> (Input, Option<Output>) {
    match (stdin, tty) {
        (false, _) => (Input::empty(), None),
        (true, true) => {
            let (feed, input) = crate::shell::keyboard();
            (input, Some(feed))
        }
        (true, false) => {
            let (feed, input) = crate::shell::pipe();
            (input, Some(feed))
        }
    }
}

fn outputs(session: &Session, tty: bool) -> (Output, Output) {
    let to = |stderr: bool| {
        let session = session.clone();
        move |bytes: &[u8]| session.print(stderr, bytes)
    };
    if tty {
        let (columns, rows) = session.size.get().unwrap_or((80, 24));
        let size = Rc::new(Cell::new(TerminalSize { columns, rows }));
        let output = Output::terminal(size, to(false));
        return (output.clone(), output);
    }
    (Output::callback(to(false)), Output::callback(to(true)))
}

fn pump(sim: &crate::sim::Sim, session: &Session, feed: Output) {
    let from = session.clone();
    sim.spawn("exec input", async move {
        while let Some(bytes) = from.stdin.read().await {
            feed.ready().await;
            if !feed.write(bytes) {
                break;
            }
        }
    });
}
