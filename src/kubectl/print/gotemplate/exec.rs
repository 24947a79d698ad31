//! Runs a parsed template, with the sentences of Go's `text/template`.

use std::rc::Rc;

use super::TemplateError;
use super::funcs;
use super::parse::{Body, Node, Templates, is_float};
use crate::kubectl::print::jsonpath::go_type;
use crate::limits;
use crate::value::{Value, gofmt};

/// A value while a template runs: nothing at all, or a value that is or is not seen through an
/// interface (a map's or list's element), which Go's sentences tell apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Val {
    pub value: Option<Value>,
    pub interface: bool,
}

impl Val {
    pub fn new(value: impl Into<Value>) -> Val {
        Val {
            value: Some(value.into()),
            interface: false,
        }
    }

    /// An element of a map or list.
    pub fn element(value: &Value) -> Val {
        Val {
            value: Some(value.clone()),
            interface: true,
        }
    }

    /// The concrete value; a null behind an interface is nothing.
    fn concrete(self) -> Val {
        let value = if self.interface {
            self.value.filter(|v| !v.is_null())
        } else {
            self.value
        };
        Val {
            value,
            interface: false,
        }
    }

    pub fn type_name(&self) -> &'static str {
        match &self.value {
            _ if self.interface => "interface {}",
            Some(value) => type_name(value),
            None => "<nil>",
        }
    }

    pub fn truth(&self) -> bool {
        self.value.as_ref().is_some_and(|v| !v.is_empty())
    }
}

/// The name of a value's Go type inside a template, where whole numbers are of type int.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "int",
        other => go_type(other),
    }
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Run<T> = Result<T, TemplateError>;

struct State<'t> {
    templates: &'t Templates,
    /// The name of the whole, and its text, for places in errors.
    name: &'t str,
    text: &'t str,
    /// The name of the template that runs.
    running: String,
    missing_is_error: bool,
    variables: Vec<(String, Val)>,
    /// Where we are: a node's position and its text.
    at: usize,
    context: Rc<str>,
    depth: usize,
    steps: usize,
    out: String,
}

/// Runs the template `name`: what it wrote, and the error that ended it.
pub(super) fn execute(
    templates: &Templates,
    name: &str,
    text: &str,
    data: &Value,
    missing_is_error: bool,
) -> (String, Run<()>) {
    let data = Val::new(data.clone());
    let mut state = State {
        templates,
        name,
        text,
        running: name.to_owned(),
        missing_is_error,
        variables: vec![("$".to_owned(), data.clone())],
        at: 0,
        context: "".into(),
        depth: 0,
        steps: 0,
        out: String::new(),
    };
    let Some(nodes) = templates.get(name).cloned() else {
        return (String::new(), Ok(()));
    };
    let result = state.list(&data, &nodes).map(|_| ());
    (state.out, result)
}

impl State<'_> {
    fn error<T>(&self, message: impl std::fmt::Display) -> Run<T> {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(self.at, |newline| self.at - newline - 1);
        Err(TemplateError(format!(
            "template: {}:{line}:{column}: executing {} at <{}>: {message}",
            self.name,
            gofmt::quote(&self.running),
            self.context
        )))
    }

    fn here(&mut self, node: &Node) {
        self.at = node.at;
        self.context = node.to_string().into();
    }

    fn write(&mut self, text: &str) -> Run<()> {
        if self.out.len() + text.len() > limits::TEMPLATE_OUTPUT {
            return self.error(format!(
                "the output is larger than the limit of {} bytes",
                limits::TEMPLATE_OUTPUT
            ));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn step(&mut self) -> Run<()> {
        self.steps += 1;
        if self.steps > limits::TEMPLATE_STEPS {
            return self.error(format!("the template takes more than {} steps", limits::TEMPLATE_STEPS));
        }
        Ok(())
    }

    fn list(&mut self, dot: &Val, nodes: &[Node]) -> Run<Flow> {
        for node in nodes {
            let flow = self.walk(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Val, node: &Node) -> Run<Flow> {
        self.step()?;
        match &node.body {
            Body::Text(text) => self.write(text)?,
            Body::Action(pipe) => {
                self.here(node);
                let value = self.pipeline(dot, pipe)?;
                if !matches!(&pipe.body, Body::Pipe { variables, .. } if !variables.is_empty()) {
                    let text = value
                        .value
                        .as_ref()
                        .map_or_else(|| "<no value>".to_owned(), gofmt::display);
                    self.write(&text)?;
                }
            }
            Body::Break => return Ok(Flow::Break),
            Body::Continue => return Ok(Flow::Continue),
            Body::Branch {
                word: "range",
                pipe,
                list,
                otherwise,
            } => return self.range(dot, node, pipe, list, otherwise),
            Body::Branch {
                word,
                pipe,
                list,
                otherwise,
            } => {
                let mark = self.variables.len();
                let value = self.pipeline(dot, pipe)?;
                let flow = if value.truth() {
                    if *word == "with" {
                        self.list(&value, list)
                    } else {
                        self.list(dot, list)
                    }
                } else {
                    self.list(dot, otherwise)
                };
                self.variables.truncate(mark);
                return flow;
            }
            Body::Template { name, pipe } => self.template(dot, node, name, pipe.as_deref())?,
            _ => {}
        }
        Ok(Flow::Next)
    }

    fn template(&mut self, dot: &Val, node: &Node, name: &str, pipe: Option<&Node>) -> Run<()> {
        self.here(node);
        let Some(nodes) = self.templates.get(name).cloned() else {
            return self.error(format!("template {} not defined", gofmt::quote(name)));
        };
        if self.depth == limits::TEMPLATE_DEPTH {
            return self.error(format!("exceeded maximum template depth ({})", limits::TEMPLATE_DEPTH));
        }
        self.depth += 1;
        let data = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Val::default(),
        };
        let outer_variables = std::mem::replace(&mut self.variables, vec![("$".to_owned(), data.clone())]);
        let outer = std::mem::replace(&mut self.running, name.to_owned());
        // On an error the names stay those of the template in which it happened.
        self.list(&data, &nodes)?;
        self.running = outer;
        self.variables = outer_variables;
        self.depth -= 1;
        Ok(())
    }

    fn range(&mut self, dot: &Val, node: &Node, pipe: &Node, list: &[Node], otherwise: &[Node]) -> Run<Flow> {
        self.here(node);
        let value = self.pipeline(dot, pipe)?;
        let (assign, names) = match &pipe.body {
            Body::Pipe { assign, variables, .. } => (*assign, variables.clone()),
            _ => (false, Vec::new()),
        };
        let mark = self.variables.len();
        let entries: Box<dyn Iterator<Item = (Value, Val)>> = match value.value.clone() {
            None => Box::new(std::iter::empty()),
            Some(Value::List(items)) => {
                let count = items.len();
                Box::new((0..count).map(move |i| {
                    let item = items.get(i).map(Val::element).unwrap_or_default();
                    (Value::from(i), item)
                }))
            }
            Some(Value::Map(map)) => {
                let entries: Vec<(Value, Val)> = map.iter().map(|(k, v)| (Value::from(k), Val::element(v))).collect();
                Box::new(entries.into_iter())
            }
            Some(Value::Int(n)) => {
                if names.len() > 1 {
                    return self.error(format!("can't use {n} to iterate over more than one variable"));
                }
                Box::new((0..n.max(0)).map(|i| (Value::from(i), Val::new(i))))
            }
            Some(other) => {
                self.here(pipe);
                return self.error(format!("range can't iterate over {}", gofmt::display(&other)));
            }
        };
        let mut any = false;
        for (index, item) in entries {
            any = true;
            self.step()?;
            let one = names.len() == 1;
            for (i, name) in names.iter().enumerate() {
                let value = if one || i == 1 {
                    item.clone()
                } else {
                    Val::new(index.clone())
                };
                if assign {
                    self.assign(name, value)?;
                } else if let Some((_, slot)) = self
                    .variables
                    .iter_mut()
                    .skip(mark - names.len().min(mark))
                    .find(|(n, _)| n == name)
                {
                    *slot = value;
                } else {
                    self.variables.push((name.clone(), value));
                }
            }
            let inner = self.variables.len();
            let flow = self.list(&item, list)?;
            self.variables.truncate(inner);
            if flow == Flow::Break {
                break;
            }
        }
        self.variables.truncate(mark);
        let flow = if any { Flow::Next } else { self.list(dot, otherwise)? };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn assign(&mut self, name: &str, value: Val) -> Run<()> {
        match self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    fn pipeline(&mut self, dot: &Val, pipe: &Node) -> Run<Val> {
        let Body::Pipe {
            assign,
            variables,
            commands,
        } = &pipe.body
        else {
            return Ok(Val::default());
        };
        self.here(pipe);
        self.step()?;
        let mut value: Option<Val> = None;
        for command in commands {
            // What leaves a command has lost its interface.
            value = Some(self.command(dot, command, value)?.concrete());
        }
        let value = value.unwrap_or_default();
        for name in variables {
            if *assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Val, command: &Node, last: Option<Val>) -> Run<Val> {
        let Body::Command(args) = &command.body else {
            return Ok(Val::default());
        };
        let Some(first) = args.first() else {
            return Ok(Val::default());
        };
        let has_args = args.len() > 1 || last.is_some();
        match &first.body {
            Body::Field(_) | Body::Chain(..) | Body::Variable(_) => return self.fields(dot, first, has_args),
            Body::Identifier(name) => return self.call(dot, command, name, args.get(1..).unwrap_or_default(), last),
            _ => {}
        }
        self.here(first);
        if has_args {
            return self.error(format!("can't give argument to non-function {first}"));
        }
        match &first.body {
            Body::Pipe { .. } => self.pipeline(dot, first),
            Body::Nil => self.error("nil is not a command"),
            _ => self.argument(dot, first),
        }
    }

    /// A field of the dot, of a variable or of a parenthesized pipeline.
    fn fields(&mut self, dot: &Val, node: &Node, has_args: bool) -> Run<Val> {
        self.here(node);
        let (mut value, names) = match &node.body {
            Body::Field(names) => (dot.clone(), names.as_slice()),
            Body::Variable(names) => {
                let Some((name, names)) = names.split_first() else {
                    return Ok(Val::default());
                };
                let value = self
                    .variables
                    .iter()
                    .rev()
                    .find(|(n, _)| n == name)
                    .map(|(_, v)| v.clone());
                let Some(value) = value else {
                    return self.error(format!("undefined variable: {name}"));
                };
                if names.is_empty() && has_args {
                    return self.error(format!("can't give argument to non-function {node}"));
                }
                (value, names)
            }
            Body::Chain(inner, names) => {
                if matches!(inner.body, Body::Nil) {
                    return self.error(format!("indirection through explicit nil in {node}"));
                }
                let value = self.argument(dot, inner)?;
                self.here(node);
                (value, names.as_slice())
            }
            _ => return Ok(Val::default()),
        };
        for (i, name) in names.iter().enumerate() {
            value = self.field(value, name, has_args && i + 1 == names.len())?;
        }
        Ok(value)
    }

    fn field(&self, receiver: Val, name: &str, has_args: bool) -> Run<Val> {
        let quoted = gofmt::quote(name);
        let type_name = receiver.type_name();
        match receiver.value {
            None if self.missing_is_error => self.error(format!("nil data; no entry for key {quoted}")),
            None => Ok(Val::default()),
            Some(Value::Null) => self.error(format!("nil pointer evaluating {type_name}.{name}")),
            Some(Value::Map(map)) => {
                if has_args {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                match map.get(name) {
                    Some(value) => Ok(Val::element(value)),
                    None if self.missing_is_error => self.error(format!("map has no entry for key {quoted}")),
                    None => Ok(Val::default()),
                }
            }
            Some(_) => self.error(format!("can't evaluate field {name} in type {type_name}")),
        }
    }

    /// The value of an operand.
    fn argument(&mut self, dot: &Val, node: &Node) -> Run<Val> {
        self.here(node);
        match &node.body {
            Body::Dot => Ok(dot.clone()),
            Body::Nil => Ok(Val {
                value: Some(Value::Null),
                interface: true,
            }),
            Body::Field(_) | Body::Variable(_) | Body::Chain(..) => self.fields(dot, node, false),
            Body::Pipe { .. } => self.pipeline(dot, node),
            Body::Identifier(name) => self.call(dot, node, name, &[], None),
            Body::Bool(b) => Ok(Val::new(*b)),
            Body::Text2 { text, .. } => Ok(Val::new(text)),
            Body::Number { text, int, float } => match int {
                Some(int) if text.starts_with('\'') || !is_float(text) => Ok(Val::new(*int)),
                _ => Ok(Val::new(*float)),
            },
            _ => self.error(format!("can't handle {node}")),
        }
    }

    fn call(&mut self, dot: &Val, node: &Node, name: &str, args: &[Node], last: Option<Val>) -> Run<Val> {
        self.here(node);
        let Some(function) = funcs::find(name) else {
            return self.error(format!("{} is not a defined function", gofmt::quote(name)));
        };
        let given = args.len() + usize::from(last.is_some());
        if function.variadic && given < function.fixed {
            let (want, got) = (function.fixed, args.len());
            return self.error(format!(
                "wrong number of args for {name}: want at least {want} got {got}"
            ));
        }
        if !function.variadic && given != function.fixed {
            return self.error(format!(
                "wrong number of args for {name}: want {} got {given}",
                function.fixed
            ));
        }
        let mut values = Vec::with_capacity(given);
        if name == "and" || name == "or" {
            // They stop at the first operand that decides.
            let mut value = Val::default();
            for arg in args {
                value = self.argument(dot, arg)?;
                if value.truth() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        for (i, arg) in args.iter().enumerate() {
            let value = self.argument(dot, arg)?;
            if function.text_first && i == 0 {
                self.here(arg);
                values.push(self.text(value, arg)?);
            } else {
                values.push(value);
            }
        }
        self.here(node);
        if let Some(last) = last {
            values.push(if function.text_first && values.is_empty() {
                self.text(last, node)?
            } else {
                last
            });
        }
        match (function.run)(values) {
            Ok(value) => Ok(value),
            Err(message) => self.error(format!("error calling {name}: {message}")),
        }
    }

    /// An argument that has to be a text.
    fn text(&self, value: Val, node: &Node) -> Run<Val> {
        match &value.value {
            Some(Value::Str(_)) => Ok(value),
            None => self.error("invalid value; expected string"),
            Some(Value::Null) => self.error("invalid value; expected string"),
            Some(other) => match node.body {
                Body::Bool(_) | Body::Number { .. } => self.error(format!("expected string; found {node}")),
                _ => self.error(format!(
                    "wrong type for value; expected string; got {}",
                    type_name(other)
                )),
            },
        }
    }
}
