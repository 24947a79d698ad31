//! ServiceAccounts.

use super::age_cell;
use crate::api::object::Object;
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::Value;

/// The rules of ServiceAccounts.
pub struct ServiceAccountRules;

impl Strategy for ServiceAccountRules {
    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        Some(vec![object.name().into(), age_cell(object, now)])
    }
}
