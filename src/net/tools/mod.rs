//! Commands that need the network, for a node's host or a container: `curl`, `wget`, `nslookup`, `dig`, `ping`, `nc`,
//! `ip` and their like, and on hosts `ipvsadm` and `iptables`.

mod curl;
mod dns;
mod follow;
mod getent;
mod iptables;
mod ipvsadm;
mod link;
mod nc;
mod ping;
mod wget;

use std::future::ready;
use std::rc::Rc;

use super::{HttpResponse, Network, Origin};
use crate::shell::{Commands, Context, Download};

/// Where the commands' packets start from, asked at each call.
pub type From = Rc<dyn Fn() -> Origin>;

/// A command that uses the network.
type NetCommand = fn(crate::shell::Context, Network, Origin) -> futures::future::LocalBoxFuture<'static, i32>;

/// The commands that [`register`] knows. A command that images have in several forms has the form after its name.
const COMMANDS: &[(&str, NetCommand)] = &[
    ("curl", |c, n, o| Box::pin(curl::run(c, n, o))),
    ("wget", |c, n, o| Box::pin(wget::run(c, n, o))),
    ("nslookup", |c, n, o| Box::pin(dns::nslookup(c, n, o))),
    ("nslookup.busybox", |c, n, o| Box::pin(dns::nslookup_busybox(c, n, o))),
    ("nslookup.old", |c, n, o| Box::pin(dns::nslookup_old(c, n, o))),
    ("dig", |c, n, o| Box::pin(dns::dig(c, n, o))),
    ("host", |c, n, o| Box::pin(dns::host(c, n, o))),
    ("ping", |c, n, o| Box::pin(ping::run(c, n, o, false))),
    ("ping.busybox", |c, n, o| Box::pin(ping::run(c, n, o, true))),
    ("nc", |c, n, o| Box::pin(nc::run(c, n, o, false))),
    ("nc.busybox", |c, n, o| Box::pin(nc::run(c, n, o, true))),
    ("telnet", |c, n, o| Box::pin(nc::telnet(c, n, o))),
    ("ip", |c, n, o| Box::pin(ready(link::ip(&c, &n, &o, false)))),
    ("ip.busybox", |c, n, o| Box::pin(ready(link::ip(&c, &n, &o, true)))),
    ("ifconfig", |c, n, o| Box::pin(ready(link::ifconfig(&c, &n, &o)))),
    ("netstat", |c, n, o| Box::pin(ready(link::netstat(&c, &n, &o)))),
    ("ss", |c, n, o| Box::pin(ready(link::ss(&c, &n, &o)))),
    ("getent", |c, n, o| Box::pin(getent::run(c, n, o))),
    ("ipvsadm", |c, n, o| Box::pin(ipvsadm::run(c, n, o))),
    ("iptables", |c, n, o| Box::pin(ready(iptables::run(&c, &n, &o)))),
    ("iptables-save", |c, n, o| Box::pin(ready(iptables::run(&c, &n, &o)))),
];

/// Adds these commands (`curl`, `wget`, …) to a machine. Unknown names are passed over.
pub fn register(commands: &mut Commands, names: &[&str], network: &Network, from: &From) {
    for name in names {
        let Some((_, run)) = COMMANDS.iter().find(|(n, _)| n == name) else {
            continue;
        };
        let (network, from) = (network.clone(), from.clone());
        let name = name.split('.').next().unwrap_or(name);
        let path = if name == "ipvsadm" { "/usr/sbin/ipvsadm" } else { name };
        commands.add(path, move |context| run(context, network.clone(), from()));
    }
}

/// The answer of a server in the Internet to a machine that can download something there; `None` when there is no way
/// to the server. Redirections are followed already.
async fn downloaded(context: &Context, address: &str) -> Option<HttpResponse> {
    match context.host.download(address).await {
        Download::Text(text) => Some(HttpResponse::new(200, "application/octet-stream", text.as_bytes())),
        Download::Missing => Some(HttpResponse::new(404, "text/plain; charset=utf-8", "Not Found\n")),
        Download::Absent(why) => {
            context.stderr.line(format!("{address}: {why}"));
            None
        }
        Download::Unreachable => None,
    }
}

/// Runs one of the commands by hand; `None` for a name that is none.
pub fn run(
    name: &str,
    context: crate::shell::Context,
    network: Network,
    origin: Origin,
) -> Option<futures::future::LocalBoxFuture<'static, i32>> {
    let (_, run) = COMMANDS.iter().find(|(n, _)| *n == name)?;
    Some(run(context, network, origin))
}
