//! The records of the cluster's DNS (the CoreDNS `kubernetes` plugin), from Services and EndpointSlices.

use crate::flat::Arrange;
use core::net::Ipv4Addr;

use crate::api::{Informer, ObjectKey};

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
        self.find(name, namespace).map(|(_, ips)| ips).unwrap_or_default()
    }

    /// The full name that a name was found under, and its addresses.
    pub fn find(&self, name: &str, namespace: Option<&str>) -> Option<(String, Vec<Ipv4Addr>)> {
        Zone::candidates(name, namespace).into_iter().find_map(|full| {
            let ips = self.addresses(&full, DEPTH);
            (!ips.is_empty()).then_some((full, ips))
        })
    }

    fn addresses(&self, full: &str, depth: usize) -> Vec<Ipv4Addr> {
        let mut found = Vec::new();
        for record in self.records(full).unwrap_or_default() {
            match record {
                Record::A(ip) => found.push(ip),
                Record::Cname(other) if depth > 0 => found.extend(self.addresses(&other, depth - 1)),
                _ => {}
            }
        }
        found
    }

    /// The records of a full name; `None` when there is no such name (NXDOMAIN).
    pub fn records(&self, full: &str) -> Option<Vec<Record>> {
        let full = full.to_ascii_lowercase();
        let rest = full.strip_suffix(DOMAIN)?.strip_suffix('.')?;
        if let Some(pod) = rest.strip_suffix(".pod") {
            // `10-244-1-2.namespace.pod`: CoreDNS answers any address (`pods insecure`).
            let ip = pod.split('.').next()?.replace('-', ".").parse().ok()?;
            return Some(vec![Record::A(ip)]);
        }
        let parts: Vec<&str> = rest.strip_suffix(".svc")?.split('.').collect();
        match parts.as_slice() {
            [service, namespace] => self.service(namespace, service),
            [endpoint, service, namespace] => self.endpoint(namespace, service, endpoint),
            [port, protocol, service, namespace] => self.srv(namespace, service, port, protocol),
            _ => None,
        }
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
                let publish = spec.bool_at(&["publishNotReadyAddresses"]);
                Some(
                    self.endpoints(namespace, name, publish)
                        .into_iter()
                        .map(|e| Record::A(e.ip))
                        .collect(),
                )
            }
            ip => Some(ip.parse().ok().map(Record::A).into_iter().collect()),
        }
    }

    /// The endpoints of a service that its names answer.
    pub fn endpoints(&self, namespace: &str, service: &str, not_ready: bool) -> Vec<Endpoint> {
        let mut found: Vec<Endpoint> = Vec::new();
        self.slices.each(namespace, |slice| {
            if slice.label("kubernetes.io/service-name") != Some(service) {
                return;
            }
            for e in slice.value().get("endpoints").items() {
                let ready = e.at(&["conditions", "ready"]).as_bool().unwrap_or(true);
                if !ready && !not_ready {
                    continue;
                }
                for address in e.get("addresses").items() {
                    let Ok(ip) = address.str().parse::<Ipv4Addr>() else {
                        continue;
                    };
                    let hostname = match e.str_at(&["hostname"]) {
                        "" => ip.to_string().replace('.', "-"),
                        h => h.to_owned(),
                    };
                    if !found.iter().any(|f| f.ip == ip) {
                        found.push(Endpoint { ip, hostname });
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
        let publish = object.spec().bool_at(&["publishNotReadyAddresses"]);
        let found: Vec<Record> = self
            .endpoints(namespace, service, publish)
            .into_iter()
            .filter(|e| e.hostname == endpoint)
            .map(|e| Record::A(e.ip))
            .collect();
        (!found.is_empty()).then_some(found)
    }

    fn srv(&self, namespace: &str, service: &str, port: &str, protocol: &str) -> Option<Vec<Record>> {
        let object = self.services.get(&ObjectKey::new(namespace, service))?;
        let (port, protocol) = (port.strip_prefix('_')?, protocol.strip_prefix('_')?);
        let number = object
            .spec()
            .get("ports")
            .items()
            .iter()
            .find(|p| p.str_at(&["name"]) == port && p.str_at(&["protocol"]).eq_ignore_ascii_case(protocol))
            .and_then(|p| p.i64_at(&["port"]))
            .and_then(|p| u16::try_from(p).ok())?;
        Some(vec![Record::Srv(
            0,
            100,
            number,
            format!("{service}.{namespace}.svc.{DOMAIN}"),
        )])
    }
}

/// An endpoint that DNS names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub ip: Ipv4Addr,
    /// Its host name, or its address with dashes.
    pub hostname: String,
}

#[cfg(test)]
mod tests {
    use super::*;

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
