//! The store (etcd): every object's present version, revisions, and the history that watches read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::object::{Object, ObjectKey};
use super::status::Status;
use crate::flat::{FlatMap, WideMap};
use crate::limits;
use crate::sim::{Signal, WriteKind};
use crate::value::{Pool, Value};

/// One change, as a watch delivers it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whether the object came, changed or went.
    pub op: WriteKind,
    /// The new version; for a deletion the last one, with the deletion's revision.
    pub object: Object,
    /// The version before, for modifications.
    pub old: Option<Object>,
}

/// The objects of one resource, over all its versions.
#[derive(Default)]
struct Shelf {
    objects: WideMap<ObjectKey, Object>,
    history: VecDeque<Change>,
    /// The newest revision that was dropped from `history`.
    compacted: u64,
    signal: Signal,
}

/// How the names of the shelves of roles and bindings end.
const POLICY: &str = ".rbac.authorization.k8s.io";

/// Names a shelf: `pods`, `deployments.apps`.
pub type ShelfName = Rc<str>;

/// The store of one world.
pub struct Store {
    shelves: RefCell<FlatMap<ShelfName, Shelf>>,
    revision: Cell<u64>,
    /// The newest revision whose history was forgotten.
    compacted: Cell<u64>,
    policy: Cell<u64>,
    count: Cell<usize>,
    pool: RefCell<Pool>,
}

impl Default for Store {
    fn default() -> Store {
        // etcd's first revision is 1.
        Store {
            shelves: RefCell::default(),
            revision: Cell::new(1),
            compacted: Cell::new(0),
            policy: Cell::new(0),
            count: Cell::new(0),
            pool: RefCell::default(),
        }
    }
}

impl Store {
    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision.get()
    }

    /// Objects of all kinds.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// The present version of an object.
    pub fn get(&self, shelf: &str, key: &ObjectKey) -> Option<Object> {
        self.shelves
            .borrow()
            .get(shelf)
            .and_then(|s| s.objects.get(key))
            .cloned()
    }

    /// The revision of the last change of a role or a binding: what was decided by them holds as
    /// long as this number stays.
    pub fn policy_revision(&self) -> u64 {
        self.policy.get()
    }

    /// A shelf of a resource of which nothing was written yet: of what was not forgotten its history is whole.
    fn new_shelf(&self) -> Shelf {
        Shelf {
            compacted: self.compacted.get(),
            ..Shelf::default()
        }
    }

    fn note_policy(&self, shelf: &str) {
        if shelf.ends_with(POLICY) {
            self.policy.set(self.revision.get());
        }
    }

    /// The objects of a namespace (of all, when it is empty), in the order of namespace and name.
    pub fn list(&self, shelf: &str, namespace: &str) -> Vec<Object> {
        let mut found = Vec::new();
        self.each(shelf, namespace, |o| found.push(o.clone()));
        found
    }

    /// Calls `f` with the objects that [`Store::list`] would give. `f` must not write to the store.
    pub fn each(&self, shelf: &str, namespace: &str, mut f: impl FnMut(&Object)) {
        self.each_after(shelf, namespace, &ObjectKey::new(namespace, ""), |_, object| {
            f(object);
            true
        });
    }

    /// Calls `f` with the objects after this key, of one namespace or of all when it is empty, in the order of
    /// [`Store::list`], until it says that it has enough. `f` must not write to the store.
    pub fn each_after(
        &self,
        shelf: &str,
        namespace: &str,
        after: &ObjectKey,
        mut f: impl FnMut(&ObjectKey, &Object) -> bool,
    ) {
        let shelves = self.shelves.borrow();
        let Some(shelf) = shelves.get(shelf) else { return };
        let mut objects = shelf.objects.starting_at(after).peekable();
        objects.next_if(|(key, _)| *key == after);
        for (key, object) in objects {
            if !namespace.is_empty() && &*key.namespace != namespace || !f(key, object) {
                break;
            }
        }
    }

    /// How many objects there are after this key, of one namespace or of all when it is empty.
    pub fn count_after(&self, shelf: &str, namespace: &str, after: &ObjectKey) -> usize {
        let shelves = self.shelves.borrow();
        let Some(shelf) = shelves.get(shelf) else { return 0 };
        let objects = &shelf.objects;
        let end = match namespace {
            "" => objects.len(),
            // No name of a namespace stands between.
            _ => objects.rank(&ObjectKey::new(&format!("{namespace}\0"), "")),
        };
        end.saturating_sub(objects.rank(after) + usize::from(objects.contains_key(after)))
    }

    /// The names of the shelves that hold something, each with how much.
    pub fn shelves(&self) -> Vec<(ShelfName, usize)> {
        let shelves = self.shelves.borrow();
        let held = shelves.iter().map(|(name, shelf)| (name.clone(), shelf.objects.len()));
        held.filter(|(_, count)| *count > 0).collect()
    }

    /// Puts a version: `value` gets the next revision as its `resourceVersion` and shares what it
    /// can with the version before.
    ///
    /// # Errors
    /// 507 when the world holds [`limits::OBJECTS`] objects and this would be one more.
    pub fn put(&self, shelf: &ShelfName, mut value: Value) -> Result<(Object, WriteKind), Status> {
        let name = shelf;
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.entry(shelf.clone()).or_insert_with(|| self.new_shelf());
        let old = shelf.objects.get(&ObjectKey::of(&value)).cloned();
        if old.is_none() && self.count.get() >= limits::OBJECTS {
            return Err(Status::failure(
                507,
                "InsufficientStorage",
                format!(
                    "this cluster holds {} objects, the most that the simulation allows",
                    limits::OBJECTS
                ),
            ));
        }
        if let Some(old) = &old {
            value.share_with(old.value());
        }
        let revision = self.revision.get() + 1;
        self.revision.set(revision);
        value.set(&["metadata", "resourceVersion"], revision.to_string());
        self.pool.borrow_mut().share(&mut value);
        let object = Object::new(value);
        let op = if old.is_some() {
            WriteKind::Modified
        } else {
            WriteKind::Added
        };
        if old.is_none() {
            self.count.set(self.count.get() + 1);
        }
        self.note_policy(name);
        shelf.objects.insert(object.key(), object.clone());
        shelf.push(Change {
            op,
            object: object.clone(),
            old,
        });
        Ok((object, op))
    }

    /// Removes an object, and returns its last version with the deletion's revision.
    pub fn remove(&self, shelf: &str, key: &ObjectKey) -> Option<Object> {
        let name = shelf;
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.get_mut(shelf)?;
        let old = shelf.objects.remove(key)?;
        self.count.set(self.count.get().saturating_sub(1));
        let revision = self.revision.get() + 1;
        self.revision.set(revision);
        self.note_policy(name);
        let mut value = old.value().clone();
        value.set(&["metadata", "resourceVersion"], revision.to_string());
        let object = Object::new(value);
        shelf.push(Change {
            op: WriteKind::Deleted,
            object: object.clone(),
            old: Some(old),
        });
        Some(object)
    }

    /// The changes of a shelf after `revision`, oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// 410 Gone when changes after `revision` are no longer kept.
    pub fn changes(&self, shelf: &str, revision: u64, limit: usize) -> Result<Vec<Change>, Status> {
        let shelves = self.shelves.borrow();
        let Some(shelf) = shelves.get(shelf) else {
            return Ok(Vec::new());
        };
        if revision < shelf.compacted && shelf.history.front().is_some_and(|c| c.object.revision() > revision) {
            // What was dropped may lie after the version asked for.
            return Err(Status::too_old(revision, shelf.compacted));
        }
        let from = shelf.history.partition_point(|c| c.object.revision() <= revision);
        Ok(shelf.history.iter().skip(from).take(limit).cloned().collect())
    }

    /// Notified with each change of a shelf.
    pub fn signal(&self, shelf: &ShelfName) -> Signal {
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.entry(shelf.clone()).or_insert_with(|| self.new_shelf());
        shelf.signal.clone()
    }

    /// Forgets all history, so that watches from older revisions answer 410 Gone (as etcd's
    /// compaction does).
    pub fn compact(&self) {
        let revision = self.revision.get();
        self.compacted.set(revision);
        for shelf in self.shelves.borrow_mut().values_mut() {
            shelf.history.clear();
            shelf.compacted = revision;
        }
    }
}

impl Shelf {
    fn push(&mut self, change: Change) {
        if self.history.len() >= limits::WATCH_HISTORY
            && let Some(dropped) = self.history.pop_front()
        {
            self.compacted = dropped.object.revision();
        }
        self.history.push_back(change);
        self.signal.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obj;

    fn cm(name: &str, data: &str) -> Value {
        obj! { "metadata": obj! { "name": name, "namespace": "default" }, "data": obj! { "k": data } }
    }

    #[test]
    fn the_first_object_of_a_resource_is_seen_from_before() {
        let store = Store::default();
        store.put(&"configmaps".into(), cm("a", "1")).unwrap();
        let empty = store.revision();
        store.put(&"configmaps".into(), cm("b", "1")).unwrap();
        store.put(&"pods".into(), cm("p", "")).unwrap();
        store.signal(&"secrets".into());
        store.put(&"secrets".into(), cm("s", "")).unwrap();
        for shelf in ["pods", "secrets"] {
            assert_eq!(store.changes(shelf, empty, 10).unwrap().len(), 1, "{shelf}");
        }
        // What began after the history was forgotten says no more of the time before.
        store.compact();
        store.put(&"jobs.batch".into(), cm("j", "")).unwrap();
        assert_eq!(store.changes("jobs.batch", empty, 10).unwrap_err().code(), 410);
    }

    #[test]
    fn revisions_and_history() {
        let store = Store::default();
        let (a, op) = store.put(&"configmaps".into(), cm("a", "1")).unwrap();
        assert_eq!((op, a.revision()), (WriteKind::Added, 2));
        let (a2, op) = store.put(&"configmaps".into(), cm("a", "2")).unwrap();
        assert_eq!((op, a2.revision()), (WriteKind::Modified, 3));
        store.put(&"pods".into(), cm("p", "")).unwrap();
        let gone = store.remove("configmaps", &a.key()).unwrap();
        assert_eq!(gone.revision(), 5);
        let ops: Vec<_> = store
            .changes("configmaps", 2, 10)
            .unwrap()
            .iter()
            .map(|c| c.op)
            .collect();
        assert_eq!(ops, [WriteKind::Modified, WriteKind::Deleted]);
        store.compact();
        assert!(store.changes("configmaps", 5, 10).unwrap().is_empty());
        store.put(&"configmaps".into(), cm("b", "1")).unwrap();
        assert_eq!(store.changes("configmaps", 2, 10).unwrap_err().code(), 410);
        assert_eq!(store.changes("configmaps", 5, 10).unwrap().len(), 1);
    }
}
