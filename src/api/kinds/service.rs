//! Services: defaults, the allocation of cluster addresses and node ports, their row.

use super::pod_validation;
use super::{age_cell, edit, edit_items, format_labels, or_none, set_default, set_default_zero, statuses, texts};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldError, FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::flat::{Arrange, FlatSet};
use crate::sim::Time;
use crate::value::Value;
use crate::{list, obj};

/// The rules of Services.
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
/// The last port that a Service may have on nodes (`--service-node-port-range`).
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

fn is_headless(service: &Value) -> bool {
    matches!(service.at(&["spec", "clusterIPs"]).items(), [one] if one.str() == "None")
}

/// Whether traffic reaches it from outside the cluster.
fn is_external(service: &Value) -> bool {
    matches!(kind(service), "NodePort" | "LoadBalancer")
        || (kind(service) == "ClusterIP" && !service.at(&["spec", "externalIPs"]).is_empty())
}

impl Strategy for ServiceRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        let spec = object.get("spec");
        let mut all: Vec<&str> = Vec::new();
        if !spec.get("externalIPs").is_empty() {
            all.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
        }
        if is_headless(object) {
            for (field, why) in [
                ("loadBalancerIP", "spec.loadBalancerIP is ignored for headless services"),
                ("externalIPs", "spec.externalIPs is ignored for headless services"),
            ] {
                if !spec.get(field).is_empty() {
                    all.push(why);
                }
            }
            if !matches!(spec.get("sessionAffinity").str(), "" | "None") {
                all.push("spec.SessionAffinity is ignored for headless services");
            }
        }
        let named = kind(object) == "ExternalName";
        if named && !spec.get("externalIPs").is_empty() {
            all.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
        }
        if !named && !spec.get("externalName").is_empty() {
            all.push("spec.externalName is ignored when spec.type is not \"ExternalName\"");
        }
        all.into_iter().map(str::to_owned).collect()
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

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "loadBalancer": obj! {} })
    }

    fn prepare_create(&self, object: &mut Value, cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        let mut errors = FieldErrors::default();
        self.validate(object, &mut errors);
        self.begin(object, None, &errors, cx)
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
        drop_unused(new, old.value());
        let mut errors = FieldErrors::default();
        self.validate_update(new, old, &mut errors);
        self.validate(new, &mut errors);
        self.begin(new, Some(old), &errors, cx)
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        validate(object, errors);
    }

    fn changes_come_first(&self) -> bool {
        true
    }

    fn validate_update(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        changes(new, old.value(), errors);
    }

    fn validate_status(&self, new: &Value, _old: &Object, errors: &mut FieldErrors) {
        let balances = new.str_at(&["spec", "type"]) == "LoadBalancer";
        statuses::load_balancer(new, true, balances, errors);
    }

    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
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

/// The addresses and names under which a load balancer serves, in order and each once.
pub(super) fn load_balancer(object: &Object) -> Vec<&str> {
    let points = object.status().at(&["loadBalancer", "ingress"]).items();
    let mut all: Vec<&str> = points
        .iter()
        .map(|point| match point.get("ip").str() {
            "" => point.get("hostname").str(),
            ip => ip,
        })
        .filter(|point| !point.is_empty())
        .collect();
    all.arrange();
    all.dedup();
    all
}

/// The EXTERNAL-IP column.
pub(crate) fn external_ip(service: &Object) -> String {
    let spec = service.spec();
    let mut ips: Vec<&str> = spec.get("externalIPs").items().iter().map(Value::str).collect();
    match spec.get("type").str() {
        "ClusterIP" | "NodePort" if ips.is_empty() => "<none>".into(),
        "ClusterIP" | "NodePort" => ips.join(","),
        "LoadBalancer" => {
            let mut all = load_balancer(service);
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

/// Drops what came with the old type, and of what the new one has no use
/// (`dropTypeDependentFields`). What a client sets for a type that has no use for it is refused.
fn drop_unused(new: &mut Value, old: &Value) {
    let local = |s: &Value| kind(s) == "LoadBalancer" && s.str_at(&["spec", "externalTrafficPolicy"]) == "Local";
    let balances = |s: &Value| kind(s) == "LoadBalancer";
    let rules: [(fn(&Value) -> bool, &[&str]); 3] = [
        (
            takes_cluster_ip,
            &[
                "clusterIP",
                "clusterIPs",
                "ipFamilies",
                "ipFamilyPolicy",
                "internalTrafficPolicy",
            ],
        ),
        (is_external, &["externalTrafficPolicy"]),
        (balances, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]),
    ];
    if local(old) && !local(new) {
        drop_same(new, old, &["healthCheckNodePort"]);
    }
    for (has_use, fields) in rules {
        if has_use(old) && !has_use(new) {
            drop_same(new, old, fields);
        }
    }
}

/// Removes those fields that are as they were.
fn drop_same(new: &mut Value, old: &Value, fields: &[&str]) {
    for field in fields {
        if new.at(&["spec", field]) == old.at(&["spec", field]) {
            new.remove(&["spec", field]);
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
    /// Allocates for a service in which `errors` were found. A real server allocates before it validates, so what
    /// cannot be allocated is told before most of what is wrong; only cluster addresses are looked at before.
    fn begin(
        &self,
        object: &mut Value,
        old: Option<&Object>,
        errors: &FieldErrors,
        cx: &Context,
    ) -> Result<(), Status> {
        if errors.is_empty() {
            return self.allocate(object, old, cx);
        }
        let early = |e: &FieldError| {
            ["spec.clusterIP", "spec.ipFamil"]
                .iter()
                .any(|f| e.field.starts_with(f))
                && !e.detail.contains("'None' for")
        };
        match errors.0.iter().any(early) {
            true => Ok(()),
            // What is taken for it goes to nobody.
            false => self.allocate(&mut object.clone(), old, cx),
        }
    }

    /// Takes the addresses and node ports that the service needs and does not have.
    fn allocate(&self, object: &mut Value, old: Option<&Object>, cx: &Context) -> Result<(), Status> {
        let mut errors = FieldErrors::default();
        let own = object.at(&["metadata", "uid"]).clone();
        let (mut addresses, mut node_ports) = (Vec::new(), Vec::new());
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
        let addresses: FlatSet<u32> = addresses.into_iter().collect();
        let mut node_ports: Taken = node_ports.into_iter().collect();
        families(object, &mut errors);
        if takes_cluster_ip(object) && errors.is_empty() {
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
    errors.check(field, value, names::ip);
    let Ok(ip) = value.str().parse::<std::net::IpAddr>() else {
        return;
    };
    let why = if ip.is_unspecified() {
        format!("may not be unspecified ({})", value.str())
    } else if ip.is_loopback() {
        "may not be in the loopback range (127.0.0.0/8, ::1/128)".into()
    } else if matches!(ip, std::net::IpAddr::V4(v4) if v4.is_link_local())
        || matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local())
    {
        "may not be in the link-local range (169.254.0.0/16, fe80::/10)".into()
    } else if matches!(ip, std::net::IpAddr::V4(v4) if v4.octets().starts_with(&[224, 0, 0])) {
        "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()
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
    let headless = is_headless(object);
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => errors.invalid(
            "spec.clusterIPs[0]",
            &"None".into(),
            format!("may not be set to 'None' for {kind} services"),
        ),
        "ExternalName" => {
            let why = "may not be set for ExternalName services";
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec.get(field).is_empty() {
                    errors.forbidden(format!("spec.{field}"), why);
                }
            }
            let name = spec.get("externalName").str();
            let name = Value::from(name.strip_suffix('.').unwrap_or(name));
            errors.check_required("spec.externalName", &name, names::dns1123_subdomain);
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
            errors.check(format!("{at}.name"), name, names::dns1123_label);
            if !port_names.insert(name.str()) {
                errors.duplicate(format!("{at}.name"), name);
            }
        }
        pod_validation::port_number(port.get("port"), &format!("{at}.port"), errors);
        pod_validation::protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
        pod_validation::port_number_or_name(port.get("targetPort"), &format!("{at}.targetPort"), errors);
        errors.check_some(format!("{at}.appProtocol"), port.get("appProtocol"), names::label_key);
    }
    crate::api::metadata::labels(spec.get("selector"), "spec.selector", errors);
    affinity(spec, errors);
    cluster_ips(object, errors);
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
    let mut node_ports = FlatSet::new();
    for (i, port) in ports.iter().enumerate() {
        let number = port.i64_at(&["nodePort"]).unwrap_or(0);
        if number != 0 && !node_ports.insert((port.get("protocol").str(), number)) {
            errors.duplicate(format!("spec.ports[{i}].nodePort"), &number.into());
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
    let only = "may only be used when `type` is 'LoadBalancer'";
    let ranges = spec.get("loadBalancerSourceRanges").items();
    if !ranges.is_empty() && kind != "LoadBalancer" {
        errors.forbidden("spec.LoadBalancerSourceRanges", only);
    }
    for (i, range) in ranges.iter().enumerate() {
        let range = Value::from(range.str().trim());
        errors.check(format!("spec.LoadBalancerSourceRanges[{i}]"), &range, names::cidr);
    }
    if kind != "LoadBalancer" && !spec.get("allocateLoadBalancerNodePorts").is_null() {
        errors.forbidden("spec.allocateLoadBalancerNodePorts", only);
    }
    let class = spec.get("loadBalancerClass");
    if kind == "LoadBalancer" {
        errors.check_some("spec.loadBalancerClass", class, names::label_key);
    } else if !class.is_null() {
        errors.forbidden("spec.loadBalancerClass", only);
    }
    let policy = spec.get("externalTrafficPolicy");
    if !is_external(object) {
        if !policy.is_empty() {
            let why = "may only be set for externally-accessible services";
            errors.invalid("spec.externalTrafficPolicy", policy, why);
        }
    } else if policy.is_empty() {
        errors.required("spec.externalTrafficPolicy", "");
    } else {
        errors.enumerated("spec.externalTrafficPolicy", policy, &["Cluster", "Local"]);
    }
    let check = spec.get("healthCheckNodePort");
    let local = kind == "LoadBalancer" && policy.str() == "Local";
    if !check.is_empty() && !local {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.invalid("spec.healthCheckNodePort", check, why);
    }
    let internal = spec.get("internalTrafficPolicy");
    errors.enumerated("spec.internalTrafficPolicy", internal, &["Cluster", "Local"]);
    let known = ["PreferClose", "PreferSameNode", "PreferSameZone"];
    errors.enumerated("spec.trafficDistribution", spec.get("trafficDistribution"), &known);
}

fn affinity(spec: &Value, errors: &mut FieldErrors) {
    let affinity = spec.get("sessionAffinity");
    if affinity.is_empty() {
        errors.required("spec.sessionAffinity", "");
    } else {
        errors.enumerated("spec.sessionAffinity", affinity, &["ClientIP", "None"]);
    }
    let config = spec.get("sessionAffinityConfig");
    let timeout = config.at(&["clientIP", "timeoutSeconds"]);
    if affinity.str() == "None" && !config.is_null() {
        let why = "must not be set when session affinity is None";
        errors.forbidden("spec.sessionAffinityConfig", why);
    }
    if affinity.str() == "ClientIP" && timeout.as_i64().is_some_and(|n| n <= 0 || n > 86_400) {
        errors.invalid(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            timeout,
            "must be greater than 0 and less than 86400",
        );
    }
}

fn is_ipv6(ip: &str) -> bool {
    ip.contains(':')
}

/// `ValidateServiceClusterIPsRelatedFields`.
fn cluster_ips(object: &Value, errors: &mut FieldErrors) {
    if !takes_cluster_ip(object) {
        return;
    }
    let spec = object.get("spec");
    let (one, many) = (spec.get("clusterIP"), spec.get("clusterIPs"));
    let ips = many.items();
    if one.is_empty() && !ips.is_empty() {
        let why = "must be empty when `clusterIP` is not specified";
        errors.invalid("spec.clusterIPs", many, why);
    } else if !one.is_empty() && ips.first().is_some_and(|first| first != one) {
        errors.invalid("spec.clusterIPs", many, "first value must match `clusterIP`");
    }
    let families = spec.get("ipFamilies").items();
    for (i, family) in families.iter().enumerate() {
        let at = format!("spec.ipFamilies[{i}]");
        errors.enumerated(&at, family, &["IPv4", "IPv6"]);
        if families.iter().take(i).any(|f| f == family) {
            errors.duplicate(at, family);
        }
    }
    let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    errors.enumerated("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), &known);
    let before = errors.0.len();
    for (i, ip) in ips.iter().enumerate() {
        if i > 0 || ip.str() != "None" {
            errors.check(format!("spec.clusterIPs[{i}]"), ip, names::ip);
        } else if ips.len() > 1 {
            errors.invalid("spec.clusterIPs", many, "'None' must be the first and only value");
        }
    }
    let broken = errors.0.len() > before;
    if ips.len() > 2 {
        errors.invalid("spec.clusterIPs", many, "may only hold up to 2 values");
    }
    if broken {
        return;
    }
    let six = ips.iter().filter(|ip| is_ipv6(ip.str())).count();
    if ips.len() > 1 && (six == 0 || six == ips.len()) {
        let why = "may specify no more than one IP for each IP family";
        errors.invalid("spec.clusterIPs", many, why);
    }
    if is_headless(object) {
        return;
    }
    for (i, (ip, family)) in ips.iter().zip(families).enumerate() {
        let wanted = if is_ipv6(ip.str()) { "IPv6" } else { "IPv4" };
        if matches!(family.str(), "IPv4" | "IPv6") && family.str() != wanted {
            let why = format!("expected an {} value as indicated by `ipFamilies[{i}]`", family.str());
            errors.invalid(format!("spec.clusterIPs[{i}]"), ip, why);
        }
    }
}

/// What may become of a service's addresses and families (`ValidateServiceUpdate`).
fn changes(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if takes_cluster_ip(new) && takes_cluster_ip(old) {
        let (headless, was) = (is_headless(new), is_headless(old));
        if !(headless && was) {
            parts(new, old, "clusterIPs", "clusterIP", errors);
        }
        if !headless && !was {
            parts(new, old, "ipFamilies", "ipFamily", errors);
        }
    }
    let class = |s: &Value| s.at(&["spec", "loadBalancerClass"]).clone();
    let balances = |s: &Value| kind(s) == "LoadBalancer";
    if balances(new) && balances(old) && class(new) != class(old) {
        errors.invalid("spec.loadBalancerClass", &class(new), "may not change once set");
    }
    let check = |s: &Value| s.at(&["spec", "healthCheckNodePort"]).clone();
    let local = |s: &Value| balances(s) && s.str_at(&["spec", "externalTrafficPolicy"]) == "Local";
    if local(new) && local(old) && check(new) != check(old) {
        errors.forbidden("spec.healthCheckNodePort", "field is immutable");
    }
}

/// A list of which the first entry stays, and the second may come and go.
fn parts(new: &Value, old: &Value, list: &str, one: &str, errors: &mut FieldErrors) {
    let (now, had) = (new.at(&["spec", list]), old.at(&["spec", list]));
    let (a, b) = (now.items(), had.items());
    let first = format!("spec.{list}[0]");
    let changed = |i: usize| a.get(i) != b.get(i);
    if a.len() == b.len() {
        for i in (0..a.len()).filter(|i| changed(*i)) {
            // Of families the real server always names the first.
            let at = if list == "clusterIPs" {
                format!("spec.{list}[{i}]")
            } else {
                first.clone()
            };
            errors.invalid(at, now, "may not change once set");
        }
        return;
    }
    if a.is_empty() {
        errors.invalid(&first, now, format!("primary {one} can not be unset"));
    } else if !b.is_empty() && changed(0) {
        errors.invalid(&first, now, "may not change once set");
    }
    let policy = new.at(&["spec", "ipFamilyPolicy"]);
    if a.len() == 1 && b.len() > 1 && policy.str() != "SingleStack" {
        let why = format!("must be set to 'SingleStack' when releasing the secondary {one}");
        errors.invalid("spec.ipFamilyPolicy", policy, why);
    }
}

/// What a single-stack cluster cannot give (`initIPFamilyFields`).
fn families(object: &Value, errors: &mut FieldErrors) {
    let spec = object.get("spec");
    // A service without addresses and pods of its own may name any.
    if !takes_cluster_ip(object) || (is_headless(object) && spec.get("selector").is_empty()) {
        return;
    }
    let policy = spec.get("ipFamilyPolicy");
    if policy.str() == "RequireDualStack" {
        let why = "this cluster is not configured for dual-stack services";
        errors.invalid("spec.ipFamilyPolicy", policy, why);
    }
    let mut families: Vec<Value> = spec.get("ipFamilies").items().to_vec();
    for ip in spec.get("clusterIPs").items().iter().skip(families.len()) {
        if ip.str() != "None" {
            families.push(if is_ipv6(ip.str()) { "IPv6" } else { "IPv4" }.into());
        }
    }
    for (i, family) in families.iter().enumerate() {
        if family.str() == "IPv6" {
            errors.invalid(
                format!("spec.ipFamilies[{i}]"),
                family,
                "not configured on this cluster",
            );
        }
    }
}
