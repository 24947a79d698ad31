//! NodePorts: refuses nodes on which another pod holds a host port that the pod wants.

use crate::scheduler::framework::{Cycle, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodePorts";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let wanted = &cycle.pod.host_ports;
    if wanted.is_empty() {
        return Ok(());
    }
    let taken = node.pods.values().flat_map(|p| &p.host_ports);
    for port in taken {
        if wanted.iter().any(|w| w.conflicts(port)) {
            return Err(Refusal::new(
                NAME,
                "node(s) didn't have free ports for the requested pod ports",
            ));
        }
    }
    Ok(())
}
