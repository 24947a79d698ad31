//! NodeResourcesFit: refuses nodes without room for the pod's requests, and prefers those with the
//! most room (LeastAllocated).

use std::rc::Rc;

use crate::scheduler::framework::{Cycle, MAX_SCORE, Refusal};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodeResourcesFit";

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let mut refusal = Refusal {
        plugin: NAME,
        reasons: Vec::new(),
        unresolvable: false,
    };
    if node.pods.len() + 1 > node.allowed_pods {
        refusal.reasons.push("Too many pods".into());
    }
    for (name, wanted) in cycle.pod.requests.iter() {
        let room = node.allocatable.get(name);
        if wanted > room - node.requested.get(name) {
            refusal.reasons.push(format!("Insufficient {name}").into());
            // Not even an empty node would do.
            refusal.unresolvable |= wanted > room;
        }
    }
    if refusal.reasons.is_empty() {
        Ok(())
    } else {
        Err(refusal)
    }
}

/// (capacity − requested) · 100 / capacity; 0 when more is requested than there is.
fn least_requested(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 || requested > capacity {
        return 0;
    }
    (capacity - requested) * MAX_SCORE / capacity
}

/// The mean over cpu and memory, where what is not requested counts as the default.
fn least_allocated(requested: (i64, i64), capacity: (i64, i64)) -> i64 {
    let pairs = [(requested.0, capacity.0), (requested.1, capacity.1)];
    let counted: Vec<i64> = pairs
        .iter()
        .filter(|(_, capacity)| *capacity > 0)
        .map(|(requested, capacity)| least_requested(*requested, *capacity))
        .collect();
    if counted.is_empty() {
        return 0;
    }
    counted.iter().sum::<i64>() / counted.len() as i64
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let (cpu, memory) = cycle.pod.non_zero;
    let of = |node: &Rc<NodeInfo>| {
        let requested = (node.non_zero_requested.0 + cpu, node.non_zero_requested.1 + memory);
        least_allocated(requested, (node.allocatable.milli_cpu, node.allocatable.memory))
    };
    Some(nodes.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_allocated_scores() {
        // Requested (cpu, memory), capacity, score.
        let table = [
            ((0, 0), (4000, 10_000), 100),
            ((3000, 5000), (4000, 10_000), 37),
            ((3000, 5000), (6000, 10_000), 50),
            ((5000, 5000), (4000, 10_000), 25),
            ((1000, 1000), (0, 0), 0),
            ((1000, 1000), (0, 2000), 50),
        ];
        for (requested, capacity, score) in table {
            assert_eq!(
                least_allocated(requested, capacity),
                score,
                "{requested:?} of {capacity:?}"
            );
        }
    }
}
