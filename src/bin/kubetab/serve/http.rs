//! Connections, and what every HTTP request goes through before it reaches the API.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming as Received};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, IF_NONE_MATCH, USER_AGENT};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kubetab::api::negotiate::{self, Format, View, Wanted};
use kubetab::api::{Method, Request, Status, auth, monitoring};
use kubetab::limits;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Answer, Style};
use super::identity::{self, Peer};
use super::rest::{self, Incoming};
use super::{Server, proxy, random, upgrade};
use kubetab::value::hex;

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Runs a connection's tasks on the thread of the world.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Takes connections for ever.
pub async fn accept(server: Rc<Server>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: they come back as connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(connection(server.clone(), stream, acceptor.clone()));
    }
}

async fn connection(server: Rc<Server>, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    let Some(acceptor) = acceptor else {
        return talk(server, stream, Peer::default()).await;
    };
    // A client that gives up its handshake has said why to its own user.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let peer = Peer::new(certificates.and_then(|c| c.first()).map(|c| c.to_vec()));
    talk(server, stream, peer).await;
}

async fn talk<S>(server: Rc<Server>, stream: S, peer: Peer)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let peer = Rc::new(peer);
    let service = service_fn(move |request| {
        let (server, peer) = (server.clone(), peer.clone());
        async move { Ok::<_, Infallible>(serve(server, peer, request).await) }
    });
    let mut builder = auto::Builder::new(Local);
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    // A connection that breaks concerns nobody but its client.
    let _ = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

/// Answers one request.
async fn serve(server: Rc<Server>, peer: Rc<Peer>, request: hyper::Request<Received>) -> Answer {
    let audit = request.headers().get("audit-id").cloned();
    let is_head = request.method() == hyper::Method::HEAD;
    let mut answer = respond(&server, &peer, request).await;
    match audit {
        Some(id) => {
            answer.headers_mut().insert("audit-id", id);
        }
        None => answer::set(&mut answer, "audit-id", &uuid()),
    }
    if is_head {
        *answer.body_mut() = super::body::Content::empty();
    }
    answer
}

/// A random UUID of version 4. The world's own generator is not touched: reading changes nothing.
fn uuid() -> String {
    let mut b = random::<16>();
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let parts = [&b[..4], &b[4..6], &b[6..8], &b[8..10], &b[10..]];
    parts.map(hex::lower).join("-")
}

async fn respond(server: &Rc<Server>, peer: &Peer, mut request: hyper::Request<Received>) -> Answer {
    let upgrade = upgrade::wanted(request.headers()).map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let (parts, body) = request.into_parts();
    let header = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let query: Vec<(String, String)> = form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes())
        .into_owned()
        .collect();
    let accept = header(ACCEPT).to_owned();
    let if_none_match = header(IF_NONE_MATCH).to_owned();
    let plain = Wanted {
        format: Format::Json,
        view: View::Whole,
    };
    let plain = Style::of(&parts.headers, &query, plain);
    if !server.hosts.is_empty() {
        let host = match parts.uri.authority() {
            Some(authority) => authority.host(),
            None => without_port(header(HOST)),
        };
        if !server.hosts.iter().any(|h| h == host) {
            return answer::text(403, format!("the host {host:?} is not served\n"));
        }
    }
    let Ok(path) = percent_decode(parts.uri.path()) else {
        return answer::failure(&Status::bad_request("the path is not UTF-8"), &plain);
    };
    let method = match parts.method {
        hyper::Method::GET | hyper::Method::HEAD => Method::Get,
        hyper::Method::POST => Method::Post,
        hyper::Method::PUT => Method::Put,
        hyper::Method::PATCH => Method::Patch,
        hyper::Method::DELETE => Method::Delete,
        _ => return answer::failure(&Status::method_not_allowed(), &plain),
    };
    let api = server.world.api();
    let user = match server
        .authenticator
        .user(&parts.headers, peer, |token| api.authenticate(token), api.sim().now())
    {
        Ok(user) => user,
        Err(status) => return answer::failure(&status, &plain),
    };
    let impersonate = identity::impersonation(&parts.headers);
    let agent = header(USER_AGENT);
    let client = agent
        .split(['/', ' '])
        .next()
        .filter(|a| !a.is_empty())
        .unwrap_or("unknown");
    let client: Rc<str> = client.into();
    let wanted = match negotiate::form(&path, &accept) {
        Ok(wanted) => wanted,
        Err(_) if upgrade.is_some() => plain.wanted,
        Err(status) => return answer::failure(&status, &plain),
    };
    let content_type = header(CONTENT_TYPE).to_owned();
    let style = Style { wanted, ..plain };
    let mut incoming = Incoming {
        method,
        path,
        query,
        content_type,
        body: Bytes::new(),
        user,
        impersonate,
        client,
        style,
        accept,
        if_none_match,
    };
    if let Some((protocol, on)) = upgrade {
        return upgrade::serve(server, incoming, protocol, &parts.headers, on).await;
    }
    match Limited::new(body, limits::REQUEST_BYTES).collect().await {
        Ok(collected) => incoming.body = collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {}", limits::REQUEST_BYTES);
            let status = Status::failure(413, "RequestEntityTooLarge", message);
            return answer::failure(&status, &incoming.style);
        }
        Err(_) => return answer::failure(&Status::bad_request("the body could not be read"), &incoming.style),
    }
    if proxy::parse(&incoming.path).is_some() {
        return proxy::serve(server, incoming, &parts.headers, parts.method.as_str()).await;
    }
    match incoming.path.as_str() {
        "/metrics" => metrics(server, &incoming),
        _ => rest::serve(server, incoming).await,
    }
}

fn metrics(server: &Server, incoming: &Incoming) -> Answer {
    let mut request = Request::get("/metrics");
    request.user = incoming.user.clone();
    request.impersonate = incoming.impersonate.clone();
    match auth::check(server.world.api(), &mut request) {
        Ok(()) => {
            let text = monitoring::of_server(server.world.api());
            answer::bytes(
                200,
                "text/plain; version=0.0.4; charset=utf-8",
                text.into_bytes(),
                incoming.style.gzip,
            )
        }
        Err(status) => answer::failure(&status, &incoming.style),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A path without its `%xx`.
fn percent_decode(path: &str) -> Result<String, std::str::Utf8Error> {
    percent_encoding::percent_decode_str(path).decode_utf8().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_paths_and_ids() {
        for (host, name) in [
            ("localhost:80", "localhost"),
            ("[::1]:6443", "[::1]"),
            ("[::1]", "[::1]"),
            ("a", "a"),
        ] {
            assert_eq!(without_port(host), name);
        }
        assert_eq!(percent_decode("/a%20b/%C3%A4").unwrap(), "/a b/ä");
        assert!(percent_decode("/%ff").is_err());
        let id = uuid();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
    }
}
