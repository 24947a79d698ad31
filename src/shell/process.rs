//! Processes of a host or container: what signals reach and what `ps` and `kill` see. A process is
//! not a task: it is whoever runs inside [`Process::run`], which ends when a signal kills it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use crate::flat::FlatMap;
use crate::limits;
use crate::sim::Time;

pub const SIGHUP: i32 = 1;
pub const SIGINT: i32 = 2;
pub const SIGQUIT: i32 = 3;
pub const SIGKILL: i32 = 9;
pub const SIGUSR1: i32 = 10;
pub const SIGUSR2: i32 = 12;
pub const SIGPIPE: i32 = 13;
pub const SIGALRM: i32 = 14;
pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;
pub const SIGCONT: i32 = 18;
pub const SIGSTOP: i32 = 19;
pub const SIGTSTP: i32 = 20;
pub const SIGWINCH: i32 = 28;
pub const SIGXFSZ: i32 = 25;

/// The signals with their numbers on Linux, as `kill -l` lists them.
pub const SIGNALS: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// A signal's number from `9`, `KILL`, `SIGKILL` or `kill`.
pub fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (0..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    SIGNALS.iter().find(|(n, _)| *n == bare).map(|(_, s)| *s)
}

/// A signal's name without `SIG`.
pub fn signal_name(number: i32) -> Option<&'static str> {
    SIGNALS.iter().find(|(_, s)| *s == number).map(|(n, _)| *n)
}

/// What a process does with a signal that it does not leave to the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It does nothing.
    Ignore,
    /// It is queued for the process, which takes it with [`Process::take_signal`].
    Handle,
}

struct Inner {
    pid: u32,
    parent: u32,
    started: Time,
    command: RefCell<String>,
    /// The machine that it belongs to, of those that share a table; the first one is 0.
    home: u32,
    /// Whether it is the first process of a container.
    first: Cell<bool>,
    killed: Cell<Option<i32>>,
    dispositions: RefCell<FlatMap<i32, Disposition>>,
    pending: RefCell<VecDeque<i32>>,
    wakers: RefCell<Vec<Waker>>,
    depth: Cell<usize>,
}

/// A process. Clones are handles to the same one.
#[derive(Clone)]
pub struct Process(Rc<Inner>);

impl Process {
    /// The process's number on its host or in its container.
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// The number of the process that started it; 0 for none.
    pub fn parent(&self) -> u32 {
        self.0.parent
    }

    /// How many shells, subshells, functions and programs it runs inside of: each waits for the next, and
    /// polling one polls all of them.
    pub fn depth(&self) -> usize {
        self.0.depth.get()
    }

    pub fn set_depth(&self, depth: usize) {
        self.0.depth.set(depth);
    }

    /// When it started.
    pub fn started(&self) -> Time {
        self.0.started
    }

    /// Its command line, as `ps` shows it.
    pub fn command(&self) -> String {
        self.0.command.borrow().clone()
    }

    /// Changes what `ps` shows (`exec` does).
    pub fn set_command(&self, command: &str) {
        *self.0.command.borrow_mut() = command.to_owned();
    }

    /// Makes it the first process of a container. If the container has a PID namespace of its own, it
    /// is process 1 of that: signals that it does not handle are dropped, except SIGKILL.
    pub fn set_first(&self) {
        self.0.first.set(true);
    }

    /// Whether it is process 1 of a PID namespace.
    pub fn is_init(&self) -> bool {
        self.0.first.get() && self.0.home == 0
    }

    /// Whether `other` ends when this one does: with process 1 ends its namespace, with the first process
    /// of a container that joined one everything in that container.
    pub fn takes_along(&self, other: &Process) -> bool {
        self.0.first.get() && self.0.pid != other.0.pid && (self.0.home == 0 || self.0.home == other.0.home)
    }

    /// Sets what the process does with a signal; `None` is the default again. SIGKILL and SIGSTOP
    /// cannot be changed.
    pub fn set_disposition(&self, signal: i32, disposition: Option<Disposition>) {
        if signal == SIGKILL || signal == SIGSTOP {
            return;
        }
        let mut dispositions = self.0.dispositions.borrow_mut();
        match disposition {
            Some(d) => dispositions.insert(signal, d),
            None => dispositions.remove(&signal),
        };
    }

    /// What was set for a signal.
    pub fn disposition(&self, signal: i32) -> Option<Disposition> {
        self.0.dispositions.borrow().get(&signal).copied()
    }

    /// Sends a signal: it is handled, ignored, or ends the process.
    pub fn signal(&self, signal: i32) {
        let disposition = self.disposition(signal);
        match disposition {
            Some(Disposition::Ignore) => return,
            Some(Disposition::Handle) => {
                let mut pending = self.0.pending.borrow_mut();
                // A standard signal that is pending already is not queued twice.
                if !pending.contains(&signal) {
                    pending.push_back(signal);
                }
            }
            None => {
                // These do nothing by default; stopping and continuing are not simulated.
                if matches!(
                    signal,
                    0 | SIGCHLD | SIGCONT | SIGSTOP | SIGTSTP | 21 | 22 | 23 | SIGWINCH
                ) {
                    return;
                }
                if self.is_init() && signal != SIGKILL {
                    return;
                }
                if self.0.killed.get().is_none() {
                    self.0.killed.set(Some(signal));
                }
            }
        }
        let wakers = std::mem::take(&mut *self.0.wakers.borrow_mut());
        for waker in wakers {
            waker.wake();
        }
    }

    /// Sends a signal from a process of its PID namespace, whose process 1 not even SIGKILL ends
    /// (pid_namespaces(7)).
    pub fn signal_from_inside(&self, signal: i32) {
        if !(self.is_init() && signal == SIGKILL) {
            self.signal(signal);
        }
    }

    /// The signal that killed it.
    pub fn killed_by(&self) -> Option<i32> {
        self.0.killed.get()
    }

    /// The next handled signal that has come in and was not taken yet.
    pub fn take_signal(&self) -> Option<i32> {
        self.0.pending.borrow_mut().pop_front()
    }

    /// Whether a handled signal waits to be taken.
    pub fn has_signal(&self) -> bool {
        !self.0.pending.borrow().is_empty()
    }

    /// Waits for the next handled signal, and takes it.
    pub async fn next_signal(&self) -> i32 {
        self.wait_signal().await;
        self.take_signal().unwrap_or(0)
    }

    /// Waits until a handled signal has come in, and leaves it there.
    pub async fn wait_signal(&self) {
        poll_fn(|cx| {
            if self.has_signal() {
                return Poll::Ready(());
            }
            self.0.wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Runs `future` as this process: its exit code, or 128 + the signal that killed it, on which
    /// `future` is dropped and with it everything that it runs.
    pub async fn run(&self, future: impl Future<Output = i32>) -> i32 {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if let Some(signal) = self.0.killed.get() {
                return Poll::Ready(128 + signal);
            }
            if let Poll::Ready(code) = future.as_mut().poll(cx) {
                // A process that was killed while it ran (a broken pipe) did not end by itself.
                return Poll::Ready(self.0.killed.get().map_or(code, |s| 128 + s));
            }
            if let Some(signal) = self.0.killed.get() {
                return Poll::Ready(128 + signal);
            }
            let mut wakers = self.0.wakers.borrow_mut();
            if !wakers.iter().any(|w| w.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process({} {})", self.0.pid, self.0.command.borrow())
    }
}

#[derive(Default)]
struct Table {
    next: Cell<u32>,
    live: RefCell<FlatMap<u32, Weak<Inner>>>,
    homes: Cell<u32>,
}

/// The processes of a host or container.
#[derive(Default)]
pub struct Processes {
    table: Rc<Table>,
    /// Which of the machines of the table starts processes through this.
    home: u32,
}

impl Processes {
    /// A table whose first process has the number `first`.
    pub fn starting_at(first: u32) -> Processes {
        let processes = Processes::default();
        processes.table.next.set(first);
        processes
    }

    /// The same processes for a container that joins the namespace, and so has no process 1 in it.
    pub fn joined(&self) -> Processes {
        let home = self.table.homes.get().wrapping_add(1);
        self.table.homes.set(home);
        Processes {
            table: self.table.clone(),
            home,
        }
    }

    /// Adds a process. It is listed as long as a handle to it lives.
    pub fn start(&self, command: &str, parent: u32, now: Time) -> Process {
        let pid = self.table.next.get().max(1);
        self.table.next.set(pid.wrapping_add(1));
        let inner = Rc::new(Inner {
            pid,
            parent,
            started: now,
            command: RefCell::new(command.to_owned()),
            home: self.home,
            first: Cell::new(false),
            killed: Cell::new(None),
            dispositions: RefCell::default(),
            pending: RefCell::default(),
            wakers: RefCell::default(),
            depth: Cell::new(0),
        });
        let mut live = self.table.live.borrow_mut();
        live.retain(|_, p| p.strong_count() > 0);
        live.insert(pid, Rc::downgrade(&inner));
        Process(inner)
    }

    /// Whether there are as many as may be, so that no more can be forked.
    pub fn are_full(&self) -> bool {
        let alive = |p: &&Weak<Inner>| p.strong_count() > 0;
        // Ended ones leave the list when the next is started.
        let live = self.table.live.borrow();
        live.len() >= limits::PROCESSES && live.values().filter(alive).count() >= limits::PROCESSES
    }

    /// The process of this number, if it lives.
    pub fn get(&self, pid: u32) -> Option<Process> {
        self.table.live.borrow().get(&pid).and_then(Weak::upgrade).map(Process)
    }

    /// Every live process, by number.
    pub fn list(&self) -> Vec<Process> {
        self.table
            .live
            .borrow()
            .values()
            .filter_map(Weak::upgrade)
            .map(Process)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Sim;
    use std::time::Duration;

    #[test]
    fn signals_end_are_handled_or_are_dropped() {
        let sim = Sim::new(1, Time::default());
        let table = Processes::default();
        let sleeper = table.start("sleep", 0, sim.now());
        let (s, p) = (sim.clone(), sleeper.clone());
        let run = async move {
            p.run(async move {
                s.sleep(Duration::from_secs(100)).await;
                0
            })
            .await
        };
        let (s, p) = (sim.clone(), sleeper.clone());
        sim.spawn("kill", async move {
            s.sleep(Duration::from_secs(1)).await;
            p.signal(SIGTERM);
        });
        assert_eq!(sim.run_future(run, Time::from_secs(200)), Some(143));
        assert_eq!(sim.now(), Time::from_secs(1));

        let init = table.start("init", 0, sim.now());
        init.set_first();
        init.signal(SIGTERM);
        assert_eq!(init.killed_by(), None, "process 1 without a handler ignores it");
        init.set_disposition(SIGTERM, Some(Disposition::Handle));
        init.signal(SIGTERM);
        init.signal(SIGTERM);
        assert_eq!((init.take_signal(), init.take_signal()), (Some(SIGTERM), None));
        init.signal_from_inside(SIGKILL);
        assert_eq!(init.killed_by(), None);
        init.signal(SIGKILL);
        assert_eq!(init.killed_by(), Some(SIGKILL));
        assert_eq!(table.list().len(), 2);
        drop(sleeper);
        assert_eq!(table.list().len(), 1);
        assert_eq!(signal_number("sigterm"), Some(15));
        assert_eq!(signal_name(9), Some("KILL"));
    }
}
