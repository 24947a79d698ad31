//! Security contexts, of pods and containers, and what the operating system allows of them.

use super::super::internal;
use super::{Pod, descending, visit, within};
use crate::api::names;
use crate::api::status::FieldErrors;
use crate::flat::FlatSet;
use crate::value::Value;

const UNIX_ID: (i64, i64) = (0, i32::MAX as i64);

pub(super) fn host_network(pod: &Pod, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn security_context(pod: &Pod, context: &Value, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn pod_security(pod: &Pod, spec_field: &str, errors: &mut FieldErrors) {
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

pub(super) fn host_processes(pod: &Pod, field: &str, errors: &mut FieldErrors) {
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

pub(super) fn operating_system(pod: &Pod, field: &str, errors: &mut FieldErrors) {
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
