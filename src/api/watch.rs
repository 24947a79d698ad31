//! Watches: the store's changes from a revision on, filtered by selectors.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::custom;
use super::object::Object;
use super::resource::Resource;
use super::selector::{FieldTerm, Selector};
use super::server::ApiServer;
use super::status::Status;
use super::store::{Change, ShelfName};
use super::strategy::Strategy;
use crate::obj;
use crate::sim::{Signal, Time, WriteKind, timeout};
use crate::value::{Value, quoted};

/// What a watch delivers.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    Added(Object),
    Modified(Object),
    Deleted(Object),
    /// Everything up to this revision was delivered.
    Bookmark(u64),
    /// The watch ends with this failure (410 Gone).
    Error(Status),
}

impl WatchEvent {
    /// `ADDED`, `MODIFIED`, …, as the wire names it.
    pub fn name(&self) -> &'static str {
        match self {
            WatchEvent::Added(_) => "ADDED",
            WatchEvent::Modified(_) => "MODIFIED",
            WatchEvent::Deleted(_) => "DELETED",
            WatchEvent::Bookmark(_) => "BOOKMARK",
            WatchEvent::Error(_) => "ERROR",
        }
    }

    /// The object of a change; `None` for bookmarks and failures.
    pub fn object(&self) -> Option<&Object> {
        match self {
            WatchEvent::Added(o) | WatchEvent::Modified(o) | WatchEvent::Deleted(o) => Some(o),
            _ => None,
        }
    }
}

/// The object of a bookmark: one of the resource's kind of which all but the revision is empty.
pub fn bookmark(resource: &Resource, revision: u64) -> Value {
    obj! {
        "apiVersion": resource.api_version(),
        "kind": resource.kind.clone(),
        "metadata": obj! { "resourceVersion": revision.to_string() },
    }
}

/// What a list or a watch selects.
#[derive(Clone)]
pub struct Filter {
    /// Empty for all namespaces.
    pub namespace: Rc<str>,
    /// What labels must be like.
    pub labels: Selector,
    /// All of these must hold.
    pub fields: Vec<FieldTerm>,
    /// What is selected from, in the version that is asked for.
    pub resource: Rc<Resource>,
}

impl Filter {
    /// Whether an object is in the namespace and matches both selectors.
    pub fn matches(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || object.namespace() == &*self.namespace)
            && (self.labels.is_everything() || self.labels.matches(object.labels()))
            && self.fields.iter().all(|term| {
                let value = field_value(self.resource.strategy(), object, &term.field).unwrap_or_default();
                (value == term.value) == term.equal
            })
    }
}

/// The value that a field selector reads; `None` for a field that the kind cannot be selected by.
pub fn field_value(strategy: &dyn Strategy, object: &Object, field: &str) -> Option<String> {
    match field {
        "metadata.name" => Some(object.name().to_owned()),
        "metadata.namespace" => Some(object.namespace().to_owned()),
        _ => strategy.field(object, field),
    }
}

/// What is said of a field that a kind cannot be selected by: most kinds leave it to the default conversion.
pub fn unknown_field(resource: &Resource, field: &str) -> String {
    match (&*resource.group, &*resource.name) {
        ("batch", "jobs") => format!(
            "field label {field} not supported for batchv1.Job",
            field = quoted(&field)
        ),
        ("resource.k8s.io", "resourceslices") => format!(
            "field label not supported for {}, Kind=ResourceSlice: {field}",
            resource.group_version()
        ),
        ("", "events" | "namespaces" | "nodes" | "pods" | "replicationcontrollers" | "secrets" | "services")
        | ("events.k8s.io" | "certificates.k8s.io", _) => format!("field label not supported: {field}"),
        _ if resource.custom.is_some() => format!("field label not supported: {field}"),
        _ => format!(
            "{field} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            field = quoted(&field)
        ),
    }
}

/// A watch. It keeps a place in the store's history and costs nothing while nothing changes.
pub struct Watch {
    api: ApiServer,
    shelf: ShelfName,
    filter: Filter,
    revision: u64,
    signal: Signal,
    pending: VecDeque<WatchEvent>,
    /// When it ends by its `timeoutSeconds`.
    deadline: Option<Time>,
    bookmarks: bool,
    /// For the media type of the events: Tables, metadata only, or whole objects.
    pub accept: String,
    ended: bool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({} @{})", self.shelf, self.revision)
    }
}

/// Changes read from the store in one go.
const BATCH: usize = 256;

/// How often a watch that asked for bookmarks gets one (`bookmarkFrequency` of the watch cache).
const BOOKMARKS: Duration = Duration::from_secs(60);

impl Watch {
    pub(super) fn new(
        api: &ApiServer,
        shelf: ShelfName,
        filter: Filter,
        revision: u64,
        initial: Vec<Object>,
        deadline: Option<Time>,
        bookmarks: bool,
    ) -> Watch {
        Watch {
            api: api.clone(),
            signal: api.store().signal(&shelf),
            shelf,
            filter,
            revision,
            pending: initial.into_iter().map(WatchEvent::Added).collect(),
            deadline,
            bookmarks,
            accept: String::new(),
            ended: false,
        }
    }

    /// What is watched.
    pub fn resource(&self) -> &Rc<Resource> {
        &self.filter.resource
    }

    /// The revision up to which changes were read.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many events wait to be taken: of a new watch those of the objects that exist.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    fn convert(&self, change: Change) -> Option<WatchEvent> {
        let now = self.filter.matches(&change.object);
        let before = change.old.as_ref().is_some_and(|o| self.filter.matches(o));
        let object = custom::in_version(change.object, &self.filter.resource);
        match change.op {
            WriteKind::Deleted => before.then_some(WatchEvent::Deleted(object)),
            // An object that begins or ceases to fit comes and goes for this watch.
            _ => match (before, now) {
                (false, true) => Some(WatchEvent::Added(object)),
                (true, true) => Some(WatchEvent::Modified(object)),
                // The version that did fit, with the revision of the change.
                (true, false) => change.old.map(|old| {
                    let mut value = custom::in_version(old, &self.filter.resource).value().clone();
                    value.set(&["metadata", "resourceVersion"], object.revision().to_string());
                    WatchEvent::Deleted(Object::new(value))
                }),
                (false, false) => None,
            },
        }
    }

    /// The next event if one is there, without waiting.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.api.store().changes(&self.shelf, self.revision, BATCH) {
                Err(status) => {
                    self.ended = true;
                    return Some(WatchEvent::Error(status));
                }
                Ok(changes) if changes.is_empty() => return None,
                Ok(changes) => {
                    for change in changes {
                        self.revision = change.object.revision();
                        if let Some(event) = self.convert(change) {
                            self.pending.push_back(event);
                        }
                    }
                }
            }
        }
    }

    /// The next event; `None` when the watch's time is over.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            let generation = self.signal.generation();
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let changed = self.signal.after(generation);
            let sim = self.api.sim().clone();
            let bookmark = self.bookmarks.then(|| sim.now() + BOOKMARKS);
            let Some(until) = [self.deadline, bookmark].into_iter().flatten().min() else {
                changed.await;
                continue;
            };
            if timeout(&sim, until.since(sim.now()), changed).await.is_some() {
                continue;
            }
            self.ended = self.deadline.is_some_and(|d| d <= sim.now());
            if self.bookmarks {
                // Everything up to the store's present revision was looked at.
                self.revision = self.revision.max(self.api.store().revision());
                return Some(WatchEvent::Bookmark(self.revision));
            }
            if self.ended {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Payload, Request};
    use crate::sim::Sim;

    #[test]
    fn bookmarks_come_each_minute_until_the_end() {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        let request = Request::get("/api/v1/configmaps")
            .with("watch", "true")
            .with("allowWatchBookmarks", "true")
            .with("timeoutSeconds", "90");
        let Payload::Watch(mut watch) = api.serve(request).payload else {
            panic!("no watch")
        };
        let s = sim.clone();
        let seen = sim.run_future(
            async move {
                let mut seen = Vec::new();
                while let Some(event) = watch.next().await {
                    seen.push((event.name(), s.now().as_secs() - 1_800_000_000));
                }
                seen
            },
            sim.now() + Duration::from_secs(1_000),
        );
        assert_eq!(seen, Some(vec![("BOOKMARK", 60), ("BOOKMARK", 90)]));
    }
}
