//! The ServiceAccount controller: every namespace has its account `default`.

use super::context::{Context, resource};
use super::pods;
use crate::api::ObjectKey;
use crate::obj;
use crate::sim::WorkQueue;

const NAME: &str = "service-account-controller";
const DEFAULT: &str = "default";

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let client = context.client(NAME);
    let accounts_resource = resource(api, "", "serviceaccounts");
    let namespaces = context.informers().of(&resource(api, "", "namespaces"));
    let accounts = context.informers().of(&accounts_resource);
    let queue: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    let q = queue.clone();
    namespaces.on_change(move |_, new| {
        if let Some(namespace) = new {
            q.add(namespace.key());
        }
    });
    let q = queue.clone();
    accounts.on_change(move |old, new| {
        if let (Some(account), None) = (old, new)
            && account.name() == DEFAULT
        {
            q.add(ObjectKey::new("", account.namespace()));
        }
    });
    let synced = vec![namespaces.clone(), accounts.clone()];
    context.run(NAME, &queue, 1, synced, async move |key| {
        let live = namespaces.get(&key).is_some_and(|n| !n.is_deleting());
        if !live || accounts.get(&ObjectKey::new(&key.name, DEFAULT)).is_some() {
            return Ok(());
        }
        let account = obj! {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": obj! { "name": DEFAULT, "namespace": &key.name },
        };
        let made = client.make(&accounts_resource, &key.name, account).await;
        match made {
            Err(status) if !status.is_already_exists() && !pods::namespace_ends(&status) => Err(status),
            _ => Ok(()),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::value::Value;

    #[test]
    fn each_namespace_has_one() {
        let world = World::new();
        world.start(start);
        assert_eq!(world.list("", "serviceaccounts").len(), 3);
        world.delete("", "serviceaccounts", "default", Value::Null);
        world.run(1);
        assert_eq!(world.list("", "serviceaccounts").len(), 3);
    }
}
