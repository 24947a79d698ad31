//! Defaults of pod specs and pod templates (`pkg/apis/core/v1/defaults.go`).

use super::{edit, edit_at, edit_items, set_default, set_default_zero};
use crate::value::Value;

/// Sets the defaults of a pod template: those of its pod spec. Where Go holds the template itself and
/// no pointer to it, one that is absent has them too.
pub(crate) fn template_defaults(object: &mut Value, path: &[&str]) {
    if object.at(path).is_null() {
        object.set(path, Value::map());
    }
    optional_template_defaults(object, path);
}

/// The same of a template that may be absent.
pub(crate) fn optional_template_defaults(object: &mut Value, path: &[&str]) {
    edit_at(object, path, &mut |template| {
        set_default(template, "metadata", Value::map());
        set_default(template, "spec", Value::map());
        edit(template, "spec", spec_defaults);
    });
}

/// Sets the defaults of a pod spec that templates and pods share.
pub(crate) fn spec_defaults(spec: &mut Value) {
    set_default_zero(spec, "dnsPolicy", "ClusterFirst");
    set_default_zero(spec, "restartPolicy", "Always");
    set_default(spec, "securityContext", Value::map());
    set_default(spec, "terminationGracePeriodSeconds", 30);
    set_default_zero(spec, "schedulerName", "default-scheduler");
    // The deprecated name is kept beside the new one.
    let account = spec.get("serviceAccountName").clone();
    if !account.is_empty() {
        if spec.get("serviceAccount") != &account {
            spec.set(&["serviceAccount"], account);
        }
    } else if !spec.get("serviceAccount").is_empty() {
        let account = spec.get("serviceAccount").clone();
        spec.set(&["serviceAccountName"], account);
    }
    let host_network = spec.bool_at(&["hostNetwork"]);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        edit_items(spec, list, |c| container_defaults(c, host_network));
    }
    edit_items(spec, "volumes", volume_defaults);
}

/// Sets the defaults of pods that templates do not have (`SetDefaults_Pod`).
pub(crate) fn pod_defaults(spec: &mut Value) {
    for list in ["containers", "initContainers"] {
        edit_items(spec, list, requests_from_limits);
    }
    requests_from_limits(spec);
    set_default(spec, "enableServiceLinks", true);
}

/// A limit without a request is its request.
fn requests_from_limits(holder: &mut Value) {
    let missing: Vec<(String, Value)> = holder
        .at(&["resources", "limits"])
        .entries()
        .filter(|(k, _)| !holder.at(&["resources", "requests"]).has(k))
        .map(|(k, v)| (k.to_string(), v.clone()))
        .collect();
    for (name, amount) in missing {
        holder.set(&["resources", "requests", &name], amount);
    }
}

fn container_defaults(c: &mut Value, host_network: bool) {
    if c.get("imagePullPolicy").is_empty() {
        c.set(&["imagePullPolicy"], pull_policy(c.get("image").str()));
    }
    set_default_zero(c, "terminationMessagePath", "/dev/termination-log");
    set_default_zero(c, "terminationMessagePolicy", "File");
    set_default(c, "resources", Value::map());
    edit_items(c, "ports", |port| {
        set_default_zero(port, "protocol", "TCP");
        if host_network {
            let number = port.get("containerPort").clone();
            if !number.is_null() {
                set_default_zero(port, "hostPort", number);
            }
        }
    });
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        edit(c, probe, |p| {
            set_default_zero(p, "timeoutSeconds", 1);
            set_default_zero(p, "periodSeconds", 10);
            set_default_zero(p, "successThreshold", 1);
            set_default_zero(p, "failureThreshold", 3);
            handler_defaults(p);
        });
    }
    for hook in ["postStart", "preStop"] {
        edit_at(c, &["lifecycle", hook], &mut handler_defaults);
    }
    edit_items(c, "env", |env| {
        edit(env, "valueFrom", field_ref_default);
    });
}

fn handler_defaults(handler: &mut Value) {
    edit(handler, "httpGet", |get| {
        set_default_zero(get, "path", "/");
        set_default_zero(get, "scheme", "HTTP");
    });
    edit(handler, "grpc", |grpc| set_default(grpc, "service", ""));
}

/// `Always` for images without a tag or with `latest`.
pub(crate) fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    // The tag follows the last colon, unless that colon is a registry's port.
    let tag = image
        .rsplit_once(':')
        .map(|(_, t)| t)
        .filter(|t| !t.contains('/'))
        .unwrap_or("latest");
    if tag == "latest" { "Always" } else { "IfNotPresent" }
}

/// The mode of files in volumes of ConfigMaps and their kin: 0644.
const FILE_MODE: i64 = 420;

fn volume_defaults(volume: &mut Value) {
    let sourceless = volume.entries().all(|(k, v)| &**k == "name" || v.is_null());
    if sourceless {
        volume.set(&["emptyDir"], Value::map());
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        edit(volume, source, |s| set_default(s, "defaultMode", FILE_MODE));
    }
    edit(volume, "downwardAPI", |d| edit_items(d, "items", field_ref_default));
    edit(volume, "hostPath", |h| set_default(h, "type", ""));
    edit(volume, "projected", |p| {
        edit_items(p, "sources", |source| {
            edit(source, "serviceAccountToken", |t| {
                set_default(t, "expirationSeconds", 3600)
            });
            edit(source, "downwardAPI", |d| edit_items(d, "items", field_ref_default));
        });
    });
    edit_at(volume, &["ephemeral", "volumeClaimTemplate"], &mut |t| {
        set_default(t, "metadata", Value::map());
        edit(t, "spec", |s| set_default(s, "volumeMode", "Filesystem"));
    });
    edit(volume, "image", |i| {
        let policy = pull_policy(i.get("reference").str());
        set_default_zero(i, "pullPolicy", policy);
    });
    edit(volume, "iscsi", |i| set_default_zero(i, "iscsiInterface", "default"));
}

fn field_ref_default(item: &mut Value) {
    edit(item, "fieldRef", |f| set_default_zero(f, "apiVersion", "v1"));
    // A quantity is written out even if it was left out.
    edit(item, "resourceFieldRef", |r| set_default(r, "divisor", "0"));
}

/// `Guaranteed`, `Burstable` or `BestEffort` (`ComputePodQOS`): by cpu and memory only.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    use crate::api::quantity::Quantity;
    let mut any = false;
    let mut guaranteed = true;
    let pod_level = spec.get("resources");
    let containers: Vec<&Value> = if pod_level.get("requests").is_empty() && pod_level.get("limits").is_empty() {
        spec.get("containers")
            .items()
            .iter()
            .chain(spec.get("initContainers").items())
            .collect()
    } else {
        vec![spec]
    };
    for c in containers {
        for name in ["cpu", "memory"] {
            let amount = |which: &str| Quantity::parse_or_zero(c.at(&["resources", which, name]).str());
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= !request.is_zero() || !limit.is_zero();
            guaranteed &= !limit.is_zero() && (request == limit || request.is_zero());
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn pull_policies() {
        for (image, want) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("localhost:5000/nginx", "Always"),
            ("localhost:5000/nginx:1", "IfNotPresent"),
            ("nginx@sha256:abc", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), want, "{image}");
        }
    }

    #[test]
    fn defaulting_twice_copies_nothing() {
        let mut spec = obj! {
            "containers": list![obj! {
                "name": "c",
                "image": "nginx",
                "ports": list![obj! { "containerPort": 80 }],
                "livenessProbe": obj! { "httpGet": obj! { "port": 80 } },
            }],
            "volumes": list![obj! { "name": "a" }, obj! { "name": "b", "configMap": obj! { "name": "x" } }],
        };
        spec_defaults(&mut spec);
        pod_defaults(&mut spec);
        let once = spec.clone();
        spec_defaults(&mut spec);
        pod_defaults(&mut spec);
        assert!(spec.same(&once));
        assert_eq!(
            spec.at(&["volumes"]).items()[0].to_json(),
            r#"{"emptyDir":{},"name":"a"}"#
        );
        assert_eq!(qos_class(&spec), "BestEffort");
    }
}
