//! The wasm module of jq.

mod message;

/// Bytes of the stack that a program may use. Beside the stack that is counted, a browser has one of its own of about a
/// megabyte, which ends the module when it is full; whoever runs it takes that for the same.
const STACK: usize = 400 * 1024;

/// The response to a request, both as bytes.
fn answer(request: &[u8]) -> Vec<u8> {
    kubetab_jq::run_message(request, STACK)
}
