//! What runs in containers: the images that can be pulled, and a model of each program, one file
//! each. A container is a [`Host`](crate::shell::Host) of the shell's; its image's programs are
//! commands on it, so that `kubectl exec` finds them too. May use `net`, `shell`, `sim`; knows
//! neither the API server nor the kubelet.

mod accounts;
mod agnhost;
mod api_client;
mod applets;
mod bootcamp;
mod catalog;
mod generic;
mod hello;
mod httpd;
mod ingress_nginx;
mod meter;
mod mysql;
mod nginx;
mod os_release;
mod packages;
mod perl;
mod redis;
mod stress;
mod system;
mod web;
mod webapp_color;

use core::net::Ipv4Addr;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::LocalBoxFuture;

pub use accounts::debian_accounts;
pub use catalog::{IMAGES, Image, Lookup, find};
pub use meter::Meter;
pub use os_release::debian as debian_release;

use crate::flat::FlatMap;
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{Listener, Network, NoAnswer, Origin, Protocol};
use crate::shell::{Commands, Context, Dialect, Disposition, Files, Host, Process, SIGINT, SIGQUIT, SIGTERM};
use crate::sim::{Sim, Time};

/// What answers on a port of a pod.
pub trait Service {
    /// Answers an HTTP request, or says why not.
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>>;

    /// Answers bytes of another protocol; `None` when it does not understand them.
    fn exchange(&self, _bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        Box::pin(std::future::ready(None))
    }
}

/// A [`Service`] that is an async function from request to response.
struct HttpFn<F>(F);

impl<F, R> Service for HttpFn<F>
where
    F: Fn(HttpRequest) -> R,
    R: Future<Output = HttpResponse> + 'static,
{
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let answer = (self.0)(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

/// A port that takes connections and understands nothing that the simulation can say.
struct Deaf;

impl Service for Deaf {
    fn http(&self, _request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        Box::pin(std::future::ready(Err(NoAnswer::NotHttp(None))))
    }
}

/// The ports of a pod on which its processes listen.
#[derive(Default)]
pub struct Ports {
    open: RefCell<FlatMap<(Protocol, u16), Open>>,
    next: Cell<u64>,
}

struct Open {
    id: u64,
    service: Rc<dyn Service>,
    /// Of the container whose process listens.
    meter: Rc<Meter>,
}

impl Ports {
    /// What listens on a TCP port, and who pays for its answers.
    fn find(&self, port: u16) -> Option<(Rc<dyn Service>, Rc<Meter>)> {
        let open = self.open.borrow();
        open.get(&(Protocol::Tcp, port))
            .map(|o| (o.service.clone(), o.meter.clone()))
    }
}

impl Listener for Ports {
    fn accepts(&self, protocol: Protocol, port: u16) -> bool {
        self.open.borrow().contains_key(&(protocol, port))
    }

    fn http(&self, port: u16, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let found = self.find(port);
        Box::pin(async move {
            let (service, meter) = found.ok_or(NoAnswer::NotHttp(None))?;
            meter.work().await;
            service.http(request).await
        })
    }

    fn exchange(&self, port: u16, bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        let found = self.find(port);
        Box::pin(async move {
            let (service, meter) = found?;
            meter.work().await;
            service.exchange(bytes).await
        })
    }
}

/// An open port. Dropping it closes the port, as the end of a process does.
pub struct Listening {
    ports: Rc<Ports>,
    key: (Protocol, u16),
    id: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let gone = {
            let mut open = self.ports.open.borrow_mut();
            if open.get(&self.key).is_some_and(|o| o.id == self.id) {
                open.remove(&self.key)
            } else {
                None
            }
        };
        // A service may own another listener: dropped outside the borrow.
        drop(gone);
    }
}

/// Another process of the pod listens on the port already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address already in use")]
pub struct AddressInUse;

/// What the containers of one pod share: its name, its place in the network and its open ports.
#[derive(Clone)]
pub struct Sandbox {
    pub sim: Sim,
    pub network: Network,
    pub origin: Origin,
    pub node: Rc<str>,
    pub namespace: Rc<str>,
    pub pod: Rc<str>,
    pub hostname: String,
    pub ports: Rc<Ports>,
    /// Measures the container that this copy of the sandbox was made for.
    pub meter: Rc<Meter>,
}

impl Sandbox {
    /// Listens on a port of the pod.
    ///
    /// # Errors
    /// When another process of the pod listens there.
    pub fn listen(
        &self,
        protocol: Protocol,
        port: u16,
        service: impl Service + 'static,
    ) -> Result<Listening, AddressInUse> {
        let mut open = self.ports.open.borrow_mut();
        if open.contains_key(&(protocol, port)) {
            return Err(AddressInUse);
        }
        let id = self.ports.next.get();
        self.ports.next.set(id + 1);
        open.insert(
            (protocol, port),
            Open {
                id,
                service: Rc::new(service),
                meter: self.meter.clone(),
            },
        );
        Ok(Listening {
            ports: self.ports.clone(),
            key: (protocol, port),
            id,
        })
    }

    /// Serves HTTP on a TCP port with an async function.
    ///
    /// # Errors
    /// When another process of the pod listens there.
    pub fn serve<F, R>(&self, port: u16, f: F) -> Result<Listening, AddressInUse>
    where
        F: Fn(HttpRequest) -> R + 'static,
        R: Future<Output = HttpResponse> + 'static,
    {
        self.listen(Protocol::Tcp, port, HttpFn(f))
    }

    /// The pod's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.origin.ip
    }
}

/// Whether a name is meant by a pattern with at most one `*`.
fn is_meant(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

/// When the files of all images were made: the same in each container.
const IMAGE_DATE: Time = Time(1_761_653_110_000_000);

/// Makes a container's machine from its image: its files, its commands and its programs; and what
/// measures it.
pub fn machine(image: &Image, tag: &str, sandbox: &Sandbox) -> (Host, Rc<Meter>) {
    let meter = Meter::new(&sandbox.sim, image.name());
    let sandbox = &Rc::new(Sandbox {
        meter: meter.clone(),
        ..sandbox.clone()
    });
    let files = Files::with_base(&sandbox.sim);
    let shell = image.shell(tag);
    let mut commands = match shell {
        Shell::None => Commands::new(),
        _ => Commands::with_tools(),
    };
    let origin = sandbox.origin.clone();
    let from: crate::net::tools::From = Rc::new(move || origin.clone());
    crate::net::tools::register(&mut commands, &image.network_tools(tag), &sandbox.network, &from);
    if shell.dialect() == Dialect::Busybox {
        if let Some(sh) = commands.get("sh") {
            commands.add_boxed("/bin/ash", sh);
        }
        let number = tag
            .split('-')
            .next()
            .filter(|n| shell == Shell::Busybox && n.split('.').count() == 3);
        applets::add_busybox(number.unwrap_or("1.37.0"), &mut commands);
        if !image.has_bash() {
            commands.remove("bash");
        }
    }
    if shell == Shell::Busybox {
        applets::add(sandbox, &mut commands);
        for dir in ["/media", "/mnt", "/opt", "/run", "/sbin", "/srv"] {
            let _ = files.remove_all(dir);
        }
        let _ = files.symlink("lib", "/lib64");
    }
    // A write into a fresh file system fails at its limits only; the container then lacks the file.
    os_release::put(image, tag, shell, &files);
    if shell != Shell::None {
        let [passwd, group] = image.accounts(tag);
        let _ = files.put("/etc/passwd", passwd);
        let _ = files.put("/etc/group", group);
    }
    packages::add(shell, sandbox, &mut commands);
    let _ = files.make_dirs(image.workdir);
    (image.install)(image, tag, sandbox, &mut commands, &files);
    generic::add_named(image, sandbox, &mut commands);
    let host = Host::new(&sandbox.sim, &sandbox.hostname, files, commands, shell.dialect());
    host.files().date_all(IMAGE_DATE);
    let _ = host.files().put("/etc/hostname", format!("{}\n", sandbox.hostname));
    let measured = meter.clone();
    host.set_meter(move |time| measured.spend(time));
    (host, meter)
}

/// Which shell and tools an image brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// None: an image with nothing but its program (`FROM scratch`, distroless).
    None,
    /// busybox, and nothing else.
    Busybox,
    /// Alpine Linux: busybox's tools.
    Alpine,
    /// Debian or Ubuntu: dash as `sh`, and bash.
    Debian,
}

impl Shell {
    fn dialect(self) -> Dialect {
        match self {
            Shell::Busybox | Shell::Alpine => Dialect::Busybox,
            Shell::None | Shell::Debian => Dialect::Dash,
        }
    }
}

impl Image {
    /// Which shell a tag has: most images have a variant on Alpine.
    fn shell(&self, tag: &str) -> Shell {
        match self.shell {
            Shell::Debian if tag.contains("alpine") => Shell::Alpine,
            shell => shell,
        }
    }

    /// Whether an image with busybox's tools has bash besides.
    fn has_bash(&self) -> bool {
        self.cmd.iter().any(|word| word.ends_with("bash")) || self.name().contains("netshoot")
    }

    /// The network's tools that the image has. Debian's images get curl and wget, which most real
    /// ones lack.
    fn network_tools(&self, tag: &str) -> Vec<&'static str> {
        const BUSYBOX: [&str; 8] = [
            "wget",
            "ping.busybox",
            "nc.busybox",
            "telnet",
            "ip.busybox",
            "ifconfig",
            "netstat",
            "nslookup.busybox",
        ];
        let name = self.name();
        let is = |names: &[&str]| names.iter().any(|n| name.contains(n));
        if is(&["netshoot", "dnsutils", "multitool", "agnhost"]) {
            return vec![
                "curl", "wget", "nslookup", "dig", "host", "ping", "nc", "telnet", "ip", "ifconfig", "netstat", "ss",
            ];
        }
        let shell = self.shell(tag);
        let mut tools = match shell {
            Shell::None if name == "kube-proxy" => vec!["iptables", "iptables-save"],
            Shell::None => Vec::new(),
            Shell::Debian => vec!["curl", "wget"],
            Shell::Busybox | Shell::Alpine => BUSYBOX.to_vec(),
        };
        // nginx's and most servers' Alpine variants bring curl.
        let server = shell == Shell::Alpine && self.cmd.first() != Some(&"/bin/sh");
        if shell == Shell::Debian || shell == Shell::Alpine {
            tools.push("getent");
        }
        if server || (self.shell == Shell::Busybox && is(&["curl", "busyboxplus"])) {
            tools.push("curl");
        }
        // Busybox asked its C library for names up to 1.28.
        let minor = tag
            .strip_prefix("1.")
            .and_then(|t| t.split(['.', '-']).next()?.parse().ok());
        let old = minor.is_some_and(|m: u32| m < 29) || is(&["busyboxplus"]);
        if self.shell == Shell::Busybox && old {
            tools.retain(|t| *t != "nslookup.busybox");
            tools.push("nslookup.old");
        }
        tools
    }
}

/// Adds the programs of an image's tag to its commands and files.
pub type Install = fn(&Image, &str, &Rc<Sandbox>, &mut Commands, &Files);

/// Registers a program that is given the pod's sandbox besides its context.
fn program<F, R>(commands: &mut Commands, path: &str, sandbox: &Rc<Sandbox>, run: F)
where
    F: Fn(Context, Rc<Sandbox>) -> R + 'static,
    R: Future<Output = i32> + 'static,
{
    let sandbox = sandbox.clone();
    commands.add(path, move |context| run(context, sandbox.clone()));
}

/// Catches SIGTERM, SIGINT and SIGQUIT, and waits for the first of them: its number.
async fn until_stopped(process: &Process) -> i32 {
    until_signal(process, &[SIGTERM, SIGINT, SIGQUIT]).await
}

/// Catches these signals, and waits for the first of them: its number.
async fn until_signal(process: &Process, signals: &[i32]) -> i32 {
    for signal in signals {
        process.set_disposition(*signal, Some(Disposition::Handle));
    }
    process.next_signal().await
}

/// A time as HTTP's `Date` header writes it: `Sat, 21 Nov 2026 08:55:19 GMT`.
fn http_date(time: Time) -> String {
    time.rfc1123().replace("+0000", "GMT")
}

/// A time as access logs write it: `21/Nov/2026:08:55:19 +0000`.
fn log_date(time: Time) -> String {
    // RFC 1123 has the same parts in another order: `Sat, 21 Nov 2026 08:55:19 +0000`.
    let text = time.rfc1123();
    let parts: Vec<&str> = text.split(' ').collect();
    match parts.as_slice() {
        [_, day, month, year, clock, zone] => format!("{day}/{month}/{year}:{clock} {zone}"),
        _ => text,
    }
}

/// A time as nginx's error log and Go's `log` package write it: `2026/11/21 08:55:19`.
fn slash_date(time: Time) -> String {
    let c = time.civil();
    format!(
        "{:04}/{:02}/{:02} {:02}:{:02}:{:02}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// A time as klog writes it, with the letter of its level: `I1121 08:55:19.000042`.
fn klog(level: char, time: Time) -> String {
    let c = time.civil();
    format!(
        "{level}{:02}{:02} {:02}:{:02}:{:02}.{:06}",
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        time.0 % 1_000_000
    )
}

/// The client's address of a request, for logs.
fn peer(request: &HttpRequest) -> String {
    request
        .client
        .map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string())
}

/// The path of a request without its query.
fn path_of(request: &HttpRequest) -> &str {
    request.path.split(['?', '#']).next().unwrap_or("/")
}

/// A line of the common access log with referer and user agent ("combined").
fn combined_log(request: &HttpRequest, status: u16, bytes: usize, now: Time) -> String {
    format!(
        "{} - - [{}] \"{} {} HTTP/1.1\" {status} {bytes} \"{}\" \"{}\"",
        peer(request),
        log_date(now),
        request.method,
        request.path,
        request.header("Referer").unwrap_or("-"),
        request.header("User-Agent").unwrap_or("-"),
    )
}

/// The media type that web servers give a file by its name.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "application/javascript",
        "json" => "application/json",
        "txt" | "conf" | "log" => "text/plain",
        "xml" => "text/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}

/// A stable pseudo-random number of a text (FNV-1a): for digests and what else must not change.
fn stable_hash(text: &str, seed: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for b in text.bytes() {
        hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    }
    // FNV mixes its last bytes badly: finish as splitmix64 does.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// 64 stable hexadecimal digits of a text.
pub fn stable_digest(text: &str) -> String {
    (0..4).map(|i| format!("{:016x}", stable_hash(text, i))).collect()
}

/// The last part of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Becomes another program, as `exec` does: the same process, descriptors and directory.
async fn exec_as(mut context: Context, args: Vec<String>) -> i32 {
    let name = args.first().cloned().unwrap_or_default();
    match context.host.find(&name, &context.env, &context.cwd) {
        Ok(program) => {
            context.process.set_command(&args.join(" "));
            context.args = args;
            program.run(context).await
        }
        Err(_) => {
            context
                .stderr
                .line(format!("{}: exec: {name}: not found", context.name()));
            127
        }
    }
}
