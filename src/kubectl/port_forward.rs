//! `kubectl port-forward`: ports of this machine that lead to a pod.

use core::net::Ipv4Addr;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::podpick;
use crate::api::client::item;
use crate::api::stream::Forward;
use crate::api::{Payload, Request, Session};
use crate::net::{Attached, HttpRequest, HttpResponse, Listener, Network, NoAnswer, Parsed, Protocol};
use crate::shell::Output;
use crate::sim::{Sim, Time};
use crate::value::{Value, quoted};

const FLAGS: &[Flag] = &[
    flag("address", '\0', Kind::Slice, "[localhost]"),
    flag("pod-running-timeout", '\0', Kind::Duration, "1m0s"),
];

pub static PORT_FORWARD: Verb = Verb {
    name: "port-forward",
    group: "Troubleshooting and Debugging Commands:",
    short: "Forward one or more local ports to a pod",
    flags: &[FLAGS],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// One pair of ports; 0 as the local one is any free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    local: u16,
    remote: u16,
}

/// A port as Go reads an unsigned number of 16 bits.
fn number(text: &str, side: &str) -> Result<u16, Error> {
    text.parse::<u16>().map_err(|_| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let why = if digits { "value out of range" } else { "invalid syntax" };
        Error::plain(format!(
            "error parsing {side} port '{text}': strconv.ParseUint: parsing {}: {why}",
            quoted(text)
        ))
    })
}

fn pair(text: &str) -> Result<Pair, Error> {
    let (local, remote) = match text.split(':').collect::<Vec<_>>().as_slice() {
        [both] => (*both, *both),
        ["", remote] => ("0", *remote),
        [local, remote] => (*local, *remote),
        _ => return Err(Error::plain(format!("invalid port format '{text}'"))),
    };
    let pair = Pair {
        local: number(local, "local")?,
        remote: number(remote, "remote")?,
    };
    if pair.remote == 0 {
        return Err(Error::plain("remote port must be > 0"));
    }
    Ok(pair)
}

/// The local and the remote side of an argument, as texts.
fn sides(text: &str) -> (&str, &str) {
    text.split_once(':').unwrap_or((text, text))
}

/// The number of a pod's named port.
fn named_port(pod: &Value, name: &str) -> Result<(i64, bool), Error> {
    for list in ["containers", "initContainers"] {
        for container in pod.at(&["spec", list]).items() {
            let sidecar = list == "containers" || container.str_at(&["restartPolicy"]) == "Always";
            for port in container.get("ports").items().iter().filter(|_| sidecar) {
                if port.str_at(&["name"]) == name {
                    let number = port.i64_at(&["containerPort"]).unwrap_or(0);
                    return Ok((number, port.str_at(&["protocol"]) == "UDP"));
                }
            }
        }
    }
    Err(Error::plain(format!(
        "Pod '{}' does not have a named port '{name}'",
        pod.str_at(&["metadata", "name"])
    )))
}

fn no_udp(port: &str) -> Error {
    Error::plain(format!("UDP protocol is not supported for {port}"))
}

/// An argument for a pod, with names as numbers.
fn for_pod(pod: &Value, text: &str) -> Result<String, Error> {
    let (local, remote) = sides(text);
    if let Ok(number) = remote.parse::<i64>() {
        // A port that is declared for UDP alone takes no TCP.
        let containers = pod.at(&["spec", "containers"]).items().iter();
        let declared: Vec<&Value> = containers
            .flat_map(|c| c.get("ports").items())
            .filter(|p| p.i64_at(&["containerPort"]) == Some(number))
            .collect();
        if !declared.is_empty() && declared.iter().all(|p| p.str_at(&["protocol"]) == "UDP") {
            return Err(no_udp(remote));
        }
        return Ok(text.to_owned());
    }
    let (number, udp) = named_port(pod, remote)?;
    if udp {
        return Err(no_udp(remote));
    }
    Ok(if local == remote {
        number.to_string()
    } else {
        format!("{local}:{number}")
    })
}

/// An argument for a service: its port becomes the pod's.
fn for_service(service: &Value, pod: &Value, text: &str) -> Result<String, Error> {
    let (local, remote) = sides(text);
    let name = service.str_at(&["metadata", "name"]);
    let ports = service.at(&["spec", "ports"]).items();
    let port = match remote.parse::<i64>() {
        Ok(number) => ports
            .iter()
            .find(|p| p.i64_at(&["port"]) == Some(number))
            .ok_or_else(|| Error::plain(format!("Service {name} does not have a service port {number}")))?,
        Err(_) => ports
            .iter()
            .find(|p| p.str_at(&["name"]) == remote)
            .ok_or_else(|| Error::plain(format!("Service '{name}' does not have a named port '{remote}'")))?,
    };
    if port.str_at(&["protocol"]) == "UDP" {
        return Err(no_udp(remote));
    }
    let own = port.i64_at(&["port"]).unwrap_or(0);
    let target = port.get("targetPort");
    let chosen = match target.as_i64() {
        _ if service.str_at(&["spec", "clusterIP"]) == "None" => own,
        Some(0) => own,
        Some(number) => number,
        None if target.is_null() => own,
        None => named_port(pod, target.str())?.0,
    };
    let local = if local == remote {
        own.to_string()
    } else {
        local.to_owned()
    };
    Ok(if local == chosen.to_string() {
        local
    } else {
        format!("{local}:{chosen}")
    })
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if cmd.args.len() < 2 {
        return Err(Error::usage(
            "TYPE/NAME and list of ports are required for port-forward",
        ));
    }
    cmd.flags.pod_running_timeout().map_err(Error::usage)?;
    let (words, ports) = cmd.args.split_at(1);
    let info = podpick::object(cmd, words).await?;
    let pod = podpick::pod(cmd, info.clone()).await?;
    let mut texts = Vec::new();
    for text in ports {
        texts.push(if &*info.resource.kind == "Service" {
            for_service(&info.object, &pod, text)?
        } else {
            for_pod(&pod, text)?
        });
    }
    let phase = pod.str_at(&["status", "phase"]);
    if phase != "Running" {
        return Err(Error::plain(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let addresses = addresses(cmd)?;
    let pairs: Vec<Pair> = texts.iter().map(|t| pair(t)).collect::<Result<_, _>>()?;
    let local = cmd
        .local
        .clone()
        .ok_or_else(|| Error::plain("this machine has no network on which a port could be forwarded"))?;
    let pods = cmd.client.resource("", "v1", "pods")?;
    let path = item(
        &pods,
        pod.str_at(&["metadata", "namespace"]),
        pod.str_at(&["metadata", "name"]),
    );
    let answer = cmd.connect(Request::get(format!("{path}/portforward"))).await;
    let Payload::Forward(forward) = answer
        .map_err(|e| {
            // The connection's own words, and those of what wanted it.
            Error::plain(format!(
                "error upgrading connection: unable to upgrade connection: {}",
                e.message()
            ))
        })?
        .payload
    else {
        return Err(Error::plain(
            "error upgrading connection: the server did not answer with one",
        ));
    };
    let lost = Session::new();
    let machine = local.network.node_ip(&local.node).unwrap_or(Ipv4Addr::LOCALHOST);
    let mut attached: Vec<Attached> = Vec::new();
    let mut heard = false;
    for pair in &pairs {
        let mut port = pair.local;
        let mut errors = Vec::new();
        let mut listens = false;
        for address in &addresses {
            if port == 0 {
                port = free_port(cmd.sim(), &local.network, machine);
            }
            match listen_error(&local.network, machine, address, port, &mut listens) {
                Some(why) => errors.push(format!("unable to create listener: Error {why}")),
                None => {
                    if !address.is_v6() {
                        let listener = Forwarder {
                            local_only: address.is_loopback(),
                            port,
                            remote: pair.remote,
                            forward: forward.clone(),
                            out: cmd.cx.stdout.clone(),
                            err: cmd.cx.stderr.clone(),
                            sim: cmd.sim().clone(),
                            pid: cmd.cx.process.pid(),
                            lost: lost.clone(),
                        };
                        let listener: Rc<dyn Listener> = Rc::new(listener);
                        attached.push(local.network.attach(machine, &local.node, "", listener));
                    }
                    listens = true;
                    cmd.say(format!("Forwarding from {}:{port} -> {}", address.text(), pair.remote));
                }
            }
        }
        if listens {
            heard = true;
        } else {
            cmd.err(format!(
                "Unable to listen on port {port}: Listeners failed to create with the following errors: [{}]",
                errors.join(" ")
            ));
        }
    }
    if !heard {
        let all: Vec<String> = pairs.iter().map(|p| format!("{{{} {}}}", p.local, p.remote)).collect();
        return Err(Error::plain(format!(
            "unable to listen on any of the requested ports: [{}]",
            all.join(" ")
        )));
    }
    // Until Ctrl-C, which ends the process, or until a connection to the pod fails.
    lost.hung_up().await;
    drop(attached);
    Err(Error::plain("lost connection to pod"))
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    V4(Ipv4Addr),
    /// `::1` and `::`: nothing here speaks IPv6, but the lines that name them are printed.
    V6(&'static str),
}

impl Address {
    pub fn is_v6(&self) -> bool {
        matches!(self, Address::V6(_))
    }

    pub fn is_loopback(&self) -> bool {
        match self {
            Address::V4(ip) => ip.is_loopback(),
            Address::V6(text) => *text == "::1",
        }
    }

    /// As it stands before a port.
    pub fn text(&self) -> String {
        match self {
            Address::V4(ip) => ip.to_string(),
            Address::V6(text) => format!("[{text}]"),
        }
    }
}

fn addresses(cmd: &Cmd) -> Result<Vec<Address>, Error> {
    let given = cmd.flags.all("address");
    let mut found: Vec<Address> = Vec::new();
    let words: Vec<&str> = if given.is_empty() {
        vec!["localhost"]
    } else {
        given.iter().map(String::as_str).collect()
    };
    if cmd.flags.has("address") && given.is_empty() {
        return Err(Error::plain("you must specify at least 1 address"));
    }
    for word in words {
        match word {
            "localhost" => found.extend([Address::V4(Ipv4Addr::LOCALHOST), Address::V6("::1")]),
            "::1" => found.push(Address::V6("::1")),
            "::" => found.push(Address::V6("::")),
            text => match text.parse() {
                Ok(ip) => found.push(Address::V4(ip)),
                Err(_) => return Err(Error::plain(format!("{text} is not a valid IP"))),
            },
        }
    }
    found.dedup();
    Ok(found)
}

/// Why it is not possible to listen on an address, in the words of Go's `net`.
pub fn listen_error(
    network: &Network,
    machine: Ipv4Addr,
    address: &Address,
    port: u16,
    own: &mut bool,
) -> Option<String> {
    let what = format!(
        "listen tcp{} {}:{port}: bind",
        if address.is_v6() { "6" } else { "4" },
        address.text()
    );
    if let Address::V4(ip) = address
        && !ip.is_loopback()
        && !ip.is_unspecified()
        && *ip != machine
    {
        return Some(format!("{what}: cannot assign requested address"));
    }
    // The same command listens on its own port for another address.
    (!*own && network.is_taken(machine, port)).then(|| format!("{what}: address already in use"))
}

/// A port that the system gives to who asks for any.
pub fn free_port(sim: &Sim, network: &Network, machine: Ipv4Addr) -> u16 {
    // Linux: net.ipv4.ip_local_port_range.
    const FIRST: u64 = 32_768;
    const COUNT: u64 = 28_232;
    let mut port = FIRST + sim.random_below(COUNT);
    while network.is_taken(machine, u16::try_from(port).unwrap_or(0)) {
        port = FIRST + (port - FIRST + 1) % COUNT;
    }
    u16::try_from(port).unwrap_or(0)
}

/// What listens on a local port.
struct Forwarder {
    local_only: bool,
    port: u16,
    remote: u16,
    forward: Forward,
    out: Output,
    err: Output,
    sim: Sim,
    pid: u32,
    /// Hung up when a connection to the pod failed.
    lost: Session,
}

impl Forwarder {
    /// Sends bytes to the pod, and reads until `whole` has what it wants.
    fn pass<T: 'static>(
        &self,
        bytes: Vec<u8>,
        whole: impl Fn(&[u8]) -> Option<T> + 'static,
    ) -> LocalBoxFuture<'static, Option<T>> {
        self.out.line(format!("Handling connection for {}", self.port));
        let session = self.forward.connect(self.remote);
        let (err, lost, sim) = (self.err.clone(), self.lost.clone(), self.sim.clone());
        let (port, remote, pid) = (self.port, self.remote, self.pid);
        Box::pin(async move {
            // From here over the API server to the kubelet.
            sim.sleep(crate::api::client::NETWORK * 2).await;
            session.stdin.write(&bytes);
            let mut read = Vec::new();
            let found = loop {
                match session.stdout.read().await {
                    Some(more) => read.extend(more),
                    None => break None,
                }
                if let Some(found) = whole(&read) {
                    break Some(found);
                }
            };
            if found.is_some() {
                session.stdin.close();
                sim.sleep(crate::api::client::NETWORK * 2).await;
                return found;
            }
            if let Err(status) = session.exit().await {
                err.line(format!(
                    "{} {pid:7} portforward.go:424] \"Unhandled Error\" err={}",
                    klog(sim.now()),
                    quoted(&format!(
                        "an error occurred forwarding {port} -> {remote}: {}",
                        status.message().trim_start_matches("Internal error occurred: ")
                    ))
                ));
                lost.hang_up();
            }
            None
        })
    }
}

/// The beginning of an error's line in klog's format: `E1121 08:55:19.000042`.
fn klog(now: Time) -> String {
    let c = now.civil();
    format!(
        "E{:02}{:02} {:02}:{:02}:{:02}.{:06}",
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        now.0 % 1_000_000
    )
}

impl Listener for Forwarder {
    fn accepts(&self, protocol: Protocol, port: u16) -> bool {
        protocol == Protocol::Tcp && port == self.port
    }

    fn is_local(&self) -> bool {
        self.local_only
    }

    fn http(&self, _port: u16, mut request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        // One connection for one request.
        request.headers.retain(|(k, _)| !k.eq_ignore_ascii_case("connection"));
        let answer = self.pass(request.to_bytes(), |bytes| match HttpResponse::parse(bytes) {
            Parsed::Whole(response, _) => Some(Ok(response)),
            Parsed::Other => Some(Err(NoAnswer::NotHttp(Some(bytes.to_vec())))),
            Parsed::More => None,
        });
        Box::pin(async move { answer.await.unwrap_or(Err(NoAnswer::Closed)) })
    }

    fn exchange(&self, _port: u16, bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        self.pass(bytes, |bytes| Some(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_ports() {
        let read = |text: &str| match pair(text) {
            Ok(p) => format!("{} -> {}", p.local, p.remote),
            Err(e) => e.message(),
        };
        for (text, wanted) in [
            ("80", "80 -> 80"),
            ("8080:80", "8080 -> 80"),
            (":80", "0 -> 80"),
            (
                "a:80",
                "error parsing local port 'a': strconv.ParseUint: parsing \"a\": invalid syntax",
            ),
            (
                "80:99999",
                "error parsing remote port '99999': strconv.ParseUint: parsing \"99999\": value out of range",
            ),
            ("1:2:3", "invalid port format '1:2:3'"),
            ("80:0", "remote port must be > 0"),
        ] {
            assert_eq!(read(text), wanted);
        }
    }
}
