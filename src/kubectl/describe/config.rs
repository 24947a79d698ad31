//! `describe configmap`, `describe secret`.

use super::Related;
use super::writer::Out;
use crate::api::well_known;
use crate::value::{Value, base64};

/// The bytes that a base64 text stands for.
fn length(coded: &Value) -> usize {
    base64::decode(coded.str()).map_or(0, |bytes| bytes.len())
}

pub(super) async fn config_map(related: &Related<'_>, out: &mut Out, map: &Value) {
    out.name(map);
    out.metadata(map);
    out.line(0, "\nData\n====");
    for (key, value) in map.get("data").entries() {
        out.line(0, format!("{key}:\n----\n{}\n", value.str()));
    }
    out.line(0, "\nBinaryData\n====");
    for (key, value) in map.get("binaryData").entries() {
        out.line(0, format!("{key}: {} bytes", length(value)));
    }
    out.line(0, "");
    out.events(related.events(map).await);
}

pub(super) fn secret(out: &mut Out, secret: &Value) {
    let kind = secret.get("type").str();
    out.name(secret);
    out.metadata(secret);
    out.line(0, format!("\nType:\t{kind}"));
    out.line(0, "\nData\n====");
    for (key, value) in secret.get("data").entries() {
        if key.as_str() == "token" && kind == well_known::TOKEN_SECRET {
            let bytes = base64::decode(value.str()).unwrap_or_default();
            out.field(0, key, String::from_utf8_lossy(&bytes));
        } else {
            out.field(0, key, format!("{} bytes", length(value)));
        }
    }
}
