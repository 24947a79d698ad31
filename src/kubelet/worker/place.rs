//! Where a pod is: its sandbox with an address, and its volumes; also those of a pod that ran before this kubelet.

use std::rc::Rc;
use std::time::Duration;

use super::super::container::Run;
use super::super::etc;
use super::super::images::Reference;
use super::super::volumes::{self, Volumes};
use super::Worker;
use crate::api::Object;
use crate::api::placement::host_ports;
use crate::api::views::Pod;
use crate::net::{Attached, HostPort, Origin, Protocol};
use crate::programs::{self, Meter, Sandbox};
use crate::sim::Time;
use crate::value::Value;

pub(super) struct Place {
    pub(super) sandbox: Rc<Sandbox>,
    /// Detaches the pod from the network when it ends.
    _attached: Attached,
    pub(super) host_network: bool,
}

impl Worker {
    pub(super) async fn make_volumes(&self, pod: &Object) -> Result<Volumes, volumes::Unmounted> {
        let claims = self.node.claims(pod).await;
        let claimed = |name: &str| {
            claims
                .get(name)
                .cloned()
                .unwrap_or_else(|| Err(volumes::NOT_BOUND.into()))
        };
        self.with_origin(pod, &claimed, volumes::make)
    }

    /// Writes the content of a ConfigMap or Secret anew into the volumes that show it.
    pub fn refresh_volumes(&self, kind: &str, name: &str) {
        self.refresh(&|source, of| match kind {
            "Secret" => source == "secret" && ["secretName", "name"].iter().any(|f| of.get(f).str() == name),
            _ => source == "configMap" && of.get("name").str() == name,
        });
    }

    /// Writes anew the content of the volumes with a source that is meant: its kind and what it says.
    pub(super) fn refresh(&self, meant: &dyn Fn(&str, &Value) -> bool) {
        let pod = self.pod();
        let Some(volumes) = self.volumes.borrow().clone() else {
            return;
        };
        for volume in Pod(&pod).volumes() {
            let projected = volume.at(&["projected", "sources"]).items();
            let mut sources = std::iter::once(volume).chain(projected).flat_map(Value::entries);
            if sources.any(|(kind, of)| meant(kind, of))
                && let Some((files, _)) = volumes.get(volume.get("name").str())
            {
                // A volume whose source is gone keeps what it had.
                let _ = self.with_origin(&pod, &|_| Err(String::new()), |origin| {
                    volumes::refresh(origin, volume, files)
                });
            }
        }
    }

    /// The runtime that the pod's class asks for, when it is not the one that nodes here have.
    pub(super) async fn missing_runtime(&self, pod: &Object) -> Option<String> {
        let class = pod.spec().get("runtimeClassName").str();
        if class.is_empty() {
            return None;
        }
        let class = self.node.client.get(&self.node.kinds.runtimes, "", class).await.ok()?;
        let handler = class.value().get("handler").str();
        (!handler.is_empty() && handler != "runc").then(|| handler.to_owned())
    }

    pub(super) async fn make_sandbox(self: &Rc<Self>, pod: &Object) {
        let jitter = self.sim().random_below(60);
        self.sim().sleep(Duration::from_millis(120 + jitter)).await;
        self.place_sandbox(pod, None);
    }

    /// Gives the pod its address and its place in the network.
    fn place_sandbox(self: &Rc<Self>, pod: &Object, ip: Option<core::net::Ipv4Addr>) {
        let host_network = Pod(pod).host_network();
        let ip = match ip {
            _ if host_network => self.node.ip(),
            Some(ip) => {
                self.node.take_ip(ip);
                ip
            }
            None => self.node.next_ip(),
        };
        let spec = pod.spec();
        let own = match spec.get("hostname").str() {
            "" => etc::hostname(pod.name()),
            name => name.to_owned(),
        };
        let hostname = match (spec.get("hostnameOverride").str(), spec.get("subdomain").str()) {
            _ if host_network => self.node.name.to_string(),
            ("", "") => own,
            ("", subdomain) if spec.bool_at(&["setHostnameAsFQDN"]) => {
                format!("{own}.{subdomain}.{}.svc.cluster.local", pod.namespace())
            }
            ("", _) => own,
            (name, _) => etc::hostname(name),
        };
        let policy = pod.spec().get("dnsPolicy").str();
        let in_cluster = match policy {
            "ClusterFirstWithHostNet" => true,
            "Default" | "None" => false,
            _ => !host_network,
        };
        let aliases = spec.get("hostAliases").items().iter().flat_map(|alias| {
            let ip = alias.get("ip").str().parse();
            let names = alias.get("hostnames").items().iter();
            names.filter_map(move |name| Some((name.str().to_owned(), ip.clone().ok()?)))
        });
        let origin = Origin {
            node: self.node.name.clone(),
            pod: self.name.clone(),
            ip,
            search: in_cluster.then(|| pod.namespace().into()),
            aliases: [(hostname.clone(), ip)].into_iter().chain(aliases).collect(),
        };
        let ports = Rc::new(programs::Ports::default());
        let network = &self.node.network;
        let attached = network.attach(ip, &self.node.name, &self.name, ports.clone());
        if !host_network {
            // What the scheduler and the admission have reserved, no more.
            let published = host_ports(Pod(pod)).into_iter().filter_map(|p| {
                Some(HostPort {
                    protocol: Protocol::parse(&p.protocol),
                    ip: p.ip.parse().unwrap_or(core::net::Ipv4Addr::UNSPECIFIED),
                    port: u16::try_from(p.port).ok()?,
                    to: u16::try_from(p.to).ok()?,
                })
            });
            attached.publish(&self.node.name, published);
        }
        let sandbox = Rc::new(Sandbox {
            sim: self.sim().clone(),
            network: network.clone(),
            origin,
            node: self.node.name.clone(),
            namespace: pod.namespace().into(),
            pod: pod.name().into(),
            hostname,
            ports,
            meter: Meter::new(self.sim(), "pause"),
        });
        *self.ip.borrow_mut() = Some(ip.to_string());
        *self.place.borrow_mut() = Some(Place {
            sandbox,
            _attached: attached,
            host_network,
        });
    }

    // A cluster that was running when the kubelet began.

    /// Takes over a pod that ran before this kubelet began, from its status.
    pub fn adopt(self: &Rc<Self>) {
        let pod = self.pod();
        let view = Pod(&pod);
        if view.is_terminal() {
            return;
        }
        self.started.set(Time::parse(pod.status().get("startTime").str()));
        let volumes = self.with_origin(&pod, &|_| Err(String::new()), volumes::make);
        *self.volumes.borrow_mut() = Some(Rc::new(volumes.unwrap_or_default()));
        self.place_sandbox(&pod, view.ip().parse().ok());
        for volume in view.volumes() {
            let reference = Reference::parse(volume.str_at(&["image", "reference"]));
            if let Some(local) = reference.ok().and_then(|r| self.node.images.get(&r)) {
                self.show_image(volume.get("name").str(), &local);
            }
        }
        for container in view.init_containers().chain(view.containers()) {
            let Some(known) = view.container_status(container.name()) else {
                continue;
            };
            let Ok(reference) = Reference::parse(container.image()) else {
                continue;
            };
            let Some(image) = self.node.images.get(&reference) else {
                continue;
            };
            let Some(sandbox) = self.sandbox() else { continue };
            let id = known.container_id().trim_start_matches("containerd://").to_owned();
            let own = self.environment(&pod, container).unwrap_or_default();
            let ended = known.terminated();
            let started = |state: &Value| Time::parse(state.get("startedAt").str()).unwrap_or_default();
            if !ended.is_null() {
                let code = ended
                    .i64_at(&["exitCode"])
                    .and_then(|c| i32::try_from(c).ok())
                    .unwrap_or(0);
                let (host, meter) = programs::machine(image.image, &image.tag, &sandbox);
                let plan = self.plan(&pod, container, &image, own, id, meter);
                let at = Time::parse(ended.get("finishedAt").str()).unwrap_or_default();
                let run = Run::ended_before(host, plan, started(ended), at, code);
                let mut slots = self.slots.borrow_mut();
                let slot = slots.entry(container.name().to_owned()).or_default();
                slot.run = Some(run);
                slot.restarts = known.restart_count();
                slot.was_started = true;
                continue;
            }
            if known.running().is_null() {
                continue;
            }
            let (host, meter, _mounted) = self.machine(&pod, container, &image, &own.env, &sandbox);
            let plan = self.plan(&pod, container, &image, own, id, meter);
            // A program that cannot be started shows in the status like any other.
            let _ = self.launch(container, host, plan, started(known.running()));
            if let Some(slot) = self.slots.borrow_mut().get_mut(container.name()) {
                slot.restarts = known.restart_count();
                slot.last_state = known.last_terminated().clone();
                slot.started = known.is_started();
                slot.was_started = true;
                slot.ready = known.is_ready();
            }
        }
    }

    /// Ends everything without a word, as a power cut does.
    pub fn discard(&self) {
        for slot in self.slots.borrow_mut().values_mut() {
            slot.tasks.drain(..).for_each(|t| t.abort());
            for run in slot.run.iter().chain(&slot.previous) {
                run.discard();
            }
        }
        *self.place.borrow_mut() = None;
    }
}
