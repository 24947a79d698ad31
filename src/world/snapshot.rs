//! The cluster that a world begins from: every object of a fresh three-node kubeadm cluster, as it
//! was right after its start, moved to the world's own time.
//!
//! `cluster.jsonl` holds one object a line, in the order of their revisions. `kubetab snapshot DIR`
//! makes it from a folder of YAML lists (`kubectl get … -A -o yaml`) of a real cluster. A uid stands in it only
//! where another object names it, a revision only where it is not one more than the one before, and of containers' ids
//! only their place: random texts do not compress, and were a quarter of the file. The certificate of that cluster's
//! authority, the key of which nobody here has, is not in it either: [`AUTHORITY`] stands in its place, for the
//! authority of the world.

use crate::api::{ApiServer, Status};
use crate::flat::Arrange;
use crate::list;
use crate::sim::{Time, uuid_from};
use crate::value::{Value, base64, sha256};

const CLUSTER: &str = include_str!("cluster.jsonl");

/// Stands for the authority's certificate, PEM inside of JSON; and for its base64.
const AUTHORITY: (&str, &str) = ("@AUTHORITY@", "@AUTHORITY64@");

/// What stands before the id of a container.
const CONTAINER: &str = "containerd://";

/// What stands for the id of a pod's container of this number.
fn place_of_id(number: usize) -> String {
    format!("{CONTAINER}@{number}\"")
}

/// The line with an id for each of its containers, the same in every world.
fn with_ids(line: &str) -> String {
    let mut whole = line.to_owned();
    for number in 0..line.matches(CONTAINER).count() {
        let id = sha256::hex(format!("{number}{line}").as_bytes());
        whole = whole.replace(&place_of_id(number), &format!("{CONTAINER}{id}\""));
    }
    whole
}

/// The line with a number for the id of each of its containers.
fn without_ids(line: &str) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for id in line.split(CONTAINER).skip(1).filter_map(|rest| rest.split('"').next()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut short = line.to_owned();
    for (number, id) in ids.into_iter().enumerate() {
        short = short.replace(&format!("{CONTAINER}{id}\""), &place_of_id(number));
    }
    short
}

/// How long before the world's start the newest time of the snapshot is put.
const SETTLED: u64 = 5_000_000;

/// Whether a bare control plane has an object of the snapshot: the API server or the controllers made
/// it by themselves, not kubeadm, an add-on, a kubelet or the scheduler. The binding that makes the
/// kubeconfig's user an administrator stays, too.
pub fn of_control_plane(object: &Value) -> bool {
    let (name, namespace) = (
        object.str_at(&["metadata", "name"]),
        object.str_at(&["metadata", "namespace"]),
    );
    let of_nodes = [
        "Node",
        "Pod",
        "CSINode",
        "DaemonSet",
        "Deployment",
        "ReplicaSet",
        "ControllerRevision",
        "Event",
    ];
    if of_nodes.contains(&object.str_at(&["kind"])) || [name, namespace].contains(&"kube-flannel") {
        return false;
    }
    match object.str_at(&["kind"]) {
        "Lease" => namespace == "kube-system" && name != "kube-scheduler",
        "Service" | "EndpointSlice" | "Endpoints" => namespace == "default",
        "IPAddress" => object.str_at(&["spec", "parentRef", "namespace"]) == "default",
        _ => {
            let of_kubeadm = name.starts_with("kubeadm:") && name != "kubeadm:cluster-admins";
            let other = [
                "kubeadm-config",
                "kubelet-config",
                "cluster-info",
                "coredns",
                "system:coredns",
                "kube-proxy",
                "flannel",
            ];
            !of_kubeadm && !other.contains(&name)
        }
    }
}

/// Moves an object of the snapshot to kube-apiserver's own service range, 10.0.0.0/24.
pub fn to_default_range(object: &mut Value) {
    match object.str_at(&["kind"]) {
        "ServiceCIDR" => object.set(&["spec", "cidrs"], list!["10.0.0.0/24"]),
        "Service" => {
            object.set(&["spec", "clusterIP"], "10.0.0.1");
            object.set(&["spec", "clusterIPs"], list!["10.0.0.1"]);
        }
        "IPAddress" => object.set(&["metadata", "name"], "10.0.0.1"),
        _ => {}
    }
}

/// Stores the snapshot's objects that `keep` wants, their times moved so that the newest is a few seconds before now.
///
/// # Errors
/// When an object cannot be stored, which a test excludes.
pub fn restore(api: &ApiServer, keep: impl Fn(&Value) -> bool, mut edit: impl FnMut(&mut Value)) -> Result<(), Status> {
    let mut objects = Vec::new();
    let authority = match api.authority() {
        Some(authority) => authority.to_pem(),
        None => String::new(),
    };
    // The same in every world, as the rest of the snapshot is.
    let mut uids = fastrand::Rng::with_seed(0);
    let mut revision = 0u64;
    for line in CLUSTER.lines().filter(|l| !l.is_empty()).map(with_ids) {
        let mut object = if line.contains("@AUTHORITY") {
            let whole = line
                .replace(AUTHORITY.0, &authority.replace('\n', "\\n"))
                .replace(AUTHORITY.1, &base64::encode(&authority));
            Value::from_json(&whole)
        } else {
            Value::from_json(&line)
        }
        .map_err(Status::internal)?;
        if object.str_at(&["metadata", "uid"]).is_empty() {
            object.set(&["metadata", "uid"], uuid_from(&mut uids));
        }
        match object.str_at(&["metadata", "resourceVersion"]).parse() {
            Ok(given) => revision = given,
            Err(_) => {
                revision += 1;
                object.set(&["metadata", "resourceVersion"], revision.to_string());
            }
        }
        objects.push(object);
    }
    let newest = objects.iter().map(newest_time).max().unwrap_or_default();
    let now = api.sim().now();
    for mut object in objects.into_iter().filter(keep) {
        edit(&mut object);
        api.restore(shift(&object, newest, Time(now.0.saturating_sub(SETTLED))))?;
    }
    Ok(())
}

/// The moment of a text that is a Kubernetes time, and whether it has microseconds.
fn time_of(text: &str) -> Option<(Time, bool)> {
    let micro = match text.len() {
        20 => false,
        27 => true,
        _ => return None,
    };
    Time::parse(text).map(|t| (t, micro))
}

fn newest_time(value: &Value) -> Time {
    match value {
        Value::Str(s) => time_of(s).map(|(t, _)| t).unwrap_or_default(),
        Value::List(items) => items.iter().map(newest_time).max().unwrap_or_default(),
        Value::Map(map) => map.iter().map(|(_, v)| newest_time(v)).max().unwrap_or_default(),
        _ => Time::default(),
    }
}

/// The value with each time moved by as much as `from` lies from `to`.
fn shift(value: &Value, from: Time, to: Time) -> Value {
    match value {
        Value::Str(s) => match time_of(s) {
            Some((t, micro)) => {
                let moved = Time((t.0 + to.0).saturating_sub(from.0));
                Value::from(if micro { moved.micro() } else { moved.to_string() })
            }
            None => value.clone(),
        },
        Value::List(items) => items.iter().map(|v| shift(v, from, to)).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (k.clone(), shift(v, from, to))).collect(),
        _ => value.clone(),
    }
}

/// Makes the snapshot's text from the items of YAML lists.
pub fn make(items: Vec<Value>) -> String {
    let published = items
        .iter()
        .find(|i| i.str_at(&["metadata", "name"]) == "kube-root-ca.crt");
    let authority = published.map_or("", |map| map.str_at(&["data", "ca.crt"])).to_owned();
    let escaped = authority.replace('\n', "\\n");
    let hide = |line: String| {
        if authority.is_empty() {
            return line;
        }
        line.replace(&escaped, AUTHORITY.0)
            .replace(&base64::encode(&authority), AUTHORITY.1)
    };
    let mut items: Vec<(u64, Value)> = items
        .into_iter()
        .map(|mut item| {
            item.remove(&["metadata", "managedFields"]);
            let revision = item.str_at(&["metadata", "resourceVersion"]).parse().unwrap_or(0);
            (revision, item)
        })
        .collect();
    items.arrange_by_key(|(revision, _)| *revision);
    let whole: String = items.iter().map(|(_, item)| item.to_json()).collect();
    let mut before = 0;
    let line = |(revision, mut item): (u64, Value)| {
        // One more than the object before has is left out.
        if revision == std::mem::replace(&mut before, revision) + 1 {
            item.remove(&["metadata", "resourceVersion"]);
        }
        // Once is in the object itself.
        if whole.matches(item.str_at(&["metadata", "uid"])).count() == 1 {
            item.remove(&["metadata", "uid"]);
        }
        without_ids(&hide(item.to_json())) + "\n"
    };
    items.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ObjectKey;
    use crate::flat::FlatSet;
    use crate::sim::Sim;

    #[test]
    fn the_cluster_is_whole_and_in_the_worlds_time() {
        let sim = Sim::new(1, Time::from_secs(2_000_000_000));
        let api = ApiServer::new(&sim);
        restore(&api, |_| true, |_| {}).unwrap();
        assert_eq!(api.store().list("nodes", "").len(), 3);
        let mut uids = FlatSet::new();
        for (shelf, _) in api.store().shelves() {
            for object in api.store().list(&shelf, "") {
                assert_eq!(object.uid().len(), 36, "{}", object.full_name());
                assert!(uids.insert(object.uid().to_owned()), "{}", object.full_name());
            }
        }
        assert_eq!(api.store().list("pods", "kube-system").len(), 9);
        let node = api.store().get("nodes", &ObjectKey::new("", "k8s-master")).unwrap();
        let age = sim.now().since(node.created()).as_secs();
        assert!(age < 60, "{age}");
    }

    #[test]
    fn ids_of_containers_are_numbers_in_the_file_and_ids_in_the_world() {
        let [one, other] = ['a', 'b'].map(|c| c.to_string().repeat(64));
        let line = format!(r#"["containerd://{one}","containerd://{other}","containerd://{one}"]"#);
        let short = without_ids(&line);
        assert_eq!(short, r#"["containerd://@0","containerd://@1","containerd://@0"]"#);
        let long = with_ids(&short);
        assert_eq!(long.len(), line.len());
        assert_eq!(without_ids(&long), short);
        assert_eq!(with_ids(&short), long);
        assert!(CLUSTER.contains(&place_of_id(0)) && CLUSTER.lines().all(|l| !with_ids(l).contains("containerd://@")));
    }

    #[test]
    fn a_bare_control_plane_has_what_nobody_added() {
        let sim = Sim::new(1, Time::from_secs(2_000_000_000));
        let api = ApiServer::new(&sim);
        restore(&api, of_control_plane, to_default_range).unwrap();
        let names = |shelf: &str| -> Vec<String> {
            let all = api.store().list(shelf, "");
            all.iter().map(|o| o.name().to_owned()).collect()
        };
        for shelf in ["nodes", "pods", "events", "deployments.apps", "daemonsets.apps"] {
            assert!(names(shelf).is_empty(), "{shelf}");
        }
        for (shelf, wanted) in [
            (
                "namespaces",
                &["default", "kube-node-lease", "kube-public", "kube-system"][..],
            ),
            ("services", &["kubernetes"]),
            ("endpointslices.discovery.k8s.io", &["kubernetes"]),
            ("ipaddresses.networking.k8s.io", &["10.0.0.1"]),
            (
                "priorityclasses.scheduling.k8s.io",
                &["system-cluster-critical", "system-node-critical"],
            ),
        ] {
            assert_eq!(names(shelf), wanted);
        }
        let roles = names("clusterroles.rbac.authorization.k8s.io");
        assert!(roles.iter().any(|n| n == "cluster-admin") && !roles.iter().any(|n| n.starts_with("kubeadm")));
    }
}
