//! How a request is answered: the location that is chosen, rewrites, files and proxies.

use std::borrow::Cow;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::super::{Sandbox, Service, combined_log, http_date, media_type, path_of, peer, slash_date};
use super::config::{Action, Location, Rules, Server};
use crate::net::NoAnswer;
use crate::net::http::{HttpRequest, HttpResponse, More, Url, nginx_reason};
use crate::pki::x509::Certificate;
use crate::shell::{Files, Output};
use crate::sim::{Sim, Time};

pub(super) struct Serve {
    pub(super) servers: Rc<Vec<Server>>,
    pub(super) port: u16,
    pub(super) files: Files,
    pub(super) log: Output,
    pub(super) errors: Output,
    pub(super) sim: Sim,
    pub(super) version: String,
    // The sandbox's ports own this: a strong reference would keep both for ever.
    pub(super) sandbox: std::rc::Weak<Sandbox>,
    /// What it shows on a port that speaks TLS.
    pub(super) certificate: Option<Rc<Certificate>>,
}

/// A port that nginx listens on.
pub(super) struct Door(pub(super) Rc<Serve>);

impl Service for Door {
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let serve = self.0.clone();
        Box::pin(async move {
            match (&serve.certificate, &request.tls) {
                (Some(_), None) => {
                    let mut plain = page(400, &serve.version);
                    let said = String::from_utf8_lossy(&plain.body).into_owned().replacen(
                        "</h1></center>",
                        "</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>",
                        1,
                    );
                    plain.body = said.into_bytes();
                    return Ok(plain);
                }
                (Some(own), Some(tls)) => tls.trusts(own, &request.host).map_err(NoAnswer::Untrusted)?,
                (None, Some(_)) => return Err(NoAnswer::Plain),
                (None, None) => {}
            }
            Ok(answer(serve, request).await)
        })
    }
}

async fn answer(serve: Rc<Serve>, request: HttpRequest) -> HttpResponse {
    let mut response = respond(&serve, &request).await;
    let now = serve.sim.now();
    response
        .headers
        .insert(0, ("Server".into(), format!("nginx/{}", serve.version)));
    response.headers.insert(1, ("Date".into(), http_date(now)));
    if response.more == More::default() && response.header("Content-Length").is_none() {
        let length = response.body.len().to_string();
        response
            .headers
            .insert(response.headers.len().min(3), ("Content-Length".into(), length));
    }
    if response.header("Connection").is_none() {
        response.headers.insert(
            response.headers.len().min(4),
            ("Connection".into(), "keep-alive".into()),
        );
    }
    if request.method == "HEAD" {
        response.body.clear();
        response.more = More::default();
    }
    serve.log.line(format!(
        "{} \"{}\"",
        combined_log(&request, response.status, response.body.len(), now),
        request.header("X-Forwarded-For").unwrap_or("-")
    ));
    response
}

/// nginx's own page of a status; `server` is how it names itself.
pub(in super::super) fn page_of(status: u16, server: &str) -> HttpResponse {
    // Of this one the page has another name than the status line.
    let reason = if status == 302 { "Found" } else { nginx_reason(status) };
    let title = format!("{status} {reason}");
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    );
    HttpResponse::new(status, "text/html", body)
}

/// As [`page_of`], of an nginx that tells its version.
fn page(status: u16, version: &str) -> HttpResponse {
    page_of(status, &format!("nginx/{version}"))
}

/// Replaces nginx's variables in a text.
fn expand(text: &str, request: &HttpRequest, serve: &Serve) -> String {
    let mut text = text.to_owned();
    if !text.contains('$') {
        return text;
    }
    let host = request.host.split(':').next().unwrap_or("").to_owned();
    let hostname = serve.sandbox.upgrade().map(|s| s.hostname.clone()).unwrap_or_default();
    let local = request.local.map(|(ip, _)| ip.to_string()).unwrap_or_default();
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    for (name, value) in [
        ("$request_uri", request.path.clone()),
        ("$request_method", request.method.clone()),
        ("$remote_addr", peer(request)),
        ("$server_addr", local),
        ("$server_port", serve.port.to_string()),
        ("$hostname", hostname),
        ("$http_host", request.host.clone()),
        ("$host", host),
        ("$uri", path_of(request).to_owned()),
        ("$document_uri", path_of(request).to_owned()),
        ("$is_args", if query.is_empty() { "" } else { "?" }.to_owned()),
        ("$args", query.to_owned()),
        ("$query_string", query.to_owned()),
        ("$scheme", "http".to_owned()),
    ] {
        text = text.replace(name, &value);
    }
    text
}

/// A line of the error log about a request.
fn complain(serve: &Serve, request: &HttpRequest, text: &str) {
    serve.errors.line(format!(
        "{} [error] 29#29: *1 {text}, client: {}, server: localhost, request: \"{} {} HTTP/1.1\", host: \"{}\"",
        slash_date(serve.sim.now()),
        peer(request),
        request.method,
        request.path,
        request.host
    ));
}

/// The location that a path belongs to: an exact one, else the first regular expression that fits unless the longest
/// prefix forbids it, else that prefix.
pub(super) fn find<'a>(server: &'a Server, path: &str) -> Option<&'a Location> {
    let all = || server.locations.iter();
    let prefix = all()
        .filter(|l| !l.exact && l.pattern.is_none() && path.starts_with(&l.path))
        .max_by_key(|l| l.path.len());
    let fits = |l: &&Location| l.pattern.as_ref().is_some_and(|p| p.is_match(path));
    all()
        .find(|l| l.exact && l.path == path)
        .or_else(|| prefix.filter(|l| l.first))
        .or_else(|| all().find(fits))
        .or(prefix)
}

/// What rewriting comes to.
enum Rewritten {
    No,
    /// Another location is looked for.
    Again,
    Stay,
    Answer(HttpResponse),
}

fn rewrite(serve: &Serve, rules: &Rules, request: &HttpRequest, now: &mut Cow<HttpRequest>) -> Rewritten {
    let mut result = Rewritten::No;
    for rule in &rules.rewrites {
        let Some(groups) = rule.pattern.captures(path_of(now)) else {
            continue;
        };
        let mut to = rule.to.clone();
        for (i, group) in groups.iter().enumerate().skip(1) {
            to = to.replace(&format!("${i}"), group.as_deref().unwrap_or_default());
        }
        let mut to = expand(&to, now, serve);
        // The query stays, unless the new address ends in a question mark.
        if let Some(bare) = to.strip_suffix('?') {
            to = bare.to_owned();
        } else if let Some((_, query)) = request.path.split_once('?') {
            to.push(if to.contains('?') { '&' } else { '?' });
            to.push_str(query);
        }
        let away = ["http://", "https://", "$scheme"]
            .iter()
            .any(|s| rule.to.starts_with(s));
        let code = match rule.flag.as_str() {
            "permanent" => 301,
            "redirect" => 302,
            _ if away => 302,
            flag => {
                now.to_mut().path = to;
                match flag {
                    "break" => return Rewritten::Stay,
                    "last" => return Rewritten::Again,
                    _ => result = Rewritten::Again,
                }
                continue;
            }
        };
        let mut response = page(code, &serve.version);
        let host = if to.starts_with('/') {
            format!("http://{}", request.host)
        } else {
            String::new()
        };
        response.headers.push(("Location".into(), host + &to));
        return Rewritten::Answer(response);
    }
    result
}

async fn respond(serve: &Serve, request: &HttpRequest) -> HttpResponse {
    let name = request.host.split(':').next().unwrap_or("");
    let on_port = || serve.servers.iter().filter(|s| s.ports.contains(&serve.port));
    let server = on_port()
        .find(|s| s.names.iter().any(|n| n == name))
        .or_else(|| on_port().next());
    let Some(server) = server else {
        return page(404, &serve.version);
    };
    // The request as rewriting leaves it.
    let mut now = Cow::Borrowed(request);
    if let Rewritten::Answer(response) = rewrite(serve, &server.rules, request, &mut now) {
        return response;
    }
    let mut turns = 0;
    let location = loop {
        let location = find(server, path_of(&now));
        // A location's rewriting looks for another one; nginx does so ten times.
        let Some(found) = location.filter(|_| server.action.is_none()) else {
            break location;
        };
        match rewrite(serve, &found.rules, request, &mut now) {
            Rewritten::Answer(response) => return response,
            Rewritten::No | Rewritten::Stay => break location,
            Rewritten::Again if turns < 10 => turns += 1,
            Rewritten::Again => {
                complain(
                    serve,
                    request,
                    &format!(
                        "rewrite or internal redirection cycle while processing \"{}\"",
                        now.path
                    ),
                );
                return page(500, &serve.version);
            }
        }
    };
    let path = path_of(&now);
    let todo = server.action.as_ref().or(location.and_then(|l| l.action.as_ref()));
    let rules = location
        .map(|l| &l.rules)
        .filter(|r| !r.access.is_empty())
        .unwrap_or(&server.rules);
    let mut response = match todo {
        None | Some(Action::Status | Action::Proxy(_)) if !rules.allows(request.client) => {
            complain(serve, request, "access forbidden by rule");
            page(403, &serve.version)
        }
        Some(Action::Return(code, text)) => {
            let text = expand(text, request, serve);
            if (300..400).contains(code) {
                let mut response = page(*code, &serve.version);
                response.headers.push(("Location".into(), text));
                response
            } else if text.is_empty() {
                page(*code, &serve.version)
            } else {
                let media = location
                    .and_then(|l| l.media.clone())
                    .unwrap_or_else(|| "application/octet-stream".into());
                HttpResponse::new(*code, &media, text)
            }
        }
        Some(Action::Status) => HttpResponse::new(
            200,
            "text/plain",
            "Active connections: 1 \nserver accepts handled requests\n 1 1 1 \nReading: 0 Writing: 1 Waiting: 0 \n",
        ),
        Some(Action::Proxy(target)) => proxy(serve, &now, location, target).await,
        None => file(serve, server, location, &now, path),
    };
    let headers = location
        .map(|l| &l.headers)
        .filter(|h| !h.is_empty())
        .unwrap_or(&server.headers);
    for (name, value) in headers {
        response.headers.push((name.clone(), expand(value, request, serve)));
    }
    response
}

async fn proxy(serve: &Serve, request: &HttpRequest, location: Option<&Location>, target: &str) -> HttpResponse {
    let failed = |why: String| {
        serve.errors.line(format!(
            "{} [error] 29#29: *1 {why} while connecting to upstream, client: {}, server: , request: \"{} {} HTTP/1.1\", upstream: \"{target}\", host: \"{}\"",
            slash_date(serve.sim.now()),
            peer(request),
            request.method,
            request.path,
            request.host
        ));
        page(502, &serve.version)
    };
    let (Ok(mut url), Some(sandbox)) = (Url::parse(&expand(target, request, serve)), serve.sandbox.upgrade()) else {
        return failed("invalid URL prefix".into());
    };
    // With a path in `proxy_pass`, that path replaces the location's prefix.
    let has_path = target.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    url.path = match location {
        Some(l) if has_path => {
            let rest = request.path.strip_prefix(l.path.as_str()).unwrap_or(&request.path);
            format!("{}{rest}", url.path)
        }
        _ => request.path.clone(),
    };
    let mut forwarded = request.clone();
    forwarded.headers.push(("X-Forwarded-For".into(), peer(request)));
    match sandbox.network.http(&sandbox.origin, &url, forwarded).await {
        Ok(response) => response,
        Err(error) => failed(format!("connect() failed ({error})")),
    }
}

fn file(
    serve: &Serve,
    server: &Server,
    location: Option<&Location>,
    request: &HttpRequest,
    path: &str,
) -> HttpResponse {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return page(405, &serve.version);
    }
    let root = location.and_then(|l| l.root.as_ref()).unwrap_or(&server.root);
    let index = location
        .map(|l| &l.index)
        .filter(|i| !i.is_empty())
        .unwrap_or(&server.index);
    let find = |path: &str| -> Option<(String, Rc<Vec<u8>>)> {
        let full = match location.and_then(|l| l.alias.as_ref().map(|a| (l, a))) {
            Some((l, alias)) => format!("{alias}{}", path.strip_prefix(l.path.as_str()).unwrap_or(path)),
            None => format!("{root}/{path}"),
        };
        let full = crate::shell::join("/", &full);
        if serve.files.is_dir(&full) {
            let name = index
                .iter()
                .map(|i| format!("{full}/{i}"))
                .find(|p| serve.files.is_file(p))?;
            return serve.files.read(&name).ok().map(|bytes| (name, bytes));
        }
        serve.files.read(&full).ok().map(|bytes| (full, bytes))
    };
    let fallback = location.and_then(|l| l.fallback.as_deref());
    let found = find(path).or_else(|| {
        let uri = fallback.filter(|f| !f.starts_with('='))?;
        find(uri.split('?').next().unwrap_or(uri))
    });
    match found {
        Some((name, bytes)) => {
            let mut response = HttpResponse::new(200, media_type(&name), bytes.as_ref().clone());
            let modified = serve.files.stat(&name, true).map_or(Time::default(), |s| s.modified);
            let tag = format!("\"{:x}-{:x}\"", modified.as_secs(), bytes.len());
            for (name, value) in [
                ("Last-Modified", http_date(modified)),
                ("Connection", "keep-alive".into()),
                ("ETag", tag),
                ("Accept-Ranges", "bytes".into()),
            ] {
                response.headers.push((name.into(), value));
            }
            response
        }
        None => {
            let full = crate::shell::join("/", &format!("{root}/{path}"));
            if serve.files.is_dir(&full) {
                complain(serve, request, &format!("directory index of \"{full}/\" is forbidden"));
                return page(403, &serve.version);
            }
            let text = format!("open() \"{full}\" failed (2: No such file or directory)");
            complain(serve, request, &text);
            page(404, &serve.version)
        }
    }
}
