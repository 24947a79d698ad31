//! What was asked for: workloads with their counts, services with their endpoints.

use std::rc::Rc;

use yew::prelude::*;

use super::{at, family};
use crate::app::picture::layout::{Layout, MAX_ENDPOINT_ROWS, Rect};
use crate::app::picture::model::Scene;
use crate::app::picture::service::{Endpoint, Service};
use crate::app::picture::workload::Workload;
use crate::app::ui::{Ask, Selection, use_ui};

#[derive(Properties)]
pub struct WantedProps {
    pub layout: Rc<Layout>,
    pub scene: Rc<Scene>,
    pub selection: Option<Selection>,
}

impl PartialEq for WantedProps {
    fn eq(&self, other: &WantedProps) -> bool {
        self.layout == other.layout
            && self.selection == other.selection
            && self.scene.workloads == other.scene.workloads
            && self.scene.services == other.scene.services
    }
}

#[component]
pub fn Wanted(props: &WantedProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let l = &props.layout;
    let empty = l.workloads.is_empty() && l.services.is_empty();
    let selected = |kind: &str, name: &str| props.selection.as_ref().is_some_and(|s| s.is(kind, name));
    html! {
        <>
            <div class="wanted" style={at(&l.wanted)}>
                <h2>{ ui.t("wanted") }</h2>
                if empty {
                    <p>{ ui.t("wanted.empty") }</p>
                }
            </div>
            { for l.workloads.iter().filter_map(|(key, rect)| {
                let workload = props.scene.workloads.get(key)?.clone();
                let name = format!("{}/{}", workload.namespace, workload.name);
                let selected = selected(&workload.kind, &name);
                Some(html! { <WorkloadCard key={format!("w/{key}")} {workload} rect={*rect} {selected} /> })
            }) }
            { for l.services.iter().filter_map(|(key, rect)| {
                let service = props.scene.services.get(key)?.clone();
                let selected = selected("Service", key);
                Some(html! { <ServiceCard key={format!("s/{key}")} {service} rect={*rect} {selected} /> })
            }) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct WorkloadCardProps {
    workload: Rc<Workload>,
    rect: Rect,
    selected: bool,
}

#[component]
fn WorkloadCard(props: &WorkloadCardProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let w = &props.workload;
    let name = format!("{}/{}", w.namespace, w.name);
    let count = match &*w.schedule {
        "" => format!("{}/{}", w.ready, w.desired),
        schedule => schedule.to_owned(),
    };
    let words = [
        ("ready", w.ready.to_string()),
        ("desired", w.desired.to_string()),
        ("schedule", w.schedule.to_string()),
    ];
    let sentence = match &*w.kind {
        "Job" => "workload.completed",
        "CronJob" => "workload.schedule",
        _ => "workload.ready",
    };
    let share = if w.desired > 0 {
        (w.ready.clamp(0, w.desired) * 100 / w.desired).to_string()
    } else {
        "100".to_owned()
    };
    let short = if &*w.namespace == "default" {
        w.name.to_string()
    } else {
        name.clone()
    };
    html! {
        <button class={classes!("workload", props.selected.then_some("selected"), (w.ready >= w.desired).then_some("met"))}
            style={format!("{}--share:{share}%;", at(&props.rect))}
            data-kind={w.kind.to_string()} data-name={name.clone()} data-ready={w.ready.to_string()}
            data-desired={w.desired.to_string()}
            aria-label={format!("{} {name}: {}", w.kind, ui.fill(sentence, &words))}
            onclick={ui.asking(Ask::Select(Some(Selection::object(&w.kind, &name))))}>
            <small>{ &*w.kind }</small>
            <b>{ short }</b>
            <span class="count">{ count }</span>
        </button>
    }
}

#[derive(Properties, PartialEq)]
struct ServiceCardProps {
    service: Rc<Service>,
    rect: Rect,
    selected: bool,
}

#[component]
fn ServiceCard(props: &ServiceCardProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let s = &props.service;
    let name = format!("{}/{}", s.namespace, s.name);
    let most = s.endpoints.iter().map(|e| e.hits).max().unwrap_or(0).max(1);
    let short = if &*s.namespace == "default" {
        s.name.to_string()
    } else {
        name.clone()
    };
    let more = s.endpoints.len().saturating_sub(MAX_ENDPOINT_ROWS);
    let row = |e: &Endpoint| {
        let own = match e.pod.rsplit_once('/') {
            Some((_, pod)) => pod,
            None => &e.address,
        };
        let (prefix, own) = match own.rfind('-') {
            Some(i) if !e.pod.is_empty() => own.split_at(i + 1),
            _ => ("", own),
        };
        let label = ui.fill(
            "endpoint",
            &[("address", e.address.to_string()), ("hits", e.hits.to_string())],
        );
        html! {
            <li key={e.address.to_string()} class={classes!("endpoint", e.next.then_some("next"), (!e.ready).then_some("unready"))}
                data-kind="Endpoint" data-name={e.pod.to_string()} data-address={e.address.to_string()}
                data-hits={e.hits.to_string()} data-ready={e.ready.to_string()} data-next={e.next.to_string()}
                aria-label={label} title={e.address.to_string()} style={format!("--share:{}%;", e.hits * 100 / most)}>
                <span class="turn" title={ui.t("endpoint.next")} aria-hidden="true">{ if e.next { "▶" } else { "" } }</span>
                <span class="who"><small>{ prefix }</small><b>{ own }</b></span>
                <span class="hits" key={e.hits}>{ e.hits }</span>
            </li>
        }
    };
    let address = format!(
        "{} · {}",
        if s.cluster_ip.is_empty() { "–" } else { &*s.cluster_ip },
        s.ports
    );
    let label = format!(
        "{}, {}, {address}",
        ui.fill("service", &[("name", name.clone())]),
        s.kind
    );
    html! {
        <section class={classes!("service", format!("fam-{}", family(&s.name)), props.selected.then_some("selected"))}
            style={at(&props.rect)} data-kind="Service" data-name={name.clone()} data-phase={s.kind.to_string()}
            data-ready={s.ready().to_string()}>
            <button class="head" aria-label={label}
                onclick={ui.asking(Ask::Select(Some(Selection::object("Service", &name))))}>
                <b>{ short }</b>
                <small class="kind">{ &*s.kind }</small>
                <code>{ address }</code>
            </button>
            <ol>
                if s.endpoints.is_empty() {
                    <li class="none">{ ui.t("endpoints.none") }</li>
                }
                { for s.endpoints.iter().take(MAX_ENDPOINT_ROWS).map(row) }
            </ol>
            if more > 0 {
                <p class="more">{ ui.fill("endpoints.more", &[("count", more.to_string())]) }</p>
            }
        </section>
    }
}
