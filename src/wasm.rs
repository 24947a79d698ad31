//! The JS API: `window.kubetab` on the page, and the class that the npm package exports.
//!
//! In the npm package nobody turns real time into virtual time: a world stands still but for
//! `exec`, `apply` and `advance`, which run it as fast as it goes, until `resume` or `speed` let it
//! follow the clock. On the page the frame loop drives the world, through [`Drive`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use js_sys::{Array, Function, JSON, Object as JsObject, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::api::Status;
use crate::api::docs::Docs;
use crate::flat::Case;
use crate::kubectl::kustomize;
use crate::limits;
use crate::net::{Mode, proxy::Scheduler};
use crate::shell::jq;
use crate::sim::{Outside, Time, TraceRecord};
use crate::value::Value;
use crate::world::{Finished, Input, Options, World};

/// Who turns real time into virtual time.
pub trait Drive {
    /// Stops the world's time.
    fn pause(&self);
    /// Lets it go on.
    fn resume(&self);
    /// So many virtual seconds a real second.
    fn speed(&self, factor: f64);
    /// Something began that wants the world to run.
    fn started(&self);
    /// Runs `span` of virtual time now.
    fn advance(&self, span: Duration);
}

#[wasm_bindgen(inline_js = r#"
async function fetchBytes(path, base) {
  const url = new URL(path, base || import.meta.url);
  if (url.protocol === "file:") {
    const files = await import(/* webpackIgnore: true */ "node:fs/promises");
    return await files.readFile(url);
  }
  const response = await fetch(url, { signal: AbortSignal.timeout(30000) });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
  return await response.arrayBuffer();
}
export async function fetchText(path, base) {
  return new TextDecoder().decode(await fetchBytes(path, base));
}
export async function fetchModule(path, base, limit) {
  const bytes = await fetchBytes(path, base);
  if (bytes.byteLength > limit) throw new Error("the file is too large");
  const module = await WebAssembly.compile(bytes);
  // Each run has an instance of its own: what one has broken or filled is gone with it.
  return (message) => {
    const { memory, request, run, response } = new WebAssembly.Instance(module).exports;
    const place = request(message.length);
    new Uint8Array(memory.buffer).set(message, place);
    const length = run();
    return new Uint8Array(memory.buffer, response(), length).slice();
  };
}
"#)]
extern "C" {
    /// The text of a file, by its place from `base`, or from this module's own glue when that is empty.
    #[wasm_bindgen(js_name = fetchText)]
    fn fetch_text(path: &str, base: &str) -> Promise;

    /// A function that has another wasm module answer a message; it throws when that module breaks off.
    #[wasm_bindgen(js_name = fetchModule)]
    fn fetch_module(path: &str, base: &str, limit: usize) -> Promise;
}

/// Where the files lie that the build put beside the module: seen from `base` (a URL).
#[derive(Clone)]
pub struct Places {
    pub base: String,
    /// The texts of `kubectl explain`, of help and of downloads.
    pub texts: &'static str,
    /// The interpreter of `jq`.
    pub jq: &'static str,
    pub kustomize: &'static str,
}

/// Loads what the module does not hold when it is first needed. `then` is called when something is here or has failed, so
/// that whoever drives the world goes on.
pub fn load_later(world: &World, places: &Places, then: Rc<dyn Fn()>) {
    let Places {
        base,
        texts,
        jq,
        kustomize,
    } = places.clone();
    let (own, done) = (base.clone(), then.clone());
    world.api().docs().set_source(Rc::new(move |docs: &Docs| {
        let (docs, done) = (docs.clone(), done.clone());
        begin(fetch_text(texts, &own), move |outcome| {
            docs.arrive(outcome.and_then(|text| text.as_string().ok_or_else(|| "it is no text".to_owned())));
            done();
        });
    }));
    bring(world.jq(), jq, &base, &then, |module| Rc::new(module));
    bring(world.kustomize(), kustomize, &base, &then, |module| Rc::new(module));
}

/// Says how a module is brought, and as what it is known.
fn bring<T: ?Sized + 'static>(
    wanted: &Outside<T>,
    path: &'static str,
    base: &str,
    then: &Rc<dyn Fn()>,
    known: fn(Module) -> Rc<T>,
) {
    let (base, then) = (base.to_owned(), then.clone());
    wanted.set_source(Rc::new(move |wanted: &Outside<T>| {
        let (wanted, then) = (wanted.clone(), then.clone());
        begin(fetch_module(path, &base, limits::MODULE_BYTES), move |outcome| {
            wanted.arrive(outcome.map(|run| known(Module(run.unchecked_into()))));
            then();
        });
    }));
}

/// Waits for a promise.
fn begin(promise: Promise, then: impl FnOnce(Result<JsValue, String>) + 'static) {
    wasm_bindgen_futures::spawn_local(async move {
        let outcome = wasm_bindgen_futures::JsFuture::from(promise).await;
        then(outcome.map_err(|why| {
            why.dyn_ref::<js_sys::Error>()
                .map_or_else(|| "the network failed".to_owned(), |e| String::from(e.message()))
        }));
    });
}

/// Another module, as the function that answers a message.
struct Module(Function);

impl Module {
    fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let message = js_sys::Uint8Array::from(message);
        // Whatever it throws, its stack or its memory was full: nothing else ends it.
        let answer = self.0.call1(&JsValue::NULL, &message).ok()?;
        Some(js_sys::Uint8Array::new(&answer).to_vec())
    }
}

impl jq::Run for Module {
    fn run(&self, request: jq::Request) -> Option<jq::Response> {
        jq::Response::from_bytes(&self.answer(&request.to_bytes())?)
    }
}

impl kustomize::Run for Module {
    fn run(&self, request: kustomize::Request) -> Option<kustomize::Response> {
        kustomize::Response::from_bytes(&self.answer(&request.to_bytes())?)
    }
}

type Listener = (u64, String, Function);

#[derive(Default)]
struct Listeners {
    list: RefCell<Vec<Listener>>,
    next: Cell<u64>,
    /// The number of the last trace event that was delivered.
    seen: Cell<u64>,
}

/// A cluster, as JavaScript sees it.
#[wasm_bindgen]
pub struct Kubetab {
    world: World,
    drive: Rc<dyn Drive>,
    listeners: Rc<Listeners>,
}

impl Kubetab {
    /// The API of a world that someone else drives.
    pub fn with_drive(world: &World, drive: Rc<dyn Drive>) -> Kubetab {
        Kubetab {
            world: world.clone(),
            drive,
            listeners: Rc::default(),
        }
    }

    /// What delivers the trace to the listeners: to be called after the world ran.
    pub fn deliverer(&self) -> impl Fn() + 'static + use<> {
        let (world, listeners) = (self.world.clone(), self.listeners.clone());
        move || deliver(&world, &listeners)
    }

    fn begin(&self, input: Input) -> Promise {
        let receiver: oneshot::Receiver<Finished> = self.world.input(input);
        self.drive.started();
        let deliver = self.deliverer();
        deliver();
        future_to_promise(async move {
            let finished = receiver
                .await
                .map_err(|_| JsValue::from_str("the command was cancelled"))?;
            let result = JsObject::new();
            Reflect::set(&result, &"stdout".into(), &finished.stdout.into())?;
            Reflect::set(&result, &"stderr".into(), &finished.stderr.into())?;
            Reflect::set(&result, &"code".into(), &finished.code.into())?;
            Ok(result.into())
        })
    }
}

fn deliver(world: &World, listeners: &Listeners) {
    if listeners.list.borrow().is_empty() {
        listeners.seen.set(world.sim().trace().last_seq());
        return;
    }
    let mut records: Vec<TraceRecord> = Vec::new();
    world
        .sim()
        .trace()
        .since(listeners.seen.get(), |r| records.push(r.clone()));
    for record in records {
        listeners.seen.set(record.seq);
        let Ok(text) = serde_json::to_string(&record) else {
            continue;
        };
        let Ok(value) = JSON::parse(&text) else { continue };
        // `{"event": {"Write": {…}}}`: the variant's name is the event's.
        let event = Reflect::get(&value, &"event".into()).unwrap_or_default();
        let name = JsObject::keys(event.unchecked_ref::<JsObject>())
            .get(0)
            .as_string()
            .unwrap_or_default()
            .lower();
        let list = listeners.list.borrow().clone();
        for (_, wanted, function) in list {
            if wanted == "trace" || wanted == name {
                // A listener's own error is the listener's.
                let _ = function.call1(&JsValue::NULL, &value);
            }
        }
    }
}

fn error(status: &Status) -> JsValue {
    js_sys::Error::new(status.message()).into()
}

fn to_js(value: &Value) -> JsValue {
    JSON::parse(&value.to_json()).unwrap_or(JsValue::NULL)
}

#[wasm_bindgen]
impl Kubetab {
    /// A fresh cluster. `options`: `seed` (a number), `start` (milliseconds since the Unix epoch),
    /// `proxyMode` (`ipvs`, the default, or `iptables`).
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Kubetab, JsValue> {
        let get = |key: &str| Reflect::get(&options, &key.into()).unwrap_or(JsValue::UNDEFINED);
        let mut chosen = Options {
            proxy_mode: Mode::Ipvs(Scheduler::RoundRobin),
            ..Options::default()
        };
        if options.is_object() {
            if let Some(seed) = get("seed").as_f64() {
                chosen.seed = seed as u64;
            }
            if let Some(millis) = get("start").as_f64() {
                chosen.start = Time((millis.max(0.0) as u64).saturating_mul(1_000)).truncate_to_second();
            }
            if get("proxyMode").as_string().as_deref() == Some("iptables") {
                chosen.proxy_mode = Mode::Iptables;
            }
        }
        let world = World::new(&chosen).map_err(|s| error(&s))?;
        let listeners: Rc<Listeners> = Rc::default();
        let drive: Rc<dyn Drive> = Rc::new(Headless::new(&world, &listeners));
        // The package has the files beside its module; this glue lies two folders below.
        let then = Rc::downgrade(&drive);
        let then = Rc::new(move || {
            if let Some(drive) = then.upgrade() {
                drive.started();
            }
        });
        let places = Places {
            base: String::new(),
            texts: "../../explain.txt",
            jq: "../../jq.wasm",
            kustomize: "../../kustomize.wasm",
        };
        load_later(&world, &places, then);
        Ok(Kubetab {
            world,
            drive,
            listeners,
        })
    }

    /// Runs a command line on k8s-master: a promise of `{stdout, stderr, code}`.
    pub fn exec(&self, line: String) -> Promise {
        self.begin(Input::Exec(line))
    }

    /// Applies manifests (YAML or JSON), as `kubectl apply -f -`: a promise of `{stdout, stderr, code}`.
    pub fn apply(&self, yaml: String) -> Promise {
        self.begin(Input::Apply(yaml))
    }

    /// Runs so many milliseconds of virtual time now.
    pub fn advance(&self, ms: f64) {
        if ms.is_finite() && ms > 0.0 {
            // A year is more than anyone waits for.
            self.drive.advance(Duration::from_secs_f64((ms / 1_000.0).min(3.2e7)));
            self.deliverer()();
        }
    }

    /// Stops the world's time.
    pub fn pause(&self) {
        self.drive.pause();
    }

    /// Lets the world's time go on.
    pub fn resume(&self) {
        self.drive.resume();
    }

    /// So many virtual seconds a real second.
    pub fn speed(&self, factor: f64) {
        if factor.is_finite() && factor > 0.0 {
            self.drive.speed(factor);
        }
    }

    /// The virtual time, in milliseconds since the Unix epoch.
    pub fn now(&self) -> f64 {
        self.world.sim().now().0 as f64 / 1_000.0
    }

    /// The objects of a kind (`Pod`, `pods`, `po`), as an array.
    pub fn objects(&self, kind: String) -> Result<Array, JsValue> {
        let resources = self.world.api().resources();
        let lower = kind.lower();
        let resource = resources
            .iter()
            .find(|r| {
                !r.name.contains('/')
                    && (r.kind.lower() == lower || *r.name == *lower || r.short_names.iter().any(|s| **s == *lower))
            })
            .ok_or_else(|| js_sys::Error::new(&format!("the server doesn't have a resource type {kind:?}")))?;
        let mut found = Vec::new();
        self.world
            .api()
            .store()
            .each(&crate::api::server::shelf_name(resource), "", |o| found.push(o.clone()));
        Ok(found.iter().map(|o| to_js(o.value())).collect())
    }

    /// Calls `f` with each trace event of a name (`write`, `request`, `verdict`, `packet`, `flowend`,
    /// `container`, `imagepull`, `command`, …) or with all (`trace`). Returns a function that ends it.
    pub fn on(&self, event: String, f: Function) -> Function {
        let listeners = self.listeners.clone();
        if listeners.list.borrow().is_empty() {
            listeners.seen.set(self.world.sim().trace().last_seq());
        }
        let id = listeners.next.get();
        listeners.next.set(id + 1);
        listeners.list.borrow_mut().push((id, event.lower(), f));
        Closure::<dyn FnMut()>::new(move || listeners.list.borrow_mut().retain(|(i, _, _)| *i != id))
            .into_js_value()
            .unchecked_into()
    }

    /// The journal of inputs so far, as JSON: with the same seed it gives the same world again.
    pub fn journal(&self) -> String {
        serde_json::to_string(&self.world.journal()).unwrap_or_default()
    }

    /// Begins a hash of the trace, for comparing two runs.
    #[wasm_bindgen(js_name = startTraceHash)]
    pub fn start_trace_hash(&self) {
        self.world.sim().trace().start_hash();
    }

    /// The hash of the trace since it was begun, in hexadecimal; empty before.
    #[wasm_bindgen(js_name = traceHash)]
    pub fn trace_hash(&self) -> String {
        self.world
            .sim()
            .trace()
            .hash()
            .map(|h| format!("{h:016x}"))
            .unwrap_or_default()
    }
}

/// Real milliseconds between two turns of the headless loop.
const TURN: i32 = 20;

/// Drives a world where there is no page.
struct Headless {
    inner: Rc<HeadlessInner>,
}

struct HeadlessInner {
    world: World,
    listeners: Rc<Listeners>,
    factor: Cell<f64>,
    timer: RefCell<Option<(JsValue, Closure<dyn FnMut()>)>>,
    paused: Cell<bool>,
    pumping: Cell<bool>,
}

impl Headless {
    fn new(world: &World, listeners: &Rc<Listeners>) -> Headless {
        Headless {
            inner: Rc::new(HeadlessInner {
                world: world.clone(),
                listeners: listeners.clone(),
                factor: Cell::new(1.0),
                timer: RefCell::new(None),
                paused: Cell::new(false),
                pumping: Cell::new(false),
            }),
        }
    }
}

fn global(name: &str) -> Option<Function> {
    Reflect::get(&js_sys::global(), &name.into()).ok()?.dyn_into().ok()
}

impl HeadlessInner {
    /// Runs the world until no command is under way, a slice at a time, so that the page or the
    /// event loop around it stays alive.
    fn pump(self: &Rc<Self>) {
        if self.pumping.replace(true) {
            return;
        }
        let inner = self.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let mut polls = 0usize;
            while inner.world.commands() > 0 && !inner.paused.get() && inner.timer.borrow().is_none() {
                if inner.world.sim().run_ready(1) == 0 && !inner.world.sim().fire_next_timer(Time(u64::MAX)) {
                    break;
                }
                polls += 1;
                if polls.is_multiple_of(20_000) {
                    deliver(&inner.world, &inner.listeners);
                    yield_now().await;
                }
            }
            inner.pumping.set(false);
            deliver(&inner.world, &inner.listeners);
        });
    }
}

/// Lets the event loop take a turn.
async fn yield_now() {
    let promise = Promise::new(&mut |resolve, _| {
        if let Some(set_timeout) = global("setTimeout") {
            let _ = set_timeout.call2(&JsValue::NULL, &resolve, &0.into());
        } else {
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

impl Drive for Headless {
    fn pause(&self) {
        self.inner.paused.set(true);
        if let Some((id, _)) = self.inner.timer.borrow_mut().take()
            && let Some(clear) = global("clearInterval")
        {
            let _ = clear.call1(&JsValue::NULL, &id);
        }
    }

    fn resume(&self) {
        self.inner.paused.set(false);
        if self.inner.timer.borrow().is_some() {
            return;
        }
        let inner = self.inner.clone();
        let turn = Closure::<dyn FnMut()>::new(move || {
            let span = f64::from(TURN) / 1_000.0 * inner.factor.get();
            inner.world.sim().run_for(Duration::from_secs_f64(span.min(1e6)));
            deliver(&inner.world, &inner.listeners);
        });
        if let Some(set_interval) = global("setInterval")
            && let Ok(id) = set_interval.call2(&JsValue::NULL, turn.as_ref(), &TURN.into())
        {
            *self.inner.timer.borrow_mut() = Some((id, turn));
        }
    }

    fn speed(&self, factor: f64) {
        self.inner.factor.set(factor);
        self.resume();
    }

    fn started(&self) {
        self.inner.pump();
    }

    fn advance(&self, span: Duration) {
        self.inner.world.sim().run_for(span);
    }
}
