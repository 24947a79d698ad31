//! Admission by what an administrator sets: policies in CEL that mutate or validate, and webhooks.

pub(crate) mod expressions;
mod mutating;
pub(crate) mod typecheck;
mod validating;
mod webhooks;

pub(in crate::api::admission) use mutating::Reinvocation;

use std::rc::Rc;

use super::{Attributes, Operation};
use crate::api::kinds::versions;
use crate::api::object::{Object, ObjectKey};
use crate::api::request::Method;
use crate::api::resource::{Resource, split};
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
    /// What a policy's rules name, where it is not what the request names: the same resource in another version.
    matched: Option<Rc<Resource>>,
    /// The present version, where it is shown in another version than it is kept in.
    old: Option<Value>,
}

/// The object in the version of a resource. One of a kind of its own (a `Scale`, an `Eviction`) has no part in the
/// resource's versions and stays as it is.
fn converted(a: &Attributes, value: &Value, to: &Resource) -> Value {
    if a.apart {
        return value.clone();
    }
    let version = to.api_version();
    let mut value = value.clone();
    match versions::of(to) {
        _ if value.is_null() || value.str_at(&["apiVersion"]) == version => value,
        Some(versions) => versions.shown(&value, to),
        // Versions of a custom resource differ by their name alone (strategy `None`).
        None => {
            value.set(&["apiVersion"], version);
            value
        }
    }
}

impl Subject<'_, '_> {
    fn old(&self) -> &Value {
        match &self.old {
            Some(old) => old,
            None => self.a.old.map_or(&Value::Null, Object::value),
        }
    }

    /// The resource as the policy sees it.
    fn resource(&self) -> &Rc<Resource> {
        self.matched.as_ref().unwrap_or(&self.a.target.resource)
    }

    /// The versions and groups besides the request's own in which its objects are served.
    fn equivalents(&self) -> Vec<Rc<Resource>> {
        let own = &self.a.target.resource;
        let shelf = shelf_name(own);
        let all = self.a.api.resources();
        let others = all.iter().filter(|r| {
            r.name == own.name && (r.group != own.group || r.version != own.version) && shelf_name(r) == shelf
        });
        others.cloned().collect()
    }

    /// The resource that one of these rules names: the request's own, or by `matchPolicy: Equivalent` another version
    /// of it.
    fn named_by(&self, rules: &Value, policy: &Value) -> Option<Rc<Resource>> {
        let rules = rules.items();
        let own = &self.a.target.resource;
        if rules.iter().any(|r| self.fits_rule(r, own)) {
            return Some(own.clone());
        }
        if policy.str() == "Exact" || rules.is_empty() {
            return None;
        }
        let others = self.equivalents();
        rules
            .iter()
            .find_map(|rule| others.iter().find(|other| self.fits_rule(rule, other)))
            .cloned()
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

    /// Whether a rule of resources and operations names the request, its resource taken to be this one.
    fn fits_rule(&self, rule: &Value, of: &Resource) -> bool {
        let target = self.a.target;
        // Of `proxy/…` the rest is a path.
        let sub = target.subresource.split('/').next().unwrap_or("");
        let resource = &*of.name;
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
        one("apiGroups", &of.group)
            && one("apiVersions", &of.version)
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
        // What has no metadata has no labels to look at.
        let fits = |v: &Value| v.has("metadata") && selector.matches(v.at(&["metadata", "labels"]));
        fits(self.object) || fits(self.old())
    }

    /// What `spec.matchConstraints` of a policy, `spec.matchResources` of a binding matches, if anything.
    fn fits(&self, constraints: &Value) -> Option<Rc<Resource>> {
        let named = |list: &str| self.named_by(constraints.get(list), constraints.get("matchPolicy"));
        if !self.fits_selectors(constraints) || named("excludeResourceRules").is_some() {
            return None;
        }
        match constraints.get("resourceRules").is_empty() {
            true => Some(self.a.target.resource.clone()),
            false => named("resourceRules"),
        }
    }

    /// `request` of the expressions (`AdmissionRequest`).
    fn request(&self) -> Value {
        let target = self.a.target;
        let kind_of = |resource: &Resource| {
            let (group, version, kind) = match self.a.apart {
                true => {
                    let (group, version) = split(self.object.str_at(&["apiVersion"]));
                    (group, version, self.object.get("kind").str())
                }
                false => (&*resource.group, &*resource.version, &*resource.kind),
            };
            obj! { "group": group, "kind": kind, "version": version }
        };
        let plural_of = |resource: &Resource| {
            obj! {
                "group": &*resource.group,
                "resource": &*resource.name,
                "version": &*resource.version,
            }
        };
        let mut request = obj! {
            "dryRun": self.a.request.dry_run(),
            "kind": kind_of(self.resource()),
            "operation": self.a.operation.name(),
            "options": self.options(),
            "requestKind": kind_of(&target.resource),
            "requestResource": plural_of(&target.resource),
            "resource": plural_of(self.resource()),
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
            (Operation::Connect, _) => return Value::Null,
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
    /// The resource that the policy's rules name, where it is not the request's own.
    matched: Option<Rc<Resource>>,
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
        if bound.is_empty() {
            continue;
        }
        let Some(matched) = subject.fits(policy.spec().get("matchConstraints")) else {
            continue;
        };
        let own = &subject.a.target.resource;
        let matched = Some(matched).filter(|m| m.group != own.group || m.version != own.version);
        if let Some(why) = unknown_params(subject, &policy) {
            called.push(Invocation {
                policy,
                binding: None,
                params: Err(format!("failed to configure policy: {why}")),
                matched,
            });
            continue;
        }
        for binding in bound {
            if subject.fits(binding.spec().get("matchResources")).is_none() {
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
                matched: matched.clone(),
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
        matched: None,
        old: None,
    }
}

/// The object as it is kept is shown as the request's version has it; where that is the same, `None`.
fn in_own_version(a: &Attributes, object: &Value) -> Option<Value> {
    let resource = &a.target.resource;
    let other = !a.apart && object.has("apiVersion") && object.str_at(&["apiVersion"]) != resource.api_version();
    other.then(|| converted(a, object, resource))
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
    let kept = object.str_at(&["apiVersion"]).to_owned();
    if let Some(shown) = in_own_version(a, object) {
        *object = shown;
    }
    let came = object.clone();
    let mut asked = subject(a, &came);
    asked.old = a.old.and_then(|old| in_own_version(a, old.value()));
    let result = mutating::run(&asked, object, memory);
    if !a.apart && object.has("apiVersion") && object.str_at(&["apiVersion"]) != kept {
        *object = match versions::of(&a.target.resource) {
            Some(versions) => versions.kept(object),
            None => {
                let mut object = object.clone();
                object.set(&["apiVersion"], kept);
                object
            }
        };
    }
    result?;
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
    let shown = in_own_version(a, object);
    let mut subject = subject(a, shown.as_ref().unwrap_or(object));
    subject.old = a.old.and_then(|old| in_own_version(a, old.value()));
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
    use crate::{list, obj};

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

    fn bound(api: &ApiServer, name: &str, rules: &str, expression: &str) {
        made(
            api,
            POLICIES,
            &format!(
                "{{metadata: {{name: {name}}}, spec: {{matchConstraints: {{resourceRules: [{rules}]}}, \
                 validations: [{{expression: \"{expression}\", message: {name}}}]}}}}"
            ),
        );
        made(
            api,
            BINDINGS,
            &format!("{{metadata: {{name: {name}}}, spec: {{policyName: {name}, validationActions: [Deny]}}}}"),
        );
    }

    /// An eviction is posted: of the deletion that it leads to policies see nothing.
    #[test]
    fn evictions_are_no_deletions() {
        let api = server();
        let pods = |operation: &str, resource: &str| {
            format!("{{apiGroups: [''], apiVersions: [v1], resources: [{resource}], operations: [{operation}]}}")
        };
        bound(
            &api,
            "kept",
            &pods("DELETE", "pods"),
            "oldObject.metadata.name != 'kept' || object != null",
        );
        bound(&api, "fixed", &pods("UPDATE", "pods"), "false");
        bound(
            &api,
            "stays",
            &pods("CREATE", "pods/eviction"),
            "request.kind.kind == 'Eviction' && request.kind.group == 'policy' && request.name != 'stays'",
        );
        for name in ["kept", "stays"] {
            let pod = format!("{{metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: x}}]}}}}");
            made(&api, PODS, &pod);
        }
        let refused = |name: &str| {
            format!(
                "pods \"{name}\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {name}"
            )
        };
        assert_eq!(
            message(&api, Request::new(Method::Delete, format!("{PODS}/kept"))),
            refused("kept")
        );
        let evict = |name: &str| {
            let eviction = format!("{{metadata: {{name: {name}}}}}");
            post(
                &api,
                &format!("{PODS}/{name}/eviction"),
                yaml::decode(&eviction).unwrap(),
            )
        };
        assert_eq!(evict("stays").value().str_at(&["message"]), refused("stays"));
        assert_eq!(evict("kept").code, 201);
    }

    /// What goes through a subresource is seen as what it is, by rules that name the subresource alone.
    #[test]
    fn subresources() {
        let api = server();
        let rule = |group: &str, resources: &str, operations: &str| {
            format!(
                "{{apiGroups: ['{group}'], apiVersions: [v1], resources: [{resources}], operations: [{operations}]}}"
            )
        };
        let web = "/apis/apps/v1/namespaces/default/deployments";
        made(
            &api,
            web,
            "{metadata: {name: web}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: \
             {containers: [{name: c, image: x}]}}}}",
        );
        made(
            &api,
            PODS,
            "{metadata: {name: p}, spec: {containers: [{name: c, image: x}]}}",
        );
        made(
            &api,
            "/api/v1/namespaces/default/serviceaccounts",
            "{metadata: {name: sa}}",
        );
        bound(&api, "whole", &rule("apps", "deployments", "UPDATE"), "false");
        bound(
            &api,
            "scale",
            &rule("apps", "deployments/scale", "UPDATE"),
            "object.kind == 'Scale' && object.spec.replicas <= 3 && oldObject.spec.replicas == 1 && request.kind.group == \
             'autoscaling' && request.resource.resource == 'deployments' && request.subResource == 'scale'",
        );
        bound(
            &api,
            "bind",
            &rule("", "pods/binding", "CREATE"),
            "object.target.name != 'nowhere'",
        );
        bound(
            &api,
            "token",
            &rule("", "serviceaccounts/token", "CREATE"),
            "object.spec.expirationSeconds == 3600",
        );
        bound(
            &api,
            "exec",
            &rule("", "'pods/exec', 'pods/proxy', 'pods/portforward'", "CONNECT"),
            "request.operation == 'CONNECT' && request.subResource == 'exec' && object.command[0] == 'ls' && oldObject == null",
        );
        let answer = |method: Method, path: &str, body: &str| {
            let mut request = Request::new(method, path).body(crate::api::Body::Value(yaml::decode(body).unwrap()));
            request.content_type = "application/merge-patch+json".into();
            let answer = api.serve(request).value();
            let message = answer.str_at(&["message"]);
            message.rsplit(" with binding ").next().unwrap_or("").to_owned()
        };
        let rows = [
            (
                Method::Patch,
                format!("{web}/web/scale"),
                "{spec: {replicas: 4}}",
                "'scale' denied request: scale",
            ),
            (Method::Patch, format!("{web}/web/scale"), "{spec: {replicas: 3}}", ""),
            (
                Method::Patch,
                format!("{web}/web"),
                "{spec: {replicas: 2}}",
                "'whole' denied request: whole",
            ),
            (
                Method::Post,
                format!("{PODS}/p/binding"),
                "{metadata: {name: p}, target: {name: nowhere}}",
                "'bind' denied request: bind",
            ),
            (
                Method::Post,
                "/api/v1/namespaces/default/serviceaccounts/sa/token".to_owned(),
                "{spec: {expirationSeconds: 7200}}",
                "'token' denied request: token",
            ),
            (
                Method::Post,
                "/api/v1/namespaces/default/serviceaccounts/sa/token".to_owned(),
                "{spec: {}}",
                "",
            ),
        ];
        for (method, path, body, expected) in rows {
            assert_eq!(answer(method, &path, body), expected, "{path} {body}");
        }
        for (path, expected) in [
            ("exec?command=rm", "'exec' denied request: exec"),
            ("exec?command=ls", "pod p does not have a host assigned"),
            ("portforward", "'exec' denied request: exec"),
            ("proxy/x", "'exec' denied request: exec"),
        ] {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let mut request = Request::new(Method::Get, format!("{PODS}/p/{path}"));
            if let Some((key, value)) = query.split_once('=') {
                request.query.push((key.into(), value.into()));
            }
            let message = message(&api, request);
            assert_eq!(message.rsplit(" with binding ").next(), Some(expected), "{path}");
        }
    }

    /// A rule for one version of a resource matches another by default, and sees the object in its own.
    #[test]
    fn equivalent_versions() {
        let api = server();
        let autoscalers = |version: &str, policy: &str, name: &str, expression: &str| {
            made(
                &api,
                POLICIES,
                &format!(
                    "{{metadata: {{name: {name}}}, spec: {{matchConstraints: {{matchPolicy: {policy}, resourceRules: \
                     [{{apiGroups: [autoscaling], apiVersions: [{version}], resources: [horizontalpodautoscalers], operations: \
                     [CREATE]}}]}}, validations: [{{expression: \"{expression}\", message: {name}}}]}}}}"
                ),
            );
            made(
                &api,
                BINDINGS,
                &format!("{{metadata: {{name: {name}}}, spec: {{policyName: {name}, validationActions: [Deny]}}}}"),
            );
        };
        autoscalers("v1", "Exact", "exact", "false");
        autoscalers(
            "v1",
            "Equivalent",
            "old",
            "object.spec.targetCPUUtilizationPercentage < 60 && request.kind.version == 'v1' && \
             request.requestKind.version == 'v2'",
        );
        let create = |percent: u32| {
            let text = format!(
                "{{metadata: {{name: h}}, spec: {{maxReplicas: 3, scaleTargetRef: {{kind: Deployment, name: web, apiVersion: \
                 apps/v1}}, metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, \
                 averageUtilization: {percent}}}}}}}]}}}}"
            );
            let path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
            post(&api, path, yaml::decode(&text).unwrap())
        };
        assert_eq!(
            create(70).value().str_at(&["message"]),
            "horizontalpodautoscalers.autoscaling \"h\" is forbidden: ValidatingAdmissionPolicy 'old' with binding 'old' \
             denied request: old"
        );
        assert_eq!(create(50).code, 201);
    }

    /// A `Scale` has versions of its own, whatever version of its object's resource a rule names.
    #[test]
    fn equivalent_versions_of_a_scale() {
        let api = server();
        let version = |name: &str, storage: bool| {
            format!(
                "{{name: {name}, served: true, storage: {storage}, schema: {{openAPIV3Schema: {{type: object, properties: \
                 {{spec: {{type: object, properties: {{replicas: {{type: integer}}}}}}}}}}}}, subresources: {{scale: \
                 {{specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}}}}}"
            )
        };
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let mut definition = made(
            &api,
            definitions,
            &format!(
                "{{metadata: {{name: things.a.io}}, spec: {{group: a.io, scope: Namespaced, names: {{plural: things, kind: \
                 Thing}}, versions: [{}, {}]}}}}",
                version("v1", true),
                version("v2", false)
            ),
        );
        let names = definition.at(&["spec", "names"]).clone();
        definition.set(&["status", "acceptedNames"], names);
        definition.set(
            &["status", "conditions"],
            list![obj! { "type": "Established", "status": "True" }],
        );
        let request = Request::new(Method::Put, format!("{definitions}/things.a.io/status"));
        assert_eq!(api.serve(request.body(crate::api::Body::Value(definition))).code, 200);
        let things = "/apis/a.io/v2/namespaces/default/things";
        made(
            &api,
            things,
            "{apiVersion: a.io/v2, kind: Thing, metadata: {name: t}, spec: {replicas: 1}}",
        );
        bound(
            &api,
            "scale",
            "{apiGroups: [a.io], apiVersions: [v1], resources: [things/scale], operations: [UPDATE]}",
            "object.apiVersion == 'autoscaling/v1' && oldObject.apiVersion == 'autoscaling/v1' && object.spec.replicas <= 3",
        );
        let scale = |replicas: u32| {
            let body = obj! { "spec": obj! { "replicas": replicas } };
            let mut request = Request::new(Method::Patch, format!("{things}/t/scale"));
            request.content_type = "application/merge-patch+json".into();
            let answer = message(&api, request.body(crate::api::Body::Value(body)));
            answer.rsplit(" with binding ").next().unwrap_or("").to_owned()
        };
        assert_eq!(scale(3), "");
        assert_eq!(scale(4), "'scale' denied request: scale");
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
