//! The status of FlowSchemas, which in a real cluster the API server's own controller writes: whether
//! the priority level that one names is there (`k8s.io/apiserver/pkg/util/flowcontrol`).

use std::rc::Rc;

use super::context::{Base, Context, resource};
use crate::api::{Informer, ObjectKey, Status};
use crate::value::quoted;
use crate::{list, obj};

const NAME: &str = "priority-and-fairness-config-consumer";

/// Who owns the status.
const MANAGER: &str = "api-priority-and-fairness-config-consumer-v1";

struct Controller {
    base: Base,
    levels: Informer,
}

/// Starts the controller.
pub fn start(context: &Context) {
    const GROUP: &str = "flowcontrol.apiserver.k8s.io";
    let levels = resource(context.api(), GROUP, "prioritylevelconfigurations");
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, GROUP, "flowschemas"),
        levels: context.informers().of(&levels),
    });
    let (base, levels) = (&controller.base, &controller.levels);
    base.objects.feed(&base.queue);
    let c = controller.clone();
    levels.on_change(move |old, new| {
        // What is in a level does not matter, only that it is there.
        if old.is_none() || new.is_none() {
            c.base.objects.each("", |schema| c.base.queue.add(schema.key()));
        }
    });
    let c = controller.clone();
    base.run(context, 1, &[levels], async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.base;
        let Some(schema) = base.objects.get(key) else {
            return Ok(());
        };
        let level = schema.spec().at(&["priorityLevelConfiguration", "name"]).str();
        let (status, reason, end) = match self.levels.get(&ObjectKey::new("", level)) {
            Some(_) => ("False", "Found", "it exists"),
            None => ("True", "NotFound", "there is no such object"),
        };
        let join = if status == "True" { "but" } else { "and" };
        let message = format!(
            "This FlowSchema references the PriorityLevelConfiguration object named {level} {join} {end}",
            level = quoted(&level)
        );
        if schema
            .condition("Dangling")
            .is_some_and(|c| c.get("status").str() == status && c.get("message").str() == message)
        {
            return Ok(());
        }
        let condition = obj! {
            "lastTransitionTime": base.sim.now(),
            "message": message,
            "reason": reason,
            "status": status,
            "type": "Dangling",
        };
        let config = obj! {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "FlowSchema",
            "metadata": obj! { "name": schema.name() },
            "status": obj! { "conditions": list![condition] },
        };
        Status::ignore_not_found(base.apply(MANAGER, "status", config).await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::value::yaml;

    #[test]
    fn a_level_that_is_not_there_leaves_its_schemas_dangling() {
        let world = World::new();
        world.start(start);
        let make = |text: &str| world.create(yaml::decode(text).unwrap());
        let said = || {
            world.run(2);
            let schema = world.get("flowcontrol.apiserver.k8s.io", "flowschemas", "f");
            let condition = schema.condition("Dangling").cloned().unwrap_or_default();
            ["status", "reason", "message"]
                .map(|f| condition.get(f).str().to_owned())
                .join(" ")
        };
        make(
            "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: FlowSchema, metadata: {name: f}, spec: {priorityLevelConfiguration: {name: nope}}}",
        );
        let what = "This FlowSchema references the PriorityLevelConfiguration object named \"nope\"";
        assert_eq!(said(), format!("True NotFound {what} but there is no such object"));
        make(
            "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: PriorityLevelConfiguration, metadata: {name: nope}, spec: {type: Limited, limited: {limitResponse: {type: Reject}}}}",
        );
        assert_eq!(said(), format!("False Found {what} and it exists"));
    }
}
