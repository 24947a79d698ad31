//! Stable sorting of slices of any type by one sort of their indices.

use std::cmp::Ordering;

/// Sorts a slice as the standard library's `sort…` do (stable, n·log n comparisons), in a few bytes of code a type:
/// the order is found on indices, by code that all types share, and the items are then swapped into place.
///
/// `tests/tidy.rs` sends users of the standard ones here.
pub trait Arrange {
    type Item;

    /// Sorts by the items' own order.
    fn arrange(&mut self)
    where
        Self::Item: Ord;

    /// Sorts by a comparison.
    fn arrange_by(&mut self, compare: impl FnMut(&Self::Item, &Self::Item) -> Ordering);

    /// Sorts by a key, which is made anew for each comparison.
    fn arrange_by_key<K: Ord>(&mut self, key: impl FnMut(&Self::Item) -> K);
}

impl<T> Arrange for [T] {
    type Item = T;

    fn arrange(&mut self)
    where
        T: Ord,
    {
        self.arrange_by(T::cmp);
    }

    fn arrange_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        let items = &*self;
        let swaps = swaps(items.len(), &mut |a, b| match (items.get(a), items.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ordering::Equal,
        });
        for (a, b) in swaps {
            self.swap(a, b);
        }
    }

    fn arrange_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.arrange_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// The swaps that bring `len` items into order, to be done one after the other.
fn swaps(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..len).collect();
    // The one that the others share.
    order.sort_by(|a, b| compare(*a, *b));
    // Where each item has to go.
    let mut goal = vec![0; len];
    for (place, item) in order.into_iter().enumerate() {
        if let Some(goal) = goal.get_mut(item) {
            *goal = place;
        }
    }
    let mut swaps = Vec::new();
    for at in 0..len {
        // Each swap brings the item that stands here to its goal.
        while let Some(&to) = goal.get(at).filter(|to| **to != at) {
            swaps.push((at, to));
            goal.swap(at, to);
        }
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arranges_as_the_standard_library_sorts(items in prop::collection::vec((0u8..9, any::<u8>()), 0..80)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut arranged = items.clone();
            arranged.arrange_by_key(|(key, _)| *key);
            prop_assert_eq!(&arranged, &expected);
            expected.sort();
            arranged.arrange();
            prop_assert_eq!(arranged, expected);
        }
    }
}
