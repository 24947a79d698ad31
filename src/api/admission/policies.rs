//! `ValidatingAdmissionPolicy`: rules in CEL that an administrator sets; and the webhooks of admission.
//!
//! No webhook runs here: one whose service has ready endpoints is taken to allow everything, one
//! that cannot be reached fails as a real one does.

use crate::flat::FlatMap;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::{Attributes, Operation};
use crate::api::cel::{self, Program, Type, Val};
use crate::api::object::{Object, ObjectKey};
use crate::api::selector::Selector;
use crate::api::server::shelf_name;
use crate::api::status::Status;
use crate::value::Value;
use crate::{list, obj};

const GROUP: &str = "admissionregistration.k8s.io";

/// What of a rule's variables there are: everything but what a policy does not have is of any type.
pub(crate) const VARIABLES: [&str; 7] = [
    "object",
    "oldObject",
    "request",
    "params",
    "namespaceObject",
    "variables",
    "authorizer",
];

/// The variables that an expression may name.
pub(crate) fn variables(params: bool, variables: bool) -> Vec<(&'static str, Type)> {
    VARIABLES
        .into_iter()
        .filter(|n| match *n {
            "params" => params,
            "variables" => variables,
            _ => true,
        })
        .map(|n| (n, Type::Dyn))
        .collect()
}

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
        obj! {
            "dryRun": self.a.request.dry_run(),
            "kind": kind.clone(),
            "name": self.name,
            "namespace": target.namespace.as_str(),
            "operation": self.a.operation.name(),
            "requestKind": kind,
            "requestResource": plural.clone(),
            "requestSubResource": target.subresource.as_str(),
            "resource": plural,
            "subResource": target.subresource.as_str(),
            "userInfo": self.a.request.user.to_value(),
        }
    }

    /// What the expressions read, but for a policy's parameters and variables.
    fn values(&self) -> FlatMap<&'static str, Val> {
        let namespace = self.namespace().map_or(Value::Null, |n| n.value().clone());
        let values = [
            ("object", dynamic(self.object)),
            ("oldObject", dynamic(self.old())),
            ("request", dynamic(&self.request())),
            ("namespaceObject", dynamic(&namespace)),
        ];
        values.into_iter().collect()
    }
}

fn dynamic(value: &Value) -> Val {
    Val::of(value, &Value::Null, false)
}

/// What refuses a request: the sentence, and its reason and code.
struct Denial {
    message: String,
    reason: &'static str,
    code: u16,
}

impl Denial {
    fn error(message: String) -> Denial {
        Denial {
            message,
            reason: "Invalid",
            code: 422,
        }
    }
}

/// The expressions of one version of a policy. Each is compiled when it is first run, for every request after:
/// to parse and check one costs more than to run it.
struct Programs {
    /// The variables that they may name.
    known: Vec<(&'static str, Type)>,
    /// By their texts; the report of what does not compile.
    compiled: RefCell<FlatMap<String, Rc<Result<Program, String>>>>,
}

impl Programs {
    fn of(policy: &Object) -> Rc<Programs> {
        policy.memo(|policy| {
            let spec = policy.spec();
            Programs {
                known: variables(!spec.get("paramKind").is_null(), !spec.get("variables").is_empty()),
                compiled: RefCell::default(),
            }
        })
    }

    fn get(&self, text: &str) -> Rc<Result<Program, String>> {
        let mut compiled = self.compiled.borrow_mut();
        if let Some(program) = compiled.get(text) {
            return program.clone();
        }
        let program = Rc::new(cel::compile(text, &self.known));
        compiled.insert(text.to_owned(), program.clone());
        program
    }
}

/// The expressions of a policy, run against one request and one object of parameters.
struct Evaluation<'a> {
    policy: &'a Object,
    programs: Rc<Programs>,
    values: FlatMap<&'static str, Val>,
    /// Variables that could not be computed, and why.
    failed: RefCell<FlatMap<String, String>>,
}

impl Evaluation<'_> {
    /// Runs an expression.
    fn run(&self, text: &str) -> Result<Val, String> {
        let program = self.programs.get(text);
        let program = program
            .as_ref()
            .as_ref()
            .map_err(|why| format!("compilation failed: {why}"))?;
        if program.uses("authorizer") {
            return Err(format!(
                "expression '{text}' resulted in error: the variable 'authorizer' is not simulated"
            ));
        }
        program.run(&self.values).map_err(|failure| {
            let mut why = failure.to_string();
            if let Some(name) = why.strip_prefix("no such key: ")
                && let Some(cause) = self.failed.borrow().get(name)
            {
                why = format!("composited variable {name:?} fails to evaluate: {cause}");
            }
            format!("expression '{text}' resulted in error: {why}")
        })
    }

    /// Computes `variables`: each may use those before it, and matters only where it is used.
    fn compose(&mut self) {
        let mut known: Vec<(Val, Val)> = Vec::new();
        for variable in self.policy.spec().get("variables").items() {
            self.values.insert("variables", Val::Map(Rc::new(known.clone())));
            let (name, text) = (variable.get("name").str(), variable.get("expression").str());
            match self.run(text) {
                Ok(value) => known.push((Val::Str(name.into()), value)),
                Err(why) => {
                    let prefix = format!("expression '{text}' resulted in error: ");
                    let cause = why.strip_prefix(&prefix).unwrap_or(&why).to_owned();
                    self.failed.borrow_mut().insert(name.to_owned(), cause);
                }
            }
        }
        self.values.insert("variables", Val::Map(Rc::new(known)));
    }

    /// What the policy's validations refuse.
    fn denials(&mut self) -> Vec<Denial> {
        let spec = self.policy.spec().clone();
        let ignores = spec.get("failurePolicy").str() == "Ignore";
        let failure = |why: String| if ignores { None } else { Some(Denial::error(why)) };
        let mut errors = Vec::new();
        for condition in spec.get("matchConditions").items() {
            match self.run(condition.get("expression").str().trim()) {
                Ok(Val::Bool(false)) => return Vec::new(),
                Ok(_) => {}
                Err(why) => errors.push(why),
            }
        }
        match errors.as_slice() {
            [] => {}
            [one] => return failure(one.clone()).into_iter().collect(),
            many => return failure(format!("[{}]", many.join(", "))).into_iter().collect(),
        }
        self.compose();
        let mut denials = Vec::new();
        for validation in spec.get("validations").items() {
            let text = validation.get("expression").str();
            match self.run(text) {
                Ok(Val::Bool(true)) => {}
                Ok(_) => {
                    let (reason, code) = match validation.get("reason").str() {
                        "Forbidden" => ("Forbidden", 403),
                        "Unauthorized" => ("Unauthorized", 401),
                        "RequestEntityTooLarge" => ("RequestEntityTooLarge", 413),
                        _ => ("Invalid", 422),
                    };
                    denials.push(Denial {
                        message: self.message(validation),
                        reason,
                        code,
                    });
                }
                Err(why) => denials.extend(failure(why)),
            }
        }
        denials
    }

    fn message(&self, validation: &Value) -> String {
        let expression = validation.get("messageExpression").str();
        if !expression.is_empty()
            && let Ok(Val::Str(said)) = self.run(expression)
            && !said.trim().is_empty()
            && !said.trim().contains('\n')
        {
            return said.trim().to_owned();
        }
        match validation.get("message").str().trim() {
            "" => format!("failed expression: {}", validation.get("expression").str().trim()),
            message => message.to_owned(),
        }
    }
}

/// The objects of parameters of a binding: one that is null where it names none.
fn params(subject: &Subject, policy: &Object, binding: &Object) -> Result<Vec<Value>, String> {
    let (kind, reference) = (policy.spec().get("paramKind"), binding.spec().get("paramRef"));
    if kind.is_null() || reference.is_null() {
        return Ok(vec![Value::Null]);
    }
    let (version, name) = (kind.str_at(&["apiVersion"]), kind.str_at(&["kind"]));
    let Some(resource) = subject.a.api.resource_of_kind(version, name) else {
        return Err(format!(
            "paramKind kind `&ParamKind{{APIVersion:{version},Kind:{name},}}` not known"
        ));
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

fn policies(subject: &Subject, warnings: &mut Vec<String>) -> Result<(), Status> {
    let store = subject.a.api.store();
    let all = store.list(&format!("validatingadmissionpolicies.{GROUP}"), "");
    if all.is_empty() {
        return Ok(());
    }
    let bindings = store.list(&format!("validatingadmissionpolicybindings.{GROUP}"), "");
    let mut denied: Option<Denial> = None;
    let shared = OnceCell::new();
    for policy in &all {
        if !subject.fits(policy.spec().get("matchConstraints")) {
            continue;
        }
        let own = |b: &&Object| b.spec().get("policyName").str() == policy.name();
        for binding in bindings.iter().filter(own) {
            if !subject.fits(binding.spec().get("matchResources")) {
                continue;
            }
            let who = format!("'{}' with binding '{}'", policy.name(), binding.name());
            let refuse = |d: Denial| Denial {
                message: format!("ValidatingAdmissionPolicy {who} denied request: {}", d.message),
                ..d
            };
            let params = match params(subject, policy, binding) {
                Ok(params) => params,
                Err(_) if policy.spec().get("failurePolicy").str() == "Ignore" => continue,
                Err(why) => {
                    let why = format!("failed to configure binding: {why}");
                    denied.get_or_insert_with(|| refuse(Denial::error(why)));
                    continue;
                }
            };
            for params in params {
                let mut values = shared.get_or_init(|| subject.values()).clone();
                values.insert("params", dynamic(&params));
                let mut evaluation = Evaluation {
                    policy,
                    programs: Programs::of(policy),
                    values,
                    failed: RefCell::default(),
                };
                for denial in evaluation.denials() {
                    let actions = binding.spec().get("validationActions").items();
                    if actions.iter().any(|a| a.str() == "Warn") {
                        warnings.push(format!(
                            "Validation failed for ValidatingAdmissionPolicy {who}: {}",
                            denial.message
                        ));
                    }
                    if actions.iter().any(|a| a.str() == "Deny") {
                        denied.get_or_insert_with(|| refuse(denial));
                    }
                }
            }
        }
    }
    match denied {
        None => Ok(()),
        Some(d) => {
            let target = subject.a.target;
            let resource = &target.resource;
            let status = Status::forbidden(&resource.group, &resource.name, subject.name, &d.message);
            Err(status.for_reason(d.code, d.reason, list![obj! { "message": d.message }]))
        }
    }
}

/// Calls the webhooks of a configuration kind, as far as that fails.
fn webhooks(subject: &Subject, kind: &str) -> Result<(), Status> {
    let store = subject.a.api.store();
    for configuration in store.list(&format!("{kind}.{GROUP}"), "") {
        for hook in configuration.value().get("webhooks").items() {
            let rules = hook.get("rules").items();
            if hook.get("failurePolicy").str() == "Ignore"
                || !rules.iter().any(|r| subject.fits_rule(r))
                || !subject.fits_selectors(hook)
            {
                continue;
            }
            let client = hook.get("clientConfig");
            let timeout = hook.i64_at(&["timeoutSeconds"]).unwrap_or(10);
            let service = client.get("service");
            let (url, why) = if service.is_null() {
                let url = client.str_at(&["url"]);
                let host = url.split("://").nth(1).unwrap_or(url);
                let host = host.split(['/', ':']).next().unwrap_or(host);
                (url.to_owned(), format!("dial tcp: lookup {host}: no such host"))
            } else {
                let (name, namespace) = (service.str_at(&["name"]), service.str_at(&["namespace"]));
                let port = service.i64_at(&["port"]).unwrap_or(443);
                let url = format!(
                    "https://{name}.{namespace}.svc:{port}/{}",
                    service.str_at(&["path"]).trim_start_matches('/')
                );
                let why = match store.get("services", &ObjectKey::new(namespace, name)) {
                    None => format!("service {name:?} not found"),
                    Some(_) if answers(subject, namespace, name) => continue,
                    Some(found) => format!(
                        "dial tcp {}:{port}: connect: connection refused",
                        found.spec().get("clusterIP").str()
                    ),
                };
                (url, why)
            };
            return Err(Status::internal(format!(
                "failed calling webhook {:?}: failed to call webhook: Post \"{url}?timeout={timeout}s\": {why}",
                hook.get("name").str()
            )));
        }
    }
    Ok(())
}

/// Whether something stands behind a service.
fn answers(subject: &Subject, namespace: &str, service: &str) -> bool {
    let slices = subject.a.api.store().list("endpointslices.discovery.k8s.io", namespace);
    let ready = |e: &Value| e.at(&["conditions", "ready"]).as_bool() != Some(false);
    slices
        .iter()
        .filter(|s| s.labels().get("kubernetes.io/service-name").str() == service)
        .any(|s| s.value().get("endpoints").items().iter().any(ready))
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

/// The mutating webhooks.
///
/// # Errors
/// 500 for one that cannot be reached.
pub(super) fn mutate(a: &Attributes, object: &Value) -> Result<(), Status> {
    if !seen(a) {
        return Ok(());
    }
    webhooks(&subject(a, object), "mutatingwebhookconfigurations")
}

/// The policies, and then the validating webhooks. `object` is what is deleted, for deletions.
///
/// # Errors
/// What a policy denies; 500 for a webhook that cannot be reached.
pub(super) fn validate(a: &Attributes, object: &Value, warnings: &mut Vec<String>) -> Result<(), Status> {
    if !seen(a) {
        return Ok(());
    }
    let subject = subject(a, object);
    policies(&subject, warnings)?;
    webhooks(&subject, "validatingwebhookconfigurations")
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
