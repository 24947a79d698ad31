//! What the API server warns of in pods and templates (`pkg/api/pod/warnings.go`): it stores them, but
//! they hardly do what was meant.

use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::well_known;
use crate::flat::{FlatMap, FlatSet};
use crate::value::{Value, quoted};

/// Labels of nodes that have other names now.
const NODE_LABELS: [(&str, &str, &str); 5] = [
    (well_known::BETA_ARCH, "v1.14", well_known::ARCH),
    (well_known::BETA_OS, "v1.14", well_known::OS),
    (well_known::BETA_REGION, "v1.17", well_known::REGION),
    (well_known::BETA_ZONE, "v1.17", well_known::ZONE),
    (well_known::BETA_INSTANCE_TYPE, "v1.17", well_known::INSTANCE_TYPE),
];

fn old_label(key: &str) -> Option<String> {
    NODE_LABELS
        .iter()
        .find(|(old, ..)| *old == key)
        .map(|(_, since, new)| format!("deprecated since {since}; use {new} instead", new = quoted(&new)))
}

/// Volumes that no kubelet mounts any more, and since when.
const VOLUMES: [(&str, &str, &str); 9] = [
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

/// Of names that their pods get, as hostnames too.
pub(crate) fn name_of_pods(object: &Value, whose: &str) -> Option<String> {
    let why = names::dns1123_label(object.str_at(&["metadata", "name"])).err()?;
    Some(format!(
        "metadata.name: this is used in {whose}, which can result in surprising behavior; a DNS label is recommended: [{}]",
        why.0.join(" ")
    ))
}

/// A size that is no whole number of bytes. Nearly none is, so the field's path is made only for one that is.
pub(crate) fn fractional(amount: &Value, field: impl FnOnce() -> String) -> Option<String> {
    if amount.is_null() {
        return None;
    }
    (Quantity::parse_or_zero(amount.str()).milli_value() % 1000 != 0).then(|| {
        format!(
            "{}: fractional byte value {} is invalid, must be an integer",
            field(),
            quoted(&amount.str())
        )
    })
}

/// What a pod, or the template at `field`, is warned of.
pub(crate) fn of(holder: &Value, field: Option<&str>) -> Vec<String> {
    let mut all = Vec::new();
    let at = |rest: &str| match field {
        Some(field) => format!("{field}.{rest}"),
        None => rest.to_owned(),
    };
    let spec = holder.get("spec");
    let annotations = holder.at(&["metadata", "annotations"]);
    // A pod's own are said before all else.
    if field.is_none() {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let of = |c| apparmor(annotations, c, "metadata.annotations");
            all.extend(spec.get(list).items().iter().filter_map(of));
        }
    }
    places(spec, &at("spec"), &mut all);
    for (key, why) in ANNOTATIONS {
        if annotations.has(key) {
            all.push(format!("{}: {why}", at(&format!("metadata.annotations[{key}]"))));
        }
    }
    for (i, volume) in spec.get("volumes").items().iter().enumerate() {
        for (kind, shown, why) in VOLUMES {
            if !volume.get(kind).is_null() {
                all.push(format!("{}: {why}", at(&format!("spec.volumes[{i}].{shown}"))));
            }
        }
        let size = [
            "ephemeral",
            "volumeClaimTemplate",
            "spec",
            "resources",
            "requests",
            "storage",
        ];
        all.extend(fractional(volume.at(&size), || {
            at(&format!(
                "spec.volumes[{i}].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]"
            ))
        }));
    }
    repeated(spec, "hostAliases", "ip", &at("spec"), &mut all);
    repeated(spec, "imagePullSecrets", "name", &at("spec"), &mut all);
    for (i, secret) in spec.get("imagePullSecrets").items().iter().enumerate() {
        if secret.get("name").is_empty() {
            all.push(format!(
                "{}: invalid empty name \"\"",
                at(&format!("spec.imagePullSecrets[{i}].name"))
            ));
        }
    }
    for name in ["memory", "ephemeral-storage"] {
        let amount = spec.at(&["overhead", name]);
        all.extend(fractional(amount, || at(&format!("spec.overhead[{name}]"))));
    }
    let seccomp = "seccomp.security.alpha.kubernetes.io/pod";
    let without = |holder: &Value| holder.at(&["securityContext", "seccompProfile"]).is_null();
    let unused = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
    if annotations.has(seccomp) && without(spec) {
        all.push(format!("{}: {unused}", at(&format!("metadata.annotations[{seccomp}]"))));
    }
    let mut containers = Vec::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for (i, c) in spec.get(list).items().iter().enumerate() {
            containers.push((c, at(&format!("spec.{list}[{i}]"))));
        }
    }
    for (c, here) in &containers {
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{}", c.get("name").str());
        if annotations.has(&key) && without(c) {
            all.push(format!("{}: {unused}", at(&format!("metadata.annotations[{key}]"))));
        }
        if field.is_some() {
            all.extend(apparmor(annotations, c, &at("metadata.annotations")));
        }
        for name in ["memory", "ephemeral-storage"] {
            for list in ["limits", "requests"] {
                let amount = c.at(&["resources", list, name]);
                all.extend(fractional(amount, || format!("{here}.resources.{list}[{name}]")));
            }
        }
        environment(c, here, &mut all);
    }
    ports(&containers, &mut all);
    if spec
        .get("terminationGracePeriodSeconds")
        .as_i64()
        .is_some_and(|n| n < 0)
    {
        all.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            at("spec.terminationGracePeriodSeconds")
        ));
    }
    neighbours(spec.get("affinity"), &at("spec.affinity"), &mut all);
    all
}

/// An annotation that a field has taken the place of.
fn apparmor(annotations: &Value, container: &Value, at: &str) -> Option<String> {
    let name = container.get("name").str();
    let key = format!("{}{name}", well_known::APPARMOR_PREFIX);
    let old = annotations.has(&key) && container.at(&["securityContext", "appArmorProfile"]).is_null();
    old.then(|| format!("{at}[{key}]: deprecated since v1.30; use the \"appArmorProfile\" field instead"))
}

/// Where the pod may go: labels with old names, and constraints that match nothing.
fn places(spec: &Value, at: &str, all: &mut Vec<String>) {
    node_labels(spec.get("nodeSelector"), &format!("{at}.nodeSelector"), all);
    let affinity = spec.at(&["affinity", "nodeAffinity"]);
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = affinity.at(&[required, "nodeSelectorTerms"]);
    let place = format!("{at}.affinity.nodeAffinity.{required}.nodeSelectorTerms");
    node_terms(terms, &place, all);
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (i, t) in affinity.get(preferred).items().iter().enumerate() {
        let at = format!("{at}.affinity.nodeAffinity.{preferred}[{i}].preference");
        node_term(t.get("preference"), &at, all);
    }
    for (i, c) in spec.get("topologySpreadConstraints").items().iter().enumerate() {
        let at = format!("{at}.topologySpreadConstraints[{i}]");
        let key = c.get("topologyKey").str();
        if let Some(why) = old_label(key) {
            all.push(format!("{at}.topologyKey: {key} is {why}"));
        }
        if c.get("labelSelector").is_null() {
            all.push(format!(
                "{at}.labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
}

/// What the old names of nodes' labels are warned of in terms of a node selector.
pub(crate) fn node_terms(terms: &Value, at: &str, all: &mut Vec<String>) {
    for (i, term) in terms.items().iter().enumerate() {
        node_term(term, &format!("{at}[{i}]"), all);
    }
}

fn node_term(term: &Value, at: &str, all: &mut Vec<String>) {
    for (i, e) in term.get("matchExpressions").items().iter().enumerate() {
        let key = e.get("key").str();
        if let Some(why) = old_label(key) {
            all.push(format!("{at}.matchExpressions[{i}].key: {key} is {why}"));
        }
    }
}

/// What the old names of nodes' labels are warned of among the keys of a map.
pub(crate) fn node_labels(labels: &Value, at: &str, all: &mut Vec<String>) {
    for (key, _) in labels.entries() {
        if let Some(why) = old_label(key) {
            all.push(format!("{at}[{}]: {why}", &**key));
        }
    }
}

/// The same of a class's topologies.
pub(crate) fn topologies(topologies: &Value, all: &mut Vec<String>) {
    for (i, term) in topologies.items().iter().enumerate() {
        for (j, e) in term.get("matchLabelExpressions").items().iter().enumerate() {
            if let Some(why) = old_label(e.get("key").str()) {
                let at = format!("allowedTopologies[{i}].matchLabelExpressions[{j}].key");
                all.push(format!("{at}: {why}"));
            }
        }
    }
}

/// Terms of affinity to other pods that match none.
fn neighbours(affinity: &Value, at: &str, all: &mut Vec<String>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (list, inner) in [
            ("requiredDuringSchedulingIgnoredDuringExecution", ""),
            ("preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm"),
        ] {
            for (i, term) in affinity.at(&[kind, list]).items().iter().enumerate() {
                let (term, dot) = match inner {
                    "" => (term, ""),
                    inner => (term.get(inner), "."),
                };
                if term.get("labelSelector").is_null() {
                    all.push(format!(
                        "{at}.{kind}.{list}[{i}]{dot}{inner}.labelSelector: a null labelSelector results in matching no pod"
                    ));
                }
            }
        }
    }
}

/// Items of a list that should differ in a field.
fn repeated(spec: &Value, list: &str, key: &str, at: &str, all: &mut Vec<String>) {
    let mut seen = FlatSet::new();
    for (i, item) in spec.get(list).items().iter().enumerate() {
        let value = item.get(key).str();
        if !seen.insert(value) {
            all.push(format!(
                "{at}.{list}[{i}].{key}: duplicate {key} {value}",
                value = quoted(&value)
            ));
        }
    }
}

/// A variable that hides an earlier one, unless it is made of it.
fn environment(c: &Value, at: &str, all: &mut Vec<String>) {
    let mut seen = FlatSet::new();
    for (i, variable) in c.get("env").items().iter().enumerate() {
        let name = variable.get("name").str();
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        let value = variable.get("value").str();
        if !variable.get("valueFrom").is_null() || value == reference || !value.contains(&reference) {
            all.push(format!(
                "{at}.env[{i}]: hides previous definition of {name}, which may be dropped when using apply",
                name = quoted(&name)
            ));
        }
    }
}

/// Ports that more than one container names.
fn ports(containers: &[(&Value, String)], all: &mut Vec<String>) {
    let mut seen: FlatMap<String, Vec<(String, &Value)>> = FlatMap::new();
    for (c, here) in containers {
        for (i, port) in c.get("ports").items().iter().enumerate() {
            let at = format!("{here}.ports[{i}]");
            let host = |p: &Value| p.i64_at(&["hostPort"]).unwrap_or(0);
            let number = port.i64_at(&["containerPort"]).unwrap_or(0);
            let others = seen
                .entry(format!("{number}/{}", port.get("protocol").str()))
                .or_default();
            for (other, had) in others.iter() {
                let (ip, other_ip) = (port.get("hostIP").str(), had.get("hostIP").str());
                let how = if ip == other_ip && host(port) == host(had) {
                    "duplicate"
                } else if host(port) == 0 || host(had) == 0 {
                    "overlapping"
                } else if host(port) == host(had) && (ip.is_empty() || other_ip.is_empty()) {
                    "dangerously ambiguous"
                } else {
                    continue;
                };
                all.push(format!("{at}: {how} port definition with {other}"));
            }
            others.push((at, port));
        }
    }
}
