//! ReplicaSets of a Deployment: which is the new one, revisions, scaling, clean-up, and status.

use super::util::{self, replicas};
use super::{Controller, Rollout, without_hash};
use crate::api::events::EventType;
use crate::api::well_known;
use crate::api::{Object, Status};
use crate::controllers::{hash, pods};
use crate::flat::Arrange;
use crate::value::{Value, quoted};
use crate::{list, obj};

/// Oldest first; the name decides between those made in the same second.
pub(super) fn by_creation(sets: &mut [Object]) {
    sets.arrange_by(|a, b| a.created().cmp(&b.created()).then_with(|| a.name().cmp(b.name())));
}

/// Those that have or want pods.
pub(super) fn active(sets: &[Object]) -> Vec<Object> {
    sets.iter().filter(|s| replicas(s) > 0).cloned().collect()
}

/// The set whose template is the Deployment's (`FindNewReplicaSet`).
fn find_new(deployment: &Object, sets: &[Object]) -> Option<Object> {
    let wanted = without_hash(deployment.spec().get("template"));
    let mut sets = sets.to_vec();
    by_creation(&mut sets);
    sets.into_iter()
        .find(|s| without_hash(s.spec().get("template")) == wanted)
}

/// The one active set, or when none is active the new or the latest (`FindActiveOrLatest`).
fn active_or_latest(rollout: &Rollout) -> Option<Object> {
    let all = active(&rollout.all());
    match all.as_slice() {
        [] => rollout.new.clone().or_else(|| {
            let mut old = rollout.old.clone();
            by_creation(&mut old);
            old.pop()
        }),
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// Whether the new set has all the pods, and they are available (`IsSaturated`).
fn is_saturated(deployment: &Object, new: Option<&Object>) -> bool {
    let desired = replicas(deployment);
    new.is_some_and(|set| {
        util::annotated(set, well_known::DESIRED_REPLICAS) == Some(desired)
            && replicas(set) == desired
            && util::available(set) == desired
    })
}

impl Controller {
    /// Finds the new and the old sets, and makes the new one if it is missing and `create` is set.
    /// Brings the revisions up to date.
    pub(super) async fn find_sets(&self, rollout: &mut Rollout, create: bool) -> Result<(), Status> {
        let new = find_new(&rollout.deployment, &rollout.sets);
        let is_new = |s: &Object| new.as_ref().is_some_and(|n| n.uid() == s.uid());
        rollout.old = rollout.sets.iter().filter(|s| !is_new(s)).cloned().collect();
        let revision = rollout.old.iter().map(util::revision).max().unwrap_or(0) + 1;
        rollout.new = new.clone();
        match new {
            Some(set) => self.adjust_new(rollout, set, revision).await,
            None if create => self.create_new(rollout, revision).await,
            None => Ok(()),
        }
    }

    async fn adjust_new(&self, rollout: &mut Rollout, set: Object, revision: i64) -> Result<(), Status> {
        let deployment = rollout.deployment.clone();
        let mut value = set.value().clone();
        let mut changed = util::set_new_annotations(&mut value, &deployment, revision, true);
        let min_ready = deployment.spec().i64_at(&["minReadySeconds"]).unwrap_or(0);
        if set.spec().i64_at(&["minReadySeconds"]).unwrap_or(0) != min_ready {
            value.set_or_remove(&["spec", "minReadySeconds"], min_ready);
            changed = true;
        }
        if changed {
            let set = self.client.update(&self.set_resource, value).await?;
            rollout.replace(set);
            return Ok(());
        }
        let mut value = deployment.value().clone();
        let own = set.annotation(well_known::DEPLOYMENT_REVISION).unwrap_or("").to_owned();
        let mut changed = set_revision(&mut value, &own);
        if util::has_deadline(&deployment) && deployment.condition("Progressing").is_none() {
            let message = format!("Found new replica set {}", quoted(&set.name()));
            let now = self.sim.now();
            let condition = util::new_condition("Progressing", "True", "FoundNewReplicaSet", message, now);
            util::set_condition(value.at_mut(&["status"]), condition);
            changed = true;
        }
        if changed {
            rollout.deployment = self.client.update_status(&self.resource, value).await?;
        }
        Ok(())
    }

    async fn create_new(&self, rollout: &mut Rollout, revision: i64) -> Result<(), Status> {
        let deployment = rollout.deployment.clone();
        let spec = deployment.spec();
        let template = spec.get("template");
        let collisions = deployment.status().i64_at(&["collisionCount"]);
        let hash = hash::compute(template, collisions);
        let mut template = template.clone();
        template.set(&["metadata", "labels", well_known::POD_TEMPLATE_HASH], hash.as_str());
        let mut selector = spec.get("selector").clone();
        selector.set(&["matchLabels", well_known::POD_TEMPLATE_HASH], hash.as_str());
        let name = format!("{}-{hash}", deployment.name());
        let count = util::new_replicas(&deployment, util::sum(&rollout.old, replicas), 0);
        let mut set = obj! {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": obj! {
                "labels": template.at(&["metadata", "labels"]),
                "name": name.as_str(),
                "namespace": deployment.namespace(),
                "ownerReferences": list![deployment.controller_reference()],
            },
            "spec": obj! { "replicas": count, "selector": selector, "template": template },
        };
        set.set_or_remove(
            &["spec", "minReadySeconds"],
            spec.i64_at(&["minReadySeconds"]).unwrap_or(0),
        );
        util::set_new_annotations(&mut set, &deployment, revision, false);
        let made = self.client.make(&self.set_resource, deployment.namespace(), set).await;
        let (set, existed) = match made {
            Ok(set) => (set, false),
            Err(status) if status.is_already_exists() => {
                let set = self
                    .client
                    .get(&self.set_resource, deployment.namespace(), &name)
                    .await?;
                let same = without_hash(set.spec().get("template")) == without_hash(spec.get("template"));
                if !(same && set.is_controlled_by(deployment.uid())) {
                    // Another set has the name: the next hash takes the collision into account.
                    let mut value = deployment.value().clone();
                    value.set(&["status", "collisionCount"], collisions.unwrap_or(0) + 1);
                    self.client.update_status(&self.resource, value).await?;
                    return Err(status);
                }
                (set, true)
            }
            Err(status) if pods::namespace_ends(&status) => return Err(status),
            Err(status) => {
                let message = format!(
                    "Failed to create new replica set {name}: {}",
                    status.message(),
                    name = quoted(&name)
                );
                if util::has_deadline(&deployment) {
                    let mut value = deployment.value().clone();
                    let now = self.sim.now();
                    let condition =
                        util::new_condition("Progressing", "False", "ReplicaSetCreateError", message.clone(), now);
                    util::set_condition(value.at_mut(&["status"]), condition);
                    // The creation's failure is the one to be told.
                    let _ = self.client.update_status(&self.resource, value).await;
                }
                self.recorder
                    .event(&deployment, EventType::Warning, "ReplicaSetCreateError", message);
                return Err(status);
            }
        };
        if !existed && count > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {count}");
            self.recorder
                .event(&deployment, EventType::Normal, "ScalingReplicaSet", message);
        }
        rollout.sets.push(set.clone());
        rollout.new = Some(set);
        let mut value = deployment.value().clone();
        let mut changed = set_revision(&mut value, &revision.to_string());
        if !existed && util::has_deadline(&deployment) {
            let message = format!("Created new replica set {name}", name = quoted(&name));
            let now = self.sim.now();
            let condition = util::new_condition("Progressing", "True", "NewReplicaSetCreated", message, now);
            util::set_condition(value.at_mut(&["status"]), condition);
            changed = true;
        }
        if changed {
            rollout.deployment = self.client.update_status(&self.resource, value).await?;
        }
        Ok(())
    }

    /// Scales a set, with its event. Returns whether its size changed.
    pub(super) async fn scale_set(&self, rollout: &mut Rollout, set: &Object, size: i64) -> Result<bool, Status> {
        let before = replicas(set);
        if before == size {
            return Ok(false);
        }
        self.scale_or_annotate(rollout, set, size).await
    }

    async fn scale_or_annotate(&self, rollout: &mut Rollout, set: &Object, size: i64) -> Result<bool, Status> {
        let deployment = &rollout.deployment;
        let before = replicas(set);
        let desired = replicas(deployment);
        let mut value = set.value().clone();
        let annotated = util::set_replicas_annotations(&mut value, desired, desired + util::max_surge(deployment));
        if before == size && !annotated {
            return Ok(false);
        }
        value.set(&["spec", "replicas"], size);
        let updated = self.client.update(&self.set_resource, value).await?;
        if before != size {
            let direction = if before < size { "up" } else { "down" };
            let message = format!("Scaled {direction} replica set {} from {before} to {size}", set.name());
            self.recorder
                .event(deployment, EventType::Normal, "ScalingReplicaSet", message);
        }
        rollout.replace(updated);
        Ok(before != size)
    }

    /// Whether the Deployment's size changed since its sets were last scaled.
    pub(super) async fn is_scaling(&self, rollout: &mut Rollout) -> Result<bool, Status> {
        self.find_sets(rollout, false).await?;
        let desired = replicas(&rollout.deployment);
        Ok(active(&rollout.all())
            .iter()
            .filter_map(|s| util::annotated(s, well_known::DESIRED_REPLICAS))
            .any(|n| n != desired))
    }

    /// Handles a paused Deployment, and one whose size changed: no rollout, only sizes.
    pub(super) async fn sync_scale(&self, rollout: &mut Rollout) -> Result<(), Status> {
        self.find_sets(rollout, false).await?;
        self.scale(rollout).await?;
        if util::is_paused(&rollout.deployment) {
            self.clean_up(rollout).await?;
        }
        self.write_status(&rollout.deployment, self.calculate_status(rollout))
            .await
    }

    pub(super) async fn sync_status_only(&self, rollout: &mut Rollout) -> Result<(), Status> {
        self.find_sets(rollout, false).await?;
        self.write_status(&rollout.deployment, self.calculate_status(rollout))
            .await
    }

    async fn scale(&self, rollout: &mut Rollout) -> Result<(), Status> {
        let deployment = rollout.deployment.clone();
        let desired = replicas(&deployment);
        if let Some(set) = active_or_latest(rollout) {
            self.scale_set(rollout, &set, desired).await?;
            return Ok(());
        }
        if is_saturated(&deployment, rollout.new.as_ref()) {
            for set in active(&rollout.old) {
                self.scale_set(rollout, &set, 0).await?;
            }
            return Ok(());
        }
        if util::is_recreate(&deployment) {
            return Ok(());
        }
        // In the middle of a rolling update every set keeps its share.
        let mut sets = active(&rollout.all());
        let allowed = if desired > 0 {
            desired + util::max_surge(&deployment)
        } else {
            0
        };
        let to_add = allowed - util::sum(&sets, replicas);
        by_creation(&mut sets);
        if to_add > 0 {
            // The largest first, the newer of equals first.
            sets.reverse();
        }
        sets.arrange_by_key(|s| std::cmp::Reverse(replicas(s)));
        let mut added = 0;
        let mut sizes: Vec<i64> = Vec::new();
        for set in &sets {
            let share = util::proportion(set, &deployment, to_add, added);
            sizes.push(replicas(set) + share);
            added += share;
        }
        for (i, (set, mut size)) in sets.iter().zip(sizes).enumerate() {
            if i == 0 && to_add != 0 {
                size = (size + to_add - added).max(0);
            }
            self.scale_or_annotate(rollout, set, size).await?;
        }
        Ok(())
    }

    /// Deletes old sets beyond `revisionHistoryLimit`, the lowest revisions first.
    pub(super) async fn clean_up(&self, rollout: &Rollout) -> Result<(), Status> {
        let Some(limit) = rollout.deployment.spec().i64_at(&["revisionHistoryLimit"]) else {
            return Ok(());
        };
        let mut old: Vec<Object> = rollout.old.iter().filter(|s| !s.is_deleting()).cloned().collect();
        let excess = old.len() as i64 - limit;
        if limit == i64::from(i32::MAX) || excess <= 0 {
            return Ok(());
        }
        old.arrange_by_key(|s| (util::revision(s), s.created()));
        for set in old.iter().take(excess as usize) {
            let status = |field: &str| set.status().i64_at(&[field]).unwrap_or(0);
            if status("replicas") != 0 || replicas(set) != 0 || set.generation() > status("observedGeneration") {
                continue;
            }
            Status::ignore_not_found(self.client.delete_exactly(&self.set_resource, set, "").await)?;
        }
        Ok(())
    }

    /// Says in the conditions that the Deployment is paused or goes on, so that the time of a pause
    /// does not count for the deadline.
    pub(super) async fn check_paused(&self, rollout: &mut Rollout) -> Result<(), Status> {
        let deployment = &rollout.deployment;
        if !util::has_deadline(deployment) {
            return Ok(());
        }
        let reason = deployment
            .condition("Progressing")
            .map_or("", |c| c.str_at(&["reason"]));
        if reason == "ProgressDeadlineExceeded" {
            return Ok(());
        }
        let (reason, message) = match (util::is_paused(deployment), reason == "DeploymentPaused") {
            (true, false) => ("DeploymentPaused", "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return Ok(()),
        };
        let mut value = deployment.value().clone();
        let now = self.sim.now();
        let condition = util::new_condition("Progressing", "Unknown", reason, message.into(), now);
        util::set_condition(value.at_mut(&["status"]), condition);
        rollout.deployment = self.client.update_status(&self.resource, value).await?;
        Ok(())
    }

    /// The status that the sets give (`calculateStatus`).
    fn calculate_status(&self, rollout: &Rollout) -> Value {
        let deployment = &rollout.deployment;
        let all = rollout.all();
        let status_sum = |sets: &[Object], field: &str| util::sum(sets, |s| s.status().i64_at(&[field]).unwrap_or(0));
        let available = status_sum(&all, "availableReplicas");
        let new: Vec<Object> = rollout.new.iter().cloned().collect();
        let mut status = Value::map();
        status.set(&["observedGeneration"], deployment.generation());
        status.set_or_remove(&["replicas"], status_sum(&all, "replicas"));
        status.set_or_remove(&["updatedReplicas"], status_sum(&new, "replicas"));
        status.set_or_remove(&["readyReplicas"], status_sum(&all, "readyReplicas"));
        status.set_or_remove(&["availableReplicas"], available);
        let unavailable = (util::sum(&all, replicas) - available).max(0);
        status.set_or_remove(&["unavailableReplicas"], unavailable);
        if all.iter().all(|s| s.status().has("terminatingReplicas")) {
            status.set(&["terminatingReplicas"], status_sum(&all, "terminatingReplicas"));
        }
        status.set_or_remove(&["collisionCount"], deployment.status().get("collisionCount"));
        status.set_or_remove(&["conditions"], deployment.status().get("conditions"));
        let now = self.sim.now();
        let enough = available >= replicas(deployment) - util::max_unavailable(deployment);
        let condition = if enough {
            let message = "Deployment has minimum availability.".to_owned();
            util::new_condition("Available", "True", "MinimumReplicasAvailable", message, now)
        } else {
            let message = "Deployment does not have minimum availability.".to_owned();
            util::new_condition("Available", "False", "MinimumReplicasUnavailable", message, now)
        };
        util::set_condition(&mut status, condition);
        status
    }

    /// The status in a rollout: progress, its deadline, and failures of the sets.
    pub(super) async fn sync_rollout_status(&self, rollout: &Rollout) -> Result<(), Status> {
        let deployment = &rollout.deployment;
        let mut status = self.calculate_status(rollout);
        let now = self.sim.now();
        if !util::has_deadline(deployment) {
            util::remove_condition(&mut status, "Progressing");
        }
        let current = deployment.condition("Progressing").cloned();
        let of = |field: &str| status.i64_at(&[field]).unwrap_or(0);
        let settled = of("replicas") == of("updatedReplicas")
            && current
                .as_ref()
                .is_some_and(|c| c.str_at(&["reason"]) == "NewReplicaSetAvailable");
        if util::has_deadline(deployment) && !settled {
            let what = match &rollout.new {
                Some(set) => format!("ReplicaSet {}", quoted(&set.name())),
                None => format!("Deployment {}", quoted(&deployment.name())),
            };
            if util::is_complete(deployment, &status) {
                let message = format!("{what} has successfully progressed.");
                let condition = util::new_condition("Progressing", "True", "NewReplicaSetAvailable", message, now);
                util::set_condition(&mut status, condition);
            } else if util::is_progressing(deployment, &status) {
                let message = format!("{what} is progressing.");
                let mut condition = util::new_condition("Progressing", "True", "ReplicaSetUpdated", message, now);
                if let Some(current) = &current
                    && current.str_at(&["status"]) == "True"
                {
                    condition.set(&["lastTransitionTime"], current.get("lastTransitionTime").clone());
                }
                // Its time of update is news even when nothing else of it is.
                util::remove_condition(&mut status, "Progressing");
                util::set_condition(&mut status, condition);
            } else if util::timed_out(deployment, &status, now) {
                let message = format!("{what} has timed out progressing.");
                let condition = util::new_condition("Progressing", "False", "ProgressDeadlineExceeded", message, now);
                util::set_condition(&mut status, condition);
            }
        }
        let failing = rollout.new.iter().chain(&rollout.old);
        let failure = failing.filter_map(|s| s.condition("ReplicaFailure")).next();
        match failure {
            Some(failure) => {
                let mut condition = failure.clone();
                condition.set(&["lastUpdateTime"], failure.get("lastTransitionTime").clone());
                util::set_condition(&mut status, condition);
            }
            None => util::remove_condition(&mut status, "ReplicaFailure"),
        }
        if &status == deployment.status() {
            self.requeue_stuck(deployment, &status);
            return Ok(());
        }
        self.write_status(deployment, status).await
    }

    /// Comes back when the deadline of a rollout that stands still is over.
    fn requeue_stuck(&self, deployment: &Object, status: &Value) {
        let Some(condition) = util::condition(status, "Progressing").filter(|_| util::has_deadline(deployment)) else {
            return;
        };
        let over = condition.str_at(&["reason"]) == "ProgressDeadlineExceeded";
        if over || util::is_complete(deployment, status) {
            return;
        }
        let now = self.sim.now();
        let from = crate::sim::Time::parse(condition.str_at(&["lastUpdateTime"])).unwrap_or(now);
        let deadline = deployment.spec().i64_at(&["progressDeadlineSeconds"]).unwrap_or(600);
        let left = (from + crate::sim::seconds(deadline)).since(now);
        self.queue.add_after(deployment.key(), left + crate::sim::seconds(1));
    }
}

/// Sets the Deployment's own annotation of its revision. Returns whether it changed.
fn set_revision(value: &mut Value, revision: &str) -> bool {
    let path = ["metadata", "annotations", well_known::DEPLOYMENT_REVISION];
    if value.str_at(&path) == revision || revision.is_empty() {
        return false;
    }
    value.set(&path, revision);
    true
}
