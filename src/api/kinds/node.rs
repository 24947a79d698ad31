//! Nodes.

use super::{age_cell, or_none, pod_validation, set_default, statuses};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrorKind, FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::FlatSet;
use crate::sim::Time;
use crate::value::Value;

/// The rules of Nodes.
pub struct NodeRules;

impl Strategy for NodeRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        set_default(object, "status", Value::map());
        // What a node has, it can give, unless it says otherwise.
        if object.at(&["status", "allocatable"]).is_null() && !object.at(&["status", "capacity"]).is_null() {
            let capacity = object.at(&["status", "capacity"]).clone();
            object.set(&["status", "allocatable"], capacity);
        }
        // The one range has the last word; it is the first of the list.
        let (one, many) = (object.at(&["spec", "podCIDR"]), object.at(&["spec", "podCIDRs"]));
        match many.items().first().cloned() {
            Some(first) if one.is_empty() => object.set(&["spec", "podCIDR"], first),
            first if !one.is_empty() && first.as_ref() != Some(one) => {
                let one = one.clone();
                object.set(&["spec", "podCIDRs"], crate::list![one]);
            }
            _ => {}
        }
    }

    /// A kubelet registers its node with its status.
    fn prepare_create(&self, _object: &mut Value, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let old = [
            ("configSource", "the feature is removed"),
            ("externalID", "this field is deprecated, and is unused by Kubernetes"),
        ];
        let said = old.iter().filter(|(field, _)| !object.at(&["spec", field]).is_empty());
        said.map(|(field, why)| format!("spec.{field}: {why}")).collect()
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        // The real server says this of the metadata.
        let mut seen = FlatSet::new();
        for (i, taint) in object.at(&["spec", "taints"]).items().iter().enumerate() {
            let field = format!("metadata.taints[{i}]");
            let (key, value, effect) = (taint.get("key"), taint.get("value"), taint.get("effect"));
            errors.check(format!("{field}.key"), key, names::label_key);
            if let Err(why) = names::label_value(value.str()) {
                errors.invalid(format!("{field}.value"), value, why.0.join(";"));
            }
            let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            pod_validation::one_of(effect, &effects, format!("{field}.effect"), errors);
            if !seen.insert((key.str(), effect.str())) {
                let text = format!(
                    r#"{{"Key":{},"Value":{},"Effect":{},"TimeAdded":{}}}"#,
                    Value::from(key.str()).to_json(),
                    Value::from(value.str()).to_json(),
                    Value::from(effect.str()).to_json(),
                    taint.get("timeAdded").to_json()
                );
                let why = "taints must be unique by key and effect pair";
                errors.add(FieldErrorKind::Duplicate, field, text, why);
            }
        }
        statuses::node_resources(object.get("status"), errors);
        let cidrs = object.at(&["spec", "podCIDRs"]);
        for (i, cidr) in cidrs.items().iter().enumerate() {
            errors.check(format!("spec.podCIDRs[{i}]"), cidr, names::cidr);
        }
        if let [a, b, ..] = cidrs.items() {
            let six = |v: &Value| v.str().contains(':');
            if six(a) == six(b) || cidrs.items().len() > 2 {
                let why = "may specify no more than one CIDR for each IP family";
                errors.invalid("spec.podCIDRs", cidrs, why);
            }
        }
    }

    fn changes_come_first(&self) -> bool {
        true
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let old_cidr = old.spec().get("podCIDRs");
        if !old_cidr.is_empty() && new.at(&["spec", "podCIDRs"]) != old_cidr {
            errors.forbidden(
                "spec.podCIDRs",
                "node updates may not change podCIDR except from \"\" to valid",
            );
        }
        let old_id = old.spec().get("providerID");
        if !old_id.is_empty() && new.at(&["spec", "providerID"]) != old_id {
            errors.forbidden(
                "spec.providerID",
                "node updates may not change providerID except from \"\" to valid",
            );
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::node(new.get("status"), errors);
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "spec.unschedulable").then(|| object.spec().bool_at(&["unschedulable"]).to_string())
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let info = object.status().get("nodeInfo");
        let known = |field: &str| -> Value {
            match info.get(field).str() {
                "" => "<unknown>".into(),
                text => text.into(),
            }
        };
        let address = |kind: &str| -> Value {
            let all = object.status().get("addresses").items();
            or_none(
                all.iter()
                    .find(|a| a.get("type").str() == kind)
                    .map_or("", |a| a.get("address").str()),
            )
        };
        Some(vec![
            object.name().into(),
            status_text(object).into(),
            or_none(roles(object).join(",")),
            age_cell(object, now),
            info.get("kubeletVersion").str().into(),
            address("InternalIP"),
            address("ExternalIP"),
            known("osImage"),
            kernel(info),
            known("containerRuntimeVersion"),
        ])
    }
}

/// The kernel's version with the architecture that it runs on.
fn kernel(info: &Value) -> Value {
    match (info.str_at(&["kernelVersion"]), info.str_at(&["architecture"])) {
        ("", _) => "<unknown>".into(),
        (version, "") => version.into(),
        (version, architecture) => format!("{version} ({architecture})").into(),
    }
}

/// `Ready`, `NotReady`, `Unknown`, with `,SchedulingDisabled` on a cordoned node.
fn status_text(node: &Object) -> String {
    let mut text = match node.condition("Ready").map(|c| c.get("status").str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.spec().bool_at(&["unschedulable"]) {
        text.push_str(",SchedulingDisabled");
    }
    text
}

/// The roles that a node's labels say, sorted.
fn roles(node: &Object) -> Vec<&str> {
    let roles: FlatSet<&str> = node
        .labels()
        .entries()
        .filter_map(|(k, v)| match k.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (&**k == "kubernetes.io/role").then(|| v.str()),
        })
        .filter(|r| !r.is_empty())
        .collect();
    roles.into_iter().collect()
}
