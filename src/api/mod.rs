//! The API server: everything that happens to objects happens here.

pub mod admission;
mod apply;
pub mod auth;
pub mod cel;
pub mod client;
pub mod cron;
pub mod custom;
pub mod decode;
pub mod discovery;
pub mod docs;
pub mod events;
pub mod informer;
pub mod jsonpath;
pub mod kinds;
mod listing;
pub mod managedfields;
pub mod metadata;
pub mod metrics;
pub mod names;
pub mod object;
pub mod openapi;
pub mod patch;
pub mod placement;
#[cfg(test)]
mod properties;
pub mod proxy;
pub mod quantity;
pub mod request;
pub mod resource;
pub mod schema;
pub mod selector;
pub mod server;
#[cfg(test)]
mod server_tests;
pub mod status;
pub mod store;
pub mod strategy;
pub mod stream;
pub mod subresource;
pub mod table;
pub mod views;
pub mod volumes;
pub mod watch;
pub mod well_known;
pub mod zone;

pub use auth::{Impersonation, User};
pub use client::{Client, ListOptions, WriteOptions};
pub use informer::Informer;
pub use object::{Object, ObjectKey};
pub use request::{Body, List, Method, PatchType, Payload, Request, Response};
pub use resource::Resource;
pub use selector::Selector;
pub use server::ApiServer;
pub use status::{FieldErrors, Status};
pub use stream::{ByteStream, Session};
pub use watch::{Watch, WatchEvent};
