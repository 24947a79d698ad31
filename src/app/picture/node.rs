//! What the picture shows of a node. Pure.

use std::rc::Rc;

use kubetab::api::well_known;
use kubetab::value::Value;

/// A node as the picture shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: Rc<str>,
    pub ready: bool,
    /// `spec.unschedulable`: cordoned.
    pub cordoned: bool,
    pub control_plane: bool,
    pub address: Rc<str>,
    /// Its taints that keep pods away, as `key=value:effect`.
    pub taints: Vec<Rc<str>>,
}

impl Node {
    pub fn read(object: &Value) -> Node {
        let name = object.at(&["metadata", "name"]).str();
        let labels = object.at(&["metadata", "labels"]);
        Node {
            name: name.into(),
            ready: object
                .at(&["status", "conditions"])
                .items()
                .iter()
                .any(|c| c.get("type").str() == "Ready" && c.get("status").str() == "True"),
            cordoned: object.bool_at(&["spec", "unschedulable"]),
            control_plane: labels.has(well_known::CONTROL_PLANE),
            address: object
                .at(&["status", "addresses"])
                .items()
                .iter()
                .find(|a| a.get("type").str() == "InternalIP")
                .map_or("", |a| a.get("address").str())
                .into(),
            taints: object
                .at(&["spec", "taints"])
                .items()
                .iter()
                .map(|t| {
                    let (key, value, effect) = (t.get("key").str(), t.get("value").str(), t.get("effect").str());
                    if value.is_empty() {
                        format!("{key}:{effect}").into()
                    } else {
                        format!("{key}={value}:{effect}").into()
                    }
                })
                .collect(),
        }
    }
}
