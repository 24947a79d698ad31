//! A stored version of an object: its tree, and what every part asks of its metadata.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use super::resource;
use crate::obj;
use crate::sim::Time;
use crate::value::{Value, intern};

/// One version of an API object. Clones share it.
#[derive(Clone)]
pub struct Object(Rc<Inner>);

struct Inner {
    value: Value,
    revision: u64,
    /// What a typed view parsed of this version, made when first asked for.
    memo: OnceCell<Rc<dyn Any>>,
}

impl Object {
    /// An object of a tree, which is taken as it is.
    pub fn new(value: Value) -> Object {
        let revision = value.str_at(&["metadata", "resourceVersion"]).parse().unwrap_or(0);
        Object(Rc::new(Inner {
            value,
            revision,
            memo: OnceCell::new(),
        }))
    }

    /// The whole tree.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// The field at a path.
    pub fn at(&self, path: &[&str]) -> &Value {
        self.0.value.at(path)
    }

    /// `spec`; null where there is none.
    pub fn spec(&self) -> &Value {
        self.0.value.get("spec")
    }

    /// `status`; null where there is none.
    pub fn status(&self) -> &Value {
        self.0.value.get("status")
    }

    /// `metadata`; null where there is none.
    pub fn metadata(&self) -> &Value {
        self.0.value.get("metadata")
    }

    /// `apps/v1`, of the core group `v1`.
    pub fn api_version(&self) -> &str {
        self.0.value.str_at(&["apiVersion"])
    }

    /// `Deployment`.
    pub fn kind(&self) -> &str {
        self.0.value.str_at(&["kind"])
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.metadata().str_at(&["name"])
    }

    /// Empty for objects that have no namespace.
    pub fn namespace(&self) -> &str {
        self.metadata().str_at(&["namespace"])
    }

    /// `namespace/name`, or `/name`.
    pub fn full_name(&self) -> Rc<str> {
        [self.namespace(), "/", self.name()].concat().into()
    }

    /// Namespace and name, as controllers' queues hold them.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.0.value)
    }

    /// `metadata.uid`; empty before the object is created.
    pub fn uid(&self) -> &str {
        self.metadata().str_at(&["uid"])
    }

    /// The store's revision of this version.
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// `metadata.generation`; 0 for kinds that have none.
    pub fn generation(&self) -> i64 {
        self.metadata().i64_at(&["generation"]).unwrap_or(0)
    }

    /// `metadata.labels`, a map of texts; null where there are none.
    pub fn labels(&self) -> &Value {
        self.metadata().get("labels")
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().get(key).as_str()
    }

    /// `metadata.annotations`, a map of texts; null where there are none.
    pub fn annotations(&self) -> &Value {
        self.metadata().get("annotations")
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations().get(key).as_str()
    }

    /// `metadata.creationTimestamp`; the epoch where it has none.
    pub fn created(&self) -> Time {
        Time::parse(self.metadata().str_at(&["creationTimestamp"])).unwrap_or_default()
    }

    /// When its graceful end is over; `None` while nobody has asked for its deletion.
    pub fn deletion_timestamp(&self) -> Option<Time> {
        Time::parse(self.metadata().str_at(&["deletionTimestamp"]))
    }

    /// Whether its deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.metadata().has("deletionTimestamp")
    }

    /// `metadata.finalizers`, in their order.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.metadata().get("finalizers").items().iter().map(Value::str)
    }

    /// `metadata.ownerReferences`, each `{apiVersion, kind, name, uid, controller?, blockOwnerDeletion?}`.
    pub fn owner_references(&self) -> &[Value] {
        self.metadata().get("ownerReferences").items()
    }

    /// The owner that controls it.
    pub fn controller(&self) -> Option<Owner<'_>> {
        self.owner_references()
            .iter()
            .find(|r| r.bool_at(&["controller"]))
            .map(Owner)
    }

    /// Whether the object of this uid controls it.
    pub fn is_controlled_by(&self, uid: &str) -> bool {
        self.controller().is_some_and(|o| o.uid() == uid)
    }

    /// The condition of this type in `status.conditions`.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        self.status()
            .get("conditions")
            .items()
            .iter()
            .find(|c| c.str_at(&["type"]) == kind)
    }

    /// An owner reference to this object, as controllers set it on what they make.
    pub fn controller_reference(&self) -> Value {
        obj! {
            "apiVersion": self.api_version(),
            "blockOwnerDeletion": true,
            "controller": true,
            "kind": self.kind(),
            "name": self.name(),
            "uid": self.uid(),
        }
    }

    /// A reference to this object for events' `involvedObject`.
    pub fn reference(&self) -> Value {
        let mut r = obj! {
            "apiVersion": self.api_version(),
            "kind": self.kind(),
            "name": self.name(),
            "resourceVersion": self.metadata().get("resourceVersion"),
            "uid": self.uid(),
        };
        r.set_or_remove(&["namespace"], self.namespace());
        r
    }

    /// What `make` computes of this version, computed once. One version keeps one type of memo; a
    /// second type is computed each time.
    pub fn memo<T: 'static>(&self, make: impl Fn(&Object) -> T) -> Rc<T> {
        let kept = self.0.memo.get_or_init(|| Rc::new(make(self)));
        kept.clone().downcast::<T>().unwrap_or_else(|_| Rc::new(make(self)))
    }

    /// The API group.
    pub fn group(&self) -> &str {
        resource::split(self.api_version()).0
    }

    /// Whether both are the same version in memory.
    pub fn same(&self, other: &Object) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Sets a condition in a `status`. The time of its transition moves only when what it says does.
pub fn set_condition(status: &mut Value, kind: &str, holds: bool, reason: &str, message: &str, now: impl Into<Value>) {
    let state = if holds { "True" } else { "False" };
    let conditions = status.at_mut(&["conditions"]).list_mut();
    match conditions.iter_mut().find(|c| c.get("type").str() == kind) {
        Some(present) if present.get("status").str() == state => {
            present.set(&["reason"], reason);
            present.set(&["message"], message);
        }
        place => {
            let new = obj! {
                "lastTransitionTime": now.into(), "message": message, "reason": reason, "status": state, "type": kind,
            };
            match place {
                Some(present) => *present = new,
                None => conditions.push(new),
            }
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} @{}", self.kind(), self.full_name(), self.revision())
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.same(other) || self.0.value == other.0.value
    }
}

impl From<Value> for Object {
    fn from(value: Value) -> Object {
        Object::new(value)
    }
}

/// An owner reference.
#[derive(Clone, Copy)]
pub struct Owner<'a>(pub &'a Value);

impl<'a> Owner<'a> {
    /// `apps/v1`, of the core group `v1`.
    pub fn api_version(self) -> &'a str {
        self.0.str_at(&["apiVersion"])
    }
    /// `ReplicaSet`.
    pub fn kind(self) -> &'a str {
        self.0.str_at(&["kind"])
    }
    /// The owner's name, in the dependent's namespace or in none.
    pub fn name(self) -> &'a str {
        self.0.str_at(&["name"])
    }
    /// The owner's uid: an owner of the same name with another one is another owner.
    pub fn uid(self) -> &'a str {
        self.0.str_at(&["uid"])
    }
}

/// A namespace (empty for none) and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Empty for cluster-scoped objects.
    pub namespace: Rc<str>,
    /// `metadata.name`.
    pub name: Rc<str>,
}

impl ObjectKey {
    /// The key of a name; of a cluster-scoped object with an empty namespace.
    pub fn new(namespace: &str, name: &str) -> ObjectKey {
        // Namespaces recur in every key: one allocation serves all.
        ObjectKey {
            namespace: intern(namespace),
            name: name.into(),
        }
    }

    /// The key of an object's tree. It shares the tree's texts, since every copy and queue holds one.
    pub fn of(value: &Value) -> ObjectKey {
        let metadata = value.get("metadata");
        let text = |field: &str| metadata.get(field).shared_str().cloned();
        ObjectKey {
            namespace: text("namespace").unwrap_or_else(|| intern("")),
            name: text("name").unwrap_or_else(|| intern("")),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
