//! NodeUnschedulable: refuses cordoned nodes, unless the pod tolerates their taint.

use crate::api::placement::tolerated;
use crate::api::views::pod::Pod;
use crate::api::well_known;
use crate::obj;
use crate::scheduler::framework::{Cycle, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodeUnschedulable";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    if !node.node.spec().bool_at(&["unschedulable"]) {
        return Ok(());
    }
    let taint = obj! { "key": well_known::UNSCHEDULABLE, "effect": "NoSchedule" };
    if tolerated(Pod(&cycle.pod.pod).tolerations(), &taint) {
        return Ok(());
    }
    Err(Refusal::unresolvable(NAME, "node(s) were unschedulable"))
}
