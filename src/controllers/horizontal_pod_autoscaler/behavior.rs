//! How fast and how far a HorizontalPodAutoscaler may scale: its bounds, what it recommended a while
//! ago, and its policies. Pure functions.

use std::time::Duration;

use crate::api::quantity::Quantity;
use crate::sim::Time;
use crate::value::Value;

use super::calculator::Tolerance;

/// `--horizontal-pod-autoscaler-downscale-stabilization`.
const DOWN_WINDOW: Duration = Duration::from_secs(300);

/// Without policies, at most twice as many, and at least 4 (`scaleUpLimitFactor`, `scaleUpLimitMinimum`).
const UP_FACTOR: i64 = 2;
const UP_LEAST: i64 = 4;

/// The state of a condition with its reason and message.
pub type Reason = (&'static str, &'static str);

pub const READY: Reason = ("ReadyForNewScale", "recommended size matches current size");
const DOWN_STABILIZED: Reason = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_STABILIZED: Reason = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const WITHIN: Reason = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: Reason = (
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
);
const TOO_MANY: Reason = (
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
);
const UP_LIMIT: Reason = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
);
const DOWN_LIMIT: Reason = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);

/// What one autoscaler did and recommended of late.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    recommendations: Vec<(Time, i64)>,
    /// How many replicas were added (or, negative, taken away) when.
    changes: Vec<(Time, i64)>,
}

/// Memory longer than the longest window that a policy may have (an hour) is not needed.
const KEPT: Duration = Duration::from_secs(3_600);

impl Memory {
    /// The first recommendation is what there is.
    pub fn begin(&mut self, now: Time, current: i64) {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
    }

    pub fn changed(&mut self, now: Time, by: i64) {
        self.changes.retain(|(at, _)| now.since(*at) <= KEPT);
        self.changes.push((now, by));
    }

    fn recommend(&mut self, now: Time, replicas: i64) {
        self.recommendations.retain(|(at, _)| now.since(*at) <= KEPT);
        self.recommendations.push((now, replicas));
    }

    fn within(&self, now: Time, window: Duration) -> impl Iterator<Item = i64> {
        let recent = move |(at, n): &(Time, i64)| (now.since(*at) < window).then_some(*n);
        self.recommendations.iter().filter_map(recent)
    }

    /// Added and taken away within a period.
    fn changes(&self, now: Time, period: Duration) -> (i64, i64) {
        let recent = self.changes.iter().filter(|(at, _)| now.since(*at) < period);
        recent.fold((0, 0), |(up, down), (_, by)| (up + by.max(&0), down - by.min(&0)))
    }
}

/// What is decided, and what the conditions `AbleToScale` and `ScalingLimited` say.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    pub replicas: i64,
    pub able: Reason,
    pub limited: (bool, Reason),
}

/// The tolerance of each direction.
pub fn tolerance(behavior: &Value) -> Tolerance {
    let of = |direction: &str| {
        let set = behavior.at(&[direction, "tolerance"]);
        (!set.is_null()).then(|| Quantity::parse_or_zero(set.str()).as_f64())
    };
    Tolerance {
        down: of("scaleDown").unwrap_or(0.1),
        up: of("scaleUp").unwrap_or(0.1),
    }
}

/// What becomes of a recommendation. `behavior` is the autoscaler's, or null.
pub fn decide(
    behavior: &Value,
    memory: &mut Memory,
    (least, most): (i64, i64),
    current: i64,
    wanted: i64,
    now: Time,
) -> Decision {
    let (stable, able) = if behavior.is_null() {
        let highest = memory.within(now, DOWN_WINDOW).chain([wanted]).max().unwrap_or(wanted);
        (highest, DOWN_STABILIZED)
    } else {
        let window = |direction: &str, or: Duration| {
            let seconds = behavior.i64_at(&[direction, "stabilizationWindowSeconds"]);
            seconds.map_or(or, crate::sim::seconds)
        };
        let (up, down) = (window("scaleUp", Duration::ZERO), window("scaleDown", DOWN_WINDOW));
        let lowest = memory.within(now, up).chain([wanted]).min().unwrap_or(wanted);
        let highest = memory.within(now, down).chain([wanted]).max().unwrap_or(wanted);
        // Up to the lowest recommendation, then down to the highest.
        let stable = current.max(lowest).min(highest.max(lowest));
        let why = if wanted >= current {
            UP_STABILIZED
        } else {
            DOWN_STABILIZED
        };
        (stable, why)
    };
    memory.recommend(now, wanted);
    let able = if stable == wanted { READY } else { able };
    let (replicas, why) = if behavior.is_null() {
        let limit = (current * UP_FACTOR).max(UP_LEAST);
        bound(stable, least, most, (limit, UP_LIMIT), (i64::MIN, DOWN_LIMIT))
    } else if stable > current {
        let limit = rate_limit(behavior.get("scaleUp"), memory, current, now, true).max(current);
        bound(stable, i64::MIN, most, (limit, UP_LIMIT), (i64::MIN, DOWN_LIMIT))
    } else if stable < current {
        let limit = rate_limit(behavior.get("scaleDown"), memory, current, now, false).min(current);
        bound(stable, least, i64::MAX, (i64::MAX, UP_LIMIT), (limit, DOWN_LIMIT))
    } else {
        (stable, WITHIN)
    };
    Decision {
        replicas,
        able,
        limited: (replicas != stable, why),
    }
}

/// A number within the bounds and the limits of speed, and which of them held it.
fn bound(wanted: i64, least: i64, most: i64, up: (i64, Reason), down: (i64, Reason)) -> (i64, Reason) {
    let (least, too_few) = if least < down.0 { down } else { (least, TOO_FEW) };
    let (most, too_many) = if most > up.0 { up } else { (most, TOO_MANY) };
    match wanted {
        n if n < least => (least, too_few),
        n if n > most => (most, too_many),
        n => (n, WITHIN),
    }
}

/// How many replicas the policies of a direction allow now.
fn rate_limit(rules: &Value, memory: &Memory, current: i64, now: Time, up: bool) -> i64 {
    let select = rules.str_at(&["selectPolicy"]);
    if select == "Disabled" {
        return current;
    }
    let allowed = rules.get("policies").items().iter().map(|policy| {
        let period = crate::sim::seconds(policy.i64_at(&["periodSeconds"]).unwrap_or(0));
        let (added, removed) = memory.changes(now, period);
        let start = current - added + removed;
        let value = policy.i64_at(&["value"]).unwrap_or(0);
        match (policy.str_at(&["type"]) == "Percent", up) {
            (false, true) => start + value,
            (false, false) => start - value,
            // Rounded away from where it begins.
            (true, true) => (start as f64 * (1.0 + value as f64 / 100.0)).ceil() as i64,
            (true, false) => (start as f64 * (1.0 - value as f64 / 100.0)) as i64,
        }
    });
    // The policy that allows most, or least.
    let largest = (select == "Min") != up;
    let chosen = if largest { allowed.max() } else { allowed.min() };
    chosen.unwrap_or(current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn at(seconds: u64) -> Time {
        Time::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn without_behavior() {
        let none = Value::Null;
        for (current, wanted, replicas, able, limited) in [
            (2, 2, 2, "ReadyForNewScale", (false, "DesiredWithinRange")),
            (2, 3, 3, "ReadyForNewScale", (false, "DesiredWithinRange")),
            (2, 9, 4, "ReadyForNewScale", (true, "ScaleUpLimit")),
            (6, 20, 10, "ReadyForNewScale", (true, "TooManyReplicas")),
            (3, 1, 3, "ScaleDownStabilized", (false, "DesiredWithinRange")),
        ] {
            let mut memory = Memory::default();
            memory.begin(at(0), current);
            let d = decide(&none, &mut memory, (2, 10), current, wanted, at(15));
            let got = (d.replicas, d.able.0, (d.limited.0, d.limited.1.0));
            assert_eq!(got, (replicas, able, limited), "{current} {wanted}");
        }
        // Five minutes later the old recommendation is forgotten.
        let mut memory = Memory::default();
        memory.begin(at(0), 5);
        assert_eq!(decide(&none, &mut memory, (2, 10), 5, 1, at(299)).replicas, 5);
        let late = decide(&none, &mut memory, (2, 10), 5, 1, at(300));
        assert_eq!((late.replicas, late.limited.1.0), (2, "TooFewReplicas"));
    }

    #[test]
    fn with_behavior() {
        let policies =
            |kind: &str, value: i64, period: i64| list![obj! { "type": kind, "value": value, "periodSeconds": period }];
        let behavior = obj! {
            "scaleUp": obj! {
                "stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies("Pods", 2, 60),
            },
            "scaleDown": obj! {
                "stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies("Percent", 50, 60),
            },
        };
        let mut memory = Memory::default();
        memory.begin(at(0), 4);
        let up = decide(&behavior, &mut memory, (1, 20), 4, 10, at(15));
        assert_eq!((up.replicas, up.limited.1.0), (6, "ScaleUpLimit"));
        memory.changed(at(15), 2);
        let held = decide(&behavior, &mut memory, (1, 20), 6, 10, at(30));
        assert_eq!(held.replicas, 6, "two a minute, and they are there");
        assert_eq!(decide(&behavior, &mut memory, (1, 20), 6, 10, at(90)).replicas, 8);
        let down = decide(&behavior, &mut memory, (1, 20), 8, 1, at(105));
        assert_eq!((down.replicas, down.limited.1.0), (4, "ScaleDownLimit"));
        let mut off = behavior.clone();
        off.set(&["scaleDown", "selectPolicy"], "Disabled");
        assert_eq!(decide(&off, &mut Memory::default(), (1, 20), 8, 1, at(0)).replicas, 8);
    }

    #[test]
    fn windows() {
        let behavior = obj! {
            "scaleUp": obj! { "stabilizationWindowSeconds": 60, "policies": list![obj! {
                "type": "Percent", "value": 900, "periodSeconds": 15,
            }] },
            "scaleDown": obj! { "policies": list![obj! { "type": "Percent", "value": 100, "periodSeconds": 15 }] },
        };
        let mut memory = Memory::default();
        memory.begin(at(0), 2);
        let early = decide(&behavior, &mut memory, (1, 20), 2, 6, at(15));
        assert_eq!((early.replicas, early.able.0), (2, "ScaleUpStabilized"));
        assert_eq!(decide(&behavior, &mut memory, (1, 20), 2, 6, at(61)).replicas, 6);
        let down = decide(&behavior, &mut memory, (1, 20), 6, 1, at(76));
        assert_eq!((down.replicas, down.able.0), (6, "ScaleDownStabilized"));
    }
}
