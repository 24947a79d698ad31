//! Which nodes a pod may stand on: taints and tolerations, node selectors and node affinity.
//! The scheduler, the DaemonSet controller and the kubelet ask alike. Pure functions over trees.

use super::object::Object;
use super::selector::{Op, Requirement};
use super::views::Pod;
use crate::value::Value;

/// Whether one toleration of a pod tolerates a taint.
pub fn toleration_fits(toleration: &Value, taint: &Value) -> bool {
    let effect = toleration.str_at(&["effect"]);
    if !effect.is_empty() && effect != taint.str_at(&["effect"]) {
        return false;
    }
    let key = toleration.str_at(&["key"]);
    if !key.is_empty() && key != taint.str_at(&["key"]) {
        return false;
    }
    match toleration.str_at(&["operator"]) {
        "Exists" => true,
        "" | "Equal" => !key.is_empty() && toleration.str_at(&["value"]) == taint.str_at(&["value"]),
        _ => false,
    }
}

/// Whether any of these tolerations tolerates a taint.
pub fn tolerated(tolerations: &[Value], taint: &Value) -> bool {
    tolerations.iter().any(|t| toleration_fits(t, taint))
}

/// The first taint of a node with one of these effects that is not tolerated.
pub fn untolerated<'a>(taints: &'a [Value], tolerations: &[Value], effects: &[&str]) -> Option<&'a Value> {
    taints
        .iter()
        .filter(|t| effects.contains(&t.str_at(&["effect"])))
        .find(|t| !tolerated(tolerations, t))
}

/// A port of a node that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The address that it is taken of; `0.0.0.0` for all of the node's.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The node's port.
    pub port: i64,
    /// The container's port, where it leads.
    pub to: i64,
}

impl HostPort {
    /// Whether both cannot be had on one node.
    pub fn conflicts(&self, other: &HostPort) -> bool {
        let everywhere = |ip: &str| ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || everywhere(&self.ip) || everywhere(&other.ip))
    }
}

/// The host ports that a pod's containers and sidecars take.
pub fn host_ports(pod: Pod) -> Vec<HostPort> {
    let mut host_ports = Vec::new();
    for container in pod.containers().chain(pod.init_containers().filter(|c| c.is_sidecar())) {
        for port in container.ports() {
            let number = port.i64_at(&["hostPort"]).unwrap_or(0);
            if number <= 0 {
                continue;
            }
            let or = |text: &str, default: &str| {
                if text.is_empty() {
                    default.to_owned()
                } else {
                    text.to_owned()
                }
            };
            host_ports.push(HostPort {
                ip: or(port.str_at(&["hostIP"]), "0.0.0.0"),
                protocol: or(port.str_at(&["protocol"]), "TCP"),
                port: number,
                to: port.i64_at(&["containerPort"]).unwrap_or(0),
            });
        }
    }
    host_ports
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let op = match expression.str_at(&["operator"]) {
        "In" => Op::In,
        "NotIn" => Op::NotIn,
        "Exists" => Op::Exists,
        "DoesNotExist" => Op::DoesNotExist,
        "Gt" => Op::GreaterThan,
        "Lt" => Op::LessThan,
        _ => return None,
    };
    Some(Requirement {
        key: expression.str_at(&["key"]).to_owned(),
        op,
        values: expression
            .get("values")
            .items()
            .iter()
            .map(|v| v.str().to_owned())
            .collect(),
    })
}

/// Whether a node fits one term of a node selector. An empty term fits none.
pub fn term_fits(term: &Value, node: &Object) -> bool {
    let (expressions, fields) = (term.get("matchExpressions").items(), term.get("matchFields").items());
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let labels = expressions
        .iter()
        .all(|e| requirement(e).is_some_and(|r| r.matches(node.label(&r.key))));
    labels
        && fields.iter().all(|e| {
            // The name is the only field there is.
            requirement(e).is_some_and(|r| r.key == "metadata.name" && r.matches(Some(node.name())))
        })
}

/// Whether a node fits a node selector: any one of its terms.
pub fn node_selector_fits(selector: &Value, node: &Object) -> bool {
    selector
        .get("nodeSelectorTerms")
        .items()
        .iter()
        .any(|term| term_fits(term, node))
}

const REQUIRED: [&str; 3] = [
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
];

/// Whether a node fits a pod's `nodeSelector` and its required node affinity.
pub fn node_affinity_fits(pod_spec: &Value, node: &Object) -> bool {
    let labels = pod_spec
        .get("nodeSelector")
        .entries()
        .all(|(k, v)| node.label(k) == Some(v.str()));
    let required = pod_spec.at(&REQUIRED);
    labels && (required.is_null() || node_selector_fits(required, node))
}

/// The names of the only nodes that required node affinity allows by `matchFields`; `None` when it
/// allows others too.
pub fn named_nodes(pod_spec: &Value) -> Option<Vec<&str>> {
    let terms = pod_spec.at(&REQUIRED).get("nodeSelectorTerms").items();
    if terms.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    for term in terms {
        let field = term
            .get("matchFields")
            .items()
            .iter()
            .find(|f| f.str_at(&["key"]) == "metadata.name" && f.str_at(&["operator"]) == "In")?;
        names.extend(field.get("values").items().iter().map(Value::str));
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn tolerations() {
        let taint = obj! { "key": "dedicated", "value": "gpu", "effect": "NoSchedule" };
        for (toleration, fits) in [
            (obj! { "operator": "Exists" }, true),
            (obj! { "key": "dedicated", "operator": "Exists" }, true),
            (obj! { "key": "dedicated", "value": "gpu" }, true),
            (obj! { "key": "dedicated", "value": "cpu" }, false),
            (
                obj! { "key": "dedicated", "operator": "Exists", "effect": "NoExecute" },
                false,
            ),
            (obj! { "key": "other", "operator": "Exists" }, false),
        ] {
            assert_eq!(toleration_fits(&toleration, &taint), fits, "{toleration:?}");
        }
    }

    #[test]
    fn affinity() {
        let node =
            Object::new(obj! { "metadata": obj! { "name": "n1", "labels": obj! { "disk": "ssd", "cores": "8" } } });
        let spec = |terms: Value| {
            let mut spec = Value::map();
            spec.set(&REQUIRED, obj! { "nodeSelectorTerms": terms });
            spec
        };
        for (terms, fits) in [
            (list![], false),
            (list![obj! {}], false),
            (
                list![
                    obj! { "matchExpressions": list![obj! { "key": "cores", "operator": "Gt", "values": list!["4"] }] }
                ],
                true,
            ),
            (
                list![
                    obj! { "matchFields": list![obj! { "key": "metadata.name", "operator": "In", "values": list!["n2"] }] }
                ],
                false,
            ),
            (
                list![
                    obj! { "matchExpressions": list![obj! { "key": "disk", "operator": "DoesNotExist" }] },
                    obj! { "matchFields": list![obj! { "key": "metadata.name", "operator": "In", "values": list!["n1"] }] },
                ],
                true,
            ),
        ] {
            assert_eq!(node_affinity_fits(&spec(terms.clone()), &node), fits, "{terms:?}");
        }
        assert!(!node_affinity_fits(
            &obj! { "nodeSelector": obj! { "disk": "hdd" } },
            &node
        ));
        let terms = list![
            obj! { "matchFields": list![obj! { "key": "metadata.name", "operator": "In", "values": list!["n1"] }] },
        ];
        assert_eq!(named_nodes(&spec(terms)), Some(vec!["n1"]));
        assert_eq!(named_nodes(&obj! {}), None);
    }

    #[test]
    fn containers_and_sidecars_take_host_ports() {
        let at = |port: i64| {
            list![
                obj! { "containerPort": 80, "hostPort": port },
                obj! { "containerPort": 81 }
            ]
        };
        let pod = Object::new(obj! { "spec": obj! {
            "containers": list![obj! { "name": "a", "ports": at(8080) }],
            "initContainers": list![
                obj! { "name": "b", "ports": at(8081), "restartPolicy": "Always" },
                obj! { "name": "c", "ports": at(8082) },
            ],
        } });
        let taken: Vec<(i64, i64)> = host_ports(Pod(&pod)).iter().map(|p| (p.port, p.to)).collect();
        assert_eq!(taken, [(8080, 80), (8081, 80)]);
    }
}
