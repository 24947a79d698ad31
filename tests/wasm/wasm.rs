//! Tests of the library as wasm, in a headless browser. Run by `cargo xtask test`.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The same events come in the same order on wasm as natively.
#[wasm_bindgen_test]
fn a_value_survives_a_round_trip() {
    let text = r#"{"a":[1,2.5,"x",null,true]}"#;
    let value = kubetab::value::Value::from_json(text);
    assert!(value.is_ok());
}
