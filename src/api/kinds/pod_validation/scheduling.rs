//! What says on which nodes a pod may be: tolerations, affinity, spreading, gates.

use super::one_of;
use crate::api::names;
use crate::api::status::FieldErrors;
use crate::flat::FlatSet;
use crate::value::Value;

pub(crate) fn tolerations(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, t) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (key, operator, effect) = (t.get("key"), t.get("operator"), t.get("effect"));
        let (value, operator) = (Value::from(t.get("value").str()), Value::from(operator.str()));
        errors.check_some(format!("{at}.key"), key, names::label_key);
        if key.is_empty() && operator.str() != "Exists" {
            errors.invalid(
                format!("{at}.operator"),
                &operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if !t.get("tolerationSeconds").is_null() && effect.str() != "NoExecute" {
            errors.invalid(
                format!("{at}.effect"),
                &effect.str().into(),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator.str() {
            "Equal" | "" => {
                if let Err(why) = names::label_value(value.str()) {
                    errors.invalid(format!("{at}.operator"), &value, why.0.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                errors.invalid(
                    format!("{at}.operator"),
                    &value,
                    "value must be empty when `operator` is 'Exists'",
                );
            }
            "Exists" | "Gt" | "Lt" => {}
            _ => errors.not_supported(format!("{at}.operator"), &operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            one_of(
                effect,
                &["NoSchedule", "PreferNoSchedule", "NoExecute"],
                format!("{at}.effect"),
                errors,
            );
        }
    }
}

/// Checks a term of a selector of nodes. Preferred terms may name values that no label can have.
fn node_term(term: &Value, required: bool, at: &str, errors: &mut FieldErrors) {
    for (i, e) in term.get("matchExpressions").items().iter().enumerate() {
        let at = format!("{at}.matchExpressions[{i}]");
        let values = e.get("values").items();
        match e.get("operator").str() {
            "In" | "NotIn" if values.is_empty() => errors.required(
                format!("{at}.values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
                format!("{at}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "Gt" | "Lt" if values.len() != 1 => errors.required(
                format!("{at}.values"),
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => errors.invalid(format!("{at}.operator"), &other.into(), "not a valid selector operator"),
        }
        errors.check(format!("{at}.key"), e.get("key"), names::label_key);
        if required {
            for (j, value) in values.iter().enumerate() {
                errors.check(format!("{at}.values[{j}]"), value, names::label_value);
            }
        }
    }
    for (i, e) in term.get("matchFields").items().iter().enumerate() {
        let at = format!("{at}.matchFields[{i}]");
        let values = e.get("values").items();
        match e.get("operator").str() {
            "In" | "NotIn" if values.len() == 1 => {}
            "In" | "NotIn" => errors.required(
                format!("{at}.values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
            other => errors.invalid(format!("{at}.operator"), &other.into(), "not a valid selector operator"),
        }
        if e.get("key").str() != "metadata.name" {
            errors.invalid(
                format!("{at}.key"),
                &e.get("key").str().into(),
                "not a valid field selector key",
            );
            continue;
        }
        for (j, value) in values.iter().enumerate() {
            errors.check(format!("{at}.values[{j}]"), value, names::dns1123_subdomain);
        }
    }
}

/// Checks a selector of nodes (`ValidateNodeSelector`).
pub(crate) fn node_selector(selector: &Value, field: &str, errors: &mut FieldErrors) {
    let at = format!("{field}.nodeSelectorTerms");
    let terms = selector.get("nodeSelectorTerms").items();
    if terms.is_empty() {
        errors.required(&at, "must have at least one node selector term");
    }
    for (i, term) in terms.iter().enumerate() {
        node_term(term, true, &format!("{at}[{i}]"), errors);
    }
}

fn weight(value: &Value, at: &str, errors: &mut FieldErrors) {
    let weight = value.as_i64().unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.invalid(format!("{at}.weight"), &weight.into(), "must be in the range 1-100");
    }
}

fn pod_term(term: &Value, at: &str, errors: &mut FieldErrors) {
    for part in ["labelSelector", "namespaceSelector"] {
        super::super::workload::selector_rules(term.get(part), &format!("{at}.{part}"), errors);
    }
    for name in term.get("namespaces").items() {
        errors.check(format!("{at}.namespace"), name, names::dns1123_label);
    }
    for list in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = term.get(list).items();
        if !keys.is_empty() && term.get("labelSelector").is_null() {
            let why = "must not be specified when labelSelector is not set";
            errors.forbidden(format!("{at}.{list}"), why);
            continue;
        }
        for (i, key) in keys.iter().enumerate() {
            errors.check(format!("{at}.{list}[{i}]"), key, names::label_key);
        }
    }
    for (i, key) in term.get("matchLabelKeys").items().iter().enumerate() {
        if term.get("mismatchLabelKeys").items().contains(key) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(format!("{at}.matchLabelKeys[{i}]"), key, why);
        }
    }
    let key = term.get("topologyKey");
    if key.is_empty() {
        errors.required(format!("{at}.topologyKey"), "can not be empty");
    }
    errors.check(format!("{at}.topologyKey"), key, names::label_key);
}

pub(super) fn affinity(value: &Value, at: &str, errors: &mut FieldErrors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = value.get("nodeAffinity");
    if !node.get(REQUIRED).is_null() {
        node_selector(node.get(REQUIRED), &format!("{at}.nodeAffinity.{REQUIRED}"), errors);
    }
    for (i, term) in node.get(PREFERRED).items().iter().enumerate() {
        let at = format!("{at}.nodeAffinity.{PREFERRED}[{i}]");
        weight(term.get("weight"), &at, errors);
        node_term(term.get("preference"), false, &format!("{at}.preference"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (i, term) in value.at(&[kind, REQUIRED]).items().iter().enumerate() {
            pod_term(term, &format!("{at}.{kind}.{REQUIRED}[{i}]"), errors);
        }
        for (i, term) in value.at(&[kind, PREFERRED]).items().iter().enumerate() {
            let at = format!("{at}.{kind}.{PREFERRED}[{i}]");
            weight(term.get("weight"), &at, errors);
            pod_term(term.get("podAffinityTerm"), &format!("{at}.podAffinityTerm"), errors);
        }
    }
}

pub(super) fn gates(spec: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, gate) in spec.get("readinessGates").items().iter().enumerate() {
        let at = format!("{field}.readinessGates[{i}].conditionType");
        errors.check(at, gate.get("conditionType"), names::label_key);
    }
    let mut seen = FlatSet::new();
    for (i, gate) in spec.get("schedulingGates").items().iter().enumerate() {
        let at = format!("{field}.schedulingGates[{i}]");
        let name = gate.get("name");
        errors.check(&at, name, names::label_key);
        if !seen.insert(name.str()) {
            errors.duplicate(&at, name);
        }
    }
}

pub(super) fn spread(list: &Value, field: &str, errors: &mut FieldErrors) {
    const WHEN: [&str; 2] = ["DoNotSchedule", "ScheduleAnyway"];
    for (i, c) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let skew = c.i64_at(&["maxSkew"]).unwrap_or(0);
        if skew <= 0 {
            errors.invalid(format!("{at}.maxSkew"), &skew.into(), "must be greater than zero");
        }
        let (key, when) = (c.get("topologyKey"), c.get("whenUnsatisfiable"));
        if key.is_empty() {
            errors.required(format!("{at}.topologyKey"), "can not be empty");
        }
        let when = Value::from(when.str());
        errors.enumerated(format!("{at}.whenUnsatisfiable"), &when, &WHEN);
        let twin =
            |other: &&Value| other.get("topologyKey") == key && other.get("whenUnsatisfiable").str() == when.str();
        if list.items().iter().skip(i + 1).any(|o| twin(&o)) {
            let text = format!("{{{}, {}}}", key.str(), when.str());
            errors.duplicate(format!("{at}.{{topologyKey, whenUnsatisfiable}}"), &text.into());
        }
        let least = c.get("minDomains");
        if least.as_i64().is_some_and(|n| n <= 0) {
            errors.invalid(format!("{at}.minDomains"), least, "must be greater than zero");
        }
        if !least.is_null() && when.str() != "DoNotSchedule" {
            let why = format!(
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                when.str()
            );
            errors.invalid(format!("{at}.minDomains"), least, why);
        }
        for name in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            errors.enumerated(format!("{at}.{name}"), c.get(name), &["Honor", "Ignore"]);
        }
        let (keys, selector) = (c.get("matchLabelKeys").items(), c.get("labelSelector"));
        if !keys.is_empty() && selector.is_null() {
            let why = "must not be specified when labelSelector is not set";
            errors.forbidden(format!("{at}.matchLabelKeys"), why);
        }
        // A key may stand in both: the server itself adds them to the selector.
        for (j, key) in keys.iter().enumerate().filter(|_| !selector.is_null()) {
            errors.check(format!("{at}.matchLabelKeys[{j}]"), key, names::label_key);
        }
        super::super::workload::selector_rules(selector, &format!("{at}.labelSelector"), errors);
    }
}
