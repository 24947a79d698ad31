//! `describe service`, `describe endpoints`, `describe endpointslice`.

use super::Related;
use super::writer::{Out, int_or_text, join, number_or_unset, or};
use crate::api::ListOptions;
use crate::api::well_known;
use crate::value::Value;

/// Endpoints shown of a port before `+ n more...`.
const SHOWN: usize = 3;

/// The slices of a service.
pub(super) async fn slices(related: &Related<'_>, namespace: &str, service: &str) -> Vec<Value> {
    let options = ListOptions::labels(format!("{}={service}", well_known::SERVICE_NAME));
    let all = related
        .list(("discovery.k8s.io", "v1", "endpointslices"), namespace, options)
        .await;
    let of = |s: &Value| s.at(&["metadata", "labels", well_known::SERVICE_NAME]).str() == service;
    all.into_iter().filter(of).collect()
}

/// The ready endpoints of a port (by the port's names; the first ones, then how many more).
pub(super) fn endpoint_list(slices: &[Value], ports: &[&str]) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let mut shown: Vec<String> = Vec::new();
    let (mut count, mut more) = (0, false);
    let mut add = |slice: &Value, port: Option<i64>| {
        for endpoint in slice.get("endpoints").items() {
            // One that is not ready is not counted, but says that there are more.
            more |= shown.len() == SHOWN;
            if endpoint.at(&["conditions", "ready"]).as_bool() == Some(false) {
                continue;
            }
            count += 1;
            if shown.len() < SHOWN {
                let address = endpoint.get("addresses").items().first().map_or("", Value::str);
                shown.push(match port {
                    Some(port) if address.contains(':') => format!("[{address}]:{port}"),
                    Some(port) => format!("{address}:{port}"),
                    None => address.to_owned(),
                });
            }
        }
    };
    for slice in slices {
        if slice.get("ports").is_empty() {
            add(slice, None);
        }
        for port in slice.get("ports").items() {
            if ports.contains(&port.get("name").str()) {
                add(slice, Some(port.i64_at(&["port"]).unwrap_or(0)));
            }
        }
    }
    let list = shown.join(",");
    if more {
        format!("{list} + {} more...", count - SHOWN)
    } else {
        list
    }
}

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, service: &Value) {
    let spec = service.get("spec");
    let text = |field: &str| spec.get(field).str();
    out.name(service);
    out.metadata(service);
    out.field(0, "Selector", crate::kubectl::print_labels(spec.get("selector")));
    out.field(0, "Type", text("type"));
    out.field_if(0, "IP Family Policy", text("ipFamilyPolicy"));
    out.field(0, "IP Families", or(&join(spec.get("ipFamilies"), ","), "<none>"));
    out.field(0, "IP", text("clusterIP"));
    out.field(0, "IPs", or(&join(spec.get("clusterIPs"), ","), "<none>"));
    out.field_if(0, "External IPs", &join(spec.get("externalIPs"), ","));
    out.field_if(0, "Desired LoadBalancer IP", text("loadBalancerIP"));
    out.field_if(0, "External Name", text("externalName"));
    let ingress: Vec<String> = service
        .at(&["status", "loadBalancer", "ingress"])
        .items()
        .iter()
        .map(|point| {
            let at = or(point.get("ip").str(), point.get("hostname").str());
            match point.get("ipMode").str() {
                "" => at.to_owned(),
                mode => format!("{at} ({mode})"),
            }
        })
        .collect();
    out.field_if(0, "LoadBalancer Ingress", &ingress.join(", "));
    let (namespace, name) = (
        service.str_at(&["metadata", "namespace"]),
        service.str_at(&["metadata", "name"]),
    );
    let slices = slices(related, namespace, name).await;
    for port in spec.get("ports").items() {
        let name = or(port.get("name").str(), "<unset>");
        let protocol = port.get("protocol").str();
        let number = |field: &str| port.i64_at(&[field]).unwrap_or(0);
        out.field(0, "Port", format!("{name}\t{}/{protocol}", number("port")));
        out.field(
            0,
            "TargetPort",
            format!("{}/{protocol}", int_or_text(port.get("targetPort"))),
        );
        if let Some(protocol) = port.get("appProtocol").as_str() {
            out.field(0, "AppProtocol", protocol);
        }
        if number("nodePort") != 0 {
            out.field(0, "NodePort", format!("{name}\t{}/{protocol}", number("nodePort")));
        }
        out.field(0, "Endpoints", endpoint_list(&slices, &[port.get("name").str()]));
    }
    out.field(0, "Session Affinity", text("sessionAffinity"));
    out.field_if(0, "External Traffic Policy", text("externalTrafficPolicy"));
    out.field_if(0, "Internal Traffic Policy", text("internalTrafficPolicy"));
    if let Some(port) = spec.i64_at(&["healthCheckNodePort"]).filter(|p| *p != 0) {
        out.field(0, "HealthCheck NodePort", port);
    }
    out.field_if(
        0,
        "LoadBalancer Source Ranges",
        &join(spec.get("loadBalancerSourceRanges"), ","),
    );
    out.field_if(0, "Traffic Distribution", text("trafficDistribution"));
    out.events(related.events(service).await);
}

pub(super) async fn endpoints(related: &Related<'_>, out: &mut Out, endpoints: &Value) {
    out.name(endpoints);
    out.metadata(endpoints);
    out.line(0, "Subsets:");
    for subset in endpoints.get("subsets").items() {
        for (label, field) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")] {
            let list: Vec<&str> = subset.get(field).items().iter().map(|a| a.get("ip").str()).collect();
            out.field(1, label, or(&list.join(","), "<none>"));
        }
        if !subset.get("ports").is_empty() {
            out.line(1, "Ports:");
            out.line(2, "Name\tPort\tProtocol");
            out.line(2, "----\t----\t--------");
            for port in subset.get("ports").items() {
                let name = or(port.get("name").str(), "<unset>");
                let number = port.i64_at(&["port"]).unwrap_or(0);
                out.line(2, format!("{name}\t{number}\t{}", port.get("protocol").str()));
            }
        }
        out.line(0, "");
    }
    out.events(related.events(endpoints).await);
}

pub(super) async fn slice(related: &Related<'_>, out: &mut Out, slice: &Value) {
    out.name(slice);
    out.metadata(slice);
    out.field(0, "AddressType", slice.get("addressType").str());
    if slice.get("ports").is_empty() {
        out.line(0, "Ports: <unset>");
    } else {
        out.line(0, "Ports:");
        out.line(1, "Name\tPort\tProtocol");
        out.line(1, "----\t----\t--------");
        for port in slice.get("ports").items() {
            let name = or(port.get("name").str(), "<unset>");
            let number = number_or_unset(port.get("port"));
            out.line(1, format!("{name}\t{number}\t{}", port.get("protocol").str()));
        }
    }
    if slice.get("endpoints").is_empty() {
        out.line(0, "Endpoints: <none>");
    } else {
        out.line(0, "Endpoints:");
        for endpoint in slice.get("endpoints").items() {
            let text = |field: &str| or(endpoint.get(field).str(), "<unset>").to_owned();
            out.line(
                1,
                format!("- Addresses:\t{}", or(&join(endpoint.get("addresses"), ", "), "<none>")),
            );
            out.line(2, "Conditions:");
            let ready = match endpoint.at(&["conditions", "ready"]).as_bool() {
                Some(true) => "true",
                Some(false) => "false",
                None => "<unset>",
            };
            out.field(3, "Ready", ready);
            out.field(2, "Hostname", text("hostname"));
            let target = endpoint.get("targetRef");
            if !target.is_null() {
                out.field(
                    2,
                    "TargetRef",
                    format!("{}/{}", target.get("kind").str(), target.get("name").str()),
                );
            }
            out.field(2, "NodeName", text("nodeName"));
            out.field(2, "Zone", text("zone"));
        }
    }
    out.events(related.events(slice).await);
}
