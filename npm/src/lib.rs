//! The wasm module of the npm package: the library's JS API and nothing else.
//! It may touch only `kubetab`.

pub use kubetab::*;
