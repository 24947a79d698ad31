//! A node's own system: the files that flannel and kubeadm leave there, its kernel's modules, its
//! units, and its tools that are not simulated.

use crate::api::{ApiServer, ObjectKey};
use crate::shell::{Commands, Context, Files};
use crate::sim::Time;

/// The modules that kubeadm's preparation and IPVS load, with their sizes in bytes and who uses them: what `lsmod`
/// lists.
const MODULES: &[(&str, u32, &str)] = &[
    ("ip_vs_sh", 16_384, ""),
    ("ip_vs_wrr", 16_384, ""),
    ("ip_vs_rr", 16_384, ""),
    ("ip_vs", 192_512, "ip_vs_rr,ip_vs_sh,ip_vs_wrr"),
    ("vxlan", 102_400, ""),
    ("xt_MASQUERADE", 20_480, ""),
    ("xt_conntrack", 16_384, ""),
    ("nf_nat", 57_344, "xt_MASQUERADE"),
    ("nf_conntrack", 188_416, "xt_conntrack,nf_nat,xt_MASQUERADE,ip_vs"),
    ("nf_defrag_ipv6", 24_576, "nf_conntrack,ip_vs"),
    ("br_netfilter", 36_864, ""),
    ("bridge", 311_296, "br_netfilter"),
    ("overlay", 163_840, ""),
    ("libcrc32c", 16_384, "nf_conntrack,nf_nat,ip_vs"),
];

async fn lsmod(c: Context) -> i32 {
    c.stdout.line("Module                  Size  Used by");
    for (name, size, users) in MODULES {
        let count = users.split(',').filter(|u| !u.is_empty()).count();
        c.stdout.line(format!("{name:<19} {size:>8}  {count} {users}"));
    }
    0
}

async fn modprobe(c: Context) -> i32 {
    for name in c.rest().iter().filter(|w| !w.starts_with('-')) {
        let known = |m: &&(&str, u32, &str)| m.0 == name.replace('-', "_");
        let family = |prefix: &str| name.starts_with(prefix);
        if MODULES.iter().find(known).is_none() && !["nf_", "xt_", "ip"].into_iter().any(family) {
            c.stderr.line(format!(
                "modprobe: FATAL: Module {name} not found in directory /lib/modules/6.1.0-41-amd64"
            ));
            return 1;
        }
    }
    0
}

/// What a node has for its services and containers, and what is not simulated.
const UNSIMULATED: [&str; 5] = ["journalctl", "crictl", "ctr", "kubeadm", "kubelet"];

/// The units that a node of a cluster runs: the name, its description, and where it is documented.
const UNITS: &[(&str, &str, &str)] = &[
    (
        "kubelet",
        "kubelet: The Kubernetes Node Agent",
        "https://kubernetes.io/docs/",
    ),
    ("containerd", "containerd container runtime", "https://containerd.io"),
];

/// Runs `systemctl VERB UNIT…`, or `service UNIT VERB`. Units are shown; starting again what runs changes nothing.
async fn systemctl(c: Context, since: Time) -> i32 {
    let mut words: Vec<&str> = c
        .rest()
        .iter()
        .map(String::as_str)
        .filter(|w| !w.starts_with('-'))
        .collect();
    if c.name().ends_with("service") {
        words.reverse();
    }
    let Some((verb, units)) = words.split_first() else {
        c.error("name what to do with which unit; lists of units are not simulated");
        return 1;
    };
    let out = &c.stdout;
    let mut code = 0;
    for given in units {
        let name = given.trim_end_matches(".service");
        let known = UNITS.iter().find(|(n, ..)| *n == name);
        let wrong = |text: String, code: i32| {
            c.stderr.line(text);
            code
        };
        code = match (*verb, known) {
            ("is-active", _) => {
                out.line(known.map_or("inactive", |_| "active"));
                // One that is active is enough.
                let is_known = |u: &&str| UNITS.iter().any(|(n, ..)| *n == u.trim_end_matches(".service"));
                if units.iter().any(is_known) { 0 } else { 4 }
            }
            ("is-enabled", Some(_)) => {
                out.line("enabled");
                0
            }
            ("status", Some((_, about, documented))) => {
                let (day, from) = (since.rfc1123(), since.micro());
                let ago = c.sim.now().seconds_since(since);
                let ago = match (ago / 3600, ago / 60 % 60, ago % 60) {
                    (0, 0, s) => format!("{s}s"),
                    (0, m, s) => format!("{m}min {s}s"),
                    (h, m, _) if h < 24 => format!("{h}h {m}min"),
                    (h, ..) => format!("{} days", h / 24),
                };
                out.line(format!(
                    "● {name}.service - {about}\n     Loaded: loaded (/lib/systemd/system/{name}.service; enabled; \
                     preset: enabled)\n     Active: active (running) since {} {} {} UTC; {ago} ago\n       Docs: \
                     {documented}",
                    day.get(..3).unwrap_or_default(),
                    from.get(..10).unwrap_or_default(),
                    from.get(11..19).unwrap_or_default(),
                ));
                0
            }
            ("start" | "restart" | "reload" | "enable" | "unmask", Some(_)) => 0,
            ("status", None) => wrong(format!("Unit {name}.service could not be found."), 4),
            ("enable" | "disable" | "mask", None) => wrong(
                format!("Failed to {verb} unit: Unit file {name}.service does not exist."),
                1,
            ),
            ("stop", None) => wrong(
                format!("Failed to stop {name}.service: Unit {name}.service not loaded."),
                5,
            ),
            (_, None) => wrong(
                format!("Failed to {verb} {name}.service: Unit {name}.service not found."),
                5,
            ),
            (_, Some(_)) => wrong(format!("systemctl: {verb} is not simulated for {name}.service"), 1),
        };
    }
    code
}

/// Adds the commands of a node's system. `since` is when the node began.
pub(super) fn register(commands: &mut Commands, since: Time) {
    commands.add("/usr/sbin/lsmod", lsmod);
    commands.add("/usr/sbin/modprobe", modprobe);
    commands.add("/usr/sbin/swapoff", |_: Context| async { 0 });
    commands.add("/usr/bin/systemctl", move |c| systemctl(c, since));
    commands.add("/usr/sbin/service", move |c| systemctl(c, since));
    // A kubeadm node has them: that they are not found would be another machine's answer.
    for name in UNSIMULATED {
        commands.add(name, |context: Context| async move {
            context.error("what runs on a node beside the containers of its pods is not simulated");
            1
        });
    }
}

/// The kubelet's configuration, as kubeadm writes it from the cluster's ConfigMap when a node joins: it names the
/// node's own container runtime there.
pub(super) fn kubelet_config(api: &ApiServer) -> String {
    let map = api
        .store()
        .get("configmaps", &ObjectKey::new("kube-system", "kubelet-config"));
    map.map(|m| m.value().str_at(&["data", "kubelet"]).to_owned())
        .unwrap_or_default()
        .replace(
            "containerRuntimeEndpoint: \"\"",
            "containerRuntimeEndpoint: unix:///var/run/containerd/containerd.sock",
        )
}

/// Writes what flannel leaves on a node: its part of the network, and the plugin's configuration as the cluster's
/// ConfigMap has it. `subnet` is the first three parts of the addresses of the node's pods.
pub(super) fn write_files(api: &ApiServer, files: &Files, subnet: &str) {
    let api = api.clone();
    // A fresh file system has room for them.
    let _ = files.generate("/etc/cni/net.d/10-flannel.conflist", move || {
        let map = api
            .store()
            .get("configmaps", &ObjectKey::new("kube-flannel", "kube-flannel-cfg"));
        map.map(|m| m.value().str_at(&["data", "cni-conf.json"]).as_bytes().to_vec())
            .unwrap_or_default()
    });
    let _ = files.put(
        "/run/flannel/subnet.env",
        format!("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET={subnet}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"),
    );
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::world::testing::printed;

    #[test]
    fn a_node_has_its_files_modules_and_units() {
        let steps = r#"
$ cmp ~/.kube/config /etc/kubernetes/admin.conf; ls -l /etc/kubernetes/admin.conf | cut -c1-10
$ KUBECONFIG=/etc/kubernetes/admin.conf kubectl get node k8s-master -o name
$ cat /run/flannel/subnet.env; ssh k8s-node-02 'grep SUBNET /run/flannel/subnet.env; head -1 /var/lib/kubelet/config.yaml; grep -c portmap /etc/cni/net.d/10-flannel.conflist'
$ diff <(kubectl get cm -n kube-system kubelet-config -o jsonpath={.data.kubelet}) /var/lib/kubelet/config.yaml
$ lsmod | grep -e '^ip_vs ' -e ^Module
$ modprobe -- ip_vs_rr && modprobe br_netfilter nosuch
$ systemctl daemon-reload && systemctl restart kubelet.service && systemctl is-active kubelet docker
$ ssh k8s-node-01 systemctl status kubelet
$ systemctl stop firewalld; systemctl disable firewalld; systemctl status docker; service docker restart; systemctl stop kubelet
"#;
        expect![[r#"

            $ cmp ~/.kube/config /etc/kubernetes/admin.conf; ls -l /etc/kubernetes/admin.conf | cut -c1-10
            -rw-------
            $ KUBECONFIG=/etc/kubernetes/admin.conf kubectl get node k8s-master -o name
            node/k8s-master
            $ cat /run/flannel/subnet.env; ssh k8s-node-02 'grep SUBNET /run/flannel/subnet.env; head -1 /var/lib/kubelet/config.yaml; grep -c portmap /etc/cni/net.d/10-flannel.conflist'
            FLANNEL_NETWORK=10.244.0.0/16
            FLANNEL_SUBNET=10.244.0.1/24
            FLANNEL_MTU=1450
            FLANNEL_IPMASQ=true
            FLANNEL_SUBNET=10.244.2.1/24
            apiVersion: kubelet.config.k8s.io/v1beta1
            1
            $ diff <(kubectl get cm -n kube-system kubelet-config -o jsonpath={.data.kubelet}) /var/lib/kubelet/config.yaml
            19c19
            < containerRuntimeEndpoint: ""
            ---
            > containerRuntimeEndpoint: unix:///var/run/containerd/containerd.sock
            [exit 1]
            $ lsmod | grep -e '^ip_vs ' -e ^Module
            Module                  Size  Used by
            ip_vs                 192512  3 ip_vs_rr,ip_vs_sh,ip_vs_wrr
            $ modprobe -- ip_vs_rr && modprobe br_netfilter nosuch
            modprobe: FATAL: Module nosuch not found in directory /lib/modules/6.1.0-41-amd64
            [exit 1]
            $ systemctl daemon-reload && systemctl restart kubelet.service && systemctl is-active kubelet docker
            active
            inactive
            $ ssh k8s-node-01 systemctl status kubelet
            ● kubelet.service - kubelet: The Kubernetes Node Agent
                 Loaded: loaded (/lib/systemd/system/kubelet.service; enabled; preset: enabled)
                 Active: active (running) since Thu 2026-01-01 08:00:00 UTC; 0s ago
                   Docs: https://kubernetes.io/docs/
            $ systemctl stop firewalld; systemctl disable firewalld; systemctl status docker; service docker restart; systemctl stop kubelet
            Failed to stop firewalld.service: Unit firewalld.service not loaded.
            Failed to disable unit: Unit file firewalld.service does not exist.
            Unit docker.service could not be found.
            Failed to restart docker.service: Unit docker.service not found.
            systemctl: stop is not simulated for kubelet.service
            [exit 1]
        "#]]
        .assert_eq(&printed(steps));
    }

    #[test]
    fn host_ports_lead_to_pods() {
        let steps = r#"
$ kubectl run web --image=nginx --overrides='{"spec":{"nodeName":"k8s-node-01","containers":[{"name":"web","image":"nginx","ports":[{"containerPort":80,"hostPort":8088},{"containerPort":80,"hostPort":8089,"hostIP":"127.0.0.1"}]}]}}'
$ kubectl run influxdb --image=influxdb --overrides='{"spec":{"nodeName":"k8s-node-01","hostNetwork":true}}'; sleep 0.1; kubectl get pod influxdb -o jsonpath='{.status.podIP}{"\n"}'
@settle
$ curl -s 192.168.110.22:8088 | grep title; curl -sS 192.168.110.22:8089
$ ssh k8s-node-01 'curl -s localhost:8088 | grep title; curl -s localhost:8089 | grep title'
$ curl -si 192.168.110.22:8086/ping | tr -d '\r'
$ kubectl delete pod web >/dev/null; curl -sS 192.168.110.22:8088
"#;
        expect![[r#"

            $ kubectl run web --image=nginx --overrides='{"spec":{"nodeName":"k8s-node-01","containers":[{"name":"web","image":"nginx","ports":[{"containerPort":80,"hostPort":8088},{"containerPort":80,"hostPort":8089,"hostIP":"127.0.0.1"}]}]}}'
            pod/web created
            $ kubectl run influxdb --image=influxdb --overrides='{"spec":{"nodeName":"k8s-node-01","hostNetwork":true}}'; sleep 0.1; kubectl get pod influxdb -o jsonpath='{.status.podIP}{"\n"}'
            pod/influxdb created
            192.168.110.22
            @settle
            $ curl -s 192.168.110.22:8088 | grep title; curl -sS 192.168.110.22:8089
            <title>Welcome to nginx!</title>
            curl: (7) Failed to connect to 192.168.110.22 port 8089 after 1 ms: Could not connect to server
            [exit 7]
            $ ssh k8s-node-01 'curl -s localhost:8088 | grep title; curl -s localhost:8089 | grep title'
            <title>Welcome to nginx!</title>
            <title>Welcome to nginx!</title>
            $ curl -si 192.168.110.22:8086/ping | tr -d '\r'
            HTTP/1.1 204 No Content
            X-Influxdb-Build: OSS
            X-Influxdb-Version: 2.7.12
            Date: Thu, 01 Jan 2026 08:00:05 GMT

            $ kubectl delete pod web >/dev/null; curl -sS 192.168.110.22:8088
            curl: (7) Failed to connect to 192.168.110.22 port 8088 after 1 ms: Could not connect to server
            [exit 7]
        "#]]
        .assert_eq(&printed(steps));
    }

    #[test]
    fn wget_logs_and_names_hosts_as_typed() {
        let steps = r#"
$ kubectl run web --image=nginx --port=80 --expose >/dev/null; kubectl run box --image=busybox -- sleep 3600 >/dev/null
@settle
$ kubectl exec box -- sh -c 'wget -o- $WEB_SERVICE_HOST:$WEB_SERVICE_PORT' | sed "s/$(kubectl get svc web -o jsonpath={.spec.clusterIP})/IP/g"
$ kubectl exec box -- sh -c 'rm index.html; wget -o log -O page http://web:80/; sed "s/(.*:/(IP:/" log; grep title page'
$ kubectl exec box -- wget -q --spider web; echo $?
$ kubectl get cm kube-proxy -n kube-system -o yaml | sed 's/mode: ""/mode: "ipvs"/' | kubectl apply -f - 2>/dev/null; kubectl delete pod -n kube-system -l k8s-app=kube-proxy >/dev/null
@settle
$ ip a show kube-ipvs0 | grep -c 10.96.0.10/
$ grep "^[a-Z]" /etc/hosts
"#;
        expect![[r#"

            $ kubectl run web --image=nginx --port=80 --expose >/dev/null; kubectl run box --image=busybox -- sleep 3600 >/dev/null
            @settle
            $ kubectl exec box -- sh -c 'wget -o- $WEB_SERVICE_HOST:$WEB_SERVICE_PORT' | sed "s/$(kubectl get svc web -o jsonpath={.spec.clusterIP})/IP/g"
            Connecting to IP:80 (IP:80)
            saving to 'index.html'
            index.html           100% |********************************|   615  0:00:00 ETA
            'index.html' saved
            $ kubectl exec box -- sh -c 'rm index.html; wget -o log -O page http://web:80/; sed "s/(.*:/(IP:/" log; grep title page'
            Connecting to web:80 (IP:80)
            saving to 'page'
            page                 100% |********************************|   615  0:00:00 ETA
            'page' saved
            <title>Welcome to nginx!</title>
            $ kubectl exec box -- wget -q --spider web; echo $?
            0
            $ kubectl get cm kube-proxy -n kube-system -o yaml | sed 's/mode: ""/mode: "ipvs"/' | kubectl apply -f - 2>/dev/null; kubectl delete pod -n kube-system -l k8s-app=kube-proxy >/dev/null
            configmap/kube-proxy configured
            @settle
            $ ip a show kube-ipvs0 | grep -c 10.96.0.10/
            1
            $ grep "^[a-Z]" /etc/hosts
            grep: Invalid range end
            [exit 2]
        "#]]
        .assert_eq(&printed(steps));
    }

    #[test]
    fn iptables_show_the_rules_of_services() {
        let steps = r#"
$ kubectl create deployment web --image=nginx --replicas=2 >/dev/null; kubectl expose deploy web --port=80 --type=NodePort --overrides='{"spec":{"sessionAffinity":"ClientIP","clusterIP":"10.96.0.80","ports":[{"port":80,"nodePort":30080}]}}' >/dev/null; kubectl create svc clusterip lonely --tcp=81 --clusterip=10.96.0.81 >/dev/null
@settle
$ iptables-save -t nat | grep -e 'web' -e 'KUBE-MARK-MASQ -' | sed 's/10.244.[12]./IP/; s/KUBE-SEP-[A-Z2-7]*/KUBE-SEP-X/g'
$ iptables -t nat -nL KUBE-SERVICES | head -3; iptables -S KUBE-SERVICES; iptables -F; iptables -L NOSUCH
$ kubectl exec -n kube-system ds/kube-proxy -- iptables -t nat -L KUBE-NODEPORTS
$ curl -s 10.96.0.80 >/dev/null; curl -s 192.168.110.22:30080 >/dev/null; kubectl logs -l app=web | grep curl | cut -d ' ' -f 1 | sort -u
$ kubectl exec deploy/web -- curl -s 10.96.0.80 >/dev/null; kubectl logs -l app=web | grep -c '^10.244.[12].[1-9] '
"#;
        expect![[r#"

            $ kubectl create deployment web --image=nginx --replicas=2 >/dev/null; kubectl expose deploy web --port=80 --type=NodePort --overrides='{"spec":{"sessionAffinity":"ClientIP","clusterIP":"10.96.0.80","ports":[{"port":80,"nodePort":30080}]}}' >/dev/null; kubectl create svc clusterip lonely --tcp=81 --clusterip=10.96.0.81 >/dev/null
            @settle
            $ iptables-save -t nat | grep -e 'web' -e 'KUBE-MARK-MASQ -' | sed 's/10.244.[12]./IP/; s/KUBE-SEP-[A-Z2-7]*/KUBE-SEP-X/g'
            :KUBE-MARK-MASQ - [0:0]
            -A KUBE-EXT-LOLE4ISW44XBNF3G -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ
            -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
            -A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30080 -j KUBE-EXT-LOLE4ISW44XBNF3G
            -A KUBE-SEP-X -s IP2/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ
            -A KUBE-SEP-X -p tcp -m comment --comment "default/web" -m recent --set --name KUBE-SEP-X --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination IP2:80
            -A KUBE-SEP-X -s IP2/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ
            -A KUBE-SEP-X -p tcp -m comment --comment "default/web" -m recent --set --name KUBE-SEP-X --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination IP2:80
            -A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-LOLE4ISW44XBNF3G
            -A KUBE-SVC-LOLE4ISW44XBNF3G ! -s 10.244.0.0/16 -d 10.96.0.80/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-LOLE4ISW44XBNF3G -m comment --comment "default/web -> IP2:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource -j KUBE-SEP-X
            -A KUBE-SVC-LOLE4ISW44XBNF3G -m comment --comment "default/web -> IP2:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource -j KUBE-SEP-X
            -A KUBE-SVC-LOLE4ISW44XBNF3G -m comment --comment "default/web -> IP2:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-X
            -A KUBE-SVC-LOLE4ISW44XBNF3G -m comment --comment "default/web -> IP2:80" -j KUBE-SEP-X
            $ iptables -t nat -nL KUBE-SERVICES | head -3; iptables -S KUBE-SERVICES; iptables -F; iptables -L NOSUCH
            Chain KUBE-SERVICES (2 references)
            target     prot opt source               destination         
            KUBE-SVC-NPX46M4PTMTKRN6Y  tcp  --  0.0.0.0/0            10.96.0.1            /* default/kubernetes:https cluster IP */ tcp dpt:443
            -N KUBE-SERVICES
            -A KUBE-SERVICES -d 10.96.0.81/32 -p tcp -m comment --comment "default/lonely:81 has no endpoints" -m tcp --dport 81 -j REJECT --reject-with icmp-port-unreachable
            iptables: rules are shown (-L, -S), changing them is not simulated
            iptables: No chain/target/match by that name.
            [exit 1]
            $ kubectl exec -n kube-system ds/kube-proxy -- iptables -t nat -L KUBE-NODEPORTS
            Chain KUBE-NODEPORTS (1 references)
            target     prot opt source               destination         
            KUBE-EXT-LOLE4ISW44XBNF3G  tcp  --  0.0.0.0/0            0.0.0.0/0            /* default/web */ tcp dpt:30080
            $ curl -s 10.96.0.80 >/dev/null; curl -s 192.168.110.22:30080 >/dev/null; kubectl logs -l app=web | grep curl | cut -d ' ' -f 1 | sort -u
            10.244.0.0
            10.244.1.0
            $ kubectl exec deploy/web -- curl -s 10.96.0.80 >/dev/null; kubectl logs -l app=web | grep -c '^10.244.[12].[1-9] '
            1
        "#]]
        .assert_eq(&printed(steps));
    }
}
