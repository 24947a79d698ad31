//! Which volumes fit which claims: the rules that the volume binder and the scheduler share
//! (`component-helpers/storage/volume`). Pure functions.

use super::object::Object;
use super::placement::node_selector_fits;
use super::quantity::Quantity;
use super::selector::Selector;
use crate::api::well_known;
use crate::obj;
use crate::value::{Value, quoted};

/// On a claim: its binding is done.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim or volume: the binder chose the other, and not the user.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a volume: who made it for a claim.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// On a claim: who is to make its volume.
pub const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same, by its older name.
pub const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On a claim: the node of the pod that it is made for.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// What marks the class that claims without one get, and its older name.
pub const DEFAULT_CLASS: &[&str] = &[
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The storage class of a claim or volume; empty for none.
pub fn class_of(object: &Object) -> &str {
    class_named(object.value())
}

/// The storage class that a claim's or volume's tree names; empty for none.
pub fn class_named(value: &Value) -> &str {
    let annotation = value
        .at(&["metadata", "annotations"])
        .get(well_known::BETA_STORAGE_CLASS);
    annotation
        .as_str()
        .unwrap_or_else(|| value.str_at(&["spec", "storageClassName"]))
}

/// Whether one of these annotations marks a class as the default one.
pub fn is_default(class: &Value, marks: &[&str]) -> bool {
    let annotations = class.at(&["metadata", "annotations"]);
    marks.iter().any(|mark| annotations.get(mark).str() == "true")
}

/// The newest of the classes that one of these annotations marks as the default one.
pub fn default_class(classes: Vec<Object>, marks: &[&str]) -> Option<Object> {
    let marked = classes.into_iter().filter(|c| is_default(c.value(), marks));
    marked.max_by(|x, y| x.created().cmp(&y.created()).then(y.name().cmp(x.name())))
}

/// Whether claims of a class wait for a pod.
pub fn waits_for_consumer(class: &Object) -> bool {
    class.value().str_at(&["volumeBindingMode"]) == "WaitForFirstConsumer"
}

/// The size that a claim asks for.
pub fn requested(claim: &Object) -> Quantity {
    Quantity::parse_or_zero(claim.spec().str_at(&["resources", "requests", "storage"]))
}

/// The size of a volume.
pub fn capacity(volume: &Object) -> Quantity {
    Quantity::parse_or_zero(volume.spec().str_at(&["capacity", "storage"]))
}

/// Whether a claim's binding is done.
pub fn is_bound(claim: &Object) -> bool {
    !claim.spec().str_at(&["volumeName"]).is_empty() && claim.annotation(BIND_COMPLETED).is_some()
}

/// Whether a volume is promised or bound to a claim.
pub fn is_volume_of(volume: &Object, claim: &Object) -> bool {
    let reference = volume.spec().get("claimRef");
    let uid = reference.str_at(&["uid"]);
    reference.str_at(&["name"]) == claim.name()
        && reference.str_at(&["namespace"]) == claim.namespace()
        && (uid.is_empty() || uid == claim.uid())
}

fn same_mode(volume: &Object, claim: &Object) -> bool {
    let mode = |o: &Object| match o.spec().str_at(&["volumeMode"]) {
        "" => "Filesystem".to_owned(),
        mode => mode.to_owned(),
    };
    mode(volume) == mode(claim)
}

fn has_modes(volume: &Object, claim: &Object) -> bool {
    let offered = volume.spec().get("accessModes").items();
    claim
        .spec()
        .get("accessModes")
        .items()
        .iter()
        .all(|m| offered.contains(m))
}

/// Whether a volume that a claim names is one for it.
///
/// # Errors
/// Why it is not.
pub fn satisfies(volume: &Object, claim: &Object) -> Result<(), String> {
    let why = if volume.is_deleting() {
        return Err(format!("the volume is marked for deletion {}", quoted(&volume.name())));
    } else if capacity(volume) < requested(claim) {
        "requested PV is too small"
    } else if class_of(volume) != class_of(claim) {
        "storageClassName does not match"
    } else if !same_mode(volume, claim) {
        "incompatible volumeMode"
    } else if !has_modes(volume, claim) {
        "incompatible accessMode"
    } else {
        return Ok(());
    };
    Err(why.into())
}

/// Whether a node is among those that a volume can be used on.
pub fn fits_node(volume: &Object, node: &Object) -> bool {
    let required = volume.spec().at(&["nodeAffinity", "required"]);
    required.is_null() || node_selector_fits(required, node)
}

/// The volume for a claim: the one that is promised to it, else, of those that fit, the one with the
/// fewest further access modes and then the smallest. With a `node`, only what can be used there.
/// Without one, a claim that waits for a pod gets only what is promised to it.
pub fn best_match(claim: &Object, volumes: &[Object], node: Option<&Object>, waits: bool) -> Option<Object> {
    let wanted = requested(claim);
    let selector = claim.spec().get("selector");
    let selector = (!selector.is_null()).then(|| Selector::from_label_selector(selector));
    let fits = |v: &&Object| {
        let free = v.spec().get("claimRef").is_null() || is_volume_of(v, claim);
        free && capacity(v) >= wanted && same_mode(v, claim) && !v.is_deleting() && has_modes(v, claim)
    };
    let candidates: Vec<&Object> = volumes.iter().filter(fits).collect();
    let on_node = |v: &Object| node.is_none_or(|n| fits_node(v, n));
    if let Some(promised) = candidates.iter().find(|v| is_volume_of(v, claim)) {
        return on_node(promised).then(|| (*promised).clone());
    }
    if node.is_none() && waits {
        return None;
    }
    candidates
        .into_iter()
        .filter(|v| {
            v.status().str_at(&["phase"]) == "Available"
                && selector.as_ref().is_none_or(|s| s.matches(v.labels()))
                && class_of(v) == class_of(claim)
                && on_node(v)
        })
        .min_by_key(|v| (v.spec().get("accessModes").items().len(), capacity(v)))
        .cloned()
}

/// The volume bound to a claim; `None` when it is already.
pub fn bind_volume(volume: &Object, claim: &Object) -> Option<Value> {
    let mut value = volume.value().clone();
    if !is_volume_of(volume, claim) {
        value.set(&["metadata", "annotations", BOUND_BY_CONTROLLER], "yes");
    }
    let present = volume.spec().str_at(&["claimRef", "uid"]);
    if !is_volume_of(volume, claim) || present != claim.uid() {
        let mut reference = claim.reference();
        reference.set(&["apiVersion"], "v1");
        reference.set(&["kind"], "PersistentVolumeClaim");
        value.set(&["spec", "claimRef"], reference);
    }
    (&value != volume.value()).then_some(value)
}

/// The claim that a volume of a pod is; an ephemeral volume's is named after both.
pub fn claim_name(pod: &Object, volume: &Value) -> Option<String> {
    if volume.has("ephemeral") {
        return Some(format!("{}-{}", pod.name(), volume.get("name").str()));
    }
    let claim = volume.str_at(&["persistentVolumeClaim", "claimName"]);
    (!claim.is_empty()).then(|| claim.to_owned())
}

/// The names of the claims that a pod mounts.
pub fn claim_names(pod: &Object) -> Vec<String> {
    let volumes = pod.spec().get("volumes").items().iter();
    volumes.filter_map(|volume| claim_name(pod, volume)).collect()
}

/// A finalizer that an object gets when it is stored first.
pub fn protect(object: &mut Value, finalizer: &str) {
    let mut finalizers = object.at(&["metadata", "finalizers"]).items().to_vec();
    if !finalizers.iter().any(|f| f.str() == finalizer) {
        finalizers.push(finalizer.into());
        object.set(&["metadata", "finalizers"], finalizers);
    }
}

/// The annotation and fields of a node affinity for one node, as volumes on its disk have.
pub fn on_node(name: &str) -> Value {
    let expression = obj! { "key": well_known::HOSTNAME, "operator": "In", "values": crate::list![name] };
    let term = obj! { "matchExpressions": crate::list![expression] };
    obj! { "required": obj! { "nodeSelectorTerms": crate::list![term] } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list;

    fn volume(name: &str, size: &str, modes: Value) -> Object {
        Object::new(obj! {
            "metadata": obj! { "name": name, "labels": obj! { "size": size } },
            "spec": obj! { "capacity": obj! { "storage": size }, "accessModes": modes, "storageClassName": "c" },
            "status": obj! { "phase": "Available" },
        })
    }

    fn claim(size: &str, modes: Value) -> Object {
        Object::new(obj! {
            "metadata": obj! { "name": "data", "namespace": "d", "uid": "u" },
            "spec": obj! {
                "accessModes": modes, "storageClassName": "c",
                "resources": obj! { "requests": obj! { "storage": size } },
            },
        })
    }

    fn with(object: &Object, path: &[&str], value: impl Into<Value>) -> Object {
        let mut new = object.value().clone();
        new.set(path, value);
        Object::new(new)
    }

    #[test]
    fn the_best_match() {
        let once = || list!["ReadWriteOnce"];
        let small = volume("small", "1Gi", once());
        let large = volume("large", "5Gi", once());
        let both = volume("both", "500Mi", list!["ReadWriteOnce", "ReadOnlyMany"]);
        let all = [large.clone(), both.clone(), small.clone()];
        let best =
            |claim: &Object, volumes: &[Object]| best_match(claim, volumes, None, false).map(|v| v.name().to_owned());
        let of = |size: &str| claim(size, once());
        assert_eq!(
            best(&of("100Mi"), &all).as_deref(),
            Some("small"),
            "fewer modes before a smaller size"
        );
        assert_eq!(best(&of("2Gi"), &all).as_deref(), Some("large"));
        assert_eq!(best(&of("9Gi"), &all), None);
        assert_eq!(
            best(&claim("100Mi", list!["ReadOnlyMany"]), &all).as_deref(),
            Some("both")
        );
        let selecting = with(&of("100Mi"), &["spec", "selector", "matchLabels", "size"], "5Gi");
        assert_eq!(best(&selecting, &all).as_deref(), Some("large"));
        let promised = with(&large, &["spec", "claimRef"], obj! { "name": "data", "namespace": "d" });
        assert_eq!(best(&of("100Mi"), &[small.clone(), promised]).as_deref(), Some("large"));
        let taken = with(
            &small,
            &["spec", "claimRef"],
            obj! { "name": "x", "namespace": "d", "uid": "v" },
        );
        assert_eq!(best(&of("100Mi"), &[taken]), None);
        let pending = with(&small, &["status", "phase"], "Pending");
        assert_eq!(best(&of("100Mi"), &[pending]), None);
        assert!(
            best_match(&of("100Mi"), &all, None, true).is_none(),
            "it waits for its pod"
        );
        let node = |name: &str| {
            let labels = obj! { "kubernetes.io/hostname": name };
            Object::new(obj! { "metadata": obj! { "name": name, "labels": labels } })
        };
        let local = with(&small, &["spec", "nodeAffinity"], on_node("n1"));
        for (name, want) in [("n1", true), ("n2", false)] {
            let found = best_match(&of("100Mi"), std::slice::from_ref(&local), Some(&node(name)), true);
            assert_eq!(found.is_some(), want, "{name}");
        }
    }

    #[test]
    fn why_not() {
        let v = volume("v", "1Gi", list!["ReadWriteOnce"]);
        let c = claim("1Gi", list!["ReadWriteOnce"]);
        assert_eq!(satisfies(&v, &c), Ok(()));
        for (claim, want) in [
            (claim("2Gi", list!["ReadWriteOnce"]), "requested PV is too small"),
            (
                with(&c, &["spec", "storageClassName"], "d"),
                "storageClassName does not match",
            ),
            (with(&c, &["spec", "volumeMode"], "Block"), "incompatible volumeMode"),
            (claim("1Gi", list!["ReadWriteMany"]), "incompatible accessMode"),
        ] {
            assert_eq!(satisfies(&v, &claim).unwrap_err(), want);
        }
        let bound = bind_volume(&v, &c).unwrap();
        assert_eq!(bound.str_at(&["spec", "claimRef", "uid"]), "u");
        assert!(bind_volume(&Object::new(bound), &c).is_none());
    }
}
