//! Words and what is in them: quotes, substitutions, parameters, arithmetic.

use std::rc::Rc;

use super::super::syntax::*;
use super::super::words::{Escapes, unescape};
use super::{Mode, Parser, Result, Token};

fn plain_param(name: String) -> Part {
    Part::Param(Rc::new(Param {
        name,
        index: None,
        indirect: false,
        op: Op::None,
    }))
}

impl Parser {
    // Arithmetic.

    /// `((…))` as a command; `None` when it is two subshells after all.
    pub(super) fn arith_command(&mut self) -> Result<Option<Vec<Part>>> {
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
    pub(super) fn balanced(&mut self, line: usize) -> Result<String> {
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

    pub(super) fn arith_parts(&mut self, text: &str) -> Result<Vec<Part>> {
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

    pub(super) fn word(&mut self, mode: Mode) -> Result<Word> {
        self.skip_blank();
        let start = self.pos;
        self.enter()?;
        let parts = self.parts(mode)?;
        self.depth -= 1;
        let raw = self.text(start, self.pos);
        Ok(Word { parts, raw })
    }

    pub(super) fn parts(&mut self, mode: Mode) -> Result<Vec<Part>> {
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
                    String::from_utf8_lossy(&unescape(&text, Escapes::Dollar)).into_owned(),
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
