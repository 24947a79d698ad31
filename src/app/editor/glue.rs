//! The YAML pane's door to CodeMirror (www/js/editor.js).

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Resolves when the editor stands; rejects when its code could not be loaded.
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn open(
        element: &web_sys::Element,
        text: &str,
        on_change: &Closure<dyn FnMut(String)>,
        on_apply: &Closure<dyn FnMut()>,
        on_save: &Closure<dyn FnMut()>,
    ) -> Promise;
    /// What screen readers call the editor.
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn name(label: &str);
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn set(text: &str);
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn text() -> String;
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn focus();
    /// Flat triples of line, column and message.
    #[wasm_bindgen(js_namespace = kubetabEditor)]
    pub fn diagnostics(triples: &Array);
}
