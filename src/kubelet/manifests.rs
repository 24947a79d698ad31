//! Static pods: those whose manifests lie in a directory of the node's host. The API shows a mirror of each.

use std::rc::Rc;
use std::time::Duration;

use super::Node;
use crate::api::ObjectKey;
use crate::api::names;
use crate::flat::{FlatMap, FlatSet};
use crate::obj;
use crate::shell::{FileKind, join};
use crate::value::fnv::{self, fnv1a};
use crate::value::{Value, yaml};

/// Where kubeadm has kubelets look (`staticPodPath`).
pub(super) const DIR: &str = "/etc/kubernetes/manifests";

/// How long after a change of the directory it is read.
const SETTLES: Duration = Duration::from_millis(800);

/// A static pod that has its mirror.
pub(super) struct Static {
    hash: String,
    key: ObjectKey,
}

/// The static pods of a node, by their files.
pub(super) type Statics = FlatMap<String, Static>;

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
            let text = self.files.read_text(&join(DIR, &name)).unwrap_or_default();
            let part = |i| {
                format!(
                    "{:08x}",
                    fnv1a(fnv1a(fnv::START ^ i, self.name.as_bytes()), text.as_bytes())
                )
            };
            let hash: String = (0..4).map(part).collect();
            if self.statics.borrow().get(&name).is_some_and(|of| of.hash == hash) {
                old.remove(&name);
                continue;
            }
            // A manifest that is none is passed over; the kubelet's log tells why.
            if let Ok(pod) = yaml::decode(&text)
                && pod.get("kind").str() == "Pod"
                && !pod.str_at(&["metadata", "name"]).is_empty()
            {
                wanted.insert(name, (hash, pod));
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
        for (name, (hash, mut pod)) in wanted {
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
                self.statics.borrow_mut().insert(name, Static { hash, key });
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
