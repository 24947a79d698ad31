//! `MutatingAdmissionPolicy`: changes in CEL that an administrator wants made to objects on their way into the store.

use std::cell::OnceCell;

use super::expressions::{Evaluation, Matched, Role, values};
use super::{Subject, converted, invocations};
use crate::api::admission::Attributes;
use crate::api::cel::Val;
use crate::api::decode::decode;
use crate::api::managedfields;
use crate::api::object::Object;
use crate::api::patch;
use crate::api::schema;
use crate::api::status::Status;
use crate::flat::FlatSet;
use crate::obj;
use crate::value::Value;

/// The names of a policy, its binding and the object of parameters.
type Invocation = (String, String, String, String);

/// What the mutating plugins remember between their first run for a request and the second, which there is when a
/// policy has changed the object (`policyReinvokeContext`).
#[derive(Debug, Default)]
pub(in crate::api::admission) struct Reinvocation {
    /// Whether all plugins run once more.
    pub(in crate::api::admission) wanted: bool,
    /// Whether this is the second run.
    pub(in crate::api::admission) second: bool,
    /// The object as the policies left it.
    left: Value,
    /// Policies that want to run again, and have not yet a reason to.
    waiting: FlatSet<Invocation>,
    /// Policies that do run again.
    due: FlatSet<Invocation>,
}

impl Reinvocation {
    fn changed(&mut self) {
        self.due.extend(std::mem::take(&mut self.waiting));
    }
}

/// Why a mutation was not made.
enum Failure {
    /// The policy's `failurePolicy` decides what becomes of the request.
    Policy(String),
    /// The request fails.
    Request(Status),
}

/// Runs the mutating policies that look at the request.
///
/// # Errors
/// What fails, unless its policy ignores failures.
pub(super) fn run(subject: &Subject, value: &mut Value, memory: &mut Reinvocation) -> Result<(), Status> {
    let all = invocations(
        subject,
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    );
    if all.is_empty() {
        return Ok(());
    }
    if memory.second && memory.left != *value {
        memory.changed();
    }
    let shared = OnceCell::new();
    let mut failures: Vec<(String, &'static str)> = Vec::new();
    for called in &all {
        let policy = &called.policy;
        let fails = policy.spec().get("failurePolicy").str() != "Ignore";
        let who = match &called.binding {
            Some(binding) => format!("policy '{}' with binding '{}'", policy.name(), binding.name()),
            None => format!("policy \"{}\"", policy.name()),
        };
        let mut failed = |why: &str, reason: &'static str| {
            if fails {
                failures.push((format!("{who} denied request: {why}"), reason));
            }
        };
        let params = match &called.params {
            Ok(params) => params,
            Err(why) => {
                failed(why, "Forbidden");
                continue;
            }
        };
        // The values of a policy that sees another version are its own.
        let of_version = called.matched.as_ref().map(|matched| {
            let object = converted(subject.a, value, matched);
            let other = Subject {
                object: &object,
                matched: Some(matched.clone()),
                old: Some(converted(subject.a, subject.old(), matched)),
                ..*subject
            };
            values(&other)
        });
        let evaluation = |value: &Value| {
            let values = match &of_version {
                Some(values) => values.clone(),
                None => shared.get_or_init(|| values(subject)).clone(),
            };
            match &called.matched {
                Some(matched) => Evaluation::new(policy, values, &converted(subject.a, value, matched), params),
                None => Evaluation::new(policy, values, value, params),
            }
        };
        match evaluation(value).matches() {
            Matched::No => continue,
            Matched::Failed(why) => {
                failed(&why, "Invalid");
                continue;
            }
            Matched::Yes => {}
        }
        let key: Invocation = (
            policy.name().to_owned(),
            called.binding.as_ref().map_or("", Object::name).to_owned(),
            params.str_at(&["metadata", "namespace"]).to_owned(),
            params.str_at(&["metadata", "name"]).to_owned(),
        );
        if memory.second && !memory.due.contains(&key) {
            continue;
        }
        let before = value.clone();
        for mutation in policy.spec().get("mutations").items() {
            // Each mutation sees what those before it did, in its variables too.
            let mut evaluation = evaluation(value);
            evaluation.compose();
            let seen = match &called.matched {
                Some(matched) => converted(subject.a, value, matched),
                None => value.clone(),
            };
            match mutate(subject.a, &evaluation, mutation, &seen) {
                Ok(mutated) => {
                    *value = match called.matched {
                        Some(_) => converted(subject.a, &mutated, &subject.a.target.resource),
                        None => mutated,
                    };
                }
                Err(Failure::Policy(why)) => failed(&why, "Invalid"),
                Err(Failure::Request(status)) => return Err(status),
            }
        }
        if *value != before {
            memory.changed();
            memory.wanted = true;
        }
        if policy.spec().get("reinvocationPolicy").str() == "IfNeeded" {
            memory.waiting.insert(key);
        }
    }
    memory.left = value.clone();
    let Some((message, reason)) = failures.first() else {
        return Ok(());
    };
    let causes: Vec<Value> = failures
        .iter()
        .map(|(message, _)| obj! { "message": message.as_str() })
        .collect();
    let resource = &subject.a.target.resource;
    let refusal = Status::forbidden(&resource.group, &resource.name, subject.name, "");
    Err(refusal
        .saying(message.clone())
        .for_reason(403, reason, Value::list(causes)))
}

/// Makes one change.
fn mutate(a: &Attributes, evaluation: &Evaluation, mutation: &Value, value: &Value) -> Result<Value, Failure> {
    let applies = mutation.get("patchType").str() == "ApplyConfiguration";
    let holder = mutation.get(if applies { "applyConfiguration" } else { "jsonPatch" });
    let result = evaluation
        .run(holder.get("expression").str().trim(), Role::Mutation)
        .map_err(Failure::Policy)?;
    let mut mutated = if applies {
        apply(a, &result, value)?
    } else {
        json_patch(a, &result, value)?
    };
    if !a.apart {
        a.target.strategy().defaults(&mut mutated);
    }
    // Who an object is no policy can change, nor who owns its fields.
    for kept in [
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "managedFields",
    ] {
        mutated.set_or_remove(&["metadata", kept], value.at(&["metadata", kept]).clone());
    }
    Ok(mutated)
}

/// The type of the object, in the version that it is in.
fn type_of(a: &Attributes, value: &Value) -> Option<std::rc::Rc<schema::Type>> {
    if a.target.resource.custom.is_some() && !a.apart {
        return schema::of(&a.target.resource);
    }
    schema::by_kind(value.str_at(&["apiVersion"]), value.str_at(&["kind"]))
}

fn names_fit(made: &Val, path: &str) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    made.misnamed(path, &mut wrong);
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::Policy(format!("type mismatch: {}", wrong.join("\n")))),
    }
}

/// An apply configuration, merged as a server-side apply merges, with nobody owning what it sets.
fn apply(a: &Attributes, result: &Val, value: &Value) -> Result<Value, Failure> {
    names_fit(result, "Object")?;
    let mut config = result.to_value().map_err(Failure::Policy)?;
    for field in ["apiVersion", "kind"] {
        config.set(&[field], value.get(field).clone());
    }
    let ty = type_of(a, value);
    managedfields::merge_unowned(value, &config, ty.as_ref())
        .map_err(|why| Failure::Policy(format!("error applying patch: {why}")))
}

/// A JSON patch. One whose test fails changes nothing.
fn json_patch(a: &Attributes, result: &Val, value: &Value) -> Result<Value, Failure> {
    let Val::List(operations) = result else {
        let why = "type mismatch: JSONPatchType.expression should evaluate to array";
        return Err(Failure::Policy(why.into()));
    };
    let mut patch = Vec::new();
    for operation in &operations.items {
        if let Val::Message(_, fields) = operation
            && let Some((_, made @ Val::Message(name, _))) = fields.iter().find(|(f, _)| &**f == "value")
        {
            names_fit(made, name)?;
        }
        let converted = operation.to_value().map_err(|why| {
            Failure::Policy(format!(
                "JSONPath valueExpression evaluated to a type that could not marshal to JSON: {why}"
            ))
        })?;
        patch.push(converted);
    }
    let patched = match patch::json::apply_each(value, &patch) {
        Ok(patched) => patched,
        Err(patch::json::Unfit::Test(_)) => return Ok(value.clone()),
        Err(patch::json::Unfit::Other(why)) => return Err(Failure::Policy(format!("JSON Patch: {why}"))),
    };
    let internal = |why: String| Failure::Request(Status::internal(why));
    if let Some(custom) = a.target.resource.custom.as_ref().filter(|_| !a.apart) {
        let mut patched = patched;
        custom.complete(&mut patched, &mut Vec::new());
        return Ok(patched);
    }
    let Some(ty) = type_of(a, value) else {
        return Ok(patched);
    };
    let decoded = decode(&patched, &ty).map_err(internal)?;
    if decoded.unknown.is_empty() {
        Ok(decoded.value)
    } else {
        Err(internal(format!(
            "strict decoding error: {}",
            decoded.unknown.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::api::kinds::tests::{post, server};
    use crate::api::{ApiServer, Body, Method, Request};
    use crate::value::{Value, yaml};

    const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies";
    const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings";
    const MAPS: &str = "/api/v1/namespaces/default/configmaps";
    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

    fn made(api: &ApiServer, path: &str, text: &str) -> Value {
        let made = post(api, path, yaml::decode(text).unwrap());
        assert_eq!(made.code, 201, "{text}: {}", made.value().to_json());
        made.value()
    }

    /// A policy about one resource with these mutations, and what else its spec has.
    fn policy(name: &str, resource: &str, mutations: &[(&str, &str)], more: &str) -> Value {
        let mut policy = yaml::decode(&format!(
            "metadata: {{name: {name}}}\nspec:\n  reinvocationPolicy: Never\n  matchConstraints: {{resourceRules: [{{apiGroups: \
             ['*'], apiVersions: ['*'], resources: [{resource}], operations: [CREATE, UPDATE]}}]}}\n"
        ))
        .unwrap();
        crate::api::patch::merge(policy.at_mut(&["spec"]), &yaml::decode(more).unwrap());
        let mutations = mutations.iter().map(|(kind, text)| {
            let field = if *kind == "JSONPatch" {
                "jsonPatch"
            } else {
                "applyConfiguration"
            };
            let mut mutation = crate::obj! { "patchType": *kind };
            mutation.set(&[field, "expression"], *text);
            mutation
        });
        policy.set(&["spec", "mutations"], mutations.collect::<Value>());
        policy
    }

    fn bind(api: &ApiServer, policy: Value, more: &str) {
        let name = policy.str_at(&["metadata", "name"]).to_owned();
        let answer = post(api, POLICIES, policy);
        assert_eq!(answer.code, 201, "{}", answer.value().to_json());
        let mut binding =
            yaml::decode(&format!("{{metadata: {{name: {name}}}, spec: {{policyName: {name}}}}}")).unwrap();
        crate::api::patch::merge(binding.at_mut(&["spec"]), &yaml::decode(more).unwrap());
        let answer = post(api, BINDINGS, binding);
        assert_eq!(answer.code, 201, "{}", answer.value().to_json());
    }

    const DEPLOYMENT: &str = "{metadata: {name: web, labels: {app: web}}, spec: {selector: {matchLabels: {app: web}}, \
                              template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}}}";

    /// What one mutation makes of a Deployment: the changed part, or the refusal.
    fn deployment(kind: &str, expression: &str, path: &[&str]) -> String {
        let api = server();
        bind(&api, policy("p", "deployments", &[(kind, expression)], "{}"), "{}");
        let answer = post(&api, DEPLOYMENTS, yaml::decode(DEPLOYMENT).unwrap());
        let value = answer.value();
        match answer.code {
            201 => value.at(path).to_json(),
            code => format!("{code} {} {}", value.str_at(&["reason"]), value.str_at(&["message"])),
        }
    }

    #[test]
    fn apply_configurations() {
        let rows: [(&str, &[&str]); 9] = [
            (
                "Object{spec: Object.spec{replicas: object.spec.replicas + 2}}",
                &["spec", "replicas"],
            ),
            (
                "Object{metadata: Object.metadata{labels: {'env': 'test'}}}",
                &["metadata", "labels"],
            ),
            (
                "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: \
                 [Object.spec.template.spec.containers{name: 'c', imagePullPolicy: 'Never'}, \
                 Object.spec.template.spec.containers{name: 'd', image: 'x'}]}}}}",
                &["spec", "template", "spec", "containers"],
            ),
            (
                "Object{metadata: Object.metadata{?annotations: optional.none()}}",
                &["metadata", "labels"],
            ),
            ("Object{spec: Object.spec{wrong: 3}}", &[]),
            ("Object{spec: Object.spec{replicas: 'three', paused: 1}}", &[]),
            (
                "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: \
                 [Object.spec.template.spec.containers{name: 'c', args: ['a']}]}}}}",
                &[],
            ),
            ("Object{spec: Object.wrong{replicas: 3}}", &[]),
            ("Object{spec: Object.spec{replicas: object.spec.nope}}", &[]),
        ];
        let mut out = String::new();
        for (expression, path) in rows {
            out.push_str(&format!(
                "{expression}\n=> {}\n",
                deployment("ApplyConfiguration", expression, path)
            ));
        }
        expect![[r#"
            Object{spec: Object.spec{replicas: object.spec.replicas + 2}}
            => 3
            Object{metadata: Object.metadata{labels: {'env': 'test'}}}
            => {"app":"web","env":"test"}
            Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'c', imagePullPolicy: 'Never'}, Object.spec.template.spec.containers{name: 'd', image: 'x'}]}}}}
            => [{"image":"nginx","imagePullPolicy":"Never","name":"c","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"},{"image":"x","imagePullPolicy":"Always","name":"d","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}]
            Object{metadata: Object.metadata{?annotations: optional.none()}}
            => {"app":"web"}
            Object{spec: Object.spec{wrong: 3}}
            => 403 Invalid policy 'p' with binding 'p' denied request: error applying patch: failed to convert patch object to typed object: .spec.wrong: field not declared in schema
            Object{spec: Object.spec{replicas: 'three', paused: 1}}
            => 403 Invalid policy 'p' with binding 'p' denied request: error applying patch: failed to convert patch object to typed object: errors:
              .spec.paused: expected boolean, got &{1}
              .spec.replicas: expected numeric (int or float), got string
            Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'c', args: ['a']}]}}}}
            => 403 Invalid policy 'p' with binding 'p' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.template.spec.containers[0].args
            Object{spec: Object.wrong{replicas: 3}}
            => 403 Invalid policy 'p' with binding 'p' denied request: type mismatch: unexpected type name "Object.wrong", expected "Object.spec", which matches field name path from root Object type
            Object{spec: Object.spec{replicas: object.spec.nope}}
            => 403 Invalid policy 'p' with binding 'p' denied request: expression 'Object{spec: Object.spec{replicas: object.spec.nope}}' resulted in error: no such key: nope
        "#]].assert_eq(&out);
    }

    #[test]
    fn json_patches() {
        let rows: [(&str, &[&str]); 12] = [
            (
                "[JSONPatch{op: 'replace', path: '/spec/replicas', value: 5}]",
                &["spec", "replicas"],
            ),
            (
                "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': 'x'}}, JSONPatch{op: 'copy', from: \
                 '/metadata/annotations/' + jsonpatch.escapeKey('a/b'), path: '/metadata/annotations/c'}]",
                &["metadata", "annotations"],
            ),
            (
                "[JSONPatch{op: 'add', path: '/spec/template/spec/initContainers', value: \
                 [Object.spec.template.spec.initContainers{name: 'i', image: 'x'}]}]",
                &["spec", "template", "spec", "initContainers"],
            ),
            (
                "object.spec.replicas > 3 ? [JSONPatch{op: 'remove', path: '/x'}] : []",
                &["spec", "replicas"],
            ),
            (
                "[JSONPatch{op: 'test', path: '/spec/replicas', value: 2}, JSONPatch{op: 'replace', path: \
                 '/spec/replicas', value: 9}]",
                &["spec", "replicas"],
            ),
            ("[JSONPatch{op: 'remove', path: '/metadata/annotations'}]", &[]),
            ("[JSONPatch{op: 'replace', path: '/spec/nope/x', value: 1}]", &[]),
            (
                "[JSONPatch{op: 'add', path: '/spec/template/spec/containers/7', value: 1}]",
                &[],
            ),
            ("[JSONPatch{op: 'jump', path: '/spec'}]", &[]),
            ("[JSONPatch{op: 'add', path: '/spec/nope', value: 1}]", &[]),
            ("[JSONPatch{op: 'add', path: '/spec/replicas', value: 'many'}]", &[]),
            (
                "[JSONPatch{op: 'add', path: '/spec/strategy', value: Object.spec{a: Object.b{}}}]",
                &[],
            ),
        ];
        let mut out = String::new();
        for (expression, path) in rows {
            out.push_str(&format!(
                "{expression}\n=> {}\n",
                deployment("JSONPatch", expression, path)
            ));
        }
        expect![[r#"
            [JSONPatch{op: 'replace', path: '/spec/replicas', value: 5}]
            => 5
            [JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': 'x'}}, JSONPatch{op: 'copy', from: '/metadata/annotations/' + jsonpatch.escapeKey('a/b'), path: '/metadata/annotations/c'}]
            => {"a/b":"x","c":"x"}
            [JSONPatch{op: 'add', path: '/spec/template/spec/initContainers', value: [Object.spec.template.spec.initContainers{name: 'i', image: 'x'}]}]
            => [{"image":"x","imagePullPolicy":"Always","name":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}]
            object.spec.replicas > 3 ? [JSONPatch{op: 'remove', path: '/x'}] : []
            => 1
            [JSONPatch{op: 'test', path: '/spec/replicas', value: 2}, JSONPatch{op: 'replace', path: '/spec/replicas', value: 9}]
            => 1
            [JSONPatch{op: 'remove', path: '/metadata/annotations'}]
            => 403 Invalid policy 'p' with binding 'p' denied request: JSON Patch: error in remove for path: '/metadata/annotations': unable to remove nonexistent key: annotations: missing value
            [JSONPatch{op: 'replace', path: '/spec/nope/x', value: 1}]
            => 403 Invalid policy 'p' with binding 'p' denied request: JSON Patch: replace operation does not apply: doc is missing path: /spec/nope/x: missing value
            [JSONPatch{op: 'add', path: '/spec/template/spec/containers/7', value: 1}]
            => 403 Invalid policy 'p' with binding 'p' denied request: JSON Patch: error in add for path: '/spec/template/spec/containers/7': Unable to access invalid index: 7: invalid index referenced
            [JSONPatch{op: 'jump', path: '/spec'}]
            => 403 Invalid policy 'p' with binding 'p' denied request: JSON Patch: Unexpected kind: jump
            [JSONPatch{op: 'add', path: '/spec/nope', value: 1}]
            => 500 InternalError Internal error occurred: strict decoding error: unknown field "spec.nope"
            [JSONPatch{op: 'add', path: '/spec/replicas', value: 'many'}]
            => 500 InternalError Internal error occurred: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32
            [JSONPatch{op: 'add', path: '/spec/strategy', value: Object.spec{a: Object.b{}}}]
            => 403 Invalid policy 'p' with binding 'p' denied request: type mismatch: unexpected type name "Object.b", expected "Object.spec.a", which matches field name path from root Object type
        "#]].assert_eq(&out);
    }

    /// What a ConfigMap's data are under these policies, which run in the order of their names.
    fn data(policies: &[(&str, &str, &str)], data: &str, want: Expect) {
        let api = server();
        for (name, expression, more) in policies {
            bind(
                &api,
                policy(name, "configmaps", &[("JSONPatch", expression)], more),
                "{}",
            );
        }
        let answer = post(
            &api,
            MAPS,
            yaml::decode(&format!("{{metadata: {{name: m}}, data: {data}}}")).unwrap(),
        );
        let value = answer.value();
        let text = match answer.code {
            201 => value.get("data").to_json(),
            code => format!("{code} {}", value.to_json()),
        };
        want.assert_eq(&text);
    }

    const COUNT: &str = "[JSONPatch{op: 'replace', path: '/data/k', value: object.data.k + 'x'}]";
    const STAMP: &str = "has(object.data.b) ? [] : [JSONPatch{op: 'add', path: '/data/b', value: 'b' + object.data.k}]";

    #[test]
    fn order_and_reinvocation() {
        // A later change calls again who asks for it, and nobody more than twice.
        data(
            &[("a", COUNT, "{}"), ("b", STAMP, "{}")],
            "{k: v}",
            expect![[r#"{"b":"bvx","k":"vx"}"#]],
        );
        data(
            &[("a", COUNT, "{reinvocationPolicy: IfNeeded}"), ("b", STAMP, "{}")],
            "{k: v}",
            expect![[r#"{"b":"bvx","k":"vxx"}"#]],
        );
        // The last to change anything has no reason to run again.
        data(
            &[("a", STAMP, "{}"), ("b", COUNT, "{reinvocationPolicy: IfNeeded}")],
            "{k: v}",
            expect![[r#"{"b":"bv","k":"vx"}"#]],
        );
    }

    #[test]
    fn conditions_variables_and_failures() {
        let fails = "[JSONPatch{op: 'add', path: '/data/a', value: object.data.nope}]";
        let uses = "[JSONPatch{op: 'add', path: '/data/a', value: variables.two + request.operation}]";
        let variables = "{variables: [{name: one, expression: object.data.k}, {name: two, expression: 'variables.one + \
                         variables.one'}]}";
        data(
            &[("a", uses, variables)],
            "{k: v}",
            expect![[r#"{"a":"vvCREATE","k":"v"}"#]],
        );
        // A variable that fails matters where it is used.
        data(
            &[("a", uses, variables)],
            "{}",
            expect![[
                r#"403 {"apiVersion":"v1","code":403,"details":{"causes":[{"message":"policy 'a' with binding 'a' denied request: expression '[JSONPatch{op: 'add', path: '/data/a', value: variables.two + request.operation}]' resulted in error: composited variable \"two\" fails to evaluate: composited variable \"one\" fails to evaluate: no such key: data"}],"kind":"configmaps","name":"m"},"kind":"Status","message":"policy 'a' with binding 'a' denied request: expression '[JSONPatch{op: 'add', path: '/data/a', value: variables.two + request.operation}]' resulted in error: composited variable \"two\" fails to evaluate: composited variable \"one\" fails to evaluate: no such key: data","metadata":{},"reason":"Invalid","status":"Failure"}"#
            ]],
        );
        let never = "{matchConditions: [{name: never, expression: 'request.name == \"other\"'}]}";
        data(&[("a", fails, never)], "{k: v}", expect![[r#"{"k":"v"}"#]]);
        let broken = "{matchConditions: [{name: broken, expression: object.data.nope == 'x'}]}";
        data(
            &[("a", COUNT, broken)],
            "{k: v}",
            expect![[
                r#"403 {"apiVersion":"v1","code":403,"details":{"causes":[{"message":"policy 'a' with binding 'a' denied request: expression 'object.data.nope == 'x'' resulted in error: no such key: nope"}],"kind":"configmaps","name":"m"},"kind":"Status","message":"policy 'a' with binding 'a' denied request: expression 'object.data.nope == 'x'' resulted in error: no such key: nope","metadata":{},"reason":"Invalid","status":"Failure"}"#
            ]],
        );
        data(
            &[("a", fails, "{failurePolicy: Ignore}"), ("b", COUNT, "{}")],
            "{k: v}",
            expect![[r#"{"k":"vx"}"#]],
        );
        // All that fail are named, the first in the message.
        data(
            &[("a", fails, "{}"), ("b", fails, "{}"), ("c", COUNT, "{}")],
            "{k: v}",
            expect![[
                r#"403 {"apiVersion":"v1","code":403,"details":{"causes":[{"message":"policy 'a' with binding 'a' denied request: expression '[JSONPatch{op: 'add', path: '/data/a', value: object.data.nope}]' resulted in error: no such key: nope"},{"message":"policy 'b' with binding 'b' denied request: expression '[JSONPatch{op: 'add', path: '/data/a', value: object.data.nope}]' resulted in error: no such key: nope"}],"kind":"configmaps","name":"m"},"kind":"Status","message":"policy 'a' with binding 'a' denied request: expression '[JSONPatch{op: 'add', path: '/data/a', value: object.data.nope}]' resulted in error: no such key: nope","metadata":{},"reason":"Invalid","status":"Failure"}"#
            ]],
        );
        let params = "{paramKind: {apiVersion: a.io/v1, kind: Nope}}";
        data(
            &[("a", COUNT, params)],
            "{k: v}",
            expect![[
                r#"403 {"apiVersion":"v1","code":403,"details":{"causes":[{"message":"policy \"a\" denied request: failed to configure policy: failed to find resource referenced by paramKind: 'a.io/v1, Kind=Nope'"}],"kind":"configmaps","name":"m"},"kind":"Status","message":"policy \"a\" denied request: failed to configure policy: failed to find resource referenced by paramKind: 'a.io/v1, Kind=Nope'","metadata":{},"reason":"Forbidden","status":"Failure"}"#
            ]],
        );
    }

    /// Each object of parameters mutates, also on updates; the fields that a policy sets have no manager.
    #[test]
    fn parameters_updates_and_owners() {
        let api = server();
        for (name, key) in [("one", "a"), ("two", "b")] {
            let text = format!("{{metadata: {{name: {name}, labels: {{set: 'yes'}}}}, data: {{key: {key}}}}}");
            made(&api, MAPS, &text);
        }
        let set = "[JSONPatch{op: 'add', path: '/data/' + params.data.key, value: params.metadata.name}]";
        bind(
            &api,
            policy(
                "p",
                "configmaps",
                &[("JSONPatch", set)],
                "{paramKind: {apiVersion: v1, kind: ConfigMap}}",
            ),
            "{paramRef: {selector: {matchLabels: {set: 'yes'}}, parameterNotFoundAction: Deny}}",
        );
        let map = made(&api, MAPS, "{metadata: {name: m}, data: {k: v}}");
        assert_eq!(map.get("data").to_json(), r#"{"a":"one","b":"two","k":"v"}"#);
        let owned = map.at(&["metadata", "managedFields"]).to_json();
        assert!(owned.contains("f:k") && !owned.contains("f:a\""), "{owned}");
        let mut less = map.clone();
        less.remove(&["data", "a"]);
        let put = Request::new(Method::Put, format!("{MAPS}/m")).body(Body::Value(less));
        assert_eq!(
            api.serve(put).value().get("data").to_json(),
            r#"{"a":"one","b":"two","k":"v"}"#
        );
        for name in ["one", "two"] {
            api.serve(Request::new(Method::Delete, format!("{MAPS}/{name}")));
        }
        let refused = post(&api, MAPS, yaml::decode("{metadata: {name: x}, data: {}}").unwrap()).value();
        expect![[r#"{"apiVersion":"v1","code":403,"details":{"causes":[{"message":"policy 'p' with binding 'p' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"}],"kind":"configmaps","name":"x"},"kind":"Status","message":"policy 'p' with binding 'p' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction","metadata":{},"reason":"Forbidden","status":"Failure"}"#]].assert_eq(&refused.to_json());
    }

    /// The plugins before the policies run again on what a policy has changed.
    #[test]
    fn plugins_run_again() {
        let api = server();
        let adds = "Object{spec: Object.spec{priorityClassName: 'system-node-critical'}}";
        bind(&api, policy("p", "pods", &[("ApplyConfiguration", adds)], "{}"), "{}");
        let pod = yaml::decode("{metadata: {name: a}, spec: {containers: [{name: c, image: x}]}}").unwrap();
        let answer = post(&api, "/api/v1/namespaces/default/pods", pod);
        expect![[r#"pods "a" is forbidden: no PriorityClass with name system-node-critical was found"#]]
            .assert_eq(answer.value().str_at(&["message"]));
    }

    #[test]
    fn definitions() {
        let good = policy("p", "pods", &[("ApplyConfiguration", "Object{}")], "{}");
        let rows = [
            "{reinvocationPolicy: null}",
            "{reinvocationPolicy: Always, mutations: []}",
            "{mutations: [{}]}",
            "{mutations: [{patchType: Other}]}",
            "{mutations: [{patchType: JSONPatch, applyConfiguration: {expression: 'Object{}'}}]}",
            "{mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: ' '}, jsonPatch: {}}]}",
            "{mutations: [{patchType: JSONPatch, jsonPatch: {expression: 'Object{}'}}]}",
            "{mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[]'}}]}",
            "{mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{spec: Nope{}}'}}]}",
            "{mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'object'}}]}",
            "{variables: [{name: a, expression: '1'}], mutations: [{patchType: ApplyConfiguration, applyConfiguration: \
             {expression: 'Object{a: variables.a, b: variables.b}'}}]}",
            "{matchConditions: [{name: a, expression: request.nope == ''}, {name: b, expression: object.spec.x}]}",
            "{matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: \
             [DELETE]}]}}",
        ];
        let mut out = String::new();
        for change in rows {
            let mut object = good.clone();
            crate::api::patch::merge(object.at_mut(&["spec"]), &yaml::decode(change).unwrap());
            let answer = post(&server(), POLICIES, object).value();
            let said = answer
                .str_at(&["message"])
                .replace("MutatingAdmissionPolicy.admissionregistration.k8s.io ", "");
            out.push_str(&format!("{change}\n=> {said}\n"));
        }
        expect![[r#"
            {reinvocationPolicy: null}
            => "p" is invalid: spec.reinvocationPolicy: Required value
            {reinvocationPolicy: Always, mutations: []}
            => "p" is invalid: [spec.mutations: Required value: mutations must contain at least one item, spec.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"]
            {mutations: [{}]}
            => "p" is invalid: spec.mutations[0].patchType: Required value
            {mutations: [{patchType: Other}]}
            => "p" is invalid: spec.mutations[0].patchType: Unsupported value: "Other": supported values: "ApplyConfiguration", "JSONPatch"
            {mutations: [{patchType: JSONPatch, applyConfiguration: {expression: 'Object{}'}}]}
            => "p" is invalid: [spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch, spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch]
            {mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: ' '}, jsonPatch: {}}]}
            => "p" is invalid: [spec.mutations[0].applyConfiguration.expression: Required value, spec.mutations[0].jsonPatch: Invalid value: "{jsonPatch}": must not be specified when patchType is ApplyConfiguration]
            {mutations: [{patchType: JSONPatch, jsonPatch: {expression: 'Object{}'}}]}
            => "p" is invalid: spec.mutations[0].jsonPatch.expression: Invalid value: "Object{}": must evaluate to list(JSONPatch) but got Object
            {mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[]'}}]}
            => "p" is invalid: spec.mutations[0].jsonPatch.expression: Invalid value: "[]": must evaluate to list(JSONPatch) but got list(dyn)
            {mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{spec: Nope{}}'}}]}
            => "p" is invalid: spec.mutations[0].applyConfiguration.expression: Invalid value: "Object{spec: Nope{}}": compilation failed: ERROR: <input>:1:18: undeclared reference to 'Nope' (in container '')
             | Object{spec: Nope{}}
             | .................^
            {mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'object'}}]}
            => "p" is invalid: spec.mutations[0].applyConfiguration.expression: Invalid value: "object": must evaluate to Object but got dyn
            {variables: [{name: a, expression: '1'}], mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{a: variables.a, b: variables.b}'}}]}
            => "p" is invalid: spec.mutations[0].applyConfiguration.expression: Invalid value: "Object{a: variables.a, b: variables.b}": compilation failed: ERROR: <input>:1:36: undefined field 'b'
             | Object{a: variables.a, b: variables.b}
             | ...................................^
            {matchConditions: [{name: a, expression: request.nope == ''}, {name: b, expression: object.spec.x}]}
            => "p" is invalid: [spec.matchConditions[0].expression: Invalid value: "request.nope == ''": compilation failed: ERROR: <input>:1:8: undefined field 'nope'
             | request.nope == ''
             | .......^, spec.matchConditions[1].expression: Invalid value: "object.spec.x": must evaluate to bool but got dyn]
            {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [DELETE]}]}}
            => "p" is invalid: spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"
        "#]].assert_eq(&out);
    }
}
