//! kubectl's printers: values to text, without a request. Knows `value` and, for ages, `api::table`.

pub mod columns;
pub mod gotemplate;
pub use crate::api::jsonpath;
pub mod object;
pub mod sort;
pub mod tabwriter;

pub use crate::api::table::human_duration;
pub use tabwriter::{TabWriter, escape_terminal};
