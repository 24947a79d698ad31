//! `nslookup NAME`, as busybox 1.28 prints it, which Kubernetes' tutorials use.

use super::super::{Network, Origin, proxy};
use crate::shell::Context;

/// Runs `nslookup`.
pub(super) async fn run(context: Context, network: Network, origin: Origin) -> i32 {
    let names: Vec<&String> = context.rest().iter().filter(|w| !w.starts_with('-')).collect();
    let Some(name) = names.first() else {
        context.stderr.line("Usage: nslookup [HOST] [SERVER]");
        return 1;
    };
    let Some(namespace) = origin.search.clone() else {
        context
            .stderr
            .line(";; connection timed out; no servers could be reached");
        return 1;
    };
    let server = proxy::DNS_SERVICE;
    if network.query_dns(&origin, name).await.is_err() {
        context
            .stderr
            .line(";; connection timed out; no servers could be reached");
        return 1;
    }
    context.stdout.line(format!("Server:    {server}"));
    context
        .stdout
        .line(format!("Address 1: {server} kube-dns.kube-system.svc.cluster.local"));
    context.stdout.line("");
    let Some((full, ips)) = network.zone().find(name, Some(&namespace)) else {
        context.stderr.line(format!("nslookup: can't resolve '{name}'"));
        return 1;
    };
    context.stdout.line(format!("Name:      {name}"));
    // A headless service answers with its endpoints, each of which has a name of its own.
    let headless = ips.len() > 1
        || network
            .zone()
            .records(&format!("{}.{full}", ips.first().map(dashed).unwrap_or_default()))
            .is_some();
    for (i, ip) in ips.iter().enumerate() {
        let of = if headless {
            format!("{}.{full}", dashed(ip))
        } else {
            full.clone()
        };
        context.stdout.line(format!("Address {}: {ip} {of}", i + 1));
    }
    0
}

fn dashed(ip: &core::net::Ipv4Addr) -> String {
    ip.to_string().replace('.', "-")
}
