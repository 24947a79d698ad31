//! From tokens to rules: recursive descent, one function for each precedence.

use std::rc::Rc;

use super::super::super::regex::Regex;
use super::syntax::{CompiledRegex, Expr, Function, Pattern, Rule, Source, Stmt, Token};
use crate::flat::FlatMap;
use crate::limits;

/// The functions that are there without a definition.
pub(super) const KNOWN: &[&str] = &[
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "toupper", "tolower", "int", "sqrt",
    "exp", "log", "sin", "cos", "atan2", "rand", "srand", "systime", "strftime", "close", "fflush", "system",
];

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Inside `print …`, where `>` is a redirection.
    in_print: bool,
    /// Inside `for (…`, where `in` belongs to the loop.
    no_in: bool,
    pub(super) functions: FlatMap<String, Function>,
    /// Names of functions that were called.
    called: Vec<String>,
    /// Whether the program asks anything of other processes or files.
    pub(super) asks: bool,
    /// How many times it takes a record of the input by itself.
    pub(super) gets: usize,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    pub(super) fn new(tokens: Vec<Token>) -> Parser {
        Parser {
            tokens,
            at: 0,
            depth: 0,
            in_print: false,
            no_in: false,
            functions: FlatMap::new(),
            called: Vec::new(),
            asks: false,
            gets: 0,
        }
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&self, op: &str) -> bool {
        matches!(self.peek(), Token::Op(o) if *o == op)
    }

    fn eat(&mut self, op: &str) -> bool {
        let found = self.is(op);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, op: &str) -> Parsed<()> {
        if self.eat(op) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn line(&self) -> usize {
        let before = self.tokens.iter().take(self.at);
        1 + before.filter(|t| **t == Token::Newline).count()
    }

    fn unexpected(&self) -> String {
        let near = match self.peek() {
            Token::Number(n) => n.to_string(),
            Token::Text(t) => format!("\"{t}\""),
            Token::Regex(r) => format!("/{r}/"),
            Token::Name(n) | Token::Call(n) => n.clone(),
            Token::Op(o) => (*o).to_owned(),
            Token::Newline => "end of line".to_owned(),
            Token::End => "end of file".to_owned(),
        };
        let line = self.line();
        format!("line {line}: syntax error at or near {near}")
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(n) | Token::Call(n) if n == name)
    }

    fn newlines(&mut self) {
        while matches!(self.peek(), Token::Newline) {
            self.at += 1;
        }
    }

    fn ends(&mut self) {
        while matches!(self.peek(), Token::Newline | Token::Op(";")) {
            self.at += 1;
        }
    }

    pub(super) fn program(&mut self) -> Parsed<Vec<Rule>> {
        let mut rules = Vec::new();
        self.ends();
        while *self.peek() != Token::End {
            if self.is_name("function") || self.is_name("func") {
                self.at += 1;
                let (Token::Name(name) | Token::Call(name)) = self.next() else {
                    self.at -= 1;
                    return Err(self.unexpected());
                };
                self.expect("(")?;
                let mut parameters = Vec::new();
                while let Token::Name(parameter) = self.peek().clone() {
                    self.at += 1;
                    parameters.push(parameter);
                    self.newlines();
                    if !self.eat(",") {
                        break;
                    }
                    self.newlines();
                }
                self.expect(")")?;
                self.newlines();
                let body = self.block()?;
                self.functions.insert(name, Rc::new((parameters, body)));
                self.ends();
                continue;
            }
            let gets = self.gets;
            let pattern = if self.is_name("BEGIN") {
                self.at += 1;
                Pattern::Begin
            } else if self.is_name("END") {
                self.at += 1;
                Pattern::End
            } else if self.is("{") {
                Pattern::Always
            } else {
                let first = self.expr()?;
                if self.eat(",") {
                    self.newlines();
                    Pattern::Range(first, self.expr()?)
                } else {
                    Pattern::Expr(first)
                }
            };
            let action = if self.is("{") {
                Some(self.block()?)
            } else if matches!(pattern, Pattern::Begin | Pattern::End) {
                return Err(self.unexpected());
            } else {
                None
            };
            rules.push(Rule {
                pattern,
                action,
                gets: self.gets - gets,
            });
            self.ends();
        }
        if let Some(name) = self.called.iter().find(|n| !self.functions.contains_key(*n)) {
            return Err(format!("line {}: function {name} never defined", self.line() + 1));
        }
        Ok(rules)
    }

    fn block(&mut self) -> Parsed<Stmt> {
        self.expect("{")?;
        let mut list = Vec::new();
        self.ends();
        while !self.is("}") {
            if *self.peek() == Token::End {
                return Err(format!("line {}: missing }} near end of file", self.line() + 1));
            }
            list.push(self.statement()?);
            self.ends();
        }
        self.at += 1;
        Ok(Stmt::Block(list))
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > limits::SHELL_DEPTH * 2 {
            return Err("the program is nested too deeply".to_owned());
        }
        Ok(())
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        self.enter()?;
        let statement = self.statement_inner();
        self.depth -= 1;
        statement
    }

    fn body(&mut self) -> Parsed<Box<Stmt>> {
        self.newlines();
        if self.eat(";") {
            return Ok(Box::new(Stmt::Block(Vec::new())));
        }
        Ok(Box::new(self.statement()?))
    }

    fn end_of_simple(&mut self) -> Parsed<()> {
        match self.peek() {
            Token::Newline | Token::Op(";") => {
                self.at += 1;
                Ok(())
            }
            Token::Op("}") | Token::End => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    fn statement_inner(&mut self) -> Parsed<Stmt> {
        if self.is("{") {
            return self.block();
        }
        let word = match self.peek() {
            Token::Name(n) | Token::Call(n) => n.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "if" => {
                self.at += 1;
                self.expect("(")?;
                let test = self.expr()?;
                self.expect(")")?;
                let yes = self.body()?;
                let back = self.at;
                self.ends();
                if self.is_name("else") {
                    self.at += 1;
                    let no = self.body()?;
                    return Ok(Stmt::If(test, yes, Some(no)));
                }
                self.at = back;
                Ok(Stmt::If(test, yes, None))
            }
            "while" => {
                self.at += 1;
                self.expect("(")?;
                let test = self.expr()?;
                self.expect(")")?;
                Ok(Stmt::While(test, self.body()?))
            }
            "do" => {
                self.at += 1;
                let body = self.body()?;
                self.ends();
                if !self.is_name("while") {
                    return Err(self.unexpected());
                }
                self.at += 1;
                self.expect("(")?;
                let test = self.expr()?;
                self.expect(")")?;
                Ok(Stmt::Do(body, test))
            }
            "for" => {
                self.at += 1;
                self.expect("(")?;
                if let (Some(Token::Name(v)), Some(Token::Name(i)), Some(Token::Name(a)), Some(Token::Op(")"))) = (
                    self.tokens.get(self.at),
                    self.tokens.get(self.at + 1),
                    self.tokens.get(self.at + 2),
                    self.tokens.get(self.at + 3),
                ) && i == "in"
                {
                    let (v, a) = (v.clone(), a.clone());
                    self.at += 4;
                    return Ok(Stmt::ForIn(v, a, self.body()?));
                }
                let init = if self.is(";") {
                    None
                } else {
                    Some(Box::new(self.simple()?))
                };
                self.expect(";")?;
                self.newlines();
                let test = if self.is(";") { None } else { Some(self.expr()?) };
                self.expect(";")?;
                self.newlines();
                let step = if self.is(")") {
                    None
                } else {
                    Some(Box::new(self.simple()?))
                };
                self.expect(")")?;
                Ok(Stmt::For(init, test, step, self.body()?))
            }
            "next" | "break" | "continue" | "nextfile" => {
                self.at += 1;
                self.end_of_simple()?;
                Ok(match word.as_str() {
                    "next" | "nextfile" => Stmt::Next,
                    "break" => Stmt::Break,
                    _ => Stmt::Continue,
                })
            }
            "exit" | "return" => {
                self.at += 1;
                let value = match self.peek() {
                    Token::Newline | Token::Op(";" | "}") | Token::End => None,
                    _ => Some(self.expr()?),
                };
                self.end_of_simple()?;
                Ok(if word == "exit" {
                    Stmt::Exit(value)
                } else {
                    Stmt::Return(value)
                })
            }
            _ => {
                let statement = self.simple()?;
                self.end_of_simple()?;
                Ok(statement)
            }
        }
    }

    fn simple(&mut self) -> Parsed<Stmt> {
        let word = match self.peek() {
            Token::Name(n) | Token::Call(n) => n.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "print" | "printf" => {
                self.at += 1;
                self.in_print = true;
                let args = self.print_args();
                self.in_print = false;
                let mut args = args?;
                if let [Expr::Group(_)] = args.as_slice()
                    && let Some(Expr::Group(list)) = args.pop()
                {
                    args = list;
                }
                let mut target = None;
                if let Token::Op(op @ (">" | ">>" | "|")) = self.peek() {
                    let op = *op;
                    self.at += 1;
                    target = Some((op, self.concat()?));
                }
                Ok(if word == "print" {
                    Stmt::Print(args, target)
                } else {
                    Stmt::Printf(args, target)
                })
            }
            "delete" => {
                self.at += 1;
                let Token::Name(name) = self.next() else {
                    return Err(self.unexpected());
                };
                if self.eat("[") {
                    let index = self.list("]")?;
                    return Ok(Stmt::Delete(name, Some(index)));
                }
                Ok(Stmt::Delete(name, None))
            }
            _ => Ok(Stmt::Expr(self.expr()?)),
        }
    }

    fn print_args(&mut self) -> Parsed<Vec<Expr>> {
        let mut args = Vec::new();
        loop {
            match self.peek() {
                Token::Newline | Token::Op(";" | "}" | ">" | ">>" | "|") | Token::End => break,
                _ => args.push(self.expr()?),
            }
            if !self.eat(",") {
                break;
            }
            self.newlines();
        }
        Ok(args)
    }

    /// The place that `getline` sets.
    fn get_line_target(&mut self) -> Parsed<Option<Box<Expr>>> {
        Ok(match self.peek() {
            Token::Name(_) | Token::Op("$") => Some(Box::new(self.primary()?)),
            _ => None,
        })
    }

    /// Expressions up to a closing bracket.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut list = Vec::new();
        let (print, no_in) = (std::mem::take(&mut self.in_print), std::mem::take(&mut self.no_in));
        self.newlines();
        while !self.is(close) {
            list.push(self.expr()?);
            self.newlines();
            if !self.eat(",") {
                break;
            }
            self.newlines();
        }
        self.in_print = print;
        self.no_in = no_in;
        self.expect(close)?;
        Ok(list)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let expr = self.assign();
        self.depth -= 1;
        expr
    }

    fn assign(&mut self) -> Parsed<Expr> {
        let left = self.ternary()?;
        if matches!(left, Expr::Var(_) | Expr::Field(_) | Expr::Element(..)) {
            for op in ["=", "+=", "-=", "*=", "/=", "%=", "^="] {
                if self.eat(op) {
                    self.newlines();
                    let right = self.expr()?;
                    return Ok(Expr::Assign(Box::new(left), op, Box::new(right)));
                }
            }
        }
        Ok(left)
    }

    fn ternary(&mut self) -> Parsed<Expr> {
        let test = self.or()?;
        if !self.eat("?") {
            return Ok(test);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        let no = self.expr()?;
        Ok(Expr::Ternary(Box::new(test), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.eat("||") {
            self.newlines();
            left = Expr::Binary(Box::new(left), "||", Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.eat("&&") {
            self.newlines();
            left = Expr::Binary(Box::new(left), "&&", Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.is_name("in") {
            self.at += 1;
            let Token::Name(array) = self.next() else {
                return Err(self.unexpected());
            };
            let index = match left {
                Expr::Group(list) => list,
                one => vec![one],
            };
            left = Expr::In(index, array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negate = match self.peek() {
                Token::Op("~") => false,
                Token::Op("!~") => true,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Match(Box::new(left), negate, Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let mut left = self.concat()?;
        while self.is("|") && matches!(self.tokens.get(self.at + 1), Some(Token::Name(n)) if n == "getline") {
            self.at += 2;
            self.asks = true;
            left = Expr::GetLine(self.get_line_target()?, Source::Command(Box::new(left)));
        }
        for op in ["<=", ">=", "==", "!=", "<", ">"] {
            if op == ">" && self.in_print {
                continue;
            }
            if self.eat(op) {
                return Ok(Expr::Binary(Box::new(left), op, Box::new(self.concat()?)));
            }
        }
        Ok(left)
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let mut left = self.additive()?;
        loop {
            let starts = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Call(_) => true,
                Token::Name(n) => n != "in",
                Token::Op(o) => matches!(*o, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if !starts {
                return Ok(left);
            }
            left = Expr::Binary(Box::new(left), " ", Box::new(self.additive()?));
        }
    }

    fn additive(&mut self) -> Parsed<Expr> {
        let mut left = self.multiplicative()?;
        loop {
            let op = match self.peek() {
                Token::Op(op @ ("+" | "-")) => *op,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(Box::new(left), op, Box::new(self.multiplicative()?));
        }
    }

    fn multiplicative(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Token::Op(op @ ("*" | "/" | "%")) => *op,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(Box::new(left), op, Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let expr = match self.peek() {
            Token::Op(op @ ("!" | "-" | "+")) => {
                let op = *op;
                self.at += 1;
                Expr::Unary(op, Box::new(self.unary()?))
            }
            _ => self.power()?,
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.postfix()?;
        if self.eat("^") {
            return Ok(Expr::Binary(Box::new(base), "^", Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let expr = self.primary()?;
        if matches!(expr, Expr::Var(_) | Expr::Field(_) | Expr::Element(..)) {
            for (op, step) in [("++", 1.0), ("--", -1.0)] {
                if self.eat(op) {
                    return Ok(Expr::Step(Box::new(expr), step, false));
                }
            }
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.next() {
            Token::Number(n) => Ok(Expr::Number(n)),
            Token::Text(t) => Ok(Expr::Text(t)),
            Token::Regex(r) => Ok(Expr::Regex(Rc::new(CompiledRegex(Regex::new(&r, true, false)?, r)))),
            Token::Op("$") => {
                self.enter()?;
                let index = match self.peek() {
                    Token::Op(op @ ("++" | "--")) => {
                        let step = if *op == "++" { 1.0 } else { -1.0 };
                        self.at += 1;
                        Expr::Step(Box::new(self.primary()?), step, true)
                    }
                    Token::Op("-") => {
                        self.at += 1;
                        Expr::Unary("-", Box::new(self.primary()?))
                    }
                    _ => self.primary()?,
                };
                self.depth -= 1;
                Ok(Expr::Field(Box::new(index)))
            }
            Token::Op(op @ ("++" | "--")) => {
                let step = if op == "++" { 1.0 } else { -1.0 };
                Ok(Expr::Step(Box::new(self.primary()?), step, true))
            }
            Token::Op("(") => {
                let mut list = self.list(")")?;
                if list.len() == 1 {
                    // A bracketed variable is not a place for an assignment; it stays a value.
                    let inner = list.pop().unwrap_or(Expr::Number(0.0));
                    return Ok(Expr::Group(vec![inner]));
                }
                Ok(Expr::Group(list))
            }
            Token::Name(name) if name == "getline" => {
                let target = self.get_line_target()?;
                if self.eat("<") {
                    self.asks = true;
                    return Ok(Expr::GetLine(target, Source::File(Box::new(self.postfix()?))));
                }
                self.gets += 1;
                Ok(Expr::GetLine(target, Source::Main))
            }
            Token::Name(name) => {
                if self.eat("[") {
                    return Ok(Expr::Element(name, self.list("]")?));
                }
                if name == "length" {
                    return Ok(Expr::Call(name, Vec::new()));
                }
                Ok(Expr::Var(name))
            }
            Token::Call(name) => {
                self.expect("(")?;
                let args = self.list(")")?;
                self.asks |= name == "system" || name == "close";
                if !KNOWN.contains(&name.as_str()) {
                    self.called.push(name.clone());
                    return Ok(Expr::User(name, args));
                }
                Ok(Expr::Call(name, args))
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }
}
