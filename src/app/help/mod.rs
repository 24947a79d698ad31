//! The help: what this is, what the colours mean, and what to try.

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::prelude::*;

use super::ui::{Ask, use_ui};

#[component]
pub fn Help() -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            let before = web_sys::window()
                .and_then(|w| w.document())
                .and_then(|d| d.active_element());
            if let Some(element) = dialog.cast::<HtmlElement>() {
                // Without focus the dialog can still be read and closed.
                let _ = element.focus();
            }
            move || {
                if let Some(element) = before.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
                    let _ = element.focus();
                }
            }
        });
    }
    let close = ui.asking::<MouseEvent>(Ask::ToggleHelp);
    let keys = {
        let ask = ui.ask.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                ask.emit(Ask::ToggleHelp);
            }
        })
    };
    let moods = [
        ("waiting", ui.t("mood.waiting")),
        ("starting", ui.t("mood.starting")),
        ("unready", ui.t("mood.unready")),
        ("ready", ui.t("mood.ready")),
        ("done", ui.t("mood.done")),
        ("failing", ui.t("mood.failing")),
        ("terminating", ui.t("mood.terminating")),
    ];
    html! {
        <div class="veil" onclick={close.clone()}>
            <div class="help-card" role="dialog" aria-modal="true" aria-label={ui.t("help")} tabindex="-1" ref={dialog}
                onkeydown={keys} onclick={Callback::from(|e: MouseEvent| e.stop_propagation())}>
                <button class="close" onclick={close} aria-label={ui.t("close")}>{ "×" }</button>
                <h2>{ ui.t("title") }</h2>
                <p>{ ui.t("help.intro") }</p>
                <h3>{ ui.t("help.pace") }</h3>
                <p>{ ui.t("help.pace.teaching") }</p>
                <h3>{ ui.t("help.colours") }</h3>
                <ul class="legend">
                    { for moods.into_iter().map(|(mood, label)| html! {
                        <li><span class={classes!("pod", "sample", mood)}><i class="ring"></i></span>{ label }</li>
                    }) }
                </ul>
                <h3>{ ui.t("help.keys") }</h3>
                <p>{ ui.t("help.keys.complete") }</p>
                <p>{ ui.t("help.keys.leave") }</p>
                <p class="api">{ ui.t("help.api") }</p>
                <p><a href="simulated.md" target="_blank" rel="noopener">{ ui.t("help.simulated") }</a></p>
            </div>
        </div>
    }
}
