//! Compound commands: loops, `case`, functions, `[[`.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::super::host::Dialect;
use super::super::parser::is_name;
use super::super::regex::Regex;
use super::super::state::{Content, Flow, Run, State, Var};
use super::super::syntax::*;
use super::super::words::Glob;
use super::super::{arith, builtins};

/// What a loop's body ended with.
enum Caught {
    Value(i32),
    /// `continue`
    Next,
    /// `break`
    Leave,
}

impl State {
    pub(super) async fn run_kind(&mut self, command: &Command) -> Run<i32> {
        match &command.kind {
            Kind::Simple { .. } | Kind::Function { .. } => Ok(0),
            Kind::Group(list) => self.run_list(list).await,
            Kind::Subshell(list) => {
                self.check_fork()?;
                let mut child = self.subshell();
                let process = child.process.clone();
                Ok(process.run(async move { child.run_to_end(list).await }).await)
            }
            Kind::If { clauses, otherwise } => {
                for (test, body) in clauses {
                    if self.test(test).await? == 0 {
                        return self.run_list(body).await;
                    }
                }
                match otherwise {
                    Some(body) => self.run_list(body).await,
                    None => Ok(0),
                }
            }
            Kind::While { until, test, body } => {
                let mut code = 0;
                loop {
                    self.pace().await;
                    self.loops += 1;
                    let tested = self.test(test).await;
                    self.loops -= 1;
                    let go = match self.caught(tested)? {
                        Caught::Value(c) => (c == 0) != *until,
                        Caught::Next => continue,
                        Caught::Leave => break,
                    };
                    if !go {
                        break;
                    }
                    if !self.run_body(body, &mut code).await? {
                        break;
                    }
                }
                Ok(code)
            }
            Kind::For { name, words, body } => {
                if !is_name(name) {
                    self.error(format!("`{name}': not a valid identifier"));
                    return Ok(1);
                }
                let items = match words {
                    None => self.args.clone(),
                    Some(words) => {
                        let mut items = Vec::new();
                        for word in words {
                            items.extend(self.fields(word).await?);
                        }
                        items
                    }
                };
                let mut code = 0;
                for item in items {
                    self.pace().await;
                    if self.options.xtrace {
                        let raw = words.as_ref().map_or("\"$@\"".to_owned(), |words| {
                            words.iter().map(|w| w.raw.as_str()).collect::<Vec<_>>().join(" ")
                        });
                        self.trace(&format!("for {name} in {raw}"));
                    }
                    // A loop over a reference makes it refer to each name.
                    if let Some(var) = self.vars.get_mut(name).filter(|v| v.reference) {
                        var.content = Some(Content::Text(item));
                    } else if let Err(message) = self.set(name, item) {
                        if self.dialect != Dialect::Bash {
                            return self.abort(message);
                        }
                        self.error(message);
                        return Ok(1);
                    }
                    if !self.run_body(body, &mut code).await? {
                        break;
                    }
                }
                Ok(code)
            }
            Kind::ForArith { init, test, step, body } => {
                self.arith(init).await?;
                let mut code = 0;
                loop {
                    self.pace().await;
                    let endless = test
                        .iter()
                        .all(|p| matches!(p, Part::Literal(t) if t.trim().is_empty()));
                    if !endless && self.arith(test).await? == 0 {
                        break;
                    }
                    if !self.run_body(body, &mut code).await? {
                        break;
                    }
                    self.arith(step).await?;
                }
                Ok(code)
            }
            Kind::Case { word, items } => {
                let text = self.text(word).await?;
                if self.options.xtrace {
                    self.trace(&format!("case {} in", word.raw));
                }
                let mut code = 0;
                let mut falling = false;
                for item in items {
                    let mut matched = falling;
                    for pattern in &item.patterns {
                        if matched {
                            break;
                        }
                        matched = Glob::new(&self.pattern(pattern).await?).matches(&text);
                    }
                    if !matched {
                        continue;
                    }
                    code = self.run_list(&item.body).await?;
                    match item.end {
                        CaseEnd::Stop => return Ok(code),
                        CaseEnd::Fall => falling = true,
                        CaseEnd::Next => falling = false,
                    }
                }
                Ok(code)
            }
            Kind::Arith(parts) => {
                let text = self.text_of(parts).await?;
                if self.options.xtrace {
                    self.trace(&format!("(( {text} ))"));
                }
                match arith::evaluate(&text, self) {
                    Ok(value) => Ok(i32::from(value == 0)),
                    Err(message) => {
                        self.error(format!("((: {message}"));
                        Ok(1)
                    }
                }
            }
            Kind::Test(test) => Ok(match self.conditional(test).await? {
                Some(true) => 0,
                Some(false) => 1,
                None => 2,
            }),
        }
    }

    /// Runs a list whose failure ends nothing.
    async fn test(&mut self, list: &List) -> Run<i32> {
        self.conditions += 1;
        let result = self.run_list(list).await;
        self.conditions -= 1;
        result
    }

    /// Runs a loop's body, and says whether the loop goes on; `code` is the loop's exit code so far.
    async fn run_body(&mut self, body: &List, code: &mut i32) -> Run<bool> {
        self.loops += 1;
        let result = self.run_list(body).await;
        self.loops -= 1;
        let caught = self.caught(result)?;
        *code = match caught {
            Caught::Value(c) => c,
            Caught::Next | Caught::Leave => 0,
        };
        Ok(!matches!(caught, Caught::Leave))
    }

    fn caught(&self, result: Run<i32>) -> Run<Caught> {
        match result {
            Ok(code) => Ok(Caught::Value(code)),
            Err(Flow::Break(1)) => Ok(Caught::Leave),
            Err(Flow::Continue(1)) => Ok(Caught::Next),
            Err(Flow::Break(n)) => {
                if self.loops == 0 {
                    Ok(Caught::Leave)
                } else {
                    Err(Flow::Break(n - 1))
                }
            }
            Err(Flow::Continue(n)) => {
                if self.loops == 0 {
                    Ok(Caught::Next)
                } else {
                    Err(Flow::Continue(n - 1))
                }
            }
            Err(flow) => Err(flow),
        }
    }

    /// `[[ … ]]`; `None` when it could not be evaluated.
    fn conditional<'a>(&'a mut self, test: &'a Test) -> LocalBoxFuture<'a, Run<Option<bool>>> {
        async move {
            Ok(Some(match test {
                Test::Word(word) => !self.text(word).await?.is_empty(),
                Test::Not(inner) => match self.conditional(inner).await? {
                    Some(b) => !b,
                    None => return Ok(None),
                },
                Test::And(a, b) => match self.conditional(a).await? {
                    Some(true) => return self.conditional(b).await,
                    other => return Ok(other),
                },
                Test::Or(a, b) => match self.conditional(a).await? {
                    Some(false) => return self.conditional(b).await,
                    other => return Ok(other),
                },
                Test::Unary(op, word) => {
                    let text = self.text(word).await?;
                    if self.options.xtrace {
                        let shown = if text.is_empty() { "''" } else { &text };
                        self.trace(&format!("[[ {op} {shown} ]]"));
                    }
                    match op.as_str() {
                        "-v" => self.vars.get(self.resolve(&text)).is_some_and(|v| v.content.is_some()),
                        "-o" => false,
                        _ => builtins::test::unary(self, op, &text),
                    }
                }
                Test::Binary(left, op, right) => {
                    let left = self.text(left).await?;
                    let right = match op.as_str() {
                        "=" | "==" | "!=" => self.pattern(right).await?,
                        "=~" => self.regex(right).await?,
                        _ => self.text(right).await?,
                    };
                    if self.options.xtrace {
                        let first = if left.is_empty() { "''" } else { &left };
                        self.trace(&format!("[[ {first} {op} {right} ]]"));
                    }
                    match op.as_str() {
                        "=" | "==" | "!=" => Glob::new(&right).matches(&left) == (op != "!="),
                        "=~" => match Regex::new(&right, true, false) {
                            Err(_) => return Ok(None),
                            Ok(regex) => {
                                let groups = regex.captures(&left);
                                let mut list = crate::flat::FlatMap::new();
                                for (i, group) in groups.iter().flatten().enumerate() {
                                    list.insert(i as i64, group.clone().unwrap_or_default());
                                }
                                let var = Var {
                                    content: Some(Content::List(list)),
                                    ..Var::default()
                                };
                                self.vars.insert("BASH_REMATCH".to_owned(), var);
                                groups.is_some()
                            }
                        },
                        "<" => left < right,
                        ">" => left > right,
                        "-nt" | "-ot" | "-ef" => builtins::test::binary_files(self, &left, op, &right),
                        op => {
                            let values =
                                arith::evaluate(&left, self).and_then(|a| Ok((a, arith::evaluate(&right, self)?)));
                            match values {
                                Ok((a, b)) => builtins::test::compare(a, op, b),
                                Err(message) => {
                                    self.error(format!("[[: {message}"));
                                    return Ok(Some(false));
                                }
                            }
                        }
                    }
                }
            }))
        }
        .boxed_local()
    }
}
