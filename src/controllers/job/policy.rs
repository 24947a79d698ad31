//! What a job's `podFailurePolicy` says of a failed pod, and whether its `successPolicy` is met.

use super::indexes::Intervals;
use crate::api::Object;
use crate::value::Value;

/// What a failed pod means for its job.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole job fails, with this message.
    FailJob(String),
    /// The pod's index fails.
    FailIndex,
    /// The failure counts for the back-off limit.
    Count,
    /// It does not count.
    Ignore,
}

impl Verdict {
    pub fn counts(&self) -> bool {
        *self != Verdict::Ignore
    }
}

/// The verdict of the first rule of a `podFailurePolicy` that a failed pod matches; every failure
/// counts when there is none.
pub fn failure(policy: &Value, pod: &Object) -> Verdict {
    for (i, rule) in policy.get("rules").items().iter().enumerate() {
        let action = rule.str_at(&["action"]);
        let place = format!("matching {action} rule at index {i}");
        let pod_name = format!("{}/{}", pod.namespace(), pod.name());
        let codes = rule.get("onExitCodes");
        let message = if codes.is_null() {
            match matching_condition(pod, rule.get("onPodConditions").items()) {
                Some(kind) => format!("Pod {pod_name} has condition {kind} {place}"),
                None => continue,
            }
        } else {
            match matching_container(pod, codes) {
                Some((name, code)) => {
                    format!("Container {name} for pod {pod_name} failed with exit code {code} {place}")
                }
                None => continue,
            }
        };
        match action {
            "Ignore" => return Verdict::Ignore,
            "FailIndex" => return Verdict::FailIndex,
            "Count" => return Verdict::Count,
            "FailJob" => return Verdict::FailJob(message),
            _ => {}
        }
    }
    Verdict::Count
}

/// A container that ended with a code that the requirement names, containers before init containers.
fn matching_container<'a>(pod: &'a Object, requirement: &Value) -> Option<(&'a str, i64)> {
    let wanted = requirement.get("containerName");
    let listed = |code: i64| {
        requirement
            .get("values")
            .items()
            .iter()
            .any(|v| v.as_i64() == Some(code))
    };
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .flat_map(|field| pod.status().get(field).items())
        .filter(|s| wanted.is_null() || wanted.str() == s.str_at(&["name"]))
        .filter_map(|s| Some((s.str_at(&["name"]), s.i64_at(&["state", "terminated", "exitCode"])?)))
        .filter(|(_, code)| *code != 0)
        .find(|(_, code)| match requirement.str_at(&["operator"]) {
            "In" => listed(*code),
            "NotIn" => !listed(*code),
            _ => false,
        })
}

fn matching_condition<'a>(pod: &'a Object, patterns: &[Value]) -> Option<&'a str> {
    let conditions = pod.status().get("conditions").items().iter();
    conditions
        .map(|c| (c.str_at(&["type"]), c.str_at(&["status"])))
        .find(|(kind, status)| {
            patterns.iter().any(|p| {
                // A pattern's status is True when it is left out.
                let wanted = p.get("status");
                p.str_at(&["type"]) == *kind && (wanted.is_null() && *status == "True" || wanted.str() == *status)
            })
        })
        .map(|(kind, _)| kind)
}

/// The message of the first rule of a `successPolicy` that the succeeded indexes meet.
pub fn success(policy: &Value, completions: i64, succeeded: &Intervals) -> Option<String> {
    if succeeded.is_empty() {
        return None;
    }
    let rules = policy.get("rules").items().iter();
    let met = |rule: &Value| {
        let count = rule.i64_at(&["succeededCount"]);
        let indexes = rule.get("succeededIndexes");
        if indexes.is_null() {
            return count.is_some_and(|n| succeeded.total() >= n);
        }
        let required = Intervals::parse(indexes.str(), completions);
        let have = required.overlap(succeeded);
        !required.is_empty() && (have == required.total() || count.is_some_and(|n| have >= n))
    };
    let (index, _) = rules.enumerate().find(|(_, rule)| met(rule))?;
    Some(format!("Matched rules at index {index}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn pod(code: i64) -> Object {
        let state = obj! { "terminated": obj! { "exitCode": code } };
        Object::new(obj! {
            "metadata": obj! { "name": "p", "namespace": "d" },
            "status": obj! {
                "conditions": list![obj! { "type": "DisruptionTarget", "status": "True" }],
                "containerStatuses": list![obj! { "name": "c", "state": state }],
            },
        })
    }

    #[test]
    fn first_rule_that_matches() {
        let codes = |operator: &str, values: Value| obj! { "operator": operator, "values": values };
        let rule = |action: &str, codes: Value| obj! { "action": action, "onExitCodes": codes };
        let named = |name: &str| {
            let mut codes = codes("In", list![42]);
            codes.set(&["containerName"], name);
            codes
        };
        let disrupted = list![obj! { "type": "DisruptionTarget" }];
        let cases = [
            (42, list![], Verdict::Count),
            (
                42,
                list![rule("Ignore", codes("In", list![1])), rule("FailJob", named("c"))],
                Verdict::FailJob(
                    "Container c for pod d/p failed with exit code 42 matching FailJob rule at index 1".into(),
                ),
            ),
            (42, list![rule("FailJob", named("other"))], Verdict::Count),
            (
                7,
                list![rule("FailIndex", codes("NotIn", list![1, 2]))],
                Verdict::FailIndex,
            ),
            (
                1,
                list![
                    rule("FailIndex", codes("NotIn", list![1, 2])),
                    obj! { "action": "Ignore", "onPodConditions": disrupted.clone() },
                ],
                Verdict::Ignore,
            ),
            (
                1,
                list![obj! { "action": "FailJob", "onPodConditions": disrupted }],
                Verdict::FailJob("Pod d/p has condition DisruptionTarget matching FailJob rule at index 0".into()),
            ),
        ];
        for (code, rules, want) in cases {
            assert_eq!(
                failure(&obj! { "rules": rules.clone() }, &pod(code)),
                want,
                "{code} {rules:?}"
            );
        }
    }

    #[test]
    fn success_rules() {
        let policy = obj! { "rules": list![
            obj! { "succeededIndexes": "0,2", "succeededCount": 2 },
            obj! { "succeededCount": 3 },
        ] };
        for (done, want) in [
            ("", None),
            ("0-1", None),
            ("0,2", Some("Matched rules at index 0")),
            ("1,3-4", Some("Matched rules at index 1")),
        ] {
            let got = success(&policy, 5, &Intervals::parse(done, 5));
            assert_eq!(got.as_deref(), want, "{done}");
        }
    }
}
