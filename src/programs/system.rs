//! The cluster's own programs, as far as one sees them from outside: their ports, their health
//! endpoints and the beginnings of their logs. What they do happens elsewhere in the simulation
//! (the API server, the scheduler, the controllers and the network are parts of it); the one that
//! acts here is kube-proxy, which sets its node's mode from its configuration.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::{Deaf, Image, Listening, Sandbox, Service, klog, path_of, program, until_stopped};
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{Gateway, Mode, NoAnswer, Protocol};
use crate::shell::{Commands, Context, Files};

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    let name = image.name();
    let version = Rc::<str>::from(tag.split('-').next().unwrap_or(tag));
    let mut paths: Vec<String> = image.entrypoint.iter().take(1).map(|p| (*p).to_owned()).collect();
    if !paths.iter().any(|p| super::base(p) == name) {
        paths.push(format!("/usr/local/bin/{name}"));
    }
    for path in paths {
        let version = version.clone();
        program(commands, &path, sandbox, move |context: Context, sandbox| {
            let version = version.clone();
            async move {
                match told(name, context.rest(), &version) {
                    Some(text) => {
                        context.stdout.line(text);
                        0
                    }
                    None => run(context, sandbox, name).await,
                }
            }
        });
    }
    if name.starts_with("flannel") {
        // The init containers copy the CNI plugin and its configuration to the host.
        program(commands, "/bin/cp", sandbox, |_, _| async { 0 });
    }
    if name == "etcd" {
        program(
            commands,
            "/usr/local/bin/etcdctl",
            sandbox,
            |context: Context, _| async move {
                context
                    .stderr
                    .line("etcdctl is not simulated: the cluster's state is what the API server shows");
                1
            },
        );
    }
}

/// The admission plugins that are on without a flag, and the others that there are (kube-apiserver's help, v1.36).
const ADMISSION: [&str; 2] = [
    "CertificateApproval, CertificateSigning, CertificateSubjectRestriction, DefaultIngressClass, DefaultStorageClass, \
     DefaultTolerationSeconds, LimitRanger, MutatingAdmissionPolicy, MutatingAdmissionWebhook, NamespaceLifecycle, \
     PersistentVolumeClaimResize, PodSecurity, PodTopologyLabels, Priority, ResourceQuota, RuntimeClass, ServiceAccount, \
     StorageObjectInUseProtection, TaintNodesByCondition, ValidatingAdmissionPolicy, ValidatingAdmissionWebhook",
    "AlwaysAdmit, AlwaysDeny, AlwaysPullImages, DenyServiceExternalIPs, EventRateLimit, ExtendedResourceToleration, \
     ImagePolicyWebhook, LimitPodHardAntiAffinityTopology, NamespaceAutoProvision, NamespaceExists, NodeRestriction, \
     OwnerReferencesPermissionEnforcement, PodNodeSelector, PodTolerationRestriction",
];

/// What a component says that is asked for its version or its flags, instead of running.
fn told(name: &str, args: &[String], version: &str) -> Option<String> {
    let asks = |flags: &[&str]| args.iter().any(|arg| flags.contains(&arg.as_str()));
    let of_kubernetes = name.starts_with("kube-");
    if asks(&["--version", "--version=true"]) {
        return match name {
            "etcd" => Some(format!(
                "etcd Version: {}\nGo OS/Arch: linux/amd64",
                version.trim_start_matches('v')
            )),
            _ => of_kubernetes.then(|| format!("Kubernetes {version}")),
        };
    }
    if asks(&["-version", "--version"]) && name == "coredns" {
        return Some(format!("CoreDNS-{}", version.trim_start_matches('v')));
    }
    if !of_kubernetes || !asks(&["-h", "--help"]) {
        return None;
    }
    let mut text = format!(
        "Usage:\n  {name} [flags]\n\nFlags (of {name}'s own only these are described here; its manifest shows those that are set):\n  \
         -h, --help                       help for {name}\n      --version version[=true]         --version, --version=raw prints \
         version information and quits"
    );
    if name == "kube-apiserver" {
        let [on, off] = ADMISSION;
        text.push_str(&format!(
            "\n\nAdmission flags:\n      --disable-admission-plugins strings   admission plugins that should be disabled \
             although they are in the default enabled plugins list ({on}). Comma-delimited list of admission plugins: {off}, {on}.\n      \
             --enable-admission-plugins strings    admission plugins that should be enabled in addition to default enabled \
             ones ({on}). Comma-delimited list of admission plugins: {off}, {on}."
        ));
    }
    Some(text)
}

/// The ports of a component, and the paths on them that answer `ok`.
fn ports(name: &str, args: &[String]) -> Vec<(Protocol, u16, &'static [&'static str])> {
    const HEALTH: &[&str] = &["/healthz", "/livez", "/readyz"];
    match name {
        "coredns" => vec![
            (Protocol::Udp, 53, &[]),
            (Protocol::Tcp, 53, &[]),
            (Protocol::Tcp, 8080, &["/health"]),
            (Protocol::Tcp, 8181, &["/ready"]),
            (Protocol::Tcp, 9153, &["/metrics"]),
        ],
        "kube-apiserver" => {
            let port = args.iter().find_map(|a| a.strip_prefix("--secure-port=")?.parse().ok());
            vec![(Protocol::Tcp, port.unwrap_or(6443), HEALTH)]
        }
        "kube-controller-manager" => vec![(Protocol::Tcp, 10257, HEALTH)],
        "kube-scheduler" => vec![(Protocol::Tcp, 10259, HEALTH)],
        "kube-proxy" => vec![
            (Protocol::Tcp, 10256, HEALTH),
            (Protocol::Tcp, 10249, &["/healthz", "/proxyMode"]),
        ],
        "etcd" => vec![
            (Protocol::Tcp, 2379, &[]),
            (Protocol::Tcp, 2380, &[]),
            (Protocol::Tcp, 2381, &["/health", "/livez", "/readyz"]),
        ],
        "metrics-server" => vec![(Protocol::Tcp, 4443, HEALTH), (Protocol::Tcp, 10250, HEALTH)],
        _ => Vec::new(),
    }
}

/// The API server's port, behind which the world's API is.
struct Api(Gateway);

impl Service for Api {
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        (self.0)(request)
    }
}

async fn run(context: Context, sandbox: Rc<Sandbox>, name: &'static str) -> i32 {
    let args = context.args.clone();
    if name == "flannel-cni-plugin" {
        return 0;
    }
    let mut listening: Vec<Listening> = Vec::new();
    for (protocol, port, healthy) in ports(name, &args) {
        let gateway = (name == "kube-apiserver").then(|| sandbox.network.gateway()).flatten();
        let opened = if let Some(gateway) = gateway {
            sandbox.listen(protocol, port, Api(gateway))
        } else if healthy.is_empty() {
            sandbox.listen(protocol, port, Deaf)
        } else {
            let (network, node) = (sandbox.network.clone(), sandbox.node.clone());
            let mode = move || network.proxy(&node).map(|p| p.mode()).unwrap_or_default().name();
            sandbox.serve(port, move |request: HttpRequest| {
                let path = path_of(&request);
                let response = if healthy.contains(&path) {
                    let body = match (name, path) {
                        ("kube-proxy", "/proxyMode") => mode(),
                        ("coredns", "/health" | "/ready") => "OK",
                        ("etcd", _) => "{\"health\":\"true\",\"reason\":\"\"}",
                        _ => "ok",
                    };
                    HttpResponse::new(200, "text/plain; charset=utf-8", body)
                } else {
                    HttpResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n")
                };
                std::future::ready(response)
            })
        };
        match opened {
            Ok(open) => listening.push(open),
            Err(error) => {
                context.stderr.line(format!("listen tcp :{port}: bind: {error}"));
                return 1;
            }
        }
    }
    start_log(&context, &sandbox, name);
    let signal = until_stopped(&context.process).await;
    if name == "coredns" {
        context
            .stdout
            .line("[INFO] SIGTERM: Shutting down servers then terminating");
    }
    // Components end well on SIGTERM; the pause container says which signal it was.
    let _ = signal;
    0
}

/// What the component prints as it starts.
fn start_log(context: &Context, sandbox: &Sandbox, name: &str) {
    let now = sandbox.sim.now();
    let info = |place: &str, text: &str| {
        context
            .stderr
            .line(format!("{}       1 {place}] {text}", klog('I', now)));
    };
    match name {
        "coredns" => {
            for line in [
                ".:53",
                "[INFO] plugin/reload: Running configuration SHA512 = 1b226df79860026c6a52e67daa10d7f0d57ec5b023288ec00c5e05f93523c894564e15b91770d3a07ae1cfbe861d15b37d4a0027e69c546ab112970993a3b03b",
                "CoreDNS-1.14.2",
                "linux/amd64, go1.25.5, 5b1a4c0",
            ] {
                context.stdout.line(line);
            }
        }
        "kube-proxy" => kube_proxy(context, sandbox, &info),
        "kube-apiserver" => {
            info(
                "options.go:263",
                &format!("external host was not specified, using {}", sandbox.ip()),
            );
            info("server.go:150", "Version: v1.36.2");
            info(
                "server.go:152",
                "\"Golang settings\" GOGC=\"\" GOMAXPROCS=\"\" GOTRACEBACK=\"\"",
            );
            info("secure_serving.go:211", "Serving securely on [::]:6443");
            info(
                "cache.go:39",
                "Caches are synced for APIServiceRegistrationController controller",
            );
        }
        "kube-controller-manager" => {
            info("serving.go:386", "Generated self-signed cert in-memory");
            info("controllermanager.go:191", "\"Starting\" version=\"v1.36.2\"");
            info("secure_serving.go:211", "Serving securely on 127.0.0.1:10257");
            info(
                "leaderelection.go:257",
                "attempting to acquire leader lease kube-system/kube-controller-manager...",
            );
            info(
                "leaderelection.go:271",
                "successfully acquired lease kube-system/kube-controller-manager",
            );
        }
        "kube-scheduler" => {
            info("serving.go:386", "Generated self-signed cert in-memory");
            info("server.go:176", "\"Starting Kubernetes Scheduler\" version=\"v1.36.2\"");
            info("secure_serving.go:211", "Serving securely on 127.0.0.1:10259");
            info(
                "leaderelection.go:257",
                "attempting to acquire leader lease kube-system/kube-scheduler...",
            );
            info(
                "leaderelection.go:271",
                "successfully acquired lease kube-system/kube-scheduler",
            );
        }
        "etcd" => {
            let stamp = format!("{}.{:03}Z", now.to_string().trim_end_matches('Z'), now.0 / 1000 % 1000);
            for (caller, msg) in [
                ("etcdmain/etcd.go:64", "Running: "),
                ("etcdserver/raft.go:390", "starting local member"),
                (
                    "etcdserver/server.go:1804",
                    "published local member to cluster through raft",
                ),
                ("embed/serve.go:210", "serving client traffic securely"),
            ] {
                context.stderr.line(format!(
                    "{{\"level\":\"info\",\"ts\":\"{stamp}\",\"caller\":\"{caller}\",\"msg\":\"{msg}\"}}"
                ));
            }
        }
        "flannel" => {
            info(
                "main.go:211",
                "CLI flags config: {etcdEndpoints:http://127.0.0.1:4001 kubeSubnetMgr:true ipMasq:true}",
            );
            info("kube.go:139", "Waiting 10m0s for node controller to sync");
            info("kube.go:537", "Starting kube subnet manager");
            info("main.go:491", "Changing default FORWARD chain policy to ACCEPT");
            info("main.go:524", "Wrote subnet file to /run/flannel/subnet.env");
            info("main.go:528", "Running backend.");
        }
        "metrics-server" => info("secure_serving.go:267", "Serving securely on [::]:10250"),
        _ => {}
    }
}

/// kube-proxy: its mode is what its configuration says, iptables where it says nothing.
fn kube_proxy(context: &Context, sandbox: &Sandbox, info: &dyn Fn(&str, &str)) {
    let path = context.args.iter().find_map(|a| a.strip_prefix("--config="));
    let config = path.and_then(|p| context.files.read_text(p).ok()).unwrap_or_default();
    let value = |name: &str| {
        config
            .lines()
            .find_map(|l| l.trim().strip_prefix(name)?.strip_prefix(':'))
            .map(|v| v.trim().trim_matches(['"', '\'']).to_owned())
            .unwrap_or_default()
    };
    let flag = context
        .args
        .iter()
        .find_map(|a| a.strip_prefix("--proxy-mode="))
        .map(str::to_owned);
    let mode = flag.unwrap_or_else(|| value("mode"));
    let mode = match mode.as_str() {
        "ipvs" => Mode::Ipvs(Default::default()),
        "nftables" => Mode::Nftables,
        _ => Mode::Iptables,
    };
    sandbox.network.set_proxy_mode(&sandbox.node, mode);
    info("server.go:702", "\"Version info\" version=\"v1.36.2\"");
    info("conntrack.go:60", "\"Setting nf_conntrack_max\" nfConntrackMax=131072");
    info(
        "server.go:242",
        &format!("\"Successfully retrieved NodeIPs\" NodeIPs=[\"{}\"]", sandbox.ip()),
    );
    info("server_linux.go:132", &format!("\"Using {} Proxier\"", mode.name()));
    if let Mode::Ipvs(_) = mode {
        let scheduler = value("scheduler");
        if scheduler.is_empty() {
            info("proxier.go:373", "\"IPVS scheduler not specified, use rr by default\"");
        }
    }
    info("config.go:200", "\"Starting service config controller\"");
    info("config.go:105", "\"Starting endpoint slice config controller\"");
    info("config.go:329", "\"Starting node config controller\"");
    info(
        "shared_informer.go:356",
        "\"Caches are synced\" controller=\"service config\"",
    );
    info(
        "shared_informer.go:356",
        "\"Caches are synced\" controller=\"endpoint slice config\"",
    );
    info(
        "shared_informer.go:356",
        "\"Caches are synced\" controller=\"node config\"",
    );
}
