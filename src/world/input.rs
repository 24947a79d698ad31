//! What reaches a world from outside, and the replay of it.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::oneshot;
use serde::{Deserialize, Serialize};

use super::{Options, World};
use crate::api::Status;
use crate::shell::{Env, Host, Input as Stdin, Output, Shell, ShellOptions, Terminal, TerminalOwner, TerminalSize};
use crate::sim::{Journal, Time, TraceEvent};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// A command line, run in a bash of its own.
    Exec(String),
    /// Manifests for `kubectl apply -f -`.
    Apply(String),
    /// A file's text: its path and content.
    File(String, String),
    /// A terminal was opened: a login shell of its own.
    Open,
    /// The terminal's first prompt, with a welcome above it.
    Begin(String),
    /// What was typed or pasted into the terminal.
    Keys(String),
    /// A line that was put into the terminal and run.
    Line(String),
    /// The terminal's size: columns and rows.
    Resize(u16, u16),
    /// The editor was closed, which a program of the terminal waits for.
    EditorClosed,
}

/// A command that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl World {
    /// Every input so far.
    pub fn journal(&self) -> Journal<Input> {
        self.0.journal.borrow().clone()
    }

    /// The options that the world was made with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// How many commands have begun and not ended.
    pub fn commands(&self) -> usize {
        self.0.commands.get()
    }

    /// Takes an input: notes it in the journal and begins it. What it ends with arrives when the
    /// world has run that far.
    pub fn input(&self, input: Input) -> oneshot::Receiver<Finished> {
        let sim = self.sim();
        self.0.journal.borrow_mut().push(sim.steps(), sim.now(), input.clone());
        let (sender, receiver) = oneshot::channel();
        let (line, stdin) = match input.clone() {
            Input::Exec(line) => (line, String::new()),
            Input::Apply(manifests) => ("kubectl apply -f -".to_owned(), manifests),
            Input::File(path, content) => {
                let files = self.host().files();
                let path = crate::shell::join("/root", &path);
                let finished = match files.put(&path, content) {
                    Ok(()) => Finished::default(),
                    Err(error) => Finished {
                        stderr: format!("{path}: {error:?}\n"),
                        code: 1,
                        ..Finished::default()
                    },
                };
                // Nobody may wait for it.
                let _ = sender.send(finished);
                return receiver;
            }
            Input::Open => {
                // Nobody looks at a replay's terminal.
                self.make_terminal(Nobody);
                return receiver;
            }
            Input::EditorClosed => {
                if let Some(waiting) = self.0.editing.take() {
                    // The program may have been killed.
                    let _ = waiting.send(());
                }
                return receiver;
            }
            Input::Begin(_) | Input::Keys(_) | Input::Line(_) | Input::Resize(..) => {
                let terminal = self.0.terminal.borrow().clone();
                if let Some(terminal) = terminal {
                    into_terminal(&terminal, &input);
                }
                return receiver;
            }
        };
        // Not the world itself: a command that never ends must not keep it.
        let (host, running) = (self.host().clone(), self.0.commands.clone());
        running.set(running.get() + 1);
        self.sim().spawn("command", async move {
            let finished = run_line(&host, &line, Stdin::text(stdin)).await;
            running.set(running.get() - 1);
            let _ = sender.send(finished);
        });
        receiver
    }

    /// Opens the world's terminal: what it shows goes to `owner`, what is typed comes through
    /// [`World::input`].
    pub fn open_terminal(&self, owner: impl TerminalOwner + 'static) -> Terminal {
        let sim = self.sim();
        self.0.journal.borrow_mut().push(sim.steps(), sim.now(), Input::Open);
        self.make_terminal(owner)
    }

    /// Whether a program waits for its editor to be closed.
    pub fn is_editing(&self) -> bool {
        let waiting = self.0.editing.borrow();
        waiting.as_ref().is_some_and(|w| !w.is_canceled())
    }

    fn make_terminal(&self, owner: impl TerminalOwner + 'static) -> Terminal {
        let owner = Rc::new(owner);
        let (editing, asked) = (self.0.editing.clone(), owner.clone());
        // `vim` waits alike whether a pane opens or nobody is there to see one: a replay meets the same.
        self.host().set_editor(Some(Rc::new(move |path| {
            let (closed, waits) = oneshot::channel();
            editing.replace(Some(closed));
            asked.edit(&path);
            // One that another program's editor takes the place of has failed.
            Box::pin(async move { i32::from(waits.await.is_err()) })
        })));
        let shell = Shell::new(
            self.host(),
            ShellOptions {
                name: "-bash".to_owned(),
                interactive: true,
                from_c: false,
                ..ShellOptions::default()
            },
        );
        let terminal = Terminal::new(shell, TerminalSize::default(), owner);
        *self.0.terminal.borrow_mut() = Some(terminal.clone());
        terminal
    }
}

/// Runs a line in a bash of its own, its outputs kept apart. The trace shows it.
async fn run_line(host: &Host, line: &str, stdin: Stdin) -> Finished {
    let id = host.sim().next_id();
    host.sim().emit(TraceEvent::Command { id, line: line.into() });
    let (stdout, out) = Output::buffer();
    let (stderr, err) = Output::buffer();
    let code = run_bash(host, line, stdin, stdout, stderr).await;
    host.sim().emit(TraceEvent::CommandEnd { id, code });
    let text = |bytes: Rc<RefCell<Vec<u8>>>| String::from_utf8_lossy(&bytes.borrow()).into_owned();
    Finished {
        stdout: text(out),
        stderr: text(err),
        code,
    }
}

/// Runs a line in a bash of its own, in root's home.
pub(super) async fn run_bash(host: &Host, line: &str, stdin: Stdin, stdout: Output, stderr: Output) -> i32 {
    let args = ["bash", "-c", line].map(str::to_owned).to_vec();
    log_in(host, args, stdin, stdout, stderr).await
}

/// Runs a command as root who has logged in to a machine.
pub(super) async fn log_in(host: &Host, args: Vec<String>, stdin: Stdin, stdout: Output, stderr: Output) -> i32 {
    let home = "/root";
    let name = host.name();
    let env: Env = [
        ("HOME", home),
        ("HOSTNAME", name.as_str()),
        ("LANG", "C.UTF-8"),
        ("LOGNAME", "root"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PWD", home),
        ("SHELL", "/bin/bash"),
        ("TERM", "xterm-256color"),
        ("USER", "root"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    let context = host.context(args, env, home, stdin, stdout, stderr);
    match host.exec(context) {
        Ok(future) => future.await,
        Err(_) => 127,
    }
}

fn into_terminal(terminal: &Terminal, input: &Input) {
    match input {
        Input::Begin(welcome) => terminal.begin(welcome),
        Input::Keys(data) => terminal.feed(data),
        Input::Line(line) => terminal.run_line(line),
        Input::Resize(columns, rows) => terminal.resize(TerminalSize {
            columns: *columns,
            rows: *rows,
        }),
        // The others are no terminal's.
        Input::Exec(_) | Input::Apply(_) | Input::File(..) | Input::Open | Input::EditorClosed => {}
    }
}

/// The owner of a terminal that nobody looks at.
struct Nobody;

impl TerminalOwner for Nobody {
    fn screen(&self, _bytes: &[u8]) {}
}

/// Makes the world of a journal again, up to the place of its last input. `options` gives what the
/// journal does not hold; its seed and start are the journal's.
///
/// # Errors
/// When the journal is not the whole course, or another version of the simulation wrote it.
pub fn replay(journal: &Journal<Input>, options: &Options) -> Result<World, Status> {
    if journal.truncated {
        return Err(Status::internal(
            "the journal is not whole: it was longer than its limit",
        ));
    }
    let options = Options {
        seed: journal.seed,
        start: Time(journal.start),
        ..options.clone()
    };
    let world = World::new(&options)?;
    for entry in &journal.entries {
        if !world.sim().run_to_step(entry.steps, Time(entry.micros)) {
            return Err(Status::internal(
                "the journal does not fit this version of the simulation",
            ));
        }
        drop(world.input(entry.input.clone()));
    }
    Ok(world)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// An owner that keeps what is shown.
    struct Screen(Rc<RefCell<String>>);

    impl TerminalOwner for Screen {
        fn screen(&self, bytes: &[u8]) {
            self.0.borrow_mut().push_str(&String::from_utf8_lossy(bytes));
        }
        fn edit(&self, path: &str) {
            self.0.borrow_mut().push_str(&format!("[edit {path}]"));
        }
    }

    /// A program that opens an editor waits until the file is saved or left; Ctrl-C ends the program.
    #[test]
    fn kubectl_edit_waits_for_the_editor() {
        let world = World::new(&Options::default()).unwrap();
        let shown: Rc<RefCell<String>> = Rc::default();
        world.open_terminal(Screen(shown.clone()));
        drop(world.input(Input::Begin(String::new())));
        let line = |text: &str| {
            shown.borrow_mut().clear();
            drop(world.input(Input::Line(text.into())));
            world.sim().run_for(Duration::from_secs(5));
            shown.borrow().clone()
        };
        line("kubectl create configmap conf --from-literal=color=blue");
        let edited = |change: &dyn Fn(String) -> String| {
            let said = line("kubectl edit configmap conf");
            assert!(world.is_editing() && !said.contains("ancelled"), "{said}");
            let path = said
                .split("[edit ")
                .nth(1)
                .unwrap()
                .split(']')
                .next()
                .unwrap()
                .to_owned();
            let text = world.host().files().read_text(&path).unwrap();
            drop(world.input(Input::File(path, change(text))));
            shown.borrow_mut().clear();
            drop(world.input(Input::EditorClosed));
            world.sim().run_for(Duration::from_secs(1));
            shown.borrow().clone()
        };
        let said = edited(&|text| text.replace("blue", "red"));
        assert!(said.contains("configmap/conf edited"), "{said}");
        let said = edited(&|text| text);
        assert!(said.contains("Edit cancelled, no changes made."), "{said}");
        // What is refused is shown again, with the reason above it.
        let said = edited(&|text| text.replace("  color:", "  'a b':"));
        assert!(world.is_editing() && said.contains("[edit "), "{said}");
        drop(world.input(Input::Keys("\u{3}".into())));
        world.sim().run_for(Duration::from_secs(1));
        assert!(!world.is_editing());
        assert!(line("kubectl get configmap conf -o jsonpath={.data}").contains(r#"{"color":"red"}"#));
        assert!(replay(&world.journal(), world.options()).is_ok());
    }

    #[test]
    fn a_terminal_logs_in_to_a_node() {
        let world = World::new(&Options::default()).unwrap();
        let shown: Rc<RefCell<String>> = Rc::default();
        world.open_terminal(Screen(shown.clone()));
        drop(world.input(Input::Begin(String::new())));
        for line in ["ssh k8s-node-01", "cd /mnt; hostname", "exit"] {
            drop(world.input(Input::Keys(format!("{line}\r"))));
            world.sim().run_for(Duration::from_secs(1));
        }
        let shown = shown.borrow().replace('\r', "");
        for part in [
            "root@k8s-node-01:~# cd /mnt; hostname\nk8s-node-01\n",
            "root@k8s-node-01:/mnt# exit\n",
            "Connection to k8s-node-01 closed.\n",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn a_replay_gives_the_same_trace() {
        let options = Options::default();
        let world = World::new(&options).unwrap();
        world.sim().trace().start_hash();
        drop(world.input(Input::File("a.txt".into(), "hello\n".into())));
        drop(world.input(Input::Exec("cat a.txt; sleep 3; kubectl get nodes".into())));
        world.sim().run_for(Duration::from_millis(1_700));
        // In the middle of what is going on.
        world.sim().run_ready(1);
        drop(world.input(Input::Exec(
            "kubectl create deployment web --image=nginx --replicas=3".into(),
        )));
        let shown: Rc<RefCell<String>> = Rc::default();
        world.open_terminal(Screen(shown.clone()));
        drop(world.input(Input::Begin("welcome".into())));
        drop(world.input(Input::Resize(100, 30)));
        world.sim().run_for(Duration::from_millis(300));
        drop(world.input(Input::Keys("X=pods; kubectl get $X -o wi\t\r".into())));
        world.sim().run_for(Duration::from_secs(3));
        drop(world.input(Input::Line("vim a.txt".into())));
        world.sim().run_for(Duration::from_secs(30));
        assert!(shown.borrow().contains("NOMINATED"), "{}", shown.borrow());
        let again = World::new(&options).unwrap();
        again.sim().trace().start_hash();
        for entry in &world.journal().entries {
            assert!(again.sim().run_to_step(entry.steps, Time(entry.micros)));
            drop(again.input(entry.input.clone()));
        }
        again.sim().run_until(world.sim().now());
        assert_eq!(again.sim().trace().hash(), world.sim().trace().hash());
        assert_eq!(again.api().store().revision(), world.api().store().revision());
        assert!(replay(&world.journal(), &options).is_ok());
    }
}
