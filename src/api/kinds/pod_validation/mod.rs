//! Validation of pod specs (`pkg/apis/core/validation`), for pods and templates alike.

mod containers;
mod env;
mod scheduling;
mod security;

use std::fmt::Display;

use self::containers::{containers, ephemeral_containers, image_spaces, init_containers, pod_resources};
pub(super) use self::env::{field_ref, resource_ref};
use self::scheduling::{affinity, gates, spread};
pub(crate) use self::scheduling::{node_selector, tolerations};
use self::security::{host_network, host_processes, operating_system, pod_security};
use super::resources::{self, Holder};
use super::volume_validation;
use crate::api::metadata;
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::well_known;
use crate::flat::FlatMap;
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
        if key.starts_with(well_known::APPARMOR_PREFIX) {
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
