//! The terminal's door to xterm.js (www/js/terminal.js).

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn open(
        element: &web_sys::Element,
        on_data: &Closure<dyn FnMut(String)>,
        on_resize: &Closure<dyn FnMut(u32, u32)>,
        width: &Closure<dyn Fn(u32) -> u32>,
    ) -> u32;
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn write(bytes: &[u8]);
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn fit();
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn focus();
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn columns() -> u32;
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn rows() -> u32;
    /// What screen readers call the terminal.
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn name(label: &str);
    #[wasm_bindgen(js_namespace = kubetabTerminal)]
    pub fn retheme();
}
