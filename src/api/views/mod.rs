//! Typed views: readers of stored objects, one file per kind. They borrow the object, copy nothing,
//! and keep what is costly to work out in the object's memo. Nobody outside `api` walks raw trees.

pub mod cron_job;
pub mod job;
pub mod pod;
pub mod replica_set;
pub mod stateful_set;

pub use cron_job::CronJob;
pub use job::Job;
pub use pod::{Container, ContainerStatus, Pod, Resources};
pub use replica_set::ReplicaSet;
pub use stateful_set::StatefulSet;
