//! Claiming: a controller adopts what its selector selects and nobody controls, and releases what
//! it controls but no longer selects (`PodControllerRefManager`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::api::{Client, Object, Resource, Selector, Status};
use crate::obj;
use crate::value::Value;

/// A selector that remembers what it said last: the labels of a template are one node in all objects that
/// were made of it.
pub struct Matcher<'a> {
    selector: &'a Selector,
    last: RefCell<Option<(Value, bool)>>,
}

impl<'a> Matcher<'a> {
    /// A matcher that has seen nothing.
    pub fn new(selector: &'a Selector) -> Matcher<'a> {
        Matcher {
            selector,
            last: RefCell::default(),
        }
    }

    /// Whether the selector selects what has such labels.
    pub fn fits(&self, labels: &Value) -> bool {
        match &mut *self.last.borrow_mut() {
            Some((seen, fits)) if seen.same(labels) => *fits,
            last => last.insert((labels.clone(), self.selector.matches(labels))).1,
        }
    }
}

/// Claims for one owner.
pub struct Claimer<'a> {
    /// Adopts and releases as the controller.
    pub client: &'a Client,
    /// The resource of the owner, to read it anew before the first adoption.
    pub owner_resource: &'a Rc<Resource>,
    /// For whom it claims.
    pub owner: &'a Object,
    /// What it adopts, and keeps.
    pub selector: Matcher<'a>,
    /// The resource of what is claimed.
    pub resource: &'a Rc<Resource>,
    /// A finalizer that adopted objects get; empty for none.
    pub finalizer: &'a str,
    /// Whether the owner was found to be alive.
    checked: Cell<bool>,
}

impl<'a> Claimer<'a> {
    /// Claims for `owner` objects of `resource` that `selector` selects, without a finalizer.
    pub fn new(
        client: &'a Client,
        owner_resource: &'a Rc<Resource>,
        owner: &'a Object,
        selector: &'a Selector,
        resource: &'a Rc<Resource>,
    ) -> Claimer<'a> {
        Claimer {
            client,
            owner_resource,
            owner,
            selector: Matcher::new(selector),
            resource,
            finalizer: "",
            checked: Cell::new(false),
        }
    }

    /// Which of `objects` the owner controls now, after adopting and releasing.
    ///
    /// # Errors
    /// The API's failure of an adoption or release; the others are done all the same.
    pub async fn claim(&self, objects: Vec<Object>) -> Result<Vec<Object>, Status> {
        let mut claimed = Vec::new();
        let mut failure = None;
        for object in objects {
            match self.claim_one(&object).await {
                Ok(true) => claimed.push(object),
                Ok(false) => {}
                Err(status) => failure = Some(status),
            }
        }
        failure.map_or(Ok(claimed), Err)
    }

    async fn claim_one(&self, object: &Object) -> Result<bool, Status> {
        let fits = self.selector.fits(object.labels());
        if let Some(controller) = object.controller() {
            if controller.uid() != self.owner.uid() {
                return Ok(false);
            }
            if fits {
                return Ok(true);
            }
            if self.owner.is_deleting() {
                return Ok(false);
            }
            return match self.release(object).await {
                // Gone, or the owner reference is: nothing is left to release.
                Err(status) if !status.is_not_found() && status.reason() != "Invalid" => Err(status),
                _ => Ok(false),
            };
        }
        if self.owner.is_deleting() || !fits || object.is_deleting() {
            return Ok(false);
        }
        match self.adopt(object).await {
            Ok(()) => Ok(true),
            Err(status) if status.is_not_found() => Ok(false),
            Err(status) => Err(status),
        }
    }

    async fn adopt(&self, object: &Object) -> Result<(), Status> {
        if !self.checked.get() {
            // The informer may be behind: an owner that was deleted, or replaced by another of its
            // name, must not adopt.
            let fresh = self
                .client
                .get(self.owner_resource, self.owner.namespace(), self.owner.name())
                .await?;
            if fresh.uid() != self.owner.uid() || fresh.is_deleting() {
                return Err(Status::internal(format!(
                    "can't adopt {}: the owner is gone or being deleted",
                    object.full_name()
                )));
            }
            self.checked.set(true);
        }
        let mut owners: Vec<Value> = object.owner_references().to_vec();
        owners.push(self.owner.controller_reference());
        let mut finalizers: Vec<Value> = Vec::new();
        if !self.finalizer.is_empty() && !object.finalizers().any(|f| f == self.finalizer) {
            finalizers = object.metadata().get("finalizers").items().to_vec();
            finalizers.push(self.finalizer.into());
        }
        self.patch_owners(object, owners, finalizers).await
    }

    async fn release(&self, object: &Object) -> Result<(), Status> {
        let owners = object
            .owner_references()
            .iter()
            .filter(|o| o.str_at(&["uid"]) != self.owner.uid())
            .cloned()
            .collect();
        self.patch_owners(object, owners, Vec::new()).await
    }

    async fn patch_owners(&self, object: &Object, owners: Vec<Value>, finalizers: Vec<Value>) -> Result<(), Status> {
        let owners = if owners.is_empty() {
            Value::Null
        } else {
            Value::list(owners)
        };
        let mut patch = obj! { "metadata": obj! { "ownerReferences": owners, "uid": object.uid() } };
        if !finalizers.is_empty() {
            patch.set(&["metadata", "finalizers"], finalizers);
        }
        self.client.merge(self.resource, object, "", patch).await.map(|_| ())
    }
}
