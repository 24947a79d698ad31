//! The ServiceAccount controller: every namespace has its account `default`.

use std::rc::Rc;

use super::context::{Base, Context, resource};
use super::pods;
use crate::api::{Informer, ObjectKey, Resource, Status};
use crate::obj;

const NAME: &str = "service-account-controller";
const DEFAULT: &str = "default";

struct Controller {
    base: Base,
    accounts: Informer,
    account_resource: Rc<Resource>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let account_resource = resource(context.api(), "", "serviceaccounts");
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "", "namespaces"),
        accounts: context.informers().of(&account_resource),
        account_resource,
    });
    let (base, accounts) = (&controller.base, &controller.accounts);
    base.objects.feed_those(&base.queue, |_| true);
    let q = base.queue.clone();
    accounts.on_change(move |old, new| {
        if let (Some(account), None) = (old, new)
            && account.name() == DEFAULT
        {
            q.add(ObjectKey::new("", account.namespace()));
        }
    });
    let c = controller.clone();
    base.run(context, 1, &[accounts], async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.base;
        let live = base.objects.get(key).is_some_and(|n| !n.is_deleting());
        if !live || self.accounts.get(&ObjectKey::new(&key.name, DEFAULT)).is_some() {
            return Ok(());
        }
        let account = obj! {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": obj! { "name": DEFAULT, "namespace": &key.name },
        };
        let made = base.client.make(&self.account_resource, &key.name, account).await;
        match made {
            Err(status) if !status.is_already_exists() && !pods::namespace_ends(&status) => Err(status),
            _ => Ok(()),
        }
    }
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
