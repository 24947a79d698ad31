//! `kubectl describe`: an object and what belongs to it as text, one file per kind. Reads only
//! through the API's client.

mod address;
mod certificate;
mod config;
mod generic;
mod hpa;
mod ingress;
mod limits;
mod namespace;
mod networkpolicy;
mod node;
mod pdb;
mod pod;
mod pod_parts;
mod priorityclass;
mod rbac;
mod service;
mod serviceaccount;
mod storage;
mod verb;
mod workloads;
mod writer;

use std::cell::RefCell;

use crate::api::resource::split;
use crate::api::{Client, ListOptions, Object, Status};
use crate::kubectl::command::Cmd;
use crate::kubectl::error::Error;
use crate::sim::Time;
use crate::value::Value;

pub use verb::DESCRIBE;
use writer::Out;

/// Describes an object. Events are left out when they are not wanted.
///
/// # Errors
/// The API's failure, where a part cannot be left out.
pub async fn describe(client: &Client, object: &Object, show_events: bool) -> Result<String, Status> {
    finished(Source::Client(client), client.sim().now(), object, show_events).await
}

/// The same for a run of kubectl, whose requests are logged, and whose lists come in pages.
async fn describe_for(cmd: &Cmd, object: &Object, show_events: bool) -> Result<String, Status> {
    finished(Source::Cmd(cmd), cmd.sim().now(), object, show_events).await
}

async fn finished(source: Source<'_>, now: Time, object: &Object, show_events: bool) -> Result<String, Status> {
    let related = Related {
        source,
        show_events,
        now,
        refused: RefCell::default(),
    };
    let text = related.describe(object.value()).await;
    match related.refused.take() {
        // Only of a ConfigMap does kubectl insist on the events.
        Some(e) if object.value().get("kind").str() == "ConfigMap" => Err(e),
        _ => Ok(text),
    }
}

/// A pod template as `rollout history --revision` prints it: columns are not aligned there.
pub fn pod_template(template: &Value, now: Time) -> String {
    let mut out = Out::new(now);
    pod_parts::template(&mut out, template);
    out.finish_raw()
}

/// Where related objects come from.
enum Source<'a> {
    Client(&'a Client),
    Cmd(&'a Cmd),
    #[cfg(test)]
    Objects(&'a [Value]),
}

/// What a describer reads besides its object.
struct Related<'a> {
    source: Source<'a>,
    show_events: bool,
    now: Time,
    /// Why a list that was left out could not be had.
    refused: RefCell<Option<Status>>,
}

impl Related<'_> {
    async fn describe(&self, object: &Value) -> String {
        let (group, _) = split(object.get("apiVersion").str());
        let mut out = Out::new(self.now);
        match (group, object.get("kind").str()) {
            ("", "Pod") => pod::describe(self, &mut out, object).await,
            ("", "Service") => service::describe(self, &mut out, object).await,
            ("", "Endpoints") => service::endpoints(self, &mut out, object).await,
            ("discovery.k8s.io", "EndpointSlice") => service::slice(self, &mut out, object).await,
            ("", "Node") => node::describe(self, &mut out, object).await,
            ("", "Namespace") => namespace::describe(self, &mut out, object).await,
            ("", "ConfigMap") => config::config_map(self, &mut out, object).await,
            ("", "Secret") => config::secret(&mut out, object),
            ("", "ServiceAccount") => serviceaccount::describe(self, &mut out, object).await,
            ("", "ReplicationController") => workloads::replication_controller(self, &mut out, object).await,
            ("apps", "ReplicaSet") => workloads::replica_set(self, &mut out, object).await,
            ("apps", "Deployment") => workloads::deployment(self, &mut out, object).await,
            ("apps", "DaemonSet") => workloads::daemon_set(self, &mut out, object).await,
            ("apps", "StatefulSet") => workloads::stateful_set(self, &mut out, object).await,
            ("batch", "Job") => workloads::job(self, &mut out, object).await,
            ("batch", "CronJob") => workloads::cron_job(self, &mut out, object).await,
            ("autoscaling", "HorizontalPodAutoscaler") => hpa::describe(self, &mut out, object).await,
            ("policy", "PodDisruptionBudget") => pdb::describe(self, &mut out, object).await,
            ("networking.k8s.io", "Ingress") => ingress::describe(self, &mut out, object).await,
            ("networking.k8s.io", "IngressClass") => ingress::class(self, &mut out, object).await,
            ("networking.k8s.io", "NetworkPolicy") => networkpolicy::describe(&mut out, object),
            ("certificates.k8s.io", "CertificateSigningRequest") => certificate::describe(self, &mut out, object).await,
            ("", "PersistentVolume") => storage::volume(self, &mut out, object).await,
            ("", "PersistentVolumeClaim") => storage::claim(self, &mut out, object).await,
            ("networking.k8s.io", "ServiceCIDR") => address::service_cidr(self, &mut out, object).await,
            ("networking.k8s.io", "IPAddress") => address::ip_address(self, &mut out, object).await,
            ("storage.k8s.io", "CSINode") => storage::csi_node(self, &mut out, object).await,
            ("storage.k8s.io", "VolumeAttributesClass") => storage::attributes_class(self, &mut out, object).await,
            ("storage.k8s.io", "StorageClass") => storage::class(self, &mut out, object).await,
            ("", "ResourceQuota") => limits::quota(&mut out, object),
            ("", "LimitRange") => limits::limit_range(&mut out, object),
            ("scheduling.k8s.io", "PriorityClass") => priorityclass::describe(self, &mut out, object).await,
            ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => rbac::role(&mut out, object),
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => rbac::binding(&mut out, object),
            _ => generic::describe(self, &mut out, object).await,
        }
        out.finish()
    }

    /// Objects of a resource; none when they cannot be had, as kubectl leaves out what it may not see.
    async fn list(&self, resource: (&str, &str, &str), namespace: &str, options: ListOptions) -> Vec<Value> {
        match self.try_list(resource, namespace, options).await {
            Ok(list) => list,
            Err(e) => {
                self.refused.replace(Some(e));
                Vec::new()
            }
        }
    }

    /// The same, or why they cannot be had.
    async fn try_list(
        &self,
        resource: (&str, &str, &str),
        namespace: &str,
        options: ListOptions,
    ) -> Result<Vec<Value>, Status> {
        let (group, version, plural) = resource;
        match &self.source {
            Source::Client(client) => {
                let resource = client.resource(group, version, plural)?;
                let list = client.list(&resource, namespace, &options).await?;
                Ok(list.items.iter().map(|o| o.value().clone()).collect())
            }
            Source::Cmd(cmd) => {
                let resource = cmd.client.resource(group, version, plural)?;
                // Slices are asked for whole.
                let limit = match plural.ends_with("slices") {
                    true => 0,
                    false => cmd.flags.int("chunk-size"),
                };
                let (labels, fields) = (&options.label_selector, &options.field_selector);
                let list = cmd.list_by(&resource, namespace, labels, fields, limit).await;
                Ok(list.map_err(Error::into_status)?.get("items").items().to_vec())
            }
            #[cfg(test)]
            Source::Objects(objects) => {
                let kind = plural.trim_end_matches('s');
                let of = |o: &&Value| {
                    o.get("kind").str().to_ascii_lowercase().starts_with(kind)
                        && (namespace.is_empty() || o.str_at(&["metadata", "namespace"]) == namespace)
                };
                Ok(objects.iter().filter(of).cloned().collect())
            }
        }
    }

    async fn get(&self, resource: (&str, &str, &str), namespace: &str, name: &str) -> Result<Value, Status> {
        let (group, version, plural) = resource;
        match &self.source {
            Source::Client(client) => {
                let resource = client.resource(group, version, plural)?;
                Ok(client.get(&resource, namespace, name).await?.value().clone())
            }
            Source::Cmd(cmd) => {
                let resource = cmd.client.resource(group, version, plural)?;
                cmd.get(&resource, namespace, name).await.map_err(Error::into_status)
            }
            #[cfg(test)]
            Source::Objects(_) => self
                .list(resource, namespace, ListOptions::default())
                .await
                .into_iter()
                .find(|o| o.str_at(&["metadata", "name"]) == name)
                .ok_or_else(|| Status::not_found(group, plural, name)),
        }
    }

    /// The events of an object, when they are wanted.
    async fn events(&self, object: &Value) -> Option<Vec<Value>> {
        self.events_of(object, object.str_at(&["metadata", "uid"])).await
    }

    /// The events that name the object under this uid.
    async fn events_of(&self, object: &Value, uid: &str) -> Option<Vec<Value>> {
        if !self.show_events {
            return None;
        }
        let name = object.str_at(&["metadata", "name"]);
        let namespace = object.str_at(&["metadata", "namespace"]);
        let mut selector = format!("involvedObject.name={name},involvedObject.namespace={namespace}");
        // Pods are also found by the uid alone: mirror pods' events name another kind.
        let kind = object.get("kind").str();
        if kind != "Pod" {
            selector.push_str(&format!(",involvedObject.kind={kind}"));
        }
        selector.push_str(&format!(",involvedObject.uid={uid}"));
        let events = self
            .list(("", "v1", "events"), namespace, ListOptions::fields(selector))
            .await;
        let about = |event: &Value| {
            let involved = event.get("involvedObject");
            involved.get("name").str() == name && involved.get("uid").str() == uid
        };
        Some(events.into_iter().filter(about).collect())
    }

    /// The pods that a controller controls.
    async fn pods_of(&self, controller: &Value, selector: &str) -> Vec<Value> {
        let uid = controller.str_at(&["metadata", "uid"]);
        let namespace = controller.str_at(&["metadata", "namespace"]);
        let pods = self.list(("", "v1", "pods"), namespace, labels(selector)).await;
        let controlled = |pod: &Value| {
            let owners = pod.at(&["metadata", "ownerReferences"]).items();
            owners
                .iter()
                .any(|o| o.bool_at(&["controller"]) && o.get("uid").str() == uid)
        };
        pods.into_iter().filter(controlled).collect()
    }
}

/// The objects that a printed selector selects; `<none>` selects all.
fn labels(selector: &str) -> ListOptions {
    ListOptions::labels(if selector == "<none>" { "" } else { selector })
}

#[cfg(test)]
mod tests;
