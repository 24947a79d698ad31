//! Compound commands: groups, loops, `case`, `if`, and functions.

use std::rc::Rc;

use super::super::syntax::*;
use super::{Mode, Parser, Result, Token};

impl Parser {
    pub(super) fn compound(&mut self, word: &str) -> Result<Option<Kind>> {
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

    pub(super) fn case(&mut self) -> Result<Kind> {
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

    pub(super) fn function(&mut self, name: String, start: usize) -> Result<Kind> {
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
}
