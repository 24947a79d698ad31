//! `kubectl proxy`: the API over plain HTTP on this machine, and files of this machine beside it.

use core::net::Ipv4Addr;
use std::rc::Rc;

use futures::future::{Either, LocalBoxFuture, select};
use regex_lite::Regex;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::port_forward::{Address, free_port, listen_error};
use super::raw;
use super::regexp;
use super::typed;
use crate::api::custom::openapi::pattern;
use crate::api::negotiate::{self, Format, View};
use crate::api::{Body, ByteStream, Client, Method, Payload, Status, Watch};
use crate::net::{HttpRequest, HttpResponse, Listener, More, NoAnswer, Parsed, Protocol};
use crate::shell::{FileKind, Files};
use crate::value::{gojson, quoted, yaml};

const FLAGS: &[Flag] = &[
    flag(
        "accept-hosts",
        '\0',
        Kind::Str,
        "^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$",
    ),
    flag("accept-paths", '\0', Kind::Str, "^.*"),
    flag("address", '\0', Kind::Str, "127.0.0.1"),
    flag("api-prefix", '\0', Kind::Str, "/"),
    flag("append-server-path", '\0', Kind::Bool, "false").but("the address of the server here has no path"),
    flag("disable-filter", '\0', Kind::Bool, "false"),
    flag("keepalive", '\0', Kind::Duration, "0s").but("nothing is sent when idle"),
    flag("port", 'p', Kind::Int, "8001"),
    flag("reject-methods", '\0', Kind::Str, "^$"),
    flag(
        "reject-paths",
        '\0',
        Kind::Str,
        "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach",
    ),
    flag("unix-socket", 'u', Kind::Str, "").but("sockets of files are not simulated"),
    flag("www", 'w', Kind::Str, ""),
    flag("www-prefix", 'P', Kind::Str, "/static/"),
];

pub static PROXY: Verb = Verb {
    name: "proxy",
    group: "Troubleshooting and Debugging Commands:",
    short: "Run a proxy to the Kubernetes API server",
    flags: &[FLAGS],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.flags.str("unix-socket").is_empty() {
        return Err(Error::plain("sockets of files are not simulated: use --port"));
    }
    // The real one gives up with a last line in its log.
    let fatal = |text: &str| {
        cmd.log(
            'F',
            "proxy_server.go:83",
            &format!("Error compiling re: {}", regexp::error(text)),
        );
        Error::Exit(255)
    };
    let expressions = |name: &str| -> Result<Vec<Regex>, Error> {
        let texts = cmd.flags.str(name).split(',').filter(|t| !t.is_empty());
        texts.map(|t| pattern(t).map_err(|_| fatal(t))).collect()
    };
    let filter = Filter {
        hosts: expressions("accept-hosts")?,
        paths: expressions("accept-paths")?,
        rejected: expressions("reject-paths")?,
        methods: expressions("reject-methods")?,
        off: cmd.flags.bool("disable-filter"),
    };
    let local = cmd
        .local
        .clone()
        .ok_or_else(|| Error::plain("this machine has no network to serve on"))?;
    let machine = local.network.node_ip(&local.node).unwrap_or(Ipv4Addr::LOCALHOST);
    let text = cmd.flags.str("address");
    let ip: Ipv4Addr = match text {
        "localhost" => Ipv4Addr::LOCALHOST,
        other => other
            .parse()
            .map_err(|_| Error::plain(format!("listen tcp: lookup {other}: no such host")))?,
    };
    let asked = cmd.flags.int("port");
    let mut port =
        u16::try_from(asked).map_err(|_| Error::plain(format!("listen tcp: address {asked}: invalid port")))?;
    if port == 0 {
        port = free_port(cmd.sim(), &local.network, machine);
    }
    if let Some(why) = listen_error(&local.network, machine, &Address::V4(ip), port, &mut false) {
        return Err(Error::plain(why.replace("tcp4", "tcp")));
    }
    let slash = |text: &str| {
        let text = if text.starts_with('/') {
            text.to_owned()
        } else {
            format!("/{text}")
        };
        if text.ends_with('/') { text } else { text + "/" }
    };
    let www = cmd.flags.str("www");
    if !www.is_empty() && !cmd.cx.files.is_dir(&cmd.cx.path(www)) {
        cmd.err(format!("Warning: {www} is no directory"));
    }
    let server = Server {
        port,
        local_only: ip.is_loopback(),
        client: cmd.client.clone(),
        filter,
        prefix: slash(cmd.flags.str("api-prefix")),
        www: (!www.is_empty()).then(|| (slash(cmd.flags.str("www-prefix")), cmd.cx.path(www))),
        files: cmd.cx.files.clone(),
    };
    let _attached = local.network.attach(machine, &local.node, "", Rc::new(server));
    cmd.say(format!("Starting to serve on {ip}:{port}"));
    std::future::pending::<()>().await;
    Ok(())
}

/// Which requests pass.
struct Filter {
    hosts: Vec<Regex>,
    paths: Vec<Regex>,
    rejected: Vec<Regex>,
    methods: Vec<Regex>,
    off: bool,
}

impl Filter {
    fn lets(&self, method: &str, path: &str, host: &str) -> bool {
        let any = |list: &[Regex], text: &str| list.iter().any(|r| r.is_match(text));
        self.off
            || (!any(&self.rejected, path)
                && !any(&self.methods, method)
                && any(&self.paths, path)
                && any(&self.hosts, host))
    }
}

struct Server {
    port: u16,
    local_only: bool,
    client: Client,
    filter: Filter,
    prefix: String,
    www: Option<(String, String)>,
    files: Files,
}

fn forbidden() -> HttpResponse {
    HttpResponse::new(403, "text/plain; charset=utf-8", "Forbidden\n")
}

impl Listener for Server {
    fn accepts(&self, protocol: Protocol, port: u16) -> bool {
        protocol == Protocol::Tcp && port == self.port
    }

    fn is_local(&self) -> bool {
        self.local_only
    }

    fn http(&self, _port: u16, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let path = request.path.split('?').next().unwrap_or("/").to_owned();
        let host = match request.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => request.host.as_str(),
        };
        if let Some((prefix, folder)) = &self.www
            && let Some(name) = path.strip_prefix(prefix.as_str())
        {
            let answer = file(&self.files, folder, name);
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let under = request
            .path
            .strip_prefix(self.prefix.as_str())
            .map(|rest| format!("/{rest}"));
        let (true, Some(under)) = (self.filter.lets(&request.method, &path, host), under) else {
            let answer = if self.filter.off || path.starts_with(&self.prefix) {
                forbidden()
            } else {
                HttpResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n")
            };
            return Box::pin(std::future::ready(Ok(answer)));
        };
        let client = self.client.clone();
        Box::pin(async move { Ok(ask(&client, &under, request).await) })
    }
}

/// A file of the machine, or a directory's list.
fn file(files: &Files, folder: &str, name: &str) -> HttpResponse {
    let path = crate::shell::join(folder, name);
    if !path.starts_with(folder) {
        return forbidden();
    }
    let (index, html) = (crate::shell::join(&path, "index.html"), "text/html; charset=utf-8");
    if files.is_dir(&path) && files.exists(&index) {
        return HttpResponse::new(200, html, files.read_text(&index).unwrap_or_default());
    }
    if files.is_dir(&path) {
        let mut text = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n".to_owned();
        for (name, stat) in files.list(&path).unwrap_or_default() {
            let slash = if stat.kind == FileKind::Directory { "/" } else { "" };
            text.push_str(&format!("<a href=\"{name}{slash}\">{name}{slash}</a>\n"));
        }
        return HttpResponse::new(200, html, text + "</pre>\n");
    }
    match files.read(&path) {
        Ok(bytes) => HttpResponse::new(200, "text/plain; charset=utf-8", bytes.to_vec()),
        Err(_) => HttpResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
    }
}

/// Whether the server indents its answer, as it does for people.
fn pretty(request: &HttpRequest) -> bool {
    let query = request.path.split_once('?').map_or("", |(_, q)| q);
    match query.split('&').find_map(|p| p.strip_prefix("pretty=")) {
        Some(value) => matches!(value, "1" | "true" | ""),
        None => {
            let agent = request.header("User-Agent").unwrap_or("");
            ["curl", "Wget", "Mozilla/5.0"].iter().any(|a| agent.starts_with(a))
        }
    }
}

/// Passes an HTTP request to the API server, and its answer back.
pub async fn ask(client: &Client, path: &str, request: HttpRequest) -> HttpResponse {
    let method = match request.method.as_str() {
        "GET" | "HEAD" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => return HttpResponse::new(405, "text/plain; charset=utf-8", "Method Not Allowed\n"),
    };
    let mut asked = raw::request(method, path);
    let follows = asked
        .query
        .iter()
        .any(|(k, v)| k == "follow" && matches!(v.as_str(), "true" | "1"));
    let accept = request.header("Accept").unwrap_or("");
    let wanted = match negotiate::form(&asked.path, accept) {
        Ok(wanted) => wanted,
        Err(status) => {
            let text = typed::indented(&status.to_value(), "  ");
            return HttpResponse::new(status.code(), "application/json", text);
        }
    };
    asked.accept = negotiate::inside(accept, wanted).into();
    let upgrades = raw::upgrades(&asked.path);
    asked.content_type = request.header("Content-Type").unwrap_or("").into();
    asked.headers.clone_from(&request.headers);
    if !request.body.is_empty() {
        asked.body = Body::Bytes(request.body.clone());
    }
    let response = client.send(asked).await;
    let code = response.code;
    let value = match &response.payload {
        Payload::Object(object) if wanted.view == View::Metadata => negotiate::metadata_of(object),
        Payload::List(list) if wanted.view == View::Metadata => negotiate::metadata_list_of(list),
        _ => response.value(),
    };
    let mut answer = match response.payload {
        Payload::Text(text) if text.starts_with('{') => {
            let text = match pretty(&request) && !text.contains("\n  ") {
                true => gojson::reindent(&text, "  "),
                false => text,
            };
            HttpResponse::new(code, "application/json", text)
        }
        Payload::Text(text) => HttpResponse::new(code, "text/plain; charset=utf-8", text),
        Payload::Stream(stream) if follows => HttpResponse {
            more: More::new(stream),
            ..HttpResponse::new(code, "text/plain", "")
        },
        Payload::Stream(stream) => HttpResponse::new(code, "text/plain", stream.read_all().await),
        Payload::Watch(watch) => HttpResponse {
            more: More::new(events(client, *watch)),
            ..HttpResponse::new(code, "application/json", "")
        },
        Payload::Session(session) if upgrades => {
            session.hang_up();
            let status = Status::bad_request(raw::NO_UPGRADE);
            HttpResponse::new(400, "application/json", typed::indented(&status.to_value(), "  "))
        }
        Payload::Session(session) => {
            let bytes = session.stdout.read_all().await;
            match (HttpResponse::parse(&bytes), session.exit().await) {
                (Parsed::Whole(answer, _), _) => return answer,
                (_, Err(status)) => HttpResponse::new(
                    status.code(),
                    "application/json",
                    typed::indented(&status.to_value(), "  "),
                ),
                _ => HttpResponse::new(502, "text/plain; charset=utf-8", "Bad Gateway\n"),
            }
        }
        Payload::Forward(_) => forbidden(),
        _ if wanted.format == Format::Yaml => HttpResponse::new(code, Format::Yaml.media_type(), yaml::to_yaml(&value)),
        _ if pretty(&request) => HttpResponse::new(code, "application/json", typed::indented(&value, "  ")),
        _ => HttpResponse::new(code, "application/json", typed::wire(&value, false) + "\n"),
    };
    if answer.more.is_some() {
        answer.headers.push(("Transfer-Encoding".into(), "chunked".into()));
    }
    answer
        .headers
        .push(("Date".into(), client.sim().now().rfc1123().replace("+0000", "GMT")));
    for warning in response.warnings {
        answer
            .headers
            .push(("Warning".into(), format!("299 - {warning}", warning = quoted(&warning))));
    }
    if request.method == "HEAD" {
        answer.body.clear();
        answer.more = More::default();
    }
    answer
}

/// The events of a watch as they stand on the wire, until it ends or nobody reads them any more.
fn events(client: &Client, mut watch: Watch) -> ByteStream {
    let stream = ByteStream::new();
    let out = stream.clone();
    client.sim().spawn("watch over HTTP", async move {
        loop {
            let event = {
                let (next, closed) = (std::pin::pin!(watch.next()), std::pin::pin!(out.closed()));
                match select(next, closed).await {
                    Either::Left((event, _)) => event,
                    Either::Right(_) => break,
                }
            };
            let Some(event) = event else { break };
            if !out.write(raw::line(&watch, &event).as_bytes()) {
                break;
            }
        }
        out.close();
    });
    stream
}
