//! `nc` and `telnet`. `nc` opens a TCP connection. `-z` only tries, `-v` says what happened; otherwise the standard
//! input is sent and the answer printed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use super::super::http::Parsed;
use super::super::{HttpRequest, HttpResponse, Listener, NetError, Network, NoAnswer, Origin, Protocol};
use crate::shell::{Context, Output, options};
use crate::sim::{Signal, timeout};

/// Runs `nc`.
pub(super) async fn run(context: Context, network: Network, origin: Origin, busybox: bool) -> i32 {
    let o = match options::parse(&context, "zvlkw:p:i:q:s:eunNdt46", &[]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if let Some(letter) = ['e', 'u'].into_iter().find(|letter| o.has(*letter)) {
        context.stderr.line(format!("nc: -{letter} is not simulated"));
        return 1;
    }
    let zero = o.has('z');
    let verbose = o.flags.iter().filter(|(letter, _)| *letter == 'v').count();
    let seconds = o.value('w').and_then(|n| n.parse::<u64>().ok());
    let places = &o.rest;
    if o.has('l') {
        let port = o.value('p').or(places.last().map(String::as_str));
        let port = port.and_then(|p| p.parse().ok());
        return match port {
            Some(port) => listen(context, network, origin, port, o.has('k')).await,
            None => {
                context
                    .stderr
                    .line("nc: listening on a port that nobody names is not simulated: give -p PORT");
                1
            }
        };
    }
    let (Some(host), Some(port)) = (places.first(), places.get(1).and_then(|p| p.parse::<u16>().ok())) else {
        context.stderr.line("usage: nc [-vz] [-w seconds] HOST PORT");
        return 1;
    };
    let limit = Duration::from_secs(seconds.unwrap_or(131));
    let input = if zero {
        Vec::new()
    } else {
        context.stdin.read_all().await
    };
    let mut at = format!("{host}:{port}");
    let result = timeout(network.sim(), limit, async {
        let ips = network.resolve(&origin, host).await?;
        let ip = ips.first().copied().ok_or_else(|| NetError::NoSuchHost(host.clone()))?;
        at = format!("{host} ({ip}:{port})");
        if zero {
            network.probe(&origin, ip, port).await.map(|()| Vec::new())
        } else {
            network.exchange(&origin, ip, port, input).await
        }
    })
    .await
    .unwrap_or(Err(NetError::TimedOut));
    // The end of a connection is no failure.
    let result = match result {
        Err(NetError::Closed) => Ok(Vec::new()),
        result => result,
    };
    match result {
        Ok(bytes) => {
            if verbose > 0 {
                context.stderr.line(match busybox {
                    true => format!("{at} open"),
                    false => format!("Connection to {host} {port} port [tcp/*] succeeded!"),
                });
            }
            context.stdout.write(&bytes);
            0
        }
        Err(error) => {
            // A name that is none is told anyhow; busybox (`nc_bloaty.c`) tells of a refusal with -vv.
            let told = match &error {
                NetError::NoSuchHost(_) => true,
                NetError::Refused if busybox => verbose > 1,
                _ => verbose > 0,
            };
            if told {
                context.stderr.line(match (busybox, &error) {
                    (true, NetError::NoSuchHost(_)) => format!("nc: bad address '{host}'"),
                    (true, NetError::TimedOut) => format!("nc: {at}: Operation timed out"),
                    (true, error) => format!("nc: {at}: {error}"),
                    (false, error) => format!("nc: connect to {host} port {port} (tcp) failed: {error}"),
                });
            }
            1
        }
    }
}

/// What a listening `nc` is to its peers.
struct Server {
    port: u16,
    stdout: Output,
    /// The standard input, once all of it has been read.
    reply: RefCell<Option<Vec<u8>>>,
    ready: Signal,
    over: Signal,
}

impl Server {
    /// Prints what a peer sends, and gives it the standard input.
    async fn talk(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.stdout.write(&bytes);
        let seen = self.ready.generation();
        let mut reply = self.reply.borrow().clone();
        if reply.is_none() {
            self.ready.after(seen).await;
            reply = self.reply.borrow().clone();
        }
        self.over.notify();
        reply.unwrap_or_default()
    }
}

/// A handle to it in the network.
struct Served(Rc<Server>);

impl Listener for Served {
    fn accepts(&self, protocol: Protocol, port: u16) -> bool {
        protocol == Protocol::Tcp && port == self.0.port
    }

    fn http(&self, _port: u16, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let server = self.0.clone();
        Box::pin(async move {
            let reply = server.talk(request.to_bytes()).await;
            match HttpResponse::parse(&reply) {
                Parsed::Whole(mut response, end) => {
                    // Without a length, the body ends with the connection.
                    if response.header("Content-Length").is_none() {
                        response.body.extend_from_slice(reply.get(end..).unwrap_or_default());
                    }
                    Ok(response)
                }
                _ => Err(NoAnswer::NotHttp(Some(reply))),
            }
        })
    }

    fn exchange(&self, _port: u16, bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        let server = self.0.clone();
        Box::pin(async move { Some(server.talk(bytes).await) })
    }
}

/// Listens: prints what a peer sends, answers with the standard input, and ends with the first peer unless it stays.
async fn listen(context: Context, network: Network, origin: Origin, port: u16, stays: bool) -> i32 {
    if network.is_taken(origin.ip, port) {
        context.stderr.line("nc: bind: Address already in use");
        return 1;
    }
    let server = Rc::new(Server {
        port,
        stdout: context.stdout.clone(),
        reply: RefCell::default(),
        ready: Signal::default(),
        over: Signal::default(),
    });
    let attached = network.attach(origin.ip, &origin.node, &origin.pod, Rc::new(Served(server.clone())));
    // Nobody types an answer at a terminal here.
    let input = match context.stdin.is_terminal() {
        true => Vec::new(),
        false => context.stdin.read_all().await,
    };
    let mut seen = server.over.generation();
    server.reply.replace(Some(input));
    server.ready.notify();
    loop {
        server.over.after(seen).await;
        seen = server.over.generation();
        if !stays {
            break;
        }
    }
    drop(attached);
    0
}

/// Runs `telnet`: says whether the port takes a connection. What would be typed is not sent.
pub(super) async fn telnet(context: Context, network: Network, origin: Origin) -> i32 {
    let [host, rest @ ..] = context.rest() else {
        context.stderr.line("Usage: telnet [-a] [-l USER] HOST [PORT]");
        return 1;
    };
    let port = rest.first().and_then(|p| p.parse().ok()).unwrap_or(23);
    let Some(ip) = network
        .resolve(&origin, host)
        .await
        .ok()
        .and_then(|ips| ips.first().copied())
    else {
        context.stderr.line(format!("telnet: bad address '{host}'"));
        return 1;
    };
    match network.probe(&origin, ip, port).await {
        Ok(()) => {
            context.stdout.line(format!("Connected to {host}"));
            0
        }
        Err(error) => {
            context
                .stderr
                .line(format!("telnet: can't connect to remote host ({ip}): {error}"));
            1
        }
    }
}
