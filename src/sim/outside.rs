//! Something that only the outside has, such as a file beside the page, and that the world needs when somebody first asks
//! for it. A fetch ends when it ends, and the world must not depend on that: so the world stands still meanwhile
//! ([`Sim::hold`]), and its course is the one of a world that had it all along.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::Sim;

/// Something that comes from outside once. Clones are handles.
pub struct Outside<T: ?Sized>(Rc<Inner<T>>);

/// Begins to bring it; the outcome comes through [`Outside::arrive`].
pub type Source<T> = Rc<dyn Fn(&Outside<T>)>;

struct Inner<T: ?Sized> {
    sim: Sim,
    source: RefCell<Option<Source<T>>>,
    state: RefCell<State<T>>,
}

enum State<T: ?Sized> {
    /// Nobody needed it yet.
    Absent,
    /// On its way; who waits for it.
    Coming(Vec<Waker>),
    Here(Rc<T>),
    /// Why there is none. Whoever needs it next tries anew.
    Failed(Rc<str>),
}

impl<T: ?Sized> Clone for Outside<T> {
    fn clone(&self) -> Outside<T> {
        Outside(self.0.clone())
    }
}

impl<T: ?Sized> Outside<T> {
    /// Nothing yet.
    pub fn new(sim: &Sim) -> Outside<T> {
        Outside(Rc::new(Inner {
            sim: sim.clone(),
            source: RefCell::default(),
            state: RefCell::new(State::Absent),
        }))
    }

    /// Something that was here all along.
    pub fn included(sim: &Sim, value: Rc<T>) -> Outside<T> {
        let outside = Outside::new(sim);
        outside.0.state.replace(State::Here(value));
        outside
    }

    /// Says who brings it.
    pub fn set_source(&self, source: Source<T>) {
        self.0.source.replace(Some(source));
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

    /// Waits for it. Takes no virtual time.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get(&self) -> Result<Rc<T>, Rc<str>> {
        self.ready().await;
        match &*self.0.state.borrow() {
            State::Here(value) => Ok(value.clone()),
            State::Failed(why) => Err(why.clone()),
            State::Absent | State::Coming(_) => Err("nobody can bring it".into()),
        }
    }

    /// Waits until it is here or known to be missing. Takes no virtual time.
    pub async fn ready(&self) {
        let mut waited = false;
        poll_fn(|cx| {
            let mut begins = false;
            match &mut *self.0.state.borrow_mut() {
                State::Here(_) => return Poll::Ready(()),
                State::Failed(_) if waited => return Poll::Ready(()),
                State::Coming(waiting) => waiting.push(cx.waker().clone()),
                state @ (State::Absent | State::Failed(_)) => {
                    begins = true;
                    *state = State::Coming(vec![cx.waker().clone()]);
                }
            }
            waited = true;
            // The world stops before the source begins, which may be done at once.
            self.0.sim.hold();
            if begins {
                let source = self.0.source.borrow().clone();
                match source {
                    Some(source) => source(self),
                    None => self.arrive(Err("nobody can bring it".into())),
                }
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
                Outside::included(&sim, Rc::new(7))
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

    /// What could not be brought once is asked for again by whoever needs it next, and by nobody before.
    #[test]
    fn after_a_failure_the_next_use_tries_anew() {
        let sim = Sim::new(1, Time::from_secs(1));
        let outside: Outside<u8> = Outside::new(&sim);
        let tries = Rc::new(std::cell::Cell::new(0));
        let count = tries.clone();
        outside.set_source(Rc::new(move |o: &Outside<u8>| {
            count.set(count.get() + 1);
            o.arrive(if count.get() == 1 {
                Err("no network".into())
            } else {
                Ok(Rc::new(7))
            });
        }));
        for (tried, failure, here) in [(1, Some("no network"), None), (2, None, Some(7)), (2, None, Some(7))] {
            let waits = outside.clone();
            let waited = sim.run_future(async move { waits.ready().await }, Time::from_secs(9));
            assert_eq!(waited, Some(()));
            assert_eq!(tries.get(), tried);
            assert_eq!(outside.failure().as_deref(), failure);
            assert_eq!(outside.here().as_deref().copied(), here);
        }
    }
}
