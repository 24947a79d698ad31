//! A set as a sorted list of its items.

use super::Arrange;
use std::borrow::Borrow;
use std::fmt;
use std::{slice, vec};

/// A set with its items in order, under the same conditions as [`FlatMap`](super::FlatMap). It has the methods of
/// `BTreeSet` that are used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlatSet<T> {
    /// Sorted, each once.
    items: Vec<T>,
}

impl<T> Default for FlatSet<T> {
    fn default() -> Self {
        FlatSet::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for FlatSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_set().entries(&self.items).finish()
    }
}

impl<T> FlatSet<T> {
    pub const fn new() -> Self {
        FlatSet { items: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn clear(&mut self) {
        self.items.clear();
    }

    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.items.iter()
    }

    pub fn first(&self) -> Option<&T> {
        self.items.first()
    }

    pub fn last(&self) -> Option<&T> {
        self.items.last()
    }

    pub fn pop_first(&mut self) -> Option<T> {
        match self.items.is_empty() {
            true => None,
            false => Some(self.items.remove(0)),
        }
    }

    /// Takes the first `count` items out.
    pub fn take_first(&mut self, count: usize) -> Vec<T> {
        self.items.drain(..count.min(self.items.len())).collect()
    }

    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    fn find<Q: Ord + ?Sized>(&self, item: &Q) -> Result<usize, usize>
    where
        T: Borrow<Q>,
    {
        super::search(self.items.len(), &mut |i| match self.items.get(i) {
            Some(held) => held.borrow().cmp(item),
            None => std::cmp::Ordering::Greater,
        })
    }

    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.find(item).is_ok()
    }

    /// Takes the item out, and says whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        match self.find(item) {
            Ok(at) => {
                self.items.remove(at);
                true
            }
            Err(_) => false,
        }
    }
}

impl<T: Ord> FlatSet<T> {
    /// Adds an item, and says whether it is new.
    pub fn insert(&mut self, item: T) -> bool {
        match self.find(&item) {
            Ok(_) => false,
            Err(at) => {
                self.items.insert(at, item);
                true
            }
        }
    }

    /// The items that the other set does not have.
    pub fn difference<'a>(&'a self, other: &'a FlatSet<T>) -> impl Iterator<Item = &'a T> {
        self.iter().filter(|item| !other.contains(*item))
    }

    /// The items that both sets have.
    pub fn intersection<'a>(&'a self, other: &'a FlatSet<T>) -> impl Iterator<Item = &'a T> {
        self.iter().filter(|item| other.contains(*item))
    }
}

impl<T: Ord> FromIterator<T> for FlatSet<T> {
    /// Of equal items the first stays.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items: Vec<T> = items.into_iter().collect();
        // One sort, where inserting one by one would move what was inserted again and again.
        if !items.is_sorted_by(|a, b| a < b) {
            items.arrange();
            items.dedup();
        }
        FlatSet { items }
    }
}

impl<T: Ord> Extend<T> for FlatSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        if self.is_empty() {
            *self = items.into_iter().collect();
            return;
        }
        for item in items {
            self.insert(item);
        }
    }
}

impl<'a, T: Ord + Copy> Extend<&'a T> for FlatSet<T> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, items: I) {
        self.extend(items.into_iter().copied());
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for FlatSet<T> {
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<T> IntoIterator for FlatSet<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a FlatSet<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn does_what_a_btree_set_does(
            steps in prop::collection::vec((0u8..3, 0u8..20), 0..60),
            others in prop::collection::vec(0u8..20, 0..9),
        ) {
            let mut ours = FlatSet::new();
            let mut theirs = BTreeSet::new();
            for (step, item) in steps {
                match step {
                    0 => prop_assert_eq!(ours.insert(item), theirs.insert(item)),
                    1 => prop_assert_eq!(ours.remove(&item), theirs.remove(&item)),
                    _ => prop_assert_eq!(ours.contains(&item), theirs.contains(&item)),
                }
            }
            let our_others: FlatSet<u8> = others.iter().copied().collect();
            let their_others: BTreeSet<u8> = others.into_iter().collect();
            prop_assert!(ours.difference(&our_others).eq(theirs.difference(&their_others)));
            prop_assert!(ours.intersection(&our_others).eq(theirs.intersection(&their_others)));
            prop_assert_eq!(ours.pop_first(), theirs.pop_first());
            let first: Vec<u8> = std::iter::from_fn(|| theirs.pop_first()).take(2).collect();
            prop_assert_eq!(ours.take_first(2), first);
            prop_assert!(ours.into_iter().eq(theirs));
        }
    }
}
