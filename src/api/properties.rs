//! Properties that hold for any input: what is stored reads back the same, what is not is refused in
//! words, a patch of a difference makes the difference, and the typed clients of others understand us.

use proptest::prelude::*;

use super::patch::{create_two_way, strategic};
use super::request::{Body, Method, Request};
use super::server::ApiServer;
use super::{managedfields, resource, schema};
use crate::sim::{Sim, Time};
use crate::value::Value;

/// One manifest of each kind, small but with the parts that are special about it.
const MANIFESTS: &str = r##"
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx:1","ports":[{"containerPort":80}],"env":[{"name":"A","value":"1"},{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"resources":{"requests":{"cpu":"0.5"},"limits":{"memory":"1024Mi"}},"livenessProbe":{"httpGet":{"path":"/","port":80}},"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v"},{"name":"w","configMap":{"name":"x"}}],"tolerations":[{"key":"k","operator":"Exists"}]}}
{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"type":"NodePort","selector":{"a":"b"},"ports":[{"port":80,"targetPort":"http"}]}}
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":{"a":"b"},"binaryData":{"c":"aGk="}}
{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"b"}}
{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"sa"}}
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"other"}}
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"spec":{"podCIDR":"10.244.9.0/24"},"status":{"capacity":{"cpu":"2","memory":"4Gi"}}}
{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p","namespace":"default"},"reason":"R","message":"m","type":"Normal","count":2,"firstTimestamp":"2026-11-21T08:55:19Z"}
{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"s"},"subsets":[{"addresses":[{"ip":"10.244.1.2"}],"ports":[{"port":80}]}]}
{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"rc"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}
{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"hostPath":{"path":"/d"}}}
{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"pvc"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"","resources":{"requests":{"storage":"1Gi"}}}}
{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"count/leases.coordination.k8s.io":"9"}}}
{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"l"},"spec":{"limits":[{"type":"PersistentVolumeClaim","max":{"storage":"9Gi"}}]}}
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}
{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"rs"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}
{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ds"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}
{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"ss"},"spec":{"serviceName":"s","selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"data","mountPath":"/d"}]}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}}
{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}
{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"cj"},"spec":{"schedule":"*/5 * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"OnFailure","containers":[{"name":"c","image":"i"}]}}}}}}
{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}}
{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"pdb"},"spec":{"minAvailable":"50%","selector":{"matchLabels":{"a":"b"}}}}
{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"i"},"spec":{"rules":[{"host":"a.example.com","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"s","port":{"number":80}}}}]}}]}}
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"np"},"spec":{"podSelector":{},"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":80}]}]}}
{"apiVersion":"networking.k8s.io/v1","kind":"IngressClass","metadata":{"name":"ic"},"spec":{"controller":"example.com/x"}}
{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"sc"},"provisioner":"example.com/x"}
{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"pc"},"value":5}
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"rb"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"sa","namespace":"default"}]}
{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l"},"spec":{"holderIdentity":"h","leaseDurationSeconds":40}}
{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"es"},"addressType":"IPv4","endpoints":[{"addresses":["10.244.1.2"]}],"ports":[{"port":80}]}
"##;

fn manifests() -> Vec<Value> {
    MANIFESTS
        .lines()
        .filter(|l| !l.is_empty())
        .map(|l| Value::from_json(l).unwrap())
        .collect()
}

fn server() -> ApiServer {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
    let namespace =
        crate::obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": crate::obj! { "name": "default" } };
    api.restore(namespace).unwrap();
    api
}

/// Where objects of this manifest's kind are.
fn collection(api: &ApiServer, manifest: &Value) -> String {
    api.resource_of_kind(manifest.str_at(&["apiVersion"]), manifest.str_at(&["kind"]))
        .unwrap()
        .path("default")
}

fn post(api: &ApiServer, path: &str, body: Value) -> (u16, Value) {
    let response = api.serve(Request::new(Method::Post, path).body(Body::Value(body)));
    (response.code, response.value())
}

/// Replaces the `n`th node of a tree, counted in its order, by `new`.
fn replace(value: &mut Value, n: &mut usize, new: &Value) {
    if *n == 0 {
        *value = new.clone();
    }
    *n = n.wrapping_sub(1);
    if *n > 1_000_000 {
        return;
    }
    match value {
        Value::Map(_) => {
            for (_, v) in value.map_mut().iter_mut() {
                replace(v, n, new);
            }
        }
        Value::List(_) => {
            for v in value.list_mut().iter_mut() {
                replace(v, n, new);
            }
        }
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..70_000).prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("")),
        Just(Value::map()),
        Just(Value::list(Vec::new())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::list),
            prop::collection::vec(("[a-z]{1,9}|containers|name|ports|spec|template", inner), 0..3)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_stored_reads_back_and_the_rest_is_refused(which in 0usize..31, mut at in 1usize..60, new in any_value()) {
        let api = server();
        let all = manifests();
        let manifest = &all[which % all.len()];
        let path = collection(&api, manifest);
        let mut body = manifest.clone();
        replace(&mut body, &mut at, &new);
        let (code, answer) = post(&api, &path, body);
        if code == 201 {
            let name = answer.str_at(&["metadata", "name"]);
            let got = api.serve(Request::get(format!("{path}/{name}")));
            prop_assert_eq!(got.value(), answer.clone());
            // The same tree again changes nothing.
            let put = Request::new(Method::Put, format!("{path}/{name}")).body(Body::Value(answer.clone()));
            let again = api.serve(put);
            prop_assert_eq!(again.code, 200, "{:?}", again.value());
            let revision = |v: &Value| v.str_at(&["metadata", "resourceVersion"]).to_owned();
            prop_assert_eq!(revision(&again.value()), revision(&answer), "{} {}", again.value().to_json(), answer.to_json());
            let table = api.serve(Request::get(path).as_table());
            prop_assert_eq!(table.code, 200);
        } else {
            prop_assert!((400..500).contains(&code), "{code} {answer:?}");
            prop_assert!(!answer.str_at(&["message"]).is_empty());
        }
    }

    #[test]
    fn any_patch_is_applied_or_refused(which in 0usize..31, patch in any_value(), kind in 0usize..3) {
        let api = server();
        let all = manifests();
        let manifest = &all[which % all.len()];
        let path = collection(&api, manifest);
        let (code, made) = post(&api, &path, manifest.clone());
        prop_assert_eq!(code, 201);
        let name = made.str_at(&["metadata", "name"]);
        let mut request = Request::new(Method::Patch, format!("{path}/{name}"));
        request.content_type = ["application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json"][kind].into();
        let answer = api.serve(request.body(Body::Value(patch)));
        prop_assert!(answer.code == 200 || (400..500).contains(&answer.code), "{} {:?}", answer.code, answer.value());
    }

    #[test]
    fn a_patch_of_a_difference_makes_it(
        before in prop::collection::btree_map("[a-d]", ("[xyz]", prop::collection::btree_map("[E-H]", "[12]", 0..4)), 0..4),
        after in prop::collection::btree_map("[a-d]", ("[xyz]", prop::collection::btree_map("[E-H]", "[12]", 0..4)), 0..4),
        labels in prop::collection::btree_map("[a-c]", "[12]", 0..3),
    ) {
        let pod = |list: &std::collections::BTreeMap<String, (String, std::collections::BTreeMap<String, String>)>, labels: Value| {
            let containers: Value = list.iter().map(|(name, (image, env))| {
                let env: Value = env.iter().map(|(k, v)| crate::obj! { "name": k, "value": v }).collect();
                crate::obj! { "name": name, "image": image, "env": env }
            }).collect();
            crate::obj! { "metadata": crate::obj! { "labels": labels }, "spec": crate::obj! { "containers": containers } }
        };
        let a = pod(&before, crate::obj! { "z": "1" });
        let b = pod(&after, labels.iter().map(|(k, v)| (k.as_str(), Value::from(v))).collect());
        let ty = schema::by_kind("v1", "Pod").unwrap();
        let patch = create_two_way(&a, &b, &ty);
        let got = strategic::merge(&a, &patch, &ty).unwrap();
        prop_assert_eq!(got, b, "{}", patch.to_json());
    }
}

/// Sends a server-side apply, and takes fields over.
fn apply(api: &ApiServer, path: &str, manager: &str, config: Value) -> (u16, Value) {
    let mut request = Request::new(Method::Patch, path)
        .with("fieldManager", manager)
        .with("force", "true");
    request.content_type = "application/apply-patch+yaml".into();
    let response = api.serve(request.body(Body::Value(config)));
    (response.code, response.value())
}

/// Maps of a few keys, nested, without nulls.
fn any_map() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0i64..3).prop_map(Value::from),
        "[xy]".prop_map(Value::from),
        Just(Value::map()),
        prop::collection::vec((0i64..3).prop_map(Value::from), 0..3).prop_map(Value::list),
    ];
    let map = leaf.prop_recursive(3, 16, 4, |inner| {
        prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|entries| entries.into_iter().collect())
    });
    map.prop_filter("a map", |v| v.as_map().is_some())
}

type Containers = std::collections::BTreeMap<String, (String, std::collections::BTreeMap<String, String>)>;

/// A Deployment of these labels and containers.
fn deployment(labels: &std::collections::BTreeMap<String, String>, containers: &Containers) -> Value {
    let containers: Value = containers
        .iter()
        .map(|(name, (image, env))| {
            let env: Value = env.iter().map(|(k, v)| crate::obj! { "name": k, "value": v }).collect();
            crate::obj! { "name": name, "image": image, "env": env }
        })
        .collect();
    let labels: Value = labels.iter().map(|(k, v)| (k.as_str(), Value::from(v))).collect();
    let template = crate::obj! {
        "metadata": crate::obj! { "labels": crate::obj! { "app": "web" } },
        "spec": crate::obj! { "containers": containers },
    };
    crate::obj! {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": crate::obj! { "name": "web", "labels": labels },
        "spec": crate::obj! {
            "selector": crate::obj! { "matchLabels": crate::obj! { "app": "web" } },
            "template": template,
        },
    }
}

fn any_containers() -> impl Strategy<Value = Containers> {
    let env = prop::collection::btree_map("[E-H]", "[12]", 0..4);
    prop::collection::btree_map("[a-d]", ("[xyz]", env), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_twice_changes_nothing(which in 0usize..31, mut at in 1usize..60, new in any_value()) {
        let all = manifests();
        let mut config = all[which % all.len()].clone();
        let path = format!("{}/{}", collection(&server(), &config), config.str_at(&["metadata", "name"]));
        replace(&mut config, &mut at, &new);
        let revision = |v: &Value| v.str_at(&["metadata", "resourceVersion"]).to_owned();
        // Server-side.
        let api = server();
        let before = api.store().revision();
        let (mut code, mut first) = apply(&api, &path, "a", config.clone());
        if code < 400 && first.at(&["metadata", "managedFields"]).is_null() {
            // Of an object that is but its name nobody owns anything: the next apply tracks it.
            (code, first) = apply(&api, &path, "a", config.clone());
        }
        if code >= 400 {
            prop_assert!(!first.str_at(&["message"]).is_empty());
            prop_assert_eq!(api.store().revision(), before, "a refusal changed the store");
        } else {
            let (code, second) = apply(&api, &path, "a", config.clone());
            prop_assert_eq!(code, 200, "{:?}", second);
            prop_assert_eq!(revision(&first), revision(&second), "{} {}", first.to_json(), second.to_json());
        }
        // Client-side. A null in a map of texts is stored as an empty text and deleted by the patch of the next
        // apply, by kubectl and the real server too.
        if config.to_json().contains(":null") {
            return Ok(());
        }
        let api = server();
        let (code, current) = post(&api, path.rsplit_once('/').unwrap().0, config.clone());
        if code < 400 && config.str_at(&["metadata", "name"]) == path.rsplit('/').next().unwrap() {
            let ty = schema::by_kind(current.str_at(&["apiVersion"]), current.str_at(&["kind"])).unwrap();
            let patch = super::patch::create_three_way(&config, &config, &current, &ty);
            prop_assume!(patch.is_ok());
            let mut request = Request::new(Method::Patch, path.as_str());
            request.content_type = "application/strategic-merge-patch+json".into();
            let again = api.serve(request.body(Body::Value(patch.unwrap())));
            if again.code == 200 {
                prop_assert_eq!(revision(&current), revision(&again.value()), "{}", current.to_json());
            }
        }
    }

    #[test]
    fn a_merge_patch_of_a_difference_makes_it(a in any_map(), b in any_map()) {
        let patch = super::patch::create_merge(&a, &b);
        let mut got = a.clone();
        super::patch::merge(&mut got, &patch);
        prop_assert_eq!(got, b, "{}", patch.to_json());
    }

    #[test]
    fn a_three_way_patch_makes_what_is_applied(
        a in any_containers(), b in any_containers(),
        la in prop::collection::btree_map("[a-c]", "[12]", 0..3),
        lb in prop::collection::btree_map("[a-c]", "[12]", 0..3),
    ) {
        let ty = schema::by_kind("apps/v1", "Deployment").unwrap();
        let (a, b) = (deployment(&la, &a), deployment(&lb, &b));
        let mut live = a.clone();
        live.set(&["metadata", "labels", "other"], "kept");
        live.set(&["spec", "replicas"], 3);
        let patch = super::patch::create_three_way(&a, &b, &live, &ty).unwrap();
        let got = strategic::merge(&live, &patch, &ty).unwrap();
        let mut want = b.clone();
        want.set(&["metadata", "labels", "other"], "kept");
        want.set(&["spec", "replicas"], 3);
        prop_assert_eq!(got, want, "{}", patch.to_json());
    }

    #[test]
    fn owners_own_what_is_there(
        steps in prop::collection::vec(
            // An empty map of labels would be owned, and is not stored.
            (0usize..3, prop::collection::btree_map("[a-c]", "[12]", 1..3), any_containers()),
            1..6,
        ),
    ) {
        let api = server();
        let path = "/apis/apps/v1/namespaces/default/deployments/web";
        let ty = schema::by_kind("apps/v1", "Deployment").unwrap();
        for (who, labels, containers) in steps {
            let config = deployment(&labels, &containers);
            let manager = ["x", "y", "z"][who];
            let (code, now) = if manager == "z" {
                // Someone who updates.
                let mut request = Request::new(Method::Patch, path).with("fieldManager", manager);
                request.content_type = "application/merge-patch+json".into();
                let response = api.serve(request.body(Body::Value(config.clone())));
                (response.code, response.value())
            } else {
                apply(&api, path, manager, config.clone())
            };
            if code == 404 || code == 422 {
                // Nothing to update; or a container is left of which the other took the image, and
                // dropped it.
                continue;
            }
            prop_assert!(code < 300, "{code} {now:?}");
            let fields = |v: &Value| managedfields::with_named_fields(&managedfields::field_set(v, Some(&ty)), Some(&ty));
            // An applier that takes the last variable out of a list leaves the list to others who own it, and an
            // empty one is not stored.
            let mut with_lists = now.clone();
            let containers_of = ["spec", "template", "spec", "containers"];
            let containers_now = now.at(&containers_of).items().iter().map(|c| {
                let mut c = c.clone();
                if c.get("env").is_null() {
                    c.set(&["env"], Value::from(Vec::<Value>::new()));
                }
                c
            });
            with_lists.set(&containers_of, containers_now.collect::<Value>());
            let there = fields(&with_lists);
            let mut owned = Value::Null;
            for entry in now.at(&["metadata", "managedFields"]).items() {
                let lost = managedfields::difference(entry.get("fieldsV1"), &there);
                prop_assert!(lost.is_null(), "{entry:?} owns {lost:?}, which is not there");
                if entry.str_at(&["manager"]) == manager {
                    owned = managedfields::union(&owned, entry.get("fieldsV1"));
                }
            }
            if manager != "z" {
                // The applier owns what it applied.
                let mut applied = config.clone();
                for field in ["apiVersion", "kind"] {
                    applied.remove(&[field]);
                }
                applied.remove(&["metadata", "name"]);
                let missing = managedfields::difference(&managedfields::field_set(&applied, Some(&ty)), &owned);
                prop_assert!(missing.is_null(), "{missing:?} is not owned");
                // And the object says what it applied.
                for (name, (image, _)) in &containers {
                    let all = now.at(&["spec", "template", "spec", "containers"]);
                    let found = all.items().iter().find(|c| c.str_at(&["name"]) == name);
                    prop_assert_eq!(found.map(|c| c.str_at(&["image"])), Some(image.as_str()));
                }
            }
        }
    }
}

/// Our tree through a typed client's structs and back.
fn through<T: serde::Serialize + serde::de::DeserializeOwned>(value: &Value) -> Result<String, String> {
    let typed: T = serde_json::from_str(&value.to_json()).map_err(|e| e.to_string())?;
    let back = serde_json::to_string(&typed).map_err(|e| e.to_string())?;
    Ok(Value::from_json(&back).unwrap().to_json())
}

#[test]
fn typed_clients_understand_every_kind() {
    use k8s_openapi::api::{
        apps, autoscaling, batch, coordination, core, discovery, networking, policy, rbac, scheduling, storage,
    };
    let api = server();
    let mut wrong = Vec::new();
    for manifest in manifests() {
        let kind = manifest.str_at(&["kind"]).to_owned();
        let (code, made) = post(&api, &collection(&api, &manifest), manifest.clone());
        assert_eq!(code, 201, "{kind}: {made:?}");
        let back = match kind.as_str() {
            "Pod" => through::<core::v1::Pod>(&made),
            "Service" => through::<core::v1::Service>(&made),
            "ConfigMap" => through::<core::v1::ConfigMap>(&made),
            "Secret" => through::<core::v1::Secret>(&made),
            "ServiceAccount" => through::<core::v1::ServiceAccount>(&made),
            "Namespace" => through::<core::v1::Namespace>(&made),
            "Node" => through::<core::v1::Node>(&made),
            "Event" => through::<core::v1::Event>(&made),
            "Endpoints" => through::<core::v1::Endpoints>(&made),
            "ReplicationController" => through::<core::v1::ReplicationController>(&made),
            "PersistentVolume" => through::<core::v1::PersistentVolume>(&made),
            "PersistentVolumeClaim" => through::<core::v1::PersistentVolumeClaim>(&made),
            "ResourceQuota" => through::<core::v1::ResourceQuota>(&made),
            "LimitRange" => through::<core::v1::LimitRange>(&made),
            "Deployment" => through::<apps::v1::Deployment>(&made),
            "ReplicaSet" => through::<apps::v1::ReplicaSet>(&made),
            "DaemonSet" => through::<apps::v1::DaemonSet>(&made),
            "StatefulSet" => through::<apps::v1::StatefulSet>(&made),
            "Job" => through::<batch::v1::Job>(&made),
            "CronJob" => through::<batch::v1::CronJob>(&made),
            "HorizontalPodAutoscaler" => through::<autoscaling::v2::HorizontalPodAutoscaler>(&made),
            "PodDisruptionBudget" => through::<policy::v1::PodDisruptionBudget>(&made),
            "Ingress" => through::<networking::v1::Ingress>(&made),
            "NetworkPolicy" => through::<networking::v1::NetworkPolicy>(&made),
            "IngressClass" => through::<networking::v1::IngressClass>(&made),
            "StorageClass" => through::<storage::v1::StorageClass>(&made),
            "PriorityClass" => through::<scheduling::v1::PriorityClass>(&made),
            "Role" => through::<rbac::v1::Role>(&made),
            "RoleBinding" => through::<rbac::v1::RoleBinding>(&made),
            "Lease" => through::<coordination::v1::Lease>(&made),
            "EndpointSlice" => through::<discovery::v1::EndpointSlice>(&made),
            other => Err(format!("no type for {other}")),
        };
        let ours = made.without_nulls().to_json();
        if back.as_ref() != Ok(&ours) {
            wrong.push(format!("{kind}\n  ours   {ours}\n  theirs {back:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_has_a_row_of_its_columns() {
    let api = server();
    for manifest in manifests() {
        let path = collection(&api, &manifest);
        assert_eq!(post(&api, &path, manifest.clone()).0, 201);
        let table = api.serve(Request::get(path.as_str()).as_table()).value();
        let columns = table.get("columnDefinitions").items().len();
        for row in table.get("rows").items() {
            assert_eq!(row.get("cells").items().len(), columns, "{path}");
        }
    }
    let without: Vec<String> = resource::built_in()
        .iter()
        .filter(|r| !r.name.contains('/') && r.can("list"))
        .filter(|r| schema::by_kind(&r.api_version(), &r.kind).is_none())
        .map(|r| r.qualified())
        .collect();
    assert_eq!(without, Vec::<String>::new(), "resources without a schema");
}
