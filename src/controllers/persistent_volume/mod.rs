//! The controllers of volumes: the binder, which brings claims and volumes together and reclaims
//! volumes whose claims are gone; the finalizers that protect both while they are used; and the
//! provisioners that are simulated.

pub mod binder;
pub mod protection;
pub mod provisioner;
mod recycler;
