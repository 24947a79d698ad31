//! `kubectl auth reconcile`: makes roles allow at least what files say, and bindings reach at least
//! the subjects that they name.

use crate::api::auth::rules::{PolicyRule, uncovered};
use crate::kubectl::builder::{Info, Select};
use crate::kubectl::command::{Cmd, DryRun, VERB, Verb, Write};
use crate::kubectl::error::Error;
use crate::kubectl::files;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::kubectl::options::{DRY_RUN, FILES};
use crate::kubectl::output::{PRINT, Report};
use crate::obj;
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("remove-extra-permissions", '\0', Kind::Bool, "false"),
    flag("remove-extra-subjects", '\0', Kind::Bool, "false"),
];

pub static RECONCILE: Verb = Verb {
    name: "reconcile",
    short: "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
    flags: &[FLAGS, FILES, PRINT, DRY_RUN],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

const GROUP: &str = "rbac.authorization.k8s.io";
const PROTECTED: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What reconciling one object came to.
struct Outcome {
    object: Value,
    /// `create`, `update`, `recreate`; empty for nothing.
    operation: &'static str,
    protected: bool,
    /// Texts of what was missing and of what was too much.
    missing: Vec<String>,
    extra: Vec<String>,
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    if !cmd.args.is_empty() {
        return Err(Error::plain("no arguments are allowed"));
    }
    let dry = cmd.dry_run().map_err(|e| match e {
        Error::Plain(why) => Error::plain(format!("error accessing --dry-run flag for command reconcile: {why}")),
        e => e,
    })?;
    if dry == DryRun::Server {
        return Err(Error::plain(
            "--dry-run=server for command reconcile is not supported yet",
        ));
    }
    let docs = files::read(cmd).await?;
    let mut report = Report::new(cmd, "reconciled")?;
    let mut errors = docs.errors;
    for doc in docs.list {
        let kind = doc.value.str_at(&["kind"]).to_owned();
        let version = doc.value.str_at(&["apiVersion"]).to_owned();
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let ours = matches!(
            kind.as_str(),
            "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
        );
        if ours && group == GROUP && matches!(version, "v1beta1" | "v1alpha1") {
            errors.push(Error::plain(format!(
                "only rbac.authorization.k8s.io/v1 is supported: not *{version}.{kind}"
            )));
            continue;
        }
        let info = match files::info(cmd, doc, &Select::default()) {
            Ok(info) => info,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        if !ours || group != GROUP {
            continue;
        }
        match reconcile(cmd, &info).await {
            Ok(outcome) => tell(cmd, &mut report, &outcome, kind.ends_with("Binding"))?,
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)
}

fn tell(cmd: &Cmd, report: &mut Report, outcome: &Outcome, binding: bool) -> Result<(), Error> {
    report.print(cmd, &outcome.object)?;
    if outcome.operation.is_empty() {
        return Ok(());
    }
    let caveat = if outcome.protected {
        ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)"
    } else {
        ""
    };
    cmd.err(format!("\treconciliation required {}{caveat}", outcome.operation));
    let (what, removed) = if binding {
        ("subjects", cmd.flags.bool("remove-extra-subjects"))
    } else {
        ("rules", cmd.flags.bool("remove-extra-permissions"))
    };
    for (title, list, shown) in [
        (format!("missing {what} added:"), &outcome.missing, true),
        (format!("extra {what} removed:"), &outcome.extra, removed),
    ] {
        if shown && !list.is_empty() {
            cmd.err(format!("\t{title}"));
            for line in list {
                cmd.err(format!("\t\t{line}"));
            }
        }
    }
    Ok(())
}

async fn reconcile(cmd: &Cmd, info: &Info) -> Result<Outcome, Error> {
    let binding = info.resource.kind.ends_with("Binding");
    let present = match cmd.get(&info.resource, &info.namespace, &info.name).await {
        Ok(object) => Some(object),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e),
    };
    let mut outcome = match &present {
        None => Outcome {
            object: info.object.clone(),
            operation: "create",
            protected: false,
            missing: if binding {
                info.object.get("subjects").items().iter().map(subject_text).collect()
            } else {
                rules(&info.object).iter().map(PolicyRule::plus_text).collect()
            },
            extra: Vec::new(),
        },
        Some(present) if binding => binding_outcome(present, &info.object, cmd.flags.bool("remove-extra-subjects")),
        Some(present) => role_outcome(present, &info.object, cmd.flags.bool("remove-extra-permissions")),
    };
    if outcome.protected || cmd.dry_run()? != DryRun::None {
        return Ok(outcome);
    }
    let write = Write::default();
    let (resource, namespace, name) = (&info.resource, info.namespace.as_str(), info.name.as_str());
    if outcome.operation == "recreate" {
        match cmd.remove(resource, namespace, name, &Value::map()).await {
            Err(e) if !e.is_not_found() => return Err(e),
            _ => {}
        }
    }
    match outcome.operation {
        "create" | "recreate" => {
            if resource.namespaced {
                ensure_namespace(cmd, namespace).await?;
            }
            outcome.object = cmd.create(resource, namespace, &outcome.object, &write).await?;
        }
        "update" => {
            outcome.object = cmd
                .replace(resource, namespace, name, "", &outcome.object, &write)
                .await?;
        }
        _ => {}
    }
    Ok(outcome)
}

/// Creates the namespace where there is none; whoever may not is let on.
async fn ensure_namespace(cmd: &Cmd, name: &str) -> Result<(), Error> {
    let Some(resource) = cmd.client.api().resource("", "v1", "namespaces") else {
        return Ok(());
    };
    let forbidden = |e: &Error| matches!(e, Error::Status(s) if s.reason() == "Forbidden");
    match cmd.get(&resource, "", name).await {
        Ok(_) => return Ok(()),
        Err(e) if e.is_not_found() || forbidden(&e) => {}
        Err(e) => return Err(e),
    }
    let namespace = obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": name } };
    match cmd.create(&resource, "", &namespace, &Write::default()).await {
        Err(Error::Status(s)) if s.is_already_exists() || s.reason() == "Forbidden" => Ok(()),
        Err(e) => Err(e),
        Ok(_) => Ok(()),
    }
}

fn rules(role: &Value) -> Vec<PolicyRule> {
    role.get("rules").items().iter().map(PolicyRule::from_value).collect()
}

/// Adds the labels and annotations of the file that the object lacks.
fn merge_metadata(outcome: &mut Outcome, expected: &Value) {
    for field in ["annotations", "labels"] {
        for (key, value) in expected.at(&["metadata", field]).entries() {
            if !outcome.object.at(&["metadata", field]).has(key) {
                outcome.object.set(&["metadata", field, key], value.clone());
                outcome.operation = "update";
            }
        }
    }
}

fn unchanged(present: &Value) -> Outcome {
    Outcome {
        object: present.clone(),
        operation: "",
        protected: present.str_at(&["metadata", "annotations", PROTECTED]) == "false",
        missing: Vec::new(),
        extra: Vec::new(),
    }
}

fn role_outcome(present: &Value, expected: &Value, remove: bool) -> Outcome {
    let mut outcome = unchanged(present);
    merge_metadata(&mut outcome, expected);
    let (has, wants) = (rules(present), rules(expected));
    let (had_joins, joins) = (present.get("aggregationRule"), expected.get("aggregationRule"));
    let extra = if joins.is_null() || had_joins.is_null() {
        uncovered(&wants, &has)
    } else {
        Vec::new()
    };
    let missing = uncovered(&has, &wants);
    if !remove && !missing.is_empty() {
        let list = outcome.object.at_mut(&["rules"]).list_mut();
        list.extend(missing.iter().map(PolicyRule::to_value));
        outcome.operation = "update";
    } else if remove && !(missing.is_empty() && extra.is_empty()) {
        outcome.object.set(&["rules"], expected.get("rules").clone());
        outcome.operation = "update";
    }
    let selectors = |rule: &Value| rule.get("clusterRoleSelectors").items().to_vec();
    let (had, wanted) = (selectors(had_joins), selectors(joins));
    let lacks: Vec<Value> = wanted.iter().filter(|s| !had.contains(s)).cloned().collect();
    let surplus = had.iter().any(|s| !wanted.contains(s));
    if joins.is_null() && !had_joins.is_null() {
        outcome.object.remove(&["aggregationRule"]);
        outcome.operation = "update";
    } else if !remove && !lacks.is_empty() {
        let list = outcome.object.at_mut(&["aggregationRule", "clusterRoleSelectors"]);
        list.list_mut().extend(lacks);
        outcome.operation = "update";
    } else if remove && (!lacks.is_empty() || surplus) {
        outcome.object.set(&["aggregationRule"], joins.clone());
        outcome.operation = "update";
    }
    outcome.missing = missing.iter().map(PolicyRule::plus_text).collect();
    outcome.extra = extra.iter().map(PolicyRule::plus_text).collect();
    outcome
}

/// The four fields of a subject.
fn subject(value: &Value) -> [&str; 4] {
    ["kind", "apiGroup", "name", "namespace"].map(|f| value.get(f).str())
}

/// A subject as Go's `%+v` prints it.
fn subject_text(value: &Value) -> String {
    let [kind, group, name, namespace] = subject(value);
    format!("{{Kind:{kind} APIGroup:{group} Name:{name} Namespace:{namespace}}}")
}

fn binding_outcome(present: &Value, expected: &Value, remove: bool) -> Outcome {
    let mut outcome = unchanged(present);
    let reference = |v: &Value| ["apiGroup", "kind", "name"].map(|f| v.str_at(&["roleRef", f]).to_owned());
    if reference(present) != reference(expected) {
        outcome.object = expected.clone();
        outcome.operation = "recreate";
        return outcome;
    }
    merge_metadata(&mut outcome, expected);
    let only = |one: &Value, other: &Value| -> Vec<Value> {
        let mut list: Vec<Value> = Vec::new();
        for s in one.get("subjects").items() {
            let known = |l: &[Value]| l.iter().any(|o| subject(o) == subject(s));
            if !known(other.get("subjects").items()) && !known(&list) {
                list.push(s.clone());
            }
        }
        list
    };
    let (missing, extra) = (only(expected, present), only(present, expected));
    if !remove && !missing.is_empty() {
        let list = outcome.object.at_mut(&["subjects"]).list_mut();
        list.extend(missing.iter().cloned());
        outcome.operation = "update";
    } else if remove && !(missing.is_empty() && extra.is_empty()) {
        outcome.object.set(&["subjects"], expected.get("subjects").clone());
        outcome.operation = "update";
    }
    outcome.missing = missing.iter().map(subject_text).collect();
    outcome.extra = extra.iter().map(subject_text).collect();
    outcome
}
