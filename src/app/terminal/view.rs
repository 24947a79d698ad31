//! The terminal on the page, with the suggestions below it.

use std::rc::Rc;

use wasm_bindgen::closure::Closure;
use web_sys::Element;
use yew::prelude::*;

use super::session::Session;
use super::{glue, hints};
use crate::app::engine::Beat;
use crate::app::ui::{Ask, use_ui};

#[derive(Properties, PartialEq)]
pub struct TerminalProps {
    pub beat: Beat,
    pub hidden: bool,
    pub dark: bool,
    pub session: SessionRef,
}

/// The page's one session, compared by address.
#[derive(Clone)]
pub struct SessionRef(pub Rc<Session>);

impl PartialEq for SessionRef {
    fn eq(&self, other: &SessionRef) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// How many cells a code point takes, as the line editor counts them.
fn cells(code: u32) -> u32 {
    char::from_u32(code).map_or(1, |c| kubetab::shell::width(c.encode_utf8(&mut [0; 4])) as u32)
}

#[component]
pub fn Terminal(props: &TerminalProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let screen = use_node_ref();
    {
        let (screen, session) = (screen.clone(), props.session.0.clone());
        let welcome = format!(
            "{}\r\n{}\r\n\r\n",
            ui.t("terminal.welcome.1"),
            ui.t("terminal.welcome.2")
        );
        use_effect_with((), move |()| {
            let typed = session.clone();
            let on_data = Closure::new(move |data: String| typed.input(&data));
            let sized = session.clone();
            let on_resize = Closure::new(move |columns, rows| sized.resize(columns, rows));
            let width = Closure::new(cells);
            if let Some(element) = screen.cast::<Element>() {
                glue::open(&element, &on_data, &on_resize, &width);
                session.resize(glue::columns(), glue::rows());
                session.begin(&welcome, glue::write);
                glue::focus();
            }
            move || drop((on_data, on_resize, width))
        });
    }
    use_effect_with(ui.t("terminal.label"), |label| glue::name(label));
    {
        use_effect_with((props.dark, props.hidden), |(_, hidden)| {
            glue::retheme();
            if !hidden {
                glue::fit();
            }
        });
    }
    let hints = ui
        .engine
        .with_show(|show| hints::hints(&show.scene, ui.language))
        .into_iter();
    html! {
        <section class={classes!("terminal", props.hidden.then_some("hidden"))} aria-label={ui.t("terminal")}>
            <div class="screen" ref={screen}></div>
            <div class="hints" role="group" aria-label={ui.t("hints")}>
                { for hints.map(|hint| {
                    let ask = ui.ask.clone();
                    let command = hint.command.clone();
                    let run = Callback::from(move |_: MouseEvent| {
                        ask.emit(Ask::Run(command.clone()));
                        glue::focus();
                    });
                    html! {
                        <button class="hint" key={hint.command.clone()} onclick={run} title={hint.command.clone()}>
                            <span>{ hint.label }</span>
                            <code>{ hint.command.clone() }</code>
                        </button>
                    }
                }) }
            </div>
        </section>
    }
}
