//! The API server: everything that happens to objects happens here.

pub mod decode;
pub mod names;
pub mod object;
pub mod resource;
pub mod schema;
pub mod selector;
pub mod status;
pub mod store;

pub use object::{Object, ObjectKey};
pub use resource::Resource;
pub use status::{FieldErrors, Status};
