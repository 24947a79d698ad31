//! `nc` and `telnet`. `nc` opens a TCP connection. `-z` only tries, `-v` says what happened; otherwise the standard
//! input is sent and the answer printed.

use std::time::Duration;

use super::super::{NetError, Network, Origin};
use crate::shell::Context;
use crate::sim::timeout;

/// Runs `nc`.
pub(super) async fn run(context: Context, network: Network, origin: Origin, busybox: bool) -> i32 {
    let (mut zero, mut verbose, mut seconds) = (false, false, None);
    let mut places = Vec::new();
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-w" => seconds = words.next().and_then(|n| n.parse::<u64>().ok()),
            w if w.starts_with('-') => {
                zero |= w.contains('z');
                verbose |= w.contains('v');
                if w.contains('l') {
                    context.stderr.line("nc: listening is not simulated");
                    return 1;
                }
            }
            w => places.push(w.to_owned()),
        }
    }
    let (Some(host), Some(port)) = (places.first(), places.get(1).and_then(|p| p.parse::<u16>().ok())) else {
        context.stderr.line("usage: nc [-vz] [-w seconds] HOST PORT");
        return 1;
    };
    let limit = Duration::from_secs(seconds.unwrap_or(131));
    let input = if zero {
        Vec::new()
    } else {
        context.stdin.read_all().await
    };
    let mut at = format!("{host}:{port}");
    let result = timeout(network.sim(), limit, async {
        let ips = network.resolve(&origin, host).await?;
        let ip = ips.first().copied().ok_or_else(|| NetError::NoSuchHost(host.clone()))?;
        at = format!("{host} ({ip}:{port})");
        if zero {
            network.probe(&origin, ip, port).await.map(|()| Vec::new())
        } else {
            network.exchange(&origin, ip, port, input).await
        }
    })
    .await
    .unwrap_or(Err(NetError::TimedOut));
    match result {
        Ok(bytes) => {
            if verbose {
                context.stderr.line(match busybox {
                    true => format!("{at} open"),
                    false => format!("Connection to {host} {port} port [tcp/*] succeeded!"),
                });
            }
            context.stdout.write(&bytes);
            0
        }
        Err(error) => {
            if verbose || !zero {
                context.stderr.line(match (busybox, &error) {
                    (true, NetError::NoSuchHost(_)) => format!("nc: bad address '{host}'"),
                    (true, NetError::TimedOut) => format!("nc: {at}: Operation timed out"),
                    (true, error) => format!("nc: {at}: {error}"),
                    (false, error) => format!("nc: connect to {host} port {port} (tcp) failed: {error}"),
                });
            }
            1
        }
    }
}

/// Runs `telnet`: says whether the port takes a connection. What would be typed is not sent.
pub(super) async fn telnet(context: Context, network: Network, origin: Origin) -> i32 {
    let [host, rest @ ..] = context.rest() else {
        context.stderr.line("Usage: telnet [-a] [-l USER] HOST [PORT]");
        return 1;
    };
    let port = rest.first().and_then(|p| p.parse().ok()).unwrap_or(23);
    let Some(ip) = network
        .resolve(&origin, host)
        .await
        .ok()
        .and_then(|ips| ips.first().copied())
    else {
        context.stderr.line(format!("telnet: bad address '{host}'"));
        return 1;
    };
    match network.probe(&origin, ip, port).await {
        Ok(()) => {
            context.stdout.line(format!("Connected to {host}"));
            0
        }
        Err(error) => {
            context
                .stderr
                .line(format!("telnet: can't connect to remote host ({ip}): {error}"));
            1
        }
    }
}
