//! DefaultPreemption: when no node fits, looks for one that would without some pods of lower
//! priority, and names those victims.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::api::{Object, Selector};
use crate::flat::Arrange;
use crate::scheduler::framework::{Cycle, Listers, Refusal, View};
use crate::scheduler::node_info::{NodeInfo, PodInfo};
use crate::scheduler::plugins::FILTERS;
use crate::sim::Time;
use crate::value::Value;

/// Why a pod that makes room for another is disrupted (`PodReasonPreemptionByScheduler`).
pub const PREEMPTED: &str = "PreemptionByScheduler";

/// What preemption found.
pub enum Preemption {
    /// Without these pods the node fits.
    Candidate { node: Rc<str>, victims: Vec<Rc<PodInfo>> },
    /// Nothing would help: a node promised before is no longer. The sentence ends the pod's message.
    Nothing(String),
    /// The pod may not, or need not now, and keeps the node that it was promised. Why.
    NotEligible(&'static str),
}

struct Candidate {
    node: Rc<NodeInfo>,
    victims: Vec<Rc<PodInfo>>,
    violations: usize,
}

fn start_time(pod: &Object) -> Time {
    Time::parse(pod.status().str_at(&["startTime"])).unwrap_or_else(|| pod.created())
}

/// Sorts the more important pod first (`MoreImportantPod`): higher priority, then running longer.
fn sort_by_importance(pods: &mut [Rc<PodInfo>]) {
    pods.arrange_by_key(|p| (Reverse(p.priority), start_time(&p.pod), p.key.clone()));
}

/// Whether the pod fits a node as `info` shows it.
fn fits(pod: &PodInfo, view: &View, info: &Rc<NodeInfo>, listers: &Listers) -> Result<(), Refusal> {
    let cycle = Cycle::new(pod, view.with(info.clone()), listers);
    FILTERS.iter().try_for_each(|(_, filter, _)| filter(&cycle, info))
}

/// Splits pods into those whose deletion would break a disruption budget, and the others.
fn violating(pods: Vec<Rc<PodInfo>>, listers: &Listers) -> (Vec<Rc<PodInfo>>, Vec<Rc<PodInfo>>) {
    let budgets = listers.disruption_budgets.list("");
    let mut left: Vec<i64> = budgets
        .iter()
        .map(|b| b.status().i64_at(&["disruptionsAllowed"]).unwrap_or(0))
        .collect();
    pods.into_iter().partition(|pod| {
        let mut breaks = false;
        for (budget, left) in budgets.iter().zip(&mut left) {
            let selector = Selector::from_label_selector(budget.spec().get("selector"));
            let covers = budget.namespace() == pod.pod.namespace()
                && !pod.pod.labels().is_empty()
                && selector.matches(pod.pod.labels())
                && !budget.status().get("disruptedPods").has(pod.pod.name());
            if covers {
                *left -= 1;
                breaks |= *left < 0;
            }
        }
        breaks
    })
}

/// The fewest pods of lower priority without which the pod fits a node.
fn victims_on(pod: &PodInfo, view: &View, node: &Rc<NodeInfo>, listers: &Listers) -> Result<Candidate, Refusal> {
    let mut info = node.as_ref().clone();
    let mut potential: Vec<Rc<PodInfo>> = Vec::new();
    for other in node.pods.values().filter(|p| p.priority < pod.priority) {
        potential.push(other.clone());
        info.remove(&other.key);
    }
    if potential.is_empty() {
        return Err(Refusal::unresolvable(
            "DefaultPreemption",
            "No preemption victims found for incoming pod",
        ));
    }
    fits(pod, view, &Rc::new(info.clone()), listers)?;
    sort_by_importance(&mut potential);
    let (breaking, others) = violating(potential, listers);
    let (mut victims, mut violations) = (Vec::new(), 0);
    // Give back as many as possible, those that a budget protects first.
    for (candidate, breaks) in breaking
        .into_iter()
        .map(|p| (p, true))
        .chain(others.into_iter().map(|p| (p, false)))
    {
        let mut with = info.clone();
        with.add(candidate.clone());
        if fits(pod, view, &Rc::new(with.clone()), listers).is_ok() {
            info = with;
        } else {
            victims.push(candidate);
            violations += usize::from(breaks);
        }
    }
    sort_by_importance(&mut victims);
    Ok(Candidate {
        node: node.clone(),
        victims,
        violations,
    })
}

/// Looks for victims. `refused` says of each node of the view why it did not fit.
pub fn preempt(
    pod: &PodInfo,
    view: &View,
    listers: &Listers,
    refused: &dyn Fn(&str) -> Option<Refusal>,
    nominated: &str,
) -> Preemption {
    if pod.pod.spec().str_at(&["preemptionPolicy"]) == "Never" {
        return Preemption::NotEligible("not eligible due to preemptionPolicy=Never.");
    }
    if !nominated.is_empty()
        && let Some(node) = view.iter().find(|n| &*n.name == nominated)
    {
        let fits_never = refused(nominated).is_some_and(|r| r.unresolvable);
        let terminating = node.pods.values().any(|p| {
            let preempted = |c: &Value| c.str_at(&["status"]) == "True" && c.str_at(&["reason"]) == PREEMPTED;
            p.priority < pod.priority
                && p.pod.is_deleting()
                && p.pod.condition("DisruptionTarget").is_some_and(preempted)
        });
        if !fits_never && terminating {
            return Preemption::NotEligible("not eligible due to a terminating pod on the nominated node.");
        }
    }
    let mut reasons: Vec<Rc<str>> = Vec::new();
    let mut candidates = Vec::new();
    for node in view.iter() {
        if refused(&node.name).is_none_or(|r| r.unresolvable) {
            reasons.push("Preemption is not helpful for scheduling".into());
            continue;
        }
        match victims_on(pod, view, node, listers) {
            Ok(candidate) => candidates.push(candidate),
            Err(refusal) => reasons.extend(refusal.reasons),
        }
    }
    // Fewest broken budgets, then the lowest of the highest priorities, the lowest sum of them, the
    // fewest victims, and the one whose most important victims began last.
    let best = candidates.into_iter().min_by_key(|c| {
        let highest = c.victims.iter().map(|v| v.priority).max().unwrap_or(i64::MIN);
        let sum: i64 = c.victims.iter().map(|v| v.priority + i64::from(i32::MAX) + 1).sum();
        let important = c.victims.iter().filter(|v| v.priority == highest);
        let earliest = important.map(|v| start_time(&v.pod)).min().unwrap_or_default();
        (c.violations, highest, sum, c.victims.len(), Reverse(earliest))
    });
    match best {
        Some(best) => Preemption::Candidate {
            node: best.node.name.clone(),
            victims: best.victims,
        },
        None => Preemption::Nothing(super::super::cycle::unavailable(view.len(), &reasons)),
    }
}
