//! YAML in and out of [`Value`], as `sigs.k8s.io/yaml` does it: go-yaml's YAML 1.1 with its error
//! sentences and line numbers, then the conversion to JSON. Knows only `value` and `limits`.

mod decode;
mod emit;
mod guard;
mod resolve;
mod stream;
mod tree;

pub use decode::{Decoded, Duplicate, decode, decode_all, decode_core, decode_strict};
pub use emit::to_yaml;
pub(crate) use resolve::plain_resolves_to_string;
pub use stream::{Document, DocumentError, Format, documents};
pub use tree::{Place, SourceMap};

/// A place in a text, both from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not YAML. Displays as go-yaml's sentence; `at` is the true place of the error,
/// which go-yaml's line is at times one off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// go-yaml's sentence.
    pub message: String,
    /// `None` where the error has no place.
    pub at: Option<Position>,
}
