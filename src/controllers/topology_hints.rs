//! `service.kubernetes.io/topology-mode: Auto`: which zone each endpoint of a service serves, by the
//! zones' shares of the nodes' processors (`topologycache`). Pure.

use super::node_lifecycle;
use crate::api::Object;
use crate::api::quantity::Quantity;
use crate::api::well_known::ZONE;
use crate::flat::FlatMap;
use crate::value::Value;
use crate::{list, obj};

/// How much more traffic than others an endpoint may get (`overloadThreshold`).
const OVERLOAD: f64 = 0.2;

/// Whether a service asks for such hints.
pub fn is_auto(service: &Object) -> bool {
    let named = |name| service.annotation(name);
    let mode =
        named("service.kubernetes.io/topology-aware-hints").or_else(|| named("service.kubernetes.io/topology-mode"));
    matches!(mode, Some("Auto" | "auto"))
}

/// The zones' shares of the processors of the workers that are ready; none when one of these does not
/// say its zone or its processors, or all are in one zone.
pub fn shares(nodes: &[Object]) -> FlatMap<String, f64> {
    let mut zones: FlatMap<String, f64> = FlatMap::new();
    for node in nodes {
        let is_master = ["control-plane", "master"]
            .iter()
            .any(|role| node.label(&format!("node-role.kubernetes.io/{role}")).is_some());
        if is_master || !node_lifecycle::is_ready(node) {
            continue;
        }
        let zone = node.label(ZONE).unwrap_or_default();
        let cpu = Quantity::parse_or_zero(node.status().str_at(&["allocatable", "cpu"])).milli_value();
        if zone.is_empty() || cpu == 0 {
            return FlatMap::new();
        }
        *zones.entry(zone.to_owned()).or_default() += cpu as f64;
    }
    if zones.len() < 2 {
        return FlatMap::new();
    }
    let total: f64 = zones.values().sum();
    zones.values_mut().for_each(|share| *share /= total);
    zones
}

/// The endpoints that a slice is to have, and those that it has.
pub struct Slice<'a> {
    /// Endpoints as they will be written, which get their hints here.
    pub wanted: &'a mut Vec<Value>,
    /// Endpoints of the stored slice; empty for a new one.
    pub present: &'a [Value],
}

fn is_ready(endpoint: &Value) -> bool {
    endpoint.bool_at(&["conditions", "ready"])
}

fn bare(endpoints: &[Value]) -> Vec<Value> {
    let mut bare = endpoints.to_vec();
    bare.iter_mut().for_each(|e| {
        e.remove(&["hints"]);
    });
    bare
}

fn hint(endpoint: &mut Value, zone: &str) {
    endpoint.set(&["hints", "forZones"], list![obj! { "name": zone }]);
}

/// How many endpoints a zone is to have at most, and how many it should have.
struct Allocation {
    most: i64,
    desired: f64,
}

/// What the hints of a slice add to what is allocated; `None` when they cannot stay.
fn present_hints(
    endpoints: &[Value],
    allocated: &FlatMap<String, i64>,
    allocations: &FlatMap<String, Allocation>,
) -> Option<FlatMap<String, i64>> {
    let mut sum = allocated.clone();
    for endpoint in endpoints.iter().filter(|e| is_ready(e)) {
        let zones = endpoint.at(&["hints", "forZones"]).items();
        if zones.is_empty() {
            return None;
        }
        for zone in zones {
            let zone = zone.str_at(&["name"]);
            let count = sum.entry(zone.to_owned()).or_default();
            *count += 1;
            if *count > allocations.get(zone)?.most {
                return None;
            }
        }
    }
    Some(sum)
}

/// The zone of the greatest number above zero, and the number.
fn greatest(zones: &FlatMap<&str, f64>, sign: f64) -> Option<(String, f64)> {
    let mut best: Option<(String, f64)> = None;
    for (zone, n) in zones {
        let n = n * sign;
        if n > best.as_ref().map_or(0.0, |(_, most)| *most) {
            best = Some(((*zone).to_owned(), n));
        }
    }
    best
}

/// Gives the ready endpoints of a service their hints. Slices that stay as they are keep theirs.
///
/// # Errors
/// Why there can be none, in the controller's words. Some endpoints may have hints then.
pub fn assign(slices: Vec<Slice>, shares: &FlatMap<String, f64>) -> Result<(), String> {
    if shares.is_empty() {
        return Err("Insufficient Node information: allocatable CPU or zone not specified on one or more nodes".into());
    }
    let total = slices
        .iter()
        .flat_map(|s| s.wanted.iter())
        .filter(|e| is_ready(e))
        .count();
    let counts = format!("({total} endpoints, {} zones)", shares.len());
    if shares.len() > total {
        return Err(format!("Insufficient number of endpoints {counts}"));
    }
    let total = total as i64;
    let least = |share: &f64| (share * total as f64 / (1.0 + OVERLOAD)).ceil() as i64;
    let spare = total - shares.values().map(least).sum::<i64>();
    if spare < 0 {
        return Err(format!(
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold {counts}"
        ));
    }
    let allocation = |share: &f64| Allocation {
        most: least(share) + spare,
        desired: (share * total as f64).max(least(share) as f64),
    };
    let allocations: FlatMap<String, Allocation> = shares.iter().map(|(z, s)| (z.clone(), allocation(s))).collect();
    let mut allocated: FlatMap<String, i64> = FlatMap::new();
    let mut open: Vec<&mut Value> = Vec::new();
    for Slice { wanted, present } in slices {
        if bare(present) == *wanted
            && let Some(sum) = present_hints(present, &allocated, &allocations)
        {
            *wanted = present.to_vec();
            allocated = sum;
        } else {
            open.extend(wanted.iter_mut().filter(|e| is_ready(e)));
        }
    }
    // Each serves its own zone first.
    for endpoint in &mut open {
        let zone = endpoint.str_at(&["zone"]).to_owned();
        if zone.is_empty() {
            return Err("One or more endpoints do not have a zone specified".into());
        }
        hint(endpoint, &zone);
        *allocated.entry(zone).or_default() += 1;
    }
    // Then zones with more than their share give to those with less.
    let mut lacks: FlatMap<&str, f64> = FlatMap::new();
    for (zone, allocation) in &allocations {
        let has = allocated.get(zone).copied().unwrap_or(0) as f64;
        lacks.insert(zone, allocation.desired - has);
    }
    let mut moves: FlatMap<String, i64> = FlatMap::new();
    while let (Some((from, gives)), Some((to, takes))) = (greatest(&lacks, -1.0), greatest(&lacks, 1.0)) {
        if (gives < 1.0 && takes < 1.0) || gives < 0.5 || takes < 0.5 {
            break;
        }
        for (zone, by) in [(from, 1), (to, -1)] {
            if let Some(lack) = lacks.get_mut(zone.as_str()) {
                *lack += by as f64;
            }
            *moves.entry(zone).or_default() += by;
        }
    }
    for endpoint in open {
        let gives = moves.get_mut(endpoint.str_at(&["zone"])).filter(|n| **n > 0);
        let Some(gives) = gives else { continue };
        *gives -= 1;
        if let Some((to, takes)) = moves.iter_mut().find(|(_, n)| **n < 0) {
            *takes += 1;
            hint(endpoint, to);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(zone: &str, cpu: &str) -> Object {
        Object::new(obj! {
            "metadata": obj! { "name": "n", "labels": obj! { "topology.kubernetes.io/zone": zone } },
            "status": obj! {
                "allocatable": obj! { "cpu": cpu },
                "conditions": list![obj! { "type": "Ready", "status": "True" }],
            },
        })
    }

    fn endpoints(zones: &str) -> Vec<Value> {
        let endpoint = |z: char| {
            let conditions = obj! { "ready": true };
            let mut e = obj! { "conditions": conditions };
            e.set_or_remove(&["zone"], z.to_string().trim());
            e
        };
        zones.chars().map(endpoint).collect()
    }

    fn hints(endpoints: &[Value]) -> String {
        let zones = endpoints.iter().map(|e| e.at(&["hints", "forZones"]).items());
        zones.map(|z| z.first().map_or("-", |z| z.str_at(&["name"]))).collect()
    }

    #[test]
    fn shares_of_zones() {
        let text = |nodes: &[Object]| {
            let shares = shares(nodes);
            shares
                .iter()
                .map(|(z, s)| format!("{z}={s}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (a, b) = (node("a", "1"), node("b", "3"));
        assert_eq!(text(&[a.clone(), b.clone()]), "a=0.25 b=0.75");
        assert_eq!(text(&[a.clone(), node("a", "2")]), "", "one zone");
        assert_eq!(text(&[a.clone(), b.clone(), node("", "2")]), "", "one without a zone");
        assert_eq!(text(&[a, b, node("c", "0")]), "", "one without processors");
    }

    #[test]
    fn who_serves_which_zone() {
        // Endpoints by zone, the zones' processors, and the hints or why there are none.
        let cases: &[(&str, &[(&str, &str)], &str)] = &[
            ("ab", &[("a", "2"), ("b", "2")], "ab"),
            ("aabbab", &[("a", "2"), ("b", "2")], "aabbab"),
            ("aaab", &[("a", "2"), ("b", "2")], "baab"),
            ("aaa", &[("a", "2"), ("b", "2"), ("c", "2")], "bca"),
            ("aaaa", &[("a", "1"), ("b", "3")], "bbba"),
            (
                "ab",
                &[("a", "2")],
                "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
            ),
            (
                "ab",
                &[("a", "2"), ("b", "2"), ("c", "2")],
                "Insufficient number of endpoints (2 endpoints, 3 zones)",
            ),
            (
                "ab",
                &[("a", "1"), ("b", "9")],
                "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (2 endpoints, 2 zones)",
            ),
            (
                "ababa ",
                &[("a", "2"), ("b", "2")],
                "One or more endpoints do not have a zone specified",
            ),
        ];
        for (zones, nodes, want) in cases {
            let nodes: Vec<Object> = nodes.iter().map(|(zone, cpu)| node(zone, cpu)).collect();
            let mut wanted = endpoints(zones);
            let slice = Slice {
                wanted: &mut wanted,
                present: &[],
            };
            let got = assign(vec![slice], &shares(&nodes));
            assert_eq!(got.err().unwrap_or_else(|| hints(&wanted)), *want, "{zones}");
        }
    }

    #[test]
    fn what_is_good_enough_stays() {
        let shares = shares(&[node("a", "2"), node("b", "2")]);
        for (present, want) in [("abab", "abab"), ("aaab", "baab"), ("bbaa", "bbaa"), ("acab", "baab")] {
            let mut wanted = endpoints("aaab");
            let mut there = wanted.clone();
            there
                .iter_mut()
                .zip(present.chars())
                .for_each(|(e, z)| hint(e, &z.to_string()));
            let slice = Slice {
                wanted: &mut wanted,
                present: &there,
            };
            assert_eq!(assign(vec![slice], &shares), Ok(()));
            assert_eq!(hints(&wanted), want, "{present}");
        }
    }
}
