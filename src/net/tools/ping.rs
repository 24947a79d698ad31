//! `ping` of iputils and of busybox: whether an address answers. Services' virtual addresses answer in ipvs mode only, where a
//! node holds them on an interface of its own.

use std::time::Duration;

use super::super::{Mode, Network, Origin};
use crate::shell::Context;

/// Runs `ping`.
pub(super) async fn run(context: Context, network: Network, origin: Origin, busybox: bool) -> i32 {
    let mut count: Option<u64> = None;
    let mut target = None;
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-c" => count = words.next().and_then(|n| n.parse().ok()),
            w if w.starts_with("-c") => count = w.get(2..).and_then(|n| n.parse().ok()),
            "-W" | "-w" | "-i" | "-s" => {
                words.next();
            }
            w if w.starts_with('-') => {}
            w => target = Some(w.to_owned()),
        }
    }
    let Some(name) = target else {
        context.stderr.line("ping: usage error: Destination address required");
        return 2;
    };
    let ip = match network
        .resolve(&origin, &name)
        .await
        .ok()
        .and_then(|ips| ips.first().copied())
    {
        Some(ip) => ip,
        None => {
            let (why, code) = match busybox {
                true => (format!("ping: bad address '{name}'"), 1),
                false => (format!("ping: {name}: Name or service not known"), 2),
            };
            context.stderr.line(why);
            return code;
        }
    };
    context.stdout.line(match busybox {
        true => format!("PING {name} ({ip}): 56 data bytes"),
        false => format!("PING {name} ({ip}) 56(84) bytes of data."),
    });
    let (mut sent, mut received, mut millis) = (0u64, 0u64, 0.0);
    let started = network.sim().now();
    while count.is_none_or(|c| sent < c) {
        sent += 1;
        let virtual_server = network
            .proxy(&origin.node)
            .is_some_and(|p| matches!(p.mode(), Mode::Ipvs(_)) && p.servers().iter().any(|s| s.ip == ip));
        if virtual_server || ip.is_loopback() || network.is_up(ip) {
            received += 1;
            millis = match virtual_server || ip.is_loopback() || ip == origin.ip {
                true => 0.05,
                false => 0.4,
            };
            context.stdout.line(match busybox {
                true => format!("64 bytes from {ip}: seq={} ttl=64 time={millis:.3} ms", sent - 1),
                false => format!("64 bytes from {ip}: icmp_seq={sent} ttl=64 time={millis:.3} ms"),
            });
        }
        if count.is_none_or(|c| sent < c) {
            network.sim().sleep(Duration::from_secs(1)).await;
        }
    }
    let elapsed = network.sim().now().since(started).as_millis();
    let loss = (sent - received) * 100 / sent.max(1);
    context.stdout.line("");
    context.stdout.line(format!("--- {name} ping statistics ---"));
    context.stdout.line(match busybox {
        true => format!("{sent} packets transmitted, {received} packets received, {loss}% packet loss"),
        false => {
            format!("{sent} packets transmitted, {received} received, {loss}% packet loss, time {elapsed}ms")
        }
    });
    if received > 0 {
        // All took the same time.
        context.stdout.line(match busybox {
            true => format!("round-trip min/avg/max = {millis:.3}/{millis:.3}/{millis:.3} ms"),
            false => format!("rtt min/avg/max/mdev = {millis:.3}/{millis:.3}/{millis:.3}/0.000 ms"),
        });
    }
    i32::from(received == 0)
}
