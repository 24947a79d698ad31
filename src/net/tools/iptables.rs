//! `iptables -L`, `iptables -S` and `iptables-save`: the rules that kube-proxy keeps on its node in iptables mode. Those
//! of other programs are not here.

use std::fmt::Write;

use super::super::{Mode, Network, Origin, proxy::VirtualServer};
use crate::flat::FlatMap;
use crate::shell::Context;
use crate::value::sha256;

/// The chains that the kernel itself has in each table.
const BUILT_IN: [(&str, &[&str]); 2] = [
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
];

/// A rule in both of its forms.
#[derive(Default)]
struct Rule<'a> {
    /// With `!` before it where it is all others.
    source: &'a str,
    destination: &'a str,
    protocol: &'a str,
    comment: &'a str,
    /// What else is asked of a packet, as `-S` writes it and as `-L` does.
    asks: (&'a str, &'a str),
    target: &'a str,
    /// What the target is told.
    tells: (&'a str, &'a str),
}

impl Rule<'_> {
    /// As `iptables-save` writes it, without its chain.
    fn saved(&self) -> String {
        let mut out = String::new();
        for (flag, value) in [("-s", self.source), ("-d", self.destination), ("-p", self.protocol)] {
            match value.strip_prefix('!') {
                _ if value.is_empty() => {}
                Some(value) => out.push_str(&format!(" ! {flag} {value}")),
                None => out.push_str(&format!(" {flag} {value}")),
            }
        }
        if !self.comment.is_empty() {
            out.push_str(&format!(" -m comment --comment \"{}\"", self.comment));
        }
        let part = |text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                format!(" {text}")
            }
        };
        out + &part(self.asks.0) + " -j " + self.target + &part(self.tells.0)
    }

    fn listed(&self) -> String {
        let address = |text: &str| match text.trim_end_matches("/32") {
            "" => "0.0.0.0/0".to_owned(),
            text => text.to_owned(),
        };
        let protocol = if self.protocol.is_empty() { "all" } else { self.protocol };
        let mut out = format!(
            "{:<9}  {protocol:<4} --  {:<19}  {:<19} ",
            self.target,
            address(self.source),
            address(self.destination)
        );
        if !self.comment.is_empty() {
            out.push_str(&format!(" /* {} */", self.comment));
        }
        for text in [self.asks.1, self.tells.1] {
            if !text.is_empty() {
                out.push_str(&format!(" {text}"));
            }
        }
        out
    }
}

/// The rules of a table: for each chain its rules' two forms and how many rules lead to it.
#[derive(Default)]
struct Table(FlatMap<String, (Vec<(String, String)>, usize)>);

impl Table {
    fn add(&mut self, chain: &str, rule: &Rule) {
        let entry = self.0.entry(chain.to_owned()).or_default();
        entry.0.push((rule.saved(), rule.listed()));
        if rule.target.starts_with("KUBE-") {
            self.0.entry(rule.target.to_owned()).or_default().1 += 1;
        }
    }
}

/// A chain's name: the beginning of the hash of what it is about, in base 32 (`portProtoHash`,
/// `servicePortEndpointChainName`).
fn chain(prefix: &str, of: &str) -> String {
    let digest = sha256::digest(of.as_bytes());
    let bits = digest
        .iter()
        .take(10)
        .fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
    let letter = |i: u32| match (bits >> (75 - 5 * i)) & 31 {
        n @ 0..26 => char::from(b'A' + n as u8),
        n => char::from(b'2' + (n as u8 - 26)),
    };
    prefix.chars().chain((0..16).map(letter)).collect()
}

/// The rules of kube-proxy's iptables mode. `own` is the node's address.
fn rules(servers: &[VirtualServer], own: core::net::Ipv4Addr) -> [Table; 2] {
    const PORTALS: &str = "kubernetes service portals";
    let (mut filter, mut nat) = (Table::default(), Table::default());
    let new = ("-m conntrack --ctstate NEW", "ctstate NEW");
    for chain in ["FORWARD", "OUTPUT"] {
        let rule = Rule {
            comment: PORTALS,
            asks: new,
            target: "KUBE-SERVICES",
            ..Rule::default()
        };
        filter.add(chain, &rule);
    }
    let to = |target| Rule {
        target,
        ..Rule::default()
    };
    for (chain, rule) in [
        (
            "PREROUTING",
            Rule {
                comment: PORTALS,
                ..to("KUBE-SERVICES")
            },
        ),
        (
            "OUTPUT",
            Rule {
                comment: PORTALS,
                ..to("KUBE-SERVICES")
            },
        ),
        (
            "POSTROUTING",
            Rule {
                comment: "kubernetes postrouting rules",
                ..to("KUBE-POSTROUTING")
            },
        ),
        (
            "KUBE-MARK-MASQ",
            Rule {
                tells: ("--set-xmark 0x4000/0x4000", "MARK or 0x4000"),
                ..to("MARK")
            },
        ),
        (
            "KUBE-POSTROUTING",
            Rule {
                asks: ("-m mark ! --mark 0x4000/0x4000", "mark match ! 0x4000/0x4000"),
                ..to("RETURN")
            },
        ),
        (
            "KUBE-POSTROUTING",
            Rule {
                tells: ("--set-xmark 0x4000/0x0", "MARK xor 0x4000"),
                ..to("MARK")
            },
        ),
        (
            "KUBE-POSTROUTING",
            Rule {
                comment: "kubernetes service traffic requiring SNAT",
                tells: ("--random-fully", "random-fully"),
                ..to("MASQUERADE")
            },
        ),
    ] {
        nat.add(chain, &rule);
    }
    for server in servers {
        let name = match &*server.port_name {
            "" => server.service.to_string(),
            port => format!("{}:{port}", server.service),
        };
        let protocol = server.protocol.name().to_ascii_lowercase();
        let of = format!("{name}{protocol}");
        let (services, external) = (chain("KUBE-SVC-", &of), chain("KUBE-EXT-", &of));
        let (ip, dport) = (format!("{}/32", server.ip), server.port);
        let to_port = (
            format!("-m {protocol} --dport {dport}"),
            format!("{protocol} dpt:{dport}"),
        );
        let is_node_port = server.ip == own;
        let what = match (is_node_port, server.is_cluster_ip) {
            (true, _) => name.clone(),
            (_, true) => format!("{name} cluster IP"),
            _ => format!("{name} external IP"),
        };
        let mut rule = Rule {
            destination: if is_node_port { "" } else { &ip },
            protocol: &protocol,
            comment: &what,
            asks: (&to_port.0, &to_port.1),
            ..Rule::default()
        };
        if server.backends.is_empty() {
            let comment = format!("{name} has no endpoints");
            let asks = (
                format!("-m addrtype --dst-type LOCAL {}", to_port.0),
                format!("ADDRTYPE match dst-type LOCAL {}", to_port.1),
            );
            rule.comment = &comment;
            (rule.target, rule.tells) = (
                "REJECT",
                (
                    "--reject-with icmp-port-unreachable",
                    "reject-with icmp-port-unreachable",
                ),
            );
            if is_node_port {
                rule.asks = (&asks.0, &asks.1);
            }
            filter.add(
                if is_node_port {
                    "KUBE-EXTERNAL-SERVICES"
                } else {
                    "KUBE-SERVICES"
                },
                &rule,
            );
            continue;
        }
        if !server.is_cluster_ip {
            rule.target = &external;
            nat.add(
                if is_node_port {
                    "KUBE-NODEPORTS"
                } else {
                    "KUBE-SERVICES"
                },
                &rule,
            );
            if nat.0.get(&external).is_none_or(|(rules, _)| rules.is_empty()) {
                let comment = format!("masquerade traffic for {name} external destinations");
                nat.add(
                    &external,
                    &Rule {
                        comment: &comment,
                        target: "KUBE-MARK-MASQ",
                        ..Rule::default()
                    },
                );
                nat.add(
                    &external,
                    &Rule {
                        target: &services,
                        ..Rule::default()
                    },
                );
            }
            continue;
        }
        rule.target = &services;
        nat.add("KUBE-SERVICES", &rule);
        (rule.source, rule.target) = ("!10.244.0.0/16", "KUBE-MARK-MASQ");
        nat.add(&services, &rule);
        let ends: Vec<(String, String)> = server
            .backends
            .iter()
            .map(|b| format!("{}:{}", b.ip, b.port))
            .map(|end| (chain("KUBE-SEP-", &format!("{of}{end}")), end))
            .collect();
        if let Some(seconds) = server.affinity {
            for (target, end) in &ends {
                let comment = format!("{name} -> {end}");
                let tail = format!("--name {target} --mask 255.255.255.255 --rsource");
                let save = format!("-m recent --rcheck --seconds {seconds} --reap {tail}");
                let list =
                    format!("recent: CHECK seconds: {seconds} reap name: {target} side: source mask: 255.255.255.255");
                let rule = Rule {
                    comment: &comment,
                    asks: (&save, &list),
                    target,
                    ..Rule::default()
                };
                nat.add(&services, &rule);
            }
        }
        for (i, (target, end)) in ends.iter().enumerate() {
            let comment = format!("{name} -> {end}");
            // The kernel keeps a chance as a part of 2^31.
            let part = (2_147_483_648.0 / (ends.len() - i) as f64).round() / 2_147_483_648.0;
            let (save, list) = match i + 1 == ends.len() {
                true => (String::new(), String::new()),
                false => (
                    format!("-m statistic --mode random --probability {part:.11}"),
                    format!("statistic mode random probability {part:.11}"),
                ),
            };
            nat.add(
                &services,
                &Rule {
                    comment: &comment,
                    asks: (&save, &list),
                    target,
                    ..Rule::default()
                },
            );
            let from = end.rsplit_once(':').map_or("", |(ip, _)| ip);
            let source = format!("{from}/32");
            let rule = Rule {
                source: &source,
                comment: &name,
                target: "KUBE-MARK-MASQ",
                ..Rule::default()
            };
            nat.add(target, &rule);
            let tells = (format!("--to-destination {end}"), format!("to:{end}"));
            let sets = server.affinity.map(|_| target);
            let asks = sets.map(|t| format!("-m recent --set --name {t} --mask 255.255.255.255 --rsource "));
            let asks = asks.unwrap_or_default() + &format!("-m {protocol}");
            let shown = sets.map(|t| format!("recent: SET name: {t} side: source mask: 255.255.255.255 "));
            let shown = shown.unwrap_or_default() + &protocol;
            let rule = Rule {
                protocol: &protocol,
                comment: &name,
                asks: (&asks, &shown),
                target: "DNAT",
                tells: (&tells.0, &tells.1),
                ..Rule::default()
            };
            nat.add(target, &rule);
        }
    }
    let rule = Rule {
        comment: "kubernetes service nodeports; NOTE: this must be the last rule in this chain",
        asks: ("-m addrtype --dst-type LOCAL", "ADDRTYPE match dst-type LOCAL"),
        target: "KUBE-NODEPORTS",
        ..Rule::default()
    };
    nat.add("KUBE-SERVICES", &rule);
    [filter, nat]
}

/// Runs `iptables` and `iptables-save`.
pub(super) fn run(context: &Context, network: &Network, origin: &Origin) -> i32 {
    let (mut table, mut verb, mut only) = (None, ' ', None);
    let saves = context.name().ends_with("save");
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            None => only = Some(word.as_str()),
            Some("t" | "-table") => table = words.next().map(String::as_str),
            Some("-list") => verb = 'L',
            Some("-list-rules") => verb = 'S',
            Some(letters) if letters.starts_with('-') => {}
            Some(letters) => verb = letters.chars().find(|c| c.is_ascii_uppercase()).unwrap_or(verb),
        }
    }
    if !saves && !matches!(verb, 'L' | 'S') {
        context.error("rules are shown (-L, -S), changing them is not simulated");
        return 1;
    }
    let proxy = network.proxy(&origin.node);
    let servers = proxy
        .filter(|p| p.mode() == Mode::Iptables)
        .map(|p| p.servers())
        .unwrap_or_default();
    let own = network.node_ip(&origin.node).unwrap_or(origin.ip);
    let mut out = String::new();
    let mut known = false;
    for ((name, built_in), of) in BUILT_IN.into_iter().zip(rules(&servers, own)) {
        if name != table.unwrap_or(if saves { name } else { "filter" }) {
            continue;
        }
        let others = of.0.keys().map(String::as_str).filter(|c| !built_in.contains(c));
        let chains = built_in.iter().copied().chain(others);
        let chains: Vec<&str> = chains.filter(|c| only.is_none_or(|o| o == *c)).collect();
        known |= !chains.is_empty();
        let heads = chains.iter().map(|c| match (saves, built_in.contains(c)) {
            (true, true) => format!(":{c} ACCEPT [0:0]\n"),
            (true, false) => format!(":{c} - [0:0]\n"),
            (false, true) => format!("-P {c} ACCEPT\n"),
            (false, false) => format!("-N {c}\n"),
        });
        if saves {
            let _ = writeln!(out, "*{name}");
        }
        if saves || verb == 'S' {
            out.extend(heads);
        }
        for (i, chain) in chains.iter().enumerate() {
            let (rules, references) = of.0.get(*chain).map_or((&[][..], 0), |(r, n)| (r, *n));
            if verb == 'L' {
                let kind = match built_in.contains(chain) {
                    true => "policy ACCEPT".to_owned(),
                    false => format!("{references} references"),
                };
                let gap = if i > 0 { "\n" } else { "" };
                let _ = writeln!(
                    out,
                    "{gap}Chain {chain} ({kind})\ntarget     prot opt source               destination         "
                );
            }
            for (saved, listed) in rules {
                let _ = match verb {
                    'L' => writeln!(out, "{listed}"),
                    _ => writeln!(out, "-A {chain}{saved}"),
                };
            }
        }
        if saves {
            out.push_str("COMMIT\n");
        }
    }
    if !known {
        context.error("No chain/target/match by that name.");
        return 1;
    }
    context.stdout.write(out);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_have_the_names_that_every_cluster_shows() {
        for (of, name) in [
            ("default/kubernetes:httpstcp", "KUBE-SVC-NPX46M4PTMTKRN6Y"),
            ("kube-system/kube-dns:dnsudp", "KUBE-SVC-TCOU7JCQXEZGVUNU"),
            ("kube-system/kube-dns:dns-tcptcp", "KUBE-SVC-ERIFXISQEP7F7OF4"),
            ("kube-system/kube-dns:metricstcp", "KUBE-SVC-JD5MR3NA4I4DYORP"),
        ] {
            assert_eq!(chain("KUBE-SVC-", of), name);
        }
    }
}
