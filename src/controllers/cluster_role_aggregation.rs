//! The aggregation of ClusterRoles: a role with an `aggregationRule` has the rules of those that its
//! selectors choose (`pkg/controller/clusterroleaggregation`).

use std::rc::Rc;

use super::context::{Base, Context};
use crate::api::selector::Selector;
use crate::api::{Object, ObjectKey, Status};
use crate::obj;
use crate::value::Value;

const NAME: &str = "clusterrole-aggregation-controller";
const GROUP: &str = "rbac.authorization.k8s.io";

struct Controller(Base);

/// Starts the controller.
pub fn start(context: &Context) {
    let controller = Rc::new(Controller(Base::new(context, NAME, GROUP, "clusterroles")));
    let base = &controller.0;
    let c = controller.clone();
    base.objects.on_change(move |_, _| c.role_changed());
    let c = controller.clone();
    base.run(context, 5, &[], async move |key| c.sync(&key).await);
}

impl Controller {
    /// Nobody knows which depend on which: a change of one is a question to each that joins others.
    fn role_changed(&self) {
        self.0.objects.each("", |role| {
            if role.value().has("aggregationRule") {
                self.0.queue.add(role.key());
            }
        });
    }

    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.0;
        let Some(role) = base.objects.get(key).filter(|r| r.value().has("aggregationRule")) else {
            return Ok(());
        };
        let rules = joined(&role, &base.objects.list(""));
        if rules.items() == role.value().get("rules").items() {
            return Ok(());
        }
        let config = obj! {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": obj! { "name": role.name() },
            "rules": rules,
        };
        base.apply(NAME, "", config).await
    }
}

/// The rules that a role is to have: those of each selector's roles in the order of their names, which `all`
/// has, each once.
fn joined(role: &Object, all: &[Object]) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    let selectors = role.value().at(&["aggregationRule", "clusterRoleSelectors"]);
    for selector in selectors.items() {
        let selector = Selector::from_label_selector(selector);
        let chosen = all
            .iter()
            .filter(|r| r.name() != role.name() && selector.matches(r.metadata().get("labels")));
        for rule in chosen.flat_map(|r| r.value().get("rules").items()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn role(name: &str, label: &str, verb: &str) -> Value {
        let mut role = obj! {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": obj! { "name": name },
            "rules": list![obj! { "apiGroups": list![""], "resources": list!["pods"], "verbs": list![verb] }],
        };
        role.set(&["metadata", "labels", label], "true");
        role
    }

    #[test]
    fn a_role_has_the_rules_of_those_it_joins() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": obj! { "name": "both", "labels": obj! { "b": "true" } },
            "aggregationRule": obj! { "clusterRoleSelectors": list![
                obj! { "matchLabels": obj! { "a": "true" } }, obj! { "matchLabels": obj! { "b": "true" } },
            ] },
        });
        for (name, label, verb) in [
            ("y", "a", "get"),
            ("x", "a", "list"),
            ("z", "b", "get"),
            ("other", "c", "watch"),
        ] {
            world.create(role(name, label, verb));
        }
        world.run(1);
        let verbs = |world: &World| -> Vec<String> {
            let role = world.get(GROUP, "clusterroles", "both");
            let rules = role.value().get("rules").items().iter();
            rules.map(|r| r.at(&["verbs"]).items()[0].str().to_owned()).collect()
        };
        assert_eq!(verbs(&world), ["list", "get"]);
        world.delete(GROUP, "clusterroles", "x", Value::Null);
        world.run(1);
        assert_eq!(verbs(&world), ["get"]);
        // What somebody writes there does not stay.
        world.patch(GROUP, "clusterroles", "both", obj! { "rules": list![] });
        world.run(1);
        assert_eq!(verbs(&world), ["get"]);
    }
}
