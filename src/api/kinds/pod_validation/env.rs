//! The environment of containers, and references to fields and resources of the pod.

use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::flat::Case;
use crate::value::Value;

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
pub(in crate::api::kinds) fn field_ref(reference: &Value, known: &[&str], field: &str, errors: &mut FieldErrors) {
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
pub(in crate::api::kinds) fn resource_ref(reference: &Value, of_volume: bool, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn env(list: &Value, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn env_from(list: &Value, field: &str, errors: &mut FieldErrors) {
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
