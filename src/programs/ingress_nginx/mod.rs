//! ingress-nginx: the controller that makes Ingresses work. As the real one it is a program in a pod: it lists and
//! watches Ingresses, their classes, Services, EndpointSlices and Secrets as its service account, answers on ports 80
//! and 443 by what it found, and writes Events and the Ingresses' status.
//!
//! Simulated are hosts with wildcards, paths of all three types, TLS with the secrets' certificates, default backends,
//! endpoints in turn, and the annotations in `routes.rs`; others it names in its log. Not simulated: the election of a
//! leader (each replica writes the status), snippets, streams of TCP and UDP, and what the ConfigMap sets. What its
//! webhook checks, the API server's admission does (`api/admission/policies/webhooks.rs`).

mod certgen;
mod routes;
mod serve;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::select;
use futures::join;

use self::routes::{Routes, idle, key_of};
use self::serve::{Door, Serve};
use super::api_client::{ApiClient, Change, Failure};
use super::{Deaf, Image, Sandbox, klog, program, until_stopped};
use crate::flat::{Arrange, FlatMap};
use crate::net::Protocol;
use crate::net::http::HttpResponse;
use crate::obj;
use crate::shell::{Commands, Context, Files};
use crate::sim::Signal;
use crate::value::{Value, quoted};

/// Changes within this time make one reload (`--sync-rate-limit` 0.3, of which the first is at once).
const TOGETHER: Duration = Duration::from_millis(100);
/// How long nginx takes to read its configuration anew.
const RELOAD: Duration = Duration::from_millis(150);
/// The status is written this often (`updateInterval` of its status package), when there is something to write.
const STATUS: Duration = Duration::from_secs(60);

/// How many kinds of objects it follows. All their lists come before anything is done.
const LISTS: usize = 5;

/// How many Events are remembered to be counted on; with more, counting begins anew.
const TOLD: usize = 1_000;

const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";

/// Objects by `namespace/name`.
type Objects = FlatMap<String, Value>;

/// What the controller knows of the cluster.
#[derive(Default)]
struct Known {
    ingresses: Objects,
    classes: Objects,
    services: Objects,
    slices: Objects,
    secrets: Objects,
}

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    // The directory lacks only where the file system is full; the controller's user writes into it.
    let _ = files.make_dirs("/etc/nginx");
    let _ = files.set_owner("/etc/nginx", Some(image.uid), None);
    let release = tag.to_owned();
    for name in image.cmd {
        let release = release.clone();
        program(commands, name, sandbox, move |context, sandbox| {
            run(context, sandbox, release.clone())
        });
    }
    // Its preStop hook: there are no connections that nginx would have to end.
    program(commands, "/wait-shutdown", sandbox, |_, _| std::future::ready(0));
    // The image's entry point runs its arguments.
    program(commands, "/usr/bin/dumb-init", sandbox, |context: Context, _| {
        let rest = context.rest().iter().filter(|word| *word != "--").cloned().collect();
        super::exec_as(context, rest)
    });
}

pub(super) use certgen::install as install_certgen;

/// What the command line asks for.
struct Flags {
    class: String,
    controller: String,
    without_class: bool,
    /// `namespace/name` of the service whose address Ingresses get; empty for the node's.
    publish: String,
    http: u16,
    https: u16,
}

impl Flags {
    fn of(args: &[String]) -> Flags {
        let value = |name: &str| -> Option<&str> {
            let given = |arg: &&String| arg.trim_start_matches('-').split('=').next() == Some(name);
            let arg = args.iter().rev().find(given)?;
            Some(arg.split_once('=').map_or("true", |(_, value)| value))
        };
        let port = |name: &str, otherwise: u16| value(name).and_then(|v| v.parse().ok()).unwrap_or(otherwise);
        Flags {
            class: value("ingress-class").unwrap_or("nginx").to_owned(),
            controller: value("controller-class").unwrap_or("k8s.io/ingress-nginx").to_owned(),
            without_class: value("watch-ingress-without-class") == Some("true"),
            publish: value("publish-service").unwrap_or_default().to_owned(),
            http: port("http-port", 80),
            https: port("https-port", 443),
        }
    }

    /// Whether an Ingress is the controller's own: by its class, or by the annotation that was before.
    fn want(&self, ingress: &Value, classes: &Objects) -> bool {
        let annotation = ingress.at(&["metadata", "annotations", "kubernetes.io/ingress.class"]);
        match ingress.str_at(&["spec", "ingressClassName"]) {
            "" if annotation.is_null() => self.without_class,
            "" => annotation.str() == self.class,
            name => {
                let class = classes.get(&format!("/{name}"));
                class.is_some_and(|c| c.str_at(&["spec", "controller"]) == self.controller)
            }
        }
    }
}

/// One run of the controller.
struct Controller {
    context: Context,
    sandbox: Rc<Sandbox>,
    api: ApiClient,
    flags: Flags,
    known: Rc<RefCell<Known>>,
    serve: Rc<Serve>,
    /// Notified with each change of what is known.
    changed: Signal,
    /// Ingresses of which an Event is to be written.
    to_tell: RefCell<Vec<Value>>,
    /// The Events that were written, by uid and reason: name and count.
    told: RefCell<FlatMap<(String, String), (String, i64)>>,
    /// The configuration that nginx has.
    configuration: RefCell<String>,
    /// How many of the lists have come.
    listed: Cell<usize>,
}

async fn run(context: Context, sandbox: Rc<Sandbox>, release: String) -> i32 {
    let line = "-".repeat(79);
    context.stderr.line(format!(
        "{line}\nNGINX Ingress controller\n  Release:       {release}\n  Repository:    https://github.com/kubernetes/ingress-nginx\n\n{line}\n"
    ));
    let Some(api) = ApiClient::of(&context, &sandbox) else {
        context.error("no API server is named by the environment");
        return 1;
    };
    let flags = Flags::of(context.rest());
    let known: Rc<RefCell<Known>> = Rc::default();
    let serve = Rc::new(Serve {
        sim: context.sim.clone(),
        sandbox: Rc::downgrade(&sandbox),
        known: known.clone(),
        routes: RefCell::default(),
        log: context.stdout.clone(),
        errors: context.stderr.clone(),
        fake: OnceCell::new(),
        turns: RefCell::default(),
    });
    let controller = Controller {
        context: context.clone(),
        sandbox,
        api,
        flags,
        known,
        serve,
        changed: Signal::default(),
        to_tell: RefCell::default(),
        told: RefCell::default(),
        configuration: RefCell::default(),
        listed: Cell::new(0),
    };
    match controller.listen() {
        Err((port, why)) => {
            controller.log(
                'F',
                "main.go:98",
                format!("port {port} is already in use. Please check the flag --http-port ({why})"),
            );
            255
        }
        Ok(_listening) => {
            let stopped = std::pin::pin!(until_stopped(&context.process));
            let work = std::pin::pin!(controller.work());
            select(stopped, work).await;
            controller.log('I', "sigterm.go:36", "\"Received SIGTERM, shutting down\"");
            controller.log('I', "sigterm.go:47", "Exiting");
            0
        }
    }
}

impl Controller {
    /// A line of the log.
    fn log(&self, level: char, place: &str, text: impl std::fmt::Display) {
        let head = klog(level, self.context.sim.now());
        self.context.stderr.line(format!("{head}       7 {place}] {text}"));
    }

    /// Opens the ports: for requests, for probes, and for the API server's webhook.
    fn listen(&self) -> Result<impl Sized, (u16, super::AddressInUse)> {
        let door = |port: u16, https: bool| {
            let serve = self.serve.clone();
            let open = self.sandbox.listen(Protocol::Tcp, port, Door { serve, https });
            open.map_err(|why| (port, why))
        };
        let health = self.sandbox.serve(10_254, |request| {
            let known = super::path_of(&request) == "/healthz";
            std::future::ready(match known {
                true => HttpResponse::new(200, "text/plain; charset=utf-8", "ok"),
                false => HttpResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
            })
        });
        let health = health.map_err(|why| (10_254, why))?;
        let webhook = self
            .sandbox
            .listen(Protocol::Tcp, 8_443, Deaf)
            .map_err(|why| (8_443, why))?;
        let doors = [door(self.flags.http, false)?, door(self.flags.https, true)?];
        Ok((health, webhook, doors))
    }

    async fn work(&self) {
        self.log(
            'I',
            "main.go:205",
            format!("\"Creating API client\" host={}", quoted(self.api.host())),
        );
        self.log('I', "nginx.go:271", "\"Starting NGINX Ingress controller\"");
        join!(
            self.follow(INGRESSES, "Ingress", |k| &mut k.ingresses),
            self.follow("/apis/networking.k8s.io/v1/ingressclasses", "IngressClass", |k| &mut k
                .classes),
            self.follow("/api/v1/services", "Service", |k| &mut k.services),
            self.follow("/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice", |k| &mut k
                .slices),
            self.follow("/api/v1/secrets", "Secret", |k| &mut k.secrets),
            self.keep_configured(),
            self.keep_status(),
        );
    }

    async fn follow(&self, path: &'static str, kind: &'static str, of: fn(&mut Known) -> &mut Objects) {
        let mut first = true;
        let change = |change: Change| {
            let mut known = self.known.borrow_mut();
            let objects = of(&mut known);
            let mut news = Vec::new();
            match change {
                Change::All(items) => {
                    news = items.clone();
                    *objects = items.into_iter().map(|item| (key_of(&item), item)).collect();
                    if std::mem::take(&mut first) {
                        self.listed.set(self.listed.get() + 1);
                    }
                }
                Change::Put(object) => {
                    news.push(object.clone());
                    objects.insert(key_of(&object), object);
                }
                Change::Gone(object) => {
                    objects.remove(&key_of(&object));
                }
            }
            if path == INGRESSES {
                self.to_tell.borrow_mut().extend(news);
            }
            drop(known);
            self.changed.notify();
        };
        let fail = |why: Failure| {
            let text = format!("failed to list *v1.{kind}: {}", why.message);
            self.log(
                'E',
                "reflector.go:150",
                format!("\"Unhandled Error\" err={}", quoted(&text)),
            );
        };
        self.api.follow(path, change, fail).await;
    }

    /// Follows what is known with nginx's configuration.
    async fn keep_configured(&self) {
        loop {
            let generation = self.changed.generation();
            if self.listed.get() == LISTS {
                self.tell().await;
                self.configure().await;
            }
            self.changed.after(generation).await;
            self.context.sim.sleep(TOGETHER).await;
        }
    }

    /// Writes an Event of each Ingress that came or was changed.
    async fn tell(&self) {
        let news = std::mem::take(&mut *self.to_tell.borrow_mut());
        for ingress in news {
            let key = key_of(&ingress);
            if !self.flags.want(&ingress, &self.known.borrow().classes) {
                self.log(
                    'I',
                    "store.go:361",
                    format!(
                        "\"Ignoring ingress because of error while validating ingress class\" ingress={} error=\"ingress does not contain a valid IngressClass\"",
                        quoted(&key)
                    ),
                );
                continue;
            }
            let class = match ingress.str_at(&["spec", "ingressClassName"]) {
                "" => &self.flags.class,
                name => name,
            };
            let found = format!(
                "\"Found valid IngressClass\" ingress={} ingressclass={}",
                quoted(&key),
                quoted(class)
            );
            self.log('I', "store.go:440", found);
            for name in idle(&ingress) {
                self.log(
                    'W',
                    "store.go:440",
                    format!("the annotation nginx.ingress.kubernetes.io/{name} of {key} is not simulated"),
                );
            }
            self.event(
                &ingress,
                "Ingress",
                "networking.k8s.io/v1",
                "Sync",
                "Scheduled for sync",
            )
            .await;
        }
    }

    /// Writes an Event, or counts one more of those that were written.
    async fn event(&self, object: &Value, kind: &str, version: &str, reason: &str, message: &str) {
        let now = self.context.sim.now();
        let of = |field: &str| object.at(&["metadata", field]).clone();
        let (namespace, name, uid) = (of("namespace"), of("name"), of("uid"));
        let reference = obj! {
            "apiVersion": version,
            "kind": kind,
            "name": name.clone(),
            "namespace": namespace.clone(),
            "resourceVersion": of("resourceVersion"),
            "uid": uid.clone(),
        };
        self.log(
            'I',
            "event.go:377",
            format!(
                "Event(v1.ObjectReference{{Kind:{}, Namespace:{}, Name:{}, UID:{}, APIVersion:{}, ResourceVersion:{}, FieldPath:\"\"}}): type: 'Normal' reason: '{reason}' {message}",
                quoted(kind),
                quoted(namespace.str()),
                quoted(name.str()),
                quoted(uid.str()),
                quoted(version),
                quoted(of("resourceVersion").str()),
            ),
        );
        let key = (uid.str().to_owned(), reason.to_owned());
        let path = format!("/api/v1/namespaces/{}/events", namespace.str());
        let before = self.told.borrow().get(&key).cloned();
        let sent = match before {
            Some((event, count)) => {
                let patch = obj! { "count": count + 1, "lastTimestamp": now, "involvedObject": reference };
                let media = "application/strategic-merge-patch+json";
                let sent = self.api.send("PATCH", &format!("{path}/{event}"), media, &patch).await;
                sent.map(|_| (event, count + 1))
            }
            None => {
                let event = format!(
                    "{}.{:x}",
                    name.str(),
                    now.0 * 1_000 + self.context.sim.random_below(1_000)
                );
                let body = obj! {
                    "apiVersion": "v1",
                    "count": 1,
                    "firstTimestamp": now,
                    "involvedObject": reference,
                    "kind": "Event",
                    "lastTimestamp": now,
                    "message": message,
                    "metadata": obj! { "name": event.as_str(), "namespace": namespace },
                    "reason": reason,
                    "reportingComponent": "nginx-ingress-controller",
                    "source": obj! { "component": "nginx-ingress-controller" },
                    "type": "Normal",
                };
                let sent = self.api.send("POST", &path, "application/json", &body).await;
                sent.map(|_| (event, 1))
            }
        };
        match sent {
            Ok(told) => {
                let mut all = self.told.borrow_mut();
                if all.len() >= TOLD {
                    *all = FlatMap::new();
                }
                all.insert(key, told);
            }
            // It expired meanwhile: the next one is a new one.
            Err(why) if why.code == 404 => {
                self.told.borrow_mut().remove(&key);
            }
            Err(why) => self.log(
                'E',
                "event.go:359",
                format!("Server rejected event: '{}' (will not retry!)", why.message),
            ),
        }
    }

    /// Gives nginx the routes, by a reload where more has changed than endpoints.
    async fn configure(&self) {
        let (routes, text, warnings) = {
            let known = self.known.borrow();
            let mut own: Vec<&Value> = known.ingresses.values().collect();
            own.retain(|ingress| self.flags.want(ingress, &known.classes));
            own.arrange_by_key(|i| (i.str_at(&["metadata", "creationTimestamp"]).to_owned(), key_of(i)));
            let routes = Routes::of(&own);
            let mut warnings = Vec::new();
            for backend in routes.backends() {
                let key = backend.key();
                if !known.services.contains_key(&key) {
                    warnings.push(format!(
                        "Error obtaining Endpoints for Service {}: no object matching key {} in local store",
                        quoted(&key),
                        quoted(&key)
                    ));
                } else if known.endpoints(backend).is_empty() {
                    warnings.push(format!("Service {} does not have any active Endpoint.", quoted(&key)));
                }
            }
            for secret in routes.servers.values().map(|s| &s.secret) {
                if !secret.is_empty() && !known.secrets.contains_key(secret) {
                    warnings.push(format!(
                        "Error getting SSL certificate {}: local SSL certificate {secret} was not found. Using default certificate",
                        quoted(secret)
                    ));
                }
            }
            let text = routes.configuration();
            (routes, text, warnings)
        };
        if *self.configuration.borrow() == text {
            return;
        }
        for text in warnings {
            self.log('W', "controller.go:1216", text);
        }
        self.log(
            'I',
            "controller.go:193",
            "\"Configuration changes detected, backend reload required\"",
        );
        self.context.sim.sleep(RELOAD).await;
        let _ = self.context.files.put("/etc/nginx/nginx.conf", text.as_str());
        *self.configuration.borrow_mut() = text;
        *self.serve.routes.borrow_mut() = routes;
        self.log('I', "controller.go:213", "\"Backend successfully reloaded\"");
        let (namespace, pod) = (&self.sandbox.namespace, &self.sandbox.pod);
        if let Ok(pod) = self
            .api
            .get(&format!("/api/v1/namespaces/{namespace}/pods/{pod}"))
            .await
        {
            let message = "NGINX reload triggered due to a change in configuration";
            self.event(&pod, "Pod", "v1", "RELOAD", message).await;
        }
    }

    /// Writes the addresses at which Ingresses are reached into their status.
    async fn keep_status(&self) {
        loop {
            let generation = self.changed.generation();
            if self.listed.get() == LISTS {
                self.write_status().await;
            }
            self.changed.after(generation).await;
            let now = self.context.sim.now().0;
            let period = u64::try_from(STATUS.as_micros()).unwrap_or(u64::MAX);
            let rest = period - now % period;
            self.context.sim.sleep(Duration::from_micros(rest)).await;
        }
    }

    async fn write_status(&self) {
        let own: Vec<Value> = {
            let known = self.known.borrow();
            let all = known.ingresses.values();
            all.filter(|ingress| self.flags.want(ingress, &known.classes))
                .cloned()
                .collect()
        };
        if own.is_empty() {
            return;
        }
        let addresses = self.addresses().await;
        for mut ingress in own {
            let path = ["status", "loadBalancer", "ingress"];
            if *ingress.at(&path) == addresses || (ingress.at(&path).is_empty() && addresses.is_empty()) {
                continue;
            }
            let metadata = ingress.get("metadata");
            let (namespace, name) = (metadata.str_at(&["namespace"]), metadata.str_at(&["name"]));
            self.log(
                'I',
                "status.go:311",
                format!(
                    "\"updating Ingress status\" namespace={} ingress={} currentValue={} newValue={}",
                    quoted(namespace),
                    quoted(name),
                    current(ingress.at(&path)),
                    current(&addresses)
                ),
            );
            let url = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}/status");
            ingress.set(&path, addresses.clone());
            if let Err(why) = self.api.send("PUT", &url, "application/json", &ingress).await {
                self.log(
                    'W',
                    "status.go:322",
                    format!("\"error updating ingress rule\" error={}", quoted(&why.message)),
                );
            }
        }
    }

    /// The `ingress` of a status: the published service's addresses, else the node's.
    async fn addresses(&self) -> Value {
        let published = self.known.borrow().services.get(&self.flags.publish).cloned();
        let found: Vec<Value> = match published {
            Some(service) => {
                let spec = service.get("spec");
                let given = service.at(&["status", "loadBalancer", "ingress"]).items();
                let own = match spec.str_at(&["type"]) {
                    "LoadBalancer" => given.iter().map(|address| address.get("ip")).collect(),
                    _ => vec![spec.get("clusterIP")],
                };
                let all = own.into_iter().chain(spec.get("externalIPs").items());
                all.map(|ip| obj! { "ip": ip }).collect()
            }
            None => {
                let node = self.api.get(&format!("/api/v1/nodes/{}", self.sandbox.node)).await;
                let node = node.unwrap_or(Value::Null);
                let addresses = node.at(&["status", "addresses"]).items().iter();
                let mut internal = addresses.filter(|a| a.str_at(&["type"]) == "InternalIP");
                internal
                    .next()
                    .map(|a| obj! { "ip": a.get("address") })
                    .into_iter()
                    .collect()
            }
        };
        Value::list(found)
    }
}

/// Addresses as the log has them: `[{"ip":"10.0.0.1"}]`.
fn current(addresses: &Value) -> String {
    match addresses.is_empty() {
        true => "null".into(),
        false => addresses.to_json(),
    }
}
