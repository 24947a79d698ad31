//! Ingresses, IngressClasses, NetworkPolicies, ServiceCIDRs and IPAddresses.

use super::{
    age_cell, edit, edit_items, format_selector, internal, or_none, pod_validation, set_default, set_default_zero,
    statuses, texts, workload,
};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::api::volumes;
use crate::api::well_known::INGRESS_CLASS;
use crate::flat::Case;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of Ingresses.
pub struct IngressRules;

fn host_rule(host: &Value) -> names::Rule {
    if host.str().contains('*') {
        names::wildcard_subdomain
    } else {
        names::dns1123_subdomain
    }
}

/// A reference to an object of any kind (`validateIngressTypedLocalObjectReference`).
fn reference(reference: &Value, at: &str, errors: &mut FieldErrors) {
    if reference.is_null() {
        return;
    }
    errors.check_some(
        format!("{at}.apiGroup"),
        reference.get("apiGroup"),
        names::dns1123_subdomain,
    );
    for part in ["kind", "name"] {
        if reference.get(part).is_empty() {
            errors.required(format!("{at}.{part}"), format!("{part} is required"));
        }
        errors.check_some(format!("{at}.{part}"), reference.get(part), names::path_segment);
    }
}

impl Strategy for IngressRules {
    fn first_status(&self) -> Option<Value> {
        Some(obj! { "loadBalancer": obj! {} })
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        let backend = spec.get("defaultBackend");
        let rules = spec.get("rules").items();
        if rules.is_empty() && backend.is_null() {
            errors.invalid(
                "spec",
                spec.get("rules"),
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
                let at = format!("{at}.host");
                if host.str().parse::<std::net::IpAddr>().is_ok() {
                    errors.invalid(&at, host, "must be a DNS name, not an IP address");
                }
                errors.check(at, host, host_rule(host));
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
        for (i, tls) in spec.get("tls").items().iter().enumerate() {
            let at = format!("spec.tls[{i}]");
            for (j, host) in tls.get("hosts").items().iter().enumerate() {
                errors.check(format!("{at}.hosts[{j}]"), host, host_rule(host));
            }
            let secret = tls.get("secretName");
            errors.check_some(format!("{at}.secretName"), secret, names::dns1123_subdomain);
        }
        let class = spec.get("ingressClassName");
        if !class.is_null() {
            errors.check("spec.ingressClassName", class, names::dns1123_subdomain);
        }
    }

    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        self.validate(object, errors);
        let annotation = object.at(&["metadata", "annotations", INGRESS_CLASS]);
        if !annotation.is_null() && !object.at(&["spec", "ingressClassName"]).is_null() {
            let why = "can not be set when the class field is also set";
            errors.invalid(format!("annotations.{INGRESS_CLASS}"), annotation, why);
        }
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        statuses::load_balancer(new, false, true, errors);
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        if object.at(&["metadata", "annotations", INGRESS_CLASS]).is_null() {
            return Vec::new();
        }
        vec![format!(
            "annotation {INGRESS_CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
        )]
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        const MOST: usize = 3;
        let spec = object.spec();
        let rules = spec.get("rules").items();
        let mut hosts: Vec<&str> = Vec::new();
        let mut more = String::new();
        for rule in rules {
            if hosts.len() == MOST {
                // Rules without a host count too.
                more = format!(" + {} more...", rules.len() - MOST);
                break;
            }
            hosts.extend(Some(rule.get("host").str()).filter(|host| !host.is_empty()));
        }
        let shown = match hosts.is_empty() {
            true => "*".to_owned(),
            false => hosts.join(",") + &more,
        };
        let ports = if spec.get("tls").is_empty() { "80" } else { "80, 443" };
        Some(vec![
            object.name().into(),
            or_none(spec.get("ingressClassName").str()),
            shown.into(),
            super::service::load_balancer(object).join(",").into(),
            ports.into(),
            age_cell(object, now),
        ])
    }
}

fn check_path(path: &Value, at: &str, errors: &mut FieldErrors) {
    let (text, kind) = (&Value::from(path.get("path").str()), path.get("pathType"));
    match kind.str() {
        "" if kind.is_null() => return errors.required(format!("{at}.pathType"), "pathType must be specified"),
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
        (true, true) => errors.invalid(at, &"".into(), "resource or service backend is required"),
        (false, false) => errors.invalid(at, &"".into(), "cannot set both resource and service backends"),
        (true, false) => reference(resource, &format!("{at}.resource"), errors),
        (false, true) => {
            let name = service.get("name");
            if name.is_empty() {
                errors.required(format!("{at}.service.name"), "");
            }
            errors.check_some(format!("{at}.service.name"), name, names::dns1123_label);
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

/// What marks the class that Ingresses without one get.
pub const DEFAULT_INGRESS_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// The rules of IngressClasses.
pub struct IngressClassRules;

impl Strategy for IngressClassRules {
    fn defaults(&self, object: &mut Value) {
        super::edit_at(object, &["spec", "parameters"], &mut |p| {
            set_default_zero(p, "scope", "Cluster");
        });
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let controller = object.at(&["spec", "controller"]);
        if controller.str().len() > 250 {
            errors.too_long("spec.controller", 250);
        }
        errors.check_required("spec.controller", controller, names::domain_prefixed_path);
        let parameters = object.at(&["spec", "parameters"]);
        reference(parameters, "spec.parameters", errors);
        if parameters.is_null() {
            return;
        }
        let (scope, namespace) = (parameters.get("scope"), parameters.get("namespace"));
        let field = "spec.parameters";
        match scope.str() {
            "" => errors.required(format!("{field}.scope"), ""),
            "Namespace" if namespace.is_null() => {
                errors.required(format!("{field}.namespace"), "`parameters.scope` is set to 'Namespace'")
            }
            "Namespace" => errors.check(format!("{field}.namespace"), namespace, names::dns1123_label),
            "Cluster" if !namespace.is_null() => {
                errors.forbidden(format!("{field}.namespace"), "`parameters.scope` is set to 'Cluster'")
            }
            "Cluster" => {}
            _ => errors.not_supported(format!("{field}.scope"), scope, &["Cluster", "Namespace"]),
        }
    }

    fn changes_come_first(&self) -> bool {
        true
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
        let default = volumes::is_default(object.value(), &[DEFAULT_INGRESS_CLASS]);
        let mark = if default { " (default)" } else { "" };
        Some(vec![
            format!("{}{mark}", object.name()).into(),
            object.spec().get("controller").str().into(),
            parameters.into(),
            age_cell(object, now),
        ])
    }
}

/// The rules of NetworkPolicies.
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
                    policy_port(port, &format!("{at}.ports[{j}]"), errors);
                }
                for (j, peer) in rule.get(peers).items().iter().enumerate() {
                    policy_peer(peer, &format!("{at}.{peers}[{j}]"), errors);
                }
            }
        }
        let types = spec.get("policyTypes");
        if types.items().len() > 2 {
            let why = "may not specify more than two policyTypes";
            return errors.invalid("spec.policyTypes", types, why);
        }
        let known = ["Ingress", "Egress"];
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

fn policy_port(port: &Value, at: &str, errors: &mut FieldErrors) {
    let known = ["TCP", "UDP", "SCTP"];
    errors.enumerated(format!("{at}.protocol"), port.get("protocol"), &known);
    let (number, end) = (port.get("port"), port.get("endPort"));
    if !number.is_null() {
        pod_validation::port_number_or_name(number, &format!("{at}.port"), errors);
    }
    let at = format!("{at}.endPort");
    match (number, end) {
        (_, Value::Null) => {}
        (Value::Null, _) => errors.invalid(at, end, "may not be specified when `port` is not specified"),
        (Value::Str(_), _) => errors.invalid(at, end, "may not be specified when `port` is non-numeric"),
        _ => {
            if end.as_i64() < number.as_i64() {
                errors.invalid(&at, number, "must be greater than or equal to `port`");
            }
            pod_validation::port_number(end, &at, errors);
        }
    }
}

fn policy_peer(peer: &Value, at: &str, errors: &mut FieldErrors) {
    let mut found = 0;
    for part in ["podSelector", "namespaceSelector"] {
        if !peer.get(part).is_null() {
            found += 1;
            workload::selector_rules(peer.get(part), &format!("{at}.{part}"), errors);
        }
    }
    let block = peer.get("ipBlock");
    if !block.is_null() {
        found += 1;
        ip_block(block, &format!("{at}.ipBlock"), errors);
    }
    if found == 0 {
        errors.required(at, "must specify a peer");
    } else if found > 1 && !block.is_null() {
        errors.forbidden(at, "may not specify both ipBlock and another peer");
    }
}

fn ip_block(block: &Value, at: &str, errors: &mut FieldErrors) {
    let cidr = block.get("cidr");
    errors.check_required(format!("{at}.cidr"), cidr, names::cidr);
    let parse = |v: &Value| -> Option<(u128, u32, bool)> {
        let (ip, length) = v.str().split_once('/')?;
        let length: u32 = length.parse().ok()?;
        // An address of four bytes is set at the upper end, so that lengths compare.
        match ip.parse().ok()? {
            std::net::IpAddr::V4(v4) => Some((u128::from(u32::from(v4)) << 96, length, true)),
            std::net::IpAddr::V6(v6) => Some((u128::from(v6), length, false)),
        }
    };
    let Some((net, length, four)) = parse(cidr) else { return };
    for (i, except) in block.get("except").items().iter().enumerate() {
        let at = format!("{at}.except[{i}]");
        errors.check(&at, except, names::cidr);
        let Some((ip, bits, also)) = parse(except) else {
            continue;
        };
        let host = u128::MAX.checked_shr(length).unwrap_or(0);
        if four != also || (net | host) != (ip | host) || length >= bits {
            errors.invalid(at, except, "must be a strict subset of `cidr`");
        }
    }
}

/// The rules of ServiceCIDRs.
pub struct ServiceCidrRules;

impl Strategy for ServiceCidrRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let (spec, field) = (object.get("spec"), "spec.cidrs");
        let cidrs = spec.get("cidrs").items();
        let text = || format!(r#"{{"CIDRs":{}}}"#, spec.get("cidrs").to_json());
        let six = cidrs.iter().filter(|c| c.str().contains(':')).count();
        match cidrs.len() {
            0 => return errors.required(field, "at least one CIDR required"),
            1 => {}
            2 if six == 1 && cidrs.iter().all(|c| names::parse_cidr(c.str()).is_some()) => {}
            2 => {
                let why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
                return errors.invalid_as(field, text(), why);
            }
            _ => return errors.invalid_as(field, text(), "may only hold up to 2 values"),
        }
        for (i, cidr) in cidrs.iter().enumerate() {
            errors.check(format!("{field}[{i}]"), cidr, names::canonical_cidr);
        }
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let cidrs = new.at(&["spec", "cidrs"]);
        if cidrs != old.spec().get("cidrs") {
            errors.invalid("spec.cidrs", cidrs, "field is immutable");
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let cidrs: Vec<&str> = object.spec().get("cidrs").items().iter().map(Value::str).collect();
        Some(vec![
            object.name().into(),
            cidrs.join(",").into(),
            age_cell(object, now),
        ])
    }
}

/// The rules of IPAddresses.
pub struct IpAddressRules;

impl Strategy for IpAddressRules {
    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::canonical_ip(name)
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let (parent, field) = (object.at(&["spec", "parentRef"]), "spec.parentRef");
        if parent.is_null() {
            return errors.required(field, "");
        }
        let group = parent.get("group");
        errors.check_some(format!("{field}.group"), group, names::dns1123_subdomain);
        for part in ["resource", "name"] {
            errors.check_required(format!("{field}.{part}"), parent.get(part), names::path_segment);
        }
        let space = parent.get("namespace");
        errors.check_some(format!("{field}.namespace"), space, names::path_segment);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let parent = new.at(&["spec", "parentRef"]);
        if parent != old.spec().get("parentRef") {
            let text = internal::named(parent, "ParentReference").to_json();
            errors.invalid_as("spec.parentRef", text, "field is immutable");
        }
    }

    fn row(&self, object: &Object, _now: Time) -> Option<Vec<Value>> {
        let parent = object.spec().get("parentRef");
        let resource = match parent.get("group").str() {
            "" => parent.get("resource").str().to_owned(),
            group => format!("{}.{group}", parent.get("resource").str()),
        };
        let namespace = match parent.get("namespace").str() {
            "" => String::new(),
            namespace => format!("/{namespace}"),
        };
        let text = match parent.is_null() {
            true => "<none>".to_owned(),
            false => format!("{}{namespace}/{}", resource.lower(), parent.get("name").str()),
        };
        Some(vec![object.name().into(), text.into()])
    }
}
