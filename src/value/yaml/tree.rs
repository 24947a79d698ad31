//! One YAML document as nodes with their places, and the map from field paths to places.

use serde_yaml::{Encoding, ErrorKind, EventData, Mark, Parser, ScalarStyle};

use super::guard::{Guarded, guard};
use super::{Position, YamlError};
use crate::flat::FlatMap;
use crate::limits;

/// An index into a tree's nodes.
pub(super) type Id = usize;

#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        tag: Option<String>,
        /// Plain, or with the tag `!`: its type is found from its text.
        implicit: bool,
    },
    /// Stands for the node that its anchor named when it was read.
    Alias {
        target: Id,
    },
    List,
    /// Children are key, value, key, value, ….
    Map,
}

#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub children: Vec<Id>,
    pub at: Position,
}

/// The first document of a text. An empty one has no root.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    pub root: Option<Id>,
}

impl Tree {
    /// A node by its place; `None` for a place of another tree.
    pub fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// The node behind aliases.
    pub fn target(&self, id: Id) -> Option<&Node> {
        // An alias names an earlier node, and never an alias: the parser refuses an anchor on one.
        match self.node(id) {
            Some(Node {
                kind: Kind::Alias { target, .. },
                ..
            }) => self.node(*target),
            other => other,
        }
    }
}

fn position(mark: Mark) -> Position {
    Position {
        line: mark.line as usize + 1,
        column: mark.column as usize + 1,
    }
}

/// go-yaml's sentence of a scanner's or parser's error, with its own idea of the line: a scanner's
/// counts from 1, a parser's from 0, and line 0 is left out.
pub(super) fn syntax_error(error: &serde_yaml::Error) -> YamlError {
    let problem = error.problem_mark().filter(|m| m.line != 0);
    let line = match problem {
        Some(mark) if error.kind() == ErrorKind::Scanner => mark.line + 1,
        Some(mark) => mark.line,
        None => error.context_mark().map_or(0, |m| m.line),
    };
    let place = if line == 0 {
        String::new()
    } else {
        format!("line {line}: ")
    };
    let mark = error.problem_mark().or(error.context_mark());
    YamlError {
        message: format!("yaml: {place}{}", error.problem()),
        at: mark.map(position),
    }
}

fn error(message: impl Into<String>, at: Position) -> YamlError {
    YamlError {
        message: format!("yaml: {}", message.into()),
        at: Some(at),
    }
}

/// Reads the first document of a text.
pub(super) fn parse(text: &str) -> Result<Tree, YamlError> {
    let start = Position { line: 1, column: 1 };
    if text.len() > limits::MANIFEST_BYTES {
        let most = limits::MANIFEST_BYTES;
        return Err(error(
            format!("the document is larger than the limit of {most} bytes"),
            start,
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let guarded = guard(text)?;
    parse_guarded(guarded.text.as_deref().unwrap_or(text), &guarded).map_err(|mut e| {
        e.at = e.at.map(|at| guarded.place(at));
        e
    })
}

/// A parser of a text in UTF-8.
pub(super) fn new_parser<'r, 'b>(bytes: &'r mut &'b [u8]) -> Parser<&'r mut &'b [u8]> {
    let mut parser = Parser::new();
    // Told the encoding, the library does not take a first character of the bytes EF … for a mark.
    parser.set_encoding(Encoding::Utf8);
    parser.set_input(bytes);
    parser
}

fn parse_guarded(text: &str, guarded: &Guarded) -> Result<Tree, YamlError> {
    let mut bytes = text.as_bytes();
    let mut parser = new_parser(&mut bytes);
    let mut tree = Tree::default();
    let mut open: Vec<Id> = Vec::new();
    let mut anchors: FlatMap<String, Id> = FlatMap::new();
    loop {
        let event = parser.parse().map_err(|e| syntax_error(&e))?;
        let at = position(event.start_mark);
        let (kind, anchor, opens) = match event.data {
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => continue,
            EventData::StreamEnd | EventData::DocumentEnd { .. } => return Ok(tree),
            EventData::SequenceEnd | EventData::MappingEnd => {
                open.pop();
                continue;
            }
            EventData::Alias { anchor } => {
                let Some(&target) = anchors.get(&anchor) else {
                    return Err(error(format!("unknown anchor '{anchor}' referenced"), at));
                };
                if open.contains(&target) {
                    return Err(error(format!("anchor '{anchor}' value contains itself"), at));
                }
                (Kind::Alias { target }, None, false)
            }
            EventData::Scalar {
                anchor,
                tag,
                mut value,
                plain_implicit,
                style,
                ..
            } => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block
                    && guarded.broken_at.is_some_and(|at| event.end_mark.index as usize >= at)
                    && value.ends_with('\n')
                {
                    value.pop();
                }
                let implicit = plain_implicit && (style == ScalarStyle::Plain || tag.is_none());
                let tag = tag.filter(|t| t != "!");
                (
                    Kind::Scalar {
                        text: value,
                        tag,
                        implicit,
                    },
                    anchor,
                    false,
                )
            }
            EventData::SequenceStart { anchor, .. } => (Kind::List, anchor, true),
            EventData::MappingStart { anchor, .. } => (Kind::Map, anchor, true),
        };
        let id = tree.nodes.len();
        tree.nodes.push(Node {
            kind,
            children: Vec::new(),
            at: guarded.place(at),
        });
        match open.last() {
            Some(&parent) => {
                if let Some(parent) = tree.nodes.get_mut(parent) {
                    parent.children.push(id);
                }
            }
            None => tree.root = Some(id),
        }
        if let Some(name) = anchor {
            anchors.insert(name, id);
        }
        if opens {
            open.push(id);
            if open.len() > limits::VALUE_DEPTH {
                return Err(error(format!("exceeded max depth of {}", limits::VALUE_DEPTH), at));
            }
        }
    }
}

/// Where a field stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The field's name; nothing for the root and for a list's items.
    pub key: Option<Position>,
    /// Where its value begins.
    pub value: Position,
    /// Whether the whole path was found; otherwise this is the nearest field around it.
    pub exact: bool,
}

/// The places of a document's fields.
#[derive(Debug)]
pub struct SourceMap {
    tree: Tree,
    /// Lines of the text before the document.
    lines: usize,
}

impl SourceMap {
    /// The map of the first document of `text`, which begins `lines` lines into the whole text.
    pub fn new(text: &str, lines: usize) -> Result<SourceMap, YamlError> {
        Ok(SourceMap {
            tree: parse(text)?,
            lines,
        })
    }

    pub(super) fn from_tree(tree: Tree) -> SourceMap {
        SourceMap { tree, lines: 0 }
    }

    fn shift(&self, at: Position) -> Position {
        Position {
            line: at.line + self.lines,
            column: at.column,
        }
    }

    /// The place of a field, by a path as the API server writes it in a field error:
    /// `spec.containers[0].image`, `metadata.labels[app.kubernetes.io/name]`. Of a path that is not
    /// there (a required field that is missing) the nearest field around it. Nothing for an empty text.
    pub fn find(&self, path: &str) -> Option<Place> {
        let root = self.tree.root?;
        let mut id = root;
        let mut key = None;
        let mut rest = path;
        while !rest.is_empty() {
            let Some(node) = self.tree.target(id) else { break };
            let found = match node.kind {
                Kind::List => list_step(node, rest),
                Kind::Map => self.map_step(node, rest),
                _ => None,
            };
            let Some((next, at, after)) = found else { break };
            id = next;
            key = at;
            rest = after;
        }
        let value = self.shift(self.tree.node(id)?.at);
        Some(Place {
            key: key.map(|at| self.shift(at)),
            value,
            exact: rest.is_empty(),
        })
    }

    fn map_step<'p>(&self, node: &Node, rest: &'p str) -> Option<(Id, Option<Position>, &'p str)> {
        let plain = rest.strip_prefix('.').unwrap_or(rest);
        let mut best: Option<(Id, Option<Position>, &'p str)> = None;
        for pair in node.children.chunks(2) {
            let [key, value] = pair else { continue };
            let Some(Node {
                kind: Kind::Scalar { text, .. },
                at,
                ..
            }) = self.tree.target(*key)
            else {
                continue;
            };
            let after = bracketed(rest, text).or_else(|| {
                let after = plain.strip_prefix(text.as_str())?;
                (after.is_empty() || after.starts_with(['.', '['])).then_some(after)
            });
            // The longest key wins, and of equal keys the last, as in decoding.
            if let Some(after) = after
                && best.as_ref().is_none_or(|(_, _, b)| after.len() <= b.len())
            {
                best = Some((*value, Some(*at), after));
            }
        }
        best
    }
}

/// What follows `[key]` or `["key"]` or `['key']`.
fn bracketed<'p>(rest: &'p str, key: &str) -> Option<&'p str> {
    let inner = rest.strip_prefix('[')?;
    let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(q) => inner
            .strip_prefix(q)?
            .strip_prefix(key)?
            .strip_prefix(q)?
            .strip_prefix(']'),
        None => inner.strip_prefix(key)?.strip_prefix(']'),
    }
}

fn list_step<'p>(node: &Node, rest: &'p str) -> Option<(Id, Option<Position>, &'p str)> {
    let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
    let id = node.children.get(index.parse::<usize>().ok()?)?;
    Some((*id, None, after))
}
