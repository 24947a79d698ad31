//! Nodes to [`Value`]: types, aliases, merge keys, keys that are no texts, duplicate keys.

use super::resolve::{self, Scalar};
use super::tree::{self, Id, Kind, Node, SourceMap, Tree};
use super::{Position, YamlError};
use crate::flat::Arrange;
use crate::limits;
use crate::value::{Key, Map, Value, gofmt};

/// A key that stands twice in one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// As go-yaml prints it: texts in quotes.
    pub key: String,
    /// The path of the field, as in field errors.
    pub path: String,
    /// The place of the later value.
    pub at: Position,
}

impl std::fmt::Display for Duplicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: key {} already set in map", self.at.line, self.key)
    }
}

/// A decoded document with all that is known of its text.
#[derive(Debug)]
pub struct Decoded {
    /// The document; null for an empty text.
    pub value: Value,
    /// Keys that stand twice in a map.
    pub duplicates: Vec<Duplicate>,
    /// Where its fields stand.
    pub source: SourceMap,
}

/// Decodes the first document of a text. Of duplicate keys the last wins. An empty text is null.
pub fn decode(text: &str) -> Result<Value, YamlError> {
    Ok(run(&tree::parse(text)?, false)?.0)
}

/// As [`decode`], with the types of go-yaml v3, which kustomize reads with: only `true` and `false` are
/// booleans, and timestamps are written out.
pub fn decode_core(text: &str) -> Result<Value, YamlError> {
    Ok(run(&tree::parse(text)?, true)?.0)
}

/// As [`decode`], but duplicate keys are an error.
pub fn decode_strict(text: &str) -> Result<Value, YamlError> {
    let (value, duplicates) = run(&tree::parse(text)?, false)?;
    match duplicates.first() {
        None => Ok(value),
        Some(first) => {
            let lines: Vec<String> = duplicates.iter().map(Duplicate::to_string).collect();
            let message = format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "));
            Err(YamlError {
                message,
                at: Some(first.at),
            })
        }
    }
}

/// Decodes the first document of a text, and says where each field and which keys are twice.
pub fn decode_all(text: &str) -> Result<Decoded, YamlError> {
    let tree = tree::parse(text)?;
    let (value, duplicates) = run(&tree, false)?;
    Ok(Decoded {
        value,
        duplicates,
        source: SourceMap::from_tree(tree),
    })
}

fn run(tree: &Tree, core: bool) -> Result<(Value, Vec<Duplicate>), YamlError> {
    let Some(root) = tree.root else {
        return Ok((Value::Null, Vec::new()));
    };
    let mut decoder = Decoder {
        tree,
        core,
        decoded: 0,
        aliased: 0,
        alias_depth: 0,
        path: String::new(),
        duplicates: Vec::new(),
    };
    let value = decoder.value(root, 0)?;
    Ok((value, decoder.duplicates))
}

struct Decoder<'t> {
    tree: &'t Tree,
    /// Types of go-yaml v3 rather than v2.
    core: bool,
    decoded: usize,
    aliased: usize,
    alias_depth: usize,
    path: String,
    duplicates: Vec<Duplicate>,
}

fn error(message: impl Into<String>, at: Position) -> YamlError {
    YamlError {
        message: format!("yaml: {}", message.into()),
        at: Some(at),
    }
}

impl Decoder<'_> {
    /// Counts a node, and refuses a document that is mostly aliases: go-yaml's rule, whose allowed
    /// share falls from 99 % at 400,000 nodes to 10 % at 4,000,000, and a limit of our own.
    fn count(&mut self, at: Position, depth: usize) -> Result<(), YamlError> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        let (decoded, aliased) = (self.decoded as f64, self.aliased as f64);
        let allowed = 0.99 - 0.89 * ((decoded - 400_000.0) / 3_600_000.0).clamp(0.0, 1.0);
        let excessive = self.aliased > 100 && self.decoded > 1000 && aliased / decoded > allowed;
        if excessive || self.aliased > limits::YAML_ALIAS_NODES {
            return Err(error("document contains excessive aliasing", at));
        }
        if depth > limits::VALUE_DEPTH {
            return Err(error(format!("exceeded max depth of {}", limits::VALUE_DEPTH), at));
        }
        Ok(())
    }

    fn scalar(&self, node: &Node) -> Result<Scalar, YamlError> {
        let Kind::Scalar { text, tag, implicit } = &node.kind else {
            return Ok(Scalar::Null);
        };
        match tag {
            Some(tag) => resolve::tagged(tag, text).map_err(|m| error(m, node.at)),
            None if *implicit && self.core => Ok(resolve::plain_core(text)),
            None if *implicit => Ok(resolve::plain(text)),
            None => Ok(Scalar::Text(text.clone())),
        }
    }

    fn value(&mut self, id: Id, depth: usize) -> Result<Value, YamlError> {
        let tree = self.tree;
        let Some(node) = tree.node(id) else {
            return Ok(Value::Null);
        };
        self.count(node.at, depth)?;
        match &node.kind {
            Kind::Scalar { .. } => match self.scalar(node)? {
                Scalar::Null => Ok(Value::Null),
                Scalar::Bool(b) => Ok(Value::Bool(b)),
                Scalar::Int(i) => Ok(Value::Int(i)),
                Scalar::Uint(u) => Ok(Value::Float(u as f64)),
                Scalar::Float(f) if !f.is_finite() => {
                    let message = format!("json: unsupported value: {}", gofmt::float(f, 'g'));
                    Err(YamlError {
                        message,
                        at: Some(node.at),
                    })
                }
                // Through JSON a whole float becomes a whole number again.
                Scalar::Float(f) | Scalar::Big(f) if f.fract() == 0.0 && f.abs() < 9e18 => Ok(Value::Int(f as i64)),
                Scalar::Float(f) | Scalar::Big(f) => Ok(Value::Float(f)),
                Scalar::Text(t) => Ok(Value::from(t)),
            },
            Kind::Alias { target, .. } => {
                self.alias_depth += 1;
                let value = self.value(*target, depth + 1);
                self.alias_depth -= 1;
                value
            }
            Kind::List => {
                let mut items = Vec::with_capacity(node.children.len());
                let length = self.path.len();
                for (i, child) in node.children.iter().enumerate() {
                    self.path.push_str(&format!("[{i}]"));
                    items.push(self.value(*child, depth + 1)?);
                    self.path.truncate(length);
                }
                Ok(Value::list(items))
            }
            Kind::Map => {
                let mut entries: Vec<(Scalar, Value)> = Vec::new();
                let mut seen = crate::flat::FlatSet::new();
                self.mapping(node, depth, &mut entries, &mut seen)?;
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = json_key(&key).ok_or_else(|| {
                        let message = match &key {
                            Scalar::Null => format!(
                                "unsupported map key of type: %!s(<nil>), key: <nil>, value: {}",
                                gofmt::go_syntax(&value)
                            ),
                            _ => "unsupported map key of type: uint64".to_owned(),
                        };
                        YamlError {
                            message,
                            at: Some(node.at),
                        }
                    })?;
                    map.push((Key::from(key), value));
                }
                Ok(Value::from(Map::from_entries(map)))
            }
        }
    }

    /// Adds a mapping's entries in order: a later one of the same key wins, and so do merged ones.
    fn mapping(
        &mut self,
        node: &Node,
        depth: usize,
        entries: &mut Vec<(Scalar, Value)>,
        seen: &mut crate::flat::FlatSet<String>,
    ) -> Result<(), YamlError> {
        let tree = self.tree;
        for pair in node.children.chunks(2) {
            let &[key_id, value_id] = pair else { continue };
            let (Some(key_node), Some(value_node)) = (tree.node(key_id), tree.node(value_id)) else {
                continue;
            };
            if is_merge(key_node) {
                self.merge(value_id, depth, entries, seen)?;
                continue;
            }
            let target = tree.target(key_id).unwrap_or(key_node);
            if !matches!(target.kind, Kind::Scalar { .. }) {
                let mut written = String::new();
                self.go_syntax(key_id, depth, &mut written)?;
                return Err(error(format!("invalid map key: {written}"), key_node.at));
            }
            self.count(key_node.at, depth)?;
            let key = self.scalar(target)?;
            let length = self.path.len();
            let name = json_key(&key).unwrap_or_default();
            push_field(&mut self.path, &name);
            let value = self.value(value_id, depth + 1)?;
            let printed = match &key {
                Scalar::Text(t) => gofmt::quote(t),
                _ => name.clone(),
            };
            if !seen.insert(printed.clone()) {
                self.duplicates.push(Duplicate {
                    key: printed,
                    path: self.path.clone(),
                    at: value_node.at,
                });
            }
            self.path.truncate(length);
            entries.push((key, value));
        }
        Ok(())
    }

    fn merge(
        &mut self,
        id: Id,
        depth: usize,
        entries: &mut Vec<(Scalar, Value)>,
        seen: &mut crate::flat::FlatSet<String>,
    ) -> Result<(), YamlError> {
        const WANT: &str = "map merge requires map or sequence of maps as the value";
        let tree = self.tree;
        let Some(node) = tree.node(id) else { return Ok(()) };
        let Some(target) = tree.target(id) else { return Ok(()) };
        let alias = matches!(node.kind, Kind::Alias { .. });
        match target.kind {
            Kind::Map => {
                self.count(node.at, depth + 1)?;
                self.alias_depth += usize::from(alias);
                let merged = self.mapping(target, depth + 1, entries, seen);
                self.alias_depth -= usize::from(alias);
                merged
            }
            Kind::List if !alias => {
                // The first of the list wins, so it comes last.
                for child in node.children.iter().rev() {
                    if !tree.target(*child).is_some_and(|n| matches!(n.kind, Kind::Map)) {
                        return Err(error(WANT, node.at));
                    }
                    self.merge(*child, depth + 1, entries, seen)?;
                }
                Ok(())
            }
            _ => Err(error(WANT, node.at)),
        }
    }

    /// A node as Go's `%#v` prints go-yaml's value of it.
    fn go_syntax(&mut self, id: Id, depth: usize, out: &mut String) -> Result<(), YamlError> {
        let tree = self.tree;
        let Some(node) = tree.node(id) else { return Ok(()) };
        self.count(node.at, depth)?;
        if let Kind::Alias { target, .. } = node.kind {
            self.alias_depth += 1;
            let written = self.go_syntax(target, depth + 1, out);
            self.alias_depth -= 1;
            return written;
        }
        match &node.kind {
            Kind::List => {
                out.push_str("[]interface {}{");
                for (i, child) in node.children.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.go_syntax(*child, depth + 1, out)?;
                }
                out.push('}');
            }
            Kind::Map => {
                let mut entries = Vec::new();
                for pair in node.children.chunks(2) {
                    let &[key, value] = pair else { continue };
                    if tree.target(key).is_some_and(|k| !matches!(k.kind, Kind::Scalar { .. })) {
                        let mut written = String::new();
                        self.go_syntax(key, depth + 1, &mut written)?;
                        return Err(error(format!("invalid map key: {written}"), node.at));
                    }
                    let (mut k, mut v) = (String::new(), String::new());
                    self.go_syntax(key, depth + 1, &mut k)?;
                    self.go_syntax(value, depth + 1, &mut v)?;
                    entries.push(format!("{k}:{v}"));
                }
                entries.arrange();
                out.push_str("map[interface {}]interface {}{");
                out.push_str(&entries.join(", "));
                out.push('}');
            }
            _ => match self.scalar(node)? {
                Scalar::Null => out.push_str("interface {}(nil)"),
                Scalar::Bool(b) => out.push_str(if b { "true" } else { "false" }),
                Scalar::Int(i) => out.push_str(&i.to_string()),
                Scalar::Uint(u) => out.push_str(&format!("{u:#x}")),
                Scalar::Big(f) | Scalar::Float(f) => out.push_str(&gofmt::float(f, 'g')),
                Scalar::Text(t) => out.push_str(&gofmt::quote(&t)),
            },
        }
        Ok(())
    }
}

/// The conversion to JSON takes texts, whole numbers, floats and booleans as keys.
fn json_key(key: &Scalar) -> Option<String> {
    Some(match key {
        Scalar::Text(t) => t.clone(),
        Scalar::Int(i) => i.to_string(),
        Scalar::Bool(b) => b.to_string(),
        Scalar::Float(f) if f.is_nan() => ".nan".to_owned(),
        Scalar::Float(f) if f.is_infinite() => if *f > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Scalar::Float(f) => gofmt::float32(*f as f32, 'g'),
        Scalar::Null | Scalar::Uint(_) | Scalar::Big(_) => return None,
    })
}

fn is_merge(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar { text, tag, implicit } => {
            text == "<<" && (*implicit && tag.is_none() || tag.as_deref() == Some(resolve::MERGE))
        }
        _ => false,
    }
}

/// Adds a field to a path: `.name`, or the bare name at the start.
fn push_field(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list;
    use crate::obj;

    #[test]
    fn types() {
        for (text, value) in [
            ("yes", Value::from(true)),
            ("Off", Value::from(false)),
            ("y", Value::from(true)),
            ("~", Value::Null),
            ("", Value::Null),
            ("0x1F", Value::from(31)),
            ("010", Value::from(8)),
            ("0o10", Value::from(8)),
            ("0b11", Value::from(3)),
            ("-0b11", Value::from(-3)),
            ("1_000", Value::from(1000)),
            ("09", Value::from(9)),
            ("1e3", Value::from(1000)),
            ("1.5", Value::from(1.5)),
            (".5", Value::from(0.5)),
            ("1.0", Value::from(1)),
            ("1.2.3", Value::from("1.2.3")),
            ("100m", Value::from("100m")),
            ("12:30", Value::from("12:30")),
            ("2026-11-21", Value::from("2026-11-21")),
            ("\"1\"", Value::from("1")),
            ("!!str 1", Value::from("1")),
            ("!!int \"7\"", Value::from(7)),
            ("!!float 7", Value::from(7)),
            ("!!binary YWJj", Value::from("abc")),
            ("!custom 7", Value::from("7")),
            ("18446744073709551615", Value::from(18446744073709551615.0)),
            ("[1, a, {b: c}]", list![1, "a", obj! { "b": "c" }]),
            ("1: a\ntrue: b\n1.5: c", obj! { "1": "a", "true": "b", "1.5": "c" }),
            (
                "a: &x {b: 1}\nc: *x",
                obj! { "a": obj! { "b": 1 }, "c": obj! { "b": 1 } },
            ),
            (
                "base: &b {x: 1, z: 2}\nd:\n  <<: *b\n  z: 3",
                obj! { "base": obj! { "x": 1, "z": 2 }, "d": obj! { "x": 1, "z": 3 } },
            ),
            (
                "d:\n  <<: [{x: 1}, {x: 2, z: 3}]",
                obj! { "d": obj! { "x": 1, "z": 3 } },
            ),
            ("a: 1\na: 2", obj! { "a": 2 }),
            (
                "a: |\n  x\n   y\nb: >\n  x\n  y\n",
                obj! { "a": "x\n y\n", "b": "x y\n" },
            ),
            ("# only a comment\n", Value::Null),
            ("a: 1\n---\nb: 2\n", obj! { "a": 1 }),
        ] {
            assert_eq!(decode(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn sentences() {
        for (text, message) in [
            (
                "a: b\nkind: Pod\nmetadata:\n\tname: web\n",
                "yaml: line 4: found character that cannot start any token",
            ),
            (
                "a:\n  b: c\n   d:\n    e: f\n",
                "yaml: line 3: mapping values are not allowed in this context",
            ),
            (
                "a: v1\nkind Pod\nmetadata:\n",
                "yaml: line 3: could not find expected ':'",
            ),
            (
                "a: b\nc: \"web\nd:\n  a: b\n",
                "yaml: line 5: found unexpected end of stream",
            ),
            ("a:\n- b\nc\n", "yaml: line 4: could not find expected ':'"),
            ("a:\n  - b\n c: d\n", "yaml: line 2: did not find expected key"),
            ("a: [1, 2\nb: 3\n", "yaml: line 1: did not find expected ',' or ']'"),
            ("a: *x\n", "yaml: unknown anchor 'x' referenced"),
            ("a: &x [*x]\n", "yaml: anchor 'x' value contains itself"),
            (
                "name: {{ .Release.Name }}\n",
                "yaml: invalid map key: map[interface {}]interface {}{\".Release.Name\":interface {}(nil)}",
            ),
            ("? [a, 1]\n: b\n", "yaml: invalid map key: []interface {}{\"a\", 1}"),
            ("a: !!int x\n", "yaml: cannot decode !!str `x` as a !!int"),
            (
                "a: {<<: 1}\n",
                "yaml: map merge requires map or sequence of maps as the value",
            ),
            ("a: .inf\n", "json: unsupported value: +Inf"),
            ("a: \u{1}\n", "yaml: control characters are not allowed"),
            ("a: %x\n", "yaml: found character that cannot start any token"),
        ] {
            let error = decode(text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
        let error = decode("a:\n  b: c\n   d: e\n").unwrap_err();
        assert_eq!(error.at, Some(Position { line: 3, column: 5 }));
    }

    #[test]
    fn duplicates() {
        let text = "metadata:\n  name: x\ndata:\n  a: 1\n  b: 2\n  a: 3\n  \"a\": 4\n";
        assert_eq!(
            decode_strict(text).unwrap_err().to_string(),
            "yaml: unmarshal errors:\n  line 6: key \"a\" already set in map\n  line 7: key \"a\" already set in map"
        );
        let decoded = decode_all(text).unwrap();
        assert_eq!(decoded.duplicates.first().map(|d| d.path.as_str()), Some("data.a"));
        assert_eq!(decoded.value.i64_at(&["data", "a"]), Some(4));
    }

    #[test]
    fn places() {
        let text = "spec:\n  containers:\n  - name: a\n    image: nginx\nmetadata:\n  labels:\n    app.kubernetes.io/name: web\n";
        let source = decode_all(text).unwrap().source;
        let place = source.find("spec.containers[0].image").unwrap();
        assert!(place.exact);
        assert_eq!(place.key, Some(Position { line: 4, column: 5 }));
        assert_eq!(place.value, Position { line: 4, column: 12 });
        for path in [
            "metadata.labels.app.kubernetes.io/name",
            "metadata.labels[app.kubernetes.io/name]",
            "metadata.labels['app.kubernetes.io/name']",
        ] {
            assert_eq!(
                source.find(path).unwrap().value,
                Position { line: 7, column: 29 },
                "{path}"
            );
        }
        let near = source.find("spec.containers[0].ports[0].name").unwrap();
        assert!(!near.exact);
        assert_eq!(near.value, Position { line: 3, column: 5 });
        assert!(SourceMap::new("", 0).unwrap().find("a").is_none());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "([a-c]|\\PC|: |- |\n|  |[\\[\\]{}&*!|>'\"%@`#?,~]|<<|\t|\r|---|\\.\\.\\.|!!int|0x1|1_0|\u{85}){0,60}") {
            let _ = decode_all(&text).map(|d| d.source.find("a[0].b"));
            for document in crate::value::yaml::documents(&text).flatten() {
                let _ = document.value();
            }
        }
    }

    #[test]
    fn bombs_are_refused_quickly() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..40 {
            let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        assert_eq!(
            decode(&bomb).unwrap_err().to_string(),
            "yaml: document contains excessive aliasing"
        );
        for deep in [
            "[".repeat(200_000),
            "{a: ".repeat(200_000),
            "- ".repeat(100_000),
            "a:\n ".repeat(3),
        ] {
            let _ = decode(&deep);
        }
        assert_eq!(
            decode(&"[".repeat(200_000)).unwrap_err().to_string(),
            "yaml: exceeded max depth of 100"
        );
        assert!(decode(&"x".repeat(limits::MANIFEST_BYTES + 1)).is_err());
    }
}
