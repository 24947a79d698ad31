//! VolumeBinding: a pod waits for its claims; a node must fit the affinity of the volumes that they
//! are bound to, and have volumes for those that wait for this pod.

use crate::api::volumes::{self, claim_name, claim_names};
use crate::api::{Object, ObjectKey};
use crate::flat::{Arrange, FlatSet};
use crate::scheduler::framework::{Cycle, Listers, Refusal};
use crate::scheduler::node_info::{NodeInfo, PodInfo};
use crate::value::{Value, quoted};

pub const NAME: &str = "VolumeBinding";

/// The class of a claim that waits for its first pod.
fn waiting_class(listers: &Listers, claim: &Object) -> Option<Object> {
    let class = listers
        .storage_classes
        .get(&ObjectKey::new("", volumes::class_of(claim)))?;
    volumes::waits_for_consumer(&class).then_some(class)
}

fn claim(listers: &Listers, pod: &Object, name: &str) -> Option<Object> {
    listers.claims.get(&ObjectKey::new(pod.namespace(), name))
}

/// Refuses the pod before any node is looked at.
///
/// # Errors
/// The refusal that counts for every node.
pub fn pre_filter(pod: &PodInfo, listers: &Listers) -> Result<(), Refusal> {
    let pod = &pod.pod;
    let mut immediate = false;
    for name in claim_names(pod) {
        let Some(claim) = claim(listers, pod, &name) else {
            let mut volumes = pod.spec().get("volumes").items().iter();
            let of_pod = volumes.any(|v| v.has("ephemeral") && claim_name(pod, v).as_ref() == Some(&name));
            let why = if of_pod {
                format!(
                    "waiting for ephemeral volume controller to create the persistentvolumeclaim {name}",
                    name = quoted(&name)
                )
            } else {
                format!("persistentvolumeclaim {name} not found", name = quoted(&name))
            };
            return Err(Refusal::unresolvable(NAME, &why));
        };
        if claim.status().str_at(&["phase"]) == "Lost" {
            let volume = claim.spec().str_at(&["volumeName"]);
            let why = format!(
                "persistentvolumeclaim {name} bound to non-existent persistentvolume {volume}",
                name = quoted(&name),
                volume = quoted(&volume)
            );
            return Err(Refusal::unresolvable(NAME, &why));
        }
        if claim.is_deleting() {
            let why = format!("persistentvolumeclaim {name} is being deleted", name = quoted(&name));
            return Err(Refusal::unresolvable(NAME, &why));
        }
        immediate |= !volumes::is_bound(&claim) && waiting_class(listers, &claim).is_none();
    }
    if immediate {
        let why = "pod has unbound immediate PersistentVolumeClaims";
        return Err(Refusal::unresolvable(NAME, why));
    }
    Ok(())
}

/// What is to be written before a pod can be bound to a node: volumes that are promised to its
/// claims, and claims for which a volume is to be made there.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub volumes: Vec<Value>,
    pub claims: Vec<Value>,
}

/// The plan for a pod on a node.
///
/// # Errors
/// The refusal of the node.
pub fn plan(pod: &Object, node: &Object, listers: &Listers) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let mut unbound = Vec::new();
    for name in claim_names(pod) {
        let Some(claim) = claim(listers, pod, &name) else {
            continue;
        };
        if !volumes::is_bound(&claim) {
            unbound.push(claim);
            continue;
        }
        let volume = claim.spec().str_at(&["volumeName"]);
        let Some(volume) = listers.volumes.get(&ObjectKey::new("", volume)) else {
            let why = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
            return Err(Refusal::unresolvable(NAME, why));
        };
        if !volumes::fits_node(&volume, node) {
            let why = "node(s) didn't match PersistentVolume's node affinity";
            return Err(Refusal::unresolvable(NAME, why));
        }
    }
    if unbound.is_empty() {
        return Ok(plan);
    }
    let nothing = || Refusal::unresolvable(NAME, "node(s) didn't find available persistent volumes to bind");
    // The smallest claims choose first.
    unbound.arrange_by_key(volumes::requested);
    let mut free = listers.volumes.list("");
    for claim in unbound {
        let selected = claim.annotation(volumes::SELECTED_NODE);
        if selected.is_some_and(|n| n != node.name()) {
            return Err(nothing());
        }
        if let Some(volume) = volumes::best_match(&claim, &free, Some(node), true) {
            free.retain(|v| v.name() != volume.name());
            plan.volumes.extend(volumes::bind_volume(&volume, &claim));
            continue;
        }
        let class = waiting_class(listers, &claim).ok_or_else(nothing)?;
        if class.value().str_at(&["provisioner"]) == volumes::NO_PROVISIONER || !allows(&class, node) {
            return Err(nothing());
        }
        if selected.is_none() {
            let mut value = claim.value().clone();
            value.set(&["metadata", "annotations", volumes::SELECTED_NODE], node.name());
            plan.claims.push(value);
        }
    }
    Ok(plan)
}

/// Whether a class's `allowedTopologies` have a node.
fn allows(class: &Object, node: &Object) -> bool {
    let terms = class.value().get("allowedTopologies").items();
    let fits = |term: &Value| {
        let expressions = term.get("matchLabelExpressions").items();
        expressions.iter().all(|e| {
            let label = node.label(e.str_at(&["key"]));
            label.is_some_and(|l| e.get("values").items().iter().any(|v| v.str() == l))
        })
    };
    terms.is_empty() || terms.iter().any(fits)
}

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    plan(&cycle.pod.pod, &node.node, cycle.listers).map(|_| ())
}

/// Whether all claims of a pod are bound.
pub fn all_bound(pod: &Object, listers: &Listers) -> bool {
    let names: FlatSet<String> = claim_names(pod).into_iter().collect();
    names
        .iter()
        .all(|name| claim(listers, pod, name).is_some_and(|c| volumes::is_bound(&c)))
}
