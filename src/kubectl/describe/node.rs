//! `describe node`.

use super::Related;
use super::writer::{Out, join, or, quantity, resource_names, rfc1123};
use crate::api::quantity::Quantity;
use crate::api::views::pod::{Amounts, Sum, total};
use crate::api::{ListOptions, Status};
use crate::flat::{Arrange, FlatMap};
use crate::value::Value;

/// Resources that every container may name; others are listed after them.
const STANDARD: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pods"];

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, node: &Value) {
    let (spec, status) = (node.get("spec"), node.get("status"));
    let name = node.str_at(&["metadata", "name"]);
    let selector = format!("spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed");
    let found = related
        .try_list(("", "v1", "pods"), "", ListOptions::fields(selector))
        .await;
    // Controllers name a node by its uid, kubelets by its name.
    let mut events = related.events(node).await;
    if let (Some(all), Some(more)) = (&mut events, related.events_of(node, name).await) {
        all.extend(more);
    }
    let devices = ("resource.k8s.io", "v1", "resourceslices");
    let devices = related
        .list(devices, "", ListOptions::fields(format!("spec.nodeName={name}")))
        .await;
    out.field(0, "Name", name);
    out.field(0, "Roles", roles(node));
    out.metadata(node);
    out.field(
        0,
        "CreationTimestamp",
        rfc1123(node.at(&["metadata", "creationTimestamp"])),
    );
    taints(out, spec.get("taints"));
    out.field(0, "Unschedulable", spec.bool_at(&["unschedulable"]));
    match related
        .get(("coordination.k8s.io", "v1", "leases"), "kube-node-lease", name)
        .await
    {
        Err(status) => out.field(0, "Lease", format!("Failed to get lease: {}", status.message())),
        Ok(lease) => {
            let spec = lease.get("spec");
            let moment = |field: &str| match spec.get(field) {
                Value::Null => "<unset>".to_owned(),
                time => rfc1123(time),
            };
            out.line(0, "Lease:");
            out.field(1, "HolderIdentity", or(spec.get("holderIdentity").str(), "<unset>"));
            out.field(1, "AcquireTime", moment("acquireTime"));
            out.field(1, "RenewTime", moment("renewTime"));
        }
    }
    let conditions = status.get("conditions");
    if !conditions.is_empty() {
        out.line(
            0,
            "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
        );
        out.line(
            1,
            "----\t------\t-----------------\t------------------\t------\t-------",
        );
        for condition in conditions.items() {
            let text = |field: &str| condition.get(field).str();
            out.line(
                1,
                format!(
                    "{} \t{} \t{} \t{} \t{} \t{}",
                    text("type"),
                    text("status"),
                    rfc1123(condition.get("lastHeartbeatTime")),
                    rfc1123(condition.get("lastTransitionTime")),
                    text("reason"),
                    text("message")
                ),
            );
        }
    }
    out.line(0, "Addresses:");
    for address in status.get("addresses").items() {
        out.field(1, address.get("type").str(), address.get("address").str());
    }
    for (label, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let list = status.get(field);
        if !list.is_empty() {
            out.line(0, format!("{label}:"));
            for (name, amount) in list.entries() {
                out.field(1, name, quantity(amount));
            }
        }
    }
    slices(out, devices, name);
    out.line(0, "System Info:");
    let info = status.get("nodeInfo");
    for (label, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        out.field(1, label, info.get(field).str());
    }
    out.field_if(0, "PodCIDR", spec.get("podCIDR").str());
    out.field_if(0, "PodCIDRs", &join(spec.get("podCIDRs"), ","));
    out.field_if(0, "ProviderID", spec.get("providerID").str());
    pods(out, found, node);
    out.events(events);
}

/// The pools of devices of the node's own ResourceSlices.
fn slices(out: &mut Out, mut all: Vec<Value>, node: &str) {
    /// Pools that are listed before the rest is only counted.
    const SHOWN: usize = 10;
    all.retain(|slice| slice.str_at(&["spec", "nodeName"]) == node);
    let mut pools: FlatMap<String, (String, String, usize, usize)> = FlatMap::new();
    for slice in &all {
        let (driver, pool) = (
            slice.str_at(&["spec", "driver"]),
            slice.str_at(&["spec", "pool", "name"]),
        );
        let (_, _, slices, devices) = pools
            .entry(format!("{driver}/{pool}"))
            .or_insert_with(|| (driver.to_owned(), pool.to_owned(), 0, 0));
        *slices += 1;
        *devices += slice.at(&["spec", "devices"]).items().len();
    }
    if pools.is_empty() {
        return;
    }
    out.line(0, "Node-Local ResourceSlices:");
    out.line(1, "Driver\tPool\tSlices\tDevices");
    out.line(1, "------\t----\t------\t-------");
    for (_, (driver, pool, slices, devices)) in pools.iter().take(SHOWN) {
        out.line(1, format!("{driver}\t{pool}\t{slices}\t{devices}"));
    }
    if pools.len() > SHOWN {
        out.line(1, format!("...and {} more pools", pools.len() - SHOWN));
    }
}

/// The roles of a node's labels.
fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = Vec::new();
    for (key, value) in node.at(&["metadata", "labels"]).entries() {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/").filter(|r| !r.is_empty()) {
            roles.push(role);
        } else if key.as_str() == "kubernetes.io/role" && !value.str().is_empty() {
            roles.push(value.str());
        }
    }
    roles.arrange();
    roles.dedup();
    or(&roles.join(","), "<none>").to_owned()
}

fn taints(out: &mut Out, taints: &Value) {
    let mut taints: Vec<&Value> = taints.items().iter().collect();
    taints.arrange_by_key(|taint| format!("{},{}", taint.get("effect").str(), taint.get("key").str()));
    let lines: Vec<String> = taints
        .iter()
        .map(|taint| {
            let (key, value, effect) = (
                taint.get("key").str(),
                taint.get("value").str(),
                taint.get("effect").str(),
            );
            match (value, effect) {
                ("", "") => key.to_owned(),
                ("", effect) => format!("{key}:{effect}"),
                (value, "") => format!("{key}={value}:"),
                (value, effect) => format!("{key}={value}:{effect}"),
            }
        })
        .collect();
    out.field(0, "Taints", lines.first().map_or("<none>", String::as_str));
    for line in lines.iter().skip(1) {
        out.line(0, format!("\t{line}"));
    }
}

fn of(amounts: &Amounts, name: &str) -> Quantity {
    amounts.get(name).copied().unwrap_or_default()
}

/// `100m (5%)`
fn share(part: Quantity, whole: Quantity) -> String {
    let percent = match whole.milli_value() {
        0 => 0,
        whole => (part.milli_value() as f64 / whole as f64 * 100.0) as i64,
    };
    format!("{part} ({percent}%)")
}

fn pods(out: &mut Out, found: Result<Vec<Value>, Status>, node: &Value) {
    let name = node.str_at(&["metadata", "name"]);
    let Ok(mut pods) = found else {
        return out.field(0, "Pods", "not authorized");
    };
    pods.retain(|p| p.str_at(&["spec", "nodeName"]) == name);
    let status = node.get("status");
    let allocatable = if status.get("allocatable").is_empty() {
        status.get("capacity")
    } else {
        status.get("allocatable")
    };
    let (cpu, memory) = (quantity(allocatable.get("cpu")), quantity(allocatable.get("memory")));
    out.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    out.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    out.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    for pod in &pods {
        let (requests, limits) = (
            total(pod, "requests", Sum::actual()),
            total(pod, "limits", Sum::actual()),
        );
        let text = |field: &str| pod.str_at(&["metadata", field]).to_owned();
        let age = out.since(pod.at(&["metadata", "creationTimestamp"]));
        out.line(
            1,
            format!(
                "{}\t{}\t\t{}\t{}\t{}\t{}\t{age}",
                text("namespace"),
                text("name"),
                share(of(&requests, "cpu"), cpu),
                share(of(&limits, "cpu"), cpu),
                share(of(&requests, "memory"), memory),
                share(of(&limits, "memory"), memory)
            ),
        );
    }
    out.line(
        0,
        "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)",
    );
    out.line(1, "Resource\tRequests\tLimits");
    out.line(1, "--------\t--------\t------");
    let all = |which: &str| -> Vec<Amounts> { pods.iter().map(|pod| total(pod, which, Sum::asked())).collect() };
    let (requests, limits) = (all("requests"), all("limits"));
    let both = |name: &str| {
        [&requests, &limits].map(|list| list.iter().fold(Quantity::ZERO, |sum, pod| sum.plus(of(pod, name))))
    };
    for name in ["cpu", "memory", "ephemeral-storage"] {
        let whole = quantity(allocatable.get(name));
        let [requests, limits] = both(name);
        out.line(
            1,
            format!("{name}\t{}\t{}", share(requests, whole), share(limits, whole)),
        );
    }
    let mut others = resource_names(allocatable);
    others.retain(|name| !STANDARD.contains(&name.as_str()));
    // Huge pages come first.
    others.arrange_by_key(|name| (!name.starts_with("hugepages-"), name.clone()));
    for name in others {
        let [requests, limits] = both(&name);
        if name.starts_with("hugepages-") {
            let whole = quantity(allocatable.get(&name));
            out.line(
                1,
                format!("{name}\t{}\t{}", share(requests, whole), share(limits, whole)),
            );
        } else {
            out.line(1, format!("{name}\t{requests}\t{limits}"));
        }
    }
}
