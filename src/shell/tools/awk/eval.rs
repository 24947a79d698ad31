//! What the machine does with rules: variables, records and fields, expressions and statements.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::super::regex::Regex;
use super::syntax::{CompiledRegex, Expr, Source, Stmt};
use super::value::Value;
use super::{Done, Flow, Frame, Machine, Question};
use crate::flat::Arrange;
use crate::limits;
use crate::value::math;

/// The records of a text.
pub(super) fn split_records(text: &str, separator: &str) -> VecDeque<String> {
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
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Done<T> {
        Err(Flow::Error(message.into()))
    }

    pub(super) fn var_text(&self, name: &str) -> String {
        self.vars.get(name).map(|v| v.text("%.6g")).unwrap_or_default()
    }

    fn convfmt(&self) -> String {
        match self.vars.get("CONVFMT") {
            Some(Value::Text(t)) => t.clone(),
            _ => "%.6g".to_owned(),
        }
    }

    pub(super) fn text(&self, value: &Value) -> String {
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
    pub(super) fn array(&self, name: &str) -> String {
        self.frame.get(name).map_or(name, |f| f.1.as_str()).to_owned()
    }

    pub(super) fn ask(&mut self, question: impl FnOnce() -> Question) -> Done<Option<String>> {
        let answer = self.answers.get(self.used).cloned();
        self.used += 1;
        answer.ok_or_else(|| Flow::Ask(question()))
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

    pub(super) fn set_record(&mut self, record: String) -> Done<()> {
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

    pub(super) fn regex(&mut self, source: &str) -> Done<Rc<CompiledRegex>> {
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

    pub(super) fn regex_of(&mut self, expr: &Expr) -> Done<Rc<CompiledRegex>> {
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

    pub(super) fn assign(&mut self, target: &Expr, value: Value) -> Done<()> {
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

    pub(super) fn eval(&mut self, expr: &Expr) -> Done<Value> {
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

    pub(super) fn count_record(&mut self, names: &[&str]) {
        for name in names {
            let n = self.vars.get(*name).map_or(0.0, Value::number);
            self.vars.insert((*name).to_owned(), Value::Number(n + 1.0));
        }
    }

    pub(super) fn exec(&mut self, stmt: &Stmt) -> Done<()> {
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
