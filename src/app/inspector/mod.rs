//! The inspector: what is selected, as `kubectl describe` and as YAML, and for a pod the scheduler's
//! verdict.

mod verdict;

use std::rc::Rc;

use web_sys::KeyboardEvent;
use yew::prelude::*;

use super::engine::Beat;
use super::ui::{Ask, Selection, use_ui};

/// What the inspector shows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Describe,
    Yaml,
    Why,
}

#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    pub selection: Selection,
    pub beat: Beat,
}

#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let close = ui.asking::<MouseEvent>(Ask::Select(None));
    let keys = {
        let ask = ui.ask.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                ask.emit(Ask::Select(None));
            }
        })
    };
    let (kind, name, body) = match &props.selection {
        Selection::Part(part) => {
            let hint = match *part {
                "student" => ui.t("student.hint"),
                "api-server" => ui.t("api-server.hint"),
                "etcd" => ui.t("etcd.hint"),
                "controllers" => ui.t("controllers.hint"),
                _ => ui.t("scheduler.hint"),
            };
            (
                ui.t("inspector.part").to_owned(),
                ui.language.get(part).to_owned(),
                html! { <div class="body"><p class="hint">{ hint }</p></div> },
            )
        }
        Selection::Object { kind, name } => (
            kind.to_string(),
            name.strip_prefix('/').unwrap_or(name).to_owned(),
            html! { <Object kind={kind.clone()} name={name.clone()} version={props.beat.scene} /> },
        ),
    };
    html! {
        <aside class="inspector" aria-label={ui.t("inspector.label")} onkeydown={keys}>
            <header>
                <small>{ kind }</small>
                <h2>{ name }</h2>
                <button class="close" onclick={close} aria-label={ui.t("inspector.close")}>{ "×" }</button>
            </header>
            { body }
        </aside>
    }
}

#[derive(Properties, PartialEq)]
struct ObjectProps {
    kind: Rc<str>,
    name: Rc<str>,
    version: u64,
}

#[component]
fn Object(props: &ObjectProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let tab = use_state(|| Tab::Describe);
    let is_pod = &*props.kind == "Pod";
    let shown = if *tab == Tab::Why && !is_pod {
        Tab::Describe
    } else {
        *tab
    };
    let text = use_state(AttrValue::default);
    {
        let (text, host) = (text.clone(), ui.engine.host.clone());
        let subject = (props.kind.clone(), props.name.clone(), shown, props.version);
        use_effect_with(subject, move |(kind, name, shown, _)| {
            let (kind, name) = (kind.clone(), name.clone());
            match shown {
                Tab::Yaml => text.set(host.yaml(&kind, &name).into()),
                Tab::Describe => text.set(host.describe(&kind, &name).into()),
                Tab::Why => {}
            }
        });
    }
    let tabs = [
        (Tab::Describe, ui.t("inspector.describe")),
        (Tab::Yaml, ui.t("inspector.yaml")),
        (Tab::Why, ui.t("inspector.why")),
    ];
    let content = if shown == Tab::Why {
        let verdict = ui
            .engine
            .with_show(|show| show.scene.pods.get(&props.name).and_then(|p| p.verdict.clone()));
        html! { <verdict::VerdictView {verdict} /> }
    } else {
        html! { <pre tabindex="0">{ (*text).clone() }</pre> }
    };
    html! {
        <>
            <div class="tabs" role="group">
                { for tabs.into_iter().filter(|(t, _)| is_pod || *t != Tab::Why).map(|(t, label)| {
                    let tab = tab.clone();
                    html! {
                        <button aria-pressed={(t == shown).to_string()} class={classes!((t == shown).then_some("on"))}
                            onclick={Callback::from(move |_: MouseEvent| tab.set(t))}>{ label }</button>
                    }
                }) }
            </div>
            <div class="body">{ content }</div>
        </>
    }
}
