//! Pod templates as the API server holds them inside: some of its errors print that form, with Go's
//! field names and every field, set or not.

use crate::flat::Case;
use crate::value::{Value, gofmt, gojson};

/// A value whose fields keep their order.
pub(crate) enum Dump {
    Text(String),
    List(Vec<Dump>),
    Fields(Vec<(String, Dump)>),
}

/// The structs, one a line: its name, then its fields as `GoName:type`. Types: `s` text, `i` number,
/// `b` boolean, `p` a pointer to one of these, `*T` a pointer to a struct, `T` a struct, `[T]` a
/// list, `j` anything, printed by its outer names.
const STRUCTS: &str = "\
PodSpec Volumes:[Volume] InitContainers:[Container] Containers:[Container] EphemeralContainers:[Container] RestartPolicy:s TerminationGracePeriodSeconds:p ActiveDeadlineSeconds:p DNSPolicy:s NodeSelector:j ServiceAccountName:s AutomountServiceAccountToken:p NodeName:s SecurityContext:*PodSecurityContext ImagePullSecrets:[LocalObjectReference] Hostname:s Subdomain:s SetHostnameAsFQDN:p Affinity:*Affinity SchedulerName:s Tolerations:[Toleration] HostAliases:[HostAlias] PriorityClassName:s Priority:p PreemptionPolicy:p DNSConfig:*DNSConfig ReadinessGates:[ReadinessGate] RuntimeClassName:p Overhead:j EnableServiceLinks:p TopologySpreadConstraints:[Spread] OS:j SchedulingGates:[Gate] ResourceClaims:j Resources:*Resources HostnameOverride:p SchedulingGroup:j
PodSecurityContext HostNetwork:b HostPID:b HostIPC:b ShareProcessNamespace:p HostUsers:p SELinuxOptions:j WindowsOptions:j RunAsUser:p RunAsGroup:p RunAsNonRoot:p SupplementalGroups:j SupplementalGroupsPolicy:p FSGroup:p FSGroupChangePolicy:p Sysctls:j SeccompProfile:*Profile AppArmorProfile:*Profile SELinuxChangePolicy:p
Container Name:s Image:s Command:j Args:j WorkingDir:s Ports:[Port] EnvFrom:[EnvFrom] Env:[Env] Resources:Resources ResizePolicy:[Resize] RestartPolicy:p RestartPolicyRules:j VolumeMounts:[Mount] VolumeDevices:[Device] LivenessProbe:*Probe ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle TerminationMessagePath:s TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext:*SecurityContext Stdin:b StdinOnce:b TTY:b
Resources Limits:j Requests:j Claims:j
Resize ResourceName:s RestartPolicy:s
Port Name:s HostPort:i ContainerPort:i Protocol:s HostIP:s
EnvFrom Prefix:s ConfigMapRef:*Reference SecretRef:*Reference
Reference Name:s Optional:p
Env Name:s Value:s ValueFrom:*EnvSource
EnvSource FieldRef:*FieldRef ResourceFieldRef:*ResourceRef ConfigMapKeyRef:*KeyRef SecretKeyRef:*KeyRef FileKeyRef:j
FieldRef APIVersion:s FieldPath:s
ResourceRef ContainerName:s Resource:s Divisor:q
KeyRef Name:s Key:s Optional:p
Mount Name:s ReadOnly:b RecursiveReadOnly:p MountPath:s SubPath:s MountPropagation:p SubPathExpr:s
Device Name:s DevicePath:s
Probe Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket GRPC:*GRPC InitialDelaySeconds:i TimeoutSeconds:i PeriodSeconds:i SuccessThreshold:i FailureThreshold:i TerminationGracePeriodSeconds:p
Exec Command:j
HTTPGet Path:s Port:j Host:s Scheme:s HTTPHeaders:[Header]
Header Name:s Value:s
TCPSocket Port:j Host:s
GRPC Port:i Service:p
Lifecycle PostStart:*Handler PreStop:*Handler StopSignal:p
Handler Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket Sleep:*Sleep
Sleep Seconds:i
SecurityContext Capabilities:*Capabilities Privileged:p SELinuxOptions:j WindowsOptions:j RunAsUser:p RunAsGroup:p RunAsNonRoot:p ReadOnlyRootFilesystem:p AllowPrivilegeEscalation:p ProcMount:p SeccompProfile:*Profile AppArmorProfile:*Profile
Capabilities Add:j Drop:j
Profile Type:s LocalhostProfile:p
LocalObjectReference Name:s
Toleration Key:s Operator:s Value:s Effect:s TolerationSeconds:p
HostAlias IP:s Hostnames:j
ReadinessGate ConditionType:s
Gate Name:s
Spread MaxSkew:i TopologyKey:s WhenUnsatisfiable:s LabelSelector:j MinDomains:p NodeAffinityPolicy:p NodeTaintsPolicy:p MatchLabelKeys:j
DNSConfig Nameservers:j Searches:j Options:j
Affinity NodeAffinity:*NodeAffinity PodAffinity:*PodAffinity PodAntiAffinity:*PodAffinity
NodeAffinity RequiredDuringSchedulingIgnoredDuringExecution:*NodeSelector PreferredDuringSchedulingIgnoredDuringExecution:[PreferredTerm]
NodeSelector NodeSelectorTerms:[NodeTerm]
NodeTerm MatchExpressions:[NodeRequirement] MatchFields:[NodeRequirement]
NodeRequirement Key:s Operator:s Values:j
PreferredTerm Weight:i Preference:NodeTerm
PodAffinity RequiredDuringSchedulingIgnoredDuringExecution:[PodTerm] PreferredDuringSchedulingIgnoredDuringExecution:[WeightedPodTerm]
PodTerm LabelSelector:j Namespaces:j TopologyKey:s NamespaceSelector:j MatchLabelKeys:j MismatchLabelKeys:j
WeightedPodTerm Weight:i PodAffinityTerm:PodTerm
Volume Name:s HostPath:*HostPath EmptyDir:*EmptyDir GCEPersistentDisk:j AWSElasticBlockStore:j GitRepo:j Secret:*SecretVolume NFS:*NFS ISCSI:j Glusterfs:j PersistentVolumeClaim:*Claim RBD:j Quobyte:j FlexVolume:j Cinder:j CephFS:j Flocker:j DownwardAPI:*Downward FC:j AzureFile:j ConfigMap:*ConfigMapVolume VsphereVolume:j AzureDisk:j PhotonPersistentDisk:j Projected:*Projected PortworxVolume:j ScaleIO:j StorageOS:j CSI:j Ephemeral:j Image:*ImageVolume
HostPath Path:s Type:p
EmptyDir Medium:s SizeLimit:p
SecretVolume SecretName:s Items:[KeyPath] DefaultMode:p Optional:p
ConfigMapVolume Name:s Items:[KeyPath] DefaultMode:p Optional:p
KeyPath Key:s Path:s Mode:p
NFS Server:s Path:s ReadOnly:b
Claim ClaimName:s ReadOnly:b
Downward Items:[DownwardFile] DefaultMode:p
DownwardFile Path:s FieldRef:*FieldRef ResourceFieldRef:*ResourceRef Mode:p
Projected Sources:[Projection] DefaultMode:p
Projection Secret:*SecretProjection DownwardAPI:*DownwardProjection ConfigMap:*SecretProjection ServiceAccountToken:*TokenProjection ClusterTrustBundle:j PodCertificate:j
SecretProjection Name:s Items:[KeyPath] Optional:p
DownwardProjection Items:[DownwardFile]
TokenProjection Audience:s ExpirationSeconds:i Path:s
ImageVolume Reference:s PullPolicy:s
SuccessPolicy Rules:[SuccessRule]
SuccessRule SucceededIndexes:p SucceededCount:p
Strategy Type:s RollingUpdate:*Rolling
Rolling MaxUnavailable:j MaxSurge:j
StatefulStrategy Type:s RollingUpdate:*StatefulRolling
StatefulRolling Partition:i MaxUnavailable:p
PersistentVolumeSource GCEPersistentDisk:j AWSElasticBlockStore:j HostPath:*HostPath Glusterfs:j NFS:*NFS RBD:j Quobyte:j ISCSI:j FlexVolume:j Cinder:j CephFS:j FC:j Flocker:j AzureFile:j VsphereVolume:j AzureDisk:j PhotonPersistentDisk:j PortworxVolume:j ScaleIO:j Local:*Local StorageOS:j CSI:*PersistentCSI
Local Path:s FSType:p
PersistentCSI Driver:s VolumeHandle:s ReadOnly:b FSType:s VolumeAttributes:j ControllerPublishSecretRef:j NodeStageSecretRef:j NodePublishSecretRef:j ControllerExpandSecretRef:j NodeExpandSecretRef:j
ClaimSpec AccessModes:j Selector:j Resources:ClaimResources VolumeName:s StorageClassName:p VolumeMode:p DataSource:j DataSourceRef:j VolumeAttributesClassName:p
ClaimResources Limits:j Requests:j
NodeDriver Name:s NodeID:s TopologyKeys:j Allocatable:j
AttachmentSpec Attacher:s Source:AttachmentSource NodeName:s
AttachmentSource PersistentVolumeName:p InlineVolumeSpec:j
FlowSpec PriorityLevelConfiguration:LocalObjectReference MatchingPrecedence:i DistinguisherMethod:*FlowMethod Rules:[FlowRule]
FlowMethod Type:s
FlowRule Subjects:[FlowSubject] ResourceRules:[FlowResourceRule] NonResourceRules:[FlowPathRule]
FlowSubject Kind:s User:*LocalObjectReference Group:*LocalObjectReference ServiceAccount:*FlowAccount
FlowAccount Namespace:s Name:s
FlowResourceRule Verbs:j APIGroups:j Resources:j ClusterScope:b Namespaces:j
FlowPathRule Verbs:j NonResourceURLs:j
LevelSpec Type:s Limited:*LimitedLevel Exempt:*ExemptLevel
ExemptLevel NominalConcurrencyShares:p LendablePercent:p
LimitedLevel NominalConcurrencyShares:i LimitResponse:LimitResponse LendablePercent:p BorrowingLimitPercent:p
LimitResponse Type:s Queuing:*Queuing
Queuing Queues:i HandSize:i QueueLengthLimit:i
ParentReference Group:s Resource:s Namespace:s Name:s
ClaimOfDevices Devices:DeviceClaim
DeviceClaim Requests:[DeviceRequest] Constraints:[DeviceConstraint] Config:[DeviceClaimConfig]
DeviceRequest Name:s Exactly:*ExactRequest FirstAvailable:[SubRequest]
ExactRequest DeviceClassName:s Selectors:[DeviceSelector] AllocationMode:s Count:i AdminAccess:p Tolerations:[DeviceToleration] Capacity:*DeviceCapacity
SubRequest Name:s DeviceClassName:s Selectors:[DeviceSelector] AllocationMode:s Count:i Tolerations:[DeviceToleration] Capacity:*DeviceCapacity
DeviceSelector CEL:*DeviceExpression
DeviceExpression Expression:s
DeviceToleration Key:s Operator:s Value:s Effect:s TolerationSeconds:p
DeviceCapacity Requests:j
DeviceConstraint Requests:j MatchAttribute:p DistinctAttribute:p
DeviceClaimConfig Requests:j Opaque:*OpaqueConfig
OpaqueConfig Driver:s Parameters:j
";

/// The field's name outside: `DNSPolicy` is `dnsPolicy`, `HTTPGet` is `httpGet`, `OS` is `os`.
pub fn outer_name(name: &str) -> String {
    let capitals = name.bytes().take_while(u8::is_ascii_uppercase).count();
    let lower = match capitals {
        n if n == name.len() => n,
        0 | 1 => 1,
        n => n - 1,
    };
    match name.split_at_checked(lower) {
        Some((head, tail)) => format!("{}{tail}", head.lower()),
        None => name.to_owned(),
    }
}

/// A value as one of the structs, by its name, or as another type that a field can have.
pub(crate) fn named(value: &Value, ty: &str) -> Dump {
    let text = |v: &Value| Dump::Text(gojson::compact(v, true));
    match ty {
        "s" => Dump::Text(gojson::compact(&Value::from(value.str()), true)),
        "i" => Dump::Text(value.as_i64().unwrap_or(0).to_string()),
        "b" => Dump::Text(value.as_bool().unwrap_or(false).to_string()),
        "q" => Dump::Text(gofmt::quote(if value.is_empty() { "0" } else { value.str() })),
        "p" => text(value),
        "j" => natural(value),
        _ => {
            if let Some(inner) = ty.strip_prefix('[') {
                let inner = inner.trim_end_matches(']');
                return match value.as_list() {
                    Some(items) => Dump::List(items.iter().map(|v| named(v, inner)).collect()),
                    None => Dump::Text("null".into()),
                };
            }
            let (name, pointer) = match ty.strip_prefix('*') {
                Some(name) => (name, true),
                None => (ty, false),
            };
            if pointer && value.is_null() {
                return Dump::Text("null".into());
            }
            let line = STRUCTS
                .lines()
                .find(|l| l.split(' ').next() == Some(name))
                .unwrap_or("");
            let fields = line.split(' ').skip(1).filter_map(|f| f.split_once(':'));
            Dump::Fields(
                fields
                    .map(|(go, ty)| (go.to_owned(), named(value.get(&outer_name(go)), ty)))
                    .collect(),
            )
        }
    }
}

/// Any value, by its outer names.
pub(crate) fn natural(value: &Value) -> Dump {
    match value {
        Value::Map(map) => Dump::Fields(map.iter().map(|(k, v)| (k.to_string(), natural(v))).collect()),
        Value::List(list) => Dump::List(list.iter().map(natural).collect()),
        other => Dump::Text(gojson::compact(other, true)),
    }
}

/// A claim's spec.
pub(crate) fn claim_spec(spec: &Value) -> Dump {
    named(spec, "ClaimSpec")
}

/// A pod spec.
pub(crate) fn pod_spec(spec: &Value) -> Dump {
    let mut spec = spec.clone();
    // Inside, these belong to the security context.
    for field in [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "hostUsers",
    ] {
        let value = spec.get(field).clone();
        if !value.is_null() {
            spec.set(&["securityContext", field], value);
        }
    }
    named(&spec, "PodSpec")
}

/// A pod template.
pub(crate) fn template(template: &Value) -> Dump {
    let mut fields: Vec<(String, Dump)> = Vec::new();
    for name in ["name", "labels", "annotations"] {
        let value = template.at(&["metadata", name]);
        if !value.is_empty() {
            fields.push((name.to_owned(), natural(value)));
        }
    }
    fields.push(("Spec".to_owned(), pod_spec(template.get("spec"))));
    Dump::Fields(fields)
}

impl Dump {
    /// On one line.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Dump::Text(text) => text.clone(),
            Dump::List(items) => {
                let all: Vec<String> = items.iter().map(Dump::to_json).collect();
                format!("[{}]", all.join(","))
            }
            Dump::Fields(fields) => {
                let all: Vec<String> = fields
                    .iter()
                    .map(|(k, v)| format!("{}:{}", gojson::compact(&Value::from(k.as_str()), true), v.to_json()))
                    .collect();
                format!("{{{}}}", all.join(","))
            }
        }
    }

    /// On many lines, each level in by `indent`.
    pub(crate) fn lines(&self, indent: &str) -> Vec<String> {
        let mut lines = vec![String::new()];
        self.write(indent, 0, &mut lines);
        lines
    }

    fn write(&self, indent: &str, depth: usize, lines: &mut Vec<String>) {
        let put = |lines: &mut Vec<String>, text: &str| {
            if let Some(last) = lines.last_mut() {
                last.push_str(text);
            }
        };
        let (open, close, items): (&str, &str, Vec<(Option<&String>, &Dump)>) = match self {
            Dump::Text(text) => return put(lines, text),
            Dump::List(items) => ("[", "]", items.iter().map(|v| (None, v)).collect()),
            Dump::Fields(fields) => ("{", "}", fields.iter().map(|(k, v)| (Some(k), v)).collect()),
        };
        put(lines, open);
        let count = items.len();
        for (i, (key, item)) in items.into_iter().enumerate() {
            lines.push(indent.repeat(depth + 1));
            if let Some(key) = key {
                put(
                    lines,
                    &format!("{}: ", gojson::compact(&Value::from(key.as_str()), true)),
                );
            }
            item.write(indent, depth + 1, lines);
            if i + 1 < count {
                put(lines, ",");
            }
        }
        if count > 0 {
            lines.push(indent.repeat(depth));
        }
        put(lines, close);
    }
}

/// Lines of unchanged text around each change of a unified diff.
const CONTEXT: usize = 3;

/// The unified diff of two texts' lines, without a header.
pub(crate) fn unified_diff(old: &[String], new: &[String]) -> String {
    let edits = edits(old, new);
    let mut out = String::new();
    let mut at = 0;
    while let Some(first) = edits.iter().skip(at).position(|e| e.kind != ' ').map(|i| at + i) {
        let start = first.saturating_sub(CONTEXT);
        let mut end = first;
        // A change within twice the context of the last one joins its hunk.
        while let Some(next) = edits.iter().skip(end).position(|e| e.kind != ' ').map(|i| end + i) {
            if next > end + 2 * CONTEXT {
                break;
            }
            end = next + 1;
        }
        let stop = (end + CONTEXT).min(edits.len());
        let hunk = edits.get(start..stop).unwrap_or(&[]);
        let count = |skip: char| hunk.iter().filter(|e| e.kind != skip).count();
        let (a, b) = hunk.first().map_or((0, 0), |e| (e.old, e.new));
        out.push_str(&format!("@@ -{},{} +{},{} @@\n", a + 1, count('+'), b + 1, count('-')));
        for edit in hunk {
            out.push(edit.kind);
            out.push_str(edit.text);
            out.push('\n');
        }
        at = stop;
    }
    out
}

struct Edit<'a> {
    /// ` `, `-` or `+`.
    kind: char,
    text: &'a str,
    /// The places in both texts before this edit.
    old: usize,
    new: usize,
}

/// The longest common subsequence of the parts between the equal beginnings and ends.
fn edits<'a>(old: &'a [String], new: &'a [String]) -> Vec<Edit<'a>> {
    let (n, m) = (old.len(), new.len());
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let suffix = old
        .iter()
        .skip(prefix)
        .rev()
        .zip(new.iter().skip(prefix).rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (rows, columns) = (n - prefix - suffix, m - prefix - suffix);
    let mut longest = vec![vec![0u32; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            longest[i][j] = if old[prefix + i] == new[prefix + j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut result = Vec::with_capacity(n + m);
    while i < n || j < m {
        let in_middle = |k: usize, size: usize| k >= prefix && k - prefix < size;
        let same = i < n && j < m && old[i] == new[j];
        let kind = if same && !(in_middle(i, rows) ^ in_middle(j, columns)) {
            ' '
        } else if in_middle(i, rows)
            && (!in_middle(j, columns) || longest[i - prefix + 1][j - prefix] >= longest[i - prefix][j - prefix + 1])
        {
            '-'
        } else {
            '+'
        };
        let text = if kind == '+' { new.get(j) } else { old.get(i) };
        result.push(Edit {
            kind,
            text: text.map_or("", String::as_str),
            old: i,
            new: j,
        });
        i += usize::from(kind != '+');
        j += usize::from(kind != '-');
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn names() {
        for (go, want) in [
            ("DNSPolicy", "dnsPolicy"),
            ("HTTPGet", "httpGet"),
            ("OS", "os"),
            ("SELinuxOptions", "seLinuxOptions"),
            ("HostPID", "hostPID"),
            ("Name", "name"),
        ] {
            assert_eq!(outer_name(go), want);
        }
    }

    #[test]
    fn dumps_and_diffs() {
        let mut spec = obj! {
            "containers": list![obj! { "name": "a", "image": "x", "resources": obj! {} }],
            "restartPolicy": "Always",
            "hostNetwork": true,
            "securityContext": obj! {},
        };
        let old = pod_spec(&spec).lines(" ");
        assert_eq!(old.first().map(String::as_str), Some("{"));
        assert!(
            pod_spec(&spec)
                .to_json()
                .contains(r#""SecurityContext":{"HostNetwork":true,"HostPID":false"#)
        );
        spec.set(&["restartPolicy"], "Never");
        let new = pod_spec(&spec).lines(" ");
        let diff = unified_diff(&old, &new);
        assert!(
            diff.contains("\n- \"RestartPolicy\": \"Always\",\n+ \"RestartPolicy\": \"Never\",\n"),
            "{diff}"
        );
        assert_eq!(diff.lines().count(), 9, "{diff}");
    }
}
