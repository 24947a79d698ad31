//! The parts of a program: tokens, expressions, statements and rules.

use std::rc::Rc;

use super::super::super::regex::Regex;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
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
pub(super) enum Expr {
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
pub(super) enum Source {
    Main,
    File(Box<Expr>),
    Command(Box<Expr>),
}

/// A function of the user's own: its parameters and body.
pub(super) type Function = Rc<(Vec<String>, Stmt)>;

/// Where `print` writes to: the operator and its operand.
pub(super) type Target = Option<(&'static str, Expr)>;

pub(super) struct CompiledRegex(pub(super) Regex, pub(super) String);

impl std::fmt::Debug for CompiledRegex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

#[derive(Debug)]
pub(super) enum Stmt {
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

pub(super) enum Pattern {
    Begin,
    End,
    Always,
    Expr(Expr),
    Range(Expr, Expr),
}

pub(super) struct Rule {
    pub(super) pattern: Pattern,
    /// `None` prints the record.
    pub(super) action: Option<Stmt>,
    /// How many times it takes records of the input by itself (`getline`).
    pub(super) gets: usize,
}
