//! The kinds of `admissionregistration.k8s.io`: policies in CEL, their bindings, and webhooks.

use super::{age_cell, edit, edit_items, set_default, set_default_zero, workload};
use crate::api::admission::policies::expressions;
use crate::api::cel::{self, Type};
use crate::api::names;
use crate::api::object::Object;
use crate::api::selector::go_text;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::flat::{Case, FlatSet};
use crate::sim::Time;
use crate::value::Value;

fn constraint_defaults(constraints: &mut Value) {
    set_default_zero(constraints, "matchPolicy", "Equivalent");
    for part in ["namespaceSelector", "objectSelector"] {
        set_default(constraints, part, Value::map());
    }
    for list in ["resourceRules", "excludeResourceRules"] {
        edit_items(constraints, list, |rule| set_default(rule, "scope", "*"));
    }
}

fn rule_with_operations(rule: &Value, at: &str, errors: &mut FieldErrors) {
    let operations = rule.get("operations").items();
    if operations.is_empty() {
        errors.required(format!("{at}.operations"), "");
    }
    if operations.len() > 1 && operations.iter().any(|o| o.str() == "*") {
        let why = "if '*' is present, must not specify other operations";
        errors.invalid(format!("{at}.operations"), rule.get("operations"), why);
    }
    for (i, operation) in operations.iter().enumerate() {
        let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        errors.enumerated(format!("{at}.operations[{i}]"), operation, &known);
    }
    for list in ["apiGroups", "apiVersions", "resources"] {
        let items = rule.get(list).items();
        let at = format!("{at}.{list}");
        if items.is_empty() {
            errors.required(&at, "");
        }
        let wild = |v: &Value| v.str() == "*";
        if list != "resources" && items.len() > 1 && items.iter().any(wild) {
            let what = if list == "apiGroups" {
                "API groups"
            } else {
                "API versions"
            };
            let why = format!("if '*' is present, must not specify other {what}");
            errors.invalid(&at, rule.get(list), why);
        }
        for (i, item) in items.iter().enumerate() {
            if item.is_empty() && list != "apiGroups" {
                errors.required(format!("{at}[{i}]"), "");
            }
        }
    }
    resources_apart(rule.get("resources"), &format!("{at}.resources"), errors);
    let known = ["*", "Cluster", "Namespaced"];
    errors.enumerated(format!("{at}.scope"), rule.get("scope"), &known);
}

/// Resources that a wildcard beside them names already (`validateResources`).
fn resources_apart(list: &Value, at: &str, errors: &mut FieldErrors) {
    let items = list.items();
    let (mut whole, mut parts): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    // Go looks at the last one without a part.
    let mut plain = false;
    for (i, item) in items.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
        let text = item.str();
        let Some((resource, part)) = text.split_once('/') else {
            plain = text != "*";
            continue;
        };
        for (known, wildcard) in [
            (whole.contains(&resource), format!("{resource}/*")),
            (parts.contains(&part), format!("*/{part}")),
        ] {
            if known {
                let why = format!("if '{wildcard}' is present, must not specify {text}");
                errors.invalid(format!("{at}[{i}]"), item, why);
            }
        }
        if part == "*" {
            whole.push(resource);
        }
        if resource == "*" {
            parts.push(part);
        }
    }
    let has = |text: &str| items.iter().any(|v| v.str() == text);
    if items.len() > 1 && has("*/*") {
        let why = "if '*/*' is present, must not specify other resources";
        errors.invalid(at, list, why);
    }
    if has("*") && plain {
        let why = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(at, list, why);
    }
}

/// Checks what a policy or a binding matches.
fn match_resources(constraints: &Value, at: &str, errors: &mut FieldErrors) {
    if constraints.is_null() {
        return;
    }
    let known = ["Equivalent", "Exact"];
    errors.enumerated(format!("{at}.matchPolicy"), constraints.get("matchPolicy"), &known);
    for part in ["namespaceSelector", "objectSelector"] {
        workload::selector_rules(constraints.get(part), &format!("{at}.{part}"), errors);
    }
    for list in ["resourceRules", "excludeResourceRules"] {
        for (i, rule) in constraints.get(list).items().iter().enumerate() {
            let at = format!("{at}.{list}[{i}]");
            let mut seen = FlatSet::new();
            for (j, name) in rule.get("resourceNames").items().iter().enumerate() {
                errors.check(format!("{at}.resourceNames[{j}]"), name, names::path_segment);
                if !seen.insert(name.str()) {
                    errors.duplicate(format!("{at}.resourceNames[{j}]"), name);
                }
            }
            rule_with_operations(rule, &at, errors);
        }
    }
}

/// What an expression may give, by the names of the types.
type Wanted = &'static [&'static str];
const TRUTH: Wanted = &["bool"];
const TEXT: Wanted = &["string"];
const TEXT_OR_NULL: Wanted = &["string", "null_type"];

fn expression(text: &Value, known: &[(&str, Type)], wanted: Wanted, at: String, errors: &mut FieldErrors) {
    match cel::compile(text.str(), known) {
        Err(report) => errors.invalid(at, text, format!("compilation failed: {report}")),
        Ok(program) => {
            let got = match &program.result {
                Type::Null => "null_type".to_owned(),
                Type::Timestamp => "google.protobuf.Timestamp".to_owned(),
                Type::Duration => "google.protobuf.Duration".to_owned(),
                other => other.to_string(),
            };
            if wanted.contains(&got.as_str()) {
                return;
            }
            let wanted = match wanted {
                [one] => (*one).to_owned(),
                many => format!("one of [{}]", many.join(" ")),
            };
            errors.invalid(at, text, format!("must evaluate to {wanted} but got {got}"));
        }
    }
}

fn match_conditions(list: &Value, params: bool, at: &str, errors: &mut FieldErrors) {
    let known = expressions::known(params, true);
    let mut seen = FlatSet::new();
    if list.items().len() > 64 {
        errors.too_many(at, list.items().len(), 64);
    }
    for (i, condition) in list.items().iter().enumerate() {
        let at = format!("{at}[{i}]");
        let text = Value::from(condition.get("expression").str().trim());
        if text.is_empty() {
            errors.required(format!("{at}.expression"), "");
        } else {
            expression(&text, &known, TRUTH, format!("{at}.expression"), errors);
        }
        let name = condition.get("name");
        errors.check_required(format!("{at}.name"), name, names::label_key);
        if !name.is_empty() && !seen.insert(name.str()) {
            errors.duplicate(format!("{at}.name"), name);
        }
    }
}

/// Checks the variables of a policy and adds them to what its expressions may name.
fn variables(spec: &Value, known: &mut expressions::Known, errors: &mut FieldErrors) {
    let reports = expressions::compose(known, spec);
    for (i, (variable, report)) in spec.get("variables").items().iter().zip(reports).enumerate() {
        let at = format!("spec.variables[{i}]");
        let name = variable.get("name");
        if name.str().trim().is_empty() {
            errors.required(format!("{at}.name"), "name is not specified");
        } else if !cel::is_identifier(name.str()) {
            errors.invalid(format!("{at}.name"), name, "name is not a valid CEL identifier");
        }
        let text = variable.get("expression");
        if text.str().trim().is_empty() {
            errors.required(format!("{at}.expression"), "expression is not specified");
        } else if let Some(report) = report {
            errors.invalid(
                format!("{at}.expression"),
                text,
                format!("compilation failed: {report}"),
            );
        }
    }
}

fn param_kind(spec: &Value, errors: &mut FieldErrors) {
    let kind = spec.get("paramKind");
    if kind.is_null() {
        return;
    }
    let version = kind.get("apiVersion");
    match version.str().rsplit_once('/').unwrap_or(("", version.str())) {
        ("", "") => errors.required("spec.paramKind.apiVersion", ""),
        (group, name) => {
            errors.check_some("spec.paramKind.apiVersion", &group.into(), names::dns1123_subdomain);
            errors.check_some("spec.paramKind.apiVersion", &name.into(), names::dns1035_label);
        }
    }
    let name = kind.get("kind");
    if name.is_empty() {
        errors.required("spec.paramKind.kind", "");
    } else if let Err(why) = names::dns1035_label(&name.str().lower()) {
        let why = format!("may have mixed case, but should otherwise match: {}", why.0.join(","));
        errors.invalid("spec.paramKind.kind", name, why);
    }
}

/// Both kinds of policies: those that validate and those that mutate.
pub struct PolicyRules;

impl Strategy for PolicyRules {
    fn defaults(&self, object: &mut Value) {
        edit(object, "spec", |spec| {
            set_default(spec, "failurePolicy", "Fail");
            edit(spec, "matchConstraints", constraint_defaults);
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let mutates = object.str_at(&["kind"]) == "MutatingAdmissionPolicy";
        errors.enumerated("spec.failurePolicy", spec.get("failurePolicy"), &["Fail", "Ignore"]);
        param_kind(spec, errors);
        let constraints = spec.get("matchConstraints");
        if constraints.is_null() {
            errors.required("spec.matchConstraints", "");
        } else {
            match_resources(constraints, "spec.matchConstraints", errors);
            if constraints.get("resourceRules").is_empty() {
                errors.required("spec.matchConstraints.resourceRules", "");
            }
            if mutates {
                mutable(constraints, "spec.matchConstraints", errors);
            }
        }
        let params = !spec.get("paramKind").is_null();
        match_conditions(spec.get("matchConditions"), params, "spec.matchConditions", errors);
        let mut known = expressions::known(params, true);
        variables(spec, &mut known, errors);
        if mutates {
            mutations(spec, &expressions::with_patches(&known), errors);
            return;
        }
        let (validations, annotations) = (spec.get("validations"), spec.get("auditAnnotations"));
        if validations.is_empty() && annotations.is_empty() {
            let why = "validations or auditAnnotations must contain at least one item";
            errors.required("spec.validations", why);
            errors.required("spec.auditAnnotations", why);
            return;
        }
        for (i, validation) in validations.items().iter().enumerate() {
            validation_rules(validation, &known, &format!("spec.validations[{i}]"), errors);
        }
        let mut seen = FlatSet::new();
        for (i, annotation) in annotations.items().iter().enumerate() {
            let at = format!("spec.auditAnnotations[{i}]");
            let key = annotation.get("key");
            let whole = format!("{}/{}", object.str_at(&["metadata", "name"]), key.str());
            errors.check(format!("{at}.key"), &whole.into(), names::label_key);
            let text = annotation.get("valueExpression");
            if text.str().trim().is_empty() {
                errors.required(format!("{at}.valueExpression"), "valueExpression is not specified");
            } else {
                expression(text, &known, TEXT_OR_NULL, format!("{at}.valueExpression"), errors);
            }
            if !seen.insert(key.str()) {
                errors.duplicate(format!("{at}.key"), key);
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let counted = if spec.has("mutations") {
            "mutations"
        } else {
            "validations"
        };
        let kind = spec.get("paramKind");
        let kind = match kind.is_null() {
            true => "<unset>".to_owned(),
            false => format!("{}/{}", kind.get("apiVersion").str(), kind.get("kind").str()),
        };
        Some(vec![
            object.name().into(),
            count(spec.get(counted)),
            kind.into(),
            age_cell(object, now),
        ])
    }

    fn has_generation(&self) -> bool {
        true
    }
}

fn count(list: &Value) -> Value {
    i64::try_from(list.items().len()).unwrap_or(i64::MAX).into()
}

/// What is deleted cannot be mutated.
fn mutable(constraints: &Value, at: &str, errors: &mut FieldErrors) {
    for rule in constraints.get("resourceRules").items() {
        for operation in rule.get("operations").items() {
            let known = ["*", "CONNECT", "CREATE", "UPDATE"];
            if !known.contains(&operation.str()) {
                errors.not_supported(format!("{at}.resourceRules.operations"), operation, &known);
            }
        }
    }
}

/// The types of patches: the field that holds each one's expression, and what it gives.
const PATCHES: [(&str, &str, Wanted); 2] = [
    ("ApplyConfiguration", "applyConfiguration", &["Object"]),
    ("JSONPatch", "jsonPatch", &["list(JSONPatch)"]),
];

fn mutations(spec: &Value, known: &[(&str, Type)], errors: &mut FieldErrors) {
    let list = spec.get("mutations").items();
    if list.is_empty() {
        errors.required("spec.mutations", "mutations must contain at least one item");
    }
    for (i, mutation) in list.iter().enumerate() {
        let at = format!("spec.mutations[{i}]");
        let kind = mutation.get("patchType");
        if kind.is_empty() {
            errors.required(format!("{at}.patchType"), "");
            continue;
        }
        let Some((_, field, wanted)) = PATCHES.iter().find(|(name, ..)| *name == kind.str()) else {
            errors.not_supported(format!("{at}.patchType"), kind, &PATCHES.map(|(name, ..)| name));
            continue;
        };
        if mutation.get(field).is_null() {
            let why = format!("must be specified when patchType is {}", kind.str());
            errors.required(format!("{at}.{field}"), why);
        } else {
            let text = Value::from(mutation.str_at(&[field, "expression"]).trim());
            if text.is_empty() {
                errors.required(format!("{at}.{field}.expression"), "");
            } else {
                expression(&text, known, wanted, format!("{at}.{field}.expression"), errors);
            }
        }
        for (_, other, _) in PATCHES.iter().filter(|(_, f, _)| f != field) {
            if !mutation.get(other).is_null() {
                let why = format!("must not be specified when patchType is {}", kind.str());
                errors.invalid(format!("{at}.{other}"), &format!("{{{other}}}").into(), why);
            }
        }
    }
    let policy = spec.get("reinvocationPolicy");
    if policy.is_empty() {
        errors.required("spec.reinvocationPolicy", "");
    } else {
        errors.enumerated("spec.reinvocationPolicy", policy, &["IfNeeded", "Never"]);
    }
}

fn validation_rules(validation: &Value, known: &[(&str, Type)], at: &str, errors: &mut FieldErrors) {
    let text = validation.get("expression");
    if text.str().trim().is_empty() {
        errors.required(format!("{at}.expression"), "expression is not specified");
    } else {
        expression(text, known, TRUTH, format!("{at}.expression"), errors);
    }
    let said = validation.get("messageExpression");
    if !said.is_empty() && said.str().trim().is_empty() {
        errors.invalid(
            format!("{at}.messageExpression"),
            said,
            "must be non-empty if specified",
        );
    } else if !said.is_empty() {
        let asks = |name: &str| name.starts_with("authorizer");
        let without: Vec<(&str, Type)> = known.iter().filter(|(n, _)| !asks(n)).cloned().collect();
        expression(said, &without, TEXT, format!("{at}.messageExpression"), errors);
    }
    let message = validation.get("message");
    if !message.is_empty() && message.str().trim().is_empty() {
        errors.invalid(
            format!("{at}.message"),
            message,
            "message must be non-empty if specified",
        );
    } else if message.str().trim().contains(['\n', '\r']) {
        errors.invalid(format!("{at}.message"), message, "message must not contain line breaks");
    }
    let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
    errors.enumerated(format!("{at}.reason"), validation.get("reason"), &reasons);
}

/// The rules of ValidatingAdmissionPolicyBindings and MutatingAdmissionPolicyBindings.
pub struct PolicyBindingRules;

impl Strategy for PolicyBindingRules {
    fn defaults(&self, object: &mut Value) {
        edit(object, "spec", |spec| edit(spec, "matchResources", constraint_defaults));
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        errors.check_required("spec.policyName", spec.get("policyName"), names::dns1123_subdomain);
        let reference = spec.get("paramRef");
        if !reference.is_null() {
            let (name, selector) = (reference.get("name"), reference.get("selector"));
            match (name.is_empty(), selector.is_null()) {
                (true, true) => {
                    errors.required("spec.paramRef", "one of name or selector must be specified");
                }
                (false, false) => {
                    let why = "name and selector are mutually exclusive";
                    errors.forbidden("spec.paramRef.name", why);
                }
                _ => {}
            }
            errors.check_some("spec.paramRef.name", name, names::path_segment);
            workload::selector_rules(selector, "spec.paramRef.selector", errors);
            let action = reference.get("parameterNotFoundAction");
            if action.is_null() {
                errors.required("spec.paramRef.parameterNotFoundAction", "");
            }
            errors.enumerated("spec.paramRef.parameterNotFoundAction", action, &["Allow", "Deny"]);
        }
        if object.str_at(&["kind"]) == "MutatingAdmissionPolicyBinding" {
            match_resources(spec.get("matchResources"), "spec.matchResources", errors);
            return mutable(spec.get("matchResources"), "spec.matchResources", errors);
        }
        // The server misspells it.
        match_resources(spec.get("matchResources"), "spec.matchResouces", errors);
        let actions = spec.get("validationActions");
        let mut seen = FlatSet::new();
        for (i, action) in actions.items().iter().enumerate() {
            let at = format!("spec.validationActions[{i}]");
            errors.enumerated(&at, action, &["Audit", "Deny", "Warn"]);
            if !seen.insert(action.str()) {
                errors.duplicate(at, action);
            }
        }
        if seen.contains("Deny") && seen.contains("Warn") {
            let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
            errors.invalid("spec.validationActions", actions, why);
        }
        if seen.is_empty() {
            errors.required("spec.validationActions", "at least one validation action is required");
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let reference = object.spec().get("paramRef");
        let params = match (reference.get("namespace").str(), reference.get("name").str()) {
            (_, "") if reference.get("selector").is_null() => "<unset>".to_owned(),
            (_, "") => go_text(reference.get("selector")),
            ("", name) => format!("*/{name}"),
            (namespace, name) => format!("{namespace}/{name}"),
        };
        Some(vec![
            object.name().into(),
            object.spec().get("policyName").clone(),
            params.into(),
            age_cell(object, now),
        ])
    }

    fn has_generation(&self) -> bool {
        true
    }
}

/// The rules of ValidatingWebhookConfigurations and MutatingWebhookConfigurations.
pub struct WebhookRules;

impl Strategy for WebhookRules {
    fn defaults(&self, object: &mut Value) {
        let mutates = object.str_at(&["kind"]) == "MutatingWebhookConfiguration";
        edit_items(object, "webhooks", |hook| {
            set_default(hook, "failurePolicy", "Fail");
            set_default(hook, "matchPolicy", "Equivalent");
            for part in ["namespaceSelector", "objectSelector"] {
                set_default(hook, part, Value::map());
            }
            set_default(hook, "timeoutSeconds", 10);
            if mutates {
                set_default(hook, "reinvocationPolicy", "Never");
            }
            edit_items(hook, "rules", |rule| set_default(rule, "scope", "*"));
            edit(hook, "clientConfig", |c| {
                edit(c, "service", |s| set_default(s, "port", 443))
            });
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let mut seen = FlatSet::new();
        for (i, hook) in object.get("webhooks").items().iter().enumerate() {
            let at = format!("webhooks[{i}]");
            let name = hook.get("name");
            errors.check_required(format!("{at}.name"), name, names::dns1123_subdomain);
            if !name.is_empty() && names::dns1123_subdomain(name.str()).is_ok() && name.str().split('.').count() < 3 {
                let why = "should be a domain with at least three segments separated by dots";
                errors.invalid(format!("{at}.name"), name, why);
            }
            for (j, rule) in hook.get("rules").items().iter().enumerate() {
                rule_with_operations(rule, &format!("{at}.rules[{j}]"), errors);
            }
            let policy = hook.get("failurePolicy");
            errors.enumerated(format!("{at}.failurePolicy"), policy, &["Fail", "Ignore"]);
            let policy = hook.get("matchPolicy");
            errors.enumerated(format!("{at}.matchPolicy"), policy, &["Equivalent", "Exact"]);
            let effects = hook.get("sideEffects");
            if effects.is_null() {
                let why = "must specify one of None, NoneOnDryRun";
                errors.required(format!("{at}.sideEffects"), why);
            }
            errors.enumerated(format!("{at}.sideEffects"), effects, &["None", "NoneOnDryRun"]);
            let timeout = hook.get("timeoutSeconds");
            if timeout.as_i64().is_some_and(|n| !(1..=30).contains(&n)) {
                let why = "the timeout value must be between 1 and 30 seconds";
                errors.invalid(format!("{at}.timeoutSeconds"), timeout, why);
            }
            for part in ["namespaceSelector", "objectSelector"] {
                workload::selector_rules(hook.get(part), &format!("{at}.{part}"), errors);
            }
            client_config(hook.get("clientConfig"), &format!("{at}.clientConfig"), errors);
            match_conditions(
                hook.get("matchConditions"),
                false,
                &format!("{at}.matchConditions"),
                errors,
            );
            review_versions(hook.get("admissionReviewVersions"), &at, errors);
            if !name.is_empty() && !seen.insert(name.str()) {
                errors.duplicate(format!("{at}.name"), name);
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let hooks = count(object.value().get("webhooks"));
        Some(vec![object.name().into(), hooks, age_cell(object, now)])
    }

    fn has_generation(&self) -> bool {
        true
    }
}

fn review_versions(versions: &Value, at: &str, errors: &mut FieldErrors) {
    let at = format!("{at}.admissionReviewVersions");
    if versions.is_empty() {
        return errors.required(at, "must specify one of v1, v1beta1");
    }
    let list = versions.items();
    for (i, version) in list.iter().enumerate() {
        if list.iter().take(i).any(|v| v == version) {
            errors.invalid(format!("{at}[{i}]"), version, "duplicate version");
        } else {
            errors.check(format!("{at}[{i}]"), version, names::dns1035_label);
        }
    }
    if !list.iter().any(|v| matches!(v.str(), "v1" | "v1beta1")) {
        errors.invalid(at, versions, "must include at least one of v1, v1beta1");
    }
}

/// Checks how a webhook is reached (`ValidateWebhookURL`, `ValidateWebhookService`).
fn client_config(config: &Value, at: &str, errors: &mut FieldErrors) {
    let (url, service) = (config.get("url"), config.get("service"));
    if url.is_null() == service.is_null() {
        return errors.required(at, "exactly one of url or service is required");
    }
    if service.is_null() {
        const FORM: &str = "; desired format: https://host[/path]";
        let at = format!("{at}.url");
        let (scheme, rest) = url.str().split_once("://").unwrap_or(("", url.str()));
        if scheme != "https" {
            let why = format!("'https' is the only allowed URL scheme{FORM}");
            errors.invalid(&at, &scheme.into(), why);
        }
        if scheme.is_empty() || rest.is_empty() || rest.starts_with('/') {
            let why = format!("host must be specified{FORM}");
            errors.invalid(&at, &"".into(), why);
        }
        return;
    }
    for part in ["name", "namespace"] {
        if service.get(part).is_empty() {
            let why = format!("service {part} is required");
            errors.required(format!("{at}.service.{part}"), why);
        }
    }
    let port = service.get("port");
    if port.as_i64().is_some_and(|n| !(1..=65_535).contains(&n)) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        errors.invalid(format!("{at}.service.port"), port, why);
    }
    let path = service.get("path");
    if !path.is_null() && !path.str().starts_with('/') {
        let why = "must start with a '/'";
        errors.invalid(format!("{at}.service.path"), path, why);
    }
}
