//! The hash of a pod template, from which ReplicaSets and their pods get the suffix of their names:
//! `SafeEncodeString` of the decimal FNV-1a-32 of Go's dump of the template (see `go_dump.rs`), so that
//! the letters are those of a real cluster of this version.

use super::go_dump;
use crate::value::Value;
use crate::value::fnv::{self, fnv1a};

/// The alphabet of `rand.SafeEncodeString`.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Writes a text in letters that spell no words.
pub fn safe_encode(text: &str) -> String {
    text.bytes()
        .map(|b| char::from(ALPHABET.get(usize::from(b) % ALPHABET.len()).copied().unwrap_or(b'b')))
        .collect()
}

/// The hash of a pod template (`controller.ComputeHash`), with the count of collisions met so far.
pub fn compute(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = fnv1a(fnv::START, go_dump::pod_template(template).as_bytes());
    if let Some(count) = collisions {
        // Eight bytes, of which the count fills the first four, little-endian.
        let mut bytes = [0u8; 8];
        for (to, from) in bytes.iter_mut().zip((count as u32).to_le_bytes()) {
            *to = from;
        }
        hash = fnv1a(hash, &bytes);
    }
    safe_encode(&hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    /// A template as the API server defaults it.
    fn nginx(image: &str, pull: &str, ports: Value) -> Value {
        let mut container = obj! {
            "image": image, "imagePullPolicy": pull, "name": "nginx", "resources": obj! {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        };
        container.set_or_remove(&["ports"], ports);
        obj! {
            "metadata": obj! { "labels": obj! { "app": "nginx" } },
            "spec": obj! {
                "containers": list![container], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always",
                "schedulerName": "default-scheduler", "securityContext": obj! {}, "terminationGracePeriodSeconds": 30,
            },
        }
    }

    #[test]
    fn the_hashes_of_a_real_cluster() {
        // `kubectl create deployment nginx --image=nginx`, and the documentation's first Deployment.
        assert_eq!(compute(&nginx("nginx", "Always", Value::Null), None), "7f8fbb96d");
        let port = list![obj! { "containerPort": 80, "protocol": "TCP" }];
        assert_eq!(
            compute(&nginx("nginx:1.14.2", "IfNotPresent", port), None),
            "6c5f67b5f7"
        );
    }

    #[test]
    fn stable_and_safe() {
        let template = obj! { "metadata": obj! { "labels": obj! { "app": "web" } } };
        let hash = compute(&template, None);
        assert_eq!(hash, compute(&template.clone(), None));
        assert_ne!(hash, compute(&template, Some(1)));
        assert!((7..=10).contains(&hash.len()), "{hash}");
        assert!(hash.bytes().all(|b| b"456789bcdf".contains(&b)), "{hash}");
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
