//! One decision: filters, scores and preemption over the scheduler's view, with its verdict. Pure
//! but for the generator that breaks ties.

use std::rc::Rc;

use super::framework::{Cycle, Listers, Refusal, View};
use super::node_info::{NodeInfo, PodInfo};
use super::plugins::default_preemption::{Preemption, preempt};
use super::plugins::{FILTERS, SCORES, node_affinity, volume_binding};
use crate::api::placement::named_nodes;
use crate::flat::{Arrange, FlatMap, FlatSet};
use crate::sim::{NodeVerdict, Sim, Verdict};

/// What became of a pod's attempt.
pub struct Decision {
    pub verdict: Verdict,
    pub refused_by: FlatSet<&'static str>,
    /// What preemption found, when no node fits.
    pub preemption: Option<Preemption>,
}

/// Pods that preemption has promised a place, with the node's name.
pub type Nominated = FlatMap<crate::api::ObjectKey, (Rc<str>, Rc<PodInfo>)>;

/// `0/3 nodes are available: 1 …, 2 ….`
pub fn unavailable(nodes: usize, reasons: &[Rc<str>]) -> String {
    let mut message = format!("0/{nodes} nodes are available");
    let mut counts: FlatMap<&str, usize> = FlatMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    parts.arrange();
    if !parts.is_empty() {
        message.push_str(&format!(": {}.", parts.join(", ")));
    }
    message
}

/// How many feasible nodes are enough of so many (`numFeasibleNodesToFind`): all of up to 100, then
/// 50 − n/125 per cent, at least 5 per cent and 100 nodes.
pub fn enough(nodes: usize) -> usize {
    const MIN: usize = 100;
    if nodes < MIN {
        return nodes;
    }
    let percent = 50usize.saturating_sub(nodes / 125).max(5);
    (nodes * percent / 100).max(MIN)
}

/// Whether a pod fits a node, with and without the pods that are promised a place there.
fn fits(cycle: &Cycle, node: &Rc<NodeInfo>, nominated: &Nominated) -> Result<(), Refusal> {
    let run = |cycle: &Cycle, node: &NodeInfo| FILTERS.iter().try_for_each(|(_, filter, _)| filter(cycle, node));
    let promised: Vec<&Rc<PodInfo>> = nominated
        .iter()
        .filter(|(key, (name, pod))| {
            **name == *node.name && **key != cycle.pod.key && pod.priority >= cycle.pod.priority
        })
        .map(|(_, (_, pod))| pod)
        .collect();
    if !promised.is_empty() {
        let mut info = node.as_ref().clone();
        for pod in promised {
            info.add(pod.clone());
        }
        let info = Rc::new(info);
        let with = Cycle::new(cycle.pod, cycle.view.with(info.clone()), cycle.listers);
        run(&with, &info)?;
    }
    run(cycle, node)
}

/// Decides where a pod goes. `start` is where among the nodes the search begins; it moves on.
pub fn decide(
    sim: &Sim,
    pod: &PodInfo,
    view: View,
    listers: &Listers,
    nominated: &Nominated,
    start: &mut usize,
) -> Decision {
    let name: Rc<str> = pod.key.to_string().into();
    let mut verdict = Verdict {
        pod: name.clone(),
        nodes: Vec::new(),
        chosen: None,
        message: "".into(),
    };
    let mut refused_by = FlatSet::new();
    if view.is_empty() {
        verdict.message = "no nodes available to schedule pods".into();
        return Decision {
            verdict,
            refused_by,
            preemption: None,
        };
    }
    if let Err(refusal) = volume_binding::pre_filter(pod, listers) {
        let reason: Rc<str> = refusal.reasons.join(", ").into();
        refused_by.insert(refusal.plugin);
        verdict.nodes = view
            .iter()
            .map(|n| NodeVerdict {
                node: n.name.clone(),
                refused: Some((refusal.plugin, reason.clone())),
                scores: Vec::new(),
                total: 0,
            })
            .collect();
        // The plugins that act when nothing fits find nothing prepared, and v1.36 says so.
        verdict.message = format!("0/{} nodes are available: {reason}. not found", view.len()).into();
        return Decision {
            verdict,
            refused_by,
            preemption: None,
        };
    }
    let cycle = Cycle::new(pod, view.clone(), listers);
    let only = named_nodes(pod.pod.spec());
    let all: Vec<Rc<NodeInfo>> = view.iter().cloned().collect();
    let wanted = enough(all.len());
    let mut refusals: FlatMap<Rc<str>, Refusal> = FlatMap::new();
    let mut feasible: Vec<Rc<NodeInfo>> = Vec::new();
    let first = *start % all.len();
    let mut looked = 0;
    for node in all.iter().cycle().skip(first).take(all.len()) {
        if feasible.len() >= wanted {
            break;
        }
        looked += 1;
        let result = match &only {
            Some(names) if !names.contains(&&*node.name) => Err(Refusal::unresolvable(
                node_affinity::NAME,
                "node(s) didn't satisfy plugin(s) [NodeAffinity]",
            )),
            _ => fits(&cycle, node, nominated),
        };
        match result {
            Ok(()) => feasible.push(node.clone()),
            Err(refusal) => {
                refused_by.insert(refusal.plugin);
                refusals.insert(node.name.clone(), refusal);
            }
        }
    }
    *start = (first + looked) % all.len();
    let mut verdicts: FlatMap<Rc<str>, NodeVerdict> = FlatMap::new();
    for (node, refusal) in &refusals {
        verdicts.insert(
            node.clone(),
            NodeVerdict {
                node: node.clone(),
                refused: Some((refusal.plugin, refusal.reasons.join(", ").into())),
                scores: Vec::new(),
                total: 0,
            },
        );
    }
    for node in &feasible {
        verdicts.insert(
            node.name.clone(),
            NodeVerdict {
                node: node.name.clone(),
                refused: None,
                scores: Vec::new(),
                total: 0,
            },
        );
    }
    let mut preemption = None;
    match feasible.as_slice() {
        [] => {
            let reasons: Vec<Rc<str>> = refusals.values().flat_map(|r| r.reasons.iter().cloned()).collect();
            let mut message = unavailable(all.len(), &reasons);
            let refused = |name: &str| refusals.get(name).cloned();
            let promised = pod.pod.status().str_at(&["nominatedNodeName"]);
            let found = preempt(pod, &view, listers, &refused, promised);
            let why = match &found {
                Preemption::Candidate { .. } => None,
                Preemption::Nothing(why) => Some(why.as_str()),
                Preemption::NotEligible(why) => Some(*why),
            };
            if let Some(why) = why {
                message.push_str(&format!(" no new claims to deallocate, preemption: {why}"));
            }
            preemption = Some(found);
            verdict.message = message.into();
        }
        [node] => verdict.chosen = Some(node.name.clone()),
        nodes => verdict.chosen = choose(sim, &cycle, nodes, &mut verdicts),
    }
    if let Some(node) = &verdict.chosen {
        verdict.message = format!("Successfully assigned {name} to {node}").into();
    }
    verdict.nodes = verdicts.into_values().collect();
    Decision {
        verdict,
        refused_by,
        preemption,
    }
}

/// Scores the nodes and takes the best, one of the best at random.
fn choose(
    sim: &Sim,
    cycle: &Cycle,
    nodes: &[Rc<NodeInfo>],
    verdicts: &mut FlatMap<Rc<str>, NodeVerdict>,
) -> Option<Rc<str>> {
    for (plugin, weight, score) in SCORES {
        let Some(scores) = score(cycle, nodes) else { continue };
        for (node, score) in nodes.iter().zip(scores) {
            if let Some(verdict) = verdicts.get_mut(&node.name) {
                verdict.scores.push((plugin, score, *weight));
                verdict.total += score * weight;
            }
        }
    }
    let total = |n: &Rc<NodeInfo>| verdicts.get(&n.name).map_or(0, |v| v.total);
    let best = nodes.iter().map(total).max()?;
    let tied: Vec<&Rc<NodeInfo>> = nodes.iter().filter(|n| total(n) == best).collect();
    let pick = match tied.len() {
        1 => 0,
        n => sim.random_below(n as u64) as usize,
    };
    tied.get(pick).map(|n| n.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let reasons: Vec<Rc<str>> = vec!["Insufficient cpu".into(), "x".into(), "Insufficient cpu".into()];
        assert_eq!(
            unavailable(3, &reasons),
            "0/3 nodes are available: 1 x, 2 Insufficient cpu."
        );
    }

    #[test]
    fn enough_nodes() {
        let table = [
            (3, 3),
            (99, 99),
            (100, 100),
            (200, 100),
            (1000, 420),
            (5000, 500),
            (10_000, 500),
        ];
        for (nodes, want) in table {
            assert_eq!(enough(nodes), want, "{nodes}");
        }
    }
}
