//! `-o go-template`: the bridge to the template printer.

use super::error::Error;
use crate::value::Value;

/// A parsed Go template.
#[derive(Clone, Debug)]
pub struct GoTemplate {
    _text: String,
}

impl GoTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// A plain sentence: Go templates are not simulated yet.
    pub fn parse(_text: &str, _allow_missing_keys: bool) -> Result<GoTemplate, Error> {
        Err(Error::plain(
            "Go templates are not simulated yet; use -o jsonpath or -o custom-columns",
        ))
    }

    /// What the template prints of an object, and the error that ended it.
    pub fn execute(&self, _object: &Value) -> (String, Result<(), Error>) {
        (String::new(), Ok(()))
    }
}
