//! What plugins are: filters that refuse nodes and scores that order them, over one view of nodes.

use std::rc::Rc;

use super::node_info::{NodeInfo, Nodes, PodInfo};
use super::plugins::{inter_pod_affinity, pod_topology_spread};
use crate::api::{Informer, ObjectKey};
use crate::value::Value;

/// The highest score of a node.
pub const MAX_SCORE: i64 = 100;

/// A filter's refusal of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub plugin: &'static str,
    /// One or several reasons, as the event words them.
    pub reasons: Vec<Rc<str>>,
    /// Whether no removal of pods could help (`UnschedulableAndUnresolvable`).
    pub unresolvable: bool,
}

impl Refusal {
    /// A refusal that removing pods may lift.
    pub fn new(plugin: &'static str, reason: &str) -> Refusal {
        Refusal {
            plugin,
            reasons: vec![reason.into()],
            unresolvable: false,
        }
    }

    /// A refusal that removing pods does not lift.
    pub fn unresolvable(plugin: &'static str, reason: &str) -> Refusal {
        Refusal {
            unresolvable: true,
            ..Refusal::new(plugin, reason)
        }
    }
}

/// The resources besides pods and nodes that plugins read.
#[derive(Clone)]
pub struct Listers {
    pub namespaces: Informer,
    pub services: Informer,
    pub replica_sets: Informer,
    pub replication_controllers: Informer,
    pub stateful_sets: Informer,
    pub claims: Informer,
    pub volumes: Informer,
    pub storage_classes: Informer,
    pub disruption_budgets: Informer,
}

impl Listers {
    /// The labels of a namespace; null when there is none.
    pub fn namespace_labels(&self, name: &str) -> Value {
        self.namespaces
            .get(&ObjectKey::new("", name))
            .map_or(Value::Null, |n| n.labels().clone())
    }
}

/// One view of the nodes, in which one may be shown as it would be.
#[derive(Clone)]
pub struct View<'a> {
    nodes: &'a Nodes,
    changed: Option<Rc<NodeInfo>>,
}

impl<'a> View<'a> {
    pub fn new(nodes: &'a Nodes) -> View<'a> {
        View { nodes, changed: None }
    }

    /// The view in which one node is as `info` says.
    pub fn with(&self, info: Rc<NodeInfo>) -> View<'a> {
        View {
            nodes: self.nodes,
            changed: Some(info),
        }
    }

    /// The nodes in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<NodeInfo>> {
        self.nodes.values().map(|info| match &self.changed {
            Some(changed) if changed.name == info.name => changed,
            _ => info,
        })
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// One pod's scheduling over one view: what filters work out once for all nodes.
pub struct Cycle<'a> {
    pub pod: &'a PodInfo,
    pub view: View<'a>,
    pub listers: &'a Listers,
    pub spread: Option<pod_topology_spread::FilterState>,
    pub affinity: Option<inter_pod_affinity::FilterState>,
}

impl<'a> Cycle<'a> {
    pub fn new(pod: &'a PodInfo, view: View<'a>, listers: &'a Listers) -> Cycle<'a> {
        let mut cycle = Cycle {
            pod,
            view,
            listers,
            spread: None,
            affinity: None,
        };
        cycle.spread = pod_topology_spread::prepare_filter(&cycle);
        cycle.affinity = inter_pod_affinity::prepare_filter(&cycle);
        cycle
    }
}

/// A plugin that refuses nodes.
pub type Filter = fn(&Cycle, &NodeInfo) -> Result<(), Refusal>;

/// A plugin that scores all feasible nodes at once, normalised to 0–100; `None` when it has
/// nothing to say of the pod.
pub type Score = fn(&Cycle, &[Rc<NodeInfo>]) -> Option<Vec<i64>>;

/// Scales scores so that the highest is 100, and turns them round when low is good
/// (`helper.DefaultNormalizeScore`).
pub fn normalize(scores: &mut [i64], reverse: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in scores.iter_mut() {
        let scaled = if max == 0 { 0 } else { MAX_SCORE * *score / max };
        *score = match (max, reverse) {
            (0, true) => MAX_SCORE,
            (_, true) => MAX_SCORE - scaled,
            (_, false) => scaled,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized() {
        let run = |mut s: Vec<i64>, reverse| {
            normalize(&mut s, reverse);
            s
        };
        assert_eq!(run(vec![0, 0], true), [100, 100]);
        assert_eq!(run(vec![0, 0], false), [0, 0]);
        assert_eq!(run(vec![1, 2, 3], false), [33, 66, 100]);
        assert_eq!(run(vec![1, 2, 0], true), [50, 0, 100]);
    }
}
