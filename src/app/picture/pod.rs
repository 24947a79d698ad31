//! What the picture shows of a pod, read from the object that the trace carries. Pure.

use std::rc::Rc;

use kubetab::api::well_known;
use kubetab::sim::{Time, Verdict};
use kubetab::value::Value;

/// Bytes of an image that a node is pulling for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    pub received: u64,
    pub total: u64,
}

impl Pull {
    /// From 0 to 100.
    pub fn percent(self) -> u32 {
        if self.total == 0 {
            return 0;
        }
        (u128::from(self.received.min(self.total)) * 100 / u128::from(self.total)) as u32
    }
}

/// How a pod looks at a glance; each has a colour and a sign of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// No node yet.
    Waiting,
    /// On a node, not running yet.
    Starting,
    /// Running, not ready.
    Unready,
    /// Running and ready.
    Ready,
    /// Ended well.
    Done,
    /// Ended badly, or fails to start.
    Failing,
    /// Being deleted.
    Terminating,
}

impl Mood {
    /// The word for style sheets and translations.
    pub fn word(self) -> &'static str {
        match self {
            Mood::Waiting => "waiting",
            Mood::Starting => "starting",
            Mood::Unready => "unready",
            Mood::Ready => "ready",
            Mood::Done => "done",
            Mood::Failing => "failing",
            Mood::Terminating => "terminating",
        }
    }
}

/// A pod as the picture shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub namespace: Rc<str>,
    pub name: Rc<str>,
    pub uid: Rc<str>,
    /// `status.phase`.
    pub phase: Rc<str>,
    /// What kubectl prints under STATUS.
    pub status: Rc<str>,
    pub mood: Mood,
    /// Empty until the pod is bound.
    pub node: Rc<str>,
    pub ready: u32,
    pub containers: u32,
    pub restarts: i64,
    pub created: Time,
    pub ip: Rc<str>,
    pub image: Rc<str>,
    /// The controller's kind and name; both empty for a pod that someone made by hand.
    pub owner: (Rc<str>, Rc<str>),
    /// Pods of one revision share a colour: the template hash, else the owner, else the name.
    pub family: Rc<str>,
    pub pull: Option<Pull>,
    pub verdict: Option<Rc<Verdict>>,
    /// Deleted: it only fades out now.
    pub gone: bool,
}

impl Pod {
    /// `namespace/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it belongs to the cluster itself rather than to the student.
    pub fn is_system(&self) -> bool {
        is_system(&self.namespace)
    }

    /// The name in two parts: what it shares with its siblings, and what is its own.
    pub fn name_parts(&self) -> (&str, &str) {
        if self.owner.1.is_empty() {
            return ("", &self.name);
        }
        match self.name.rfind('-') {
            Some(i) => self.name.split_at(i + 1),
            None => ("", &self.name),
        }
    }

    /// Reads a pod; keeps of `old` what only other trace events tell.
    pub fn read(object: &Value, old: Option<&Pod>) -> Pod {
        let meta = object.get("metadata");
        let status = object.get("status");
        let name: Rc<str> = meta.get("name").str().into();
        let (text, ready, restarts) = status_column(object);
        let node: Rc<str> = object.at(&["spec", "nodeName"]).str().into();
        let containers = object.at(&["spec", "containers"]).items();
        let owner: (Rc<str>, Rc<str>) = meta
            .get("ownerReferences")
            .items()
            .iter()
            .find(|o| o.bool_at(&["controller"]))
            .map_or_else(
                || ("".into(), "".into()),
                |o| (o.get("kind").str().into(), o.get("name").str().into()),
            );
        let hash = meta.at(&["labels", well_known::POD_TEMPLATE_HASH]).str();
        let family: Rc<str> = if !hash.is_empty() {
            hash.into()
        } else if !owner.1.is_empty() {
            owner.1.clone()
        } else {
            name.clone()
        };
        let phase: Rc<str> = match status.get("phase").str() {
            "" => "Pending".into(),
            phase => phase.into(),
        };
        let same = old.filter(|o| *o.uid == *meta.get("uid").str());
        let total = containers.len() as u32;
        let mood = mood(&text, &phase, &node, ready, total);
        Pod {
            namespace: meta.get("namespace").str().into(),
            uid: meta.get("uid").str().into(),
            pull: same
                .and_then(|o| o.pull)
                .filter(|_| matches!(mood, Mood::Starting | Mood::Waiting)),
            verdict: same.and_then(|o| o.verdict.clone()),
            name,
            mood,
            phase,
            status: text.into(),
            node,
            ready,
            containers: total,
            restarts,
            created: Time::parse(meta.get("creationTimestamp").str()).unwrap_or_default(),
            ip: status.get("podIP").str().into(),
            image: containers.first().map_or("", |c| c.get("image").str()).into(),
            owner,
            family,
            gone: false,
        }
    }
}

/// Whether a namespace belongs to the cluster itself.
pub fn is_system(namespace: &str) -> bool {
    matches!(
        namespace,
        "kube-system" | "kube-flannel" | "kube-node-lease" | "kube-public"
    )
}

fn mood(status: &str, phase: &str, node: &str, ready: u32, containers: u32) -> Mood {
    match status {
        "Terminating" => Mood::Terminating,
        "Completed" | "Succeeded" => Mood::Done,
        _ if phase == "Succeeded" => Mood::Done,
        "Running" if ready >= containers => Mood::Ready,
        "Running" | "NotReady" => Mood::Unready,
        "Pending" if node.is_empty() => Mood::Waiting,
        "SchedulingGated" => Mood::Waiting,
        "Pending" | "ContainerCreating" | "PodInitializing" => Mood::Starting,
        s if s.starts_with("Init:") && s.ends_with(|c: char| c.is_ascii_digit()) => Mood::Starting,
        _ => Mood::Failing,
    }
}

/// What `kubectl get pods` prints under STATUS, the number of ready containers, and restarts.
fn status_column(pod: &Value) -> (String, u32, i64) {
    let status = pod.get("status");
    let mut reason = match status.get("phase").str() {
        "" => "Pending".to_owned(),
        phase => phase.to_owned(),
    };
    if !status.get("reason").str().is_empty() {
        reason = status.get("reason").str().to_owned();
    }
    let conditions = status.get("conditions").items();
    let condition = |kind: &str| conditions.iter().find(|c| c.get("type").str() == kind);
    if condition("PodScheduled").is_some_and(|c| c.get("reason").str() == "SchedulingGated") {
        reason = "SchedulingGated".to_owned();
    }
    let specs = pod.at(&["spec", "initContainers"]).items();
    let sidecar = |name: &str| {
        specs
            .iter()
            .any(|c| c.get("name").str() == name && c.get("restartPolicy").str() == "Always")
    };
    let mut restarts = 0;
    let mut ready = 0;
    let mut initializing = false;
    for (i, c) in status.get("initContainerStatuses").items().iter().enumerate() {
        restarts += c.i64_at(&["restartCount"]).unwrap_or(0);
        let terminated = c.at(&["state", "terminated"]);
        let waiting = c.at(&["state", "waiting", "reason"]).str();
        if !terminated.is_null() && terminated.i64_at(&["exitCode"]) == Some(0) {
            continue;
        }
        if sidecar(c.get("name").str()) && c.bool_at(&["started"]) {
            ready += u32::from(c.bool_at(&["ready"]));
            continue;
        }
        reason = if !terminated.is_null() {
            match terminated.get("reason").str() {
                "" => format!("Init:ExitCode:{}", terminated.i64_at(&["exitCode"]).unwrap_or(0)),
                why => format!("Init:{why}"),
            }
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{}", specs.len())
        };
        initializing = true;
        break;
    }
    if !initializing {
        let mut running = false;
        restarts = 0;
        for c in status.get("containerStatuses").items().iter().rev() {
            restarts += c.i64_at(&["restartCount"]).unwrap_or(0);
            let waiting = c.at(&["state", "waiting", "reason"]).str();
            let terminated = c.at(&["state", "terminated"]);
            if !waiting.is_empty() {
                reason = waiting.to_owned();
            } else if !terminated.is_null() {
                reason = match terminated.get("reason").str() {
                    "" => match terminated.i64_at(&["signal"]).unwrap_or(0) {
                        0 => format!("ExitCode:{}", terminated.i64_at(&["exitCode"]).unwrap_or(0)),
                        signal => format!("Signal:{signal}"),
                    },
                    why => why.to_owned(),
                };
            } else if c.bool_at(&["ready"]) && !c.at(&["state", "running"]).is_null() {
                running = true;
                ready += 1;
            }
        }
        if reason == "Completed" && running {
            let is_ready = condition("Ready").is_some_and(|c| c.get("status").str() == "True");
            reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if !pod.at(&["metadata", "deletionTimestamp"]).is_null() {
        reason = if status.get("reason").str() == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        }
        .to_owned();
    }
    (reason, ready, restarts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: &str) -> Pod {
        Pod::read(&Value::from_json(json).unwrap(), None)
    }

    #[test]
    fn status_and_mood() {
        let cases = [
            (
                r#"{"metadata":{"name":"a"},"spec":{"containers":[{}]}}"#,
                "Pending",
                Mood::Waiting,
            ),
            (
                r#"{"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]}}"#,
                "ContainerCreating",
                Mood::Starting,
            ),
            (
                r#"{"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Running","containerStatuses":[{"ready":true,"state":{"running":{}}}]}}"#,
                "Running",
                Mood::Ready,
            ),
            (
                r#"{"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}"#,
                "CrashLoopBackOff",
                Mood::Failing,
            ),
            (
                r#"{"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Succeeded","containerStatuses":[{"state":{"terminated":{"reason":"Completed"}}}]}}"#,
                "Completed",
                Mood::Done,
            ),
            (
                r#"{"metadata":{"deletionTimestamp":"2026-11-21T08:55:19Z"},"spec":{"nodeName":"n","containers":[{}]},"status":{"phase":"Running"}}"#,
                "Terminating",
                Mood::Terminating,
            ),
        ];
        for (json, status, mood) in cases {
            let pod = pod(json);
            assert_eq!((&*pod.status, pod.mood), (status, mood), "{json}");
        }
    }

    #[test]
    fn the_own_part_of_a_name() {
        let owned = r#"{"metadata":{"name":"web-7d9-x2k9p","ownerReferences":[{"controller":true,"kind":"ReplicaSet","name":"web-7d9"}]}}"#;
        assert_eq!(pod(owned).name_parts(), ("web-7d9-", "x2k9p"));
        assert_eq!(pod(r#"{"metadata":{"name":"my-pod"}}"#).name_parts(), ("", "my-pod"));
    }
}
