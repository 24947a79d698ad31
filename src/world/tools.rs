//! What the student's host has besides the plain tools: `kubectl` and the network's tools.

use std::rc::Rc;

use super::HOST;
use crate::api::{ApiServer, Client, User};
use crate::net::{Network, tools};
use crate::shell::{Commands, Host};

/// The commands of the student's host that need the network.
pub(super) fn network(commands: &mut Commands, network: &Network) {
    let from: tools::From = Rc::new({
        let network = network.clone();
        move || network.host(HOST)
    });
    tools::register(
        commands,
        &[
            "curl", "wget", "nslookup", "dig", "host", "ping", "nc", "telnet", "ip", "netstat", "ss", "ipvsadm",
        ],
        network,
        &from,
    );
}

/// kubectl, as the cluster's administrator.
pub(super) fn kubectl(commands: &mut Commands, api: &ApiServer, network: &Network) {
    let client = Client::new(api, "kubectl", User::admin());
    let local = crate::kubectl::Local {
        network: network.clone(),
        node: HOST.into(),
    };
    commands.add_boxed("/usr/local/bin/kubectl", crate::kubectl::command(client, Some(local)));
}

/// kubectl's completion on the student's terminals.
pub(super) fn completion(host: &Host, api: &ApiServer) {
    let client = Client::new(api, "kubectl", User::admin());
    host.set_completer("kubectl", Rc::new(crate::kubectl::KubectlCompleter::new(client)));
}
