//! The status of ValidatingAdmissionPolicies: what of their expressions does not fit the types of the kinds that they
//! look at (`pkg/controller/validatingadmissionpolicystatus`).

use std::rc::Rc;

use super::context::{Base, Context};
use crate::api::admission::policies::typecheck;
use crate::api::{ApiServer, ObjectKey, Status};
use crate::obj;
use crate::value::Value;

const NAME: &str = "validatingadmissionpolicy-status-controller";

/// Who owns the status.
const MANAGER: &str = "validatingadmissionpolicy-status";

struct Controller {
    base: Base,
    api: ApiServer,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let plural = "validatingadmissionpolicies";
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "admissionregistration.k8s.io", plural),
        api: context.api().clone(),
    });
    let base = &controller.base;
    base.objects.feed_those(&base.queue, |_| true);
    let c = controller.clone();
    base.run(context, 5, &[], async move |key| c.sync(&key).await);
}

impl Controller {
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let base = &self.base;
        let Some(policy) = base.objects.get(key) else {
            return Ok(());
        };
        if policy.generation() <= policy.status().i64_at(&["observedGeneration"]).unwrap_or(0) {
            return Ok(());
        }
        let mut checked = Value::map();
        checked.set_or_remove(&["expressionWarnings"], typecheck::warnings(&self.api, policy.spec()));
        let config = obj! {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": obj! { "name": policy.name() },
            "status": obj! { "observedGeneration": policy.generation(), "typeChecking": checked },
        };
        Status::ignore_not_found(base.apply(MANAGER, "status", config).await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::value::{Value, yaml};

    #[test]
    fn expressions_are_checked_against_the_types_of_what_they_look_at() {
        let world = World::new();
        world.start(start);
        let policy = |name: &str, resources: &str, validations: &str| -> Value {
            world.create(
                yaml::decode(&format!(
                    "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {{name: {name}}}, \
                     spec: {{variables: [{{name: size, expression: object.spec.replicas}}], matchConstraints: {{resourceRules: \
                     [{{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: {resources}}}]}}, \
                     validations: {validations}}}}}"
                ))
                .unwrap(),
            );
            world.run(1);
            world
                .get("admissionregistration.k8s.io", "validatingadmissionpolicies", name)
                .status()
                .clone()
        };
        let fine = "[{expression: 'variables.size < 5 && object.metadata.labels.all(k, k.size() < 9)'}]";
        let status = policy("fine", "[deployments, '*/scale']", fine);
        assert_eq!(status.to_json(), r#"{"observedGeneration":1,"typeChecking":{}}"#);
        let wrong = "[{expression: object.spec.replicaz < 5, messageExpression: \"'at ' + object.spec.serviceName\"}]";
        let status = policy("wrong", "[statefulsets, deployments]", wrong);
        expect_test::expect![[r#"
            spec.validations[0].expression
            apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replicaz'
             | object.spec.replicaz < 5
             | ...........^

            apps/v1, Kind=StatefulSet: ERROR: <input>:1:12: undefined field 'replicaz'
             | object.spec.replicaz < 5
             | ...........^

            spec.validations[0].messageExpression
            apps/v1, Kind=Deployment: ERROR: <input>:1:20: undefined field 'serviceName'
             | 'at ' + object.spec.serviceName
             | ...................^
        "#]]
        .assert_eq(
            &status
                .at(&["typeChecking", "expressionWarnings"])
                .items()
                .iter()
                .map(|w| format!("{}\n{}", w.get("fieldRef").str(), w.get("warning").str()))
                .collect::<Vec<_>>()
                .join("\n"),
        );
        // A kind that nobody serves is not checked, nor what a wildcard stands for.
        let status = policy("unknown", "[nosuch, '*']", "[{expression: object.nothing == 1}]");
        assert_eq!(status.to_json(), r#"{"observedGeneration":1,"typeChecking":{}}"#);
    }
}
