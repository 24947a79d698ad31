//! The interpreter: walks the tree, runs commands. Everything is a future; dropping one ends what it
//! runs, except background jobs, which belong to the shell.

use std::rc::Rc;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};

use super::builtins;
use super::files::FileError;
use super::host::{Dialect, Fd, NoProgram};
use super::io::{Input, Output, pipe};
use super::parser::{Parser, SyntaxError, SyntaxErrorKind, is_name};
use super::state::{
    Content, Done, Flow, Frame, Function, Guard, Job, Run, State, TRAP_DEBUG, TRAP_ERR, TRAP_RETURN, Var,
};
use super::syntax::*;
use super::words::{self, Glob};
use crate::limits;

/// The descriptors as they were before a redirection.
pub(super) struct Saved {
    stdin: Input,
    stdout: Output,
    stderr: Output,
    fds: Rc<crate::flat::FlatMap<i32, Fd>>,
}

impl State {
    /// Parses and runs a whole source, command by command. Errors of syntax are printed.
    pub fn run_source<'a>(&'a mut self, source: &'a str) -> LocalBoxFuture<'a, Run<i32>> {
        self.run_commands(source, false)
    }

    /// The same of a shell's whole source, when `replaceable`: a program that is all of it takes the shell's place.
    fn run_commands<'a>(&'a mut self, source: &'a str, replaceable: bool) -> LocalBoxFuture<'a, Run<i32>> {
        async move {
            if source.len() > limits::SHELL_SOURCE_BYTES {
                self.error(format!(
                    "the source is longer than {} bytes",
                    limits::SHELL_SOURCE_BYTES
                ));
                self.last = 2;
                return Ok(2);
            }
            let mut parser = Parser::new(source).at_line(std::mem::replace(&mut self.first_line, 1));
            let mut code = 0;
            loop {
                parser.set_aliases((self.interactive || self.options.aliases).then(|| self.aliases.clone()));
                let next = parser.next_command();
                for (end, start, wanted) in std::mem::take(&mut parser.cut_short) {
                    if self.dialect == Dialect::Bash {
                        let line = std::mem::replace(&mut self.line, end);
                        self.error(format!(
                            "warning: here-document at line {start} delimited by end-of-file (wanted `{wanted}')"
                        ));
                        self.line = line;
                    }
                }
                match next {
                    Ok(None) => return Ok(code),
                    Ok(Some(list)) => {
                        if self.options.noexec && !self.interactive {
                            continue;
                        }
                        self.replaced = replaceable && is_bare_command(&list) && parser.is_at_end();
                        code = match self.run_list(&list).await {
                            // bash drops the rest of the line, and goes on with the next; but a subshell ends.
                            Err(Flow::Abort(1)) if self.dialect == Dialect::Bash && self.subshells == 0 => {
                                self.last = 1;
                                1
                            }
                            other => other?,
                        };
                    }
                    Err(error) => {
                        self.syntax_error(&error);
                        self.last = 2;
                        return if self.interactive { Ok(2) } else { Err(Flow::Abort(2)) };
                    }
                }
            }
        }
        .boxed_local()
    }

    fn syntax_error(&self, error: &SyntaxError) {
        match self.dialect {
            Dialect::Bash => {
                let prefix = match (self.interactive, self.from_c) {
                    (true, _) => format!("{}: ", self.name),
                    (_, true) => format!("{}: -c: line {}: ", self.name, error.line),
                    _ => format!("{}: line {}: ", self.name, error.line),
                };
                let mut lines = error.lines();
                if self.interactive && matches!(error.kind, SyntaxErrorKind::Unexpected(..)) {
                    lines.truncate(1);
                }
                for line in lines {
                    self.stderr.line(format!("{prefix}{line}"));
                }
            }
            dialect => {
                let place = match dialect {
                    Dialect::Dash => format!("{}: {}: ", self.name, error.line),
                    _ if self.from_c || self.interactive => format!("{}: ", self.name),
                    _ => format!("{}: line {}: ", self.name, error.line),
                };
                let text = match &error.kind {
                    SyntaxErrorKind::Unexpected(token, _) if dialect == Dialect::Dash => match token.as_str() {
                        "newline" => "Syntax error: newline unexpected".to_owned(),
                        token => format!("Syntax error: \"{token}\" unexpected"),
                    },
                    SyntaxErrorKind::Unexpected(token, _) => match token.as_str() {
                        "newline" => "syntax error: unexpected newline".to_owned(),
                        token => format!("syntax error: unexpected \"{token}\""),
                    },
                    SyntaxErrorKind::Matching('"' | '\'') => {
                        let what = "quoted string";
                        if dialect == Dialect::Dash {
                            format!("Syntax error: Unterminated {what}")
                        } else {
                            format!("syntax error: unterminated {what}")
                        }
                    }
                    SyntaxErrorKind::Eof | SyntaxErrorKind::Matching(_) if dialect == Dialect::Dash => {
                        "Syntax error: end of file unexpected".to_owned()
                    }
                    SyntaxErrorKind::Eof | SyntaxErrorKind::Matching(_) => {
                        "syntax error: unexpected end of file".to_owned()
                    }
                    SyntaxErrorKind::Other(text) => text.clone(),
                };
                self.stderr.line(format!("{place}{text}"));
            }
        }
    }

    /// Runs a source to its end as a shell of its own: the exit code, after the EXIT trap.
    pub async fn run_source_to_end(&mut self, source: &str) -> i32 {
        // dash, busybox and bash spare a process where the source came with `-c`.
        let result = self.run_commands(source, self.from_c).await;
        self.finish(result).await
    }

    /// Runs a list to its end as a subshell.
    pub async fn run_to_end(&mut self, list: &List) -> i32 {
        let result = self.run_list(list).await;
        self.finish(result).await
    }

    /// The exit code of a shell that ended with `result`, after its EXIT trap.
    pub async fn finish_with(&mut self, result: Run<i32>) -> i32 {
        self.finish(result).await
    }

    async fn finish(&mut self, result: Run<i32>) -> i32 {
        let mut code = match result {
            Ok(code) => code,
            Err(Flow::Exit(code) | Flow::Abort(code) | Flow::Return(code)) => code,
            Err(Flow::TooDeep) => 1,
            Err(Flow::Break(_) | Flow::Continue(_)) => self.last,
        };
        if let Some(action) = self.traps.remove(&0)
            && !action.is_empty()
        {
            self.last = code;
            self.in_trap = true;
            if let Err(Flow::Exit(c)) = self.run_source(&action).await {
                code = c
            }
        }
        self.release_jobs();
        code
    }

    /// Runs the traps of the signals that came in.
    pub fn run_traps(&mut self) -> LocalBoxFuture<'_, Run<()>> {
        async move {
            if self.in_trap {
                return Ok(());
            }
            while let Some(signal) = self.process.take_signal() {
                let Some(action) = self.traps.get(&signal).cloned() else {
                    continue;
                };
                if action.is_empty() {
                    continue;
                }
                let last = self.last;
                self.in_trap = true;
                let result = self.run_source(&action).await;
                self.in_trap = false;
                result?;
                self.last = last;
            }
            Ok(())
        }
        .boxed_local()
    }

    /// Runs the trap of ERR, DEBUG or RETURN, if it holds at this depth of functions.
    fn run_own_trap(&mut self, key: i32) -> LocalBoxFuture<'_, Run<()>> {
        async move {
            let Some(action) = self.traps.get(&key).filter(|_| !self.in_trap).cloned() else {
                return Ok(());
            };
            let set_at = self.trap_frames.get(!key as usize).copied().unwrap_or(0);
            let here = self.frames.len();
            let holds = match key {
                TRAP_RETURN => here == set_at,
                TRAP_ERR => self.options.errtrace || here <= set_at,
                _ => here <= set_at,
            };
            if !holds {
                return Ok(());
            }
            let (last, line, status) = (self.last, self.line, self.pipe_status.clone());
            self.in_trap = true;
            self.first_line = line;
            let result = self.run_source(&action).await;
            self.in_trap = false;
            result?;
            (self.last, self.line, self.pipe_status) = (last, line, status);
            Ok(())
        }
        .boxed_local()
    }

    pub fn run_list<'a>(&'a mut self, list: &'a List) -> LocalBoxFuture<'a, Run<i32>> {
        async move {
            let mut code = 0;
            for item in list.iter() {
                if self.options.noexec && !self.interactive {
                    break;
                }
                if !self.in_trap {
                    self.chain = Some(item.chain.clone());
                }
                code = if item.background {
                    self.start_job(&item.chain)?
                } else {
                    self.run_chain(&item.chain).await?
                };
                self.last = code;
                if self.process.has_signal() {
                    self.run_traps().await?;
                }
            }
            Ok(code)
        }
        .boxed_local()
    }

    async fn run_chain(&mut self, chain: &Chain) -> Run<i32> {
        let mut pending = chain.rest.iter();
        let mut next = pending.next();
        let mut code = self.run_in_chain(&chain.first, next.is_some()).await?;
        while let Some((joint, pipeline)) = next {
            next = pending.next();
            let wanted = (*joint == Joint::And) == (code == 0);
            if wanted {
                code = self.run_in_chain(pipeline, next.is_some()).await?;
            }
        }
        Ok(code)
    }

    async fn run_in_chain(&mut self, pipeline: &Pipeline, as_condition: bool) -> Run<i32> {
        let shielded = as_condition || pipeline.negate;
        self.conditions += usize::from(shielded);
        let result = self.run_pipeline(pipeline).await;
        self.conditions -= usize::from(shielded);
        let mut code = result?;
        if pipeline.negate {
            code = i32::from(code == 0);
        }
        self.last = code;
        if code != 0 && self.conditions == 0 && !shielded {
            // What groups and loops end with was a failure inside them.
            let outermost = match pipeline.commands.as_slice() {
                [command] => matches!(
                    command.kind,
                    Kind::Simple { .. } | Kind::Subshell(_) | Kind::Arith(_) | Kind::Test(_)
                ),
                _ => true,
            };
            if outermost {
                self.run_own_trap(TRAP_ERR).await?;
            }
            if self.options.errexit {
                return Err(Flow::Exit(code));
            }
        }
        Ok(code)
    }

    async fn run_pipeline(&mut self, pipeline: &Pipeline) -> Run<i32> {
        let began = self.sim.now();
        let code = match pipeline.commands.as_slice() {
            [] => 0,
            [command] => {
                let code = self.run_command(command).await?;
                self.pipe_status = vec![code];
                code
            }
            commands => self.run_stages(commands).await?,
        };
        if let Some(portable) = pipeline.timed {
            let took = self.sim.now().since(began);
            let (secs, millis) = (took.as_secs(), took.subsec_millis());
            if portable {
                write!(self.stderr, "real {secs}.{:02}\nuser 0.00\nsys 0.00\n", millis / 10);
            } else {
                write!(
                    self.stderr,
                    "\nreal\t{}m{}.{millis:03}s\nuser\t0m0.000s\nsys\t0m0.000s\n",
                    secs / 60,
                    secs % 60
                );
            }
        }
        Ok(code)
    }

    /// The stages of a pipeline, each a subshell, all at once.
    async fn run_stages(&mut self, commands: &[Command]) -> Run<i32> {
        self.check_fork()?;
        let mut stages = Vec::new();
        let mut input: Option<Input> = None;
        for (i, command) in commands.iter().enumerate() {
            let mut child = self.subshell();
            if let Some(input) = input.take() {
                child.stdin = input;
            }
            if i + 1 < commands.len() {
                let (output, next) = pipe();
                child.stdout = output.for_process(&child.process);
                input = Some(next);
            }
            let process = child.process.clone();
            stages.push(async move {
                process
                    .run(async move {
                        let result = child.run_command(command).await;
                        child.finish(result).await
                    })
                    .await
            });
        }
        let codes = join_all(stages).await;
        let code = if self.options.pipefail {
            codes.iter().rev().copied().find(|c| *c != 0).unwrap_or(0)
        } else {
            codes.last().copied().unwrap_or(0)
        };
        self.pipe_status = codes;
        Ok(code)
    }

    /// Starts a chain in the background.
    fn start_job(&mut self, chain: &Rc<Chain>) -> Run<i32> {
        self.jobs.retain(|j| j.done.get().is_none() || self.interactive);
        if self.jobs.iter().filter(|j| j.done.get().is_none()).count() >= limits::SHELL_JOBS {
            return self.abort(format!("more than {} background jobs", limits::SHELL_JOBS));
        }
        self.check_fork()?;
        let mut child = self.subshell();
        child.interactive = false;
        child.name = self.name.clone();
        if !self.interactive {
            child.stdin = Input::empty();
        }
        let process = child.process.clone();
        process.set_command(&chain.text);
        let done: Rc<Done> = Rc::default();
        let (chain, finished, running) = (chain.clone(), done.clone(), process.clone());
        let text = chain.text.clone();
        let handle = self.sim.spawn("background job", async move {
            let code = running
                .run(async move {
                    let result = child.run_chain(&chain).await;
                    child.finish(result).await
                })
                .await;
            finished.set(code);
        });
        let id = self.jobs.iter().map(|j| j.id).max().unwrap_or(0) + 1;
        self.last_background = Some(process.pid());
        if self.interactive {
            self.stderr.line(format!("[{id}] {}", process.pid()));
        }
        self.jobs.push(Job {
            id,
            process,
            text,
            done,
            guard: Guard::new(handle),
        });
        Ok(0)
    }

    pub fn run_command<'a>(&'a mut self, command: &'a Command) -> LocalBoxFuture<'a, Run<i32>> {
        async move {
            self.line = command.line;
            if let Kind::Simple { assigns, words } = &command.kind {
                if self.traps.contains_key(&TRAP_DEBUG) {
                    self.run_own_trap(TRAP_DEBUG).await?;
                }
                return self.run_simple(assigns, words, &command.redirects).await;
            }
            if let Kind::Function { name, body, text } = &command.kind {
                let function = Function {
                    body: body.clone(),
                    text: text.clone(),
                };
                self.functions.insert(name.clone(), Rc::new(function));
                return Ok(0);
            }
            let first_guard = self.substitutions.len();
            let saved = match self.redirect(&command.redirects).await? {
                Ok(saved) => saved,
                Err(()) => {
                    self.last = 1;
                    return Ok(1);
                }
            };
            let result = self.run_kind(command).await;
            self.restore(saved);
            self.drop_guards(first_guard);
            result
        }
        .boxed_local()
    }

    async fn run_kind(&mut self, command: &Command) -> Run<i32> {
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
                    match self.run_body(body).await? {
                        Caught::Value(c) => code = c,
                        Caught::Next => code = 0,
                        Caught::Leave => {
                            code = 0;
                            break;
                        }
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
                    match self.run_body(body).await? {
                        Caught::Value(c) => code = c,
                        Caught::Next => code = 0,
                        Caught::Leave => {
                            code = 0;
                            break;
                        }
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
                    match self.run_body(body).await? {
                        Caught::Value(c) => code = c,
                        Caught::Next => code = 0,
                        Caught::Leave => {
                            code = 0;
                            break;
                        }
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
                match super::arith::evaluate(&text, self) {
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

    async fn run_body(&mut self, body: &List) -> Run<Caught> {
        self.loops += 1;
        let result = self.run_list(body).await;
        self.loops -= 1;
        self.caught(result)
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
                        "=~" => match super::regex::Regex::new(&right, true, false) {
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
                            let values = super::arith::evaluate(&left, self)
                                .and_then(|a| Ok((a, super::arith::evaluate(&right, self)?)));
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

    // Simple commands.

    async fn run_simple(&mut self, assigns: &[Assign], words: &[Arg], redirects: &[Redirect]) -> Run<i32> {
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

    fn drop_guards(&mut self, first: usize) {
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

    fn trace(&self, line: &str) {
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
                            let i = super::arith::evaluate(&key, self).unwrap_or(0);
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
                                match super::arith::evaluate(&key, self) {
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
    pub async fn run_external(&mut self, args: Vec<String>, env: super::host::Env) -> i32 {
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

    // Redirections.

    fn save(&self) -> Saved {
        Saved {
            stdin: self.stdin.clone(),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            fds: self.fds.clone(),
        }
    }

    fn restore(&mut self, saved: Saved) {
        self.stdin = saved.stdin;
        self.stdout = saved.stdout;
        self.stderr = saved.stderr;
        self.fds = saved.fds;
    }

    /// Applies redirections: the descriptors as they were, or `Err(())` when one failed, which was
    /// printed, with none applied.
    async fn redirect(&mut self, redirects: &[Redirect]) -> Run<Result<Saved, ()>> {
        let saved = self.save();
        for redirect in redirects {
            match self.redirect_one(redirect).await {
                Ok(Ok(())) => {}
                Ok(Err(message)) => {
                    // The message goes where stderr was.
                    self.restore(saved);
                    self.error(message);
                    return Ok(Err(()));
                }
                Err(flow) => {
                    self.restore(saved);
                    return Err(flow);
                }
            }
        }
        Ok(Ok(saved))
    }

    async fn redirect_one(&mut self, redirect: &Redirect) -> Run<Result<(), String>> {
        match redirect.op {
            RedirectOp::Here => {
                if let Some(here) = &redirect.here {
                    let parts = here.borrow().body.clone();
                    let text = self.text_of(&parts).await?;
                    self.set_fd(redirect.fd.unwrap_or(0), Fd::In(Input::text(text)));
                }
                return Ok(Ok(()));
            }
            RedirectOp::HereString => {
                let mut text = self.text(&redirect.target).await?;
                text.push('\n');
                self.set_fd(redirect.fd.unwrap_or(0), Fd::In(Input::text(text)));
                return Ok(Ok(()));
            }
            _ => {}
        }
        let fields = self.fields(&redirect.target).await?;
        let [target] = fields.as_slice() else {
            return Ok(Err(format!("{}: ambiguous redirect", redirect.target.raw)));
        };
        let target = target.clone();
        let default = match redirect.op {
            RedirectOp::Read | RedirectOp::DupIn | RedirectOp::Update => 0,
            _ => 1,
        };
        let fd = redirect.fd.unwrap_or(default);
        let mut op = redirect.op;
        if matches!(op, RedirectOp::DupIn | RedirectOp::DupOut) {
            if target == "-" {
                match fd {
                    0 => self.stdin = Input::empty(),
                    1 => self.stdout = Output::closed(),
                    2 => self.stderr = Output::closed(),
                    n => {
                        Rc::make_mut(&mut self.fds).remove(&n);
                    }
                }
                return Ok(Ok(()));
            }
            let moved = target.ends_with('-');
            let number = target.trim_end_matches('-').parse::<i32>();
            match number {
                Ok(n) => {
                    let Some(from) = self.fd(n) else {
                        return Ok(Err(format!("{n}: Bad file descriptor")));
                    };
                    self.set_fd(fd, from);
                    if moved && n > 2 {
                        Rc::make_mut(&mut self.fds).remove(&n);
                    }
                    return Ok(Ok(()));
                }
                Err(_) if op == RedirectOp::DupOut && redirect.fd.is_none() => op = RedirectOp::Both,
                Err(_) => return Ok(Err(format!("{target}: ambiguous redirect"))),
            }
        }
        let opened = match op {
            RedirectOp::Read => self.open_input(&target).map(Fd::In),
            RedirectOp::Update => self.open_update(&target),
            RedirectOp::Append | RedirectOp::BothAppend => self.open_output(&target, true).map(Fd::Out),
            RedirectOp::Write { clobber: false } if self.options.noclobber => {
                let path = super::files::join(&self.cwd, &target);
                let exists = self.host.files().is_file(&path)
                    && self
                        .host
                        .files()
                        .stat(&path, true)
                        .is_ok_and(|s| s.kind == super::files::FileKind::File);
                if exists {
                    return Ok(Err(format!("{target}: cannot overwrite existing file")));
                }
                self.open_output(&target, false).map(Fd::Out)
            }
            _ => self.open_output(&target, false).map(Fd::Out),
        };
        match opened {
            Ok(Fd::Out(output)) if matches!(op, RedirectOp::Both | RedirectOp::BothAppend) => {
                self.stdout = output.clone();
                self.stderr = output;
                Ok(Ok(()))
            }
            Ok(opened) => {
                self.set_fd(fd, opened);
                Ok(Ok(()))
            }
            Err(error) => {
                let verb = match (self.dialect, op) {
                    (Dialect::Bash, _) => "",
                    (_, RedirectOp::Read) => "can't open ",
                    _ => "can't create ",
                };
                let error = match (self.dialect, error) {
                    (Dialect::Dash, FileError::NotFound) if op == RedirectOp::Read => "No such file".to_owned(),
                    (Dialect::Dash, FileError::NotFound) => "Directory nonexistent".to_owned(),
                    (Dialect::Busybox, FileError::NotFound) if op == RedirectOp::Read => "no such file".to_owned(),
                    (Dialect::Busybox, FileError::NotFound) => "nonexistent directory".to_owned(),
                    (_, error) => error.to_string(),
                };
                Ok(Err(match self.dialect {
                    Dialect::Dash => format!("cannot {}{target}: {error}", verb.trim_start_matches("can't ")),
                    _ => format!("{verb}{target}: {error}"),
                }))
            }
        }
    }

    /// Opens a file for reading, as [`super::host::Context::open`] does.
    pub fn open_input(&self, path: &str) -> Result<Input, FileError> {
        match path {
            "/dev/stdin" => return Ok(self.stdin.clone()),
            "/dev/null" => return Ok(Input::empty()),
            "" => return Err(FileError::NotFound),
            _ => {}
        }
        if let Some(n) = super::host::fd_number(path) {
            return match self.fd(n) {
                Some(Fd::In(input)) => Ok(input),
                _ => Err(FileError::NotFound),
            };
        }
        let full = super::files::join(&self.cwd, path);
        self.host.files().open(&full).map(Input::file)
    }

    /// Opens a file for writing.
    pub fn open_output(&self, path: &str, append: bool) -> Result<Output, FileError> {
        match path {
            "/dev/stdout" => return Ok(self.stdout.clone()),
            "/dev/stderr" => return Ok(self.stderr.clone()),
            "/dev/null" => return Ok(Output::null()),
            "/dev/tty" if self.stderr.is_terminal() => return Ok(self.stderr.clone()),
            "" => return Err(FileError::NotFound),
            _ => {}
        }
        if let Some(n) = super::host::fd_number(path) {
            return match self.fd(n) {
                Some(Fd::Out(output)) => Ok(output),
                _ => Err(FileError::NotFound),
            };
        }
        let mut full = super::files::join(&self.cwd, path);
        if path.ends_with('/') && full != "/" {
            full.push('/');
        }
        let file = self.host.files().with_umask(self.umask).create(&full, append)?;
        Ok(Output::file(file).for_process(&self.process))
    }

    fn open_update(&self, path: &str) -> Result<Fd, FileError> {
        if path == "/dev/null" {
            return Ok(Fd::In(Input::empty()));
        }
        let full = super::files::join(&self.cwd, path);
        let files = self.host.files().with_umask(self.umask);
        files.open_update(&full).map(|f| Fd::In(Input::file(f)))
    }
}

/// What a loop's body ended with.
enum Caught {
    Value(i32),
    /// `continue`
    Next,
    /// `break`
    Leave,
}
