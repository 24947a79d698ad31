//! Tokens to a tree, with the sentences of Go's template parser.

use std::fmt;
use std::rc::Rc;

use super::TemplateError;
use super::funcs;
use super::lex::{self, Kind, Token};
use crate::flat::FlatMap;
use crate::kubectl::print::jsonpath::unescape;
use crate::limits;
use crate::value::{float, gofmt};

/// A template's parts by name; the main one has the name it was parsed under.
pub(super) type Templates = FlatMap<String, Rc<Vec<Node>>>;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: usize,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Text(String),
    Action(Box<Node>),
    Branch {
        word: &'static str,
        pipe: Box<Node>,
        list: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Template {
        name: String,
        pipe: Option<Box<Node>>,
    },
    Break,
    Continue,
    Pipe {
        assign: bool,
        variables: Vec<String>,
        commands: Vec<Node>,
    },
    Command(Vec<Node>),
    Identifier(String),
    Dot,
    Nil,
    Field(Vec<String>),
    Chain(Box<Node>, Vec<String>),
    /// The variable's name with its `$`, then fields.
    Variable(Vec<String>),
    Bool(bool),
    Number {
        text: String,
        int: Option<i64>,
        float: f64,
    },
    Text2 {
        quoted: String,
        text: String,
    },
    End,
    Else,
}

/// As Go's parser writes a node back.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, names: &[String]| names.iter().try_for_each(|n| write!(f, ".{n}"));
        match &self.body {
            Body::Text(text) => write!(f, "{}", gofmt::quote(text)),
            Body::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            Body::Branch { word, pipe, .. } => write!(f, "{{{{{word} {pipe}}}}}"),
            Body::Template { name, pipe: None } => write!(f, "{{{{template {}}}}}", gofmt::quote(name)),
            Body::Template { name, pipe: Some(pipe) } => write!(f, "{{{{template {} {pipe}}}}}", gofmt::quote(name)),
            Body::Break => f.write_str("{{break}}"),
            Body::Continue => f.write_str("{{continue}}"),
            Body::End => f.write_str("{{end}}"),
            Body::Else => f.write_str("{{else}}"),
            Body::Pipe {
                assign,
                variables,
                commands,
            } => {
                if !variables.is_empty() {
                    write!(f, "{} {} ", variables.join(", "), if *assign { "=" } else { ":=" })?;
                }
                for (i, command) in commands.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" | ")?;
                    }
                    write!(f, "{command}")?;
                }
                Ok(())
            }
            Body::Command(args) => {
                for (i, arg) in args.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    match arg.body {
                        Body::Pipe { .. } => write!(f, "({arg})")?,
                        _ => write!(f, "{arg}")?,
                    }
                }
                Ok(())
            }
            Body::Identifier(name) => f.write_str(name),
            Body::Dot => f.write_str("."),
            Body::Nil => f.write_str("nil"),
            Body::Field(names) => fields(f, names),
            Body::Chain(node, names) => {
                match node.body {
                    Body::Pipe { .. } => write!(f, "({node})")?,
                    _ => write!(f, "{node}")?,
                }
                fields(f, names)
            }
            Body::Variable(names) => f.write_str(&names.join(".")),
            Body::Bool(b) => write!(f, "{b}"),
            Body::Number { text, .. } => f.write_str(text),
            Body::Text2 { quoted, .. } => f.write_str(quoted),
        }
    }
}

/// Parses a template and all that it defines.
pub(super) fn parse(name: &str, text: &str) -> Result<Templates, TemplateError> {
    let mut parser = Parser {
        name,
        tokens: lex::tokens(text),
        next: 0,
        variables: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
        action_line: 0,
        templates: Templates::new(),
    };
    let mut nodes = Vec::new();
    while parser.peek().kind != Kind::Eof {
        if parser.peek().kind == Kind::LeftDelim && parser.peek_at(1).is("define") {
            parser.take();
            parser.take();
            parser.definition()?;
            continue;
        }
        // A definition may stand after blanks inside the braces too.
        let blank = parser.peek_at(1).kind == Kind::Space && parser.peek_at(2).is("define");
        if parser.peek().kind == Kind::LeftDelim && blank {
            parser.take();
            parser.take();
            parser.take();
            parser.definition()?;
            continue;
        }
        let node = parser.text_or_action()?;
        if matches!(node.body, Body::End | Body::Else) {
            return parser.error(format!("unexpected {node}"));
        }
        nodes.push(node);
    }
    let mut templates = parser.templates;
    templates.insert(name.to_owned(), Rc::new(nodes));
    Ok(templates)
}

struct Parser<'t> {
    name: &'t str,
    tokens: Vec<Token>,
    next: usize,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    action_line: usize,
    templates: Templates,
}

type Parsed<T> = Result<T, TemplateError>;

impl Parser<'_> {
    fn peek_at(&self, ahead: usize) -> Token {
        // The last token, an end or an error, is never taken away.
        let last = self.tokens.len().saturating_sub(1);
        self.tokens
            .get((self.next + ahead).min(last))
            .cloned()
            .unwrap_or(Token {
                kind: Kind::Eof,
                at: 0,
                text: String::new(),
                line: 1,
            })
    }

    fn peek(&self) -> Token {
        self.peek_at(0)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn back(&mut self) {
        self.next -= 1;
    }

    fn skip_spaces(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn peek_word(&mut self) -> Token {
        self.skip_spaces();
        self.peek()
    }

    fn take_word(&mut self) -> Token {
        self.skip_spaces();
        self.take()
    }

    fn error<T>(&self, message: impl fmt::Display) -> Parsed<T> {
        let last = self.tokens.len().saturating_sub(1);
        let line = self
            .tokens
            .get(self.next.saturating_sub(1).min(last))
            .map_or(1, |t| t.line);
        Err(TemplateError(format!("template: {}:{line}: {message}", self.name)))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind == Kind::Error {
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != token.line {
                extra = format!(" in action started at {}:{}", self.name, self.action_line);
                if token.text.ends_with(" action") {
                    extra = extra.replacen(" in action", "", 1);
                }
            }
            return self.error(format!("{}{extra}", token.text));
        }
        self.error(format!("unexpected {} in {context}", token.describe()))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.take_word();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > limits::TEMPLATE_DEPTH {
            return self.error("the template is nested too deeply");
        }
        Ok(())
    }

    fn text_or_action(&mut self) -> Parsed<Node> {
        let token = self.take_word();
        match token.kind {
            Kind::Text => Ok(Node {
                at: token.at,
                body: Body::Text(token.text),
            }),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let node = self.action()?;
                self.action_line = 0;
                Ok(node)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    /// Nodes up to an `end` or `else`, which is returned with them.
    fn list(&mut self) -> Parsed<(Vec<Node>, Node)> {
        self.deeper()?;
        let mut nodes = Vec::new();
        while self.peek_word().kind != Kind::Eof {
            let node = self.text_or_action()?;
            if matches!(node.body, Body::End | Body::Else) {
                self.depth -= 1;
                return Ok((nodes, node));
            }
            nodes.push(node);
        }
        self.take();
        self.error("unexpected EOF")
    }

    fn action(&mut self) -> Parsed<Node> {
        let token = self.take_word();
        let at = token.at;
        if token.kind == Kind::Keyword {
            match token.text.as_str() {
                "block" => return self.block(at),
                word @ ("break" | "continue") => {
                    let body = if word == "break" { Body::Break } else { Body::Continue };
                    let end = self.take_word();
                    if end.kind != Kind::RightDelim {
                        return self.unexpected(&end, &format!("{{{{{word}}}}}"));
                    }
                    if self.ranges == 0 {
                        return self.error(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                    }
                    return Ok(Node { at, body });
                }
                "else" => {
                    let next = self.peek_word();
                    if next.is("if") || next.is("with") {
                        return Ok(Node {
                            at: next.at,
                            body: Body::Else,
                        });
                    }
                    self.expect(Kind::RightDelim, "else")?;
                    return Ok(Node { at, body: Body::Else });
                }
                "end" => {
                    self.expect(Kind::RightDelim, "end")?;
                    return Ok(Node { at, body: Body::End });
                }
                "if" => return self.branch("if"),
                "range" => return self.branch("range"),
                "with" => return self.branch("with"),
                "template" => {
                    let (name, at) = self.name("template clause")?;
                    let pipe = if self.take_word().kind == Kind::RightDelim {
                        None
                    } else {
                        self.back();
                        Some(Box::new(self.pipeline("template clause", Kind::RightDelim)?))
                    };
                    return Ok(Node {
                        at,
                        body: Body::Template { name, pipe },
                    });
                }
                _ => {}
            }
        }
        self.back();
        let at = self.peek().at;
        let pipe = self.pipeline("command", Kind::RightDelim)?;
        Ok(Node {
            at,
            body: Body::Action(Box::new(pipe)),
        })
    }

    fn name(&mut self, context: &str) -> Parsed<(String, usize)> {
        let token = self.take_word();
        match token.kind {
            Kind::String | Kind::RawString => Ok((self.string(&token)?, token.at)),
            _ => self.unexpected(&token, context),
        }
    }

    fn string(&self, token: &Token) -> Parsed<String> {
        let inner = token
            .text
            .get(1..token.text.len().saturating_sub(1))
            .unwrap_or_default();
        if token.kind == Kind::RawString {
            return Ok(inner.replace('\r', ""));
        }
        match unescape(inner, '"') {
            Some(text) => Ok(text),
            None => self.error("invalid syntax"),
        }
    }

    fn branch(&mut self, word: &'static str) -> Parsed<Node> {
        let variables = self.variables.len();
        let pipe = self.pipeline(word, Kind::RightDelim)?;
        self.ranges += usize::from(word == "range");
        let (list, mut next) = self.list()?;
        self.ranges -= usize::from(word == "range");
        let mut otherwise = Vec::new();
        if matches!(next.body, Body::Else) {
            let chained = self.peek();
            let chained = match chained.text.as_str() {
                "if" if chained.kind == Kind::Keyword && word == "if" => Some("if"),
                "with" if chained.kind == Kind::Keyword && word == "with" => Some("with"),
                _ => None,
            };
            if let Some(inner) = chained {
                self.take();
                self.deeper()?;
                otherwise.push(self.branch(inner)?);
                self.depth -= 1;
            } else {
                (otherwise, next) = self.list()?;
                if !matches!(next.body, Body::End) {
                    return self.error(format!("expected end; found {next}"));
                }
            }
        }
        self.variables.truncate(variables);
        let at = pipe.at;
        Ok(Node {
            at,
            body: Body::Branch {
                word,
                pipe: Box::new(pipe),
                list,
                otherwise,
            },
        })
    }

    fn definition(&mut self) -> Parsed<()> {
        let (name, _) = self.name("define clause")?;
        self.expect(Kind::RightDelim, "define clause")?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (list, end) = self.list()?;
        self.variables = outer;
        self.ranges = ranges;
        if !matches!(end.body, Body::End) {
            return self.error(format!("unexpected {end} in define clause"));
        }
        self.templates.insert(name, Rc::new(list));
        Ok(())
    }

    fn block(&mut self, _: usize) -> Parsed<Node> {
        let (name, at) = self.name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (list, end) = self.list()?;
        self.variables = outer;
        self.ranges = ranges;
        if !matches!(end.body, Body::End) {
            return self.error(format!("unexpected {end} in block clause"));
        }
        self.templates.insert(name.clone(), Rc::new(list));
        Ok(Node {
            at,
            body: Body::Template {
                name,
                pipe: Some(Box::new(pipe)),
            },
        })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Node> {
        self.deeper()?;
        let at = self.peek_word().at;
        let mut assign = false;
        let mut variables = Vec::new();
        let mut commands: Vec<Node> = Vec::new();
        while self.peek_word().kind == Kind::Variable {
            let start = self.next;
            let variable = self.take();
            let next = self.take_word();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    assign = next.kind == Kind::Assign;
                    variables.push(variable.text.clone());
                    self.variables.push(variable.text);
                }
                Kind::Char if next.text == "," => {
                    variables.push(variable.text.clone());
                    self.variables.push(variable.text);
                    if context == "range" && variables.len() < 2 {
                        match self.peek_word().kind {
                            Kind::Variable | Kind::RightDelim | Kind::RightParen => continue,
                            _ => return self.error("range can only initialize variables"),
                        }
                    }
                    return self.error(format!("too many declarations in {context}"));
                }
                _ => self.next = start,
            }
            break;
        }
        loop {
            let token = self.take_word();
            match token.kind {
                kind if kind == end => {
                    if commands.is_empty() {
                        return self.error(format!("missing value for {context}"));
                    }
                    for (i, command) in commands.iter().enumerate().skip(1) {
                        let Body::Command(args) = &command.body else { continue };
                        if let Some(Body::Bool(_) | Body::Dot | Body::Nil | Body::Number { .. } | Body::Text2 { .. }) =
                            args.first().map(|a| &a.body)
                        {
                            return self.error(format!("non executable command in pipeline stage {}", i + 1));
                        }
                    }
                    self.depth -= 1;
                    return Ok(Node {
                        at,
                        body: Body::Pipe {
                            assign,
                            variables,
                            commands,
                        },
                    });
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back();
                    commands.push(self.command()?);
                    // After a pipe there must be another command.
                    let before = self.tokens.get(self.next.saturating_sub(1)).map(|t| t.kind);
                    if before == Some(Kind::Pipe) && self.peek_word().kind == end {
                        self.take();
                        return self.error(format!("missing value for {context}"));
                    }
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    fn command(&mut self) -> Parsed<Node> {
        let at = self.peek_word().at;
        let mut args = Vec::new();
        loop {
            self.skip_spaces();
            args.extend(self.operand()?);
            let token = self.take();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if args.is_empty() {
            return self.error("empty command");
        }
        Ok(Node {
            at,
            body: Body::Command(args),
        })
    }

    fn operand(&mut self) -> Parsed<Option<Node>> {
        let Some(node) = self.term()? else { return Ok(None) };
        let at = self.peek().at;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.take().text.trim_start_matches('.').to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(node));
        }
        let body = match node.body {
            Body::Field(mut names) => {
                names.append(&mut fields);
                Body::Field(names)
            }
            Body::Variable(mut names) => {
                names.append(&mut fields);
                Body::Variable(names)
            }
            Body::Bool(_) | Body::Text2 { .. } | Body::Number { .. } | Body::Nil | Body::Dot => {
                return self.error(format!("unexpected . after term {}", gofmt::quote(&node.to_string())));
            }
            _ => Body::Chain(Box::new(node), fields),
        };
        Ok(Some(Node { at, body }))
    }

    fn term(&mut self) -> Parsed<Option<Node>> {
        let token = self.take_word();
        let body = match token.kind {
            Kind::Identifier => {
                if !funcs::exists(&token.text) {
                    return self.error(format!("function {} not defined", gofmt::quote(&token.text)));
                }
                Body::Identifier(token.text)
            }
            Kind::Dot => Body::Dot,
            Kind::Nil => Body::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return self.error(format!("undefined variable {}", gofmt::quote(&token.text)));
                }
                Body::Variable(vec![token.text])
            }
            Kind::Field => Body::Field(vec![token.text.trim_start_matches('.').to_owned()]),
            Kind::Bool => Body::Bool(token.text == "true"),
            Kind::CharConstant => {
                let inner = token
                    .text
                    .get(1..token.text.len().saturating_sub(1))
                    .unwrap_or_default();
                let mut chars = unescape(inner, '\'').unwrap_or_default();
                let (Some(c), true) = (chars.pop(), chars.is_empty()) else {
                    return self.error(format!("malformed character constant: {}", token.text));
                };
                Body::Number {
                    text: token.text,
                    int: Some(i64::from(c as u32)),
                    float: f64::from(c as u32),
                }
            }
            Kind::Number => match number(&token.text) {
                Some((int, float)) => Body::Number {
                    text: token.text,
                    int,
                    float,
                },
                None => return self.error(format!("illegal number syntax: {}", gofmt::quote(&token.text))),
            },
            Kind::LeftParen => {
                return Ok(Some(self.pipeline("parenthesized pipeline", Kind::RightParen)?));
            }
            Kind::String | Kind::RawString => Body::Text2 {
                text: self.string(&token)?,
                quoted: token.text,
            },
            _ => {
                self.back();
                return Ok(None);
            }
        };
        Ok(Some(Node { at: token.at, body }))
    }
}

/// A constant: whole when it is written so or has no fraction.
fn number(text: &str) -> Option<(Option<i64>, f64)> {
    let bare = text.replace('_', "");
    let (sign, digits) = match bare.strip_prefix('-') {
        Some(rest) => (-1, rest.to_owned()),
        None => (1, bare.trim_start_matches('+').to_owned()),
    };
    let lower = digits.to_ascii_lowercase();
    let whole = match lower.get(..2) {
        Some("0x") => i64::from_str_radix(lower.get(2..)?, 16).ok(),
        Some("0o") => i64::from_str_radix(lower.get(2..)?, 8).ok(),
        Some("0b") => i64::from_str_radix(lower.get(2..)?, 2).ok(),
        _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) => {
            i64::from_str_radix(&lower, 8).ok()
        }
        _ => lower.parse().ok(),
    };
    if let Some(whole) = whole {
        return Some((Some(sign * whole), (sign * whole) as f64));
    }
    let float = float::parse(&lower)? * sign as f64;
    // `1e3` counts as whole, `1.0` too.
    let int = (float.fract() == 0.0 && float.abs() < 9e18).then_some(float as i64);
    Some((int, float))
}

/// Whether a number's text is that of a float (Go then takes it for one).
pub(super) fn is_float(text: &str) -> bool {
    let hex = text
        .trim_start_matches(['+', '-'])
        .to_ascii_lowercase()
        .starts_with("0x");
    !hex && text.contains(['.', 'e', 'E'])
}
