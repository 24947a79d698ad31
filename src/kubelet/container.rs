//! One run of a container: its process, its log, and how it ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::images::Local;
use super::log::Log;
use crate::programs::Meter;
use crate::shell::{Context, Env, Host, Input, NoProgram, Output, Process, SIGKILL, TerminalSize};
use crate::sim::{Signal, Sim, TaskHandle, Time};

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub code: i32,
    pub at: Time,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`.
    pub reason: &'static str,
    pub message: String,
}

/// What a run is made from.
pub struct Plan {
    pub id: String,
    pub image: Local,
    /// The image as the spec names it.
    pub spec_image: String,
    pub args: Vec<String>,
    pub env: Env,
    /// The names of the variables, in the order in which the process has them.
    pub variables: Vec<String>,
    pub cwd: String,
    pub stdin: bool,
    pub tty: bool,
    /// Where the program may leave a message, and whether its log serves when it left none.
    pub message_path: String,
    pub message_from_log: bool,
    pub meter: Rc<Meter>,
    /// Why the runtime cannot start it.
    pub barred: Option<String>,
    /// Thousandths of a processor and bytes that it may use; 0 for any amount.
    pub limits: (u64, u64),
}

/// A run of a container.
pub struct Run {
    pub id: String,
    pub image: Local,
    pub spec_image: String,
    pub started: Time,
    pub log: Log,
    pub host: Host,
    pub env: Env,
    pub cwd: String,
    process: RefCell<Option<Process>>,
    ended: RefCell<Option<Ended>>,
    signal: Signal,
    task: RefCell<Option<TaskHandle>>,
    /// Where attached clients get what is written to stdout and to stderr.
    attached: Rc<RefCell<Vec<[Output; 2]>>>,
    keyboard: RefCell<Option<Output>>,
    message_path: String,
    message_from_log: bool,
    /// What measures its use.
    pub meter: Rc<Meter>,
    /// It took more memory than it may.
    oom: Cell<bool>,
}

impl Run {
    /// Starts a container's first process. `on_end` is called when it has ended.
    ///
    /// # Errors
    /// Why the program could not be started, with the run that failed.
    pub fn start(
        sim: &Sim,
        host: Host,
        plan: Plan,
        started: Time,
        on_end: impl Fn() + 'static,
    ) -> (Rc<Run>, Result<(), String>) {
        let log = Log::default();
        let attached: Rc<RefCell<Vec<[Output; 2]>>> = Rc::default();
        let to = |stderr: bool| {
            let (to_log, to_attached) = (log.output(sim), attached.clone());
            move |bytes: &[u8]| {
                to_log.write(bytes);
                let outputs = to_attached.borrow().clone();
                for [out, err] in outputs {
                    if stderr { err } else { out }.write(bytes);
                }
            }
        };
        let size = Rc::new(Cell::new(TerminalSize { columns: 80, rows: 24 }));
        let (stdout, stderr) = if plan.tty {
            let output = Output::terminal(size, to(false));
            (output.clone(), output)
        } else {
            (Output::callback(to(false)), Output::callback(to(true)))
        };
        let (keyboard, stdin) = match (plan.stdin, plan.tty) {
            (false, _) => (None, Input::empty()),
            (true, true) => {
                let (o, i) = crate::shell::keyboard();
                (Some(o), i)
            }
            (true, false) => {
                let (o, i) = crate::shell::pipe();
                (Some(o), i)
            }
        };
        let run = Rc::new(Run {
            id: plan.id,
            image: plan.image,
            spec_image: plan.spec_image,
            started,
            log,
            host: host.clone(),
            env: plan.env.clone(),
            cwd: plan.cwd.clone(),
            process: RefCell::default(),
            ended: RefCell::default(),
            signal: Signal::default(),
            task: RefCell::default(),
            attached,
            keyboard: RefCell::new(keyboard),
            message_path: plan.message_path,
            message_from_log: plan.message_from_log,
            meter: plan.meter,
            oom: Cell::new(false),
        });
        run.resize(plan.limits.0, plan.limits.1);
        host.set_variables(plan.variables);
        let name = plan.args.first().cloned().unwrap_or_default();
        let context = host.context(plan.args, plan.env, &plan.cwd, stdin, stdout, stderr);
        let process = context.process.clone();
        process.set_first();
        let begun = match plan.barred {
            Some(why) => Err(why),
            None => host.exec(context).map_err(|why| start_error(&name, why)),
        };
        match begun {
            Ok(future) => {
                *run.process.borrow_mut() = Some(process);
                let (ended, sim_end) = (run.clone(), sim.clone());
                let task = sim.spawn("container", async move {
                    let code = future.await;
                    ended.end(&sim_end, code);
                    on_end();
                });
                *run.task.borrow_mut() = Some(task);
                (run, Ok(()))
            }
            Err(why) => {
                let message = format!(
                    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: {why}"
                );
                *run.ended.borrow_mut() = Some(Ended {
                    code: 128,
                    at: sim.now(),
                    reason: "StartError",
                    message: message.clone(),
                });
                run.log.close();
                (run, Err(message))
            }
        }
    }

    /// Sets what the container may use: thousandths of a processor and bytes, 0 for any amount.
    pub fn resize(self: &Rc<Self>, cpu: u64, memory: u64) {
        let weak = Rc::downgrade(self);
        self.meter.limit(cpu, memory, move || {
            if let Some(run) = weak.upgrade() {
                run.oom.set(true);
                run.kill(SIGKILL);
            }
        });
    }

    /// A run that ended before this kubelet began.
    pub fn ended_before(host: Host, plan: Plan, started: Time, at: Time, code: i32) -> Rc<Run> {
        let log = Log::default();
        log.close();
        Rc::new(Run {
            id: plan.id,
            image: plan.image,
            spec_image: plan.spec_image,
            started,
            log,
            host,
            env: plan.env,
            cwd: plan.cwd,
            process: RefCell::default(),
            ended: RefCell::new(Some(Ended {
                code,
                at,
                reason: if code == 0 { "Completed" } else { "Error" },
                message: String::new(),
            })),
            signal: Signal::default(),
            task: RefCell::default(),
            attached: Rc::default(),
            keyboard: RefCell::default(),
            message_path: plan.message_path,
            message_from_log: plan.message_from_log,
            meter: plan.meter,
            oom: Cell::new(false),
        })
    }

    fn end(&self, sim: &Sim, code: i32) {
        let mut message = self.host.files().read_text(&self.message_path).unwrap_or_default();
        if message.is_empty() && self.message_from_log && code != 0 {
            message = self.log.tail();
        }
        // The kubelet reads 4 KiB at most.
        if message.len() > 4096 {
            let cut = (0..=4096).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
            message.truncate(cut);
        }
        *self.ended.borrow_mut() = Some(Ended {
            code,
            at: sim.now(),
            reason: match code {
                _ if self.oom.get() => "OOMKilled",
                0 => "Completed",
                _ => "Error",
            },
            message,
        });
        *self.process.borrow_mut() = None;
        self.attached.borrow_mut().clear();
        *self.keyboard.borrow_mut() = None;
        self.log.close();
        self.signal.notify();
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    pub fn is_running(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits until it has ended.
    pub async fn wait(&self) {
        loop {
            let generation = self.signal.generation();
            if !self.is_running() {
                return;
            }
            self.signal.after(generation).await;
        }
    }

    /// Sends a signal to its first process.
    pub fn kill(&self, signal: i32) {
        let process = self.process.borrow().clone();
        if let Some(process) = process {
            process.signal(signal);
        }
    }

    /// Ends the run without a word: its node is gone.
    pub fn discard(&self) {
        if let Some(task) = self.task.borrow_mut().take() {
            task.abort();
        }
    }

    /// Gives what the container writes from now on to outputs for its stdout and its stderr, until it ends.
    pub fn attach(&self, outputs: [Output; 2]) {
        self.attached.borrow_mut().push(outputs);
    }

    /// Its standard input, while it has one.
    pub fn keyboard(&self) -> Option<Output> {
        self.keyboard.borrow().clone()
    }

    /// Closes its standard input.
    pub fn close_stdin(&self) {
        *self.keyboard.borrow_mut() = None;
    }

    /// The context of another command in the container, as `kubectl exec` and hooks run it.
    pub fn context(&self, args: Vec<String>, stdin: Input, stdout: Output, stderr: Output) -> Context {
        let mut env = self.env.clone();
        if stdout.is_terminal() {
            env.insert("TERM".into(), "xterm".into());
        }
        self.host.context(args, env, &self.cwd, stdin, stdout, stderr)
    }
}

/// Why a program could not be started, as the container runtime says it.
pub fn start_error(name: &str, why: NoProgram) -> String {
    match why {
        NoProgram::NotFound if name.contains('/') => {
            format!("exec: \"{name}\": stat {name}: no such file or directory")
        }
        NoProgram::NotFound => format!("exec: \"{name}\": executable file not found in $PATH"),
        NoProgram::IsDirectory => format!("exec: \"{name}\": is a directory"),
        NoProgram::Denied => format!("exec: \"{name}\": permission denied"),
    }
}
