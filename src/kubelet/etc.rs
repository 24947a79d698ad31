//! The files below `/etc` that a kubelet makes for a pod's containers: `hosts` and `resolv.conf`.

use crate::api::Object;
use crate::shell::Files;
use crate::value::Value;

/// How a pod's name is known in its network.
pub struct Name<'a> {
    pub ip: &'a str,
    /// Without a domain.
    pub host: &'a str,
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
        let domain = match spec.get("subdomain").str() {
            "" => String::new(),
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
        servers = own(&["10.96.0.10"]);
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
            servers = own(&["192.168.110.2"]);
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
