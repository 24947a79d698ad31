//! `describe poddisruptionbudget`.

use super::Related;
use super::writer::{Out, format_selector, int_or_text};
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, budget: &Value) {
    let (spec, status) = (budget.get("spec"), budget.get("status"));
    out.name(budget);
    if spec.has("minAvailable") {
        out.field(0, "Min available", int_or_text(spec.get("minAvailable")));
    } else if spec.has("maxUnavailable") {
        out.field(0, "Max unavailable", int_or_text(spec.get("maxUnavailable")));
    }
    let selector = if spec.has("selector") {
        format_selector(spec.get("selector"))
    } else {
        "<unset>".to_owned()
    };
    out.field(0, "Selector", selector);
    out.line(0, "Status:");
    for (label, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        out.field(2, label, status.i64_at(&[field]).unwrap_or(0));
    }
    out.events(related.events(budget).await);
}
