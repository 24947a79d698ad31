//! `describe serviceaccount`.

use super::Related;
use super::writer::Out;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, account: &Value) {
    out.name(account);
    out.metadata(account);
    let namespace = account.str_at(&["metadata", "namespace"]);
    for (label, field) in [
        ("Image pull secrets:", "imagePullSecrets"),
        ("Mountable secrets: ", "secrets"),
    ] {
        let secrets = account.get(field).items();
        if secrets.is_empty() && field == "imagePullSecrets" {
            out.line(0, format!("{label}\t<none>"));
        }
        for (i, secret) in secrets.iter().enumerate() {
            let name = secret.get("name").str();
            let found = related.get(("", "v1", "secrets"), namespace, name).await.is_ok();
            let missing = if found { "" } else { " (not found)" };
            let label = if i == 0 { label } else { "                   " };
            out.line(0, format!("{label}\t{name}{missing}"));
        }
    }
    out.events(related.events(account).await);
}
