//! What Ingresses come to: servers by host, their locations, and which of them a request belongs to.

use std::rc::Rc;

use crate::flat::{Arrange, FlatMap};
use crate::shell::Regex;
use crate::value::Value;

/// What nginx's annotations begin with.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// The annotations that are simulated, without their prefix.
const SIMULATED: &[&str] = &[
    "affinity",
    "app-root",
    "backend-protocol",
    "canary",
    "canary-by-cookie",
    "canary-by-header",
    "canary-by-header-value",
    "canary-weight",
    "canary-weight-total",
    "force-ssl-redirect",
    "permanent-redirect",
    "rewrite-target",
    "session-cookie-name",
    "ssl-redirect",
    "temporal-redirect",
    "upstream-vhost",
    "use-regex",
];

/// The annotations of nginx's that an Ingress has and that are not simulated.
pub(super) fn idle(ingress: &Value) -> impl Iterator<Item = &str> {
    let all = ingress.at(&["metadata", "annotations"]).entries();
    let of_nginx = all.filter_map(|(key, _)| key.strip_prefix(PREFIX));
    of_nginx.filter(|name| !SIMULATED.contains(name))
}

/// An annotation of nginx's; empty for none.
fn annotation<'a>(ingress: &'a Value, name: &str) -> &'a str {
    let all = ingress.at(&["metadata", "annotations"]);
    all.get(&format!("{PREFIX}{name}")).str()
}

/// `namespace/name` of an object.
pub(super) fn key_of(object: &Value) -> String {
    let metadata = object.get("metadata");
    format!("{}/{}", metadata.str_at(&["namespace"]), metadata.str_at(&["name"]))
}

/// A port of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) namespace: String,
    pub(super) service: String,
    /// The port's name or number.
    pub(super) port: String,
}

impl Backend {
    /// Reads `backend.service`; `None` for another resource.
    fn read(namespace: &str, backend: &Value) -> Option<Backend> {
        let service = backend.get("service");
        let port = service.get("port");
        let number = port.i64_at(&["number"]);
        (!service.is_null()).then(|| Backend {
            namespace: namespace.to_owned(),
            service: service.str_at(&["name"]).to_owned(),
            port: number.map_or_else(|| port.str_at(&["name"]).to_owned(), |n| n.to_string()),
        })
    }

    /// `namespace/service`.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }
}

/// As logs and the configuration name it: `default-demo-80`.
impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.namespace, self.service, self.port)
    }
}

/// A second backend, which gets a part of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canary {
    pub(super) backend: Backend,
    header: String,
    value: String,
    cookie: String,
    weight: u64,
    total: u64,
}

/// As the configuration names it.
impl std::fmt::Display for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (header, value, cookie) = (&self.header, &self.value, &self.cookie);
        write!(
            f,
            "{} weight={}/{} header={header}:{value} cookie={cookie}",
            self.backend, self.weight, self.total
        )
    }
}

impl Canary {
    fn of(ingress: &Value, backend: Backend) -> Canary {
        let text = |name: &str| annotation(ingress, name).to_owned();
        Canary {
            backend,
            header: text("canary-by-header"),
            value: text("canary-by-header-value"),
            cookie: text("canary-by-cookie"),
            weight: annotation(ingress, "canary-weight").parse().unwrap_or(0),
            total: annotation(ingress, "canary-weight-total").parse().unwrap_or(100),
        }
    }

    /// Whether a request goes to it: by its header, else by its cookie, else by a random number below what it is given.
    pub(super) fn takes<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        cookie: impl Fn(&str) -> Option<String>,
        random_below: impl FnOnce(u64) -> u64,
    ) -> bool {
        if !self.header.is_empty()
            && let Some(value) = header(&self.header)
        {
            match value {
                value if value == self.value => return true,
                "always" if self.value.is_empty() => return true,
                "never" if self.value.is_empty() => return false,
                _ => {}
            }
        }
        if !self.cookie.is_empty() {
            match cookie(&self.cookie).as_deref() {
                Some("always") => return true,
                Some("never") => return false,
                _ => {}
            }
        }
        self.weight > 0 && random_below(self.total.max(1)) < self.weight
    }
}

/// How a location's path is compared.
#[derive(Clone)]
enum Fits {
    /// `Exact`.
    Exactly,
    /// `Prefix`: whole elements of the path.
    Elements,
    /// `ImplementationSpecific`: as it begins.
    Start,
    /// With `use-regex` or `rewrite-target` on any Ingress of the host.
    Pattern(Rc<Regex>),
}

/// Where the requests of a path go.
#[derive(Clone)]
pub(super) struct Location {
    pub(super) path: String,
    fits: Fits,
    /// `namespace/name` of the Ingress.
    pub(super) ingress: String,
    pub(super) backend: Option<Backend>,
    pub(super) canaries: Vec<Canary>,
    rewrite: String,
    app_root: String,
    /// Code and address.
    redirect: Option<(u16, String)>,
    /// Whether plain HTTP is sent to HTTPS.
    pub(super) to_https: bool,
    /// The name of the cookie that keeps a client at its endpoint; empty for none.
    pub(super) cookie: String,
    /// The `Host` that backends see; empty for the client's.
    pub(super) vhost: String,
    /// Whether backends speak HTTPS.
    pub(super) secure: bool,
}

impl Location {
    fn of(ingress: &Value, path: &str, fits: Fits, backend: Option<Backend>, has_tls: bool) -> Location {
        let text = |name: &str| annotation(ingress, name).to_owned();
        let redirect = |name: &str, code: u16| {
            let to = text(name);
            (!to.is_empty()).then_some((code, to))
        };
        let wants = |name: &str, otherwise: bool| match annotation(ingress, name) {
            "" => otherwise,
            value => value == "true",
        };
        let cookie = match annotation(ingress, "session-cookie-name") {
            "" => "INGRESSCOOKIE",
            name => name,
        };
        Location {
            path: path.to_owned(),
            fits,
            ingress: key_of(ingress),
            backend,
            canaries: Vec::new(),
            rewrite: text("rewrite-target"),
            app_root: text("app-root"),
            redirect: redirect("temporal-redirect", 302).or_else(|| redirect("permanent-redirect", 301)),
            to_https: (has_tls && wants("ssl-redirect", true)) || wants("force-ssl-redirect", false),
            cookie: if annotation(ingress, "affinity") == "cookie" {
                cookie.to_owned()
            } else {
                String::new()
            },
            vhost: text("upstream-vhost"),
            secure: annotation(ingress, "backend-protocol") == "HTTPS",
        }
    }

    /// Its lines in the configuration.
    fn configuration(&self) -> String {
        let how = match &self.fits {
            Fits::Exactly => "= ",
            Fits::Elements | Fits::Start => "",
            Fits::Pattern(_) => "~* ^",
        };
        let mut text = format!("\n\t\tlocation {how}{} {{\n", self.path);
        let to_https = if self.to_https { "true" } else { "" };
        let scheme = if self.secure { "https" } else { "http" };
        let backend = self.backend.as_ref().map(|backend| format!("{scheme}://{backend}"));
        let redirect = self.redirect.as_ref().map(|(code, to)| format!("{code} {to}"));
        let mut lines = vec![
            ("set $ingress", self.ingress.clone()),
            ("rewrite", self.rewrite.clone()),
            ("return", redirect.unwrap_or_default()),
            ("set $force_ssl_redirect", to_https.into()),
            ("set $app_root", self.app_root.clone()),
            ("set $cookie", self.cookie.clone()),
            ("proxy_set_header Host", self.vhost.clone()),
        ];
        lines.extend(self.canaries.iter().map(|canary| ("set $canary", canary.to_string())));
        lines.push(("proxy_pass", backend.unwrap_or_default()));
        for (name, value) in lines {
            if !value.is_empty() {
                text.push_str(&format!("\t\t\t{name} {value};\n"));
            }
        }
        text + "\t\t}\n"
    }

    fn is_for(&self, path: &str) -> bool {
        match &self.fits {
            Fits::Exactly => path == self.path,
            Fits::Elements => {
                let bare = self.path.trim_end_matches('/');
                path.strip_prefix(bare)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Fits::Start => path.starts_with(&self.path),
            Fits::Pattern(pattern) => pattern.is_match(path),
        }
    }

    /// Where the client is sent instead: code and address.
    pub(super) fn redirect(&self, path: &str, host: &str, https: bool) -> Option<(u16, String)> {
        if let Some((code, to)) = &self.redirect {
            return Some((*code, to.clone()));
        }
        let scheme = if https { "https" } else { "http" };
        (!self.app_root.is_empty() && path == "/").then(|| (302, format!("{scheme}://{host}{}", self.app_root)))
    }

    /// The path that the backend is asked for.
    pub(super) fn rewritten(&self, path: &str) -> String {
        let groups = match &self.fits {
            _ if self.rewrite.is_empty() => return path.to_owned(),
            Fits::Pattern(pattern) => pattern.captures(path).unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut to = self.rewrite.clone();
        for i in (1..10).rev() {
            let group = groups.get(i).and_then(Option::as_deref).unwrap_or_default();
            to = to.replace(&format!("${i}"), group);
        }
        to
    }
}

/// A virtual host.
#[derive(Default)]
pub(super) struct Server {
    /// `namespace/name` of the secret with its certificate; empty for none.
    pub(super) secret: String,
    has_tls: bool,
    /// In the order in which nginx tries them.
    pub(super) locations: Vec<Location>,
}

/// All that the controller serves.
#[derive(Default)]
pub(super) struct Routes {
    /// By their names: `demo.localdev.me`, `*.localdev.me`, or `_` for all others.
    pub(super) servers: FlatMap<String, Server>,
}

/// The host of a rule, as nginx names its server.
fn server_name(host: &str) -> &str {
    if host.is_empty() { "_" } else { host }
}

impl Routes {
    /// What these Ingresses come to, oldest first: of two that want the same path the older one has it.
    pub(super) fn of(ingresses: &[&Value]) -> Routes {
        let mut routes = Routes::default();
        let is_canary = |i: &Value| annotation(i, "canary") == "true";
        let (canaries, others): (Vec<&Value>, Vec<&Value>) = ingresses.iter().partition(|i| is_canary(i));
        for ingress in &others {
            routes.add_tls(ingress);
        }
        for ingress in &others {
            let patterns = ["use-regex", "rewrite-target"].map(|name| annotation(ingress, name));
            let by_pattern = matches!(patterns, ["true", _]) || matches!(patterns, [_, to] if !to.is_empty());
            routes.add(ingress, by_pattern);
        }
        for ingress in canaries {
            routes.add_canary(ingress);
        }
        for server in routes.servers.values_mut() {
            server.settle();
        }
        routes
    }

    fn server(&mut self, name: &str) -> &mut Server {
        self.servers.entry(name.to_owned()).or_default()
    }

    fn add_tls(&mut self, ingress: &Value) {
        let namespace = ingress.str_at(&["metadata", "namespace"]);
        for tls in ingress.at(&["spec", "tls"]).items() {
            for host in tls.get("hosts").items() {
                let server = self.server(server_name(host.str()));
                server.has_tls = true;
                match tls.str_at(&["secretName"]) {
                    "" => {}
                    secret => server.secret = format!("{namespace}/{secret}"),
                }
            }
        }
    }

    fn add(&mut self, ingress: &Value, by_pattern: bool) {
        let namespace = ingress.str_at(&["metadata", "namespace"]);
        let fallback = Backend::read(namespace, ingress.at(&["spec", "defaultBackend"]));
        let rules = ingress.at(&["spec", "rules"]).items();
        for rule in rules {
            let server = self.server(server_name(rule.str_at(&["host"])));
            for path in rule.at(&["http", "paths"]).items() {
                let text = match path.str_at(&["path"]) {
                    "" => "/",
                    text => text,
                };
                let fits = match path.str_at(&["pathType"]) {
                    "Exact" => Fits::Exactly,
                    _ if by_pattern => match Regex::perl(&format!("^{text}"), true) {
                        Ok(pattern) => Fits::Pattern(Rc::new(pattern)),
                        Err(_) => continue,
                    },
                    "Prefix" => Fits::Elements,
                    _ => Fits::Start,
                };
                server.add(Location::of(
                    ingress,
                    text,
                    fits,
                    Backend::read(namespace, path.get("backend")),
                    server.has_tls,
                ));
            }
        }
        // What no rule of it wants: of its hosts, or of all when it has no rules.
        let Some(fallback) = fallback else { return };
        let mut hosts: Vec<&str> = rules.iter().map(|r| server_name(r.str_at(&["host"]))).collect();
        if hosts.is_empty() {
            hosts.push("_");
        }
        for host in hosts {
            let server = self.server(host);
            let has_tls = server.has_tls;
            server.add(Location::of(
                ingress,
                "/",
                Fits::Elements,
                Some(fallback.clone()),
                has_tls,
            ));
        }
    }

    fn add_canary(&mut self, ingress: &Value) {
        let namespace = ingress.str_at(&["metadata", "namespace"]);
        for rule in ingress.at(&["spec", "rules"]).items() {
            let Some(server) = self.servers.get_mut(server_name(rule.str_at(&["host"]))) else {
                continue;
            };
            for path in rule.at(&["http", "paths"]).items() {
                let text = path.str_at(&["path"]);
                let found = server
                    .locations
                    .iter_mut()
                    .find(|l| l.path == text || (l.path == "/" && text.is_empty()));
                if let (Some(location), Some(backend)) = (found, Backend::read(namespace, path.get("backend"))) {
                    location.canaries.push(Canary::of(ingress, backend));
                }
            }
        }
    }

    /// All backends that are named.
    pub(super) fn backends(&self) -> impl Iterator<Item = &Backend> {
        let locations = self.servers.values().flat_map(|s| &s.locations);
        locations.flat_map(|l| l.backend.iter().chain(l.canaries.iter().map(|c| &c.backend)))
    }

    /// The main lines of the configuration that the real controller would write of them.
    pub(super) fn configuration(&self) -> String {
        let mut text = String::from(
            "\n# Configuration of the simulated ingress-nginx: its servers and their locations.\n\nhttp {\n",
        );
        for (name, server) in &self.servers {
            text.push_str(&format!(
                "\n\t## start server {name}\n\tserver {{\n\t\tserver_name {name} ;\n\n\t\tlisten 80  ;\n\t\tlisten 443  ssl ;\n"
            ));
            for location in &server.locations {
                text.push_str(&location.configuration());
            }
            text.push_str(&format!("\t}}\n\t## end server {name}\n"));
        }
        text + "}\n"
    }

    /// The server of a host, and the location of a path in it.
    pub(super) fn find(&self, host: &str, path: &str) -> (Option<&Server>, Option<&Location>) {
        let server = self.server_of(host);
        let location = server.and_then(|s| s.locations.iter().find(|l| l.is_for(path)));
        (server, location)
    }

    /// The server with this name, else the one with the longest wildcard, else that of all others.
    pub(super) fn server_of(&self, host: &str) -> Option<&Server> {
        let by_name = |name: &str| self.servers.get(name);
        // The star stands for one label or more.
        let mut rest = host;
        let wildcards = std::iter::from_fn(|| {
            rest = rest.split_once('.')?.1;
            Some(format!("*.{rest}"))
        });
        by_name(host)
            .or_else(|| wildcards.into_iter().find_map(|name| by_name(&name)))
            .or_else(|| by_name("_"))
    }
}

impl Server {
    /// Adds a location, unless an older one has its path.
    fn add(&mut self, location: Location) {
        let exact = |l: &Location| matches!(l.fits, Fits::Exactly);
        let taken = |l: &Location| l.path == location.path && exact(l) == exact(&location);
        if !self.locations.iter().any(taken) {
            self.locations.push(location);
        }
    }

    /// Puts the locations in nginx's order: exact ones first, then the longest; and where one is a pattern, all are.
    fn settle(&mut self) {
        if self.locations.iter().any(|l| matches!(l.fits, Fits::Pattern(_))) {
            for location in &mut self.locations {
                if matches!(location.fits, Fits::Elements | Fits::Start)
                    && let Ok(pattern) = Regex::perl(&format!("^{}", location.path), true)
                {
                    location.fits = Fits::Pattern(Rc::new(pattern));
                }
            }
        }
        let order = |l: &Location| (!matches!(l.fits, Fits::Exactly), usize::MAX - l.path.len());
        self.locations.arrange_by_key(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml;
    use expect_test::{Expect, expect};

    /// Where requests (`host/path`) go, by Ingresses in YAML.
    fn check(ingresses: &[&str], requests: &[&str], expected: Expect) {
        let all: Vec<Value> = ingresses.iter().map(|text| yaml::decode(text).unwrap()).collect();
        let routes = Routes::of(&all.iter().collect::<Vec<_>>());
        let mut text = String::new();
        for request in requests {
            let (host, path) = request.split_once('/').unwrap();
            let path = format!("/{path}");
            let (_, location) = routes.find(host, &path);
            let to = location.map_or_else(
                || "nobody".to_owned(),
                |l| {
                    let backend = l.backend.as_ref().map_or("none".to_owned(), ToString::to_string);
                    match l.redirect(&path, host, false) {
                        Some((code, to)) => format!("{code} {to}"),
                        None => format!(
                            "{backend} {}{}",
                            l.rewritten(&path),
                            if l.to_https { " https" } else { "" }
                        ),
                    }
                },
            );
            text.push_str(&format!("{request} -> {to}\n"));
        }
        expected.assert_eq(&text);
    }

    fn ingress(name: &str, annotations: &str, spec: &str) -> String {
        format!("{{metadata: {{name: {name}, namespace: default, annotations: {{{annotations}}}}}, spec: {{{spec}}}}}")
    }

    fn path(path: &str, kind: &str, service: &str) -> String {
        format!("{{path: '{path}', pathType: {kind}, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}")
    }

    fn rule(host: &str, paths: &[String]) -> String {
        format!("rules: [{{host: '{host}', http: {{paths: [{}]}}}}]", paths.join(", "))
    }

    #[test]
    fn hosts_and_paths() {
        let shop = [
            path("/", "Prefix", "web"),
            path("/api", "Prefix", "api"),
            path("/api/v1", "Exact", "one"),
            path("/img", "ImplementationSpecific", "img"),
        ];
        check(
            &[
                &ingress("shop", "", &rule("shop.com", &shop)),
                &ingress("later", "", &rule("shop.com", &[path("/api", "Prefix", "other")])),
                &ingress("wild", "", &rule("*.shop.com", &[path("/", "Prefix", "wild")])),
                &ingress("any", "", "defaultBackend: {service: {name: rest, port: {name: http}}}"),
            ],
            &[
                "shop.com/",
                "shop.com/x",
                "shop.com/api",
                "shop.com/api/x",
                "shop.com/apis",
                "shop.com/api/v1",
                "shop.com/imgs",
                "a.shop.com/x",
                "b.a.shop.com/",
                "other.com/",
            ],
            expect![[r#"
                shop.com/ -> default-web-80 /
                shop.com/x -> default-web-80 /x
                shop.com/api -> default-api-80 /api
                shop.com/api/x -> default-api-80 /api/x
                shop.com/apis -> default-web-80 /apis
                shop.com/api/v1 -> default-one-80 /api/v1
                shop.com/imgs -> default-img-80 /imgs
                a.shop.com/x -> default-wild-80 /x
                b.a.shop.com/ -> default-wild-80 /
                other.com/ -> default-rest-http /
            "#]],
        );
    }

    #[test]
    fn rewriting_and_redirects() {
        let prefix = "nginx.ingress.kubernetes.io";
        check(
            &[
                &ingress(
                    "a",
                    &format!("{prefix}/rewrite-target: /$2"),
                    &rule("a", &[path("/something(/|$)(.*)", "ImplementationSpecific", "s")]),
                ),
                &ingress("plain", "", &rule("a", &[path("/Other", "Prefix", "o")])),
                &ingress(
                    "root",
                    &format!("{prefix}/app-root: /app1"),
                    &rule("b", &[path("/", "Prefix", "b")]),
                ),
                &ingress(
                    "tls",
                    "",
                    &format!(
                        "tls: [{{hosts: [c], secretName: s}}], {}",
                        rule("c", &[path("/", "Prefix", "c")])
                    ),
                ),
                &ingress(
                    "away",
                    &format!("{prefix}/permanent-redirect: 'https://k8s.io'"),
                    &rule("d", &[path("/", "Prefix", "d")]),
                ),
            ],
            &[
                "a/something",
                "a/something/",
                "a/something/new",
                "a/somethingelse",
                "a/other/x",
                "b/",
                "b/x",
                "c/",
                "d/",
            ],
            expect![[r#"
                a/something -> default-s-80 /
                a/something/ -> default-s-80 /
                a/something/new -> default-s-80 /new
                a/somethingelse -> nobody
                a/other/x -> default-o-80 /other/x
                b/ -> 302 http://b/app1
                b/x -> default-b-80 /x
                c/ -> default-c-80 / https
                d/ -> 301 https://k8s.io
            "#]],
        );
    }

    #[test]
    fn canaries() {
        let prefix = "nginx.ingress.kubernetes.io";
        let to = |service: &str| rule("a", &[path("/", "Prefix", service)]);
        let by = |what: &str| ingress("new", &format!("{prefix}/canary: 'true', {what}"), &to("new"));
        let takes = |what: &str, header: Option<&str>, cookie: Option<&str>, random: u64| {
            let all = [ingress("old", "", &to("old")), by(what)].map(|text| yaml::decode(&text).unwrap());
            let routes = Routes::of(&all.iter().collect::<Vec<_>>());
            let (_, location) = routes.find("a", "/");
            let canary = location.unwrap().canaries.first().unwrap().clone();
            assert_eq!(canary.backend.service, "new");
            canary.takes(|_| header, |_| cookie.map(str::to_owned), |_| random)
        };
        let header = format!("{prefix}/canary-by-header: X-Canary");
        assert!(takes(&header, Some("always"), None, 0));
        assert!(!takes(&header, Some("never"), None, 0));
        assert!(!takes(&header, None, None, 0));
        let value = format!("{header}, {prefix}/canary-by-header-value: v2");
        assert!(takes(&value, Some("v2"), None, 0));
        assert!(!takes(&value, Some("always"), None, 0));
        assert!(takes(&format!("{prefix}/canary-by-cookie: c"), None, Some("always"), 0));
        let weight = format!("{prefix}/canary-weight: '30'");
        assert!(takes(&weight, None, None, 29));
        assert!(!takes(&weight, None, None, 30));
    }
}
