//! kubectl: one file per verb, and the printers.

pub mod print;
