//! References to names: where a resource names another one whose name changed, the new name.

use super::config::References;
use super::error::{Error, Result, fail};
use super::fieldspec::{self, Create, FieldSpec};
use super::resid::Gvk;
use super::resource::{ResMap, Resource, text};
use crate::value::{Value, yaml};

/// Updates every reference.
///
/// # Errors
/// When it is not clear to which of several resources one refers.
pub fn update(map: &mut ResMap, references: &[References]) -> Result<()> {
    // Names themselves do not change here, so that everyone may look at the resources as they were.
    let all = map.list.clone();
    for r in &mut map.list {
        let original = r.original_id().gvk;
        let candidates = reachable(r, &all);
        for reference in references {
            for spec in reference.from.iter().filter(|s| original.is_selected(&s.gvk)) {
                update_field(r, spec, &reference.to, &candidates)?;
            }
        }
    }
    Ok(())
}

/// Those that a resource could refer to: of its namespace, of none, and service accounts that a role
/// binding names.
fn reachable<'a>(r: &Resource, all: &'a [Resource]) -> Vec<&'a Resource> {
    let id = r.id();
    if id.gvk.is_cluster_scoped() {
        return all.iter().collect();
    }
    let named: Vec<&str> = if r.kind() == "RoleBinding" {
        let subjects = r.value.get("subjects").items().iter();
        subjects
            .filter(|s| s.str_at(&["kind"]) == "ServiceAccount")
            .map(|s| s.str_at(&["namespace"]))
            .filter(|n| !n.is_empty())
            .collect()
    } else {
        Vec::new()
    };
    let fits = |other: &&Resource| {
        let its = other.id();
        its.gvk.is_cluster_scoped() || its.same_namespace(&id) || named.contains(&other.namespace())
    };
    all.iter().filter(fits).collect()
}

fn update_field(r: &mut Resource, spec: &FieldSpec, to: &Gvk, candidates: &[&Resource]) -> Result<()> {
    let referrer = r.clone();
    let own = FieldSpec {
        gvk: r.gvk(),
        ..spec.clone()
    };
    fieldspec::apply(&mut r.value, &own, Create::Nothing, &mut |value| {
        let finder = Finder {
            referrer: &referrer,
            path: &spec.path,
            to,
        };
        match value {
            Value::Null => Ok(()),
            Value::Map(_) => finder.map(value, candidates),
            Value::List(_) => value.list_mut().iter_mut().try_for_each(|item| match item {
                Value::Map(_) => finder.map(item, candidates),
                Value::List(_) => fail("node must be a scalar, sequence or map"),
                _ => finder.scalar(item, candidates),
            }),
            _ => finder.scalar(value, candidates),
        }
    })
    .map_err(|e: Error| {
        e.within(format!(
            "updating name reference in '{}' field of '{}'",
            spec.path,
            referrer.id()
        ))
    })
}

struct Finder<'a> {
    referrer: &'a Resource,
    path: &'a str,
    to: &'a Gvk,
}

impl Finder<'_> {
    fn scalar(&self, value: &mut Value, candidates: &[&Resource]) -> Result<()> {
        if let Some(found) = self.find(&text(value), candidates, false)?
            && found.name() != text(value)
        {
            *value = Value::from(found.name());
        }
        Ok(())
    }

    fn map(&self, value: &mut Value, candidates: &[&Resource]) -> Result<()> {
        if !value.has("name") {
            return fail("path config error; no 'name' field in node");
        }
        let kept: Vec<&Resource> = match value.get("namespace") {
            Value::Null => candidates.to_vec(),
            namespace => {
                let namespace = text(namespace);
                let of = |original: bool| -> Vec<&Resource> {
                    let is = |r: &&&Resource| {
                        let id = if original { r.original_id() } else { r.id() };
                        !id.gvk.is_cluster_scoped() && id.effective_namespace() == namespace
                    };
                    candidates.iter().filter(is).copied().collect()
                };
                match of(true) {
                    none if none.is_empty() => of(false),
                    some => some,
                }
            }
        };
        let old = text(value.get("name"));
        let Some(found) = self.find(&old, &kept, true)? else {
            return Ok(());
        };
        if found.name() == old && found.namespace().is_empty() {
            return Ok(());
        }
        value.set(&["name"], found.name());
        if !found.namespace().is_empty() {
            value.set(&["namespace"], found.namespace());
        }
        Ok(())
    }

    /// The resource that an old name refers to.
    fn find<'c>(&self, old: &str, candidates: &[&'c Resource], with_namespace: bool) -> Result<Option<&'c Resource>> {
        let mut left: Vec<&Resource> = candidates
            .iter()
            .copied()
            .filter(|r| r.previous_ids().iter().any(|id| id.name == old))
            .filter(|r| r.previous_ids().iter().any(|id| id.gvk.is_selected(self.to)))
            .filter(|r| self.is_role_asked_for(r))
            .filter(|r| self.is_near(r))
            .collect();
        if let [one] = left.as_slice() {
            return Ok(Some(one));
        }
        left.retain(|r| r.same_affixes(self.referrer));
        let Some(first) = left.first() else { return Ok(None) };
        let same = |r: &&Resource| r.name() == first.name() && (!with_namespace || r.namespace() == first.namespace());
        if left.iter().all(same) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = left.iter().map(|r| r.id().to_string()).collect();
        let mut details = format!(
            "\n**** Too many possible referral targets to referrer:\n{}\n",
            yaml::to_yaml(&self.referrer.value)
        );
        for (i, r) in left.iter().enumerate() {
            details.push_str(&format!("--- possible referral {i}:\n{}\n", yaml::to_yaml(&r.value)));
        }
        fail(format!(
            "found multiple possible referrals: {}\n{details}",
            ids.join(", ")
        ))
    }

    /// A `roleRef` says which kind of role it means.
    fn is_role_asked_for(&self, r: &Resource) -> bool {
        if !self.path.ends_with("roleRef/name") {
            return true;
        }
        let role = self.referrer.value.get("roleRef");
        if !role.has("apiGroup") || !role.has("kind") {
            return true;
        }
        let wanted = Gvk {
            group: role.str_at(&["apiGroup"]).to_owned(),
            version: String::new(),
            kind: role.str_at(&["kind"]).to_owned(),
        };
        r.previous_ids().iter().any(|id| id.gvk.is_selected(&wanted))
    }

    fn is_near(&self, r: &Resource) -> bool {
        let (mine, its) = (self.referrer.id(), r.id());
        mine.gvk.is_cluster_scoped()
            || its.gvk.is_cluster_scoped()
            || r.kind() == "ServiceAccount"
            || mine.same_namespace(&its)
    }
}
