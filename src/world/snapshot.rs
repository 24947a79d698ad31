//! The cluster that a world begins from: every object of a fresh three-node kubeadm cluster, as it
//! was right after its start, moved to the world's own time.
//!
//! `cluster.jsonl` holds one object a line, in the order of their revisions. `kubetab snapshot DIR`
//! makes it from a folder of YAML lists (`kubectl get … -A -o yaml`) of a real cluster.

use crate::api::{ApiServer, Status};
use crate::sim::Time;
use crate::value::Value;

const CLUSTER: &str = include_str!("cluster.jsonl");

/// How long before the world's start the newest time of the snapshot is put.
const SETTLED: u64 = 5_000_000;

/// Stores the snapshot's objects, their times moved so that the newest is a few seconds before now.
///
/// # Errors
/// When an object cannot be stored, which a test excludes.
pub fn restore(api: &ApiServer, mut edit: impl FnMut(&mut Value)) -> Result<(), Status> {
    let mut objects = Vec::new();
    for line in CLUSTER.lines().filter(|l| !l.is_empty()) {
        objects.push(Value::from_json(line).map_err(Status::internal)?);
    }
    let newest = objects.iter().map(newest_time).max().unwrap_or_default();
    let now = api.sim().now();
    for mut object in objects {
        edit(&mut object);
        api.restore(shift(&object, newest, Time(now.0.saturating_sub(SETTLED))))?;
    }
    Ok(())
}

/// The moment of a text that is a Kubernetes time, and whether it has microseconds.
fn time_of(text: &str) -> Option<(Time, bool)> {
    let micro = match text.len() {
        20 => false,
        27 => true,
        _ => return None,
    };
    Time::parse(text).map(|t| (t, micro))
}

fn newest_time(value: &Value) -> Time {
    match value {
        Value::Str(s) => time_of(s).map(|(t, _)| t).unwrap_or_default(),
        Value::List(items) => items.iter().map(newest_time).max().unwrap_or_default(),
        Value::Map(map) => map.iter().map(|(_, v)| newest_time(v)).max().unwrap_or_default(),
        _ => Time::default(),
    }
}

/// The value with each time moved by as much as `from` lies from `to`.
fn shift(value: &Value, from: Time, to: Time) -> Value {
    match value {
        Value::Str(s) => match time_of(s) {
            Some((t, micro)) => {
                let moved = Time((t.0 + to.0).saturating_sub(from.0));
                Value::from(if micro { moved.micro() } else { moved.to_string() })
            }
            None => value.clone(),
        },
        Value::List(items) => items.iter().map(|v| shift(v, from, to)).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (k.clone(), shift(v, from, to))).collect(),
        _ => value.clone(),
    }
}

/// Makes the snapshot's text from the items of YAML lists.
pub fn make(items: Vec<Value>) -> String {
    let mut items: Vec<(u64, String)> = items
        .into_iter()
        .map(|mut item| {
            item.remove(&["metadata", "managedFields"]);
            let revision = item.str_at(&["metadata", "resourceVersion"]).parse().unwrap_or(0);
            (revision, item.to_json())
        })
        .collect();
    items.sort();
    items.into_iter().map(|(_, line)| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ObjectKey;
    use crate::sim::Sim;

    #[test]
    fn the_cluster_is_whole_and_in_the_worlds_time() {
        let sim = Sim::new(1, Time::from_secs(2_000_000_000));
        let api = ApiServer::new(&sim);
        restore(&api, |_| {}).unwrap();
        assert_eq!(api.store().list("nodes", "").len(), 3);
        assert_eq!(api.store().list("pods", "kube-system").len(), 9);
        let node = api.store().get("nodes", &ObjectKey::new("", "k8s-master")).unwrap();
        let age = sim.now().since(node.created()).as_secs();
        assert!(age < 60, "{age}");
    }
}
