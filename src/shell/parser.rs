//! The parser: bash's grammar by recursive descent over characters, one complete command at a time,
//! as bash reads its input. Errors read as bash words them. Knows nothing of running.

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
            let background = match self.peek()? {
                Token::Op("&") => {
                    self.pos += 1;
                    true
                }
                Token::Op(";") => {
                    self.pos += 1;
                    false
                }
                Token::Newline | Token::Eof => {
                    items.push(Item {
                        chain,
                        background: false,
                    });
                    break;
                }
                _ => return Err(self.unexpected()),
            };
            items.push(Item { chain, background });
            if matches!(self.peek()?, Token::Newline | Token::Eof) {
                break;
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
            let mut ended = true;
            let background = match self.peek()? {
                Token::Op("&") => {
                    self.pos += 1;
                    true
                }
                Token::Op(";") => {
                    self.pos += 1;
                    false
                }
                Token::Newline => false,
                _ => {
                    ended = false;
                    false
                }
            };
            items.push(Item { chain, background });
            if !ended {
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

    fn compound(&mut self, word: &str) -> Result<Option<Kind>> {
        let kind = match word {
            "{" => {
                self.pos += 1;
                let list = self.inner_list(false)?;
                self.eat_reserved("}")?;
                Kind::Group(list)
            }
            "if" => {
                self.pos += 2;
                let mut clauses = Vec::new();
                let test = self.inner_list(false)?;
                self.eat_reserved("then")?;
                clauses.push((test, self.inner_list(false)?));
                let mut otherwise = None;
                loop {
                    if self.at_reserved("elif")? {
                        self.pos += 4;
                        let test = self.inner_list(false)?;
                        self.eat_reserved("then")?;
                        clauses.push((test, self.inner_list(false)?));
                    } else if self.at_reserved("else")? {
                        self.pos += 4;
                        otherwise = Some(self.inner_list(false)?);
                    } else {
                        break;
                    }
                    if otherwise.is_some() {
                        break;
                    }
                }
                self.eat_reserved("fi")?;
                Kind::If { clauses, otherwise }
            }
            "while" | "until" => {
                self.pos += 5;
                let test = self.inner_list(false)?;
                let body = self.do_group()?;
                Kind::While {
                    until: word == "until",
                    test,
                    body,
                }
            }
            "for" => {
                self.pos += 3;
                self.for_loop()?
            }
            "select" => {
                return Err(self.other("`select' is not simulated".to_owned()));
            }
            "case" => {
                self.pos += 4;
                self.case()?
            }
            "function" => {
                let start = self.pos;
                self.pos += 8;
                let Some(name) = self.plain_word()? else {
                    return Err(self.unexpected());
                };
                self.pos += name.chars().count();
                if self.peek()? == Token::Op("(") {
                    self.pos += 1;
                    self.eat_op(")")?;
                }
                self.function(name, start)?
            }
            "[[" => {
                self.pos += 2;
                self.enter()?;
                let test = self.test_or()?;
                self.skip_test_blank();
                if !self.at_reserved("]]")? {
                    let text = self.token_text()?;
                    return Err(self.other(format!(
                        "syntax error in conditional expression: unexpected token `{text}'"
                    )));
                }
                self.pos += 2;
                self.depth -= 1;
                Kind::Test(test)
            }
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    fn do_group(&mut self) -> Result<List> {
        self.newlines()?;
        self.eat_reserved("do")?;
        let body = self.inner_list(false)?;
        self.eat_reserved("done")?;
        Ok(body)
    }

    fn for_loop(&mut self) -> Result<Kind> {
        self.skip_blank();
        if self.starts_with("((") {
            let start = self.pos;
            let line = self.line;
            self.pos += 2;
            let text = self.balanced(line)?;
            if self.at(0) != Some(')') {
                return Err(self.unexpected());
            }
            self.pos += 1;
            let pieces: Vec<&str> = text.split(';').collect();
            let [init, test, step] = pieces.as_slice() else {
                let raw = self.text(start, self.pos);
                return Err(self.other(format!(
                    "syntax error: arithmetic expression required\nsyntax error: `{raw}'"
                )));
            };
            let init = self.arith_parts(init)?;
            let test = self.arith_parts(test)?;
            let step = self.arith_parts(step)?;
            if self.peek()? == Token::Op(";") {
                self.pos += 1;
            }
            self.newlines()?;
            let body = if self.at_reserved("{")? {
                self.pos += 1;
                let body = self.inner_list(false)?;
                self.eat_reserved("}")?;
                body
            } else {
                self.do_group()?
            };
            return Ok(Kind::ForArith { init, test, step, body });
        }
        if self.peek()? != Token::Word {
            return Err(self.unexpected());
        }
        let name = self.word(Mode::Word)?.raw;
        let mut words = None;
        let newline_first = self.peek()? == Token::Newline;
        self.newlines()?;
        if self.at_reserved("in")? {
            self.pos += 2;
            let mut list = Vec::new();
            while self.peek()? == Token::Word {
                list.push(self.word(Mode::Word)?);
            }
            match self.peek()? {
                Token::Op(";") => self.pos += 1,
                Token::Newline => {}
                _ => return Err(self.unexpected()),
            }
            words = Some(list);
        } else if !newline_first && self.peek()? == Token::Op(";") {
            self.pos += 1;
        }
        let body = self.do_group()?;
        Ok(Kind::For { name, words, body })
    }

    fn case(&mut self) -> Result<Kind> {
        if self.peek()? != Token::Word {
            return Err(self.unexpected());
        }
        let word = self.word(Mode::Word)?;
        self.newlines()?;
        self.eat_reserved("in")?;
        let mut items = Vec::new();
        loop {
            self.newlines()?;
            if self.at_reserved("esac")? {
                self.pos += 4;
                break;
            }
            if self.peek()? == Token::Op("(") {
                self.pos += 1;
            }
            let mut patterns = Vec::new();
            loop {
                if self.peek()? != Token::Word {
                    return Err(self.unexpected());
                }
                patterns.push(self.word(Mode::Word)?);
                if self.peek()? == Token::Op("|") {
                    self.pos += 1;
                } else {
                    break;
                }
            }
            self.eat_op(")")?;
            let body = self.inner_list(true)?;
            let mut end = CaseEnd::Stop;
            let mut last = false;
            match self.peek()? {
                Token::Op(";;") => self.pos += 2,
                Token::Op(";&") => {
                    self.pos += 2;
                    end = CaseEnd::Fall;
                }
                Token::Op(";;&") => {
                    self.pos += 3;
                    end = CaseEnd::Next;
                }
                _ => last = true,
            }
            items.push(CaseItem { patterns, body, end });
            if last {
                self.newlines()?;
                self.eat_reserved("esac")?;
                break;
            }
        }
        Ok(Kind::Case { word, items })
    }

    fn function(&mut self, name: String, start: usize) -> Result<Kind> {
        self.newlines()?;
        let is_compound = match self.peek()? {
            Token::Op("(") => true,
            Token::Word => self.plain_word()?.is_some_and(|w| {
                matches!(
                    w.as_str(),
                    "{" | "if" | "while" | "until" | "for" | "case" | "[[" | "select"
                )
            }),
            _ => false,
        };
        if !is_compound {
            return Err(self.unexpected());
        }
        let body = self.command()?;
        let text = self.text(start, self.pos);
        Ok(Kind::Function {
            name,
            body: Rc::new(body),
            text,
        })
    }

    fn simple(&mut self, line: usize) -> Result<Command> {
        let mut assigns = Vec::new();
        let mut words: Vec<Arg> = Vec::new();
        let mut redirects = Vec::new();
        let mut declares = false;
        let start = self.pos;
        loop {
            match self.peek()? {
                Token::Word => {}
                Token::Op("(") => {
                    // `name ()` defines a function.
                    if let ([Arg::Word(word)], true, true) =
                        (words.as_slice(), assigns.is_empty(), redirects.is_empty())
                    {
                        let name = word.raw.clone();
                        self.pos += 1;
                        self.eat_op(")")?;
                        let kind = self.function(name, start)?;
                        return Ok(Command {
                            kind,
                            redirects: Vec::new(),
                            line,
                        });
                    }
                    return Err(self.unexpected());
                }
                _ => match self.redirect()? {
                    Some(redirect) => {
                        redirects.push(redirect);
                        continue;
                    }
                    None => break,
                },
            }
            if words.is_empty() {
                if let Some(assign) = self.assignment()? {
                    assigns.push(assign);
                    continue;
                }
                if !assigns.is_empty() || !redirects.is_empty() {
                    self.expand_alias()?;
                    if self.peek()? != Token::Word {
                        continue;
                    }
                }
            } else if declares && let Some(assign) = self.assignment()? {
                words.push(Arg::Assign(assign));
                continue;
            }
            let word = self.word(Mode::Word)?;
            if words.is_empty() {
                declares = DECLARERS.contains(&word.raw.as_str());
            } else if words.len() == 1
                && declares
                && matches!(words.first(), Some(Arg::Word(w)) if w.raw == "command" || w.raw == "builtin")
            {
                declares = true;
            }
            words.push(Arg::Word(word));
        }
        if assigns.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Command {
            kind: Kind::Simple { assigns, words },
            redirects,
            line,
        })
    }

    /// `name=…`, `name+=…`, `name[i]=…` when one stands here.
    fn assignment(&mut self) -> Result<Option<Assign>> {
        self.skip_blank();
        let (start, start_line) = (self.pos, self.line);
        let mut n = 0;
        while self
            .at(n)
            .is_some_and(|c| c == '_' || c.is_ascii_alphabetic() || (n > 0 && c.is_ascii_digit()))
        {
            n += 1;
        }
        if n == 0 {
            return Ok(None);
        }
        let name = self.text(self.pos, self.pos + n);
        let mut index = None;
        if self.at(n) == Some('[') {
            // Only an assignment when `]=` follows on the same word.
            let mut m = n + 1;
            let mut depth = 1;
            while depth > 0 {
                match self.at(m) {
                    None | Some('\n') => return Ok(None),
                    Some('[') => depth += 1,
                    Some(']') => depth -= 1,
                    Some(' ' | ';' | '|' | '&') => return Ok(None),
                    _ => {}
                }
                m += 1;
            }
            let assigns = self.at(m) == Some('=') || (self.at(m) == Some('+') && self.at(m + 1) == Some('='));
            if !assigns {
                return Ok(None);
            }
            self.pos += n + 1;
            index = Some(self.parts(Mode::Subscript)?);
            self.pos += 1;
            n = 0;
        }
        let append = match (self.at(n), self.at(n + 1)) {
            (Some('='), _) => false,
            (Some('+'), Some('=')) => true,
            _ => {
                self.pos = start;
                self.line = start_line;
                return Ok(None);
            }
        };
        self.pos += n + 1 + usize::from(append);
        if self.at(0) == Some('(') && index.is_none() {
            let line = self.line;
            self.pos += 1;
            let mut values = Vec::new();
            loop {
                match self.peek()? {
                    Token::Newline => self.newline(),
                    Token::Op(")") => {
                        self.pos += 1;
                        break;
                    }
                    Token::Eof => return Err(self.matching(')', line)),
                    Token::Word => {
                        let mut index = None;
                        if self.at(0) == Some('[') {
                            let (back, back_line) = (self.pos, self.line);
                            self.pos += 1;
                            let parts = self.parts(Mode::Subscript);
                            if parts.is_ok() && self.at(0) == Some(']') && self.at(1) == Some('=') {
                                index = parts.ok();
                                self.pos += 2;
                            } else {
                                self.pos = back;
                                self.line = back_line;
                            }
                        }
                        let word = if index.is_some() && self.at(0).is_none_or(|c| c.is_whitespace() || c == ')') {
                            Word::default()
                        } else {
                            self.word(Mode::Word)?
                        };
                        values.push((index, word));
                    }
                    _ => return Err(self.unexpected()),
                }
            }
            return Ok(Some(Assign {
                name,
                index: None,
                append,
                value: AssignValue::Array(values),
            }));
        }
        let word = if self.at(0).is_none_or(|c| c.is_whitespace() || ";&|)<>(".contains(c)) && !self.at_process_sub() {
            Word::default()
        } else {
            self.word(Mode::Word)?
        };
        Ok(Some(Assign {
            name,
            index,
            append,
            value: AssignValue::Word(word),
        }))
    }

    fn at_process_sub(&self) -> bool {
        matches!(self.at(0), Some('<' | '>')) && self.at(1) == Some('(')
    }

    fn redirect(&mut self) -> Result<Option<Redirect>> {
        let mut fd = None;
        let (start, line) = (self.pos, self.line);
        if let Token::Number(n) = self.peek()? {
            while self.at(0).is_some_and(|c| c.is_ascii_digit()) {
                self.pos += 1;
            }
            fd = Some(n);
        }
        let Token::Op(token) = self.peek()? else {
            self.pos = start;
            self.line = line;
            return Ok(None);
        };
        let op = match token {
            "<" => RedirectOp::Read,
            ">" => RedirectOp::Write { clobber: false },
            ">|" => RedirectOp::Write { clobber: true },
            ">>" => RedirectOp::Append,
            "<>" => RedirectOp::Update,
            "<&" => RedirectOp::DupIn,
            ">&" => RedirectOp::DupOut,
            "&>" => RedirectOp::Both,
            "&>>" => RedirectOp::BothAppend,
            "<<" | "<<-" => RedirectOp::Here,
            "<<<" => RedirectOp::HereString,
            _ => {
                self.pos = start;
                return Ok(None);
            }
        };
        self.pos += token.len();
        if self.peek()? != Token::Word {
            // A number may be a target too: `2>&1`.
            if !matches!(self.peek()?, Token::Number(_)) {
                return Err(self.unexpected());
            }
        }
        let target = self.word(Mode::Word)?;
        let mut here = None;
        if op == RedirectOp::Here {
            let mut quoted = false;
            let delimiter = delimiter_text(&target.parts, &mut quoted);
            let doc = Rc::new(RefCell::new(HereDoc {
                // Without quotes nothing in a delimiter is expanded: its source is the delimiter.
                delimiter: if quoted { delimiter } else { target.raw.clone() },
                strip_tabs: token == "<<-",
                quoted,
                body: Vec::new(),
            }));
            self.pending.push(doc.clone());
            here = Some(doc);
        }
        Ok(Some(Redirect { fd, op, target, here }))
    }

    /// Replaces the word here by its alias, again and again.
    fn expand_alias(&mut self) -> Result<()> {
        let Some(aliases) = self.aliases.clone() else {
            return Ok(());
        };
        loop {
            let Some(word) = self.plain_word()? else { return Ok(()) };
            let left = self.src.len() - self.pos;
            self.expanding.retain(|(_, rest)| left > *rest);
            if self.expanding.len() >= limits::SHELL_ALIAS_DEPTH || self.expanding.iter().any(|(n, _)| *n == word) {
                return Ok(());
            }
            let Some(text) = aliases.get(&word) else { return Ok(()) };
            let end = self.pos + word.chars().count();
            self.expanding.push((word, self.src.len() - end));
            self.src.splice(self.pos..end, text.chars());
            if text.ends_with(' ') {
                // The next word is looked up too: expand it in place, then come back.
                let (back, line) = (self.pos, self.line);
                self.pos += text.chars().count();
                self.expand_alias()?;
                self.pos = back;
                self.line = line;
            }
        }
    }

    // `[[ … ]]`.

    fn skip_test_blank(&mut self) {
        loop {
            self.skip_blank();
            if self.at(0) == Some('\n') && self.pos + 1 < self.src.len() {
                self.bump();
            } else {
                return;
            }
        }
    }

    fn token_text(&mut self) -> Result<String> {
        Ok(match self.peek()? {
            Token::Newline | Token::Eof => "newline".to_owned(),
            Token::Op(op) => op.to_owned(),
            Token::Number(n) => n.to_string(),
            Token::Word => self.word(Mode::Word)?.raw,
        })
    }

    fn test_or(&mut self) -> Result<Test> {
        let mut left = self.test_and()?;
        loop {
            self.skip_test_blank();
            if self.peek()? != Token::Op("||") {
                return Ok(left);
            }
            self.pos += 2;
            left = Test::Or(Box::new(left), Box::new(self.test_and()?));
        }
    }

    fn test_and(&mut self) -> Result<Test> {
        let mut left = self.test_term()?;
        loop {
            self.skip_test_blank();
            if self.peek()? != Token::Op("&&") {
                return Ok(left);
            }
            self.pos += 2;
            left = Test::And(Box::new(left), Box::new(self.test_term()?));
        }
    }

    fn test_term(&mut self) -> Result<Test> {
        self.skip_test_blank();
        if self.at_reserved("!")? {
            self.pos += 1;
            self.enter()?;
            let inner = self.test_term()?;
            self.depth -= 1;
            return Ok(Test::Not(Box::new(inner)));
        }
        if self.peek()? == Token::Op("(") {
            self.pos += 1;
            self.enter()?;
            let inner = self.test_or()?;
            self.skip_test_blank();
            self.eat_op(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        if self.at_reserved("]]")? {
            // `[[ ]]` is an error of the grammar.
            return Err(self.unexpected());
        }
        if !matches!(self.peek()?, Token::Word | Token::Number(_)) {
            let text = self.token_text()?;
            return Err(self.other(format!("unexpected token `{text}' in conditional command")));
        }
        if let Some(op) = self.plain_word()?
            && op.len() == 2
            && op.starts_with('-')
            && op
                .chars()
                .nth(1)
                .is_some_and(|c| "abcdefghknoprstuvwxzGLNORS".contains(c))
        {
            let (back, line) = (self.pos, self.line);
            self.pos += 2;
            if self.peek()? == Token::Word && !self.at_reserved("]]")? {
                let operand = self.word(Mode::Word)?;
                return Ok(Test::Unary(op, operand));
            }
            self.pos = back;
            self.line = line;
        }
        let left = self.word(Mode::Word)?;
        self.skip_blank();
        let op = match self.peek()? {
            Token::Op(op @ ("<" | ">")) => {
                self.pos += 1;
                op.to_owned()
            }
            Token::Op("&&" | "||" | ")") => return Ok(Test::Word(left)),
            Token::Word if self.at_reserved("]]")? => return Ok(Test::Word(left)),
            Token::Word => {
                let op = self.plain_word()?.unwrap_or_default();
                let known = [
                    "=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef",
                ];
                if !known.contains(&op.as_str()) {
                    let text = self.token_text()?;
                    return Err(self.other(format!(
                        "conditional binary operator expected\nsyntax error near `{text}'"
                    )));
                }
                self.pos += op.len();
                op
            }
            _ => {
                let text = self.token_text()?;
                return Err(self.other(format!(
                    "unexpected token `{text}', conditional binary operator expected"
                )));
            }
        };
        let mode = if op == "=~" { Mode::Regex } else { Mode::Word };
        self.skip_blank();
        if mode == Mode::Word && !matches!(self.peek()?, Token::Word | Token::Number(_)) || self.at(0) == Some('\n') {
            let text = self.token_text()?;
            return Err(self.other(format!("unexpected argument `{text}' to conditional binary operator")));
        }
        let right = self.word(mode)?;
        Ok(Test::Binary(left, op, right))
    }

    // Arithmetic.

    /// `((…))` as a command; `None` when it is two subshells after all.
    fn arith_command(&mut self) -> Result<Option<Vec<Part>>> {
        let (start, line) = (self.pos, self.line);
        self.pos += 2;
        let text = self.balanced(line)?;
        if self.at(0) == Some(')') {
            self.pos += 1;
            return self.arith_parts(&text).map(Some);
        }
        self.pos = start;
        self.line = line;
        Ok(None)
    }

    /// Text up to the bracket that closes an open `(`, which is consumed.
    fn balanced(&mut self, line: usize) -> Result<String> {
        let start = self.pos;
        let mut depth = 1;
        loop {
            match self.bump() {
                None => return Err(self.matching(')', line)),
                Some('(') => depth += 1,
                Some(')') => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(self.text(start, self.pos - 1));
                    }
                }
                Some('\\') => {
                    self.bump();
                }
                Some(q @ ('\'' | '"')) => loop {
                    match self.bump() {
                        None => return Err(self.matching(q, line)),
                        Some('\\') if q == '"' => {
                            self.bump();
                        }
                        Some(c) if c == q => break,
                        _ => {}
                    }
                },
                _ => {}
            }
        }
    }

    fn arith_parts(&mut self, text: &str) -> Result<Vec<Part>> {
        self.sub_parts(text, Mode::Arith)
    }

    fn sub_parts(&mut self, text: &str, mode: Mode) -> Result<Vec<Part>> {
        self.enter()?;
        let mut inner = Parser::new("").at_line(self.line);
        inner.src = text.chars().collect();
        inner.depth = self.depth;
        let parts = inner.parts(mode)?;
        self.depth -= 1;
        Ok(parts)
    }

    // Words.

    fn word(&mut self, mode: Mode) -> Result<Word> {
        self.skip_blank();
        let start = self.pos;
        self.enter()?;
        let parts = self.parts(mode)?;
        self.depth -= 1;
        let raw = self.text(start, self.pos);
        Ok(Word { parts, raw })
    }

    fn parts(&mut self, mode: Mode) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let start_line = self.line;
        let mut brackets = 0;
        // Inside double quotes (or their like) a backslash guards few characters.
        let in_double = matches!(
            mode,
            Mode::Double | Mode::Here | Mode::Arith | Mode::Brace(true) | Mode::Pattern(true)
        );
        macro_rules! flush {
            () => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
            };
        }
        loop {
            let Some(c) = self.at(0) else {
                match mode {
                    Mode::Double => return Err(self.matching('"', start_line)),
                    Mode::Brace(_) | Mode::Pattern(_) => return Err(self.matching('}', start_line)),
                    Mode::Subscript => return Err(self.matching(']', start_line)),
                    _ => break,
                }
            };
            match mode {
                Mode::Word => {
                    if self.at_process_sub() {
                        flush!();
                        let read = c == '<';
                        let line = self.line;
                        self.pos += 2;
                        let list = self.substituted(line)?;
                        parts.push(Part::Process(read, list));
                        continue;
                    }
                    if matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') {
                        break;
                    }
                }
                Mode::Regex => {
                    if matches!(c, '\n') || (brackets == 0 && matches!(c, ' ' | '\t' | ';' | '&')) {
                        break;
                    }
                    if c == '(' {
                        brackets += 1;
                    } else if c == ')' {
                        if brackets == 0 {
                            break;
                        }
                        brackets -= 1;
                    }
                }
                Mode::Double if c == '"' => break,
                Mode::Brace(_) if c == '}' => break,
                Mode::Pattern(_) if c == '}' || (c == '/' && !(parts.is_empty() && literal.is_empty())) => break,
                Mode::Subscript => {
                    if c == '[' {
                        brackets += 1;
                    } else if c == ']' {
                        if brackets == 0 {
                            break;
                        }
                        brackets -= 1;
                    }
                }
                _ => {}
            }
            match c {
                '\\' => {
                    let next = self.at(1);
                    if next == Some('\n') {
                        self.pos += 1;
                        self.bump();
                        continue;
                    }
                    let Some(next) = next else {
                        self.pos += 1;
                        literal.push('\\');
                        continue;
                    };
                    // A newline that the parser added itself ends nothing.
                    if in_double {
                        let guarded = match mode {
                            Mode::Here => matches!(next, '$' | '`' | '\\'),
                            Mode::Brace(_) | Mode::Pattern(_) => matches!(next, '$' | '`' | '\\' | '"' | '}' | '/'),
                            _ => matches!(next, '$' | '`' | '\\' | '"'),
                        };
                        if guarded {
                            flush!();
                            parts.push(Part::Quoted(next.to_string()));
                            self.pos += 1;
                            self.bump();
                        } else {
                            literal.push('\\');
                            self.pos += 1;
                        }
                    } else {
                        flush!();
                        parts.push(Part::Quoted(next.to_string()));
                        self.pos += 1;
                        self.bump();
                    }
                }
                '\'' if !in_double => {
                    let line = self.line;
                    self.pos += 1;
                    let start = self.pos;
                    loop {
                        match self.bump() {
                            None => return Err(self.matching('\'', line)),
                            Some('\'') => break,
                            _ => {}
                        }
                    }
                    flush!();
                    parts.push(Part::Quoted(self.text(start, self.pos - 1)));
                }
                '"' if mode != Mode::Here => {
                    self.pos += 1;
                    self.enter()?;
                    let inner = self.parts(Mode::Double)?;
                    self.depth -= 1;
                    self.pos += 1;
                    flush!();
                    parts.push(Part::Double(inner));
                }
                '$' => {
                    if let Some(part) = self.dollar(in_double, mode == Mode::Double)? {
                        flush!();
                        parts.push(part);
                    } else {
                        literal.push('$');
                        self.pos += 1;
                    }
                }
                '`' => {
                    flush!();
                    parts.push(self.backtick(in_double)?);
                }
                _ => {
                    literal.push(c);
                    self.bump();
                }
            }
        }
        flush!();
        Ok(parts)
    }

    /// A list up to `)`, which is consumed.
    fn substituted(&mut self, line: usize) -> Result<List> {
        // Here-documents of the outer command wait until this one is through.
        let outer = std::mem::take(&mut self.pending);
        let list = self.inner_list(true)?;
        if self.peek()? == Token::Eof {
            let _ = line;
            return Err(self.matching(')', self.line));
        }
        self.eat_op(")")?;
        let inner = std::mem::replace(&mut self.pending, outer);
        self.pending.extend(inner);
        Ok(list)
    }

    fn backtick(&mut self, in_double: bool) -> Result<Part> {
        let line = self.line;
        self.pos += 1;
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(self.matching('`', line)),
                Some('`') => break,
                Some('\\') => match self.at(0) {
                    Some(c @ ('`' | '$' | '\\')) => {
                        text.push(c);
                        self.bump();
                    }
                    Some('"') if in_double => {
                        text.push('"');
                        self.bump();
                    }
                    _ => text.push('\\'),
                },
                Some(c) => text.push(c),
            }
        }
        self.enter()?;
        let mut inner = Parser::new(&text).at_line(line);
        inner.depth = self.depth;
        let mut items = Vec::new();
        while let Some(list) = inner.next_command()? {
            match Rc::try_unwrap(list) {
                Ok(list) => items.extend(list),
                Err(_) => break,
            }
        }
        self.depth -= 1;
        Ok(Part::Command(Rc::new(items)))
    }

    /// What a `$` begins; `None` when it is just a dollar sign. `in_double`: between double quotes.
    fn dollar(&mut self, in_double: bool, in_quotes: bool) -> Result<Option<Part>> {
        let line = self.line;
        match self.at(1) {
            Some('(') => {
                if self.at(2) == Some('(') {
                    let (start, start_line) = (self.pos, self.line);
                    self.pos += 3;
                    let text = self.balanced(line)?;
                    if self.at(0) == Some(')') {
                        self.pos += 1;
                        return Ok(Some(Part::Arith(self.arith_parts(&text)?)));
                    }
                    self.pos = start;
                    self.line = start_line;
                }
                self.pos += 2;
                Ok(Some(Part::Command(self.substituted(line)?)))
            }
            Some('{') => {
                self.pos += 2;
                self.enter()?;
                let part = self.param(in_double)?;
                self.depth -= 1;
                Ok(Some(part))
            }
            Some('\'') if !in_double => {
                self.pos += 2;
                let start = self.pos;
                loop {
                    match self.bump() {
                        None => return Err(self.matching('\'', line)),
                        Some('\\') => {
                            self.bump();
                        }
                        Some('\'') => break,
                        _ => {}
                    }
                }
                let text = self.text(start, self.pos - 1);
                Ok(Some(Part::Quoted(
                    String::from_utf8_lossy(&super::words::unescape(&text, super::words::Escapes::Dollar)).into_owned(),
                )))
            }
            Some('"') if !in_double && !in_quotes => {
                self.pos += 2;
                self.enter()?;
                let inner = self.parts(Mode::Double)?;
                self.depth -= 1;
                self.pos += 1;
                Ok(Some(Part::Double(inner)))
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let mut n = 1;
                while self.at(n).is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
                    n += 1;
                }
                let name = self.text(self.pos + 1, self.pos + n);
                self.pos += n;
                Ok(Some(plain_param(name)))
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.pos += 2;
                Ok(Some(plain_param(c.to_string())))
            }
            _ => Ok(None),
        }
    }

    /// The inside of `${…}`, with its closing brace.
    fn param(&mut self, in_double: bool) -> Result<Part> {
        let start = self.pos;
        let line = self.line;
        let mut length = false;
        let mut indirect = false;
        if self.at(0) == Some('#') && self.at(1) != Some('}') {
            // `${#x}`, but `${#-x}`, `${#:-x}` are operations on `$#`.
            let after = self.at(1);
            if after.is_some_and(|c| c == '_' || c.is_ascii_alphanumeric() || "@*?!$".contains(c))
                || (matches!(after, Some('-' | '#')) && self.at(2) == Some('}'))
            {
                length = true;
                self.pos += 1;
            }
        } else if self.at(0) == Some('!') && self.at(1).is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
            indirect = true;
            self.pos += 1;
        }
        let mut n = 0;
        match self.at(0) {
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                while self.at(n).is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
                    n += 1;
                }
            }
            Some(c) if c.is_ascii_digit() => {
                while self.at(n).is_some_and(|c| c.is_ascii_digit()) {
                    n += 1;
                }
            }
            Some(c) if "@*#?-$!".contains(c) => n = 1,
            _ => {}
        }
        if n == 0 {
            return self.bad_substitution(start, line);
        }
        let name = self.text(self.pos, self.pos + n);
        self.pos += n;
        let mut index = None;
        if self.at(0) == Some('[') && name.chars().next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic()) {
            if self.starts_with("[@]") {
                self.pos += 3;
                index = Some(Index::At);
            } else if self.starts_with("[*]") {
                self.pos += 3;
                index = Some(Index::Star);
            } else {
                self.pos += 1;
                index = Some(Index::Expr(self.parts(Mode::Subscript)?));
                self.pos += 1;
            }
        }
        let op = match self.at(0) {
            Some('}') => {
                if length {
                    Op::Length
                } else if indirect && index.as_ref().is_some_and(|i| !matches!(i, Index::Expr(_))) {
                    Op::Keys
                } else {
                    Op::None
                }
            }
            _ if length => return self.bad_substitution(start, line),
            Some('*' | '@') if indirect && self.at(1) == Some('}') => {
                self.pos += 1;
                Op::Names
            }
            Some(':') if self.at(1).is_some_and(|c| "-=?+".contains(c)) => {
                let c = self.at(1).unwrap_or('-');
                self.pos += 2;
                Op::Default(c, true, self.brace_word(in_double)?)
            }
            Some(':') => {
                self.pos += 1;
                // The offset ends at a colon outside brackets and conditional expressions.
                let from = self.pos;
                let mut depth = 0;
                let mut questions = 0;
                let mut colon = None;
                while let Some(c) = self.at(0) {
                    match c {
                        '(' | '{' | '[' => depth += 1,
                        '}' if depth == 0 => break,
                        ')' | '}' | ']' => depth -= 1,
                        '?' => questions += 1,
                        ':' if depth == 0 => {
                            if questions > 0 {
                                questions -= 1;
                            } else if colon.is_none() {
                                colon = Some(self.pos);
                            }
                        }
                        _ => {}
                    }
                    self.bump();
                }
                let to = self.pos;
                let offset = self.text(from, colon.unwrap_or(to));
                let length = colon.map(|c| self.text(c + 1, to));
                let offset = self.arith_parts(&offset)?;
                let length = match length {
                    Some(l) => Some(self.arith_parts(&l)?),
                    None => None,
                };
                Op::Slice(offset, length)
            }
            Some(c) if "-=?+".contains(c) => {
                self.pos += 1;
                Op::Default(c, false, self.brace_word(in_double)?)
            }
            Some(c @ ('#' | '%')) => {
                self.pos += 1;
                let longest = self.at(0) == Some(c);
                if longest {
                    self.pos += 1;
                }
                // A pattern's quotes count even between double quotes.
                Op::Trim {
                    suffix: c == '%',
                    longest,
                    pattern: self.brace_word(false)?,
                }
            }
            Some('/') => {
                self.pos += 1;
                let mode = match self.at(0) {
                    Some(c @ ('/' | '#' | '%')) => {
                        self.pos += 1;
                        c
                    }
                    _ => '1',
                };
                let from = self.pos;
                // An empty pattern is one at an end: `${x/#/before}`.
                let parts = match mode {
                    '#' | '%' if self.at(0) == Some('/') => Vec::new(),
                    _ => self.parts(Mode::Pattern(false))?,
                };
                let pattern = Word {
                    parts,
                    raw: self.text(from, self.pos),
                };
                let with = if self.at(0) == Some('/') {
                    self.pos += 1;
                    self.brace_word(in_double)?
                } else {
                    Word::default()
                };
                Op::Replace { pattern, with, mode }
            }
            Some(c @ ('^' | ',')) => {
                self.pos += 1;
                let all = self.at(0) == Some(c);
                if all {
                    self.pos += 1;
                }
                Op::Case {
                    upper: c == '^',
                    all,
                    pattern: self.brace_word(false)?,
                }
            }
            Some('@') if self.at(2) == Some('}') => {
                let c = self.at(1).unwrap_or('Q');
                self.pos += 2;
                Op::Transform(c)
            }
            None => return Err(self.matching('}', line)),
            _ => return self.bad_substitution(start, line),
        };
        if self.at(0) != Some('}') {
            return self.bad_substitution(start, line);
        }
        self.pos += 1;
        Ok(Part::Param(Rc::new(Param {
            name,
            index,
            indirect,
            op,
        })))
    }

    fn brace_word(&mut self, in_double: bool) -> Result<Word> {
        let from = self.pos;
        let parts = self.parts(Mode::Brace(in_double))?;
        Ok(Word {
            parts,
            raw: self.text(from, self.pos),
        })
    }

    fn bad_substitution(&mut self, start: usize, line: usize) -> Result<Part> {
        let mut depth = 0;
        loop {
            match self.bump() {
                None => return Err(self.matching('}', line)),
                Some('{') => depth += 1,
                Some('}') if depth == 0 => break,
                Some('}') => depth -= 1,
                _ => {}
            }
        }
        Ok(Part::Bad(format!(
            "${{{}: bad substitution",
            self.text(start, self.pos)
        )))
    }
}

fn plain_param(name: String) -> Part {
    Part::Param(Rc::new(Param {
        name,
        index: None,
        indirect: false,
        op: Op::None,
    }))
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
