//! `getent`: what a machine's C library finds in its databases, of which it has `hosts`, `ahosts`, `passwd` and `group`.

use core::net::Ipv4Addr;

use super::super::dns::Zone;
use super::super::{Network, Origin};
use crate::shell::Context;

/// Runs `getent`.
pub(super) async fn run(context: Context, network: Network, origin: Origin) -> i32 {
    let Some((database, keys)) = context.rest().split_first() else {
        context.stderr.line("getent: wrong number of arguments");
        return 1;
    };
    let read = |path: &str| context.files.read_text(path).unwrap_or_default();
    let mut code = 0;
    match database.as_str() {
        "passwd" | "group" => {
            let text = read(&format!("/etc/{database}"));
            let fits = |line: &&str, key: &String| {
                let mut fields = line.split(':');
                fields.next() == Some(key) || fields.nth(1) == Some(key)
            };
            if keys.is_empty() {
                context.stdout.write(&text);
            }
            for key in keys {
                match text.lines().find(|line| fits(line, key)) {
                    Some(line) => {
                        context.stdout.line(line);
                    }
                    None => code = 2,
                }
            }
        }
        "hosts" | "ahosts" | "ahostsv4" => {
            let text = read("/etc/hosts");
            let rows = text.lines().map(|line| line.split('#').next().unwrap_or_default());
            let rows = rows.map(|line| line.split_whitespace().collect::<Vec<_>>());
            let known: Vec<Vec<&str>> = rows.filter(|row| row.len() > 1).collect();
            let show = |ip: &str, names: &str| match database.as_str() {
                "hosts" => {
                    context.stdout.line(format!("{ip:<15} {names}"));
                }
                _ => {
                    let name = names.split(' ').next().unwrap_or_default();
                    context
                        .stdout
                        .line(format!("{ip:<15} STREAM {name}\n{ip:<15} DGRAM  \n{ip:<15} RAW    "));
                }
            };
            if keys.is_empty() {
                for row in &known {
                    show(row.first().unwrap_or(&""), &row.get(1..).unwrap_or_default().join(" "));
                }
            }
            for key in keys {
                if let Some(row) = known.iter().find(|row| row.contains(&key.as_str())) {
                    show(row.first().unwrap_or(&""), &row.get(1..).unwrap_or_default().join(" "));
                    continue;
                }
                let name = match key.parse::<Ipv4Addr>() {
                    Ok(ip) => network.zone().reverse(ip),
                    Err(_) => Zone::candidates(key, origin.search.as_deref())
                        .into_iter()
                        .find(|full| !network.zone().lookup(&format!("{full}."), None).is_empty()),
                };
                match network.resolve(&origin, key).await {
                    Ok(ips) if name.is_some() || key.parse::<Ipv4Addr>().is_err() => {
                        for ip in ips {
                            show(&ip.to_string(), name.as_ref().unwrap_or(key));
                        }
                    }
                    _ => code = 2,
                }
            }
        }
        other => {
            context.stderr.line(format!("Unknown database: {other}"));
            return 1;
        }
    }
    code
}
