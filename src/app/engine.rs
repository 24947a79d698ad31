//! The page's engine: one world, its pacer and its show, driven by the browser's frames. Everything
//! that the page draws comes from here; everything that a person does goes in here.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use gloo::render::{AnimationFrame, request_animation_frame};
use kubetab::sim::{Time, TraceEvent};

use super::host::Host;
use super::pacer::{Advance, Pace, Pacer, Situation};
use super::picture::model::KINDS;
use super::picture::narration::Line;
use super::picture::pod::Mood;
use super::picture::show::{Show, Weight};

/// Milliseconds of a frame that the world may use; the rest is the browser's.
const BUDGET_MS: f64 = 8.0;

/// Virtual time within which a command's answer does not wait for the picture.
const URGENT: Duration = Duration::from_millis(400);

/// Sentences that the log keeps.
const LOG_LINES: usize = 200;

/// What the page's parts are told after a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Beat {
    /// The scene's version.
    pub scene: u64,
    /// Sentences said so far.
    pub said: u64,
    /// Virtual seconds since the epoch.
    pub second: u64,
    /// Counts up when the pace, or what runs, changes.
    pub state: u64,
    /// How many times faster than real time teaching pace skips; 1 when it does not.
    pub skip: u32,
}

type Listener = Rc<dyn Fn(Beat)>;
type Painter = Rc<dyn Fn(&Show)>;

/// The engine. One lives as long as the page.
pub struct Engine {
    pub host: Host,
    show: RefCell<Show>,
    pacer: RefCell<Pacer>,
    seen: Cell<u64>,
    last: Cell<f64>,
    log: RefCell<VecDeque<Line>>,
    said: Cell<u64>,
    state: Cell<u64>,
    beat: Cell<Beat>,
    /// Commands that run now.
    running: Cell<u32>,
    eventful: Cell<bool>,
    /// Until when the world runs without regard to the picture, so that an answer comes at once.
    urgent: Cell<Option<Time>>,
    /// A packet was seen since this was last asked.
    travelling: Cell<bool>,
    after: RefCell<Vec<Rc<dyn Fn()>>>,
    /// The command line that began last.
    line: RefCell<Rc<str>>,
    listeners: RefCell<Vec<Listener>>,
    painter: RefCell<Option<Painter>>,
    next_frame: RefCell<Option<AnimationFrame>>,
}

impl Engine {
    /// An engine over this world, with the picture of what is in it already.
    pub fn new(host: Host) -> Rc<Engine> {
        let mut show = Show::new();
        for (version, kind) in KINDS {
            for object in host.list(version, kind) {
                show.scene.seed(kind, &object);
            }
        }
        let seen = host.sim().trace().last_seq();
        Rc::new(Engine {
            host,
            show: RefCell::new(show),
            pacer: RefCell::default(),
            seen: Cell::new(seen),
            last: Cell::new(0.0),
            log: RefCell::default(),
            said: Cell::new(0),
            state: Cell::new(0),
            beat: Cell::default(),
            running: Cell::new(0),
            eventful: Cell::new(false),
            urgent: Cell::new(None),
            travelling: Cell::new(false),
            after: RefCell::default(),
            line: RefCell::new("".into()),
            listeners: RefCell::default(),
            painter: RefCell::default(),
            next_frame: RefCell::new(None),
        })
    }

    /// Calls `f` after each frame that changed something.
    pub fn listen(&self, f: impl Fn(Beat) + 'static) {
        self.listeners.borrow_mut().push(Rc::new(f));
    }

    /// Calls `f` after each frame.
    pub fn after_frame(&self, f: impl Fn() + 'static) {
        self.after.borrow_mut().push(Rc::new(f));
    }

    /// `f` draws the dots, each frame.
    pub fn paint_with(&self, f: impl Fn(&Show) + 'static) {
        *self.painter.borrow_mut() = Some(Rc::new(f));
    }

    /// Reads the show.
    pub fn with_show<T>(&self, f: impl FnOnce(&Show) -> T) -> T {
        f(&self.show.borrow())
    }

    /// The newest sentences, oldest first.
    pub fn log(&self, most: usize) -> Vec<Line> {
        let log = self.log.borrow();
        log.iter().skip(log.len().saturating_sub(most)).cloned().collect()
    }

    pub fn pacer(&self) -> Pacer {
        *self.pacer.borrow()
    }

    fn changed(&self) {
        self.state.set(self.state.get() + 1);
    }

    pub fn set_pace(&self, pace: Pace) {
        self.pacer.borrow_mut().set(pace);
        self.changed();
    }

    pub fn pause(&self) {
        self.pacer.borrow_mut().pause();
        self.changed();
    }

    pub fn resume(&self) {
        self.pacer.borrow_mut().resume();
        self.changed();
    }

    pub fn toggle_pause(&self) {
        if self.pacer().is_paused() {
            self.resume();
        } else {
            self.pause();
        }
    }

    /// A person set something going: time runs, its first answer does not wait for the picture, and
    /// the rest of the story so far goes quickly.
    pub fn go_on(&self) {
        self.pacer.borrow_mut().resume();
        self.show.borrow_mut().hurry();
        self.urgent.set(Some(self.host.sim().now() + URGENT));
        self.changed();
    }

    /// A script set something going: as [`Engine::go_on`], but a paused cluster stays paused and only
    /// runs until the answer is there.
    pub fn serve(&self) {
        self.show.borrow_mut().hurry();
        self.urgent.set(Some(self.host.sim().now() + URGENT));
    }

    /// Runs what is urgent. Ends when no command runs any more or one waits for its editor, when time is up, or (but for a paused
    /// cluster, where nothing else would run them) when packets travel: those are to be watched.
    fn advance_urgent(&self, deadline: f64) {
        let Some(end) = self.urgent.get() else { return };
        let sim = self.host.sim();
        let paused = self.pacer.borrow().is_paused();
        loop {
            sim.run_ready(1);
            self.collect();
            let over = !self.is_running() || self.host.world().is_editing();
            if over || (self.travelling.take() && !paused) {
                break;
            }
            if now_ms() >= deadline {
                return;
            }
            if !sim.has_ready() && !sim.fire_next_timer(end) {
                break;
            }
        }
        self.urgent.set(None);
    }

    /// A command began (`true`) or ended.
    pub fn command(&self, begins: bool) {
        let n = self.running.get();
        self.running.set(if begins { n + 1 } else { n.saturating_sub(1) });
        self.changed();
    }

    /// The command line that began last; empty before the first.
    pub fn command_line(&self) -> Rc<str> {
        self.line.borrow().clone()
    }

    /// Whether a command runs.
    pub fn is_running(&self) -> bool {
        self.running.get() > 0 || self.host.world().commands() > 0
    }

    /// On to the next event of the story, with the clock paused.
    pub fn step(&self) {
        self.pacer.borrow_mut().pause();
        // A stretch of quiet ends a step that has nothing to wait for.
        let end = self.host.sim().now() + Duration::from_secs(600);
        let started = now_ms();
        while self.show.borrow().backlog() == 0 {
            if !self.advance(end, true, started + 200.0) {
                break;
            }
        }
        let lines = self.show.borrow_mut().step();
        self.say(lines);
        self.changed();
    }

    /// Runs the world by `span` at once, and shows all that happened.
    pub fn jump(&self, span: Duration) {
        let sim = self.host.sim();
        sim.run_until(sim.now() + span);
        self.collect();
        self.show.borrow_mut().rush();
    }

    /// Takes new records of the trace; returns whether one belongs to the story.
    fn collect(&self) -> bool {
        let trace = self.host.sim().trace();
        let seen = self.seen.get();
        if trace.last_seq() == seen {
            return false;
        }
        let mut story = false;
        let mut show = self.show.borrow_mut();
        trace.since(seen, |record| {
            match &record.event {
                TraceEvent::Command { line, .. } => *self.line.borrow_mut() = line.clone(),
                TraceEvent::Packet { .. } => self.travelling.set(true),
                _ => {}
            }
            story |= show.weight(&record.event) == Weight::Story;
            show.take(record);
        });
        self.seen.set(trace.last_seq());
        story
    }

    /// Runs the world until `end` or until the budget is spent; with `stop`, only to the next event
    /// of the story. Returns whether it reached neither its end nor its budget.
    fn advance(&self, end: Time, stop: bool, deadline: f64) -> bool {
        let sim = self.host.sim();
        loop {
            sim.run_ready(if stop { 1 } else { 256 });
            let story = self.collect();
            if story {
                self.eventful.set(true);
                if stop {
                    return true;
                }
            }
            if now_ms() >= deadline {
                return false;
            }
            if sim.has_ready() {
                continue;
            }
            if !sim.fire_next_timer(end) {
                // Nothing is due until then: only the clock moves.
                sim.run_until(end);
                self.collect();
                return false;
            }
        }
    }

    fn say(&self, lines: Vec<Line>) {
        let mut log = self.log.borrow_mut();
        for line in lines {
            self.said.set(self.said.get() + 1);
            if log.len() >= LOG_LINES {
                log.pop_front();
            }
            log.push_back(line);
        }
    }

    fn situation(&self) -> Situation {
        let show = self.show.borrow();
        let unsettled = || {
            show.scene
                .pods
                .values()
                .any(|pod| pod.gone || matches!(pod.mood, Mood::Starting | Mood::Unready | Mood::Terminating))
        };
        Situation {
            backlog: show.backlog() > 0,
            dots: show.flights.is_busy(),
            expecting: self.is_running() || unsettled(),
            eventful: self.eventful.take(),
        }
    }

    /// One frame, at `stamp` milliseconds of the browser's clock.
    pub fn frame(&self, stamp: f64) {
        let ms = Pacer::frame_ms(stamp - self.last.replace(stamp));
        let situation = self.situation();
        let advance = self.pacer.borrow_mut().frame(ms, situation);
        let sim = self.host.sim();
        let deadline = now_ms() + BUDGET_MS;
        self.advance_urgent(deadline);
        match advance {
            Advance::Hold => {}
            Advance::Span { span, stop } => {
                self.advance(sim.now() + span, stop, deadline);
            }
            Advance::Free => {
                self.advance(sim.now() + Duration::from_secs(3_600), false, deadline);
            }
        }
        let pacer = self.pacer();
        if !pacer.is_paused() {
            let gates = pacer.pace() == Pace::Teaching;
            let lines = self.show.borrow_mut().frame(ms, gates);
            self.say(lines);
        }
        if let Some(paint) = self.painter.borrow().clone() {
            paint(&self.show.borrow());
        }
        let skip = if pacer.pace() == Pace::Teaching {
            pacer.skip().round() as u32
        } else {
            1
        };
        let after = self.after.borrow().clone();
        for f in after {
            f();
        }
        let beat = Beat {
            scene: self.show.borrow().scene.version,
            said: self.said.get(),
            second: sim.now().as_secs(),
            state: self.state.get(),
            skip: skip.max(1),
        };
        if self.beat.replace(beat) != beat {
            let listeners = self.listeners.borrow().clone();
            for listener in listeners {
                listener(beat);
            }
        }
    }

    /// Begins the frames.
    pub fn start(self: &Rc<Self>) {
        let engine = self.clone();
        let next = request_animation_frame(move |stamp| {
            engine.frame(stamp);
            engine.start();
        });
        // Dropping a frame's handle cancels it: the present one is kept until the next takes its place.
        *self.next_frame.borrow_mut() = Some(next);
    }
}

/// Milliseconds of the browser's clock.
pub fn now_ms() -> f64 {
    web_sys::window().and_then(|w| w.performance()).map_or(0.0, |p| p.now())
}
