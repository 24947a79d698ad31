//! `describe` of roles and role bindings.

use super::writer::Out;
use crate::api::auth::rules;
use crate::value::Value;

pub(super) fn role(out: &mut Out, role: &Value) {
    out.field(0, "Name", role.str_at(&["metadata", "name"]));
    out.metadata(role);
    out.line(0, "PolicyRule:");
    out.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    out.line(1, "---------\t-----------------\t--------------\t-----");
    for row in rules::rows(role.get("rules").items()) {
        out.line(1, row.join("\t"));
    }
}

pub(super) fn binding(out: &mut Out, binding: &Value) {
    out.field(0, "Name", binding.str_at(&["metadata", "name"]));
    out.metadata(binding);
    out.line(0, "Role:");
    out.field(1, "Kind", binding.str_at(&["roleRef", "kind"]));
    out.field(1, "Name", binding.str_at(&["roleRef", "name"]));
    out.line(0, "Subjects:");
    out.line(1, "Kind\tName\tNamespace");
    out.line(1, "----\t----\t---------");
    for subject in binding.get("subjects").items() {
        let text = |field: &str| subject.get(field).str();
        out.line(1, format!("{}\t{}\t{}", text("kind"), text("name"), text("namespace")));
    }
}
