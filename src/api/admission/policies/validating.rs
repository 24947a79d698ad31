//! `ValidatingAdmissionPolicy`.

use std::cell::OnceCell;

use super::expressions::{Evaluation, Matched, Role, values};
use super::{Subject, converted, invocations};
use crate::api::cel::Val;
use crate::api::object::Object;
use crate::api::status::Status;
use crate::limits;
use crate::value::Value;
use crate::{list, obj};

/// What refuses a request: the sentence, and its reason and code.
struct Denial {
    message: String,
    reason: &'static str,
    code: u16,
    /// Whether it counts whatever the binding's actions are.
    always: bool,
}

impl Denial {
    fn error(message: String) -> Denial {
        Denial {
            message,
            reason: "Invalid",
            code: 422,
            always: false,
        }
    }
}

/// What a policy refuses of a request.
fn denials(evaluation: &mut Evaluation, policy: &Object) -> Vec<Denial> {
    let spec = policy.spec();
    let ignores = spec.get("failurePolicy").str() == "Ignore";
    let failure = |why: String| if ignores { None } else { Some(Denial::error(why)) };
    match evaluation.matches() {
        Matched::No => return Vec::new(),
        Matched::Failed(why) => return failure(why).into_iter().collect(),
        Matched::Yes => evaluation.compose(),
    }
    let mut denials = Vec::new();
    for validation in spec.get("validations").items() {
        match evaluation.run(validation.get("expression").str(), Role::Rule) {
            Ok(Val::Bool(true)) => {}
            Ok(_) => {
                let (reason, code) = match validation.get("reason").str() {
                    "Forbidden" => ("Forbidden", 403),
                    "Unauthorized" => ("Unauthorized", 401),
                    "RequestEntityTooLarge" => ("RequestEntityTooLarge", 413),
                    _ => ("Invalid", 422),
                };
                denials.push(Denial {
                    message: message(evaluation, validation),
                    reason,
                    code,
                    always: false,
                });
            }
            Err(why) => denials.extend(failure(why)),
        }
    }
    // There is no audit log that annotations would stand in, but what fails in them refuses.
    evaluation.forget_permissions();
    for annotation in spec.get("auditAnnotations").items() {
        if let Err(why) = evaluation.run(annotation.get("valueExpression").str().trim(), Role::Rule) {
            denials.extend(failure(why).map(|d| Denial { always: true, ..d }));
        }
    }
    denials
}

fn message(evaluation: &Evaluation, validation: &Value) -> String {
    let expression = validation.get("messageExpression").str();
    if !expression.is_empty()
        && let Ok(Val::Str(said)) = evaluation.run(expression, Role::Message)
        && !said.trim().is_empty()
        && !said.trim().contains('\n')
        && said.trim().len() <= limits::CEL_MESSAGE_BYTES
    {
        return said.trim().to_owned();
    }
    match validation.get("message").str().trim() {
        "" => format!("failed expression: {}", validation.get("expression").str().trim()),
        message => message.to_owned(),
    }
}

/// Asks all policies that look at the request.
///
/// # Errors
/// The first denial.
pub(super) fn check(subject: &Subject, warnings: &mut Vec<String>) -> Result<(), Status> {
    let mut denied: Option<(String, Denial)> = None;
    let shared = OnceCell::new();
    for called in invocations(
        subject,
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    ) {
        let policy = &called.policy;
        let who = match &called.binding {
            Some(binding) => format!("'{}' with binding '{}'", policy.name(), binding.name()),
            None => format!("'{}'", policy.name()),
        };
        let params = match called.params {
            Ok(params) => params,
            Err(_) if policy.spec().get("failurePolicy").str() == "Ignore" => continue,
            Err(why) => {
                denied.get_or_insert_with(|| (who, Denial::error(why)));
                continue;
            }
        };
        let mut evaluation = match &called.matched {
            None => {
                let values = shared.get_or_init(|| values(subject)).clone();
                Evaluation::new(policy, values, subject.object, &params)
            }
            Some(matched) => {
                let object = converted(subject.a, subject.object, matched);
                let other = Subject {
                    object: &object,
                    matched: Some(matched.clone()),
                    old: Some(converted(subject.a, subject.old(), matched)),
                    ..*subject
                };
                Evaluation::new(policy, values(&other), &object, &params)
            }
        };
        let actions = called
            .binding
            .as_ref()
            .map_or(&[][..], |b| b.spec().get("validationActions").items());
        let wants = |action: &str| actions.iter().any(|a| a.str() == action);
        for denial in denials(&mut evaluation, policy) {
            if wants("Warn") && !denial.always {
                warnings.push(format!(
                    "Validation failed for ValidatingAdmissionPolicy {who}: {}",
                    denial.message
                ));
            }
            if wants("Deny") || denial.always {
                denied.get_or_insert_with(|| (who.clone(), denial));
            }
        }
    }
    let Some((who, d)) = denied else { return Ok(()) };
    let message = format!("ValidatingAdmissionPolicy {who} denied request: {}", d.message);
    let resource = &subject.a.target.resource;
    let status = Status::forbidden(&resource.group, &resource.name, subject.name, &message);
    Err(status.for_reason(d.code, d.reason, list![obj! { "message": message }]))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::api::auth::Mode;
    use crate::api::kinds::tests::{post, server};
    use crate::api::{ApiServer, Body, Method, Request, User};
    use crate::value::yaml;

    /// A policy about ConfigMaps with this spec, bound with these actions.
    fn bind(api: &ApiServer, name: &str, spec: &str, actions: &str) {
        let group = "/apis/admissionregistration.k8s.io/v1";
        let mut policy = yaml::decode(&format!(
            "{{metadata: {{name: {name}}}, spec: {{matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], \
             resources: [configmaps], operations: [CREATE, UPDATE]}}]}}}}}}"
        ))
        .unwrap();
        crate::api::patch::merge(policy.at_mut(&["spec"]), &yaml::decode(spec).unwrap());
        let binding = yaml::decode(&format!(
            "{{metadata: {{name: {name}}}, spec: {{policyName: {name}, validationActions: {actions}}}}}"
        ));
        for (kind, object) in [
            ("validatingadmissionpolicies", policy),
            ("validatingadmissionpolicybindings", binding.unwrap()),
        ] {
            let mut request = Request::new(Method::Post, format!("{group}/{kind}")).body(Body::Value(object));
            request.user = User::system("test");
            let answer = api.serve(request);
            assert_eq!(answer.code, 201, "{spec}: {}", answer.value().to_json());
        }
    }

    /// What is answered when a user makes a ConfigMap, with the warnings.
    fn create(api: &ApiServer, user: User) -> String {
        let map = yaml::decode("{metadata: {name: m}, data: {k: v}}").unwrap();
        let path = "/api/v1/namespaces/default/configmaps";
        let mut request = Request::new(Method::Post, path).body(Body::Value(map));
        request.user = user;
        let answer = api.serve(request);
        let mut text = match answer.code {
            201 => "made".to_owned(),
            code => format!("{code} {}", answer.value().str_at(&["message"])),
        };
        for warning in &answer.warnings {
            text.push_str(&format!("\n! {warning}"));
        }
        text
    }

    /// `authorizer` asks the cluster's roles, for who made the request or for a service account.
    #[test]
    fn permissions() {
        let api = server();
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        for (kind, text) in [
            (
                "clusterroles",
                "{metadata: {name: maker}, rules: [{apiGroups: [''], resources: [configmaps], verbs: [create]}, {apiGroups: \
                 [apps], resources: [deployments/scale], resourceNames: [web], verbs: [get]}, {nonResourceURLs: [/healthz], \
                 verbs: [get]}]}",
            ),
            (
                "clusterrolebindings",
                "{metadata: {name: maker}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: maker}, \
                 subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}, {kind: ServiceAccount, name: bot, \
                 namespace: ci}]}",
            ),
        ] {
            assert_eq!(
                post(&api, &format!("{rbac}/{kind}"), yaml::decode(text).unwrap()).code,
                201
            );
        }
        api.authorizer().set_mode(Mode::NodeRbac);
        let rows = [
            ("authorizer.requestResource.check('create').allowed()", "true"),
            ("authorizer.requestResource.check('delete').allowed()", "false"),
            (
                "authorizer.group('').resource('configmaps').namespace('x').check('create').allowed()",
                "true",
            ),
            (
                "authorizer.group('').resource('configmaps').check('create').reason()",
                "RBAC: allowed by ClusterRoleBinding \"maker\" of ClusterRole \"maker\" to User \"jane\"",
            ),
            ("authorizer.group('').resource('secrets').check('create').reason()", ""),
            (
                "authorizer.group('apps').resource('deployments').subresource('scale').name('web').check('get').allowed()",
                "true",
            ),
            (
                "authorizer.group('apps').resource('deployments').subresource('scale').check('get').allowed()",
                "false",
            ),
            (
                "authorizer.group('').resource('configmaps').labelSelector('a=b').check('create').errored()",
                "false",
            ),
            ("authorizer.path('/healthz').check('get').allowed()", "true"),
            ("authorizer.path('/livez').check('get').error()", ""),
            (
                "authorizer.serviceAccount('ci', 'bot').group('').resource('configmaps').check('create').allowed()",
                "true",
            ),
            (
                "authorizer.serviceAccount('ci', 'cat').group('').resource('configmaps').check('create').allowed()",
                "false",
            ),
            (
                "authorizer.serviceAccount('ci', 'B!').path('/').check('get').allowed()",
                "! Invalid service account name",
            ),
            (
                "authorizer.group('').resource(' ').check('get').allowed()",
                "! resource must not be empty",
            ),
            ("authorizer.path('').check('get').allowed()", "! path must not be empty"),
        ];
        for (i, (text, want)) in rows.into_iter().enumerate() {
            let name = format!("p{i:02}");
            let rule = format!("string({text}) == '{}'", want.trim_start_matches("! "));
            bind(
                &api,
                &name,
                &format!(
                    "{{validations: [{{expression: {}}}]}}",
                    crate::value::gofmt::quote(&rule)
                ),
                "[Deny]",
            );
            let got = create(&api, User::new("jane", []));
            let error = format!(
                "expression '{rule}' resulted in error: {}",
                want.trim_start_matches("! ")
            );
            if want.starts_with('!') {
                assert!(got.ends_with(&error), "{got}");
            } else {
                assert_eq!(got, "made", "{text}");
            }
            for path in [
                format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}"),
                "/api/v1/namespaces/default/configmaps/m".to_owned(),
            ] {
                let mut request = Request::new(Method::Delete, path);
                request.user = User::system("test");
                api.serve(request);
            }
        }
    }

    /// Of a violation the binding's actions decide; of an error in an audit annotation the failure policy alone.
    #[test]
    fn actions_and_annotations() {
        let rows = [
            (
                "{validations: [{expression: 'false', message: wrong}]}",
                "[Warn, Audit]",
            ),
            (
                "{validations: [{expression: 'false', messageExpression: \"'is ' + object.data.k\"}]}",
                "[Deny, Audit]",
            ),
            (
                "{validations: [{expression: 'false', message: m, messageExpression: object.data.x + ''}]}",
                "[Deny]",
            ),
            (
                "{validations: [{expression: 'false'}, {expression: 'object.data.x == \"\"'}]}",
                "[Warn]",
            ),
            (
                "{validations: [{expression: 'true'}], auditAnnotations: [{key: a, valueExpression: 'object.data.x + \"\"'}]}",
                "[Audit]",
            ),
            (
                "{failurePolicy: Ignore, auditAnnotations: [{key: a, valueExpression: 'object.data.x + \"\"'}]}",
                "[Audit]",
            ),
            (
                "{auditAnnotations: [{key: a, valueExpression: 'has(object.data.k) ? \"x\" : \"y\"'}]}",
                "[Audit]",
            ),
            (
                "{paramKind: {apiVersion: a.io/v1, kind: Nope}, validations: [{expression: 'true'}]}",
                "[Warn]",
            ),
        ];
        let mut out = String::new();
        for (spec, actions) in rows {
            let api = server();
            bind(&api, "p", spec, actions);
            out.push_str(&format!(
                "{spec} {actions}\n=> {}\n",
                create(&api, User::system("test"))
            ));
        }
        expect![[r#"
            {validations: [{expression: 'false', message: wrong}]} [Warn, Audit]
            => made
            ! Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': wrong
            {validations: [{expression: 'false', messageExpression: "'is ' + object.data.k"}]} [Deny, Audit]
            => 422 configmaps "m" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: is v
            {validations: [{expression: 'false', message: m, messageExpression: object.data.x + ''}]} [Deny]
            => 422 configmaps "m" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: m
            {validations: [{expression: 'false'}, {expression: 'object.data.x == ""'}]} [Warn]
            => made
            ! Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': failed expression: false
            ! Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': expression 'object.data.x == ""' resulted in error: no such key: x
            {validations: [{expression: 'true'}], auditAnnotations: [{key: a, valueExpression: 'object.data.x + ""'}]} [Audit]
            => 422 configmaps "m" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: expression 'object.data.x + ""' resulted in error: no such key: x
            {failurePolicy: Ignore, auditAnnotations: [{key: a, valueExpression: 'object.data.x + ""'}]} [Audit]
            => made
            {auditAnnotations: [{key: a, valueExpression: 'has(object.data.k) ? "x" : "y"'}]} [Audit]
            => made
            {paramKind: {apiVersion: a.io/v1, kind: Nope}, validations: [{expression: 'true'}]} [Warn]
            => 422 configmaps "m" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'a.io/v1, Kind=Nope'
        "#]].assert_eq(&out);
    }
}
