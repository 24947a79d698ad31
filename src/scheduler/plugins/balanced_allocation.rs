//! NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory the pod would bring into
//! balance (v1.36: compared with the balance without the pod).

use std::rc::Rc;

use crate::api::views::pod::Resources;
use crate::scheduler::framework::{Cycle, MAX_SCORE};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "NodeResourcesBalancedAllocation";

/// int((1 − σ) · 100), where σ of two fractions is half their difference.
fn balance(requested: (i64, i64), capacity: (i64, i64)) -> i64 {
    let fraction = |requested: i64, capacity: i64| (requested as f64 / capacity as f64).min(1.0);
    let fractions: Vec<f64> = [(requested.0, capacity.0), (requested.1, capacity.1)]
        .iter()
        .filter(|(_, capacity)| *capacity > 0)
        .map(|(requested, capacity)| fraction(*requested, *capacity))
        .collect();
    let deviation = match fractions.as_slice() {
        [a, b] => ((a - b) / 2.0).abs(),
        _ => 0.0,
    };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

/// 50 + (50 + with − without) / 2.
fn balanced(with: (i64, i64), without: (i64, i64), capacity: (i64, i64)) -> i64 {
    50 + (50 + balance(with, capacity) - balance(without, capacity)) / 2
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let wanted = &cycle.pod.requests;
    wanted.iter().next()?;
    let pair = |r: &Resources| (r.milli_cpu, r.memory);
    let of = |node: &Rc<NodeInfo>| {
        let without = pair(&node.requested);
        let with = (without.0 + wanted.milli_cpu, without.1 + wanted.memory);
        balanced(with, without, pair(&node.allocatable))
    };
    Some(nodes.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        assert_eq!(balance((0, 0), (1000, 1000)), 100);
        assert_eq!(balance((500, 0), (1000, 1000)), 75);
        assert_eq!(balance((2000, 0), (1000, 1000)), 50);
        // No change of the balance is 75; more of it is better.
        assert_eq!(balanced((100, 100), (0, 0), (1000, 1000)), 75);
        assert_eq!(balanced((500, 500), (500, 0), (1000, 1000)), 50 + (50 + 100 - 75) / 2);
        assert_eq!(balanced((500, 0), (0, 0), (1000, 1000)), 50 + (50 + 75 - 100) / 2);
    }
}
