//! What the student's host has besides the plain tools: `kubectl` and the network's tools.

use std::rc::Rc;

use std::cell::RefCell;

use super::HOST;
use crate::api::{ApiServer, Client, User};
use crate::flat::FlatMap;
use crate::kubectl::kustomize;
use crate::kubelet::Kubelets;
use crate::net::{Network, tools};
use crate::shell::{CommandFn, Commands, Context, Dialect, Download, Files, Host, jq, options};
use crate::sim::Time;

/// What a node's machine has. `since` is when the node began.
pub(super) fn commands_of(node: &str, network: &Network, since: Time) -> Commands {
    let mut commands = Commands::with_tools();
    let from: tools::From = Rc::new({
        let (network, node) = (network.clone(), node.to_owned());
        move || network.host(&node)
    });
    tools::register(
        &mut commands,
        &[
            "curl",
            "wget",
            "nslookup",
            "dig",
            "host",
            "ping",
            "nc",
            "telnet",
            "ip",
            "netstat",
            "ss",
            "ipvsadm",
            "iptables",
            "iptables-save",
            "getent",
        ],
        network,
        &from,
    );
    super::system::register(&mut commands, since);
    commands
}

/// `jq`, which the student's host has and the nodes have not.
pub(super) fn jq(commands: &mut Commands, engine: &jq::Engine) {
    let engine = engine.clone();
    commands.add("jq", move |context| jq::jq(context, engine.clone()));
}

/// `minikube`, which the student's host has for tutorials that were written for it: a script for the host's bash, among
/// the texts that are brought when they are needed.
pub(super) fn minikube(commands: &mut Commands) {
    commands.add("/usr/local/bin/minikube", |mut context: Context| async move {
        let script = context.host.download("kubetab/minikube.sh").await;
        let bash = context.host.find("bash", &context.env, &context.cwd);
        let (Download::Text(script), Ok(bash)) = (script, bash) else {
            context.error("its script could not be loaded");
            return 1;
        };
        context
            .args
            .splice(..0, ["bash".into(), "-c".into(), script.to_string()]);
        bash.run(context).await
    });
}

/// The options of OpenSSH's client: those with a value, and those that change nothing here.
const SSH_OPTIONS: &str = "B:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w: 46AaCfGgKkMNnqsTtVvXxYy";

/// What `ssh` reaches: the nodes, each with its files, whose machines are made when somebody first logs in.
struct Nodes {
    network: Network,
    kubelets: Kubelets,
    nodes: Vec<(String, Files)>,
    machines: RefCell<FlatMap<String, Host>>,
    /// When they began.
    since: Time,
}

impl Nodes {
    /// The machine that a name or an address leads to, or why it leads nowhere.
    fn reach(&self, context: &Context, target: &str) -> Result<Host, String> {
        let is_meant =
            |node: &&(String, Files)| node.0 == target || self.network.host(&node.0).ip.to_string() == target;
        let Some((node, files)) = self.nodes.iter().find(is_meant) else {
            return Err(format!(
                "Could not resolve hostname {target}: Name or service not known"
            ));
        };
        if !self.kubelets.running().iter().any(|n| **n == **node) {
            return Err(format!("connect to host {target} port 22: No route to host"));
        }
        if node == HOST {
            return Ok(context.host.clone());
        }
        let mut machines = self.machines.borrow_mut();
        let machine = machines.entry(node.clone()).or_insert_with(|| {
            let commands = commands_of(node, &self.network, self.since);
            Host::new(&context.sim, node, files.clone(), commands, Dialect::Bash)
        });
        Ok(machine.clone())
    }

    /// Runs `ssh`.
    async fn log_in(&self, context: Context) -> i32 {
        let Ok(options) = options::parse_until(&context, SSH_OPTIONS, &[], true) else {
            return 255;
        };
        let Some((target, words)) = options.rest.split_first() else {
            context.stderr.line("usage: ssh [-i identity_file] [-l login_name] [-o option] [-p port] destination [command [argument ...]]");
            return 255;
        };
        let (named, target) = match target.rsplit_once('@') {
            Some((user, target)) => (Some(user), target),
            None => (None, target.as_str()),
        };
        let user = options.value('l').or(named).unwrap_or("root");
        let machine = match self.reach(&context, target) {
            Ok(machine) => machine,
            Err(why) => {
                context.error(why);
                return 255;
            }
        };
        if user != "root" {
            context
                .stderr
                .line(format!("{user}@{target}: Permission denied (publickey)."));
            return 255;
        }
        let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
        let interactive = words.is_empty() && context.stdin.is_terminal();
        let mut run = vec!["bash".to_owned()];
        if !words.is_empty() {
            run.extend(["-c".to_owned(), words.join(" ")]);
        }
        let (stdout, stderr) = (context.stdout.clone(), context.stderr.clone());
        let code = super::input::log_in(&machine, run, context.stdin.clone(), stdout, stderr).await;
        if interactive {
            context.stderr.line(format!("logout\nConnection to {target} closed."));
        }
        code
    }
}

/// `ssh` to the nodes.
pub(super) fn ssh(
    commands: &mut Commands,
    network: &Network,
    nodes: Vec<(String, Files)>,
    kubelets: &Kubelets,
    since: Time,
) {
    let nodes = Rc::new(Nodes {
        network: network.clone(),
        kubelets: kubelets.clone(),
        nodes,
        machines: RefCell::default(),
        since,
    });
    commands.add("ssh", move |context: Context| {
        let nodes = nodes.clone();
        async move { nodes.log_in(context).await }
    });
}

/// kubectl, as the cluster's administrator.
pub(super) fn kubectl(commands: &mut Commands, api: &ApiServer, network: &Network, kustomize: &kustomize::Engine) {
    let client = Client::new(api, "kubectl", User::admin());
    let local = crate::kubectl::Local {
        network: network.clone(),
        node: HOST.into(),
    };
    commands.add_boxed(
        "/usr/local/bin/kubectl",
        crate::kubectl::command(client, Some(local), kustomize),
    );
}

/// kubectl in a container, which acts as the pod's service account: without a kubeconfig it takes that one's token.
pub(super) fn kubectl_of_pods(api: &ApiServer, kustomize: &kustomize::Engine) -> CommandFn {
    crate::kubectl::command(Client::new(api, "kubectl", User::anonymous()), None, kustomize)
}

/// kubectl's completion on the student's terminals.
pub(super) fn completion(host: &Host, api: &ApiServer) {
    let client = Client::new(api, "kubectl", User::admin());
    host.set_completer("kubectl", Rc::new(crate::kubectl::KubectlCompleter::new(client)));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use crate::world::{Input, Options, World};

    #[test]
    fn ssh_reads_its_options() {
        let world = World::new(&Options::default()).unwrap();
        let end = world.sim().now() + Duration::from_secs(60);
        let mut said = String::new();
        for line in [
            "ssh -o StrictHostKeyChecking=no -p22 k8s-node-01 hostname -s",
            "ssh -l root k8s-node-01 -- echo $HOME",
            "ssh -l joe root@k8s-node-01 true",
            "ssh joe@k8s-node-01 true",
            "ssh nosuch",
            "ssh -l",
            "ssh",
        ] {
            let done = world.input(Input::Exec(line.to_owned()));
            let done = world.sim().run_future(done, end).unwrap().unwrap();
            said.push_str(&format!("$ {line}\n{}{}[{}]\n", done.stdout, done.stderr, done.code));
        }
        expect![[r#"
            $ ssh -o StrictHostKeyChecking=no -p22 k8s-node-01 hostname -s
            k8s-node-01
            [0]
            $ ssh -l root k8s-node-01 -- echo $HOME
            /root
            [0]
            $ ssh -l joe root@k8s-node-01 true
            joe@k8s-node-01: Permission denied (publickey).
            [255]
            $ ssh joe@k8s-node-01 true
            joe@k8s-node-01: Permission denied (publickey).
            [255]
            $ ssh nosuch
            ssh: Could not resolve hostname nosuch: Name or service not known
            [255]
            $ ssh -l
            ssh: option requires an argument -- 'l'
            Try 'ssh --help' for more information.
            [255]
            $ ssh
            usage: ssh [-i identity_file] [-l login_name] [-o option] [-p port] destination [command [argument ...]]
            [255]
        "#]]
        .assert_eq(&said);
    }
}
