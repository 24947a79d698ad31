//! Validation of pod specs (`pkg/apis/core/validation`), for pods and templates alike.

use crate::api::well_known;
use crate::flat::{Case, FlatMap, FlatSet};
use std::fmt::Display;

use super::resources::{self, Holder};
use super::{internal, volume_validation};
use crate::api::metadata;
use crate::api::names;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::value::Value;

/// What the parts of a spec must know of it.
pub(super) struct Pod<'a> {
    spec: &'a Value,
    /// Whether the spec is a pod's own, and no template's.
    pub(super) is_pod: bool,
    /// The name of the pod; empty for templates.
    pub(super) name: &'a str,
    volumes: FlatMap<&'a str, &'a Value>,
    claims: Vec<&'a str>,
}

const UNIX_ID: (i64, i64) = (0, i32::MAX as i64);

/// Checks a pod's spec (`validatePodMetadataAndSpec`).
pub(crate) fn pod(object: &Value, errors: &mut FieldErrors) {
    annotations(
        object.at(&["metadata", "annotations"]),
        object.get("spec"),
        "metadata.annotations",
        errors,
    );
    let spec = object.get("spec");
    check(spec, Some(object.str_at(&["metadata", "name"])), "spec", errors);
    if spec.get("serviceAccountName").is_empty() {
        for (i, volume) in spec.get("volumes").items().iter().enumerate() {
            for (j, source) in volume.at(&["projected", "sources"]).items().iter().enumerate() {
                if !source.get("serviceAccountToken").is_null() {
                    let at = format!("spec.volumes[{i}].projected.sources[{j}].serviceAccountToken");
                    errors.forbidden(at, "must not be specified when serviceAccountName is not set");
                }
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for (i, c) in spec.get(list).items().iter().enumerate() {
            image_spaces(c, &format!("spec.{list}[{i}]"), errors);
        }
    }
}

/// Checks the spec of a pod template.
pub(crate) fn template(template: &Value, field: &str, errors: &mut FieldErrors) {
    let spec = template.get("spec");
    let at = format!("{field}.annotations");
    annotations(template.at(&["metadata", "annotations"]), spec, &at, errors);
    check(spec, None, &format!("{field}.spec"), errors);
    if !spec.get("ephemeralContainers").is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        errors.forbidden(format!("{field}.spec.ephemeralContainers"), why);
    }
}

/// Checks annotations that mean something to pods.
fn annotations(annotations: &Value, spec: &Value, field: &str, errors: &mut FieldErrors) {
    let mirror = annotations.get(names::MIRROR);
    if !mirror.is_null() && spec.get("nodeName").is_empty() {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        errors.invalid(format!("{field}[{}]", names::MIRROR), mirror, why);
    }
    let key = well_known::POD_DELETION_COST;
    let cost = annotations.get(key);
    if !cost.is_null() {
        let digits = cost.str().strip_prefix('-').unwrap_or(cost.str());
        let canonical = digits == "0" && cost.str() == "0" || !digits.starts_with('0');
        if !canonical || cost.str().starts_with('+') || cost.str().parse::<i32>().is_err() {
            errors.invalid(format!("{field}[{key}]"), cost, "must be a 32bit integer");
        }
    }
}

/// What of those annotations may change (`ValidatePodSpecificAnnotationUpdates`).
pub(super) fn annotation_updates(new: &Value, old: &Object, errors: &mut FieldErrors) {
    let path = ["metadata", "annotations"];
    let (now, had) = (new.at(&path), old.metadata().get("annotations"));
    if now == had {
        return;
    }
    let mut changed = |key: &str, how: &str| {
        let at = format!("metadata.annotations[{key}]");
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
            errors.forbidden(&at, format!("may not {} AppArmor annotations", how));
        }
        if key == names::MIRROR {
            errors.forbidden(at, format!("may not {} mirror pod annotation", how));
        }
    };
    for (key, value) in had.entries() {
        if now.get(key) != value {
            changed(key, "remove or update");
        }
    }
    for (key, _) in now.entries().filter(|(key, _)| !had.has(key)) {
        changed(key, "add");
    }
    annotations(now, new.get("spec"), "metadata.annotations", errors);
}

fn image_spaces(c: &Value, at: &str, errors: &mut FieldErrors) {
    let image = c.get("image");
    if image.str().trim() != image.str() {
        let why = "must not have leading or trailing whitespace";
        errors.invalid(format!("{at}.image"), image, why);
    }
}

/// `ValidatePodSpec`. `name` is that of the pod, for a spec that is a pod's own.
fn check(spec: &Value, name: Option<&str>, field: &str, errors: &mut FieldErrors) {
    let mut pod = Pod {
        spec,
        is_pod: name.is_some(),
        name: name.unwrap_or_default(),
        volumes: FlatMap::new(),
        claims: Vec::new(),
    };
    pod.volumes = volume_validation::list(spec.get("volumes"), &pod, &format!("{field}.volumes"), errors);
    resource_claims(&mut pod, &format!("{field}.resourceClaims"), errors);
    let containers = containers(&pod, &format!("{field}.containers"), errors);
    let init = init_containers(&pod, &containers, &format!("{field}.initContainers"), errors);
    ephemeral_containers(&pod, init, &format!("{field}.ephemeralContainers"), errors);
    pod_resources(&pod, &format!("{field}.resources"), errors);
    host_network(&pod, field, errors);
    one_of(
        spec.get("restartPolicy"),
        &["Always", "OnFailure", "Never"],
        format!("{field}.restartPolicy"),
        errors,
    );
    one_of(
        spec.get("dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        format!("{field}.dnsPolicy"),
        errors,
    );
    metadata::labels(spec.get("nodeSelector"), &format!("{field}.nodeSelector"), errors);
    pod_security(&pod, field, errors);
    affinity(spec.get("affinity"), &format!("{field}.affinity"), errors);
    dns_config(spec, &format!("{field}.dnsConfig"), errors);
    gates(spec, field, errors);
    spread(
        spec.get("topologySpreadConstraints"),
        &format!("{field}.topologySpreadConstraints"),
        errors,
    );
    host_processes(&pod, field, errors);
    if spec.get("hostUsers").as_bool() == Some(false) {
        for (name, shown) in [
            ("hostNetwork", "hostNetwork"),
            ("hostPID", "HostPID"),
            ("hostIPC", "HostIPC"),
        ] {
            if spec.bool_at(&[name]) {
                errors.forbidden(format!("{field}.{shown}"), "when `pod.Spec.HostUsers` is false");
            }
        }
    }
    let subdomain: names::Rule = names::dns1123_subdomain;
    errors.check_some(
        format!("{field}.serviceAccountName"),
        spec.get("serviceAccountName"),
        subdomain,
    );
    errors.check_some(format!("{field}.nodeName"), spec.get("nodeName"), subdomain);
    within(
        spec.get("activeDeadlineSeconds"),
        (1, i64::from(i32::MAX)),
        format!("{field}.activeDeadlineSeconds"),
        errors,
    );
    for name in ["hostname", "subdomain"] {
        errors.check_some(format!("{field}.{name}"), spec.get(name), names::dns1123_label);
    }
    tolerations(spec.get("tolerations"), &format!("{field}.tolerations"), errors);
    for (i, alias) in spec.get("hostAliases").items().iter().enumerate() {
        let at = format!("{field}.hostAliases[{i}]");
        errors.check(format!("{at}.ip"), alias.get("ip"), names::ip);
        for (j, name) in alias.get("hostnames").items().iter().enumerate() {
            errors.check(format!("{at}.hostnames[{j}]"), name, subdomain);
        }
    }
    errors.check_some(
        format!("{field}.priorityClassName"),
        spec.get("priorityClassName"),
        subdomain,
    );
    if !spec.get("runtimeClassName").is_null() {
        errors.check(
            format!("{field}.runtimeClassName"),
            spec.get("runtimeClassName"),
            subdomain,
        );
    }
    if !spec.get("preemptionPolicy").is_null() {
        one_of(
            spec.get("preemptionPolicy"),
            &["PreemptLowerPriority", "Never"],
            format!("{field}.preemptionPolicy"),
            errors,
        );
    }
    if !spec.get("overhead").is_null() {
        let limits = crate::obj! { "limits": spec.get("overhead").clone() };
        let at = format!("{field}.overhead");
        resources::requirements(&limits, Holder::Container, &[], &at, errors);
    }
    operating_system(&pod, field, errors);
}

/// Each container with its path, in the order in which Kubernetes visits them.
fn visit<'a>(pod: &Pod<'a>, field: &str) -> Vec<(&'a Value, String)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|list| {
            pod.spec
                .get(list)
                .items()
                .iter()
                .enumerate()
                .map(move |(i, c)| (c, format!("{field}.{list}[{i}]")))
        })
        .collect()
}

/// A text that must be one of these.
pub(crate) fn one_of(value: &Value, allowed: &[&str], field: impl Display, errors: &mut FieldErrors) {
    match value.str() {
        "" => errors.required(field, ""),
        text if allowed.contains(&text) => {}
        _ => errors.not_supported(field, value, allowed),
    }
}

/// A number that must lie between two others, if it is there.
pub(crate) fn within(value: &Value, (least, most): (i64, i64), field: impl Display, errors: &mut FieldErrors) {
    if value.as_i64().is_some_and(|n| !(least..=most).contains(&n)) {
        errors.invalid(field, value, format!("must be between {least} and {most}, inclusive"));
    }
}

/// A number of 1 to 65535.
pub(crate) fn port_number(value: &Value, field: &str, errors: &mut FieldErrors) {
    within(&Value::from(value.as_i64().unwrap_or(0)), (1, 65_535), field, errors);
}

/// `TCP`, `UDP` or `SCTP`.
pub(crate) fn protocol(value: &Value, field: &str, errors: &mut FieldErrors) {
    one_of(value, &["SCTP", "TCP", "UDP"], field, errors);
}

/// A port's number, or its name.
pub(crate) fn port_number_or_name(value: &Value, field: &str, errors: &mut FieldErrors) {
    match value {
        Value::Str(_) => errors.check(field, value, names::port_name),
        other => port_number(other, field, errors),
    }
}

fn resource_claims(pod: &mut Pod, field: &str, errors: &mut FieldErrors) {
    for (i, claim) in pod.spec.get("resourceClaims").items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = claim.get("name");
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        } else if pod.claims.contains(&name.str()) {
            errors.duplicate(format!("{at}.name"), name);
        } else {
            errors.check(format!("{at}.name"), name, names::dns1123_label);
            pod.claims.push(name.str());
        }
        let parts = ["resourceClaimName", "resourceClaimTemplateName"];
        let text = format!(
            r#"{{"Name":{},"ResourceClaimName":{},"ResourceClaimTemplateName":{}}}"#,
            name.to_json(),
            claim.get("resourceClaimName").to_json(),
            claim.get("resourceClaimTemplateName").to_json()
        );
        match parts.iter().filter(|p| !claim.get(p).is_null()).count() {
            0 => errors.invalid_as(
                &at,
                text,
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
            1 => {}
            _ => errors.invalid_as(
                &at,
                text,
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            ),
        }
        for part in parts {
            errors.check_some(format!("{at}.{part}"), claim.get(part), names::dns1123_subdomain);
        }
    }
}

/// Checks the containers, and gives their names.
fn containers<'a>(pod: &Pod<'a>, field: &str, errors: &mut FieldErrors) -> FlatSet<&'a str> {
    let mut seen = FlatSet::new();
    let list = pod.spec.get("containers").items();
    if list.is_empty() {
        errors.required(field, "");
    }
    for (i, c) in list.iter().enumerate() {
        let at = format!("{field}[{i}]");
        container(pod, c, &at, errors);
        if !seen.insert(c.get("name").str()) {
            errors.duplicate(format!("{at}.name"), c.get("name"));
        }
        lifecycle_and_probes(pod, c, &at, errors);
        restart_rules(c, &at, errors);
    }
    host_port_conflicts(list, field, errors);
    seen
}

fn init_containers<'a>(
    pod: &Pod<'a>,
    regular: &FlatSet<&'a str>,
    field: &str,
    errors: &mut FieldErrors,
) -> FlatSet<&'a str> {
    let mut seen = regular.clone();
    for (i, c) in pod.spec.get("initContainers").items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        container(pod, c, &at, errors);
        restart_rules(c, &at, errors);
        let name = c.get("name");
        if seen.contains(name.str()) {
            errors.duplicate(format!("{at}.name"), name);
        } else if !name.is_empty() {
            seen.insert(name.str());
        }
        host_port_conflicts(std::slice::from_ref(c), field, errors);
        if c.get("restartPolicy").str() == "Always" {
            lifecycle_and_probes(pod, c, &at, errors);
            continue;
        }
        for part in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if !c.get(part).is_null() {
                let why = "may not be set for init containers without restartPolicy=Always";
                errors.forbidden(format!("{at}.{part}"), why);
            }
        }
    }
    seen
}

fn ephemeral_containers(pod: &Pod, others: FlatSet<&str>, field: &str, errors: &mut FieldErrors) {
    let mut seen = others.clone();
    const WHY: &str = "cannot be set for an Ephemeral Container";
    for (i, c) in pod.spec.get("ephemeralContainers").items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        container(pod, c, &at, errors);
        image_spaces(c, &at, errors);
        if !seen.insert(c.get("name").str()) {
            errors.duplicate(format!("{at}.name"), c.get("name"));
        }
        let target = c.get("targetContainerName");
        if !target.is_empty() && !others.contains(target.str()) {
            errors.not_found(format!("{at}.targetContainerName"), target);
        }
        for part in [
            "ports",
            "resources",
            "resizePolicy",
            "restartPolicy",
            "restartPolicyRules",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
        ] {
            if !c.get(part).is_empty() {
                errors.forbidden(format!("{at}.{part}"), WHY);
            }
        }
        for (j, mount) in c.get("volumeMounts").items().iter().enumerate() {
            for part in ["subPath", "subPathExpr"] {
                if !mount.get(part).is_empty() {
                    errors.forbidden(format!("{at}.volumeMounts[{j}].{part}"), WHY);
                }
            }
        }
    }
}

/// What all kinds of containers share (`validateContainerCommon`).
fn container(pod: &Pod, c: &Value, at: &str, errors: &mut FieldErrors) {
    errors.check_required(format!("{at}.name"), c.get("name"), names::dns1123_label);
    // Templates may have images of blanks alone, which some systems fill in.
    if c.get("image").is_empty() {
        errors.required(format!("{at}.image"), "");
    }
    one_of(
        c.get("terminationMessagePolicy"),
        &["File", "FallbackToLogsOnError"],
        format!("{at}.terminationMessagePolicy"),
        errors,
    );
    ports(c.get("ports"), &format!("{at}.ports"), errors);
    env(c.get("env"), &format!("{at}.env"), errors);
    env_from(c.get("envFrom"), &format!("{at}.envFrom"), errors);
    mounts(pod, c, &format!("{at}.volumeMounts"), errors);
    devices(pod, c, &format!("{at}.volumeDevices"), errors);
    one_of(
        c.get("imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
        format!("{at}.imagePullPolicy"),
        errors,
    );
    resources::requirements(
        c.get("resources"),
        Holder::Container,
        &pod.claims,
        &format!("{at}.resources"),
        errors,
    );
    resize_policy(pod, c.get("resizePolicy"), &format!("{at}.resizePolicy"), errors);
    security_context(pod, c.get("securityContext"), &format!("{at}.securityContext"), errors);
}

fn resize_policy(pod: &Pod, list: &Value, field: &str, errors: &mut FieldErrors) {
    let mut seen = FlatSet::new();
    for (i, policy) in list.items().iter().enumerate() {
        let (resource, restart) = (policy.get("resourceName"), policy.get("restartPolicy"));
        if !seen.insert(resource.str()) {
            errors.duplicate(format!("{field}[{i}]"), resource);
        }
        one_of(resource, &["cpu", "memory"], field, errors);
        one_of(restart, &["NotRequired", "RestartContainer"], field, errors);
        if pod.spec.get("restartPolicy").str() == "Never" && restart.str() != "NotRequired" {
            let why = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.invalid(field, restart, why);
        }
    }
}

/// A container's own policy of restarts, and its rules.
fn restart_rules(c: &Value, at: &str, errors: &mut FieldErrors) {
    let (policy, rules) = (c.get("restartPolicy"), c.get("restartPolicyRules").items());
    errors.enumerated(format!("{at}.restartPolicy"), policy, &["Always", "Never", "OnFailure"]);
    if policy.is_null() && !rules.is_empty() {
        let why = "must specify restartPolicy when restart rules are used";
        errors.required(format!("{at}.restartPolicy"), why);
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("{at}.restartPolicyRules[{i}]");
        let action = Value::from(rule.get("action").str());
        errors.enumerated(format!("{at}.action"), &action, &["Restart", "RestartAllContainers"]);
        let codes = rule.get("exitCodes");
        if codes.is_null() {
            errors.required(format!("{at}.exitCodes"), "must be specified");
            continue;
        }
        let operator = Value::from(codes.get("operator").str());
        errors.enumerated(format!("{at}.exitCodes.operator"), &operator, &["In", "NotIn"]);
    }
}

fn ports(list: &Value, field: &str, errors: &mut FieldErrors) {
    let mut seen = FlatSet::new();
    for (i, port) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = port.get("name");
        if !name.is_empty() {
            match names::port_name(name.str()) {
                Err(why) => errors.invalid(format!("{at}.name"), name, why),
                Ok(()) if !seen.insert(name.str()) => errors.duplicate(format!("{at}.name"), name),
                Ok(()) => {}
            }
        }
        if port.get("containerPort").is_empty() {
            errors.required(format!("{at}.containerPort"), "");
        } else {
            port_number(port.get("containerPort"), &format!("{at}.containerPort"), errors);
        }
        if !port.get("hostPort").is_empty() {
            port_number(port.get("hostPort"), &format!("{at}.hostPort"), errors);
        }
        protocol(port.get("protocol"), &format!("{at}.protocol"), errors);
    }
}

fn host_port_conflicts(containers: &[Value], field: &str, errors: &mut FieldErrors) {
    let mut taken = FlatSet::new();
    for (i, c) in containers.iter().enumerate() {
        for (j, port) in c.get("ports").items().iter().enumerate() {
            let number = port.i64_at(&["hostPort"]).unwrap_or(0);
            if number == 0 {
                continue;
            }
            let text = format!("{}/{}/{number}", port.get("protocol").str(), port.get("hostIP").str());
            if !taken.insert(text.clone()) {
                errors.duplicate(format!("{field}[{i}].ports[{j}].hostPort"), &text.into());
            }
        }
    }
}

fn host_network(pod: &Pod, field: &str, errors: &mut FieldErrors) {
    if !pod.spec.bool_at(&["hostNetwork"]) {
        return;
    }
    for (i, c) in pod.spec.get("containers").items().iter().enumerate() {
        for (j, port) in c.get("ports").items().iter().enumerate() {
            let host = port.i64_at(&["hostPort"]).unwrap_or(0);
            // A template's are set when its pods are made.
            if (pod.is_pod || host != 0) && host != port.i64_at(&["containerPort"]).unwrap_or(0) {
                errors.invalid(
                    format!("{field}.containers[{i}].ports[{j}].hostPort"),
                    &host.into(),
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
    }
}

const DOWNWARD_ENV: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const DOWNWARD_RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks which field of the pod is meant (`validateObjectFieldSelector`).
pub(super) fn field_ref(reference: &Value, known: &[&str], field: &str, errors: &mut FieldErrors) {
    let (version, path) = (reference.get("apiVersion"), reference.get("fieldPath"));
    for (part, value) in [("apiVersion", version), ("fieldPath", path)] {
        if value.is_empty() {
            return errors.required(format!("{field}.{part}"), "");
        }
    }
    let at = format!("{field}.fieldPath");
    if version.str() != "v1" {
        let why = format!("error converting fieldPath: unsupported pod version: {}", version.str());
        return errors.invalid(at, path, why);
    }
    let unknown = |what: &str| format!("error converting fieldPath: {what}: {}", path.str());
    let subscript = path
        .str()
        .strip_suffix("']")
        .and_then(|p| p.split_once("['"))
        .filter(|(p, _)| !p.contains('['));
    if let Some((parent, key)) = subscript {
        return match parent {
            "metadata.annotations" => errors.check(field, &key.lower().into(), names::label_key),
            "metadata.labels" => errors.check(field, &key.into(), names::label_key),
            _ => errors.invalid(at, path, unknown("field label does not support subscript")),
        };
    }
    let convertible = DOWNWARD_ENV.contains(&path.str())
        || matches!(
            path.str(),
            "metadata.annotations" | "metadata.labels" | "spec.restartPolicy" | "spec.schedulerName" | "status.phase"
        );
    if !convertible {
        errors.invalid(at, path, unknown("field label not supported"));
    } else if !known.contains(&path.str()) {
        errors.not_supported(at, path, known);
    }
}

/// Checks which of a container's resources is meant.
pub(super) fn resource_ref(reference: &Value, of_volume: bool, field: &str, errors: &mut FieldErrors) {
    let resource = reference.get("resource");
    let huge = ["limits.hugepages-", "requests.hugepages-"]
        .iter()
        .any(|p| resource.str().starts_with(p));
    if of_volume && reference.get("containerName").is_empty() {
        errors.required(format!("{field}.containerName"), "");
    } else if resource.is_empty() {
        errors.required(format!("{field}.resource"), "");
    } else if !DOWNWARD_RESOURCES.contains(&resource.str()) && !huge {
        errors.not_supported(format!("{field}.resource"), resource, &DOWNWARD_RESOURCES);
    }
    let divisor = reference.get("divisor").str();
    if Quantity::parse_or_zero(divisor).is_zero() {
        return;
    }
    let bytes = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
    let kind = match resource.str().split_once('.').map_or("", |(_, r)| r) {
        "cpu" => "cpu",
        "memory" => "memory",
        "ephemeral-storage" => "local ephemeral storage",
        _ if huge => "hugepages",
        _ => return,
    };
    let (allowed, shown) = if kind == "cpu" {
        ("1m, 1", "1m and 1")
    } else {
        (bytes, bytes)
    };
    if !allowed.split(", ").any(|d| d == divisor) {
        let why = format!("only divisor's values {shown} are supported with the {kind} resource");
        errors.invalid(format!("{field}.divisor"), resource, why);
    }
}

fn env(list: &Value, field: &str, errors: &mut FieldErrors) {
    const SOURCES: [&str; 5] = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    for (i, variable) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        errors.check_required(format!("{at}.name"), variable.get("name"), names::env_name);
        let from = variable.get("valueFrom");
        if from.is_null() {
            continue;
        }
        let at = format!("{at}.valueFrom");
        let sources: Vec<&str> = SOURCES.into_iter().filter(|s| !from.get(s).is_null()).collect();
        for source in &sources {
            let (body, at) = (from.get(source), format!("{at}.{source}"));
            match *source {
                "fieldRef" => field_ref(body, &DOWNWARD_ENV, &at, errors),
                "resourceFieldRef" => resource_ref(body, false, &at, errors),
                "fileKeyRef" => {
                    for part in ["volumeName", "path", "key"] {
                        if body.get(part).is_empty() {
                            errors.required(format!("{at}.{part}"), "");
                        }
                    }
                }
                _ => {
                    errors.check(format!("{at}.name"), body.get("name"), names::dns1123_subdomain);
                    errors.check_required(format!("{at}.key"), body.get("key"), names::config_map_key);
                }
            }
        }
        let why = if sources.is_empty() {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        } else if !variable.get("value").is_empty() {
            "may not be specified when `value` is not empty"
        } else if sources.len() > 1 {
            "may not have more than one field specified at a time"
        } else {
            continue;
        };
        errors.invalid(&at, &"".into(), why);
    }
}

fn env_from(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, source) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        errors.check_some(format!("{at}.prefix"), source.get("prefix"), names::env_name);
        let mut found = 0;
        for kind in ["configMapRef", "secretRef"] {
            if source.get(kind).is_null() {
                continue;
            }
            found += 1;
            let name = source.at(&[kind, "name"]);
            errors.check_required(format!("{at}.{kind}.name"), name, names::dns1123_subdomain);
        }
        // The real server names the whole list here.
        match found {
            0 => errors.invalid(field, &"".into(), "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(
                field,
                &"".into(),
                "may not have more than one field specified at a time",
            ),
        }
    }
}

/// A path inside a volume: relative, and without steps back.
pub(super) fn descending(path: &Value, field: &str, errors: &mut FieldErrors) {
    if path.str().starts_with('/') {
        errors.invalid(field, path, "must be a relative path");
    }
    no_backsteps(path, field, errors);
}

/// A path without `..`.
pub(super) fn no_backsteps(path: &Value, field: &str, errors: &mut FieldErrors) {
    if path.str().split('/').any(|p| p == "..") {
        errors.invalid(field, path, "must not contain '..'");
    }
}

fn mounts(pod: &Pod, c: &Value, field: &str, errors: &mut FieldErrors) {
    let devices = c.get("volumeDevices").items();
    let mut paths = FlatSet::new();
    for (i, mount) in c.get("volumeMounts").items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        let shown = Value::from(name.str());
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        }
        if !pod.volumes.contains_key(name.str()) {
            errors.not_found(format!("{at}.name"), &shown);
        }
        if path.is_empty() {
            errors.required(format!("{at}.mountPath"), "");
        }
        if !paths.insert(path.str()) {
            errors.invalid(format!("{at}.mountPath"), path, "must be unique");
        }
        if devices.iter().any(|d| d.get("name") == name) {
            let why = "must not already exist in volumeDevices";
            errors.invalid(format!("{at}.name"), name, why);
        }
        if devices.iter().any(|d| d.get("devicePath") == path) {
            let why = "must not already exist as a path in volumeDevices";
            errors.invalid(format!("{at}.mountPath"), path, why);
        }
        // The real server leaves the place in the list out of these paths.
        let (sub, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
        descending(sub, &format!("{field}.subPath"), errors);
        if !sub.is_empty() && !expression.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(format!("{at}.subPathExpr"), expression, why);
        }
        descending(expression, &format!("{field}.subPathExpr"), errors);
        let propagation = mount.get("mountPropagation");
        let spread = format!("{field}.mountPropagation");
        errors.enumerated(&spread, propagation, &["Bidirectional", "HostToContainer", "None"]);
        if propagation.str() == "Bidirectional" && !c.bool_at(&["securityContext", "privileged"]) {
            let why = "Bidirectional mount propagation is available only to privileged containers";
            errors.forbidden(spread, why);
        }
        let recursive = mount.get("recursiveReadOnly");
        let at = format!("{field}.recursiveReadOnly");
        errors.enumerated(&at, recursive, &["Disabled", "Enabled", "IfPossible"]);
        if matches!(recursive.str(), "Enabled" | "IfPossible") {
            if !mount.bool_at(&["readOnly"]) {
                errors.forbidden(&at, "may only be specified when readOnly is true");
            }
            if !matches!(propagation.str(), "" | "None") {
                errors.forbidden(
                    &at,
                    "may only be specified when mountPropagation is None or not specified",
                );
            }
        }
    }
}

fn devices(pod: &Pod, c: &Value, field: &str, errors: &mut FieldErrors) {
    let mounts = c.get("volumeMounts").items();
    let (mut taken, mut paths) = (FlatSet::new(), FlatSet::new());
    for (i, device) in c.get("volumeDevices").items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (name, path) = (device.get("name"), device.get("devicePath"));
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        }
        if !name.is_empty() && !taken.insert(name.str()) {
            errors.invalid(format!("{at}.name"), name, "must be unique");
        }
        match pod.volumes.get(name.str()) {
            None => errors.not_found(format!("{at}.name"), name),
            Some(v) if v.get("persistentVolumeClaim").is_null() && v.get("ephemeral").is_null() => errors.invalid(
                format!("{at}.name"),
                name,
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            ),
            Some(_) => {}
        }
        if path.is_empty() {
            errors.required(format!("{at}.devicePath"), "");
        }
        if paths.contains(path.str()) {
            errors.invalid(format!("{at}.devicePath"), path, "must be unique");
        }
        if path.str().split('/').any(|p| p == "..") {
            errors.invalid(format!("{at}.devicePath"), path, "can not contain backsteps ('..')");
        } else {
            paths.insert(path.str());
        }
        if mounts.iter().any(|m| m.get("name") == name) {
            errors.invalid(format!("{at}.name"), name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|m| m.get("mountPath") == path) {
            let why = "must not already exist as a path in volumeMounts";
            errors.invalid(format!("{at}.devicePath"), path, why);
        }
    }
}

fn pod_resources(pod: &Pod, field: &str, errors: &mut FieldErrors) {
    let value = pod.spec.get("resources");
    if value.is_null() {
        return;
    }
    if !value.get("claims").is_null() {
        let why = "claims cannot be set for Resources at pod-level";
        errors.forbidden(format!("{field}.claims"), why);
    }
    resources::requirements(value, Holder::Pod, &pod.claims, field, errors);
    let mut total: FlatMap<String, Quantity> = FlatMap::new();
    for c in pod.spec.get("containers").items() {
        for (name, amount) in c.at(&["resources", "requests"]).entries() {
            *total.entry(name.to_string()).or_default() += Quantity::parse_or_zero(amount.str());
        }
    }
    for (name, sum) in total {
        let given = value.at(&["requests", &name]);
        if sum > Quantity::parse_or_zero(given.str()) {
            let shown = if given.is_null() {
                Value::from("0")
            } else {
                given.clone()
            };
            let why = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.invalid(format!("{field}.requests[{name}]"), &shown, why);
        }
    }
    for (i, c) in pod.spec.get("containers").items().iter().enumerate() {
        for (name, limit) in c.at(&["resources", "limits"]).entries() {
            let most = value.at(&["limits", name]);
            if !most.is_null() && Quantity::parse_or_zero(limit.str()) > Quantity::parse_or_zero(most.str()) {
                let why = format!("must be less than or equal to pod limits of {}", most.str());
                let at = format!("{field}.containers[{i}][{}].limits", &**name);
                errors.invalid(at, limit, why);
            }
        }
    }
}

/// Checks a context's `seccompProfile` or `appArmorProfile`: where it may name a file.
fn profile(context: &Value, name: &str, field: &str, errors: &mut FieldErrors) {
    let profile = context.get(name);
    if profile.is_null() {
        return;
    }
    let field = format!("{field}.{name}");
    let (kind, file) = (profile.get("type"), profile.get("localhostProfile"));
    let seccomp = name == "seccompProfile";
    let at = format!("{field}.type");
    match kind.str() {
        "" => errors.required(at, format!("type is required when {name} is set")),
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        _ => errors.not_supported(at, kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
    let at = format!("{field}.localhostProfile");
    let shown = if seccomp { "seccomp" } else { "AppArmor" };
    match (kind.str(), file.is_null()) {
        ("Localhost", true) => errors.required(at, format!("must be set when {shown} type is Localhost")),
        ("Localhost", false) if seccomp => descending(file, &at, errors),
        ("Localhost", false) if file.str().trim() != file.str() => {
            errors.invalid(at, file, "must not be padded with whitespace");
        }
        ("Localhost", false) if file.is_empty() => {
            errors.required(at, format!("must be set when {shown} type is Localhost"));
        }
        ("Localhost", false) | (_, true) => {}
        (_, false) if seccomp => errors.invalid_as(
            at,
            internal::named(profile, "Profile").to_json(),
            "can only be set when seccomp type is Localhost",
        ),
        (_, false) => errors.invalid(at, file, "can only be set when AppArmor type is Localhost"),
    }
}

fn security_context(pod: &Pod, context: &Value, field: &str, errors: &mut FieldErrors) {
    if context.is_null() {
        return;
    }
    for name in ["runAsUser", "runAsGroup"] {
        within(context.get(name), UNIX_ID, format!("{field}.{name}"), errors);
    }
    let mount = context.get("procMount");
    errors.enumerated(format!("{field}.procMount"), mount, &["Default", "Unmasked"]);
    if mount.str() == "Unmasked" && pod.spec.get("hostUsers").as_bool() != Some(false) {
        let why = "`hostUsers` must be false to use `Unmasked`";
        errors.invalid(format!("{field}.procMount"), mount, why);
    }
    profile(context, "seccompProfile", field, errors);
    if context.get("allowPrivilegeEscalation").as_bool() == Some(false) {
        let text = || internal::named(context, "SecurityContext").to_json();
        if context.bool_at(&["privileged"]) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid_as(field, text(), why);
        }
        let added = context.at(&["capabilities", "add"]).items();
        if added.iter().any(|c| c.str() == "CAP_SYS_ADMIN") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid_as(field, text(), why);
        }
    }
    windows_options(context, field, errors);
    profile(context, "appArmorProfile", field, errors);
}

fn windows_options(context: &Value, field: &str, errors: &mut FieldErrors) {
    let options = context.get("windowsOptions");
    let field = format!("{field}.windowsOptions");
    errors.check_some(
        format!("{field}.gmsaCredentialSpecName"),
        options.get("gmsaCredentialSpecName"),
        names::dns1123_subdomain,
    );
    let user = options.get("runAsUserName");
    let at = format!("{field}.runAsUserName");
    let Some(text) = user.as_str() else { return };
    let parts: Vec<&str> = text.split('\\').collect();
    let (domain, name) = match parts.as_slice() {
        [name] => (None, *name),
        [domain, name] => (Some(*domain), *name),
        _ => {
            return errors.invalid(at, user, "runAsUserName cannot contain more than one backslash");
        }
    };
    if text.is_empty() {
        return errors.invalid(at, user, "runAsUserName cannot be an empty string");
    }
    if text.chars().any(char::is_control) {
        return errors.invalid(at, user, "runAsUserName cannot contain control characters");
    }
    if domain.is_some_and(|d| d.is_empty() || d.contains(['/', ':', '*', '?', '"', '<', '>', '|'])) {
        let why = "runAsUserName's Domain doesn't match the NetBios nor the DNS format";
        errors.invalid(&at, user, why);
    }
    if name.is_empty() {
        errors.invalid(&at, user, "runAsUserName's User cannot be empty");
    } else if name.len() > 104 {
        let why = "runAsUserName's User length must not be longer than 104 characters";
        errors.invalid(&at, user, why);
    }
    if !name.is_empty() && name.chars().all(|c| c == '.' || c == ' ') {
        let why = "runAsUserName's User cannot contain only periods or spaces";
        errors.invalid(&at, user, why);
    }
    if name.contains(|c| r#""/\:;|=,+*?<>@[]"#.contains(c)) {
        let why = r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#;
        errors.invalid(&at, user, why);
    }
}

/// A sysctl's name: segments joined by dots or slashes.
fn is_sysctl(name: &str) -> bool {
    let segment = |s: &str| {
        let b = s.as_bytes();
        let plain = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        match (b.first(), b.last()) {
            (Some(f), Some(l)) => plain(f) && plain(l) && b.iter().all(|c| plain(c) || matches!(c, b'-' | b'_')),
            _ => false,
        }
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

fn pod_security(pod: &Pod, spec_field: &str, errors: &mut FieldErrors) {
    let context = pod.spec.get("securityContext");
    let field = format!("{spec_field}.securityContext");
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        within(context.get(name), UNIX_ID, format!("{field}.{name}"), errors);
    }
    for (i, id) in context.get("supplementalGroups").items().iter().enumerate() {
        within(id, UNIX_ID, format!("{field}.supplementalGroups[{i}]"), errors);
    }
    let shared = pod.spec.get("shareProcessNamespace");
    if shared.as_bool() == Some(true) && pod.spec.bool_at(&["hostPID"]) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(format!("{field}.shareProcessNamespace"), shared, why);
    }
    let mut seen = FlatSet::new();
    for (i, sysctl) in context.get("sysctls").items().iter().enumerate() {
        let at = format!("{field}.sysctls[{i}].name");
        let name = sysctl.get("name");
        if name.is_empty() {
            errors.required(&at, "");
        } else if !is_sysctl(name.str()) {
            let why = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            errors.invalid(&at, name, why);
        } else if !seen.insert(name.str()) {
            errors.duplicate(&at, name);
        }
        let dotted = name.str().replace('/', ".");
        let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|p| dotted.starts_with(p))
            || dotted == "kernel.sem";
        for (flag, of) in [("hostNetwork", dotted.starts_with("net.")), ("hostIPC", ipc)] {
            if of && pod.spec.bool_at(&[flag]) {
                let why = format!("may not be specified when '{flag}' is true");
                errors.invalid(&at, name, why);
            }
        }
    }
    let change = context.get("fsGroupChangePolicy");
    errors.enumerated(
        format!("{field}.fsGroupChangePolicy"),
        change,
        &["Always", "OnRootMismatch"],
    );
    profile(context, "seccompProfile", &field, errors);
    windows_options(context, &field, errors);
    profile(context, "appArmorProfile", &field, errors);
    for (name, known) in [
        ("supplementalGroupsPolicy", ["Merge", "Strict"]),
        ("seLinuxChangePolicy", ["MountOption", "Recursive"]),
    ] {
        errors.enumerated(format!("{field}.{name}"), context.get(name), &known);
    }
}

fn host_processes(pod: &Pod, field: &str, errors: &mut FieldErrors) {
    let path = ["securityContext", "windowsOptions", "hostProcess"];
    let of_pod = pod.spec.at(&path).as_bool();
    let all = visit(pod, field);
    let mut count = 0;
    for (c, at) in &all {
        let own = c.at(&path).as_bool();
        if let (Some(a), Some(b)) = (of_pod, own)
            && a != b
        {
            let why = format!("pod hostProcess value must be identical if both are specified, was {a}");
            errors.invalid(
                format!("{at}.securityContext.windowsOptions.hostProcess"),
                &b.into(),
                why,
            );
        }
        count += usize::from(own.or(of_pod) == Some(true));
    }
    if count == 0 {
        return;
    }
    if count != all.len() {
        let why = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.invalid(field, &"".into(), why);
    }
    if !pod.spec.bool_at(&["hostNetwork"]) {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(format!("{field}.hostNetwork"), &false.into(), why);
    }
}

fn operating_system(pod: &Pod, field: &str, errors: &mut FieldErrors) {
    let os = pod.spec.get("os");
    if os.is_null() {
        return;
    }
    let context = pod.spec.get("securityContext");
    match os.get("name").str() {
        "" => errors.required(format!("{field}.os.name"), "cannot be empty"),
        "linux" => {
            let own = (pod.spec, field.to_owned());
            for (holder, at) in std::iter::once(own).chain(visit(pod, field)) {
                if !holder.at(&["securityContext", "windowsOptions"]).is_null() {
                    errors.forbidden(
                        format!("{at}.securityContext.windowsOptions"),
                        "windows options cannot be set for a linux pod",
                    );
                }
            }
        }
        "windows" => {
            const WHY: &str = "cannot be set for a windows pod";
            for name in [
                "appArmorProfile",
                "seLinuxOptions",
                ".hostUsers",
                ".hostPID",
                ".hostIPC",
                "seccompProfile",
                "fsGroup",
                "fsGroupChangePolicy",
                "sysctls",
                ".shareProcessNamespace",
                "runAsUser",
                "runAsGroup",
                "supplementalGroups",
                "supplementalGroupsPolicy",
                "seLinuxChangePolicy",
            ] {
                match name.strip_prefix('.') {
                    Some("hostPID" | "hostIPC") if !pod.spec.bool_at(&[&name[1..]]) => {}
                    Some(name) if !pod.spec.get(name).is_null() => errors.forbidden(format!("{field}.{name}"), WHY),
                    None if !context.get(name).is_null() => {
                        errors.forbidden(format!("{field}.securityContext.{name}"), WHY);
                    }
                    _ => {}
                }
            }
            for (c, at) in visit(pod, field) {
                for name in [
                    "appArmorProfile",
                    "seLinuxOptions",
                    "seccompProfile",
                    "capabilities",
                    "readOnlyRootFilesystem",
                    "privileged",
                    "allowPrivilegeEscalation",
                    "procMount",
                    "runAsUser",
                    "runAsGroup",
                ] {
                    if !c.at(&["securityContext", name]).is_null() {
                        errors.forbidden(format!("{at}.securityContext.{name}"), WHY);
                    }
                }
            }
        }
        _ => errors.not_supported(format!("{field}.os"), os.get("name"), &["linux", "windows"]),
    }
}

fn lifecycle_and_probes(pod: &Pod, c: &Value, at: &str, errors: &mut FieldErrors) {
    let grace = pod.spec.i64_at(&["terminationGracePeriodSeconds"]);
    for hook in ["postStart", "preStop"] {
        let value = c.at(&["lifecycle", hook]);
        if !value.is_null() {
            let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
            handler(value, &kinds, grace, &format!("{at}.lifecycle.{hook}"), errors);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = c.get(name);
        if probe.is_null() {
            continue;
        }
        let at = format!("{at}.{name}");
        handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], grace, &at, errors);
        for part in [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ] {
            super::workload::non_negative(probe.get(part), format!("{at}.{part}"), errors);
        }
        let grace = probe.get("terminationGracePeriodSeconds");
        let at_grace = format!("{at}.terminationGracePeriodSeconds");
        if grace.as_i64().is_some_and(|n| n <= 0) {
            errors.invalid(&at_grace, grace, "must be greater than 0");
        }
        if name == "readinessProbe" {
            if !grace.is_null() {
                errors.invalid(at_grace, grace, "must not be set for readinessProbes");
            }
        } else if probe.i64_at(&["successThreshold"]).is_some_and(|n| n != 1) {
            errors.invalid(
                format!("{at}.successThreshold"),
                probe.get("successThreshold"),
                "must be 1",
            );
        }
    }
}

fn handler(value: &Value, kinds: &[&str], grace: Option<i64>, at: &str, errors: &mut FieldErrors) {
    let mut found = 0;
    for kind in kinds {
        let handler = value.get(kind);
        if handler.is_null() {
            continue;
        }
        let at = format!("{at}.{kind}");
        if found > 0 {
            errors.forbidden(at, "may not specify more than 1 handler type");
            continue;
        }
        found += 1;
        match *kind {
            "exec" if handler.get("command").is_empty() => errors.required(format!("{at}.command"), ""),
            "httpGet" => {
                if handler.get("path").is_empty() {
                    errors.required(format!("{at}.path"), "");
                }
                port_number_or_name(handler.get("port"), &format!("{at}.port"), errors);
                errors.enumerated(format!("{at}.scheme"), handler.get("scheme"), &["HTTP", "HTTPS"]);
                for header in handler.get("httpHeaders").items() {
                    errors.check(format!("{at}.httpHeaders"), header.get("name"), names::header_name);
                }
            }
            "tcpSocket" => port_number_or_name(handler.get("port"), &format!("{at}.port"), errors),
            "grpc" => port_number(handler.get("port"), &format!("{at}.port"), errors),
            "sleep" => {
                let seconds = handler.i64_at(&["seconds"]).unwrap_or(0);
                if let Some(most) = grace
                    && !(0..=most).contains(&seconds)
                {
                    let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({most})");
                    errors.invalid(at, &seconds.into(), why);
                }
            }
            _ => {}
        }
    }
    if found == 0 {
        errors.required(at, "must specify a handler type");
    }
}

fn dns_config(spec: &Value, field: &str, errors: &mut FieldErrors) {
    let config = spec.get("dnsConfig");
    if spec.get("dnsPolicy").str() == "None" {
        if config.is_null() {
            return errors.required(field, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if config.get("nameservers").is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.required(format!("{field}.nameservers"), why);
        }
    }
    let (servers, searches) = (config.get("nameservers"), config.get("searches"));
    if servers.items().len() > 3 {
        let why = "must not have more than 3 nameservers";
        errors.invalid(format!("{field}.nameservers"), servers, why);
    }
    for (i, server) in servers.items().iter().enumerate() {
        errors.check(format!("{field}.nameservers[{i}]"), server, names::ip);
    }
    if searches.items().len() > 32 {
        let why = "must not have more than 32 search paths";
        errors.invalid(format!("{field}.searches"), searches, why);
    }
    // The blanks between them count.
    let length: usize = searches.items().iter().map(|s| s.str().len() + 1).sum();
    if length > 2_049 {
        let why = "must not have more than 2048 characters (including spaces) in the search list";
        errors.invalid(format!("{field}.searches"), searches, why);
    }
    for (i, search) in searches.items().iter().enumerate() {
        if search.str() != "." {
            let bare = Value::from(search.str().strip_suffix('.').unwrap_or(search.str()));
            let rule = names::dns1123_subdomain_with_underscore;
            errors.check(format!("{field}.searches[{i}]"), &bare, rule);
        }
    }
    for (i, option) in config.get("options").items().iter().enumerate() {
        if option.get("name").is_empty() {
            errors.required(format!("{field}.options[{i}]"), "must not be empty");
        }
    }
}

pub(crate) fn tolerations(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, t) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (key, operator, effect) = (t.get("key"), t.get("operator"), t.get("effect"));
        let (value, operator) = (Value::from(t.get("value").str()), Value::from(operator.str()));
        errors.check_some(format!("{at}.key"), key, names::label_key);
        if key.is_empty() && operator.str() != "Exists" {
            errors.invalid(
                format!("{at}.operator"),
                &operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if !t.get("tolerationSeconds").is_null() && effect.str() != "NoExecute" {
            errors.invalid(
                format!("{at}.effect"),
                &effect.str().into(),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator.str() {
            "Equal" | "" => {
                if let Err(why) = names::label_value(value.str()) {
                    errors.invalid(format!("{at}.operator"), &value, why.0.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                errors.invalid(
                    format!("{at}.operator"),
                    &value,
                    "value must be empty when `operator` is 'Exists'",
                );
            }
            "Exists" | "Gt" | "Lt" => {}
            _ => errors.not_supported(format!("{at}.operator"), &operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            one_of(
                effect,
                &["NoSchedule", "PreferNoSchedule", "NoExecute"],
                format!("{at}.effect"),
                errors,
            );
        }
    }
}

/// Checks a term of a selector of nodes. Preferred terms may name values that no label can have.
fn node_term(term: &Value, required: bool, at: &str, errors: &mut FieldErrors) {
    for (i, e) in term.get("matchExpressions").items().iter().enumerate() {
        let at = format!("{at}.matchExpressions[{i}]");
        let values = e.get("values").items();
        match e.get("operator").str() {
            "In" | "NotIn" if values.is_empty() => errors.required(
                format!("{at}.values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
                format!("{at}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "Gt" | "Lt" if values.len() != 1 => errors.required(
                format!("{at}.values"),
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => errors.invalid(format!("{at}.operator"), &other.into(), "not a valid selector operator"),
        }
        errors.check(format!("{at}.key"), e.get("key"), names::label_key);
        if required {
            for (j, value) in values.iter().enumerate() {
                errors.check(format!("{at}.values[{j}]"), value, names::label_value);
            }
        }
    }
    for (i, e) in term.get("matchFields").items().iter().enumerate() {
        let at = format!("{at}.matchFields[{i}]");
        let values = e.get("values").items();
        match e.get("operator").str() {
            "In" | "NotIn" if values.len() == 1 => {}
            "In" | "NotIn" => errors.required(
                format!("{at}.values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
            other => errors.invalid(format!("{at}.operator"), &other.into(), "not a valid selector operator"),
        }
        if e.get("key").str() != "metadata.name" {
            errors.invalid(
                format!("{at}.key"),
                &e.get("key").str().into(),
                "not a valid field selector key",
            );
            continue;
        }
        for (j, value) in values.iter().enumerate() {
            errors.check(format!("{at}.values[{j}]"), value, names::dns1123_subdomain);
        }
    }
}

/// Checks a selector of nodes (`ValidateNodeSelector`).
pub(crate) fn node_selector(selector: &Value, field: &str, errors: &mut FieldErrors) {
    let at = format!("{field}.nodeSelectorTerms");
    let terms = selector.get("nodeSelectorTerms").items();
    if terms.is_empty() {
        errors.required(&at, "must have at least one node selector term");
    }
    for (i, term) in terms.iter().enumerate() {
        node_term(term, true, &format!("{at}[{i}]"), errors);
    }
}

fn weight(value: &Value, at: &str, errors: &mut FieldErrors) {
    let weight = value.as_i64().unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.invalid(format!("{at}.weight"), &weight.into(), "must be in the range 1-100");
    }
}

fn pod_term(term: &Value, at: &str, errors: &mut FieldErrors) {
    for part in ["labelSelector", "namespaceSelector"] {
        super::workload::selector_rules(term.get(part), &format!("{at}.{part}"), errors);
    }
    for name in term.get("namespaces").items() {
        errors.check(format!("{at}.namespace"), name, names::dns1123_label);
    }
    for list in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = term.get(list).items();
        if !keys.is_empty() && term.get("labelSelector").is_null() {
            let why = "must not be specified when labelSelector is not set";
            errors.forbidden(format!("{at}.{list}"), why);
            continue;
        }
        for (i, key) in keys.iter().enumerate() {
            errors.check(format!("{at}.{list}[{i}]"), key, names::label_key);
        }
    }
    for (i, key) in term.get("matchLabelKeys").items().iter().enumerate() {
        if term.get("mismatchLabelKeys").items().contains(key) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(format!("{at}.matchLabelKeys[{i}]"), key, why);
        }
    }
    let key = term.get("topologyKey");
    if key.is_empty() {
        errors.required(format!("{at}.topologyKey"), "can not be empty");
    }
    errors.check(format!("{at}.topologyKey"), key, names::label_key);
}

fn affinity(value: &Value, at: &str, errors: &mut FieldErrors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = value.get("nodeAffinity");
    if !node.get(REQUIRED).is_null() {
        node_selector(node.get(REQUIRED), &format!("{at}.nodeAffinity.{REQUIRED}"), errors);
    }
    for (i, term) in node.get(PREFERRED).items().iter().enumerate() {
        let at = format!("{at}.nodeAffinity.{PREFERRED}[{i}]");
        weight(term.get("weight"), &at, errors);
        node_term(term.get("preference"), false, &format!("{at}.preference"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (i, term) in value.at(&[kind, REQUIRED]).items().iter().enumerate() {
            pod_term(term, &format!("{at}.{kind}.{REQUIRED}[{i}]"), errors);
        }
        for (i, term) in value.at(&[kind, PREFERRED]).items().iter().enumerate() {
            let at = format!("{at}.{kind}.{PREFERRED}[{i}]");
            weight(term.get("weight"), &at, errors);
            pod_term(term.get("podAffinityTerm"), &format!("{at}.podAffinityTerm"), errors);
        }
    }
}

fn gates(spec: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, gate) in spec.get("readinessGates").items().iter().enumerate() {
        let at = format!("{field}.readinessGates[{i}].conditionType");
        errors.check(at, gate.get("conditionType"), names::label_key);
    }
    let mut seen = FlatSet::new();
    for (i, gate) in spec.get("schedulingGates").items().iter().enumerate() {
        let at = format!("{field}.schedulingGates[{i}]");
        let name = gate.get("name");
        errors.check(&at, name, names::label_key);
        if !seen.insert(name.str()) {
            errors.duplicate(&at, name);
        }
    }
}

fn spread(list: &Value, field: &str, errors: &mut FieldErrors) {
    const WHEN: [&str; 2] = ["DoNotSchedule", "ScheduleAnyway"];
    for (i, c) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let skew = c.i64_at(&["maxSkew"]).unwrap_or(0);
        if skew <= 0 {
            errors.invalid(format!("{at}.maxSkew"), &skew.into(), "must be greater than zero");
        }
        let (key, when) = (c.get("topologyKey"), c.get("whenUnsatisfiable"));
        if key.is_empty() {
            errors.required(format!("{at}.topologyKey"), "can not be empty");
        }
        let when = Value::from(when.str());
        errors.enumerated(format!("{at}.whenUnsatisfiable"), &when, &WHEN);
        let twin =
            |other: &&Value| other.get("topologyKey") == key && other.get("whenUnsatisfiable").str() == when.str();
        if list.items().iter().skip(i + 1).any(|o| twin(&o)) {
            let text = format!("{{{}, {}}}", key.str(), when.str());
            errors.duplicate(format!("{at}.{{topologyKey, whenUnsatisfiable}}"), &text.into());
        }
        let least = c.get("minDomains");
        if least.as_i64().is_some_and(|n| n <= 0) {
            errors.invalid(format!("{at}.minDomains"), least, "must be greater than zero");
        }
        if !least.is_null() && when.str() != "DoNotSchedule" {
            let why = format!(
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                when.str()
            );
            errors.invalid(format!("{at}.minDomains"), least, why);
        }
        for name in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            errors.enumerated(format!("{at}.{name}"), c.get(name), &["Honor", "Ignore"]);
        }
        let (keys, selector) = (c.get("matchLabelKeys").items(), c.get("labelSelector"));
        if !keys.is_empty() && selector.is_null() {
            let why = "must not be specified when labelSelector is not set";
            errors.forbidden(format!("{at}.matchLabelKeys"), why);
        }
        // A key may stand in both: the server itself adds them to the selector.
        for (j, key) in keys.iter().enumerate().filter(|_| !selector.is_null()) {
            errors.check(format!("{at}.matchLabelKeys[{j}]"), key, names::label_key);
        }
        super::workload::selector_rules(selector, &format!("{at}.labelSelector"), errors);
    }
}
