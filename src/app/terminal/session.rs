//! The page's terminal session: the library's terminal between xterm.js and a login shell.

use std::cell::RefCell;
use std::rc::Rc;

use kubetab::shell::{Terminal, TerminalOwner, join};
use kubetab::world::Input as WorldInput;

use crate::app::engine::Engine;

/// Opens an editor: a file's path and text.
type OnEdit = Box<dyn Fn(String, String)>;
/// Puts bytes on the terminal's screen.
type Screen = Rc<dyn Fn(&[u8])>;

/// What the terminal tells: bytes for the screen, that time is wanted, and that a file is to be edited.
struct Owner {
    engine: Rc<Engine>,
    screen: Rc<RefCell<Option<Screen>>>,
    on_edit: Rc<RefCell<Option<OnEdit>>>,
}

impl TerminalOwner for Owner {
    fn screen(&self, bytes: &[u8]) {
        let screen = self.screen.borrow().clone();
        if let Some(screen) = screen {
            screen(bytes);
        }
    }

    fn busy(&self, busy: bool) {
        self.engine.command(busy);
        if busy {
            self.engine.go_on();
        }
    }

    fn wake(&self) {
        self.engine.serve();
    }

    fn edit(&self, path: &str) {
        let text = self.engine.host.world().host().files().read_text(path);
        if let Some(edit) = self.on_edit.borrow().as_ref() {
            edit(path.to_owned(), text.unwrap_or_default());
        }
    }
}

/// The session of the page's terminal.
pub struct Session {
    engine: Rc<Engine>,
    terminal: Terminal,
    screen: Rc<RefCell<Option<Screen>>>,
    on_edit: Rc<RefCell<Option<OnEdit>>>,
}

impl Session {
    pub fn new(engine: Rc<Engine>) -> Rc<Session> {
        let on_edit: Rc<RefCell<Option<OnEdit>>> = Rc::default();
        let screen: Rc<RefCell<Option<Screen>>> = Rc::default();
        let owner = Owner {
            engine: engine.clone(),
            screen: screen.clone(),
            on_edit: on_edit.clone(),
        };
        Rc::new(Session {
            terminal: engine.host.world().open_terminal(owner),
            engine,
            screen,
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
        self.take(WorldInput::Begin(welcome.to_owned()));
    }

    /// What was typed or pasted.
    pub fn input(&self, data: &str) {
        self.take(WorldInput::Keys(data.to_owned()));
    }

    /// Types a command and runs it.
    pub fn type_line(&self, line: &str) {
        self.take(WorldInput::Line(line.to_owned()));
    }

    pub fn resize(&self, columns: u32, rows: u32) {
        self.take(WorldInput::Resize(columns.min(1_000) as u16, rows.min(1_000) as u16));
    }

    /// Hands the world an input of the terminal. Nothing comes back but through the screen.
    fn take(&self, input: WorldInput) {
        drop(self.engine.host.world().input(input));
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

    /// Whether a program waits for its editor to be closed.
    pub fn is_editing(&self) -> bool {
        self.engine.host.world().is_editing()
    }

    /// Closes the editor that a program waits for.
    pub fn close_editor(&self) {
        self.take(WorldInput::EditorClosed);
        self.engine.go_on();
    }

    /// Writes a file of the host.
    ///
    /// # Errors
    /// Why the file could not be written.
    pub fn save(&self, file: &str, text: &str) -> Result<(), String> {
        let path = join(&self.terminal.shell().cwd(), file);
        let mut answer = self.engine.host.world().input(WorldInput::File(path, text.to_owned()));
        match answer.try_recv() {
            Ok(Some(finished)) if finished.code != 0 => Err(finished.stderr.trim().to_owned()),
            _ => Ok(()),
        }
    }
}
