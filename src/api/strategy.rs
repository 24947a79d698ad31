//! What is special about each kind: its defaults, its validation, what clients may change, its
//! columns. One file per kind stands in `kinds/`; a kind without one has the plain rules.

use super::auth::User;
use super::names::Broken;
use super::object::Object;
use super::server::ApiServer;
use super::status::{FieldErrors, Status};
use crate::sim::Time;
use crate::value::Value;

/// What a strategy may look at.
pub struct Context<'a> {
    /// The server that answers.
    pub api: &'a ApiServer,
    /// The time of the request.
    pub now: Time,
    /// The object's namespace; empty for a cluster-scoped one.
    pub namespace: &'a str,
    /// Who asks.
    pub user: &'a User,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// How an object's graceful deletion begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// It is removed at once.
    None,
    /// It stays, marked, for so many seconds, until someone removes it with a grace of 0.
    Seconds(i64),
}

/// Gives an update the status that is there: of clients it is taken at its own path alone.
pub fn keep_status(new: &mut Value, old: &Object) {
    match old.value().get("status") {
        Value::Null => {
            new.remove(&["status"]);
        }
        status => new.set(&["status"], status.clone()),
    }
}

/// The rules of one kind. The default methods are those of a kind that has no logic of its own.
pub trait Strategy {
    /// Sets the defaults that depend on other fields. The schema's own are set already.
    fn defaults(&self, _object: &mut Value) {}

    /// Prepares an object for its creation: allocates, drops what clients may not set (`status`).
    ///
    /// # Errors
    /// A failure that is not one of validation (an address that is taken).
    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        self.begin_status(object);
        Ok(())
    }

    /// Gives a new object the status that it begins with.
    fn begin_status(&self, object: &mut Value) {
        match self.first_status() {
            Some(status) => object.set(&["status"], status),
            None => drop(object.remove(&["status"])),
        }
    }

    /// The status that a new object begins with, whatever a client sent; `None` for a kind that begins without one.
    fn first_status(&self) -> Option<Value> {
        None
    }

    /// Checks an object that is to be created, and the new version of an update, in the order that
    /// [`Strategy::validate_changed`] says. Metadata is checked by the server.
    fn validate(&self, _object: &Value, _errors: &mut FieldErrors) {}

    /// Checks an object that is to be created, where more holds than for later versions.
    fn validate_create(&self, object: &Value, errors: &mut FieldErrors) {
        self.validate(object, errors);
    }

    /// Prepares an update of anything but the status: keeps what clients may not change.
    ///
    /// # Errors
    /// As [`Strategy::prepare_create`].
    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        keep_status(new, old);
        Ok(())
    }

    /// Checks what may change.
    fn validate_update(&self, _new: &Value, _old: &Object, _errors: &mut FieldErrors) {}

    /// Checks the new version of an update that changed more than metadata.
    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        if self.changes_come_first() {
            self.validate_update(new, old, errors);
        }
        self.validate(new, errors);
        if !self.changes_come_first() {
            self.validate_update(new, old, errors);
        }
    }

    /// Whether a Status names what may not change before what is wrong with the new version.
    fn changes_come_first(&self) -> bool {
        false
    }

    /// Checks an update of metadata alone, whose rules the server itself does not know.
    fn validate_metadata(&self, _new: &Value, _old: &Object, _errors: &mut FieldErrors) {}

    /// Checks the new version of an update through `/status`.
    fn validate_status(&self, _new: &Value, _old: &Object, _errors: &mut FieldErrors) {}

    /// Prepares an update through a part of the object (`status`, `approval`).
    fn prepare_part(&self, _part: &str, new: &mut Value, old: &Object, _cx: &Context) {
        self.prepare_status(new, old);
    }

    /// Checks the new version of an update through a part of the object.
    fn validate_part(&self, _part: &str, new: &Value, old: &Object, errors: &mut FieldErrors) {
        self.validate_status(new, old, errors);
    }

    /// Whether the status is a part like any other, which everybody may write and which
    /// `metadata.generation` counts.
    fn status_is_plain(&self) -> bool {
        false
    }

    /// Prepares an update through `/status`: by default everything but the status (and some of the
    /// metadata) stays.
    fn prepare_status(&self, new: &mut Value, old: &Object) {
        keep_all_but_status(new, old);
    }

    /// Whether an update of an object that is missing creates it (`AllowCreateOnUpdate`).
    fn created_by_update(&self) -> bool {
        false
    }

    /// The propagation policy of a deletion that names none (`DefaultGarbageCollectionPolicy`); empty for a kind
    /// whose objects have no dependents.
    fn default_propagation(&self) -> &'static str {
        "Background"
    }

    /// The warning for deletions that name no policy.
    fn orphaning_warning(&self) -> Option<&'static str> {
        None
    }

    /// Whether objects carry `metadata.generation`, which counts changes of what is neither
    /// metadata nor status.
    fn has_generation(&self) -> bool {
        false
    }

    /// Whether the beginning of a deletion counts there too.
    fn deletion_is_generation(&self) -> bool {
        true
    }

    /// Whether a change of annotations counts there too.
    fn annotations_count(&self) -> bool {
        false
    }

    /// The rule of the name (`metadata.name`).
    ///
    /// # Errors
    /// The sentence that says what is wrong with the name.
    fn check_name(&self, name: &str) -> Result<(), Broken> {
        super::names::dns1123_subdomain(name)
    }

    /// How deletion begins. `asked` is the request's `gracePeriodSeconds`.
    fn grace(&self, _object: &Object, _asked: Option<i64>) -> Grace {
        Grace::None
    }

    /// The finalizer that an object gets when its deletion begins.
    fn deletion_finalizer(&self) -> Option<&'static str> {
        None
    }

    /// Whether an object whose deletion was asked for stays for a reason besides its finalizers.
    fn holds(&self, _object: &Value) -> bool {
        false
    }

    /// Marks an object whose deletion begins and which stays for now.
    fn mark_deleting(&self, _object: &mut Value) {}

    /// The value of a field that field selectors may name.
    fn field(&self, _object: &Object, _field: &str) -> Option<String> {
        None
    }

    /// The cells of a Table's row, in the order of `data/columns.txt`; `None` for the plain columns
    /// (name and age).
    fn row(&self, _object: &Object, _now: Time) -> Option<Vec<Value>> {
        None
    }

    /// What a Table's rows are put in order by, before their names.
    fn row_order(&self, _object: &Object) -> i64 {
        0
    }

    /// Sentences that the server sends as warnings for a new object.
    fn warnings(&self, _object: &Value) -> Vec<String> {
        Vec::new()
    }

    /// Sentences that the server sends as warnings for an update. Where templates are looked at, only
    /// those that changed are.
    fn update_warnings(&self, new: &Value, old: &Object) -> Vec<String> {
        if new.get("spec") == old.value().get("spec") {
            return Vec::new();
        }
        self.warnings(new)
    }
}

/// What [`Strategy::prepare_status`] does by default.
pub fn keep_all_but_status(new: &mut Value, old: &Object) {
    let status = new.get("status").clone();
    let metadata = new.get("metadata").clone();
    *new = old.value().clone();
    for field in ["labels", "annotations", "finalizers"] {
        match metadata.get(field) {
            Value::Null => {
                new.remove(&["metadata", field]);
            }
            v => new.set(&["metadata", field], v.clone()),
        }
    }
    if status.is_null() {
        new.remove(&["status"]);
    } else {
        new.set(&["status"], status);
    }
}

/// A kind without logic of its own.
pub struct Plain;

impl Strategy for Plain {}
