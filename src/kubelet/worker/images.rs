//! The images of containers and volumes: what is pulled, when, and what is said of it.

use std::rc::Rc;

use super::super::env::Sources;
use super::super::images::{Local, Reference};
use super::{Worker, go_millis};
use crate::api::Object;
use crate::api::events::EventType;
use crate::api::views::{Container, Pod};
use crate::programs;

impl Worker {
    /// Says which of the secrets for pulling images are missing; images may be had without them.
    pub(super) fn look_for_pull_secrets(&self, pod: &Object) {
        let secrets = pod.spec().get("imagePullSecrets").items();
        if secrets.is_empty() {
            return;
        }
        let sources = self.node.sources(pod.namespace());
        let missing: Vec<&str> = secrets
            .iter()
            .map(|s| s.get("name").str())
            .filter(|name| !name.is_empty() && sources.data(true, name).is_none())
            .collect();
        if !missing.is_empty() {
            let names = missing.join(", ");
            let message = format!(
                "Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            );
            self.event(EventType::Warning, "FailedToRetrieveImagePullSecret", message);
        }
    }

    /// Makes sure of a container's image. The error is a waiting reason and its message.
    pub(super) async fn image(&self, pod: &Object, container: Container<'_>) -> Result<Local, (String, String)> {
        let name = container.name();
        let (image, policy) = (container.image().trim(), container.image_pull_policy());
        let found = self.ensure_image(pod, Some(name), image, policy).await;
        found.inspect_err(|(reason, _)| self.failed(name, reason))
    }

    /// Tells that a container could not be made.
    pub(super) fn failed(&self, container: &str, why: &str) {
        self.container_event(container, EventType::Warning, "Failed", format!("Error: {why}"));
    }

    /// Pulls the images of the pod's volumes that are not there yet.
    pub(super) async fn pull_volumes(&self, pod: &Object) {
        for volume in Pod(pod).volumes() {
            let (name, source) = (volume.get("name").str(), volume.get("image"));
            let is_there = matches!(self.image_volumes.borrow().get(name), Some(Ok(())));
            if source.is_null() || is_there {
                continue;
            }
            let (image, policy) = (source.get("reference").str(), source.get("pullPolicy").str());
            let found = self.ensure_image(pod, None, image.trim(), policy).await;
            match found {
                Ok(local) => self.show_image(name, &local),
                Err(why) => {
                    self.image_volumes.borrow_mut().insert(name.to_owned(), Err(why));
                }
            }
        }
    }

    /// Lets a volume show the files of an image, which nobody writes.
    pub(super) fn show_image(&self, volume: &str, local: &Local) {
        let Some(sandbox) = self.sandbox() else { return };
        let (machine, _) = programs::machine(local.image, &local.tag, &sandbox);
        let files = machine.files().clone();
        // An image is no host.
        let _ = files.remove_file("/etc/hostname");
        files.set_read_only(true);
        self.image_volumes.borrow_mut().insert(volume.to_owned(), Ok(()));
        if let Some(volumes) = self.volumes.borrow_mut().as_mut() {
            Rc::make_mut(volumes).insert(volume.to_owned(), (files, "/".to_owned()));
        }
    }

    /// Makes sure of an image, for a container or for a volume of the pod. The error is a waiting reason and its
    /// message.
    async fn ensure_image(
        &self,
        pod: &Object,
        container: Option<&str>,
        image: &str,
        policy: &str,
    ) -> Result<Local, (String, String)> {
        let tell = |kind: EventType, reason: &str, message: String| match container {
            Some(name) => self.container_event(name, kind, reason, message),
            None => self.event(kind, reason, message),
        };
        let reference = match Reference::parse(image) {
            Ok(reference) => reference,
            Err(why) => {
                let message = format!(
                    "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {why}"
                );
                tell(EventType::Warning, "InspectFailed", message.clone());
                return Err(("InvalidImageName".into(), message));
            }
        };
        let local = self.node.images.get(&reference);
        match (policy, local) {
            ("Never", None) => {
                let message = format!("Container image \"{image}\" is not present with pull policy of Never");
                tell(EventType::Warning, "ErrImageNeverPull", message.clone());
                return Err(("ErrImageNeverPull".into(), message));
            }
            ("Never" | "IfNotPresent", Some(local)) => {
                let message =
                    format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
                tell(EventType::Normal, "Pulled", message);
                return Ok(local);
            }
            _ => {}
        }
        let now = self.sim().now();
        let failed = self.failed_pulls.borrow().get(image).cloned();
        if let Some((series, error)) = &failed
            && series.until(series.last, now).is_some()
        {
            let message = format!("Back-off pulling image \"{image}\"");
            tell(EventType::Normal, "BackOff", message.clone());
            return Err(("ImagePullBackOff".into(), format!("{message}: ErrImagePull: {error}")));
        }
        tell(EventType::Normal, "Pulling", format!("Pulling image \"{image}\""));
        match self.node.images.pull(&reference, &pod.full_name()).await {
            Ok(pulled) => {
                let message = format!(
                    "Successfully pulled image \"{image}\" in {} ({} including waiting). Image size: {} bytes.",
                    go_millis(pulled.took),
                    go_millis(pulled.with_waiting),
                    pulled.local.size
                );
                tell(EventType::Normal, "Pulled", message);
                self.failed_pulls.borrow_mut().remove(image);
                Ok(pulled.local)
            }
            Err(why) => {
                let message = format!("Failed to pull image \"{image}\": {why}");
                tell(EventType::Warning, "Failed", message);
                let now = self.sim().now();
                let mut series = failed.map(|(series, _)| series).unwrap_or_default();
                series.next(now, now);
                let known = (series, why.clone());
                self.failed_pulls.borrow_mut().insert(image.to_owned(), known);
                Err(("ErrImagePull".into(), why))
            }
        }
    }
}
