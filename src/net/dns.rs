//! The records of the cluster's DNS (the CoreDNS `kubernetes` plugin), from Services and EndpointSlices.

use crate::api::well_known::SERVICE_NAME;
use crate::flat::Arrange;
use core::net::Ipv4Addr;

use crate::api::{Informer, Object, ObjectKey};

/// The cluster's domain.
pub const DOMAIN: &str = "cluster.local";

/// How many CNAMEs are followed.
const DEPTH: usize = 8;

/// What answers names. It reads the informers that it was made with.
pub struct Zone {
    services: Informer,
    slices: Informer,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    A(Ipv4Addr),
    Cname(String),
    /// Priority, weight, port, target.
    Srv(u16, u16, u16, String),
    Ptr(String),
    /// The version of the cluster's DNS schema.
    Version,
    /// The zone's server.
    Server,
}

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    A,
    /// The cluster has no IPv6: each name is there, and has none.
    Aaaa,
    Cname,
    Srv,
    Ptr,
    Txt,
    Ns,
    /// Another type, of which no name has a record.
    Other,
}

impl Zone {
    pub fn new(services: &Informer, slices: &Informer) -> Zone {
        Zone {
            services: services.clone(),
            slices: slices.clone(),
        }
    }

    /// The full names that a resolver tries for a name, in order: a pod's search path (`ndots:5`).
    pub fn candidates(name: &str, namespace: Option<&str>) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names = Vec::new();
        if let Some(ns) = namespace {
            for suffix in [format!("{ns}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()] {
                names.push(format!("{name}.{suffix}"));
            }
        }
        if name.matches('.').count() >= 5 {
            names.insert(0, name.to_owned());
        } else {
            names.push(name.to_owned());
        }
        names
    }

    /// The addresses of a name, by the search path of a namespace. Empty when it has none.
    pub fn lookup(&self, name: &str, namespace: Option<&str>) -> Vec<Ipv4Addr> {
        let all = Zone::candidates(name, namespace).into_iter();
        let mut addresses = all.map(|full| self.addresses(&full));
        addresses.find(|ips| !ips.is_empty()).unwrap_or_default()
    }

    fn addresses(&self, full: &str) -> Vec<Ipv4Addr> {
        let records = self.ask(full, Question::A).unwrap_or_default().into_iter();
        let address = |(_, record)| match record {
            Record::A(ip) => Some(ip),
            _ => None,
        };
        records.filter_map(address).collect()
    }

    /// The records of a full name; `None` when there is no such name (NXDOMAIN).
    pub fn records(&self, full: &str) -> Option<Vec<Record>> {
        let full = full.to_ascii_lowercase();
        let rest = full.strip_suffix(DOMAIN)?;
        if rest.is_empty() {
            return Some(vec![Record::Server]);
        }
        let rest = rest.strip_suffix('.')?;
        if rest == "dns-version" {
            return Some(vec![Record::Version]);
        }
        if let Some(pod) = rest.strip_suffix(".pod") {
            // `10-244-1-2.namespace.pod`: CoreDNS answers any address (`pods insecure`).
            let ip = pod.split('.').next()?.replace('-', ".").parse().ok()?;
            return Some(vec![Record::A(ip)]);
        }
        let parts: Vec<&str> = rest.strip_suffix(".svc")?.split('.').collect();
        match parts.as_slice() {
            [service, namespace] => self.service(namespace, service),
            [endpoint, service, namespace] => self.endpoint(namespace, service, endpoint),
            // A port's name has no address.
            [port, _, _, _] if port.starts_with('_') => (!self.locations(&full).is_empty()).then(Vec::new),
            _ => None,
        }
    }

    /// The answer to a question, each record under its name; `None` when there is no such name (NXDOMAIN).
    pub fn ask(&self, full: &str, question: Question) -> Option<Vec<(String, Record)>> {
        let mut name = full.trim_end_matches('.').to_ascii_lowercase();
        if let Some(reversed) = name.strip_suffix(".in-addr.arpa") {
            let mut parts: Vec<&str> = reversed.split('.').collect();
            parts.reverse();
            let of = self.reverse(parts.join(".").parse().ok()?)?;
            return Some(match question {
                Question::Ptr => vec![(name, Record::Ptr(of))],
                _ => Vec::new(),
            });
        }
        let mut found = Vec::new();
        for _ in 0..=DEPTH {
            let records = match (question, self.records(&name)) {
                (Question::Srv, Some(_)) => self.locations(&name),
                // What an alias leads to may be unknown.
                (_, None) if found.is_empty() => return None,
                (_, records) => records.unwrap_or_default(),
            };
            let mut alias = None;
            for record in records {
                if let Record::Cname(other) = &record {
                    alias = Some(other.clone());
                }
                let wanted = match record {
                    Record::A(_) => question == Question::A,
                    Record::Srv(..) => question == Question::Srv,
                    Record::Cname(_) => found.len() < DEPTH,
                    Record::Version => question == Question::Txt,
                    Record::Server => question == Question::Ns,
                    Record::Ptr(_) => true,
                };
                if wanted {
                    found.push((name.clone(), record));
                }
            }
            match alias {
                Some(other) if question != Question::Cname => name = other,
                _ => break,
            }
        }
        Some(found)
    }

    /// The name of an address: of the Service whose virtual one it is, or of an endpoint.
    pub fn reverse(&self, ip: Ipv4Addr) -> Option<String> {
        let text = ip.to_string();
        let name = |service: ObjectKey| format!("{}.{}.svc.{DOMAIN}", service.name, service.namespace);
        let services = self.services.list("");
        if let Some(service) = services.iter().find(|s| s.spec().str_at(&["clusterIP"]) == text) {
            return Some(name(service.key()));
        }
        let mut first: Option<(ObjectKey, Endpoint)> = None;
        self.slices.each("", |slice| {
            let service = ObjectKey::new(slice.namespace(), slice.label(SERVICE_NAME).unwrap_or_default());
            if self.services.get(&service).is_some()
                && first.as_ref().is_none_or(|(before, _)| service < *before)
                && let Some(endpoint) = endpoints_of(slice, true).find(|e| e.ip == ip)
            {
                first = Some((service, endpoint));
            }
        });
        first.map(|(service, endpoint)| format!("{}.{}", endpoint.hostname, name(service)))
    }

    /// Where a service's ports are, by its own name or a port's. CoreDNS shares a weight of 100 among them.
    fn locations(&self, full: &str) -> Vec<Record> {
        let parts: Vec<&str> = full.split('.').collect();
        let (port, protocol, service, namespace) = match parts.as_slice() {
            [port, protocol, service, namespace, "svc", ..] if port.starts_with('_') => {
                (*port, *protocol, *service, *namespace)
            }
            [service, namespace, "svc", ..] => ("", "", *service, *namespace),
            _ => return Vec::new(),
        };
        let Some(object) = self.services.get(&ObjectKey::new(namespace, service)) else {
            return Vec::new();
        };
        let whole = format!("{service}.{namespace}.svc.{DOMAIN}");
        let targets: Vec<String> = match object.spec().str_at(&["clusterIP"]) {
            "None" => {
                let all = self.endpoints(&object).into_iter();
                all.map(|e| format!("{}.{whole}", e.hostname)).collect()
            }
            _ => vec![whole],
        };
        let mut found = Vec::new();
        for p in object.spec().get("ports").items() {
            let (name, kind) = (p.str_at(&["name"]), p.str_at(&["protocol"]).to_ascii_lowercase());
            let number = p.i64_at(&["port"]).and_then(|p| u16::try_from(p).ok()).unwrap_or(0);
            if port.is_empty() || (port.get(1..) == Some(name) && protocol.get(1..) == Some(&kind)) {
                found.extend(targets.iter().map(|target| (number, target.clone())));
            }
        }
        let weight = u16::try_from(100 / found.len().max(1)).unwrap_or(1).max(1);
        let record = |(number, target)| Record::Srv(0, weight, number, target);
        found.into_iter().map(record).collect()
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Vec<Record>> {
        let service = self.services.get(&ObjectKey::new(namespace, name))?;
        let spec = service.spec();
        if spec.str_at(&["type"]) == "ExternalName" {
            return Some(vec![Record::Cname(
                spec.str_at(&["externalName"]).trim_end_matches('.').to_owned(),
            )]);
        }
        match spec.str_at(&["clusterIP"]) {
            "None" => {
                let all = self.endpoints(&service).into_iter();
                // A headless service without endpoints is no name (CoreDNS's plugin/kubernetes: errNoItems).
                Some(all.map(|e| Record::A(e.ip)).collect()).filter(|found: &Vec<Record>| !found.is_empty())
            }
            ip => Some(ip.parse().ok().map(Record::A).into_iter().collect()),
        }
    }

    /// The endpoints of a service that its names answer.
    fn endpoints(&self, service: &Object) -> Vec<Endpoint> {
        let not_ready = service.spec().bool_at(&["publishNotReadyAddresses"]);
        let mut found: Vec<Endpoint> = Vec::new();
        self.slices.each(service.namespace(), |slice| {
            if slice.label(SERVICE_NAME) == Some(service.name()) {
                for endpoint in endpoints_of(slice, not_ready) {
                    if !found.iter().any(|f| f.ip == endpoint.ip) {
                        found.push(endpoint);
                    }
                }
            }
        });
        found.arrange_by_key(|e| e.ip);
        found
    }

    fn endpoint(&self, namespace: &str, service: &str, endpoint: &str) -> Option<Vec<Record>> {
        let object = self.services.get(&ObjectKey::new(namespace, service))?;
        if object.spec().str_at(&["clusterIP"]) != "None" {
            return None;
        }
        let found: Vec<Record> = self
            .endpoints(&object)
            .into_iter()
            .filter(|e| e.hostname == endpoint)
            .map(|e| Record::A(e.ip))
            .collect();
        (!found.is_empty()).then_some(found)
    }
}

/// An endpoint that DNS names.
struct Endpoint {
    ip: Ipv4Addr,
    /// Its host name, or its address with dashes.
    hostname: String,
}

/// The endpoints of a slice, with or without those that are not ready.
fn endpoints_of(slice: &Object, not_ready: bool) -> impl Iterator<Item = Endpoint> {
    let all = slice.value().get("endpoints").items().iter();
    let shown = all.filter(move |e| not_ready || e.at(&["conditions", "ready"]).as_bool().unwrap_or(true));
    shown.flat_map(|e| {
        e.get("addresses").items().iter().filter_map(|address| {
            let ip: Ipv4Addr = address.str().parse().ok()?;
            let hostname = match e.str_at(&["hostname"]) {
                "" => ip.to_string().replace('.', "-"),
                h => h.to_owned(),
            };
            Some(Endpoint { ip, hostname })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::ApiServer;
    use crate::net::{Mode, Network};
    use crate::sim::{Sim, Time};
    use crate::{list, obj};

    #[test]
    fn aliases_are_followed_and_addresses_have_names() {
        let sim = Sim::new(1, Time::default());
        let api = ApiServer::new(&sim);
        let alias = |name: String, to: &str| {
            let spec = obj! { "type": "ExternalName", "externalName": format!("{to}.default.svc.{DOMAIN}") };
            (name, spec)
        };
        let mut services: Vec<_> = (0..8).map(|i| alias(format!("s{i}"), &format!("s{}", i + 1))).collect();
        services.push(alias("loop".into(), "loop"));
        services.push(("s8".into(), obj! { "clusterIP": "10.96.0.8" }));
        services.extend(["a", "b", "c"].map(|name| (name.to_owned(), obj! { "clusterIP": "None" })));
        for (name, spec) in services {
            let metadata = obj! { "name": name, "namespace": "default" };
            api.restore(obj! { "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec })
                .unwrap();
        }
        // The order of services counts, not the one of slices.
        for (name, service, hostname) in [("1", "nosuch", "x"), ("2", "c", "y"), ("3", "b", "z")] {
            let labels = obj! { "kubernetes.io/service-name": service };
            let endpoint = obj! {
                "addresses": list!["10.244.1.2"],
                "conditions": obj! { "ready": false },
                "hostname": hostname,
            };
            let slice = obj! {
                "addressType": "IPv4",
                "apiVersion": "discovery.k8s.io/v1",
                "endpoints": list![endpoint],
                "kind": "EndpointSlice",
                "metadata": obj! { "labels": labels, "name": name, "namespace": "default" },
            };
            api.restore(slice).unwrap();
        }
        let network = Network::start(&api, Mode::Iptables).unwrap();
        sim.run_for(Duration::from_secs(1));
        let zone = network.zone();
        assert_eq!(zone.lookup("s0", Some("default")), [Ipv4Addr::new(10, 96, 0, 8)]);
        for (name, records) in [("s0", Some(9)), ("loop", Some(8)), ("a", None)] {
            let found = zone.ask(&format!("{name}.default.svc.{DOMAIN}"), Question::A);
            assert_eq!(found.map(|r| r.len()), records, "{name}");
        }
        for (ip, name) in [
            ("10.96.0.8", Some("s8.default.svc.cluster.local")),
            ("10.244.1.2", Some("z.b.default.svc.cluster.local")),
            ("10.244.1.3", None),
        ] {
            assert_eq!(zone.reverse(ip.parse().unwrap()).as_deref(), name, "{ip}");
        }
    }

    #[test]
    fn search_path() {
        assert_eq!(
            Zone::candidates("web", Some("test")),
            [
                "web.test.svc.cluster.local",
                "web.svc.cluster.local",
                "web.cluster.local",
                "web"
            ]
        );
        assert_eq!(Zone::candidates("a.b.", Some("test")), ["a.b"]);
        assert_eq!(Zone::candidates("web", None), ["web"]);
    }
}
