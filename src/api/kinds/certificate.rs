//! CertificateSigningRequests: who asked is written by the server, the request must be signed by its own
//! key, and status and approval are written apart (`pkg/apis/certificates/validation`).

use super::age_cell;
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::table::human_duration;
use crate::api::well_known;
use crate::pki::{self, Certificate, Request, pem};
use crate::sim::Time;
use crate::value::{Value, base64, quoted};

/// The rules of CertificateSigningRequests.
pub struct CertificateSigningRequestRules;

/// The condition by which somebody allows the certificate.
pub const APPROVED: &str = "Approved";
/// The condition by which somebody refuses it.
pub const DENIED: &str = "Denied";
/// The condition by which the signer refuses it.
pub const FAILED: &str = "Failed";

/// What `spec.usages` may name.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The PKCS #10 request of `spec.request`.
///
/// # Errors
/// Go's sentence about what it is not.
pub fn request(object: &Value) -> Result<Request, String> {
    let text = base64::decode(object.str_at(&["spec", "request"])).unwrap_or_default();
    let blocks = pem::blocks(&String::from_utf8_lossy(&text));
    match blocks.first() {
        Some(block) if block.label == "CERTIFICATE REQUEST" => {
            Request::from_der(&block.bytes).map_err(|e: pki::Error| e.to_string())
        }
        _ => Err("PEM block type must be CERTIFICATE REQUEST".into()),
    }
}

/// Whether a condition of this type is there.
pub fn has(object: &Object, kind: &str) -> bool {
    object.condition(kind).is_some()
}

/// `Approved,Issued`, as the table and `kubectl describe` say it.
pub fn state(object: &Value) -> String {
    let conditions = object.at(&["status", "conditions"]);
    let has = |kind: &str| !of_type(conditions, kind).is_empty();
    let mut out = String::from(if has(DENIED) {
        DENIED
    } else if has(APPROVED) {
        APPROVED
    } else {
        "Pending"
    });
    if has(FAILED) {
        out.push_str(",Failed");
    }
    if !object.at(&["status", "certificate"]).is_empty() {
        out.push_str(",Issued");
    }
    out
}

/// The conditions of one type.
pub fn of_type<'a>(conditions: &'a Value, kind: &'a str) -> Vec<&'a Value> {
    let all = conditions.items().iter();
    all.filter(|c| c.get("type").str() == kind).collect()
}

const SIGNER_NAME: &str = "spec.signerName";

/// Checks the labels of a signer's domain or path. The first that is wrong says all that is wrong with it.
fn signer_labels(part: &str, check: fn(&str) -> Result<(), names::Broken>, errors: &mut FieldErrors) {
    let broken = part.split('.').find_map(|l| check(l).err().map(|b| (l, b)));
    for (label, why) in broken.iter().flat_map(|(l, b)| b.0.iter().map(move |why| (l, why))) {
        errors.invalid(
            SIGNER_NAME,
            &part.into(),
            format!("validating label {label}: {why}", label = quoted(&label)),
        );
    }
}

/// The form `example.com/signer-name`.
fn signer_name(name: &str, errors: &mut FieldErrors) {
    let field = SIGNER_NAME;
    let segments: Vec<&str> = name.split('/').collect();
    let [domain, path] = segments.as_slice() else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.invalid(field, &name.into(), why);
        return;
    };
    if domain.len() > 253 {
        errors.too_long(field, 253);
    }
    signer_labels(domain, names::dns1123_label, errors);
    if domain.split('.').count() < 2 {
        let why = "should be a domain with at least two segments separated by dots";
        errors.invalid(field, &(*domain).into(), why);
    }
    signer_labels(path, names::dns1123_subdomain, errors);
    if name.len() > 571 {
        errors.too_long(field, 571);
    }
}

fn conditions(object: &Value, errors: &mut FieldErrors) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, condition) in object.at(&["status", "conditions"]).items().iter().enumerate() {
        let field = |name: &str| format!("status.conditions[{i}].{name}");
        let (kind, status) = (condition.get("type"), condition.get("status"));
        if kind.is_empty() {
            errors.required(field("type"), "");
        }
        let allowed: &[&str] = match kind.str() {
            APPROVED | DENIED | FAILED => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        if status.is_empty() {
            errors.required(field("status"), "");
        } else if !allowed.contains(&status.str()) {
            errors.not_supported(field("status"), status, allowed);
        }
        let other = match kind.str() {
            APPROVED => DENIED,
            DENIED => APPROVED,
            _ => "",
        };
        if seen.contains(&other) {
            let why = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(field("type"), kind, why);
        }
        if seen.contains(&kind.str()) {
            errors.duplicate(field("type"), kind);
        }
        seen.push(kind.str());
    }
}

/// What `status.certificate` must be.
fn certificate(text: &str) -> Result<(), String> {
    let text = base64::decode(text).unwrap_or_default();
    let blocks = pem::blocks(&String::from_utf8_lossy(&text));
    for block in &blocks {
        if block.label != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {}",
                quoted(&block.label)
            ));
        }
        if block.headers {
            return Err("no PEM block headers are permitted".into());
        }
        match Certificate::from_der(&block.bytes) {
            // Another signer's keys can be of a kind that is not known here.
            Ok(_) | Err(pki::Error::Algorithm) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if blocks.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".into());
    }
    Ok(())
}

/// The times of conditions that carry none.
fn times(new: &mut Value, old: &Object, now: Time) {
    let present = old.at(&["status", "conditions"]).clone();
    if new.at(&["status", "conditions"]).is_empty() {
        return;
    }
    for condition in new.at_mut(&["status", "conditions"]).list_mut() {
        if condition.get("lastUpdateTime").is_empty() {
            condition.set(&["lastUpdateTime"], now);
        }
        if condition.get("lastTransitionTime").is_empty() {
            let same = present.items().iter().find(|c| {
                c.get("type") == condition.get("type")
                    && c.get("status") == condition.get("status")
                    && !c.get("lastTransitionTime").is_empty()
            });
            let time = same.map_or_else(|| now.into(), |c| c.get("lastTransitionTime").clone());
            condition.set(&["lastTransitionTime"], time);
        }
    }
}

impl Strategy for CertificateSigningRequestRules {
    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::path_segment(name)
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        let who = cx.user.to_value();
        for field in ["username", "uid", "groups", "extra"] {
            object.set_or_remove(&["spec", field], who.get(field).clone());
        }
        self.begin_status(object);
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        new.set(&["spec"], old.spec().clone());
        new.set(&["status"], old.status().clone());
        Ok(())
    }

    fn prepare_part(&self, part: &str, new: &mut Value, old: &Object, cx: &Context) {
        if part == "approval" {
            // Only the conditions are the approver's; metadata is kept as an update sets it.
            let conditions = new.at(&["status", "conditions"]).clone();
            new.set(&["spec"], old.spec().clone());
            new.set(&["status"], old.status().clone());
            new.set_or_remove(&["status", "conditions"], conditions);
        } else {
            self.prepare_status(new, old);
            let present = old.at(&["status", "conditions"]).clone();
            for kind in [APPROVED, DENIED] {
                let had = of_type(&present, kind);
                if had.is_empty() || of_type(new.at(&["status", "conditions"]), kind).len() != had.len() {
                    continue;
                }
                let mut had = had.into_iter();
                for condition in new.at_mut(&["status", "conditions"]).list_mut() {
                    if condition.get("type").str() == kind
                        && let Some(old) = had.next()
                    {
                        *condition = old.clone();
                    }
                }
            }
        }
        times(new, old, cx.now);
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        if let Err(why) = request(object).and_then(|r| r.verify().map_err(|e| e.to_string())) {
            errors.invalid("spec.request", spec.get("request"), why);
        }
        let usages = spec.get("usages").items();
        if usages.is_empty() {
            errors.required("spec.usages", "usages must be provided");
        }
        for (i, usage) in usages.iter().enumerate() {
            if !USAGES.contains(&usage.str()) {
                errors.not_supported(format!("spec.usages[{i}]"), usage, &USAGES);
            }
        }
        for (i, usage) in usages.iter().enumerate() {
            if usages.iter().take(i).any(|u| u == usage) {
                errors.duplicate(format!("spec.usages[{i}]"), usage);
            }
        }
        match spec.get("signerName").str() {
            "" => errors.required("spec.signerName", "signerName must be provided"),
            well_known::LEGACY_SIGNER => errors.invalid(
                "spec.signerName",
                spec.get("signerName"),
                "the legacy signerName is not allowed via this API version",
            ),
            name => signer_name(name, errors),
        }
        if let Some(seconds) = spec.i64_at(&["expirationSeconds"]).filter(|s| *s < 600) {
            let why = "may not specify a duration less than 600 seconds";
            errors.invalid("spec.expirationSeconds", &seconds.into(), why);
        }
        conditions(object, errors);
    }

    fn validate_part(&self, part: &str, new: &Value, old: &Object, errors: &mut FieldErrors) {
        conditions(new, errors);
        let (now, then) = (new.get("status"), old.status());
        let (issued, before) = (now.get("certificate"), then.get("certificate"));
        if issued != before
            && !issued.is_empty()
            && let Err(why) = certificate(issued.str())
        {
            errors.invalid_as("status.certificate", "\"<certificate data>\"", why);
        }
        let field = "status.conditions";
        let count = |status: &Value, kind: &str| of_type(status.get("conditions"), kind).len();
        for kind in [APPROVED, DENIED, FAILED] {
            if count(now, kind) < count(then, kind) {
                errors.forbidden(
                    field,
                    format!(
                        "updates may not remove a condition of type {kind}",
                        kind = quoted(&kind)
                    ),
                );
            }
        }
        if part == "approval" {
            return;
        }
        for kind in [APPROVED, DENIED] {
            if count(now, kind) > count(then, kind) {
                errors.forbidden(
                    field,
                    format!("updates may not add a condition of type {kind}", kind = quoted(&kind)),
                );
            }
        }
        if issued != before && !before.is_empty() {
            let why = "updates may not modify existing certificate content";
            errors.forbidden("status.certificate", why);
        }
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "spec.signerName").then(|| object.spec().get("signerName").str().to_owned())
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let asked = spec.i64_at(&["expirationSeconds"]);
        Some(vec![
            object.name().into(),
            age_cell(object, now),
            spec.get("signerName").str().into(),
            spec.get("username").str().into(),
            asked.map_or_else(|| "<none>".to_owned(), human_duration).into(),
            state(object.value()).into(),
        ])
    }
}
