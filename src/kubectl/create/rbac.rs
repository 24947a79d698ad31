//! `kubectl create role`, `clusterrole`, `rolebinding` and `clusterrolebinding`.

use super::{GENERATOR, generate, one_name};
use crate::flat::Arrange;
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::kubectl::mapper;
use crate::kubectl::set::subjects;
use crate::obj;
use crate::value::{Value, quoted};

const GROUP: &str = "rbac.authorization.k8s.io";
const ROLE_FLAGS: &[Flag] = &[
    flag("resource", '\0', Kind::Slice, "[]"),
    flag("resource-name", '\0', Kind::Array, "[]"),
    flag("verb", '\0', Kind::Slice, "[]"),
];
const CLUSTER_ROLE_FLAGS: &[Flag] = &[
    flag("aggregation-rule", '\0', Kind::Map, ""),
    flag("non-resource-url", '\0', Kind::Slice, "[]"),
];

pub static ROLE: Verb = Verb {
    name: "role",
    short: "Create a role with single rule",
    flags: &[
        ROLE_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(role(c))),
    ..VERB
};

pub static CLUSTER_ROLE: Verb = Verb {
    name: "clusterrole",
    short: "Create a cluster role",
    flags: &[
        ROLE_FLAGS,
        CLUSTER_ROLE_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(role(c))),
    ..VERB
};

/// The verbs that kubectl knows of; others get a warning.
pub const KNOWN_VERBS: [&str; 16] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "approve",
    "sign",
    "attest",
    "*",
];

/// The verbs of paths that are no resources.
pub const PATH_VERBS: [&str; 8] = ["get", "put", "post", "head", "options", "delete", "patch", "*"];

/// Verbs that fit certain resources only, each a group and a name, of which the server need not know all.
const SPECIAL: [(&str, &[(&str, &str)]); 4] = [
    (
        "use",
        &[("policy", "podsecuritypolicies"), ("extensions", "podsecuritypolicies")],
    ),
    ("bind", &[(GROUP, "roles"), (GROUP, "clusterroles")]),
    ("escalate", &[(GROUP, "roles"), (GROUP, "clusterroles")]),
    (
        "impersonate",
        &[
            ("", "users"),
            ("", "serviceaccounts"),
            ("", "groups"),
            ("authentication.k8s.io", "userextras"),
        ],
    ),
];

fn unique(words: &[String]) -> Vec<&str> {
    let mut list: Vec<&str> = Vec::new();
    for w in words {
        if !list.contains(&w.as_str()) {
            list.push(w);
        }
    }
    list
}

fn texts(words: &[&str]) -> Value {
    words.iter().map(|w| Value::from(*w)).collect()
}

async fn role(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let cluster = cmd.verb.name == "clusterrole";
    let kind = if cluster { "ClusterRole" } else { "Role" };
    let mut object = obj! {
        "apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": obj! { "name": name },
    };
    // The server's failure is said as it is, as kubectl does here.
    let failed = "";
    let mut verbs = unique(cmd.flags.all("verb"));
    if verbs.contains(&"*") {
        verbs = vec!["*"];
    }
    let urls = if cluster {
        unique(cmd.flags.all("non-resource-url"))
    } else {
        Vec::new()
    };
    let resources = unique(cmd.flags.all("resource"));
    if cluster && !cmd.flags.str("aggregation-rule").is_empty() {
        if !urls.is_empty() || !resources.is_empty() || !verbs.is_empty() {
            return Err(Error::plain(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
            ));
        }
        let labels = crate::kubectl::run::parse_labels(cmd.flags.str("aggregation-rule")).map_err(|_| {
            Error::Flag(format!(
                "invalid argument {} for \"--aggregation-rule\" flag: malformed pair, expect string=string",
                quoted(&cmd.flags.str("aggregation-rule"))
            ))
        })?;
        let selector = obj! { "matchLabels": labels };
        object.set(&["aggregationRule", "clusterRoleSelectors"], crate::list![selector]);
        object.set(&["rules"], Value::Null);
        return generate(cmd, object, failed).await;
    }
    if verbs.is_empty() {
        return Err(Error::plain("at least one verb must be specified"));
    }
    if resources.is_empty() && urls.is_empty() {
        return Err(Error::plain(if cluster {
            "one of resource or nonResourceURL must be specified"
        } else {
            "at least one resource must be specified"
        }));
    }
    for v in verbs
        .iter()
        .filter(|_| !resources.is_empty())
        .filter(|v| !KNOWN_VERBS.contains(v))
    {
        cmd.err(format!("Warning: '{v}' is not a standard resource verb"));
    }
    // One rule for each API group, in the order of the groups.
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for word in &resources {
        let (main, sub) = word.split_once('/').unwrap_or((word, ""));
        let (group, plural) = if main == "*" {
            (String::new(), "*".to_owned())
        } else {
            let word = match main.split_once('.') {
                // Only the group may follow here, whatever it looks like.
                Some((name, group))
                    if cmd
                        .find_resource(|all| mapper::find(all, name))
                        .is_some_and(|r| &*r.group != group) =>
                {
                    Err(format!(
                        "the server doesn't have a resource type {name} in group {group}",
                        name = quoted(&name),
                        group = quoted(&group)
                    ))
                }
                Some((name, group)) => mapper::resource(cmd, main).map_err(|_| {
                    format!(
                        "the server doesn't have a resource type {name} in group {group}",
                        name = quoted(&name),
                        group = quoted(&group)
                    )
                }),
                None => mapper::resource(cmd, main).map_err(|e| e.message()),
            };
            let of = match &word {
                Ok(r) => (r.group.to_string(), r.name.to_string()),
                Err(_) => {
                    let (name, group) = main.split_once('.').unwrap_or((main, ""));
                    (group.to_owned(), name.to_owned())
                }
            };
            let mut known = word.is_ok();
            for verb in &verbs {
                let Some((_, allowed)) = SPECIAL.iter().find(|(special, _)| special == verb) else {
                    continue;
                };
                if !allowed.contains(&(of.0.as_str(), of.1.as_str())) {
                    return Err(Error::plain(format!(
                        "can not perform '{verb}' on '{}' in group '{}'",
                        of.1, of.0
                    )));
                }
                known = true;
            }
            match word {
                Err(e) if !known => return Err(Error::Text(e)),
                _ => of,
            }
        };
        let full = if sub.is_empty() {
            plural
        } else {
            format!("{plural}/{sub}")
        };
        match groups.iter_mut().find(|(g, _)| *g == group) {
            Some((_, list)) => list.push(full),
            None => groups.push((group, vec![full])),
        }
    }
    groups.arrange();
    let names = unique(cmd.flags.all("resource-name"));
    let mut rules = Vec::new();
    for (group, list) in groups {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let mut rule = obj! { "apiGroups": texts(&[&group]), "resources": texts(&list), "verbs": texts(&verbs) };
        rule.set_or_remove(&["resourceNames"], texts(&names));
        rules.push(rule);
    }
    if !urls.is_empty() {
        if let Some(verb) = verbs.iter().find(|v| !PATH_VERBS.contains(v)) {
            return Err(Error::plain(format!("invalid verb: '{verb}' for nonResourceURL")));
        }
        for url in urls.iter().filter(|url| **url != "*") {
            if !url.starts_with('/') {
                return Err(Error::plain("nonResourceURL should start with /"));
            }
            if url.strip_suffix('*').unwrap_or(url).contains('*') {
                return Err(Error::plain(
                    "nonResourceURL only supports wildcard matches when '*' is at the end",
                ));
            }
        }
        rules.push(obj! { "nonResourceURLs": texts(&urls), "verbs": texts(&verbs) });
    }
    object.set(&["rules"], rules);
    generate(cmd, object, failed).await
}

const SUBJECTS: &[Flag] = &[
    flag("clusterrole", '\0', Kind::Str, ""),
    flag("group", '\0', Kind::Array, "[]"),
    flag("serviceaccount", '\0', Kind::Array, "[]"),
    flag("user", '\0', Kind::Array, "[]"),
];
const ROLE_NAME: &[Flag] = &[flag("role", '\0', Kind::Str, "")];

pub static ROLE_BINDING: Verb = Verb {
    name: "rolebinding",
    short: "Create a role binding for a particular role or cluster role",
    flags: &[
        SUBJECTS,
        ROLE_NAME,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(binding(c))),
    ..VERB
};

pub static CLUSTER_ROLE_BINDING: Verb = Verb {
    name: "clusterrolebinding",
    short: "Create a cluster role binding for a particular cluster role",
    flags: &[
        SUBJECTS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    required: &["clusterrole"],
    run: Some(|c| Box::pin(binding(c))),
    ..VERB
};

async fn binding(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let cluster = cmd.verb.name == "clusterrolebinding";
    let (cluster_role, role) = (
        cmd.flags.str("clusterrole"),
        if cluster { "" } else { cmd.flags.str("role") },
    );
    if cluster_role.is_empty() == role.is_empty() {
        return Err(Error::plain("exactly one of clusterrole or role must be specified"));
    }
    let (kind, target) = if role.is_empty() {
        ("ClusterRole", cluster_role)
    } else {
        ("Role", role)
    };
    let mut object = obj! {
        "apiVersion": format!("{GROUP}/v1"),
        "kind": if cluster { "ClusterRoleBinding" } else { "RoleBinding" },
        "metadata": obj! { "name": name },
        "roleRef": obj! { "apiGroup": GROUP, "kind": kind, "name": target },
    };
    object.set_or_remove(&["subjects"], subjects(cmd)?);
    generate(cmd, object, &format!("failed to create {}", cmd.verb.name)).await
}
