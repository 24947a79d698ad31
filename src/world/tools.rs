//! What the student's host has besides the plain tools: `kubectl` and the network's tools.

use std::rc::Rc;

use super::HOST;
use crate::net::{Network, tools};
use crate::shell::Commands;

/// The commands of the student's host that need the network.
pub(super) fn network(commands: &mut Commands, network: &Network) {
    let from: tools::From = Rc::new({
        let network = network.clone();
        move || network.host(HOST)
    });
    tools::register(
        commands,
        &["curl", "wget", "nslookup", "ping", "nc", "ipvsadm"],
        network,
        &from,
    );
}
