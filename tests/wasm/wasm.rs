//! Tests of the library as wasm, in a headless browser. Run by `cargo xtask test`.
#![cfg(target_arch = "wasm32")]

mod api;
mod story;

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The same events happen in the same order on wasm as natively. `cargo xtask test` hands over what the
/// native run gave; without it the world is only compared with itself.
#[wasm_bindgen_test]
fn the_same_seed_gives_the_same_world_as_natively() {
    let here = story::fingerprint(7);
    assert_eq!(
        here,
        option_env!("KUBETAB_FINGERPRINT").map_or(story::fingerprint(7), str::to_owned)
    );
}
