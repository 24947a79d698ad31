//! The start of one container: its machine with files and environment, its plan, its processes' limits.

use std::rc::Rc;
use std::time::Duration;

use super::super::container::{Plan, Run};
use super::super::env::Variables;
use super::super::images::Local;
use super::super::probes::{self, Kind};
use super::super::volumes;
use super::super::{env, etc, proc, status};
use super::{CAPABILITIES, Worker, formatted};
use crate::api::Object;
use crate::api::events::EventType;
use crate::api::views::{Container, Pod, Resources};
use crate::flat::{Arrange, FlatSet};
use crate::programs::{self, Meter, Sandbox};
use crate::shell::{Env, Files, Host};
use crate::sim::{ContainerChange, TaskHandle, Time};
use crate::value::Value;

/// Why a container may not run as the user that it would have, when it is to run as none with root's rights
/// (`verifyRunAsNonRoot`).
fn breaks_non_root(pod: &Object, container: Container, image: &Local) -> Option<String> {
    let asked = |spec: &Value| spec.at(&["securityContext", "runAsNonRoot"]).as_bool();
    if asked(container.value()).or_else(|| asked(pod.spec())) != Some(true) {
        return None;
    }
    let image = image.image;
    let place = format!("(pod: \"{}\", container: {})", formatted(pod), container.name());
    match status::secured(pod, container.value(), "runAsUser") {
        Some(0) => Some(format!("container's runAsUser breaks non-root policy {place}")),
        Some(_) => None,
        None if !image.user.is_empty() => Some(format!(
            "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root {place}",
            image.user
        )),
        None if image.uid == 0 => Some(format!("container has runAsNonRoot and image will run as root {place}")),
        None => None,
    }
}

/// The home of a user, as the image's `/etc/passwd` names it.
fn home(uid: i64, image: &Local) -> String {
    match uid {
        0 => "/root",
        uid if uid == image.image.uid => image.image.home,
        _ => "/",
    }
    .to_owned()
}

/// Gives a container's machine its user, and takes the right to write from it where the container is to have none.
fn confine(pod: &Object, container: Container, image: &Local, host: &Host) {
    let spec = container.value();
    let mut user = status::user(pod, spec, image);
    user.groups.extend(status::groups_of_image(pod, user.uid, image));
    user.groups.arrange();
    user.groups.dedup();
    let read_only = spec.bool_at(&["securityContext", "readOnlyRootFilesystem"]);
    if read_only || user.uid != 0 {
        // The file of the termination message lies elsewhere, and anybody may write it.
        let path = spec.get("terminationMessagePath").str();
        let message = Files::new(host.sim());
        let made = message.write("/log", "").and_then(|()| message.set_mode("/log", 0o666));
        if made.is_ok() && !path.is_empty() {
            let _ = host.files().mount(path, &message, "/log");
        }
    }
    let (uid, capabilities) = (user.uid, capabilities(spec));
    user.lacks = !capabilities;
    let status = move || {
        let held = if uid == 0 { capabilities } else { 0 };
        format!(
            "Name:\tinit\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
             CapInh:\t{:016x}\nCapPrm:\t{held:016x}\nCapEff:\t{held:016x}\nCapBnd:\t{capabilities:016x}\nCapAmb:\t{:016x}\n",
            0, 0
        )
        .into_bytes()
    };
    let processes = Rc::downgrade(&host.processes());
    let command = move || {
        let first = processes
            .upgrade()
            .and_then(|p| p.list().into_iter().find(|p| p.pid() == 1));
        first.map_or_else(Vec::new, |process| {
            (process.command().replace(' ', "\0") + "\0").into_bytes()
        })
    };
    let _ = host.files().generate("/proc/1/cmdline", command);
    if host.files().generate("/proc/1/status", status).is_ok() {
        let _ = host.files().symlink("1", "/proc/self");
    }
    host.files().set_read_only(read_only);
    host.set_user(user);
}

/// The capabilities that a container may have: containerd's usual ones, what its security context adds and drops.
pub(super) fn capabilities(spec: &Value) -> u64 {
    const USUAL: u64 = 0xa804_25fb;
    const ALL: u64 = (1 << 41) - 1;
    let context = spec.get("securityContext");
    if context.bool_at(&["privileged"]) {
        return ALL;
    }
    let bits = |which: &str| {
        let names = context.at(&["capabilities", which]).items().iter();
        names.fold(0, |bits, name| {
            let name = name.str().trim_start_matches("CAP_");
            let place = CAPABILITIES.split_whitespace().position(|c| c == name);
            bits | if name == "ALL" {
                ALL
            } else {
                place.map_or(0, |p| 1 << p)
            }
        })
    };
    let (added, dropped) = (bits("add"), bits("drop"));
    match (added, dropped) {
        (ALL, dropped) => ALL & !dropped,
        (added, ALL) => added,
        (added, dropped) => (USUAL | added) & !dropped,
    }
}

impl Worker {
    pub(super) async fn start(self: &Rc<Self>, pod: &Object, container: Container<'_>) -> Result<(), (String, String)> {
        let name = container.name().to_owned();
        let mounts = container.value().get("volumeMounts").items();
        let mut missing = None;
        for mount in mounts {
            let found = self.image_volumes.borrow().get(mount.get("name").str()).cloned();
            if let Some(Err(why)) = found {
                self.failed(&name, &why.0);
                missing = Some(why);
            }
        }
        if let Some(why) = missing {
            return Err(why);
        }
        let image = self.image(pod, container).await?;
        let config = |message: String| {
            self.failed(&name, &message);
            ("CreateContainerConfigError".to_owned(), message)
        };
        let own = self.environment(pod, container).map_err(config)?;
        for mount in mounts {
            let missing = env::missing_in(mount.get("subPathExpr").str(), &own.env);
            if !missing.is_empty() {
                return Err(config(format!("missing value for {}", missing.join(", "))));
            }
        }
        if let Some(why) = breaks_non_root(pod, container, &image) {
            return Err(config(why));
        }
        let Some(sandbox) = self.sandbox() else {
            return Err(("ContainerCreating".into(), String::new()));
        };
        let (host, meter, mounted) = self.machine(pod, container, &image, &own.env, &sandbox);
        let barred = mounted.map_err(config)?;
        self.sim().sleep(Duration::from_millis(40)).await;
        let restart = self
            .slots
            .borrow()
            .get(&name)
            .is_some_and(|s| s.run.is_some() || s.restarts > 0);
        self.container_event(&name, EventType::Normal, "Created", "Container created");
        self.trace(&name, ContainerChange::Created);
        self.sim().sleep(Duration::from_millis(60)).await;
        let mut plan = self.plan(pod, container, &image, own, self.random_id(), meter);
        plan.barred = barred;
        let result = self.launch(container, host, plan, self.sim().now());
        if let Some(slot) = self.slots.borrow_mut().get_mut(&name)
            && restart
        {
            slot.restarts += 1;
            let now = self.sim().now();
            let event = slot.previous.as_ref().and_then(|p| p.ended()).map_or(now, |e| e.at);
            slot.restart_series.next(event, now);
        }
        if let Err(message) = result {
            self.failed(&name, &message);
            self.trace(&name, ContainerChange::Exited(128));
            return Err(("RunContainerError".into(), message));
        }
        self.container_event(&name, EventType::Normal, "Started", "Container started");
        self.post_start(pod, container).await
    }

    /// A container's machine, what measures it, and what [`volumes::mount`] says.
    pub(super) fn machine(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        env: &Env,
        sandbox: &Sandbox,
    ) -> (Host, Rc<Meter>, Result<Option<String>, String>) {
        let (host, meter) = programs::machine(image.image, &image.tag, sandbox);
        self.furnish(pod, &host);
        if image.image.has_kubectl()
            && let Some(kubectl) = &*self.node.shared.kubectl.borrow()
        {
            let kubectl = kubectl.clone();
            host.add("/usr/local/bin/kubectl", move |context| kubectl(context));
        }
        if let Some(other) = self.process_namespace(pod, container) {
            host.share_processes(&other.host);
        } else if pod.spec().bool_at(&["shareProcessNamespace"]) {
            // Process 1 of a namespace that the pod's containers share is the sandbox's.
            host.join_processes();
        }
        let allocatable = proc::kib(self.node_allocatable().str_at(&["memory"]));
        proc::container(pod, container, host.files(), (&self.node.files, allocatable), &meter);
        let volumes = self.volumes.borrow().clone();
        let mounted = volumes.map_or(Ok(None), |v| {
            volumes::mount(pod, &v, container.value(), env, host.files())
        });
        confine(pod, container, image, &host);
        (host, meter, mounted)
    }

    /// Gives a container's machine the files that the pod's containers share.
    fn furnish(&self, pod: &Object, host: &Host) {
        let Some(sandbox) = self.sandbox() else { return };
        let spec = pod.spec();
        let ip = sandbox.ip().to_string();
        let short = match spec.get("hostnameOverride").str() {
            "" => sandbox.hostname.split('.').next().unwrap_or_default(),
            _ => sandbox.hostname.as_str(),
        };
        let name = etc::Name {
            ip: &ip,
            host: short,
            host_network: Pod(pod).host_network(),
            in_cluster: sandbox.origin.search.is_some(),
        };
        // A file system that is full lacks the files.
        let files = host.files();
        let _ = files.write("/etc/hosts", etc::hosts(pod, &name, &self.node.files));
        let _ = files.write("/etc/resolv.conf", etc::resolv(pod, &name, &self.node.files));
    }

    /// A running container whose processes this one sees: the target of an ephemeral container, or
    /// any of a pod that shares its process namespace.
    fn process_namespace(&self, pod: &Object, container: Container<'_>) -> Option<Rc<Run>> {
        let target = container.value().get("targetContainerName").str();
        if !target.is_empty() {
            return self.run_of(target, false).filter(|r| r.is_running());
        }
        if !pod.spec().bool_at(&["shareProcessNamespace"]) {
            return None;
        }
        let slots = self.slots.borrow();
        let mut runs = slots.values().filter_map(|s| s.run.clone());
        runs.find(|r| r.is_running())
    }

    /// What a container runs, with the environment that its spec says.
    pub(super) fn plan(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        own: Variables,
        id: String,
        meter: Rc<Meter>,
    ) -> Plan {
        let value = container.value();
        let words = |field: &str| -> Vec<String> {
            value
                .get(field)
                .items()
                .iter()
                .map(|w| env::expand(w.str(), &own.env))
                .collect()
        };
        let strings = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (command, args) = (words("command"), words("args"));
        let mut argv = if command.is_empty() {
            strings(image.image.entrypoint)
        } else {
            command.clone()
        };
        if args.is_empty() && command.is_empty() {
            argv.extend(strings(image.image.cmd));
        } else {
            argv.extend(args);
        }
        let cwd = match value.get("workingDir").str() {
            "" => image.image.workdir,
            dir => dir,
        };
        let most = Resources::read(value.at(&["resources", "limits"]));
        let most = |resource: &str| u64::try_from(most.get(resource)).unwrap_or(0);
        let (env, variables) = self.whole_environment(pod, container, image, own);
        Plan {
            id,
            image: image.clone(),
            spec_image: container.image().to_owned(),
            args: argv,
            env,
            variables,
            cwd: cwd.to_owned(),
            stdin: value.bool_at(&["stdin"]),
            tty: value.bool_at(&["tty"]),
            message_path: value.get("terminationMessagePath").str().to_owned(),
            message_from_log: value.get("terminationMessagePolicy").str() == "FallbackToLogsOnError",
            meter,
            barred: None,
            limits: (most("cpu"), most("memory")),
        }
    }

    /// Starts a run and puts it into its slot, with its probes.
    pub(super) fn launch(
        self: &Rc<Self>,
        container: Container,
        host: Host,
        plan: Plan,
        started: Time,
    ) -> Result<(), String> {
        let name = container.name().to_owned();
        let (weak, of) = (Rc::downgrade(self), name.clone());
        let (run, result) = Run::start(self.sim(), host, plan, started, move || {
            if let Some(worker) = weak.upgrade() {
                worker.ended(&of);
            }
        });
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(name.clone()).or_default();
        slot.tasks.drain(..).for_each(|t| t.abort());
        if slot.run.is_some() {
            slot.previous = slot.run.take();
        }
        slot.run = Some(run.clone());
        slot.kill = None;
        slot.started = container.probe("startupProbe").is_none();
        slot.was_started |= slot.started;
        slot.ready = container.probe("readinessProbe").is_none();
        if result.is_ok() {
            for kind in Kind::ALL {
                if let Some(probe) = container.probe(kind.field()) {
                    let future = probes::watch(self.clone(), name.clone(), run.clone(), kind, probe.clone());
                    slot.tasks.push(self.sim().spawn("probe", future));
                }
            }
        }
        let ready = slot.started && slot.ready && result.is_ok();
        drop(slots);
        if result.is_ok() {
            self.trace(&name, ContainerChange::Started);
            if ready {
                self.trace(&name, ContainerChange::Ready);
            }
        }
        result
    }

    /// A container ended.
    pub(super) fn ended(self: &Rc<Self>, name: &str) {
        let run = self.run_of(name, false);
        let spent = run.as_ref().map_or(0, |r| r.meter.spent());
        self.node.spent.set(self.node.spent.get() + spent);
        let code = run.and_then(|r| r.ended()).map_or(0, |e| e.code);
        let tasks: Vec<TaskHandle> = match self.slots.borrow_mut().get_mut(name) {
            Some(slot) => slot.tasks.drain(..).collect(),
            None => Vec::new(),
        };
        tasks.iter().for_each(TaskHandle::abort);
        self.trace(name, ContainerChange::Exited(code));
        self.relist();
    }

    /// What a container's process has: the runtime's variables, those of the image, and its own, each over the ones
    /// before; and their names as they come (containerd's `WithDefaultPathEnv` and `WithEnv`; `HOME` is runc's).
    fn whole_environment(
        &self,
        pod: &Object,
        container: Container,
        image: &Local,
        own: Variables,
    ) -> (Env, Vec<String>) {
        let user = status::user(pod, container.value(), image);
        let hostname = self.sandbox().map(|s| s.hostname.clone()).unwrap_or_default();
        let mut first = vec![("PATH".to_owned(), String::new()), ("HOSTNAME".to_owned(), hostname)];
        first.extend(image.image.environment(&image.tag));
        if container.value().bool_at(&["tty"]) {
            first.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        // A terminal's and a home come last where nobody sets them.
        let last = ["TERM".to_owned(), "HOME".to_owned()];
        let (mut order, mut known) = (Vec::new(), FlatSet::new());
        for name in first.iter().map(|(name, _)| name).chain(&own.order).chain(&last) {
            if known.insert(name.clone()) {
                order.push(name.clone());
            }
        }
        let mut env: Env = first.into_iter().collect();
        env.extend(own.env);
        env.entry("HOME".into()).or_insert_with(|| home(user.uid, image));
        (env, order)
    }

    /// The environment that the kubelet gives a container: services' variables and what its spec sets. References
    /// see these alone.
    pub(super) fn environment(&self, pod: &Object, container: Container) -> Result<Variables, String> {
        let links = pod.spec().get("enableServiceLinks").as_bool().unwrap_or(true);
        let env = env::services(pod.namespace(), links, |f| {
            self.node.shared.services.each("", |s| f(s));
        });
        let sources = self.node.sources(pod.namespace());
        // fieldRefs read the addresses that the status will show.
        let mut value = pod.value().clone();
        value.set(&["status", "hostIP"], self.node_ip());
        if let Some(ip) = self.pod_ip() {
            value.set(&["status", "podIP"], ip);
        }
        let shown = Object::new(value);
        env::of_spec(&shown, container, &self.node.object(), &sources, env)
    }

    /// Runs `make` with what the volumes of a pod are made from; `claim` gives those of claims.
    pub(super) fn with_origin<R>(
        &self,
        pod: &Object,
        claim: &dyn Fn(&str) -> volumes::Claimed,
        make: impl FnOnce(&volumes::Origin) -> R,
    ) -> R {
        make(&volumes::Origin {
            api: self.node.client.api(),
            pod,
            node: &self.node.object(),
            sources: &self.node.sources(pod.namespace()),
            host: &self.node.files,
            claim,
        })
    }
}
