//! `awk`: patterns, actions, arrays, functions, files and commands.
//!
//! Expressions are computed without waiting. One that needs another process (`system()`, `getline` of
//! a file or a command, `close()` of a pipe) stops its rule with [`Flow::Ask`]; the caller gets the
//! answer, takes the machine back to where the rule began and runs the rule again with the answers so
//! far. What the rule has already written is not written again.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::host::Context;
use super::super::io::{Input, Output};
use super::super::regex::Regex;
use super::super::words::{self, Escapes};
use super::options;
use super::printf::leading_number;
use crate::flat::{Arrange, Case, FlatMap};
use crate::limits;
use crate::value::{float, math};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    Name(String),
    /// A name right before `(`.
    Call(String),
    Op(&'static str),
    Newline,
    End,
}

#[derive(Debug)]
enum Expr {
    Number(f64),
    Text(String),
    Regex(Rc<CompiledRegex>),
    Var(String),
    Field(Box<Expr>),
    Element(String, Vec<Expr>),
    Assign(Box<Expr>, &'static str, Box<Expr>),
    Unary(&'static str, Box<Expr>),
    Step(Box<Expr>, f64, bool),
    Binary(Box<Expr>, &'static str, Box<Expr>),
    Match(Box<Expr>, bool, Box<Expr>),
    In(Vec<Expr>, String),
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    Group(Vec<Expr>),
    GetLine(Option<Box<Expr>>, Source),
    /// A call of a function of the user's own.
    User(String, Vec<Expr>),
}

/// Where `getline` reads from.
#[derive(Debug)]
enum Source {
    Main,
    File(Box<Expr>),
    Command(Box<Expr>),
}

/// A function of the user's own: its parameters and body.
type Function = Rc<(Vec<String>, Stmt)>;

/// Where `print` writes to: the operator and its operand.
type Target = Option<(&'static str, Expr)>;

const KNOWN: &[&str] = &[
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "toupper", "tolower", "int", "sqrt",
    "exp", "log", "sin", "cos", "atan2", "rand", "srand", "systime", "strftime", "close", "fflush", "system",
];

struct CompiledRegex(Regex, String);

impl std::fmt::Debug for CompiledRegex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

#[derive(Debug)]
enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Target),
    Printf(Vec<Expr>, Target),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(Option<Box<Stmt>>, Option<Expr>, Option<Box<Stmt>>, Box<Stmt>),
    ForIn(String, String, Box<Stmt>),
    Block(Vec<Stmt>),
    Delete(String, Option<Vec<Expr>>),
    Next,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
}

enum Pattern {
    Begin,
    End,
    Always,
    Expr(Expr),
    Range(Expr, Expr),
}

struct Rule {
    pattern: Pattern,
    /// `None` prints the record.
    action: Option<Stmt>,
    /// How many times it takes records of the input by itself (`getline`).
    gets: usize,
}

const OPS: &[&str] = &[
    "**=", "&&", "||", "==", "!=", "<=", ">=", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", ">>", "**", "!~", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
];

fn lex(source: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut i = 0;
    'next: while let Some(c) = chars.get(i).copied() {
        match c {
            ' ' | '\t' | '\r' => i += 1,
            '\\' if chars.get(i + 1) == Some(&'\n') => i += 2,
            '#' => {
                while chars.get(i).is_some_and(|c| *c != '\n') {
                    i += 1;
                }
            }
            '\n' => {
                tokens.push(Token::Newline);
                i += 1;
            }
            '"' => {
                let mut text = String::new();
                i += 1;
                loop {
                    match chars.get(i) {
                        None | Some('\n') => return Err("unterminated string".to_owned()),
                        Some('"') => break,
                        Some('\\') => {
                            match chars.get(i + 1) {
                                Some('"') => text.push('"'),
                                Some('/') => text.push('/'),
                                Some(c) => {
                                    text.push('\\');
                                    text.push(*c);
                                }
                                None => {}
                            }
                            i += 2;
                        }
                        Some(c) => {
                            text.push(*c);
                            i += 1;
                        }
                    }
                }
                i += 1;
                tokens.push(Token::Text(
                    String::from_utf8_lossy(&words::unescape(&text, Escapes::Printf)).into_owned(),
                ));
            }
            '/' if regex_may_follow(tokens.last()) => {
                let mut text = String::new();
                let mut bracket = false;
                i += 1;
                loop {
                    match chars.get(i) {
                        None | Some('\n') => return Err("unterminated regexp".to_owned()),
                        Some('/') if !bracket => break,
                        Some('\\') => {
                            if chars.get(i + 1) != Some(&'/') {
                                text.push('\\');
                            }
                            text.extend(chars.get(i + 1));
                            i += 2;
                        }
                        Some(c) => {
                            if *c == '[' {
                                bracket = true;
                            } else if *c == ']' {
                                bracket = false;
                            }
                            text.push(*c);
                            i += 1;
                        }
                    }
                }
                i += 1;
                tokens.push(Token::Regex(text));
            }
            c if c.is_ascii_digit() || (c == '.' && chars.get(i + 1).is_some_and(char::is_ascii_digit)) => {
                let start = i;
                while chars.get(i).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                    i += 1;
                }
                if matches!(chars.get(i), Some('e' | 'E')) {
                    let sign = usize::from(matches!(chars.get(i + 1), Some('+' | '-')));
                    if chars.get(i + 1 + sign).is_some_and(char::is_ascii_digit) {
                        i += 1 + sign;
                        while chars.get(i).is_some_and(char::is_ascii_digit) {
                            i += 1;
                        }
                    }
                }
                let text: String = chars.get(start..i).unwrap_or_default().iter().collect();
                tokens.push(Token::Number(leading_number(&text)));
            }
            c if c == '_' || c.is_ascii_alphabetic() => {
                let start = i;
                while chars.get(i).is_some_and(|c| *c == '_' || c.is_ascii_alphanumeric()) {
                    i += 1;
                }
                let name: String = chars.get(start..i).unwrap_or_default().iter().collect();
                if KNOWN.contains(&name.as_str()) {
                    let blanks = chars.iter().skip(i).take_while(|c| **c == ' ').count();
                    if chars.get(i + blanks) == Some(&'(') {
                        i += blanks;
                    }
                }
                if chars.get(i) == Some(&'(') {
                    tokens.push(Token::Call(name));
                } else {
                    tokens.push(Token::Name(name));
                }
            }
            _ => {
                for op in OPS {
                    if op.chars().enumerate().all(|(n, c)| chars.get(i + n) == Some(&c)) {
                        let op = match *op {
                            "**" => "^",
                            "**=" => "^=",
                            op => op,
                        };
                        i += if op == "^" || op == "^=" {
                            if chars.get(i) == Some(&'*') {
                                op.len() + 1
                            } else {
                                op.len()
                            }
                        } else {
                            op.len()
                        };
                        tokens.push(Token::Op(op));
                        continue 'next;
                    }
                }
                return Err(format!("unexpected character '{c}'"));
            }
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

fn regex_may_follow(last: Option<&Token>) -> bool {
    !matches!(
        last,
        Some(Token::Number(_) | Token::Text(_) | Token::Name(_) | Token::Op(")" | "]" | "$" | "++" | "--"))
    )
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Inside `print …`, where `>` is a redirection.
    in_print: bool,
    /// Inside `for (…`, where `in` belongs to the loop.
    no_in: bool,
    functions: FlatMap<String, Function>,
    /// Names of functions that were called.
    called: Vec<String>,
    /// Whether the program asks anything of other processes or files.
    asks: bool,
    /// How many times it takes a record of the input by itself.
    gets: usize,
}

type Parsed<T> = Result<T, String>;

impl Parser {
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

    fn program(&mut self) -> Parsed<Vec<Rule>> {
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

/// A value: a number, a text, or a text that came from input and counts as a number if it looks so.
#[derive(Clone, Debug)]
enum Value {
    Number(f64),
    Text(String),
    Input(String),
    Unset,
}

fn looks_numeric(text: &str) -> bool {
    let t = text.trim();
    !t.is_empty() && float::parse(t).is_some() && t.ends_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn number_text(n: f64, format: &str) -> String {
    if n.fract() == 0.0 && n.abs() < 1e16 {
        return format!("{}", n as i64);
    }
    let (bytes, _) = super::printf::format(format, &[n.to_string()], crate::sim::Time::default());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Value {
    fn number(&self) -> f64 {
        match self {
            Value::Number(n) => *n,
            Value::Text(t) | Value::Input(t) => leading_number(t),
            Value::Unset => 0.0,
        }
    }

    fn text(&self, format: &str) -> String {
        match self {
            Value::Number(n) => number_text(*n, format),
            Value::Text(t) | Value::Input(t) => t.clone(),
            Value::Unset => String::new(),
        }
    }

    fn truth(&self) -> bool {
        match self {
            Value::Number(n) => *n != 0.0,
            Value::Text(t) => !t.is_empty(),
            Value::Input(t) => {
                if looks_numeric(t) {
                    leading_number(t) != 0.0
                } else {
                    !t.is_empty()
                }
            }
            Value::Unset => false,
        }
    }

    fn is_numeric(&self) -> bool {
        match self {
            Value::Number(_) | Value::Unset => true,
            Value::Input(t) => looks_numeric(t),
            Value::Text(_) => false,
        }
    }
}

enum Flow {
    Next,
    Exit(i32),
    Break,
    Continue,
    Return(Value),
    Error(String),
    /// The rule cannot go on before this is answered.
    Ask(Question),
}

/// What an expression asks of the world outside.
enum Question {
    /// Run this, with this text as its input if there is one: the exit code.
    Run(String, Option<String>),
    /// What this command prints.
    Output(String),
    /// A file's text.
    File(String),
}

type Done<T> = Result<T, Flow>;

/// The names of a function's parameters for this call: of the variable, and of the array.
type Frame = FlatMap<String, (String, String)>;

#[derive(Clone)]
struct Machine<'a> {
    c: &'a Context,
    vars: FlatMap<String, Value>,
    arrays: FlatMap<String, FlatMap<String, Value>>,
    /// `$1`, …; rebuilt lazily from the record.
    fields: Vec<String>,
    record: String,
    outputs: FlatMap<String, Output>,
    steps: usize,
    regexes: FlatMap<String, Rc<CompiledRegex>>,
    /// Records that came in but were not asked for yet (`getline`).
    ahead: VecDeque<String>,
    functions: Rc<FlatMap<String, Function>>,
    frame: Frame,
    calls: usize,
    /// Files and commands that `getline` reads.
    readers: FlatMap<String, VecDeque<String>>,
    /// What was printed for commands that run when they are closed.
    pipes: FlatMap<String, String>,
    /// Which ranges of patterns are open, by rule.
    open: Vec<bool>,
    /// The answers so far in this rule, and how many of them this run of it has used.
    answers: Vec<Option<String>>,
    used: usize,
    /// Writes of this run of the rule, and of all its runs.
    wrote: usize,
    written: usize,
}

/// The records of a text.
fn split_records(text: &str, separator: &str) -> VecDeque<String> {
    if separator == "\n" {
        text.lines().map(str::to_owned).collect()
    } else if separator.is_empty() {
        text.trim_matches('\n')
            .split("\n\n")
            .map(|p| p.trim_matches('\n').to_owned())
            .filter(|p| !p.is_empty())
            .collect()
    } else {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.split(separator).map(str::to_owned).collect()
    }
}

impl Machine<'_> {
    fn fail<T>(&self, message: impl Into<String>) -> Done<T> {
        Err(Flow::Error(message.into()))
    }

    fn var_text(&self, name: &str) -> String {
        self.vars.get(name).map(|v| v.text("%.6g")).unwrap_or_default()
    }

    fn convfmt(&self) -> String {
        match self.vars.get("CONVFMT") {
            Some(Value::Text(t)) => t.clone(),
            _ => "%.6g".to_owned(),
        }
    }

    fn text(&self, value: &Value) -> String {
        match value {
            Value::Number(n) if n.fract() != 0.0 => value.text(&self.convfmt()),
            value => value.text("%.6g"),
        }
    }

    /// The name under which a variable is kept.
    fn scalar(&self, name: &str) -> String {
        self.frame.get(name).map_or(name, |f| f.0.as_str()).to_owned()
    }

    /// The name under which an array is kept.
    fn array(&self, name: &str) -> String {
        self.frame.get(name).map_or(name, |f| f.1.as_str()).to_owned()
    }

    fn ask(&mut self, question: impl FnOnce() -> Question) -> Done<Option<String>> {
        let answer = self.answers.get(self.used).cloned();
        self.used += 1;
        answer.ok_or_else(|| Flow::Ask(question()))
    }

    fn write(&mut self, output: &Output, text: String) {
        self.wrote += 1;
        if self.wrote > self.written {
            self.written = self.wrote;
            output.write(text);
        }
    }

    fn put(&mut self, target: &Target, text: String) -> Done<()> {
        if let Some(("|", command)) = target {
            let value = self.eval(command)?;
            let pipe = self.pipes.entry(self.text(&value)).or_default();
            pipe.push_str(&text);
            if pipe.len() > limits::SHELL_WORD_BYTES {
                return self.fail("too much was printed for a command");
            }
            return Ok(());
        }
        let output = self.output(target)?;
        self.write(&output, text);
        Ok(())
    }

    fn get_line(&mut self, target: &Option<Box<Expr>>, source: &Source) -> Done<f64> {
        let line = match source {
            Source::Main => self.ahead.pop_front(),
            Source::File(expr) | Source::Command(expr) => {
                let value = self.eval(expr)?;
                let name = self.text(&value);
                if !self.readers.contains_key(&name) {
                    let answer = self.ask(|| match source {
                        Source::File(_) => Question::File(name.clone()),
                        _ => Question::Output(name.clone()),
                    })?;
                    let Some(text) = answer else { return Ok(-1.0) };
                    let records = split_records(&text, &self.var_text("RS"));
                    self.readers.insert(name.clone(), records);
                }
                self.readers.get_mut(&name).and_then(VecDeque::pop_front)
            }
        };
        let Some(line) = line else { return Ok(0.0) };
        match target {
            Some(target) => self.assign(target, Value::Input(line))?,
            None => self.set_record(line)?,
        }
        match source {
            Source::Main => self.count_record(&["NR", "FNR"]),
            Source::Command(_) => self.count_record(&["NR"]),
            Source::File(_) => {}
        }
        Ok(1.0)
    }

    /// Calls a function of the user's own: variables by value, arrays by name.
    fn call_user(&mut self, name: &str, args: &[Expr]) -> Done<Value> {
        let Some(function) = self.functions.get(name).cloned() else {
            return self.fail(format!("function {name} never defined"));
        };
        if self.calls >= limits::SHELL_DEPTH {
            return self.fail(format!(
                "{name}: functions are nested deeper than {}",
                limits::SHELL_DEPTH
            ));
        }
        let (parameters, body) = &*function;
        let mut frame = Frame::new();
        let mut own = Vec::new();
        for (i, parameter) in parameters.iter().enumerate() {
            let local = format!("{parameter}\0{}", self.calls);
            let mut array = local.clone();
            let value = match args.get(i) {
                Some(expr) => {
                    if let Expr::Var(name) = expr {
                        array = self.array(name);
                    }
                    self.eval(expr)?
                }
                None => Value::Unset,
            };
            own.push((local.clone(), value));
            frame.insert(parameter.clone(), (local, array));
        }
        for (local, value) in &own {
            self.vars.insert(local.clone(), value.clone());
        }
        let outer = std::mem::replace(&mut self.frame, frame);
        self.calls += 1;
        let result = self.exec(body);
        self.calls -= 1;
        self.frame = outer;
        for (local, _) in &own {
            self.vars.remove(local);
            self.arrays.remove(local);
        }
        match result {
            Ok(()) => Ok(Value::Unset),
            Err(Flow::Return(value)) => Ok(value),
            Err(flow) => Err(flow),
        }
    }

    fn set_record(&mut self, record: String) -> Done<()> {
        self.record = record;
        self.split_record()
    }

    fn split_record(&mut self) -> Done<()> {
        let separator = self.var_text("FS");
        self.fields = self.split_text(&self.record.clone(), &separator)?;
        self.vars
            .insert("NF".to_owned(), Value::Number(self.fields.len() as f64));
        Ok(())
    }

    fn split_text(&mut self, text: &str, separator: &str) -> Done<Vec<String>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        if separator == " " {
            return Ok(text.split_whitespace().map(str::to_owned).collect());
        }
        if separator.is_empty() {
            return Ok(text.chars().map(String::from).collect());
        }
        let mut one = separator.chars();
        if let (Some(c), None) = (one.next(), one.next())
            && c != '\\'
        {
            return Ok(text.split(c).map(str::to_owned).collect());
        }
        let regex = self.regex(separator)?;
        let mut out = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some((a, b)) = regex.0.find_at(text, at) {
            if b > a {
                out.push(text.get(from..a).unwrap_or_default().to_owned());
                from = b;
                at = b;
            } else {
                at = b + text.get(b..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
            }
            if at > text.len() {
                break;
            }
        }
        out.push(text.get(from..).unwrap_or_default().to_owned());
        Ok(out)
    }

    fn regex(&mut self, source: &str) -> Done<Rc<CompiledRegex>> {
        if let Some(regex) = self.regexes.get(source) {
            return Ok(regex.clone());
        }
        match Regex::new(source, true, false) {
            Ok(regex) => {
                let regex = Rc::new(CompiledRegex(regex, source.to_owned()));
                if self.regexes.len() < 1_000 {
                    self.regexes.insert(source.to_owned(), regex.clone());
                }
                Ok(regex)
            }
            Err(message) => self.fail(format!("{source}: {message}")),
        }
    }

    fn regex_of(&mut self, expr: &Expr) -> Done<Rc<CompiledRegex>> {
        match expr {
            Expr::Regex(regex) => Ok(regex.clone()),
            expr => {
                let value = self.eval(expr)?;
                let text = self.text(&value);
                self.regex(&text)
            }
        }
    }

    fn rebuild(&mut self) {
        self.record = self.fields.join(&self.var_text("OFS"));
        self.vars
            .insert("NF".to_owned(), Value::Number(self.fields.len() as f64));
    }

    fn assign(&mut self, target: &Expr, value: Value) -> Done<()> {
        match target {
            Expr::Var(name) => {
                if name == "NF" {
                    let n = value.number().clamp(0.0, limits::SHELL_WORDS as f64) as usize;
                    self.fields.resize(n, String::new());
                    self.rebuild();
                    return Ok(());
                }
                if self.vars.len() > limits::SHELL_WORDS {
                    return self.fail("too many variables");
                }
                let name = self.scalar(name);
                self.vars.insert(name, value);
            }
            Expr::Field(index) => {
                let n = self.eval(index)?.number();
                if n < 0.0 {
                    return self.fail("attempt to access field -1");
                }
                let text = self.text(&value);
                if n < 1.0 {
                    return self.set_record(text);
                }
                let n = n as usize;
                if n > limits::SHELL_WORDS {
                    return self.fail("a field's number is too large");
                }
                if self.fields.len() < n {
                    self.fields.resize(n, String::new());
                }
                if let Some(slot) = self.fields.get_mut(n - 1) {
                    *slot = text;
                }
                self.rebuild();
            }
            Expr::Element(name, index) => {
                let key = self.key(index)?;
                let array = self.arrays.entry(self.array(name)).or_default();
                if array.len() >= limits::SHELL_WORDS {
                    return self.fail(format!("{name}: more than {} elements", limits::SHELL_WORDS));
                }
                array.insert(key, value);
            }
            Expr::Group(inner) if inner.len() == 1 => {
                if let Some(inner) = inner.first() {
                    self.assign(inner, value)?;
                }
            }
            _ => return self.fail("assignment to something that cannot be assigned"),
        }
        Ok(())
    }

    fn key(&mut self, index: &[Expr]) -> Done<String> {
        let mut parts = Vec::new();
        for expr in index {
            let value = self.eval(expr)?;
            parts.push(self.text(&value));
        }
        Ok(parts.join("\x1c"))
    }

    fn compare(&self, a: &Value, op: &str, b: &Value) -> bool {
        let order = if a.is_numeric() && b.is_numeric() {
            a.number().partial_cmp(&b.number())
        } else {
            Some(self.text(a).cmp(&self.text(b)))
        };
        use std::cmp::Ordering::{Equal, Greater, Less};
        match op {
            "<" => order == Some(Less),
            "<=" => matches!(order, Some(Less | Equal)),
            ">" => order == Some(Greater),
            ">=" => matches!(order, Some(Greater | Equal)),
            "==" => order == Some(Equal),
            _ => order != Some(Equal),
        }
    }

    fn arith(&self, a: f64, op: &str, b: f64) -> Done<f64> {
        Ok(match op {
            "+" | "+=" => a + b,
            "-" | "-=" => a - b,
            "*" | "*=" => a * b,
            "/" | "/=" => {
                if b == 0.0 {
                    return self.fail("division by zero");
                }
                a / b
            }
            "%" | "%=" => {
                if b == 0.0 {
                    return self.fail("division by zero in %");
                }
                a % b
            }
            _ => math::pow(a, b),
        })
    }

    fn eval(&mut self, expr: &Expr) -> Done<Value> {
        self.steps += 1;
        if self.steps > 5_000_000 {
            return self.fail("the program ran too long on one record");
        }
        Ok(match expr {
            Expr::Number(n) => Value::Number(*n),
            Expr::Text(t) => Value::Text(t.clone()),
            Expr::Regex(regex) => Value::Number(f64::from(u8::from(regex.0.is_match(&self.record)))),
            Expr::Var(name) => {
                let name = self.frame.get(name).map_or(name, |f| &f.0);
                self.vars.get(name).cloned().unwrap_or(Value::Unset)
            }
            Expr::Group(list) => {
                let mut value = Value::Unset;
                for e in list {
                    value = self.eval(e)?;
                }
                value
            }
            Expr::Field(index) => {
                let n = self.eval(index)?.number();
                if n < 0.0 {
                    return self.fail(format!("attempt to access field {n}"));
                }
                if n < 1.0 {
                    Value::Input(self.record.clone())
                } else {
                    match self.fields.get(n as usize - 1) {
                        Some(text) => Value::Input(text.clone()),
                        None => Value::Unset,
                    }
                }
            }
            Expr::Element(name, index) => {
                let key = self.key(index)?;
                let array = self.arrays.entry(self.array(name)).or_default();
                if array.len() >= limits::SHELL_WORDS {
                    return self.fail(format!("{name}: more than {} elements", limits::SHELL_WORDS));
                }
                array.entry(key).or_insert(Value::Unset).clone()
            }
            Expr::Assign(target, op, value) => {
                let mut value = self.eval(value)?;
                if *op != "=" {
                    let old = self.eval(target)?.number();
                    value = Value::Number(self.arith(old, op, value.number())?);
                }
                self.assign(target, value.clone())?;
                value
            }
            Expr::Unary(op, inner) => {
                let value = self.eval(inner)?;
                Value::Number(match *op {
                    "!" => f64::from(u8::from(!value.truth())),
                    "-" => -value.number(),
                    _ => value.number(),
                })
            }
            Expr::Step(target, step, before) => {
                let old = self.eval(target)?.number();
                self.assign(target, Value::Number(old + step))?;
                Value::Number(if *before { old + step } else { old })
            }
            Expr::Binary(a, "&&", b) => {
                let truth = self.eval(a)?.truth() && self.eval(b)?.truth();
                Value::Number(f64::from(u8::from(truth)))
            }
            Expr::Binary(a, "||", b) => {
                let truth = self.eval(a)?.truth() || self.eval(b)?.truth();
                Value::Number(f64::from(u8::from(truth)))
            }
            Expr::Binary(a, " ", b) => {
                let a = self.eval(a)?;
                let b = self.eval(b)?;
                let text = self.text(&a) + &self.text(&b);
                if text.len() > limits::SHELL_WORD_BYTES {
                    return self.fail("a text is too long");
                }
                Value::Text(text)
            }
            Expr::Binary(a, op @ ("<" | "<=" | ">" | ">=" | "==" | "!="), b) => {
                let a = self.eval(a)?;
                let b = self.eval(b)?;
                Value::Number(f64::from(u8::from(self.compare(&a, op, &b))))
            }
            Expr::Binary(a, op, b) => {
                let a = self.eval(a)?.number();
                let b = self.eval(b)?.number();
                Value::Number(self.arith(a, op, b)?)
            }
            Expr::Match(text, negate, pattern) => {
                let value = self.eval(text)?;
                let text = self.text(&value);
                let regex = self.regex_of(pattern)?;
                Value::Number(f64::from(u8::from(regex.0.is_match(&text) != *negate)))
            }
            Expr::In(index, array) => {
                let key = self.key(index)?;
                let found = self
                    .arrays
                    .get(&self.array(array))
                    .is_some_and(|a| a.contains_key(&key));
                Value::Number(f64::from(u8::from(found)))
            }
            Expr::Ternary(test, yes, no) => {
                if self.eval(test)?.truth() {
                    self.eval(yes)?
                } else {
                    self.eval(no)?
                }
            }
            Expr::GetLine(target, source) => Value::Number(self.get_line(target, source)?),
            Expr::User(name, args) => self.call_user(name, args)?,
            Expr::Call(name, args) => self.call(name, args)?,
        })
    }

    fn count_record(&mut self, names: &[&str]) {
        for name in names {
            let n = self.vars.get(*name).map_or(0.0, Value::number);
            self.vars.insert((*name).to_owned(), Value::Number(n + 1.0));
        }
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Done<Value> {
        let text_at = |m: &mut Self, i: usize| -> Done<String> {
            match args.get(i) {
                Some(e) => {
                    let value = m.eval(e)?;
                    Ok(m.text(&value))
                }
                None => Ok(String::new()),
            }
        };
        let number_at = |m: &mut Self, i: usize| -> Done<f64> {
            match args.get(i) {
                Some(e) => Ok(m.eval(e)?.number()),
                None => Ok(0.0),
            }
        };
        Ok(match name {
            "length" => match args.first() {
                None => Value::Number(self.record.chars().count() as f64),
                Some(Expr::Var(name)) if self.arrays.contains_key(&self.array(name)) => {
                    Value::Number(self.arrays.get(&self.array(name)).map_or(0, FlatMap::len) as f64)
                }
                Some(_) => Value::Number(text_at(self, 0)?.chars().count() as f64),
            },
            "substr" => {
                let text: Vec<char> = text_at(self, 0)?.chars().collect();
                let start = number_at(self, 1)?.round();
                let end = match args.get(2) {
                    Some(_) => start + number_at(self, 2)?.round(),
                    None => f64::INFINITY,
                };
                let from = start.max(1.0).min(text.len() as f64 + 1.0) as usize - 1;
                let to = (end.max(1.0).min(text.len() as f64 + 1.0) as usize - 1).max(from);
                Value::Text(text.get(from..to).unwrap_or_default().iter().collect())
            }
            "index" => {
                let text = text_at(self, 0)?;
                let what = text_at(self, 1)?;
                let at = text
                    .find(&what)
                    .map_or(0, |i| text.get(..i).unwrap_or_default().chars().count() + 1);
                Value::Number(at as f64)
            }
            "split" => {
                let text = text_at(self, 0)?;
                let Some(Expr::Var(array)) = args.get(1) else {
                    return self.fail("split: the second argument is not an array");
                };
                let parts = match args.get(2) {
                    Some(Expr::Regex(regex)) => {
                        let source = regex.1.clone();
                        // A regular expression of one space is not the default separator.
                        let source = if source == " " { "[ ]".to_owned() } else { source };
                        self.split_text(&text, &source)?
                    }
                    Some(_) => {
                        let separator = text_at(self, 2)?;
                        self.split_text(&text, &separator)?
                    }
                    None => {
                        let separator = self.var_text("FS");
                        self.split_text(&text, &separator)?
                    }
                };
                let count = parts.len();
                let map = parts
                    .into_iter()
                    .enumerate()
                    .map(|(i, p)| ((i + 1).to_string(), Value::Input(p)))
                    .collect();
                let array = self.array(array);
                self.arrays.insert(array, map);
                Value::Number(count as f64)
            }
            "sub" | "gsub" => {
                let Some(pattern) = args.first() else {
                    return self.fail(format!("{name}: no pattern"));
                };
                let regex = self.regex_of(pattern)?;
                let with: Vec<char> = text_at(self, 1)?.chars().collect();
                let whole = Expr::Field(Box::new(Expr::Number(0.0)));
                let target = args.get(2).unwrap_or(&whole);
                let value = self.eval(target)?;
                let text = self.text(&value);
                let mut out = String::new();
                let (mut at, mut count) = (0, 0);
                let mut last_end = None;
                while at <= text.len() {
                    let Some((a, b)) = regex.0.find_at(&text, at) else {
                        break;
                    };
                    out.push_str(text.get(at..a).unwrap_or_default());
                    if !(a == b && last_end == Some(a)) {
                        count += 1;
                        let mut i = 0;
                        while let Some(c) = with.get(i) {
                            match (c, with.get(i + 1)) {
                                ('\\', Some('&')) => {
                                    out.push('&');
                                    i += 1;
                                }
                                ('\\', Some('\\')) => {
                                    out.push('\\');
                                    i += 1;
                                }
                                ('&', _) => out.push_str(text.get(a..b).unwrap_or_default()),
                                (c, _) => out.push(*c),
                            }
                            i += 1;
                        }
                    }
                    last_end = Some(b);
                    at = b;
                    if a == b {
                        let next = text.get(b..).and_then(|t| t.chars().next());
                        out.extend(next);
                        at += next.map_or(1, char::len_utf8);
                    }
                    if name == "sub" || out.len() > limits::SHELL_WORD_BYTES {
                        break;
                    }
                }
                out.push_str(text.get(at..).unwrap_or_default());
                if count > 0 {
                    self.assign(target, Value::Text(out))?;
                }
                Value::Number(f64::from(count))
            }
            "match" => {
                let text = text_at(self, 0)?;
                let Some(pattern) = args.get(1) else {
                    return self.fail("match: no pattern");
                };
                let regex = self.regex_of(pattern)?;
                let (start, length) = match regex.0.find_at(&text, 0) {
                    Some((a, b)) => (
                        text.get(..a).unwrap_or_default().chars().count() as f64 + 1.0,
                        text.get(a..b).unwrap_or_default().chars().count() as f64,
                    ),
                    None => (0.0, -1.0),
                };
                self.vars.insert("RSTART".to_owned(), Value::Number(start));
                self.vars.insert("RLENGTH".to_owned(), Value::Number(length));
                Value::Number(start)
            }
            "sprintf" => Value::Text(self.format(args)?),
            "toupper" => Value::Text(text_at(self, 0)?.upper()),
            "tolower" => Value::Text(text_at(self, 0)?.lower()),
            "int" => Value::Number(number_at(self, 0)?.trunc()),
            "sqrt" => Value::Number(number_at(self, 0)?.sqrt()),
            "exp" => Value::Number(math::exp(number_at(self, 0)?)),
            "log" => Value::Number(math::ln(number_at(self, 0)?)),
            "sin" => Value::Number(math::sin(number_at(self, 0)?)),
            "cos" => Value::Number(math::cos(number_at(self, 0)?)),
            "atan2" => Value::Number(math::atan2(number_at(self, 0)?, number_at(self, 1)?)),
            "rand" => Value::Number(self.c.sim.random_below(1 << 30) as f64 / f64::from(1 << 30)),
            "srand" => Value::Number(0.0),
            "systime" => Value::Number(self.c.sim.now().as_secs() as f64),
            "strftime" => {
                let format = text_at(self, 0)?;
                let when = match args.get(1) {
                    Some(_) => crate::sim::Time::from_secs(number_at(self, 1)?.max(0.0) as u64),
                    None => self.c.sim.now(),
                };
                Value::Text(super::date::strftime(&format, when))
            }
            "system" => {
                let command = text_at(self, 0)?;
                let code = self.ask(|| Question::Run(command, None))?.unwrap_or_default();
                Value::Number(leading_number(&code))
            }
            "close" => {
                let name = text_at(self, 0)?;
                let mut known = self.outputs.remove(&name).is_some();
                known |= self.readers.remove(&name).is_some();
                if let Some(text) = self.pipes.remove(&name) {
                    let code = self.ask(|| Question::Run(name, Some(text)))?.unwrap_or_default();
                    return Ok(Value::Number(leading_number(&code)));
                }
                Value::Number(if known { 0.0 } else { -1.0 })
            }
            _ => Value::Number(0.0),
        })
    }

    fn format(&mut self, args: &[Expr]) -> Done<String> {
        let mut texts = Vec::new();
        for (i, expr) in args.iter().enumerate() {
            let value = self.eval(expr)?;
            // Numbers reach a conversion in full.
            texts.push(match value {
                Value::Number(n) if i > 0 => n.to_string(),
                value => self.text(&value),
            });
        }
        let Some((format, values)) = texts.split_first() else {
            return self.fail("no arguments in call to printf");
        };
        Ok(awk_format(format, values))
    }

    fn output(&mut self, target: &Target) -> Done<Output> {
        let Some((op, expr)) = target else {
            return Ok(self.c.stdout.clone());
        };
        let value = self.eval(expr)?;
        let path = self.text(&value);
        if let Some(output) = self.outputs.get(&path) {
            return Ok(output.clone());
        }
        // A file that an earlier run of the rule has begun is not begun anew.
        match self.c.create(&path, *op == ">>" || self.wrote < self.written) {
            Ok(output) => {
                self.outputs.insert(path, output.clone());
                Ok(output)
            }
            Err(error) => self.fail(format!("cannot open \"{path}\" for output ({error})")),
        }
    }

    fn exec(&mut self, stmt: &Stmt) -> Done<()> {
        self.steps += 1;
        if self.steps > 5_000_000 {
            return self.fail("the program ran too long on one record");
        }
        match stmt {
            Stmt::Expr(expr) => {
                self.eval(expr)?;
            }
            Stmt::Print(args, target) => {
                let line = if args.is_empty() {
                    self.record.clone()
                } else {
                    let ofmt = match self.vars.get("OFMT") {
                        Some(Value::Text(t)) => t.clone(),
                        _ => "%.6g".to_owned(),
                    };
                    let mut parts = Vec::new();
                    for expr in args {
                        parts.push(self.eval(expr)?.text(&ofmt));
                    }
                    parts.join(&self.var_text("OFS"))
                };
                let end = self.var_text("ORS");
                self.put(target, line + &end)?;
            }
            Stmt::Printf(args, target) => {
                let text = self.format(args)?;
                self.put(target, text)?;
            }
            Stmt::If(test, yes, no) => {
                if self.eval(test)?.truth() {
                    self.exec(yes)?;
                } else if let Some(no) = no {
                    self.exec(no)?;
                }
            }
            Stmt::While(test, body) => {
                while self.eval(test)?.truth() {
                    if self.turn(body)? {
                        break;
                    }
                }
            }
            Stmt::Do(body, test) => loop {
                if self.turn(body)? || !self.eval(test)?.truth() {
                    break;
                }
            },
            Stmt::For(init, test, step, body) => {
                if let Some(init) = init {
                    self.exec(init)?;
                }
                loop {
                    if let Some(test) = test
                        && !self.eval(test)?.truth()
                    {
                        break;
                    }
                    if self.turn(body)? {
                        break;
                    }
                    if let Some(step) = step {
                        self.exec(step)?;
                    }
                }
            }
            Stmt::ForIn(name, array, body) => {
                let mut keys: Vec<String> = self
                    .arrays
                    .get(&self.array(array))
                    .map(|a| a.keys().cloned().collect())
                    .unwrap_or_default();
                // The real order is the hash table's; numbers in their order are what people expect.
                keys.arrange_by(|a, b| match (a.parse::<i64>(), b.parse::<i64>()) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    _ => a.cmp(b),
                });
                for key in keys {
                    self.vars.insert(name.clone(), Value::Input(key));
                    if self.turn(body)? {
                        break;
                    }
                }
            }
            Stmt::Block(list) => {
                for stmt in list {
                    self.exec(stmt)?;
                }
            }
            Stmt::Delete(name, None) => {
                let name = self.array(name);
                self.arrays.remove(&name);
            }
            Stmt::Delete(name, Some(index)) => {
                let key = self.key(index)?;
                let name = self.array(name);
                if let Some(array) = self.arrays.get_mut(&name) {
                    array.remove(&key);
                }
            }
            Stmt::Return(value) => {
                let value = match value {
                    Some(expr) => self.eval(expr)?,
                    None => Value::Unset,
                };
                return Err(Flow::Return(value));
            }
            Stmt::Next => return Err(Flow::Next),
            Stmt::Break => return Err(Flow::Break),
            Stmt::Continue => return Err(Flow::Continue),
            Stmt::Exit(code) => {
                let code = match code {
                    Some(expr) => self.eval(expr)?.number() as i32,
                    None => self.vars.get("\0code").map_or(0, |v| v.number() as i32),
                };
                self.vars.insert("\0code".to_owned(), Value::Number(f64::from(code)));
                return Err(Flow::Exit(code));
            }
        }
        Ok(())
    }

    /// One turn of a loop; `true` leaves it.
    fn turn(&mut self, body: &Stmt) -> Done<bool> {
        match self.exec(body) {
            Ok(()) | Err(Flow::Continue) => Ok(false),
            Err(Flow::Break) => Ok(true),
            Err(flow) => Err(flow),
        }
    }
}

/// awk's `printf`: like the shell's, but `%c` of a number is that character, `%d` of a fraction is
/// cut, the format is used once, and missing values are empty.
fn awk_format(format: &str, values: &[String]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let chars: Vec<char> = format.chars().collect();
    let mut i = 0;
    while let Some(c) = chars.get(i).copied() {
        i += 1;
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.get(i) == Some(&'%') {
            out.push('%');
            i += 1;
            continue;
        }
        let mut spec = String::from("%");
        while let Some(k) = chars.get(i).copied() {
            i += 1;
            if k == '*' {
                spec.push_str(&(leading_number(values.next().map_or("", |v| v)) as i64).to_string());
                continue;
            }
            if k == 'l' || k == 'h' {
                continue;
            }
            spec.push(k);
            if k.is_ascii_alphabetic() {
                break;
            }
        }
        let value = values.next().cloned().unwrap_or_default();
        let value = match spec.chars().last() {
            Some('d' | 'i' | 'x' | 'X' | 'o' | 'u') => (leading_number(&value) as i64).to_string(),
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G') => leading_number(&value).to_string(),
            Some('c') if looks_numeric(&value) => char::from_u32(leading_number(&value) as u32)
                .map(String::from)
                .unwrap_or_default(),
            Some('s' | 'c') => value,
            _ => {
                out.push_str(&spec);
                continue;
            }
        };
        let (bytes, _) = super::printf::format(&spec, &[value], crate::sim::Time::default());
        out.push_str(&String::from_utf8_lossy(&bytes));
        if out.len() > limits::SHELL_WORD_BYTES {
            break;
        }
    }
    out
}

fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&words::unescape(text, Escapes::Printf)).into_owned()
}

pub(super) async fn awk(c: Context) -> i32 {
    let o = match options::parse_until(
        &c,
        "F:v:f:",
        &[("field-separator", 'F'), ("assign", 'v'), ("file", 'f')],
        true,
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut rest = o.rest.clone();
    let mut source = String::new();
    for path in o.values('f') {
        match c.read_file(&path).await {
            Ok(text) => source.push_str(&text),
            Err(error) => {
                c.error(format!("cannot open {path} ({error})"));
                return 2;
            }
        }
    }
    if !o.has('f') {
        if rest.is_empty() {
            c.stderr
                .line("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]");
            return 2;
        }
        source = rest.remove(0);
    }
    let parsed = lex(&source).and_then(|tokens| {
        let mut parser = Parser {
            tokens,
            at: 0,
            depth: 0,
            in_print: false,
            no_in: false,
            functions: FlatMap::new(),
            called: Vec::new(),
            asks: false,
            gets: 0,
        };
        let rules = parser.program()?;
        Ok((rules, parser))
    });
    let (rules, parser) = match parsed {
        Ok(parsed) => parsed,
        Err(message) => {
            c.error(message);
            return 2;
        }
    };
    let mut m = Machine {
        c: &c,
        vars: FlatMap::new(),
        arrays: FlatMap::new(),
        fields: Vec::new(),
        record: String::new(),
        outputs: FlatMap::new(),
        steps: 0,
        regexes: FlatMap::new(),
        ahead: VecDeque::new(),
        functions: Rc::new(parser.functions),
        frame: Frame::new(),
        calls: 0,
        readers: FlatMap::new(),
        pipes: FlatMap::new(),
        open: vec![false; rules.len()],
        answers: Vec::new(),
        used: 0,
        wrote: 0,
        written: 0,
    };
    for (name, value) in [
        ("FS", " "),
        ("OFS", " "),
        ("ORS", "\n"),
        ("RS", "\n"),
        ("SUBSEP", "\x1c"),
        ("CONVFMT", "%.6g"),
        ("OFMT", "%.6g"),
        ("FILENAME", ""),
    ] {
        m.vars.insert(name.to_owned(), Value::Text(value.to_owned()));
    }
    m.vars.insert("NR".to_owned(), Value::Number(0.0));
    m.vars.insert("FNR".to_owned(), Value::Number(0.0));
    m.vars.insert("NF".to_owned(), Value::Number(0.0));
    if let Some(separator) = o.value('F') {
        let separator = if separator == "t" {
            "\t".to_owned()
        } else {
            unescape(separator)
        };
        m.vars.insert("FS".to_owned(), Value::Text(separator));
    }
    for text in o.values('v') {
        if let Some((name, value)) = text.split_once('=') {
            m.vars.insert(name.to_owned(), Value::Input(unescape(value)));
        }
    }
    let env = c
        .env
        .iter()
        .map(|(k, v)| (k.clone(), Value::Input(v.clone())))
        .collect();
    m.arrays.insert("ENVIRON".to_owned(), env);
    let mut argv: FlatMap<String, Value> = FlatMap::new();
    argv.insert("0".to_owned(), Value::Text("awk".to_owned()));
    for (i, a) in rest.iter().enumerate() {
        argv.insert((i + 1).to_string(), Value::Input(a.clone()));
    }
    m.vars.insert("ARGC".to_owned(), Value::Number(argv.len() as f64));
    m.arrays.insert("ARGV".to_owned(), argv);
    let code = run(&c, &mut m, &rules, rest, (parser.asks, parser.gets)).await;
    match code {
        Ok(code) => code,
        Err(message) => {
            c.error(message);
            2
        }
    }
}

/// Runs a part of the program, with what it asks for; how it ended.
async fn settle(
    m: &mut Machine<'_>,
    asks: bool,
    part: impl Fn(&mut Machine<'_>) -> Done<()>,
) -> Result<Option<i32>, String> {
    let start = asks.then(|| m.clone());
    let mut written = 0;
    m.answers.clear();
    loop {
        (m.used, m.wrote, m.written, m.steps) = (0, 0, written, 0);
        let question = match part(m) {
            Ok(()) | Err(Flow::Next | Flow::Break | Flow::Continue | Flow::Return(_)) => return Ok(None),
            Err(Flow::Exit(code)) => return Ok(Some(code)),
            Err(Flow::Error(message)) => return Err(message),
            Err(Flow::Ask(question)) => question,
        };
        let Some(start) = &start else {
            return Err("a command was asked for where none can be".to_owned());
        };
        written = m.written;
        let mut answers = std::mem::take(&mut m.answers);
        if answers.len() >= limits::SHELL_DEPTH * 20 {
            return Err("one rule uses too many commands and files".to_owned());
        }
        answers.push(answer(m.c, question).await);
        // Files that are open stay so.
        let outputs = std::mem::take(&mut m.outputs);
        *m = start.clone();
        m.outputs = outputs;
        m.answers = answers;
    }
}

async fn answer(c: &Context, question: Question) -> Option<String> {
    let mut child = c.clone();
    match question {
        Question::File(path) => c.read_file(&path).await.ok(),
        Question::Output(command) => {
            let (output, buffer) = Output::buffer();
            child.stdout = output;
            child.run_source("sh", &command).await;
            Some(String::from_utf8_lossy(&buffer.take()).into_owned())
        }
        Question::Run(command, text) => {
            if let Some(text) = text {
                child.stdin = Input::text(text);
            }
            Some(child.run_source("sh", &command).await.to_string())
        }
    }
}

/// Runs `BEGIN`, every record, and `END`, and then the commands that were printed to.
/// The last two say whether the program asks anything of the world outside, and how many times it takes records by
/// itself.
async fn run(
    c: &Context,
    m: &mut Machine<'_>,
    rules: &[Rule],
    paths: Vec<String>,
    (asks, gets): (bool, usize),
) -> Result<i32, String> {
    let code = run_rules(c, m, rules, paths, asks, gets).await?;
    for (command, text) in std::mem::take(&mut m.pipes) {
        answer(c, Question::Run(command, Some(text))).await;
    }
    Ok(code)
}

async fn run_rules(
    c: &Context,
    m: &mut Machine<'_>,
    rules: &[Rule],
    paths: Vec<String>,
    asks: bool,
    gets: usize,
) -> Result<i32, String> {
    // What none of the rules has is in a function, which any of them may call.
    let functions_get = gets > rules.iter().map(|rule| rule.gets).sum::<usize>();
    // `getline` takes records that were read ahead: before the first record, those of all files.
    let mut begun = false;
    let mut exit: Option<i32> = None;
    let mut code = 0;
    for rule in rules {
        if let (Pattern::Begin, Some(action)) = (&rule.pattern, &rule.action) {
            if !begun && (rule.gets > 0 || functions_get) {
                begun = true;
                let mut files = paths.iter().filter(|p| words::split_assignment(p).is_none()).peekable();
                if files.peek().is_none() {
                    m.ahead = split_records(&c.stdin.read_text().await, &m.var_text("RS"));
                }
                for path in files {
                    let text = c.read_file(path).await.unwrap_or_default();
                    m.ahead.extend(split_records(&text, &m.var_text("RS")));
                }
            }
            exit = settle(m, asks, |m| m.exec(action)).await?;
            if exit.is_some() {
                break;
            }
        }
    }
    let reads = rules.iter().any(|r| !matches!(r.pattern, Pattern::Begin));
    if reads && exit.is_none() {
        let mut paths = paths;
        if paths.iter().all(|p| words::split_assignment(p).is_some()) {
            paths.push("-".to_owned());
        }
        'files: for path in paths {
            // `name=value` among the files is an assignment.
            if let Some((name, value)) = words::split_assignment(&path) {
                let value = unescape(value);
                m.vars.insert(name.to_owned(), Value::Input(value));
                continue;
            }
            let input = match c.open(&path) {
                Ok(input) => input,
                Err(error) => {
                    c.error(format!("cannot open {path} ({error})"));
                    code = 2;
                    continue;
                }
            };
            if path != "-" {
                m.vars.insert("FILENAME".to_owned(), Value::Text(path.clone()));
            }
            m.vars.insert("FNR".to_owned(), Value::Number(0.0));
            let separator = m.var_text("RS");
            let whole = gets > 0 || separator != "\n";
            if whole && !begun {
                m.ahead = split_records(&input.read_text().await, &separator);
            }
            loop {
                let line = if whole || begun {
                    m.ahead.pop_front()
                } else {
                    input.read_line().await
                };
                let Some(line) = line else { break };
                m.count_record(&["NR", "FNR"]);
                exit = settle(m, asks, |m| record(m, rules, &line)).await?;
                if exit.is_some() {
                    break 'files;
                }
                if c.stdout.is_closed() {
                    return Ok(0);
                }
                c.stdout.ready().await;
            }
        }
    }
    for rule in rules {
        if let (Pattern::End, Some(action)) = (&rule.pattern, &rule.action)
            && let Some(code) = settle(m, asks, |m| m.exec(action)).await?
        {
            return Ok(code);
        }
    }
    Ok(exit.unwrap_or(code))
}

fn record(m: &mut Machine<'_>, rules: &[Rule], line: &str) -> Done<()> {
    m.set_record(line.to_owned())?;
    for (i, rule) in rules.iter().enumerate() {
        let chosen = match &rule.pattern {
            Pattern::Begin | Pattern::End => false,
            Pattern::Always => true,
            Pattern::Expr(expr) => m.eval(expr)?.truth(),
            Pattern::Range(first, last) => {
                let inside = m.open.get(i) == Some(&true) || m.eval(first)?.truth();
                if inside {
                    let open = !m.eval(last)?.truth();
                    if let Some(slot) = m.open.get_mut(i) {
                        *slot = open;
                    }
                }
                inside
            }
        };
        if !chosen {
            continue;
        }
        match &rule.action {
            Some(action) => m.exec(action)?,
            None => m.put(&None, m.record.clone() + &m.var_text("ORS"))?,
        }
    }
    Ok(())
}
