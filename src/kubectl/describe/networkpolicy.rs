//! `describe networkpolicy`.

use super::writer::{Out, format_selector, int_or_text, join, or, time};
use crate::value::Value;

pub(super) fn describe(out: &mut Out, policy: &Value) {
    out.name(policy);
    let created = time(policy.at(&["metadata", "creationTimestamp"]))
        .map(|t| t.to_string().replace('T', " ").replace('Z', " +0000 UTC"))
        .unwrap_or_default();
    out.field(0, "Created on", created);
    out.metadata(policy);
    let spec = policy.get("spec");
    out.line(0, "Spec:");
    let pods = match spec.get("podSelector") {
        selector if selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty() => {
            "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned()
        }
        selector => format_selector(selector),
    };
    out.line(1, format!("PodSelector:     {pods}"));
    let types: Vec<&str> = spec.get("policyTypes").items().iter().map(Value::str).collect();
    for (kind, field, peers, peer, aim) in [
        ("Ingress", "ingress", "from", "From", "source"),
        ("Egress", "egress", "to", "To", "destination"),
    ] {
        if types.contains(&kind) {
            out.line(1, format!("Allowing {field} traffic:"));
            rules(out, spec.get(field), field, peers, peer, aim);
        } else {
            out.line(1, format!("Not affecting {field} traffic"));
        }
    }
    out.line(1, format!("Policy Types: {}", or(&types.join(", "), "<none>")));
}

fn rules(out: &mut Out, rules: &Value, field: &str, peers: &str, peer: &str, aim: &str) {
    let rules = rules.items();
    if rules.is_empty() {
        return out.line(
            2,
            format!("<none> (Selected pods are isolated for {field} connectivity)"),
        );
    }
    for (i, rule) in rules.iter().enumerate() {
        if rule.get("ports").is_empty() {
            out.line(2, "To Port: <any> (traffic allowed to all ports)");
        }
        for port in rule.get("ports").items() {
            let protocol = or(port.get("protocol").str(), "TCP");
            let first = match port.get("port") {
                Value::Null => "<nil>".to_owned(),
                number => int_or_text(number),
            };
            match port.i64_at(&["endPort"]) {
                None => out.line(2, format!("To Port: {first}/{protocol}")),
                Some(last) => out.line(2, format!("To Port Range: {first}-{last}/{protocol}")),
            }
        }
        if rule.get(peers).is_empty() {
            out.line(2, format!("{peer}: <any> (traffic not restricted by {aim})"));
        }
        for one in rule.get(peers).items() {
            out.line(2, format!("{peer}:"));
            let block = one.get("ipBlock");
            for (label, field) in [
                ("NamespaceSelector", "namespaceSelector"),
                ("PodSelector", "podSelector"),
            ] {
                if one.has(field) {
                    out.line(3, format!("{label}: {}", format_selector(one.get(field))));
                }
            }
            if !block.is_null() && !one.has("podSelector") && !one.has("namespaceSelector") {
                out.line(3, "IPBlock:");
                out.line(4, format!("CIDR: {}", block.get("cidr").str()));
                out.line(4, format!("Except: {}", join(block.get("except"), ", ")));
            }
        }
        if i + 1 < rules.len() {
            out.line(2, "----------");
        }
    }
}
