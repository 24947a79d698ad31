//! Draws the scene: every object is a real element, placed by a CSS transform.

mod dots;
mod nodes;
mod pods;
mod stations;
mod wanted;
mod wires;

use std::rc::Rc;

use kubetab::value::fnv::{self, fnv1a};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::layout::{Layout, Options, Rect, lay_out};
use super::model::Scene;
use crate::app::engine::Beat;
use crate::app::ui::{Selection, use_ui};

/// The inline style that puts an element at a rectangle.
pub fn at(r: &Rect) -> String {
    format!(
        "transform:translate({:.1}px,{:.1}px);width:{:.1}px;height:{:.1}px;",
        r.x, r.y, r.w, r.h
    )
}

/// One of eight colours for pods of the same revision.
pub fn family(name: &str) -> u32 {
    (fnv1a(fnv::START, name.as_bytes()) >> 7) % 8
}

/// How much larger everything is drawn in a very wide pane, which is looked at from farther away.
fn scale(width: f64) -> f64 {
    match width {
        w if w >= 3_000.0 => 1.7,
        w if w >= 2_100.0 => 1.3,
        _ => 1.0,
    }
}

/// A duration as kubectl prints ages.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => match seconds % 60 {
            0 => format!("{}m", seconds / 60),
            s => format!("{}m{s}s", seconds / 60),
        },
        600..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[derive(Properties, PartialEq)]
pub struct PictureProps {
    pub beat: Beat,
    pub selection: Option<Selection>,
    pub system: bool,
}

/// The picture with all that is in it.
#[component]
pub fn Picture(props: &PictureProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let frame = use_node_ref();
    let size = use_state(|| (1024.0, 480.0));
    {
        let (frame, size) = (frame.clone(), size.clone());
        use_effect_with((), move |()| {
            let observed = frame.cast::<HtmlElement>();
            let element = observed.clone();
            let callback = Closure::<dyn FnMut()>::new(move || {
                if let Some(e) = &element {
                    let (w, h) = (f64::from(e.client_width()), f64::from(e.client_height()));
                    if w > 0.0 && h > 0.0 {
                        size.set((w, h));
                    }
                }
            });
            let observer = web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(element)) = (&observer, &observed) {
                observer.observe(element);
            }
            move || {
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(callback);
            }
        });
    }
    let scene: Rc<Scene> = {
        let engine = ui.engine.clone();
        use_memo(props.beat.scene, move |_| engine.with_show(|show| show.scene.clone()))
    };
    let options = Options { system: props.system };
    let scale = scale(size.0);
    let layout: Rc<Layout> = use_memo((props.beat.scene, *size, props.system), |(_, (w, h), _)| {
        lay_out(&scene, *w / scale, *h / scale, options)
    });
    let canvas = format!(
        "width:{:.1}px;height:{:.1}px;transform:scale({scale});",
        layout.width, layout.height
    );
    let space = format!("height:{:.1}px;", layout.height * scale);
    let class = classes!(
        "scene",
        layout.wide.then_some("wide"),
        layout.crowded.then_some("crowded")
    );
    html! {
        <div class="picture" ref={frame} role="region" aria-label={ui.t("picture.label")} tabindex="-1">
            <div class="space" style={space}>
            <div {class} style={canvas}>
                <wires::Wires layout={layout.clone()} scene={scene.clone()} traffic={false} />
                <stations::Stations layout={layout.clone()} scene={scene.clone()} beat={props.beat}
                    selection={props.selection.clone()} />
                <wanted::Wanted layout={layout.clone()} scene={scene.clone()} selection={props.selection.clone()} />
                <nodes::Nodes layout={layout.clone()} scene={scene.clone()} selection={props.selection.clone()} />
                <wires::Wires layout={layout.clone()} scene={scene.clone()} traffic={true} />
                <pods::Pods layout={layout.clone()} {scene} selection={props.selection.clone()}
                    second={props.beat.second} />
                <dots::Dots {layout} />
            </div>
            </div>
        </div>
    }
}
