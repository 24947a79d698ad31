//! `describe pod`.

use super::Related;
use super::pod_parts::{containers, controlled_by, resources, scheduling_group, seccomp, spread, volumes};
use super::writer::{Out, rfc1123};
use crate::api::names;
use crate::value::Value;

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, pod: &Value) {
    let (metadata, spec, status) = (pod.get("metadata"), pod.get("spec"), pod.get("status"));
    out.name(pod);
    if let Some(priority) = spec.i64_at(&["priority"]) {
        out.field(0, "Priority", priority);
    }
    out.field_if(0, "Priority Class Name", spec.get("priorityClassName").str());
    out.field_if(0, "Runtime Class Name", spec.get("runtimeClassName").str());
    out.field_if(0, "Service Account", spec.get("serviceAccountName").str());
    match spec.get("nodeName").str() {
        "" => out.field(0, "Node", "<none>"),
        node => out.field(0, "Node", format!("{node}/{}", status.get("hostIP").str())),
    }
    if status.has("startTime") {
        out.field(0, "Start Time", rfc1123(status.get("startTime")));
    }
    out.metadata(pod);
    let phase = status.get("phase").str();
    if metadata.has("deletionTimestamp") && phase != "Failed" && phase != "Succeeded" {
        let lasts = out.since(metadata.get("deletionTimestamp"));
        out.field(0, "Status", format!("Terminating (lasts {lasts})"));
        let grace = metadata.i64_at(&["deletionGracePeriodSeconds"]).unwrap_or(0);
        out.field(0, "Termination Grace Period", format!("{grace}s"));
    } else {
        out.field(0, "Status", phase);
    }
    out.field_if(0, "Reason", status.get("reason").str());
    out.field_if(0, "Message", status.get("message").str());
    seccomp(out, spec, 0);
    out.field(0, "IP", status.get("podIP").str());
    if status.get("podIPs").is_empty() {
        out.field(0, "IPs", "<none>");
    } else {
        out.line(0, "IPs:");
        for ip in status.get("podIPs").items() {
            out.field(1, "IP", ip.get("ip").str());
        }
    }
    out.field_if(0, "Controlled By", &controlled_by(pod));
    out.field_if(0, "NominatedNodeName", status.get("nominatedNodeName").str());
    if spec.has("resources") {
        out.line(0, "Resources:");
        resources(out, spec.get("resources"), 1);
    }
    for (label, field, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        (
            "Ephemeral Containers",
            "ephemeralContainers",
            "ephemeralContainerStatuses",
        ),
    ] {
        if field == "containers" || !spec.get(field).is_empty() {
            containers(out, label, spec.get(field), status.get(statuses), Some(pod), "");
        }
    }
    let conditions = status.get("conditions");
    let gates = spec.get("readinessGates");
    if !gates.is_empty() {
        out.line(0, "Readiness Gates:\n  Type\tStatus");
        for gate in gates.items() {
            let kind = gate.get("conditionType").str();
            let found = conditions.items().iter().find(|c| c.get("type").str() == kind);
            let state = found.map_or("<none>", |c| c.get("status").str());
            out.line(1, format!("{kind} \t{state} "));
        }
    }
    if !conditions.is_empty() {
        out.line(0, "Conditions:\n  Type\tStatus");
        for condition in conditions.items() {
            out.line(
                1,
                format!("{} \t{} ", condition.get("type").str(), condition.get("status").str()),
            );
        }
    }
    volumes(out, spec.get("volumes"), "");
    out.field(0, "QoS Class", status.get("qosClass").str());
    out.labels("Node-Selectors", spec.get("nodeSelector"));
    out.tolerations("Tolerations", spec.get("tolerations"));
    spread(out, spec.get("topologySpreadConstraints"), "");
    scheduling_group(out, spec, "");
    // The events of a static pod name the file's own uid, not the mirror's.
    let uid = match pod.at(&["metadata", "annotations"]).get(names::MIRROR).str() {
        "" => pod.str_at(&["metadata", "uid"]),
        uid => uid,
    };
    out.events(related.events_of(pod, uid).await);
}
