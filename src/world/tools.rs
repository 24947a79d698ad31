//! What the student's host has besides the plain tools: `kubectl` and the network's tools.

use std::rc::Rc;

use std::cell::RefCell;

use super::HOST;
use crate::api::{ApiServer, Client, User};
use crate::flat::FlatMap;
use crate::kubelet::Kubelets;
use crate::net::{Network, tools};
use crate::shell::{Commands, Context, Dialect, Files, Host};

/// The commands of a node that need the network.
fn network_of(node: &str, commands: &mut Commands, network: &Network) {
    let from: tools::From = Rc::new({
        let (network, node) = (network.clone(), node.to_owned());
        move || network.host(&node)
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

/// The commands of the student's host that need the network.
pub(super) fn network(commands: &mut Commands, network: &Network) {
    network_of(HOST, commands, network);
}

/// `ssh` to the nodes, whose machines are made when somebody first logs in.
pub(super) fn ssh(commands: &mut Commands, network: &Network, nodes: Vec<(String, Files)>, kubelets: &Kubelets) {
    let machines: Rc<RefCell<FlatMap<String, Host>>> = Rc::default();
    let (network, kubelets, nodes) = (network.clone(), kubelets.clone(), Rc::new(nodes));
    commands.add("ssh", move |context: Context| {
        let (machines, network, kubelets, nodes) =
            (machines.clone(), network.clone(), kubelets.clone(), nodes.clone());
        async move {
            let mut args = context.rest().iter();
            let mut target = None;
            while let Some(arg) = args.next() {
                match arg.as_str() {
                    "-i" | "-l" | "-o" | "-p" | "-F" | "-J" | "-L" => {
                        args.next();
                    }
                    flag if flag.starts_with('-') => {}
                    name => {
                        target = Some(name);
                        break;
                    }
                }
            }
            let Some(target) = target else {
                context.stderr.line("usage: ssh [-i identity_file] [-l login_name] [-o option] [-p port] destination [command [argument ...]]");
                return 255;
            };
            let (user, target) = target.rsplit_once('@').unwrap_or(("root", target));
            let is_meant = |node: &&(String, Files)| node.0 == target || network.host(&node.0).ip.to_string() == target;
            let Some((node, files)) = nodes.iter().find(is_meant) else {
                context.error(format!("Could not resolve hostname {target}: Name or service not known"));
                return 255;
            };
            if !kubelets.running().iter().any(|n| **n == **node) {
                context.error(format!("connect to host {target} port 22: No route to host"));
                return 255;
            }
            if user != "root" {
                context.stderr.line(format!("{user}@{target}: Permission denied (publickey)."));
                return 255;
            }
            let machine = if node == HOST {
                context.host.clone()
            } else {
                let mut machines = machines.borrow_mut();
                let machine = machines.entry(node.clone()).or_insert_with(|| {
                    let mut commands = Commands::with_tools();
                    network_of(node, &mut commands, &network);
                    Host::new(&context.sim, node, files.clone(), commands, Dialect::Bash)
                });
                machine.clone()
            };
            let mut words: Vec<String> = args.cloned().collect();
            if words.first().is_some_and(|w| w == "--") {
                words.remove(0);
            }
            let interactive = words.is_empty() && context.stdin.is_terminal();
            let run = match words.is_empty() {
                true => vec!["bash".to_owned()],
                false => vec!["bash".to_owned(), "-c".to_owned(), words.join(" ")],
            };
            let (stdout, stderr) = (context.stdout.clone(), context.stderr.clone());
            let code = super::input::log_in(&machine, run, context.stdin.clone(), stdout, stderr).await;
            if interactive {
                context.stderr.line(format!("logout\nConnection to {target} closed."));
            }
            code
        }
    });
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
