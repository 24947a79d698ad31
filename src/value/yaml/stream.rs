//! A stream of documents, YAML or JSON, split as kubectl's decoder splits it.

use super::{Position, YamlError, decode};
use crate::value::{Value, gojson};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

/// One document of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document<'t> {
    /// Its text, without the line that separates it.
    pub text: &'t str,
    /// Lines of the stream before the document.
    pub lines: usize,
    /// How it is written.
    pub format: Format,
}

/// Why a document cannot be read. Displays what kubectl prints after `error parsing FILE: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DocumentError {
    /// kubectl's sentence.
    pub message: String,
    /// The place in the whole stream.
    pub at: Option<Position>,
}

impl Document<'_> {
    /// The document's value; null when it holds nothing but comments.
    pub fn value(&self) -> Result<Value, DocumentError> {
        match self.format {
            Format::Yaml => decode(self.text).map_err(|e| self.error(&e)),
            Format::Json => match gojson::parse(self.text) {
                Ok(value) => Ok(value),
                Err(e) => Err(DocumentError {
                    message: e.to_string(),
                    at: Some(self.shift(e.at)),
                }),
            },
        }
    }

    /// An error of decoding this document's YAML, with its place in the stream.
    pub fn error(&self, error: &YamlError) -> DocumentError {
        DocumentError {
            message: format!("error converting YAML to JSON: {error}"),
            at: error.at.map(|at| self.shift(at)),
        }
    }

    fn shift(&self, at: Position) -> Position {
        Position {
            line: at.line + self.lines,
            column: at.column,
        }
    }
}

/// The documents of a stream. A stream that begins with `{` is one of JSON values, which may be
/// followed by YAML after a `---`; anything else is YAML, split at lines that begin with `---`.
pub fn documents(text: &str) -> Documents<'_> {
    Documents {
        text,
        at: 0,
        lines: 0,
        json: text.trim_start().starts_with('{'),
        done: false,
    }
}

/// Iterator of [`documents`]. Ends after an error, as kubectl's decoder does.
#[derive(Debug)]
pub struct Documents<'t> {
    text: &'t str,
    at: usize,
    lines: usize,
    json: bool,
    done: bool,
}

impl<'t> Iterator for Documents<'t> {
    type Item = Result<Document<'t>, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let rest = self.text.get(self.at..)?;
        if self.json {
            self.next_json(rest)
        } else {
            self.next_yaml(rest)
        }
    }
}

impl<'t> Documents<'t> {
    fn take(&mut self, rest: &'t str, skip: usize, length: usize, after: usize) -> (&'t str, usize) {
        let lines = self.lines + rest.get(..skip).map_or(0, |s| s.matches('\n').count());
        let text = rest.get(skip..skip + length).unwrap_or_default();
        self.lines += rest.get(..after).map_or(0, |s| s.matches('\n').count());
        self.at += after;
        (text, lines)
    }

    fn next_json(&mut self, rest: &'t str) -> Option<Result<Document<'t>, DocumentError>> {
        let skip = rest.len() - rest.trim_start().len();
        let body = rest.get(skip..)?;
        if body.is_empty() {
            return None;
        }
        if body.starts_with("---") {
            self.json = false;
            let (_, _) = self.take(rest, 0, 0, skip);
            return self.next_yaml(self.text.get(self.at..)?);
        }
        match gojson::value_length(body) {
            Ok(length) => {
                let (text, lines) = self.take(rest, skip, length, skip + length);
                Some(Ok(Document {
                    text,
                    lines,
                    format: Format::Json,
                }))
            }
            Err(error) => {
                let lines = self.lines + rest.get(..skip).map_or(0, |s| s.matches('\n').count());
                // Whatever is no JSON may be YAML still, in which a comma may stand before a bracket closes; when
                // it is neither, the JSON is what is complained about.
                let mut as_yaml = Documents {
                    text: self.text,
                    at: self.at + skip,
                    lines,
                    json: false,
                    done: false,
                };
                if let Some(Ok(document)) = as_yaml.next_yaml(body)
                    && document.value().is_ok()
                {
                    *self = as_yaml;
                    return Some(Ok(document));
                }
                self.done = true;
                let at = Position {
                    line: error.at.line + lines,
                    column: error.at.column,
                };
                let message = if error.is_eof() {
                    "unexpected EOF".to_owned()
                } else {
                    format!("json: offset {}: {error}", error.offset + self.at + skip)
                };
                Some(Err(DocumentError { message, at: Some(at) }))
            }
        }
    }

    fn next_yaml(&mut self, rest: &'t str) -> Option<Result<Document<'t>, DocumentError>> {
        let mut start = 0;
        let mut end = 0;
        for (i, line) in rest.split_inclusive('\n').enumerate() {
            if let Some(after) = line.strip_prefix("---") {
                let after = after.trim();
                if !after.is_empty() && !after.starts_with('#') {
                    self.done = true;
                    return Some(Err(DocumentError {
                        message: format!("invalid Yaml document separator: {after}"),
                        at: Some(Position {
                            line: self.lines + i + 1,
                            column: 4,
                        }),
                    }));
                }
                if end > start {
                    break;
                }
                start += line.len();
                end = start;
            } else {
                end += line.len();
            }
        }
        if end == start {
            self.done = true;
            return None;
        }
        let (text, lines) = self.take(rest, start, end - start, end);
        let format = if text.trim_start().starts_with('{') && gojson::parse(text).is_ok() {
            Format::Json
        } else {
            Format::Yaml
        };
        Some(Ok(Document { text, lines, format }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        documents(text)
            .map(|d| match d.and_then(|d| Ok((d.lines, d.value()?))) {
                Ok((lines, value)) => format!("{lines}: {value:?}"),
                Err(e) => format!("error: {e} at {}", e.at.map(|p| p.to_string()).unwrap_or_default()),
            })
            .collect()
    }

    #[test]
    fn streams() {
        for (text, documents) in [
            ("", &[][..]),
            ("---\n", &[]),
            ("# c\n---\n", &["0: null"]),
            ("a: 1\n", &["0: {\"a\":1}"]),
            ("a: 1", &["0: {\"a\":1}"]),
            (
                "---\na: 1\n--- # next\n\nb: 2\n---\n",
                &["1: {\"a\":1}", "3: {\"b\":2}"],
            ),
            ("a: |\n  ---\n", &["0: {\"a\":\"---\\n\"}"]),
            ("{\"a\": 1}\n{\"b\": 2}\n", &["0: {\"a\":1}", "1: {\"b\":2}"]),
            ("{\"a\": 1}\n---\nb: 2\n", &["0: {\"a\":1}", "2: {\"b\":2}"]),
            ("{\"a\": 1, ", &["error: unexpected EOF at line 1, column 10"]),
            // What is no JSON is YAML; when it is neither, JSON's is the error.
            ("\n{a: 1}", &["1: {\"a\":1}"]),
            (
                "\n{a: 1",
                &[
                    "error: json: offset 3: invalid character 'a' looking for beginning of object key string at line 2, column 2",
                ],
            ),
            ("[1]", &["0: [1]"]),
            (
                "a: 1\n--- b: 2\n",
                &["error: invalid Yaml document separator: b: 2 at line 2, column 4"],
            ),
            (
                "a: 1\n---\nb: c: d\n",
                &[
                    "0: {\"a\":1}",
                    "error: error converting YAML to JSON: yaml: mapping values are not allowed in this context at line 3, column 5",
                ],
            ),
        ] {
            assert_eq!(read(text), documents, "{text}");
        }
    }
}
