//! exec, attach and port-forward: connections that leave HTTP for WebSocket or SPDY.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Response as HttpResponse, StatusCode};
use hyper_util::rt::TokioIo;
use kubetab::api::{Payload, Request, Session, Status};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::{self, Answer};
use super::body::Content;
use super::clock::Clock;
use super::rest::{self, Incoming};
use super::session::{self, FromClient, ToClient};
use super::spdy::{self, Command};
use super::{Server, websocket};

/// How long a client has for opening the streams of an exec (`streamCreationTimeout` of the kubelet).
const STREAMS: Duration = Duration::from_secs(30);

/// How long a client has for closing its side, once everything is said.
const CLOSING: Duration = Duration::from_secs(3);

/// SPDY's own protocol of port-forward, and the WebSocket protocol that tunnels it.
const PORT_FORWARD: &str = "portforward.k8s.io";
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// The protocols of exec over SPDY that are spoken.
const SPDY_CHANNELS: [&str; 2] = ["v4.channel.k8s.io", "v5.channel.k8s.io"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    WebSocket,
    Spdy,
}

/// Which protocol a request wants to change to.
pub fn wanted(headers: &HeaderMap) -> Option<Protocol> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("").to_ascii_lowercase();
    let upgrades = headers.get_all(CONNECTION).iter().any(|v| text(v).contains("upgrade"));
    match headers.get(UPGRADE).map(text).unwrap_or_default().as_str() {
        "websocket" if upgrades => Some(Protocol::WebSocket),
        "spdy/3.1" if upgrades => Some(Protocol::Spdy),
        _ => None,
    }
}

/// The words of a header that may be there several times.
fn offered<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    values
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .collect()
}

fn switching(headers: &[(&'static str, &str)]) -> Answer {
    let mut answer = HttpResponse::new(Content::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    for (name, value) in headers.iter().filter(|(_, v)| !v.is_empty()) {
        answer::set(&mut answer, name, value);
    }
    answer
}

fn websocket_answer(headers: &HeaderMap, protocol: &str) -> Answer {
    let key = headers.get("sec-websocket-key").map_or(&b""[..], HeaderValue::as_bytes);
    let accept = derive_accept_key(key);
    switching(&[
        ("upgrade", "websocket"),
        ("sec-websocket-accept", &accept),
        ("sec-websocket-protocol", protocol),
    ])
}

fn spdy_answer(protocol: &str) -> Answer {
    switching(&[("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", protocol)])
}

/// Runs `talk` on the connection, once the answer that changes its protocol is sent.
fn after<F: Future<Output = ()>>(on: OnUpgrade, talk: impl FnOnce(Upgraded) -> F + 'static) {
    tokio::task::spawn_local(async move {
        if let Ok(upgraded) = on.await {
            talk(upgraded).await;
        }
    });
}

/// Answers a request that wants to change its connection's protocol.
pub async fn serve(
    server: &Rc<Server>,
    incoming: Incoming,
    protocol: Protocol,
    headers: &HeaderMap,
    on: OnUpgrade,
) -> Answer {
    let mut request = Request::new(incoming.method, incoming.path.clone());
    request.query = incoming.query.clone();
    let response = rest::send(server, &incoming, request).await;
    if response.code >= 400 {
        return answer::tree(response.code, &response.value(), &incoming.style);
    }
    match response.payload {
        Payload::Session(session) => match protocol {
            Protocol::WebSocket => exec_websocket(server, &incoming, headers, on, session),
            Protocol::Spdy => exec_spdy(server, &incoming, headers, on, session),
        },
        Payload::Forward(way) => {
            let connect = Rc::new(move |port| way.connect(port));
            forward(server, &incoming, protocol, headers, on, connect)
        }
        _ => {
            let status = Status::bad_request("this path takes no connections");
            answer::failure(&status, &incoming.style)
        }
    }
}

fn no_protocol(incoming: &Incoming, offered: &[&str]) -> Answer {
    let why = format!("unable to upgrade: unable to negotiate protocol: client supports {offered:?}");
    answer::failure(&Status::failure(403, "Forbidden", why), &incoming.style)
}

fn command(incoming: &Incoming) -> Vec<String> {
    let words = incoming.query.iter().filter(|(k, _)| k == "command");
    words.map(|(_, v)| v.clone()).collect()
}

fn exec_websocket(
    server: &Rc<Server>,
    incoming: &Incoming,
    headers: &HeaderMap,
    on: OnUpgrade,
    session: Session,
) -> Answer {
    let offered = offered(headers, SEC_WEBSOCKET_PROTOCOL.as_str());
    let Some(protocol) = websocket::channels(&offered) else {
        session.hang_up();
        server.clock.kick();
        return no_protocol(incoming, &offered);
    };
    let (clock, command) = (server.clock.clone(), command(incoming));
    after(on, move |upgraded| async move {
        let socket = websocket::accept(upgraded).await;
        let (from_sender, from) = mpsc::channel(64);
        let (to, to_receiver) = mpsc::channel(256);
        tokio::task::spawn_local(session::join_client(clock, session, command, from, to));
        websocket::serve_session(socket, protocol, from_sender, to_receiver).await;
    });
    websocket_answer(headers, protocol)
}

fn exec_spdy(server: &Rc<Server>, incoming: &Incoming, headers: &HeaderMap, on: OnUpgrade, session: Session) -> Answer {
    let offered = offered(headers, "x-stream-protocol-version");
    let Some(protocol) = SPDY_CHANNELS.iter().find(|p| offered.contains(p)) else {
        session.hang_up();
        server.clock.kick();
        return no_protocol(incoming, &offered);
    };
    let flag = |name: &str| incoming.flag(name);
    let tty = flag("tty");
    let expected = 1
        + usize::from(flag("stdin"))
        + usize::from(flag("stdout"))
        + usize::from(flag("stderr") && !tty)
        + usize::from(tty);
    let (clock, command) = (server.clock.clone(), command(incoming));
    after(on, move |upgraded| async move {
        talk_spdy(clock, TokioIo::new(upgraded), session, command, expected).await;
    });
    spdy_answer(protocol)
}

async fn talk_spdy(
    clock: Rc<Clock>,
    io: impl AsyncRead + AsyncWrite + 'static,
    session: Session,
    command: Vec<String>,
    expected: usize,
) {
    let mut connection = spdy::start(io);
    let (from_sender, from) = mpsc::channel(64);
    let (to, mut to_receiver) = mpsc::channel(256);
    let (mut error, mut stdout, mut stderr) = (None, None, None);
    for _ in 0..expected {
        let Ok(Some(stream)) = tokio::time::timeout(STREAMS, connection.streams.recv()).await else {
            session.hang_up();
            clock.kick();
            return;
        };
        let sender = from_sender.clone();
        let mut bytes = stream.incoming;
        match stream.headers.get("streamtype").map_or("", String::as_str) {
            "error" => error = Some(stream.id),
            "stdout" => stdout = Some(stream.id),
            "stderr" => stderr = Some(stream.id),
            "stdin" => {
                tokio::task::spawn_local(async move {
                    while let Some(chunk) = bytes.recv().await {
                        if sender.send(FromClient::Stdin(chunk)).await.is_err() {
                            return;
                        }
                    }
                    let _ = sender.send(FromClient::CloseStdin).await;
                });
            }
            "resize" => {
                tokio::task::spawn_local(async move {
                    while let Some(chunk) = bytes.recv().await {
                        if let Some(size) = session::resize(&chunk) {
                            let _ = sender.send(size).await;
                        }
                    }
                });
            }
            _ => {}
        }
    }
    tokio::task::spawn_local(session::join_client(clock, session, command, from, to));
    let out = connection.out.clone();
    let outgoing = async {
        while let Some(message) = to_receiver.recv().await {
            let (stream, bytes, last) = match message {
                ToClient::Stdout(bytes) => (stdout, bytes, false),
                ToClient::Stderr(bytes) => (stderr, bytes, false),
                ToClient::End(status) => (error, status.to_json().into_bytes(), true),
            };
            if let Some(stream) = stream {
                let _ = out.send(Command::Data(stream, bytes)).await;
            }
            if last {
                break;
            }
        }
        for stream in [stdout, stderr, error].into_iter().flatten() {
            let _ = out.send(Command::Finish(stream)).await;
        }
    };
    // Held until the client is gone: its end tells the session.
    let gone = async {
        while connection.streams.recv().await.is_some() {}
        drop(from_sender);
    };
    let gone = std::pin::pin!(gone);
    match futures::future::select(std::pin::pin!(outgoing), gone).await {
        futures::future::Either::Left(((), gone)) => {
            let _ = tokio::time::timeout(CLOSING, gone).await;
        }
        futures::future::Either::Right(((), outgoing)) => outgoing.await,
    }
    let _ = connection.out.send(Command::Close).await;
}

/// Connects to a port of a pod.
pub type Connect = Rc<dyn Fn(u16) -> Session>;

/// What a forward that failed says on its error stream.
fn reason(status: &Status) -> String {
    let message = status.message();
    message
        .strip_prefix("Internal error occurred: ")
        .unwrap_or(message)
        .to_owned()
}

/// Joins a client's connection to a port. `send` gives bytes to the client and says whether it still
/// takes them. Returns the error, if the port could not be reached.
async fn join_port<F: Future<Output = bool>>(
    clock: Rc<Clock>,
    session: Session,
    mut incoming: mpsc::Receiver<Vec<u8>>,
    send: impl Fn(Vec<u8>) -> F,
) -> Option<String> {
    let waiter = clock.stream();
    let up = {
        let (clock, session) = (clock.clone(), session.clone());
        async move {
            while let Some(bytes) = incoming.recv().await {
                if !session::feed(&clock, &session.stdin, &bytes).await {
                    break;
                }
            }
            session.stdin.close();
            clock.kick();
        }
    };
    let up = tokio::task::spawn_local(up);
    while let Some(bytes) = clock.run(session.stdout.read()).await {
        waiter.gave();
        if !send(bytes).await {
            session.hang_up();
            clock.kick();
            break;
        }
    }
    let end = clock.run(session.exit()).await;
    up.abort();
    end.err().map(|status| reason(&status))
}

/// port-forward over SPDY: a stream of data and one of errors for each connection.
async fn forward_spdy(clock: Rc<Clock>, io: impl AsyncRead + AsyncWrite + 'static, connect: Connect) {
    let mut connection = spdy::start(io);
    let mut errors: BTreeMap<String, u32> = BTreeMap::new();
    while let Some(stream) = connection.streams.recv().await {
        let header = |name: &str| stream.headers.get(name).cloned().unwrap_or_default();
        let request = header("requestid");
        match header("streamtype").as_str() {
            "error" => {
                errors.insert(request, stream.id);
            }
            "data" => {
                let error = errors.remove(&request);
                let port = header("port").parse().unwrap_or(0);
                let (clock, out, data) = (clock.clone(), connection.out.clone(), stream.id);
                let session = connect(port);
                clock.kick();
                tokio::task::spawn_local(async move {
                    let send = |bytes| {
                        let out = out.clone();
                        async move { out.send(Command::Data(data, bytes)).await.is_ok() }
                    };
                    let failed = join_port(clock, session, stream.incoming, send).await;
                    if let (Some(error), Some(why)) = (error, failed) {
                        let _ = out.send(Command::Data(error, why.into_bytes())).await;
                    }
                    for stream in [error, Some(data)].into_iter().flatten() {
                        let _ = out.send(Command::Finish(stream)).await;
                    }
                });
            }
            _ => {}
        }
    }
}

/// port-forward over its own WebSocket protocol (`?ports=`).
async fn forward_websocket(
    clock: Rc<Clock>,
    socket: websocket::Socket,
    protocol: &'static str,
    ports: Vec<u16>,
    connect: Connect,
) {
    let (out, outgoing) = mpsc::channel(256);
    let mut senders = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let (sender, incoming) = mpsc::channel(64);
        senders.push(sender);
        let session = connect(*port);
        clock.kick();
        let (clock, out) = (clock.clone(), out.clone());
        tokio::task::spawn_local(async move {
            let send = |bytes| {
                let out = out.clone();
                async move { out.send((index, false, bytes)).await.is_ok() }
            };
            if let Some(why) = join_port(clock, session, incoming, send).await {
                let _ = out.send((index, true, why.into_bytes())).await;
            }
        });
    }
    // When the last port's task ends, the socket is closed.
    drop(out);
    websocket::serve_ports(socket, protocol, &ports, outgoing, senders).await;
}

fn forward(
    server: &Rc<Server>,
    incoming: &Incoming,
    protocol: Protocol,
    headers: &HeaderMap,
    on: OnUpgrade,
    connect: Connect,
) -> Answer {
    let clock = server.clock.clone();
    if protocol == Protocol::Spdy {
        after(on, move |upgraded| forward_spdy(clock, TokioIo::new(upgraded), connect));
        return spdy_answer(PORT_FORWARD);
    }
    let offered = offered(headers, SEC_WEBSOCKET_PROTOCOL.as_str());
    if offered.contains(&TUNNEL) {
        after(on, move |upgraded| async move {
            let socket = websocket::accept(upgraded).await;
            forward_spdy(clock, websocket::tunnel(socket), connect).await;
        });
        return websocket_answer(headers, TUNNEL);
    }
    let Some(channels) = websocket::channels(&offered) else {
        return no_protocol(incoming, &offered);
    };
    let asked = incoming.query.iter().filter(|(k, _)| k == "ports" || k == "port");
    let ports: Option<Vec<u16>> = asked.flat_map(|(_, v)| v.split(',')).map(|p| p.parse().ok()).collect();
    let Some(ports) = ports.filter(|p| !p.is_empty() && p.len() < 100) else {
        let status = Status::bad_request("query parameter \"ports\" is required");
        return answer::failure(&status, &incoming.style);
    };
    after(on, move |upgraded| async move {
        let socket = websocket::accept(upgraded).await;
        forward_websocket(clock, socket, channels, ports, connect).await;
    });
    websocket_answer(headers, channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrades_are_recognized() {
        let headers = |list: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in list {
                map.append(*name, HeaderValue::from_static(value));
            }
            map
        };
        let spdy = headers(&[
            ("connection", "Upgrade"),
            ("upgrade", "SPDY/3.1"),
            ("x-stream-protocol-version", "v4.channel.k8s.io"),
            ("x-stream-protocol-version", "v3.channel.k8s.io"),
        ]);
        assert_eq!(wanted(&spdy), Some(Protocol::Spdy));
        assert_eq!(
            offered(&spdy, "x-stream-protocol-version"),
            ["v4.channel.k8s.io", "v3.channel.k8s.io"]
        );
        let web = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(wanted(&web), Some(Protocol::WebSocket));
        assert_eq!(wanted(&headers(&[("upgrade", "websocket")])), None);
    }
}
