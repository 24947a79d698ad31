//! The executor: tasks, timers, the clock and the generator of one world.
//!
//! A task is polled when it was woken; woken tasks are polled in the order of their waking. When
//! none is left, the clock jumps to the next timer. Nothing here sleeps in real time.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::{Either, select};

use super::time::Time;
use super::trace::{Trace, TraceEvent};
use crate::flat::{FlatMap, WideMap};

type TaskId = u64;

/// The ready list. A `Waker` must be `Send`, hence the mutex, which no second thread ever contends.
#[derive(Default)]
struct Ready(Mutex<VecDeque<TaskId>>);

impl Ready {
    fn push(&self, id: TaskId) {
        let mut queue = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.push_back(id);
    }

    fn push_front(&self, id: TaskId) {
        let mut queue = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.push_front(id);
    }

    fn pop(&self) -> Option<TaskId> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .is_empty()
    }
}

struct TaskWaker {
    id: TaskId,
    ready: Arc<Ready>,
    /// Whether it stands in the ready list. A task woken several times is polled once.
    queued: AtomicBool,
}

impl TaskWaker {
    fn enqueue(&self) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.id);
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.enqueue();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.enqueue();
    }
}

struct Task {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
    wake: Arc<TaskWaker>,
    waker: Waker,
}

#[derive(Default)]
struct Timers {
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    wakers: WideMap<u64, Waker>,
    next: u64,
}

struct Inner {
    seed: u64,
    now: Cell<Time>,
    ready: Arc<Ready>,
    tasks: RefCell<WideMap<TaskId, Option<Task>>>,
    next_task: Cell<TaskId>,
    timers: RefCell<Timers>,
    rng: RefCell<fastrand::Rng>,
    trace: Trace,
    ids: Cell<u64>,
    steps: Cell<u64>,
    /// Whether the world waits for something from outside, and with which task.
    held: Cell<Option<TaskId>>,
    /// The task that is polled now.
    current: Cell<Option<TaskId>>,
}

/// A version 4 UUID from a generator.
pub fn uuid_from(generator: &mut fastrand::Rng) -> String {
    let (a, b) = (generator.u64(..), generator.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 48 & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// A world's kernel. Clones are handles to the same world.
#[derive(Clone)]
pub struct Sim(Rc<Inner>);

impl Sim {
    /// A world that begins at `start`, whose random choices follow from `seed`.
    pub fn new(seed: u64, start: Time) -> Sim {
        Sim(Rc::new(Inner {
            seed,
            now: Cell::new(start),
            ready: Arc::default(),
            tasks: RefCell::default(),
            next_task: Cell::new(0),
            timers: RefCell::default(),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            trace: Trace::new(),
            ids: Cell::new(0),
            steps: Cell::new(0),
            held: Cell::new(None),
            current: Cell::new(None),
        }))
    }

    /// What the world's random choices, and its keys, follow from.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The virtual time now.
    pub fn now(&self) -> Time {
        self.0.now.get()
    }

    /// The world's trace.
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// Appends an event to the trace at the present time.
    pub fn emit(&self, event: TraceEvent) {
        self.0.trace.push(self.now(), event);
    }

    /// A number that no earlier call returned: for request, flow and command ids.
    pub fn next_id(&self) -> u64 {
        let id = self.0.ids.get() + 1;
        self.0.ids.set(id);
        id
    }

    /// Runs `f` with the world's generator.
    pub fn rng<T>(&self, f: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        f(&mut self.0.rng.borrow_mut())
    }

    /// A number in `0..n`; 0 when `n` is 0.
    pub fn random_below(&self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.rng(|r| r.u64(0..n)) }
    }

    /// `n` characters of the alphabet that Kubernetes uses for generated names.
    pub fn random_suffix(&self, n: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..n)
            .filter_map(|_| ALPHABET.get(self.random_below(ALPHABET.len() as u64) as usize))
            .map(|b| char::from(*b))
            .collect()
    }

    /// A random version 4 UUID.
    pub fn random_uuid(&self) -> String {
        self.rng(uuid_from)
    }

    /// Starts a task. It first runs when the executor next does, after tasks that are ready already.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + 'static) -> TaskHandle {
        self.start(name, Box::pin(future))
    }

    /// [`Sim::spawn`], whose code is there once for all futures.
    fn start(&self, name: &'static str, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskHandle {
        let id = self.0.next_task.get();
        self.0.next_task.set(id + 1);
        let wake = Arc::new(TaskWaker {
            id,
            ready: self.0.ready.clone(),
            queued: AtomicBool::new(false),
        });
        let task = Task {
            name,
            future,
            waker: Waker::from(wake.clone()),
            wake: wake.clone(),
        };
        self.0.tasks.borrow_mut().insert(id, Some(task));
        wake.enqueue();
        TaskHandle {
            sim: Rc::downgrade(&self.0),
            id,
        }
    }

    /// Ends after `delay` of virtual time.
    pub fn sleep(&self, delay: Duration) -> Sleep {
        self.sleep_until(self.now() + delay)
    }

    /// Ends at `when`, at once when that is past.
    pub fn sleep_until(&self, when: Time) -> Sleep {
        Sleep {
            sim: self.0.clone(),
            when,
            timer: None,
        }
    }

    /// Polls every woken task until none is ready, at the present time. Returns how many polls it
    /// took; stops early, with `limit`, when tasks keep waking each other without end.
    pub fn run_ready(&self, limit: usize) -> usize {
        let mut polls = 0;
        while polls < limit && !self.is_held() {
            let Some(id) = self.0.ready.pop() else { break };
            polls += 1;
            self.0.steps.set(self.0.steps.get() + 1);
            // The task is taken out while it runs, so that it may spawn or abort others.
            let task = self.0.tasks.borrow_mut().get_mut(&id).and_then(Option::take);
            let Some(mut task) = task else { continue };
            // From here on a wake asks for another poll.
            task.wake.queued.store(false, Ordering::Relaxed);
            let waker = task.waker.clone();
            let outer = self.0.current.replace(Some(id));
            let done = task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            self.0.current.set(outer);
            if done {
                self.0.tasks.borrow_mut().remove(&id);
            } else {
                let mut tasks = self.0.tasks.borrow_mut();
                // An entry that is gone was aborted by the task itself while it ran.
                match tasks.get_mut(&id) {
                    Some(slot) => *slot = Some(task),
                    None => {
                        drop(tasks);
                        drop(task);
                    }
                }
            }
        }
        polls
    }

    /// Whether a task waits to be polled at the present time.
    pub fn has_ready(&self) -> bool {
        !self.is_held() && !self.0.ready.is_empty()
    }

    /// Stops the world where it is, until [`Sim::release`]: to be called from a task that needs what
    /// only the outside has, and that goes on waiting. No other task is polled, no timer fires and the
    /// clock stands; then that task is polled first, as if it had not waited. So the world's course
    /// does not depend on how long the outside took.
    pub fn hold(&self) {
        if let Some(id) = self.0.current.get()
            && self.0.held.get().is_none()
        {
            self.0.held.set(Some(id));
            // The poll is taken again later, and counts then.
            self.0.steps.set(self.0.steps.get().saturating_sub(1));
        }
    }

    /// Lets a world go on that [`Sim::hold`] stopped.
    pub fn release(&self) {
        let Some(id) = self.0.held.take() else { return };
        let tasks = self.0.tasks.borrow();
        if let Some(Some(task)) = tasks.get(&id)
            && !task.wake.queued.swap(true, Ordering::Relaxed)
        {
            self.0.ready.push_front(id);
        }
    }

    /// Whether the world waits for something from outside.
    pub fn is_held(&self) -> bool {
        self.0.held.get().is_some()
    }

    /// When the next timer fires; `None` when none is set.
    pub fn next_timer(&self) -> Option<Time> {
        let mut timers = self.0.timers.borrow_mut();
        while let Some(Reverse((when, id))) = timers.heap.peek().copied() {
            if timers.wakers.contains_key(&id) {
                return Some(when);
            }
            timers.heap.pop();
        }
        None
    }

    /// Moves the clock to the next timer, if that is not after `limit`, and wakes its tasks.
    /// Returns whether it moved.
    pub fn fire_next_timer(&self, limit: Time) -> bool {
        if self.is_held() {
            return false;
        }
        let Some(when) = self.next_timer() else { return false };
        if when > limit {
            return false;
        }
        if when > self.now() {
            self.0.now.set(when);
        }
        self.0.steps.set(self.0.steps.get() + 1);
        // One timer at a time: the tasks of a timer run before the next timer of the same moment.
        let waker = {
            let mut timers = self.0.timers.borrow_mut();
            match timers.heap.pop() {
                Some(Reverse((_, id))) => timers.wakers.remove(&id),
                None => None,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// How many steps (polls of tasks, firings of timers) the world has taken. With the virtual time
    /// it says exactly where in its course a world is.
    pub fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    /// Runs until the world has taken `steps` steps, then puts the clock at `time`: a replay's way to
    /// the place where an input came. Returns whether the world got there.
    pub fn run_to_step(&self, steps: u64, time: Time) -> bool {
        while self.steps() < steps {
            if self.run_ready(1) == 0 && !self.fire_next_timer(Time(u64::MAX)) {
                return false;
            }
        }
        if time > self.now() && !self.is_held() {
            self.0.now.set(time);
        }
        self.now() == time
    }

    /// Runs the world until the virtual time `end`, and leaves the clock there.
    pub fn run_until(&self, end: Time) {
        loop {
            self.run_ready(usize::MAX);
            if !self.fire_next_timer(end) {
                break;
            }
        }
        // A world that waits for the outside has not got there.
        if end > self.now() && !self.is_held() {
            self.0.now.set(end);
        }
    }

    /// Runs the world for `span` of virtual time.
    pub fn run_for(&self, span: Duration) {
        self.run_until(self.now() + span);
    }

    /// Runs the world until `future` ends, and returns its value; `None` when the world falls idle
    /// (no task ready, no timer set) or reaches `end` before that.
    pub fn run_future<T: 'static>(&self, future: impl Future<Output = T> + 'static, end: Time) -> Option<T> {
        let slot: Rc<RefCell<Option<T>>> = Rc::default();
        let out = slot.clone();
        let handle = self.spawn("run_future", async move {
            let value = future.await;
            *out.borrow_mut() = Some(value);
        });
        loop {
            while self.has_ready() {
                self.run_ready(1);
                if slot.borrow().is_some() {
                    return slot.borrow_mut().take();
                }
            }
            if !self.fire_next_timer(end) {
                handle.abort();
                return None;
            }
        }
    }

    /// Ends every task, so that the world's parts, which tasks and parts own in circles, can be freed.
    pub fn end(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
            if tasks.is_empty() {
                break;
            }
            // Outside the borrow, since a future's parts may abort others, or start some, when dropped.
            drop(tasks);
        }
    }

    /// The names of the live tasks with their numbers, for figures and for finding leaks.
    pub fn task_names(&self) -> FlatMap<&'static str, usize> {
        let mut names = FlatMap::new();
        for task in self.0.tasks.borrow().values().flatten() {
            *names.entry(task.name).or_default() += 1;
        }
        names
    }
}

/// A task's handle. Dropping it lets the task run on.
#[derive(Clone)]
pub struct TaskHandle {
    sim: std::rc::Weak<Inner>,
    id: TaskId,
}

impl TaskHandle {
    /// Ends the task: it is never polled again, and its future is dropped.
    pub fn abort(&self) {
        if let Some(sim) = self.sim.upgrade() {
            let task = sim.tasks.borrow_mut().remove(&self.id);
            // Dropped outside the borrow, since a future's parts may abort others when dropped.
            drop(task);
        }
    }

    /// Whether the task has ended or was aborted.
    pub fn is_finished(&self) -> bool {
        self.sim
            .upgrade()
            .is_none_or(|sim| !sim.tasks.borrow().contains_key(&self.id))
    }
}

/// The future of [`Sim::sleep`].
pub struct Sleep {
    sim: Rc<Inner>,
    when: Time,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sim = self.sim.clone();
        if sim.now.get() >= self.when {
            if let Some(id) = self.timer.take() {
                sim.timers.borrow_mut().wakers.remove(&id);
            }
            return Poll::Ready(());
        }
        let mut timers = sim.timers.borrow_mut();
        let id = match self.timer {
            Some(id) => id,
            None => {
                let id = timers.next;
                timers.next += 1;
                timers.heap.push(Reverse((self.when, id)));
                self.timer = Some(id);
                id
            }
        };
        timers.wakers.insert(id, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            self.sim.timers.borrow_mut().wakers.remove(&id);
        }
    }
}

/// Runs `future` for at most `limit` of virtual time; `None` when it had not ended by then.
pub async fn timeout<F: Future>(sim: &Sim, limit: Duration, future: F) -> Option<F::Output> {
    let future = std::pin::pin!(future);
    match select(future, sim.sleep(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_in_order_of_virtual_time() {
        let sim = Sim::new(1, Time::from_secs(100));
        let log: Rc<RefCell<Vec<(u64, &str)>>> = Rc::default();
        for (name, ms) in [("b", 20), ("a", 10), ("c", 20)] {
            let (s, l) = (sim.clone(), log.clone());
            sim.spawn("t", async move {
                s.sleep(Duration::from_millis(ms)).await;
                l.borrow_mut().push((s.now().0 - 100_000_000, name));
            });
        }
        sim.run_for(Duration::from_secs(1));
        assert_eq!(*log.borrow(), [(10_000, "a"), (20_000, "b"), (20_000, "c")]);
        assert_eq!(sim.now(), Time::from_secs(101));
        assert!(sim.task_names().is_empty());
    }

    #[test]
    fn a_task_woken_often_is_polled_once() {
        let sim = Sim::new(1, Time::default());
        let (a, b) = (crate::sim::Signal::default(), crate::sim::Signal::default());
        let (wait_a, wait_b) = (a.clone(), b.clone());
        sim.spawn("both", async move {
            loop {
                futures::future::join(wait_a.wait(), wait_b.wait()).await;
            }
        });
        sim.run_ready(usize::MAX);
        for _ in 0..100 {
            a.notify();
            a.notify();
            b.notify();
            assert!(sim.run_ready(usize::MAX) <= 2, "wakes do not multiply");
        }
    }

    #[test]
    fn abort_and_timeout() {
        let sim = Sim::new(1, Time::default());
        let s = sim.clone();
        let handle = sim.spawn("forever", async move {
            loop {
                s.sleep(Duration::from_secs(1)).await;
            }
        });
        sim.run_for(Duration::from_secs(5));
        assert!(!handle.is_finished());
        handle.abort();
        assert!(handle.is_finished());
        assert_eq!(sim.next_timer(), None, "an aborted task leaves no timer");
        let s = sim.clone();
        let result = sim.run_future(
            async move { timeout(&s, Duration::from_secs(2), std::future::pending::<()>()).await },
            Time::from_secs(100),
        );
        assert_eq!(result, Some(None));
        assert_eq!(sim.now(), Time::from_secs(7));
    }

    #[test]
    fn an_idle_day_costs_nothing() {
        let sim = Sim::new(1, Time::default());
        assert_eq!(
            sim.run_future(std::future::pending::<()>(), Time::from_secs(86_400)),
            None
        );
        sim.run_for(Duration::from_secs(86_400));
        assert_eq!(sim.now(), Time::from_secs(86_400));
    }
}
