//! The wasm module of kustomize: what `kubetab::kubectl::kustomize` builds, from a message of bytes.

use kubetab::kubectl::kustomize::{Request, Response, build};

#[path = "../../jq/wasm/src/message.rs"]
mod message;

/// The response to a request, both as bytes.
fn answer(request: &[u8]) -> Vec<u8> {
    let response = match Request::from_bytes(request) {
        Some(request) => build(&request),
        None => Response {
            warnings: Vec::new(),
            outcome: Err("the files here are more than kustomize takes".to_owned()),
        },
    };
    response.to_bytes()
}
