//! `describe` of persistent volumes, their claims and storage classes.

use super::Related;
use super::pod_parts::{flag, volume_source};
use super::writer::{Out, join, quantity, rfc1123};
use crate::api::ListOptions;
use crate::api::volumes::{DEFAULT_CLASS, class_named, is_default};
use crate::flat::{Arrange, Case};
use crate::kubectl::print_labels;
use crate::value::Value;

/// The fields of a persistent volume's spec that are no source.
const NOT_SOURCES: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// `RWO,ROX`
fn access_modes(modes: &Value) -> String {
    let short = |mode: &Value| match mode.str() {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    // kubectl prints them in this order, however they are written.
    const ORDER: [&str; 4] = ["RWO", "ROX", "RWX", "RWOP"];
    let given: Vec<&str> = modes.items().iter().map(short).collect();
    ORDER
        .into_iter()
        .filter(|m| given.contains(m))
        .collect::<Vec<_>>()
        .join(",")
}

fn phase(out: &Out, object: &Value) -> String {
    match object.at(&["metadata", "deletionTimestamp"]) {
        Value::Null => object.str_at(&["status", "phase"]).to_owned(),
        deleted => format!("Terminating (lasts {})", out.since(deleted)),
    }
}

fn finalizers(object: &Value) -> String {
    format!("[{}]", join(object.at(&["metadata", "finalizers"]), " "))
}

pub(super) async fn volume(related: &Related<'_>, out: &mut Out, volume: &Value) {
    let (spec, status) = (volume.get("spec"), volume.get("status"));
    out.field(0, "Name", volume.str_at(&["metadata", "name"]));
    out.metadata(volume);
    out.field(0, "Finalizers", finalizers(volume));
    out.field(0, "StorageClass", class_named(volume));
    out.field(0, "Status", phase(out, volume));
    let claim = spec.get("claimRef");
    let claim = match claim {
        Value::Null => String::new(),
        claim => format!("{}/{}", claim.get("namespace").str(), claim.get("name").str()),
    };
    out.field(0, "Claim", claim);
    out.field(0, "Reclaim Policy", spec.get("persistentVolumeReclaimPolicy").str());
    out.field(0, "Access Modes", access_modes(spec.get("accessModes")));
    out.field_if(0, "VolumeMode", spec.get("volumeMode").str());
    out.field(0, "Capacity", quantity(spec.at(&["capacity", "storage"])));
    node_affinity(out, spec.at(&["nodeAffinity", "required"]));
    out.field(0, "Message", status.get("message").str());
    out.line(0, "Source:");
    if let Some((kind, source)) = spec.entries().find(|(k, _)| !NOT_SOURCES.contains(&k.as_str())) {
        volume_source(out, kind, source, true);
    } else {
        out.line(1, "<unknown>");
    }
    out.events(related.events(volume).await);
}

fn node_affinity(out: &mut Out, required: &Value) {
    out.put(0, "Node Affinity:\t");
    if required.is_null() {
        return out.line(0, "<none>");
    }
    out.line(0, "");
    out.put(1, "Required Terms:\t");
    let terms = required.get("nodeSelectorTerms").items();
    out.line(0, if terms.is_empty() { "<none>" } else { "" });
    for (i, term) in terms.iter().enumerate() {
        out.put(2, format!("Term {i}:\t"));
        let expressions = term.get("matchExpressions").items();
        if expressions.is_empty() {
            out.line(0, "<none>");
        }
        for (j, expression) in expressions.iter().enumerate() {
            let mut text = format!(
                "{} {}",
                expression.get("key").str(),
                expression.get("operator").str().lower()
            );
            if !expression.get("values").is_empty() {
                text.push_str(&format!(" [{}]", join(expression.get("values"), ", ")));
            }
            if j > 0 {
                out.put(2, "\t");
            }
            out.line(0, text);
        }
    }
}

/// A claim's own lines; of the template of an ephemeral volume those that it has.
pub(super) fn claim_fields(out: &mut Out, claim: &Value, full: bool) {
    let (spec, status) = (claim.get("spec"), claim.get("status"));
    if full {
        out.name(claim);
    }
    out.field(0, "StorageClass", class_named(claim));
    if full {
        out.field(0, "Status", phase(out, claim));
    }
    out.field(0, "Volume", spec.get("volumeName").str());
    out.metadata(claim);
    if full {
        out.field(0, "Finalizers", finalizers(claim));
    }
    let bound = !spec.get("volumeName").str().is_empty();
    let (capacity, modes) = if bound {
        let capacity = quantity(status.at(&["capacity", "storage"]));
        (capacity.to_string(), access_modes(status.get("accessModes")))
    } else {
        (String::new(), String::new())
    };
    out.field(0, "Capacity", capacity);
    out.field(0, "Access Modes", modes);
    out.field_if(0, "VolumeMode", spec.get("volumeMode").str());
    let source = spec.get("dataSource");
    if !source.is_null() {
        out.line(0, "DataSource:");
        out.field_if(1, "APIGroup", source.get("apiGroup").str());
        out.field(1, "Kind", source.get("kind").str());
        out.field(1, "Name", source.get("name").str());
    }
}

/// The names of the pods that use a claim, as often as they do, and of those that it was made for.
async fn users(related: &Related<'_>, claim: &Value) -> Vec<String> {
    let metadata = claim.get("metadata");
    let all = related
        .list(
            ("", "v1", "pods"),
            metadata.get("namespace").str(),
            ListOptions::default(),
        )
        .await;
    let name = metadata.get("name").str();
    let mut names = Vec::new();
    for pod in &all {
        let (uid, pod_name) = (pod.str_at(&["metadata", "uid"]), pod.str_at(&["metadata", "name"]));
        let volumes = pod.at(&["spec", "volumes"]).items();
        let uses = volumes
            .iter()
            .filter(|v| v.str_at(&["persistentVolumeClaim", "claimName"]) == name)
            .count();
        let owners = metadata.get("ownerReferences").items();
        let owned = owners
            .iter()
            .any(|o| o.get("kind").str() == "Pod" && o.get("uid").str() == uid);
        let times = uses.max(usize::from(owned));
        names.extend((0..times).map(|_| pod_name.to_owned()));
    }
    names.arrange();
    names
}

pub(super) async fn claim(related: &Related<'_>, out: &mut Out, claim: &Value) {
    let status = claim.get("status");
    claim_fields(out, claim, true);
    let names = users(related, claim).await;
    out.field(0, "Used By", names.first().map_or("<none>", String::as_str));
    for name in names.iter().skip(1) {
        out.line(0, format!("\t{name}"));
    }
    let conditions = status.get("conditions");
    if !conditions.is_empty() {
        out.line(
            0,
            "Conditions:\n  Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage",
        );
        out.line(
            1,
            "----\t------\t-----------------\t------------------\t------\t-------",
        );
        for condition in conditions.items() {
            let text = |field: &str| condition.get(field).str();
            let moment = |field: &str| super::writer::rfc1123(condition.get(field));
            out.line(
                1,
                format!(
                    "{} \t{} \t{} \t{} \t{} \t{}",
                    text("type"),
                    text("status"),
                    moment("lastProbeTime"),
                    moment("lastTransitionTime"),
                    text("reason"),
                    text("message")
                ),
            );
        }
    }
    out.events(related.events(claim).await);
}

pub(super) async fn class(related: &Related<'_>, out: &mut Out, class: &Value) {
    let annotations = class.at(&["metadata", "annotations"]);
    out.field(0, "Name", class.str_at(&["metadata", "name"]));
    out.field(
        0,
        "IsDefaultClass",
        if is_default(class, DEFAULT_CLASS) { "Yes" } else { "No" },
    );
    out.field(0, "Annotations", print_labels(annotations));
    out.field(0, "Provisioner", class.get("provisioner").str());
    out.field(0, "Parameters", print_labels(class.get("parameters")));
    out.field(0, "AllowVolumeExpansion", flag(class.get("allowVolumeExpansion")));
    let options = class.get("mountOptions");
    out.line(
        0,
        if options.is_empty() {
            "MountOptions:\t<none>"
        } else {
            "MountOptions:"
        },
    );
    for option in options.items() {
        out.line(1, option.str());
    }
    out.field_if(0, "ReclaimPolicy", class.get("reclaimPolicy").str());
    out.field_if(0, "VolumeBindingMode", class.get("volumeBindingMode").str());
    let topologies = class.get("allowedTopologies").items();
    if !topologies.is_empty() {
        out.line(0, "AllowedTopologies:\t");
        for (i, term) in topologies.iter().enumerate() {
            out.put(1, format!("Term {i}:\t"));
            let expressions = term.get("matchLabelExpressions").items();
            if expressions.is_empty() {
                out.end("<none>");
            }
            for (j, expression) in expressions.iter().enumerate() {
                if j > 0 {
                    out.put(1, "\t");
                }
                let values = match expression.get("values") {
                    values if values.is_empty() => String::new(),
                    values => format!(" [{}]", join(values, ", ")),
                };
                out.line(0, format!("{} in{values}", expression.get("key").str()));
            }
        }
    }
    out.events(related.events(class).await);
}

pub(super) async fn attributes_class(related: &Related<'_>, out: &mut Out, class: &Value) {
    out.field(0, "Name", class.str_at(&["metadata", "name"]));
    out.field(0, "Annotations", print_labels(class.at(&["metadata", "annotations"])));
    out.field(0, "DriverName", class.get("driverName").str());
    out.field(0, "Parameters", print_labels(class.get("parameters")));
    out.events(related.events(class).await);
}

pub(super) async fn csi_node(related: &Related<'_>, out: &mut Out, node: &Value) {
    out.field(0, "Name", node.str_at(&["metadata", "name"]));
    out.metadata(node);
    out.field(
        0,
        "CreationTimestamp",
        rfc1123(node.at(&["metadata", "creationTimestamp"])),
    );
    out.line(0, "Spec:");
    let drivers = node.at(&["spec", "drivers"]);
    if !drivers.is_null() {
        out.line(1, "Drivers:");
    }
    for driver in drivers.items() {
        out.line(2, format!("{}:", driver.get("name").str()));
        out.field(3, "Node ID", driver.get("nodeID").str());
        if let Some(count) = driver.i64_at(&["allocatable", "count"]) {
            out.line(3, "Allocatables:");
            out.field(4, "Count", count);
        }
        let keys = driver.get("topologyKeys");
        if !keys.is_null() {
            out.field(3, "Topology Keys", format!("[{}]", join(keys, " ")));
        }
    }
    out.events(related.events(node).await);
}
