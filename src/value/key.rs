//! Field names, and the shapes of maps. Equal names share one allocation, and maps with the same
//! names share one list of them.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The longest text that is interned, and how many are: enough for every field of every type, and
/// a bound on what users' own keys (labels, data) can make it hold.
const LONGEST: usize = 40;
const MOST: usize = 8_192;

/// The most keys of a shape that is shared, and how many shapes are: some thousand serve every type.
const WIDEST: usize = 64;
const SHAPES: usize = 8_192;

/// Slots of each table: twice what it holds, so that a search ends soon.
const SLOTS: usize = 16_384;

thread_local! {
    static NAMES: RefCell<Table<Rc<str>>> = const { RefCell::new(Table { slots: Vec::new(), used: 0 }) };
    static KNOWN_SHAPES: RefCell<Table<Shape>> = const { RefCell::new(Table { slots: Vec::new(), used: 0 }) };
}

/// A map's keys, sorted.
pub(super) type Shape = Rc<[Key]>;

/// A hash table that only grows, up to a limit, and is never iterated.
struct Table<T> {
    slots: Vec<Option<T>>,
    used: usize,
}

impl<T: Clone> Table<T> {
    /// The entry of this hash that `is` it, or what `make` gives, kept when there is room.
    fn find_or(&mut self, hash: u64, most: usize, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> T {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let mut at = hash as usize % SLOTS;
        // The table is never full, so the search ends.
        while let Some(Some(entry)) = self.slots.get(at) {
            if is(entry) {
                return entry.clone();
            }
            at = (at + 1) % SLOTS;
        }
        let entry = make();
        if self.used < most
            && let Some(slot) = self.slots.get_mut(at)
        {
            self.used += 1;
            *slot = Some(entry.clone());
        }
        entry
    }
}

/// FNV-1a, with a last mix so that the low bits depend on all.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

/// The shared list of these keys, which are sorted.
pub(super) fn shape(keys: Vec<Key>) -> Shape {
    if keys.len() > WIDEST || keys.iter().any(|k| is_data(k)) {
        return keys.into();
    }
    let hash = keys.iter().fold(keys.len() as u64, |h, k| {
        (h ^ hash_bytes(k.as_bytes()))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
    });
    KNOWN_SHAPES.with_borrow_mut(|shapes| {
        shapes.find_or(
            hash ^ (hash >> 32),
            SHAPES,
            |s| **s == *keys,
            || Rc::from(keys.as_slice()),
        )
    })
}

/// Slots of the memory of [`shape_of`]: twice as many as the program has literal objects.
const LITERALS: usize = 1_024;

/// What a literal's keys are: where they lie, and their shape; none where they are not in order.
type Literal = (usize, usize, Option<Shape>);

thread_local! {
    static KNOWN_LITERALS: RefCell<Vec<Option<Literal>>> = const { RefCell::new(Vec::new()) };
}

/// The shape of the keys of a literal object; `None` when they are not sorted. It is remembered by the address of
/// the keys, which live as long as the program.
pub(super) fn shape_of(keys: &'static [&'static str]) -> Option<Shape> {
    let at = keys.as_ptr() as usize;
    KNOWN_LITERALS.with_borrow_mut(|known| {
        if known.is_empty() {
            known.resize(LITERALS, None);
        }
        let place = known.get_mut((at >> 2) % LITERALS);
        match &place {
            Some(Some((address, len, shape))) if *address == at && *len == keys.len() => return shape.clone(),
            _ => {}
        }
        let sorted = keys.is_sorted_by(|a, b| a < b);
        let found = sorted.then(|| shape(keys.iter().map(|key| Key::from(*key)).collect()));
        if let Some(place) = place {
            *place = Some((at, keys.len(), found.clone()));
        }
        found
    })
}

/// A field's name.
#[derive(Clone)]
pub struct Key(Rc<str>);

impl Key {
    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a shared text.
    pub fn shared(&self) -> Rc<str> {
        self.0.clone()
    }
}

/// Whether a text is data rather than a name: it quotes something (the keys of `managedFields` that
/// hold an address, say). Such texts do not recur, and would fill the tables.
fn is_data(text: &str) -> bool {
    text.as_bytes().contains(&b'"')
}

/// The shared copy of a short text that recurs in many objects (`True`, `Ready`, `TCP`, field names).
pub fn intern(text: &str) -> Rc<str> {
    if text.len() > LONGEST || is_data(text) {
        return text.into();
    }
    NAMES.with_borrow_mut(|names| names.find_or(hash_bytes(text.as_bytes()), MOST, |n| **n == *text, || text.into()))
}

impl From<&str> for Key {
    fn from(s: &str) -> Key {
        Key(intern(s))
    }
}
impl From<String> for Key {
    fn from(s: String) -> Key {
        Key(intern(&s))
    }
}
impl From<Rc<str>> for Key {
    fn from(s: Rc<str>) -> Key {
        Key(s)
    }
}
impl From<&Key> for Key {
    fn from(k: &Key) -> Key {
        k.clone()
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}
impl Eq for Key {}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl std::ops::Deref for Key {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
