//! What controllers wait on: a signal, and a work queue that keeps each key once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::executor::Sim;
use super::time::Time;
use crate::flat::WideMap;

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
    /// Of which there is one for each object where all of them change at once.
    keys: WideMap<K, KeyState>,
}

/// What a queue knows of a key.
#[derive(Default, PartialEq)]
struct KeyState {
    /// In `order`, or to be put there when its processing ends.
    dirty: bool,
    processing: bool,
    /// The earliest delayed addition.
    delayed: Option<Time>,
    failures: u32,
}

impl<K: Ord + Clone> QueueState<K> {
    /// Edits what is known of a key, which is forgotten when it is nothing any more.
    fn edit<T>(&mut self, key: &K, edit: impl FnOnce(&mut KeyState) -> T) -> T {
        let mut new = KeyState::default();
        let Some(state) = self.keys.get_mut(key) else {
            let outcome = edit(&mut new);
            if new != KeyState::default() {
                self.keys.insert(key.clone(), new);
            }
            return outcome;
        };
        let outcome = edit(state);
        if *state == KeyState::default() {
            self.keys.remove(key);
        }
        outcome
    }
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
                keys: WideMap::default(),
            })),
            signal: Signal::default(),
        }
    }

    /// Adds a key, unless it is waiting already.
    pub fn add(&self, key: K) {
        let mut state = self.state.borrow_mut();
        let waits = state.edit(&key, |k| std::mem::replace(&mut k.dirty, true) || k.processing);
        if waits {
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
        let comes_earlier = state.edit(&key, |k| {
            let comes = k.delayed.is_some_and(|earlier| earlier <= when);
            if !comes {
                k.delayed = Some(when);
            }
            comes
        });
        if comes_earlier {
            return;
        }
        drop(state);
        let queue = self.clone();
        self.sim.spawn("work queue delay", async move {
            queue.sim.sleep_until(when).await;
            let due = |k: &mut KeyState| k.delayed.take_if(|time| *time == when).is_some();
            if queue.state.borrow_mut().edit(&key, due) {
                queue.add(key);
            }
        });
    }

    /// Adds a key after a delay that doubles with each call until [`WorkQueue::forget`].
    pub fn add_rate_limited(&self, key: K) {
        let failures = self.state.borrow_mut().edit(&key, |k| {
            k.failures += 1;
            k.failures
        });
        let (first, longest) = self.rate;
        let delay = first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        self.add_after(key, delay.min(longest));
    }

    /// How often the key was re-added by [`WorkQueue::add_rate_limited`] since it was forgotten.
    pub fn failures(&self, key: &K) -> u32 {
        self.state.borrow().keys.get(key).map_or(0, |k| k.failures)
    }

    /// Ends a key's series of failures.
    pub fn forget(&self, key: &K) {
        self.state.borrow_mut().edit(key, |k| k.failures = 0);
    }

    /// The next key. Call [`WorkQueue::done`] with it after its processing.
    pub async fn next(&self) -> K {
        loop {
            let generation = self.signal.generation();
            {
                let mut state = self.state.borrow_mut();
                if let Some(key) = state.order.pop_front() {
                    state.edit(&key, |k| (k.dirty, k.processing) = (false, true));
                    return key;
                }
            }
            self.signal.after(generation).await;
        }
    }

    /// Says that a key's processing ended.
    pub fn done(&self, key: &K) {
        let mut state = self.state.borrow_mut();
        let added = state.edit(key, |k| {
            k.processing = false;
            k.dirty
        });
        if added {
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
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let sim = Sim::new(1, Time::default());
        let queue: WorkQueue<u8> = WorkQueue::new(&sim);
        queue.add_rate_limited(1);
        let q = queue.clone();
        assert_eq!(
            sim.run_future(async move { q.next().await }, Time::from_secs(1)),
            Some(1)
        );
        queue.add(1);
        queue.done(&1);
        assert_eq!((queue.failures(&1), queue.len()), (1, 1));
        let q = queue.clone();
        assert_eq!(
            sim.run_future(async move { q.next().await }, Time::from_secs(2)),
            Some(1)
        );
        queue.forget(&1);
        queue.done(&1);
        queue.forget(&2);
        assert!(queue.state.borrow().keys.is_empty());
    }
}
