//! JSON of typed objects: Go writes the fields of a struct in their order, where a map's are sorted.
//! Generators' `-o json`, `--save-config` and raw answers show it.

use crate::api::resource;
use crate::flat::{Arrange, FlatMap};
use crate::value::{Value, gojson};

/// Field names in the order of Go's structs, as far as generators and lists use them.
const ORDER: &[&str] = &[
    "kind",
    "apiVersion",
    "apiGroup",
    "metadata",
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
    "controller",
    "blockOwnerDeletion",
    "scheduleTimeZone",
    "spec",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "value",
    "valueFrom",
    "resources",
    "hostPort",
    "containerPort",
    "protocol",
    "port",
    "targetPort",
    "nodePort",
    "minReplicas",
    "maxReplicas",
    "metrics",
    "replicas",
    "schedule",
    "timeZone",
    "parallelism",
    "completions",
    "backoffLimit",
    "minAvailable",
    "selector",
    "matchLabels",
    "maxUnavailable",
    "clusterIP",
    "clusterIPs",
    "type",
    "externalIPs",
    "sessionAffinity",
    "loadBalancerIP",
    "externalName",
    "jobTemplate",
    "template",
    "volumes",
    "initContainers",
    "containers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "nodeName",
    "hostNetwork",
    "volumeMounts",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "schedulerName",
    "tolerations",
    "stdin",
    "stdinOnce",
    "tty",
    "strategy",
    "hard",
    "scopes",
    "ingressClassName",
    "defaultBackend",
    "tls",
    "hosts",
    "secretName",
    "rules",
    "host",
    "http",
    "paths",
    "path",
    "pathType",
    "backend",
    "service",
    "number",
    "verbs",
    "apiGroups",
    "resourceNames",
    "nonResourceURLs",
    "subjects",
    "roleRef",
    "data",
    "binaryData",
    "major",
    "minor",
    "emulationMajor",
    "emulationMinor",
    "minCompatibilityMajor",
    "minCompatibilityMinor",
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
    "globalDefault",
    "description",
    "preemptionPolicy",
    "items",
    "status",
    "groupVersion",
    "versions",
    "preferredVersion",
    "serverAddressByClientCIDRs",
];

/// Fields whose maps hold keys of the user's, which stay sorted.
const FREE: &[&str] = &[
    "labels",
    "annotations",
    "matchLabels",
    "data",
    "binaryData",
    "stringData",
    "nodeSelector",
    "limits",
    "requests",
    "hard",
];

/// JSON on one line.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    RANKS.with(|ranks| write(&mut out, value, None, 0, false, ranks));
    out
}

/// JSON with this indentation.
pub fn indented(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    RANKS.with(|ranks| write(&mut out, value, Some(indent), 0, false, ranks));
    out
}

/// JSON as the API server answers it, over several lines when `pretty`: its own kinds are structs, whose lists
/// leave the type out of their items; custom resources are maps, whose keys are sorted.
pub fn wire(value: &Value, pretty: bool) -> String {
    let (group, _) = resource::split(value.get("apiVersion").str());
    let own = ["apidiscovery.k8s.io", "meta.k8s.io", "metrics.k8s.io"].contains(&group)
        || resource::built_in().iter().any(|r| &*r.group == group);
    match (!own, pretty) {
        (true, true) => gojson::indented(value, "  ", true),
        (true, false) => gojson::compact(value, true),
        (false, true) => indented(&with_bare_items(value), "  "),
        (false, false) => compact(&with_bare_items(value)),
    }
}

/// An event of a watch as the API server answers it: a line.
pub fn wire_event(name: &str, object: &Value) -> String {
    format!("{{\"type\":\"{name}\",\"object\":{}}}\n", wire(object, false))
}

/// A list as Go's structs hold it: an item has a type of its own only where the list's does not say it.
fn with_bare_items(list: &Value) -> Value {
    let kind = list.get("kind").str().strip_suffix("List");
    let Some(kind) = kind.filter(|kind| list.has("items") && !matches!(*kind, "" | "PartialObjectMetadata")) else {
        return list.clone();
    };
    let mut bare = list.clone();
    strip_items(&mut bare, |item| item == kind);
    bare
}

/// Takes the types off the items of a list, where `of` says so of their kinds.
pub fn strip_items(list: &mut Value, of: impl Fn(&str) -> bool) {
    for item in list.at_mut(&["items"]).list_mut() {
        if of(item.get("kind").str()) {
            item.remove(&["kind"]);
            item.remove(&["apiVersion"]);
        }
    }
}

/// The fields of a `Status`, in their order.
const STATUS: [&str; 8] = [
    "kind",
    "apiVersion",
    "metadata",
    "status",
    "message",
    "reason",
    "details",
    "code",
];

thread_local! {
    /// The places of fields in [`ORDER`], by their names: made once, since every answer and event asks for them.
    static RANKS: FlatMap<&'static str, usize> = ORDER.iter().enumerate().map(|(i, name)| (*name, i)).collect();
}

fn line(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write(
    out: &mut String,
    value: &Value,
    indent: Option<&str>,
    depth: usize,
    free: bool,
    ranks: &FlatMap<&'static str, usize>,
) {
    match value {
        Value::Map(m) if !m.is_empty() => {
            // A `Status` says first what other structs say last.
            let status = value.get("kind").str() == "Status";
            // Equal ranks stay in the order of their keys.
            let rank = |k: &str| match free {
                true => 0,
                false if status => STATUS.iter().position(|f| *f == k).unwrap_or(STATUS.len()),
                false => ranks.get(k).copied().unwrap_or(ORDER.len()),
            };
            let mut entries: Vec<_> = m.iter().map(|(k, v)| (rank(k.as_str()), k, v)).collect();
            entries.arrange_by_key(|(rank, ..)| *rank);
            out.push('{');
            for (i, (_, k, v)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                out.push_str(&gojson::compact(&Value::from(k.as_str()), true));
                out.push_str(if indent.is_some() { ": " } else { ":" });
                // A service's selector is a map of labels; a deployment's has fields.
                let labels = k.as_str() == "selector" && !v.has("matchLabels") && !v.has("matchExpressions");
                write(out, v, indent, depth + 1, labels || FREE.contains(&k.as_str()), ranks);
            }
            line(out, indent, depth);
            out.push('}');
        }
        Value::List(l) if !l.is_empty() => {
            out.push('[');
            for (i, v) in l.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                write(out, v, indent, depth + 1, false, ranks);
            }
            line(out, indent, depth);
            out.push(']');
        }
        other => out.push_str(&gojson::compact(other, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn the_order_of_structs() {
        let pod = obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "labels": obj! { "run": "web", "app": "x" }, "name": "web" },
            "spec": obj! { "containers": list![obj! { "image": "nginx", "name": "web" }], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always" },
            "status": obj! {},
        };
        assert_eq!(
            compact(&pod),
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","labels":{"app":"x","run":"web"}},"spec":{"containers":[{"name":"web","image":"nginx"}],"restartPolicy":"Always","dnsPolicy":"ClusterFirst"},"status":{}}"#
        );
        assert!(indented(&pod, "    ").starts_with("{\n    \"kind\": \"Pod\",\n"));
    }

    #[test]
    fn items_of_the_servers_own_lists_have_no_type() {
        let list = |api_version: &str, kind: &str, item: &str| {
            let items = list![obj! { "apiVersion": api_version, "kind": item, "metadata": obj! {} }];
            wire(&obj! { "apiVersion": api_version, "kind": kind, "items": items }, false)
        };
        expect_test::expect![[r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{}}]}"#]]
            .assert_eq(&list("v1", "PodList", "Pod"));
        expect_test::expect![[r#"{"apiVersion":"acme.io/v1","items":[{"apiVersion":"acme.io/v1","kind":"Box","metadata":{}}],"kind":"BoxList"}"#]]
            .assert_eq(&list("acme.io/v1", "BoxList", "Box"));
    }
}
