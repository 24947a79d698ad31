//! A map as a sorted list of [`FlatMap`]s, for maps of thousands of entries.

use super::FlatMap;
use super::map::Iter as PieceIter;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::slice;

/// The most entries of a piece: to make room among them costs less than to find the place.
const PIECE: usize = 256;

/// A map with its entries in the order of their keys, which holds an entry for each object of a cluster and is
/// changed in any order. It has the methods of `BTreeMap` that are used.
#[derive(Clone, Debug)]
pub struct WideMap<K, V> {
    /// In order, none of them empty.
    pieces: Vec<FlatMap<K, V>>,
    len: usize,
}

impl<K, V> Default for WideMap<K, V> {
    fn default() -> Self {
        WideMap {
            pieces: Vec::new(),
            len: 0,
        }
    }
}

impl<K, V> WideMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn iter(&self) -> WideIter<'_, K, V> {
        WideIter {
            pieces: self.pieces.iter(),
            entries: PieceIter::default(),
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(k, _)| k)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, v)| v)
    }

    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.pieces.into_iter().flat_map(FlatMap::into_values)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for piece in &mut self.pieces {
            piece.retain(&mut keep);
        }
        self.pieces.retain(|piece| !piece.is_empty());
        self.len = self.pieces.iter().map(FlatMap::len).sum();
    }

    /// Which piece holds a key, or would: the last that begins at or before it.
    fn piece_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let found = super::search(self.pieces.len(), &mut |i| match self
            .pieces
            .get(i)
            .and_then(|piece| piece.iter().next())
        {
            Some((first, _)) => first.borrow().cmp(key),
            None => Ordering::Greater,
        });
        found.unwrap_or_else(|at| at.saturating_sub(1))
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.pieces.get(self.piece_of(key))?.get(key)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.piece_of(key);
        self.pieces.get_mut(at)?.get_mut(key)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.piece_of(key);
        let piece = self.pieces.get_mut(at)?;
        let removed = piece.remove(key)?;
        if piece.is_empty() {
            self.pieces.remove(at);
        }
        self.len -= 1;
        Some(removed)
    }

    /// The entries from this key on.
    pub fn starting_at<Q: Ord + ?Sized>(&self, key: &Q) -> WideIter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let at = self.piece_of(key);
        let mut rest = self.pieces.get(at..).unwrap_or_default().iter();
        let first = rest.next().map(|piece| piece.starting_at(key));
        WideIter {
            pieces: rest,
            entries: first.unwrap_or_default(),
        }
    }
}

impl<K: Ord, V> WideMap<K, V> {
    /// Sets a key, and returns what it held.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let at = self.piece_of(&key);
        let last = at + 1 >= self.pieces.len();
        let Some(piece) = self.pieces.get_mut(at) else {
            self.pieces.push([(key, value)].into());
            self.len = 1;
            return None;
        };
        let held = piece.insert(key, value);
        if held.is_none() {
            self.len += 1;
        }
        if piece.len() > PIECE {
            // What comes in order leaves full pieces behind it.
            let half = if last { PIECE } else { PIECE / 2 };
            let upper = piece.split_off(half);
            self.pieces.insert(at + 1, upper);
        }
        held
    }
}

impl<K: Ord + Clone, V> WideMap<K, V> {
    /// What a key holds, set to `make()` first where it holds nothing.
    pub fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> Option<&mut V> {
        if !self.contains_key(key) {
            self.insert(key.clone(), make());
        }
        self.get_mut(key)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for WideMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = WideMap::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

/// The entries of a [`WideMap`] in their order.
pub struct WideIter<'a, K, V> {
    pieces: slice::Iter<'a, FlatMap<K, V>>,
    entries: PieceIter<'a, K, V>,
}

impl<'a, K, V> Iterator for WideIter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(entry);
            }
            self.entries = self.pieces.next()?.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn does_what_a_btree_map_does(
            base in 0u16..1_200,
            steps in prop::collection::vec((0u8..3, 0u16..1_200, any::<u8>()), 0..200),
            from in 0u16..1_200,
        ) {
            // More than fits into a piece, in order, and then in any order.
            let mut ours: WideMap<u16, u8> = (0..base).map(|i| (i, 0)).collect();
            let mut theirs: BTreeMap<u16, u8> = (0..base).map(|i| (i, 0)).collect();
            for (step, key, value) in steps {
                match step {
                    0 => prop_assert_eq!(ours.insert(key, value), theirs.insert(key, value)),
                    1 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                    _ => prop_assert_eq!(
                        ours.get_or_insert_with(&key, || value).copied(),
                        Some(*theirs.entry(key).or_insert(value))
                    ),
                }
                prop_assert_eq!(ours.get(&from), theirs.get(&from));
                prop_assert_eq!(ours.len(), theirs.len());
            }
            prop_assert!(ours.iter().eq(theirs.iter()));
            prop_assert!(ours.starting_at(&from).eq(theirs.range(from..)));
            ours.retain(|k, _| k % 3 == 0);
            theirs.retain(|k, _| k % 3 == 0);
            prop_assert_eq!(ours.len(), theirs.len());
            prop_assert!(ours.into_values().eq(theirs.into_values()));
        }
    }
}
