//! The scheduler's plugins, one file each, in the order of the default profile.

pub mod balanced_allocation;
pub mod default_preemption;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod node_name;
pub mod node_ports;
pub mod node_resources_fit;
pub mod node_unschedulable;
pub mod pod_topology_spread;
pub mod taint_toleration;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use super::framework::{Filter, Score};
use super::queue::Happening;

/// The filters, in the order in which they are asked; the first refusal counts. With each what can lift its refusals,
/// besides a new node and the pod's own change, which help all (`EventsToRegister`).
pub const FILTERS: &[(&str, Filter, &[Happening])] = {
    use Happening::*;
    &[
        (node_unschedulable::NAME, node_unschedulable::filter, &[NodeTaints]),
        (node_name::NAME, node_name::filter, &[]),
        (taint_toleration::NAME, taint_toleration::filter, &[NodeTaints]),
        (node_affinity::NAME, node_affinity::filter, &[NodeLabels]),
        (node_ports::NAME, node_ports::filter, &[PodGone]),
        (
            node_resources_fit::NAME,
            node_resources_fit::filter,
            &[NodeAllocatable, PodGone],
        ),
        (
            volume_restrictions::NAME,
            volume_restrictions::filter,
            &[PodGone, Volumes],
        ),
        (volume_binding::NAME, volume_binding::filter, &[NodeLabels, Volumes]),
        (volume_zone::NAME, volume_zone::filter, &[NodeLabels, Volumes]),
        (
            pod_topology_spread::NAME,
            pod_topology_spread::filter,
            &[NodeLabels, NodeTaints, PodGone, PodPlaced],
        ),
        (
            inter_pod_affinity::NAME,
            inter_pod_affinity::filter,
            &[NodeLabels, PodGone, PodPlaced, Namespaces],
        ),
    ]
};

/// The scores with their weights.
pub const SCORES: &[(&str, i64, Score)] = &[
    (taint_toleration::NAME, 3, taint_toleration::score),
    (node_affinity::NAME, 2, node_affinity::score),
    (node_resources_fit::NAME, 1, node_resources_fit::score),
    (pod_topology_spread::NAME, 2, pod_topology_spread::score),
    (inter_pod_affinity::NAME, 2, inter_pod_affinity::score),
    (balanced_allocation::NAME, 1, balanced_allocation::score),
    (image_locality::NAME, 1, image_locality::score),
];
