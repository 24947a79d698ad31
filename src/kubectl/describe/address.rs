//! `describe servicecidr`, `describe ipaddress`.

use super::Related;
use super::writer::{Out, join, rfc1123};
use crate::value::Value;

pub(super) async fn service_cidr(related: &Related<'_>, out: &mut Out, range: &Value) {
    out.field(0, "Name", range.str_at(&["metadata", "name"]));
    out.metadata(range);
    out.field(0, "CIDRs", join(range.at(&["spec", "cidrs"]), ", "));
    let conditions = range.at(&["status", "conditions"]).items();
    if !conditions.is_empty() {
        out.line(0, "Status:\nConditions:");
        out.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        out.line(1, "----\t------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let text = |field: &str| condition.get(field).str();
        let since = rfc1123(condition.get("lastTransitionTime"));
        let (kind, status) = (text("type"), text("status"));
        let (reason, message) = (text("reason"), text("message"));
        out.line(1, format!("{kind}\t{status}\t{since}\t{reason}\t{message}"));
    }
    out.events(related.events(range).await);
}

pub(super) async fn ip_address(related: &Related<'_>, out: &mut Out, address: &Value) {
    out.field(0, "Name", address.str_at(&["metadata", "name"]));
    out.metadata(address);
    let parent = address.at(&["spec", "parentRef"]);
    if !parent.is_null() {
        out.line(0, "Parent Reference:");
        for (label, field) in [
            ("Group", "group"),
            ("Resource", "resource"),
            ("Namespace", "namespace"),
            ("Name", "name"),
        ] {
            out.field(1, label, parent.get(field).str());
        }
    }
    out.events(related.events(address).await);
}
