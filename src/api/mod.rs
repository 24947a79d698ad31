//! The API server: everything that happens to objects happens here.

pub mod object;
pub mod resource;
pub mod schema;
pub mod status;
pub mod store;

pub use object::{Object, ObjectKey};
pub use resource::Resource;
pub use status::{FieldErrors, Status};
