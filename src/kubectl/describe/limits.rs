//! `describe resourcequota`, `describe limitrange`, and the same inside `describe namespace`.

use super::writer::{Out, quantity};
use crate::api::quantity::Quantity;
use crate::flat::{Arrange, FlatSet};
use crate::value::Value;

fn scope_help(scope: &str) -> &'static str {
    match scope {
        "Terminating" => {
            "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system."
        }
        "NotTerminating" => {
            "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate."
        }
        "BestEffort" => {
            "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service."
        }
        "NotBestEffort" => {
            "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service."
        }
        _ => "",
    }
}

fn scopes(out: &mut Out, level: usize, bullet: &str, quota: &Value) {
    let mut scopes: Vec<&str> = quota.at(&["spec", "scopes"]).items().iter().map(Value::str).collect();
    if scopes.is_empty() {
        return;
    }
    scopes.arrange();
    out.field(level, "Scopes", scopes.join(", "));
    for help in scopes.iter().map(|s| scope_help(s)).filter(|h| !h.is_empty()) {
        out.line(level, format!("{bullet}{help}"));
    }
}

/// `alike`: what is used is written in the format of what is allowed.
fn amounts(out: &mut Out, level: usize, rule: &str, alike: bool, quota: &Value) {
    out.line(level, "Resource\tUsed\tHard");
    out.line(level, format!("--------\t{rule}\t{rule}"));
    let status = quota.get("status");
    for (name, hard) in status.get("hard").entries() {
        let (mut used, hard) = (quantity(status.get("used").get(name)), quantity(hard));
        if alike && used.format != hard.format {
            used = Quantity::whole(used.value(), hard.format);
        }
        out.line(level, format!("{name}\t{used}\t{hard}"));
    }
}

pub(super) fn quota(out: &mut Out, quota: &Value) {
    out.name(quota);
    scopes(out, 0, " * ", quota);
    amounts(out, 0, "----", true, quota);
}

/// The quotas of a namespace.
pub(super) fn quotas(out: &mut Out, mut quotas: Vec<Value>) {
    if quotas.is_empty() {
        return out.line(0, "No resource quota.");
    }
    quotas.arrange_by_key(|q| q.str_at(&["metadata", "name"]).to_owned());
    out.line(0, "Resource Quotas");
    for quota in &quotas {
        out.field(1, "Name", quota.str_at(&["metadata", "name"]));
        scopes(out, 1, "* ", quota);
        amounts(out, 1, "---", false, quota);
    }
}

const HEADER: &str = "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio";
const RULE: &str = "----\t--------\t---\t---\t---------------\t-------------\t-----------------------";

fn rows(out: &mut Out, prefix: &str, range: &Value) {
    const FIELDS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for item in range.at(&["spec", "limits"]).items() {
        let names: FlatSet<String> = FIELDS
            .iter()
            .flat_map(|f| item.get(f).entries())
            .map(|(k, _)| k.to_string())
            .collect();
        for name in names {
            let cells: Vec<String> = FIELDS
                .iter()
                .map(|field| match item.get(field).get(&name) {
                    Value::Null => "-".to_owned(),
                    amount => quantity(amount).to_string(),
                })
                .collect();
            out.line(
                0,
                format!("{prefix}{}\t{name}\t{}", item.get("type").str(), cells.join("\t")),
            );
        }
    }
}

pub(super) fn limit_range(out: &mut Out, range: &Value) {
    out.name(range);
    out.line(0, HEADER);
    out.line(0, RULE);
    rows(out, "", range);
}

/// The limit ranges of a namespace.
pub(super) fn limit_ranges(out: &mut Out, ranges: Vec<Value>) {
    if ranges.is_empty() {
        return out.line(0, "No LimitRange resource.");
    }
    out.line(0, format!("Resource Limits\n {HEADER}\n {RULE}"));
    for range in &ranges {
        rows(out, " ", range);
    }
}
