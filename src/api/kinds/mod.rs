//! The kinds that have rules of their own, one file each, and what they share.

use super::custom::definition::DefinitionRules;
use super::object::Object;
use super::selector::Selector;
use super::strategy::{Plain, Strategy};
use super::table::age;
use crate::sim::Time;
use crate::value::Value;

mod admission;
mod apiservice;
mod batch;
pub mod certificate;
pub mod componentstatus;
mod configmap;
mod csi;
mod daemonset;
mod deployment;
mod devices;
mod endpoints;
mod endpointslice;
mod event;
mod flow;
mod hpa_versions;
mod internal;
mod job_status;
mod job_validation;
mod lease;
pub(crate) mod namespace;
mod networking;
mod node;
pub mod pod;
pub mod pod_spec;
mod pod_validation;
mod pod_warnings;
mod policy;
mod rbac;
mod replicaset;
mod replicationcontroller;
mod resources;
mod scaling;
mod secret;
pub mod service;
mod serviceaccount;
mod statefulset;
mod statuses;
mod storage;
pub mod versions;
mod volume_validation;
mod workload;

pub use internal::outer_name;
pub(super) use networking::DEFAULT_INGRESS_CLASS;

/// The rules of a resource: `strategy("apps", "deployments")`.
pub fn strategy(group: &str, resource: &str) -> &'static dyn Strategy {
    own(group, resource).unwrap_or(&Plain)
}

/// The rules that a resource has of its own: defaults, validation, columns, deletion. `None` for one
/// that is stored, listed, watched and patched by the plain rules.
pub fn own(group: &str, resource: &str) -> Option<&'static dyn Strategy> {
    Some(match (group, resource) {
        ("", "componentstatuses") => &componentstatus::ComponentStatusRules,
        ("", "limitranges") => &policy::LimitRangeRules,
        ("", "persistentvolumeclaims") => &storage::PersistentVolumeClaimRules,
        ("", "persistentvolumes") => &storage::PersistentVolumeRules,
        ("", "podtemplates") => &replicationcontroller::PodTemplateRules,
        ("", "replicationcontrollers") => &replicationcontroller::ReplicationControllerRules,
        ("", "resourcequotas") => &policy::ResourceQuotaRules,
        ("", "configmaps") => &configmap::ConfigMapRules,
        ("", "endpoints") => &endpoints::EndpointsRules,
        ("", "events") => &event::EventRules::Core,
        ("events.k8s.io", "events") => &event::EventRules::Events,
        ("", "namespaces") => &namespace::NamespaceRules,
        ("", "nodes") => &node::NodeRules,
        ("", "pods") => &pod::PodRules,
        ("", "secrets") => &secret::SecretRules,
        ("", "serviceaccounts") => &serviceaccount::ServiceAccountRules,
        ("", "services") => &service::ServiceRules,
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies" | "validatingadmissionpolicies") => {
            &admission::PolicyRules
        }
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings" | "validatingadmissionpolicybindings") => {
            &admission::PolicyBindingRules
        }
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            &admission::WebhookRules
        }
        ("apps", "daemonsets") => &daemonset::DaemonSetRules,
        ("apps", "deployments") => &deployment::DeploymentRules,
        ("apps", "controllerrevisions") => &statefulset::ControllerRevisionRules,
        ("apps", "replicasets") => &replicaset::ReplicaSetRules,
        ("apps", "statefulsets") => &statefulset::StatefulSetRules,
        ("apiextensions.k8s.io", "customresourcedefinitions") => &DefinitionRules,
        ("apiregistration.k8s.io", "apiservices") => &apiservice::ApiServiceRules,
        ("autoscaling", "horizontalpodautoscalers") => &scaling::HpaRules,
        ("batch", "cronjobs") => &batch::CronJobRules,
        ("batch", "jobs") => &batch::JobRules,
        ("certificates.k8s.io", "certificatesigningrequests") => &certificate::CertificateSigningRequestRules,
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => &apiservice::FlowSchemaRules,
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => &apiservice::PriorityLevelRules,
        ("networking.k8s.io", "ingressclasses") => &networking::IngressClassRules,
        ("networking.k8s.io", "ingresses") => &networking::IngressRules,
        ("networking.k8s.io", "ipaddresses") => &networking::IpAddressRules,
        ("networking.k8s.io", "networkpolicies") => &networking::NetworkPolicyRules,
        ("networking.k8s.io", "servicecidrs") => &networking::ServiceCidrRules,
        ("node.k8s.io", "runtimeclasses") => &apiservice::RuntimeClassRules,
        ("policy", "poddisruptionbudgets") => &scaling::PdbRules,
        ("rbac.authorization.k8s.io", "clusterroles" | "roles") => &rbac::RoleRules,
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => &rbac::RoleBindingRules,
        ("scheduling.k8s.io", "priorityclasses") => &policy::PriorityClassRules,
        ("resource.k8s.io", "deviceclasses") => &devices::DeviceClassRules,
        ("resource.k8s.io", "resourceclaims") => &devices::ResourceClaimRules,
        ("resource.k8s.io", "resourceclaimtemplates") => &devices::ResourceClaimTemplateRules,
        ("resource.k8s.io", "resourceslices") => &devices::ResourceSliceRules,
        ("storage.k8s.io", "csidrivers") => &csi::CsiDriverRules,
        ("storage.k8s.io", "csinodes") => &csi::CsiNodeRules,
        ("storage.k8s.io", "csistoragecapacities") => &csi::CsiStorageCapacityRules,
        ("storage.k8s.io", "volumeattachments") => &csi::VolumeAttachmentRules,
        ("storage.k8s.io", "volumeattributesclasses") => &csi::VolumeAttributesClassRules,
        ("storage.k8s.io", "storageclasses") => &storage::StorageClassRules,
        ("coordination.k8s.io", "leases") => &lease::LeaseRules,
        ("discovery.k8s.io", "endpointslices") => &endpointslice::EndpointSliceRules,
        _ => return None,
    })
}

/// Sets a field that is absent. Copies nothing when it is there.
pub(crate) fn set_default(value: &mut Value, field: &str, default: impl Into<Value>) {
    if !value.has(field) || value.get(field).is_null() {
        value.set(&[field], default);
    }
}

/// Sets a field that is absent, 0 or an empty text: where Go cannot tell these apart.
pub(crate) fn set_default_zero(value: &mut Value, field: &str, default: impl Into<Value>) {
    if value.get(field).is_empty() {
        value.set(&[field], default);
    }
}

/// Edits a field in place, if it is there. Copies nothing when `edit` changes nothing.
pub(crate) fn edit(value: &mut Value, field: &str, edit: impl FnOnce(&mut Value)) {
    let old = value.get(field);
    if old.is_null() {
        return;
    }
    let mut new = old.clone();
    edit(&mut new);
    if !new.same(old) {
        value.set(&[field], new);
    }
}

/// Edits each item of a list in place. Copies nothing when `edit` changes nothing.
pub(crate) fn edit_items(value: &mut Value, field: &str, mut edit: impl FnMut(&mut Value)) {
    for i in 0..value.get(field).items().len() {
        let Some(old) = value.get(field).items().get(i) else {
            return;
        };
        let mut new = old.clone();
        edit(&mut new);
        if !new.same(old)
            && let Some(place) = value.at_mut(&[field]).list_mut().get_mut(i)
        {
            *place = new;
        }
    }
}

/// The field at a path, edited in place as [`edit`] does.
pub(crate) fn edit_at(value: &mut Value, path: &[&str], f: &mut dyn FnMut(&mut Value)) {
    match path.split_first() {
        None => f(value),
        Some((first, rest)) => edit(value, first, |v| edit_at(v, rest, f)),
    }
}

/// The age of an object as a cell.
pub(crate) fn age_cell(object: &Object, now: Time) -> Value {
    age(object.created(), now).into()
}

/// Text, or `<none>` for an empty one.
pub(crate) fn or_none(text: impl AsRef<str> + Into<Value>) -> Value {
    if text.as_ref().is_empty() {
        "<none>".into()
    } else {
        text.into()
    }
}

/// Names and images of a pod template's containers, joined by commas: two cells.
pub(crate) fn container_cells(pod_spec: &Value) -> (Value, Value) {
    let join = |field: &str| -> Value {
        let all: Vec<&str> = pod_spec
            .get("containers")
            .items()
            .iter()
            .map(|c| c.get(field).str())
            .collect();
        all.join(",").into()
    };
    (join("name"), join("image"))
}

/// `labels.FormatLabels`: `a=b,c=d`, `<none>` for no labels.
pub(crate) fn format_labels(labels: &Value) -> Value {
    let all: Vec<String> = labels.entries().map(|(k, v)| format!("{k}={}", v.str())).collect();
    or_none(all.join(","))
}

/// `metav1.FormatLabelSelector`: its text, `<none>` for one that selects everything.
pub(crate) fn format_selector(selector: &Value) -> Value {
    if selector.is_null() {
        return "<none>".into();
    }
    or_none(Selector::from_label_selector(selector).to_string())
}

/// A field as an integer cell, 0 where it is absent.
pub(crate) fn int(value: &Value, path: &[&str]) -> Value {
    value.i64_at(path).unwrap_or(0).into()
}

/// A list of texts.
pub(crate) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    items.into_iter().map(Value::from).collect()
}

/// The object in the version that its kind is kept in.
pub(super) fn to_hub(value: Value, resource: &super::resource::Resource) -> Value {
    match versions::of(resource) {
        Some(versions) => versions.kept(&value),
        None => value,
    }
}

#[cfg(test)]
mod validation_tests;

#[cfg(test)]
pub(crate) mod tests {
    use crate::api::{ApiServer, Body, Client, Method, Request, Response, User};
    use crate::sim::{Sim, Time};
    use crate::value::Value;
    use crate::{list, obj};

    pub(crate) fn server() -> ApiServer {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        api.restore(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" } })
            .unwrap();
        let _ = Client::new(&api, "test", User::admin());
        api
    }

    pub(crate) fn post(api: &ApiServer, path: &str, body: Value) -> Response {
        api.serve(Request::new(Method::Post, path).body(Body::Value(body)))
    }

    #[test]
    fn a_pod_a_deployment_and_services() {
        let api = server();
        let pod = post(
            &api,
            "/api/v1/namespaces/default/pods",
            obj! {
                "metadata": obj! { "name": "web" },
                "spec": obj! { "containers": list![obj! { "name": "c", "image": "nginx" }] },
            },
        );
        assert_eq!(pod.code, 201, "{:?}", pod.value());
        assert_eq!(pod.value().str_at(&["status", "phase"]), "Pending");
        let table = api
            .serve(Request::get("/api/v1/namespaces/default/pods").as_table())
            .value();
        expect_test::expect![[r#"["web","0/1","Pending","0","0s","<none>","<none>","<none>","<none>"]"#]]
            .assert_eq(&table.get("rows").items()[0].get("cells").to_json());
        let service = |name: &str, spec: Value| {
            let made = post(
                &api,
                "/api/v1/namespaces/default/services",
                obj! { "metadata": obj! { "name": name }, "spec": spec },
            );
            match made.code {
                201 => made.value().get("spec").to_json(),
                _ => made.value().str_at(&["message"]).to_owned(),
            }
        };
        let np = |port: i64| obj! { "type": "NodePort", "ports": list![obj! { "port": 80, "nodePort": port }] };
        expect_test::expect![[r#"{"clusterIP":"10.96.9.9","clusterIPs":["10.96.9.9"],"internalTrafficPolicy":"Cluster","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","ports":[{"port":80,"protocol":"TCP","targetPort":80}],"sessionAffinity":"None","type":"ClusterIP"}"#]]
            .assert_eq(&service("a", obj! { "clusterIP": "10.96.9.9", "ports": list![obj! { "port": 80 }] }));
        expect_test::expect![[r#"Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.9.9"]: failed to allocate IP 10.96.9.9: provided IP is already allocated"#]]
            .assert_eq(&service("b", obj! { "clusterIP": "10.96.9.9", "ports": list![obj! { "port": 80 }] }));
        assert!(service("np", np(30123)).contains("30123"));
        expect_test::expect![[r#"Service "np2" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated"#]]
            .assert_eq(&service("np2", np(30123)));
        assert!(
            service("np3", obj! { "type": "NodePort", "ports": list![obj! { "port": 80 }] })
                .contains(r#""nodePort":3"#)
        );
    }
}
