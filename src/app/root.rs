//! The whole page: its state, and how its parts stand together.

use std::rc::Rc;

use gloo::events::EventListener;
use kubetab::value::float;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DragEvent, HtmlElement, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use super::caption::Caption;
use super::editor::answers::places;
use super::editor::samples::SAMPLES;
use super::editor::{Editor, Report, Sheet};
use super::engine::{Beat, Engine};
use super::help::Help;
use super::i18n::Language;
use super::inspector::Inspector;
use super::picture::narration::fill;
use super::picture::view::Picture;
use super::settings;
use super::terminal::{SessionRef, Terminal, focus_terminal};
use super::topbar::TopBar;
use super::ui::{Ask, Selection, Ui};

/// Bytes of a dropped file that are read; larger ones say so.
const DROP_BYTES: f64 = 4.0 * 1024.0 * 1024.0;

/// The height of the picture in percent of what the panes share.
const SPLIT: (f64, f64, f64) = (20.0, 60.0, 85.0);

#[derive(Properties)]
pub struct RootProps {
    pub engine: Rc<Engine>,
    pub session: SessionRef,
}

impl PartialEq for RootProps {
    fn eq(&self, other: &RootProps) -> bool {
        Rc::ptr_eq(&self.engine, &other.engine)
    }
}

pub enum Msg {
    Beat(Beat),
    Ask(Ask),
    Apply(String),
    Save(String, String),
    Reported(Report),
    /// A program wants a file to be edited, and waits: its path and text.
    Asked(String, String),
    /// Files were dropped: the texts of those that fit, and the names of those that are too large.
    Dropped(Vec<String>, Vec<String>),
    Dragging(bool),
    Split(f64),
    Sizing(bool),
    /// The system became dark or light.
    SystemTheme,
}

pub struct Root {
    beat: Beat,
    language: Language,
    dark: bool,
    selection: Option<Selection>,
    system: bool,
    log: bool,
    help: bool,
    editor: bool,
    /// The editor was opened once, so that it is kept, hidden or not.
    editor_built: bool,
    sheet: Sheet,
    report: Option<Report>,
    dragging: bool,
    split: f64,
    sizing: bool,
    main: NodeRef,
}

impl Component for Root {
    type Message = Msg;
    type Properties = RootProps;

    fn create(ctx: &Context<Root>) -> Root {
        let link = ctx.link().clone();
        ctx.props()
            .engine
            .listen(move |beat| link.send_message(Msg::Beat(beat)));
        let link = ctx.link().clone();
        ctx.props().session.0.on_edit(move |file, text| {
            link.send_message(Msg::Asked(file, text));
        });
        settings::entitle(settings::language());
        if let Some(query) = settings::system_is_dark() {
            let link = ctx.link().clone();
            EventListener::new(&query, "change", move |_| link.send_message(Msg::SystemTheme)).forget();
        }
        let split = settings::read("split")
            .and_then(|s| float::parse(&s))
            .unwrap_or(SPLIT.1);
        Root {
            beat: Beat::default(),
            language: settings::language(),
            dark: settings::is_dark(),
            selection: None,
            system: false,
            log: false,
            help: false,
            editor: false,
            editor_built: false,
            sheet: Sheet {
                file: None,
                text: SAMPLES.first().map_or("", |s| s.1).to_owned(),
                version: 0,
            },
            report: None,
            dragging: false,
            split: f64::clamp(split, SPLIT.0, SPLIT.2),
            sizing: false,
            main: NodeRef::default(),
        }
    }

    fn update(&mut self, ctx: &Context<Root>, msg: Msg) -> bool {
        match msg {
            Msg::Beat(beat) => self.beat = beat,
            Msg::Ask(ask) => self.ask(ctx, ask),
            Msg::Asked(file, text) => self.edit(Some(file), text),
            Msg::Apply(text) => {
                self.report = None;
                let (session, link) = (ctx.props().session.0.clone(), ctx.link().clone());
                spawn_local(async move {
                    let (answer, good) = session.apply(text.clone()).await;
                    let places = if good { Vec::new() } else { places(&text, &answer) };
                    link.send_message(Msg::Reported(Report {
                        good,
                        text: answer,
                        places,
                    }));
                });
            }
            Msg::Save(file, text) => {
                let report = match ctx.props().session.0.save(&file, &text) {
                    Ok(()) => Report {
                        good: true,
                        text: fill(self.language.get("editor.saved"), &[("file", file)]),
                        places: Vec::new(),
                    },
                    Err(text) => Report {
                        good: false,
                        text,
                        places: Vec::new(),
                    },
                };
                let good = report.good;
                self.report = Some(report);
                if good && ctx.props().session.0.is_editing() {
                    self.close_editor(ctx);
                }
            }
            Msg::Reported(report) => self.report = Some(report),
            Msg::Dragging(on) => {
                if self.dragging == on {
                    return false;
                }
                self.dragging = on;
            }
            Msg::Dropped(texts, large) => {
                if !texts.is_empty() {
                    self.leave_program(ctx);
                    self.edit(None, texts.join("\n---\n"));
                }
                if !large.is_empty() {
                    let text = self.language.get("editor.large");
                    self.report = Some(Report {
                        good: false,
                        text: fill(text, &[("file", large.join(", "))]),
                        places: Vec::new(),
                    });
                    self.editor = true;
                    self.editor_built = true;
                }
            }
            Msg::Split(share) => {
                self.split = share.clamp(SPLIT.0, SPLIT.2);
                settings::write("split", &format!("{:.1}", self.split));
            }
            Msg::Sizing(on) => self.sizing = on,
            Msg::SystemTheme => self.dark = settings::is_dark(),
        }
        true
    }

    fn view(&self, ctx: &Context<Root>) -> Html {
        let link = ctx.link();
        let ui = Ui {
            engine: ctx.props().engine.clone(),
            language: self.language,
            ask: link.callback(Msg::Ask),
        };
        let style = format!("--split:{:.1}%;", self.split);
        let class = classes!(
            "page",
            self.editor.then_some("editing"),
            self.selection.is_some().then_some("inspecting"),
            self.sizing.then_some("sizing"),
        );
        html! {
            <ContextProvider<Ui> context={ui.clone()}>
                <div {class} {style} ondragover={link.callback(|e: DragEvent| { e.prevent_default(); Msg::Dragging(true) })}
                    ondragleave={link.batch_callback(|e: DragEvent| e.related_target().is_none().then_some(Msg::Dragging(false)))}
                    ondrop={self.on_drop(ctx)}>
                    <TopBar beat={self.beat} dark={self.dark} system={self.system} editor={self.editor} />
                    <main ref={self.main.clone()}>
                        <div class="stage">
                            <Picture beat={self.beat} selection={self.selection.clone()} system={self.system} />
                            <Caption beat={self.beat} open={self.log} />
                            if let Some(selection) = self.selection.clone() {
                                <Inspector {selection} beat={self.beat} />
                            }
                        </div>
                        { self.splitter(ctx, &ui) }
                        <div class="bench">
                            <div class="bench-tabs" role="group">
                                <button aria-pressed={(!self.editor).to_string()} class={classes!((!self.editor).then_some("on"))}
                                    onclick={ui.asking(Ask::ShowEditor(false))}>{ ui.t("terminal") }</button>
                                <button aria-pressed={self.editor.to_string()} class={classes!(self.editor.then_some("on"))}
                                    onclick={ui.asking(Ask::ShowEditor(true))}>{ ui.t("editor") }</button>
                            </div>
                            <Terminal beat={self.beat} hidden={false} dark={self.dark} session={ctx.props().session.clone()} />
                            if self.editor_built {
                                <Editor sheet={self.sheet.clone()} report={self.report.clone()} hidden={!self.editor} waiting={ctx.props().session.0.is_editing()}
                                    on_apply={link.callback(Msg::Apply)}
                                    on_save={link.callback(|(file, text)| Msg::Save(file, text))} />
                            }
                        </div>
                    </main>
                    if self.help {
                        <Help />
                    }
                    if self.dragging {
                        <div class="drop">{ ui.t("editor.drop") }</div>
                    }
                </div>
            </ContextProvider<Ui>>
        }
    }
}

impl Root {
    fn ask(&mut self, ctx: &Context<Root>, ask: Ask) {
        match ask {
            Ask::Select(selection) => self.selection = selection,
            Ask::Run(line) => ctx.props().session.0.type_line(&line),
            Ask::Edit { file, text } => {
                self.leave_program(ctx);
                self.edit(file, text);
            }
            Ask::CloseEditor => self.close_editor(ctx),
            Ask::ShowEditor(on) => {
                self.editor = on;
                self.editor_built |= on;
            }
            Ask::ToggleLanguage => {
                self.language = self.language.other();
                settings::set_language(self.language);
            }
            Ask::ToggleTheme => {
                self.dark = !self.dark;
                settings::set_dark(self.dark);
            }
            Ask::ToggleSystem => self.system = !self.system,
            Ask::ToggleLog => self.log = !self.log,
            Ask::ToggleHelp => self.help = !self.help,
        }
    }

    /// Lets a program go on that waits for the editor, with the file as it is.
    fn leave_program(&self, ctx: &Context<Root>) {
        let session = &ctx.props().session.0;
        if session.is_editing() {
            session.close_editor();
        }
    }

    fn close_editor(&mut self, ctx: &Context<Root>) {
        self.leave_program(ctx);
        self.editor = false;
        focus_terminal();
    }

    fn edit(&mut self, file: Option<String>, text: String) {
        self.sheet = Sheet {
            file,
            text,
            version: self.sheet.version + 1,
        };
        self.report = None;
        self.editor = true;
        self.editor_built = true;
        self.dragging = false;
    }

    fn on_drop(&self, ctx: &Context<Root>) -> Callback<DragEvent> {
        let link = ctx.link().clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            link.send_message(Msg::Dragging(false));
            let Some(files) = event.data_transfer().and_then(|t| t.files()) else {
                return;
            };
            let files: Vec<_> = (0..files.length()).filter_map(|i| files.get(i)).collect();
            let link = link.clone();
            spawn_local(async move {
                let (mut texts, mut large) = (Vec::new(), Vec::new());
                for file in files {
                    if file.size() > DROP_BYTES {
                        large.push(file.name());
                    } else if let Some(text) = JsFuture::from(file.text()).await.ok().and_then(|t| t.as_string()) {
                        texts.push(text);
                    }
                }
                link.send_message(Msg::Dropped(texts, large));
            });
        })
    }

    /// The bar between picture and terminal: dragged, or moved by the arrow keys.
    fn splitter(&self, ctx: &Context<Root>, ui: &Ui) -> Html {
        let link = ctx.link().clone();
        let main = self.main.clone();
        let on_down = Callback::from(move |event: PointerEvent| {
            event.prevent_default();
            let Some(main) = main.cast::<HtmlElement>() else { return };
            let Some(bar) = event.target().and_then(|t| t.dyn_into::<HtmlElement>().ok()) else {
                return;
            };
            // Without capture the drag ends at the bar's edge, no worse.
            let _ = bar.set_pointer_capture(event.pointer_id());
            link.send_message(Msg::Sizing(true));
            let moved = link.clone();
            let on_move = EventListener::new(&bar, "pointermove", move |event| {
                let Some(event) = event.dyn_ref::<PointerEvent>() else {
                    return;
                };
                let area = main.get_bounding_client_rect();
                let share = (f64::from(event.client_y()) - area.top()) / area.height().max(1.0) * 100.0;
                moved.send_message(Msg::Split(share));
            });
            let ended = link.clone();
            EventListener::once(&bar, "pointerup", move |_| {
                drop(on_move);
                ended.send_message(Msg::Sizing(false));
            })
            .forget();
        });
        let split = self.split;
        let on_key = ctx.link().batch_callback(move |event: KeyboardEvent| {
            let step = match event.key().as_str() {
                "ArrowUp" => -4.0,
                "ArrowDown" => 4.0,
                _ => return None,
            };
            event.prevent_default();
            Some(Msg::Split(split + step))
        });
        html! {
            <div class="splitter" role="separator" aria-orientation="horizontal" aria-label={ui.t("split")} tabindex="0"
                aria-valuenow={format!("{:.0}", self.split)} aria-valuemin={SPLIT.0.to_string()} aria-valuemax={SPLIT.2.to_string()}
                onpointerdown={on_down} onkeydown={on_key}></div>
        }
    }
}
