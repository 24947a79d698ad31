//! Redirections: what is opened for a command, and put back after it.

use std::rc::Rc;

use super::super::files::{self, FileError, FileKind};
use super::super::host::{Dialect, Fd, fd_number};
use super::super::io::{Input, Output};
use super::super::state::{Run, State};
use super::super::syntax::*;

/// The descriptors as they were before a redirection.
pub(in crate::shell) struct Saved {
    pub(super) stdin: Input,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    fds: Rc<crate::flat::FlatMap<i32, Fd>>,
}

impl State {
    fn save(&self) -> Saved {
        Saved {
            stdin: self.stdin.clone(),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            fds: self.fds.clone(),
        }
    }

    pub(super) fn restore(&mut self, saved: Saved) {
        self.stdin = saved.stdin;
        self.stdout = saved.stdout;
        self.stderr = saved.stderr;
        self.fds = saved.fds;
    }

    /// Applies redirections: the descriptors as they were, or `Err(())` when one failed, which was
    /// printed, with none applied.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Run<Result<Saved, ()>> {
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
                let path = files::join(&self.cwd, &target);
                let exists = self.host.files().is_file(&path)
                    && self
                        .host
                        .files()
                        .stat(&path, true)
                        .is_ok_and(|s| s.kind == FileKind::File);
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

    /// Opens a file for reading, as [`super::super::host::Context::open`] does.
    pub fn open_input(&self, path: &str) -> Result<Input, FileError> {
        match path {
            "/dev/stdin" => return Ok(self.stdin.clone()),
            "/dev/null" => return Ok(Input::empty()),
            "" => return Err(FileError::NotFound),
            _ => {}
        }
        if let Some(n) = fd_number(path) {
            return match self.fd(n) {
                Some(Fd::In(input)) => Ok(input),
                _ => Err(FileError::NotFound),
            };
        }
        let full = files::join(&self.cwd, path);
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
        if let Some(n) = fd_number(path) {
            return match self.fd(n) {
                Some(Fd::Out(output)) => Ok(output),
                _ => Err(FileError::NotFound),
            };
        }
        let mut full = files::join(&self.cwd, path);
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
        let full = files::join(&self.cwd, path);
        let files = self.host.files().with_umask(self.umask);
        files.open_update(&full).map(|f| Fd::In(Input::file(f)))
    }
}
