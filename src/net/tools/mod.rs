//! Commands that need the network, for a node's host or a container: `curl`, `wget`, `nslookup`,
//! `ping`, `nc`, and on hosts `ipvsadm`.

mod curl;
mod follow;
mod ipvsadm;
mod nc;
mod nslookup;
mod ping;
mod wget;

use std::rc::Rc;

use super::{Network, Origin};
use crate::shell::Commands;

/// Where the commands' packets start from, asked at each call.
pub type From = Rc<dyn Fn() -> Origin>;

/// A command that uses the network.
type NetCommand = fn(crate::shell::Context, Network, Origin) -> futures::future::LocalBoxFuture<'static, i32>;

/// The commands that [`register`] knows, by name.
const COMMANDS: &[(&str, NetCommand)] = &[
    ("curl", |c, n, o| Box::pin(curl::run(c, n, o))),
    ("wget", |c, n, o| Box::pin(wget::run(c, n, o))),
    ("nslookup", |c, n, o| Box::pin(nslookup::run(c, n, o))),
    ("ping", |c, n, o| Box::pin(ping::run(c, n, o))),
    ("nc", |c, n, o| Box::pin(nc::run(c, n, o))),
    ("ipvsadm", |c, n, o| Box::pin(ipvsadm::run(c, n, o))),
];

/// Adds these commands (`curl`, `wget`, …) to a machine. Unknown names are passed over.
pub fn register(commands: &mut Commands, names: &[&str], network: &Network, from: &From) {
    for name in names {
        let Some((_, run)) = COMMANDS.iter().find(|(n, _)| n == name) else {
            continue;
        };
        let (network, from) = (network.clone(), from.clone());
        let path = if *name == "ipvsadm" {
            "/usr/sbin/ipvsadm".to_owned()
        } else {
            (*name).to_owned()
        };
        commands.add(&path, move |context| run(context, network.clone(), from()));
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
