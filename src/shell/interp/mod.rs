//! The interpreter: walks the tree, runs commands. Everything is a future; dropping one ends what it
//! runs, except background jobs, which belong to the shell.

mod compound;
mod redirect;
mod simple;

use std::rc::Rc;

use crate::sim::join_all;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::host::Dialect;
use super::io::{Input, pipe};
use super::parser::{Parser, SyntaxError, SyntaxErrorKind};
use super::state::{Done, Flow, Function, Guard, Job, Run, State, TRAP_DEBUG, TRAP_ERR, TRAP_RETURN};
use super::syntax::*;
use crate::limits;

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
}
