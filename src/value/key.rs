//! Field names. Equal names of Kubernetes' own fields share one allocation.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

/// The longest text that is interned, and how many are: enough for every field of every type, and
/// a bound on what users' own keys (labels, data) can make it hold.
const LONGEST: usize = 40;
const MOST: usize = 8_192;

thread_local! {
    static NAMES: RefCell<BTreeSet<Rc<str>>> = const { RefCell::new(BTreeSet::new()) };
}

/// A field's name.
#[derive(Clone)]
pub struct Key(Rc<str>);

impl Key {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a shared text.
    pub fn shared(&self) -> Rc<str> {
        self.0.clone()
    }
}

/// The shared copy of a short text that recurs in many objects (`True`, `Ready`, `TCP`, field names).
pub fn intern(text: &str) -> Rc<str> {
    if text.len() > LONGEST {
        return text.into();
    }
    NAMES.with_borrow_mut(|names| {
        if let Some(name) = names.get(text) {
            return name.clone();
        }
        let name: Rc<str> = text.into();
        if names.len() < MOST {
            names.insert(name.clone());
        }
        name
    })
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
