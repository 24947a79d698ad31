//! `describe ingress`, `describe ingressclass`.

use super::Related;
use super::service::{endpoint_list, slices};
use super::writer::{Out, join, or};
use crate::flat::Arrange;
use crate::value::{Value, gofmt};

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, ingress: &Value) {
    let spec = ingress.get("spec");
    let namespace = ingress.str_at(&["metadata", "namespace"]);
    out.field(0, "Name", ingress.str_at(&["metadata", "name"]));
    out.labels("Labels", ingress.at(&["metadata", "labels"]));
    out.field(0, "Namespace", namespace);
    let mut addresses: Vec<&str> = ingress
        .at(&["status", "loadBalancer", "ingress"])
        .items()
        .iter()
        .map(|p| or(p.get("ip").str(), p.get("hostname").str()))
        .filter(|address| !address.is_empty())
        .collect();
    addresses.arrange();
    addresses.dedup();
    out.field(0, "Address", addresses.join(","));
    out.field(0, "Ingress Class", or(spec.get("ingressClassName").str(), "<none>"));
    let default = match spec.get("defaultBackend") {
        Value::Null => "<default>".to_owned(),
        default => backend(related, namespace, default).await,
    };
    out.field(0, "Default backend", &default);
    if !spec.get("tls").is_empty() {
        out.line(0, "TLS:");
        for tls in spec.get("tls").items() {
            let hosts = join(tls.get("hosts"), ",");
            match tls.get("secretName").str() {
                "" => out.line(1, format!("SNI routes {hosts}")),
                secret => out.line(1, format!("{secret} terminates {hosts}")),
            }
        }
    }
    out.line(0, "Rules:\n  Host\tPath\tBackends");
    out.line(1, "----\t----\t--------");
    let mut any = false;
    for rule in spec.get("rules").items().iter().filter(|r| r.has("http")) {
        any = true;
        out.line(1, format!("{}\t", or(rule.get("host").str(), "*")));
        for path in rule.at(&["http", "paths"]).items() {
            let to = backend(related, namespace, path.get("backend")).await;
            out.line(2, format!("\t{} \t{to}", path.get("path").str()));
        }
    }
    if !any {
        out.line(1, format!("*\t*\t{default}"));
    }
    out.annotations("Annotations", ingress.at(&["metadata", "annotations"]));
    out.events(related.events(ingress).await);
}

/// Where a backend leads: `web:80 (10.244.2.2:80)`.
async fn backend(related: &Related<'_>, namespace: &str, backend: &Value) -> String {
    let service = backend.get("service");
    if service.is_null() {
        let resource = backend.get("resource");
        let group = or(resource.get("apiGroup").str(), "<none>");
        return format!(
            "APIGroup: {group}, Kind: {}, Name: {}",
            resource.get("kind").str(),
            resource.get("name").str()
        );
    }
    let (name, port) = (service.get("name").str(), service.get("port"));
    let wanted = match port.i64_at(&["number"]) {
        Some(number) if number != 0 => number.to_string(),
        _ => port.get("name").str().to_owned(),
    };
    let found = related.get(("", "v1", "services"), namespace, name).await;
    let endpoints = match found {
        Err(status) => format!("<error: {}>", status.message()),
        Ok(object) => {
            let same = |p: &&Value| {
                let number = p.i64_at(&["port"]).unwrap_or(0);
                match port.i64_at(&["number"]).filter(|n| *n != 0) {
                    Some(wanted) => number == wanted,
                    None => p.get("name").str() == wanted,
                }
            };
            // A port that the service has not stands for the one without a name.
            let ports = object.at(&["spec", "ports"]).items();
            let port = ports.iter().rfind(same).map_or("", |p| p.get("name").str());
            endpoint_list(&slices(related, namespace, name).await, &[port])
        }
    };
    format!("{name}:{wanted} ({endpoints})")
}

pub(super) async fn class(related: &Related<'_>, out: &mut Out, class: &Value) {
    out.field(0, "Name", class.str_at(&["metadata", "name"]));
    out.metadata(class);
    out.field(0, "Controller", class.str_at(&["spec", "controller"]));
    let parameters = class.at(&["spec", "parameters"]);
    if !parameters.is_null() {
        out.line(0, "Parameters:");
        out.field_if(1, "APIGroup", parameters.get("apiGroup").str());
        out.field(1, "Kind", gofmt::display(parameters.get("kind")));
        out.field(1, "Name", parameters.get("name").str());
    }
    out.events(related.events(class).await);
}
