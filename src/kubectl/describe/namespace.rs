//! `describe namespace`.

use super::Related;
use super::limits::{limit_ranges, quotas};
use super::writer::{Out, time};
use crate::api::ListOptions;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, namespace: &Value) {
    let name = namespace.str_at(&["metadata", "name"]);
    out.field(0, "Name", name);
    out.metadata(namespace);
    out.field(0, "Status", namespace.str_at(&["status", "phase"]));
    let conditions = namespace.at(&["status", "conditions"]);
    if !conditions.is_empty() {
        out.line(0, "Conditions:");
        out.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        out.line(1, "----\t------\t------------------\t------\t-------");
        for condition in conditions.items() {
            let text = |field: &str| condition.get(field).str();
            let since = time(condition.get("lastTransitionTime")).map_or_else(String::new, |t| t.rfc1123());
            out.line(
                1,
                format!(
                    "{}\t{}\t{since}\t{}\t{}",
                    text("type"),
                    text("status"),
                    text("reason"),
                    text("message")
                ),
            );
        }
    }
    out.line(0, "");
    quotas(
        out,
        related
            .list(("", "v1", "resourcequotas"), name, ListOptions::default())
            .await,
    );
    out.line(0, "");
    limit_ranges(
        out,
        related
            .list(("", "v1", "limitranges"), name, ListOptions::default())
            .await,
    );
}
