//! NodeAffinity: refuses nodes that the pod's nodeSelector or required node affinity exclude, and
//! prefers those that its preferred terms name.

use std::rc::Rc;

use crate::api::placement::{node_affinity_fits, term_fits};
use crate::scheduler::framework::{Cycle, Refusal, normalize};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodeAffinity";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    if node_affinity_fits(cycle.pod.pod.spec(), &node.node) {
        return Ok(());
    }
    Err(Refusal::unresolvable(
        NAME,
        "node(s) didn't match Pod's node affinity/selector",
    ))
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let preferred = cycle
        .pod
        .pod
        .at(&[
            "spec",
            "affinity",
            "nodeAffinity",
            "preferredDuringSchedulingIgnoredDuringExecution",
        ])
        .items();
    if preferred.is_empty() {
        return None;
    }
    let mut scores: Vec<i64> = nodes
        .iter()
        .map(|node| {
            preferred
                .iter()
                .filter(|p| term_fits(p.get("preference"), &node.node))
                .filter_map(|p| p.i64_at(&["weight"]))
                .sum()
        })
        .collect();
    normalize(&mut scores, false);
    Some(scores)
}
