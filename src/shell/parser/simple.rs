//! Simple commands: assignments, words and redirections, and the aliases before them.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::syntax::*;
use super::{DECLARERS, Mode, Parser, Result, Token, delimiter_text};
use crate::limits;

impl Parser {
    pub(super) fn simple(&mut self, line: usize) -> Result<Command> {
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

    pub(super) fn at_process_sub(&self) -> bool {
        matches!(self.at(0), Some('<' | '>')) && self.at(1) == Some('(')
    }

    pub(super) fn redirect(&mut self) -> Result<Option<Redirect>> {
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
    pub(super) fn expand_alias(&mut self) -> Result<()> {
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
}
