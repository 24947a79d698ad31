//! What the verbs that change a field of an object share: pod templates, patches, records.

use super::builder::Info;
use super::command::{Cmd, DryRun, Write};
use super::error::Error;
use super::output::Report;
use crate::api::PatchType;
use crate::value::{Map, Value};

/// The annotation of `--record` and of rollout histories.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// Where an object of this kind keeps its pod spec.
pub fn pod_spec(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &["spec"],
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
            &["spec", "template", "spec"]
        }
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// Adds the empty structs that Go writes of a typed object: what an object has that was never at the server, as
/// `--local -o yaml` shows it.
pub fn add_empty_structs(kind: &str, object: &mut Value) {
    let fill = |object: &mut Value, path: &[&str], value: Value| {
        if object.at(path).is_null() {
            object.set(path, value);
        }
    };
    // Lists that are not there stay so.
    let each = |object: &mut Value, path: &[&str], change: &dyn Fn(&mut Value)| {
        if !object.at(path).is_null() {
            object.at_mut(path).list_mut().iter_mut().for_each(change);
        }
    };
    for (of, path) in [
        ("Deployment", &["spec", "strategy"][..]),
        ("DaemonSet", &["spec", "updateStrategy"]),
        ("StatefulSet", &["spec", "updateStrategy"]),
        ("CronJob", &["spec", "jobTemplate", "metadata"]),
    ] {
        if of == kind {
            fill(object, path, Value::map());
        }
    }
    if let Some([template @ .., _]) = pod_spec(kind).filter(|path| path.len() > 1) {
        let metadata: Vec<&str> = template.iter().copied().chain(["metadata"]).collect();
        fill(object, &metadata, Value::map());
    }
    let counts: &[&str] = match kind {
        "ReplicaSet" | "ReplicationController" => &["replicas"],
        "StatefulSet" => &["availableReplicas", "replicas"],
        "DaemonSet" => &[
            "currentNumberScheduled",
            "desiredNumberScheduled",
            "numberMisscheduled",
            "numberReady",
        ],
        _ => &[],
    };
    let mut status = Value::map();
    for count in counts {
        status.set(&[count], 0);
    }
    if kind == "Service" {
        status.set(&["loadBalancer"], Value::map());
        each(object, &["spec", "ports"], &|port| {
            fill(port, &["targetPort"], 0.into())
        });
    }
    if kind == "StatefulSet" {
        each(object, &["spec", "volumeClaimTemplates"], &|claim| {
            fill(claim, &["spec", "resources"], Value::map());
            fill(claim, &["status"], Value::map());
        });
    }
    fill(object, &["status"], status);
    let Some(spec) = pod_spec(kind) else { return };
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let path: Vec<&str> = spec.iter().copied().chain([list]).collect();
        each(object, &path, &|container| {
            fill(container, &["resources"], Value::map())
        });
    }
}

/// The JSON merge patch from one tree to another.
pub fn merge_diff(old: &Value, new: &Value) -> Value {
    let mut patch = Map::new();
    for (k, v) in new.entries() {
        match (old.get(k.as_str()), v) {
            (Value::Map(_), Value::Map(_)) => {
                let inner = merge_diff(old.get(k.as_str()), v);
                if !inner.is_empty() {
                    patch.insert(k.clone(), inner);
                }
            }
            (a, b) if a == b => {}
            _ => {
                patch.insert(k.clone(), v.clone());
            }
        }
    }
    for (k, _) in old.entries() {
        if !new.has(k.as_str()) {
            patch.insert(k.clone(), Value::Null);
        }
    }
    Value::from(patch)
}

/// The command line as `--record` keeps it.
pub fn command_line(cmd: &Cmd) -> String {
    let mut words = vec![cmd.path.clone()];
    words.extend(cmd.args.iter().cloned());
    words.extend(cmd.flags.given().map(|(k, v)| format!("--{k}={v}")));
    words.join(" ")
}

/// Writes the change of an object to the server, unless the run is dry, and reports it. Without any change
/// nothing is said, unless `always`.
///
/// # Errors
/// The API server's failure.
pub async fn store(
    cmd: &Cmd,
    info: &Info,
    new: &Value,
    report: &mut Report,
    manager: &str,
    always: bool,
) -> Result<(), Error> {
    let local = cmd.flags.knows("local") && cmd.flags.bool("local");
    let mut new = new.clone();
    if cmd.flags.knows("record") && cmd.flags.bool("record") {
        new.set(&["metadata", "annotations", CHANGE_CAUSE], command_line(cmd));
    }
    let mut patch = merge_diff(&info.object, &new);
    if patch.is_empty() && !always {
        return Ok(());
    }
    if local {
        add_empty_structs(&info.resource.kind, &mut new);
    }
    if local || cmd.dry_run()? == DryRun::Client {
        return report.print(cmd, &new);
    }
    let write = Write::of(cmd, manager)?;
    let version = match cmd.flags.knows("resource-version") {
        true => cmd.flags.str("resource-version"),
        false => "",
    };
    if !version.is_empty() {
        patch.set(&["metadata", "resourceVersion"], version);
    }
    let stored = cmd
        .patch(
            &info.resource,
            &info.namespace,
            &info.name,
            "",
            PatchType::Merge,
            &patch,
            &write,
        )
        .await?;
    report.print(cmd, &stored)
}

/// Splits arguments into what names resources and the `KEY=VALUE` or `KEY-` after it.
///
/// # Errors
/// When a resource comes after a pair.
pub fn pairs(args: &[String], what: &str) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut resources, mut pairs) = (Vec::new(), Vec::new());
    for arg in args {
        if (arg.contains('=') && !arg.starts_with('=')) || (arg.ends_with('-') && arg != "-") {
            pairs.push(arg.clone());
        } else if pairs.is_empty() {
            resources.push(arg.clone());
        } else {
            return Err(Error::plain(format!(
                "all resources must be specified before {what} changes: {arg}"
            )));
        }
    }
    Ok((resources, pairs))
}

/// The pairs of `KEY=VALUE` in their order, and the keys of `KEY-` where these are allowed.
///
/// # Errors
/// All others, in one sentence.
pub fn parse_pairs(args: &[String], what: &str, removes: bool) -> Result<(Vec<(String, String)>, Vec<String>), Error> {
    let (mut set, mut remove, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    for arg in args {
        match arg.split_once('=') {
            Some((key, value)) if !key.is_empty() => set.push((key.to_owned(), value.to_owned())),
            _ => match arg.strip_suffix('-').filter(|key| removes && !key.is_empty()) {
                Some(key) => remove.push(key.to_owned()),
                None => invalid.push(arg.as_str()),
            },
        }
    }
    match invalid.is_empty() {
        true => Ok((set, remove)),
        false => Err(Error::plain(format!("invalid {what} format: {}", invalid.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::add_empty_structs;
    use crate::value::yaml;

    #[test]
    fn empty_structs() {
        for (kind, given, want) in [
            (
                "Service",
                "{spec: {ports: [{port: 80}, {port: 81, targetPort: http}]}}",
                r#"{"spec":{"ports":[{"port":80,"targetPort":0},{"port":81,"targetPort":"http"}]},"status":{"loadBalancer":{}}}"#,
            ),
            (
                "Service",
                "{spec: {clusterIP: None}}",
                r#"{"spec":{"clusterIP":"None"},"status":{"loadBalancer":{}}}"#,
            ),
            (
                "Pod",
                "{spec: {containers: [{name: a}], ephemeralContainers: [{name: b}]}}",
                r#"{"spec":{"containers":[{"name":"a","resources":{}}],"ephemeralContainers":[{"name":"b","resources":{}}]},"status":{}}"#,
            ),
            (
                "StatefulSet",
                "{spec: {template: {metadata: {name: x}, spec: {}}, updateStrategy: {}, volumeClaimTemplates: [{metadata: {name: v}}]}}",
                r#"{"spec":{"template":{"metadata":{"name":"x"},"spec":{}},"updateStrategy":{},"volumeClaimTemplates":[{"metadata":{"name":"v"},"spec":{"resources":{}},"status":{}}]},"status":{"availableReplicas":0,"replicas":0}}"#,
            ),
        ] {
            let mut object = yaml::decode(given).unwrap();
            add_empty_structs(kind, &mut object);
            assert_eq!(object.to_json(), want, "{kind}");
        }
    }
}
