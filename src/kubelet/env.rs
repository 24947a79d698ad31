//! The environment of a container: its image's, its services', and what its spec sets; and the
//! `$(NAME)` references of commands and values.

use crate::api::Object;
use crate::api::quantity::Quantity;
use crate::api::views::{Container, Pod};
use crate::flat::{FlatMap, FlatSet};
use crate::shell::Env;
use crate::value::{Value, quoted};

/// What a `fieldRef` names.
///
/// # Errors
/// The kubelet's sentence for a path that it does not know.
pub fn field(pod: &Object, path: &str) -> Result<String, String> {
    let quoted = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']");
    if let Some(key) = quoted("metadata.labels") {
        return Ok(pod.label(key).unwrap_or("").to_owned());
    }
    if let Some(key) = quoted("metadata.annotations") {
        return Ok(pod.annotation(key).unwrap_or("").to_owned());
    }
    let text = |path: &[&str]| Ok(pod.value().str_at(path).to_owned());
    match path {
        "metadata.name" => text(&["metadata", "name"]),
        "metadata.namespace" => text(&["metadata", "namespace"]),
        "metadata.uid" => text(&["metadata", "uid"]),
        "metadata.labels" => Ok(pairs(pod.labels())),
        "metadata.annotations" => Ok(pairs(pod.annotations())),
        "spec.nodeName" => text(&["spec", "nodeName"]),
        "spec.serviceAccountName" => text(&["spec", "serviceAccountName"]),
        "status.hostIP" | "status.hostIPs" => text(&["status", "hostIP"]),
        "status.podIP" | "status.podIPs" => text(&["status", "podIP"]),
        other => Err(format!("unsupported fieldPath: {other}")),
    }
}

/// Labels or annotations as a downward API volume writes them.
fn pairs(map: &Value) -> String {
    map.entries()
        .map(|(k, v)| format!("{}={}", &**k, quoted(&v.str())))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a `resourceFieldRef` names, in units of its divisor, rounded up. A container without a limit
/// has the node's whole.
pub fn resource(container: Container, node: &Object, resource: &str, divisor: &str) -> String {
    let (which, name) = resource.split_once('.').unwrap_or(("", resource));
    let text = match container.value().at(&["resources", which, name]).str() {
        "" if which == "limits" => node.status().str_at(&["allocatable", name]),
        text => text,
    };
    let amount = Quantity::parse_or_zero(text);
    let divisor = match divisor {
        "" | "0" => "1",
        d => d,
    };
    // Thousandths, so that a divisor of 1m stays whole.
    let (value, by) = if name == "cpu" {
        (amount.milli_value(), Quantity::parse_or_zero(divisor).milli_value())
    } else {
        (amount.value(), Quantity::parse_or_zero(divisor).value())
    };
    let by = by.max(1);
    (value.saturating_add(by - 1) / by).to_string()
}

/// Replaces `$(NAME)` by variables; `$$` is a `$`; an unknown name stays as it is.
pub fn expand(text: &str, env: &FlatMap<String, String>) -> String {
    expand_with(text, &mut |name| env.get(name).cloned())
}

/// The variables that a text names and that are not set, or empty: each once, sorted.
pub fn missing_in(text: &str, env: &FlatMap<String, String>) -> Vec<String> {
    let mut missing = FlatSet::new();
    expand_with(text, &mut |name| {
        if env.get(name).is_none_or(String::is_empty) {
            missing.insert(name.to_owned());
        }
        None
    });
    missing.into_iter().collect()
}

fn expand_with(text: &str, value: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        rest = tail.get(1..).unwrap_or("");
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            out.push_str(&value(name).unwrap_or_else(|| format!("$({name})")));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// The variables of the Services that a pod of `namespace` sees: those of its namespace (when its
/// spec enables the links) and the API server's.
pub fn services(namespace: &str, links: bool, mut each: impl FnMut(&mut dyn FnMut(&Object))) -> Env {
    let mut env = Env::new();
    each(&mut |service: &Object| {
        let is_master = service.namespace() == "default" && service.name() == "kubernetes";
        if !(is_master || links && service.namespace() == namespace) {
            return;
        }
        let ip = service.spec().get("clusterIP").str();
        let ports = service.spec().get("ports").items();
        let Some(first) = ports.first().filter(|_| !ip.is_empty() && ip != "None") else {
            return;
        };
        let name = service.name().to_ascii_uppercase().replace('-', "_");
        let number = |p: &Value| p.i64_at(&["port"]).unwrap_or(0);
        env.insert(format!("{name}_SERVICE_HOST"), ip.to_owned());
        env.insert(format!("{name}_SERVICE_PORT"), number(first).to_string());
        for port in ports {
            let label = port.get("name").str();
            if !label.is_empty() {
                let label = label.to_ascii_uppercase().replace('-', "_");
                env.insert(format!("{name}_SERVICE_PORT_{label}"), number(port).to_string());
            }
            let protocol = match port.get("protocol").str() {
                "" => "TCP",
                p => p,
            };
            let lower = protocol.to_ascii_lowercase();
            let n = number(port);
            if std::ptr::eq(port, first) {
                env.insert(format!("{name}_PORT"), format!("{lower}://{ip}:{n}"));
            }
            env.insert(format!("{name}_PORT_{n}_{protocol}"), format!("{lower}://{ip}:{n}"));
            env.insert(format!("{name}_PORT_{n}_{protocol}_PROTO"), lower);
            env.insert(format!("{name}_PORT_{n}_{protocol}_PORT"), n.to_string());
            env.insert(format!("{name}_PORT_{n}_{protocol}_ADDR"), ip.to_owned());
        }
    });
    env
}

/// What the kubelet gives a container: variables, and their names in the order in which it gives them.
#[derive(Default)]
pub struct Variables {
    pub env: Env,
    pub order: Vec<String>,
}

/// Where the values of ConfigMaps and Secrets come from.
pub trait Sources {
    /// A ConfigMap's or Secret's data (decoded), `None` when it does not exist.
    fn data(&self, secret: bool, name: &str) -> Option<FlatMap<String, Vec<u8>>>;
}

/// The variables of services (`env`) with what a container's `envFrom` and `env` set.
///
/// # Errors
/// The sentence of CreateContainerConfigError.
pub fn of_spec(
    pod: &Object,
    container: Container,
    node: &Object,
    sources: &dyn Sources,
    mut env: Env,
) -> Result<Variables, String> {
    let mut order = Vec::new();
    let services: Vec<String> = env.keys().cloned().collect();
    let namespace = pod.namespace();
    for from in container.value().get("envFrom").items() {
        let (kind, secret) = if from.has("secretRef") {
            ("secretRef", true)
        } else {
            ("configMapRef", false)
        };
        let reference = from.get(kind);
        let name = reference.get("name").str();
        match sources.data(secret, name) {
            Some(data) => {
                let prefix = from.get("prefix").str();
                for (key, value) in data {
                    let name = format!("{prefix}{key}");
                    order.push(name.clone());
                    env.insert(name, String::from_utf8_lossy(&value).into_owned());
                }
            }
            None if reference.bool_at(&["optional"]) => {}
            None => return Err(missing(secret, name)),
        }
    }
    for variable in container.env() {
        let name = variable.get("name").str().to_owned();
        let from = variable.get("valueFrom");
        if from.is_null() {
            let value = expand(variable.get("value").str(), &env);
            order.push(name.clone());
            env.insert(name, value);
            continue;
        }
        if let Some((_, reference)) = from.entries().next() {
            let key = reference.get("key").str();
            let value = if from.has("fieldRef") {
                field(pod, reference.get("fieldPath").str())?
            } else if from.has("resourceFieldRef") {
                let of = Pod(pod)
                    .container(reference.get("containerName").str())
                    .unwrap_or(container);
                resource(
                    of,
                    node,
                    reference.get("resource").str(),
                    reference.get("divisor").str(),
                )
            } else {
                let secret = from.has("secretKeyRef");
                let source = reference.get("name").str();
                let optional = reference.bool_at(&["optional"]);
                match sources.data(secret, source) {
                    Some(data) => match data.get(key) {
                        Some(value) => String::from_utf8_lossy(value).into_owned(),
                        None if optional => continue,
                        None => {
                            let kind = if secret { "Secret" } else { "ConfigMap" };
                            return Err(format!("couldn't find key {key} in {kind} {namespace}/{source}"));
                        }
                    },
                    None if optional => continue,
                    None => return Err(missing(secret, source)),
                }
            };
            order.push(name.clone());
            env.insert(name, value);
        }
    }
    order.extend(services);
    Ok(Variables { env, order })
}

/// The sentence for a ConfigMap or Secret that does not exist.
pub fn missing(secret: bool, name: &str) -> String {
    format!("{} \"{name}\" not found", if secret { "secret" } else { "configmap" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn references() {
        let env: Env = [("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())].into();
        for (text, expected) in [
            ("$(A)-y", "1-y"),
            ("$(NOSUCH)", "$(NOSUCH)"),
            ("$$(A)", "$(A)"),
            ("$(A)$(E)$", "1$"),
            ("$A $(A", "$A $(A"),
            ("$$$$", "$$"),
        ] {
            assert_eq!(expand(text, &env), expected, "{text}");
        }
        assert_eq!(missing_in("$(Z)/$(A)$(E)/$(Z)$$(N)", &env), ["E", "Z"]);
    }

    #[test]
    fn service_links() {
        let service = Object::new(obj! {
            "metadata": obj! { "name": "front-end", "namespace": "default" },
            "spec": obj! { "clusterIP": "10.96.1.2", "ports": list![obj! { "name": "http", "port": 80, "protocol": "TCP" }] },
        });
        let env = services("default", true, |f| f(&service));
        let text: Vec<String> = env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            text,
            [
                "FRONT_END_PORT=tcp://10.96.1.2:80",
                "FRONT_END_PORT_80_TCP=tcp://10.96.1.2:80",
                "FRONT_END_PORT_80_TCP_ADDR=10.96.1.2",
                "FRONT_END_PORT_80_TCP_PORT=80",
                "FRONT_END_PORT_80_TCP_PROTO=tcp",
                "FRONT_END_SERVICE_HOST=10.96.1.2",
                "FRONT_END_SERVICE_PORT=80",
                "FRONT_END_SERVICE_PORT_HTTP=80",
            ]
        );
        assert!(services("default", false, |f| f(&service)).is_empty());
    }
}
