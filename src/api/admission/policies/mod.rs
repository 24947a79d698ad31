//! Admission by what an administrator sets: policies in CEL that mutate or validate, and webhooks.

pub(crate) mod expressions;
mod mutating;
mod validating;
mod webhooks;

pub(in crate::api::admission) use mutating::Reinvocation;

use super::{Attributes, Operation};
use crate::api::object::{Object, ObjectKey};
use crate::api::request::Method;
use crate::api::resource::split;
use crate::api::selector::Selector;
use crate::api::server::shelf_name;
use crate::api::status::Status;
use crate::value::Value;
use crate::{list, obj};

const GROUP: &str = "admissionregistration.k8s.io";

/// The shelves of the webhooks' configurations.
const MUTATING_WEBHOOKS: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const VALIDATING_WEBHOOKS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// A request as policies see it.
struct Subject<'a, 'b> {
    a: &'a Attributes<'b>,
    /// Null for deletions.
    object: &'a Value,
    name: &'a str,
}

impl Subject<'_, '_> {
    fn old(&self) -> &Value {
        self.a.old.map_or(&Value::Null, Object::value)
    }

    fn namespace(&self) -> Option<Object> {
        let resource = &self.a.target.resource;
        let own = resource.group.is_empty() && &*resource.name == "namespaces";
        if self.a.target.namespace.is_empty() || own {
            return None;
        }
        let key = ObjectKey::new("", &self.a.target.namespace);
        self.a.api.store().get("namespaces", &key)
    }

    /// Whether a rule of resources and operations names the request.
    fn fits_rule(&self, rule: &Value) -> bool {
        let target = self.a.target;
        let (resource, sub) = (&*target.resource.name, target.subresource.as_str());
        let one = |list: &str, wanted: &str| {
            rule.get(list)
                .items()
                .iter()
                .any(|v| v.str() == "*" || v.str() == wanted)
        };
        let names_resource = rule
            .get("resources")
            .items()
            .iter()
            .any(|r| match r.str().split_once('/') {
                None => sub.is_empty() && (r.str() == "*" || r.str() == resource),
                Some((kind, part)) => (kind == "*" || kind == resource) && (part == "*" || part == sub),
            });
        let scope = match rule.get("scope").str() {
            "Cluster" => !target.resource.namespaced,
            "Namespaced" => target.resource.namespaced,
            _ => true,
        };
        let names = rule.get("resourceNames").items();
        one("apiGroups", &target.resource.group)
            && one("apiVersions", &target.resource.version)
            && one("operations", self.a.operation.name())
            && names_resource
            && scope
            && (names.is_empty() || names.iter().any(|n| n.str() == self.name))
    }

    fn fits_selectors(&self, holder: &Value) -> bool {
        let namespace = holder.get("namespaceSelector");
        if !namespace.is_empty() {
            let selector = Selector::from_label_selector(namespace);
            let own = &*self.a.target.resource.name == "namespaces";
            let fits = match self.namespace() {
                Some(n) => selector.matches(n.labels()),
                // A namespace is selected by its own labels, and what is in none always is.
                None if own => selector.matches(self.object.at(&["metadata", "labels"])),
                None => true,
            };
            if !fits {
                return false;
            }
        }
        let labels = holder.get("objectSelector");
        if labels.is_empty() {
            return true;
        }
        let selector = Selector::from_label_selector(labels);
        let fits = |v: &Value| !v.is_null() && selector.matches(v.at(&["metadata", "labels"]));
        fits(self.object) || fits(self.old())
    }

    /// `spec.matchConstraints` of a policy, `spec.matchResources` of a binding.
    fn fits(&self, constraints: &Value) -> bool {
        let any = |list: &str| constraints.get(list).items().iter().any(|r| self.fits_rule(r));
        self.fits_selectors(constraints)
            && !any("excludeResourceRules")
            && (constraints.get("resourceRules").is_empty() || any("resourceRules"))
    }

    /// `request` of the expressions (`AdmissionRequest`).
    fn request(&self) -> Value {
        let target = self.a.target;
        let resource = &target.resource;
        let kind = obj! {
            "group": &*resource.group,
            "kind": &*resource.kind,
            "version": &*resource.version,
        };
        let plural = obj! {
            "group": &*resource.group,
            "resource": &*resource.name,
            "version": &*resource.version,
        };
        let mut request = obj! {
            "dryRun": self.a.request.dry_run(),
            "kind": kind.clone(),
            "operation": self.a.operation.name(),
            "options": self.options(),
            "requestKind": kind,
            "requestResource": plural.clone(),
            "resource": plural,
            "userInfo": self.a.request.user.to_value(),
        };
        for (field, text) in [
            ("name", self.name),
            ("namespace", target.namespace.as_str()),
            ("requestSubResource", target.subresource.as_str()),
            ("subResource", target.subresource.as_str()),
        ] {
            request.set_or_remove(&[field], text);
        }
        request
    }

    /// The options of the operation.
    fn options(&self) -> Value {
        let request = self.a.request;
        let kind = match (self.a.operation, request.method) {
            (Operation::Delete, _) => "DeleteOptions",
            (_, Method::Patch) => "PatchOptions",
            (Operation::Create, _) => "CreateOptions",
            (Operation::Update, _) => "UpdateOptions",
        };
        let mut options = obj! { "apiVersion": "meta.k8s.io/v1", "kind": kind };
        if request.dry_run() {
            options.set(&["dryRun"], list!["All"]);
        }
        for field in ["fieldManager", "fieldValidation"] {
            options.set_or_remove(&[field], request.param(field));
        }
        options
    }
}

/// The objects of parameters of a binding: one that is null where it names none.
fn params(subject: &Subject, policy: &Object, binding: &Object) -> Result<Vec<Value>, String> {
    let (kind, reference) = (policy.spec().get("paramKind"), binding.spec().get("paramRef"));
    if kind.is_null() || reference.is_null() {
        return Ok(vec![Value::Null]);
    }
    let (version, name) = (kind.str_at(&["apiVersion"]), kind.str_at(&["kind"]));
    // A kind that is not known was found out before.
    let Some(resource) = subject.a.api.resource_of_kind(version, name) else {
        return Ok(Vec::new());
    };
    let namespace = match (resource.namespaced, reference.str_at(&["namespace"])) {
        (false, "") => "",
        (false, _) => return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into()),
        (true, "") if subject.a.target.namespace.is_empty() => {
            let why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources";
            return Err(why.into());
        }
        (true, "") => subject.a.target.namespace.as_str(),
        (true, named) => named,
    };
    let shelf = shelf_name(&resource);
    let store = subject.a.api.store();
    let found: Vec<Value> = match reference.str_at(&["name"]) {
        "" => {
            let selector = Selector::from_label_selector(reference.get("selector"));
            let all = store.list(&shelf, namespace).into_iter();
            all.filter(|o| selector.matches(o.labels()))
                .map(|o| o.value().clone())
                .collect()
        }
        name => {
            let one = store.get(&shelf, &ObjectKey::new(namespace, name));
            one.map(|o| o.value().clone()).into_iter().collect()
        }
    };
    if found.is_empty() && reference.str_at(&["parameterNotFoundAction"]) == "Deny" {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".into());
    }
    Ok(found)
}

/// A policy that looks at the request, by one of its bindings and with one object of parameters (null where there is
/// none), or why there is none.
struct Invocation {
    policy: Object,
    /// `None` where the policy itself is wrong.
    binding: Option<Object>,
    params: Result<Value, String>,
}

/// What of the policies on one shelf and their bindings on another looks at a request, in the order of their names.
fn invocations(subject: &Subject, policies: &str, bindings: &str) -> Vec<Invocation> {
    let store = subject.a.api.store();
    let all = store.list(policies, "");
    if all.is_empty() {
        return Vec::new();
    }
    let bindings = store.list(bindings, "");
    let mut called = Vec::new();
    for policy in all {
        let own = |b: &&Object| b.spec().get("policyName").str() == policy.name();
        let bound: Vec<&Object> = bindings.iter().filter(own).collect();
        if bound.is_empty() || !subject.fits(policy.spec().get("matchConstraints")) {
            continue;
        }
        if let Some(why) = unknown_params(subject, &policy) {
            called.push(Invocation {
                policy,
                binding: None,
                params: Err(format!("failed to configure policy: {why}")),
            });
            continue;
        }
        for binding in bound {
            if !subject.fits(binding.spec().get("matchResources")) {
                continue;
            }
            let each: Vec<Result<Value, String>> = match params(subject, &policy, binding) {
                Ok(params) => params.into_iter().map(Ok).collect(),
                Err(why) => vec![Err(format!("failed to configure binding: {why}"))],
            };
            called.extend(each.into_iter().map(|params| Invocation {
                policy: policy.clone(),
                binding: Some(binding.clone()),
                params,
            }));
        }
    }
    called
}

/// What is wrong with a policy whose parameters are of no kind that is served.
fn unknown_params(subject: &Subject, policy: &Object) -> Option<String> {
    let kind = policy.spec().get("paramKind");
    let (version, name) = (kind.str_at(&["apiVersion"]), kind.str_at(&["kind"]));
    if kind.is_null() || subject.a.api.resource_of_kind(version, name).is_some() {
        return None;
    }
    let (group, version) = split(version);
    Some(format!(
        "failed to find resource referenced by paramKind: '{group}/{version}, Kind={name}'"
    ))
}

/// Whether policies and webhooks look at a resource: not at those of their own kind, which could
/// otherwise lock an administrator out.
fn seen(a: &Attributes) -> bool {
    &*a.target.resource.group != GROUP
}

fn subject<'a, 'b>(a: &'a Attributes<'b>, object: &'a Value) -> Subject<'a, 'b> {
    let name = match object.str_at(&["metadata", "name"]) {
        "" => a.old.map_or(a.target.name.as_str(), Object::name),
        name => name,
    };
    Subject {
        a,
        object: match a.operation {
            Operation::Delete => &Value::Null,
            _ => object,
        },
        name,
    }
}

/// The mutating policies, and then the mutating webhooks.
///
/// # Errors
/// What a policy fails at; 500 for a webhook that cannot be reached.
pub(super) fn mutate(a: &Attributes, object: &mut Value, memory: &mut Reinvocation) -> Result<(), Status> {
    if !seen(a) {
        return Ok(());
    }
    // What matches is looked up for the object as it came.
    let came = object.clone();
    mutating::run(&subject(a, &came), object, memory)?;
    webhooks::call(&subject(a, object), MUTATING_WEBHOOKS).map(|_| ())
}

/// The policies, and then the validating webhooks; the mutating ones too, since a deletion passes nothing else and who
/// asks has to know of those that were not called. `object` is what is deleted, for deletions.
///
/// # Errors
/// What a policy denies; 500 for a webhook that cannot be reached.
pub(super) fn validate(a: &Attributes, object: &Value, warnings: &mut Vec<String>) -> Result<(), Status> {
    if !seen(a) {
        return Ok(());
    }
    let subject = subject(a, object);
    validating::check(&subject, warnings)?;
    for shelf in [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS] {
        warnings.extend(webhooks::call(&subject, shelf)?.iter().map(|n| webhooks::warning(n)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::api::kinds::tests::{post, server};
    use crate::api::{ApiServer, Method, Request};
    use crate::value::{Value, yaml};

    fn made(api: &ApiServer, path: &str, text: &str) -> Value {
        let made = post(api, path, yaml::decode(text).unwrap());
        assert_eq!(made.code, 201, "{text}: {}", made.value().to_json());
        made.value()
    }

    fn message(api: &ApiServer, request: Request) -> String {
        api.serve(request).value().str_at(&["message"]).to_owned()
    }

    const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
    const PODS: &str = "/api/v1/namespaces/default/pods";

    /// An eviction deletes: to policies it is no update of a pod, and there is no new object.
    #[test]
    fn evictions_are_deletions() {
        let api = server();
        for (name, operation, expression) in [
            ("kept", "DELETE", "oldObject.metadata.name != 'kept' || object != null"),
            ("fixed", "UPDATE", "false"),
        ] {
            made(
                &api,
                POLICIES,
                &format!(
                    "{{metadata: {{name: {name}}}, spec: {{matchConstraints: {{resourceRules: [{{apiGroups: [''], \
                     apiVersions: [v1], resources: [pods], operations: [{operation}]}}]}}, \
                     validations: [{{expression: \"{expression}\", message: {name}}}]}}}}"
                ),
            );
            made(
                &api,
                BINDINGS,
                &format!("{{metadata: {{name: {name}}}, spec: {{policyName: {name}, validationActions: [Deny]}}}}"),
            );
        }
        for name in ["kept", "free"] {
            let pod = format!("{{metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: x}}]}}}}");
            made(&api, PODS, &pod);
        }
        let refused =
            "pods \"kept\" is forbidden: ValidatingAdmissionPolicy 'kept' with binding 'kept' denied request: kept";
        assert_eq!(
            message(&api, Request::new(Method::Delete, format!("{PODS}/kept"))),
            refused
        );
        let evict = |name: &str| post(&api, &format!("{PODS}/{name}/eviction"), yaml::decode("{}").unwrap());
        assert_eq!(evict("kept").value().str_at(&["message"]), refused);
        assert_eq!(evict("free").code, 201);
    }

    /// Each object of parameters is asked on its own, and a new version of a policy has its own expressions.
    #[test]
    fn parameters_and_versions() {
        let api = server();
        let policy = |most: &str| {
            yaml::decode(&format!(
                "{{metadata: {{name: p}}, spec: {{paramKind: {{apiVersion: v1, kind: ConfigMap}}, \
                 matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], resources: [pods], \
                 operations: [CREATE]}}]}}, validations: [{{expression: \"{most}\", messageExpression: \
                 \"'not ' + params.data.name + ' in ' + namespaceObject.metadata.name\"}}]}}}}"
            ))
            .unwrap()
        };
        let first = post(&api, POLICIES, policy("object.metadata.name != params.data.name"));
        assert_eq!(first.code, 201, "{}", first.value().to_json());
        made(
            &api,
            BINDINGS,
            "{metadata: {name: b}, spec: {policyName: p, validationActions: [Deny], paramRef: {selector: {}, \
             parameterNotFoundAction: Deny}}}",
        );
        for name in ["one", "two"] {
            let map = format!("{{metadata: {{name: {name}}}, data: {{name: {name}}}}}");
            made(&api, "/api/v1/namespaces/default/configmaps", &map);
        }
        let create = |name: &str| {
            let pod = format!("{{metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: x}}]}}}}");
            let answer = post(&api, PODS, yaml::decode(&pod).unwrap()).value();
            answer.str_at(&["message"]).to_owned()
        };
        let denied = |pod: &str, why: &str| {
            format!(
                "pods \"{pod}\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not {why} \
                 in default"
            )
        };
        assert_eq!(create("one"), denied("one", "one"));
        assert_eq!(create("two"), denied("two", "two"));
        assert_eq!(create("three"), "");
        let mut newer = policy("object.metadata.name == params.data.name");
        let meta = first.value().get("metadata").clone();
        newer.set(&["metadata"], meta);
        let request = Request::new(Method::Put, format!("{POLICIES}/p")).body(crate::api::Body::Value(newer));
        assert_eq!(api.serve(request).code, 200);
        assert_eq!(create("one"), denied("one", "two"));
    }
}
