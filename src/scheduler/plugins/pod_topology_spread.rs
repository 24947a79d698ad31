//! PodTopologySpread: keeps the pods of a selector evenly spread over the values of a node label.
//! A pod without constraints of its own gets soft ones over hosts and zones.

use std::rc::Rc;

use crate::api::placement::{node_affinity_fits, untolerated};
use crate::api::selector::{Op, Requirement};
use crate::api::views::pod::Pod;
use crate::api::well_known::{HOSTNAME, ZONE};
use crate::api::{Object, ObjectKey, Selector};
use crate::flat::{FlatMap, FlatSet};
use crate::scheduler::framework::{Cycle, MAX_SCORE, Refusal};
use crate::scheduler::node_info::NodeInfo;
use crate::value::math;

pub const NAME: &str = "PodTopologySpread";

/// One constraint.
pub struct Constraint {
    max_skew: i64,
    key: Rc<str>,
    selector: Selector,
    min_domains: i64,
    honor_affinity: bool,
    honor_taints: bool,
}

impl Constraint {
    /// Whether a node's pods and domain count (`nodeAffinityPolicy`, `nodeTaintsPolicy`).
    fn includes(&self, pod: &Object, node: &NodeInfo) -> bool {
        if self.honor_affinity && !node_affinity_fits(pod.spec(), &node.node) {
            return false;
        }
        let effects = ["NoSchedule", "NoExecute"];
        !self.honor_taints || untolerated(node.taints(), Pod(pod).tolerations(), &effects).is_none()
    }
}

/// The constraints of a pod that are hard or soft.
fn own_constraints(pod: &Object, when: &str) -> Vec<Constraint> {
    pod.spec()
        .get("topologySpreadConstraints")
        .items()
        .iter()
        .filter(|c| c.str_at(&["whenUnsatisfiable"]) == when)
        .map(|c| {
            let mut selector = Selector::from_label_selector(c.get("labelSelector"));
            for key in c.get("matchLabelKeys").items() {
                if let Some(value) = pod.label(key.str()) {
                    selector.requirements.push(Requirement {
                        key: key.str().to_owned(),
                        op: Op::In,
                        values: vec![value.to_owned()],
                    });
                }
            }
            Constraint {
                max_skew: c.i64_at(&["maxSkew"]).unwrap_or(1),
                key: c.str_at(&["topologyKey"]).into(),
                selector,
                min_domains: c.i64_at(&["minDomains"]).unwrap_or(1),
                honor_affinity: c.str_at(&["nodeAffinityPolicy"]) != "Ignore",
                honor_taints: c.str_at(&["nodeTaintsPolicy"]) == "Honor",
            }
        })
        .collect()
}

/// What selects the pod's like: the selectors of its services and of its owner, together
/// (`helper.DefaultSelector`). `None` when there are none.
fn default_selector(cycle: &Cycle) -> Option<Selector> {
    let pod = &cycle.pod.pod;
    let listers = cycle.listers;
    let mut requirements: Vec<Requirement> = Vec::new();
    let add = |requirements: &mut Vec<Requirement>, selector: Selector| {
        for r in selector.requirements {
            if !requirements.contains(&r) {
                requirements.push(r);
            }
        }
    };
    listers.services.each(pod.namespace(), |service| {
        let map = service.spec().get("selector");
        if !map.is_empty() {
            let selector = Selector::from_map(map);
            if selector.matches(pod.labels()) {
                add(&mut requirements, selector);
            }
        }
    });
    if let Some(owner) = pod.controller() {
        let key = ObjectKey::new(pod.namespace(), owner.name());
        let owner = match owner.kind() {
            "ReplicaSet" => listers.replica_sets.get(&key),
            "ReplicationController" => listers.replication_controllers.get(&key),
            "StatefulSet" => listers.stateful_sets.get(&key),
            _ => None,
        };
        if let Some(owner) = owner {
            let selector = owner.spec().get("selector");
            let selector = match owner.kind() {
                "ReplicationController" => Selector::from_map(selector),
                _ => Selector::from_label_selector(selector),
            };
            add(&mut requirements, selector);
        }
    }
    (!requirements.is_empty()).then_some(Selector {
        requirements,
        nothing: false,
    })
}

fn default_constraints(cycle: &Cycle) -> Vec<Constraint> {
    let Some(selector) = default_selector(cycle) else {
        return Vec::new();
    };
    [(HOSTNAME, 3), (ZONE, 5)]
        .into_iter()
        .map(|(key, max_skew)| Constraint {
            max_skew,
            key: key.into(),
            selector: selector.clone(),
            min_domains: 1,
            honor_affinity: true,
            honor_taints: false,
        })
        .collect()
}

/// How many pods of a node a selector selects. Those that are being deleted do not count.
fn matching(node: &NodeInfo, selector: &Selector, namespace: &str) -> i64 {
    node.pods
        .values()
        .filter(|p| !p.pod.is_deleting() && p.pod.namespace() == namespace && selector.matches(p.pod.labels()))
        .count() as i64
}

/// The hard constraints, each with the count of every value of its key.
pub struct FilterState {
    constraints: Vec<(Constraint, FlatMap<String, i64>)>,
}

pub fn prepare_filter(cycle: &Cycle) -> Option<FilterState> {
    let pod = &cycle.pod.pod;
    let constraints = own_constraints(pod, "DoNotSchedule");
    if constraints.is_empty() {
        return None;
    }
    let mut counts: Vec<FlatMap<String, i64>> = vec![FlatMap::new(); constraints.len()];
    for node in cycle.view.iter() {
        if constraints.iter().any(|c| node.label(&c.key).is_none()) {
            continue;
        }
        for (constraint, counts) in constraints.iter().zip(&mut counts) {
            if let Some(value) = node.label(&constraint.key)
                && constraint.includes(pod, node)
            {
                let count = matching(node, &constraint.selector, pod.namespace());
                *counts.entry(value.to_owned()).or_default() += count;
            }
        }
    }
    Some(FilterState {
        constraints: constraints.into_iter().zip(counts).collect(),
    })
}

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let Some(state) = &cycle.spread else { return Ok(()) };
    let pod = &cycle.pod.pod;
    for (constraint, counts) in &state.constraints {
        let Some(value) = node.label(&constraint.key) else {
            return Err(Refusal::unresolvable(
                NAME,
                "node(s) didn't match pod topology spread constraints (missing required label)",
            ));
        };
        let min = if (counts.len() as i64) < constraint.min_domains {
            0
        } else {
            counts.values().copied().min().unwrap_or(0)
        };
        let itself = i64::from(constraint.selector.matches(pod.labels()));
        let skew = counts.get(value).copied().unwrap_or(0) + itself - min;
        if skew > constraint.max_skew {
            return Err(Refusal::new(
                NAME,
                "node(s) didn't match pod topology spread constraints",
            ));
        }
    }
    Ok(())
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let pod = &cycle.pod.pod;
    let own = !pod.spec().get("topologySpreadConstraints").is_empty();
    let constraints = if own {
        own_constraints(pod, "ScheduleAnyway")
    } else {
        default_constraints(cycle)
    };
    if constraints.is_empty() {
        return None;
    }
    // A node that lacks a label of the pod's own constraints scores 0.
    let ignored = |node: &NodeInfo| own && constraints.iter().any(|c| node.label(&c.key).is_none());
    let kept: Vec<&Rc<NodeInfo>> = nodes.iter().filter(|n| !ignored(n)).collect();
    // The values among the feasible nodes, and how many pods each has over all nodes.
    let mut counts: Vec<FlatMap<&str, i64>> = Vec::new();
    for constraint in &constraints {
        let domains: FlatSet<&str> = kept.iter().filter_map(|n| n.label(&constraint.key)).collect();
        counts.push(domains.into_iter().map(|d| (d, 0)).collect());
    }
    for node in cycle.view.iter().filter(|n| !ignored(n)) {
        for (constraint, counts) in constraints.iter().zip(&mut counts) {
            if &*constraint.key == HOSTNAME || !constraint.includes(pod, node) {
                continue;
            }
            if let Some(count) = node.label(&constraint.key).and_then(|value| counts.get_mut(value)) {
                *count += matching(node, &constraint.selector, pod.namespace());
            }
        }
    }
    let mut raw: Vec<Option<i64>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        if ignored(node) {
            raw.push(None);
            continue;
        }
        let mut score = 0.0;
        for (constraint, counts) in constraints.iter().zip(&counts) {
            let Some(value) = node.label(&constraint.key) else {
                continue;
            };
            let host = &*constraint.key == HOSTNAME;
            let count = if host {
                matching(node, &constraint.selector, pod.namespace())
            } else {
                counts.get(value).copied().unwrap_or(0)
            };
            let size = if host { kept.len() } else { counts.len() };
            score += count as f64 * math::ln((size + 2) as f64) + (constraint.max_skew - 1) as f64;
        }
        raw.push(Some(score.round() as i64));
    }
    Some(spread_scores(&raw))
}

/// 100 · (max + min − s) / max; 100 for all when max is 0.
fn spread_scores(raw: &[Option<i64>]) -> Vec<i64> {
    let max = raw.iter().flatten().copied().max().unwrap_or(0);
    let min = raw.iter().flatten().copied().min().unwrap_or(0);
    raw.iter()
        .map(|score| match score {
            None => 0,
            Some(_) if max == 0 => MAX_SCORE,
            Some(score) => MAX_SCORE * (max + min - score) / max,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised() {
        assert_eq!(spread_scores(&[Some(0), Some(0), None]), [100, 100, 0]);
        assert_eq!(spread_scores(&[Some(2), Some(4)]), [100, 50]);
        assert_eq!(spread_scores(&[Some(0), Some(10), Some(5)]), [100, 0, 50]);
    }
}
