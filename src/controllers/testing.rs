//! A small world for the tests of controllers: an API server, no kubelet, and the controllers asked
//! for. Tests play the kubelet by patching pods' statuses.

use std::time::Duration;

use super::context::{Context, Options, resource};
use crate::api::{ApiServer, Body, Client, Object, ObjectKey, User, WriteOptions};
use crate::flat::Arrange;
use crate::sim::{Sim, Time};
use crate::value::Value;
use crate::{list, obj};

pub struct World {
    context: Context,
    client: Client,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    pub fn new() -> World {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        for name in ["default", "kube-system", "kube-node-lease"] {
            api.restore(obj! {
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": obj! {
                    "name": name, "uid": format!("uid-{name}"), "creationTimestamp": sim.now(),
                    "labels": obj! { "kubernetes.io/metadata.name": name },
                },
                "spec": obj! { "finalizers": list!["kubernetes"] },
                "status": obj! { "phase": "Active" },
            })
            .unwrap();
        }
        World {
            client: Client::new(&api, "test", User::admin()),
            context: Context::new(&api, Options::default()),
        }
    }

    pub fn sim(&self) -> &Sim {
        self.context.sim()
    }

    pub fn api(&self) -> &ApiServer {
        self.context.api()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn start(&self, start: fn(&Context)) {
        start(&self.context);
        self.run(1);
    }

    /// Lets virtual seconds pass.
    pub fn run(&self, seconds: u64) {
        self.sim().run_for(Duration::from_secs(seconds));
    }

    pub fn wait<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let end = self.sim().now() + Duration::from_secs(60);
        self.sim().run_future(future, end).expect("the request ends")
    }

    pub fn create(&self, value: Value) -> Object {
        let resource = self
            .api()
            .resource_of_kind(value.str_at(&["apiVersion"]), value.str_at(&["kind"]))
            .unwrap();
        let namespace = value.str_at(&["metadata", "namespace"]).to_owned();
        let client = self.client.clone();
        self.wait(async move {
            client
                .create(&resource, &namespace, Body::Value(value), &WriteOptions::default())
                .await
                .unwrap()
        })
    }

    pub fn list(&self, group: &str, name: &str) -> Vec<Object> {
        let mut found = Vec::new();
        let shelf = crate::api::server::shelf_name(&resource(self.api(), group, name));
        self.api().store().each(&shelf, "", |o| found.push(o.clone()));
        found
    }

    fn find(&self, group: &str, name: &str, object: &str) -> Option<Object> {
        let shelf = crate::api::server::shelf_name(&resource(self.api(), group, name));
        let store = self.api().store();
        store
            .get(&shelf, &ObjectKey::new("default", object))
            .or_else(|| store.get(&shelf, &ObjectKey::new("", object)))
    }

    pub fn get(&self, group: &str, name: &str, object: &str) -> Object {
        self.find(group, name, object).expect("it exists")
    }

    pub fn exists(&self, group: &str, name: &str, object: &str) -> bool {
        self.find(group, name, object).is_some()
    }

    pub fn patch(&self, group: &str, name: &str, object: &str, patch: Value) -> Object {
        self.patch_sub(group, name, object, "", patch)
    }

    pub fn patch_sub(&self, group: &str, name: &str, object: &str, sub: &'static str, patch: Value) -> Object {
        let resource = resource(self.api(), group, name);
        let present = self.get(group, name, object);
        let client = self.client.clone();
        self.wait(async move {
            client
                .patch(
                    &resource,
                    present.namespace(),
                    present.name(),
                    sub,
                    crate::api::PatchType::Merge,
                    patch,
                    &WriteOptions::default(),
                )
                .await
                .unwrap()
        })
    }

    pub fn delete(&self, group: &str, name: &str, object: &str, options: Value) {
        let resource = resource(self.api(), group, name);
        let present = self.get(group, name, object);
        let client = self.client.clone();
        self.wait(async move {
            client
                .delete(&resource, present.namespace(), present.name(), options)
                .await
                .unwrap();
        });
    }

    /// What a kubelet would say of a running pod.
    pub fn make_ready(&self, pod: &Object) {
        let status = obj! {
            "phase": "Running",
            "podIP": format!("10.244.1.{}", pod.revision() % 250 + 1),
            "podIPs": list![obj! { "ip": format!("10.244.1.{}", pod.revision() % 250 + 1) }],
            "conditions": list![obj! { "type": "Ready", "status": "True", "lastTransitionTime": self.sim().now() }],
        };
        self.patch_sub("", "pods", pod.name(), "status", obj! { "status": status });
    }

    /// Makes every pod ready that is not.
    pub fn all_ready(&self) {
        for pod in self.list("", "pods") {
            if super::pods::is_active(&pod) && !super::pods::is_ready(&pod) {
                self.make_ready(&pod);
            }
        }
    }

    /// Removes the pods whose deletion was asked for, as kubelets do when they have ended.
    pub fn end_pods(&self) {
        for pod in self.list("", "pods") {
            if pod.is_deleting() {
                self.delete("", "pods", pod.name(), obj! { "gracePeriodSeconds": 0 });
            }
        }
    }

    /// The messages of the events of a reason, in the order of their writing.
    pub fn messages(&self, reason: &str) -> Vec<String> {
        let mut events = self.list("", "events");
        events.retain(|e| e.value().str_at(&["reason"]) == reason);
        events.arrange_by_key(Object::revision);
        events
            .iter()
            .map(|e| e.value().str_at(&["message"]).to_owned())
            .collect()
    }

    /// A node with so many CPUs and GiB of memory, ready.
    pub fn node(&self, name: &str, cpu: &str, memory: &str) -> Object {
        let resources = obj! { "cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "30Gi" };
        self.api()
            .restore(obj! {
                "apiVersion": "v1", "kind": "Node",
                "metadata": obj! {
                    "name": name, "uid": format!("uid-{name}"), "creationTimestamp": self.sim().now(),
                    "labels": obj! { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
                },
                "spec": obj! {},
                "status": obj! {
                    "allocatable": resources.clone(), "capacity": resources,
                    "conditions": list![obj! {
                        "type": "Ready", "status": "True", "reason": "KubeletReady",
                        "lastHeartbeatTime": self.sim().now(), "lastTransitionTime": self.sim().now(),
                    }],
                },
            })
            .unwrap()
    }
}
