//! NodeName: a pod that names its node fits no other.

use crate::api::views::pod::Pod;
use crate::scheduler::framework::{Cycle, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodeName";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let wanted = Pod(&cycle.pod.pod).node_name();
    if wanted.is_empty() || wanted == &*node.name {
        return Ok(());
    }
    Err(Refusal::unresolvable(
        NAME,
        "node(s) didn't match the requested node name",
    ))
}
