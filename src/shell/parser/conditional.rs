//! What stands between `[[` and `]]`.

use super::super::syntax::*;
use super::{Mode, Parser, Result, Token};

impl Parser {
    // `[[ … ]]`.

    pub(super) fn skip_test_blank(&mut self) {
        loop {
            self.skip_blank();
            if self.at(0) == Some('\n') && self.pos + 1 < self.src.len() {
                self.bump();
            } else {
                return;
            }
        }
    }

    pub(super) fn token_text(&mut self) -> Result<String> {
        Ok(match self.peek()? {
            Token::Newline | Token::Eof => "newline".to_owned(),
            Token::Op(op) => op.to_owned(),
            Token::Number(n) => n.to_string(),
            Token::Word => self.word(Mode::Word)?.raw,
        })
    }

    pub(super) fn test_or(&mut self) -> Result<Test> {
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
}
