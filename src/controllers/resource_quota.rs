//! The ResourceQuota controller: writes what a namespace uses of its quotas when a quota is new or
//! changed, and when something that it may count is gone or has ended. What is created is counted
//! by admission.

use std::rc::Rc;
use std::time::Duration;

use super::context::{Base, Context};
use crate::api::admission::quota;
use crate::api::{ApiServer, Object, ObjectKey, Status};
use crate::sim::Time;
use crate::value::Value;

const NAME: &str = "resourcequota-controller";

/// Several deletions are counted together after this time.
const BATCH: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    api: ApiServer,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "", "resourcequotas"),
        api: api.clone(),
    }));
    let c = controller.clone();
    controller.0.objects.on_change(move |_, new| {
        if let Some(quota) = new
            && quota.spec().get("hard") != quota.status().get("hard")
        {
            c.0.queue.add(quota.key());
        }
    });
    // Objects of any resource are counted (`count/widgets.example.com`).
    let (c, informers) = (controller.clone(), informers.clone());
    context.each_resource(move |resource| {
        if !resource.namespaced {
            return;
        }
        let c = c.clone();
        informers.of(resource).on_change(move |old, new| {
            if let Some(old) = old
                && frees(old, new, c.0.sim.now())
            {
                c.0.objects
                    .each(old.namespace(), |quota| c.0.queue.add_after(quota.key(), BATCH));
            }
        });
    });
    let c = controller.clone();
    controller.0.run(context, 5, &[], async move |key| c.sync(&key).await);
}

/// Whether a change may leave something of a quota free.
fn frees(old: &Object, new: Option<&Object>, now: Time) -> bool {
    match new {
        None => true,
        Some(new) => match new.kind() {
            // One that begins to end may get stuck.
            "Pod" => quota::counts(old.value(), now) && (!quota::counts(new.value(), now) || new.is_deleting()),
            "Service" => old.spec().get("type") != new.spec().get("type"),
            "PersistentVolumeClaim" => old.spec().get("resources") != new.spec().get("resources"),
            _ => false,
        },
    }
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let inner = &self.0;
        let Some(present) = inner.objects.get(key) else {
            return Ok(());
        };
        let mut status = present.status().clone();
        status.set_or_remove(&["hard"], present.spec().get("hard"));
        let mut used = Value::map();
        // Counted over what is stored, as admission counts, so that the two agree.
        for (name, amount) in quota::count(&inner.api, &present) {
            used.set(&[name.as_str()], amount.to_string());
        }
        if let Some(after) = self.next_stuck(&present) {
            inner.queue.add_after(key.clone(), after);
        }
        status.set_or_remove(&["used"], used);
        inner.write_status(&present, status).await
    }

    /// After which time a pod that is ending now would be stuck, and hold nothing any more. (The real controller
    /// sees it when it next counts all quotas, every five minutes.)
    fn next_stuck(&self, quota: &Object) -> Option<Duration> {
        let (now, mut next) = (self.0.sim.now(), None);
        self.0.api.store().each("pods", quota.namespace(), |pod| {
            let ends = quota::stuck_from(pod.value()).filter(|end| *end >= now);
            next = next.into_iter().chain(ends).min();
        });
        Some(next?.since(now) + BATCH)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::{list, obj};

    /// What cannot go does not keep others from coming, once its grace period is over twice.
    #[test]
    fn what_is_stuck_in_its_end_is_not_counted() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": obj! { "name": "q", "namespace": "default" },
            "spec": obj! { "hard": obj! { "pods": "1", "count/pods": "9" } },
        });
        let pod = |name: &str| {
            obj! {
                "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": name, "namespace": "default" },
                "spec": obj! { "nodeName": "gone", "containers": list![obj! { "name": "c", "image": "nginx" }] },
            }
        };
        world.create(pod("a"));
        world.delete("", "pods", "a", Value::Null);
        let used = || world.get("", "resourcequotas", "q").status().get("used").to_json();
        for (seconds, expected) in [
            (59, r#"{"count/pods":"1","pods":"1"}"#),
            (3, r#"{"count/pods":"1","pods":"0"}"#),
        ] {
            world.run(seconds);
            assert_eq!(used(), expected);
        }
        world.create(pod("b"));
        assert_eq!(used(), r#"{"count/pods":"2","pods":"1"}"#);
    }

    #[test]
    fn what_is_used() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": obj! { "name": "a", "namespace": "default" },
        });
        world.create(obj! {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": obj! { "name": "q", "namespace": "default" },
            "spec": obj! { "hard": obj! { "pods": "2", "configmaps": "9", "requests.cpu": "1" } },
        });
        world.run(1);
        let used = || {
            let quota = world.get("", "resourcequotas", "q");
            quota.status().get("used").to_json()
        };
        assert_eq!(used(), r#"{"configmaps":"1","pods":"0","requests.cpu":"0"}"#);
        let resources = obj! { "requests": obj! { "cpu": "100m" } };
        let containers = list![obj! { "name": "c", "image": "nginx", "resources": resources }];
        world.create(obj! {
            "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": "p", "namespace": "default" },
            "spec": obj! { "containers": containers },
        });
        world.delete("", "configmaps", "a", Value::Null);
        world.run(1);
        assert_eq!(used(), r#"{"configmaps":"0","pods":"1","requests.cpu":"100m"}"#);
        world.patch_sub(
            "",
            "pods",
            "p",
            "status",
            obj! { "status": obj! { "phase": "Succeeded" } },
        );
        world.run(1);
        assert_eq!(used(), r#"{"configmaps":"0","pods":"0","requests.cpu":"0"}"#);
        world.patch(
            "",
            "resourcequotas",
            "q",
            obj! { "spec": obj! { "hard": obj! { "services": "3" } } },
        );
        world.run(1);
        let quota = world.get("", "resourcequotas", "q");
        assert_eq!(quota.status().str_at(&["hard", "services"]), "3");
        assert_eq!(quota.status().str_at(&["used", "services"]), "0");
    }
}
