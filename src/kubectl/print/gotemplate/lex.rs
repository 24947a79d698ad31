//! A template's text as tokens.

use super::TemplateError;
use crate::value::gofmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    /// A printable character without a meaning of its own; of them only the comma is used.
    Char,
    CharConstant,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Nil,
    Keyword,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub at: usize,
    pub text: String,
    pub line: usize,
}

impl Token {
    /// As Go's parser names it in its sentences.
    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.clone(),
            Kind::Keyword | Kind::Nil | Kind::Dot => format!("<{}>", self.text),
            _ if self.text.chars().count() > 10 => {
                format!("{}...", gofmt::quote(&self.text.chars().take(10).collect::<String>()))
            }
            _ => gofmt::quote(&self.text),
        }
    }

    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Keyword && self.text == keyword
    }
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    parens: usize,
    tokens: Vec<Token>,
}

/// All tokens; what cannot be read ends them as a token of an error.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        parens: 0,
        tokens: Vec::new(),
    };
    if let Err(TemplateError(message)) = lexer.run() {
        let at = lexer.at;
        lexer.push_text(Kind::Error, at, message);
    }
    lexer.tokens
}

fn fail<T>(message: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError(message.into()))
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

pub(super) fn named(c: char) -> String {
    if gofmt::printable(c) {
        format!("U+{:04X} '{c}'", c as u32)
    } else {
        format!("U+{:04X}", c as u32)
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push_text(&mut self, kind: Kind, at: usize, text: String) {
        let line = 1 + self.text.get(..at).map_or(0, |t| t.matches('\n').count());
        self.tokens.push(Token { kind, at, text, line });
    }

    fn push(&mut self, kind: Kind, from: usize) {
        let text = self.text.get(from..self.at).unwrap_or_default().to_owned();
        self.push_text(kind, from, text);
    }

    fn run(&mut self) -> Result<(), TemplateError> {
        loop {
            let start = self.at;
            let Some(open) = self.rest().find("{{") else {
                self.at = self.text.len();
                if self.at > start {
                    self.push(Kind::Text, start);
                }
                self.push(Kind::Eof, self.at);
                return Ok(());
            };
            let inside = start + open + 2;
            let after = self.text.get(inside..).unwrap_or_default();
            let trims = after.starts_with('-') && after.get(1..).is_some_and(|a| a.starts_with(SPACES));
            let mut text = self.text.get(start..start + open).unwrap_or_default();
            if trims {
                text = text.trim_end_matches(SPACES);
            }
            let text = text.to_owned();
            if !text.is_empty() {
                self.push_text(Kind::Text, start, text);
            }
            let open_at = start + open;
            self.at = if trims { inside + 2 } else { inside };
            if self.rest().starts_with("/*") {
                self.comment()?;
                continue;
            }
            self.push_text(Kind::LeftDelim, open_at, "{{".to_owned());
            self.parens = 0;
            self.action()?;
        }
    }

    fn comment(&mut self) -> Result<(), TemplateError> {
        let Some(end) = self.rest().find("*/") else {
            return fail("unclosed comment");
        };
        self.at += end + 2;
        match self.right_delim() {
            None => fail("comment ends before closing delimiter"),
            Some(length) => {
                self.close(length);
                Ok(())
            }
        }
    }

    /// The length of a right delimiter that stands here, its trim marker included.
    fn right_delim(&self) -> Option<usize> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some(2);
        }
        let marked = rest.strip_prefix(SPACES)?.strip_prefix('-')?;
        marked.starts_with("}}").then_some(4)
    }

    fn close(&mut self, length: usize) {
        self.at += length;
        if length > 2 {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(SPACES).len();
        }
    }

    fn action(&mut self) -> Result<(), TemplateError> {
        loop {
            if let Some(length) = self.right_delim() {
                if self.parens > 0 {
                    return fail("unclosed left paren");
                }
                let at = self.at + length - 2;
                self.push_text(Kind::RightDelim, at, "}}".to_owned());
                self.close(length);
                return Ok(());
            }
            let start = self.at;
            let Some(c) = self.peek() else {
                return fail("unclosed action");
            };
            self.at += c.len_utf8();
            match c {
                _ if SPACES.contains(&c) => {
                    while self.peek().is_some_and(|c| SPACES.contains(&c)) && self.right_delim().is_none() {
                        self.at += 1;
                    }
                    self.push(Kind::Space, start);
                }
                '=' => self.push(Kind::Assign, start),
                ':' => {
                    if self.peek() != Some('=') {
                        return fail("expected :=");
                    }
                    self.at += 1;
                    self.push(Kind::Declare, start);
                }
                '|' => self.push(Kind::Pipe, start),
                '"' => self.quoted(start)?,
                '`' => {
                    let Some(end) = self.rest().find('`') else {
                        return fail("unterminated raw quoted string");
                    };
                    self.at += end + 1;
                    self.push(Kind::RawString, start);
                }
                '$' => self.word(start, Kind::Variable)?,
                '\'' => {
                    loop {
                        match self.peek() {
                            Some('\\') => {
                                self.at += 1;
                                match self.peek() {
                                    None | Some('\n') => return fail("unterminated character constant"),
                                    Some(c) => self.at += c.len_utf8(),
                                }
                            }
                            None | Some('\n') => return fail("unterminated character constant"),
                            Some('\'') => {
                                self.at += 1;
                                break;
                            }
                            Some(c) => self.at += c.len_utf8(),
                        }
                    }
                    self.push(Kind::CharConstant, start);
                }
                '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.word(start, Kind::Field)?,
                '.' | '+' | '-' | '0'..='9' => {
                    self.at = start;
                    self.number()?;
                }
                _ if is_alphanumeric(c) => self.word(start, Kind::Identifier)?,
                '(' => {
                    self.push(Kind::LeftParen, start);
                    self.parens += 1;
                }
                ')' => {
                    if self.parens == 0 {
                        return fail("unexpected right paren");
                    }
                    self.push(Kind::RightParen, start);
                    self.parens -= 1;
                }
                ',' => self.push(Kind::Char, start),
                _ => return fail(format!("unrecognized character in action: {}", named(c))),
            }
        }
    }

    fn quoted(&mut self, start: usize) -> Result<(), TemplateError> {
        loop {
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        None | Some('\n') => return fail("unterminated quoted string"),
                        Some(c) => self.at += c.len_utf8(),
                    }
                }
                None | Some('\n') => return fail("unterminated quoted string"),
                Some('"') => {
                    self.at += 1;
                    self.push(Kind::String, start);
                    return Ok(());
                }
                Some(c) => self.at += c.len_utf8(),
            }
        }
    }

    fn at_terminator(&self) -> bool {
        self.peek()
            .is_none_or(|c| SPACES.contains(&c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('))
            || self.right_delim().is_some()
    }

    /// A field, a variable, a keyword or the name of a function.
    fn word(&mut self, start: usize, kind: Kind) -> Result<(), TemplateError> {
        if kind == Kind::Field && self.at_terminator() {
            self.push(Kind::Dot, start);
            return Ok(());
        }
        while let Some(c) = self.peek().filter(|c| is_alphanumeric(*c)) {
            self.at += c.len_utf8();
        }
        if !self.at_terminator() {
            return fail(format!("bad character {}", self.peek().map_or_else(String::new, named)));
        }
        let kind = match (kind, self.text.get(start..self.at).unwrap_or_default()) {
            (Kind::Identifier, "true" | "false") => Kind::Bool,
            (Kind::Identifier, "nil") => Kind::Nil,
            (
                Kind::Identifier,
                "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "range" | "template" | "with",
            ) => Kind::Keyword,
            (kind, _) => kind,
        };
        self.push(kind, start);
        Ok(())
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        if matches!(self.peek(), Some('+' | '-')) {
            self.at += 1;
        }
        let lower = self.rest().get(..2).map(str::to_ascii_lowercase);
        let base = match lower.as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        if base != 10 {
            self.at += 2;
        }
        let skip_digits = |lexer: &mut Self| {
            while lexer.peek().is_some_and(|c| c == '_' || c.is_digit(base)) {
                lexer.at += 1;
            }
        };
        skip_digits(self);
        if self.peek() == Some('.') {
            self.at += 1;
            skip_digits(self);
        }
        if base == 10 && matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            skip_digits(self);
        }
        if let Some(c) = self.peek().filter(|c| is_alphanumeric(*c)) {
            self.at += c.len_utf8();
            let text = self.text.get(start..self.at).unwrap_or_default();
            return fail(format!("bad number syntax: {}", gofmt::quote(text)));
        }
        self.push(Kind::Number, start);
        Ok(())
    }
}
