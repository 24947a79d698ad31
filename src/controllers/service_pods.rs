//! What the controllers of endpoints share: which pods a service has, their ports, and when a
//! change of either was triggered.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::{Base, Context};
use super::pods;
use crate::api::views::Pod;
use crate::api::{Informer, Object, ObjectKey, Selector};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::{Time, WorkQueue};
use crate::value::Value;

/// The label of a slice with the controller that keeps it.
pub const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The annotation with the time of the change that endpoints follow.
pub const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// The label of endpoints whose service has no virtual address; its value is empty.
pub const HEADLESS: &str = "service.kubernetes.io/headless";

/// Whether the service selects pods.
pub fn has_selector(service: &Object) -> bool {
    !service.spec().get("selector").is_empty()
}

/// Whether its clients get the pods' addresses instead of a virtual one.
pub fn is_headless(service: &Object) -> bool {
    service.spec().str_at(&["clusterIP"]) == "None"
}

/// Whether pods count as ready whatever their probes say.
pub fn publishes_not_ready(service: &Object) -> bool {
    service.spec().bool_at(&["publishNotReadyAddresses"])
}

/// Wakes the services whose endpoints a change of a pod can change.
fn pod_changed(services: &Informer, queue: &WorkQueue<ObjectKey>, old: Option<&Object>, new: Option<&Object>) {
    if let (Some(old), Some(new)) = (old, new) {
        // Most updates of a status concern nobody's endpoints.
        let same = old.labels() == new.labels()
            && old.is_deleting() == new.is_deleting()
            && Pod(old).ip() == Pod(new).ip()
            && pods::is_ready(old) == pods::is_ready(new)
            && pods::is_terminal(old) == pods::is_terminal(new)
            && pods::node_name(old) == pods::node_name(new)
            && old.spec().get("hostname") == new.spec().get("hostname");
        if same {
            return;
        }
    }
    let Some(namespace) = new.or(old).map(|p| p.namespace().to_owned()) else {
        return;
    };
    services.each(&namespace, |service| {
        if !has_selector(service) {
            return;
        }
        let selector = Selector::from_map(service.spec().get("selector"));
        let hit = [old, new].into_iter().flatten().any(|p| selector.matches(p.labels()));
        if hit {
            queue.add(service.key());
        }
    });
}

/// The pods that a service selects and that have an address (`ShouldPodBeInEndpoints`).
pub fn of_service(pods_informer: &Informer, service: &Object, terminating: bool) -> Vec<Object> {
    let selector = Selector::from_map(service.spec().get("selector"));
    let mut found = Vec::new();
    pods_informer.each(service.namespace(), |pod| {
        let in_endpoints = !pods::is_terminal(pod) && !Pod(pod).ip().is_empty() && (terminating || !pod.is_deleting());
        if in_endpoints && selector.matches(pod.labels()) {
            found.push(pod.clone());
        }
    });
    found
}

/// The number of a service's port on a pod: the target's, or the container port of its name.
fn port_on(pod: &Object, port: &Value) -> Option<i64> {
    let target = port.get("targetPort");
    if let Some(number) = target.as_i64() {
        return Some(if number == 0 { port.i64_at(&["port"])? } else { number });
    }
    if target.is_null() {
        return port.i64_at(&["port"]);
    }
    let protocol = |p: &Value| match p.str_at(&["protocol"]) {
        "" => "TCP".to_owned(),
        text => text.to_owned(),
    };
    let pod = Pod(pod);
    let sidecars = pod.init_containers().filter(|c| c.is_sidecar());
    let found = pod
        .containers()
        .chain(sidecars)
        .flat_map(|c| c.ports())
        .find(|p| p.str_at(&["name"]) == target.str() && protocol(p) == protocol(port))?;
    found.i64_at(&["containerPort"])
}

/// A service's ports as they are on a pod. A named port that the pod lacks is left out.
pub fn ports_on(pod: &Object, service: &Object) -> Vec<Value> {
    let mut ports = Vec::new();
    for port in service.spec().get("ports").items() {
        let Some(number) = port_on(pod, port) else { continue };
        let protocol = match port.str_at(&["protocol"]) {
            "" => "TCP",
            p => p,
        };
        let mut made = obj! { "name": port.str_at(&["name"]), "port": number, "protocol": protocol };
        made.set_or_remove(&["appProtocol"], port.get("appProtocol"));
        ports.push(made);
    }
    ports
}

/// The host name of a pod that is published under a service: its own, when its subdomain names the
/// service.
pub fn hostname<'a>(pod: &'a Object, service: &Object) -> &'a str {
    if pod.spec().str_at(&["subdomain"]) == service.name() && pod.namespace() == service.namespace() {
        pod.spec().str_at(&["hostname"])
    } else {
        ""
    }
}

/// A reference to a pod, as endpoints carry it.
pub fn target_ref(pod: &Object) -> Value {
    obj! { "kind": "Pod", "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid() }
}

/// What the three controllers of endpoints have alike: services are what they reconcile.
pub struct ServiceBase {
    base: Base,
    /// When what the endpoints follow from was changed.
    pub triggers: Triggers,
}

impl std::ops::Deref for ServiceBase {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

impl ServiceBase {
    /// For the controller of this name. Each change of a service wakes it.
    pub fn new(context: &Context, name: &'static str) -> ServiceBase {
        let base = Base::new(context, name, "", "services");
        base.objects.feed(&base.queue);
        ServiceBase {
            base,
            triggers: Triggers::default(),
        }
    }

    /// Wakes the services whose endpoints a change of one of these pods can change.
    pub fn follow(&self, pods: &Informer) {
        let (services, queue) = (self.objects.clone(), self.queue.clone());
        pods.on_change(move |old, new| pod_changed(&services, &queue, old, new));
    }
}

/// Remembers what was seen of each service, to tell when its endpoints' change was triggered
/// (`TriggerTimeTracker`).
#[derive(Clone, Default)]
pub struct Triggers(Rc<RefCell<FlatMap<ObjectKey, Seen>>>);

#[derive(Default)]
struct Seen {
    service: Option<Time>,
    pods: FlatMap<Rc<str>, Time>,
}

impl Triggers {
    /// The earliest of the changes since the last call, as RFC 3339; `None` when there is none.
    pub fn since_last(&self, service: &Object, found: &[Object]) -> Option<String> {
        let mut all = self.0.borrow_mut();
        let seen = all.entry(service.key()).or_default();
        let mut earliest: Option<Time> = None;
        let mut note = |time: Time| earliest = Some(earliest.map_or(time, |e| e.min(time)));
        let mut now_seen = FlatMap::new();
        for pod in found {
            let Some(condition) = pod.condition("Ready") else {
                continue;
            };
            let Some(time) = Time::parse(condition.str_at(&["lastTransitionTime"])) else {
                continue;
            };
            let uid: Rc<str> = pod.uid().into();
            if seen.pods.get(&uid).is_none_or(|t| time > *t) {
                note(time);
            }
            now_seen.insert(uid, time);
        }
        let created = service.created();
        if seen.service.is_none_or(|t| created > t) {
            note(created);
        }
        seen.service = Some(created);
        seen.pods = now_seen;
        earliest.map(|t| t.to_string())
    }

    /// Forgets a service that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.0.borrow_mut().remove(key);
    }
}

/// Sets the annotation of the trigger, or clears an old one.
pub fn annotate(value: &mut Value, trigger: Option<&str>) {
    match trigger {
        Some(time) => value.set(&["metadata", "annotations", LAST_CHANGE], time),
        None => {
            value.remove(&["metadata", "annotations", LAST_CHANGE]);
            if value.at(&["metadata", "annotations"]).is_empty() {
                value.remove(&["metadata", "annotations"]);
            }
        }
    }
}
