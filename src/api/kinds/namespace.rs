//! Namespaces: their own finalizer, which holds them until their contents are gone.

use super::{age_cell, set_default};
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

/// The rules of Namespaces.
pub struct NamespaceRules;

const FINALIZER: &str = "kubernetes";

/// A finalizer of a namespace: the standard one, or a qualified name.
pub(crate) fn finalizer_name(name: &Value, field: &str, errors: &mut FieldErrors) {
    errors.check(field, name, names::label_key);
    if !names::is_finalizer(name.str()) {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        errors.invalid(field, name, why);
    }
}

impl Strategy for NamespaceRules {
    fn defaults(&self, object: &mut Value) {
        let name = object.at(&["metadata", "name"]).clone();
        let label = "kubernetes.io/metadata.name";
        if !name.is_empty() && object.at(&["metadata", "labels", label]) != &name {
            object.set(&["metadata", "labels", label], name);
        }
        set_default(object, "spec", Value::map());
    }

    fn first_status(&self) -> Option<Value> {
        Some(obj! { "phase": "Active" })
    }

    fn prepare_create(&self, object: &mut Value, _cx: &Context) -> Result<(), Status> {
        // A generated name is known only now.
        self.defaults(object);
        self.begin_status(object);
        let finalizers = object.at_mut(&["spec", "finalizers"]).list_mut();
        if !finalizers.iter().any(|f| f.str() == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
        Ok(())
    }

    fn prepare_update(&self, new: &mut Value, old: &Object, _cx: &Context) -> Result<(), Status> {
        new.set(&["status"], old.status().clone());
        new.set(&["spec"], old.spec().clone());
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        for finalizer in object.at(&["spec", "finalizers"]).items() {
            finalizer_name(finalizer, "spec.finalizers", errors);
        }
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let phase = Value::from(new.str_at(&["status", "phase"]));
        let (wanted, when) = match old.is_deleting() {
            true => ("Terminating", "not empty"),
            false => ("Active", "empty"),
        };
        if phase.str() != wanted {
            let why = format!("may only be '{wanted}' if `deletionTimestamp` is {when}");
            errors.invalid("status.Phase", &phase, why);
        }
    }

    fn check_name(&self, name: &str) -> Result<(), names::Broken> {
        names::dns1123_label(name)
    }

    fn holds(&self, object: &Value) -> bool {
        !object.at(&["spec", "finalizers"]).is_empty()
    }

    fn mark_deleting(&self, object: &mut Value) {
        object.set(&["status", "phase"], "Terminating");
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "status.phase" => Some(object.status().get("phase").str().to_owned()),
            "name" => Some(object.name().to_owned()),
            _ => None,
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            object.status().get("phase").str().into(),
            age_cell(object, now),
        ])
    }
}
