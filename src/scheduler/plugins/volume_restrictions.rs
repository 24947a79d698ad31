//! VolumeRestrictions: a claim of mode ReadWriteOncePod is for one pod at a time.

use crate::api::ObjectKey;
use crate::api::volumes::claim_names;
use crate::scheduler::framework::{Cycle, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "VolumeRestrictions";

pub fn filter(cycle: &Cycle, _node: &NodeInfo) -> Result<(), Refusal> {
    let pod = &cycle.pod.pod;
    let exclusive = |name: &String| {
        let claim = cycle.listers.claims.get(&ObjectKey::new(pod.namespace(), name));
        claim.is_some_and(|c| {
            let modes = c.spec().get("accessModes").items();
            modes.iter().any(|m| m.str() == "ReadWriteOncePod")
        })
    };
    let mut names = claim_names(pod);
    if names.is_empty() {
        return Ok(());
    }
    names.retain(exclusive);
    if names.is_empty() {
        return Ok(());
    }
    // A pod on any node holds the claim.
    let taken = cycle.view.iter().flat_map(|n| n.pods.values()).any(|other| {
        other.pod.namespace() == pod.namespace()
            && other.pod.uid() != pod.uid()
            && claim_names(&other.pod).iter().any(|n| names.contains(n))
    });
    if taken {
        let why = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
        return Err(Refusal::new(NAME, why));
    }
    Ok(())
}
