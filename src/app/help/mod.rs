//! The help: what this is, what the colours mean, and what to try.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

use super::ui::{Ask, use_ui};

#[component]
pub fn Help() -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            // The browser keeps the focus in a modal dialog, closes it by Escape, and gives the focus back.
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // A dialog that is in the page and not open is never refused.
                let _ = dialog.show_modal();
            }
        });
    }
    let close = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        })
    };
    // The dialog itself is hit beside the card alone.
    let beside = {
        let close = close.clone();
        Callback::from(move |event: MouseEvent| {
            if event.target_dyn_into::<HtmlDialogElement>().is_some() {
                close.emit(event);
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
        <dialog aria-label={ui.t("help")} ref={dialog} onclick={beside}
            onclose={ui.asking::<Event>(Ask::ToggleHelp)}>
            <div class="help-card">
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
        </dialog>
    }
}
