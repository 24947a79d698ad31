//! Sharing between objects: equal texts and small equal subtrees of different objects become one.
//! Pods that start in the same second have the same conditions, for example.

use std::rc::Rc;

use super::key::hash_bytes;
use super::{Map, Value};

/// Slots of the pool. A slot keeps the last subtree of its hash: what recurs is found again, what
/// does not is soon replaced, and the pool never grows.
const SLOTS: usize = 4_096;

/// The longest text that is looked up: a container's ID (76 bytes) is never shared.
const LONGEST: usize = 64;

/// A bounded memory of subtrees.
#[derive(Default)]
pub struct Pool {
    slots: Vec<Value>,
}

impl Pool {
    /// Replaces subtrees of `value` by equal ones that were seen before. Subtrees that are shared
    /// already are left alone.
    pub fn share(&mut self, value: &mut Value) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Value::Null);
        }
        // The root is an object of its own: only its parts can recur.
        if let Value::Map(map) = value {
            for (_, part) in Rc::make_mut(map).iter_mut() {
                self.visit(part);
            }
        }
    }

    /// Shares a subtree and returns its hash.
    fn visit(&mut self, value: &mut Value) -> u64 {
        let hash = match value {
            Value::Null => return 1,
            Value::Bool(b) => return 2 + u64::from(*b),
            Value::Int(i) => return mix(4, *i as u64),
            Value::Float(f) => return mix(5, f.to_bits()),
            Value::Str(s) if s.len() > LONGEST => return hash_bytes(s.as_bytes()),
            Value::Str(s) if Rc::strong_count(s) > 1 => return hash_bytes(s.as_bytes()),
            Value::Str(s) => hash_bytes(s.as_bytes()),
            // A node with another owner is shared already, and so is all below it.
            Value::List(l) if Rc::strong_count(l) > 1 => return Rc::as_ptr(l) as usize as u64,
            Value::Map(m) if Rc::strong_count(m) > 1 => return Rc::as_ptr(m) as usize as u64,
            Value::List(l) => {
                let items = Rc::make_mut(l);
                items.shrink_to_fit();
                items.iter_mut().fold(6, |h, v| mix(h, self.visit(v)))
            }
            Value::Map(m) => {
                let map = Rc::make_mut(m);
                map.shrink();
                map.iter_mut()
                    .fold(7, |h, (k, v)| mix(mix(h, hash_bytes(k.as_bytes())), self.visit(v)))
            }
        };
        if let Some(slot) = self.slots.get_mut((hash ^ (hash >> 29)) as usize % SLOTS) {
            if alike(slot, value) {
                *value = slot.clone();
            } else {
                *slot = value.clone();
            }
        }
        hash
    }
}

/// Equal to the letter: whole floats are not integers here.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => x == y,
        (Value::List(x), Value::List(y)) => x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| alike_part(x, y)),
        (Value::Map(x), Value::Map(y)) => alike_map(x, y),
        _ => false,
    }
}

fn alike_map(a: &Map, b: &Map) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|((k, x), (l, y))| k == l && alike_part(x, y))
}

fn alike_part(a: &Value, b: &Value) -> bool {
    a.same(b) || alike(a, b) || matches!((a, b), (Value::Float(x), Value::Float(y)) if x.to_bits() == y.to_bits())
}

fn mix(hash: u64, part: u64) -> u64 {
    (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn equal_parts_become_one() {
        let pod = |name: &str| {
            obj! { "metadata": obj! { "name": name }, "status": obj! { "conditions": list![obj! { "type": "Ready" }] } }
        };
        let mut pool = Pool::default();
        let (mut a, mut b) = (pod("a"), pod("b"));
        pool.share(&mut a);
        pool.share(&mut b);
        assert!(a.at(&["status", "conditions"]).same(b.at(&["status", "conditions"])));
        assert_eq!(b, pod("b"));
        // What looks alike but is not stays apart.
        let (mut c, mut d) = (obj! { "x": list![1] }, obj! { "x": list![1.0] });
        pool.share(&mut c);
        pool.share(&mut d);
        assert!(!c.get("x").same(d.get("x")));
    }
}
