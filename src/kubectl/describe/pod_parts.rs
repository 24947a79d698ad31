//! The parts that pods and pod templates share: containers, volumes, templates.

use super::writer::{
    ANNOTATION, Out, bool_or_unset, format_selector, int_or_text, join, or, quantity, rfc1123, shorten,
};
use crate::flat::{Arrange, Case};
use crate::value::{Value, gofmt};

/// A pod template.
pub(super) fn template(out: &mut Out, template: &Value) {
    out.line(0, "Pod Template:");
    let spec = template.get("spec");
    out.labels("  Labels", template.at(&["metadata", "labels"]));
    let annotations = template.at(&["metadata", "annotations"]);
    if !annotations.is_empty() {
        out.annotations("  Annotations", annotations);
    }
    out.field_if(0, "  Service Account", spec.get("serviceAccountName").str());
    if !spec.get("initContainers").is_empty() {
        containers(
            out,
            "Init Containers",
            spec.get("initContainers"),
            &Value::Null,
            None,
            "  ",
        );
    }
    containers(out, "Containers", spec.get("containers"), &Value::Null, None, "  ");
    volumes(out, spec.get("volumes"), "  ");
    spread(out, spec.get("topologySpreadConstraints"), "  ");
    out.field_if(0, "  Priority Class Name", spec.get("priorityClassName").str());
    out.labels("  Node-Selectors", spec.get("nodeSelector"));
    out.tolerations("  Tolerations", spec.get("tolerations"));
    scheduling_group(out, spec, "  ");
}

/// The group that a pod is scheduled with, when it has one.
pub(super) fn scheduling_group(out: &mut Out, spec: &Value, space: &str) {
    let group = spec.get("schedulingGroup");
    if !group.is_null() {
        out.line(0, format!("{space}SchedulingGroup:"));
        out.field(1, "PodGroupName", group.get("podGroupName").str());
    }
}

/// Containers with their statuses. `pod` is what field references are read from.
pub(super) fn containers(
    out: &mut Out,
    label: &str,
    containers: &Value,
    statuses: &Value,
    pod: Option<&Value>,
    space: &str,
) {
    let none = if containers.is_empty() { " <none>" } else { "" };
    out.line(0, format!("{space}{label}:{none}"));
    let name_indent = if space.is_empty() { "" } else { " " };
    for container in containers.items() {
        let name = container.get("name").str();
        let status = statuses.items().iter().find(|s| s.get("name").str() == name);
        out.line(1, format!("{name_indent}{name}:"));
        basics(out, container, status);
        command(out, "Command", container.get("command"));
        command(out, "Args", container.get("args"));
        if let Some(status) = status {
            state(out, "State", status.get("state"));
            if !status.at(&["lastState", "terminated"]).is_null() {
                state(out, "Last State", status.get("lastState"));
            }
            out.field(2, "Ready", if status.bool_at(&["ready"]) { "True" } else { "False" });
            out.field(2, "Restart Count", status.i64_at(&["restartCount"]).unwrap_or(0));
        }
        resources(out, container.get("resources"), 2);
        for (label, field) in [
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ] {
            if container.has(field) {
                out.field(2, label, probe(container.get(field)));
            }
        }
        environment(out, container, pod);
        mounts(out, container);
    }
}

fn basics(out: &mut Out, container: &Value, status: Option<&Value>) {
    if let Some(status) = status {
        out.field(2, "Container ID", status.get("containerID").str());
    }
    out.field(2, "Image", container.get("image").str());
    if let Some(status) = status {
        out.field(2, "Image ID", status.get("imageID").str());
    }
    for (one, many, field) in [
        ("Port", "Ports", "containerPort"),
        ("Host Port", "Host Ports", "hostPort"),
    ] {
        let ports: Vec<String> = container
            .get("ports")
            .items()
            .iter()
            .map(|port| {
                let name = port.get("name").str();
                let name = if name.is_empty() {
                    String::new()
                } else {
                    format!(" ({name})")
                };
                let protocol = or(port.get("protocol").str(), "TCP");
                format!("{}/{protocol}{name}", port.i64_at(&[field]).unwrap_or(0))
            })
            .collect();
        let label = if ports.len() > 1 { many } else { one };
        out.field(2, label, or(&ports.join(", "), "<none>"));
    }
    seccomp(out, container, 2);
}

/// The seccomp profile of a pod's or container's security context.
pub(super) fn seccomp(out: &mut Out, holder: &Value, level: usize) {
    let profile = holder.at(&["securityContext", "seccompProfile"]);
    if !profile.is_null() {
        out.field(level, "SeccompProfile", profile.get("type").str());
        if profile.get("type").str() == "Localhost" {
            // A container's stands one level deeper, a pod's does not.
            let level = if level == 0 { 0 } else { level + 1 };
            out.field(level, "LocalhostProfile", profile.get("localhostProfile").str());
        }
    }
}

fn command(out: &mut Out, label: &str, words: &Value) {
    if words.is_empty() {
        return;
    }
    out.line(2, format!("{label}:"));
    for word in words.items() {
        for line in word.str().split('\n') {
            out.line(3, line);
        }
    }
}

fn state(out: &mut Out, label: &str, state: &Value) {
    let (running, waiting, terminated) = (state.get("running"), state.get("waiting"), state.get("terminated"));
    if !running.is_null() {
        out.field(2, label, "Running");
        out.field(3, "Started", rfc1123(running.get("startedAt")));
    } else if !terminated.is_null() {
        out.field(2, label, "Terminated");
        out.field_if(3, "Reason", terminated.get("reason").str());
        out.field_if(3, "Message", terminated.get("message").str());
        out.field(3, "Exit Code", terminated.i64_at(&["exitCode"]).unwrap_or(0));
        if let Some(signal) = terminated.i64_at(&["signal"]).filter(|s| *s > 0) {
            out.field(3, "Signal", signal);
        }
        out.field(3, "Started", rfc1123(terminated.get("startedAt")));
        out.field(3, "Finished", rfc1123(terminated.get("finishedAt")));
    } else {
        out.field(2, label, "Waiting");
        out.field_if(3, "Reason", waiting.get("reason").str());
    }
}

/// Limits and requests.
pub(super) fn resources(out: &mut Out, resources: &Value, level: usize) {
    for (label, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let list = resources.get(field);
        if !list.is_empty() {
            out.line(level, format!("{label}:"));
        }
        for (name, amount) in list.entries() {
            out.field(level + 1, name, quantity(amount));
        }
    }
}

/// A probe on one line.
fn probe(probe: &Value) -> String {
    let number = |field: &str| probe.i64_at(&[field]).unwrap_or(0);
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    );
    let (exec, http, tcp, grpc) = (
        probe.get("exec"),
        probe.get("httpGet"),
        probe.get("tcpSocket"),
        probe.get("grpc"),
    );
    if !exec.is_null() {
        format!("exec [{}] {attributes}", join(exec.get("command"), " "))
    } else if !http.is_null() {
        let path = http.get("path").str();
        let slash = if path.is_empty() || path.starts_with('/') {
            ""
        } else {
            "/"
        };
        let scheme = http.get("scheme").str().lower();
        let (host, port) = (http.get("host").str(), int_or_text(http.get("port")));
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!(
            "http-get {scheme}://{host}:{port}{slash}{} {attributes}",
            escape_path(path)
        )
    } else if !tcp.is_null() {
        format!(
            "tcp-socket {}:{} {attributes}",
            tcp.get("host").str(),
            int_or_text(tcp.get("port"))
        )
    } else if !grpc.is_null() {
        let port = grpc.i64_at(&["port"]).unwrap_or(0);
        format!("grpc <pod>:{port} {} {attributes}", grpc.get("service").str())
    } else {
        format!("unknown {attributes}")
    }
}

/// A path as it stands in a URL that Go's `net/url` writes.
fn escape_path(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&b);
    path.bytes()
        .map(|b| match b {
            b if plain(b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn environment(out: &mut Out, container: &Value, pod: Option<&Value>) {
    let from = container.get("envFrom");
    if !from.is_empty() {
        out.line(2, "Environment Variables from:");
        for source in from.items() {
            let (kind, source_ref) = if source.has("configMapRef") {
                ("ConfigMap", "configMapRef")
            } else {
                ("Secret", "secretRef")
            };
            let name = source.str_at(&[source_ref, "name"]);
            let optional = source.bool_at(&[source_ref, "optional"]);
            let prefix = source.get("prefix").str();
            let with = if prefix.is_empty() {
                String::new()
            } else {
                format!(" with prefix '{prefix}'")
            };
            out.line(3, format!("{name}\t{kind}{with}\tOptional: {optional}"));
        }
    }
    let env = container.get("env");
    out.line(
        2,
        if env.is_empty() {
            "Environment:\t<none>"
        } else {
            "Environment:"
        },
    );
    for variable in env.items() {
        let name = variable.get("name").str();
        let source = variable.get("valueFrom");
        let (field, resource) = (source.get("fieldRef"), source.get("resourceFieldRef"));
        let (secret, config) = (source.get("secretKeyRef"), source.get("configMapKeyRef"));
        if source.is_null() {
            for (i, line) in variable.get("value").str().split('\n').enumerate() {
                out.line(
                    3,
                    if i == 0 {
                        format!("{name}:\t{line}")
                    } else {
                        format!("\t{line}")
                    },
                );
            }
        } else if !field.is_null() {
            let path = field.get("fieldPath").str();
            let value = pod.map_or("", |pod| field_value(pod, path));
            out.line(
                3,
                format!("{name}:\t{value} ({}:{path})", field.get("apiVersion").str()),
            );
        } else if !resource.is_null() {
            let wanted = resource.get("resource").str();
            let value = resource_value(container, resource);
            let value = if value == "0" && (wanted == "limits.cpu" || wanted == "limits.memory") {
                "node allocatable".to_owned()
            } else {
                value
            };
            out.line(3, format!("{name}:\t{value} ({wanted})"));
        } else if !secret.is_null() {
            let (key, of, optional) = key_of(secret);
            out.line(
                3,
                format!("{name}:\t<set to the key '{key}' in secret '{of}'>\tOptional: {optional}"),
            );
        } else if !config.is_null() {
            let (key, of, optional) = key_of(config);
            out.line(
                3,
                format!("{name}:\t<set to the key '{key}' of config map '{of}'>\tOptional: {optional}"),
            );
        }
    }
}

fn key_of(reference: &Value) -> (&str, &str, bool) {
    (
        reference.get("key").str(),
        reference.get("name").str(),
        reference.bool_at(&["optional"]),
    )
}

/// What describe knows of a field reference; other fields are left empty.
fn field_value<'p>(pod: &'p Value, path: &str) -> &'p str {
    match path {
        "metadata.name" => pod.str_at(&["metadata", "name"]),
        "metadata.namespace" => pod.str_at(&["metadata", "namespace"]),
        _ => "",
    }
}

/// The amount of a container's resource in units of the divisor, rounded up.
fn resource_value(container: &Value, reference: &Value) -> String {
    let Some((list, name)) = reference.get("resource").str().split_once('.') else {
        return String::new();
    };
    let amount = quantity(container.at(&["resources", list, name]));
    let divisor = match quantity(reference.get("divisor")) {
        zero if zero.is_zero() => crate::api::quantity::Quantity::milli(1000),
        divisor => divisor,
    };
    let up = |a: i64, b: i64| (a / b.max(1)) + i64::from(a % b.max(1) != 0);
    if name == "cpu" {
        up(amount.milli_value(), divisor.milli_value()).to_string()
    } else {
        up(amount.value(), divisor.value()).to_string()
    }
}

fn mounts(out: &mut Out, container: &Value) {
    let mut mounts: Vec<&Value> = container.get("volumeMounts").items().iter().collect();
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    out.line(2, format!("Mounts:{none}"));
    mounts.arrange_by_key(|m| m.get("mountPath").str());
    for mount in mounts {
        let mut flags = if mount.bool_at(&["readOnly"]) { "ro" } else { "rw" }.to_owned();
        let sub_path = mount.get("subPath").str();
        if !sub_path.is_empty() {
            flags.push_str(&format!(",path={}", gofmt::quote(sub_path)));
        }
        out.line(
            3,
            format!(
                "{} from {} ({flags})",
                mount.get("mountPath").str(),
                mount.get("name").str()
            ),
        );
    }
    let mut devices: Vec<&Value> = container.get("volumeDevices").items().iter().collect();
    if !devices.is_empty() {
        // The word is the mounts', which kubectl prints here too.
        out.line(2, format!("Devices:{none}"));
        devices.arrange_by_key(|d| d.get("devicePath").str());
        for device in devices {
            out.line(
                3,
                format!("{} from {}", device.get("devicePath").str(), device.get("name").str()),
            );
        }
    }
}

/// The volumes of a pod or template.
pub(super) fn volumes(out: &mut Out, volumes: &Value, space: &str) {
    if volumes.is_empty() {
        out.line(0, format!("{space}Volumes:\t<none>"));
        return;
    }
    out.line(0, format!("{space}Volumes:"));
    let name_indent = if space.is_empty() { "" } else { " " };
    for volume in volumes.items() {
        out.line(1, format!("{name_indent}{}:", volume.get("name").str()));
        if let Some((kind, source)) = volume.entries().find(|(k, _)| k.as_str() != "name") {
            volume_source(out, kind, source, false);
        } else {
            out.line(1, "<unknown>");
        }
    }
}

/// How a field of a volume's source is printed.
#[derive(Clone, Copy)]
enum Show {
    Text,
    Flag,
    Number,
    /// A list or map in Go's words; this stands for none.
    Go(&'static str),
    Joined,
    /// The text, or this when the field is left out.
    Or(&'static str),
    /// A reference to a secret, in the words of its struct.
    Reference,
    /// Only persistent volumes have the field.
    Persistent(&'static str),
}

/// A source of volumes: the field that it is, what describes it, and its lines (what stands before the tab, the
/// field's path, how it is printed).
type Source = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, Show)],
);

/// The sources of volumes whose lines are their fields.
const SOURCES: &[Source] = {
    use Show::{Flag, Go, Joined, Number, Or, Persistent, Reference, Text};
    const READ_ONLY: (&str, &str, Show) = ("ReadOnly:", "readOnly", Flag);
    const FS_TYPE: (&str, &str, Show) = ("FSType:", "fsType", Text);
    const SECRET: (&str, &str, Show) = ("SecretRef:", "secretRef", Reference);
    &[
        (
            "hostPath",
            "HostPath (bare host directory volume)",
            &[("Path:", "path", Text), ("HostPathType:", "type", Or("<none>"))],
        ),
        (
            "gcePersistentDisk",
            "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
            &[
                ("PDName:", "pdName", Text),
                FS_TYPE,
                ("Partition:", "partition", Number),
                READ_ONLY,
            ],
        ),
        (
            "awsElasticBlockStore",
            "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
            &[
                ("VolumeID:", "volumeID", Text),
                FS_TYPE,
                ("Partition:", "partition", Number),
                READ_ONLY,
            ],
        ),
        (
            "gitRepo",
            "GitRepo (a volume that is pulled from git when the pod is created)",
            &[("Repository:", "repository", Text), ("Revision:", "revision", Text)],
        ),
        (
            "secret",
            "Secret (a volume populated by a Secret)",
            &[("SecretName:", "secretName", Text), ("Optional:", "optional", Flag)],
        ),
        (
            "configMap",
            "ConfigMap (a volume populated by a ConfigMap)",
            &[("Name:", "name", Text), ("Optional:", "optional", Flag)],
        ),
        (
            "nfs",
            "NFS (an NFS mount that lasts the lifetime of a pod)",
            &[("Server:", "server", Text), ("Path:", "path", Text), READ_ONLY],
        ),
        (
            "iscsi",
            "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
            &[
                ("TargetPortal:", "targetPortal", Text),
                ("IQN:", "iqn", Text),
                ("Lun:", "lun", Number),
                ("ISCSIInterface", "iscsiInterface", Text),
                FS_TYPE,
                READ_ONLY,
                ("Portals:", "portals", Go("[]")),
                ("DiscoveryCHAPAuth:", "chapAuthDiscovery", Flag),
                ("SessionCHAPAuth:", "chapAuthSession", Flag),
                SECRET,
                ("InitiatorName:", "initiatorName", Or("<none>")),
            ],
        ),
        (
            "glusterfs",
            "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
            &[
                ("EndpointsName:", "endpoints", Text),
                ("EndpointsNamespace:", "endpointsNamespace", Persistent("<unset>")),
                ("Path:", "path", Text),
                READ_ONLY,
            ],
        ),
        (
            "persistentVolumeClaim",
            "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
            &[("ClaimName:", "claimName", Text), READ_ONLY],
        ),
        (
            "rbd",
            "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
            &[
                ("CephMonitors:", "monitors", Go("[]")),
                ("RBDImage:", "image", Text),
                FS_TYPE,
                ("RBDPool:", "pool", Text),
                ("RadosUser:", "user", Text),
                ("Keyring:", "keyring", Text),
                SECRET,
                READ_ONLY,
            ],
        ),
        (
            "quobyte",
            "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
            &[("Registry:", "registry", Text), ("Volume:", "volume", Text), READ_ONLY],
        ),
        (
            "azureDisk",
            "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
            &[
                ("DiskName:", "diskName", Text),
                ("DiskURI:", "diskURI", Text),
                ("Kind: ", "kind", Text),
                FS_TYPE,
                ("CachingMode:", "cachingMode", Text),
                READ_ONLY,
            ],
        ),
        (
            "vsphereVolume",
            "vSphereVolume (a Persistent Disk resource in vSphere)",
            &[
                ("VolumePath:", "volumePath", Text),
                FS_TYPE,
                ("StoragePolicyName:", "storagePolicyName", Text),
            ],
        ),
        (
            "photonPersistentDisk",
            "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
            &[("PdID:", "pdID", Text), FS_TYPE],
        ),
        (
            "cinder",
            "Cinder (a Persistent Disk resource in OpenStack)",
            &[("VolumeID:", "volumeID", Text), FS_TYPE, READ_ONLY, SECRET],
        ),
        (
            "portworxVolume",
            "PortworxVolume (a Portworx Volume resource)",
            &[("VolumeID:", "volumeID", Text)],
        ),
        (
            "scaleIO",
            "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
            &[
                ("Gateway:", "gateway", Text),
                ("System:", "system", Text),
                ("Protection Domain:", "protectionDomain", Text),
                ("Storage Pool:", "storagePool", Text),
                ("Storage Mode:", "storageMode", Text),
                ("VolumeName:", "volumeName", Text),
                ("SecretName:", "secretRef.name", Persistent("")),
                ("SecretNamespace:", "secretRef.namespace", Persistent("")),
                FS_TYPE,
                READ_ONLY,
            ],
        ),
        (
            "local",
            "LocalVolume (a persistent volume backed by local storage on a node)",
            &[("Path:", "path", Text)],
        ),
        (
            "cephfs",
            "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
            &[
                ("Monitors:", "monitors", Go("[]")),
                ("Path:", "path", Text),
                ("User:", "user", Text),
                ("SecretFile:", "secretFile", Text),
                SECRET,
                READ_ONLY,
            ],
        ),
        (
            "storageos",
            "StorageOS (a StorageOS Persistent Disk resource)",
            &[
                ("VolumeName:", "volumeName", Text),
                ("VolumeNamespace:", "volumeNamespace", Text),
                FS_TYPE,
                READ_ONLY,
            ],
        ),
        (
            "fc",
            "FC (a Fibre Channel disk)",
            &[
                ("TargetWWNs:", "targetWWNs", Joined),
                ("LUN:", "lun", Go("<none>")),
                FS_TYPE,
                READ_ONLY,
            ],
        ),
        (
            "azureFile",
            "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
            &[
                ("SecretName:", "secretName", Text),
                ("SecretNamespace:", "secretNamespace", Persistent("")),
                ("ShareName:", "shareName", Text),
                READ_ONLY,
            ],
        ),
        (
            "flexVolume",
            "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)",
            &[
                ("Driver:", "driver", Text),
                FS_TYPE,
                SECRET,
                READ_ONLY,
                ("Options:", "options", Go("map[]")),
            ],
        ),
        (
            "flocker",
            "Flocker (a Flocker volume mounted by the Flocker agent)",
            &[
                ("DatasetName:", "datasetName", Text),
                ("DatasetUUID:", "datasetUUID", Text),
            ],
        ),
        (
            "csi",
            "CSI (a Container Storage Interface (CSI) volume source)",
            &[
                ("Driver:", "driver", Text),
                FS_TYPE,
                ("VolumeHandle:", "volumeHandle", Persistent("")),
                READ_ONLY,
            ],
        ),
        (
            "image",
            "Image (a container image or OCI artifact)",
            &[("Reference:", "reference", Text), ("PullPolicy:", "pullPolicy", Text)],
        ),
        (
            "emptyDir",
            "EmptyDir (a temporary directory that shares a pod's lifetime)",
            &[("Medium:", "medium", Text)],
        ),
        (
            "ephemeral",
            "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
            &[],
        ),
        (
            "downwardAPI",
            "DownwardAPI (a volume populated by information about the pod)",
            &[],
        ),
        (
            "projected",
            "Projected (a volume that contains injected data from multiple sources)",
            &[],
        ),
    ]
};

/// A volume's or persistent volume's source.
pub(super) fn volume_source(out: &mut Out, kind: &str, source: &Value, persistent: bool) {
    let Some((_, text, lines)) = SOURCES.iter().find(|s| s.0 == kind) else {
        return out.line(1, "<unknown>");
    };
    out.field(2, "Type", text);
    for (label, path, show) in *lines {
        let value = path.split('.').fold(source, |value, field| value.get(field));
        let go = |none: &str| match value {
            Value::Null => none.to_owned(),
            value => gofmt::display(value),
        };
        let shown = match show {
            Show::Text => value.str().to_owned(),
            Show::Flag => go("false"),
            Show::Number => go("0"),
            Show::Go(none) | Show::Or(none) => go(none),
            Show::Joined => join(value, ", "),
            Show::Persistent(none) if persistent => go(none),
            Show::Persistent(_) => continue,
            Show::Reference => match (value, persistent) {
                (Value::Null, _) => "nil".to_owned(),
                (value, false) => format!("&LocalObjectReference{{Name:{},}}", value.get("name").str()),
                (value, true) => format!(
                    "&SecretReference{{Name:{},Namespace:{},}}",
                    value.get("name").str(),
                    value.get("namespace").str()
                ),
            },
        };
        out.line(2, format!("{label}\t{shown}"));
    }
    match kind {
        "emptyDir" => {
            let limit = quantity(source.get("sizeLimit"));
            let limit = if limit.is_zero() || limit.is_negative() {
                "<unset>".to_owned()
            } else {
                limit.to_string()
            };
            out.field(2, "SizeLimit", limit);
        }
        "ephemeral" => out.nested(2, |out| {
            super::storage::claim_fields(out, source.get("volumeClaimTemplate"), false);
        }),
        "downwardAPI" => {
            out.line(2, "Items:");
            for item in source.get("items").items() {
                let from = match item.str_at(&["fieldRef", "fieldPath"]) {
                    "" => item.str_at(&["resourceFieldRef", "resource"]),
                    field => field,
                };
                out.line(3, format!("{from} -> {}", item.get("path").str()));
            }
        }
        "projected" => {
            for part in source.get("sources").items() {
                for (field, label) in [("secret", "SecretName"), ("configMap", "ConfigMapName")] {
                    if part.has(field) {
                        out.field(2, label, part.str_at(&[field, "name"]));
                        out.field(2, "Optional", part.bool_at(&[field, "optional"]));
                    }
                }
                if part.has("downwardAPI") {
                    out.field(2, "DownwardAPI", "true");
                } else if part.has("serviceAccountToken") {
                    let seconds = part.i64_at(&["serviceAccountToken", "expirationSeconds"]).unwrap_or(0);
                    out.field(2, "TokenExpirationSeconds", seconds);
                }
            }
        }
        "csi" => {
            let attributes = source.get("volumeAttributes");
            out.put(2, "VolumeAttributes:\t");
            if attributes.is_empty() {
                out.end("<none>");
            }
            for (i, (key, value)) in attributes.entries().enumerate() {
                if i > 0 {
                    out.put(2, "");
                    out.put(2, "\t");
                }
                out.line(2, shorten(&format!("{key}={}", value.str()), ANNOTATION));
            }
        }
        _ => {}
    }
}

/// Topology spread constraints.
pub(super) fn spread(out: &mut Out, constraints: &Value, space: &str) {
    if constraints.is_empty() {
        return;
    }
    let mut sorted: Vec<&Value> = constraints.items().iter().collect();
    sorted.arrange_by_key(|c| c.get("topologyKey").str());
    out.put(0, format!("{space}Topology Spread Constraints:\t"));
    for (i, constraint) in sorted.into_iter().enumerate() {
        if i > 0 {
            out.put(0, format!("{space}\t"));
        }
        let mut line = format!(
            "{}:{} when max skew {} is exceeded",
            constraint.get("topologyKey").str(),
            constraint.get("whenUnsatisfiable").str(),
            constraint.i64_at(&["maxSkew"]).unwrap_or(0)
        );
        if constraint.has("labelSelector") {
            line.push_str(&format!(
                " for selector {}",
                format_selector(constraint.get("labelSelector"))
            ));
        }
        out.line(0, line);
    }
}

/// The claims of a StatefulSet.
pub(super) fn claim_templates(out: &mut Out, templates: &Value) {
    if templates.is_empty() {
        out.field(0, "Volume Claims", "<none>");
        return;
    }
    out.line(0, "Volume Claims:");
    for claim in templates.items() {
        out.field(1, "Name", claim.str_at(&["metadata", "name"]));
        out.field(1, "StorageClass", crate::api::volumes::class_named(claim));
        out.labels_indented("  ", "Labels", claim.at(&["metadata", "labels"]));
        out.labels_indented("  ", "Annotations", claim.at(&["metadata", "annotations"]));
        let storage = claim.at(&["spec", "resources", "requests", "storage"]);
        let storage = if storage.is_null() {
            "<default>".to_owned()
        } else {
            quantity(storage).to_string()
        };
        out.field(1, "Capacity", storage);
        out.field(
            1,
            "Access Modes",
            format!("[{}]", join(claim.at(&["spec", "accessModes"]), " ")),
        );
    }
}

/// Conditions of a workload: type, status, reason.
pub(super) fn conditions(out: &mut Out, conditions: &Value) {
    if conditions.is_empty() {
        return;
    }
    out.line(0, "Conditions:\n  Type\tStatus\tReason");
    out.line(1, "----\t------\t------");
    for condition in conditions.items() {
        let (kind, status) = (condition.get("type").str(), condition.get("status").str());
        out.line(1, format!("{kind} \t{status}\t{}", condition.get("reason").str()));
    }
}

/// How many of a controller's pods are in which phase.
pub(super) fn pods_status(out: &mut Out, pods: &[Value]) {
    let count = |phase: &str| pods.iter().filter(|p| p.str_at(&["status", "phase"]) == phase).count();
    let (running, waiting) = (count("Running"), count("Pending"));
    let (succeeded, failed) = (count("Succeeded"), count("Failed"));
    out.field(
        0,
        "Pods Status",
        format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed"),
    );
}

/// `Deployment/web`: the object's controller; empty for none.
pub(super) fn controlled_by(object: &Value) -> String {
    let owners = object.at(&["metadata", "ownerReferences"]).items();
    owners
        .iter()
        .find(|o| o.bool_at(&["controller"]))
        .map_or_else(String::new, |o| {
            format!("{}/{}", o.get("kind").str(), o.get("name").str())
        })
}

/// A flag that may be unset, in kubectl's words.
pub(super) fn flag(value: &Value) -> &'static str {
    bool_or_unset(value)
}
