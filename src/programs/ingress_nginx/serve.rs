//! How the controller's nginx answers: by the routes, from one endpoint of a service after the other.

use core::net::Ipv4Addr;
use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};

use futures::future::LocalBoxFuture;

use super::super::nginx::page_of;
use super::super::{Sandbox, Service, http_date, log_date, path_of, peer, slash_date, stable_digest, stable_hash};
use super::routes::{Backend, Location, Routes};
use super::{Known, certgen};
use crate::flat::FlatMap;
use crate::net::http::{HttpRequest, HttpResponse, More, Tls, Url};
use crate::net::{NetError, NoAnswer};
use crate::pki::{pem, x509::Certificate};
use crate::shell::Output;
use crate::sim::Sim;
use crate::value::{Value, base64};

/// How many endpoints a request is tried at (`proxy-next-upstream-tries`).
const TRIES: usize = 3;

/// The server that answers what no Ingress wants.
const DEFAULT_BACKEND: &str = "upstream-default-backend";

pub(super) struct Serve {
    pub(super) sim: Sim,
    /// The sandbox's ports own this: a strong reference would keep both for ever.
    pub(super) sandbox: Weak<Sandbox>,
    pub(super) known: Rc<RefCell<Known>>,
    pub(super) routes: RefCell<Routes>,
    pub(super) log: Output,
    pub(super) errors: Output,
    /// Shown where an Ingress has no certificate; made when first asked for.
    pub(super) fake: OnceCell<Option<Certificate>>,
    /// How many requests each backend has had, which tells whose turn it is.
    pub(super) turns: RefCell<FlatMap<String, usize>>,
}

/// A port of the controller's nginx.
pub(super) struct Door {
    pub(super) serve: Rc<Serve>,
    pub(super) https: bool,
}

impl Service for Door {
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let (serve, https) = (self.serve.clone(), self.https);
        Box::pin(async move {
            match (&request.tls, https) {
                (Some(_), false) => return Err(NoAnswer::Plain),
                (None, true) => return Ok(page(400)),
                (Some(tls), true) => {
                    let host = host_of(&request);
                    let shown = serve.certificate(&host);
                    if let Some(shown) = shown
                        .as_ref()
                        .or_else(|| serve.fake.get_or_init(certgen::fake).as_ref())
                    {
                        tls.trusts(shown, &request.host).map_err(NoAnswer::Untrusted)?;
                    }
                }
                (None, false) => {}
            }
            Ok(serve.answer(request, https).await)
        })
    }
}

/// nginx's page of a status, without its version.
fn page(status: u16) -> HttpResponse {
    page_of(status, "nginx")
}

/// The host that a request names, without its port.
fn host_of(request: &HttpRequest) -> String {
    request.host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// The value of a request's cookie.
fn cookie(request: &HttpRequest, name: &str) -> Option<String> {
    let all = request.header("Cookie")?.split(';');
    let mut pairs = all.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// What came of a request to a backend, for the access log.
struct Upstream {
    name: String,
    /// Each endpoint that was tried.
    addresses: Vec<String>,
    statuses: Vec<String>,
}

impl Serve {
    /// The certificate of a host's Ingress, when its secret holds one.
    fn certificate(&self, host: &str) -> Option<Certificate> {
        let routes = self.routes.borrow();
        let known = self.known.borrow();
        let secret = known.secrets.get(&routes.server_of(host)?.secret)?;
        let text = base64::decode(secret.str_at(&["data", "tls.crt"]))?;
        let blocks = pem::blocks(&String::from_utf8_lossy(&text));
        Certificate::from_der(&blocks.first()?.bytes).ok()
    }

    async fn answer(&self, request: HttpRequest, https: bool) -> HttpResponse {
        let started = self.sim.now();
        let id = stable_digest(&format!("{} {}", started.0, self.sim.random_below(u64::MAX)));
        let id: String = id.chars().take(32).collect();
        let mut upstream = Upstream {
            name: DEFAULT_BACKEND.to_owned(),
            addresses: Vec::new(),
            statuses: Vec::new(),
        };
        let path = path_of(&request).to_owned();
        let location = {
            let routes = self.routes.borrow();
            let (_, location) = routes.find(&host_of(&request), &path);
            location.cloned()
        };
        let mut response = match &location {
            None => {
                upstream.addresses.push("127.0.0.1:8181".into());
                upstream.statuses.push("404".into());
                page(404)
            }
            Some(location) => self.pass(location, &request, https, &id, &mut upstream).await,
        };
        let theirs = std::mem::take(&mut response.headers);
        let said = |wanted: &str| {
            let mut all = theirs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            all.next().map(|(_, value)| value.as_str())
        };
        let whole = response.body.len().to_string();
        let streams = response.more != More::default();
        let mut add = |name: &str, value: &str| response.headers.push((name.into(), value.into()));
        add("Date", &http_date(self.sim.now()));
        if let Some(media) = said("Content-Type") {
            add("Content-Type", media);
        }
        match streams {
            true => add("Transfer-Encoding", "chunked"),
            false => add("Content-Length", said("Content-Length").unwrap_or(&whole)),
        }
        add("Connection", "keep-alive");
        if https {
            add("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
        }
        for (name, value) in &theirs {
            let own = [
                "server",
                "date",
                "connection",
                "content-type",
                "content-length",
                "keep-alive",
                "transfer-encoding",
            ];
            if !own.contains(&name.to_ascii_lowercase().as_str()) {
                add(name, value);
            }
        }
        if request.method == "HEAD" {
            response.body.clear();
        }
        let now = self.sim.now();
        let took = format!("{:.3}", now.since(started).as_secs_f64());
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        let of_each = |what: &str| list(&vec![what.to_owned(); upstream.addresses.len()]);
        let line = format!("{} {} HTTP/1.1", request.method, request.path);
        self.log.line(format!(
            "{} - - [{}] \"{line}\" {} {} \"{}\" \"{}\" {} {took} [{}] [] {} {} {} {} {id}",
            peer(&request),
            log_date(now),
            response.status,
            response.body.len(),
            request.header("Referer").unwrap_or("-"),
            request.header("User-Agent").unwrap_or("-"),
            // The request's line, its headers and its body.
            line.len()
                + request
                    .headers
                    .iter()
                    .map(|(k, v)| k.len() + v.len() + 4)
                    .sum::<usize>()
                + request.body.len(),
            upstream.name,
            list(&upstream.addresses),
            of_each(&response.body.len().to_string()),
            of_each(&took),
            list(&upstream.statuses),
        ));
        response
    }

    async fn pass(
        &self,
        location: &Location,
        request: &HttpRequest,
        https: bool,
        id: &str,
        upstream: &mut Upstream,
    ) -> HttpResponse {
        let path = path_of(request);
        let away = |code: u16, to: String| {
            let mut response = page(code);
            response.headers.push(("Location".into(), to));
            response
        };
        let host = host_of(request);
        if location.to_https && !https {
            return away(308, format!("https://{host}{}", request.path));
        }
        if let Some((code, to)) = location.redirect(path, &request.host, https) {
            return away(code, to);
        }
        let Some(backend) = &location.backend else {
            return page(503);
        };
        let header = |name: &str| request.header(name);
        let canary = location
            .canaries
            .iter()
            .find(|canary| canary.takes(header, |name| cookie(request, name), |n| self.sim.random_below(n)));
        let backend = canary.map_or(backend, |c| &c.backend);
        upstream.name = backend.to_string();
        let mut endpoints = self.known.borrow().endpoints(backend);
        if endpoints.is_empty() {
            return page(503);
        }
        let mut set_cookie = None;
        let first = match location.cookie.as_str() {
            "" => {
                let mut turns = self.turns.borrow_mut();
                let turn = turns.entry(upstream.name.clone()).or_default();
                *turn += 1;
                *turn - 1
            }
            name => {
                let value = cookie(request, name).unwrap_or_else(|| {
                    let now = self.sim.now();
                    let digest: String = stable_digest(&upstream.name).chars().take(32).collect();
                    let value = format!(
                        "{}.{:03}.29.{}|{digest}",
                        now.as_secs(),
                        now.0 / 1000 % 1000,
                        self.sim.random_below(1_000_000)
                    );
                    set_cookie = Some(format!("{name}={value}; Path={}; HttpOnly", location.path));
                    value
                });
                stable_hash(&value, 0) as usize
            }
        };
        let count = endpoints.len();
        endpoints.rotate_left(first % count);
        let forwarded = self.forwarded(location, request, https, id);
        let mut response = None;
        for (to, port) in endpoints.into_iter().take(TRIES) {
            upstream.addresses.push(format!("{to}:{port}"));
            match self.ask(&to, port, forwarded.clone()).await {
                Ok(answer) => {
                    upstream.statuses.push(answer.status.to_string());
                    response = Some(answer);
                    break;
                }
                Err(why) => {
                    let timed_out = why == NetError::TimedOut;
                    upstream.statuses.push(if timed_out { "504" } else { "502" }.into());
                    self.errors.line(format!(
                        "{} [error] 29#29: *1 connect() failed ({why}) while connecting to upstream, client: {}, server: {host}, request: \"{} {} HTTP/1.1\", upstream: \"http://{to}:{port}{}\", host: \"{}\"",
                        slash_date(self.sim.now()),
                        peer(request),
                        request.method,
                        request.path,
                        forwarded.path,
                        request.host,
                    ));
                }
            }
        }
        let last = upstream.statuses.last().map(String::as_str);
        let mut response = response.unwrap_or_else(|| page(if last == Some("504") { 504 } else { 502 }));
        if let Some(cookie) = set_cookie {
            response.headers.push(("Set-Cookie".into(), cookie));
        }
        response
    }

    /// The request as a backend gets it.
    fn forwarded(&self, location: &Location, request: &HttpRequest, https: bool, id: &str) -> HttpRequest {
        let mut forwarded = request.clone();
        let path = location.rewritten(path_of(request));
        forwarded.path = match request.path.split_once('?') {
            Some((_, query)) => format!("{path}?{query}"),
            None => path,
        };
        if !location.vhost.is_empty() {
            forwarded.host.clone_from(&location.vhost);
        }
        let (scheme, port) = if https { ("https", "443") } else { ("http", "80") };
        let client = peer(request);
        let own = [
            ("X-Request-ID", id),
            ("X-Real-IP", &client),
            ("X-Forwarded-For", &client),
            ("X-Forwarded-Host", &request.host),
            ("X-Forwarded-Port", port),
            ("X-Forwarded-Proto", scheme),
            ("X-Forwarded-Scheme", scheme),
            ("X-Scheme", scheme),
        ];
        // What a client claims of itself is not passed on.
        forwarded
            .headers
            .retain(|(name, _)| !own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)));
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        forwarded.headers.extend(own);
        forwarded.tls = location.secure.then(Tls::unverified);
        forwarded
    }

    /// Asks an endpoint: an address, or the name that a service of the type ExternalName stands for.
    async fn ask(&self, to: &str, port: u16, request: HttpRequest) -> Result<HttpResponse, NetError> {
        let Some(sandbox) = self.sandbox.upgrade() else {
            return Err(NetError::Closed);
        };
        let (network, origin) = (&sandbox.network, &sandbox.origin);
        match to.parse::<Ipv4Addr>() {
            Ok(ip) => network.http_to(origin, ip, port, request).await,
            Err(_) => {
                let url = Url::parse(&format!("http://{to}:{port}{}", request.path));
                let url = url.map_err(|_| NetError::NoSuchHost(to.to_owned()))?;
                network.http(origin, &url, request).await
            }
        }
    }
}

impl Known {
    /// The ready endpoints of a service's port, with their ports.
    pub(super) fn endpoints(&self, backend: &Backend) -> Vec<(String, u16)> {
        let Some(service) = self.services.get(&backend.key()) else {
            return Vec::new();
        };
        let spec = service.get("spec");
        let number = |port: &Value| port.i64_at(&["port"]).and_then(|n| u16::try_from(n).ok());
        let wanted = spec.get("ports").items().iter().find(|port| {
            port.str_at(&["name"]) == backend.port || number(port).is_some_and(|n| n.to_string() == backend.port)
        });
        if spec.str_at(&["type"]) == "ExternalName" {
            let port = wanted
                .and_then(number)
                .or_else(|| backend.port.parse().ok())
                .unwrap_or(80);
            return vec![(spec.str_at(&["externalName"]).to_owned(), port)];
        }
        let Some(wanted) = wanted else { return Vec::new() };
        let mut found = Vec::new();
        let of_service = |slice: &&Value| {
            let metadata = slice.get("metadata");
            metadata.str_at(&["namespace"]) == backend.namespace
                && metadata.at(&["labels", "kubernetes.io/service-name"]).str() == backend.service
        };
        for slice in self.slices.values().filter(of_service) {
            let ports = slice.get("ports").items().iter();
            let mut ports = ports.filter(|port| port.str_at(&["name"]) == wanted.str_at(&["name"]));
            let Some(port) = ports.find_map(number) else { continue };
            for endpoint in slice.get("endpoints").items() {
                if endpoint.at(&["conditions", "ready"]) == &Value::Bool(false) {
                    continue;
                }
                let addresses = endpoint.get("addresses").items().iter();
                found.extend(addresses.take(1).map(|address| (address.str().to_owned(), port)));
            }
        }
        found
    }
}
