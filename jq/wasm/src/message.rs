//! How a module of its own is asked: `request` makes room for the bytes of a request, `run` answers it, and `response`
//! says where the answer lies. Nothing is imported, so that the module runs wherever there is wasm.

use std::cell::RefCell;

use crate::answer;

thread_local! {
    static REQUEST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static RESPONSE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where a request of so many bytes is to be put.
#[unsafe(no_mangle)]
pub extern "C" fn request(length: usize) -> *mut u8 {
    REQUEST.with_borrow_mut(|bytes| {
        *bytes = vec![0; length];
        bytes.as_mut_ptr()
    })
}

/// Answers the request; the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> usize {
    let request = REQUEST.take();
    RESPONSE.with_borrow_mut(|bytes| {
        *bytes = answer(&request);
        bytes.len()
    })
}

/// Where the answer lies.
#[unsafe(no_mangle)]
pub extern "C" fn response() -> *const u8 {
    RESPONSE.with_borrow(|bytes| bytes.as_ptr())
}
