//! Containers of all kinds: their ports, mounts, probes and resources.

use super::super::resources::{self, Holder};
use super::env::{env, env_from};
use super::security::security_context;
use super::{Pod, descending, one_of, port_number, port_number_or_name, protocol};
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::flat::{FlatMap, FlatSet};
use crate::value::Value;

pub(super) fn image_spaces(c: &Value, at: &str, errors: &mut FieldErrors) {
    let image = c.get("image");
    if image.str().trim() != image.str() {
        let why = "must not have leading or trailing whitespace";
        errors.invalid(format!("{at}.image"), image, why);
    }
}

/// Checks the containers, and gives their names.
pub(super) fn containers<'a>(pod: &Pod<'a>, field: &str, errors: &mut FieldErrors) -> FlatSet<&'a str> {
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

pub(super) fn init_containers<'a>(
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

pub(super) fn ephemeral_containers(pod: &Pod, others: FlatSet<&str>, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn pod_resources(pod: &Pod, field: &str, errors: &mut FieldErrors) {
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
            super::super::workload::non_negative(probe.get(part), format!("{at}.{part}"), errors);
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
