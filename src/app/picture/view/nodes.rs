//! The nodes: their boxes, states, and what the scheduler thinks of them while it decides.

use std::rc::Rc;

use kubetab::sim::Verdict;
use yew::prelude::*;

use super::at;
use crate::app::picture::layout::{Layout, Rect};
use crate::app::picture::model::Scene;
use crate::app::picture::node::Node;
use crate::app::ui::{Ask, Selection, use_ui};

#[derive(Properties)]
pub struct NodesProps {
    pub layout: Rc<Layout>,
    pub scene: Rc<Scene>,
    pub selection: Option<Selection>,
}

impl PartialEq for NodesProps {
    fn eq(&self, other: &NodesProps) -> bool {
        self.layout == other.layout
            && self.selection == other.selection
            && self.scene.nodes == other.scene.nodes
            && deciding(&self.scene).is_some() == deciding(&other.scene).is_some()
            && self.scene.verdict == other.scene.verdict
    }
}

/// The scheduler's last verdict, while its pod is not bound.
fn deciding(scene: &Scene) -> Option<Rc<Verdict>> {
    let verdict = scene.verdict.clone()?;
    let pod = scene.pods.get(&verdict.pod)?;
    (pod.node.is_empty() && !pod.gone).then_some(verdict)
}

#[component]
pub fn Nodes(props: &NodesProps) -> Html {
    let verdict = deciding(&props.scene);
    html! {
        <>
            { for props.layout.nodes.iter().filter_map(|(name, rect)| {
                let node = props.scene.nodes.get(name)?.clone();
                let (mut own, mut system) = (0, 0);
                for pod in props.scene.pods.values().filter(|p| p.node == *name && !p.gone) {
                    if pod.is_system() { system += 1 } else { own += 1 }
                }
                let selected = props.selection.as_ref().is_some_and(|s| s.is("Node", &format!("/{name}")));
                Some(html! {
                    <NodeBox key={name.to_string()} {node} rect={*rect} {own} {system} {selected}
                        verdict={verdict.clone()} crowded={props.layout.crowded} />
                })
            }) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct NodeBoxProps {
    node: Rc<Node>,
    rect: Rect,
    own: usize,
    system: usize,
    selected: bool,
    crowded: bool,
    verdict: Option<Rc<Verdict>>,
}

#[component]
fn NodeBox(props: &NodeBoxProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let node = &props.node;
    let name = format!("/{}", node.name);
    let phase = if node.ready { "Ready" } else { "NotReady" };
    let view = props.verdict.as_ref().and_then(|v| {
        v.nodes
            .iter()
            .find(|n| n.node == node.name)
            .map(|n| (v.clone(), n.clone()))
    });
    let badge = view.as_ref().map(|(verdict, n)| match &n.refused {
        Some((plugin, reason)) => html! {
            <span class="badge refused" title={reason.to_string()}>
                { format!("✕ {plugin}") }
            </span>
        },
        None => {
            let chosen = verdict.chosen.as_ref() == Some(&node.name);
            html! { <span class={classes!("badge", chosen.then_some("chosen"))}>{ n.total }</span> }
        }
    });
    let refused = view.as_ref().and_then(|(_, n)| n.refused.as_ref());
    let chosen = view
        .as_ref()
        .is_some_and(|(v, _)| v.chosen.as_ref() == Some(&node.name));
    let mut label = vec![ui.fill("node", &[("name", node.name.to_string())])];
    let flags = [
        (!node.ready, "node.down"),
        (node.cordoned, "node.cordoned"),
        (chosen, "verdict.chosen"),
    ];
    label.extend(
        flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, flag)| ui.t(flag).to_owned()),
    );
    if let Some((plugin, reason)) = refused {
        label.push(ui.fill("verdict.filtered", &[("plugin", plugin.to_string())]));
        label.push(reason.to_string());
    }
    let class = classes!(
        "node",
        (!node.ready).then_some("down"),
        node.cordoned.then_some("cordoned"),
        props.selected.then_some("selected"),
        refused.map(|_| "refused"),
        chosen.then_some("chosen"),
    );
    html! {
        <section {class} style={at(&props.rect)} data-kind="Node" data-name={name.clone()} data-phase={phase}
            data-ready={node.ready.to_string()} data-pods={(props.own + props.system).to_string()}>
            <button class="head" aria-label={label.join(", ")}
                onclick={ui.asking(Ask::Select(Some(Selection::object("Node", &name))))}>
                <i class="lamp" aria-hidden="true"></i>
                <b>{ &*node.name }</b>
                <small class="role">{ if node.control_plane { ui.t("node.master") } else { ui.t("node.worker") } }</small>
                if !node.ready {
                    <small class="flag">{ ui.t("node.down") }</small>
                }
                if node.cordoned {
                    <small class="flag">{ ui.t("node.cordoned") }</small>
                }
                { for badge }
            </button>
            if props.crowded {
                <p class="crowd">{ ui.fill("aggregate", &[("count", props.own.to_string())]) }</p>
            } else if props.own == 0 {
                <p class="empty">{ ui.t("node.empty") }</p>
            }
        </section>
    }
}
