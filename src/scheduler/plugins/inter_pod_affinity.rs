//! InterPodAffinity: pods that must or want to stand near others, or away from them. Required
//! anti-affinity of pods that stand already counts against the pod as well.

use std::rc::Rc;

use crate::flat::FlatMap;
use crate::scheduler::framework::{Cycle, MAX_SCORE, Refusal};
use crate::scheduler::node_info::{AffinityTerm, NodeInfo, PodInfo};
use crate::value::Value;

pub const NAME: &str = "InterPodAffinity";

/// What a pod's required affinity to the pod being scheduled is worth (`hardPodAffinityWeight`).
const HARD_WEIGHT: i64 = 1;

/// Counts by a topology's key and value.
type Counts = FlatMap<(Rc<str>, String), i64>;

/// What is counted once for all nodes.
pub struct FilterState {
    /// Pods whose required anti-affinity selects this pod.
    existing_anti: Counts,
    affinity: Counts,
    anti: Counts,
    /// Whether the pod's affinity selects the pod itself.
    selects_itself: bool,
}

fn count(counts: &mut Counts, node: &NodeInfo, key: &Rc<str>, by: i64) {
    if let Some(value) = node.label(key) {
        *counts.entry((key.clone(), value.to_owned())).or_default() += by;
    }
}

fn counted(counts: &Counts, node: &NodeInfo, key: &Rc<str>) -> i64 {
    node.label(key)
        .and_then(|value| counts.get(&(key.clone(), value.to_owned())).copied())
        .unwrap_or(0)
}

pub fn prepare_filter(cycle: &Cycle) -> Option<FilterState> {
    let pod = cycle.pod;
    let labels = |namespace: &str| -> Value { cycle.listers.namespace_labels(namespace) };
    let fits = |term: &AffinityTerm, other: &PodInfo| term.matches(&other.pod, &labels);
    let mut state = FilterState {
        existing_anti: Counts::new(),
        affinity: Counts::new(),
        anti: Counts::new(),
        selects_itself: false,
    };
    let (affinity, anti) = (&pod.affinity.required, &pod.anti_affinity.required);
    let mut any = !affinity.is_empty() || !anti.is_empty();
    for node in cycle.view.iter() {
        for key in &node.with_affinity {
            let Some(other) = node.pods.get(key) else { continue };
            for term in other.anti_affinity.required.iter().filter(|t| fits(t, pod)) {
                any = true;
                count(&mut state.existing_anti, node, &term.topology_key, 1);
            }
        }
        if affinity.is_empty() && anti.is_empty() {
            continue;
        }
        for other in node.pods.values() {
            if !affinity.is_empty() && affinity.iter().all(|t| fits(t, other)) {
                for term in affinity {
                    count(&mut state.affinity, node, &term.topology_key, 1);
                }
            }
            for term in anti.iter().filter(|t| fits(t, other)) {
                count(&mut state.anti, node, &term.topology_key, 1);
            }
        }
    }
    state.selects_itself = affinity.iter().all(|t| fits(t, pod));
    any.then_some(state)
}

pub fn filter(cycle: &Cycle, node: &NodeInfo) -> Result<(), Refusal> {
    let Some(state) = &cycle.affinity else { return Ok(()) };
    let affinity = &cycle.pod.affinity.required;
    let labelled = affinity.iter().all(|t| node.label(&t.topology_key).is_some());
    let near = affinity
        .iter()
        .all(|t| counted(&state.affinity, node, &t.topology_key) > 0);
    // The first of a group that wants to stand together may stand anywhere.
    let first = state.affinity.is_empty() && state.selects_itself;
    if !affinity.is_empty() && !(labelled && (near || first)) {
        return Err(Refusal::unresolvable(NAME, "node(s) didn't match pod affinity rules"));
    }
    let anti = &cycle.pod.anti_affinity.required;
    if anti.iter().any(|t| counted(&state.anti, node, &t.topology_key) > 0) {
        return Err(Refusal::new(NAME, "node(s) didn't match pod anti-affinity rules"));
    }
    let refused = state
        .existing_anti
        .iter()
        .any(|((key, value), n)| *n > 0 && node.label(key) == Some(value));
    if refused {
        return Err(Refusal::new(
            NAME,
            "node(s) didn't satisfy existing pods anti-affinity rules",
        ));
    }
    Ok(())
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let pod = cycle.pod;
    let labels = |namespace: &str| -> Value { cycle.listers.namespace_labels(namespace) };
    let fits = |term: &AffinityTerm, other: &PodInfo| term.matches(&other.pod, &labels);
    let wants = !pod.affinity.preferred.is_empty() || !pod.anti_affinity.preferred.is_empty();
    let mut counts = Counts::new();
    let mut weigh = |node: &NodeInfo, other: &PodInfo| {
        for term in pod.affinity.preferred.iter().filter(|t| fits(t, other)) {
            count(&mut counts, node, &term.topology_key, term.weight);
        }
        for term in pod.anti_affinity.preferred.iter().filter(|t| fits(t, other)) {
            count(&mut counts, node, &term.topology_key, -term.weight);
        }
        for term in other.affinity.required.iter().filter(|t| fits(t, pod)) {
            count(&mut counts, node, &term.topology_key, HARD_WEIGHT);
        }
        for term in other.affinity.preferred.iter().filter(|t| fits(t, pod)) {
            count(&mut counts, node, &term.topology_key, term.weight);
        }
        for term in other.anti_affinity.preferred.iter().filter(|t| fits(t, pod)) {
            count(&mut counts, node, &term.topology_key, -term.weight);
        }
    };
    for node in cycle.view.iter() {
        if wants {
            node.pods.values().for_each(|other| weigh(node, other));
        } else {
            let keys = node.with_affinity.iter();
            keys.filter_map(|k| node.pods.get(k))
                .for_each(|other| weigh(node, other));
        }
    }
    if counts.is_empty() {
        return None;
    }
    let raw: Vec<i64> = nodes
        .iter()
        .map(|node| {
            counts
                .iter()
                .filter(|((key, value), _)| node.label(key) == Some(value))
                .map(|(_, n)| n)
                .sum()
        })
        .collect();
    Some(min_max(&raw))
}

/// 100 · (s − min) / (max − min); 0 for all when they are equal.
fn min_max(raw: &[i64]) -> Vec<i64> {
    let max = raw.iter().copied().max().unwrap_or(0);
    let min = raw.iter().copied().min().unwrap_or(0);
    raw.iter()
        .map(|s| {
            if max == min {
                0
            } else {
                (MAX_SCORE as f64 * ((s - min) as f64 / (max - min) as f64)) as i64
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised() {
        assert_eq!(min_max(&[0, 0]), [0, 0]);
        assert_eq!(min_max(&[-5, 0, 5]), [0, 50, 100]);
    }
}
