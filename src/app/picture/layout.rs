//! Where everything stands: from the scene and the size of its pane to rectangles in pixels. Pods and
//! dots are placed by the same numbers, so that a dot ends where its pod is. Pure.

use kubetab::flat::{Arrange, FlatMap};
use std::rc::Rc;

use super::model::Scene;
use super::place::Place;
use super::pod::Pod;

/// Pods that are drawn one by one. Beyond it, nodes show numbers instead.
pub const MAX_POD_TILES: usize = 600;

/// Endpoints that a service lists one by one.
pub const MAX_ENDPOINT_ROWS: usize = 12;

/// A rectangle, in pixels of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub const fn new(x: f64, y: f64, w: f64, h: f64) -> Rect {
        Rect { x, y, w, h }
    }

    pub fn centre(&self) -> (f64, f64) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }
}

/// How large pods are drawn, and so how much they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileSize {
    /// Name, phase, age, restarts, image and address.
    Large,
    /// Name, phase, age, restarts.
    Full,
    /// The name's own part.
    Short,
    /// A ring.
    Small,
    /// A square.
    Speck,
}

impl TileSize {
    pub fn word(self) -> &'static str {
        match self {
            TileSize::Large => "full large",
            TileSize::Full => "full",
            TileSize::Short => "short",
            TileSize::Small => "small",
            TileSize::Speck => "speck",
        }
    }

    /// Least width, height, gap.
    fn measures(self) -> (f64, f64, f64) {
        match self {
            TileSize::Large => (172.0, 76.0, 10.0),
            TileSize::Full => (132.0, 50.0, 8.0),
            TileSize::Short => (64.0, 36.0, 6.0),
            TileSize::Small => (24.0, 24.0, 5.0),
            TileSize::Speck => (11.0, 11.0, 3.0),
        }
    }
}

/// A pod's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    pub rect: Rect,
    pub size: TileSize,
}

/// The controllers that have a sign of their own; all others share one.
pub const CONTROLLERS: [(&str, &[&str]); 4] = [
    ("deployment", &["deployment-controller"]),
    ("replicaset", &["replicaset-controller"]),
    (
        "endpointslice",
        &[
            "endpointslice-controller",
            "endpoint-controller",
            "endpoints-controller",
        ],
    ),
    ("others", &[]),
];

/// The places of everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    pub wide: bool,
    pub student: Rect,
    pub api: Rect,
    pub etcd: Rect,
    pub manager: Rect,
    pub controllers: [Rect; 4],
    pub scheduler: Rect,
    pub shelf: Rect,
    /// The column of what was asked for: workloads and services.
    pub wanted: Rect,
    pub workloads: FlatMap<Rc<str>, Rect>,
    pub services: FlatMap<Rc<str>, Rect>,
    pub nodes: FlatMap<Rc<str>, Rect>,
    pub pods: FlatMap<Rc<str>, Tile>,
    /// Too many pods to draw one by one.
    pub crowded: bool,
}

const PAD: f64 = 16.0;
/// How far beside the column of what was asked for its dots stand.
const GUTTER: f64 = 15.0;
const NODE_HEAD: f64 = 42.0;
const SPECK_GAP: f64 = 4.0;
const SYSTEM_TILE: f64 = 15.0;

/// The height of a service's card.
pub fn service_height(endpoints: usize) -> f64 {
    let rows = endpoints.clamp(1, MAX_ENDPOINT_ROWS);
    let more = if endpoints > MAX_ENDPOINT_ROWS { 18.0 } else { 0.0 };
    56.0 + rows as f64 * 22.0 + more + 8.0
}

const WORKLOAD_HEIGHT: f64 = 46.0;

/// Which part of the cluster's own is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The pods, services and workloads of the system's namespaces at full size.
    pub system: bool,
}

/// Lays the scene out for a pane of this size.
pub fn lay_out(scene: &Scene, width: f64, height: f64, options: Options) -> Layout {
    let width = width.max(300.0);
    let wide = width >= 860.0;
    let mut l = Layout {
        width,
        wide,
        ..Layout::default()
    };
    let (band, left) = if wide { wide_band(&mut l) } else { narrow_band(&mut l) };

    // What was asked for.
    let column = if wide {
        Rect::new(PAD, band, left, 0.0)
    } else {
        Rect::new(PAD, band, width - 2.0 * PAD, 0.0)
    };
    let mut y = column.y + if wide { 26.0 } else { 20.0 };
    let shown = |namespace: &str| options.system || !super::pod::is_system(namespace);
    let columns = if wide || column.w < 520.0 { 1 } else { 2 };
    let cell = (column.w - 10.0 * (columns - 1) as f64) / columns as f64;
    let mut slot = 0;
    for key in scene
        .workloads
        .iter()
        .filter(|(_, w)| shown(&w.namespace))
        .map(|(k, _)| k)
    {
        let x = column.x + (slot % columns) as f64 * (cell + 10.0);
        l.workloads
            .insert(key.clone(), Rect::new(x, y, cell, WORKLOAD_HEIGHT - 8.0));
        slot += 1;
        if slot % columns == 0 {
            y += WORKLOAD_HEIGHT;
        }
    }
    if slot % columns != 0 {
        y += WORKLOAD_HEIGHT;
    }
    let mut row = 0.0f64;
    slot = 0;
    for (key, service) in scene
        .services
        .iter()
        .filter(|(k, s)| shown(&s.namespace) && (options.system || &***k != "default/kubernetes"))
    {
        let x = column.x + (slot % columns) as f64 * (cell + 10.0);
        let h = service_height(service.endpoints.len());
        l.services.insert(key.clone(), Rect::new(x, y, cell, h));
        row = row.max(h + 10.0);
        slot += 1;
        if slot % columns == 0 {
            y += row;
            row = 0.0;
        }
    }
    y += row;
    let empty = l.workloads.is_empty() && l.services.is_empty();
    if empty {
        y += if wide { 120.0 } else { 20.0 };
    }
    l.wanted = Rect {
        h: y - column.y,
        ..column
    };

    // The nodes.
    let (x, top, w) = if wide {
        (left + PAD + 34.0, band, width - left - 2.0 * PAD - 34.0)
    } else {
        (PAD, l.wanted.bottom() + 8.0, width - 2.0 * PAD)
    };
    let avail = if wide { (height - PAD - top).max(190.0) } else { 0.0 };
    let bottom = nodes(&mut l, scene, Rect::new(x, top, w, avail), options);
    l.height = bottom.max(if wide { l.wanted.bottom() } else { 0.0 }) + PAD;
    if wide {
        l.height = l.height.max(height);
    }
    waiting(&mut l, scene, options);
    l
}

fn wide_band(l: &mut Layout) -> (f64, f64) {
    let left = (l.width * 0.22).clamp(236.0, 420.0);
    let way = (l.width * 0.05).clamp(44.0, 120.0);
    l.student = Rect::new(PAD, PAD, left, 122.0);
    let x = PAD + left + way;
    l.api = Rect::new(x, PAD, 158.0, 66.0);
    l.etcd = Rect::new(x + 14.0, PAD + 82.0, 130.0, 40.0);
    let x = x + 158.0 + way;
    let w = l.width - x - PAD;
    l.manager = Rect::new(x, PAD, w, 54.0);
    chips(l, 22.0);
    l.scheduler = Rect::new(x, PAD + 68.0, 150.0, 54.0);
    l.shelf = Rect::new(x + 160.0, PAD + 68.0, w - 160.0, 54.0);
    (PAD + 122.0 + 24.0, left)
}

fn narrow_band(l: &mut Layout) -> (f64, f64) {
    let w = l.width - 2.0 * PAD;
    let gap = 22.0;
    let third = (w - 2.0 * gap) / 3.0;
    l.student = Rect::new(PAD, 8.0, third, 48.0);
    l.api = Rect::new(PAD + third + gap, 8.0, third, 48.0);
    l.etcd = Rect::new(PAD + 2.0 * (third + gap), 12.0, third, 40.0);
    l.manager = Rect::new(PAD, 66.0, w, 34.0);
    chips(l, 5.0);
    l.scheduler = Rect::new(PAD, 108.0, 92.0, 50.0);
    l.shelf = Rect::new(PAD + 100.0, 108.0, w - 100.0, 50.0);
    (168.0, 0.0)
}

fn chips(l: &mut Layout, head: f64) {
    let m = l.manager;
    let w = (m.w - 12.0 - 3.0 * 6.0) / 4.0;
    for (i, chip) in l.controllers.iter_mut().enumerate() {
        *chip = Rect::new(m.x + 6.0 + i as f64 * (w + 6.0), m.y + head, w, m.h - head - 6.0);
    }
}

fn is_small(pod: &Pod, options: Options) -> bool {
    pod.is_system() && !options.system
}

/// The pods of a node in the order of their making, so that a new one comes last.
fn pods_of<'a>(scene: &'a Scene, node: &str, options: Options) -> (Vec<(&'a Rc<str>, &'a Pod)>, Vec<&'a Rc<str>>) {
    let mut own = Vec::new();
    let mut system = Vec::new();
    for (key, pod) in &scene.pods {
        if *pod.node != *node {
            continue;
        }
        if is_small(pod, options) {
            system.push(key);
        } else {
            own.push((key, &**pod));
        }
    }
    own.arrange_by(|a, b| (a.1.created, a.0).cmp(&(b.1.created, b.0)));
    (own, system)
}

fn grid_height(size: TileSize, width: f64, n: usize) -> f64 {
    let (least, h, gap) = size.measures();
    let columns = (((width + gap) / (least + gap)).floor() as usize).max(1);
    n.div_ceil(columns) as f64 * (h + gap)
}

fn nodes(l: &mut Layout, scene: &Scene, area: Rect, options: Options) -> f64 {
    let n = scene.nodes.len();
    if n == 0 {
        return area.y;
    }
    let per_row = if l.wide {
        n.clamp(1, ((area.w / 210.0) as usize).max(1))
    } else if area.w >= 560.0 {
        n.min(3)
    } else {
        1
    };
    let gap = 12.0;
    let members: Vec<_> = scene
        .nodes
        .values()
        .map(|node| (node, pods_of(scene, &node.name, options)))
        .collect();
    let total: usize = members.iter().map(|(_, (own, _))| own.len()).sum();
    l.crowded = total > MAX_POD_TILES;
    // A node that takes no pods of the student's needs less room.
    let weight = |i: usize| -> f64 {
        members.get(i).map_or(1.0, |(node, (own, _))| {
            if own.is_empty() && node.control_plane && per_row > 1 {
                0.55
            } else {
                1.0
            }
        })
    };
    let rows = n.div_ceil(per_row);
    let room = if l.wide {
        (area.h - gap * (rows - 1) as f64) / rows as f64
    } else {
        0.0
    };
    let width_of = |i: usize| -> f64 {
        let first = i / per_row * per_row;
        let sum: f64 = (first..(first + per_row).min(n)).map(weight).sum();
        let count = (first + per_row).min(n) - first;
        (area.w - gap * (count as f64 - 1.0)) * weight(i) / sum.max(0.1)
    };
    let tray = |system: usize, w: f64| -> f64 {
        let columns = (((w - 20.0) / (SYSTEM_TILE + SPECK_GAP)).floor() as usize).max(1);
        system.div_ceil(columns) as f64 * (SYSTEM_TILE + SPECK_GAP) + if system > 0 { 20.0 } else { 0.0 }
    };
    let size = [TileSize::Large, TileSize::Full, TileSize::Short, TileSize::Small]
        .into_iter()
        .find(|size| {
            members.iter().enumerate().all(|(i, (_, (own, system)))| {
                let w = width_of(i);
                let h = NODE_HEAD + grid_height(*size, w - 20.0, own.len()) + tray(system.len(), w) + 10.0;
                if l.wide {
                    h <= room
                } else {
                    // A narrow pane scrolls: there the number decides.
                    own.len()
                        <= match size {
                            TileSize::Large => 0,
                            TileSize::Full => 16,
                            TileSize::Short => 48,
                            _ => 150,
                        }
                }
            })
        })
        .unwrap_or(TileSize::Speck);
    let mut y = area.y;
    for first in (0..n).step_by(per_row) {
        let row = first..(first + per_row).min(n);
        let mut height = room;
        for i in row.clone() {
            if let Some((_, (own, system))) = members.get(i) {
                let w = width_of(i);
                let own = if l.crowded { 0 } else { own.len() };
                let need = NODE_HEAD + grid_height(size, w - 20.0, own) + tray(system.len(), w) + 10.0;
                height = height.max(need).max(if l.wide { 150.0 } else { 88.0 });
            }
        }
        let mut x = area.x;
        for i in row {
            let Some((node, (own, system))) = members.get(i) else {
                continue;
            };
            let w = width_of(i);
            let rect = Rect::new(x, y, w, height);
            l.nodes.insert(node.name.clone(), rect);
            if !l.crowded {
                place_grid(
                    &mut l.pods,
                    own.iter().map(|(key, _)| *key),
                    Rect::new(x + 10.0, y + NODE_HEAD, w - 20.0, 0.0),
                    size,
                );
            }
            let columns = (((w - 20.0) / (SYSTEM_TILE + SPECK_GAP)).floor() as usize).max(1);
            let rows = system.len().div_ceil(columns) as f64;
            let base = rect.bottom() - 8.0 - rows * (SYSTEM_TILE + SPECK_GAP);
            for (j, key) in system.iter().enumerate() {
                l.pods.insert(
                    (*key).clone(),
                    Tile {
                        rect: Rect::new(
                            x + 10.0 + (j % columns) as f64 * (SYSTEM_TILE + SPECK_GAP),
                            base + (j / columns) as f64 * (SYSTEM_TILE + SPECK_GAP),
                            SYSTEM_TILE,
                            SYSTEM_TILE,
                        ),
                        size: TileSize::Speck,
                    },
                );
            }
            x += w + gap;
        }
        y += height + gap;
    }
    y - gap
}

fn place_grid<'a>(
    pods: &mut FlatMap<Rc<str>, Tile>,
    keys: impl Iterator<Item = &'a Rc<str>>,
    area: Rect,
    size: TileSize,
) {
    let (least, h, gap) = size.measures();
    let columns = (((area.w + gap) / (least + gap)).floor() as usize).max(1);
    let w = match size {
        TileSize::Large => ((area.w + gap) / columns as f64 - gap).min(230.0),
        TileSize::Full => ((area.w + gap) / columns as f64 - gap).min(210.0),
        TileSize::Short => ((area.w + gap) / columns as f64 - gap).min(110.0),
        TileSize::Small | TileSize::Speck => least,
    };
    for (i, key) in keys.enumerate() {
        let rect = Rect::new(
            area.x + (i % columns) as f64 * (w + gap),
            area.y + (i / columns) as f64 * (h + gap),
            w,
            h,
        );
        pods.insert(key.clone(), Tile { rect, size });
    }
}

/// The pods that have no node yet wait beside the scheduler.
fn waiting(l: &mut Layout, scene: &Scene, options: Options) {
    let mut keys: Vec<(&Rc<str>, &Pod)> = scene
        .pods
        .iter()
        .filter(|(_, pod)| pod.node.is_empty() && !is_small(pod, options))
        .map(|(key, pod)| (key, &**pod))
        .collect();
    keys.arrange_by(|a, b| (a.1.created, a.0).cmp(&(b.1.created, b.0)));
    let inner = Rect::new(l.shelf.x + 8.0, l.shelf.y + 6.0, l.shelf.w - 16.0, l.shelf.h - 12.0);
    let fits = |size: TileSize, height: f64| {
        let (least, _, gap) = size.measures();
        let columns = (((inner.w + gap) / (least + gap)).floor() as usize).max(1);
        let rows = ((inner.h + gap) / (height + gap)).floor().max(1.0) as usize;
        keys.len() <= columns * rows
    };
    let size = if fits(TileSize::Full, 42.0) {
        TileSize::Full
    } else if fits(TileSize::Short, 36.0) {
        TileSize::Short
    } else {
        TileSize::Speck
    };
    // What does not fit is not laid out; the shelf tells the number.
    let capacity = match size {
        TileSize::Speck => (inner.w / 14.0).floor() as usize * (inner.h / 14.0).floor() as usize,
        _ => usize::MAX,
    };
    place_grid(
        &mut l.pods,
        keys.iter().take(capacity).map(|(key, _)| *key),
        Rect::new(inner.x, inner.y, inner.w, 0.0),
        size,
    );
    if size == TileSize::Full {
        for (key, _) in &keys {
            if let Some(tile) = l.pods.get_mut(*key) {
                tile.rect.h = 42.0;
            }
        }
    }
}

impl Layout {
    /// Where dots to and from a place begin and end.
    pub fn point(&self, place: &Place) -> Option<(f64, f64)> {
        let node = |name: &Rc<str>, at: f64| {
            let r = self.nodes.get(name)?;
            Some((r.x + r.w * at, r.y + NODE_HEAD / 2.0))
        };
        match place {
            Place::Student => {
                let r = self.student;
                // In the gutter beside the column, where no text is crossed.
                Some(if self.wide {
                    (r.right() + GUTTER, r.y + 46.0)
                } else {
                    r.centre()
                })
            }
            // Below or beside the names, so that a dot covers none.
            Place::ApiServer => Some((
                self.api.centre().0,
                self.api.bottom() - if self.wide { 17.0 } else { 11.0 },
            )),
            Place::Etcd => Some((self.etcd.right() - 16.0, self.etcd.centre().1)),
            Place::Scheduler => Some((self.scheduler.right() - 18.0, self.scheduler.centre().1)),
            Place::Controller(name) => {
                let i = CONTROLLERS
                    .iter()
                    .position(|(_, names)| names.contains(&&**name))
                    .unwrap_or(CONTROLLERS.len() - 1);
                self.controllers.get(i).map(Rect::centre)
            }
            Place::Kubelet(name) => node(name, 0.08),
            Place::Proxy(name) | Place::Node(name) => node(name, 0.5),
            Place::Service(key) => {
                let r = self.services.get(key)?;
                Some(if self.wide {
                    (r.right() + GUTTER, r.y + 24.0)
                } else {
                    (r.right() - 20.0, r.y + 24.0)
                })
            }
            Place::Pod(key) => self.pods.get(key).map(|t| match t.size {
                TileSize::Speck | TileSize::Small => t.rect.centre(),
                _ => (t.rect.centre().0, t.rect.bottom() - 3.0),
            }),
            Place::Outside => Some((4.0, self.student.bottom() + 10.0)),
        }
    }

    /// Where a dot is between two places. `None` when neither is in the picture.
    pub fn between(&self, from: &Place, to: &Place, t: f64) -> Option<(f64, f64)> {
        let b = self.point(to);
        let a = self.point(from);
        let (a, b) = (a.or(b)?, b.or(a)?);
        // Ease in and out, so that a dot sets off and arrives softly.
        let e = t * t * (3.0 - 2.0 * t);
        Some((a.0 + (b.0 - a.0) * e, a.1 + (b.1 - a.1) * e))
    }
}

#[cfg(test)]
mod tests {
    use kubetab::value::Value;

    use super::*;

    fn scene(pods: usize) -> Scene {
        let mut scene = Scene::default();
        for name in ["k8s-master", "k8s-node-01", "k8s-node-02"] {
            let role = if name == "k8s-master" {
                r#""node-role.kubernetes.io/control-plane":"""#
            } else {
                ""
            };
            let json = format!(r#"{{"metadata":{{"name":"{name}","labels":{{{role}}}}}}}"#);
            scene.seed("Node", &Value::from_json(&json).unwrap());
        }
        for i in 0..pods {
            let node = 1 + i % 2;
            let json = format!(
                r#"{{"metadata":{{"name":"p-{i:05}","namespace":"default"}},"spec":{{"nodeName":"k8s-node-0{node}","containers":[{{}}]}}}}"#
            );
            scene.seed("Pod", &Value::from_json(&json).unwrap());
        }
        scene
    }

    fn overlaps(a: &Rect, b: &Rect) -> bool {
        a.x < b.right() - 0.01 && b.x < a.right() - 0.01 && a.y < b.bottom() - 0.01 && b.y < a.bottom() - 0.01
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_picture() {
        for (width, height) in [(390.0, 300.0), (768.0, 500.0), (1440.0, 520.0), (3840.0, 1500.0)] {
            for pods in [0, 3, 30, 300] {
                let scene = scene(pods);
                let l = lay_out(&scene, width, height, Options::default());
                assert_eq!(l.pods.len(), pods);
                let tiles: Vec<Rect> = l.pods.values().map(|t| t.rect).collect();
                for (i, a) in tiles.iter().enumerate() {
                    assert!(
                        a.x >= 0.0 && a.right() <= width && a.bottom() <= l.height,
                        "{width} {pods} {a:?}"
                    );
                    for b in tiles.iter().skip(i + 1) {
                        assert!(!overlaps(a, b), "{width} {pods} {a:?} {b:?}");
                    }
                }
                let mut boxes: Vec<Rect> = l.nodes.values().copied().collect();
                boxes.extend([l.student, l.api, l.etcd, l.manager, l.scheduler, l.shelf, l.wanted]);
                for (i, a) in boxes.iter().enumerate() {
                    assert!(a.x >= 0.0 && a.right() <= width + 0.01, "{width} {a:?}");
                    for b in boxes.iter().skip(i + 1) {
                        assert!(!overlaps(a, b), "{width} {pods} {a:?} {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_crowd_becomes_numbers() {
        let l = lay_out(&scene(1_000), 1440.0, 600.0, Options::default());
        assert!(l.crowded && l.pods.is_empty());
    }
}
