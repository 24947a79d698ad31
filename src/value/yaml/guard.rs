//! Keeps from the parser the one input that it gives up on: a tag that a comma follows at once
//! (`[!x,]`), which YAML allows. A space between the two means the same and reads well.

use std::collections::BTreeSet;

use serde_yaml::{EventData, Parser};

use super::tree::{new_parser, syntax_error};
use super::{Position, YamlError};
use crate::limits;

/// A text that is safe to parse, and where it differs from the one given.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// The changed text; nothing when it may be parsed as it is.
    pub text: Option<String>,
    /// Places in the changed text of the spaces that were put in.
    spaces: Vec<Position>,
}

impl Guarded {
    /// A place in the changed text as one in the given text.
    pub fn place(&self, at: Position) -> Position {
        let before = self
            .spaces
            .iter()
            .filter(|s| s.line == at.line && s.column < at.column)
            .count();
        Position {
            line: at.line,
            column: at.column - before,
        }
    }
}

/// Offsets of commas that stand right after what may be a tag.
fn candidates(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices('!') {
        let rest = text.get(start..).unwrap_or_default();
        let run = rest.split([' ', '\t', '\r', '\n']).next().unwrap_or_default();
        let comma = if run.starts_with("!<") {
            run.find(">,").map(|i| i + 1)
        } else {
            run.find(',')
        };
        if let Some(comma) = comma.map(|i| start + i)
            && found.last() != Some(&comma)
        {
            found.push(comma);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The text with a space before each of these offsets, and the offsets of the spaces in it.
fn spaced(text: &str, commas: &[usize]) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len() + commas.len());
    let mut spaces = Vec::new();
    let mut from = 0;
    for comma in commas {
        out.push_str(text.get(from..*comma).unwrap_or_default());
        spaces.push(out.len());
        out.push(' ');
        from = *comma;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    (out, spaces)
}

/// Where empty nodes with a tag end, in the first document of a text.
fn tag_ends(text: &str) -> Result<BTreeSet<usize>, YamlError> {
    let mut bytes = text.as_bytes();
    let mut parser: Parser<&mut &[u8]> = new_parser(&mut bytes);
    let mut ends = BTreeSet::new();
    let mut depth = 0_usize;
    loop {
        let event = parser.parse().map_err(|e| syntax_error(&e))?;
        match event.data {
            EventData::StreamEnd | EventData::DocumentEnd { .. } => return Ok(ends),
            EventData::SequenceStart { .. } | EventData::MappingStart { .. } => depth += 1,
            EventData::SequenceEnd | EventData::MappingEnd => depth = depth.saturating_sub(1),
            EventData::Scalar {
                tag: Some(_), value, ..
            } if value.is_empty() => {
                ends.insert(event.end_mark.index as usize);
            }
            _ => {}
        }
        if depth > limits::VALUE_DEPTH {
            // Parsing the document itself reports the depth, and comes no further either.
            return Ok(ends);
        }
    }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(start..).map_or(0, |l| l.chars().count()) + 1,
    }
}

/// Makes a text safe to parse. The error is that of the text's syntax.
pub(super) fn guard(text: &str) -> Result<Guarded, YamlError> {
    let commas = candidates(text);
    if commas.is_empty() {
        return Ok(Guarded::default());
    }
    // With spaces everywhere nothing can go wrong; it tells which of them follow real tags. The
    // others stand inside texts and comments, which must stay as they are.
    let (all, spaces) = spaced(text, &commas);
    let ends = tag_ends(&all)?;
    let real: Vec<usize> = commas
        .iter()
        .zip(&spaces)
        .filter(|(_, space)| ends.contains(space))
        .map(|(comma, _)| *comma)
        .collect();
    if real.is_empty() {
        return Ok(Guarded::default());
    }
    let (text, spaces) = spaced(text, &real);
    let spaces = spaces.into_iter().map(|s| position(&text, s)).collect();
    Ok(Guarded {
        text: Some(text),
        spaces,
    })
}

#[cfg(test)]
mod tests {
    use crate::value::yaml::{Position, decode, decode_all};

    #[test]
    fn tags_before_commas() {
        for (text, json) in [
            ("[!x,]", r#"[""]"#),
            ("[!!str,b, 'c !d,e', !<tag:x,y>,f]", r#"["","b","c !d,e","","f"]"#),
            (
                "a: say !x, y\nb: {c: !x,d: !y }\n# !z,\ne: |\n  !q,r\n",
                r#"{"a":"say !x, y","b":{"c":"","d":""},"e":"!q,r\n"}"#,
            ),
        ] {
            assert_eq!(decode(text).unwrap().to_json(), json, "{text}");
        }
        let source = decode_all("{a: !x,b: !y,c: d}").unwrap().source;
        assert_eq!(source.find("c").unwrap().value, Position { line: 1, column: 17 });
        assert!(decode("[!x,").is_err());
    }
}
