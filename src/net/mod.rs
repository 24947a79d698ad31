//! The cluster's network: pods' addresses, kube-proxy's rules on each node, DNS, and what travels
//! between processes. Every hop of every packet stands in the trace.
//!
//! A process that listens is a [`Listener`] attached at an address; whoever dials goes through the
//! rules of the node that it dials from.

#![warn(missing_docs)]

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod proxy;
pub(crate) mod tools;

use core::net::Ipv4Addr;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::api::well_known;
use crate::api::{ApiServer, Client, Informer, ListOptions, Object, Status, User};
use crate::flat::FlatMap;
use crate::sim::{Hop, Outcome, RequestId, Sim, TraceEvent};
use crate::value::quoted;

pub use http::{HttpRequest, HttpResponse, More, Parsed, Tls, Url, reason};
pub use proxy::{Mode, Proxy, Scheduler as IpvsScheduler};

/// Between two processes of one node: through its bridge.
pub const SAME_NODE: Duration = Duration::from_micros(150);
/// From one node to another: through the vxlan tunnel of flannel.
pub const CROSS_NODE: Duration = Duration::from_micros(500);
/// From outside the cluster to a node.
pub const OUTSIDE: Duration = Duration::from_millis(2);
/// How long Linux tries an address of its own subnet at which nobody answers (ARP), before it says
/// 'no route to host'.
const NO_ROUTE: Duration = Duration::from_secs(3);
/// How long Linux tries to connect to an address that never answers (`tcp_syn_retries` 6).
const CONNECT: Duration = Duration::from_millis(131_072);
/// A resolver's patience: two tries of 5 s.
const RESOLVE: Duration = Duration::from_secs(10);

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// As the API writes it: `TCP`, `UDP`, `SCTP`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }

    /// From the API's name; TCP for one that is left out.
    pub fn parse(name: &str) -> Protocol {
        match name {
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            _ => Protocol::Tcp,
        }
    }
}

/// Why a connection or a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// No DNS that was asked knows the name.
    #[error("Could not resolve host: {0}")]
    NoSuchHost(String),
    /// Nothing listens there, or the service has no endpoint.
    #[error("Connection refused")]
    Refused,
    /// No pod has the address.
    #[error("No route to host")]
    NoRoute,
    /// Nothing came back.
    #[error("Connection timed out")]
    TimedOut,
    /// The peer does not speak the protocol that was asked of it: the first line of what it said.
    #[error("Received bad answer {0}")]
    BadAnswer(String),
    /// The peer answers HTTP where HTTPS was asked of it.
    #[error("wrong version number")]
    Plain,
    /// The peer closed the connection without an answer.
    #[error("Empty reply from server")]
    Closed,
    /// The client does not trust the server: why, in OpenSSL's words.
    #[error("SSL certificate problem: {0}")]
    Untrusted(String),
    /// The address is outside the simulated network.
    #[error("{0} is outside the simulated network")]
    Outside(String),
}

impl NetError {
    /// What a client that is written in Go says of an address.
    pub fn of_go(&self, address: &str) -> String {
        match self {
            NetError::NoSuchHost(host) => format!("dial tcp: lookup {host}: no such host"),
            NetError::Refused => format!("dial tcp {address}: connect: connection refused"),
            NetError::NoRoute => format!("dial tcp {address}: connect: no route to host"),
            NetError::TimedOut => format!("dial tcp {address}: i/o timeout"),
            NetError::BadAnswer(line) if line.is_empty() => {
                "tls: first record does not look like a TLS handshake".into()
            }
            NetError::BadAnswer(line) => {
                format!(
                    "net/http: HTTP/1.x transport connection broken: malformed HTTP response {line}",
                    line = quoted(&line)
                )
            }
            NetError::Plain => "http: server gave HTTP response to HTTPS client".into(),
            NetError::Closed => "EOF".into(),
            NetError::Untrusted(why) => why.clone(),
            NetError::Outside(_) => self.to_string(),
        }
    }
}

/// Why what listens on a port answers no HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It speaks no HTTP: what it says to such a request, nothing when it closes the connection.
    NotHttp(Option<Vec<u8>>),
    /// It speaks HTTP, but no HTTPS.
    Plain,
    /// It closed the connection.
    Closed,
    /// The client closed it, as it does not trust the server: why, in OpenSSL's words.
    Untrusted(String),
}

/// Asks what listens on a port for a page. What speaks another protocol is heard out too.
///
/// # Errors
/// Why there is no answer.
pub async fn answer(listener: &dyn Listener, port: u16, request: HttpRequest) -> Result<HttpResponse, NetError> {
    let is_plain = request.tls.is_none();
    Err(match listener.http(port, request).await {
        Ok(response) => return Ok(response),
        Err(NoAnswer::NotHttp(Some(bytes))) if is_plain => {
            let line = bytes.split(|b| *b == b'\r' || *b == b'\n').next();
            NetError::BadAnswer(String::from_utf8_lossy(line.unwrap_or_default()).into_owned())
        }
        Err(NoAnswer::NotHttp(None)) if is_plain => NetError::Closed,
        Err(NoAnswer::NotHttp(_)) => NetError::BadAnswer(String::new()),
        Err(NoAnswer::Plain) => NetError::Plain,
        Err(NoAnswer::Closed) => NetError::Closed,
        Err(NoAnswer::Untrusted(why)) => NetError::Untrusted(why),
    })
}

/// What answers at an address: a pod's containers, or a process on a node's host.
pub trait Listener {
    /// Whether a process listens on the port.
    fn accepts(&self, protocol: Protocol, port: u16) -> bool;

    /// Whether it listens on the loopback address only, so that processes of its own host alone
    /// reach it.
    fn is_local(&self) -> bool {
        false
    }

    /// Answers an HTTP request, or says why not. `port` was found to be accepted.
    fn http(&self, port: u16, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>>;

    /// Answers bytes of another protocol over TCP (redis); `None` when it does not understand them.
    fn exchange(&self, _port: u16, _bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        Box::pin(std::future::ready(None))
    }
}

/// A process's place in the network: where packets start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node; empty outside the cluster.
    pub node: Rc<str>,
    /// `namespace/name`; empty for a node's host.
    pub pod: Rc<str>,
    /// The address that a packet from there carries.
    pub ip: Ipv4Addr,
    /// Whether names are asked of the cluster's DNS (a pod with dnsPolicy ClusterFirst), and in
    /// which namespace's search path.
    pub search: Option<Rc<str>>,
    /// What its `/etc/hosts` knows besides: a pod's `hostAliases`.
    pub aliases: Rc<[(String, Ipv4Addr)]>,
}

struct Attachment {
    id: u64,
    node: Rc<str>,
    /// `namespace/name`; empty for a process of the host itself.
    pod: Rc<str>,
    listener: Rc<dyn Listener>,
}

/// A port of a node that leads to a pod, as the portmap plugin makes of a container's `hostPort`.
pub struct HostPort {
    /// One port may lead elsewhere for each protocol.
    pub protocol: Protocol,
    /// Which of the node's addresses; unspecified for all.
    pub ip: Ipv4Addr,
    /// The node's port.
    pub port: u16,
    /// The pod's port.
    pub to: u16,
}

/// Where a port of a node leads: what an [`Attached`] published.
struct Published {
    /// The attachment.
    id: u64,
    node: Rc<str>,
    pod: Ipv4Addr,
    port: HostPort,
}

struct Node {
    ip: Ipv4Addr,
    pods: Option<Ipv4Addr>,
    proxy: Proxy,
}

struct Inner {
    sim: Sim,
    nodes: RefCell<FlatMap<Rc<str>, Node>>,
    attachments: RefCell<FlatMap<Ipv4Addr, Vec<Attachment>>>,
    /// Few pods have host ports: they are found without a walk over all that is attached.
    published: RefCell<Vec<Published>>,
    next: Cell<u64>,
    services: Informer,
    slices: Informer,
    zone: dns::Zone,
    default_mode: Mode,
    gateway: RefCell<Option<Gateway>>,
}

/// What answers HTTP requests to the API server's port: the API itself.
pub type Gateway = Rc<dyn Fn(HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>>>;

/// The network of one world. Clones are handles.
#[derive(Clone)]
pub struct Network(Rc<Inner>);

/// Keeps a listener attached. Dropping it detaches the listener.
pub struct Attached {
    network: Network,
    ip: Ipv4Addr,
    id: u64,
}

impl Attached {
    /// Lets ports of the node lead here.
    pub fn publish(&self, node: &Rc<str>, ports: impl Iterator<Item = HostPort>) {
        let mut published = self.network.0.published.borrow_mut();
        published.extend(ports.map(|port| Published {
            id: self.id,
            node: node.clone(),
            pod: self.ip,
            port,
        }));
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.network.0.published.borrow_mut().retain(|p| p.id != self.id);
        let gone = {
            let mut attachments = self.network.0.attachments.borrow_mut();
            let list = attachments.get_mut(&self.ip);
            let gone = list.and_then(|l| l.iter().position(|a| a.id == self.id).map(|i| l.remove(i)));
            if attachments.get(&self.ip).is_some_and(Vec::is_empty) {
                attachments.remove(&self.ip);
            }
            gone
        };
        // A listener may own what drops into the network again: outside the borrow.
        drop(gone);
    }
}

/// Where a connection arrived.
struct Reached {
    listener: Rc<dyn Listener>,
    ip: Ipv4Addr,
    port: u16,
    /// Whom the listener takes for the client.
    client: Ipv4Addr,
    back: Vec<(Hop, Duration)>,
}

impl Network {
    /// A network whose nodes' kube-proxies begin in `default_mode`. Follows Nodes, Services and
    /// EndpointSlices through informers.
    ///
    /// # Errors
    /// When one of them is not served.
    pub fn start(api: &ApiServer, default_mode: Mode) -> Result<Network, Status> {
        let client = Client::new(api, "kube-proxy", User::system("kube-proxy"));
        let informer = |group: &str, name: &str| {
            client
                .resource(group, "v1", name)
                .map(|r| Informer::start(&client, &r, ListOptions::default()))
        };
        let services = informer("", "services")?;
        let slices = informer("discovery.k8s.io", "endpointslices")?;
        let nodes = informer("", "nodes")?;
        let zone = dns::Zone::new(&services, &slices);
        let network = Network(Rc::new(Inner {
            sim: api.sim().clone(),
            nodes: RefCell::default(),
            attachments: RefCell::default(),
            published: RefCell::default(),
            next: Cell::new(0),
            services,
            slices,
            zone,
            default_mode,
            gateway: RefCell::default(),
        }));
        let weak = Rc::downgrade(&network.0);
        nodes.on_change(move |old, new| {
            let Some(inner) = weak.upgrade() else { return };
            let network = Network(inner);
            match (old, new) {
                (_, Some(node)) => network.node_changed(node),
                (Some(node), None) => {
                    network.0.nodes.borrow_mut().remove(node.name());
                }
                (None, None) => {}
            }
        });
        let weak = Rc::downgrade(&network.0);
        let service_changed = move |old: Option<&Object>, new: Option<&Object>| {
            if let (Some(inner), Some(service)) = (weak.upgrade(), new.or(old)) {
                Network(inner).sync_service(service.namespace(), service.name());
            }
        };
        network.0.services.on_change(service_changed.clone());
        let weak = Rc::downgrade(&network.0);
        network.0.slices.on_change(move |old, new| {
            if let (Some(inner), Some(slice)) = (weak.upgrade(), new.or(old)) {
                let service = slice.label(well_known::SERVICE_NAME).unwrap_or("");
                Network(inner).sync_service(slice.namespace(), service);
            }
        });
        Ok(network)
    }

    /// The clock that packets take their time on.
    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    /// Says what answers on the API server's port.
    pub fn set_gateway(&self, gateway: Gateway) {
        *self.0.gateway.borrow_mut() = Some(gateway);
    }

    /// What answers on the API server's port; `None` in a network without one.
    pub fn gateway(&self) -> Option<Gateway> {
        self.0.gateway.borrow().clone()
    }

    /// The records of the cluster's DNS.
    pub fn zone(&self) -> &dns::Zone {
        &self.0.zone
    }

    /// Waits until the network knows the Services and EndpointSlices that exist now.
    pub async fn synced(&self) {
        self.0.services.synced().await;
        self.0.slices.synced().await;
    }

    fn node_changed(&self, object: &Object) {
        let ip = object
            .status()
            .get("addresses")
            .items()
            .iter()
            .find(|a| a.str_at(&["type"]) == "InternalIP")
            .and_then(|a| a.str_at(&["address"]).parse().ok());
        let Some(ip) = ip else { return };
        let name: Rc<str> = object.name().into();
        let zone = object.label(well_known::ZONE).unwrap_or_default();
        let known = self
            .0
            .nodes
            .borrow()
            .get(&name)
            .filter(|n| n.ip == ip)
            .map(|n| n.proxy.clone());
        if let Some(proxy) = known {
            if proxy.set_zone(zone) {
                for service in self.0.services.list("") {
                    self.sync_service(service.namespace(), service.name());
                }
            }
            return;
        }
        let proxy = Proxy::new(&name, self.0.default_mode);
        proxy.set_zone(zone);
        let pods = object
            .spec()
            .str_at(&["podCIDR"])
            .split('/')
            .next()
            .and_then(|a| a.parse().ok());
        self.0.nodes.borrow_mut().insert(name, Node { ip, pods, proxy });
        for service in self.0.services.list("") {
            self.sync_service(service.namespace(), service.name());
        }
    }

    fn sync_service(&self, namespace: &str, name: &str) {
        let key = crate::api::ObjectKey::new(namespace, name);
        let service = self.0.services.get(&key);
        let mut slices = Vec::new();
        if service.is_some() {
            self.0.slices.each(namespace, |slice| {
                if slice.label(well_known::SERVICE_NAME) == Some(name) {
                    slices.push(slice.clone());
                }
            });
        }
        for node in self.0.nodes.borrow().values() {
            node.proxy.sync(&key, service.as_ref(), &slices, node.ip);
        }
    }

    /// The kube-proxy of a node.
    pub fn proxy(&self, node: &str) -> Option<Proxy> {
        self.0.nodes.borrow().get(node).map(|n| n.proxy.clone())
    }

    /// Sets the mode of a node's kube-proxy, as its pod does when it starts.
    pub fn set_proxy_mode(&self, node: &str, mode: Mode) {
        let Some(proxy) = self.proxy(node) else { return };
        proxy.set_mode(mode);
        for service in self.0.services.list("") {
            self.sync_service(service.namespace(), service.name());
        }
    }

    /// A node's address.
    pub fn node_ip(&self, node: &str) -> Option<Ipv4Addr> {
        self.0.nodes.borrow().get(node).map(|n| n.ip)
    }

    /// Whether a node or a pod holds the address and would answer a ping.
    pub fn is_up(&self, ip: Ipv4Addr) -> bool {
        self.node_at(ip).is_some() || self.0.attachments.borrow().contains_key(&ip)
    }

    /// The first address of a node's part of the pod network, which its tunnel's interface holds.
    pub fn pod_network(&self, node: &str) -> Option<Ipv4Addr> {
        self.0.nodes.borrow().get(node).and_then(|n| n.pods)
    }

    fn node_at(&self, ip: Ipv4Addr) -> Option<Rc<str>> {
        self.0
            .nodes
            .borrow()
            .iter()
            .find(|(_, n)| n.ip == ip)
            .map(|(name, _)| name.clone())
    }

    /// The origin of packets from a node's host.
    pub fn host(&self, node: &str) -> Origin {
        let ip = self.node_ip(node).unwrap_or(Ipv4Addr::UNSPECIFIED);
        Origin {
            node: node.into(),
            pod: "".into(),
            ip,
            search: None,
            aliases: Rc::default(),
        }
    }

    /// Attaches a listener at an address, on a node: a pod's own address, or for pods of the host's
    /// network the node's.
    pub fn attach(&self, ip: Ipv4Addr, node: &str, pod: &str, listener: Rc<dyn Listener>) -> Attached {
        let id = self.0.next.get();
        self.0.next.set(id + 1);
        let attachment = Attachment {
            id,
            node: node.into(),
            pod: pod.into(),
            listener,
        };
        self.0.attachments.borrow_mut().entry(ip).or_default().push(attachment);
        Attached {
            network: self.clone(),
            ip,
            id,
        }
    }

    /// Where a port of a node leads by a pod's `hostPort`.
    fn published(
        &self,
        node: &str,
        protocol: Protocol,
        ip: Ipv4Addr,
        port: u16,
        local: bool,
    ) -> Option<(Ipv4Addr, u16)> {
        let meant = |p: &HostPort| {
            p.protocol == protocol
                && p.port == port
                && (p.ip.is_unspecified() || p.ip == ip || local && p.ip.is_loopback())
        };
        let published = self.0.published.borrow();
        let found = published.iter().find(|p| *p.node == *node && meant(&p.port))?;
        Some((found.pod, found.port.to))
    }

    /// Whether a process listens on this TCP port of an address.
    pub fn is_taken(&self, ip: Ipv4Addr, port: u16) -> bool {
        let attachments = self.0.attachments.borrow();
        let mut there = attachments.get(&ip).into_iter().flatten();
        there.any(|a| a.listener.accepts(Protocol::Tcp, port))
    }

    fn hop(&self, flow: RequestId, hop: Hop, back: bool, latency: Duration) {
        self.0.sim.emit(TraceEvent::Packet {
            flow,
            hop,
            back,
            latency,
        });
    }

    fn end(&self, flow: RequestId, what: &str, outcome: Outcome) {
        self.0.sim.emit(TraceEvent::FlowEnd {
            flow,
            what: what.into(),
            outcome,
        });
    }

    /// The address of a name, as a process at `origin` resolves it: `/etc/hosts` knows the nodes;
    /// pods ask the cluster's DNS, over the network.
    ///
    /// # Errors
    /// When the name has no address, or the DNS cannot be reached.
    pub async fn resolve(&self, origin: &Origin, name: &str) -> Result<Vec<Ipv4Addr>, NetError> {
        if let Ok(ip) = name.parse() {
            return Ok(vec![ip]);
        }
        // The public DNS has this domain for tutorials.
        if name == "localhost" || (origin.search.is_none() && name.ends_with(".localdev.me")) {
            return Ok(vec![Ipv4Addr::LOCALHOST]);
        }
        if let Some((_, ip)) = origin.aliases.iter().find(|(known, _)| known == name) {
            return Ok(vec![*ip]);
        }
        if let Some(ip) = self.node_ip(name).filter(|_| origin.search.is_none()) {
            return Ok(vec![ip]);
        }
        let no_such = || NetError::NoSuchHost(name.to_owned());
        let Some(namespace) = &origin.search else {
            return Err(no_such());
        };
        let answer = self.query_dns(origin, name).await?;
        if !answer {
            return Err(NetError::NoSuchHost(name.to_owned()));
        }
        let found = self.0.zone.lookup(name, Some(namespace));
        if found.is_empty() { Err(no_such()) } else { Ok(found) }
    }

    /// Asks the cluster's DNS over the network; whether it answered.
    ///
    /// # Errors
    /// [`NetError::NoSuchHost`] when nobody answers for 10 s.
    pub async fn query_dns(&self, origin: &Origin, name: &str) -> Result<bool, NetError> {
        let server = proxy::DNS_SERVICE;
        let what = format!("DNS {name}");
        match self.connect(origin, server, 53, Protocol::Udp, &what).await {
            Ok((flow, reached)) => {
                self.back(flow, reached.back).await;
                self.end(flow, &what, Outcome::Answered);
                Ok(true)
            }
            Err(_) => {
                self.0.sim.sleep(RESOLVE).await;
                Err(NetError::NoSuchHost(name.to_owned()))
            }
        }
    }

    async fn travel(&self, flow: RequestId, hop: Hop, latency: Duration) {
        self.hop(flow, hop, false, latency);
        self.0.sim.sleep(latency).await;
    }

    async fn back(&self, flow: RequestId, mut hops: Vec<(Hop, Duration)>) {
        while let Some((hop, latency)) = hops.pop() {
            self.hop(flow, hop, true, latency);
            self.0.sim.sleep(latency).await;
        }
    }

    /// Sends a packet from `origin` to an address, through the rules on its way.
    async fn connect(
        &self,
        origin: &Origin,
        ip: Ipv4Addr,
        port: u16,
        protocol: Protocol,
        what: &str,
    ) -> Result<(RequestId, Reached), NetError> {
        let flow = self.0.sim.next_id();
        let client = Hop::Client {
            node: origin.node.clone(),
            pod: origin.pod.clone(),
        };
        self.hop(flow, client.clone(), false, Duration::ZERO);
        let fail = |error: NetError| {
            let outcome = match error {
                NetError::Refused => Outcome::Refused,
                NetError::NoRoute => Outcome::NoRoute,
                _ => Outcome::TimedOut,
            };
            self.end(flow, what, outcome);
            error
        };
        // The answer's way back, nearest hop last.
        let mut back = vec![(client, SAME_NODE)];
        let local = ip.is_loopback();
        let ip = if local { origin.ip } else { ip };
        let mut at: Rc<str> = origin.node.clone();
        let target_node = self.node_at(ip);
        if at.is_empty() {
            // From outside only the nodes' own addresses are reached.
            let Some(node) = target_node.clone() else {
                self.0.sim.sleep(CONNECT).await;
                return Err(fail(NetError::TimedOut));
            };
            let hop = Hop::Node { node: node.clone() };
            self.travel(flow, hop.clone(), OUTSIDE).await;
            back = vec![
                (
                    Hop::Client {
                        node: "".into(),
                        pod: "".into(),
                    },
                    OUTSIDE,
                ),
                (hop, SAME_NODE),
            ];
            at = node;
        } else if let Some(node) = target_node.clone().filter(|n| *n != at) {
            let hop = Hop::Node { node: node.clone() };
            self.travel(flow, hop.clone(), CROSS_NODE).await;
            if let Some(first) = back.first_mut() {
                first.1 = CROSS_NODE;
            }
            back.push((hop, SAME_NODE));
            at = node;
        }
        let (mut ip, mut port) = (ip, port);
        // Whether the node that forwards a packet puts its own address in place of the sender's.
        let mut masked = origin.pod.is_empty() && origin.node == at;
        if let Some(proxy) = self.proxy(&at) {
            match proxy.choose(&self.0.sim, protocol, ip, port, origin.ip, origin.node == at) {
                proxy::Choice::None if target_node.is_some() => {
                    (ip, port) = self.published(&at, protocol, ip, port, local).unwrap_or((ip, port));
                }
                proxy::Choice::None => {}
                proxy::Choice::Reject => {
                    self.0.sim.sleep(SAME_NODE).await;
                    return Err(fail(NetError::Refused));
                }
                proxy::Choice::Drop => {
                    self.0.sim.sleep(CONNECT).await;
                    return Err(fail(NetError::TimedOut));
                }
                proxy::Choice::Endpoint(chosen) => {
                    let hop = Hop::Rule {
                        node: at.clone(),
                        service: chosen.service,
                        address: format!("{ip}:{port}").into(),
                        endpoint: format!("{}:{}", chosen.ip, chosen.port).into(),
                        chosen_by: chosen.by,
                        index: chosen.index,
                        of: chosen.of,
                        next: chosen.next,
                    };
                    self.travel(flow, hop.clone(), SAME_NODE).await;
                    back.push((hop, SAME_NODE));
                    (ip, port) = (chosen.ip, chosen.port);
                    // A pod that asks for a cluster address keeps its own, and so does everybody whom a service with
                    // externalTrafficPolicy Local lets in.
                    masked |= !chosen.keeps_client && (origin.pod.is_empty() || !chosen.is_cluster_ip);
                }
            }
        }
        let found: Option<(Rc<str>, Rc<str>, Option<Rc<dyn Listener>>)> = {
            let attachments = self.0.attachments.borrow();
            attachments.get(&ip).and_then(|list| {
                let reached = |a: &&Attachment| a.listener.accepts(protocol, port) && (local || !a.listener.is_local());
                let open = list.iter().find(reached);
                open.or(list.first())
                    .map(|a| (a.node.clone(), a.pod.clone(), open.map(|a| a.listener.clone())))
            })
        };
        let Some((node, pod, listener)) = found else {
            if self.node_at(ip).is_some() {
                self.0.sim.sleep(SAME_NODE).await;
                return Err(fail(NetError::Refused));
            }
            let pods = ip.octets().starts_with(&[10, 244]) || ip.octets().starts_with(&[192, 168, 110]);
            self.0.sim.sleep(if pods { NO_ROUTE } else { CONNECT }).await;
            return Err(fail(if pods { NetError::NoRoute } else { NetError::TimedOut }));
        };
        // Towards pods that is the bridge's address, or the tunnel's for those of other nodes.
        let pods = self.pod_network(&at).filter(|_| masked && self.node_at(ip).is_none());
        let client = pods.map_or(origin.ip, |tunnel| match node == at {
            true => Ipv4Addr::from(u32::from(tunnel) + 1),
            false => tunnel,
        });
        let latency = if node == at { SAME_NODE } else { CROSS_NODE };
        let address: Rc<str> = format!("{ip}:{port}").into();
        let hop = if pod.is_empty() {
            Hop::Host {
                name: node.clone(),
                address,
            }
        } else {
            Hop::Pod {
                node: node.clone(),
                pod,
                address,
            }
        };
        self.travel(flow, hop, latency).await;
        if let Some(last) = back.last_mut() {
            last.1 = latency;
        }
        match listener {
            Some(listener) => Ok((
                flow,
                Reached {
                    listener,
                    ip,
                    port,
                    client,
                    back,
                },
            )),
            None => {
                self.back(flow, back).await;
                Err(fail(NetError::Refused))
            }
        }
    }

    /// Opens a TCP connection and closes it, as a probe or `nc -z` does.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn probe(&self, origin: &Origin, ip: Ipv4Addr, port: u16) -> Result<(), NetError> {
        let what = format!("TCP {ip}:{port}");
        let (flow, reached) = self.connect(origin, ip, port, Protocol::Tcp, &what).await?;
        self.back(flow, reached.back).await;
        self.end(flow, &what, Outcome::Answered);
        Ok(())
    }

    /// Sends an HTTP request to an address and waits for the answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn http_to(
        &self,
        origin: &Origin,
        ip: Ipv4Addr,
        port: u16,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, NetError> {
        let what = format!("{} http://{}{}", request.method, request.host, request.path);
        let (flow, reached) = self.connect(origin, ip, port, Protocol::Tcp, &what).await?;
        request.client = Some(reached.client);
        request.local = Some((reached.ip, reached.port));
        let answer = answer(&*reached.listener, reached.port, request).await;
        self.back(flow, reached.back).await;
        let outcome = match &answer {
            Ok(response) => Outcome::Status(response.status),
            Err(_) => Outcome::Refused,
        };
        self.end(flow, &what, outcome);
        answer
    }

    /// Resolves a URL's host and sends the request there. The rest of a body that streams is still to come.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn http(&self, origin: &Origin, url: &Url, mut request: HttpRequest) -> Result<HttpResponse, NetError> {
        let ips = self.resolve(origin, &url.host).await?;
        request.host = url.authority();
        request.path = url.path.clone();
        let mut last = NetError::NoSuchHost(url.host.clone());
        for ip in ips {
            match self.http_to(origin, ip, url.port, request.clone()).await {
                Ok(response) => return Ok(response),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends bytes over TCP and waits for the answer's.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn exchange(
        &self,
        origin: &Origin,
        ip: Ipv4Addr,
        port: u16,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, NetError> {
        let what = format!("TCP {ip}:{port}");
        let (flow, reached) = self.connect(origin, ip, port, Protocol::Tcp, &what).await?;
        let mut answer = reached.listener.exchange(reached.port, bytes.clone()).await;
        // A request that was typed by hand: a web server's answer, as its bytes.
        if answer.is_none()
            && let Parsed::Whole(mut request, _) = HttpRequest::parse(&bytes)
        {
            request.client = Some(reached.client);
            request.local = Some((reached.ip, reached.port));
            let response = reached.listener.http(reached.port, request).await;
            answer = response.ok().map(|response| response.to_bytes());
        }
        self.back(flow, reached.back).await;
        self.end(flow, &what, Outcome::Answered);
        answer.ok_or(NetError::Closed)
    }
}
