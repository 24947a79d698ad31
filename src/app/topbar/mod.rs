//! The top bar: pace, the cluster's clock, language, theme, help.

use kubetab::sim::Time;
use yew::prelude::*;

use super::engine::Beat;
use super::pacer::Pace;
use super::ui::{Ask, use_ui};

#[derive(Properties, PartialEq)]
pub struct TopBarProps {
    pub beat: Beat,
    pub dark: bool,
    pub system: bool,
    pub editor: bool,
}

#[component]
pub fn TopBar(props: &TopBarProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let pacer = ui.engine.pacer();
    let paused = pacer.is_paused();
    let clock = Time::from_secs(props.beat.second).to_string();
    let (day, time) = clock.trim_end_matches('Z').split_once('T').unwrap_or((&clock, ""));
    let toggle = {
        let engine = ui.engine.clone();
        Callback::from(move |_: MouseEvent| engine.toggle_pause())
    };
    let step = {
        let engine = ui.engine.clone();
        Callback::from(move |_: MouseEvent| engine.step())
    };
    let name = |pace: Pace| match pace {
        Pace::Teaching => (ui.t("pace.teaching"), ui.t("pace.teaching.hint")),
        Pace::Max => (ui.t("pace.max"), ui.t("pace.max.hint")),
        Pace::Times(x) if x >= 10.0 => (ui.t("pace.x10"), ui.t("pace.x10.hint")),
        Pace::Times(_) | Pace::Paused => (ui.t("pace.x1"), ui.t("pace.x1.hint")),
    };
    let skipping = !paused && pacer.pace() == Pace::Teaching && props.beat.skip > 1;
    html! {
        <header class="topbar">
            <h1 title={ui.t("title.tagline")}>
                <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
                    <path d="M16 2l12 6 3 13-8.500 10h-13L1 21 4 8z" fill="var(--brand)" />
                    <circle cx="16" cy="16" r="5" fill="#fff" />
                </svg>
                <span>{ ui.t("title") }</span>
            </h1>
            <div class="transport" role="group" aria-label={ui.t("pace")}>
                <button class={classes!("round", "play", paused.then_some("paused"))} onclick={toggle}
                    aria-label={if paused { ui.t("pace.resume") } else { ui.t("pace.pause") }}
                    title={if paused { ui.t("pace.resume") } else { ui.t("pace.pause") }}>
                    if paused {
                        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2.500v11l9-5.500z" fill="currentColor" /></svg>
                    } else {
                        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 3h3v10H4zM9 3h3v10H9z" fill="currentColor" /></svg>
                    }
                </button>
                <button class="round step" onclick={step} aria-label={ui.t("pace.step")} title={ui.t("pace.step")}>
                    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3v10l7-5zM11 3h2v10h-2z" fill="currentColor" /></svg>
                </button>
                <div class="paces" role="group" aria-label={ui.t("pace")}>
                    { for Pace::OFFERED.into_iter().map(|pace| {
                        let engine = ui.engine.clone();
                        let (label, hint) = name(pace);
                        let on = pacer.chosen() == pace;
                        html! {
                            <button aria-pressed={on.to_string()} title={hint} data-pace={pace.word()}
                                class={classes!(on.then_some("on"))}
                                onclick={Callback::from(move |_: MouseEvent| engine.set_pace(pace))}>{ label }</button>
                        }
                    }) }
                </div>
            </div>
            <div class={classes!("clock", paused.then_some("paused"))} title={ui.t("virtual-time")}>
                <time datetime={clock.clone()}><small>{ day }</small>{ time }</time>
                <span class="state">
                    if paused {
                        { ui.t("pace.paused") }
                    } else if skipping {
                        { ui.fill("pace.skip", &[("times", props.beat.skip.to_string())]) }
                    }
                </span>
            </div>
            <div class="tools">
                <button class={classes!("tool", "system", props.system.then_some("on"))} onclick={ui.asking(Ask::ToggleSystem)}
                    aria-pressed={props.system.to_string()}
                    title={if props.system { ui.t("system.hide") } else { ui.t("system.show") }}>{ ui.t("system.label") }</button>
                <button class={classes!("tool", "yaml", props.editor.then_some("on"))}
                    onclick={ui.asking(Ask::ShowEditor(!props.editor))}
                    aria-label={if props.editor { ui.t("editor.hide") } else { ui.t("editor.open") }}
                    title={if props.editor { ui.t("editor.hide") } else { ui.t("editor.open") }}>{ ui.t("editor") }</button>
                <button class="tool language" onclick={ui.asking(Ask::ToggleLanguage)} aria-label={ui.t("language.label")}
                    title={ui.t("language.label")}>{ ui.t("language") }</button>
                <button class="tool icon theme" onclick={ui.asking(Ask::ToggleTheme)} aria-label={ui.t("theme.label")}
                    title={ui.t("theme.label")}>{ if props.dark { "☀" } else { "☾" } }</button>
                <button class="tool icon help" onclick={ui.asking(Ask::ToggleHelp)} aria-label={ui.t("help")}
                    title={ui.t("help")}>{ "?" }</button>
            </div>
        </header>
    }
}
