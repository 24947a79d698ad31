//! What the picture shows of a service: its address, its endpoints, how often each was chosen and
//! whose turn is next. Endpoints come from EndpointSlices, counts and turns from packets. Pure.

use std::rc::Rc;

use kubetab::flat::{Arrange, FlatMap};
use kubetab::sim::Outcome;
use kubetab::value::Value;

/// One address and port behind a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `10.244.1.5:80`.
    pub address: Rc<str>,
    /// `namespace/name` of the pod; empty when it is none.
    pub pod: Rc<str>,
    pub ready: bool,
    /// Requests that reached it through this service.
    pub hits: u64,
    /// It is the next in turn.
    pub next: bool,
}

/// A service as the picture shows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Service {
    pub namespace: Rc<str>,
    pub name: Rc<str>,
    pub kind: Rc<str>,
    pub cluster_ip: Rc<str>,
    /// `80:30080/TCP`, as kubectl prints them.
    pub ports: Rc<str>,
    pub selector: Rc<str>,
    pub endpoints: Vec<Endpoint>,
    /// How the last rule chose (`rr`, `random`, …); empty before the first packet.
    pub chosen_by: &'static str,
    /// Requests that failed.
    pub failed: u64,
    hits: FlatMap<Rc<str>, u64>,
    /// The table of the rule that chose last: which address stood at which index.
    table: FlatMap<u32, Rc<str>>,
    next: Option<u32>,
    slices: FlatMap<Rc<str>, Vec<(Rc<str>, Rc<str>, bool)>>,
}

impl Service {
    /// Reads a Service; keeps endpoints and counts of `old`.
    pub fn read(object: &Value, old: Option<&Service>) -> Service {
        let spec = object.get("spec");
        let ports: Vec<String> = spec
            .get("ports")
            .items()
            .iter()
            .map(|p| {
                let port = p.i64_at(&["port"]).unwrap_or(0);
                let protocol = match p.get("protocol").str() {
                    "" => "TCP",
                    protocol => protocol,
                };
                match p.i64_at(&["nodePort"]) {
                    Some(node) => format!("{port}:{node}/{protocol}"),
                    None => format!("{port}/{protocol}"),
                }
            })
            .collect();
        let selector: Vec<String> = spec
            .get("selector")
            .entries()
            .map(|(k, v)| format!("{k}={}", v.str()))
            .collect();
        Service {
            namespace: object.at(&["metadata", "namespace"]).str().into(),
            name: object.at(&["metadata", "name"]).str().into(),
            kind: match spec.get("type").str() {
                "" => "ClusterIP".into(),
                kind => kind.into(),
            },
            cluster_ip: spec.get("clusterIP").str().into(),
            ports: ports.join(",").into(),
            selector: selector.join(",").into(),
            ..old.cloned().unwrap_or_default()
        }
    }

    /// Takes a slice's endpoints in place of those that it had before.
    pub fn set_slice(&mut self, slice: &str, object: Option<&Value>) {
        let Some(object) = object else {
            self.slices.remove(slice);
            return self.settle();
        };
        let namespace = object.at(&["metadata", "namespace"]).str();
        let ports = object.get("ports").items();
        let mut rows = Vec::new();
        for endpoint in object.get("endpoints").items() {
            let target = endpoint.get("targetRef");
            let pod: Rc<str> = if target.get("kind").str() == "Pod" {
                let ns = match target.get("namespace").str() {
                    "" => namespace,
                    ns => ns,
                };
                format!("{ns}/{}", target.get("name").str()).into()
            } else {
                "".into()
            };
            // An absent condition counts as true.
            let ready = endpoint.at(&["conditions", "ready"]).as_bool().unwrap_or(true);
            for address in endpoint.get("addresses").items() {
                if ports.is_empty() {
                    rows.push((address.str().into(), pod.clone(), ready));
                }
                for port in ports {
                    let port = port.i64_at(&["port"]).unwrap_or(0);
                    rows.push((format!("{}:{port}", address.str()).into(), pod.clone(), ready));
                }
            }
        }
        self.slices.insert(slice.into(), rows);
        self.settle();
    }

    /// A rule chose `endpoint`, which stood at `index` of `of`.
    pub fn chose(&mut self, endpoint: &Rc<str>, index: u32, of: u32, next: Option<u32>, by: &'static str) {
        if self.table.len() > of as usize || self.table.get(&index).is_some_and(|e| e != endpoint) {
            self.table.clear();
        }
        self.table.insert(index, endpoint.clone());
        self.next = next.filter(|n| *n < of);
        self.chosen_by = by;
        self.settle();
    }

    /// A request reached `endpoint` through this service.
    pub fn hit(&mut self, endpoint: &Rc<str>) {
        *self.hits.entry(endpoint.clone()).or_default() += 1;
        self.settle();
    }

    /// A request through this service ended.
    pub fn ended(&mut self, outcome: Outcome) {
        let bad = match outcome {
            Outcome::Status(code) => code >= 500,
            Outcome::Answered => false,
            _ => true,
        };
        self.failed += u64::from(bad);
    }

    /// How many endpoints are ready.
    pub fn ready(&self) -> usize {
        self.endpoints.iter().filter(|e| e.ready).count()
    }

    fn settle(&mut self) {
        let mut rows: Vec<Endpoint> = self
            .slices
            .values()
            .flatten()
            .map(|(address, pod, ready)| Endpoint {
                hits: self.hits.get(address).copied().unwrap_or(0),
                address: address.clone(),
                pod: pod.clone(),
                ready: *ready,
                next: false,
            })
            .collect();
        // Round-robin is easiest to follow in the rule's own order, as far as it has been seen.
        let place = |e: &Endpoint| {
            self.table
                .iter()
                .find(|(_, address)| **address == e.address)
                .map_or(u32::MAX, |(index, _)| *index)
        };
        rows.arrange_by(|a, b| {
            (!a.ready, place(a))
                .cmp(&(!b.ready, place(b)))
                .then_with(|| a.address.cmp(&b.address))
        });
        if let Some(next) = self.next {
            match self.table.get(&next).cloned() {
                Some(address) => rows.iter_mut().for_each(|e| e.next = e.address == address),
                // Its index was not seen yet: it is known when only one row is left unseen.
                None => {
                    let seen: Vec<_> = self.table.values().cloned().collect();
                    let mut unseen = rows.iter_mut().filter(|e| e.ready && !seen.contains(&e.address));
                    if let (Some(only), None) = (unseen.next(), unseen.next()) {
                        only.next = true;
                    }
                }
            }
        }
        self.endpoints = rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(s: &Service) -> String {
        s.endpoints
            .iter()
            .map(|e| format!("{}={}{}", e.address, e.hits, if e.next { "<" } else { "" }))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn round_robin_shows_whose_turn_is_next() {
        let slice = r#"{"metadata":{"name":"web-1","namespace":"default"},"ports":[{"port":80}],"endpoints":[
            {"addresses":["10.0.0.1"],"targetRef":{"kind":"Pod","name":"a"}},
            {"addresses":["10.0.0.2"],"conditions":{"ready":true}},
            {"addresses":["10.0.0.3"],"conditions":{"ready":false}}]}"#;
        let mut s = Service::default();
        s.set_slice("web-1", Some(&Value::from_json(slice).unwrap()));
        assert_eq!(shown(&s), "10.0.0.1:80=0 10.0.0.2:80=0 10.0.0.3:80=0");
        let (one, two): (Rc<str>, Rc<str>) = ("10.0.0.1:80".into(), "10.0.0.2:80".into());
        s.chose(&two, 0, 2, Some(1), "rr");
        s.hit(&two);
        assert_eq!(shown(&s), "10.0.0.2:80=1 10.0.0.1:80=0< 10.0.0.3:80=0");
        s.chose(&one, 1, 2, Some(0), "rr");
        s.hit(&one);
        assert_eq!(shown(&s), "10.0.0.2:80=1< 10.0.0.1:80=1 10.0.0.3:80=0");
        s.set_slice("web-1", None);
        assert_eq!(shown(&s), "");
    }
}
