//! Informers: a component's own copy of a resource, kept by a list and a watch, with handlers for
//! its changes. Components read from here, and so may be behind the API server, as real ones are.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::client::{Client, ListOptions, NETWORK};
use super::object::{Object, ObjectKey};
use super::resource::Resource;
use super::watch::WatchEvent;
use crate::flat::WideMap;
use crate::sim::{Signal, TaskHandle, TraceEvent, WorkQueue, WriteKind};

/// A change of the copy: the version before and after; one of them is `None` when the object came
/// or went.
pub type Handler = Rc<dyn Fn(Option<&Object>, Option<&Object>)>;

/// A copy of a resource. Clones share it.
#[derive(Clone)]
pub struct Informer(Rc<Inner>);

struct Inner {
    objects: RefCell<WideMap<ObjectKey, Object>>,
    handlers: RefCell<Vec<Handler>>,
    synced: Cell<bool>,
    changed: Signal,
    task: RefCell<Option<TaskHandle>>,
}

impl Informer {
    /// Begins to copy what `options` select of a resource, in all namespaces. The trace gets a
    /// `Watch` event for each change that arrives.
    pub fn start(client: &Client, resource: &Rc<Resource>, options: ListOptions) -> Informer {
        let informer = Informer(Rc::new(Inner {
            objects: RefCell::default(),
            handlers: RefCell::default(),
            synced: Cell::new(false),
            changed: Signal::default(),
            task: RefCell::default(),
        }));
        let task = client.sim().spawn(
            "informer",
            run(informer.clone(), client.clone(), resource.clone(), options),
        );
        *informer.0.task.borrow_mut() = Some(task);
        informer
    }

    /// Calls `handler` with each change from now on, and at once with each object that is there.
    pub fn on_change(&self, handler: impl Fn(Option<&Object>, Option<&Object>) + 'static) {
        self.add_handler(Rc::new(handler));
    }

    /// Adds the key of each object that comes or changes to a queue, of those that fit.
    pub fn feed_those(&self, queue: &WorkQueue<ObjectKey>, fit: fn(&Object) -> bool) {
        let queue = queue.clone();
        self.on_change(move |_, new| {
            if let Some(object) = new.filter(|o| fit(o)) {
                queue.add(object.key());
            }
        });
    }

    /// Adds the key of each object that changes to a queue, as [`Informer::on_change`] would call it.
    pub fn feed(&self, queue: &WorkQueue<ObjectKey>) {
        let queue = queue.clone();
        self.on_change(move |old, new| {
            if let Some(object) = new.or(old) {
                queue.add(object.key());
            }
        });
    }

    fn add_handler(&self, handler: Handler) {
        let present: Vec<Object> = self.0.objects.borrow().values().cloned().collect();
        for object in &present {
            handler(None, Some(object));
        }
        self.0.handlers.borrow_mut().push(handler);
    }

    /// Waits until the first list has arrived.
    pub async fn synced(&self) {
        loop {
            let generation = self.0.changed.generation();
            if self.0.synced.get() {
                return;
            }
            self.0.changed.after(generation).await;
        }
    }

    /// Notified after each change.
    pub fn changed(&self) -> Signal {
        self.0.changed.clone()
    }

    /// An object as the informer last saw it.
    pub fn get(&self, key: &ObjectKey) -> Option<Object> {
        self.0.objects.borrow().get(key).cloned()
    }

    /// The objects of a namespace (of all, when it is empty), in the order of their keys.
    pub fn list(&self, namespace: &str) -> Vec<Object> {
        let mut found = Vec::new();
        self.each(namespace, |o| found.push(o.clone()));
        found
    }

    /// Calls `f` with what [`Informer::list`] would give.
    pub fn each(&self, namespace: &str, mut f: impl FnMut(&Object)) {
        let objects = self.0.objects.borrow();
        if namespace.is_empty() {
            objects.values().for_each(f);
            return;
        }
        let from = ObjectKey::new(namespace, "");
        for (key, object) in objects.starting_at(&from) {
            if &*key.namespace != namespace {
                break;
            }
            f(object);
        }
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.0.objects.borrow().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the copying.
    pub fn stop(&self) {
        if let Some(task) = self.0.task.borrow_mut().take() {
            task.abort();
        }
    }

    fn put(&self, object: Object) {
        let old = self.0.objects.borrow_mut().insert(object.key(), object.clone());
        if old.as_ref().is_none_or(|o| !o.same(&object)) {
            self.call(old.as_ref(), Some(&object));
        }
    }

    fn remove(&self, key: &ObjectKey, last: Option<&Object>) {
        let old = self.0.objects.borrow_mut().remove(key);
        if let Some(old) = old {
            self.call(Some(last.unwrap_or(&old)), None);
        }
    }

    fn call(&self, old: Option<&Object>, new: Option<&Object>) {
        // Handlers may read this informer, so none of its parts is borrowed here.
        let handlers = self.0.handlers.borrow().clone();
        for handler in &handlers {
            handler(old, new);
        }
    }
}

/// Between two tries of a list or watch that failed (client-go begins at 800 ms).
const RETRY: Duration = Duration::from_millis(800);

/// Forgets an informer's handlers when its task ends: they mostly own what owns the informer.
struct Forget(Informer);

impl Drop for Forget {
    fn drop(&mut self) {
        let handlers = std::mem::take(&mut *self.0.0.handlers.borrow_mut());
        // What they own may be a last handle to something: outside the borrow.
        drop(handlers);
    }
}

async fn run(informer: Informer, client: Client, resource: Rc<Resource>, options: ListOptions) {
    let _forget = Forget(informer.clone());
    let sim = client.sim().clone();
    loop {
        let Ok(list) = client.list(&resource, "", &options).await else {
            sim.sleep(RETRY).await;
            continue;
        };
        let present: WideMap<ObjectKey, Object> = list.items.into_iter().map(|o| (o.key(), o)).collect();
        let gone: Vec<ObjectKey> = informer
            .0
            .objects
            .borrow()
            .keys()
            .filter(|k| !present.contains_key(*k))
            .cloned()
            .collect();
        for key in gone {
            informer.remove(&key, None);
        }
        for object in present.into_values() {
            informer.put(object);
        }
        informer.0.synced.set(true);
        informer.0.changed.notify();
        let Ok(mut watch) = client.watch(&resource, "", &options, list.revision).await else {
            sim.sleep(RETRY).await;
            continue;
        };
        'watch: while let Some(first) = watch.next().await {
            // The event travels; what happened meanwhile arrives with it.
            sim.sleep(NETWORK).await;
            let mut next = Some(first);
            while let Some(event) = next {
                let (op, object) = match event {
                    WatchEvent::Added(o) => (WriteKind::Added, o),
                    WatchEvent::Modified(o) => (WriteKind::Modified, o),
                    WatchEvent::Deleted(o) => (WriteKind::Deleted, o),
                    WatchEvent::Bookmark(_) => {
                        next = watch.try_next();
                        continue;
                    }
                    // Too old: list again.
                    WatchEvent::Error(_) => break 'watch,
                };
                sim.emit(TraceEvent::Watch {
                    client: client.name().clone(),
                    kind: resource.kind.clone(),
                    object_name: object.full_name(),
                    op,
                    revision: object.revision(),
                });
                if op == WriteKind::Deleted {
                    informer.remove(&object.key(), Some(&object));
                } else {
                    informer.put(object);
                }
                next = watch.try_next();
            }
            informer.0.changed.notify();
        }
    }
}
