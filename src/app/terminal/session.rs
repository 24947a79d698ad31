//! One terminal session: what is typed goes to the line editor, finished lines to the shell.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use kubetab::shell::{Input, Output, Shell, ShellOptions, TerminalSize, join};
use kubetab::sim::{TaskHandle, TraceEvent};
use kubetab::world::Input as WorldInput;

use crate::app::engine::Engine;

/// Opens an editor: a file's path and text.
type OnEdit = Box<dyn Fn(String, String)>;
/// Puts bytes on the terminal's screen.
type Screen = Rc<dyn Fn(&[u8])>;

/// The session of the page's terminal.
pub struct Session {
    engine: Rc<Engine>,
    shell: Shell,
    size: Rc<Cell<TerminalSize>>,
    line: RefCell<String>,
    /// What was typed while a command ran.
    ahead: RefCell<VecDeque<char>>,
    running: RefCell<Option<TaskHandle>>,
    screen: RefCell<Option<Screen>>,
    on_edit: Rc<RefCell<Option<OnEdit>>>,
}

impl Session {
    pub fn new(engine: Rc<Engine>) -> Rc<Session> {
        let host = engine.host.world().host().clone();
        let on_edit: Rc<RefCell<Option<OnEdit>>> = Rc::default();
        let (edits, files) = (on_edit.clone(), host.files().clone());
        host.set_editor(Some(Rc::new(move |path: String| {
            let text = files.read_text(&path).unwrap_or_default();
            if let Some(edit) = edits.borrow().as_ref() {
                edit(path, text);
            }
            Box::pin(async { 0 })
        })));
        let shell = Shell::new(
            &host,
            ShellOptions {
                name: "-bash".to_owned(),
                interactive: true,
                from_c: false,
                ..ShellOptions::default()
            },
        );
        Rc::new(Session {
            engine,
            shell,
            size: Rc::default(),
            line: RefCell::default(),
            ahead: RefCell::default(),
            running: RefCell::default(),
            screen: RefCell::default(),
            on_edit,
        })
    }

    /// `f` opens an editor on a file: its path and text.
    pub fn on_edit(&self, f: impl Fn(String, String) + 'static) {
        *self.on_edit.borrow_mut() = Some(Box::new(f));
    }

    /// The terminal stands: shows the welcome and the first prompt.
    pub fn begin(&self, welcome: &str, screen: impl Fn(&[u8]) + 'static) {
        *self.screen.borrow_mut() = Some(Rc::new(screen));
        self.put(welcome);
        self.prompt();
    }

    fn put(&self, text: &str) {
        let screen = self.screen.borrow().clone();
        if let Some(screen) = screen {
            screen(text.as_bytes());
        }
    }

    fn prompt(&self) {
        let cwd = self.shell.cwd();
        let short = match cwd.as_str() {
            "/root" => "~",
            "/" => "/",
            path => path.rsplit('/').next().unwrap_or(path),
        };
        self.put(&format!("[root@k8s-master {short}]# "));
    }

    fn is_busy(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Applies manifests; what kubectl printed, and whether it went well.
    pub async fn apply(&self, text: String) -> (String, bool) {
        let receiver = self.engine.host.world().input(WorldInput::Apply(text));
        self.engine.go_on();
        match receiver.await {
            Ok(done) => (
                format!("{}{}", done.stdout, done.stderr).trim().to_owned(),
                done.code == 0,
            ),
            Err(_) => (String::new(), false),
        }
    }

    /// Writes a file of the host.
    ///
    /// # Errors
    /// Why the file could not be written.
    pub fn save(&self, file: &str, text: &str) -> Result<(), String> {
        let path = join(&self.shell.cwd(), file);
        self.engine
            .host
            .world()
            .host()
            .files()
            .write(&path, text)
            .map_err(|error| format!("{path}: {error:?}"))
    }

    /// What was typed or pasted.
    pub fn input(self: &Rc<Self>, data: &str) {
        for c in data.chars() {
            self.key(c);
        }
    }

    fn key(self: &Rc<Self>, c: char) {
        if c == '\u{3}' {
            return self.interrupt();
        }
        if self.is_busy() {
            self.ahead.borrow_mut().push_back(c);
            return;
        }
        match c {
            '\r' | '\n' => {
                self.put("\r\n");
                let line = self.line.take();
                self.run(line);
            }
            '\u{7f}' => {
                if self.line.borrow_mut().pop().is_some() {
                    self.put("\u{8} \u{8}");
                }
            }
            c if c.is_control() => {}
            c => {
                self.line.borrow_mut().push(c);
                self.put(&c.to_string());
            }
        }
    }

    fn interrupt(self: &Rc<Self>) {
        self.put("^C\r\n");
        self.ahead.borrow_mut().clear();
        self.line.borrow_mut().clear();
        if let Some(task) = self.running.take() {
            task.abort();
            self.shell.interrupted();
            self.engine.command(false);
        }
        self.prompt();
    }

    /// Types a command and runs it.
    pub fn type_line(self: &Rc<Self>, line: &str) {
        self.input(line);
        self.input("\r");
    }

    pub fn resize(&self, columns: u32, rows: u32) {
        self.size.set(TerminalSize {
            columns: columns.min(1_000) as u16,
            rows: rows.min(1_000) as u16,
        });
    }

    fn run(self: &Rc<Self>, line: String) {
        if line.trim().is_empty() {
            return self.prompt();
        }
        let sim = self.engine.host.sim().clone();
        let session = self.clone();
        self.engine.command(true);
        let id = sim.next_id();
        sim.emit(TraceEvent::Command {
            id,
            line: line.as_str().into(),
        });
        let screen = self.screen.borrow().clone();
        let output = Output::terminal(self.size.clone(), move |bytes| {
            if let Some(screen) = &screen {
                screen(bytes);
            }
        });
        let run = self.shell.run(&line, Input::empty(), output.clone(), output);
        let task = sim.clone().spawn("terminal", async move {
            let code = run.await;
            sim.emit(TraceEvent::CommandEnd { id, code });
            session.running.take();
            session.engine.command(false);
            session.prompt();
            let ahead = session.ahead.take();
            for c in ahead {
                session.key(c);
            }
        });
        *self.running.borrow_mut() = Some(task);
        self.engine.go_on();
    }
}
