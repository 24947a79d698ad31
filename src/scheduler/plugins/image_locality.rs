//! ImageLocality: prefers nodes that have the pod's images already, weighted by their size and by
//! how many nodes have them.

use std::rc::Rc;

use crate::api::views::pod::Pod;
use crate::flat::FlatMap;
use crate::scheduler::framework::{Cycle, MAX_SCORE};
use crate::scheduler::node_info::NodeInfo;

pub const NAME: &str = "ImageLocality";

const MIB: i64 = 1024 * 1024;
const MIN: i64 = 23 * MIB;
const MAX_PER_CONTAINER: i64 = 1000 * MIB;

/// An image's name with the tag that it has when none is written.
fn normalized(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

/// 100 · (sum − 23 MiB) / (1000 MiB · containers − 23 MiB), the sum clamped to those bounds.
fn priority(sum: i64, containers: usize) -> i64 {
    let max = MAX_PER_CONTAINER * containers as i64;
    if max <= MIN {
        return 0;
    }
    MAX_SCORE * (sum.clamp(MIN, max) - MIN) / (max - MIN)
}

pub fn score(cycle: &Cycle, nodes: &[Rc<NodeInfo>]) -> Option<Vec<i64>> {
    let pod = Pod(&cycle.pod.pod);
    let images: Vec<String> = pod
        .init_containers()
        .chain(pod.containers())
        .map(|c| normalized(c.image()))
        .collect();
    let size_on = |node: &NodeInfo, image: &str| {
        node.node
            .status()
            .get("images")
            .items()
            .iter()
            .find(|i| i.get("names").items().iter().any(|n| n.str() == image))
            .and_then(|i| i.i64_at(&["sizeBytes"]))
    };
    let mut spread: FlatMap<&str, usize> = FlatMap::new();
    for image in &images {
        if !spread.contains_key(image.as_str()) {
            let having = cycle.view.iter().filter(|n| size_on(n, image).is_some()).count();
            spread.insert(image, having);
        }
    }
    let total = cycle.view.len().max(1) as f64;
    let of = |node: &Rc<NodeInfo>| {
        let sum = images
            .iter()
            .filter_map(|image| {
                let having = spread.get(image.as_str()).copied().unwrap_or(0) as f64;
                Some((size_on(node, image)? as f64 * (having / total)) as i64)
            })
            .sum();
        priority(sum, images.len())
    };
    Some(nodes.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        assert_eq!(priority(0, 1), 0);
        assert_eq!(priority(23 * MIB, 1), 0);
        assert_eq!(priority(1000 * MIB, 1), 100);
        assert_eq!(priority(5000 * MIB, 1), 100);
        assert_eq!(priority(250 * MIB, 2), 100 * 227 / 1977);
        assert_eq!(normalized("nginx"), "nginx:latest");
        assert_eq!(normalized("host:5000/nginx"), "host:5000/nginx:latest");
        assert_eq!(normalized("nginx:1.25"), "nginx:1.25");
    }
}
