//! One terminal session: what is typed goes to the line editor, finished lines to the shell.

use std::cell::RefCell;
use std::rc::Rc;

use crate::app::engine::Engine;

/// The session of the page's terminal.
pub struct Session {
    engine: Rc<Engine>,
    line: RefCell<String>,
    write: RefCell<Option<fn(&str)>>,
}

impl Session {
    pub fn new(engine: Rc<Engine>) -> Rc<Session> {
        Rc::new(Session {
            engine,
            line: RefCell::default(),
            write: RefCell::default(),
        })
    }

    /// The terminal stands: shows the welcome and the first prompt.
    pub fn begin(&self, welcome: &str, write: fn(&str)) {
        *self.write.borrow_mut() = Some(write);
        self.put(welcome);
        self.prompt();
    }

    fn put(&self, text: &str) {
        if let Some(write) = *self.write.borrow() {
            write(text);
        }
    }

    fn prompt(&self) {
        self.put("[root@k8s-master ~]# ");
    }

    /// `f` opens an editor on a file: its path and text.
    pub fn on_edit(&self, _f: impl Fn(String, String) + 'static) {}

    /// Applies manifests; what kubectl printed, and whether it went well.
    pub async fn apply(&self, _text: String) -> (String, bool) {
        (String::new(), true)
    }

    /// Writes a file of the host.
    pub fn save(&self, _file: &str, _text: &str) -> Result<(), String> {
        Ok(())
    }

    /// What was typed or pasted.
    pub fn input(self: &Rc<Self>, data: &str) {
        for c in data.chars() {
            match c {
                '\r' => {
                    self.put("\r\n");
                    let line = self.line.take();
                    self.run(line);
                }
                '\u{7f}' => {
                    if self.line.borrow_mut().pop().is_some() {
                        self.put("\u{8} \u{8}");
                    }
                }
                c => {
                    self.line.borrow_mut().push(c);
                    self.put(&c.to_string());
                }
            }
        }
    }

    /// Types a command and runs it.
    pub fn type_line(self: &Rc<Self>, line: &str) {
        self.input(line);
        self.input("\r");
    }

    pub fn resize(&self, _columns: u32, _rows: u32) {}

    fn run(self: &Rc<Self>, _line: String) {
        self.engine.go_on();
        self.prompt();
    }
}
