//! Leases.

use super::age_cell;
use crate::api::object::Object;
use crate::api::status::FieldErrors;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::Value;

/// The rules of Leases.
pub struct LeaseRules;

impl Strategy for LeaseRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        for (name, least) in [("leaseDurationSeconds", 1), ("leaseTransitions", 0)] {
            let n = object.at(&["spec", name]);
            if n.as_i64().is_some_and(|n| n < least) {
                let why = if least == 1 {
                    "must be greater than 0"
                } else {
                    "must be greater than or equal to 0"
                };
                errors.invalid(format!("spec.{name}"), n, why);
            }
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![
            object.name().into(),
            object.spec().get("holderIdentity").str().into(),
            age_cell(object, now),
        ])
    }
}
