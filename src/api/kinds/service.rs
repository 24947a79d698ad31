//! Services: defaults, the allocation of cluster addresses and node ports, their row.

use super::pod_validation;
use super::{age_cell, edit, edit_items, format_labels, fresh_status, or_none, set_default, set_default_zero, texts};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::FlatSet;
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

pub struct ServiceRules;

/// A range that cluster addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// The network's own address, which no Service gets; nor does one get the last.
    first: u32,
    /// The number of addresses.
    size: u32,
}

/// 10.96.0.0/12, kubeadm's own.
const RANGE: Range = Range {
    first: u32::from_be_bytes([10, 96, 0, 0]),
    size: 1 << 20,
};

impl Range {
    /// The range of a CIDR of IPv4, of at most 2^24 addresses.
    fn parse(cidr: &str) -> Option<Range> {
        let (first, bits) = cidr.split_once('/')?;
        let bits = bits.parse::<u32>().ok().filter(|b| (8..=30).contains(b))?;
        Some(Range {
            first: parse_ip(first)?,
            size: 1 << (32 - bits),
        })
    }

    /// The band at the bottom that allocation avoids while it can: `min(max(16, size/16), 256)`.
    fn reserved(self) -> u32 {
        (self.size / 16).clamp(16, 256).min(self.size / 2)
    }

    fn contains(self, ip: u32) -> bool {
        ip > self.first && ip - self.first < self.size - 1
    }
}

/// The ranges of the ServiceCIDRs, and kubeadm's own where there is none.
fn ranges(cx: &Context) -> Vec<Range> {
    let mut all = Vec::new();
    cx.api.store().each("servicecidrs.networking.k8s.io", "", |cidr| {
        if !cidr.is_deleting() {
            all.extend(
                cidr.spec()
                    .get("cidrs")
                    .items()
                    .iter()
                    .filter_map(|c| Range::parse(c.str())),
            );
        }
    });
    if all.is_empty() {
        all.push(RANGE);
    }
    all
}

/// The node ports 30000–32767, and how many at their bottom allocation avoids while it can.
pub const FIRST_NODE_PORT: i64 = 30_000;
pub const LAST_NODE_PORT: i64 = 32_767;
const STATIC_NODE_PORTS: i64 = 86;

fn kind(service: &Value) -> &str {
    service.at(&["spec", "type"]).str()
}

fn takes_node_ports(service: &Value) -> bool {
    kind(service) == "NodePort"
        || (kind(service) == "LoadBalancer"
            && service.at(&["spec", "allocateLoadBalancerNodePorts"]).as_bool() != Some(false))
}

fn takes_cluster_ip(service: &Value) -> bool {
    kind(service) != "ExternalName"
}

/// Whether traffic reaches it from outside the cluster.
fn is_external(service: &Value) -> bool {
    matches!(kind(service), "NodePort" | "LoadBalancer")
        || (kind(service) == "ClusterIP" && !service.at(&["spec", "externalIPs"]).is_empty())
}

impl Strategy for ServiceRules {
    fn warnings(&self, object: &Value) -> Vec<String> {
        if object.at(&["spec", "externalIPs"]).is_empty() {
            return Vec::new();
        }
        vec!["spec.externalIPs is deprecated and may no longer be implemented in some clusters".into()]
    }

    fn defaults(&self, object: &mut Value) {
        set_default(object, "spec", Value::map());
        let external = {
            let spec = object.get("spec");
            matches!(spec.get("type").str(), "NodePort" | "LoadBalancer") || !spec.get("externalIPs").is_empty()
        };
        edit(object, "spec", |spec| {
            set_default_zero(spec, "sessionAffinity", "None");
            set_default_zero(spec, "type", "ClusterIP");
            match spec.get("sessionAffinity").str() {
                "None" => {
                    spec.remove(&["sessionAffinityConfig"]);
                }
                _ if spec
                    .at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"])
                    .is_null() =>
                {
                    spec.set(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"], 10_800);
                }
                _ => {}
            }
            edit_items(spec, "ports", |port| {
                set_default_zero(port, "protocol", "TCP");
                let number = port.get("port").clone();
                if !number.is_null() {
                    set_default_zero(port, "targetPort", number);
                }
            });
            if external {
                set_default_zero(spec, "externalTrafficPolicy", "Cluster");
            }
            if spec.get("type").str() != "ExternalName" {
                set_default_zero(spec, "internalTrafficPolicy", "Cluster");
            }
            if spec.get("type").str() == "LoadBalancer" {
                set_default(spec, "allocateLoadBalancerNodePorts", true);
            }
            // `clusterIP` and the first of `clusterIPs` are one thing.
            let (one, many) = (spec.get("clusterIP").clone(), spec.get("clusterIPs").clone());
            if !one.is_empty() && many.is_empty() {
                spec.set(&["clusterIPs"], list![one]);
            } else if one.is_empty()
                && let Some(first) = many.items().first()
            {
                spec.set(&["clusterIP"], first.clone());
            }
        });
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        fresh_status(object, obj! { "loadBalancer": obj! {} });
        drop_unused(object);
        let mut errors = FieldErrors::default();
        self.validate(object, &mut errors);
        if errors.is_empty() {
            self.allocate(object, None, cx)?;
        }
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, cx: &Context) -> Result<(), Status> {
        new.set(&["status"], old.status().clone());
        // `clusterIP` and the first of `clusterIPs` follow whichever the client changed.
        let one = new.at(&["spec", "clusterIP"]).clone();
        let same_list = new.at(&["spec", "clusterIPs"]) == old.spec().get("clusterIPs");
        if same_list && !one.is_empty() && &one != old.spec().get("clusterIP") {
            new.set(&["spec", "clusterIPs"], list![one]);
        }
        keep_allocated(new, old.value());
        drop_unused(new);
        let mut errors = FieldErrors::default();
        self.validate_update(new, old, &mut errors);
        self.validate(new, &mut errors);
        if errors.is_empty() {
            self.allocate(new, Some(old), cx)?;
        }
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        validate(object, errors);
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let (ip, had) = (new.at(&["spec", "clusterIPs"]), old.spec().get("clusterIPs"));
        let same_kind = takes_cluster_ip(new) && takes_cluster_ip(old.value());
        if same_kind && !had.is_empty() && ip.items().first() != had.items().first() {
            errors.invalid("spec.clusterIPs[0]", ip, "may not change once set");
        }
    }

    fn check_name(&self, name: &str) -> Result<(), String> {
        names::dns1123_label(name)
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "spec.clusterIP" => Some(object.spec().get("clusterIP").str().to_owned()),
            "spec.type" => Some(object.spec().get("type").str().to_owned()),
            _ => None,
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        let ports: Vec<String> = spec
            .get("ports")
            .items()
            .iter()
            .map(|p| {
                let number = p.i64_at(&["port"]).unwrap_or(0);
                let protocol = p.get("protocol").str();
                match p.i64_at(&["nodePort"]).unwrap_or(0) {
                    0 => format!("{number}/{protocol}"),
                    node => format!("{number}:{node}/{protocol}"),
                }
            })
            .collect();
        Some(vec![
            object.name().into(),
            spec.get("type").clone(),
            or_none(spec.get("clusterIPs").items().first().map_or("", Value::str)),
            external_ip(object).into(),
            or_none(ports.join(",")),
            age_cell(object, now),
            format_labels(spec.get("selector")),
        ])
    }
}

/// The EXTERNAL-IP column.
pub(crate) fn external_ip(service: &Object) -> String {
    let spec = service.spec();
    let mut ips: Vec<&str> = spec.get("externalIPs").items().iter().map(Value::str).collect();
    match spec.get("type").str() {
        "ClusterIP" | "NodePort" if ips.is_empty() => "<none>".into(),
        "ClusterIP" | "NodePort" => ips.join(","),
        "LoadBalancer" => {
            let ingress = service.status().at(&["loadBalancer", "ingress"]).items();
            let mut all: Vec<&str> = ingress
                .iter()
                .map(|i| match i.get("ip").str() {
                    "" => i.get("hostname").str(),
                    ip => ip,
                })
                .collect();
            all.append(&mut ips);
            if all.is_empty() {
                "<pending>".into()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => spec.get("externalName").str().to_owned(),
        _ => "<unknown>".into(),
    }
}

/// Drops what a service of this type has no use for (`dropTypeDependentFields`).
fn drop_unused(object: &mut Value) {
    if !takes_cluster_ip(object) {
        for field in [
            "clusterIP",
            "clusterIPs",
            "ipFamilies",
            "ipFamilyPolicy",
            "internalTrafficPolicy",
        ] {
            object.remove(&["spec", field]);
        }
    }
    if !is_external(object) {
        object.remove(&["spec", "externalTrafficPolicy"]);
    }
    if kind(object) != "LoadBalancer" {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            object.remove(&["spec", field]);
        }
    }
}

/// What an update leaves out that was allocated stays (`patchAllocatedValues`), where the type still
/// has use for it; what the new type has no use for goes.
fn keep_allocated(new: &mut Value, old: &Value) {
    if takes_cluster_ip(new) && takes_cluster_ip(old) {
        if new.at(&["spec", "clusterIP"]).is_empty() && new.at(&["spec", "clusterIPs"]).is_empty() {
            for field in ["clusterIP", "clusterIPs"] {
                new.set(&["spec", field], old.at(&["spec", field]).clone());
            }
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if new.at(&["spec", field]).is_empty() {
                new.set(&["spec", field], old.at(&["spec", field]).clone());
            }
        }
    }
    let had: Vec<Value> = old.at(&["spec", "ports"]).items().to_vec();
    let key = |p: &Value| (p.get("protocol").clone(), p.get("port").clone());
    let (takes, took) = (takes_node_ports(new), takes_node_ports(old));
    let chosen: FlatSet<i64> = new
        .at(&["spec", "ports"])
        .items()
        .iter()
        .filter_map(|p| p.i64_at(&["nodePort"]))
        .collect();
    if let Some(spec) = new.map_mut().get_mut("spec") {
        edit_items(spec, "ports", |port| {
            let before = had
                .iter()
                .find(|p| key(p) == key(port))
                .and_then(|p| p.i64_at(&["nodePort"]));
            let number = port.i64_at(&["nodePort"]).unwrap_or(0);
            if takes && took && number == 0 {
                if let Some(n) = before.filter(|n| *n != 0 && !chosen.contains(n)) {
                    port.set(&["nodePort"], n);
                }
            } else if !takes && took && number != 0 && had.iter().any(|p| p.i64_at(&["nodePort"]) == Some(number)) {
                // A port that came with the old type goes with it.
                port.remove(&["nodePort"]);
            }
        });
    }
}

impl ServiceRules {
    /// Takes the addresses and node ports that the service needs and does not have.
    fn allocate(&self, object: &mut Value, old: Option<&Object>, cx: &Context) -> Result<(), Status> {
        let mut errors = FieldErrors::default();
        let own = object.at(&["metadata", "uid"]).clone();
        let mut addresses = FlatSet::new();
        let mut node_ports = FlatSet::new();
        cx.api.store().each("services", "", |other| {
            if other.metadata().get("uid") == &own {
                return;
            }
            for ip in other.spec().get("clusterIPs").items() {
                addresses.extend(parse_ip(ip.str()));
            }
            for port in other.spec().get("ports").items() {
                node_ports.extend(
                    port.i64_at(&["nodePort"])
                        .map(|n| (port.get("protocol").str().to_owned(), n)),
                );
            }
            node_ports.extend(
                other
                    .spec()
                    .i64_at(&["healthCheckNodePort"])
                    .map(|n| ("TCP".to_owned(), n)),
            );
        });
        if takes_cluster_ip(object) {
            cluster_ip(object, &addresses, &mut errors, cx);
        }
        if takes_node_ports(object) {
            ports(object, &mut node_ports, &mut errors, cx);
        }
        let local = object.at(&["spec", "externalTrafficPolicy"]).str() == "Local" && kind(object) == "LoadBalancer";
        if local && object.at(&["spec", "healthCheckNodePort"]).is_empty() {
            match free_port(&node_ports, "TCP", cx) {
                Some(port) => object.set(&["spec", "healthCheckNodePort"], port),
                None => errors.invalid(
                    "spec.healthCheckNodePort",
                    &Value::from(0),
                    "failed to allocate a nodePort: range is full",
                ),
            }
        } else if !local {
            object.remove(&["spec", "healthCheckNodePort"]);
        }
        if errors.is_empty() {
            return Ok(());
        }
        let name = match old {
            Some(old) => old.name(),
            None => object.str_at(&["metadata", "name"]),
        };
        Err(Status::invalid("", "Service", name, &errors))
    }
}

/// The number of an IPv4 address.
pub(crate) fn parse_ip(text: &str) -> Option<u32> {
    text.parse::<std::net::Ipv4Addr>().ok().map(u32::from)
}

fn cluster_ip(object: &mut Value, taken: &FlatSet<u32>, errors: &mut FieldErrors, cx: &Context) {
    let asked = object.at(&["spec", "clusterIP"]).str().to_owned();
    let headless = asked == "None";
    let selectorless = headless && object.at(&["spec", "selector"]).is_empty();
    let spec = object.at_mut(&["spec"]);
    if selectorless && spec.get("ipFamilyPolicy").is_empty() && spec.get("ipFamilies").is_empty() {
        spec.set(&["ipFamilyPolicy"], "RequireDualStack");
        spec.set(&["ipFamilies"], texts(["IPv4", "IPv6"]));
    }
    set_default_zero(spec, "ipFamilyPolicy", "SingleStack");
    if spec.get("ipFamilies").is_empty() {
        spec.set(&["ipFamilies"], texts(["IPv4"]));
    }
    if headless {
        return;
    }
    if asked.is_empty() {
        // Random in the dynamic band; the static band only when that one is full.
        let free = ranges(cx).into_iter().find_map(|range| {
            let room = range.size - 1 - range.reserved();
            let start = cx.api.sim().random_below(u64::from(room)) as u32;
            let dynamic = (0..room).map(|i| range.first + range.reserved() + (start + i) % room);
            let reserved = (1..range.reserved()).map(|i| range.first + i);
            dynamic.chain(reserved).find(|ip| !taken.contains(ip))
        });
        match free {
            Some(ip) => {
                let text = std::net::Ipv4Addr::from(ip).to_string();
                spec.set(&["clusterIPs"], texts([text.as_str()]));
                spec.set(&["clusterIP"], text);
            }
            None => errors.invalid(
                "spec.clusterIPs",
                &Value::Null,
                "failed to allocate an IP: range is full",
            ),
        }
        return;
    }
    let Some(ip) = parse_ip(&asked) else { return };
    let why = if !ranges(cx).iter().any(|range| range.contains(ip)) {
        "the provided network does not match the current range"
    } else if taken.contains(&ip) {
        "provided IP is already allocated"
    } else {
        return;
    };
    errors.invalid(
        "spec.clusterIPs",
        &list![asked.as_str()],
        format!("failed to allocate IP {asked}: {why}"),
    );
}

type Taken = FlatSet<(String, i64)>;

fn free_port(taken: &Taken, protocol: &str, cx: &Context) -> Option<i64> {
    let low = FIRST_NODE_PORT + STATIC_NODE_PORTS;
    let room = LAST_NODE_PORT - low + 1;
    let start = cx.api.sim().random_below(room as u64) as i64;
    (0..room)
        .map(|i| low + (start + i) % room)
        .chain(FIRST_NODE_PORT..low)
        .find(|n| !taken.contains(&(protocol.to_owned(), *n)))
}

fn ports(object: &mut Value, taken: &mut Taken, errors: &mut FieldErrors, cx: &Context) {
    let asked: Vec<Value> = object.at(&["spec", "ports"]).items().to_vec();
    let mut given: Vec<(i64, i64)> = Vec::new();
    let mut numbers = Vec::new();
    // What the user chose first, so that no allocation takes it.
    for (i, port) in asked.iter().enumerate() {
        let number = port.i64_at(&["nodePort"]).unwrap_or(0);
        numbers.push(number);
        if number == 0 {
            continue;
        }
        let field = format!("spec.ports[{i}].nodePort");
        let protocol = port.get("protocol").str().to_owned();
        if !(FIRST_NODE_PORT..=LAST_NODE_PORT).contains(&number) {
            errors.invalid(
                field,
                &number.into(),
                format!("provided port is not in the valid range. The range of valid ports is {FIRST_NODE_PORT}-{LAST_NODE_PORT}"),
            );
        } else if !taken.insert((protocol, number)) {
            errors.invalid(field, &number.into(), "provided port is already allocated");
        }
        given.push((port.i64_at(&["port"]).unwrap_or(0), number));
    }
    for (i, port) in asked.iter().enumerate() {
        if numbers.get(i) != Some(&0) {
            continue;
        }
        let number = port.i64_at(&["port"]).unwrap_or(0);
        let protocol = port.get("protocol").str();
        // One service port keeps one node port over its protocols, where that is free.
        let same = given
            .iter()
            .find(|(p, n)| *p == number && !taken.contains(&(protocol.to_owned(), *n)))
            .map(|(_, n)| *n);
        match same.or_else(|| free_port(taken, protocol, cx)) {
            Some(n) => {
                taken.insert((protocol.to_owned(), n));
                given.push((number, n));
                if let Some(p) = object.at_mut(&["spec", "ports"]).list_mut().get_mut(i) {
                    p.set(&["nodePort"], n);
                }
            }
            None => errors.invalid(
                format!("spec.ports[{i}].nodePort"),
                &Value::from(0),
                "failed to allocate a nodePort: range is full",
            ),
        }
    }
}

/// Checks an address of an endpoint: no loopback, no link-local one.
pub(crate) fn endpoint_address(value: &Value, field: &str, errors: &mut FieldErrors) {
    let Ok(ip) = value.str().parse::<std::net::IpAddr>() else {
        errors.invalid(
            field,
            value,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
        return;
    };
    let why = if ip.is_unspecified() {
        "may not be unspecified (0.0.0.0 or ::)"
    } else if ip.is_loopback() {
        "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    } else if matches!(ip, std::net::IpAddr::V4(v4) if v4.is_link_local()) {
        "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    } else if matches!(ip, std::net::IpAddr::V4(v4) if v4.octets().starts_with(&[224, 0, 0])) {
        "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    } else {
        return;
    };
    errors.invalid(field, value, why);
}

/// `ValidateService`.
fn validate(object: &Value, errors: &mut FieldErrors) {
    let spec = object.get("spec");
    let kind = kind(object);
    let ports = spec.get("ports").items();
    let ip = spec.get("clusterIP");
    if ports.is_empty() && ip.str() != "None" && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    match kind {
        "LoadBalancer" if ip.str() == "None" => errors.invalid(
            "spec.clusterIPs[0]",
            ip,
            "may not be set to 'None' for LoadBalancer services",
        ),
        "NodePort" if ip.str() == "None" => errors.invalid(
            "spec.clusterIPs[0]",
            ip,
            "may not be set to 'None' for NodePort services",
        ),
        "ExternalName" => {
            let name = spec.get("externalName");
            if name.is_empty() {
                errors.required("spec.externalName", "");
            } else if let Err(why) = names::dns1123_subdomain(name.str().trim_end_matches('.')) {
                errors.invalid("spec.externalName", name, why);
            }
        }
        _ => {}
    }
    let mut port_names = FlatSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{i}]");
        let name = port.get("name");
        if name.is_empty() && ports.len() > 1 {
            errors.required(format!("{at}.name"), "");
        } else if !name.is_empty() {
            if let Err(why) = names::dns1123_label(name.str()) {
                errors.invalid(format!("{at}.name"), name, why);
            }
            if !port_names.insert(name.str()) {
                errors.duplicate(format!("{at}.name"), name);
            }
        }
        pod_validation::port_number(port.get("port"), &format!("{at}.port"), errors);
        pod_validation::protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
        pod_validation::port_number_or_name(port.get("targetPort"), &format!("{at}.targetPort"), errors);
    }
    crate::api::metadata::labels(spec.get("selector"), "spec.selector", errors);
    let affinity = spec.get("sessionAffinity");
    if affinity.is_empty() {
        errors.required("spec.sessionAffinity", "");
    } else if !["ClientIP", "None"].contains(&affinity.str()) {
        errors.not_supported("spec.sessionAffinity", affinity, &["ClientIP", "None"]);
    }
    let timeout = spec.at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
    if affinity.str() == "ClientIP" && timeout.as_i64().is_some_and(|n| n <= 0 || n > 86_400) {
        errors.invalid(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            timeout,
            "must be greater than 0 and less than 86400",
        );
    }
    for (i, ip) in spec.get("clusterIPs").items().iter().enumerate() {
        if ip.str() != "None" && ip.str().parse::<std::net::IpAddr>().is_err() {
            errors.invalid(
                format!("spec.clusterIPs[{i}]"),
                ip,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
    }
    if kind == "ExternalName" && !ip.is_empty() && ip.str() != "None" {
        errors.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
    }
    for (i, ip) in spec.get("externalIPs").items().iter().enumerate() {
        endpoint_address(ip, &format!("spec.externalIPs[{i}]"), errors);
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if kind.is_empty() {
        errors.required("spec.type", "");
    } else if !types.contains(&kind) {
        errors.not_supported("spec.type", spec.get("type"), &types);
    }
    if kind == "ClusterIP" {
        for (i, port) in ports.iter().enumerate() {
            if !port.get("nodePort").is_empty() {
                errors.forbidden(
                    format!("spec.ports[{i}].nodePort"),
                    "may not be used when `type` is 'ClusterIP'",
                );
            }
        }
    }
    // Two ports must differ in their number or protocol.
    let mut seen = FlatSet::new();
    for (i, port) in ports.iter().enumerate() {
        if !seen.insert((port.get("protocol").str(), port.i64_at(&["port"]))) {
            // Printed as the key of Go's map: every other field is empty.
            let text = format!(
                r#"{{"Name":"","Protocol":"{}","AppProtocol":null,"Port":{},"TargetPort":0,"NodePort":0}}"#,
                port.get("protocol").str(),
                port.i64_at(&["port"]).unwrap_or(0)
            );
            errors.duplicate_as(format!("spec.ports[{i}]"), text);
        }
    }
    let mut node_ports = FlatSet::new();
    for (i, port) in ports.iter().enumerate() {
        let number = port.i64_at(&["nodePort"]).unwrap_or(0);
        if number != 0 && !node_ports.insert((port.get("protocol").str(), number)) {
            errors.duplicate(format!("spec.ports[{i}].nodePort"), &number.into());
        }
    }
    for (name, allowed) in [
        ("externalTrafficPolicy", ["Cluster", "Local"]),
        ("internalTrafficPolicy", ["Cluster", "Local"]),
    ] {
        let policy = spec.get(name);
        if !policy.is_empty() && !allowed.contains(&policy.str()) {
            errors.not_supported(format!("spec.{name}"), policy, &allowed);
        }
    }
}
