//! kube-proxy of one node: the virtual servers that it makes of Services and EndpointSlices, and how
//! each mode chooses an endpoint.

use core::net::Ipv4Addr;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::Protocol;
use crate::api::{Object, ObjectKey};
use crate::flat::{Arrange, FlatMap};
use crate::sim::{Sim, Time};
use crate::value::Value;

/// The cluster's DNS service (kubeadm's tenth address).
pub const DNS_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Sticky sessions kept per node: as many as the kernel's default `ip_vs` table would hold lists.
const SESSIONS: usize = 4_096;

/// kube-proxy's `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Rules that choose at random (the default).
    #[default]
    Iptables,
    /// Rules of nftables, which choose alike.
    Nftables,
    /// The kernel's load balancer, round-robin unless configured otherwise.
    Ipvs(Scheduler),
    /// kube-proxy itself accepts and forwards, round-robin.
    Userspace,
}

impl Mode {
    /// `iptables`, …, as kube-proxy names them.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Iptables => "iptables",
            Mode::Nftables => "nftables",
            Mode::Ipvs(_) => "ipvs",
            Mode::Userspace => "userspace",
        }
    }
}

/// How IPVS chooses among a virtual server's endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduler {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest connections.
    LeastConnection,
    /// By a hash of the address that is asked for.
    DestinationHash,
    /// By a hash of the client's address.
    SourceHash,
    /// The one that would answer soonest, by its connections and weight.
    ShortestExpectedDelay,
    /// One without connections, else as by the shortest expected delay.
    NeverQueue,
    /// One after the other, in proportion to their weights.
    WeightedRoundRobin,
    /// The one with the fewest connections for its weight.
    WeightedLeastConnection,
    /// The same one for the same address that is asked for, while it is not overloaded.
    LocalityLeastConnection,
    /// One of the same set for the same address that is asked for.
    LocalityLeastConnectionReplicated,
}

/// What `ipvsadm` calls each.
const SCHEDULERS: &[(Scheduler, &str)] = &[
    (Scheduler::RoundRobin, "rr"),
    (Scheduler::LeastConnection, "lc"),
    (Scheduler::DestinationHash, "dh"),
    (Scheduler::SourceHash, "sh"),
    (Scheduler::ShortestExpectedDelay, "sed"),
    (Scheduler::NeverQueue, "nq"),
    (Scheduler::WeightedRoundRobin, "wrr"),
    (Scheduler::WeightedLeastConnection, "wlc"),
    (Scheduler::LocalityLeastConnection, "lblc"),
    (Scheduler::LocalityLeastConnectionReplicated, "lblcr"),
];

impl Scheduler {
    /// `rr`, `lc`, …, as `ipvsadm` names them.
    pub fn name(self) -> &'static str {
        SCHEDULERS.iter().find(|(s, _)| *s == self).map_or("", |(_, name)| name)
    }

    /// The scheduler of a name; round-robin for the empty one.
    pub fn parse(name: &str) -> Option<Scheduler> {
        if name.is_empty() {
            return Some(Scheduler::RoundRobin);
        }
        SCHEDULERS.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }
}

/// A backend of a virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub ip: Ipv4Addr,
    pub port: u16,
    /// Connections made so far.
    pub connections: u64,
}

/// One address and port that a service is reached at.
#[derive(Clone, Debug)]
pub struct VirtualServer {
    /// `namespace/name`.
    pub service: Rc<str>,
    /// The name of its port there; empty when it has none.
    pub port_name: Rc<str>,
    pub protocol: Protocol,
    pub ip: Ipv4Addr,
    pub port: u16,
    /// Whether it is the service's cluster IP, rather than one for clients from outside (a node's, an external IP).
    pub is_cluster_ip: bool,
    pub backends: Vec<Backend>,
    /// Seconds of ClientIP affinity.
    pub affinity: Option<u64>,
    /// Packets are dropped rather than refused when there is no backend here (externalTrafficPolicy
    /// Local, with endpoints on other nodes).
    drops: bool,
    /// All endpoints, of an address from outside whose externalTrafficPolicy is Local.
    cluster: Vec<Backend>,
    /// The index of the backend whose turn is next.
    next: usize,
}

/// What a rule decided.
#[derive(Debug)]
pub enum Choice {
    /// No rule is about this address.
    None,
    /// A service without endpoints.
    Reject,
    Drop,
    Endpoint(Chosen),
}

/// The endpoint that a rule chose.
#[derive(Debug)]
pub struct Chosen {
    pub service: Rc<str>,
    pub ip: Ipv4Addr,
    pub port: u16,
    pub by: &'static str,
    pub index: u32,
    pub of: u32,
    pub next: Option<u32>,
    /// Whether the endpoint sees the client's own address (externalTrafficPolicy Local).
    pub keeps_client: bool,
    /// Whether the cluster IP was asked for.
    pub is_cluster_ip: bool,
}

type Address = (Protocol, Ipv4Addr, u16);

struct Inner {
    node: Rc<str>,
    /// The node's zone; empty when it has none.
    zone: RefCell<String>,
    mode: Cell<Mode>,
    servers: RefCell<FlatMap<Address, VirtualServer>>,
    sessions: RefCell<FlatMap<(Address, Ipv4Addr), (Ipv4Addr, u16, Time)>>,
}

/// The kube-proxy of one node. Clones are handles.
#[derive(Clone)]
pub struct Proxy(Rc<Inner>);

impl Proxy {
    /// That of a node, which knows no service yet.
    pub fn new(node: &str, mode: Mode) -> Proxy {
        Proxy(Rc::new(Inner {
            node: node.into(),
            zone: RefCell::default(),
            mode: Cell::new(mode),
            servers: RefCell::default(),
            sessions: RefCell::default(),
        }))
    }

    /// How its rules choose now.
    pub fn mode(&self) -> Mode {
        self.0.mode.get()
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.0.mode.set(mode);
    }

    /// Sets the zone of the node; says whether it was another one.
    pub(super) fn set_zone(&self, zone: &str) -> bool {
        self.0.zone.replace(zone.to_owned()) != zone
    }

    /// The virtual servers, in the order of protocol, address and port.
    pub fn servers(&self) -> Vec<VirtualServer> {
        self.0.servers.borrow().values().cloned().collect()
    }

    /// Brings the rules of one service up to date.
    pub(super) fn sync(&self, key: &ObjectKey, service: Option<&Object>, slices: &[Object], node_ip: Ipv4Addr) {
        let name: Rc<str> = key.to_string().into();
        let mut wanted: FlatMap<Address, VirtualServer> = FlatMap::new();
        if let Some(service) = service {
            self.wanted(&name, service, slices, node_ip, &mut wanted);
        }
        let mut servers = self.0.servers.borrow_mut();
        servers.retain(|address, server| server.service != name || wanted.contains_key(address));
        for (address, mut server) in wanted {
            if let Some(old) = servers.get(&address).filter(|o| o.service == name) {
                // The turn goes on where it was, and counts are kept.
                server.next = if server.backends.is_empty() {
                    0
                } else {
                    old.next % server.backends.len()
                };
                if old.backends.len() != server.backends.len()
                    && let Some(turn) = old.backends.get(old.next)
                {
                    let same = server
                        .backends
                        .iter()
                        .position(|b| (b.ip, b.port) == (turn.ip, turn.port));
                    server.next = same.unwrap_or(server.next);
                }
                for backend in &mut server.backends {
                    if let Some(before) = old
                        .backends
                        .iter()
                        .find(|b| (b.ip, b.port) == (backend.ip, backend.port))
                    {
                        backend.connections = before.connections;
                    }
                }
            }
            servers.insert(address, server);
        }
    }

    fn wanted(
        &self,
        name: &Rc<str>,
        service: &Object,
        slices: &[Object],
        node_ip: Ipv4Addr,
        wanted: &mut FlatMap<Address, VirtualServer>,
    ) {
        let spec = service.spec();
        let cluster_ip: Option<Ipv4Addr> = spec.str_at(&["clusterIP"]).parse().ok();
        let affinity = (spec.str_at(&["sessionAffinity"]) == "ClientIP").then(|| {
            let seconds = spec.i64_at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
            seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(10_800)
        });
        let zone = self.0.zone.borrow();
        let near = near(slices, &self.0.node, &zone);
        for port in spec.get("ports").items() {
            let protocol = Protocol::parse(port.str_at(&["protocol"]));
            let Some(number) = port.i64_at(&["port"]).and_then(|p| u16::try_from(p).ok()) else {
                continue;
            };
            let name_of_port = port.str_at(&["name"]);
            let all = backends(slices, name_of_port, &|e| {
                near.is_none_or(|(field, name)| is_hinted(e, field, name))
            });
            let local = backends(slices, name_of_port, &|e| e.str_at(&["nodeName"]) == &*self.0.node);
            let mut add = |ip: Ipv4Addr, number: u16, only_local: bool| {
                let chosen = if only_local { local.clone() } else { all.clone() };
                let is_cluster_ip = Some(ip) == cluster_ip;
                let drops = only_local && chosen.is_empty() && !all.is_empty();
                let server = VirtualServer {
                    service: name.clone(),
                    port_name: name_of_port.into(),
                    protocol,
                    ip,
                    port: number,
                    is_cluster_ip,
                    backends: chosen,
                    affinity,
                    drops,
                    cluster: if only_local && !is_cluster_ip {
                        all.clone()
                    } else {
                        Vec::new()
                    },
                    next: 0,
                };
                wanted.insert((protocol, ip, number), server);
            };
            if let Some(ip) = cluster_ip {
                add(ip, number, spec.str_at(&["internalTrafficPolicy"]) == "Local");
            }
            let external_local = spec.str_at(&["externalTrafficPolicy"]) == "Local";
            for ip in spec.get("externalIPs").items() {
                if let Ok(ip) = ip.str().parse() {
                    add(ip, number, external_local);
                }
            }
            for ingress in service.status().at(&["loadBalancer", "ingress"]).items() {
                if let Ok(ip) = ingress.str_at(&["ip"]).parse() {
                    add(ip, number, external_local);
                }
            }
            if let Some(node_port) = port
                .i64_at(&["nodePort"])
                .and_then(|p| u16::try_from(p).ok())
                .filter(|p| *p > 0)
            {
                add(node_ip, node_port, external_local);
            }
        }
    }

    /// Chooses where a packet to this address goes.
    /// A client that is `near`, this node itself or a pod of it, has all endpoints of an address from outside, even where
    /// externalTrafficPolicy is Local (the rules of `KUBE-EXT-…` before those of `KUBE-SVL-…`).
    pub(super) fn choose(
        &self,
        sim: &Sim,
        protocol: Protocol,
        ip: Ipv4Addr,
        port: u16,
        client: Ipv4Addr,
        near: bool,
    ) -> Choice {
        let address = (protocol, ip, port);
        let mut servers = self.0.servers.borrow_mut();
        let Some(server) = servers.get_mut(&address) else {
            return Choice::None;
        };
        let mode = self.0.mode.get();
        let is_wide = near && !server.cluster.is_empty() && matches!(mode, Mode::Iptables | Mode::Nftables);
        let pool = if is_wide { &server.cluster } else { &server.backends };
        let of = pool.len();
        let keeps_client = !is_wide && !server.cluster.is_empty();
        if of == 0 {
            return if server.drops { Choice::Drop } else { Choice::Reject };
        }
        let mut sessions = self.0.sessions.borrow_mut();
        let now = sim.now();
        let sticky = server.affinity.and_then(|_| {
            let (ip, port, until) = sessions.get(&(address, client))?;
            if *until < now {
                return None;
            }
            pool.iter().position(|b| (b.ip, b.port) == (*ip, *port))
        });
        let (index, by, next) = match (sticky, mode) {
            (Some(i), _) => (i, "affinity", None),
            (None, Mode::Iptables | Mode::Nftables) => (sim.random_below(of as u64) as usize, "random", None),
            (None, Mode::Userspace) => turn(server, "rr"),
            (None, Mode::Ipvs(scheduler)) => match scheduler {
                Scheduler::SourceHash => (hash(client) % of, scheduler.name(), None),
                Scheduler::DestinationHash
                | Scheduler::LocalityLeastConnection
                | Scheduler::LocalityLeastConnectionReplicated => (hash(ip) % of, scheduler.name(), None),
                // Requests here are short: no connection is open when the next one comes, so the
                // schedulers that count open ones take turns.
                _ => turn(server, scheduler.name()),
            },
        };
        let pool = if is_wide {
            &mut server.cluster
        } else {
            &mut server.backends
        };
        let Some(backend) = pool.get_mut(index) else {
            return Choice::Reject;
        };
        backend.connections += 1;
        if let Some(seconds) = server.affinity {
            if sessions.len() >= SESSIONS {
                sessions.retain(|_, (_, _, until)| *until >= now);
                if sessions.len() >= SESSIONS {
                    sessions.pop_first();
                }
            }
            sessions.insert(
                (address, client),
                (backend.ip, backend.port, now + Duration::from_secs(seconds)),
            );
        }
        Choice::Endpoint(Chosen {
            service: server.service.clone(),
            ip: backend.ip,
            port: backend.port,
            by,
            index: index as u32,
            of: of as u32,
            next,
            keeps_client,
            is_cluster_ip: server.is_cluster_ip,
        })
    }
}

fn turn(server: &mut VirtualServer, by: &'static str) -> (usize, &'static str, Option<u32>) {
    let of = server.backends.len();
    let index = server.next % of;
    server.next = (index + 1) % of;
    (index, by, Some(server.next as u32))
}

/// The kernel's `ip_vs` hash of an address, over its table of 256 buckets.
fn hash(ip: Ipv4Addr) -> usize {
    (u32::from(ip).wrapping_mul(2_654_435_761) & 0xff) as usize
}

fn is_ready(endpoint: &Value) -> bool {
    endpoint.at(&["conditions", "ready"]).as_bool().unwrap_or(true)
}

fn is_hinted(endpoint: &Value, field: &str, name: &str) -> bool {
    let hints = endpoint.at(&["hints", field]).items();
    hints.iter().any(|h| h.get("name").str() == name)
}

/// Whether a node keeps to the endpoints that are hinted for it or for its zone: all that are ready must have hints,
/// and some of them these (`topologyModeFromHints`). Gives the hints' field and the name there.
fn near<'a>(slices: &[Object], node: &'a str, zone: &'a str) -> Option<(&'static str, &'a str)> {
    let ready: Vec<&Value> = slices
        .iter()
        .flat_map(|s| s.value().get("endpoints").items())
        .filter(|e| is_ready(e))
        .collect();
    [("forNodes", node), ("forZones", zone)]
        .into_iter()
        .find(|(field, name)| {
            !name.is_empty()
                && ready.iter().all(|e| !e.at(&["hints", field]).is_empty())
                && ready.iter().any(|e| is_hinted(e, field, name))
        })
}

/// The ready endpoints of a service's port, sorted by address. When none is ready, those that still
/// serve while they end.
fn backends(slices: &[Object], port: &str, chosen: &dyn Fn(&Value) -> bool) -> Vec<Backend> {
    let collect = |fits: &dyn Fn(&Value) -> bool| {
        let mut found: Vec<Backend> = Vec::new();
        for slice in slices {
            let number = slice
                .value()
                .get("ports")
                .items()
                .iter()
                .find(|p| p.str_at(&["name"]) == port)
                .and_then(|p| p.i64_at(&["port"]))
                .and_then(|p| u16::try_from(p).ok());
            let Some(number) = number else { continue };
            for endpoint in slice.value().get("endpoints").items() {
                if !fits(endpoint) || !chosen(endpoint) {
                    continue;
                }
                for address in endpoint.get("addresses").items() {
                    if let Ok(ip) = address.str().parse()
                        && !found.iter().any(|b| b.ip == ip && b.port == number)
                    {
                        found.push(Backend {
                            ip,
                            port: number,
                            connections: 0,
                        });
                    }
                }
            }
        }
        found.arrange_by_key(|b| (b.ip, b.port));
        found
    };
    let ready = collect(&is_ready);
    if !ready.is_empty() {
        return ready;
    }
    collect(&|e| e.bool_at(&["conditions", "serving"]) && e.bool_at(&["conditions", "terminating"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn objects(ips: &[&str]) -> (Object, Vec<Object>) {
        let service = Object::new(obj! {
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! {
                "clusterIP": "10.96.0.50",
                "ports": list![obj! { "port": 80, "protocol": "TCP", "nodePort": 30080 }],
                "sessionAffinity": "None",
            },
        });
        let endpoints: crate::value::Value = ips
            .iter()
            .map(|ip| obj! { "addresses": list![*ip], "conditions": obj! { "ready": true }, "nodeName": "n1" })
            .collect();
        let slice = Object::new(obj! {
            "metadata": obj! { "name": "web-x", "namespace": "default" },
            "ports": list![obj! { "name": "", "port": 8080, "protocol": "TCP" }],
            "endpoints": endpoints,
        });
        (service, vec![slice])
    }

    #[test]
    fn round_robin_goes_on_over_changes() {
        let sim = Sim::new(1, Time::default());
        let proxy = Proxy::new("n1", Mode::Ipvs(Scheduler::RoundRobin));
        let key = ObjectKey::new("default", "web");
        let node = Ipv4Addr::new(192, 168, 110, 22);
        let (service, slices) = objects(&["10.244.1.3", "10.244.1.2", "10.244.2.2"]);
        proxy.sync(&key, Some(&service), &slices, node);
        let vip = Ipv4Addr::new(10, 96, 0, 50);
        let pick = || match proxy.choose(&sim, Protocol::Tcp, vip, 80, node, true) {
            Choice::Endpoint(c) => format!("{}:{}", c.ip, c.port),
            other => format!("{other:?}"),
        };
        assert_eq!([pick(), pick()], ["10.244.1.2:8080", "10.244.1.3:8080"]);
        let (service, slices) = objects(&["10.244.1.2", "10.244.2.2"]);
        proxy.sync(&key, Some(&service), &slices, node);
        assert_eq!(
            [pick(), pick(), pick()],
            ["10.244.2.2:8080", "10.244.1.2:8080", "10.244.2.2:8080"]
        );
        let (service, slices) = objects(&[]);
        proxy.sync(&key, Some(&service), &slices, node);
        assert_eq!(pick(), "Reject");
        assert!(matches!(
            proxy.choose(&sim, Protocol::Tcp, node, 30080, vip, true),
            Choice::Reject
        ));
        proxy.sync(&key, None, &[], node);
        assert_eq!(pick(), "None");
    }

    #[test]
    fn a_session_stays_with_its_endpoint_on_the_way_past_a_local_policy() {
        let sim = Sim::new(1, Time::default());
        let proxy = Proxy::new("n1", Mode::Iptables);
        let key = ObjectKey::new("default", "web");
        let node = Ipv4Addr::new(192, 168, 110, 22);
        let (service, slices) = objects(&["10.244.1.2", "10.244.1.3", "10.244.2.2", "10.244.2.3"]);
        for (affinity, most) in [("ClientIP", 1), ("None", 4)] {
            let mut service = service.value().clone();
            service.set(&["spec", "sessionAffinity"], affinity);
            service.set(&["spec", "type"], "NodePort");
            service.set(&["spec", "externalTrafficPolicy"], "Local");
            proxy.sync(&key, Some(&Object::new(service)), &slices, node);
            let mut seen: Vec<Ipv4Addr> = Vec::new();
            for _ in 0..40 {
                if let Choice::Endpoint(c) = proxy.choose(&sim, Protocol::Tcp, node, 30080, node, true)
                    && !seen.contains(&c.ip)
                {
                    seen.push(c.ip);
                }
            }
            assert_eq!(seen.len(), most, "{affinity}");
        }
    }
}
