//! A map as a sorted list of [`FlatMap`]s, for maps of thousands of entries.

use super::FlatMap;
use super::map::Iter as PieceIter;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::slice;

/// The most entries of a piece: to make room among them costs less than to find the place.
const PIECE: usize = 256;

/// The most entries of a piece that was joined of two. As many must come before it is cut again.
const JOINED: usize = PIECE / 2;

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
        let mut kept: Vec<FlatMap<K, V>> = Vec::new();
        for mut piece in self.pieces.drain(..) {
            piece.retain(&mut keep);
            match kept.last_mut() {
                _ if piece.is_empty() => {}
                Some(last) if last.len() + piece.len() <= JOINED => last.append(piece),
                _ => kept.push(piece),
            }
        }
        self.len = kept.iter().map(FlatMap::len).sum();
        self.pieces = kept;
    }

    /// Joins a piece of which little is left with the one after it or before it.
    fn join(&mut self, at: usize) {
        let len = |i: usize| self.pieces.get(i).map_or(PIECE, FlatMap::len);
        if len(at) > JOINED / 2 {
            return;
        }
        let fits = |i: usize| len(i) + len(i + 1) <= JOINED;
        let before = at.checked_sub(1);
        let Some(first) = [Some(at), before].into_iter().flatten().find(|i| fits(*i)) else {
            return;
        };
        let second = self.pieces.remove(first + 1);
        if let Some(first) = self.pieces.get_mut(first) {
            first.append(second);
        }
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
        } else {
            self.join(at);
        }
        self.len -= 1;
        Some(removed)
    }

    /// How many entries stand before this key.
    pub fn rank<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let at = self.piece_of(key);
        let before: usize = self.pieces.iter().take(at).map(FlatMap::len).sum();
        before + self.pieces.get(at).map_or(0, |piece| piece.rank(key))
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
        // What comes in order leaves full pieces behind it.
        let is_beyond = |piece: &FlatMap<K, V>| {
            last && piece.len() >= PIECE && piece.last_key_value().is_some_and(|(end, _)| *end < key)
        };
        let Some(piece) = self.pieces.get_mut(at).filter(|piece| !is_beyond(piece)) else {
            self.pieces.push([(key, value)].into());
            self.len += 1;
            return None;
        };
        let held = piece.insert(key, value);
        if held.is_none() {
            self.len += 1;
        }
        if piece.len() > PIECE {
            let upper = piece.split_off(PIECE / 2);
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

    /// In order, and no piece empty or too long.
    fn check<K: Ord, V>(map: &WideMap<K, V>) {
        let lens: Vec<usize> = map.pieces.iter().map(FlatMap::len).collect();
        assert!(lens.iter().all(|len| (1..=PIECE).contains(len)), "{lens:?}");
        assert!(map.keys().is_sorted());
        assert_eq!(map.len(), lens.iter().sum::<usize>());
    }

    #[test]
    fn what_is_left_of_pieces_is_joined() {
        let mut map: WideMap<u32, u32> = (0..10_000).map(|i| (i, i)).collect();
        assert_eq!(map.pieces.len(), 40);
        for i in (0..10_000).filter(|i| i % 100 != 0) {
            map.remove(&i);
        }
        check(&map);
        assert_eq!(map.len(), 100);
        assert!(map.pieces.len() <= 3, "{}", map.pieces.len());
        let mut map: WideMap<u32, u32> = (0..10_000).map(|i| (i, i)).collect();
        map.retain(|i, _| i % 100 == 0);
        check(&map);
        assert_eq!(map.pieces.len(), 1);
    }

    #[test]
    fn a_full_last_piece_stays_as_it_is() {
        let full = PIECE as u32;
        let mut map: WideMap<u32, u32> = (0..full).map(|i| (i, i)).collect();
        for i in full..full + 1_000 {
            map.insert(i, i);
            map.remove(&i);
            assert_eq!(map.pieces.first().map(FlatMap::len), Some(PIECE));
        }
        check(&map);
    }

    proptest! {
        #[test]
        fn does_what_a_btree_map_does(
            base in 0u16..1_200,
            steps in prop::collection::vec((0u8..4, 0u16..1_200, any::<u8>()), 0..200),
            from in 0u16..1_200,
        ) {
            // More than fits into a piece, in order, and then in any order.
            let mut ours: WideMap<u16, u8> = (0..base).map(|i| (i, 0)).collect();
            let mut theirs: BTreeMap<u16, u8> = (0..base).map(|i| (i, 0)).collect();
            for (step, key, value) in steps {
                match step {
                    // Pieces of which little is left.
                    3 => for key in key..key.saturating_add(value.into()) {
                        prop_assert_eq!(ours.remove(&key), theirs.remove(&key));
                    },
                    0 => prop_assert_eq!(ours.insert(key, value), theirs.insert(key, value)),
                    1 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                    _ => prop_assert_eq!(
                        ours.get_or_insert_with(&key, || value).copied(),
                        Some(*theirs.entry(key).or_insert(value))
                    ),
                }
                prop_assert_eq!(ours.get(&from), theirs.get(&from));
                prop_assert_eq!(ours.len(), theirs.len());
                check(&ours);
            }
            prop_assert!(ours.iter().eq(theirs.iter()));
            prop_assert!(ours.starting_at(&from).eq(theirs.range(from..)));
            prop_assert_eq!(ours.rank(&from), theirs.range(..from).count());
            ours.retain(|k, _| k % 3 == 0);
            theirs.retain(|k, _| k % 3 == 0);
            prop_assert_eq!(ours.len(), theirs.len());
            check(&ours);
            prop_assert!(ours.into_values().eq(theirs.into_values()));
        }
    }
}
