//! `describe serviceaccount`.

use super::Related;
use super::writer::Out;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, account: &Value) {
    out.name(account);
    out.metadata(account);
    let secrets = account.get("imagePullSecrets").items();
    if secrets.is_empty() {
        out.field(0, "Image pull secrets", "<none>");
    }
    for (i, secret) in secrets.iter().enumerate() {
        let label = if i == 0 {
            "Image pull secrets:"
        } else {
            "                   "
        };
        out.line(0, format!("{label}\t{}", secret.get("name").str()));
    }
    out.events(related.events(account).await);
}
