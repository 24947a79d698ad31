//! Keeps from the parser the three inputs that it gives up on: a tag that a comma follows at once
//! (`[!x,]`), which YAML allows (a space between the two means the same and reads well); a text that
//! ends in the middle of an escape (`"a\\`); and a block scalar whose last line has no line break.

use serde_yaml::{EventData, Parser, ScalarStyle};

use super::tree::{new_parser, syntax_error};
use super::{Position, YamlError};
use crate::flat::{Arrange, FlatSet};
use crate::limits;

/// A text that is safe to parse, and where it differs from the one given.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// The changed text; nothing when it may be parsed as it is.
    pub text: Option<String>,
    /// Places in the changed text of the spaces that were put in.
    spaces: Vec<Position>,
    /// Where a line break was put in at the end; the block scalar that ends there has one too many.
    pub broken_at: Option<usize>,
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
    found.arrange();
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

/// Where empty nodes with a tag end, in the first document of a text, and where the document ends.
fn tag_ends(text: &str) -> Result<(FlatSet<usize>, usize), YamlError> {
    let mut bytes = text.as_bytes();
    let mut parser: Parser<&mut &[u8]> = new_parser(&mut bytes);
    let mut ends = FlatSet::new();
    let mut depth = 0_usize;
    loop {
        let event = parser.parse().map_err(|e| syntax_error(&e))?;
        match event.data {
            EventData::StreamEnd | EventData::DocumentEnd { .. } => {
                return Ok((ends, event.start_mark.index as usize));
            }
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
            return Ok((ends, text.len()));
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

/// The error of a text that ends with the backslash of an escape in a quoted scalar.
fn dangling_escape(text: &str) -> Option<YamlError> {
    let backslashes = text.chars().rev().take_while(|c| *c == '\\').count();
    if backslashes % 2 == 0 {
        return None;
    }
    // With a line break behind it the text can be parsed: what it says then tells where it ends.
    let broken = spaced(text, &candidates(text)).0 + "\n";
    let mut bytes = broken.as_bytes();
    let mut parser: Parser<&mut &[u8]> = new_parser(&mut bytes);
    let error = loop {
        match parser.parse() {
            Ok(event) if matches!(event.data, EventData::StreamEnd | EventData::DocumentEnd { .. }) => return None,
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    let start = error.context_mark()?.index as usize;
    if error.problem() != "found unexpected end of stream" || !broken.get(start..)?.starts_with('"') {
        return None;
    }
    let at = position(text, text.len() - 1);
    let line = match at.line {
        1 => String::new(),
        line => format!("line {line}: "),
    };
    Some(YamlError {
        message: format!("yaml: {line}found unknown escape character"),
        at: Some(at),
    })
}

/// A text whose last line has no line break, in a form that can be parsed: the text, and where a line
/// break was put in. Nothing when the text is safe as it is.
fn unbroken(text: &str) -> Result<Option<(String, Option<usize>)>, YamlError> {
    if text.ends_with('\n') || !text.contains(['|', '>']) {
        return Ok(None);
    }
    let trimmed = text.trim_end_matches([' ', '\t']);
    if trimmed.is_empty() || trimmed.ends_with('\n') {
        return Ok(Some((trimmed.to_owned(), None)));
    }
    let probe = spaced(text, &candidates(text)).0 + "\n";
    let mut bytes = probe.as_bytes();
    let mut parser: Parser<&mut &[u8]> = new_parser(&mut bytes);
    loop {
        match parser.parse() {
            Ok(event) => match event.data {
                // What follows the document is looked at before it ends.
                EventData::StreamEnd | EventData::DocumentEnd { .. } => {
                    return Ok(Some((format!("{text}\n"), None)));
                }
                EventData::Scalar {
                    style: ScalarStyle::Literal | ScalarStyle::Folded,
                    ..
                } if event.end_mark.index as usize >= probe.len() - 1 => {
                    return Ok(Some((format!("{text}\n"), Some(text.len()))));
                }
                _ => {}
            },
            // In quotes the text itself ends well, with an error on a line of its own.
            Err(e) if e.problem() == "found unexpected end of stream" => return Ok(None),
            Err(e) => return Err(syntax_error(&e)),
        }
    }
}

/// Makes a text safe to parse. The error is that of the text's syntax.
pub(super) fn guard(text: &str) -> Result<Guarded, YamlError> {
    if let Some(error) = dangling_escape(text) {
        return Err(error);
    }
    let Some((whole, broken_at)) = unbroken(text)? else {
        return guard_tags(text);
    };
    let mut guarded = guard_tags(&whole)?;
    // Spaces that were put in move the end.
    guarded.broken_at = broken_at.map(|at| at + guarded.spaces.len());
    guarded.text.get_or_insert(whole);
    Ok(guarded)
}

fn guard_tags(text: &str) -> Result<Guarded, YamlError> {
    let commas = candidates(text);
    if commas.is_empty() {
        return Ok(Guarded::default());
    }
    // With spaces everywhere nothing can go wrong; it tells which of them follow real tags. The
    // others stand inside texts and comments, which must stay as they are.
    let (all, spaces) = spaced(text, &commas);
    let (ends, end) = tag_ends(&all)?;
    let real: Vec<usize> = commas
        .iter()
        .zip(&spaces)
        // The parser looks ahead beyond the document's end, where nothing is read any more.
        .filter(|(_, space)| ends.contains(space) || **space >= end)
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
        broken_at: None,
    })
}

#[cfg(test)]
mod tests {
    use crate::value::yaml::{Position, decode, decode_all};

    #[test]
    fn tags_before_commas() {
        for (text, json) in [
            ("[!x,]", r#"[""]"#),
            ("{a: b}\n{\"c\":,=!,!, d", r#"{"a":"b"}"#),
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

    #[test]
    fn a_block_without_a_last_line_break() {
        for (text, want) in [
            ("a: |\n  b", r#"{"a":"b"}"#),
            ("a: |+\n  b", r#"{"a":"b"}"#),
            ("a: |-\n  b", r#"{"a":"b"}"#),
            ("a: >\n  b\n  c", r#"{"a":"b c"}"#),
            ("a: |\n  b\n  ", r#"{"a":"b\n"}"#),
            ("a: |\n  b\n     ", r#"{"a":"b\n"}"#),
            (
                "- |\n  b\n- {c: !x,d: |",
                "yaml: line 3: found character that cannot start any token",
            ),
            ("a: [!x,b]\nc: |\n  d", r#"{"a":["","b"],"c":"d"}"#),
            ("a: '|\nb", "yaml: line 2: found unexpected end of stream"),
            ("a: |", r#"{"a":""}"#),
            (">\n>\n t|", r#""""#),
            (">\n>\n\n > >\n >\n  t t)t)", r#""""#),
            ("a: b\n|\n  c", "yaml: line 1: did not find expected key"),
        ] {
            let got = decode(text).map_or_else(|e| e.to_string(), |v| v.to_json());
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn an_escape_at_the_end() {
        for (text, want) in [
            ("\"a\\", "yaml: found unknown escape character"),
            ("a:\n- \"b\\", "yaml: line 2: found unknown escape character"),
            (
                "{\"a\":[1,2.51,2.50a: &x {b: [1,,-0,1e400,\"\\",
                "yaml: found unknown escape character",
            ),
            ("\"a\\\\", "yaml: found unexpected end of stream"),
            ("'a\\", "yaml: found unexpected end of stream"),
            ("a: b\\", "{\"a\":\"b\\\\\"}"),
            ("a: |\n  b\\", "{\"a\":\"b\\\\\"}"),
            ("a: \"b\" # \\", "{\"a\":\"b\"}"),
        ] {
            let got = decode(text).map_or_else(|e| e.to_string(), |v| v.to_json());
            assert_eq!(got, want, "{text}");
        }
    }
}
