//! The values that jaq's interpreter works on, with jq's own arithmetic, order and errors.
//!
//! jaq-json has values of its own, whose numbers are machine integers (of 32 bits in a browser) and big ones, and whose
//! errors have other words. What a student sees has to be jq's.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::ops;
use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Error, ValR, ValT, ValX};

use crate::budget::{self, Trouble};
use crate::number::Number;
use crate::write::{Style, Text};

/// An object's entries in the order in which they came. The hasher has no seed: nothing differs between two runs.
pub type Entries = indexmap::IndexMap<Rc<str>, Val, BuildHasherDefault<DefaultHasher>>;

/// A value of JSON.
#[derive(Clone, Debug)]
pub enum Val {
    Null,
    Bool(bool),
    Num(Number),
    Str(Rc<str>),
    Arr(Rc<Nested<Vec<Val>>>),
    Obj(Rc<Nested<Entries>>),
}

/// What an array or an object holds, and how many levels are in it, itself among them.
#[derive(Clone, Debug, Default)]
pub struct Nested<T> {
    pub items: T,
    depth: u32,
}

/// Bytes that an element or entry is taken to have.
const ENTRY: usize = 32;

impl Val {
    pub fn str(text: impl AsRef<str>) -> Val {
        budget::take(text.as_ref().len());
        Val::Str(text.as_ref().into())
    }

    pub fn arr(items: Vec<Val>) -> Val {
        budget::take(items.len() * ENTRY);
        let depth = items.iter().map(Val::depth).max().unwrap_or(0) + 1;
        budget::nest(depth);
        Val::Arr(Rc::new(Nested { items, depth }))
    }

    pub fn obj(items: Entries) -> Val {
        budget::take(items.len() * ENTRY * 2);
        let depth = items.values().map(Val::depth).max().unwrap_or(0) + 1;
        budget::nest(depth);
        Val::Obj(Rc::new(Nested { items, depth }))
    }

    pub fn fields<const N: usize>(fields: [(&str, Val); N]) -> Val {
        Val::obj(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    fn depth(&self) -> u32 {
        match self {
            Val::Arr(a) => a.depth,
            Val::Obj(o) => o.depth,
            _ => 0,
        }
    }

    /// Whether somebody else holds what is in it.
    pub fn is_shared(&self) -> bool {
        match self {
            Val::Arr(a) => Rc::strong_count(a) > 1,
            Val::Obj(o) => Rc::strong_count(o) > 1,
            _ => true,
        }
    }

    /// The name of its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "boolean",
            Val::Num(_) => "number",
            Val::Str(_) => "string",
            Val::Arr(_) => "array",
            Val::Obj(_) => "object",
        }
    }

    pub fn as_str(&self) -> Option<&Rc<str>> {
        match self {
            Val::Str(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_num(&self) -> Option<f64> {
        match self {
            Val::Num(n) => Some(n.value),
            _ => None,
        }
    }

    pub fn as_arr(&self) -> Option<&[Val]> {
        match self {
            Val::Arr(a) => Some(&a.items),
            _ => None,
        }
    }

    /// As JSON on one line.
    pub fn json(&self) -> String {
        let mut text = Text::new();
        text.value(self, &Style::default());
        text.into_string()
    }

    /// As JSON, cut off where an error's sentence has no room for more.
    pub fn short(&self, room: usize) -> String {
        let mut text = Text::within(room);
        text.value(self, &Style::default());
        let whole = !text.is_full();
        let text = text.into_cut();
        if whole && text.len() < room {
            return text;
        }
        let kept = text.as_bytes().get(..room.saturating_sub(4)).unwrap_or_default();
        format!("{}...", String::from_utf8_lossy(kept))
    }

    /// What an error's sentence calls it.
    pub fn described(&self) -> String {
        format!("{} ({})", self.kind(), self.short(SHORT))
    }

    /// As a string, as `tostring` and interpolation give it.
    pub fn text(self) -> Rc<str> {
        match self {
            Val::Str(s) => s,
            other => {
                let text = other.json();
                budget::take(text.len());
                text.into()
            }
        }
    }

    /// Its place in the order of types.
    pub fn rank(&self) -> u8 {
        match self {
            Val::Null => 0,
            Val::Bool(false) => 1,
            Val::Bool(true) => 2,
            Val::Num(_) => 3,
            Val::Str(_) => 4,
            Val::Arr(_) => 5,
            Val::Obj(_) => 6,
        }
    }

    /// The keys of an object in their order.
    pub fn sorted_keys(entries: &Entries) -> Vec<&Rc<str>> {
        let mut keys: Vec<&Rc<str>> = entries.keys().collect();
        keys.sort();
        keys
    }

    /// Whether `other` is contained in it; both are of one type.
    pub fn contains(&self, other: &Val) -> bool {
        match (self, other) {
            _ if !budget::step() => false,
            (Val::Str(a), Val::Str(b)) => budget::scan(a.len()) && a.contains(&**b),
            (Val::Arr(a), Val::Arr(b)) => b.items.iter().all(|b| a.items.iter().any(|a| a.contains(b))),
            (Val::Obj(a), Val::Obj(b)) => {
                let within = |(key, b): (&Rc<str>, &Val)| a.items.get(key).is_some_and(|a| a.contains(b));
                b.items.iter().all(within)
            }
            (a, b) => a == b,
        }
    }

    /// Sets a field or an element, as `.[key] = value`.
    pub fn set(self, key: &Val, value: Val) -> ValR<Val> {
        match (self, key) {
            (Val::Null, Val::Str(_)) => Val::obj(Entries::default()).set(key, value),
            (Val::Null, Val::Num(_) | Val::Obj(_)) => Val::arr(Vec::new()).set(key, value),
            (Val::Obj(mut o), Val::Str(key)) => {
                if Rc::strong_count(&o) > 1 {
                    budget::take(o.items.len() * ENTRY * 2);
                }
                budget::take(ENTRY * 2);
                weigh(key);
                let depth = o.depth.max(value.depth() + 1);
                budget::nest(depth);
                let entries = Rc::make_mut(&mut o);
                entries.items.insert(key.clone(), value);
                entries.depth = depth;
                Ok(Val::Obj(o))
            }
            (Val::Arr(mut a), Val::Num(at)) => {
                if at.value.is_nan() {
                    return Err(Error::str("Cannot set array element at NaN index"));
                }
                let length = a.items.len();
                let Some(at) = place(at.value, length) else {
                    return Err(Error::str("Out of bounds negative array index"));
                };
                let shared = Rc::strong_count(&a) > 1;
                if !budget::take(at.saturating_sub(length).saturating_add(1).saturating_mul(ENTRY))
                    || (shared && !budget::take(length * ENTRY))
                {
                    return Err(Error::str(Trouble::Bytes.sentence()));
                }
                let depth = a.depth.max(value.depth() + 1);
                budget::nest(depth);
                let elements = Rc::make_mut(&mut a);
                if at >= length {
                    elements.items.resize(at + 1, Val::Null);
                }
                if let Some(slot) = elements.items.get_mut(at) {
                    *slot = value;
                }
                elements.depth = depth;
                Ok(Val::Arr(a))
            }
            (Val::Arr(a), Val::Obj(range)) => {
                let Val::Arr(new) = value else {
                    return Err(Error::str("A slice of an array can only be assigned another array"));
                };
                let (start, end) = bounds(range.items.get("start"), range.items.get("end"), a.items.len())?;
                let mut items = a.items.clone();
                items.splice(start..end, new.items.iter().cloned());
                Ok(Val::arr(items))
            }
            (Val::Str(_), Val::Obj(_)) => Err(Error::str("Cannot update string slices")),
            // The words of a field that is looked up, which is what jq does first.
            (other, key) => other.index(key).and_then(|old| {
                Err(Error::str(format_args!(
                    "Cannot update field at {} index of {}",
                    key.kind(),
                    old.kind()
                )))
            }),
        }
    }

    /// Changes what stands at a path: it is taken out, changed, and put back.
    pub fn change<E: From<Error<Val>>>(self, path: &[Val], f: impl FnOnce(Val) -> Result<Val, E>) -> Result<Val, E> {
        // What comes of it would be nested as deeply as the path is long, and so are the calls here.
        if !budget::nest(u32::try_from(path.len()).unwrap_or(u32::MAX)) {
            return Err(Error::str(Trouble::Nesting.sentence()).into());
        }
        self.change_within(path, f)
    }

    fn change_within<E: From<Error<Val>>>(self, path: &[Val], f: impl FnOnce(Val) -> Result<Val, E>) -> Result<Val, E> {
        let Some((key, rest)) = path.split_first() else {
            return f(self);
        };
        let mut whole = self;
        let inner = whole.take_out(key)?.change_within(rest, f)?;
        Ok(whole.set(key, inner)?)
    }

    /// What stands at a key, taken out if nobody else holds this value, so that it can be changed where it is.
    fn take_out(&mut self, key: &Val) -> ValR<Val> {
        match (&mut *self, key) {
            (Val::Obj(o), Val::Str(key)) => {
                if let Some(slot) = Rc::get_mut(o).and_then(|o| o.items.get_mut(key)) {
                    return Ok(std::mem::replace(slot, Val::Null));
                }
            }
            (Val::Arr(a), Val::Num(at)) => {
                let slot = Rc::get_mut(a).and_then(|a| {
                    let at = place(at.value, a.items.len())?;
                    a.items.get_mut(at)
                });
                if let Some(slot) = slot {
                    return Ok(std::mem::replace(slot, Val::Null));
                }
            }
            _ => {}
        }
        self.clone().index(key)
    }

    /// Removes what stands at the paths, which are sorted, not empty, and alike in their first `level` keys. Nothing is
    /// removed where there is nothing. All that stands in one array or object goes at once, so that nothing moves before its
    /// turn, and much is removed as fast as little.
    pub fn delete_paths(self, paths: &[&[Val]], level: usize) -> ValR<Val> {
        let mut whole = self;
        let mut gone = Vec::new();
        let mut rest = paths;
        while let Some(key) = rest.first().and_then(|path| path.get(level)) {
            if !budget::step() {
                break;
            }
            let same = rest.iter().take_while(|path| path.get(level) == Some(key)).count();
            // What is no number is not even equal to itself.
            let (within, after) = rest.split_at_checked(same.max(1)).unwrap_or_default();
            rest = after;
            if within.first().is_some_and(|path| path.len() == level + 1) {
                gone.push(key);
                continue;
            }
            let inner = whole.take_out(key)?;
            if !matches!(inner, Val::Null) {
                let inner = inner.delete_paths(within, level + 1)?;
                whole = whole.set(key, inner)?;
            }
        }
        whole.delete(&gone)
    }

    /// Removes what stands at the keys, which are sorted.
    fn delete(self, keys: &[&Val]) -> ValR<Val> {
        match self {
            whole if keys.is_empty() => Ok(whole),
            Val::Null => Ok(Val::Null),
            Val::Obj(mut o) => {
                let mut names = Vec::new();
                for key in keys {
                    let Val::Str(name) = key else {
                        return Err(Error::str(format_args!("Cannot delete {} field of object", key.kind())));
                    };
                    names.push(name);
                }
                let there = |name: &&Rc<str>| o.items.contains_key(&***name);
                if names.iter().any(there) {
                    let length = o.items.len();
                    let entries = &mut own(&mut o, length * 2)?.items;
                    entries.retain(|name, _| names.binary_search(&name).is_err());
                }
                Ok(Val::Obj(o))
            }
            Val::Arr(mut a) => {
                let length = a.items.len();
                let mut gone = Vec::new();
                for key in keys {
                    match key {
                        Val::Num(at) => gone.extend(place(at.value, length).map(|at| at..at + 1)),
                        Val::Obj(range) => {
                            let (start, end) = bounds(range.items.get("start"), range.items.get("end"), length)?;
                            gone.push(start..end);
                        }
                        key => {
                            return Err(Error::str(format_args!(
                                "Cannot delete {} element of array",
                                key.kind()
                            )));
                        }
                    }
                }
                gone.retain(|range| range.start < length && !range.is_empty());
                if !gone.is_empty() {
                    gone.sort_by_key(|range| (range.start, range.end));
                    let mut gone = gone.into_iter().peekable();
                    let mut at = 0;
                    own(&mut a, length)?.items.retain(|_| {
                        while gone.next_if(|range| range.end <= at).is_some() {}
                        let goes = gone.peek().is_some_and(|range| range.start <= at);
                        at += 1;
                        !goes
                    });
                }
                Ok(Val::Arr(a))
            }
            other => Err(Error::str(format_args!("Cannot delete fields from {}", other.kind()))),
        }
    }

    /// Where `part` begins in it: elements, runs of elements, or places in a string.
    pub fn places(&self, part: &Val) -> Val {
        let found = match (self, part) {
            (Val::Str(text), Val::Str(part)) if !part.is_empty() => {
                budget::scan((text.len() + part.len()) * 8);
                occurrences(text.as_bytes(), part.as_bytes())
            }
            (Val::Arr(all), Val::Arr(part)) if !part.items.is_empty() => {
                budget::scan((all.items.len() + part.items.len()) * ENTRY);
                occurrences(&all.items, &part.items)
            }
            _ => Vec::new(),
        };
        found.into_iter().map(Val::from).collect()
    }
}

/// What an array or object holds, of which many entries will be moved. All are copied where others hold them as well.
fn own<T: Clone>(nested: &mut Rc<Nested<T>>, entries: usize) -> ValR<&mut Nested<T>, Val> {
    if Rc::strong_count(nested) > 1 && !budget::take(entries * ENTRY) {
        return Err(Error::str(Trouble::Bytes.sentence()));
    }
    budget::scan(entries * ENTRY);
    Ok(Rc::make_mut(nested))
}

/// Where `part` begins in `all`, in time that grows with both alone: as long a beginning of it is kept as ends where the
/// search stands (Knuth, Morris, Pratt).
fn occurrences<T: PartialEq>(all: &[T], part: &[T]) -> Vec<usize> {
    // For each beginning of `part`, how long the longest shorter one is that also ends it.
    let mut shorter = vec![0];
    let grow = |shorter: &[usize], kept: usize, next: &T| {
        let mut kept = kept;
        loop {
            if part.get(kept) == Some(next) {
                return kept + 1;
            }
            match kept.checked_sub(1).and_then(|at| shorter.get(at)) {
                Some(less) => kept = *less,
                None => return 0,
            }
        }
    };
    for next in part.iter().skip(1) {
        let kept = shorter.last().copied().unwrap_or(0);
        let kept = grow(&shorter, kept, next);
        shorter.push(kept);
    }
    let mut found = Vec::new();
    let mut kept = 0;
    for (at, next) in all.iter().enumerate() {
        if kept == part.len() {
            kept = shorter.last().copied().unwrap_or(0);
        }
        kept = grow(&shorter, kept, next);
        if kept == part.len() {
            found.push(at + 1 - kept);
        }
    }
    found
}

/// Sorts, keeping the order of what is equal. The standard library's may panic where an order is none, which jq's is not
/// for what is no number, and no order is known when the run has to end.
pub fn sorted<T>(items: Vec<T>, order: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut items = items;
    if items.len() < 2 {
        return items;
    }
    let right = sorted(items.split_off(items.len() / 2), order);
    let left = sorted(items, order);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    let merged = std::iter::from_fn(|| match (left.peek(), right.peek()) {
        (Some(l), Some(r)) if order(l, r).is_gt() => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    });
    merged.collect()
}

/// Room for a value in an error's sentence, and in one of the interpreter's own.
const SHORT: usize = 15;
const LONGER: usize = 30;

/// Counts the steps that it takes to compare a text or to look it up, where it is long.
pub fn weigh(text: &str) {
    const LONG: usize = 1024;
    if text.len() >= LONG {
        budget::scan(text.len());
    }
}

/// The place of an index in an array, counted from the end when it is negative; `None` before the first.
fn place(at: f64, length: usize) -> Option<usize> {
    let at = at.trunc();
    let at = if at < 0.0 { at + length as f64 } else { at };
    (at >= 0.0).then_some(at.min(f64::from(i32::MAX)) as usize)
}

/// Where a slice begins and ends.
fn bounds(start: Option<&Val>, end: Option<&Val>, length: usize) -> ValR<(usize, usize), Val> {
    let number = |bound: Option<&Val>, missing: f64| match bound {
        None | Some(Val::Null) => Ok(missing),
        Some(Val::Num(n)) if n.value.is_nan() => Ok(missing),
        Some(Val::Num(n)) => Ok(n.value),
        Some(_) => Err(Error::str("Array/string slice indices must be integers")),
    };
    let whole = length as f64;
    let (start, end) = (number(start, 0.0)?, number(end, whole)?);
    let from_end = |at: f64| if at < 0.0 { at + whole } else { at };
    let start = from_end(start).floor().clamp(0.0, whole);
    let end = from_end(end).ceil().clamp(start, whole);
    Ok((start as usize, end as usize))
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the interpreter's errors show values so.
        f.write_str(&self.short(LONGER))
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Val {
        Val::Bool(value)
    }
}

impl From<isize> for Val {
    fn from(value: isize) -> Val {
        Val::from(value as f64)
    }
}

impl From<usize> for Val {
    fn from(value: usize) -> Val {
        Val::from(value as f64)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::Num(value.into())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::str(text)
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::str(text)
    }
}

impl From<Range<Val>> for Val {
    fn from(range: Range<Val>) -> Val {
        let bound = |b: Option<Val>| b.unwrap_or(Val::Null);
        Val::fields([("start", bound(range.start)), ("end", bound(range.end))])
    }
}

impl FromIterator<Val> for Val {
    fn from_iter<I: IntoIterator<Item = Val>>(iter: I) -> Val {
        // Counted while they come: there may be no end of them.
        let items = iter.into_iter().take_while(|_| budget::take(ENTRY)).collect();
        Val::arr(items)
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Num(a), Val::Num(b)) => a.value == b.value,
            (Val::Str(a), Val::Str(b)) => {
                weigh(a);
                a == b
            }
            (Val::Arr(a), Val::Arr(b)) => Rc::ptr_eq(a, b) || (budget::step() && a.items == b.items),
            (Val::Obj(a), Val::Obj(b)) => Rc::ptr_eq(a, b) || (budget::step() && a.items == b.items),
            _ => false,
        }
    }
}

impl Eq for Val {}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Val) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Val {
    fn cmp(&self, other: &Val) -> Ordering {
        match (self, other) {
            // What is no number is less than any number, itself too: jq has it so, and what sorts does not mind.
            (Val::Num(a), Val::Num(_)) if a.value.is_nan() => Ordering::Less,
            (Val::Arr(_), Val::Arr(_)) | (Val::Obj(_), Val::Obj(_)) if !budget::step() => Ordering::Equal,
            (Val::Num(a), Val::Num(b)) => a.value.partial_cmp(&b.value).unwrap_or(Ordering::Greater),
            (Val::Str(a), Val::Str(b)) => {
                weigh(a);
                a.cmp(b)
            }
            (Val::Arr(a), Val::Arr(b)) => a.items.cmp(&b.items),
            (Val::Obj(a), Val::Obj(b)) => {
                let (keys, others) = (Val::sorted_keys(&a.items), Val::sorted_keys(&b.items));
                keys.cmp(&others).then_with(|| {
                    let pairs = keys.iter().map(|key| (a.items.get(&***key), b.items.get(&***key)));
                    pairs
                        .map(|(a, b)| a.cmp(&b))
                        .find(|o| o.is_ne())
                        .unwrap_or(Ordering::Equal)
                })
            }
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

/// An error about two values: `null (null) and object ({}) cannot be added`.
pub fn both(a: &Val, b: &Val, what: &str) -> Error<Val> {
    Error::str(format_args!("{} and {} {what}", a.described(), b.described()))
}

/// An error about a value: `null (null) number required`.
pub fn about(a: &Val, what: &str) -> Error<Val> {
    Error::str(format_args!("{} {what}", a.described()))
}

impl ops::Add for Val {
    type Output = ValR<Val>;

    fn add(self, other: Val) -> ValR<Val> {
        match (self, other) {
            (Val::Null, x) | (x, Val::Null) => Ok(x),
            (Val::Num(a), Val::Num(b)) => Ok(Val::from(a.value + b.value)),
            (Val::Str(a), Val::Str(b)) => {
                // What is added counts as bytes, and copying what was there as steps.
                if !budget::take(b.len()) || !budget::scan(a.len()) {
                    return Err(Error::str(Trouble::Bytes.sentence()));
                }
                Ok(Val::Str([&*a, &*b].concat().into()))
            }
            (Val::Arr(mut a), Val::Arr(b)) => {
                let added = b.items.len() + if Rc::strong_count(&a) > 1 { a.items.len() } else { 0 };
                if !budget::take(added * ENTRY) {
                    return Err(Error::str(Trouble::Bytes.sentence()));
                }
                let depth = a.depth.max(b.depth);
                let whole = Rc::make_mut(&mut a);
                whole.items.extend(b.items.iter().cloned());
                whole.depth = depth;
                Ok(Val::Arr(a))
            }
            (Val::Obj(mut a), Val::Obj(b)) => {
                let added = b.items.len() + if Rc::strong_count(&a) > 1 { a.items.len() } else { 0 };
                if !budget::take(added * ENTRY * 2) {
                    return Err(Error::str(Trouble::Bytes.sentence()));
                }
                let depth = a.depth.max(b.depth);
                let whole = Rc::make_mut(&mut a);
                whole
                    .items
                    .extend(b.items.iter().map(|(key, value)| (key.clone(), value.clone())));
                whole.depth = depth;
                Ok(Val::Obj(a))
            }
            (a, b) => Err(both(&a, &b, "cannot be added")),
        }
    }
}

impl ops::Sub for Val {
    type Output = ValR<Val>;

    fn sub(self, other: Val) -> ValR<Val> {
        match (self, other) {
            (Val::Num(a), Val::Num(b)) => Ok(Val::from(a.value - b.value)),
            (Val::Arr(a), Val::Arr(b)) => {
                let gone = sorted(b.items.clone(), &Val::cmp);
                let kept = a.items.iter().filter(|x| gone.binary_search(x).is_err());
                Ok(kept.cloned().collect())
            }
            (a, b) => Err(both(&a, &b, "cannot be subtracted")),
        }
    }
}

/// Two objects joined, with what is in both joined in turn.
fn merge(a: Rc<Nested<Entries>>, b: &Nested<Entries>) -> Val {
    if !budget::step() {
        return Val::Null;
    }
    let mut entries = Rc::unwrap_or_clone(a).items;
    for (key, new) in &b.items {
        let old = entries.insert(key.clone(), Val::Null);
        let joined = match (old, new) {
            (Some(Val::Obj(old)), Val::Obj(new)) => merge(old, new),
            _ => new.clone(),
        };
        entries.insert(key.clone(), joined);
    }
    Val::obj(entries)
}

impl ops::Mul for Val {
    type Output = ValR<Val>;

    fn mul(self, other: Val) -> ValR<Val> {
        match (self, other) {
            (Val::Num(a), Val::Num(b)) => Ok(Val::from(a.value * b.value)),
            (Val::Str(text), Val::Num(times)) | (Val::Num(times), Val::Str(text)) => {
                if times.value < 0.0 || times.value.is_nan() {
                    return Ok(Val::Null);
                }
                let times = times.value.min(f64::from(i32::MAX)) as usize;
                if !budget::take(text.len().saturating_mul(times)) {
                    return Err(Error::str(Trouble::Bytes.sentence()));
                }
                Ok(Val::Str(text.repeat(times).into()))
            }
            (Val::Obj(a), Val::Obj(b)) => Ok(merge(a, &b)),
            (a, b) => Err(both(&a, &b, "cannot be multiplied")),
        }
    }
}

/// A string's parts between separators.
pub fn split(text: &str, separator: &str) -> Val {
    if text.is_empty() {
        Val::arr(Vec::new())
    } else if separator.is_empty() {
        text.chars().map(|c| Val::from(c.to_string())).collect()
    } else {
        text.split(separator).map(Val::from).collect()
    }
}

impl ops::Div for Val {
    type Output = ValR<Val>;

    fn div(self, other: Val) -> ValR<Val> {
        match (self, other) {
            (Val::Num(a), Val::Num(b)) if b.value == 0.0 => Err(both(
                &Val::Num(a),
                &Val::Num(b),
                "cannot be divided because the divisor is zero",
            )),
            (Val::Num(a), Val::Num(b)) => Ok(Val::from(a.value / b.value)),
            (Val::Str(text), Val::Str(separator)) => Ok(split(&text, &separator)),
            (a, b) => Err(both(&a, &b, "cannot be divided")),
        }
    }
}

impl ops::Rem for Val {
    type Output = ValR<Val>;

    fn rem(self, other: Val) -> ValR<Val> {
        match (self, other) {
            (Val::Num(a), Val::Num(b)) if a.value.is_nan() || b.value.is_nan() => Ok(Val::from(f64::NAN)),
            (Val::Num(a), Val::Num(b)) => match (a.value as i64).checked_rem(b.value as i64) {
                Some(rest) => Ok(Val::from(rest as f64)),
                None if b.value as i64 == -1 => Ok(Val::from(0.0)),
                None => Err(both(
                    &Val::Num(a),
                    &Val::Num(b),
                    "cannot be divided (remainder) because the divisor is zero",
                )),
            },
            (a, b) => Err(both(&a, &b, "cannot be divided (remainder)")),
        }
    }
}

impl ops::Neg for Val {
    type Output = ValR<Val>;

    fn neg(self) -> ValR<Val> {
        match self {
            Val::Num(n) => Ok(Val::from(-n.value)),
            other => Err(about(&other, "cannot be negated")),
        }
    }
}

fn cannot_iterate(value: &Val) -> Error<Val> {
    // Null has no value of its own to show.
    match value {
        Val::Null => Error::str("Cannot iterate over null (null)"),
        other => Error::str(format_args!("Cannot iterate over {}", other.described())),
    }
}

/// The interpreter's own updates are not used: `rewrite` turns each into one over paths, as jq has them.
fn no_update<'a, T>() -> ValX<'a, T, Val> {
    Err(Error::str("an update that goes through no path").into())
}

impl ValT for Val {
    fn from_num(literal: &str) -> ValR<Val> {
        let number = Number::parse(literal).ok_or_else(|| Error::str("Invalid numeric literal"))?;
        Ok(Val::Num(number))
    }

    fn from_map<I: IntoIterator<Item = (Val, Val)>>(entries: I) -> ValR<Val> {
        let mut object = Entries::default();
        for (key, value) in entries {
            let Val::Str(key) = key else {
                return Err(Error::str(format_args!("Cannot use {} as object key", key.described())));
            };
            object.insert(key, value);
        }
        Ok(Val::obj(object))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Val, Val), Val>> {
        match self {
            Val::Arr(a) => Box::new((0..a.items.len()).map_while(move |at| {
                let value = a.items.get(at)?.clone();
                Some(Ok((Val::from(at), value)))
            })),
            Val::Obj(o) => Box::new((0..o.items.len()).map_while(move |at| {
                let (key, value) = o.items.get_index(at)?;
                Some(Ok((Val::Str(key.clone()), value.clone())))
            })),
            other => box_once(Err(cannot_iterate(&other))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Val>>> {
        match self {
            Val::Arr(a) => Box::new((0..a.items.len()).map_while(move |at| a.items.get(at).cloned().map(Ok))),
            Val::Obj(o) => Box::new((0..o.items.len()).map_while(move |at| {
                let (_, value) = o.items.get_index(at)?;
                Some(Ok(value.clone()))
            })),
            other => box_once(Err(cannot_iterate(&other))),
        }
    }

    fn index(self, key: &Val) -> ValR<Val> {
        match (&self, key) {
            (Val::Obj(o), Val::Str(key)) => {
                weigh(key);
                Ok(o.items.get(key).cloned().unwrap_or(Val::Null))
            }
            (Val::Arr(_), Val::Num(at)) if at.value.is_nan() => Ok(Val::Null),
            (Val::Arr(a), Val::Num(at)) => {
                let found = place(at.value, a.items.len()).and_then(|at| a.items.get(at));
                Ok(found.cloned().unwrap_or(Val::Null))
            }
            (Val::Arr(_) | Val::Str(_), Val::Obj(range)) => {
                let (Some(start), Some(end)) = (range.items.get("start"), range.items.get("end")) else {
                    return Err(Error::str("Array/string slice indices must be integers"));
                };
                self.clone().range(Some(start)..Some(end))
            }
            (Val::Arr(_), Val::Arr(_)) => Ok(self.places(key)),
            (Val::Null, Val::Str(_) | Val::Num(_) | Val::Obj(_)) => Ok(Val::Null),
            (_, Val::Str(key)) if key.len() < 30 => Err(Error::str(format_args!(
                "Cannot index {} with string \"{key}\"",
                self.kind()
            ))),
            _ => Err(Error::str(format_args!(
                "Cannot index {} with {}",
                self.kind(),
                key.kind()
            ))),
        }
    }

    fn range(self, range: Range<&Val>) -> ValR<Val> {
        match self {
            Val::Null => Ok(Val::Null),
            Val::Arr(a) => {
                let (start, end) = bounds(range.start, range.end, a.items.len())?;
                Ok(Val::arr(a.items.get(start..end).unwrap_or_default().to_vec()))
            }
            Val::Str(s) => {
                budget::scan(s.len() * 2);
                let (start, end) = bounds(range.start, range.end, s.chars().count())?;
                let text: String = s.chars().skip(start).take(end - start).collect();
                Ok(Val::from(text))
            }
            other => Err(Error::str(format_args!("Cannot index {} with object", other.kind()))),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Val>>>(self, _: Opt, _: impl Fn(Val) -> I) -> ValX<'a, Val> {
        no_update()
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Val>>>(self, _: &Val, _: Opt, _: impl Fn(Val) -> I) -> ValX<'a, Val> {
        no_update()
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Val>>>(
        self,
        _: Range<&Val>,
        _: Opt,
        _: impl Fn(Val) -> I,
    ) -> ValX<'a, Val> {
        no_update()
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Val::Null | Val::Bool(false))
    }

    fn into_string(self) -> Val {
        Val::Str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All short texts of two letters in all others, against a search that looks at each place anew.
    #[test]
    fn occurrences_are_all_places() {
        let texts = |length: usize| (0..1usize << length).map(move |n| (0..length).map(|at| n >> at & 1).collect());
        let parts: Vec<Vec<usize>> = (1..5).flat_map(texts).collect();
        for all in (0..9).flat_map(texts).collect::<Vec<Vec<usize>>>() {
            for part in &parts {
                let places = all.windows(part.len()).enumerate();
                let expected: Vec<usize> = places.filter(|(_, w)| w == part).map(|(at, _)| at).collect();
                assert_eq!(occurrences(&all, part), expected, "{part:?} in {all:?}");
            }
        }
    }

    #[test]
    fn sorting_keeps_the_order_of_what_is_equal() {
        let items: Vec<(u32, usize)> = (0..200).map(|at| ((at as u32 * 7919) % 10, at)).collect();
        let mut expected = items.clone();
        expected.sort();
        assert_eq!(sorted(items, &|a, b| a.0.cmp(&b.0)), expected);
    }
}
