//! Validation of FlowSchemas and PriorityLevelConfigurations (`pkg/apis/flowcontrol/validation`).

use super::internal;
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::value::{Value, math};

const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];

/// A FlowSchema.
pub(super) fn schema(object: &Value, errors: &mut FieldErrors) {
    let (name, spec) = (object.str_at(&["metadata", "name"]), object.get("spec"));
    let precedence = Value::from(spec.i64_at(&["matchingPrecedence"]).unwrap_or(0));
    let field = "spec.matchingPrecedence";
    const MOST: i64 = 10_000;
    match precedence.as_i64().unwrap_or(0) {
        ..=0 => errors.invalid(field, &precedence, "must be a positive value"),
        n if n > MOST => {
            let why = format!("must not be greater than {MOST}");
            errors.invalid(field, &precedence, why);
        }
        1 if name != "exempt" => {
            let why = "only the schema named 'exempt' may have matchingPrecedence 1";
            errors.invalid(field, &precedence, why);
        }
        _ => {}
    }
    let method = spec.get("distinguisherMethod");
    let methods = ["ByNamespace", "ByUser"];
    if !method.is_null() && !methods.contains(&method.get("type").str()) {
        let text = internal::named(method, "FlowMethod").to_json();
        errors.not_supported_as("spec.distinguisherMethod.type", text, &methods);
    }
    let (level, field) = (
        spec.at(&["priorityLevelConfiguration", "name"]),
        "spec.priorityLevelConfiguration.name",
    );
    if level.is_empty() {
        errors.required(field, "must reference a priority level");
    }
    errors.check_some(field, level, names::dns1123_subdomain);
    for (i, rule) in spec.get("rules").items().iter().enumerate() {
        rules(rule, &format!("spec.rules[{i}]"), errors);
    }
}

fn rules(rule: &Value, at: &str, errors: &mut FieldErrors) {
    let subjects = rule.get("subjects").items();
    for (i, subject) in subjects.iter().enumerate() {
        of_subject(subject, &format!("{at}.subjects[{i}]"), errors);
    }
    if subjects.is_empty() {
        let why = "subjects must contain at least one value";
        errors.required(format!("{at}.subjects"), why);
    }
    let (resources, paths) = (rule.get("resourceRules").items(), rule.get("nonResourceRules").items());
    if resources.is_empty() && paths.is_empty() {
        let why = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.required(at, why);
    }
    for (i, rule) in resources.iter().enumerate() {
        resource_rule(rule, &format!("{at}.resourceRules[{i}]"), errors);
    }
    for (i, rule) in paths.iter().enumerate() {
        let at = format!("{at}.nonResourceRules[{i}]");
        verbs(rule, &at, errors);
        let none = "nonResourceURLs must contain at least one value";
        if alone(rule, "nonResourceURLs", none, "non-resource URLs", &at, errors) {
            for (j, path) in rule.get("nonResourceURLs").items().iter().enumerate() {
                url(path, &format!("{at}.nonResourceURLs[{j}]"), errors);
            }
        }
    }
}

/// Which subjects there are, with the field and the word of each.
const SUBJECTS: [(&str, &str); 3] = [
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
    ("Group", "group"),
];

fn of_subject(subject: &Value, at: &str, errors: &mut FieldErrors) {
    let kind = Value::from(subject.get("kind").str());
    let Some((kind, own)) = SUBJECTS.iter().find(|(k, _)| *k == kind.str()) else {
        let known = ["Group", "ServiceAccount", "User"];
        return errors.not_supported(format!("{at}.kind"), &kind, &known);
    };
    let (body, field) = (subject.get(own), format!("{at}.{own}"));
    if body.is_null() {
        errors.required(field, format!("{own} is required when subject kind is '{kind}'"));
    } else {
        let name = body.get("name");
        if name.is_empty() {
            errors.required(format!("{field}.name"), "");
        } else if *own == "serviceAccount" && name.str() != "*" {
            errors.check(format!("{field}.name"), name, names::dns1123_subdomain);
        }
        if *own == "serviceAccount" {
            let (space, field) = (body.get("namespace"), format!("{field}.namespace"));
            if space.is_empty() {
                errors.required(&field, "must specify namespace for service account");
            }
            errors.check_some(field, space, names::dns1123_label);
        }
    }
    for (other, part) in SUBJECTS.iter().filter(|(_, part)| part != own) {
        if !subject.get(part).is_null() {
            let why = format!("{part} is forbidden when subject kind is not '{other}'");
            errors.forbidden(format!("{at}.{part}"), why);
        }
    }
}

/// A list that is not empty, and in which `*` stands alone. Says whether it names things one by one.
fn alone(rule: &Value, list: &str, none: &str, what: &str, at: &str, errors: &mut FieldErrors) -> bool {
    let (field, all) = (format!("{at}.{list}"), rule.get(list));
    let any = all.items().iter().any(|v| v.str() == "*");
    if all.is_empty() {
        errors.required(field, none);
        return false;
    }
    if any && all.items().len() > 1 {
        let why = format!("if '*' is present, must not specify other {what}");
        errors.invalid(field, all, why);
    }
    !any
}

fn verbs(rule: &Value, at: &str, errors: &mut FieldErrors) {
    let none = "verbs must contain at least one value";
    let list = rule.get("verbs");
    if alone(rule, "verbs", none, "verbs", at, errors) && !list.items().iter().all(|v| VERBS.contains(&v.str())) {
        errors.not_supported(format!("{at}.verbs"), list, &VERBS);
    }
}

fn resource_rule(rule: &Value, at: &str, errors: &mut FieldErrors) {
    verbs(rule, at, errors);
    let none = "resource rules must supply at least one api group";
    alone(rule, "apiGroups", none, "api groups", at, errors);
    let none = "resource rules must supply at least one resource";
    alone(rule, "resources", none, "resources", at, errors);
    let spaces = rule.get("namespaces").items();
    if spaces.is_empty() && rule.bool_at(&["clusterScope"]) {
        return;
    }
    let none = "resource rules that are not cluster scoped must supply at least one namespace";
    if alone(rule, "namespaces", none, "namespaces", at, errors) {
        for (i, space) in spaces.iter().enumerate() {
            if let Err(why) = names::dns1123_label(space.str()) {
                for why in why.0 {
                    let why = format!("each member of this list must be '*' or a DNS-1123 label; {why}");
                    errors.invalid(format!("{at}.namespaces[{i}]"), space, why);
                }
            }
        }
    }
}

/// A path of no resource, perhaps with `*` for what follows its last slash (`ValidateNonResourceURLPath`).
fn url(path: &Value, field: &str, errors: &mut FieldErrors) {
    let text = path.str();
    if text.is_empty() {
        return errors.invalid(field, path, "must not be empty");
    }
    if text == "/" {
        return;
    }
    let why = if !text.starts_with('/') {
        "must start with slash"
    } else if text.contains(' ') {
        "must not contain white-space"
    } else if text.contains("//") {
        "must not contain double slash"
    } else if text.strip_suffix("/*").unwrap_or(text).contains('*') {
        "wildcard can only do suffix matching"
    } else {
        return;
    };
    errors.invalid(field, path, why);
}

/// What a cluster cannot do without has a spec that stays (`internalbootstrap`).
pub(super) fn fixed(new: &Value, old: &Object, ty: &str, errors: &mut FieldErrors) {
    let without = |spec: &Value| {
        let mut spec = spec.clone();
        spec.remove(&["exempt"]);
        spec
    };
    let (spec, name) = (new.get("spec"), old.name());
    if matches!(name, "exempt" | "catch-all") && without(spec) != without(old.spec()) {
        let why = format!("spec of '{name}' must equal the fixed value");
        errors.invalid_as("spec", internal::named(spec, ty).to_json(), why);
    }
}

/// A PriorityLevelConfiguration.
pub(super) fn level(object: &Value, errors: &mut FieldErrors) {
    let (name, spec) = (object.str_at(&["metadata", "name"]), object.get("spec"));
    let kind = Value::from(spec.get("type").str());
    if (name == "exempt") != (kind.str() == "Exempt") {
        let why = "type must be 'Exempt' if and only if name is 'exempt'";
        errors.invalid("spec.type", &kind, why);
    }
    let (limited, exempt) = (spec.get("limited"), spec.get("exempt"));
    match kind.str() {
        "Exempt" => {
            if !limited.is_null() {
                let why = "must be nil if the type is not Limited";
                errors.forbidden("spec.limited", why);
            }
            shares(exempt, "spec.exempt", errors);
            lendable(exempt, "spec.exempt", errors);
        }
        "Limited" => {
            if !exempt.is_null() {
                let why = "must be nil if the type is Limited";
                errors.forbidden("spec.exempt", why);
            }
            if limited.is_null() {
                let why = "must not be empty when type is Limited";
                errors.required("spec.limited", why);
            } else {
                shares(limited, "spec.limited", errors);
                limit_response(limited.get("limitResponse"), "spec.limited.limitResponse", errors);
                lendable(limited, "spec.limited", errors);
                let borrow = limited.get("borrowingLimitPercent");
                if borrow.as_i64().is_some_and(|n| n < 0) {
                    let why = "if specified, must be a non-negative integer";
                    errors.invalid("spec.limited.borrowingLimitPercent", borrow, why);
                }
            }
        }
        _ => errors.not_supported("spec.type", &kind, &["Exempt", "Limited"]),
    }
}

fn shares(level: &Value, at: &str, errors: &mut FieldErrors) {
    let shares = level.get("nominalConcurrencyShares");
    if shares.as_i64().is_some_and(|n| n < 0) {
        let why = "must be a non-negative integer";
        errors.invalid(format!("{at}.nominalConcurrencyShares"), shares, why);
    }
}

fn lendable(level: &Value, at: &str, errors: &mut FieldErrors) {
    let lendable = level.get("lendablePercent");
    if lendable.as_i64().is_some_and(|n| !(0..=100).contains(&n)) {
        let why = "must be between 0 and 100, inclusive";
        errors.invalid(format!("{at}.lendablePercent"), lendable, why);
    }
}

fn limit_response(response: &Value, at: &str, errors: &mut FieldErrors) {
    let (kind, queuing) = (Value::from(response.get("type").str()), response.get("queuing"));
    match kind.str() {
        "Reject" if !queuing.is_null() => {
            let why = "must be nil if limited.limitResponse.type is not Limited";
            errors.forbidden(format!("{at}.queuing"), why);
        }
        "Reject" => {}
        "Queue" if queuing.is_null() => {
            let why = "must not be empty if limited.limitResponse.type is Limited";
            errors.required(format!("{at}.queuing"), why);
        }
        "Queue" => queues(queuing, &format!("{at}.queuing"), errors),
        _ => errors.not_supported(format!("{at}.type"), &kind, &["Queue", "Reject"]),
    }
}

fn queues(queuing: &Value, at: &str, errors: &mut FieldErrors) {
    const MOST_QUEUES: i64 = 10_000_000;
    /// Bits of the hash from which a hand of queues is dealt.
    const BITS: f64 = 60.0;
    let get = |name: &str| queuing.i64_at(&[name]).unwrap_or(0);
    let (length, count, hand) = (get("queueLengthLimit"), get("queues"), get("handSize"));
    let mut refuse = |name: &str, n: i64, why: String| errors.invalid(format!("{at}.{name}"), &n.into(), why);
    if length <= 0 {
        refuse("queueLengthLimit", length, "must be positive".into());
    }
    if count <= 0 {
        refuse("queues", count, "must be positive".into());
    } else if count > MOST_QUEUES {
        let why = format!("must not be greater than {MOST_QUEUES}");
        refuse("queues", count, why);
    }
    if hand <= 0 {
        refuse("handSize", hand, "must be positive".into());
    } else if hand > count {
        let why = format!("should not be greater than queues ({count})");
        refuse("handSize", hand, why);
    } else {
        let bits = math::log2(count as f64) * hand as f64;
        if bits.ceil() > BITS {
            let why = format!(
                "required entropy bits of deckSize {count} and handSize {hand} should not be greater than {BITS}"
            );
            refuse("handSize", hand, why);
        }
    }
}
