//! The caption under the picture: the newest sentence, large; the log of the last ones; and the live
//! region that reads them to a screen reader.

use kubetab::sim::Time;
use yew::prelude::*;

use super::engine::Beat;
use super::picture::narration::Line;
use super::ui::{Ask, Ui, use_ui};

/// Sentences that the log shows.
const LOG_SHOWN: usize = 80;
/// The live region is given new text at most this often (milliseconds), so that it can be heard out.
const SPEAK_MS: f64 = 2_000.0;

#[derive(Properties, PartialEq)]
pub struct CaptionProps {
    pub beat: Beat,
    pub open: bool,
}

fn sentence(ui: &Ui, line: &Line) -> String {
    line.text(|key| ui.language.look_up(key))
}

#[component]
pub fn Caption(props: &CaptionProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let spoken = use_mut_ref(|| (0.0f64, 0u64, String::new()));
    let newest = ui.engine.log(1).pop();
    let text = newest
        .as_ref()
        .map_or_else(|| ui.t("caption.idle").to_owned(), |line| sentence(&ui, line));
    {
        let mut spoken = spoken.borrow_mut();
        let now = super::engine::now_ms();
        if spoken.1 != props.beat.said && now - spoken.0 > SPEAK_MS {
            let new = (props.beat.said - spoken.1).min(4) as usize;
            let lines: Vec<String> = ui.engine.log(new).iter().map(|l| sentence(&ui, l)).collect();
            *spoken = (now, props.beat.said, lines.join(" "));
        }
    }
    let live = spoken.borrow().2.clone();
    let kind = newest.as_ref().map_or("idle", |line| line.key);
    html! {
        <div class={classes!("caption", props.open.then_some("open"))} role="region" aria-label={ui.t("caption.label")}>
            <button class="now" onclick={ui.asking(Ask::ToggleLog)} aria-expanded={props.open.to_string()}
                title={if props.open { ui.t("caption.log.close") } else { ui.t("caption.log") }}>
                <i class={classes!("mark", format!("say-{kind}"))} aria-hidden="true"></i>
                <span class="text" key={props.beat.said}>{ text }</span>
                <svg class="chevron" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                    <path d="M3 10l5-5 5 5" fill="none" stroke="currentColor" stroke-width="2" />
                </svg>
            </button>
            if props.open {
                <ol class="log" tabindex="0">
                    { for ui.engine.log(LOG_SHOWN).iter().rev().map(|line| {
                        let clock = Time(line.micros).micro();
                        let time = clock.get(11..23).unwrap_or_default().to_owned();
                        html! { <li><time>{ time }</time><span>{ sentence(&ui, line) }</span></li> }
                    }) }
                </ol>
            }
            <div class="sr-only" role="log" aria-live="polite" aria-atomic="true" data-live="narration">{ live }</div>
        </div>
    }
}
