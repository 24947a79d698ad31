//! The places between which requests and packets travel. Pure.

use std::rc::Rc;

use kubetab::sim::Hop;

/// A place in the picture; where it stands is the layout's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The student's terminal on the control plane's host.
    Student,
    ApiServer,
    Etcd,
    Scheduler,
    /// A controller of kube-controller-manager, by its user agent's name.
    Controller(Rc<str>),
    Kubelet(Rc<str>),
    Proxy(Rc<str>),
    /// A node's host.
    Node(Rc<str>),
    /// A service, `namespace/name`: the rules that kube-proxy wrote for it.
    Service(Rc<str>),
    /// A pod, `namespace/name`.
    Pod(Rc<str>),
    /// Something outside the cluster.
    Outside,
}

impl Place {
    /// Where a client of the API server stands, by its user agent.
    pub fn of_client(client: &str) -> Place {
        let (name, host) = client.split_once('/').unwrap_or((client, ""));
        match name {
            "kubectl" | "curl" => Place::Student,
            "kube-scheduler" | "scheduler" => Place::Scheduler,
            "kube-apiserver" => Place::ApiServer,
            "kubelet" => Place::Kubelet(host.into()),
            "kube-proxy" => Place::Proxy(host.into()),
            _ => Place::Controller(name.into()),
        }
    }

    /// Where a hop takes a packet. `master` is the host of the student's terminal.
    pub fn of_hop(hop: &Hop, master: &str) -> Place {
        match hop {
            Hop::Client { pod, .. } if !pod.is_empty() => Place::Pod(pod.clone()),
            Hop::Client { node, .. } if node.is_empty() => Place::Outside,
            Hop::Client { node, .. } if **node == *master => Place::Student,
            Hop::Client { node, .. } | Hop::Node { node } => Place::Node(node.clone()),
            Hop::Rule { service, .. } => Place::Service(service.clone()),
            Hop::Pod { pod, .. } => Place::Pod(pod.clone()),
            Hop::Host { name, .. } => Place::Node(name.clone()),
        }
    }
}
