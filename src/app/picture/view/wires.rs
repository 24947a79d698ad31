//! Faint lines between the places that talk to each other, so that the ways of the dots are seen.

use std::rc::Rc;

use yew::prelude::*;

use crate::app::picture::layout::Layout;
use crate::app::picture::model::Scene;
use crate::app::picture::place::Place;

/// Lines from services to endpoints; more would be a carpet.
const MAX_ENDPOINT_LINES: usize = 60;

#[derive(Properties)]
pub struct WiresProps {
    pub layout: Rc<Layout>,
    pub scene: Rc<Scene>,
    /// The lines of traffic, which lie over the nodes; else those of the control plane.
    pub traffic: bool,
}

impl PartialEq for WiresProps {
    fn eq(&self, other: &WiresProps) -> bool {
        self.layout == other.layout && self.scene.services == other.scene.services
    }
}

#[component]
pub fn Wires(props: &WiresProps) -> Html {
    let l = &props.layout;
    let line = |from: &Place, to: &Place, class: String| -> Html {
        let (Some(a), Some(b)) = (l.point(from), l.point(to)) else {
            return Html::default();
        };
        let n = |x: f64| format!("{x:.1}");
        html! { <line x1={n(a.0)} y1={n(a.1)} x2={n(b.0)} y2={n(b.1)} {class} /> }
    };
    if !props.traffic {
        return control_lines(props, line);
    }
    let mut left = MAX_ENDPOINT_LINES;
    let mut traffic = Vec::new();
    for key in l.services.keys() {
        let Some(service) = props.scene.services.get(key) else {
            continue;
        };
        let place = Place::Service(key.clone());
        if let Some(port) = l.point(&place) {
            let (x, y) = (format!("{:.1}", port.0), format!("{:.1}", port.1));
            traffic.push(html! { <circle class="port" cx={x} cy={y} r="5" /> });
        }
        traffic.push(line(&Place::Student, &place, "wire traffic".to_owned()));
        for e in service.endpoints.iter().filter(|e| e.ready && !e.pod.is_empty()) {
            if left == 0 {
                break;
            }
            left -= 1;
            let next = if e.next { " next" } else { "" };
            traffic.push(line(&place, &Place::Pod(e.pod.clone()), format!("wire endpoint{next}")));
        }
    }
    html! {
        <svg class="wires" aria-hidden="true">{ for traffic }</svg>
    }
}

fn control_lines(props: &WiresProps, line: impl Fn(&Place, &Place, String) -> Html) -> Html {
    let control = [
        (Place::Student, Place::ApiServer),
        (Place::ApiServer, Place::Etcd),
        (Place::ApiServer, Place::Scheduler),
    ]
    .into_iter()
    .chain(
        [
            "deployment-controller",
            "replicaset-controller",
            "endpointslice-controller",
            "others",
        ]
        .into_iter()
        .map(|c| (Place::ApiServer, Place::Controller(c.into()))),
    )
    .chain(
        props
            .scene
            .nodes
            .keys()
            .map(|n| (Place::ApiServer, Place::Kubelet(n.clone()))),
    );
    html! {
        <svg class="wires" aria-hidden="true">
            { for control.map(|(a, b)| line(&a, &b, "wire control".to_owned())) }
        </svg>
    }
}
