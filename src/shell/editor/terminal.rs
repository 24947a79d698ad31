//! [`Terminal`]: keys in, screen out; between them the line editor and a shell.
//!
//! While a command runs, what is typed goes to it when it reads, and waits for the next prompt
//! when it does not. Ctrl-C drops the command. A paste of many lines runs them one after another.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::super::io::{Input, Output, TerminalSize, keyboard};
use super::super::parser;
use super::super::shell::Shell;
use super::complete;
use super::keys::{Key, Keys};
use super::line::{LineEditor, Outcome};
use super::{columns, width};
use crate::limits;
use crate::sim::{Sim, TaskHandle, TraceEvent};

/// What a terminal tells its owner.
pub trait TerminalOwner {
    /// Bytes for the screen.
    fn screen(&self, bytes: &[u8]);
    /// A command began (`true`) or the prompt is back (`false`): virtual time is wanted or not.
    fn busy(&self, _busy: bool) {}
    /// Something was put into the world's queue (a completion): let it run, even when idle.
    fn wake(&self) {}
    /// A program wants this file to be edited, and waits.
    fn edit(&self, _path: &str) {}
    /// `exit` or Ctrl-D ended the shell. A new one begins when nothing else is done.
    fn closed(&self, _code: i32) {}
}

/// An owner that others hold too.
impl<O: TerminalOwner + ?Sized> TerminalOwner for Rc<O> {
    fn screen(&self, bytes: &[u8]) {
        (**self).screen(bytes);
    }
    fn busy(&self, busy: bool) {
        (**self).busy(busy);
    }
    fn wake(&self) {
        (**self).wake();
    }
    fn edit(&self, path: &str) {
        (**self).edit(path);
    }
    fn closed(&self, code: i32) {
        (**self).closed(code);
    }
}

struct Inner {
    sim: Sim,
    shell: Shell,
    owner: Box<dyn TerminalOwner>,
    size: Rc<Cell<TerminalSize>>,
    keys: RefCell<Keys>,
    line: RefCell<LineEditor>,
    /// Lines of an unfinished command.
    source: RefCell<String>,
    history: Rc<RefCell<Vec<String>>>,
    running: RefCell<Option<Running>>,
    ahead: RefCell<VecDeque<Key>>,
    /// The line that a command reads, while it is typed.
    cooked: RefCell<String>,
    completing: Cell<u64>,
    /// Whether the last key was a Tab that found nothing to add.
    tabbed: Cell<bool>,
}

struct Running {
    task: TaskHandle,
    feed: Output,
    input: Input,
}

/// A terminal with its shell. Clones are handles to the same one.
#[derive(Clone)]
pub struct Terminal(Rc<Inner>);

impl Terminal {
    /// A terminal of this size in front of an interactive shell. Call [`Terminal::begin`] then.
    pub fn new(shell: Shell, size: TerminalSize, owner: impl TerminalOwner + 'static) -> Terminal {
        let history = shell.history();
        Terminal(Rc::new(Inner {
            sim: shell.host().sim().clone(),
            line: RefCell::new(LineEditor::new(history.clone(), size.columns)),
            shell,
            owner: Box::new(owner),
            size: Rc::new(Cell::new(size)),
            keys: RefCell::default(),
            source: RefCell::default(),
            history,
            running: RefCell::default(),
            ahead: RefCell::default(),
            cooked: RefCell::default(),
            completing: Cell::new(0),
            tabbed: Cell::new(false),
        }))
    }

    /// Shows a welcome and the first prompt.
    pub fn begin(&self, welcome: &str) {
        self.put(welcome);
        // Pastes then come between marks, so that their tabs complete nothing.
        self.put("\x1b[?2004h");
        self.prompt();
    }

    /// The shell behind it.
    pub fn shell(&self) -> &Shell {
        &self.0.shell
    }

    /// Whether a command runs.
    pub fn is_busy(&self) -> bool {
        self.0.running.borrow().is_some()
    }

    /// What the line holds now.
    pub fn line(&self) -> String {
        self.0.line.borrow().text()
    }

    /// The terminal was resized.
    pub fn resize(&self, size: TerminalSize) {
        let size = TerminalSize {
            columns: size.columns.clamp(2, 1_000),
            rows: size.rows.clamp(1, 1_000),
        };
        self.0.size.set(size);
        if self.is_busy() {
            // The line is drawn anew at the next prompt.
            self.0.line.borrow_mut().set_columns(size.columns);
        } else {
            self.0.line.borrow_mut().resize(size.columns);
            self.show();
        }
    }

    /// Keys and pastes, as the emulator sends them.
    pub fn feed(&self, data: &str) {
        if data.len() > limits::TERMINAL_INPUT_BYTES {
            self.put("\r\nThe paste is too large.\r\n");
            return;
        }
        let keys = self.0.keys.borrow_mut().feed(data);
        for key in keys {
            self.key(key);
        }
    }

    /// Runs a line as if it were typed: what stood in the line is dropped.
    pub fn run_line(&self, line: &str) {
        if !self.is_busy() {
            self.0.line.borrow_mut().set("");
        }
        for c in line.chars() {
            self.key(if c == '\n' { Key::Enter } else { Key::Char(c) });
        }
        self.key(Key::Enter);
    }

    fn put(&self, text: &str) {
        if !text.is_empty() {
            self.0.owner.screen(text.as_bytes());
        }
    }

    /// Sends what the line editor wrote.
    fn show(&self) {
        let output = self.0.line.borrow_mut().take_output();
        self.put(&output);
    }

    fn prompt(&self) {
        for line in self.0.shell.take_job_reports() {
            self.put(&format!("{line}\r\n"));
        }
        let prompt = if self.0.source.borrow().is_empty() {
            super::prompt(&self.0.shell, "PS1", super::PS1)
        } else {
            super::prompt(&self.0.shell, "PS2", "> ")
        };
        // Only the last line of a prompt is the editor's.
        let (above, last) = match prompt.rfind('\n') {
            Some(i) => prompt.split_at(i + 1),
            None => ("", prompt.as_str()),
        };
        self.put(&above.replace('\n', "\r\n"));
        self.0.line.borrow_mut().begin(last);
        self.show();
    }

    fn key(&self, key: Key) {
        if self.is_busy() {
            return self.key_while_running(key);
        }
        if self.0.completing.get() > 0 && self.0.ahead_waits() {
            // Keys after a Tab wait for its answer, except Ctrl-C.
            if key == Key::Ctrl('c') {
                self.0.completing.set(0);
                self.0.ahead.borrow_mut().clear();
            } else {
                self.0.ahead.borrow_mut().push_back(key);
                return;
            }
        }
        if key != Key::Tab {
            self.0.tabbed.set(false);
        }
        let outcome = self.0.line.borrow_mut().key(key);
        self.show();
        match outcome {
            Outcome::Nothing => {}
            Outcome::Line(text) => self.entered(text),
            Outcome::Interrupted => {
                self.0.source.borrow_mut().clear();
                self.0.shell.interrupted();
                self.prompt();
            }
            Outcome::Ended => {
                if self.0.source.borrow().is_empty() {
                    self.put("exit\r\n");
                    self.close(self.0.shell.last_code());
                } else {
                    self.0.source.borrow_mut().clear();
                    self.put("\r\n");
                    self.prompt();
                }
            }
            Outcome::Complete => self.complete(),
        }
    }

    fn close(&self, code: i32) {
        self.0.shell.reopen();
        self.0.owner.closed(code);
        self.prompt();
    }

    fn entered(&self, text: String) {
        let source = {
            let mut source = self.0.source.borrow_mut();
            source.push_str(&text);
            source.clone()
        };
        if source.len() < limits::SHELL_SOURCE_BYTES && parser::is_incomplete(&source) {
            // Only whole lines are kept: a backslash at the end joins the next one.
            self.0.source.borrow_mut().push('\n');
            return self.prompt();
        }
        self.0.source.borrow_mut().clear();
        if source.trim().is_empty() {
            return self.prompt();
        }
        self.remember(&source);
        self.run(source);
    }

    fn remember(&self, source: &str) {
        let mut history = self.0.history.borrow_mut();
        // As with HISTCONTROL=ignoreboth: no line twice in a row, none that begins with a blank.
        if source.starts_with(' ') || history.last().is_some_and(|l| l == source) {
            return;
        }
        if history.len() >= limits::SHELL_HISTORY {
            history.remove(0);
        }
        history.push(source.to_owned());
    }

    fn run(&self, source: String) {
        let inner = &self.0;
        let id = inner.sim.next_id();
        inner.sim.emit(TraceEvent::Command {
            id,
            line: source.as_str().into(),
        });
        let screen: Weak<Inner> = Rc::downgrade(inner);
        let output = Output::terminal(inner.size.clone(), move |bytes| {
            if let Some(inner) = screen.upgrade() {
                inner.owner.screen(&with_returns(bytes));
            }
        });
        let (feed, input) = keyboard();
        let waiting = Rc::downgrade(inner);
        input.on_wait(move || {
            // Not at once: the reader is being polled.
            if let Some(inner) = waiting.upgrade() {
                let terminal = Terminal(inner.clone());
                inner.sim.spawn("terminal", async move { terminal.pump() });
            }
        });
        let run = inner.shell.run(&source, input.clone(), output.clone(), output);
        let terminal = self.clone();
        let sim = inner.sim.clone();
        let task = inner.sim.spawn("terminal", async move {
            let code = run.await;
            sim.emit(TraceEvent::CommandEnd { id, code });
            terminal.finished();
        });
        *inner.running.borrow_mut() = Some(Running { task, feed, input });
        inner.owner.busy(true);
    }

    /// The command has ended: back to the prompt, and to what was typed ahead.
    fn finished(&self) {
        let running = self.0.running.borrow_mut().take();
        let cooked = self.0.cooked.take();
        drop(running);
        self.0.owner.busy(false);
        if let Some(code) = self.0.shell.exited() {
            self.put("exit\r\n");
            self.close(code);
            return self.replay();
        }
        self.prompt();
        for c in cooked.chars() {
            self.key(Key::Char(c));
        }
        self.replay();
    }

    /// Gives the keys that waited to whoever takes them now.
    fn replay(&self) {
        let mut keys = self.0.ahead.take();
        while let Some(key) = keys.pop_front() {
            self.key(key);
            // The first line of them may have started a command: the rest waits on.
            if self.is_busy() || self.0.completing.get() > 0 {
                let mut ahead = self.0.ahead.borrow_mut();
                let newer = std::mem::take(&mut *ahead);
                *ahead = keys;
                ahead.extend(newer);
                return;
            }
        }
    }

    fn key_while_running(&self, key: Key) {
        if key == Key::Ctrl('c') {
            self.put("^C\r\n");
            self.0.ahead.borrow_mut().clear();
            self.0.cooked.borrow_mut().clear();
            let running = self.0.running.borrow_mut().take();
            if let Some(running) = running {
                running.task.abort();
            }
            self.0.shell.interrupted();
            self.0.owner.busy(false);
            return self.prompt();
        }
        let waits = self.0.running.borrow().as_ref().is_some_and(|r| r.input.is_awaited());
        let mut ahead = self.0.ahead.borrow_mut();
        if !waits || !ahead.is_empty() {
            if ahead.len() < limits::TERMINAL_INPUT_BYTES {
                ahead.push_back(key);
            }
            return;
        }
        drop(ahead);
        self.cook(key);
    }

    /// The keyboard of a command that reads: echoes, lets lines be corrected, gives whole lines.
    fn cook(&self, key: Key) {
        let feed = match self.0.running.borrow().as_ref() {
            Some(running) => running.feed.clone(),
            None => return,
        };
        let mut cooked = self.0.cooked.borrow_mut();
        match key {
            Key::Char(c) => {
                cooked.push(c);
                self.put(&c.to_string());
            }
            Key::Tab => {
                cooked.push('\t');
                self.put("\t");
            }
            Key::Enter => {
                self.put("\r\n");
                cooked.push('\n');
                feed.write(cooked.as_str());
                cooked.clear();
            }
            Key::Backspace => {
                if let Some(c) = cooked.pop() {
                    let cells = width(&c.to_string()).max(1);
                    self.put(&"\x08 \x08".repeat(cells));
                }
            }
            Key::Ctrl('u') => {
                let cells = width(&cooked);
                cooked.clear();
                self.put(&"\x08 \x08".repeat(cells));
            }
            Key::Ctrl('d') => {
                if cooked.is_empty() {
                    feed.end_of_input();
                } else {
                    feed.write(cooked.as_str());
                    cooked.clear();
                }
            }
            _ => {}
        }
    }

    /// The command has begun to read: what was typed ahead goes to it, up to its first line.
    fn pump(&self) {
        loop {
            let waits = self.0.running.borrow().as_ref().is_some_and(|r| r.input.is_awaited());
            if !waits {
                return;
            }
            let Some(key) = self.0.ahead.borrow_mut().pop_front() else {
                return;
            };
            let ends = matches!(key, Key::Enter | Key::Ctrl('d'));
            self.cook(key);
            if ends {
                return;
            }
        }
    }

    // Completion.

    fn complete(&self) {
        let text = self.0.line.borrow().before_cursor();
        let whole = {
            // A continued command is read from its beginning.
            let source = self.0.source.borrow();
            format!("{source}{text}")
        };
        let offset = whole.len() - text.len();
        let generation = self.0.sim.next_id();
        self.0.completing.set(generation);
        let terminal = self.clone();
        self.0.sim.spawn("completion", async move {
            let shell = terminal.0.shell.clone();
            let (context, found) = complete::candidates(&shell, &whole).await;
            if terminal.0.completing.get() != generation {
                return;
            }
            terminal.0.completing.set(0);
            if !terminal.is_busy() {
                terminal.completed(context, found, offset);
            }
            terminal.replay();
        });
        self.0.owner.wake();
    }

    fn completed(&self, context: complete::Context, found: Vec<complete::Candidate>, offset: usize) {
        let word = context.words.last().cloned().unwrap_or_default();
        let again = self.0.tabbed.replace(false);
        let Some(start) = context.start.checked_sub(offset) else {
            return;
        };
        let prefix = complete::common_prefix(&found);
        match found.as_slice() {
            [] => self.put("\x07"),
            [only] => {
                let quote = context.quote.map(String::from).unwrap_or_default();
                let mut text = format!("{quote}{}", complete::guard_word(&only.text, context.quote));
                if only.space {
                    text.push_str(&quote);
                    text.push(' ');
                }
                self.0.line.borrow_mut().replace_before_cursor(start, &text);
                self.show();
            }
            _ if prefix.len() > word.len() => {
                let quote = context.quote.map(String::from).unwrap_or_default();
                let text = format!("{quote}{}", complete::guard_word(&prefix, context.quote));
                self.0.line.borrow_mut().replace_before_cursor(start, &text);
                self.show();
                self.put("\x07");
                self.0.tabbed.set(true);
            }
            _ if again => {
                let items: Vec<String> = found.iter().map(|f| f.display.clone()).take(500).collect();
                let widths: Vec<usize> = items.iter().map(|i| width(i)).collect();
                let lines = columns(&items, &widths, usize::from(self.0.size.get().columns));
                let mut text = String::from("\r\n");
                for line in lines {
                    text.push_str(&line);
                    text.push_str("\r\n");
                }
                if found.len() > items.len() {
                    text.push_str(&format!("… and {} more\r\n", found.len() - items.len()));
                }
                {
                    let mut line = self.0.line.borrow_mut();
                    line.list_below(&text);
                }
                self.show();
                self.0.tabbed.set(true);
            }
            _ => {
                self.put("\x07");
                self.0.tabbed.set(true);
            }
        }
    }
}

impl Inner {
    /// Whether keys wait for a completion's answer.
    fn ahead_waits(&self) -> bool {
        self.completing.get() > 0
    }
}

/// Line feeds as a terminal wants them.
fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut last = 0;
    for b in bytes {
        if *b == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*b);
        last = *b;
    }
    out
}
