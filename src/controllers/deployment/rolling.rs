//! The strategy RollingUpdate: the new set grows within maxSurge, the old ones shrink within
//! maxUnavailable, those of their pods first that are not healthy.

use super::sync::{active, by_creation};
use super::util::{self, replicas};
use super::{Controller, Rollout};
use crate::api::Status;

impl Controller {
    pub(super) async fn rolling(&self, rollout: &mut Rollout) -> Result<(), Status> {
        self.find_sets(rollout, true).await?;
        if !self.grow_new(rollout).await? && !self.shrink_old(rollout).await? {
            let status = rollout.deployment.status().clone();
            if util::is_complete(&rollout.deployment, &status) {
                self.clean_up(rollout).await?;
            }
        }
        self.sync_rollout_status(rollout).await
    }

    async fn grow_new(&self, rollout: &mut Rollout) -> Result<bool, Status> {
        let Some(new) = rollout.new.clone() else {
            return Ok(false);
        };
        let desired = replicas(&rollout.deployment);
        let size = replicas(&new);
        if size == desired {
            return Ok(false);
        }
        let next = if size > desired {
            desired
        } else {
            util::new_replicas(&rollout.deployment, util::sum(&rollout.all(), replicas), size)
        };
        self.scale_set(rollout, &new, next).await
    }

    async fn shrink_old(&self, rollout: &mut Rollout) -> Result<bool, Status> {
        if util::sum(&active(&rollout.old), replicas) == 0 {
            return Ok(false);
        }
        let least = replicas(&rollout.deployment) - util::max_unavailable(&rollout.deployment);
        let new_unavailable = rollout.new.as_ref().map_or(0, |n| replicas(n) - util::available(n));
        let most = util::sum(&rollout.all(), replicas) - least - new_unavailable;
        if most <= 0 {
            return Ok(false);
        }
        let unhealthy = self.remove_unhealthy(rollout, most).await?;
        let available = util::sum(&rollout.all(), util::available);
        let healthy = self.remove_available(rollout, available - least).await?;
        Ok(unhealthy + healthy > 0)
    }

    /// Takes up to `most` pods away that are not available, from the oldest set on.
    async fn remove_unhealthy(&self, rollout: &mut Rollout, most: i64) -> Result<i64, Status> {
        let mut sets = active(&rollout.old);
        by_creation(&mut sets);
        let mut removed = 0;
        for set in sets {
            let size = replicas(&set);
            let unhealthy = size - util::available(&set);
            if removed >= most || unhealthy <= 0 {
                continue;
            }
            let count = unhealthy.min(most - removed);
            self.scale_set(rollout, &set, size - count).await?;
            removed += count;
        }
        Ok(removed)
    }

    /// Takes up to `most` pods away, from the oldest set on.
    async fn remove_available(&self, rollout: &mut Rollout, most: i64) -> Result<i64, Status> {
        let mut sets = active(&rollout.old);
        by_creation(&mut sets);
        let mut removed = 0;
        for set in sets {
            let size = replicas(&set);
            let count = size.min(most - removed);
            if count <= 0 {
                break;
            }
            self.scale_set(rollout, &set, size - count).await?;
            removed += count;
        }
        Ok(removed)
    }
}
