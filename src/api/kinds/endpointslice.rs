//! EndpointSlices.

use super::{age_cell, edit_items, set_default, set_default_zero};
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::{metadata, names};
use crate::sim::Time;
use crate::value::Value;

/// The rules of EndpointSlices.
pub struct EndpointSliceRules;

impl Strategy for EndpointSliceRules {
    fn defaults(&self, object: &mut Value) {
        edit_items(object, "endpoints", |endpoint| {
            set_default(endpoint, "conditions", Value::map());
        });
        edit_items(object, "ports", |port| {
            set_default(port, "name", "");
            set_default_zero(port, "protocol", "TCP");
        });
    }

    fn prepare_create(&self, _object: &mut Value, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn prepare_update(&self, _new: &mut Value, _old: &Object, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        match object.str_at(&["addressType"]) {
            "FQDN" => vec!["spec.addressType: FQDN endpoints are deprecated".into()],
            _ => Vec::new(),
        }
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let kind = object.get("addressType");
        let kinds = ["FQDN", "IPv4", "IPv6"];
        if kind.is_empty() {
            errors.required("addressType", "");
        } else if !kinds.contains(&kind.str()) {
            errors.not_supported("addressType", kind, &kinds);
        }
        let endpoints = object.get("endpoints").items();
        if endpoints.len() > 1_000 {
            errors.too_many("endpoints", endpoints.len(), 1_000);
            return;
        }
        for (i, endpoint) in endpoints.iter().enumerate() {
            let at = format!("endpoints[{i}]");
            let addresses = endpoint.get("addresses").items();
            if addresses.is_empty() {
                errors.required(format!("{at}.addresses"), "must contain at least 1 address");
            } else if addresses.len() > 100 {
                errors.too_many(format!("{at}.addresses"), addresses.len(), 100);
            }
            for (j, address) in addresses.iter().enumerate() {
                let at = format!("{at}.addresses[{j}]");
                match kind.str() {
                    "IPv4" | "IPv6" => super::service::endpoint_address(address, &at, errors),
                    "FQDN" => fqdn(address, &at, errors),
                    _ => {}
                }
            }
            let node = endpoint.get("nodeName");
            errors.check_some(format!("{at}.nodeName"), node, names::dns1123_subdomain);
            let topology = endpoint.get("deprecatedTopology");
            metadata::labels(topology, &format!("{at}.topology"), errors);
            let name = endpoint.get("hostname");
            errors.check_some(format!("{at}.hostname"), name, names::dns1123_label);
        }
        let ports = object.get("ports").items();
        if ports.len() > 20_000 {
            errors.too_many("ports", ports.len(), 20_000);
            return;
        }
        let mut seen = crate::flat::FlatSet::new();
        for (i, port) in ports.iter().enumerate() {
            let at = format!("ports[{i}]");
            errors.check_some(format!("{at}.name"), port.get("name"), names::dns1123_label);
            if !seen.insert(port.get("name").str()) {
                errors.duplicate(format!("{at}.name"), port.get("name"));
            }
            super::pod_validation::protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
            errors.check_some(format!("{at}.appProtocol"), port.get("appProtocol"), names::label_key);
        }
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if new.get("addressType") != old.value().get("addressType") {
            errors.invalid("addressType", new.get("addressType"), "field is immutable");
        }
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let ports = object.value().get("ports").items().iter().map(|p| {
            let name = p.get("name").str();
            match p.i64_at(&["port"]) {
                Some(n) => n.to_string(),
                None if name.is_empty() => "*".into(),
                None => name.to_owned(),
            }
        });
        let addresses = object.value().get("endpoints").items().iter().flat_map(|e| {
            let all: Vec<String> = e.get("addresses").items().iter().map(|a| a.str().to_owned()).collect();
            all
        });
        Some(vec![
            object.name().into(),
            object.value().get("addressType").str().into(),
            with_more(ports.collect()).into(),
            with_more(addresses.collect()).into(),
            age_cell(object, now),
        ])
    }
}

/// A name of at least two segments (`IsFullyQualifiedDomainName`).
fn fqdn(name: &Value, at: &str, errors: &mut FieldErrors) {
    if name.is_empty() {
        return errors.required(at, "");
    }
    let bare = name.str().strip_suffix('.').unwrap_or(name.str());
    if let Err(why) = names::dns1123_subdomain(bare) {
        errors.invalid(at, name, why.0.join(","));
    } else if !bare.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        errors.invalid(at, name, why);
    }
}

/// At most three of a list, and how many more there are; `<unset>` for none.
fn with_more(all: Vec<String>) -> String {
    const MOST: usize = 3;
    let shown: Vec<&str> = all.iter().take(MOST).map(String::as_str).collect();
    match all.len() {
        0 => "<unset>".into(),
        n if n > MOST => format!("{} + {} more...", shown.join(","), n - MOST),
        _ => shown.join(","),
    }
}
