//! ResourceQuotas, LimitRanges and PriorityClasses.

use super::resources::{self, Holder};
use super::{age_cell, edit_items, set_default_zero};
use crate::api::names;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::flat::FlatSet;
use crate::sim::Time;
use crate::value::Value;

/// The rules of ResourceQuotas.
pub struct ResourceQuotaRules;

impl Strategy for ResourceQuotaRules {
    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        for (name, amount) in spec.get("hard").entries() {
            let field = format!("spec.hard[{}]", &**name);
            resources::name(name, Holder::Quota, &field, errors);
            resources::amount(name, amount, &field, errors);
        }
        let scopes = spec.get("scopes");
        let mut all = Vec::new();
        for scope in scopes.items() {
            check_scope(scope.str(), spec, "spec.scopes", scopes, errors);
            all.push(scope.str());
        }
        conflicting(&all, scopes, "spec.scopes", errors);
        let selector = spec.get("scopeSelector");
        let field = "spec.scopeSelector.matchExpressions";
        let mut all = Vec::new();
        for e in selector.get("matchExpressions").items() {
            let (scope, operator, values) = (e.get("scopeName"), e.get("operator"), e.get("values"));
            let at = format!("{field}.scopeName");
            if SCOPES.contains(&scope.str()) {
                check_scope(scope.str(), spec, field, selector, errors);
            } else {
                errors.invalid(at, scope, "unsupported scope");
            }
            if !matches!(scope.str(), "PriorityClass" | "VolumeAttributesClass") && operator.str() != "Exists" {
                let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
                errors.invalid(format!("{field}.operator"), operator, why);
            }
            match operator.str() {
                "In" | "NotIn" if values.is_empty() => errors.required(
                    format!("{field}.values"),
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
                ),
                "Exists" | "DoesNotExist" if !values.is_empty() => errors.invalid(
                    format!("{field}.values"),
                    values,
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
                ),
                "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
                _ => errors.invalid(format!("{field}.operator"), operator, "not a valid selector operator"),
            }
            all.push(scope.str());
        }
        conflicting(&all, scopes, field, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate(new, errors);
        let set = |spec: &Value| -> FlatSet<String> {
            let all = spec.get("scopes").items().iter();
            all.map(|s| s.str().to_owned()).collect()
        };
        if set(new.get("spec")) != set(old.spec()) {
            errors.invalid("spec.scopes", new.at(&["spec", "scopes"]), "field is immutable");
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        for list in ["hard", "used"] {
            for (name, amount) in new.at(&["status", list]).entries() {
                let field = format!("status.{list}[{}]", &**name);
                resources::name(name, resources::Holder::Quota, &field, errors);
                resources::amount(name, amount, &field, errors);
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        let status = object.status();
        for (name, hard) in status.get("hard").entries() {
            let used = match status.at(&["used", name]).str() {
                "" => "0",
                used => used,
            };
            let text = format!("{}: {used}/{}", &**name, hard.str());
            if name.starts_with("limits") {
                limits.push(text);
            } else {
                requests.push(text);
            }
        }
        Some(vec![
            object.name().into(),
            requests.join(", ").into(),
            limits.join(", ").into(),
            age_cell(object, now),
        ])
    }
}

const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// Whether a scope is one, and has a meaning for each of the resources that the quota limits.
fn check_scope(scope: &str, spec: &Value, field: &str, bad: &Value, errors: &mut FieldErrors) {
    if !SCOPES.contains(&scope) {
        errors.invalid(field, bad, "unsupported scope");
    }
    for (name, _) in spec.get("hard").entries() {
        let bare = name
            .strip_prefix("requests.")
            .or_else(|| name.strip_prefix("limits."))
            .unwrap_or(name);
        let fits = match scope {
            "BestEffort" => &**name == "pods",
            "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => {
                &**name == "pods" || matches!(bare, "cpu" | "memory")
            }
            _ => true,
        };
        if resources::is_of_quotas(name) && !fits {
            errors.invalid(field, bad, "unsupported scope applied to resource");
        }
    }
}

fn conflicting(scopes: &[&str], bad: &Value, field: &str, errors: &mut FieldErrors) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|s| scopes.contains(s)) {
            errors.invalid(field, bad, "conflicting scopes");
        }
    }
}

/// The rules of LimitRanges.
pub struct LimitRangeRules;

/// The amounts of one item of a LimitRange: names, and the order of the bounds.
fn limit_rules(limit: &Value, at: &str, errors: &mut FieldErrors) {
    let kind = limit.get("type").str();
    let holder = match kind {
        "Pod" | "Container" => Holder::Container,
        _ => Holder::Other,
    };
    let mut all = FlatSet::new();
    let mut check = |list: &str, errors: &mut FieldErrors| {
        for (name, _) in limit.get(list).entries() {
            resources::name(name, holder, &format!("{at}.{list}[{}]", &**name), errors);
            all.insert(name.to_string());
        }
    };
    check("max", errors);
    check("min", errors);
    for list in ["default", "defaultRequest"] {
        if kind != "Pod" {
            check(list, errors);
        } else if !limit.get(list).is_empty() {
            let why = "may not be specified when `type` is 'Pod'";
            errors.forbidden(format!("{at}.{list}"), why);
        }
    }
    if kind == "PersistentVolumeClaim" && !limit.get("min").has("storage") && !limit.get("max").has("storage") {
        let why = "either minimum or maximum storage value is required, but neither was provided";
        errors.required(format!("{at}.limits"), why);
    }
    check("maxLimitRequestRatio", errors);
    // The lower, the upper, the list that the error stands at and whose value it shows, and the words.
    const ORDER: [(&str, &str, &str, &str, &str); 6] = [
        ("min", "max", "min", "min", "min value {} is greater than max value {}"),
        (
            "min",
            "defaultRequest",
            "defaultRequest",
            "defaultRequest",
            "min value {} is greater than default request value {}",
        ),
        (
            "defaultRequest",
            "max",
            "defaultRequest",
            "defaultRequest",
            "default request value {} is greater than max value {}",
        ),
        (
            "defaultRequest",
            "default",
            "defaultRequest",
            "defaultRequest",
            "default request value {} is greater than default limit value {}",
        ),
        (
            "min",
            "default",
            "default",
            "min",
            "min value {} is greater than default value {}",
        ),
        (
            "default",
            "max",
            "default",
            "max",
            "default value {} is greater than max value {}",
        ),
    ];
    let given = |list: &str, name: &str| {
        let of_pod = kind == "Pod" && list.starts_with("default");
        Some(limit.at(&[list, name])).filter(|v| !v.is_null() && !of_pod)
    };
    let parse = |v: &Value| Quantity::parse_or_zero(v.str());
    for name in &all {
        for (low, high, field, shown, words) in ORDER {
            if let (Some(a), Some(b)) = (given(low, name), given(high, name))
                && parse(a) > parse(b)
            {
                let why = words.replacen("{}", a.str(), 1).replacen("{}", b.str(), 1);
                errors.invalid(format!("{at}.{field}[{name}]"), limit.at(&[shown, name]), why);
            }
        }
        if let Some(ratio) = given("maxLimitRequestRatio", name) {
            let field = format!("{at}.maxLimitRequestRatio[{name}]");
            if parse(ratio) < Quantity::parse_or_zero("1") {
                errors.invalid(&field, ratio, format!("ratio {} is less than 1", ratio.str()));
            }
            if let (Some(min), Some(max)) = (given("min", name), given("max", name)) {
                let most = parse(max).as_f64() / parse(min).as_f64();
                if parse(ratio).as_f64() > most {
                    let why = format!("ratio {} is greater than max/min = {most:.6}", ratio.str());
                    errors.invalid(&field, ratio, why);
                }
            }
        }
        if let (Some(a), Some(b)) = (given("default", name), given("defaultRequest", name))
            && !resources::may_overcommit(name)
            && parse(a) != parse(b)
        {
            let why = format!(
                "default value {} must equal to defaultRequest value {} in {name}",
                a.str(),
                b.str()
            );
            errors.invalid(format!("{at}.defaultRequest[{name}]"), b, why);
        }
    }
}

impl Strategy for LimitRangeRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn defaults(&self, object: &mut Value) {
        let Some(spec) = object.map_mut().get_mut("spec") else {
            return;
        };
        edit_items(spec, "limits", |limit| {
            if limit.get("type").str() != "Container" {
                return;
            }
            // A bound that has no default is the default.
            for (from, to) in [
                ("max", "default"),
                ("default", "defaultRequest"),
                ("min", "defaultRequest"),
            ] {
                for (name, amount) in limit.get(from).clone().entries() {
                    if !limit.get(to).has(name) {
                        limit.set(&[to, name], amount.clone());
                    }
                }
            }
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let mut kinds = FlatSet::new();
        for (i, limit) in object.at(&["spec", "limits"]).items().iter().enumerate() {
            let at = format!("spec.limits[{i}]");
            let kind = limit.get("type");
            errors.check(format!("{at}.type"), kind, names::label_key);
            let known = ["Container", "PersistentVolumeClaim", "Pod"];
            if !kind.is_empty() && !kind.str().contains('/') && !known.contains(&kind.str()) {
                let why = "must be a standard limit type or fully qualified";
                errors.invalid(format!("{at}.type"), kind, why);
            }
            if !kinds.insert(kind.str()) {
                errors.duplicate(format!("{at}.type"), kind);
            }
            limit_rules(limit, &at, errors);
        }
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        Some(vec![object.name().into(), object.created().to_string().into()])
    }
}

/// The rules of PriorityClasses.
pub struct PriorityClassRules;

/// The greatest value of a class that is not the system's own.
const MOST: i64 = 1_000_000_000;

impl Strategy for PriorityClassRules {
    fn defaults(&self, object: &mut Value) {
        set_default_zero(object, "preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let name = object.at(&["metadata", "name"]);
        let value = object.i64_at(&["value"]).unwrap_or(0);
        let known = [
            ("system-cluster-critical", 2_000_000_000),
            ("system-node-critical", 2_000_001_000),
        ];
        if name.str().starts_with("system-") {
            let class = known.iter().find(|(n, _)| *n == name.str());
            let why = match class {
                None => format!("{} is not a known system priority class", name.str()),
                Some((name, fixed)) if *fixed != value => format!("value of {name} PriorityClass must be {fixed}"),
                Some((name, _)) if object.bool_at(&["globalDefault"]) => {
                    format!("globalDefault of {name} PriorityClass must be false")
                }
                Some(_) => String::new(),
            };
            if !why.is_empty() {
                errors.forbidden(
                    "metadata.name",
                    format!(
                        "priority class names with 'system-' prefix are reserved for system use only. error: {why}"
                    ),
                );
            }
        } else if value > MOST {
            errors.forbidden(
                "value",
                format!("maximum allowed value of a user defined priority is {MOST}"),
            );
        }
        let policy = object.get("preemptionPolicy");
        let known = ["Never", "PreemptLowerPriority"];
        if !known.contains(&policy.str()) {
            errors.not_supported("preemptionPolicy", policy, &known);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        for field in ["value", "preemptionPolicy"] {
            if new.get(field) != old.value().get(field) {
                if field == "value" {
                    errors.forbidden(field, "may not be changed in an update.");
                } else {
                    errors.invalid(field, new.get(field), "field is immutable");
                }
            }
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = object.value();
        Some(vec![
            object.name().into(),
            value.i64_at(&["value"]).unwrap_or(0).into(),
            value.bool_at(&["globalDefault"]).into(),
            age_cell(object, now),
            value.get("preemptionPolicy").str().into(),
        ])
    }
}
