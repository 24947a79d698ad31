//! VolumeBinding: a pod waits for its claims; a node must fit the affinity of the volumes that they
//! are bound to.

use crate::api::placement::node_selector_fits;
use crate::api::views::pod::Pod;
use crate::api::{Object, ObjectKey};
use crate::scheduler::framework::{Cycle, Listers, Refusal};
use crate::scheduler::node_info::{NodeInfo, PodInfo};

pub const NAME: &str = "VolumeBinding";

/// The names of the claims that a pod mounts; an ephemeral volume's claim is named after both.
pub fn claim_names(pod: &Object) -> Vec<String> {
    Pod(pod)
        .volumes()
        .iter()
        .filter_map(|volume| {
            let claim = volume.str_at(&["persistentVolumeClaim", "claimName"]);
            if !claim.is_empty() {
                return Some(claim.to_owned());
            }
            let name = volume.str_at(&["name"]);
            volume.has("ephemeral").then(|| format!("{}-{name}", pod.name()))
        })
        .collect()
}

/// Whether claims of this storage class are bound only once a pod uses them.
fn waits_for_consumer(listers: &Listers, claim: &Object) -> bool {
    let class = claim.spec().str_at(&["storageClassName"]);
    !class.is_empty()
        && listers
            .storage_classes
            .get(&ObjectKey::new("", class))
            .is_some_and(|c| c.value().str_at(&["volumeBindingMode"]) == "WaitForFirstConsumer")
}

/// Refuses the pod before any node is looked at.
///
/// # Errors
/// The refusal that counts for every node.
pub fn pre_filter(pod: &PodInfo, listers: &Listers) -> Result<(), Refusal> {
    for name in claim_names(&pod.pod) {
        let Some(claim) = listers.claims.get(&ObjectKey::new(pod.pod.namespace(), &name)) else {
            return Err(Refusal::unresolvable(
                NAME,
                &format!("persistentvolumeclaim {name:?} not found"),
            ));
        };
        if claim.is_deleting() {
            return Err(Refusal::unresolvable(
                NAME,
                &format!("persistentvolumeclaim {name:?} is being deleted"),
            ));
        }
        let bound = !claim.spec().str_at(&["volumeName"]).is_empty()
            && claim.annotation("pv.kubernetes.io/bind-completed").is_some();
        if !bound && !waits_for_consumer(listers, &claim) {
            return Err(Refusal::unresolvable(
                NAME,
                "pod has unbound immediate PersistentVolumeClaims",
            ));
        }
    }
    Ok(())
}

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let pod = &cycle.pod.pod;
    for name in claim_names(pod) {
        let Some(claim) = cycle.listers.claims.get(&ObjectKey::new(pod.namespace(), &name)) else {
            continue;
        };
        let volume = claim.spec().str_at(&["volumeName"]);
        if volume.is_empty() {
            continue;
        }
        let Some(volume) = cycle.listers.volumes.get(&ObjectKey::new("", volume)) else {
            return Err(Refusal::unresolvable(
                NAME,
                "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
            ));
        };
        let required = volume.spec().at(&["nodeAffinity", "required"]);
        if !required.is_null() && !node_selector_fits(required, &node.node) {
            return Err(Refusal::unresolvable(
                NAME,
                "node(s) didn't match PersistentVolume's node affinity",
            ));
        }
    }
    Ok(())
}
