//! Something that only the outside has, such as a file beside the page, and that the world needs when somebody first asks
//! for it. A fetch ends when it ends, and the world must not depend on that: so the world stands still meanwhile
//! ([`Sim::hold`]), and its course is the one of a world that had it all along.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::Sim;

/// Something that comes from outside once. Clones are handles.
pub struct Outside<T>(Rc<Inner<T>>);

/// Begins to bring it; the outcome comes through [`Outside::arrive`].
pub type Source<T> = Rc<dyn Fn(&Outside<T>)>;

struct Inner<T> {
    sim: Sim,
    state: RefCell<State<T>>,
}

enum State<T> {
    /// Nobody needed it yet.
    Absent(Option<Source<T>>),
    /// On its way; who waits for it.
    Coming(Vec<Waker>),
    Here(Rc<T>),
    /// Why there is none.
    Failed(Rc<str>),
}

impl<T> Clone for Outside<T> {
    fn clone(&self) -> Outside<T> {
        Outside(self.0.clone())
    }
}

impl<T> Outside<T> {
    /// Nothing yet.
    pub fn new(sim: &Sim) -> Outside<T> {
        Outside(Rc::new(Inner {
            sim: sim.clone(),
            state: RefCell::new(State::Absent(None)),
        }))
    }

    /// Something that was here all along.
    pub fn included(sim: &Sim, value: T) -> Outside<T> {
        let outside = Outside::new(sim);
        outside.0.state.replace(State::Here(Rc::new(value)));
        outside
    }

    /// Says who brings it.
    pub fn set_source(&self, source: Source<T>) {
        if let State::Absent(slot) = &mut *self.0.state.borrow_mut() {
            *slot = Some(source);
        }
    }

    /// Takes what the source brought, and lets the world go on.
    pub fn arrive(&self, outcome: Result<Rc<T>, String>) {
        let state = match outcome {
            Ok(value) => State::Here(value),
            Err(why) => State::Failed(why.into()),
        };
        let before = self.0.state.replace(state);
        self.0.sim.release();
        if let State::Coming(waiting) = before {
            for waker in waiting {
                waker.wake();
            }
        }
    }

    /// It, if it is here.
    pub fn here(&self) -> Option<Rc<T>> {
        match &*self.0.state.borrow() {
            State::Here(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// Why there is none, once that is known.
    pub fn failure(&self) -> Option<Rc<str>> {
        match &*self.0.state.borrow() {
            State::Failed(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// Waits until it is here or known to be missing. Takes no virtual time.
    pub async fn ready(&self) {
        poll_fn(|cx| {
            let mut begin = None;
            match &mut *self.0.state.borrow_mut() {
                State::Here(_) | State::Failed(_) => return Poll::Ready(()),
                State::Coming(waiting) => waiting.push(cx.waker().clone()),
                state => {
                    if let State::Absent(source) = state {
                        begin = Some(source.take());
                    }
                    *state = State::Coming(vec![cx.waker().clone()]);
                }
            }
            // The world stops before the source begins, which may be done at once.
            self.0.sim.hold();
            match begin {
                Some(Some(source)) => source(self),
                Some(None) => self.arrive(Err("nobody can bring it".into())),
                None => {}
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Time;
    use std::time::Duration;

    type Asked = Rc<RefCell<Option<Outside<u8>>>>;

    /// While something comes from outside no task runs and the clock stands; then the world goes the
    /// way that it would have gone without waiting.
    #[test]
    fn the_world_waits_and_its_course_stays() {
        let run = |waits: bool| {
            let sim = Sim::new(1, Time::from_secs(1));
            let asked: Asked = Rc::default();
            let outside = if waits {
                let outside = Outside::new(&sim);
                let asked = asked.clone();
                outside.set_source(Rc::new(move |o: &Outside<u8>| *asked.borrow_mut() = Some(o.clone())));
                outside
            } else {
                Outside::included(&sim, 7)
            };
            let said: Rc<RefCell<Vec<String>>> = Rc::default();
            for name in ["one", "other"] {
                let (sim, said, outside) = (sim.clone(), said.clone(), outside.clone());
                sim.clone().spawn("asks", async move {
                    sim.sleep(Duration::from_secs(1)).await;
                    outside.ready().await;
                    let value = outside.here();
                    said.borrow_mut()
                        .push(format!("{name} has {value:?} at {:?}", sim.now()));
                });
            }
            let handle = (sim.clone(), said.clone());
            sim.spawn("else", async move {
                let (sim, said) = handle;
                for _ in 0..3 {
                    sim.sleep(Duration::from_millis(500)).await;
                    said.borrow_mut().push(format!("else at {:?}", sim.now()));
                }
            });
            sim.run_until(Time::from_secs(10));
            if waits {
                assert!(sim.is_held() && !sim.has_ready() && sim.run_ready(9) == 0);
                assert_eq!(sim.now(), Time::from_secs(2));
                asked.take().unwrap().arrive(Ok(Rc::new(7)));
                sim.run_until(Time::from_secs(10));
            }
            assert_eq!(sim.now(), Time::from_secs(10));
            (said.take(), sim.steps())
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn who_cannot_have_it_learns_why() {
        let sim = Sim::new(1, Time::from_secs(1));
        let outside: Outside<u8> = Outside::new(&sim);
        let waits = outside.clone();
        let waited = sim.run_future(async move { waits.ready().await }, Time::from_secs(9));
        assert_eq!(waited, Some(()));
        assert_eq!(outside.failure().as_deref(), Some("nobody can bring it"));
        assert!(outside.here().is_none());
    }
}
