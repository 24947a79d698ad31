//! The control plane: the student's terminal, API server, etcd, controllers, scheduler and the shelf
//! of pods that wait for a node.

use std::rc::Rc;

use yew::prelude::*;

use super::at;
use crate::app::engine::Beat;
use crate::app::picture::layout::{CONTROLLERS, Layout, Rect};
use crate::app::picture::model::Scene;
use crate::app::ui::{Ask, Selection, Ui, use_ui};

#[derive(Properties)]
pub struct StationsProps {
    pub layout: Rc<Layout>,
    pub scene: Rc<Scene>,
    pub beat: Beat,
    pub selection: Option<Selection>,
}

impl PartialEq for StationsProps {
    fn eq(&self, other: &StationsProps) -> bool {
        self.layout == other.layout
            && self.beat.state == other.beat.state
            && self.selection == other.selection
            && waiting(&self.scene) == waiting(&other.scene)
    }
}

/// Pods without a node.
fn waiting(scene: &Scene) -> usize {
    scene.pods.values().filter(|p| p.node.is_empty() && !p.gone).count()
}

fn station(ui: &Ui, rect: &Rect, part: &'static str, sign: Html, label: Html, props: &StationsProps) -> Html {
    let selected = props.selection == Some(Selection::Part(part));
    html! {
        <button class={classes!("station", part, selected.then_some("selected"))} style={at(rect)}
            data-kind="Component" data-name={format!("/{part}")} aria-label={ui.t(part)}
            onclick={ui.asking(Ask::Select(Some(Selection::Part(part))))}>
            <span class="sign" aria-hidden="true">{ sign }</span>
            <span class="label">{ label }</span>
        </button>
    }
}

#[component]
pub fn Stations(props: &StationsProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let l = &props.layout;
    let command = ui.engine.command_line();
    let running = ui.engine.is_running();
    let line = if command.is_empty() {
        html! { <span class="idle">{ ui.t("student.idle") }</span> }
    } else {
        html! { <code class={classes!("line", running.then_some("running"))}>{ format!("$ {command}") }</code> }
    };
    let student = html! { <><b>{ ui.t("student") }</b>{ line }</> };
    let waiting = waiting(&props.scene);
    let hidden = waiting.saturating_sub(
        props
            .scene
            .pods
            .iter()
            .filter(|(key, p)| p.node.is_empty() && !p.gone && l.pods.contains_key(*key))
            .count(),
    );
    html! {
        <>
            { station(&ui, &l.student, "student", sign_terminal(), student, props) }
            { station(&ui, &l.api, "api-server", sign_hub(), html! { <b>{ ui.t("api-server") }</b> }, props) }
            { station(&ui, &l.etcd, "etcd", sign_store(), html! { <b>{ ui.t("etcd") }</b> }, props) }
            { station(&ui, &l.manager, "controllers", Html::default(),
                html! { <b>{ ui.t("controllers") }</b> }, props) }
            { for l.controllers.iter().zip(CONTROLLERS).map(|(r, (name, _))| html! {
                <span class="chip" style={at(r)} data-kind="Controller" data-name={format!("/{name}")}>
                    { if name == "others" { "…" } else { name } }
                </span>
            }) }
            { station(&ui, &l.scheduler, "scheduler", sign_scales(), html! { <b>{ ui.t("scheduler") }</b> }, props) }
            <div class={classes!("shelf", (waiting > 0).then_some("busy"))} style={at(&l.shelf)}>
                if waiting == 0 {
                    <span>{ ui.t("shelf.empty") }</span>
                }
                if hidden > 0 {
                    <b class="more">{ ui.fill("shelf.more", &[("count", hidden.to_string())]) }</b>
                }
            </div>
        </>
    }
}

fn icon(paths: Html) -> Html {
    html! {
        <svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" stroke-width="1.8"
            stroke-linecap="round" stroke-linejoin="round">{ paths }</svg>
    }
}

fn sign_terminal() -> Html {
    icon(html! { <><rect x="3" y="4" width="18" height="16" rx="3" /><path d="M7 9l3 3-3 3M13 15h4" /></> })
}

fn sign_hub() -> Html {
    icon(html! { <><circle cx="12" cy="12" r="4" /><path d="M12 8V3M12 21v-5M8 12H3M21 12h-5" /></> })
}

fn sign_store() -> Html {
    icon(html! {
        <><ellipse cx="12" cy="6" rx="7" ry="3" /><path d="M5 6v12c0 1.700 3.100 3 7 3s7-1.300 7-3V6M5 12c0 1.700 3.100 3 7 3s7-1.300 7-3" /></>
    })
}

fn sign_scales() -> Html {
    icon(html! { <path d="M12 4v16M8 20h8M5 8h14M5 8l-3 6h6zM19 8l-3 6h6z" /> })
}
