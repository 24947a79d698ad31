//! Simple commands: their assignments, and what their name stands for.

use super::super::host::{Dialect, Env, NoProgram};
use super::super::state::{Content, Flow, Frame, Function, Guard, Run, State, TRAP_RETURN, Var};
use super::super::syntax::*;
use super::super::{arith, builtins, words};
use crate::limits;

impl State {
    // Simple commands.

    pub(super) async fn run_simple(&mut self, assigns: &[Assign], words: &[Arg], redirects: &[Redirect]) -> Run<i32> {
        self.pace().await;
        self.substituted = None;
        let first_guard = self.substitutions.len();
        let mut args: Vec<String> = Vec::new();
        let mut arrays: Vec<&Assign> = Vec::new();
        for word in words {
            match word {
                Arg::Word(word) => args.extend(self.fields(word).await?),
                Arg::Assign(assign) => match &assign.value {
                    AssignValue::Word(word) if assign.index.is_none() => {
                        let value = self.assigned_text(word).await?;
                        let plus = if assign.append { "+" } else { "" };
                        args.push(format!("{}{plus}={value}", assign.name));
                    }
                    _ => {
                        args.push(assign.name.clone());
                        arrays.push(assign);
                    }
                },
            }
        }
        let Some(name) = args.first().cloned() else {
            return self.run_assignments(assigns, redirects).await;
        };
        let saved = match self.redirect(redirects).await? {
            Ok(saved) => saved,
            Err(()) => {
                // A failed redirection of `exec` or another special builtin ends a script.
                if name == "exec" && !self.interactive {
                    return Err(Flow::Exit(1));
                }
                return Ok(1);
            }
        };
        let result = self.dispatch(&name, args, assigns, &arrays).await;
        if std::mem::take(&mut self.keep_redirects) {
            self.substitutions.iter_mut().skip(first_guard).for_each(Guard::release);
        } else {
            self.restore(saved);
        }
        self.drop_guards(first_guard);
        result
    }

    pub(super) fn drop_guards(&mut self, first: usize) {
        for mut guard in self.substitutions.drain(first..) {
            guard.release();
        }
    }

    /// Assignments without a command stay; so does the status of a `$(…)` in them.
    async fn run_assignments(&mut self, assigns: &[Assign], redirects: &[Redirect]) -> Run<i32> {
        let mut traced = Vec::new();
        for assign in assigns {
            if let Err(message) = self.assign(assign).await? {
                self.error(message);
                let goes_on = self.interactive || self.dialect == Dialect::Bash && !self.options.errexit;
                return Err(if goes_on { Flow::Abort(1) } else { Flow::Exit(1) });
            }
            if self.options.xtrace {
                let plus = if assign.append { "+" } else { "" };
                let value = match &assign.value {
                    AssignValue::Word(word) if assign.append || assign.index.is_some() => word.raw.clone(),
                    AssignValue::Word(_) => words::quote(&self.get(&assign.name).unwrap_or_default()),
                    AssignValue::Array(items) => {
                        let items: Vec<&str> = items.iter().map(|(_, w)| w.raw.as_str()).collect();
                        format!("({})", items.join(" "))
                    }
                };
                let index = match assign.index.as_deref() {
                    Some(index) => format!("[{}]", self.text_of(index).await?),
                    None => String::new(),
                };
                traced.push(format!("{}{index}{plus}={value}", assign.name));
            }
        }
        for line in traced {
            self.trace(&line);
        }
        let code = self.substituted.take().unwrap_or(0);
        match self.redirect(redirects).await? {
            Ok(saved) => self.restore(saved),
            Err(()) => return Ok(1),
        }
        Ok(code)
    }

    pub(super) fn trace(&self, line: &str) {
        let ps4 = self.get("PS4").unwrap_or_else(|| "+ ".to_owned());
        // Its first character tells how deep in substitutions the command is.
        let first: String = ps4.chars().take(1).collect();
        self.stderr
            .line(format!("{}{ps4}{line}", first.repeat(self.substituting)));
    }

    /// Performs an assignment; the inner error is bash's sentence.
    async fn assign(&mut self, assign: &Assign) -> Run<Result<(), String>> {
        match &assign.value {
            AssignValue::Word(word) => {
                let mut value = self.assigned_text(word).await?;
                if let Some(index) = &assign.index {
                    let key = self.text_of(index).await?;
                    if assign.append {
                        let old = if self.is_map(&assign.name) {
                            self.elements(&assign.name)
                                .into_iter()
                                .find(|(k, _)| *k == key)
                                .map(|(_, v)| v)
                        } else {
                            let i = arith::evaluate(&key, self).unwrap_or(0);
                            self.element(&assign.name, i)
                        };
                        value = old.unwrap_or_default() + &value;
                    }
                    return Ok(self.set_element(&assign.name, &key, value));
                }
                if assign.append {
                    let integer = self.vars.get(self.resolve(&assign.name)).is_some_and(|v| v.integer);
                    let old = self.get(&assign.name).unwrap_or_default();
                    value = if integer {
                        format!("{}+{value}", if old.is_empty() { "0" } else { &old })
                    } else {
                        old + &value
                    };
                }
                Ok(self.set(&assign.name, value))
            }
            AssignValue::Array(items) => {
                let mut values: Vec<(Option<String>, String)> = Vec::new();
                for (index, word) in items {
                    match index {
                        Some(index) => {
                            let key = self.text_of(index).await?;
                            values.push((Some(key), self.assigned_text(word).await?));
                        }
                        None => values.extend(self.fields(word).await?.into_iter().map(|v| (None, v))),
                    }
                }
                let is_map = self.is_map(&assign.name);
                let mut next = 0;
                {
                    let var = match self.var_mut(&assign.name) {
                        Ok(var) => var,
                        Err(message) => return Ok(Err(message)),
                    };
                    match (&mut var.content, assign.append) {
                        (Some(Content::List(list)), true) => {
                            next = list.last_key_value().map_or(0, |(k, _)| k + 1);
                        }
                        (Some(Content::Map(_)), true) => {}
                        (Some(Content::Text(text)), true) => {
                            let text = std::mem::take(text);
                            var.content = Some(Content::List([(0, text)].into()));
                            next = 1;
                        }
                        (slot, _) if is_map => *slot = Some(Content::Map(Default::default())),
                        (slot, _) => *slot = Some(Content::List(Default::default())),
                    }
                }
                for (key, value) in values {
                    let key = match key {
                        Some(key) => {
                            if !is_map {
                                match arith::evaluate(&key, self) {
                                    Ok(i) => next = i,
                                    Err(message) => return Ok(Err(message)),
                                }
                            }
                            if is_map { key } else { next.to_string() }
                        }
                        None => next.to_string(),
                    };
                    next += 1;
                    if let Err(message) = self.set_element(&assign.name, &key, value) {
                        return Ok(Err(message));
                    }
                }
                Ok(Ok(()))
            }
        }
    }

    async fn dispatch(&mut self, name: &str, args: Vec<String>, assigns: &[Assign], arrays: &[&Assign]) -> Run<i32> {
        if self.options.xtrace {
            let line: Vec<String> = args.iter().map(|a| words::quote(a)).collect();
            self.trace(&line.join(" "));
        }
        self.last_argument = args.last().cloned().unwrap_or_default();
        let function = self.functions.get(name).cloned();
        let builtin = builtins::find(name, self.dialect);
        if function.is_none() && builtin.is_none() {
            let mut env = self.env();
            for assign in assigns {
                if let AssignValue::Word(word) = &assign.value {
                    let mut value = self.assigned_text(word).await?;
                    if self.dialect == Dialect::Bash && self.vars.get(&assign.name).is_some_and(|v| v.readonly) {
                        self.error(format!("{}: readonly variable", assign.name));
                        continue;
                    }
                    if assign.append {
                        value = self.get(&assign.name).unwrap_or_default() + &value;
                    }
                    env.insert(assign.name.clone(), value);
                }
            }
            return Ok(self.run_external(args, env).await);
        }
        // Variables set for the time of the command.
        let mut hidden: Vec<(String, Option<Var>)> = Vec::new();
        for assign in assigns {
            let old = self.vars.get(&assign.name).cloned();
            if let Err(message) = self.assign(assign).await? {
                if self.dialect != Dialect::Bash {
                    return self.abort(message);
                }
                self.error(message);
                continue;
            }
            if let Some(var) = self.vars.get_mut(&assign.name) {
                var.exported = true;
            }
            hidden.push((assign.name.clone(), old));
        }
        let fixed: Vec<bool> = arrays
            .iter()
            .map(|a| self.vars.get(&a.name).is_some_and(|v| v.readonly))
            .collect();
        let result = match function {
            Some(function) => self.call(name, &function, args).await,
            None => match builtin {
                Some(run) => run(self, args).await,
                None => Ok(0),
            },
        };
        for (assign, fixed) in arrays.iter().zip(fixed) {
            // `readonly -a x=(1)` has just fixed what it assigns.
            let var = self.vars.get_mut(&assign.name).filter(|_| !fixed);
            let fixes = var.is_some_and(|v| std::mem::take(&mut v.readonly));
            if let Err(message) = self.assign(assign).await? {
                self.error(message);
            }
            if let Some(var) = self.vars.get_mut(&assign.name).filter(|_| fixes) {
                var.readonly = true;
            }
        }
        for (name, old) in hidden.into_iter().rev() {
            match old {
                Some(var) => self.vars.insert(name, var),
                None => self.vars.remove(&name),
            };
        }
        result
    }

    /// Calls a function.
    pub async fn call(&mut self, name: &str, function: &Function, args: Vec<String>) -> Run<i32> {
        if self.nesting() >= limits::SHELL_DEPTH {
            self.error(format!(
                "{name}: maximum function nesting level exceeded ({})",
                limits::SHELL_DEPTH
            ));
            return Err(Flow::TooDeep);
        }
        let line = self.line;
        let rest = args.get(1..).unwrap_or_default().to_vec();
        let args = std::mem::replace(&mut self.args, rest);
        let loops = std::mem::take(&mut self.loops);
        self.frames.push(Frame {
            saved: Default::default(),
        });
        self.calls.push(name.to_owned());
        let mut result = self.run_command(&function.body).await;
        if let (Ok(_) | Err(Flow::Return(_)), true) = (result, self.traps.contains_key(&TRAP_RETURN)) {
            if let Err(flow) = self.run_own_trap(TRAP_RETURN).await {
                result = Err(flow);
            }
            // One that a function has set is its own.
            if self.trap_frames.get(2) == Some(&self.frames.len()) {
                self.traps.remove(&TRAP_RETURN);
            }
        }
        self.calls.pop();
        self.pop_frame();
        self.loops = loops;
        self.args = args;
        self.line = line;
        match result {
            Err(Flow::Return(code)) => Ok(code),
            other => other,
        }
    }

    /// Runs a program as a child process.
    pub async fn run_external(&mut self, args: Vec<String>, env: Env) -> i32 {
        let name = args.first().cloned().unwrap_or_default();
        match self.host.find(&name, &env, &self.cwd) {
            Ok(program) => {
                let context = match self.replaced {
                    true => self.context_in_place(args, env),
                    false => self.context(args, env),
                };
                let code = program.run(context).await;
                // A command that ends at once lets others run before the next one.
                code
            }
            Err(error) => {
                let (message, code) = self.no_program(&name, error);
                self.error(message);
                code
            }
        }
    }

    /// The message and exit code of a command that cannot be run.
    pub fn no_program(&self, name: &str, error: NoProgram) -> (String, i32) {
        let bash = self.dialect == Dialect::Bash;
        match error {
            NoProgram::NotFound if !bash => (format!("{name}: not found"), 127),
            NoProgram::NotFound if name.contains('/') => (format!("{name}: No such file or directory"), 127),
            NoProgram::NotFound => (format!("{name}: command not found"), 127),
            NoProgram::IsDirectory if bash => (format!("{name}: Is a directory"), 126),
            NoProgram::IsDirectory | NoProgram::Denied => (format!("{name}: Permission denied"), 126),
        }
    }
}
