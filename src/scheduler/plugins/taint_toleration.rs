//! TaintToleration: refuses nodes with taints that the pod does not tolerate, and prefers those
//! with fewer `PreferNoSchedule` taints that it does not tolerate.

use std::rc::Rc;

use crate::api::placement::{tolerated, untolerated};
use crate::api::views::pod::Pod;
use crate::scheduler::framework::{Cycle, Refusal, normalize};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "TaintToleration";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let tolerations = Pod(&cycle.pod.pod).tolerations();
    match untolerated(node.taints(), tolerations, &["NoSchedule", "NoExecute"]) {
        None => Ok(()),
        Some(_) => Err(Refusal::unresolvable(NAME, "node(s) had untolerated taint(s)")),
    }
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let tolerations: Vec<_> = Pod(&cycle.pod.pod)
        .tolerations()
        .iter()
        .filter(|t| matches!(t.str_at(&["effect"]), "" | "PreferNoSchedule"))
        .cloned()
        .collect();
    let mut scores: Vec<i64> = nodes
        .iter()
        .map(|node| {
            let soft = node
                .taints()
                .iter()
                .filter(|t| t.str_at(&["effect"]) == "PreferNoSchedule");
            soft.filter(|t| !tolerated(&tolerations, t)).count() as i64
        })
        .collect();
    normalize(&mut scores, true);
    Some(scores)
}
