//! What admission adds to new pods: `ServiceAccount`, `Priority`, `DefaultTolerationSeconds`.

use super::Attributes;
use crate::api::names;
use crate::api::object::{Object, ObjectKey};
use crate::api::server::ApiServer;
use crate::api::status::Status;
use crate::api::well_known;
use crate::value::{Value, quoted};
use crate::{list, obj};

/// `PodTopologyLabels`: a pod shows in which region and zone its node is, where its labels do not say so themselves.
pub fn topology_labels(api: &ApiServer, pod: &mut Value) {
    let node = pod.str_at(&["spec", "nodeName"]);
    if node.is_empty() {
        return;
    }
    let Some(node) = api.store().get("nodes", &ObjectKey::new("", node)) else {
        return;
    };
    for label in [well_known::REGION, well_known::ZONE] {
        if let Some(place) = node.label(label)
            && !pod.at(&["metadata", "labels"]).has(label)
        {
            pod.set(&["metadata", "labels", label], place);
        }
    }
}

/// `ServiceAccount`: names the account, and mounts its token, the cluster's root certificate and the
/// namespace's name.
///
/// # Errors
/// 403 when there is no such account.
pub fn service_account(a: &Attributes, pod: &mut Value) -> Result<(), Status> {
    // A kubelet's mirror of a static pod brings all it has.
    if pod.at(&["metadata", "annotations"]).has(names::MIRROR) {
        return Ok(());
    }
    if pod.at(&["spec", "serviceAccountName"]).is_empty() {
        pod.set(&["spec", "serviceAccountName"], "default");
        pod.set(&["spec", "serviceAccount"], "default");
    }
    let name = pod.str_at(&["spec", "serviceAccountName"]).to_owned();
    let namespace = &a.target.namespace;
    let account = a.api.store().get("serviceaccounts", &ObjectKey::new(namespace, &name));
    // A namespace's default account is made a moment after it: a real server waits for it here.
    if account.is_none() && name != "default" {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount {} not found",
            quoted(&name)
        );
        return Err(a.forbidden(pod, why));
    }
    let account = account.map(|o| o.value().clone()).unwrap_or_default();
    if pod.at(&["spec", "imagePullSecrets"]).is_empty() && !account.get("imagePullSecrets").is_empty() {
        pod.set(&["spec", "imagePullSecrets"], account.get("imagePullSecrets").clone());
    }
    let automount = pod
        .at(&["spec", "automountServiceAccountToken"])
        .as_bool()
        .or_else(|| account.get("automountServiceAccountToken").as_bool())
        .unwrap_or(true);
    if automount {
        mount_token(a, pod);
    }
    Ok(())
}

fn mount_token(a: &Attributes, pod: &mut Value) {
    let present = pod
        .at(&["spec", "volumes"])
        .items()
        .iter()
        .map(|v| v.get("name").str())
        .find(|n| n.starts_with("kube-api-access-"))
        .map(str::to_owned);
    let volume = present
        .clone()
        .unwrap_or_else(|| format!("kube-api-access-{}", a.api.sim().random_suffix(5)));
    let mount = obj! { "mountPath": names::TOKEN_PATH, "name": volume.as_str(), "readOnly": true };
    let mut needed = false;
    let Some(spec) = pod.map_mut().get_mut("spec") else {
        return;
    };
    for list in ["initContainers", "containers"] {
        if spec.get(list).is_empty() {
            continue;
        }
        for container in spec.at_mut(&[list]).list_mut() {
            let mounts = container.get("volumeMounts").items();
            if !mounts.iter().any(|m| m.get("mountPath").str() == names::TOKEN_PATH) {
                container.at_mut(&["volumeMounts"]).list_mut().push(mount.clone());
                needed = true;
            }
        }
    }
    if needed && present.is_none() {
        spec.at_mut(&["volumes"]).list_mut().push(token_volume(&volume));
    }
}

fn token_volume(name: &str) -> Value {
    obj! {
        "name": name,
        "projected": obj! {
            "defaultMode": 420,
            "sources": list![
                obj! { "serviceAccountToken": obj! { "expirationSeconds": 3607, "path": "token" } },
                obj! { "configMap": obj! {
                    "items": list![obj! { "key": "ca.crt", "path": "ca.crt" }],
                    "name": "kube-root-ca.crt",
                } },
                obj! { "downwardAPI": obj! {
                    "items": list![obj! {
                        "fieldRef": obj! { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
                        "path": "namespace",
                    }],
                } },
            ],
        },
    }
}

/// `Priority`: the number and the preemption policy of the pod's class.
///
/// # Errors
/// 403 when there is no such class, or the pod says another number.
pub fn priority(a: &Attributes, pod: &mut Value) -> Result<(), Status> {
    const SHELF: &str = "priorityclasses.scheduling.k8s.io";
    let name = pod.str_at(&["spec", "priorityClassName"]).to_owned();
    let class = if name.is_empty() {
        a.api
            .store()
            .list(SHELF, "")
            .into_iter()
            .filter(|c| c.value().bool_at(&["globalDefault"]))
            .min_by_key(|c| c.value().i64_at(&["value"]).unwrap_or(0))
    } else {
        match a.api.store().get(SHELF, &ObjectKey::new("", &name)) {
            Some(class) => Some(class),
            None => return Err(a.forbidden(pod, format!("no PriorityClass with name {name} was found"))),
        }
    };
    let (value, policy) = match &class {
        Some(class) => {
            if name.is_empty() {
                pod.set(&["spec", "priorityClassName"], class.name());
            }
            (
                class.value().i64_at(&["value"]).unwrap_or(0),
                class.value().get("preemptionPolicy").clone(),
            )
        }
        None => (0, Value::Null),
    };
    let policy = if policy.is_empty() {
        Value::from("PreemptLowerPriority")
    } else {
        policy
    };
    if let Some(given) = pod.i64_at(&["spec", "priority"])
        && given != value
    {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        );
        return Err(a.forbidden(pod, why));
    }
    let given = pod.at(&["spec", "preemptionPolicy"]);
    if !given.is_null() && given != &policy {
        let why = format!(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            given.str(),
            policy.str()
        );
        return Err(a.forbidden(pod, why));
    }
    pod.set(&["spec", "priority"], value);
    pod.set(&["spec", "preemptionPolicy"], policy);
    Ok(())
}

/// `RuntimeClass`: what a pod of the class costs besides its containers, and where it may run.
///
/// # Errors
/// 403 when there is no such class, or the pod says otherwise.
pub fn runtime_class(a: &Attributes, pod: &mut Value) -> Result<(), Status> {
    let name = pod.str_at(&["spec", "runtimeClassName"]);
    if name.is_empty() {
        return Ok(());
    }
    let Some(class) = class_of(a, pod) else {
        return Err(a.forbidden(
            pod,
            format!("pod rejected: RuntimeClass {name} not found", name = quoted(&name)),
        ));
    };
    let overhead = class.value().at(&["overhead", "podFixed"]);
    if !overhead.is_empty() {
        let given = pod.at(&["spec", "overhead"]);
        if !given.is_empty() && given != overhead {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return Err(a.forbidden(pod, why));
        }
        pod.set(&["spec", "overhead"], overhead.clone());
    }
    scheduling(a, class.value(), pod)
}

/// The runtime class that a pod names.
fn class_of(a: &Attributes, pod: &Value) -> Option<Object> {
    let key = ObjectKey::new("", pod.str_at(&["spec", "runtimeClassName"]));
    a.api.store().get("runtimeclasses.node.k8s.io", &key)
}

/// `RuntimeClass` again, when the pod is known to be valid: only a class adds an overhead.
///
/// # Errors
/// 403 when the pod has one without.
pub fn overhead(a: &Attributes, pod: &Value) -> Result<(), Status> {
    if pod.at(&["spec", "overhead"]).is_empty()
        || class_of(a, pod).is_some_and(|c| !c.value().at(&["overhead", "podFixed"]).is_empty())
    {
        return Ok(());
    }
    let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
    Err(a.forbidden(pod, why))
}

/// Puts a runtime class's node selector and tolerations into a pod.
fn scheduling(a: &Attributes, class: &Value, pod: &mut Value) -> Result<(), Status> {
    let scheduling = class.get("scheduling");
    for (key, value) in scheduling.get("nodeSelector").entries() {
        let own = pod.at(&["spec", "nodeSelector", key]);
        if !own.is_null() && own != value {
            let (class, pods) = (value.str(), own.str());
            let why = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {class}; pod.spec.nodeSelector[{key}] = {pods}"
            );
            return Err(a.forbidden(pod, why));
        }
        pod.set(&["spec", "nodeSelector", key], value.clone());
    }
    for toleration in scheduling.get("tolerations").items() {
        if !pod.at(&["spec", "tolerations"]).items().contains(toleration) {
            pod.at_mut(&["spec", "tolerations"]).list_mut().push(toleration.clone());
        }
    }
    Ok(())
}

/// `Priority` on an update: what it set on the creation stays where the new version leaves it out.
pub fn keep_priority(pod: &mut Value, old: Option<&Object>) {
    for field in ["priority", "preemptionPolicy"] {
        let had = old.map(|o| o.spec().get(field)).filter(|v| !v.is_null());
        if let Some(had) = had
            && pod.at(&["spec", field]).is_null()
        {
            pod.set(&["spec", field], had.clone());
        }
    }
}

/// `DefaultTolerationSeconds`: a pod outlives its node's silence by 300 s, unless it says otherwise.
pub fn default_tolerations(pod: &mut Value) {
    for key in [well_known::NOT_READY, well_known::UNREACHABLE] {
        let tolerated = pod.at(&["spec", "tolerations"]).items().iter().any(|t| {
            let (k, effect) = (t.get("key").str(), t.get("effect").str());
            (k == key || k.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            pod.at_mut(&["spec", "tolerations"]).list_mut().push(obj! {
                "effect": "NoExecute",
                "key": key,
                "operator": "Exists",
                "tolerationSeconds": 300,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::kinds::tests::{post, server};
    use crate::obj;
    use crate::value::{Value, yaml};

    #[test]
    fn pods_show_where_their_node_is() {
        let api = server();
        let zone = "topology.kubernetes.io/zone";
        let labels = obj! { "topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "a" };
        let node = obj! { "apiVersion": "v1", "kind": "Node", "metadata": obj! { "name": "n", "labels": labels } };
        api.restore(node).unwrap();
        let pods = "/api/v1/namespaces/default/pods";
        let mut made = Vec::new();
        for (name, own, on) in [
            ("here", "", "n"),
            ("own", "b", "n"),
            ("lost", "", "other"),
            ("later", "", ""),
        ] {
            let text = format!("{{metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: x}}]}}}}");
            let mut pod = yaml::decode(&text).unwrap();
            pod.set_or_remove(&["metadata", "labels", zone], own);
            pod.set_or_remove(&["spec", "nodeName"], on);
            let pod = post(&api, pods, pod).value();
            made.push(pod.at(&["metadata", "labels"]).to_json());
        }
        let binding = obj! { "metadata": obj! { "name": "later" }, "target": obj! { "name": "n" } };
        assert_eq!(post(&api, &format!("{pods}/later/binding"), binding).code, 201);
        let bound: Value = api
            .store()
            .get("pods", &crate::api::ObjectKey::new("default", "later"))
            .map_or(Value::Null, |p| p.labels().clone());
        made.push(bound.to_json());
        let both = |zone: &str| {
            format!("{{\"topology.kubernetes.io/region\":\"r\",\"topology.kubernetes.io/zone\":\"{zone}\"}}")
        };
        assert_eq!(made, [both("a"), both("b"), "null".into(), "null".into(), both("a")]);
    }
}
