//! `describe` of roles and role bindings.

use super::writer::Out;
use crate::flat::Arrange;
use crate::value::Value;

/// One row: what one or more rules allow on one resource, or on paths.
#[derive(Clone, Default)]
struct Rule {
    group: String,
    resource: String,
    names: Vec<String>,
    paths: Vec<String>,
    verbs: Vec<String>,
}

impl Rule {
    fn sort_key(&self) -> String {
        let list = |items: &[String]| items.join(" ");
        let group = &self.group;
        let resource = &self.resource;
        format!(
            "Verbs:[{}],APIGroups:[{group}],Resources:[{resource}],ResourceNames:[{}],NonResourceURLs:[{}]",
            list(&self.verbs),
            list(&self.names),
            list(&self.paths)
        )
    }

    /// `deployments.apps/scale`
    fn shown_resource(&self) -> String {
        let (resource, sub) = match self.resource.split_once('/') {
            Some((resource, sub)) => (resource, format!("/{sub}")),
            None => (self.resource.as_str(), String::new()),
        };
        let group = if self.group.is_empty() || resource.is_empty() {
            String::new()
        } else {
            format!(".{}", self.group)
        };
        format!("{resource}{group}{sub}")
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.items().iter().map(|v| v.str().to_owned()).collect()
}

/// The rules broken down to one resource each, those of one resource put together again.
fn rows(rules: &Value) -> Vec<Rule> {
    let mut rows: Vec<Rule> = Vec::new();
    for rule in rules.items() {
        let verbs = texts(rule.get("verbs"));
        for path in texts(rule.get("nonResourceURLs")) {
            rows.push(Rule {
                paths: vec![path],
                verbs: verbs.clone(),
                ..Rule::default()
            });
        }
        let names = texts(rule.get("resourceNames"));
        for group in texts(rule.get("apiGroups")) {
            for resource in texts(rule.get("resources")) {
                let one = |names: Vec<String>| Rule {
                    group: group.clone(),
                    resource: resource.clone(),
                    names,
                    paths: Vec::new(),
                    verbs: verbs.clone(),
                };
                if names.is_empty() {
                    rows.push(one(Vec::new()));
                }
                rows.extend(names.iter().map(|name| one(vec![name.clone()])));
            }
        }
    }
    let mut compact: Vec<Rule> = Vec::new();
    for row in rows {
        let same = |c: &&mut Rule| {
            row.paths.is_empty()
                && c.paths.is_empty()
                && c.group == row.group
                && c.resource == row.resource
                && c.names == row.names
        };
        match compact.iter_mut().find(same) {
            Some(kept) => kept.verbs.extend(row.verbs),
            None => compact.push(row),
        }
    }
    compact.arrange_by_key(Rule::sort_key);
    compact
}

pub(super) fn role(out: &mut Out, role: &Value) {
    out.field(0, "Name", role.str_at(&["metadata", "name"]));
    out.metadata(role);
    out.line(0, "PolicyRule:");
    out.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    out.line(1, "---------\t-----------------\t--------------\t-----");
    for row in rows(role.get("rules")) {
        out.line(
            1,
            format!(
                "{}\t[{}]\t[{}]\t[{}]",
                row.shown_resource(),
                row.paths.join(" "),
                row.names.join(" "),
                row.verbs.join(" ")
            ),
        );
    }
}

pub(super) fn binding(out: &mut Out, binding: &Value) {
    out.field(0, "Name", binding.str_at(&["metadata", "name"]));
    out.metadata(binding);
    out.line(0, "Role:");
    out.field(1, "Kind", binding.str_at(&["roleRef", "kind"]));
    out.field(1, "Name", binding.str_at(&["roleRef", "name"]));
    out.line(0, "Subjects:");
    out.line(1, "Kind\tName\tNamespace");
    out.line(1, "----\t----\t---------");
    for subject in binding.get("subjects").items() {
        let text = |field: &str| subject.get(field).str();
        out.line(1, format!("{}\t{}\t{}", text("kind"), text("name"), text("namespace")));
    }
}
