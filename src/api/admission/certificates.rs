//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`.

use super::Attributes;
use crate::api::auth;
use crate::api::kinds::certificate;
use crate::api::status::Status;
use crate::api::well_known;
use crate::value::{Value, quoted};

const GROUP: &str = "certificates.k8s.io";

/// Who approves or signs must be allowed to for the signer; nobody asks for a certificate of
/// `system:masters`.
///
/// # Errors
/// 403.
pub fn validate(a: &Attributes, value: &Value) -> Result<(), Status> {
    if !a.is(GROUP, "certificatesigningrequests") {
        return Ok(());
    }
    let Some(old) = a.old else {
        return subject(a, value);
    };
    let signer = old.spec().get("signerName").str();
    match a.target.subresource.as_str() {
        "approval" if !authorized(a, "approve", signer) => Err(a.forbidden(
            value,
            format!(
                "user not permitted to approve requests with signerName {signer}",
                signer = quoted(&signer)
            ),
        )),
        "status" => {
            let (now, then) = (value.get("status"), old.status());
            let failed = |status| certificate::of_type(Value::get(status, "conditions"), certificate::FAILED);
            let issued = now.get("certificate") != then.get("certificate");
            if (issued || failed(now) != failed(then)) && !authorized(a, "sign", signer) {
                return Err(a.forbidden(
                    value,
                    format!(
                        "user not permitted to sign requests with signerName {signer}",
                        signer = quoted(&signer)
                    ),
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn subject(a: &Attributes, value: &Value) -> Result<(), Status> {
    let signer = well_known::CLIENT_SIGNER;
    if value.str_at(&["spec", "signerName"]) != signer {
        return Ok(());
    }
    let request =
        certificate::request(value).map_err(|why| a.forbidden(value, format!("failed to parse CSR: {why}")))?;
    if request.subject.all("O").contains(&"system:masters") {
        return Err(a.forbidden(
            value,
            format!("use of {signer} signer with system:masters group is not allowed"),
        ));
    }
    Ok(())
}

/// Whether the user may do that with the signer, by its name or by all of its domain (`DOMAIN/*`).
fn authorized(a: &Attributes, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    let all = format!("{domain}/*");
    [signer, &all].into_iter().any(|name| {
        let asked = auth::Attributes {
            verb,
            group: GROUP,
            version: "*",
            resource: "signers",
            name,
            ..auth::Attributes::default()
        };
        a.api.authorizer().decide(a.api, &a.request.user, &asked).allowed
    })
}
