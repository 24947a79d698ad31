//! `apt-get`, `apt` and `apk`, with which tutorials bring tools into a container. There is no archive of packages:
//! those whose tools the simulation has anyhow can be installed, others say that they are not there.

use std::rc::Rc;
use std::time::Duration;

use super::{Sandbox, Shell, redis};
use crate::net::tools;
use crate::shell::{Commands, Context};

/// Packages, and the commands that they bring; those without one are there from the beginning.
const PACKAGES: &[(&str, &[&str])] = &[
    ("apache2-utils", &[]),
    ("bash", &["bash"]),
    ("bind-tools", &["nslookup", "dig", "host"]),
    ("bind9-dnsutils", &["nslookup", "dig", "host"]),
    ("ca-certificates", &[]),
    ("coreutils", &[]),
    ("curl", &["curl"]),
    ("dnsutils", &["nslookup", "dig", "host"]),
    ("iproute2", &["ip", "ss"]),
    ("iputils", &["ping"]),
    ("iputils-ping", &["ping"]),
    ("less", &[]),
    ("nano", &[]),
    ("net-tools", &["ifconfig", "netstat"]),
    ("netcat", &["nc"]),
    ("netcat-openbsd", &["nc"]),
    ("netcat-traditional", &["nc"]),
    ("openssl", &[]),
    ("procps", &[]),
    ("redis", &["redis-cli"]),
    ("redis-tools", &["redis-cli"]),
    ("telnet", &["telnet"]),
    ("vim", &[]),
    ("wget", &["wget"]),
];

pub(super) fn add(shell: Shell, sandbox: &Rc<Sandbox>, commands: &mut Commands) {
    let names: &[&str] = match shell {
        Shell::Debian => &["/usr/bin/apt-get", "/usr/bin/apt"],
        Shell::Alpine => &["/sbin/apk"],
        Shell::None | Shell::Busybox => &[],
    };
    for name in names {
        super::program(commands, name, sandbox, run);
    }
}

async fn run(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let alpine = context.name().ends_with("apk");
    let mut words = context
        .rest()
        .iter()
        .map(String::as_str)
        .filter(|w| !w.starts_with('-'));
    let verb = words.next().unwrap_or("");
    // The archive's lists and packages take their time.
    sandbox.sim.sleep(Duration::from_millis(800)).await;
    match verb {
        "update" if alpine => {
            context.stdout.line("OK: 2 distinct packages available");
            0
        }
        "update" | "upgrade" | "clean" | "autoremove" => {
            context.stdout.line("Reading package lists... Done");
            0
        }
        "install" | "add" => {
            if !alpine {
                context
                    .stdout
                    .line("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done");
            }
            install(&context, &sandbox, alpine, &words.collect::<Vec<_>>())
        }
        _ => {
            context.error(format!(
                "of its commands only update and install are simulated, not '{verb}'"
            ));
            100
        }
    }
}

fn install(context: &Context, sandbox: &Rc<Sandbox>, alpine: bool, names: &[&str]) -> i32 {
    let mut missing = Vec::new();
    let mut found = Vec::new();
    for name in names {
        match PACKAGES.iter().find(|(n, _)| n == name) {
            Some((_, commands)) => found.push((*name, *commands)),
            None => missing.push(*name),
        }
    }
    if !missing.is_empty() {
        for name in missing {
            context.stderr.line(match alpine {
                true => format!("ERROR: unable to select packages:\n  {name} (no such package)"),
                false => format!("E: Unable to locate package {name}"),
            });
        }
        let names: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
        context.error(format!(
            "there is no archive of packages here; the simulation has only these: {}",
            names.join(", ")
        ));
        return if alpine { 1 } else { 100 };
    }
    let (mut new, tools) = (0, Commands::with_tools());
    for (package, commands) in found {
        if commands.iter().all(|name| context.host.command(name).is_some()) {
            if !alpine {
                context.stdout.line(format!("{package} is already the newest version."));
            }
            continue;
        }
        for name in commands {
            if let Some(run) = tools.get(name) {
                context.host.add(&format!("/bin/{name}"), move |context| run(context));
                continue;
            }
            let sandbox = sandbox.clone();
            context.host.add(name, move |context| {
                let sandbox = sandbox.clone();
                async move {
                    if *name == "redis-cli" {
                        return redis::client(context, sandbox).await;
                    }
                    match tools::run(name, context, sandbox.network.clone(), sandbox.origin.clone()) {
                        Some(run) => run.await,
                        None => 127,
                    }
                }
            });
        }
        new += 1;
        context.stdout.line(match alpine {
            true => format!("({new}/{new}) Installing {package}"),
            false => format!("Setting up {package} ..."),
        });
    }
    context.stdout.line(match alpine {
        true => "OK: 9 MiB in 20 packages".to_owned(),
        false => format!("0 upgraded, {new} newly installed, 0 to remove and 0 not upgraded."),
    });
    0
}
