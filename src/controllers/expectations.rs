//! Expectations: what a controller did that its informers have not shown yet. Without them a
//! controller that reads a copy which lags would create or delete twice.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::{Informer, ObjectKey};
use crate::flat::{FlatMap, FlatSet};
use crate::sim::{Sim, Time};

/// After this time an expectation no longer holds a controller back (`ExpectationsTimeout`).
const TIMEOUT: Duration = Duration::from_secs(300);

struct Expected {
    creations: i64,
    deletions: FlatSet<ObjectKey>,
    at: Time,
}

/// What is expected for each object that a controller reconciles. Clones share it.
#[derive(Clone)]
pub struct Expectations {
    sim: Sim,
    expected: Rc<RefCell<FlatMap<ObjectKey, Expected>>>,
}

impl Expectations {
    /// None yet. They time out on the clock of `sim`.
    pub fn new(sim: &Sim) -> Expectations {
        Expectations {
            sim: sim.clone(),
            expected: Rc::default(),
        }
    }

    /// Whether everything was seen that was expected, or it takes too long.
    pub fn satisfied(&self, key: &ObjectKey) -> bool {
        let expected = self.expected.borrow();
        expected
            .get(key)
            .is_none_or(|e| (e.creations <= 0 && e.deletions.is_empty()) || self.sim.now().since(e.at) > TIMEOUT)
    }

    /// Sets what is expected from now on.
    pub fn expect(&self, key: &ObjectKey, creations: usize, deletions: impl IntoIterator<Item = ObjectKey>) {
        let expected = Expected {
            creations: creations as i64,
            deletions: deletions.into_iter().collect(),
            at: self.sim.now(),
        };
        self.expected.borrow_mut().insert(key.clone(), expected);
    }

    /// A creation was seen, or failed.
    pub fn created(&self, key: &ObjectKey) {
        if let Some(e) = self.expected.borrow_mut().get_mut(key) {
            e.creations -= 1;
        }
    }

    /// A deletion was seen, or failed.
    pub fn deleted(&self, key: &ObjectKey, object: &ObjectKey) {
        if let Some(e) = self.expected.borrow_mut().get_mut(key) {
            e.deletions.remove(object);
        }
    }

    /// Forgets objects when they go.
    pub fn follow(&self, objects: &Informer) {
        let own = self.clone();
        objects.on_change(move |old, new| {
            if let (Some(object), None) = (old, new) {
                own.forget(&object.key());
            }
        });
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.expected.borrow_mut().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_back_until_seen_or_too_late() {
        let sim = Sim::new(1, Time::default());
        let expectations = Expectations::new(&sim);
        let (key, pod) = (ObjectKey::new("a", "rs"), ObjectKey::new("a", "pod"));
        assert!(expectations.satisfied(&key));
        expectations.expect(&key, 2, []);
        expectations.created(&key);
        assert!(!expectations.satisfied(&key));
        expectations.created(&key);
        assert!(expectations.satisfied(&key));
        expectations.expect(&key, 0, [pod.clone()]);
        expectations.created(&key);
        assert!(!expectations.satisfied(&key), "a creation is no deletion");
        expectations.deleted(&key, &pod);
        assert!(expectations.satisfied(&key));
        expectations.expect(&key, 1, []);
        sim.run_for(Duration::from_secs(301));
        assert!(expectations.satisfied(&key), "it takes too long");
    }
}
