//! Sets of `PolicyRule`s: broken down, put together, compared. The API server uses them against
//! escalation, kubectl to list and to reconcile.

use crate::flat::Arrange;
use crate::value::{Value, gofmt};

/// A rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// What may be done; `*` for all.
    pub verbs: Vec<String>,
    /// API groups (`apiGroups`); `*` for all.
    pub groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale`; `*` for all.
    pub resources: Vec<String>,
    /// The only names that it holds for (`resourceNames`); empty for all.
    pub names: Vec<String>,
    /// Paths outside the resources (`nonResourceURLs`).
    pub urls: Vec<String>,
}

/// A Go list as `%v` prints it.
fn words(list: &[String]) -> String {
    format!("[{}]", list.join(" "))
}

impl PolicyRule {
    /// Reads a `PolicyRule`; lists that are missing are empty.
    pub fn from_value(value: &Value) -> PolicyRule {
        let list = |field: &str| value.get(field).items().iter().map(|v| v.str().to_owned()).collect();
        PolicyRule {
            verbs: list("verbs"),
            groups: list("apiGroups"),
            resources: list("resources"),
            names: list("resourceNames"),
            urls: list("nonResourceURLs"),
        }
    }

    /// The rule as roles and reviews have it, without its empty lists.
    pub fn to_value(&self) -> Value {
        let mut value = Value::map();
        for (field, list) in [
            ("apiGroups", &self.groups),
            ("nonResourceURLs", &self.urls),
            ("resourceNames", &self.names),
            ("resources", &self.resources),
            ("verbs", &self.verbs),
        ] {
            let list: Value = list.iter().map(|t| Value::from(t.as_str())).collect();
            value.set_or_remove(&[field], list);
        }
        value
    }

    /// Go's `%+v`: `{Verbs:[get] APIGroups:[] …}`.
    pub fn plus_text(&self) -> String {
        let [verbs, groups, resources, names, urls] = self.texts();
        format!(
            "{{Verbs:{verbs} APIGroups:{groups} Resources:{resources} ResourceNames:{names} NonResourceURLs:{urls}}}"
        )
    }

    /// `deployments.apps/scale`: the resource of a rule that was broken down; nothing of one about paths.
    fn shown_resource(&self) -> String {
        let resource = self.resources.first().map_or("", String::as_str);
        let (name, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let mut shown = name.to_owned();
        for (sign, part) in [(".", self.groups.first().map_or("", String::as_str)), ("/", sub)] {
            if !part.is_empty() {
                shown = shown + sign + part;
            }
        }
        shown
    }

    /// The text that [`rows`] are sorted by: protobuf's.
    fn sort_text(&self) -> String {
        let [verbs, groups, resources, names, urls] = self.texts();
        format!(
            "&PolicyRule{{Verbs:{verbs},APIGroups:{groups},Resources:{resources},ResourceNames:{names},NonResourceURLs:{urls},}}"
        )
    }

    fn texts(&self) -> [String; 5] {
        [&self.verbs, &self.groups, &self.resources, &self.names, &self.urls].map(|l| words(l))
    }

    /// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, without what is empty.
    pub fn compact_text(&self) -> String {
        let parts: Vec<String> = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| {
            let quoted: Vec<String> = list.iter().map(|t| gofmt::quote(t)).collect();
            format!("{name}:[{}]", quoted.join(" "))
        })
        .collect();
        format!("{{{}}}", parts.join(", "))
    }

    /// Rules of one verb, one resource and one name each, which together say the same.
    pub fn break_down(&self) -> Vec<PolicyRule> {
        let mut all = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let one = PolicyRule {
                        verbs: vec![verb.clone()],
                        groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        ..PolicyRule::default()
                    };
                    if self.names.is_empty() {
                        all.push(one);
                        continue;
                    }
                    for name in &self.names {
                        all.push(PolicyRule {
                            names: vec![name.clone()],
                            ..one.clone()
                        });
                    }
                }
            }
        }
        for url in &self.urls {
            for verb in &self.verbs {
                all.push(PolicyRule {
                    verbs: vec![verb.clone()],
                    urls: vec![url.clone()],
                    ..PolicyRule::default()
                });
            }
        }
        all
    }

    /// Whether everything that `other` (a rule that was broken down) allows is allowed here.
    fn covers(&self, other: &PolicyRule) -> bool {
        let has_all = |mine: &[String], theirs: &[String]| {
            mine.iter().any(|m| m == "*") || theirs.iter().all(|t| mine.contains(t))
        };
        let resources = || {
            other.resources.iter().all(|r| {
                let any_sub = r.split_once('/').map(|(_, sub)| format!("*/{sub}"));
                self.resources
                    .iter()
                    .any(|m| m == "*" || m == r || any_sub.as_ref() == Some(m))
            })
        };
        let names =
            || self.names.is_empty() || (!other.names.is_empty() && other.names.iter().all(|n| self.names.contains(n)));
        let urls = || {
            other.urls.iter().all(|u| {
                let begins = |m: &String| m.strip_suffix('*').is_some_and(|p| u.starts_with(p));
                self.urls.iter().any(|m| m == "*" || m == u || begins(m))
            })
        };
        has_all(&self.verbs, &other.verbs) && has_all(&self.groups, &other.groups) && resources() && names() && urls()
    }
}

/// What of `wanted` is not allowed by `held`, broken down.
pub fn uncovered(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let all = wanted.iter().flat_map(PolicyRule::break_down);
    all.filter(|w| !held.iter().any(|h| h.covers(w))).collect()
}

/// The rows of `kubectl auth can-i --list` and of `kubectl describe role`: a resource or path each, with what may be
/// done to it. The cells are resource, paths, names and verbs.
pub fn rows<'a>(rules: impl IntoIterator<Item = &'a Value>) -> Vec<[String; 4]> {
    let all = rules
        .into_iter()
        .flat_map(|rule| PolicyRule::from_value(rule).break_down());
    let mut all = compact(all.collect());
    all.arrange_by_key(PolicyRule::sort_text);
    let row = |r: &PolicyRule| [r.shown_resource(), words(&r.urls), words(&r.names), words(&r.verbs)];
    all.iter().map(row).collect()
}

/// Joins the verbs of rules that are about one and the same resource (and name).
pub fn compact(rules: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut all: Vec<PolicyRule> = Vec::new();
    for rule in rules {
        let simple =
            rule.groups.len() == 1 && rule.resources.len() == 1 && rule.names.len() <= 1 && rule.urls.is_empty();
        let same = |r: &&mut PolicyRule| {
            r.groups == rule.groups && r.resources == rule.resources && r.names == rule.names && r.urls.is_empty()
        };
        match all.iter_mut().find(same).filter(|_| simple) {
            Some(kept) => {
                for verb in rule.verbs {
                    if !kept.verbs.contains(&verb) {
                        kept.verbs.push(verb);
                    }
                }
            }
            None => all.push(rule),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    fn rule(resources: &[&str], verbs: &[&str], names: &[&str]) -> PolicyRule {
        let own = |l: &[&str]| l.iter().map(|t| (*t).to_owned()).collect();
        PolicyRule {
            verbs: own(verbs),
            groups: vec![String::new()],
            resources: own(resources),
            names: own(names),
            urls: Vec::new(),
        }
    }

    #[test]
    fn covering() {
        let held = [
            rule(&["pods", "*/scale"], &["get", "list"], &[]),
            rule(&["secrets"], &["*"], &["a"]),
        ];
        for (wanted, left) in [
            (rule(&["pods"], &["get"], &[]), 0),
            (rule(&["pods"], &["get", "delete"], &[]), 1),
            (rule(&["pods/scale"], &["get"], &[]), 0),
            (rule(&["secrets"], &["get"], &["a", "b"]), 1),
            (rule(&["secrets"], &["get"], &[]), 1),
            (rule(&["pods"], &["list"], &["x"]), 0),
            (rule(&["*"], &["get"], &[]), 1),
        ] {
            assert_eq!(
                uncovered(&held, std::slice::from_ref(&wanted)).len(),
                left,
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn texts() {
        let value = obj! { "apiGroups": list![""], "resources": list!["pods"], "verbs": list!["get", "list"] };
        let rule = PolicyRule::from_value(&value);
        assert_eq!(rule.to_value(), value);
        assert_eq!(
            rule.compact_text(),
            r#"{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}"#
        );
        assert_eq!(
            rule.plus_text(),
            "{Verbs:[get list] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"
        );
        assert_eq!(compact(rule.break_down()), [rule]);
    }
}
