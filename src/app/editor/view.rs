//! The YAML pane on the page.

use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, HtmlSelectElement};
use yew::prelude::*;

use super::glue;
use super::problems::{Problem, problems};
use super::samples::SAMPLES;
use crate::app::ui::{Ask, use_ui};

/// What is in the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The file that Save writes; none for a sheet that is only applied.
    pub file: Option<String>,
    pub text: String,
    /// Counts up when the text was set from outside the editor.
    pub version: u32,
}

/// The outcome of an Apply or a Save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub good: bool,
    pub text: String,
    /// The places of what the answer complains about.
    pub places: Vec<Problem>,
}

#[derive(Properties, PartialEq)]
pub struct EditorProps {
    pub sheet: Sheet,
    pub report: Option<Report>,
    pub on_apply: Callback<String>,
    pub on_save: Callback<(String, String)>,
    pub hidden: bool,
    /// Whether a program waits for the file: then Save ends the editing, and there is nothing to apply.
    pub waiting: bool,
}

#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let frame = use_node_ref();
    let loaded = use_state(|| false);
    let found = use_state(Vec::<Problem>::new);
    // Whether the text is no more what the report is about.
    let edited = use_state(|| false);
    let apply = {
        let on_apply = props.on_apply.clone();
        Callback::from(move |()| on_apply.emit(glue::text()))
    };
    let save = {
        let (on_save, on_apply, file) = (props.on_save.clone(), props.on_apply.clone(), props.sheet.file.clone());
        Callback::from(move |()| match file.clone() {
            Some(file) => on_save.emit((file, glue::text())),
            None => on_apply.emit(glue::text()),
        })
    };
    let apply = if props.waiting { save.clone() } else { apply };
    // The editor's own callbacks live as long as the page: they go through a cell to the newest.
    let newest = use_mut_ref(|| (apply.clone(), save.clone()));
    *newest.borrow_mut() = (apply.clone(), save.clone());
    {
        let (frame, loaded, found, edited) = (frame.clone(), loaded.clone(), found.clone(), edited.clone());
        let text = props.sheet.text.clone();
        use_effect_with((), move |()| {
            let on_change = Closure::new(move |text: String| {
                edited.set(true);
                found.set(problems(&text));
            });
            let (first, second) = (newest.clone(), newest);
            let on_apply = Closure::new(move || {
                let apply = first.borrow().0.clone();
                apply.emit(());
            });
            let on_save = Closure::new(move || {
                let save = second.borrow().1.clone();
                save.emit(());
            });
            if let Some(element) = frame.cast::<Element>() {
                let opened = glue::open(&element, &text, &on_change, &on_apply, &on_save);
                spawn_local(async move {
                    if JsFuture::from(opened).await.is_ok() {
                        loaded.set(true);
                        glue::focus();
                    }
                });
            }
            move || drop((on_change, on_apply, on_save))
        });
    }
    {
        let text = props.sheet.text.clone();
        use_effect_with((props.sheet.version, *loaded), move |(version, loaded)| {
            if *loaded && *version > 0 {
                glue::set(&text);
                glue::focus();
            }
        });
    }
    use_effect_with((ui.t("editor.label"), *loaded), |(label, loaded)| {
        if *loaded {
            glue::name(label);
        }
    });
    {
        let edited = edited.clone();
        use_effect_with(props.report.clone(), move |_| edited.set(false));
    }
    {
        let mut shown = (*found).clone();
        if let Some(report) = props.report.as_ref().filter(|_| !*edited) {
            shown.extend(report.places.iter().cloned());
        }
        use_effect_with((shown, *loaded), move |(shown, loaded)| {
            if *loaded {
                glue::diagnostics(&shown.iter().flat_map(triple).collect());
            }
        });
    }
    let pick = {
        let ask = ui.ask.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                let sample = SAMPLES.iter().find(|(name, _)| *name == select.value());
                if let Some((_, text)) = sample {
                    ask.emit(Ask::Edit {
                        file: None,
                        text: (*text).to_owned(),
                    });
                }
                select.set_value("");
            }
        })
    };
    let problem_text = found.first().map(|p| {
        ui.fill(
            "editor.problem",
            &[
                ("line", p.line.to_string()),
                ("column", p.column.to_string()),
                ("message", p.message.clone()),
            ],
        )
    });
    let click = |f: Callback<()>| Callback::from(move |_: MouseEvent| f.emit(()));
    html! {
        <section class={classes!("editor", props.hidden.then_some("hidden"))} aria-label={ui.t("editor.label")}>
            <header>
                <b class="file">{ props.sheet.file.clone().unwrap_or_else(|| ui.t("editor").to_owned()) }</b>
                <select aria-label={ui.t("editor.sample")} onchange={pick}>
                    <option value="" selected=true>{ format!("{}…", ui.t("editor.sample")) }</option>
                    { for SAMPLES.iter().map(|(name, _)| html! { <option value={*name}>{ *name }</option> }) }
                </select>
                if props.sheet.file.is_some() {
                    <button class="save" onclick={click(save)}>{ ui.t("editor.save") }</button>
                }
                if !props.waiting {
                    <button class="apply" onclick={click(apply)} title={ui.t("editor.apply.hint")}>{ ui.t("editor.apply") }</button>
                }
                <button class="close" onclick={ui.asking(Ask::CloseEditor)} aria-label={ui.t("editor.close")}>{ "×" }</button>
            </header>
            <div class="sheet" ref={frame}>
                if !*loaded {
                    <p class="loading">{ ui.t("editor.loading") }</p>
                }
            </div>
            <div class="report" role="status">
                if let Some(text) = problem_text {
                    <p class="bad">{ text }</p>
                } else if let Some(report) = &props.report {
                    <p class={if report.good { "good" } else { "bad" }}>{ report.text.clone() }</p>
                } else if props.waiting {
                    <p>{ ui.t("editor.waiting") }</p>
                }
            </div>
        </section>
    }
}

fn triple(problem: &Problem) -> [JsValue; 3] {
    [
        JsValue::from_f64(problem.line as f64),
        JsValue::from_f64(problem.column as f64),
        JsValue::from_str(&problem.message),
    ]
}
