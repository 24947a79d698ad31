//! How many replicas a metric asks for (`replica_calculator.go`). Pure functions; amounts are
//! thousandths of a processor or of a byte.

use std::time::Duration;

use crate::api::Object;
use crate::api::views::pod::{Container, Pod};
use crate::controllers::pods;
use crate::flat::{FlatMap, FlatSet};
use crate::sim::Time;

/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
const CPU_INITIALIZATION: Duration = Duration::from_secs(300);
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const READINESS_DELAY: Duration = Duration::from_secs(30);

/// What was measured of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub value: i64,
    pub at: Time,
    pub window: Duration,
}

/// How far from the target usage may be without effect: below and above 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    pub down: f64,
    pub up: f64,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { down: 0.1, up: 0.1 }
    }
}

impl Tolerance {
    fn allows(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// What usage is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Percent of what pods request.
    Utilization(i64),
    /// An amount a pod.
    Average(i64),
}

/// What a metric asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    pub replicas: i64,
    /// Percent of the requests, for such a target.
    pub utilization: i64,
    /// The mean amount a pod.
    pub average: i64,
}

/// The metric that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a> {
    /// `cpu`, `memory`, …
    pub resource: &'a str,
    /// One container of each pod; empty for all.
    pub container: &'a str,
    pub target: Target,
}

/// Pods by what their samples are good for.
struct Groups {
    ready: i64,
    /// Those that end, which count for nothing.
    ending: FlatSet<String>,
    ignored: FlatSet<String>,
    missing: FlatSet<String>,
}

fn group(pods: &[Object], samples: &FlatMap<String, Sample>, resource: &str, now: Time) -> Groups {
    let mut groups = Groups {
        ready: 0,
        ending: FlatSet::new(),
        ignored: FlatSet::new(),
        missing: FlatSet::new(),
    };
    for pod in pods {
        if pod.is_deleting() || pods::phase(pod) == "Failed" {
            groups.ending.insert(pod.name().to_owned());
            continue;
        }
        if pods::phase(pod) == "Pending" {
            groups.ignored.insert(pod.name().to_owned());
            continue;
        }
        let Some(sample) = samples.get(pod.name()) else {
            groups.missing.insert(pod.name().to_owned());
            continue;
        };
        if resource == "cpu" && is_starting(pod, sample, now) {
            groups.ignored.insert(pod.name().to_owned());
            continue;
        }
        groups.ready += 1;
    }
    groups
}

/// Whether a pod's use of processors says nothing yet, because it starts.
fn is_starting(pod: &Object, sample: &Sample, now: Time) -> bool {
    let started = Time::parse(pod.status().str_at(&["startTime"]));
    let (Some(ready), Some(started)) = (pod.condition("Ready"), started) else {
        return true;
    };
    let unready = ready.str_at(&["status"]) == "False";
    let since = Time::parse(ready.str_at(&["lastTransitionTime"])).unwrap_or_default();
    if started + CPU_INITIALIZATION > now {
        return unready || sample.at < since + sample.window;
    }
    // One that was never ready does its first work.
    unready && started + READINESS_DELAY > since
}

/// What each pod requests.
///
/// # Errors
/// When a container requests nothing.
fn requests(pods: &[Object], metric: &Metric) -> Result<FlatMap<String, i64>, String> {
    let mut all = FlatMap::new();
    for pod in pods {
        let mut sum = 0;
        let sidecars = Pod(pod)
            .init_containers()
            .filter(|c| c.0.str_at(&["restartPolicy"]) == "Always");
        for Container(container) in Pod(pod).containers().chain(sidecars) {
            let name = container.str_at(&["name"]);
            if !metric.container.is_empty() && metric.container != name {
                continue;
            }
            let amount = container.at(&["resources", "requests", metric.resource]);
            if amount.is_null() {
                return Err(format!(
                    "missing request for {} in container {name} of Pod {}",
                    metric.resource,
                    pod.name()
                ));
            }
            sum += crate::api::quantity::Quantity::parse_or_zero(amount.str()).milli_value();
        }
        all.insert(pod.name().to_owned(), sum);
    }
    Ok(all)
}

/// Usage as a part of the target, with the utilization and the mean.
fn ratio(
    samples: &FlatMap<String, i64>,
    requests: &FlatMap<String, i64>,
    target: Target,
) -> Result<(f64, i64, i64), String> {
    let count = samples.len().max(1) as i64;
    let total: i64 = samples.values().sum();
    match target {
        Target::Average(wanted) => {
            let mean = total / count;
            Ok((mean as f64 / wanted.max(1) as f64, 0, mean))
        }
        Target::Utilization(percent) => {
            let (mut used, mut asked, mut entries) = (0, 0, 0);
            for (pod, value) in samples {
                if let Some(request) = requests.get(pod) {
                    used += value;
                    asked += request;
                    entries += 1;
                }
            }
            if asked == 0 {
                return Err("no metrics returned matched known pods".into());
            }
            let utilization = used * 100 / asked;
            Ok((
                utilization as f64 / percent.max(1) as f64,
                utilization,
                used / i64::from(entries),
            ))
        }
    }
}

/// How many replicas a metric asks for. `pods` are all that the target selects.
///
/// # Errors
/// Why it cannot be said, in the controller's words.
pub fn propose(
    metric: &Metric,
    pods: &[Object],
    samples: &FlatMap<String, Sample>,
    current: i64,
    tolerance: Tolerance,
    now: Time,
) -> Result<Proposal, String> {
    if pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".into());
    }
    let groups = group(pods, samples, metric.resource, now);
    let mut used: FlatMap<String, i64> = samples
        .iter()
        .filter(|(pod, _)| !groups.ignored.contains(*pod) && !groups.ending.contains(*pod))
        .map(|(pod, sample)| (pod.clone(), sample.value))
        .collect();
    let requests = match metric.target {
        Target::Utilization(_) => requests(pods, metric)?,
        Target::Average(_) => FlatMap::new(),
    };
    if used.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".into());
    }
    let (usage, utilization, average) = ratio(&used, &requests, metric.target)?;
    let proposal = |replicas: i64| Proposal {
        replicas,
        utilization,
        average,
    };
    let counts_ignored = !groups.ignored.is_empty() && usage > 1.0;
    if !counts_ignored && groups.missing.is_empty() {
        if tolerance.allows(usage) {
            return Ok(proposal(current));
        }
        return Ok(proposal((usage * groups.ready as f64).ceil() as i64));
    }
    // Pods of which nothing is known count so that they dampen the change.
    for pod in &groups.missing {
        let value = match metric.target {
            // What is just at the target is not dampened.
            Target::Utilization(_) if usage == 1.0 => continue,
            _ if usage >= 1.0 => 0,
            Target::Utilization(percent) => {
                let request = requests.get(pod).copied().unwrap_or(0);
                // All of the request, and not less than the target.
                request * percent.max(100) / 100
            }
            Target::Average(wanted) => wanted,
        };
        used.insert(pod.clone(), value);
    }
    if counts_ignored {
        used.extend(groups.ignored.iter().map(|pod| (pod.clone(), 0)));
    }
    let (again, _, _) = ratio(&used, &requests, metric.target)?;
    if tolerance.allows(again) || (usage < 1.0 && again > 1.0) || (usage > 1.0 && again < 1.0) {
        return Ok(proposal(current));
    }
    let replicas = (again * used.len() as f64).ceil() as i64;
    if (again < 1.0 && replicas > current) || (again > 1.0 && replicas < current) {
        return Ok(proposal(current));
    }
    Ok(proposal(replicas))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    const NOW: Time = Time::from_secs(100_000);

    fn pod(name: &str, phase: &str, ready: &str, started: u64) -> Object {
        let at = Time::from_secs(started);
        let requests = obj! { "cpu": "100m" };
        Object::new(obj! {
            "metadata": obj! { "name": name },
            "spec": obj! {
                "containers": list![obj! { "name": "c", "resources": obj! { "requests": requests } }],
            },
            "status": obj! {
                "phase": phase, "startTime": at,
                "conditions": list![obj! { "type": "Ready", "status": ready, "lastTransitionTime": at }],
            },
        })
    }

    fn sample(value: i64) -> Sample {
        Sample {
            value,
            at: NOW,
            window: Duration::from_secs(15),
        }
    }

    fn run(pods: &[Object], samples: &[(&str, i64)], target: Target, current: i64) -> Result<Proposal, String> {
        let samples = samples.iter().map(|(n, v)| ((*n).to_owned(), sample(*v))).collect();
        let metric = Metric {
            resource: "cpu",
            container: "",
            target,
        };
        propose(&metric, pods, &samples, current, Tolerance::default(), NOW)
    }

    #[test]
    fn replicas() {
        let old = |name: &str| pod(name, "Running", "True", 1);
        let two = [old("a"), old("b")];
        let half = Target::Utilization(50);
        let cases: &[(&str, &[(&str, i64)], Target, i64)] = &[
            ("at the target", &[("a", 50), ("b", 50)], half, 2),
            ("within the tolerance", &[("a", 54), ("b", 54)], half, 2),
            ("twice the target", &[("a", 100), ("b", 100)], half, 4),
            ("five times", &[("a", 300), ("b", 200)], half, 10),
            ("idle", &[("a", 1), ("b", 1)], half, 1),
            ("nothing at all", &[("a", 0), ("b", 0)], half, 0),
            ("one is missing, up", &[("a", 150)], half, 3),
            ("one is missing, down", &[("a", 10)], half, 2),
            ("one is missing, at the target", &[("a", 50)], half, 2),
            ("one is missing, at the amount", &[("a", 200)], Target::Average(200), 1),
            ("an amount", &[("a", 300), ("b", 300)], Target::Average(200), 3),
        ];
        for (why, samples, target, want) in cases {
            assert_eq!(run(&two, samples, *target, 2).unwrap().replicas, *want, "{why}");
        }
        let proposal = run(&two, &[("a", 150), ("b", 50)], half, 2).unwrap();
        assert_eq!((proposal.utilization, proposal.average), (100, 100));
    }

    #[test]
    fn pods_that_start_count_as_idle() {
        let pods = [
            pod("a", "Running", "True", 1),
            pod("b", "Running", "True", 99_995),
            pod("c", "Pending", "False", 99_999),
        ];
        let half = Target::Utilization(50);
        // 200 % of one pod's target over three pods is two thirds.
        assert_eq!(run(&pods, &[("a", 100), ("b", 100)], half, 3).unwrap().replicas, 3);
        assert_eq!(run(&pods, &[("a", 300), ("b", 300)], half, 3).unwrap().replicas, 6);
    }

    #[test]
    fn pods_that_end_do_not_count() {
        let mut going = pod("b", "Running", "True", 1).value().clone();
        going.set(&["metadata", "deletionTimestamp"], NOW);
        let pods = [
            pod("a", "Running", "True", 1),
            Object::new(going),
            pod("c", "Failed", "False", 1),
        ];
        let used = [("a", 100), ("b", 0), ("c", 7)];
        let proposal = run(&pods, &used, Target::Utilization(50), 1).unwrap();
        assert_eq!(
            (proposal.replicas, proposal.utilization, proposal.average),
            (2, 100, 100)
        );
        assert_eq!(
            run(&pods[1..], &used[1..], Target::Average(50), 1).unwrap_err(),
            "did not receive metrics for targeted pods (pods might be unready)"
        );
    }

    #[test]
    fn refusals() {
        let half = Target::Utilization(50);
        assert_eq!(
            run(&[], &[], half, 1).unwrap_err(),
            "no pods returned by selector while calculating replica count"
        );
        let mut bare = pod("a", "Running", "True", 1).value().clone();
        bare.set(&["spec", "containers"], list![obj! { "name": "c" }]);
        assert_eq!(
            run(&[Object::new(bare)], &[("a", 1)], half, 1).unwrap_err(),
            "missing request for cpu in container c of Pod a"
        );
    }
}
