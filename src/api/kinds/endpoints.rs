//! Endpoints.

use super::{age_cell, edit_items, set_default_zero};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::sim::Time;
use crate::value::Value;

/// The rules of Endpoints.
pub struct EndpointsRules;

impl Strategy for EndpointsRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn defaults(&self, object: &mut Value) {
        edit_items(object, "subsets", |subset| {
            edit_items(subset, "ports", |port| set_default_zero(port, "protocol", "TCP"));
        });
    }

    fn prepare_create(&self, _object: &mut Value, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn prepare_update(&self, _new: &mut Value, _old: &Object, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        for (i, subset) in object.get("subsets").items().iter().enumerate() {
            let at = format!("subsets[{i}]");
            if subset.get("addresses").is_empty() && subset.get("notReadyAddresses").is_empty() {
                errors.required(&at, "must specify `addresses` or `notReadyAddresses`");
            }
            for list in ["addresses", "notReadyAddresses"] {
                for (j, address) in subset.get(list).items().iter().enumerate() {
                    let at = format!("{at}.{list}[{j}]");
                    let name = address.get("hostname");
                    errors.check_some(format!("{at}.hostname"), name, names::dns1123_label);
                    let node = address.get("nodeName");
                    errors.check_some(format!("{at}.nodeName"), node, names::dns1123_subdomain);
                    super::service::endpoint_address(address.get("ip"), &format!("{at}.ip"), errors);
                }
            }
            let ports = subset.get("ports").items();
            for (j, port) in ports.iter().enumerate() {
                let at = format!("{at}.ports[{j}]");
                if port.get("name").is_empty() && ports.len() > 1 {
                    errors.required(format!("{at}.name"), "");
                } else {
                    errors.check_some(format!("{at}.name"), port.get("name"), names::dns1123_label);
                }
                super::pod_validation::port_number(port.get("port"), &format!("{at}.port"), errors);
                super::pod_validation::protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
                errors.check_some(format!("{at}.appProtocol"), port.get("appProtocol"), names::label_key);
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            format_endpoints(object.value()).into(),
            age_cell(object, now),
        ])
    }
}

/// At most three `address:port`, and how many more there are.
fn format_endpoints(endpoints: &Value) -> String {
    const MOST: usize = 3;
    if endpoints.get("subsets").is_empty() {
        return "<none>".into();
    }
    let mut all = Vec::new();
    for subset in endpoints.get("subsets").items() {
        let addresses = subset.get("addresses").items();
        let ports = subset.get("ports").items();
        if ports.is_empty() {
            all.extend(addresses.iter().map(|a| a.get("ip").str().to_owned()));
        }
        for port in ports {
            let number = port.i64_at(&["port"]).unwrap_or(0);
            all.extend(addresses.iter().map(|a| match a.get("ip").str() {
                ip if ip.contains(':') => format!("[{ip}]:{number}"),
                ip => format!("{ip}:{number}"),
            }));
        }
    }
    let shown: Vec<&str> = all.iter().take(MOST).map(String::as_str).collect();
    match all.len() {
        n if n > MOST => format!("{} + {} more...", shown.join(","), n - MOST),
        _ => shown.join(","),
    }
}
