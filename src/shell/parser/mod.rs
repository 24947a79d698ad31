//! The parser: bash's grammar by recursive descent over characters, one complete command at a time,
//! as bash reads its input. Errors read as bash words them. Knows nothing of running.

mod compound;
mod conditional;
mod simple;
mod words;

use std::cell::RefCell;
use std::rc::Rc;

use super::syntax::*;
use crate::flat::FlatMap;
use crate::limits;

/// A syntax error, with the line of the source it is on (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub kind: SyntaxErrorKind,
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SyntaxErrorKind {
    /// A token that cannot stand there, and the source line it is on.
    Unexpected(String, String),
    /// The source ended inside a command.
    Eof,
    /// The source ended inside quotes or brackets.
    Matching(char),
    /// Something else, in bash's own words.
    Other(String),
}

impl SyntaxError {
    /// Whether more source could complete the command: the editor then asks for another line.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.kind, SyntaxErrorKind::Eof | SyntaxErrorKind::Matching(_))
    }

    /// The lines that bash prints, without its prefix.
    pub fn lines(&self) -> Vec<String> {
        match &self.kind {
            SyntaxErrorKind::Unexpected(token, line) => vec![
                format!("syntax error near unexpected token `{token}'"),
                format!("`{line}'"),
            ],
            SyntaxErrorKind::Eof => vec!["syntax error: unexpected end of file".to_owned()],
            SyntaxErrorKind::Matching(c) => vec![format!("unexpected EOF while looking for matching `{c}'")],
            SyntaxErrorKind::Other(text) => text.lines().map(str::to_owned).collect(),
        }
    }
}

type Result<T> = std::result::Result<T, SyntaxError>;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word,
    Op(&'static str),
    /// Digits right before a redirection.
    Number(i32),
    Newline,
    Eof,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Word,
    /// The right side of `=~`: brackets and bars are text.
    Regex,
    Double,
    /// Inside `${…}`; the flag says that it stands in double quotes.
    Brace(bool),
    /// `${x/pattern/…}`: also ends at a slash.
    Pattern(bool),
    Here,
    Arith,
    /// A subscript: ends at `]`.
    Subscript,
}

const OPERATORS: &[&str] = &[
    "&>>", "<<<", "<<-", ";;&", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "|&", "&", ";", "|",
    "<", ">", "(", ")",
];

const RESERVED: &[&str] = &[
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "select", "function",
    "{", "}", "!", "[[", "]]", "time", "in",
];

/// Words that end the list inside a compound command.
const CLOSERS: &[&str] = &["then", "else", "elif", "fi", "do", "done", "esac", "}"];
const DECLARERS: &[&str] = &["export", "declare", "typeset", "local", "readonly", "alias"];

pub(super) struct Parser {
    src: Vec<char>,
    pos: usize,
    line: usize,
    depth: usize,
    aliases: Option<Rc<FlatMap<String, String>>>,
    /// Aliases being expanded, each with how much source was left behind its text.
    expanding: Vec<(String, usize)>,
    pending: Vec<Rc<RefCell<HereDoc>>>,
    /// Here-documents that the end of the source cut short: the line of the end, of the start, and
    /// the delimiter.
    pub cut_short: Vec<(usize, usize, String)>,
}

impl Parser {
    pub fn new(source: &str) -> Parser {
        let mut src: Vec<char> = source.chars().collect();
        if src.last() != Some(&'\n') {
            src.push('\n');
        }
        Parser {
            src,
            pos: 0,
            line: 1,
            depth: 0,
            aliases: None,
            expanding: Vec::new(),
            pending: Vec::new(),
            cut_short: Vec::new(),
        }
    }

    /// Starts counting lines at `line`.
    pub fn at_line(mut self, line: usize) -> Parser {
        self.line = line;
        self
    }

    /// Expands these aliases from now on.
    pub fn set_aliases(&mut self, aliases: Option<Rc<FlatMap<String, String>>>) {
        self.aliases = aliases;
    }

    /// The next complete command (up to the end of its line); `None` at the end of the source.
    pub fn next_command(&mut self) -> Result<Option<List>> {
        loop {
            self.skip_blank();
            match self.peek()? {
                Token::Newline => self.newline(),
                Token::Eof => return Ok(None),
                _ => break,
            }
        }
        let list = self.line_list()?;
        Ok(Some(list))
    }

    /// Whether nothing is left of the source.
    pub fn is_at_end(&self) -> bool {
        self.pos >= self.src.len()
    }

    // Characters.

    fn at(&self, ahead: usize) -> Option<char> {
        self.src.get(self.pos + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.at(0)?;
        self.pos += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.at(i) == Some(c))
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.src.get(from..to).unwrap_or_default().iter().collect()
    }

    fn error(&self, kind: SyntaxErrorKind) -> SyntaxError {
        SyntaxError { kind, line: self.line }
    }

    fn matching(&self, c: char, line: usize) -> SyntaxError {
        SyntaxError {
            kind: SyntaxErrorKind::Matching(c),
            line,
        }
    }

    fn other(&self, text: String) -> SyntaxError {
        self.error(SyntaxErrorKind::Other(text))
    }

    fn current_line(&self) -> String {
        let start = self
            .src
            .get(..self.pos)
            .unwrap_or_default()
            .iter()
            .rposition(|c| *c == '\n')
            .map_or(0, |i| i + 1);
        let end = (start..self.src.len())
            .find(|i| self.src.get(*i) == Some(&'\n'))
            .unwrap_or(self.src.len());
        self.text(start, end)
    }

    /// The error of the token that stands here.
    fn unexpected(&mut self) -> SyntaxError {
        self.skip_blank();
        let start = self.pos;
        let line = self.line;
        let token = match self.peek() {
            Err(e) => return e,
            Ok(t) => t,
        };
        let text = match token {
            Token::Eof => return self.error(SyntaxErrorKind::Eof),
            Token::Newline => "newline".to_owned(),
            Token::Op(op) => op.to_owned(),
            Token::Number(n) => n.to_string(),
            Token::Word => match self.word(Mode::Word) {
                Ok(word) => word.raw,
                Err(e) => return e,
            },
        };
        self.pos = start;
        self.line = line;
        let source = self.current_line();
        SyntaxError {
            kind: SyntaxErrorKind::Unexpected(text, source),
            line,
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > limits::SHELL_DEPTH {
            return Err(self.other(format!(
                "commands are nested more than {} levels deep",
                limits::SHELL_DEPTH
            )));
        }
        Ok(())
    }

    fn skip_blank(&mut self) {
        loop {
            match self.at(0) {
                Some(' ' | '\t') => self.pos += 1,
                Some('\\') if self.at(1) == Some('\n') => {
                    self.pos += 2;
                    self.line += 1;
                }
                Some('#') => {
                    while !matches!(self.at(0), None | Some('\n')) {
                        self.pos += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// What stands here (after blanks); nothing is consumed but the blanks.
    fn peek(&mut self) -> Result<Token> {
        self.skip_blank();
        let Some(c) = self.at(0) else { return Ok(Token::Eof) };
        if c == '\n' {
            return Ok(Token::Newline);
        }
        if c.is_ascii_digit() {
            let mut n = 1;
            while self.at(n).is_some_and(|c| c.is_ascii_digit()) {
                n += 1;
            }
            if matches!(self.at(n), Some('<' | '>'))
                && self.at(n + 1) != Some('(')
                && let Ok(number) = self.text(self.pos, self.pos + n).parse()
            {
                return Ok(Token::Number(number));
            }
        }
        if (c == '<' || c == '>') && self.at(1) == Some('(') {
            return Ok(Token::Word);
        }
        for op in OPERATORS {
            if self.starts_with(op) {
                return Ok(Token::Op(op));
            }
        }
        Ok(Token::Word)
    }

    fn newline(&mut self) {
        self.bump();
        let pending = std::mem::take(&mut self.pending);
        for here in pending {
            self.here_body(&here);
        }
    }

    fn here_body(&mut self, here: &Rc<RefCell<HereDoc>>) {
        let (delimiter, strip, quoted) = {
            let h = here.borrow();
            (h.delimiter.clone(), h.strip_tabs, h.quoted)
        };
        let first_line = self.line;
        let mut body = String::new();
        loop {
            if self.is_at_end() {
                self.cut_short.push((
                    self.line.saturating_sub(1).max(1),
                    first_line.saturating_sub(1).max(1),
                    delimiter.clone(),
                ));
                break;
            }
            let start = self.pos;
            while !matches!(self.at(0), None | Some('\n')) {
                self.pos += 1;
            }
            let mut text = self.text(start, self.pos);
            self.bump();
            if strip {
                text = text.trim_start_matches('\t').to_owned();
            }
            if text == delimiter {
                break;
            }
            body.push_str(&text);
            body.push('\n');
        }
        let parts = if quoted {
            vec![Part::Quoted(body)]
        } else {
            let mut inner = Parser::new("").at_line(first_line);
            inner.src = body.chars().collect();
            inner.depth = self.depth;
            // An unclosed `$(` in a body is text to bash's reader; it fails when expanded.
            inner
                .parts(Mode::Here)
                .unwrap_or_else(|e| vec![Part::Bad(e.lines().join("\n"))])
        };
        here.borrow_mut().body = parts;
    }

    fn newlines(&mut self) -> Result<()> {
        while self.peek()? == Token::Newline {
            self.newline();
        }
        Ok(())
    }

    /// The word that stands here when it is plain text: for reserved words.
    fn plain_word(&mut self) -> Result<Option<String>> {
        if self.peek()? != Token::Word {
            return Ok(None);
        }
        let mut n = 0;
        while let Some(c) = self.at(n) {
            if c.is_whitespace() || ";&|<>()".contains(c) {
                break;
            }
            if "\\'\"$`".contains(c) {
                return Ok(None);
            }
            n += 1;
        }
        Ok(Some(self.text(self.pos, self.pos + n)))
    }

    fn at_reserved(&mut self, word: &str) -> Result<bool> {
        Ok(self.plain_word()?.as_deref() == Some(word))
    }

    fn eat_reserved(&mut self, word: &str) -> Result<()> {
        if self.at_reserved(word)? {
            self.pos += word.chars().count();
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn eat_op(&mut self, op: &'static str) -> Result<()> {
        if self.peek()? == Token::Op(op) {
            self.pos += op.len();
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    // Lists.

    /// A list up to the end of the line: one complete command.
    fn line_list(&mut self) -> Result<List> {
        let mut items = Vec::new();
        loop {
            let chain = self.chain()?;
            let separator = self.separator()?;
            let background = separator == Some("&");
            items.push(Item { chain, background });
            if matches!(self.peek()?, Token::Newline | Token::Eof) {
                break;
            }
            if separator.is_none() {
                return Err(self.unexpected());
            }
        }
        if self.peek()? == Token::Newline {
            self.newline();
        }
        Ok(Rc::new(items))
    }

    /// A list inside a compound command: up to a closing word, `)`, `;;` or the end. At least one
    /// command, unless `may_be_empty`.
    fn inner_list(&mut self, may_be_empty: bool) -> Result<List> {
        self.enter()?;
        let mut items = Vec::new();
        self.newlines()?;
        while !self.at_list_end()? {
            let chain = self.chain()?;
            let separator = self.separator()?;
            let background = separator == Some("&");
            items.push(Item { chain, background });
            if separator.is_none() && self.peek()? != Token::Newline {
                break;
            }
            self.newlines()?;
        }
        if items.is_empty() && !may_be_empty {
            return Err(self.unexpected());
        }
        self.depth -= 1;
        Ok(Rc::new(items))
    }

    /// Takes the `&` or `;` after a command, if one stands there.
    fn separator(&mut self) -> Result<Option<&'static str>> {
        let Token::Op(op @ ("&" | ";")) = self.peek()? else {
            return Ok(None);
        };
        self.pos += 1;
        Ok(Some(op))
    }

    fn at_list_end(&mut self) -> Result<bool> {
        Ok(match self.peek()? {
            Token::Eof | Token::Op(")" | ";;" | ";&" | ";;&") => true,
            Token::Word => self.plain_word()?.is_some_and(|w| CLOSERS.contains(&w.as_str())),
            _ => false,
        })
    }

    fn chain(&mut self) -> Result<Rc<Chain>> {
        self.skip_blank();
        let start = self.pos;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let joint = match self.peek()? {
                Token::Op("&&") => Joint::And,
                Token::Op("||") => Joint::Or,
                _ => break,
            };
            self.pos += 2;
            self.newlines()?;
            rest.push((joint, self.pipeline()?));
        }
        let text = self.text(start, self.pos).trim_end().to_owned();
        Ok(Rc::new(Chain { first, rest, text }))
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        let mut negate = false;
        let mut timed = None;
        loop {
            if self.at_reserved("!")? {
                self.pos += 1;
                negate = !negate;
            } else if self.at_reserved("time")? {
                self.pos += 4;
                timed = Some(false);
                if self.at_reserved("-p")? {
                    self.pos += 2;
                    timed = Some(true);
                }
            } else {
                break;
            }
        }
        if (negate || timed.is_some()) && matches!(self.peek()?, Token::Newline | Token::Eof | Token::Op(";")) {
            return Ok(Pipeline {
                negate,
                timed,
                commands: Vec::new(),
            });
        }
        let mut commands = vec![self.command()?];
        loop {
            match self.peek()? {
                Token::Op("|") => self.pos += 1,
                Token::Op("|&") => {
                    self.pos += 2;
                    if let Some(last) = commands.last_mut() {
                        last.redirects.push(Redirect {
                            fd: Some(2),
                            op: RedirectOp::DupOut,
                            target: Word {
                                parts: vec![Part::Literal("1".to_owned())],
                                raw: "1".to_owned(),
                            },
                            here: None,
                        });
                    }
                }
                _ => break,
            }
            self.newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline {
            negate,
            timed,
            commands,
        })
    }

    // Commands.

    fn command(&mut self) -> Result<Command> {
        self.expand_alias()?;
        let line = self.line;
        let token = self.peek()?;
        let kind = match token {
            Token::Op("(") => {
                if self.at(1) == Some('(')
                    && let Some(parts) = self.arith_command()?
                {
                    Kind::Arith(parts)
                } else {
                    self.pos += 1;
                    let list = self.inner_list(false)?;
                    self.eat_op(")")?;
                    Kind::Subshell(list)
                }
            }
            Token::Word => match self.plain_word()? {
                Some(w) if RESERVED.contains(&w.as_str()) => match self.compound(&w)? {
                    Some(kind) => kind,
                    None => return Err(self.unexpected()),
                },
                _ => return self.simple(line),
            },
            Token::Number(_)
            | Token::Op("<" | ">" | ">>" | "<<" | "<<-" | "<<<" | "<&" | ">&" | "<>" | ">|" | "&>" | "&>>") => {
                return self.simple(line);
            }
            _ => return Err(self.unexpected()),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command { kind, redirects, line })
    }
}

/// A here-document's delimiter without its quotes.
fn delimiter_text(parts: &[Part], quoted: &mut bool) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(t) => text.push_str(t),
            Part::Quoted(t) => {
                *quoted = true;
                text.push_str(t);
            }
            Part::Double(inner) => {
                *quoted = true;
                text.push_str(&delimiter_text(inner, quoted));
            }
            _ => {}
        }
    }
    text
}

/// Whether `source` is an unfinished command: open quotes, an `if` without `fi`, a here-document
/// without its end, a line that ends with `|` or a backslash.
pub(super) fn is_incomplete(source: &str) -> bool {
    if source.ends_with('\\') && source.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
        return true;
    }
    let mut parser = Parser::new(source);
    loop {
        match parser.next_command() {
            Ok(Some(_)) => {}
            Ok(None) => return !parser.cut_short.is_empty(),
            Err(e) => return e.is_incomplete(),
        }
    }
}

/// Whether text can name a variable.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}
