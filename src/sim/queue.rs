//! What controllers wait on: a signal, a work queue that keeps each key once, and a back-off table.

use crate::flat::{FlatMap, FlatSet};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::executor::Sim;
use super::time::Time;

/// Wakes every task that waits for it, once for each [`Signal::notify`].
#[derive(Clone, Default)]
pub struct Signal(Rc<RefCell<SignalState>>);

#[derive(Default)]
struct SignalState {
    generation: u64,
    wakers: Vec<Waker>,
}

impl Signal {
    /// Wakes all who wait now.
    pub fn notify(&self) {
        let wakers = {
            let mut state = self.0.borrow_mut();
            state.generation += 1;
            std::mem::take(&mut state.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// How often it was notified. Read before looking at the state that it guards, for [`Signal::after`].
    pub fn generation(&self) -> u64 {
        self.0.borrow().generation
    }

    /// Waits for the next notification.
    pub async fn wait(&self) {
        self.after(self.generation()).await;
    }

    /// Waits until it was notified more often than `generation`: at once, when it already was.
    pub async fn after(&self, generation: u64) {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.generation > generation {
                return Poll::Ready(());
            }
            // A task that is polled again while it waits is woken once all the same: with one waker
            // more for each poll, tasks that wait for several things would wake ever more often.
            if !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

struct QueueState<K> {
    order: VecDeque<K>,
    /// In `order`, or to be put there when its processing ends.
    dirty: FlatSet<K>,
    processing: FlatSet<K>,
    /// The earliest delayed addition of each key.
    delayed: FlatMap<K, Time>,
    failures: FlatMap<K, u32>,
}

/// A controller's work queue, as client-go's: a key is in it once, is never handed out twice at the
/// same time, and comes back after its processing when it was added meanwhile.
pub struct WorkQueue<K> {
    sim: Sim,
    state: Rc<RefCell<QueueState<K>>>,
    signal: Signal,
    /// The first and the longest delay of [`WorkQueue::add_rate_limited`].
    rate: (Duration, Duration),
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        WorkQueue {
            sim: self.sim.clone(),
            state: self.state.clone(),
            signal: self.signal.clone(),
            rate: self.rate,
        }
    }
}

impl<K: Ord + Clone + 'static> WorkQueue<K> {
    pub fn new(sim: &Sim) -> Self {
        // client-go's default controller rate limiter.
        WorkQueue::with_rate(sim, Duration::from_millis(5), Duration::from_secs(1000))
    }

    /// A queue whose keys come back after `first`, doubling up to `longest`, when they failed.
    pub fn with_rate(sim: &Sim, first: Duration, longest: Duration) -> Self {
        WorkQueue {
            rate: (first, longest),
            sim: sim.clone(),
            state: Rc::new(RefCell::new(QueueState {
                order: VecDeque::new(),
                dirty: FlatSet::new(),
                processing: FlatSet::new(),
                delayed: FlatMap::new(),
                failures: FlatMap::new(),
            })),
            signal: Signal::default(),
        }
    }

    /// Adds a key, unless it is waiting already.
    pub fn add(&self, key: K) {
        let mut state = self.state.borrow_mut();
        if !state.dirty.insert(key.clone()) || state.processing.contains(&key) {
            return;
        }
        state.order.push_back(key);
        drop(state);
        self.signal.notify();
    }

    /// Adds a key after `delay` of virtual time. Of several delayed additions the earliest counts.
    pub fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let when = self.sim.now() + delay;
        let mut state = self.state.borrow_mut();
        if state.delayed.get(&key).is_some_and(|earlier| *earlier <= when) {
            return;
        }
        state.delayed.insert(key.clone(), when);
        drop(state);
        let queue = self.clone();
        self.sim.spawn("work queue delay", async move {
            queue.sim.sleep_until(when).await;
            let due = {
                let mut state = queue.state.borrow_mut();
                let due = state.delayed.get(&key) == Some(&when);
                if due {
                    state.delayed.remove(&key);
                }
                due
            };
            if due {
                queue.add(key);
            }
        });
    }

    /// Adds a key after a delay that doubles with each call until [`WorkQueue::forget`].
    pub fn add_rate_limited(&self, key: K) {
        let failures = {
            let mut state = self.state.borrow_mut();
            let n = state.failures.entry(key.clone()).or_default();
            *n += 1;
            *n
        };
        let (first, longest) = self.rate;
        let delay = first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        self.add_after(key, delay.min(longest));
    }

    /// How often the key was re-added by [`WorkQueue::add_rate_limited`] since it was forgotten.
    pub fn failures(&self, key: &K) -> u32 {
        self.state.borrow().failures.get(key).copied().unwrap_or(0)
    }

    /// Ends a key's series of failures.
    pub fn forget(&self, key: &K) {
        self.state.borrow_mut().failures.remove(key);
    }

    /// The next key. Call [`WorkQueue::done`] with it after its processing.
    pub async fn next(&self) -> K {
        loop {
            let generation = self.signal.generation();
            {
                let mut state = self.state.borrow_mut();
                if let Some(key) = state.order.pop_front() {
                    state.dirty.remove(&key);
                    state.processing.insert(key.clone());
                    return key;
                }
            }
            self.signal.after(generation).await;
        }
    }

    /// Says that a key's processing ended.
    pub fn done(&self, key: &K) {
        let mut state = self.state.borrow_mut();
        state.processing.remove(key);
        if state.dirty.contains(key) {
            state.order.push_back(key.clone());
            drop(state);
            self.signal.notify();
        }
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.state.borrow().order.len()
    }

    /// Whether no key waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A back-off that doubles for each key, as client-go's `flowcontrol.Backoff`.
#[derive(Clone, Debug)]
pub struct Backoff<K> {
    initial: Duration,
    max: Duration,
    entries: FlatMap<K, (Duration, Time)>,
}

impl<K: Ord + Clone> Backoff<K> {
    pub fn new(initial: Duration, max: Duration) -> Self {
        Backoff {
            initial,
            max,
            entries: FlatMap::new(),
        }
    }

    /// Records a failure at `now` and returns the delay before the next try. A key that had no
    /// failure for twice the maximum begins anew.
    pub fn next(&mut self, key: K, now: Time) -> Duration {
        let delay = match self.entries.get(&key) {
            Some((delay, at)) if now.since(*at) <= self.max * 2 => (*delay * 2).min(self.max),
            _ => self.initial,
        };
        self.entries.insert(key, (delay, now));
        delay
    }

    /// The present delay of a key; zero when it has none.
    pub fn get(&self, key: &K) -> Duration {
        self.entries.get(key).map_or(Duration::ZERO, |(delay, _)| *delay)
    }

    /// Forgets a key.
    pub fn reset(&mut self, key: &K) {
        self.entries.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_handed_out_once_and_comes_back_when_added_meanwhile() {
        let sim = Sim::new(1, Time::default());
        let queue: WorkQueue<&str> = WorkQueue::new(&sim);
        queue.add("a");
        queue.add("a");
        let q = queue.clone();
        let got = sim.run_future(async move { q.next().await }, Time::from_secs(1));
        assert_eq!(got, Some("a"));
        queue.add("a");
        assert!(queue.is_empty(), "it waits until its processing ends");
        queue.done(&"a");
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn delays() {
        let sim = Sim::new(1, Time::default());
        let queue: WorkQueue<u8> = WorkQueue::new(&sim);
        queue.add_after(1, Duration::from_secs(5));
        queue.add_after(1, Duration::from_secs(2));
        queue.add_after(1, Duration::from_secs(9));
        let (q, s) = (queue.clone(), sim.clone());
        let at = sim.run_future(async move { (q.next().await, s.now()) }, Time::from_secs(60));
        assert_eq!(at, Some((1, Time::from_secs(2))));
        let mut backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(300));
        let delays: Vec<u64> = (0..7)
            .map(|i| backoff.next("x", Time::from_secs(i)).as_secs())
            .collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
    }
}
