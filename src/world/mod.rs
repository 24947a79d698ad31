//! A whole world: the cluster's parts around one API server, and the host that a student types on.

mod control_plane;
mod downloads;
mod gateway;
mod input;
mod scenario;
#[cfg(not(target_arch = "wasm32"))]
pub mod simulated;
mod snapshot;
mod system;
mod tools;

pub use input::{Finished, Input, replay};
pub use scenario::{Scenario, ScenarioError, Step};
pub use snapshot::make as make_snapshot;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;

use self::control_plane::ControlPlane;
use crate::api::{ApiServer, Client, Status, User, auth};
use crate::controllers;
use crate::kubelet::Kubelets;
use crate::net::{Mode, Network};
use crate::pki::Authority;
use crate::shell::{Dialect, Files, Host, Terminal};
use crate::sim::{Journal, Sim, Time};
use crate::value::Value;

/// The host that terminals are on.
pub const HOST: &str = "k8s-master";

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Every random choice follows from it.
    pub seed: u64,
    /// The virtual time that the world begins at.
    pub start: Time,
    /// How kube-proxy chooses endpoints.
    pub proxy_mode: Mode,
    /// Whether kubelets run pods.
    pub kubelet: bool,
    /// Whether the scheduler runs.
    pub scheduler: bool,
    /// Whether the controllers run.
    pub controllers: bool,
    /// Whether the world begins with no more than what kube-apiserver and kube-controller-manager make
    /// by themselves: no node, no add-on, and the API server's own service range.
    pub bare: bool,
    /// How requests are authorized.
    pub authorization: auth::rbac::Mode,
    /// Admission plugins that are switched off.
    pub disabled_admission: Vec<String>,
    /// The authority that signs certificates; `None` for the snapshot's own.
    pub authority: Option<Authority>,
}

/// 2026-01-01T08:00:00Z: where a world begins when nobody says when.
const START: Time = Time::from_secs(1_767_254_400);

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            start: START,
            proxy_mode: Mode::Iptables,
            kubelet: true,
            scheduler: true,
            controllers: true,
            bare: false,
            authorization: auth::rbac::Mode::NodeRbac,
            disabled_admission: Vec::new(),
            authority: None,
        }
    }
}

struct Inner {
    options: Options,
    journal: RefCell<Journal<Input>>,
    /// The terminal, once one was opened.
    terminal: RefCell<Option<Terminal>>,
    /// Inputs that have begun and not ended.
    commands: Rc<Cell<usize>>,
    /// Ends the editor that a program of the terminal waits for.
    editing: Rc<RefCell<Option<oneshot::Sender<()>>>>,
    sim: Sim,
    api: ApiServer,
    network: Network,
    host: Host,
    jq: crate::shell::jq::Engine,
    kustomize: crate::kubectl::kustomize::Engine,
    kubelets: Option<Kubelets>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(kubelets) = &self.kubelets {
            kubelets.running().iter().for_each(|node| kubelets.stop(node));
        }
        self.sim.end();
    }
}

/// A world. Clones are handles; with the last one everything in it ends.
#[derive(Clone)]
pub struct World(Rc<Inner>);

impl World {
    /// Boots a world from the snapshot of a fresh cluster.
    ///
    /// # Errors
    /// When the snapshot cannot be stored, which a test excludes.
    pub fn new(options: &Options) -> Result<World, Status> {
        let sim = Sim::new(options.seed, options.start);
        let api = ApiServer::new(&sim);
        if let Some(authority) = &options.authority {
            api.set_authority(authority.clone());
        }
        let mode = options.proxy_mode;
        let keep = |object: &Value| !options.bare || snapshot::of_control_plane(object);
        snapshot::restore(&api, keep, |object| {
            if options.bare {
                snapshot::to_default_range(object);
            }
            // The playground's kube-proxy runs in another mode than kubeadm's default.
            let is_config =
                object.str_at(&["kind"]) == "ConfigMap" && object.str_at(&["metadata", "name"]) == "kube-proxy";
            if is_config && let Mode::Ipvs(_) = mode {
                let config = object
                    .str_at(&["data", "config.conf"])
                    .replace("mode: \"\"", "mode: \"ipvs\"");
                object.set(&["data", "config.conf"], config);
            }
        })?;
        api.authorizer().set_mode(options.authorization);
        for plugin in &options.disabled_admission {
            api.admission().switch(plugin, false);
        }
        let network = Network::start(&api, mode)?;
        gateway::open(&network, &api);
        // They run as long as the API server, which is as long as the world.
        controllers::start_in_server(&api);
        let programs = ControlPlane::start(&api, options.controllers, options.scheduler);
        let files = Files::with_base(&sim);
        // A fresh file system has room for it. The key in it takes long to make.
        let config = crate::kubectl::admin_kubeconfig();
        for path in ["/root/.kube/config", "/etc/kubernetes/admin.conf"] {
            let _ = files.put(path, config.as_str());
            let _ = files.set_mode(path, 0o600);
        }
        if let Some(authority) = api.authority() {
            let _ = files.put("/etc/kubernetes/pki/ca.crt", authority.to_pem());
            let key = "/etc/kubernetes/pki/ca.key";
            let _ = files.generate(key, move || authority.key().to_traditional_pem().into_bytes());
            let _ = files.set_mode(key, 0o600);
        }
        let mut machines = Vec::new();
        // Each node knows the others by name.
        let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n".to_owned();
        let nodes = api.store().list("nodes", "");
        for node in &nodes {
            let addresses = node.status().get("addresses").items();
            if let Some(ip) = addresses.iter().find(|a| a.str_at(&["type"]) == "InternalIP") {
                hosts.push_str(&format!("{}\t{}\n", ip.str_at(&["address"]), node.name()));
            }
        }
        let kubelets = if options.kubelet {
            let kubelets = Kubelets::new(&api, &network)?;
            kubelets.on_program(move |component, runs| programs.switch(component, runs));
            let kubelet_config = system::kubelet_config(&api);
            let [passwd, group] = crate::programs::debian_accounts();
            for object in &nodes {
                let node = object.name();
                let id = object.status().str_at(&["nodeInfo", "machineID"]);
                // Each node has files of its own; the terminals' host is one of the nodes.
                let own = if node == HOST {
                    files.clone()
                } else {
                    Files::with_base(&sim)
                };
                for (path, text) in [
                    ("/etc/hosts", hosts.clone()),
                    (
                        "/etc/resolv.conf",
                        format!("nameserver {}\n", crate::kubelet::etc::NODE_DNS),
                    ),
                    ("/etc/passwd", passwd.clone()),
                    ("/etc/group", group.clone()),
                    ("/etc/os-release", crate::programs::debian_release("12")),
                    (
                        "/root/.bashrc",
                        "# ~/.bashrc: executed by bash(1) for non-login shells.\n".to_owned(),
                    ),
                    ("/proc/sys/kernel/hostname", format!("{node}\n")),
                    ("/etc/hostname", format!("{node}\n")),
                    ("/etc/machine-id", format!("{id}\n")),
                    ("/var/lib/kubelet/config.yaml", kubelet_config.clone()),
                ] {
                    let _ = own.put(path, text);
                }
                if let Some((subnet, _)) = object.spec().get("podCIDR").str().rsplit_once('.') {
                    system::write_files(&api, &own, subnet);
                }
                kubelets.write_manifests(node, &own);
                kubelets.start(node, &own);
                machines.push((node.to_owned(), own));
            }
            Some(kubelets)
        } else {
            None
        };
        let mut commands = tools::commands_of(HOST, &network, options.start);
        let kustomize = crate::kubectl::kustomize::engine(&sim);
        tools::kubectl(&mut commands, &api, &network, &kustomize);
        tools::minikube(&mut commands);
        let jq = crate::shell::jq::engine(&sim);
        tools::jq(&mut commands, &jq);
        if let Some(kubelets) = &kubelets {
            kubelets.set_kubectl(tools::kubectl_of_pods(&api, &kustomize));
            tools::ssh(&mut commands, &network, machines, kubelets, options.start);
        }
        let host = Host::new(&sim, HOST, files, commands, Dialect::Bash);
        tools::completion(&host, &api);
        let docs = api.docs().clone();
        host.set_downloads(move |url| {
            let docs = docs.clone();
            async move { downloads::find(&docs, &url).await }.boxed_local()
        });
        let world = World(Rc::new(Inner {
            options: options.clone(),
            journal: RefCell::new(Journal::new(options.seed, options.start)),
            terminal: RefCell::default(),
            commands: Rc::default(),
            editing: Rc::default(),
            sim,
            api,
            network,
            host,
            jq,
            kustomize,
            kubelets,
        }));
        // The first lists arrive, so that the parts begin with what is there.
        world.0.sim.run_for(Duration::from_millis(10));
        Ok(world)
    }

    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    pub fn api(&self) -> &ApiServer {
        &self.0.api
    }

    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// The kubelets, when they run.
    pub fn kubelets(&self) -> Option<&Kubelets> {
        self.0.kubelets.as_ref()
    }

    /// The host that the student's terminals are on.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// What runs the programs of `jq`: where this build does not hold it, somebody has to bring it.
    pub fn jq(&self) -> &crate::shell::jq::Engine {
        &self.0.jq
    }

    /// What builds kustomizations: where this build does not hold it, somebody has to bring it.
    pub fn kustomize(&self) -> &crate::kubectl::kustomize::Engine {
        &self.0.kustomize
    }

    /// A client that acts as the cluster's administrator.
    pub fn client(&self, name: &str) -> Client {
        Client::new(&self.0.api, name, User::admin())
    }

    /// Waits until no workload object has changed for 2 s of virtual time, 60 s at most. It looks as a
    /// script does that lists them again and again, so a change counts from when it is seen.
    pub async fn settle(&self) {
        const SHELVES: [&str; 6] = [
            "pods",
            "replicasets.apps",
            "deployments.apps",
            "statefulsets.apps",
            "daemonsets.apps",
            "jobs.batch",
        ];
        let store = self.api().store();
        let mut seen = store.revision();
        let mut quiet_since = self.sim().now();
        let end = quiet_since + Duration::from_secs(60);
        while self.sim().now() < end && self.sim().now().since(quiet_since) < Duration::from_secs(2) {
            self.sim().sleep(Duration::from_millis(700)).await;
            let changed = SHELVES
                .iter()
                .any(|s| !matches!(store.changes(s, seen, 1), Ok(c) if c.is_empty()));
            if changed {
                quiet_since = self.sim().now();
            }
            seen = store.revision();
        }
    }
}

/// What tests of this folder share.
#[cfg(test)]
mod testing {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::{Options, Scenario, World};
    use crate::sim::Time;

    /// What a scenario prints in a fresh world, without its files.
    pub fn printed(steps: &str) -> String {
        let world = World::new(&Options::default()).unwrap();
        let scenario = Scenario::parse(steps).unwrap();
        let printed = Rc::new(RefCell::new(String::new()));
        let (w, out) = (world.clone(), printed.clone());
        let run = async move { scenario.run(&w, move |text| out.borrow_mut().push_str(text)).await };
        world.sim().run_future(run, Time(u64::MAX)).unwrap();
        printed.take()
    }
}
