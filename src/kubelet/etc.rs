//! The files below `/etc` that a kubelet makes for a pod's containers: `hosts` and `resolv.conf`.

use crate::api::Object;
use crate::net::proxy::DNS_SERVICE;
use crate::shell::Files;
use crate::value::Value;

/// The server that the nodes themselves ask.
pub const NODE_DNS: &str = "192.168.110.2";

/// The servers that a resolver asks at most: glibc's `MAXNS`, which kubelets keep to (`MaxDNSNameservers`).
const NAMESERVERS: usize = 3;

/// Letters of a host's name (`sysctl kernel.hostname` takes 64 with the zero).
const HOSTNAME: usize = 63;

/// A name as a host can have it: one that is too long is cut, and ends in a letter or digit.
pub fn hostname(name: &str) -> String {
    match name.char_indices().nth(HOSTNAME) {
        Some((at, _)) => name.get(..at).unwrap_or(name).trim_end_matches(['-', '.']).to_owned(),
        None => name.to_owned(),
    }
}

/// How a pod's name is known in its network.
pub struct Name<'a> {
    /// The pod's address, or the node's on the host's network.
    pub ip: &'a str,
    /// Without a domain.
    pub host: &'a str,
    /// The pod has no network of its own: the node's lines stand in `/etc/hosts`, too.
    pub host_network: bool,
    /// The pod asks the cluster's DNS.
    pub in_cluster: bool,
}

/// `/etc/hosts`: the node's own, or one that names the pod; and `hostAliases` after it.
pub fn hosts(pod: &Object, name: &Name, node: &Files) -> String {
    let spec = pod.spec();
    let mut text = if name.host_network {
        let own = node.read_text("/etc/hosts").unwrap_or_default();
        format!("# Kubernetes-managed hosts file (host network).\n{own}")
    } else {
        // A pod whose name is overridden is in no domain.
        let domain = match spec.get("subdomain").str() {
            sub if sub.is_empty() || !spec.get("hostnameOverride").str().is_empty() => String::new(),
            sub => format!("{}.{sub}.{}.svc.cluster.local\t", name.host, pod.namespace()),
        };
        let (ip, host) = (name.ip, name.host);
        format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n{ip}\t{domain}{host}\n"
        )
    };
    let aliases = spec.get("hostAliases").items();
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names: Vec<&str> = alias.get("hostnames").items().iter().map(Value::str).collect();
            text.push_str(&format!("{}\t{}\n", alias.get("ip").str(), names.join("\t")));
        }
    }
    text
}

/// `/etc/resolv.conf`: what the pod's policy gives, and `dnsConfig` after it, each line once.
pub fn resolv(pod: &Object, name: &Name, node: &Files) -> String {
    let spec = pod.spec();
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
    let (mut servers, mut searches, mut options) = (Vec::new(), Vec::new(), Vec::new());
    if name.in_cluster {
        servers = vec![DNS_SERVICE.to_string()];
        searches = own(&["svc.cluster.local", "cluster.local"]);
        searches.insert(0, format!("{}.svc.cluster.local", pod.namespace()));
        options = own(&["ndots:5"]);
    } else if spec.get("dnsPolicy").str() != "None" {
        let text = node.read_text("/etc/resolv.conf").unwrap_or_default();
        let of = |key: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|l| l.strip_prefix(key));
            lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
        };
        servers = of("nameserver ");
        searches = of("search ");
        options = of("options ");
        if servers.is_empty() {
            servers = own(&[NODE_DNS]);
        }
    }
    let more = spec.get("dnsConfig");
    for (list, field) in [(&mut servers, "nameservers"), (&mut searches, "searches")] {
        for item in more.get(field).items() {
            if !list.iter().any(|known| known == item.str()) {
                list.push(item.str().to_owned());
            }
        }
    }
    servers.truncate(NAMESERVERS);
    for option in more.get("options").items() {
        let key = option.get("name").str();
        let text = match option.get("value").str() {
            "" => key.to_owned(),
            value => format!("{key}:{value}"),
        };
        match options
            .iter_mut()
            .find(|o: &&mut String| o.split(':').next() == Some(key))
        {
            Some(known) => *known = text,
            None => options.push(text),
        }
    }
    let mut out = String::new();
    if !searches.is_empty() {
        out.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in &servers {
        out.push_str(&format!("nameserver {server}\n"));
    }
    if !options.is_empty() {
        out.push_str(&format!("options {}\n", options.join(" ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Sim, Time};
    use crate::{list, obj};

    #[test]
    fn names_and_servers() {
        let node = Files::new(&Sim::new(1, Time::default()));
        let name = Name {
            ip: "10.244.1.2",
            host: "web",
            host_network: false,
            in_cluster: true,
        };
        let pod = |spec: Value| Object::new(obj! { "metadata": obj! { "namespace": "shop" }, "spec": spec });
        let last = |spec: Value| hosts(&pod(spec), &name, &node).lines().last().unwrap_or("").to_owned();
        let within = obj! { "subdomain": "sub" };
        assert_eq!(last(within), "10.244.1.2\tweb.sub.shop.svc.cluster.local\tweb");
        let overridden = obj! { "subdomain": "sub", "hostnameOverride": "web" };
        assert_eq!(last(overridden), "10.244.1.2\tweb");
        let servers = obj! { "dnsConfig": obj! { "nameservers": list!["1.1.1.1", "2.2.2.2", "3.3.3.3"] } };
        let text = resolv(&pod(servers), &name, &node);
        let lines: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("nameserver ")).collect();
        assert_eq!(lines, ["10.96.0.10", "1.1.1.1", "2.2.2.2"]);
        let long = format!("{}-.{}", "a".repeat(61), "b".repeat(20));
        assert_eq!(hostname(&long), "a".repeat(61));
        assert_eq!(hostname(&"b".repeat(63)), "b".repeat(63));
    }
}
