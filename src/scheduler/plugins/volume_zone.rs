//! VolumeZone: a volume that is labelled with a zone or region is used only on nodes there.

use crate::api::ObjectKey;
use crate::api::volumes::claim_names;
use crate::api::well_known;
use crate::scheduler::framework::{Cycle, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "VolumeZone";

/// The labels of zones and regions, the present names and the older ones, each with its other name.
const LABELS: [(&str, &str); 4] = [
    (well_known::BETA_REGION, well_known::REGION),
    (well_known::BETA_ZONE, well_known::ZONE),
    (well_known::REGION, well_known::BETA_REGION),
    (well_known::ZONE, well_known::BETA_ZONE),
];

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let pod = &cycle.pod.pod;
    if LABELS.iter().all(|(l, _)| node.node.label(l).is_none()) {
        return Ok(());
    }
    for name in claim_names(pod) {
        let Some(claim) = cycle.listers.claims.get(&ObjectKey::new(pod.namespace(), &name)) else {
            continue;
        };
        let volume = claim.spec().str_at(&["volumeName"]);
        let Some(volume) = cycle.listers.volumes.get(&ObjectKey::new("", volume)) else {
            continue;
        };
        for (label, alias) in LABELS {
            let Some(zones) = volume.label(label) else { continue };
            let here = node.node.label(label).or_else(|| node.node.label(alias));
            // Several zones are joined by two underscores.
            if !here.is_some_and(|here| zones.split("__").any(|z| z == here)) {
                return Err(Refusal::unresolvable(NAME, "node(s) had no available volume zone"));
            }
        }
    }
    Ok(())
}
