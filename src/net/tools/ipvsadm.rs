//! `ipvsadm -Ln`: the virtual servers of a node whose kube-proxy runs in ipvs mode.

use core::net::Ipv4Addr;
use std::fmt::Write;

use super::super::{Mode, Network, Origin, Protocol, proxy::VirtualServer};
use crate::flat::Arrange;
use crate::shell::Context;

/// Runs `ipvsadm`.
pub(super) async fn run(context: Context, network: Network, origin: Origin) -> i32 {
    let flags: String = context
        .rest()
        .iter()
        .filter(|w| w.starts_with('-'))
        .flat_map(|w| w.chars())
        .collect();
    let list = flags.contains('L') || flags.contains('l') || context.rest().is_empty();
    if !list {
        context
            .stderr
            .line("ipvsadm: only listing (-L, -n) is simulated; kube-proxy owns the rules");
        return 1;
    }
    let proxy = network.proxy(&origin.node);
    let (scheduler, servers) = match proxy.as_ref().map(|p| (p.mode(), p)) {
        Some((Mode::Ipvs(scheduler), p)) => (scheduler.name(), p.servers()),
        _ => ("", Vec::new()),
    };
    context
        .stdout
        .write(table(scheduler, &servers, network.pod_network(&origin.node).as_slice()));
    0
}

/// The listing. `tunnel` is the address besides the node's own at which node ports are bound.
fn table(scheduler: &str, servers: &[VirtualServer], tunnel: &[Ipv4Addr]) -> String {
    let mut out = String::from(
        "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
    );
    let mut rows: Vec<(Protocol, bool, Ipv4Addr, &VirtualServer)> = Vec::new();
    for server in servers {
        let node_port = server.port >= 30_000;
        rows.push((server.protocol, !node_port, server.ip, server));
        if node_port {
            rows.extend(tunnel.iter().map(|ip| (server.protocol, true, *ip, server)));
        }
    }
    // The node's own address stands first, then the others in their order.
    rows.arrange_by_key(|(protocol, virtual_address, ip, server)| (*protocol, *virtual_address, *ip, server.port));
    for (protocol, _, ip, server) in rows {
        let persistent = server.affinity.map(|s| format!(" persistent {s}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "{:<4} {ip}:{} {scheduler}{persistent}",
            protocol.name(),
            server.port
        );
        for backend in &server.backends {
            let address = format!("{}:{}", backend.ip, backend.port);
            // A closed connection stays in the table for a while; ours are all closed.
            let _ = writeln!(out, "  -> {address:<28} Masq    1      0          0         ");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn empty() {
        expect![[r#"
            IP Virtual Server version 1.2.1 (size=4096)
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
        "#]]
        .assert_eq(&table("", &[], &[]));
    }
}
