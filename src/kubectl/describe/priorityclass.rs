//! `describe priorityclass`.

use super::Related;
use super::writer::{Out, or};
use crate::kubectl::print_labels;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, class: &Value) {
    out.field(0, "Name", class.str_at(&["metadata", "name"]));
    out.field(0, "Value", class.i64_at(&["value"]).unwrap_or(0));
    out.field(0, "GlobalDefault", class.bool_at(&["globalDefault"]));
    out.field(
        0,
        "PreemptionPolicy",
        or(class.get("preemptionPolicy").str(), "PreemptLowerPriority"),
    );
    out.field(0, "Description", class.get("description").str());
    out.field(0, "Annotations", print_labels(class.at(&["metadata", "annotations"])));
    out.events(related.events(class).await);
}
