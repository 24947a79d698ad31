//! `-o go-template`: the bridge to the template printer.

use super::error::Error;
use super::print::gotemplate;
use crate::value::Value;

/// A parsed Go template.
#[derive(Clone, Debug)]
pub struct GoTemplate(gotemplate::GoTemplate);

impl GoTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// Go's sentence.
    pub fn parse(text: &str, allow_missing_keys: bool) -> Result<GoTemplate, Error> {
        gotemplate::GoTemplate::new(text, allow_missing_keys)
            .map(GoTemplate)
            .map_err(|e| Error::plain(e.0))
    }

    /// What the template prints of an object, and the error that ended it.
    pub fn execute(&self, object: &Value) -> (String, Result<(), Error>) {
        let printed = self.0.print(object);
        let result = printed.error.map_or(Ok(()), |e| Err(Error::plain(e.0)));
        (printed.out, result)
    }
}
