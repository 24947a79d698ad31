//! Ingresses, IngressClasses, NetworkPolicies, ServiceCIDRs and IPAddresses.

use super::{
    age_cell, edit, edit_items, format_selector, fresh_status, or_none, pod_validation, set_default, set_default_zero,
    texts, workload,
};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

pub struct IngressRules;

impl Strategy for IngressRules {
    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "loadBalancer": obj! {} });
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let backend = spec.get("defaultBackend");
        let rules = spec.get("rules").items();
        if rules.is_empty() && backend.is_null() {
            errors.invalid(
                "spec",
                &Value::list(Vec::new()),
                "either `defaultBackend` or `rules` must be specified",
            );
        }
        if !backend.is_null() {
            check_backend(backend, "spec.defaultBackend", errors);
        }
        for (i, rule) in rules.iter().enumerate() {
            let at = format!("spec.rules[{i}]");
            let host = rule.get("host");
            if !host.is_empty() {
                if host.str().parse::<std::net::IpAddr>().is_ok() {
                    errors.invalid(format!("{at}.host"), host, "must be a DNS name, not an IP address");
                }
                let bare = host.str().strip_prefix("*.").unwrap_or(host.str());
                if host.str().contains('*') && bare == host.str() {
                    errors.invalid(
                        format!("{at}.host"),
                        host,
                        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
                    );
                } else if let Err(why) = names::dns1123_subdomain(bare) {
                    errors.invalid(format!("{at}.host"), host, why);
                }
            }
            if rule.get("http").is_null() {
                continue;
            }
            let paths = rule.at(&["http", "paths"]).items();
            if paths.is_empty() {
                errors.required(format!("{at}.http.paths"), "");
            }
            for (j, path) in paths.iter().enumerate() {
                check_path(path, &format!("{at}.http.paths[{j}]"), errors);
            }
        }
        let class = spec.get("ingressClassName");
        if !class.is_null()
            && let Err(why) = names::dns1123_subdomain(class.str())
        {
            errors.invalid("spec.ingressClassName", class, why);
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        const MOST: usize = 3;
        let spec = object.spec();
        let hosts: Vec<&str> = spec
            .get("rules")
            .items()
            .iter()
            .map(|r| r.get("host").str())
            .filter(|h| !h.is_empty())
            .collect();
        let shown = match hosts.len() {
            0 => "*".to_owned(),
            n if n > MOST => format!("{} + {} more...", hosts.get(..MOST).unwrap_or(&[]).join(","), n - MOST),
            _ => hosts.join(","),
        };
        let addresses: Vec<&str> = object
            .status()
            .at(&["loadBalancer", "ingress"])
            .items()
            .iter()
            .map(|i| match i.get("ip").str() {
                "" => i.get("hostname").str(),
                ip => ip,
            })
            .collect();
        let ports = if spec.get("tls").is_empty() { "80" } else { "80, 443" };
        let class = match spec.get("ingressClassName").str() {
            "" => object.annotation("kubernetes.io/ingress.class").unwrap_or(""),
            class => class,
        };
        Some(vec![
            object.name().into(),
            or_none(class),
            shown.into(),
            addresses.join(",").into(),
            ports.into(),
            age_cell(object, now),
        ])
    }
}

fn check_path(path: &Value, at: &str, errors: &mut FieldErrors) {
    let (text, kind) = (path.get("path"), path.get("pathType"));
    match kind.str() {
        "" if kind.is_null() => errors.required(format!("{at}.pathType"), "pathType must be specified"),
        "Exact" | "Prefix" => {
            if !text.str().starts_with('/') {
                errors.invalid(format!("{at}.path"), text, "must be an absolute path");
            }
            for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.str().contains(bad) {
                    errors.invalid(format!("{at}.path"), text, format!("must not contain '{bad}'"));
                }
            }
            for bad in ["/..", "/."] {
                if text.str().ends_with(bad) {
                    errors.invalid(format!("{at}.path"), text, format!("cannot end with '{bad}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.str().starts_with('/') {
                errors.invalid(format!("{at}.path"), text, "must be an absolute path");
            }
        }
        _ => errors.not_supported(
            format!("{at}.pathType"),
            kind,
            &["Exact", "ImplementationSpecific", "Prefix"],
        ),
    }
    check_backend(path.get("backend"), &format!("{at}.backend"), errors);
}

fn check_backend(backend: &Value, at: &str, errors: &mut FieldErrors) {
    let (service, resource) = (backend.get("service"), backend.get("resource"));
    match (service.is_null(), resource.is_null()) {
        (true, true) => errors.required(at, "cannot have both resource and service backends empty"),
        (false, false) => errors.invalid(at, &"".into(), "cannot set both resource and service backends"),
        (true, false) => {}
        (false, true) => {
            let name = service.get("name");
            if name.is_empty() {
                errors.required(format!("{at}.service.name"), "");
            } else if let Err(why) = names::dns1123_label(name.str()) {
                errors.invalid(format!("{at}.service.name"), name, why);
            }
            let port = service.get("port");
            match (port.get("name").is_empty(), port.get("number").is_empty()) {
                (true, true) => errors.required(at, "port name or number is required"),
                (false, false) => errors.invalid(at, &"".into(), "cannot set both port name & port number"),
                (true, false) => {
                    pod_validation::port_number(port.get("number"), &format!("{at}.service.port.number"), errors);
                }
                (false, true) => {
                    pod_validation::port_number_or_name(port.get("name"), &format!("{at}.service.port.name"), errors);
                }
            }
        }
    }
}

pub struct IngressClassRules;

impl Strategy for IngressClassRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let controller = object.at(&["spec", "controller"]);
        if controller.is_empty() {
            errors.required("spec.controller", "");
        } else if !controller.str().contains('/') {
            errors.invalid(
                "spec.controller",
                controller,
                "must be a domain-prefixed path (such as \"acme.io/foo\")",
            );
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let controller = new.at(&["spec", "controller"]);
        if controller != old.spec().get("controller") {
            errors.invalid("spec.controller", controller, "field is immutable");
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let p = object.spec().get("parameters");
        let parameters = match (p.is_null(), p.get("apiGroup").str()) {
            (true, _) => "<none>".to_owned(),
            (false, "") => format!("{}/{}", p.get("kind").str(), p.get("name").str()),
            (false, group) => format!("{}.{group}/{}", p.get("kind").str(), p.get("name").str()),
        };
        Some(vec![
            object.name().into(),
            object.spec().get("controller").str().into(),
            parameters.into(),
            age_cell(object, now),
        ])
    }
}

pub struct NetworkPolicyRules;

impl Strategy for NetworkPolicyRules {
    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        edit(object, "spec", |spec| {
            set_default(spec, "podSelector", Value::map());
            for list in ["ingress", "egress"] {
                edit_items(spec, list, |rule| {
                    edit_items(rule, "ports", |port| set_default_zero(port, "protocol", "TCP"));
                });
            }
            if spec.get("policyTypes").is_empty() {
                let types = if spec.get("egress").is_empty() {
                    texts(["Ingress"])
                } else {
                    texts(["Ingress", "Egress"])
                };
                spec.set(&["policyTypes"], types);
            }
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        workload::selector_rules(spec.get("podSelector"), "spec.podSelector", errors);
        for (list, peers) in [("ingress", "from"), ("egress", "to")] {
            for (i, rule) in spec.get(list).items().iter().enumerate() {
                let at = format!("spec.{list}[{i}]");
                for (j, port) in rule.get("ports").items().iter().enumerate() {
                    let at = format!("{at}.ports[{j}]");
                    pod_validation::protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
                    if !port.get("port").is_null() {
                        pod_validation::port_number_or_name(port.get("port"), &format!("{at}.port"), errors);
                    }
                }
                for (j, peer) in rule.get(peers).items().iter().enumerate() {
                    let at = format!("{at}.{peers}[{j}]");
                    let parts = ["podSelector", "namespaceSelector", "ipBlock"];
                    let set: Vec<&str> = parts.into_iter().filter(|p| !peer.get(p).is_null()).collect();
                    if set.is_empty() {
                        errors.required(&at, "must specify a peer");
                    } else if set.len() > 1 && set.contains(&"ipBlock") {
                        errors.forbidden(&at, "may not specify both ipBlock and another peer");
                    }
                }
            }
        }
        let known = ["Egress", "Ingress"];
        for (i, kind) in spec.get("policyTypes").items().iter().enumerate() {
            if !known.contains(&kind.str()) {
                errors.not_supported(format!("spec.policyTypes[{i}]"), kind, &known);
            }
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            format_selector(object.spec().get("podSelector")),
            age_cell(object, now),
        ])
    }
}

pub struct ServiceCidrRules;

impl Strategy for ServiceCidrRules {
    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let cidrs: Vec<&str> = object.spec().get("cidrs").items().iter().map(Value::str).collect();
        Some(vec![
            object.name().into(),
            cidrs.join(",").into(),
            age_cell(object, now),
        ])
    }
}

pub struct IpAddressRules;

impl Strategy for IpAddressRules {
    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        let parent = object.spec().get("parentRef");
        let resource = match parent.get("group").str() {
            "" => parent.get("resource").str().to_owned(),
            group => format!("{}.{group}", parent.get("resource").str()),
        };
        let text = format!(
            "{resource}/{}/{}",
            parent.get("namespace").str(),
            parent.get("name").str()
        );
        Some(vec![object.name().into(), text.into()])
    }
}
