//! The Common Expression Language, as far as the rules of custom resources and admission policies use it:
//! expressions are parsed, checked against the types of their variables, and run. Errors are cel-go's, with
//! its places.
//!
//! Our own and no crate: those on crates.io have no type checker, which finds what a rule gets wrong
//! when its definition is made, and bring a generated parser that is larger than all of this.

mod authority;
mod check;
mod cost;
mod eval;
mod formats;
mod parse;
mod types;
mod value;

pub use authority::{Authority, Check, Decision, Question};
pub use check::{AUTHORIZER, OBJECT, RESOURCE_CHECK};
pub use cost::{Budget, most_often};
pub use eval::Failure;
pub use formats::Semver;
pub use types::{Type, is_identifier, of_api, of_schema as schema_type};
pub use value::Val;

use crate::flat::{Arrange, FlatMap};
use crate::value::Value;
use parse::{Ast, Node};

/// What is wrong with an expression.
#[derive(Clone, Debug)]
pub struct Issue {
    /// The place in the text, in characters.
    at: usize,
    message: String,
}

/// An expression that was checked.
#[derive(Clone, Debug)]
pub struct Program {
    ast: Ast,
    /// What it gives.
    pub result: Type,
}

/// Parses and checks an expression with these variables.
///
/// # Errors
/// cel-go's report: each error with its line, column and a caret.
pub fn compile(text: &str, variables: &[(&str, Type)]) -> Result<Program, String> {
    checked(text, variables, false).map(|(program, _)| program)
}

/// As [`compile`], with the types of the parts where `typed` asks for them.
fn checked(text: &str, variables: &[(&str, Type)], typed: bool) -> Result<(Program, Vec<Type>), String> {
    let ast = parse::parse(text).map_err(|issues| report(text, issues))?;
    let (result, issues, types) = check::check(&ast, variables, typed);
    if issues.is_empty() {
        Ok((Program { ast, result }, types))
    } else {
        Err(report(text, issues))
    }
}

/// As [`compile`], for a rule over `self` with this schema (`whole` where it is that of a whole object), with what it
/// costs at most, in cel-go's units.
///
/// # Errors
/// As of [`compile`].
pub fn compile_costed(
    text: &str,
    variables: &[(&str, Type)],
    schema: &Value,
    whole: bool,
) -> Result<(Program, u64), String> {
    let (program, types) = checked(text, variables, true)?;
    let cost = cost::estimate(&program.ast, &types, schema, whole);
    Ok((program, cost))
}

impl Program {
    /// Runs the expression.
    ///
    /// # Errors
    /// What happened while it ran (`no such key: a`).
    pub fn run(&self, variables: &FlatMap<&str, Val>) -> Result<Val, Failure> {
        eval::run(&self.ast, variables)
    }

    /// Whether the expression reads a variable.
    pub fn uses(&self, variable: &str) -> bool {
        uses(&self.ast, variable)
    }
}

fn uses(ast: &Ast, name: &str) -> bool {
    match &ast.node {
        Node::Ident(ident) => ident == name,
        Node::Select { operand, .. } | Node::Has { operand, .. } => uses(operand, name),
        Node::Call { target, args, .. } => {
            target.as_deref().is_some_and(|t| uses(t, name)) || args.iter().any(|a| uses(a, name))
        }
        Node::List(items) => items.iter().any(|a| uses(a, name)),
        Node::Maybe(inner) => uses(inner, name),
        Node::Struct { fields, .. } => fields.iter().any(|f| uses(&f.value, name)),
        Node::Map(entries) => entries.iter().any(|(k, v)| uses(k, name) || uses(v, name)),
        Node::Macro {
            range, filter, body, ..
        } => uses(range, name) || uses(body, name) || filter.as_deref().is_some_and(|f| uses(f, name)),
        _ => false,
    }
}

/// The issues as cel-go prints them, in the order of their places.
fn report(text: &str, mut issues: Vec<Issue>) -> String {
    issues.arrange_by_key(|i| i.at);
    let chars: Vec<char> = text.chars().collect();
    let all: Vec<String> = issues
        .iter()
        .map(|issue| {
            let before = chars.get(..issue.at.min(chars.len())).unwrap_or_default();
            let line = before.iter().filter(|c| **c == '\n').count();
            let start = before.iter().rposition(|c| *c == '\n').map_or(0, |i| i + 1);
            let column = issue.at.min(chars.len()) - start;
            let shown: String = chars
                .iter()
                .skip(start)
                .take_while(|c| **c != '\n')
                .map(|c| if *c == '\t' { ' ' } else { *c })
                .collect();
            format!(
                "ERROR: <input>:{}:{}: {}\n | {shown}\n | {}^",
                line + 1,
                column + 1,
                issue.message,
                ".".repeat(column)
            )
        })
        .collect();
    all.join("\n")
}

#[cfg(test)]
mod tests;
