//! From what a user types (`po`, `deployments.apps`, `Pod`) to resources.

use std::rc::Rc;

use super::command::Cmd;
use super::error::Error;
use crate::api::Resource;
use crate::flat::Arrange;
use crate::value::quoted;

/// The resource that a word names.
///
/// # Errors
/// `the server doesn't have a resource type "podz"`.
pub fn resource(cmd: &Cmd, word: &str) -> Result<Rc<Resource>, Error> {
    let found = cmd.find_resource(|all| find(all, word));
    let all = cmd.resources();
    if let Some(r) = &found
        && r.short_names.iter().any(|s| &**s == word)
    {
        // A short name of several groups stands for the first; kubectl names the others.
        let others: Vec<String> = all
            .iter()
            .filter(|o| o.short_names.iter().any(|s| &**s == word) && (o.group != r.group || o.name != r.name))
            .map(|o| o.qualified())
            .collect();
        if let Some(other) = others.first() {
            cmd.warn(&format!(
                "short name {word} could also match lower priority resource {other}",
                word = quoted(&word)
            ));
        }
    }
    found.ok_or_else(|| {
        Error::plain(format!(
            "the server doesn't have a resource type {}",
            quoted(&bare(word))
        ))
    })
}

/// A word without its version and group.
fn bare(word: &str) -> &str {
    word.split('.').next().unwrap_or(word)
}

/// The resource that a word names among these: by plural, singular, short name or kind, with
/// `.group` or `.version.group` after it.
pub fn find(all: &[Rc<Resource>], word: &str) -> Option<Rc<Resource>> {
    let lower = word.to_ascii_lowercase();
    let (name, rest) = lower.split_once('.').unwrap_or((&lower, ""));
    if name.is_empty() {
        return None;
    }
    let usable = |r: &&Rc<Resource>| !r.name.contains('/');
    let named = |r: &Rc<Resource>| &*r.name == name || &*r.singular == name;
    // Short names are looked up as they are typed; all others are lowered.
    let typed = word.split('.').next().unwrap_or(word);
    let short = |r: &Rc<Resource>| r.short_names.iter().any(|s| &**s == typed);
    let group = |r: &Rc<Resource>, g: &str| g.is_empty() || &*r.group == g;
    if let Some((version, g)) = rest.split_once('.') {
        let exact = |r: &Rc<Resource>| &*r.version == version && &*r.group == g;
        let found = all.iter().filter(usable).find(|r| named(r) && exact(r));
        // A short name stands for the preferred version, whichever is given.
        let found = found.or_else(|| all.iter().filter(usable).find(|r| short(r) && &*r.group == g));
        if found.is_some() {
            return found.cloned();
        }
    }
    // An exact name before a short one, an exact group before the beginning of one.
    all.iter()
        .filter(usable)
        .find(|r| named(r) && group(r, rest))
        .or_else(|| all.iter().filter(usable).find(|r| short(r) && group(r, rest)))
        .or_else(|| {
            all.iter()
                .filter(usable)
                .find(|r| (named(r) || short(r)) && r.group.starts_with(rest))
        })
        .cloned()
}

/// The resource of an object's `apiVersion` and `kind`. Kinds differ by case alone are one for
/// kubectl, which lowers what it looks up.
pub fn of_kind(all: &[Rc<Resource>], api_version: &str, kind: &str) -> Option<Rc<Resource>> {
    let (group, version) = crate::api::resource::split(api_version);
    let same = |r: &&Rc<Resource>| &*r.group == group && &*r.version == version && !r.name.contains('/');
    all.iter()
        .filter(same)
        .find(|r| &*r.kind == kind)
        .or_else(|| all.iter().filter(same).find(|r| r.kind.eq_ignore_ascii_case(kind)))
        .cloned()
}

/// The members of a category such as `all`, in the order of discovery.
pub fn category(all: &[Rc<Resource>], name: &str) -> Vec<Rc<Resource>> {
    let mut found: Vec<Rc<Resource>> = Vec::new();
    for r in all {
        let member = r.categories.iter().any(|c| &**c == name) && !r.name.contains('/');
        // Another version of a resource is no second resource.
        if member && !found.iter().any(|f| f.name == r.name && f.group == r.group) {
            found.push(r.clone());
        }
    }
    found
}

/// The words of `a,b,all` with categories replaced by their members.
pub fn expand(cmd: &Cmd, words: &str) -> Vec<String> {
    let all = cmd.resources();
    let mut out = Vec::new();
    for word in words.split(',') {
        let members = category(&all, word);
        if members.is_empty() {
            out.push(word.to_owned());
        } else {
            out.extend(members.iter().map(|r| r.qualified()));
        }
    }
    out
}

/// The resources that `api-resources` lists, in its order: those of each group's preferred version, the first.
pub fn listed(all: &[Rc<Resource>]) -> Vec<Rc<Resource>> {
    let mut list: Vec<Rc<Resource>> = Vec::new();
    for (i, r) in all.iter().enumerate() {
        let before = all.iter().take(i);
        let preferred = !before.clone().any(|o| o.group == r.group && o.version != r.version);
        if preferred && !r.name.contains('/') && !r.verbs.is_empty() {
            list.push(r.clone());
        }
    }
    list.arrange_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let all = crate::api::resource::built_in();
        for (word, want) in [
            ("po", "pods"),
            ("Pod", "pods"),
            ("PODS", "pods"),
            ("PO", ""),
            ("deploy", "deployments.apps"),
            ("deployments.apps", "deployments.apps"),
            ("deployments.v1.apps", "deployments.apps"),
            ("deploy.apps", "deployments.apps"),
            ("hpa.v1.autoscaling", "horizontalpodautoscalers.autoscaling"),
            ("events", "events"),
            ("pos", ""),
            ("pods.v1", ""),
            ("deployments.extensions", ""),
            ("", ""),
            ("pods/log", ""),
        ] {
            let got = find(&all, word).map(|r| r.qualified()).unwrap_or_default();
            assert_eq!(got, want, "{word}");
        }
    }
}
