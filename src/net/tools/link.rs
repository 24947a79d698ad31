//! What shows a machine's interfaces, routes and ports: `ip`, `ifconfig`, `netstat`, `ss`.

use core::net::Ipv4Addr;

use super::super::{Mode, Network, Origin};
use crate::flat::FlatSet;
use crate::shell::Context;

/// An interface with its addresses, each with the length of its network's prefix.
struct Interface {
    name: &'static str,
    /// What iproute2 writes behind the name: the interface that it is a pair with.
    peer: &'static str,
    mtu: u32,
    addresses: Vec<(Ipv4Addr, u32)>,
}

/// The interfaces besides the loopback: a pod has one, a node also its tunnel and its bridge to the pods, and with IPVS
/// the one that holds the services' addresses.
fn interfaces(network: &Network, origin: &Origin) -> Vec<Interface> {
    let interface = |name, mtu, addresses| Interface {
        name,
        peer: "",
        mtu,
        addresses,
    };
    if network.node_ip(&origin.node) != Some(origin.ip) {
        return vec![Interface {
            peer: "@if5",
            ..interface("eth0", 1450, vec![(origin.ip, 24)])
        }];
    }
    let mut all = vec![interface("eth0", 1500, vec![(origin.ip, 24)])];
    if let Some(pods) = network.pod_network(&origin.node) {
        all.push(interface("flannel.1", 1450, vec![(pods, 32)]));
        all.push(interface("cni0", 1450, vec![(with_last(pods, 1), 24)]));
    }
    if let Some(proxy) = network
        .proxy(&origin.node)
        .filter(|p| matches!(p.mode(), Mode::Ipvs(_)))
    {
        let mut held: Vec<(Ipv4Addr, u32)> = proxy.servers().iter().map(|s| (s.ip, 32)).collect();
        held.retain(|(ip, _)| *ip != origin.ip);
        let mut seen = FlatSet::new();
        held.retain(|(ip, _)| seen.insert(*ip));
        all.push(interface("kube-ipvs0", 1500, held));
    }
    all
}

/// The address with this last octet in the same network of 24 bits.
fn with_last(ip: Ipv4Addr, last: u8) -> Ipv4Addr {
    let [a, b, c, _] = ip.octets();
    Ipv4Addr::new(a, b, c, last)
}

/// A hardware address made from an address, as bridges gave them.
fn hardware(ip: Option<Ipv4Addr>) -> String {
    let [a, b, c, d] = ip.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
    format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Runs `ip`: `addr`, `link` and `route` are shown, nothing is changed.
pub(super) fn ip(context: &Context, network: &Network, origin: &Origin, busybox: bool) -> i32 {
    let words: Vec<&str> = context.rest().iter().map(String::as_str).collect();
    let mut plain = words.into_iter().filter(|w| !w.starts_with('-'));
    let object = plain.next().unwrap_or_default();
    let mut rest: Vec<&str> = plain.collect();
    let is = |of: &str| !object.is_empty() && of.starts_with(object);
    rest.retain(|w| !matches!(*w, "show" | "s" | "list" | "ls" | "dev"));
    if rest.len() > 1 || ["add", "del", "set", "flush"].iter().any(|w| rest.first() == Some(w)) {
        context
            .stderr
            .line("ip: interfaces and routes are shown, changing them is not simulated");
        return 1;
    }
    if is("route") && !is("address") {
        routes(context, network, origin, busybox);
        return 0;
    }
    if !is("address") && !is("link") {
        context
            .stderr
            .line("Usage: ip { addr | link | route } [ show [ dev ] DEVICE ]");
        return 1;
    }
    let only = rest.first().copied();
    if links(context, network, origin, busybox, is("address"), only) {
        return 0;
    }
    let name = only.unwrap_or_default();
    context.stderr.line(match busybox {
        true => format!("ip: can't find device '{name}'"),
        false => format!("Device \"{name}\" does not exist."),
    });
    1
}

fn links(
    context: &Context,
    network: &Network,
    origin: &Origin,
    busybox: bool,
    addresses: bool,
    only: Option<&str>,
) -> bool {
    let (group, up, queue) = match busybox {
        true => ("", "", ""),
        false => (" group default", " state UP", " qlen 1000"),
    };
    let mut found = false;
    let out = &context.stdout;
    const FOREVER: &str = "       valid_lft forever preferred_lft forever";
    if only.is_none_or(|o| o == "lo") {
        found = true;
        let state = if busybox { "" } else { " state UNKNOWN" };
        out.line(format!(
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue{state}{group} qlen 1000"
        ));
        out.line("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00");
        if addresses {
            out.line(format!("    inet 127.0.0.1/8 scope host lo\n{FOREVER}"));
        }
    }
    for (i, interface) in interfaces(network, origin).iter().enumerate() {
        let name = interface.name;
        if only.is_some_and(|o| o != name) {
            continue;
        }
        found = true;
        let (flags, qdisc, up) = match name {
            "kube-ipvs0" => ("BROADCAST,NOARP", "noop", up.replace("UP", "DOWN")),
            _ => ("BROADCAST,MULTICAST,UP,LOWER_UP", "noqueue", up.to_owned()),
        };
        out.line(format!(
            "{}: {name}{}: <{flags}> mtu {} qdisc {qdisc}{up}{group}{queue}",
            i + 2,
            interface.peer,
            interface.mtu
        ));
        let mac = hardware(interface.addresses.first().map(|(ip, _)| *ip));
        let peer = if busybox || interface.peer.is_empty() {
            ""
        } else {
            " link-netnsid 0"
        };
        out.line(format!("    link/ether {mac} brd ff:ff:ff:ff:ff:ff{peer}"));
        for (ip, prefix) in interface.addresses.iter().filter(|_| addresses) {
            let brd = match prefix {
                32 => String::new(),
                _ => format!(" brd {}", with_last(*ip, 255)),
            };
            out.line(format!("    inet {ip}/{prefix}{brd} scope global {name}\n{FOREVER}"));
        }
    }
    found
}

fn routes(context: &Context, network: &Network, origin: &Origin, busybox: bool) {
    let own = if busybox {
        "scope link  src"
    } else {
        "proto kernel scope link src"
    };
    let mut lines = vec![format!("default via {} dev eth0 ", with_last(origin.ip, 1))];
    let local = |ip: Ipv4Addr, name: &str| format!("{}/24 dev {name} {own} {ip} ", with_last(ip, 0));
    if network.node_ip(&origin.node) == Some(origin.ip) {
        for (name, node) in network.0.nodes.borrow().iter() {
            lines.extend(node.pods.map(|pods| match *name == origin.node {
                true => local(with_last(pods, 1), "cni0"),
                false => format!("{pods}/24 via {pods} dev flannel.1 onlink "),
            }));
        }
    } else {
        lines.push(format!("10.244.0.0/16 via {} dev eth0 ", with_last(origin.ip, 1)));
    }
    lines.push(local(origin.ip, "eth0"));
    for line in lines {
        context.stdout.line(line);
    }
}

/// Runs `ifconfig`, as busybox prints it.
pub(super) fn ifconfig(context: &Context, network: &Network, origin: &Origin) -> i32 {
    let only = context.rest().iter().find(|w| !w.starts_with('-'));
    let mut all: Vec<(String, String, u32)> = interfaces(network, origin)
        .iter()
        .map(|i| {
            let ip = i.addresses.first().map(|(ip, _)| *ip);
            let head = format!(
                "{:<10}Link encap:Ethernet  HWaddr {}  ",
                i.name,
                hardware(ip).to_ascii_uppercase()
            );
            let ip = ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
            let addresses = format!("inet addr:{ip}  Bcast:{}  Mask:255.255.255.0", with_last(ip, 255));
            (
                head,
                format!("{addresses}\n          UP BROADCAST RUNNING MULTICAST"),
                i.mtu,
            )
        })
        .collect();
    let loopback = "inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING";
    all.push((
        "lo        Link encap:Local Loopback  ".to_owned(),
        loopback.to_owned(),
        65_536,
    ));
    if let Some(only) = only {
        all.retain(|(head, ..)| head.split(' ').next() == Some(only));
        if all.is_empty() {
            context.stderr.line(format!(
                "ifconfig: {only}: error fetching interface information: Device not found"
            ));
            return 1;
        }
    }
    for (head, addresses, mtu) in all {
        context.stdout.line(format!(
            "{head}\n          {addresses}  MTU:{mtu}  Metric:1\n          RX packets:0 errors:0 dropped:0 overruns:0 \
             frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 \
             txqueuelen:0 \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n"
        ));
    }
    0
}

/// The TCP ports that something listens on, when they are asked for.
fn listening(network: &Network, origin: &Origin, asked: bool) -> impl Iterator<Item = u16> {
    let ports = asked.then_some(1..=u16::MAX).into_iter().flatten();
    ports.filter(|port| network.is_taken(origin.ip, *port))
}

fn flags(context: &Context) -> String {
    context.rest().iter().filter(|w| w.starts_with('-')).cloned().collect()
}

/// Runs `netstat`: the ports that are listened on; connections last no time here.
pub(super) fn netstat(context: &Context, network: &Network, origin: &Origin) -> i32 {
    let flags = flags(context);
    let listens = flags.contains(['l', 'a']);
    let (what, program) = match flags.contains('a') {
        true => ("servers and established", flags.contains('p')),
        false if listens => ("only servers", flags.contains('p')),
        false => ("w/o servers", flags.contains('p')),
    };
    let header = if program { "PID/Program name    " } else { "" };
    context.stdout.line(format!(
        "Active Internet connections ({what})\nProto Recv-Q Send-Q Local Address           Foreign Address         State       {header}"
    ));
    for port in listening(network, origin, listens && !flags.contains('u')) {
        let dash = if program { "-                   " } else { "" };
        context.stdout.line(format!(
            "tcp        0      0 {:<23} {:<23} LISTEN      {dash}",
            format!("0.0.0.0:{port}"),
            "0.0.0.0:*"
        ));
    }
    0
}

/// Runs `ss`.
pub(super) fn ss(context: &Context, network: &Network, origin: &Origin) -> i32 {
    context
        .stdout
        .line("State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess");
    let flags = flags(context);
    for port in listening(network, origin, flags.contains(['l', 'a'])) {
        context.stdout.line(format!(
            "LISTEN 0      4096         0.0.0.0:{port:<10} 0.0.0.0:*          "
        ));
    }
    0
}
