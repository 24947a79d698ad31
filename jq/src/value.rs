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
use crate::write;

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
        let mut out = String::new();
        write::compact(&mut out, self);
        out
    }

    /// As JSON, cut off where an error's sentence has no room for more.
    pub fn short(&self, room: usize) -> String {
        let text = self.json();
        if text.len() < room {
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

    fn rank(&self) -> u8 {
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
            (Val::Str(a), Val::Str(b)) => a.contains(&**b),
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

    /// What stands at a path.
    pub fn at_path(&self, path: &[Val]) -> ValR<Val> {
        let mut at = self.clone();
        for key in path {
            if matches!(at, Val::Null) {
                return Ok(Val::Null);
            }
            at = at.index(key)?;
        }
        Ok(at)
    }

    /// Puts a value at a path.
    pub fn set_path(self, path: &[Val], value: Val) -> ValR<Val> {
        let Some((key, rest)) = path.split_first() else {
            return Ok(value);
        };
        let mut whole = self;
        let inner = whole.take_out(key)?;
        let inner = inner.set_path(rest, value)?;
        whole.set(key, inner)
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

    /// Removes what stands at a path; nothing where there is nothing.
    pub fn delete_path(self, path: &[Val]) -> ValR<Val> {
        match path {
            [] => Ok(Val::Null),
            [key] => self.delete(key),
            [key, rest @ ..] => {
                let inner = self.clone().index(key)?;
                if matches!(inner, Val::Null) {
                    return Ok(self);
                }
                let inner = inner.delete_path(rest)?;
                self.set(key, inner)
            }
        }
    }

    fn delete(self, key: &Val) -> ValR<Val> {
        match (self, key) {
            (Val::Null, _) => Ok(Val::Null),
            (Val::Obj(mut o), Val::Str(key)) => {
                Rc::make_mut(&mut o).items.shift_remove(key);
                Ok(Val::Obj(o))
            }
            (Val::Arr(mut a), Val::Num(at)) => {
                if let Some(at) = place(at.value, a.items.len()).filter(|at| *at < a.items.len()) {
                    Rc::make_mut(&mut a).items.remove(at);
                }
                Ok(Val::Arr(a))
            }
            (Val::Arr(mut a), Val::Obj(range)) => {
                let (start, end) = bounds(range.items.get("start"), range.items.get("end"), a.items.len())?;
                Rc::make_mut(&mut a).items.drain(start..end);
                Ok(Val::Arr(a))
            }
            (Val::Arr(_), key) => Err(Error::str(format_args!(
                "Cannot delete {} element of array",
                named(key)
            ))),
            (Val::Obj(_), key) => Err(Error::str(format_args!("Cannot delete {} field of object", named(key)))),
            (other, _) => Err(Error::str(format_args!("Cannot delete fields from {}", other.kind()))),
        }
    }

    /// Where `part` begins in it: elements, runs of elements, or places in a string.
    pub fn places(&self, part: &Val) -> Vec<Val> {
        match (self, part) {
            (Val::Str(text), Val::Str(part)) if !part.is_empty() => text
                .char_indices()
                .filter(|(at, _)| text.get(*at..).is_some_and(|rest| rest.starts_with(&**part)))
                .map(|(at, _)| Val::from(at))
                .collect(),
            (Val::Arr(all), Val::Arr(part)) if !part.items.is_empty() => {
                let windows = all.items.windows(part.items.len()).enumerate();
                windows
                    .filter(|(_, window)| *window == part.items.as_slice())
                    .map(|(at, _)| Val::from(at))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What an error about deleting calls a key: an object is a slice.
fn named(key: &Val) -> &'static str {
    match key {
        Val::Obj(_) => "object",
        other => other.kind(),
    }
}

/// Room for a value in an error's sentence.
pub const SHORT: usize = 15;

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
        f.write_str(&self.json())
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
            (Val::Str(a), Val::Str(b)) => a == b,
            (Val::Arr(a), Val::Arr(b)) => Rc::ptr_eq(a, b) || a.items == b.items,
            (Val::Obj(a), Val::Obj(b)) => Rc::ptr_eq(a, b) || a.items == b.items,
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
            // Not a number is less than any number.
            (Val::Num(a), Val::Num(b)) if a.value.is_nan() => {
                let _ = b;
                Ordering::Less
            }
            (Val::Num(a), Val::Num(b)) => a.value.partial_cmp(&b.value).unwrap_or(Ordering::Greater),
            (Val::Str(a), Val::Str(b)) => a.cmp(b),
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
                let mut text = String::with_capacity(a.len() + b.len());
                text.push_str(&a);
                text.push_str(&b);
                Ok(Val::str(text))
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
                let kept = a.items.iter().filter(|x| budget::step() && !b.items.contains(x));
                Ok(kept.cloned().collect())
            }
            (a, b) => Err(both(&a, &b, "cannot be subtracted")),
        }
    }
}

/// Two objects joined, with what is in both joined in turn.
fn merge(a: Rc<Nested<Entries>>, b: &Nested<Entries>) -> Val {
    let mut entries = a.items.clone();
    for (key, new) in &b.items {
        let joined = match (entries.get(key), new) {
            (Some(Val::Obj(old)), Val::Obj(new)) => merge(old.clone(), new),
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
            (Val::Obj(o), Val::Str(key)) => Ok(o.items.get(key).cloned().unwrap_or(Val::Null)),
            (Val::Arr(_), Val::Num(at)) if at.value.is_nan() => Ok(Val::Null),
            (Val::Arr(a), Val::Num(at)) => {
                let found = place(at.value, a.items.len()).and_then(|at| a.items.get(at));
                Ok(found.cloned().unwrap_or(Val::Null))
            }
            (Val::Arr(_) | Val::Str(_), Val::Obj(range)) => {
                let (Some(start), Some(end)) = (range.items.get("start"), range.items.get("end")) else {
                    return Err(Error::str("Array/string slice indices must be integers"));
                };
                let (start, end) = (Some(start), Some(end));
                self.clone().range(start..end)
            }
            (Val::Arr(_), Val::Arr(_)) => Ok(Val::arr(self.places(key))),
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
