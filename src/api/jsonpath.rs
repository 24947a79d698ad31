//! JSONPath templates, as client-go's `util/jsonpath` reads and evaluates them. Knows only `value`.

use crate::limits;
use crate::value::{Value, float, gofmt, gojson};

/// Why a template cannot be read or evaluated. Displays the library's own sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonPathError(pub String);

fn fail<T>(message: impl Into<String>) -> Result<T, JsonPathError> {
    Err(JsonPathError(message.into()))
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// An action in braces, or a part of one.
    List(Vec<Node>),
    Text(String),
    Field(String),
    /// Start, end, step; the end is derived when only an index was written.
    Array {
        start: Option<i64>,
        end: Option<i64>,
        derived: bool,
        step: Option<i64>,
    },
    Filter {
        left: Vec<Node>,
        operator: String,
        right: Vec<Node>,
    },
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Node>>),
    Identifier(String),
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct JsonPath {
    nodes: Vec<Node>,
    allow_missing: bool,
}

impl JsonPath {
    /// Parses a template: text with actions in braces.
    pub fn parse(text: &str) -> Result<JsonPath, JsonPathError> {
        if text.len() > limits::TEMPLATE_BYTES {
            return fail(format!(
                "the template is larger than the limit of {} bytes",
                limits::TEMPLATE_BYTES
            ));
        }
        Ok(JsonPath {
            nodes: parse(text, 0)?,
            allow_missing: false,
        })
    }

    /// Whether a field that is not there is an empty result instead of an error.
    pub fn allow_missing_keys(mut self, allow: bool) -> JsonPath {
        self.allow_missing = allow;
        self
    }

    /// The results of each action and text of the template.
    pub fn find(&self, data: &Value) -> Result<Vec<Vec<Value>>, JsonPathError> {
        let mut run = Run {
            path: self,
            begin: 0,
            inside: 0,
            end: 0,
            last_end: None,
            steps: 0,
        };
        run.results(data, 0)
    }

    /// The first result of a path, as `wait --for=jsonpath` and sorting use it.
    pub fn first(&self, data: &Value) -> Result<Option<Value>, JsonPathError> {
        Ok(self.find(data)?.into_iter().next().and_then(|r| r.into_iter().next()))
    }

    /// The template filled in.
    pub fn execute(&self, data: &Value) -> Result<String, JsonPathError> {
        let mut out = String::new();
        for results in self.find(data)? {
            for (i, result) in results.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                match result {
                    Value::Map(_) | Value::List(_) => out.push_str(&gojson::compact(result, true)),
                    Value::Null => out.push_str("null"),
                    other => out.push_str(&gofmt::display(other)),
                }
            }
        }
        Ok(out)
    }

    /// The results of each action as an indented JSON list (`-o jsonpath-as-json`).
    pub fn execute_as_json(&self, data: &Value) -> Result<String, JsonPathError> {
        let mut out = String::new();
        for results in self.find(data)? {
            out.push_str(&gojson::indented(&Value::list(results), "    ", true));
            out.push('\n');
        }
        Ok(out)
    }
}

/// `-o jsonpath=TEMPLATE`: the errors are what kubectl prints after `error: `.
#[derive(Clone, Debug)]
pub struct JsonPathPrinter {
    template: String,
    path: JsonPath,
    as_json: bool,
}

impl JsonPathPrinter {
    /// Parses the option's template.
    pub fn new(template: &str, as_json: bool, allow_missing_keys: bool) -> Result<JsonPathPrinter, JsonPathError> {
        match JsonPath::parse(template) {
            Ok(path) => Ok(JsonPathPrinter {
                template: template.to_owned(),
                path: path.allow_missing_keys(allow_missing_keys),
                as_json,
            }),
            Err(e) => fail(format!("error parsing jsonpath {template}, {e}")),
        }
    }

    /// Prints an object or a list, without a line break of its own.
    pub fn print(&self, object: &Value) -> Result<String, JsonPathError> {
        let printed = if self.as_json {
            self.path.execute_as_json(object)
        } else {
            self.path.execute(object)
        };
        printed.or_else(|e| {
            fail(format!(
                "error executing jsonpath {}: Error executing template: {e}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{}\n\tobject given to jsonpath engine was:\n\t\t{}\n\n\n",
                gofmt::quote(&self.template),
                self.template,
                gofmt::go_syntax(object)
            ))
        })
    }
}

/// Turns `metadata.name`, `.metadata.name` or `{.metadata.name}` into a template, as custom columns
/// and `--sort-by` take them.
pub fn relaxed(expression: &str) -> Result<String, JsonPathError> {
    if expression.is_empty() {
        return Ok(String::new());
    }
    let inner = expression
        .strip_prefix('{')
        .and_then(|e| e.strip_suffix('}'))
        .unwrap_or(expression);
    let field = match inner.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => rest,
        _ => inner,
    };
    if field.is_empty() || field.contains(['{', '}']) || field.contains('\n') && !expression.starts_with('{') {
        return fail(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'",
        );
    }
    Ok(format!("{{.{field}}}"))
}

// ---- reading ----

struct Parser<'t> {
    text: &'t str,
    at: usize,
    start: usize,
    depth: usize,
}

fn parse(text: &str, depth: usize) -> Result<Vec<Node>, JsonPathError> {
    if depth > limits::TEMPLATE_DEPTH {
        return fail("the template is nested too deeply");
    }
    let mut parser = Parser {
        text,
        at: 0,
        start: 0,
        depth,
    };
    let mut nodes = Vec::new();
    loop {
        let rest = parser.rest();
        let Some(open) = rest.find('{') else {
            if !rest.is_empty() {
                nodes.push(Node::Text(rest.to_owned()));
            }
            return Ok(nodes);
        };
        if open > 0 {
            nodes.push(Node::Text(rest.get(..open).unwrap_or_default().to_owned()));
        }
        parser.at += open + 1;
        parser.start = parser.at;
        nodes.push(Node::List(parser.action()?));
    }
}

/// Parses what stands between braces.
fn parse_action(text: &str, depth: usize) -> Result<Vec<Node>, JsonPathError> {
    match parse(&format!("{{{text}}}"), depth + 1)?.into_iter().next() {
        Some(Node::List(nodes)) => Ok(nodes),
        _ => Ok(Vec::new()),
    }
}

fn is_end_of_line(c: char) -> bool {
    c == '\r' || c == '\n'
}

fn is_terminator(c: Option<char>) -> bool {
    c.is_none_or(|c| {
        matches!(
            c,
            ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
        )
    })
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn consume(&mut self) -> &'t str {
        let text = self.text.get(self.start..self.at).unwrap_or_default();
        self.start = self.at;
        text
    }

    fn previous_is_backslash(&self) -> bool {
        // The byte before the one just read.
        self.at >= 2 && self.text.as_bytes().get(self.at - 2) == Some(&b'\\')
    }

    fn action(&mut self) -> Result<Vec<Node>, JsonPathError> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with('}') {
                self.at += 1;
                self.consume();
                return Ok(nodes);
            }
            if rest.starts_with("[?(") {
                self.filter(&mut nodes)?;
                continue;
            }
            if rest.starts_with("..") {
                if nodes.last() == Some(&Node::Recursive) {
                    return fail("invalid multiple recursive descent");
                }
                self.at += 2;
                self.consume();
                nodes.push(Node::Recursive);
                if self.peek().is_some_and(is_alphanumeric) {
                    self.field(&mut nodes);
                }
                continue;
            }
            match self.next() {
                None => return fail("unclosed action"),
                Some(c) if is_end_of_line(c) => return fail("unclosed action"),
                Some(' ' | '@' | '$') => {
                    self.consume();
                }
                Some('[') => self.array(&mut nodes)?,
                Some(c @ ('"' | '\'')) => self.quote(&mut nodes, c)?,
                Some('.') => self.field(&mut nodes),
                Some(c) if c == '+' || c == '-' || c.is_numeric() => {
                    self.at -= c.len_utf8();
                    self.number(&mut nodes)?;
                }
                Some(c) if is_alphanumeric(c) => {
                    self.at -= c.len_utf8();
                    while !is_terminator(self.peek()) {
                        self.next();
                    }
                    nodes.push(match self.consume() {
                        "true" => Node::Bool(true),
                        "false" => Node::Bool(false),
                        name => Node::Identifier(name.to_owned()),
                    });
                }
                Some(c) => {
                    let shown = if gofmt::printable(c) {
                        format!(" '{c}'")
                    } else {
                        String::new()
                    };
                    return fail(format!("unrecognized character in action: U+{:04X}{shown}", c as u32));
                }
            }
        }
    }

    fn field(&mut self, nodes: &mut Vec<Node>) {
        self.consume();
        loop {
            match self.peek() {
                Some('\\') => {
                    self.next();
                    self.next();
                }
                c if is_terminator(c) => break,
                _ => {
                    self.next();
                }
            }
        }
        nodes.push(match self.consume() {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        });
    }

    fn number(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        while self.peek().is_some_and(|c| c == '.' || c.is_numeric()) {
            self.next();
        }
        let text = self.consume();
        if let Ok(i) = text.parse() {
            nodes.push(Node::Int(i));
        } else if let Some(f) = float::parse(text) {
            nodes.push(Node::Float(f));
        } else {
            return fail(format!("cannot parse number {text}"));
        }
        Ok(())
    }

    fn quote(&mut self, nodes: &mut Vec<Node>, quote: char) -> Result<(), JsonPathError> {
        loop {
            match self.next() {
                None | Some('\n') => return fail("unterminated quoted string"),
                Some(c) if c == quote && !self.previous_is_backslash() => break,
                Some(_) => {}
            }
        }
        let written = self.consume();
        match unquote(written, quote) {
            Some(text) => {
                nodes.push(Node::Text(text));
                Ok(())
            }
            None => fail(format!("unquote string {written} error invalid syntax")),
        }
    }

    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        loop {
            match self.next() {
                None | Some('\n') => return fail("unterminated array"),
                Some(']') => break,
                Some(_) => {}
            }
        }
        let written = self.consume();
        let text = written.get(1..written.len() - 1).unwrap_or_default();
        let text = if text == "*" { ":" } else { text };
        if text.contains(',') {
            let mut union = Vec::new();
            for part in text.split(',') {
                union.push(parse_action(&format!("[{}]", part.trim_matches(' ')), self.depth)?);
            }
            nodes.push(Node::Union(union));
            return Ok(());
        }
        let key = text
            .strip_prefix('\'')
            .and_then(|t| t.strip_suffix('\''))
            .filter(|k| !k.contains('\''));
        if let Some(key) = key {
            nodes.extend(parse_action(&format!(".{key}"), self.depth)?);
            return Ok(());
        }
        let parts: Vec<&str> = text.split(':').collect();
        let numeric = |p: &str| p.strip_prefix('-').unwrap_or(p).bytes().all(|b| b.is_ascii_digit());
        if parts.len() > 3 || !parts.iter().all(|p| numeric(p)) {
            return fail(format!("invalid array index {text}"));
        }
        let number = |part: Option<&&str>| match part {
            None | Some(&"") => Ok(None),
            Some(p) => p
                .parse()
                .map(Some)
                .map_err(|_| JsonPathError(format!("array index {p} is not a number"))),
        };
        let start = number(parts.first())?;
        let derived = parts.len() == 1;
        let end = if derived {
            Some(start.unwrap_or(0) + 1)
        } else {
            number(parts.get(1))?
        };
        let step = number(parts.get(2))?;
        nodes.push(Node::Array {
            start,
            end,
            derived,
            step,
        });
        Ok(())
    }

    fn filter(&mut self, nodes: &mut Vec<Node>) -> Result<(), JsonPathError> {
        self.at += "[?(".len();
        self.consume();
        let (mut begin, mut end) = (false, false);
        let mut pair = ' ';
        loop {
            match self.next() {
                None | Some('\n') => return fail("unterminated filter"),
                Some(c @ ('"' | '\'')) => {
                    if !begin {
                        begin = true;
                        pair = c;
                    } else if c == pair && !self.previous_is_backslash() {
                        end = true;
                    }
                }
                Some(')') if begin == end => break,
                Some(_) => {}
            }
        }
        if self.next() != Some(']') {
            return fail("unclosed array expect ]");
        }
        let written = self.consume();
        let text = written.get(..written.len() - 2).unwrap_or_default();
        // left, operator characters, and at least one character of right
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let split = text.find(is_operator).filter(|i| *i > 0).and_then(|left| {
            let (l, rest) = text.split_at(left);
            let mut length = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
            if length == rest.len() {
                // The right side takes the last operator character, when two or more stand there.
                length = length.checked_sub(1).filter(|n| *n > 0)?;
            }
            let (operator, r) = rest.split_at(length);
            Some((l, operator, r))
        });
        nodes.push(match split {
            None => Node::Filter {
                left: parse_action(text, self.depth)?,
                operator: "exists".to_owned(),
                right: Vec::new(),
            },
            Some((left, operator, right)) => Node::Filter {
                left: parse_action(left, self.depth)?,
                operator: operator.to_owned(),
                right: parse_action(right, self.depth)?,
            },
        });
        Ok(())
    }
}

/// The text between quotes, with Go's escapes.
fn unquote(written: &str, quote: char) -> Option<String> {
    let inner = written.strip_prefix(quote)?.strip_suffix(quote)?;
    if !inner.contains('\\') && !inner.contains(quote) {
        return Some(inner.to_owned());
    }
    unescape(inner, quote)
}

/// Go's escapes in a quoted text resolved; nothing when one is wrong.
pub(crate) fn unescape(inner: &str, quote: char) -> Option<String> {
    let mut bytes: Vec<u8> = Vec::with_capacity(inner.len());
    let mut buffer = [0; 4];
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c == quote {
            return None;
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let c = chars.next()?;
        let mut digits = |count: usize, base: u32, first: Option<char>| -> Option<u32> {
            let mut value = first.map_or(Some(0), |c| c.to_digit(base))?;
            for _ in 0..count {
                value = value * base + chars.next()?.to_digit(base)?;
            }
            Some(value)
        };
        let simple = match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            '\'' | '"' if c == quote => c,
            'x' => {
                bytes.push(u8::try_from(digits(2, 16, None)?).ok()?);
                continue;
            }
            '0'..='7' => {
                bytes.push(u8::try_from(digits(2, 8, Some(c))?).ok()?);
                continue;
            }
            'u' => char::from_u32(digits(4, 16, None)?)?,
            'U' => char::from_u32(digits(8, 16, None)?)?,
            _ => return None,
        };
        bytes.extend_from_slice(simple.encode_utf8(&mut buffer).as_bytes());
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

// ---- evaluating ----

struct Run<'p> {
    path: &'p JsonPath,
    /// Ranges opened by the last walk, ranges being run, ends met.
    begin: usize,
    inside: usize,
    end: usize,
    last_end: Option<usize>,
    steps: usize,
}

impl Run<'_> {
    fn results(&mut self, data: &Value, from: usize) -> Result<Vec<Vec<Value>>, JsonPathError> {
        let nodes = &self.path.nodes;
        let current = vec![data.clone()];
        let mut all = Vec::new();
        let mut i = from;
        while let Some(node) = nodes.get(i) {
            self.steps += 1;
            if self.steps > limits::TEMPLATE_STEPS {
                return fail(format!("the template takes more than {} steps", limits::TEMPLATE_STEPS));
            }
            let results = self.walk(&current, node)?;
            if self.end > 0 && self.end <= self.inside {
                self.end -= 1;
                self.last_end = Some(i);
                break;
            }
            if self.begin > 0 {
                self.begin -= 1;
                self.inside += 1;
                if self.inside > limits::TEMPLATE_DEPTH {
                    return fail("the template is nested too deeply");
                }
                // To Go, a null that is walked to is no value at all, unlike one that a field holds.
                let nothing = Value::from("<no value>");
                for value in &results {
                    let value = if value.is_null() { &nothing } else { value };
                    all.extend(self.results(value, i + 1)?);
                }
                if results.is_empty() {
                    // Run once over nothing, to find where the range ends.
                    self.results(&Value::Null, i + 1)?;
                }
                self.inside -= 1;
                if let Some(end) = self.last_end
                    && end > i
                {
                    i = end;
                }
                i += 1;
                continue;
            }
            all.push(results);
            i += 1;
        }
        Ok(all)
    }

    fn list(&mut self, input: &[Value], nodes: &[Node]) -> Result<Vec<Value>, JsonPathError> {
        let mut current = input.to_vec();
        for node in nodes {
            current = self.walk(&current, node)?;
            // Several `..` in a row multiply what they find.
            self.steps += current.len();
            if self.steps > limits::TEMPLATE_STEPS {
                return fail(format!("the template takes more than {} steps", limits::TEMPLATE_STEPS));
            }
        }
        Ok(current)
    }

    fn walk(&mut self, input: &[Value], node: &Node) -> Result<Vec<Value>, JsonPathError> {
        match node {
            Node::List(nodes) => self.list(input, nodes),
            Node::Text(text) => Ok(vec![Value::from(text)]),
            Node::Int(i) => Ok(vec![Value::Int(*i); input.len()]),
            Node::Float(f) => Ok(vec![Value::Float(*f); input.len()]),
            Node::Bool(b) => Ok(vec![Value::Bool(*b); input.len()]),
            Node::Field(name) => self.field(input, name),
            Node::Array { .. } => array(input, node),
            Node::Filter { left, operator, right } => self.filter(input, left, operator, right),
            Node::Wildcard => Ok(input.iter().flat_map(children).collect()),
            Node::Recursive => {
                let mut all = Vec::new();
                descend(input, &mut all);
                Ok(all)
            }
            Node::Union(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.list(input, part)?);
                }
                Ok(all)
            }
            Node::Identifier(name) => match name.as_str() {
                "range" => {
                    self.begin += 1;
                    Ok(input.to_vec())
                }
                "end" if self.inside > 0 => {
                    self.end += 1;
                    Ok(Vec::new())
                }
                "end" => fail("not in range, nothing to end"),
                other => fail(format!("unrecognized identifier {other}")),
            },
        }
    }

    fn field(&self, input: &[Value], name: &str) -> Result<Vec<Value>, JsonPathError> {
        if input.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<Value> = input.iter().filter_map(|v| v.as_map()?.get(name).cloned()).collect();
        if found.is_empty() && !self.path.allow_missing {
            return fail(format!("{name} is not found"));
        }
        Ok(found)
    }

    fn filter(
        &mut self,
        input: &[Value],
        left: &[Node],
        operator: &str,
        right: &[Node],
    ) -> Result<Vec<Value>, JsonPathError> {
        let mut kept = Vec::new();
        for value in input {
            let Some(items) = value.as_list() else {
                let shown = match value {
                    Value::Null => "<invalid reflect.Value>".to_owned(),
                    other => gofmt::display(other),
                };
                return fail(format!("{shown} is not array or slice and cannot be filtered"));
            };
            for item in items {
                let here = [item.clone()];
                let lefts = self.list(&here, left);
                if operator == "exists" {
                    // What fails exists too, but for a field that is missing: kubectl drops the error and counts.
                    let exists = match lefts {
                        Ok(found) => !found.is_empty(),
                        Err(e) => !e.0.ends_with("is not found"),
                    };
                    if exists {
                        kept.push(item.clone());
                    }
                    continue;
                }
                let lefts = lefts?;
                let one = |values: &[Value]| match values {
                    [] => Ok(None),
                    [value] => Ok(Some(value.clone())),
                    _ => fail("can only compare one element at a time"),
                };
                let Some(l) = one(&lefts)? else { continue };
                let Some(r) = one(&self.list(&here, right)?)? else {
                    continue;
                };
                let pass = match operator {
                    "<" => compare::less(&l, &r)?,
                    ">" => !compare::less(&l, &r)? && !compare::equal(&l, &r)?,
                    "==" => compare::equal(&l, &r)?,
                    "!=" => !compare::equal(&l, &r)?,
                    "<=" => compare::less(&l, &r)? || compare::equal(&l, &r)?,
                    ">=" => !compare::less(&l, &r)?,
                    other => return fail(format!("unrecognized filter operator {other}")),
                };
                if pass {
                    kept.push(item.clone());
                }
            }
        }
        Ok(kept)
    }
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::Map(map) => map.iter().map(|(_, v)| v.clone()).collect(),
        Value::List(items) => items.to_vec(),
        // Go's library takes a text for a list of bytes.
        Value::Str(text) => text.bytes().map(|b| Value::Int(i64::from(b))).collect(),
        _ => Vec::new(),
    }
}

fn descend(input: &[Value], all: &mut Vec<Value>) {
    for value in input {
        let inner = match value {
            Value::Str(_) => Vec::new(),
            other => children(other),
        };
        if !inner.is_empty() || matches!(value, Value::Str(s) if !s.is_empty()) {
            all.push(value.clone());
            descend(&inner, all);
        }
    }
}

fn array(input: &[Value], node: &Node) -> Result<Vec<Value>, JsonPathError> {
    let Node::Array {
        start,
        end,
        derived,
        step,
    } = node
    else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for value in input {
        if value.is_null() {
            continue;
        }
        let Some(items) = value.as_list() else {
            return fail(format!("{} is not array or slice", go_type(value)));
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let mut first = start.unwrap_or(0);
        if first < 0 {
            first = first.saturating_add(length);
        }
        let mut last = end.unwrap_or(length);
        if last < 0 || (last == 0 && *derived) {
            last = last.saturating_add(length);
        }
        if first == last {
            return Ok(all);
        }
        if first >= length || first < 0 {
            return fail(format!("array index out of bounds: index {first}, length {length}"));
        }
        if last > length || last < 0 {
            return fail(format!(
                "array index out of bounds: index {}, length {length}",
                last - 1
            ));
        }
        if first > last {
            return fail(format!("starting index {first} is greater than ending index {last}"));
        }
        let step = step.unwrap_or(1);
        if step <= 0 {
            return fail("step must be > 0");
        }
        let slice = items.get(first as usize..last as usize).unwrap_or_default();
        all.extend(slice.iter().step_by(step as usize).cloned());
    }
    Ok(all)
}

/// The name of a value's type in Go.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::Str(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// The comparisons of Go's templates: only between values of one kind.
pub(crate) mod compare {
    use super::{JsonPathError, fail};
    use crate::value::Value;

    const BAD_TYPE: &str = "invalid type for comparison";
    const INCOMPATIBLE: &str = "incompatible types for comparison";

    fn kind(value: &Value) -> Option<u8> {
        match value {
            Value::Bool(_) => Some(0),
            Value::Int(_) => Some(1),
            Value::Float(_) => Some(2),
            Value::Str(_) => Some(3),
            _ => None,
        }
    }

    fn same_kind(a: &Value, b: &Value) -> Result<(), JsonPathError> {
        match (kind(a), kind(b)) {
            (Some(a), Some(b)) if a == b => Ok(()),
            (Some(_), Some(_)) => fail(INCOMPATIBLE),
            _ => fail(BAD_TYPE),
        }
    }

    /// Whether two values of one kind are equal.
    pub fn equal(a: &Value, b: &Value) -> Result<bool, JsonPathError> {
        same_kind(a, b)?;
        Ok(a == b)
    }

    /// Whether the first of two values of one kind is the smaller one.
    pub fn less(a: &Value, b: &Value) -> Result<bool, JsonPathError> {
        same_kind(a, b)?;
        match (a, b) {
            (Value::Int(a), Value::Int(b)) => Ok(a < b),
            (Value::Float(a), Value::Float(b)) => Ok(a < b),
            (Value::Str(a), Value::Str(b)) => Ok(a < b),
            _ => fail(BAD_TYPE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml::decode;

    fn service() -> Value {
        decode(
            "kind: Service\nmetadata:\n  labels: {app: many, tier: front}\n  annotations: {example.com/note: 'a \"quoted\" word', empty: ''}\nspec:\n  ports:\n  - {name: http, port: 80, protocol: TCP, targetPort: web}\n  - {name: https, port: 443, protocol: TCP, targetPort: 8443}\n  - {name: dns, port: 53, protocol: UDP, targetPort: 53}\n  - {name: metrics, port: 9090, protocol: TCP, targetPort: 9090}\n  selector: {app: many}\nstatus: {nothing: null, half: 0.5, html: [\"<a>\"]}\n",
        )
        .unwrap()
    }

    fn run(template: &str) -> String {
        let path = match JsonPath::parse(template) {
            Ok(path) => path.allow_missing_keys(true),
            Err(e) => return format!("parse: {e}"),
        };
        path.execute(&service()).unwrap_or_else(|e| format!("run: {e}"))
    }

    #[test]
    fn templates() {
        for (template, printed) in [
            ("{.spec.ports[?(@.port>100)].name}", "https metrics"),
            ("{.spec.ports[?(@.protocol!=\"TCP\")].name}", "dns"),
            ("{.spec.ports[?(@.nodePort)].name}|", "|"),
            ("{.spec.ports[?(@.name=='dns')].port}", "53"),
            (
                "{.spec.ports[-1].name} {.spec.ports[-2:].name} {.spec.ports[0:4:2].name} {.spec.ports[1:3].port}",
                "metrics dns metrics http dns 443 53",
            ),
            (
                "{range .spec.ports[*]}{.name}:{.port}{\",\"}{end}{\"\\n\"}",
                "http:80,https:443,dns:53,metrics:9090,\n",
            ),
            (
                "{.spec.ports[0,2].name} {.spec.selector.*} {..targetPort}",
                "http dns many web 8443 53 9090",
            ),
            (
                "{.metadata.annotations['example\\.com/note']}{'\\n'}{.metadata.labels['app','tier']}",
                "a \"quoted\" word\nmany front",
            ),
            ("{.spec.nosuch.deeper}{.metadata.labels.nosuch}|", "|"),
            ("{range .spec.ports[*]}{.name}", "httphttpsdnsmetrics"),
            ("{range .nosuch[*]}{.name}{end}after {.kind}", "after Service"),
            (
                "{range .spec.ports[0:2]}{.name}{range .nosuch}x{end};{end}{.kind}",
                "http;https;Service",
            ),
            (".metadata.name", ".metadata.name"),
            ("{.metadata.labels}", "{\"app\":\"many\",\"tier\":\"front\"}"),
            (
                "{.status.nothing} {.status.half} {.status.html}",
                "null 0.5 [\"\\u003ca\\u003e\"]",
            ),
            ("{$.kind} {@.kind} {.kind} {kind}", "run: unrecognized identifier kind"),
            ("{1}{true}{-2.5}{\"text\"}", "1true-2.5text"),
            ("{.metadata.name", "parse: unclosed action"),
            (
                "{.spec.ports[?(@.name=~\"h.*\")].name}",
                "parse: unrecognized character in action: U+007E '~'",
            ),
            ("{.spec.ports[x]}", "parse: invalid array index x"),
            ("{.spec[}", "parse: unterminated array"),
            ("{.spec.ports[?(@.a}", "parse: unterminated filter"),
            ("{\"abc}", "parse: unterminated quoted string"),
            ("{.a....b}", "parse: invalid multiple recursive descent"),
            ("{end}", "run: not in range, nothing to end"),
            (
                "{.spec.ports[9].name}",
                "run: array index out of bounds: index 9, length 4",
            ),
            (
                "{.spec.ports[0:9].name}",
                "run: array index out of bounds: index 8, length 4",
            ),
            ("{.spec[0]}", "run: map[string]interface {} is not array or slice"),
            (
                "{.kind[?(@.a==1)]}",
                "run: Service is not array or slice and cannot be filtered",
            ),
            (
                "{.spec.ports[?(@.port>\"a\")].name}",
                "run: incompatible types for comparison",
            ),
            (
                "{.spec.ports[?(@.name==\"dns\" && @.port==53)].name}",
                "parse: unrecognized character in action: U+0026 '&'",
            ),
            ("名字 {.kind}", "名字 Service"),
        ] {
            assert_eq!(run(template), printed, "{template}");
        }
    }

    #[test]
    fn printer_errors() {
        let e = JsonPathPrinter::new("{.metadata.name", false, true).unwrap_err();
        assert_eq!(e.to_string(), "error parsing jsonpath {.metadata.name, unclosed action");
        let printer = JsonPathPrinter::new("{.spec.nosuch}", false, false).unwrap();
        let e = printer.print(&crate::obj! { "spec": crate::obj! {} }).unwrap_err();
        assert_eq!(
            e.to_string(),
            "error executing jsonpath \"{.spec.nosuch}\": Error executing template: nosuch is not found. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{.spec.nosuch}\n\tobject given to jsonpath engine was:\n\t\tmap[string]interface {}{\"spec\":map[string]interface {}{}}\n\n\n"
        );
    }

    #[test]
    fn as_json() {
        let printer = JsonPathPrinter::new("{.metadata.labels}", true, true).unwrap();
        assert_eq!(
            printer.print(&service()).unwrap(),
            "[\n    {\n        \"app\": \"many\",\n        \"tier\": \"front\"\n    }\n]\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "[{}\\[\\]().*?@$'\"\\\\:,<>=!~ a-c0-3\\-é\n]{0,40}", inner in "[.\\[\\]*?()@'\"=<>:,0-9a-z \\-]{0,30}") {
            for template in [text.clone(), format!("{{{text}}}"), format!("{{.spec.ports{inner}}}"), format!("{{range .spec{inner}}}{{.name}}{{end}}")] {
                let _ = run(&template);
                let _ = relaxed(&template);
            }
        }
    }

    #[test]
    fn descents_are_bounded() {
        let deep = format!("{{{}}}", "...*".repeat(40));
        let mut value = service();
        for _ in 0..12 {
            value = crate::obj! { "a": value.clone(), "b": value };
        }
        let path = JsonPath::parse(&deep).unwrap().allow_missing_keys(true);
        assert!(path.find(&value).is_err());
    }

    #[test]
    fn relaxed_forms() {
        for form in ["metadata.name", ".metadata.name", "{metadata.name}", "{.metadata.name}"] {
            assert_eq!(relaxed(form).unwrap(), "{.metadata.name}");
        }
        assert_eq!(relaxed("").unwrap(), "");
        assert!(relaxed("{.a}{.b}").is_err());
        assert!(relaxed("{}").is_err());
    }
}
