//! The deprecated policy `Recycle`: a pod empties the released volume, which then is available again. Only volumes of
//! hostPath and NFS know it.

use super::binder::Controller;
use crate::api::events::EventType;
use crate::api::volumes::capacity;
use crate::api::{ListOptions, Object, Status, WatchEvent};
use crate::value::Value;
use crate::{list, obj};

/// What the pod runs, as kube-controller-manager's template has it.
const SCRUB: &str =
    "test -e /scrub && rm -rf /scrub/..?* /scrub/.[!.]* /scrub/*  && test -z \"$(ls -A /scrub)\" || exit 1";

impl Controller {
    /// Has a released volume emptied, unless that is under way.
    pub(super) async fn recycle(&self, volume: &Object) -> Result<(), Status> {
        const FAILED: &str = "VolumeFailedRecycle";
        let spec = volume.spec();
        let Some(kind) = ["hostPath", "nfs"].into_iter().find(|k| spec.has(k)) else {
            let message = "No recycler plugin found for the volume!";
            return self.fail_volume(volume, FAILED, message).await;
        };
        if !self.0.recycling.borrow_mut().insert(volume.name().to_owned()) {
            return Ok(());
        }
        let (controller, volume) = (self.clone(), volume.clone());
        self.0.sim.spawn("volume recycler", async move {
            let done = match controller.scrub(&volume, kind).await {
                Ok(()) => {
                    let recorder = &controller.0.recorder;
                    recorder.event(&volume, EventType::Normal, "VolumeRecycled", "Volume recycled");
                    let latest = controller.latest(volume.key()).unwrap_or_else(|| volume.clone());
                    controller.unbind(&latest).await
                }
                Err(why) => {
                    let message = format!("Recycle failed: {why}");
                    controller.fail_volume(&volume, FAILED, &message).await
                }
            };
            controller.0.recycling.borrow_mut().remove(volume.name());
            if done.is_err() {
                controller.again(volume.key());
            }
        });
        Ok(())
    }

    /// Runs the pod to its end and deletes it; its events are the volume's, too.
    async fn scrub(&self, volume: &Object, kind: &str) -> Result<(), String> {
        const NAMESPACE: &str = "default";
        let inner = &self.0;
        let name = format!("recycler-for-{}", volume.name());
        // So many seconds, and half a minute for each GiB, whichever is more.
        let least = if kind == "nfs" { 300 } else { 60 };
        let size = capacity(volume).value() >> 30;
        let mut scrubbed = obj! { "name": "vol" };
        for field in ["path", "server"] {
            let value = volume.spec().at(&[kind, field]);
            if !value.is_null() {
                scrubbed.set(&[kind, field], value.clone());
            }
        }
        let pod = obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": &name, "namespace": NAMESPACE },
            "spec": obj! {
                "activeDeadlineSeconds": size.saturating_mul(30).max(least),
                "containers": list![obj! {
                    "name": "pv-recycler",
                    "image": "busybox:1.27",
                    "command": list!["/bin/sh"],
                    "args": list!["-c", SCRUB],
                    "volumeMounts": list![obj! { "name": "vol", "mountPath": "/scrub" }],
                }],
                "restartPolicy": "Never",
                "volumes": list![scrubbed],
            },
        };
        let text = |status: Status| status.message().to_owned();
        let pods = &inner.pod_resource;
        let only = ListOptions::fields(format!("metadata.name={name}"));
        let mut watch = inner.client.watch(pods, NAMESPACE, &only, 0).await.map_err(text)?;
        let about = ListOptions::fields(format!("involvedObject.name={name}"));
        let events = inner.client.watch(&inner.event_resource, NAMESPACE, &about, 0).await;
        if let Err(status) = inner.client.make(pods, NAMESPACE, pod).await {
            if !status.is_already_exists() {
                return Err(format!("unexpected error creating recycler pod:  {}", text(status)));
            }
            let _ = inner.client.delete(pods, NAMESPACE, &name, Value::Null).await;
            return Err("old recycler pod found, will retry later".to_owned());
        }
        let (controller, of) = (self.clone(), volume.clone());
        let told = inner.sim.spawn("recycler's events", async move {
            let Ok(mut events) = events else { return };
            while let Some(event) = events.next().await {
                if let WatchEvent::Added(event) = event {
                    let kind = EventType::of(event.value().get("type").str());
                    let message = format!("Recycler pod: {}", event.value().get("message").str());
                    controller.0.recorder.event(&of, kind, "RecyclerPod", message);
                }
            }
        });
        let ended = loop {
            match watch.next().await {
                Some(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => {
                    let status = pod.status();
                    match (status.str_at(&["phase"]), status.str_at(&["message"])) {
                        ("Succeeded", _) => break Ok(()),
                        ("Failed", "") => break Err("pod failed, pod.Status.Message unknown".to_owned()),
                        ("Failed", message) => break Err(message.to_owned()),
                        _ => {}
                    }
                }
                Some(WatchEvent::Deleted(_)) => break Err("recycler pod was deleted".to_owned()),
                Some(WatchEvent::Bookmark(_)) => {}
                Some(WatchEvent::Error(_)) | None => break Err("recycler pod watcher failed".to_owned()),
            }
        };
        told.abort();
        let deleted = inner.client.delete(pods, NAMESPACE, &name, Value::Null).await;
        ended.map_err(|why| format!("failed to recycle volume: {why}"))?;
        deleted
            .map(|_| ())
            .map_err(|status| format!("failed to delete recycler pod: {}", text(status)))
    }
}
