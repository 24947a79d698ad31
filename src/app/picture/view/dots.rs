//! The dots: a pool of elements that the frame loop moves, past Yew, since they move at every frame.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use crate::app::picture::flight::{Dot, Fate};
use crate::app::picture::layout::Layout;
use crate::app::picture::show::Show;
use crate::app::ui::use_ui;

#[derive(Properties, PartialEq)]
pub struct DotsProps {
    pub layout: Rc<Layout>,
}

/// An element of the pool with what it was last given.
struct Bead {
    element: HtmlElement,
    class: String,
    shown: bool,
}

#[component]
pub fn Dots(props: &DotsProps) -> Html {
    let ui = use_ui();
    let layer = use_node_ref();
    let layout = use_mut_ref(|| props.layout.clone());
    *layout.borrow_mut() = props.layout.clone();
    {
        let layer = layer.clone();
        use_effect_with((), move |()| {
            if let Some(ui) = ui {
                let pool: RefCell<Vec<Bead>> = RefCell::default();
                ui.engine.paint_with(move |show| {
                    if let Some(layer) = layer.cast::<Element>() {
                        draw(show, &layout.borrow(), &layer, &mut pool.borrow_mut());
                    }
                });
            }
        });
    }
    html! { <div class="dots" ref={layer} aria-hidden="true"></div> }
}

fn draw(show: &Show, layout: &Layout, layer: &Element, pool: &mut Vec<Bead>) {
    let mut used = 0;
    for dot in show.flights.dots() {
        let (from, to, t) = dot.position();
        let Some((x, y)) = layout.between(from, to, t) else {
            continue;
        };
        if used == pool.len() {
            let Some(element) = bead(layer) else { break };
            pool.push(element);
        }
        let Some(bead) = pool.get_mut(used) else { break };
        used += 1;
        let class = class_of(dot);
        if bead.class != class {
            bead.element.set_class_name(&class);
            bead.class = class;
        }
        let angle = match (layout.point(from), layout.point(to)) {
            (Some(a), Some(b)) if a != b => js_sys::Math::atan2(b.1 - a.1, b.0 - a.0),
            _ => 0.0,
        };
        let style = bead.element.style();
        let transform = format!("translate({x:.1}px,{y:.1}px) rotate({angle:.2}rad)");
        // A style that the browser refuses leaves the dot where it was.
        let _ = style.set_property("transform", &transform);
        if !bead.shown {
            bead.shown = true;
            let _ = style.set_property("visibility", "visible");
        }
    }
    for bead in pool.iter_mut().skip(used).filter(|b| b.shown) {
        bead.shown = false;
        let _ = bead.element.style().set_property("visibility", "hidden");
    }
}

fn class_of(dot: &Dot) -> String {
    format!(
        "dot {}{}{}{}",
        dot.kind.word(),
        match dot.fate {
            Fate::Open => "",
            Fate::Good => " good",
            Fate::Bad => " bad",
        },
        if dot.story { "" } else { " faint" },
        if dot.is_resting() { " resting" } else { "" },
    )
}

fn bead(layer: &Element) -> Option<Bead> {
    use wasm_bindgen::JsCast;
    let element = layer.owner_document()?.create_element("i").ok()?;
    layer.append_child(&element).ok()?;
    Some(Bead {
        element: element.dyn_into().ok()?,
        class: String::new(),
        shown: false,
    })
}
