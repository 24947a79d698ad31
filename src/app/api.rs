//! `window.kubetab`: the library's JS API over the page's own world, which the frame loop drives.

use std::rc::Rc;
use std::time::Duration;

use kubetab::wasm::{Drive, Kubetab};
use wasm_bindgen::JsValue;

use super::engine::Engine;
use super::pacer::Pace;

/// The page's frame loop as the API's driver.
struct Frames(Rc<Engine>);

impl Drive for Frames {
    fn pause(&self) {
        self.0.pause();
    }

    fn resume(&self) {
        self.0.resume();
    }

    fn speed(&self, factor: f64) {
        self.0.set_pace(Pace::Times(factor));
    }

    fn started(&self) {
        self.0.serve();
    }

    fn advance(&self, span: Duration) {
        self.0.jump(span);
    }
}

/// Sets `window.kubetab`.
pub fn install(engine: &Rc<Engine>) {
    let api = Kubetab::with_drive(engine.host.world(), Rc::new(Frames(engine.clone())));
    let deliver = api.deliverer();
    engine.after_frame(deliver);
    // A page whose window takes no properties is not one.
    let _ = js_sys::Reflect::set(&js_sys::global(), &"kubetab".into(), &JsValue::from(api));
}
