//! Static pods: those whose manifests lie in a directory of the node's host. The API shows a mirror of each.

use std::rc::Rc;
use std::time::Duration;

use super::{Kubelets, Node};
use crate::api::names;
use crate::api::views::Pod;
use crate::api::{Object, ObjectKey};
use crate::flat::{FlatMap, FlatSet};
use crate::obj;
use crate::shell::{FileKind, Files, join};
use crate::sim::Time;
use crate::value::fnv::{self, fnv1a};
use crate::value::{Value, yaml};

/// Where kubeadm has kubelets look (`staticPodPath`).
pub(super) const DIR: &str = "/etc/kubernetes/manifests";

/// How long after a change of the directory it is read.
const SETTLES: Duration = Duration::from_millis(800);

/// A static pod that has its mirror.
pub(super) struct Static {
    hash: String,
    /// The file's inode, and when it was written.
    version: (u64, Time),
    key: ObjectKey,
}

/// The static pods of a node, by their files.
pub(super) type Statics = FlatMap<String, Static>;

/// The hash of a manifest: other than a real kubelet's, which hashes the pod as Go prints it.
fn hash_of(node: &str, text: &str) -> String {
    let part = |i| format!("{:08x}", fnv1a(fnv1a(fnv::START ^ i, node.as_bytes()), text.as_bytes()));
    (0..4).map(part).collect()
}

/// The manifest that kubeadm wrote for a mirror: what the kubelet and the defaults have added is left out.
fn manifest_of(mirror: &Object, name: &str) -> Value {
    let mut pod = mirror.value().clone();
    for field in [
        "creationTimestamp",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "uid",
    ] {
        pod.remove(&["metadata", field]);
    }
    for what in ["hash", "mirror", "seen", "source"] {
        pod.remove(&["metadata", "annotations", &format!("kubernetes.io/config.{what}")]);
    }
    if pod.at(&["metadata", "annotations"]).is_empty() {
        pod.remove(&["metadata", "annotations"]);
    }
    pod.set(&["metadata", "name"], name);
    for field in [
        "dnsPolicy",
        "enableServiceLinks",
        "nodeName",
        "preemptionPolicy",
        "restartPolicy",
        "schedulerName",
        "terminationGracePeriodSeconds",
        "tolerations",
    ] {
        pod.remove(&["spec", field]);
    }
    for container in pod.at_mut(&["spec", "containers"]).list_mut() {
        container.remove(&["terminationMessagePath"]);
        container.remove(&["terminationMessagePolicy"]);
    }
    pod.set(&["status"], Value::map());
    pod
}

impl Kubelets {
    /// Puts the manifests of the static pods that the API shows on a node into the node's files, before its kubelet
    /// starts.
    pub fn write_manifests(&self, node: &str, files: &Files) {
        for pod in self.0.api.store().list("pods", "kube-system") {
            let Some(hash) = pod.annotation(names::MIRROR).filter(|_| Pod(&pod).node_name() == node) else {
                continue;
            };
            let name = pod.name().strip_suffix(&format!("-{node}")).unwrap_or(pod.name());
            let text = yaml::to_yaml(&manifest_of(&pod, name));
            let path = join(DIR, &format!("{name}.yaml"));
            let known = (hash_of(node, &text), hash.to_owned());
            let written = files.make_dirs(DIR).and_then(|()| files.write(&path, text));
            // A host without room has no manifests.
            if written.is_ok() {
                let _ = files.set_mode(&path, 0o600);
                self.0.shared.hashes.borrow_mut().insert(known.0, known.1);
            }
        }
    }
}

impl Node {
    /// Looks at the manifests whenever one is added or taken away.
    pub(super) fn watch_manifests(self: &Rc<Self>) {
        // A host without room has no static pods.
        let _ = self.files.make_dirs(DIR);
        let weak = Rc::downgrade(self);
        let changed = move || {
            let Some(node) = weak.upgrade() else { return };
            let sim = node.sim.clone();
            sim.spawn("static pods", async move {
                node.sim.sleep(SETTLES).await;
                node.read_manifests().await;
            });
        };
        let _ = self.files.watch(DIR, Rc::new(changed));
    }

    /// Whether a mirror is of a static pod whose manifest has gone.
    pub(super) fn has_dropped(&self, hash: &str) -> bool {
        self.dropped.borrow().contains(hash)
    }

    /// Starts the pods of new manifests, and ends those of manifests that are gone or changed.
    pub(super) async fn read_manifests(&self) {
        let mut wanted = FlatMap::new();
        let mut old: FlatSet<String> = self.statics.borrow().keys().cloned().collect();
        for (name, stat) in self.files.list(DIR).unwrap_or_default() {
            if stat.kind == FileKind::Directory || name.starts_with('.') {
                continue;
            }
            let version = (stat.inode, stat.modified);
            if self.statics.borrow().get(&name).is_some_and(|of| of.version == version) {
                old.remove(&name);
                continue;
            }
            let text = self.files.read_text(&join(DIR, &name)).unwrap_or_default();
            let hash = hash_of(&self.name, &text);
            let hash = self.shared.hashes.borrow().get(&hash).cloned().unwrap_or(hash);
            if let Some(of) = self.statics.borrow_mut().get_mut(&name).filter(|of| of.hash == hash) {
                of.version = version;
                old.remove(&name);
                continue;
            }
            // A manifest that is none is passed over; the kubelet's log tells why.
            if let Ok(pod) = yaml::decode(&text)
                && pod.get("kind").str() == "Pod"
                && !pod.str_at(&["metadata", "name"]).is_empty()
            {
                wanted.insert(name, (hash, version, pod));
            }
        }
        for name in old {
            let Some(of) = self.statics.borrow_mut().remove(&name) else {
                continue;
            };
            self.dropped.borrow_mut().insert(of.hash);
            let options = obj! { "apiVersion": "v1", "kind": "DeleteOptions" };
            // A mirror that is gone already needs nothing.
            let _ = self
                .client
                .delete(&self.kinds.pods, &of.key.namespace, &of.key.name, options)
                .await;
        }
        for (name, (hash, version, mut pod)) in wanted {
            if self.statics.borrow().contains_key(&name) {
                continue;
            }
            let key = self.to_mirror(&mut pod, &hash);
            self.dropped.borrow_mut().remove(&hash);
            // A kubelet that starts again finds its mirrors.
            let mirror = self.pods.get(&key);
            let there = mirror.is_some_and(|m| m.annotation(names::MIRROR) == Some(&hash));
            // Where the former pod of that name still ends, the next look finds room.
            if there || self.client.make(&self.kinds.pods, &key.namespace, pod).await.is_ok() {
                self.statics.borrow_mut().insert(name, Static { hash, version, key });
            }
        }
    }

    /// Makes a manifest the mirror that the API shows.
    fn to_mirror(&self, pod: &mut Value, hash: &str) -> ObjectKey {
        let name = format!("{}-{}", pod.str_at(&["metadata", "name"]), self.name);
        let namespace = match pod.str_at(&["metadata", "namespace"]) {
            "" => "default".to_owned(),
            given => given.to_owned(),
        };
        pod.set(&["metadata", "name"], name.as_str());
        pod.set(&["metadata", "namespace"], namespace.as_str());
        let seen = self.sim.now().micro();
        for (annotation, text) in [
            ("kubernetes.io/config.hash", hash),
            (names::MIRROR, hash),
            ("kubernetes.io/config.seen", seen.as_str()),
            ("kubernetes.io/config.source", "file"),
        ] {
            pod.set(&["metadata", "annotations", annotation], text);
        }
        let owner = obj! {
            "apiVersion": "v1",
            "controller": true,
            "kind": "Node",
            "name": &self.name,
            "uid": self.object().uid(),
        };
        pod.set(&["metadata", "ownerReferences"], crate::list![owner]);
        pod.remove(&["status"]);
        pod.set(&["spec", "nodeName"], &self.name);
        let mut tolerations = pod.at(&["spec", "tolerations"]).items().to_vec();
        tolerations.push(obj! { "effect": "NoExecute", "operator": "Exists" });
        pod.set(&["spec", "tolerations"], tolerations);
        ObjectKey::new(&namespace, &name)
    }
}
