//! Drives the world's virtual clock beside the server's real one, on the same thread.
//!
//! Futures of the simulation are polled by the server's own tasks through [`Clock::run`], which
//! tells the driver after each poll that there may be something new to do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use kubetab::sim::{Sim, Time};
use tokio::sync::Notify;

use super::options::Pace;

/// What the world may compute at a stretch before the connections have their turn.
const SLICE: Duration = Duration::from_millis(4);

/// A world that fell further behind than this does not try to catch up.
const LAG: Duration = Duration::from_secs(2);

/// How long a paused clock stands still after a stream gave something to its client, so that the
/// client can end what it waited for.
const HOLD: Duration = Duration::from_millis(40);

/// How far a paused clock goes for a request that waits.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How far a paused clock goes for a stream that gives nothing.
const STREAM_PATIENCE: Duration = Duration::from_secs(900);

pub struct Clock {
    sim: Sim,
    pace: Pace,
    kick: Notify,
    /// Who waits, and up to which virtual time the paused clock goes for them.
    waiting: RefCell<BTreeMap<u64, Time>>,
    next: Cell<u64>,
    hold: Cell<Option<Instant>>,
}

impl Clock {
    pub fn new(sim: &Sim, pace: Pace) -> Rc<Clock> {
        Rc::new(Clock {
            sim: sim.clone(),
            pace,
            kick: Notify::new(),
            waiting: RefCell::default(),
            next: Cell::new(0),
            hold: Cell::new(None),
        })
    }

    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Says that the world may have something to do.
    pub fn kick(&self) {
        self.kick.notify_one();
    }

    /// Runs a future of the simulation to its end.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            let state = future.as_mut().poll(cx);
            self.kick();
            state
        })
        .await
    }

    /// Runs a future that its client waits for: a paused clock moves meanwhile.
    pub async fn wait_for<T>(self: &Rc<Clock>, future: impl Future<Output = T>) -> T {
        let _waiter = self.waiter(PATIENCE);
        self.run(future).await
    }

    /// A stream's claim on the paused clock, as long as it is held.
    pub fn stream(self: &Rc<Clock>) -> Waiter {
        self.waiter(STREAM_PATIENCE)
    }

    fn waiter(self: &Rc<Clock>, patience: Duration) -> Waiter {
        let id = self.next.get();
        self.next.set(id + 1);
        self.waiting.borrow_mut().insert(id, self.sim.now() + patience);
        self.kick();
        Waiter {
            clock: self.clone(),
            id,
        }
    }

    /// Moves the paused clock to a time, as its user asked.
    pub async fn step_to(&self, end: Time) {
        while self.sim.now() < end {
            self.slice(end);
            tokio::task::yield_now().await;
        }
    }

    /// Runs the world up to `end`, for a slice of real time. Returns whether it got there.
    fn slice(&self, end: Time) -> bool {
        let began = Instant::now();
        loop {
            self.sim.run_ready(64);
            if !self.sim.has_ready() && !self.sim.fire_next_timer(end) {
                self.sim.run_until(end);
                return true;
            }
            if began.elapsed() > SLICE {
                return false;
            }
        }
    }

    /// Drives the world for ever.
    pub async fn drive(&self) {
        match self.pace {
            Pace::Scaled(speed) => self.drive_scaled(speed).await,
            Pace::Paused => self.drive_paused().await,
        }
    }

    async fn drive_scaled(&self, speed: f64) {
        let (mut real, mut virtual_) = (Instant::now(), self.sim.now());
        loop {
            let target = virtual_ + real.elapsed().mul_f64(speed);
            if !self.slice(target) {
                if target.since(self.sim.now()) > LAG.mul_f64(speed) {
                    (real, virtual_) = (Instant::now(), self.sim.now());
                }
                tokio::task::yield_now().await;
                continue;
            }
            let next = self
                .sim
                .next_timer()
                .map_or(Duration::from_secs(60), |t| t.since(target));
            let real_wait = next.div_f64(speed).min(Duration::from_secs(60));
            let sleep = std::pin::pin!(tokio::time::sleep(real_wait));
            select(std::pin::pin!(self.kick.notified()), sleep).await;
        }
    }

    async fn drive_paused(&self) {
        loop {
            self.sim.run_ready(256);
            // Whoever was woken shall run before time moves.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            if self.sim.has_ready() {
                continue;
            }
            if let Some(until) = self.hold.get() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.hold.set(None);
                } else {
                    let sleep = std::pin::pin!(tokio::time::sleep(left));
                    if let Either::Right(_) = select(std::pin::pin!(self.kick.notified()), sleep).await {
                        self.hold.set(None);
                    }
                    continue;
                }
            }
            let limit = self.waiting.borrow().values().max().copied();
            let moved = limit.is_some_and(|limit| self.sim.fire_next_timer(limit));
            if !moved {
                self.kick.notified().await;
            }
        }
    }
}

/// Someone who waits for the world: see [`Clock::stream`].
pub struct Waiter {
    clock: Rc<Clock>,
    id: u64,
}

impl Waiter {
    /// The stream gave something to its client, which now has time to react.
    pub fn gave(&self) {
        self.clock.hold.set(Some(Instant::now() + HOLD));
        let until = self.clock.sim.now() + STREAM_PATIENCE;
        self.clock.waiting.borrow_mut().insert(self.id, until);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.clock.waiting.borrow_mut().remove(&self.id);
    }
}
