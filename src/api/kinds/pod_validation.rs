//! Validation of pod specs (`pkg/apis/core/validation`), for pods and templates alike.

use std::fmt::Display;

use crate::api::metadata;
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::flat::FlatSet;
use crate::value::Value;

/// Checks a pod spec at the path `field`.
pub(crate) fn spec(spec: &Value, field: &str, errors: &mut FieldErrors) {
    let volumes = volumes(spec.get("volumes"), &format!("{field}.volumes"), errors);
    let containers = spec.get("containers");
    if containers.is_empty() {
        errors.required(format!("{field}.containers"), "");
    }
    let mut seen = FlatSet::new();
    for (i, c) in containers.items().iter().enumerate() {
        let at = format!("{field}.containers[{i}]");
        container(c, &at, &volumes, errors);
        if !seen.insert(c.get("name").str()) {
            errors.duplicate(format!("{at}.name"), c.get("name"));
        }
        probes(c, &at, errors);
    }
    host_port_conflicts(containers.items(), &format!("{field}.containers"), errors);
    for (i, c) in spec.get("initContainers").items().iter().enumerate() {
        let at = format!("{field}.initContainers[{i}]");
        container(c, &at, &volumes, errors);
        if !c.get("name").is_empty() && !seen.insert(c.get("name").str()) {
            errors.duplicate(format!("{at}.name"), c.get("name"));
        }
        let policy = c.get("restartPolicy");
        if policy.str() == "Always" {
            probes(c, &at, errors);
        } else {
            for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if !c.get(name).is_null() {
                    errors.forbidden(
                        format!("{at}.{name}"),
                        "may not be set for init containers without restartPolicy=Always",
                    );
                }
            }
        }
    }
    for (i, c) in spec.get("ephemeralContainers").items().iter().enumerate() {
        let at = format!("{field}.ephemeralContainers[{i}]");
        container(c, &at, &volumes, errors);
        if !seen.insert(c.get("name").str()) {
            errors.duplicate(format!("{at}.name"), c.get("name"));
        }
        for name in ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
            if !c.get(name).is_empty() {
                errors.forbidden(format!("{at}.{name}"), "cannot be set for an Ephemeral Container");
            }
        }
    }
    if !spec.get("resources").is_null() {
        resources(spec.get("resources"), &format!("{field}.resources"), errors);
    }
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
    if spec.get("dnsPolicy").str() == "None" && spec.at(&["dnsConfig", "nameservers"]).is_empty() {
        errors.required(
            format!("{field}.dnsConfig.nameservers"),
            "must provide at least one DNS nameserver when `dnsPolicy` is None",
        );
    }
    metadata::labels(spec.get("nodeSelector"), &format!("{field}.nodeSelector"), errors);
    host_network(spec, field, errors);
    affinity(spec.get("affinity"), &format!("{field}.affinity"), errors);
    gates(spec, field, errors);
    spread(
        spec.get("topologySpreadConstraints"),
        &format!("{field}.topologySpreadConstraints"),
        errors,
    );
    for (name, check) in [
        (
            "serviceAccountName",
            names::dns1123_subdomain as fn(&str) -> Result<(), String>,
        ),
        ("nodeName", names::dns1123_subdomain),
    ] {
        named(spec.get(name), check, &format!("{field}.{name}"), errors);
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline
        .as_i64()
        .is_some_and(|n| !(1..=i64::from(i32::MAX)).contains(&n))
    {
        errors.invalid(
            format!("{field}.activeDeadlineSeconds"),
            deadline,
            format!("must be between 1 and {}, inclusive", i32::MAX),
        );
    }
    for name in ["hostname", "subdomain"] {
        named(spec.get(name), names::dns1123_label, &format!("{field}.{name}"), errors);
    }
    tolerations(spec.get("tolerations"), &format!("{field}.tolerations"), errors);
    for (i, alias) in spec.get("hostAliases").items().iter().enumerate() {
        let at = format!("{field}.hostAliases[{i}]");
        if alias.get("ip").str().parse::<std::net::IpAddr>().is_err() {
            errors.invalid(
                format!("{at}.ip"),
                alias.get("ip"),
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
        for (j, name) in alias.get("hostnames").items().iter().enumerate() {
            named(name, names::dns1123_subdomain, &format!("{at}.hostnames[{j}]"), errors);
        }
    }
    for name in ["priorityClassName", "runtimeClassName"] {
        named(
            spec.get(name),
            names::dns1123_subdomain,
            &format!("{field}.{name}"),
            errors,
        );
    }
    if !spec.get("preemptionPolicy").is_empty() {
        one_of(
            spec.get("preemptionPolicy"),
            &["PreemptLowerPriority", "Never"],
            format!("{field}.preemptionPolicy"),
            errors,
        );
    }
}

fn named(value: &Value, check: fn(&str) -> Result<(), String>, field: &str, errors: &mut FieldErrors) {
    if !value.is_empty()
        && let Err(why) = check(value.str())
    {
        errors.invalid(field, value, why);
    }
}

/// A text that must be one of these.
pub(crate) fn one_of(value: &Value, allowed: &[&str], field: impl Display, errors: &mut FieldErrors) {
    match value.str() {
        "" => errors.required(field, ""),
        text if allowed.contains(&text) => {}
        _ => errors.not_supported(field, value, allowed),
    }
}

/// A number of 1 to 65535.
pub(crate) fn port_number(value: &Value, field: &str, errors: &mut FieldErrors) {
    if !(1..=65_535).contains(&value.as_i64().unwrap_or(0)) {
        let shown = if value.is_null() { Value::from(0) } else { value.clone() };
        errors.invalid(field, &shown, "must be between 1 and 65535, inclusive");
    }
}

/// `TCP`, `UDP` or `SCTP`.
pub(crate) fn protocol(value: &Value, field: &str, errors: &mut FieldErrors) {
    one_of(value, &["SCTP", "TCP", "UDP"], field, errors);
}

/// A port's number, or its name.
pub(crate) fn port_number_or_name(value: &Value, field: &str, errors: &mut FieldErrors) {
    match value {
        Value::Str(name) => {
            if let Err(all) = names::port_name(name) {
                for why in all {
                    errors.invalid(field, value, why);
                }
            }
        }
        other => port_number(other, field, errors),
    }
}

fn container(c: &Value, at: &str, volumes: &FlatSet<String>, errors: &mut FieldErrors) {
    let name = c.get("name");
    if name.is_empty() {
        errors.required(format!("{at}.name"), "");
    } else {
        named(name, names::dns1123_label, &format!("{at}.name"), errors);
    }
    let image = c.get("image").str();
    if image.is_empty() {
        errors.required(format!("{at}.image"), "");
    } else if image.trim() != image {
        errors.invalid(
            format!("{at}.image"),
            c.get("image"),
            "must not have leading or trailing whitespace",
        );
    }
    one_of(
        c.get("terminationMessagePolicy"),
        &["FallbackToLogsOnError", "File"],
        format!("{at}.terminationMessagePolicy"),
        errors,
    );
    ports(c.get("ports"), &format!("{at}.ports"), errors);
    env(c.get("env"), &format!("{at}.env"), errors);
    env_from(c.get("envFrom"), &format!("{at}.envFrom"), errors);
    mounts(c.get("volumeMounts"), volumes, &format!("{at}.volumeMounts"), errors);
    one_of(
        c.get("imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
        format!("{at}.imagePullPolicy"),
        errors,
    );
    resources(c.get("resources"), &format!("{at}.resources"), errors);
    let security = c.get("securityContext");
    if security.bool_at(&["privileged"]) && security.get("allowPrivilegeEscalation").as_bool() == Some(false) {
        errors.invalid(
            format!("{at}.securityContext"),
            security,
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        );
    }
    for (name, most) in [("runAsUser", i64::from(i32::MAX)), ("runAsGroup", i64::from(i32::MAX))] {
        let id = security.get(name);
        if id.as_i64().is_some_and(|n| !(0..=most).contains(&n)) {
            errors.invalid(
                format!("{at}.securityContext.{name}"),
                id,
                format!("must be between 0 and {most}, inclusive"),
            );
        }
    }
}

fn ports(list: &Value, field: &str, errors: &mut FieldErrors) {
    let mut seen = FlatSet::new();
    for (i, port) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = port.get("name");
        if !name.is_empty() {
            match names::port_name(name.str()) {
                Err(all) => {
                    for why in all {
                        errors.invalid(format!("{at}.name"), name, why);
                    }
                }
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

fn host_network(spec: &Value, field: &str, errors: &mut FieldErrors) {
    if !spec.bool_at(&["hostNetwork"]) {
        return;
    }
    for list in ["containers", "initContainers"] {
        for (i, c) in spec.get(list).items().iter().enumerate() {
            for (j, port) in c.get("ports").items().iter().enumerate() {
                let host = port.i64_at(&["hostPort"]).unwrap_or(0);
                if host != port.i64_at(&["containerPort"]).unwrap_or(0) {
                    errors.invalid(
                        format!("{field}.{list}[{i}].ports[{j}].containerPort"),
                        port.get("containerPort"),
                        "must match `hostPort` when `hostNetwork` is true",
                    );
                }
            }
        }
    }
}

/// The name of an environment variable: printable ASCII but `=`.
fn env_name(name: &str) -> Result<(), String> {
    if !name.is_empty() && name.bytes().all(|c| (0x20..0x7f).contains(&c) && c != b'=') {
        return Ok(());
    }
    Err("a valid environment variable name must consist only of printable ASCII characters other than '='".into())
}

const DOWNWARD: [&str; 9] = [
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

fn env(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, variable) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = variable.get("name");
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        } else {
            named(name, env_name, &format!("{at}.name"), errors);
        }
        let from = variable.get("valueFrom");
        if from.is_null() {
            continue;
        }
        let at = format!("{at}.valueFrom");
        let sources = from.entries().filter(|(_, v)| !v.is_null()).count();
        if sources == 0 {
            errors.invalid(
                &at,
                &"".into(),
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            );
        } else if !variable.get("value").is_empty() {
            errors.invalid(&at, &"".into(), "may not be specified when `value` is not empty");
        } else if sources > 1 {
            errors.invalid(&at, &"".into(), "may not have more than one field specified at a time");
        }
        let path = from.at(&["fieldRef", "fieldPath"]);
        if !from.get("fieldRef").is_null() {
            let at = format!("{at}.fieldRef.fieldPath");
            let subscript =
                path.str().starts_with("metadata.labels['") || path.str().starts_with("metadata.annotations['");
            if path.is_empty() {
                errors.required(at, "");
            } else if !subscript && !DOWNWARD.contains(&path.str()) {
                if path.str().starts_with("metadata.")
                    || path.str().starts_with("spec.")
                    || path.str().starts_with("status.")
                {
                    errors.not_supported(at, path, &DOWNWARD);
                } else {
                    errors.invalid(
                        at,
                        path,
                        format!("error converting fieldPath: field label not supported: {}", path.str()),
                    );
                }
            }
        }
        for reference in ["configMapKeyRef", "secretKeyRef"] {
            let source = from.get(reference);
            if source.is_null() {
                continue;
            }
            let key = source.get("key");
            if key.is_empty() {
                errors.required(format!("{at}.{reference}.key"), "");
            } else {
                named(key, names::config_map_key, &format!("{at}.{reference}.key"), errors);
            }
        }
        let resource = from.get("resourceFieldRef");
        if !resource.is_null() && resource.get("resource").is_empty() {
            errors.required(format!("{at}.resourceFieldRef.resource"), "");
        }
    }
}

fn env_from(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, source) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        named(source.get("prefix"), env_name, &format!("{at}.prefix"), errors);
        let kinds: Vec<&str> = ["configMapRef", "secretRef"]
            .into_iter()
            .filter(|k| !source.get(k).is_null())
            .collect();
        match kinds.as_slice() {
            [] => errors.invalid(&at, &"".into(), "must specify one of: `configMapRef` or `secretRef`"),
            [kind] if source.at(&[kind, "name"]).is_empty() => errors.required(format!("{at}.{kind}.name"), ""),
            [_] => {}
            _ => errors.invalid(&at, &"".into(), "may not have more than one field specified at a time"),
        }
    }
}

fn mounts(list: &Value, volumes: &FlatSet<String>, field: &str, errors: &mut FieldErrors) {
    let mut paths = FlatSet::new();
    for (i, mount) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = mount.get("name");
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        }
        if !volumes.contains(name.str()) {
            errors.not_found(format!("{at}.name"), name);
        }
        let path = mount.get("mountPath");
        if path.is_empty() {
            errors.required(format!("{at}.mountPath"), "");
        }
        if !paths.insert(path.str()) {
            errors.invalid(format!("{at}.mountPath"), path, "must be unique");
        }
        for sub in ["subPath", "subPathExpr"] {
            let path = mount.get(sub);
            if path.str().starts_with('/') {
                errors.invalid(format!("{at}.{sub}"), path, "must be a relative path");
            } else if path.str().split('/').any(|p| p == "..") {
                errors.invalid(format!("{at}.{sub}"), path, "must not contain '..'");
            }
        }
    }
}

fn is_standard(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-")
}

/// Names that some resource list somewhere may have without a domain.
fn is_known(name: &str) -> bool {
    is_standard(name)
        || matches!(
            name,
            "storage"
                | "pods"
                | "services"
                | "replicationcontrollers"
                | "resourcequotas"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
                | "services.nodeports"
                | "services.loadbalancers"
        )
        || name.starts_with("requests.")
        || name.starts_with("limits.")
        || name.starts_with("count/")
}

pub(crate) fn resources(value: &Value, field: &str, errors: &mut FieldErrors) {
    for list in ["limits", "requests"] {
        for (name, amount) in value.get(list).entries() {
            let at = format!("{field}.{list}[{}]", &**name);
            let shown = Value::from(name);
            if let Err(why) = names::label_key(name) {
                errors.invalid(&at, &shown, why);
            } else if !name.contains('/') {
                if !is_known(name) {
                    errors.invalid(&at, &shown, "must be a standard resource type or fully qualified");
                }
                if !is_standard(name) {
                    errors.invalid(&at, &shown, "must be a standard resource for containers");
                }
            }
            let quantity = Quantity::parse_or_zero(amount.str());
            if quantity.is_negative() {
                errors.invalid(&at, amount, "must be greater than or equal to 0");
            }
            if name.contains('/') && quantity.milli_value() % 1000 != 0 {
                errors.invalid(&at, amount, "must be an integer");
            }
        }
    }
    for (name, amount) in value.get("requests").entries() {
        let Some(limit) = value.at(&["limits", name]).as_str() else {
            continue;
        };
        let (asked, most) = (Quantity::parse_or_zero(amount.str()), Quantity::parse_or_zero(limit));
        let extended = name.contains('/') || name.starts_with("hugepages-");
        if extended && asked != most {
            errors.invalid(
                format!("{field}.requests"),
                amount,
                format!("must be equal to {} limit of {most}", &**name),
            );
        } else if asked > most {
            errors.invalid(
                format!("{field}.requests"),
                amount,
                format!("must be less than or equal to {} limit of {most}", &**name),
            );
        }
    }
}

fn probes(c: &Value, at: &str, errors: &mut FieldErrors) {
    for hook in ["postStart", "preStop"] {
        let value = c.at(&["lifecycle", hook]);
        if !value.is_null() {
            handler(
                value,
                &["exec", "httpGet", "tcpSocket", "sleep"],
                &format!("{at}.lifecycle.{hook}"),
                errors,
            );
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = c.get(name);
        if probe.is_null() {
            continue;
        }
        let at = format!("{at}.{name}");
        handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], &at, errors);
        for part in [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ] {
            super::workload::non_negative(probe.get(part), format!("{at}.{part}"), errors);
        }
        if name != "readinessProbe" && probe.i64_at(&["successThreshold"]).is_some_and(|n| n != 1) {
            errors.invalid(
                format!("{at}.successThreshold"),
                probe.get("successThreshold"),
                "must be 1",
            );
        }
        let grace = probe.get("terminationGracePeriodSeconds");
        if !grace.is_null() {
            if name == "readinessProbe" {
                errors.invalid(
                    format!("{at}.terminationGracePeriodSeconds"),
                    grace,
                    "must not be set for readinessProbes",
                );
            } else if grace.as_i64().is_some_and(|n| n <= 0) {
                errors.invalid(
                    format!("{at}.terminationGracePeriodSeconds"),
                    grace,
                    "must be greater than 0",
                );
            }
        }
    }
}

fn handler(value: &Value, kinds: &[&str], at: &str, errors: &mut FieldErrors) {
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
                one_of(
                    handler.get("scheme"),
                    &["HTTP", "HTTPS"],
                    format!("{at}.scheme"),
                    errors,
                );
            }
            "tcpSocket" => port_number_or_name(handler.get("port"), &format!("{at}.port"), errors),
            "grpc" => port_number(handler.get("port"), &format!("{at}.port"), errors),
            _ => {}
        }
    }
    if found == 0 {
        errors.required(at, "must specify a handler type");
    }
}

/// Checks volumes, and gives their names.
fn volumes(list: &Value, field: &str, errors: &mut FieldErrors) -> FlatSet<String> {
    let mut seen = FlatSet::new();
    for (i, volume) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = volume.get("name");
        let mut sources = volume.entries().filter(|(k, v)| &***k != "name" && !v.is_null());
        if let Some((kind, source)) = sources.next() {
            volume_source(kind, source, &format!("{at}.{}", &**kind), errors);
        }
        for (kind, _) in sources {
            errors.forbidden(format!("{at}.{}", &**kind), "may not specify more than 1 volume type");
        }
        if name.is_empty() {
            errors.required(format!("{at}.name"), "");
        } else {
            named(name, names::dns1123_label, &format!("{at}.name"), errors);
        }
        if !name.is_empty() && !seen.insert(name.str().to_owned()) {
            errors.duplicate(format!("{at}.name"), name);
        }
    }
    seen
}

fn volume_source(kind: &str, source: &Value, at: &str, errors: &mut FieldErrors) {
    let need = |field: &str, errors: &mut FieldErrors| {
        if source.get(field).is_empty() {
            errors.required(format!("{at}.{field}"), "");
        }
    };
    let items = |errors: &mut FieldErrors| {
        for (i, item) in source.get("items").items().iter().enumerate() {
            for part in ["key", "path"] {
                if item.get(part).is_empty() {
                    errors.required(format!("{at}.items[{i}].{part}"), "");
                }
            }
        }
    };
    let mode = |errors: &mut FieldErrors| {
        let mode = source.get("defaultMode");
        if mode.as_i64().is_some_and(|m| !(0..=0o777).contains(&m)) {
            errors.invalid(
                format!("{at}.defaultMode"),
                mode,
                "must be a number between 0 and 0777 (octal), both inclusive",
            );
        }
    };
    match kind {
        "hostPath" => {
            need("path", errors);
            let kinds = [
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ];
            if !kinds.contains(&source.get("type").str()) {
                errors.not_supported(format!("{at}.type"), source.get("type"), &kinds);
            }
        }
        "configMap" => {
            need("name", errors);
            mode(errors);
            items(errors);
        }
        "secret" => {
            need("secretName", errors);
            mode(errors);
            items(errors);
        }
        "persistentVolumeClaim" => need("claimName", errors),
        "nfs" => {
            need("server", errors);
            need("path", errors);
        }
        "projected" => mode(errors),
        "emptyDir" => {
            let limit = source.get("sizeLimit");
            if Quantity::parse_or_zero(limit.str()).is_negative() {
                errors.forbidden(
                    format!("{at}.sizeLimit"),
                    "SizeLimit field must be a valid resource quantity",
                );
            }
        }
        "csi" => need("driver", errors),
        _ => {}
    }
}

pub(crate) fn tolerations(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, t) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let (key, operator, effect) = (t.get("key"), t.get("operator"), t.get("effect"));
        if !key.is_empty()
            && let Err(why) = names::label_key(key.str())
        {
            errors.invalid(format!("{at}.key"), key, why);
        }
        if key.is_empty() && operator.str() != "Exists" {
            errors.invalid(
                format!("{at}.operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if !t.get("tolerationSeconds").is_null() && effect.str() != "NoExecute" {
            errors.invalid(
                format!("{at}.effect"),
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator.str() {
            "Equal" | "" => {
                if let Err(why) = names::label_value(t.get("value").str()) {
                    errors.invalid(format!("{at}.operator"), t.get("value"), why);
                }
            }
            "Exists" if !t.get("value").is_empty() => {
                errors.invalid(
                    format!("{at}.operator"),
                    t,
                    "value must be empty when `operator` is 'Exists'",
                );
            }
            "Exists" | "Gt" | "Lt" => {}
            _ => errors.not_supported(format!("{at}.operator"), operator, &["Equal", "Exists"]),
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

fn node_term(term: &Value, at: &str, errors: &mut FieldErrors) {
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
            _ => errors.invalid(
                format!("{at}.operator"),
                e.get("operator"),
                "not a valid selector operator",
            ),
        }
        if let Err(why) = names::label_key(e.get("key").str()) {
            errors.invalid(format!("{at}.key"), e.get("key"), why);
        }
    }
}

fn weight(value: &Value, at: &str, errors: &mut FieldErrors) {
    if !(1..=100).contains(&value.as_i64().unwrap_or(0)) {
        errors.invalid(format!("{at}.weight"), value, "must be in the range 1-100");
    }
}

fn pod_term(term: &Value, at: &str, errors: &mut FieldErrors) {
    if !term.get("labelSelector").is_null() {
        super::workload::selector_rules(term.get("labelSelector"), &format!("{at}.labelSelector"), errors);
    }
    let key = term.get("topologyKey");
    if key.is_empty() {
        errors.required(format!("{at}.topologyKey"), "can not be empty");
    } else if let Err(why) = names::label_key(key.str()) {
        errors.invalid(format!("{at}.topologyKey"), key, why);
    }
}

fn affinity(value: &Value, at: &str, errors: &mut FieldErrors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = value.get("nodeAffinity");
    let required = node.get(REQUIRED);
    if !required.is_null() {
        let at = format!("{at}.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
        let terms = required.get("nodeSelectorTerms").items();
        if terms.is_empty() {
            errors.required(&at, "must have at least one node selector term");
        }
        for (i, term) in terms.iter().enumerate() {
            node_term(term, &format!("{at}[{i}]"), errors);
        }
    }
    for (i, term) in node.get(PREFERRED).items().iter().enumerate() {
        let at = format!("{at}.nodeAffinity.{PREFERRED}[{i}]");
        weight(term.get("weight"), &at, errors);
        node_term(term.get("preference"), &format!("{at}.preference"), errors);
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
    let mut seen = FlatSet::new();
    for (i, gate) in spec.get("schedulingGates").items().iter().enumerate() {
        let at = format!("{field}.schedulingGates[{i}].name");
        let name = gate.get("name");
        if let Err(why) = names::label_key(name.str()) {
            errors.invalid(&at, name, why);
        }
        if !seen.insert(name.str()) {
            errors.duplicate(&at, name);
        }
    }
    for (i, gate) in spec.get("readinessGates").items().iter().enumerate() {
        if let Err(why) = names::label_key(gate.get("conditionType").str()) {
            errors.invalid(
                format!("{field}.readinessGates[{i}].conditionType"),
                gate.get("conditionType"),
                why,
            );
        }
    }
}

fn spread(list: &Value, field: &str, errors: &mut FieldErrors) {
    for (i, c) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        if c.i64_at(&["maxSkew"]).unwrap_or(0) <= 0 {
            let shown = Value::from(c.i64_at(&["maxSkew"]).unwrap_or(0));
            errors.invalid(format!("{at}.maxSkew"), &shown, "must be greater than zero");
        }
        if c.get("topologyKey").is_empty() {
            errors.required(format!("{at}.topologyKey"), "can not be empty");
        }
        let when = c.get("whenUnsatisfiable");
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&when.str()) {
            errors.not_supported(
                format!("{at}.whenUnsatisfiable"),
                when,
                &["DoNotSchedule", "ScheduleAnyway"],
            );
        }
        let least = c.get("minDomains");
        if !least.is_null() {
            if least.as_i64().is_some_and(|n| n <= 0) {
                errors.invalid(format!("{at}.minDomains"), least, "must be greater than zero");
            } else if when.str() != "DoNotSchedule" {
                errors.invalid(
                    format!("{at}.minDomains"),
                    least,
                    format!(
                        "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                        when.str()
                    ),
                );
            }
        }
        if !c.get("labelSelector").is_null() {
            super::workload::selector_rules(c.get("labelSelector"), &format!("{at}.labelSelector"), errors);
        }
    }
}
