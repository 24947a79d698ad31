//! `describe certificatesigningrequest`.

use super::Related;
use super::writer::Out;
use crate::api::kinds::certificate;
use crate::api::table::human_duration;
use crate::kubectl::print_labels;
use crate::sim::Time;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, request: &Value) {
    let metadata = request.get("metadata");
    let spec = request.get("spec");
    let asked = match certificate::request(request) {
        Ok(asked) => asked,
        Err(why) => return out.line(0, format!("Error parsing CSR: {why}")),
    };
    out.field(0, "Name", metadata.get("name").str());
    out.field(0, "Labels", print_labels(metadata.get("labels")));
    out.field(0, "Annotations", print_labels(metadata.get("annotations")));
    let created = Time::parse(metadata.get("creationTimestamp").str()).unwrap_or_default();
    out.field(0, "CreationTimestamp", created.rfc1123());
    out.field(0, "Requesting User", spec.get("username").str());
    out.field_if(0, "Signer", spec.get("signerName").str());
    if let Some(seconds) = spec.i64_at(&["expirationSeconds"]) {
        out.field(0, "Requested Duration", human_duration(seconds));
    }
    out.field(0, "Status", certificate::state(request));
    out.line(0, "Subject:");
    let subject = &asked.subject;
    // Columns here begin with a tab: the labels stand in the second one.
    let list = |out: &mut Out, label: &str, values: &[&str]| {
        if !values.is_empty() {
            out.line(0, format!("\t{label}:\t{}", values.join("\n\t\t")));
        }
    };
    out.line(0, format!("\tCommon Name:\t{}", subject.get("CN")));
    out.line(0, format!("\tSerial Number:\t{}", subject.get("serialNumber")));
    for (label, short) in [
        ("Organization", "O"),
        ("Organizational Unit", "OU"),
        ("Country", "C"),
        ("Locality", "L"),
        ("Province", "ST"),
        ("StreetAddress", "street"),
        ("PostalCode", "postalCode"),
    ] {
        list(out, label, &subject.all(short));
    }
    let names = &asked.names;
    if !names.is_empty() {
        out.line(0, "Subject Alternative Names:");
        let ips: Vec<String> = names.ips.iter().map(ToString::to_string).collect();
        for (label, values) in [
            ("DNS Names", &names.dns),
            ("Email Addresses", &names.emails),
            ("URIs", &names.uris),
            ("IP Addresses", &ips),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            list(out, label, &values);
        }
    }
    out.events(related.events(request).await);
}
