//! 'Why this node?': what the scheduler found of each node, filter by filter and score by score.

use std::rc::Rc;

use kubetab::sim::{NodeVerdict, Verdict};
use yew::prelude::*;

use crate::app::ui::use_ui;

#[derive(Properties, PartialEq)]
pub struct VerdictViewProps {
    pub verdict: Option<Rc<Verdict>>,
}

#[component]
pub fn VerdictView(props: &VerdictViewProps) -> Html {
    let Some(ui) = use_ui() else { return Html::default() };
    let Some(verdict) = props.verdict.clone() else {
        return html! { <p class="hint">{ ui.t("verdict.none") }</p> };
    };
    let best = verdict.nodes.iter().map(|n| n.total).max().unwrap_or(1).max(1);
    let row = |node: &NodeVerdict| {
        let chosen = verdict.chosen.as_ref() == Some(&node.node);
        let class = classes!(
            "candidate",
            chosen.then_some("chosen"),
            node.refused.is_some().then_some("refused")
        );
        let body = match &node.refused {
            Some((plugin, reason)) => html! {
                <p class="reason">
                    <b>{ ui.fill("verdict.filtered", &[("plugin", (*plugin).to_owned())]) }</b>
                    <span>{ reason.to_string() }</span>
                </p>
            },
            None => html! {
                <ul>
                    { for node.scores.iter().map(|(plugin, score, weight)| {
                        let share = format!("--share:{}%;", (score * weight).clamp(0, 300) / 3);
                        html! {
                            <li style={share}>
                                <span>{ *plugin }</span>
                                <code>{ format!("{score} × {weight} = {}", score * weight) }</code>
                            </li>
                        }
                    }) }
                </ul>
            },
        };
        html! {
            <section {class} data-kind="NodeVerdict" data-node={node.node.to_string()} data-total={node.total.to_string()}>
                <header>
                    <b>{ node.node.to_string() }</b>
                    if chosen {
                        <em>{ ui.t("verdict.chosen") }</em>
                    }
                    if node.refused.is_none() {
                        <span class="total" style={format!("--share:{}%;", node.total * 100 / best)}>
                            { format!("{} {}", ui.t("verdict.total"), node.total) }
                        </span>
                    }
                </header>
                { body }
            </section>
        }
    };
    html! {
        <div class="verdict">
            <p class="hint">{ ui.t("verdict.intro") }</p>
            { for verdict.nodes.iter().map(row) }
            if verdict.chosen.is_none() {
                <p class="reason">{ verdict.message.to_string() }</p>
            }
        </div>
    }
}
