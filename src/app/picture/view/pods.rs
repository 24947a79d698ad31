//! The pods: each a button that flies to its node when it is bound, fills a ring while its image is
//! pulled, turns ready, and fades when it ends.

use std::rc::Rc;

use yew::prelude::*;

use super::{age, at, family};
use crate::app::picture::layout::{Layout, Tile, TileSize};
use crate::app::picture::model::Scene;
use crate::app::picture::pod::{Mood, Pod};
use crate::app::ui::{Ask, Selection, use_ui};

#[derive(Properties)]
pub struct PodsProps {
    pub layout: Rc<Layout>,
    pub scene: Rc<Scene>,
    pub selection: Option<Selection>,
    /// Virtual seconds, for ages.
    pub second: u64,
}

impl PartialEq for PodsProps {
    fn eq(&self, other: &PodsProps) -> bool {
        self.layout == other.layout
            && self.selection == other.selection
            && self.second == other.second
            && self.scene.version == other.scene.version
    }
}

#[component]
pub fn Pods(props: &PodsProps) -> Html {
    html! {
        <div class="pods">
            { for props.layout.pods.iter().filter_map(|(key, tile)| {
                let pod = props.scene.pods.get(key)?.clone();
                let age = if matches!(tile.size, TileSize::Full | TileSize::Large) {
                    AttrValue::from(age(props.second.saturating_sub(pod.created.as_secs())))
                } else {
                    AttrValue::default()
                };
                let selected = props.selection.as_ref().is_some_and(|s| s.is("Pod", key));
                // The uid is part of the key: a new pod of the same name is another element.
                let id = format!("{key} {}", pod.uid);
                Some(html! { <PodTile key={id} {pod} tile={*tile} {age} {selected} /> })
            }) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct PodTileProps {
    pod: Rc<Pod>,
    tile: Tile,
    age: AttrValue,
    selected: bool,
}

#[component]
fn PodTile(props: &PodTileProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let pod = &props.pod;
    let name = pod.key();
    let (prefix, own) = pod.name_parts();
    let state = match pod.mood {
        Mood::Waiting => ui.t("mood.waiting"),
        Mood::Starting => ui.t("mood.starting"),
        Mood::Unready => ui.t("mood.unready"),
        Mood::Ready => ui.t("mood.ready"),
        Mood::Done => ui.t("mood.done"),
        Mood::Failing => ui.t("mood.failing"),
        Mood::Terminating => ui.t("mood.terminating"),
    };
    let pull = pod.pull.filter(|_| pod.mood == Mood::Starting).map(|p| p.percent());
    let mut label = format!("{}, {state}", ui.fill("pod", &[("name", pod.name.to_string())]));
    if !pod.node.is_empty() {
        label += &format!(", {}", pod.node);
    }
    let title = if pod.ip.is_empty() {
        label.clone()
    } else {
        format!("{label}, {}", pod.ip)
    };
    let status = match pull {
        Some(percent) => format!("{percent}%"),
        None => pod.status.to_string(),
    };
    let sign = match pod.mood {
        Mood::Waiting => "?",
        Mood::Starting => "",
        Mood::Unready => "…",
        Mood::Ready | Mood::Done => "✓",
        Mood::Failing => "!",
        Mood::Terminating => "×",
    };
    let large = props.tile.size == TileSize::Large;
    let full = large || props.tile.size == TileSize::Full;
    let class = classes!(
        "pod",
        props.tile.size.word(),
        pod.mood.word(),
        format!("fam-{}", family(&pod.family)),
        pod.is_system().then_some("system"),
        pod.gone.then_some("gone"),
        pull.is_some().then_some("pulling"),
        props.selected.then_some("selected"),
    );
    let ready = pod.containers > 0 && pod.ready >= pod.containers && pod.mood != Mood::Terminating;
    html! {
        <button {class} style={format!("{}--pull:{};", at(&props.tile.rect), pull.unwrap_or(0))}
            data-kind="Pod" data-name={name.clone()} data-phase={pod.phase.to_string()}
            data-status={pod.status.to_string()} data-node={pod.node.to_string()} data-ready={ready.to_string()}
            data-restarts={pod.restarts.to_string()} data-gone={pod.gone.then_some("true")}
            data-pull={pull.map(|p| p.to_string())} title={title} aria-label={label}
            onclick={ui.asking(Ask::Select(Some(Selection::object("Pod", &name))))}>
            <span class="face">
                <i class="ring" aria-hidden="true">{ sign }</i>
                if props.tile.size != TileSize::Speck && props.tile.size != TileSize::Small {
                    <span class="text">
                        <span class="name">
                            if full {
                                <small>{ prefix }</small>
                            }
                            <b>{ own }</b>
                        </span>
                        if full {
                            <span class="line">
                                <span class="status">{ status }</span>
                                if !large {
                                    <span class="age">{ props.age.clone() }</span>
                                }
                                if pod.restarts > 0 {
                                    <span class="restarts">{ format!("↻{}", pod.restarts) }</span>
                                }
                            </span>
                        }
                        if large {
                            <span class="line where">
                                <span class="image">{ &*pod.image }</span>
                                <span class="age">{ props.age.clone() }</span>
                            </span>
                        }
                    </span>
                }
            </span>
        </button>
    }
}
