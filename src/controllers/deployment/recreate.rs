//! The strategy Recreate: all old pods end before the first new one begins.

use super::sync::active;
use super::util::{self, replicas};
use super::{Controller, Rollout, old_pods_running};
use crate::api::Status;

impl Controller {
    pub(super) async fn recreate(&self, rollout: &mut Rollout) -> Result<(), Status> {
        self.find_sets(rollout, false).await?;
        let mut scaled = false;
        for set in active(&rollout.old) {
            scaled |= self.scale_set(rollout, &set, 0).await?;
        }
        if scaled || old_pods_running(self, rollout) {
            return self.sync_rollout_status(rollout).await;
        }
        if rollout.new.is_none() {
            self.find_sets(rollout, true).await?;
        }
        if let Some(new) = rollout.new.clone() {
            let desired = replicas(&rollout.deployment);
            self.scale_set(rollout, &new, desired).await?;
        }
        let status = rollout.deployment.status().clone();
        if util::is_complete(&rollout.deployment, &status) {
            self.clean_up(rollout).await?;
        }
        self.sync_rollout_status(rollout).await
    }
}
